/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Initiators that are wrong, or mean it: what each does costs at most its own connection, and a
 * witness in a session of its own goes on.
 */
#include "config.h"
#include <isa-l/crc.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ini.h"

#define NAMES "InitiatorName=" HOST ";TargetName=" DISK ";"
#define BAD 2	/* who is bad; the witness is 1 */
enum { TARGET_COLD_RESET = 7 };

static struct ini *witness;

/* Random bytes may say LOGICAL UNIT RESET: the witness hears of it once, and that is all. */
static void settle(struct ini *i)
{
	for (unsigned n = 0;; n++) {
		uint32_t itt = ini_test_unit_ready(i, 0);

		EXPECT_PDU(i, OP_SCSI_RESPONSE);
		g_assert_cmphex(get32(i->bhs + 16), ==, itt);
		if (i->bhs[3] == 0)
			return;
		g_assert_cmphex(i->data[2 + 2] & 15, ==, KEY_UNIT_ATTENTION);
		g_assert_cmpuint(n, <, 8);
	}
}

/* The witness reads and writes, and a newcomer can log in. */
static void all_is_well(void)
{
	static uint8_t stamp;
	uint8_t data[4096], got[4096];
	struct ini *i = ini_new_login(server, 3, "");
	uint32_t itt;

	settle(witness);
	memset(data, ++stamp, sizeof data);
	itt = ini_write(witness, FINAL, 16000, 8, sizeof data, data, sizeof data);
	EXPECT_STATUS(witness, itt, 0);
	itt = ini_read(i, 16000, 8, sizeof got);
	g_assert_cmpuint(ini_finish_read(i, itt, got, sizeof got), ==, sizeof got);
	g_assert_cmpmem(got, sizeof got, data, sizeof data);
	ini_free(i);
}

static void random_bytes(uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)g_test_rand_int();
}

/* ---- bytes ---- */

static void test_random_bytes(void)
{
	uint8_t buf[2048];

	for (unsigned n = 0; n < 100; n++) {
		struct ini *i = ini_new(server, BAD);
		size_t len = (size_t)g_test_rand_int_range(1, sizeof buf);

		random_bytes(buf, len);
		if (n & 1)	/* a login, from afar */
			buf[0] = OP_LOGIN_REQUEST | IMMEDIATE;
		if (n & 2)	/* that is no longer than it says */
			put24(buf + 5, (uint32_t)len);
		if (n & 4)
			buf[4] = 0;
		ini_send_raw(i, buf, len);
		ini_hang_up(i);
		ini_free(i);
	}
	all_is_well();
}

/* Headers of every opcode, the rest at random, in a session. */
static void test_random_headers(void)
{
	uint8_t bhs[BHS_LEN], data[512];

	for (unsigned n = 0; n < 64 * 4; n++) {
		struct ini *i = ini_new_login(server, BAD, "");

		for (unsigned m = 0; m < 8; m++) {
			uint32_t len = (uint32_t)g_test_rand_int_range(0, sizeof data);

			random_bytes(bhs, sizeof bhs);
			random_bytes(data, len);
			bhs[0] = (uint8_t)((n & 63) | (n & 64 ? IMMEDIATE : 0));
			bhs[4] = 0;
			if ((n & 63) == OP_TMF_REQUEST && (bhs[1] & 0x7f) == TARGET_COLD_RESET)
				bhs[1]++;	/* it would end the witness's session, rightly */
			if (m & 1)
				put32(bhs + 24, i->cmd_sn++);
			if (m & 2)
				memset(bhs + 8, 0, 8);
			if (m & 4)
				put32(bhs + 20, g_test_rand_bit() ? len : TAG_NONE);
			ini_send(i, bhs, data, len);
		}
		ini_hang_up(i);
		ini_free(i);
	}
	all_is_well();
}

