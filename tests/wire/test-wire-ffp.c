/* SPDX-License-Identifier: Apache-2.0 */
/* The full feature phase: data in every way it may move, numbering, logout. */
#include "config.h"
#include "ini.h"

static void fill(uint8_t *buf, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		buf[i] = (uint8_t)(seed >> 24);
	}
}

/* ---- data ---- */

struct ways {
	const char *keys;
	uint32_t immediate, unsolicited;	/* bytes to send with the command, and in all before any R2T */
};

/* Every way to hand over data; lengths around the limits that these keys set. */
static const struct ways ways[] = {
	{ "", 65536, 65536 },
	{ "InitialR2T=Yes;ImmediateData=No;", 0, 0 },
	{ "InitialR2T=Yes;ImmediateData=Yes;", 8192, 8192 },
	{ "InitialR2T=No;ImmediateData=No;", 0, 65536 },
	{ "InitialR2T=No;ImmediateData=Yes;FirstBurstLength=65536;", 4096, 65536 },
	{ "InitialR2T=No;ImmediateData=Yes;FirstBurstLength=262144;MaxBurstLength=1048576;", 100000, 262144 },
	{ "InitialR2T=No;ImmediateData=Yes;FirstBurstLength=512;MaxBurstLength=512;MaxOutstandingR2T=1;", 512, 512 },
	{ "InitialR2T=Yes;ImmediateData=No;MaxBurstLength=1000;MaxOutstandingR2T=3;", 0, 0 },
	{ "MaxRecvDataSegmentLength=512;", 0, 0 },
	{ "MaxRecvDataSegmentLength=16777215;MaxBurstLength=16777215;MaxOutstandingR2T=65535;InitialR2T=Yes;", 0, 0 },
	{ "MaxRecvDataSegmentLength=65535;MaxBurstLength=99999;InitialR2T=Yes;", 13, 13 },
};

static void write_blocks(struct ini *i, const struct ways *w, uint32_t lba, uint16_t blocks, const uint8_t *data)
{
	uint32_t len = blocks * BLOCK, now = MIN(w->immediate, len), first = MIN(w->unsolicited, len), sn = 0, itt;

	/* With InitialR2T=Yes nothing follows unsolicited, and without data to follow F is set. */
	itt = ini_write(i, first > now ? 0 : FINAL, lba, blocks, len, data, now);
	for (uint32_t at = now; at < first; sn++) {
		uint32_t n = MIN(first - at, 50000);

		ini_data_out(i, at + n == first ? FINAL : 0, itt, TAG_NONE, sn, at, data + at, n);
		at += n;
	}
	ini_finish_write(i, itt, data);
	g_assert_cmphex(i->bhs[3], ==, 0);
	EXPECT_RESIDUAL(i, 0, 0);
}

static void read_back(struct ini *i, uint32_t lba, uint16_t blocks, const uint8_t *want)
{
	uint32_t len = blocks * BLOCK, itt = ini_read(i, lba, blocks, len);
	g_autofree uint8_t *got = g_malloc(len);

	g_assert_cmpuint(ini_finish_read(i, itt, got, len), ==, len);
	g_assert_cmphex(i->bhs[3], ==, 0);
	EXPECT_RESIDUAL(i, 0, 0);
	g_assert_true(memcmp(got, want, len) == 0);
}

static void move_data(const struct ways *w, const char *digests)
{
	static const uint16_t sizes[] = { 1, 7, 8, 128, 129, 512, 2048 };
	g_autofree char *text = g_strconcat(w->keys, digests, NULL);
	struct ini *i = ini_new_login(server, 1, text);
	g_autofree uint8_t *data = g_malloc(2048 * BLOCK);

	g_test_message("%s", text);
	for (unsigned n = 0; n < G_N_ELEMENTS(sizes); n++) {
		fill(data, sizes[n] * BLOCK, g_test_rand_int());
		write_blocks(i, w, 100 + n, sizes[n], data);
		read_back(i, 100 + n, sizes[n], data);
	}
	ini_free(i);
}

static void test_data(void)
{
	for (unsigned n = 0; n < G_N_ELEMENTS(ways); n++)
		move_data(&ways[n], "");
}

