/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "backstore/describe.h"
#include "backstore/settings.h"

struct conf {
	const char *path, *password;
	int sync;
	uint64_t count, size;
};

static const struct gotgt_param params[] = {
	{ "path", GOTGT_PARAM_STRING, GOTGT_PARAM_REQUIRED | GOTGT_PARAM_PATH, offsetof(struct conf, path), NULL, "A \"path\"" },
	{ "password", GOTGT_PARAM_UINT, GOTGT_PARAM_SECRET, offsetof(struct conf, count), NULL, "A number not shown" },
	{ "sync", GOTGT_PARAM_BOOL, 0, offsetof(struct conf, sync), "yes", "Whether" },
	{ "size", GOTGT_PARAM_SIZE, 0, offsetof(struct conf, size), "1M", "How large" },
	{ NULL },
};

static const struct gotgt_plugin plugin = {
	.abi = GOTGT_ABI, .size = sizeof plugin, .name = "p", .version = "3", .description = "Tests",
	.flags = GOTGT_PLUGIN_BLOCKING, .conf_size = sizeof(struct conf), .params = params,
};

static void test_parse(void)
{
	const char *const pairs[] = { "path", "/x", "sync", "off", "size", "3k", NULL };
	g_autoptr(GError) error = NULL;
	struct settings *s = settings_parse(&plugin, pairs, &error);
	const struct conf *c;

	g_assert_no_error(error);
	c = settings_conf(s);
	g_assert_cmpstr(c->path, ==, "/x");
	g_assert_cmpint(c->sync, ==, 0);
	g_assert_cmpuint(c->size, ==, 3072);
	settings_free(s);
}

static void test_defaults(void)
{
	const char *const pairs[] = { "path", "/x", NULL };
	struct settings *s = settings_parse(&plugin, pairs, NULL);
	const struct conf *c = settings_conf(s);

	g_assert_cmpint(c->sync, ==, 1);
	g_assert_cmpuint(c->size, ==, 1 << 20);
	g_assert_cmpuint(c->count, ==, 0);
	settings_free(s);
}

/* Every refusal says plugin, setting, value and reason. */
static void test_refused(void)
{
	static const struct { const char *pairs[5]; int code; const char *message; } cases[] = {
		{ { NULL }, SETTINGS_ERROR_MISSING, "plugin p: setting path is required" },
		{ { "path", "", NULL }, SETTINGS_ERROR_VALUE, "plugin p: setting path must not be empty" },
		{ { "pth", "/x", NULL }, SETTINGS_ERROR_UNKNOWN,
		  "plugin p: unknown setting pth (\"/x\"); it has path, password, sync, size" },
		{ { "path", "/x", "sync", "maybe", NULL }, SETTINGS_ERROR_VALUE,
		  "plugin p: setting sync: \"maybe\" is not yes or no" },
		{ { "path", "/x", "size", "-1", NULL }, SETTINGS_ERROR_VALUE,
		  "plugin p: setting size: \"-1\" is not a size: a number of bytes, or one with K, M, G or T" },
		{ { "path", "/x", "path", "/y", NULL }, SETTINGS_ERROR_VALUE, "plugin p: setting path is given twice" },
		{ { "path", "/x", "password", "hush", NULL }, SETTINGS_ERROR_VALUE,
		  "plugin p: setting password: \"***\" is not a whole number" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(settings_parse(&plugin, cases[i].pairs, &error));
		g_assert_error(error, SETTINGS_ERROR, cases[i].code);
		g_assert_cmpstr(error->message, ==, cases[i].message);
	}
}

static void test_sizes(void)
{
	static const struct { const char *text; bool ok; uint64_t bytes; } cases[] = {
		{ "0", true, 0 }, { "512", true, 512 }, { "1k", true, 1024 }, { "1K", true, 1024 }, { "2M", true, 2 << 20 },
		{ "2m", true, 2 << 20 }, { "3G", true, UINT64_C(3) << 30 }, { "4t", true, UINT64_C(4) << 40 },
		{ "1KiB", true, 1024 }, { "1GiB", true, 1 << 30 }, { "7E", false, 0 }, { "8191P", true, UINT64_C(8191) << 50 },
		{ "8192P", false, 0 }, { "9223372036854775807", true, INT64_MAX }, { "9223372036854775808", false, 0 },
		{ "99999999999999999999999", false, 0 }, { "", false, 0 }, { "K", false, 0 }, { "1 K", false, 0 },
		{ " 1", false, 0 }, { "+1", false, 0 }, { "1.5G", false, 0 }, { "1KB", false, 0 }, { "0x10", false, 0 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		uint64_t bytes = 0;

		g_test_message("\"%s\"", cases[i].text);
		g_assert_cmpint(settings_parse_size(cases[i].text, &bytes), ==, cases[i].ok);
		g_assert_cmpuint(bytes, ==, cases[i].bytes);
	}
}

static void test_find(void)
{
	static const struct gotgt_plugin none = { .name = "none" };

	g_assert_cmpstr(settings_path_name(&plugin), ==, "path");
	g_assert_null(settings_path_name(&none));
	g_assert_true(settings_find(&plugin, "size") == &params[3]);
	g_assert_null(settings_find(&plugin, "siz"));
}

static void test_describe(void)
{
	const struct module m = { .path = (char *)"/p.so", .ops = plugin };
	g_autoptr(GString) text = g_string_new(NULL), json = g_string_new(NULL);

	describe_text(&m, text);
	g_assert_nonnull(strstr(text->str, "p 3: Tests\nfile: /p.so\nABI: 1\nblocking: runs on worker threads\n"));
	g_assert_nonnull(strstr(text->str, "Whether (default yes)\n"));
	g_assert_nonnull(strstr(text->str, "A \"path\" (required, path)\n"));
	describe_json(&m, json);
	g_assert_nonnull(strstr(json->str, "{\"name\":\"p\",\"version\":\"3\",\"description\":\"Tests\",\"file\":\"/p.so\","
				"\"abi\":1,\"blocking\":true,\"serial\":false,\"nowait\":false,\"extensions\":[],"));
	g_assert_nonnull(strstr(json->str, "\"settings\":[{\"name\":\"path\",\"type\":\"string\",\"required\":true,"
				"\"path\":true,\"secret\":false,\"default\":null,\"help\":\"A \\\"path\\\"\"},{"));
	g_assert_true(g_str_has_suffix(json->str, "}]}\n"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/settings/parse", test_parse);
	g_test_add_func("/settings/defaults", test_defaults);
	g_test_add_func("/settings/refused", test_refused);
	g_test_add_func("/settings/sizes", test_sizes);
	g_test_add_func("/settings/find", test_find);
	g_test_add_func("/describe/text-and-json", test_describe);
	return g_test_run();
}
