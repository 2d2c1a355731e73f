/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alua.h - target port groups and their asymmetric access states (SPC-5 5.18).  A state holds for every logical unit
 * of the target: what differs is the way to it.
 */
#ifndef GOTGT_ALUA_H
#define GOTGT_ALUA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct target;
struct task;

/* SPC-5 6.35, table 252 */
enum alua_state { ALUA_OPTIMIZED = 0, ALUA_NON_OPTIMIZED = 1, ALUA_STANDBY = 2, ALUA_UNAVAILABLE = 3 };

#define ALUA_GROUPS_MAX 32u

/* As configured. */
struct alua_group {
	uint16_t tag;		/* not 0 */
	uint8_t state;		/* enum alua_state */
	bool preferred;
};

/* As it is.  Lives as long as its target, so nexuses may point to it. */
struct port_group {
	struct alua_group conf;
	bool there;			/* configured now; under target->lock */
	uint8_t status;			/* why it is in its state: table 253; under target->lock */
	atomic_uint state;		/* enum alua_state */
};

/*
 * What the configuration says, at start and when it changed: a group whose configured state is another one takes it,
 * and every nexus hears of it; one set by SET TARGET PORT GROUPS stays otherwise.  explicit: initiators may set
 * states.  At most ALUA_GROUPS_MAX, tags all different.  [main]
 */
void target_set_groups(struct target *t, const struct alua_group *groups, unsigned n, bool explicit);
/* The group of a tag; one that nobody configured is active/optimized.  [any] */
struct port_group *target_group(struct target *t, uint16_t tag);

static inline unsigned port_group_state(struct port_group *g)
{
	return atomic_load_explicit(&g->state, memory_order_relaxed);
}

/* The way this task came is not to be used for it: true, and it has ended.  [reactor] */
bool alua_refuses(struct task *t);

#endif
