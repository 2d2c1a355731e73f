/* SPDX-License-Identifier: Apache-2.0 */
/* device_compare(): by the plugin, or not at all. */
#include "config.h"
#include <string.h>
#include "device-rig.h"

enum { LEN = 1024, AT = 4096 };

struct comparing {
	struct device_compare c;
	struct device *dev;
	gint done;
};

static uint8_t expected[LEN], data[LEN];

static void compared(struct device_compare *c)
{
	g_assert_true(reactor_self() == c->reactor);
	g_atomic_int_inc(&container_of(c, struct comparing, c)->done);
}

static void start(void *arg)
{
	struct comparing *g = arg;

	device_compare(g->dev, &g->c);
	g_assert_cmpint(g_atomic_int_get(&g->done), ==, 0);
}

static enum gotgt_status compare(struct device *dev, uint64_t *same)
{
	struct comparing g = { .dev = dev, .c = { .reactor = engine->reactors[1], .offset = AT, .length = LEN,
						  .expected = expected, .data = data, .done = compared } };

	reactor_call(engine->reactors[1], start, &g);
	while (!g_atomic_int_get(&g.done))
		g_thread_yield();
	*same = g.c.same;
	return g.c.status;
}

static struct device *open_with(uint32_t flags)
{
	struct device *dev = open_fake(flags);

	memcpy(expected, fake.bytes + AT, LEN);
	memset(data, 0x5e, LEN);
	return dev;
}

static void test_plugin(void)
{
	struct device *dev = open_with(0);
	uint64_t same;

	g_assert_true(device_info(dev)->compares);
	expected[LEN - 1] ^= 1;
	g_assert_cmpint(compare(dev, &same), ==, GOTGT_OK);
	g_assert_cmpuint(same, ==, LEN - 1);
	g_assert_cmpmem(fake.bytes + AT, LEN - 1, expected, LEN - 1);
	expected[LEN - 1] ^= 1;
	g_assert_cmpint(compare(dev, &same), ==, GOTGT_OK);
	g_assert_cmpuint(same, ==, LEN);
	g_assert_true(all_are(fake.bytes + AT, LEN, 0x5e));
	g_assert_cmpuint(fake.n_compared, ==, 2);
	g_assert_cmpuint(fake.n_calls, ==, 0);
	device_close(dev);
}

static void test_not(void)
{
	struct device *dev = open_with(0);
	uint64_t same;

	fake.no_compare = true;
	g_assert_cmpint(compare(dev, &same), ==, GOTGT_ERR_UNSUPPORTED);
	g_assert_cmpuint(fake.n_compared, ==, 1);
	device_close(dev);
	/* It is not asked. */
	dev = open_with(GOTGT_PLUGIN_SERIAL);
	g_assert_false(device_info(dev)->compares);
	g_assert_cmpint(compare(dev, &same), ==, GOTGT_ERR_UNSUPPORTED);
	device_close(dev);
	fake.info.max_io_size = LEN / 2;
	dev = open_with(0);
	g_assert_cmpint(compare(dev, &same), ==, GOTGT_ERR_UNSUPPORTED);
	device_close(dev);
	fake.info.max_io_size = 0;
	fake.info.flags = GOTGT_DEV_READ_ONLY;
	dev = open_with(0);
	g_assert_cmpint(compare(dev, &same), ==, GOTGT_ERR_READ_ONLY);
	device_close(dev);
	g_assert_cmpuint(fake.n_compared, ==, 1);
}

static void test_fails(void)
{
	struct device *dev = open_with(0);
	uint64_t same;

	fake.fail_with = GOTGT_ERR_NO_SPACE;
	g_assert_cmpint(compare(dev, &same), ==, GOTGT_ERR_NO_SPACE);
	fake.fail_with = GOTGT_ERR_CANCELED;	/* which nobody asked for */
	g_assert_cmpint(compare(dev, &same), ==, GOTGT_ERR_IO);
	fake.fail_with = (enum gotgt_status)77;
	g_assert_cmpint(compare(dev, &same), ==, GOTGT_ERR_IO);
	fake.fail_with = GOTGT_OK;
	assert_logged("");
	fake.lies_same = LEN + 1;
	g_assert_cmpint(compare(dev, &same), ==, GOTGT_ERR_IO);
	assert_logged("lun 0: plugin fake compared more than it was told to\n");
	device_close(dev);
}

int main(int argc, char **argv)
{
	static const struct device_test tests[] = {
		{ "/device-compare/plugin", test_plugin },
		{ "/device-compare/not", test_not },
		{ "/device-compare/fails", test_fails },
	};

	return device_rig_main(argc, argv, tests, G_N_ELEMENTS(tests));
}
