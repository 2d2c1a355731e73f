/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "ini.h"

#define NAMES "InitiatorName=" HOST ";TargetName=" DISK ";"

static void expect_text(struct ini *i, const char *want)
{
	g_autofree char *got = ini_text(i);

	g_assert_cmpstr(got, ==, want);
}

/* The first command of a session meets POWER ON OCCURRED. */
static void expect_fresh(struct ini *i)
{
	uint32_t itt = ini_test_unit_ready(i, 0);

	EXPECT_SENSE(i, itt, KEY_UNIT_ATTENTION, 0x29);
}

static void test_stages(void)
{
	struct ini *i = ini_new(server, 1);

	ini_login_pdu(i, SEC_TO_OP, NAMES "AuthMethod=None;");
	EXPECT_LOGIN(i, SEC_TO_OP, LOGIN_SUCCESS);
	expect_text(i, "AuthMethod=None;TargetPortalGroupTag=1;TargetAlias=a disk;");
	ini_login_pdu(i, 0x04, "InitialR2T=Yes;");
	EXPECT_LOGIN(i, 0x04, LOGIN_SUCCESS);
	expect_text(i, "InitialR2T=Yes;MaxRecvDataSegmentLength=262144;");
	ini_login_pdu(i, OP_TO_FULL, "");
	EXPECT_LOGIN(i, OP_TO_FULL, LOGIN_SUCCESS);
	expect_fresh(i);
	ini_check(i);
	ini_free(i);

	i = ini_new(server, 1);
	ini_login_pdu(i, SEC_TO_FULL, NAMES);
	EXPECT_LOGIN(i, SEC_TO_FULL, LOGIN_SUCCESS);
	expect_fresh(i);
	ini_check(i);
	ini_free(i);
}

/* A text over many PDUs. */
static void test_continuation(void)
{
	struct ini *i = ini_new(server, 1);
	const char *text = NAMES "HeaderDigest=None;";

	for (const char *at = text; *at; at++) {
		char one[2] = { *at, '\0' };

		ini_login_pdu(i, at[1] ? 0x44 : OP_TO_FULL, one);
		EXPECT_LOGIN(i, at[1] ? 0x04 : OP_TO_FULL, LOGIN_SUCCESS);
	}
	expect_fresh(i);
	ini_free(i);
}

#define X16 "xxxxxxxxxxxxxxxx"
#define X64 X16 X16 X16 X16
#define X256 X64 X64 X64 X64

static void test_refused(void)
{
	static const struct { uint8_t flags; const char *text; enum login_status status; } rows[] = {
		{ OP_TO_FULL, "InitiatorName=" HOST ";TargetName=iqn.nobody;", LOGIN_NOT_FOUND },
		{ OP_TO_FULL, "InitiatorName=" HOST ";", LOGIN_MISSING_PARAMETER },
		{ OP_TO_FULL, "TargetName=" DISK ";", LOGIN_MISSING_PARAMETER },
		{ OP_TO_FULL, NAMES "SessionType=Odd;", LOGIN_SESSION_TYPE },
		{ OP_TO_FULL, "InitiatorName=x;TargetName=" DISK ";", LOGIN_INITIATOR_ERROR },
		{ OP_TO_FULL, "InitiatorName=" HOST X256 ";TargetName=" DISK ";", LOGIN_INITIATOR_ERROR },
		{ OP_TO_FULL, "InitiatorName=" HOST ";TargetName=" DISK X256 ";", LOGIN_NOT_FOUND },
		{ OP_TO_FULL, NAMES "no pair;", LOGIN_INITIATOR_ERROR },
		{ SEC_TO_OP, NAMES "AuthMethod=CHAP;", LOGIN_AUTH_FAILURE },
		{ 0x86, NAMES, LOGIN_INVALID_REQUEST },
	};

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++) {
		struct ini *i = ini_new(server, 1);

		g_test_message("%s", rows[n].text);
		ini_login_pdu(i, rows[n].flags, rows[n].text);
		EXPECT_REFUSED(i, rows[n].status);
		ini_free(i);
	}
}

