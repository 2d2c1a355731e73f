/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of RFC 7143 for a target at ErrorRecoveryLevel 0, one test a section. */
#include "config.h"
#include "ini.h"

#define NAMES "InitiatorName=" HOST ";TargetName=" DISK ";"
enum { T = 0x80, C = 0x40 };

/* ---- login ---- */

/* Every CSG, NSG, T and C of a first request (6.3, 11.12.2, 11.12.3). */
static void test_stages(void)
{
	for (unsigned flags = 0; flags < 256; flags += (flags & 15) == 15 ? 49 : 1) {
		unsigned csg = flags >> 2 & 3, nsg = flags & 3;
		bool transit = flags & T, more = flags & C;
		bool there = csg == 0 ? nsg == 1 || nsg == 3 : csg == 1 && nsg == 3;
		bool good = csg < 2 && (!transit || (there && !more));
		struct ini *i = ini_new(server, 1);

		g_test_message("CSG %u NSG %u T %d C %d", csg, nsg, transit, more);
		ini_login_pdu(i, (uint8_t)flags, NAMES);
		if (good)
			EXPECT_LOGIN(i, (transit ? T | nsg : 0) | csg << 2, LOGIN_SUCCESS);
		else
			EXPECT_REFUSED(i, LOGIN_INVALID_REQUEST);
		if (good && !more && !transit) {
			g_assert_cmpuint(get16(i->bhs + 14), ==, 0);	/* TSIH comes last: 11.13.3 */
			ini_login_pdu(i, (uint8_t)(T | csg << 2 | 3), "");
			EXPECT_LOGIN(i, T | csg << 2 | 3, LOGIN_SUCCESS);
			g_assert_cmpuint(get16(i->bhs + 14), !=, 0);
		}
		ini_free(i);
	}
}

/* 4.2.2.1: logins do not move CmdSN; 11.13.4: StatSN counts their answers. */
static void test_login_numbers(void)
{
	struct ini *i = ini_new(server, 1);
	uint32_t stat_sn, itt;

	ini_login_pdu(i, 0x00, NAMES);
	EXPECT_LOGIN(i, 0x00, LOGIN_SUCCESS);
	stat_sn = get32(i->bhs + 24);
	g_assert_cmphex(i->bhs[2], ==, 0);	/* Version-max, Version-active: 11.13.1 */
	g_assert_cmphex(i->bhs[3], ==, 0);
	for (uint32_t n = 1; n < 5; n++) {
		ini_login_pdu(i, 0x00, "");
		EXPECT_LOGIN(i, 0x00, LOGIN_SUCCESS);
		g_assert_cmpuint(get32(i->bhs + 24), ==, stat_sn + n);
		g_assert_cmpuint(i->exp_cmd_sn, ==, i->cmd_sn);
	}
	ini_login_pdu(i, SEC_TO_FULL, "");
	EXPECT_LOGIN(i, SEC_TO_FULL, LOGIN_SUCCESS);
	g_assert_cmpuint(i->exp_cmd_sn, ==, i->cmd_sn);
	itt = ini_test_unit_ready(i, 0);
	EXPECT_SENSE(i, itt, KEY_UNIT_ATTENTION, 0x29);
	ini_free(i);
}

/* 13.12: an initiator that takes little gets long answers in pieces, in its login already. */
static void test_long_answer(void)
{
	struct ini *i = ini_new(server, 1);
	GString *ask = g_string_new(NAMES "MaxRecvDataSegmentLength=512;");
	unsigned pieces = 0;

	for (unsigned n = 0; n < 100; n++)
		g_string_append_printf(ask, "X-%u=1;", n);
	i->max_recv_dsl = 512;
	ini_login_pdu(i, OP_TO_FULL, ask->str);
	do {
		EXPECT_PDU(i, OP_LOGIN_RESPONSE);
		g_assert_cmphex(get16(i->bhs + 36), ==, LOGIN_SUCCESS);
		if (i->bhs[1] & C) {
			g_assert_cmphex(i->bhs[1], ==, C | 1 << 2);
			ini_login_pdu(i, OP_TO_FULL, "");
			pieces++;
		}
	} while (i->bhs[1] & C);
	g_assert_cmpuint(pieces, >, 2);
	g_assert_cmphex(i->bhs[1], ==, OP_TO_FULL);
	g_string_free(ask, TRUE);
	ini_free(i);
}

