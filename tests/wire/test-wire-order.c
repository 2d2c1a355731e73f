/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data-Out in the wrong order or of the wrong length (RFC 7143 4.2.2.4, 7.9, 11.7, 13.13 to 13.19): the command fails or the
 * connection ends, and nothing is written.
 */
#include "config.h"
#include "ini.h"

enum { BURST = 4096, ALL = 3 * BURST, PDUS = 4, LBA = 9000 };
enum { NO_R2T, FIRST, SECOND, UNKNOWN };	/* which TTT */
enum outcome { FAILS, ENDS };

struct data_out { uint8_t ttt, flags; uint32_t data_sn, offset, len; };

/* Two R2Ts are out, of 4096 bytes each at 0 and at 4096. */
static const struct {
	const char *what;
	struct data_out pdus[PDUS];
	enum outcome outcome;
} solicited[] = {
	{ "a gap", { { FIRST, 0, 0, 0, 1024 }, { FIRST, FINAL, 1, 2048, 3072 }, { SECOND, FINAL, 0, 4096, 4096 } }, FAILS },
	{ "an overlap", { { FIRST, 0, 0, 0, 2048 }, { FIRST, FINAL, 1, 1024, 2048 }, { SECOND, FINAL, 0, 4096, 4096 } }, FAILS },
	{ "backwards", { { FIRST, 0, 0, 2048, 2048 }, { FIRST, FINAL, 1, 0, 2048 }, { SECOND, FINAL, 0, 4096, 4096 } }, FAILS },
	{ "a DataSN is missing", { { FIRST, 0, 0, 0, 2048 }, { FIRST, FINAL, 2, 2048, 2048 }, { SECOND, FINAL, 0, 4096, 4096 } },
	  FAILS },
	{ "a DataSN twice", { { FIRST, 0, 0, 0, 2048 }, { FIRST, FINAL, 0, 2048, 2048 }, { SECOND, FINAL, 0, 4096, 4096 } },
	  FAILS },
	{ "DataSN from 1", { { FIRST, FINAL, 1, 0, 4096 }, { SECOND, FINAL, 0, 4096, 4096 } }, FAILS },
	{ "DataSN goes on over R2Ts", { { FIRST, FINAL, 0, 0, 4096 }, { SECOND, FINAL, 1, 4096, 4096 } }, FAILS },
	{ "F too early", { { FIRST, FINAL, 0, 0, 2048 }, { SECOND, FINAL, 0, 4096, 4096 } }, FAILS },
	{ "the second R2T first", { { SECOND, FINAL, 0, 4096, 4096 }, { FIRST, FINAL, 0, 0, 4096 } }, ENDS },
	{ "both at once", { { FIRST, 0, 0, 0, 2048 }, { SECOND, 0, 0, 4096, 2048 } }, ENDS },
	{ "a tag of no R2T", { { UNKNOWN, FINAL, 0, 0, 4096 } }, ENDS },
	{ "no F", { { FIRST, 0, 0, 0, 4096 } }, ENDS },
	{ "more than was asked for", { { FIRST, FINAL, 0, 0, 4100 } }, ENDS },
	{ "more in the second PDU", { { FIRST, 0, 0, 0, 2048 }, { FIRST, FINAL, 1, 2048, 4096 } }, ENDS },
	{ "after F", { { FIRST, FINAL, 0, 0, 4096 }, { FIRST, FINAL, 1, 0, 4096 } }, ENDS },
	{ "unsolicited where none was announced", { { NO_R2T, FINAL, 0, 0, 4096 } }, ENDS },
};

/* InitialR2T=No, FirstBurstLength 4096, and F was 0 in the command. */
static const struct {
	const char *what;
	struct data_out pdus[PDUS];
	enum outcome outcome;
} unsolicited[] = {
	{ "a gap", { { NO_R2T, 0, 0, 0, 1024 }, { NO_R2T, FINAL, 1, 2048, 1024 } }, FAILS },
	{ "a DataSN is missing", { { NO_R2T, 0, 0, 0, 1024 }, { NO_R2T, FINAL, 2, 1024, 1024 } }, FAILS },
	{ "backwards", { { NO_R2T, 0, 0, 1024, 1024 }, { NO_R2T, FINAL, 1, 0, 1024 } }, FAILS },
	{ "beyond FirstBurstLength", { { NO_R2T, FINAL, 0, 0, 4100 } }, ENDS },
	{ "beyond it in the second PDU", { { NO_R2T, 0, 0, 0, 4096 }, { NO_R2T, FINAL, 1, 4096, 4 } }, ENDS },
	{ "a tag of no R2T", { { UNKNOWN, FINAL, 0, 0, 1024 } }, ENDS },
};

static uint8_t data[ALL];

/* A reader of its own: nothing of the region has changed. */
static void expect_zeroes(void)
{
	struct ini *i = ini_new_login(server, 2, "");
	uint8_t got[ALL];
	uint32_t itt = ini_read(i, LBA, ALL / BLOCK, ALL);

	g_assert_cmpuint(ini_finish_read(i, itt, got, ALL), ==, ALL);
	g_assert_true(got[0] == 0 && !memcmp(got, got + 1, ALL - 1));
	ini_free(i);
}

static void send_all(struct ini *i, const struct data_out *pdus, uint32_t itt, const uint32_t ttts[])
{
	for (unsigned n = 0; n < PDUS && pdus[n].len; n++)
		ini_data_out(i, pdus[n].flags, itt, ttts[pdus[n].ttt], pdus[n].data_sn, pdus[n].offset, data, pdus[n].len);
}

