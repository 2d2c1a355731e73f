/* SPDX-License-Identifier: Apache-2.0 */
/* suite-flight.c - the cases of many requests at once, of their end, and of the end of the device. */
#include "config.h"
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sdk/suite-internal.h"

enum { FLYING = 64, THREADS = 8, CYCLES = 8 };

/* ---- at once ---- */

static enum suite_verdict now(struct suite *s, uint32_t op, uint64_t n)
{
	struct sent *q = sent_new(&s->dev, op, GOTGT_IO_NOWAIT, 0, n);
	unsigned answers;

	sent_data(q, op == GOTGT_OP_WRITE ? s->out : s->in);
	sent_submit(q);
	answers = sent_answers(q);
	sent_wait(q);
	if (!answers && !(s->dev.info.flags & GOTGT_DEV_LATER))
		FAIL("a request with GOTGT_IO_NOWAIT was not answered when submit() returned");
	if (q->status != GOTGT_ERR_AGAIN)
		MUST("with GOTGT_IO_NOWAIT", q->status);
	else if (op == GOTGT_OP_WRITE)
		return suite_wr(s, 0, n, 0);
	else
		return suite_rd(s, 0, n);
	PASS;
}

/* Answered in place or not done; never waited for. */
enum suite_verdict case_nowait(struct suite *s)
{
	const uint64_t n = MIN(suite_area(s), 65536);

	if (!(s->dev.ops->flags & GOTGT_PLUGIN_NOWAIT))
		SKIP("it does not say GOTGT_PLUGIN_NOWAIT");
	suite_fill(s->out, n, 10);
	if (suite_writable(s))
		TRY(now(s, GOTGT_OP_WRITE, n));
	memset(s->in, 0x5a, (size_t)n);
	TRY(now(s, GOTGT_OP_READ, n));
	return suite_writable(s) ? suite_same(s, n, "written and read with GOTGT_IO_NOWAIT") : SUITE_PASSED;
}

/* ---- many in flight ---- */

struct flight {
	struct sent **all;
	unsigned first, step;
	bool serial;
};

static void *submit_some(void *arg)
{
	const struct flight *f = arg;

	for (unsigned i = f->first; i < FLYING; i += f->step) {
		sent_submit(f->all[i]);
		if (f->serial)
			sent_wait(f->all[i]);
	}
	return NULL;
}

/* Several threads, as there are several reactors; a plugin that takes one at a time is given one at a time. */
static void fly(struct suite *s, struct sent **all, uint32_t op, uint8_t *area, uint64_t each, bool cancel)
{
	const bool serial = s->dev.ops->flags & GOTGT_PLUGIN_SERIAL;
	const unsigned n = serial ? 1 : THREADS;
	struct flight f[THREADS];
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < FLYING; i++) {
		all[i] = sent_new(&s->dev, op, 0, i * each, each);
		sent_data(all[i], area + i * each);
	}
	for (unsigned i = 0; i < n; i++) {
		f[i] = (struct flight){ .all = all, .first = i, .step = n, .serial = serial };
		if (pthread_create(&threads[i], NULL, submit_some, &f[i]))
			abort();
	}
	/* Before, while and after they are answered. */
	for (unsigned i = 0; cancel && i < 3 * FLYING; i++)
		sent_cancel(all[i % FLYING]);
	for (unsigned i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < FLYING; i++)
		sent_wait(all[i]);
}

static uint64_t each_of(const struct suite *s)
{
	const uint64_t each = MIN(suite_unit(s), SUITE_AREA_BYTES / FLYING);

	return s->dev.info.size < each * FLYING || each > suite_area(s) ? 0 : each;
}

enum suite_verdict case_in_flight(struct suite *s)
{
	const uint64_t each = each_of(s);
	struct sent *all[2 * FLYING];

	if (!suite_writable(s) || !each)
		SKIP("it is read-only, or too small");
	suite_fill(s->out, each * FLYING, 11);
	fly(s, all, GOTGT_OP_WRITE, s->out, each, false);
	memset(s->in, 0x5a, SUITE_AREA_BYTES);
	fly(s, all + FLYING, GOTGT_OP_READ, s->in, each, false);
	/* A flush behind them, so that a late second answer has had its time. */
	if (suite_can(s, GOTGT_OP_FLUSH))
		MUST("FLUSH", suite_io(&s->dev, GOTGT_OP_FLUSH, 0, 0, NULL, 0));
	for (unsigned i = 0; i < 2 * FLYING; i++)
		MUST("one of 64 at once", all[i]->status);
	return suite_same(s, each * FLYING, "64 requests at once");
}

