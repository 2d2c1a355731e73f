/* SPDX-License-Identifier: Apache-2.0 */
/* suite.c - the cases, one function each: NULL when the plugin did right, else what it did. */
#include "config.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <gotgt/ext-copy.h>
#include <gotgt/ext-extents.h>
#include <gotgt/ext-memory.h>
#include "backstore/settings.h"
#include "suite-internal.h"

#define PAGE 4096u
#define AREA_MAX (1u << 20)

const char suite_skipped[] = "skipped";
static char reason[512];

struct suite {
	const struct suite_conf *conf;
	struct suite_dev dev;
	uint8_t *out, *in;	/* AREA_MAX bytes, aligned */
};

#define FAIL(...) return snprintf(reason, sizeof reason, __VA_ARGS__), reason
#define MUST(what, status_) do {							\
		enum gotgt_status got_ = (status_);					\
		if (got_ != GOTGT_OK)							\
			FAIL("%s: status %d", (what), (int)got_);			\
	} while (0)

/* ---- helpers ---- */

static bool can(const struct suite *s, uint32_t op)
{
	return s->dev.info.ops & GOTGT_OP_BIT(op);
}

static bool writable(const struct suite *s)
{
	return !(s->dev.info.flags & GOTGT_DEV_READ_ONLY);
}

/* What a request may carry, in whole blocks. */
static uint64_t area_of(const struct suite *s)
{
	const struct gotgt_dev_info *i = &s->dev.info;
	uint64_t n = MIN(AREA_MAX, i->size);

	if (i->max_io_size)
		n = MIN(n, i->max_io_size);
	return n - n % i->block_size;
}

static void fill(uint8_t *at, uint64_t n, unsigned seed)
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
static bool right(const struct suite *s, uint64_t n)
{
	return s->conf->forgets ? zeroes(s->in, n) : !memcmp(s->in, s->out, (size_t)n);
}

static enum gotgt_status wr(struct suite *s, uint64_t offset, uint64_t n, uint32_t flags)
{
	return suite_io(&s->dev, GOTGT_OP_WRITE, flags, offset, s->out, n);
}

static enum gotgt_status rd(struct suite *s, uint64_t offset, uint64_t n)
{
	memset(s->in, 0x5a, (size_t)n);
	return suite_io(&s->dev, GOTGT_OP_READ, 0, offset, s->in, n);
}

static const char *write_and_read(struct suite *s, uint64_t offset, uint64_t n, unsigned seed, uint32_t flags)
{
	fill(s->out, n, seed);
	MUST("write", wr(s, offset, n, flags));
	MUST("read", rd(s, offset, n));
	if (!right(s, n))
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

	fill(s->out, s->dev.info.block_size, 7);
	if (writable(s))
		MUST("write", wr(s, 0, s->dev.info.block_size, 0));
	suite_close(&s->dev);
	if (!suite_open(&s->dev, s->conf->module, s->conf->settings, &error)) {
		s->dev.ops = NULL;
		FAIL("does not open again: %s", error);
	}
	if (s->dev.info.size != size)
		FAIL("another size when opened again");
	MUST("read", rd(s, 0, s->dev.info.block_size));
	if (writable(s) && !right(s, s->dev.info.block_size))
		FAIL("what was written is not there when opened again");
	return NULL;
}

static const char *case_read_back(struct suite *s)
{
	uint64_t block = s->dev.info.block_size;
	const char *why = NULL;

	if (!writable(s))
		return suite_skipped;
	for (uint64_t n = block; n <= area_of(s) && !why; n *= 2)
		why = write_and_read(s, (s->dev.info.size - n) / 2 / block * block, n, (unsigned)n, 0);
	return why;
}

static const char *case_edges(struct suite *s)
{
	uint64_t block = s->dev.info.block_size;
	const char *why;

	if (!writable(s))
		return suite_skipped;
	why = write_and_read(s, 0, block, 1, 0);
	if (!why)
		why = write_and_read(s, s->dev.info.size - block, block, 2, 0);
	if (!why && s->dev.info.size <= AREA_MAX)
		why = write_and_read(s, 0, area_of(s), 3, 0);
	return why;
}

