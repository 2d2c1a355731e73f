/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmap: a file or block device mapped into memory and lent: a READ is one copy from the page cache
 * to the socket.  This file never touches the mapping, since bytes that are not there (a file that
 * shrank, a full disk) would be a SIGBUS: submit() uses the file.
 */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <gotgt/ext-memory.h>
#include "../common/disk.h"

/*
 * A write to the mapping is a fault for each page that is clean, in which the file system is asked for it; from here on (bytes)
 * one write() of all the pages costs less, copied twice as the bytes are.  Where that was lately the pages are dirty, and the
 * mapping costs less again.  Both are the page cache's.
 */
#define WRITE_LEND_MAX 65536u
#define PIECE 65536u		/* bytes of the file that were written at one time, as far as we know */
#define TICK_S 8u		/* the unit of that time */
#define LATELY 3u		/* units: Linux leaves pages dirty for 30 s */
#define TICKS 255u		/* they are counted from 1 to this, and again: what is that old may look new, and costs time */

static const struct gotgt_param mmap_params[] = { DISK_PARAMS, { NULL } };

struct mmap_dev {
	struct disk disk;	/* first: disk_look() */
	uint8_t *bytes;
	size_t len_bytes;
	_Atomic uint8_t *written;	/* when, by pieces; 0: never */
};

static int mmap_open(struct gotgt_lun *lun, const void *conf_, struct gotgt_dev_info *info, void **dev)
{
	const struct disk_conf *conf = conf_;
	struct mmap_dev *d = calloc(1, sizeof *d);
	void *bytes;
	int r;

	if (!d)
		return -ENOMEM;
	r = disk_open(&d->disk, lun, conf, 0, info);
	if (r) {
		free(d);
		return r;
	}
	d->len_bytes = (size_t)d->disk.size;
	bytes = mmap(NULL, d->len_bytes, PROT_READ | (conf->readonly ? 0 : PROT_WRITE), MAP_SHARED, d->disk.fd, 0);
	if (bytes == MAP_FAILED) {
		r = -errno;
		gotgt_error(lun, "%s: cannot be mapped: %s", conf->path, disk_strerror(-r));
		disk_close(&d->disk);
		free(d);
		return r;
	}
	d->bytes = bytes;
	/* Without it all long writes are the file's. */
	d->written = conf->readonly ? NULL : calloc(d->len_bytes / PIECE + 1, 1);
	*dev = d;
	return 0;
}

static void mmap_close(void *dev)
{
	struct mmap_dev *d = dev;

	munmap(d->bytes, d->len_bytes);
	free((void *)d->written);
	disk_close(&d->disk);
	free(d);
}

static enum gotgt_status rw(struct disk *d, const struct gotgt_io *io)
{
	if (io->flags & GOTGT_IO_NOWAIT)
		return disk_rw_now(d, io);
	return disk_rw(d, io, io->flags & GOTGT_IO_FUA ? RWF_DSYNC : 0);
}

static void mmap_submit(void *dev, struct gotgt_io *io)
{
	static enum gotgt_status (*const ops[])(struct disk *d, const struct gotgt_io *io) = {
		[GOTGT_OP_READ] = rw, [GOTGT_OP_WRITE] = rw, [GOTGT_OP_FLUSH] = disk_flush,
		[GOTGT_OP_UNMAP] = disk_unmap, [GOTGT_OP_ZERO] = disk_zero,
	};
	struct mmap_dev *d = dev;
	enum gotgt_status status = disk_check(d);

	gotgt_io_done(io, status == GOTGT_OK ? ops[io->op](&d->disk, io) : status);
}

/* Was all of it written lately?  It is now. */
static bool was_written(struct mmap_dev *d, uint64_t offset, uint64_t length)
{
	bool all = d->written;
	struct timespec t;
	uint8_t now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	now = (uint8_t)((uint64_t)t.tv_sec / TICK_S % TICKS + 1);
	for (uint64_t p = offset / PIECE; d->written && p <= (offset + length - 1) / PIECE; p++) {
		uint8_t last = atomic_load_explicit(&d->written[p], memory_order_relaxed);

		all = all && last && (now + TICKS - last) % TICKS <= LATELY;
		if (last != now)
			atomic_store_explicit(&d->written[p], now, memory_order_relaxed);
	}
	return all;
}

static uint32_t mmap_lend(void *dev, uint64_t offset, uint64_t length, int write, struct iovec *iov, uint32_t iovmax)
{
	struct mmap_dev *d = dev;

	if (!iovmax || (write && d->disk.readonly))
		return 0;
	/* What has come since the file was mapped is read and written. */
	if (offset + length > d->len_bytes || offset + length > atomic_load(&d->disk.size))
		return 0;
	if (write && length >= WRITE_LEND_MAX && !was_written(d, offset, length))
		return 0;
	iov[0].iov_base = d->bytes + offset;
	iov[0].iov_len = (size_t)length;
	return 1;
}

static enum gotgt_status mmap_extents(void *dev, uint64_t offset, uint64_t length, struct gotgt_extent *extents,
				      uint32_t max, uint32_t *count)
{
	struct mmap_dev *d = dev;

	return disk_extents(&d->disk, offset, length, extents, max, count);
}

static enum gotgt_status mmap_copy(void *from, uint64_t from_offset, void *to, uint64_t to_offset, uint64_t length,
				   uint64_t *copied)
{
	struct mmap_dev *f = from, *t = to;

	return disk_copy(&f->disk, from_offset, &t->disk, to_offset, length, copied);
}

static const void *mmap_extension(const char *id)
{
	static const struct gotgt_memory memory = { .size = sizeof memory, .lend = mmap_lend, .check = disk_check };
	static const struct gotgt_extents extents = { .size = sizeof extents, .query = mmap_extents };
	static const struct gotgt_copy copy = { .size = sizeof copy, .copy = mmap_copy };
	static const struct gotgt_size size = { .size = sizeof size, .look = disk_look };

	if (!strcmp(id, GOTGT_EXT_COPY))
		return &copy;
	if (!strcmp(id, GOTGT_EXT_SIZE))
		return &size;
	if (!strcmp(id, GOTGT_EXT_MEMORY))
		return &memory;
	return strcmp(id, GOTGT_EXT_EXTENTS) ? NULL : &extents;
}

GOTGT_PLUGIN(
	.name = "mmap",
	.version = "1",
	.description = "A file or block device mapped into memory",
	.flags = GOTGT_PLUGIN_BLOCKING | GOTGT_PLUGIN_NOWAIT,
	.conf_size = sizeof(struct disk_conf),
	.params = mmap_params,
	.open = mmap_open,
	.close = mmap_close,
	.submit = mmap_submit,
	.extension = mmap_extension,
)