/* What was canceled is answered all the same; what was done is right; and the device goes on. */
enum suite_verdict case_cancel(struct suite *s)
{
	const uint64_t each = each_of(s);
	struct sent *all[FLYING];

	if (!s->dev.ops->cancel || s->dev.ops->flags & GOTGT_PLUGIN_SERIAL)
		SKIP("it has no cancel(), or takes one request at a time");
	if (!suite_writable(s) || !each)
		SKIP("it is read-only, or too small");
	suite_fill(s->out, each * FLYING, 19);
	TRY(suite_wr(s, 0, MIN(each * FLYING, suite_area(s)), 0));
	for (unsigned i = 0; i < FLYING; i++)
		MUST("WRITE", suite_io(&s->dev, GOTGT_OP_WRITE, 0, i * each, s->out + i * each, each));
	for (unsigned round = 0; round < 8; round++) {
		memset(s->in, 0x5a, SUITE_AREA_BYTES);
		fly(s, all, GOTGT_OP_READ, s->in, each, true);
		for (unsigned i = 0; i < FLYING; i++) {
			if (all[i]->status == GOTGT_ERR_CANCELED)
				memcpy(s->in + i * each, s->out + i * each, (size_t)each);
			else
				MUST("one of those canceled", all[i]->status);
		}
		if (!s->conf->forgets)
			TRY(suite_same(s, each * FLYING, "read before it could be canceled"));
	}
	return suite_write_and_read(s, 0, suite_area(s), 20, 0);
}

/* ---- the end ---- */

static unsigned open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe, readdirCalled): nobody else reads d */
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

/* Right behind the last answer, again and again: nothing stays open, and nobody answers any more. */
enum suite_verdict case_close(struct suite *s)
{
	const uint64_t each = each_of(s);
	struct sent *all[FLYING];
	unsigned before;

	TRY(suite_again(s, NULL));
	before = open_files();
	for (unsigned i = 0; i < CYCLES; i++) {
		if (suite_writable(s) && each) {
			suite_fill(s->out, each * FLYING, i);
			fly(s, all, GOTGT_OP_WRITE, s->out, each, false);
		}
		TRY(suite_again(s, NULL));
	}
	if (open_files() >= before + CYCLES)
		FAIL("%u files more are open after it was opened and closed %u times", open_files() - before, CYCLES);
	if (!suite_writable(s) || !each || s->conf->loses)
		PASS;
	for (unsigned i = 0; i < FLYING; i++)
		MUST("READ", suite_io(&s->dev, GOTGT_OP_READ, 0, i * each, s->in + i * each, each));
	return suite_same(s, each * FLYING, "written before it was closed");
}

/* ---- killed ---- */

static uint64_t kill_bytes(const struct suite *s)
{
	return MIN(suite_area(s), 65536);
}

/* What was answered, and flushed where there is a cache, must outlive us. */
enum suite_verdict case_kill(struct suite *s)
{
	if (!suite_writable(s))
		SKIP("it is read-only");
	if (s->conf->loses || s->conf->forgets)
		SKIP("it keeps nothing");
	suite_fill(s->out, kill_bytes(s), 21);
	TRY(suite_wr(s, 0, kill_bytes(s), 0));
	if (s->dev.info.flags & GOTGT_DEV_WRITE_CACHE)
		MUST("FLUSH", suite_io(&s->dev, GOTGT_OP_FLUSH, 0, 0, NULL, 0));
	suite_killing();
	raise(SIGKILL);
	FAIL("the process outlived SIGKILL");
}

enum suite_verdict case_after_kill(struct suite *s)
{
	suite_fill(s->out, kill_bytes(s), 21);
	TRY(suite_rd(s, 0, kill_bytes(s)));
	return suite_same(s, kill_bytes(s), s->dev.info.flags & GOTGT_DEV_WRITE_CACHE ?
			  "flushed, and the process killed" : "written without a write cache, and the process killed");
}
