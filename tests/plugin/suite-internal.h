/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUITE_INTERNAL_H
#define SUITE_INTERNAL_H

#include <stdbool.h>
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

#endif
