/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c - a connection's life: start, events, flush at the end of each batch, end. */
#include "config.h"
#include <pthread.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>
#include "iscsi/address.h"
#include "iscsi/cmd.h"
#include "iscsi/count.h"
#include "iscsi/login.h"
#include "iscsi/logins.h"
#include "iscsi/logout.h"
#include "iscsi/nop.h"
#include "iscsi/pdu.h"
#include "iscsi/portal.h"
#include "iscsi/rx.h"
#include "iscsi/session.h"
#include "iscsi/text.h"
#include "iscsi/tx.h"

#define LOG_DOMAIN LOGD_ISCSI

static void update_events(struct conn *c)
{
	uint32_t events = (rx_blocked(c) ? 0 : EPOLLIN) | (c->tx_full ? EPOLLOUT : 0);

	if (c->state == CONN_CLOSING || events == c->events)
		return;
	c->events = events;
	reactor_rewatch(c->reactor, &c->watch, events);
}

static void flush(struct defer *d)
{
	struct conn *c = container_of(d, struct conn, flush);
	bool was_blocked = rx_blocked(c);
	enum tx_result r;

	if (c->state == CONN_CLOSING)
		return;
	r = tx_flush(c);
	c->tx_full = r == TX_FULL;
	if (r == TX_ERROR) {
		conn_drop(c, errno == EPIPE || errno == ECONNRESET ? NULL : g_strerror(errno));
		return;
	}
	if (r == TX_EMPTY && c->close_when_sent) {
		conn_drop(c, NULL);
		return;
	}
	if (was_blocked && !rx_blocked(c))
		rx_parse(c);
	update_events(c);
}

static void ready(struct watch *w, uint32_t events)
{
	struct conn *c = container_of(w, struct conn, watch);

	if (events & EPOLLOUT)
		reactor_defer(c->reactor, &c->flush);
	if (!rx_blocked(c))
		rx_ready(c);
	else if (events & (EPOLLHUP | EPOLLERR))
		conn_drop(c, NULL);
	if (c->flush.queued) {	/* now: its peer goes on while we see to the next, and what was touched is still warm */
		reactor_undefer(c->reactor, &c->flush);
		flush(&c->flush);
	} else {
		update_events(c);
	}
}

static void go_on(struct defer *d)
{
	struct conn *c = container_of(d, struct conn, go_on);

	if (c->state == CONN_CLOSING || rx_blocked(c))
		return;
	rx_parse(c);
	update_events(c);
}

struct log_fields conn_fields(const struct conn *c)
{
	const struct session *s = c->session;

	return (struct log_fields){ .target = s && s->target ? s->target->name : NULL,
				    .initiator = s ? s->initiator : NULL, .conn = c->peer };
}

bool conn_event(struct conn *c, enum conn_event e)
{
	const struct transition *t = conn_transition(c->state, e);

	if (!t->number) {
		log_warning_of(conn_fields(c), "%s: no transition for %s in state %s", c->peer, conn_event_name(e),
			       conn_state_name(c->state));
		conn_drop(c, NULL);
		return false;
	}
	log_debug_of(conn_fields(c), "%s: %s (%s): %s to %s", c->peer, conn_event_name(e), t->number,
		     conn_state_name(c->state), conn_state_name(t->next));
	c->state = t->next;
	return true;
}

static void tick(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);

	if (c->state < CONN_LOGGED_IN)
		conn_drop(c, "login took too long");
	else if (conn_is_full(c))
		nop_tick(c);
	else
		conn_drop(c, NULL);	/* it does not read its last answers */
}

void conn_logged_in(struct conn *c)
{
	struct node *n = c->node;

	if (!conn_event(c, CONN_LOGIN_DONE))
		return;
	if (c->session->state == SESSION_ACTIVE)
		session_event(c->session, SESSION_LOGIN_DONE);
	count_login(c, STATS_LOGINS);
	pthread_mutex_lock(&n->lock);
	logins_over(n, c);
	pthread_mutex_unlock(&n->lock);
	reactor_timer_cancel(c->reactor, &c->timer);
	nop_tick(c);
}

/* ---- out ---- */

void conn_stamp(struct conn *c, uint8_t bhs[BHS_LEN], bool advance)
{
	struct session *s = c->session;

	put32(bhs + 24, c->stat_sn);
	if (advance)
		c->stat_sn++;
	if (s) {
		uint32_t max = s->exp_cmd_sn + (s->depth > s->open ? s->depth - s->open : 0) - 1;

		if (sn_lt(s->max_cmd_sn, max))	/* RFC 7143 4.2.2.1: it never goes back */
			s->max_cmd_sn = max;
		put32(bhs + 28, s->exp_cmd_sn);
		put32(bhs + 32, s->max_cmd_sn);
	} else {
		put32(bhs + 28, c->login_cmd_sn);
		put32(bhs + 32, c->login_cmd_sn);
	}
}

