/* SPDX-License-Identifier: Apache-2.0 */
/* suite.c - the table of cases, how one is run, and what they share. */
#include "config.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backstore/device.h"
#include "sdk/suite-internal.h"

#define PAGE_BYTES 4096u
#define GUARD_BYTES PAGE_BYTES
#define NOT_READ 0x5a	/* what memory holds that is to be read into */
#define GUARD 0xa5

static const struct suite_row {
	const char *name;
	enum suite_verdict (*run)(struct suite *s);
	enum suite_verdict (*first)(struct suite *s);	/* a case of two processes: run is the second */
} cases[] = {
	{ "info", case_info }, { "refuse", case_refuse }, { "reopen", case_reopen }, { "read-back", case_read_back },
	{ "edges", case_edges }, { "neighbours", case_neighbours }, { "vectors", case_vectors },
	{ "odd-vectors", case_odd_vectors }, { "random", case_random }, { "flush", case_flush }, { "fua", case_fua },
	{ "unmap", case_unmap }, { "zero", case_zero }, { "zero-free", case_zero_free }, { "nowait", case_nowait },
	{ "in-flight", case_in_flight }, { "cancel", case_cancel }, { "close", case_close },
	{ "killed", case_after_kill, case_kill }, { "lend", case_lend }, { "extents", case_extents }, { "copy", case_copy },
	{ "compare", case_compare }, { "size", case_size }, { "read-only", case_read_only },
};

/* ---- for the cases ---- */

enum suite_verdict suite_say(struct suite *s, enum suite_verdict verdict, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->why, sizeof s->why, fmt, ap);
	va_end(ap);
	return verdict;
}

bool suite_can(const struct suite *s, uint32_t op)
{
	return s->dev.info.ops & GOTGT_OP_BIT(op);
}

bool suite_writable(const struct suite *s)
{
	return !(s->dev.info.flags & GOTGT_DEV_READ_ONLY);
}

uint64_t suite_area(const struct suite *s)
{
	const struct gotgt_dev_info *i = &s->dev.info;
	uint64_t n = MIN(SUITE_AREA_BYTES, i->size);

	if (i->max_io_size)
		n = MIN(n, i->max_io_size);
	return n - n % i->block_size;
}

uint64_t suite_unit(const struct suite *s)
{
	return MAX(s->dev.info.block_size, s->dev.info.mem_align);
}

void suite_fill(uint8_t *at, uint64_t n, unsigned seed)
{
	uint32_t x = seed * 2654435761u + 1;

	for (uint64_t i = 0; i < n; i++) {
		x = x * 1664525u + 1013904223u;
		at[i] = (uint8_t)(x >> 24);
	}
}

enum suite_verdict suite_same(struct suite *s, uint64_t n, const char *what)
{
	if (s->conf->forgets)
		return suite_zeroes(s, s->in, n, what);
	for (uint64_t i = 0; i < n; i++)
		if (s->in[i] != s->out[i])
			FAIL("%s: byte %" PRIu64 " of %" PRIu64 " is %02x and not %02x", what, i, n, s->in[i], s->out[i]);
	PASS;
}

enum suite_verdict suite_zeroes(struct suite *s, const uint8_t *at, uint64_t n, const char *what)
{
	for (uint64_t i = 0; i < n; i++)
		if (at[i])
			FAIL("%s: byte %" PRIu64 " of %" PRIu64 " is %02x and not 00", what, i, n, at[i]);
	PASS;
}

enum suite_verdict suite_wr(struct suite *s, uint64_t offset, uint64_t n, uint32_t flags)
{
	MUST("WRITE", suite_io(&s->dev, GOTGT_OP_WRITE, flags, offset, s->out, n));
	PASS;
}

enum suite_verdict suite_rd(struct suite *s, uint64_t offset, uint64_t n)
{
	memset(s->in, NOT_READ, (size_t)n);
	memset(s->in + n, GUARD, GUARD_BYTES);
	MUST("READ", suite_io(&s->dev, GOTGT_OP_READ, 0, offset, s->in, n));
	for (unsigned i = 0; i < GUARD_BYTES; i++)
		if (s->in[n + i] != GUARD)
			FAIL("READ of %" PRIu64 " bytes wrote %u bytes beyond the memory it was given", n, i + 1);
	PASS;
}

enum suite_verdict suite_write_and_read(struct suite *s, uint64_t offset, uint64_t n, unsigned seed, uint32_t flags)
{
	char what[96];

