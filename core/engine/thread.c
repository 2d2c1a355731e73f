/* SPDX-License-Identifier: Apache-2.0 */
/* thread.c - start a thread that takes no signals; wait for a while. */
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

void thread_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

struct timespec thread_until(unsigned ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	return until;
}

bool thread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *until)
{
	return !(until ? pthread_cond_timedwait(cond, lock, until) : pthread_cond_wait(cond, lock));
}