/* 13: a row a case: what a key is answered, or the status that ends the login. */
static void test_keys(void)
{
	static const struct { const char *ask, *answer; enum login_status status; } rows[] = {
		{ "HeaderDigest=None", "None" }, { "HeaderDigest=CRC32C", "CRC32C" },
		{ "HeaderDigest=X,CRC32C,CRC32C", "CRC32C" }, { "DataDigest=CRC32C,None", "CRC32C" },
		{ "DataDigest=None,CRC32C", "None" }, { "DataDigest=", "Reject" }, { "DataDigest=crc32c", "Reject" },
		{ "MaxConnections=0", "Reject" }, { "MaxConnections=1", "1" }, { "MaxConnections=65536", "Reject" },
		{ "InitialR2T=Yes", "Yes" }, { "InitialR2T=No", "No" }, { "InitialR2T=yes", "Reject" },
		{ "InitialR2T=Yes,No", "Reject" }, { "ImmediateData=No", "No" }, { "ImmediateData=1", "Reject" },
		{ "MaxBurstLength=512", "512" }, { "MaxBurstLength=511", "Reject" }, { "MaxBurstLength=0x1000", "4096" },
		{ "MaxBurstLength=0X1000", "4096" }, { "MaxBurstLength=01000", "Reject" },
		{ "MaxBurstLength=512~1024", "Reject" }, { "MaxBurstLength=16777216", "Reject" },
		{ "MaxBurstLength=-1", "Reject" }, { "MaxBurstLength=", "Reject" },
		{ "FirstBurstLength=512", "512" }, { "FirstBurstLength=16777215", "262144" },
		{ "DefaultTime2Wait=3600", "3600" }, { "DefaultTime2Wait=3601", "Reject" },
		{ "DefaultTime2Retain=3601", "Reject" }, { "MaxOutstandingR2T=65535", "64" },
		{ "MaxOutstandingR2T=0", "Reject" }, { "DataPDUInOrder=No", "Yes" }, { "DataSequenceInOrder=No", "Yes" },
		{ "ErrorRecoveryLevel=2", "0" }, { "ErrorRecoveryLevel=3", "Reject" },
		{ "TaskReporting=RFC3720", "RFC3720" }, { "TaskReporting=FastAbort,RFC3720", "RFC3720" },
		{ "iSCSIProtocolLevel=2", "1" }, { "iSCSIProtocolLevel=32", "Reject" },
		{ "OFMarker=No", "No" }, { "IFMarker=Yes", "No" }, { "OFMarkInt=1~2", "Reject" },
		{ "SendTargets=All", "Reject" }, { "AuthMethod=None", "Reject" },	/* the wrong stage */
		{ "MaxRecvDataSegmentLength=511", "Reject" }, { "X-com.example.x=1", "NotUnderstood" },
		{ "NoSuchKey=", "NotUnderstood" }, { "TargetAddress=1.2.3.4", "Reject" },
		{ "InitialR2T=Yes;InitialR2T=Yes", NULL, LOGIN_INITIATOR_ERROR },
		{ "InitialR2T=Irrelevant", NULL, LOGIN_INITIATOR_ERROR }, { "X-a=NotUnderstood", NULL, LOGIN_INITIATOR_ERROR },
		{ "MaxBurstLength=Reject", NULL, LOGIN_INITIATOR_ERROR }, { "HeaderDigest=Reject", NULL, LOGIN_INITIATOR_ERROR },
		{ "no pair", NULL, LOGIN_INITIATOR_ERROR }, { "=x", NULL, LOGIN_INITIATOR_ERROR },
		{ "SessionType=None", NULL, LOGIN_SESSION_TYPE },
	};

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++) {
		g_autofree char *text = g_strconcat(NAMES, rows[n].ask, ";", NULL), *got = NULL, *want = NULL;
		struct ini *i = ini_new(server, 1);

		g_test_message("%s", rows[n].ask);
		ini_login_pdu(i, 0x04, text);
		if (!rows[n].answer) {
			EXPECT_REFUSED(i, rows[n].status);
		} else {
			EXPECT_LOGIN(i, 0x04, LOGIN_SUCCESS);
			got = ini_text(i);
			want = g_strdup_printf("%.*s=%s;", (int)strcspn(rows[n].ask, "="), rows[n].ask, rows[n].answer);
			g_assert_nonnull(strstr(got, want));
		}
		ini_free(i);
	}
}

/* ---- full feature phase ---- */

