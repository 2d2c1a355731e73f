/* SPDX-License-Identifier: Apache-2.0 */
/* What gotgt stats and gotgt top make of answers: differences, latencies, tables. */
#include "config.h"
#include <string.h>
#include "cli/counters.h"
#include "cli/view.h"

#define ONE "iqn.2016-09.com.example:one"
#define LATENCY(count, sum, max, buckets) \
	"{\"count\":" #count ",\"sum_us\":" #sum ",\"p50_us\":1,\"p99_us\":1,\"p999_us\":1,\"max_us\":" #max ",\"buckets\":[" buckets "]}"
#define COUNTERS(commands, queue, reads, bytes, latency, errors) \
	"\"commands\":" #commands ",\"queue_depth\":" #queue ",\"queue_depth_max\":32," \
	"\"read\":{\"commands\":" #reads ",\"bytes\":" #bytes ",\"latency\":" latency "}," \
	"\"write\":{\"commands\":0,\"bytes\":0,\"latency\":" LATENCY(0, 0, 0, "") "}," \
	"\"other\":{\"commands\":0,\"latency\":" LATENCY(0, 0, 0, "") "}," \
	"\"opcodes\":{\"READ(10)\":" #reads "},\"errors\":{" errors "},\"digest_errors\":{\"header\":0,\"data\":0},\"r2ts\":0"
#define ANSWER(uptime, lun0, lun1, session) \
	"{\"uptime_s\":" #uptime ",\"reactors\":[{\"reactor\":0,\"connections\":1," lun0 "}]," \
	"\"portals\":[{\"address\":\"127.0.0.1:3260\",\"connections\":1,\"logins\":1,\"login_failures\":0," lun0 "}]," \
	"\"targets\":[{\"name\":\"" ONE "\",\"sessions\":1," lun0 ",\"luns\":[{\"lun\":0," lun0 "},{\"lun\":10," lun1 "}]}]," \
	"\"sessions\":[{\"tsih\":" #session ",\"initiator\":\"iqn.i\",\"target\":\"" ONE "\",\"connections\":1," lun0 "}]}"

#define BEFORE_0 COUNTERS(1000, 3, 1000, 4096000, LATENCY(1000, 100000, 9000, "[64,900],[128,100]"), "\"MEDIUM ERROR 11h/00h\":2")
#define NOW_0 COUNTERS(3000, 5, 3000, 12288000, LATENCY(3000, 500000, 9000, "[64,900],[128,2080],[4096,20]"), \
		       "\"MEDIUM ERROR 11h/00h\":2,\"NOT READY 04h/02h\":5")
#define IDLE COUNTERS(7, 0, 7, 3584, LATENCY(7, 70, 20, "[16,6],[32,1]"), "")

static struct reading *reading_of(const char *text)
{
	g_autoptr(GError) error = NULL;
	JsonNode *node = json_from_string(text, &error);
	struct reading *r;

	g_assert_no_error(error);
	r = reading_new(node);
	json_node_unref(node);
	return r;
}

static const struct rates *rate(GArray *rates, const char *name)
{
	for (unsigned i = 0; i < rates->len; i++)
		if (g_str_equal(g_array_index(rates, struct rates, i).of->name, name))
			return &g_array_index(rates, struct rates, i);
	return NULL;
}

static void test_reading(void)
{
	struct reading *r = reading_of(ANSWER(12.5, BEFORE_0, IDLE, 1));
	const struct counted *c = r->of[COUNTED_LU]->pdata[0];

	g_assert_cmpfloat(r->uptime_s, ==, 12.5);
	g_assert_cmpuint(r->of[COUNTED_REACTOR]->len, ==, 1);
	g_assert_cmpuint(r->of[COUNTED_LU]->len, ==, 2);
	g_assert_cmpstr(c->name, ==, "0");
	g_assert_cmpstr(c->target, ==, ONE);
	g_assert_cmpuint(c->counters.commands, ==, 1000);
	g_assert_cmpuint(c->counters.ops[OP_READ].bytes, ==, 4096000);
	g_assert_cmpuint(c->counters.errors, ==, 2);
	g_assert_cmpuint(c->counters.queue_depth_max, ==, 32);
	c = r->of[COUNTED_SESSION]->pdata[0];
	g_assert_cmpstr(c->initiator, ==, "iqn.i");
	c = r->of[COUNTED_PORTAL]->pdata[0];
	g_assert_cmpstr(c->name, ==, "127.0.0.1:3260");
	reading_free(r);
}

