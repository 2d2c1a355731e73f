/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file: a device in a file or on a block device.  What the page cache has, or takes, is answered
 * on the caller's thread with RWF_NOWAIT, or lent to be sent from there; the rest may block.  With O_DIRECT every request
 * waits for the medium: in io_uring where there is one, else on a worker.
 */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <gotgt/ext-memory.h>
#include "../common/disk.h"
#include "../common/resident.h"
#include "../common/ring.h"

#define LEND_MIN 4096u	/* less is copied for less than a PDU of its own for the status costs */

struct file_conf {
	struct disk_conf disk;
	int direct;
};

static const struct gotgt_param file_params[] = {
	DISK_PARAMS,
	{ "direct", GOTGT_PARAM_BOOL, 0, offsetof(struct file_conf, direct), "no", "Bypass the page cache (O_DIRECT)" },
	{ NULL },
};

struct file_dev {
	struct disk disk;	/* first: disk_look() */
	struct resident cache;
	bool direct, ring;	/* ring: of each thread, ring.h */
};

/* mincore() says yes to whatever is asked of a file that is neither the caller's nor writable by it. */
static bool may_look(const struct disk *d)
{
	struct stat st;

	return !d->readonly || (fstat(d->fd, &st) == 0 && st.st_uid == geteuid());
}

static int file_open(struct gotgt_lun *lun, const void *conf_, struct gotgt_dev_info *info, void **dev)
{
	const struct file_conf *conf = conf_;
	struct file_dev *d = calloc(1, sizeof *d);
	int r;

	if (!d)
		return -ENOMEM;
	r = disk_open(&d->disk, lun, &conf->disk, conf->direct ? O_DIRECT : 0, info);
	if (r) {
		free(d);
		return r;
	}
	/* Without the cache every request waits for the medium. */
	d->disk.no_nowait[GOTGT_OP_READ] = d->disk.no_nowait[GOTGT_OP_WRITE] = conf->direct;
	if (!conf->direct && may_look(&d->disk))
		resident_open(&d->cache, d->disk.fd, (size_t)d->disk.size);
	d->direct = conf->direct;
	d->ring = d->direct && ring_join(lun);
	info->flags |= d->ring ? GOTGT_DEV_LATER : 0;
	*dev = d;
	return 0;
}

static void file_close(void *dev)
{
	struct file_dev *d = dev;

	if (d->direct)
		ring_leave(d->disk.lun);
	resident_close(&d->cache);
	disk_close(&d->disk);
	free(d);
}

static uint32_t file_lend(void *dev, uint64_t offset, uint64_t length, int write, struct iovec *iov, uint32_t iovmax)
{
	struct file_dev *d = dev;

	if (write || !iovmax || length < LEND_MIN || offset + length > atomic_load(&d->disk.size) ||
	    !resident_has(&d->cache, offset, length))
		return 0;
	iov[0].iov_base = d->cache.bytes + offset;
	iov[0].iov_len = (size_t)length;
	return 1;
}

static enum gotgt_status rw(struct file_dev *d, const struct gotgt_io *io)
{
	if (io->flags & GOTGT_IO_NOWAIT)
		return disk_rw_now(&d->disk, io);
	return disk_rw(&d->disk, io, io->flags & GOTGT_IO_FUA ? RWF_DSYNC : 0);
}

static void file_submit(void *dev, struct gotgt_io *io)
{
	static enum gotgt_status (*const ops[])(struct disk *d, const struct gotgt_io *io) = {
		[GOTGT_OP_FLUSH] = disk_flush, [GOTGT_OP_UNMAP] = disk_unmap, [GOTGT_OP_ZERO] = disk_zero,
	};
	struct file_dev *d = dev;

	/* What is to be stable is for a worker. */
	if (d->ring && (io->flags & (GOTGT_IO_NOWAIT | GOTGT_IO_FUA)) == GOTGT_IO_NOWAIT && ring_submit(&d->disk, io))
		return;
	gotgt_io_done(io, io->op <= GOTGT_OP_WRITE ? rw(d, io) : ops[io->op](&d->disk, io));
}

static enum gotgt_status file_extents(void *dev, uint64_t offset, uint64_t length, struct gotgt_extent *extents,
				      uint32_t max, uint32_t *count)
{
	struct file_dev *d = dev;

	return disk_extents(&d->disk, offset, length, extents, max, count);
}

static enum gotgt_status file_copy(void *from, uint64_t from_offset, void *to, uint64_t to_offset, uint64_t length,
				   uint64_t *copied)
{
	struct file_dev *f = from, *t = to;

	return disk_copy(&f->disk, from_offset, &t->disk, to_offset, length, copied);
}

static const void *file_extension(const char *id)
{
	static const struct gotgt_extents extents = { .size = sizeof extents, .query = file_extents };
	static const struct gotgt_copy copy = { .size = sizeof copy, .copy = file_copy };
	static const struct gotgt_size size = { .size = sizeof size, .look = disk_look };
	static const struct gotgt_memory memory = { .size = sizeof memory, .lend = file_lend, .check = disk_check };

	if (!strcmp(id, GOTGT_EXT_COPY))
		return &copy;
	if (!strcmp(id, GOTGT_EXT_SIZE))
		return &size;
	if (!strcmp(id, GOTGT_EXT_MEMORY))
		return &memory;
	return strcmp(id, GOTGT_EXT_EXTENTS) ? NULL : &extents;
}

GOTGT_PLUGIN(
	.name = "file",
	.version = "1",
	.description = "A file or block device",
	.flags = GOTGT_PLUGIN_BLOCKING | GOTGT_PLUGIN_NOWAIT,
	.conf_size = sizeof(struct file_conf),
	.params = file_params,
	.open = file_open,
	.close = file_close,
	.submit = file_submit,
	.extension = file_extension,
)
