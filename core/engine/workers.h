/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workers.h - threads for what blocks.  Started on first use, so an engine that needs none has none.
 *
 * Work that may take for ever comes through a gate, one a device: of each gate no more than `max` are on threads, the
 * others wait in it.  There are WORKERS_GATES times as many threads, so that a device that does not answer leaves
 * some to the others; and those that are given up for lost (workers_lose()) are replaced.
 */
#ifndef GOTGT_WORKERS_H
#define GOTGT_WORKERS_H

#define WORKERS_GATES 4u

struct workers;

/* One piece of work; embedded, in one queue at a time. */
struct work {
	struct work *next;
	void (*run)(struct work *w);	/* on a worker */
	struct workers_gate *gate;	/* workers.c's */
};

/* Zeroed before first use; embedded.  All is workers.c's, under its lock. */
struct workers_gate {
	struct work *head, *tail;	/* waiting */
	unsigned max;			/* at once on threads; 0: as many as workers_new() was told */
	unsigned n;			/* queued or on threads */
	unsigned lost;			/* of those, replaced */
};

struct workers *workers_new(unsigned max);	/* [main] */
void workers_free(struct workers *w);			/* runs what is queued, ends the threads.  [main] */
/* gate NULL: as soon as a thread is there for it.  [any] */
void workers_push(struct workers *w, struct work *work, struct workers_gate *gate);
/* What is on threads through this gate may not come back: others get threads in their place, until it does.  [any] */
void workers_lose(struct workers *w, struct workers_gate *gate);
/* Wait until all that came through has returned: done() of it may have come before.  [main] */
void workers_drain(struct workers *w, struct workers_gate *gate);

/* One idle thread looks for more for up to max_us before it sleeps, while it comes that soon; 0, the default: none.  [any] */
void workers_set_look(struct workers *w, unsigned max_us);

#endif
