/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about the logical unit: mode pages, reports, cache, provisioning. */
#include "config.h"
#include "scsi-rig.h"

enum { BS = 512 };

/* ---- mode pages ---- */

static void test_mode_sense(void)
{
	SEND(255, OP_MODE_SENSE_6, 0, 0x3f, 0, 255);
	assert_good();
	g_assert_cmpuint(res.in_len, ==, 4 + 8 + 12 + 16 + 20 + 12 + 40 + 12);
	g_assert_cmpmem(res.in, 4, ((uint8_t[]){ 123, 0, 0x10, 8 }), 4);
	g_assert_cmpuint(get_be32(res.in + 4), ==, RIG_BLOCKS);
	g_assert_cmpuint(get_be24(res.in + 9), ==, BS);
	g_assert_cmpmem(res.in + 12 + 28, 3, ((uint8_t[]){ 0x08, 18, 0x04 }), 3);
	SEND(255, OP_MODE_SENSE_6, 8, 0x3f, 0xff, 255);	/* subpages too */
	assert_good();
	g_assert_cmpuint(res.in_len, ==, 4 + 12 + 16 + 20 + 12 + 32 + 40 + 12);
	g_assert_cmpmem(res.in + 4 + 60, 4, ((uint8_t[]){ 0x4a, 0x01, 0, 28 }), 4);
	SEND(255, OP_MODE_SENSE_6, 8, 0x0a, 1, 255);
	assert_good();
	g_assert_cmpuint(res.in_len, ==, 4 + 32);
	SEND(255, OP_MODE_SENSE_6, 8, 0x3f, 1, 255);
	assert_cdb_field(3, -1);
	SEND(4, OP_MODE_SENSE_6, 0, 0x3f, 0, 4);
	g_assert_cmpuint(res.xfer_len, ==, 4);
	SEND(0, OP_MODE_SENSE_6, 0, 0x3f, 0, 4);
	assert_good();
	g_assert_cmpuint(res.in_len, ==, 0);
	SEND(255, OP_MODE_SENSE_6, 8, 0x0a, 0xff, 255);	/* DBD, all subpages */
	g_assert_cmpuint(res.in_len, ==, 4 + 12 + 32);
	SEND(255, OP_MODE_SENSE_6, 8, 0x0a, 0, 255);
	g_assert_cmpmem(res.in, res.in_len, ((uint8_t[]){ 15, 0, 0x10, 0, 0x0a, 10, 0x22, 0x10, 0, 0, 0, 0, 0, 0, 0, 0 }), 16);
	SEND(255, OP_MODE_SENSE_6, 8, 0x4a, 0, 255);	/* what can be changed */
	g_assert_cmpmem(res.in + 4, 12, ((uint8_t[]){ 0x0a, 10, 4, 0, 8, 0x40, 0, 0, 0, 0, 0, 0 }), 12);
	SEND(255, OP_MODE_SENSE_10, 0x10, 0x08, 0, 0, 0, 0, 0, 255);	/* LLBAA */
	assert_good();
	g_assert_cmpuint(get_be16(res.in), ==, res.in_len - 2);
	g_assert_cmpuint(res.in[4], ==, 1);
	g_assert_cmpuint(get_be16(res.in + 6), ==, 16);
	g_assert_cmpuint(get_be64(res.in + 8), ==, RIG_BLOCKS);
	g_assert_cmpuint(get_be32(res.in + 20), ==, BS);
	SEND(255, OP_MODE_SENSE_6, 0, 0xff, 0, 255);
	assert_sense(SAVING_NOT_SUPPORTED);
	SEND(255, OP_MODE_SENSE_6, 0, 0x03, 0, 255);
	assert_cdb_field(2, 5);
	SEND(255, OP_MODE_SENSE_6, 0, 0x0a, 2, 255);
	assert_cdb_field(3, -1);
	lun_set_state(rig.lun, 0, LUN_READ_ONLY);
	SEND(255, OP_MODE_SENSE_6, 0, 0x3f, 0, 255);
	g_assert_cmpuint(res.in[2], ==, 0x90);
	/* A device that has no cache has nothing to switch off. */
	lun_set_state(rig.lun, LUN_CACHE | LUN_WCE, 0);
	SEND(255, OP_MODE_SENSE_6, 8, 0x48, 0, 255);
	g_assert_cmpuint(res.in[6], ==, 0);
}

