/* SPDX-License-Identifier: Apache-2.0 */
/* What a logical unit says it is: INQUIRY and its pages, capacity. */
#include "config.h"
#include "scsi-rig.h"

enum { BS = 512 };

/* ---- INQUIRY ---- */

static void test_inquiry(void)
{
	uint8_t whole[96];

	SEND(255, OP_INQUIRY, 0, 0, 0, 255);
	assert_good();
	g_assert_cmpuint(res.in_len, ==, 96);
	g_assert_cmpuint(res.xfer_len, ==, 96);
	memcpy(whole, res.in, 96);
	g_assert_cmpmem(whole, 8, ((uint8_t[]){ 0, 0, 6, 0x12, 91, 0x18, 0, 2 }), 8);
	g_assert_cmpmem(whole + 8, 24, "GOTGT   VIRTUAL-DISK    ", 24);
	g_assert_cmpmem(whole + 58, 14, ((uint8_t[]){ 0x00, 0xa0, 0x05, 0xc0, 0x04, 0x60, 0x09, 0x60, 0x06, 0x00, 0x04, 0xc0,
						      0, 0 }), 14);
	for (unsigned len = 0; len < 256; len++) {
		SEND(255, OP_INQUIRY, 0, 0, 0, (uint8_t)len);
		assert_good();
		g_assert_cmpuint(res.xfer_len, ==, MIN(len, 96));
		g_assert_cmpmem(res.in, res.in_len, whole, MIN(len, 96));
	}
	SEND(256, OP_INQUIRY, 0, 0, 1, 0);
	g_assert_cmpmem(res.in, res.in_len, whole, 96);
	SEND(10, OP_INQUIRY, 0, 0, 0, 255);	/* EDTL is less than what there is */
	g_assert_cmpuint(res.in_len, ==, 10);
	g_assert_cmpuint(res.xfer_len, ==, 96);
	SEND(255, OP_INQUIRY, 0, 1, 0, 255);
	assert_cdb_field(2, -1);
	SEND(255, OP_INQUIRY, 2, 0, 0, 255);
	assert_cdb_field(1, 1);
}

static const uint8_t *find_designator(uint8_t assoc_type)
{
	for (unsigned at = 4; at < res.in_len; at += 4u + res.in[at + 3])
		if ((res.in[at + 1] & 0x3f) == assoc_type)
			return res.in + at;
	g_error("no designator %02x", assoc_type);
}

static void test_identification(void)
{
	const uint8_t *d;
	struct lun_identity id;

	lun_get_identity(rig.lun, &id);
	SEND(255, OP_INQUIRY, 1, 0x80, 0, 255);
	g_assert_cmpmem(res.in + 4, res.in_len - 4, id.serial, strlen(id.serial));
	SEND(1024, OP_INQUIRY, 1, 0x83, 4, 0);
	d = find_designator(0x01);
	g_assert_cmpuint(d[0], ==, 2);
	g_assert_cmpmem(d + 4, 8, "GOTGT   ", 8);
	g_assert_cmpmem(d + 12, d[3] - 8u, id.serial, strlen(id.serial));
	d = find_designator(0x03);
	g_assert_cmpuint(d[4] >> 4, ==, 3);
	g_assert_cmpuint(get_be64(d + 4), ==, lun_naa(&id));
	g_assert_cmpuint(get_be32(find_designator(0x14) + 4), ==, 1);
	g_assert_cmpuint(get_be32(find_designator(0x15) + 4), ==, 1);
	d = find_designator(0x18);
	g_assert_cmpuint(d[0], ==, 0x53);
	g_assert_cmpuint(d[1], ==, 0x98);
	g_assert_cmpuint(d[3] % 4, ==, 0);
	g_assert_cmpstr((const char *)d + 4, ==, RIG_NAME ",t,0x0001");
	g_assert_cmpstr((const char *)find_designator(0x28) + 4, ==, RIG_NAME);
	SEND(64, OP_INQUIRY, 1, 0x85, 0, 64);
	g_assert_cmpmem(res.in, res.in_len, ((uint8_t[]){ 0, 0x85, 0, 0 }), 4);
	SEND(64, OP_INQUIRY, 1, 0x87, 0, 64);
	g_assert_cmpmem(res.in, res.in_len, ((uint8_t[]){ 0, 0x87, 0, 4, 0x3f, 0xff, 0, 0 }), 8);
	/* The other nexus comes in by another port. */
	SEND(1024, OP_INQUIRY, 1, 0x83, 4, 0);
	rig.nexus = rig.b;
	SEND(1024, OP_INQUIRY, 1, 0x83, 4, 0);
	g_assert_cmpuint(get_be32(find_designator(0x14) + 4), ==, 2);
}

