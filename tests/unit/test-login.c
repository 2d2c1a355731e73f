/* SPDX-License-Identifier: Apache-2.0 */
/* Login and Text requests against a connection, a node and a session made up here. */
#include "config.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include "engine/log.h"
#include "iscsi/discovery.h"
#include "iscsi/login.h"
#include "iscsi/session.h"
#include "iscsi/text.h"

#define HOST "iqn.2010-01.org.example:host"
#define DISK "iqn.2010-01.org.example:disk"
#define NAMES "InitiatorName=" HOST ";TargetName=" DISK ";"

enum { OPERATIONAL_TO_FULL = 0x80 | 1 << 2 | 3, SECURITY_TO_FULL = 0x80 | 3, SECURITY_TO_OPERATIONAL = 0x80 | 1,
       OPERATIONAL = 1 << 2, SECURITY = 0, MORE = 0x40 };

struct portal { const char *name; };

/* What the code under test sent last, and how it left the connection. */
static struct {
	uint8_t bhs[BHS_LEN];
	GByteArray *data;
	unsigned count;
	bool finished, digests;
	struct session_open open;
	unsigned opened;
	enum login_status session_status;
	bool session_waits;
	void (*ready)(struct conn *c, enum login_status status);
} seen;
static struct node node;
static struct node_target target, elsewhere;
static struct portal portals[3] = { { "192.0.2.1:3260" }, { "0.0.0.0:3261" }, { "[::]:3262" } };
static struct session session;
static struct conn conn;
static char *logged;

void conn_send(struct conn *c, uint8_t bhs[BHS_LEN], const void *data, uint32_t len)
{
	memcpy(seen.bhs, bhs, BHS_LEN);
	g_byte_array_set_size(seen.data, 0);
	g_byte_array_append(seen.data, data, len);
	seen.digests = c->header_digest || c->data_digest;
	seen.count++;
}

void conn_stamp(struct conn *c, uint8_t bhs[BHS_LEN], bool advance)
{
	put32(bhs + 24, c->stat_sn);
	c->stat_sn += advance;
	put32(bhs + 28, session.exp_cmd_sn);
	put32(bhs + 32, session.exp_cmd_sn + 31);
}

void conn_logged_in(struct conn *c)
{
	c->state = CONN_LOGGED_IN;
}

void conn_finish(struct conn *c)
{
	seen.finished = true;
}

struct node_target *node_find_target(struct node *n, const char *name, const struct portal *p, bool *removed)
{
	struct node_target *t = g_hash_table_lookup(n->targets, name);

	*removed = t && t->removed;
	if (!t || t->removed)
		return NULL;
	t->refs++;
	return t;
}

void node_target_unref(struct node *n, struct node_target *t)
{
	t->refs--;
}

const char *portal_name(const struct portal *p)
{
	return p->name;
}

void session_establish(struct conn *c, const struct session_open *open,
		       void (*ready)(struct conn *c, enum login_status status))
{
	seen.open = *open;
	seen.opened++;
	session.target = open->target;
	session.tsih = 7;
	session.exp_cmd_sn = open->cmd_sn;
	c->session = seen.session_status == LOGIN_SUCCESS ? &session : NULL;
	seen.ready = ready;
	c->paused = seen.session_waits;
	if (!seen.session_waits)
		ready(c, seen.session_status);
}

static void keep_log(enum gotgt_log_level level, const char *line, void *data)
{
	g_free(logged);
	logged = g_strdup(line);
}

static void local_is(int family, const char *addr)
{
	void *at = family == AF_INET ? (void *)&((struct sockaddr_in *)&conn.local)->sin_addr :
		   (void *)&((struct sockaddr_in6 *)&conn.local)->sin6_addr;

	memset(&conn.local, 0, sizeof conn.local);
	conn.local.ss_family = (sa_family_t)family;
	g_assert_cmpint(inet_pton(family, addr, at), ==, 1);
}

/* A connection nobody has said anything on. */
static void connect_anew(void)
{
	login_free(conn.login);
	text_free(conn.text);
	memset(&conn, 0, sizeof conn);
	conn.node = &node;
	conn.portal = &portals[0];
	conn.state = CONN_XPT_UP;
	conn.params = params_initial;
	conn.stat_sn = 100;
	g_strlcpy(conn.peer, "192.0.2.9:1234", sizeof conn.peer);
	local_is(AF_INET, "192.0.2.1");
	if (session.target)
		session.target->refs--;
	memset(&session, 0, sizeof session);
	seen.count = seen.opened = 0;
	seen.finished = seen.session_waits = seen.digests = false;
	seen.session_status = LOGIN_SUCCESS;
	g_list_free(target.sessions);
	target.sessions = NULL;
	target.offer = params_offered;
	target.removed = false;
	g_clear_pointer(&logged, g_free);
}

static uint8_t login_bhs[BHS_LEN];

static void login_bhs_init(void)
{
	static const uint8_t isid[6] = { 0x80, 1, 2, 3, 4, 5 };

	memset(login_bhs, 0, sizeof login_bhs);
	login_bhs[0] = OP_LOGIN_REQUEST | IMMEDIATE_BIT;
	memcpy(login_bhs + 8, isid, sizeof isid);
	put32(login_bhs + 16, 0x1234);
	put16(login_bhs + 20, 1);
	put32(login_bhs + 24, 500);
}

static struct verdict give(struct verdict (*handler)(struct conn *, const struct pdu *), uint8_t *bhs, uint8_t flags,
			   const char *pairs)
{
	g_autofree char *text = g_strdelimit(g_strdup(pairs), ";", '\0');
	struct pdu p = { .bhs = bhs, .data = (const uint8_t *)text, .data_len = (uint32_t)strlen(pairs) };

	bhs[1] = flags;
	return handler(&conn, &p);
}

