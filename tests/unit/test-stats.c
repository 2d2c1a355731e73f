/* SPDX-License-Identifier: Apache-2.0 */
/* Counters: the histogram's buckets, sums of blocks, and what their rows are called. */
#include "config.h"
#include <pthread.h>
#include "engine/stats.h"
#include "scsi/cdb.h"
#include "scsi/tally.h"

#define TOP_NS (UINT64_C(1) << 28 << 7)	/* 34.36 s */

static const struct stats_end read_4k = { .n = 1, .kind = STATS_READ, .opcode = 3, .bytes = 4096, .ns = 20000 };

static void end(struct stats *s, struct stats_end e)
{
	e.n = MAX(e.n, 1);
	stats_end(s, &e, stats_bucket(e.ns), e.n);
}

/* Each value is within its bucket, and from 1 us on the bucket's end is at most an eighth more than it. */
static void check_value(uint64_t ns)
{
	unsigned b = stats_bucket(ns);
	uint64_t from = b ? stats_bucket_end_ns(b - 1) : 0, to = stats_bucket_end_ns(b);

	g_assert_cmpuint(b, <, STATS_BUCKETS);
	g_assert_cmpuint(ns, >=, from);
	if (ns >= TOP_NS)
		return;
	g_assert_cmpuint(ns, <, to);
	if (ns >= 1000)
		g_assert_cmpuint((to - ns) * 8, <=, ns + 8 * STATS_UNIT_NS);
	if (ns >= 1024)
		g_assert_cmpuint((to - ns) * 8, <=, ns);
}

static void test_buckets(void)
{
	for (uint64_t ns = 0; ns < 100000; ns++)
		check_value(ns);
	for (unsigned shift = 0; shift < 64; shift++)
		for (int d = -2; d <= 2; d++)
			check_value((UINT64_C(1) << shift) + (uint64_t)(int64_t)d);
	for (unsigned i = 0; i < 100000; i++)
		check_value(((uint64_t)g_test_rand_int() << 32 | (uint32_t)g_test_rand_int()) >> g_test_rand_int_range(0, 64));
	check_value(UINT64_MAX);
	/* Ends rise, and begin where the one before ends. */
	g_assert_cmpuint(stats_bucket_end_ns(0), ==, STATS_UNIT_NS);
	for (unsigned b = 0; b + 1 < STATS_BUCKETS; b++) {
		g_assert_cmpuint(stats_bucket(stats_bucket_end_ns(b) - 1), ==, b);
		g_assert_cmpuint(stats_bucket(stats_bucket_end_ns(b)), ==, b + 1);
	}
	g_assert_cmpuint(stats_bucket_end_ns(STATS_BUCKETS - 1), ==, TOP_NS);
}

static void test_percentiles(void)
{
	g_autofree struct stats_sum *sum = g_new0(struct stats_sum, 1);
	struct stats *s = stats_new();
	const struct stats_sum_kind *k = &sum->kinds[STATS_OTHER];
	static const unsigned permilles[] = { 0, 1, 500, 900, 990, 999, 1000 };

	g_assert_cmpuint(stats_sum_percentile_ns(k, 500), ==, 0);
	/* 1 us to 10 ms, evenly. */
	for (unsigned us = 1; us <= 10000; us++)
		end(s, (struct stats_end){ .kind = STATS_OTHER, .ns = us * UINT64_C(1000) });
	stats_sum_add(sum, s);
	for (unsigned i = 0; i < G_N_ELEMENTS(permilles); i++) {
		uint64_t exact = MAX(permilles[i] * UINT64_C(10000), 1000), got = stats_sum_percentile_ns(k, permilles[i]);

		g_assert_cmpuint(got, >=, exact);
		g_assert_cmpuint(got * 1000, <=, exact * 1128);
	}
	g_assert_cmpuint(stats_sum_percentile_ns(k, 1000), ==, 10000000);
	g_assert_cmpuint(k->commands, ==, 10000);
	g_assert_cmpuint(k->max_ns, ==, 10000000);
	g_assert_cmpuint(k->sum_ns, ==, UINT64_C(50005000) * 1000);
	stats_unref(s);
}

/* One, of any length, is what it was. */
static void test_single(void)
{
	static const uint64_t times[] = { 0, 1, 127, 128, 1023, 20000, 33000000000, TOP_NS, UINT64_C(600000000000) };

	for (unsigned i = 0; i < G_N_ELEMENTS(times); i++) {
		g_autofree struct stats_sum *sum = g_new0(struct stats_sum, 1);
		struct stats *s = stats_new();

		end(s, (struct stats_end){ .kind = STATS_WRITE, .ns = times[i] });
		stats_sum_add(sum, s);
		g_assert_cmpuint(stats_sum_percentile_ns(&sum->kinds[STATS_WRITE], 500), ==, MAX(times[i], 1) <= TOP_NS ?
				 MAX(times[i], 1) : times[i]);
		stats_unref(s);
	}
}

