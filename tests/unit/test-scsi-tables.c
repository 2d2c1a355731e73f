/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of core/scsi walked, and the small parts they are made of. */
#include "config.h"
#include "scsi-rig.h"
#include "scsi/mode.h"
#include "scsi/vpd.h"

/* ---- CDBs ---- */

static bool covered(const struct cdb_op *op, unsigned at, unsigned len)
{
	for (unsigned i = at; i < at + len; i++)
		if (!op->usage[i])
			return false;
	return at + len <= op->len;
}

static void test_rows(void)
{
	const struct cdb_op *op;
	unsigned n = 0;

	for (; (op = cdb_nth(n)); n++) {
		static const uint8_t lens[8] = { 6, 10, 10, 0, 16, 12 };
		bool known;
		uint8_t cdb[16] = { op->opcode, op->sa };

		g_test_message("%s", op->name);
		g_assert_nonnull(op->name);
		g_assert_nonnull(op->run);
		g_assert_true(cdb_find(cdb, &known) == op);
		g_assert_cmpuint(op->len, ==, lens[op->opcode >> 5]);	/* SPC-5 4.2.5.1, group code */
		g_assert_cmpuint(op->usage[0], ==, 0xff);
		g_assert_cmpuint(op->usage[op->len - 1], ==, 0);	/* CONTROL: no NACA */
		for (unsigned i = op->len; i < CDB_LEN_MAX; i++)
			g_assert_cmpuint(op->usage[i], ==, 0);
		if (op->flags & CDB_LBA)
			g_assert_true(covered(op, op->lba_at, op->lba_len));
		if (op->unit != CDB_NO_LENGTH)
			g_assert_true(covered(op, op->len_at, op->len_len));
		if (op->unit == CDB_BLOCKS || op->unit == CDB_RANGE)
			g_assert_true(op->flags & CDB_LBA);
		if (op->flags & CDB_SA)
			g_assert_cmpuint(op->usage[1] & 0x1f, ==, 0x1f);
		else
			g_assert_cmpuint(op->sa, ==, 0);
		if (op->flags & CDB_WRITE)
			g_assert_true(op->flags & CDB_MEDIUM);
		if (op->flags & CDB_FUA)
			g_assert_cmpuint(op->usage[1] & 0x08, ==, 0x08);
		if (op->flags & CDB_PLAIN)
			g_assert_true(op->dir == CDB_OUT && op->unit == CDB_BLOCKS);
		g_assert_cmpuint(op->thin_byte1 & ~op->usage[1], ==, 0);
		g_assert_cmpuint(op->when_bits & ~op->usage[op->when_byte], ==, 0);
		g_assert_true(!op->when_bits == !op->when_state);
		g_assert_true(!op->when_bits || op->check);	/* refuses them where they are not */
	}
	g_assert_cmpuint(n, >=, 60);
}

static void test_find(void)
{
	bool known;

	for (unsigned opcode = 0; opcode < 256; opcode++) {
		const struct cdb_op *op = NULL;
		uint8_t cdb[16] = { (uint8_t)opcode, 0x1d };
		bool there = false, sa = false;

		for (unsigned i = 0; (op = cdb_nth(i)); i++)
			if (op->opcode == opcode) {
				there = true;
				sa = op->flags & CDB_SA;
			}
		op = cdb_find(cdb, &known);
		g_assert_true(known == there);
		g_assert_true((op != NULL) == (there && !sa));
		g_assert_true(cdb_has_service_actions((uint8_t)opcode) == sa);
	}
	g_assert_null(cdb_lookup(NULL, OP_SERVICE_ACTION_IN_16, 0x110));	/* not 0x10 */
	g_assert_null(cdb_lookup(NULL, OP_READ_10, 1));
	g_assert_nonnull(cdb_lookup(NULL, OP_SERVICE_ACTION_IN_16, 0x12));
}

/* Each reserved bit of each command is refused with its place. */
static void test_reserved_bits(void)
{
	const struct cdb_op *op;

	target_set_groups(rig.target, NULL, 0, true);
	for (unsigned i = 0; (op = cdb_nth(i)); i++)
		for (unsigned bit = 8; bit < op->len * 8u; bit++) {
			uint8_t cdb[16] = { op->opcode, op->sa };

			if (op->usage[bit / 8] & 1 << bit % 8)
				continue;
			cdb[bit / 8] |= (uint8_t)(1 << bit % 8);
			rig_send(cdb, sizeof cdb, NULL, 0, 255);
			assert_cdb_field(bit / 8, (int)(bit % 8));
		}
	rig.cdb_len = 9;
	SEND(0, OP_READ_10);
	assert_cdb_field(9, -1);
}

