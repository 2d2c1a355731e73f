/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data under every combination of what can be negotiated, and data that goes wrong on the way.  A part of the
 * combinations is run; all of them with GOTGT_TEST_ALL set.
 */
#include "config.h"
#include <isa-l/crc.h>
#include "iscsi/wire.h"
#include "ini.h"

#define SEED 20240131u
#define SOME 23u		/* one in so many combinations */
#define CONNS 4u
#define REGION (BLOCKS / CONNS)	/* blocks each connection writes to, so that no order is needed between them */
#define ROUNDS 3u
#define WRITE_MAX 200u		/* blocks */

static const uint32_t firsts[] = { 512, 4608, 65536 }, bursts[] = { 512, 9728, 131072 }, lengths[] = { 512, 8192, 65536 };
static const uint32_t r2ts[] = { 1, 4 }, conns[] = { 1, 2, 4 };
static const char *const digests[] = { "None", "CRC32C" };

struct combination { uint32_t immediate, initial_r2t, first, burst, length, r2t, header, data, conns; };

static uint8_t shadow[BLOCKS * BLOCK];	/* what the disk should hold */
static GRand *rnd;

static uint32_t pick(uint32_t *n, uint32_t count)
{
	uint32_t at = *n % count;

	*n /= count;
	return at;
}

static struct combination combination(uint32_t n)
{
	struct combination c = {
		.immediate = pick(&n, 2), .initial_r2t = pick(&n, 2), .first = firsts[pick(&n, 3)], .burst = bursts[pick(&n, 3)],
		.length = lengths[pick(&n, 3)], .r2t = r2ts[pick(&n, 2)], .header = pick(&n, 2), .data = pick(&n, 2),
		.conns = conns[pick(&n, 3)],
	};

	c.first = MIN(c.first, c.burst);
	return c;
}

static void read_all(uint8_t *to)
{
	struct ini *i = ini_new_login(server, 9, "");

	for (uint32_t at = 0; at < BLOCKS; at += 256) {
		uint32_t itt = ini_read(i, at, 256, 256 * BLOCK);

		g_assert_cmpuint(ini_finish_read(i, itt, to + at * BLOCK, 256 * BLOCK), ==, 256 * BLOCK);
	}
	ini_free(i);
}

static void expect_shadow(void)
{
	g_autofree uint8_t *disk = g_malloc(sizeof shadow);

	read_all(disk);
	g_assert_true(memcmp(disk, shadow, sizeof shadow) == 0);
}

static void fill(uint8_t *to, uint32_t len)
{
	for (uint32_t n = 0; n < len; n += 4)
		put32(to + n, g_rand_int(rnd));
}

/* A write on its way on each connection. */
struct under_way { uint32_t lba, blocks, itt; };

/* Immediate data, then unsolicited Data-Out, as far as it was agreed; the PDUs of random lengths. */
static void start_write(struct ini *i, const struct combination *c, struct under_way *w)
{
	const uint8_t *data = shadow + w->lba * BLOCK;
	uint32_t len = w->blocks * BLOCK, unasked = MIN(c->first, len), sn = 0;
	uint32_t at = c->immediate ? (uint32_t)g_rand_int_range(rnd, 0, (gint32)unasked + 1) : 0;
	bool follows = !c->initial_r2t && at < unasked && g_rand_boolean(rnd);

	w->itt = ini_write(i, follows ? 0 : FINAL, w->lba, (uint16_t)w->blocks, len, data, at);
	while (follows && at < unasked) {
		uint32_t n = (uint32_t)g_rand_int_range(rnd, 1, 40000);

		n = MIN(n, unasked - at);
		ini_data_out(i, at + n == unasked ? FINAL : 0, w->itt, TAG_NONE, sn++, at, data + at, n);
		at += n;
	}
}

