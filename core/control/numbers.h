/* SPDX-License-Identifier: Apache-2.0 */
/* numbers.h - who has counted something, for the two ways to tell it.  [main] */
#ifndef GOTGT_NUMBERS_H
#define GOTGT_NUMBERS_H

#include "config/server.h"
#include "iscsi/count.h"

/* Text in quotation marks, escaped as JSON wants it, or OpenMetrics. */
void numbers_quote(GString *to, const char *text, bool json);
/* Nanoseconds in a larger unit, digits after the point as far as there are: 20480 of 1000 is 20.48. */
void numbers_put_ns(GString *to, uint64_t ns, uint32_t unit_ns);
/* How many of `all` (struct count_session) are of each target; keys are theirs. */
GHashTable *numbers_sessions_of(const GArray *all);
double numbers_uptime_s(const struct server *s);

#endif
