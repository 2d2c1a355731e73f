/* SPDX-License-Identifier: Apache-2.0 */
/* logout.c - a connection or its session ends in good order. */
#include "config.h"
#include "iscsi/async.h"
#include "iscsi/logout.h"
#include "iscsi/session.h"
#include "iscsi/tx.h"

/* RFC 7143 11.14.1 and 11.15.1 */
enum { CLOSE_SESSION = 0, CLOSE_CONNECTION = 1, REMOVE_FOR_RECOVERY = 2 };
enum { CLOSED = 0, CID_NOT_FOUND = 1, RECOVERY_NOT_SUPPORTED = 2 };

struct verdict logout_on_pdu(struct conn *c, const struct pdu *p)
{
	uint8_t bhs[BHS_LEN] = { OP_LOGOUT_RESPONSE, FINAL_BIT };
	uint8_t reason = p->bhs[1] & 0x7f;
	uint8_t answer = CLOSED;

	if (reason > REMOVE_FOR_RECOVERY)
		return VERDICT_REJECT(REJECT_INVALID_FIELD, "unknown logout reason");
	if (reason != CLOSE_SESSION && get16(p->bhs + 20) != c->cid)
		answer = CID_NOT_FOUND;
	else if (reason == REMOVE_FOR_RECOVERY)
		answer = RECOVERY_NOT_SUPPORTED;
	bhs[2] = answer;
	memcpy(bhs + 16, p->bhs + 16, 4);
	conn_stamp(c, bhs, true);
	put16(bhs + 40, (uint16_t)c->params.time2wait);
	put16(bhs + 42, (uint16_t)c->params.time2retain);
	tx_pdu(c, bhs, NULL, 0, NULL);
	if (answer == CLOSED && c->state == CONN_LOGGED_IN) {
		c->state = CONN_IN_LOGOUT;
		conn_finish(c);
	}
	return VERDICT_OK;
}

void logout_ask(struct conn *c, uint16_t seconds)
{
	async_send(c, ASYNC_LOGOUT, 0, 0, seconds);
}
