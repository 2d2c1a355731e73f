/* SPDX-License-Identifier: Apache-2.0 */
/* What device.h promises, over a plugin that does as it is told. */
#include "config.h"
#include <pthread.h>
#include <errno.h>
#include <string.h>
#include "engine/log.h"
#include "fake-plugin.h"

static struct engine *engine;

/* ---- the log, kept ---- */

static pthread_mutex_t log_lock;
static GString *logged;

static void keep_line(enum gotgt_log_level level, const char *line, void *data)
{
	pthread_mutex_lock(&log_lock);
	g_string_append_printf(logged, "%s\n", line);
	pthread_mutex_unlock(&log_lock);
}

static void assert_logged(const char *all)
{
	pthread_mutex_lock(&log_lock);
	g_assert_cmpstr(logged->str, ==, all);
	pthread_mutex_unlock(&log_lock);
}

/* ---- one request, from this thread ---- */

struct req {
	struct device_io dio;
	struct device *dev;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned n_done;
	enum gotgt_status status;
	struct iovec iov[40];
	bool tried;
};

static void req_done(struct device_io *dio, enum gotgt_status status)
{
	struct req *q = container_of(dio, struct req, dio);

	g_assert_true(reactor_self() == dio->reactor);
	pthread_mutex_lock(&q->lock);
	q->n_done++;
	q->status = status;
	pthread_cond_signal(&q->cond);
	pthread_mutex_unlock(&q->lock);
}

static void req_submit(void *arg)
{
	struct req *q = arg;

	device_submit(q->dev, &q->dio);
}

static void req_try(void *arg)
{
	struct req *q = arg;

	q->tried = device_try(q->dev, &q->dio);
}

static void req_cancel(void *arg)
{
	struct req *q = arg;

	device_cancel(q->dev, &q->dio);
	g_assert_cmpuint(q->n_done, ==, 0);
}

static void req_init(struct req *q, struct device *dev, uint32_t op, uint64_t offset, void *data, size_t length)
{
	memset(q, 0x5a, sizeof *q);	/* nothing but the first block has to be set */
	memset(&q->lock, 0, sizeof q->lock);
	memset(&q->cond, 0, sizeof q->cond);
	q->n_done = 0;
	q->dev = dev;
	q->iov[0] = (struct iovec){ data, length };
	memset(&q->dio.io, 0, sizeof q->dio.io);
	q->dio.io.op = op;
	q->dio.io.offset = offset;
	q->dio.io.length = length;
	q->dio.io.iov = q->iov;
	q->dio.io.iovcnt = data ? 1 : 0;
	q->dio.reactor = engine->reactors[0];
	q->dio.done = req_done;
}

static void req_start(struct req *q)
{
	reactor_call(q->dio.reactor, req_submit, q);
}

static enum gotgt_status req_wait(struct req *q)
{
	pthread_mutex_lock(&q->lock);
	while (!q->n_done)
		pthread_cond_wait(&q->cond, &q->lock);
	pthread_mutex_unlock(&q->lock);
	g_assert_cmpuint(q->n_done, ==, 1);
	return q->status;
}

static enum gotgt_status do_io(struct device *dev, uint32_t op, uint32_t flags, uint64_t offset, void *data, size_t length)
{
	struct req q;

	req_init(&q, dev, op, offset, data, length);
	q.dio.io.flags = flags;
	req_start(&q);
	return req_wait(&q);
}

static enum gotgt_status do_same(struct device *dev, uint64_t offset, uint64_t length, const void *pattern, uint32_t len)
{
	struct req q;

	req_init(&q, dev, DEVICE_OP_WRITE_SAME, offset, NULL, length);
	q.dio.pattern = pattern;
	q.dio.pattern_len = len;
	req_start(&q);
	return req_wait(&q);
}

static struct device *open_fake(uint32_t flags)
{
	g_autoptr(GError) error = NULL;
	struct device *dev = device_open(engine, fake_module(flags, 64), "lun 0", NULL, false, &error);

	g_assert_no_error(error);
	return dev;
}

static void expect_call(unsigned n, uint32_t op, uint32_t flags, uint64_t offset, uint64_t length)
{
	g_assert_cmpuint(n, <, fake.n_calls);
	g_assert_cmpuint(fake.calls[n].op, ==, op);
	g_assert_cmpuint(fake.calls[n].flags, ==, flags);
	g_assert_cmpuint(fake.calls[n].offset, ==, offset);
	g_assert_cmpuint(fake.calls[n].length, ==, length);
}

