/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include <sys/socket.h>
#include "iscsi-fixture.h"

static uint8_t text_bhs[BHS_LEN];

static void log_in(const char *names)
{
	begin();
	login(OPERATIONAL_TO_FULL, names);
	g_assert_cmpint(conn.state, ==, CONN_LOGGED_IN);
	memset(text_bhs, 0, sizeof text_bhs);
	text_bhs[0] = OP_TEXT_REQUEST;
	put32(text_bhs + 16, 0x77);
	put32(text_bhs + 20, TAG_NONE);
}

static struct verdict text(uint8_t flags, const char *pairs)
{
	return give(text_on_pdu, text_bhs, flags, pairs);
}

static void expect_text(uint8_t flags, const char *want)
{
	g_autofree char *got = said();

	g_assert_cmphex(seen.bhs[0], ==, OP_TEXT_RESPONSE);
	g_assert_cmphex(seen.bhs[1], ==, flags);
	g_assert_cmphex(get32(seen.bhs + 16), ==, 0x77);
	g_assert_true((get32(seen.bhs + 20) == TAG_NONE) == !!(flags & 0x80));
	g_assert_true((conn.text == NULL) == !!(flags & 0x80));
	g_assert_cmpuint(get32(seen.bhs + 24) + 1, ==, conn.stat_sn);
	g_assert_cmpstr(got, ==, want);
}

static void expect_rejected(struct verdict v)
{
	g_assert_cmpint(v.act, ==, PDU_REJECT);
	g_assert_cmpint(v.reason, ==, REJECT_PROTOCOL_ERROR);
}

#define DISCOVERY "InitiatorName=" HOST ";SessionType=Discovery;"
#define DISK_IS \
	"TargetName=" DISK ";TargetAddress=192.0.2.1:3260,3;TargetAddress=192.0.2.1:3261,3;"

