/* SPDX-License-Identifier: Apache-2.0 */
/* The states of RFC 7143 8, as an initiator meets them. */
#include "config.h"
#include "iscsi/conn.h"
#include "ini.h"

#define FOUR "MaxConnections=4;"

static void finish_login_again(struct reactor *r, void *arg)
{
	struct conn *c = server->node->conns[reactor_index(r)];

	if (c)
		g_assert_false(conn_event(c, CONN_LOGIN_DONE));
}

/* What the table does not have closes that connection, and the log has both names. */
static void test_unlisted(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	g_autofree char *lines = NULL;

	engine_each(server->engine, finish_login_again, NULL);
	EXPECT_CLOSED(i);
	lines = server_logged();
	g_assert_nonnull(strstr(lines, "no transition for login done in state LOGGED_IN"));
	ini_free(i);
	i = ini_new_login(server, 1, "");
	ini_check(i);
	ini_free(i);
}

static void closed(struct ini *i, uint8_t response)
{
	EXPECT_PDU(i, OP_LOGOUT_RESPONSE);
	g_assert_cmphex(i->bhs[2], ==, response);
}

/* T9 twice: a session is closed while a connection of it is on its way out. */
static void test_closed_while_leaving(void)
{
	struct ini *a = ini_new_login(server, 1, FOUR), *b = ini_new_join(a, 1, ""), *c = ini_new_join(a, 2, "");

	ram_hold();
	ini_read(b, 0, 1, BLOCK);
	ram_wait_held(1);
	ini_follow(a, b);
	ini_logout(b, 1, 1);
	ini_logout(a, 0, 0);
	while (ini_recv(b))		/* its own answer, if it was the first */
		g_assert_cmphex(b->bhs[0], ==, OP_LOGOUT_RESPONSE);
	closed(a, 0);
	EXPECT_CLOSED(a);
	EXPECT_CLOSED(c);
	ram_release();
	ini_free(a);
	ini_free(b);
	ini_free(c);
}

static gpointer remove_target(gpointer t)
{
	node_remove_target(server->node, t, 60000);
	return NULL;
}

/* T11, T10, T13: asked to log out, an initiator may finish its commands, and logs out. */
static void test_logout_requested(void)
{
	struct target *scsi = target_new(server->engine, DISK ".leaving");
	struct node_target *t = node_add_target(server->node, DISK ".leaving", NULL, scsi, &params_offered, NULL, 0);
	struct ini *i = ini_new(server, 1);
	int64_t begun = g_get_monotonic_time();
	GThread *remover;

	ini_login_pdu(i, OP_TO_FULL, "InitiatorName=" HOST ";TargetName=" DISK ".leaving;");
	EXPECT_LOGIN(i, OP_TO_FULL, LOGIN_SUCCESS);
	remover = g_thread_new("remover", remove_target, t);
	EXPECT_PDU(i, OP_ASYNC);
	g_assert_cmphex(i->bhs[36], ==, 1);
	ini_nop(i, 0x31, NULL, 0);
	EXPECT_PDU(i, OP_NOP_IN);
	ini_logout(i, 0, 0);
	closed(i, 0);
	EXPECT_CLOSED(i);
	g_thread_join(remover);
	g_assert_cmpint(g_get_monotonic_time() - begun, <, 30 * G_USEC_PER_SEC);
	target_free(scsi);
	ini_free(i);
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_func("/wire/states/rfc7143-8.1-unlisted", test_unlisted);
	g_test_add_func("/wire/states/rfc7143-8.1-closed-while-leaving", test_closed_while_leaving);
	g_test_add_func("/wire/states/rfc7143-8.1-logout-requested", test_logout_requested);
	return server_run();
}
