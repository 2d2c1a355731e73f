/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reactor.h - an epoll thread: file descriptors, timers, posts from other threads,
 * and work put off to the end of the batch.  Everything is [reactor] (the reactor's
 * own thread) unless it says otherwise.
 */
#ifndef GOTGT_REACTOR_H
#define GOTGT_REACTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <glib.h>

struct reactor;
struct bufpool;

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* A file descriptor watched; embedded in its owner, which closes fd itself. */
struct watch {
	int fd;
	void (*ready)(struct watch *w, uint32_t events);	/* EPOLLIN, EPOLLOUT, EPOLLHUP ... */
};

/* Work handed over from any thread; embedded, in one queue at a time. */
struct post {
	struct post *next;
	void (*run)(struct post *p);
};

/* Runs once at the end of the batch of events being handled; embedded.  Queueing twice is once. */
struct defer {
	struct defer *next;
	void (*run)(struct defer *d);
	bool queued;
};

/* One-shot; embedded, zeroed before first use. */
struct timer {
	uint64_t due_ms;	/* on reactor_now_ms()'s clock */
	uint32_t slot;		/* 1-based place in the heap, 0: not set */
	void (*expired)(struct timer *t);
};

/* Not started.  index counts from 0 within an engine.  [main] */
struct reactor *reactor_new(unsigned index, GError **error);
bool reactor_start(struct reactor *r, GError **error);
/* Ends the thread after what is posted has run.  [main] */
void reactor_stop(struct reactor *r);
void reactor_free(struct reactor *r);

/* Look for events for up to max_us before sleeping, while they come that soon; 0, the default: sleep at once.  [any] */
void reactor_set_poll(struct reactor *r, unsigned max_us);

unsigned reactor_index(const struct reactor *r);	/* [any] */
struct bufpool *reactor_pool(struct reactor *r);	/* its buffers */
/* The calling thread's reactor, or NULL.  [any] */
struct reactor *reactor_self(void);

/* 0 or -errno. */
int reactor_watch(struct reactor *r, struct watch *w, uint32_t events);
int reactor_rewatch(struct reactor *r, struct watch *w, uint32_t events);
/* No ready() comes after this, not even for events already fetched. */
void reactor_unwatch(struct reactor *r, struct watch *w);

/* Run p->run on r's thread, in order of posting.  [any] */
void reactor_post(struct reactor *r, struct post *p);
/* Run fn(arg) on r's thread and wait for it.  [any but a reactor] */
void reactor_call(struct reactor *r, void (*fn)(void *arg), void *arg);

void reactor_defer(struct reactor *r, struct defer *d);
void reactor_undefer(struct reactor *r, struct defer *d);	/* no-op when it is not queued */
/* Run it after the events of a batch, the next one if it is queued by itself: for work that is done a part at a time. */
void reactor_again(struct reactor *r, struct defer *d);
void reactor_unagain(struct reactor *r, struct defer *d);	/* no-op when it is not queued */

/*
 * Run it once, when the batch of events has been handled and what it queued has run: at most one of these a batch, in their
 * order, and of batches with events each fourth, so that what takes long in all costs others little.
 */
void reactor_spare(struct reactor *r, struct post *p);
/* The next one now, for who cannot return to the loop; false: there is none. */
bool reactor_run_spare(struct reactor *r);

/* (Re)arm; delay from now. */
void reactor_timer_set(struct reactor *r, struct timer *t, uint64_t delay_ms);
void reactor_timer_cancel(struct reactor *r, struct timer *t);

/* Monotonic, read once per batch. */
uint64_t reactor_now_ms(const struct reactor *r);
/* The same clock as read last: once per batch, and by reactor_read_ns(), which reads it now. */
uint64_t reactor_last_ns(const struct reactor *r);
uint64_t reactor_read_ns(struct reactor *r);
/* Counts batches of events: equal values mean the same batch. */
uint64_t reactor_batch(const struct reactor *r);

#endif
