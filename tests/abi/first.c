/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin of the first release, built against that release's header, which is kept in 0.1/.  Neither is ever changed:
 * what is built here stands for the binaries that are out there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <gotgt/ext-extents.h>
#include <gotgt/ext-memory.h>

#ifdef gotgt_info
#error "this is not the header of the first release"
#endif

#define COOKIE UINT64_C(0x1122334455667788)

struct first_conf {
	const char *path;
	int readonly;
	uint64_t physical, size;
};

static const struct gotgt_param first_params[] = {
	{ "path", GOTGT_PARAM_STRING, GOTGT_PARAM_REQUIRED | GOTGT_PARAM_PATH, offsetof(struct first_conf, path), NULL, "The file" },
	{ "readonly", GOTGT_PARAM_BOOL, 0, offsetof(struct first_conf, readonly), "no", "Refuse writes" },
	{ "physical", GOTGT_PARAM_UINT, 0, offsetof(struct first_conf, physical), "4096", "Bytes of a physical block" },
	{ "size", GOTGT_PARAM_SIZE, 0, offsetof(struct first_conf, size), "0", "How many bytes the file must have" },
	{ NULL, 0, 0, 0, NULL, NULL },
};

struct first {
	char *bytes;
	size_t size;
};

static int refuse(struct gotgt_lun *lun, int fd, const char *path, const char *why, int err)
{
	gotgt_error(lun, "%s: %s", path, why);
	if (fd >= 0)
		close(fd);
	return -err;
}

static int first_open(struct gotgt_lun *lun, const void *conf_, struct gotgt_dev_info *info, void **dev)
{
	const struct first_conf *conf = conf_;
	int fd = open(conf->path, (conf->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	struct first *f;
	struct stat st;
	void *bytes;

	if (fd < 0 || fstat(fd, &st) < 0)
		return refuse(lun, fd, conf->path, strerror(errno), errno);
	if (conf->size && conf->size != (uint64_t)st.st_size)
		return refuse(lun, fd, conf->path, "it has another size", EINVAL);
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ | (conf->readonly ? 0 : PROT_WRITE), MAP_SHARED, fd, 0);
	f = bytes == MAP_FAILED ? NULL : malloc(sizeof *f);
	if (!f)
		return refuse(lun, fd, conf->path, "it cannot be mapped", ENOMEM);
	close(fd);
	f->bytes = bytes;
	f->size = (size_t)st.st_size;
	info->size = f->size;
	info->physical_block_size = (uint32_t)conf->physical;
	info->unmap_granularity = 4096;
	info->flags = GOTGT_DEV_WRITE_CACHE | GOTGT_DEV_THIN | (conf->readonly ? GOTGT_DEV_READ_ONLY : 0);
	info->ops = GOTGT_OP_BIT(GOTGT_OP_READ) | GOTGT_OP_BIT(GOTGT_OP_WRITE) | GOTGT_OP_BIT(GOTGT_OP_FLUSH) |
		    GOTGT_OP_BIT(GOTGT_OP_UNMAP) | GOTGT_OP_BIT(GOTGT_OP_ZERO);
	gotgt_debug(lun, "%s: %llu bytes", conf->path, (unsigned long long)info->size);
	*dev = f;
	return 0;
}

static void first_close(void *dev)
{
	struct first *f = dev;

	munmap(f->bytes, f->size);
	free(f);
}

static void first_submit(void *dev, struct gotgt_io *io)
{
	struct first *f = dev;
	char *at = f->bytes + io->offset;
	enum gotgt_status status = GOTGT_OK;

	*(uint64_t *)io->priv = COOKIE;
	if (io->op == GOTGT_OP_FLUSH && msync(f->bytes, f->size, MS_SYNC) < 0)
		status = GOTGT_ERR_IO;
	if (io->op == GOTGT_OP_UNMAP || io->op == GOTGT_OP_ZERO)
		memset(at, 0, (size_t)io->length);
	for (uint32_t i = 0; i < io->iovcnt; at += io->iov[i++].iov_len) {
		if (io->op == GOTGT_OP_READ)
			memcpy(io->iov[i].iov_base, at, io->iov[i].iov_len);
		else
			memcpy(at, io->iov[i].iov_base, io->iov[i].iov_len);
	}
	if (*(uint64_t *)io->priv != COOKIE)
		status = GOTGT_ERR_IO;
	gotgt_io_done(io, status);
}

static void first_cancel(void *dev, struct gotgt_io *io)
{
}

static uint32_t first_lend(void *dev, uint64_t offset, uint64_t length, int write, struct iovec *iov, uint32_t iovmax)
{
	struct first *f = dev;

	iov[0].iov_base = f->bytes + offset;
	iov[0].iov_len = (size_t)length;
	return 1;
}

static enum gotgt_status first_extents(void *dev, uint64_t offset, uint64_t length, struct gotgt_extent *extents,
				       uint32_t max, uint32_t *count)
{
	extents[0].length = length;
	extents[0].state = GOTGT_EXTENT_ALLOCATED;
	*count = 1;
	return GOTGT_OK;
}

static const void *first_extension(const char *id)
{
	static const struct gotgt_memory memory = { .size = sizeof memory, .lend = first_lend };
	static const struct gotgt_extents extents = { .size = sizeof extents, .query = first_extents };

	if (!strcmp(id, GOTGT_EXT_MEMORY))
		return &memory;
	return strcmp(id, GOTGT_EXT_EXTENTS) ? NULL : &extents;
}

GOTGT_PLUGIN(
	.name = "first",
	.version = "1",
	.description = "A file, as the first release had it",
	.flags = GOTGT_PLUGIN_NOWAIT | GOTGT_PLUGIN_BLOCKING,
	.io_priv_size = sizeof(uint64_t),
	.conf_size = sizeof(struct first_conf),
	.params = first_params,
	.open = first_open,
	.close = first_close,
	.submit = first_submit,
	.cancel = first_cancel,
	.extension = first_extension,
)
