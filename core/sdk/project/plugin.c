/* SPDX-License-Identifier: @LICENSE@ */
/*
 * @NAME@: a device in a file.  What gotgt-plugin(3) asks for is all here; make open(), submit() and
 * close() your own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <gotgt/plugin.h>

/* The settings: filled in by the core, by the table below. */
struct @SYMBOL@_conf {
	const char *path;
	int readonly;
};

static const struct gotgt_param @SYMBOL@_params[] = {
	{ "path", GOTGT_PARAM_STRING, GOTGT_PARAM_REQUIRED | GOTGT_PARAM_PATH, offsetof(struct @SYMBOL@_conf, path), NULL,
	  "The file" },
	{ "readonly", GOTGT_PARAM_BOOL, 0, offsetof(struct @SYMBOL@_conf, readonly), "no", "Refuse writes" },
	{ NULL, 0, 0, 0, NULL, NULL },
};

struct @SYMBOL@_dev {
	int fd;
	struct gotgt_lun *lun;	/* for messages */
};

static int @SYMBOL@_open(struct gotgt_lun *lun, const void *conf_, struct gotgt_dev_info *info, void **dev)
{
	const struct @SYMBOL@_conf *conf = conf_;
	struct @SYMBOL@_dev *d = malloc(sizeof *d);
	struct stat st;

	if (!d) {
		gotgt_error(lun, "no memory");
		return -ENOMEM;
	}
	d->lun = lun;
	d->fd = open(conf->path, (conf->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (d->fd < 0 || fstat(d->fd, &st) < 0) {
		int err = errno;

		gotgt_error(lun, "%s: %s", conf->path, strerror(err));
		if (d->fd >= 0)
			close(d->fd);
		free(d);
		return -err;
	}
	info->size = (uint64_t)st.st_size;
	info->flags = GOTGT_DEV_WRITE_CACHE;
	if (conf->readonly)
		info->flags |= GOTGT_DEV_READ_ONLY;
	info->ops = GOTGT_OP_BIT(GOTGT_OP_READ) | GOTGT_OP_BIT(GOTGT_OP_WRITE) | GOTGT_OP_BIT(GOTGT_OP_FLUSH);
	*dev = d;
	return 0;
}

static void @SYMBOL@_close(void *dev)
{
	struct @SYMBOL@_dev *d = dev;

	close(d->fd);
	free(d);
}

/* One element, whole. */
static enum gotgt_status move(struct @SYMBOL@_dev *d, uint32_t op, const struct iovec *v, uint64_t offset)
{
	size_t done = 0;

	while (done < v->iov_len) {
		char *at = (char *)v->iov_base + done;
		ssize_t r = op == GOTGT_OP_READ ? pread(d->fd, at, v->iov_len - done, (off_t)(offset + done)) :
						  pwrite(d->fd, at, v->iov_len - done, (off_t)(offset + done));

		if (r > 0)
			done += (size_t)r;
		else if (r == 0 || errno != EINTR) {
			gotgt_error(d->lun, "%s: %s", op == GOTGT_OP_READ ? "read" : "write", r ? strerror(errno) : "past the end");
			return r && errno == ENOSPC ? GOTGT_ERR_NO_SPACE : GOTGT_ERR_IO;
		}
	}
	return GOTGT_OK;
}

/* It may block: GOTGT_PLUGIN_BLOCKING below says so.  Every request is answered, once. */
static void @SYMBOL@_submit(void *dev, struct gotgt_io *io)
{
	struct @SYMBOL@_dev *d = dev;
	enum gotgt_status status = GOTGT_OK;
	uint64_t offset = io->offset;

	if (io->op == GOTGT_OP_FLUSH && fdatasync(d->fd) < 0)
		status = GOTGT_ERR_IO;
	for (uint32_t i = 0; i < io->iovcnt && status == GOTGT_OK; i++) {
		status = move(d, io->op, &io->iov[i], offset);
		offset += io->iov[i].iov_len;
	}
	gotgt_io_done(io, status);
}

GOTGT_PLUGIN(
	.name = "@NAME@",
	.version = PLUGIN_VERSION,
	.description = "A device in a file",
	.flags = GOTGT_PLUGIN_BLOCKING,
	.conf_size = sizeof(struct @SYMBOL@_conf),
	.params = @SYMBOL@_params,
	.open = @SYMBOL@_open,
	.close = @SYMBOL@_close,
	.submit = @SYMBOL@_submit,
)
