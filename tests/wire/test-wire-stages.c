/* SPDX-License-Identifier: Apache-2.0 */
/* The login phase, step by step (RFC 7143 6.3, 11.12, 11.13), and what ends it. */
#include "config.h"
#include "iscsi/keys.h"
#include "ini.h"

#define NAMES "InitiatorName=" HOST ";TargetName=" DISK ";"
#define OTHER "iqn.2010-01.org.example:other"

enum { T = 0x80, C = 0x40 };

static guint sessions(void)
{
	GArray *list = node_sessions(server->node);
	guint n = list->len;

	g_array_unref(list);
	return n;
}

/* Those of tests before, which end when the server sees that they are gone. */
static void all_gone(void)
{
	while (sessions())
		g_usleep(1000);
}

static uint16_t full(struct ini *i, const char *text)
{
	ini_login_pdu(i, OP_TO_FULL, text);
	EXPECT_LOGIN(i, OP_TO_FULL, LOGIN_SUCCESS);
	return get16(i->bhs + 14);
}

/* Into a stage, by the way that has most steps. */
static struct ini *reach(unsigned stage, bool named)
{
	struct ini *i = ini_new(server, 1);

	ini_login_pdu(i, 0x00, named ? NAMES : "InitiatorName=" HOST ";SessionType=Discovery;");
	EXPECT_LOGIN(i, 0x00, LOGIN_SUCCESS);
	if (stage == 1) {
		ini_login_pdu(i, SEC_TO_OP, "");
		EXPECT_LOGIN(i, SEC_TO_OP, LOGIN_SUCCESS);
		ini_login_pdu(i, 0x04, "");
		EXPECT_LOGIN(i, 0x04, LOGIN_SUCCESS);
	}
	return i;
}

/* 11.12.3: every CSG, NSG, T and C from within each stage, in both types of session. */
static void test_transitions(void)
{
	for (unsigned n = 0; n < 2 * 2 * 64; n++) {
		unsigned at = n & 1, csg = n >> 2 & 3, nsg = n >> 4 & 3;
		bool transit = n & 64, more = n & 128, named = n & 2;
		bool there = at == 0 ? nsg == 1 || nsg == 3 : nsg == 3;
		bool good = csg == at && (!transit || (there && !more));
		uint8_t flags = (uint8_t)((transit ? T : 0) | (more ? C : 0) | csg << 2 | nsg);
		struct ini *i = reach(at, named);

		g_test_message("in %u: CSG %u NSG %u T %d C %d", at, csg, nsg, transit, more);
		ini_login_pdu(i, flags, "");
		if (good)
			EXPECT_LOGIN(i, (transit ? T | nsg : 0) | csg << 2, LOGIN_SUCCESS);
		else
			EXPECT_REFUSED(i, LOGIN_INVALID_REQUEST);
		if (good)
			g_assert_true((get16(i->bhs + 14) != 0) == (transit && nsg == 3));
		ini_free(i);
	}
}

/* Who leaves in the middle leaves nothing behind, and is not in the way of who comes after. */
static void test_partial(void)
{
	all_gone();
	for (unsigned n = 0; n < 40; n++) {
		struct ini *i = reach(n & 1, n & 2);

		if (n & 4)
			ini_login_pdu(i, (uint8_t)(C | (n & 1) << 2), "Initial");
		ini_free(i);
	}
	g_assert_cmpuint(sessions(), ==, 0);
	ini_free(ini_new_login(server, 1, ""));
}

/* The login of a session that is there, once more, and not to its end: the older one does not mind (6.3.5). */
static void test_partial_reinstatement(void)
{
	struct ini *older = ini_new_login(server, 1, "");

	for (unsigned n = 0; n < 2; n++) {
		struct ini *i = reach(n, true);

		ini_check(older);
		ini_free(i);
		ini_check(older);
	}
	ini_free(older);
}

