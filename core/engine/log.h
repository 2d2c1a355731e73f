/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - lines for the operator.  Never called on the path of a good command. */
#ifndef GOTGT_LOG_H
#define GOTGT_LOG_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <gotgt/plugin.h>

typedef void log_sink(enum gotgt_log_level level, const char *line, void *data);
/* "gotgt: LEVEL: TEXT" */
log_sink log_to_stderr;

/*
 * Where lines go, one a server: what a thread writes goes to the log it has entered, or to the process's
 * when it has entered none.  The threads of an engine enter the log of the thread that made the engine.
 */
struct log {
	log_sink *sink;		/* NULL: nowhere */
	void *data;
	_Atomic(enum gotgt_log_level) level;
};

/* From here on this thread writes to log (NULL: to the process's); what it had entered before.  [any] */
struct log *log_enter(struct log *log);
struct log *log_entered(void);

/* Of the log this thread writes to; the process's has no sink at first.  [main], before threads start. */
void log_set_sink(log_sink *sink, void *data);

/* Lines above this level are dropped.  The process's is GOTGT_LOG_INFO at first.  [any] */
void log_set_level(enum gotgt_log_level level);
enum gotgt_log_level log_level(void);

/* "error", "warn", "info", "debug"; -1 for any other name. */
int log_level_parse(const char *name);

void log_line(enum gotgt_log_level level, const char *fmt, ...) GOTGT_PRINTF(2, 3);
void log_vline(enum gotgt_log_level level, const char *fmt, va_list ap) GOTGT_PRINTF(2, 0);

#define log_error(...) log_line(GOTGT_LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(GOTGT_LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_line(GOTGT_LOG_INFO, __VA_ARGS__)
#define log_debug(...) do { if (log_level() >= GOTGT_LOG_DEBUG) log_line(GOTGT_LOG_DEBUG, __VA_ARGS__); } while (0)

/* Text from a peer, printable: bytes outside 0x20..0x7e as \xNN, cut with "..." to fit.  Returns buf. */
#define LOG_QUOTED 256
const char *log_quote(char *buf, size_t size, const char *text, size_t len);

#endif
