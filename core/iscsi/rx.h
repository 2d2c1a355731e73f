/* SPDX-License-Identifier: Apache-2.0 */
/* rx.h - bytes from the socket into whole PDUs.  [reactor] */
#ifndef GOTGT_RX_H
#define GOTGT_RX_H

#include "iscsi/conn.h"

/* Receive what is there and handle it; the connection may be CONN_CLOSING after. */
void rx_ready(struct conn *c);
/* Handle what is buffered already (after a pause). */
void rx_parse(struct conn *c);
/* Nothing received is left unparsed behind the PDU being handled. */
bool rx_is_empty(const struct conn *c);
/* Nothing may be read now: login waits, or the peer does not take its answers. */
bool rx_blocked(const struct conn *c);
void rx_free(struct conn *c);

#endif
