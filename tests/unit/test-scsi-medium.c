/* SPDX-License-Identifier: Apache-2.0 */
/* Ready or not: START STOP UNIT, removable media, PREVENT ALLOW MEDIUM REMOVAL. */
#include "config.h"
#include "scsi-rig.h"

enum { BS = 512 };

static void test_start_stop(void)
{
	SEND(0, OP_START_STOP_UNIT, 0, 0, 0, 2);	/* LOEJ */
	assert_cdb_field(4, 1);
	SEND(255, OP_MAINTENANCE_IN, 0x0c, 1, OP_START_STOP_UNIT, 0, 0, 0, 0, 0, 255);
	g_assert_cmpuint(res.in[8], ==, 0xf5);
	SEND(0, OP_START_STOP_UNIT, 1, 0, 0, 0);
	assert_good();
	g_assert_cmpuint(rig.dev->flushes, ==, 1);
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(NOT_READY_MANUAL);
	SEND(512, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_sense(NOT_READY_MANUAL);
	SEND(0, OP_SYNCHRONIZE_CACHE_10);
	assert_sense(NOT_READY_MANUAL);
	SEND(18, OP_REQUEST_SENSE, 0, 0, 0, 18);
	g_assert_cmpuint(res.in[2], ==, 2);
	SEND(255, OP_INQUIRY, 0, 0, 0, 255);
	assert_good();
	SEND(0, OP_START_STOP_UNIT, 0, 0, 0, 1);
	assert_good();
	SEND(0, OP_TEST_UNIT_READY);
	assert_good();
	SEND(0, OP_START_STOP_UNIT);
	assert_good();
	SEND(8, OP_READ_CAPACITY_10);	/* of a stopped unit too */
	assert_good();
	SEND(0, OP_START_STOP_UNIT, 0, 0, 0, 0x10);	/* POWER CONDITION: active */
	assert_good();
	SEND(0, OP_TEST_UNIT_READY);
	assert_good();
	SEND(0, OP_START_STOP_UNIT, 0, 0, 0, 4);	/* NO_FLUSH */
	assert_good();
	g_assert_cmpuint(rig.dev->flushes, ==, 2);
	lun_reset(rig.lun);
	rig_clear_ua(rig.a);
	SEND(0, OP_TEST_UNIT_READY);
	assert_good();
}

static void test_prevent(void)
{
	SEND(0, OP_PREVENT_ALLOW, 0, 0, 0, 1);
	assert_good();
	g_assert_true(atomic_load(&nexus_lun(rig.a, 0)->prevent));
	g_assert_false(atomic_load(&nexus_lun(rig.b, 0)->prevent));
	SEND(0, OP_PREVENT_ALLOW, 0, 0, 0, 0);
	g_assert_false(atomic_load(&nexus_lun(rig.a, 0)->prevent));
	SEND(0, OP_PREVENT_ALLOW, 0, 0, 0, 2);
	assert_cdb_field(4, 1);
	SEND(0, OP_PREVENT_ALLOW, 0, 0, 0, 1);
	lun_reset(rig.lun);
	g_assert_false(atomic_load(&nexus_lun(rig.a, 0)->prevent));
}

/* Configured offline: the unit is there, no command reaches its medium, and no initiator can change that. */
static void test_offline(void)
{
	struct lun_conf conf = { .thin = true, .offline = true };
	uint8_t block[BS] = { 0 };

	g_assert_true(lun_reconfigure(rig.lun, &conf, NULL));
	g_assert_cmpint(ua_take(nexus_lun(rig.a, 0)), ==, SENSE_NONE);	/* NOT READY tells */
	for (int started = 0; started < 2; started++) {
		SEND(0, OP_TEST_UNIT_READY);
		assert_sense(NOT_READY_OFFLINE);
		SEND(512, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1);
		assert_sense(NOT_READY_OFFLINE);
		SEND_OUT(block, BS, OP_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1);
		assert_sense(NOT_READY_OFFLINE);
		SEND(8, OP_READ_CAPACITY_10);
		assert_sense(NOT_READY_OFFLINE);
		SEND(32, OP_SERVICE_ACTION_IN_16, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32);
		assert_sense(NOT_READY_OFFLINE);
		SEND(18, OP_REQUEST_SENSE, 0, 0, 0, 18);
		g_assert_cmpuint(res.in[2], ==, 2);
		g_assert_cmpuint(res.in[12] << 8 | res.in[13], ==, 0x0403);
		SEND(255, OP_INQUIRY, 0, 0, 0, 255);
		assert_good();
		g_assert_cmpuint(res.in[0], ==, 0);
		SEND(255, OP_MODE_SENSE_6, 0, 0x3f, 0, 255);
		assert_good();
		SEND(0, OP_START_STOP_UNIT, 0, 0, 0, 1);
		assert_sense(NOT_READY_OFFLINE);
		lun_reset(rig.lun);
		rig_clear_ua(rig.a);
	}
	g_assert_cmpuint(rig.dev->flushes, ==, 0);
	conf.offline = false;
	rig_clear_ua(rig.b);
	g_assert_true(lun_reconfigure(rig.lun, &conf, NULL));
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(UA_MEDIUM_CHANGED);
	SEND(0, OP_TEST_UNIT_READY);
	assert_good();
	g_assert_cmpint(ua_take(nexus_lun(rig.b, 0)), ==, SENSE_UA_MEDIUM_CHANGED);
	/* No change is no news. */
	g_assert_true(lun_reconfigure(rig.lun, &conf, NULL));
	SEND(512, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_good();
}

enum { EJECT = 2, LOAD = 3 };

static void test_eject(void)
{
	uint8_t block[BS] = { 0 };

	SEND(255, OP_MAINTENANCE_IN, 0x0c, 1, OP_START_STOP_UNIT, 0, 0, 0, 0, 0, 255);
	g_assert_cmpuint(res.in[8], ==, 0xf7);
	/* Stopped, it starts when it is used. */
	SEND(0, OP_START_STOP_UNIT);
	assert_good();
	SEND(512, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_good();
	SEND(0, OP_START_STOP_UNIT, 0, 0, 0, 0x10 | EJECT);	/* ignored with a power condition */
	assert_good();
	SEND(0, OP_TEST_UNIT_READY);
	assert_good();
	g_assert_cmpuint(rig.dev->flushes, ==, 1);
	SEND(0, OP_START_STOP_UNIT, 0, 0, 0, EJECT);
	assert_good();
	g_assert_cmpuint(rig.dev->flushes, ==, 2);
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(MEDIUM_NOT_PRESENT);
	SEND(512, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_sense(MEDIUM_NOT_PRESENT);
	SEND_OUT(block, BS, OP_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_sense(MEDIUM_NOT_PRESENT);
	SEND(8, OP_READ_CAPACITY_10);
	assert_sense(MEDIUM_NOT_PRESENT);
	SEND(32, OP_SERVICE_ACTION_IN_16, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32);
	assert_sense(MEDIUM_NOT_PRESENT);
	SEND(0, OP_START_STOP_UNIT, 0, 0, 0, 1);
	assert_sense(MEDIUM_NOT_PRESENT);
	SEND(18, OP_REQUEST_SENSE, 0, 0, 0, 18);
	assert_good();
	g_assert_cmpuint(res.in[12], ==, 0x3a);
	SEND(255, OP_INQUIRY, 0, 0, 0, 255);
	assert_good();
	SEND(255, OP_MODE_SENSE_6, 0, 0x3f, 0, 255);
	assert_good();
	SEND(0, OP_START_STOP_UNIT, 0, 0, 0, EJECT);	/* again */
	assert_good();
	lun_reset(rig.lun);	/* does not close the tray */
	rig_clear_ua(rig.a);
	rig_clear_ua(rig.b);
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(MEDIUM_NOT_PRESENT);
	SEND(0, OP_START_STOP_UNIT, 0, 0, 0, LOAD);
	assert_good();
	SEND(0, OP_TEST_UNIT_READY);
	assert_good();
	rig.nexus = rig.b;
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(UA_MEDIUM_CHANGED);
	/* Loading what is loaded is no news. */
	SEND(0, OP_START_STOP_UNIT, 0, 0, 0, LOAD);
	assert_good();
	g_assert_cmpint(ua_take(nexus_lun(rig.a, 0)), ==, SENSE_NONE);
}

/* One nexus keeps all from moving the medium, until it is gone. */
static void test_prevent_eject(void)
{
	struct nexus *n = nexus_new(rig.target, rig.r, "iqn.x:c,i,0x3", 1, 1);

	rig.nexus = n;
	rig_clear_ua(n);
	SEND(0, OP_PREVENT_ALLOW, 0, 0, 0, 1);
	assert_good();
	SEND(0, OP_START_STOP_UNIT, 0, 0, 0, EJECT);
	assert_sense(MEDIUM_REMOVAL_PREVENTED);
	rig.nexus = rig.a;
	SEND(0, OP_START_STOP_UNIT, 0, 0, 0, EJECT);
	assert_sense(MEDIUM_REMOVAL_PREVENTED);
	SEND(0, OP_START_STOP_UNIT, 0, 0, 0, LOAD);
	assert_sense(MEDIUM_REMOVAL_PREVENTED);
	SEND(0, OP_PREVENT_ALLOW);	/* his own only */
	SEND(0, OP_START_STOP_UNIT, 0, 0, 0, EJECT);
	assert_sense(MEDIUM_REMOVAL_PREVENTED);
	SEND(0, OP_TEST_UNIT_READY);
	assert_good();
	nexus_free(n);
	SEND(0, OP_START_STOP_UNIT, 0, 0, 0, EJECT);
	assert_good();
	SEND(0, OP_PREVENT_ALLOW, 0, 0, 0, 1);
	assert_good();
	SEND(0, OP_START_STOP_UNIT, 0, 0, 0, LOAD);
	assert_sense(MEDIUM_REMOVAL_PREVENTED);
}

int main(int argc, char **argv)
{
	static const struct lun_conf removable = { .removable = true };

	g_test_init(&argc, &argv, NULL);
	rig_add("/scsi/start-stop", test_start_stop);
	rig_add("/scsi/prevent", test_prevent);
	rig_add("/scsi/offline", test_offline);
	rig_add_dev("/scsi/eject", NULL, &removable, test_eject);
	rig_add_dev("/scsi/eject/prevented", NULL, &removable, test_prevent_eject);
	return g_test_run();
}
