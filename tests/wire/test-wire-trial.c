/* SPDX-License-Identifier: Apache-2.0 */
/* READs of a file that are lent, and copied while that is tried: the bytes are the same. */
#include "config.h"
#include <string.h>
#include <unistd.h>
#include <glib/gstdio.h>
#include "backstore/device-internal.h"
#include "ini.h"

enum { LUN = 2, BYTES = 8 << 20, LEN = 256 << 10, SMALL = 4096 };

static struct device *add(const char *plugin, char **path, uint8_t **bytes)
{
	g_autofree char *dir = g_test_build_filename(G_TEST_BUILT, "../plugins", plugin, ".libs", NULL);
	const char *settings[] = { "path", NULL, NULL };
	struct lun_conf conf = { 0 };
	GError *error = NULL;
	struct module *m = module_load(dir, plugin, &device_host, &error);
	struct device *dev;

	g_assert_no_error(error);
	*bytes = g_malloc(BYTES);
	for (size_t n = 0; n < BYTES; n++)
		(*bytes)[n] = (uint8_t)g_test_rand_int();
	close(g_file_open_tmp("gotgt-XXXXXX", path, &error));
	g_assert_no_error(error);
	g_file_set_contents(*path, (const char *)*bytes, BYTES, &error);
	g_assert_no_error(error);
	settings[1] = *path;
	dev = device_open(server->engine, m, "tried", settings, false, &error);
	g_assert_no_error(error);
	target_add_lun(server->scsi, LUN, dev, &conf, &error);
	g_assert_no_error(error);
	return dev;
}

static void read_and_compare(struct ini *i, const uint8_t *bytes, uint32_t offset, uint32_t len)
{
	g_autofree uint8_t *got = g_malloc(len);
	uint8_t cdb[16] = { 0x28 };
	uint32_t itt;

	put32(cdb + 2, offset / BLOCK);
	put16(cdb + 7, (uint16_t)(len / BLOCK));
	itt = ini_command(i, FINAL | READ, LUN, len, cdb, NULL, 0);
	g_assert_cmpuint(ini_finish_read(i, itt, got, len), ==, len);
	g_assert_cmphex(i->bhs[3], ==, 0);
	g_assert_cmpint(memcmp(got, bytes + offset, len), ==, 0);
}

struct get { const struct device *dev; struct trial trial; };

static void get_trial(void *arg)
{
	struct get *get = arg;

	get->trial = get->dev->lending[0].trial;
}

static void test_trial(gconstpointer plugin)
{
	struct get get;
	uint8_t *bytes;
	char *path;
	struct ini *i;
	uint32_t offset = 0, itt;
	unsigned reads = 0;

	get.dev = add(plugin, &path, &bytes);
	i = ini_new(server, 1);
	ini_login(i, "");
	itt = ini_test_unit_ready(i, LUN);
	EXPECT_SENSE(i, itt, KEY_UNIT_ATTENTION, 0x29);
	do {
		uint32_t len = offset % (4 * LEN) ? LEN : SMALL;	/* a short one among the long */

		g_assert_cmpuint(++reads, <, 4096);	/* of 1 GiB some are tried */
		read_and_compare(i, bytes, offset, len);
		offset = (offset + LEN) % BYTES;
		reactor_call(server->engine->reactors[0], get_trial, &get);
	} while (!get.trial.bytes[1] || get.trial.step);
	/* Both were tried, and it has been decided. */
	g_assert_cmpuint(get.trial.bytes[0], >=, 2 * TRIAL_WINDOW);
	g_assert_cmpuint(get.trial.bytes[1], >=, 2 * TRIAL_WINDOW);
	ini_free(i);
	target_remove_lun(server->scsi, LUN, NULL, NULL);
	g_unlink(path);
	g_free(path);
	g_free(bytes);
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_data_func("/wire/trial/file", "file", test_trial);
	g_test_add_data_func("/wire/trial/mmap", "mmap", test_trial);
	return server_run();
}
