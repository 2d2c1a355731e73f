/* SPDX-License-Identifier: Apache-2.0 */
/* cli.h - what the subcommands share.  Data goes to standard output, messages to standard error.  [main] */
#ifndef GOTGT_CLI_H
#define GOTGT_CLI_H

#include <stdbool.h>
#include <glib.h>
#include "engine/reactor.h"

struct conf_lun;
struct conf_portal;

enum { EXIT_USAGE = 2 };

struct command {
	const char *name;	/* as typed: "plugin show" */
	const char *arguments;	/* for the usage line, or NULL */
	const char *summary;	/* one line */
	unsigned min_args, max_args;
	int (*run)(const struct command *cmd, int argc, char **argv);	/* the exit status */
};

int cmd_daemon(const struct command *cmd, int argc, char **argv);
int cmd_serve(const struct command *cmd, int argc, char **argv);
int cmd_plugin_list(const struct command *cmd, int argc, char **argv);
int cmd_plugin_show(const struct command *cmd, int argc, char **argv);
int cmd_plugin_new(const struct command *cmd, int argc, char **argv);
int cmd_plugin_test(const struct command *cmd, int argc, char **argv);
int cmd_verb(const struct command *cmd, int argc, char **argv);	/* list, show, create, set, rm */
int cmd_import(const struct command *cmd, int argc, char **argv);
int cmd_apply(const struct command *cmd, int argc, char **argv);
int cmd_save(const struct command *cmd, int argc, char **argv);
int cmd_log_level(const struct command *cmd, int argc, char **argv);
int cmd_version(const struct command *cmd, int argc, char **argv);

/*
 * Take the options off a command line.  True: *args (to be freed with g_strfreev) are the others,
 * as many as the command takes.  False: wrong usage has been reported.  --help does not return.
 */
bool cli_options(const struct command *cmd, const GOptionEntry *entries, int argc, char **argv, char ***args);
/* "gotgt serve: TEXT" on standard error. */
void cli_complain(const struct command *cmd, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* The same with a hint at --help; returns EXIT_USAGE. */
int cli_usage(const struct command *cmd, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* A level by its name; a wrong one is reported. */
bool cli_log_level(const struct command *cmd, const char *name, uint32_t *level);

/* Run until SIGTERM or SIGINT, or until cli_quit().  hangup is for SIGHUP (NULL: as SIGTERM), stop for the others. */
enum { CLI_SIGNALS = 3 };
struct cli_loop {
	GMainLoop *main;
	guint sources[CLI_SIGNALS];
	void (*hangup)(struct cli_loop *loop);
	void (*stop)(struct cli_loop *loop);	/* NULL: cli_quit() */
	unsigned stops;				/* stop may count here */
};
/* Signals are caught from start to end, and handled while it runs. */
void cli_loop_start(struct cli_loop *loop);
void cli_loop_run(struct cli_loop *loop);
void cli_loop_end(struct cli_loop *loop);
void cli_quit(struct cli_loop *loop);

/* Tell the service manager that started us (sd_notify(3)): "READY=1" and the like.  Nothing without one. */
void notify(const char *state);
/*
 * Tell it every now and then that the main loop runs and alive() says so of the rest, when it asked for that (WatchdogSec=).
 * alive() is asked once at the start, too.
 */
void watchdog_start(bool (*alive)(void *data), void *data);
/* Before what alive() asks is gone. */
void watchdog_stop(void);

/* [PLUGIN:]PATH[,KEY=VALUE...] as a LUN; the error is of MODULE_ERROR when its plugin does not load. */
struct lun_arg {
	const char *size;	/* --size, or NULL */
	bool read_only;
};
bool lun_arg_parse(const char *text, const struct lun_arg *common, const char *const *plugin_dirs,
		   struct conf_lun *lun, GError **error);

/* What --run's command is told. */
struct run_env {
	const char *uri, *uris, *portal, *iqn;
};
/* Start CMD by the shell; done(status) comes with what the shell would say of it. */
GPid captive_start(const char *cmd, const struct run_env *env, void (*done)(int status, void *data), void *data,
		   GError **error);
/* Signal it, and what it has started when it is in a group of its own: away from a terminal. */
void captive_kill(GPid pid, int signal);

#endif