static void login(uint8_t flags, const char *pairs)
{
	struct verdict v = give(login_on_pdu, login_bhs, flags, pairs);

	g_assert_cmpint(v.act, ==, PDU_OK);
}

/* The text of the last response, ';' for NUL. */
static char *said(void)
{
	char *text = g_malloc(seen.data->len + 1);

	for (guint i = 0; i < seen.data->len; i++)
		text[i] = seen.data->data[i] ? (char)seen.data->data[i] : ';';
	text[seen.data->len] = '\0';
	return text;
}

static void expect(uint8_t flags, const char *text)
{
	g_autofree char *got = said();

	g_assert_cmphex(get16(seen.bhs + 36), ==, LOGIN_SUCCESS);
	g_assert_cmphex(seen.bhs[0], ==, OP_LOGIN_RESPONSE);
	g_assert_cmphex(seen.bhs[1], ==, flags);
	g_assert_cmphex(get32(seen.bhs + 16), ==, get32(login_bhs + 16));
	g_assert_cmpmem(seen.bhs + 8, 6, login_bhs + 8, 6);
	g_assert_cmpuint(get32(seen.bhs + 24), ==, 99 + seen.count);
	g_assert_cmpuint(conn.stat_sn, ==, 100 + seen.count);
	g_assert_cmpuint(get32(seen.bhs + 28), ==, 500);
	g_assert_cmpstr(got, ==, text);
	g_assert_false(seen.finished);
}

static void expect_refusal(enum login_status status)
{
	g_assert_cmphex(get16(seen.bhs + 36), ==, status);
	g_assert_cmphex(seen.bhs[0], ==, OP_LOGIN_RESPONSE);
	g_assert_cmphex(seen.bhs[1] & 0x80, ==, 0);
	g_assert_cmphex(get32(seen.bhs + 16), ==, get32(login_bhs + 16));
	g_assert_cmpuint(seen.data->len, ==, 0);
	g_assert_cmpuint(get32(seen.bhs + 24), ==, 99 + seen.count);
	g_assert_true(seen.finished);
	g_assert_cmpint(conn.state, !=, CONN_LOGGED_IN);
	g_assert_nonnull(strstr(logged, "refused"));
}

static void begin(void)
{
	connect_anew();
	login_bhs_init();
}

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
	login(OPERATIONAL, NAMES "MaxBurstLength=4096;");
	expect(OPERATIONAL, "MaxBurstLength=Reject;TargetPortalGroupTag=3;TargetAlias=a disk;MaxRecvDataSegmentLength=262144;");
	seen.session_status = LOGIN_TOO_MANY_CONNECTIONS;
	login(OPERATIONAL_TO_FULL, "");
	g_assert_cmpuint(seen.open.tsih, ==, 9);
	expect_refusal(LOGIN_TOO_MANY_CONNECTIONS);

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

/* --- text --- */

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
#define DISK_IS "TargetName=" DISK ";TargetAddress=192.0.2.1:3260,3;TargetAddress=192.0.2.1:3261,3;TargetAddress=192.0.2.1:3262,3;"

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
	local_is(AF_INET6, "::ffff:198.51.100.2");
	text(0x80, "SendTargets=All;");
	expect_text(0x80, "TargetName=" DISK ";TargetAddress=192.0.2.1:3260,3;TargetAddress=198.51.100.2:3261,3;"
			  "TargetAddress=198.51.100.2:3262,3;TargetName=iqn.elsewhere;TargetAddress=198.51.100.2:3261,1;");
	conn.portal = &portals[2];
	local_is(AF_INET6, "2001:db8::2");
	text(0x80, "SendTargets=All;");
	expect_text(0x80, "TargetName=" DISK ";TargetAddress=192.0.2.1:3260,3;TargetAddress=[2001:db8::2]:3262,3;");
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
		g_autofree char *next = g_strndup(DISK_IS + i * (len / 2), len / 2);
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

static void set_up(void)
{
	static char disk[] = DISK, other[] = "iqn.elsewhere", alias[] = "a disk";

	seen.data = g_byte_array_new();
	node.targets = g_hash_table_new(g_str_hash, g_str_equal);
	node.portals = g_ptr_array_new();
	for (unsigned i = 0; i < G_N_ELEMENTS(portals); i++)
		g_ptr_array_add(node.portals, &portals[i]);
	target = (struct node_target){ .name = disk, .alias = alias, .tpgt = 3, .portals = g_ptr_array_new(),
				       .offer = params_offered };
	elsewhere = (struct node_target){ .name = other, .tpgt = 1, .portals = g_ptr_array_new(), .offer = params_offered };
	g_ptr_array_add(elsewhere.portals, &portals[1]);
	g_hash_table_insert(node.targets, disk, &target);
	g_hash_table_insert(node.targets, other, &elsewhere);
	log_set_sink(keep_log, NULL);
}

static void tear_down(void)
{
	connect_anew();
	g_ptr_array_unref(target.portals);
	g_ptr_array_unref(elsewhere.portals);
	g_ptr_array_unref(node.portals);
	g_hash_table_unref(node.targets);
	g_byte_array_unref(seen.data);
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
	g_test_add_func("/text/send-targets", test_send_targets);
	g_test_add_func("/text/addresses", test_addresses);
	g_test_add_func("/text/long-answer", test_long_answer);
	g_test_add_func("/text/long-question", test_long_question);
	g_test_add_func("/text/renegotiation", test_renegotiation);
	g_test_add_func("/text/errors", test_text_errors);
	g_test_add_func("/text/bounds", test_text_bounds);
	rc = g_test_run();
	tear_down();
	g_assert_cmpint(target.refs, ==, 0);
	return rc;
}
