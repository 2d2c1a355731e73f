/* SPDX-License-Identifier: Apache-2.0 */
/* suite-data.c - the cases of single requests: what is written is read, and nothing else has changed. */
#include "config.h"
#include <inttypes.h>
#include <string.h>
#include <gotgt/plugin.h>
#include "backstore/settings.h"
#include "sdk/suite-internal.h"

/* What makes a device unusable fails every case before it begins. */
enum suite_verdict case_info(struct suite *s)
{
	const struct gotgt_dev_info *i = &s->dev.info;
	const uint32_t ops = GOTGT_OP_BIT(GOTGT_OP_ZERO + 1) - 1;
	const uint32_t flags = GOTGT_DEV_READ_ONLY | GOTGT_DEV_WRITE_CACHE | GOTGT_DEV_ROTATIONAL | GOTGT_DEV_THIN | GOTGT_DEV_LATER |
			       GOTGT_DEV_ONE_WRITER;

	if (i->ops & ~ops)
		FAIL("ops has bits of no op: 0x%x", i->ops & ~ops);
	if (i->flags & ~flags)
		FAIL("flags has bits of no flag: 0x%x", i->flags & ~flags);
	if (i->native_fua > 1)
		FAIL("native_fua is %u", i->native_fua);
	for (size_t n = 0; n < G_N_ELEMENTS(i->reserved); n++)
		if (i->reserved[n] || i->reserved0)
			FAIL("reserved fields are not zero");
	PASS;
}

/* Something that no path leads to: it says why, or takes it as a name like any other. */
enum suite_verdict case_refuse(struct suite *s)
{
	const char *path = settings_path_name(s->dev.ops);
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	g_autofree char *error = NULL;
	struct suite_dev bad;

	if (!path)
		SKIP("it has no setting that is a path");
	for (const char *const *p = s->conf->settings; p[0]; p += 2)
		if (!g_str_equal(p[0], path) && !g_str_equal(p[0], "create")) {
			g_ptr_array_add(all, (void *)p[0]);
			g_ptr_array_add(all, (void *)p[1]);
		}
	g_ptr_array_add(all, (void *)path);
	g_ptr_array_add(all, (void *)"/dev/null/none");
	g_ptr_array_add(all, NULL);
	if (suite_open(&bad, s->conf->module, (const char *const *)all->pdata, &error)) {
		suite_close(&bad);
		SKIP("it opens %s", "/dev/null/none");
	}
	/* The one that is open is none the worse. */
	return suite_rd(s, 0, s->dev.info.block_size);
}

enum suite_verdict case_reopen(struct suite *s)
{
	const uint64_t size = s->dev.info.size, block = s->dev.info.block_size;

	suite_fill(s->out, block, 7);
	if (suite_writable(s))
		TRY(suite_wr(s, 0, block, 0));
	if (suite_can(s, GOTGT_OP_FLUSH) && suite_writable(s))
		MUST("FLUSH", suite_io(&s->dev, GOTGT_OP_FLUSH, 0, 0, NULL, 0));
	TRY(suite_again(s, NULL));
	if (s->dev.info.size != size)
		FAIL("another size when opened again");
	TRY(suite_rd(s, 0, block));
	return suite_writable(s) && !s->conf->loses ? suite_same(s, block, "opened again") : SUITE_PASSED;
}

enum suite_verdict case_read_back(struct suite *s)
{
	const uint64_t block = s->dev.info.block_size;

	if (!suite_writable(s))
		SKIP("it is read-only");
	for (uint64_t n = block; n <= suite_area(s); n *= 2)
		TRY(suite_write_and_read(s, (s->dev.info.size - n) / 2 / block * block, n, (unsigned)n, 0));
	PASS;
}

/* Where a write of the last block goes when its offset is cut to fewer bits: there nothing may change. */
static enum suite_verdict cut_offsets(struct suite *s, uint64_t last)
{
	const uint64_t block = s->dev.info.block_size;
	uint64_t before = last;

	for (unsigned bits = 62; bits >= 20; bits--) {
		const uint64_t at = last & ((UINT64_C(1) << bits) - 1);

		if (at == before)
			continue;
		before = at;
		TRY(suite_rd(s, at, block));
		memcpy(s->model, s->in, (size_t)block);
		suite_fill(s->out, block, bits);
		TRY(suite_wr(s, last, block, 0));
		TRY(suite_rd(s, at, block));
		if (memcmp(s->model, s->in, (size_t)block))
			FAIL("WRITE at %" PRIu64 " changed what is at %" PRIu64, last, at);
	}
	PASS;
}

enum suite_verdict case_edges(struct suite *s)
{
	const uint64_t block = s->dev.info.block_size, last = s->dev.info.size - block;

