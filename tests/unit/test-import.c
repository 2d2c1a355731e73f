/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of gotgt in Go as one of ours. */
#include "config.h"
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <gotgt/plugin.h>
#include "config/go-json.h"
#include "config/import.h"
#include "config/json.h"
#include "config/plugins.h"
#include "config/save.h"

#define IQN "iqn.2016-09.com.example:a"
#define NAME "x.json"

/* libconfig 1.5 loses the string that the end of a file cuts off. */
GOTGT_EXPORT const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

static char **plugin_dirs;

static char *lines_of(GPtrArray *lines)
{
	GString *all = g_string_new(NULL);

	for (unsigned i = 0; i < lines->len; i++)
		g_string_append_printf(all, "%s%s", i ? "\n" : "", (char *)lines->pdata[i]);
	return g_string_free(all, FALSE);
}

/* What it says, errors and warnings apart; NULL: that is not looked at. */
static struct conf *import(const char *text, int port, const char *errors, const char *warnings)
{
	const struct import_options o = { (const char *const *)plugin_dirs, port };
	g_autoptr(GPtrArray) wrong = conf_errors_new(), warned = conf_errors_new();
	struct conf *c = import_text(NAME, text, strlen(text), &o, wrong, warned);
	g_autofree char *wrong_text = lines_of(wrong), *warned_text = lines_of(warned);

	g_assert_true(!c == (wrong->len > 0));
	if (errors)
		g_assert_cmpstr(wrong_text, ==, errors);
	if (warnings)
		g_assert_cmpstr(warned_text, ==, warnings);
	return c;
}

static char *quoted(const char *text)
{
	return g_strdelimit(g_strdup(text), "'", '"');
}

/* ---- what is right ---- */

static const char full[] =
	"{\n"
	"  'storages': [\n"
	"    { 'deviceID': 1000, 'path': 'file:/var/tmp/a:b.img', 'online': true, 'thinProvisioning': true },\n"
	"    { 'deviceID': 7, 'path': 'null:', 'online': false, 'blockShift': 12 },\n"
	"    { 'DEVICEID': 8, 'Path': 'mmap:m', 'thinprovisioning': null }\n"
	"  ],\n"
	"  'iscsiportals': [ { 'id': 0, 'portal': '127.0.0.1:3260' }, { 'portal': '[::1]:3261' }, { 'portal': '192.0.2.1' } ],\n"
	"  'iscsitargets': {\n"
	"    '" IQN "': { 'tpgts': { '1': [0], '9': [1] }, 'luns': { '0': 1000, '16383': 7 } },\n"
	"    '" IQN "2': { 'tpgts': { '1': [2] }, 'luns': { '3': 8 } }\n"
	"  }\n"
	"}\n";

#define OPEN(line, iqn, who) \
	NAME ":" line ": iscsitargets." iqn ": open to everybody " who ", as in gotgt in Go (to close it: gotgt import, " \
	"and acls or accounts in the place of open)"

static void check_lun(const struct conf_lun *l, uint32_t number, const char *plugin, uint32_t block_size, bool online,
		      bool thin, const char *serial, const char *naa)
{
	g_assert_cmpuint(l->number, ==, number);
	g_assert_cmpstr(l->plugin, ==, plugin);
	g_assert_cmpuint(l->block_size, ==, block_size);
	g_assert_cmpuint(l->online, ==, online);
	g_assert_cmpuint(l->thin, ==, thin);
	g_assert_cmpstr(l->serial, ==, serial);
	g_assert_cmpstr(l->naa, ==, naa);
}

