/* SPDX-License-Identifier: Apache-2.0 */
/* portal.c - accept connections. */
#include "config.h"
#include <pthread.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "engine/log.h"
#include "iscsi/address.h"
#include "iscsi/conn.h"
#include "iscsi/logins.h"
#include "iscsi/portal.h"

#define LOG_DOMAIN LOGD_ISCSI

#define BACKLOG 1024
#define RETRY_MS 500	/* out of descriptors or memory: the backlog waits so long */
#define REFUSED_QUIET_US (5 * G_USEC_PER_SEC)
#define FILES_KEPT 160u	/* of RLIMIT_NOFILE, or a quarter: for control, state files, devices that are added */
#define ACCEPTS 64	/* at a time, so that sessions get their turn */

struct portal {
	struct watch watch;
	struct timer retry;
	struct node *node;
	struct reactor *reactor;
	struct sockaddr_storage addr;
	char *name;
	char *advertise;	/* "HOST:PORT", or NULL: as bound; under node->lock */
	uint16_t tag;
	bool open;
	struct stats_set *stats;
	unsigned n_conns;	/* under node->lock */
};

static void set_error(GError **error, const char *addr, uint16_t port, const char *what, const char *why)
{
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "portal %s port %u: %s: %s", addr, port, what, why);
}

static int bound_socket(const struct addrinfo *ai, const char **what)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	*what = "socket";
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (ai->ai_family == AF_INET6)	/* so that 0.0.0.0 and :: can both be portals */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	*what = "bind";
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0) {
		*what = "listen";
		if (listen(fd, BACKLOG) == 0)
			return fd;
	}
	one = errno;
	close(fd);
	errno = one;
	return -1;
}

static void learn_name(struct portal *p)
{
	socklen_t len = sizeof p->addr;
	char host[64] = "?", port[8] = "0";

	getsockname(p->watch.fd, (struct sockaddr *)&p->addr, &len);
	getnameinfo((struct sockaddr *)&p->addr, len, host, sizeof host, port, sizeof port,
		    NI_NUMERICHOST | NI_NUMERICSERV);
	p->name = g_strdup_printf(p->addr.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* ---- accepting ---- */

static struct reactor *least_loaded(struct node *n, struct portal *p, const struct sockaddr_storage *from)
{
	struct engine *e = n->engine;
	unsigned best = 0;
	struct reactor *r = NULL;

	pthread_mutex_lock(&n->lock);
	if (logins_begin(n, from)) {
		for (unsigned i = 1; i < e->n_reactors; i++)
			if (n->n_conns[i] < n->n_conns[best])
				best = i;
		n->n_conns[best]++;
		n->conns_total++;
		if (p)
			p->n_conns++;
		r = e->reactors[best];
	}
	pthread_mutex_unlock(&n->lock);
	return r;
}

/* Of a flood one line each few seconds is enough. */
static void complain(struct node *n, const struct sockaddr_storage *from)
{
	gint64 now_us = g_get_monotonic_time();
	char host[64] = "local";
	unsigned untold = 0;
	bool tell;

	pthread_mutex_lock(&n->lock);
	tell = !n->refused_told_us || now_us - n->refused_told_us > REFUSED_QUIET_US;
	if (tell) {
		untold = n->refused_untold;
		n->refused_told_us = now_us;
	}
	n->refused_untold = tell ? 0 : n->refused_untold + 1;
	pthread_mutex_unlock(&n->lock);
	if (!tell)
		return;
	if (from->ss_family == AF_INET || from->ss_family == AF_INET6)
		getnameinfo((const struct sockaddr *)from, sizeof *from, host, sizeof host, NULL, 0, NI_NUMERICHOST);
	log_warning_of(((struct log_fields){ .conn = host }),
		       "%s: connection refused: too many connections, logins under way or open files (and %u others before)", host,
		       untold);
}

/* The kernel gives the lowest number that is free. */
static bool leaves_few_files(int fd)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur == RLIM_INFINITY)
		return false;
	return (rlim_t)fd >= files.rlim_cur - MIN(files.rlim_cur / 4, FILES_KEPT);
}

