/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of a configuration as JSON and back. */
#include "config.h"
#include <string.h>
#include "conf-random.h"
#include "config/json.h"
#include "engine/vault.h"

#define ROUNDS 300

static const char *const no_dirs[] = { "/nonexistent", NULL };

/* One line a wrong. */
static char *said(GPtrArray *wrongs)
{
	GString *text = g_string_new(NULL);

	for (unsigned i = 0; i < wrongs->len; i++) {
		const struct wrong *w = wrongs->pdata[i];

		g_string_append_printf(text, "%s%s: %s", i ? "\n" : "", w->field, w->reason);
	}
	return g_string_free(text, FALSE);
}

static void read_into(enum conf_json_mode mode, enum conf_object object, const char *text, void *obj, const void *old,
		      const char *expect)
{
	g_autoptr(GPtrArray) wrongs = wrongs_new();
	struct conf_json j = { .mode = mode, .wrongs = wrongs, .plugin_dirs = no_dirs };
	g_autoptr(JsonNode) node = json_read(text, strlen(text), wrongs);
	g_autofree char *got = NULL;

	if (node)
		g_assert_cmpint(conf_from_json(&j, object, node, obj, old), ==, wrongs->len == 0);
	got = said(wrongs);
	g_assert_cmpstr(got, ==, expect);
}

static void test_round_trip(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct conf *c = conf_random(), *back = conf_new();
		g_autoptr(JsonNode) node = conf_to_json(CONF_TOP, c, NULL);
		g_autofree char *text = json_to_string(node, i % 2);

		read_into(CONF_JSON_WHOLE, CONF_TOP, text, back, NULL, "");
		if (!schema_equal(CONF_TOP, c, back))
			g_test_message("%s", text);
		g_assert_true(schema_equal(CONF_TOP, c, back));
		conf_free(c);
		conf_free(back);
	}
}

/* One member of a document alone, as a change. */
static void read_member(const struct setting *s, JsonNode *value, void *obj)
{
	g_autoptr(GPtrArray) wrongs = wrongs_new();
	struct conf_json j = { .mode = CONF_JSON_PATCH, .wrongs = wrongs };
	g_autoptr(JsonNode) one = json_of_object(json_object_new());

	json_object_set_member(json_node_get_object(one), s->name, json_node_copy(value));
	g_assert_true(conf_from_json(&j, s->object, one, obj, NULL));
}

/* Each row by itself, out and back: what it may be is what its row says. */
static void test_rows(void)
{
	unsigned rows = 0;

	for (const struct setting *s = schema; s->name; s++) {
		void *obj = schema_new(s->object), *back = schema_new(s->object);
		g_autoptr(JsonNode) node = conf_to_json(s->object, obj, NULL);
		JsonObject *json = json_node_get_object(node);

		g_assert_cmpint(json_object_has_member(json, s->name), ==, setting_is_set(s, obj) || s->secret);
		if (json_object_has_member(json, s->name) && !s->required) {
			read_member(s, json_object_get_member(json, s->name), back);
			g_assert_true(setting_equal(s, obj, back));
			rows++;
		}
		schema_free(s->object, obj);
		schema_free(s->object, back);
	}
	g_assert_cmpuint(rows, >, 30);
}