static void test_full(void)
{
	g_autofree char *text = quoted(full);
	struct conf *c = import(text, -1, "",
				NAME ":5: storages[2]: online is left out: its logical unit is not ready, as in gotgt in Go\n"
				OPEN("9", IQN, "on this machine") "\n" OPEN("10", IQN "2", "who reaches its portals"));
	const struct conf_portal *p[3];
	const struct conf_target *t;
	const struct conf_group *g;

	g_assert_cmpuint(c->portals->len, ==, 3);
	memcpy(p, c->portals->pdata, sizeof p);
	g_assert_cmpstr(p[0]->name, ==, "portal-0");
	g_assert_cmpstr(p[1]->name, ==, "portal-1");
	g_assert_cmpstr(p[1]->address, ==, "::1");
	g_assert_cmpuint(p[1]->port, ==, 3261);
	g_assert_cmpuint(p[2]->port, ==, 3260);
	g_assert_cmpuint(c->targets->len, ==, 2);
	t = c->targets->pdata[0];
	g_assert_true(t->open);
	g_assert_cmpuint(g_strv_length(t->portals), ==, 2);
	g_assert_cmpuint(t->groups->len, ==, 2);
	g = t->groups->pdata[1];
	g_assert_cmpuint(g->tag, ==, 9);
	g_assert_cmpstr(g->portals[0], ==, "portal-1");
	g_assert_cmpuint(t->luns->len, ==, 2);
	check_lun(t->luns->pdata[0], 0, "file", 512, true, true, "gotgt-1000", "30000000000003e8");
	check_lun(t->luns->pdata[1], 16383, "null", 4096, false, false, "gotgt-7", "3000000000000007");
	g_assert_cmpstr(((struct conf_lun *)t->luns->pdata[0])->settings[1], ==, "/var/tmp/a:b.img");
	t = c->targets->pdata[1];
	g_assert_cmpuint(t->groups->len, ==, 0);	/* 1 is what there is without */
	g_assert_cmpstr(t->portals[0], ==, "portal-2");
	check_lun(t->luns->pdata[0], 3, "mmap", 512, false, false, "gotgt-8", "3000000000000008");
	conf_free(c);
}

static void test_example(void)
{
	const struct import_options o = { (const char *const *)plugin_dirs, -1 };
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "data", "go-config.json", NULL);
	g_autoptr(GPtrArray) wrong = conf_errors_new(), warned = conf_errors_new();
	struct conf *c = import_read(path, &o, wrong, warned);
	const struct conf_target *t;

	g_assert_cmpuint(wrong->len, ==, 0);
	g_assert_cmpuint(warned->len, ==, 1);
	t = c->targets->pdata[0];
	g_assert_cmpstr(t->iqn, ==, "iqn.2016-09.com.gotgt.gostor:02:example-tgt-0");
	check_lun(t->luns->pdata[0], 0, "file", 512, true, false, "gotgt-1000", "30000000000003e8");
	conf_free(c);
}

/* What "gotgt import" writes is what reading the JSON makes. */
static void test_round_trip(void)
{
	g_autofree char *text = quoted(full), *dir = g_dir_make_tmp("gotgt-import-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "gotgt.conf", NULL), *ours = NULL;
	g_autoptr(GPtrArray) errors = conf_errors_new();
	struct conf *c = import(text, -1, "", NULL), *back;
	GError *error = NULL;

	ours = conf_text(c, &error);
	g_assert_no_error(error);
	g_assert_true(g_file_set_contents(path, ours, -1, NULL));
	back = conf_read(path, errors);
	g_assert_cmpuint(errors->len, ==, 0);
	g_assert_true(schema_equal(CONF_TOP, c, back));
	conf_free(back);
	conf_free(c);
	g_unlink(path);
	g_rmdir(dir);
}

static void test_port(void)
{
	static const char text[] = "{ \"iscsiportals\": [ { \"portal\": \"127.0.0.1:3260\" }, { \"portal\": \"[::1]:5000\" }, "
		"{ \"portal\": \"0.0.0.0:1\" }, { \"portal\": \"127.0.0.2:0\" } ] }";
	struct conf *c = import(text, 5000, "", "");
	const struct conf_portal *p[4];

	memcpy(p, c->portals->pdata, sizeof p);
	for (unsigned i = 0; i < 4; i++)
		g_assert_cmpuint(p[i]->port, ==, 5000);
	g_assert_cmpstr(p[0]->advertise, ==, "127.0.0.1:3260");
	g_assert_null(p[1]->advertise);
	g_assert_null(p[2]->advertise);
	g_assert_null(p[3]->advertise);
	conf_free(c);
}

/* A way back for routes. */
static void test_path(void)
{
	static const char *const cases[] = { "file:/a:b", "null:", "mmap:x" };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = g_strdup_printf("{\"deviceID\": 9223372036854775807, \"path\": \"%s\"}", cases[i]), *path;
		const struct go_field fields[] = { GO_STORAGE, { .name = NULL } };
		struct go_value values[GO_STORAGE_FIELDS];
		g_autoptr(GPtrArray) wrongs = wrongs_new();
		g_autoptr(JsonNode) node = json_read(text, strlen(text), wrongs);
		struct go_reader r = { .wrongs = wrongs, .plugin_dirs = (const char *const *)plugin_dirs };
		struct conf_lun *l = schema_new(CONF_LUN);

		g_assert_true(go_fields(&r, "", 0, json_node_get_object(node), fields, values));
		g_assert_true(go_storage(&r, "", values, l));
		path = go_path(l, (const char *const *)plugin_dirs);
		g_assert_cmpstr(path, ==, cases[i]);
		g_assert_null(l->naa);		/* 60 bits are too few */
		schema_free(CONF_LUN, l);
	}
}