/* A write does not touch its neighbours. */
static const char *case_neighbours(struct suite *s)
{
	uint64_t block = s->dev.info.block_size;

	if (!writable(s) || s->dev.info.size < 3 * block)
		return suite_skipped;
	fill(s->out, 3 * block, 4);
	for (int i = 0; i < 3; i++)
		MUST("write", suite_io(&s->dev, GOTGT_OP_WRITE, 0, (uint64_t)i * block, s->out + (uint64_t)i * block, block));
	fill(s->out + block, block, 5);
	MUST("write", suite_io(&s->dev, GOTGT_OP_WRITE, 0, block, s->out + block, block));
	for (int i = 0; i < 3; i++)
		MUST("read", suite_io(&s->dev, GOTGT_OP_READ, 0, (uint64_t)i * block, s->in + (uint64_t)i * block, block));
	if (!right(s, 3 * block))
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
	unsigned n = (unsigned)MIN(area_of(s) / element, 33);

	if (!writable(s) || n < 2)
		return suite_skipped;
	fill(s->out, n * element, 6);
	MUST("write of several elements", scattered(s, GOTGT_OP_WRITE, s->out, n, element));
	memset(s->in, 0x5a, AREA_MAX);
	MUST("read into several elements", scattered(s, GOTGT_OP_READ, s->in, n, element));
	if (!right(s, n * element))
		FAIL("%u elements: read something else than was written", n);
	MUST("read", rd(s, 0, element));
	if (!s->conf->forgets && memcmp(s->in, s->out + (n - 1) * element, element))
		FAIL("the elements were not taken in order");
	return NULL;
}

static const char *case_flush(struct suite *s)
{
	const char *why = NULL;

	if (!writable(s))
		return suite_skipped;
	if (s->dev.info.native_fua)
		why = write_and_read(s, 0, s->dev.info.block_size, 8, GOTGT_IO_FUA);
	if (!why && can(s, GOTGT_OP_FLUSH))
		MUST("flush", suite_io(&s->dev, GOTGT_OP_FLUSH, 0, 0, NULL, 0));
	return why;
}

static const char *clear_range(struct suite *s, uint32_t op, uint32_t flags)
{
	uint64_t block = s->dev.info.block_size, n = area_of(s);
	uint64_t inner = n > 4 * block ? n / 4 / block * block : block;
	enum gotgt_status status;

	if (!writable(s) || !can(s, op) || n < 3 * block)
		return suite_skipped;
	fill(s->out, n, 9);
	MUST("write", wr(s, 0, n, 0));
	status = suite_io(&s->dev, op, flags, block, NULL, inner);
	if (status == GOTGT_ERR_UNSUPPORTED && op == GOTGT_OP_ZERO)
		return suite_skipped;
	MUST("clearing", status);
	memset(s->out + block, 0, (size_t)inner);
	MUST("read", rd(s, 0, n));
	if (!zeroes(s->in + block, inner))
		FAIL("what was cleared does not read as zeroes");
	if (!right(s, n))
		FAIL("more than the range was cleared");
	return NULL;
}

static const char *case_unmap(struct suite *s) { return clear_range(s, GOTGT_OP_UNMAP, 0); }
static const char *case_zero(struct suite *s) { return clear_range(s, GOTGT_OP_ZERO, 0); }
static const char *case_zero_free(struct suite *s) { return clear_range(s, GOTGT_OP_ZERO, GOTGT_IO_MAY_UNMAP); }

/* Answered in place or not done; never waited for. */
static const char *case_nowait(struct suite *s)
{
	uint64_t n = MIN(area_of(s), 65536);
	g_autofree struct sent *q = g_new(struct sent, 1);

	if (!(s->dev.ops->flags & GOTGT_PLUGIN_NOWAIT))
		return suite_skipped;
	for (uint32_t op = writable(s) ? GOTGT_OP_WRITE : GOTGT_OP_READ; op <= GOTGT_OP_WRITE; op--) {
		struct iovec iov = { op == GOTGT_OP_WRITE ? s->out : s->in, (size_t)n };

		fill(s->out, n, 10);
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
			MUST("write", wr(s, 0, n, 0));
		else
			MUST("read", rd(s, 0, n));
	}
	if (writable(s) && !right(s, n))
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

	if (!writable(s) || s->dev.info.size < each * FLYING)
		return suite_skipped;
	fill(s->out, each * FLYING, 11);
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
	if (!right(s, each * FLYING))
		FAIL("requests in flight together mixed up their bytes");
	return NULL;
}

