/* SPDX-License-Identifier: Apache-2.0 */
/* Who is admitted to a target, to how much of it, and how many (RFC 7143 6.3, 11.13.5; SAM-5 4.6). */
#include "config.h"
#include <arpa/inet.h>
#include <pthread.h>
#include "ini.h"
#include "iscsi/acl.h"

#define OTHER "iqn.2010-01.org.example:other"
#define AS(name) "InitiatorName=" name ";TargetName=" DISK ";"

/* A list of one rule: a name or a range of addresses, NULL for any. */
static struct acl *one(const char *name, const char *range, struct lun_view *view)
{
	const char *const names[] = { name, NULL };
	struct acl *a = acl_new();
	struct acl_prefix p;

	if (range)
		g_assert_null(acl_prefix_parse(range, &p));
	acl_add(a, name ? names : NULL, &p, range != NULL, NULL, 0, view);
	return a;
}

static void set(const struct node_access *access)
{
	node_set_access(server->node, server->target, access);
}

static void admit(struct acl *a)
{
	set(&(struct node_access){ .acl = a });
}

static void assert_login(bool tcp, const char *text, uint16_t status)
{
	struct ini *i = tcp ? ini_new_tcp(server, 1) : ini_new(server, 1);

	ini_login_pdu(i, OP_TO_FULL, text);
	if (status)
		EXPECT_REFUSED(i, status);
	else
		EXPECT_LOGIN(i, OP_TO_FULL, 0);
	ini_free(i);
}

static void test_name(void)
{
	admit(acl_new());
	assert_login(false, AS(HOST), LOGIN_FORBIDDEN);
	admit(one("iqn.2010-01.org.example:h?st", NULL, NULL));
	assert_login(false, AS(HOST), 0);
	assert_login(false, AS(OTHER), LOGIN_FORBIDDEN);
	admit(one("IQN.2010-01.*", NULL, NULL));		/* 4.2.7.1: as if in lower case */
	assert_login(false, AS("iqn.2010-01.ORG.example:X"), 0);
	admit(one(OTHER, NULL, NULL));
	acl_add(server->target->acl, NULL, NULL, 0, NULL, 0, NULL);
	assert_login(false, AS(HOST), 0);
	admit(NULL);
	assert_login(false, AS(HOST), 0);
}

static void test_address(void)
{
	admit(one(NULL, "127.0.0.0/8", NULL));
	assert_login(true, AS(HOST), 0);
	assert_login(false, AS(HOST), LOGIN_FORBIDDEN);	/* a socket without an address */
	admit(one(NULL, "127.0.0.1", NULL));
	assert_login(true, AS(HOST), 0);
	admit(one(NULL, "126.0.0.0/7", NULL));
	assert_login(true, AS(HOST), 0);
	admit(one(NULL, "128.0.0.0/1", NULL));
	assert_login(true, AS(HOST), LOGIN_FORBIDDEN);
	admit(one(NULL, "::/0", NULL));
	assert_login(true, AS(HOST), LOGIN_FORBIDDEN);
	admit(one(HOST, "127.0.0.0/8", NULL));
	assert_login(true, AS(OTHER), LOGIN_FORBIDDEN);		/* all that is given has to match */
	admit(NULL);
}

static void test_portal(void)
{
	struct portal *portals[] = { server->portal }, *none[] = { (struct portal *)server };
	struct acl *a = acl_new();

	acl_add(a, NULL, NULL, 0, none, 1, NULL);
	admit(a);
	assert_login(false, AS(HOST), LOGIN_FORBIDDEN);
	a = acl_new();
	acl_add(a, NULL, NULL, 0, portals, 1, NULL);
	admit(a);
	assert_login(false, AS(HOST), 0);
	admit(NULL);
}

/* An address within IPv6 is what it stands for; nothing else is looked at twice. */
static void test_prefixes(void)
{
	static const struct { const char *range, *address; bool in; } rows[] = {
		{ "192.0.2.0/24", "192.0.2.255", true }, { "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.0/25", "192.0.2.128", false }, { "0.0.0.0/0", "192.0.2.1", true },
		{ "192.0.2.0/24", "::ffff:192.0.2.7", true }, { "::ffff:0:0/96", "192.0.2.7", true }, { "::ffff:192.0.0.0/104", "::ffff:192.0.2.7", true },
		{ "::ffff:192.0.0.0/104", "193.0.2.7", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true }, { "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::/0", "192.0.2.1", false }, { "2001:db8::1", "2001:db8::1", true }, { "2001:db8::1", "2001:db8::2", false },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct acl *a = one(NULL, rows[i].range, NULL);
		struct acl_who who = { .initiator = HOST };
		bool six = strchr(rows[i].address, ':');

		g_test_message("%s %s", rows[i].range, rows[i].address);
		who.from.ss_family = six ? AF_INET6 : AF_INET;
		g_assert_cmpint(inet_pton(who.from.ss_family, rows[i].address, (char *)&who.from + (six ? 8 : 4)), ==, 1);
		g_assert_cmpint(acl_admits(a, &who, NULL), ==, rows[i].in);
		acl_unref(a);
	}
}

