/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/stats and /metrics: what they say, and that it is what was done. */
#include "config.h"
#include <string.h>
#include "control-rig.h"
#include "scsi/lun.h"

/* ---- what there is to count ---- */

static struct ini *log_in(uint8_t id)
{
	return ini_new_login(NULL, id, "InitialR2T=Yes;");
}

static void io(struct ini *i, unsigned reads, unsigned writes)
{
	uint8_t buf[8 * BLOCK] = { 0 };

	for (unsigned n = 0; n < reads; n++)
		g_assert_cmpuint(ini_finish_read(i, ini_read(i, n, 8, sizeof buf), buf, sizeof buf), ==, sizeof buf);
	for (unsigned n = 0; n < writes; n++) {
		ini_finish_write(i, ini_write(i, FINAL, n, 2, 2 * BLOCK, buf, 0), buf);
		g_assert_cmphex(i->bhs[3], ==, 0);
	}
}

/* Past the end: LUN 0 has 2048 blocks. */
static void fail_once(struct ini *i)
{
	uint32_t itt = ini_read(i, 2048, 1, BLOCK);

	EXPECT_SENSE(i, itt, KEY_ILLEGAL_REQUEST, 0x21);
}

/* This asks all reactors, so what they had answered before has been counted after it. */
static void settle(void)
{
	expect("GET", "/v1/sessions", NULL, 200, NULL);
	expect("GET", "/v1/sessions", NULL, 200, NULL);
}

/* ---- JSON ---- */

static JsonObject *element(JsonObject *o, const char *list, unsigned n)
{
	JsonArray *a = json_object_get_array_member(o, list);

	g_assert_cmpuint(json_array_get_length(a), >, n);
	return json_array_get_object_element(a, n);
}

static gint64 number(JsonObject *o, const char *where)
{
	g_auto(GStrv) steps = g_strsplit(where, ">", -1);
	char **s = steps;

	for (; s[1]; s++)
		o = json_object_get_object_member(o, *s);
	g_assert_true(json_object_has_member(o, *s));
	return json_object_get_int_member(o, *s);
}

static void check_latency(JsonObject *l, gint64 count, bool buckets)
{
	double last = 0;
	gint64 sum = 0;
	JsonArray *a;

	g_assert_cmpint(number(l, "count"), ==, count);
	g_assert_cmpfloat(json_object_get_double_member(l, "p50_us"), <=, json_object_get_double_member(l, "p99_us"));
	g_assert_cmpfloat(json_object_get_double_member(l, "p99_us"), <=, json_object_get_double_member(l, "p999_us"));
	g_assert_cmpfloat(json_object_get_double_member(l, "p999_us"), <=, json_object_get_double_member(l, "max_us"));
	g_assert_cmpint(number(l, "sum_us") > 0, ==, count > 0);
	g_assert_cmpint(json_object_has_member(l, "buckets"), ==, buckets);
	if (!buckets)
		return;
	a = json_object_get_array_member(l, "buckets");
	for (guint i = 0; i < json_array_get_length(a); i++) {
		JsonArray *pair = json_array_get_array_element(a, i);

		g_assert_cmpuint(json_array_get_length(pair), ==, 2);
		g_assert_cmpfloat(json_array_get_double_element(pair, 0), >, last);
		last = json_array_get_double_element(pair, 0);
		g_assert_cmpint(json_array_get_int_element(pair, 1), >, 0);
		sum += json_array_get_int_element(pair, 1);
	}
	g_assert_cmpint(sum, ==, count);
}

/* Each object has all of the members, whatever they are. */
static void check_form(JsonObject *o, bool buckets)
{
	static const char *const numbers[] = { "commands", "queue_depth", "queue_depth_max", "r2ts", "digest_errors>header",
					       "digest_errors>data", "read>bytes", "write>bytes" };
	static const char *const kinds[] = { "read", "write", "other" };
	gint64 commands = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++)
		g_assert_cmpint(number(o, numbers[i]), >=, 0);
	for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
		JsonObject *k = json_object_get_object_member(o, kinds[i]);

		commands += number(k, "commands");
		check_latency(json_object_get_object_member(k, "latency"), number(k, "commands"), buckets);
	}
	g_assert_cmpint(number(o, "commands"), ==, commands);
	g_assert_nonnull(json_object_get_object_member(o, "opcodes"));
	g_assert_nonnull(json_object_get_object_member(o, "errors"));
}

