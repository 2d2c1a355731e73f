/* SPDX-License-Identifier: Apache-2.0 */
/* workers.c - a queue and the threads that empty it. */
#include "config.h"
#include <pthread.h>
#include <stdbool.h>
#include <glib.h>
#include "engine/log.h"
#include "engine/thread.h"
#include "engine/workers.h"

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct work *head, **tail;
	unsigned max, n, idle, queued;
	bool waking;			/* somebody was called and has not come: it calls the next, if there is need */
	bool stopping;
	struct log *log;
	pthread_t threads[];
};

/*
 * One at a time: while the next wakes up, those who are awake may be through with all that is short.  What takes long
 * has all of them awake soon.  Under the lock.
 */
static void call_next(struct workers *w)
{
	if (!w->head || !w->idle || w->waking)
		return;
	w->waking = true;
	pthread_cond_signal(&w->more);
}

static void *loop(void *arg)
{
	struct workers *w = arg;

	pthread_setname_np(pthread_self(), "worker");
	log_enter(w->log);
	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct work *work = w->head;

		if (!work) {
			if (w->stopping)
				break;
			w->idle++;
			pthread_cond_wait(&w->more, &w->lock);
			w->idle--;
			w->waking = false;
			continue;
		}
		w->head = work->next;
		if (!w->head)
			w->tail = &w->head;
		w->queued--;
		call_next(w);
		pthread_mutex_unlock(&w->lock);
		work->run(work);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

struct workers *workers_new(unsigned max_threads)
{
	struct workers *w = g_malloc0(sizeof *w + max_threads * sizeof(pthread_t));

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	w->tail = &w->head;
	w->log = log_entered();
	w->max = max_threads;
	return w;
}

void workers_free(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_broadcast(&w->more);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->n; i++)
		pthread_join(w->threads[i], NULL);
	pthread_cond_destroy(&w->more);
	pthread_mutex_destroy(&w->lock);
	g_free(w);
}

void workers_push(struct workers *w, struct work *work)
{
	bool run_here = false;

	work->next = NULL;
	pthread_mutex_lock(&w->lock);
	if (++w->queued > w->idle && w->n < w->max) {
		int err = thread_start(&w->threads[w->n], loop, w);

		if (!err)
			w->n++;
		else {
			log_error("cannot start a worker thread: %s", g_strerror(err));
			run_here = w->n == 0;
		}
	}
	if (run_here) {
		w->queued--;
	} else {
		*w->tail = work;
		w->tail = &work->next;
		call_next(w);
	}
	pthread_mutex_unlock(&w->lock);
	if (run_here)
		work->run(work);
}
