/* SPDX-License-Identifier: MIT */
/*
 * later: a disk in memory that answers from a thread of its own, as a plugin does whose bytes are elsewhere:
 * submit() only queues, and a request that waits can be canceled.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <gotgt/plugin.h>

struct later_conf {
	uint64_t size;
};

static const struct gotgt_param later_params[] = {
	{ "size", GOTGT_PARAM_SIZE, 0, offsetof(struct later_conf, size), "64M", "Size of the device" },
	{ NULL, 0, 0, 0, NULL, NULL },
};

/* What is in gotgt_io.priv: the queue needs no memory of its own. */
struct later_node {
	struct gotgt_io *next;
};

struct later {
	char *bytes;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct gotgt_io *first, **last;		/* linked by later_node.next */
	int closing;
};

static struct gotgt_io **next_of(struct gotgt_io *io)
{
	return &((struct later_node *)io->priv)->next;
}

static void work(struct later *d, struct gotgt_io *io)
{
	char *at = d->bytes + io->offset;

	if (io->op == GOTGT_OP_UNMAP || io->op == GOTGT_OP_ZERO)
		memset(at, 0, (size_t)io->length);
	for (uint32_t i = 0; i < io->iovcnt; at += io->iov[i++].iov_len) {
		if (io->op == GOTGT_OP_READ)
			memcpy(io->iov[i].iov_base, at, io->iov[i].iov_len);
		else
			memcpy(at, io->iov[i].iov_base, io->iov[i].iov_len);
	}
	gotgt_io_done(io, GOTGT_OK);
}

static void *run(void *arg)
{
	struct later *d = arg;

	pthread_mutex_lock(&d->lock);
	for (;;) {
		struct gotgt_io *io = d->first;

		if (!io && d->closing)
			break;
		if (!io) {
			pthread_cond_wait(&d->more, &d->lock);
			continue;
		}
		d->first = *next_of(io);
		if (!d->first)
			d->last = &d->first;
		/* From here on cancel() does not find it. */
		pthread_mutex_unlock(&d->lock);
		work(d, io);
		pthread_mutex_lock(&d->lock);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

static int later_open(struct gotgt_lun *lun, const void *conf_, struct gotgt_dev_info *info, void **dev)
{
	const struct later_conf *conf = conf_;
	struct later *d = calloc(1, sizeof *d);
	int r;

	if (!d || !(d->bytes = calloc(1, (size_t)conf->size))) {
		gotgt_error(lun, "no memory for a device of that size");
		free(d);
		return -ENOMEM;
	}
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->more, NULL);
	d->last = &d->first;
	r = pthread_create(&d->thread, NULL, run, d);
	if (r) {
		gotgt_error(lun, "no thread: %s", strerror(r));
		free(d->bytes);
		free(d);
		return -r;
	}
	info->size = conf->size;
	info->ops = GOTGT_OP_BIT(GOTGT_OP_UNMAP) | GOTGT_OP_BIT(GOTGT_OP_ZERO);
	*dev = d;
	return 0;
}

static void later_close(void *dev)
{
	struct later *d = dev;

	pthread_mutex_lock(&d->lock);
	d->closing = 1;
	pthread_cond_signal(&d->more);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->thread, NULL);
	pthread_mutex_destroy(&d->lock);
	pthread_cond_destroy(&d->more);
	free(d->bytes);
	free(d);
}

static void later_submit(void *dev, struct gotgt_io *io)
{
	struct later *d = dev;

	*(struct later_node *)io->priv = (struct later_node){ NULL };
	pthread_mutex_lock(&d->lock);
	*d->last = io;
	d->last = next_of(io);
	pthread_cond_signal(&d->more);
	pthread_mutex_unlock(&d->lock);
}

/* Only what is still queued, by its address alone: another may have been answered, and be gone. */
static void later_cancel(void *dev, struct gotgt_io *io)
{
	struct later *d = dev;
	struct gotgt_io **at;
	int found;

	pthread_mutex_lock(&d->lock);
	for (at = &d->first; *at && *at != io; )
		at = next_of(*at);
	found = *at != NULL;
	if (found) {
		*at = *next_of(io);
		if (!*at)
			d->last = at;
	}
	pthread_mutex_unlock(&d->lock);
	if (found)
		gotgt_io_done(io, GOTGT_ERR_CANCELED);
}

GOTGT_PLUGIN(
	.name = "later",
	.version = "1",
	.description = "A disk in memory that answers from a thread",
	.io_priv_size = sizeof(struct later_node),
	.conf_size = sizeof(struct later_conf),
	.params = later_params,
	.open = later_open,
	.close = later_close,
	.submit = later_submit,
	.cancel = later_cancel,
)