static void check_io(JsonObject *o, unsigned reads, unsigned writes)
{
	check_form(o, true);
	g_assert_cmpint(number(o, "opcodes>READ(10)"), ==, reads + 1);
	g_assert_cmpint(number(o, "read>bytes"), ==, reads * 8 * BLOCK);
	g_assert_cmpint(number(o, "opcodes>WRITE(10)"), ==, writes);
	g_assert_cmpint(number(o, "write>bytes"), ==, writes * 2 * BLOCK);
	g_assert_cmpint(number(o, "errors>ILLEGAL REQUEST 21h/00h"), ==, 1);
	g_assert_cmpint(number(o, "r2ts"), ==, writes);
	g_assert_cmpint(number(o, "queue_depth"), ==, 0);
	g_assert_cmpint(number(o, "queue_depth_max"), >=, 1);
}

static void check_session(JsonObject *o, const struct ini *i)
{
	g_assert_cmpint(number(o, "tsih"), ==, i->tsih);
	g_assert_cmpstr(json_object_get_string_member(o, "initiator"), ==, HOST);
	g_assert_cmpstr(json_object_get_string_member(o, "target"), ==, DISK);
	g_assert_cmpint(number(o, "connections"), ==, 1);
	check_io(o, 5, 3);
}

static void test_stats(void)
{
	struct answer a;
	JsonObject *o, *t, *p;
	struct ini *i;

	begin();
	i = log_in(1);
	io(i, 5, 3);
	fail_once(i);
	settle();
	a = ask("GET", "/v1/stats", NULL);
	g_assert_cmpuint(a.status, ==, 200);
	g_assert_cmpstr(a.type, ==, "application/json");
	o = json_node_get_object(a.json);
	g_assert_cmpfloat(json_object_get_double_member(o, "uptime_s"), >=, 0);
	check_session(element(o, "sessions", 0), i);
	t = element(o, "targets", 0);
	g_assert_cmpstr(json_object_get_string_member(t, "name"), ==, DISK);
	g_assert_cmpint(number(t, "sessions"), ==, 1);
	check_io(t, 5, 3);
	g_assert_cmpint(number(element(t, "luns", 0), "lun"), ==, 0);
	check_io(element(t, "luns", 0), 5, 3);
	check_form(element(t, "luns", 1), true);
	g_assert_cmpint(number(element(t, "luns", 1), "read>commands"), ==, 0);
	p = element(o, "portals", 0);
	g_assert_cmpstr(json_object_get_string_member(p, "address"), ==, server_portal(running, 0));
	g_assert_cmpint(number(p, "connections"), ==, 1);
	g_assert_cmpint(number(p, "logins"), ==, 1);
	g_assert_cmpint(number(p, "login_failures"), ==, 0);
	check_io(p, 5, 3);
	for (unsigned r = 0; r < json_array_get_length(json_object_get_array_member(o, "reactors")); r++)
		check_form(element(o, "reactors", r), true);
	answer_clear(&a);
	ini_free(i);
	end();
}

static void test_queries(void)
{
	struct answer a;
	JsonObject *o;
	struct ini *i;

	begin();
	i = log_in(1);
	expect("POST", "/v1/targets", "{\"iqn\":\"" OTHER "\",\"luns\":[{\"number\":5,\"plugin\":\"null\"}]}", 201, NULL);
	io(i, 1, 1);
	a = ask("GET", "/v1/stats?buckets=0&target=" OTHER, NULL);
	g_assert_cmpuint(a.status, ==, 200);
	o = json_node_get_object(a.json);
	g_assert_cmpuint(json_array_get_length(json_object_get_array_member(o, "targets")), ==, 1);
	g_assert_cmpstr(json_object_get_string_member(element(o, "targets", 0), "name"), ==, OTHER);
	check_form(element(o, "targets", 0), false);
	check_form(element(element(o, "targets", 0), "luns", 0), false);
	check_form(element(o, "sessions", 0), false);
	answer_clear(&a);
	a = ask("GET", "/v1/stats", NULL);
	o = json_node_get_object(a.json);
	g_assert_cmpuint(json_array_get_length(json_object_get_array_member(o, "targets")), ==, 2);
	answer_clear(&a);
	expect("GET", "/v1/stats?target=iqn.none", NULL, 404, "no target iqn.none");
	expect("GET", "/v1/stats?target=", NULL, 404, "no target");
	expect("DELETE", "/v1/stats", NULL, 405, "GET");
	expect("GET", "/openapi.json", NULL, 200, "/metrics");
	ini_free(i);
	end();
}

/* ---- OpenMetrics ---- */

struct metrics {
	GHashTable *types;	/* family -> type */
	GHashTable *samples;	/* "name{labels}" -> value as text */
};

/* Labels, from behind the '{' to behind the '}': names and quoted values, nothing unescaped. */
static const char *skip_labels(const char *p)
{
	for (;;) {
		size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz_");

		g_assert_cmpuint(n, >, 0);
		p += n;
		g_assert_true(g_str_has_prefix(p, "=\""));
		for (p += 2; *p != '"'; p++) {
			g_assert_true(*p && *p != '\n');
			if (*p == '\\')
				g_assert_nonnull(strchr("\\\"n", *++p));
		}
		if (*++p == '}')
			return p + 1;
		g_assert_cmpint(*p++, ==, ',');
	}
}