static bool all_are(const uint8_t *at, size_t n, uint8_t value)
{
	while (n--)
		if (*at++ != value)
			return false;
	return true;
}

/* ---- opening ---- */

static void test_info(void)
{
	struct device *dev;

	fake.info = (struct gotgt_dev_info){ .size = 1000000, .ops = GOTGT_OP_BIT(GOTGT_OP_UNMAP) };
	dev = open_fake(0);
	g_assert_cmpuint(device_size(dev), ==, 999936);
	g_assert_cmpuint(device_info(dev)->block_size, ==, 512);
	g_assert_cmpuint(device_info(dev)->physical_block_size, ==, 512);
	g_assert_cmpuint(device_info(dev)->unmap_granularity, ==, 512);
	g_assert_true(device_info(dev)->lends);
	g_assert_true(device_info(dev)->extents);
	g_assert_true(device_info(dev)->ops & GOTGT_OP_BIT(GOTGT_OP_WRITE));
	device_close(dev);
	g_assert_cmpuint(fake.n_closed, ==, 1);
	g_assert_cmpuint(fake.n_calls, ==, 0);
}

static void test_open_fails(void)
{
	static const struct { struct gotgt_dev_info info; const char *why; } wrong[] = {
		{ { .size = 100 }, "smaller than a block" },
		{ { .size = 4096, .block_size = 513 }, "block size" },
		{ { .size = 8192, .block_size = 8192 }, "block size" },
		{ { .size = UINT64_C(1) << 63 }, "larger than 8 EiB" },
		{ { .size = 4096, .physical_block_size = 1000 }, "physical block size" },
		{ { .size = 4096, .max_io_size = 100 }, "largest request" },
		{ { .size = 4096, .mem_align = 12 }, "memory alignment" },
		{ { .size = 4096, .flags = GOTGT_DEV_WRITE_CACHE }, "cannot flush" },
	};
	const char *const unknown[] = { "x", "1", NULL };
	g_autoptr(GError) error = NULL;

	fake.open_result = -ENOENT;
	g_assert_null(device_open(engine, fake_module(0, 0), "lun 0", NULL, false, &error));
	g_assert_cmpstr(error->message, ==, "plugin fake: No such file or directory");
	g_clear_error(&error);
	fake.open_line = "/nowhere: gone";
	g_assert_null(device_open(engine, fake_module(0, 0), "lun 0", NULL, false, &error));
	g_assert_cmpstr(error->message, ==, "plugin fake: /nowhere: gone");
	g_clear_error(&error);
	g_assert_null(device_open(engine, fake_module(0, 0), "lun 0", unknown, false, &error));
	g_assert_cmpstr(error->message, ==, "plugin fake: unknown setting x (\"1\"); it has path, readonly");
	assert_logged("");

	fake_reset();
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_clear_error(&error);
		fake.info = wrong[i].info;
		g_assert_null(device_open(engine, fake_module(0, 0), "lun 0", NULL, false, &error));
		g_assert_nonnull(strstr(error->message, wrong[i].why));
		g_assert_cmpuint(fake.n_closed, ==, i + 1);
	}
}

static void test_read_only(void)
{
	static const uint32_t ops[] = { GOTGT_OP_WRITE, GOTGT_OP_ZERO, GOTGT_OP_UNMAP };
	struct device *dev = device_open(engine, fake_module(GOTGT_PLUGIN_NOWAIT, 64), "lun 0", NULL, true, NULL);
	uint8_t data[512] = { 1 };
	struct iovec iov;
	enum gotgt_status status;

	g_assert_true(fake.opened_read_only);
	g_assert_true(device_info(dev)->flags & GOTGT_DEV_READ_ONLY);
	for (size_t i = 0; i < G_N_ELEMENTS(ops); i++)
		g_assert_cmpint(do_io(dev, ops[i], 0, 0, data, sizeof data), ==, GOTGT_ERR_READ_ONLY);
	g_assert_cmpint(do_same(dev, 0, 512, data, 512), ==, GOTGT_ERR_READ_ONLY);
	g_assert_cmpuint(device_lend(dev, engine->reactors[0], 0, 512, true, &iov, 1, &status), ==, 0);
	g_assert_cmpint(status, ==, GOTGT_ERR_READ_ONLY);
	g_assert_cmpuint(fake.n_calls, ==, 0);
	g_assert_cmpint(do_io(dev, GOTGT_OP_READ, 0, 0, data, sizeof data), ==, GOTGT_OK);
	device_close(dev);
	g_assert_cmpuint(fake.n_calls, ==, 1);
}

