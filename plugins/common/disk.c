/* SPDX-License-Identifier: Apache-2.0 */
/* disk.c - I/O on a file or block device, and its errors. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "disk.h"

#define QUIET_S 10
#define REST_IOV 32

/* ---- errors ---- */

static enum gotgt_status status_of(int err)
{
	switch (err) {
	case EAGAIN:
		return GOTGT_ERR_AGAIN;
	case ENOSPC:
	case EDQUOT:
		return GOTGT_ERR_NO_SPACE;
	case EROFS:
	case EPERM:
		return GOTGT_ERR_READ_ONLY;
	case EOPNOTSUPP:
	case ENOSYS:
	case ENOTTY:
		return GOTGT_ERR_UNSUPPORTED;
	case ENOMEM:
		return GOTGT_ERR_NO_MEMORY;
	default:
		return GOTGT_ERR_IO;
	}
}

static bool may_speak(struct disk *d)
{
	struct timespec now;
	int64_t until = atomic_load_explicit(&d->quiet_until_s, memory_order_relaxed);

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec >= until && atomic_compare_exchange_strong(&d->quiet_until_s, &until, now.tv_sec + QUIET_S);
}

enum gotgt_status disk_failed(struct disk *d, const char *what, int err)
{
	enum gotgt_status status = status_of(err);

	if (status != GOTGT_ERR_AGAIN && status != GOTGT_ERR_UNSUPPORTED && may_speak(d))
		gotgt_error(d->lun, "%s: %s: %s", d->path, what, disk_strerror(err));
	return status;
}

/* ---- size ---- */

static void see_names(struct disk *d, uint64_t names)
{
	if (!names && atomic_exchange_explicit(&d->named, false, memory_order_relaxed))
		gotgt_warning(d->lun, "%s: it was deleted: what is in it is lost when this is closed", d->path);
}

static int size_now(struct disk *d, uint64_t *size)
{
	struct stat st;

	if (d->block_device)
		return ioctl(d->fd, BLKGETSIZE64, size);
	if (fstat(d->fd, &st) < 0)
		return -1;
	see_names(d, st.st_nlink);
	*size = (uint64_t)st.st_size;
	return 0;
}

void disk_look(void *dev)
{
	struct disk *d = dev;
	uint64_t size;

	if (size_now(d, &size) == 0 && atomic_exchange(&d->size, size) != size)
		gotgt_host->resized(d->lun, size);
}

enum gotgt_status disk_check(void *dev)
{
	struct disk *d = dev;
	uint64_t before = atomic_load(&d->size);

	if (d->block_device)
		return GOTGT_OK;
	disk_look(d);
	return atomic_load(&d->size) < before ? disk_failed(d, "it has shrunk", EIO) : GOTGT_OK;
}

/* ---- reading and writing ---- */

/* What is left of io after done bytes, up to max elements. */
static int rest_of(const struct gotgt_io *io, uint64_t done, struct iovec *rest, int max)
{
	int n = 0;

	for (uint32_t i = 0; i < io->iovcnt && n < max; i++) {
		if (done >= io->iov[i].iov_len) {
			done -= io->iov[i].iov_len;
			continue;
		}
		rest[n].iov_base = (char *)io->iov[i].iov_base + done;
		rest[n++].iov_len = io->iov[i].iov_len - done;
		done = 0;
	}
	return n;
}

/* ---- what is stable ---- */

void disk_syncs_init(struct disk_syncs *s)
{
	*s = (struct disk_syncs){ .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER, .last = &s->first };
}

void disk_syncs_end(struct disk_syncs *s)
{
	while (s->n_unused)
		close(s->files[--s->n_unused]);
}

/* -1: the file cannot be opened once more. */
static int open_again(const struct disk *d)
{
	char path[sizeof "/proc/self/fd/" + 3 * sizeof d->fd];
	int flags = fcntl(d->fd, F_GETFL);

	if (flags < 0)
		return -1;
	snprintf(path, sizeof path, "/proc/self/fd/%d", d->fd);
	return open(path, (flags & (O_ACCMODE | O_DIRECT)) | O_CLOEXEC);
}

/* Through d->fd.  syncs.lock held. */
static void share(struct disk *d, struct disk_sync *mine)
{
	struct disk_syncs *s = &d->syncs;

	mine->fd = d->fd;
	mine->number = ++s->begun;
	*s->last = mine;
	s->last = &mine->next;
}

