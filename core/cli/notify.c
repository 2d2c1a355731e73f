/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c - one datagram to the service manager: sd_notify(3) has the protocol. */
#include "config.h"
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "cli/cli.h"
#include "engine/log.h"

#define LOG_DOMAIN LOGD_DAEMON

void notify(const char *state)
{
	const char *path = g_getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (!len || (*path != '/' && *path != '@') || len >= sizeof to.sun_path)
		return;
	memcpy(to.sun_path, path, len);
	if (*path == '@')
		to.sun_path[0] = '\0';	/* the abstract namespace, unix(7) */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		log_warning("service manager: %s", g_strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void (*prove)(void *data);

static gboolean on_watchdog(gpointer data)
{
	prove(data);
	notify("WATCHDOG=1");
	return G_SOURCE_CONTINUE;
}

/* Twice in the time it waits, as sd_watchdog_enabled(3) says. */
void watchdog_start(void (*alive)(void *data), void *data)
{
	const char *usec = g_getenv("WATCHDOG_USEC"), *pid = g_getenv("WATCHDOG_PID");
	guint64 wait, whose;

	if (!usec || !g_ascii_string_to_unsigned(usec, 10, 1, G_MAXUINT32 * (guint64)1000, &wait, NULL))
		return;
	if (pid && (!g_ascii_string_to_unsigned(pid, 10, 1, G_MAXINT32, &whose, NULL) || whose != (guint64)getpid()))
		return;
	prove = alive;
	g_timeout_add((guint)MAX(wait / 2000, 1), on_watchdog, data);
}
