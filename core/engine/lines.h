/* SPDX-License-Identifier: Apache-2.0 */
/* lines.h - memory that begins with a line of the processor's cache, so that what belongs together lies in one. */
#ifndef GOTGT_LINES_H
#define GOTGT_LINES_H

#include <stdlib.h>
#include <string.h>
#include <glib.h>

#define LINE_BYTES 64u

/* Zeroes, for free(); as g_malloc0() does, it ends the program when there is no memory.  [any] */
static inline void *lines_new0(size_t size)
{
	size_t whole = (size + LINE_BYTES - 1) & ~(size_t)(LINE_BYTES - 1);
	void *p = aligned_alloc(LINE_BYTES, whole);

	if (G_UNLIKELY(!p))
		g_error("no memory for %zu bytes", whole);
	return memset(p, 0, whole);
}

#endif
