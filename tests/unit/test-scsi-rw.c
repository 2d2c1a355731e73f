/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that move or look at what is on the medium. */
#include "config.h"
#include "scsi-rig.h"

enum { BS = 512 };
static uint8_t out[8u << 20];

static void fill(uint8_t *p, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 7 + i / BS + seed);
}

/* READ and WRITE by width. */
static const struct rw {
	uint8_t read, write, write_verify, verify;
	unsigned len, lba_at, lba_len, len_at, len_len;
} widths[] = {
	{ OP_READ_6, OP_WRITE_6, 0, 0, 6, 1, 3, 4, 1 },
	{ OP_READ_10, OP_WRITE_10, OP_WRITE_VERIFY_10, OP_VERIFY_10, 10, 2, 4, 7, 2 },
	{ OP_READ_12, OP_WRITE_12, OP_WRITE_VERIFY_12, OP_VERIFY_12, 12, 2, 4, 6, 4 },
	{ OP_READ_16, OP_WRITE_16, OP_WRITE_VERIFY_16, OP_VERIFY_16, 16, 2, 8, 10, 4 },
};

static void put(uint8_t *cdb, unsigned at, unsigned len, uint64_t v)
{
	while (len--) {
		cdb[at + len] |= (uint8_t)v;
		v >>= 8;
	}
}

static void send_rw(const struct rw *w, uint8_t opcode, uint8_t byte1, uint64_t lba, uint32_t blocks, uint32_t edtl_out,
		    uint32_t edtl_in)
{
	uint8_t cdb[16] = { opcode, byte1 };

	put(cdb, w->lba_at, w->lba_len, lba);
	put(cdb, w->len_at, w->len_len, blocks);
	rig_send(cdb, w->len, out, edtl_out, edtl_in);
}

static void read10(uint64_t lba, uint32_t blocks, uint32_t edtl)
{
	send_rw(&widths[1], OP_READ_10, 0, lba, blocks, 0, edtl);
}

static void write10(uint64_t lba, uint32_t blocks, uint32_t edtl)
{
	send_rw(&widths[1], OP_WRITE_10, 0, lba, blocks, edtl, 0);
}

/* ---- READ and WRITE ---- */

static void test_widths(void)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(widths); i++)
		for (unsigned way = WAY_FROM; way <= WAY_PLACE; way++) {
			const struct rw *w = &widths[i];

			rig.way = (enum rig_way)way;
			fill(out, 5 * BS, i + way);
			send_rw(w, w->write, 0, 100, 5, 5 * BS, 0);
			assert_good();
			g_assert_cmpuint(res.xfer_len, ==, 5 * BS);
			g_assert_cmpuint(res.in_len, ==, 0);
			g_assert_cmpmem(rig.dev->ram + 100 * BS, 5 * BS, out, 5 * BS);
			send_rw(w, w->read, 0, 101, 4, 0, 4 * BS);
			assert_good();
			g_assert_cmpmem(res.in, res.in_len, out + BS, 4 * BS);
		}
}

static void test_ranges(void)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(widths); i++) {
		const struct rw *w = &widths[i];
		const uint8_t opcodes[] = { w->read, w->write, w->write_verify, w->verify };

		for (unsigned k = 0; k < 4; k++) {
			if (!opcodes[k])
				continue;
			send_rw(w, opcodes[k], 0, RIG_BLOCKS - 1, 2, 2 * BS, 2 * BS);
			assert_sense(LBA_OUT_OF_RANGE);
			send_rw(w, opcodes[k], 0, RIG_BLOCKS + 1, i ? 0 : 1, 0, 0);
			assert_sense(LBA_OUT_OF_RANGE);
			send_rw(w, opcodes[k], 0, w->lba_len == 3 ? 0x1fffff : w->lba_len == 4 ? UINT32_MAX : UINT64_MAX, 1,
				BS, BS);
			assert_sense(LBA_OUT_OF_RANGE);
			if (!i)
				continue;
			/* No blocks at the capacity are none too many. */
			send_rw(w, opcodes[k], 0, RIG_BLOCKS, 0, 0, 0);
			assert_good();
			g_assert_cmpuint(res.xfer_len, ==, 0);
		}
	}
	g_assert_cmpuint(rig.dev->submits + rig.dev->tries, ==, 0);
	/* READ(6) of 0 is of 256. */
	send_rw(&widths[0], OP_READ_6, 0, 0, 0, 0, 1u << 20);
	assert_good();
	g_assert_cmpuint(res.in_len, ==, 256 * BS);
}

