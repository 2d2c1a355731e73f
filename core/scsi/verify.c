/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c - commands that read the medium for themselves: VERIFY, the second half of WRITE AND VERIFY, PRE-FETCH. */
#include "config.h"
#include <string.h>
#include "scsi/cdb.h"
#include "scsi/lun.h"
#include "scsi/task.h"

#define VERIFY_CHUNK (128u << 10)

/* SBC-4 5.33.1, table 99 */
enum bytchk { BYTCHK_NONE, BYTCHK_ALL, BYTCHK_RESERVED, BYTCHK_ONE_BLOCK };

static enum bytchk bytchk_of(const struct task *t)
{
	return (enum bytchk)(t->cdb[1] >> 1 & 3);
}

size_t first_difference(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t i = 0;

	if (memcmp(a, b, len) == 0)
		return len;
	while (a[i] == b[i])
		i++;
	return i;
}

/* The chunk in buf2 against Data-Out: false, and the task has ended with where they differ in Data-Out. */
static bool compare(struct task *t, uint32_t len)
{
	uint32_t bs = t->lun->block_size;

	for (uint32_t at = 0; at < len; at += bs) {
		uint64_t in_out = bytchk_of(t) == BYTCHK_ALL ? t->done_bytes + at : 0;
		size_t same = first_difference(t->buf2->data + at, t->out + in_out, bs);

		if (same < bs) {
			task_fail_info(t, SENSE_MISCOMPARE, in_out + same);
			return false;
		}
	}
	return true;
}

static void chunk_read(struct task *t);

/* Read the next chunk of what t->total_bytes says, or be done. */
static void read_chunk(struct task *t)
{
	uint32_t len = (uint32_t)MIN(t->total_bytes - t->done_bytes, VERIFY_CHUNK);

	if (!len) {
		task_done(t);
		return;
	}
	if (!t->buf2 && !task_get_buf(t, &t->buf2, len))
		return;
	t->iov[0] = (struct iovec){ t->buf2->data, len };
	task_io(t, GOTGT_OP_READ, 0, (t->lba << t->lun->block_shift) + t->done_bytes, len);
	t->dio.io.iov = t->iov;
	t->dio.io.iovcnt = 1;
	task_submit(t, chunk_read);
}

static void chunk_read(struct task *t)
{
	uint32_t len = (uint32_t)t->dio.io.length;

	if (t->out && bytchk_of(t) != BYTCHK_NONE && !compare(t, len))
		return;
	t->done_bytes += len;
	read_chunk(t);
}

void verify_blocks(struct task *t)
{
	read_chunk(t);
}

bool verify_check(struct task *t)
{
	uint64_t bytes = (uint64_t)t->blocks << t->lun->block_shift;

	t->total_bytes = bytes;
	switch (bytchk_of(t)) {
	case BYTCHK_NONE:
		return true;
	case BYTCHK_ALL:
		t->xfer_len = bytes;
		t->total_bytes = MIN(bytes, t->edtl_out) & ~(uint64_t)(t->lun->block_size - 1);
		return true;
	case BYTCHK_ONE_BLOCK:
		t->xfer_len = t->blocks ? t->lun->block_size : 0;
		if (t->edtl_out >= t->xfer_len)
			return true;
		task_fail(t, SENSE_INVALID_FIELD_IN_IU);	/* less than a block to compare with */
		return false;
	default:
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 1, 2);
		return false;
	}
}

void verify_run(struct task *t)
{
	verify_blocks(t);
}

/*
 * SBC-4 5.8: reading fills the caches below us.  How much those hold and for how long is not ours to
 * know, so the status is GOOD, never CONDITION MET, and a large range is fetched in part.
 */
void pre_fetch_run(struct task *t)
{
	uint64_t blocks = t->blocks ? t->blocks : lun_blocks(t->lun) - t->lba;

	t->total_bytes = MIN(blocks << t->lun->block_shift, LUN_TRANSFER_MAX);
	verify_blocks(t);
}
