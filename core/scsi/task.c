/* SPDX-License-Identifier: Apache-2.0 */
/* task.c - the life of a command: checked by the table, given its data, done by its handler, ended once. */
#include "config.h"
#include <string.h>
#include "scsi/cdb.h"
#include "scsi/job.h"
#include "scsi/lun.h"
#include "scsi/task.h"
#include "scsi/watch.h"
#include "scsi/wire.h"

G_STATIC_ASSERT(LUN_TRANSFER_MAX <= BUF_MAX);	/* what one command moves fits one buffer */

/* A run of steps on the stack: task_submit() called from within a step asks the loop below for another turn. */
struct task_loop {
	bool submitting;	/* device_submit() has not returned */
	bool completed;		/* done() came before it did */
	bool again;		/* a step has filled dio anew */
};

#define STEPS 2u	/* at once, of a command in many: then others have their turn */

/* ---- ending ---- */

void task_finish(struct task *t)
{
	struct task_set *set = t->nl ? &t->nl->set : NULL;
	/* What a READ has borrowed is read when it is sent: until then nothing that is to come after it may begin. */
	bool wake = !t->lent && task_set_leave(t);

	g_assert(t->phase != TASK_ENDED);
	if (G_UNLIKELY(t->given_up))
		watch_came_back(t);
	t->phase = TASK_ENDED;
	t->loop = NULL;
	if (t->ending)
		t->ending(t);
	if (!t->lent)
		range_give(&t->range);
	if (t->status != STATUS_GOOD || t->aborted)
		t->in_len = 0;
	if (!t->in_len && !t->lent)
		t->iovcnt = 0;
	t->ops->done(t);	/* may release it, and use it for another command */
	if (G_UNLIKELY(wake))
		task_set_wake(set);
}

void task_status(struct task *t, enum scsi_status status)
{
	t->status = status;
	task_finish(t);
}

void task_done(struct task *t)
{
	task_status(t, STATUS_GOOD);
}

void task_done_data(struct task *t, const void *data, size_t len)
{
	if (t->op->unit != CDB_BYTES || t->xfer_len > len)
		t->xfer_len = len;
	t->in_len = (uint32_t)MIN(t->xfer_len, t->edtl_in);
	if (t->in_len) {
		t->iov[0] = (struct iovec){ (void *)data, t->in_len };
		t->iovcnt = 1;
	}
	task_done(t);
}

static void set_sense(struct task *t, enum sense_code code, const struct sense_field *field, bool info_valid,
		      uint64_t info)
{
	bool descriptor = t->lun && lun_state(t->lun) & LUN_D_SENSE;

	t->sense_code = (uint8_t)code;
	t->sense_len = (uint16_t)sense_build(t->sense, sizeof t->sense, descriptor, code, field, info_valid, info);
}

void task_set_sense(struct task *t, enum sense_code code)
{
	set_sense(t, code, NULL, false, 0);
}

static void fail(struct task *t, enum sense_code code, const struct sense_field *field, bool info_valid, uint64_t info)
{
	set_sense(t, code, field, info_valid, info);
	task_status(t, STATUS_CHECK_CONDITION);
}

void task_fail(struct task *t, enum sense_code code)
{
	fail(t, code, NULL, false, 0);
}

void task_fail_at(struct task *t, enum sense_code code, const struct sense_field *field)
{
	fail(t, code, field, false, 0);
}

void task_fail_field(struct task *t, enum sense_code code, unsigned byte, int bit)
{
	struct sense_field field = { .valid = true, .in_cdb = true, .bit_valid = bit >= 0, .bit = (uint8_t)(bit & 7),
				     .byte = (uint16_t)byte };

	fail(t, code, &field, false, 0);
}

void task_fail_param(struct task *t, unsigned byte, int bit)
{
	struct sense_field field = { .valid = true, .bit_valid = bit >= 0, .bit = (uint8_t)(bit & 7),
				     .byte = (uint16_t)byte };

	fail(t, SENSE_INVALID_FIELD_IN_PARAMETERS, &field, false, 0);
}

void task_fail_info(struct task *t, enum sense_code code, uint64_t info)
{
	fail(t, code, NULL, true, info);
}

