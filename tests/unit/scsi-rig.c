/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "scsi-rig.h"

struct rig rig;
struct rig_result res;

struct rig_case {
	void (*body)(void);
	struct device *(*make)(void);
	const struct lun_conf *conf;
	void (*before)(void), (*after)(void);
};

static const struct lun_conf thin_conf = { .thin = true };

static struct device *plain_device(void)
{
	return fake_new(RIG_BLOCKS * 512ull, 512, GOTGT_DEV_WRITE_CACHE | GOTGT_DEV_THIN, RIG_OPS);
}

void rig_clear_ua(struct nexus *n)
{
	while (ua_take(nexus_lun(n, 0)) != SENSE_NONE)
		continue;
}

static void on_reactor(void *arg)
{
	const struct rig_case *c = arg;

	rig.a = nexus_new(rig.target, rig.r, "iqn.x:a,i,0x1", 1, 1);
	rig.b = nexus_new(rig.target, rig.r, "iqn.x:b,i,0x2", 2, 1);
	rig_clear_ua(rig.a);
	rig_clear_ua(rig.b);
	rig.nexus = rig.a;
	c->body();
	nexus_free(rig.a);
	nexus_free(rig.b);
}

static void pool_is_whole(struct reactor *r, void *arg)
{
	g_assert_cmpuint(bufpool_in_use(reactor_pool(r)), ==, 0);
}

static void run_case(gconstpointer data)
{
	const struct rig_case *c = data;
	GError *error = NULL;

	memset(&rig, 0, sizeof rig);
	memset(&res, 0, sizeof res);
	rig.engine = engine_new(2, 2, &error);
	g_assert_no_error(error);
	rig.r = rig.engine->reactors[0];
	rig.target = target_new(rig.engine, RIG_NAME);
	rig.dev = c->make ? c->make() : plain_device();
	rig.lun = target_add_lun(rig.target, 0, rig.dev, c->conf ? c->conf : &thin_conf, &error);
	g_assert_no_error(error);
	if (c->before)
		c->before();
	reactor_call(rig.r, on_reactor, (void *)c);
	if (c->after)
		c->after();
	target_remove_lun(rig.target, 0, NULL, NULL);
	g_assert_true(rig.dev->closed);
	g_assert_cmpuint(rig.dev->lends, ==, rig.dev->reclaims);
	engine_each(rig.engine, pool_is_whole, NULL);
	target_free(rig.target);
	engine_free(rig.engine);
	fake_free(rig.dev);
}

void rig_add_around(const char *path, void (*before)(void), void (*after)(void), void (*body)(void))
{
	struct rig_case *c = g_new0(struct rig_case, 1);

	c->body = body;
	c->before = before;
	c->after = after;
	g_test_add_data_func_full(path, c, run_case, g_free);
}

void rig_add_dev(const char *path, struct device *(*make)(void), const struct lun_conf *conf, void (*body)(void))
{
	struct rig_case *c = g_new(struct rig_case, 1);

	*c = (struct rig_case){ .body = body, .make = make, .conf = conf };
	g_test_add_data_func_full(path, c, run_case, g_free);
}

void rig_add(const char *path, void (*body)(void))
{
	rig_add_dev(path, NULL, NULL, body);
}

/* ---- a command ---- */

struct rig_task {
	struct task task;
	bool ended;
};

static void ended(struct task *t)
{
	struct rig_task *rt = container_of(t, struct rig_task, task);
	size_t at = 0;

	res.dones++;
	rt->ended = true;
	res.status = t->status;
	res.aborted = t->aborted;
	res.lent = t->lent;
	res.in_len = t->in_len;
	res.xfer_len = t->xfer_len;
	res.sense_len = t->sense_len;
	memcpy(res.sense, t->sense, t->sense_len);
	if (t->sense_len) {
		bool d = t->sense[0] == 0x72;

		res.key = t->sense[d ? 1 : 2] & 0xf;
		res.asc = t->sense[d ? 2 : 12];
		res.ascq = t->sense[d ? 3 : 13];
	}
	g_assert_true((t->status == STATUS_CHECK_CONDITION) == (t->sense_len > 0));
	g_assert_cmpuint(t->in_len, <=, t->edtl_in);
	if (!t->in_len)
		return;
	for (uint32_t i = 0; i < t->iovcnt; i++) {
		g_assert_cmpuint(at + t->iov[i].iov_len, <=, sizeof res.in);
		memcpy(res.in + at, t->iov[i].iov_base, t->iov[i].iov_len);
		at += t->iov[i].iov_len;
	}
	g_assert_cmpuint(at, ==, t->in_len);
}

