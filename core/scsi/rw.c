/* SPDX-License-Identifier: Apache-2.0 */
/* rw.c - READ and WRITE (SBC-4 5.10 to 5.13, 5.38 to 5.41), the commands everything is made for. */
#include "config.h"
#include "scsi/cdb.h"
#include "scsi/lun.h"
#include "scsi/task.h"

uint32_t task_fua(const struct task *t)
{
	bool through = (lun_state(t->lun) & (LUN_CACHE | LUN_WCE)) == LUN_CACHE;

	return through || (t->op->flags & CDB_FUA && t->cdb[1] & 0x08) ? GOTGT_IO_FUA : 0;
}

static void read_done(struct task *t)
{
	t->iov[0].iov_len = t->in_len;	/* the initiator may have asked for less than whole blocks */
	task_done(t);
}

/* True: lent, or ended. */
static bool read_lent(struct task *t, uint64_t offset)
{
	const struct device_info *info = t->lun->info;
	enum gotgt_status status;
	uint32_t n;

	/* Lent, the blocks are held until the initiator has taken them. */
	if (!info->lends || (t->no_lend && !info->lent_constant) || t->in_len & (t->lun->block_size - 1) ||
	    t->range.state != RANGE_LOCAL)
		return false;
	n = device_lend(t->lun->dev, t->reactor, offset, t->in_len, false, t->iov, TASK_IOV_MAX, &status);
	if (n) {
		t->iovcnt = n;
		t->lent = true;
		task_done(t);
	} else if (status != GOTGT_OK) {
		task_fail_device(t, status);
	}
	return n || status != GOTGT_OK;
}

void read_run(struct task *t)
{
	uint64_t offset = t->lba << t->lun->block_shift;
	uint32_t whole;

	t->in_len = (uint32_t)MIN(t->xfer_len, t->edtl_in);
	t->dio.io.op = GOTGT_OP_READ;
	if (!t->in_len) {
		task_done(t);
		return;
	}
	if (read_lent(t, offset))
		return;
	whole = (t->in_len + t->lun->block_size - 1) & ~(t->lun->block_size - 1);
	if (!task_get_buf(t, &t->buf, whole))
		return;
	t->iov[0] = (struct iovec){ t->buf->data, whole };
	t->iovcnt = 1;
	task_io(t, GOTGT_OP_READ, 0, offset, whole);
	t->dio.io.iov = t->iov;
	t->dio.io.iovcnt = 1;
	task_submit(t, read_done);
}

/* Write the whole blocks that came, then next(); EDTL may have been less than the CDB's. */
static void write_out(struct task *t, uint32_t flags, void (*next)(struct task *t))
{
	uint32_t len = t->out_len & ~(t->lun->block_size - 1);

	if (!len) {
		next(t);
		return;
	}
	t->iov[0] = (struct iovec){ (void *)t->out, len };
	task_io(t, GOTGT_OP_WRITE, flags, t->lba << t->lun->block_shift, len);
	t->dio.io.iov = t->iov;
	t->dio.io.iovcnt = 1;
	task_submit(t, next);
}

void write_run(struct task *t)
{
	uint32_t flags = task_fua(t);

	if (!t->lent) {
		write_out(t, flags, task_done);
		return;
	}
	/* The bytes are where they belong already. */
	task_reclaim(t);
	if (flags) {
		task_io(t, GOTGT_OP_FLUSH, 0, 0, 0);
		task_submit(t, task_done);
	} else {
		task_done(t);
	}
}

bool write_verify_check(struct task *t)
{
	t->total_bytes = MIN(t->xfer_len, t->edtl_out) & ~(uint64_t)(t->lun->block_size - 1);
	return true;
}

/* SBC-4 5.42: verified is what is on the medium. */
void write_verify_run(struct task *t)
{
	write_out(t, GOTGT_IO_FUA, verify_blocks);
}