/* ---- what is wrong ---- */

#define STORAGE(rest) "{\n'storages': [\n" rest "\n] }"
#define ONE "{'deviceID': 1, 'path': 'null:', 'online': true}"
#define PORTAL(rest) "{\n'iscsiportals': [\n" rest "\n] }"
#define TARGET(rest) \
	"{\n'storages': [ " ONE " ],\n'iscsiportals': [ {'portal': '127.0.0.1:0'} ],\n'iscsitargets': { '" IQN "': {\n" rest "\n} } }"
#define AT(line) NAME ":" line ": "
#define STORAGE_0 AT("3") "storages[0]"
#define NUMBER "expected a whole number from 0 to 9223372036854775807"
#define IT "iscsitargets." IQN

static const struct { const char *text, *error; } bad[] = {	/* * is somebody else's text */
	{ "", NAME ": expected an object { }" },
	{ "{", AT("1") "not JSON: it is cut off" },
	{ "[]", NAME ": expected an object { }" },
	{ "{\n\n'storages': [ 1, ] }", AT("3") "not JSON*" },
	{ "{\n'storages': 010 }", AT("2") "not JSON*" },
	{ "{\n/* */ }", AT("2") "not JSON*" },
	{ "{\n\n'storages': '\xff' }", AT("3") "not UTF-8" },
	{ "{ 'targets': [] }", NAME ": has neither storages, iscsiportals nor iscsitargets: not a configuration of gotgt in Go" },
	{ "{\n'storages': {} }", AT("2") "storages: expected an array [ ]" },
	{ "{\n'storages': [],\n'storages': [] }", AT("3") "storages: is there twice" },
	{ "{\n'storages': [],\n'Storages': [] }", AT("3") "Storages: is there twice" },
	{ STORAGE("7"), STORAGE_0 ": expected an object { }" },
	{ STORAGE("{}"), STORAGE_0 ".deviceID: is missing\n" STORAGE_0 ".path: is missing" },
	{ STORAGE("{ 'deviceID': null, 'path': 'null:' }"), STORAGE_0 ".deviceID: is missing" },
	{ STORAGE("{ 'deviceID': -1, 'path': 'null:' }"), STORAGE_0 ".deviceID: " NUMBER },
	{ STORAGE("{ 'deviceID': '1', 'path': 'null:' }"), STORAGE_0 ".deviceID: " NUMBER },
	{ STORAGE("{ 'deviceID': 1.5, 'path': 'null:' }"), STORAGE_0 ".deviceID: " NUMBER },
	{ STORAGE("{ 'deviceID': 18446744073709551615, 'path': 'null:' }"), STORAGE_0 ".deviceID: " NUMBER },
	{ STORAGE("{ 'deviceID': 99999999999999999999, 'path': 'null:' }"), STORAGE_0 ".deviceID: " NUMBER },
	{ STORAGE("{ 'deviceID': 1,\n'path': 2 }"), AT("4") "storages[0].path: expected a string" },
	{ STORAGE("{ 'deviceID': 1,\n'path': 'disk' }"), AT("4") "storages[0].path: expected BACKEND:PATH" },
	{ STORAGE("{ 'deviceID': 1,\n'path': 'file:' }"), AT("4") "storages[0].path: has no path behind \"file:\"" },
	{ STORAGE("{ 'deviceID': 1,\n'path': 'RemBs:x' }"), AT("4") "storages[0].path: unknown backend \"RemBs\"*" },
	{ STORAGE("{ 'deviceID': 1,\n'path': '../x:y' }"), AT("4") "storages[0].path: unknown backend \"../x\"" },
	{ STORAGE("{ 'deviceID': 1, 'path': 'null:', 'online': 1 }"), STORAGE_0 ".online: expected true or false" },
	{ STORAGE("{ 'deviceID': 1, 'path': 'null:',\n'thinProvisioning': 'yes' }"),
	  AT("4") "storages[0].thinProvisioning: expected true or false" },
	{ STORAGE("{ 'deviceID': 1, 'path': 'null:',\n\n'blockShift': 10 }"),
	  AT("5") "storages[0].blockShift: expected 9 or 12 (blocks of 512 or 4096 bytes)" },
	{ STORAGE(ONE ",\n{ 'path': 'null:', 'deviceID': 1 }"), AT("4") "storages[1].deviceID: storages[0] has 1 already" },
	{ STORAGE("{'deviceID': 1, 'path': 'file:a'},\n{'deviceID': 2, 'path': 'mmap:a'}"),
	  AT("4") "storages[1].path: storages[0] has the same" },
	{ PORTAL("{}"), AT("3") "iscsiportals[0].portal: is missing" },
	{ PORTAL("{ 'portal': 'localhost:3260' }"),
	  AT("3") "iscsiportals[0].portal: localhost:3260: not a numeric IPv4 or IPv6 address" },
	{ PORTAL("{ 'portal': '127.0.0.1:x' }"), AT("3") "iscsiportals[0].portal: 127.0.0.1:x: expected a number from 0 to 65535" },
	{ PORTAL("{ 'id': 1, 'portal': '::1' },\n{ 'id': 1, 'portal': '::2' }"), AT("4") "iscsiportals[1].id: a second one of 1" },
	{ PORTAL("{ 'portal': '::1' },\n{ 'portal': '[::1]:3260' }"), AT("4") "iscsiportals[1].portal: portal-0 listens there already" },
	{ "{\n'iscsitargets': { 'disk': { 'tpgts': {} } } }", AT("2") "iscsitargets.disk: an iSCSI name starts with iqn., eui. or naa." },
	{ "{\n'iscsitargets': { '" IQN "': 1 } }", AT("2") IT ": expected an object { }" },
	{ "{\n'iscsitargets': { '" IQN "': {} } }", AT("2") IT ".tpgts: is missing" },
	{ "{\n'iscsitargets': { '" IQN "': { 'tpgts': {} },\n'" IQN "': { 'tpgts': {} } } }", AT("3") IT ": is there twice" },
	{ TARGET("'tpgts': {}"), AT("5") IT ".tpgts: no portal is in it: nobody could reach the target" },
	{ TARGET("'tpgts': { '0': [0] }"), AT("5") IT ".tpgts.0: expected a number from 1 to 65535 for a name" },
	{ TARGET("'tpgts': { 'one': [0] }"), AT("5") IT ".tpgts.one: expected a number from 1 to 65535 for a name" },
	{ TARGET("'tpgts': { '1': 0 }"), AT("5") IT ".tpgts.1: expected an array of ids of portals" },
	{ TARGET("'tpgts': { '1': [ 0,\n4 ] }"), AT("6") IT ".tpgts.1[1]: no portal has the id 4" },
	{ TARGET("'tpgts': { '1': [ '0' ] }"), AT("5") IT ".tpgts.1[0]: expected the id of a portal" },
	{ TARGET("'tpgts': { '1': [0], '2': [0] }"), AT("5") IT ".tpgts.2[0]: portal 0 is in a group of the target already" },
	{ TARGET("'tpgts': { '1': [0,0] }"), AT("5") IT ".tpgts.1[1]: portal 0 is in a group of the target already" },
	{ TARGET("'tpgts': { '1': [0] },\n'luns': { '0': 2 }"), AT("6") IT ".luns.0: no storage has the deviceID 2" },
	{ TARGET("'tpgts': { '1': [0] },\n'luns': { '0': '1' }"), AT("6") IT ".luns.0: expected the deviceID of a storage" },
	{ TARGET("'tpgts': { '1': [0] },\n'luns': { '16384': 1 }"), AT("6") IT ".luns.16384: expected a number from 0 to 16383 for a name" },
	{ TARGET("'tpgts': { '1': [0] },\n'luns': { '-1': 1 }"), AT("6") IT ".luns.-1: expected a number from 0 to 16383 for a name" },
	{ TARGET("'tpgts': { '1': [0] },\n'luns': { '0': 1,\n'0': 1 }"), AT("7") IT ".luns.0: is there twice" },
	{ TARGET("'tpgts': { '1': [0] },\n'luns': { '0': 1,\n'00': 1 }"), AT("7") IT ".luns.00: is there twice" },
	{ TARGET("'tpgts': { '1': [0] },\n'luns': { '0': 1,\n'1': 1 }"),
	  AT("7") IT ".luns.1: deviceID 1 is " IT ".luns.0 already: reservations of one would not hold for the other; "
	  "give one target several portals" },
};