/* ---- dispatch ---- */

static void check_both_ways(struct device *dev)
{
	uint8_t out[4096], in[4096];

	memset(out, 0x77, sizeof out);
	g_assert_cmpint(do_io(dev, GOTGT_OP_WRITE, 0, 8192, out, sizeof out), ==, GOTGT_OK);
	g_assert_cmpint(do_io(dev, GOTGT_OP_READ, 0, 8192, in, sizeof in), ==, GOTGT_OK);
	g_assert_cmpmem(in, sizeof in, out, sizeof out);
	fake.fail_with = GOTGT_ERR_NO_SPACE;
	g_assert_cmpint(do_io(dev, GOTGT_OP_WRITE, 0, 8192, out, sizeof out), ==, GOTGT_ERR_NO_SPACE);
	/* A status that no one knows, or that only the core asks for, is an error all the same. */
	fake.fail_with = 77;
	g_assert_cmpint(do_io(dev, GOTGT_OP_READ, 0, 0, in, sizeof in), ==, GOTGT_ERR_IO);
	fake.fail_with = GOTGT_ERR_CANCELED;
	g_assert_cmpint(do_io(dev, GOTGT_OP_READ, 0, 0, in, sizeof in), ==, GOTGT_ERR_IO);
	fake.fail_with = GOTGT_ERR_AGAIN;
	g_assert_cmpint(do_io(dev, GOTGT_OP_READ, 0, 0, in, sizeof in), ==, GOTGT_ERR_BUSY);
	fake.fail_with = GOTGT_OK;
}

static void test_dispatch(void)
{
	static const struct { uint32_t flags; enum fake_mode mode; bool on_reactor; } cases[] = {
		{ 0, FAKE_SYNC, true }, { 0, FAKE_ASYNC, true }, { GOTGT_PLUGIN_BLOCKING, FAKE_SYNC, false },
		{ GOTGT_PLUGIN_BLOCKING, FAKE_ASYNC, false }, { GOTGT_PLUGIN_SERIAL, FAKE_ASYNC, true },
		{ GOTGT_PLUGIN_BLOCKING | GOTGT_PLUGIN_SERIAL, FAKE_SYNC, false },
		{ GOTGT_PLUGIN_NOWAIT, FAKE_SYNC, true },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct device *dev;

		fake_reset();
		fake.mode = cases[i].mode;
		dev = open_fake(cases[i].flags);
		check_both_ways(dev);
		for (unsigned n = 0; n < fake.n_calls; n++)
			g_assert_cmpint(fake.calls[n].on_reactor, ==, cases[i].on_reactor);
		device_close(dev);
	}
}

/* A hit is answered on the reactor; a miss goes to a worker without the flag. */
static void test_nowait(void)
{
	struct device *dev = open_fake(GOTGT_PLUGIN_BLOCKING | GOTGT_PLUGIN_NOWAIT);
	uint8_t data[512];

	g_assert_cmpint(do_io(dev, GOTGT_OP_READ, 0, 512, data, sizeof data), ==, GOTGT_OK);
	g_assert_cmpuint(fake.n_calls, ==, 1);
	expect_call(0, GOTGT_OP_READ, GOTGT_IO_NOWAIT, 512, 512);
	g_assert_true(fake.calls[0].on_reactor);
	fake.miss = true;
	g_assert_cmpint(do_io(dev, GOTGT_OP_READ, 0, 1024, data, sizeof data), ==, GOTGT_OK);
	g_assert_cmpuint(fake.n_calls, ==, 3);
	expect_call(1, GOTGT_OP_READ, GOTGT_IO_NOWAIT, 1024, 512);
	expect_call(2, GOTGT_OP_READ, 0, 1024, 512);
	g_assert_true(fake.calls[1].on_reactor);
	g_assert_false(fake.calls[2].on_reactor);
	g_assert_cmpmem(data, sizeof data, fake.bytes + 1024, sizeof data);
	device_close(dev);
	g_assert_false(fake.calls[3].on_reactor);	/* a flush may block */
}

static bool try_io(struct device *dev, uint32_t op, uint32_t flags, enum gotgt_status *status)
{
	static uint8_t data[512];
	struct req q;

	req_init(&q, dev, op, 0, data, sizeof data);
	q.dio.io.flags = flags;
	reactor_call(q.dio.reactor, req_try, &q);
	g_assert_cmpuint(q.n_done, ==, q.tried);
	*status = q.status;
	return q.tried;
}

