/* SPDX-License-Identifier: Apache-2.0 */
/* screen.h - a terminal that is drawn on.  [main] */
#ifndef GOTGT_SCREEN_H
#define GOTGT_SCREEN_H

#include <stdbool.h>
#include <glib.h>

/* Is there one that can be, and somebody who presses keys? */
bool screen_there(void);
/* Keys are read as they are pressed, and what was on it comes back at the end, which may come more than once. */
bool screen_begin(void);
void screen_end(void);
void screen_size(unsigned *columns, unsigned *lines);
/* Lines, one of them reversed: written at once over what is there.  False: that cannot be written. */
bool screen_draw(const char *text, unsigned reversed);

#endif