/* All connections at once, the commands in another order than their CmdSNs. */
static void round_of(struct ini *const on[CONNS], const struct combination *c)
{
	struct under_way w[CONNS];
	uint32_t sn = on[0]->cmd_sn, itt = on[0]->itt, turn = g_rand_int(rnd) % c->conns;
	g_autofree uint8_t *back = g_malloc(WRITE_MAX * BLOCK);

	for (uint32_t n = 0; n < c->conns; n++) {
		uint32_t k = (n + turn) % c->conns;

		w[k].blocks = (uint32_t)g_rand_int_range(rnd, 1, WRITE_MAX);
		w[k].lba = k * REGION + (uint32_t)g_rand_int_range(rnd, 0, (gint32)(REGION - w[k].blocks));
		fill(shadow + w[k].lba * BLOCK, w[k].blocks * BLOCK);
		on[k]->cmd_sn = sn + k;
		on[k]->itt = itt + k;
		start_write(on[k], c, &w[k]);
	}
	for (uint32_t k = 0; k < c->conns; k++) {
		ini_finish_write(on[k], w[k].itt, shadow + w[k].lba * BLOCK);
		g_assert_cmphex(on[k]->bhs[3], ==, 0);
		EXPECT_RESIDUAL(on[k], 0, 0);
	}
	for (uint32_t n = 0; n < c->conns; n++) {
		uint32_t k = (n + turn) % c->conns;

		on[k]->cmd_sn = sn + c->conns + k;
		on[k]->itt = itt + c->conns + k;
		w[k].itt = ini_read(on[k], w[k].lba, (uint16_t)w[k].blocks, w[k].blocks * BLOCK);
	}
	for (uint32_t k = 0; k < c->conns; k++) {
		uint32_t got = ini_finish_read(on[k], w[k].itt, back, WRITE_MAX * BLOCK);

		g_assert_cmpmem(back, got, shadow + w[k].lba * BLOCK, w[k].blocks * BLOCK);
	}
	on[0]->cmd_sn = sn + 2 * c->conns;
	on[0]->itt = itt + 2 * c->conns;
}

static void run(const struct combination *c)
{
	g_autofree char *own = g_strdup_printf("HeaderDigest=%s;DataDigest=%s;MaxRecvDataSegmentLength=%u;",
					       digests[c->header], digests[c->data], c->length);
	g_autofree char *all = g_strdup_printf("%sMaxConnections=4;ImmediateData=%s;InitialR2T=%s;FirstBurstLength=%u;"
					       "MaxBurstLength=%u;MaxOutstandingR2T=%u;", own, c->immediate ? "Yes" : "No",
					       c->initial_r2t ? "Yes" : "No", c->first, c->burst, c->r2t);
	struct ini *on[CONNS] = { ini_new_login(server, 1, all) };

	for (uint32_t k = 1; k < c->conns; k++)
		on[k] = ini_new_join(on[0], (uint16_t)k, own);
	g_assert_true(on[c->conns - 1]->header_digest == c->header && on[c->conns - 1]->data_digest == c->data);
	for (unsigned n = 0; n < ROUNDS; n++)
		round_of(on, c);
	for (uint32_t k = 0; k < c->conns; k++)
		ini_free(on[k]);
}

static void test_matrix(void)
{
	uint32_t step = g_getenv("GOTGT_TEST_ALL") ? 1 : SOME;

	for (uint32_t n = 0; n < 2 * 2 * 3 * 3 * 3 * 2 * 2 * 2 * 3; n += step) {
		struct combination c = combination(n);

		g_test_message("combination %u", n);
		run(&c);
	}
	expect_shadow();
}

/* ---- 7.7, 7.8: flipped bits ---- */

#define LEN BLOCK
#define CRC "HeaderDigest=CRC32C;DataDigest=CRC32C;MaxConnections=4;"

static uint32_t digest(const void *data, uint32_t len)
{
	return htole32(~crc32_iscsi((unsigned char *)data, (int)len, 0xffffffff));
}

/* A write of one block with other bytes than are there, as it goes over the wire; its length. */
static uint32_t write_pdu(struct ini *i, uint8_t *pdu, bool crc, uint32_t itt, bool data_out, uint32_t ttt)
{
	uint32_t at = BHS_LEN, sum;

	memset(pdu, 0, BHS_LEN);
	pdu[0] = data_out ? OP_DATA_OUT : OP_SCSI_COMMAND;
	pdu[1] = data_out ? FINAL : FINAL | WRITE | SIMPLE;
	put24(pdu + 5, LEN);
	put32(pdu + 16, itt);
	if (data_out) {
		put32(pdu + 20, ttt);
	} else {
		put32(pdu + 20, LEN);
		put32(pdu + 24, i->cmd_sn);
		pdu[32] = 0x2a;
		pdu[32 + 8] = 1;
	}
	put32(pdu + 28, i->exp_stat_sn);
	sum = digest(pdu, BHS_LEN);
	if (crc) {
		memcpy(pdu + at, &sum, 4);
		at += 4;
	}
	for (uint32_t n = 0; n < LEN; n++)
		pdu[at + n] = (uint8_t)~shadow[n];
	sum = digest(pdu + at, LEN);
	at += LEN;
	if (crc) {
		memcpy(pdu + at, &sum, 4);
		at += 4;
	}
	return at;
}

