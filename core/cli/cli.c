/* SPDX-License-Identifier: Apache-2.0 */
/* cli.c - options, complaints and the main loop. */
#include "config.h"
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "cli/cli.h"

static void (*before_complaint)(void);

void cli_on_complaint(void (*before)(void))
{
	before_complaint = before;
}

static void G_GNUC_PRINTF(3, 0) complain(const struct command *cmd, const char *hint, const char *fmt, va_list ap)
{
	g_autofree char *text = g_strdup_vprintf(fmt, ap);

	if (before_complaint)
		before_complaint();
	if (hint)
		fprintf(stderr, "gotgt %s: %s (see gotgt %s %s)\n", cmd->name, text, cmd->name, hint);
	else
		fprintf(stderr, "gotgt %s: %s\n", cmd->name, text);
}

void cli_complain(const struct command *cmd, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(cmd, NULL, fmt, ap);
	va_end(ap);
}

int cli_usage(const struct command *cmd, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(cmd, "--help", fmt, ap);
	va_end(ap);
	return EXIT_USAGE;
}

static bool count_ok(const struct command *cmd, char **args)
{
	unsigned n = g_strv_length(args);

	if (n > cmd->max_args)
		cli_usage(cmd, "unexpected argument \"%s\"", args[cmd->max_args]);
	else if (n < cmd->min_args)
		cli_usage(cmd, "%s is missing", cmd->arguments);
	return n >= cmd->min_args && n <= cmd->max_args;
}

/* Where options go while they are asked for. */
static GPtrArray *asked;

static void option_free(gpointer data)
{
	struct cli_option *o = data;

	g_free(o->name);
	g_free(o->form);
	g_free(o->help);
	g_free(o);
}

static void describe(const GOptionEntry *entries)
{
	for (const GOptionEntry *e = entries; e->long_name; e++) {
		struct cli_option *o = g_new0(struct cli_option, 1);

		o->name = g_strdup(e->long_name);
		o->form = e->arg == G_OPTION_ARG_NONE ? NULL : g_strdup(e->arg_description ? e->arg_description : "");
		o->help = g_strdup(e->description);
		o->letter = e->short_name;
		o->file = e->arg == G_OPTION_ARG_FILENAME;
		g_ptr_array_add(asked, o);
	}
}

GPtrArray *cli_options_of(const struct command *cmd, int argc, char **argv)
{
	GPtrArray *options = g_ptr_array_new_with_free_func(option_free);

	asked = options;
	cmd->run(cmd, argc, argv);
	asked = NULL;
	return options;
}

bool cli_options(const struct command *cmd, const GOptionEntry *entries, int argc, char **argv, char ***args)
{
	g_autofree char *name = g_strdup_printf("gotgt %s", cmd->name);
	g_auto(GStrv) rest = g_new0(char *, (size_t)argc + 1);
	GOptionContext *ctx = g_option_context_new(cmd->arguments);
	g_autoptr(GError) error = NULL;
	bool ok;

	if (asked) {
		describe(entries);
		g_option_context_free(ctx);
		return false;
	}
	for (int i = 0; i < argc; i++)
		rest[i] = g_strdup(argv[i]);
	g_set_prgname(name);
	g_option_context_set_summary(ctx, cmd->summary);
	g_option_context_add_main_entries(ctx, entries, NULL);
	ok = g_option_context_parse_strv(ctx, &rest, &error);
	g_option_context_free(ctx);
	if (!ok) {
		cli_usage(cmd, "%s", error->message);
		return false;
	}
	/* The first is the program; "--" has done its work. */
	*args = g_new0(char *, (size_t)argc + 1);
	for (int i = 1, n = 0, dashes = 0; rest[i]; i++)
		if (!dashes && g_str_equal(rest[i], "--"))
			dashes = 1;
		else
			(*args)[n++] = g_strdup(rest[i]);
	return count_ok(cmd, *args);
}

static gboolean on_stop(gpointer data)
{
	struct cli_loop *loop = data;

	if (loop->stop)
		loop->stop(loop);
	else
		cli_quit(loop);
	return G_SOURCE_CONTINUE;
}

static gboolean on_hangup(gpointer data)
{
	struct cli_loop *loop = data;

	if (!loop->hangup)
		return on_stop(data);
	loop->hangup(loop);
	return G_SOURCE_CONTINUE;
}

void cli_quit(struct cli_loop *loop)
{
	g_main_loop_quit(loop->main);
}

void cli_loop_start(struct cli_loop *loop)
{
	static const struct {
		int number;
		GSourceFunc handle;
	} signals[CLI_SIGNALS] = { { SIGTERM, on_stop }, { SIGINT, on_stop }, { SIGHUP, on_hangup } };

	loop->main = g_main_loop_new(NULL, FALSE);
	for (size_t i = 0; i < CLI_SIGNALS; i++)
		loop->sources[i] = g_unix_signal_add(signals[i].number, signals[i].handle, loop);
}

void cli_loop_run(struct cli_loop *loop)
{
	g_main_loop_run(loop->main);
}

void cli_loop_end(struct cli_loop *loop)
{
	for (size_t i = 0; i < CLI_SIGNALS; i++)
		g_source_remove(loop->sources[i]);
	g_main_loop_unref(loop->main);
}