static void test_extended_inquiry(void)
{
	SEND(64, OP_INQUIRY, 1, 0x86, 0, 64);
	g_assert_cmpuint(get_be16(res.in + 2), ==, 0x3c);
	g_assert_cmpuint(res.in[5] & 1, ==, 1);		/* SIMPSUP */
	g_assert_cmpuint(res.in[6], ==, 1);		/* V_SUP */
	g_assert_cmpuint(res.in[7], ==, 1);		/* LUICLR */
	g_assert_cmpuint(res.in[13], ==, TASK_SENSE_MAX);
	lun_set_state(rig.lun, LUN_CACHE, 0);
	SEND(64, OP_INQUIRY, 1, 0x86, 0, 64);
	g_assert_cmpuint(res.in[6], ==, 0);
}

static void test_ports(void)
{
	static const struct target_port two[] = { { 1, 1 }, { 7, 0x102 } };
	struct target_port many[TARGET_PORTS_MAX + 1] = { { 0, 0 } };
	size_t at;

	SEND(255, OP_INQUIRY, 0, 0, 0, 255);
	g_assert_cmpuint(res.in[6], ==, 0);
	target_set_ports(rig.target, NULL, 0);
	SEND(1024, OP_INQUIRY, 1, 0x88, 4, 0);
	assert_good();
	g_assert_cmpuint(res.in_len, ==, 4);
	target_set_ports(rig.target, two, 2);
	SEND(255, OP_INQUIRY, 0, 0, 0, 255);
	g_assert_cmpuint(res.in[6], ==, 0x10);	/* MULTIP */
	SEND(1024, OP_INQUIRY, 1, 0x88, 4, 0);
	assert_good();
	at = 4;
	for (unsigned i = 0; i < 2; i++) {
		g_autofree char *name = g_strdup_printf(RIG_NAME ",t,0x%04x", two[i].group);

		g_assert_cmpuint(get_be32(res.in + at), ==, two[i].rel_port);
		g_assert_cmpuint(get_be32(res.in + at + 4), ==, 0);	/* no initiator port */
		g_assert_cmpmem(res.in + at + 12, 3, ((uint8_t[]){ 0x53, 0x98, 0 }), 3);
		g_assert_cmpuint(get_be16(res.in + at + 10), ==, 4 + res.in[at + 15]);
		g_assert_cmpstr((const char *)res.in + at + 16, ==, name);
		at += 12u + get_be16(res.in + at + 10);
	}
	g_assert_cmpuint(res.in_len, ==, at);
	target_set_ports(rig.target, many, G_N_ELEMENTS(many));
	SEND(65535, OP_INQUIRY, 1, 0x88, 0xff, 0xff);
	assert_good();
	g_assert_cmpuint(res.in_len, ==, 4 + TARGET_PORTS_MAX * (at - 4) / 2);
}

static void test_limits(void)
{
	SEND(255, OP_INQUIRY, 1, 0xb0, 0, 255);
	g_assert_cmpuint(get_be16(res.in + 2), ==, 0x3c);
	g_assert_cmpuint(res.in[4], ==, 1);
	g_assert_cmpuint(get_be16(res.in + 6), ==, 8);
	g_assert_cmpuint(get_be32(res.in + 8), ==, LUN_TRANSFER_MAX / BS);
	g_assert_cmpuint(get_be32(res.in + 12), ==, 128);
	g_assert_cmpuint(get_be32(res.in + 20), ==, UINT32_MAX);
	g_assert_cmpuint(get_be32(res.in + 24), ==, LUN_UNMAP_DESCRIPTORS_MAX);
	g_assert_cmpuint(get_be32(res.in + 28), ==, 8);
	g_assert_cmpuint(get_be64(res.in + 36), ==, LUN_WRITE_SAME_MAX / BS);
	SEND(255, OP_INQUIRY, 1, 0xb1, 0, 255);
	g_assert_cmpuint(get_be16(res.in + 4), ==, 1);
	SEND(255, OP_INQUIRY, 1, 0xb2, 0, 255);
	g_assert_cmpmem(res.in + 4, 4, ((uint8_t[]){ 0, 0xe6, 2, 0 }), 4);
	SEND(32, OP_SERVICE_ACTION_IN_16, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32);
	g_assert_cmpuint(res.in[13], ==, 3);
	g_assert_cmpuint(res.in[14], ==, 0xc0);
	lun_set_state(rig.lun, LUN_THIN, 0);
	SEND(255, OP_INQUIRY, 1, 0xb0, 0, 255);
	g_assert_cmpuint(get_be32(res.in + 20) | get_be32(res.in + 24) | get_be32(res.in + 28), ==, 0);
	SEND(32, OP_SERVICE_ACTION_IN_16, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32);
	g_assert_cmpuint(res.in[14], ==, 0);
}

static struct device *large_blocks_device(void)
{
	struct device *dev = fake_new(RIG_BLOCKS * 512ull, 512, GOTGT_DEV_WRITE_CACHE | GOTGT_DEV_THIN, RIG_OPS);

	dev->info.physical_block_size = 4096;
	dev->info.optimal_io_size = 65536;
	dev->info.unmap_granularity = 4096;
	return dev;
}