static bool suffix_fits(const char *type, const char *suffix)
{
	static const struct { const char *type, *suffixes; } rows[] = {
		{ "counter", " _total " }, { "gauge", "  " }, { "info", " _info " }, { "histogram", " _bucket _sum _count " },
	};
	g_autofree char *word = g_strdup_printf(" %s ", suffix);

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
		if (g_str_equal(rows[i].type, type))
			return strstr(rows[i].suffixes, word);
	return false;
}

static void take_sample(struct metrics *m, const char *line, const char *family)
{
	size_t len = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_");
	const char *end = line[len] == '{' ? skip_labels(line + len + 1) : line + len;
	g_autofree char *name = g_strndup(line, len);
	char *rest;

	/* All of a family are together. */
	g_assert_true(g_str_has_prefix(name, family));
	g_assert_true(suffix_fits(g_hash_table_lookup(m->types, family), name + strlen(family)));
	g_assert_cmpint(*end, ==, ' ');
	g_ascii_strtod(end + 1, &rest);
	g_assert_cmpint(*rest, ==, 0);
	g_assert_true(g_hash_table_insert(m->samples, g_strndup(line, (gsize)(end - line)), g_strdup(end + 1)));
}

static void take_comment(struct metrics *m, const char *line, char **family)
{
	g_auto(GStrv) words = g_strsplit(line, " ", 4);

	g_assert_cmpuint(g_strv_length(words), ==, 4);
	if (g_str_equal(words[1], "TYPE")) {
		g_free(*family);
		*family = g_strdup(words[2]);
		g_assert_true(g_hash_table_insert(m->types, g_strdup(words[2]), g_strdup(words[3])));
		return;
	}
	g_assert_cmpstr(words[2], ==, *family);
	if (g_str_equal(words[1], "UNIT"))
		g_assert_true(g_str_has_suffix(words[2], words[3]));
	else
		g_assert_cmpstr(words[1], ==, "HELP");
}

static struct metrics *metrics(void)
{
	struct metrics *m = g_new0(struct metrics, 1);
	struct answer a = ask("GET", "/metrics", NULL);
	g_auto(GStrv) lines = g_strsplit(a.text, "\n", -1);
	g_autofree char *family = NULL;
	unsigned n = g_strv_length(lines);

	g_assert_cmpuint(a.status, ==, 200);
	g_assert_cmpstr(a.type, ==, "application/openmetrics-text; version=1.0.0; charset=utf-8");
	g_assert_cmpuint(n, >, 10);
	g_assert_cmpstr(lines[n - 1], ==, "");
	g_assert_cmpstr(lines[n - 2], ==, "# EOF");
	m->types = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	m->samples = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	for (unsigned i = 0; i < n - 2; i++) {
		if (*lines[i] == '#')
			take_comment(m, lines[i], &family);
		else
			take_sample(m, lines[i], family);
	}
	answer_clear(&a);
	return m;
}

static void metrics_free(struct metrics *m)
{
	g_hash_table_unref(m->types);
	g_hash_table_unref(m->samples);
	g_free(m);
}

static void check_sample(const struct metrics *m, const char *sample, const char *value)
{
	const char *found = g_hash_table_lookup(m->samples, sample);

	if (!found)
		g_error("no %s", sample);
	g_assert_cmpstr(found, ==, value);
}

/* Cumulative, and the last one is the count. */
static void check_histogram(const struct metrics *m, const char *labels, const char *count)
{
	static const char *const bounds[] = { "0.000008192", "0.000032768", "0.000131072", "0.000524288", "0.002097152",
					      "0.008388608", "0.033554432", "0.134217728", "0.536870912", "2.147483648",
					      "8.589934592", "+Inf" };
	uint64_t last = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(bounds); i++) {
		g_autofree char *name = g_strdup_printf("gotgt_lun_command_duration_seconds_bucket{%s,le=\"%s\"}", labels,
							bounds[i]);
		const char *value = g_hash_table_lookup(m->samples, name);

		g_assert_nonnull(value);
		g_assert_cmpuint(g_ascii_strtoull(value, NULL, 10), >=, last);
		last = g_ascii_strtoull(value, NULL, 10);
	}
	g_assert_cmpuint(last, ==, g_ascii_strtoull(count, NULL, 10));
}