static void test_data_digests(void)
{
	for (unsigned n = 0; n < G_N_ELEMENTS(ways); n++) {
		move_data(&ways[n], "HeaderDigest=CRC32C;");
		move_data(&ways[n], "DataDigest=CRC32C;");
		move_data(&ways[n], "HeaderDigest=CRC32C;DataDigest=CRC32C;");
	}
}

/* As many R2Ts as agreed are out at once, numbered, and one more for each that is answered. */
static void test_several_r2ts(void)
{
	struct ini *i = ini_new_login(server, 1, "InitialR2T=Yes;MaxBurstLength=4096;MaxOutstandingR2T=4;");
	g_autofree uint8_t *data = g_malloc(32768);
	uint32_t itt, ttt[8], done = 0;

	fill(data, 32768, 1);
	itt = ini_write(i, FINAL, 0, 64, 32768, NULL, 0);
	for (uint32_t n = 0; n < 8; n++) {
		EXPECT_PDU(i, OP_R2T);
		g_assert_cmphex(get32(i->bhs + 16), ==, itt);
		ttt[n] = get32(i->bhs + 20);
		g_assert_cmphex(ttt[n], !=, TAG_NONE);
		g_assert_cmpuint(get32(i->bhs + 24), ==, i->exp_stat_sn);
		g_assert_cmpuint(get32(i->bhs + 36), ==, n);
		g_assert_cmpuint(get32(i->bhs + 40), ==, n * 4096);
		g_assert_cmpuint(get32(i->bhs + 44), ==, 4096);
		for (uint32_t m = 0; m < n; m++)
			g_assert_cmphex(ttt[n], !=, ttt[m]);
		if (n >= 3) {
			ini_data_out(i, FINAL, itt, ttt[done], 0, done * 4096, data + done * 4096, 4096);
			done++;
		}
	}
	for (; done < 8; done++)
		ini_data_out(i, FINAL, itt, ttt[done], 0, done * 4096, data + done * 4096, 4096);
	EXPECT_STATUS(i, itt, 0);
	read_back(i, 0, 64, data);
	ini_free(i);
}

/* RFC 7143 13.17: as many as this target ever has out, and one more for each that is answered. */
static void test_most_r2ts(void)
{
	enum { BURST = 512, ALL = 200, MOST = 64 };
	struct ini *i = ini_new_login(server, 1, "InitialR2T=Yes;MaxBurstLength=512;MaxOutstandingR2T=65535;");
	g_autofree uint8_t *data = g_malloc(ALL * BURST);
	uint32_t itt, first = 0, asked = 0;

	fill(data, ALL * BURST, 2);
	itt = ini_write(i, FINAL, 0, ALL, ALL * BURST, NULL, 0);
	for (uint32_t answered = 0; answered < ALL; answered++) {
		for (; asked < ALL && asked < answered + MOST; asked++) {
			EXPECT_PDU(i, OP_R2T);
			g_assert_cmpuint(get32(i->bhs + 36), ==, asked);
			g_assert_cmpuint(get32(i->bhs + 40), ==, asked * BURST);
			g_assert_cmpuint(get32(i->bhs + 44), ==, BURST);
			if (!asked)
				first = get32(i->bhs + 20);
		}
		ini_data_out(i, FINAL, itt, first + answered, 0, answered * BURST, data + answered * BURST, BURST);
	}
	EXPECT_STATUS(i, itt, 0);
	g_assert_cmpuint(get32(i->bhs + 36), ==, ALL);	/* ExpDataSN counts R2Ts: 11.4.8 */
	read_back(i, 0, ALL, data);
	ini_free(i);
}

/* Many commands at once, answered in any order. */
static void test_many_commands(void)
{
	enum { N = 64 };
	struct ini *i = ini_new_login(server, 1, "MaxRecvDataSegmentLength=65536;");
	uint8_t *data[N];
	uint32_t itt[N], answered = 0;

	for (unsigned n = 0; n < N; n++) {
		data[n] = g_malloc(8192);
		fill(data[n], 8192, n);
		itt[n] = ini_write(i, FINAL, 1000 + 16 * n, 16, 8192, data[n], 8192);
	}
	for (unsigned n = 0; n < N; n++) {
		EXPECT_PDU(i, OP_SCSI_RESPONSE);
		g_assert_cmphex(i->bhs[3], ==, 0);
		g_assert_cmphex(get32(i->bhs + 16) - itt[0], <, N);
	}
	for (unsigned n = 0; n < N; n++)
		itt[n] = ini_read(i, 1000 + 16 * n, 16, 8192);
	while (answered < N) {
		uint32_t n;

		EXPECT_PDU(i, OP_DATA_IN);
		n = get32(i->bhs + 16) - itt[0];
		g_assert_cmpuint(n, <, N);
		g_assert_cmpint(memcmp(i->data, data[n] + get32(i->bhs + 40), i->data_len), ==, 0);
		answered += i->bhs[1] & FLAG_STATUS;
	}
	for (unsigned n = 0; n < N; n++)
		g_free(data[n]);
	ini_free(i);
}

