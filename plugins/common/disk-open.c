/* SPDX-License-Identifier: Apache-2.0 */
/* disk-open.c - open, create, grow and lock; find out what the system says of it. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "disk.h"

#define BLOCK_BYTES 512u
#define PAGE_BYTES 4096u
#define CREATE_MODE 0600

static int refuse(struct disk *d, int err, const char *why)
{
	gotgt_error(d->lun, "%s: %s", d->path, why);
	return -err;
}

/* ---- create, grow ---- */

/* A flush of the file does not promise its name. */
static int sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, r, err;

	free(folder);
	if (fd < 0)
		return -1;
	r = fsync(fd);
	err = errno;
	close(fd);
	errno = err;
	return r;
}

static int create(struct disk *d, const struct disk_conf *conf, int flags)
{
	if (!conf->create)
		return refuse(d, ENOENT, "No such file or directory (create=yes and a size make it)");
	if (conf->size < BLOCK_BYTES)	/* nothing is to be left behind of what can be no disk */
		return refuse(d, EINVAL, conf->size ? "a size below a block of 512 bytes" : "to make it takes a size above 0");
	if (conf->readonly)
		return refuse(d, EINVAL, "it is missing, and readonly: it is not made");
	d->fd = open(conf->path, flags | O_CREAT | O_EXCL, CREATE_MODE);
	if (d->fd < 0)
		return refuse(d, errno, disk_strerror(errno));
	if (ftruncate(d->fd, (off_t)conf->size) < 0 || fsync(d->fd) < 0 || sync_folder(conf->path) < 0) {
		int err = errno;

		unlink(conf->path);
		return refuse(d, err, disk_strerror(err));
	}
	/* Where there was one before, in a folder that is not mounted now, somebody will want to know. */
	gotgt_info(d->lun, "%s: it was missing, and is made, empty, with %" PRIu64 " bytes", d->path, conf->size);
	return 0;
}

/* A size that is given is what the file has, or with create is grown to; nothing is cut off. */
static int fit(struct disk *d, const struct disk_conf *conf)
{
	if (conf->size && conf->size != d->size) {
		if (!conf->create || conf->readonly || d->block_device || conf->size < d->size) {
			gotgt_error(d->lun, "%s: it has %" PRIu64 " bytes, not the %" PRIu64 " of size", d->path, d->size,
				    conf->size);
			return -EINVAL;
		}
		if (ftruncate(d->fd, (off_t)conf->size) < 0)
			return refuse(d, errno, disk_strerror(errno));
		d->size = conf->size;
	}
	return d->size ? 0 : refuse(d, EINVAL, "it is empty (create=yes and a size grow it)");
}

/* ---- lock ---- */

/* An open file description lock: also against a second device of this process. */
static int lock(struct disk *d)
{
	struct flock l = { .l_type = d->readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(d->fd, F_OFD_SETLK, &l) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return refuse(d, EBUSY, "it is in use: another program or LUN has locked it (lock=no shares it)");
	return refuse(d, errno, "it cannot be locked (lock=no does without)");
}

/* ---- what it is ---- */

/* A number of /sys/dev/block/MAJOR:MINOR/queue, of the whole disk for a partition; 0 when there is none. */
static uint64_t queue_number(dev_t dev, const char *name)
{
	static const char *const folders[] = { "queue", "../queue" };
	uint64_t n = 0;

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		char path[128];
		FILE *f;

		snprintf(path, sizeof path, "/sys/dev/block/%u:%u/%s/%s", major(dev), minor(dev), folders[i], name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fscanf(f, "%" SCNu64, &n) != 1)	/* NOLINT(cert-err34-c): the kernel wrote it */
			n = 0;
		fclose(f);
		return n;
	}
	return 0;
}

/* Past the end, so that nothing changes. */
static bool can_punch(const struct disk *d)
{
	return fallocate(d->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(d->size + PAGE_BYTES) & ~(PAGE_BYTES - 1),
			 PAGE_BYTES) == 0;
}

/* File systems that lock a file for a write into the page cache: who comes second burns a CPU or sleeps until the first is done. */
static bool has_one_writer(const struct disk *d)
{
	static const unsigned types[] = { EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC, TMPFS_MAGIC };
	struct statfs st;

	if (fstatfs(d->fd, &st) < 0)
		return false;
	for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++)
		if ((unsigned)st.f_type == types[i])
			return true;
	return false;
}

static void about_file(struct disk *d, const struct stat *st, struct gotgt_dev_info *info)
{
	/* The page cache takes any block whole: no write of one costs a read of others on the medium at once. */
	info->block_size = info->physical_block_size = BLOCK_BYTES;
	/* Of one that cannot be written, holes are the sign. */
	if (d->readonly ? (uint64_t)st->st_blocks * 512 < d->size : can_punch(d)) {
		info->ops |= GOTGT_OP_BIT(GOTGT_OP_UNMAP);
		info->flags |= GOTGT_DEV_THIN;
		info->unmap_granularity = st->st_blksize > 0 ? (uint32_t)st->st_blksize : PAGE_BYTES;
	}
	if (queue_number(st->st_dev, "rotational"))
		info->flags |= GOTGT_DEV_ROTATIONAL;
}

