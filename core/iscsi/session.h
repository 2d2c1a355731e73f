/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - a session: an I_T nexus, its command numbering and its commands.  [reactor] but where it says otherwise. */
#ifndef GOTGT_SESSION_H
#define GOTGT_SESSION_H

#include "iscsi/conn.h"

struct abort_job;
struct held;
struct tmf;

#define CMD_BUCKETS 64
#define SESSION_CONNS_MAX 16	/* the most MaxConnections we offer */

struct session {
	struct node *node;
	struct node_target *target;	/* a reference; NULL: a discovery session */
	struct reactor *reactor;
	struct conn *conns;		/* by conn->mate */
	uint32_t n_conns;
	atomic_uint conns_now;		/* the same, for who is not its reactor */
	_Atomic(struct stats *) stats;	/* NULL: no command has come */
	uint32_t joining;		/* logins that wait for the connection they replace to be gone */
	uint32_t last_allegiance;
	struct params params;		/* agreed with its first connection */
	char *initiator;		/* iSCSI name */
	char *initiator_alias;		/* or NULL */
	uint8_t isid[6];
	uint16_t tsih, tpgt;
	struct nexus *nexus;		/* NULL: a discovery session */
	uint32_t exp_cmd_sn, max_cmd_sn;
	uint32_t depth;			/* window size */
	uint32_t open;			/* numbered commands not yet answered */
	struct held *held;		/* out of order, by rising CmdSN */
	size_t held_bytes;
	uint32_t n_stalled;		/* connections not read from, as what is next there is not due */
	struct cmd *by_itt[CMD_BUCKETS];
	uint32_t n_tmfs;		/* requests whose answers wait */
	atomic_uint n_cmds;		/* all of its commands, until sent and released; its reactor writes */
	uint32_t next_ttt;
	size_t buffered;		/* bytes of memory its commands hold */
	struct tmf *fenced;		/* task management whose answers wait for acknowledgements */
	struct abort_job *jobs;		/* waiting for aborted commands to be gone */
	enum session_state state;
	GSList *waiting;		/* struct establish: logins that wait for our end; under node->lock */
	struct defer end, resume;
};

/* It ends when its commands and connections are gone. */
static inline bool session_ending(const struct session *s)
{
	return s->state == SESSION_FREE || s->state == SESSION_FAILED;
}
/* What happened to it, by the table of state.h; where that has no such transition, its connections are closed. */
void session_event(struct session *s, enum session_event e);

/* A whole PDU whose CmdSN is not yet due. */
struct held {
	struct held *next;
	struct conn *conn;		/* that it came on, and is answered on; NULL: none, of one that is skipped */
	uint32_t cmd_sn, ahs_len, data_len;
	bool skip;			/* aborted before it was due, or before it came */
	bool immediate;			/* takes no CmdSN, waits for those before its own */
	uint8_t bytes[];		/* BHS, AHS, data */
};

struct verdict session_hold(struct conn *c, const struct pdu *p);
/* A PDU that is not due and is not to be held either: read no more from c until it is.  False: it need not wait. */
bool session_stalls(struct conn *c, const uint8_t bhs[BHS_LEN]);
/* It no longer waits; it is left paused. */
void session_unstall(struct conn *c);
/* What is held or stalled may be due. */
static inline bool session_disordered(const struct session *s)
{
	return s->held || s->n_stalled;
}
/* For a new session. */
void session_order_init(struct session *s);
/* Those that may be due now are taken up at the end of the batch. */
void session_resume(struct session *s);
/* Forget what came on a connection (NULL: on any) and is not due yet. */
void session_drop_held(struct session *s, const struct conn *c);
/*
 * ABORT TASK of a command that has not come, or waits (RFC 7143 11.6.1): its CmdSN counts as received.  False: it is
 * not one that may still come.
 */
bool session_skip(struct session *s, uint32_t cmd_sn, uint32_t itt);
/* The held PDU that is now due, its CmdSN taken; the caller frees it.  NULL: none. */
struct held *session_next_held(struct session *s);

/*
 * A connection is gone.  When it was logged out its session goes on with the others, if there are any; else it failed,
 * and with it, at ErrorRecoveryLevel 0, the session (RFC 7143 7.1.5): all commands are aborted, the other connections
 * are told and closed.
 */
void session_conn_lost(struct conn *c);
/* The connection with this allegiance; NULL: it is gone. */
struct conn *session_conn(const struct session *s, uint32_t allegiance);
/* The one with this connection ID. */
struct conn *session_conn_by_cid(const struct session *s, uint16_t cid);
/* A command was released. */
void session_cmd_gone(struct session *s);
/* Make its connections close, if it still is what it was.  [any] */
void session_kill(struct node *n, struct session *s, uint16_t tsih, struct reactor *r);

/*
 * Abort commands and learn when the last of them is gone.  The owner embeds it.  lun NULL: of
 * any LUN; itt TAG_NONE: any task.
 */
struct abort_job {
	struct abort_job *next;
	struct lun *lun;
	uint32_t itt;
	uint32_t allegiance;		/* commands of this connection; 0: of any */
	const struct task *except;	/* not this one */
	bool by_other;			/* SAM-5 5.6: another I_T nexus's doing, of which this one is told */
	void (*gone)(struct abort_job *job);
};
void session_abort(struct session *s, struct abort_job *job);

/*
 * The reactor of the session that a login with this TSIH names; NULL when there is none.  On that reactor
 * session_named() gives the session itself, which is there until it returns to its loop.
 */
struct reactor *session_home(struct node *n, uint16_t tsih);	/* [any] */
struct session *session_named(struct node *n, const struct node_target *t, uint16_t tsih, const uint8_t isid[6],
			      const char *initiator);

/* What login.c knows when it is through. */
struct session_open {
	const char *initiator, *initiator_alias;
	uint8_t isid[6];
	uint16_t tsih;			/* from the request: 0 a new session */
	uint16_t cid;
	uint32_t cmd_sn;		/* the login's, which the first command carries too if that is immediate */
	uint16_t tpgt;
	struct node_target *target;	/* a reference that becomes the session's; NULL: discovery */
};

/*
 * Make the session of a connection whose login is through.  An older session of the same nexus
 * (initiator name, ISID, target, portal group: RFC 7143 6.3.5) is ended first, perhaps on another
 * reactor: then conn->paused is set and ready() comes later, else it comes before this returns.
 * ready() finds conn->session set and status LOGIN_SUCCESS, or the status to refuse with.
 * With a TSIH the connection joins that session, whose reactor it must be on; one with the same CID is logged out
 * first (6.3.4).
 * conn may be dropped while it waits; then ready() does not come.
 */
void session_establish(struct conn *c, const struct session_open *open,
		       void (*ready)(struct conn *c, enum login_status status));

/* conn goes away while it waits in session_establish(). */
void session_forget_login(struct conn *c);

#endif
