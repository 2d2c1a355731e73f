/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "iscsi-fixture.h"

static void test_one_round(void)
{
	begin();
	login(OPERATIONAL_TO_FULL, NAMES "HeaderDigest=CRC32C,None;InitialR2T=No;MaxRecvDataSegmentLength=65536;");
	expect(OPERATIONAL_TO_FULL, "HeaderDigest=CRC32C;InitialR2T=No;TargetPortalGroupTag=3;TargetAlias=a disk;"
				    "MaxRecvDataSegmentLength=262144;");
	g_assert_cmpint(conn.state, ==, CONN_LOGGED_IN);
	g_assert_cmpuint(get16(seen.bhs + 14), ==, 7);
	g_assert_cmpuint(get32(seen.bhs + 32), ==, 531);
	g_assert_true(conn.header_digest);
	g_assert_false(conn.data_digest);
	g_assert_false(seen.digests);		/* not yet on the response itself */
	g_assert_cmpuint(conn.params.peer_max_recv_dsl, ==, 65536);
	g_assert_cmpuint(conn.params.max_recv_dsl, ==, 262144);
	g_assert_cmpuint(conn.params.initial_r2t, ==, 0);
	g_assert_cmpuint(conn.params.max_burst, ==, 262144);
	g_assert_cmpuint(conn.cid, ==, 1);
	g_assert_null(conn.login);
	g_assert_cmpuint(seen.open.cmd_sn, ==, 500);
	g_assert_true(seen.open.target == &target);
	g_assert_nonnull(strstr(logged, HOST));
	g_assert_nonnull(strstr(logged, DISK));
	g_assert_nonnull(strstr(logged, "192.0.2.9:1234"));
}

static void test_all_stages(void)
{
	begin();
	login(SECURITY_TO_OPERATIONAL, NAMES "AuthMethod=CHAP,None;");
	expect(SECURITY_TO_OPERATIONAL, "AuthMethod=None;TargetPortalGroupTag=3;TargetAlias=a disk;");
	login(OPERATIONAL, "ErrorRecoveryLevel=2;MaxConnections=8;");
	expect(OPERATIONAL, "ErrorRecoveryLevel=0;MaxConnections=1;MaxRecvDataSegmentLength=262144;");
	login(OPERATIONAL, "X-com.example.what=1;");
	expect(OPERATIONAL, "X-com.example.what=NotUnderstood;");
	g_assert_cmpint(conn.state, ==, CONN_IN_LOGIN);
	g_assert_cmpuint(seen.opened, ==, 0);
	login(OPERATIONAL_TO_FULL, "");
	expect(OPERATIONAL_TO_FULL, "");
	g_assert_cmpint(conn.state, ==, CONN_LOGGED_IN);
}

static void test_security_to_full(void)
{
	begin();
	login(SECURITY, NAMES "AuthMethod=None;");
	expect(SECURITY, "AuthMethod=None;TargetPortalGroupTag=3;TargetAlias=a disk;");
	login(SECURITY_TO_FULL, "");
	expect(SECURITY_TO_FULL, "MaxRecvDataSegmentLength=262144;");
	g_assert_cmpint(conn.state, ==, CONN_LOGGED_IN);
}

static void test_discovery(void)
{
	begin();
	login(OPERATIONAL_TO_FULL, "InitiatorName=" HOST ";SessionType=Discovery;MaxBurstLength=512;");
	expect(OPERATIONAL_TO_FULL, "MaxBurstLength=Irrelevant;MaxRecvDataSegmentLength=262144;");
	g_assert_null(seen.open.target);
	g_assert_cmpint(conn.state, ==, CONN_LOGGED_IN);
}

/* A pair torn over PDUs, in both directions. */
static void test_continuation(void)
{
	GString *many = g_string_new(NULL);
	g_autofree char *got = NULL;
	GString *want = g_string_new(NULL);

	begin();
	login(OPERATIONAL | MORE, "InitiatorNa");
	expect(OPERATIONAL, "");
	login(OPERATIONAL | MORE, "me=" HOST ";TargetName=");
	expect(OPERATIONAL, "");
	login(OPERATIONAL, DISK ";");
	expect(OPERATIONAL, "TargetPortalGroupTag=3;TargetAlias=a disk;MaxRecvDataSegmentLength=262144;");
	for (unsigned i = 0; i < 200; i++) {
		g_string_append_printf(many, "X-%050u=;", i);
		g_string_append_printf(want, "X-%050u=NotUnderstood;", i);
	}
	login(OPERATIONAL | MORE, many->str);
	expect(OPERATIONAL, "");
	login(OPERATIONAL_TO_FULL, "");
	got = said();
	g_assert_cmpuint(seen.data->len, ==, 8192);
	g_assert_cmphex(seen.bhs[1], ==, OPERATIONAL | MORE);
	g_assert_cmpuint(strncmp(got, want->str, 8192), ==, 0);
	login(OPERATIONAL_TO_FULL, "");
	expect(OPERATIONAL_TO_FULL, want->str + 8192);
	g_assert_cmpint(conn.state, ==, CONN_LOGGED_IN);
	g_string_free(many, TRUE);
	g_string_free(want, TRUE);
}

