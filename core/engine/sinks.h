/* SPDX-License-Identifier: Apache-2.0 */
/* sinks.h - where the program's lines go: standard error, as text, to the journal, or as JSON.  [any] */
#ifndef GOTGT_SINKS_H
#define GOTGT_SINKS_H

#include <glib.h>
#include "engine/log.h"

/* What log_entry() tells beside the line is used where a sink is called by a log; without it they have the line alone. */

/* "gotgt: LEVEL: TEXT" */
log_sink log_to_stderr;
/* An object a line (RFC 8259). */
log_sink log_to_json;
/* The journal's fields, where it is the journal that reads our standard error, else log_to_stderr(). */
log_sink log_to_journal;

/* A line as the journal gets it (systemd.journal-fields(7)); what the fields point to is e's, or here. */
struct log_journal {
	GLogField fields[10];
	gsize n;
	char domain[96], lun[12];
};
void log_journal_fields(struct log_journal *j, const struct log_entry *e);
/* Without the newline; for g_free(). */
char *log_json(const struct log_entry *e);

/* Text as a JSON string, NULL as null; what is not UTF-8 is made so. */
void json_append_text(GString *out, const char *text);

#endif
