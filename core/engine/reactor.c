/* SPDX-License-Identifier: Apache-2.0 */
/* reactor.c - an epoll thread.  It sleeps whenever nothing is to do. */
#include "config.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "engine/bufpool.h"
#include "engine/log.h"
#include "engine/look.h"
#include "engine/reactor.h"
#include "engine/thread.h"

#define LOG_DOMAIN LOGD_ENGINE

#define SPARE_PASSED 4u	/* batches with events, to one of spare work */
#define BATCH 64
#define POLL_MIN_NS 8000u	/* the shortest look, two system calls that switch threads */

struct reactor {
	unsigned index;
	int ep;
	pthread_t thread;
	bool started, stopping;
	struct log *log;
	uint64_t now_ms, last_ns, batch;
	struct look look;
	struct bufpool *pool;

	struct epoll_event events[BATCH];	/* of the batch under way */
	int n_events;

	struct defer *defer_head, **defer_tail;
	struct defer *again_head, **again_tail;	/* of the next batch */
	struct post *spare_head, **spare_tail;
	unsigned spare_passed;		/* batches since one ran */

	struct timer **heap;			/* 1-based binary heap by due_ms */
	uint32_t n_timers, cap_timers;

	/* Posts: a stack that any thread pushes on and ours takes whole. */
	char apart[64];			/* from what only our thread writes */
	_Atomic(struct post *) posts;
	atomic_bool asleep;		/* or about to be, once it has seen that there are no posts */
	struct watch wake;
};

static _Thread_local struct reactor *self;

uint64_t reactor_read_ns(struct reactor *r)
{
	r->last_ns = clock_ns();
	return r->last_ns;
}

static uint64_t clock_ms(struct reactor *r)
{
	return reactor_read_ns(r) / 1000000;
}

/* ---- timers ---- */

static void heap_put(struct reactor *r, uint32_t slot, struct timer *t)
{
	r->heap[slot] = t;
	t->slot = slot;
}

static void heap_up(struct reactor *r, uint32_t slot, struct timer *t)
{
	for (; slot > 1 && r->heap[slot / 2]->due_ms > t->due_ms; slot /= 2)
		heap_put(r, slot, r->heap[slot / 2]);
	heap_put(r, slot, t);
}

static void heap_down(struct reactor *r, uint32_t slot, struct timer *t)
{
	for (uint32_t child; (child = slot * 2) <= r->n_timers; slot = child) {
		if (child < r->n_timers && r->heap[child + 1]->due_ms < r->heap[child]->due_ms)
			child++;
		if (r->heap[child]->due_ms >= t->due_ms)
			break;
		heap_put(r, slot, r->heap[child]);
	}
	heap_put(r, slot, t);
}

void reactor_timer_cancel(struct reactor *r, struct timer *t)
{
	uint32_t slot = t->slot;
	struct timer *last;

	if (!slot)
		return;
	t->slot = 0;
	last = r->heap[r->n_timers--];
	if (last == t)
		return;
	heap_down(r, slot, last);
	heap_up(r, last->slot, last);
}

void reactor_timer_set(struct reactor *r, struct timer *t, uint64_t delay_ms)
{
	reactor_timer_cancel(r, t);
	if (r->n_timers + 1 >= r->cap_timers) {
		r->cap_timers = r->cap_timers ? r->cap_timers * 2 : 64;
		r->heap = g_renew(struct timer *, r->heap, r->cap_timers);
	}
	t->due_ms = r->now_ms + delay_ms;
	heap_up(r, ++r->n_timers, t);
}

static void run_timers(struct reactor *r)
{
	while (r->n_timers && r->heap[1]->due_ms <= r->now_ms) {
		struct timer *t = r->heap[1];

		reactor_timer_cancel(r, t);
		t->expired(t);
	}
}

/* ---- deferred work ---- */

static void queue(struct defer ***tail, struct defer *d)
{
	if (d->queued)
		return;
	d->queued = true;
	d->next = NULL;
	**tail = d;
	*tail = &d->next;
}

static void unqueue(struct defer **p, struct defer ***tail, struct defer *d)
{
	if (!d->queued)
		return;
	while (*p != d)
		p = &(*p)->next;
	*p = d->next;
	if (*tail == &d->next)
		*tail = p;
	d->queued = false;
}

void reactor_defer(struct reactor *r, struct defer *d) { queue(&r->defer_tail, d); }
void reactor_undefer(struct reactor *r, struct defer *d) { unqueue(&r->defer_head, &r->defer_tail, d); }
void reactor_again(struct reactor *r, struct defer *d) { queue(&r->again_tail, d); }
void reactor_unagain(struct reactor *r, struct defer *d) { unqueue(&r->again_head, &r->again_tail, d); }