static void test_refusals(void)
{
	static const struct { uint8_t flags; const char *text; enum login_status status; } rows[] = {
		{ OPERATIONAL_TO_FULL, "", LOGIN_MISSING_PARAMETER },
		{ OPERATIONAL_TO_FULL, "TargetName=" DISK ";", LOGIN_MISSING_PARAMETER },
		{ OPERATIONAL_TO_FULL, "InitiatorName=" HOST ";", LOGIN_MISSING_PARAMETER },
		{ OPERATIONAL_TO_FULL, "InitiatorName=me;TargetName=" DISK ";", LOGIN_INITIATOR_ERROR },
		{ OPERATIONAL_TO_FULL, NAMES "SessionType=Other;", LOGIN_SESSION_TYPE },
		{ OPERATIONAL_TO_FULL, "InitiatorName=" HOST ";TargetName=iqn.none;", LOGIN_NOT_FOUND },
		{ OPERATIONAL_TO_FULL, NAMES "InitiatorName=" HOST ";", LOGIN_INITIATOR_ERROR },
		{ OPERATIONAL_TO_FULL, NAMES "junk;", LOGIN_INITIATOR_ERROR },
		{ OPERATIONAL_TO_FULL, NAMES "ImmediateData=Yes", LOGIN_INITIATOR_ERROR },
		{ SECURITY_TO_OPERATIONAL, NAMES "AuthMethod=CHAP;", LOGIN_AUTH_FAILURE },
		{ 2 << 2, NAMES, LOGIN_INVALID_REQUEST },
		{ 3 << 2, NAMES, LOGIN_INVALID_REQUEST },
		{ 0x80 | 1 << 2 | 1, NAMES, LOGIN_INVALID_REQUEST },
		{ 0x80 | 1 << 2 | 0, NAMES, LOGIN_INVALID_REQUEST },
		{ 0x80 | 2, NAMES, LOGIN_INVALID_REQUEST },
		{ OPERATIONAL_TO_FULL | MORE, NAMES, LOGIN_INVALID_REQUEST },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_test_message("%s", rows[i].text);
		begin();
		login(rows[i].flags, rows[i].text);
		expect_refusal(rows[i].status);
		g_assert_cmpuint(seen.count, ==, 1);
		g_assert_cmpuint(seen.failures, ==, 1);
		g_assert_false(login_under_way(conn.login));
		g_assert_cmpuint(seen.opened, ==, 0);
		g_assert_cmpint(give(login_on_pdu, login_bhs, OPERATIONAL_TO_FULL, NAMES).act, ==, PDU_DROP);
	}
	begin();
	target.removed = true;
	login(OPERATIONAL_TO_FULL, NAMES);
	expect_refusal(LOGIN_REMOVED);
	begin();
	login_bhs[2] = login_bhs[3] = 1;
	login(OPERATIONAL_TO_FULL, NAMES);
	expect_refusal(LOGIN_VERSION);
	begin();
	target.offer.data_digest = 2;
	login(OPERATIONAL_TO_FULL, NAMES);
	expect_refusal(LOGIN_INITIATOR_ERROR);
	begin();
	target.offer.data_digest = 2;
	login(OPERATIONAL_TO_FULL, NAMES "DataDigest=None,CRC32C;");
	g_assert_true(conn.data_digest);
}

/* Names in log lines are quoted. */
static void test_log(void)
{
	begin();
	login(OPERATIONAL_TO_FULL, "InitiatorName=iqn.x\n\033[2J;TargetName=" DISK ";");
	expect_refusal(LOGIN_INITIATOR_ERROR);
	g_assert_nonnull(strstr(logged, "iqn.x\\x0a\\x1b[2J"));
	g_assert_null(strchr(logged, '\n'));
}

/* ITT, ISID, TSIH and CID are those of the first request; the stage the one reached. */
static void test_changes(void)
{
	static const unsigned offsets[] = { 8, 13, 15, 19, 21 };

	for (unsigned i = 0; i < G_N_ELEMENTS(offsets); i++) {
		uint8_t was;

		begin();
		login(OPERATIONAL, NAMES);
		was = login_bhs[offsets[i]]++;
		login(OPERATIONAL_TO_FULL, "");
		login_bhs[offsets[i]] = was;
		expect_refusal(LOGIN_INVALID_REQUEST);
	}
	begin();
	login(SECURITY, NAMES);
	login(OPERATIONAL, "");
	expect_refusal(LOGIN_INVALID_REQUEST);
	begin();
	login(SECURITY_TO_OPERATIONAL, NAMES);
	login(SECURITY, "");
	expect_refusal(LOGIN_INVALID_REQUEST);
	begin();
	login(OPERATIONAL, NAMES "InitialR2T=No;");
	login(OPERATIONAL, "InitialR2T=No;");
	expect_refusal(LOGIN_INITIATOR_ERROR);
	begin();
	login(OPERATIONAL, NAMES);
	login(OPERATIONAL, "SessionType=Discovery;");
	expect_refusal(LOGIN_INITIATOR_ERROR);
}

