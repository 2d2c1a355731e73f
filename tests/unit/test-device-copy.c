/* SPDX-License-Identifier: Apache-2.0 */
/* device_copy(): by the plugin, through memory, and from one to the other in the middle. */
#include "config.h"
#include <string.h>
#include "device-rig.h"

#define AREA (1536u * 1024)	/* more than one buffer */

struct copying {
	struct device_copy c;
	gint done;
	enum gotgt_status status;
	bool cancel;
};

static void copied(struct device_copy *c, enum gotgt_status status)
{
	struct copying *g = container_of(c, struct copying, c);

	g_assert_true(reactor_self() == c->reactor);
	g->status = status;
	g_atomic_int_inc(&g->done);
}

static void start(void *arg)
{
	struct copying *g = arg;

	device_copy(&g->c);
	g_assert_cmpint(g_atomic_int_get(&g->done), ==, 0);
	if (g->cancel)
		device_copy_cancel(&g->c);
}

static enum gotgt_status copy(struct device *dev, struct copying *g, uint64_t from, uint64_t to, uint64_t length)
{
	bool cancel = g->cancel, flush = g->c.flush;

	*g = (struct copying){ .cancel = cancel, .c = { .reactor = engine->reactors[1], .from = dev, .to = dev,
							.from_offset = from, .to_offset = to, .length = length,
							.flush = flush, .done = copied } };
	reactor_call(engine->reactors[1], start, g);
	while (!g_atomic_int_get(&g->done))
		g_thread_yield();
	return g->status;
}

static void fill(void)
{
	for (size_t i = 0; i < FAKE_BYTES; i++)
		fake.bytes[i] = (uint8_t)(i ^ i >> 9 ^ i >> 17);
}

/* The range arrives whole, and nothing else changes. */
static void check_copy(struct device *dev, uint64_t from, uint64_t to, uint64_t length)
{
	g_autofree uint8_t *want = g_malloc(FAKE_BYTES);
	struct copying g = { .cancel = false };

	fill();
	memcpy(want, fake.bytes, FAKE_BYTES);
	memmove(want + to, want + from, length);
	g_assert_cmpint(copy(dev, &g, from, to, length), ==, GOTGT_OK);
	g_assert_cmpuint(g.c.copied, ==, length);
	g_assert_true(memcmp(fake.bytes, want, FAKE_BYTES) == 0);
}

static const uint32_t ways[] = { 0, GOTGT_PLUGIN_BLOCKING, GOTGT_PLUGIN_SERIAL };

static void test_memory(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
		struct device *dev;

		fake_reset();
		dev = open_fake(ways[i]);
		g_assert_cmpint(device_info(dev)->copies, ==, !(ways[i] & GOTGT_PLUGIN_SERIAL));
		check_copy(dev, 512, 2048 * 1024, 512);
		check_copy(dev, 0, 2048 * 1024, AREA);
		check_copy(dev, 2048 * 1024, 512, AREA);
		check_copy(dev, 0, 0, AREA);
		check_copy(dev, 4096, 512, AREA);	/* overlapping, both ways */
		check_copy(dev, 512, 4096, AREA);
		check_copy(dev, 0, AREA - 512, AREA);
		check_copy(dev, 0, 512, 0);
		device_close(dev);
	}
}

static void test_plugin(void)
{
	struct device *dev;

	fake_reset();
	dev = open_fake(0);
	fake.copy_max = 100 * 1024;
	fake.copy_left = 1000;
	check_copy(dev, 0, 2048 * 1024, AREA);
	g_assert_cmpuint(fake.n_copied, ==, AREA / fake.copy_max + 1);
	g_assert_cmpuint(fake.n_calls, ==, 0);
	check_copy(dev, 512, 4096, AREA);	/* that it is never asked for */
	g_assert_cmpuint(fake.n_copied, ==, AREA / fake.copy_max + 1);
	fake.n_calls = 0;
	fake.copy_left = 3;		/* then through memory */
	check_copy(dev, 0, 2048 * 1024, AREA);
	g_assert_cmpuint(fake.n_calls, ==, 4);
	fake.copy_max = 700;		/* of which one block is whole */
	fake.copy_left = 1;
	check_copy(dev, 0, 2048 * 1024, AREA);
	device_close(dev);
}

static void test_flush(void)
{
	struct copying g = { .c.flush = true };
	struct device *dev;

	fake_reset();
	fake.info.flags = GOTGT_DEV_WRITE_CACHE;
	fake.info.ops = GOTGT_OP_BIT(GOTGT_OP_FLUSH);
	dev = open_fake(0);
	g_assert_cmpint(copy(dev, &g, 0, 4096, 512), ==, GOTGT_OK);
	g_assert_cmpuint(fake.n_calls, ==, 3);
	g_assert_cmpuint(fake.calls[2].op, ==, GOTGT_OP_FLUSH);
	device_close(dev);
}

static void test_fails(void)
{
	struct copying g = { .cancel = true };
	struct device *dev;

	fake_reset();
	dev = open_fake(0);
	g_assert_cmpint(copy(dev, &g, 0, 2048 * 1024, AREA), ==, GOTGT_ERR_CANCELED);
	g_assert_cmpuint(fake.n_calls, ==, 0);
	g.cancel = false;
	fake.fail_with = GOTGT_ERR_IO;
	g_assert_cmpint(copy(dev, &g, 0, 2048 * 1024, AREA), ==, GOTGT_ERR_IO);
	g_assert_true(g.c.reading_failed);
	fake.fail_with = GOTGT_OK;
	device_close(dev);
	fake_reset();
	fake.info.flags = GOTGT_DEV_READ_ONLY;
	dev = open_fake(0);
	g_assert_cmpint(copy(dev, &g, 0, 2048 * 1024, AREA), ==, GOTGT_ERR_READ_ONLY);
	g_assert_cmpuint(fake.n_calls, ==, 0);
	device_close(dev);
}

int main(int argc, char **argv)
{
	static const struct device_test tests[] = {
		{ "/device-copy/memory", test_memory },
		{ "/device-copy/plugin", test_plugin },
		{ "/device-copy/flush", test_flush },
		{ "/device-copy/fails", test_fails },
	};

	return device_rig_main(argc, argv, tests, G_N_ELEMENTS(tests));
}
