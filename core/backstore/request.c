/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.c - one request through a plugin: cut into pieces the plugin can do, given to it on the
 * reactor or on a worker, and brought home to its reactor.
 *
 *   device_submit  plan (how), equip (buffers)        reactor
 *   run            prepare, submit, settle, again     reactor, or a worker when the plugin may block
 *   finish         give back, done()                  reactor
 *
 * The state word decides who goes on after a completion: the one who called submit(), if it has not
 * returned yet; else whoever completes.  So pieces completed at once are a loop, not a recursion.
 */
#include "config.h"
#include <string.h>
#include "backstore/device-internal.h"

#define ZEROES_BYTES 65536u
#define PATTERN_BYTES 65536u
#define BOUNCE_BYTES (1u << 20)

enum { PIECE_NONE, PIECE_IN_SUBMIT, PIECE_FLYING, PIECE_DONE, PIECE_GONE };	/* bits 0 to 7 of state; 8 up: the status */
#define STATUS_SHIFT 8

enum how { HOW_WHOLE, HOW_RANGE, HOW_SLICE, HOW_BOUNCE, HOW_ZEROES, HOW_PATTERN };

/* Never written: the system's one page of zeroes backs all of it. */
static uint8_t zeroes[ZEROES_BYTES] __attribute__((__aligned__(4096)));

/* Calls into plugins under way on this thread: done() is not called inside one. */
static _Thread_local unsigned in_plugin;

static void run(struct device_io *dio, bool worker);

/* ---- pieces ---- */

static uint64_t piece_max(const struct device_io *dio)
{
	uint64_t left = dio->io.length - dio->at;

	return dio->dev->max_io_size ? MIN(left, dio->dev->max_io_size) : left;
}

static uint64_t whole_blocks(const struct device_io *dio, uint64_t bytes)
{
	return bytes & ~(uint64_t)(dio->dev->info.block_size - 1);
}

static void build_whole(struct device_io *dio)
{
	dio->sub.length = dio->io.length;
	dio->sub.iov = dio->io.iov;
	dio->sub.iovcnt = dio->io.iovcnt;
}

static void build_range(struct device_io *dio)
{
	dio->sub.length = piece_max(dio);
}

static void build_slice(struct device_io *dio)
{
	uint64_t skip = dio->at, left = piece_max(dio), got = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < dio->io.iovcnt && left > got && n < DEVICE_SUB_IOV; i++) {
		const struct iovec *v = &dio->io.iov[i];
		size_t len;

		if (skip >= v->iov_len) {
			skip -= v->iov_len;
			continue;
		}
		len = (size_t)MIN(v->iov_len - skip, left - got);
		dio->sub_iov[n++] = (struct iovec){ (char *)v->iov_base + skip, len };
		skip = 0;
		got += len;
	}
	dio->sub.length = got;
	dio->sub.iov = dio->sub_iov;
	dio->sub.iovcnt = n;
}

/* Copy len bytes between the caller's memory, from dio->at on, and the buffer. */
static void copy_bounce(struct device_io *dio, uint64_t len, bool out)
{
	uint64_t skip = dio->at, done = 0;

	for (uint32_t i = 0; i < dio->io.iovcnt && done < len; i++) {
		const struct iovec *v = &dio->io.iov[i];
		size_t n;

		if (skip >= v->iov_len) {
			skip -= v->iov_len;
			continue;
		}
		n = (size_t)MIN(v->iov_len - skip, len - done);
		if (out)
			memcpy(dio->buf->data + done, (char *)v->iov_base + skip, n);
		else
			memcpy((char *)v->iov_base + skip, dio->buf->data + done, n);
		skip = 0;
		done += n;
	}
}

static void build_bounce(struct device_io *dio)
{
	uint64_t len = whole_blocks(dio, MIN(piece_max(dio), dio->buf->size));

	if (dio->sub.op == GOTGT_OP_WRITE)
		copy_bounce(dio, len, true);
	dio->sub_iov[0] = (struct iovec){ dio->buf->data, (size_t)len };
	dio->sub.length = len;
	dio->sub.iov = dio->sub_iov;
	dio->sub.iovcnt = 1;
}