static void test_try(void)
{
	struct device *dev = open_fake(GOTGT_PLUGIN_BLOCKING | GOTGT_PLUGIN_NOWAIT);
	enum gotgt_status status;

	g_assert_true(try_io(dev, GOTGT_OP_WRITE, 0, &status));
	g_assert_cmpint(status, ==, GOTGT_OK);
	expect_call(0, GOTGT_OP_WRITE, GOTGT_IO_NOWAIT, 0, 512);
	g_assert_false(try_io(dev, GOTGT_OP_WRITE, GOTGT_IO_FUA, &status));
	g_assert_false(try_io(dev, GOTGT_OP_FLUSH, 0, &status));
	g_assert_cmpuint(fake.n_calls, ==, 1);
	fake.miss = true;
	g_assert_false(try_io(dev, GOTGT_OP_READ, 0, &status));
	fake.miss = false;
	fake.fail_with = GOTGT_ERR_IO;
	g_assert_true(try_io(dev, GOTGT_OP_READ, 0, &status));
	g_assert_cmpint(status, ==, GOTGT_ERR_IO);
	fake.fail_with = GOTGT_OK;
	device_close(dev);
	dev = open_fake(GOTGT_PLUGIN_BLOCKING);
	g_assert_false(try_io(dev, GOTGT_OP_READ, 0, &status));
	device_close(dev);
	dev = open_fake(GOTGT_PLUGIN_NOWAIT | GOTGT_PLUGIN_SERIAL);
	g_assert_true(try_io(dev, GOTGT_OP_READ, 0, &status));
	g_assert_true(try_io(dev, GOTGT_OP_READ, 0, &status));
	device_close(dev);
}

/* A thousand requests of both reactors on each kind of plugin: each comes home once. */
static void test_many(void)
{
	static const uint32_t flags[] = { 0, GOTGT_PLUGIN_BLOCKING, GOTGT_PLUGIN_SERIAL,
					  GOTGT_PLUGIN_BLOCKING | GOTGT_PLUGIN_SERIAL };
	enum { N = 500 };
	struct req *all = g_new(struct req, N);

	for (size_t f = 0; f < G_N_ELEMENTS(flags) * 2; f++) {
		struct device *dev;
		static uint8_t data[N][512];

		fake_reset();
		fake.mode = f % 2 ? FAKE_ASYNC : FAKE_SYNC;
		dev = open_fake(flags[f / 2]);
		for (unsigned i = 0; i < N; i++) {
			req_init(&all[i], dev, GOTGT_OP_READ, i * 512, data[i], 512);
			all[i].dio.reactor = engine->reactors[i % 2];
			req_start(&all[i]);
		}
		for (unsigned i = 0; i < N; i++)
			g_assert_cmpint(req_wait(&all[i]), ==, GOTGT_OK);
		g_assert_cmpmem(data, sizeof data, fake.bytes, sizeof data);
		if (flags[f / 2] & GOTGT_PLUGIN_SERIAL && fake.mode == FAKE_SYNC)
			g_assert_cmpuint(fake.most_in_submit, ==, 1);
		device_close(dev);
	}
	g_free(all);
}

static void test_twice(void)
{
	struct device *dev;
	uint8_t data[512];

	fake.mode = FAKE_TWICE;
	dev = open_fake(0);
	g_assert_cmpint(do_io(dev, GOTGT_OP_READ, 0, 0, data, sizeof data), ==, GOTGT_OK);
	g_assert_cmpint(do_io(dev, GOTGT_OP_READ, 0, 0, data, sizeof data), ==, GOTGT_OK);
	assert_logged("lun 0: plugin fake answered a request twice\n");
	fake.mode = FAKE_SYNC;
	device_close(dev);
}

/* ---- one at a time, and giving up ---- */

static void test_serial_cancel(void)
{
	struct req first, second, third;
	struct device *dev;
	uint8_t data[512];

	fake.mode = FAKE_HOLD;
	dev = open_fake(GOTGT_PLUGIN_SERIAL);
	req_init(&first, dev, GOTGT_OP_READ, 0, data, sizeof data);
	req_init(&second, dev, GOTGT_OP_READ, 512, data, sizeof data);
	req_init(&third, dev, GOTGT_OP_READ, 1024, data, sizeof data);
	third.dio.reactor = engine->reactors[1];
	req_start(&first);
	req_start(&second);
	req_start(&third);
	g_assert_cmpuint(fake.n_calls, ==, 1);
	reactor_call(second.dio.reactor, req_cancel, &second);
	g_assert_cmpint(req_wait(&second), ==, GOTGT_ERR_CANCELED);
	fake_release();
	g_assert_cmpint(req_wait(&first), ==, GOTGT_OK);
	while (!fake_held())
		g_thread_yield();
	expect_call(1, GOTGT_OP_READ, 0, 1024, 512);
	fake_release();
	g_assert_cmpint(req_wait(&third), ==, GOTGT_OK);
	fake.mode = FAKE_SYNC;
	device_close(dev);
}