/* RFC 7143 11.4.5: the CDB and the EDTL disagree. */
static void test_residuals(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	uint8_t data[2048], got[4096], inquiry[16] = { 0x12, 0, 0, 0, 255 }, tur[16] = { 0 };
	uint32_t itt;

	fill(data, sizeof data, 3);
	itt = ini_write(i, FINAL, 0, 4, 2048, data, 2048);
	EXPECT_STATUS(i, itt, 0);
	EXPECT_RESIDUAL(i, 0, 0);

	g_assert_cmpuint(ini_finish_read(i, ini_read(i, 0, 1, 1024), got, sizeof got), ==, 512);
	EXPECT_RESIDUAL(i, FLAG_UNDERFLOW, 512);
	g_assert_cmpint(memcmp(got, data, 512), ==, 0);
	g_assert_cmpuint(ini_finish_read(i, ini_read(i, 0, 2, 100), got, sizeof got), ==, 100);
	EXPECT_RESIDUAL(i, FLAG_OVERFLOW, 924);
	g_assert_cmpint(memcmp(got, data, 100), ==, 0);
	g_assert_cmpuint(ini_finish_read(i, ini_read(i, 0, 1, 0), got, sizeof got), ==, 0);
	EXPECT_RESIDUAL(i, FLAG_OVERFLOW, 512);
	g_assert_cmpuint(ini_finish_read(i, ini_read(i, 0, 0, 512), got, sizeof got), ==, 0);
	EXPECT_RESIDUAL(i, FLAG_UNDERFLOW, 512);

	/* What is sent over what the CDB asks for is not written. */
	itt = ini_write(i, FINAL, 12000, 1, 1024, data, 1024);
	EXPECT_STATUS(i, itt, 0);
	EXPECT_RESIDUAL(i, FLAG_UNDERFLOW, 512);
	g_assert_cmpuint(ini_finish_read(i, ini_read(i, 12000, 2, 1024), got, sizeof got), ==, 1024);
	g_assert_cmpint(memcmp(got, data, 512), ==, 0);
	g_assert_true(got[512] == 0 && memcmp(got + 512, got + 513, 511) == 0);

	/* Less than the CDB asks for: that much is written. */
	itt = ini_write(i, FINAL, 12016, 4, 512, data, 512);
	ini_finish_write(i, itt, data);
	EXPECT_RESIDUAL(i, FLAG_OVERFLOW, 1536);

	itt = ini_command(i, FINAL | READ, 0, 4096, inquiry, NULL, 0);
	g_assert_cmpuint(ini_finish_read(i, itt, got, sizeof got), >=, 36);
	EXPECT_RESIDUAL(i, FLAG_UNDERFLOW, 4096 - get32(i->bhs + 40) - i->data_len);
	itt = ini_command(i, FINAL | READ, 0, 512, tur, NULL, 0);
	EXPECT_STATUS(i, itt, 0);
	EXPECT_RESIDUAL(i, FLAG_UNDERFLOW, 512);
	itt = ini_command(i, FINAL | WRITE, 0, 512, tur, data, 512);
	EXPECT_STATUS(i, itt, 0);
	EXPECT_RESIDUAL(i, FLAG_UNDERFLOW, 512);
	/* The R and W flags against the command (SAM-5 5.4.3): it is not carried out without its data. */
	for (unsigned n = 0; n < 2; n++) {
		uint8_t write10[16] = { 0x2a, [4] = 0x2e, [5] = 0xe0, [8] = 1 };

		itt = ini_command(i, n ? FINAL | READ : FINAL, 0, 512, write10, NULL, 0);
		EXPECT_SENSE(i, itt, KEY_ILLEGAL_REQUEST, 0x0e);
		g_assert_cmphex(i->data[2 + 13], ==, 3);
	}
	/* A failed READ moved nothing. */
	itt = ini_read(i, BLOCKS, 1, 512);
	EXPECT_SENSE(i, itt, KEY_ILLEGAL_REQUEST, 0x21);
	EXPECT_RESIDUAL(i, FLAG_UNDERFLOW, 512);
	ini_free(i);
}

