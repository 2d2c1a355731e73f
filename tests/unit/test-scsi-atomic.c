/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that are alone with their blocks, the ranges behind that, and WRITE ATOMIC's limits. */
#include "config.h"
#include <pthread.h>
#include "scsi-rig.h"

enum { BS = 512 };
static uint8_t out[8u << 20];

static void fill(uint8_t *p, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 7 + i / BS + seed);
}

/* ---- ranges ---- */

struct held {
	struct range range;
	unsigned granted;
};

static void granted(struct range *r)
{
	container_of(r, struct held, range)->granted++;
}

static bool take(struct held *h, struct reactor *r, uint64_t lba, uint64_t end, bool alone)
{
	*h = (struct held){ .range.granted = granted };
	return range_take(&h->range, rig.lun, r, lba, end, alone);
}

static struct held first, second, third, fourth, fifth;

static void test_local(void)
{
	/* Nobody alone: no list is shared, whoever overlaps. */
	g_assert_true(take(&first, rig.r, 0, 10, false));
	g_assert_true(take(&second, rig.r, 5, 15, false));
	g_assert_cmpuint(first.range.state, ==, RANGE_LOCAL);
	g_assert_true(range_try(&third.range, rig.lun, 0, 0, 1));
	g_assert_false(lun_state(rig.lun) & LUN_RANGES);
	g_assert_null(rig.lun->ranges.held.first);
	g_assert_true(rig.lun->count[0].ranges == &third.range);
	range_give(&second.range);
	range_give(&third.range);
	range_give(&first.range);
	g_assert_null(rig.lun->count[0].ranges);
	range_give(&first.range);	/* nothing any more */
	g_assert_cmpuint(first.granted + second.granted, ==, 0);
}

/* ---- the same over several turns of the loop: each step is posted and runs after what the last one caused ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static bool finished;

static void (*const *steps)(void);
static struct post step_post;
static unsigned rounds;

static void run_step(struct post *p)
{
	/* Both reactors have had their say between two steps. */
	if (rounds++ % 8) {
		reactor_post(rig.engine->reactors[rounds % 2], p);
		return;
	}
	if (reactor_self() != rig.r) {
		rounds--;
		reactor_post(rig.r, p);
		return;
	}
	if (*steps) {
		(*steps++)();
		reactor_post(rig.r, p);
		return;
	}
	pthread_mutex_lock(&lock);
	finished = true;
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&lock);
}

/* Called on the main thread. */
static void run_steps(void (*const *list)(void))
{
	steps = list;
	rounds = 0;
	finished = false;
	step_post.run = run_step;
	reactor_post(rig.r, &step_post);
	pthread_mutex_lock(&lock);
	while (!finished)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
}

static void alone_waits(void)
{
	g_assert_true(take(&first, rig.r, 0, 10, false));
	g_assert_true(take(&second, rig.r, 100, 110, false));
	/* Even with nothing in the way it waits for each reactor to hand over. */
	g_assert_false(take(&third, rig.r, 5, 6, true));
	g_assert_false(take(&fourth, rig.r, 200, 300, true));
	g_assert_true(lun_state(rig.lun) & LUN_RANGES);
	g_assert_false(range_try(&fifth.range, rig.lun, 0, 0, 1));
}

static void others_wait_behind(void)
{
	g_assert_cmpuint(first.range.state, ==, RANGE_SHARED);
	g_assert_cmpuint(third.granted, ==, 0);		/* first is there */
	g_assert_cmpuint(fourth.granted, ==, 1);
	g_assert_false(take(&fifth, rig.r, 4, 20, false));	/* not past third */
	range_give(&first.range);
}

static void alone_runs(void)
{
	g_assert_cmpuint(third.granted, ==, 1);
	g_assert_cmpuint(fifth.granted, ==, 0);
	g_assert_false(range_leave(&third.range));
	g_assert_true(take(&first, rig.r, 6, 10, false));	/* beside it */
	range_give(&first.range);
	range_give(&third.range);
}

static void all_given(void)
{
	g_assert_cmpuint(fifth.granted, ==, 1);
	g_assert_false(take(&third, rig.r, 4, 5, true));
	g_assert_true(range_leave(&third.range));
	range_give(&fifth.range);
	range_give(&fourth.range);
	range_give(&second.range);
}

static void never_called(void)
{
	g_assert_cmpuint(third.granted, ==, 0);
	/* After a while without anybody alone it is as at first. */
	rig.lun->ranges.last_ms = 0;
	g_assert_true(take(&first, rig.r, 0, 10, false));
	g_assert_false(lun_state(rig.lun) & LUN_RANGES);
	g_assert_true(take(&second, rig.r, 0, 10, false));
	g_assert_cmpuint(second.range.state, ==, RANGE_LOCAL);
	/* What stayed in the common list is still seen. */
	g_assert_false(take(&third, rig.r, 9, 11, true));
	range_give(&second.range);
}