/* 11.2.2: a CDB goes on in one, and nothing else does. */
static void test_ahs(void)
{
	static const struct { uint32_t len; uint8_t ahs[16]; } wrong[] = {
		{ 4, { 0, 1, 0 } }, { 4, { 0, 1, 3 } }, { 4, { 0, 1, 1 } }, { 8, { 0, 6, 1 } }, { 4, { 0, 5, 2 } },
		{ 8, { 0, 4, 2 } }, { 16, { 0, 5, 2, 0, 0, 0, 0, 0, 0, 5, 2 } }, { 8, { 0xff, 0xff, 1 } },
	};
	struct ini *i = ini_new_login(server, 1, "");

	for (unsigned n = 0; n < G_N_ELEMENTS(wrong); n++) {
		uint8_t pdu[BHS_LEN + 16] = { OP_SCSI_COMMAND, FINAL | SIMPLE };

		pdu[4] = (uint8_t)(wrong[n].len / 4);
		put32(pdu + 16, i->itt++);
		put32(pdu + 24, i->cmd_sn);
		put32(pdu + 28, i->exp_stat_sn);
		memcpy(pdu + BHS_LEN, wrong[n].ahs, wrong[n].len);
		g_test_message("row %u", n);
		ini_send_raw(i, pdu, BHS_LEN + wrong[n].len);
		EXPECT_REJECT(i, REJECT_INVALID_FIELD);
		g_assert_cmpmem(i->data, BHS_LEN, pdu, BHS_LEN);
		ini_check(i);
	}
	ini_free(i);
}

/* 11.2.2.4, 11.4.5: there is no bidirectional command; both residuals say that nothing moved. */
static void test_bidirectional(void)
{
	uint8_t pdu[BHS_LEN + 8] = { OP_SCSI_COMMAND, FINAL | READ | WRITE | SIMPLE, [4] = 2 };
	struct ini *i = ini_new_login(server, 1, "");

	put32(pdu + 16, i->itt);
	put32(pdu + 20, 1024);
	put32(pdu + 24, i->cmd_sn++);
	put32(pdu + 28, i->exp_stat_sn);
	pdu[32] = 0x53;		/* XDWRITEREAD(10) */
	pdu[BHS_LEN + 1] = 5;
	pdu[BHS_LEN + 2] = 2;
	put32(pdu + BHS_LEN + 4, 2048);
	ini_send_raw(i, pdu, sizeof pdu);
	EXPECT_SENSE(i, i->itt, KEY_ILLEGAL_REQUEST, 0x24);
	g_assert_cmphex(i->bhs[1], ==, FINAL | FLAG_UNDERFLOW | 0x08);
	g_assert_cmpuint(get32(i->bhs + 44), ==, 1024);
	g_assert_cmpuint(get32(i->bhs + 40), ==, 2048);
	i->itt++;
	ini_check(i);
	ini_free(i);
}

static void nop(struct ini *i, uint8_t immediate, uint32_t itt, uint32_t ttt)
{
	uint8_t bhs[BHS_LEN] = { (uint8_t)(OP_NOP_OUT | immediate), FINAL };

	put32(bhs + 16, itt);
	put32(bhs + 20, ttt);
	put32(bhs + 24, immediate ? i->cmd_sn : i->cmd_sn++);
	ini_send(i, bhs, NULL, 0);
}

/* 11.18 */
static void test_nop_out(void)
{
	struct ini *i = ini_new_login(server, 1, "");

	nop(i, IMMEDIATE, TAG_NONE, TAG_NONE);
	ini_check(i);
	nop(i, 0, TAG_NONE, TAG_NONE);
	EXPECT_REJECT(i, REJECT_PROTOCOL_ERROR);
	g_assert_cmpuint(i->exp_cmd_sn, ==, --i->cmd_sn);
	nop(i, IMMEDIATE, TAG_NONE, 0x1234567);
	EXPECT_REJECT(i, REJECT_INVALID_FIELD);
	nop(i, 0, 0x77, TAG_NONE);
	EXPECT_PDU(i, OP_NOP_IN);
	g_assert_cmphex(get32(i->bhs + 16), ==, 0x77);
	g_assert_cmpuint(i->exp_cmd_sn, ==, i->cmd_sn);
	ini_check(i);
	ini_free(i);
}

