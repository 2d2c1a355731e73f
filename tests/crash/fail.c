/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fail.c - preloaded into a server: a system call of the data path fails, as FAIL="CALL ERRNO EVERY COUNT" says: each
 * EVERY-th call, COUNT times.  ERRNO 0: it does a part of what it was asked for.  Nothing fails before the file
 * $FAIL_WHEN is there; after the last failure it is removed.
 *
 * CALL is a call's name, or one of these: dsync, what pwritev2() with RWF_DSYNC writes it does not make stable; lseek, only
 * of those for data or holes; mmap, only of memory without a file; wake, a write() of an eventfd's eight bytes; watch-conn,
 * watch-portal, an epoll_ctl() that adds a socket that is connected, or listens; uring, what hands requests to io_uring, and
 * uring-io, one of those that it does.
 *
 * FAIL_SLOW=MS: each fdatasync() that does not fail takes until one has, or that long.  FAIL="seen ERRNO 1 COUNT": what was
 * written before $FAIL_WHEN was there is lost, and another program has been told: Linux tells each file that was opened
 * before then, once, and none that is opened later.
 */
#include "config.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

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
	unsigned n;

	if (strcmp(call, which) || !atomic_load(&left))
		return false;
	armed = access(when, F_OK) == 0;
	errno = saved;
	if (!armed || (atomic_fetch_add(&calls, 1) + 1) % every)
		return false;
	for (n = atomic_load(&left); n && !atomic_compare_exchange_weak(&left, &n, n - 1); )
		continue;
	if (n == 1)
		unlink(when);
	errno = saved;
	return n != 0;
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

static int open_file(const char *path, int flags, mode_t mode)
{
	if (!fails("open"))
		return opened(REAL(open)(path, flags, mode));
	errno = error;
	return -1;
}

EXPORT int open(const char *path, int flags, ...)
{
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	return open_file(path, flags, mode);
}

/* What open() is with _FORTIFY_SOURCE, where flags are not known by the compiler. */
EXPORT int __open_2(const char *path, int flags);
EXPORT int __open_2(const char *path, int flags)
{
	return open_file(path, flags, 0);
}

EXPORT ssize_t write(int fd, const void *data, size_t len)
{
	if (len != sizeof(uint64_t) || !fails("wake"))
		return REAL(write)(fd, data, len);
	errno = error;
	return -1;
}

EXPORT int fdatasync(int fd)
{
	bool slow = slow_ms && access(when, F_OK) == 0;

	if (!fails("fdatasync") && !is_told(fd)) {
		for (unsigned i = 0; slow && i < slow_ms && access(when, F_OK) == 0; i += 10)
			usleep(10000);
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

EXPORT ssize_t copy_file_range(int from, off_t *in, int to, off_t *out, size_t len, unsigned flags)
{
	if (!fails("copy_file_range"))
		return REAL(copy_file_range)(from, in, to, out, len, flags);
	if (!error)
		return REAL(copy_file_range)(from, in, to, out, (len + 1) / 2, flags);
	errno = error;
	return -1;
}

EXPORT int statx(int fd, const char *path, int flags, unsigned mask, struct statx *st)
{
	if (!fails("statx"))
		return REAL(statx)(fd, path, flags, mask, st);
	errno = error;
	return -1;
}

EXPORT off_t lseek(int fd, off_t at, int whence)
{
	if ((whence != SEEK_DATA && whence != SEEK_HOLE) || !fails("lseek"))
		return REAL(lseek)(fd, at, whence);
	errno = error;
	return -1;
}

EXPORT int mincore(void *bytes, size_t len, unsigned char *pages)
{
	if (!fails("mincore"))
		return REAL(mincore)(bytes, len, pages);
	errno = error;
	return -1;
}

EXPORT void *mmap(void *bytes, size_t len, int prot, int flags, int fd, off_t at)
{
	if (fd >= 0 || !fails("mmap"))
		return REAL(mmap)(bytes, len, prot, flags, fd, at);
	errno = error;
	return MAP_FAILED;
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	return fails("pthread_create") ? error : REAL(pthread_create)(thread, attr, run, arg);
}

EXPORT int epoll_ctl(int ep, int how, int fd, struct epoll_event *event)
{
	socklen_t len = sizeof(int);
	int saved = errno, listens;

	if (how == EPOLL_CTL_ADD && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 &&
	    fails(listens ? "watch-portal" : "watch-conn")) {
		errno = error;
		return -1;
	}
	errno = saved;
	return REAL(epoll_ctl)(ep, how, fd, event);
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

#ifdef HAVE_LIBURING
/* It fails, or does a part: whole blocks of 512 bytes, as O_DIRECT has it.  The kernel copies what addr points to. */
static void spoil(struct io_uring_sqe *sqe)
{
	static struct iovec part[1024];
	static unsigned next;
	struct iovec *iov = &part[next++ % (sizeof part / sizeof part[0])];

	if (error) {
		sqe->fd = -1;
	} else if (sqe->opcode == IORING_OP_READV || sqe->opcode == IORING_OP_WRITEV) {
		*iov = *(const struct iovec *)(uintptr_t)sqe->addr;
		iov->iov_len = iov->iov_len / 1024 * 512;
		sqe->addr = (uintptr_t)iov;
		sqe->len = 1;
	}
}

/* A plugin's library: its functions are for that plugin alone. */
EXPORT int io_uring_submit(struct io_uring *ring)
{
	void *library = dlopen("liburing.so.2", RTLD_NOW | RTLD_NOLOAD);
	int (*submit)(struct io_uring *ring) = (__typeof__(submit))dlsym(library, "io_uring_submit");
	int said;

	dlclose(library);
	if (fails("uring")) {
		if (error || ring->sq.sqe_tail - ring->sq.sqe_head < 2)
			return -(error ? error : EAGAIN);
		ring->sq.sqe_tail--;	/* the last one stays in line */
		said = submit(ring);
		ring->sq.sqe_tail++;
		return said;
	}
	if (fails("uring-io"))
		for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++)
			spoil(&ring->sq.sqes[i & *ring->sq.kring_mask]);
	return submit(ring);
}
#endif