static void still_seen(void)
{
	g_assert_cmpuint(third.granted, ==, 0);
	range_give(&first.range);
}

static void seen(void)
{
	g_assert_cmpuint(third.granted, ==, 1);
	range_give(&third.range);
	g_assert_null(rig.lun->ranges.held.first);
}

static void (*const range_steps[])(void) = { alone_waits, others_wait_behind, alone_runs, all_given, never_called,
					     still_seen, seen, NULL };

/* ---- commands ---- */

struct sent {
	struct task task;
	bool ended;
};

static struct sent sent[4];

static void sent_done(struct task *t)
{
	container_of(t, struct sent, task)->ended = true;
}

static const struct task_ops sent_ops = { sent_done };

static void begin(struct sent *s, const void *cdb, const void *data, uint32_t edtl_out, uint32_t edtl_in)
{
	rig_fill(&s->task, cdb, 16, edtl_out, edtl_in);
	s->task.ops = &sent_ops;
	s->ended = false;
	if (task_begin(&s->task) == TASK_WANTS_DATA)
		task_execute_from(&s->task, data);
}

static void end(struct sent *s, enum scsi_status status)
{
	g_assert_true(s->ended);
	g_assert_cmpuint(s->task.status, ==, status);
	task_release(&s->task);
}

static const uint8_t caw[16] = { OP_COMPARE_AND_WRITE, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 2 };
static const uint8_t write21[16] = { OP_WRITE_16, 0, 0, 0, 0, 0, 0, 0, 0, 21, 0, 0, 0, 1 };
static const uint8_t read19[16] = { OP_READ_16, 0, 0, 0, 0, 0, 0, 0, 0, 19, 0, 0, 0, 2 };

static void caw_begins(void)
{
	rig.a = rig.nexus = nexus_new(rig.target, rig.r, "iqn.x:a,i,0x1", 1, 1);
	rig_clear_ua(rig.a);
	fill(rig.dev->ram + 20 * BS, 2 * BS, 3);
	fill(out, 2 * BS, 3);
	fill(out + 2 * BS, 2 * BS, 4);
	rig.dev->hold = true;
	begin(&sent[0], caw, out, 4 * BS, 0);
	g_assert_false(sent[0].ended);
	g_assert_null(rig.dev->held);
}

static void others_come(void)
{
	/* It reads. */
	g_assert_nonnull(rig.dev->held);
	rig.dev->hold = false;
	begin(&sent[1], write21, out + 64 * BS, BS, 0);
	begin(&sent[2], read19, NULL, 0, 2 * BS);
	begin(&sent[3], caw, out, 4 * BS, 0);
	g_assert_false(sent[1].ended || sent[2].ended || sent[3].ended);
	task_abort(&sent[3].task);
	g_assert_true(sent[3].ended && sent[3].task.aborted);
	task_release(&sent[3].task);
	/* What is beside them runs. */
	begin(&sent[3], (const uint8_t[16]){ OP_READ_10, 0, 0, 0, 0, 22, 0, 0, 1 }, NULL, 0, BS);
	end(&sent[3], STATUS_GOOD);
	fake_let_go(rig.dev, GOTGT_OK);
	end(&sent[0], STATUS_GOOD);
	g_assert_cmpmem(rig.dev->ram + 20 * BS, 2 * BS, out + 2 * BS, 2 * BS);
}

static void others_done(void)
{
	end(&sent[1], STATUS_GOOD);
	g_assert_cmpmem(rig.dev->ram + 21 * BS, BS, out + 64 * BS, BS);
	end(&sent[2], STATUS_GOOD);
	nexus_free(rig.a);
}

static void (*const command_steps[])(void) = { caw_begins, others_come, others_done, NULL };

/* Memory lent to a READ is held until it is given back; to a WRITE, until the data is there. */
static void lent_begins(void)
{
	rig.a = rig.nexus = nexus_new(rig.target, rig.r, "iqn.x:a,i,0x1", 1, 1);
	rig_clear_ua(rig.a);
	rig.dev->info.lends = true;
	fill(rig.dev->ram + 20 * BS, 2 * BS, 3);
	fill(out, 2 * BS, 3);
	begin(&sent[0], read19, NULL, 0, 2 * BS);
	g_assert_true(sent[0].ended && sent[0].task.lent);
	rig_fill(&sent[1].task, write21, 16, BS, 0);
	sent[1].task.ops = &sent_ops;
	sent[1].ended = false;
	g_assert_cmpint(task_begin(&sent[1].task), ==, TASK_WANTS_DATA);
	g_assert_true(task_place(&sent[1].task, true) && sent[1].task.lent);
	begin(&sent[2], caw, out, 4 * BS, 0);
}

