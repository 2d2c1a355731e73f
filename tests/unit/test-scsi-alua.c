/* SPDX-License-Identifier: Apache-2.0 */
/* test-scsi-alua.c - target port groups: what is reported, what a state stops, who may set it, who is told. */
#include "config.h"
#include <string.h>
#include "scsi-rig.h"
#include "scsi/alua.h"
#include "scsi/wire.h"

/* The rig's nexuses came through group 1; 7 and 9 are others'. */
static const struct alua_group three[] = { { 1, ALUA_OPTIMIZED, true }, { 7, ALUA_NON_OPTIMIZED, false },
					   { 9, ALUA_STANDBY, false } };
static const struct target_port ports[] = { { 1, 1 }, { 2, 7 }, { 5, 7 }, { 6, 9 } };

static void set_up_groups(bool explicit)
{
	target_set_ports(rig.target, ports, G_N_ELEMENTS(ports));
	target_set_groups(rig.target, three, G_N_ELEMENTS(three), explicit);
	rig_clear_ua(rig.a);
	rig_clear_ua(rig.b);
}

static void report(uint8_t format)
{
	SEND(255, OP_MAINTENANCE_IN, (uint8_t)(format << 5 | 0x0a), 0, 0, 0, 0, 0, 0, 0, 255, 0, 0);
}

static void test_report(void)
{
	static const uint8_t want[] = {
		0x80, 0x0f, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1,
		0x01, 0x0f, 0, 7, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 5,
		0x02, 0x0f, 0, 9, 0, 0, 0, 1, 0, 0, 0, 6,
	};

	set_up_groups(false);
	report(0);
	assert_good();
	g_assert_cmpuint(get_be32(res.in), ==, sizeof want);
	g_assert_cmpmem(res.in + 4, res.in_len - 4, want, sizeof want);
	report(1);
	g_assert_cmpuint(get_be32(res.in), ==, sizeof want + 4);
	g_assert_cmphex(res.in[4], ==, 0x10);
	g_assert_cmpmem(res.in + 8, res.in_len - 8, want, sizeof want);
	report(2);
	assert_cdb_field(1, 7);
	SEND(96, OP_INQUIRY, 0, 0, 0, 96);
	g_assert_cmphex(res.in[5] & 0x30, ==, 0x10);
}

/* SPC-5 5.18.2.4, 5.18.2.5 */
static void test_states(void)
{
	static const struct {
		uint8_t cdb[16];
		bool standby, unavailable;
	} rows[] = {
		{ { OP_TEST_UNIT_READY }, false, false },
		{ { OP_READ_10 }, false, false },
		{ { OP_READ_CAPACITY_10 }, false, false },
		{ { OP_INQUIRY, 0, 0, 0, 36 }, true, true },
		{ { OP_REQUEST_SENSE, 0, 0, 0, 18 }, true, true },
		{ { OP_REPORT_LUNS, 0, 0, 0, 0, 0, 0, 0, 0, 16 }, true, true },
		{ { OP_MAINTENANCE_IN, 0x0a, 0, 0, 0, 0, 0, 0, 0, 64 }, true, true },
		{ { OP_MODE_SENSE_6, 0, 0x3f, 0, 255 }, true, false },
		{ { OP_RECEIVE_DIAGNOSTIC, 0, 0, 0, 255 }, true, false },
		{ { OP_SEND_DIAGNOSTIC, 0x04 }, true, false },
		{ { OP_MAINTENANCE_IN, 0x0c, 0, 0, 0, 0, 0, 0, 0, 64 }, false, false },
	};

	for (unsigned state = ALUA_OPTIMIZED; state <= ALUA_UNAVAILABLE; state++) {
		struct alua_group own = { 1, (uint8_t)state, false };

		target_set_groups(rig.target, &own, 1, false);
		rig_clear_ua(rig.a);
		for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
			bool works = state <= ALUA_NON_OPTIMIZED ? true : state == ALUA_STANDBY ? rows[i].standby :
				     rows[i].unavailable;

			rig_send(rows[i].cdb, 16, NULL, 0, 255);
			g_test_message("state %u opcode %02x", state, rows[i].cdb[0]);
			if (works)
				assert_good();
			else if (state == ALUA_STANDBY)
				assert_sense(STANDBY);
			else
				assert_sense(UNAVAILABLE);
		}
	}
}