/* What a device's error means: sense for reads, sense for all that writes, or a status. */
static const struct { uint8_t on_read, on_write, status; } device_errors[] = {
	[GOTGT_OK] = { SENSE_INTERNAL_FAILURE, SENSE_INTERNAL_FAILURE, 0 },
	[GOTGT_ERR_IO] = { SENSE_READ_ERROR, SENSE_WRITE_ERROR, 0 },
	[GOTGT_ERR_NO_SPACE] = { SENSE_SPACE_ALLOCATION_FAILED, SENSE_SPACE_ALLOCATION_FAILED, 0 },
	[GOTGT_ERR_READ_ONLY] = { SENSE_WRITE_PROTECTED, SENSE_WRITE_PROTECTED, 0 },
	[GOTGT_ERR_BUSY] = { 0, 0, STATUS_BUSY },
	[GOTGT_ERR_NOT_READY] = { SENSE_NOT_READY, SENSE_NOT_READY, 0 },
	[GOTGT_ERR_UNSUPPORTED] = { SENSE_INVALID_OPCODE, SENSE_INVALID_OPCODE, 0 },
	[GOTGT_ERR_CANCELED] = { 0, 0, STATUS_TASK_ABORTED },
	[GOTGT_ERR_AGAIN] = { 0, 0, STATUS_BUSY },
	[GOTGT_ERR_NO_MEMORY] = { 0, 0, STATUS_BUSY },
};

enum scsi_status task_device_error(enum gotgt_status status, bool reading, enum sense_code *code)
{
	unsigned i = (unsigned)status < G_N_ELEMENTS(device_errors) ? status : GOTGT_OK;

	*code = reading ? device_errors[i].on_read : device_errors[i].on_write;
	return device_errors[i].status ? device_errors[i].status : STATUS_CHECK_CONDITION;
}

void task_fail_device(struct task *t, enum gotgt_status status)
{
	enum sense_code code;
	enum scsi_status end = task_device_error(status, t->dio.io.op == GOTGT_OP_READ, &code);

	if (end != STATUS_CHECK_CONDITION)
		task_status(t, end);
	else
		task_fail(t, t->op->io_error ? t->op->io_error : code);
}

/* ---- memory ---- */

bool task_get_buf(struct task *t, struct buf **buf, size_t len)
{
	*buf = bufpool_get_data(reactor_pool(t->reactor), len);
	if (!*buf)
		task_status(t, STATUS_BUSY);
	return *buf;
}

uint8_t *task_reply(struct task *t, size_t len)
{
	uint8_t *at = t->small;

	if (len > sizeof t->small) {
		if (!task_get_buf(t, &t->buf, len))
			return NULL;
		at = t->buf->data;
	}
	memset(at, 0, len);
	return at;
}

void task_reclaim(struct task *t)
{
	if (t->lent) {
		device_reclaim(t->lun->dev, t->iov, t->iovcnt);
		t->lent = false;
		t->iovcnt = 0;
	}
}

void task_release(struct task *t)
{
	struct bufpool *pool = reactor_pool(t->reactor);

	task_reclaim(t);
	if (G_UNLIKELY(t->place.state != PLACE_NONE && task_set_leave(t)))
		nexus_wake_later(t->nexus, &t->nl->set);
	range_give(&t->range);
	bufpool_put(pool, t->buf);
	bufpool_put(pool, t->buf2);
	t->buf = t->buf2 = NULL;
	if (t->lun)
		lun_count_down(t->lun, reactor_index(t->reactor));
	t->lun = NULL;
	t->phase = TASK_IDLE;
}

/* ---- the device ---- */

bool task_back(struct task *t)
{
	t->in_device = t->in_query = false;
	t->leave = NULL;
	if (t->watched)
		watch_end(t);
	if (!t->aborted)
		return true;
	task_finish(t);
	return false;
}

static void resume(struct task *t)
{
	if (!task_back(t))
		return;
	if (t->dio_status != GOTGT_OK)
		task_fail_device(t, t->dio_status);
	else
		t->next(t);
}

static void dio_done(struct device_io *dio, enum gotgt_status status)
{
	struct task *t = container_of(dio, struct task, dio);

	t->dio_status = status;
	if (t->loop && t->loop->submitting)
		t->loop->completed = true;
	else
		resume(t);
}

void task_io(struct task *t, uint32_t op, uint32_t flags, uint64_t offset, uint64_t length)
{
	struct gotgt_io *io = &t->dio.io;

	io->op = op;
	io->flags = flags;
	io->offset = offset;
	io->length = length;
	io->iov = NULL;
	io->iovcnt = 0;
}