static void lent_read_ends(void)
{
	g_assert_false(sent[2].ended);
	end(&sent[0], STATUS_GOOD);
}

static void lent_write_ends(void)
{
	g_assert_false(sent[2].ended);
	memset(sent[1].task.iov[0].iov_base, 0xdd, BS);
	task_execute(&sent[1].task);
	end(&sent[1], STATUS_GOOD);
}

static void lent_over(void)
{
	/* It sees what was written, to its first byte. */
	end(&sent[2], STATUS_CHECK_CONDITION);
	g_assert_cmpuint(sent[2].task.sense[2], ==, KEY_MISCOMPARE);
	g_assert_cmpuint(get_be32(sent[2].task.sense + 3), ==, BS);
	/* While ranges are shared nothing is lent. */
	begin(&sent[0], read19, NULL, 0, 2 * BS);
	g_assert_false(sent[0].task.lent);
	end(&sent[0], STATUS_GOOD);
	rig_fill(&sent[1].task, write21, 16, BS, 0);
	sent[1].task.ops = &sent_ops;
	g_assert_cmpint(task_begin(&sent[1].task), ==, TASK_WANTS_DATA);
	g_assert_true(task_place(&sent[1].task, true) && !sent[1].task.lent);
	task_execute(&sent[1].task);
	end(&sent[1], STATUS_GOOD);
	nexus_free(rig.a);
}

static void (*const lent_steps[])(void) = { lent_begins, lent_read_ends, lent_write_ends, lent_over, NULL };

static void run_on_rig(gconstpointer list)
{
	static const struct lun_conf thin = { .thin = true };
	GError *error = NULL;

	memset(&rig, 0, sizeof rig);
	rig.engine = engine_new(2, 2, &error);
	g_assert_no_error(error);
	rig.r = rig.engine->reactors[0];
	rig.target = target_new(rig.engine, RIG_NAME);
	rig.dev = fake_new(RIG_BLOCKS * 512ull, 512, GOTGT_DEV_WRITE_CACHE | GOTGT_DEV_THIN, RIG_OPS);
	rig.lun = target_add_lun(rig.target, 0, rig.dev, &thin, &error);
	g_assert_no_error(error);
	run_steps(list);
	target_remove_lun(rig.target, 0, NULL, NULL);
	g_assert_cmpuint(rig.dev->lends, ==, rig.dev->reclaims);
	target_free(rig.target);
	engine_free(rig.engine);
	fake_free(rig.dev);
}

/* ---- what needs no other command ---- */

static void go_alone(void)
{
	lun_set_state(rig.lun, 0, LUN_RANGES);	/* as after one that was: nothing is waited for */
	rig.lun->ranges.on = true;
}

