/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn.h - one connection: bytes in, PDUs out.  Lives on one reactor; all [reactor].
 */
#ifndef GOTGT_CONN_H
#define GOTGT_CONN_H

#include <sys/socket.h>
#include "engine/bufpool.h"
#include "engine/log.h"
#include "engine/reactor.h"
#include "iscsi/node.h"
#include "iscsi/state.h"
#include "iscsi/wire.h"

struct session;
struct login;
struct cmd;
struct txblk;

struct conn {
	struct watch watch;
	struct reactor *reactor;
	struct node *node;
	struct portal *portal;
	struct sockaddr_storage local;
	struct sockaddr_storage from;	/* the peer's address; of family 0 when it has none */
	char peer[64];			/* the same as "ADDR:PORT", for logs */
	enum conn_state state;
	uint16_t cid;
	uint32_t stat_sn;		/* of the next response */
	uint32_t login_cmd_sn;		/* CmdSN of the login's requests */
	struct params params;		/* agreed */
	bool header_digest, data_digest;	/* on, from the first PDU of the full feature phase */
	struct session *session;	/* NULL until login succeeded */
	struct conn *mate;		/* next in the session */
	uint32_t allegiance;		/* tells the connections of a session apart, over all its life; from 1 */
	bool logged_out;		/* that it ends is no failure */
	bool stalled;			/* and paused: what is next has this CmdSN, which is not due */
	uint32_t stalled_sn;
	uint32_t acked;			/* ExpStatSN as last heard */
	uint32_t fence_sn;		/* fenced: tmf.c waits until this is acknowledged */
	bool fenced;
	struct login *login;		/* login.c's state, NULL after */
	struct { struct conn *next, *prev; bool counted; } logins;	/* logins.c's, under node->lock */
	struct post evict;		/* it is to make room for other logins */
	bool evicting;			/* that is on its way, under node->lock */
	bool reaped;			/* gone but for that */
	struct text *text;		/* text.c's state of an exchange under way, or NULL */
	bool paused;			/* nothing is parsed until conn_resume(): login waits for something */
	bool close_when_sent;
	bool was_logged_in;		/* before CONN_CLOSING */
	bool logout_due;		/* it was asked to log out and should have by now: no new commands */
	uint32_t told_dsl;		/* our MaxRecvDataSegmentLength as it was told last */

	/* conn.c's */
	struct defer flush;
	struct defer go_on;		/* PDUs are left that its turn was too short for */
	struct defer reap;		/* frees it once nobody on the stack can hold it */
	struct timer timer;		/* login timeout, then NOP-In */
	uint32_t events;		/* watched now */
	uint64_t heard_ms;		/* when bytes last came in */
	uint64_t data_ms;		/* when a command with data, or a whole PDU of its data, last came */
	uint64_t nop_sent_ms;		/* when our NOP-In under way went out, 0: none is */
	bool probed;			/* somebody waits to know whether it lives */
	struct buf *rx;
	uint32_t rx_at, rx_len;		/* unparsed bytes are [rx_at, rx_len) */
	bool large;			/* large data segments come: headers are read alone */
	uint32_t lent_open;		/* commands whose data goes straight into lent memory */
	struct {			/* the data segment being received into place */
		bool active, discard;
		struct cmd *cmd;	/* whose; NULL: nobody's, it is thrown away */
		uint32_t start, len;	/* in the command's data */
		uint32_t offset, left;	/* the next byte there, bytes still to come */
		uint32_t crc;		/* of what came, with data digests */
		uint32_t tail_len, tail_got;	/* padding and digest after it */
		uint8_t tail[8], bhs[BHS_LEN];
	} into;
	struct txblk *tx_head, *tx_tail;
	uint32_t tx_pdus;		/* queued, not sent */
	size_t tx_copied;		/* bytes of copies among them */
	bool tx_full;			/* the socket takes no more for now */
	struct establish *establishing;	/* session.c: the login waits for an older session's end */
	struct conn *next;		/* of its reactor's, see node.h */
	struct conn **prev;
	struct post post;
	struct moving *moving;		/* conn.c: on its way to another reactor */
	struct stats *counts;		/* count.c's: of its portal on its reactor; NULL: not known yet */
};

/* What a line about it is about. */
struct log_fields conn_fields(const struct conn *c);
void conn_start(struct node *n, struct portal *p, struct reactor *r, int fd, const struct sockaddr_storage *from);	/* [any] */

/*
 * Queue a PDU that is not part of the data path: bhs complete but for DataSegmentLength, data copied.  It goes out
 * at the end of the batch.
 */
void conn_send(struct conn *c, uint8_t bhs[BHS_LEN], const void *data, uint32_t len);
/* StatSN (taking one when `advance`), ExpCmdSN and MaxCmdSN at their usual places (24, 28, 32). */
void conn_stamp(struct conn *c, uint8_t bhs[BHS_LEN], bool advance);
/*
 * What happened to it, by the table of state.h.  False: there is no such transition, which is logged with both names, and
 * the connection is closed.
 */
bool conn_event(struct conn *c, enum conn_event e);
/* In its full feature phase, and not on its way out. */
static inline bool conn_is_full(const struct conn *c)
{
	return c->state == CONN_LOGGED_IN || c->state == CONN_LOGOUT_REQUESTED;
}
/* The login is through: CONN_LOGGED_IN, with its timer. */
void conn_logged_in(struct conn *c);
/* Close now; why (static or formatted text) is logged, NULL: quietly. */
void conn_drop(struct conn *c, const char *why);
/* Close once everything queued has been sent. */
void conn_finish(struct conn *c);
/* Parse on after conn->paused was set and the wait is over. */
void conn_resume(struct conn *c);
/* Read nothing more, and no longer mind that it is silent: it is about to be closed. */
void conn_pause(struct conn *c);
/*
 * Go on at another reactor, with p, a whole PDU of the login phase, which is handled there.  Nothing may have been
 * received behind it.
 */
void conn_move(struct conn *c, struct reactor *to, const struct pdu *p);

#endif
