/* SPDX-License-Identifier: Apache-2.0 */
/* provision.c - WRITE SAME (SBC-4 5.44, 5.45), UNMAP (5.32), GET LBA STATUS (5.4). */
#include "config.h"
#include <string.h>
#include "scsi/cdb.h"
#include "scsi/lun.h"
#include "scsi/task.h"
#include "scsi/watch.h"
#include "scsi/wire.h"

/* ---- WRITE SAME ---- */

enum { WS_ANCHOR = 0x10, WS_UNMAP = 0x08, WS_NDOB = 0x01, WS_ANCHOR_BIT = 4, WS_UNMAP_BIT = 3 };

static bool no_data_out(const struct task *t)
{
	return t->op->opcode == OP_WRITE_SAME_16 && t->cdb[1] & WS_NDOB;
}

bool write_same_check(struct task *t)
{
	if (t->cdb[1] & WS_UNMAP && !(lun_state(t->lun) & LUN_THIN)) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 1, WS_UNMAP_BIT);
		return false;
	}
	if (t->cdb[1] & WS_ANCHOR && (!(t->cdb[1] & WS_UNMAP) || !(lun_state(t->lun) & LUN_ANCHORS))) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 1, WS_ANCHOR_BIT);
		return false;
	}
	/* To the end of the medium, where WSNZ is 0 (VPD B0h); MAXIMUM WRITE SAME LENGTH holds all the same. */
	if (!t->blocks && !(lun_state(t->lun) & LUN_THIN)) {
		uint64_t rest = lun_blocks(t->lun) - t->lba;

		if (!rest) {
			task_fail(t, SENSE_LBA_OUT_OF_RANGE);
			return false;
		}
		t->blocks = (uint32_t)MIN(rest, UINT32_MAX);
	}
	if (!t->blocks || t->blocks > LUN_WRITE_SAME_MAX >> t->lun->block_shift) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, t->op->len_at, -1);
		return false;
	}
	if (no_data_out(t))
		return true;
	if (t->edtl_out != t->lun->block_size) {	/* the one block, nothing else */
		task_fail(t, SENSE_INVALID_FIELD_IN_IU);
		return false;
	}
	t->xfer_len = t->lun->block_size;
	return true;
}

static bool all_zero(const uint8_t *p, size_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

void write_same_run(struct task *t)
{
	uint64_t offset = t->lba << t->lun->block_shift, length = (uint64_t)t->blocks << t->lun->block_shift;
	uint32_t flags = task_fua(t);

	if (no_data_out(t) || all_zero(t->out, t->lun->block_size)) {
		/*
		 * Unmapped blocks read as zeroes (LBPRZ), so only these may be (SBC-4 4.7.3.4.4).  Zeroes that keep
		 * their space are anchored.
		 */
		bool unmap = t->cdb[1] & WS_UNMAP && !(t->cdb[1] & WS_ANCHOR);

		task_io(t, GOTGT_OP_ZERO, flags | (unmap ? GOTGT_IO_MAY_UNMAP : 0), offset, length);
	} else {
		task_io(t, DEVICE_OP_WRITE_SAME, flags, offset, length);
		t->dio.pattern = t->out;
		t->dio.pattern_len = t->lun->block_size;
	}
	task_submit(t, task_done);
}

/* ---- UNMAP ---- */

enum { UNMAP_HEADER = 8, UNMAP_DESCRIPTOR = 16, UNMAP_ANCHOR = 0x01, UNMAP_ANCHOR_BIT = 0 };

bool unmap_check(struct task *t)
{
	if (!(t->cdb[1] & UNMAP_ANCHOR) || lun_state(t->lun) & LUN_ANCHORS)
		return true;
	task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 1, UNMAP_ANCHOR_BIT);
	return false;
}

static unsigned unmap_count(const struct task *t)
{
	return get_be16(t->out + 2) / UNMAP_DESCRIPTOR;
}

static const uint8_t *unmap_descriptor(const struct task *t, unsigned i)
{
	return t->out + UNMAP_HEADER + (size_t)i * UNMAP_DESCRIPTOR;
}

static void unmap_next(struct task *t)
{
	while (t->step < unmap_count(t)) {
		const uint8_t *d = unmap_descriptor(t, t->step++);
		uint64_t lba = get_be64(d), blocks = get_be32(d + 8);

		if (!blocks)
			continue;
		task_io(t, t->cdb[1] & UNMAP_ANCHOR ? GOTGT_OP_ZERO : GOTGT_OP_UNMAP, 0, lba << t->lun->block_shift, blocks << t->lun->block_shift);
		task_submit(t, unmap_next);
		return;
	}
	if (!task_fua(t)) {
		task_done(t);
		return;
	}
	/* Without a write cache (WCE 0) nobody would flush: blocks that read as zeroes still do after a loss of power. */
	task_io(t, GOTGT_OP_FLUSH, 0, 0, 0);
	task_submit(t, task_done);
}

