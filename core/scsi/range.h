/* SPDX-License-Identifier: Apache-2.0 */
/*
 * range.h - who is at which logical blocks, so that some commands are atomic against all others.
 *
 * Whatever reads or writes the medium holds a range while it does: shared, or alone (COMPARE AND WRITE, ORWRITE,
 * WRITE ATOMIC), which waits for every range that overlaps and keeps later ones waiting.  While nobody wants to be
 * alone, a range is just a member of a list of its reactor: no lock, nothing shared.  The first that does sets
 * LUN_RANGES and has each reactor hand its list over to the logical unit's; from then on, until alone has been out
 * of use for a while, all ranges are taken there under a lock.  A command that did not see the bit yet is in its
 * reactor's list when that is handed over, as both happen on its reactor.
 */
#ifndef GOTGT_RANGE_H
#define GOTGT_RANGE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "engine/reactor.h"

struct lun;

#define RANGE_LINGER_MS 1000u	/* how long LUN_RANGES stays set after its last use */

enum range_state { RANGE_NONE, RANGE_LOCAL, RANGE_SHARED, RANGE_WAITING };

/* Embedded in who holds it. */
struct range {
	struct range *next, **link;	/* of the reactor, or of the logical unit under its lock */
	uint64_t lba, end;		/* end: the first beyond */
	uint8_t state;			/* enum range_state, as its reactor knows it */
	bool alone;
	bool called;			/* under the lock: granted() is on its way */
	struct lun *lun;		/* this and the rest once it is shared */
	struct reactor *reactor;
	struct post post;
	void (*granted)(struct range *r);
};

struct range_list { struct range *first, **last; };

/* The logical unit's. */
struct ranges {
	pthread_mutex_t lock;
	bool on;			/* LUN_RANGES is set */
	unsigned arming;		/* reactors that have not handed over yet */
	unsigned n_alone;		/* held or waited for */
	uint64_t last_ms;		/* when one ended */
	struct range_list held, waiting;
};

void ranges_init(struct ranges *rs);	/* [main] */
void ranges_clear(struct ranges *rs);	/* [main] */

/*
 * Take [lba, end).  True: it is held.  False: granted(r) comes, from this reactor's loop.  r->granted is set.
 * [reactor]
 */
bool range_take(struct range *r, struct lun *lun, struct reactor *reactor, uint64_t lba, uint64_t end, bool alone);
/* Stop waiting: true, and granted() does not come; false: it is on its way, or not waited for.  [its reactor] */
bool range_leave(struct range *r);

/* ---- without a lock, in the list of a reactor; range_try() is in lun.h ---- */

/* The newest first, as the order does not matter and most end soon. */
static inline void range_link_local(struct range *r, struct range **first, uint64_t lba, uint64_t end)
{
	r->lba = lba;
	r->end = end;
	r->alone = false;
	r->state = RANGE_LOCAL;
	r->next = *first;
	r->link = first;
	if (r->next)
		r->next->link = &r->next;
	*first = r;
}

static inline void range_unlink_local(struct range *r)
{
	*r->link = r->next;
	if (r->next)
		r->next->link = r->link;
}

void range_give_shared(struct range *r);

/* Give it back; nothing when it is not held.  [its reactor] */
static inline void range_give(struct range *r)
{
	if (G_LIKELY(r->state == RANGE_LOCAL)) {
		range_unlink_local(r);
		r->state = RANGE_NONE;
	} else if (r->state != RANGE_NONE) {
		range_give_shared(r);
	}
}

#endif
