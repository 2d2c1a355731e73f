/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tmf.c - task management.  The answer goes out when the last of the commands concerned has let
 * go of its data, wherever it was (RFC 7143 4.2.3.2 for one session, on each reactor for a LUN).
 */
#include "config.h"
#include <pthread.h>
#include "iscsi/cmd.h"
#include "iscsi/nop.h"
#include "iscsi/tmf.h"
#include "scsi/view.h"

/* 11.6.1 */
enum { COMPLETE = 0, NO_TASK = 1, NO_LUN = 2, NO_REASSIGN = 4, NOT_SUPPORTED = 5, NOT_AUTHORIZED = 6, REJECTED = 255 };

/* A request whose answer waits. */
struct tmf {
	struct tmf *next;	/* of session->fenced */
	struct abort_job job;
	struct task_purge purge;
	struct node *node;
	struct session *session;
	uint16_t tsih;
	uint32_t allegiance;	/* of the connection that is answered */
	struct reactor *reactor;
	uint32_t itt;
	struct node_target *target;
	struct lun *lun;	/* held; NULL: all of the target */
	bool cold;
	bool many;		/* acts on more than one task */
};

static void answer(struct conn *c, uint32_t itt, uint8_t response)
{
	uint8_t bhs[BHS_LEN] = { OP_TMF_RESPONSE, FINAL_BIT, response };

	put32(bhs + 16, itt);
	conn_stamp(c, bhs, true);
	tx_pdu(c, bhs, NULL, 0, NULL);
}

/* The session may have gone while a reset went around the reactors. */
static bool has_session(const struct tmf *t)
{
	bool found;

	pthread_mutex_lock(&t->node->lock);
	found = g_list_find(t->node->sessions, t->session) && t->session->tsih == t->tsih;
	pthread_mutex_unlock(&t->node->lock);
	return found;
}

static struct conn *still_there(const struct tmf *t)
{
	return has_session(t) ? session_conn(t->session, t->allegiance) : NULL;
}

static void tmf_free(struct tmf *t)
{
	if (has_session(t))
		t->session->n_tmfs--;
	g_free(t);
}

static struct tmf *tmf_new(struct conn *c, uint32_t itt)
{
	struct tmf *t = g_new0(struct tmf, 1);

	t->node = c->node;
	t->session = c->session;
	t->tsih = c->session->tsih;
	t->allegiance = c->allegiance;
	t->reactor = c->reactor;
	c->session->n_tmfs++;
	t->itt = itt;
	return t;
}

/* ---- the response fence, RFC 7143 4.2.2.3.2 ---- */

/* What the other connections have been sent and not acknowledged: they are asked to. */
static bool fence(struct conn *c)
{
	bool up = false;

	for (struct conn *o = c->session->conns; o; o = o->mate) {
		if (o == c || !sn_lt(o->acked, o->stat_sn))
			continue;
		o->fence_sn = o->stat_sn;
		o->fenced = up = true;
		nop_ask(o);
	}
	return up;
}

void tmf_acked(struct session *s)
{
	for (struct conn *c = s->conns; c; c = c->mate) {
		if (c->fenced && sn_lt(c->acked, c->fence_sn))
			return;
		c->fenced = false;
	}
	while (s->fenced) {
		struct tmf *t = s->fenced;
		struct conn *c = session_conn(s, t->allegiance);

		s->fenced = t->next;
		if (c)
			answer(c, t->itt, COMPLETE);
		s->n_tmfs--;
		g_free(t);
	}
}

/* Done: answer, after what the initiator must have seen before on other connections. */
static void complete(struct tmf *t)
{
	struct conn *c = still_there(t);

	if (c && t->many && c->session->n_conns > 1 && fence(c)) {
		t->next = t->session->fenced;
		t->session->fenced = t;
		return;
	}
	if (c)
		answer(c, t->itt, COMPLETE);
	tmf_free(t);
}

static void aborted(struct abort_job *job)
{
	complete(container_of(job, struct tmf, job));
}

static void abort_some(struct conn *c, uint32_t itt, struct lun *lun, uint32_t ref)
{
	struct tmf *t = tmf_new(c, itt);

	t->many = ref == TAG_NONE;
	t->job = (struct abort_job){ .lun = lun, .itt = ref, .gone = aborted };
	session_abort(c->session, &t->job);
}