static GByteArray *login_bytes(void)
{
	static const char pairs[] = "InitiatorName=" HOST "\0TargetName=" DISK;
	uint8_t bhs[BHS_LEN] = { OP_LOGIN_REQUEST | IMMEDIATE, OP_TO_FULL };
	GByteArray *b = g_byte_array_new();

	put24(bhs + 5, sizeof pairs);
	bhs[8] = 0x80;
	bhs[13] = BAD;
	g_byte_array_append(b, bhs, sizeof bhs);
	g_byte_array_append(b, (const guint8 *)pairs, sizeof pairs);
	g_byte_array_append(b, (const guint8 *)"\0\0\0", pad4(sizeof pairs) - sizeof pairs);
	return b;
}

/* A login that breaks off after each byte. */
static void test_truncated_login(void)
{
	GByteArray *b = login_bytes();

	for (guint len = 0; len < b->len; len++) {
		struct ini *i = ini_new(server, BAD);

		g_assert_true(ini_send_raw(i, b->data, len));
		ini_hang_up(i);
		ini_free(i);
	}
	g_byte_array_unref(b);
	all_is_well();
}

/* A session that breaks off after each byte of a WRITE with data, of which none may be written. */
static void test_truncated_write(void)
{
	uint8_t pdu[BHS_LEN + 1024], got[1024];
	uint32_t itt;

	for (uint32_t len = 0; len < sizeof pdu; len += len < BHS_LEN + 8 || len >= sizeof pdu - 8 ? 1 : 97) {
		struct ini *i = ini_new_login(server, BAD, "");

		memset(pdu, 0, sizeof pdu);
		pdu[0] = OP_SCSI_COMMAND;
		pdu[1] = FINAL | WRITE | SIMPLE;
		put24(pdu + 5, 1024);
		put32(pdu + 16, 5);
		put32(pdu + 20, 1024);
		put32(pdu + 24, i->cmd_sn);
		pdu[32] = 0x2a;
		put32(pdu + 34, 15000);
		pdu[40] = 2;
		memset(pdu + BHS_LEN, 0xee, 1024);
		g_assert_true(ini_send_raw(i, pdu, len));
		ini_hang_up(i);
		ini_free(i);
	}
	itt = ini_read(witness, 15000, 2, sizeof got);
	g_assert_cmpuint(ini_finish_read(witness, itt, got, sizeof got), ==, sizeof got);
	g_assert_true(got[0] == 0 && !memcmp(got, got + 1, sizeof got - 1));
	all_is_well();
}

/* One byte at a time is slow, not wrong. */
static void test_dribble(void)
{
	GByteArray *b = login_bytes();
	struct ini *i = ini_new(server, BAD);

	for (guint at = 0; at < b->len; at++)
		g_assert_true(ini_send_raw(i, b->data + at, 1));
	EXPECT_LOGIN(i, OP_TO_FULL, LOGIN_SUCCESS);
	ini_free(i);
	g_byte_array_unref(b);
}

/* ---- commands ---- */