static void test_too_long(void)
{
	uint32_t max = LUN_TRANSFER_MAX / BS;

	for (unsigned i = 2; i < G_N_ELEMENTS(widths); i++) {
		fake_resize(rig.dev, BS * (uint64_t)RIG_BLOCKS * 1024);	/* the memory is not that long, nor touched */
		rig_clear_ua(rig.a);
		send_rw(&widths[i], widths[i].read, 0, 0, max + 1, 0, UINT32_MAX);
		assert_cdb_field(widths[i].len_at, -1);
		send_rw(&widths[i], widths[i].write, 0, 0, max + 1, UINT32_MAX, 0);
		assert_cdb_field(widths[i].len_at, -1);
		send_rw(&widths[i], widths[i].verify, 2, 0, max + 1, UINT32_MAX, 0);
		assert_cdb_field(widths[i].len_at, -1);
		send_rw(&widths[i], widths[i].write_verify, 0, 0, max + 1, UINT32_MAX, 0);
		assert_cdb_field(widths[i].len_at, -1);
	}
}

/* RFC 7143 11.4.5 counts what xfer_len says against EDTL. */
static void test_residuals(void)
{
	fill(rig.dev->ram, 4 * BS, 3);
	read10(0, 1, 0);
	assert_good();
	g_assert_cmpuint(res.xfer_len, ==, BS);
	g_assert_cmpuint(res.in_len, ==, 0);
	read10(0, 1, 10000);
	assert_good();
	g_assert_cmpuint(res.xfer_len, ==, BS);
	g_assert_cmpmem(res.in, res.in_len, rig.dev->ram, BS);
	read10(0, 1, 200);
	assert_good();
	g_assert_cmpuint(res.xfer_len, ==, BS);
	g_assert_cmpmem(res.in, res.in_len, rig.dev->ram, 200);
	read10(0, 2, BS);
	g_assert_cmpuint(res.xfer_len, ==, 2 * BS);
	g_assert_cmpmem(res.in, res.in_len, rig.dev->ram, BS);
	read10(0, 1, UINT32_MAX);
	assert_good();
	g_assert_cmpuint(res.in_len, ==, BS);
}

static void test_write_residuals(void)
{
	for (unsigned way = WAY_FROM; way <= WAY_LENT; way++)
		for (unsigned verify = 0; verify < 2; verify++) {
			uint8_t opcode = verify ? OP_WRITE_VERIFY_10 : OP_WRITE_10;

			rig.way = (enum rig_way)way;
			rig.dev->info.lends = way == WAY_LENT;
			memset(rig.dev->ram, 'a', 4 * BS);
			memset(out, 'b', 4 * BS);
			send_rw(&widths[1], opcode, 0, 0, 1, 0, 0);
			assert_good();
			g_assert_cmpuint(res.xfer_len, ==, BS);
			send_rw(&widths[1], opcode, 0, 0, 1, 200, 0);	/* no whole block came */
			assert_good();
			g_assert_cmpuint(res.out_len, ==, 200);
			g_assert_cmpuint(rig.dev->ram[0], ==, 'a');
			send_rw(&widths[1], opcode, 0, 0, 2, BS + 100, 0);
			assert_good();
			g_assert_cmpuint(res.xfer_len, ==, 2 * BS);
			g_assert_cmpuint(rig.dev->ram[BS - 1], ==, 'b');
			g_assert_cmpuint(rig.dev->ram[BS], ==, 'a');
			send_rw(&widths[1], opcode, 0, 2, 1, 2 * BS, 0);	/* only the CDB's */
			assert_good();
			g_assert_cmpuint(res.out_len, ==, BS);
			g_assert_cmpuint(rig.dev->ram[3 * BS - 1], ==, 'b');
			g_assert_cmpuint(rig.dev->ram[3 * BS], ==, 'a');
		}
}

