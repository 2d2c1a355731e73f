/* SPDX-License-Identifier: Apache-2.0 */
/* PERSISTENT RESERVE IN and OUT, RESERVE and RELEASE: each service action, each type against each kind of command. */
#include "config.h"
#include "pr-rig.h"

static const uint8_t kinds[] = { PR_WE, PR_EA, PR_WE_RO, PR_EA_RO, PR_WE_AR, PR_EA_AR };
#define KEY(who) (0x1000u + (unsigned)(who))

static bool registrants(uint8_t kind)
{
	return kind >= PR_WE_RO;
}

static bool all(uint8_t kind)
{
	return kind >= PR_WE_AR;
}

/* A and B registered, A holds. */
static void hold(uint8_t kind)
{
	pr_start(NULL);
	ASSERT_GOOD(pr_register(A, KEY(A)));
	ASSERT_GOOD(pr_register(B, KEY(B)));
	ASSERT_GOOD(pr_out(A, SA_PR_RESERVE, kind, KEY(A), 0, 0));
	ASSERT_HELD(kind, all(kind) ? 0 : KEY(A));
}

static uint32_t generation(void)
{
	pr_in(SA_PR_READ_KEYS, 8);
	return get_be32(pr_rig.in);
}

/* ---- registering ---- */

static void test_register(void)
{
	pr_start(NULL);
	ASSERT_CONFLICT(pr_out(A, SA_PR_REGISTER, 0, 1, KEY(A), 0));	/* is not registered with 1 */
	ASSERT_GOOD(pr_out(A, SA_PR_REGISTER, 0, 0, 0, 0));
	g_assert_cmpuint(generation(), ==, 0);
	ASSERT_GOOD(pr_out(A, SA_PR_REGISTER, 0, 0, KEY(A), 0));
	ASSERT_CONFLICT(pr_out(A, SA_PR_REGISTER, 0, 0, KEY(A), 0));
	ASSERT_GOOD(pr_out(A, SA_PR_REGISTER, 0, KEY(A), 7, 0));
	ASSERT_GOOD(pr_out(B, SA_PR_REGISTER_AND_IGNORE, 0, 0x99, 7, 0));	/* one key, two nexuses */
	ASSERT_KEYS(7, 7);
	g_assert_cmpuint(generation(), ==, 3);
	ASSERT_GOOD(pr_out(B, SA_PR_REGISTER_AND_IGNORE, 0, 0x98, 0, 0));
	ASSERT_GOOD(pr_out(B, SA_PR_REGISTER_AND_IGNORE, 0, 0x98, 0, 0));
	ASSERT_KEYS(7);
	/* The nexus may go and come back. */
	pr_logout(A);
	pr_login(A);
	ASSERT_KEYS(7);
	ASSERT_GOOD(pr_out(A, SA_PR_REGISTER, 0, 7, 0, 0));
	ASSERT_NO_KEYS();
	g_assert_cmpuint(generation(), ==, 5);
	pr_stop();
}

static void test_all_ports(void)
{
	pr_start(NULL);
	ASSERT_GOOD(pr_out(A, SA_PR_REGISTER, 0, 0, KEY(A), 0x04));
	ASSERT_KEYS(KEY(A), KEY(A));
	ASSERT_GOOD(pr_out(A2, SA_PR_REGISTER, 0, KEY(A), 8, 0));
	ASSERT_KEYS(KEY(A), 8);
	ASSERT_GOOD(pr_out(A, SA_PR_REGISTER, 0, KEY(A), 9, 0x04));	/* the other key does not match */
	ASSERT_KEYS(9, 8);
	ASSERT_GOOD(pr_out(A, SA_PR_REGISTER_AND_IGNORE, 0, 0, 0, 0x04));
	ASSERT_NO_KEYS();
	pr_stop();
}