void unmap_run(struct task *t)
{
	uint64_t capacity = lun_blocks(t->lun), first = UINT64_MAX, end = 0;

	if (!t->xfer_len) {	/* SBC-4 5.32.1: not an error */
		task_done(t);
		return;
	}
	if (t->out_len < UNMAP_HEADER || get_be16(t->out + 2) > t->out_len - UNMAP_HEADER) {
		task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
		return;
	}
	if (unmap_count(t) > LUN_UNMAP_DESCRIPTORS_MAX) {
		task_fail_param(t, 2, -1);
		return;
	}
	for (unsigned i = 0; i < unmap_count(t); i++) {
		uint64_t lba = get_be64(unmap_descriptor(t, i)), blocks = get_be32(unmap_descriptor(t, i) + 8);

		if (lba > capacity || blocks > capacity - lba) {
			task_fail(t, SENSE_LBA_OUT_OF_RANGE);
			return;
		}
		if (blocks) {
			first = MIN(first, lba);
			end = MAX(end, lba + blocks);
		}
	}
	/* All of them and what is between; this comes here again when they are waited for. */
	if (first < end && t->range.state == RANGE_NONE && !task_take_range(t, first, end))
		return;
	unmap_next(t);
}

/* ---- GET LBA STATUS ---- */

/* REPORT TYPE (SBC-4 5.5.1): which descriptors are wanted. */
enum report_type { REPORT_ALL = 0x00, REPORT_NOT_MAPPED = 0x01, REPORT_MAPPED = 0x02, REPORT_DEALLOCATED = 0x03,
		   REPORT_ANCHORED = 0x04, REPORT_ERRORS = 0x10 };
enum { STATUS_RTP = 0x01, DONE_ROOM = 1 << 1, DONE_CAPACITY = 3 << 1 };	/* COMPLETION CONDITION */
enum { STATUS_HEADER = 8, STATUS_DESCRIPTOR = 16, STATUS_MAX = 64, LBA_MAPPED = 0, LBA_DEALLOCATED = 1,
       LBA_ANCHORED = 2 };

struct lba_query {
	struct device_query query;
	struct task *task;
	uint32_t max, count;		/* descriptors: room, used */
	uint8_t report;			/* enum report_type */
	bool full;			/* one more has had no room */
	uint64_t lba;			/* after what has been said, or passed over */
	uint64_t end;			/* where the query ends */
	uint8_t *reply;
	struct gotgt_extent extents[STATUS_MAX];
};
G_STATIC_ASSERT(sizeof(struct lba_query) <= BUF_MIN);

/* By REPORT TYPE, the provisioning statuses it selects. */
static bool wanted(const struct lba_query *lq, uint8_t state)
{
	enum { MAPPED = 1 << LBA_MAPPED, DEALLOCATED = 1 << LBA_DEALLOCATED, ANCHORED = 1 << LBA_ANCHORED };
	static const uint8_t selected[] = {
		[REPORT_ALL] = MAPPED | DEALLOCATED | ANCHORED, [REPORT_NOT_MAPPED] = DEALLOCATED | ANCHORED,
		[REPORT_MAPPED] = MAPPED, [REPORT_DEALLOCATED] = DEALLOCATED, [REPORT_ANCHORED] = ANCHORED,
		[REPORT_ERRORS] = 0,	/* none is expected */
	};

	return selected[lq->report] & 1u << state;
}

/* Say that blocks up to `end` are in a state. */
static void add_status(struct lba_query *lq, uint64_t end, uint8_t state)
{
	uint8_t *d = lq->reply + STATUS_HEADER + (size_t)lq->count * STATUS_DESCRIPTOR, *last = d - STATUS_DESCRIPTOR;
	uint64_t blocks = end - lq->lba;

	if (end <= lq->lba || lq->full)
		return;
	if (!wanted(lq, state)) {
		lq->lba = end;
		return;
	}
	if (lq->count && last[12] == state && get_be64(last) + get_be32(last + 8) == lq->lba &&
	    get_be32(last + 8) + blocks <= UINT32_MAX) {
		d = last;
		blocks += get_be32(d + 8);
	} else if (lq->count == lq->max) {
		lq->full = true;
		return;
	} else {
		put_be64(d, lq->lba);
		d[12] = state;
		lq->count++;
	}
	put_be32(d + 8, (uint32_t)blocks);
	lq->lba = end;
}

