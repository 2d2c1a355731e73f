/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - sessions come, order their commands, and go. */
#include "config.h"
#include <pthread.h>
#include "iscsi/cmd.h"
#include "iscsi/session.h"

#define HELD_MAX (1u << 20)	/* bytes of PDUs kept out of order */

/* ---- command numbering, RFC 7143 4.2.2.1 ---- */

struct verdict session_hold(struct session *s, const struct pdu *p)
{
	size_t len = BHS_LEN + p->ahs_len + p->data_len;
	uint32_t sn = get32(p->bhs + 24);
	struct held **at = &s->held;
	struct held *h;

	while (*at && sn_lt((*at)->cmd_sn, sn))
		at = &(*at)->next;
	if (*at && (*at)->cmd_sn == sn)
		return VERDICT_OK;	/* a retry of one we have */
	if (s->held_bytes + len > HELD_MAX)
		return VERDICT_DROP("too many commands out of order");
	h = g_malloc(sizeof *h + len);
	*h = (struct held){ .next = *at, .cmd_sn = sn, .ahs_len = p->ahs_len, .data_len = p->data_len };
	memcpy(h->bytes, p->bhs, BHS_LEN);
	memcpy(h->bytes + BHS_LEN, p->ahs, p->ahs_len);
	memcpy(h->bytes + BHS_LEN + p->ahs_len, p->data, p->data_len);
	*at = h;
	s->held_bytes += len;
	return VERDICT_OK;
}

bool session_skip(struct session *s, uint32_t cmd_sn, uint32_t itt)
{
	struct held **at = &s->held;
	struct held *h;

	if (sn_lt(cmd_sn, s->exp_cmd_sn) || sn_lt(s->max_cmd_sn, cmd_sn))
		return false;
	while (*at && sn_lt((*at)->cmd_sn, cmd_sn))
		at = &(*at)->next;
	if (!*at || (*at)->cmd_sn != cmd_sn) {
		h = g_malloc0(sizeof *h + BHS_LEN);
		h->next = *at;
		h->cmd_sn = cmd_sn;
		*at = h;
		s->held_bytes += BHS_LEN;
	} else if (get32((*at)->bytes + 16) != itt) {
		return false;
	}
	(*at)->skip = true;
	return true;
}

struct held *session_next_held(struct session *s)
{
	while (s->held && s->held->cmd_sn == s->exp_cmd_sn) {
		struct held *h = s->held;

		s->exp_cmd_sn++;
		s->held = h->next;
		s->held_bytes -= BHS_LEN + h->ahs_len + h->data_len;
		if (!h->skip)
			return h;
		g_free(h);
	}
	return NULL;
}

/* ---- aborting ---- */

static bool matches(const struct abort_job *job, const struct cmd *cmd)
{
	return (!job->lun || cmd->task.lun == job->lun) && (job->itt == TAG_NONE || cmd->itt == job->itt) &&
	       &cmd->task != job->except;
}

/* A command of the job that is still somewhere. */
static bool job_pending(const struct session *s, const struct abort_job *job)
{
	for (unsigned i = 0; i < CMD_BUCKETS; i++)
		for (const struct cmd *cmd = s->by_itt[i]; cmd; cmd = cmd->next)
			if (cmd->aborting && matches(job, cmd))
				return true;
	return false;
}

static void check_jobs(struct session *s)
{
	struct abort_job **at = &s->jobs;

	while (*at) {
		struct abort_job *job = *at;

		if (job_pending(s, job)) {
			at = &job->next;
			continue;
		}
		*at = job->next;
		job->gone(job);
		at = &s->jobs;	/* gone() may have changed the list */
	}
}

/* Aborting may end commands at once and change the chains: start over after each. */
static struct cmd *next_to_abort(const struct session *s, const struct abort_job *job)
{
	for (unsigned i = 0; i < CMD_BUCKETS; i++)
		for (struct cmd *cmd = s->by_itt[i]; cmd; cmd = cmd->next)
			if (!cmd->aborting && matches(job, cmd))
				return cmd;
	return NULL;
}

