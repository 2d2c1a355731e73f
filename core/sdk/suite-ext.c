/* SPDX-License-Identifier: Apache-2.0 */
/* suite-ext.c - the cases of extensions, and of a device that is read-only. */
#include "config.h"
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <gotgt/ext-compare.h>
#include <gotgt/ext-copy.h>
#include <gotgt/ext-extents.h>
#include <gotgt/ext-memory.h>
#include <gotgt/ext-size.h>
#include "backstore/settings.h"
#include "sdk/suite-internal.h"

/* ---- gotgt.memory/1 ---- */

/* Lent memory is touched by system calls only: through a file in memory. */
static enum suite_verdict lend_once(struct suite *s, const struct gotgt_memory *m, int fd, int write, uint64_t offset,
				    uint64_t n)
{
	struct iovec iov[64];
	uint64_t sum = 0;
	ssize_t done;
	uint32_t count;

	suite_doing("lend()");
	if (m->size > offsetof(struct gotgt_memory, check) && m->check)
		MUST("check()", m->check(s->dev.handle));
	count = m->lend(s->dev.handle, offset, n, write, iov, G_N_ELEMENTS(iov));
	if (!count)
		SKIP("it does not lend %" PRIu64 " bytes at %" PRIu64, n, offset);
	if (count > G_N_ELEMENTS(iov))
		FAIL("lent %u elements where there was room for %u", count, (unsigned)G_N_ELEMENTS(iov));
	for (uint32_t i = 0; i < count; i++)
		sum += iov[i].iov_len;
	if (sum != n)
		FAIL("lent %" PRIu64 " bytes and not %" PRIu64, sum, n);
	done = write ? preadv(fd, iov, (int)count, 0) : pwritev(fd, iov, (int)count, 0);
	suite_doing("reclaim()");
	if (m->reclaim)
		m->reclaim(s->dev.handle, iov, count);
	if (done != (ssize_t)n)
		FAIL("lent memory cannot be %s", write ? "written" : "read");
	PASS;
}

static enum suite_verdict lend_both(struct suite *s, const struct gotgt_memory *m, int fd, uint64_t offset, uint64_t n)
{
	suite_fill(s->out, n, 12);
	TRY(suite_wr(s, offset, n, 0));
	TRY(lend_once(s, m, fd, 0, offset, n));
	if (pread(fd, s->in, (size_t)n, 0) != (ssize_t)n)
		FAIL("the file in memory cannot be read");
	TRY(suite_same(s, n, "written and lent"));
	suite_fill(s->out, n, 13);
	if (pwrite(fd, s->out, (size_t)n, 0) != (ssize_t)n)
		FAIL("the file in memory cannot be written");
	TRY(lend_once(s, m, fd, 1, offset, n));
	TRY(suite_rd(s, offset, n));
	return suite_same(s, n, "stored in lent memory and read");
}

/* What is lent to be read has the same bytes before and after others write there. */
static enum suite_verdict lend_constant(struct suite *s, const struct gotgt_memory *m, int fd, uint64_t n)
{
	struct iovec iov[64];
	uint32_t count;
	bool read = true;

	if (!(m->flags & GOTGT_MEMORY_CONSTANT))
		PASS;
	if (!(m->flags & GOTGT_MEMORY_STAYS))
		FAIL("GOTGT_MEMORY_CONSTANT says nothing without GOTGT_MEMORY_STAYS");
	suite_fill(s->out, n, 14);
	TRY(suite_wr(s, 0, n, 0));
	count = m->lend(s->dev.handle, 0, n, 0, iov, G_N_ELEMENTS(iov));
	if (!count)
		SKIP("it does not lend %" PRIu64 " bytes", n);
	for (unsigned k = 0; k < 2; k++) {
		read = read && pwritev(fd, iov, (int)count, (off_t)(k * n)) == (ssize_t)n;
		suite_fill(s->out, n, 15);
		TRY(suite_wr(s, 0, n, 0));
	}
	if (m->reclaim)
		m->reclaim(s->dev.handle, iov, count);
	if (!read || pread(fd, s->in, (size_t)n, 0) != (ssize_t)n || pread(fd, s->out, (size_t)n, (off_t)n) != (ssize_t)n)
		FAIL("lent memory cannot be read");
	if (memcmp(s->in, s->out, (size_t)n))
		FAIL("GOTGT_MEMORY_CONSTANT, and a write has changed what was lent");
	PASS;
}