/* A write of the same area over and over, the first time from phase on. */
static void build_repeat(struct device_io *dio, uint8_t *area, size_t size, size_t phase)
{
	uint64_t want = whole_blocks(dio, MIN(piece_max(dio), (uint64_t)size * DEVICE_SUB_IOV - phase)), got = 0;
	uint32_t n = 0;

	for (; got < want; n++, phase = 0) {
		size_t len = (size_t)MIN(size - phase, want - got);

		dio->sub_iov[n] = (struct iovec){ area + phase, len };
		got += len;
	}
	dio->sub.op = GOTGT_OP_WRITE;
	dio->sub.length = got;
	dio->sub.iov = dio->sub_iov;
	dio->sub.iovcnt = n;
}

static void build_zeroes(struct device_io *dio)
{
	build_repeat(dio, zeroes, sizeof zeroes, 0);
}

static void build_pattern(struct device_io *dio)
{
	build_repeat(dio, dio->buf->data, dio->fill, (size_t)(dio->at % dio->pattern_len));
}

static void (*const build[])(struct device_io *dio) = {
	[HOW_WHOLE] = build_whole, [HOW_RANGE] = build_range, [HOW_SLICE] = build_slice,
	[HOW_BOUNCE] = build_bounce, [HOW_ZEROES] = build_zeroes, [HOW_PATTERN] = build_pattern,
};

/* The next piece, in dio->sub; false: nothing is left to do. */
static bool prepare(struct device_io *dio)
{
	dio->sub = (struct gotgt_io){
		.op = dio->op, .flags = dio->flags, .offset = dio->io.offset + dio->at,
		.priv = dio->priv_buf ? (void *)dio->priv_buf->data : dio->priv,
	};
	if (dio->at < dio->io.length) {
		build[dio->how](dio);
		if (dio->sub.op != GOTGT_OP_ZERO)
			dio->sub.flags &= ~GOTGT_IO_MAY_UNMAP;
	} else if (dio->flush_due) {
		dio->flush_due = false;
		dio->sub.op = GOTGT_OP_FLUSH;
		dio->sub.flags = 0;
		dio->sub.offset = 0;
	} else {
		return false;
	}
	dio->piece = dio->sub.length;
	dio->piece_op = dio->sub.op;
	dio->tried = false;
	dio->prepared = true;
	return true;
}

/* ---- what is to be done ---- */

static bool has_op(const struct device *dev, uint32_t op)
{
	return dev->info.ops & GOTGT_OP_BIT(op);
}

static enum gotgt_status plan_data(struct device *dev, struct device_io *dio)
{
	bool aligned = true, blocks = true;

	for (uint32_t i = 0; dev->mem_align > 1 && i < dio->io.iovcnt; i++)
		aligned &= !((uintptr_t)dio->io.iov[i].iov_base & (dev->mem_align - 1)) &&
			   !(dio->io.iov[i].iov_len & (dev->info.block_size - 1));
	dio->how = aligned ? HOW_WHOLE : HOW_BOUNCE;
	if (aligned && dev->max_io_size && dio->io.length > dev->max_io_size) {
		for (uint32_t i = 0; dio->io.iovcnt > DEVICE_SUB_IOV && i < dio->io.iovcnt; i++)
			blocks &= !(dio->io.iov[i].iov_len & (dev->info.block_size - 1));
		dio->how = blocks ? HOW_SLICE : HOW_BOUNCE;
	}
	return GOTGT_OK;
}

static enum gotgt_status plan_flush(struct device *dev, struct device_io *dio)
{
	dio->at = dio->io.length;
	dio->flush_due = has_op(dev, GOTGT_OP_FLUSH);
	return GOTGT_OK;
}

static enum gotgt_status plan_unmap(struct device *dev, struct device_io *dio)
{
	dio->how = HOW_RANGE;
	dio->flags = 0;
	return has_op(dev, GOTGT_OP_UNMAP) ? GOTGT_OK : GOTGT_ERR_UNSUPPORTED;
}

static enum gotgt_status plan_zero(struct device *dev, struct device_io *dio)
{
	dio->op = GOTGT_OP_ZERO;
	dio->how = has_op(dev, GOTGT_OP_ZERO) ? HOW_RANGE : HOW_ZEROES;
	/* What is unmapped reads as zeroes. */
	if (dio->how == HOW_ZEROES && dio->flags & GOTGT_IO_MAY_UNMAP && has_op(dev, GOTGT_OP_UNMAP)) {
		dio->op = GOTGT_OP_UNMAP;
		dio->how = HOW_RANGE;
	}
	return GOTGT_OK;
}

