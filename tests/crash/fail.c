/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fail.c - preloaded into a server: a system call of the data path fails, as FAIL="CALL ERRNO EVERY COUNT" says: each
 * EVERY-th call, COUNT times.  ERRNO 0: it does a part of what it was asked for.  CALL dsync: what pwritev2() with
 * RWF_DSYNC writes, it does not make stable.  Nothing fails before the file
 * $FAIL_WHEN is there; after the last failure it is removed.  FAIL_SLOW=MS: each fdatasync() until then that does not
 * fail takes that long.  FAIL="seen ERRNO 1 COUNT": what was written before $FAIL_WHEN was there is lost, and another
 * program has been told: Linux tells each file that was opened before then, once, and none that is opened later.
 */
#include "config.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static char which[32];
static int error;
static unsigned every;
static atomic_uint calls, left;
static const char *when;
static unsigned slow_ms;

static void __attribute__((constructor)) begin(void)
{
	const char *text = getenv("FAIL");
	unsigned count;

	when = getenv("FAIL_WHEN");
	if (!when || !text || sscanf(text, "%31s %d %u %u", which, &error, &every, &count) != 4)
		abort();
	atomic_store(&left, count);
	text = getenv("FAIL_SLOW");
	slow_ms = text ? (unsigned)atoi(text) : 0;
}

static bool fails(const char *call)
{
	int saved = errno;
	bool armed;

	if (strcmp(call, which) || !atomic_load(&left))
		return false;
	armed = access(when, F_OK) == 0;
	errno = saved;
	if (!armed || (atomic_fetch_add(&calls, 1) + 1) % every)
		return false;
	if (atomic_fetch_sub(&left, 1) == 1)
		unlink(when);
	return true;
}

/* Half of the bytes of an array, into one of ours. */
static int half(const struct iovec *iov, int n, struct iovec *out)
{
	size_t all = 0;
	int m = 0;

	for (int i = 0; i < n; i++)
		all += iov[i].iov_len;
	all = (all + 1) / 2;
	for (int i = 0; i < n && all; i++, m++) {
		out[m].iov_base = iov[i].iov_base;
		out[m].iov_len = iov[i].iov_len < all ? iov[i].iov_len : all;
		all -= out[m].iov_len;
	}
	return m;
}

EXPORT ssize_t preadv2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	struct iovec part[1024];

	if (!fails("preadv2"))
		return REAL(preadv2)(fd, iov, n, at, flags);
	if (!error)
		return REAL(preadv2)(fd, part, half(iov, n, part), at, flags);
	errno = error;
	return -1;
}

EXPORT ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	struct iovec part[1024];

	if (flags & RWF_DSYNC && fails("dsync")) {
		if (REAL(pwritev2)(fd, iov, n, at, 0) >= 0)
			errno = error;
		return -1;
	}
	if (!fails("pwritev2"))
		return REAL(pwritev2)(fd, iov, n, at, flags);
	if (!error)
		return REAL(pwritev2)(fd, part, half(iov, n, part), at, flags);
	errno = error;
	return -1;
}

static atomic_bool knows_of_none[1024];		/* of what was lost: by descriptor */

static int opened(int fd)
{
	int saved = errno;

	if (fd >= 0 && fd < (int)(sizeof knows_of_none / sizeof *knows_of_none))
		atomic_store(&knows_of_none[fd], access(when, F_OK) == 0);
	errno = saved;
	return fd;
}

static bool is_told(int fd)
{
	return !strcmp(which, "seen") && access(when, F_OK) == 0 && !atomic_exchange(&knows_of_none[fd], true) && fails("seen");
}

EXPORT int open(const char *path, int flags, ...)
{
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	return opened(REAL(open)(path, flags, mode));
}

/* What open() is with _FORTIFY_SOURCE, where flags are not known by the compiler. */
EXPORT int __open_2(const char *path, int flags);
EXPORT int __open_2(const char *path, int flags)
{
	return opened(REAL(open)(path, flags));
}

EXPORT int fdatasync(int fd)
{
	bool slow = slow_ms && access(when, F_OK) == 0;

	if (!fails("fdatasync") && !is_told(fd)) {
		if (slow)
			usleep(slow_ms * 1000);
		return REAL(fdatasync)(fd);
	}
	errno = error;
	return -1;
}

EXPORT int fsync(int fd)
{
	if (!fails("fsync"))
		return REAL(fsync)(fd);
	errno = error;
	return -1;
}

EXPORT int fallocate(int fd, int mode, off_t at, off_t len)
{
	if (!fails("fallocate"))
		return REAL(fallocate)(fd, mode, at, len);
	errno = error;
	return -1;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	struct iovec part[1024];
	struct msghdr less = *m;

	if (!fails("recvmsg"))
		return REAL(recvmsg)(fd, m, flags);
	if (!error) {
		less.msg_iov = part;
		less.msg_iovlen = (size_t)half(m->msg_iov, (int)m->msg_iovlen, part);
		return REAL(recvmsg)(fd, &less, flags);
	}
	errno = error;
	return -1;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct iovec part[1024];
	struct msghdr less = *m;

	if (!fails("sendmsg"))
		return REAL(sendmsg)(fd, m, flags);
	if (!error) {
		less.msg_iov = part;
		less.msg_iovlen = (size_t)half(m->msg_iov, (int)m->msg_iovlen, part);
		return REAL(sendmsg)(fd, &less, flags);
	}
	errno = error;
	return -1;
}

EXPORT int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	if (!fails("accept4"))
		return REAL(accept4)(fd, addr, len, flags);
	errno = error;
	return -1;
}

EXPORT int epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
	if (!fails("epoll_wait"))
		return REAL(epoll_wait)(fd, events, max, timeout);
	errno = error;
	return -1;
}
