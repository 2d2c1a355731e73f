/* SPDX-License-Identifier: Apache-2.0 */
/* captive.c - --run's command: the server lives as long as it. */
#include "config.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli/cli.h"

struct captive {
	void (*done)(int status, void *data);
	void *data;
};

/* As the shell counts: 128 and the signal. */
static void on_exit_(GPid pid, gint wait_status, gpointer data)
{
	struct captive *c = data;
	int status = WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);

	g_spawn_close_pid(pid);
	c->done(status, c->data);
	g_free(c);
}

/* At a terminal it must stay in the group that reads from there; the terminal then signals all of them itself. */
static bool own_group(void)
{
	return !isatty(STDIN_FILENO);
}

static void child_setup(gpointer data)
{
	if (own_group())
		setpgid(0, 0);
}

void captive_kill(GPid pid, int signal)
{
	kill(own_group() ? -pid : pid, signal);
}

GPid captive_start(const char *cmd, const struct run_env *env, void (*done)(int status, void *data), void *data,
		   GError **error)
{
	char *argv[] = { (char []){ "/bin/sh" }, (char []){ "-c" }, (char *)cmd, NULL };
	const struct { const char *name, *value; } vars[] = {
		{ "uri", env->uri }, { "uris", env->uris }, { "portal", env->portal }, { "iqn", env->iqn },
	};
	char **envp = g_get_environ();
	struct captive *c;
	GPid pid;
	bool ok;

	for (size_t i = 0; i < G_N_ELEMENTS(vars); i++)
		envp = g_environ_setenv(envp, vars[i].name, vars[i].value, TRUE);
	ok = g_spawn_async(NULL, argv, envp, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CHILD_INHERITS_STDIN,
			   child_setup, NULL, &pid, error);
	g_strfreev(envp);
	if (!ok)
		return 0;
	c = g_new0(struct captive, 1);
	c->done = done;
	c->data = data;
	g_child_watch_add(pid, on_exit_, c);
	return pid;
}