/* An answer of something else has nothing, and nothing of it is believed. */
static void test_nonsense(void)
{
	static const char *const texts[] = {
		"{}", "[]", "7", "{\"targets\":7,\"sessions\":[1,null]}", "{\"targets\":[{\"luns\":[{\"read\":7}]}]}",
		"{\"targets\":[{\"read\":{\"latency\":{\"buckets\":[1,[2],[null,null],[64,-1],{}]}}}]}",
		"{\"targets\":[{\"commands\":-5,\"errors\":[1],\"name\":null}]}", "{\"uptime_s\":\"x\"}",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		struct reading *r = reading_of(texts[i]);
		struct view v = { .kind = COUNTED_LU };
		unsigned heading;
		GString *text = view_text(&v, r, NULL, &heading);

		g_assert_nonnull(strstr(text->str, " 0 IOPS"));
		g_string_free(text, TRUE);
		reading_free(r);
	}
}

static void test_difference(void)
{
	struct reading *before = reading_of(ANSWER(10, BEFORE_0, IDLE, 1)), *now = reading_of(ANSWER(12, NOW_0, IDLE, 1));
	GArray *rates = rates_new(now, before, COUNTED_LU, reading_seconds(now, before));
	const struct rates *r = rate(rates, "0");

	g_assert_cmpfloat(reading_seconds(now, before), ==, 2);
	g_assert_cmpfloat(r->iops, ==, 1000);
	g_assert_cmpfloat(r->read_bytes_s, ==, 4096000);
	g_assert_cmpfloat(r->write_bytes_s, ==, 0);
	g_assert_cmpfloat(r->avg_us, ==, 200);
	/* Of 2000 commands 1980 are in the bucket up to 128; one more would make it 4096. */
	g_assert_cmpfloat(r->p99_us, ==, 128);
	g_assert_cmpuint(r->errors, ==, 5);
	g_assert_cmpuint(r->queue_depth, ==, 5);
	r = rate(rates, "10");
	g_assert_cmpfloat(r->iops, ==, 0);
	g_assert_cmpfloat(r->p99_us, ==, 0);
	g_array_unref(rates);
	reading_free(before);
	reading_free(now);
}

/* A session that is new, and one whose number another has now. */
static void test_begun(void)
{
	struct reading *before = reading_of(ANSWER(10, NOW_0, IDLE, 1)), *other = reading_of(ANSWER(12, NOW_0, IDLE, 2));
	struct reading *less = reading_of(ANSWER(12, BEFORE_0, IDLE, 1));
	GArray *rates = rates_new(other, before, COUNTED_SESSION, 2);

	g_assert_cmpfloat(rate(rates, "2")->iops, ==, 1500);
	g_array_unref(rates);
	rates = rates_new(less, before, COUNTED_SESSION, 2);
	g_assert_cmpfloat(rate(rates, "1")->iops, ==, 500);
	g_assert_cmpfloat(rate(rates, "1")->avg_us, ==, 100);
	g_array_unref(rates);
	reading_free(before);
	reading_free(other);
	reading_free(less);
}

/* A daemon that has started anew. */
static void test_restart(void)
{
	struct reading *before = reading_of(ANSWER(1000, BEFORE_0, IDLE, 1)), *now = reading_of(ANSWER(4, NOW_0, IDLE, 1));
	struct rates sum;

	g_assert_cmpfloat(reading_seconds(now, before), ==, 4);
	sum = rates_sum(now, before, COUNTED_LU, 4);
	g_assert_cmpfloat(sum.iops, ==, 3007 / 4.0);
	reading_free(before);
	reading_free(now);
}