/* A list with TransportIDs; how long. */
static uint32_t listed(uint8_t *list, uint64_t key, const char *const *ports, unsigned n)
{
	size_t at = 28;

	memset(list, 0, 1024);
	put_be64(list + 8, key);
	list[20] = 0x08;
	for (unsigned i = 0; i < n; i++)
		at += transportid_build(list + at, ports[i]);
	put_be32(list + 24, (uint32_t)(at - 28));
	return (uint32_t)at;
}

static void test_listed(void)
{
	uint8_t list[1024], device[24] = { 5, 0, 0, 20, 'i', 'q', 'n', '.', 'x', ':', 'b' };
	uint32_t len;

	pr_start(NULL);
	len = listed(list, 5, (const char *const[]){ "iqn.x:B,i,0x2", "iqn.y:far,i,0x00c0ffee0000" }, 2);
	ASSERT_CHECK(pr_out_list(A, SA_PR_REGISTER_AND_IGNORE, 0, list, len));
	assert_pr_param(20, 3);
	ASSERT_GOOD(pr_out_list(A, SA_PR_REGISTER, 0, list, len));
	ASSERT_KEYS(5, 5, 5);
	ASSERT_GOOD(pr_out(B, SA_PR_RESERVE, PR_WE, 5, 0, 0));
	ASSERT_CONFLICT(pr_out_list(A, SA_PR_REGISTER, 0, list, len));	/* has a key already */
	put_be64(list, 5);
	ASSERT_CHECK(pr_out_list(A, SA_PR_REGISTER, 0, list, len));
	assert_pr_param(20, 3);
	ASSERT_GOOD(pr_out(A, SA_PR_CLEAR, 0, 5, 0, 0));
	while (pr_ua(B) != SENSE_NONE)
		continue;
	/* Nothing of a wrong list is done. */
	put_be64(list, 0);
	list[24 + 4] = 0x46;	/* another protocol's */
	ASSERT_CHECK(pr_out_list(A, SA_PR_REGISTER, 0, list, len));
	assert_pr_param(28, -1);
	put_be32(list + 24, len - 29);
	ASSERT_CHECK(pr_out_list(A, SA_PR_REGISTER, 0, list, len));
	assert_pr_sense(PARAMETER_LIST_LENGTH);
	ASSERT_NO_KEYS();
	/* A device by its name: the ports of it that are here. */
	memcpy(list + 28, device, sizeof device);
	put_be32(list + 24, sizeof device);
	ASSERT_GOOD(pr_out_list(A, SA_PR_REGISTER, 0, list, 28 + sizeof device));
	ASSERT_GOOD(pr_out(B, SA_PR_CLEAR, 0, 5, 0, 0));
	list[28 + 10] = 'z';
	ASSERT_GOOD(pr_ua(A) == SENSE_UA_RES_PREEMPTED ? STATUS_GOOD : STATUS_BUSY);
	ASSERT_CHECK(pr_out_list(A, SA_PR_REGISTER, 0, list, 28 + sizeof device));
	assert_pr_param(28, -1);
	pr_stop();
}

/* No more than there is room for. */
static void test_room(void)
{
	g_autofree uint8_t *list = g_malloc0(65536);
	char name[64];
	size_t at = 28;

	pr_start(NULL);
	for (unsigned i = 0; i < PR_REGS_MAX; i++) {
		g_snprintf(name, sizeof name, "iqn.y:%u,i,0x000000000001", i);
		at += transportid_build(list + at, name);
	}
	list[20] = 0x08;
	list[15] = 1;
	put_be32(list + 24, (uint32_t)at - 28);
	ASSERT_CHECK(pr_out_list(A, SA_PR_REGISTER, 0, list, (uint32_t)at));
	assert_pr_sense(NO_REGISTRATION_RESOURCES);
	ASSERT_NO_KEYS();
	pr_stop();
}

