/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-cdb.c - commands with their parameter lists and data, one after the other, of four I_T nexuses, to a LUN on a
 * device in memory, and what is done to the LUN between them.  An input is two bytes of what there is (enum kind, enum
 * more) and commands.  A command is: flags (enum below), CDB (with FROM_TABLE the number of a row of the table of
 * commands, and a CDB whose other bits are masked by that), with OTHER_ATTR a byte of task attribute, nexus and what
 * happens first (an action and a byte for it), length of Data-Out, Expected Data Transfer Length of Data-In in units of
 * 16 bytes, Data-Out.
 */
#include "config.h"
#include <glib/gstdio.h>
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
/* The first byte of an input ... */
enum kind {
	THIN = 1, REMOVABLE = 2, READ_ONLY = 4, BIG_BLOCKS = 8, CACHE = 16, BARE = 32, LENDS = 64, EXTENTS = 128,
};
/* ... and the second. */
enum more {
	KEEPS = 1, OTHERS = 2, LOGGED_IN_THERE = 4, POSTS = 8, DECLINES = 16, BIG_PHYSICAL = 32, COMPARES = 64, PIECES = 128,
};
#define BLOCKS 384u
#define NEXUSES 4u
#define NAME "iqn.2024-01.org.gotgt:fuzz"
#define COMMANDS_MAX 32
#define HANG_S 20
#define PATIENCE 10

static struct engine *engine;
static char *state_dir;

static struct run {
	uint8_t kind, more;
	struct target *target;
	struct device *dev;
	struct lun *lun;
	struct nexus *nexus[NEXUSES];
	struct { struct target *target; struct device *dev, *big; struct nexus *nexus; } other;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool ended;
} run = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

struct command {
	struct task task;
	uint8_t flags;
	bool abort, hold;
	enum gotgt_status let_go;
	uint8_t *out;
	uint32_t out_len;
	enum gotgt_status fail;		/* of the device's requests from here on */
	uint32_t fail_op, fail_after;
};

static const enum gotgt_status failures[] = { GOTGT_ERR_IO, GOTGT_ERR_NO_SPACE, GOTGT_ERR_READ_ONLY, GOTGT_ERR_BUSY,
	GOTGT_ERR_NOT_READY, GOTGT_ERR_UNSUPPORTED, GOTGT_ERR_NO_MEMORY };

static void quiet(enum gotgt_log_level level, const char *line, void *data)
{
}

