/* SPDX-License-Identifier: Apache-2.0 */
/* serve.c - gotgt serve: a target from the command line, without a file; a program over libgotgt like others. */
#include "config.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <glib/gstdio.h>
#include <gotgt/gotgt.h>
#include "cli/cli.h"
#include "config/server.h"
#include "engine/log.h"
#include "iscsi/activation.h"

#define STOP_GRACE_MS 2000u
#define DEFAULT_PORTAL "127.0.0.1:3260"
#define PID_FILE_MAX 32	/* bytes */
#define PORTAL_MAX 80	/* of "[ADDRESS]:PORT" */

struct serve {
	struct cli_loop loop;
	const struct command *cmd;
	char **plugin_dirs;
	struct gotgt_server *server;
	char *iqn, *size, *run, *pid_file, *dirs, *level, *format, *state_dir;
	char *user, *secret_file, *mutual_user, *mutual_secret_file;
	char **portals, **args, **allow;
	GPtrArray *luns;	/* struct conf_lun, of args */
	gboolean read_only;
	GPid captive;		/* 0: none */
	int status;
};

/* What a function of libgotgt returned, as an exit status. */
static int failed(const struct serve *s, int r)
{
	if (r == -EINVAL)
		return cli_usage(s->cmd, "%s", gotgt_last_error());
	cli_complain(s->cmd, "%s", gotgt_last_error());
	return EXIT_FAILURE;
}

static int misused(const struct serve *s, GError *error)
{
	int status = EXIT_FAILURE;

	if (error->domain == MODULE_ERROR)
		cli_complain(s->cmd, "%s", error->message);
	else
		status = cli_usage(s->cmd, "%s", error->message);
	g_error_free(error);
	return status;
}

static int add_portals(struct serve *s)
{
	const char *const standard[] = { DEFAULT_PORTAL, NULL };
	int status = EXIT_SUCCESS;

	for (const char *const *text = s->portals ? (const char *const *)s->portals : standard; *text && !status; text++) {
		struct conf_portal *p = schema_new(CONF_PORTAL);
		GError *error = NULL;
		int r;

		if (!conf_portal_parse(*text, p, &error)) {
			g_prefix_error(&error, "--portal ");
			status = misused(s, error);
		} else if ((r = gotgt_portal_add(s->server, NULL, p->address, (uint16_t)p->port))) {
			status = failed(s, r == -EEXIST ? -EINVAL : r);
		}
		schema_free(CONF_PORTAL, p);
	}
	return status;
}

static int add_lun(struct serve *s, const struct conf_lun *l, uint32_t number)
{
	int r = gotgt_lun_add(s->server, s->iqn, number, l->plugin, (const char *const *)l->settings, NULL);
	struct conf_lun *standard = schema_new(CONF_LUN);
	const struct setting *set = NULL;

	while (!r && (set = schema_next(CONF_LUN, set))) {
		g_autofree char *value = setting_format(set, l);

		if (!set->required && set->type != SETTING_PLUGIN && !setting_equal(set, l, standard))
			r = gotgt_lun_set(s->server, s->iqn, number, set->name, value);
	}
	schema_free(CONF_LUN, standard);
	return r ? failed(s, r) : EXIT_SUCCESS;
}

static int add_luns(struct serve *s)
{
	int status = EXIT_SUCCESS;

	for (unsigned i = 0; i < s->luns->len && !status; i++)
		status = add_lun(s, s->luns->pdata[i], i);
	return status;
}

static void free_lun(void *l)
{
	schema_free(CONF_LUN, l);
}

static int parse_luns(struct serve *s)
{
	const struct lun_arg common = { .size = s->size, .read_only = s->read_only };
	GError *error = NULL;

	s->luns = g_ptr_array_new_with_free_func(free_lun);
	for (char **arg = s->args; *arg; arg++) {
		struct conf_lun *l = schema_new(CONF_LUN);

		g_ptr_array_add(s->luns, l);
		if (!lun_arg_parse(*arg, &common, (const char *const *)s->plugin_dirs, l, &error))
			return misused(s, error);
	}
	return EXIT_SUCCESS;
}

