/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - commands at a device that does not answer.  See watch.h. */
#include "config.h"
#include <pthread.h>
#include "engine/log.h"
#include "scsi/lun.h"
#include "scsi/watch.h"

#define LOG_DOMAIN LOGD_SCSI

static struct lun_count *count_of(const struct task *t)
{
	return &t->lun->count[reactor_index(t->reactor)];
}

uint64_t watch_ms(const struct lun *lun, unsigned times)
{
	return atomic_load_explicit(&((struct lun *)lun)->io_timeout_s, memory_order_relaxed) * UINT64_C(1000) * times;
}

static void look(struct timer *timer);

static void be_back_by(struct reactor *r, struct timer *timer, uint64_t due_ms)
{
	uint64_t now_ms = reactor_now_ms(r);

	if (timer->slot && timer->due_ms <= due_ms)
		return;
	timer->expired = look;
	reactor_timer_set(r, timer, due_ms > now_ms ? due_ms - now_ms : 0);
}

/* ---- the list ---- */

void watch_begin(struct task *t, struct lun *lun, unsigned times)
{
	struct lun_count *c = count_of(t);
	uint64_t ms = watch_ms(t->lun, times);

	if (!ms)
		return;
	t->watched = true;
	t->watch.lun = lun;
	t->watch.due_ms = reactor_now_ms(t->reactor) + ms;
	t->watch.next = NULL;
	t->watch.prev = c->last_watched;
	if (c->last_watched)
		c->last_watched->watch.next = t;
	else
		c->watched = t;
	c->last_watched = t;
	be_back_by(t->reactor, &c->watch, t->watch.due_ms);
}

void watch_end(struct task *t)
{
	struct lun_count *c = count_of(t);

	if (t->watch.prev)
		t->watch.prev->watch.next = t->watch.next;
	else
		c->watched = t->watch.next;
	if (t->watch.next)
		t->watch.next->watch.prev = t->watch.prev;
	else
		c->last_watched = t->watch.prev;
	t->watched = false;
}

void watch_hurry(struct task *t)
{
	uint64_t due_ms = reactor_now_ms(t->reactor) + MIN(watch_ms(t->lun, 1), WATCH_ABORT_MS);

	t->watch.due_ms = MIN(t->watch.due_ms, due_ms);
	be_back_by(t->reactor, &count_of(t)->watch, t->watch.due_ms);
}

/* ---- giving up, and getting back ---- */

void watch_stuck(struct lun *lun, struct reactor *r)
{
	bool first;

	pthread_mutex_lock(&lun->lock);
	first = !lun->n_stuck++;
	if (first) {
		lun->stuck_ms = reactor_now_ms(r);
		lun_set_state(lun, 0, LUN_STUCK);
		log_error("target %s lun %u: its device does not answer: commands are refused until it does",
			  target_name(lun->target), lun->number);
	}
	pthread_cond_signal(&lun->drained);
	pthread_mutex_unlock(&lun->lock);
	device_stuck(lun->dev);
}

void watch_answers(struct lun *lun, struct reactor *r)
{
	pthread_mutex_lock(&lun->lock);
	if (!--lun->n_stuck) {
		lun_set_state(lun, LUN_STUCK, 0);
		log_warning("target %s lun %u: its device answers again, after %" G_GUINT64_FORMAT " ms",
			    target_name(lun->target), lun->number, reactor_now_ms(r) - lun->stuck_ms);
	}
	pthread_mutex_unlock(&lun->lock);
}

void watch_came_back(struct task *t)
{
	watch_answers(t->watch.lun, t->reactor);
}

/* What waits for others is no device's, and ends. */
static bool waits(struct task *t)
{
	if (!t->in_query || !t->leave || !t->leave(t))
		return false;
	t->in_query = false;
	t->leave = NULL;
	if (t->aborted)
		task_finish(t);
	else
		task_fail(t, SENSE_COMMAND_TIMEOUT);
	return true;
}

static void give_up(struct task *t)
{
	struct task_set *set = t->nl ? &t->nl->set : NULL;
	bool aborted = t->aborted, wake;

	watch_end(t);
	if (waits(t))
		return;
	watch_stuck(t->watch.lun, t->reactor);
	wake = task_set_leave(t);
	t->nl = NULL;
	if (t->parting)
		t->parting(t);
	t->given_up = t->aborted = true;
	if (!aborted) {
		t->status = STATUS_CHECK_CONDITION;
		task_set_sense(t, SENSE_COMMAND_TIMEOUT);
	}
	t->ops->given_up(t);
	t->nexus = NULL;
	if (t->in_device && !aborted)
		device_cancel(t->lun->dev, &t->dio);
	if (wake)
		task_set_wake(set);
}

/* Whose time is up; NULL: nobody's.  *next_ms: when somebody's is, 0: never. */
static struct task *overdue(const struct lun_count *c, uint64_t now_ms, uint64_t *next_ms)
{
	*next_ms = 0;
	for (struct task *t = c->watched; t; t = t->watch.next) {
		if (t->watch.due_ms <= now_ms)
			return t;
		if (!*next_ms || t->watch.due_ms < *next_ms)
			*next_ms = t->watch.due_ms;
	}
	return NULL;
}

static void look(struct timer *timer)
{
	struct lun_count *c = container_of(timer, struct lun_count, watch);
	struct reactor *r = reactor_self();
	uint64_t next_ms;
	struct task *t;

	/* Giving up one may run or end others. */
	while ((t = overdue(c, reactor_now_ms(r), &next_ms)))
		give_up(t);
	if (next_ms)
		be_back_by(r, timer, next_ms);
}
