/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin on a file that does one thing wrong, which the setting "fault" names; without it, none. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <gotgt/ext-compare.h>
#include <gotgt/ext-copy.h>
#include <gotgt/ext-extents.h>
#include <gotgt/ext-memory.h>
#include <gotgt/ext-size.h>

#define SIZE_BYTES (4u << 20)
#define PRIV_BYTES 16

struct faulty_conf {
	const char *path, *fault;
	int readonly;
};

static const struct gotgt_param faulty_params[] = {
	{ "path", GOTGT_PARAM_STRING, GOTGT_PARAM_REQUIRED | GOTGT_PARAM_PATH, offsetof(struct faulty_conf, path), NULL,
	  "The file" },
	{ "fault", GOTGT_PARAM_STRING, 0, offsetof(struct faulty_conf, fault), "none", "What to do wrong" },
	{ "readonly", GOTGT_PARAM_BOOL, 0, offsetof(struct faulty_conf, readonly), "no", "Refuse writes" },
	{ NULL },
};

struct faulty {
	struct gotgt_lun *lun;
	int fd;
	char gate[256];			/* "gate": while there is a file of this name, requests wait */
	char *cache;			/* "cache": all of the device, written at close() */
	char *mapped;			/* "lend-constant", "lend-goes": what is lent is right, and changes */
	struct gotgt_io *kept;		/* "late": answered again at close() */
	struct gotgt_io own;		/* "stranger" */
};

/* Extensions and submit() have no configuration. */
static char fault[32];

static bool is(const char *name)
{
	return !strcmp(fault, name);
}

static int open_fault(struct gotgt_lun *lun)
{
	if (is("crash-open"))
		abort();
	if (is("positive"))
		return gotgt_error(lun, "it is too late"), EIO;
	if (is("silent"))
		return -EIO;
	if (is("refused"))
		return gotgt_error(lun, "it is not the day"), -EIO;
	if (is("resized-open"))
		gotgt_host->resized(lun, SIZE_BYTES);
	if (is("leak"))
		open("/dev/null", O_RDONLY);
	return 0;
}

static void fill_info(const struct faulty_conf *conf, struct gotgt_dev_info *info)
{
	info->size = SIZE_BYTES;
	info->block_size = is("block") ? 3000 : 512;
	info->flags = GOTGT_DEV_WRITE_CACHE | (conf->readonly && !is("readonly") ? GOTGT_DEV_READ_ONLY : 0);
	info->ops = GOTGT_OP_BIT(GOTGT_OP_FLUSH) | GOTGT_OP_BIT(GOTGT_OP_UNMAP) | GOTGT_OP_BIT(GOTGT_OP_ZERO);
	info->native_fua = 1;
	if (is("ops"))
		info->ops |= 1u << 9;
	if (is("reserved"))
		info->reserved[1] = 1;
}

