/* SPDX-License-Identifier: Apache-2.0 */
/* view.h - what gotgt top shows of two readings, as text.  [main] */
#ifndef GOTGT_VIEW_H
#define GOTGT_VIEW_H

#include "cli/counters.h"

enum view_sort { SORT_IOPS, SORT_BANDWIDTH, SORT_LATENCY, SORT_QUEUE, SORT_NAME, SORTS };
extern const char *const view_sorts[SORTS + 1];	/* "iops"; ends with NULL */

struct view {
	enum counted_kind kind;		/* COUNTED_LU or COUNTED_SESSION */
	enum view_sort sort;
	unsigned columns, lines;	/* 0: no limit */
	bool keys;			/* there is somebody to press them */
};

/* Lines with \n at their ends, none wider than the view.  The heading of the table is line number *heading, from 0. */
GString *view_text(const struct view *v, const struct reading *now, const struct reading *before, unsigned *heading);

/* Append what of a text fits, with spaces up to a width; what a terminal would obey is a "?".  end: the end counts. */
void view_cell(GString *out, const char *text, unsigned wide, bool right, bool end);

#endif