static void test_lengths(void)
{
	uint8_t list[64] = { 0 };

	pr_start(NULL);
	for (uint8_t sa = SA_PR_REGISTER; sa <= SA_PR_REGISTER_AND_MOVE; sa++)
		for (uint32_t len = 0; len < sizeof list; len += 4) {
			if (len == 24)
				continue;
			pr_out_list(A, sa, PR_WE, list, len);
			assert_pr_sense(PARAMETER_LIST_LENGTH);
		}
	/* The initiator sends less than it says. */
	pr_cdb(A, (const uint8_t[10]){ OP_PERSISTENT_RESERVE_OUT, 0, 0, 0, 0, 0, 0, 0, 24 }, 10, list, 20, 0);
	assert_pr_sense(PARAMETER_LIST_LENGTH);
	PR_CDB(A, 255, OP_PERSISTENT_RESERVE_IN, 4, 0, 0, 0, 0, 0, 0, 255);
	assert_pr_sense(INVALID_FIELD_IN_CDB);
	/* There is no folder. */
	ASSERT_CHECK(pr_out(A, SA_PR_REGISTER, 0, 0, 1, 1));
	assert_pr_param(20, 0);
	pr_stop();
}

/* ---- who may do what: SPC-4 tables 51 and 52, SBC-3 table 13 ---- */

static const struct {
	uint8_t cdb[16];
	uint8_t out_blocks;
	enum cdb_pr pr;
} commands[] = {
	{ { OP_TEST_UNIT_READY }, 0, PR_FREE },
	{ { OP_INQUIRY, 0, 0, 0, 96 }, 0, PR_FREE },
	{ { OP_REPORT_LUNS, 0, 0, 0, 0, 0, 0, 0, 0, 16 }, 0, PR_FREE },
	{ { OP_REQUEST_SENSE, 0, 0, 0, 18 }, 0, PR_FREE },
	{ { OP_READ_CAPACITY_10 }, 0, PR_FREE },
	{ { OP_PERSISTENT_RESERVE_IN, 0, 0, 0, 0, 0, 0, 0, 8 }, 0, PR_FREE },
	{ { OP_START_STOP_UNIT, 0, 0, 0, 1 }, 0, PR_FREE },
	{ { OP_PREVENT_ALLOW, 0, 0, 0, 0 }, 0, PR_FREE },
	{ { OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1 }, 0, PR_READS },
	{ { OP_READ_16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 }, 0, PR_READS },
	{ { OP_VERIFY_10, 0, 0, 0, 0, 0, 0, 0, 1 }, 0, PR_READS },
	{ { OP_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1 }, 1, PR_WRITES },
	{ { OP_WRITE_16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 }, 1, PR_WRITES },
	{ { OP_WRITE_SAME_10, 0, 0, 0, 0, 0, 0, 0, 1 }, 1, PR_WRITES },
	{ { OP_SYNCHRONIZE_CACHE_10 }, 0, PR_WRITES },
	{ { OP_MODE_SENSE_6, 8, 0x3f, 0, 255 }, 0, PR_WRITES },
	{ { OP_START_STOP_UNIT, 0, 0, 0, 0x11 }, 0, PR_WRITES },
	{ { OP_PREVENT_ALLOW, 0, 0, 0, 1 }, 0, PR_WRITES },
};

static bool conflicts(int who, unsigned i)
{
	static const uint8_t block[512];

	pr_cdb(who, commands[i].cdb, 16, block, commands[i].out_blocks * 512u, 4096);
	return pr_rig.status == STATUS_RESERVATION_CONFLICT;
}

