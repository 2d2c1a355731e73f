/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.c - gotgt daemon. */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "backstore/settings.h"
#include "cli/cli.h"
#ifdef HAVE_CONTROL
#include "config/import.h"
#include "control/control.h"
#include "control/remote.h"
#endif
#include "engine/log.h"
#include "iscsi/activation.h"

#define STOP_GRACE_MS 5000u

struct daemon {
	struct cli_loop loop;
	const struct command *cmd;
	char *path;
	bool may_be_missing;	/* the file, at the start: then there is nothing to serve yet */
	char **plugin_dirs;
	struct server *server;
	struct control *control;	/* NULL: none */
	char *socket;		/* of --control, or NULL */
	int socket_fd;		/* of the service manager; 0: there is none */
	char **hosts, *token_file;	/* of --host and --token-file, or NULL */
	int64_t log_level;	/* of --log, which the file does not change; -1: the file's */
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

#ifdef HAVE_CONTROL
/* What the environment says was said by somebody; what gotgt in Go would take without, is taken where there is no other. */
static char *default_path(struct daemon *d)
{
	g_autofree char *said = import_path_from_environment(), *ours = our_path();

	d->may_be_missing = said || !g_file_test(ours, G_FILE_TEST_EXISTS);
	if (said)
		return g_steal_pointer(&said);
	return d->may_be_missing ? import_default_path() : g_steal_pointer(&ours);
}

static struct conf *read_file(struct daemon *d, GPtrArray *errors, GPtrArray *warnings)
{
	const struct import_options o = { (const char *const *)d->plugin_dirs, d->port };
	struct conf_where where = { g_intern_string(d->path), 0 };

	if (d->may_be_missing && !d->server && access(d->path, F_OK) < 0 && errno == ENOENT) {
		conf_error(warnings, &where, "it is not there, so there is nothing to serve yet");
		return conf_new();
	}
	if (import_is_json(d->path))
		return import_read(d->path, &o, errors, warnings);
	if (d->port < 0)
		return conf_read(d->path, errors);
	conf_error(errors, &where, "--port is for a configuration of gotgt in Go; the portals of this file have their ports");
	return NULL;
}
#else
static char *default_path(struct daemon *d)
{
	return our_path();
}

static struct conf *read_file(struct daemon *d, GPtrArray *errors, GPtrArray *warnings)
{
	struct conf_where where = { g_intern_string(d->path), 0 };

	if (d->port < 0 && !g_str_has_suffix(d->path, ".json"))
		return conf_read(d->path, errors);
	conf_error(errors, &where, "this build reads no configuration of gotgt in Go");
	return NULL;
}
#endif

static char *default_state_dir(void)
{
	return geteuid() == 0 ? g_strdup(LOCALSTATEDIR "/lib/gotgt") :
				g_build_filename(g_get_home_dir(), ".gotgt", "state", NULL);
}

/* What the program adds to any configuration. */
static void complete(struct conf *conf, void *data)
{
	const struct daemon *d = data;

	if (!conf->state_dir)
		conf->state_dir = default_state_dir();
	if (d->log_level >= 0)
		conf->log_level = (uint32_t)d->log_level;
	for (unsigned i = 0; d->single && i < conf->targets->len; i++)
		((struct conf_target *)conf->targets->pdata[i])->single_initiator = true;
}

#ifdef HAVE_CONTROL
/* The other way round, for a file that is to say no more than it must. */
static void strip(struct conf *conf, void *data)
{
	g_autofree char *own = default_state_dir();

	if (g_strcmp0(conf->state_dir, own) == 0)
		g_clear_pointer(&conf->state_dir, g_free);
}

/* The file's, less what the command line says otherwise; nothing in it is to be freed. */
static struct conf_control remote_of(const struct daemon *d, const struct conf *conf)
{
	struct conf_control cc = conf->control;

