/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.c - gotgt daemon: a server that a file describes; a program over libgotgt like others. */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <gotgt/gotgt.h>
#include "cli/cli.h"
#include "engine/log.h"
#include "engine/reach.h"
#include "iscsi/activation.h"

#define LOG_DOMAIN LOGD_DAEMON

#define STOP_GRACE_MS 5000u

struct daemon {
	struct cli_loop loop;
	const struct command *cmd;
	struct gotgt_server *server;
	char *path, *dirs, *state_dir;
	char *socket;		/* of --control, or NULL */
	int socket_fd;		/* of the service manager; 0: there is none */
	char **hosts, *token_file;	/* of --host and --token-file, or NULL */
	char *level;		/* of --log, which the file does not change, or NULL */
	bool told;		/* of something wrong in the file */
	bool may_be_missing;	/* the file, at the start: then there is nothing to serve yet */
	int port;		/* of --port, for a configuration of gotgt in Go; -1: its own */
	gboolean single;	/* --block-multiple-hosts */
};

/* A user's own file comes before the system's. */
static char *our_path(void)
{
	g_autofree char *own = g_build_filename(g_get_home_dir(), ".gotgt", "gotgt.conf", NULL);

	if (geteuid() != 0 && g_file_test(own, G_FILE_TEST_EXISTS))
		return g_steal_pointer(&own);
	return g_strdup(SYSCONFDIR "/gotgt/gotgt.conf");
}

/*
 * What the environment says was said by somebody; what gotgt in Go would take without, is taken where there is no other.
 * Either may be missing, as there.
 */
static char *default_path(struct daemon *d)
{
	g_autofree char *ours = our_path();
	const char *said = g_getenv("GOSTOR_CONFIG");

	d->may_be_missing = (said && *said) || !g_file_test(ours, G_FILE_TEST_EXISTS);
	if (said && *said)
		return g_build_filename(said, "config.json", NULL);
	return d->may_be_missing ? g_build_filename(g_get_home_dir(), ".gotgt", "config.json", NULL) : g_steal_pointer(&ours);
}

static char *default_state_dir(void)
{
	return geteuid() == 0 ? g_strdup(LOCALSTATEDIR "/lib/gotgt") :
				g_build_filename(g_get_home_dir(), ".gotgt", "state", NULL);
}

static void show_line(void *data, enum gotgt_log_level level, const char *line)
{
	cli_log_line(level, line);
}

/* Before there is a log: as a compiler would. */
static void show_wrong(void *data, const char *line)
{
	fprintf(stderr, "%s\n", line);
}

static void show_warning(void *data, const char *line)
{
	fprintf(stderr, "warning: %s\n", line);
}

static void log_wrong(void *data, const char *line)
{
	struct daemon *d = data;

	d->told = true;
	gotgt_server_log(d->server, GOTGT_LOG_ERROR, line);
}

static struct gotgt_config options(struct daemon *d, uint32_t flags, gotgt_wrong_fn *wrong)
{
	if (d->port >= 0)
		flags |= GOTGT_CONFIG_PORT;
	if (d->single)
		flags |= GOTGT_CONFIG_SINGLE;
	return (struct gotgt_config){ .size = sizeof(struct gotgt_config), .flags = flags, .state_dir = d->state_dir,
				      .log_level = d->level, .wrong = wrong, .wrong_data = d,
				      .port = (uint16_t)MAX(d->port, 0),
				      .control_addresses = (const char *const *)d->hosts, .control_token_file = d->token_file };
}

static int complain(const struct daemon *d)
{
	cli_complain(d->cmd, "%s", gotgt_last_error());
	return EXIT_FAILURE;
}

