/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What many targets cost: nothing may grow faster than they do, and to create or remove one costs the same among ten
 * thousand.  What is compared is processor time, the least of several tries, with much room: it is figures that are of
 * interest, and only what is of another order fails.
 */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "control-rig.h"
#include "scale.h"

#define ROOM 6			/* times */
#define TRIES 4
#define STEPS 25		/* creations in a try */
#define BYTES_MAX 8192u		/* a target with a LUN may take */
#define NAME "iqn.2010-01.org.example:scale"

static const unsigned sizes[] = { 100, 1000, 10000 };

enum what { START, APPLY, STATUS, TARGETS, SEND_TARGETS, STOP, PER_TARGET, CREATE = PER_TARGET, SHOW, REMOVE, WHATS };
static const char *const names[] = {
	[START] = "start", [APPLY] = "apply without a change", [STATUS] = "GET /v1/status", [TARGETS] = "GET /v1/targets",
	[SEND_TARGETS] = "SendTargets=All", [STOP] = "stop", [CREATE] = "create one", [SHOW] = "show one",
	[REMOVE] = "remove one",
};
/* Microseconds, of a target or of one step. */
static double cost[G_N_ELEMENTS(sizes)][WHATS];

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static unsigned n_sizes(void)
{
	return SANITIZED || g_getenv("E2E_QUICK") ? 2 : G_N_ELEMENTS(sizes);
}

static char *conf_of(unsigned n)
{
	GString *text = g_string_new(NULL);

	g_string_printf(text, "state-dir = \"%s/state\";\nreactors = 2;\nportals = ( { name = \"a\"; address = \"127.0.0.1\"; port = 0; } );\n"
			"targets = (", dir);
	for (unsigned i = 0; i < n; i++)
		g_string_append_printf(text, "%s\n{ iqn = \"" NAME "%u\"; open = true; luns = ( { number = 0; plugin = \"null\"; "
				       "settings: { size = \"64M\"; }; } ); }", i ? "," : "", i);
	g_string_append(text, ");\n");
	return g_string_free(text, FALSE);
}

/* ---- steps ---- */

static void create(unsigned i)
{
	g_autofree char *body = g_strdup_printf("{\"iqn\":\"" NAME "-new%u\",\"open\":true,\"luns\":[{\"number\":0,\"plugin\":\"null\","
						"\"settings\":{\"size\":\"1M\"}}]}", i);

	expect("POST", "/v1/targets", body, 201, NULL);
}

static void show(unsigned i)
{
	g_autofree char *at = g_strdup_printf("/v1/targets/" NAME "-new%u", i);

	expect("GET", at, NULL, 200, "\"number\" : 0");
}

static void drop(unsigned i)
{
	g_autofree char *at = g_strdup_printf("/v1/targets/" NAME "-new%u", i);

	expect("DELETE", at, NULL, 204, NULL);
}

static void measure_steps(double *costs)
{
	static void (*const steps[])(unsigned i) = { create, show, drop };

	for (unsigned try = 0; try < TRIES; try++)
		for (unsigned s = 0; s < G_N_ELEMENTS(steps); s++) {
			double from = now_us(), each;

			for (unsigned i = 0; i < STEPS; i++)
				steps[s](i);
			each = (now_us() - from) / STEPS;
			if (!try || each < costs[CREATE + s])
				costs[CREATE + s] = each;
		}
}

/* ---- all ---- */

/* RFC 7143 appendix C, in as many parts as the target likes; a part can end within a pair. */
static GByteArray *send_targets(struct ini *i)
{
	uint8_t bhs[BHS_LEN] = { OP_TEXT_REQUEST, FINAL };
	static const char all[] = "SendTargets=All";
	GByteArray *text = g_byte_array_new();
	uint32_t len = sizeof all;

	put32(bhs + 16, 0x1000);
	put32(bhs + 20, 0xffffffff);
	do {
		put32(bhs + 24, i->cmd_sn++);
		put32(bhs + 28, i->exp_stat_sn);
		ini_send(i, bhs, all, len);
		EXPECT_PDU(i, OP_TEXT_RESPONSE);
		g_byte_array_append(text, i->data, i->data_len);
		memcpy(bhs + 20, i->bhs + 20, 4);
		len = 0;
	} while (!(i->bhs[1] & FINAL));
	return text;
}

/* How many there are, each once and in order. */
static unsigned count_targets(const GByteArray *text)
{
	const char *last = "";
	unsigned n = 0;

	for (guint at = 0; at < text->len; at += (guint)strlen((char *)text->data + at) + 1) {
		const char *pair = (char *)text->data + at;

		if (!g_str_has_prefix(pair, "TargetName="))
			continue;
		g_assert_cmpint(strcmp(pair, last), >, 0);
		last = pair;
		n++;
	}
	return n;
}