/* CHECK CONDITION with PROTOCOL SERVICE CRC ERROR (11.4.7.2) and a connection that goes on, or its end. */
static void expect_outcome(struct ini *i, uint32_t itt, enum outcome outcome)
{
	if (outcome == ENDS) {
		while (ini_recv(i))
			g_assert_cmphex(i->bhs[0], ==, OP_R2T);
	} else {
		ini_finish_write(i, itt, data);		/* an R2T may have been sent before it went wrong */
		g_assert_cmphex(i->bhs[3], ==, 2);
		g_assert_cmphex(i->data[2 + 2] & 15, ==, 0xb);
		g_assert_cmphex(i->data[2 + 12], ==, 0x47);
		g_assert_cmphex(i->data[2 + 13], ==, 0x05);
		ini_check(i);
	}
	ini_free(i);
	expect_zeroes();
}

static void test_solicited(void)
{
	for (unsigned n = 0; n < G_N_ELEMENTS(solicited); n++) {
		struct ini *i = ini_new_login(server, 1, "InitialR2T=Yes;ImmediateData=No;MaxBurstLength=4096;MaxOutstandingR2T=2;");
		uint32_t itt = ini_write(i, FINAL, LBA, ALL / BLOCK, ALL, NULL, 0), ttts[] = { TAG_NONE, 0, 0, 0x7fffffff };

		g_test_message("%s", solicited[n].what);
		for (unsigned r = 0; r < 2; r++) {
			EXPECT_PDU(i, OP_R2T);
			ttts[FIRST + r] = get32(i->bhs + 20);
		}
		send_all(i, solicited[n].pdus, itt, ttts);
		expect_outcome(i, itt, solicited[n].outcome);
	}
}

static void test_unsolicited(void)
{
	for (unsigned n = 0; n < G_N_ELEMENTS(unsolicited); n++) {
		struct ini *i = ini_new_login(server, 1, "InitialR2T=No;ImmediateData=No;FirstBurstLength=4096;MaxBurstLength=4096;");
		uint32_t itt = ini_write(i, 0, LBA, ALL / BLOCK, ALL, NULL, 0), ttts[] = { TAG_NONE, 0, 0, 0x7fffffff };

		g_test_message("%s", unsolicited[n].what);
		send_all(i, unsolicited[n].pdus, itt, ttts);
		expect_outcome(i, itt, unsolicited[n].outcome);
	}
}

/* What is in order, in the smallest and the oddest pieces: all of it arrives. */
static void test_in_order(void)
{
	struct ini *i = ini_new_login(server, 1, "InitialR2T=No;ImmediateData=Yes;FirstBurstLength=4096;MaxBurstLength=4096;");
	uint32_t itt = ini_write(i, 0, LBA + 100, ALL / BLOCK, ALL, data, 3), at = 3, sn = 0;
	uint8_t got[ALL];

	while (at < BURST) {
		uint32_t len = MIN(sn % 7 * 13, BURST - at);	/* some are empty: 11.7.5 */

		ini_data_out(i, at + len == BURST ? FINAL : 0, itt, TAG_NONE, sn++, at, data + at, len);
		at += len;
	}
	ini_finish_write(i, itt, data);
	g_assert_cmphex(i->bhs[3], ==, 0);
	itt = ini_read(i, LBA + 100, ALL / BLOCK, ALL);
	g_assert_cmpuint(ini_finish_read(i, itt, got, ALL), ==, ALL);
	g_assert_cmpmem(got, ALL, data, ALL);
	ini_free(i);
}

/* 11.4.5: more than the CDB makes of it passes, whether it is received to the buffer or in place, and goes nowhere. */
static void test_more_than_taken(void)
{
	enum { SENT = 65536 };
	g_autofree uint8_t *more = g_malloc(SENT);

	memset(more, 0x99, SENT);
	for (uint32_t piece = 1024; piece <= SENT; piece *= 8) {
		struct ini *i = ini_new_login(server, 1, "InitialR2T=No;ImmediateData=No;FirstBurstLength=65536;MaxBurstLength=65536;");
		uint32_t itt = ini_write(i, 0, LBA + 200, 1, SENT, NULL, 0), sn = 0;
		uint8_t got[2 * BLOCK];

		for (uint32_t at = 0; at < SENT; at += piece)
			ini_data_out(i, at + piece >= SENT ? FINAL : 0, itt, TAG_NONE, sn++, at, more + at, MIN(piece, SENT - at));
		EXPECT_STATUS(i, itt, 0);
		EXPECT_RESIDUAL(i, FLAG_UNDERFLOW, SENT - BLOCK);
		itt = ini_read(i, LBA + 200, 2, sizeof got);
		g_assert_cmpuint(ini_finish_read(i, itt, got, sizeof got), ==, sizeof got);
		g_assert_cmpmem(got, BLOCK, more, BLOCK);
		g_assert_true(got[BLOCK] == 0 && !memcmp(got + BLOCK, got + BLOCK + 1, BLOCK - 1));
		ini_free(i);
	}
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	for (unsigned n = 0; n < ALL; n++)
		data[n] = (uint8_t)(n * 7 + n / 256 + 1);
	g_test_add_func("/wire/order/rfc7143-7.9-solicited", test_solicited);
	g_test_add_func("/wire/order/rfc7143-7.9-unsolicited", test_unsolicited);
	g_test_add_func("/wire/order/rfc7143-11.7-in-order", test_in_order);
	g_test_add_func("/wire/order/rfc7143-11.4.5-more-than-taken", test_more_than_taken);
	return server_run();
}