static void test_quantile(void)
{
	struct reading *r = reading_of(ANSWER(1, NOW_0, IDLE, 1));
	struct latency all;

	latency_all(&((struct counted *)r->of[COUNTED_LU]->pdata[0])->counters, &all);
	g_assert_cmpuint(all.count, ==, 3000);
	g_assert_cmpfloat(latency_quantile_us(&all, 0), ==, 64);
	g_assert_cmpfloat(latency_quantile_us(&all, 300), ==, 64);
	g_assert_cmpfloat(latency_quantile_us(&all, 301), ==, 128);
	g_assert_cmpfloat(latency_quantile_us(&all, 993), ==, 128);
	g_assert_cmpfloat(latency_quantile_us(&all, 994), ==, 4096);
	g_assert_cmpfloat(latency_quantile_us(&all, 1000), ==, 4096);
	latency_clear(&all);
	/* No command took longer than the longest. */
	latency_all(&((struct counted *)r->of[COUNTED_LU]->pdata[1])->counters, &all);
	g_assert_cmpfloat(latency_quantile_us(&all, 1000), ==, 20);
	latency_clear(&all);
	reading_free(r);
}

static void test_narrow(void)
{
	struct reading *r = reading_of(ANSWER(1, NOW_0, IDLE, 1));

	reading_narrow(r, ONE, NULL);
	g_assert_cmpuint(r->of[COUNTED_REACTOR]->len, ==, 0);
	g_assert_cmpuint(r->of[COUNTED_TARGET]->len, ==, 1);
	g_assert_cmpuint(r->of[COUNTED_LU]->len, ==, 2);
	g_assert_cmpuint(r->of[COUNTED_SESSION]->len, ==, 1);
	reading_narrow(r, NULL, "10");
	g_assert_cmpuint(r->of[COUNTED_TARGET]->len, ==, 0);
	g_assert_cmpuint(r->of[COUNTED_LU]->len, ==, 1);
	reading_narrow(r, "iqn.other", NULL);
	g_assert_cmpuint(r->of[COUNTED_LU]->len, ==, 0);
	reading_free(r);
}

static void check_view(const struct view *v, const char *expected)
{
	struct reading *before = reading_of(ANSWER(3710, BEFORE_0, IDLE, 1)), *now = reading_of(ANSWER(3712, NOW_0, IDLE, 1));
	unsigned heading;
	GString *text = view_text(v, now, before, &heading);
	g_auto(GStrv) lines = g_strsplit(text->str, "\n", -1);

	g_assert_cmpstr(text->str, ==, expected);
	g_assert_true(g_strv_length(lines) <= heading || strstr(lines[heading], "P99"));
	g_string_free(text, TRUE);
	reading_free(before);
	reading_free(now);
}

#define SUMMARY "up 1:01:52, in 2.0 s: 1000 IOPS, read 4.1 MB/s, write 0.0 MB/s, avg 200us, p99 128us, queue 5\n"

static void test_view(void)
{
	static const char luns[] = SUMMARY
		"TARGET NAME                     LUN     IOPS   R MB/s   W MB/s      AVG      P99 QUEUE ERRORS\n"
		ONE "       0     1000      4.1      0.0    200us    128us     5      5\n"
		ONE "      10        0      0.0      0.0        -        -     0      0\n";
	static const char sessions[] = SUMMARY
		"INITIATOR                   TARGET NAME                    TSIH     IOPS   R MB/s   W MB/s      AVG      P99 QUEUE"
		" ERRORS\n"
		"iqn.i                       " ONE "       1     1000      4.1      0.0    200us    128us     5      5\n";
	struct view v = { .kind = COUNTED_LU };

	check_view(&v, luns);
	v.kind = COUNTED_SESSION;
	check_view(&v, sessions);
}