static void test_compare_and_write(void)
{
	uint8_t fua[16];

	go_alone();
	fill(rig.dev->ram + 20 * BS, 2 * BS, 3);
	fill(out, 2 * BS, 3);
	fill(out + 2 * BS, 2 * BS, 4);
	out[BS + 7] ^= 1;
	rig_send(caw, 16, out, 4 * BS, 0);
	assert_sense(MISCOMPARE);
	g_assert_cmpuint(res.sense[0], ==, 0xf0);
	g_assert_cmpuint(get_be32(res.sense + 3), ==, BS + 7);
	g_assert_cmpmem(rig.dev->ram + 20 * BS, BS, out, BS);
	out[BS + 7] ^= 1;
	memcpy(fua, caw, 16);
	fua[1] = 0x08;	/* FUA */
	rig_send(fua, 16, out, 4 * BS, 0);
	assert_good();
	g_assert_cmpuint(res.xfer_len, ==, 4 * BS);
	g_assert_cmpuint(rig.dev->last_flags, ==, GOTGT_IO_FUA);
	g_assert_cmpmem(rig.dev->ram + 20 * BS, 2 * BS, out + 2 * BS, 2 * BS);
	/* Data-Out of any other size. */
	rig_send(caw, 16, out, 3 * BS, 0);
	assert_cdb_field(13, -1);
	rig_send(caw, 16, out, 5 * BS, 0);
	assert_cdb_field(13, -1);
	SEND(0, OP_COMPARE_AND_WRITE);
	assert_good();
	SEND_OUT(out, 2 * BS, OP_COMPARE_AND_WRITE, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_cdb_field(1, 5);
	SEND_OUT(out, 2 * BS, OP_COMPARE_AND_WRITE, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 1);
	assert_sense(LBA_OUT_OF_RANGE);
	rig.dev->fail = GOTGT_ERR_IO;
	rig.dev->fail_op = GOTGT_OP_READ;
	rig_send(caw, 16, out, 4 * BS, 0);
	assert_sense(READ_ERROR);
	lun_set_state(rig.lun, 0, LUN_SWP);
	rig_send(caw, 16, out, 4 * BS, 0);
	assert_sense(WRITE_PROTECTED);
}

/* Where the plugin compares and writes in one step, it does; and where it says that it cannot, that is done here. */
static void test_native(void)
{
	uint8_t fua[16];

	go_alone();
	rig.dev->info.compares = true;
	fill(rig.dev->ram + 20 * BS, 2 * BS, 3);
	fill(out, 2 * BS, 3);
	fill(out + 2 * BS, 2 * BS, 4);
	out[BS + 7] ^= 1;
	begin(&sent[0], caw, out, 4 * BS, 0);
	begin(&sent[1], caw, out, 4 * BS, 0);	/* it waits for the first */
	task_abort(&sent[1].task);
	g_assert_true(sent[1].ended && sent[1].task.aborted);
	task_release(&sent[1].task);
	g_assert_cmpuint(rig.dev->held_compare->offset, ==, 20 * BS);
	fake_compare_on(rig.dev, GOTGT_OK);
	end(&sent[0], STATUS_CHECK_CONDITION);
	g_assert_cmpuint(sent[0].task.sense[2], ==, KEY_MISCOMPARE);
	g_assert_cmpuint(get_be32(sent[0].task.sense + 3), ==, BS + 7);
	out[BS + 7] ^= 1;
	memcpy(fua, caw, 16);
	fua[1] = 0x08;
	begin(&sent[0], fua, out, 4 * BS, 0);
	fake_compare_on(rig.dev, GOTGT_OK);
	end(&sent[0], STATUS_GOOD);
	g_assert_cmpuint(rig.dev->submits, ==, 1);
	g_assert_cmpuint(rig.dev->flushes, ==, 1);
	g_assert_cmpmem(rig.dev->ram + 20 * BS, 2 * BS, out + 2 * BS, 2 * BS);
	begin(&sent[0], caw, out, 4 * BS, 0);
	fake_compare_on(rig.dev, GOTGT_ERR_IO);
	end(&sent[0], STATUS_CHECK_CONDITION);
	g_assert_cmpuint(sent[0].task.sense[2], ==, KEY_MEDIUM_ERROR);
	begin(&sent[0], caw, out + 2 * BS, 4 * BS, 0);
	fake_compare_on(rig.dev, GOTGT_ERR_UNSUPPORTED);
	end(&sent[0], STATUS_GOOD);
	g_assert_cmpuint(rig.dev->submits, ==, 3);
	g_assert_cmpmem(rig.dev->ram + 20 * BS, 2 * BS, out + 4 * BS, 2 * BS);
	/* Aborted, it ends when the plugin has let go. */
	begin(&sent[0], caw, out + 4 * BS, 4 * BS, 0);
	task_abort(&sent[0].task);
	g_assert_false(sent[0].ended);
	fake_compare_on(rig.dev, GOTGT_OK);
	g_assert_true(sent[0].ended && sent[0].task.aborted);
	task_release(&sent[0].task);
}

static void test_orwrite(void)
{
	go_alone();
	for (unsigned i = 0; i < 4 * BS; i++) {
		rig.dev->ram[8 * BS + i] = (uint8_t)(i * 3);
		out[i] = (uint8_t)(i * 5);
	}
	SEND_OUT(out, 3 * BS, OP_ORWRITE_16, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 3);
	assert_good();
	for (unsigned i = 0; i < 4 * BS; i++)
		g_assert_cmpuint(rig.dev->ram[8 * BS + i], ==, (uint8_t)(i * 3) | (i < 3 * BS ? (uint8_t)(i * 5) : 0));
	SEND(0, OP_ORWRITE_16);
	assert_good();
	SEND_OUT(out, 2 * BS, OP_ORWRITE_16, 0, 0, 0, 0, 0, 0, 0, 0x0f, 0xff, 0, 0, 0, 2);
	assert_sense(LBA_OUT_OF_RANGE);
}

static struct device *make_512e(void)
{
	struct device *dev = fake_new(RIG_BLOCKS * 512ull, 512, GOTGT_DEV_THIN, RIG_OPS);

	dev->info.physical_block_size = 4096;
	return dev;
}

static void test_write_atomic(void)
{
	go_alone();
	fill(out, 16 * BS, 9);
	SEND_OUT(out, 16 * BS, OP_WRITE_ATOMIC_16, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 16);
	assert_good();
	g_assert_cmpmem(rig.dev->ram + 8 * BS, 16 * BS, out, 16 * BS);
	SEND_OUT(out, 8 * BS, OP_WRITE_ATOMIC_16, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 8);
	assert_cdb_field(2, -1);
	SEND_OUT(out, 4 * BS, OP_WRITE_ATOMIC_16, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 4);
	assert_cdb_field(12, -1);
	SEND_OUT(out, 16 * BS, OP_WRITE_ATOMIC_16, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 8, 0, 16);
	assert_good();
	SEND_OUT(out, 16 * BS, OP_WRITE_ATOMIC_16, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 4, 0, 16);
	assert_cdb_field(10, -1);
	SEND_OUT(out, 2056 * BS, OP_WRITE_ATOMIC_16, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 8, 8);
	assert_cdb_field(12, -1);
	SEND(255, OP_INQUIRY, 1, 0xb0, 0, 255);
	assert_good();
	g_assert_cmpuint(res.in[5], ==, 255);
	g_assert_cmpuint(get_be32(res.in + 44), ==, 2048);
	g_assert_cmpuint(get_be32(res.in + 48), ==, 8);
	g_assert_cmpuint(get_be32(res.in + 52), ==, 8);
}

/* ---- EXTENDED COPY holds what it copies ---- */

static void begin_copy(struct sent *s)
{
	uint8_t cdb[16] = { OP_THIRD_PARTY_COPY_OUT }, list[44] = { 0, 0x18 };

	cdb[13] = sizeof list;
	list[11] = 28;
	memcpy(list + 16, (const uint8_t[]){ 2, 0, 0, 24, 0xff, 0xff, 0xff, 0xff }, 8);
	list[16 + 11] = 4;	/* blocks 0 to 3 to 8 to 11 */
	list[16 + 27] = 8;
	begin(s, cdb, list, sizeof list, 0);
}

static void alone_in_the_way(void)
{
	rig.a = rig.nexus = nexus_new(rig.target, rig.r, "iqn.x:a,i,0x1", 1, 1);
	rig_clear_ua(rig.a);
	take(&first, rig.r, 10, 11, true);
}

static void copy_waits(void)
{
	g_assert_cmpuint(first.granted, ==, 1);
	begin_copy(&sent[0]);
	begin_copy(&sent[1]);
	g_assert_false(sent[0].ended || sent[1].ended);
	task_abort(&sent[1].task);
	g_assert_true(sent[1].ended && sent[1].task.aborted);
	task_release(&sent[1].task);
}

static void copy_still_waits(void)
{
	g_assert_null(fake_copy);
	range_give(&first.range);
}

static void copy_copies(void)
{
	g_assert_nonnull(fake_copy);
	g_assert_false(take(&third, rig.r, 2, 3, true));
}

static void copy_is_waited_for(void)
{
	g_assert_cmpuint(third.granted, ==, 0);
	memset(rig.dev->ram, 0x77, 4 * BS);
	fake_copy_on();
	end(&sent[0], STATUS_GOOD);
	g_assert_cmpmem(rig.dev->ram + 8 * BS, 4 * BS, rig.dev->ram, 4 * BS);
}

static void copy_was_waited_for(void)
{
	g_assert_cmpuint(third.granted, ==, 1);
	range_give(&third.range);
	nexus_free(rig.a);
}

static void (*const copy_steps[])(void) = { alone_in_the_way, copy_waits, copy_still_waits, copy_copies,
					    copy_is_waited_for, copy_was_waited_for, NULL };

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	rig_add("/scsi/atomic/ranges/local", test_local);
	g_test_add_data_func("/scsi/atomic/ranges/alone", range_steps, run_on_rig);
	g_test_add_data_func("/scsi/atomic/commands", command_steps, run_on_rig);
	g_test_add_data_func("/scsi/atomic/lent", lent_steps, run_on_rig);
	g_test_add_data_func("/scsi/atomic/copy", copy_steps, run_on_rig);
	rig_add("/scsi/atomic/compare-and-write", test_compare_and_write);
	rig_add("/scsi/atomic/native", test_native);
	rig_add("/scsi/atomic/orwrite", test_orwrite);
	rig_add_dev("/scsi/atomic/write-atomic", make_512e, NULL, test_write_atomic);
	return g_test_run();
}