static void measure_lists(unsigned n, double *costs)
{
	static const struct { enum what what; const char *where; } lists[] = {
		{ STATUS, "/v1/status" }, { TARGETS, "/v1/targets" },
	};

	for (unsigned try = 0; try < 2; try++)
		for (unsigned l = 0; l < G_N_ELEMENTS(lists); l++) {
			double from = now_us(), each;

			expect("GET", lists[l].where, NULL, 200, NAME "99");
			each = (now_us() - from) / n;
			if (!try || each < costs[lists[l].what])
				costs[lists[l].what] = each;
		}
}

static void measure_discovery(unsigned n, double *costs)
{
	for (unsigned try = 0; try < 2; try++) {
		struct ini *i = ini_new(NULL, 1);
		double from = now_us(), each;
		GByteArray *text;

		ini_login_pdu(i, OP_TO_FULL, "InitiatorName=" HOST ";SessionType=Discovery;MaxRecvDataSegmentLength=8192;");
		EXPECT_LOGIN(i, OP_TO_FULL, 0);
		text = send_targets(i);
		each = (now_us() - from) / n;
		if (!try || each < costs[SEND_TARGETS])
			costs[SEND_TARGETS] = each;
		g_assert_cmpuint(count_targets(text), ==, n);
		g_byte_array_unref(text);
		ini_hang_up(i);
		ini_free(i);
	}
}

/* Another target can be logged in to, and read from, as if it were alone. */
static void check_login(unsigned n)
{
	g_autofree char *text = g_strdup_printf("InitiatorName=" HOST ";TargetName=" NAME "%u;", n - 1);
	struct ini *i = ini_new(NULL, 2);
	uint32_t itt;

	ini_login_pdu(i, OP_TO_FULL, text);
	EXPECT_LOGIN(i, OP_TO_FULL, 0);
	itt = ini_test_unit_ready(i, 0);
	EXPECT_SENSE(i, itt, KEY_UNIT_ATTENTION, 0x29);
	itt = ini_test_unit_ready(i, 0);
	EXPECT_STATUS(i, itt, 0);
	ini_hang_up(i);
	ini_free(i);
}

static void measure(unsigned n, double *costs)
{
	g_autofree char *text = conf_of(n);
	size_t before = in_use(), bytes;
	GError *error = NULL;
	double from = now_us();

	begin_with(text, false);
	costs[START] = (now_us() - from) / n;
	g_assert_cmpuint(server_luns(running), ==, n);
	bytes = (in_use() - before) / n;
	g_test_message("%u targets: %zu bytes each", n, bytes);
	if (n >= 1000)	/* else the threads' own count too much */
		g_assert_cmpuint(bytes, <, BYTES_MAX);
	check_login(n);
	measure_steps(costs);
	measure_lists(n, costs);
	measure_discovery(n, costs);
	from = now_us();
	g_assert_true(server_apply(running, read_file(), &error));
	costs[APPLY] = (now_us() - from) / n;
	/* What was created, listed and applied has not stayed. */
	bytes = (in_use() - before) / n;
	g_test_message("%u targets: %zu bytes each afterwards", n, bytes);
	if (n >= 1000)
		g_assert_cmpuint(bytes, <, BYTES_MAX);
	from = now_us();
	end();
	costs[STOP] = (now_us() - from) / n;
}

static void test_sizes(void)
{
	unsigned n = n_sizes();

	for (unsigned s = 0; s < n; s++)
		measure(sizes[s], cost[s]);
	for (unsigned w = 0; w < WHATS; w++)
		for (unsigned s = 0; s < n; s++)
			g_test_message("%s, of %u: %.1f us%s", names[w], sizes[s], cost[s][w], w < PER_TARGET ? " each" : "");
	for (unsigned w = 0; w < WHATS; w++)
		for (unsigned s = 1; s < n; s++)
			if (cost[s][w] > ROOM * cost[s - 1][w])
				g_error("%s: %.1f us of %u targets, %.1f us of %u", names[w], cost[s - 1][w], sizes[s - 1],
					cost[s][w], sizes[s]);
}

/* One at a time is not more than so many times one. */
static void test_one_by_one(void)
{
	const unsigned n = SANITIZED ? 200 : 1000;
	g_autofree char *text = conf_of(0);
	double first = 0, last = 0;

	begin_with(text, false);
	for (unsigned i = 0; i < n; i++) {
		double from = now_us();

		create(i);
		*(i < n / 2 ? &first : &last) += now_us() - from;
	}
	g_test_message("%u created one by one: %.0f us for one of the first half, %.0f us of the second", n, first / (n / 2),
		       last / (n / 2));
	g_assert_cmpfloat(last, <, ROOM * first);
	for (unsigned i = 0; i < n; i++)
		drop(i);
	g_assert_cmpuint(server_luns(running), ==, 0);
	expect("GET", "/v1/targets", NULL, 200, "[]");
	end();
}

int main(int argc, char **argv)
{
	rig_begin(&argc, &argv);
	g_test_add_func("/scale/sizes", test_sizes);
	g_test_add_func("/scale/one-by-one", test_one_by_one);
	return rig_run();
}
