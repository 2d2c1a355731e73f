/* SPDX-License-Identifier: Apache-2.0 */
/* sanitize.c - what is about a whole medium: SANITIZE (SBC-4 5.30), FORMAT UNIT (5.4), READ DEFECT DATA (5.20). */
#include "config.h"
#include <string.h>
#include "scsi/cdb.h"
#include "scsi/job.h"
#include "scsi/lun.h"
#include "scsi/task.h"
#include "scsi/wire.h"

/* ---- patterns ---- */

/* A block of copies of a pattern, the last one cut, in t->buf2: false, and the task has ended. */
static bool make_block(struct task *t, const uint8_t *pattern, uint32_t len)
{
	uint32_t bs = t->lun->block_size;

	if (!task_get_buf(t, &t->buf2, bs))
		return false;
	for (uint32_t at = 0; at < bs; at += len)
		memcpy(t->buf2->data + at, pattern, MIN(len, bs - at));
	return true;
}

/* ---- SANITIZE ---- */

/* A small unit is overwritten in a moment; initiators look for its progress once in seconds. */
#define OVERWRITE_LEAST_MS 8000u

enum { SANITIZE_IMMED = 0x80, SANITIZE_AUSE = 0x20, AUSE_BIT = 5 };
enum { OVERWRITE_HEADER = 4, OVERWRITE_INVERT = 0x80, OVERWRITE_TEST = 0x60, OVERWRITE_COUNT = 0x1f };

/* SBC-4 4.11.4: one that failed in restricted completion mode is not followed by one in unrestricted mode. */
bool sanitize_check(struct task *t)
{
	if (lun_state(t->lun) & LUN_SANITIZE_FAILED && !atomic_load(&t->lun->sanitize_ause) && t->cdb[1] & SANITIZE_AUSE) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 1, AUSE_BIT);
		return false;
	}
	return true;
}

bool sanitize_overwrite_check(struct task *t)
{
	if (t->xfer_len <= OVERWRITE_HEADER || t->xfer_len > OVERWRITE_HEADER + t->lun->block_size) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 7, -1);
		return false;
	}
	if (t->edtl_out < t->xfer_len) {
		task_fail(t, SENSE_INVALID_FIELD_IN_IU);
		return false;
	}
	return sanitize_check(t);
}

static void sanitize(struct task *t, struct job_conf *conf)
{
	conf->ause = t->cdb[1] & SANITIZE_AUSE;
	conf->kind = JOB_SANITIZE;
	conf->immed = t->cdb[1] & SANITIZE_IMMED;
	job_start(t, conf);
}

void sanitize_overwrite_run(struct task *t)
{
	const uint8_t *list = t->out;
	uint32_t len = get_be16(list + 2);
	struct job_conf conf = { .op = DEVICE_OP_WRITE_SAME, .passes = list[0] & OVERWRITE_COUNT,
				 .invert = list[0] & OVERWRITE_INVERT, .least_ms = OVERWRITE_LEAST_MS };

	/* SBC-4 5.30.2.2: each of these is an invalid field in the CDB, as it says. */
	if (!conf.passes || list[0] & OVERWRITE_TEST || !len || len > t->out_len - OVERWRITE_HEADER) {
		task_fail(t, SENSE_INVALID_FIELD_IN_CDB);
		return;
	}
	if (!make_block(t, list + OVERWRITE_HEADER, len))
		return;
	conf.pattern = t->buf2->data;
	sanitize(t, &conf);
}

/* What is unmapped reads as zeroes, and its storage is gone. */
void sanitize_erase_run(struct task *t)
{
	struct job_conf conf = { .op = GOTGT_OP_ZERO, .flags = GOTGT_IO_MAY_UNMAP, .passes = 1 };

	sanitize(t, &conf);
}

static void exit_failure(struct task *t)
{
	lun_set_state(t->lun, LUN_SANITIZE_FAILED, 0);
	task_done(t);
}

static void forget(struct task *t)
{
	t->forgotten = job_forget(t->lun, 0) == 0;
}

static void forgotten(struct task *t)
{
	if (t->forgotten)
		exit_failure(t);
	else
		task_fail(t, SENSE_INTERNAL_FAILURE);
}

void sanitize_exit_failure_run(struct task *t)
{
	if (lun_state(t->lun) & LUN_SANITIZE_FAILED && !atomic_load(&t->lun->sanitize_ause)) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 1, 4);
		return;
	}
	if (lun_state(t->lun) & LUN_SANITIZE_FAILED && target_state_dir(t->lun->target))
		task_offload(t, forget, forgotten);
	else
		exit_failure(t);
}

/* ---- FORMAT UNIT ---- */