static void test_version(void)
{
	struct ini *i = ini_new(server, 1);
	uint8_t bhs[BHS_LEN] = { OP_LOGIN_REQUEST | IMMEDIATE, OP_TO_FULL, 2, 1 };

	ini_send(i, bhs, NULL, 0);
	EXPECT_REFUSED(i, LOGIN_VERSION);
	ini_free(i);
}

static void test_before_login(void)
{
	struct ini *i = ini_new(server, 1);

	ini_nop(i, 1, NULL, 0);
	EXPECT_CLOSED(i);
	ini_free(i);

	/* RFC 7143 13.12: 8192 bytes and no more. */
	i = ini_new(server, 1);
	{
		g_autofree char *text = g_strnfill(8193, 'x');

		ini_login_pdu(i, 0x44, text);
		EXPECT_CLOSED(i);
	}
	ini_free(i);
}

static void test_tsih(void)
{
	struct ini *i = ini_new_login(server, 1, ""), *other = ini_new(server, 1);

	other->tsih = 0x7eee;
	ini_login_pdu(other, OP_TO_FULL, NAMES);
	EXPECT_REFUSED(other, LOGIN_NO_SESSION);
	ini_free(other);
	ini_check(i);
	ini_free(i);
}

static uint16_t log_in(struct ini *i)
{
	ini_login_pdu(i, OP_TO_FULL, NAMES);
	EXPECT_LOGIN(i, OP_TO_FULL, LOGIN_SUCCESS);
	return get16(i->bhs + 14);
}

static void test_second_connection(void)
{
	struct ini *i = ini_new(server, 1), *other = ini_new(server, 1);

	other->tsih = log_in(i);
	other->cid = 1;
	ini_login_pdu(other, OP_TO_FULL, NAMES);
	EXPECT_REFUSED(other, LOGIN_TOO_MANY_CONNECTIONS);
	ini_free(other);
	expect_fresh(i);
	ini_free(i);
}

/* RFC 7143 6.3.5: the same nexus again ends the older session, even with commands at the device. */
static void test_reinstatement(void)
{
	struct ini *older = ini_new_login(server, 1, ""), *beside = ini_new_login(server, 2, "");
	struct ini *newer = ini_new(server, 1);

	ram_hold();
	ini_read(older, 0, 8, 4096);
	ini_read(older, 8, 8, 4096);
	ram_wait_held(2);
	ini_login(newer, "");
	EXPECT_CLOSED(older);
	ram_release();
	ini_check(newer);
	ini_check(beside);
	for (unsigned n = 0; n < 20; n++) {
		ini_free(older);
		older = newer;
		newer = ini_new_login(server, 1, "");
		EXPECT_CLOSED(older);
	}
	ini_check(beside);
	ini_free(older);
	ini_free(newer);
	ini_free(beside);
}

static void discover(struct ini *i)
{
	ini_login_pdu(i, OP_TO_FULL, "InitiatorName=" HOST ";SessionType=Discovery;");
	EXPECT_LOGIN(i, OP_TO_FULL, LOGIN_SUCCESS);
}

static void ask(struct ini *i, uint8_t flags, uint32_t ttt, const char *text)
{
	g_autofree char *pairs = g_strdelimit(g_strdup(text), ";", '\0');
	uint8_t bhs[BHS_LEN] = { OP_TEXT_REQUEST | IMMEDIATE, flags };

	put32(bhs + 16, 7);
	put32(bhs + 20, ttt);
	put32(bhs + 24, i->cmd_sn);
	ini_send(i, bhs, pairs, (uint32_t)strlen(text));
}

