/* SPDX-License-Identifier: Apache-2.0 */
/* Lend or copy: what a trial makes of what each costs, by a clock of its own. */
#include "config.h"
#include <glib.h>
#include "backstore/trial.h"

enum { READ_BYTES = 128 << 10, KIB = 1024 };
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static uint64_t clock_now_ns;
static unsigned clock_reads;

static uint64_t cpu_ns(void)
{
	clock_reads++;
	return clock_now_ns;
}

struct costs { unsigned lent, copied; };	/* ns for a KiB */

/* Bytes read that way; what was lent of them. */
static uint64_t run(struct trial *t, uint64_t bytes, unsigned read_bytes, struct costs c)
{
	uint64_t lent = 0;

	for (uint64_t done = 0; done < bytes; done += read_bytes) {
		bool lends = trial_lends(t, read_bytes, cpu_ns);

		lent += lends ? read_bytes : 0;
		clock_now_ns += (uint64_t)(lends ? c.lent : c.copied) * (read_bytes / KIB);
	}
	return lent;
}

static void test_cheap(void)
{
	static const struct costs c = { 60, 100 };
	struct trial t;

	trial_init(&t);
	/* Not before it had been lent for a while, and then the two windows in the middle. */
	g_assert_cmpuint(run(&t, TRIAL_REST_MIN + TRIAL_WINDOW, READ_BYTES, c), ==, TRIAL_REST_MIN + TRIAL_WINDOW);
	g_assert_cmpuint(run(&t, 2 * TRIAL_WINDOW, READ_BYTES, c), ==, 0);
	g_assert_cmpuint(run(&t, TRIAL_WINDOW, READ_BYTES, c), ==, TRIAL_WINDOW);
	clock_reads = 0;
	/* Ever rarer. */
	g_assert_cmpuint(run(&t, 64 * GIB, MIB, c), >, 64 * GIB - 16 * 2 * TRIAL_WINDOW);
	g_assert_cmpuint(t.rest, ==, TRIAL_REST_MAX);
	g_assert_cmpuint(clock_reads, <, 16 * 4 + 64 * GIB / TRIAL_REST_MIN);
	g_assert_false(t.copies);
}

static void test_dear(void)
{
	static const struct costs c = { 1700, 240 };	/* as it was seen in a virtual machine in a virtual one */
	uint64_t began = clock_now_ns, all = 16 * GIB / KIB * c.copied;
	struct trial t;

	trial_init(&t);
	g_assert_cmpuint(run(&t, 16 * GIB, READ_BYTES, c), <, 16 * GIB / 20);
	g_assert_true(t.copies);
	/* What has been lost, the trials of later included. */
	g_assert_cmpuint(clock_now_ns - began, <, all + 2 * (uint64_t)TRIAL_LOST_NS);
}

/* A mapping is dear until all of it has been touched. */
static void test_first_touch(void)
{
	struct trial t;

	trial_init(&t);
	run(&t, GIB, READ_BYTES, (struct costs){ 500, 100 });
	g_assert_cmpfloat(t.lost_ns, >, 0);
	g_assert_false(t.copies);
	run(&t, 32 * GIB, MIB, (struct costs){ 70, 100 });
	g_assert_cmpfloat(t.lost_ns, ==, 0);
	g_assert_false(t.copies);
}

static void test_changes(void)
{
	struct trial t;

	trial_init(&t);
	for (unsigned n = 0; n < 3; n++) {
		run(&t, 12 * GIB, READ_BYTES, (struct costs){ 1700, 240 });
		g_assert_true(t.copies);
		/* Nearly as dear: not worth the change. */
		run(&t, 32 * GIB, MIB, (struct costs){ 95, 100 });
		g_assert_true(t.copies);
		run(&t, 32 * GIB, MIB, (struct costs){ 60, 100 });
		g_assert_false(t.copies);
	}
}

static void test_void(void)
{
	static const struct costs c = { 1000, 1 };
	struct trial t;

	trial_init(&t);
	for (unsigned n = 0; n < 4 * GIB / READ_BYTES; n++) {
		run(&t, READ_BYTES, READ_BYTES, c);
		trial_void(&t);
	}
	g_assert_false(t.copies);
	/* Of those that come later it knows. */
	run(&t, 32 * GIB, READ_BYTES, c);
	g_assert_true(t.copies);
}

/* Few reads beside those of a device that keeps the thread busy, of which the clock sees most. */
static void test_beside(void)
{
	struct trial t;

	trial_init(&t);
	for (unsigned n = 0; n < 16; n++)
		run(&t, GIB, READ_BYTES, (struct costs){ 40000, 20000 });
	g_assert_false(t.copies);
	g_assert_cmpfloat(t.lost_ns, ==, 0);
}

/* Lending was cheap for long, and is dear at once: not for as many bytes as until the next trial. */
static void test_sudden(void)
{
	struct trial t;

	trial_init(&t);
	run(&t, 64 * GIB, MIB, (struct costs){ 60, 100 });
	g_assert_cmpuint(t.rest, ==, TRIAL_REST_MAX);
	g_assert_cmpuint(run(&t, 16 * GIB, MIB, (struct costs){ 1400, 240 }), <, GIB);
	g_assert_true(t.copies);
}

/* Commands that cost more for a byte are no reason to end it, and trials stay few. */
static void test_other_commands(void)
{
	uint64_t copied = 0;
	struct trial t;

	trial_init(&t);
	run(&t, 64 * GIB, MIB, (struct costs){ 60, 100 });
	for (unsigned n = 0; n < 8; n++) {
		copied += 8 * GIB - run(&t, 8 * GIB, MIB, n % 2 ? (struct costs){ 60, 100 } : (struct costs){ 900, 1300 });
		g_assert_false(t.copies);
	}
	g_assert_cmpuint(copied, <, 64 * GIB / 200);
}

/* Reads longer than what a trial wants of each. */
static void test_long(void)
{
	struct trial t;

	trial_init(&t);
	run(&t, 64 * GIB, 64 << 20, (struct costs){ 60, 100 });
	g_assert_false(t.copies);
	g_assert_cmpuint(t.rest, ==, TRIAL_REST_MAX);
	run(&t, 64 * GIB, 64 << 20, (struct costs){ 300, 100 });
	g_assert_true(t.copies);
}

/* 4 KiB each, by turns dear and cheap: what evens out is no reason. */
static void test_noise(void)
{
	struct trial t;

	trial_init(&t);
	for (unsigned n = 0; n < 200; n++)
		run(&t, 37 * MIB, 4096, n % 2 ? (struct costs){ 300, 260 } : (struct costs){ 200, 260 });
	g_assert_false(t.copies);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/trial/cheap", test_cheap);
	g_test_add_func("/trial/dear", test_dear);
	g_test_add_func("/trial/first-touch", test_first_touch);
	g_test_add_func("/trial/changes", test_changes);
	g_test_add_func("/trial/void", test_void);
	g_test_add_func("/trial/beside", test_beside);
	g_test_add_func("/trial/sudden", test_sudden);
	g_test_add_func("/trial/other-commands", test_other_commands);
	g_test_add_func("/trial/long", test_long);
	g_test_add_func("/trial/noise", test_noise);
	return g_test_run();
}
