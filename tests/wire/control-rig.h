/* SPDX-License-Identifier: Apache-2.0 */
/* control-rig.h - a daemon's server and its control socket in this process, and a client of it. */
#ifndef GOTGT_TESTS_CONTROL_RIG_H
#define GOTGT_TESTS_CONTROL_RIG_H

#include "config/json.h"
#include "control/control.h"
#include "ini.h"

#define OTHER "iqn.2010-01.org.example:other"
#define SECRET "a secret of a dozen"

extern char *dir, *path, *file;		/* a folder, its socket, its configuration */
extern struct server *running;		/* target DISK with LUN 0 and 1 */
extern struct control *control;

/* What every main() here does. */
void rig_begin(int *argc, char ***argv);
int rig_run(void);
/* One folder more for plugins, of tests/ as it was built, before the first server. */
void rig_plugins(const char *folder);

/* A server that has just been started, for one test. */
void begin(void);
/* The same of another configuration; skip_broken: without logical units that do not open. */
void begin_with(const char *text, bool skip_broken);
void end(void);
struct conf *read_file(void);
const struct conf_target *target(const char *iqn);

struct answer {
	bool done;
	unsigned status;
	char *text, *etag, *type, *location, *allow;
	JsonNode *json;
};
struct answer ask(const char *method, const char *where, const char *body);
/* header: "Name: value", or NULL. */
struct answer ask_with(const char *method, const char *where, const char *body, const char *header);
void answer_clear(struct answer *a);
/* The status, and a piece of the answer or NULL. */
void expect(const char *method, const char *where, const char *body, unsigned status, const char *piece);

#endif
