/* SPDX-License-Identifier: Apache-2.0 */
/* thread.h - threads that leave signals to the program they are in. */
#ifndef GOTGT_THREAD_H
#define GOTGT_THREAD_H

#include <pthread.h>

/* pthread_create() with every signal blocked but those that a fault of the thread itself raises.  0 or errno.  [any] */
int thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

#endif
