/* SPDX-License-Identifier: Apache-2.0 */
/* suite-internal.h - what the suite's files share. */
#ifndef GOTGT_SUITE_INTERNAL_H
#define GOTGT_SUITE_INTERNAL_H

#include "sdk/suite.h"

/* ---- suite-host.c: the fake host ---- */

/* A request on its way.  It lives until its device is closed, so that a late answer finds it. */
struct sent {
	struct gotgt_io io;		/* what the plugin has; first */
	struct gotgt_io as_sent;
	struct iovec iov;
	unsigned n_done;
	enum gotgt_status status;
	bool submitted, canceled;
	struct suite_dev *dev;
	struct sent *next;
	uint8_t *priv;			/* io_priv_size bytes, and a guard */
};

struct sent *sent_new(struct suite_dev *d, uint32_t op, uint32_t flags, uint64_t offset, uint64_t length);
/* Its one element. */
void sent_data(struct sent *q, void *data);
void sent_submit(struct sent *q);
/* Nothing before it was submitted; while submit() runs, and after the answer, all the same. */
void sent_cancel(struct sent *q);
unsigned sent_answers(const struct sent *q);
/* Comes back when it is answered; see suite_contain() for when it never is. */
enum gotgt_status sent_wait(struct sent *q);

/* The first breach of the contract since suite_begin(), NULL: none. */
const char *suite_breach(void);
/* A case begins, which may take so long, and ends. */
void suite_begin(const struct suite_conf *conf);
void suite_end(void);
/* The size last told to resized(), 0: none. */
uint64_t suite_resized_to(void);
const char *suite_status_name(enum gotgt_status status);

/* ---- suite.c: for the cases ---- */

struct suite {
	const struct suite_conf *conf;
	struct suite_dev dev;
	bool open;
	uint8_t *out, *in, *model;	/* SUITE_AREA_BYTES and a guard, aligned */
	char why[512];
};

enum suite_verdict suite_say(struct suite *s, enum suite_verdict verdict, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
#define PASS return SUITE_PASSED
#define SKIP(...) return suite_say(s, SUITE_SKIPPED, __VA_ARGS__)
#define FAIL(...) return suite_say(s, SUITE_FAILED, __VA_ARGS__)
#define TRY(expr) do {									\
		enum suite_verdict verdict_ = (expr);					\
		if (verdict_ != SUITE_PASSED)						\
			return verdict_;						\
	} while (0)
#define MUST(what, status) do {								\
		enum gotgt_status got_ = (status);					\
		if (got_ != GOTGT_OK)							\
			FAIL("%s: %s", (what), suite_status_name(got_));		\
	} while (0)

bool suite_can(const struct suite *s, uint32_t op);
bool suite_writable(const struct suite *s);
/* What one request may carry, in whole blocks, up to SUITE_AREA_BYTES. */
uint64_t suite_area(const struct suite *s);
/* The least that is both whole blocks and aligned in memory. */
uint64_t suite_unit(const struct suite *s);
void suite_fill(uint8_t *at, uint64_t n, unsigned seed);
/* s->in is what s->out is, or zeroes where nothing is kept. */
enum suite_verdict suite_same(struct suite *s, uint64_t n, const char *what);
enum suite_verdict suite_zeroes(struct suite *s, const uint8_t *at, uint64_t n, const char *what);
/* One request from s->out, or into s->in, whose neighbourhood in memory is watched. */
enum suite_verdict suite_wr(struct suite *s, uint64_t offset, uint64_t n, uint32_t flags);
enum suite_verdict suite_rd(struct suite *s, uint64_t offset, uint64_t n);
enum suite_verdict suite_write_and_read(struct suite *s, uint64_t offset, uint64_t n, unsigned seed, uint32_t flags);
/* Close it and open it again, with these more settings (NULL: none). */
enum suite_verdict suite_again(struct suite *s, const char *const *more);
const void *suite_extension(struct suite *s, const char *id);

/* The cases: suite-data.c, suite-flight.c, suite-ext.c. */
enum suite_verdict case_info(struct suite *s);
enum suite_verdict case_refuse(struct suite *s);
enum suite_verdict case_reopen(struct suite *s);
enum suite_verdict case_read_back(struct suite *s);
enum suite_verdict case_edges(struct suite *s);
enum suite_verdict case_neighbours(struct suite *s);
enum suite_verdict case_vectors(struct suite *s);
enum suite_verdict case_odd_vectors(struct suite *s);
enum suite_verdict case_random(struct suite *s);
enum suite_verdict case_flush(struct suite *s);
enum suite_verdict case_fua(struct suite *s);
enum suite_verdict case_unmap(struct suite *s);
enum suite_verdict case_zero(struct suite *s);
enum suite_verdict case_zero_free(struct suite *s);
enum suite_verdict case_nowait(struct suite *s);
enum suite_verdict case_in_flight(struct suite *s);
enum suite_verdict case_cancel(struct suite *s);
enum suite_verdict case_close(struct suite *s);
enum suite_verdict case_kill(struct suite *s);
enum suite_verdict case_after_kill(struct suite *s);
enum suite_verdict case_lend(struct suite *s);
enum suite_verdict case_extents(struct suite *s);
enum suite_verdict case_copy(struct suite *s);
enum suite_verdict case_compare(struct suite *s);
enum suite_verdict case_size(struct suite *s);
enum suite_verdict case_read_only(struct suite *s);

#endif
