/* SPDX-License-Identifier: Apache-2.0 */
/* life.c - see life.h */
#include "config.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../wire/server.h"
#include "life.h"

struct life {
	GPid pid;
	unsigned delay_us;
	pthread_t killer;
};

static uint16_t port;

/* What ini.c asks of a server. */
int server_connect(struct server *s)
{
	return server_connect_tcp(s);
}

int server_connect_tcp(struct server *s)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_assert_cmpint(connect(fd, (struct sockaddr *)&to, sizeof to), ==, 0);
	return fd;
}

/* It is not to outlive a test that fails. */
static void in_child(gpointer data)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

struct life *life_begin(const char *const *argv, char **env)
{
	struct life *l = g_new0(struct life, 1);
	char line[512], *at;
	GError *error = NULL;
	FILE *f;
	int fd;

	g_spawn_async_with_pipes(NULL, (char **)argv, env, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL,
				 in_child, NULL, &l->pid, NULL, &fd, NULL, &error);
	g_assert_no_error(error);
	f = fdopen(fd, "r");
	g_assert_nonnull(fgets(line, sizeof line, f));
	at = strstr(line, "127.0.0.1:");
	g_assert_nonnull(at);
	port = (uint16_t)atoi(at + strlen("127.0.0.1:"));
	fclose(f);
	return l;
}

unsigned life_files(const struct life *l)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/fd", l->pid);
	GDir *dir = g_dir_open(path, 0, NULL);
	unsigned n = 0;

	g_assert_nonnull(dir);
	while (g_dir_read_name(dir))
		n++;
	g_dir_close(dir);
	return n;
}

static void *kill_later(void *arg)
{
	const struct life *l = arg;

	g_usleep(l->delay_us);
	kill(l->pid, SIGKILL);
	return NULL;
}

void life_kill_after(struct life *l, unsigned delay_us)
{
	l->delay_us = delay_us;
	g_assert_cmpint(pthread_create(&l->killer, NULL, kill_later, l), ==, 0);
}

void life_end(struct life *l)
{
	int status;

	pthread_join(l->killer, NULL);
	g_assert_cmpint(waitpid(l->pid, &status, 0), ==, l->pid);
	g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	g_free(l);
}

void life_stop(struct life *l)
{
	int status;

	kill(l->pid, SIGTERM);
	g_assert_cmpint(waitpid(l->pid, &status, 0), ==, l->pid);
	g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	g_free(l);
}