static void test_bad(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		const struct import_options o = { (const char *const *)plugin_dirs, -1 };
		g_autofree char *text = quoted(bad[i].text), *said = NULL;
		g_autoptr(GPtrArray) wrong = conf_errors_new(), warned = conf_errors_new();

		g_assert_null(import_text(NAME, text, strlen(text), &o, wrong, warned));
		said = lines_of(wrong);
		g_test_message("%s", said);
		if (!g_pattern_match_simple(bad[i].error, said))
			g_assert_cmpstr(said, ==, bad[i].error);
	}
}

static const struct { const char *text, *warning; } odd[] = {
	{ "{}", "" },
	{ "{ 'storages': null, 'iscsiportals': [], 'iscsitargets': {} }", "" },
	{ "{\n'storages': [], 'logging': {} }", AT("2") "logging: unknown, ignored" },
	{ STORAGE(ONE), STORAGE_0 ": no target has it: it is left out" },
	{ STORAGE("{ 'deviceID': 1, 'path': 'null:x', 'online': true,\n'colour': 1 }"),
	  AT("4") "storages[0].colour: unknown, ignored\n"
	  STORAGE_0 ".path: plugin null takes no path: \"x\" is ignored\n" STORAGE_0 ": no target has it: it is left out" },
	{ PORTAL("{ 'id': 5, 'portal': '::1' }"),
	  AT("3") "iscsiportals[0].id: 5 is what tpgts call it; gotgt in Go took its place, 0" },
	{ TARGET("'tpgts': { '1': [0], '2': [] },\n'luns': { '0': 1 }"),
	  AT("5") IT ".tpgts.2: has no portal: it is left out\n" OPEN("4", IQN, "on this machine") },
};

