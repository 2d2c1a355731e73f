/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - the states of a connection and of a session, and what moves them: the tables of RFC 7143 8.  [any] */
#ifndef GOTGT_STATE_H
#define GOTGT_STATE_H

#include <stdbool.h>

/* 8.1.3, the target's side.  What was S1 and S8 is one here: at level 0 there is nothing to clean up later. */
enum conn_state {
	CONN_XPT_UP,		/* S3 */
	CONN_IN_LOGIN,		/* S4 */
	CONN_LOGGED_IN,		/* S5 */
	CONN_LOGOUT_REQUESTED,	/* S7 */
	CONN_IN_LOGOUT,		/* S6 */
	CONN_CLOSING,		/* S8, then S1 */
	CONN_STATES
};

enum conn_event {
	CONN_LOGIN_REQUEST,	/* one came, and is answered */
	CONN_LOGIN_DONE,	/* the last Login Response is on its way */
	CONN_ASKS_LOGOUT,	/* we send Async Message 1 */
	CONN_LOGOUT_REQUEST,	/* one came that closes this connection */
	CONN_LEFT,		/* it is logged out, here or on another connection, or replaced */
	CONN_FAILED,		/* anything else that ends it */
	CONN_EVENTS
};

/* 8.3; Q5 is of a continuation, and at level 0 nothing is retained to continue. */
enum session_state {
	SESSION_FREE,		/* Q1; ended, though commands of it may still be at a device */
	SESSION_ACTIVE,		/* Q2 */
	SESSION_LOGGED_IN,	/* Q3 */
	SESSION_FAILED,		/* Q4, until its commands are gone */
	SESSION_STATES
};

enum session_event {
	SESSION_LOGIN,		/* its leading connection is about to be through with its login */
	SESSION_LOGIN_DONE,
	SESSION_LOGIN_FAILED,
	SESSION_CLOSED,		/* its last connection was logged out */
	SESSION_LOST,		/* a connection failed */
	SESSION_CLEARED,	/* reinstated, or ended by the target */
	SESSION_GONE,		/* nothing of it is left; what Time2Retain would end at the other levels */
	SESSION_EVENTS
};

struct transition {
	const char *number;	/* the RFC's; NULL: there is no such transition */
	int next;
};

const struct transition *conn_transition(enum conn_state s, enum conn_event e);
const struct transition *session_transition(enum session_state s, enum session_event e);
const char *conn_state_name(enum conn_state s);
const char *conn_event_name(enum conn_event e);
const char *session_state_name(enum session_state s);
const char *session_event_name(enum session_event e);

#endif