/* 11.13.5: each status at its place.  Those of access and redirection have tests of their own. */
static void test_statuses(void)
{
	static const struct { uint8_t flags; const char *text; enum login_status status; } rows[] = {
		{ OP_TO_FULL, NAMES "text", LOGIN_INITIATOR_ERROR },
		{ OP_TO_FULL, NAMES "MaxBurstLength", LOGIN_INITIATOR_ERROR },
		{ OP_TO_FULL, "InitiatorName=host;TargetName=" DISK ";", LOGIN_INITIATOR_ERROR },
		{ OP_TO_FULL, "InitiatorName=;TargetName=" DISK ";", LOGIN_INITIATOR_ERROR },
		{ OP_TO_FULL, NAMES "InitiatorName=" HOST ";", LOGIN_INITIATOR_ERROR },
		{ SEC_TO_OP, NAMES "AuthMethod=CHAP;", LOGIN_AUTH_FAILURE },
		{ SEC_TO_OP, NAMES "AuthMethod=KRB5,SRP;", LOGIN_AUTH_FAILURE },
		{ OP_TO_FULL, "InitiatorName=" HOST ";TargetName=" DISK "x;", LOGIN_NOT_FOUND },
		{ OP_TO_FULL, "InitiatorName=" HOST ";TargetName=;", LOGIN_NOT_FOUND },
		{ OP_TO_FULL, "TargetName=" DISK ";", LOGIN_MISSING_PARAMETER },
		{ OP_TO_FULL, "InitiatorName=" HOST ";", LOGIN_MISSING_PARAMETER },
		{ OP_TO_FULL, "InitiatorName=" HOST ";SessionType=Normal;", LOGIN_MISSING_PARAMETER },
		{ OP_TO_FULL, "SessionType=Discovery;", LOGIN_MISSING_PARAMETER },
		{ OP_TO_FULL, "", LOGIN_MISSING_PARAMETER },
		{ 0x04, "", LOGIN_MISSING_PARAMETER },
		{ OP_TO_FULL, NAMES "SessionType=discovery;", LOGIN_SESSION_TYPE },
		{ OP_TO_FULL, NAMES "SessionType=;", LOGIN_SESSION_TYPE },
		{ T | C | 0x07, NAMES, LOGIN_INVALID_REQUEST },
		{ 0x08, NAMES, LOGIN_INVALID_REQUEST },
		{ 0x0c, NAMES, LOGIN_INVALID_REQUEST },
		{ T | 0x02, NAMES, LOGIN_INVALID_REQUEST },
		{ T | 0x05, NAMES, LOGIN_INVALID_REQUEST },
	};
	all_gone();
	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++) {
		struct ini *i = ini_new(server, 1);

		g_test_message("%s", rows[n].text);
		ini_login_pdu(i, rows[n].flags, rows[n].text);
		EXPECT_PDU(i, OP_LOGIN_RESPONSE);
		g_assert_cmphex(get16(i->bhs + 36), ==, rows[n].status);
		g_assert_cmphex(i->bhs[1] & T, ==, 0);		/* 11.13.2 */
		g_assert_cmpuint(i->data_len, ==, 0);
		EXPECT_CLOSED(i);
		ini_free(i);
	}
	g_assert_cmpuint(sessions(), ==, 0);
}

/* 11.12.4, 11.12.5, 11.13.1: version 0 is what there is. */
static void test_versions(void)
{
	static const struct { uint8_t max, min; enum login_status status; } rows[] = {
		{ 0, 0, LOGIN_SUCCESS }, { 1, 0, LOGIN_SUCCESS }, { 255, 0, LOGIN_SUCCESS }, { 1, 1, LOGIN_VERSION },
		{ 255, 2, LOGIN_VERSION },
	};
	g_autofree char *text = g_strdelimit(g_strdup(NAMES), ";", '\0');

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++) {
		uint8_t bhs[BHS_LEN] = { OP_LOGIN_REQUEST | IMMEDIATE, OP_TO_FULL, rows[n].max, rows[n].min, [8] = 0x80, [13] = 1 };
		struct ini *i = ini_new(server, 1);

		ini_send(i, bhs, text, sizeof NAMES - 1);
		EXPECT_PDU(i, OP_LOGIN_RESPONSE);
		g_assert_cmphex(get16(i->bhs + 36), ==, rows[n].status);
		g_assert_cmphex(i->bhs[2], ==, 0);
		g_assert_cmphex(i->bhs[3], ==, 0);
		ini_free(i);
	}
}

/* 6.3: who is silent in his login, wherever, is shown out after a while. */
static void test_timeout(void)
{
	static const uint8_t half[BHS_LEN / 2] = { OP_LOGIN_REQUEST | IMMEDIATE, OP_TO_FULL };
	uint32_t was = server->node->login_timeout_s;
	int64_t begun = g_get_monotonic_time();
	struct ini *i[4];

	server->node->login_timeout_s = 4;	/* which all of the following is done within */
	i[0] = ini_new(server, 1);
	i[1] = ini_new(server, 1);
	ini_send_raw(i[1], half, sizeof half);
	i[2] = reach(0, true);
	i[3] = reach(1, true);
	ini_login_pdu(i[3], C | 0x04, "Initial");
	EXPECT_LOGIN(i[3], 0x04, LOGIN_SUCCESS);
	for (unsigned n = 0; n < G_N_ELEMENTS(i); n++) {
		EXPECT_CLOSED(i[n]);
		ini_free(i[n]);
	}
	g_assert_cmpint(g_get_monotonic_time() - begun, >=, 3900000);
	server->node->login_timeout_s = was;
}