static void test_odd(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(odd); i++) {
		g_autofree char *text = quoted(odd[i].text);

		conf_free(import(text, -1, "", odd[i].warning));
	}
}

/* Cut at each byte, and each byte made another: an error or a configuration, never both. */
static void test_cut(void)
{
	g_autofree char *text = quoted(full);
	size_t len = strlen(text);

	for (size_t i = 0; i + 2 < len; i++) {
		g_autofree char *cut = g_strndup(text, i);

		g_assert_null(import(cut, -1, NULL, NULL));
	}
	for (size_t i = 0; i < len; i++)
		for (const char *c = "0\"[}x\xff"; *c; c++) {
			g_autofree char *other = g_strdup(text);

			other[i] = *c;
			conf_free(import(other, -1, NULL, NULL));
		}
}

static void test_files(void)
{
	const struct import_options o = { (const char *const *)plugin_dirs, -1 };
	g_autofree char *dir = g_dir_make_tmp("gotgt-import-XXXXXX", NULL), *path = g_build_filename(dir, "config.json", NULL);
	g_autofree char *ours = g_build_filename(dir, "gotgt.conf", NULL), *expect = NULL;
	g_autoptr(GPtrArray) errors = conf_errors_new(), warnings = conf_errors_new();

	g_assert_true(import_is_json(path));
	g_assert_false(import_is_json(ours));
	g_assert_null(import_read(path, &o, errors, warnings));
	expect = g_strdup_printf("%s: No such file or directory", path);
	g_assert_cmpstr(errors->pdata[0], ==, expect);
	g_assert_null(import_read(dir, &o, errors, warnings));
	g_assert_true(g_str_has_suffix(errors->pdata[1], ": Is a directory"));
	g_assert_true(g_file_set_contents(ours, "# {\nlog-level = \"info\";\n", -1, NULL));
	g_assert_false(import_is_json(ours));
	g_assert_true(g_file_set_contents(ours, "\n {}", -1, NULL));
	g_assert_true(import_is_json(ours));
	g_unlink(ours);
	g_assert_cmpint(mkfifo(ours, 0600), ==, 0);
	g_assert_false(import_is_json(ours));		/* and nothing is taken from it */
	g_unlink(ours);
	g_rmdir(dir);
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "file", "mmap", "null" };
	g_autofree char *plugins = NULL;
	int status;

	g_test_init(&argc, &argv, NULL);
	plugin_dirs = g_new0(char *, G_N_ELEMENTS(names) + 1);
	plugins = g_test_build_filename(G_TEST_BUILT, "..", "plugins", NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		plugin_dirs[i] = g_build_filename(plugins, names[i], ".libs", NULL);
	g_test_add_func("/import/full", test_full);
	g_test_add_func("/import/example", test_example);
	g_test_add_func("/import/round-trip", test_round_trip);
	g_test_add_func("/import/port", test_port);
	g_test_add_func("/import/path", test_path);
	g_test_add_func("/import/bad", test_bad);
	g_test_add_func("/import/odd", test_odd);
	g_test_add_func("/import/cut", test_cut);
	g_test_add_func("/import/files", test_files);
	status = g_test_run();
	g_strfreev(plugin_dirs);
	return status;
}