/* Appendix C: who may not log in is not told of it. */
static void test_discovery(void)
{
	static const char all[] = "SendTargets=All";

	for (int admitted = 0; admitted < 2; admitted++) {
		struct ini *i = ini_new(server, 1);
		uint8_t bhs[BHS_LEN] = { OP_TEXT_REQUEST, FINAL };
		g_autofree char *text = NULL;

		admit(one(admitted ? HOST : OTHER, NULL, NULL));
		ini_login_pdu(i, OP_TO_FULL, "InitiatorName=" HOST ";SessionType=Discovery;");
		EXPECT_LOGIN(i, OP_TO_FULL, 0);
		put32(bhs + 16, 2);
		put32(bhs + 20, TAG_NONE);
		put32(bhs + 24, i->cmd_sn++);
		ini_send(i, bhs, all, sizeof all);
		EXPECT_PDU(i, OP_TEXT_RESPONSE);
		text = ini_text(i);
		g_assert_cmpint(strstr(text, DISK) != NULL, ==, admitted);
		ini_free(i);
	}
	admit(NULL);
}

static void test_view(void)
{
	const struct lun_view_row row = { .number = 5, .lun = 1, .read_only = true };
	static const uint8_t data[BLOCK], report_luns[16] = { 0xa0, [9] = 64 }, tur[16];
	uint8_t luns[64], write10[16] = { 0x2a, [8] = 1 };
	struct ini *i;
	uint32_t itt;

	admit(one(HOST, NULL, lun_view_new(&row, 1, false)));
	i = ini_new(server, 1);
	ini_login_pdu(i, OP_TO_FULL, AS(HOST));
	EXPECT_LOGIN(i, OP_TO_FULL, 0);
	itt = ini_command(i, FINAL | READ, 0, sizeof luns, report_luns, NULL, 0);
	g_assert_cmpuint(ini_finish_read(i, itt, luns, sizeof luns), ==, 16);
	g_assert_cmpuint(luns[9], ==, 5);
	itt = ini_test_unit_ready(i, 1);
	EXPECT_SENSE(i, itt, KEY_ILLEGAL_REQUEST, 0x25);
	itt = ini_test_unit_ready(i, 5);
	EXPECT_SENSE(i, itt, KEY_UNIT_ATTENTION, 0x29);
	itt = ini_command(i, FINAL | WRITE, 5, BLOCK, write10, data, BLOCK);
	EXPECT_SENSE(i, itt, KEY_DATA_PROTECT, 0x27);
	/* Another's logical units are not its to reset, nor is the whole target. */
	ini_tmf(i, 5, 1, TAG_NONE);
	EXPECT_TMF(i, 2);
	for (uint8_t reset = 6; reset <= 7; reset++) {
		ini_tmf(i, reset, 0, TAG_NONE);
		EXPECT_TMF(i, 6);
	}
	itt = ini_test_unit_ready(i, 5);
	EXPECT_STATUS(i, itt, 0);
	/* Another view from here on, of which it is told; then none. */
	admit(one(NULL, NULL, NULL));
	for (unsigned n = 0; n < 2; n++) {
		itt = ini_command(i, FINAL, 1, 0, tur, NULL, 0);
		EXPECT_SENSE(i, itt, KEY_UNIT_ATTENTION, n ? 0x3f : 0x2a);	/* it may write there now */
	}
	itt = ini_command(i, FINAL | WRITE, 1, BLOCK, write10, data, BLOCK);
	EXPECT_STATUS(i, itt, 0);
	admit(one(OTHER, NULL, NULL));
	EXPECT_PDU(i, OP_ASYNC);
	g_assert_cmpuint(i->bhs[36], ==, 3);
	EXPECT_CLOSED(i);
	ini_free(i);
	admit(NULL);
}