static void test_send_targets(void)
{
	static const struct { const char *ask, *discovery, *normal; } rows[] = {
		{ "SendTargets=All;", DISK_IS, "SendTargets=Reject;" },
		{ "SendTargets=;", "SendTargets=Reject;", DISK_IS },
		{ "SendTargets=" DISK ";", DISK_IS, DISK_IS },
		{ "SendTargets=iqn.elsewhere;", "", "SendTargets=Reject;" },
		{ "SendTargets=iqn.nowhere;", "", "SendTargets=Reject;" },
		{ "", "", "" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		log_in(DISCOVERY);
		g_assert_cmpint(text(0x80, rows[i].ask).act, ==, PDU_OK);
		expect_text(0x80, rows[i].discovery);
		log_in(NAMES);
		g_assert_cmpint(text(0x80, rows[i].ask).act, ==, PDU_OK);
		expect_text(0x80, rows[i].normal);
	}
}

/* Through which portal, and from where, decides what is told. */
static void test_addresses(void)
{
	log_in(DISCOVERY);
	conn.portal = &portals[1];
	local_is(AF_INET, "198.51.100.2");
	text(0x80, "SendTargets=All;");
	expect_text(0x80, "TargetName=" DISK ";TargetAddress=192.0.2.1:3260,3;TargetAddress=198.51.100.2:3261,3;"
			  "TargetName=iqn.elsewhere;TargetAddress=198.51.100.2:3261,1;");
	conn.portal = &portals[2];
	local_is(AF_INET6, "2001:db8::2");
	text(0x80, "SendTargets=All;");
	expect_text(0x80, "TargetName=" DISK ";TargetAddress=192.0.2.1:3260,3;TargetAddress=[2001:db8::2]:3262,3;");
	local_is(AF_INET6, "::ffff:198.51.100.2");	/* a socket of both families */
	text(0x80, "SendTargets=All;");
	expect_text(0x80, "TargetName=" DISK ";TargetAddress=192.0.2.1:3260,3;TargetAddress=198.51.100.2:3262,3;");
	portals[0].advertise = "san.example.org:860";
	portals[1].advertise = "203.0.113.5:3261";
	portals[2].name = "[fe80::1%eth0]:3262";
	text(0x80, "SendTargets=All;");
	expect_text(0x80, "TargetName=" DISK ";TargetAddress=san.example.org:860,3;TargetAddress=203.0.113.5:3261,3;"
			  "TargetAddress=[fe80::1]:3262,3;");
	portals[0].advertise = portals[1].advertise = NULL;
	portals[2].name = "[::]:3262";
	target.removed = true;
	text(0x80, "SendTargets=All;");
	expect_text(0x80, "");
}

/* An answer of several PDUs, each asked for. */
static void test_long_answer(void)
{
	uint32_t len = sizeof DISK_IS - 1, last_ttt = TAG_NONE;
	g_autofree char *first = g_strndup(DISK_IS, len / 2);

	log_in(DISCOVERY);
	conn.params.peer_max_recv_dsl = len / 2;
	text(0x80, "SendTargets=All;");
	expect_text(0x40, first);
	for (unsigned i = 1; i <= len / (len / 2) - (len % (len / 2) == 0); i++) {
		g_autofree char *next = g_strndup(&DISK_IS[i * (len / 2)], len / 2);
		bool end = (i + 1) * (len / 2) >= len;

		g_assert_cmphex(get32(seen.bhs + 20), !=, last_ttt);
		last_ttt = get32(seen.bhs + 20);
		put32(text_bhs + 20, last_ttt);
		g_assert_cmpint(text(0x80, "").act, ==, PDU_OK);
		expect_text(end ? 0x80 : 0x40, next);
	}
	g_assert_null(conn.text);

	put32(text_bhs + 20, TAG_NONE);
	text(0x80, "SendTargets=All;");
	expect_text(0x40, first);
	put32(text_bhs + 20, get32(seen.bhs + 20));
	expect_rejected(text(0x80, "SendTargets=All;"));
	g_assert_null(conn.text);
}

static void test_long_question(void)
{
	log_in(DISCOVERY);
	text(0x40, "SendTar");
	expect_text(0, "");
	put32(text_bhs + 20, get32(seen.bhs + 20));
	text(0x40, "gets=");
	expect_text(0, "");
	put32(text_bhs + 20, get32(seen.bhs + 20));
	text(0, "All;");
	expect_text(0, DISK_IS);
	put32(text_bhs + 20, get32(seen.bhs + 20));
	text(0x80, "");
	expect_text(0x80, "");
}

static void test_renegotiation(void)
{
	log_in(NAMES);
	text(0x80, "MaxRecvDataSegmentLength=4096;MaxBurstLength=4096;X-a=b;HeaderDigest=CRC32C;");
	expect_text(0x80, "MaxBurstLength=Reject;X-a=NotUnderstood;HeaderDigest=Reject;");
	g_assert_cmpuint(conn.params.peer_max_recv_dsl, ==, 4096);
	g_assert_cmpuint(conn.params.max_burst, ==, 262144);
	text(0x80, "MaxRecvDataSegmentLength=0;");
	expect_text(0x80, "MaxRecvDataSegmentLength=Reject;");
	g_assert_cmpuint(conn.params.peer_max_recv_dsl, ==, 4096);
}

static void test_text_errors(void)
{
	unsigned sent;

	log_in(DISCOVERY);
	sent = seen.count;
	expect_rejected(text(0xc0, "SendTargets=All;"));
	expect_rejected(text(0x80, "SendTargets"));
	expect_rejected(text(0x80, "SendTargets=All;SendTargets=All;"));
	put32(text_bhs + 20, 1);
	expect_rejected(text(0x80, "SendTargets=All;"));
	put32(text_bhs + 20, TAG_NONE);
	put32(text_bhs + 16, TAG_NONE);
	expect_rejected(text(0x80, "SendTargets=All;"));
	g_assert_cmpuint(seen.count, ==, sent);
	g_assert_null(conn.text);

	/* The wrong ITT or TTT ends an exchange, a request without TTT starts another. */
	put32(text_bhs + 16, 0x77);
	text(0, "SendTargets=All;");
	expect_text(0, DISK_IS);
	put32(text_bhs + 20, get32(seen.bhs + 20) + 1);
	expect_rejected(text(0x80, ""));
	g_assert_null(conn.text);
	put32(text_bhs + 20, TAG_NONE);
	text(0, "SendTargets=All;");
	put32(text_bhs + 16, 0x78);
	put32(text_bhs + 20, get32(seen.bhs + 20));
	expect_rejected(text(0x80, ""));
	put32(text_bhs + 16, 0x77);
	put32(text_bhs + 20, TAG_NONE);
	text(0x40, "SendTargets=");
	text(0x80, "SendTargets=All;");
	expect_text(0x80, DISK_IS);
}

static void test_text_bounds(void)
{
	g_autofree char *part = g_strnfill(8192, 'x');

	log_in(DISCOVERY);
	for (unsigned i = 0; i < KEYS_TEXT_MAX / 8192; i++) {
		g_assert_cmpint(text(0x40, part).act, ==, PDU_OK);
		put32(text_bhs + 20, get32(seen.bhs + 20));
	}
	expect_rejected(text(0x40, "x"));
	g_assert_null(conn.text);
}

int main(int argc, char **argv)
{
	int rc;

	g_test_init(&argc, &argv, NULL);
	set_up();
	g_test_add_func("/text/send-targets", test_send_targets);
	g_test_add_func("/text/addresses", test_addresses);
	g_test_add_func("/text/long-answer", test_long_answer);
	g_test_add_func("/text/long-question", test_long_question);
	g_test_add_func("/text/renegotiation", test_renegotiation);
	g_test_add_func("/text/errors", test_text_errors);
	g_test_add_func("/text/bounds", test_text_bounds);
	rc = g_test_run();
	tear_down();
	return rc;
}