static void test_matrix(void)
{
	for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
		bool ea = kinds[k] == PR_EA || kinds[k] == PR_EA_RO || kinds[k] == PR_EA_AR;

		hold(kinds[k]);
		for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
			bool stranger = commands[i].pr == PR_WRITES || (ea && commands[i].pr == PR_READS);

			g_test_message("type %u, opcode %02x", kinds[k], commands[i].cdb[0]);
			g_assert_false(conflicts(A, i));
			g_assert_true(conflicts(B, i) == (stranger && !registrants(kinds[k])));
			g_assert_true(conflicts(C, i) == stranger);
			g_assert_true(conflicts(A2, i) == stranger);	/* another port is another nexus */
		}
		/* A nexus that comes later learns of it with its first command. */
		pr_logout(C);
		pr_login(C);
		g_assert_true(conflicts(C, 11));
		/* And one that comes back has its registration. */
		pr_logout(A);
		pr_login(A);
		g_assert_false(conflicts(A, 11));
		ASSERT_GOOD(pr_out(A, SA_PR_RELEASE, kinds[k], KEY(A), 0, 0));
		for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
			g_assert_false(conflicts(C, i));
		pr_stop();
	}
}

/* ---- RESERVE, RELEASE, CLEAR ---- */

static void test_reserve(void)
{
	for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
		uint8_t kind = kinds[k], other = kind == PR_WE ? PR_EA : PR_WE;

		hold(kind);
		ASSERT_CONFLICT(pr_out(C, SA_PR_RESERVE, kind, 0, 0, 0));	/* not registered */
		ASSERT_CONFLICT(pr_out(A, SA_PR_RESERVE, kind, KEY(B), 0, 0));	/* not its key */
		ASSERT_GOOD(pr_out(A, SA_PR_RESERVE, kind, KEY(A), 0, 0));
		ASSERT_CONFLICT(pr_out(A, SA_PR_RESERVE, other, KEY(A), 0, 0));
		g_assert_cmphex(pr_out(B, SA_PR_RESERVE, kind, KEY(B), 0, 0), ==,
				all(kind) ? STATUS_GOOD : STATUS_RESERVATION_CONFLICT);
		ASSERT_CONFLICT(pr_out(A, SA_PR_RELEASE, kind, KEY(B), 0, 0));
		ASSERT_CHECK(pr_out(A, SA_PR_RELEASE, other, KEY(A), 0, 0));
		assert_pr_sense(INVALID_RELEASE);
		if (!all(kind))
			ASSERT_GOOD(pr_out(B, SA_PR_RELEASE, kind, KEY(B), 0, 0));	/* nothing of its own */
		ASSERT_HELD(kind, all(kind) ? 0 : KEY(A));
		ASSERT_GOOD(pr_out(A, SA_PR_RELEASE, kind, KEY(A), 0, 0));
		ASSERT_HELD(PR_NONE, 0);
		g_assert_cmpint(pr_ua(B), ==, registrants(kind) ? SENSE_UA_RES_RELEASED : SENSE_NONE);
		g_assert_cmpint(pr_ua(A), ==, SENSE_NONE);
		g_assert_cmpint(pr_ua(C), ==, SENSE_NONE);
		ASSERT_GOOD(pr_out(A, SA_PR_RELEASE, kind, KEY(A), 0, 0));
		g_assert_cmpuint(generation(), ==, 2);	/* of the registrations alone */
		pr_stop();
	}
	pr_start(NULL);
	ASSERT_GOOD(pr_register(A, 1));
	for (unsigned type = 0; type < 256; type++)
		if (!pr_type_of(type)) {
			ASSERT_CHECK(pr_out(A, SA_PR_RESERVE, (uint8_t)type, 1, 0, 0));
			assert_pr_sense(INVALID_FIELD_IN_CDB);
		}
	pr_stop();
}

/* A holder that takes its registration back. */
static void test_unregister_holder(void)
{
	for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
		uint8_t kind = kinds[k];

		hold(kind);
		ASSERT_GOOD(pr_out(A, SA_PR_REGISTER, 0, KEY(A), 0, 0));
		ASSERT_KEYS(KEY(B));
		ASSERT_HELD(all(kind) ? kind : PR_NONE, 0);
		g_assert_cmpint(pr_ua(B), ==, registrants(kind) && !all(kind) ? SENSE_UA_RES_RELEASED : SENSE_NONE);
		ASSERT_GOOD(pr_out(B, SA_PR_REGISTER, 0, KEY(B), 0, 0));
		ASSERT_HELD(PR_NONE, 0);	/* the last registrant */
		pr_stop();
	}
}

