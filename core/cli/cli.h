/* SPDX-License-Identifier: Apache-2.0 */
/* cli.h - what the subcommands share.  Data goes to standard output, messages to standard error.  [main] */
#ifndef GOTGT_CLI_H
#define GOTGT_CLI_H

#include <stdbool.h>
#include <glib.h>
#include "engine/log.h"
#include "engine/reactor.h"

struct conf_lun;
struct conf_portal;

enum { EXIT_USAGE = 2 };

/* What a command's arguments are, for completion. */
enum cli_argument { CLI_ARG_NONE, CLI_ARG_FILE, CLI_ARG_PLUGIN, CLI_ARG_MODULE, CLI_ARG_DISK, CLI_ARG_LEVEL,
	CLI_ARG_SHELL, CLI_ARG_KIND };

struct command {
	const char *name;	/* as typed: "plugin show" */
	const char *arguments;	/* for the usage line, or NULL */
	const char *summary;	/* one line */
	unsigned min_args, max_args;
	int (*run)(const struct command *cmd, int argc, char **argv);	/* the exit status */
	enum cli_argument argument;
};

/* All there are; the end has a NULL name. */
extern const struct command commands[];
/* The command that argv begins with, and how many words its name has; NULL: none. */
const struct command *command_find(int argc, char **argv, int *words);
/* Is it the first word of a name of two? */
bool command_starts(const char *word);

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
int cmd_stats(const struct command *cmd, int argc, char **argv);
int cmd_top(const struct command *cmd, int argc, char **argv);
int cmd_completion(const struct command *cmd, int argc, char **argv);
int cmd_version(const struct command *cmd, int argc, char **argv);

/*
 * Take the options off a command line.  True: *args (to be freed with g_strfreev) are the others,
 * as many as the command takes.  False: wrong usage has been reported, or it is to end at once.  --help does not return.
 */
bool cli_options(const struct command *cmd, const GOptionEntry *entries, int argc, char **argv, char ***args);
/* An option of a command, and of which form its value is; NULL: it has none. */
struct cli_option {
	char *name, *form, *help;
	char letter;
	bool file;
};
/* All options that a command has with these arguments.  For g_ptr_array_unref(). */
GPtrArray *cli_options_of(const struct command *cmd, int argc, char **argv);
/* --host, --token-file and --cacert in front of a command are as behind it; how many words they are. */
int cli_take_options(int n, char *const *words);
#define CLIENT_HOST_HELP "Where the daemon is: unix:PATH, tcp://ADDR:PORT or https://HOST:PORT"
/* "gotgt serve: TEXT" on standard error. */
void cli_complain(const struct command *cmd, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* Called before anything is said. */
void cli_on_complaint(void (*before)(void));
/* The same with a hint at --help; returns EXIT_USAGE. */
int cli_usage(const struct command *cmd, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* A level by its name; a wrong one is reported. */
bool cli_log_level(const struct command *cmd, const char *name, uint32_t *level);
/* Lines of the process's log go to standard error, as --log-format says; NULL: as "auto".  A wrong one is reported. */
void cli_log_start(void);
bool cli_log_format(const struct command *cmd, const char *name);
/* A line of somebody else's log, the same way.  [any] */
void cli_log_line(enum gotgt_log_level level, const char *line);
#define CLI_LOG_FORMAT_HELP \
	"Lines of the log: auto (the default: with fields where the journal reads them, else text), text or json"

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

/*
 * The iSCSI name of a target that nobody named: the host's, and a hash of the machine and of luns (struct conf_lun).  Targets of
 * other disks have others, since serial numbers are made from it; that of the same disks stays the same.  For g_free().
 */
char *serve_name(const GPtrArray *luns, const char *const *portals, const char *const *plugin_dirs);

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