/* What writes is refused for what it is, whatever it would write; what does not is not. */
static void test_write_protected(void)
{
	const struct cdb_op *op;
	unsigned writes = 0;

	lun_set_state(rig.lun, 0, LUN_READ_ONLY);
	for (unsigned i = 0; (op = cdb_nth(i)); i++) {
		uint8_t cdb[16] = { op->opcode, op->flags & CDB_SA ? op->sa : 0 };

		if (!(op->flags & CDB_WRITE))
			continue;
		g_test_message("%s", op->name);
		writes++;
		rig_send(cdb, sizeof cdb, NULL, 0, 0);
		assert_sense(WRITE_PROTECTED);
	}
	g_assert_cmpuint(writes, >=, 10);
	SEND(512, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_good();
	SEND(0, OP_VERIFY_10, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_good();
	SEND(0, OP_SYNCHRONIZE_CACHE_10);
	assert_good();
}

/* MODE SENSE says DPOFUA: each READ and WRITE with room for the bits has both, in the usage data too (SBC-4 6.5.1). */
static void test_dpofua(void)
{
	static const uint8_t ops[] = { OP_READ_10, OP_READ_12, OP_READ_16, OP_WRITE_10, OP_WRITE_12, OP_WRITE_16 };

	SEND(4, OP_MODE_SENSE_6, 8, 0x3f, 0, 4);
	g_assert_cmpuint(res.in[2] & 0x10, ==, 0x10);
	for (unsigned i = 0; i < G_N_ELEMENTS(ops); i++) {
		SEND(255, OP_MAINTENANCE_IN, 0x0c, 1, ops[i], 0, 0, 0, 0, 0, 255);
		g_assert_cmphex(res.in[5] & 0x18, ==, 0x18);
	}
}

/* ---- sense data ---- */

static void test_sense_rows(void)
{
	for (int i = 0; i < SENSE_COUNT; i++) {
		g_assert_nonnull(sense_rows[i].name);
		g_assert_nonnull(sense_rows[i].text);
		g_assert_true(ua_of_code((enum sense_code)i) < 0 || sense_rows[i].key == KEY_UNIT_ATTENTION);
		g_assert_true((sense_rows[i].key == KEY_UNIT_ATTENTION) == (ua_of_code((enum sense_code)i) >= 0));
	}
}

static void test_sense_formats(void)
{
	struct sense_field field = { .valid = true, .in_cdb = true, .bit_valid = true, .bit = 3, .byte = 0x102 };
	uint8_t d[64];

	g_assert_cmpuint(sense_build(d, sizeof d, false, SENSE_INVALID_FIELD_IN_CDB, &field, false, 0), ==, 18);
	g_assert_cmpmem(d, 18, ((uint8_t[]){ 0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x24, 0, 0, 0xcb, 1, 2 }), 18);
	g_assert_cmpuint(sense_build(d, sizeof d, false, SENSE_MISCOMPARE, NULL, true, 0x01020304), ==, 18);
	g_assert_cmpmem(d, 18, ((uint8_t[]){ 0xf0, 0, 0xe, 1, 2, 3, 4, 10, 0, 0, 0, 0, 0x1d, 0, 0, 0, 0, 0 }), 18);
	/* What does not fit is not valid. */
	sense_build(d, sizeof d, false, SENSE_MISCOMPARE, NULL, true, UINT64_C(1) << 32);
	g_assert_cmpuint(d[0], ==, 0x70);
	field = (struct sense_field){ .valid = true, .byte = 7 };
	g_assert_cmpuint(sense_build(d, sizeof d, true, SENSE_INVALID_FIELD_IN_PARAMETERS, &field, true,
				     UINT64_C(0x0102030405060708)), ==, 28);
	g_assert_cmpmem(d, 28, ((uint8_t[]){ 0x72, 5, 0x26, 0, 0, 0, 0, 20,
					     0, 10, 0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 2, 6, 0, 0, 0x80, 0, 7, 0 }), 28);
	g_assert_cmpuint(sense_build(d, 4, true, SENSE_NONE, NULL, false, 0), ==, 4);
}

/* ---- addresses and unit attentions ---- */

static void test_addresses(void)
{
	static const struct { uint8_t addr[8]; int number; } cases[] = {
		{ { 0, 0 }, 0 }, { { 0, 255 }, 255 }, { { 0x40, 0 }, 0 }, { { 0x41, 0 }, 256 }, { { 0x7f, 0xff }, 16383 },
		{ { 1, 0 }, -1 }, { { 0x80, 0 }, -1 }, { { 0xc1, 1 }, -1 }, { { 0, 0, 1 }, -1 }, { { 0, 1, 0, 0, 0, 0, 0, 1 }, -1 },
	};
	uint8_t addr[8];

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
		g_assert_cmpint(lun_parse(cases[i].addr), ==, cases[i].number);
	for (uint32_t n = 0; n <= LUN_MAX; n++) {
		memset(addr, 0xff, sizeof addr);
		lun_format(addr, n);
		g_assert_cmpint(lun_parse(addr), ==, (int)n);
		g_assert_cmpuint(addr[0] >> 6, ==, n < 256 ? 0 : 1);
	}
}

static void test_ua_queue(void)
{
	struct nexus_lun *nl = nexus_lun(rig.a, 0), *other = nexus_lun(rig.b, 0);

	lun_unit_attention(rig.lun, SENSE_UA_LUNS_CHANGED, NULL);
	lun_unit_attention(rig.lun, SENSE_UA_MODE_CHANGED, NULL);
	lun_unit_attention(rig.lun, SENSE_UA_MODE_CHANGED, NULL);
	lun_unit_attention(rig.lun, SENSE_UA_RESET, rig.a);
	g_assert_cmpint(ua_take(nl), ==, SENSE_UA_MODE_CHANGED);
	g_assert_cmpint(ua_take(nl), ==, SENSE_UA_LUNS_CHANGED);
	g_assert_cmpint(ua_take(nl), ==, SENSE_NONE);
	g_assert_cmpint(ua_take(other), ==, SENSE_UA_RESET);
	g_assert_cmpint(ua_take(other), ==, SENSE_UA_MODE_CHANGED);
	/* LUNs nobody has looked at start with POWER ON, and it stands for the rest. */
	nexus_set_ua(rig.a, 5000, UA_CAPACITY_CHANGED);
	g_assert_cmpint(ua_take(nexus_lun(rig.a, 5000)), ==, SENSE_UA_POWER_ON);
	g_assert_cmpint(ua_take(nexus_lun(rig.a, 5000)), ==, SENSE_NONE);
	nexus_set_ua(rig.a, 5000, UA_CAPACITY_CHANGED);
	g_assert_cmpint(ua_take(nexus_lun(rig.a, 5000)), ==, SENSE_UA_CAPACITY_CHANGED);
}

/* ---- pages ---- */

static void test_vpd_pages(void)
{
	const struct vpd_page *p;
	uint8_t last = 0, listed[256];
	unsigned n = 0;

	SEND(1024, OP_INQUIRY, 1, 0, 4, 0);
	assert_good();
	n = get_be16(res.in + 2);
	memcpy(listed, res.in + 4, n);
	g_assert_cmpuint(n, ==, 11);
	for (unsigned i = 0; (p = vpd_nth(i)); i++) {
		g_assert_true(!i || p->code > last);
		last = p->code;
		g_assert_nonnull(memchr(listed, p->code, n));
	}
	for (unsigned code = 0; code < 256; code++) {
		SEND(1024, OP_INQUIRY, 1, (uint8_t)code, 4, 0);
		if (memchr(listed, (int)code, n)) {
			assert_good();
			g_assert_cmpuint(res.in[1], ==, code);
			g_assert_cmpuint(res.in_len, ==, get_be16(res.in + 2) + 4u);
		} else {
			assert_cdb_field(2, -1);
		}
	}
	/* Not thin: no page B2h. */
	lun_set_state(rig.lun, LUN_THIN, 0);
	SEND(1024, OP_INQUIRY, 1, 0xb2, 4, 0);
	assert_cdb_field(2, -1);
	SEND(1024, OP_INQUIRY, 1, 0, 4, 0);
	g_assert_cmpuint(get_be16(res.in + 2), ==, 10);
}

static void test_mode_pages(void)
{
	const struct mode_page *p;
	const struct mode_bit *b;
	uint8_t d[MODE_PAGE_MAX];
	int last = -1;

	for (unsigned i = 0; (p = mode_page_nth(i)); i++) {
		g_assert_cmpuint(p->len, <=, MODE_PAGE_MAX);
		if (p->bytes[0] & MODE_SPF)
			g_assert_cmpuint(get_be16(p->bytes + 2), ==, p->len - 4);
		else
			g_assert_cmpuint(p->bytes[1], ==, p->len - 2);
		for (int pc = PC_CURRENT; pc <= PC_SAVED; pc++) {
			g_assert_cmpuint(mode_page_build(rig.lun, p, (enum mode_pc)pc, d), ==, p->len);
			g_assert_cmpmem(d, mode_header_len(p), p->bytes, mode_header_len(p));
		}
		/* By rising code, subpages behind their page. */
		g_assert_cmpint(mode_page_code(p) << 8 | mode_subpage_code(p), >, last);
		last = mode_page_code(p) << 8 | mode_subpage_code(p);
	}
	for (unsigned i = 0; (b = mode_bit_nth(i)); i++) {
		bool found = false;

		for (unsigned k = 0; (p = mode_page_nth(k)); k++)
			if (mode_page_code(p) == b->page && mode_subpage_code(p) == b->subpage) {
				found = true;
				g_assert_cmpuint(b->byte, <, p->len);
				g_assert_cmpuint(p->bytes[b->byte] & b->mask, ==, 0);
				mode_page_build(rig.lun, p, PC_CHANGEABLE, d);
				g_assert_cmpuint(d[b->byte] & b->mask, ==, b->mask);
			}
		g_assert_true(found);
		g_assert_cmpuint(b->state & ~(unsigned)LUN_MODE_BITS, ==, 0);
	}
}

/* REPORT SUPPORTED OPERATION CODES prints the table. */
static void test_rsoc(void)
{
	const struct cdb_op *op;
	unsigned n = 0, at = 4;

	target_set_groups(rig.target, NULL, 0, true);
	SEND(4096, OP_MAINTENANCE_IN, 0x0c, 0x80, 0, 0, 0, 0, 0, 16, 0);
	assert_good();
	for (; (op = cdb_nth(n)); n++, at += 20) {
		g_assert_cmpuint(res.in[at], ==, op->opcode);
		g_assert_cmpuint(get_be16(res.in + at + 2), ==, op->sa);
		g_assert_cmpuint(res.in[at + 5], ==, 2 | (op->flags & CDB_SA ? 1 : 0));
		g_assert_cmpuint(get_be16(res.in + at + 6), ==, op->len);
		g_assert_cmpuint(get_be16(res.in + at + 8), ==, 10);
	}
	g_assert_cmpuint(get_be32(res.in), ==, at - 4);
	g_assert_cmpuint(res.in_len, ==, at);
	for (unsigned i = 0; (op = cdb_nth(i)); i++) {
		uint8_t want[16];
		bool sa = op->flags & CDB_SA;

		for (unsigned option = 1; option <= 3; option++) {
			SEND(255, OP_MAINTENANCE_IN, 0x0c, (uint8_t)option, op->opcode, 0, op->sa, 0, 0, 0, 255);
			if ((option == 1 && sa) || (option == 2 && !sa)) {
				assert_cdb_field(2, 2);
				continue;
			}
			assert_good();
			cdb_usage(op, rig.lun, want);
			g_assert_cmpuint(res.in[1], ==, 3);
			g_assert_cmpuint(get_be16(res.in + 2), ==, op->len);
			g_assert_cmpmem(res.in + 4, res.in_len - 4, want, op->len);
			g_assert_cmpuint(want[0], ==, op->opcode);
			g_assert_true(!sa || (want[1] & 0x1f) == op->sa);
		}
	}
	SEND(255, OP_MAINTENANCE_IN, 0x0c, 1, 0xc1, 0, 0, 0, 0, 0, 255);	/* vendor specific */
	assert_good();
	g_assert_cmpuint(res.in[1], ==, 1);
	g_assert_cmpuint(res.in_len, ==, 4);
	SEND(255, OP_MAINTENANCE_IN, 0x0c, 4, 0, 0, 0, 0, 0, 0, 255);
	assert_cdb_field(2, 2);
	/* What a fully provisioned unit does not have is not said. */
	lun_set_state(rig.lun, LUN_THIN | LUN_ANCHORS, 0);
	SEND(255, OP_MAINTENANCE_IN, 0x0c, 1, OP_UNMAP, 0, 0, 0, 0, 0, 255);
	g_assert_cmpuint(res.in[1], ==, 1);
	SEND(255, OP_MAINTENANCE_IN, 0x0c, 1, OP_WRITE_SAME_16, 0, 0, 0, 0, 0, 255);
	g_assert_cmpuint(res.in[5], ==, 0x01);
	SEND(4096, OP_MAINTENANCE_IN, 0x0c, 0, 0, 0, 0, 0, 0, 16, 0);
	g_assert_cmpuint(get_be32(res.in), ==, (n - 2) * 8);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/scsi/cdb/rows", test_rows);
	g_test_add_func("/scsi/cdb/find", test_find);
	rig_add("/scsi/cdb/reserved-bits", test_reserved_bits);
	rig_add("/scsi/cdb/report", test_rsoc);
	rig_add("/scsi/cdb/write-protected", test_write_protected);
	rig_add("/scsi/cdb/dpofua", test_dpofua);
	g_test_add_func("/scsi/sense/rows", test_sense_rows);
	g_test_add_func("/scsi/sense/formats", test_sense_formats);
	g_test_add_func("/scsi/lun/addresses", test_addresses);
	rig_add("/scsi/ua/queue", test_ua_queue);
	rig_add("/scsi/vpd/pages", test_vpd_pages);
	rig_add("/scsi/mode/pages", test_mode_pages);
	return g_test_run();
}
