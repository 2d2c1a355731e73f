/* SPDX-License-Identifier: Apache-2.0 */
/* sbc.c - small commands of block devices: readiness, capacity, cache. */
#include "config.h"
#include "scsi/cdb.h"
#include "scsi/lun.h"
#include "scsi/task.h"
#include "scsi/wire.h"

/* SPC-5 6.47; whether it is ready was looked at before. */
void test_unit_ready_run(struct task *t)
{
	task_done(t);
}

/* SBC-4 5.18 */
void read_capacity10_run(struct task *t)
{
	uint64_t blocks = lun_blocks(t->lun);
	uint8_t *d = t->small;

	if (!blocks) {
		task_fail(t, SENSE_NOT_READY);
		return;
	}
	put_be32(d, (uint32_t)MIN(blocks - 1, UINT32_MAX));
	put_be32(d + 4, t->lun->block_size);
	task_done_data(t, d, 8);
}

/* SBC-4 5.19 */
void read_capacity16_run(struct task *t)
{
	const struct lun *lun = t->lun;
	uint64_t blocks = lun_blocks(lun);
	uint8_t *d = task_reply(t, 32);

	if (!blocks) {
		task_fail(t, SENSE_NOT_READY);
		return;
	}
	put_be64(d, blocks - 1);
	put_be32(d + 8, lun->block_size);
	d[13] = lun->physical_exponent;
	put_be16(d + 14, lun->lowest_aligned);
	if (lun_state(lun) & LUN_THIN)
		d[14] |= 0x80 | 0x40;	/* LBPME, LBPRZ */
	task_done_data(t, d, 32);
}

/* SBC-4 5.30: the whole cache is no less than was asked for; with IMMED, no later. */
void sync_cache_run(struct task *t)
{
	task_io(t, GOTGT_OP_FLUSH, 0, 0, 0);
	task_submit(t, task_done);
}
