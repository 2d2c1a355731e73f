/* SPDX-License-Identifier: Apache-2.0 */
/* nexus.c - I_T nexuses and what each keeps of each LUN. */
#include "config.h"
#include <pthread.h>
#include <string.h>
#include "scsi/lun.h"

static void wake_sets(struct defer *d)
{
	struct nexus *n = container_of(d, struct nexus, wake);

	for (unsigned i = 0; i < NEXUS_CHUNKS * NEXUS_CHUNK; i++) {
		struct nexus_chunk *c = atomic_load_explicit(&n->chunks[i / NEXUS_CHUNK], memory_order_relaxed);
		struct task_set *s = c ? &c->luns[i % NEXUS_CHUNK].set : NULL;

		if (!c) {
			i += NEXUS_CHUNK - 1;
		} else if (s->due) {
			s->due = false;
			task_set_wake(s);
		}
	}
}

void nexus_wake_later(struct nexus *n, struct task_set *s)
{
	s->due = true;
	reactor_again(n->reactor, &n->wake);
}

struct nexus *nexus_new(struct target *t, struct reactor *r, const char *initiator_port, uint16_t rel_port,
			uint16_t tpgt)
{
	struct nexus *n = g_new0(struct nexus, 1);

	n->target = t;
	n->reactor = r;
	n->wake.run = wake_sets;
	n->initiator_port = g_strdup(initiator_port);
	n->rel_port = rel_port;
	n->group = target_group(t, tpgt);
	pthread_mutex_lock(&t->lock);
	g_ptr_array_add(t->nexuses, n);
	pthread_mutex_unlock(&t->lock);
	return n;
}

void nexus_free(struct nexus *n)
{
	pr_nexus_gone(n);
	reactor_unagain(n->reactor, &n->wake);
	pthread_mutex_lock(&n->target->lock);
	g_ptr_array_remove_fast(n->target->nexuses, n);
	pthread_mutex_unlock(&n->target->lock);
	for (unsigned i = 0; i < NEXUS_CHUNKS; i++)
		g_free(atomic_load_explicit(&n->chunks[i], memory_order_relaxed));
	lun_view_unref(n->view);
	g_free(n->copies);
	g_free(n->initiator_port);
	g_free(n);
}

struct lun *nexus_find_lun(struct nexus *n, const uint8_t addr[8])
{
	return nexus_find(n, lun_parse(addr));
}

struct nexus_lun *nexus_lun(struct nexus *n, uint32_t number)
{
	struct nexus_chunk *c = atomic_load_explicit(&n->chunks[number / NEXUS_CHUNK], memory_order_acquire);

	if (G_UNLIKELY(!c)) {
		/* Once for 64 LUNs of a session, at a first command that is answered with POWER ON. */
		c = g_try_new0(struct nexus_chunk, 1);
		if (!c)
			return NULL;
		for (unsigned i = 0; i < NEXUS_CHUNK; i++) {
			atomic_init(&c->luns[i].ua, 1u << UA_POWER_ON);
			atomic_init(&c->luns[i].bars, BARS_UNKNOWN);
		}
		atomic_store(&n->chunks[number / NEXUS_CHUNK], c);
	}
	return &c->luns[number % NEXUS_CHUNK];
}

/* What POWER ON stands for need not be added to it. */
static void set_ua(struct nexus_lun *nl, enum ua ua)
{
	if (!(atomic_load(&nl->ua) & 1u << UA_POWER_ON))
		atomic_fetch_or(&nl->ua, 1u << ua);
}

void nexus_set_ua(struct nexus *n, uint32_t number, enum ua ua)
{
	struct nexus_chunk *c = atomic_load(&n->chunks[number / NEXUS_CHUNK]);

	if (c)
		set_ua(&c->luns[number % NEXUS_CHUNK], ua);
}

void nexus_set_ua_all(struct nexus *n, enum ua ua)
{
	for (uint32_t number = 0; number <= LUN_MAX; number++)
		nexus_set_ua(n, number, ua);
}

void nexus_forget_lun(struct nexus *n, uint32_t number)
{
	struct nexus_chunk *c = atomic_load(&n->chunks[number / NEXUS_CHUNK]);

	if (c) {
		atomic_store(&c->luns[number % NEXUS_CHUNK].prevent, false);
		atomic_store(&c->luns[number % NEXUS_CHUNK].bars, BARS_UNKNOWN);
		atomic_store(&c->luns[number % NEXUS_CHUNK].ua, 1u << UA_POWER_ON);
	}
}

void nexus_clear_ua_all(struct nexus *n, enum ua ua)
{
	for (unsigned i = 0; i < NEXUS_CHUNKS; i++) {
		struct nexus_chunk *c = atomic_load(&n->chunks[i]);

		for (unsigned k = 0; c && k < NEXUS_CHUNK; k++)
			if (atomic_load_explicit(&c->luns[k].ua, memory_order_relaxed) & 1u << ua)
				atomic_fetch_and(&c->luns[k].ua, ~(1u << ua));
	}
}

bool nexus_task_cleared(struct nexus *n, struct lun *lun)
{
	if (!lun || lun_state(lun) & LUN_TAS)
		return lun != NULL;
	pthread_mutex_lock(&n->target->lock);
	nexus_set_ua(n, lun->number, UA_COMMANDS_CLEARED);
	pthread_mutex_unlock(&n->target->lock);
	return false;
}

/* By logical unit; with the lock. */
static void tell_changes(struct nexus *n, const struct lun_view *old, const struct lun_view *v)
{
	const struct lun_map *map = atomic_load_explicit(&n->target->map, memory_order_acquire);

	for (uint32_t i = 0; i < map->n; i++) {
		if (v && lun_view_number(v, i) < 0)
			continue;
		if (old && lun_view_number(old, i) < 0)
			nexus_forget_lun(n, i);
		else if ((old && lun_view_read_only(old, i)) != (v && lun_view_read_only(v, i)))
			nexus_set_ua(n, i, UA_MODE_CHANGED);
	}
}

void nexus_set_view(struct nexus *n, struct lun_view *v)
{
	struct lun_view *old;

	if (lun_view_equal(n->view, v)) {
		lun_view_unref(v);
		return;
	}
	pthread_mutex_lock(&n->target->lock);	/* names.c looks at it from elsewhere */
	old = n->view;
	n->view = v;
	nexus_set_ua_all(n, UA_LUNS_CHANGED);
	tell_changes(n, old, v);
	pthread_mutex_unlock(&n->target->lock);
	lun_view_unref(old);
}

const struct lun_view *nexus_view(const struct nexus *n)
{
	return n->view;
}
