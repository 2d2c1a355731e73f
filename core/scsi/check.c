/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - what a command meets before its data moves, by the table of commands. */
#include "config.h"
#include "scsi/cdb.h"
#include "scsi/job.h"
#include "scsi/lun.h"
#include "scsi/task.h"
#include "scsi/wire.h"

/* Length and LBA by the table. */
static void decode(struct task *t)
{
	const struct cdb_op *op = t->op;
	const uint8_t *len = t->cdb + op->len_at, *lba = t->cdb + op->lba_at;
	uint32_t n = op->len_len == 2 ? get_be16(len) : op->len_len == 4 ? get_be32(len) : op->len_len ? len[0] : 0;

	if (op->flags & CDB_LBA)
		t->lba = op->lba_len == 4 ? get_be32(lba) : op->lba_len == 8 ? get_be64(lba) : get_be24(lba) & 0x1fffff;
	if (!n && op->flags & CDB_ZERO_IS_256)
		n = 256;
	if (op->unit == CDB_BYTES) {
		t->xfer_len = n;
	} else if (op->unit == CDB_BLOCKS || op->unit == CDB_RANGE) {
		t->blocks = n;
		t->xfer_len = op->unit == CDB_BLOCKS ? (uint64_t)n << t->lun->block_shift : 0;
	}
}

/* Unit attention, reservations and what else comes before a close look at the CDB; false: it has ended the task. */
static bool check_access(struct task *t, bool known_opcode)
{
	const struct cdb_op *op = t->op;
	unsigned bars;

	if (G_UNLIKELY(t->attr == TASK_ACA)) {	/* SAM-5 5.9.2: there is no auto contingent allegiance */
		task_fail(t, SENSE_INVALID_MESSAGE);
		return false;
	}
	if (!t->lun) {
		if (op && op->flags & (t->well_known ? CDB_WELL_KNOWN : CDB_ANY_LUN))
			return true;
		task_fail(t, t->well_known ? SENSE_INVALID_OPCODE : SENSE_LUN_NOT_SUPPORTED);
		return false;
	}
	t->nl = nexus_lun(t->nexus, t->lun->number);
	if (!t->nl) {
		task_status(t, STATUS_BUSY);
		return false;
	}
	if (op && op->flags & CDB_LOOKS && !(lun_state(t->lun) & LUN_STUCK))
		device_look(t->lun->dev);
	if (G_UNLIKELY(atomic_load_explicit(&t->nl->ua, memory_order_acquire)) && !(op && op->flags & CDB_UA_OK)) {
		enum sense_code code = ua_take(t->nl);

		if (code != SENSE_NONE) {
			task_fail(t, code);
			return false;
		}
	}
	if (G_UNLIKELY(port_group_state(t->nexus->group) > ALUA_NON_OPTIMIZED) && alua_refuses(t))
		return false;
	if (!op || !cdb_supported(op, t->lun)) {
		if (!op ? known_opcode : op->flags & CDB_SA)
			task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 1, 4);
		else
			task_fail(t, SENSE_INVALID_OPCODE);
		return false;
	}
	bars = atomic_load_explicit(&t->nl->bars, memory_order_acquire);
	if (G_UNLIKELY(bars) && pr_conflict(t, bars)) {
		task_status(t, STATUS_RESERVATION_CONFLICT);
		return false;
	}
	return !job_in_the_way(t);
}

static bool in_range(const struct task *t)
{
	uint64_t blocks = lun_blocks(t->lun);

	return t->lba <= blocks && t->blocks <= blocks - t->lba;
}

/* SBC-4 5: state and write protection, range, length. */
static bool check_medium(struct task *t)
{
	unsigned flags = t->op->flags, state = lun_state(t->lun);

	if (flags & CDB_MEDIUM && G_UNLIKELY(state & LUN_NOT_READY)) {
		task_fail(t, lun_not_ready(state));
		return false;
	}
	if (flags & CDB_WRITE && (G_UNLIKELY(state & LUN_PROTECTED) || nexus_protects(t->nexus, t->lun))) {
		task_fail(t, SENSE_WRITE_PROTECTED);
		return false;
	}
	if (flags & CDB_LBA && G_UNLIKELY(!in_range(t))) {
		device_look(t->lun->dev);	/* it may have grown */
		if (!in_range(t)) {
			task_fail(t, SENSE_LBA_OUT_OF_RANGE);
			return false;
		}
	}
	return true;
}

/*
 * SAM-5 5.4.3: the transport was told to move a write's data the other way, or to move some no way.  The command would
 * be carried out without its data and look as if all was well.  (A read without its data changes nothing and goes on:
 * the residual tells, as it does where no data is expected at all.)
 */
static bool wrong_way(const struct task *t)
{
	return t->op->dir == CDB_OUT && t->xfer_len && !t->edtl_out && (t->edtl_in || t->edtl_no_way);
}

/* The CDB's own bits, the medium, the data. */
static bool check_cdb(struct task *t)
{
	unsigned byte;
	int bit;

	if (t->cdb_len < t->op->len) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, t->cdb_len, -1);
		return false;
	}
	if (cdb_reserved_bit(t->op, t->cdb, &byte, &bit)) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, byte, bit);
		return false;
	}
	decode(t);
	if (t->lun && !check_medium(t))
		return false;
	if (t->op->check && !t->op->check(t))
		return false;
	if (t->op->unit != CDB_BYTES && t->xfer_len > LUN_TRANSFER_MAX) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, t->op->len_at, -1);
		return false;
	}
	if (G_UNLIKELY(wrong_way(t))) {
		task_fail(t, SENSE_INVALID_FIELD_IN_IU);
		return false;
	}
	return true;
}

bool task_check(struct task *t, bool known_opcode)
{
	return check_access(t, known_opcode) && check_cdb(t);
}
