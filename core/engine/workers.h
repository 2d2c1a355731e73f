/* SPDX-License-Identifier: Apache-2.0 */
/* workers.h - threads for what blocks.  Started on first use, so an engine that needs none has none. */
#ifndef GOTGT_WORKERS_H
#define GOTGT_WORKERS_H

struct workers;

/* One piece of work; embedded, in one queue at a time. */
struct work {
	struct work *next;
	void (*run)(struct work *w);	/* on a worker */
};

struct workers *workers_new(unsigned max_threads);	/* [main] */
void workers_free(struct workers *w);			/* runs what is queued, ends the threads.  [main] */
void workers_push(struct workers *w, struct work *work);	/* [any] */

#endif
