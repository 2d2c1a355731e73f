/* SPDX-License-Identifier: Apache-2.0 */
/* plugin-new.c - gotgt plugin new: a project to begin with. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include "cli/cli.h"
#include "config/plugins.h"
#include "sdk/project.h"

struct new_options {
	char *dir, *license, *author, *dirs;
	gboolean plain;
	char **args;
};

static bool options(const struct command *cmd, struct new_options *o, int argc, char **argv)
{
	const GOptionEntry entries[] = {
		{ "dir", 'd', 0, G_OPTION_ARG_FILENAME, &o->dir, "Write it here (./NAME)", "DIR" },
		{ "license", 0, 0, G_OPTION_ARG_STRING, &o->license, "Its license, by SPDX (MIT)", "ID" },
		{ "author", 0, 0, G_OPTION_ARG_STRING, &o->author, "Who has the copyright (you)", "NAME" },
		{ "no-autoreconf", 0, 0, G_OPTION_ARG_NONE, &o->plain, "Do not make configure", NULL },
		{ "plugin-dir", 0, 0, G_OPTION_ARG_FILENAME, &o->dirs, "Where plugins are, folders separated by colons", "DIRS" },
		{ NULL },
	};

	return cli_options(cmd, entries, argc, argv, &o->args);
}

static void options_clear(struct new_options *o)
{
	g_free(o->dir);
	g_free(o->license);
	g_free(o->author);
	g_free(o->dirs);
	g_strfreev(o->args);
}

static const char *user_name(void)
{
	const char *name = g_get_real_name();

	return name && *name && !g_str_equal(name, "Unknown") ? name : g_get_user_name();
}

/* Installing it would replace the other. */
static bool taken(const struct command *cmd, const char *dirs_text, const char *name)
{
	g_auto(GStrv) dirs = plugins_dirs(dirs_text);
	g_autofree char *dir = module_where((const char *const *)dirs, name, NULL);

	if (dir)
		cli_complain(cmd, "%s: there is a plugin of that name: %s/%s.so", name, dir, name);
	return dir;
}

/* True: there is a configure, or is not for want of the tools. */
static bool autoreconf(const struct command *cmd, const char *dir)
{
	char *argv[] = { (char []){ "autoreconf" }, (char []){ "-fi" }, NULL };
	g_autofree char *out = NULL, *err = NULL;
	g_autoptr(GError) error = NULL;
	int status;

	if (!g_spawn_sync(dir, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &err, &status, &error)) {
		cli_complain(cmd, "%s: no configure yet: autoreconf did not start (%s): install autoconf, automake, libtool and "
			     "pkg-config, then run autoreconf -fi there", dir, error->message);
		return g_error_matches(error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	fputs(err, stderr);
	cli_complain(cmd, "%s: it is written, but autoreconf -fi failed", dir);
	return false;
}

static int new(const struct command *cmd, const struct new_options *o)
{
	const struct project p = {
		.name = o->args[0], .dir = o->dir ? o->dir : o->args[0], .license = o->license ? o->license : "MIT",
		.author = o->author ? o->author : user_name(),
	};
	g_autoptr(GError) error = NULL;
	g_autofree char *quoted = g_shell_quote(p.dir), *configure = g_build_filename(p.dir, "configure", NULL);

	if (taken(cmd, o->dirs, p.name))
		return EXIT_FAILURE;
	if (!project_write(&p, &error)) {
		cli_complain(cmd, "%s", error->message);
		return g_error_matches(error, PROJECT_ERROR, PROJECT_ERROR_NAME) ? EXIT_USAGE : EXIT_FAILURE;
	}
	if (!o->plain && !autoreconf(cmd, p.dir))
		return EXIT_FAILURE;
	printf("%s has a plugin called %s, licensed as %s.  Next:\n\n\tcd %s\n%s\t./configure\n\tmake check install\n", p.dir,
	       p.name, p.license, quoted, g_file_test(configure, G_FILE_TEST_EXISTS) ? "" : "\tautoreconf -fi\n");
	return EXIT_SUCCESS;
}

int cmd_plugin_new(const struct command *cmd, int argc, char **argv)
{
	struct new_options o = { 0 };
	int status = EXIT_USAGE;

	if (options(cmd, &o, argc, argv))
		status = new(cmd, &o);
	options_clear(&o);
	return status;
}
