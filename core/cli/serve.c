/* SPDX-License-Identifier: Apache-2.0 */
/* serve.c - gotgt serve: a target from the command line, without a file. */
#include "config.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <glib/gstdio.h>
#include "cli/cli.h"
#include "engine/log.h"

#define STOP_GRACE_MS 2000u
#define DEFAULT_PORTAL "127.0.0.1:3260"

struct serve {
	struct cli_loop loop;
	const struct command *cmd;
	char **plugin_dirs;
	struct server *server;
	char *iqn, *size, *run, *pid_file, *dirs, *level, *state_dir;
	char *user, *secret_file, *mutual_user, *mutual_secret_file;
	char **portals, **args;
	gboolean read_only;
	GPid captive;		/* 0: none */
	int status;
};

static char *default_iqn(void)
{
	g_autofree char *host = g_ascii_strdown(g_get_host_name(), -1);

	g_strcanon(host, "abcdefghijklmnopqrstuvwxyz0123456789.-", '-');
	return g_strdup_printf("iqn.2016-09.com.gotgt:%.180s", host);
}

static bool add_portals(struct serve *s, struct conf *conf, GError **error)
{
	const char *const standard[] = { DEFAULT_PORTAL, NULL };

	for (const char *const *p = s->portals ? (const char *const *)s->portals : standard; *p; p++)
		if (!portal_arg_parse(*p, conf_add_portal(conf), error)) {
			g_prefix_error(error, "--portal ");
			return false;
		}
	return true;
}

static bool add_luns(struct serve *s, struct conf_target *t, GError **error)
{
	const struct lun_arg common = { .size = s->size, .read_only = s->read_only };

	for (unsigned i = 0; s->args[i]; i++) {
		struct conf_lun *l = conf_add_lun(t);

		l->number = i;
		if (!lun_arg_parse(s->args[i], &common, (const char *const *)s->plugin_dirs, l, error))
			return false;
	}
	return true;
}

/* For the disks, and for asking what there is. */
static bool add_accounts(struct serve *s, struct conf *conf, struct conf_target *t, GError **error)
{
	GPtrArray *const lists[] = { t->accounts, conf->discovery.accounts };

	if (!s->user && (s->secret_file || s->mutual_user || s->mutual_secret_file)) {
		g_set_error(error, SERVER_ERROR, 0, "--secret-file, --mutual-user and --mutual-secret-file want --user");
		return false;
	}
	for (unsigned i = 0; s->user && i < G_N_ELEMENTS(lists); i++) {
		struct conf_account *a = schema_new(CONF_ACCOUNT);

		a->user = g_strdup(s->user);
		a->secret_file = g_strdup(s->secret_file);
		a->mutual_user = g_strdup(s->mutual_user);
		a->mutual_secret_file = g_strdup(s->mutual_secret_file);
		g_ptr_array_add(lists[i], a);
	}
	return true;
}

static bool build(struct serve *s, struct conf *conf, GError **error)
{
	const struct setting *iqn = schema_find(CONF_TARGET, "iqn");
	g_autoptr(GPtrArray) errors = conf_errors_new();
	g_autofree char *name = s->iqn ? g_strdup(s->iqn) : default_iqn();
	struct conf_target *t = conf_add_target(conf);

	if (!setting_parse(iqn, name, t, error)) {
		g_prefix_error(error, "--iqn %s: ", name);
		return false;
	}
	if (!add_portals(s, conf, error) || !add_luns(s, t, error) || !add_accounts(s, conf, t, error))
		return false;
	conf_check(conf, errors);
	if (errors->len)
		g_set_error(error, SERVER_ERROR, 0, "%s", (char *)errors->pdata[0]);
	return !errors->len;
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

static bool write_pid_file(struct serve *s)
{
	g_autofree char *text = g_strdup_printf("%ld\n", (long)getpid());
	g_autoptr(GError) error = NULL;

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
	const struct conf_target *t = server_conf(s->server)->targets->pdata[0];
	g_autofree char *portal = reachable(server_portal(s->server, 0)), *first = NULL;
	g_autoptr(GString) uris = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	char sep = s->run ? ' ' : '\n';
	struct run_env env;

	for (unsigned i = 0; i < t->luns->len; i++)
		g_string_append_printf(uris, "%siscsi://%s/%s/%u", i ? (char []){ sep, 0 } : "", portal, t->iqn,
				       url_lun(i));
	if (!s->run)
		return printf("%s\n", uris->str) > 0 && fflush(stdout) == 0;
	first = g_strdup_printf("iscsi://%s/%s/0", portal, t->iqn);
	env = (struct run_env){ .uri = first, .uris = uris->str, .portal = portal, .iqn = t->iqn };
	s->captive = captive_start(s->run, &env, captive_done, s, &error);
	if (!s->captive)
		cli_complain(s->cmd, "--run: %s", error->message);
	return s->captive != 0;
}

static int run(struct serve *s, struct conf *conf)
{
	g_autoptr(GError) error = NULL;

	s->server = server_start(conf, s->plugin_dirs, false, &error);
	if (!s->server) {
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
	struct conf *conf = conf_new();
	g_autoptr(GError) error = NULL;
	int status;

	conf->log_level = GOTGT_LOG_WARNING;
	if (s->level && !cli_log_level(s->cmd, s->level, &conf->log_level)) {
		conf_free(conf);
		return EXIT_USAGE;
	}
	conf->state_dir = g_strdup(s->state_dir);
	log_set_level(conf->log_level);
	if (!build(s, conf, &error)) {
		conf_free(conf);
		if (error->domain != MODULE_ERROR)
			return cli_usage(s->cmd, "%s", error->message);
		cli_complain(s->cmd, "%s", error->message);
		return EXIT_FAILURE;
	}
	cli_loop_start(&s->loop);
	status = run(s, conf);
	cli_loop_end(&s->loop);
	return status;
}

static void clear(struct serve *s)
{
	remove_pid_file(s);
	server_stop(s->server, STOP_GRACE_MS);
	g_strfreev(s->plugin_dirs);
	g_strfreev(s->portals);
	g_strfreev(s->args);
	g_free(s->iqn);
	g_free(s->size);
	g_free(s->run);
	g_free(s->pid_file);
	g_free(s->dirs);
	g_free(s->state_dir);
	g_free(s->level);
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
		{ "user", 0, 0, G_OPTION_ARG_STRING, &s.user, "Who may log in, by CHAP; without it everybody", "NAME" },
		{ "secret-file", 0, 0, G_OPTION_ARG_FILENAME, &s.secret_file, "File with that user's secret, of mode 600", "FILE" },
		{ "mutual-user", 0, 0, G_OPTION_ARG_STRING, &s.mutual_user, "Our name for initiators that ask us back", "NAME" },
		{ "mutual-secret-file", 0, 0, G_OPTION_ARG_FILENAME, &s.mutual_secret_file, "File with our secret", "FILE" },
		{ "log", 'l', 0, G_OPTION_ARG_STRING, &s.level, "Log level: error, warn (the default), info or debug", "LEVEL" },
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