static void test_metrics(void)
{
	struct metrics *m;
	struct ini *i;

	begin();
	m = metrics();
	check_sample(m, "gotgt_target_sessions{target=\"" DISK "\"}", "0");
	g_assert_null(g_hash_table_lookup(m->samples, "gotgt_lun_queue_depth{target=\"" DISK "\",lun=\"0\"}"));
	metrics_free(m);
	i = log_in(1);
	io(i, 5, 3);
	fail_once(i);
	settle();
	m = metrics();
	check_sample(m, "gotgt_target_sessions{target=\"" DISK "\"}", "1");
	check_sample(m, "gotgt_lun_commands_total{target=\"" DISK "\",lun=\"0\",command=\"READ(10)\"}", "6");
	check_sample(m, "gotgt_lun_transferred_bytes_total{target=\"" DISK "\",lun=\"0\",direction=\"read\"}", "20480");
	check_sample(m, "gotgt_lun_transferred_bytes_total{target=\"" DISK "\",lun=\"0\",direction=\"write\"}", "3072");
	check_sample(m, "gotgt_lun_errors_total{target=\"" DISK "\",lun=\"0\",error=\"ILLEGAL REQUEST 21h/00h\"}", "1");
	check_sample(m, "gotgt_lun_command_duration_seconds_count{target=\"" DISK "\",lun=\"0\",kind=\"read\"}", "6");
	check_histogram(m, "target=\"" DISK "\",lun=\"0\",kind=\"read\"", "6");
	check_histogram(m, "target=\"" DISK "\",lun=\"0\",kind=\"write\"", "3");
	check_sample(m, "gotgt_session_r2ts_total{target=\"" DISK "\",initiator=\"" HOST "\",tsih=\"1\"}", "3");
	metrics_free(m);
	ini_free(i);
	end();
}

/* What peers and files say is quoted. */
static void test_quote(void)
{
	begin();
	expect("POST", "/v1/targets", "{\"iqn\":\"" OTHER "\",\"alias\":\"\\\"x\\\\\"}", 201, NULL);
	metrics_free(metrics());
	end();
}

/* ---- while it runs ---- */

static void *busy(void *arg)
{
	for (uint8_t round = 0; round < 6; round++) {
		struct ini *i = log_in((uint8_t)(1 + GPOINTER_TO_UINT(arg)));

		io(i, 60, 40);
		ini_free(i);
	}
	return NULL;
}

static void test_while_busy(void)
{
	GThread *threads[2];
	struct answer a;
	JsonObject *o;

	begin();
	for (unsigned n = 0; n < 2; n++)
		threads[n] = g_thread_new("busy", busy, GUINT_TO_POINTER(n));
	for (unsigned n = 0; n < 20; n++) {
		expect("GET", "/v1/stats", NULL, 200, "\"sessions\":[");
		metrics_free(metrics());
	}
	for (unsigned n = 0; n < 2; n++)
		g_thread_join(threads[n]);
	settle();
	a = ask("GET", "/v1/stats", NULL);
	o = element(element(json_node_get_object(a.json), "targets", 0), "luns", 0);
	g_assert_cmpint(number(o, "opcodes>READ(10)"), ==, 2 * 6 * 60);
	g_assert_cmpint(number(o, "write>bytes"), ==, 2 * 6 * 40 * 2 * BLOCK);
	g_assert_cmpint(number(element(json_node_get_object(a.json), "portals", 0), "logins"), ==, 12);
	answer_clear(&a);
	end();
}

/* A device that does not answer is seen from outside. */
static void test_stuck(void)
{
	static const char metric[] = "gotgt_lun_stuck{target=\"" DISK "\",lun=\"0\"} ";
	struct lun *lun;
	struct ini *i;
	uint32_t itt;

	begin();
	i = ini_new_login(NULL, 1, "");
	itt = ini_read(i, 0, 1, 512);
	ini_finish_read(i, itt, (uint8_t[512]){ 0 }, 512);
	lun = server_lun(running, DISK, 0);
	for (unsigned stuck = 0; stuck < 3; stuck++) {
		g_autofree char *sample = g_strdup_printf("%s%u\n", metric, stuck % 2);

		lun_set_state(lun, stuck % 2 ? 0 : LUN_STUCK, stuck % 2 ? LUN_STUCK : 0);
		expect("GET", "/v1/status", NULL, 200, stuck % 2 ? "\"stuck\"" : "\"online\"");
		expect("GET", "/v1/backstores/" DISK "/0", NULL, 200, stuck % 2 ? "\"stuck\"" : "\"online\"");
		expect("GET", "/healthz", NULL, 200, stuck % 2 ? "\"degraded\"" : "\"luns-stuck\" : 0");
		expect("GET", "/metrics", NULL, 200, sample);
	}
	ini_free(i);
	end();
}

int main(int argc, char **argv)
{
	rig_begin(&argc, &argv);
	g_test_add_func("/numbers/stats", test_stats);
	g_test_add_func("/numbers/queries", test_queries);
	g_test_add_func("/numbers/metrics", test_metrics);
	g_test_add_func("/numbers/quote", test_quote);
	g_test_add_func("/numbers/while-busy", test_while_busy);
	g_test_add_func("/numbers/stuck", test_stuck);
	return rig_run();
}
