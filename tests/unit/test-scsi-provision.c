/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that fill and free blocks: WRITE SAME, UNMAP. */
#include "config.h"
#include "scsi-rig.h"

enum { BS = 512 };
static uint8_t out[8192];

static void test_write_same(void)
{
	memset(out, 5, BS);
	for (unsigned way = WAY_FROM; way <= WAY_LENT; way++) {
		rig.way = (enum rig_way)way;
		SEND_OUT(out, BS, OP_WRITE_SAME_10, 0, 0, 0, 0, 10, 0, 0, 3);
		assert_good();
		g_assert_cmpuint(res.xfer_len, ==, BS);
		for (unsigned i = 10; i < 13; i++)
			g_assert_cmpmem(rig.dev->ram + i * BS, BS, out, BS);
		g_assert_cmpuint(rig.dev->ram[13 * BS + 1], ==, 0);
	}
	/* What is not zero is written even with UNMAP. */
	SEND_OUT(out, BS, OP_WRITE_SAME_16, 8, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 2);
	assert_good();
	g_assert_cmpuint(rig.dev->last_op, ==, DEVICE_OP_WRITE_SAME);
	memset(out, 0, BS);
	SEND_OUT(out, BS, OP_WRITE_SAME_16, 8, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 2);
	assert_good();
	g_assert_cmpuint(rig.dev->last_op, ==, GOTGT_OP_ZERO);
	g_assert_cmpuint(rig.dev->last_flags, ==, GOTGT_IO_MAY_UNMAP);
	g_assert_cmpuint(rig.dev->ram[20 * BS + 1], ==, 0);
	SEND_OUT(out, BS, OP_WRITE_SAME_10, 0, 0, 0, 0, 10, 0, 0, 3);
	g_assert_cmpuint(rig.dev->last_flags, ==, 0);
	/* NDOB: no block comes. */
	memset(rig.dev->ram, 1, 4 * BS);
	SEND(0, OP_WRITE_SAME_16, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2);
	assert_good();
	g_assert_cmpuint(res.xfer_len, ==, 0);
	g_assert_cmpuint(rig.dev->ram[BS + 1], ==, 0);
	g_assert_cmpuint(rig.dev->ram[3 * BS + 1], !=, 0);
}

