/* SPDX-License-Identifier: Apache-2.0 */
/* file: a device in a regular file. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <gotgt/plugin.h>

struct file_conf {
	const char *path;
	int readonly;
};

static const struct gotgt_param file_params[] = {
	{ "path", GOTGT_PARAM_STRING, GOTGT_PARAM_REQUIRED, offsetof(struct file_conf, path), NULL, "File" },
	{ "readonly", GOTGT_PARAM_BOOL, 0, offsetof(struct file_conf, readonly), "no", "Refuse writes" },
	{ NULL },
};

struct file_dev {
	int fd;
};

static int file_open(struct gotgt_lun *lun, const void *conf_, struct gotgt_dev_info *info, void **dev)
{
	const struct file_conf *conf = conf_;
	struct file_dev *d;
	struct stat st;
	int r;

	d = calloc(1, sizeof *d);
	if (!d)
		return -ENOMEM;
	d->fd = open(conf->path, (conf->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (d->fd < 0 || fstat(d->fd, &st) < 0) {
		r = -errno;
		gotgt_error(lun, "%s: %s", conf->path, strerror(-r));
		goto fail;
	}
	info->block_size = 512;
	info->size = (uint64_t)st.st_size;
	info->flags = GOTGT_DEV_WRITE_CACHE | (conf->readonly ? GOTGT_DEV_READ_ONLY : 0);
	info->ops = GOTGT_OP_BIT(GOTGT_OP_READ) | GOTGT_OP_BIT(GOTGT_OP_WRITE) | GOTGT_OP_BIT(GOTGT_OP_FLUSH);
	*dev = d;
	return 0;

fail:
	if (d->fd >= 0)
		close(d->fd);
	free(d);
	return r;
}

static void file_close(void *dev)
{
	struct file_dev *d = dev;

	close(d->fd);
	free(d);
}

static void file_submit(void *dev, struct gotgt_io *io)
{
	struct file_dev *d = dev;
	ssize_t n = 0;

	switch (io->op) {
	case GOTGT_OP_READ:
		n = preadv(d->fd, io->iov, (int)io->iovcnt, (off_t)io->offset);
		break;
	case GOTGT_OP_WRITE:
		n = pwritev(d->fd, io->iov, (int)io->iovcnt, (off_t)io->offset);
		break;
	case GOTGT_OP_FLUSH:
		n = fdatasync(d->fd);
		break;
	}
	gotgt_io_done(io, n < 0 ? GOTGT_ERR_IO : GOTGT_OK);
}

GOTGT_PLUGIN(
	.name = "file",
	.version = "1",
	.description = "A device in a regular file",
	.flags = GOTGT_PLUGIN_BLOCKING,
	.conf_size = sizeof(struct file_conf),
	.params = file_params,
	.open = file_open,
	.close = file_close,
	.submit = file_submit,
)
