/* SPDX-License-Identifier: Apache-2.0 */
/* cmd.c - SCSI Command and Data-Out: from PDUs to a task with its data. */
#include "config.h"
#include "iscsi/ahs.h"
#include "iscsi/answer.h"
#include "iscsi/cmd.h"
#include "iscsi/count.h"
#include "iscsi/rx.h"

/* Bits of byte 1 of a SCSI Command (RFC 7143 11.3.1). */
enum { READ_BIT = 0x40, WRITE_BIT = 0x20, ATTR_MASK = 0x07 };

static struct cmd **bucket(struct session *s, uint32_t itt)
{
	return &s->by_itt[(itt ^ itt >> 6 ^ itt >> 16) % CMD_BUCKETS];
}

struct cmd *cmd_find(struct session *s, uint32_t itt)
{
	struct cmd *cmd = *bucket(s, itt);

	while (cmd && cmd->itt != itt)
		cmd = cmd->next;
	return cmd;
}

bool cmd_waits_for_data(const struct conn *c)
{
	for (unsigned i = 0; i < CMD_BUCKETS; i++)
		for (const struct cmd *cmd = c->session->by_itt[i]; cmd; cmd = cmd->next)
			if (cmd->conn == c && cmd->state == CMD_COLLECTING)
				return true;
	return false;
}

void cmd_sent(struct cmd *cmd)
{
	cmd_put(cmd);
}

static void unhash(struct cmd *cmd)
{
	struct cmd **p = bucket(cmd->session, cmd->itt);

	while (*p != cmd)
		p = &(*p)->next;
	*p = cmd->next;
}

/* ---- the end of a command ---- */

/* No longer received into lent memory. */
static void end_lent(struct cmd *cmd)
{
	if (cmd->lent_open && cmd->conn)
		cmd->conn->lent_open--;
	cmd->lent_open = false;
}

/* Ended, and none of its data is still on the way: answer, or vanish. */
static void maybe_answer(struct cmd *cmd)
{
	struct session *s = cmd->session;

	if (!cmd->ended || !cmd->begun)
		return;
	end_lent(cmd);
	if (cmd->unsolicited && !cmd->aborting) {
		cmd->state = CMD_ENDED;
		return;
	}
	unhash(cmd);
	if (cmd->numbered)
		s->open--;
	if (!cmd->conn || (cmd->aborting && !cmd->tell)) {
		cmd_put(cmd);
		return;
	}
	cmd->state = CMD_ANSWERED;
	if (cmd->aborting) {
		cmd->task.status = STATUS_TASK_ABORTED;
		cmd->task.sense_len = 0;
		cmd->task.in_len = 0;
	}
	answer_send(cmd);
	if (cmd->aborting)
		session_cmd_gone(s);
}

static void task_ended(struct task *t)
{
	struct cmd *cmd = container_of(t, struct cmd, task);

	if (G_UNLIKELY(!cmd->session)) {
		task_release(t);
		free(cmd);
		return;
	}
	cmd->ended = true;
	maybe_answer(cmd);
}

/* The device may keep the task, and its memory, for ever: another cmd takes its place in the session, and ends. */
static void task_given_up(struct task *t)
{
	struct cmd *old = container_of(t, struct cmd, task), *cmd, **at;
	struct session *s = old->session;

	cmd = cmd_get(s);
	memcpy(cmd, old, offsetof(struct cmd, task));
	for (at = bucket(s, old->itt); *at != old; )
		at = &(*at)->next;
	*at = cmd;
	cmd->task.status = t->status;
	cmd->task.sense_len = t->sense_len;
	memcpy(cmd->task.sense, t->sense, t->sense_len);
	cmd->task.xfer_len = t->xfer_len;
	cmd->task.reactor = t->reactor;
	count_given_up(cmd, t);
	cmd->task.in_len = cmd->task.iovcnt = 0;
	cmd->task.lent = false;
	if (cmd->conn && cmd->conn->into.cmd == old) {
		cmd->conn->into.cmd = cmd;
		cmd->conn->into.discard = true;
	}
	cmd_uncharge(old, s);
	cmd->buffered = 0;
	old->session = NULL;
	old->conn = NULL;
	atomic_store_explicit(&s->n_cmds, s->n_cmds - 1, memory_order_relaxed);
	cmd->ended = true;
	maybe_answer(cmd);
}

static const struct task_ops ops = { .done = task_ended, .given_up = task_given_up };