/* MODE SELECT(6) with what MODE SENSE(6) gave, and a byte changed. */
static void select_changed(uint8_t page, unsigned at, uint8_t value)
{
	uint8_t list[64];
	uint32_t len;

	SEND(255, OP_MODE_SENSE_6, 8, page, 0, 255);
	assert_good();
	len = res.in_len;
	memcpy(list, res.in, len);
	list[0] = 0;
	list[4 + at] = value;
	SEND_OUT(list, len, OP_MODE_SELECT_6, 0x10, 0, 0, (uint8_t)len);
}

/* Who turns the cache off is alone at the medium, which is asked of all reactors the first time: that has been done. */
static struct range whole;

static void granted(struct range *r)
{
}

static void take_whole(void *arg)
{
	whole.granted = granted;
	range_take(&whole, rig.lun, rig.r, 0, 1, true);
}

static void give_whole(void *given)
{
	if (whole.state != RANGE_SHARED)
		return;
	range_give(&whole);
	*(bool *)given = true;
}

static void be_alone_once(void)
{
	bool given = false;

	reactor_call(rig.r, take_whole, NULL);
	while (!given)
		reactor_call(rig.r, give_whole, &given);
}

static void test_mode_select(void)
{
	uint8_t list[64] = { 0 };

	for (unsigned way = WAY_FROM; way <= WAY_LENT; way++) {
		rig.way = (enum rig_way)way;
		select_changed(0x08, 2, 0x00);
		assert_good();
		g_assert_false(lun_state(rig.lun) & LUN_WCE);
		g_assert_cmpuint(rig.dev->flushes, ==, way + 1);
		select_changed(0x08, 2, 0x04);
		assert_good();
		g_assert_true(lun_state(rig.lun) & LUN_WCE);
	}
	/* The others hear of it, once. */
	rig.nexus = rig.b;
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(UA_MODE_CHANGED);
	SEND(0, OP_TEST_UNIT_READY);
	assert_good();
	rig.nexus = rig.a;
	SEND(0, OP_TEST_UNIT_READY);
	assert_good();
	/* ... and only of changes. */
	select_changed(0x08, 2, 0x04);
	assert_good();
	g_assert_cmpint(ua_take(nexus_lun(rig.b, 0)), ==, SENSE_NONE);
	select_changed(0x0a, 4, 0x08);
	assert_good();
	SEND_OUT(list, BS, OP_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_sense(WRITE_PROTECTED);
	select_changed(0x0a, 4, 0x00);
	assert_good();
	select_changed(0x0a, 2, 0x26);	/* D_SENSE, TST and GLTSD as it is */
	assert_good();
	SEND(0, 0xc1);
	assert_sense(INVALID_OPCODE);
	g_assert_cmpuint(res.sense[0], ==, 0x72);
	/* All of it is as it was after a reset. */
	lun_reset(rig.lun);
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(UA_RESET);
	g_assert_cmpuint(res.sense[0], ==, 0x70);
}

static void test_mode_select_refused(void)
{
	uint8_t list[64] = { 0 };

	select_changed(0x08, 3, 0x01);
	assert_param_field(4 + 3, 0);
	select_changed(0x0a, 2, 0x20);	/* GLTSD cannot be changed */
	assert_param_field(4 + 2, 1);
	select_changed(0x08, 1, 0x11);
	assert_param_field(4 + 1, -1);
	select_changed(0x08, 0, 0x09);
	assert_param_field(4, 5);
	select_changed(0x08, 0, 0x48);
	assert_param_field(4, 5);
	SEND_OUT(((uint8_t[]){ 0, 0, 0, 0, 0x4a, 2, 0, 28 }), 8, OP_MODE_SELECT_6, 0x10, 0, 0, 8);
	assert_param_field(4, 5);
	SEND_OUT(((uint8_t[]){ 0, 0, 0, 0, 0x4a, 1, 0, 27 }), 8, OP_MODE_SELECT_6, 0x10, 0, 0, 8);
	assert_param_field(7, -1);
	SEND_OUT(((uint8_t[]){ 0, 0, 0, 0, 0x4a, 1, 0 }), 7, OP_MODE_SELECT_6, 0x10, 0, 0, 7);
	assert_sense(PARAMETER_LIST_LENGTH);
	SEND_OUT(list, 4, OP_MODE_SELECT_6, 0x11, 0, 0, 4);	/* SP */
	assert_cdb_field(1, 0);
	SEND_OUT(list, 4, OP_MODE_SELECT_6, 0x00, 0, 0, 4);	/* no PF */
	assert_cdb_field(1, 4);
	SEND_OUT(list, 0, OP_MODE_SELECT_6, 0x10, 0, 0, 0);
	assert_good();
	SEND_OUT(list, 0, OP_MODE_SELECT_6, 0x10, 0, 0, 16);
	assert_sense(PARAMETER_LIST_LENGTH);
	SEND_OUT(list, 3, OP_MODE_SELECT_6, 0x10, 0, 0, 3);
	assert_sense(PARAMETER_LIST_LENGTH);
	SEND_OUT(list, 4, OP_MODE_SELECT_6, 0x10, 0, 0, 4);
	assert_good();
	list[1] = 1;
	SEND_OUT(list, 4, OP_MODE_SELECT_6, 0x10, 0, 0, 4);
	assert_param_field(1, -1);
	list[1] = 0;
	list[3] = 7;
	SEND_OUT(list, 12, OP_MODE_SELECT_6, 0x10, 0, 0, 12);
	assert_param_field(3, -1);
	list[3] = 8;
	SEND_OUT(list, 8, OP_MODE_SELECT_6, 0x10, 0, 0, 8);
	assert_sense(PARAMETER_LIST_LENGTH);
	put_be24(list + 9, 1024);
	SEND_OUT(list, 12, OP_MODE_SELECT_6, 0x10, 0, 0, 12);
	assert_param_field(4, -1);
	put_be24(list + 9, BS);
	SEND_OUT(list, 12, OP_MODE_SELECT_6, 0x10, 0, 0, 12);
	assert_good();
	put_be32(list + 4, RIG_BLOCKS - 1);
	SEND_OUT(list, 12, OP_MODE_SELECT_6, 0x10, 0, 0, 12);
	assert_param_field(4, -1);
	put_be32(list + 4, RIG_BLOCKS);
	list[12] = 0x0a;
	list[13] = 10;
	SEND_OUT(list, 16, OP_MODE_SELECT_6, 0x10, 0, 0, 16);	/* cut within a page */
	assert_sense(PARAMETER_LIST_LENGTH);
	SEND_OUT(list, 13, OP_MODE_SELECT_6, 0x10, 0, 0, 13);
	assert_sense(PARAMETER_LIST_LENGTH);
	/* Nothing of a list with an error in it has happened. */
	memset(list, 0, sizeof list);
	memcpy(list + 8, ((uint8_t[]){ 0x08, 18, 0x00 }), 3);
	memcpy(list + 28, ((uint8_t[]){ 0x0a, 10, 0x22, 0xff }), 4);
	SEND_OUT(list, 40, OP_MODE_SELECT_10, 0x10, 0, 0, 0, 0, 0, 0, 40);
	assert_param_field(31, 7);
	g_assert_true(lun_state(rig.lun) & LUN_WCE);
	list[31] = 0x10;
	SEND_OUT(list, 40, OP_MODE_SELECT_10, 0x10, 0, 0, 0, 0, 0, 0, 40);
	assert_good();
	g_assert_false(lun_state(rig.lun) & LUN_WCE);
}

/* ---- reports and sense ---- */

static void test_no_lun(void)
{
	rig.addr[1] = 5;
	SEND(255, OP_INQUIRY, 0, 0, 0, 255);
	assert_good();
	g_assert_cmpuint(res.in[0], ==, 0x7f);
	SEND(255, OP_INQUIRY, 1, 0, 0, 255);
	assert_cdb_field(2, -1);
	SEND(18, OP_REQUEST_SENSE, 0, 0, 0, 18);
	assert_good();
	g_assert_cmpuint(res.in[12], ==, 0x25);
	SEND(64, OP_REPORT_LUNS, 0, 0, 0, 0, 0, 0, 0, 0, 64);
	assert_good();
	g_assert_cmpuint(get_be32(res.in), ==, 8);
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(LUN_NOT_SUPPORTED);
	SEND(512, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_sense(LUN_NOT_SUPPORTED);
	SEND(0, 0xff);
	assert_sense(LUN_NOT_SUPPORTED);
}

/* The REPORT LUNS well known logical unit, SPC-5 9.3. */
static void test_well_known(void)
{
	lun_format_report_luns(rig.addr);
	g_assert_cmpmem(rig.addr, 8, ((uint8_t[]){ 0xc1, 1, 0, 0, 0, 0, 0, 0 }), 8);
	SEND(255, OP_INQUIRY, 0, 0, 0, 255);
	assert_good();
	g_assert_cmpuint(res.in[0], ==, 0x1e);
	g_assert_cmpuint(get_be16(res.in + 58 + 8), ==, 0);	/* no SBC */
	SEND(255, OP_INQUIRY, 1, 0, 0, 255);
	assert_good();
	g_assert_cmpmem(res.in, res.in_len, ((uint8_t[]){ 0x1e, 0, 0, 2, 0x00, 0x83 }), 6);
	SEND(1024, OP_INQUIRY, 1, 0x83, 4, 0);
	assert_good();
	g_assert_cmpuint(res.in[0], ==, 0x1e);
	for (unsigned at = 4; at < res.in_len; at += 4u + res.in[at + 3])
		g_assert_cmpuint(res.in[at + 1] & 0x30, !=, 0);	/* nothing of a logical unit */
	SEND(255, OP_INQUIRY, 1, 0xb0, 0, 255);
	assert_cdb_field(2, -1);
	SEND(18, OP_REQUEST_SENSE, 0, 0, 0, 18);
	assert_good();
	g_assert_cmpuint(res.in[2] | res.in[12], ==, 0);
	SEND(64, OP_REPORT_LUNS, 0, 0x11, 0, 0, 0, 0, 0, 0, 64);
	assert_good();
	g_assert_cmpuint(get_be32(res.in), ==, 8);
	SEND(0, OP_TEST_UNIT_READY);
	assert_good();
	SEND(512, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_sense(INVALID_OPCODE);
	SEND(255, OP_MODE_SENSE_6, 0, 0x3f, 0, 255);
	assert_sense(INVALID_OPCODE);
	SEND(0, 0xff);
	assert_sense(INVALID_OPCODE);
	rig.addr[1] = 2;	/* another one */
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(LUN_NOT_SUPPORTED);
}

static void test_request_sense(void)
{
	SEND(18, OP_REQUEST_SENSE, 0, 0, 0, 18);
	assert_good();
	g_assert_cmpuint(res.in_len, ==, 18);
	g_assert_cmpuint(res.in[2], ==, 0);
	lun_unit_attention(rig.lun, SENSE_UA_MODE_CHANGED, NULL);
	SEND(252, OP_REQUEST_SENSE, 1, 0, 0, 252);
	g_assert_cmpmem(res.in, res.in_len, ((uint8_t[]){ 0x72, 6, 0x2a, 1, 0, 0, 0, 0 }), 8);
	SEND(0, OP_TEST_UNIT_READY);	/* it has been taken */
	assert_good();
}

static void test_functions(void)
{
	target_set_functions(rig.target, FUNCTION_ABORT_TASK | FUNCTION_LU_RESET | FUNCTION_QUERY_TASK_SET);
	SEND(64, OP_MAINTENANCE_IN, 0x0d, 0, 0, 0, 0, 0, 0, 0, 64);
	assert_good();
	g_assert_cmpmem(res.in, res.in_len, ((uint8_t[]){ 0x88, 0x02, 0, 0 }), 4);
	SEND(64, OP_MAINTENANCE_IN, 0x0d, 0x80, 0, 0, 0, 0, 0, 0, 64);	/* REPD */
	assert_good();
	g_assert_cmpuint(res.in_len, ==, 16);
	g_assert_cmpmem(res.in, 4, ((uint8_t[]){ 0x88, 0x02, 0, 12 }), 4);
}

static void test_diagnostic(void)
{
	uint8_t page[5] = { 0 };

	SEND(0, OP_SEND_DIAGNOSTIC);
	assert_good();
	g_assert_cmpuint(rig.dev->submits, ==, 0);
	SEND(0, OP_SEND_DIAGNOSTIC, 0x04);
	assert_good();
	g_assert_cmpuint(rig.dev->submits, ==, 2);
	g_assert_cmpuint(rig.dev->last_op, ==, GOTGT_OP_READ);
	g_assert_cmpuint(rig.dev->last_offset, ==, (RIG_BLOCKS - 1) * BS);
	SEND(0, OP_SEND_DIAGNOSTIC, 0x20);	/* background short self-test */
	assert_cdb_field(1, 5);
	SEND_OUT(page, 4, OP_SEND_DIAGNOSTIC, 0x14, 0, 0, 4);	/* a self-test with pages */
	assert_cdb_field(3, -1);
	SEND_OUT(page, 4, OP_SEND_DIAGNOSTIC, 0x00, 0, 0, 4);	/* no pages */
	assert_cdb_field(3, -1);
	SEND_OUT(page, 4, OP_SEND_DIAGNOSTIC, 0x10, 0, 0, 4);
	assert_good();
	SEND_OUT(page, 3, OP_SEND_DIAGNOSTIC, 0x10, 0, 0, 4);
	assert_sense(PARAMETER_LIST_LENGTH);
	SEND_OUT(page, 3, OP_SEND_DIAGNOSTIC, 0x10, 0, 0, 3);
	assert_sense(PARAMETER_LIST_LENGTH);
	page[3] = 1;
	SEND_OUT(page, 5, OP_SEND_DIAGNOSTIC, 0x10, 0, 0, 5);
	assert_param_field(2, -1);
	page[0] = 0x40;
	SEND_OUT(page, 5, OP_SEND_DIAGNOSTIC, 0x10, 0, 0, 5);
	assert_param_field(0, -1);
	rig.dev->fail_op = GOTGT_OP_READ;
	rig.dev->fail = GOTGT_ERR_IO;
	for (rig.dev->fail_after = 0; rig.dev->fail_after < 2; rig.dev->fail_after++) {
		unsigned after = rig.dev->fail_after;

		SEND(0, OP_SEND_DIAGNOSTIC, 0x04);
		assert_sense(SELF_TEST_FAILED);
		rig.dev->fail_after = after;
	}
	lun_set_state(rig.lun, 0, LUN_STOPPED);
	SEND(0, OP_SEND_DIAGNOSTIC, 0x04);
	assert_sense(NOT_READY_MANUAL);
	for (unsigned pcv = 0; pcv < 2; pcv++) {
		SEND(64, OP_RECEIVE_DIAGNOSTIC, (uint8_t)pcv, 0, 0, 64);
		assert_good();
		g_assert_cmpmem(res.in, res.in_len, ((uint8_t[]){ 0, 0, 0, 1, 0 }), 5);
	}
	SEND(64, OP_RECEIVE_DIAGNOSTIC, 1, 0x40, 0, 64);
	assert_cdb_field(2, -1);
}

static void test_unit_attention(void)
{
	struct nexus *n = nexus_new(rig.target, rig.r, "iqn.x:c,i,0x3", 1, 1);

	rig.nexus = n;
	SEND(255, OP_INQUIRY, 0, 0, 0, 255);
	assert_good();
	SEND(64, OP_REPORT_LUNS, 0, 0, 0, 0, 0, 0, 0, 0, 64);
	assert_good();
	SEND(0, 0xc1);
	assert_sense(UA_POWER_ON);
	SEND(0, 0xc1);
	assert_sense(INVALID_OPCODE);
	/* REPORT LUNS is what LUNS CHANGED asks for. */
	target_set_ua_all(rig.target, UA_LUNS_CHANGED, NULL);
	lun_unit_attention(rig.lun, SENSE_UA_INQUIRY_CHANGED, NULL);
	SEND(64, OP_REPORT_LUNS, 0, 0, 0, 0, 0, 0, 0, 0, 64);
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(UA_INQUIRY_CHANGED);
	SEND(0, OP_TEST_UNIT_READY);
	assert_good();
	nexus_free(n);
}

static void assert_luns(unsigned n, ...)
{
	va_list ap;

	va_start(ap, n);
	assert_good();
	g_assert_cmpuint(get_be32(res.in), ==, n * 8);
	g_assert_cmpuint(res.in_len, ==, 8 + n * 8);
	for (unsigned i = 0; i < n; i++)
		g_assert_cmphex(get_be16(res.in + 8 + 8 * i), ==, va_arg(ap, unsigned));
	va_end(ap);
}

static void test_report_luns(void)
{
	SEND(64, OP_REPORT_LUNS, 0, 0, 0, 0, 0, 0, 0, 0, 64);
	assert_luns(1, 0);
	SEND(64, OP_REPORT_LUNS, 0, 1, 0, 0, 0, 0, 0, 0, 64);
	assert_luns(1, 0xc101);
	SEND(64, OP_REPORT_LUNS, 0, 2, 0, 0, 0, 0, 0, 0, 64);
	assert_luns(2, 0, 0xc101);
	SEND(64, OP_REPORT_LUNS, 0, 3, 0, 0, 0, 0, 0, 0, 64);
	assert_cdb_field(2, -1);
	SEND(64, OP_REPORT_LUNS, 0, 0x10, 0, 0, 0, 0, 0, 0, 64);
	assert_luns(0);
	SEND(64, OP_REPORT_LUNS, 0, 0x11, 0, 0, 0, 0, 0, 0, 64);
	assert_luns(1, 0);
	SEND(64, OP_REPORT_LUNS, 0, 0x12, 0, 0, 0, 0, 0, 0, 64);
	assert_luns(0);
	SEND(64, OP_REPORT_LUNS, 0, 0, 0, 0, 0, 0, 0, 0, 4);
	g_assert_cmpuint(res.in_len, ==, 4);
	/* 10h and 11h are for LUN 0 and the well known one. */
	rig.addr[1] = 7;
	SEND(64, OP_REPORT_LUNS, 0, 0x11, 0, 0, 0, 0, 0, 0, 64);
	assert_cdb_field(2, -1);
	SEND(64, OP_REPORT_LUNS, 0, 0x12, 0, 0, 0, 0, 0, 0, 64);
	assert_luns(0);
}

/* ---- cache ---- */

static void test_sync_cache(void)
{
	SEND(0, OP_SYNCHRONIZE_CACHE_10, 2, 0, 0, 0, 1, 0, 0, 1);
	assert_good();
	SEND(0, OP_SYNCHRONIZE_CACHE_16);
	assert_good();
	g_assert_cmpuint(rig.dev->flushes, ==, 2);
	SEND(0, OP_SYNCHRONIZE_CACHE_10, 0, 0xff, 0, 0, 1, 0, 0, 1);
	assert_sense(LBA_OUT_OF_RANGE);
	rig.dev->fail = GOTGT_ERR_IO;
	rig.dev->fail_op = GOTGT_OP_FLUSH;
	SEND(0, OP_SYNCHRONIZE_CACHE_10);
	assert_sense(WRITE_ERROR);
}

/* ---- GET LBA STATUS ---- */

static void lba_status(uint8_t lba, uint8_t room)
{
	SEND(room, OP_SERVICE_ACTION_IN_16, 0x12, 0, 0, 0, 0, 0, 0, 0, lba, 0, 0, 0, room);
}

static void assert_status(unsigned i, uint64_t lba, uint32_t blocks, uint8_t state)
{
	const uint8_t *d = res.in + 8 + (size_t)i * 16;

	g_assert_cmpuint(res.in_len, >=, 24 + i * 16);
	g_assert_cmpuint(get_be64(d), ==, lba);
	g_assert_cmpuint(get_be32(d + 8), ==, blocks);
	g_assert_cmpuint(d[12], ==, state);
}

static void test_lba_status(void)
{
	lba_status(7, 24);	/* no way to know: mapped */
	assert_good();
	assert_status(0, 7, RIG_BLOCKS - 7, 0);
	rig.dev->info.extents = true;
	rig.dev->n_extents = 5;
	memcpy(rig.dev->extents, ((struct gotgt_extent[]){
		{ 4 * BS, GOTGT_EXTENT_ALLOCATED }, { 2 * BS, GOTGT_EXTENT_ZERO }, { 4 * BS - 100, GOTGT_EXTENT_HOLE },
		{ 100, GOTGT_EXTENT_ALLOCATED }, { 8 * BS, GOTGT_EXTENT_HOLE } }), 5 * sizeof(struct gotgt_extent));
	lba_status(10, 104);
	assert_good();
	g_assert_cmpuint(res.in_len, ==, 8 + 5 * 16);
	g_assert_cmpuint(get_be32(res.in), ==, res.in_len - 4);
	assert_status(0, 10, 4, 0);
	assert_status(1, 14, 2, 2);
	assert_status(2, 16, 3, 1);
	assert_status(3, 19, 1, 0);	/* in part a hole */
	assert_status(4, 20, 8, 1);
	/* By REPORT TYPE: anchored, all but mapped. */
	SEND(104, OP_SERVICE_ACTION_IN_16, 0x12, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 104, 4);
	assert_good();
	assert_status(0, 14, 2, 2);
	SEND(104, OP_SERVICE_ACTION_IN_16, 0x12, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 104, 1);
	assert_good();
	assert_status(0, 14, 2, 2);
	assert_status(1, 16, 3, 1);
	/* Without a way to anchor, zeroes with their space are mapped like any. */
	lun_set_state(rig.lun, LUN_ANCHORS, 0);
	lba_status(10, 104);
	assert_status(0, 10, 6, 0);
	assert_status(1, 16, 3, 1);
	lba_status(10, 24);
	g_assert_cmpuint(res.in_len, ==, 24);
	assert_status(0, 10, 4, 0);
	lba_status(10, 0);
	assert_good();
	rig.dev->query_fail = GOTGT_ERR_IO;
	lba_status(10, 24);
	assert_sense(READ_ERROR);
	SEND(24, OP_SERVICE_ACTION_IN_16, 0x12, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 24);
	assert_sense(LBA_OUT_OF_RANGE);
	lun_set_state(rig.lun, LUN_THIN, 0);
	lba_status(10, 24);
	assert_status(0, 10, RIG_BLOCKS - 10, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	rig_add("/scsi/mode/sense", test_mode_sense);
	rig_add_around("/scsi/mode/select", be_alone_once, NULL, test_mode_select);
	rig_add_around("/scsi/mode/select-refused", be_alone_once, NULL, test_mode_select_refused);
	rig_add("/scsi/no-lun", test_no_lun);
	rig_add("/scsi/well-known-lun", test_well_known);
	rig_add("/scsi/request-sense", test_request_sense);
	rig_add("/scsi/task-functions", test_functions);
	rig_add("/scsi/diagnostic", test_diagnostic);
	rig_add("/scsi/unit-attention", test_unit_attention);
	rig_add("/scsi/report-luns", test_report_luns);
	rig_add("/scsi/sync-cache", test_sync_cache);
	rig_add("/scsi/lba-status", test_lba_status);
	return g_test_run();
}
