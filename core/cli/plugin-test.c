/* SPDX-License-Identifier: Apache-2.0 */
/* plugin-test.c - gotgt plugin test: the suite over a plugin, each case in a process of its own; TAP. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/cli.h"
#include "config/plugins.h"
#include "sdk/contain.h"

#define LIMIT_MAX_S 86400

struct test_options {
	char *dirs, *only;
	gboolean yes, forgets, loses, verbose;
	gint limit_s;
	char **args;
};

static bool options(const struct command *cmd, struct test_options *o, int argc, char **argv)
{
	const GOptionEntry entries[] = {
		{ "yes", 'y', 0, G_OPTION_ARG_NONE, &o->yes, "Write over a device that holds data", NULL },
		{ "case", 'c', 0, G_OPTION_ARG_STRING, &o->only, "Run this case alone", "CASE" },
		{ "volatile", 0, 0, G_OPTION_ARG_NONE, &o->loses, "Closing the device loses what was written", NULL },
		{ "forgets", 0, 0, G_OPTION_ARG_NONE, &o->forgets, "Nothing is kept: reads give zeroes", NULL },
		{ "timeout", 't', 0, G_OPTION_ARG_INT, &o->limit_s, "How long a case may take (60)", "SECONDS" },
		{ "verbose", 'v', 0, G_OPTION_ARG_NONE, &o->verbose, "Show what the plugin logs", NULL },
		{ "plugin-dir", 0, 0, G_OPTION_ARG_FILENAME, &o->dirs, "Where plugins are, folders separated by colons", "DIRS" },
		{ NULL },
	};

	if (!cli_options(cmd, entries, argc, argv, &o->args))
		return false;
	if (o->limit_s >= 1 && o->limit_s <= LIMIT_MAX_S)
		return true;
	cli_usage(cmd, "--timeout: expected 1 to %d seconds", LIMIT_MAX_S);
	return false;
}

static void options_clear(struct test_options *o)
{
	g_free(o->dirs);
	g_free(o->only);
	g_strfreev(o->args);
}

static int find_case(const char *name)
{
	for (unsigned n = 0; suite_case(n); n++)
		if (g_str_equal(suite_case(n), name))
			return (int)n;
	return -1;
}

/* FILE.so, or NAME among the folders.  The exit status. */
static int locate(const struct command *cmd, const struct test_options *o, char **dir, char **name)
{
	const char *what = o->args[0];
	g_autofree char *base = g_path_get_basename(what);
	g_auto(GStrv) dirs = plugins_dirs(o->dirs);
	g_autoptr(GError) error = NULL;

	if (!strchr(what, '/') && !g_str_has_suffix(what, ".so")) {
		*name = g_strdup(what);
		*dir = module_where((const char *const *)dirs, what, &error);
		if (!*dir)
			cli_complain(cmd, "%s", error->message);
		return *dir ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	if (!g_str_has_suffix(base, ".so"))
		return cli_usage(cmd, "%s is neither a plugin's name nor FILE.so", what);
	*dir = g_path_get_dirname(what);
	*name = g_strndup(base, strlen(base) - strlen(".so"));
	return EXIT_SUCCESS;
}

/* KEY=VALUE... to alternating names and values. */
static char **pairs(const struct command *cmd, char **args)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);

	for (; *args; args++) {
		const char *equals = strchr(*args, '=');

		if (!equals || equals == *args) {
			cli_usage(cmd, "\"%s\" is not KEY=VALUE", *args);
			return NULL;
		}
		g_ptr_array_add(all, g_strndup(*args, (size_t)(equals - *args)));
		g_ptr_array_add(all, g_strdup(equals + 1));
	}
	g_ptr_array_add(all, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&all), FALSE);
}

/* Where it says why on several lines, each is a comment. */
static void report(unsigned number, const char *name, const struct suite_result *r)
{
	g_auto(GStrv) lines = g_strsplit(r->why, "\n", -1);

	printf("%s %u - %s", r->verdict == SUITE_FAILED ? "not ok" : "ok", number, name);
	if (r->verdict == SUITE_SKIPPED)
		printf(" # SKIP %s", lines[0]);
	printf("\n");
	for (char **line = lines; r->verdict == SUITE_FAILED && *line; line++)
		printf("# %s\n", *line);
	fflush(stdout);
}

static int run(const char *dir, const char *name, const struct suite_conf *conf, int only)
{
	unsigned counts[] = { [SUITE_PASSED] = 0, [SUITE_SKIPPED] = 0, [SUITE_FAILED] = 0 };
	unsigned number = 0, n_cases = 0;

	while (suite_case(n_cases))
		n_cases++;
	printf("1..%u\n", only < 0 ? n_cases : 1);
	for (unsigned n = 0; n < n_cases; n++) {
		struct suite_result r;

		if (only >= 0 && (unsigned)only != n)
			continue;
		contain_case(dir, name, conf, n, &r);
		report(++number, suite_case(n), &r);
		counts[r.verdict]++;
	}
	printf("# %u passed, %u failed, %u skipped\n", counts[SUITE_PASSED], counts[SUITE_FAILED], counts[SUITE_SKIPPED]);
	return counts[SUITE_FAILED] ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* What does not open needs no suite; what holds data is left alone unless asked not to. */
static bool look(const struct command *cmd, const char *dir, const char *name, const struct suite_conf *conf, bool yes)
{
	struct suite_result r;

	contain_look(dir, name, conf, !yes, &r);
	if (r.verdict == SUITE_SKIPPED)
		cli_complain(cmd, "%s: %s (--yes writes over it)", name, r.why);
	else if (r.verdict == SUITE_FAILED)
		printf("Bail out! %s\n", r.why);
	return r.verdict == SUITE_PASSED;
}

static int test(const struct command *cmd, const struct test_options *o)
{
	const int only = o->only ? find_case(o->only) : -1;
	g_auto(GStrv) settings = pairs(cmd, o->args + 1);
	struct suite_conf conf = {
		.settings = (const char *const *)settings, .forgets = o->forgets, .loses = o->loses || o->forgets,
		.verbose = o->verbose, .limit_s = (unsigned)o->limit_s,
	};
	g_autofree char *dir = NULL, *name = NULL;
	int status;

	if (!settings)
		return EXIT_USAGE;
	if (o->only && only < 0)
		return cli_usage(cmd, "--case: there is no case \"%s\"", o->only);
	status = locate(cmd, o, &dir, &name);
	if (status != EXIT_SUCCESS)
		return status;
	if (!look(cmd, dir, name, &conf, o->yes))
		return EXIT_FAILURE;
	return run(dir, name, &conf, only);
}

int cmd_plugin_test(const struct command *cmd, int argc, char **argv)
{
	struct test_options o = { .limit_s = (gint)SUITE_LIMIT_S };
	int status = EXIT_USAGE;

	if (options(cmd, &o, argc, argv))
		status = test(cmd, &o);
	options_clear(&o);
	return status;
}