static void test_odd_commands(void)
{
	static const uint8_t mode_sense[16] = { 0x1a, 0, 0x3f, 0, 255 }, orwrite[16] = { 0x8b, [13] = 1 },
			     unmap[16] = { 0x42, [8] = 24 }, no_unmap[16] = { 0x42 }, nothing[16] = { 0xff },
			     inquiry[16] = { 0x12, 0, 0, 0, 255 };
	struct ini *i = ini_new_login(server, BAD, "");
	uint8_t data[512] = { 0 }, got[512];
	uint32_t itt;

	/* EDTL 0, with R, without: the overflow is told. */
	itt = ini_command(i, FINAL | READ, 0, 0, mode_sense, NULL, 0);
	EXPECT_STATUS(i, itt, 0);
	g_assert_cmphex(i->bhs[1] & FLAG_OVERFLOW, ==, FLAG_OVERFLOW);
	itt = ini_command(i, FINAL, 0, 0, mode_sense, NULL, 0);
	EXPECT_STATUS(i, itt, 0);
	itt = ini_command(i, FINAL, 0, 0, inquiry, NULL, 0);
	EXPECT_STATUS(i, itt, 0);

	itt = ini_command(i, FINAL | WRITE, 0, 512, orwrite, data, 512);
	EXPECT_STATUS(i, itt, 0);
	itt = ini_command(i, FINAL | WRITE, 0, 0, orwrite, NULL, 0);
	EXPECT_STATUS(i, itt, 0);
	g_assert_cmphex(i->bhs[1] & FLAG_OVERFLOW, ==, FLAG_OVERFLOW);
	itt = ini_command(i, FINAL, 0, 0, nothing, NULL, 0);
	EXPECT_SENSE(i, itt, KEY_ILLEGAL_REQUEST, 0x20);

	/* UNMAP that says it has parameters and brings none; that says it has none. */
	itt = ini_command(i, FINAL, 0, 0, unmap, NULL, 0);
	EXPECT_PDU(i, OP_SCSI_RESPONSE);
	g_assert_cmphex(get32(i->bhs + 16), ==, itt);
	itt = ini_command(i, FINAL, 0, 0, no_unmap, NULL, 0);
	EXPECT_STATUS(i, itt, 0);

	/* A READ with an EDTL of 4 GiB, of one block and of too many. */
	g_assert_cmpuint(ini_finish_read(i, ini_read(i, 0, 1, 0xffffffff), got, sizeof got), ==, 512);
	EXPECT_RESIDUAL(i, FLAG_UNDERFLOW, 0xffffffff - 512);
	itt = ini_read(i, 0, 65535, 0xffffffff);
	EXPECT_SENSE(i, itt, KEY_ILLEGAL_REQUEST, 0x21);
	/* A WRITE with one. */
	itt = ini_write(i, FINAL, 15100, 1, 0xffffffff, data, 512);
	ini_finish_write(i, itt, data);
	EXPECT_RESIDUAL(i, FLAG_UNDERFLOW, 0xffffffff - 512);
	/* A READ that is called a write, and the other way. */
	{
		uint8_t cdb[16] = { 0x28, [8] = 1 };

		itt = ini_command(i, FINAL | WRITE, 0, 512, cdb, data, 512);
		EXPECT_PDU(i, OP_SCSI_RESPONSE);
		g_assert_cmphex(get32(i->bhs + 16), ==, itt);
		cdb[0] = 0x2a;
		put32(cdb + 2, 15100);
		itt = ini_command(i, FINAL | READ, 0, 512, cdb, NULL, 0);
		EXPECT_PDU(i, OP_SCSI_RESPONSE);
		g_assert_cmphex(get32(i->bhs + 16), ==, itt);
	}
	ini_check(i);
	ini_free(i);
	all_is_well();
}

static void test_no_such_lun(void)
{
	static const uint8_t addresses[][8] = {
		{ 0, 9 }, { 0x3f, 0xff }, { 0x7f, 0xff }, { 0xc0, 1 }, { 0xff, 0xff, 0xff, 0xff }, { 0, 0, 0, 1 },
	};
	struct ini *i = ini_new_login(server, BAD, "");

	for (unsigned n = 0; n < G_N_ELEMENTS(addresses); n++) {
		uint8_t bhs[BHS_LEN] = { OP_SCSI_COMMAND, FINAL | SIMPLE };

		memcpy(bhs + 8, addresses[n], 8);
		put32(bhs + 16, i->itt);
		put32(bhs + 24, i->cmd_sn++);
		ini_send(i, bhs, NULL, 0);
		EXPECT_SENSE(i, i->itt, KEY_ILLEGAL_REQUEST, 0x25);
	}
	ini_free(i);
	all_is_well();
}

/* ---- data out ---- */