static void test_discovery(void)
{
	g_autofree char *want = g_strdup_printf("TargetName=" DISK ";TargetAddress=%s,1;", portal_name(server->portal));
	struct ini *i = ini_new(server, 1);

	discover(i);
	ask(i, FINAL, TAG_NONE, "SendTargets=All;");
	EXPECT_PDU(i, OP_TEXT_RESPONSE);
	g_assert_cmphex(i->bhs[1], ==, FINAL);
	expect_text(i, want);
	ask(i, FINAL, TAG_NONE, "SendTargets=" DISK ";");
	EXPECT_PDU(i, OP_TEXT_RESPONSE);
	expect_text(i, want);
	ini_test_unit_ready(i, 0);	/* RFC 7143 4.3: no SCSI here */
	EXPECT_REJECT(i, REJECT_PROTOCOL_ERROR);
	ask(i, FINAL | 0x40, TAG_NONE, "SendTargets=All;");
	EXPECT_REJECT(i, REJECT_PROTOCOL_ERROR);
	ini_free(i);

	i = ini_new_login(server, 1, "");
	ask(i, FINAL, TAG_NONE, "SendTargets=;");
	EXPECT_PDU(i, OP_TEXT_RESPONSE);
	expect_text(i, want);
	ask(i, FINAL, TAG_NONE, "SendTargets=All;");
	EXPECT_PDU(i, OP_TEXT_RESPONSE);
	expect_text(i, "SendTargets=Reject;");
	ini_check(i);
	ini_free(i);
}

/* An answer longer than what the initiator takes at once. */
static void test_long_answer(void)
{
	struct target *scsi[30];
	struct node_target *targets[30];
	GString *got = g_string_new(NULL);
	struct ini *i = ini_new(server, 1);
	unsigned rounds = 0;

	for (unsigned n = 0; n < 30; n++) {
		g_autofree char *name = g_strdup_printf(DISK ".%02u", n);

		scsi[n] = target_new(server->engine, name);
		targets[n] = node_add_target(server->node, name, NULL, scsi[n], &params_offered, NULL, 0);
	}
	ini_login_pdu(i, OP_TO_FULL, "InitiatorName=" HOST ";SessionType=Discovery;MaxRecvDataSegmentLength=512;");
	EXPECT_LOGIN(i, OP_TO_FULL, LOGIN_SUCCESS);
	i->max_recv_dsl = 512;
	ask(i, FINAL, TAG_NONE, "SendTargets=All;");
	do {
		g_autofree char *text = NULL;

		EXPECT_PDU(i, OP_TEXT_RESPONSE);
		text = ini_text(i);
		g_string_append(got, text);
		rounds++;
		if (!(i->bhs[1] & FINAL))
			ask(i, FINAL, get32(i->bhs + 20), "");
	} while (!(i->bhs[1] & FINAL));
	g_assert_cmpuint(rounds, ==, (got->len + 511) / 512);
	g_assert_nonnull(strstr(got->str, "TargetName=" DISK ";"));
	for (unsigned n = 0; n < 30; n++) {
		g_autofree char *line = g_strdup_printf("TargetName=" DISK ".%02u;TargetAddress=%s,1;", n,
							portal_name(server->portal));

		g_assert_nonnull(strstr(got->str, line));
		node_remove_target(server->node, targets[n], 0);
		target_free(scsi[n]);
	}
	g_string_free(got, TRUE);
	ini_free(i);
}