	suite_fill(s->out, n, seed);
	memcpy(s->in, s->out, (size_t)n);
	TRY(suite_wr(s, offset, n, flags));
	if (memcmp(s->in, s->out, (size_t)n))
		FAIL("WRITE of %" PRIu64 " bytes changed the memory it was given", n);
	TRY(suite_rd(s, offset, n));
	snprintf(what, sizeof what, "written and read at %" PRIu64, offset);
	return suite_same(s, n, what);
}

static enum suite_verdict open_device(struct suite *s, const char *const *settings)
{
	g_autofree char *error = NULL;
	const char *wrong;

	if (!suite_open(&s->dev, s->conf->module, settings, &error))
		FAIL("does not open: %s", error);
	s->open = true;
	wrong = device_info_wrong(&s->dev.info);
	if (wrong)
		FAIL("the device cannot be used: %s", wrong);
	PASS;
}

enum suite_verdict suite_again(struct suite *s, const char *const *more)
{
	g_autoptr(GPtrArray) settings = g_ptr_array_new();

	for (const char *const *p = s->conf->settings; *p; p++)
		g_ptr_array_add(settings, (void *)*p);
	for (; more && *more; more++)
		g_ptr_array_add(settings, (void *)*more);
	g_ptr_array_add(settings, NULL);
	suite_close(&s->dev);
	s->open = false;
	return open_device(s, (const char *const *)settings->pdata);
}

const void *suite_extension(struct suite *s, const char *id)
{
	suite_doing("extension()");
	return s->dev.ops->extension ? s->dev.ops->extension(id) : NULL;
}

/* ---- running ---- */

const char *suite_case(unsigned n)
{
	return n < G_N_ELEMENTS(cases) ? cases[n].name : NULL;
}

static void run(const struct suite_conf *conf, enum suite_verdict (*body)(struct suite *s), struct suite_result *r)
{
	struct suite s = { .conf = conf };
	const size_t each = SUITE_AREA_BYTES + PAGE_BYTES;
	const char *breach;
	void *memory;

	if (posix_memalign(&memory, PAGE_BYTES, 3 * each))
		abort();
	memset(memory, 0, 3 * each);
	s.out = memory;
	s.in = s.out + each;
	s.model = s.in + each;
	suite_begin(conf);
	r->verdict = open_device(&s, conf->settings);
	if (r->verdict == SUITE_PASSED)
		r->verdict = body(&s);
	if (s.open)
		suite_close(&s.dev);
	suite_doing("nothing");
	g_strlcpy(r->why, s.why, sizeof r->why);
	/* Whatever else came of it. */
	breach = suite_breach();
	if (breach && r->verdict != SUITE_FAILED) {
		r->verdict = SUITE_FAILED;
		g_strlcpy(r->why, breach, sizeof r->why);
	}
	suite_end();
	free(memory);
}

static enum suite_verdict not_here(struct suite *s)
{
	SKIP("it takes a process of its own");
}

void suite_run_case(const struct suite_conf *conf, unsigned n, struct suite_result *r)
{
	run(conf, cases[n].first ? not_here : cases[n].run, r);
}

void suite_run_half(const struct suite_conf *conf, unsigned n, bool second, struct suite_result *r)
{
	run(conf, second ? cases[n].run : cases[n].first, r);
}

bool suite_has_halves(unsigned n)
{
	return cases[n].first;
}

/* ---- looking ---- */

static enum suite_verdict look_at(struct suite *s, uint64_t from, uint64_t to)
{
	const uint64_t step = suite_area(s);

	for (uint64_t at = from; at < to; at += step) {
		uint64_t n = MIN(step, to - at);

		TRY(suite_rd(s, at, n));
		for (uint64_t i = 0; i < n; i++)
			if (s->in[i])
				SKIP("there is data at byte %" PRIu64, at + i);
	}
	PASS;
}

static enum suite_verdict look_nowhere(struct suite *s)
{
	PASS;
}

static enum suite_verdict look(struct suite *s)
{
	const uint64_t size = s->dev.info.size, block = s->dev.info.block_size;
	const uint64_t n = MIN(SUITE_AREA_BYTES, size), middle = (size - n) / 2 / block * block;

	if (!suite_writable(s))
		PASS;
	TRY(look_at(s, 0, n));
	TRY(look_at(s, middle, MIN(middle + n + block, size)));
	return look_at(s, size - n, size);
}

void suite_look(const struct suite_conf *conf, bool read, struct suite_result *r)
{
	run(conf, read ? look : look_nowhere, r);
}
