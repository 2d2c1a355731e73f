/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - where the program's lines go, and in what form. */
#include "config.h"
#include <string.h>
#include "cli/cli.h"
#include "engine/sinks.h"

#define LOG_DOMAIN LOGD_DAEMON

static const struct { const char *name; log_sink *sink; } formats[] = {
	{ "auto", log_to_journal }, { "text", log_to_stderr }, { "json", log_to_json },
};
static log_sink *chosen = log_to_journal;

void cli_log_start(void)
{
	log_set_sink(chosen, NULL);
}

void cli_log_line(enum gotgt_log_level level, const char *line)
{
	chosen(level, line, NULL);
}

static const char *field(const GLogField *fields, gsize n, const char *key)
{
	for (gsize i = 0; i < n; i++)
		if (g_str_equal(fields[i].key, key) && fields[i].length < 0)
			return fields[i].value;
	return NULL;
}

/* What libraries complain about is JSON too, so that who reads the lines need know nothing else. */
static GLogWriterOutput library_line(GLogLevelFlags flags, const GLogField *fields, gsize n, gpointer data)
{
	const char *domain = field(fields, n, "GLIB_DOMAIN"), *text = field(fields, n, "MESSAGE");

	if (flags & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
		log_error("%s: %s", domain ? domain : "a library", text ? text : "");
	else if (flags & G_LOG_LEVEL_WARNING)
		log_warning("%s: %s", domain ? domain : "a library", text ? text : "");
	return G_LOG_WRITER_HANDLED;
}

bool cli_log_format(const struct command *cmd, const char *name)
{
	size_t i = 0;

	while (name && i < G_N_ELEMENTS(formats) && !g_str_equal(name, formats[i].name))
		i++;
	if (i == G_N_ELEMENTS(formats)) {
		cli_usage(cmd, "--log-format: expected auto, text or json");
		return false;
	}
	chosen = formats[i].sink;
	log_set_sink(chosen, NULL);
	if (chosen == log_to_json)
		g_log_set_writer_func(library_line, NULL, NULL);
	return true;
}

bool cli_log_level(const struct command *cmd, const char *name, uint32_t *level)
{
	int n = log_level_parse(name);

	if (n < 0) {
		cli_usage(cmd, "--log: expected error, warn, info or debug");
		return false;
	}
	*level = (uint32_t)n;
	return true;
}