/* For the disks, and for asking what there is. */
static int add_accounts(struct serve *s)
{
	const struct gotgt_account a = {
		.size = sizeof a, .user = s->user, .secret_file = s->secret_file,
		.mutual_user = s->mutual_user, .mutual_secret_file = s->mutual_secret_file,
	};
	int r = 0;

	if (!s->user && (s->secret_file || s->mutual_user || s->mutual_secret_file))
		return cli_usage(s->cmd, "--secret-file, --mutual-user and --mutual-secret-file want --user");
	if (s->user && !s->secret_file)
		return cli_usage(s->cmd, "--user wants --secret-file");
	if (s->user)
		r = gotgt_account_add(s->server, s->iqn, &a);
	if (s->user && !r)
		r = gotgt_account_add(s->server, NULL, &a);
	return r ? failed(s, r) : EXIT_SUCCESS;
}

/* Is it for this machine alone? */
static bool is_loopback(const char *portal)
{
	return g_str_has_prefix(portal, "127.") || g_str_has_prefix(portal, "[::1]") || g_str_equal(portal, "::1");
}

/* Whom it is for: who is named; else, on this machine alone, everybody. */
static int admit(struct serve *s)
{
	static const char *const all[] = { "all", NULL };
	const char *const *who = s->allow ? (const char *const *)s->allow : s->user ? all + 1 : all;

	for (char **p = s->allow || s->user ? NULL : s->portals; p && *p; p++)
		if (!is_loopback(*p))
			return cli_usage(s->cmd, "other machines reach %s: say whom it is for, by --allow ADDRESS/BITS, "
					 "--allow INITIATOR or --user, or --allow all", *p);
	for (; *who; who++) {
		int r = gotgt_target_allow(s->server, s->iqn, *who);

		if (r == -EINVAL)
			return cli_usage(s->cmd, "--allow %s", gotgt_last_error());
		if (r)
			return failed(s, r);
	}
	return EXIT_SUCCESS;
}

static int add_target(struct serve *s)
{
	const char *wrong;
	int r;

	if (!s->iqn)
		s->iqn = serve_name(s->luns, (const char *const *)s->portals, (const char *const *)s->plugin_dirs);
	wrong = iscsi_name_check(s->iqn);
	if (wrong)
		return cli_usage(s->cmd, "--iqn %s: %s", s->iqn, wrong);
	r = gotgt_target_add(s->server, s->iqn);
	return r ? failed(s, r) : EXIT_SUCCESS;
}

static void show_line(void *data, enum gotgt_log_level level, const char *line)
{
	cli_log_line(level, line);
}

static int describe(struct serve *s)
{
	static int (*const parts[])(struct serve *s) = { parse_luns, add_target, add_portals, add_luns, add_accounts, admit };
	const char *dirs = s->dirs ? s->dirs : g_getenv("GOTGT_PLUGIN_PATH");
	const char *level = s->level ? s->level : "warn";
	int status = EXIT_SUCCESS;
	int r = gotgt_server_set_plugin_path(s->server, dirs);

	if (!r)
		r = gotgt_server_set_log(s->server, show_line, NULL);
	if (!r)
		r = gotgt_server_set(s->server, "log-level", level);
	if (!r)
		r = gotgt_server_set(s->server, "state-dir", s->state_dir);
	if (r)
		return failed(s, r);
	for (size_t i = 0; i < G_N_ELEMENTS(parts) && !status; i++)
		status = parts[i](s);
	return status;
}

/* An address a client on this machine can use where the portal has them all. */
static char *reachable(const char *portal)
{
	static const struct { const char *any, *own; } names[] = { { "0.0.0.0:", "127.0.0.1:" }, { "[::]:", "[::1]:" } };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (g_str_has_prefix(portal, names[i].any))
			return g_strconcat(names[i].own, portal + strlen(names[i].any), NULL);
	return g_strdup(portal);
}

static void captive_done(int status, void *data)
{
	struct serve *s = data;

	s->captive = 0;
	s->status = status;
	cli_quit(&s->loop);
}

/* Asked to stop, the command goes first; asked twice, at once. */
static void stop(struct cli_loop *loop)
{
	struct serve *s = container_of(loop, struct serve, loop);
	static const int signals[] = { SIGTERM, SIGKILL };

	if (!s->captive)
		cli_quit(loop);
	else
		captive_kill(s->captive, signals[loop->stops++ > 0]);
}