/* Text has an end: 11.13.5, out of resources. */
static void test_bounds(void)
{
	g_autofree char *text = g_strnfill(8192, 'x');
	struct ini *i = ini_new(server, 1);

	for (unsigned n = 0; n < KEYS_TEXT_MAX / 8192; n++) {
		ini_login_pdu(i, C | 0x04, text);
		EXPECT_LOGIN(i, 0x04, LOGIN_SUCCESS);
	}
	ini_login_pdu(i, C | 0x04, "x");
	EXPECT_REFUSED(i, LOGIN_OUT_OF_RESOURCES);
	ini_free(i);
}

/* 11.13, C in both directions: a question in many pieces, its answer in many pieces, and keys after it. */
static void test_continuation(void)
{
	GString *ask = g_string_new(NAMES "MaxRecvDataSegmentLength=512;"), *got = g_string_new(NULL);
	struct ini *i = ini_new(server, 1);
	g_autofree char *after = NULL;

	for (unsigned n = 0; n < 200; n++)
		g_string_append_printf(ask, "X-%u=1;", n);
	for (gsize at = 0; at < ask->len; at += 100) {
		g_autofree char *piece = g_strndup(ask->str + at, 100);
		bool more = at + 100 < ask->len;

		ini_login_pdu(i, more ? C | 0x04 : 0x04, piece);
		EXPECT_PDU(i, OP_LOGIN_RESPONSE);
		if (more)
			g_assert_cmpuint(i->data_len, ==, 0);
	}
	i->max_recv_dsl = 512;
	for (;;) {
		g_autofree char *text = ini_text(i);

		g_assert_cmpuint(i->data_len, <=, 512);
		g_string_append(got, text);
		if (!(i->bhs[1] & C))
			break;
		g_assert_cmphex(i->bhs[1], ==, C | 0x04);
		ini_login_pdu(i, 0x04, "");
		EXPECT_PDU(i, OP_LOGIN_RESPONSE);
	}
	for (unsigned n = 0; n < 200; n++) {
		g_autofree char *want = g_strdup_printf("X-%u=NotUnderstood;", n);

		g_assert_nonnull(strstr(got->str, want));
	}
	ini_login_pdu(i, OP_TO_FULL, "InitialR2T=No;");
	EXPECT_LOGIN(i, OP_TO_FULL, LOGIN_SUCCESS);
	after = ini_text(i);
	g_assert_cmpstr(after, ==, "InitialR2T=No;");
	g_string_free(ask, TRUE);
	g_string_free(got, TRUE);
	ini_free(i);

	/* 11.12.2: while an answer goes on, the initiator sends nothing else. */
	i = ini_new(server, 1);
	{
		GString *long_ask = g_string_new(NAMES "MaxRecvDataSegmentLength=512;");

		for (unsigned n = 0; n < 100; n++)
			g_string_append_printf(long_ask, "X-%u=1;", n);
		ini_login_pdu(i, 0x04, long_ask->str);
		g_string_free(long_ask, TRUE);
	}
	EXPECT_LOGIN(i, C | 0x04, LOGIN_SUCCESS);
	ini_login_pdu(i, 0x04, "InitialR2T=No;");
	EXPECT_REFUSED(i, LOGIN_INVALID_REQUEST);
	ini_free(i);
}

/* 4.4.3: what makes a session another one: the initiator's name, its ISID, the target. */
static void test_nexus(void)
{
	struct target *scsi = target_new(server->engine, DISK ".two");
	struct node_target *two = node_add_target(server->node, DISK ".two", NULL, scsi, &params_offered, NULL, 0);
	struct ini *i = ini_new_login(server, 1, ""), *isid = ini_new_login(server, 2, ""), *name = ini_new(server, 1);
	struct ini *target = ini_new(server, 1), *discovery = ini_new(server, 1);
	uint16_t tsih[4] = { i->tsih, isid->tsih };

	tsih[2] = full(name, "InitiatorName=" OTHER ";TargetName=" DISK ";");
	tsih[3] = full(target, "InitiatorName=" HOST ";TargetName=" DISK ".two;");
	full(discovery, "InitiatorName=" HOST ";SessionType=Discovery;");
	for (unsigned n = 0; n < 4; n++)
		for (unsigned m = 0; m < n; m++)
			g_assert_cmpuint(tsih[n], !=, tsih[m]);	/* 11.13.3 */
	ini_check(i);
	ini_check(isid);
	ini_nop(name, 0x70, NULL, 0);
	EXPECT_PDU(name, OP_NOP_IN);
	ini_nop(target, 0x70, NULL, 0);
	EXPECT_PDU(target, OP_NOP_IN);
	ini_free(i);
	ini_free(isid);
	ini_free(name);
	ini_free(discovery);
	node_remove_target(server->node, two, 0);
	EXPECT_CLOSED(target);
	ini_free(target);
	target_free(scsi);
}

