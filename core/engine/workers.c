/* SPDX-License-Identifier: Apache-2.0 */
/* workers.c - a queue and the threads that empty it. */
#include "config.h"
#include <pthread.h>
#include <stdbool.h>
#include <glib.h>
#include "engine/log.h"
#include "engine/thread.h"
#include "engine/workers.h"

#define LOG_DOMAIN LOGD_ENGINE

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t more, returned;
	struct work *head, **tail;
	unsigned gate_max;		/* of one gate at a time */
	unsigned max, n, idle, queued;
	bool waking;			/* somebody was called and has not come: it calls the next, if there is need */
	bool stopping;
	struct log *log;
	GArray *threads;		/* pthread_t */
};

/* Under the lock: into the queue. */
static void enqueue(struct workers *w, struct work *work)
{
	work->next = NULL;
	*w->tail = work;
	w->tail = &work->next;
}

/* Under the lock: one that came through has returned. */
static void came_back(struct workers *w, struct workers_gate *g)
{
	struct work *next = g->head;

	if (g->lost) {
		g->lost--;
		w->max--;
	}
	if (next) {
		g->head = next->next;
		w->queued++;
		enqueue(w, next);	/* for this very thread, if for no other */
		return;
	}
	if (!--g->n)
		pthread_cond_broadcast(&w->returned);
}

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

/* Under the lock; NULL: there is nothing. */
static struct work *dequeue(struct workers *w)
{
	struct work *work = w->head;

	if (!work)
		return NULL;
	w->head = work->next;
	if (!w->head)
		w->tail = &w->head;
	w->queued--;
	return work;
}

/* Under the lock, but while it runs. */
static void run_one(struct workers *w, struct work *work)
{
	struct workers_gate *gate = work->gate;

	pthread_mutex_unlock(&w->lock);
	work->run(work);	/* it may be gone, or queued again, when this returns */
	pthread_mutex_lock(&w->lock);
	if (gate)
		came_back(w, gate);
}

static void *loop(void *arg)
{
	struct workers *w = arg;

	pthread_setname_np(pthread_self(), "worker");
	log_enter(w->log);
	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct work *work = dequeue(w);

		if (!work) {
			if (w->stopping)
				break;
			w->idle++;
			pthread_cond_wait(&w->more, &w->lock);
			w->idle--;
			w->waking = false;
			continue;
		}
		call_next(w);
		run_one(w, work);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

struct workers *workers_new(unsigned max)
{
	struct workers *w = g_new0(struct workers, 1);

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	pthread_cond_init(&w->returned, NULL);
	w->tail = &w->head;
	w->log = log_entered();
	w->gate_max = max;
	w->max = max * WORKERS_GATES;
	w->threads = g_array_new(FALSE, FALSE, sizeof(pthread_t));
	return w;
}

void workers_free(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_broadcast(&w->more);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->n; i++)
		pthread_join(g_array_index(w->threads, pthread_t, i), NULL);
	pthread_cond_destroy(&w->more);
	pthread_cond_destroy(&w->returned);
	pthread_mutex_destroy(&w->lock);
	g_array_unref(w->threads);
	g_free(w);
}

/* Under the lock: one more thread. */
static bool start(struct workers *w)
{
	pthread_t thread;
	int err = thread_start(&thread, loop, w);

	if (err) {
		log_error("cannot start a worker thread: %s", g_strerror(err));
		return false;
	}
	g_array_append_val(w->threads, thread);
	w->n++;
	return true;
}

void workers_push(struct workers *w, struct work *work, struct workers_gate *gate)
{
	bool run_here = false;

	work->gate = gate;
	pthread_mutex_lock(&w->lock);
	if (gate && gate->n >= (gate->max ? gate->max : w->gate_max)) {
		work->next = NULL;
		if (gate->head)
			gate->tail->next = work;
		else
			gate->head = work;
		gate->tail = work;
		pthread_mutex_unlock(&w->lock);
		return;
	}
	if (gate)
		gate->n++;
	if (++w->queued > w->idle && w->n < w->max)
		run_here = !start(w) && !w->n;
	if (run_here) {
		w->queued--;
	} else {
		enqueue(w, work);
		call_next(w);
	}
	pthread_mutex_unlock(&w->lock);
	if (!run_here)
		return;
	pthread_mutex_lock(&w->lock);
	run_one(w, work);
	/* What waited behind it at its gate: for a thread, if there is one by now. */
	call_next(w);
	while (!w->n && (work = dequeue(w)))
		run_one(w, work);
	pthread_mutex_unlock(&w->lock);
}

void workers_lose(struct workers *w, struct workers_gate *gate)
{
	pthread_mutex_lock(&w->lock);
	w->max += gate->n - gate->lost;
	gate->lost = gate->n;
	for (unsigned i = w->idle; i < w->queued && w->n < w->max && start(w); i++)
		continue;
	pthread_mutex_unlock(&w->lock);
}

void workers_drain(struct workers *w, struct workers_gate *gate)
{
	pthread_mutex_lock(&w->lock);
	while (gate->n)
		pthread_cond_wait(&w->returned, &w->lock);
	pthread_mutex_unlock(&w->lock);
}