static void test_merge(void)
{
	g_autofree struct stats_sum *both = g_new0(struct stats_sum, 1), *a = g_new0(struct stats_sum, 1),
				    *b = g_new0(struct stats_sum, 1);
	struct stats_set *set = stats_set_new(2);

	g_assert_false(stats_sum_add_set(both, set));
	end(stats_get(&set->of[0]), read_4k);
	end(stats_get(&set->of[0]), (struct stats_end){ .n = 2, .kind = STATS_READ, .opcode = 3, .bytes = 8192, .ns = 20000 });
	end(stats_get(&set->of[1]), (struct stats_end){ .kind = STATS_READ, .opcode = 3, .error = 7, .ns = 90000 });
	stats_add(&stats_get(&set->of[1])->depth, 4);
	stats_count(stats_get(&set->of[1]), STATS_R2TS);
	g_assert_true(stats_sum_add_set(both, set));
	g_assert_true(stats_sum_add_at(a, &set->of[0]));
	g_assert_true(stats_sum_add_at(b, &set->of[1]));
	stats_sum_merge(a, b);
	g_assert_cmpint(memcmp(a, both, sizeof *a), ==, 0);
	g_assert_cmpuint(both->opcodes[3], ==, 4);
	g_assert_cmpuint(both->errors[7], ==, 1);
	g_assert_cmpuint(both->errors[0], ==, 0);
	g_assert_cmpuint(both->counts[STATS_R2TS], ==, 1);
	g_assert_cmpuint(both->kinds[STATS_READ].commands, ==, 4);
	g_assert_cmpuint(both->kinds[STATS_READ].bytes, ==, 3 * 4096);
	g_assert_cmpuint(both->kinds[STATS_READ].max_ns, ==, 90000);
	g_assert_cmpuint(both->kinds[STATS_READ].sum_ns, ==, 150000);
	g_assert_cmpuint(stats_sum_commands(both), ==, 4);
	g_assert_cmpuint(both->depth, ==, 4);
	g_assert_cmpuint(both->depth_max, ==, 2 + 4);
	stats_set_free(set);
	stats_set_free(NULL);
	stats_unref(NULL);
}

/* One writes, another reads: what it sees only grows, and is all there in the end. */
enum { WRITES = 200000 };

static void *writer(void *arg)
{
	_Atomic(struct stats *) *at = arg;

	for (unsigned i = 0; i < WRITES; i++)
		end(stats_get(at), read_4k);
	return NULL;
}

static void test_reader(void)
{
	g_autofree struct stats_sum *sum = g_new0(struct stats_sum, 1);
	_Atomic(struct stats *) at = NULL;
	uint64_t seen = 0;
	pthread_t thread;

	g_assert_cmpint(pthread_create(&thread, NULL, writer, &at), ==, 0);
	while (seen < WRITES) {
		memset(sum, 0, sizeof *sum);
		stats_sum_add_at(sum, &at);
		g_assert_cmpuint(sum->kinds[STATS_READ].commands, >=, seen);
		seen = sum->kinds[STATS_READ].commands;
	}
	pthread_join(thread, NULL);
	g_assert_cmpuint(seen, ==, WRITES);
	stats_unref(at);
}

/* A name is a member of an object: there is one row for it. */
static void test_names(void)
{
	g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	char buf[TALLY_NAME_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < STATS_OPCODES; i++)
		if (tally_opcode(i) && ++n)
			g_assert_true(g_hash_table_add(names, g_strdup(tally_opcode(i))));
	g_assert_cmpstr(tally_opcode(TALLY_UNKNOWN), ==, "UNKNOWN");
	g_assert_cmpuint(n, >, 50);
	n = 0;
	for (unsigned i = 0; i < STATS_ERRORS; i++)
		if (tally_error(i, buf) && ++n)
			g_assert_true(g_hash_table_add(names, g_strdup(tally_error(i, buf))));
	g_assert_cmpstr(tally_error(SENSE_READ_ERROR, buf), ==, "MEDIUM ERROR 11h/00h");
	g_assert_cmpstr(tally_error(SENSE_UA_INQUIRY_CHANGED, buf), ==, "UNIT ATTENTION 3Fh/03h");
	g_assert_cmpstr(tally_error(SENSE_COUNT, buf), ==, "BUSY");
	g_assert_null(tally_error(0, buf));
	g_assert_cmpuint(n, ==, SENSE_COUNT - 1 + 5);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/stats/buckets", test_buckets);
	g_test_add_func("/stats/percentiles", test_percentiles);
	g_test_add_func("/stats/single", test_single);
	g_test_add_func("/stats/merge", test_merge);
	g_test_add_func("/stats/reader", test_reader);
	g_test_add_func("/stats/names", test_names);
	return g_test_run();
}
