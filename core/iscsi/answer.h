/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h - Data-In and SCSI Response (RFC 7143 11.4, 11.7).  [reactor] */
#ifndef GOTGT_ANSWER_H
#define GOTGT_ANSWER_H

struct cmd;

/* Queue all PDUs of an ended command; cmd_sent() comes when the last one is out. */
void answer_send(struct cmd *cmd);

#endif