static void test_cancel(void)
{
	struct device *dev;
	uint8_t data[512];
	struct req q;

	fake.mode = FAKE_HOLD;
	dev = open_fake(0);
	req_init(&q, dev, GOTGT_OP_READ, 0, data, sizeof data);
	req_start(&q);
	reactor_call(q.dio.reactor, req_cancel, &q);
	g_assert_cmpint(req_wait(&q), ==, GOTGT_ERR_CANCELED);
	g_assert_cmpuint(fake.n_canceled, ==, 1);
	fake.mode = FAKE_SYNC;
	device_close(dev);
}

/* ---- emulation ---- */

static void test_fua(void)
{
	struct device *dev = open_fake(GOTGT_PLUGIN_BLOCKING);
	uint8_t data[512] = { 0 };

	g_assert_cmpint(do_io(dev, GOTGT_OP_WRITE, GOTGT_IO_FUA, 512, data, sizeof data), ==, GOTGT_OK);
	expect_call(0, GOTGT_OP_WRITE, 0, 512, 512);
	expect_call(1, GOTGT_OP_FLUSH, 0, 0, 0);
	g_assert_cmpint(do_io(dev, GOTGT_OP_READ, GOTGT_IO_FUA, 512, data, sizeof data), ==, GOTGT_OK);
	expect_call(2, GOTGT_OP_READ, 0, 512, 512);
	g_assert_cmpint(do_io(dev, GOTGT_OP_FLUSH, 0, 0, NULL, 0), ==, GOTGT_OK);
	g_assert_cmpuint(fake.n_calls, ==, 4);
	device_close(dev);
	expect_call(4, GOTGT_OP_FLUSH, 0, 0, 0);

	fake_reset();
	fake.info.native_fua = 1;
	dev = open_fake(0);
	g_assert_cmpint(do_io(dev, GOTGT_OP_WRITE, GOTGT_IO_FUA, 0, data, sizeof data), ==, GOTGT_OK);
	g_assert_cmpuint(fake.n_calls, ==, 1);
	expect_call(0, GOTGT_OP_WRITE, GOTGT_IO_FUA, 0, 512);
	device_close(dev);

	fake_reset();
	fake.info.flags = 0;
	fake.info.ops = 0;
	dev = open_fake(0);
	g_assert_cmpint(do_io(dev, GOTGT_OP_WRITE, GOTGT_IO_FUA, 0, data, sizeof data), ==, GOTGT_OK);
	g_assert_cmpint(do_io(dev, GOTGT_OP_FLUSH, 0, 0, NULL, 0), ==, GOTGT_OK);
	g_assert_cmpuint(fake.n_calls, ==, 1);
	device_close(dev);
}

static void test_zero(void)
{
	enum { AT = 512, LEN = 3 * 1024 * 1024 };
	struct device *dev = open_fake(GOTGT_PLUGIN_BLOCKING);
	uint8_t before = fake.bytes[AT - 1], after = fake.bytes[AT + LEN];

	g_assert_cmpint(do_io(dev, GOTGT_OP_ZERO, GOTGT_IO_FUA | GOTGT_IO_MAY_UNMAP, AT, NULL, LEN), ==, GOTGT_OK);
	g_assert_true(all_are(fake.bytes + AT, LEN, 0));
	g_assert_cmpuint(fake.bytes[AT - 1], ==, before);
	g_assert_cmpuint(fake.bytes[AT + LEN], ==, after);
	g_assert_cmpuint(fake.n_calls, ==, 4);
	expect_call(2, GOTGT_OP_WRITE, 0, AT + (2 << 20), 1 << 20);
	expect_call(3, GOTGT_OP_FLUSH, 0, 0, 0);
	device_close(dev);

	/* The plugin's own; and its word that it cannot, this time. */
	for (int can = 1; can >= 0; can--) {
		fake_reset();
		fake.info.ops |= GOTGT_OP_BIT(GOTGT_OP_ZERO);
		fake.unsupported = can ? 0 : GOTGT_OP_BIT(GOTGT_OP_ZERO);
		dev = open_fake(0);
		g_assert_cmpint(do_io(dev, GOTGT_OP_ZERO, GOTGT_IO_MAY_UNMAP, AT, NULL, 1024), ==, GOTGT_OK);
		g_assert_true(all_are(fake.bytes + AT, 1024, 0));
		expect_call(0, GOTGT_OP_ZERO, GOTGT_IO_MAY_UNMAP, AT, 1024);
		g_assert_cmpuint(fake.n_calls, ==, can ? 1 : 2);
		device_close(dev);
	}
	fake_reset();
	fake.info.ops |= GOTGT_OP_BIT(GOTGT_OP_UNMAP);
	dev = open_fake(0);
	g_assert_cmpint(do_io(dev, GOTGT_OP_ZERO, GOTGT_IO_MAY_UNMAP | GOTGT_IO_FUA, AT, NULL, 1024), ==, GOTGT_OK);
	expect_call(0, GOTGT_OP_UNMAP, 0, AT, 1024);
	expect_call(1, GOTGT_OP_FLUSH, 0, 0, 0);
	device_close(dev);
}