/* ---- all sessions of a target, on all reactors ---- */

struct purge_here {
	struct post post;
	struct node_target *target;
	struct reactor *reactor;
	struct task_purge *whole;
	gint waiting;			/* sessions here; [reactor] */
};

struct purge_job {
	struct abort_job job;
	struct purge_here *here;
};

static void here_done(struct purge_here *h)
{
	if (--h->waiting)
		return;
	if (g_atomic_int_dec_and_test(&h->whole->waiting))
		reactor_post(h->whole->home, &h->whole->post);
	g_free(h);
}

static void session_done(struct abort_job *job)
{
	struct purge_job *j = container_of(job, struct purge_job, job);

	here_done(j->here);
	g_free(j);
}

/* Sessions of the target on this reactor: they stay until it returns to its loop. */
static GSList *sessions_here(const struct purge_here *h)
{
	struct node *n = h->target->node;
	GSList *mine = NULL;

	pthread_mutex_lock(&n->lock);
	for (GList *l = h->target->sessions; l; l = l->next)
		if (((struct session *)l->data)->reactor == h->reactor)
			mine = g_slist_prepend(mine, l->data);
	pthread_mutex_unlock(&n->lock);
	return mine;
}

static void purge_run(struct post *post)
{
	struct purge_here *h = container_of(post, struct purge_here, post);
	const struct task_purge *p = h->whole;
	g_autoptr(GSList) mine = sessions_here(h);

	h->waiting = 1;
	for (GSList *l = mine; l; l = l->next) {
		struct session *s = l->data;
		struct purge_job *j;

		if (p->match && !p->match(s->nexus, p->arg))
			continue;
		j = g_new0(struct purge_job, 1);
		j->here = h;
		j->job = (struct abort_job){ .lun = p->lun, .itt = TAG_NONE, .except = p->except,
					     .by_other = p->by && p->by != s->nexus, .gone = session_done };
		h->waiting++;
		session_abort(s, &j->job);
	}
	here_done(h);
}

void tmf_purge(void *arg, struct task_purge *p)
{
	struct node_target *t = arg;
	struct engine *e = t->node->engine;

	p->waiting = (gint)e->n_reactors;
	for (unsigned i = 0; i < e->n_reactors; i++) {
		struct purge_here *h = g_new0(struct purge_here, 1);

		*h = (struct purge_here){ .post.run = purge_run, .target = t, .reactor = e->reactors[i], .whole = p };
		reactor_post(e->reactors[i], &h->post);
	}
}

static void lun_reset_done(struct task_purge *p)
{
	struct tmf *t = container_of(p, struct tmf, purge);

	lun_reset(t->lun);
	lun_release(t->lun, t->reactor);
	complete(t);
}

/* 11.5.1: after a cold reset every session of the target ends; ours when it has its answer. */
static void end_sessions(const struct tmf *t)
{
	struct conn *own = still_there(t);

	pthread_mutex_lock(&t->node->lock);
	for (GList *l = t->target->sessions; l; l = l->next) {
		struct session *s = l->data;

		if (!own || s != t->session)
			session_kill(t->node, s, s->tsih, s->reactor);
	}
	pthread_mutex_unlock(&t->node->lock);
	if (own)
		conn_finish(own);
}

static void target_reset_done(struct task_purge *p)
{
	struct tmf *t = container_of(p, struct tmf, purge);
	struct node_target *target = t->target;
	struct conn *c = still_there(t);

	target_reset(target->scsi);
	if (t->cold) {		/* all connections are about to end: nothing to wait for */
		if (c)
			answer(c, t->itt, COMPLETE);
		end_sessions(t);
		tmf_free(t);
	} else {
		complete(t);
	}
	node_target_unref(target->node, target);
}

/* ---- the request ---- */

static struct tmf *purge_new(struct conn *c, uint32_t itt, struct lun *lun, void (*done)(struct task_purge *p))
{
	struct tmf *t = tmf_new(c, itt);

	t->many = true;
	t->lun = lun;
	t->purge.lun = lun;
	t->purge.done = done;
	if (lun)
		lun_hold(lun, t->reactor);
	return t;
}

