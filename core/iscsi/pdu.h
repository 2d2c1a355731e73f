/* SPDX-License-Identifier: Apache-2.0 */
/* pdu.h - what each opcode from an initiator is, and who handles it: one table.  [reactor] */
#ifndef GOTGT_PDU_H
#define GOTGT_PDU_H

#include "iscsi/conn.h"

/* Opcodes whose data segment may be received into place. */
bool pdu_carries_data_out(enum opcode op);

/*
 * Order by CmdSN and hand over.  avail < p->data_len only for PDUs that carry data out, and only
 * where pdu_in_order() is true.  digest_bad: the data segment's digest is wrong.
 */
struct verdict pdu_handle(struct conn *c, const struct pdu *p, uint32_t avail, bool digest_bad);
/* Its CmdSN is the next, or it has none: false for one to be held or ignored. */
bool pdu_in_order(const struct conn *c, const struct pdu *p);
/* With several connections: it is to be left where it is, and c not to be read from, until its CmdSN is due. */
bool pdu_stalls(struct conn *c, const uint8_t bhs[BHS_LEN]);
/* Reject p (RFC 7143 11.17). */
void pdu_reject(struct conn *c, const struct pdu *p, enum reject_reason reason);

#endif
