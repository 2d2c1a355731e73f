/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - sessions come, abort commands, and go. */
#include "config.h"
#include <pthread.h>
#include "engine/probes.h"
#include "iscsi/acl.h"
#include "iscsi/cmd.h"
#include "iscsi/logout.h"
#include "iscsi/nop.h"
#include "iscsi/session.h"
#include "iscsi/tmf.h"

#define LOG_DOMAIN LOGD_ISCSI

/* ---- aborting ---- */

static bool matches(const struct abort_job *job, const struct cmd *cmd)
{
	return (!job->lun || cmd->task.lun == job->lun) && (job->itt == TAG_NONE || cmd->itt == job->itt) &&
	       (!job->allegiance || cmd->allegiance == job->allegiance) && &cmd->task != job->except;
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

static struct log_fields session_fields(const struct session *s)
{
	return (struct log_fields){ .target = s->target ? s->target->name : NULL, .initiator = s->initiator };
}

void session_event(struct session *s, enum session_event e)
{
	const struct transition *t = session_transition(s->state, e);

	if (!t->number) {
		log_warning_of(session_fields(s), "session %u of %s: no transition for %s in state %s", s->tsih,
			       s->initiator, session_event_name(e), session_state_name(s->state));
		for (struct conn *c = s->conns; c; c = c->mate)
			conn_finish(c);
		return;
	}
	log_debug_of(session_fields(s), "session %u of %s: %s (%s): %s to %s", s->tsih, s->initiator,
		     session_event_name(e), t->number, session_state_name(s->state), session_state_name(t->next));
	s->state = t->next;
}

/* A login that waits for an older session of its nexus, or for the connection it replaces, to end. */
struct establish {
	struct post post;
	struct abort_job job;		/* of the connection's commands */
	struct session *session;	/* the connection's, or NULL */
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

	PROBE3(session__logout, s->tsih, s->initiator, s->target ? s->target->name : NULL);
	reactor_undefer(s->reactor, &s->resume);
	if (s->state == SESSION_FAILED)
		session_event(s, SESSION_GONE);
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
	stats_unref(atomic_load(&s->stats));
	g_free(s->initiator);
	g_free(s->initiator_alias);
	g_free(s);
}

void session_cmd_gone(struct session *s)
{
	if (s->jobs)
		check_jobs(s);
	if (session_ending(s) && !s->n_cmds && !s->conns && !s->joining)
		reactor_defer(s->reactor, &s->end);
}

static void all_gone(struct abort_job *job)
{
	g_free(job);
}

static void abort_all(struct session *s, uint32_t allegiance)
{
	struct abort_job *job = g_new0(struct abort_job, 1);

	*job = (struct abort_job){ .itt = TAG_NONE, .allegiance = allegiance, .gone = all_gone };
	session_abort(s, job);
}

static void close_session(struct session *s, enum session_event e)
{
	session_event(s, e);
	session_drop_held(s, NULL);
	abort_all(s, 0);
	session_cmd_gone(s);
}

static void remove_conn(struct session *s, struct conn *c)
{
	struct conn **at = &s->conns;

	while (*at != c)
		at = &(*at)->mate;
	*at = c->mate;
	c->mate = NULL;
	atomic_store(&s->conns_now, --s->n_conns);
	session_unstall(c);
	session_drop_held(s, c);
	for (unsigned i = 0; i < CMD_BUCKETS; i++)
		for (struct cmd *cmd = s->by_itt[i]; cmd; cmd = cmd->next)
			if (cmd->conn == c)
				cmd->conn = NULL;
	tmf_acked(s);
}

/* RFC 7143 11.9.1: Async Message 3 to those that can still hear it. */
static void close_others(struct session *s)
{
	struct conn *next;

	for (struct conn *c = s->conns; c; c = next) {
		next = c->mate;
		if (conn_is_full(c) && !c->close_when_sent)
			logout_tell_dropped(c);
		conn_finish(c);
	}
}

void session_conn_lost(struct conn *c)
{
	struct session *s = c->session;

	remove_conn(s, c);
	if (session_ending(s))
		session_cmd_gone(s);
	else if (c->logged_out && (s->conns || s->joining))
		abort_all(s, c->allegiance);
	else {
		close_session(s, s->state == SESSION_ACTIVE ? SESSION_LOGIN_FAILED :
			      c->logged_out ? SESSION_CLOSED : SESSION_LOST);
		close_others(s);
	}
}

struct conn *session_conn(const struct session *s, uint32_t allegiance)
{
	struct conn *c = s->conns;

	while (c && c->allegiance != allegiance)
		c = c->mate;
	return c;
}

struct conn *session_conn_by_cid(const struct session *s, uint16_t cid)
{
	struct conn *c = s->conns;

	while (c && c->cid != cid)
		c = c->mate;
	return c;
}

/* Something for a session, on its reactor. */
struct tell {
	struct post post;
	struct node *node;
	struct session *session;
	uint16_t tsih;
};

/* It may have ended meanwhile: NULL; it ends only on this thread. */
static struct session *told_session(const struct tell *k)
{
	struct session *s = NULL;

	pthread_mutex_lock(&k->node->lock);
	if (g_list_find(k->node->sessions, k->session) && k->session->tsih == k->tsih)
		s = k->session;
	pthread_mutex_unlock(&k->node->lock);
	return s;
}

static void kill_run(struct post *p)
{
	struct tell *k = container_of(p, struct tell, post);
	struct session *s = told_session(k);

	if (s && !session_ending(s))
		close_session(s, SESSION_CLEARED);
	while (s && s->conns)
		conn_drop(s->conns, "session ended by the target or replaced by its initiator");
	g_free(k);
}

static void tell(struct node *n, struct session *s, uint16_t tsih, struct reactor *r, void (*run)(struct post *p))
{
	struct tell *k = g_new0(struct tell, 1);

	*k = (struct tell){ .post.run = run, .node = n, .session = s, .tsih = tsih };
	reactor_post(r, &k->post);
}

void session_kill(struct node *n, struct session *s, uint16_t tsih, struct reactor *r)
{
	tell(n, s, tsih, r, kill_run);
}

/* ---- the beginning ---- */

static bool same_nexus(const struct session *s, const struct session_open *o)
{
	return s->target == o->target && s->tpgt == o->tpgt && !memcmp(s->isid, o->isid, sizeof s->isid) &&
	       !strcmp(s->initiator, o->initiator);
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

static void add_conn(struct session *s, struct conn *c)
{
	c->mate = s->conns;
	s->conns = c;
	atomic_store(&s->conns_now, ++s->n_conns);
	c->allegiance = ++s->last_allegiance;
}

/* Called with the lock. */
static struct session *add_session(struct conn *c, const struct session_open *o)
{
	struct node *n = c->node;
	struct session *s = g_new0(struct session, 1);

	while (tsih_in_use(n, ++n->next_tsih))
		;
	*s = (struct session){ .node = n, .target = o->target, .reactor = c->reactor, .tsih = n->next_tsih,
			       .exp_cmd_sn = o->cmd_sn, .depth = n->queue_depth, .end.run = session_end };
	session_order_init(s);
	add_conn(s, c);
	s->max_cmd_sn = s->exp_cmd_sn + s->depth - 1;
	s->tpgt = o->tpgt;
	memcpy(s->isid, o->isid, sizeof s->isid);
	s->initiator = g_strdup(o->initiator);
	s->initiator_alias = g_strdup(o->initiator_alias);
	session_event(s, SESSION_LOGIN);
	n->sessions = g_list_prepend(n->sessions, s);
	if (o->target)
		o->target->sessions = g_list_prepend(o->target->sessions, s);
	return s;
}

static void add_nexus(struct session *s, const struct conn *c, struct lun_view *view)
{
	char name[ISCSI_NAME_MAX + 32];

	/* SPC-5 7.6.4.6: the initiator port of an iSCSI session. */
	g_snprintf(name, sizeof name, "%s,i,0x%02x%02x%02x%02x%02x%02x", s->initiator, s->isid[0], s->isid[1], s->isid[2],
		   s->isid[3], s->isid[4], s->isid[5]);
	s->nexus = nexus_new(s->target->scsi, s->reactor, name, c->portal ? portal_tag(c->portal) : 1, s->tpgt);
	nexus_set_view(s->nexus, view);
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
	struct session *s = e->session;
	struct conn *c = e->conn;

	if (s)
		s->joining--;
	if (c) {
		c->establishing = NULL;
		session_establish(c, &e->open, e->ready);
		if (!c->establishing)
			conn_resume(c);
	} else if (e->open.target) {
		node_target_unref(e->open.target->node, e->open.target);
	}
	/* The connection it had is gone, and none came in its place. */
	if (s && !s->conns && !s->joining && !session_ending(s))
		close_session(s, SESSION_CLOSED);
	else if (s)
		session_cmd_gone(s);
	establish_free(e);
}

static struct establish *establish_new(struct conn *c, const struct session_open *o,
				       void (*ready)(struct conn *c, enum login_status status))
{
	struct establish *e = g_new0(struct establish, 1);

	*e = (struct establish){ .post.run = establish_again, .conn = c, .reactor = c->reactor, .open = *o, .ready = ready };
	e->open.initiator = e->initiator = g_strdup(o->initiator);
	e->open.initiator_alias = e->initiator_alias = g_strdup(o->initiator_alias);
	c->establishing = e;
	c->paused = true;
	return e;
}

/* Called with the lock. */
static void wait_for(struct session *older, struct conn *c, const struct session_open *o,
		     void (*ready)(struct conn *c, enum login_status status))
{
	struct establish *e = establish_new(c, o, ready);

	older->waiting = g_slist_prepend(older->waiting, e);
	session_kill(c->node, older, older->tsih, older->reactor);
}

void session_forget_login(struct conn *c)
{
	if (c->establishing)
		c->establishing->conn = NULL;
	c->establishing = NULL;
}

/* ---- more connections, RFC 7143 6.3.1 ---- */

struct reactor *session_home(struct node *n, uint16_t tsih)
{
	struct reactor *r = NULL;

	pthread_mutex_lock(&n->lock);
	for (GList *l = n->sessions; l && !r; l = l->next)
		if (((struct session *)l->data)->tsih == tsih)
			r = ((struct session *)l->data)->reactor;
	pthread_mutex_unlock(&n->lock);
	return r;
}

struct session *session_named(struct node *n, const struct node_target *t, uint16_t tsih, const uint8_t isid[6],
			      const char *initiator)
{
	struct session *found = NULL;

	pthread_mutex_lock(&n->lock);
	for (GList *l = t->sessions; l && !found; l = l->next) {
		struct session *s = l->data;

		if (s->tsih == tsih && s->reactor == reactor_self() && !memcmp(s->isid, isid, sizeof s->isid) &&
		    !strcmp(s->initiator, initiator))
			found = s;
	}
	pthread_mutex_unlock(&n->lock);
	return found && !session_ending(found) ? found : NULL;
}

static void replaced_gone(struct abort_job *job)
{
	struct establish *e = container_of(job, struct establish, job);

	reactor_post(e->reactor, &e->post);
}

/* 6.3.4: an implicit logout of the old connection, reason 1; its tasks end before the new one has its answer. */
static void replace(struct session *s, struct conn *old, struct conn *c, const struct session_open *o,
		    void (*ready)(struct conn *c, enum login_status status))
{
	struct establish *e = establish_new(c, o, ready);

	e->session = s;
	e->job = (struct abort_job){ .itt = TAG_NONE, .allegiance = old->allegiance, .gone = replaced_gone };
	s->joining++;
	old->logged_out = true;
	conn_drop(old, "replaced by its initiator");
	session_abort(s, &e->job);
}

/* One more connection brings a session's rights nowhere where its initiator has others. */
static enum login_status may_join(const struct conn *c, const struct session *s)
{
	struct lun_view *view;
	bool in, same;

	pthread_mutex_lock(&s->node->lock);
	in = acl_admits(s->target->acl, &(struct acl_who){ s->initiator, c->from, c->portal }, &view);
	pthread_mutex_unlock(&s->node->lock);
	same = in && lun_view_equal(view, nexus_view(s->nexus));
	lun_view_unref(view);
	return !in ? LOGIN_FORBIDDEN : same ? LOGIN_SUCCESS : LOGIN_CANNOT_INCLUDE;
}

static void join(struct conn *c, const struct session_open *o, void (*ready)(struct conn *c, enum login_status status))
{
	struct session *s = session_named(c->node, o->target, o->tsih, o->isid, o->initiator);
	struct conn *old = s ? session_conn_by_cid(s, o->cid) : NULL;
	enum login_status status = s ? may_join(c, s) : LOGIN_NO_SESSION;

	if (status != LOGIN_SUCCESS)
		;
	else if (s->tpgt != o->tpgt)
		status = LOGIN_CANNOT_INCLUDE;
	else if (!old && s->n_conns >= s->params.max_connections)
		status = LOGIN_TOO_MANY_CONNECTIONS;
	if (status == LOGIN_SUCCESS && old) {
		replace(s, old, c, o, ready);
		return;
	}
	node_target_unref(c->node, o->target);	/* the session has its own */
	if (status == LOGIN_SUCCESS) {
		add_conn(s, c);
		c->session = s;
	}
	c->paused = false;
	ready(c, status);
}

/* Is one still there?  If it does not say so soon, it goes. */
static void probe_run(struct post *p)
{
	struct tell *k = container_of(p, struct tell, post);
	struct session *s = told_session(k);

	for (struct conn *c = s ? s->conns : NULL; c; c = c->mate)
		nop_probe(c);
	g_free(k);
}

/* Another initiator than the one that comes: who has a single_initiator target.  With the lock. */
static bool has_another(const struct session_open *o)
{
	bool found = false;

	for (GList *l = o->target->sessions; l; l = l->next) {
		struct session *s = l->data;

		if (!g_ascii_strcasecmp(s->initiator, o->initiator))	/* as if in lower case, 4.2.7.1 */
			continue;
		found = true;
		tell(s->node, s, s->tsih, s->reactor, probe_run);
	}
	return found;
}

/*
 * A new session of a target, with the lock; *view is what its initiator sees there.  What was looked at when the login
 * began is looked at again: a reload may have come between.  The two limits are of the kind that passes, so the status
 * is one after which initiators try again (11.13.5: target errors), and a dead session has been found out by then.
 */
static enum login_status may_begin(const struct conn *c, const struct session_open *o, struct lun_view **view)
{
	const struct node_target *t = o->target;

	if (t->removed)
		return LOGIN_REMOVED;
	if (!acl_admits(t->acl, &(struct acl_who){ o->initiator, c->from, c->portal }, view))
		return LOGIN_FORBIDDEN;
	if (t->single_initiator && has_another(o))
		return LOGIN_UNAVAILABLE;
	if (t->max_sessions && g_list_length(t->sessions) >= t->max_sessions)
		return LOGIN_OUT_OF_RESOURCES;
	return LOGIN_SUCCESS;
}

void session_establish(struct conn *c, const struct session_open *o,
		       void (*ready)(struct conn *c, enum login_status status))
{
	struct node *n = c->node;
	enum login_status status = LOGIN_SUCCESS;
	struct session *s = NULL, *older;
	struct lun_view *view = NULL;

	if (o->tsih) {
		join(c, o, ready);
		return;
	}
	pthread_mutex_lock(&n->lock);
	older = find_older(n, o);
	if (older) {
		wait_for(older, c, o, ready);
		pthread_mutex_unlock(&n->lock);
		return;
	}
	status = o->target ? may_begin(c, o, &view) : LOGIN_SUCCESS;
	if (status == LOGIN_SUCCESS)
		s = add_session(c, o);
	pthread_mutex_unlock(&n->lock);
	if (s && s->target)
		add_nexus(s, c, view);
	else
		lun_view_unref(view);
	if (!s && o->target)
		node_target_unref(n, o->target);
	c->session = s;
	c->paused = false;
	ready(c, status);
}
