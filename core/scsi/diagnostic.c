/* SPDX-License-Identifier: Apache-2.0 */
/* diagnostic.c - SEND DIAGNOSTIC and RECEIVE DIAGNOSTIC RESULTS (SPC-5 6.45, 6.31). */
#include "config.h"
#include "scsi/cdb.h"
#include "scsi/lun.h"
#include "scsi/task.h"
#include "scsi/wire.h"

enum { SELFTEST = 0x04, PF = 0x10, PCV = 0x01, SUPPORTED_PAGES = 0x00, PAGE_HEADER = 4 };

/*
 * The default self-test: can the device be read, at its beginning and at its end?  Short and long, foreground and
 * background self-tests would do no more: their codes are refused by the table.
 */
static void read_block(struct task *t, uint64_t lba, void (*next)(struct task *t))
{
	t->iov[0] = (struct iovec){ t->buf->data, t->lun->block_size };
	task_io(t, GOTGT_OP_READ, 0, lba << t->lun->block_shift, t->lun->block_size);
	t->dio.io.iov = t->iov;
	t->dio.io.iovcnt = 1;
	task_submit(t, next);
}

static void read_last(struct task *t)
{
	read_block(t, t->lba, task_done);
}

/* A self-test has no list; a list is of pages. */
bool send_diagnostic_check(struct task *t)
{
	if (!t->xfer_len)
		return true;
	if (!(t->cdb[1] & SELFTEST) && t->cdb[1] & PF)
		return true;
	task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 3, -1);
	return false;
}

/* SPC-5 7.2.2: the one page there is has nothing in it, and only says what is to be received next. */
static void send_page(struct task *t)
{
	if (t->out_len < t->xfer_len || t->out_len < PAGE_HEADER)
		task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
	else if (t->out[0] != SUPPORTED_PAGES)
		task_fail_param(t, 0, -1);
	else if (get_be16(t->out + 2) || t->out_len != PAGE_HEADER)
		task_fail_param(t, 2, -1);
	else
		task_done(t);
}

void send_diagnostic_run(struct task *t)
{
	uint64_t blocks = lun_blocks(t->lun);

	if (t->xfer_len) {
		send_page(t);
		return;
	}
	if (!(t->cdb[1] & SELFTEST)) {	/* nothing is asked for */
		task_done(t);
		return;
	}
	if (!blocks) {
		task_fail(t, SENSE_SELF_TEST_FAILED);
		return;
	}
	if (!task_get_buf(t, &t->buf, t->lun->block_size))
		return;
	t->lba = blocks - 1;
	read_block(t, 0, read_last);
}

/* SPC-5 7.2.2: the list of pages is the only page, whether asked for or not. */
void receive_diagnostic_run(struct task *t)
{
	uint8_t *d = t->small;

	if (t->cdb[1] & PCV && t->cdb[2] != SUPPORTED_PAGES) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 2, -1);
		return;
	}
	d[0] = SUPPORTED_PAGES;
	d[1] = 0;
	put_be16(d + 2, 1);
	d[4] = SUPPORTED_PAGES;
	task_done_data(t, d, 5);
}
