/* SPDX-License-Identifier: Apache-2.0 */
/* The one device there is, in memory, which compares and writes in one step. */
#include <string.h>
#include <gotgt/ext-compare.h>

static uint8_t bytes[1 << 20];

static int ram_open(struct gotgt_lun *lun, const void *conf, struct gotgt_dev_info *info, void **dev)
{
	*dev = bytes;
	info->size = sizeof bytes;
	return 0;
}

static void ram_close(void *dev)
{
}

static void ram_submit(void *dev, struct gotgt_io *io)
{
	uint8_t *at = (uint8_t *)dev + io->offset;

	for (uint32_t i = 0; i < io->iovcnt; at += io->iov[i++].iov_len)
		if (io->op == GOTGT_OP_READ)
			memcpy(io->iov[i].iov_base, at, io->iov[i].iov_len);
		else
			memcpy(at, io->iov[i].iov_base, io->iov[i].iov_len);
	gotgt_io_done(io, GOTGT_OK);
}

static enum gotgt_status ram_compare(void *dev, uint64_t offset, uint64_t length, const void *expected, const void *data,
				     uint64_t *same)
{
	uint8_t *at = (uint8_t *)dev + offset;

	for (*same = 0; *same < length && at[*same] == ((const uint8_t *)expected)[*same]; )
		(*same)++;
	if (*same == length)
		memcpy(at, data, (size_t)length);
	return GOTGT_OK;
}

static const void *ram_extension(const char *id)
{
	static const struct gotgt_compare compare = { .size = sizeof compare, .compare_and_write = ram_compare };

	return strcmp(id, GOTGT_EXT_COMPARE) ? NULL : &compare;
}

GOTGT_PLUGIN(.name = "ram", .version = "1", .description = "For tests", .flags = GOTGT_PLUGIN_NOWAIT, .open = ram_open,
	     .close = ram_close, .submit = ram_submit, .extension = ram_extension)