static void sync_unlink(struct disk_syncs *s, struct disk_sync *mine)
{
	struct disk_sync **at = &s->first;

	while (*at != mine)
		at = &(*at)->next;
	*at = mine->next;
	if (!mine->next)
		s->last = at;
}

/*
 * False: what is written may be lost.  Of those that share a file, whoever was told of mine's failure in its place began
 * before now, and is waited for; without waiting for others when it failed itself.
 */
static bool sync_end(struct disk_syncs *s, struct disk_sync *mine, bool failed)
{
	uint64_t until;
	bool good;

	pthread_mutex_lock(&s->lock);
	s->failures += failed;
	until = s->begun;
	if (mine->retire) {
		s->n_files--;
		close(mine->fd);
	} else if (mine->own) {
		s->files[s->n_unused++] = mine->fd;
	} else {
		sync_unlink(s, mine);
		pthread_cond_broadcast(&s->ended);
	}
	while (!mine->own && !failed && s->failures == mine->failures && s->first && s->first->number <= until)
		pthread_cond_wait(&s->ended, &s->lock);
	good = s->failures == mine->failures;
	pthread_mutex_unlock(&s->lock);
	return good;
}

static int fdatasync_whole(int fd)
{
	int r;

	do
		r = fdatasync(fd);
	while (r < 0 && errno == EINTR);
	return r;
}

/*
 * One more open file, or -1.  It knows of no failure that somebody else, of another program too, has been told of before
 * it was opened; d->fd, which is as old as the device, still does.  So that one is asked before the new one is believed.
 */
static int open_own(struct disk *d)
{
	struct disk_syncs *s = &d->syncs;
	int fd = open_again(d);
	struct disk_sync asked;

	if (fd < 0)
		return -1;
	pthread_mutex_lock(&s->lock);
	asked = (struct disk_sync){ .failures = s->failures };
	share(d, &asked);
	pthread_mutex_unlock(&s->lock);
	if (sync_end(s, &asked, fdatasync_whole(d->fd) < 0))
		return fd;
	close(fd);
	return -1;
}

static void sync_begin(struct disk *d, struct disk_sync *mine)
{
	struct disk_syncs *s = &d->syncs;

	pthread_mutex_lock(&s->lock);
	*mine = (struct disk_sync){ .failures = s->failures, .fd = -1 };
	if (s->n_unused) {
		mine->fd = s->files[--s->n_unused];
	} else if (s->n_files < DISK_SYNC_FILES && !s->failures) {
		s->n_files++;
		pthread_mutex_unlock(&s->lock);
		mine->fd = open_own(d);
		pthread_mutex_lock(&s->lock);
		s->n_files -= mine->fd < 0;
	}
	mine->own = mine->fd >= 0;
	if (!mine->own)
		share(d, mine);
	pthread_mutex_unlock(&s->lock);
}

static enum gotgt_status lost(struct disk *d, int err)
{
	return disk_failed(d, "flush: what was written before may be lost, so all flushes fail until it is opened anew", err);
}

/* It failed where it would have without RWF_DSYNC: nothing was to be made stable yet. */
static bool fails_unsynced(const struct disk *d, const struct iovec *iov, int n, off_t at)
{
	int err = errno;
	bool fails = pwritev2(d->fd, iov, n, at, 0) < 0;

	errno = err;
	return fails;
}

/*
 * Not of a medium that lost something: memory that was out for a moment is no reason for all flushes to fail.  If it lost
 * something all the same, the file that was told is closed, and the others still have it to tell.
 */
static bool is_of_medium(int err)
{
	return err == EIO || err == ENOSPC || err == EDQUOT;
}

static ssize_t write_synced(struct disk *d, const struct iovec *iov, int n, off_t at)
{
	struct disk_sync mine;
	ssize_t r;
	bool failed, good;
	int err;

	sync_begin(d, &mine);
	r = pwritev2(mine.fd, iov, n, at, RWF_DSYNC);
	failed = r < 0 && errno != EINTR && errno != EAGAIN && !fails_unsynced(d, iov, n, at);
	mine.retire = failed && mine.own && !is_of_medium(errno);
	failed &= !mine.retire;
	err = errno;
	good = sync_end(&d->syncs, &mine, failed);
	errno = !good && r >= 0 ? EIO : err;
	return good ? r : -1;
}

