/* SPDX-License-Identifier: Apache-2.0 */
/* Text negotiation in the full feature phase (RFC 7143 6.4, 11.10, 11.11). */
#include "config.h"
#include "ini.h"

enum { C = 0x40, ITT = 0x70 };

static void ask(struct ini *i, uint8_t flags, uint32_t ttt, const char *text)
{
	g_autofree char *pairs = g_strdelimit(g_strdup(text), ";", '\0');
	uint8_t bhs[BHS_LEN] = { OP_TEXT_REQUEST | IMMEDIATE, flags };

	put32(bhs + 16, ITT);
	put32(bhs + 20, ttt);
	put32(bhs + 24, i->cmd_sn);
	ini_send(i, bhs, pairs, (uint32_t)strlen(text));
}

/* The answer's flags and text; its TTT. */
static uint32_t expect(struct ini *i, uint8_t flags, const char *want)
{
	g_autofree char *got = NULL;

	EXPECT_PDU(i, OP_TEXT_RESPONSE);
	g_assert_cmphex(i->bhs[1], ==, flags);
	g_assert_cmphex(get32(i->bhs + 16), ==, ITT);
	g_assert_true((get32(i->bhs + 20) == TAG_NONE) == !!(flags & FINAL));
	got = ini_text(i);
	if (want)
		g_assert_cmpstr(got, ==, want);
	return get32(i->bhs + 20);
}

/* How long Data-In PDUs are: what the initiator's declaration is taken for. */
static uint32_t data_in_len(struct ini *i)
{
	uint32_t itt = ini_read(i, 0, 16, 8192), longest = 0, got = 0;

	while (got < 8192) {
		EXPECT_PDU(i, OP_DATA_IN);
		g_assert_cmphex(get32(i->bhs + 16), ==, itt);
		longest = MAX(longest, i->data_len);
		got += i->data_len;
	}
	return longest;
}

/* 6.2: key by key what may be asked in this phase, and what is said to the rest. */
static void test_keys(void)
{
	static const struct { const char *ask, *answer; } rows[] = {
		{ "MaxRecvDataSegmentLength=8192;", "" }, { "MaxRecvDataSegmentLength=1;", "MaxRecvDataSegmentLength=Reject;" },
		{ "InitiatorAlias=me;", "" }, { "SendTargets=All;", "SendTargets=Reject;" },
		{ "HeaderDigest=CRC32C;", "HeaderDigest=Reject;" }, { "DataDigest=None;", "DataDigest=Reject;" },
		{ "MaxConnections=2;", "MaxConnections=Reject;" }, { "InitialR2T=No;", "InitialR2T=Reject;" },
		{ "ImmediateData=No;", "ImmediateData=Reject;" }, { "MaxBurstLength=512;", "MaxBurstLength=Reject;" },
		{ "FirstBurstLength=512;", "FirstBurstLength=Reject;" }, { "DefaultTime2Wait=1;", "DefaultTime2Wait=Reject;" },
		{ "DefaultTime2Retain=1;", "DefaultTime2Retain=Reject;" }, { "MaxOutstandingR2T=2;", "MaxOutstandingR2T=Reject;" },
		{ "DataPDUInOrder=No;", "DataPDUInOrder=Reject;" }, { "DataSequenceInOrder=No;", "DataSequenceInOrder=Reject;" },
		{ "ErrorRecoveryLevel=1;", "ErrorRecoveryLevel=Reject;" }, { "AuthMethod=None;", "AuthMethod=Reject;" },
		{ "CHAP_A=5;", "CHAP_A=Reject;" }, { "SessionType=Normal;", "SessionType=Reject;" },
		{ "InitiatorName=iqn.x;", "InitiatorName=Reject;" }, { "TargetName=iqn.x;", "TargetName=Reject;" },
		{ "TargetAlias=x;", "TargetAlias=Reject;" }, { "TargetAddress=1.2.3.4;", "TargetAddress=Reject;" },
		{ "TargetPortalGroupTag=1;", "TargetPortalGroupTag=Reject;" }, { "TaskReporting=RFC3720;", "TaskReporting=Reject;" },
		{ "iSCSIProtocolLevel=1;", "iSCSIProtocolLevel=Reject;" }, { "IFMarker=No;", "IFMarker=Reject;" },
		{ "X-com.example.x=1;", "X-com.example.x=NotUnderstood;" }, { "NoSuchKey=1;", "NoSuchKey=NotUnderstood;" },
	};
	struct ini *i = ini_new_login(server, 1, "");

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++) {
		g_test_message("%s", rows[n].ask);
		ask(i, FINAL, TAG_NONE, rows[n].ask);
		expect(i, FINAL, rows[n].answer);
	}
	ini_check(i);
	ini_free(i);
}

