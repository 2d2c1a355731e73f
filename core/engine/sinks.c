/* SPDX-License-Identifier: Apache-2.0 */
/* sinks.c - a line as text, as fields of the journal, as JSON. */
#include "config.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "engine/sinks.h"

/* syslog(3)'s; systemd reads one from "<N>" too (sd-daemon(3)). */
static const char *const priorities[] = {
	[GOTGT_LOG_ERROR] = "3", [GOTGT_LOG_WARNING] = "4", [GOTGT_LOG_INFO] = "6", [GOTGT_LOG_DEBUG] = "7",
};

/* One write a line, so that lines of several threads do not mix.  Nowhere to report a failure to. */
static void put(char *line)
{
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		line[0] = '\0';
	g_free(line);
}

static struct log_entry entry_of(enum gotgt_log_level level, const char *line)
{
	const struct log_entry *e = log_entry();

	return e ? *e : (struct log_entry){ .level = level, .domain = log_domain_name(LOGD_DAEMON), .text = line };
}

void log_to_stderr(enum gotgt_log_level level, const char *line, void *data)
{
	put(g_strdup_printf("gotgt: %s: %s\n", log_level_name(level), line));
}

/* ---- the journal ---- */

static void add(struct log_journal *j, const char *key, const char *value)
{
	if (value)
		j->fields[j->n++] = (GLogField){ key, value, -1 };
}

void log_journal_fields(struct log_journal *j, const struct log_entry *e)
{
	j->n = 0;
	g_snprintf(j->domain, sizeof j->domain, "gotgt-%s", e->domain);
	add(j, "MESSAGE", e->text);
	add(j, "PRIORITY", priorities[e->level]);
	add(j, "SYSLOG_IDENTIFIER", "gotgt");
	add(j, "GLIB_DOMAIN", j->domain);
	add(j, "CODE_FUNC", e->function);
	add(j, "TARGET", e->of.target);
	add(j, "INITIATOR", e->of.initiator);
	add(j, "CONN", e->of.conn);
	if (e->of.has_lun) {
		g_snprintf(j->lun, sizeof j->lun, "%u", e->of.lun);
		add(j, "LUN", j->lun);
	}
}

/* GLib writes them; what it would do with a level that is fatal, or that G_MESSAGES_DEBUG hides, is not for ours. */
void log_to_journal(enum gotgt_log_level level, const char *line, void *data)
{
	struct log_entry e = entry_of(level, line);
	struct log_journal j;

	if (!g_getenv("JOURNAL_STREAM") || !g_log_writer_is_journald(STDERR_FILENO)) {
		log_to_stderr(level, line, NULL);
		return;
	}
	log_journal_fields(&j, &e);
	if (g_log_writer_journald(G_LOG_LEVEL_MESSAGE, j.fields, j.n, NULL) != G_LOG_WRITER_HANDLED)
		put(g_strdup_printf("<%s>%s\n", priorities[level], line));
}

/* ---- JSON ---- */

/* RFC 8259 7 */
void json_append_text(GString *out, const char *text)
{
	g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;

	if (!text) {
		g_string_append(out, "null");
		return;
	}
	g_string_append_c(out, '"');
	for (const char *c = valid; *c; c++) {
		if (*c == '"' || *c == '\\')
			g_string_append_printf(out, "\\%c", *c);
		else if ((unsigned char)*c < 0x20)
			g_string_append_printf(out, "\\u%04x", (unsigned char)*c);
		else
			g_string_append_c(out, *c);
	}
	g_string_append_c(out, '"');
}

static void member(GString *out, const char *name, const char *text)
{
	if (!text)
		return;
	g_string_append_printf(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
	json_append_text(out, text);
}

char *log_json(const struct log_entry *e)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *time = g_date_time_format_iso8601(now);
	GString *out = g_string_new("{");

	member(out, "time", time);
	member(out, "level", log_level_name(e->level));
	member(out, "domain", e->domain);
	member(out, "message", e->text);
	member(out, "target", e->of.target);
	if (e->of.has_lun)
		g_string_append_printf(out, ",\"lun\":%u", e->of.lun);
	member(out, "initiator", e->of.initiator);
	member(out, "conn", e->of.conn);
	member(out, "function", e->function);
	g_string_append_c(out, '}');
	return g_string_free(out, FALSE);
}

void log_to_json(enum gotgt_log_level level, const char *line, void *data)
{
	struct log_entry e = entry_of(level, line);
	g_autofree char *text = log_json(&e);

	put(g_strconcat(text, "\n", NULL));
}