static void test_try(void)
{
	fill(out, BS, 1);
	write10(3, 1, BS);
	g_assert_cmpuint(rig.dev->tries, ==, 1);
	g_assert_cmpuint(rig.dev->submits, ==, 0);
	rig.dev->no_try = true;
	fill(out, BS, 2);
	write10(4, 1, BS);
	assert_good();
	g_assert_cmpuint(rig.dev->tries, ==, 2);
	g_assert_cmpuint(rig.dev->submits, ==, 1);
	g_assert_cmpmem(rig.dev->ram + 4 * BS, BS, out, BS);
}

static void test_fua(void)
{
	static const uint8_t fua[] = { 0x00, 0x10, 0x08, 0x18 };

	for (unsigned i = 1; i < G_N_ELEMENTS(widths); i++)
		for (unsigned k = 0; k < 4; k++) {
			send_rw(&widths[i], widths[i].write, fua[k], 0, 1, BS, 0);
			assert_good();
			g_assert_cmpuint(rig.dev->last_flags, ==, fua[k] & 8 ? GOTGT_IO_FUA : 0);
			send_rw(&widths[i], widths[i].read, fua[k], 0, 1, 0, BS);
			assert_good();
		}
	/* Written through when the cache is off, by WRITE(6) and WRITE SAME too. */
	lun_set_state(rig.lun, LUN_WCE, 0);
	send_rw(&widths[0], OP_WRITE_6, 0, 0, 1, BS, 0);
	g_assert_cmpuint(rig.dev->last_flags, ==, GOTGT_IO_FUA);
	SEND_OUT(out, BS, OP_WRITE_SAME_10, 0, 0, 0, 0, 0, 0, 0, 1);
	g_assert_cmpuint(rig.dev->last_flags, ==, GOTGT_IO_FUA);
	/* RDPROTECT and WRPROTECT are not there. */
	for (unsigned i = 1; i < G_N_ELEMENTS(widths); i++)
		for (unsigned p = 1; p < 8; p++) {
			int bit = p & 4 ? 7 : p & 2 ? 6 : 5;

			send_rw(&widths[i], widths[i].read, (uint8_t)(p << 5), 0, 1, 0, BS);
			assert_cdb_field(1, bit);
			send_rw(&widths[i], widths[i].write, (uint8_t)(p << 5), 0, 1, BS, 0);
			assert_cdb_field(1, bit);
		}
}

/* ---- lent memory ---- */

static void test_lent(void)
{
	rig.dev->info.lends = true;
	rig.dev->lend_pieces = 2;
	rig.way = WAY_LENT;
	fill(out, 4 * BS, 9);
	write10(8, 4, 4 * BS);
	assert_good();
	g_assert_cmpuint(rig.dev->lends, ==, 1);
	g_assert_cmpuint(rig.dev->reclaims, ==, 1);
	g_assert_cmpuint(rig.dev->submits, ==, 0);
	g_assert_cmpmem(rig.dev->ram + 8 * BS, 4 * BS, out, 4 * BS);
	read10(8, 4, 4 * BS);
	assert_good();
	g_assert_true(res.lent);
	g_assert_cmpmem(res.in, res.in_len, out, 4 * BS);
	g_assert_cmpuint(rig.dev->reclaims, ==, 2);
	/* FUA of what is there already is a flush. */
	send_rw(&widths[1], OP_WRITE_10, 0x08, 8, 4, 4 * BS, 0);
	assert_good();
	g_assert_cmpuint(rig.dev->flushes, ==, 1);
	/* Part of a block, and bytes the transport must see, go through a buffer. */
	read10(8, 4, 4 * BS - 1);
	assert_good();
	g_assert_false(res.lent);
	rig.no_lend = true;
	read10(8, 4, 4 * BS);
	g_assert_false(res.lent);
	g_assert_cmpmem(res.in, res.in_len, out, 4 * BS);
	write10(8, 4, 4 * BS);
	assert_good();
	g_assert_cmpuint(rig.dev->lends, ==, 3);
}

