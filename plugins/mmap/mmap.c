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
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <gotgt/ext-memory.h>
#include "../common/disk.h"

/*
 * A write to the mapping is a fault for each page that is clean, or that this process has not yet written by the mapping, in which
 * the file system is asked for it; from here on (bytes) one write() of all the pages costs less, copied twice as the bytes are.
 * Where pages have been written by the mapping and stay dirty, it costs less again.  So what is written over and over is, until
 * the faults of this thread tell that the kernel has cleaned the pages.  Both are the page cache's.
 */
#define WRITE_LEND_MAX 65536u
#define PIECE 65536u		/* bytes of the file of which one number is kept */
#define REGION 256u		/* pieces */
#define HOT 4u			/* writes to a piece before it is worth its faults */
#define PARTS 4u		/* regions have that many times at which it is their turn for them */
#define TICK_S 8u		/* the unit of a piece's time */
#define TICKS 255u		/* it counts from 1 to this, and again: what is that old may look new, and costs time */
#define LATELY 3u		/* units: Linux leaves pages dirty for 30 s */
#define WINDOW (4u << 20)	/* bytes: faults are counted for so many */
#define PAGES_A_FAULT 2u	/* fewer of a window are too few: the file is cheaper */
#define SKIP_MIN 1024u		/* writes that are the file's then, before it is tried again */
#define SKIP_MAX (256u << 10)
#define SLOTS 64u		/* devices a thread keeps in mind, by their number */

static const struct gotgt_param mmap_params[] = { DISK_PARAMS, { NULL } };

struct mmap_dev {
	struct disk disk;	/* first: disk_look() */
	unsigned id;		/* of no other in this process, and not 0 */
	uint8_t *bytes;
	size_t len_bytes;
	size_t page;		/* bytes */
	atomic_uint epoch;	/* the kernel has cleaned pages, as far as we know: what was mapped before, is not any more */
	_Atomic uint32_t *written;	/* struct piece, packed; 0: never.  What one of two at once says may get lost. */
};

struct piece {
	uint8_t when;
	uint8_t times;		/* since it was last left alone for long; of more than 255, one of the last PARTS numbers */
	bool mapped;		/* by the mapping, in this time and epoch */
};

/* What this thread found when it wrote to mappings. */
struct slot {
	unsigned id;		/* 0: of none */
	uint64_t bytes;		/* lent in this window */
	uint64_t faults;	/* since its first */
	unsigned skip, next;	/* writes that are still the file's; how many will be, next time */
};
static _Thread_local struct slot slots[SLOTS], *current;
static _Thread_local uint64_t faults_seen;

static int mmap_open(struct gotgt_lun *lun, const void *conf_, struct gotgt_dev_info *info, void **dev)
{
	const struct disk_conf *conf = conf_;
	struct mmap_dev *d = calloc(1, sizeof *d);
	static atomic_uint ids;
	void *bytes;
	int r;

	if (!d)
		return -ENOMEM;
	do
		d->id = atomic_fetch_add(&ids, 1) + 1;
	while (!d->id);
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
	d->page = (size_t)sysconf(_SC_PAGESIZE);
	/* Without it all long writes are the file's. */
	d->written = conf->readonly ? NULL : calloc(d->len_bytes / PIECE + 1, sizeof *d->written);
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

static struct slot *slot_of(unsigned id)
{
	struct slot *s = &slots[id % SLOTS];

	if (s->id != id)
		*s = (struct slot){ .id = id, .next = SKIP_MIN };
	return s;
}

static void count_faults(void)
{
	struct rusage use;
	uint64_t now;

	if (getrusage(RUSAGE_THREAD, &use) < 0)
		return;
	now = (uint64_t)use.ru_minflt;
	if (current && current->bytes)
		current->faults += now - faults_seen;
	faults_seen = now;
}

/* Pages that were written by the mapping: are they still dirty, as far as this thread knows?  Other faults make that a guess. */
static bool is_cheap(struct mmap_dev *d, struct slot *s, uint64_t length)
{
	/* A window is one device's, and one call. */
	if (current != s || !s->bytes || s->bytes >= WINDOW)
		count_faults();
	if (s->bytes >= WINDOW) {
		if (s->faults * PAGES_A_FAULT > s->bytes / d->page) {
			s->skip = s->next;
			s->next = s->next < SKIP_MAX ? s->next * 2 : SKIP_MAX;
			atomic_fetch_add_explicit(&d->epoch, 1, memory_order_relaxed);
		} else {
			s->next = SKIP_MIN;
		}
		s->bytes = s->faults = 0;
	}
	if (s->skip)
		return false;
	current = s;
	s->bytes += length;
	return true;
}

/* Those faults are not counted. */
static bool first_time(void)
{
	if (current)
		count_faults();
	current = NULL;
	return true;
}

static uint8_t epoch_of(const struct mmap_dev *d)
{
	return (uint8_t)atomic_load_explicit(&d->epoch, memory_order_relaxed);
}

static struct piece get_piece(const struct mmap_dev *d, uint64_t at, uint8_t now)
{
	uint32_t packed = atomic_load_explicit(&d->written[at], memory_order_relaxed);
	struct piece p = { .when = packed & 0xff, .times = packed >> 8 & 0xff, .mapped = packed >> 16 & 1 };

	p.mapped = p.mapped && packed >> 24 == epoch_of(d);
	return p.when && (now + TICKS - p.when) % TICKS <= LATELY ? p : (struct piece){ 0 };
}

static void put_piece(struct mmap_dev *d, uint64_t at, struct piece p)
{
	atomic_store_explicit(&d->written[at], (uint32_t)p.when | (uint32_t)p.times << 8 | (uint32_t)p.mapped << 16 |
			      (uint32_t)epoch_of(d) << 24, memory_order_relaxed);
}

/* Is a long write, which there is now, one for the mapping? */
static bool by_mapping(struct mmap_dev *d, uint64_t offset, uint64_t length)
{
	const uint64_t first = offset / PIECE, last = (offset + length - 1) / PIECE;
	struct slot *s = slot_of(d->id);
	bool mapped = true, hot = true, yes = false;
	struct timespec t;
	uint8_t now;

	if (!d->written)
		return false;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	now = (uint8_t)((uint64_t)t.tv_sec / TICK_S % TICKS + 1);
	for (uint64_t at = first; at <= last; at++) {
		struct piece p = get_piece(d, at, now);

		mapped = mapped && p.mapped;
		hot = hot && (p.mapped || p.times >= HOT);
	}
	if (s->skip)
		s->skip--;
	else if (mapped)
		yes = is_cheap(d, s, length);
	else if (hot && (get_piece(d, first, now).times + first / REGION) % PARTS == 0)
		yes = first_time();
	for (uint64_t at = first; at <= last; at++) {
		struct piece p = get_piece(d, at, now);

		p.when = now;
		p.times = (uint8_t)(p.times < UINT8_MAX ? p.times + 1u : UINT8_MAX + 1u - PARTS);	/* each turn comes again */
		p.mapped = p.mapped || yes;
		put_piece(d, at, p);
	}
	return yes;
}

static uint32_t mmap_lend(void *dev, uint64_t offset, uint64_t length, int write, struct iovec *iov, uint32_t iovmax)
{
	struct mmap_dev *d = dev;

	if (!iovmax || (write && d->disk.readonly))
		return 0;
	/* What has come since the file was mapped is read and written. */
	if (offset + length > d->len_bytes || offset + length > atomic_load(&d->disk.size))
		return 0;
	if (write && length >= WRITE_LEND_MAX && !by_mapping(d, offset, length))
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
