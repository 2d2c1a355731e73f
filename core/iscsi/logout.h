/* SPDX-License-Identifier: Apache-2.0 */
/* logout.h - Logout (RFC 7143 11.14) and asking for one (11.9.1).  [reactor] */
#ifndef GOTGT_LOGOUT_H
#define GOTGT_LOGOUT_H

#include "iscsi/conn.h"

struct verdict logout_on_pdu(struct conn *c, const struct pdu *p);
/* Async Message 1: the target asks to be logged out of within some seconds. */
void logout_ask(struct conn *c, uint16_t seconds);
/* Async Message 3: all connections of the session are about to be dropped. */
void logout_tell_dropped(struct conn *c);

#endif
