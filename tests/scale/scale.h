/* SPDX-License-Identifier: Apache-2.0 */
/* scale.h - what the tests of cost share: is this a build whose figures mean something, and what the heap has. */
#ifndef GOTGT_TESTS_SCALE_H
#define GOTGT_TESTS_SCALE_H

#include <stddef.h>
#ifdef HAVE_MALLINFO2
#include <malloc.h>
#endif
#include "engine/sanitized.h"

/* Bytes; 0 where nobody can tell. */
static inline size_t in_use(void)
{
#ifdef HAVE_MALLINFO2
	struct mallinfo2 m = mallinfo2();

	return SANITIZED ? 0 : m.uordblks + m.hblkhd;
#else
	return 0;
#endif
}

#endif
