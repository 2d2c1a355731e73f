/* SPDX-License-Identifier: Apache-2.0 */
/* range.c - ranges of logical blocks held by commands: free of locks until one wants to be alone.  See range.h. */
#include "config.h"
#include "scsi/lun.h"

/* ---- lists ---- */

static void list_init(struct range_list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void list_add(struct range_list *l, struct range *r)
{
	r->next = NULL;
	r->link = l->last;
	*l->last = r;
	l->last = &r->next;
}

static void list_remove(struct range_list *l, struct range *r)
{
	*r->link = r->next;
	if (r->next)
		r->next->link = r->link;
	else
		l->last = r->link;
}

/* ---- who waits for whom; under the lock ---- */

static bool conflict(const struct range *a, const struct range *b)
{
	return (a->alone || b->alone) && a->lba < b->end && b->lba < a->end;
}

/* Before `until` (NULL: all of them) one conflicts with r. */
static bool any_conflict(const struct range_list *l, const struct range *r, const struct range *until)
{
	for (const struct range *o = l->first; o && o != until; o = o->next)
		if (conflict(o, r))
			return true;
	return false;
}

/* In the order they came, or an early one could wait for ever. */
static bool may_hold(const struct ranges *rs, const struct range *r)
{
	if (r->alone && rs->arming)
		return false;
	return !any_conflict(&rs->held, r, NULL) && !any_conflict(&rs->waiting, r, r);
}

static void granted(struct post *p)
{
	struct range *r = container_of(p, struct range, post);

	r->state = RANGE_SHARED;
	r->granted(r);
}

/* Something ended: who can go now, goes. */
static void grant(struct ranges *rs)
{
	for (struct range *r = rs->waiting.first, *next; r; r = next) {
		next = r->next;
		if (!may_hold(rs, r))
			continue;
		list_remove(&rs->waiting, r);
		list_add(&rs->held, r);
		r->called = true;
		r->post.run = granted;
		reactor_post(r->reactor, &r->post);
	}
}

/* ---- on and off ---- */

static void hand_over(struct post *p)
{
	struct lun_count *count = container_of(p, struct lun_count, arm);
	struct lun *lun = container_of(count - reactor_index(reactor_self()), struct lun, count);
	struct ranges *rs = &lun->ranges;
	struct range *r;

	pthread_mutex_lock(&rs->lock);
	while ((r = count->ranges)) {
		range_unlink_local(r);
		r->state = RANGE_SHARED;
		r->lun = lun;
		r->reactor = reactor_self();
		list_add(&rs->held, r);
	}
	if (--rs->arming == 0)
		grant(rs);
	pthread_mutex_unlock(&rs->lock);
}

static void turn_on(struct lun *lun)
{
	struct engine *e = lun->target->engine;

	lun->ranges.on = true;
	lun->ranges.arming = e->n_reactors;
	lun_set_state(lun, 0, LUN_RANGES);
	for (unsigned i = 0; i < e->n_reactors; i++) {
		lun->count[i].arm.run = hand_over;
		reactor_post(e->reactors[i], &lun->count[i].arm);
	}
}

/* Held ranges stay in the list; only nobody may be alone, or want to. */
static void turn_off(struct lun *lun, uint64_t now_ms)
{
	struct ranges *rs = &lun->ranges;

	if (rs->n_alone || rs->arming || now_ms < rs->last_ms + RANGE_LINGER_MS)
		return;
	rs->on = false;
	lun_set_state(lun, LUN_RANGES, 0);
}

/* ---- the interface ---- */

void ranges_init(struct ranges *rs)
{
	pthread_mutex_init(&rs->lock, NULL);
	list_init(&rs->held);
	list_init(&rs->waiting);
}

void ranges_clear(struct ranges *rs)
{
	g_assert(!rs->held.first && !rs->waiting.first && !rs->arming);
	pthread_mutex_destroy(&rs->lock);
}

/* Under the lock. */
static bool take_shared(struct ranges *rs, struct range *r)
{
	rs->n_alone += r->alone;
	if (may_hold(rs, r)) {
		r->state = RANGE_SHARED;
		list_add(&rs->held, r);
		return true;
	}
	r->state = RANGE_WAITING;
	r->called = false;
	list_add(&rs->waiting, r);
	return false;
}

bool range_take(struct range *r, struct lun *lun, struct reactor *reactor, uint64_t lba, uint64_t end, bool alone)
{
	struct ranges *rs = &lun->ranges;
	bool held;

	if (!alone && range_try(r, lun, reactor_index(reactor), lba, end))
		return true;
	pthread_mutex_lock(&rs->lock);
	if (alone && !rs->on)
		turn_on(lun);
	else if (!alone && rs->on)
		turn_off(lun, reactor_now_ms(reactor));
	*r = (struct range){ .lba = lba, .end = end, .alone = alone, .lun = lun, .reactor = reactor,
			     .granted = r->granted };
	/* Even if it is off by now: a range here is seen when it is on again. */
	held = take_shared(rs, r);
	pthread_mutex_unlock(&rs->lock);
	return held;
}

void range_give_shared(struct range *r)
{
	struct ranges *rs = &r->lun->ranges;

	pthread_mutex_lock(&rs->lock);
	list_remove(&rs->held, r);
	r->state = RANGE_NONE;
	if (r->alone) {
		rs->n_alone--;
		rs->last_ms = reactor_now_ms(r->reactor);
	}
	if (rs->waiting.first)
		grant(rs);
	pthread_mutex_unlock(&rs->lock);
}

bool range_leave(struct range *r)
{
	struct ranges *rs;
	bool left;

	if (r->state != RANGE_WAITING)
		return false;
	rs = &r->lun->ranges;
	pthread_mutex_lock(&rs->lock);
	left = !r->called;
	if (left) {
		list_remove(&rs->waiting, r);
		r->state = RANGE_NONE;
		rs->n_alone -= r->alone;
		grant(rs);
	}
	pthread_mutex_unlock(&rs->lock);
	return left;
}
