/* SPDX-License-Identifier: Apache-2.0 */
/* null: reads give zeroes, writes vanish.  The smallest whole plugin. */
#include <string.h>
#include <gotgt/plugin.h>

struct null_conf {
	uint64_t size;
};

static const struct gotgt_param null_params[] = {
	{ "size", GOTGT_PARAM_SIZE, 0, offsetof(struct null_conf, size), "1G", "Size of the device" },
	{ NULL },
};

static int null_open(struct gotgt_lun *lun, const void *conf_, struct gotgt_dev_info *info, void **dev)
{
	const struct null_conf *conf = conf_;

	info->block_size = 512;
	info->size = conf->size;
	info->ops = GOTGT_OP_BIT(GOTGT_OP_READ) | GOTGT_OP_BIT(GOTGT_OP_WRITE) | GOTGT_OP_BIT(GOTGT_OP_ZERO);
	info->native_fua = 1;
	*dev = NULL;
	return 0;
}

static void null_close(void *dev)
{
}

static void null_submit(void *dev, struct gotgt_io *io)
{
	if (io->op == GOTGT_OP_READ)
		for (uint32_t i = 0; i < io->iovcnt; i++)
			memset(io->iov[i].iov_base, 0, io->iov[i].iov_len);
	gotgt_io_done(io, GOTGT_OK);
}

GOTGT_PLUGIN(
	.name = "null",
	.version = "1",
	.description = "Reads give zeroes, writes vanish",
	.conf_size = sizeof(struct null_conf),
	.params = null_params,
	.open = null_open,
	.close = null_close,
	.submit = null_submit,
)