	if (!suite_writable(s))
		SKIP("it is read-only");
	TRY(suite_write_and_read(s, 0, block, 1, 0));
	TRY(suite_write_and_read(s, last, block, 2, 0));
	TRY(cut_offsets(s, last));
	if (last) {
		suite_fill(s->out, block, 1);
		TRY(suite_rd(s, 0, block));
		TRY(suite_same(s, block, "the first block, when the last one was written"));
	}
	if (s->dev.info.size <= suite_area(s))
		TRY(suite_write_and_read(s, 0, suite_area(s), 3, 0));
	PASS;
}

/* A write does not touch its neighbours. */
enum suite_verdict case_neighbours(struct suite *s)
{
	const uint64_t unit = suite_unit(s);

	if (!suite_writable(s) || s->dev.info.size < 3 * unit || unit > suite_area(s))
		SKIP("it is read-only, or too small");
	suite_fill(s->out, 3 * unit, 4);
	for (unsigned i = 0; i < 3; i++)
		MUST("WRITE", suite_io(&s->dev, GOTGT_OP_WRITE, 0, i * unit, s->out + i * unit, unit));
	suite_fill(s->out + unit, unit, 5);
	MUST("WRITE", suite_io(&s->dev, GOTGT_OP_WRITE, 0, unit, s->out + unit, unit));
	for (unsigned i = 0; i < 3; i++)
		MUST("READ", suite_io(&s->dev, GOTGT_OP_READ, 0, i * unit, s->in + i * unit, unit));
	return suite_same(s, 3 * unit, "three blocks, when the one between was written");
}

/* ---- several elements ---- */

/* lengths: of n elements, the first one last in memory, so that none follows another. */
static enum gotgt_status scattered(struct suite *s, uint32_t op, uint8_t *area, unsigned n, const uint64_t *lengths)
{
	g_autofree struct iovec *iov = g_new(struct iovec, n);
	uint64_t sum = 0;
	struct sent *q;

	for (unsigned i = n; i-- > 0; sum += lengths[i])
		iov[i] = (struct iovec){ area + sum, (size_t)lengths[i] };
	q = sent_new(&s->dev, op, 0, 0, sum);
	q->io.iov = iov;
	q->io.iovcnt = n;
	sent_submit(q);
	return sent_wait(q);
}

/* From the order in memory to that on the device. */
static void straighten(uint8_t *to, const uint8_t *from, unsigned n, const uint64_t *lengths)
{
	uint64_t sum = 0, at = 0;

	for (unsigned i = 0; i < n; i++)
		sum += lengths[i];
	for (unsigned i = 0; i < n; i++) {
		sum -= lengths[i];
		memcpy(to + at, from + sum, (size_t)lengths[i]);
		at += lengths[i];
	}
}

static enum suite_verdict both_ways(struct suite *s, unsigned n, const uint64_t *lengths, unsigned seed)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += lengths[i];
	suite_fill(s->model, sum, seed);
	straighten(s->out, s->model, n, lengths);
	MUST("WRITE of several elements", scattered(s, GOTGT_OP_WRITE, s->model, n, lengths));
	TRY(suite_rd(s, 0, sum));
	TRY(suite_same(s, sum, "written from several elements"));
	memset(s->model, 0x5a, (size_t)sum);
	MUST("READ into several elements", scattered(s, GOTGT_OP_READ, s->model, n, lengths));
	straighten(s->in, s->model, n, lengths);
	return suite_same(s, sum, "read into several elements");
}

enum { ELEMENTS = 33 };

enum suite_verdict case_vectors(struct suite *s)
{
	const uint64_t element = suite_unit(s);
	const unsigned n = (unsigned)MIN(suite_area(s) / element, ELEMENTS);
	uint64_t lengths[ELEMENTS];

	if (!suite_writable(s) || n < 2)
		SKIP("it is read-only, or takes one block at a time");
	for (unsigned i = 0; i < n; i++)
		lengths[i] = element;
	return both_ways(s, n, lengths, 6);
}

/* Only the sum is a multiple of block_size: plugin.h, mem_align. */
enum suite_verdict case_odd_vectors(struct suite *s)
{
	static const uint64_t odd[] = { 1, 511, 3, 1000, 7, 4099 };
	const uint64_t block = s->dev.info.block_size;
	uint64_t lengths[G_N_ELEMENTS(odd) + 1], sum = 0;

	if (!suite_writable(s) || s->dev.info.mem_align > 1)
		SKIP("it is read-only, or wants memory aligned");
	for (size_t i = 0; i < G_N_ELEMENTS(odd); i++)
		sum += lengths[i] = odd[i];
	lengths[G_N_ELEMENTS(odd)] = block - sum % block + block;
	if (sum + lengths[G_N_ELEMENTS(odd)] > suite_area(s))
		SKIP("it is too small");
	return both_ways(s, G_N_ELEMENTS(lengths), lengths, 17);
}

/* ---- any order ---- */

static uint64_t pick(uint32_t *x, uint64_t below)
{
	*x = *x * 1664525u + 1013904223u;
	return (*x >> 8) % below;
}

