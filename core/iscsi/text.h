/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - Text Requests in the full feature phase (RFC 7143 11.10): SendTargets and renegotiation.  [reactor] */
#ifndef GOTGT_TEXT_H
#define GOTGT_TEXT_H

#include "iscsi/conn.h"

struct text;

/* CmdSN has been dealt with by the caller. */
struct verdict text_on_pdu(struct conn *c, const struct pdu *p);
void text_free(struct text *t);

#endif