static void reload(struct cli_loop *loop)
{
	struct daemon *d = container_of(loop, struct daemon, loop);
	const struct gotgt_config o = options(d, GOTGT_CONFIG_APPLY, log_wrong);
	g_autofree char *began = g_strdup_printf("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time());
	g_autofree char *text = NULL;

	notify(began);
	d->told = false;
	if (gotgt_config_load(d->server, d->path, &o)) {
		/* The file may be right, and what it asks for not be possible. */
		if (!d->told)
			gotgt_server_log(d->server, GOTGT_LOG_ERROR, gotgt_last_error());
		text = g_strdup_printf("%s: not applied, everything stays as it was", d->path);
		gotgt_server_log(d->server, GOTGT_LOG_ERROR, text);
	}
	notify("READY=1");
}

static int check(struct daemon *d)
{
	struct gotgt_config o = options(d, d->may_be_missing ? GOTGT_CONFIG_MISSING : 0, show_wrong);

	o.warning = show_warning;
	return gotgt_config_check(d->server, d->path, &o) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A call waits for others: one that never ends is a server that does not run; nor is one whose reactors do not. */
static bool alive(void *data)
{
	const struct daemon *d = data;
	struct gotgt_info info = { .size = sizeof info };

	return gotgt_server_info(d->server, &info) == 0 && info.running && !info.stuck;
}

static void say_ready(struct daemon *d)
{
	struct gotgt_info info = { .size = sizeof info };
	g_autofree char *text = NULL;

	gotgt_server_info(d->server, &info);
	text = g_strdup_printf("%s: %u targets, %u logical units", d->path, info.targets, info.luns_served);
	gotgt_server_log(d->server, GOTGT_LOG_INFO, text);
	notify("READY=1");
}

static int run(struct daemon *d)
{
	const struct gotgt_control control = { .size = sizeof control, .path = d->socket, .config_path = d->path,
					       .fd = d->socket_fd };

	if (gotgt_server_control(d->server, &control))
		return complain(d);
	say_ready(d);
	watchdog_start(alive, d);
	cli_loop_run(&d->loop);
	notify("STOPPING=1");
	watchdog_stop();
	return EXIT_SUCCESS;
}

/* The service manager's comes before what the file has, and before it is said that nobody wants it. */
static void claim_socket(struct daemon *d)
{
	char *path;
	int fd = g_strcmp0(d->socket, "off") ? activation_claim_unix(&path) : -1;

	if (fd < 0)
		return;
	g_free(d->socket);
	d->socket = path;
	d->socket_fd = fd;
}

static int start(struct daemon *d)
{
	const struct gotgt_config o = options(d, d->may_be_missing ? GOTGT_CONFIG_MISSING : 0, show_wrong);
	g_autoptr(GError) error = NULL;
	int status = EXIT_FAILURE;

	if (!activation_take(&error)) {
		cli_complain(d->cmd, "%s", error->message);
		return EXIT_FAILURE;
	}
	if (gotgt_config_load(d->server, d->path, &o))
		return EXIT_FAILURE;
	claim_socket(d);
	if (d->socket && g_strcmp0(d->socket, "off"))
		reach_also(d->socket);
	/* Before there are threads, and after what the file says was read. */
	if (gotgt_server_confine(d->server)) {
		complain(d);
		return EXIT_FAILURE;
	}
	cli_loop_start(&d->loop);
	if (gotgt_server_start(d->server))
		complain(d);
	else if (activation_used(&error))
		status = run(d);
	else
		cli_complain(d->cmd, "%s", error->message);
	gotgt_server_stop(d->server, status == EXIT_SUCCESS ? STOP_GRACE_MS : 0);
	cli_loop_end(&d->loop);
	return status;
}

/* Each connection and most logical units have an open file, and 1024 is what a process may have by default. */
static void raise_open_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur == files.rlim_max)
		return;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files))
		log_warning("the limit of open files (RLIMIT_NOFILE) stays: %s", g_strerror(errno));
}

static int serve(struct daemon *d, bool only_check)
{
	const char *dirs = d->dirs ? d->dirs : g_getenv("GOTGT_PLUGIN_PATH");
	int status = EXIT_FAILURE;

	d->server = gotgt_server_new();
	if (gotgt_server_set_plugin_path(d->server, dirs) || gotgt_server_set_log(d->server, show_line, NULL) ||
	    gotgt_server_skip_broken(d->server, 1))
		complain(d);
	else
		status = only_check ? check(d) : start(d);
	gotgt_server_free(d->server);
	return status;
}

/* What gotgt in Go was told on its command line. */
static bool go_options(struct daemon *d, const char *driver, const char *port)
{
	guint64 n = 0;

	if (driver && !g_str_equal(driver, "iscsi")) {
		cli_usage(d->cmd, "--driver %s: there is none but iscsi", driver);
		return false;
	}
	if (port && !g_ascii_string_to_unsigned(port, 10, 0, G_MAXUINT16, &n, NULL)) {
		cli_usage(d->cmd, "--port: expected a number from 0 to 65535");
		return false;
	}
	if (port)
		d->port = (int)n;
	return true;
}