static void set(uint8_t tag, uint8_t state)
{
	uint8_t list[8] = { 0, 0, 0, 0, state, 0, 0, tag };

	SEND_OUT(list, 8, OP_MAINTENANCE_OUT, 0x0a, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0);
}

static void test_set(void)
{
	uint8_t two[12] = { 0, 0, 0, 0, ALUA_OPTIMIZED, 0, 0, 7, ALUA_STANDBY, 0, 0, 77 };

	set_up_groups(false);
	set(7, ALUA_OPTIMIZED);		/* not there unless allowed */
	g_assert_cmpuint(res.status, ==, STATUS_CHECK_CONDITION);
	set_up_groups(true);
	SEND(96, OP_INQUIRY, 0, 0, 0, 96);
	g_assert_cmphex(res.in[5] & 0x30, ==, 0x30);

	set(7, ALUA_OPTIMIZED);
	assert_good();
	g_assert_cmpint(ua_take(nexus_lun(rig.a, 0)), ==, SENSE_NONE);
	g_assert_cmpint(ua_take(nexus_lun(rig.b, 0)), ==, SENSE_UA_ACCESS_CHANGED);
	report(0);
	g_assert_cmphex(res.in[4 + 12], ==, ALUA_OPTIMIZED);
	g_assert_cmphex(res.in[4 + 12 + 5], ==, 1);	/* by SET TARGET PORT GROUPS */
	set(7, ALUA_OPTIMIZED);				/* as it is: nobody is told */
	g_assert_cmpint(ua_take(nexus_lun(rig.b, 0)), ==, SENSE_NONE);

	set(7, 4);
	assert_param_field(4, 3);
	set(7, 0xe);
	assert_param_field(4, 3);
	set(77, ALUA_STANDBY);
	assert_param_field(6, -1);
	/* All or nothing. */
	two[4] = ALUA_STANDBY;
	SEND_OUT(two, 12, OP_MAINTENANCE_OUT, 0x0a, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0);
	assert_param_field(10, -1);
	g_assert_cmpuint(port_group_state(target_group(rig.target, 7)), ==, ALUA_OPTIMIZED);
	SEND_OUT(two, 7, OP_MAINTENANCE_OUT, 0x0a, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0);
	assert_sense(PARAMETER_LIST_LENGTH);

	/* The same configuration again leaves what was set; another state there is taken. */
	target_set_groups(rig.target, three, G_N_ELEMENTS(three), true);
	g_assert_cmpuint(port_group_state(target_group(rig.target, 7)), ==, ALUA_OPTIMIZED);
	target_set_groups(rig.target, (struct alua_group[]){ { 7, ALUA_UNAVAILABLE, false } }, 1, true);
	g_assert_cmpuint(port_group_state(target_group(rig.target, 7)), ==, ALUA_UNAVAILABLE);
	g_assert_cmpint(ua_take(nexus_lun(rig.a, 0)), ==, SENSE_UA_ACCESS_CHANGED);
	/* One that is gone stops nobody. */
	target_set_groups(rig.target, NULL, 0, true);
	g_assert_cmpuint(port_group_state(target_group(rig.target, 7)), ==, ALUA_OPTIMIZED);
}

/* A way out of standby that leads through standby. */
static void test_set_from_standby(void)
{
	struct alua_group own = { 1, ALUA_UNAVAILABLE, false };

	target_set_groups(rig.target, &own, 1, true);
	rig_clear_ua(rig.a);
	SEND(0, OP_TEST_UNIT_READY, 0, 0, 0, 0, 0);
	assert_sense(UNAVAILABLE);
	set(1, ALUA_OPTIMIZED);
	assert_good();
	SEND(0, OP_TEST_UNIT_READY, 0, 0, 0, 0, 0);
	assert_good();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	rig_add("/scsi/alua/report", test_report);
	rig_add("/scsi/alua/states", test_states);
	rig_add("/scsi/alua/set", test_set);
	rig_add("/scsi/alua/set-from-standby", test_set_from_standby);
	return g_test_run();
}