static ssize_t move(struct disk *d, bool write, const struct iovec *iov, int n, off_t at, int rwf)
{
	if (!write)
		return preadv2(d->fd, iov, n, at, rwf);
	return rwf & RWF_DSYNC ? write_synced(d, iov, n, at) : pwritev2(d->fd, iov, n, at, rwf);
}

/*
 * A file that another program has truncated would be as long again by a write behind its end, and what was lost would read
 * as zeroes, without an error.
 */
uint64_t disk_end(struct disk *d)
{
	struct statx st;

	/* What is known here: no file server is asked, which might not answer. */
	if (d->block_device || statx(d->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_SIZE | STATX_NLINK, &st) < 0)
		return UINT64_MAX;
	see_names(d, st.stx_nlink);
	return st.stx_size;
}

bool disk_lies_beyond(struct disk *d, uint64_t offset, uint64_t length)
{
	return offset + length > disk_end(d);
}

/* The same, and whoever asks is told of the size. */
static bool has_shrunk(struct disk *d, const struct gotgt_io *io)
{
	if (!disk_lies_beyond(d, io->offset, io->length))
		return false;
	disk_look(d);
	return true;
}

enum gotgt_status disk_rw(struct disk *d, const struct gotgt_io *io, int rwf)
{
	const bool write = io->op == GOTGT_OP_WRITE;
	const struct iovec *iov = io->iov;
	int n = (int)io->iovcnt;
	struct iovec rest[REST_IOV];

	if (write && has_shrunk(d, io))
		return disk_failed(d, "write past its end: it has shrunk", EIO);
	for (uint64_t done = 0; done < io->length; ) {
		off_t at = (off_t)(io->offset + done);
		ssize_t r;

		if (done || io->iovcnt > IOV_MAX) {
			n = rest_of(io, done, rest, REST_IOV);
			iov = rest;
		}
		r = move(d, write, iov, n, at, rwf);
		if (r > 0)
			done += (uint64_t)r;
		else if (r == 0) {	/* the end of a file that was longer: there is nothing to be zero */
			disk_look(d);
			return disk_failed(d, write ? "nothing written" : "read past its end: it has shrunk", EIO);
		} else if (errno != EINTR)
			return disk_failed(d, write ? "write" : "read", errno);
	}
	return GOTGT_OK;
}

/* A part that was done is done again with the whole: the bytes are the same. */
enum gotgt_status disk_rw_now(struct disk *d, const struct gotgt_io *io)
{
	enum gotgt_status status;

	if (io->flags & GOTGT_IO_FUA || atomic_load_explicit(&d->no_nowait[io->op], memory_order_relaxed))
		return GOTGT_ERR_AGAIN;
	status = disk_rw(d, io, RWF_NOWAIT);
	if (status != GOTGT_ERR_UNSUPPORTED)
		return status;
	atomic_store_explicit(&d->no_nowait[io->op], true, memory_order_relaxed);
	return GOTGT_ERR_AGAIN;
}

enum gotgt_status disk_flush(struct disk *d, const struct gotgt_io *io)
{
	struct disk_sync mine;
	int r;

	sync_begin(d, &mine);
	if (mine.failures) {
		sync_end(&d->syncs, &mine, false);
		return lost(d, EIO);
	}
	r = fdatasync_whole(mine.fd) < 0 ? -errno : 0;
	if (sync_end(&d->syncs, &mine, r < 0))
		return GOTGT_OK;
	return lost(d, r < 0 ? -r : EIO);
}

static int allocate(struct disk *d, const struct gotgt_io *io, int mode)
{
	int r;

	do
		r = fallocate(d->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)io->offset, (off_t)io->length);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/*
 * Of a block device too: the kernel then discards only where that leaves zeroes, which BLKDISCARD
 * alone does not promise and GOTGT_OP_UNMAP must.
 */
enum gotgt_status disk_unmap(struct disk *d, const struct gotgt_io *io)
{
	int r = has_shrunk(d, io) ? -EIO : allocate(d, io, FALLOC_FL_PUNCH_HOLE);

	return r < 0 ? disk_failed(d, "unmap", -r) : GOTGT_OK;
}

