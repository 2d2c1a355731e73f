/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-cdb.c - commands with their parameter lists and data, one after the other, of two initiators, to a LUN on a device
 * in memory.  A command in an input is: flags (enum below), CDB (with FROM_TABLE the number of a row of the table of
 * commands, and a CDB whose other bits are masked by that), length of Data-Out, Expected Data Transfer Length of
 * Data-In in units of 16 bytes, Data-Out.
 */
#include "config.h"
#include <stdlib.h>
#include <time.h>
#include "../unit/fake-device.h"
#include "engine/log.h"
#include "scsi/cdb.h"
#include "scsi/job.h"
#include "scsi/lun.h"
#include "scsi/target.h"
#include "scsi/task.h"
#include "fuzz.h"

enum {
	OTHER_NEXUS = 1, PLACED = 2, LENT = 4, NO_LUN = 8, LONG_CDB = 16, OTHER_ATTR = 32, FAILING = 64, FROM_TABLE = 128,
};
#define BLOCKS 384u
#define COMMANDS_MAX 32
#define HANG_S 20
#define PATIENCE 10

static struct engine *engine;
static struct reactor *reactor;

struct run {
	struct target *target;
	struct device *dev;
	struct lun *lun;
	struct nexus *nexus[2];
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool ended;
};
static struct run run = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

struct command {
	struct task task;
	uint8_t flags;
	uint8_t *out;
	uint32_t out_len;
	enum gotgt_status fail;		/* of the device's requests from here on */
	uint32_t fail_op, fail_after;
};

static void quiet(enum gotgt_log_level level, const char *line, void *data)
{
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	log_set_sink(quiet, NULL);
	engine = engine_new(1, 2, NULL);
	reactor = engine->reactors[0];
	return 0;
}

static volatile uint8_t seen;

static void ended(struct task *t)
{
	size_t len = 0;

	if (t->in_len > t->edtl_in || (t->status == STATUS_CHECK_CONDITION) != (t->sense_len > 0))
		abort();
	for (uint32_t i = 0; t->in_len && i < t->iovcnt; len += t->iov[i++].iov_len)
		for (size_t j = 0; j < t->iov[i].iov_len; j++)	/* all of it can be read */
			seen ^= ((uint8_t *)t->iov[i].iov_base)[j];
	if (t->in_len && len != t->in_len)
		abort();
	pthread_mutex_lock(&run.lock);
	if (run.ended)
		abort();
	run.ended = true;
	pthread_cond_signal(&run.cond);
	pthread_mutex_unlock(&run.lock);
}

static const struct task_ops ops = { ended };

static void give_data(struct command *c)
{
	struct task *t = &c->task;
	size_t at = 0;

	if (!(c->flags & PLACED)) {
		g_autofree uint8_t *exact = g_malloc(t->out_len);

		memcpy(exact, c->out, t->out_len);
		task_execute_from(t, exact);
		return;
	}
	if (!task_place(t, c->flags & LENT))
		return;
	for (uint32_t i = 0; i < t->iovcnt; at += t->iov[i++].iov_len)
		memcpy(t->iov[i].iov_base, c->out + at, t->iov[i].iov_len);
	if (at != t->out_len)
		abort();
	task_execute(t);
}

static void begin(void *arg)
{
	struct command *c = arg;

	run.dev->fail_op = c->fail_op;		/* here, as a job may be at it */
	run.dev->fail_after = c->fail_after;
	run.dev->fail = c->fail;
	if (task_begin(&c->task) != TASK_WANTS_DATA)
		return;
	if (!c->task.out_len || c->task.out_len > c->out_len)
		abort();
	give_data(c);
}

static void release(void *arg)
{
	task_release(&((struct command *)arg)->task);
}

/* What the fake device holds until it is told to go on. */
static void go_on(void *arg)
{
	if (run.dev->held_query)
		fake_let_go(run.dev, GOTGT_OK);
	else if (fake_copy)
		fake_copy_on();
}

static void wait_end(void)
{
	time_t since = time(NULL);
	unsigned waits = 0;

	pthread_mutex_lock(&run.lock);
	while (!run.ended) {
		struct timespec soon;

		pthread_mutex_unlock(&run.lock);
		reactor_call(reactor, go_on, NULL);
		if (++waits > PATIENCE)		/* it may be a job that takes seconds */
			job_stop(run.lun);
		clock_gettime(CLOCK_REALTIME, &soon);
		soon.tv_nsec = (soon.tv_nsec + 1000000) % 1000000000;
		soon.tv_sec += soon.tv_nsec < 1000000;
		pthread_mutex_lock(&run.lock);
		if (!run.ended)
			pthread_cond_timedwait(&run.cond, &run.lock, &soon);
		if (time(NULL) - since > HANG_S)
			abort();	/* a command that never ends */
	}
	run.ended = false;
	pthread_mutex_unlock(&run.lock);
}

