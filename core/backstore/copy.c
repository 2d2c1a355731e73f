/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy.c - bytes from device to device: by the plugin where it can (gotgt.copy/1), on a worker, else through a
 * buffer.  Each piece comes home to the reactor, so that others have their turn and a cancel is seen.
 */
#include "config.h"
#include "backstore/device-internal.h"

#define OFFLOAD_BYTES (16u << 20)	/* a piece by the plugin: as long as a cancel may have to wait */
#define COPY_BUF_BYTES (1u << 20)	/* a piece through memory */

static void step(struct post *p);

static void finish(struct device_copy *c, enum gotgt_status status)
{
	bufpool_put(reactor_pool(c->reactor), c->buf);
	c->buf = NULL;
	c->done(c, status);
}

static void go_on(struct device_copy *c)
{
	c->post.run = step;
	reactor_post(c->reactor, &c->post);
}

static bool overlapping(const struct device_copy *c)
{
	return c->from == c->to && c->from_offset < c->to_offset + c->length && c->to_offset < c->from_offset + c->length;
}

static bool plugin_copies(const struct device_copy *c)
{
	return c->from->copy.copy && c->from->ops == c->to->ops && !overlapping(c);
}

/* ---- by the plugin ---- */

static void offloaded(struct work *w)
{
	struct device_copy *c = container_of(w, struct device_copy, work);
	uint64_t want = MIN(c->length - c->copied, OFFLOAD_BYTES), n = 0;
	enum gotgt_status status = c->from->copy.copy(c->from->handle, c->from_offset + c->copied, c->to->handle,
						      c->to_offset + c->copied, want, &n);

	if (n > want) {
		device_breach(c->to, "copied more than it was told to");
		n = 0;
	}
	n &= ~(uint64_t)(MAX(c->from->info.block_size, c->to->info.block_size) - 1);
	c->copied += n;
	/* Reading and writing tells whose error it is, or does not meet it. */
	c->by_plugin = status == GOTGT_OK && n;
	go_on(c);
}

/* ---- through memory ---- */

static void submit(struct device_copy *c, struct device *dev, uint32_t op, uint64_t offset,
		   void (*done)(struct device_io *dio, enum gotgt_status status))
{
	bool data = op != GOTGT_OP_FLUSH;

	c->dio.io.op = op;
	c->dio.io.flags = 0;
	c->dio.io.offset = offset;
	c->dio.io.length = data ? c->piece : 0;
	c->dio.io.iov = data ? &c->iov : NULL;
	c->dio.io.iovcnt = data;
	c->dio.reactor = c->reactor;
	c->dio.done = done;
	c->at_device = dev;
	device_submit(dev, &c->dio);
}

static void written(struct device_io *dio, enum gotgt_status status)
{
	struct device_copy *c = container_of(dio, struct device_copy, dio);

	c->at_device = NULL;
	if (status != GOTGT_OK) {
		finish(c, status);
		return;
	}
	c->copied += c->piece;
	go_on(c);
}

/* Where the piece lies in both ranges: from the end on, when going forward would overwrite what is still to be read. */
static uint64_t piece_at(const struct device_copy *c)
{
	bool backwards = overlapping(c) && c->to_offset > c->from_offset;

	return backwards ? c->length - c->copied - c->piece : c->copied;
}

static void read_in(struct device_io *dio, enum gotgt_status status)
{
	struct device_copy *c = container_of(dio, struct device_copy, dio);

	c->at_device = NULL;
	if (status != GOTGT_OK) {
		c->reading_failed = true;
		finish(c, status);
	} else if (atomic_load_explicit(&c->canceled, memory_order_relaxed)) {
		finish(c, GOTGT_ERR_CANCELED);
	} else {
		submit(c, c->to, GOTGT_OP_WRITE, c->to_offset + piece_at(c), written);
	}
}

static void through_memory(struct device_copy *c)
{
	if (!c->buf)
		c->buf = bufpool_get_data(reactor_pool(c->reactor), (size_t)MIN(c->length, COPY_BUF_BYTES));
	if (!c->buf) {
		finish(c, GOTGT_ERR_NO_MEMORY);
		return;
	}
	c->piece = MIN(c->length - c->copied, c->buf->size);
	c->iov = (struct iovec){ c->buf->data, (size_t)c->piece };
	submit(c, c->from, GOTGT_OP_READ, c->from_offset + piece_at(c), read_in);
}

/* ---- the whole ---- */

static void flushed(struct device_io *dio, enum gotgt_status status)
{
	struct device_copy *c = container_of(dio, struct device_copy, dio);

	c->at_device = NULL;
	finish(c, status);
}

static void step(struct post *p)
{
	struct device_copy *c = container_of(p, struct device_copy, post);

	if (atomic_load_explicit(&c->canceled, memory_order_relaxed)) {
		finish(c, GOTGT_ERR_CANCELED);
	} else if (c->to->info.flags & GOTGT_DEV_READ_ONLY) {
		finish(c, GOTGT_ERR_READ_ONLY);
	} else if (c->copied == c->length) {
		if (c->flush)
			submit(c, c->to, GOTGT_OP_FLUSH, 0, flushed);
		else
			finish(c, GOTGT_OK);
	} else if (c->by_plugin) {
		c->work.run = offloaded;
		device_to_worker(c->to, &c->work);
	} else {
		through_memory(c);
	}
}

void device_copy(struct device_copy *c)
{
	c->copied = 0;
	c->reading_failed = false;
	c->buf = NULL;
	c->at_device = NULL;
	atomic_store_explicit(&c->canceled, false, memory_order_relaxed);
	c->by_plugin = plugin_copies(c);
	go_on(c);
}

void device_copy_cancel(struct device_copy *c)
{
	atomic_store_explicit(&c->canceled, true, memory_order_relaxed);
	if (c->at_device)
		device_cancel(c->at_device, &c->dio);
}