/* Whatever the server makes of it, it is not GOOD. */
static void expect_no_good(struct ini *i)
{
	shutdown(i->fd, SHUT_WR);
	while (ini_recv(i))
		g_assert_false((i->bhs[0] & OPCODE_MASK) == OP_SCSI_RESPONSE && i->bhs[3] == 0);
}

enum where { UNSOLICITED, SOLICITED };

/* What no initiator may send; the connection may end for it, or the command. */
static void test_odd_data_out(void)
{
	static const struct {
		const char *what;
		enum where where;
		uint32_t data_sn, offset, len;
		uint8_t flags;
	} rows[] = {
		{ "beyond the EDTL", UNSOLICITED, 0, 4096, 512, FINAL },
		{ "over the EDTL", UNSOLICITED, 0, 0, 8192, FINAL },
		{ "far beyond", UNSOLICITED, 0, 0xfffffe00, 512, FINAL },
		{ "wrapping", UNSOLICITED, 0, 0xffffffff, 4096, FINAL },
		{ "a gap", UNSOLICITED, 0, 1024, 512, FINAL },
		{ "DataSN", UNSOLICITED, 7, 0, 512, FINAL },
		{ "beyond the R2T", SOLICITED, 0, 4096, 512, FINAL },
		{ "over the R2T", SOLICITED, 0, 0, 8192, FINAL },
		{ "far beyond the R2T", SOLICITED, 0, 0xfffffe00, 512, FINAL },
		{ "short of the R2T", SOLICITED, 0, 0, 512, FINAL },
		{ "DataSN of the R2T", SOLICITED, 1, 0, 4096, FINAL },
		{ "without F", SOLICITED, 0, 0, 4096, 0 },
	};
	g_autofree uint8_t *data = g_malloc0(65536);

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++) {
		bool wait = rows[n].where == SOLICITED;
		struct ini *i = ini_new_login(server, BAD, wait ? "InitialR2T=Yes;" : "InitialR2T=No;");
		uint32_t itt = ini_write(i, wait ? FINAL : 0, 15200, 8, 4096, NULL, 0), ttt = TAG_NONE;

		g_test_message("%s", rows[n].what);
		if (wait) {
			EXPECT_PDU(i, OP_R2T);
			ttt = get32(i->bhs + 20);
		}
		ini_data_out(i, rows[n].flags, itt, ttt, rows[n].data_sn, rows[n].offset, data, rows[n].len);
		expect_no_good(i);
		ini_free(i);
	}
	all_is_well();
}

/* Data-Out of commands that are not there, or want none, is no one's harm. */
static void test_stray_data_out(void)
{
	struct ini *i = ini_new_login(server, BAD, "");
	g_autofree uint8_t *data = g_malloc0(65536);

	ini_data_out(i, FINAL, 0x5555, TAG_NONE, 0, 0, data, 512);
	ini_data_out(i, FINAL, 0x5555, 3, 9, 77, data, 65536);
	ini_data_out(i, 0, TAG_NONE, TAG_NONE, 0, 0, NULL, 0);
	ini_check(i);
	ini_free(i);
	all_is_well();
}

/* More data than was agreed, or where none was. */
static void test_unagreed_data(void)
{
	static const struct { const char *keys; uint8_t flags; uint32_t edtl, len; } rows[] = {
		{ "ImmediateData=No;", FINAL, 4096, 4096 },
		{ "InitialR2T=Yes;", 0, 8192, 4096 },
		{ "FirstBurstLength=512;", FINAL, 4096, 4096 },
		{ "", FINAL, 512, 4096 },
		{ "", FINAL, 0, 4096 },
	};
	uint8_t data[4096] = { 0 };

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++) {
		struct ini *i = ini_new_login(server, BAD, rows[n].keys);

		ini_write(i, rows[n].flags, 15300, 8, rows[n].edtl, data, rows[n].len);
		expect_no_good(i);
		ini_free(i);
	}
	all_is_well();
}

