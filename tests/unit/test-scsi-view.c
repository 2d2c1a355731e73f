/* SPDX-License-Identifier: Apache-2.0 */
/* What one initiator sees of a target: numbers of its own, fewer units, none to write to. */
#include "config.h"
#include "scsi-rig.h"

static struct device *second;

static void add_second(void)
{
	struct lun_conf conf = { .thin = true };
	GError *error = NULL;

	second = fake_new(RIG_BLOCKS * 512ull, 512, GOTGT_DEV_THIN, RIG_OPS);
	target_add_lun(rig.target, 300, second, &conf, &error);
	g_assert_no_error(error);
}

static void remove_second(void)
{
	target_remove_lun(rig.target, 300, NULL, NULL);
	fake_free(second);
}

/* The numbers that REPORT LUNS tells. */
static void assert_luns(unsigned n, uint32_t first, uint32_t last)
{
	SEND(256, OP_REPORT_LUNS, 0, 0, 0, 0, 0, 0, 0, 1, 0);
	assert_good();
	g_assert_cmpuint(get_be32(res.in), ==, 8 * n);
	if (n) {
		g_assert_cmpint(lun_parse(res.in + 8), ==, first);
		g_assert_cmpint(lun_parse(res.in + 8 * n), ==, last);
	}
}

static void to(uint32_t number)
{
	lun_format(rig.addr, number);
}

static void write_one(void)
{
	static const uint8_t data[512] = { 'x' };

	SEND_OUT(data, 512, OP_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1);
}

static void test_map(void)
{
	const struct lun_view_row rows[] = { { .number = 7, .lun = 0, .read_only = true }, { .number = 0, .lun = 300 },
					     { .number = 12, .lun = 44 } };

	rig_clear_ua(rig.a);
	while (ua_take(nexus_lun(rig.a, 300)) != SENSE_NONE)
		;
	assert_luns(2, 0, 300);
	nexus_set_view(rig.a, lun_view_new(rows, G_N_ELEMENTS(rows), false));
	g_assert_true(nexus_sees_part(rig.a));
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(UA_LUNS_CHANGED);
	assert_luns(2, 0, 7);		/* 44 is not there */
	write_one();			/* to 0, which is 300 */
	assert_good();
	g_assert_cmpuint(second->ram[0], ==, 'x');
	g_assert_cmpuint(rig.dev->ram[0], ==, 0);
	to(7);
	write_one();
	assert_sense(UA_MODE_CHANGED);
	write_one();
	assert_sense(WRITE_PROTECTED);
	SEND(64, OP_MODE_SENSE_6, 0, 0x3f, 0, 64);
	assert_good();
	g_assert_cmphex(res.in[2] & 0x80, ==, 0x80);
	SEND(512, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_good();
	to(300);
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(LUN_NOT_SUPPORTED);
	g_assert_null(nexus_find_lun(rig.a, rig.addr));
	to(12);
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(LUN_NOT_SUPPORTED);
	/* Nobody else sees it so. */
	rig.nexus = rig.b;
	to(0);
	rig_clear_ua(rig.b);
	SEND(64, OP_MODE_SENSE_6, 0, 0x3f, 0, 64);
	g_assert_cmphex(res.in[2] & 0x80, ==, 0);
	write_one();
	assert_good();
	g_assert_cmpuint(rig.dev->ram[0], ==, 'x');
}

static void test_read_only(void)
{
	g_assert_false(nexus_sees_part(rig.a));
	nexus_set_view(rig.a, lun_view_new(NULL, 0, true));
	g_assert_false(nexus_sees_part(rig.a));
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(UA_MODE_CHANGED);
	rig_clear_ua(rig.a);
	assert_luns(2, 0, 300);
	write_one();
	assert_sense(WRITE_PROTECTED);
	nexus_set_view(rig.a, lun_view_new(NULL, 0, true));	/* the same: no news */
	SEND(0, OP_TEST_UNIT_READY);
	assert_good();
	nexus_set_view(rig.a, NULL);
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(UA_MODE_CHANGED);
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(UA_LUNS_CHANGED);
	write_one();
	assert_good();
}

static void test_equal(void)
{
	const struct lun_view_row a[] = { { 0, 1, false }, { 1, 0, true } }, b[] = { { 1, 0, true }, { 0, 1, false } },
				  c[] = { { 0, 1, false }, { 1, 0, false } }, d[] = { { 0, 1, false } };
	struct lun_view *va = lun_view_new(a, 2, false), *vb = lun_view_new(b, 2, false), *vc = lun_view_new(c, 2, false),
			*vd = lun_view_new(d, 1, false), *all = lun_view_new(NULL, 0, false);

	g_assert_true(lun_view_equal(va, vb));
	g_assert_false(lun_view_equal(va, vc));
	g_assert_false(lun_view_equal(va, vd));
	g_assert_false(lun_view_equal(va, all));
	g_assert_false(lun_view_equal(va, NULL));
	g_assert_true(lun_view_equal(NULL, NULL));
	g_assert_cmpint(lun_view_number(vd, 0), ==, -1);
	g_assert_cmpint(lun_view_number(vd, 16383), ==, -1);
	g_assert_cmpint(lun_view_find(vd, -1), ==, -1);
	g_assert_cmpint(lun_view_find(all, 16383), ==, 16383);
	lun_view_unref(va);
	lun_view_unref(vb);
	lun_view_unref(vc);
	lun_view_unref(vd);
	lun_view_unref(all);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	rig_add_around("/scsi/view/map", add_second, remove_second, test_map);
	rig_add_around("/scsi/view/read-only", add_second, remove_second, test_read_only);
	g_test_add_func("/scsi/view/equal", test_equal);
	return g_test_run();
}
