/* SPDX-License-Identifier: Apache-2.0 */
/* nop.c - answer pings, and ping whoever has been silent. */
#include "config.h"
#include "iscsi/cmd.h"
#include "iscsi/nop.h"
#include "iscsi/session.h"
#include "iscsi/tx.h"

#define PROBE_MS 3000u	/* a whole round trip, and a pause of the initiator's */
#define OUR_TTT 1u	/* one NOP-In at a time */

struct verdict nop_on_pdu(struct conn *c, const struct pdu *p)
{
	uint32_t itt = get32(p->bhs + 16), ttt = get32(p->bhs + 20);
	uint8_t bhs[BHS_LEN] = { OP_NOP_IN, FINAL_BIT };

	/* 11.18.2: ours, even if it comes late. */
	if (ttt != TAG_NONE && ttt != OUR_TTT)
		return VERDICT_REJECT(REJECT_INVALID_FIELD, "NOP-Out to no NOP-In of ours");
	if (ttt == OUR_TTT)
		c->nop_sent_ms = 0;
	if (itt == TAG_NONE)	/* 11.18.1: must be immediate, asks for no answer */
		return pdu_immediate(p) ? VERDICT_OK :
		       VERDICT_REJECT(REJECT_PROTOCOL_ERROR, "NOP-Out with the reserved ITT that is not immediate");
	put32(bhs + 16, itt);
	put32(bhs + 20, TAG_NONE);
	conn_stamp(c, bhs, true);
	tx_copy(c, bhs, p->data, MIN(p->data_len, c->params.peer_max_recv_dsl), NULL);
	return VERDICT_OK;
}

static void ping(struct conn *c)
{
	uint8_t bhs[BHS_LEN] = { OP_NOP_IN, FINAL_BIT };

	put32(bhs + 16, TAG_NONE);
	put32(bhs + 20, OUR_TTT);
	conn_stamp(c, bhs, false);	/* 11.19: StatSN is not advanced */
	tx_pdu(c, bhs, NULL, 0, NULL);
	c->nop_sent_ms = reactor_now_ms(c->reactor);
}

void nop_tick(struct conn *c)
{
	const struct node *n = c->node;
	uint64_t now = reactor_now_ms(c->reactor), silent_ms = now - c->heard_ms;
	uint64_t interval_ms = n->nop_interval_s * UINT64_C(1000), timeout_ms = n->nop_timeout_s * UINT64_C(1000);

	if (c->probed)
		timeout_ms = MIN(timeout_ms, PROBE_MS);

	/* 4.3: no NOP-Out in a discovery session, so no NOP-In either; TCP watches over these (conn.c). */
	if ((!interval_ms && !c->nop_sent_ms) || !c->session->nexus)
		return;
	if (c->nop_sent_ms && c->heard_ms > c->nop_sent_ms)
		c->nop_sent_ms = 0;	/* anything heard after it proves it alive */
	c->probed = c->probed && c->nop_sent_ms;
	/* It may be alive, and yet not send what it announced: the blocks of its command, or their memory, are taken. */
	if (interval_ms && now - c->data_ms >= interval_ms + timeout_ms && cmd_waits_for_data(c)) {
		conn_drop(c, "the data of a command does not come");
		return;
	}
	if (!interval_ms && !c->nop_sent_ms)
		return;
	if (c->nop_sent_ms && now - c->nop_sent_ms >= timeout_ms) {
		conn_drop(c, "no answer to NOP-In");
		return;
	}
	if (c->nop_sent_ms) {
		reactor_timer_set(c->reactor, &c->timer, timeout_ms - (now - c->nop_sent_ms));
	} else if (silent_ms >= interval_ms) {
		ping(c);
		reactor_timer_set(c->reactor, &c->timer, timeout_ms);
	} else {
		reactor_timer_set(c->reactor, &c->timer, interval_ms - silent_ms);
	}
}

void nop_ask(struct conn *c)
{
	if (c->nop_sent_ms || !conn_is_full(c))
		return;
	ping(c);
	if (c->node->nop_interval_s)
		reactor_timer_set(c->reactor, &c->timer, c->node->nop_timeout_s * UINT64_C(1000));
}

void nop_probe(struct conn *c)
{
	if (c->nop_sent_ms && c->heard_ms > c->nop_sent_ms)
		c->nop_sent_ms = 0;
	if (!conn_is_full(c) || (c->probed && c->nop_sent_ms))
		return;
	if (!c->nop_sent_ms)
		ping(c);
	c->probed = true;
	reactor_timer_set(c->reactor, &c->timer, PROBE_MS);
}