/* What does not fit is cut: the end of a name tells most. */
static void test_narrow_view(void)
{
	struct view v = { .kind = COUNTED_LU, .columns = 84, .lines = 4, .keys = true, .sort = SORT_NAME };

	check_view(&v, "up 1:01:52, in 2.0 s: 1000 IOPS, read 4.1 MB/s, write 0.0 MB/s, avg 200us, p99 128us\n"
		       "LUNs by name  (l LUNs, t sessions, s sort, q quit)\n"
		       "TARGET NAME            LUN     IOPS   R MB/s   W MB/s      AVG      P99 QUEUE ERRORS\n"
		       "<9.com.example:one       0     1000      4.1      0.0    200us    128us     5      5\n");
	v.columns = 20;
	v.lines = 1;
	check_view(&v, "up 1:01:52, in 2.0 s\n");
}

static void test_sort(void)
{
	static const struct { enum view_sort sort; const char *first; } rows[] = {
		{ SORT_IOPS, "0" }, { SORT_BANDWIDTH, "0" }, { SORT_QUEUE, "0" }, { SORT_LATENCY, "10" }, { SORT_NAME, "0" },
	};
	/* The second one is slower, and does less. */
	struct reading *now = reading_of(ANSWER(2, BEFORE_0, COUNTERS(1, 0, 1, 512, LATENCY(1, 50000, 50000, "[65536,1]"), ""), 1));

	g_assert_cmpuint(G_N_ELEMENTS(rows), ==, SORTS);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct view v = { .kind = COUNTED_LU, .sort = rows[i].sort, .columns = 100 };
		unsigned heading;
		GString *text = view_text(&v, now, NULL, &heading);
		g_auto(GStrv) lines = g_strsplit(text->str, "\n", -1);
		g_auto(GStrv) words = g_strsplit_set(lines[heading + 1] + strlen(ONE), " ", -1);
		unsigned w = 0;

		while (!*words[w])
			w++;
		g_assert_cmpstr(words[w], ==, rows[i].first);
		g_assert_nonnull(view_sorts[rows[i].sort]);
		g_string_free(text, TRUE);
	}
	reading_free(now);
}

static void test_cells(void)
{
	static const struct { const char *text; unsigned wide; bool right, end; const char *expected; } rows[] = {
		{ "abc", 5, false, false, "abc  " }, { "abc", 5, true, false, "  abc" }, { "abcdef", 4, false, false, "abcd" },
		{ "abcdef", 4, false, true, "<def" }, { "a\033[2Jb", 6, false, false, "a?[2Jb" }, { "\xc3\xa4\xc3\xb6", 3, true, false, " \xc3\xa4\xc3\xb6" },
		{ "\xff", 2, false, false, "\xef\xbf\xbd " },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GString) out = g_string_new(NULL);

		view_cell(out, rows[i].text, rows[i].wide, rows[i].right, rows[i].end);
		g_assert_cmpstr(out->str, ==, rows[i].expected);
	}
}

static void test_format(void)
{
	static const struct { double us; const char *text; } times[] = {
		{ 0, "-" }, { 0.4, "1us" }, { 999, "999us" }, { 1234, "1.23ms" }, { 2500000, "2.50s" },
	};
	static const struct { double n; const char *text; } counts[] = {
		{ 0, "0" }, { 9999, "9999" }, { 10000, "10.0k" }, { 1234567, "1235k" }, { 123456789, "123M" }, { 5e12, "5000G" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(times); i++) {
		g_autofree char *text = format_us(times[i].us);

		g_assert_cmpstr(text, ==, times[i].text);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
		g_autofree char *text = format_count(counts[i].n);

		g_assert_cmpstr(text, ==, counts[i].text);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/counters/reading", test_reading);
	g_test_add_func("/counters/nonsense", test_nonsense);
	g_test_add_func("/counters/difference", test_difference);
	g_test_add_func("/counters/begun", test_begun);
	g_test_add_func("/counters/restart", test_restart);
	g_test_add_func("/counters/quantile", test_quantile);
	g_test_add_func("/counters/narrow", test_narrow);
	g_test_add_func("/counters/view", test_view);
	g_test_add_func("/counters/narrow-view", test_narrow_view);
	g_test_add_func("/counters/sort", test_sort);
	g_test_add_func("/counters/cells", test_cells);
	g_test_add_func("/counters/format", test_format);
	return g_test_run();
}
