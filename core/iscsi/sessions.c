/* SPDX-License-Identifier: Apache-2.0 */
/* sessions.c - who is logged in, told and ended from outside. */
#include "config.h"
#include "iscsi/async.h"
#include "iscsi/session.h"

#define LOG_DOMAIN LOGD_ISCSI

struct visit {
	struct node *node;
	GArray *found;		/* struct session_info */
	uint16_t tsih;		/* to drop */
	gint dropped;
};

static void describe(const struct conn *c, GArray *found)
{
	const struct session *s = c->session;
	struct session_info info = { .tsih = s->tsih, .connections = 1, .commands = s->n_cmds };

	for (guint i = 0; i < found->len; i++) {
		struct session_info *known = &g_array_index(found, struct session_info, i);

		if (known->tsih == s->tsih) {
			known->connections++;
			return;
		}
	}
	memcpy(info.isid, s->isid, sizeof info.isid);
	g_strlcpy(info.peer, c->peer, sizeof info.peer);
	info.initiator = g_strdup(s->initiator);
	info.target = s->target ? g_strdup(s->target->name) : NULL;
	g_array_append_val(found, info);
}	/* NOLINT(memleak): info_clear() frees what is in the array */

static void describe_here(struct reactor *r, void *arg)
{
	struct visit *v = arg;

	pthread_mutex_lock(&v->node->lock);	/* of v->found: other reactors may be at it */
	for (const struct conn *c = v->node->conns[reactor_index(r)]; c; c = c->next)
		if (c->session && conn_is_full(c) && c == c->session->conns)	/* once a session */
			describe(c, v->found);
	pthread_mutex_unlock(&v->node->lock);
}

static void info_clear(gpointer info)
{
	g_free(((struct session_info *)info)->initiator);
	g_free(((struct session_info *)info)->target);
}

GArray *node_sessions(struct node *n)
{
	struct visit v = { .node = n, .found = g_array_new(FALSE, FALSE, sizeof(struct session_info)) };

	g_array_set_clear_func(v.found, info_clear);
	engine_each(n->engine, describe_here, &v);
	return v.found;
}

static void drop_here(struct reactor *r, void *arg)
{
	struct visit *v = arg;
	struct conn *next;

	for (struct conn *c = v->node->conns[reactor_index(r)]; c; c = next) {
		next = c->next;
		if (!c->session || !conn_is_full(c) || c->session->tsih != v->tsih)
			continue;
		log_warning_of(conn_fields(c), "%s: session dropped by the administrator", c->peer);
		async_drop(c, ASYNC_SESSION_DROPPED);
		g_atomic_int_set(&v->dropped, 1);
	}
}

bool node_drop_session(struct node *n, uint16_t tsih)
{
	struct visit v = { .node = n, .tsih = tsih };

	engine_each(n->engine, drop_here, &v);
	return g_atomic_int_get(&v.dropped);
}