static void test_clear(void)
{
	for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
		hold(kinds[k]);
		ASSERT_CONFLICT(pr_out(C, SA_PR_CLEAR, 0, 0, 0, 0));
		ASSERT_CONFLICT(pr_out(B, SA_PR_CLEAR, 0, KEY(A), 0, 0));
		ASSERT_GOOD(pr_out(B, SA_PR_CLEAR, 0, KEY(B), 0, 0));
		ASSERT_NO_KEYS();
		ASSERT_HELD(PR_NONE, 0);
		g_assert_cmpint(pr_ua(A), ==, SENSE_UA_RES_PREEMPTED);
		g_assert_cmpint(pr_ua(B), ==, SENSE_NONE);
		g_assert_cmpuint(generation(), ==, 3);
		pr_stop();
	}
}

/* ---- preempting ---- */

static void test_preempt_holder(void)
{
	for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
		uint8_t kind = kinds[k], next = kind == PR_WE ? PR_EA_RO : PR_WE;

		hold(kind);
		ASSERT_GOOD(pr_register(C, KEY(C)));
		ASSERT_CONFLICT(pr_out(B, SA_PR_PREEMPT, next, KEY(A), KEY(A), 0));
		ASSERT_CONFLICT(pr_out(B, SA_PR_PREEMPT, next, KEY(B), 0x77, 0));	/* nobody's key */
		if (!all(kind)) {
			ASSERT_CHECK(pr_out(B, SA_PR_PREEMPT, next, KEY(B), 0, 0));
			assert_pr_param(8, -1);
			ASSERT_CHECK(pr_out(B, SA_PR_PREEMPT, 2, KEY(B), KEY(A), 0));
			assert_pr_sense(INVALID_FIELD_IN_CDB);
		}
		ASSERT_GOOD(pr_out(B, SA_PR_PREEMPT, next, KEY(B), all(kind) ? 0 : KEY(A), 0));
		ASSERT_HELD(next, KEY(B));
		g_assert_cmpint(pr_ua(A), ==, SENSE_UA_REG_PREEMPTED);
		g_assert_cmpint(pr_ua(B), ==, SENSE_NONE);
		g_assert_cmpint(pr_ua(C), ==, all(kind) ? SENSE_UA_REG_PREEMPTED : SENSE_UA_RES_RELEASED);
		if (all(kind))
			ASSERT_KEYS(KEY(B));
		else
			ASSERT_KEYS(KEY(B), KEY(C));
		g_assert_cmpuint(pr_rig.purges, ==, 0);
		/* Oneself, to change the type. */
		ASSERT_GOOD(pr_out(B, SA_PR_PREEMPT, PR_EA, KEY(B), KEY(B), 0));
		ASSERT_HELD(PR_EA, KEY(B));
		pr_stop();
	}
}

static void test_preempt_registration(void)
{
	for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
		hold(kinds[k]);
		ASSERT_GOOD(pr_register(C, KEY(C)));
		ASSERT_GOOD(pr_out(A, SA_PR_PREEMPT, kinds[k], KEY(A), KEY(C), 0));
		ASSERT_KEYS(KEY(A), KEY(B));
		ASSERT_HELD(kinds[k], all(kinds[k]) ? 0 : KEY(A));
		g_assert_cmpint(pr_ua(C), ==, SENSE_UA_REG_PREEMPTED);
		g_assert_cmpint(pr_ua(B), ==, SENSE_NONE);
		pr_stop();
	}
	/* Without a reservation; its own key is one like others. */
	pr_start(NULL);
	ASSERT_GOOD(pr_register(A, 1));
	ASSERT_GOOD(pr_register(B, 2));
	ASSERT_GOOD(pr_out(A, SA_PR_PREEMPT, 0, 1, 2, 0));
	ASSERT_KEYS(1);
	ASSERT_GOOD(pr_out(A, SA_PR_PREEMPT, 0, 1, 1, 0));
	ASSERT_NO_KEYS();
	pr_stop();
}

