/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h - the reactors and workers of one server.  [main] unless it says otherwise. */
#ifndef GOTGT_ENGINE_H
#define GOTGT_ENGINE_H

#include <stdatomic.h>
#include <glib.h>
#include "engine/bufpool.h"
#include "engine/reactor.h"
#include "engine/workers.h"

#define ENGINE_REACTORS_MAX 64u

/* A question to a reactor, whether it still runs. */
struct pulse {
	struct post post;
	atomic_bool asked;
};

struct engine {
	unsigned n_reactors;
	struct reactor *reactors[ENGINE_REACTORS_MAX];
	struct pulse pulses[ENGINE_REACTORS_MAX];
	struct workers *workers;
	struct log *log;		/* its threads write there; NULL: the process's */
	unsigned n_left;		/* devices that do not answer: the threads with them cannot be waited for */
	char *state_dir;		/* where state files are, set before use; NULL: nothing can be kept.  engine_free() frees it */
};

/* n_reactors 0: one per CPU this process may use.  n_workers 0: 8. */
struct engine *engine_new(unsigned n_reactors, unsigned n_workers, GError **error);
/* Stops the reactors, then the workers; with n_left, what its devices may still use stays for the rest of the program. */
void engine_free(struct engine *e);

/* Run fn(reactor, arg) on each reactor and wait for all: when it returns, nothing published before is unseen. */
void engine_each(struct engine *e, void (*fn)(struct reactor *r, void *arg), void *arg);

/* Has each reactor done something since this was called before?  It asks them anew and waits for nobody. */
bool engine_pulse(struct engine *e);

#endif