void cmd_abort(struct cmd *cmd, bool tell)
{
	if (cmd->aborting)
		return;
	cmd->aborting = true;
	cmd->tell = tell;
	if (cmd->conn && cmd->conn->into.cmd == cmd) {
		cmd->conn->into.cmd = NULL;
		cmd->conn->into.discard = true;
	}
	end_lent(cmd);
	if (cmd->ended)
		maybe_answer(cmd);
	else
		task_abort(&cmd->task);
}

/* ---- data out ---- */

struct r2t { uint32_t ttt, offset, len; };

static struct r2t r2t_of(const struct cmd *cmd, uint32_t r2t_sn)
{
	uint32_t burst = cmd->conn->params.max_burst, offset = cmd->r2t_from + r2t_sn * burst;

	return (struct r2t){ cmd->r2t_ttt + r2t_sn, offset, MIN(burst, cmd->task.out_len - offset) };
}

static bool r2t_out(const struct cmd *cmd)
{
	return cmd->r2t_sn != cmd->r2t_done;
}

static void send_r2t(struct cmd *cmd)
{
	struct r2t r = r2t_of(cmd, cmd->r2t_sn);
	struct conn *c = cmd->conn;
	uint8_t bhs[BHS_LEN] = { OP_R2T, FINAL_BIT };

	memcpy(bhs + 8, cmd->task.lun_addr, 8);
	put32(bhs + 16, cmd->itt);
	put32(bhs + 20, r.ttt);
	conn_stamp(c, bhs, false);
	put32(bhs + 36, cmd->r2t_sn++);
	put32(bhs + 40, r.offset);
	put32(bhs + 44, r.len);
	count_r2t(cmd);
	tx_pdu(c, bhs, NULL, 0, NULL);
}

/* Tags for all R2Ts of the command, none of them the reserved one. */
static void start_r2ts(struct cmd *cmd)
{
	uint32_t most = (cmd->task.out_len - cmd->got) / cmd->conn->params.max_burst + 1;

	cmd->r2t_from = cmd->got;
	if (cmd->session->next_ttt > TAG_NONE - most)
		cmd->session->next_ttt = 0;
	cmd->r2t_ttt = cmd->session->next_ttt;
	cmd->session->next_ttt += most;
}

/* RFC 7143 11.8: ask for what has not been asked for, as far as MaxOutstandingR2T allows. */
static void solicit(struct cmd *cmd)
{
	const struct params *p = &cmd->conn->params;
	uint32_t left, all;

	if (!cmd->r2t_sn)
		start_r2ts(cmd);
	left = cmd->task.out_len - cmd->r2t_from;
	all = left / p->max_burst + (left % p->max_burst != 0);
	while (cmd->r2t_sn < all && cmd->r2t_sn - cmd->r2t_done < p->max_outstanding_r2t)
		send_r2t(cmd);
}

/* Data out is complete, or the next R2T is due. */
static void data_progress(struct cmd *cmd)
{
	if (cmd->ended) {
		maybe_answer(cmd);
	} else if (cmd->unsolicited) {
		return;
	} else if (!r2t_out(cmd) && (cmd->got >= cmd->task.out_len || cmd->sense_override)) {
		cmd->state = CMD_RUNNING;
		end_lent(cmd);
		if (cmd->sense_override)
			task_refuse(&cmd->task, cmd->override ? STATUS_CHECK_CONDITION : STATUS_BUSY, cmd->override);
		else
			task_execute(&cmd->task);
	} else if (!cmd->sense_override) {
		solicit(cmd);
	}
}

/* len bytes at offset have arrived, of a PDU with this F bit and DataSN already checked. */
static void data_arrived(struct cmd *cmd, uint32_t len, bool final)
{
	if (cmd->unsolicited || !r2t_out(cmd)) {
		if (final)
			cmd->unsolicited = false;
	} else if (final) {
		cmd->r2t_done++;
		cmd->seq_got = cmd->seq_sn = 0;
	} else {
		cmd->seq_got += len;
	}
	cmd->got += len;
	cmd->conn->data_ms = cmd->conn->heard_ms;
	data_progress(cmd);
}

/* SENSE_NONE: BUSY. */
static void fail_later(struct cmd *cmd, enum sense_code code)
{
	if (cmd->sense_override)
		return;
	cmd->sense_override = true;
	cmd->override = code;
}

/* Copy what lies in the receive buffer to where the command wants it; what is over out_len is dropped. */
static void copy_in(struct cmd *cmd, uint32_t offset, const uint8_t *data, uint32_t len)
{
	const struct task *t = &cmd->task;

	if (cmd->ended || offset >= t->out_len)
		return;
	len = MIN(len, t->out_len - offset);
	memcpy((uint8_t *)t->iov[0].iov_base + offset, data, len);
}

