/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - format a line, hand it to the sink. */
#include "config.h"
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <glib.h>
#include "engine/log.h"

static const char *const level_names[] = {
	[GOTGT_LOG_ERROR] = "error", [GOTGT_LOG_WARNING] = "warn", [GOTGT_LOG_INFO] = "info", [GOTGT_LOG_DEBUG] = "debug",
};

static _Atomic(enum gotgt_log_level) max_level = GOTGT_LOG_INFO;

/* systemd reads a level from "<N>" (sd-daemon(3)) when it made our standard error. */
static void to_stderr(enum gotgt_log_level level, const char *line, void *data)
{
	static const char priority[] = { [GOTGT_LOG_ERROR] = '3', [GOTGT_LOG_WARNING] = '4', [GOTGT_LOG_INFO] = '6',
					 [GOTGT_LOG_DEBUG] = '7' };
	g_autofree char *text = NULL;

	if (g_getenv("JOURNAL_STREAM") && g_log_writer_is_journald(STDERR_FILENO))
		text = g_strdup_printf("<%c>%s\n", priority[level], line);
	else
		text = g_strdup_printf("gotgt: %s: %s\n", level_names[level], line);
	/* One write a line, so that lines of several threads do not mix.  Nowhere to report a failure to. */
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return;
}

static log_sink *sink = to_stderr;
static void *sink_data;

void log_set_sink(log_sink *fn, void *data)
{
	sink = fn ? fn : to_stderr;
	sink_data = data;
}

void log_set_level(enum gotgt_log_level level)
{
	atomic_store_explicit(&max_level, level, memory_order_relaxed);
}

enum gotgt_log_level log_level(void)
{
	return atomic_load_explicit(&max_level, memory_order_relaxed);
}

int log_level_parse(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(level_names); i++)
		if (g_str_equal(name, level_names[i]))
			return (int)i;
	return -1;
}

void log_vline(enum gotgt_log_level level, const char *fmt, va_list ap)
{
	char line[1024];

	if (level > log_level())
		return;
	vsnprintf(line, sizeof line, fmt, ap);
	sink(level, line, sink_data);
}

void log_line(enum gotgt_log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vline(level, fmt, ap);
	va_end(ap);
}

const char *log_quote(char *buf, size_t size, const char *text, size_t len)
{
	size_t at = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool plain = c >= 0x20 && c < 0x7f && c != '\\';

		if (at + (plain ? 1 : 4) + 4 > size) {
			at += (size_t)snprintf(buf + at, size - at, "...");
			break;
		}
		if (plain)
			buf[at++] = (char)c;
		else
			at += (size_t)snprintf(buf + at, size - at, "\\x%02x", c);
	}
	buf[MIN(at, size - 1)] = '\0';
	return buf;
}
