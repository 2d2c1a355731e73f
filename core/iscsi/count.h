/* SPDX-License-Identifier: Apache-2.0 */
/*
 * count.h - what is counted of commands and connections: by logical unit, session, and portal with its reactor.  A
 * command counts once in each, when its last byte has left or it has vanished.
 */
#ifndef GOTGT_COUNT_H
#define GOTGT_COUNT_H

#include "engine/stats.h"
#include "iscsi/conn.h"

struct cmd;
struct task;

/* ---- counting: [reactor] ---- */

/* It has come, and its task knows its logical unit. */
void count_begin(struct cmd *cmd);
/* It goes; the time is reactor_last_ns(). */
void count_end(struct cmd *cmd);
/* Are hints for the caches worth their time, for the commands of this connection? */
bool count_ahead_pays(const struct conn *c);
/* The hint: it is about to be counted. */
void count_ahead(const struct cmd *cmd);
/* Between these, what goes may be counted later, before count_many_end() returns. */
void count_many(struct conn *c);
void count_many_end(struct conn *c);
/*
 * A device keeps the old task: its logical unit, which may be gone before cmd is, counts it now; cmd, in its place,
 * counts elsewhere.
 */
void count_given_up(struct cmd *cmd, const struct task *old);
void count_r2t(struct cmd *cmd);
void count_header_digest(struct conn *c);
void count_data_digest(struct conn *c, const uint8_t bhs[BHS_LEN]);
/* STATS_LOGINS, STATS_LOGIN_FAILURES */
void count_login(struct conn *c, enum stats_count what);

/* For the node: what each reactor has under way. */
struct count_run *count_runs_new(unsigned n_reactors);
void count_runs_free(struct count_run *runs);

/* ---- reading ---- */

/* A session as it was when count_sessions() looked; its block may outlive it. */
struct count_session {
	uint16_t tsih;
	unsigned connections, depth;	/* depth: commands under way */
	char *initiator, *target;
	struct stats *stats;	/* NULL: it has had no command; see count_session_sum() */
};
/* Those of targets; g_array_unref() frees what it holds.  Holds up logins, not commands.  [any] */
GArray *count_sessions(struct node *n);
/* Add what a session has counted.  [any] */
void count_session_sum(const struct count_session *s, struct stats_sum *sum);
/* Add what came through a portal; how many connections it has now.  [main] */
unsigned count_portal(struct node *n, const struct portal *p, struct stats_sum *sum);
/* The same of a reactor, through whatever portal, those that are no more included. */
unsigned count_reactor(struct node *n, unsigned reactor, struct stats_sum *sum);

/* A portal without connections goes, its reactors keep what it counted; false: it has commands.  [main] */
bool count_portal_over(struct node *n, const struct portal *p);

#endif
