/* SPDX-License-Identifier: Apache-2.0 */
/* thread.h - threads that leave signals to the program they are in, and waits with an end. */
#ifndef GOTGT_THREAD_H
#define GOTGT_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

/* pthread_create() with every signal blocked but those that a fault of the thread itself raises.  0 or errno.  [any] */
int thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

/* Waits on the monotonic clock: thread_cond_init(), thread_until() from now on, thread_cond_wait().  [any] */
void thread_cond_init(pthread_cond_t *cond);
struct timespec thread_until(unsigned ms);
/* False: it is past `until` (NULL: never). */
bool thread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *until);

#endif
