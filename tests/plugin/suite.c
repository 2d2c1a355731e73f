/* SPDX-License-Identifier: Apache-2.0 */
/* suite.c - the cases, one function each: NULL when the plugin did right, else what it did. */
#include "config.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backstore/settings.h"
#include "suite-internal.h"

#define PAGE 4096u

const char suite_skipped[] = "skipped";
char suite_reason[512];

/* ---- helpers ---- */

static bool can(const struct suite *s, uint32_t op)
{
	return s->dev.info.ops & GOTGT_OP_BIT(op);
}

bool suite_writable(const struct suite *s)
{
	return !(s->dev.info.flags & GOTGT_DEV_READ_ONLY);
}

/* What a request may carry, in whole blocks. */
uint64_t suite_area(const struct suite *s)
{
	const struct gotgt_dev_info *i = &s->dev.info;
	uint64_t n = MIN(AREA_MAX, i->size);

	if (i->max_io_size)
		n = MIN(n, i->max_io_size);
	return n - n % i->block_size;
}

void suite_fill(uint8_t *at, uint64_t n, unsigned seed)
{
	uint32_t x = seed * 2654435761u + 1;

	for (uint64_t i = 0; i < n; i++) {
		x = x * 1664525u + 1013904223u;
		at[i] = (uint8_t)(x >> 24);
	}
}

static bool zeroes(const uint8_t *at, uint64_t n)
{
	while (n--)
		if (*at++)
			return false;
	return true;
}

/* Is in what was written, or nothing where nothing is kept? */
bool suite_right(const struct suite *s, uint64_t n)
{
	return s->conf->forgets ? zeroes(s->in, n) : !memcmp(s->in, s->out, (size_t)n);
}

enum gotgt_status suite_wr(struct suite *s, uint64_t offset, uint64_t n, uint32_t flags)
{
	return suite_io(&s->dev, GOTGT_OP_WRITE, flags, offset, s->out, n);
}

enum gotgt_status suite_rd(struct suite *s, uint64_t offset, uint64_t n)
{
	memset(s->in, 0x5a, (size_t)n);
	return suite_io(&s->dev, GOTGT_OP_READ, 0, offset, s->in, n);
}

static const char *write_and_read(struct suite *s, uint64_t offset, uint64_t n, unsigned seed, uint32_t flags)
{
	suite_fill(s->out, n, seed);
	MUST("write", suite_wr(s, offset, n, flags));
	MUST("read", suite_rd(s, offset, n));
	if (!suite_right(s, n))
		FAIL("%llu bytes at %llu: read something else than was written", (unsigned long long)n,
		     (unsigned long long)offset);
	return NULL;
}

/* ---- cases ---- */

static const char *case_info(struct suite *s)
{
	const struct gotgt_dev_info *i = &s->dev.info;

	if (i->block_size < 512 || i->block_size > 4096 || i->block_size & (i->block_size - 1))
		FAIL("block_size is %u", i->block_size);
	if (i->size < i->block_size)
		FAIL("size is less than a block");
	if (i->physical_block_size && i->physical_block_size < i->block_size)
		FAIL("physical_block_size is %u", i->physical_block_size);
	if (i->mem_align > 4096 || i->mem_align & (i->mem_align - 1))
		FAIL("mem_align is %u", i->mem_align);
	if (i->max_io_size && i->max_io_size < i->block_size)
		FAIL("max_io_size is %u", i->max_io_size);
	if (i->flags & GOTGT_DEV_WRITE_CACHE && !can(s, GOTGT_OP_FLUSH))
		FAIL("a write cache, and no flush");
	for (size_t n = 0; n < G_N_ELEMENTS(i->reserved); n++)
		if (i->reserved[n] || i->reserved0)
			FAIL("reserved fields are not zero");
	return NULL;
}

static const char *case_reopen(struct suite *s)
{
	uint64_t size = s->dev.info.size;
	g_autofree char *error = NULL;

	suite_fill(s->out, s->dev.info.block_size, 7);
	if (suite_writable(s))
		MUST("write", suite_wr(s, 0, s->dev.info.block_size, 0));
	suite_close(&s->dev);
	if (!suite_open(&s->dev, s->conf->module, s->conf->settings, &error)) {
		s->dev.ops = NULL;
		FAIL("does not open again: %s", error);
	}
	if (s->dev.info.size != size)
		FAIL("another size when opened again");
	MUST("read", suite_rd(s, 0, s->dev.info.block_size));
	if (suite_writable(s) && !suite_right(s, s->dev.info.block_size))
		FAIL("what was written is not there when opened again");
	return NULL;
}

