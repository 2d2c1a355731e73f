/* SPDX-License-Identifier: Apache-2.0 */
/* workers.c - a queue and the threads that empty it. */
#include "config.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <glib.h>
#include "engine/log.h"
#include "engine/look.h"
#include "engine/thread.h"
#include "engine/workers.h"

#define LOG_DOMAIN LOGD_ENGINE

#define LOOK_MIN_NS 5000u	/* the shortest look, a system call that switches threads */

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t more, returned;
	struct work *head, **tail;
	unsigned gate_max;		/* of one gate at a time */
	unsigned max, n, idle, queued;
	bool waking;			/* somebody was called and has not come: it calls the next, if there is need */
	bool stopping;
	bool looking;			/* one of the idle does not sleep yet; under the lock, as is all of look but the most */
	atomic_bool seen;		/* it is called */
	struct look look;
	uint64_t since;			/* when the last of them had nothing to do */
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
 * has all of them awake soon.  Who looks needs no waking.  Under the lock.
 */
static void call_next(struct workers *w)
{
	if (!w->head || !w->idle || w->waking)
		return;
	w->waking = true;
	if (w->looking)
		atomic_store_explicit(&w->seen, true, memory_order_relaxed);	/* what there is to see is under the lock */
	else
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

/* For up to ns, or until it is called.  Under the lock, but while it looks; others who want this CPU go first. */
static void look(struct workers *w, uint64_t ns)
{
	const uint64_t start = w->since;

	w->looking = true;
	atomic_store_explicit(&w->seen, false, memory_order_relaxed);
	pthread_mutex_unlock(&w->lock);
	while (!atomic_load_explicit(&w->seen, memory_order_relaxed) && clock_ns() - start < ns)
		sched_yield();
	pthread_mutex_lock(&w->lock);
	w->looking = false;
}

/*
 * There is nothing.  One of those who have nothing to do looks for a while before it sleeps, as long as that pays
 * (look.h): waking a thread costs more than a short request takes.  Of the others nobody is in a hurry.  Under the lock.
 */
static void wait_for_more(struct workers *w)
{
	const uint64_t max_ns = look_max_ns(&w->look);

	w->idle++;
	if (max_ns)
		w->since = clock_ns();
	if (max_ns && w->look.ns && !w->looking)
		look(w, MIN(w->look.ns, max_ns));
	/* Who was called while it looked does not sleep over it: nobody else is called before it comes. */
	if (!w->head && !w->stopping) {
		w->waking = false;
		pthread_cond_wait(&w->more, &w->lock);
		if (max_ns)
			look_slept(&w->look, clock_ns() - w->since, LOOK_MIN_NS);
	}
	w->idle--;
	w->waking = false;
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
			wait_for_more(w);
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
	atomic_store_explicit(&w->seen, true, memory_order_relaxed);
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

void workers_set_look(struct workers *w, unsigned max_us)
{
	atomic_store_explicit(&w->look.max_us, max_us, memory_order_relaxed);
}
