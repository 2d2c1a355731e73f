/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include <string.h>
#include "fake-device.h"

struct device *fake_new(uint64_t size, uint32_t block_size, uint32_t flags, uint32_t ops)
{
	struct device *dev = g_new0(struct device, 1);

	dev->info = (struct device_info){ .size = size, .block_size = block_size, .physical_block_size = block_size,
					  .flags = flags, .ops = ops };
	dev->ram = g_malloc0(size);
	pthread_mutex_init(&dev->lock, NULL);
	return dev;
}

void fake_free(struct device *dev)
{
	pthread_mutex_destroy(&dev->lock);
	g_free(dev->ram);
	g_free(dev);
}

void device_on_resized(struct device *dev, void (*resized)(void *data), void *data)
{
	dev->resized = resized;
	dev->resized_data = data;
}

void fake_resize(struct device *dev, uint64_t size)
{
	dev->info.size = size;
	if (dev->resized)
		dev->resized(dev->resized_data);
}

void device_look(struct device *dev)
{
	if (dev->size_seen && dev->size_seen != dev->info.size)
		fake_resize(dev, dev->size_seen);
}

void device_close(struct device *dev)
{
	dev->closed = true;
}

bool device_close_within(struct device *dev, unsigned seconds)
{
	dev->closed = true;
	return true;
}

const struct device_info *device_info(const struct device *dev)
{
	return &dev->info;
}

uint64_t device_size(const struct device *dev)
{
	return dev->info.size;
}

uint64_t device_given_size(const struct device *dev)
{
	return device_size(dev);
}

static void copy(struct device *dev, const struct gotgt_io *io, bool write)
{
	uint8_t *p = dev->ram + io->offset;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < io->iovcnt; i++) {
		if (write)
			memcpy(p + sum, io->iov[i].iov_base, io->iov[i].iov_len);
		else
			memcpy(io->iov[i].iov_base, p + sum, io->iov[i].iov_len);
		sum += io->iov[i].iov_len;
	}
	g_assert_cmpuint(sum, ==, io->length);
}

static enum gotgt_status perform(struct device *dev, struct device_io *dio)
{
	const struct gotgt_io *io = &dio->io;

	g_assert_cmpuint(io->offset % dev->info.block_size, ==, 0);
	g_assert_cmpuint(io->length % dev->info.block_size, ==, 0);
	g_assert_true(reactor_self() == dio->reactor);
	if (dev->shrinks && io->offset + io->length > dev->info.size)
		return GOTGT_ERR_IO;
	g_assert_cmpuint(io->offset + io->length, <=, dev->info.size);
	pthread_mutex_lock(&dev->lock);
	dev->last_op = io->op;
	dev->last_flags = io->flags;
	dev->last_offset = io->offset;
	dev->last_length = io->length;
	pthread_mutex_unlock(&dev->lock);
	if (dev->fail && io->op == dev->fail_op) {
		if (!dev->fail_after)
			return dev->fail;
		dev->fail_after--;
	}
	switch (io->op) {
	case GOTGT_OP_READ:
	case GOTGT_OP_WRITE:
		copy(dev, io, io->op == GOTGT_OP_WRITE);
		return GOTGT_OK;
	case GOTGT_OP_FLUSH:
		dev->flushes++;
		return GOTGT_OK;
	case GOTGT_OP_UNMAP:
		dev->unmaps++;
		/* fall through */
	case GOTGT_OP_ZERO:
		memset(dev->ram + io->offset, 0, io->length);
		return GOTGT_OK;
	case DEVICE_OP_WRITE_SAME:
		for (uint64_t at = 0; at < io->length; at += dio->pattern_len)
			memcpy(dev->ram + io->offset + at, dio->pattern, dio->pattern_len);
		return GOTGT_OK;
	default:
		return GOTGT_ERR_UNSUPPORTED;
	}
}

static void posted(struct post *p)
{
	struct device_io *dio = container_of(p, struct device_io, post);

	dio->done(dio, perform(dio->dev, dio));
}

void device_submit(struct device *dev, struct device_io *dio)
{
	pthread_mutex_lock(&dev->lock);
	dev->submits++;
	pthread_mutex_unlock(&dev->lock);
	dio->dev = dev;
	if (dev->hold) {
		g_assert_null(dev->held);
		dev->held = dio;
	} else if (dev->post) {
		dio->post.run = posted;
		reactor_post(dio->reactor, &dio->post);
	} else {
		dio->done(dio, perform(dev, dio));
	}
}

