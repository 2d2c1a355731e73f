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

/* systemd reads a level from "<N>" (sd-daemon(3)) when it made our standard error. */
void log_to_stderr(enum gotgt_log_level level, const char *line, void *data)
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

/* The program's, and of tests; nobody's in a program that embeds us: every thread of ours has another. */
static struct log process_log = { .level = GOTGT_LOG_INFO };
static _Thread_local struct log *entered;

static struct log *here(void)
{
	return entered ? entered : &process_log;
}

struct log *log_enter(struct log *log)
{
	struct log *before = entered;

	entered = log;
	return before;
}

struct log *log_entered(void)
{
	return entered;
}

void log_set_sink(log_sink *sink, void *data)
{
	here()->sink = sink;
	here()->data = data;
}

void log_set_level(enum gotgt_log_level level)
{
	atomic_store_explicit(&here()->level, level, memory_order_relaxed);
}

enum gotgt_log_level log_level(void)
{
	return atomic_load_explicit(&here()->level, memory_order_relaxed);
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
	const struct log *log = here();
	char line[1024];

	if (level > log_level() || !log->sink)
		return;
	vsnprintf(line, sizeof line, fmt, ap);
	log->sink(level, line, log->data);
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