/* There is none, or it is one: a number, or nothing yet. */
static bool may_be_pid_file(const char *path)
{
	g_autofree char *text = NULL;
	struct stat st;
	gsize len;

	if (stat(path, &st) < 0)
		return true;
	return S_ISREG(st.st_mode) && st.st_size < PID_FILE_MAX && g_file_get_contents(path, &text, &len, NULL) &&
	       strspn(text, "0123456789\n") == len;
}

static bool write_pid_file(struct serve *s)
{
	g_autofree char *text = g_strdup_printf("%ld\n", (long)getpid());
	g_autoptr(GError) error = NULL;

	if (s->pid_file && !may_be_pid_file(s->pid_file)) {
		cli_complain(s->cmd, "--pid-file: %s: it is there, and has something else than a process ID", s->pid_file);
		return false;
	}
	if (!s->pid_file || g_file_set_contents(s->pid_file, text, -1, &error))
		return true;
	cli_complain(s->cmd, "--pid-file: %s", error->message);
	return false;
}

/* It may be another's by now. */
static void remove_pid_file(const struct serve *s)
{
	g_autofree char *text = NULL;

	if (s->server && s->pid_file && g_file_get_contents(s->pid_file, &text, NULL, NULL) &&
	    g_ascii_strtoll(text, NULL, 10) == getpid())
		g_unlink(s->pid_file);
}

/*
 * A URL's number is what libiscsi, and QEMU with it, put into the first two bytes of the LUN field: flat space
 * addressing beyond 255 (SAM-5 4.7.7.3).
 */
static unsigned url_lun(unsigned number)
{
	return number < 256 ? number : 0x4000 | number;
}

/* Tell where everything is: to the command, or on standard output. */
static bool announce(struct serve *s)
{
	g_autofree char *portal = NULL, *first = NULL;
	g_autoptr(GString) uris = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	char sep = s->run ? ' ' : '\n', bound[PORTAL_MAX];
	struct run_env env;

	if (gotgt_server_portal(s->server, 0, bound, sizeof bound)) {
		cli_complain(s->cmd, "%s", gotgt_last_error());
		return false;
	}
	portal = reachable(bound);
	for (unsigned i = 0; s->args[i]; i++)
		g_string_append_printf(uris, "%siscsi://%s/%s/%u", i ? (char []){ sep, 0 } : "", portal, s->iqn,
				       url_lun(i));
	if (!s->run)
		return printf("%s\n", uris->str) > 0 && fflush(stdout) == 0;
	first = g_strdup_printf("iscsi://%s/%s/0", portal, s->iqn);
	env = (struct run_env){ .uri = first, .uris = uris->str, .portal = portal, .iqn = s->iqn };
	s->captive = captive_start(s->run, &env, captive_done, s, &error);
	if (!s->captive)
		cli_complain(s->cmd, "--run: %s", error->message);
	return s->captive != 0;
}

static int run(struct serve *s)
{
	int r = gotgt_server_start(s->server);
	g_autoptr(GError) error = NULL;

	if (r)
		return failed(s, r);
	if (!activation_used(&error)) {
		cli_complain(s->cmd, "%s", error->message);
		return EXIT_FAILURE;
	}
	if (!write_pid_file(s) || !announce(s))
		return EXIT_FAILURE;
	notify("READY=1");
	cli_loop_run(&s->loop);
	notify("STOPPING=1");
	return s->status;
}

static int serve(struct serve *s)
{
	uint32_t level = GOTGT_LOG_WARNING;
	g_autoptr(GError) error = NULL;
	int status;

	if ((s->level && !cli_log_level(s->cmd, s->level, &level)) || !cli_log_format(s->cmd, s->format))
		return EXIT_USAGE;
	log_set_level(level);
	if (!activation_take(&error)) {
		cli_complain(s->cmd, "%s", error->message);
		return EXIT_FAILURE;
	}
	if (!s->portals)
		s->portals = activation_portals();
	s->server = gotgt_server_new();
	status = describe(s);
	if (status)
		return status;
	/* --run's command would be as confined as we are, for good: it may be anything, so then neither is. */
	if (!s->run && gotgt_server_confine(s->server)) {
		cli_complain(s->cmd, "%s", gotgt_last_error());
		return EXIT_FAILURE;
	}
	cli_loop_start(&s->loop);
	status = run(s);
	cli_loop_end(&s->loop);
	return status;
}