enum suite_verdict case_lend(struct suite *s)
{
	const struct gotgt_memory *m = suite_extension(s, GOTGT_EXT_MEMORY);
	const uint64_t block = s->dev.info.block_size;
	enum suite_verdict v;
	int fd;

	if (!m || !suite_writable(s) || s->dev.ops->flags & GOTGT_PLUGIN_SERIAL)
		SKIP("it has no " GOTGT_EXT_MEMORY ", or is read-only or serial");
	if (m->size < offsetof(struct gotgt_memory, check) || !m->lend)
		FAIL("the table of " GOTGT_EXT_MEMORY " is too short");
	fd = memfd_create("suite", MFD_CLOEXEC);
	if (fd < 0)
		FAIL("there is no memory for a file");
	v = lend_both(s, m, fd, 0, suite_area(s));
	if (v == SUITE_PASSED)
		v = lend_both(s, m, fd, s->dev.info.size - block, block);
	if (v == SUITE_PASSED)
		v = lend_constant(s, m, fd, suite_area(s));
	close(fd);
	return v;
}

/* ---- gotgt.extents/1 ---- */

static enum suite_verdict check_extents(struct suite *s, const struct gotgt_extent *e, uint32_t n, uint64_t length,
					uint64_t *covered)
{
	if (!n)
		FAIL("no extent at all");
	for (uint32_t i = 0; i < n; i++) {
		if (!e[i].length || e[i].length > length - *covered)
			FAIL("extent %u has %" PRIu64 " bytes", i, e[i].length);
		if (e[i].state > GOTGT_EXTENT_ZERO)
			FAIL("extent %u has the state %u", i, e[i].state);
		*covered += e[i].length;
	}
	PASS;
}

enum { EXTENTS = 3, QUERIES = 4096 };

enum suite_verdict case_extents(struct suite *s)
{
	const struct gotgt_extents *x = suite_extension(s, GOTGT_EXT_EXTENTS);
	const uint64_t size = s->dev.info.size;
	uint64_t at = 0;

	if (!x)
		SKIP("it has no " GOTGT_EXT_EXTENTS);
	if (x->size < sizeof *x || !x->query)
		FAIL("the table of " GOTGT_EXT_EXTENTS " is too short");
	suite_fill(s->out, suite_area(s), 14);
	if (suite_writable(s))
		TRY(suite_wr(s, 0, suite_area(s), 0));
	suite_doing("query()");
	for (unsigned i = 0; at < size && i < QUERIES; i++) {
		struct gotgt_extent e[EXTENTS];
		uint64_t covered = 0;
		uint32_t n = 0;

		MUST("query()", x->query(s->dev.handle, at, size - at, e, EXTENTS, &n));
		if (n > EXTENTS)
			FAIL("%u extents where there was room for %u", n, EXTENTS);
		TRY(check_extents(s, e, n, size - at, &covered));
		if (!at && suite_writable(s) && !s->conf->forgets && e[0].state != GOTGT_EXTENT_ALLOCATED)
			FAIL("what has just been written is not allocated");
		at += covered;
	}
	PASS;
}

/* ---- gotgt.copy/1 ---- */

/* Within the device; what is copied, and nothing else. */
enum suite_verdict case_copy(struct suite *s)
{
	const struct gotgt_copy *x = suite_extension(s, GOTGT_EXT_COPY);
	const uint64_t block = s->dev.info.block_size, n = suite_area(s) / 4 / block * block;

	if (!x || !suite_writable(s) || s->dev.ops->flags & GOTGT_PLUGIN_SERIAL || !n)
		SKIP("it has no " GOTGT_EXT_COPY ", or is read-only or serial");
	if (x->size < sizeof *x || !x->copy)
		FAIL("the table of " GOTGT_EXT_COPY " is too short");
	suite_fill(s->out, 4 * n, 16);
	TRY(suite_wr(s, 0, 4 * n, 0));
	suite_doing("copy()");
	for (uint64_t done = 0, copied = 0; done < n; done += copied) {
		enum gotgt_status status;

		copied = 0;
		status = x->copy(s->dev.handle, done, s->dev.handle, 2 * n + done, n - done, &copied);
		if (copied > n - done)
			FAIL("copied %" PRIu64 " bytes more than it was asked to", copied - (n - done));
		if (status == GOTGT_ERR_UNSUPPORTED)
			SKIP("it says that it cannot copy here");
		MUST("copy()", status);
		if (!copied)
			FAIL("copied nothing, and called it a success");
	}
	memcpy(s->out + 2 * n, s->out, (size_t)n);
	TRY(suite_rd(s, 0, 4 * n));
	return suite_same(s, 4 * n, "copied");
}