static void abort_task(struct conn *c, const struct pdu *p, uint32_t itt, struct lun *lun)
{
	uint32_t ref = get32(p->bhs + 20);
	struct cmd *cmd = cmd_find(c->session, ref);

	/* 11.6.1: a task whose command was sent before and has not come yet will not run either. */
	if (!cmd)
		answer(c, itt, sn_lt(get32(p->bhs + 32), get32(p->bhs + 24)) &&
		       session_skip(c->session, get32(p->bhs + 32), ref) ? COMPLETE : NO_TASK);
	else if (memcmp(cmd->task.lun_addr, p->bhs + 8, 8))
		answer(c, itt, REJECTED);
	else
		abort_some(c, itt, NULL, ref);
}

static void abort_task_set(struct conn *c, const struct pdu *p, uint32_t itt, struct lun *lun)
{
	abort_some(c, itt, lun, TAG_NONE);
}

static void reset_lun(struct conn *c, const struct pdu *p, uint32_t itt, struct lun *lun)
{
	target_purge(c->session->target->scsi, &purge_new(c, itt, lun, lun_reset_done)->purge);
}

static void reset_target(struct conn *c, uint32_t itt, bool cold)
{
	struct tmf *t;

	/* 11.5.1: who sees a part of the target, or may only read it, does not reset all of it. */
	if (nexus_view(c->session->nexus)) {
		answer(c, itt, NOT_AUTHORIZED);
		return;
	}
	t = purge_new(c, itt, NULL, target_reset_done);
	t->cold = cold;
	t->target = node_target_ref(c->session->target);
	target_purge(t->target->scsi, &t->purge);
}

static void warm_reset(struct conn *c, const struct pdu *p, uint32_t itt, struct lun *lun)
{
	reset_target(c, itt, false);
}

static void cold_reset(struct conn *c, const struct pdu *p, uint32_t itt, struct lun *lun)
{
	reset_target(c, itt, true);
}

/* ErrorRecoveryLevel 0 */
static void no_reassign(struct conn *c, const struct pdu *p, uint32_t itt, struct lun *lun)
{
	answer(c, itt, NO_REASSIGN);
}

/* 11.5.1.  CLEAR ACA (3) is missing as NACA is refused: NORMACA is 0. */
static const struct function {
	bool needs_lun, many;
	uint16_t reported;	/* enum task_function; 0: iSCSI's own */
	void (*run)(struct conn *c, const struct pdu *p, uint32_t itt, struct lun *lun);
} functions[] = {
	[1] = { false, false, FUNCTION_ABORT_TASK, abort_task },
	[2] = { true, true, FUNCTION_ABORT_TASK_SET, abort_task_set },
	[4] = { true, true, FUNCTION_CLEAR_TASK_SET, abort_task_set },	/* each I_T nexus has a task set of its own: TST 001b */
	[5] = { true, true, FUNCTION_LU_RESET, reset_lun },
	[6] = { false, true, FUNCTION_TARGET_RESET, warm_reset },
	[7] = { false, true, FUNCTION_TARGET_RESET, cold_reset },
	[8] = { false, false, 0, no_reassign },
};

unsigned tmf_functions(void)
{
	unsigned all = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(functions); i++)
		all |= functions[i].reported;
	return all;
}

bool tmf_acts_on_many(const struct pdu *p)
{
	uint8_t function = p->bhs[1] & 0x7f;

	return function < G_N_ELEMENTS(functions) && functions[function].many;
}

struct verdict tmf_on_pdu(struct conn *c, const struct pdu *p)
{
	uint8_t function = p->bhs[1] & 0x7f;
	const struct function *f = function < G_N_ELEMENTS(functions) ? &functions[function] : &functions[0];
	uint32_t itt = get32(p->bhs + 16);
	struct lun *lun = nexus_find_lun(c->session->nexus, p->bhs + 8);

	if (itt == TAG_NONE)
		return VERDICT_REJECT(REJECT_INVALID_FIELD, "reserved initiator task tag");
	if (!f->run)
		answer(c, itt, NOT_SUPPORTED);
	else if (c->session->n_tmfs >= c->session->depth)	/* no window limits immediate ones */
		answer(c, itt, REJECTED);
	else if (f->needs_lun && !lun)
		answer(c, itt, NO_LUN);
	else
		f->run(c, p, itt, lun);
	return VERDICT_OK;
}
