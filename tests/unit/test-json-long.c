/* SPDX-License-Identifier: Apache-2.0 */
/* Whole configurations as documents, in pieces: the same as in one. */
#include "config.h"
#include <string.h>
#include "conf-random.h"
#include "config/json.h"

#define ROUNDS 300

#define A "{\"iqn\":\"iqn.2010-01.org.example:a\"}"
#define B "{\"iqn\":\"iqn.2010-01.org.example:b\"}"

static void append(void *text, const char *more, size_t len)
{
	g_string_append_len(text, more, (gssize)len);
}

static char *said(GPtrArray *wrongs)
{
	GString *text = g_string_new(NULL);

	for (unsigned i = 0; i < wrongs->len; i++) {
		const struct wrong *w = wrongs->pdata[i];

		g_string_append_printf(text, "%s%s: %s", i ? "\n" : "", w->field, w->reason);
	}
	return g_string_free(text, FALSE);
}

static enum conf_text read_text(enum conf_json_mode mode, const char *text, struct conf *conf, const struct conf *old,
				bool *has_targets, char **wrong)
{
	g_autoptr(GPtrArray) wrongs = wrongs_new();
	struct conf_json j = { .mode = mode, .wrongs = wrongs };
	enum conf_text result = conf_from_text(&j, text, strlen(text), conf, old, has_targets);

	*wrong = said(wrongs);
	g_assert_cmpint(result == CONF_TEXT_READ, ==, wrongs->len == 0);
	return result;
}

/* The same document, and back. */
static void test_random(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct conf *c = conf_random(), *back = conf_new();
		g_autoptr(JsonNode) whole = conf_to_json(CONF_TOP, c, NULL), read = NULL;
		GString *text = g_string_new(NULL);
		g_autofree char *compact = json_to_string(whole, FALSE), *wrong = NULL;
		bool has_targets;

		conf_write_json(CONF_TOP, c, NULL, NULL, append, text);
		read = json_from_string(text->str, NULL);
		g_assert_nonnull(read);
		g_assert_true(json_node_equal(whole, read));
		read_text(CONF_JSON_WHOLE, i % 2 ? text->str : compact, back, NULL, &has_targets, &wrong);
		g_assert_cmpstr(wrong, ==, "");
		g_assert_true(has_targets);
		g_assert_true(schema_equal(CONF_TOP, c, back));
		conf_free(c);
		conf_free(back);
		g_string_free(text, TRUE);
	}
}

static JsonNode *nth(const void *of, unsigned n)
{
	return json_from_string(((const char *const *)of)[n], NULL);
}

static void test_long(void)
{
	static const char *const elements[] = { "{}", "{\"a\":[1,{\"b\":\"\\n\\\"]\"}]}", "[]", "null" };
	static const char expect[] = "{\"x\":true,\"list\":[{},{\"a\":[1,{\"b\":\"\\n\\\"]\"}]},[],null]}";

	for (unsigned n = 0; n <= G_N_ELEMENTS(elements); n++) {
		struct json_long l = { json_from_string("{\"x\":true}", NULL), "list", n, nth, elements };
		g_autoptr(JsonNode) got = NULL, want = json_from_string(expect, NULL);
		JsonArray *list = json_object_get_array_member(json_node_get_object(want), "list");
		GString *text = g_string_new(NULL);

		while (json_array_get_length(list) > n)
			json_array_remove_element(list, json_array_get_length(list) - 1);
		json_write_long(&l, append, text);
		got = json_from_string(text->str, NULL);
		g_assert_nonnull(got);
		g_assert_true(json_node_equal(got, want));
		json_node_unref(l.head);
		g_string_free(text, TRUE);
	}
}