static void send_status(struct lba_query *lq)
{
	uint32_t len = STATUS_HEADER + lq->count * STATUS_DESCRIPTOR;

	put_be32(lq->reply, len - 4);
	lq->reply[7] = STATUS_RTP | (lq->lba == lun_blocks(lq->task->lun) ? DONE_CAPACITY :
					 lq->count == lq->max ? DONE_ROOM : 0);
	task_done_data(lq->task, lq->reply, len);
}

/* A block that is of several kinds is mapped. */
static void add_extents(struct lba_query *lq)
{
	const struct device_query *q = &lq->query;
	const uint8_t zero = lun_state(lq->task->lun) & LUN_ANCHORS ? LBA_ANCHORED : LBA_MAPPED;
	const uint8_t status[] = {
		[GOTGT_EXTENT_ALLOCATED] = LBA_MAPPED, [GOTGT_EXTENT_HOLE] = LBA_DEALLOCATED, [GOTGT_EXTENT_ZERO] = zero,
	};
	uint8_t shift = lq->task->lun->block_shift;
	uint64_t at = q->offset, limit = (q->offset + q->length) >> shift;

	for (uint32_t i = 0; i < q->count; i++) {
		uint64_t from = (at + (UINT64_C(1) << shift) - 1) >> shift, to;

		at += q->extents[i].length;
		to = MIN(at >> shift, limit);
		if (status[q->extents[i].state] != LBA_MAPPED && to > from) {
			add_status(lq, from, LBA_MAPPED);
			add_status(lq, to, status[q->extents[i].state]);
		}
	}
	/* What is left of the last extent; it goes on, block by block if need be (SBC-4 5.5.2: never nothing). */
	add_status(lq, CLAMP(at >> shift, (q->offset >> shift) + 1, limit), LBA_MAPPED);
}

static void ask(struct lba_query *lq);

static void query_done(struct device_query *q)
{
	struct lba_query *lq = container_of(q, struct lba_query, query);
	struct task *t = lq->task;

	if (!task_back(t))
		return;
	if (q->status == GOTGT_ERR_UNSUPPORTED) {
		add_status(lq, (q->offset + q->length) >> t->lun->block_shift, LBA_MAPPED);
	} else if (q->status != GOTGT_OK) {
		task_fail_device(t, q->status);
		return;
	} else {
		add_extents(lq);
	}
	/* None of those wanted so far: go on looking. */
	if (!lq->count && !lq->full && lq->lba < lq->end)
		ask(lq);
	else
		send_status(lq);
}

static void ask(struct lba_query *lq)
{
	struct task *t = lq->task;

	lq->query = (struct device_query){
		.reactor = t->reactor, .offset = lq->lba << t->lun->block_shift,
		.length = (lq->end - lq->lba) << t->lun->block_shift,
		.extents = lq->extents, .max = lq->report ? STATUS_MAX : lq->max, .done = query_done,
	};
	t->in_query = true;
	watch_begin(t, t->lun, WATCH_LONG);
	device_query(t->lun->dev, &lq->query);
}

/* False: the task has ended. */
bool get_lba_status_check(struct task *t)
{
	uint8_t report = t->cdb[14];

	if (report <= REPORT_ANCHORED || report == REPORT_ERRORS)
		return true;
	task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 14, -1);
	return false;
}

void get_lba_status_run(struct task *t)
{
	uint64_t left = lun_blocks(t->lun) - t->lba, room = MIN(t->xfer_len, t->edtl_in);
	struct lba_query *lq;

	t->dio.io.op = GOTGT_OP_READ;
	if (!left) {
		task_fail(t, SENSE_LBA_OUT_OF_RANGE);
		return;
	}
	if (!task_get_buf(t, &t->buf2, sizeof *lq))
		return;
	lq = (struct lba_query *)(void *)t->buf2->data;
	*lq = (struct lba_query){ .task = t, .lba = t->lba, .report = t->cdb[14] };
	lq->max = (uint32_t)CLAMP((room - MIN(room, STATUS_HEADER)) / STATUS_DESCRIPTOR, 1, STATUS_MAX);
	lq->reply = task_reply(t, STATUS_HEADER + lq->max * STATUS_DESCRIPTOR);
	if (!lq->reply)
		return;
	left = MIN(left, UINT32_MAX);
	lq->end = t->lba + left;
	if (!(lun_state(t->lun) & LUN_THIN)) {	/* fully provisioned */
		add_status(lq, t->lba + left, LBA_MAPPED);
		send_status(lq);
		return;
	}
	ask(lq);
}
