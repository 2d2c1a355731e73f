/* SPDX-License-Identifier: Apache-2.0 */
/* suite-ext.c - the cases about extensions. */
#include "config.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <gotgt/ext-compare.h>
#include <gotgt/ext-copy.h>
#include <gotgt/ext-extents.h>
#include <gotgt/ext-memory.h>
#include "suite-internal.h"

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

	suite_fill(s->out, n, 12);
	MUST("write", suite_wr(s, offset, n, 0));
	why = lend_once(s, m, fd, 0, offset, n);
	if (why)
		return why;
	if (pread(fd, s->in, (size_t)n, 0) != (ssize_t)n || !suite_right(s, n))
		FAIL("lent memory is not what WRITE wrote");
	suite_fill(s->out, n, 13);
	if (pwrite(fd, s->out, (size_t)n, 0) != (ssize_t)n)
		FAIL("no memory");
	why = lend_once(s, m, fd, 1, offset, n);
	if (why)
		return why;
	MUST("read", suite_rd(s, offset, n));
	return suite_right(s, n) ? NULL : "READ does not give what was stored in lent memory";
}

const char *suite_case_lend(struct suite *s)
{
	const struct gotgt_memory *m = extension(s, GOTGT_EXT_MEMORY);
	uint64_t block = s->dev.info.block_size;
	const char *why;
	int fd;

	if (!m || !suite_writable(s))
		return suite_skipped;
	if (m->size < offsetof(struct gotgt_memory, check) || !m->lend)
		FAIL("the table of " GOTGT_EXT_MEMORY " is too short");
	fd = memfd_create("suite", MFD_CLOEXEC);
	if (fd < 0)
		FAIL("memfd_create failed");
	why = lend_both(s, m, fd, 0, suite_area(s));
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

const char *suite_case_extents(struct suite *s)
{
	const struct gotgt_extents *x = extension(s, GOTGT_EXT_EXTENTS);
	uint64_t size = s->dev.info.size, at = 0;
	const char *why = NULL;

	if (!x)
		return suite_skipped;
	suite_fill(s->out, suite_area(s), 14);
	if (suite_writable(s))
		MUST("write", suite_wr(s, 0, suite_area(s), 0));
	while (at < size && !why) {
		struct gotgt_extent e[3];
		uint32_t n = 0;
		uint64_t covered = 0;

		MUST("query", x->query(s->dev.handle, at, size - at, e, G_N_ELEMENTS(e), &n));
		if (n > G_N_ELEMENTS(e))
			FAIL("%u extents where there was room for %u", n, (unsigned)G_N_ELEMENTS(e));
		why = check_extents(e, n, size - at, &covered);
		if (!why && !at && suite_writable(s) && !s->conf->forgets && e[0].state != GOTGT_EXTENT_ALLOCATED)
			FAIL("written bytes are not allocated");
		at += covered;
	}
	return why;
}

/* Within the device; what is copied, and nothing else. */
const char *suite_case_copy(struct suite *s)
{
	const struct gotgt_copy *x = extension(s, GOTGT_EXT_COPY);
	uint64_t block = s->dev.info.block_size, n = suite_area(s) / 4 / block * block, done = 0;

	if (!x || !suite_writable(s) || s->dev.info.size < 4 * n || !n)
		return suite_skipped;
	if (x->size < sizeof *x || !x->copy)
		FAIL("the table of " GOTGT_EXT_COPY " is too short");
	suite_fill(s->out, 4 * n, 16);
	MUST("write", suite_wr(s, 0, 4 * n, 0));
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
	MUST("read", suite_rd(s, 0, 4 * n));
	return suite_right(s, 4 * n) ? NULL : "something else was copied";
}

/* The first n bytes of out are there; what is to be written is behind them, and differs everywhere. */
static const char *compare(struct suite *s, const struct gotgt_compare *x, uint64_t n, uint64_t wrong_at)
{
	uint64_t same = 0;

	if (wrong_at < n)
		s->out[wrong_at] ^= 1;
	MUST("compare and write", x->compare_and_write(s->dev.handle, 0, n, s->out, s->out + n, &same));
	if (wrong_at < n)
		s->out[wrong_at] ^= 1;
	if (same != wrong_at)
		FAIL("%llu bytes are as expected, not %llu", (unsigned long long)wrong_at, (unsigned long long)same);
	if (wrong_at == n)
		memcpy(s->out, s->out + n, (size_t)n);
	MUST("read", suite_rd(s, 0, n));
	return suite_right(s, n) ? NULL : wrong_at < n ? "written, though not as expected" : "not written";
}

const char *suite_case_compare(struct suite *s)
{
	const struct gotgt_compare *x = extension(s, GOTGT_EXT_COMPARE);
	uint64_t block = s->dev.info.block_size, n = MIN(suite_area(s) / 2, 2 * block) / block * block, same;
	const char *why;

	if (!x || !suite_writable(s) || s->conf->forgets || !n)
		return suite_skipped;
	if (x->size < sizeof *x || !x->compare_and_write)
		FAIL("the table of " GOTGT_EXT_COMPARE " is too short");
	suite_fill(s->out, n, 17);
	MUST("write", suite_wr(s, 0, n, 0));
	for (uint64_t i = 0; i < n; i++)
		s->out[n + i] = (uint8_t)~s->out[i];
	if (x->compare_and_write(s->dev.handle, 0, n, s->out + n, s->out, &same) == GOTGT_ERR_UNSUPPORTED)
		return suite_skipped;
	why = compare(s, x, n, n - 1);
	if (!why)
		why = compare(s, x, n, 0);
	return why ? why : compare(s, x, n, n);
}