static void test_preempt_abort(void)
{
	hold(PR_WE);
	ASSERT_GOOD(pr_register(C, KEY(A)));	/* the same key */
	PR_CDB(A, 0, OP_PREVENT_ALLOW, 0, 0, 0, 1);
	ASSERT_CONFLICT(pr_out(B, SA_PR_PREEMPT_AND_ABORT, PR_WE, KEY(B), 0x77, 0));
	g_assert_cmpuint(pr_rig.purges, ==, 0);
	ASSERT_GOOD(pr_out(B, SA_PR_PREEMPT_AND_ABORT, PR_WE, KEY(B), KEY(A), 0));
	g_assert_cmpuint(pr_rig.purges, ==, 1);
	g_assert_cmpuint(pr_rig.purged, ==, 1 << A | 1 << C);
	ASSERT_HELD(PR_WE, KEY(B));
	g_assert_false(atomic_load(&nexus_lun(pr_rig.n[A], PR_LUN)->prevent));
	/* Only itself: there is nobody's task to abort. */
	ASSERT_GOOD(pr_out(B, SA_PR_PREEMPT_AND_ABORT, PR_EA, KEY(B), KEY(B), 0));
	g_assert_cmpuint(pr_rig.purges, ==, 1);
	ASSERT_HELD(PR_EA, KEY(B));
	pr_stop();
}

/* ---- REGISTER AND MOVE ---- */

static uint8_t move(int who, uint64_t key, uint64_t to_key, const char *port, uint16_t rel_port, bool unreg)
{
	uint8_t list[24 + PR_TRANSPORTID_MAX] = { 0 };
	size_t id = transportid_build(list + 24, port);

	put_be64(list, key);
	put_be64(list + 8, to_key);
	list[17] = unreg ? 2 : 0;
	put_be16(list + 18, rel_port);
	put_be32(list + 20, (uint32_t)id);
	return pr_out_list(who, SA_PR_REGISTER_AND_MOVE, 0, list, (uint32_t)(24 + id));
}

static void test_move(void)
{
	uint8_t list[48] = { 0 };

	pr_start(NULL);
	ASSERT_GOOD(pr_register(A, KEY(A)));
	ASSERT_CHECK(move(A, KEY(A), 5, pr_ports[B], 1, false));
	assert_pr_sense(INVALID_FIELD_IN_CDB);		/* nothing to move */
	pr_stop();
	for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
		uint8_t kind = kinds[k];

		hold(kind);
		ASSERT_CONFLICT(move(C, 0, 5, pr_ports[B], 1, false));
		ASSERT_CONFLICT(move(A, KEY(B), 5, pr_ports[B], 1, false));
		if (all(kind)) {
			ASSERT_CONFLICT(move(A, KEY(A), 5, pr_ports[B], 1, false));
			pr_stop();
			continue;
		}
		ASSERT_CONFLICT(move(B, KEY(B), 5, pr_ports[C], 1, false));	/* not the holder */
		ASSERT_CHECK(move(A, KEY(A), 0, pr_ports[B], 1, false));
		assert_pr_param(8, -1);
		ASSERT_CHECK(move(A, KEY(A), 5, pr_ports[B], 9, false));
		assert_pr_param(18, -1);
		ASSERT_CHECK(move(A, KEY(A), 5, pr_ports[A], 1, false));
		assert_pr_param(24, -1);
		ASSERT_GOOD(move(A, KEY(A), 5, pr_ports[C], 1, false));
		ASSERT_KEYS(KEY(A), KEY(B), 5);
		ASSERT_HELD(kind, 5);
		ASSERT_GOOD(move(C, 5, 6, pr_ports[B], 1, true));
		ASSERT_KEYS(KEY(A), 6);
		ASSERT_HELD(kind, 6);
		for (int i = 0; i < NEXUSES; i++)
			g_assert_cmpint(pr_ua(i), ==, SENSE_NONE);
		pr_stop();
	}
	hold(PR_WE);
	put_be64(list, KEY(A));
	list[15] = 5;
	list[19] = 1;
	put_be32(list + 20, 20);
	ASSERT_CHECK(pr_out_list(A, SA_PR_REGISTER_AND_MOVE, 0, list, sizeof list));
	assert_pr_sense(PARAMETER_LIST_LENGTH);
	put_be32(list + 20, 24);
	/* a device, not a port */
	memcpy(list + 24, (uint8_t[]){ 5, 0, 0, 20, 'i', 'q', 'n', '.', 'x', ':', 'b' }, 11);
	ASSERT_CHECK(pr_out_list(A, SA_PR_REGISTER_AND_MOVE, 0, list, sizeof list));
	assert_pr_param(24, -1);
	pr_stop();
}