static int faulty_open(struct gotgt_lun *lun, const void *conf_, struct gotgt_dev_info *info, void **dev)
{
	const struct faulty_conf *conf = conf_;
	struct faulty *f;
	int r;

	strncpy(fault, conf->fault, sizeof fault - 1);
	r = open_fault(lun);
	if (r)
		return r;
	f = calloc(1, sizeof *f);
	if (!f)
		return -ENOMEM;
	f->lun = lun;
	f->fd = open(conf->path, O_RDWR | O_CLOEXEC);
	if (f->fd < 0) {
		r = -errno;
		if (!is("no-line"))
			gotgt_error(lun, "%s: %s", conf->path, strerror(-r));
		free(f);
		return r;
	}
	if (is("gate"))
		snprintf(f->gate, sizeof f->gate, "%s.gate", conf->path);
	if (is("lend-constant") || is("lend-goes")) {
		f->mapped = mmap(NULL, SIZE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
		if (f->mapped == MAP_FAILED)
			abort();
	}
	if (is("cache")) {
		f->cache = malloc(SIZE_BYTES);
		if (!f->cache || pread(f->fd, f->cache, SIZE_BYTES, 0) != SIZE_BYTES)
			abort();
	}
	fill_info(conf, info);
	*dev = f;
	return 0;
}

static void faulty_close(void *dev)
{
	struct faulty *f = dev;

	if (is("hang-close"))
		for (;;)
			pause();
	if (f->kept)
		gotgt_io_done(f->kept, GOTGT_OK);
	if (f->cache && pwrite(f->fd, f->cache, SIZE_BYTES, 0) != SIZE_BYTES)
		abort();
	free(f->cache);
	if (f->mapped)
		munmap(f->mapped, SIZE_BYTES);
	close(f->fd);
	free(f);
}

/* ---- bytes ---- */

static bool move(struct faulty *f, uint32_t op, void *data, size_t n, uint64_t at)
{
	if (is("low"))
		at &= 0x1fffff;
	if (f->cache) {
		memcpy(op == GOTGT_OP_READ ? data : f->cache + at, op == GOTGT_OP_READ ? f->cache + at : data, n);
		return true;
	}
	return (op == GOTGT_OP_READ ? pread(f->fd, data, n, (off_t)at) : pwrite(f->fd, data, n, (off_t)at)) == (ssize_t)n;
}

static enum gotgt_status clear(struct faulty *f, const struct gotgt_io *io)
{
	static char zeroes[512];

	if (is(io->op == GOTGT_OP_UNMAP ? "unmap" : "zero"))
		return GOTGT_OK;
	for (uint64_t at = io->offset; at < io->offset + io->length + (is("clears") ? 512 : 0); at += sizeof zeroes)
		if (!move(f, GOTGT_OP_WRITE, zeroes, sizeof zeroes, at))
			return GOTGT_ERR_IO;
	return GOTGT_OK;
}

static enum gotgt_status rw(struct faulty *f, const struct gotgt_io *io)
{
	static char zeroes[512];
	uint64_t at = io->offset;

	if (io->op == GOTGT_OP_WRITE && is("lost") && io->offset)
		return GOTGT_OK;
	for (uint32_t i = 0; i < io->iovcnt; i++) {
		const struct iovec *v = &io->iov[is("order") ? io->iovcnt - 1 - i : i];
		char *data = v->iov_base;

		if (io->op == GOTGT_OP_WRITE && is("changes"))
			data[0] ^= 1;
		if (is("rounds") && v->iov_len % 512)
			return GOTGT_ERR_IO;
		if (!move(f, io->op, data, v->iov_len, at))
			return GOTGT_ERR_IO;
		if (io->op == GOTGT_OP_READ && is("wrong"))
			data[3] ^= 1;
		if (io->op == GOTGT_OP_READ && is("over") && io->length > 512)
			data[v->iov_len] = 0;
		at += v->iov_len;
	}
	if (io->op == GOTGT_OP_WRITE && is("neighbour") && at < SIZE_BYTES && !move(f, io->op, zeroes, sizeof zeroes, at))
		return GOTGT_ERR_IO;
	return is("read-error") && io->op == GOTGT_OP_READ ? GOTGT_ERR_IO : GOTGT_OK;
}

/* ---- answers ---- */

/* True: the request has had what is wrong with it. */
static bool submit_fault(struct faulty *f, struct gotgt_io *io)
{
	if (io->op == GOTGT_OP_WRITE && is("hang"))
		for (;;)
			pause();
	while (*f->gate && access(f->gate, F_OK) == 0)
		usleep(10000);
	if (io->op == GOTGT_OP_WRITE && is("exit"))
		_exit(3);
	if (io->op == GOTGT_OP_READ && is("crash"))
		abort();
	if (io->op == GOTGT_OP_WRITE && is("never"))
		return true;
	if (io->op == GOTGT_OP_READ && is("twice"))
		gotgt_io_done(io, GOTGT_OK);
	if (io->op == GOTGT_OP_READ && is("stranger"))
		gotgt_io_done(&f->own, GOTGT_OK);
	if (is("priv"))
		memset(io->priv, 0, PRIV_BYTES + 1);
	if (is("field"))
		io->reserved0 = 1;
	if (io->op == GOTGT_OP_READ && is("late"))
		f->kept = io;
	return io->flags & GOTGT_IO_NOWAIT && io->op == GOTGT_OP_READ && is("nowait");
}

static void faulty_submit(void *dev, struct gotgt_io *io)
{
	static const struct { const char *fault; int status; } statuses[] = {
		{ "status", 77 }, { "again", GOTGT_ERR_AGAIN }, { "canceled", GOTGT_ERR_CANCELED },
	};
	struct faulty *f = dev;
	int status;

	/* Nothing is ever done at once, but for what is to show that it is not. */
	if (io->flags & GOTGT_IO_NOWAIT && !is("nowait")) {
		gotgt_io_done(io, GOTGT_ERR_AGAIN);
		return;
	}
	if (submit_fault(f, io))
		return;
	if (io->op <= GOTGT_OP_WRITE)
		status = rw(f, io);
	else
		status = io->op == GOTGT_OP_FLUSH ? GOTGT_OK : clear(f, io);
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
		if (io->op == GOTGT_OP_READ && is(statuses[i].fault))
			status = statuses[i].status;
	gotgt_io_done(io, (enum gotgt_status)status);
}

/* It has answered all that it was given. */
static void faulty_cancel(void *dev, struct gotgt_io *io)
{
	if (is("cancel"))
		gotgt_io_done(io, GOTGT_ERR_CANCELED);
}

/* ---- extensions ---- */

static uint32_t lend(void *dev, uint64_t offset, uint64_t length, int write, struct iovec *iov, uint32_t iovmax)
{
	static char other[SIZE_BYTES];
	const struct faulty *f = dev;
	char *from = f->mapped ? f->mapped : other;

	iov[0] = (struct iovec){ from + offset, (size_t)length };
	if (is("lend-short"))
		iov[0].iov_len--;
	return is("lend-many") ? iovmax + 1 : 1;
}

static enum gotgt_status query(void *dev, uint64_t offset, uint64_t length, struct gotgt_extent *e, uint32_t max,
			       uint32_t *count)
{
	e[0].length = length + is("extents");
	e[0].state = is("extents-state") ? 7 : is("extents-hole") ? GOTGT_EXTENT_HOLE : GOTGT_EXTENT_ALLOCATED;
	*count = !is("extents-none");
	return GOTGT_OK;
}

static enum gotgt_status copy(void *from, uint64_t from_offset, void *to, uint64_t to_offset, uint64_t length,
			      uint64_t *copied)
{
	*copied = is("copy-nothing") ? 0 : is("copy-much") ? length + 1 : length;
	return GOTGT_OK;
}

static enum gotgt_status compare(void *dev, uint64_t offset, uint64_t length, const void *expected, const void *data,
				 uint64_t *same)
{
	struct faulty *f = dev;

	*same = is("compare-always") ? length : 0;
	return move(f, GOTGT_OP_WRITE, (void *)data, length, offset) ? GOTGT_OK : GOTGT_ERR_IO;
}

static void look(void *dev)
{
	struct faulty *f = dev;

	gotgt_host->resized(f->lun, SIZE_BYTES / 2);
}

static const void *faulty_extension(const char *id)
{
	static const struct gotgt_memory memory = { .size = sizeof memory, .lend = lend };
	static const struct gotgt_memory constant = { sizeof constant, GOTGT_MEMORY_STAYS | GOTGT_MEMORY_CONSTANT, lend },
					 goes = { sizeof goes, GOTGT_MEMORY_CONSTANT, lend };
	static const struct gotgt_extents extents = { .size = sizeof extents, .query = query };
	static const struct gotgt_copy copies = { .size = sizeof copies, .copy = copy };
	static const struct gotgt_compare compares = { .size = sizeof compares, .compare_and_write = compare };
	static const struct gotgt_size size = { .size = sizeof size, .look = look };
	static const struct { const char *id, *fault; const void *table; } all[] = {
		{ GOTGT_EXT_MEMORY, "lend-constant", &constant }, { GOTGT_EXT_MEMORY, "lend-goes", &goes },
		{ GOTGT_EXT_MEMORY, "lend", &memory }, { GOTGT_EXT_EXTENTS, "extents", &extents },
		{ GOTGT_EXT_COPY, "copy", &copies }, { GOTGT_EXT_COMPARE, "compare", &compares },
		{ GOTGT_EXT_SIZE, "look", &size },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (!strcmp(id, all[i].id) && !strncmp(fault, all[i].fault, strlen(all[i].fault)))
			return all[i].table;
	return NULL;
}

GOTGT_PLUGIN(
	.name = "faulty",
	.version = "1",
	.description = "Does one thing wrong",
	.flags = GOTGT_PLUGIN_BLOCKING | GOTGT_PLUGIN_NOWAIT,
	.io_priv_size = PRIV_BYTES,
	.conf_size = sizeof(struct faulty_conf),
	.params = faulty_params,
	.open = faulty_open,
	.close = faulty_close,
	.submit = faulty_submit,
	.cancel = faulty_cancel,
	.extension = faulty_extension,
)