/* 11.9.1 event 4: what this target takes has changed; the session learns of it in a text exchange. */
static void test_negotiate(void)
{
	struct params offer = server->target->offer;
	uint8_t bhs[BHS_LEN] = { OP_TEXT_REQUEST | IMMEDIATE, FINAL };
	struct ini *i = ini_new_login(server, 1, "");
	g_autofree char *got = NULL;

	offer.max_recv_dsl = 131072;
	node_update_target(server->node, server->target, "a disk", &offer, NULL, 0);
	EXPECT_PDU(i, OP_ASYNC);
	g_assert_cmphex(i->bhs[36], ==, 4);
	g_assert_cmpuint(get16(i->bhs + 42), >, 0);
	ini_check(i);
	put32(bhs + 16, 9);
	put32(bhs + 20, TAG_NONE);
	put32(bhs + 24, i->cmd_sn);
	ini_send(i, bhs, NULL, 0);
	EXPECT_PDU(i, OP_TEXT_RESPONSE);
	got = ini_text(i);
	g_assert_cmpstr(got, ==, "MaxRecvDataSegmentLength=131072;");
	ini_send(i, bhs, NULL, 0);
	EXPECT_PDU(i, OP_TEXT_RESPONSE);
	g_assert_cmpuint(i->data_len, ==, 0);
	ini_check(i);
	offer.max_recv_dsl = params_offered.max_recv_dsl;
	node_update_target(server->node, server->target, "a disk", &offer, NULL, 0);
	EXPECT_PDU(i, OP_ASYNC);
	ini_free(i);
}

/* 11.9.1 event 3: a session is listed, and dropped from outside; another is not touched. */
static void test_drop_session(void)
{
	struct ini *i = ini_new_login(server, 1, ""), *other = ini_new_login(server, 2, "");
	GArray *list = node_sessions(server->node);
	uint16_t tsih = 0;

	for (guint n = 0; n < list->len; n++) {
		const struct session_info *s = &g_array_index(list, struct session_info, n);

		g_assert_cmpstr(s->initiator, ==, HOST);
		g_assert_cmpstr(s->target, ==, DISK);
		g_assert_cmpuint(s->connections, ==, 1);
		if (!memcmp(s->isid, i->isid, 6))
			tsih = s->tsih;
	}
	g_array_unref(list);
	g_assert_cmpuint(tsih, !=, 0);
	g_assert_true(node_drop_session(server->node, tsih));
	EXPECT_PDU(i, OP_ASYNC);
	g_assert_cmphex(i->bhs[36], ==, 3);
	EXPECT_CLOSED(i);
	g_assert_false(node_drop_session(server->node, 0));
	ini_check(other);
	ini_free(i);
	ini_free(other);
}

static gpointer remove_target(gpointer t)
{
	node_remove_target(server->node, t, 2000);
	return NULL;
}

/* 11.9.1: a target that goes asks to be logged out of (1); who does not hears that the connection is dropped (2). */
static void test_going_away(void)
{
	struct target *scsi = target_new(server->engine, DISK ".going");
	struct node_target *t = node_add_target(server->node, DISK ".going", NULL, scsi, &params_offered, NULL, 0);
	struct ini *i = ini_new(server, 1);
	GThread *remover;

	ini_login_pdu(i, OP_TO_FULL, "InitiatorName=" HOST ";TargetName=" DISK ".going;");
	EXPECT_LOGIN(i, OP_TO_FULL, LOGIN_SUCCESS);
	remover = g_thread_new("remover", remove_target, t);
	EXPECT_PDU(i, OP_ASYNC);
	g_assert_cmphex(i->bhs[36], ==, 1);
	g_assert_cmpuint(get16(i->bhs + 42), ==, 2);
	EXPECT_PDU(i, OP_ASYNC);
	g_assert_cmphex(i->bhs[36], ==, 2);
	EXPECT_CLOSED(i);
	g_thread_join(remover);
	target_free(scsi);
	ini_free(i);
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_func("/wire/rules/rfc7143-6.3-stages", test_stages);
	g_test_add_func("/wire/rules/rfc7143-4.2.2.1-login-numbers", test_login_numbers);
	g_test_add_func("/wire/rules/rfc7143-13-keys", test_keys);
	g_test_add_func("/wire/rules/rfc7143-13.12-long-answer", test_long_answer);
	g_test_add_func("/wire/rules/rfc7143-11.2.2-ahs", test_ahs);
	g_test_add_func("/wire/rules/rfc7143-11.2.2.4-bidirectional", test_bidirectional);
	g_test_add_func("/wire/rules/rfc7143-11.18-nop-out", test_nop_out);
	g_test_add_func("/wire/rules/rfc7143-11.9.1-negotiate", test_negotiate);
	g_test_add_func("/wire/rules/rfc7143-11.9.1-drop-session", test_drop_session);
	g_test_add_func("/wire/rules/rfc7143-11.9.1-going-away", test_going_away);
	return server_run();
}
