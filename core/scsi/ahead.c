/* SPDX-License-Identifier: Apache-2.0 */
/* ahead.c - what the next commands need is fetched into the caches: hints, which change nothing. */
#include "config.h"
#include "scsi/ahead.h"
#include "scsi/cdb.h"
#include "scsi/lun.h"
#include "scsi/tally.h"

#define MANY 64u	/* LUNs: the state of fewer logical units stays in the caches by itself */

bool ahead_pays(const struct nexus *n)
{
	return atomic_load_explicit(&n->target->map, memory_order_acquire)->n > MANY;
}

static struct stats *block_of(struct lun *lun, unsigned reactor)
{
	return atomic_load_explicit(&lun->count[reactor].stats, memory_order_relaxed);
}

static void fetch_nexus_lun(const struct nexus *n, uint32_t number)
{
	struct nexus_chunk *c = atomic_load_explicit(&n->chunks[number / NEXUS_CHUNK], memory_order_acquire);

	if (c) {	/* it may begin in one line and end in the next */
		__builtin_prefetch(&c->luns[number % NEXUS_CHUNK].ua);
		__builtin_prefetch(&c->luns[number % NEXUS_CHUNK].set.special);
	}
}

/* Each step looks at what the one before it has asked for: it waits for the first of that, and finds the rest. */
void ahead_fetch(struct nexus *n, const struct ahead *next, unsigned count)
{
	unsigned reactor = reactor_index(n->reactor), found = 0, rows[AHEAD_MAX];
	struct lun *luns[AHEAD_MAX];

	for (unsigned i = 0; i < count; i++) {
		struct lun *lun = nexus_find_lun(n, next[i].lun_addr);
		const struct cdb_op *op;
		bool known;

		if (!lun)
			continue;
		__builtin_prefetch(lun);
		__builtin_prefetch(&lun->count[reactor], 1);
		op = cdb_find(next[i].cdb, &known);
		rows[found] = op ? cdb_row(op) : TALLY_UNKNOWN;
		luns[found++] = lun;
	}
	for (unsigned i = 0; i < found; i++) {
		fetch_nexus_lun(n, luns[i]->number);
		device_fetch(luns[i]->dev);
		stats_fetch(block_of(luns[i], reactor), rows[i]);
	}
	for (unsigned i = 0; i < found; i++)
		stats_fetch_histogram(block_of(luns[i], reactor), tally_kind(rows[i]));
}

void ahead_count(const struct task *t, unsigned bucket)
{
	if (t->lun && t->op)
		stats_fetch_bucket(block_of(t->lun, reactor_index(t->reactor)), tally_kind(cdb_row(t->op)), bucket);
}