/* What ends an exchange: a Reject, after which nothing of it is left (6.4). */
static void test_errors(void)
{
	static const char *const rows[] = {
		"MaxRecvDataSegmentLength=1024;no pair;", "MaxRecvDataSegmentLength=1024;MaxRecvDataSegmentLength=1024;",
		"MaxRecvDataSegmentLength=1024;=;", "MaxRecvDataSegmentLength=1024;X-a=Reject;",
		"MaxRecvDataSegmentLength=1024;InitialR2T",
	};
	struct ini *i = ini_new_login(server, 1, "MaxRecvDataSegmentLength=4096;");

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++) {
		g_test_message("%s", rows[n]);
		ask(i, FINAL, TAG_NONE, rows[n]);
		EXPECT_REJECT(i, REJECT_PROTOCOL_ERROR);
		g_assert_cmpuint(data_in_len(i), ==, 4096);
	}
	ini_free(i);
}

/* 11.10.2: a pair torn over PDUs; to each but the last there is an empty answer with a tag. */
static void test_continuation(void)
{
	static const char text[] = "MaxRecvDataSegmentLength=2048;X-b=1;";
	struct ini *i = ini_new_login(server, 1, "");
	uint32_t ttt = TAG_NONE;

	for (const char *at = text; *at; at++) {
		char one[2] = { *at, '\0' };

		ask(i, at[1] ? C : FINAL, ttt, one);
		ttt = expect(i, at[1] ? 0 : FINAL, at[1] ? "" : "X-b=NotUnderstood;");
	}
	g_assert_cmpuint(data_in_len(i), ==, 2048);
	ini_free(i);
}

/* 6.4: what was agreed holds when both have said F, and not when the exchange is reset. */
static void test_reset(void)
{
	struct ini *i = ini_new_login(server, 1, "MaxRecvDataSegmentLength=4096;");
	uint32_t ttt, other;

	ask(i, 0, TAG_NONE, "MaxRecvDataSegmentLength=1024;");
	ttt = expect(i, 0, "");
	g_assert_cmpuint(data_in_len(i), ==, 4096);
	ask(i, FINAL, TAG_NONE, "");		/* a reset, and a new exchange */
	expect(i, FINAL, "");
	g_assert_cmpuint(data_in_len(i), ==, 4096);
	ask(i, FINAL, ttt, "");			/* the old one is gone */
	EXPECT_REJECT(i, REJECT_PROTOCOL_ERROR);

	ask(i, 0, TAG_NONE, "MaxRecvDataSegmentLength=1024;");
	ttt = expect(i, 0, "");
	ask(i, FINAL, ttt + 1, "");		/* a tag that was not given */
	EXPECT_REJECT(i, REJECT_PROTOCOL_ERROR);
	ask(i, FINAL, ttt, "");
	EXPECT_REJECT(i, REJECT_PROTOCOL_ERROR);
	g_assert_cmpuint(data_in_len(i), ==, 4096);

	ask(i, 0, TAG_NONE, "MaxRecvDataSegmentLength=1024;");
	ttt = expect(i, 0, "");
	ask(i, 0, ttt, "InitiatorAlias=x;");
	other = expect(i, 0, "");
	g_assert_cmphex(other, !=, ttt);
	ask(i, FINAL, other, "");
	expect(i, FINAL, "");
	g_assert_cmpuint(data_in_len(i), ==, 1024);
	ini_check(i);
	ini_free(i);
}

/* A key twice is an error over all PDUs of an exchange, and none in the next. */
static void test_twice(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	uint32_t ttt;

	ask(i, 0, TAG_NONE, "MaxRecvDataSegmentLength=1024;");
	ttt = expect(i, 0, "");
	ask(i, FINAL, ttt, "MaxRecvDataSegmentLength=2048;");
	EXPECT_REJECT(i, REJECT_PROTOCOL_ERROR);
	for (unsigned n = 0; n < 2; n++) {
		ask(i, FINAL, TAG_NONE, "MaxRecvDataSegmentLength=2048;");
		expect(i, FINAL, "");
	}
	g_assert_cmpuint(data_in_len(i), ==, 2048);
	ini_free(i);
}

/* Text has an end. */
static void test_bounds(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	g_autofree char *text = g_strnfill(8192, 'x');
	uint32_t ttt = TAG_NONE;

	for (unsigned n = 0; n < 8; n++) {
		ask(i, C, ttt, text);
		ttt = expect(i, 0, "");
	}
	ask(i, C, ttt, "x");
	EXPECT_REJECT(i, REJECT_PROTOCOL_ERROR);
	ask(i, FINAL, TAG_NONE, "");
	expect(i, FINAL, "");
	ini_check(i);
	ini_free(i);
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_func("/wire/text/rfc7143-13-keys", test_keys);
	g_test_add_func("/wire/text/rfc7143-6.4-errors", test_errors);
	g_test_add_func("/wire/text/rfc7143-11.10.2-continuation", test_continuation);
	g_test_add_func("/wire/text/rfc7143-6.4-reset", test_reset);
	g_test_add_func("/wire/text/rfc7143-6.3-twice", test_twice);
	g_test_add_func("/wire/text/rfc7143-11.10-bounds", test_bounds);
	return server_run();
}