static const char *case_read_back(struct suite *s)
{
	uint64_t block = s->dev.info.block_size;
	const char *why = NULL;

	if (!suite_writable(s))
		return suite_skipped;
	for (uint64_t n = block; n <= suite_area(s) && !why; n *= 2)
		why = write_and_read(s, (s->dev.info.size - n) / 2 / block * block, n, (unsigned)n, 0);
	return why;
}

static const char *case_edges(struct suite *s)
{
	uint64_t block = s->dev.info.block_size;
	const char *why;

	if (!suite_writable(s))
		return suite_skipped;
	why = write_and_read(s, 0, block, 1, 0);
	if (!why)
		why = write_and_read(s, s->dev.info.size - block, block, 2, 0);
	if (!why && s->dev.info.size <= AREA_MAX)
		why = write_and_read(s, 0, suite_area(s), 3, 0);
	return why;
}

/* A write does not touch its neighbours. */
static const char *case_neighbours(struct suite *s)
{
	uint64_t block = s->dev.info.block_size;

	if (!suite_writable(s) || s->dev.info.size < 3 * block)
		return suite_skipped;
	suite_fill(s->out, 3 * block, 4);
	for (int i = 0; i < 3; i++)
		MUST("write", suite_io(&s->dev, GOTGT_OP_WRITE, 0, (uint64_t)i * block, s->out + (uint64_t)i * block, block));
	suite_fill(s->out + block, block, 5);
	MUST("write", suite_io(&s->dev, GOTGT_OP_WRITE, 0, block, s->out + block, block));
	for (int i = 0; i < 3; i++)
		MUST("read", suite_io(&s->dev, GOTGT_OP_READ, 0, (uint64_t)i * block, s->in + (uint64_t)i * block, block));
	if (!suite_right(s, 3 * block))
		FAIL("a write of one block changed another");
	return NULL;
}

static enum gotgt_status scattered(struct suite *s, uint32_t op, uint8_t *area, unsigned n, uint64_t element)
{
	g_autofree struct sent *q = g_new(struct sent, 1);
	g_autofree struct iovec *iov = g_new(struct iovec, n);

	/* Backwards in memory, so that elements are never neighbours. */
	for (unsigned i = 0; i < n; i++)
		iov[i] = (struct iovec){ area + (n - 1 - i) * element, (size_t)element };
	sent_init(q, op, 0, 0, n * element);
	q->io.iov = iov;
	q->io.iovcnt = n;
	s->dev.ops->submit(s->dev.handle, &q->io);
	return sent_wait(q);
}

static const char *case_vectors(struct suite *s)
{
	uint64_t element = MAX(s->dev.info.block_size, s->dev.info.mem_align);
	unsigned n = (unsigned)MIN(suite_area(s) / element, 33);

	if (!suite_writable(s) || n < 2)
		return suite_skipped;
	suite_fill(s->out, n * element, 6);
	MUST("write of several elements", scattered(s, GOTGT_OP_WRITE, s->out, n, element));
	memset(s->in, 0x5a, AREA_MAX);
	MUST("read into several elements", scattered(s, GOTGT_OP_READ, s->in, n, element));
	if (!suite_right(s, n * element))
		FAIL("%u elements: read something else than was written", n);
	MUST("read", suite_rd(s, 0, element));
	if (!s->conf->forgets && memcmp(s->in, s->out + (n - 1) * element, element))
		FAIL("the elements were not taken in order");
	return NULL;
}

static const char *case_flush(struct suite *s)
{
	const char *why = NULL;

	if (!suite_writable(s))
		return suite_skipped;
	if (s->dev.info.native_fua)
		why = write_and_read(s, 0, s->dev.info.block_size, 8, GOTGT_IO_FUA);
	if (!why && can(s, GOTGT_OP_FLUSH))
		MUST("flush", suite_io(&s->dev, GOTGT_OP_FLUSH, 0, 0, NULL, 0));
	return why;
}