/* ---- extensions ---- */

static const void *extension(struct suite *s, const char *id)
{
	return s->dev.ops->extension ? s->dev.ops->extension(id) : NULL;
}

/* Lent memory is touched by system calls only: through a file in memory. */
static const char *lend_once(struct suite *s, const struct gotgt_memory *m, int fd, int write, uint64_t offset, uint64_t n)
{
	struct iovec iov[64];
	uint64_t sum = 0;
	ssize_t done;
	uint32_t count;

	if (m->check && m->check(s->dev.handle) != GOTGT_OK)
		FAIL("check() says that memory is gone");
	count = m->lend(s->dev.handle, offset, n, write, iov, G_N_ELEMENTS(iov));
	if (!count)
		return suite_skipped;
	if (count > G_N_ELEMENTS(iov))
		FAIL("lent %u elements where there was room for %u", count, (unsigned)G_N_ELEMENTS(iov));
	for (uint32_t i = 0; i < count; i++)
		sum += iov[i].iov_len;
	if (sum != n)
		FAIL("lent %llu bytes, not %llu", (unsigned long long)sum, (unsigned long long)n);
	done = write ? preadv(fd, iov, (int)count, 0) : pwritev(fd, iov, (int)count, 0);
	if (m->reclaim)
		m->reclaim(s->dev.handle, iov, count);
	if (done != (ssize_t)n)
		FAIL("lent memory cannot be %s", write ? "written" : "read");
	return NULL;
}

static const char *lend_both(struct suite *s, const struct gotgt_memory *m, int fd, uint64_t offset, uint64_t n)
{
	const char *why;

	fill(s->out, n, 12);
	MUST("write", wr(s, offset, n, 0));
	why = lend_once(s, m, fd, 0, offset, n);
	if (why)
		return why;
	if (pread(fd, s->in, (size_t)n, 0) != (ssize_t)n || !right(s, n))
		FAIL("lent memory is not what WRITE wrote");
	fill(s->out, n, 13);
	if (pwrite(fd, s->out, (size_t)n, 0) != (ssize_t)n)
		FAIL("no memory");
	why = lend_once(s, m, fd, 1, offset, n);
	if (why)
		return why;
	MUST("read", rd(s, offset, n));
	return right(s, n) ? NULL : "READ does not give what was stored in lent memory";
}

static const char *case_lend(struct suite *s)
{
	const struct gotgt_memory *m = extension(s, GOTGT_EXT_MEMORY);
	uint64_t block = s->dev.info.block_size;
	const char *why;
	int fd;

	if (!m || !writable(s))
		return suite_skipped;
	if (m->size < offsetof(struct gotgt_memory, check) || !m->lend)
		FAIL("the table of " GOTGT_EXT_MEMORY " is too short");
	fd = memfd_create("suite", MFD_CLOEXEC);
	if (fd < 0)
		FAIL("memfd_create failed");
	why = lend_both(s, m, fd, 0, area_of(s));
	if (!why)
		why = lend_both(s, m, fd, s->dev.info.size - block, block);
	close(fd);
	return why;
}

static const char *check_extents(const struct gotgt_extent *e, uint32_t n, uint64_t length, uint64_t *covered)
{
	if (!n)
		FAIL("no extent at all");
	for (uint32_t i = 0; i < n; i++) {
		if (!e[i].length || e[i].length > length - *covered)
			FAIL("extent %u has %llu bytes", i, (unsigned long long)e[i].length);
		if (e[i].state > GOTGT_EXTENT_ZERO)
			FAIL("extent %u has state %u", i, e[i].state);
		*covered += e[i].length;
	}
	return NULL;
}