void node_adopt(struct node *n, struct portal *p, int fd)
{
	struct sockaddr_storage from = { 0 };
	socklen_t len = sizeof from;
	struct reactor *r;

	if (getpeername(fd, (struct sockaddr *)&from, &len) < 0)
		memset(&from, 0, sizeof from);
	address_unmap(&from);	/* so that lists of IPv4 addresses hold for it */
	r = leaves_few_files(fd) ? NULL : least_loaded(n, p, &from);
	if (r) {
		conn_start(n, p, r, fd, &from);
	} else {
		complain(n, &from);
		close(fd);
	}
}

static void accept_ready(struct watch *w, uint32_t events)
{
	struct portal *p = container_of(w, struct portal, watch);

	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			node_adopt(p->node, p, fd);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_error("portal %s: accept: %s", p->name, g_strerror(errno));
			reactor_rewatch(p->reactor, w, 0);
			reactor_timer_set(p->reactor, &p->retry, RETRY_MS);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

static void watch(struct portal *p)
{
	int r = p->open ? reactor_rewatch(p->reactor, &p->watch, EPOLLIN) : reactor_watch(p->reactor, &p->watch, EPOLLIN);

	if (!r) {
		p->open = true;
		return;
	}
	log_error("portal %s: cannot watch it: %s", p->name, g_strerror(-r));
	reactor_timer_set(p->reactor, &p->retry, RETRY_MS);
}

static void retry(struct timer *t)
{
	watch(container_of(t, struct portal, retry));
}

struct portal *portal_new_on(struct node *n, int fd, uint16_t tag)
{
	struct portal *p = g_new0(struct portal, 1);

	*p = (struct portal){ .watch = { fd, accept_ready }, .retry.expired = retry, .node = n,
			      .reactor = n->engine->reactors[0], .tag = tag,
			      .stats = stats_set_new(n->engine->n_reactors) };
	learn_name(p);
	return p;
}

struct portal *portal_new(struct node *n, const char *addr, uint16_t port, uint16_t tag, GError **error)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE };
	g_autofree char *service = g_strdup_printf("%u", port);
	struct addrinfo *ai;
	const char *what = NULL;
	int fd, r;

	r = getaddrinfo(addr, service, &hints, &ai);
	if (r) {
		set_error(error, addr, port, "not an address", gai_strerror(r));
		return NULL;
	}
	fd = bound_socket(ai, &what);
	freeaddrinfo(ai);
	if (fd < 0) {
		set_error(error, addr, port, what, g_strerror(errno));
		return NULL;
	}
	return portal_new_on(n, fd, tag);
}

static void open_here(void *arg)
{
	watch(arg);
}

static void close_here(void *arg)
{
	struct portal *p = arg;

	if (p->open)
		reactor_unwatch(p->reactor, &p->watch);
	reactor_timer_cancel(p->reactor, &p->retry);
	p->open = false;
}

void portal_open(struct portal *p)
{
	reactor_call(p->reactor, open_here, p);
}

void portal_close(struct portal *p)
{
	reactor_call(p->reactor, close_here, p);
	if (p->watch.fd >= 0)
		close(p->watch.fd);
	p->watch.fd = -1;
}

void portal_free(struct portal *p)
{
	if (p->watch.fd >= 0)
		close(p->watch.fd);
	stats_set_free(p->stats);
	g_free(p->advertise);
	g_free(p->name);
	g_free(p);
}

const char *portal_name(const struct portal *p) { return p->name; }
const char *portal_advertised(const struct portal *p) { return p->advertise; }

void portal_advertise(struct portal *p, const char *text)
{
	char full[ADDRESS_MAX];

	if (text)
		address_target(full, text, (uint16_t)strtoul(strrchr(p->name, ':') + 1, NULL, 10));
	pthread_mutex_lock(&p->node->lock);
	g_free(p->advertise);
	p->advertise = g_strdup(text ? full : NULL);
	pthread_mutex_unlock(&p->node->lock);
}

uint16_t portal_tag(const struct portal *p) { return p->tag; }
struct stats_set *portal_stats(const struct portal *p) { return p->stats; }
unsigned portal_connections(const struct portal *p) { return p->n_conns; }

void portal_conn_over(struct portal *p)
{
	if (p)
		p->n_conns--;
}
