/* SPDX-License-Identifier: Apache-2.0 */
/* login.h - the login phase of a connection, RFC 7143 6.  [reactor] */
#ifndef GOTGT_LOGIN_H
#define GOTGT_LOGIN_H

#include "iscsi/conn.h"

/*
 * A Login Request on a connection in CONN_XPT_UP or CONN_IN_LOGIN.  Answers it; after the last
 * one sets conn->params, conn->session (by session_establish) and conn->state CONN_LOGGED_IN.
 * Failures answer with the status the RFC names and end with conn_finish().  What is not even a
 * login PDU: VERDICT_DROP.
 */
struct verdict login_on_pdu(struct conn *c, const struct pdu *p);
/* It has begun, and was neither refused nor sent elsewhere. */
bool login_under_way(const struct login *l);
/* The connection goes away during login. */
void login_free(struct login *l);

#endif