static const struct {
	const char *name;
	enum conf_object object;
	const char *text, *said;
} bad[] = {
	{ "empty", CONF_TOP, "", ": expected an object { }" },
	{ "cut off", CONF_TOP, "{ \"workers\": 1", ": not JSON: it is cut off" },
	{ "NUL", CONF_TOP, "{ \"state-dir\": \"/a\\\\\\u0000b\" }", ": a string with a NUL" },
	{ "too many", CONF_TOP, "{ } }", ": not JSON" },
	{ "comment", CONF_TOP, "/* \" */ { }", ": not JSON" },
	{ "other quotes", CONF_TOP, "{ 'workers': 1 }", ": not JSON" },
	{ "octal", CONF_TOP, "{ \"workers\": 010 }", ": not JSON" },
	{ "hexadecimal", CONF_TOP, "{ \"workers\": 0x10 }", ": not JSON" },
	{ "octal in a list", CONF_TOP, "{ \"workers\":[-01] }", ": not JSON" },
	{ "exponent", CONF_TOP, "{ \"workers\": 1e-05 }", "workers: expected a number" },
	{ "beyond 64 bits", CONF_TOP, "{ \"workers\": 18446744073709551617 }", "workers: expected a number from 1 to 1024" },
	{ "not an object", CONF_TOP, "[ ]", ": expected an object { }" },
	{ "not UTF-8", CONF_TOP, "{ \"\377\": 1 }", ": not UTF-8" },
	{ "no such setting", CONF_TOP, "{ \"colour\": 1 }", "colour: no such setting" },
	{ "bool", CONF_TOP, "{ \"fips\": \"yes\" }", "fips: expected true or false" },
	{ "number as text", CONF_TOP, "{ \"workers\": \"8\" }", "workers: expected a number" },
	{ "fraction", CONF_TOP, "{ \"workers\": 1.5 }", "workers: expected a number" },
	{ "too small", CONF_TOP, "{ \"workers\": 0 }", "workers: expected a number from 1 to 1024" },
	{ "negative", CONF_TOP, "{ \"workers\": -1 }", "workers: expected a number from 1 to 1024" },
	{ "choice", CONF_TOP, "{ \"log-level\": \"loud\" }", "log-level: expected error, warn, info or debug" },
	{ "string", CONF_TOP, "{ \"state-dir\": 1 }", "state-dir: expected a string" },
	{ "names", CONF_TOP, "{ \"chap-algorithms\": \"md5\" }", "chap-algorithms: expected an array of strings" },
	{ "no names", CONF_TOP, "{ \"chap-algorithms\": [] }", "chap-algorithms: is empty" },
	{ "a name", CONF_TOP, "{ \"chap-algorithms\": [ 1 ] }", "chap-algorithms: expected an array of strings" },
	{ "group", CONF_TOP, "{ \"limits\": 1 }", "limits: expected an object" },
	{ "in a group", CONF_TOP, "{ \"limits\": { \"max-logins\": 0 } }",
	  "limits.max-logins: expected a number from 1 to 1000000" },
	{ "list", CONF_TOP, "{ \"targets\": { } }", "targets: expected an array of objects" },
	{ "element", CONF_TOP, "{ \"targets\": [ 1 ] }", "targets[0]: expected an object" },
	{ "in a list", CONF_TOP, "{ \"targets\": [ { \"iqn\": \"iqn.2016-09.com.example:x\", \"luns\": [ "
	  "{ \"number\": 0, \"plugin\": \"null\", \"block-size\": 3 } ] } ] }",
	  "targets[0].luns[0].block-size: expected 512 or 4096" },
	{ "required", CONF_LUN, "{ }", "number: is required\nplugin: is required" },
	{ "required null", CONF_LUN, "{ \"number\": null, \"plugin\": \"x\" }", "number: is required" },
	{ "plugin", CONF_LUN, "{ \"number\": 1, \"plugin\": \"x\", \"settings\": { \"a\": [ 1 ] } }",
	  "settings.a: expected a string, a whole number, true or false" },
	{ "name", CONF_TARGET, "{ \"iqn\": \"disk\" }", "iqn: an iSCSI name starts with iqn., eui. or naa." },
};

static void test_bad(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	void *obj = schema_new(bad[i].object);

	read_into(CONF_JSON_WHOLE, bad[i].object, bad[i].text, obj, NULL, bad[i].said);
	schema_free(bad[i].object, obj);
}

static void test_deep(void)
{
	g_autoptr(GPtrArray) wrongs = wrongs_new();
	g_autofree char *text = g_strnfill(1 << 20, '['), *got = NULL;

	g_assert_null(json_read(text, 1 << 20, wrongs));
	got = said(wrongs);
	g_assert_cmpstr(got, ==, ": nested too deeply");
}

static void test_patch(void)
{
	struct conf_target *t = schema_new(CONF_TARGET);
	struct conf_lun *l = schema_new(CONF_LUN);

	g_ptr_array_add(t->luns, l);
	t->iqn = g_strdup("iqn.2016-09.com.example:x");
	t->alias = g_strdup("one");
	l->plugin = g_strdup("null");
	read_into(CONF_JSON_PATCH, CONF_TARGET, "{ \"iscsi\": { \"time2wait\": 5, \"max-burst-length\": \"2M\" } }", t, NULL, "");
	g_assert_cmpuint(t->iscsi.time2wait, ==, 5);
	g_assert_cmpuint(t->iscsi.max_burst, ==, 2 << 20);
	g_assert_cmpstr(t->alias, ==, "one");
	g_assert_cmpuint(t->luns->len, ==, 1);
	read_into(CONF_JSON_PATCH, CONF_TARGET, "{ \"alias\": null, \"iscsi\": { \"time2wait\": null }, \"luns\": null }",
		  t, NULL, "");
	g_assert_null(t->alias);
	g_assert_cmpuint(t->iscsi.time2wait, ==, params_offered.time2wait);
	g_assert_cmpuint(t->iscsi.max_burst, ==, 2 << 20);
	g_assert_cmpuint(t->luns->len, ==, 0);
	schema_free(CONF_TARGET, t);

	l = schema_new(CONF_LUN);
	l->plugin = g_strdup("null");
	read_into(CONF_JSON_PATCH, CONF_LUN, "{ \"settings\": { \"a\": 100, \"b\": true } }", l, NULL, "");
	read_into(CONF_JSON_PATCH, CONF_LUN, "{ \"settings\": { \"a\": null, \"c\": \"x\" } }", l, NULL, "");
	{
		g_autofree char *all = g_strjoinv(" ", l->settings);

		g_assert_cmpstr(all, ==, "b yes c x");
	}
	schema_free(CONF_LUN, l);
}

