/* SPDX-License-Identifier: Apache-2.0 */
/* Logins that are sent elsewhere (RFC 7143 11.13.5, 13.8). */
#include "config.h"
#include "ini.h"
#include "iscsi/acl.h"

#define TO_DISK "InitiatorName=" HOST ";TargetName=" DISK ";"

static void redirect(const char *address, bool permanent, bool balance)
{
	node_set_redirect(server->node, server->target, &(struct node_redirect){ address, permanent, balance });
}

static void expect_sent(struct ini *i, uint16_t status, const char *want)
{
	g_autofree char *got = NULL;

	EXPECT_PDU(i, OP_LOGIN_RESPONSE);
	g_assert_cmphex(get16(i->bhs + 36), ==, status);
	g_assert_cmphex(i->bhs[1] & 0x80, ==, 0);
	got = ini_text(i);
	g_assert_cmpstr(got, ==, want);
	EXPECT_CLOSED(i);
	ini_free(i);
}

/* The text says all there is to it, and the leading login's first request is enough. */
static void test_static(void)
{
	static const struct { const char *address; bool permanent; uint16_t status; const char *text; } rows[] = {
		{ "203.0.113.5", false, 0x0101, "TargetAddress=203.0.113.5:3260;" },
		{ "203.0.113.5:860", true, 0x0102, "TargetAddress=203.0.113.5:860;" },
		{ "[2001:db8::1]", false, 0x0101, "TargetAddress=[2001:db8::1]:3260;" },
		{ "san.example.org:1", true, 0x0102, "TargetAddress=san.example.org:1;" },
	};
	static const uint8_t flags[] = { OP_TO_FULL, SEC_TO_FULL, SEC_TO_OP, 0x00, 0x04 };

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++)
		for (unsigned f = 0; f < G_N_ELEMENTS(flags); f++) {
			struct ini *i = ini_new(server, 1);

			redirect(rows[n].address, rows[n].permanent, false);
			ini_login_pdu(i, flags[f], TO_DISK);
			expect_sent(i, rows[n].status, rows[n].text);
		}
	redirect(NULL, false, false);
	ini_free(ini_new_login(server, 1, ""));
}

/* Not a discovery session, and not a connection that joins a session. */
static void test_stays(void)
{
	struct ini *i = ini_new_login(server, 1, "MaxConnections=2;"), *second, *finder;

	redirect("203.0.113.5", false, false);
	second = ini_new_join(i, 1, "");
	finder = ini_new(server, 2);
	ini_login_pdu(finder, OP_TO_FULL, "InitiatorName=" HOST ";SessionType=Discovery;");
	EXPECT_LOGIN(finder, OP_TO_FULL, 0);
	ini_check(i);
	ini_free(finder);
	ini_free(second);
	ini_free(i);
	redirect(NULL, false, false);
}

/* What is here already is not sent here: by its address, and by what it is advertised as. */
static void test_no_loop(void)
{
	struct ini *i;

	redirect(portal_name(server->portal), true, false);
	ini_free(ini_new_login(server, 1, ""));
	portal_advertise(server->portal, "san.example.org:1");
	ini_free(ini_new_login(server, 1, ""));
	redirect("SAN.example.org:1", true, false);
	ini_free(ini_new_login(server, 1, ""));
	redirect("san.example.org:2", true, false);
	i = ini_new(server, 1);
	ini_login_pdu(i, OP_TO_FULL, TO_DISK);
	expect_sent(i, 0x0102, "TargetAddress=san.example.org:2;");
	portal_advertise(server->portal, NULL);
	redirect(NULL, false, false);
}

static struct ini *logged_in_as(uint8_t id, const char *names)
{
	struct ini *i = ini_new(server, id);

	ini_login_pdu(i, OP_TO_FULL, names);
	EXPECT_LOGIN(i, OP_TO_FULL, 0);
	return i;
}

static void test_balance(void)
{
	GError *error = NULL;
	struct portal *there = node_add_portal(server->node, "127.0.0.2", 0, &error), *here = server->portal;
	const struct portal_tag tags[] = { { here, 1 }, { there, 2 } };
	g_autofree char *to_there = g_strdup_printf("TargetAddress=%s;", portal_name(there));
	g_autofree char *to_here = g_strdup_printf("TargetAddress=%s;", portal_name(here));
	struct ini *in[4], *i;

	g_assert_no_error(error);
	node_set_tags(server->node, server->target, tags, 2);
	redirect(NULL, false, true);
	in[0] = logged_in_as(1, TO_DISK);	/* none anywhere: it stays */
	i = ini_new(server, 2);
	ini_login_pdu(i, OP_TO_FULL, TO_DISK);
	expect_sent(i, 0x0101, to_there);
	server->portal = there;
	in[1] = logged_in_as(3, "InitiatorName=" HOST ".b;TargetName=" DISK ";");
	in[2] = logged_in_as(4, "InitiatorName=" HOST ".b;TargetName=" DISK ";");	/* as many there as here */
	in[3] = logged_in_as(2, TO_DISK);	/* more, but it was sent */
	i = ini_new(server, 5);
	ini_login_pdu(i, OP_TO_FULL, TO_DISK);
	expect_sent(i, 0x0101, to_here);
	i = logged_in_as(2, TO_DISK);		/* in the place of in[3] */
	ini_free(i);
	for (unsigned n = 0; n < G_N_ELEMENTS(in); n++)
		ini_free(in[n]);
	server->portal = here;
	redirect(NULL, false, false);
	node_set_tags(server->node, server->target, NULL, 0);
	node_remove_portal(server->node, there);
}

/* Nobody is sent to a portal that does not admit it. */
static void test_balance_admits(void)
{
	GError *error = NULL;
	struct portal *here = server->portal, *there = node_add_portal(server->node, "127.0.0.2", 0, &error);
	const struct portal_tag tags[] = { { here, 1 }, { there, 2 } };
	struct node_access access = { .acl = acl_new() };
	struct ini *in[3];

	g_assert_no_error(error);
	acl_add(access.acl, NULL, NULL, 0, &here, 1, NULL);
	node_set_tags(server->node, server->target, tags, 2);
	node_set_access(server->node, server->target, &access);
	redirect(NULL, false, true);
	for (uint8_t n = 0; n < G_N_ELEMENTS(in); n++)
		in[n] = logged_in_as((uint8_t)(n + 1), TO_DISK);
	redirect(NULL, false, false);
	for (unsigned n = 0; n < G_N_ELEMENTS(in); n++)
		ini_free(in[n]);
	access = (struct node_access){ .acl = NULL };
	node_set_access(server->node, server->target, &access);
	node_set_tags(server->node, server->target, NULL, 0);
	node_remove_portal(server->node, there);
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_func("/wire/redirect/static", test_static);
	g_test_add_func("/wire/redirect/stays", test_stays);
	g_test_add_func("/wire/redirect/no-loop", test_no_loop);
	g_test_add_func("/wire/redirect/balance", test_balance);
	g_test_add_func("/wire/redirect/balance-admits", test_balance_admits);
	return server_run();
}