static void clear(struct serve *s)
{
	remove_pid_file(s);
	if (s->server)
		gotgt_server_stop(s->server, STOP_GRACE_MS);
	gotgt_server_free(s->server);
	g_strfreev(s->plugin_dirs);
	g_strfreev(s->portals);
	g_strfreev(s->args);
	if (s->luns)
		g_ptr_array_unref(s->luns);
	g_strfreev(s->allow);
	g_free(s->iqn);
	g_free(s->size);
	g_free(s->run);
	g_free(s->pid_file);
	g_free(s->dirs);
	g_free(s->state_dir);
	g_free(s->level);
	g_free(s->format);
	g_free(s->user);
	g_free(s->secret_file);
	g_free(s->mutual_user);
	g_free(s->mutual_secret_file);
}

int cmd_serve(const struct command *cmd, int argc, char **argv)
{
	struct serve s = { .cmd = cmd, .loop = { .stop = stop }, .status = EXIT_USAGE };
	const GOptionEntry entries[] = {
		{ "portal", 'p', 0, G_OPTION_ARG_STRING_ARRAY, &s.portals,
		  "Address to listen on, " DEFAULT_PORTAL " by default; port 0 takes a free one", "ADDR:PORT" },
		{ "iqn", 'n', 0, G_OPTION_ARG_STRING, &s.iqn, "The target's name", "NAME" },
		{ "size", 's', 0, G_OPTION_ARG_STRING, &s.size, "Size of each LUN; a file that is missing is made", "SIZE" },
		{ "read-only", 'r', 0, G_OPTION_ARG_NONE, &s.read_only, "Refuse writes", NULL },
		{ "run", 0, 0, G_OPTION_ARG_STRING, &s.run,
		  "Run CMD by the shell with $uri, $uris, $portal and $iqn set; stop after it, with its status", "CMD" },
		{ "pid-file", 0, 0, G_OPTION_ARG_FILENAME, &s.pid_file, "Write the process ID here once listening", "FILE" },
		{ "plugin-dir", 0, 0, G_OPTION_ARG_FILENAME, &s.dirs, "Where plugins are, folders separated by colons", "DIRS" },
		{ "state-dir", 0, 0, G_OPTION_ARG_FILENAME, &s.state_dir,
		  "Folder for what must outlive a restart (reservations, saved mode pages); without it nothing is kept", "DIR" },
		{ "allow", 'a', 0, G_OPTION_ARG_STRING_ARRAY, &s.allow,
		  "Who may log in: an address or ADDRESS/BITS, an initiator's name or a pattern with *, or all; needed where other "
		  "machines reach the portal", "WHO" },
		{ "user", 0, 0, G_OPTION_ARG_STRING, &s.user, "Who may log in, by CHAP", "NAME" },
		{ "secret-file", 0, 0, G_OPTION_ARG_FILENAME, &s.secret_file, "File with that user's secret, of mode 600", "FILE" },
		{ "mutual-user", 0, 0, G_OPTION_ARG_STRING, &s.mutual_user, "Our name for initiators that ask us back", "NAME" },
		{ "mutual-secret-file", 0, 0, G_OPTION_ARG_FILENAME, &s.mutual_secret_file, "File with our secret", "FILE" },
		{ "log", 'l', 0, G_OPTION_ARG_STRING, &s.level, "Log level: error, warn (the default), info or debug", "LEVEL" },
		{ "log-format", 0, 0, G_OPTION_ARG_STRING, &s.format, CLI_LOG_FORMAT_HELP, "FORMAT" },
		{ NULL },
	};

	if (cli_options(cmd, entries, argc, argv, &s.args)) {
		s.plugin_dirs = plugins_dirs(s.dirs);
		s.status = EXIT_SUCCESS;
		s.status = serve(&s);
	}
	clear(&s);
	return s.status;
}
