/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h - Data-In and SCSI Response (RFC 7143 11.4, 11.7).  [reactor] */
#ifndef GOTGT_ANSWER_H
#define GOTGT_ANSWER_H

#include "iscsi/wire.h"

struct cmd;

/* Queue all PDUs of an ended command; cmd_sent() comes when the last one is out. */
void answer_send(struct cmd *cmd);
/*
 * Its task's status is another since: put it into its SCSI Response, of which nothing has been sent.  Gives how many
 * bytes of cmd->sense follow the header.
 */
uint32_t answer_change(struct cmd *cmd, uint8_t bhs[BHS_LEN]);

#endif
