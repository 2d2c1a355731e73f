/* SPDX-License-Identifier: Apache-2.0 */
/* import.c - gotgt import: what gotgt in Go reads as what we do. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/cli.h"
#include "config/import.h"
#include "config/plugins.h"
#include "config/save.h"

static int complain(const struct command *cmd, const GError *error)
{
	cli_complain(cmd, "%s", error->message);
	return EXIT_FAILURE;
}

static int write_out(const struct command *cmd, const struct conf *conf, const char *path, bool force)
{
	g_autoptr(GError) error = NULL;
	char *text;

	if (!path) {
		text = conf_text(conf, &error);
		if (!text)
			return complain(cmd, error);
		fputs(text, stdout);
		g_free(text);
		return EXIT_SUCCESS;
	}
	if (!force && (g_file_test(path, G_FILE_TEST_EXISTS) || g_file_test(path, G_FILE_TEST_IS_SYMLINK))) {
		cli_complain(cmd, "%s: there is one already (--force writes over it)", path);
		return EXIT_FAILURE;
	}
	return conf_save(conf, path, false, NULL, &error) ? EXIT_SUCCESS : complain(cmd, error);
}

static int convert(const struct command *cmd, const char *from, const char *to, const struct import_options *o, bool force)
{
	g_autoptr(GPtrArray) errors = conf_errors_new(), warnings = conf_errors_new();
	struct conf *conf = import_read(from, o, errors, warnings);
	int status;

	if (conf)
		plugins_check(o->plugin_dirs, conf, true, errors);
	for (unsigned i = 0; i < errors->len; i++)
		fprintf(stderr, "%s\n", (char *)errors->pdata[i]);
	for (unsigned i = 0; i < warnings->len; i++)
		fprintf(stderr, "warning: %s\n", (char *)warnings->pdata[i]);
	status = errors->len ? EXIT_FAILURE : write_out(cmd, conf, to, force);
	conf_free(conf);
	return status;
}

int cmd_import(const struct command *cmd, int argc, char **argv)
{
	g_autofree char *dirs = NULL;
	gboolean force = FALSE;
	const GOptionEntry entries[] = {
		{ "force", 'f', 0, G_OPTION_ARG_NONE, &force, "Write over OUT when it is there", NULL },
		{ "plugin-dir", 0, 0, G_OPTION_ARG_FILENAME, &dirs, "Where plugins are, folders separated by colons", "DIRS" },
		{ NULL },
	};
	g_auto(GStrv) args = NULL, plugins = NULL;
	struct import_options o = { .port = -1 };

	if (!cli_options(cmd, entries, argc, argv, &args))
		return EXIT_USAGE;
	plugins = plugins_dirs(dirs);
	o.plugin_dirs = (const char *const *)plugins;
	return convert(cmd, args[0], args[1], &o, force);
}