/* Receive the rest of p's data into place, from `done` bytes on; without a command it is thrown away. */
static void receive_into(struct conn *c, struct cmd *cmd, const struct pdu *p, uint32_t offset, uint32_t done)
{
	c->into.cmd = cmd;
	c->into.discard = !cmd || cmd->ended || cmd->sense_override;
	c->into.active = true;
	c->into.offset = offset + done;
	c->into.left = p->data_len - done;
	c->into.start = offset;
	c->into.len = p->data_len;
	c->into.tail_len = pad4(p->data_len) - p->data_len + (c->data_digest ? DIGEST_LEN : 0);
	c->into.tail_got = 0;
	memcpy(c->into.bhs, p->bhs, BHS_LEN);
}

static void swallow(struct conn *c, const struct pdu *p, uint32_t avail)
{
	if (avail < p->data_len)
		receive_into(c, NULL, p, 0, avail);
}

uint32_t cmd_into_iov(struct conn *c, struct iovec *iov, uint32_t max)
{
	const struct task *t = &c->into.cmd->task;
	uint32_t left = c->into.offset < t->out_len ? MIN(c->into.left, t->out_len - c->into.offset) : 0;
	size_t skip = c->into.offset;
	uint32_t n = 0;

	for (const struct iovec *v = t->iov; left && n < max; v++) {
		size_t take;

		if (skip >= v->iov_len) {
			skip -= v->iov_len;
			continue;
		}
		take = MIN(left, v->iov_len - skip);
		iov[n++] = (struct iovec){ (uint8_t *)v->iov_base + skip, take };
		left -= (uint32_t)take;
		skip = 0;
	}
	return n;
}

/* A full file system, or a file that was cut?  When it comes again nothing is lent, and the device says which. */
void cmd_into_fault(struct conn *c)
{
	struct cmd *cmd = c->into.cmd;

	c->into.discard = true;
	fail_later(cmd, SENSE_NONE);
	task_lent_fault(&cmd->task);
}

/* A data segment that is all in the receive buffer, or the part of a large one that is. */
static void take(struct conn *c, struct cmd *cmd, const struct pdu *p, uint32_t offset, uint32_t avail, bool digest_bad,
		 bool final)
{
	if (digest_bad)
		fail_later(cmd, SENSE_PROTOCOL_CRC);
	else if (!cmd->sense_override && !cmd->task.lent)
		copy_in(cmd, offset, p->data, avail);
	else if (avail)
		fail_later(cmd, SENSE_INTERNAL_FAILURE);	/* lent memory is never copied to: see rx.c */
	if (avail < p->data_len)
		receive_into(c, cmd, p, offset, avail);
	else
		data_arrived(cmd, p->data_len, final);
}

struct verdict cmd_into_done(struct conn *c, bool digest_bad)
{
	struct cmd *cmd = c->into.cmd;
	uint32_t len = c->into.len;
	bool final = c->into.bhs[1] & FINAL_BIT;

	c->into.active = false;
	c->into.cmd = NULL;
	if (!cmd)
		return VERDICT_OK;
	if (digest_bad)
		fail_later(cmd, SENSE_PROTOCOL_CRC);
	data_arrived(cmd, len, final);
	return digest_bad ? VERDICT_REJECT(REJECT_DATA_DIGEST, "data digest error") : VERDICT_OK;
}

/* ---- SCSI Command ---- */

/* More of a CDB than any command here has is not looked at. */
static void extend_cdb(struct cmd *cmd, const struct ahs *a)
{
	struct task *t = &cmd->task;
	uint32_t len = MIN(a->cdb_len, TASK_CDB_MAX - 16);

	if (len)
		memcpy(t->cdb + 16, a->cdb, len);
	t->cdb_len = (uint16_t)(16 + len);
	cmd->bidi_in = a->bidi_in;
}

static void fill_task(struct cmd *cmd, struct conn *c, const struct pdu *p)
{
	struct task *t = &cmd->task;
	uint8_t flags = p->bhs[1];

	t->ops = &ops;
	t->nexus = cmd->session->nexus;
	t->reactor = c->reactor;
	memcpy(t->lun_addr, p->bhs + 8, 8);
	memcpy(t->cdb, p->bhs + 32, 16);
	t->cdb_len = 16;
	/* 11.3.1.1: untagged is simple to us. */
	t->attr = (flags & ATTR_MASK) == 2 ? TASK_ORDERED : (flags & ATTR_MASK) == 3 ? TASK_HEAD_OF_QUEUE :
		  (flags & ATTR_MASK) == 4 ? TASK_ACA : TASK_SIMPLE;
	t->no_lend = c->data_digest;
	t->edtl_out = flags & WRITE_BIT ? cmd->edtl : 0;
	t->edtl_in = flags & READ_BIT ? cmd->edtl : 0;
	t->edtl_no_way = flags & (READ_BIT | WRITE_BIT) ? 0 : cmd->edtl;
}

