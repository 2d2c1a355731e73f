/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trial.h - does it pay to send READs from memory that a device lends, or is the copy it would make cheaper?  A mapping
 * costs a fault for what was never touched before, and in some virtual machines for what was; a copy costs the same always.
 * Now and then some of the reads are copied, and the CPU time of the thread tells.  All [reactor]: each has its own.
 */
#ifndef GOTGT_TRIAL_H
#define GOTGT_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#define TRIAL_WINDOW (UINT64_C(4) << 20)	/* bytes: lent, twice as many copied, and lent again */
/* Bytes between trials: twice as many each time that one says the same, but that it costs twice what it did ends them. */
#define TRIAL_REST_MIN (UINT64_C(64) << 20)
#define TRIAL_REST_MAX (UINT64_C(8) << 30)
#define TRIAL_LOST_NS 5e8	/* what lending may cost more than copies, before it ends: it may become cheaper */
#define TRIAL_NS_MAX UINT64_C(250000000)	/* a trial that took longer says nothing: the thread had other devices to serve */

struct trial {
	uint64_t left;			/* bytes to the next step */
	uint8_t step;			/* of trial.c; 0: between trials */
	bool copies;			/* what is done between trials */
	bool is_void;
	uint64_t rest;			/* bytes between trials */
	uint64_t rest_left;		/* of these, behind this step */
	uint64_t began_ns;		/* CPU time: this step */
	double expected;		/* ns for a byte that is lent, by the last trial; 0: none yet */
	double lost_ns;			/* by lending, less what it has gained; not below 0 */
	uint64_t bytes[2], ns[2];	/* of this trial, or the last: lent, copied */
};

void trial_init(struct trial *t);
/* True: lend these, of a read that can be lent.  cpu_ns: of this thread. */
bool trial_lends(struct trial *t, uint64_t bytes, uint64_t (*cpu_ns)(void));

/* A copy was made by another thread, whose CPU time is not seen: the trial that is under way says nothing. */
static inline void trial_void(struct trial *t)
{
	t->is_void = true;
}

#endif