static void test_tag_in_use(void)
{
	struct ini *i = ini_new_login(server, BAD, "");
	uint8_t got[512];
	uint32_t itt;

	ram_hold();
	itt = ini_read(i, 0, 1, 512);
	ram_wait_held(1);
	i->itt = itt;
	ini_test_unit_ready(i, 0);
	EXPECT_REJECT(i, REJECT_IN_PROGRESS);
	g_assert_cmpuint(i->exp_cmd_sn, ==, --i->cmd_sn);	/* 7.3: as if it had not been sent */
	ram_release();
	g_assert_cmpuint(ini_finish_read(i, itt, got, 512), ==, 512);
	ini_check(i);
	ini_free(i);
	all_is_well();
}

/* ---- headers, digests, sizes ---- */

static void test_sizes(void)
{
	uint8_t bhs[BHS_LEN] = { OP_NOP_OUT | IMMEDIATE, FINAL };
	struct ini *i = ini_new_login(server, BAD, "");

	put24(bhs + 5, 262145);		/* we declared 262144 */
	put32(bhs + 16, 1);
	put32(bhs + 20, TAG_NONE);
	ini_send_raw(i, bhs, sizeof bhs);
	EXPECT_CLOSED(i);
	ini_free(i);

	i = ini_new_login(server, BAD, "");
	put24(bhs + 5, 0xffffff);
	ini_send_raw(i, bhs, sizeof bhs);
	EXPECT_CLOSED(i);
	ini_free(i);
	all_is_well();
}

/* Additional header segments of every length, with garbage in them. */
static void test_ahs(void)
{
	uint8_t bhs[BHS_LEN + 255 * 4];

	for (unsigned words = 0; words < 256; words += words < 4 ? 1 : 31) {
		struct ini *i = ini_new_login(server, BAD, "");

		memset(bhs, 0, BHS_LEN);
		random_bytes(bhs + BHS_LEN, 255 * 4);
		bhs[0] = OP_SCSI_COMMAND;
		bhs[1] = FINAL | SIMPLE;
		bhs[4] = (uint8_t)words;
		put32(bhs + 16, i->itt);
		put32(bhs + 24, i->cmd_sn);
		put16(bhs + BHS_LEN, (uint16_t)(words & 1 ? 0xffff : words * 4));
		bhs[BHS_LEN + 2] = 1;	/* extended CDB */
		ini_send_raw(i, bhs, BHS_LEN + words * 4);
		ini_hang_up(i);
		ini_free(i);
	}
	all_is_well();
}

static void test_header_digest(void)
{
	struct ini *i = ini_new_login(server, BAD, "HeaderDigest=CRC32C;");
	uint8_t bhs[BHS_LEN + DIGEST_LEN] = { OP_NOP_OUT | IMMEDIATE, FINAL };

	ini_check(i);
	put32(bhs + 16, 1);
	put32(bhs + 20, TAG_NONE);
	ini_send_raw(i, bhs, sizeof bhs);	/* a zero is not its digest */
	EXPECT_CLOSED(i);
	ini_free(i);
	all_is_well();
}

/* As ini_send(), one bit of the data flipped on the way. */
static void send_flipped(struct ini *i, uint8_t bhs[BHS_LEN], const void *data, uint32_t len)
{
	int pair[2], fd = i->fd;
	g_autofree uint8_t *bytes = g_malloc(BHS_LEN + len + DIGEST_LEN);
	int size = (int)(4 * len);

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	i->fd = pair[0];
	ini_send(i, bhs, data, len);
	i->fd = fd;
	g_assert_cmpint(recv(pair[1], bytes, BHS_LEN + len + DIGEST_LEN, MSG_WAITALL), ==, BHS_LEN + len + DIGEST_LEN);
	bytes[BHS_LEN + len / 2] ^= 0x10;
	ini_send_raw(i, bytes, BHS_LEN + len + DIGEST_LEN);
	close(pair[0]);
	close(pair[1]);
}

