/* SPDX-License-Identifier: Apache-2.0 */
/* names.c - logical units by what they call themselves, over all targets: whom a third-party copy is about. */
#include "config.h"
#include <pthread.h>
#include <string.h>
#include "scsi/copy.h"
#include "scsi/lun.h"
#include "scsi/vpd.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct lun *named;	/* under lock, as are the names */

static void take_names(struct lun *lun)
{
	G_STATIC_ASSERT(sizeof lun->names >= VPD_LUN_DESIGNATORS_MAX);

	memset(lun->names, 0, sizeof lun->names);
	lun->names_len = (uint16_t)vpd_lun_designators(lun, lun->names);
}

void lun_name_add(struct lun *lun)
{
	pthread_mutex_lock(&lock);
	take_names(lun);
	lun->next_named = named;
	named = lun;
	pthread_mutex_unlock(&lock);
}

void lun_name_change(struct lun *lun)
{
	pthread_mutex_lock(&lock);
	take_names(lun);
	pthread_mutex_unlock(&lock);
}

void lun_name_remove(struct lun *lun)
{
	pthread_mutex_lock(&lock);
	for (struct lun **l = &named; *l; l = &(*l)->next_named)
		if (*l == lun) {
			*l = lun->next_named;
			break;
		}
	pthread_mutex_unlock(&lock);
}

/* CODE SET, ASSOCIATION, DESIGNATOR TYPE, DESIGNATOR LENGTH and DESIGNATOR; who the protocol is does not matter. */
static bool same(const uint8_t *a, const uint8_t *b)
{
	return (a[0] & 0x0f) == (b[0] & 0x0f) && (a[1] & 0x3f) == (b[1] & 0x3f) && a[3] == b[3] &&
	       memcmp(a + 4, b + 4, a[3]) == 0;
}

static bool is_called(const struct lun *lun, const uint8_t *designator)
{
	for (size_t at = 0; at < lun->names_len; at += 4 + (size_t)lun->names[at + 3])
		if (same(lun->names + at, designator))
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
	for (struct lun *l = named; l && !found; l = l->next_named)
		if (l->target->engine == first->target->engine && is_called(l, designator) && within_reach(l, n, read_only))
			found = l;
	/* Within the lock: who takes it away has to take it out of here first, and then waits for holds. */
	if (found)
		lun_hold(found, r);
	pthread_mutex_unlock(&lock);
	return found;
}