static const struct task_ops ops = { ended };

void rig_fill(struct task *t, const void *cdb, size_t cdb_len, uint32_t edtl_out, uint32_t edtl_in)
{
	memset(t, 0xa5, sizeof *t);	/* nothing of the last command may matter */
	t->phase = TASK_IDLE;
	t->ops = &ops;
	t->nexus = rig.nexus;
	t->reactor = rig.r;
	memcpy(t->lun_addr, rig.addr, 8);
	memset(t->cdb, 0, sizeof t->cdb);
	memcpy(t->cdb, cdb, cdb_len);
	t->cdb_len = (uint16_t)(rig.cdb_len ? rig.cdb_len : 16);
	t->attr = TASK_SIMPLE;
	t->no_lend = rig.no_lend;
	t->edtl_out = edtl_out;
	t->edtl_in = edtl_in;
	t->edtl_no_way = rig.edtl_no_way;
}

static void give_data(struct task *t, const void *out)
{
	const uint8_t *from = out;

	if (rig.way == WAY_FROM) {
		g_autofree uint8_t *copy = g_malloc(t->out_len);

		memcpy(copy, out, t->out_len);
		task_execute_from(t, copy);
		memset(copy, 0xee, 1);
		return;
	}
	if (!task_place(t, rig.way == WAY_LENT))
		return;
	for (uint32_t i = 0; i < t->iovcnt; i++) {
		memcpy(t->iov[i].iov_base, from, t->iov[i].iov_len);
		from += t->iov[i].iov_len;
	}
	g_assert_cmpint(from - (const uint8_t *)out, ==, t->out_len);
	task_execute(t);
}

void rig_send(const void *cdb, size_t cdb_len, const void *out, uint32_t edtl_out, uint32_t edtl_in)
{
	struct rig_task rt = { .ended = false };
	unsigned dones = res.dones;

	rig_fill(&rt.task, cdb, cdb_len, edtl_out, edtl_in);
	res.out_len = 0;
	res.sense_len = res.key = res.asc = res.ascq = 0;
	if (task_begin(&rt.task) == TASK_WANTS_DATA) {
		g_assert_false(rt.ended);
		g_assert_cmpuint(rt.task.out_len, >, 0);
		g_assert_cmpuint(rt.task.out_len, <=, edtl_out);
		res.out_len = rt.task.out_len;
		give_data(&rt.task, out);
	}
	if (!rt.ended && rig.dev->held_query)
		fake_let_go(rig.dev, GOTGT_OK);
	while (!rt.ended && fake_copy)
		fake_copy_on();
	while (!rt.ended && reactor_run_spare(rig.r))
		;
	g_assert_true(rt.ended);
	g_assert_cmpuint(res.dones, ==, dones + 1);
	task_release(&rt.task);
}

void rig_assert_sense(enum sense_code code, const char *where, int line)
{
	const struct sense_row *row = &sense_rows[code];

	if (res.status != STATUS_CHECK_CONDITION || res.key != row->key || res.asc != row->asc || res.ascq != row->ascq)
		g_error("%s:%d: wanted %s, got status %02x sense %x/%02x/%02x", where, line, row->name, res.status, res.key,
			res.asc, res.ascq);
}

void rig_assert_field(enum sense_code code, bool in_cdb, unsigned byte, int bit, const char *where, int line)
{
	uint8_t sks = (uint8_t)(0x80 | (in_cdb ? 0x40 : 0) | (bit >= 0 ? 8 | bit : 0));

	rig_assert_sense(code, where, line);
	if (res.sense[15] != sks || get_be16(res.sense + 16) != byte)
		g_error("%s:%d: field pointer %02x at %u, wanted %02x at %u", where, line, res.sense[15],
			get_be16(res.sense + 16), sks, byte);
}