/* ---- PERSISTENT RESERVE IN ---- */

static void test_reports(void)
{
	const uint8_t *d = pr_rig.in;

	hold(PR_WE_RO);
	pr_in(SA_PR_REPORT_CAPABILITIES, 255);
	g_assert_cmpmem(d, pr_rig.in_len, ((uint8_t[]){ 0, 8, 0x1c, 0x90, 0xea, 0x01, 0, 0 }), 8);
	pr_in(SA_PR_READ_FULL_STATUS, 4096);
	g_assert_cmpuint(get_be32(d), ==, 2);
	g_assert_cmpuint(get_be32(d + 4), ==, pr_rig.in_len - 8);
	g_assert_cmpuint(get_be64(d + 8), ==, KEY(A));
	g_assert_cmphex(d[20], ==, 0x01);
	g_assert_cmphex(d[21], ==, PR_WE_RO);
	g_assert_cmpuint(get_be16(d + 26), ==, 1);
	g_assert_cmpuint(get_be32(d + 28), ==, 32);
	g_assert_cmpmem(d + 32, 4, ((uint8_t[]){ 0x45, 0, 0, 28 }), 4);
	g_assert_cmpstr((const char *)d + 36, ==, pr_ports[A]);
	d += 8 + 24 + 32;
	g_assert_cmpuint(get_be64(d), ==, KEY(B));
	g_assert_cmphex(d[12], ==, 0);
	g_assert_cmphex(d[13], ==, 0);
	/* Cut, with the length there is. */
	pr_in(SA_PR_READ_KEYS, 12);
	g_assert_cmpuint(pr_rig.in_len, ==, 12);
	g_assert_cmpuint(get_be32(pr_rig.in + 4), ==, 16);
	pr_stop();
	hold(PR_EA_AR);
	pr_in(SA_PR_READ_FULL_STATUS, 4096);
	g_assert_cmphex(pr_rig.in[20] & pr_rig.in[8 + 24 + 32 + 12], ==, 1);	/* both hold it */
	pr_stop();
}

/* ---- RESERVE and RELEASE ---- */

static uint8_t simple(int who, uint8_t opcode)
{
	PR_CDB(who, 0, opcode);
	return pr_rig.status;
}

static void reset_on_reactor(void *arg)
{
	lun_reset(pr_rig.lun);
}

