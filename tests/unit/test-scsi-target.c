/* SPDX-License-Identifier: Apache-2.0 */
/* Targets, their LUNs and nexuses; tasks that do not run straight to their end. */
#include "config.h"
#include "scsi-rig.h"

enum { BS = 512 };
static uint8_t out[64 * BS];

/* The linker gives us what the core calls bufpool_get() and bufpool_get_data(). */
struct buf *__real_bufpool_get(struct bufpool *p, size_t size);
struct buf *__wrap_bufpool_get(struct bufpool *p, size_t size);
struct buf *__real_bufpool_get_data(struct bufpool *p, size_t size);
struct buf *__wrap_bufpool_get_data(struct bufpool *p, size_t size);
static int bufs_left = -1;

static bool is_out(void)
{
	if (bufs_left > 0) {
		bufs_left--;
		return false;
	}
	return bufs_left == 0;
}

struct buf *__wrap_bufpool_get(struct bufpool *p, size_t size)
{
	return is_out() ? NULL : __real_bufpool_get(p, size);
}

struct buf *__wrap_bufpool_get_data(struct bufpool *p, size_t size)
{
	return is_out() ? NULL : __real_bufpool_get_data(p, size);
}

/* ---- a task by hand ---- */

struct hand {
	struct task task;
	unsigned dones;
};

static void hand_done(struct task *t)
{
	container_of(t, struct hand, task)->dones++;
}

static const struct task_ops hand_ops = { hand_done };

static enum task_begun hand_begin(struct hand *h, const uint8_t *cdb, size_t len, uint32_t edtl_out, uint32_t edtl_in)
{
	rig_fill(&h->task, cdb, len, edtl_out, edtl_in);
	h->task.ops = &hand_ops;
	h->dones = 0;
	return task_begin(&h->task);
}
#define BEGIN(h, edtl_out, edtl_in, ...) \
	hand_begin(h, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), edtl_out, edtl_in)

static void assert_aborted(struct hand *h)
{
	g_assert_cmpuint(h->dones, ==, 1);
	g_assert_true(h->task.aborted);
	g_assert_cmpuint(h->task.in_len, ==, 0);
	task_abort(&h->task);	/* too late to matter */
	g_assert_cmpuint(h->dones, ==, 1);
	task_release(&h->task);
}

static void test_abort(void)
{
	struct hand h;

	/* Waiting for data, before and after its place was chosen. */
	for (unsigned place = 0; place < 3; place++) {
		rig.dev->info.lends = place == 2;
		g_assert_cmpint(BEGIN(&h, BS, 0, OP_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1), ==, TASK_WANTS_DATA);
		if (place)
			g_assert_true(task_place(&h.task, true));
		g_assert_true(h.task.lent == (place == 2));
		task_abort(&h.task);
		assert_aborted(&h);
	}
	g_assert_cmpuint(rig.dev->submits, ==, 0);
	rig.dev->info.lends = false;
	/* At the device. */
	rig.dev->hold = true;
	g_assert_cmpint(BEGIN(&h, 0, BS, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1), ==, TASK_GOING);
	task_abort(&h.task);
	g_assert_cmpuint(h.dones, ==, 0);
	g_assert_cmpuint(rig.dev->cancels, ==, 1);
	task_abort(&h.task);
	g_assert_cmpuint(rig.dev->cancels, ==, 1);
	fake_let_go(rig.dev, GOTGT_ERR_CANCELED);
	assert_aborted(&h);
	/* Too late for the device, and no further step is taken. */
	rig.dev->hold = true;
	BEGIN(&h, 0, 0, OP_VERIFY_10, 0, 0, 0, 0, 0, 0, 0x10);
	task_abort(&h.task);
	fake_let_go(rig.dev, GOTGT_OK);
	assert_aborted(&h);
	g_assert_cmpuint(rig.dev->submits, ==, 2);
	/* Asking for extents. */
	rig.dev->info.extents = true;
	BEGIN(&h, 0, 24, OP_SERVICE_ACTION_IN_16, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24);
	task_abort(&h.task);
	g_assert_cmpuint(h.dones, ==, 0);
	fake_let_go(rig.dev, GOTGT_OK);
	assert_aborted(&h);
}