/* NULL: url is of no unix socket. */
static const char *unix_path(const char *url)
{
	const char *path = g_str_has_prefix(url, "unix:") ? url + strlen("unix:") : NULL;

	return path && g_str_has_prefix(path, "//") ? path + 2 : path;
}

/* URLs to what the configuration has: addresses, and the path of a socket.  --control takes a path as one, too. */
static bool take_hosts(struct daemon *d)
{
	g_autoptr(GPtrArray) addresses = g_ptr_array_new();

	if (d->socket && unix_path(d->socket)) {
		char *path = g_strdup(unix_path(d->socket));

		g_free(d->socket);
		d->socket = path;
	}
	for (char **url = d->hosts; url && *url; url++) {
		const char *tcp = g_str_has_prefix(*url, "tcp://") ? *url + strlen("tcp://") : NULL;
		const char *path = unix_path(*url);

		if (tcp) {
			g_ptr_array_add(addresses, g_strndup(tcp, strlen(tcp) - g_str_has_suffix(tcp, "/")));
		} else if (path && *path == '/' && !d->socket) {
			d->socket = g_strdup(path);
		} else {
			cli_usage(d->cmd, "--host %s: expected tcp://ADDR:PORT, or one unix:PATH with a whole path", *url);
			g_ptr_array_set_free_func(addresses, g_free);
			return false;
		}
	}
	g_ptr_array_add(addresses, NULL);
	g_strfreev(d->hosts);
	d->hosts = addresses->len > 1 ? (char **)g_ptr_array_steal(addresses, NULL) : NULL;
	return true;
}

int cmd_daemon(const struct command *cmd, int argc, char **argv)
{
	g_autofree char *format = NULL, *driver = NULL, *port = NULL;
	struct daemon d = { .cmd = cmd, .port = -1, .loop = { .hangup = reload } };
	gboolean only_check = FALSE, foreground = TRUE;
	const GOptionEntry entries[] = {
		{ "config", 'c', 0, G_OPTION_ARG_FILENAME, &d.path, "Configuration file", "FILE" },
		{ "foreground", 'f', 0, G_OPTION_ARG_NONE, &foreground, "Stay in the foreground, which is the default", NULL },
		{ "log", 'l', 0, G_OPTION_ARG_STRING, &d.level, "Log level: error, warn, info or debug", "LEVEL" },
		{ "log-format", 0, 0, G_OPTION_ARG_STRING, &format, CLI_LOG_FORMAT_HELP, "FORMAT" },
		{ "check", 0, 0, G_OPTION_ARG_NONE, &only_check, "Check the configuration and exit", NULL },
		{ "plugin-dir", 0, 0, G_OPTION_ARG_FILENAME, &d.dirs, "Where plugins are, folders separated by colons", "DIRS" },
		{ "control", 0, 0, G_OPTION_ARG_STRING, &d.socket, "Control socket, or off; instead of the file's", "PATH" },
		{ "host", 0, 0, G_OPTION_ARG_STRING_ARRAY, &d.hosts,
		  "Where to listen for control, instead of the file's: tcp://ADDR:PORT, or unix:PATH; can be repeated", "URL" },
		{ "token-file", 0, 0, G_OPTION_ARG_FILENAME, &d.token_file, "File with the token for TCP, of mode 600; instead of the file's",
		  "FILE" },
		{ "driver", 0, 0, G_OPTION_ARG_STRING, &driver, "iscsi, which is what there is", "NAME" },
		{ "port", 0, 0, G_OPTION_ARG_STRING, &port, "Port to listen on, of a configuration of gotgt in Go", "PORT" },
		{ "block-multiple-hosts", 0, 0, G_OPTION_ARG_NONE, &d.single, "One initiator at a time for each target", NULL },
		{ NULL },
	};
	g_auto(GStrv) args = NULL;
	uint32_t n;
	int status = EXIT_USAGE;

	if (cli_options(cmd, entries, argc, argv, &args) && (!d.level || cli_log_level(cmd, d.level, &n)) &&
	    cli_log_format(cmd, format) && go_options(&d, driver, port) && take_hosts(&d)) {
		if (!d.path)
			d.path = default_path(&d);
		d.state_dir = default_state_dir();
		raise_open_files();
		status = serve(&d, only_check);
	}
	g_free(d.path);
	g_free(d.dirs);
	g_free(d.state_dir);
	g_free(d.socket);
	g_strfreev(d.hosts);
	g_free(d.token_file);
	g_free(d.level);
	return status;
}