static const char *case_extents(struct suite *s)
{
	const struct gotgt_extents *x = extension(s, GOTGT_EXT_EXTENTS);
	uint64_t size = s->dev.info.size, at = 0;
	const char *why = NULL;

	if (!x)
		return suite_skipped;
	fill(s->out, area_of(s), 14);
	if (writable(s))
		MUST("write", wr(s, 0, area_of(s), 0));
	while (at < size && !why) {
		struct gotgt_extent e[3];
		uint32_t n = 0;
		uint64_t covered = 0;

		MUST("query", x->query(s->dev.handle, at, size - at, e, G_N_ELEMENTS(e), &n));
		if (n > G_N_ELEMENTS(e))
			FAIL("%u extents where there was room for %u", n, (unsigned)G_N_ELEMENTS(e));
		why = check_extents(e, n, size - at, &covered);
		if (!why && !at && writable(s) && !s->conf->forgets && e[0].state != GOTGT_EXTENT_ALLOCATED)
			FAIL("written bytes are not allocated");
		at += covered;
	}
	return why;
}

/* Within the device; what is copied, and nothing else. */
static const char *case_copy(struct suite *s)
{
	const struct gotgt_copy *x = extension(s, GOTGT_EXT_COPY);
	uint64_t block = s->dev.info.block_size, n = area_of(s) / 4 / block * block, done = 0;

	if (!x || !writable(s) || s->dev.info.size < 4 * n || !n)
		return suite_skipped;
	if (x->size < sizeof *x || !x->copy)
		FAIL("the table of " GOTGT_EXT_COPY " is too short");
	fill(s->out, 4 * n, 16);
	MUST("write", wr(s, 0, 4 * n, 0));
	while (done < n) {
		uint64_t copied = 0;
		enum gotgt_status status = x->copy(s->dev.handle, done, s->dev.handle, 2 * n + done, n - done, &copied);

		if (copied > n - done)
			FAIL("copied %llu bytes more than asked for", (unsigned long long)(copied - (n - done)));
		if (status == GOTGT_ERR_UNSUPPORTED)
			return suite_skipped;
		MUST("copy", status);
		if (!copied)
			FAIL("copied nothing, and called it a success");
		done += copied;
	}
	memcpy(s->out + 2 * n, s->out, (size_t)n);
	MUST("read", rd(s, 0, 4 * n));
	return right(s, 4 * n) ? NULL : "something else was copied";
}

static const char *case_read_only(struct suite *s)
{
	const struct gotgt_param *q = settings_find(s->dev.ops, "readonly");
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	g_autofree char *error = NULL;

	if (!q || q->type != GOTGT_PARAM_BOOL || !writable(s))
		return suite_skipped;
	for (const char *const *p = s->conf->settings; *p; p++)
		g_ptr_array_add(all, (void *)*p);
	g_ptr_array_add(all, (void *)"readonly");
	g_ptr_array_add(all, (void *)"yes");
	g_ptr_array_add(all, NULL);
	fill(s->out, s->dev.info.block_size, 15);
	MUST("write", wr(s, 0, s->dev.info.block_size, 0));
	suite_close(&s->dev);
	if (!suite_open(&s->dev, s->conf->module, (const char *const *)all->pdata, &error)) {
		s->dev.ops = NULL;
		FAIL("does not open with readonly=yes: %s", error);
	}
	if (writable(s))
		FAIL("opened with readonly=yes it does not say GOTGT_DEV_READ_ONLY");
	MUST("read", rd(s, 0, s->dev.info.block_size));
	return right(s, s->dev.info.block_size) ? NULL : "reads something else with readonly=yes";
}

/* ---- the table ---- */

static const struct { const char *name; const char *(*run)(struct suite *s); } cases[] = {
	{ "info", case_info }, { "reopen", case_reopen }, { "read-back", case_read_back }, { "edges", case_edges },
	{ "neighbours", case_neighbours }, { "vectors", case_vectors }, { "flush", case_flush }, { "unmap", case_unmap },
	{ "zero", case_zero }, { "zero-free", case_zero_free }, { "nowait", case_nowait }, { "in-flight", case_in_flight },
	{ "lend", case_lend }, { "extents", case_extents }, { "copy", case_copy }, { "read-only", case_read_only },
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