static void remove_state_dir(void)
{
	g_rmdir(state_dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	log_set_sink(quiet, NULL);
	engine = engine_new(2, 2, NULL);
	state_dir = g_dir_make_tmp("gotgt-fuzz-XXXXXX", NULL);
	if (!state_dir)
		abort();
	atexit(remove_state_dir);
	return 0;
}

/* All at one: the device, which this program changes as it goes, is used by nobody else.  (fuzz-node has several.) */
static struct reactor *home(unsigned nexus)
{
	return engine->reactors[0];
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
	run.dev->hold = c->hold && !(lun_state(run.lun) & LUN_JOB_BUSY);
	if (task_begin(&c->task) == TASK_WANTS_DATA) {
		if (!c->task.out_len || c->task.out_len > c->out_len)
			abort();
		if (c->abort && c->hold) {	/* before its data */
			task_abort(&c->task);
			return;
		}
		give_data(c);
	}
	if (c->abort && c->task.phase != TASK_ENDED)
		task_abort(&c->task);
}

static void release(void *arg)
{
	task_release(&((struct command *)arg)->task);
}

/* What the fake device holds until it is told to go on. */
static void go_on(void *arg)
{
	struct command *c = arg;

	if (run.dev->held_query || run.dev->held)
		fake_let_go(run.dev, c->let_go);
	else if (run.dev->held_compare)
		fake_compare_on(run.dev, c->let_go);
	else if (fake_copy)
		fake_copy_on();
	run.dev->hold = false;
}

static void wait_end(struct command *c)
{
	time_t since = time(NULL);
	unsigned waits = 0;

	pthread_mutex_lock(&run.lock);
	while (!run.ended) {
		struct timespec soon;

		pthread_mutex_unlock(&run.lock);
		reactor_call(c->task.reactor, go_on, c);
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
	if (c->hold)		/* a job may be held, whose command has ended */
		reactor_call(c->task.reactor, go_on, c);
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

/* ---- what happens between commands ---- */

struct act { void (*run)(struct command *c, uint8_t arg); };

static void on_reactor(void (*run_there)(void *arg), void *arg)
{
	reactor_call(engine->reactors[0], run_there, arg);
}

static void reset_lun(void *arg)
{
	lun_reset(run.lun);
}

static void act_reset_lun(struct command *c, uint8_t arg)
{
	on_reactor(reset_lun, NULL);
}

static void reset_target(void *arg)
{
	target_reset(run.target);
}

static void act_reset_target(struct command *c, uint8_t arg)
{
	on_reactor(reset_target, NULL);
}

static void come(void *arg)
{
	static const char *const ports[NEXUSES] = { "iqn.x:a,i,0x1", "iqn.x:b,i,0x2", "iqn.x:a,i,0x1", "iqn.x:c,i,0x3" };
	unsigned i = GPOINTER_TO_UINT(arg);
	uint16_t port = (uint16_t)(1 + i / 2);

	run.nexus[i] = nexus_new(run.target, home(i), ports[i], port, port);
	while (ua_take(nexus_lun(run.nexus[i], 0)) != SENSE_NONE)
		;
}

static void go(void *arg)
{
	nexus_free(run.nexus[GPOINTER_TO_UINT(arg)]);
}

static void act_come_again(struct command *c, uint8_t arg)
{
	unsigned i = arg % NEXUSES;

	reactor_call(home(i), go, GUINT_TO_POINTER(i));
	reactor_call(home(i), come, GUINT_TO_POINTER(i));
}

static bool add_lun(void)
{
	struct lun_conf conf = { .thin = run.kind & THIN, .removable = run.kind & REMOVABLE, .read_only = run.kind & READ_ONLY,
		.physical_block_size = run.more & BIG_PHYSICAL ? 4096 : 0 };
	uint32_t block = run.kind & BIG_BLOCKS ? 4096 : 512;
	GError *error = NULL;

	run.dev = fake_new(BLOCKS * block, block, run.kind & CACHE ? GOTGT_DEV_WRITE_CACHE | GOTGT_DEV_THIN : 0,
			   run.kind & BARE ? 0 : GOTGT_OP_BIT(GOTGT_OP_FLUSH) | GOTGT_OP_BIT(GOTGT_OP_UNMAP) | GOTGT_OP_BIT(GOTGT_OP_ZERO));
	run.dev->info.lends = run.kind & LENDS;
	run.dev->info.extents = run.kind & EXTENTS;
	run.dev->info.compares = run.more & COMPARES;
	run.dev->lend_pieces = run.more & PIECES ? 2 : 1;
	run.dev->post = run.more & POSTS;
	run.dev->no_try = run.more & DECLINES;
	run.dev->extents[0] = (struct gotgt_extent){ .length = BLOCKS / 2 * block };
	run.dev->n_extents = 1;
	run.lun = target_add_lun(run.target, 0, run.dev, &conf, &error);
	g_clear_error(&error);
	return run.lun;
}

static void fail_no_more(void *arg)
{
	run.dev->fail = GOTGT_OK;
}

static void remove_lun(void)
{
	on_reactor(fail_no_more, NULL);
	target_remove_lun(run.target, 0, NULL, NULL);
	if (!run.dev->closed || run.dev->lends != run.dev->reclaims)
		abort();
	fake_free(run.dev);
}

/* As after a restart: what was kept is read again. */
static void act_restart(struct command *c, uint8_t arg)
{
	remove_lun();
	if (!add_lun())
		abort();
}

static void act_reconfigure(struct command *c, uint8_t arg)
{
	const struct lun_conf conf = { .thin = arg & 1, .read_only = arg & 2, .offline = arg & 4,
		.serial = arg & 8 ? "another" : NULL, .vendor = arg & 16 ? "V" : NULL, .product = arg & 32 ? "P" : NULL,
		.naa = arg & 64 ? 0x3000000000000001 : 0, .io_timeout_s = arg & 128 ? 1 : 0 };

	lun_reconfigure(run.lun, &conf, NULL);
}

static void resize(void *arg)
{
	run.dev->shrinks = true;	/* under a job, too */
	fake_resize(run.dev, (1 + GPOINTER_TO_UINT(arg)) * run.dev->info.block_size);
}

static void act_resize(struct command *c, uint8_t arg)
{
	on_reactor(resize, GUINT_TO_POINTER(arg));
}

static void resize_unseen(void *arg)
{
	run.dev->shrinks = true;
	run.dev->size_seen = (1 + GPOINTER_TO_UINT(arg)) * run.dev->info.block_size;
}

static void act_resize_unseen(struct command *c, uint8_t arg)
{
	on_reactor(resize_unseen, GUINT_TO_POINTER(arg));
}

static void set_view(void *arg)
{
	unsigned what = GPOINTER_TO_UINT(arg);
	const struct lun_view_row row = { .number = what >> 4, .read_only = what & 4 };

	nexus_set_view(run.nexus[what % NEXUSES], what & 8 ? NULL : lun_view_new(&row, what >> 4 & 1, what & 4));
}

static void act_view(struct command *c, uint8_t arg)
{
	reactor_call(home(arg % NEXUSES), set_view, GUINT_TO_POINTER(arg));
}

static void act_groups(struct command *c, uint8_t arg)
{
	const struct alua_group groups[] = { { 1, arg & 3, arg & 16 }, { 2, arg >> 2 & 3, arg & 32 } };

	target_set_groups(run.target, groups, arg & 128 ? 1 : 2, arg & 64);
}

static void act_fail_lending(struct command *c, uint8_t arg)
{
	run.dev->lend_fail = arg & 128 ? GOTGT_OK : failures[arg % G_N_ELEMENTS(failures)];
}

static void act_fail_query(struct command *c, uint8_t arg)
{
	run.dev->query_fail = arg & 128 ? GOTGT_OK : failures[arg % G_N_ELEMENTS(failures)];
}

static void act_abort(struct command *c, uint8_t arg)
{
	c->abort = true;
	c->hold = arg & 1;
	c->let_go = arg & 2 ? GOTGT_ERR_CANCELED : GOTGT_OK;
}

static void act_hold(struct command *c, uint8_t arg)
{
	c->hold = true;
	c->let_go = arg & 128 ? GOTGT_OK : failures[arg % G_N_ELEMENTS(failures)];
}

static void act_extents(struct command *c, uint8_t arg)
{
	uint64_t block = run.dev->info.block_size;

	run.dev->n_extents = arg % G_N_ELEMENTS(run.dev->extents);
	for (uint32_t i = 0; i < run.dev->n_extents; i++)
		run.dev->extents[i] = (struct gotgt_extent){ .length = (1u + (arg >> 4)) * block, .state = arg >> i & 1 };
}

static const struct act acts[] = {
	{ NULL }, { act_reset_lun }, { act_reset_target }, { act_come_again }, { act_restart }, { act_reconfigure }, { act_resize },
	{ act_resize_unseen }, { act_view }, { act_groups }, { act_fail_lending }, { act_fail_query }, { act_abort }, { act_hold },
	{ act_extents },
};

/* ---- an input ---- */

static void command(struct fuzz_in *in)
{
	struct command c = { .flags = fuzz_byte(in), .let_go = GOTGT_OK };
	struct task *t = &c.task;
	unsigned nexus = c.flags & OTHER_NEXUS ? 1 : 0;

	t->ops = &ops;
	t->cdb_len = c.flags & LONG_CDB ? TASK_CDB_MAX : 16;
	if (c.flags & FROM_TABLE)
		take_from_table(in, t->cdb);
	else
		fuzz_take(in, t->cdb, t->cdb_len);
	t->attr = TASK_SIMPLE;
	if (c.flags & OTHER_ATTR) {
		uint8_t what = fuzz_byte(in);
		unsigned act = (what >> 3) % G_N_ELEMENTS(acts);

		t->attr = what & 3;
		nexus += what & 4 ? 2 : 0;
		if (acts[act].run)
			acts[act].run(&c, fuzz_byte(in));
	}
	t->reactor = home(nexus);
	t->nexus = run.nexus[nexus];
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
	reactor_call(t->reactor, begin, &c);
	wait_end(&c);
	reactor_call(t->reactor, release, &c);
	g_free(c.out);
}

/* The transport has no other tasks. */
static void purge(void *arg, struct task_purge *p)
{
	for (unsigned i = 0; i < NEXUSES; i++)
		if (p->match)
			p->match(run.nexus[i], p->arg);
	reactor_post(p->home, &p->post);
}

static void come_there(void *arg)
{
	run.other.nexus = nexus_new(run.other.target, engine->reactors[0], "iqn.x:a,i,0x1", 1, 1);
}

static void go_there(void *arg)
{
	nexus_free(run.other.nexus);
}

/* Two units of another target, for copies. */
static void add_others(void)
{
	const struct lun_conf conf = { .serial = "other" }, big = { .serial = "big", .block_size = 4096 };

	run.other.target = target_new(engine, "iqn.2024-01.org.gotgt:other");
	run.other.dev = fake_new(BLOCKS * 512, 512, GOTGT_DEV_WRITE_CACHE, 0);
	run.other.big = fake_new(64 * 4096, 512, 0, GOTGT_OP_BIT(GOTGT_OP_FLUSH));
	if (!target_add_lun(run.other.target, 3, run.other.dev, &conf, NULL) ||
	    !target_add_lun(run.other.target, 4, run.other.big, &big, NULL))
		abort();
	if (run.more & LOGGED_IN_THERE)
		on_reactor(come_there, NULL);
}

static void remove_others(void)
{
	if (run.more & LOGGED_IN_THERE)
		on_reactor(go_there, NULL);
	target_remove_lun(run.other.target, 3, NULL, NULL);
	target_remove_lun(run.other.target, 4, NULL, NULL);
	target_free(run.other.target);
	fake_free(run.other.dev);
	fake_free(run.other.big);
}

static void pool_is_whole(struct reactor *r, void *arg)
{
	if (bufpool_in_use(reactor_pool(r)))
		abort();
}

static void forget_files(void)
{
	GDir *dir = g_dir_open(state_dir, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(state_dir, name, NULL);

		g_unlink(path);
	}
	if (dir)
		g_dir_close(dir);
}

static void commands(struct fuzz_in *in)
{
	if (run.more & OTHERS)
		add_others();
	for (unsigned i = 0; i < NEXUSES; i++)
		reactor_call(home(i), come, GUINT_TO_POINTER(i));
	for (unsigned n = 0; n < COMMANDS_MAX && in->left; n++)
		command(in);
	for (unsigned i = 0; i < NEXUSES; i++)
		reactor_call(home(i), go, GUINT_TO_POINTER(i));
	if (run.more & OTHERS)
		remove_others();
	remove_lun();
	engine_each(engine, pool_is_whole, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct target_port ports[] = { { 1, 1 }, { 2, 2 } };
	struct fuzz_in in = { data, size };
	bool there;

	run.kind = fuzz_byte(&in);
	run.more = fuzz_byte(&in);
	engine->state_dir = run.more & KEEPS ? state_dir : NULL;
	run.target = target_new(engine, NAME);
	target_set_ports(run.target, ports, G_N_ELEMENTS(ports));
	target_set_purge(run.target, purge, NULL);
	there = add_lun();
	if (there)
		commands(&in);
	else		/* such a device is no such unit */
		fake_free(run.dev);
	target_free(run.target);
	if (run.more & KEEPS)
		forget_files();
	return there ? 0 : -1;
}