static void test_refuse(void)
{
	struct hand h;

	rig_fill(&h.task, (const uint8_t[]){ OP_READ_10 }, 1, 0, BS);
	h.task.ops = &hand_ops;
	h.dones = 0;
	task_refuse(&h.task, STATUS_TASK_SET_FULL, SENSE_NONE);
	g_assert_cmpuint(h.dones, ==, 1);
	g_assert_cmpuint(h.task.status, ==, STATUS_TASK_SET_FULL);
	g_assert_cmpuint(h.task.sense_len, ==, 0);
	task_release(&h.task);
	rig.dev->info.lends = true;
	BEGIN(&h, BS, 0, OP_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1);
	g_assert_true(task_place(&h.task, true));
	task_lent_fault(&h.task);
	g_assert_cmpuint(rig.dev->faults, ==, 1);
	task_refuse(&h.task, STATUS_CHECK_CONDITION, SENSE_WRITE_ERROR);
	g_assert_cmpuint(h.dones, ==, 1);
	g_assert_cmpuint(h.task.status, ==, STATUS_CHECK_CONDITION);
	g_assert_cmpuint(h.task.sense[12], ==, 0x0c);
	task_release(&h.task);
}

/* The memory of a READ that went well is gone when it is sent. */
static void test_unread(void)
{
	struct hand h;

	BEGIN(&h, 0, BS, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1);
	g_assert_cmpuint(h.task.status, ==, STATUS_GOOD);
	g_assert_false(task_unread(&h.task));
	g_assert_cmpuint(h.task.status, ==, STATUS_GOOD);
	task_release(&h.task);

	rig.dev->info.lends = true;
	BEGIN(&h, 0, BS, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1);
	g_assert_true(h.task.lent);
	g_assert_true(task_unread(&h.task));
	g_assert_cmpuint(rig.dev->faults, ==, 1);
	g_assert_cmpuint(h.dones, ==, 1);
	g_assert_cmpuint(h.task.status, ==, STATUS_CHECK_CONDITION);
	g_assert_cmpuint(h.task.sense_len, ==, 18);
	g_assert_cmpuint(h.task.sense[2], ==, KEY_MEDIUM_ERROR);
	g_assert_cmpuint(h.task.sense[12], ==, 0x11);
	g_assert_cmpuint(h.task.in_len, ==, BS);	/* of which bytes may have left */
	g_assert_false(task_unread(&h.task));
	task_release(&h.task);
}

/* BUSY, not a crash, wherever a buffer is asked for. */
static void test_no_memory(void)
{
	static const struct { uint8_t cdb[16]; uint32_t out, in; int bufs; } cases[] = {
		{ { OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1 }, 0, BS, 1 },
		{ { OP_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1 }, BS, 0, 1 },
		{ { OP_VERIFY_10, 0, 0, 0, 0, 0, 0, 0, 1 }, 0, 0, 1 },
		{ { OP_VERIFY_10, 2, 0, 0, 0, 0, 0, 0, 1 }, BS, 0, 2 },
		{ { OP_WRITE_VERIFY_10, 2, 0, 0, 0, 0, 0, 0, 1 }, BS, 0, 2 },
		{ { OP_WRITE_SAME_10, 0, 0, 0, 0, 0, 0, 0, 1 }, BS, 0, 1 },
		{ { OP_PRE_FETCH_10, 0, 0, 0, 0, 0, 0, 0, 1 }, 0, 0, 1 },
		{ { OP_INQUIRY, 0, 0, 0, 255 }, 0, 255, 1 },
		{ { OP_INQUIRY, 1, 0x83, 0, 255 }, 0, 255, 1 },
		{ { OP_MODE_SENSE_6, 0, 0x3f, 0, 255 }, 0, 255, 1 },
		{ { OP_MAINTENANCE_IN, 0x0c, 0, 0, 0, 0, 0, 0, 0, 255 }, 0, 255, 1 },
		{ { OP_SERVICE_ACTION_IN_16, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255 }, 0, 255, 2 },
	};

	rig.dev->no_try = true;
	memset(out, 0, BS);
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
		for (unsigned way = WAY_FROM; way <= WAY_PLACE; way++) {
			rig.way = (enum rig_way)way;
			for (bufs_left = 0; bufs_left <= cases[i].bufs; ) {
				int had = bufs_left;

				rig_send(cases[i].cdb, 16, out, cases[i].out, cases[i].in);
				g_assert_cmpuint(res.status, ==, had < cases[i].bufs ? STATUS_BUSY : STATUS_GOOD);
				g_assert_true(had == cases[i].bufs || res.in_len == 0);
				bufs_left = had + 1;
			}
			bufs_left = -1;
		}
}

/* ---- LUNs ---- */