bool device_try(struct device *dev, struct device_io *dio)
{
	dev->tries++;
	if (dev->no_try)
		return false;
	dio->done(dio, perform(dev, dio));
	return true;
}

void device_cancel(struct device *dev, struct device_io *dio)
{
	g_assert_true(dev->held == dio || dev->post);	/* what is posted comes anyway */
	dev->cancels++;
}

void fake_let_go(struct device *dev, enum gotgt_status status)
{
	struct device_io *dio = dev->held;
	struct device_query *q = dev->held_query;

	dev->held = NULL;
	dev->held_query = NULL;
	dev->hold = false;
	if (dio)
		dio->done(dio, status == GOTGT_OK ? perform(dev, dio) : status);
	if (q) {
		if (status != GOTGT_OK)
			q->status = status;
		q->done(q);
	}
}

void device_stuck(struct device *dev)
{
	dev->stuck++;
}

uint32_t device_lend(struct device *dev, struct reactor *r, uint64_t offset, uint64_t length, bool write,
		     struct iovec *iov, uint32_t iovmax, enum gotgt_status *status)
{
	uint32_t n = dev->lend_pieces ? dev->lend_pieces : 1;

	g_assert_true(dev->info.lends);
	g_assert_cmpuint(offset + length, <=, dev->info.size);
	g_assert_cmpuint(n, <=, iovmax);
	*status = dev->lend_fail;
	if (dev->lend_fail)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		iov[i] = (struct iovec){ dev->ram + offset + length / n * i, length / n };
	dev->lends++;
	return n;
}

void device_reclaim(struct device *dev, const struct iovec *iov, uint32_t iovcnt)
{
	g_assert_cmpuint(iovcnt, ==, dev->lend_pieces ? dev->lend_pieces : 1);
	dev->reclaims++;
}

void device_lent_fault(struct device *dev)
{
	dev->faults++;
}

void device_query(struct device *dev, struct device_query *q)
{
	g_assert_null(dev->held_query);
	g_assert_cmpuint(q->offset + q->length, <=, dev->info.size);
	q->status = dev->info.extents ? dev->query_fail : GOTGT_ERR_UNSUPPORTED;
	q->count = q->status ? 0 : MIN(q->max, dev->n_extents);
	memcpy(q->extents, dev->extents, q->count * sizeof q->extents[0]);
	dev->held_query = q;
}

struct device_copy *fake_copy;

void device_copy(struct device_copy *c)
{
	g_assert_null(fake_copy);
	g_assert_true(reactor_self() == c->reactor);
	g_assert_cmpuint(c->from_offset + c->length, <=, c->from->info.size);
	g_assert_cmpuint(c->to_offset + c->length, <=, c->to->info.size);
	c->canceled = false;
	c->reading_failed = false;
	c->copied = 0;
	fake_copy = c;
}

void device_copy_cancel(struct device_copy *c)
{
	g_assert_true(fake_copy == c);
	c->canceled = true;
}

static bool failing(struct device *dev, uint32_t op)
{
	return dev->fail && dev->fail_op == op && !(dev->fail_after && dev->fail_after--);
}

void fake_copy_on(void)
{
	struct device_copy *c = fake_copy;
	enum gotgt_status status = GOTGT_OK;

	fake_copy = NULL;
	c->reading_failed = failing(c->from, GOTGT_OP_READ);
	if (c->canceled)
		status = GOTGT_ERR_CANCELED;
	else if (c->reading_failed)
		status = c->from->fail;
	else if (failing(c->to, GOTGT_OP_WRITE))
		status = c->to->fail;
	else
		memmove(c->to->ram + c->to_offset, c->from->ram + c->from_offset, c->length);
	c->to->flushes += status == GOTGT_OK && c->flush;
	c->copied = status == GOTGT_OK ? c->length : 0;
	c->done(c, status);
}

void device_compare(struct device *dev, struct device_compare *c)
{
	g_assert_null(dev->held_compare);
	g_assert_true(reactor_self() == c->reactor);
	g_assert_true(dev->info.compares);
	g_assert_cmpuint(c->offset + c->length, <=, dev->info.size);
	dev->held_compare = c;
}

void fake_compare_on(struct device *dev, enum gotgt_status status)
{
	struct device_compare *c = dev->held_compare;
	uint8_t *at = dev->ram + c->offset;

	dev->held_compare = NULL;
	c->status = status;
	for (c->same = 0; status == GOTGT_OK && c->same < c->length && at[c->same] == c->expected[c->same]; )
		c->same++;
	if (status == GOTGT_OK && c->same == c->length)
		memcpy(at, c->data, c->length);
	c->done(c);
}