/* What is wrong with a command's flags and immediate data, or NULL. */
static const char *command_wrong(const struct conn *c, const struct pdu *p)
{
	uint8_t flags = p->bhs[1];
	uint32_t edtl = get32(p->bhs + 20);

	if (!(flags & WRITE_BIT) && (p->data_len || !(flags & FINAL_BIT)))
		return "data with a command that does not write";
	if (p->data_len > edtl)
		return "immediate data beyond the expected data transfer length";
	if (p->data_len > c->params.first_burst)
		return "immediate data beyond FirstBurstLength";
	return NULL;
}

/* All of the data lies in the receive buffer: no copy if the device can take it at once. */
static bool runs_from_buffer(const struct cmd *cmd, const struct pdu *p, uint32_t avail)
{
	return !cmd->unsolicited && avail == p->data_len && avail >= cmd->task.out_len && !cmd->sense_override;
}

static void begin_write(struct conn *c, struct cmd *cmd, const struct pdu *p, uint32_t avail)
{
	if (runs_from_buffer(cmd, p, avail)) {
		cmd->state = CMD_RUNNING;
		cmd->got = p->data_len;
		task_execute_from(&cmd->task, p->data);
		return;
	}
	/* Lent memory is received into by the kernel alone: not once bytes for it are in our buffer. */
	cmd->begun = false;
	if (task_place(&cmd->task, !avail && !c->data_digest && rx_is_empty(c)) && cmd->task.lent) {
		cmd->lent_open = true;
		c->lent_open++;
	}
	cmd->begun = true;
	cmd_charge(cmd);
	if (cmd->ended) {
		swallow(c, p, avail);
		maybe_answer(cmd);
		return;
	}
	take(c, cmd, p, 0, avail, false, !cmd->unsolicited);
}

/* What a command meets before it is one. */
static struct verdict refuse_command(struct conn *c, const struct pdu *p, struct ahs *a)
{
	const struct session *s = c->session;
	const char *wrong;

	if (cmd_find(c->session, get32(p->bhs + 16)))
		return VERDICT_REJECT(REJECT_IN_PROGRESS, "initiator task tag in use");
	/* 11.17.1: the window does not limit immediate commands. */
	if (pdu_immediate(p) && s->n_cmds >= 2 * s->depth)
		return VERDICT_REJECT(REJECT_IMMEDIATE, "too many immediate commands");
	if (c->logout_due)	/* 11.9.1 */
		return VERDICT_REJECT(REJECT_WAITING_FOR_LOGOUT, "it was asked to log out");
	if (!p->ahs_len)
		return VERDICT_OK;
	wrong = ahs_parse(p, a);
	return wrong ? VERDICT_REJECT(REJECT_INVALID_FIELD, wrong) : VERDICT_OK;
}

static enum task_begun begin_task(struct cmd *cmd, const struct pdu *p)
{
	struct task *t = &cmd->task;

	if ((p->bhs[1] & READ_BIT) && cmd->write) {
		t->edtl_in = t->edtl_out = 0;	/* bidirectional: no such command here */
		task_refuse(t, STATUS_CHECK_CONDITION, SENSE_INVALID_FIELD_IN_CDB);
		return TASK_GOING;
	}
	if (cmd_holds_too_much(cmd->session)) {
		task_refuse(t, STATUS_TASK_SET_FULL, SENSE_NONE);
		return TASK_GOING;
	}
	return task_begin(t);
}

/* One with a wrong digest does not come here (pdu.c). */
struct verdict cmd_on_command(struct conn *c, const struct pdu *p, uint32_t avail, bool digest_bad)
{
	struct session *s = c->session;
	uint32_t itt = get32(p->bhs + 16);
	const char *wrong = command_wrong(c, p);
	struct verdict v;
	struct ahs ahs;
	struct cmd *cmd;
	struct cmd **chain;
	bool wants;

