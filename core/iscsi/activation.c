/* SPDX-License-Identifier: Apache-2.0 */
/* activation.c - see activation.h */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>
#include "iscsi/activation.h"

#define FIRST_FD 3	/* SD_LISTEN_FDS_START */
#define FDS_MAX 1024u

/* Of the process, as the environment and the descriptors are. */
static struct passed {
	int fd;			/* -1: claimed */
	char *name;		/* systemd.socket(5) FileDescriptorName=, or NULL */
	char *address;		/* "ADDR:PORT" */
	struct sockaddr_storage addr;
} *passed;
static unsigned n_passed;

static char *take_variable(const char *name)
{
	char *value = g_strdup(g_getenv(name));

	g_unsetenv(name);
	return value;
}

static int option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -1 : value;
}

static bool inspect(struct passed *s, GError **error)
{
	socklen_t len = sizeof s->addr;
	char host[64], port[8];
	int flags = fcntl(s->fd, F_GETFL);

	if (option(s->fd, SO_TYPE) != SOCK_STREAM || option(s->fd, SO_ACCEPTCONN) != 1 ||
	    getsockname(s->fd, (struct sockaddr *)&s->addr, &len) < 0 ||
	    (s->addr.ss_family != AF_INET && s->addr.ss_family != AF_INET6) ||
	    getnameinfo((struct sockaddr *)&s->addr, len, host, sizeof host, port, sizeof port,
			NI_NUMERICHOST | NI_NUMERICSERV)) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "socket activation: descriptor %d (%s) is no listening TCP "
			    "socket", s->fd, s->name ? s->name : "no name");
		return false;
	}
	s->address = g_strdup_printf(s->addr.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	if (flags < 0 || fcntl(s->fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(s->fd, F_SETFD, FD_CLOEXEC) < 0) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "socket activation: descriptor %d: %s", s->fd,
			    g_strerror(errno));
		return false;
	}
	return true;
}

bool activation_take(GError **error)
{
	g_autofree char *pid = take_variable("LISTEN_PID"), *fds = take_variable("LISTEN_FDS");
	g_autofree char *text = take_variable("LISTEN_FDNAMES");
	g_auto(GStrv) names = text ? g_strsplit(text, ":", -1) : NULL;
	guint64 n, whose;

	if (!pid || !fds)
		return true;
	if (!g_ascii_string_to_unsigned(pid, 10, 1, G_MAXINT, &whose, NULL) ||
	    !g_ascii_string_to_unsigned(fds, 10, 0, FDS_MAX, &n, NULL)) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "socket activation: LISTEN_PID=%s LISTEN_FDS=%s: not numbers",
			    pid, fds);
		return false;
	}
	if (whose != (guint64)getpid())		/* they were for a process that started us */
		return true;
	if (names && g_strv_length(names) != n) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "socket activation: LISTEN_FDNAMES=%s: not %u names", text,
			    (unsigned)n);
		return false;
	}
	passed = g_new0(struct passed, n);
	n_passed = (unsigned)n;
	for (unsigned i = 0; i < n_passed; i++) {
		passed[i].fd = FIRST_FD + (int)i;
		passed[i].name = g_strdup(names ? names[i] : NULL);
		if (!inspect(&passed[i], error))
			return false;
	}
	return true;
}

static bool is_bound(const struct sockaddr_storage *bound, const struct sockaddr *to)
{
	const struct sockaddr_in *a = (const struct sockaddr_in *)(const void *)bound,
				 *b = (const struct sockaddr_in *)(const void *)to;
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)(const void *)bound,
				  *b6 = (const struct sockaddr_in6 *)(const void *)to;

	if (bound->ss_family != to->sa_family)
		return false;
	if (to->sa_family == AF_INET)
		return a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr;
	return a6->sin6_port == b6->sin6_port && a6->sin6_scope_id == b6->sin6_scope_id &&
	       IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr);
}

static struct passed *find(const char *name, const char *address, uint16_t port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE }, *ai;
	g_autofree char *service = g_strdup_printf("%u", port);
	struct passed *found = NULL;

	for (unsigned i = 0; i < n_passed; i++)
		if (passed[i].fd >= 0 && name && g_strcmp0(passed[i].name, name) == 0)
			return &passed[i];
	if (!n_passed || getaddrinfo(address, service, &hints, &ai))
		return NULL;
	for (unsigned i = 0; i < n_passed && !found; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): getaddrinfo() did not fail, so there is one */
		if (passed[i].fd >= 0 && is_bound(&passed[i].addr, ai->ai_addr))
			found = &passed[i];
	freeaddrinfo(ai);
	return found;
}

int activation_claim(const char *name, const char *address, uint16_t port)
{
	struct passed *s = find(name, address, port);
	int fd = s ? s->fd : -1;

	if (s)
		s->fd = -1;
	return fd;
}

bool activation_used(GError **error)
{
	for (unsigned i = 0; i < n_passed; i++)
		if (passed[i].fd >= 0) {
			g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "socket activation: no portal has the name %s or the "
				    "address %s of descriptor %d", passed[i].name ? passed[i].name : "(none)",
				    passed[i].address, passed[i].fd);
			return false;
		}
	return true;
}

char **activation_portals(void)
{
	char **portals = n_passed ? g_new0(char *, n_passed + 1) : NULL;

	for (unsigned i = 0; i < n_passed; i++)
		portals[i] = g_strdup(passed[i].address);
	return portals;
}