static const char *clear_range(struct suite *s, uint32_t op, uint32_t flags)
{
	uint64_t block = s->dev.info.block_size, n = suite_area(s);
	uint64_t inner = n > 4 * block ? n / 4 / block * block : block;
	enum gotgt_status status;

	if (!suite_writable(s) || !can(s, op) || n < 3 * block)
		return suite_skipped;
	suite_fill(s->out, n, 9);
	MUST("write", suite_wr(s, 0, n, 0));
	status = suite_io(&s->dev, op, flags, block, NULL, inner);
	if (status == GOTGT_ERR_UNSUPPORTED && op == GOTGT_OP_ZERO)
		return suite_skipped;
	MUST("clearing", status);
	memset(s->out + block, 0, (size_t)inner);
	MUST("read", suite_rd(s, 0, n));
	if (!zeroes(s->in + block, inner))
		FAIL("what was cleared does not read as zeroes");
	if (!suite_right(s, n))
		FAIL("more than the range was cleared");
	return NULL;
}

static const char *case_unmap(struct suite *s) { return clear_range(s, GOTGT_OP_UNMAP, 0); }
static const char *case_zero(struct suite *s) { return clear_range(s, GOTGT_OP_ZERO, 0); }
static const char *case_zero_free(struct suite *s) { return clear_range(s, GOTGT_OP_ZERO, GOTGT_IO_MAY_UNMAP); }

/* Answered in place or not done; never waited for. */
static const char *case_nowait(struct suite *s)
{
	uint64_t n = MIN(suite_area(s), 65536);
	g_autofree struct sent *q = g_new(struct sent, 1);

	if (!(s->dev.ops->flags & GOTGT_PLUGIN_NOWAIT))
		return suite_skipped;
	for (uint32_t op = suite_writable(s) ? GOTGT_OP_WRITE : GOTGT_OP_READ; op <= GOTGT_OP_WRITE; op--) {
		struct iovec iov = { op == GOTGT_OP_WRITE ? s->out : s->in, (size_t)n };

		suite_fill(s->out, n, 10);
		memset(s->in, 0x5a, (size_t)n);
		sent_init(q, op, GOTGT_IO_NOWAIT, 0, n);
		q->io.iov = &iov;
		q->io.iovcnt = 1;
		s->dev.ops->submit(s->dev.handle, &q->io);
		if (sent_answers(q) != 1)
			FAIL("GOTGT_IO_NOWAIT was answered %u times when submit() returned", sent_answers(q));
		if (q->status != GOTGT_ERR_AGAIN)
			MUST("at once", q->status);
		else if (op == GOTGT_OP_WRITE)
			MUST("write", suite_wr(s, 0, n, 0));
		else
			MUST("read", suite_rd(s, 0, n));
	}
	if (suite_writable(s) && !suite_right(s, n))
		FAIL("read something else than was written");
	return NULL;
}

/* ---- many in flight ---- */

enum { FLYING = 64, THREADS = 8 };

struct flight {
	struct suite *s;
	struct sent *all;
	struct iovec iov[FLYING];
	unsigned first, step;
};

static void *submit_some(void *arg)
{
	struct flight *f = arg;

	for (unsigned i = f->first; i < FLYING; i += f->step) {
		f->s->dev.ops->submit(f->s->dev.handle, &f->all[i].io);
		if (f->s->dev.ops->flags & GOTGT_PLUGIN_SERIAL)
			sent_wait(&f->all[i]);
	}
	return NULL;
}

/* A plugin that may block is called by several threads, one that does not by one, a serial one by one in turn. */
static void fly(struct suite *s, struct sent *all, uint32_t op, uint8_t *area, uint64_t each)
{
	unsigned n = s->dev.ops->flags & GOTGT_PLUGIN_SERIAL ? 1 : THREADS;
	struct flight f[THREADS] = { { .s = s } };
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < FLYING; i++) {
		sent_init(&all[i], op, 0, i * each, each);
		f[0].iov[i] = (struct iovec){ area + i * each, (size_t)each };
		all[i].io.iov = &f[0].iov[i];
		all[i].io.iovcnt = 1;
	}
	for (unsigned i = 0; i < n; i++) {
		f[i].s = s;
		f[i].all = all;
		f[i].first = i;
		f[i].step = n;
		if (pthread_create(&threads[i], NULL, submit_some, &f[i]))
			abort();
	}
	for (unsigned i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < FLYING; i++)
		sent_wait(&all[i]);
}