	if (wrong)
		return VERDICT_DROP(wrong);
	if (!s->nexus)
		return VERDICT_DROP("SCSI command in a discovery session");
	if (itt == TAG_NONE)
		return VERDICT_DROP("reserved initiator task tag");
	v = refuse_command(c, p, &ahs);
	if (v.act != PDU_OK) {
		swallow(c, p, avail);
		return v;
	}
	cmd = cmd_get(s);
	cmd->conn = c;
	cmd->allegiance = c->allegiance;
	cmd->itt = itt;
	cmd->edtl = get32(p->bhs + 20);
	cmd->numbered = !pdu_immediate(p);
	cmd->cmd_sn = get32(p->bhs + 24);
	cmd->write = p->bhs[1] & WRITE_BIT;
	cmd->unsolicited = cmd->write && !(p->bhs[1] & FINAL_BIT);
	if (cmd->numbered)
		s->open++;
	chain = bucket(s, itt);
	cmd->next = *chain;
	*chain = cmd;
	fill_task(cmd, c, p);
	if (p->ahs_len)
		extend_cdb(cmd, &ahs);
	/* 11.4.7.2: both are found before the command runs, answered once its data has passed. */
	if ((cmd->unsolicited && c->params.initial_r2t) || (p->data_len && !c->params.immediate_data))
		fail_later(cmd, SENSE_UNEXPECTED_UNSOLICITED_DATA);

	cmd->state = CMD_RUNNING;
	wants = begin_task(cmd, p) == TASK_WANTS_DATA;
	count_begin(cmd);
	cmd->begun = true;
	if (wants) {
		cmd->state = CMD_COLLECTING;
		c->data_ms = c->heard_ms;
		begin_write(c, cmd, p, avail);
		return VERDICT_OK;
	}
	cmd_charge(cmd);
	swallow(c, p, avail);
	maybe_answer(cmd);
	return VERDICT_OK;
}

/* ---- Data-Out ---- */

/* The sequence a Data-Out belongs to goes on at this offset and DataSN, up to this end. */
struct sequence { uint32_t offset, data_sn, end; };

static bool find_sequence(const struct cmd *cmd, uint32_t ttt, struct sequence *q)
{
	struct r2t r;

	if (ttt == TAG_NONE) {
		*q = (struct sequence){ cmd->got, cmd->unsol_sn, MIN(cmd->edtl, cmd->conn->params.first_burst) };
		return cmd->unsolicited;
	}
	if (!r2t_out(cmd))
		return false;
	r = r2t_of(cmd, cmd->r2t_done);
	*q = (struct sequence){ r.offset + cmd->seq_got, cmd->seq_sn, r.offset + r.len };
	return r.ttt == ttt;
}

struct verdict cmd_on_data_out(struct conn *c, const struct pdu *p, uint32_t avail, bool digest_bad)
{
	uint32_t ttt = get32(p->bhs + 20), offset = get32(p->bhs + 40);
	bool final = p->bhs[1] & FINAL_BIT;
	struct cmd *cmd = c->session->nexus ? cmd_find(c->session, get32(p->bhs + 16)) : NULL;
	struct sequence q;

	if (!cmd || cmd->aborting || cmd->conn != c) {
		/* Of a command that was aborted, or answered, meanwhile: 11.7 lets it pass. */
		swallow(c, p, avail);
		return !cmd || cmd->aborting ? VERDICT_OK :	/* 4.2.5.1: connection allegiance */
		       VERDICT_REJECT(REJECT_PROTOCOL_ERROR, "Data-Out on another connection than its command's");
	}
	if (p->ahs_len)
		return VERDICT_DROP("Data-Out with an additional header");
	if (!find_sequence(cmd, ttt, &q))
		return VERDICT_DROP("Data-Out that nobody asked for");
	if (p->data_len > q.end - q.offset)
		return VERDICT_DROP("Data-Out beyond what was asked for");
	if (!final && ttt != TAG_NONE && p->data_len == q.end - q.offset)
		return VERDICT_DROP("Data-Out sequence without a final PDU");
	/* 7.9: as if what is missing had failed its digest; the command ends when its data has passed. */
	if (offset != q.offset || get32(p->bhs + 36) != q.data_sn ||
	    (final && ttt != TAG_NONE && p->data_len != q.end - q.offset))
		fail_later(cmd, SENSE_PROTOCOL_CRC);
	if (ttt == TAG_NONE)
		cmd->unsol_sn++;
	else
		cmd->seq_sn++;
	take(c, cmd, p, offset, avail, digest_bad, final);
	return digest_bad ? VERDICT_REJECT(REJECT_DATA_DIGEST, "data digest error") : VERDICT_OK;
}
