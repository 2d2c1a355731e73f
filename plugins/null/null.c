/* SPDX-License-Identifier: Apache-2.0 */
/* null: reads give zeroes, writes vanish.  The smallest whole plugin, and a yardstick: it costs nothing. */
#include <errno.h>
#include <string.h>
#include <gotgt/ext-extents.h>
#include <gotgt/ext-memory.h>

#define AREA_BYTES (256 * 1024)

struct null_conf {
	uint64_t size;
};

static const struct gotgt_param null_params[] = {
	{ "size", GOTGT_PARAM_SIZE, 0, offsetof(struct null_conf, size), "1G", "Size of the device" },
	{ NULL, 0, 0, 0, NULL, NULL },
};

static char zeroes[AREA_BYTES];		/* lent for reading, never written */
static __thread char sink[AREA_BYTES];	/* lent for writing, never read; a thread's own, for its cache */

static int null_open(struct gotgt_lun *lun, const void *conf_, struct gotgt_dev_info *info, void **dev)
{
	const struct null_conf *conf = conf_;

	if (conf->size < 512) {
		gotgt_error(lun, "size: it must be at least 512 bytes");
		return -EINVAL;
	}
	info->block_size = 512;
	info->size = conf->size;
	info->flags = GOTGT_DEV_THIN;
	info->ops = GOTGT_OP_BIT(GOTGT_OP_READ) | GOTGT_OP_BIT(GOTGT_OP_WRITE) | GOTGT_OP_BIT(GOTGT_OP_FLUSH) |
		    GOTGT_OP_BIT(GOTGT_OP_UNMAP) | GOTGT_OP_BIT(GOTGT_OP_ZERO);
	info->native_fua = 1;
	*dev = NULL;
	return 0;
}

static void null_close(void *dev)
{
}

/* It keeps nothing: all but a READ is done when it is asked for. */
static void null_submit(void *dev, struct gotgt_io *io)
{
	if (io->op == GOTGT_OP_READ)
		for (uint32_t i = 0; i < io->iovcnt; i++)
			memset(io->iov[i].iov_base, 0, io->iov[i].iov_len);
	gotgt_io_done(io, GOTGT_OK);
}

static uint32_t null_lend(void *dev, uint64_t offset, uint64_t length, int write, struct iovec *iov, uint32_t iovmax)
{
	uint32_t n = 0;

	for (; length; n++) {
		if (n == iovmax)
			return 0;
		iov[n].iov_base = write ? sink : zeroes;
		iov[n].iov_len = length < AREA_BYTES ? (size_t)length : AREA_BYTES;
		length -= iov[n].iov_len;
	}
	return n;
}

static enum gotgt_status null_extents(void *dev, uint64_t offset, uint64_t length, struct gotgt_extent *extents,
				      uint32_t max, uint32_t *count)
{
	extents[0].length = length;
	extents[0].state = GOTGT_EXTENT_HOLE;
	*count = 1;
	return GOTGT_OK;
}

static const void *null_extension(const char *id)
{
	static const struct gotgt_memory memory = {
		.size = sizeof memory, .flags = GOTGT_MEMORY_STAYS | GOTGT_MEMORY_CONSTANT, .lend = null_lend,
	};
	static const struct gotgt_extents extents = { .size = sizeof extents, .query = null_extents };

	if (!strcmp(id, GOTGT_EXT_MEMORY))
		return &memory;
	return strcmp(id, GOTGT_EXT_EXTENTS) ? NULL : &extents;
}

GOTGT_PLUGIN(
	.name = "null",
	.version = "1",
	.description = "Reads give zeroes, writes vanish",
	.flags = GOTGT_PLUGIN_NOWAIT,
	.conf_size = sizeof(struct null_conf),
	.params = null_params,
	.open = null_open,
	.close = null_close,
	.submit = null_submit,
	.extension = null_extension,
)