static const struct {
	const char *text;
	enum conf_text result;
	unsigned targets;
	bool has_targets;
	const char *wrong;	/* a piece */
} cases[] = {
	{ "{}", CONF_TEXT_READ, 0, false, "" },
	{ "{\"targets\":[]}", CONF_TEXT_READ, 0, true, "" },
	{ " {\t\"targets\" :\r\n [ " A " , " B " ] } ", CONF_TEXT_READ, 2, true, "" },
	{ "{\"log-level\":\"warn\",\"targets\":[" A "],\"workers\":3}", CONF_TEXT_READ, 1, true, "" },
	/* The name as a value, as one within, with an escape, in another case. */
	{ "{\"state-dir\":\"targets\"}", CONF_TEXT_READ, 0, false, "" },
	{ "{\"state-dir\":\"\\\"targets\\\":[\"}", CONF_TEXT_READ, 0, false, "" },
	{ "{\"limits\":{\"targets\":[" A "]}}", CONF_TEXT_WRONG, 0, false, "limits.targets: no such setting" },
	{ "{\"targ\\u0065ts\":[" A "]}", CONF_TEXT_READ, 1, true, "" },
	{ "{\"Targets\":[" A "]}", CONF_TEXT_WRONG, 0, false, "Targets: no such setting" },
	{ "{\"targets\":[" A "],\"targets\":[" B "]}", CONF_TEXT_WRONG, 0, true, "comes twice" },
	/* What is wrong has its place. */
	{ "{\"targets\":[" A ",{}]}", CONF_TEXT_WRONG, 0, true, "targets[1].iqn: is required" },
	{ "{\"targets\":[" A "," B ",{\"iqn\":\"x\"}]}", CONF_TEXT_WRONG, 0, true, "targets[2].iqn: " },
	{ "{\"targets\":[{\"iqn\":\"x\"},{\"iqn\":\"y\"}]}", CONF_TEXT_WRONG, 0, true, "targets[1].iqn: " },
	{ "{\"targets\":[" A ",1]}", CONF_TEXT_WRONG, 0, true, "targets[1]: expected an object" },
	{ "{\"targets\":{}}", CONF_TEXT_WRONG, 0, true, "targets: expected an array" },
	{ "{\"targets\":1}", CONF_TEXT_WRONG, 0, true, "targets: expected an array" },
	{ "{\"targets\":null}", CONF_TEXT_READ, 0, true, "" },
	/* No JSON. */
	{ "", CONF_TEXT_NO_JSON, 0, false, "" },
	{ "[]", CONF_TEXT_NO_JSON, 0, false, "expected an object" },
	{ "[\"targets\",[" A "]]", CONF_TEXT_NO_JSON, 0, false, "expected an object" },
	{ "{\"targets\":[" A "]", CONF_TEXT_NO_JSON, 0, false, "cut off" },
	{ "{\"targets\":[" A ",]}", CONF_TEXT_NO_JSON, 0, false, "" },
	{ "{\"targets\":[" A B "]}", CONF_TEXT_NO_JSON, 0, false, "" },
	{ "{\"targets\":[," A "]}", CONF_TEXT_NO_JSON, 0, false, "" },
	{ "{\"targets\" [" A "]}", CONF_TEXT_NO_JSON, 0, false, "" },
	{ "{\"targets\":[{\"iqn\":tru}]}", CONF_TEXT_NO_JSON, 0, true, "targets[0]: not JSON" },
	{ "{\"targets\":[{\"iqn\":}]}", CONF_TEXT_NO_JSON, 0, true, "targets[0]: not JSON" },
	{ "{\"targets\":[" A "]} x", CONF_TEXT_NO_JSON, 0, false, "" },
};

static void test_cases(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct conf *c = conf_new();
		g_autofree char *wrong = NULL;
		bool has_targets;
		enum conf_text result = read_text(CONF_JSON_WHOLE, cases[i].text, c, NULL, &has_targets, &wrong);

		g_test_message("%s: %d, %s", cases[i].text, result, wrong);
		g_assert_cmpint(result, ==, cases[i].result);
		g_assert_nonnull(strstr(wrong, cases[i].wrong));
		g_assert_cmpint(has_targets, ==, cases[i].has_targets);
		if (result == CONF_TEXT_READ)
			g_assert_cmpuint(c->targets->len, ==, cases[i].targets);
		conf_free(c);
	}
}

static const char secret[] =
	"{\"iscsi\":{\"max-burst-length\":65536},\"targets\":[" B ",{\"iqn\":\"iqn.2010-01.org.example:a\",\"accounts\":"
	"[{\"user\":\"u\",\"secret\":\"a secret of a dozen\"}]}]}";
static const char without[] =
	"{\"targets\":[{\"iqn\":\"iqn.2010-01.org.example:a\",\"accounts\":[{\"user\":\"u\"}]}]}";

/* Secrets that it does not name are those of before; defaults of a target are those of all. */
static void test_before(void)
{
	enum conf_json_mode modes[] = { CONF_JSON_WHOLE, CONF_JSON_PATCH };

	for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
		struct conf *old = conf_new(), *next;
		const struct conf_target *t;
		g_autofree char *wrong = NULL, *more = NULL;
		bool has_targets;

		read_text(CONF_JSON_WHOLE, secret, old, NULL, &has_targets, &wrong);
		g_assert_cmpstr(wrong, ==, "");
		t = old->targets->pdata[1];
		g_assert_cmpuint(t->iscsi.max_burst, ==, 65536);
		next = modes[i] == CONF_JSON_PATCH ? conf_copy(old) : conf_new();
		read_text(modes[i], without, next, old, &has_targets, &more);
		g_assert_cmpstr(more, ==, "");
		g_assert_cmpuint(next->targets->len, ==, 1);
		t = next->targets->pdata[0];
		g_assert_cmpstr(((struct conf_account *)t->accounts->pdata[0])->secret, ==, "a secret of a dozen");
		g_assert_cmpint(t->iscsi.max_burst == 65536, ==, modes[i] == CONF_JSON_PATCH);
		conf_free(next);
		conf_free(old);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/json-long/random", test_random);
	g_test_add_func("/json-long/list", test_long);
	g_test_add_func("/json-long/cases", test_cases);
	g_test_add_func("/json-long/before", test_before);
	return g_test_run();
}