static struct engine *engine;

static struct lun *add(struct target *t, uint32_t number, struct device *dev, const struct lun_conf *conf,
		       GError **error)
{
	static const struct lun_conf plain;

	return target_add_lun(t, number, dev, conf ? conf : &plain, error);
}

static void test_luns(void)
{
	static const uint32_t numbers[] = { 300, 0, 16383, 7 };
	struct target *t = target_new(engine, RIG_NAME);
	struct device *devs[4], *extra = fake_new(BS, 512, 0, 0);
	GError *error = NULL;
	struct lun *luns[4];

	g_assert_cmpstr(target_name(t), ==, RIG_NAME);
	g_assert_cmpuint(atomic_load(&t->map)->n, ==, 0);
	for (unsigned i = 0; i < 4; i++) {
		devs[i] = fake_new(8 * BS, 512, 0, 0);
		luns[i] = add(t, numbers[i], devs[i], NULL, &error);
		g_assert_no_error(error);
		g_assert_true(luns[i]->dev == devs[i]);
	}
	for (unsigned i = 0; i < 4; i++)
		g_assert_true(target_find_lun(t, (int)numbers[i]) == luns[i]);
	g_assert_null(target_find_lun(t, 8));
	g_assert_null(add(t, 7, extra, NULL, &error));
	g_assert_error(error, TARGET_ERROR, TARGET_ERROR_EXISTS);
	g_clear_error(&error);
	g_assert_null(add(t, 16384, extra, NULL, &error));
	g_assert_error(error, TARGET_ERROR, TARGET_ERROR_INVALID);
	g_clear_error(&error);
	target_remove_lun(t, 16383, NULL, NULL);
	target_remove_lun(t, 5, NULL, NULL);	/* not there */
	g_assert_true(devs[2]->closed);
	g_assert_cmpuint(atomic_load(&t->map)->n, ==, 301);
	for (unsigned i = 0; i < 4; i++)
		target_remove_lun(t, numbers[i], NULL, NULL);
	g_assert_cmpuint(atomic_load(&t->map)->n, ==, 0);
	for (unsigned i = 0; i < 4; i++) {
		g_assert_true(devs[i]->closed);
		fake_free(devs[i]);
	}
	g_assert_false(extra->closed);	/* still the caller's */
	fake_free(extra);
	target_free(t);
}

static void test_bad_luns(void)
{
	static const struct { uint64_t size; uint32_t dev_bs; struct lun_conf conf; } cases[] = {
		{ 511, 1, { .block_size = 512 } }, { 4096, 512, { .block_size = 1024 } }, { 8192, 4096, { .block_size = 512 } },
		{ 2048, 512, { .block_size = 4096 } }, { 8192, 2048, { .block_size = 0 } }, { 512, 512, { .serial = "" } },
		{ 4096, 512, { .physical_block_size = 1536 } }, { 4096, 512, { .physical_block_size = 2u << 20 } },
		{ 4096, 512, { .block_size = 4096, .physical_block_size = 2048 } }, { 4096, 512, { .alignment_offset = 1 } },
		{ 4096, 512, { .physical_block_size = 4096, .alignment_offset = 8 } },
		{ 4096, 512, { .optimal_io_size = 513 } }, { 4096, 512, { .optimal_io_size = 8u << 20 } },
		{ 512, 512, { .serial = "1234567890123456789012345678901234567" } }, { 512, 512, { .vendor = "123456789" } },
		{ 512, 512, { .product = "12345678901234567" } }, { 512, 512, { .product = "\xc3\xa4" } },
	};
	struct target *t = target_new(engine, RIG_NAME);

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct device *dev = fake_new(cases[i].size, cases[i].dev_bs, 0, 0);
		g_autoptr(GError) error = NULL;

		g_assert_null(add(t, 0, dev, &cases[i].conf, &error));
		g_assert_error(error, TARGET_ERROR, TARGET_ERROR_INVALID);
		g_assert_false(dev->closed);
		fake_free(dev);
	}
	target_free(t);
}

