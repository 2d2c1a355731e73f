/* SPDX-License-Identifier: Apache-2.0 */
/* tmf.h - Task Management Function Request (RFC 7143 11.5, 11.6).  [reactor] */
#ifndef GOTGT_TMF_H
#define GOTGT_TMF_H

#include "iscsi/conn.h"

/* What tmf_on_pdu() does, bits of enum task_function. */
unsigned tmf_functions(void);

/* A request that acts on more than one task. */
bool tmf_acts_on_many(const struct pdu *p);
struct verdict tmf_on_pdu(struct conn *c, const struct pdu *p);
/* For target_set_purge(), arg a struct node_target. */
void tmf_purge(void *arg, struct task_purge *p);

#endif