/* RFC 7143 11.5.1: what it does not see it does not reset. */
static void test_reset(void)
{
	const struct lun_view_row row = { .number = 5, .lun = 1 };
	struct acl *a = one(HOST, NULL, NULL);
	struct ini *whole, *part;

	acl_add(a, NULL, NULL, 0, NULL, 0, lun_view_new(&row, 1, false));
	admit(a);
	whole = ini_new_login(server, 1, "");
	part = ini_new(server, 2);
	ini_login_pdu(part, OP_TO_FULL, AS(OTHER));
	EXPECT_LOGIN(part, OP_TO_FULL, 0);
	for (uint8_t function = 6; function <= 7; function++) {
		ini_tmf(part, function, 0, TAG_NONE);
		EXPECT_TMF(part, 6);	/* function authorization failed */
	}
	ini_tmf(part, 5, 0, TAG_NONE);
	EXPECT_TMF(part, 2);
	ini_check(whole);		/* nothing was reset */
	ini_tmf(whole, 6, 0, TAG_NONE);
	EXPECT_TMF(whole, 0);
	ini_free(part);
	ini_free(whole);
	admit(NULL);
}

/* 6.3.1: a session's rights are not to be had from where others hold. */
static void test_join(void)
{
	struct acl *a = one(HOST, "127.0.0.0/8", lun_view_new(NULL, 0, true));
	const char *const names[] = { HOST, NULL };
	struct ini *i, *same, *more;

	acl_add(a, names, NULL, 0, NULL, 0, NULL);
	admit(a);
	i = ini_new_login(server, 1, "MaxConnections=4;");
	same = ini_new_join(i, 1, "");
	more = ini_new_tcp(server, 1);
	memcpy(more->isid, i->isid, sizeof more->isid);
	more->tsih = i->tsih;
	more->cid = 2;
	more->cmd_sn = i->cmd_sn;
	ini_login_pdu(more, OP_TO_FULL, AS(HOST));
	EXPECT_REFUSED(more, LOGIN_CANNOT_INCLUDE);
	ini_free(more);
	ini_check(i);
	ini_free(same);
	ini_free(i);
	admit(NULL);
}

/* What a session may write changes, and what it sees: each is told once, and what is new to it is new. */
static void test_change(void)
{
	const struct lun_view_row both[] = { { .number = 0, .lun = 0 }, { .number = 1, .lun = 1 } };
	const struct lun_view_row reads[] = { { .number = 0, .lun = 0, .read_only = true } };
	static const uint8_t sense6[16] = { 0x1a, 0x08, 0x3f, [4] = 4 };
	struct ini *i;
	uint8_t data[4];
	uint32_t itt;

	admit(one(NULL, NULL, lun_view_new(both, 2, false)));
	i = ini_new_login(server, 1, "");
	admit(one(NULL, NULL, lun_view_new(both, 2, false)));	/* the same: nothing to tell */
	ini_check(i);
	admit(one(NULL, NULL, lun_view_new(reads, 1, false)));
	itt = ini_test_unit_ready(i, 0);
	EXPECT_SENSE(i, itt, KEY_UNIT_ATTENTION, 0x2a);		/* MODE PARAMETERS CHANGED: WP */
	itt = ini_test_unit_ready(i, 0);
	EXPECT_SENSE(i, itt, KEY_UNIT_ATTENTION, 0x3f);
	ini_check(i);
	itt = ini_command(i, FINAL | READ, 0, sizeof data, sense6, NULL, 0);
	g_assert_cmpuint(ini_finish_read(i, itt, data, sizeof data), ==, sizeof data);
	g_assert_cmphex(data[2] & 0x80, ==, 0x80);
	admit(one(NULL, NULL, lun_view_new(both, 2, false)));
	itt = ini_test_unit_ready(i, 1);
	EXPECT_SENSE(i, itt, KEY_UNIT_ATTENTION, 0x29);		/* it had gone */
	ini_free(i);
	admit(NULL);
}

/* Sessions end some time after their connections do. */
static void wait_for_nobody(void)
{
	pthread_mutex_lock(&server->node->lock);
	while (server->target->sessions)
		pthread_cond_wait(&server->node->idle, &server->node->lock);
	pthread_mutex_unlock(&server->node->lock);
}

/* 11.18: the answer to a NOP-In. */
static void answer_nop(struct ini *i)
{
	uint8_t bhs[BHS_LEN] = { OP_NOP_OUT | IMMEDIATE, FINAL };

	put32(bhs + 16, TAG_NONE);
	memcpy(bhs + 20, i->bhs + 20, 4);
	put32(bhs + 24, i->cmd_sn);
	ini_send(i, bhs, NULL, 0);
}