static void prepare_dio(struct task *t, void (*next)(struct task *t))
{
	t->next = next;
	t->dio.reactor = t->reactor;
	t->dio.done = dio_done;
	t->in_device = true;
}

static void submit_posted(struct post *p)
{
	struct task *t = container_of(p, struct task, offloaded.post);

	if (task_back(t))
		task_submit(t, t->next);
}

/* dio is filled, and goes to the device when it is its turn among others of the kind. */
static void submit_later(struct task *t)
{
	t->loop = NULL;
	t->in_device = false;
	t->in_query = true;
	t->offloaded.post = (struct post){ .run = submit_posted };
	reactor_spare(t->reactor, &t->offloaded.post);
}

void task_submit(struct task *t, void (*next)(struct task *t))
{
	struct task_loop loop = { .again = true };
	unsigned steps = 0;

	if (G_UNLIKELY(lun_state(t->lun) & LUN_STUCK)) {
		task_fail(t, SENSE_BECOMING_READY);
		return;
	}
	prepare_dio(t, next);
	if (t->loop) {
		t->loop->again = true;
		return;
	}
	t->loop = &loop;	/* NOLINT(autoVariables): as long as this runs */
	while (loop.again) {
		if (steps++ == STEPS) {
			submit_later(t);
			return;
		}
		loop = (struct task_loop){ .submitting = true };
		device_submit(t->lun->dev, &t->dio);
		loop.submitting = false;
		if (!loop.completed) {
			watch_begin(t, t->lun, t->dio.io.op <= GOTGT_OP_WRITE ? 1 : WATCH_LONG);
			break;
		}
		resume(t);
		if (!loop.again)	/* it ended, and may be gone */
			return;
	}
	t->loop = NULL;
}

static void offload_back(struct post *p)
{
	struct task *t = container_of(p, struct task, offloaded.post);

	if (task_back(t))
		t->next(t);
}

static void offload_run(struct work *w)
{
	struct task *t = container_of(w, struct task, offloaded.work);

	t->offload(t);
	t->offloaded.post = (struct post){ .run = offload_back };
	reactor_post(t->reactor, &t->offloaded.post);
}

void task_offload(struct task *t, void (*work)(struct task *t), void (*next)(struct task *t))
{
	t->loop = NULL;
	t->offload = work;
	t->next = next;
	t->in_query = true;
	t->offloaded.work = (struct work){ .run = offload_run };
	workers_push(t->nexus->target->engine->workers, &t->offloaded.work, NULL);
}

static bool try_range(struct task *t)
{
	return range_try(&t->range, t->lun, reactor_index(t->reactor), t->lba, t->lba + t->blocks);
}

/* False: run() is called again when it has them, or the task has ended. */
static bool take_range(struct task *t)
{
	if (t->op->flags & CDB_ALONE || !try_range(t))
		return task_take_range(t, t->lba, t->lba + t->blocks);
	return !job_in_the_way(t);
}

/* ---- from CDB to data ---- */

static void reset(struct task *t)
{
	t->phase = TASK_RUNNING;
	t->status = STATUS_GOOD;
	t->aborted = t->lent = t->in_device = t->in_query = t->given_up = t->watched = false;
	t->leave = NULL;
	t->ending = t->parting = NULL;
	t->range.state = RANGE_NONE;
	t->sense_len = 0;
	t->out_len = t->in_len = 0;
	t->xfer_len = 0;
	t->iovcnt = 0;
	t->step = 0;
	t->nl = NULL;
	t->lba = 0;
	t->blocks = 0;
	t->done_bytes = t->total_bytes = 0;
	t->buf = t->buf2 = NULL;
	t->out = NULL;
	t->loop = NULL;
	t->place.state = PLACE_NONE;
	t->dio.io.op = GOTGT_OP_WRITE;	/* what an error before any I/O would be about */
}

void task_run(struct task *t)
{
	if (t->blocks && t->range.state == RANGE_NONE && !take_range(t))
		return;
	t->op->run(t);
}

static void run_in_turn(struct task *t)
{
	if (task_set_ready(t))
		task_run(t);
}

enum task_begun task_begin(struct task *t)
{
	bool known_opcode;