static void test_write_same_refused(void)
{
	uint64_t max = LUN_WRITE_SAME_MAX / BS;

	SEND_OUT(out, BS, OP_WRITE_SAME_10, 0x10, 0, 0, 0, 0, 0, 0, 1);	/* ANCHOR */
	assert_cdb_field(1, 4);
	SEND_OUT(out, BS, OP_WRITE_SAME_10, 0, 0, 0, 0, 0, 0, 0, 0);
	assert_cdb_field(7, -1);
	SEND_OUT(out, BS, OP_WRITE_SAME_10, 0, 0, 0, 0x10, 1, 0, 0, 0);
	assert_sense(LBA_OUT_OF_RANGE);
	SEND_OUT(out, BS / 2, OP_WRITE_SAME_10, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_sense(INVALID_FIELD_IN_IU);
	SEND_OUT(out, 2 * BS, OP_WRITE_SAME_10, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_sense(INVALID_FIELD_IN_IU);
	fake_resize(rig.dev, BS * (max + 2));
	rig_clear_ua(rig.a);
	SEND_OUT(out, BS, OP_WRITE_SAME_16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 1);
	assert_cdb_field(10, -1);
	g_assert_cmpuint(max, ==, 0x8000);
	lun_set_state(rig.lun, LUN_ANCHORS, 0);
	SEND_OUT(out, BS, OP_WRITE_SAME_16, 0x18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_cdb_field(1, 4);
	lun_set_state(rig.lun, LUN_THIN, 0);
	/* No number: to the end, as far as MAXIMUM WRITE SAME LENGTH goes. */
	SEND_OUT(out, BS, OP_WRITE_SAME_10, 0, 0, 0, 0, 0, 0, 0, 0);
	assert_cdb_field(7, -1);
	g_assert_cmpuint(rig.dev->submits, ==, 0);
	SEND_OUT(out, BS, OP_WRITE_SAME_16, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_cdb_field(1, 3);
	g_assert_cmpuint(rig.dev->submits, ==, 0);
}

/* SBC-4 4.7.4.5: zeroes that keep their space. */
static void test_write_same_anchor(void)
{
	memset(rig.dev->ram, 1, 4 * BS);
	memset(out, 0, BS);
	SEND_OUT(out, BS, OP_WRITE_SAME_10, 0x18, 0, 0, 0, 1, 0, 0, 2);
	assert_good();
	g_assert_cmpuint(rig.dev->last_op, ==, GOTGT_OP_ZERO);
	g_assert_cmpuint(rig.dev->last_flags, ==, 0);
	for (unsigned i = 0; i < 4; i++)
		g_assert_true((rig.dev->ram[i * BS + 1] == 0) == (i == 1 || i == 2));
	rig.dev->last_flags = GOTGT_IO_MAY_UNMAP;
	SEND(0, OP_WRITE_SAME_16, 0x19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_good();
	g_assert_cmpuint(rig.dev->last_op, ==, GOTGT_OP_ZERO);
	g_assert_cmpuint(rig.dev->last_flags, ==, 0);
	g_assert_cmpuint(rig.dev->ram[1], ==, 0);
}

/* SBC-4 5.44: where WSNZ is 0, no number of blocks is all of them. */
static void test_write_same_rest(void)
{
	lun_set_state(rig.lun, LUN_THIN, 0);
	SEND(64, OP_INQUIRY, 1, 0xb0, 0, 64);
	g_assert_cmpuint(res.in[4], ==, 0);
	memset(out, 7, BS);
	SEND_OUT(out, BS, OP_WRITE_SAME_10, 0, 0, 0, (RIG_BLOCKS - 3) >> 8, (RIG_BLOCKS - 3) & 0xff, 0, 0, 0);
	assert_good();
	for (unsigned i = 0; i < RIG_BLOCKS; i++)
		g_assert_true((rig.dev->ram[i * BS + 1] == 7) == (i >= RIG_BLOCKS - 3));
	SEND_OUT(out, BS, OP_WRITE_SAME_10, 0, 0, 0, RIG_BLOCKS >> 8, RIG_BLOCKS & 0xff, 0, 0, 0);
	assert_sense(LBA_OUT_OF_RANGE);
	SEND_OUT(out, BS, OP_WRITE_SAME_10, 0, 0, 0, (RIG_BLOCKS + 1) >> 8, (RIG_BLOCKS + 1) & 0xff, 0, 0, 0);
	assert_sense(LBA_OUT_OF_RANGE);
}

/* ---- UNMAP ---- */

static uint32_t unmap_list(const uint32_t (*ranges)[2], unsigned n)
{
	memset(out, 0, 8 + n * 16);
	put_be16(out, (uint16_t)(6 + n * 16));
	put_be16(out + 2, (uint16_t)(n * 16));
	for (unsigned i = 0; i < n; i++) {
		put_be64(out + 8 + i * 16, ranges[i][0]);
		put_be32(out + 16 + i * 16, ranges[i][1]);
	}
	return 8 + n * 16;
}

static void unmap(uint32_t list_len, uint32_t edtl)
{
	SEND_OUT(out, edtl, OP_UNMAP, 0, 0, 0, 0, 0, 0, (uint8_t)(list_len >> 8), (uint8_t)list_len);
}

static void test_unmap(void)
{
	uint32_t len;

	memset(rig.dev->ram, 1, 20 * BS);
	len = unmap_list((const uint32_t[][2]){ { 1, 2 }, { 5, 0 }, { 8, 1 } }, 3);
	unmap(len, len);
	assert_good();
	g_assert_cmpuint(rig.dev->unmaps, ==, 2);
	for (unsigned i = 0; i < 20; i++)
		g_assert_true((rig.dev->ram[i * BS + 1] == 0) == (i == 1 || i == 2 || i == 8));
	len = unmap_list((const uint32_t[][2]){ { 1, 2 }, { RIG_BLOCKS - 1, 2 } }, 2);
	unmap(len, len);
	assert_sense(LBA_OUT_OF_RANGE);
	g_assert_cmpuint(rig.dev->unmaps, ==, 2);	/* nothing was done */
	len = unmap_list((const uint32_t[][2]){ { RIG_BLOCKS, 0 } }, 1);
	unmap(len, len);
	assert_good();
	unmap(0, 0);
	assert_good();
	unmap(8, 8);
	assert_sense(PARAMETER_LIST_LENGTH);	/* the header speaks of a descriptor */
	unmap_list(NULL, 0);
	unmap(8, 8);
	assert_good();
	unmap(7, 7);
	assert_sense(PARAMETER_LIST_LENGTH);
	unmap(24, 0);
	assert_sense(PARAMETER_LIST_LENGTH);
	memset(rig.dev->ram, 1, 20 * BS);
	len = unmap_list((const uint32_t[][2]){ { 3, 2 } }, 1);
	SEND_OUT(out, len, OP_UNMAP, 1, 0, 0, 0, 0, 0, 0, (uint8_t)len);	/* ANCHOR */
	assert_good();
	g_assert_cmpuint(rig.dev->last_op, ==, GOTGT_OP_ZERO);
	g_assert_cmpuint(rig.dev->last_flags, ==, 0);
	g_assert_true(!rig.dev->ram[3 * BS + 1] && !rig.dev->ram[4 * BS + 1] && rig.dev->ram[5 * BS + 1]);
	lun_set_state(rig.lun, LUN_ANCHORS, 0);
	SEND_OUT(out, 8, OP_UNMAP, 1, 0, 0, 0, 0, 0, 0, 8);
	assert_cdb_field(1, 0);
	lun_set_state(rig.lun, LUN_THIN, 0);
	unmap(8, 8);
	assert_sense(INVALID_OPCODE);
}

/* With WCE 0 blocks that read as zeroes are stable, by one flush for all of them. */
static void test_unmap_through(void)
{
	uint32_t len = unmap_list((const uint32_t[][2]){ { 1, 2 }, { 8, 1 } }, 2);

	unmap(len, len);
	assert_good();
	g_assert_cmpuint(rig.dev->flushes, ==, 0);
	atomic_fetch_and(&rig.lun->state, ~(unsigned)LUN_WCE);
	unmap(len, len);
	assert_good();
	g_assert_cmpuint(rig.dev->flushes, ==, 1);
	rig.dev->fail_op = GOTGT_OP_FLUSH;
	rig.dev->fail = GOTGT_ERR_IO;
	unmap(len, len);
	assert_sense(WRITE_ERROR);
}

static void test_unmap_many(void)
{
	static uint32_t ranges[LUN_UNMAP_DESCRIPTORS_MAX + 1][2];
	uint32_t len;

	for (unsigned i = 0; i < G_N_ELEMENTS(ranges); i++) {
		ranges[i][0] = i;
		ranges[i][1] = 1;
	}
	len = unmap_list((const uint32_t (*)[2])ranges, LUN_UNMAP_DESCRIPTORS_MAX);
	unmap(len, len);
	assert_good();
	g_assert_cmpuint(rig.dev->unmaps, ==, LUN_UNMAP_DESCRIPTORS_MAX);
	len = unmap_list((const uint32_t (*)[2])ranges, LUN_UNMAP_DESCRIPTORS_MAX + 1);
	unmap(len, len);
	assert_param_field(2, -1);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	rig_add("/scsi/write-same/good", test_write_same);
	rig_add("/scsi/write-same/rest", test_write_same_rest);
	rig_add("/scsi/write-same/anchor", test_write_same_anchor);
	rig_add("/scsi/write-same/refused", test_write_same_refused);
	rig_add("/scsi/unmap/lists", test_unmap);
	rig_add("/scsi/unmap/through", test_unmap_through);
	rig_add("/scsi/unmap/many", test_unmap_many);
	return g_test_run();
}