static void run_first(struct defer **head, struct defer ***tail)
{
	struct defer *d = *head;

	*head = d->next;
	if (!*head)
		*tail = head;
	d->queued = false;
	d->run(d);
}

static void run_deferred(struct reactor *r)
{
	while (r->defer_head)
		run_first(&r->defer_head, &r->defer_tail);
}

/* Those queued by now: each may queue itself for the next batch. */
static void run_again(struct reactor *r)
{
	unsigned n = 0;

	for (const struct defer *d = r->again_head; d; d = d->next)
		n++;
	for (; n && r->again_head; n--)
		run_first(&r->again_head, &r->again_tail);
}

void reactor_spare(struct reactor *r, struct post *p)
{
	p->next = NULL;
	*r->spare_tail = p;
	r->spare_tail = &p->next;
}

bool reactor_run_spare(struct reactor *r)
{
	struct post *p = r->spare_head;

	if (!p)
		return false;
	r->spare_head = p->next;
	if (!r->spare_head)
		r->spare_tail = &r->spare_head;
	p->run(p);
	return true;
}

/* While there are events they have most of the time, and else whoever wants this CPU goes first. */
static void run_spare(struct reactor *r, bool busy)
{
	if (!r->spare_head || (busy && ++r->spare_passed < SPARE_PASSED))
		return;
	r->spare_passed = 0;
	if (!busy)
		sched_yield();
	reactor_run_spare(r);
}

/* ---- posts ---- */

#define WAKE_TRIES 1000u

void reactor_post(struct reactor *r, struct post *p)
{
	struct post *old = atomic_load_explicit(&r->posts, memory_order_relaxed);
	static const uint64_t one = 1;

	do
		p->next = old;
	while (!atomic_compare_exchange_weak(&r->posts, &old, p));
	/* Whoever made the list non-empty rings, unless it is looked at anyway before r sleeps: see wait_events(). */
	for (unsigned tries = 0; !old && atomic_load(&r->asleep) && write(r->wake.fd, &one, sizeof one) < 0; tries++) {
		/* A counter that is full has woken it.  Nothing else can happen: without it nobody would go on. */
		if (errno == EAGAIN)
			break;
		if (errno != EINTR && tries > WAKE_TRIES)
			g_error("eventfd: %s", g_strerror(errno));
	}
}

static bool has_posts(struct reactor *r)
{
	return atomic_load_explicit(&r->posts, memory_order_relaxed) != NULL;
}

static void run_posts(struct reactor *r)
{
	struct post *p = has_posts(r) ? atomic_exchange(&r->posts, NULL) : NULL, *in_order = NULL;

	while (p) {
		struct post *next = p->next;

		p->next = in_order;
		in_order = p;
		p = next;
	}
	while ((p = in_order)) {
		in_order = p->next;
		p->run(p);
	}
}

static void woken(struct watch *w, uint32_t events)
{
	uint64_t n;

	if (read(w->fd, &n, sizeof n) < 0)
		log_debug("eventfd: %s", g_strerror(errno));	/* rung once, seen twice: nothing is lost */
}

struct call {
	struct post post;
	void (*fn)(void *arg);
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
};

static void call_run(struct post *p)
{
	struct call *c = container_of(p, struct call, post);

	c->fn(c->arg);
	pthread_mutex_lock(&c->lock);
	c->done = true;
	pthread_cond_signal(&c->cond);
	pthread_mutex_unlock(&c->lock);
}

void reactor_call(struct reactor *r, void (*fn)(void *arg), void *arg)
{
	struct call c = { .post.run = call_run, .fn = fn, .arg = arg };

	g_assert(!self);
	pthread_mutex_init(&c.lock, NULL);
	pthread_cond_init(&c.cond, NULL);
	reactor_post(r, &c.post);
	pthread_mutex_lock(&c.lock);
	while (!c.done)
		pthread_cond_wait(&c.cond, &c.lock);
	pthread_mutex_unlock(&c.lock);
	pthread_mutex_destroy(&c.lock);
	pthread_cond_destroy(&c.cond);
}

/* ---- file descriptors ---- */

static int control(struct reactor *r, int how, struct watch *w, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = w };

	return epoll_ctl(r->ep, how, w->fd, &e) < 0 ? -errno : 0;
}

int reactor_watch(struct reactor *r, struct watch *w, uint32_t events)
{
	return control(r, EPOLL_CTL_ADD, w, events);
}

int reactor_rewatch(struct reactor *r, struct watch *w, uint32_t events)
{
	return control(r, EPOLL_CTL_MOD, w, events);
}

void reactor_unwatch(struct reactor *r, struct watch *w)
{
	control(r, EPOLL_CTL_DEL, w, 0);
	for (int i = 0; i < r->n_events; i++)
		if (r->events[i].data.ptr == w)
			r->events[i].data.ptr = NULL;
}

