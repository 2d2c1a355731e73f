/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - a session: an I_T nexus, its command numbering and its commands.  [reactor] but where it says otherwise. */
#ifndef GOTGT_SESSION_H
#define GOTGT_SESSION_H

#include "iscsi/conn.h"

#define CMD_BUCKETS 64

struct session {
	struct node *node;
	struct node_target *target;	/* a reference; NULL: a discovery session */
	struct reactor *reactor;
	struct conn *conn;		/* NULL once it is gone */
	char *initiator;		/* iSCSI name */
	char *initiator_alias;		/* or NULL */
	uint8_t isid[6];
	uint16_t tsih;
	struct nexus *nexus;		/* NULL: a discovery session */
	uint32_t exp_cmd_sn, max_cmd_sn;
	uint32_t depth;			/* window size */
	uint32_t open;			/* numbered commands not yet answered */
	struct cmd *held;		/* out of order, by rising CmdSN */
	struct cmd *by_itt[CMD_BUCKETS];
	uint32_t n_cmds;		/* in by_itt, until sent and released */
	bool closing;
	GSList *waiting;		/* struct session_open whose login waits for our end; under node->lock */
	struct post post;
};

/* What login.c knows when it is through. */
struct session_open {
	const char *initiator, *initiator_alias;
	uint8_t isid[6];
	uint16_t tsih;			/* from the request: 0 a new session */
	uint16_t cid;
	uint32_t cmd_sn;		/* the login's, which the first command carries too if that is immediate */
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

#endif
