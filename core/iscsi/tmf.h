/* SPDX-License-Identifier: Apache-2.0 */
/* tmf.h - Task Management Function Request (RFC 7143 11.5, 11.6).  [reactor] */
#ifndef GOTGT_TMF_H
#define GOTGT_TMF_H

#include "iscsi/conn.h"

/* What tmf_on_pdu() does, bits of enum task_function. */
extern const unsigned tmf_functions;

struct verdict tmf_on_pdu(struct conn *c, const struct pdu *p);
/* Abort every session's commands on a LUN (but those of `except`); done() comes on the calling reactor when all are gone. */
struct lun_abort {
	void (*done)(struct lun_abort *a);
	/* tmf.c's */
	struct reactor *home;
	struct post post;
	gint waiting;
};
void tmf_abort_lun(struct node_target *t, struct lun *lun, struct lun_abort *a);

#endif
