/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.h - the logical units of a target as one initiator sees them: other numbers, fewer, or not to be written.
 * A view does not change; references are counted.  [any]
 */
#ifndef GOTGT_VIEW_H
#define GOTGT_VIEW_H

#include <stdbool.h>
#include <stdint.h>

struct nexus;
struct lun;

struct lun_view;

/* One of them: what the initiator calls it, and what it is called in the target. */
struct lun_view_row { uint32_t number, lun; bool read_only; };

/* With rows: these alone.  n 0: all, by their own numbers.  read_only: none of them is written. */
struct lun_view *lun_view_new(const struct lun_view_row *rows, unsigned n, bool read_only);
struct lun_view *lun_view_ref(struct lun_view *v);	/* NULL stays NULL */
void lun_view_unref(struct lun_view *v);
bool lun_view_equal(const struct lun_view *a, const struct lun_view *b);

/* The target's number of what an initiator calls so; -1: nothing. */
int lun_view_find(const struct lun_view *v, int number);
/* The same from the target's side. */
int lun_view_number(const struct lun_view *v, uint32_t lun);
bool lun_view_read_only(const struct lun_view *v, uint32_t lun);
/* Numbers to ask lun_view_find() about are below this. */
uint32_t lun_view_end(const struct lun_view *v);

/* There are, or may be, logical units of its target that it does not see.  [reactor of the nexus] */
bool nexus_sees_part(const struct nexus *n);
bool lun_view_is_part(const struct lun_view *v);	/* NULL: it is not */

/*
 * Another view for a nexus from here on (a reference that it takes over, NULL: all as it is).  Where it is another, it
 * hears REPORTED LUNS DATA HAS CHANGED; of what it may write now, or no longer, MODE PARAMETERS CHANGED, since the WP bit
 * is in mode data; and what it has not seen before is as new.  [reactor of the nexus]
 */
void nexus_set_view(struct nexus *n, struct lun_view *v);

#endif