void conn_send(struct conn *c, uint8_t bhs[BHS_LEN], const void *data, uint32_t len)
{
	tx_copy(c, bhs, data, len, NULL);
}

void conn_finish(struct conn *c)
{
	if (c->state == CONN_CLOSING)
		return;
	c->close_when_sent = true;
	reactor_timer_set(c->reactor, &c->timer, 5000);
	reactor_defer(c->reactor, &c->flush);
}

void conn_resume(struct conn *c)
{
	if (c->state == CONN_CLOSING)
		return;
	c->paused = false;
	rx_parse(c);
	update_events(c);
}

void conn_pause(struct conn *c)
{
	if (c->state == CONN_CLOSING)
		return;
	c->paused = true;
	reactor_timer_cancel(c->reactor, &c->timer);
	update_events(c);
}

/* ---- the end ---- */

static void moving_free(struct conn *c);

static void unlink_here(struct conn *c)
{
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
}

static void reap(struct defer *d)
{
	struct conn *c = container_of(d, struct conn, reap);
	struct node *n = c->node;
	unsigned r = reactor_index(c->reactor);

	reactor_undefer(c->reactor, &c->flush);
	reactor_unagain(c->reactor, &c->go_on);
	rx_free(c);
	if (!c->was_logged_in && login_under_way(c->login))
		count_login(c, STATS_LOGIN_FAILURES);
	if (c->login)
		login_free(c->login);
	if (c->text)
		text_free(c->text);
	unlink_here(c);
	moving_free(c);
	pthread_mutex_lock(&n->lock);
	n->n_conns[r]--;
	n->conns_total--;
	logins_over(n, c);
	portal_conn_over(c->portal);
	c->reaped = c->evicting;
	pthread_cond_broadcast(&n->idle);
	pthread_mutex_unlock(&n->lock);
	if (!c->reaped)
		g_free(c);
}

/* Whatever has become of it meanwhile. */
static void evict(struct post *p)
{
	struct conn *c = container_of(p, struct conn, evict);

	if (reactor_self() != c->reactor) {
		reactor_post(c->reactor, p);
		return;
	}
	if (c->reaped) {
		g_free(c);
		return;
	}
	pthread_mutex_lock(&c->node->lock);
	c->evicting = false;
	pthread_mutex_unlock(&c->node->lock);
	if (c->state < CONN_LOGGED_IN)
		conn_drop(c, "others log in, and it does not");
}

void conn_drop(struct conn *c, const char *why)
{
	if (c->state == CONN_CLOSING)
		return;
	if (why && node_tells(c->node, GOTGT_LOG_WARNING))
		log_warning_of(conn_fields(c), "%s: connection dropped: %s", c->peer, why);
	c->was_logged_in = c->state >= CONN_LOGGED_IN;
	conn_event(c, c->logged_out && c->was_logged_in ? CONN_LEFT : CONN_FAILED);
	reactor_unwatch(c->reactor, &c->watch);
	close(c->watch.fd);
	reactor_timer_cancel(c->reactor, &c->timer);
	session_forget_login(c);
	c->into.active = false;
	c->into.cmd = NULL;
	tx_clear(c);
	if (c->session)
		session_conn_lost(c);
	reactor_defer(c->reactor, &c->reap);
}

/* ---- the beginning ---- */