	if (d->hosts)
		cc.addresses = d->hosts;
	if (d->token_file)
		cc.token_file = d->token_file;
	return cc;
}

static void check_remote(const struct daemon *d, const struct conf *conf, GPtrArray *errors)
{
	struct conf_control cc = remote_of(d, conf);

	remote_check(&cc, errors);
}

/* Before it is said that nobody wants it. */
static void claim_socket(struct daemon *d, const struct conf *conf)
{
	const char *asked = d->socket ? d->socket : conf->control.socket;
	char *path;

	if (g_strcmp0(asked, "off") == 0)
		return;
	d->socket_fd = activation_claim_unix(&path);
	if (d->socket_fd < 0) {
		d->socket_fd = 0;
		return;
	}
	g_free(d->socket);
	d->socket = path;
}

/* A socket that somebody asked for is needed; of the default one another daemon may be the first. */
static bool control_start(struct daemon *d)
{
	const struct conf *conf = server_conf(d->server);
	const char *asked = d->socket ? d->socket : conf->control.socket;
	g_autofree char *path = asked ? g_strdup(asked) : control_default_path();
	g_autofree char *file = g_canonicalize_filename(d->path, NULL);
	struct conf_control cc = remote_of(d, conf);
	bool off = g_str_equal(path, "off");
	struct control_options o = {
		.server = d->server, .path = off ? NULL : path, .fd = d->socket_fd, .group = conf->control.group, .remote = &cc,
		.config_path = file, .complete = complete, .strip = strip, .data = d,
	};
	g_autoptr(GError) error = NULL;

	if (off && !cc.addresses)
		return true;
	d->control = control_new(&o, &error);
	if (d->control)
		return true;
	if (!asked && !cc.addresses) {
		log_warning("%s; going on without", error->message);
		return true;
	}
	cli_complain(d->cmd, "%s", error->message);
	return false;
}
#else
static void check_remote(const struct daemon *d, const struct conf *conf, GPtrArray *errors)
{
	if (d->hosts || conf->control.addresses)
		conf_error(errors, &conf->where, "control addresses: this build has no control interface");
}

static void claim_socket(struct daemon *d, const struct conf *conf)
{
}

static bool control_start(struct daemon *d)
{
	const char *asked = d->socket ? d->socket : server_conf(d->server)->control.socket;

	if (!asked || g_str_equal(asked, "off"))
		return true;
	cli_complain(d->cmd, "control socket %s: this build has none", asked);
	return false;
}

static void control_free(struct control *c)
{
}

static void control_reloaded(struct control *c)
{
}
#endif

/* missing_too: a plugin that does not load is an error. */
static struct conf *load(struct daemon *d, bool missing_too, GPtrArray *errors, GPtrArray *warnings)
{
	struct conf *conf = read_file(d, errors, warnings);

