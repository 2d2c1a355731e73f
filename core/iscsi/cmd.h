/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd.h - a SCSI command on its way through iSCSI: its data out (immediate, unsolicited,
 * solicited by R2T), then Data-In and status.  Wraps a SCSI task.  All [reactor].
 */
#ifndef GOTGT_CMD_H
#define GOTGT_CMD_H

#include "iscsi/session.h"
#include "iscsi/tx.h"
#include "scsi/task.h"

#define R2T_MAX 64	/* outstanding for one command; the most MaxOutstandingR2T we offer */

enum cmd_state {
	CMD_COLLECTING,		/* data out is coming */
	CMD_RUNNING,		/* with the SCSI layer */
	CMD_ENDED,		/* has its status, but unsolicited data is still to be swallowed */
	CMD_ANSWERED,		/* response queued */
};

/* Of what ends and is released, its own in the first two lines, and of its task in the next three. */
struct cmd {
	struct cmd *next;		/* hash chain, free list */
	struct session *session;
	struct conn *conn;		/* NULL once it is gone */
	uint32_t itt, cmd_sn, edtl;
	uint32_t allegiance;		/* of conn, and still when that is gone (RFC 7143 4.2.5.1) */
	enum cmd_state state;
	bool numbered;			/* holds a place in the CmdSN window */
	bool write;
	bool lent_open;			/* lent memory is being received into: counted in conn->lent_open */
	bool unsolicited;		/* Data-Out without R2T is still coming */
	bool begun;			/* task_begin() has returned */
	bool aborting;			/* by task management or the end of the session */
	bool tell;			/* although aborted, it is answered: with TASK ABORTED */
	bool ended;			/* task ops->done() came */
	uint32_t buffered;		/* bytes its session is charged for */
	uint32_t got;			/* bytes of data out received, from offset 0 */

	uint64_t begun_ns;		/* count.c's, as is the next one */
	struct stats *of_portal;
	enum sense_code override;	/* with sense_override: what the transport found wrong, stronger than the task's status */
	bool sense_override;
	uint32_t unsol_sn;		/* next DataSN of unsolicited data */
	uint32_t bidi_in;		/* expected bidirectional read data length (11.2.2.4), or 0 */
	/*
	 * R2Ts ask for MaxBurstLength bytes each (the last for the rest) from r2t_from on, their tags follow each other,
	 * and they are answered in order: so R2TSNs [r2t_done, r2t_sn) are outstanding, and the first is being answered.
	 */
	uint32_t r2t_from, r2t_ttt;	/* offset and tag of R2TSN 0; set when it is sent */
	uint32_t r2t_sn, r2t_done;
	uint32_t seq_got, seq_sn;	/* of the sequence being received: bytes so far, next DataSN */
	uint64_t unused;		/* to the end of the line */

	struct task task;		/* this and the rest is not zeroed for a command */
	uint8_t sense[2 + TASK_SENSE_MAX + 2];	/* SenseLength, sense data, padding: the response's data segment */
};

G_STATIC_ASSERT(sizeof(void *) != 8 || offsetof(struct cmd, begun_ns) == LINE_BYTES);
G_STATIC_ASSERT(sizeof(void *) != 8 || offsetof(struct cmd, task) == 2 * LINE_BYTES);

/* It is released soon: a hint. */
static inline void cmd_fetch(const struct cmd *cmd)
{
	__builtin_prefetch(cmd, 1);
	__builtin_prefetch(&cmd->begun_ns);
	task_fetch(&cmd->task);
}

/*
 * A SCSI Command PDU whose CmdSN is in order.  avail: bytes of its data segment (data_len in
 * all) at p->data now; when fewer than all, the rest is to be received into place: then
 * conn->into says where.  digest_bad, of Data-Out alone: the data segment failed its digest.
 */
struct verdict cmd_on_command(struct conn *c, const struct pdu *p, uint32_t avail, bool digest_bad);
struct verdict cmd_on_data_out(struct conn *c, const struct pdu *p, uint32_t avail, bool digest_bad);
/* conn->into is complete. */
struct verdict cmd_into_done(struct conn *c, bool digest_bad);
/* Where the next `left` bytes of conn->into go; elements written to iov. */
uint32_t cmd_into_iov(struct conn *c, struct iovec *iov, uint32_t max);
/* The kernel could not write there (EFAULT): the command is told BUSY, the rest is discarded. */
void cmd_into_fault(struct conn *c);

/* The last PDU of an answered command left the transmit queue (or was thrown away). */
void cmd_sent(struct cmd *cmd);

/* A command of this connection waits for its data. */
bool cmd_waits_for_data(const struct conn *c);
struct cmd *cmd_find(struct session *s, uint32_t itt);
/* Stop it; it is gone when session_cmd_gone() is called for it.  tell: answer it with TASK ABORTED, else not at all. */
void cmd_abort(struct cmd *cmd, bool tell);
/* A new one of a session, and its end: session_cmd_gone(). */
struct cmd *cmd_get(struct session *s);
void cmd_put(struct cmd *cmd);
/* Its session is charged for the memory it holds now, until it is gone; or no longer. */
void cmd_charge(struct cmd *cmd);
void cmd_uncharge(struct cmd *cmd, struct session *s);
/*
 * There is a limit for a session; and when all of the reactor's have used up what there is for them, those that hold
 * more than their share have to wait.  So all together hold no more than twice that, and a command each.
 */
bool cmd_holds_too_much(const struct session *s);
/* Give back what the free list of a reactor holds. */
void cmd_pool_free(struct cmd *list);

#endif
