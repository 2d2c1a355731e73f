/* SPDX-License-Identifier: Apache-2.0 */
/*
 * atomic.c - COMPARE AND WRITE (SBC-4 5.3), ORWRITE (5.7), WRITE ATOMIC (5.47): alone with their blocks (CDB_ALONE)
 * while they run, so that what they read is still so when they write.  And how any command comes by its blocks.
 */
#include "config.h"
#include "scsi/cdb.h"
#include "scsi/job.h"
#include "scsi/lun.h"
#include "scsi/task.h"
#include "scsi/watch.h"
#include "scsi/wire.h"

static bool under_work(struct task *t)
{
	return G_UNLIKELY(lun_state(t->lun) & LUN_JOB) && job_refuses(t);
}

static void range_granted(struct range *r)
{
	struct task *t = container_of(r, struct task, range);

	if (task_back(t) && !under_work(t))
		t->op->run(t);
}

static bool leave_range(struct task *t)
{
	return range_leave(&t->range);
}

static bool take(struct task *t, uint64_t lba, uint64_t end, bool alone)
{
	t->range.granted = range_granted;
	/* A job sets its state, then waits for those at the medium: look after that, or it would not know of us. */
	if (range_take(&t->range, t->lun, t->reactor, lba, end, alone))
		return !under_work(t);
	t->in_query = true;
	t->leave = leave_range;
	watch_begin(t, t->lun, WATCH_LONG);
	return false;
}

bool task_take_range(struct task *t, uint64_t lba, uint64_t end)
{
	return take(t, lba, end, t->op->flags & CDB_ALONE);
}

bool task_take_all(struct task *t)
{
	return take(t, 0, UINT64_MAX, true);
}

static uint64_t offset_of(const struct task *t)
{
	return t->lba << t->lun->block_shift;
}

static void write_from(struct task *t, const uint8_t *data, uint32_t len)
{
	t->iov[0] = (struct iovec){ (void *)data, len };
	task_io(t, GOTGT_OP_WRITE, task_fua(t), offset_of(t), len);
	t->dio.io.iov = t->iov;
	t->dio.io.iovcnt = 1;
	task_submit(t, task_done);
}

/* Read len bytes into buf2, then next(). */
static void read_old(struct task *t, uint32_t len, void (*next)(struct task *t))
{
	if (!task_get_buf(t, &t->buf2, len))
		return;
	/* NOLINTNEXTLINE(analyzer-null-dereference): task_get_buf() has set it */
	t->iov[0] = (struct iovec){ t->buf2->data, len };
	task_io(t, GOTGT_OP_READ, 0, offset_of(t), len);
	t->dio.io.iov = t->iov;
	t->dio.io.iovcnt = 1;
	task_submit(t, next);
}

/* ---- COMPARE AND WRITE ---- */

/* Data-Out is what to compare with and then what to write, each of that many blocks, no more and no less. */
bool compare_and_write_check(struct task *t)
{
	t->xfer_len *= 2;
	if (t->edtl_out == t->xfer_len)
		return true;
	task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, t->op->len_at, -1);
	return false;
}

static void compare_old(struct task *t)
{
	uint32_t len = t->out_len / 2;
	size_t same = first_difference(t->buf2->data, t->out, len);

	if (same < len)
		task_fail_info(t, SENSE_MISCOMPARE, same);
	else
		write_from(t, t->out + len, len);
}

/* By the plugin, so that nobody else who writes to its storage comes between either. */
struct native {
	struct device_compare compare;
	struct task *task;
};
G_STATIC_ASSERT(sizeof(struct native) <= BUF_MIN);

static void natively_done(struct device_compare *c)
{
	struct task *t = container_of(c, struct native, compare)->task;
	enum gotgt_status status = c->status;
	uint64_t same = c->same;

	bufpool_put(reactor_pool(t->reactor), t->buf2);
	t->buf2 = NULL;
	if (!task_back(t))
		return;
	if (status == GOTGT_ERR_UNSUPPORTED) {
		read_old(t, t->out_len / 2, compare_old);
	} else if (status != GOTGT_OK) {
		task_fail_device(t, status);
	} else if (same < t->out_len / 2) {
		task_fail_info(t, SENSE_MISCOMPARE, same);
	} else if (task_fua(t)) {
		task_io(t, GOTGT_OP_FLUSH, 0, 0, 0);
		task_submit(t, task_done);
	} else {
		task_done(t);
	}
}

static void compare_natively(struct task *t)
{
	uint32_t len = t->out_len / 2;
	struct native *n;

	if (!task_get_buf(t, &t->buf2, sizeof *n))
		return;
	n = (struct native *)(void *)t->buf2->data;
	*n = (struct native){ .task = t, .compare = { .reactor = t->reactor, .offset = offset_of(t), .length = len,
						      .expected = t->out, .data = t->out + len, .done = natively_done } };
	t->in_query = true;
	watch_begin(t, t->lun, 1);
	device_compare(t->lun->dev, &n->compare);
}

void compare_and_write_run(struct task *t)
{
	if (!t->out_len)
		task_done(t);
	else if (lun_state(t->lun) & LUN_STUCK)
		task_fail(t, SENSE_BECOMING_READY);
	else if (t->lun->info->compares)
		compare_natively(t);
	else
		read_old(t, t->out_len / 2, compare_old);
}

/* ---- ORWRITE ---- */

static void or_old(struct task *t)
{
	uint32_t len = (uint32_t)t->dio.io.length;

	for (uint32_t i = 0; i < len; i++)
		t->buf2->data[i] |= t->out[i];
	write_from(t, t->buf2->data, len);
}

void orwrite_run(struct task *t)
{
	uint32_t len = t->out_len & ~(t->lun->block_size - 1);

	if (len)
		read_old(t, len, or_old);
	else
		task_done(t);
}

/* ---- WRITE ATOMIC ---- */

/* By the limits of VPD B0h. */
bool write_atomic_check(struct task *t)
{
	enum { BOUNDARY = 10 };
	uint32_t unit = lun_atomic_unit(t->lun), max = LUN_ATOMIC_MAX >> t->lun->block_shift;
	uint32_t boundary = get_be16(t->cdb + BOUNDARY);

	if (t->lba & (unit - 1)) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, t->op->lba_at, -1);
		return false;
	}
	if (boundary > max || boundary & (unit - 1)) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, BOUNDARY, -1);
		return false;
	}
	if (t->blocks > max || t->blocks & (unit - 1)) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, t->op->len_at, -1);
		return false;
	}
	return true;
}
