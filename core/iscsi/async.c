/* SPDX-License-Identifier: Apache-2.0 */
/* async.c - see async.h */
#include "config.h"
#include "iscsi/async.h"
#include "iscsi/session.h"
#include "iscsi/tx.h"

/* An initiator that does not ask is not asked again: it keeps what it has, which is taken as before, until it logs in. */
#define NEGOTIATE_S 10

void async_send(struct conn *c, enum async_event event, uint16_t p1, uint16_t p2, uint16_t p3)
{
	uint8_t bhs[BHS_LEN] = { OP_ASYNC, FINAL_BIT };

	put32(bhs + 16, TAG_NONE);
	conn_stamp(c, bhs, true);
	bhs[36] = (uint8_t)event;
	put16(bhs + 38, p1);
	put16(bhs + 40, p2);
	put16(bhs + 42, p3);
	tx_pdu(c, bhs, NULL, 0, NULL);
}

void async_drop(struct conn *c, enum async_event event)
{
	if (!conn_is_full(c) || c->close_when_sent) {
		conn_drop(c, NULL);
		return;
	}
	async_send(c, event, event == ASYNC_CONN_DROPPED ? c->cid : 0, (uint16_t)c->params.time2wait,
		   (uint16_t)c->params.time2retain);
	conn_finish(c);
}

void async_negotiate(struct conn *c)
{
	if (conn_is_full(c) && !c->close_when_sent)
		async_send(c, ASYNC_NEGOTIATE, 0, 0, NEGOTIATE_S);
}
