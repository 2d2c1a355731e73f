/* SPDX-License-Identifier: Apache-2.0 */
/* async.h - what the target says unasked (RFC 7143 11.9).  [reactor] */
#ifndef GOTGT_ASYNC_H
#define GOTGT_ASYNC_H

#include "iscsi/conn.h"

/*
 * AsyncEvent.  0, a SCSI asynchronous event, is never sent: what SPC-5 has to report about a logical unit are unit
 * attentions, which the next command meets.
 */
enum async_event {
	ASYNC_LOGOUT = 1,		/* log out within Parameter3 seconds */
	ASYNC_CONN_DROPPED = 2,		/* this connection goes */
	ASYNC_SESSION_DROPPED = 3,	/* all connections of this session go */
	ASYNC_NEGOTIATE = 4,		/* send a Text Request within Parameter3 seconds */
};

void async_send(struct conn *c, enum async_event event, uint16_t p1, uint16_t p2, uint16_t p3);
/* Event 2 or 3, and then the connection closes.  Once it has been said, it closes at once. */
void async_drop(struct conn *c, enum async_event event);
/* What the target offers has changed since this connection's login: ask for a Text Request, see text.c. */
void async_negotiate(struct conn *c);

#endif
