/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - lines for the operator.  Never called on the path of a good command. */
#ifndef GOTGT_LOG_H
#define GOTGT_LOG_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <gotgt/plugin.h>

/* What lines are about, by which their levels can differ.  A file says whose its own are: #define LOG_DOMAIN LOGD_SCSI. */
enum log_domain {
	LOGD_DAEMON, LOGD_CONTROL, LOGD_CONFIG, LOGD_LOGIN, LOGD_ISCSI, LOGD_SCSI, LOGD_BACKSTORE, LOGD_PLUGIN, LOGD_ENGINE,
	LOG_DOMAINS
};
/* NULL beyond the last one. */
const char *log_domain_name(unsigned domain);
const char *log_domain_help(unsigned domain);
/* Why no domain is called so, NULL: one is; "plugin:NAME" is a domain for any name of a plugin. */
const char *log_domain_wrong(const char *name);

/* What a line is about, as far as that is known.  Names may be as the peer said them: they are made printable here. */
struct log_fields {
	const char *target, *initiator;
	const char *conn;	/* "ADDR:PORT" of the peer */
	bool has_lun;
	uint32_t lun;
};
#define LOG_NO_FIELDS ((struct log_fields){ .conn = NULL })
#define LOG_TARGET(name) ((struct log_fields){ .target = (name) })
#define LOG_LUN(name, number) ((struct log_fields){ .target = (name), .has_lun = true, .lun = (number) })

/* A line with all that is known of it, printable, as its sink may look at it. */
struct log_entry {
	enum gotgt_log_level level;
	const char *domain;	/* "iscsi", "plugin:file" */
	const char *function;	/* or NULL */
	const char *text;
	struct log_fields of;
};
typedef void log_sink(enum gotgt_log_level level, const char *line, void *data);
/* The line this thread's sink is called with, within that call; NULL: none is.  [any] */
const struct log_entry *log_entry(void);

/*
 * Where lines go, one a server: what a thread writes goes to the log it has entered, or to the process's
 * when it has entered none.  The threads of an engine enter the log of the thread that made the engine.
 */
struct log_plugin;
struct log {
	log_sink *sink;		/* NULL: nowhere */
	void *data;
	_Atomic(uint64_t) levels;	/* of all domains, one word */
	struct log_plugin *plugins;	/* and of plugins */
};
/* A value of levels, the same one for all. */
#define LOG_LEVELS(level) (UINT64_C(0x1111111111111111) * (unsigned)(level))

/* From here on this thread writes to log (NULL: to the process's); what it had entered before.  [any] */
struct log *log_enter(struct log *log);
struct log *log_entered(void);
/* Nobody writes to it, and no device is open, any more. */
void log_clear(struct log *log);

/* Of the log this thread writes to; the process's has no sink at first.  [main], before threads start. */
void log_set_sink(log_sink *sink, void *data);

/* Lines above a domain's level, its own or the one of all, are dropped.  The process's are GOTGT_LOG_INFO at first.  [any] */
struct log_own {
	const char *domain;	/* log_domain_wrong() has nothing against it */
	enum gotgt_log_level level;
};
void log_set_levels(enum gotgt_log_level level, const struct log_own *own, size_t n);
void log_set_level(enum gotgt_log_level level);		/* none of its own */
bool log_enabled(enum log_domain domain, enum gotgt_log_level level);

/* The level of one plugin's lines in a log (NULL: the process's), kept up to date while it is held.  [any] */
struct log_plugin *log_plugin_get(struct log *log, const char *name);
void log_plugin_put(struct log *log, struct log_plugin *p);
bool log_plugin_enabled(const struct log_plugin *p, enum gotgt_log_level level);
/* A line of the plugin's, whatever its level.  [any] */
void log_plugin_write(const struct log_plugin *p, enum gotgt_log_level level, struct log_fields of, const char *text);

/* "error", "warn", "info", "debug"; -1 for any other name. */
int log_level_parse(const char *name);
const char *log_level_name(enum gotgt_log_level level);

/* A line that is enabled: what the macros below find out first, with one load. */
void log_write(enum log_domain domain, enum gotgt_log_level level, const char *function, struct log_fields of,
	       const char *fmt, ...) GOTGT_PRINTF(5, 6);
void log_vwrite(enum log_domain domain, enum gotgt_log_level level, const char *function, struct log_fields of,
		const char *fmt, va_list ap) GOTGT_PRINTF(5, 0);

#define log_at(level, of, ...) \
	do { if (log_enabled(LOG_DOMAIN, level)) log_write(LOG_DOMAIN, level, __func__, of, __VA_ARGS__); } while (0)
/* Of something: struct log_fields, and what printf() takes. */
#define log_error_of(of, ...) log_at(GOTGT_LOG_ERROR, of, __VA_ARGS__)
#define log_warning_of(of, ...) log_at(GOTGT_LOG_WARNING, of, __VA_ARGS__)
#define log_info_of(of, ...) log_at(GOTGT_LOG_INFO, of, __VA_ARGS__)
#define log_debug_of(of, ...) log_at(GOTGT_LOG_DEBUG, of, __VA_ARGS__)
/* Of nothing that has a field. */
#define log_error(...) log_at(GOTGT_LOG_ERROR, LOG_NO_FIELDS, __VA_ARGS__)
#define log_warning(...) log_at(GOTGT_LOG_WARNING, LOG_NO_FIELDS, __VA_ARGS__)
#define log_info(...) log_at(GOTGT_LOG_INFO, LOG_NO_FIELDS, __VA_ARGS__)
#define log_debug(...) log_at(GOTGT_LOG_DEBUG, LOG_NO_FIELDS, __VA_ARGS__)

/* Text from a peer, printable: bytes outside 0x20..0x7e as \xNN, cut with "..." to fit.  Returns buf. */
#define LOG_QUOTED 256
const char *log_quote(char *buf, size_t size, const char *text, size_t len);

#endif