/* Whoever is alive keeps it; who does not answer loses it to the next. */
static void test_single(void)
{
	struct ini *i, *same;

	set(&(struct node_access){ .single_initiator = true });
	wait_for_nobody();
	i = ini_new_login(server, 1, "");
	same = ini_new_login(server, 2, "");		/* another port of the same initiator */
	ini_hang_up(same);
	ini_free(same);
	assert_login(false, AS(OTHER), LOGIN_UNAVAILABLE);
	EXPECT_PDU(i, OP_NOP_IN);
	answer_nop(i);
	ini_check(i);
	assert_login(false, AS(OTHER), LOGIN_UNAVAILABLE);
	EXPECT_PDU(i, OP_NOP_IN);
	EXPECT_CLOSED(i);				/* it says nothing */
	wait_for_nobody();
	assert_login(false, AS(OTHER), 0);
	ini_free(i);
	set(&(struct node_access){ .single_initiator = false });
}

static void test_max_sessions(void)
{
	struct ini *i;

	wait_for_nobody();
	set(&(struct node_access){ .max_sessions = 1 });
	i = ini_new_login(server, 1, "");
	assert_login(false, AS(OTHER), LOGIN_OUT_OF_RESOURCES);
	ini_check(i);
	ini_free(i);
	set(&(struct node_access){ .max_sessions = 0 });
}

static void test_logins_of_an_address(void)
{
	struct ini *many[3];

	server->node->max_logins_per_address = 3;
	for (unsigned n = 0; n < 3; n++) {
		many[n] = ini_new_tcp(server, 1);
		ini_login_pdu(many[n], 0, "InitiatorName=" HOST ";TargetName=" DISK ";AuthMethod=None;");
		EXPECT_LOGIN(many[n], 0, 0);
	}
	/* One more: the oldest makes room. */
	assert_login(true, AS(OTHER), 0);
	EXPECT_CLOSED(many[0]);
	ini_login_pdu(many[1], SEC_TO_FULL, "");		/* one is through: there is room for another */
	EXPECT_LOGIN(many[1], SEC_TO_FULL, 0);
	assert_login(true, AS(OTHER), 0);
	ini_login_pdu(many[2], SEC_TO_FULL, "");
	EXPECT_LOGIN(many[2], SEC_TO_FULL, 0);
	for (unsigned n = 0; n < 3; n++)
		ini_free(many[n]);
	server->node->max_logins_per_address = 128;
}

/* Of all addresses: who has the most of them loses his oldest, others keep theirs. */
static void test_logins_in_all(void)
{
	static const char *const sources[] = { "127.0.0.2", "127.0.0.1", "127.0.0.1", "127.0.0.1" };
	struct ini *many[G_N_ELEMENTS(sources)], *late;

	wait_for_nobody();
	server->node->max_logins = G_N_ELEMENTS(sources);
	for (unsigned n = 0; n < G_N_ELEMENTS(sources); n++) {
		many[n] = ini_new_on(server_connect_from(server, sources[n]), server, 1);
		ini_login_pdu(many[n], 0, "InitiatorName=" HOST ";TargetName=" DISK ";AuthMethod=None;");
		EXPECT_LOGIN(many[n], 0, 0);
	}
	late = ini_new_on(server_connect_from(server, "127.0.0.3"), server, 1);
	ini_login_pdu(late, 0, "InitiatorName=" OTHER ";TargetName=" DISK ";AuthMethod=None;");
	EXPECT_LOGIN(late, 0, 0);
	EXPECT_CLOSED(many[1]);
	ini_free(late);
	for (unsigned n = 0; n < G_N_ELEMENTS(sources); n++) {
		if (n != 1) {		/* they are still there */
			ini_login_pdu(many[n], SEC_TO_FULL, "");
			EXPECT_LOGIN(many[n], SEC_TO_FULL, 0);
		}
		ini_free(many[n]);
	}
	server->node->max_logins = 256;
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_func("/access/name", test_name);
	g_test_add_func("/access/address", test_address);
	g_test_add_func("/access/portal", test_portal);
	g_test_add_func("/access/prefixes", test_prefixes);
	g_test_add_func("/access/discovery", test_discovery);
	g_test_add_func("/access/view", test_view);
	g_test_add_func("/access/11.5.1-reset", test_reset);
	g_test_add_func("/access/6.3.1-join", test_join);
	g_test_add_func("/access/change", test_change);
	g_test_add_func("/access/single-initiator", test_single);
	g_test_add_func("/access/max-sessions", test_max_sessions);
	g_test_add_func("/access/logins-of-an-address", test_logins_of_an_address);
	g_test_add_func("/access/logins-in-all", test_logins_in_all);
	return server_run();
}
