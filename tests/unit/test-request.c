/* SPDX-License-Identifier: Apache-2.0 */
/* What the core does where a plugin lacks it, or takes less at once. */
#include "config.h"
#include "device-rig.h"

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

int main(int argc, char **argv)
{
	static const struct device_test tests[] = {
		{ "/request/fua", test_fua },
		{ "/request/zero", test_zero },
		{ "/request/unmap", test_unmap },
		{ "/request/write-same", test_write_same },
		{ "/request/split", test_split },
		{ "/request/many-pieces", test_many_pieces },
	};

	return device_rig_main(argc, argv, tests, G_N_ELEMENTS(tests));
}