enum { FMT_LONGLIST = 0x20, FMT_FMTDATA = 0x10, FMT_REST = 0x2f };
enum { FMT_FOV = 0x80, FMT_OPTIONS = 0x7c, FMT_STPF = 0x10, FMT_IP = 0x08, FMT_IMMED = 0x02, FMT_VS = 0x01 };
enum { FMT_SHORT = 4, FMT_LONG = 8, FMT_IP_HEADER = 4, FMT_IP_TYPE_REPEAT = 1 };
#define FMT_LIST_MAX (FMT_LONG + FMT_IP_HEADER + JOB_PATTERN_MAX)

bool format_check(struct task *t)
{
	if (lun_state(t->lun) & LUN_SANITIZE_FAILED) {	/* SBC-4 4.11.4: SANITIZE only leads out of that */
		task_fail(t, SENSE_SANITIZE_FAILED);
		return false;
	}
	if (t->cdb[1] & FMT_FMTDATA) {
		t->xfer_len = MIN(t->edtl_out, FMT_LIST_MAX);
		return true;
	}
	if (t->cdb[1] & FMT_REST) {	/* about a list that is not there */
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 1, -1);
		return false;
	}
	return true;
}

/* An initialization pattern descriptor (SBC-4 5.4.2.3) at `at`: false, and the task has ended. */
static bool take_pattern(struct task *t, uint32_t at, struct job_conf *conf)
{
	const uint8_t *d = t->out + at;
	uint32_t len;

	if (t->out_len < at + FMT_IP_HEADER) {
		task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
		return false;
	}
	len = get_be16(d + 2);
	if (d[0] || d[1] > FMT_IP_TYPE_REPEAT) {	/* no SI: SANITIZE is there for that */
		task_fail_param(t, at + (d[0] ? 0 : 1), -1);
		return false;
	}
	if (d[1] == FMT_IP_TYPE_REPEAT ? !len || len > t->lun->block_size : len) {
		task_fail_param(t, at + 2, -1);
		return false;
	}
	if (len > t->out_len - at - FMT_IP_HEADER) {
		task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
		return false;
	}
	if (!len)
		return true;
	if (!make_block(t, d + FMT_IP_HEADER, len))
		return false;
	conf->op = DEVICE_OP_WRITE_SAME;
	conf->flags = 0;
	conf->pattern = t->buf2->data;
	return true;
}

/* SBC-4 5.4.2: there are no defects to list, and no protection information. */
static bool take_format_list(struct task *t, struct job_conf *conf)
{
	bool is_long = t->cdb[1] & FMT_LONGLIST;
	uint32_t header = is_long ? FMT_LONG : FMT_SHORT;
	const uint8_t *d = t->out;

	if (t->out_len < header) {
		task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
		return false;
	}
	if (d[0] & 7) {		/* PROTECTION FIELD USAGE */
		task_fail_param(t, 0, 2);
		return false;
	}
	if (d[1] & FMT_VS || (!(d[1] & FMT_FOV) && d[1] & FMT_OPTIONS)) {
		task_fail_param(t, 1, -1);
		return false;
	}
	if (is_long ? d[3] != 0 : false) {
		task_fail_param(t, 3, -1);
		return false;
	}
	if (is_long ? get_be32(d + 4) : get_be16(d + 2)) {
		task_fail_param(t, is_long ? 4 : 2, -1);
		return false;
	}
	conf->immed = d[1] & FMT_IMMED;
	return !(d[1] & FMT_IP) || take_pattern(t, header, conf);
}

/* The default pattern is zeroes, unmapped where that can be (SBC-4 4.7.3.2). */
void format_run(struct task *t)
{
	bool thin = lun_state(t->lun) & LUN_THIN;
	struct job_conf conf = { .kind = JOB_FORMAT, .op = GOTGT_OP_ZERO, .flags = thin ? GOTGT_IO_MAY_UNMAP : 0,
				 .passes = 1 };

	if (t->cdb[1] & FMT_FMTDATA && !take_format_list(t, &conf))
		return;
	job_start(t, &conf);
}

/* ---- READ DEFECT DATA ---- */

enum { DEFECT_LISTS = 0x18, DEFECT_FORMAT = 0x07, DEFECT_FORMAT_MAX = 5 };

/* Lists that are there and empty, in any format; `format` is the byte of the CDB, at which the request is. */
static void defect_lists(struct task *t, uint8_t request, size_t header)
{
	uint8_t *d = task_reply(t, header);

	if ((request & DEFECT_FORMAT) > DEFECT_FORMAT_MAX) {
		task_fail(t, SENSE_DEFECT_LIST_NOT_FOUND);
		return;
	}
	d[1] = request & (DEFECT_LISTS | DEFECT_FORMAT);
	task_done_data(t, d, header);
}

void read_defect_data10_run(struct task *t)
{
	defect_lists(t, t->cdb[2], 4);
}

void read_defect_data12_run(struct task *t)
{
	defect_lists(t, t->cdb[1], 8);
}