static enum gotgt_status plan_same(struct device *dev, struct device_io *dio)
{
	if (!dio->pattern[0] && !memcmp(dio->pattern, dio->pattern + 1, dio->pattern_len - 1))
		return plan_zero(dev, dio);
	dio->op = GOTGT_OP_WRITE;
	dio->how = HOW_PATTERN;
	return GOTGT_OK;
}

static enum gotgt_status plan(struct device *dev, struct device_io *dio)
{
	static enum gotgt_status (*const plans[])(struct device *dev, struct device_io *dio) = {
		[GOTGT_OP_READ] = plan_data, [GOTGT_OP_WRITE] = plan_data, [GOTGT_OP_FLUSH] = plan_flush,
		[GOTGT_OP_UNMAP] = plan_unmap, [GOTGT_OP_ZERO] = plan_zero, [DEVICE_OP_WRITE_SAME] = plan_same,
	};
	const uint32_t op = dio->io.op;
	bool writes = op != GOTGT_OP_READ && op != GOTGT_OP_FLUSH;
	enum gotgt_status status;

	if (op >= G_N_ELEMENTS(plans) || !plans[op])
		return GOTGT_ERR_UNSUPPORTED;
	if (writes && dev->info.flags & GOTGT_DEV_READ_ONLY)
		return GOTGT_ERR_READ_ONLY;
	dio->op = op;
	dio->flags = writes ? dio->io.flags & (GOTGT_IO_FUA | GOTGT_IO_MAY_UNMAP) : 0;
	dio->at = 0;
	dio->flush_due = false;
	dio->prepared = false;
	status = plans[op](dev, dio);
	if (dio->flags & GOTGT_IO_FUA && (!dev->info.native_fua || dio->op == GOTGT_OP_UNMAP)) {
		dio->flags &= ~GOTGT_IO_FUA;
		dio->flush_due = dio->io.length && dev->info.flags & GOTGT_DEV_WRITE_CACHE;
	}
	return status;
}

/* Buffers, from the reactor's pool. */
static enum gotgt_status equip(struct device_io *dio)
{
	struct bufpool *pool = reactor_pool(dio->reactor);
	uint32_t priv = dio->dev->ops->io_priv_size;
	uint64_t want = 0;

	if (priv > sizeof dio->priv && !(dio->priv_buf = bufpool_get(pool, priv)))
		return GOTGT_ERR_NO_MEMORY;
	if (dio->how == HOW_BOUNCE)
		want = MIN(dio->io.length, BOUNCE_BYTES);
	if (dio->how == HOW_PATTERN)
		want = MIN(dio->io.length, MAX(dio->pattern_len, PATTERN_BYTES));
	if (!want)
		return GOTGT_OK;
	dio->buf = want <= BUF_MAX ? bufpool_get_data(pool, (size_t)want) : NULL;
	if (!dio->buf)
		return GOTGT_ERR_NO_MEMORY;
	if (dio->how == HOW_PATTERN)
		for (dio->fill = 0; dio->fill + dio->pattern_len <= want; dio->fill += dio->pattern_len)
			memcpy(dio->buf->data + dio->fill, dio->pattern, dio->pattern_len);
	return GOTGT_OK;
}

static void unequip(struct device_io *dio)
{
	if (dio->buf || dio->priv_buf) {
		struct bufpool *pool = reactor_pool(dio->reactor);

		bufpool_put(pool, dio->buf);
		bufpool_put(pool, dio->priv_buf);
		dio->buf = dio->priv_buf = NULL;
	}
	if (dio->dev->ops->flags & GOTGT_PLUGIN_SERIAL)
		device_serial_give(dio->dev);
}

/* ---- the end ---- */

static void finish(struct device_io *dio, enum gotgt_status status)
{
	unequip(dio);
	dio->done(dio, status);
}

static void finish_home(struct post *p)
{
	struct device_io *dio = container_of(p, struct device_io, post);

	if (dio->op == GOTGT_OP_READ && dio->dev->lending)
		trial_void(&dio->dev->lending[reactor_index(dio->reactor)].trial);
	finish(dio, dio->status);
}

static void finish_from(struct device_io *dio, enum gotgt_status status, bool worker)
{
	if (!worker) {
		finish(dio, status);
		return;
	}
	dio->status = status;
	dio->post.run = finish_home;
	reactor_post(dio->reactor, &dio->post);
}

/* ---- to the plugin and back ---- */

static void run_on_worker(struct work *w)
{
	run(container_of(w, struct device_io, work), true);
}