/* RFC 7143 7.8: a Reject, and the command is as if it had not been sent: the same CmdSN can be sent again. */
static void test_data_digest(void)
{
	static const uint32_t lens[] = { 512, 4096, 65536 };
	struct ini *i = ini_new_login(server, BAD, "DataDigest=CRC32C;MaxRecvDataSegmentLength=65536;");
	g_autofree uint8_t *data = g_malloc(65536), *got = g_malloc(65536), *zeroes = g_malloc0(65536);
	uint8_t nop[BHS_LEN] = { OP_NOP_OUT | IMMEDIATE, FINAL };

	put32(nop + 16, 1);
	put32(nop + 20, TAG_NONE);
	put32(nop + 24, i->cmd_sn);
	memset(data, 0xdd, 65536);
	send_flipped(i, nop, data, 512);
	EXPECT_REJECT(i, REJECT_DATA_DIGEST);
	for (unsigned n = 0; n < G_N_ELEMENTS(lens); n++) {
		uint8_t bhs[BHS_LEN] = { OP_SCSI_COMMAND, FINAL | WRITE | SIMPLE };

		put32(bhs + 16, i->itt);
		put32(bhs + 20, lens[n]);
		put32(bhs + 24, i->cmd_sn++);
		bhs[32] = 0x2a;
		put32(bhs + 34, 15400);
		put16(bhs + 39, (uint16_t)(lens[n] / BLOCK));
		send_flipped(i, bhs, data, lens[n]);
		EXPECT_REJECT(i, REJECT_DATA_DIGEST);
		g_assert_cmphex(get32(i->data + 16), ==, i->itt);
		g_assert_cmpuint(i->exp_cmd_sn, ==, i->cmd_sn - 1);
		put32(bhs + 34, 15000);
		ini_send(i, bhs, zeroes, lens[n]);
		EXPECT_STATUS(i, i->itt, 0);
		i->itt++;
		ini_check(i);
	}
	g_assert_cmpuint(ini_finish_read(i, ini_read(i, 15400, 1, 512), got, 512), ==, 512);
	g_assert_true(got[0] == 0 && !memcmp(got, got + 1, 511));
	ini_free(i);
	all_is_well();
}

/*
 * The same of Data-Out that is received to where it goes: its header comes first, the rest in two parts.  The command ends
 * and nothing of it is written (7.8), wherever the bit is: in what lay in the buffer, in what did not, in the digest.
 */
static void test_data_digest_in_place(void)
{
	enum { LEN = 65536, HERE = 16100, FIRST = 1000 };
	static const uint32_t at[] = { 0, FIRST - 1, FIRST, LEN / 2, LEN - 1, LEN, LEN + DIGEST_LEN - 1, UINT32_MAX };
	struct ini *i = ini_new_login(server, BAD, "DataDigest=CRC32C;ImmediateData=No;MaxRecvDataSegmentLength=65536;");
	g_autofree uint8_t *pdu = g_malloc0(BHS_LEN + LEN + DIGEST_LEN), *got = g_malloc(LEN), *want = g_malloc(LEN);
	uint32_t crc;

	ini_finish_read(i, ini_read(i, HERE, LEN / BLOCK, LEN), want, LEN);
	for (unsigned n = 0; n < G_N_ELEMENTS(at); n++) {
		uint32_t itt = ini_write(i, FINAL, HERE, LEN / BLOCK, LEN, NULL, 0);

		EXPECT_PDU(i, OP_R2T);
		g_assert_cmpuint(get32(i->bhs + 44), ==, LEN);
		memset(pdu, 0, BHS_LEN);
		pdu[0] = OP_DATA_OUT;
		pdu[1] = FINAL;
		put24(pdu + 5, LEN);
		put32(pdu + 16, itt);
		put32(pdu + 20, get32(i->bhs + 20));
		put32(pdu + 28, i->exp_stat_sn);
		random_bytes(pdu + BHS_LEN, LEN);
		if (at[n] == UINT32_MAX)
			memcpy(want, pdu + BHS_LEN, LEN);
		crc = htole32(~crc32_iscsi(pdu + BHS_LEN, LEN, 0xffffffff));
		memcpy(pdu + BHS_LEN + LEN, &crc, DIGEST_LEN);
		if (at[n] != UINT32_MAX)
			pdu[BHS_LEN + at[n]] ^= 0x10;
		ini_send_raw(i, pdu, BHS_LEN + FIRST);
		g_usleep(5000);
		ini_send_raw(i, pdu + BHS_LEN + FIRST, LEN + DIGEST_LEN - FIRST);
		if (at[n] == UINT32_MAX) {
			EXPECT_STATUS(i, itt, 0);
		} else {
			EXPECT_SENSE(i, itt, KEY_ABORTED_COMMAND, 0x47);
			EXPECT_REJECT(i, REJECT_DATA_DIGEST);
		}
		g_assert_cmpuint(ini_finish_read(i, ini_read(i, HERE, LEN / BLOCK, LEN), got, LEN), ==, LEN);
		g_assert_cmpmem(got, LEN, want, LEN);
	}
	ini_free(i);
	all_is_well();
}