void session_abort(struct session *s, struct abort_job *job)
{
	struct cmd *cmd;

	while ((cmd = next_to_abort(s, job)))
		cmd_abort(cmd, job->by_other && nexus_task_cleared(s->nexus, cmd->task.lun));
	job->next = s->jobs;
	s->jobs = job;
	check_jobs(s);
}

/* ---- the end ---- */

/* A login that waits for an older session of its nexus to end. */
struct establish {
	struct post post;
	struct conn *conn;		/* NULL: dropped meanwhile; [reactor of conn] */
	struct reactor *reactor;
	struct session_open open;
	char *initiator, *initiator_alias;
	void (*ready)(struct conn *c, enum login_status status);
};

static void wake_waiting(struct session *s)
{
	for (GSList *l = s->waiting; l; l = l->next) {
		struct establish *e = l->data;

		reactor_post(e->reactor, &e->post);
	}
	g_slist_free(s->waiting);
}

static void session_end(struct defer *d)
{
	struct session *s = container_of(d, struct session, end);
	struct node *n = s->node;

	if (s->nexus)
		nexus_free(s->nexus);
	pthread_mutex_lock(&n->lock);
	n->sessions = g_list_remove(n->sessions, s);
	if (s->target)
		s->target->sessions = g_list_remove(s->target->sessions, s);
	wake_waiting(s);
	pthread_cond_broadcast(&n->idle);
	pthread_mutex_unlock(&n->lock);
	if (s->target)
		node_target_unref(n, s->target);
	g_free(s->initiator);
	g_free(s->initiator_alias);
	g_free(s);
}

void session_cmd_gone(struct session *s)
{
	if (s->jobs)
		check_jobs(s);
	if (s->closing && !s->n_cmds)
		reactor_defer(s->reactor, &s->end);
}

static void all_gone(struct abort_job *job)
{
	g_free(job);
}

void session_conn_lost(struct session *s)
{
	struct abort_job *job = g_new0(struct abort_job, 1);

	s->conn = NULL;
	while (s->held) {
		struct held *h = s->held;

		s->held = h->next;
		g_free(h);
	}
	for (unsigned i = 0; i < CMD_BUCKETS; i++)
		for (struct cmd *cmd = s->by_itt[i]; cmd; cmd = cmd->next)
			cmd->conn = NULL;
	job->itt = TAG_NONE;
	job->gone = all_gone;
	s->closing = true;
	session_abort(s, job);
	session_cmd_gone(s);
}

struct kill {
	struct post post;
	struct node *node;
	struct session *session;
	uint16_t tsih;
};

/* The session may have ended meanwhile; it ends only on this thread. */
static void kill_run(struct post *p)
{
	struct kill *k = container_of(p, struct kill, post);
	struct conn *c = NULL;

	pthread_mutex_lock(&k->node->lock);
	if (g_list_find(k->node->sessions, k->session) && k->session->tsih == k->tsih)
		c = k->session->conn;
	pthread_mutex_unlock(&k->node->lock);
	if (c)
		conn_drop(c, "session ended by the target or replaced by its initiator");
	g_free(k);
}

void session_kill(struct node *n, struct session *s, uint16_t tsih, struct reactor *r)
{
	struct kill *k = g_new0(struct kill, 1);

	*k = (struct kill){ .post.run = kill_run, .node = n, .session = s, .tsih = tsih };
	reactor_post(r, &k->post);
}

/* ---- the beginning ---- */

static bool same_nexus(const struct session *s, const struct session_open *o)
{
	return s->target == o->target && s->tpgt == o->tpgt && !memcmp(s->isid, o->isid, sizeof s->isid) && !strcmp(s->initiator, o->initiator);
}

/* The older session that must go first, RFC 7143 6.3.5.  Called with the lock. */
static struct session *find_older(struct node *n, const struct session_open *o)
{
	for (GList *l = o->target ? o->target->sessions : NULL; l; l = l->next)
		if (same_nexus(l->data, o))
			return l->data;
	return NULL;
}