static struct conf_target *with_account(void)
{
	struct conf_target *t = schema_new(CONF_TARGET);
	struct conf_account *a = schema_new(CONF_ACCOUNT);

	t->iqn = g_strdup("iqn.2016-09.com.example:x");
	a->user = g_strdup("u");
	a->secret = vault_strdup("never shown at all");
	g_ptr_array_add(t->accounts, a);
	return t;
}

static void test_secrets(void)
{
	struct conf_target *t = with_account(), *u = schema_new(CONF_TARGET);
	g_autoptr(JsonNode) node = conf_to_json(CONF_TARGET, t, no_dirs);
	g_autofree char *text = json_to_string(node, FALSE);
	struct conf_account *a;

	/* No answer has one, and what an answer has is no reason to forget it. */
	g_assert_null(strstr(text, "never shown"));
	read_into(CONF_JSON_WHOLE, CONF_TARGET, text, u, t, "");
	g_assert_true(schema_equal(CONF_TARGET, t, u));
	schema_free(CONF_TARGET, u);
	/* Another user's is not it; null is none. */
	u = schema_new(CONF_TARGET);
	read_into(CONF_JSON_WHOLE, CONF_TARGET, "{ \"iqn\": \"iqn.2016-09.com.example:x\", \"accounts\": [ "
		  "{ \"user\": \"v\" }, { \"user\": \"u\", \"secret\": null } ] }", u, t, "");
	for (unsigned i = 0; i < 2; i++) {
		a = u->accounts->pdata[i];
		g_assert_null(a->secret);
	}
	schema_free(CONF_TARGET, u);
	/* A patch that replaces the list keeps it too. */
	read_into(CONF_JSON_PATCH, CONF_TARGET, "{ \"accounts\": [ { \"user\": \"w\" }, { \"user\": \"u\" } ] }", t, NULL, "");
	a = t->accounts->pdata[1];
	g_assert_cmpstr(a->secret, ==, "never shown at all");
	schema_free(CONF_TARGET, t);
}

/* What a plugin that cannot be asked has may be a secret. */
static void test_plugin_secrets(void)
{
	struct conf_lun *l = schema_new(CONF_LUN);
	char *pairs[] = { (char *)"password", (char *)"never shown", NULL };
	g_autoptr(JsonNode) node = NULL;
	g_autofree char *text = NULL;

	l->plugin = g_strdup("nonsense");
	l->settings = g_strdupv(pairs);
	node = conf_to_json(CONF_LUN, l, no_dirs);
	text = json_to_string(node, FALSE);
	g_assert_null(strstr(text, "never shown"));
	schema_free(CONF_LUN, l);
}

/* What stands at the top is the default of targets that come with it. */
static void test_inherit(void)
{
	struct conf *c = conf_new();

	read_into(CONF_JSON_WHOLE, CONF_TOP, "{ \"targets\": [ { \"iqn\": \"iqn.2016-09.com.example:x\" } ], "
		  "\"iscsi\": { \"time2wait\": 9 } }", c, NULL, "");
	g_assert_cmpuint(((struct conf_target *)c->targets->pdata[0])->iscsi.time2wait, ==, 9);
	conf_free(c);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/json/round-trip", test_round_trip);
	g_test_add_func("/json/rows", test_rows);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *name = g_strconcat("/json/bad/", bad[i].name, NULL);

		g_test_add_data_func(g_strdelimit(name, " ", '-'), GSIZE_TO_POINTER(i), test_bad);
	}
	g_test_add_func("/json/deep", test_deep);
	g_test_add_func("/json/patch", test_patch);
	g_test_add_func("/json/secrets", test_secrets);
	g_test_add_func("/json/plugin-secrets", test_plugin_secrets);
	g_test_add_func("/json/inherit", test_inherit);
	return g_test_run();
}
