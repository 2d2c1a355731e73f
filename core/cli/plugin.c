/* SPDX-License-Identifier: Apache-2.0 */
/* plugin.c - gotgt plugin list, gotgt plugin show. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include "backstore/describe.h"
#include "cli/cli.h"
#include "config/plugins.h"

struct plugin_options {
	char *dirs;
	gboolean json;
	char **args;
};

static bool options(const struct command *cmd, struct plugin_options *o, int argc, char **argv)
{
	const GOptionEntry entries[] = {
		{ "json", 'j', 0, G_OPTION_ARG_NONE, &o->json, "Print JSON", NULL },
		{ "plugin-dir", 0, 0, G_OPTION_ARG_FILENAME, &o->dirs, "Where plugins are, folders separated by colons", "DIRS" },
		{ NULL },
	};

	return cli_options(cmd, entries, argc, argv, &o->args);
}

static void options_clear(struct plugin_options *o)
{
	g_free(o->dirs);
	g_strfreev(o->args);
}

static void list_one(const struct module *m, bool json, GString *out)
{
	if (json) {
		g_string_append(out, out->len ? "," : "[");
		describe_json(m, out);
		g_string_truncate(out, out->len - 1);
	} else {
		g_string_append_printf(out, "%-12s %-8s %s\n", m->ops.name, m->ops.version ? m->ops.version : "-",
				       m->ops.description ? m->ops.description : "");
	}
}

/* A plugin that does not load is told of, and does not hide the others. */
int cmd_plugin_list(const struct command *cmd, int argc, char **argv)
{
	struct plugin_options o = { 0 };
	g_autoptr(GString) out = g_string_new(NULL);
	g_auto(GStrv) dirs = NULL, names = NULL;

	if (!options(cmd, &o, argc, argv)) {
		options_clear(&o);
		return EXIT_USAGE;
	}
	dirs = plugins_dirs(o.dirs);
	names = module_list((const char *const *)dirs);
	for (char **name = names; *name; name++) {
		g_autoptr(GError) error = NULL;
		const struct module *m = plugins_get((const char *const *)dirs, *name, &error);

		if (m)
			list_one(m, o.json, out);
		else
			cli_complain(cmd, "%s", error->message);
	}
	if (o.json)
		g_string_append(out, out->len ? "]\n" : "[]\n");
	fputs(out->str, stdout);
	options_clear(&o);
	return EXIT_SUCCESS;
}

int cmd_plugin_show(const struct command *cmd, int argc, char **argv)
{
	struct plugin_options o = { 0 };
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	g_auto(GStrv) dirs = NULL;
	const struct module *m;

	if (!options(cmd, &o, argc, argv)) {
		options_clear(&o);
		return EXIT_USAGE;
	}
	dirs = plugins_dirs(o.dirs);
	m = plugins_get((const char *const *)dirs, o.args[0], &error);
	if (!m)
		cli_complain(cmd, "%s", error->message);
	else if (o.json)
		describe_json(m, out);
	else
		describe_text(m, out);
	fputs(out->str, stdout);
	options_clear(&o);
	return m ? EXIT_SUCCESS : EXIT_FAILURE;
}