/* So many that no list of them is in memory at once; each is told, once, in order, while one goes. */
static void test_many_targets(void)
{
	enum { MANY = 10000, DSL = 8192 };
	struct target **scsi = g_new0(struct target *, MANY);
	struct node_target **targets = g_new0(struct node_target *, MANY);
	g_autoptr(GString) got = g_string_new(NULL), want = g_string_new("TargetName=" DISK ";");
	struct ini *i = ini_new(server, 1), *silent = ini_new(server, 2);
	unsigned rounds = 0;

	g_string_append_printf(want, "TargetAddress=%s,1;", portal_name(server->portal));
	for (unsigned n = 0; n < MANY; n++) {
		g_autofree char *name = g_strdup_printf(DISK ".%05u", n);

		scsi[n] = target_new(server->engine, name);
		targets[n] = node_add_target(server->node, name, NULL, scsi[n], &params_offered, NULL, 0);
		if (n != MANY - 2)
			g_string_append_printf(want, "TargetName=%s;TargetAddress=%s,1;", name, portal_name(server->portal));
	}
	ini_login_pdu(i, OP_TO_FULL, "InitiatorName=" HOST ";SessionType=Discovery;MaxRecvDataSegmentLength=8192;");
	EXPECT_LOGIN(i, OP_TO_FULL, LOGIN_SUCCESS);
	ini_login_pdu(silent, OP_TO_FULL, "InitiatorName=" HOST ";SessionType=Discovery;MaxRecvDataSegmentLength=512;");
	EXPECT_LOGIN(silent, OP_TO_FULL, LOGIN_SUCCESS);
	ask(silent, FINAL, TAG_NONE, "SendTargets=All;");	/* and never goes on */
	ask(i, FINAL, TAG_NONE, "SendTargets=All;");
	do {
		g_autofree char *text = NULL;

		EXPECT_PDU(i, OP_TEXT_RESPONSE);
		text = ini_text(i);
		g_string_append(got, text);
		if (!rounds++) {
			node_remove_target(server->node, targets[MANY - 2], 0);
			targets[MANY - 2] = NULL;
		}
		if (!(i->bhs[1] & FINAL)) {
			g_assert_cmphex(i->bhs[1], ==, CONTINUE_BIT);
			g_assert_cmpuint(i->data_len, ==, DSL);
			ask(i, FINAL, get32(i->bhs + 20), "");
		}
	} while (!(i->bhs[1] & FINAL));
	g_assert_true(g_str_equal(got->str, want->str));
	g_assert_cmpuint(rounds, ==, (want->len + DSL - 1) / DSL);
	ini_free(silent);
	ini_free(i);
	for (unsigned n = 0; n < MANY; n++) {
		if (targets[n])
			node_remove_target(server->node, targets[n], 0);
		target_free(scsi[n]);
	}
	g_free(targets);
	g_free(scsi);
}

/* A target that is taken away. */
static void test_removed(void)
{
	struct target *scsi = target_new(server->engine, DISK ".gone");
	struct node_target *t = node_add_target(server->node, DISK ".gone", NULL, scsi, &params_offered, NULL, 0);
	struct ini *i = ini_new(server, 1);

	ini_login_pdu(i, OP_TO_FULL, "InitiatorName=" HOST ";TargetName=" DISK ".gone;");
	EXPECT_LOGIN(i, OP_TO_FULL, LOGIN_SUCCESS);
	node_remove_target(server->node, t, 0);
	target_free(scsi);
	EXPECT_CLOSED(i);
	ini_free(i);
	i = ini_new(server, 1);
	ini_login_pdu(i, OP_TO_FULL, "InitiatorName=" HOST ";TargetName=" DISK ".gone;");
	EXPECT_REFUSED(i, LOGIN_REMOVED);
	ini_free(i);
}

/* Through the portal itself. */
static void test_tcp(void)
{
	struct ini *i = ini_new_tcp(server, 1);

	ini_login(i, "HeaderDigest=CRC32C;DataDigest=CRC32C;");
	g_assert_true(i->header_digest && i->data_digest);
	ini_check(i);
	ini_free(i);
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_func("/wire/login/stages", test_stages);
	g_test_add_func("/wire/login/continuation", test_continuation);
	g_test_add_func("/wire/login/refused", test_refused);
	g_test_add_func("/wire/login/version", test_version);
	g_test_add_func("/wire/login/before", test_before_login);
	g_test_add_func("/wire/login/tsih", test_tsih);
	g_test_add_func("/wire/login/second-connection", test_second_connection);
	g_test_add_func("/wire/login/reinstatement", test_reinstatement);
	g_test_add_func("/wire/login/discovery", test_discovery);
	g_test_add_func("/wire/login/many-targets", test_many_targets);
	g_test_add_func("/wire/login/long-answer", test_long_answer);
	g_test_add_func("/wire/login/removed", test_removed);
	g_test_add_func("/wire/login/tcp", test_tcp);
	return server_run();
}