/* The F bit ends each MaxBurstLength of Data-In (RFC 7143 11.7.1). */
static void test_data_in_bursts(void)
{
	struct ini *i = ini_new_login(server, 1, "MaxRecvDataSegmentLength=1024;MaxBurstLength=4096;");
	uint32_t itt = ini_read(i, 0, 24, 12288);

	for (uint32_t n = 0; n < 12; n++) {
		EXPECT_PDU(i, OP_DATA_IN);
		g_assert_cmphex(get32(i->bhs + 16), ==, itt);
		g_assert_cmphex(get32(i->bhs + 20), ==, TAG_NONE);
		g_assert_cmpuint(i->data_len, ==, 1024);
		g_assert_cmphex(i->bhs[1] & FINAL, ==, n % 4 == 3 ? FINAL : 0);
		g_assert_cmphex(i->bhs[1] & FLAG_STATUS, ==, n == 11 ? FLAG_STATUS : 0);
	}
	ini_free(i);
}

/* ---- numbering ---- */

/* RFC 7143 4.2.2.1 */
static void test_window(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	uint32_t itt, next;

	ini_check(i);
	next = i->cmd_sn;
	g_assert_cmpuint(i->exp_cmd_sn, ==, next);
	g_assert_cmpuint(i->max_cmd_sn - next + 1, ==, server->node->queue_depth);
	/* Before and after the window: as if it had not been sent. */
	i->cmd_sn = i->max_cmd_sn + 1;
	ini_test_unit_ready(i, 0);
	i->cmd_sn = next - 1;
	ini_test_unit_ready(i, 0);
	i->cmd_sn = next + 0x80000000;
	ini_test_unit_ready(i, 0);
	i->cmd_sn = next;
	ini_nop(i, 0x4242, NULL, 0);
	EXPECT_PDU(i, OP_NOP_IN);
	g_assert_cmphex(get32(i->bhs + 16), ==, 0x4242);
	g_assert_cmpuint(i->exp_cmd_sn, ==, next);
	ini_check(i);

	/* In it, but early: they run in order. */
	next = i->cmd_sn;
	i->cmd_sn = next + 2;
	itt = ini_test_unit_ready(i, 0);
	i->cmd_sn = next + 1;
	ini_test_unit_ready(i, 0);
	ini_nop(i, 0x4243, NULL, 0);
	EXPECT_PDU(i, OP_NOP_IN);
	g_assert_cmpuint(i->exp_cmd_sn, ==, next);
	i->cmd_sn = next;
	ini_test_unit_ready(i, 0);
	EXPECT_STATUS(i, itt + 2, 0);
	EXPECT_STATUS(i, itt + 1, 0);
	EXPECT_STATUS(i, itt, 0);
	g_assert_cmpuint(i->exp_cmd_sn, ==, next + 3);
	i->cmd_sn = next + 3;
	ini_check(i);
	ini_free(i);
}

/* Commands under way close the window; it opens as they are answered. */
static void test_window_closes(void)
{
	struct ini *i = ini_new_login(server, 1, "MaxRecvDataSegmentLength=65536;");
	uint32_t depth = server->node->queue_depth;
	uint8_t got[512];

	ini_check(i);
	ram_hold();
	for (uint32_t n = 0; n < depth; n++)
		ini_read(i, n, 1, 512);
	ram_wait_held(depth);
	ini_nop(i, 0x4244, NULL, 0);
	EXPECT_PDU(i, OP_NOP_IN);
	g_assert_cmpuint(i->max_cmd_sn + 1, ==, i->exp_cmd_sn);
	ini_test_unit_ready(i, 0);	/* not in the window */
	i->cmd_sn--;
	ini_nop(i, 0x4245, NULL, 0);	/* answered when that has been read */
	EXPECT_PDU(i, OP_NOP_IN);
	ram_release();
	for (uint32_t n = 0; n < depth; n++)
		EXPECT_PDU(i, OP_DATA_IN);
	g_assert_cmpuint(i->max_cmd_sn + 1 - i->exp_cmd_sn, ==, depth);
	g_assert_cmpuint(ini_finish_read(i, ini_read(i, 0, 1, 512), got, 512), ==, 512);
	ini_free(i);
}