	if (!conf)
		return NULL;
	plugins_check((const char *const *)d->plugin_dirs, conf, missing_too, errors);
	check_remote(d, conf, errors);
	if (errors->len) {
		conf_free(conf);
		return NULL;
	}
	complete(conf, d);
	return conf;
}

static void log_warnings(const GPtrArray *warnings)
{
	for (unsigned i = 0; i < warnings->len; i++)
		log_warning("%s", (char *)warnings->pdata[i]);
}

static void reload(struct cli_loop *loop)
{
	struct daemon *d = container_of(loop, struct daemon, loop);
	g_autoptr(GPtrArray) errors = conf_errors_new(), warnings = conf_errors_new();
	g_autoptr(GError) error = NULL;
	g_autofree char *began = g_strdup_printf("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time());
	struct conf *conf;

	notify(began);
	conf = load(d, false, errors, warnings);
	for (unsigned i = 0; i < errors->len; i++)
		log_error("%s", (char *)errors->pdata[i]);
	log_warnings(warnings);
	if (conf && !server_apply(d->server, conf, &error))
		log_error("%s", error->message);
	if (!errors->len && !error)
		control_reloaded(d->control);
	else
		log_error("%s: not applied, everything stays as it was", d->path);
	notify("READY=1");
}

static int check(struct daemon *d)
{
	g_autoptr(GPtrArray) errors = conf_errors_new(), warnings = conf_errors_new();
	struct conf *conf = load(d, true, errors, warnings);

	for (unsigned i = 0; i < errors->len; i++)
		fprintf(stderr, "%s\n", (char *)errors->pdata[i]);
	for (unsigned i = 0; i < warnings->len; i++)
		fprintf(stderr, "warning: %s\n", (char *)warnings->pdata[i]);
	conf_free(conf);
	return conf ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(struct daemon *d)
{
	int status = EXIT_FAILURE;

	if (control_start(d)) {
		log_info("%s: %u targets, %u logical units", d->path, server_conf(d->server)->targets->len,
			 server_luns(d->server));
		notify("READY=1");
		watchdog_start(d->server);
		cli_loop_run(&d->loop);
		notify("STOPPING=1");
		watchdog_stop();
		status = EXIT_SUCCESS;
	}
	control_free(d->control);
	server_stop(d->server, STOP_GRACE_MS);
	return status;
}

static void stop_at_once(struct server *s)
{
	server_stop(s, 0);
}

static int serve(struct daemon *d)
{
	g_autoptr(GPtrArray) errors = conf_errors_new(), warnings = conf_errors_new();
	g_autoptr(GError) error = NULL;
	struct conf *conf;
	int status;

	if (!activation_take(&error)) {
		cli_complain(d->cmd, "%s", error->message);
		return EXIT_FAILURE;
	}
	conf = load(d, false, errors, warnings);
	for (unsigned i = 0; i < errors->len; i++)
		fprintf(stderr, "%s\n", (char *)errors->pdata[i]);
	if (!conf)
		return EXIT_FAILURE;
	log_set_level(conf->log_level);
	claim_socket(d, conf);
	log_warnings(warnings);
	cli_loop_start(&d->loop);
	d->server = server_start(conf, d->plugin_dirs, true, &error);
	if (d->server && !activation_used(&error))
		g_clear_pointer(&d->server, stop_at_once);
	if (!d->server) {
		cli_complain(d->cmd, "%s", error->message);
		cli_loop_end(&d->loop);
		return EXIT_FAILURE;
	}
	status = run(d);
	cli_loop_end(&d->loop);
	return status;
}

/* URLs to what the configuration has: addresses, and the path of a socket. */
static bool take_hosts(struct daemon *d)
{
	g_autoptr(GPtrArray) addresses = g_ptr_array_new();

	for (char **url = d->hosts; url && *url; url++) {
		const char *tcp = g_str_has_prefix(*url, "tcp://") ? *url + strlen("tcp://") : NULL;
		const char *path = g_str_has_prefix(*url, "unix:") ? *url + strlen("unix:") : NULL;

		if (path && g_str_has_prefix(path, "//"))
			path += 2;
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

static void clear(struct daemon *d)
{
	g_strfreev(d->plugin_dirs);
	g_strfreev(d->hosts);
	g_free(d->token_file);
	g_free(d->socket);
	g_free(d->path);
}

/* What gotgt in Go was told on its command line. */
static bool go_options(struct daemon *d, const char *driver, const char *port)
{
	uint64_t n;

	if (driver && !g_str_equal(driver, "iscsi")) {
		cli_usage(d->cmd, "--driver %s: there is none but iscsi", driver);
		return false;
	}
	if (port && (!settings_parse_uint(port, &n) || n > G_MAXUINT16)) {
		cli_usage(d->cmd, "--port: expected a number from 0 to 65535");
		return false;
	}
	if (port)
		d->port = (int)n;
	return true;
}

int cmd_daemon(const struct command *cmd, int argc, char **argv)
{
	g_autofree char *config = NULL, *level = NULL, *dirs = NULL, *driver = NULL, *port = NULL;
	struct daemon d = { .cmd = cmd, .log_level = -1, .port = -1, .loop = { .hangup = reload } };
	gboolean only_check = FALSE, foreground = TRUE;
	const GOptionEntry entries[] = {
		{ "config", 'c', 0, G_OPTION_ARG_FILENAME, &config, "Configuration file", "FILE" },
		{ "foreground", 'f', 0, G_OPTION_ARG_NONE, &foreground, "Stay in the foreground, which is the default", NULL },
		{ "log", 'l', 0, G_OPTION_ARG_STRING, &level, "Log level: error, warn, info or debug", "LEVEL" },
		{ "check", 0, 0, G_OPTION_ARG_NONE, &only_check, "Check the configuration and exit", NULL },
		{ "plugin-dir", 0, 0, G_OPTION_ARG_FILENAME, &dirs, "Where plugins are, folders separated by colons", "DIRS" },
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
	int status;

	if (!cli_options(cmd, entries, argc, argv, &args) || (level && !cli_log_level(cmd, level, &n)) ||
	    !go_options(&d, driver, port) || !take_hosts(&d)) {
		clear(&d);
		return EXIT_USAGE;
	}
	if (level)
		d.log_level = n;
	d.path = config ? g_strdup(config) : default_path(&d);
	d.plugin_dirs = plugins_dirs(dirs);
	status = only_check ? check(&d) : serve(&d);
	clear(&d);
	return status;
}
