/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c - the data and the status of a command, as PDUs. */
#include "config.h"
#include "iscsi/answer.h"
#include "iscsi/cmd.h"

/* Byte 1 of SCSI Response and Data-In (RFC 7143 11.4.1, 11.7.1). */
enum { BIDI_UNDERFLOW_BIT = 0x08, OVERFLOW_BIT = 0x04, UNDERFLOW_BIT = 0x02, STATUS_BIT = 0x01 };

struct residual { uint8_t flag; uint32_t count; };

/*
 * 11.4.5.1: against what the CDB asked for when it went well, against what was moved when it
 * did not.
 */
static struct residual residual_of(const struct cmd *cmd)
{
	const struct task *t = &cmd->task;
	bool good = t->status == STATUS_GOOD || t->status == STATUS_CONDITION_MET;
	uint64_t moved = good ? t->xfer_len : cmd->write ? MIN(t->xfer_len, cmd->got) : t->in_len;

	if (moved > cmd->edtl)
		return (struct residual){ OVERFLOW_BIT, (uint32_t)MIN(moved - cmd->edtl, UINT32_MAX) };
	if (moved < cmd->edtl)
		return (struct residual){ UNDERFLOW_BIT, (uint32_t)(cmd->edtl - moved) };
	return (struct residual){ 0, 0 };
}

static void put_status(struct cmd *cmd, uint8_t bhs[BHS_LEN])
{
	struct residual r = residual_of(cmd);

	bhs[1] |= r.flag;
	bhs[3] = cmd->task.status;
	put32(bhs + 44, r.count);
}

/* 11.4.7.2 */
static uint32_t put_sense(struct cmd *cmd)
{
	const struct task *t = &cmd->task;

	put16(cmd->sense, t->sense_len);
	memcpy(cmd->sense + 2, t->sense, t->sense_len);
	return 2u + t->sense_len;
}

static void send_response(struct cmd *cmd, uint32_t data_sn)
{
	uint8_t bhs[BHS_LEN] = { OP_SCSI_RESPONSE, FINAL_BIT };

	put32(bhs + 16, cmd->itt);
	put_status(cmd, bhs);
	conn_stamp(cmd->conn, bhs, true);
	put32(bhs + 36, data_sn + cmd->r2t_sn);	/* ExpDataSN: 11.4.8 */
	if (cmd->bidi_in) {			/* such a command is refused and reads nothing: 11.4.5 */
		bhs[1] |= BIDI_UNDERFLOW_BIT;
		put32(bhs + 40, cmd->bidi_in);
	}
	if (cmd->task.sense_len)
		tx_copy(cmd->conn, bhs, cmd->sense, put_sense(cmd), cmd);
	else
		tx_pdu(cmd->conn, bhs, NULL, 0, cmd);
}

uint32_t answer_change(struct cmd *cmd, uint8_t bhs[BHS_LEN])
{
	uint32_t len = put_sense(cmd), padded = pad4(len);

	memset(cmd->sense + len, 0, padded - len);
	bhs[1] = FINAL_BIT;
	put24(bhs + 5, len);
	put_status(cmd, bhs);
	return padded;
}

/*
 * Data-In PDUs no longer than the initiator takes, the F bit at the end of each MaxBurstLength
 * (11.7.1); the last one carries the status if there is no sense data to go with it.  Lent memory that
 * may turn out to be gone when most of it has been sent has its status in a PDU of its own, which tx.c can change.
 */
void answer_send(struct cmd *cmd)
{
	struct conn *c = cmd->conn;
	const struct task *t = &cmd->task;
	const struct params *p = &c->params;
	struct tx_cursor at = { t->iov, 0 };
	uint32_t data_sn = 0, burst_left = p->max_burst;
	bool collapse = !t->sense_len && !task_lent_may_go(t);

	if (!t->in_len || !t->edtl_in) {
		send_response(cmd, 0);
		return;
	}
	for (uint32_t offset = 0; offset < t->in_len; data_sn++) {
		uint32_t len = MIN(MIN(p->peer_max_recv_dsl, burst_left), t->in_len - offset);
		bool last = offset + len == t->in_len;
		uint8_t bhs[BHS_LEN] = { OP_DATA_IN };

		burst_left -= len;
		if (last || !burst_left) {
			bhs[1] = FINAL_BIT;
			burst_left = p->max_burst;
		}
		put32(bhs + 16, cmd->itt);
		put32(bhs + 20, TAG_NONE);
		put32(bhs + 36, data_sn);
		put32(bhs + 40, offset);
		if (last && collapse) {
			bhs[1] |= STATUS_BIT;
			put_status(cmd, bhs);
			conn_stamp(c, bhs, true);
		} else {
			conn_stamp(c, bhs, false);
			put32(bhs + 24, 0);	/* StatSN: only with status */
		}
		tx_pdu(c, bhs, &at, len, last && collapse ? cmd : NULL);
		if (c->state == CONN_CLOSING && !(last && collapse)) {
			cmd_sent(cmd);		/* memory ran out: the connection is gone */
			return;
		}
		offset += len;
	}
	if (!collapse)
		send_response(cmd, data_sn);
}
