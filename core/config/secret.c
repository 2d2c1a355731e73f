/* SPDX-License-Identifier: Apache-2.0 */
/* secret.c - see secret.h.  No message has a secret. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "config/secret.h"
#include "config/server.h"
#include "engine/vault.h"

#define FAIL(...) g_set_error(error, SERVER_ERROR, 0, __VA_ARGS__)

/* Ours alone: not for group and others, and root's or ours.  A credential is as the service manager made it. */
static bool keeps_it(const struct stat *st, const char *path, bool credential, GError **error)
{
	if (!S_ISREG(st->st_mode))
		FAIL("%s: not a file", path);
	else if (!credential && st->st_mode & (S_IRWXG | S_IRWXO))
		FAIL("%s: group or others have access to it, mode %04o; chmod 600 it", path, st->st_mode & 07777u);
	else if (!credential && st->st_uid && st->st_uid != geteuid())
		FAIL("%s: belongs to user %u, neither root nor this user", path, (unsigned)st->st_uid);
	else
		return true;
	return false;
}

static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t got = 1;

	while (len < size && (got = read(fd, buf + len, size - len)) != 0) {
		if (got < 0 && errno != EINTR)
			return -1;
		len += got > 0 ? (size_t)got : 0;
	}
	return (ssize_t)len;
}

char *secret_read(const char *path, bool credential, GError **error)
{
	char buf[SECRET_MAX + 2], *text = NULL;	/* a newline, and one too many */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t len = -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		FAIL("%s: %s", path, g_strerror(errno));	/* NOLINT(bugprone-branch-clone): errno is another's below */
	else if (keeps_it(&st, path, credential, error) && (len = read_all(fd, buf, sizeof buf)) < 0)
		FAIL("%s: %s", path, g_strerror(errno));
	if (fd >= 0)
		close(fd);
	/* NOLINTNEXTLINE(uninitvar): read_all() has filled it when len is not -1 */
	if (len > 0 && buf[len - 1] == '\n')
		len--;
	if (len >= 0 && memchr(buf, '\0', (size_t)len))
		FAIL("%s: has a NUL in it", path);
	else if (len >= 0)
		text = vault_strndup(buf, (size_t)len);
	explicit_bzero(buf, sizeof buf);
	return text;
}
