/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tmf.c - task management.  The answer goes out when the last of the commands concerned has let
 * go of its data, wherever it was (RFC 7143 4.2.3.2 for one session, on each reactor for a LUN).
 */
#include "config.h"
#include <pthread.h>
#include "iscsi/cmd.h"
#include "iscsi/tmf.h"

/* 11.5.1 and 11.6.1 */
enum { ABORT_TASK = 1, ABORT_TASK_SET = 2, LOGICAL_UNIT_RESET = 5, TASK_REASSIGN = 8 };
enum { COMPLETE = 0, NO_TASK = 1, NO_LUN = 2, NO_REASSIGN = 4, NOT_SUPPORTED = 5, REJECTED = 255 };

const unsigned tmf_functions = FUNCTION_ABORT_TASK | FUNCTION_ABORT_TASK_SET | FUNCTION_LU_RESET;

/* A request whose answer waits. */
struct tmf {
	struct abort_job job;
	struct lun_abort reset;
	struct node *node;
	struct session *session;
	uint16_t tsih;
	struct reactor *reactor;
	uint32_t itt;
	struct lun *lun;
};

static void answer(struct conn *c, uint32_t itt, uint8_t response)
{
	uint8_t bhs[BHS_LEN] = { OP_TMF_RESPONSE, FINAL_BIT, response };

	put32(bhs + 16, itt);
	conn_stamp(c, bhs, true);
	tx_pdu(c, bhs, NULL, 0, NULL);
}

/* The session may have gone while a reset went around the reactors. */
static struct conn *still_there(const struct tmf *t)
{
	struct conn *c = NULL;

	pthread_mutex_lock(&t->node->lock);
	if (g_list_find(t->node->sessions, t->session) && t->session->tsih == t->tsih)
		c = t->session->conn;
	pthread_mutex_unlock(&t->node->lock);
	return c;
}

static struct tmf *tmf_new(struct conn *c, uint32_t itt)
{
	struct tmf *t = g_new0(struct tmf, 1);

	t->node = c->node;
	t->session = c->session;
	t->tsih = c->session->tsih;
	t->reactor = c->reactor;
	t->itt = itt;
	return t;
}

static void aborted(struct abort_job *job)
{
	struct tmf *t = container_of(job, struct tmf, job);

	if (t->session->conn)
		answer(t->session->conn, t->itt, COMPLETE);
	g_free(t);
}

static void abort_some(struct conn *c, uint32_t itt, struct lun *lun, uint32_t ref)
{
	struct tmf *t = tmf_new(c, itt);

	t->job = (struct abort_job){ .lun = lun, .itt = ref, .gone = aborted };
	session_abort(c->session, &t->job);
}

/* ---- all sessions of a target, on all reactors ---- */

struct lun_abort_here {
	struct post post;
	struct node_target *target;
	struct reactor *reactor;
	struct lun *lun;
	struct lun_abort *whole;
	gint waiting;			/* sessions here; [reactor] */
};

struct lun_abort_job {
	struct abort_job job;
	struct lun_abort_here *here;
};

static void whole_done(struct post *p)
{
	struct lun_abort *a = container_of(p, struct lun_abort, post);

	a->done(a);
}

static void here_done(struct lun_abort_here *h)
{
	if (--h->waiting)
		return;
	if (g_atomic_int_dec_and_test(&h->whole->waiting))
		reactor_post(h->whole->home, &h->whole->post);
	g_free(h);
}

static void session_done(struct abort_job *job)
{
	struct lun_abort_job *j = container_of(job, struct lun_abort_job, job);

	here_done(j->here);
	g_free(j);
}

static void abort_here(struct post *p)
{
	struct lun_abort_here *h = container_of(p, struct lun_abort_here, post);
	struct node *n = h->target->node;
	GSList *mine = NULL;

	pthread_mutex_lock(&n->lock);
	for (GList *l = h->target->sessions; l; l = l->next)
		if (((struct session *)l->data)->reactor == h->reactor)
			mine = g_slist_prepend(mine, l->data);
	pthread_mutex_unlock(&n->lock);
	h->waiting = 1;
	for (GSList *l = mine; l; l = l->next) {
		struct lun_abort_job *j = g_new0(struct lun_abort_job, 1);

		j->here = h;
		j->job = (struct abort_job){ .lun = h->lun, .itt = TAG_NONE, .gone = session_done };
		h->waiting++;
		session_abort(l->data, &j->job);
	}
	g_slist_free(mine);
	here_done(h);
}

void tmf_abort_lun(struct node_target *t, struct lun *lun, struct lun_abort *a)
{
	struct engine *e = t->node->engine;

	a->home = reactor_self();
	a->post.run = whole_done;
	a->waiting = (gint)e->n_reactors;
	for (unsigned i = 0; i < e->n_reactors; i++) {
		struct lun_abort_here *h = g_new0(struct lun_abort_here, 1);

		*h = (struct lun_abort_here){ .post.run = abort_here, .target = t, .reactor = e->reactors[i], .lun = lun,
					      .whole = a };
		reactor_post(e->reactors[i], &h->post);
	}
}

static void lun_reset_done(struct lun_abort *a)
{
	struct tmf *t = container_of(a, struct tmf, reset);
	struct conn *c = still_there(t);

	if (c) {
		lun_reset(t->lun, c->session->nexus);
		answer(c, t->itt, COMPLETE);
	} else {
		lun_reset(t->lun, NULL);
	}
	lun_release(t->lun, t->reactor);
	g_free(t);
}

/* ---- the request ---- */

static void abort_task(struct conn *c, const struct pdu *p, uint32_t itt)
{
	uint32_t ref = get32(p->bhs + 20);
	struct cmd *cmd = cmd_find(c->session, ref);

	if (!cmd || cmd->state == CMD_ANSWERED)
		answer(c, itt, NO_TASK);
	else if (memcmp(cmd->task.lun_addr, p->bhs + 8, 8))
		answer(c, itt, REJECTED);
	else
		abort_some(c, itt, NULL, ref);
}

static void reset_lun(struct conn *c, uint32_t itt, struct lun *lun)
{
	struct tmf *t = tmf_new(c, itt);

	t->lun = lun;
	lun_hold(lun, t->reactor);
	t->reset.done = lun_reset_done;
	tmf_abort_lun(c->session->target, lun, &t->reset);
}

struct verdict tmf_on_pdu(struct conn *c, const struct pdu *p)
{
	uint8_t function = p->bhs[1] & 0x7f;
	uint32_t itt = get32(p->bhs + 16);
	struct lun *lun = nexus_find_lun(c->session->nexus, p->bhs + 8);

	if (itt == TAG_NONE)
		return VERDICT_REJECT(REJECT_INVALID_FIELD, "reserved initiator task tag");
	if (function == ABORT_TASK)
		abort_task(c, p, itt);
	else if (function == TASK_REASSIGN)
		answer(c, itt, NO_REASSIGN);	/* ErrorRecoveryLevel 0 */
	else if (function != ABORT_TASK_SET && function != LOGICAL_UNIT_RESET)
		answer(c, itt, NOT_SUPPORTED);
	else if (!lun)
		answer(c, itt, NO_LUN);
	else if (function == ABORT_TASK_SET)
		abort_some(c, itt, lun, TAG_NONE);
	else
		reset_lun(c, itt, lun);
	return VERDICT_OK;
}
