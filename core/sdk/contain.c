/* SPDX-License-Identifier: Apache-2.0 */
/* contain.c - a child for each case, watched from here; what it was doing is in memory that both share. */
#include "config.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "sdk/contain.h"

#define GRACE_S 2u	/* a request that is never answered ends the child by itself; this is for calls that hang */
#define STEP_MS 20

struct job {
	const char *dir, *name;
	struct suite_conf conf;
	unsigned n;
	bool second, read;
	void (*run)(const struct job *job, struct suite_result *r);
};

static void G_GNUC_PRINTF(2, 3) failed(struct suite_result *r, const char *fmt, ...)
{
	va_list ap;

	r->verdict = SUITE_FAILED;
	va_start(ap, fmt);
	vsnprintf(r->why, sizeof r->why, fmt, ap);
	va_end(ap);
}

/* ---- the child ---- */

static _Noreturn void child(struct job *job, struct suite_note *note, pid_t parent)
{
	g_autoptr(GError) error = NULL;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	/* Standard output is the report's. */
	dup2(STDERR_FILENO, STDOUT_FILENO);
	suite_contain(note);
	suite_doing("loading it");
	job->conf.module = module_load(job->dir, job->name, &suite_host, &error);
	if (job->conf.module)
		job->run(job, &note->result);
	else
		failed(&note->result, "does not load: %s", error->message);
	note->finished = true;
	fflush(stderr);
	_exit(0);
}

/* ---- the parent ---- */

/* The child's status; -1: it had to be killed. */
static int await(pid_t pid, int fd, unsigned limit_s)
{
	const gint64 end = g_get_monotonic_time() + (gint64)limit_s * G_USEC_PER_SEC;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int status;

	/* The pipe wakes us when the child is gone; the steps are for one whose pipe somebody else has got hold of. */
	for (;;) {
		pid_t r = waitpid(pid, &status, WNOHANG);

		if (r == pid)
			return status;
		if (g_get_monotonic_time() > end)
			break;
		if (poll(&p, 1, STEP_MS) > 0)
			p.fd = -1;
	}
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return -1;
}

static void judge(int status, const struct suite_note *note, unsigned limit_s, struct suite_result *r)
{
	char doing[sizeof note->doing];

	g_strlcpy(doing, note->doing, sizeof doing);
	if (note->finished)
		*r = note->result;
	else if (status == -1)
		failed(r, "hangs: after %u seconds it was still in %s", limit_s, doing);
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && note->killing)
		r->verdict = SUITE_PASSED;
	else if (WIFSIGNALED(status))
		failed(r, "crashes: signal %d (%s) in %s", WTERMSIG(status), g_strsignal(WTERMSIG(status)), doing);
	else
		failed(r, "ends the process with status %d in %s", WEXITSTATUS(status), doing);
	if (status != -1 && WIFSIGNALED(status) && note->finished && r->verdict != SUITE_FAILED)
		failed(r, "crashes: signal %d (%s) at the end", WTERMSIG(status), g_strsignal(WTERMSIG(status)));
}

static void contain(struct job *job, struct suite_result *r)
{
	const unsigned limit_s = job->conf.limit_s ? job->conf.limit_s : SUITE_LIMIT_S;
	const pid_t parent = getpid();
	/* NOLINTNEXTLINE(invalidFunctionArg): mmap(2) wants -1 with MAP_ANONYMOUS */
	struct suite_note *note = mmap(NULL, sizeof *note, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fds[2] = { -1, -1 };
	pid_t pid = -1;

	*r = (struct suite_result){ .verdict = SUITE_PASSED };
	if (note != MAP_FAILED && pipe(fds) == 0) {
		fflush(NULL);
		pid = fork();
	}
	if (pid == 0) {
		close(fds[0]);
		child(job, note, parent);
	}
	if (fds[1] >= 0)
		close(fds[1]);
	if (pid < 0)
		failed(r, "there is no process to run it in: %s", g_strerror(errno));
	else
		judge(await(pid, fds[0], limit_s + GRACE_S), note, limit_s + GRACE_S, r);
	if (fds[0] >= 0)
		close(fds[0]);
	if (note != MAP_FAILED)
		munmap(note, sizeof *note);
}

/* ---- the interface ---- */

static void run_case(const struct job *job, struct suite_result *r)
{
	if (suite_has_halves(job->n))
		suite_run_half(&job->conf, job->n, job->second, r);
	else
		suite_run_case(&job->conf, job->n, r);
}

static void run_look(const struct job *job, struct suite_result *r)
{
	suite_look(&job->conf, job->read, r);
}

void contain_case(const char *dir, const char *name, const struct suite_conf *conf, unsigned n, struct suite_result *r)
{
	struct job job = { .dir = dir, .name = name, .conf = *conf, .n = n, .run = run_case };

	contain(&job, r);
	if (suite_has_halves(n) && r->verdict == SUITE_PASSED) {
		job.second = true;
		contain(&job, r);
	}
}

void contain_look(const char *dir, const char *name, const struct suite_conf *conf, bool read, struct suite_result *r)
{
	struct job job = { .dir = dir, .name = name, .conf = *conf, .read = read, .run = run_look };

	contain(&job, r);
}
