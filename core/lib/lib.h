/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib.h - what the files of libgotgt share.  Everything is for any thread that is not one of a server's; what
 * the layers below call [main] is whoever holds the server's lock here.
 */
#ifndef GOTGT_LIB_H
#define GOTGT_LIB_H

#include <pthread.h>
#include <glib.h>
#include <gotgt/gotgt.h>
#include "config/server.h"
#include "engine/log.h"

struct events;

enum lib_state { LIB_IDLE, LIB_RUNNING, LIB_STOPPING };

struct gotgt_server {
	pthread_mutex_t lock;		/* all but log and what it writes to, which change while nothing runs only */
	enum lib_state state;
	struct server *running;		/* NULL: it does not */
	struct conf *draft;		/* what is described; NULL: what runs */
	bool checked;			/* by conf_check() */
	char **plugin_dirs;
	GHashTable *modules;		/* name -> struct module, of gotgt_server_add_plugin() */
	GHashTable *stores;		/* set of struct gotgt_store, a reference each: those of draft and running */

	struct log log;
	gotgt_log_fn *log_fn;
	void *log_data;
	struct events *events;		/* NULL: callbacks come on any thread */

	pthread_t stopper;		/* of gotgt_server_stop_begin() */
	bool stopper_started;		/* and not joined yet */
	unsigned grace_ms;
	gotgt_stopped_fn *stopped;
	void *stopped_data;

	bool skip_broken;
	char *file_state_dir, *file_log_level;	/* of the last gotgt_config_load(), or NULL */
	char **file_addresses, *file_token;	/* control_addresses and control_token_file of it */
	bool file_single;			/* GOTGT_CONFIG_SINGLE of it */
	char *file_path, *file_sum;		/* what it read, and conf_fingerprint() of that; NULL: no file, it was not there */
	struct lib_control *control;	/* NULL: nobody listens */
};

/* The beginning and the end of a call: 0 or a negative errno; leave() returns r. */
int lib_enter(struct gotgt_server *s);
int lib_leave(struct gotgt_server *s, int r);
/* lib_enter() to change the description. */
int lib_describe(struct gotgt_server *s);
/* Keep a line for gotgt_last_error(); -err. */
int lib_fail(int err, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* The same of a GError, which it frees. */
int lib_fail_error(int err, GError *error);
/* What is configured wrongly (-EINVAL), or what the system does not give (-EIO). */
int lib_failed(GError *error);
/* Make the description what runs. */
int lib_apply(struct gotgt_server *s);
/* The description, to be changed. */
struct conf *lib_draft(struct gotgt_server *s);
/* It is what runs. */
void lib_forget_draft(struct gotgt_server *s);
/* Text for a caller's buffer. */
int lib_put(const char *what, const char *text, char *buf, size_t size_bytes);

/* One setting from text, NULL: its default; GROUP.NAME is one of a group. */
int lib_set(enum conf_object object, void *obj, const char *name, const char *value);

/* Is there a LUN over the store? */
bool lib_uses_store(const struct conf *c, const struct gotgt_store *store);
/* Let go of stores that are neither described nor running. */
void lib_sweep_stores(struct gotgt_server *s);

/* config.c: what loading adds to a configuration from outside, and what saving takes off one. */
void lib_complete(const struct gotgt_server *s, struct conf *c);
void lib_strip(const struct gotgt_server *s, struct conf *c);
/* false with an error: somebody wrote the file since we read it.  Then: that we did. */
bool lib_may_save(const struct gotgt_server *s, const char *path, GError **error);
void lib_saved(struct gotgt_server *s, const char *path, const char *sum);
/* Logical units over plugins of the program get them: by name, and, in the place they have in now, with their data. */
void lib_adopt(const struct gotgt_server *s, struct conf *c, const struct conf *now);
/* Is what is described what runs? */
bool lib_is_applied(const struct gotgt_server *s);

/* control.c */
struct lib_control;
/* Not with the lock held, which requests want.  NULL does nothing. */
void lib_control_end(struct lib_control *c);
/* With it: what runs is what the file says; what runs has been saved there. */
void lib_control_reloaded(struct lib_control *c);
void lib_control_saved(struct lib_control *c, const char *path);

/* store.c */
struct gotgt_store *store_ref(struct gotgt_store *store);
const struct module *store_module(const struct gotgt_store *store);

/* events.c: what waits for gotgt_server_dispatch(). */
struct events *events_new(GError **error);
void events_free(struct events *e);
int events_fd(const struct events *e);
void events_log(struct events *e, enum gotgt_log_level level, const char *line);	/* [any] */
void events_stopped(struct events *e);							/* [any] */
/* Call what is due; nothing of s is used after its stopped(). */
void events_run(struct gotgt_server *s);

#endif
