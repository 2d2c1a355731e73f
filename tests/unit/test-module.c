/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include <glib/gstdio.h>
#include "backstore/module.h"

static unsigned int n_done;

static void count_done(struct gotgt_io *io, enum gotgt_status status)
{
	g_assert_cmpint(status, ==, GOTGT_OK);
	n_done++;
}

static const struct gotgt_host host = { .abi = GOTGT_ABI, .size = sizeof host, .io_done = count_done };

static struct module *load(const char *sub, const char *name, GError **error)
{
	g_autofree char *dir = g_test_build_filename(G_TEST_BUILT, sub, ".libs", NULL);

	return module_load(dir, name, &host, error);
}

static void test_null(void)
{
	GError *error = NULL;
	struct module *m = load("../plugins/null", "null", &error);

	g_assert_no_error(error);
	g_assert_cmpstr(m->ops.name, ==, "null");
}

/* A plugin needs nothing but a table: no daemon, no socket. */
static void test_null_read(void)
{
	struct module *m = load("../plugins/null", "null", NULL);
	struct { uint64_t size; } conf = { 1 << 20 };
	struct gotgt_dev_info info = { 0 };
	char buf[512];
	struct iovec iov = { buf, sizeof buf };
	struct gotgt_io io = { .op = GOTGT_OP_READ, .length = sizeof buf, .iov = &iov, .iovcnt = 1 };
	void *dev;

	memset(buf, 1, sizeof buf);
	g_assert_cmpint(m->ops.open(NULL, &conf, &info, &dev), ==, 0);
	g_assert_cmpuint(info.size, ==, 1 << 20);
	n_done = 0;
	m->ops.submit(dev, &io);
	g_assert_cmpuint(n_done, ==, 1);
	g_assert_cmpint(buf[0] | buf[511], ==, 0);
	m->ops.close(dev);
}

static void test_old(void)
{
	GError *error = NULL;
	struct module *m = load("mods", "old", &error);

	g_assert_no_error(error);
	g_assert_null(m->ops.cancel);
	g_assert_null(m->ops.extension);
}

static void test_future(void)
{
	GError *error = NULL;

	load("mods", "future", &error);
	g_assert_no_error(error);
}

