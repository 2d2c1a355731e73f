/* SPDX-License-Identifier: Apache-2.0 */
/* node.c - targets and portals come and go under running sessions. */
#include "config.h"
#include <pthread.h>
#include <string.h>
#include "engine/log.h"
#include "engine/thread.h"
#include "iscsi/acl.h"
#include "iscsi/async.h"
#include "iscsi/auth.h"
#include "iscsi/cmd.h"
#include "iscsi/conn.h"
#include "iscsi/count.h"
#include "iscsi/logins.h"
#include "iscsi/logout.h"
#include "iscsi/portal.h"
#include "iscsi/redirect.h"
#include "iscsi/session.h"
#include "iscsi/tmf.h"

#define LOG_DOMAIN LOGD_ISCSI

struct node *node_new(struct engine *e)
{
	struct node *n = g_new0(struct node, 1);

	pthread_mutex_init(&n->lock, NULL);
	thread_cond_init(&n->idle);
	n->engine = e;
	n->guard = auth_guard_new();
	n->targets = g_hash_table_new(g_str_hash, g_str_equal);
	n->portals = g_ptr_array_new();
	n->old_portals = g_ptr_array_new_with_free_func((GDestroyNotify)portal_free);
	n->by_name = g_sequence_new(NULL);
	g_queue_init(&n->removed_names);
	n->runs = count_runs_new(e->n_reactors);
	n->adopted = stats_set_new(e->n_reactors);
	n->over = g_new0(struct stats_sum, e->n_reactors);
	n->started_us = g_get_monotonic_time();
	n->max_conns = 4096;
	n->max_logins = 256;
	n->max_logins_per_address = 128;
	n->logging_in = logins_new();
	n->login_timeout_s = 15;
	n->nop_interval_s = 30;
	n->nop_timeout_s = 30;
	n->tcp_user_timeout_s = 60;
	n->queue_depth = 128;
	n->max_memory = UINT64_C(1) << 30;
	n->max_copied = 256 << 20;
	n->max_held = 64 << 20;
	return n;
}

#define TOLD_US (5 * G_USEC_PER_SEC)
#define TOLD_MAX 200u	/* lines in that time */

bool node_tells(struct node *n, enum gotgt_log_level level)
{
	gint64 now_us = g_get_monotonic_time();
	unsigned untold = 0;
	bool tells;

	if (!log_enabled(LOG_DOMAIN, level))
		return false;
	pthread_mutex_lock(&n->lock);
	if (now_us - n->told_from_us > TOLD_US) {
		untold = n->untold;
		n->told_from_us = now_us;
		n->told = n->untold = 0;
	}
	tells = n->told < TOLD_MAX;
	n->told += tells;
	n->untold += !tells;
	pthread_mutex_unlock(&n->lock);
	if (untold)
		log_at(level, LOG_NO_FIELDS, "%u lines about connections before this one were left out", untold);
	return tells;
}

void node_free(struct node *n)
{
	g_assert(!n->conns_total && !g_hash_table_size(n->targets));
	for (unsigned i = 0; i < n->engine->n_reactors; i++)
		cmd_pool_free(n->free_cmds[i]);
	g_hash_table_unref(n->targets);
	g_sequence_free(n->by_name);
	g_queue_clear_full(&n->removed_names, g_free);
	g_ptr_array_unref(n->portals);
	g_ptr_array_unref(n->old_portals);
	stats_set_free(n->adopted);
	g_free(n->over);
	count_runs_free(n->runs);
	g_array_unref(n->logging_in);
	auth_unref(n->discovery_auth);
	auth_guard_free(n->guard);
	pthread_mutex_destroy(&n->lock);
	pthread_cond_destroy(&n->idle);
	g_free(n);
}

/* ---- portals ---- */

static bool reached_through(const struct node_target *t, const struct portal *p)
{
	return !p || !t->portals->len || g_ptr_array_find(t->portals, p, NULL);
}

static gint by_rel_port(gconstpointer a, gconstpointer b)
{
	return ((const struct target_port *)a)->rel_port - ((const struct target_port *)b)->rel_port;
}

/* Tell a target which ports it has.  Called with the lock. */
static void tell_its_ports(struct node *n, struct node_target *t)
{
	g_autoptr(GArray) ports = g_array_new(FALSE, FALSE, sizeof(struct target_port));

	for (unsigned i = 0; i < n->portals->len; i++) {
		struct target_port port = { portal_tag(n->portals->pdata[i]), node_target_tag(t, n->portals->pdata[i]) };

		if (reached_through(t, n->portals->pdata[i]))
			g_array_append_val(ports, port);
	}
	g_array_sort(ports, by_rel_port);
	target_set_ports(t->scsi, (const struct target_port *)(void *)ports->data, ports->len);
}