static void test_unmap(void)
{
	struct device *dev = open_fake(0);

	g_assert_cmpint(do_io(dev, GOTGT_OP_UNMAP, 0, 0, NULL, 1024), ==, GOTGT_ERR_UNSUPPORTED);
	g_assert_cmpuint(fake.n_calls, ==, 0);
	device_close(dev);
	fake_reset();
	fake.info.ops |= GOTGT_OP_BIT(GOTGT_OP_UNMAP);
	fake.info.max_io_size = 65536;
	dev = open_fake(0);
	g_assert_cmpint(do_io(dev, GOTGT_OP_UNMAP, 0, 0, NULL, 200 * 1024), ==, GOTGT_OK);
	g_assert_cmpuint(fake.n_calls, ==, 4);
	expect_call(3, GOTGT_OP_UNMAP, 0, 192 * 1024, 8 * 1024);
	device_close(dev);
}

static void test_write_same(void)
{
	static const uint32_t limits[] = { 0, 512, 65536 };
	uint8_t pattern[4096];

	for (unsigned i = 0; i < sizeof pattern; i++)
		pattern[i] = (uint8_t)(i / 16);
	for (size_t i = 0; i < G_N_ELEMENTS(limits); i++) {
		struct device *dev;

		fake_reset();
		fake.info.max_io_size = limits[i];
		dev = open_fake(GOTGT_PLUGIN_BLOCKING);
		g_assert_cmpint(do_same(dev, 4096, limits[i] == 512 ? 65536 : 3 << 20, pattern, 4096), ==, GOTGT_OK);
		for (unsigned at = 4096; at < 4096 + (limits[i] == 512 ? 65536 : 3 << 20); at += 4096)
			g_assert_cmpmem(fake.bytes + at, 4096, pattern, 4096);
		for (unsigned n = 0; limits[i] && n < fake.n_calls; n++)
			g_assert_cmpuint(fake.calls[n].length, <=, limits[i]);
		device_close(dev);
	}
	/* Zeroes, where the plugin can. */
	fake_reset();
	fake.info.ops |= GOTGT_OP_BIT(GOTGT_OP_ZERO);
	memset(pattern, 0, sizeof pattern);
	{
		struct device *dev = open_fake(0);

		g_assert_cmpint(do_same(dev, 0, 1 << 20, pattern, 512), ==, GOTGT_OK);
		g_assert_cmpuint(fake.n_calls, ==, 1);
		expect_call(0, GOTGT_OP_ZERO, 0, 0, 1 << 20);
		device_close(dev);
	}
}