/* ---- gotgt.compare/1 ---- */

/* The first n bytes of out are there; what is to be written is behind them, and differs everywhere. */
static enum suite_verdict compare(struct suite *s, const struct gotgt_compare *x, uint64_t n, uint64_t wrong_at)
{
	uint64_t same = 0;

	if (wrong_at < n)
		s->out[wrong_at] ^= 1;
	suite_doing("compare_and_write()");
	MUST("compare_and_write()", x->compare_and_write(s->dev.handle, 0, n, s->out, s->out + n, &same));
	if (wrong_at < n)
		s->out[wrong_at] ^= 1;
	if (same != wrong_at)
		FAIL("%" PRIu64 " bytes are as expected, and it says %" PRIu64, wrong_at, same);
	if (wrong_at == n)
		memcpy(s->out, s->out + n, (size_t)n);
	TRY(suite_rd(s, 0, n));
	return suite_same(s, n, wrong_at < n ? "compared, and not as expected" : "compared and written");
}

enum suite_verdict case_compare(struct suite *s)
{
	const struct gotgt_compare *x = suite_extension(s, GOTGT_EXT_COMPARE);
	const uint64_t block = s->dev.info.block_size, n = MIN(suite_area(s) / 2, 2 * block) / block * block;
	uint64_t same;

	if (!x || !suite_writable(s) || s->conf->forgets || s->dev.ops->flags & GOTGT_PLUGIN_SERIAL || !n)
		SKIP("it has no " GOTGT_EXT_COMPARE ", or is read-only or serial");
	if (x->size < sizeof *x || !x->compare_and_write)
		FAIL("the table of " GOTGT_EXT_COMPARE " is too short");
	suite_fill(s->out, n, 17);
	TRY(suite_wr(s, 0, n, 0));
	for (uint64_t i = 0; i < n; i++)
		s->out[n + i] = (uint8_t)~s->out[i];
	suite_doing("compare_and_write()");
	if (x->compare_and_write(s->dev.handle, 0, n, s->out + n, s->out, &same) == GOTGT_ERR_UNSUPPORTED)
		SKIP("it says that it cannot compare and write here");
	TRY(compare(s, x, n, n - 1));
	TRY(compare(s, x, n, 0));
	return compare(s, x, n, n);
}

/* ---- gotgt.size/1 ---- */

/* Nobody has changed it. */
enum suite_verdict case_size(struct suite *s)
{
	const struct gotgt_size *x = suite_extension(s, GOTGT_EXT_SIZE);
	uint64_t told;

	if (!x)
		SKIP("it has no " GOTGT_EXT_SIZE);
	if (x->size < sizeof *x || !x->look)
		FAIL("the table of " GOTGT_EXT_SIZE " is too short");
	suite_doing("look()");
	x->look(s->dev.handle);
	told = suite_resized_to();
	if (told && told - told % s->dev.info.block_size != s->dev.info.size)
		FAIL("look() tells a size of %" PRIu64 ", open() one of %" PRIu64, told, s->dev.info.size);
	return suite_rd(s, s->dev.info.size - s->dev.info.block_size, s->dev.info.block_size);
}

/* ---- read-only ---- */

enum suite_verdict case_read_only(struct suite *s)
{
	static const char *const more[] = { "readonly", "yes", NULL };
	const struct gotgt_param *q = settings_find(s->dev.ops, "readonly");
	const uint64_t block = s->dev.info.block_size;

	if (!q || q->type != GOTGT_PARAM_BOOL)
		SKIP("it has no yes or no called readonly");
	if (!suite_writable(s))
		SKIP("it is read-only already");
	suite_fill(s->out, block, 15);
	TRY(suite_wr(s, 0, block, 0));
	TRY(suite_again(s, more));
	if (suite_writable(s))
		FAIL("opened with readonly=yes it does not say GOTGT_DEV_READ_ONLY");
	TRY(suite_rd(s, 0, block));
	return s->conf->loses ? SUITE_PASSED : suite_same(s, block, "read with readonly=yes");
}