/* What the device must hold is in s->model. */
static enum suite_verdict random_step(struct suite *s, uint32_t *x, unsigned seed)
{
	static const uint32_t some[] = { GOTGT_OP_READ, GOTGT_OP_WRITE, GOTGT_OP_WRITE, GOTGT_OP_UNMAP, GOTGT_OP_ZERO };
	const uint64_t block = s->dev.info.block_size, n_blocks = suite_area(s) / block;
	const uint64_t first = pick(x, n_blocks), count = 1 + pick(x, MIN(n_blocks - first, 64));
	const uint64_t at = first * block, n = count * block;
	const uint32_t op = some[pick(x, G_N_ELEMENTS(some))];
	enum gotgt_status status;

	if (op == GOTGT_OP_WRITE) {
		suite_fill(s->out, n, seed);
		memcpy(s->model + at, s->out, (size_t)n);
		return suite_wr(s, at, n, 0);
	}
	if (op != GOTGT_OP_READ && suite_can(s, op)) {
		status = suite_io(&s->dev, op, 0, at, NULL, n);
		if (status == GOTGT_ERR_UNSUPPORTED && op == GOTGT_OP_ZERO)
			PASS;
		MUST(op == GOTGT_OP_ZERO ? "ZERO" : "UNMAP", status);
		memset(s->model + at, 0, (size_t)n);
		PASS;
	}
	memcpy(s->out, s->model + at, (size_t)n);
	TRY(suite_rd(s, at, n));
	return suite_same(s, n, "some of many requests");
}

enum suite_verdict case_random(struct suite *s)
{
	const uint64_t n = suite_area(s);
	uint32_t x = 1;

	if (!suite_writable(s))
		SKIP("it is read-only");
	suite_fill(s->out, n, 18);
	memcpy(s->model, s->out, (size_t)n);
	TRY(suite_wr(s, 0, n, 0));
	for (unsigned i = 0; i < 400; i++)
		TRY(random_step(s, &x, i));
	memcpy(s->out, s->model, (size_t)n);
	TRY(suite_rd(s, 0, n));
	return suite_same(s, n, "all, after many requests");
}

/* ---- flush, FUA, clear ---- */

enum suite_verdict case_flush(struct suite *s)
{
	const uint64_t block = s->dev.info.block_size;

	if (!suite_writable(s) || !suite_can(s, GOTGT_OP_FLUSH))
		SKIP("it has no FLUSH");
	for (unsigned i = 0; i < 3; i++) {
		TRY(suite_write_and_read(s, 0, block, 8 + i, 0));
		MUST("FLUSH", suite_io(&s->dev, GOTGT_OP_FLUSH, 0, 0, NULL, 0));
		TRY(suite_rd(s, 0, block));
		TRY(suite_same(s, block, "flushed"));
	}
	MUST("FLUSH of nothing new", suite_io(&s->dev, GOTGT_OP_FLUSH, 0, 0, NULL, 0));
	PASS;
}

static enum suite_verdict clear_range(struct suite *s, uint32_t op, uint32_t flags)
{
	const char *name = op == GOTGT_OP_ZERO ? "ZERO" : "UNMAP";
	const uint64_t block = s->dev.info.block_size, n = suite_area(s);
	const uint64_t inner = n > 4 * block ? n / 4 / block * block : block;
	enum gotgt_status status;

	if (!suite_writable(s) || !suite_can(s, op) || n < 3 * block)
		SKIP("it has no %s, or is read-only", name);
	suite_fill(s->out, n, 9);
	TRY(suite_wr(s, 0, n, 0));
	status = suite_io(&s->dev, op, flags, block, NULL, inner);
	if (status == GOTGT_ERR_UNSUPPORTED && op == GOTGT_OP_ZERO)
		SKIP("its ZERO says GOTGT_ERR_UNSUPPORTED");
	MUST(name, status);
	memset(s->out + block, 0, (size_t)inner);
	TRY(suite_rd(s, 0, n));
	TRY(suite_zeroes(s, s->in + block, inner, "cleared"));
	return suite_same(s, n, "a range within was cleared");
}

enum suite_verdict case_fua(struct suite *s)
{
	if (!suite_writable(s) || !s->dev.info.native_fua)
		SKIP("it does not say native_fua");
	TRY(suite_write_and_read(s, 0, s->dev.info.block_size, 10, GOTGT_IO_FUA));
	if (suite_can(s, GOTGT_OP_ZERO) && suite_area(s) >= 3 * s->dev.info.block_size) {
		enum suite_verdict v = clear_range(s, GOTGT_OP_ZERO, GOTGT_IO_FUA);

		return v == SUITE_SKIPPED ? SUITE_PASSED : v;
	}
	PASS;
}

enum suite_verdict case_unmap(struct suite *s)
{
	return clear_range(s, GOTGT_OP_UNMAP, 0);
}

enum suite_verdict case_zero(struct suite *s)
{
	return clear_range(s, GOTGT_OP_ZERO, 0);
}

enum suite_verdict case_zero_free(struct suite *s)
{
	return clear_range(s, GOTGT_OP_ZERO, GOTGT_IO_MAY_UNMAP);
}
