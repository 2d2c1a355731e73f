/* SPDX-License-Identifier: Apache-2.0 */
/* reach.h - where this process may open files, once it has confined itself to that: for messages that say so.  [main] */
#ifndef GOTGT_REACH_H
#define GOTGT_REACH_H

#include <stdbool.h>
#include <glib.h>

/* Before: the folder of one more file, or socket, which no configuration has; and all of those, or NULL. */
void reach_also(const char *path);
const GPtrArray *reach_others(void);
/* Real paths, which it takes: the process is confined to what is beneath them. */
void reach_confine(GPtrArray *paths);
/* Is it beneath one, wherever its links lead?  Always, where nothing is confined. */
bool reach_has(const char *path);
/* The path of a file that is there, or could be made, without links; NULL: there is no folder for it. */
char *reach_real(const char *path);

#endif