static void test_header_flips(void)
{
	struct ini *beside = ini_new_login(server, 2, "");
	uint8_t pdu[BHS_LEN + LEN + 8];

	for (uint32_t bit = 0; bit < (BHS_LEN + 4) * 8; bit++) {
		struct ini *i = ini_new_login(server, 1, CRC), *other = ini_new_join(i, 1, CRC);
		uint32_t len = write_pdu(other, pdu, true, other->itt, false, 0);

		pdu[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ini_send_raw(other, pdu, len);
		ini_hang_up(other);
		EXPECT_PDU(i, OP_ASYNC);
		EXPECT_CLOSED(i);
		ini_free(other);
		ini_free(i);
	}
	ini_check(beside);
	ini_free(beside);
	expect_shadow();
}

/* A command is as if it had not been sent, with its CmdSN; that of Data-Out fails.  The connection goes on. */
static void test_data_flips(void)
{
	struct ini *i = ini_new_login(server, 1, CRC);
	uint8_t pdu[BHS_LEN + LEN + 8];

	for (uint32_t n = 0; n < 2 * (LEN + 4); n++) {
		bool data_out = n % 2;
		uint32_t itt = i->itt++, len;

		if (data_out) {
			itt = ini_write(i, FINAL, 0, 1, LEN, NULL, 0);
			EXPECT_PDU(i, OP_R2T);
		}
		len = write_pdu(i, pdu, true, itt, data_out, get32(i->bhs + 20));
		pdu[BHS_LEN + 4 + n / 2] ^= (uint8_t)(1 << n % 8);
		ini_send_raw(i, pdu, len);
		for (int k = 0; k < (data_out ? 2 : 1); k++) {
			g_assert_true(ini_recv(i));
			if ((i->bhs[0] & OPCODE_MASK) == OP_REJECT)
				g_assert_cmphex(i->bhs[2], ==, REJECT_DATA_DIGEST);
			else
				g_assert_cmphex(i->bhs[3], ==, 2);
		}
	}
	ini_free(i);
	expect_shadow();
}

/* ---- connections that end within a PDU ---- */

static void cut(bool crc, bool data_out, bool joined)
{
	struct ini *beside = ini_new_login(server, 2, "");
	uint8_t pdu[BHS_LEN + LEN + 8];
	uint32_t whole = BHS_LEN + LEN + (crc ? 8 : 0);

	for (uint32_t len = 0; len < whole; len++) {
		struct ini *lead = ini_new_login(server, 1, crc ? CRC : "MaxConnections=4;");
		struct ini *i = joined ? ini_new_join(lead, 1, crc ? CRC : "") : lead;
		uint32_t itt = i->itt;

		if (data_out) {
			itt = ini_write(i, FINAL, 0, 1, LEN, NULL, 0);
			EXPECT_PDU(i, OP_R2T);
		}
		g_assert_cmpuint(write_pdu(i, pdu, crc, itt, data_out, get32(i->bhs + 20)), ==, whole);
		ini_send_raw(i, pdu, len);
		ini_hang_up(i);
		if (joined) {
			EXPECT_PDU(lead, OP_ASYNC);
			EXPECT_CLOSED(lead);
			ini_free(lead);
		}
		ini_free(i);
	}
	ini_check(beside);
	ini_free(beside);
	expect_shadow();
}

static void test_cuts(void)
{
	for (unsigned n = 0; n < 8; n++)
		cut(n & 1, n & 2, n & 4);
}

int main(int argc, char **argv)
{
	int rc;

	server_begin(&argc, &argv);
	rnd = g_rand_new_with_seed(SEED);
	read_all(shadow);
	g_test_add_func("/wire/matrix/combinations", test_matrix);
	g_test_add_func("/wire/matrix/7.7-header-flips", test_header_flips);
	g_test_add_func("/wire/matrix/7.8-data-flips", test_data_flips);
	g_test_add_func("/wire/matrix/cuts", test_cuts);
	rc = server_run();
	g_rand_free(rnd);
	return rc;
}