static void tell_ports(struct node *n)
{
	GHashTableIter it;
	gpointer t;

	g_hash_table_iter_init(&it, n->targets);
	while (g_hash_table_iter_next(&it, NULL, &t))
		tell_its_ports(n, t);
}

static uint16_t free_tag(const struct node *n)
{
	for (uint16_t tag = 1;; tag++) {
		bool used = false;

		for (unsigned i = 0; i < n->portals->len; i++)
			used = used || portal_tag(n->portals->pdata[i]) == tag;
		if (!used)
			return tag;
	}
}

static struct portal *add_portal(struct node *n, struct portal *p)
{
	pthread_mutex_lock(&n->lock);
	g_ptr_array_add(n->portals, p);
	tell_ports(n);
	pthread_mutex_unlock(&n->lock);
	portal_open(p);
	return p;
}

struct portal *node_add_portal(struct node *n, const char *addr, uint16_t port, GError **error)
{
	struct portal *p = portal_new(n, addr, port, free_tag(n), error);

	return p ? add_portal(n, p) : NULL;
}

struct portal *node_add_portal_on(struct node *n, int fd)
{
	return add_portal(n, portal_new_on(n, fd, free_tag(n)));
}

void node_remove_portal(struct node *n, struct portal *p)
{
	portal_close(p);
	pthread_mutex_lock(&n->lock);
	g_ptr_array_remove(n->portals, p);
	g_ptr_array_add(n->old_portals, p);	/* connections that came through it still name it */
	tell_ports(n);
	pthread_mutex_unlock(&n->lock);
}

void node_forget_portals(struct node *n)
{
	for (guint i = n->old_portals->len; i--; ) {
		struct portal *p = n->old_portals->pdata[i];
		bool used;

		pthread_mutex_lock(&n->lock);
		used = portal_connections(p) != 0;
		pthread_mutex_unlock(&n->lock);
		if (!used && count_portal_over(n, p))
			g_ptr_array_remove_index(n->old_portals, i);
	}
}

/* ---- targets ---- */

static void set_target(struct node_target *t, const char *alias, const struct params *offer,
		       struct portal *const *portals, unsigned n_portals)
{
	g_free(t->alias);
	t->alias = g_strdup(alias);
	t->offer = *offer;
	g_ptr_array_set_size(t->portals, 0);
	for (unsigned i = 0; i < n_portals; i++)
		g_ptr_array_add(t->portals, portals[i]);
}

static void take_access(struct node_target *t, const struct node_access *access)
{
	t->auth = access->auth;
	t->acl = access->acl;
	t->single_initiator = access->single_initiator;
	t->max_sessions = access->max_sessions;
}

/* With the lock; NULL: none of them. */
static void forget_removed(struct node *n, GList *name)
{
	if (!name)
		return;
	g_free(name->data);
	g_queue_delete_link(&n->removed_names, name);
}

struct node_target *node_add_target(struct node *n, const char *name, const char *alias, struct target *scsi,
				    const struct params *offer, struct portal *const *portals, unsigned n_portals)
{
	const struct node_access open = { .auth = NULL };

	return node_add_target_access(n, name, alias, scsi, offer, portals, n_portals, &open);
}

struct node_target *node_add_target_access(struct node *n, const char *name, const char *alias, struct target *scsi,
					   const struct params *offer, struct portal *const *portals, unsigned n_portals,
					   const struct node_access *access)
{
	struct node_target *t = g_new0(struct node_target, 1);

	t->node = n;
	t->name = g_strdup(name);
	t->scsi = scsi;
	take_access(t, access);
	t->tags = g_array_new(FALSE, FALSE, sizeof(struct portal_tag));
	target_set_functions(scsi, tmf_functions());
	t->portals = g_ptr_array_new();
	t->refs = 1;
	target_set_purge(scsi, tmf_purge, t);
	set_target(t, alias, offer, portals, n_portals);
	pthread_mutex_lock(&n->lock);
	forget_removed(n, g_queue_find_custom(&n->removed_names, name, (GCompareFunc)strcmp));
	g_hash_table_insert(n->targets, t->name, t);
	t->place = g_sequence_insert_sorted(n->by_name, t, node_by_name, NULL);
	tell_its_ports(n, t);
	pthread_mutex_unlock(&n->lock);
	return t;
}

struct visit { struct node *node; const struct node_target *target; };

static void negotiate_here(struct reactor *r, void *arg)
{
	const struct visit *v = arg;

	for (struct conn *c = v->node->conns[reactor_index(r)]; c; c = c->next)
		if (c->session && c->session->target == v->target)
			async_negotiate(c);
}

void node_update_target(struct node *n, struct node_target *t, const char *alias, const struct params *offer,
			struct portal *const *portals, unsigned n_portals)
{
	struct visit v = { .node = n, .target = t };
	bool told;

