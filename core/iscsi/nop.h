/* SPDX-License-Identifier: Apache-2.0 */
/* nop.h - NOP-Out and NOP-In (RFC 7143 11.18, 11.19).  [reactor] */
#ifndef GOTGT_NOP_H
#define GOTGT_NOP_H

#include "iscsi/conn.h"

struct verdict nop_on_pdu(struct conn *c, const struct pdu *p);
/* Look whether the peer is there: sends a NOP-In after silence, drops a connection that does not answer.  Rearms conn->timer. */
void nop_tick(struct conn *c);
/* Have the initiator say something, if it is not asked to already. */
void nop_ask(struct conn *c);
/* The same, and drop the connection when it does not within seconds. */
void nop_probe(struct conn *c);

#endif