/* Each broken plugin is refused, with a message that says why. */
static void test_refused(gconstpointer data)
{
	static const struct { const char *name; int code; const char *why; } cases[] = {
		{ "tooold", MODULE_ERROR_ABI, "plugin table too short" },
		{ "badparam", MODULE_ERROR_INVALID, "bad settings table" },
		{ "otherabi", MODULE_ERROR_ABI, "another plugin ABI" },
		{ "noentry", MODULE_ERROR_ABI, "no gotgt_plugin_v1" },
		{ "undefined", MODULE_ERROR_LOAD, "no_such_function" },
		{ "wrongname", MODULE_ERROR_INVALID, "name" },
		{ "missing", MODULE_ERROR_LOAD, "No such file" },
		{ "../x", MODULE_ERROR_INVALID, "not a plugin name" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		g_test_message("%s", cases[i].name);
		g_assert_null(load("mods", cases[i].name, &error));
		g_assert_error(error, MODULE_ERROR, cases[i].code);
		g_assert_nonnull(strstr(error->message, cases[i].why));
	}
}

/* Cut anywhere, down to nothing: an error, where the loader would meet bytes that are not there.  Whole, it works. */
static void test_cut(void)
{
	g_autofree char *from = g_test_build_filename(G_TEST_BUILT, "../plugins/null/.libs/null.so", NULL);
	g_autofree char *dir = g_dir_make_tmp("gotgt-cut-XXXXXX", NULL), *to = g_build_filename(dir, "null.so", NULL);
	g_autofree char *bytes = NULL;
	GError *error = NULL;
	gsize len;

	g_file_get_contents(from, &bytes, &len, &error);
	g_assert_no_error(error);
	for (unsigned eighth = 0; eighth < 8; eighth++) {
		/* What is missing may be what debuggers read, which the loader does not. */
		g_file_set_contents(to, bytes, (gssize)(len * eighth / 8), &error);
		g_assert_no_error(error);
		if (module_load(dir, "null", &host, &error))
			break;
		g_assert_error(error, MODULE_ERROR, MODULE_ERROR_LOAD);
		g_assert_true(!eighth || strstr(error->message, "not whole"));
		g_clear_error(&error);
	}
	g_file_set_contents(to, bytes, (gssize)len, &error);
	g_assert_no_error(error);
	g_assert_nonnull(module_load(dir, "null", &host, &error));
	g_assert_cmpint(g_unlink(to), ==, 0);
	g_assert_cmpint(g_rmdir(dir), ==, 0);
}

/* Loaded once, however it is named. */
static void test_same(void)
{
	struct module *m = load("../plugins/null", "null", NULL);

	g_assert_true(load("../plugins/null", "null", NULL) == m);
	g_assert_true(load("../plugins/./mmap/../null", "null", NULL) == m);
}

static void test_dirs(void)
{
	g_auto(GStrv) none = module_dirs(NULL), two = module_dirs("/a/../b::/c/");
	g_auto(GStrv) relative = module_dirs("x");

	g_assert_cmpstr(none[0], ==, PLUGINDIR);
	g_assert_null(none[1]);
	g_assert_cmpstr(two[0], ==, "/b");
	g_assert_cmpstr(two[1], ==, "/c");
	g_assert_cmpstr(two[2], ==, PLUGINDIR);
	g_assert_null(two[3]);
	g_assert_true(g_path_is_absolute(relative[0]));
}

static void test_find(void)
{
	g_autofree char *mods = g_test_build_filename(G_TEST_BUILT, "mods", ".libs", NULL);
	g_autofree char *null = g_test_build_filename(G_TEST_BUILT, "../plugins/null", ".libs", NULL);
	const char *const dirs[] = { "/nowhere", mods, null, NULL };
	g_autoptr(GError) error = NULL;
	g_auto(GStrv) names = module_list(dirs);
	struct module *m = module_find(dirs, "null", &host, &error);

	g_assert_no_error(error);
	g_assert_true(m == load("../plugins/null", "null", NULL));
	g_assert_true(g_strv_contains((const char *const *)names, "future"));
	g_assert_true(g_strv_contains((const char *const *)names, "null"));
	for (char **n = names; n[0] && n[1]; n++)
		g_assert_cmpstr(n[0], <, n[1]);
	/* A broken one is not skipped over, a missing one says where it was looked for. */
	g_assert_null(module_find(dirs, "wrongname", &host, &error));
	g_assert_error(error, MODULE_ERROR, MODULE_ERROR_INVALID);
	g_clear_error(&error);
	g_assert_null(module_find(dirs, "nosuch", &host, &error));
	g_assert_error(error, MODULE_ERROR, MODULE_ERROR_LOAD);
	g_assert_nonnull(strstr(error->message, "plugin nosuch: no nosuch.so in /nowhere, "));
	g_clear_error(&error);
	g_assert_null(module_find(dirs, "../null", &host, &error));
	g_assert_error(error, MODULE_ERROR, MODULE_ERROR_INVALID);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/module/cut", test_cut);
	g_test_add_func("/module/load/null", test_null);
	g_test_add_func("/plugin/null/read", test_null_read);
	g_test_add_func("/module/load/older-than-core", test_old);
	g_test_add_func("/module/load/newer-than-core", test_future);
	g_test_add_func("/module/load/same-twice", test_same);
	g_test_add_func("/module/dirs", test_dirs);
	g_test_add_func("/module/find-and-list", test_find);
	g_test_add_data_func("/module/load/refused", NULL, test_refused);
	return g_test_run();
}