static const char *case_in_flight(struct suite *s)
{
	uint64_t each = MIN(MAX(s->dev.info.block_size, s->dev.info.mem_align), AREA_MAX / FLYING);
	g_autofree struct sent *all = g_new(struct sent, FLYING * 2);

	if (!suite_writable(s) || s->dev.info.size < each * FLYING)
		return suite_skipped;
	suite_fill(s->out, each * FLYING, 11);
	fly(s, all, GOTGT_OP_WRITE, s->out, each);
	memset(s->in, 0x5a, AREA_MAX);
	fly(s, all + FLYING, GOTGT_OP_READ, s->in, each);
	/* A flush behind them, so that a late second answer has had its time. */
	if (can(s, GOTGT_OP_FLUSH))
		MUST("flush", suite_io(&s->dev, GOTGT_OP_FLUSH, 0, 0, NULL, 0));
	for (unsigned i = 0; i < FLYING * 2; i++) {
		if (sent_answers(&all[i]) != 1)
			FAIL("request %u was answered %u times", i, sent_answers(&all[i]));
		MUST("one of many", all[i].status);
	}
	if (!suite_right(s, each * FLYING))
		FAIL("requests in flight together mixed up their bytes");
	return NULL;
}

static const char *case_read_only(struct suite *s)
{
	const struct gotgt_param *q = settings_find(s->dev.ops, "readonly");
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	g_autofree char *error = NULL;

	if (!q || q->type != GOTGT_PARAM_BOOL || !suite_writable(s))
		return suite_skipped;
	for (const char *const *p = s->conf->settings; *p; p++)
		g_ptr_array_add(all, (void *)*p);
	g_ptr_array_add(all, (void *)"readonly");
	g_ptr_array_add(all, (void *)"yes");
	g_ptr_array_add(all, NULL);
	suite_fill(s->out, s->dev.info.block_size, 15);
	MUST("write", suite_wr(s, 0, s->dev.info.block_size, 0));
	suite_close(&s->dev);
	if (!suite_open(&s->dev, s->conf->module, (const char *const *)all->pdata, &error)) {
		s->dev.ops = NULL;
		FAIL("does not open with readonly=yes: %s", error);
	}
	if (suite_writable(s))
		FAIL("opened with readonly=yes it does not say GOTGT_DEV_READ_ONLY");
	MUST("read", suite_rd(s, 0, s->dev.info.block_size));
	return suite_right(s, s->dev.info.block_size) ? NULL : "reads something else with readonly=yes";
}

/* ---- the table ---- */

static const struct { const char *name; const char *(*run)(struct suite *s); } cases[] = {
	{ "info", case_info }, { "reopen", case_reopen }, { "read-back", case_read_back }, { "edges", case_edges },
	{ "neighbours", case_neighbours }, { "vectors", case_vectors }, { "flush", case_flush }, { "unmap", case_unmap },
	{ "zero", case_zero }, { "zero-free", case_zero_free }, { "nowait", case_nowait }, { "in-flight", case_in_flight },
	{ "lend", suite_case_lend }, { "extents", suite_case_extents }, { "copy", suite_case_copy },
	{ "compare", suite_case_compare }, { "read-only", case_read_only },
};

const char *suite_case(unsigned n)
{
	return n < G_N_ELEMENTS(cases) ? cases[n].name : NULL;
}

const char *suite_run_case(const struct suite_conf *conf, unsigned n)
{
	struct suite s = { .conf = conf };
	g_autofree char *error = NULL;
	const char *why;
	void *area;

	if (!suite_open(&s.dev, conf->module, conf->settings, &error))
		FAIL("does not open: %s", error);
	if (posix_memalign(&area, PAGE, 2 * AREA_MAX))
		abort();
	s.out = area;
	s.in = s.out + AREA_MAX;
	why = cases[n].run(&s);
	if (s.dev.ops)
		suite_close(&s.dev);
	free(area);
	return why;
}

unsigned suite_run(const struct suite_conf *conf, void (*report)(void *data, const char *name, const char *why), void *data)
{
	unsigned failed = 0;

	for (unsigned n = 0; suite_case(n); n++) {
		const char *why = suite_run_case(conf, n);

		failed += why && why != suite_skipped;
		if (report)
			report(data, suite_case(n), why);
	}
	return failed;
}