static void test_lend_fails(void)
{
	rig.dev->info.lends = true;
	rig.dev->lend_fail = GOTGT_ERR_IO;
	rig.way = WAY_LENT;
	read10(0, 1, BS);
	assert_sense(READ_ERROR);
	write10(0, 1, BS);
	assert_sense(WRITE_ERROR);
	g_assert_cmpuint(rig.dev->submits, ==, 0);
}

/* ---- device errors ---- */

static void test_errors(void)
{
	static const struct { enum gotgt_status from; int on_read, on_write; uint8_t status; } cases[] = {
		{ GOTGT_ERR_IO, SENSE_READ_ERROR, SENSE_WRITE_ERROR, 0 },
		{ GOTGT_ERR_NO_SPACE, SENSE_SPACE_ALLOCATION_FAILED, SENSE_SPACE_ALLOCATION_FAILED, 0 },
		{ GOTGT_ERR_READ_ONLY, SENSE_WRITE_PROTECTED, SENSE_WRITE_PROTECTED, 0 },
		{ GOTGT_ERR_BUSY, 0, 0, STATUS_BUSY },
		{ GOTGT_ERR_NOT_READY, SENSE_NOT_READY, SENSE_NOT_READY, 0 },
		{ GOTGT_ERR_UNSUPPORTED, SENSE_INVALID_OPCODE, SENSE_INVALID_OPCODE, 0 },
		{ GOTGT_ERR_CANCELED, 0, 0, STATUS_TASK_ABORTED },
		{ GOTGT_ERR_AGAIN, 0, 0, STATUS_BUSY },
		{ GOTGT_ERR_NO_MEMORY, 0, 0, STATUS_BUSY },
		{ (enum gotgt_status)77, SENSE_INTERNAL_FAILURE, SENSE_INTERNAL_FAILURE, 0 },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
		for (unsigned write = 0; write < 4; write++) {
			rig.dev->fail = cases[i].from;
			rig.dev->fail_op = write ? GOTGT_OP_WRITE : GOTGT_OP_READ;
			rig.way = write == 1 ? WAY_FROM : WAY_PLACE;
			if (write == 3)
				send_rw(&widths[1], OP_WRITE_VERIFY_10, 0, 0, 1, BS, 0);
			else if (write)
				write10(0, 1, BS);
			else
				read10(0, 1, BS);
			g_assert_cmpuint(res.in_len, ==, 0);
			if (cases[i].status)
				g_assert_cmpuint(res.status, ==, cases[i].status);
			else
				rig_assert_sense((enum sense_code)(write ? cases[i].on_write : cases[i].on_read), __FILE__,
						 __LINE__);
		}
}

/* ---- VERIFY and WRITE AND VERIFY ---- */

static void test_verify(void)
{
	for (unsigned i = 1; i < G_N_ELEMENTS(widths); i++) {
		const struct rw *w = &widths[i];

		rig.way = i & 1 ? WAY_FROM : WAY_LENT;
		fill(out, 8 * BS, i);
		memcpy(rig.dev->ram, out, 8 * BS);
		send_rw(w, w->verify, 0x02, 0, 8, 8 * BS, 0);
		assert_good();
		g_assert_cmpuint(res.xfer_len, ==, 8 * BS);
		out[5 * BS + 17] ^= 1;
		send_rw(w, w->verify, 0x12, 0, 8, 8 * BS, 0);
		assert_sense(MISCOMPARE);
		g_assert_cmpuint(res.sense[0], ==, 0xf0);
		g_assert_cmpuint(get_be32(res.sense + 3), ==, 5 * BS + 17);
		/* Only what came is compared. */
		send_rw(w, w->verify, 0x02, 0, 8, 5 * BS + 100, 0);
		assert_good();
		g_assert_cmpuint(res.xfer_len, ==, 8 * BS);
		/* BYTCHK 0 needs no data, and takes none. */
		send_rw(w, w->verify, 0x00, 0, 8, 8 * BS, 0);
		assert_good();
		g_assert_cmpuint(res.xfer_len, ==, 0);
		g_assert_cmpuint(res.out_len, ==, 0);
		send_rw(w, w->verify, 0x04, 0, 8, 8 * BS, 0);
		assert_cdb_field(1, 2);
	}
}

static void test_verify_one_block(void)
{
	const struct rw *w = &widths[3];

	for (unsigned i = 0; i < 10; i++)
		fill(rig.dev->ram + i * BS, BS, 0);
	fill(out, BS, 0);
	send_rw(w, w->verify, 0x06, 0, 10, BS, 0);
	assert_good();
	g_assert_cmpuint(res.xfer_len, ==, BS);
	rig.dev->ram[9 * BS + 30] ^= 0x80;
	send_rw(w, w->verify, 0x06, 0, 10, BS, 0);
	assert_sense(MISCOMPARE);
	g_assert_cmpuint(get_be32(res.sense + 3), ==, 30);
	send_rw(w, w->verify, 0x06, 0, 9, 100, 0);
	assert_sense(INVALID_FIELD_IN_IU);
	send_rw(w, w->verify, 0x06, 0, 0, 0, 0);
	assert_good();
}

/* A range of many chunks: read to the end, with the stack flat, and an error in its middle is found. */
static void test_verify_long(void)
{
	send_rw(&widths[3], OP_VERIFY_16, 0, 0, RIG_BLOCKS, 0, 0);
	assert_good();
	g_assert_cmpuint(rig.dev->submits, ==, RIG_BLOCKS * BS >> 17);
	g_assert_cmpuint(rig.dev->last_offset + rig.dev->last_length, ==, RIG_BLOCKS * BS);
	rig.dev->fail = GOTGT_ERR_IO;
	rig.dev->fail_op = GOTGT_OP_READ;
	rig.dev->fail_after = 1;
	send_rw(&widths[3], OP_VERIFY_16, 0, 0, RIG_BLOCKS, 0, 0);
	assert_sense(READ_ERROR);
}

static void test_write_verify(void)
{
	for (unsigned i = 1; i < G_N_ELEMENTS(widths); i++)
		for (unsigned bytchk = 0; bytchk <= 2; bytchk += 2) {
			const struct rw *w = &widths[i];

			rig.way = bytchk ? WAY_FROM : WAY_LENT;
			fill(out, 4 * BS, i);
			send_rw(w, w->write_verify, (uint8_t)(0x10 | bytchk), 7, 4, 4 * BS, 0);
			assert_good();
			g_assert_cmpmem(rig.dev->ram + 7 * BS, 4 * BS, out, 4 * BS);
			g_assert_cmpuint(rig.dev->last_op, ==, GOTGT_OP_READ);
			send_rw(w, w->write_verify, 0x04, 7, 4, 4 * BS, 0);
			assert_cdb_field(1, 2);
			send_rw(w, w->write_verify, 0x20, 7, 4, 4 * BS, 0);
			assert_cdb_field(1, 5);
		}
	rig.dev->fail = GOTGT_ERR_IO;
	rig.dev->fail_op = GOTGT_OP_READ;
	send_rw(&widths[1], OP_WRITE_VERIFY_10, 0x02, 7, 4, 4 * BS, 0);
	assert_sense(READ_ERROR);
}

static void test_pre_fetch(void)
{
	SEND(0, OP_PRE_FETCH_10, 0, 0, 0, 0, 1, 0, 0, 2);
	assert_good();
	g_assert_cmpuint(rig.dev->last_offset, ==, BS);
	g_assert_cmpuint(rig.dev->last_length, ==, 2 * BS);
	SEND(0, OP_PRE_FETCH_16, 2, 0, 0, 0, 0, 0, 0, 0x0f, 0xff);	/* to the end */
	assert_good();
	g_assert_cmpuint(rig.dev->last_length, ==, BS);
	SEND(0, OP_PRE_FETCH_10, 0, 0, 0, 0x10, 0, 0, 0, 0);
	assert_good();
	SEND(0, OP_PRE_FETCH_10, 0, 0, 0, 0x10, 1, 0, 0, 0);
	assert_sense(LBA_OUT_OF_RANGE);
	rig.dev->fail = GOTGT_ERR_IO;
	rig.dev->fail_op = GOTGT_OP_READ;
	SEND(0, OP_PRE_FETCH_10, 0, 0, 0, 0, 1, 0, 0, 2);
	assert_sense(READ_ERROR);
}

/* ---- what stops writers, and everybody ---- */

static void test_protected(void)
{
	static const unsigned why[] = { LUN_READ_ONLY, LUN_SWP };

	for (unsigned i = 0; i < 2; i++) {
		lun_set_state(rig.lun, LUN_PROTECTED, why[i]);
		for (unsigned k = 0; k < G_N_ELEMENTS(widths); k++) {
			send_rw(&widths[k], widths[k].write, 0, 0, 1, BS, 0);
			assert_sense(WRITE_PROTECTED);
			if (k) {
				send_rw(&widths[k], widths[k].write_verify, 0, 0, 1, BS, 0);
				assert_sense(WRITE_PROTECTED);
			}
			send_rw(&widths[k], widths[k].read, 0, 0, 1, 0, BS);
			assert_good();
		}
		SEND_OUT(out, BS, OP_WRITE_SAME_10, 8, 0, 0, 0, 0, 0, 0, 1);
		assert_sense(WRITE_PROTECTED);
		SEND_OUT(out, BS, OP_WRITE_SAME_16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
		assert_sense(WRITE_PROTECTED);
		SEND_OUT(out, 24, OP_UNMAP, 0, 0, 0, 0, 0, 0, 0, 24);
		assert_sense(WRITE_PROTECTED);
	}
}

/* ---- data expected in another direction than the command's ---- */

static const struct way_row { const char *name; uint8_t cdb[16]; bool cdb_field; } way_rows[] = {
	{ "WRITE(10)", { OP_WRITE_10, [8] = 1 } },
	{ "WRITE AND VERIFY(10)", { OP_WRITE_VERIFY_10, [8] = 1 } },
	{ "ORWRITE(16)", { OP_ORWRITE_16, [13] = 1 } },
	{ "COMPARE AND WRITE", { OP_COMPARE_AND_WRITE, [13] = 1 }, true },
	{ "VERIFY(10), BYTCHK 01b", { OP_VERIFY_10, 2, [8] = 1 } },
	{ "VERIFY(10), BYTCHK 11b", { OP_VERIFY_10, 6, [8] = 1 } },
	{ "WRITE SAME(10)", { OP_WRITE_SAME_10, [8] = 1 } },
	{ "UNMAP", { OP_UNMAP, [8] = 24 } },
	{ "MODE SELECT(6)", { OP_MODE_SELECT_6, 0x10, [4] = 24 } },
	{ "PERSISTENT RESERVE OUT", { OP_PERSISTENT_RESERVE_OUT, [8] = 24 } },
};

/* Those that need all of their data look at its length themselves. */
static void assert_wrong_way(const struct way_row *w)
{
	if (w->cdb_field)
		assert_sense(INVALID_FIELD_IN_CDB);
	else
		assert_sense(INVALID_FIELD_IN_IU);
}

static void test_wrong_way(void)
{
	static uint8_t before[BS];

	memset(rig.dev->ram, 'a', BS);
	memset(before, 'a', BS);
	for (unsigned i = 0; i < G_N_ELEMENTS(way_rows); i++) {
		const struct way_row *w = &way_rows[i];

		g_test_message("%s", w->name);
		rig_send(w->cdb, 16, out, 0, BS);
		assert_wrong_way(w);
		rig.edtl_no_way = BS;
		rig_send(w->cdb, 16, out, 0, 0);
		rig.edtl_no_way = 0;
		assert_wrong_way(w);
		g_assert_cmpmem(rig.dev->ram, BS, before, BS);
	}
	/* A read without its data has done nothing. */
	send_rw(&widths[1], OP_READ_10, 0, 0, 1, BS, 0);
	assert_good();
	SEND_OUT(out, BS, OP_INQUIRY, 0, 0, 0, 96);
	assert_good();
	/* Without data there is no wrong direction. */
	SEND_OUT(out, BS, OP_TEST_UNIT_READY);
	assert_good();
	send_rw(&widths[1], OP_READ_10, 0, 0, 0, BS, 0);
	assert_good();
	send_rw(&widths[1], OP_VERIFY_10, 0, 0, 1, 0, BS);
	assert_good();
	/* A list that FORMAT UNIT announces and nobody sends. */
	SEND(BS, OP_FORMAT_UNIT, 0x10);
	g_assert_cmpuint(res.status, ==, STATUS_CHECK_CONDITION);
}

/* ---- 4096 on 512, 512 on none ---- */

static struct device *dev_512_for_4096(void)
{
	return fake_new(16 * 4096 + 512, 512, 0, RIG_OPS);
}

static void test_4096(void)
{
	fill(out, 4096, 1);
	send_rw(&widths[1], OP_WRITE_10, 0, 15, 1, 4096, 0);
	assert_good();
	g_assert_cmpmem(rig.dev->ram + 15 * 4096, 4096, out, 4096);
	read10(15, 1, 4096);
	g_assert_cmpmem(res.in, res.in_len, out, 4096);
	read10(16, 1, 4096);
	assert_sense(LBA_OUT_OF_RANGE);
	/* The device has no volatile cache: nothing is written through. */
	g_assert_cmpuint(rig.dev->last_flags, ==, 0);
}

int main(int argc, char **argv)
{
	static const struct lun_conf conf_4096 = { .block_size = 4096 };

	g_test_init(&argc, &argv, NULL);
	rig_add("/scsi/rw/widths", test_widths);
	rig_add("/scsi/rw/ranges", test_ranges);
	rig_add("/scsi/rw/too-long", test_too_long);
	rig_add("/scsi/rw/residuals", test_residuals);
	rig_add("/scsi/rw/write-residuals", test_write_residuals);
	rig_add("/scsi/rw/wrong-way", test_wrong_way);
	rig_add("/scsi/rw/try", test_try);
	rig_add("/scsi/rw/fua", test_fua);
	rig_add("/scsi/rw/lent", test_lent);
	rig_add("/scsi/rw/lend-fails", test_lend_fails);
	rig_add("/scsi/rw/errors", test_errors);
	rig_add_dev("/scsi/rw/4096", dev_512_for_4096, &conf_4096, test_4096);
	rig_add("/scsi/verify/all", test_verify);
	rig_add("/scsi/verify/one-block", test_verify_one_block);
	rig_add("/scsi/verify/long", test_verify_long);
	rig_add("/scsi/verify/write", test_write_verify);
	rig_add("/scsi/verify/pre-fetch", test_pre_fetch);
	rig_add("/scsi/rw/protected", test_protected);
	return g_test_run();
}