static void test_reconfigure(void)
{
	struct lun_conf conf = { .thin = true, .serial = "one", .vendor = "ACME", .product = "DISK" };
	struct lun_identity id;
	GError *error = NULL;
	uint64_t naa;

	lun_get_identity(rig.lun, &id);
	g_assert_cmpuint(strlen(id.serial), ==, 16);
	naa = lun_naa(&id);
	g_assert_true(lun_reconfigure(rig.lun, &conf, &error));
	g_assert_cmpint(ua_take(nexus_lun(rig.a, 0)), ==, SENSE_UA_INQUIRY_CHANGED);
	lun_get_identity(rig.lun, &id);
	g_assert_cmpstr(id.serial, ==, "one");
	g_assert_cmpuint(lun_naa(&id), !=, naa);
	/* The same again is no news. */
	g_assert_true(lun_reconfigure(rig.lun, &conf, &error));
	g_assert_cmpint(ua_take(nexus_lun(rig.a, 0)), ==, SENSE_NONE);
	conf.naa = UINT64_C(0x30000000000003e8);
	g_assert_true(lun_reconfigure(rig.lun, &conf, &error));
	g_assert_cmpint(ua_take(nexus_lun(rig.a, 0)), ==, SENSE_UA_INQUIRY_CHANGED);
	lun_get_identity(rig.lun, &id);
	g_assert_cmphex(lun_naa(&id), ==, conf.naa);
	conf.read_only = true;
	g_assert_true(lun_reconfigure(rig.lun, &conf, &error));
	g_assert_cmpint(ua_take(nexus_lun(rig.a, 0)), ==, SENSE_UA_MODE_CHANGED);
	SEND_OUT(out, BS, OP_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_sense(WRITE_PROTECTED);
	conf.thin = conf.read_only = false;
	g_assert_true(lun_reconfigure(rig.lun, &conf, &error));
	g_assert_cmpuint(lun_state(rig.lun) & (LUN_THIN | LUN_READ_ONLY), ==, 0);
	conf.block_size = 4096;
	g_assert_false(lun_reconfigure(rig.lun, &conf, &error));
	g_assert_error(error, TARGET_ERROR, TARGET_ERROR_INVALID);
	g_clear_error(&error);
	conf = (struct lun_conf){ .vendor = "too long a name" };
	g_assert_false(lun_reconfigure(rig.lun, &conf, &error));
	g_clear_error(&error);
	lun_get_identity(rig.lun, &id);
	g_assert_cmpstr(id.vendor, ==, "ACME");
}

static void identity_of(const char *name, uint32_t number, uint64_t size, struct lun_identity *id)
{
	struct engine *e = engine_new(1, 1, NULL);
	struct target *t = target_new(e, name);
	struct device *dev = fake_new(size, BS, 0, 0);

	lun_get_identity(target_add_lun(t, number, dev, &(struct lun_conf){ .thin = true }, NULL), id);
	target_remove_lun(t, number, NULL, NULL);
	target_free(t);
	engine_free(e);
	fake_free(dev);
}

/* What it is called follows from the configuration alone: not from the file, process, machine or release. */
static void test_identity(void)
{
	struct lun_identity one, same, other;

	identity_of(RIG_NAME, 0, 1 << 20, &one);
	g_assert_cmphex(lun_naa(&one), ==, UINT64_C(0x3d5f62bb93352aa3));
	identity_of(RIG_NAME, 0, 2 << 20, &same);
	g_assert_cmpmem(&one, sizeof one, &same, sizeof same);
	identity_of(RIG_NAME, 1, 1 << 20, &other);
	g_assert_cmpstr(one.serial, !=, other.serial);
	g_assert_cmpuint(lun_naa(&one), !=, lun_naa(&other));
	identity_of(RIG_NAME "2", 0, 1 << 20, &other);
	g_assert_cmpstr(one.serial, !=, other.serial);
	g_assert_cmpuint(lun_naa(&one), !=, lun_naa(&other));
}

/* ---- LUNs that come and go under running commands ---- */

struct traffic {
	struct hand hand;
	struct post post;
	struct target *target;
	struct reactor *r;
	struct nexus *nexus;
	unsigned good, refused, other;
	bool stop, stopped;
};

static void traffic_done(struct task *t);
static const struct task_ops traffic_ops = { traffic_done };

static void traffic_next(struct post *p)
{
	static const uint8_t cdb[] = { OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1 };
	struct traffic *tr = container_of(p, struct traffic, post);

	if (tr->stop) {
		tr->stopped = true;
		return;
	}
	memset(&tr->hand.task, 0, sizeof tr->hand.task);
	memcpy(tr->hand.task.cdb, cdb, sizeof cdb);
	tr->hand.task.cdb_len = 16;
	tr->hand.task.edtl_in = BS;
	tr->hand.task.nexus = tr->nexus;
	tr->hand.task.reactor = tr->r;
	tr->hand.task.lun_addr[1] = 3;
	tr->hand.task.ops = &traffic_ops;
	task_begin(&tr->hand.task);
}

static void traffic_done(struct task *t)
{
	struct traffic *tr = container_of(t, struct traffic, hand.task);

	if (t->status == STATUS_GOOD)
		tr->good++;
	else if (t->sense[12] == 0x25)
		tr->refused++;
	else
		tr->other++;	/* a unit attention */
	task_release(t);
	tr->post.run = traffic_next;
	reactor_post(tr->r, &tr->post);
}

static void traffic_start(struct reactor *r, void *arg)
{
	struct traffic *tr = &((struct traffic *)arg)[reactor_index(r)];

	tr->r = r;
	tr->nexus = nexus_new(tr->target, r, "iqn.x:t,i,0x1", 1, 1);
	traffic_next(&tr->post);
}

static void traffic_stop(struct reactor *r, void *arg)
{
	((struct traffic *)arg)[reactor_index(r)].stop = true;
}

static void traffic_end(struct reactor *r, void *arg)
{
	struct traffic *tr = &((struct traffic *)arg)[reactor_index(r)];

	if (tr->stopped && tr->nexus) {
		nexus_free(tr->nexus);
		tr->nexus = NULL;
	}
}

static void test_comings_and_goings(void)
{
	static struct traffic tr[2];
	struct target *t = target_new(engine, RIG_NAME);

	tr[0].target = tr[1].target = t;
	engine_each(engine, traffic_start, tr);
	for (unsigned i = 0; i < 200; i++) {
		struct device *dev = fake_new(BS, 512, 0, 0);
		GError *error = NULL;

		dev->post = true;
		g_assert_nonnull(add(t, 3, dev, NULL, &error));
		for (unsigned k = 0; k < 3; k++) {
			g_thread_yield();
			target_set_ua(t, 3, UA_MODE_CHANGED, NULL);
		}
		target_remove_lun(t, 3, NULL, NULL);
		g_assert_true(dev->closed);
		fake_free(dev);	/* poisoned: whoever still uses it is found */
	}
	engine_each(engine, traffic_stop, tr);
	while (tr[0].nexus || tr[1].nexus)
		engine_each(engine, traffic_end, tr);
	for (unsigned i = 0; i < 2; i++)
		g_assert_cmpuint(tr[i].good + tr[i].refused + tr[i].other, >, 0);
	target_free(t);
}

/* A hold keeps a LUN, and quiesce is asked to let go of it. */
struct holder { struct reactor *r; struct lun *lun; bool quiesced; };

static void hold(void *arg)
{
	struct holder *h = arg;

	lun_hold(h->lun, h->r);
}

static void let_go(void *arg)
{
	struct holder *h = arg;

	lun_release(h->lun, h->r);
}

static void quiesce(struct lun *lun, void *arg)
{
	struct holder *h = arg;

	g_assert_true(lun == h->lun);
	h->quiesced = true;
	reactor_call(h->r, let_go, h);
}

static void test_hold(void)
{
	struct target *t = target_new(engine, RIG_NAME);
	struct device *dev = fake_new(BS, 512, 0, 0);
	struct holder h = { .r = engine->reactors[1] };
	GError *error = NULL;

	h.lun = add(t, 0, dev, NULL, &error);
	reactor_call(h.r, hold, &h);
	target_remove_lun(t, 0, quiesce, &h);
	g_assert_true(h.quiesced);
	g_assert_true(dev->closed);
	fake_free(dev);
	target_free(t);
}

int main(int argc, char **argv)
{
	GError *error = NULL;
	int status;

	g_test_init(&argc, &argv, NULL);
	engine = engine_new(2, 2, &error);
	g_assert_no_error(error);
	rig_add("/scsi/task/abort", test_abort);
	rig_add("/scsi/task/refuse", test_refuse);
	rig_add("/scsi/task/unread", test_unread);
	rig_add("/scsi/task/no-memory", test_no_memory);
	g_test_add_func("/scsi/target/luns", test_luns);
	g_test_add_func("/scsi/target/bad-luns", test_bad_luns);
	rig_add("/scsi/target/reconfigure", test_reconfigure);
	g_test_add_func("/scsi/target/identity", test_identity);
	g_test_add_func("/scsi/target/comings-and-goings", test_comings_and_goings);
	g_test_add_func("/scsi/target/hold", test_hold);
	status = g_test_run();
	engine_free(engine);
	return status;
}
