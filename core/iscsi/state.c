/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - see state.h */
#include "config.h"
#include "iscsi/state.h"

static const char *const conn_states[CONN_STATES] = {
	[CONN_XPT_UP] = "XPT_UP", [CONN_IN_LOGIN] = "IN_LOGIN", [CONN_LOGGED_IN] = "LOGGED_IN",
	[CONN_LOGOUT_REQUESTED] = "LOGOUT_REQUESTED", [CONN_IN_LOGOUT] = "IN_LOGOUT", [CONN_CLOSING] = "CLOSING",
};

static const char *const conn_events[CONN_EVENTS] = {
	[CONN_LOGIN_REQUEST] = "Login Request", [CONN_LOGIN_DONE] = "login done",
	[CONN_ASKS_LOGOUT] = "we ask for a logout", [CONN_LOGOUT_REQUEST] = "Logout Request",
	[CONN_LEFT] = "logged out", [CONN_FAILED] = "failure",
};

/* RFC 7143 8.1.4.  T1 and T2 are the initiator's, T3 is where a connection begins. */
static const struct transition conns[CONN_STATES][CONN_EVENTS] = {
	[CONN_XPT_UP] = {
		[CONN_LOGIN_REQUEST] = { "T4", CONN_IN_LOGIN },
		[CONN_FAILED] = { "T6", CONN_CLOSING },
	},
	[CONN_IN_LOGIN] = {
		[CONN_LOGIN_REQUEST] = { "T4", CONN_IN_LOGIN },		/* the next of the same login */
		[CONN_LOGIN_DONE] = { "T5", CONN_LOGGED_IN },
		[CONN_FAILED] = { "T7", CONN_CLOSING },
	},
	[CONN_LOGGED_IN] = {
		[CONN_ASKS_LOGOUT] = { "T11", CONN_LOGOUT_REQUESTED },
		[CONN_LOGOUT_REQUEST] = { "T9", CONN_IN_LOGOUT },
		[CONN_LEFT] = { "T8", CONN_CLOSING },
		[CONN_FAILED] = { "T15", CONN_CLOSING },
	},
	[CONN_LOGOUT_REQUESTED] = {
		[CONN_ASKS_LOGOUT] = { "T12", CONN_LOGOUT_REQUESTED },
		[CONN_LOGOUT_REQUEST] = { "T10", CONN_IN_LOGOUT },
		[CONN_LEFT] = { "T18", CONN_CLOSING },
		[CONN_FAILED] = { "T16", CONN_CLOSING },
	},
	[CONN_IN_LOGOUT] = {
		[CONN_ASKS_LOGOUT] = { "T14", CONN_IN_LOGOUT },
		[CONN_LEFT] = { "T13", CONN_CLOSING },
		[CONN_FAILED] = { "T17", CONN_CLOSING },
	},
};

static const char *const session_states[SESSION_STATES] = {
	[SESSION_FREE] = "FREE", [SESSION_ACTIVE] = "ACTIVE", [SESSION_LOGGED_IN] = "LOGGED_IN", [SESSION_FAILED] = "FAILED",
};

static const char *const session_events[SESSION_EVENTS] = {
	[SESSION_LOGIN] = "login", [SESSION_LOGIN_DONE] = "login done", [SESSION_LOGIN_FAILED] = "login failed",
	[SESSION_CLOSED] = "logged out", [SESSION_LOST] = "a connection failed", [SESSION_CLEARED] = "cleared",
	[SESSION_GONE] = "all of it is gone",
};

/* 8.3.4.  N4 is the initiator's; N7, N8 and N10 continue a session, of which there is none at level 0. */
static const struct transition sessions[SESSION_STATES][SESSION_EVENTS] = {
	[SESSION_FREE] = {
		[SESSION_LOGIN] = { "N2", SESSION_ACTIVE },
	},
	[SESSION_ACTIVE] = {
		[SESSION_LOGIN_DONE] = { "N1", SESSION_LOGGED_IN },
		[SESSION_LOGIN_FAILED] = { "N9", SESSION_FREE },
	},
	[SESSION_LOGGED_IN] = {
		[SESSION_CLOSED] = { "N3", SESSION_FREE },
		[SESSION_LOST] = { "N5", SESSION_FAILED },
		[SESSION_CLEARED] = { "N11", SESSION_FREE },
	},
	[SESSION_FAILED] = {
		[SESSION_GONE] = { "N6", SESSION_FREE },
	},
};

const struct transition *conn_transition(enum conn_state s, enum conn_event e)
{
	return &conns[s][e];
}

const struct transition *session_transition(enum session_state s, enum session_event e)
{
	return &sessions[s][e];
}

const char *conn_state_name(enum conn_state s)
{
	return conn_states[s];
}

const char *conn_event_name(enum conn_event e)
{
	return conn_events[e];
}

const char *session_state_name(enum session_state s)
{
	return session_states[s];
}

const char *session_event_name(enum session_event e)
{
	return session_events[e];
}