static void push_to_worker(struct device_io *dio)
{
	dio->sub.flags &= ~GOTGT_IO_NOWAIT;
	dio->tried = false;
	dio->work.run = run_on_worker;
	/* What has many pieces, or a flush behind it, would have all others wait for all of that. */
	if (dio->sub.op == GOTGT_OP_WRITE && dio->how == HOW_WHOLE && !dio->flush_due && !(dio->sub.flags & GOTGT_IO_FUA))
		device_write_to_worker(dio->dev, &dio->work);
	else
		device_to_worker(dio->dev, &dio->work);
}

static void call_submit(struct device_io *dio)
{
	const struct device *dev = dio->dev;

	atomic_store_explicit(&dio->state, PIECE_IN_SUBMIT, memory_order_release);
	in_plugin++;
	dev->ops->submit(dev->handle, &dio->sub);
	in_plugin--;
}

void request_call(void (*fn)(void *arg), void *arg)
{
	in_plugin++;
	fn(arg);
	in_plugin--;
}

/* True: completed, and the rest is ours.  False: dio belongs to whoever completes it. */
static bool submit(struct device_io *dio)
{
	uint32_t state = PIECE_IN_SUBMIT;

	call_submit(dio);
	return atomic_load_explicit(&dio->state, memory_order_acquire) != PIECE_IN_SUBMIT ||
	       !atomic_compare_exchange_strong_explicit(&dio->state, &state, PIECE_FLYING, memory_order_acq_rel,
							memory_order_acquire);
}

/* The one place that reads a plugin's status. */
static enum gotgt_status piece_status(struct device_io *dio)
{
	uint32_t status = atomic_load_explicit(&dio->state, memory_order_acquire) >> STATUS_SHIFT;

	if (status == GOTGT_ERR_CANCELED && !atomic_load_explicit(&dio->canceled, memory_order_relaxed))
		return GOTGT_ERR_IO;
	if (status == GOTGT_ERR_AGAIN && !dio->tried)
		return GOTGT_ERR_BUSY;
	return (enum gotgt_status)status;
}

/* A piece is done: true to go on with run(). */
static bool settle(struct device_io *dio, bool worker)
{
	enum gotgt_status status = piece_status(dio);

	dio->prepared = false;
	if (status == GOTGT_ERR_AGAIN) {
		push_to_worker(dio);
		return false;
	}
	if (status == GOTGT_ERR_UNSUPPORTED && dio->how == HOW_RANGE && dio->io.op != GOTGT_OP_UNMAP) {
		dio->op = GOTGT_OP_ZERO;
		dio->how = HOW_ZEROES;
		return true;
	}
	if (status != GOTGT_OK) {
		finish_from(dio, status, worker);
		return false;
	}
	/* What a plugin has made of dio->sub does not matter. */
	if (dio->how == HOW_BOUNCE && dio->piece_op == GOTGT_OP_READ)
		copy_bounce(dio, dio->piece, false);
	dio->at += dio->piece;
	return true;
}

/* Memory filled by the core itself may be much: only the plain ones are tried on the reactor. */
static bool may_try(const struct device_io *dio)
{
	return dio->dev->ops->flags & GOTGT_PLUGIN_NOWAIT && dio->how <= HOW_SLICE && dio->sub.op <= GOTGT_OP_WRITE;
}

static void run(struct device_io *dio, bool worker)
{
	const bool blocking = dio->dev->ops->flags & GOTGT_PLUGIN_BLOCKING;

	do {
		if (!dio->prepared && !prepare(dio)) {
			finish_from(dio, GOTGT_OK, worker);
			return;
		}
		if (atomic_load_explicit(&dio->canceled, memory_order_relaxed)) {
			finish_from(dio, GOTGT_ERR_CANCELED, worker);
			return;
		}
		if (blocking && !worker) {
			if (!may_try(dio)) {
				push_to_worker(dio);
				return;
			}
			dio->sub.flags |= GOTGT_IO_NOWAIT;
			dio->tried = true;
		}
	} while (submit(dio) && settle(dio, worker));
}

static void piece_home(struct post *p)
{
	struct device_io *dio = container_of(p, struct device_io, post);

	if (settle(dio, false))
		run(dio, false);
}