/* A command that gets further than opcode, reserved bits and, mostly, LBA and length. */
static void take_from_table(struct fuzz_in *in, uint8_t *cdb)
{
	static unsigned n_rows;
	const struct cdb_op *op;
	uint8_t usage[CDB_LEN_MAX], near;

	while (cdb_nth(n_rows))
		n_rows++;
	op = cdb_nth(fuzz_byte(in) % n_rows);
	near = fuzz_byte(in);
	fuzz_take(in, cdb, op->len);
	cdb_usage(op, NULL, usage);
	for (unsigned i = 1; i < op->len; i++)
		cdb[i] &= usage[i];
	cdb[0] = op->opcode;
	if (op->flags & CDB_SA)
		cdb[1] = (uint8_t)((cdb[1] & ~0x1f) | op->sa);
	if (near & 1 && op->lba_len > 1)
		memset(cdb + op->lba_at, 0, op->lba_len - 1u);
	if (near & 2 && op->len_len > 1)
		memset(cdb + op->len_at, 0, op->len_len - 1u);
}

static void command(struct fuzz_in *in)
{
	static const enum gotgt_status failures[] = { GOTGT_ERR_IO, GOTGT_ERR_NO_SPACE, GOTGT_ERR_READ_ONLY, GOTGT_ERR_BUSY,
		GOTGT_ERR_NOT_READY, GOTGT_ERR_UNSUPPORTED, GOTGT_ERR_NO_MEMORY };
	struct command c = { .flags = fuzz_byte(in) };
	struct task *t = &c.task;

	t->ops = &ops;
	t->reactor = reactor;
	t->nexus = run.nexus[c.flags & OTHER_NEXUS];
	t->cdb_len = c.flags & LONG_CDB ? TASK_CDB_MAX : 16;
	if (c.flags & FROM_TABLE)
		take_from_table(in, t->cdb);
	else
		fuzz_take(in, t->cdb, t->cdb_len);
	t->attr = c.flags & OTHER_ATTR ? fuzz_byte(in) & 3 : TASK_SIMPLE;
	if (c.flags & NO_LUN)
		fuzz_take(in, t->lun_addr, 8);
	if (c.flags & FAILING) {
		c.fail_op = fuzz_byte(in) & 7;
		c.fail = failures[fuzz_byte(in) % G_N_ELEMENTS(failures)];
		c.fail_after = fuzz_byte(in) & 3;
	}
	c.out_len = t->edtl_out = fuzz_word(in);
	t->edtl_in = fuzz_word(in) * 16u;
	c.out = g_malloc(c.out_len + 1);
	fuzz_take(in, c.out, c.out_len);
	reactor_call(reactor, begin, &c);
	wait_end();
	reactor_call(reactor, release, &c);
	g_free(c.out);
}

static void log_in(void *arg)
{
	run.nexus[0] = nexus_new(run.target, reactor, "iqn.x:a,i,0x1", 1, 1);
	run.nexus[1] = nexus_new(run.target, reactor, "iqn.x:b,i,0x2", 2, 1);
	for (unsigned i = 0; i < 2; i++)
		while (ua_take(nexus_lun(run.nexus[i], 0)) != SENSE_NONE)
			;
}

static void log_out(void *arg)
{
	run.dev->fail = GOTGT_OK;
	nexus_free(run.nexus[0]);
	nexus_free(run.nexus[1]);
	if (bufpool_in_use(reactor_pool(reactor)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	uint8_t kind = fuzz_byte(&in);
	struct lun_conf conf = { .thin = kind & 1, .removable = kind & 2, .read_only = kind & 4 };
	uint32_t block = kind & 8 ? 4096 : 512;
	GError *error = NULL;

	run.target = target_new(engine, "iqn.2024-01.org.gotgt:fuzz");
	run.dev = fake_new(BLOCKS * block, block, kind & 16 ? GOTGT_DEV_WRITE_CACHE | GOTGT_DEV_THIN : 0,
			   kind & 32 ? 0 : GOTGT_OP_BIT(GOTGT_OP_FLUSH) | GOTGT_OP_BIT(GOTGT_OP_UNMAP) | GOTGT_OP_BIT(GOTGT_OP_ZERO));
	run.dev->info.lends = kind & 64;
	run.dev->info.extents = kind & 128;
	run.dev->extents[0] = (struct gotgt_extent){ .length = BLOCKS / 2 * block };
	run.dev->n_extents = 1;
	run.lun = target_add_lun(run.target, 0, run.dev, &conf, &error);
	if (!run.lun) {		/* such a device is no such unit */
		g_clear_error(&error);
		target_free(run.target);
		fake_free(run.dev);
		return -1;
	}
	reactor_call(reactor, log_in, NULL);
	for (unsigned n = 0; n < COMMANDS_MAX && in.left; n++)
		command(&in);
	reactor_call(reactor, log_out, NULL);
	target_remove_lun(run.target, 0, NULL, NULL);
	if (!run.dev->closed || run.dev->lends != run.dev->reclaims)
		abort();
	target_free(run.target);
	fake_free(run.dev);
	return 0;
}
