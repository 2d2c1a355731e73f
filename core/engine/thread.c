/* SPDX-License-Identifier: Apache-2.0 */
/* thread.c - start a thread that takes no signals. */
#include "config.h"
#include <signal.h>
#include <stddef.h>
#include "engine/thread.h"

int thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };
	sigset_t ours, before;
	int err;

	sigfillset(&ours);
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		sigdelset(&ours, faults[i]);
	/* A thread begins with the mask of the one that starts it: there is no moment in which it could take one. */
	pthread_sigmask(SIG_SETMASK, &ours, &before);
	err = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}