static void test_bounds(void)
{
	g_autofree char *text = g_strnfill(8192, 'x');

	begin();
	for (unsigned i = 0; i < KEYS_TEXT_MAX / 8192; i++) {
		login(OPERATIONAL | MORE, text);
		expect(OPERATIONAL, "");
	}
	login(OPERATIONAL | MORE, "x");
	expect_refusal(LOGIN_OUT_OF_RESOURCES);
}

/* A request that names a session. */
static void test_tsih(void)
{
	struct session other = { .tsih = 9, .initiator = (char *)HOST };

	memcpy(other.isid, "\x80\1\2\3\4\5", 6);
	begin();
	put16(login_bhs + 14, 9);
	login(OPERATIONAL_TO_FULL, NAMES);
	expect_refusal(LOGIN_NO_SESSION);
	g_assert_cmpuint(get16(seen.bhs + 14), ==, 9);

	begin();
	target.sessions = g_list_append(NULL, &other);
	put16(login_bhs + 14, 9);
	seen.session_status = LOGIN_TOO_MANY_CONNECTIONS;
	login(OPERATIONAL_TO_FULL, NAMES);
	expect_refusal(LOGIN_TOO_MANY_CONNECTIONS);
	g_assert_cmpuint(seen.open.tsih, ==, 9);

	/* What the session has agreed on holds; keys of the leading login come too late. */
	begin();
	target.sessions = g_list_append(NULL, &other);
	other.params = params_initial;
	other.params.max_burst = 4096;
	put16(login_bhs + 14, 9);
	login(OPERATIONAL_TO_FULL, NAMES "SessionType=Normal;MaxBurstLength=512;HeaderDigest=CRC32C;");
	g_assert_cmpuint(conn.params.max_burst, ==, 4096);
	g_assert_true(conn.header_digest);

	begin();
	other.initiator = (char *)"iqn.another";
	target.sessions = g_list_append(NULL, &other);
	put16(login_bhs + 14, 9);
	login(OPERATIONAL_TO_FULL, NAMES);
	expect_refusal(LOGIN_NO_SESSION);
}

/* An older session of the nexus has to end first. */
static void test_waiting(void)
{
	begin();
	seen.session_waits = true;
	login(OPERATIONAL_TO_FULL, NAMES);
	g_assert_cmpuint(seen.count, ==, 0);
	g_assert_cmpint(conn.state, ==, CONN_IN_LOGIN);
	conn.paused = false;
	seen.ready(&conn, LOGIN_SUCCESS);
	expect(OPERATIONAL_TO_FULL, "TargetPortalGroupTag=3;TargetAlias=a disk;MaxRecvDataSegmentLength=262144;");
	g_assert_cmpint(conn.state, ==, CONN_LOGGED_IN);

	begin();
	seen.session_waits = true;
	login(OPERATIONAL_TO_FULL, NAMES);
	node_target_unref(&node, &target);	/* as a session_establish() that fails does */
	session.target = NULL;
	seen.ready(&conn, LOGIN_REMOVED);
	expect_refusal(LOGIN_REMOVED);
}

static void test_not_a_login(void)
{
	uint8_t bhs[BHS_LEN] = { OP_NOP_OUT };

	begin();
	g_assert_cmpint(give(login_on_pdu, bhs, 0x80, "").act, ==, PDU_DROP);
	begin();
	login(OPERATIONAL, NAMES);
	g_assert_cmpint(give(login_on_pdu, bhs, 0x80, "").act, ==, PDU_DROP);
}

int main(int argc, char **argv)
{
	int rc;

	g_test_init(&argc, &argv, NULL);
	set_up();
	g_test_add_func("/login/one-round", test_one_round);
	g_test_add_func("/login/all-stages", test_all_stages);
	g_test_add_func("/login/security-to-full", test_security_to_full);
	g_test_add_func("/login/discovery", test_discovery);
	g_test_add_func("/login/continuation", test_continuation);
	g_test_add_func("/login/refusals", test_refusals);
	g_test_add_func("/login/log", test_log);
	g_test_add_func("/login/changes", test_changes);
	g_test_add_func("/login/bounds", test_bounds);
	g_test_add_func("/login/tsih", test_tsih);
	g_test_add_func("/login/waiting", test_waiting);
	g_test_add_func("/login/not-a-login", test_not_a_login);
	rc = g_test_run();
	tear_down();
	return rc;
}
