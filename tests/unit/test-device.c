/* SPDX-License-Identifier: Apache-2.0 */
/* device.h over a plugin that does as it is told: opening, dispatch, lending, closing. */
#include "config.h"
#include "device-rig.h"
#include "engine/log.h"

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

/* ---- what the plugin has to say ---- */

static struct log_fields said_of;
static char said_domain[32], said_target[64];

static void keep_entry(enum gotgt_log_level level, const char *line, void *data)
{
	const struct log_entry *e = log_entry();

	said_of = e->of;
	g_strlcpy(said_domain, e->domain, sizeof said_domain);
	g_strlcpy(said_target, e->of.target ? e->of.target : "", sizeof said_target);
	g_string_append_printf(data, "%d %s\n", level, line);
}

static void test_log(void)
{
	static const struct log_own own[] = { { "plugin:fake", GOTGT_LOG_WARNING } };
	const struct device_owner owner = { .target = "iqn.x", .lun = 4 };
	g_autoptr(GString) lines = g_string_new(NULL);
	struct log log = { .sink = keep_entry, .data = lines, .levels = LOG_LEVELS(GOTGT_LOG_INFO) };
	struct log *before = engine->log;
	struct device *dev;
	struct gotgt_lun *lun;

	engine->log = &log;
	log_enter(&log);
	dev = device_open_for(engine, fake_module(0, 64), "lun 4", NULL, false, &owner, NULL);
	lun = (struct gotgt_lun *)dev;
	device_host.log(lun, GOTGT_LOG_DEBUG, "not yet");
	device_host.log(lun, GOTGT_LOG_INFO, "%s", "two\nlines");
	g_assert_cmpstr(said_domain, ==, "plugin:fake");
	g_assert_cmpstr(said_target, ==, "iqn.x");
	g_assert_true(said_of.has_lun && said_of.lun == 4);
	log_set_levels(GOTGT_LOG_DEBUG, own, G_N_ELEMENTS(own));
	device_host.log(lun, GOTGT_LOG_INFO, "not any more");
	/* Of no device, and of a level that is none of ours. */
	device_host.log(NULL, (enum gotgt_log_level)9, "x");
	g_assert_cmpstr(said_domain, ==, "plugin");
	log_set_level(GOTGT_LOG_DEBUG);
	device_host.log(lun, (enum gotgt_log_level)9, "y");
	g_assert_cmpstr(lines->str, ==, "2 lun 4: two\\x0alines\n3 plugin: x\n3 lun 4: y\n");
	device_close(dev);
	log_enter(NULL);
	log_clear(&log);
	g_assert_null(log.plugins);
	engine->log = before;
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

/* What is to be done is the core's, whatever a plugin makes of what it was given. */
static void test_spoiled(void)
{
	static const uint32_t flags[] = { 0, GOTGT_PLUGIN_BLOCKING, GOTGT_PLUGIN_BLOCKING | GOTGT_PLUGIN_NOWAIT };

	for (size_t f = 0; f < G_N_ELEMENTS(flags); f++)
		for (unsigned align = 0; align < 2; align++) {
			static uint8_t data[4096 + 1];
			struct device *dev;

			fake_reset();
			fake.mode = FAKE_SPOILS;
			fake.info.max_io_size = 512;
			fake.info.mem_align = align ? 512 : 0;
			dev = open_fake(flags[f]);
			g_assert_cmpint(do_io(dev, GOTGT_OP_READ, 0, 512, data + 1, 4096), ==, GOTGT_OK);
			g_assert_cmpmem(data + 1, 4096, fake.bytes + 512, 4096);
			g_assert_cmpint(do_io(dev, GOTGT_OP_WRITE, GOTGT_IO_FUA, 8192, data + 1, 4096), ==, GOTGT_OK);
			g_assert_cmpmem(data + 1, 4096, fake.bytes + 8192, 4096);
			fake.mode = FAKE_SYNC;
			device_close(dev);
		}
}

/* No status that there is: an error, though its low bits are those of GOTGT_OK. */
static void test_no_status(void)
{
	static const uint32_t values[] = { 0x01000000, 0x80000000, 0x01000004, 77, UINT32_MAX, GOTGT_ERR_CANCELED };
	struct device *dev = open_fake(0);
	uint8_t data[512];

	for (size_t n = 0; n < G_N_ELEMENTS(values); n++)
		for (uint32_t op = GOTGT_OP_READ; op <= GOTGT_OP_FLUSH; op++) {
			fake.fail_with = (enum gotgt_status)values[n];
			g_assert_cmpint(do_io(dev, op, 0, 0, op == GOTGT_OP_FLUSH ? NULL : data, op == GOTGT_OP_FLUSH ? 0 : 512),
					==, GOTGT_ERR_IO);
		}
	fake.fail_with = GOTGT_OK;
	device_close(dev);
}

/* The last flush is answered once more when the device has gone. */
static void test_twice_at_close(void)
{
	struct device *dev = open_fake(0);

	fake.mode = FAKE_TWICE;
	device_close(dev);
	fake.mode = FAKE_SYNC;
	dev = open_fake(0);
	fake.keeps = true;
	device_close(dev);
	device_host.io_done(fake.kept, GOTGT_OK);
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
	device_look(dev);
	g_assert_cmpuint(n_resized, ==, 1);
	fake.size_seen = 3 << 20;
	device_on_resized(dev, NULL, NULL);
	device_look(dev);
	g_assert_cmpuint(device_size(dev), ==, 3 << 20);
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

int main(int argc, char **argv)
{
	static const struct device_test tests[] = {
		{ "/device/info", test_info },
		{ "/device/open-fails", test_open_fails },
		{ "/device/read-only", test_read_only },
		{ "/device/log", test_log },
		{ "/device/dispatch", test_dispatch },
		{ "/device/nowait", test_nowait },
		{ "/device/try", test_try },
		{ "/device/many", test_many },
		{ "/device/answered-twice", test_twice },
		{ "/device/answered-twice/at-close", test_twice_at_close },
		{ "/device/spoiled", test_spoiled },
		{ "/device/no-status", test_no_status },
		{ "/device/serial-cancel", test_serial_cancel },
		{ "/device/cancel", test_cancel },
		{ "/device/resized", test_resized },
		{ "/device/lend", test_lend },
		{ "/device/query", test_query },
		{ "/device/flush-at-close", test_flush_at_close },
	};

	return device_rig_main(argc, argv, tests, G_N_ELEMENTS(tests));
}