static void test_nop(void)
{
	struct ini *i = ini_new_login(server, 1, "DataDigest=CRC32C;");
	uint8_t data[1001];

	fill(data, sizeof data, 9);
	for (uint32_t len = 0; len <= sizeof data; len += 143) {
		ini_nop(i, 0x99, data, len);
		EXPECT_PDU(i, OP_NOP_IN);
		g_assert_cmphex(i->bhs[1], ==, FINAL);
		g_assert_cmphex(get32(i->bhs + 16), ==, 0x99);
		g_assert_cmphex(get32(i->bhs + 20), ==, TAG_NONE);
		g_assert_cmpmem(i->data, i->data_len, data, len);
	}
	ini_nop(i, TAG_NONE, NULL, 0);	/* asks for nothing */
	ini_check(i);
	ini_free(i);
}

/* ---- logout, reject ---- */

static void logout(struct ini *i, uint8_t reason, uint16_t cid)
{
	uint8_t bhs[BHS_LEN] = { OP_LOGOUT_REQUEST | IMMEDIATE, (uint8_t)(FINAL | reason) };

	put32(bhs + 16, 0x55);
	put16(bhs + 20, cid);
	put32(bhs + 24, i->cmd_sn);
	ini_send(i, bhs, NULL, 0);
	EXPECT_PDU(i, OP_LOGOUT_RESPONSE);
	g_assert_cmphex(get32(i->bhs + 16), ==, 0x55);
}

static void test_logout(void)
{
	for (uint8_t reason = 0; reason < 2; reason++) {
		struct ini *i = ini_new_login(server, 1, "");

		logout(i, 2, 0);	/* for recovery: at level 0 there is none */
		g_assert_cmphex(i->bhs[2], ==, 2);
		logout(i, 1, 77);	/* no such connection */
		g_assert_cmphex(i->bhs[2], ==, 1);
		ini_check(i);
		logout(i, reason, 0);
		g_assert_cmphex(i->bhs[2], ==, 0);
		EXPECT_CLOSED(i);
		ini_free(i);
	}
}

static void test_reject(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	static const struct { uint8_t opcode, reason; } rows[] = {
		{ 0x1c, REJECT_NOT_SUPPORTED }, { 0x3e, REJECT_NOT_SUPPORTED }, { 0x20, REJECT_NOT_SUPPORTED },
		{ OP_SNACK_REQUEST, REJECT_SNACK }, { OP_LOGIN_REQUEST, REJECT_PROTOCOL_ERROR },
	};

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++) {
		uint8_t bhs[BHS_LEN] = { (uint8_t)(rows[n].opcode | IMMEDIATE), FINAL };

		put32(bhs + 16, 0x66);
		put32(bhs + 24, i->cmd_sn);
		ini_send(i, bhs, "text", 4);
		EXPECT_REJECT(i, rows[n].reason);
		g_assert_cmphex(get32(i->bhs + 16), ==, TAG_NONE);
		g_assert_cmpmem(i->data, i->data_len, bhs, BHS_LEN);
		ini_check(i);
	}
	ini_free(i);
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_func("/wire/ffp/data", test_data);
	g_test_add_func("/wire/ffp/data-digests", test_data_digests);
	g_test_add_func("/wire/ffp/several-r2ts", test_several_r2ts);
	g_test_add_func("/wire/ffp/rfc7143-13.17-most-r2ts", test_most_r2ts);
	g_test_add_func("/wire/ffp/many-commands", test_many_commands);
	g_test_add_func("/wire/ffp/residuals", test_residuals);
	g_test_add_func("/wire/ffp/data-in-bursts", test_data_in_bursts);
	g_test_add_func("/wire/ffp/window", test_window);
	g_test_add_func("/wire/ffp/window-closes", test_window_closes);
	g_test_add_func("/wire/ffp/nop", test_nop);
	g_test_add_func("/wire/ffp/logout", test_logout);
	g_test_add_func("/wire/ffp/reject", test_reject);
	return server_run();
}
