/* SPDX-License-Identifier: Apache-2.0 */
/* located.h - a JSON text with the lines its values stand at, and what is in it twice.  [main] */
#ifndef GOTGT_LOCATED_H
#define GOTGT_LOCATED_H

#include <json-glib/json-glib.h>
#include <stdbool.h>

struct located;

/* Text as json_read() takes it; NULL: *why it is none, for g_free(), and *line where (0: nowhere). */
struct located *located_read(const char *text, size_t len, unsigned *line, char **why);
void located_free(struct located *l);	/* l may be NULL */
JsonObject *located_root(const struct located *l);
/* Where a member's value begins.  The object is one of l's; 0: it has no such member. */
unsigned located_line(const struct located *l, JsonObject *object, const char *member);
unsigned located_element_line(const struct located *l, JsonArray *array, unsigned at);
/* Has the text this member more than once?  The object has the last one. */
bool located_twice(const struct located *l, JsonObject *object, const char *member);

#endif
