/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - a session: an I_T nexus, its command numbering and its commands.  [reactor] but where it says otherwise. */
#ifndef GOTGT_SESSION_H
#define GOTGT_SESSION_H

#include "iscsi/conn.h"

struct abort_job;
struct held;

#define CMD_BUCKETS 64

struct session {
	struct node *node;
	struct node_target *target;	/* a reference; NULL: a discovery session */
	struct reactor *reactor;
	struct conn *conn;		/* NULL once it is gone */
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
	struct cmd *by_itt[CMD_BUCKETS];
	uint32_t n_cmds;		/* all of its commands, until sent and released */
	uint32_t next_ttt;
	size_t buffered;		/* bytes of memory its commands hold */
	struct abort_job *jobs;		/* waiting for aborted commands to be gone */
	bool closing;
	GSList *waiting;		/* struct establish: logins that wait for our end; under node->lock */
	struct defer end;
};

/* A whole PDU whose CmdSN is not yet due. */
struct held {
	struct held *next;
	uint32_t cmd_sn, ahs_len, data_len;
	bool skip;			/* aborted before it was due, or before it came */
	uint8_t bytes[];		/* BHS, AHS, data */
};

struct verdict session_hold(struct session *s, const struct pdu *p);
/*
 * ABORT TASK of a command that has not come, or waits (RFC 7143 11.6.1): its CmdSN counts as received.  False: it is
 * not one that may still come.
 */
bool session_skip(struct session *s, uint32_t cmd_sn, uint32_t itt);
/* The held PDU that is now due, its CmdSN taken; the caller frees it.  NULL: none. */
struct held *session_next_held(struct session *s);

/* Its connection is gone: all its commands are aborted, then it ends. */
void session_conn_lost(struct session *s);
/* A command was released. */
void session_cmd_gone(struct session *s);
/* Make its connection close, if it still is what it was.  [any] */
void session_kill(struct node *n, struct session *s, uint16_t tsih, struct reactor *r);

/*
 * Abort commands and learn when the last of them is gone.  The owner embeds it.  lun NULL: of
 * any LUN; itt TAG_NONE: any task.
 */
struct abort_job {
	struct abort_job *next;
	struct lun *lun;
	uint32_t itt;
	const struct task *except;	/* not this one */
	bool by_other;			/* SAM-5 5.6: another I_T nexus's doing, of which this one is told */
	void (*gone)(struct abort_job *job);
};
void session_abort(struct session *s, struct abort_job *job);

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
 * conn may be dropped while it waits; then ready() does not come.
 */
void session_establish(struct conn *c, const struct session_open *open,
		       void (*ready)(struct conn *c, enum login_status status));

/* conn goes away while it waits in session_establish(). */
void session_forget_login(struct conn *c);

#endif