/* Requests longer than the plugin takes, in many odd elements, come out whole. */
static void test_split(void)
{
	static const struct { uint32_t max, align, element; } cases[] = {
		{ 65536, 0, 40960 }, { 4096, 0, 40960 }, { 65536, 0, 3000 }, { 0, 512, 3000 }, { 8192, 4096, 4096 },
		{ 65536, 4096, 1000 },
	};
	enum { LEN = 40960 * 3 };
	g_autofree uint8_t *in = g_malloc(LEN + 4096), *out = g_malloc(LEN + 4096);

	for (unsigned i = 0; i < LEN + 4096; i++)
		out[i] = (uint8_t)(i * 13 + i / 256);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		for (int write = 1; write >= 0; write--) {
			uint8_t *data = (write ? out : in) + 8;	/* never aligned */
			struct device *dev;
			struct req q;

			fake_reset();
			fake.info.max_io_size = cases[i].max;
			fake.info.mem_align = cases[i].align;
			dev = open_fake(GOTGT_PLUGIN_BLOCKING | GOTGT_PLUGIN_NOWAIT);
			req_init(&q, dev, write, 512, data, LEN);
			q.dio.io.length = 0;
			q.dio.io.iovcnt = 0;
			while (q.dio.io.iovcnt < G_N_ELEMENTS(q.iov) && q.dio.io.length < LEN) {
				size_t len = MIN(cases[i].element, LEN - q.dio.io.length);

				q.iov[q.dio.io.iovcnt++] = (struct iovec){ data + q.dio.io.length, len };
				q.dio.io.length += len;
			}
			if (q.dio.io.length % 512) {
				q.iov[q.dio.io.iovcnt - 1].iov_len -= q.dio.io.length % 512;
				q.dio.io.length -= q.dio.io.length % 512;
			}
			req_start(&q);
			g_assert_cmpint(req_wait(&q), ==, GOTGT_OK);
			g_assert_cmpmem(data, q.dio.io.length, fake.bytes + 512, q.dio.io.length);
			for (unsigned n = 0; n < fake.n_calls; n++) {
				g_assert_cmpuint(fake.calls[n].length % 512, ==, 0);
				g_assert_cmpuint(fake.calls[n].length, <=, cases[i].max ? cases[i].max : LEN);
			}
			device_close(dev);
		}
}

/* More pieces than a stack would bear if each were a call, and plugin memory beyond what a request has. */
static void test_many_pieces(void)
{
	struct device *dev;

	fake.info.max_io_size = 1024;
	dev = device_open(engine, fake_module(0, 4096), "lun 0", NULL, false, NULL);
	g_assert_cmpint(do_io(dev, GOTGT_OP_ZERO, 0, 0, NULL, 4000 * 1024), ==, GOTGT_OK);
	g_assert_cmpuint(fake.n_calls, ==, 4000);
	device_close(dev);
}

/* ---- the rest ---- */

static unsigned n_resized;
static struct device *resized_dev;

static void on_resized(void *data)
{
	g_assert_true(data == &n_resized);
	g_assert_cmpuint(device_size(resized_dev), ==, 2 << 20);
	n_resized++;
}

static void test_resized(void)
{
	struct device *dev = resized_dev = open_fake(0);

	device_on_resized(dev, on_resized, &n_resized);
	device_host.resized(fake.lun, (2 << 20) + 100);
	device_host.resized(fake.lun, 2 << 20);		/* no change */
	g_assert_cmpuint(n_resized, ==, 1);
	device_on_resized(dev, NULL, NULL);
	device_host.resized(fake.lun, 1 << 20);
	g_assert_cmpuint(n_resized, ==, 1);
	g_assert_cmpuint(device_size(dev), ==, 1 << 20);
	device_close(dev);
}

static void lend_some(void *arg)
{
	struct device *dev = arg;
	struct iovec iov[2];
	enum gotgt_status status;

	for (int i = 0; i < 3; i++) {
		g_assert_cmpuint(device_lend(dev, engine->reactors[0], 1024, 2048, i & 1, iov, 2, &status), ==, 1);
		g_assert_cmpint(status, ==, GOTGT_OK);
		g_assert_true(iov[0].iov_base == fake.bytes + 1024);
		device_reclaim(dev, iov, 1);
	}
}

static void lend_fails(void *arg)
{
	struct iovec iov;
	enum gotgt_status status;

	g_assert_cmpuint(device_lend(arg, engine->reactors[0], 0, 512, false, &iov, 1, &status), ==, 0);
	g_assert_cmpint(status, ==, GOTGT_ERR_IO);
}

static void lend_no_more(void *arg)
{
	struct iovec iov;
	enum gotgt_status status;

	g_assert_cmpuint(device_lend(arg, engine->reactors[0], 0, 512, false, &iov, 1, &status), ==, 0);
	g_assert_cmpint(status, ==, GOTGT_OK);
}

static void test_lend(void)
{
	struct device *dev = open_fake(0);

	reactor_call(engine->reactors[0], lend_some, dev);
	g_assert_cmpuint(fake.n_checks, ==, 1);
	g_assert_cmpuint(fake.n_reclaimed, ==, 3);
	reactor_call(engine->reactors[0], lend_some, dev);
	g_assert_cmpuint(fake.n_checks, ==, 2);
	fake.check_status = GOTGT_ERR_IO;
	reactor_call(engine->reactors[0], lend_fails, dev);
	device_lent_fault(dev);
	device_lent_fault(dev);
	reactor_call(engine->reactors[0], lend_no_more, dev);
	assert_logged("lun 0: memory lent by plugin fake is gone: it is not used any more\n");
	device_close(dev);
}