static int zero(struct disk *d, const struct gotgt_io *io)
{
	uint64_t range[2] = { io->offset, io->length };

	if (io->flags & GOTGT_IO_MAY_UNMAP && !allocate(d, io, FALLOC_FL_PUNCH_HOLE))
		return 0;
	if (d->block_device)
		return ioctl(d->fd, BLKZEROOUT, range) < 0 ? -errno : 0;
	return allocate(d, io, FALLOC_FL_ZERO_RANGE);
}

/* UNSUPPORTED, as on tmpfs: the core writes zeroes. */
enum gotgt_status disk_zero(struct disk *d, const struct gotgt_io *io)
{
	int r = has_shrunk(d, io) ? -EIO : zero(d, io);

	if (r < 0)
		return disk_failed(d, "zero", -r);
	return io->flags & GOTGT_IO_FUA ? disk_flush(d, io) : GOTGT_OK;
}

/* ---- copying ---- */

/* Other than files, other file systems, no such thing: the core copies, and meets what was wrong. */
enum gotgt_status disk_copy(struct disk *from, uint64_t from_offset, struct disk *to, uint64_t to_offset, uint64_t length,
			    uint64_t *copied)
{
	off_t in = (off_t)from_offset, out = (off_t)to_offset;
	ssize_t n;

	if (disk_lies_beyond(to, to_offset, length)) {
		*copied = 0;
		return GOTGT_ERR_UNSUPPORTED;
	}
	do
		n = copy_file_range(from->fd, &in, to->fd, &out, (size_t)length, 0);
	while (n < 0 && errno == EINTR);
	*copied = n > 0 ? (uint64_t)n : 0;
	return n > 0 ? GOTGT_OK : GOTGT_ERR_UNSUPPORTED;
}

/* ---- extents ---- */

/*
 * What seeking calls a hole may be space that is the file's and was never written: zeroes that keep their place.  No data
 * is under way there either, or seeking would have found it.  A file system that cannot tell has none.
 */
static uint32_t hole_at(const struct disk *d, off_t pos, off_t *next)
{
	/* The one extent asked for is put behind the question. */
	uint64_t room[(sizeof(struct fiemap) + sizeof(struct fiemap_extent)) / sizeof(uint64_t)] = { 0 };
	struct fiemap *map = (struct fiemap *)room;
	const struct fiemap_extent *extent = map->fm_extents;
	const uint64_t end = (uint64_t)*next;
	uint64_t from, to;

	map->fm_start = (uint64_t)pos;
	map->fm_length = end - (uint64_t)pos;
	map->fm_extent_count = 1;
	if (ioctl(d->fd, FS_IOC_FIEMAP, map) < 0 || !map->fm_mapped_extents)
		return GOTGT_EXTENT_HOLE;
	from = extent->fe_logical;
	to = from + extent->fe_length;
	if (from > (uint64_t)pos) {
		*next = (off_t)(from < end ? from : end);
		return GOTGT_EXTENT_HOLE;
	}
	if (to > (uint64_t)pos && to < end)
		*next = (off_t)to;
	return extent->fe_flags & FIEMAP_EXTENT_UNWRITTEN ? GOTGT_EXTENT_ZERO : GOTGT_EXTENT_ALLOCATED;
}

/* The state at pos, and where it ends; a file system that cannot tell says all is data. */
static uint32_t state_at(const struct disk *d, off_t pos, off_t end, off_t *next)
{
	off_t data = d->block_device ? pos : lseek(d->fd, pos, SEEK_DATA);
	off_t hole;

	*next = end;
	if (data < 0 && errno == ENXIO)
		return hole_at(d, pos, next);
	if (data > pos) {
		*next = data < end ? data : end;
		return hole_at(d, pos, next);
	}
	hole = data < 0 || d->block_device ? -1 : lseek(d->fd, pos, SEEK_HOLE);
	if (hole > pos && hole < end)
		*next = hole;
	return GOTGT_EXTENT_ALLOCATED;
}

enum gotgt_status disk_extents(struct disk *d, uint64_t offset, uint64_t length, struct gotgt_extent *extents,
			       uint32_t max, uint32_t *count)
{
	off_t pos = (off_t)offset, end = (off_t)(offset + length);
	uint32_t n = 0;

	while (pos < end && n < max) {
		off_t next;

		extents[n].state = state_at(d, pos, end, &next);
		extents[n].length = (uint64_t)(next - pos);
		extents[n++].reserved0 = 0;
		pos = next;
	}
	*count = n;
	return GOTGT_OK;
}