	pthread_mutex_lock(&n->lock);
	told = t->offer.max_recv_dsl == offer->max_recv_dsl;
	set_target(t, alias, offer, portals, n_portals);
	tell_its_ports(n, t);
	pthread_mutex_unlock(&n->lock);
	if (!told)	/* the one key of ours that a session can learn anew: 13.12 */
		engine_each(n->engine, negotiate_here, &v);
}

void node_set_tags(struct node *n, struct node_target *t, const struct portal_tag *tags, unsigned n_tags)
{
	pthread_mutex_lock(&n->lock);
	g_array_set_size(t->tags, 0);
	if (n_tags)
		g_array_append_vals(t->tags, tags, n_tags);
	tell_its_ports(n, t);
	pthread_mutex_unlock(&n->lock);
}

struct node_target *node_find_target(struct node *n, const char *name, const struct portal *p, bool *removed)
{
	struct node_target *t;

	pthread_mutex_lock(&n->lock);
	t = g_hash_table_lookup(n->targets, name);
	if (t && reached_through(t, p))
		g_atomic_int_inc(&t->refs);
	else
		t = NULL;
	*removed = !t && g_queue_find_custom(&n->removed_names, name, (GCompareFunc)strcmp);
	pthread_mutex_unlock(&n->lock);
	return t;
}

void node_set_auth(struct node *n, struct node_target *t, struct auth *auth)
{
	struct auth **at = t ? &t->auth : &n->discovery_auth, *old;

	pthread_mutex_lock(&n->lock);
	old = *at;
	*at = auth;
	pthread_mutex_unlock(&n->lock);
	auth_unref(old);
}

struct readmit { struct node *node; const struct node_target *target; const struct acl *acl; };

static bool admitted(const struct readmit *v, const struct conn *c, struct lun_view **view)
{
	return acl_admits(v->acl, &(struct acl_who){ c->session->initiator, c->from, c->portal }, view);
}

/* All connections of a session see the same, or it is none any more. */
static bool as_its_mate(const struct readmit *v, const struct conn *c, const struct lun_view *view)
{
	struct lun_view *of_first;
	bool same = admitted(v, c->session->conns, &of_first) && lun_view_equal(view, of_first);

	lun_view_unref(of_first);
	return same;
}

static void readmit_here(struct reactor *r, void *arg)
{
	const struct readmit *v = arg;
	struct conn *next;

	for (struct conn *c = v->node->conns[reactor_index(r)]; c; c = next) {
		struct lun_view *view;

		next = c->next;
		if (!c->session || c->session->target != v->target || c->state == CONN_CLOSING)
			continue;
		if (!admitted(v, c, &view) || !as_its_mate(v, c, view)) {
			lun_view_unref(view);
			log_warning_of(conn_fields(c), "%s: %s is not admitted to %s any more", c->peer, c->session->initiator, v->target->name);
			async_drop(c, ASYNC_SESSION_DROPPED);
		} else if (c == c->session->conns) {
			nexus_set_view(c->session->nexus, view);
		} else {
			lun_view_unref(view);
		}
	}
}

void node_set_access(struct node *n, struct node_target *t, const struct node_access *access)
{
	struct auth *old_auth = t->auth;
	struct acl *old_acl = t->acl;
	struct readmit v = { .node = n, .target = t, .acl = access->acl };

	pthread_mutex_lock(&n->lock);
	take_access(t, access);
	pthread_mutex_unlock(&n->lock);
	if (old_acl || access->acl)
		engine_each(n->engine, readmit_here, &v);
	auth_unref(old_auth);
	acl_unref(old_acl);
}

struct auth *node_auth(struct node *n, const struct node_target *t)
{
	struct auth *auth;

	pthread_mutex_lock(&n->lock);
	auth = auth_ref(t ? t->auth : n->discovery_auth);
	pthread_mutex_unlock(&n->lock);
	return auth;
}

struct node_target *node_target_ref(struct node_target *t)
{
	g_atomic_int_inc(&t->refs);
	return t;
}

void node_target_unref(struct node *n, struct node_target *t)
{
	bool last;

	pthread_mutex_lock(&n->lock);
	last = g_atomic_int_dec_and_test(&t->refs);
	pthread_cond_broadcast(&n->idle);
	pthread_mutex_unlock(&n->lock);
	if (!last)
		return;
	g_ptr_array_unref(t->portals);
	g_array_unref(t->tags);
	redirect_free(t->redirect);
	auth_unref(t->auth);
	acl_unref(t->acl);
	g_free(t->alias);
	g_free(t->name);
	g_free(t);
}

/* ---- asking to leave, and showing out ---- */

