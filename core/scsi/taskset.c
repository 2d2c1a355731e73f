/* SPDX-License-Identifier: Apache-2.0 */
/* taskset.c - task attributes.  While all tasks are SIMPLE, this is a counter. */
#include "config.h"
#include "scsi/lun.h"
#include "scsi/task.h"

static void note_special(struct task_set *s)
{
	s->special = s->head || s->ordered || s->urgent;
}

static void enable(struct task_set *s, struct task *t)
{
	t->place.state = PLACE_ENABLED;
	s->active++;
	s->ordered += t->attr == TASK_ORDERED;
	s->urgent += t->attr == TASK_HEAD_OF_QUEUE;
}

/* SAM-5 8.6.2 to 8.6.4: what is older than t has been looked at already. */
static bool may_run(const struct task_set *s, const struct task *t)
{
	switch (t->attr) {
	case TASK_HEAD_OF_QUEUE:
		return true;
	case TASK_ORDERED:
		return !s->active;
	default:
		return !s->ordered && !s->urgent;
	}
}

static void join_special(struct task_set *s, struct task *t)
{
	if (t->attr == TASK_HEAD_OF_QUEUE || (!s->head && may_run(s, t))) {
		enable(s, t);
	} else {
		t->place.state = PLACE_DORMANT;
		t->place.next = NULL;
		if (s->head)
			s->tail->place.next = t;
		else
			s->head = t;
		s->tail = t;
	}
	note_special(s);
}

void task_set_join(struct task *t)
{
	struct task_set *s;

	t->place.ready = false;
	if (!t->nl)
		return;
	s = &t->nl->set;
	if (G_LIKELY(t->attr == TASK_SIMPLE && !s->special)) {
		t->place.state = PLACE_ENABLED;
		s->active++;
	} else {
		join_special(s, t);
	}
}

bool task_set_ready(struct task *t)
{
	t->place.ready = true;
	return t->place.state != PLACE_DORMANT;
}

static void unlink_dormant(struct task_set *s, const struct task *t)
{
	struct task **at = &s->head, *before = NULL;

	while (*at != t) {
		before = *at;
		at = &before->place.next;
	}
	*at = t->place.next;
	if (s->tail == t)
		s->tail = before;
}

bool task_set_leave(struct task *t)
{
	struct task_set *s;

	if (t->place.state == PLACE_NONE)
		return false;
	s = &t->nl->set;
	if (t->place.state == PLACE_DORMANT) {
		unlink_dormant(s, t);
	} else {
		s->active--;
		s->ordered -= t->attr == TASK_ORDERED;
		s->urgent -= t->attr == TASK_HEAD_OF_QUEUE;
	}
	t->place.state = PLACE_NONE;
	if (G_LIKELY(!s->special))
		return false;
	note_special(s);
	return s->head != NULL;
}

/* Running a task may end it, which comes here again: the loop below goes on then, and the stack stays flat. */
void task_set_wake(struct task_set *s)
{
	if (s->waking)
		return;
	s->waking = true;
	while (s->head && may_run(s, s->head)) {
		struct task *t = s->head;

		s->head = t->place.next;
		enable(s, t);
		note_special(s);
		if (t->place.ready)
			task_run(t);
	}
	s->waking = false;
}