	reset(t);
	t->lun = nexus_find(t->nexus, lun_parse(t->lun_addr));
	t->well_known = !t->lun && lun_is_report_luns(t->lun_addr);
	if (t->lun)
		lun_count_up(t->lun, reactor_index(t->reactor));
	t->op = cdb_find(t->cdb, &known_opcode);
	if (!task_check(t, known_opcode))
		return TASK_GOING;
	task_set_join(t);
	if (t->op->dir == CDB_OUT)
		t->out_len = (uint32_t)MIN(t->xfer_len, t->edtl_out);
	if (t->out_len) {
		t->phase = TASK_WAITING;
		return TASK_WANTS_DATA;
	}
	run_in_turn(t);
	return TASK_GOING;
}

/* ---- Data-Out ---- */

/* Memory lent for a whole write: true and the destination is set, or the task has ended (phase says so). */
static bool place_lent(struct task *t)
{
	enum gotgt_status status;
	uint32_t n;

	if (!t->lun->info->lends || t->no_lend || !(t->op->flags & CDB_PLAIN) || t->out_len & (t->lun->block_size - 1))
		return false;
	/* Data may be long in coming: who wants to be alone with the blocks had better not wait for it. */
	if (lun_state(t->lun) & LUN_JOB || !try_range(t))
		return false;
	n = device_lend(t->lun->dev, t->reactor, t->lba << t->lun->block_shift, t->out_len, true, t->iov, TASK_IOV_MAX,
			&status);
	if (n) {
		t->iovcnt = n;
		t->lent = true;
		return true;
	}
	range_give(&t->range);
	if (status != GOTGT_OK)
		task_fail_device(t, status);
	return false;
}

static bool place_buf(struct task *t)
{
	if (!task_get_buf(t, &t->buf, t->out_len))
		return false;
	t->iov[0] = (struct iovec){ t->buf->data, t->out_len };
	t->iovcnt = 1;
	return true;
}

bool task_place(struct task *t, bool may_lend)
{
	g_return_val_if_fail(t->phase == TASK_WAITING, false);
	if (may_lend && t->place.state == PLACE_ENABLED && place_lent(t))
		return true;
	return t->phase == TASK_WAITING && place_buf(t);
}

void task_execute(struct task *t)
{
	t->phase = TASK_RUNNING;
	if (!t->lent)
		t->out = t->buf->data;
	run_in_turn(t);
}

void task_execute_from(struct task *t, const uint8_t *data)
{
	t->phase = TASK_RUNNING;
	if (t->op->flags & CDB_PLAIN && t->place.state == PLACE_ENABLED && !(t->out_len & (t->lun->block_size - 1)) &&
	    !(lun_state(t->lun) & LUN_STUCK) && try_range(t)) {
		t->iov[0] = (struct iovec){ (void *)data, t->out_len };
		task_io(t, GOTGT_OP_WRITE, task_fua(t), t->lba << t->lun->block_shift, t->out_len);
		t->dio.io.iov = t->iov;
		t->dio.io.iovcnt = 1;
		if (job_in_the_way(t))
			return;
		prepare_dio(t, task_done);
		if (device_try(t->lun->dev, &t->dio))
			return;
		t->in_device = false;
	}
	if (!task_get_buf(t, &t->buf, t->out_len))
		return;
	memcpy(t->buf->data, data, t->out_len);
	t->out = t->buf->data;
	run_in_turn(t);
}

void task_refuse(struct task *t, enum scsi_status status, enum sense_code code)
{
	if (t->phase != TASK_WAITING) {
		reset(t);
		t->lun = NULL;
		t->op = NULL;
	}
	if (status == STATUS_CHECK_CONDITION)
		task_fail(t, code);
	else
		task_status(t, status);
}

void task_lent_fault(struct task *t)
{
	if (t->lun)
		device_lent_fault(t->lun->dev);
}

bool task_lent_may_go(const struct task *t)
{
	return t->lent && !t->lun->info->lent_stays;
}

bool task_unread(struct task *t)
{
	if (!t->lent || t->status != STATUS_GOOD)
		return false;
	task_lent_fault(t);
	if (!task_lent_may_go(t))
		return false;
	set_sense(t, device_errors[GOTGT_ERR_IO].on_read, NULL, false, 0);
	t->status = STATUS_CHECK_CONDITION;
	return true;
}

void task_abort(struct task *t)
{
	if (t->phase == TASK_IDLE || t->phase == TASK_ENDED || t->aborted)
		return;
	t->aborted = true;
	if (t->watched)
		watch_hurry(t);
	if (t->in_device)
		device_cancel(t->lun->dev, &t->dio);
	else if (!t->in_query || (t->leave && t->leave(t)))
		task_finish(t);
}