static void test_spc2(void)
{
	static const struct { uint8_t reserve, release; } pairs[] = { { OP_RESERVE_6, OP_RELEASE_6 },
								      { OP_RESERVE_10, OP_RELEASE_10 } };

	for (unsigned p = 0; p < G_N_ELEMENTS(pairs); p++) {
		pr_start(NULL);
		ASSERT_GOOD(simple(A, pairs[p].reserve));
		ASSERT_GOOD(simple(A, pairs[p].reserve));
		ASSERT_CONFLICT(simple(B, pairs[p].reserve));
		ASSERT_GOOD(simple(B, pairs[p].release));	/* nothing of its own */
		ASSERT_CONFLICT(simple(B, OP_TEST_UNIT_READY));
		ASSERT_GOOD(simple(A, OP_TEST_UNIT_READY));
		ASSERT_CONFLICT(simple(B, OP_MODE_SENSE_6));
		ASSERT_CONFLICT(simple(B, OP_READ_10));
		ASSERT_GOOD(simple(B, OP_INQUIRY));
		ASSERT_GOOD(simple(B, OP_PREVENT_ALLOW));
		ASSERT_CONFLICT(pr_register(A, 1));		/* not both */
		PR_CDB(A, 8, OP_PERSISTENT_RESERVE_IN, 0, 0, 0, 0, 0, 0, 0, 8);
		ASSERT_CONFLICT(pr_rig.status);
		ASSERT_GOOD(simple(A, pairs[p].release));
		ASSERT_GOOD(simple(B, pairs[p].reserve));
		pr_logout(B);
		ASSERT_GOOD(simple(A, OP_TEST_UNIT_READY));
		ASSERT_GOOD(simple(A, pairs[p].reserve));
		reactor_call(pr_rig.engine->reactors[0], reset_on_reactor, NULL);
		g_assert_cmpint(pr_ua(C), ==, SENSE_UA_RESET);
		ASSERT_GOOD(simple(C, OP_TEST_UNIT_READY));
		pr_stop();
	}
}

/* SPC-4 5.13.3, and a reset does not touch what is persistent. */
static void test_spc2_beside(void)
{
	for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
		hold(kinds[k]);
		ASSERT_GOOD(simple(A, OP_RESERVE_6));
		ASSERT_GOOD(simple(A, OP_RELEASE_10));
		g_assert_cmphex(simple(B, OP_RESERVE_10), ==,
				registrants(kinds[k]) ? STATUS_GOOD : STATUS_RESERVATION_CONFLICT);
		ASSERT_CONFLICT(simple(C, OP_RESERVE_6));
		ASSERT_CONFLICT(simple(C, OP_RELEASE_6));
		reactor_call(pr_rig.engine->reactors[0], reset_on_reactor, NULL);
		for (int i = 0; i < NEXUSES; i++)
			g_assert_cmpint(pr_ua(i), ==, SENSE_UA_RESET);
		ASSERT_HELD(kinds[k], all(kinds[k]) ? 0 : KEY(A));
		ASSERT_KEYS(KEY(A), KEY(B));
		pr_stop();
	}
	pr_start(NULL);
	ASSERT_GOOD(pr_register(A, 1));
	ASSERT_CONFLICT(simple(A, OP_RESERVE_6));	/* registered, but no reservation */
	pr_stop();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/pr/register", test_register);
	g_test_add_func("/pr/register/all-ports", test_all_ports);
	g_test_add_func("/pr/register/listed", test_listed);
	g_test_add_func("/pr/register/room", test_room);
	g_test_add_func("/pr/lengths", test_lengths);
	g_test_add_func("/pr/matrix", test_matrix);
	g_test_add_func("/pr/reserve", test_reserve);
	g_test_add_func("/pr/unregister-holder", test_unregister_holder);
	g_test_add_func("/pr/clear", test_clear);
	g_test_add_func("/pr/preempt/holder", test_preempt_holder);
	g_test_add_func("/pr/preempt/registration", test_preempt_registration);
	g_test_add_func("/pr/preempt/abort", test_preempt_abort);
	g_test_add_func("/pr/move", test_move);
	g_test_add_func("/pr/reports", test_reports);
	g_test_add_func("/pr/spc2", test_spc2);
	g_test_add_func("/pr/spc2/beside-persistent", test_spc2_beside);
	return g_test_run();
}