struct asked {
	struct device_query q;
	struct gotgt_extent extents[4];
	struct device *dev;
	gint done;
};

static void asked_done(struct device_query *q)
{
	g_assert_true(reactor_self() == q->reactor);
	g_atomic_int_set(&container_of(q, struct asked, q)->done, 1);
}

static void ask(void *arg)
{
	struct asked *a = arg;

	device_query(a->dev, &a->q);
	g_assert_cmpint(g_atomic_int_get(&a->done), ==, 0);
}

static enum gotgt_status query(struct device *dev, struct asked *a, uint64_t length)
{
	*a = (struct asked){ .dev = dev, .q = { .reactor = engine->reactors[1], .offset = 4096, .length = length,
						.extents = a->extents, .max = 4, .done = asked_done } };
	/* asked_done() may not run before ask() has returned: same thread. */
	reactor_call(engine->reactors[1], ask, a);
	while (!g_atomic_int_get(&a->done))
		g_thread_yield();
	return a->q.status;
}

static void test_query(void)
{
	static const uint32_t flags[] = { 0, GOTGT_PLUGIN_SERIAL };

	for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
		struct device *dev;
		struct asked a;

		fake_reset();
		dev = open_fake(flags[i]);
		for (int again = 0; again < 2; again++) {
			g_assert_cmpint(query(dev, &a, 8192), ==, GOTGT_OK);
			g_assert_cmpuint(a.q.count, ==, 2);
			g_assert_cmpuint(a.extents[1].state, ==, GOTGT_EXTENT_HOLE);
		}
		g_assert_cmpint(query(dev, &a, 1), ==, GOTGT_ERR_IO);	/* extents of nothing */
		fake.fail_with = GOTGT_ERR_NOT_READY;
		g_assert_cmpint(query(dev, &a, 8192), ==, GOTGT_ERR_NOT_READY);
		fake.fail_with = GOTGT_OK;
		device_close(dev);
	}
}

static void test_flush_at_close(void)
{
	static const uint32_t flags[] = { 0, GOTGT_PLUGIN_BLOCKING };

	for (size_t i = 0; i < G_N_ELEMENTS(flags) * 2; i++) {
		fake_reset();
		fake.mode = i % 2 ? FAKE_ASYNC : FAKE_SYNC;
		fake.fail_with = i == 3 ? GOTGT_ERR_IO : GOTGT_OK;
		device_close(open_fake(flags[i / 2]));
		g_assert_cmpuint(fake.n_calls, ==, 1);
		expect_call(0, GOTGT_OP_FLUSH, 0, 0, 0);
		g_assert_cmpuint(fake.n_closed, ==, 1);
	}
	assert_logged("lun 0: could not flush before closing: data written last may be lost\n");
}

static void run_fresh(gconstpointer data)
{
	void (*test)(void) = *(void (*const *)(void))data;

	fake_reset();
	g_string_truncate(logged, 0);
	test();
}

int main(int argc, char **argv)
{
	static const struct { const char *path; void (*test)(void); } tests[] = {
		{ "/device/info", test_info },
		{ "/device/open-fails", test_open_fails },
		{ "/device/read-only", test_read_only },
		{ "/device/dispatch", test_dispatch },
		{ "/device/nowait", test_nowait },
		{ "/device/try", test_try },
		{ "/device/many", test_many },
		{ "/device/answered-twice", test_twice },
		{ "/device/serial-cancel", test_serial_cancel },
		{ "/device/cancel", test_cancel },
		{ "/device/fua", test_fua },
		{ "/device/zero", test_zero },
		{ "/device/unmap", test_unmap },
		{ "/device/write-same", test_write_same },
		{ "/device/split", test_split },
		{ "/device/many-pieces", test_many_pieces },
		{ "/device/resized", test_resized },
		{ "/device/lend", test_lend },
		{ "/device/query", test_query },
		{ "/device/flush-at-close", test_flush_at_close },
	};
	int rc;

	g_test_init(&argc, &argv, NULL);
	logged = g_string_new(NULL);
	log_set_sink(keep_line, NULL);
	engine = engine_new(2, 4, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add_data_func(tests[i].path, &tests[i].test, run_fresh);
	rc = g_test_run();
	engine_free(engine);
	fake_stop();
	g_string_free(logged, TRUE);
	return rc;
}
