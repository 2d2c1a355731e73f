/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon may no longer do once it is confined, on any thread, and what it still can.  Each in a process. */
#include "config.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <glib.h>
#include "engine/sanitized.h"
#include "lib/confine.h"

/* The number of the line that is not as it should be, as an exit status. */
#define MUST(what) do { if (!(what)) _exit(__LINE__ & 0xff ? __LINE__ & 0xff : 1); } while (0)
#define REFUSED(call) MUST((call) == -1 && errno == EPERM)

static void run(void (*child)(void))
{
	pid_t pid = fork();
	int status;

	g_assert_cmpint(pid, >=, 0);
	if (!pid) {
		child();
		_exit(0);
	}
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_cmphex(status, ==, 0);
}

static void confine(void)
{
	char *state = NULL;
	bool whole = false;
	GError *error = NULL;

	MUST(confine_start(CONFINE_REQUIRED, &whole, &state, &error));
	MUST(!strcmp(state, "confined: no new privileges, system calls filtered") && whole);
	g_free(state);
}

/* For root, too, which may do all of them without. */
static void refused(void)
{
	static char *const none[] = { NULL };

	REFUSED(unshare(CLONE_NEWUSER));
	REFUSED(setns(-1, 0));
	REFUSED(syscall(SYS_setuid, getuid()));
	REFUSED(syscall(SYS_setgroups, 0, NULL));
	REFUSED(syscall(SYS_bpf, 0, NULL, 0));
	REFUSED(syscall(SYS_mount, "none", "/nowhere", "tmpfs", 0, NULL));
	REFUSED(syscall(SYS_init_module, NULL, 0, ""));
	REFUSED(syscall(SYS_keyctl, 0, 0, 0, 0, 0));
	REFUSED(syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0));
	REFUSED(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
	REFUSED(syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, NULL, NULL, NULL, NULL));
	MUST(syscall(SYS_clone3, NULL, 0) == -1 && errno == ENOSYS);
#if !SANITIZED
	REFUSED(execve("/bin/true", none, none));
	REFUSED(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
#else
	(void)none;
#endif
#ifdef __x86_64__
	/* getpid() and execve() by x32's numbers. */
	MUST(syscall(0x40000000 + SYS_getpid) == -1);
	MUST(syscall(0x40000000 + 520, "/bin/true", none, none) == -1);
#endif
}

static void *refused_thread(void *data)
{
	refused();
	return NULL;
}

static void check_later_thread(void)
{
	pthread_t t;

	confine();
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	refused();
	MUST(!pthread_create(&t, NULL, refused_thread, NULL));
	MUST(!pthread_join(t, NULL));
}

static pthread_barrier_t confined;

static void *earlier(void *data)
{
	pthread_barrier_wait(&confined);
	refused();
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	return NULL;
}

static void check_earlier_thread(void)
{
	pthread_t t;

	MUST(!pthread_barrier_init(&confined, NULL, 2));
	MUST(!pthread_create(&t, NULL, earlier, NULL));
	confine();
	pthread_barrier_wait(&confined);
	MUST(!pthread_join(t, NULL));
}

static void check_off(void)
{
	char *state = NULL;
	bool whole = false;

	MUST(confine_start(CONFINE_OFF, &whole, &state, NULL) && whole);
	MUST(strstr(state, "not confined"));
	g_free(state);
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
	MUST(prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0);
}

/* What cannot be had is an error where it is required, and said where it is not. */
static void check_without(void)
{
	GError *error = NULL;
	char *state = NULL;
	bool whole = false;

	MUST(!confine_start(CONFINE_REQUIRED, &whole, &state, &error) && strstr(error->message, "no libseccomp"));
	g_clear_error(&error);
	MUST(confine_start(CONFINE_AUTO, &whole, &state, &error) && strstr(state, "not wholly confined") && !whole);
	g_free(state);
}

static void test(gconstpointer child)
{
	run(*(void (*const *)(void))child);
}

int main(int argc, char **argv)
{
	static void (*const later)(void) = check_later_thread, (*const before)(void) = check_earlier_thread,
		    (*const off)(void) = check_off, (*const without)(void) = check_without;

	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/confine/off", &off, test);
#ifdef HAVE_SECCOMP
	(void)without;
	g_test_add_data_func("/confine/threads-after", &later, test);
	g_test_add_data_func("/confine/threads-before", &before, test);
#else
	(void)later;
	(void)before;
	g_test_add_data_func("/confine/without-libseccomp", &without, test);
#endif
	return g_test_run();
}