void request_io_done(struct gotgt_io *io, enum gotgt_status status)
{
	struct device_io *dio = container_of(io, struct device_io, sub);
	uint32_t old = atomic_load_explicit(&dio->state, memory_order_relaxed);

	/* Before bits of it are lost. */
	if ((uint32_t)status > GOTGT_ERR_NO_MEMORY)
		status = GOTGT_ERR_IO;
	do {
		if (old == PIECE_GONE)	/* and so has the device */
			return;
		if (old != PIECE_IN_SUBMIT && old != PIECE_FLYING) {
			device_breach(dio->dev, "answered a request twice");
			return;
		}
	} while (!atomic_compare_exchange_weak_explicit(&dio->state, &old,
							PIECE_DONE | (uint32_t)status << STATUS_SHIFT,
							memory_order_acq_rel, memory_order_relaxed));
	if (old == PIECE_IN_SUBMIT)
		return;
	dio->post.run = piece_home;
	if (!in_plugin && reactor_self() == dio->reactor)
		piece_home(&dio->post);
	else
		reactor_post(dio->reactor, &dio->post);
}

void request_io_gone(struct device_io *dio)
{
	atomic_store(&dio->state, PIECE_GONE);
}

/* ---- the interface ---- */

static void begin(struct device *dev, struct device_io *dio)
{
	dio->dev = dev;
	dio->buf = dio->priv_buf = NULL;
	dio->prepared = false;
	atomic_store_explicit(&dio->state, PIECE_NONE, memory_order_relaxed);
	atomic_store_explicit(&dio->canceled, false, memory_order_relaxed);
}

static void start(struct device_io *dio)
{
	enum gotgt_status status = plan(dio->dev, dio);

	if (status == GOTGT_OK)
		status = equip(dio);
	if (status == GOTGT_OK)
		run(dio, false);
	else
		finish(dio, status);
}

static void start_home(struct post *p)
{
	start(container_of(p, struct device_io, post));
}

void device_submit(struct device *dev, struct device_io *dio)
{
	begin(dev, dio);
	if (dev->ops->flags & GOTGT_PLUGIN_SERIAL) {
		dio->post.run = start_home;
		dio->turn = (struct device_turn){ .reactor = dio->reactor, .post = &dio->post };
		if (!device_serial_take(dev, &dio->turn))
			return;
	}
	start(dio);
}

/* The answer to GOTGT_IO_NOWAIT.  A plugin that does not give it is waited for: memory must stay valid. */
static enum gotgt_status submit_now(struct device_io *dio)
{
	call_submit(dio);
	if (atomic_load_explicit(&dio->state, memory_order_acquire) == PIECE_IN_SUBMIT) {
		device_breach(dio->dev, "did not answer a GOTGT_IO_NOWAIT request at once");
		while (atomic_load_explicit(&dio->state, memory_order_acquire) == PIECE_IN_SUBMIT)
			g_thread_yield();
	}
	return piece_status(dio);
}

bool device_try(struct device *dev, struct device_io *dio)
{
	enum gotgt_status status;

	if (!(dev->ops->flags & GOTGT_PLUGIN_NOWAIT) || dev->info.flags & GOTGT_DEV_LATER || dio->io.op > GOTGT_OP_WRITE)
		return false;
	if (dev->ops->flags & GOTGT_PLUGIN_SERIAL && !device_serial_try(dev))
		return false;
	begin(dev, dio);
	status = plan(dev, dio);
	if (status == GOTGT_OK && dio->io.length) {
		status = GOTGT_ERR_AGAIN;
		if (dio->how == HOW_WHOLE && !dio->flush_due && equip(dio) == GOTGT_OK) {
			prepare(dio);
			dio->sub.flags |= GOTGT_IO_NOWAIT;
			dio->tried = true;
			status = submit_now(dio);
		}
	}
	if (status == GOTGT_ERR_AGAIN) {
		unequip(dio);
		return false;
	}
	finish(dio, status);
	return true;
}

static void left_home(struct post *p)
{
	struct device_io *dio = container_of(p, struct device_io, post);

	dio->done(dio, GOTGT_ERR_CANCELED);
}

void device_cancel(struct device *dev, struct device_io *dio)
{
	uint32_t state;

	atomic_store_explicit(&dio->canceled, true, memory_order_relaxed);
	if (dev->ops->flags & GOTGT_PLUGIN_SERIAL) {
		if (device_serial_leave(dev, &dio->turn)) {
			dio->post.run = left_home;
			reactor_post(dio->reactor, &dio->post);
		}
		return;
	}
	state = atomic_load_explicit(&dio->state, memory_order_acquire);
	if (dev->ops->cancel && (state == PIECE_IN_SUBMIT || state == PIECE_FLYING)) {
		in_plugin++;
		dev->ops->cancel(dev->handle, &dio->sub);
		in_plugin--;
	}
}
