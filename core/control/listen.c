/* SPDX-License-Identifier: Apache-2.0 */
/* listen.c - the socket, and what may be in its place. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "control/listen.h"
#include "engine/log.h"

#define LOG_DOMAIN LOGD_CONTROL

#define BACKLOG 32

static bool fail(const char *path, GError **error)
{
	g_set_error(error, G_IO_ERROR, (gint)g_io_error_from_errno(errno), "control socket %s: %s", path,
		    g_strerror(errno));
	return false;
}

/* True: it is not there, or nobody's and gone now.  Who is not a socket, or answers, stays. */
static bool clear_place(const char *path, const struct sockaddr_un *addr, GError **error)
{
	struct stat st;
	int fd, r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT || fail(path, error);
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return fail(path, error);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(path, error);
	r = connect(fd, (const struct sockaddr *)addr, sizeof *addr) < 0 ? errno : 0;
	close(fd);
	if (r != ECONNREFUSED) {
		/* EAGAIN: its backlog is full. */
		errno = !r || r == EAGAIN ? EADDRINUSE : r;
		return fail(path, error);
	}
	log_info("control socket %s: replaced, nobody listened there", path);
	return unlink(path) == 0 || errno == ENOENT || fail(path, error);
}

/* unix(7): the file gets the socket's mode less the umask.  Before listen() nobody can connect. */
static bool give(int fd, const char *path, const struct sockaddr_un *addr, const char *group, GError **error)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe, getgrnamCalled): [main], and nobody else looks at groups */
	const struct group *g = group ? getgrnam(group) : NULL;

	if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)addr, sizeof *addr) < 0)
		return fail(path, error);
	if (g && g->gr_gid != getegid() && lchown(path, (uid_t)-1, g->gr_gid) < 0)
		log_warning("control socket %s: group %s: %s", path, group, g_strerror(errno));
	if (chmod(path, 0660) < 0 || listen(fd, BACKLOG) < 0) {
		fail(path, error);
		unlink(path);
		return false;
	}
	return true;
}

/* Two daemons that start at once must not each take the other's socket for a dead one's. */
static int lock_dir(const char *path, GError **error)
{
	g_autofree char *dir = g_path_get_dirname(path);
	int fd = g_mkdir_with_parents(dir, 0755) < 0 ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		fail(path, error);
	return fd;
}

GSocket *listen_unix(const char *path, const char *group, GError **error)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	GSocket *s = NULL;
	int fd, dir;

	if (strlen(path) >= sizeof addr.sun_path) {
		errno = ENAMETOOLONG;
		fail(path, error);
		return NULL;
	}
	memcpy(addr.sun_path, path, strlen(path));
	dir = lock_dir(path, error);
	if (dir < 0)
		return NULL;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		fail(path, error);
	else if (clear_place(path, &addr, error) && give(fd, path, &addr, group, error))
		s = g_socket_new_from_fd(fd, error);
	if (!s && fd >= 0)
		close(fd);
	close(dir);
	return s;
}
