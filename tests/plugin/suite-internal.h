/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUITE_INTERNAL_H
#define SUITE_INTERNAL_H

#include <stdbool.h>
#include <stdio.h>
#include "suite.h"

/* A request on its way. */
struct sent {
	struct gotgt_io io;	/* first */
	unsigned n_done;
	enum gotgt_status status;
	uint64_t priv[4096 / sizeof(uint64_t)];
};

void sent_init(struct sent *s, uint32_t op, uint32_t flags, uint64_t offset, uint64_t length);
unsigned sent_answers(struct sent *s);
enum gotgt_status sent_wait(struct sent *s);

#define AREA_MAX (1u << 20)
extern char suite_reason[512];

struct suite {
	const struct suite_conf *conf;
	struct suite_dev dev;
	uint8_t *out, *in;	/* AREA_MAX bytes, aligned */
};

#define FAIL(...) return snprintf(suite_reason, sizeof suite_reason, __VA_ARGS__), suite_reason
#define MUST(what, status_) do {							\
		enum gotgt_status got_ = (status_);					\
		if (got_ != GOTGT_OK)							\
			FAIL("%s: status %d", (what), (int)got_);			\
	} while (0)

/* What a request may carry, in whole blocks. */
uint64_t suite_area(const struct suite *s);
bool suite_writable(const struct suite *s);
void suite_fill(uint8_t *at, uint64_t n, unsigned seed);
/* Is in what was written, or nothing where nothing is kept? */
bool suite_right(const struct suite *s, uint64_t n);
enum gotgt_status suite_wr(struct suite *s, uint64_t offset, uint64_t n, uint32_t flags);
enum gotgt_status suite_rd(struct suite *s, uint64_t offset, uint64_t n);

/* suite-ext.c: NULL, or what was wrong. */
const char *suite_case_lend(struct suite *s);
const char *suite_case_extents(struct suite *s);
const char *suite_case_copy(struct suite *s);
const char *suite_case_compare(struct suite *s);

#endif