/* 4.4.3, 11.13.5: another portal group is another target port; a session has its connections in one (0208). */
static void test_portal_groups(void)
{
	GError *error = NULL;
	struct portal *portal = node_add_portal(server->node, "127.0.0.1", 0, &error);
	const struct portal_tag tags[] = { { server->portal, 1 }, { portal, 2 } };
	struct server beyond = *server;
	struct ini *one, *two, *other;

	g_assert_no_error(error);
	node_set_tags(server->node, server->target, tags, G_N_ELEMENTS(tags));
	beyond.portal = portal;
	one = ini_new_login(server, 1, "MaxConnections=4;");
	two = ini_new_login(&beyond, 1, "MaxConnections=4;");
	g_assert_cmpuint(one->tsih, !=, two->tsih);
	ini_check(one);
	ini_check(two);
	for (unsigned n = 0; n < 2; n++) {
		other = ini_new(n ? server : &beyond, 1);
		other->tsih = n ? two->tsih : one->tsih;
		other->cid = 1;
		ini_login_pdu(other, OP_TO_FULL, NAMES);
		EXPECT_REFUSED(other, LOGIN_CANNOT_INCLUDE);
		ini_free(other);
	}
	other = ini_new_join(two, 1, "");
	ini_check(other);
	ini_hang_up(other);
	ini_free(other);
	EXPECT_PDU(two, OP_ASYNC);
	ini_check(one);
	ini_free(one);
	ini_free(two);
	all_gone();
	node_set_tags(server->node, server->target, tags, 1);
	node_remove_portal(server->node, portal);
}

/* 13.2: sixteen connections, one order of commands; no seventeenth. */
static void test_sixteen(void)
{
	enum { CONNS = 16 };
	struct params offer = server->target->offer;
	struct ini *on[CONNS], *more = ini_new(server, 1);

	offer.max_connections = CONNS;
	node_update_target(server->node, server->target, "a disk", &offer, NULL, 0);
	on[0] = ini_new(server, 1);
	ini_login(on[0], "MaxConnections=65535;");
	for (unsigned n = 1; n < CONNS; n++)
		on[n] = ini_new_join(on[0], (uint16_t)(n * 4000), "");
	memcpy(more->isid, on[0]->isid, 6);
	more->tsih = on[0]->tsih;
	more->cid = 1;
	ini_login_pdu(more, OP_TO_FULL, NAMES);
	EXPECT_REFUSED(more, LOGIN_TOO_MANY_CONNECTIONS);
	for (unsigned round = 0; round < 2; round++) {
		uint32_t sn = on[0]->cmd_sn;

		for (unsigned n = CONNS; n-- > 0; ) {	/* the last comes first */
			on[n]->cmd_sn = sn + n;
			on[n]->itt = 0x1000 + n;
			ini_test_unit_ready(on[n], 0);
		}
		for (unsigned n = 0; n < CONNS; n++)
			EXPECT_STATUS(on[n], 0x1000 + n, 0);
		on[0]->cmd_sn = sn + CONNS;
	}
	ini_logout(on[0], 0, 0);
	EXPECT_PDU(on[0], OP_LOGOUT_RESPONSE);
	for (unsigned n = 0; n < CONNS; n++) {
		EXPECT_CLOSED(on[n]);
		ini_free(on[n]);
	}
	ini_free(more);
	offer.max_connections = 4;
	node_update_target(server->node, server->target, "a disk", &offer, NULL, 0);
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_func("/wire/stages/rfc7143-11.12.3-transitions", test_transitions);
	g_test_add_func("/wire/stages/rfc7143-6.3-partial", test_partial);
	g_test_add_func("/wire/stages/rfc7143-6.3.5-partial", test_partial_reinstatement);
	g_test_add_func("/wire/stages/rfc7143-11.13.5-statuses", test_statuses);
	g_test_add_func("/wire/stages/rfc7143-11.12.4-versions", test_versions);
	g_test_add_func("/wire/stages/rfc7143-6.3-timeout", test_timeout);
	g_test_add_func("/wire/stages/rfc7143-11.13.5-bounds", test_bounds);
	g_test_add_func("/wire/stages/rfc7143-11.12.2-continuation", test_continuation);
	g_test_add_func("/wire/stages/rfc7143-4.4.3-nexus", test_nexus);
	g_test_add_func("/wire/stages/rfc7143-4.4.3-portal-groups", test_portal_groups);
	g_test_add_func("/wire/stages/rfc7143-13.2-sixteen", test_sixteen);
	return server_run();
}
