/* SPDX-License-Identifier: Apache-2.0 */
/* names.c - logical units by what they call themselves, over all targets: whom a third-party copy is about. */
#include "config.h"
#include <pthread.h>
#include <string.h>
#include "scsi/copy.h"
#include "scsi/lun.h"
#include "scsi/vpd.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static GHashTable *named;	/* designator -> struct lun_name, the first of those that are called so; under lock */

/* CODE SET, ASSOCIATION, DESIGNATOR TYPE, DESIGNATOR LENGTH and DESIGNATOR; who the protocol is does not matter. */
static gboolean same(gconstpointer one, gconstpointer other)
{
	const uint8_t *a = one, *b = other;

	return (a[0] & 0x0f) == (b[0] & 0x0f) && (a[1] & 0x3f) == (b[1] & 0x3f) && a[3] == b[3] &&
	       memcmp(a + 4, b + 4, a[3]) == 0;
}

static guint hash(gconstpointer designator)
{
	const uint8_t *d = designator;
	guint h = (d[1] & 0x3fu) + 1;

	for (unsigned i = 0; i < d[3]; i++)
		h = h * 31 + d[4 + i];
	return h;
}

static void take_names(struct lun *lun)
{
	struct lun_names *names = &lun->names;
	const uint8_t *d = names->designators;

	G_STATIC_ASSERT(sizeof names->designators >= VPD_LUN_DESIGNATORS_MAX);
	vpd_lun_designators(lun, names->designators);
	for (unsigned i = 0; i < LUN_NAMES; i++, d += 4 + (size_t)d[3]) {
		struct lun_name *first = g_hash_table_lookup(named, d), *name = &names->by[i];

		*name = (struct lun_name){ d, lun, first ? first->next : NULL };
		if (first)
			first->next = name;
		else
			g_hash_table_insert(named, (gpointer)d, name);
	}
}

static void drop_name(struct lun_name *name)
{
	struct lun_name *first = g_hash_table_lookup(named, name->designator);

	if (first == name) {
		g_hash_table_remove(named, name->designator);
		if (name->next)
			g_hash_table_insert(named, (gpointer)name->next->designator, name->next);
		return;
	}
	while (first->next != name)
		first = first->next;
	first->next = name->next;
}

void lun_name_add(struct lun *lun)
{
	pthread_mutex_lock(&lock);
	if (!named)
		named = g_hash_table_new(hash, same);
	take_names(lun);
	pthread_mutex_unlock(&lock);
}

static void drop_names(struct lun *lun)
{
	for (unsigned i = 0; i < LUN_NAMES; i++)
		drop_name(&lun->names.by[i]);
}

void lun_name_change(struct lun *lun)
{
	pthread_mutex_lock(&lock);
	drop_names(lun);
	take_names(lun);
	pthread_mutex_unlock(&lock);
}

void lun_name_remove(struct lun *lun)
{
	pthread_mutex_lock(&lock);
	drop_names(lun);
	if (!g_hash_table_size(named))
		g_clear_pointer(&named, g_hash_table_unref);
	pthread_mutex_unlock(&lock);
}

static bool is_called(const struct lun *lun, const uint8_t *designator)
{
	for (unsigned i = 0; i < LUN_NAMES; i++)
		if (same(lun->names.by[i].designator, designator))
			return true;
	return false;
}

/* Is it the same initiator?  The part of the names of both ports before ",i,0x". */
static bool same_initiator(const struct nexus *a, const struct nexus *b)
{
	const char *end = strstr(a->initiator_port, ",i,0x");
	size_t len = end ? (size_t)(end - a->initiator_port) : strlen(a->initiator_port);

	return !strncmp(a->initiator_port, b->initiator_port, len) && (b->initiator_port[len] == ',' || !b->initiator_port[len]);
}

/*
 * A copy reaches what its initiator reaches itself: logical units it sees here, and those it sees in another target
 * where it is logged in.
 */
static bool within_reach(const struct lun *lun, const struct nexus *n, bool *read_only)
{
	bool within = false;

	*read_only = true;
	pthread_mutex_lock(&lun->target->lock);
	for (guint i = 0; i < lun->target->nexuses->len; i++) {
		const struct nexus *other = lun->target->nexuses->pdata[i];

		if (lun->target == n->target ? other != n : !same_initiator(n, other))
			continue;
		if (other->view && lun_view_number(other->view, lun->number) < 0)
			continue;
		within = true;
		*read_only &= nexus_protects(other, lun);
	}
	pthread_mutex_unlock(&lun->target->lock);
	return within;
}

struct lun *lun_find_named(const struct nexus *n, struct lun *first, const uint8_t *designator, size_t room, struct reactor *r,
			   bool *read_only)
{
	struct lun *found = NULL;

	if (room < 4 || designator[3] > room - 4 || !designator[3])
		return NULL;
	pthread_mutex_lock(&lock);
	if (is_called(first, designator) && within_reach(first, n, read_only))
		found = first;
	for (const struct lun_name *name = g_hash_table_lookup(named, designator); name && !found; name = name->next)
		if (name->lun->target->engine == first->target->engine && within_reach(name->lun, n, read_only))
			found = name->lun;
	/* Within the lock: who takes it away has to take it out of here first, and then waits for holds. */
	if (found)
		lun_hold(found, r);
	pthread_mutex_unlock(&lock);
	return found;
}