static int about_block_device(struct disk *d, const struct stat *st, struct gotgt_dev_info *info)
{
	unsigned physical = 0;
	int logical = 0;

	if (ioctl(d->fd, BLKGETSIZE64, &d->size) < 0 || ioctl(d->fd, BLKSSZGET, &logical) < 0 ||
	    ioctl(d->fd, BLKPBSZGET, &physical) < 0)
		return refuse(d, errno, disk_strerror(errno));
	info->block_size = (uint32_t)logical;
	info->physical_block_size = physical > (unsigned)logical ? physical : (unsigned)logical;
	if (!d->readonly && queue_number(st->st_rdev, "write_zeroes_max_bytes")) {
		info->ops |= GOTGT_OP_BIT(GOTGT_OP_UNMAP);
		info->unmap_granularity = (uint32_t)queue_number(st->st_rdev, "discard_granularity");
	}
	if (queue_number(st->st_rdev, "rotational"))
		info->flags |= GOTGT_DEV_ROTATIONAL;
	return 0;
}

/* Does a read of so few bytes to such an address work? */
static bool can_read_direct(const struct disk *d, uint32_t bytes)
{
	void *area;
	ssize_t n;

	if (posix_memalign(&area, PAGE_BYTES, 2 * PAGE_BYTES))
		return false;
	n = pread(d->fd, (char *)area + (bytes % PAGE_BYTES), bytes, 0);
	free(area);
	return n >= 0;
}

/* What O_DIRECT asks of offsets and memory. */
static int about_direct(struct disk *d, struct gotgt_dev_info *info)
{
	uint32_t align = 0;
#ifdef STATX_DIOALIGN
	struct statx sx;

	if (statx(d->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) == 0 && sx.stx_mask & STATX_DIOALIGN)
		align = sx.stx_dio_offset_align > sx.stx_dio_mem_align ? sx.stx_dio_offset_align : sx.stx_dio_mem_align;
#endif
	for (uint32_t bytes = BLOCK_BYTES; !align && bytes <= PAGE_BYTES; bytes *= 2)
		if (can_read_direct(d, bytes))
			align = bytes;
	if (!align || align > PAGE_BYTES)
		return refuse(d, EINVAL, "direct is not possible here");
	if (align > info->block_size)
		info->block_size = align;
	if (info->physical_block_size < info->block_size)
		info->physical_block_size = info->block_size;
	info->mem_align = info->block_size;
	return 0;
}

static int describe(struct disk *d, const struct disk_conf *conf, int open_flags, struct gotgt_dev_info *info)
{
	struct stat st;
	int r;

	if (fstat(d->fd, &st) < 0)
		return refuse(d, errno, disk_strerror(errno));
	d->size = (uint64_t)st.st_size;
	d->named = st.st_nlink > 0;
	r = d->block_device ? about_block_device(d, &st, info) : 0;
	if (!r)
		r = fit(d, conf);
	if (r)
		return r;
	if (!d->block_device)
		about_file(d, &st, info);
	info->size = d->size;
	info->ops |= GOTGT_OP_BIT(GOTGT_OP_READ);
	if (d->readonly)
		info->flags |= GOTGT_DEV_READ_ONLY;
	else {
		info->ops |= GOTGT_OP_BIT(GOTGT_OP_WRITE) | GOTGT_OP_BIT(GOTGT_OP_FLUSH) | GOTGT_OP_BIT(GOTGT_OP_ZERO);
		info->flags |= GOTGT_DEV_WRITE_CACHE;
		info->native_fua = 1;
		if (!d->block_device && !(open_flags & O_DIRECT) && has_one_writer(d))
			info->flags |= GOTGT_DEV_ONE_WRITER;
	}
	return open_flags & O_DIRECT ? about_direct(d, info) : 0;
}

/* ---- open, close ---- */

static int open_existing(struct disk *d, const struct disk_conf *conf, const struct stat *st, int flags)
{
	if (S_ISDIR(st->st_mode))
		return refuse(d, EISDIR, disk_strerror(EISDIR));
	if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
		return refuse(d, EINVAL, "it is neither a file nor a block device");
	d->block_device = S_ISBLK(st->st_mode);
	/* O_EXCL keeps a block device from those who would mount it, and us from one that is mounted. */
	if (d->block_device && conf->lock && !d->readonly)
		flags |= O_EXCL;
	d->fd = open(conf->path, flags);
	if (d->fd >= 0)
		return 0;
	if (errno == EBUSY)
		return refuse(d, EBUSY, "it is in use: mounted, or part of something else (lock=no shares it)");
	if (errno == EINVAL && flags & O_DIRECT)
		return refuse(d, EINVAL, "direct is not possible here");
	return refuse(d, errno, disk_strerror(errno));
}

int disk_open(struct disk *d, struct gotgt_lun *lun, const struct disk_conf *conf, int open_flags,
	      struct gotgt_dev_info *info)
{
	int flags = open_flags | O_CLOEXEC | (conf->readonly ? O_RDONLY : O_RDWR);
	struct stat st;
	int r;

	*d = (struct disk){ .fd = -1, .readonly = conf->readonly, .path = conf->path, .lun = lun };
	disk_syncs_init(&d->syncs);
	if (stat(conf->path, &st) == 0)
		r = open_existing(d, conf, &st, flags);
	else if (errno == ENOENT)
		r = create(d, conf, flags);
	else
		r = refuse(d, errno, disk_strerror(errno));
	if (!r && conf->lock)
		r = lock(d);
	if (!r)
		r = describe(d, conf, open_flags, info);
	if (r)
		disk_close(d);
	return r;
}

void disk_close(struct disk *d)
{
	disk_syncs_end(&d->syncs);
	if (d->fd >= 0)
		close(d->fd);
}
