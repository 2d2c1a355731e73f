/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forget.c - preloaded into a server: what a disk would still have of the file $FORGET_FILE after a loss of power is kept
 * in the file $FORGET_STABLE, of the same size.  That is what the file held when a flush that succeeded began, and what
 * was written with RWF_DSYNC.  The page cache outlives a kill; this does not know of anything else in it.  It is written
 * by system calls: a kill comes between pages, as a loss of power between sectors.  A memcpy() to a mapping may be ended at
 * a page's fault with its first bytes left for last, and half a block is nothing a disk would have.
 */
#include "config.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct stat file;
static uint8_t *scratch;
static int stable;

static void __attribute__((constructor)) begin(void)
{
	const char *name = getenv("FORGET_FILE"), *kept = getenv("FORGET_STABLE");

	if (!name || !kept || stat(name, &file) < 0)
		abort();
	stable = open(kept, O_RDWR | O_CLOEXEC);
	scratch = malloc((size_t)file.st_size);
	if (stable < 0 || !scratch)
		abort();
}

static void keep(const void *data, size_t n, off_t at)
{
	if (pwrite(stable, data, n, at) != (ssize_t)n)
		abort();
}

static int concerns(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_ino == file.st_ino && st.st_dev == file.st_dev;
}

static int flushed(int fd, int (*real)(int))
{
	int r;

	if (!concerns(fd))
		return real(fd);
	pthread_mutex_lock(&lock);
	if (pread(fd, scratch, (size_t)file.st_size, 0) != file.st_size)
		abort();
	r = real(fd);
	if (r == 0)
		keep(scratch, (size_t)file.st_size, 0);
	pthread_mutex_unlock(&lock);
	return r;
}

EXPORT int fdatasync(int fd)
{
	return flushed(fd, (int (*)(int))dlsym(RTLD_NEXT, "fdatasync"));
}

EXPORT int fsync(int fd)
{
	return flushed(fd, (int (*)(int))dlsym(RTLD_NEXT, "fsync"));
}

EXPORT ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	ssize_t (*real)(int, const struct iovec *, int, off_t, int) = dlsym(RTLD_NEXT, "pwritev2");
	ssize_t r = real(fd, iov, n, at, flags);

	if (r <= 0 || !(flags & RWF_DSYNC) || !concerns(fd))
		return r;
	pthread_mutex_lock(&lock);
	for (ssize_t left = r; left > 0; iov++) {
		size_t len = iov->iov_len < (size_t)left ? iov->iov_len : (size_t)left;

		keep(iov->iov_base, len, at);
		at += (off_t)len;
		left -= (ssize_t)len;
	}
	pthread_mutex_unlock(&lock);
	return r;
}