/* What is configured goes before what the device says. */
static void test_geometry(void)
{
	SEND(32, OP_SERVICE_ACTION_IN_16, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32);
	assert_good();
	g_assert_cmpuint(res.in[13], ==, 4);
	g_assert_cmpuint(get_be16(res.in + 14), ==, 0xc000 | 7);
	SEND(255, OP_INQUIRY, 1, 0xb0, 0, 255);
	g_assert_cmpuint(get_be16(res.in + 6), ==, 16);
	g_assert_cmpuint(get_be32(res.in + 12), ==, 64);
	SEND(255, OP_INQUIRY, 0, 0, 0, 255);
	g_assert_cmpuint(res.in[1], ==, 0x80);
}

/* ---- capacity ---- */

static void test_capacity(void)
{
	SEND(8, OP_READ_CAPACITY_10);
	assert_good();
	g_assert_cmpuint(res.in_len, ==, 8);
	g_assert_cmpuint(get_be32(res.in), ==, RIG_BLOCKS - 1);
	g_assert_cmpuint(get_be32(res.in + 4), ==, BS);
	for (unsigned len = 0; len <= 40; len++) {
		SEND(40, OP_SERVICE_ACTION_IN_16, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (uint8_t)len);
		assert_good();
		g_assert_cmpuint(res.in_len, ==, MIN(len, 32));
		g_assert_cmpuint(res.xfer_len, ==, MIN(len, 32));
	}
	g_assert_cmpuint(get_be64(res.in), ==, RIG_BLOCKS - 1);
	g_assert_cmpuint(get_be32(res.in + 8), ==, BS);
	fake_resize(rig.dev, (UINT64_C(1) << 32) * BS + BS);
	SEND(8, OP_READ_CAPACITY_10);
	assert_sense(UA_CAPACITY_CHANGED);
	SEND(8, OP_READ_CAPACITY_10);
	g_assert_cmpuint(get_be32(res.in), ==, UINT32_MAX);
	SEND(32, OP_SERVICE_ACTION_IN_16, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32);
	g_assert_cmpuint(get_be64(res.in), ==, UINT64_C(1) << 32);
	SEND(8, OP_READ_CAPACITY_10, 0, 0, 0, 0, 0, 0, 0, 1);	/* PMI */
	assert_cdb_field(8, 0);
	fake_resize(rig.dev, 0);
	rig_clear_ua(rig.a);
	SEND(8, OP_READ_CAPACITY_10);
	assert_sense(NOT_READY);
	SEND(32, OP_SERVICE_ACTION_IN_16, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32);
	assert_sense(NOT_READY);
	SEND(32, OP_SERVICE_ACTION_IN_16, 0x11);
	assert_cdb_field(1, 4);
}

/* It is seen to be larger when somebody asks, and by who goes beyond the end; all hear of it. */
static void test_size_changed(void)
{
	rig.dev->size_seen = (RIG_BLOCKS - 8) * BS;
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(UA_CAPACITY_CHANGED);
	g_assert_cmpint(ua_take(nexus_lun(rig.b, 0)), ==, SENSE_UA_CAPACITY_CHANGED);
	SEND(8, OP_READ_CAPACITY_10);
	g_assert_cmpuint(get_be32(res.in), ==, RIG_BLOCKS - 9);
	SEND(BS, OP_READ_10, 0, 0, 0, 0x0f, 0xff, 0, 0, 1);
	assert_sense(LBA_OUT_OF_RANGE);
	rig.dev->size_seen = RIG_BLOCKS * BS;
	SEND(BS, OP_READ_10, 0, 0, 0, 0x0f, 0xff, 0, 0, 1);
	assert_good();
	g_assert_cmpint(ua_take(nexus_lun(rig.b, 0)), ==, SENSE_UA_CAPACITY_CHANGED);
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(UA_CAPACITY_CHANGED);
	rig.dev->size_seen = BS;
	SEND(32, OP_SERVICE_ACTION_IN_16, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32);
	assert_sense(UA_CAPACITY_CHANGED);
	SEND(32, OP_SERVICE_ACTION_IN_16, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32);
	assert_good();
	g_assert_cmpuint(get_be64(res.in), ==, 0);
}

int main(int argc, char **argv)
{
	static const struct lun_conf geometry = { .physical_block_size = 8192, .alignment_offset = 7,
						  .optimal_io_size = 32768, .thin = true, .removable = true };

	g_test_init(&argc, &argv, NULL);
	rig_add("/scsi/inquiry/standard", test_inquiry);
	rig_add("/scsi/inquiry/identification", test_identification);
	rig_add_dev("/scsi/inquiry/limits", large_blocks_device, NULL, test_limits);
	rig_add_dev("/scsi/inquiry/geometry", large_blocks_device, &geometry, test_geometry);
	rig_add("/scsi/capacity", test_capacity);
	rig_add("/scsi/capacity/changed", test_size_changed);
	rig_add("/scsi/inquiry/extended", test_extended_inquiry);
	rig_add("/scsi/inquiry/ports", test_ports);
	return g_test_run();
}