static bool tsih_in_use(const struct node *n, uint16_t tsih)
{
	for (const GList *l = n->sessions; l; l = l->next)
		if (((const struct session *)l->data)->tsih == tsih)
			return true;
	return tsih == 0;
}

/* Called with the lock. */
static struct session *add_session(struct conn *c, const struct session_open *o)
{
	struct node *n = c->node;
	struct session *s = g_new0(struct session, 1);

	while (tsih_in_use(n, ++n->next_tsih))
		;
	*s = (struct session){ .node = n, .target = o->target, .reactor = c->reactor, .conn = c, .tsih = n->next_tsih,
			       .exp_cmd_sn = o->cmd_sn, .depth = n->queue_depth, .end.run = session_end };
	s->max_cmd_sn = s->exp_cmd_sn + s->depth - 1;
	s->tpgt = o->tpgt;
	memcpy(s->isid, o->isid, sizeof s->isid);
	s->initiator = g_strdup(o->initiator);
	s->initiator_alias = g_strdup(o->initiator_alias);
	n->sessions = g_list_prepend(n->sessions, s);
	if (o->target)
		o->target->sessions = g_list_prepend(o->target->sessions, s);
	return s;
}

static void add_nexus(struct session *s, const struct conn *c)
{
	char name[ISCSI_NAME_MAX + 32];

	/* SPC-5 7.6.4.6: the initiator port of an iSCSI session. */
	g_snprintf(name, sizeof name, "%s,i,0x%02x%02x%02x%02x%02x%02x", s->initiator, s->isid[0], s->isid[1], s->isid[2],
		   s->isid[3], s->isid[4], s->isid[5]);
	s->nexus = nexus_new(s->target->scsi, s->reactor, name, c->portal ? portal_tag(c->portal) : 1, s->tpgt);
}

static void establish_free(struct establish *e)
{
	g_free(e->initiator);
	g_free(e->initiator_alias);
	g_free(e);
}

static void establish_again(struct post *p)
{
	struct establish *e = container_of(p, struct establish, post);
	struct conn *c = e->conn;

	if (c) {
		c->establishing = NULL;
		session_establish(c, &e->open, e->ready);
		if (!c->establishing)
			conn_resume(c);
	} else if (e->open.target) {
		node_target_unref(e->open.target->node, e->open.target);
	}
	establish_free(e);
}

/* Called with the lock. */
static void wait_for(struct session *older, struct conn *c, const struct session_open *o,
		     void (*ready)(struct conn *c, enum login_status status))
{
	struct establish *e = g_new0(struct establish, 1);

	*e = (struct establish){ .post.run = establish_again, .conn = c, .reactor = c->reactor, .open = *o, .ready = ready };
	e->open.initiator = e->initiator = g_strdup(o->initiator);
	e->open.initiator_alias = e->initiator_alias = g_strdup(o->initiator_alias);
	older->waiting = g_slist_prepend(older->waiting, e);
	c->establishing = e;
	c->paused = true;
	session_kill(c->node, older, older->tsih, older->reactor);
}

void session_forget_login(struct conn *c)
{
	if (c->establishing)
		c->establishing->conn = NULL;
	c->establishing = NULL;
}

void session_establish(struct conn *c, const struct session_open *o,
		       void (*ready)(struct conn *c, enum login_status status))
{
	struct node *n = c->node;
	enum login_status status = LOGIN_SUCCESS;
	struct session *s = NULL, *older;

	pthread_mutex_lock(&n->lock);
	older = find_older(n, o);
	if (older) {
		wait_for(older, c, o, ready);
		pthread_mutex_unlock(&n->lock);
		return;
	}
	if (o->target && o->target->removed)
		status = LOGIN_REMOVED;
	else
		s = add_session(c, o);
	pthread_mutex_unlock(&n->lock);
	if (s && s->target)
		add_nexus(s, c);
	if (!s && o->target)
		node_target_unref(n, o->target);
	c->session = s;
	c->paused = false;
	ready(c, status);
}
