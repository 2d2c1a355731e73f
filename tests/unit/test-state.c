/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of RFC 7143 8: which pairs there are, and where they lead. */
#include "config.h"
#include <glib.h>
#include "iscsi/state.h"

/* 8.1.2, as the RFC draws it for targets: from, to, numbers.  S8 and S1 are one state here. */
static void test_connections(void)
{
	static const struct { enum conn_state from, to; const char *numbers; } drawn[] = {
		{ CONN_XPT_UP, CONN_IN_LOGIN, "T4" }, { CONN_XPT_UP, CONN_CLOSING, "T6" },
		{ CONN_IN_LOGIN, CONN_IN_LOGIN, "T4" }, { CONN_IN_LOGIN, CONN_LOGGED_IN, "T5" },
		{ CONN_IN_LOGIN, CONN_CLOSING, "T7" }, { CONN_LOGGED_IN, CONN_IN_LOGOUT, "T9" },
		{ CONN_LOGGED_IN, CONN_LOGOUT_REQUESTED, "T11" }, { CONN_LOGGED_IN, CONN_CLOSING, "T8 T15" },
		{ CONN_LOGOUT_REQUESTED, CONN_LOGOUT_REQUESTED, "T12" }, { CONN_LOGOUT_REQUESTED, CONN_IN_LOGOUT, "T10" },
		{ CONN_LOGOUT_REQUESTED, CONN_CLOSING, "T16 T18" }, { CONN_IN_LOGOUT, CONN_IN_LOGOUT, "T14" },
		{ CONN_IN_LOGOUT, CONN_CLOSING, "T13 T17" },
	};
	unsigned there = 0, expected = 0;

	for (unsigned n = 0; n < G_N_ELEMENTS(drawn); n++) {
		g_auto(GStrv) want = g_strsplit(drawn[n].numbers, " ", -1);

		expected += g_strv_length(want);
		for (char **w = want; *w; w++) {
			unsigned found = 0;

			for (unsigned e = 0; e < CONN_EVENTS; e++) {
				const struct transition *t = conn_transition(drawn[n].from, e);

				found += !g_strcmp0(t->number, *w) && t->next == (int)drawn[n].to;
			}
			g_test_message("%s", *w);
			g_assert_cmpuint(found, ==, 1);
		}
	}
	for (unsigned s = 0; s < CONN_STATES; s++)
		for (unsigned e = 0; e < CONN_EVENTS; e++)
			there += conn_transition(s, e)->number != NULL;
	g_assert_cmpuint(there, ==, expected);
}

/* Every state that is not the end can fail, and nothing leaves the end. */
static void test_ends(void)
{
	for (unsigned s = 0; s < CONN_STATES; s++) {
		g_assert_nonnull(conn_state_name(s));
		g_assert_true((conn_transition(s, CONN_FAILED)->number != NULL) == (s != CONN_CLOSING));
		for (unsigned e = 0; e < CONN_EVENTS; e++)
			g_assert_true(s != CONN_CLOSING || !conn_transition(s, e)->number);
	}
	for (unsigned e = 0; e < CONN_EVENTS; e++)
		g_assert_nonnull(conn_event_name(e));
}

/* 8.3.3 at ErrorRecoveryLevel 0 */
static void test_sessions(void)
{
	static const struct { enum session_state from; enum session_event event; enum session_state to; const char *number; }
	drawn[] = {
		{ SESSION_FREE, SESSION_LOGIN, SESSION_ACTIVE, "N2" },
		{ SESSION_ACTIVE, SESSION_LOGIN_DONE, SESSION_LOGGED_IN, "N1" },
		{ SESSION_ACTIVE, SESSION_LOGIN_FAILED, SESSION_FREE, "N9" },
		{ SESSION_LOGGED_IN, SESSION_CLOSED, SESSION_FREE, "N3" },
		{ SESSION_LOGGED_IN, SESSION_LOST, SESSION_FAILED, "N5" },
		{ SESSION_LOGGED_IN, SESSION_CLEARED, SESSION_FREE, "N11" },
		{ SESSION_FAILED, SESSION_GONE, SESSION_FREE, "N6" },
	};
	unsigned there = 0;

	for (unsigned n = 0; n < G_N_ELEMENTS(drawn); n++) {
		const struct transition *t = session_transition(drawn[n].from, drawn[n].event);

		g_assert_cmpstr(t->number, ==, drawn[n].number);
		g_assert_cmpint(t->next, ==, drawn[n].to);
	}
	for (unsigned s = 0; s < SESSION_STATES; s++)
		for (unsigned e = 0; e < SESSION_EVENTS; e++)
			there += session_transition(s, e)->number != NULL;
	g_assert_cmpuint(there, ==, G_N_ELEMENTS(drawn));
	for (unsigned s = 0; s < SESSION_STATES; s++)
		g_assert_nonnull(session_state_name(s));
	for (unsigned e = 0; e < SESSION_EVENTS; e++)
		g_assert_nonnull(session_event_name(e));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/state/rfc7143-8.1.2-connections", test_connections);
	g_test_add_func("/state/rfc7143-8.1.2-ends", test_ends);
	g_test_add_func("/state/rfc7143-8.3.3-sessions", test_sessions);
	return g_test_run();
}