static void name_peer(struct conn *c)
{
	char host[48], port[8];

	if ((c->from.ss_family != AF_INET && c->from.ss_family != AF_INET6) ||
	    getnameinfo((struct sockaddr *)&c->from, sizeof c->from, host, sizeof host, port, sizeof port,
			NI_NUMERICHOST | NI_NUMERICSERV))
		g_strlcpy(c->peer, "local", sizeof c->peer);
	else
		g_snprintf(c->peer, sizeof c->peer, c->from.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static void begin_here(struct conn *c, uint64_t login_ms)
{
	struct conn **list = &c->node->conns[reactor_index(c->reactor)];

	c->next = *list;
	c->prev = list;
	if (c->next)
		c->next->prev = &c->next;
	*list = c;
	c->heard_ms = reactor_now_ms(c->reactor);
	c->events = EPOLLIN;
	reactor_timer_set(c->reactor, &c->timer, login_ms);
	if (reactor_watch(c->reactor, &c->watch, c->events) < 0)
		conn_drop(c, "cannot watch the socket");
}

static void start(struct post *p)
{
	struct conn *c = container_of(p, struct conn, post);

	begin_here(c, c->node->login_timeout_s * UINT64_C(1000));
}

/* ---- to another reactor ---- */

struct moving {
	struct defer leave;
	struct conn *conn;
	struct reactor *to;
	uint64_t due_ms;		/* of the login's timeout; all reactors have the same clock */
	uint32_t ahs_len, data_len;
	uint8_t bytes[];		/* BHS, AHS, data of the PDU that goes with it */
};

static void moving_free(struct conn *c)
{
	if (c->moving)
		reactor_undefer(c->reactor, &c->moving->leave);
	g_clear_pointer(&c->moving, g_free);
}

static void arrive(struct post *p)
{
	struct conn *c = container_of(p, struct conn, post);
	struct moving *m = g_steal_pointer(&c->moving);
	struct pdu pdu = { .bhs = m->bytes, .ahs = m->bytes + BHS_LEN, .ahs_len = m->ahs_len,
			   .data = m->bytes + BHS_LEN + m->ahs_len, .data_len = m->data_len };
	uint64_t now_ms = reactor_now_ms(c->reactor);
	struct verdict v;

	c->paused = false;
	begin_here(c, m->due_ms > now_ms ? m->due_ms - now_ms : 0);
	if (c->state != CONN_CLOSING) {
		v = pdu_handle(c, &pdu, pdu.data_len, false);
		if (v.act == PDU_DROP)
			conn_drop(c, v.why);
		update_events(c);
	}
	g_free(m);
}

/* Nothing on the stack knows the connection, and no buffer of this reactor is left with it. */
static void leave(struct defer *d)
{
	struct moving *m = container_of(d, struct moving, leave);
	struct conn *c = m->conn;
	struct node *n = c->node;

	if (c->state == CONN_CLOSING)
		return;
	if (c->tx_head || !rx_is_empty(c)) {
		conn_drop(c, "it does not wait for the answers to its login");
		return;
	}
	rx_free(c);
	reactor_unwatch(c->reactor, &c->watch);
	reactor_undefer(c->reactor, &c->flush);
	reactor_unagain(c->reactor, &c->go_on);
	m->due_ms = c->timer.due_ms;
	reactor_timer_cancel(c->reactor, &c->timer);
	unlink_here(c);
	pthread_mutex_lock(&n->lock);
	n->n_conns[reactor_index(c->reactor)]--;
	n->n_conns[reactor_index(m->to)]++;
	c->reactor = m->to;
	pthread_mutex_unlock(&n->lock);
	c->counts = NULL;
	c->post.run = arrive;
	reactor_post(c->reactor, &c->post);
}

void conn_move(struct conn *c, struct reactor *to, const struct pdu *p)
{
	struct moving *m = g_malloc0(sizeof *m + BHS_LEN + p->ahs_len + p->data_len);

	*m = (struct moving){ .leave.run = leave, .conn = c, .to = to, .ahs_len = p->ahs_len, .data_len = p->data_len };
	memcpy(m->bytes, p->bhs, BHS_LEN);
	memcpy(m->bytes + BHS_LEN, p->ahs, p->ahs_len);
	memcpy(m->bytes + BHS_LEN + p->ahs_len, p->data, p->data_len);
	c->moving = m;
	c->paused = true;
	reactor_defer(c->reactor, &m->leave);
}

/*
 * A peer that is gone is noticed by TCP as well: while our data waits to be acknowledged, and in silence, which is all
 * there is in a discovery session (nop.c).  These fail on a socket that is not TCP, where nobody vanishes.
 */
static void watch_peer(const struct node *n, int fd)
{
	unsigned user_ms = n->tcp_user_timeout_s * 1000u;
	int on = 1, idle_s = (int)MAX(n->nop_interval_s, 1);

	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_ms, sizeof user_ms);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

/*
 * Within a machine there is nothing to be congested, and an algorithm that paces what it sends by what it has measured, as
 * BBR does, waits for timers instead: 128 KiB at a time come at a third of the speed.  Between machines, and network
 * namespaces, it is as the system is set up.
 */
static void do_not_pace(int fd, const struct sockaddr_storage *from, const struct sockaddr_storage *local)
{
	static const char algorithm[] = "reno";	/* the one that every Linux has, and lets anybody choose */

	if (address_is_here(from, local))
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, algorithm, sizeof algorithm - 1);
}

void conn_start(struct node *n, struct portal *portal, struct reactor *r, int fd, const struct sockaddr_storage *from)
{
	struct conn *c = g_new0(struct conn, 1);
	socklen_t len = sizeof c->local;
	int one = 1;

	*c = (struct conn){ .watch = { fd, ready }, .reactor = r, .node = n, .portal = portal, .state = CONN_XPT_UP,
			    .params = params_initial, .flush.run = flush, .go_on.run = go_on, .reap.run = reap, .timer.expired = tick,
			    .post.run = start, .evict.run = evict };
	/* Fails on a socket that is not TCP, where nothing is delayed. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	watch_peer(n, fd);
	if (getsockname(fd, (struct sockaddr *)&c->local, &len) < 0)
		memset(&c->local, 0, sizeof c->local);
	do_not_pace(fd, from, &c->local);
	c->from = *from;
	name_peer(c);
	pthread_mutex_lock(&n->lock);
	logins_add(n, c);
	reactor_post(r, &c->post);	/* before it can be told to go */
	pthread_mutex_unlock(&n->lock);
}