/* Somebody who asks and never listens: we stop reading, and others do not notice. */
static void test_deaf(void)
{
	struct ini *i = ini_new_login(server, BAD, "MaxRecvDataSegmentLength=262144;");
	uint8_t cdb[16] = { 0x28, [7] = 4 };

	for (unsigned n = 0; n < 100; n++)
		ini_command(i, FINAL | READ, 0, 1024 * BLOCK, cdb, NULL, 0);
	all_is_well();
	ini_free(i);
	all_is_well();
}

/* Half logged in, all at once. */
static void test_crowd(void)
{
	struct ini *crowd[100];

	for (unsigned n = 0; n < G_N_ELEMENTS(crowd); n++) {
		crowd[n] = ini_new(server, BAD);
		ini_login_pdu(crowd[n], 0x04, NAMES);
	}
	all_is_well();
	for (unsigned n = 0; n < G_N_ELEMENTS(crowd); n++)
		ini_free(crowd[n]);
	all_is_well();
}

int main(int argc, char **argv)
{
	int rc;

	server_begin(&argc, &argv);
	witness = ini_new_login(server, 1, "HeaderDigest=CRC32C;DataDigest=CRC32C;");
	g_test_add_func("/wire/bad/random-bytes", test_random_bytes);
	g_test_add_func("/wire/bad/random-headers", test_random_headers);
	g_test_add_func("/wire/bad/truncated-login", test_truncated_login);
	g_test_add_func("/wire/bad/truncated-write", test_truncated_write);
	g_test_add_func("/wire/bad/dribble", test_dribble);
	g_test_add_func("/wire/bad/odd-commands", test_odd_commands);
	g_test_add_func("/wire/bad/no-such-lun", test_no_such_lun);
	g_test_add_func("/wire/bad/odd-data-out", test_odd_data_out);
	g_test_add_func("/wire/bad/stray-data-out", test_stray_data_out);
	g_test_add_func("/wire/bad/unagreed-data", test_unagreed_data);
	g_test_add_func("/wire/bad/tag-in-use", test_tag_in_use);
	g_test_add_func("/wire/bad/sizes", test_sizes);
	g_test_add_func("/wire/bad/ahs", test_ahs);
	g_test_add_func("/wire/bad/header-digest", test_header_digest);
	g_test_add_func("/wire/bad/data-digest", test_data_digest);
	g_test_add_func("/wire/bad/data-digest-in-place", test_data_digest_in_place);
	g_test_add_func("/wire/bad/deaf", test_deaf);
	g_test_add_func("/wire/bad/crowd", test_crowd);
	rc = server_run();
	ini_free(witness);
	return rc;
}
