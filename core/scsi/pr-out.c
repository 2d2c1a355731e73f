/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pr-out.c - PERSISTENT RESERVE OUT (SPC-5 6.17).  One change of a logical unit at a time, in the order of arrival: a
 * copy of the state is changed, with APTPL made durable by a worker, then published; then it is answered.  A change
 * that was begun is brought to its end also when its task was aborted: the file and what is published agree.
 */
#include "config.h"
#include "engine/log.h"
#include "scsi/pr-op.h"
#include "scsi/wire.h"

#define LOG_DOMAIN LOGD_SCSI

enum { LIST_MAX = 65536 };

static void start(struct post *p);

/* ---- the end ---- */

static void end_good(struct task *t, const struct pr_verdict *v)
{
	task_done(t);
}

static void end_conflict(struct task *t, const struct pr_verdict *v)
{
	task_status(t, STATUS_RESERVATION_CONFLICT);
}

static void end_cdb(struct task *t, const struct pr_verdict *v)
{
	task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, v->byte, v->bit);
}

static void end_list(struct task *t, const struct pr_verdict *v)
{
	task_fail_param(t, v->byte, v->bit);
}

static void end_length(struct task *t, const struct pr_verdict *v)
{
	task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
}

static void end_release(struct task *t, const struct pr_verdict *v)
{
	task_fail(t, SENSE_INVALID_RELEASE);
}

static void end_room(struct task *t, const struct pr_verdict *v)
{
	task_fail(t, SENSE_NO_REGISTRATION_RESOURCES);
}

static void end_not_kept(struct task *t, const struct pr_verdict *v)
{
	task_fail(t, SENSE_INTERNAL_FAILURE);
}

static void (*const ends[PR_END_COUNT])(struct task *t, const struct pr_verdict *v) = {
	[PR_GOOD] = end_good, [PR_CONFLICT] = end_conflict, [PR_BAD_CDB] = end_cdb, [PR_BAD_LIST] = end_list,
	[PR_BAD_LENGTH] = end_length, [PR_BAD_RELEASE] = end_release, [PR_NO_ROOM] = end_room,
	[PR_NOT_KEPT] = end_not_kept,
};

static void op_end(struct pr_op *op)
{
	struct task *t = op->task;
	struct pr_verdict v = op->verdict;

	pr_state_free(op->next);
	if (op->removed)
		g_array_unref(op->removed);
	g_free(op);
	if (task_back(t))
		ends[v.end](t, &v);
}

/* The next change may begin, on the reactor of its task. */
static void leave(struct pr *pr)
{
	struct pr_op *op;

	pthread_mutex_lock(&pr->lock);
	op = g_queue_pop_head(&pr->waiting);
	pr->busy = op != NULL;
	pthread_mutex_unlock(&pr->lock);
	if (op)
		reactor_post(op->task->reactor, &op->post);
}

/* ---- PREEMPT AND ABORT ---- */

static bool is_preempted(const struct nexus *n, void *arg)
{
	const struct pr_op *op = arg;

	for (guint i = 0; i < op->removed->len; i++) {
		const struct pr_reg *r = &g_array_index(op->removed, struct pr_reg, i);

		if (r->rel_port == n->rel_port && !g_ascii_strcasecmp(r->port, n->initiator_port))
			return true;
	}
	return false;
}

static void purged(struct task_purge *p)
{
	op_end(container_of(p, struct pr_op, purge));
}

static void purge(struct pr_op *op)
{
	struct task *t = op->task;

	op->purge = (struct task_purge){ .lun = t->lun, .match = is_preempted, .arg = op, .except = t, .by = t->nexus,
					 .done = purged };
	target_purge(t->lun->target, &op->purge);
}

/* ---- from beginning to end ---- */

static void publish(struct pr_op *op)
{
	struct lun *lun = op->task->lun;

	if (op->saved < 0) {
		log_error_of(lun_fields(lun), "target %s lun %u: persistent reservations cannot be kept in %s: %s",
			     target_name(lun->target), lun->number, target_state_dir(lun->target), g_strerror(-op->saved));
		op->verdict.end = PR_NOT_KEPT;
	} else {
		pr_publish(lun, op->next, op->removed);
		op->next = NULL;
	}
	leave(lun->pr);	/* first: tasks that are purged may wait to follow this one */
	if (op->saved == 0 && op->removed && op->removed->len)
		purge(op);
	else
		op_end(op);
}

static void saved(struct post *p)
{
	publish(container_of(p, struct pr_op, post));
}

static bool anything_to_keep(const struct pr_state *s)
{
	if (!s->aptpl)
		return false;
	for (guint i = 0; i < s->regs->len; i++)
		if (!pr_nth(s, i)->gone)
			return true;
	return false;
}

static void save(struct work *w)
{
	struct pr_op *op = container_of(w, struct pr_op, work);
	struct lun *lun = op->task->lun;
	bool keep = anything_to_keep(op->next);

	op->saved = keep ? pr_save(lun, op->next) : pr_forget(lun);
	/* What failed may have been done all the same: then the next change writes it again. */
	lun->pr->stored = keep || op->saved < 0;
	op->post.run = saved;
	reactor_post(op->task->reactor, &op->post);
}

/* The state is this change's until leave(). */
static void begin(struct pr_op *op)
{
	struct pr *pr = op->task->lun->pr;
	bool reserved;

	pthread_mutex_lock(&pr->lock);
	reserved = pr->reserved_by != NULL;
	op->next = pr_state_copy(pr->state);
	pthread_mutex_unlock(&pr->lock);
	/* RESERVE and PERSISTENT RESERVE do not go together (SPC-2 5.5.1). */
	if (reserved)
		op->verdict = (struct pr_verdict){ .end = PR_CONFLICT };
	else
		op->verdict = pr_act(op);
	if (op->task->aborted || op->verdict.end != PR_GOOD) {
		leave(pr);
		op_end(op);
	} else if (pr->stored || anything_to_keep(op->next)) {
		op->work.run = save;
		workers_push(op->task->lun->target->engine->workers, &op->work, NULL);
	} else {
		publish(op);
	}
}

static void start(struct post *p)
{
	begin(container_of(p, struct pr_op, post));
}

void pr_out_run(struct task *t)
{
	struct pr *pr = t->lun->pr;
	struct pr_op *op;
	bool wait;

	if (t->out_len < t->xfer_len) {	/* a part of the list is no list */
		task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
		return;
	}
	op = g_new0(struct pr_op, 1);
	op->task = t;
	op->post.run = start;
	t->in_query = true;
	pthread_mutex_lock(&pr->lock);
	wait = pr->busy;
	pr->busy = true;
	if (wait)
		g_queue_push_tail(&pr->waiting, op);
	pthread_mutex_unlock(&pr->lock);
	if (!wait)
		begin(op);
}

/* SPC-5 6.17.1: 24 bytes, but for TransportIDs behind. */
bool pr_out_check(struct task *t)
{
	bool longer = t->op->sa == SA_PR_REGISTER || t->op->sa == SA_PR_REGISTER_AND_IGNORE ||
		      t->op->sa == SA_PR_REGISTER_AND_MOVE;

	if (t->xfer_len == PR_LIST_LEN || (longer && t->xfer_len > PR_LIST_LEN && t->xfer_len <= LIST_MAX))
		return true;
	task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
	return false;
}