/* ---- the loop ---- */

static int sleep_ms(const struct reactor *r)
{
	if (r->defer_head || r->again_head || r->spare_head)
		return 0;
	if (!r->n_timers)
		return -1;
	return r->heap[1]->due_ms <= r->now_ms ? 0 : (int)MIN(r->heap[1]->due_ms - r->now_ms, 3600000);
}

/* Who posts sees that we sleep, or we see what is posted. */
static int sleep_for(struct reactor *r, int ms)
{
	int n;

	if (!ms)
		return epoll_wait(r->ep, r->events, BATCH, 0);
	atomic_store(&r->asleep, true);
	n = epoll_wait(r->ep, r->events, BATCH, atomic_load(&r->posts) ? 0 : ms);
	atomic_store_explicit(&r->asleep, false, memory_order_relaxed);
	return n;
}

/* Look for a while before sleeping, as long as that pays (look.h).  Others who want this CPU go first. */
static int wait_events(struct reactor *r, int ms)
{
	uint64_t max_ns = look_max_ns(&r->look), start, now;
	int n;

	if (!max_ns || !ms)
		return sleep_for(r, ms);
	start = now = clock_ns();
	for (; now - start < MIN(r->look.ns, max_ns); now = clock_ns()) {
		n = epoll_wait(r->ep, r->events, BATCH, 0);
		if (n || has_posts(r))
			return n;
		sched_yield();
	}
	n = sleep_for(r, ms);
	look_slept(&r->look, clock_ns() - start, POLL_MIN_NS);
	return n;
}

void reactor_set_poll(struct reactor *r, unsigned max_us)
{
	atomic_store_explicit(&r->look.max_us, max_us, memory_order_relaxed);
}

static void *loop(void *arg)
{
	struct reactor *r = arg;

	self = r;
	log_enter(r->log);
	r->now_ms = clock_ms(r);
	while (!r->stopping) {
		int n = wait_events(r, sleep_ms(r));

		r->now_ms = clock_ms(r);
		r->batch++;
		r->n_events = n < 0 ? 0 : n;
		for (int i = 0; i < r->n_events; i++) {
			struct watch *w = r->events[i].data.ptr;

			if (w)
				w->ready(w, r->events[i].events);
		}
		r->n_events = 0;
		run_posts(r);
		run_again(r);
		run_timers(r);
		run_deferred(r);
		run_spare(r, n > 0);
		run_deferred(r);
	}
	self = NULL;
	return NULL;
}

struct reactor *reactor_new(unsigned index, GError **error)
{
	struct reactor *r = g_new0(struct reactor, 1);

	r->index = index;
	r->log = log_entered();
	r->defer_tail = &r->defer_head;
	r->again_tail = &r->again_head;
	r->spare_tail = &r->spare_head;
	r->wake.ready = woken;
	r->now_ms = clock_ms(r);
	r->ep = epoll_create1(EPOLL_CLOEXEC);
	r->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->pool = bufpool_new(r);
	if (r->ep < 0 || r->wake.fd < 0 || control(r, EPOLL_CTL_ADD, &r->wake, EPOLLIN) < 0) {
		g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "reactor: %s", g_strerror(errno));
		reactor_free(r);
		return NULL;
	}
	return r;
}

bool reactor_start(struct reactor *r, GError **error)
{
	g_autofree char *name = g_strdup_printf("reactor-%u", r->index);
	int err = thread_start(&r->thread, loop, r);

	if (err) {
		g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(err), "cannot start a reactor thread: %s",
			    g_strerror(err));
		return false;
	}
	pthread_setname_np(r->thread, name);
	r->started = true;
	return true;
}

static void stop_self(void *arg)
{
	struct reactor *r = arg;

	r->stopping = true;
}

void reactor_stop(struct reactor *r)
{
	if (!r->started)
		return;
	reactor_call(r, stop_self, r);
	pthread_join(r->thread, NULL);
	r->started = false;
}

void reactor_free(struct reactor *r)
{
	reactor_stop(r);
	bufpool_free(r->pool);
	if (r->ep >= 0)
		close(r->ep);
	if (r->wake.fd >= 0)
		close(r->wake.fd);
	g_free(r->heap);
	g_free(r);
}

unsigned reactor_index(const struct reactor *r) { return r->index; }
struct bufpool *reactor_pool(struct reactor *r) { return r->pool; }
struct reactor *reactor_self(void) { return self; }
uint64_t reactor_now_ms(const struct reactor *r) { return r->now_ms; }
uint64_t reactor_last_ns(const struct reactor *r) { return r->last_ns; }
uint64_t reactor_batch(const struct reactor *r) { return r->batch; }
