/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forget.c - preloaded into a server: what a disk would still have of the file $FORGET_FILE after a loss of power is kept
 * in the file $FORGET_STABLE, of the same size.  That is what the file held when a flush that succeeded began, and what
 * was written with RWF_DSYNC.  The page cache outlives a kill; this does not know of anything else in it.
 */
#include "config.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct stat file;
static uint8_t *stable, *scratch;

static void __attribute__((constructor)) begin(void)
{
	const char *name = getenv("FORGET_FILE"), *kept = getenv("FORGET_STABLE");
	int fd;

	if (!name || !kept || stat(name, &file) < 0)
		abort();
	fd = open(kept, O_RDWR | O_CLOEXEC);
	stable = mmap(NULL, (size_t)file.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	scratch = malloc((size_t)file.st_size);
	if (fd < 0 || stable == MAP_FAILED || !scratch)
		abort();
	close(fd);
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
		memcpy(stable, scratch, (size_t)file.st_size);
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

		memcpy(stable + at, iov->iov_base, len);
		at += (off_t)len;
		left -= (ssize_t)len;
	}
	pthread_mutex_unlock(&lock);
	return r;
}