struct leave {
	struct node *node;
	const struct node_target *target;	/* NULL: everybody */
	unsigned grace_ms;
	bool idle_only;			/* those without a command under way */
	bool now;
};

static bool concerned(const struct leave *l, struct conn *c)
{
	if (c->state == CONN_CLOSING || (l->target && (!c->session || c->session->target != l->target)))
		return false;
	if (!l->idle_only || !c->session || !c->session->n_cmds)
		return true;
	c->logout_due = true;
	return false;
}

static void leave_here(struct reactor *r, void *arg)
{
	const struct leave *l = arg;
	struct conn *next;

	for (struct conn *c = l->node->conns[reactor_index(r)]; c; c = next) {
		next = c->next;
		if (!concerned(l, c))
			continue;
		if (l->now && l->grace_ms)
			async_drop(c, ASYNC_CONN_DROPPED);
		else if (l->now || !c->session)
			conn_drop(c, NULL);
		else if (conn_is_full(c) && !c->close_when_sent)
			logout_ask(c, (uint16_t)((l->grace_ms + 999) / 1000));
	}
}

/* With the lock: is anybody left? */
static bool anybody(const struct node *n, const struct node_target *t)
{
	return t ? t->sessions || g_atomic_int_get(&t->refs) > 1 : n->conns_total || n->sessions;
}

static bool wait_empty(struct node *n, const struct node_target *t, unsigned ms)
{
	struct timespec until = thread_until(ms);
	bool left;

	pthread_mutex_lock(&n->lock);
	while ((left = anybody(n, t)) && thread_cond_wait(&n->idle, &n->lock, &until))
		;
	pthread_mutex_unlock(&n->lock);
	return !left;
}

/*
 * RFC 7143 11.9.1: ask; give a moment to those who have nothing to finish, the whole of grace_ms to the others, who
 * begin nothing new after the moment; then say that the connection is dropped, and close.  Commands at a device end
 * when the device lets go of them.
 */
static void show_out(struct node *n, const struct node_target *t, unsigned grace_ms)
{
	struct leave l = { .node = n, .target = t, .grace_ms = grace_ms };
	unsigned moment_ms = MIN(grace_ms, 1000);

	if (!wait_empty(n, t, 0) && grace_ms) {
		engine_each(n->engine, leave_here, &l);
		if (wait_empty(n, t, moment_ms))
			return;
		l.now = l.idle_only = true;
		engine_each(n->engine, leave_here, &l);
		if (wait_empty(n, t, grace_ms - moment_ms))
			return;
	}
	l.now = true;
	l.idle_only = false;
	do	/* again for those that were just coming in */
		engine_each(n->engine, leave_here, &l);
	while (!wait_empty(n, t, 500));
}

void node_remove_target(struct node *n, struct node_target *t, unsigned grace_ms)
{
	pthread_mutex_lock(&n->lock);
	t->removed = true;
	g_hash_table_remove(n->targets, t->name);
	g_sequence_remove(t->place);
	if (n->removed_names.length == REMOVED_NAMES_MAX)
		forget_removed(n, n->removed_names.head);
	g_queue_push_tail(&n->removed_names, g_strdup(t->name));
	pthread_mutex_unlock(&n->lock);
	if (!wait_empty(n, t, 0))	/* nobody comes in any more: it is not found */
		show_out(n, t, grace_ms);
	node_target_unref(n, t);
}

void node_shutdown(struct node *n, unsigned grace_ms)
{
	while (n->portals->len)
		node_remove_portal(n, n->portals->pdata[0]);
	show_out(n, NULL, grace_ms);
}

/* ---- one LUN ---- */

struct quiesce {
	struct task_purge purge;
	struct node_target *target;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
};

static void quiesced(struct task_purge *p)
{
	struct quiesce *q = container_of(p, struct quiesce, purge);

	pthread_mutex_lock(&q->lock);
	q->done = true;
	pthread_cond_signal(&q->cond);
	pthread_mutex_unlock(&q->lock);
}

static void quiesce_start(void *arg)
{
	struct quiesce *q = arg;

	target_purge(q->target->scsi, &q->purge);
}

void node_quiesce_lun(struct lun *lun, void *arg)
{
	struct node_target *t = arg;
	struct quiesce q = { .purge = { .lun = lun, .done = quiesced }, .target = t };

	pthread_mutex_init(&q.lock, NULL);
	pthread_cond_init(&q.cond, NULL);
	reactor_call(t->node->engine->reactors[0], quiesce_start, &q);
	pthread_mutex_lock(&q.lock);
	while (!q.done)
		pthread_cond_wait(&q.cond, &q.lock);
	pthread_mutex_unlock(&q.lock);
	pthread_mutex_destroy(&q.lock);
	pthread_cond_destroy(&q.cond);
}
