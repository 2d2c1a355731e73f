/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include "engine/engine.h"
#include "engine/log.h"
#include "engine/sanitized.h"
#if SANITIZED_ADDRESS
#include <sanitizer/asan_interface.h>
#endif

#define LOG_DOMAIN LOGD_ENGINE

static struct engine *engine;

struct counted {
	struct post post;
	struct work work;
	struct reactor *home;
	gint *count;
};

static void counted_home(struct post *p)
{
	struct counted *c = container_of(p, struct counted, post);

	g_assert_true(reactor_self() == c->home);
	g_atomic_int_inc(c->count);
}

static void counted_work(struct work *w)
{
	struct counted *c = container_of(w, struct counted, work);

	g_assert_null(reactor_self());
	reactor_post(c->home, &c->post);
}

static void nothing(void *arg)
{
}

/* A thousand works from here, each completing on its reactor. */
static void test_workers_and_posts(void)
{
	enum { N = 1000 };
	g_autofree struct counted *all = g_new0(struct counted, N);
	gint count = 0;

	for (int i = 0; i < N; i++) {
		all[i] = (struct counted){ .post.run = counted_home, .work.run = counted_work,
					   .home = engine->reactors[i % 2], .count = &count };
		workers_push(engine->workers, &all[i].work, NULL);
	}
	while (g_atomic_int_get(&count) < N)
		g_thread_yield();
	reactor_call(engine->reactors[0], nothing, NULL);
	reactor_call(engine->reactors[1], nothing, NULL);
	g_assert_cmpint(g_atomic_int_get(&count), ==, N);
}

/* ---- gates ---- */

static struct {
	pthread_mutex_t lock;		/* not GLib's, which ThreadSanitizer does not know */
	pthread_cond_t changed;
	bool open;
	unsigned here, most, done;
} stuck = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void stay(struct work *w)
{
	pthread_mutex_lock(&stuck.lock);
	stuck.here++;
	stuck.most = MAX(stuck.most, stuck.here);
	pthread_cond_broadcast(&stuck.changed);
	while (!stuck.open)
		pthread_cond_wait(&stuck.changed, &stuck.lock);
	stuck.here--;
	stuck.done++;
	pthread_mutex_unlock(&stuck.lock);
}

static void pass(struct work *w)
{
	pthread_mutex_lock(&stuck.lock);
	stuck.done++;
	pthread_cond_broadcast(&stuck.changed);
	pthread_mutex_unlock(&stuck.lock);
}

static void wait_done(unsigned done)
{
	pthread_mutex_lock(&stuck.lock);
	while (stuck.done < done)
		pthread_cond_wait(&stuck.changed, &stuck.lock);
	pthread_mutex_unlock(&stuck.lock);
}

/* The linker gives us what the core calls thread_start(). */
int __real_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);
int __wrap_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);
static atomic_bool no_threads;

int __wrap_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	return atomic_load(&no_threads) ? EAGAIN : __real_thread_start(thread, run, arg);
}

struct pusher { struct workers *workers; struct workers_gate *gate; struct work work; };

static void *push(void *arg)
{
	struct pusher *p = arg;

	workers_push(p->workers, &p->work, p->gate);
	return NULL;
}

static void open_all(void)
{
	pthread_mutex_lock(&stuck.lock);
	stuck.open = true;
	pthread_cond_broadcast(&stuck.changed);
	pthread_mutex_unlock(&stuck.lock);
}

/* A gate for one at a time; and where no thread can be had, who comes first does what waits behind it as well. */
static void test_narrow_gate(void)
{
	for (unsigned none = 0; none < 2; none++) {
		struct workers *w = workers_new(4);
		struct workers_gate gate = { .max = 1 };
		struct pusher first = { w, &gate, { .run = stay } };
		struct work works[8];
		pthread_t thread;

		stuck.open = false;
		stuck.most = stuck.done = 0;
		atomic_store(&no_threads, none);
		g_assert_cmpint(pthread_create(&thread, NULL, push, &first), ==, 0);
		pthread_mutex_lock(&stuck.lock);
		while (!stuck.here)
			pthread_cond_wait(&stuck.changed, &stuck.lock);
		pthread_mutex_unlock(&stuck.lock);
		for (unsigned i = 0; i < G_N_ELEMENTS(works); i++) {
			works[i] = (struct work){ .run = stay };
			workers_push(w, &works[i], &gate);
		}
		open_all();
		pthread_join(thread, NULL);
		workers_drain(w, &gate);
		g_assert_cmpuint(stuck.most, ==, 1);
		g_assert_cmpuint(stuck.done, ==, 1 + G_N_ELEMENTS(works));
		workers_free(w);
	}
	atomic_store(&no_threads, false);
	stuck.open = false;
	stuck.most = stuck.done = 0;
}

/* Each of WORKERS_GATES blocks all it can: only when that is known do others get threads, and they come back. */
static void test_gates(void)
{
	enum { MAX_EACH = 2, EACH = 8 };
	struct workers *w = workers_new(MAX_EACH);
	struct workers_gate gates[WORKERS_GATES] = { { NULL } }, other = { NULL };
	struct work works[WORKERS_GATES][EACH], last = { .run = pass };

	for (unsigned g = 0; g < WORKERS_GATES; g++)
		for (unsigned i = 0; i < EACH; i++) {
			works[g][i] = (struct work){ .run = stay };
			workers_push(w, &works[g][i], &gates[g]);
		}
	pthread_mutex_lock(&stuck.lock);
	while (stuck.here < WORKERS_GATES * MAX_EACH)
		pthread_cond_wait(&stuck.changed, &stuck.lock);
	pthread_mutex_unlock(&stuck.lock);
	workers_push(w, &last, &other);
	for (unsigned g = 0; g < WORKERS_GATES; g++)
		workers_lose(w, &gates[g]);
	wait_done(1);
	workers_drain(w, &other);
	g_assert_cmpuint(stuck.most, ==, WORKERS_GATES * MAX_EACH);
	open_all();
	for (unsigned g = 0; g < WORKERS_GATES; g++)
		workers_drain(w, &gates[g]);
	workers_free(w);
	g_assert_cmpuint(stuck.done, ==, 1 + WORKERS_GATES * EACH);
}

struct order {
	struct post post;
	int id, *last;
};

static void order_run(struct post *p)
{
	struct order *o = container_of(p, struct order, post);

	g_assert_cmpint(*o->last, ==, o->id - 1);
	*o->last = o->id;
}

static void test_posts_in_order(void)
{
	struct order o[200];
	int last = -1;

	for (int i = 0; i < 200; i++) {
		o[i] = (struct order){ .post.run = order_run, .id = i, .last = &last };
		reactor_post(engine->reactors[0], &o[i].post);
	}
	reactor_call(engine->reactors[0], nothing, NULL);
	g_assert_cmpint(last, ==, 199);
}

static struct timer timers[50];
static unsigned fired[50], n_fired;

static void timer_expired(struct timer *t)
{
	fired[n_fired++] = (unsigned)(t - timers);
}

static void set_timers(void *arg)
{
	for (unsigned i = 0; i < 50; i++) {
		timers[i] = (struct timer){ .expired = timer_expired };
		reactor_timer_set(arg, &timers[i], 1 + (i * 37) % 50);
	}
	for (unsigned i = 0; i < 50; i += 2)
		reactor_timer_cancel(arg, &timers[i]);
}

static void count_fired(void *arg)
{
	*(unsigned *)arg = n_fired;
}

/* Timers fire in order of time, cancelled ones never. */
static void test_timers(void)
{
	unsigned n = 0;

	reactor_call(engine->reactors[0], set_timers, engine->reactors[0]);
	while (n < 25)
		reactor_call(engine->reactors[0], count_fired, &n);
	for (unsigned i = 0; i < 25; i++) {
		g_assert_cmpuint(fired[i] % 2, ==, 1);
		if (i)
			g_assert_cmpuint((fired[i - 1] * 37) % 50, <=, (fired[i] * 37) % 50);
	}
}

static struct watch pair[2];
static int n_ready;

static void pair_ready(struct watch *w, uint32_t events)
{
	struct reactor *r = reactor_self();

	n_ready++;
	/* Either one silences both, even when both were fetched in one batch. */
	reactor_unwatch(r, &pair[0]);
	reactor_unwatch(r, &pair[1]);
}

static void watch_both(void *arg)
{
	for (int i = 0; i < 2; i++) {
		pair[i] = (struct watch){ .fd = eventfd(1, 0), .ready = pair_ready };
		g_assert_cmpint(reactor_watch(arg, &pair[i], EPOLLIN), ==, 0);
	}
}

static void test_unwatch_in_batch(void)
{
	reactor_call(engine->reactors[0], watch_both, engine->reactors[0]);
	reactor_call(engine->reactors[0], nothing, NULL);
	reactor_call(engine->reactors[0], nothing, NULL);
	g_assert_cmpint(n_ready, ==, 1);
	close(pair[0].fd);
	close(pair[1].fd);
}

static void use_pool(void *arg)
{
	struct bufpool *p = reactor_pool(arg);
	struct buf *a = bufpool_get(p, 1), *b = bufpool_get(p, 4097), *c;
	void *was = b->data;

	g_assert_cmpuint(a->size, ==, 4096);
	g_assert_cmpuint(b->size, ==, 8192);
	g_assert_cmpuint((uintptr_t)b->data % 4096, ==, 0);
	g_assert_cmpuint(bufpool_in_use(p), ==, 12288);
	bufpool_put(p, b);
	c = bufpool_get(p, 8192);
	g_assert_true(c->data == was);
	bufpool_put(p, c);
	bufpool_put(p, a);
	bufpool_put(p, NULL);
	g_assert_cmpuint(bufpool_in_use(p), ==, 0);
	g_assert_cmpuint(bufpool_kept(p), ==, 12288);
	a = bufpool_get(p, BUF_MAX);
	g_assert_cmpuint(a->size, ==, BUF_MAX);
	bufpool_put(p, a);
#if SANITIZED_ADDRESS
	/* What was not asked for, and what was given back, is nobody's. */
	a = bufpool_get(p, 5000);
	g_assert_false(__asan_address_is_poisoned(a->data + 4999));
	g_assert_true(__asan_address_is_poisoned(a->data + 5000));
	was = a->data;
	bufpool_put(p, a);
	g_assert_true(__asan_address_is_poisoned(was));
#endif
}

/* Parts of slabs: none is a part of two buffers, and what is given back comes together again. */
static void use_slabs(void *arg)
{
	enum { N = 200 };
	struct bufpool *p = reactor_pool(arg);
	struct buf *held[N] = { NULL };
	size_t sum = 0;

	for (unsigned i = 0; i < 20000; i++) {
		unsigned at = (unsigned)g_test_rand_int_range(0, N);
		struct buf *b = held[at];

		if (b) {
			sum -= b->size;
			for (size_t off = 0; off < b->size; off += 4096)
				g_assert_cmpuint(b->data[off], ==, at);
			bufpool_put(p, b);
			held[at] = NULL;
		} else {
			size_t size = (size_t)1 << g_test_rand_int_range(12, 22);

			b = held[at] = bufpool_get_data(p, size);
			g_assert_cmpuint(b->size, ==, size);
			g_assert_cmpuint((uintptr_t)b->data % 4096, ==, 0);
			for (size_t off = 0; off < size; off += 4096)
				b->data[off] = (uint8_t)at;
			sum += size;
		}
		g_assert_cmpuint(bufpool_in_use(p), ==, sum);
	}
	for (unsigned i = 0; i < N; i++)
		bufpool_put(p, held[i]);
	g_assert_cmpuint(bufpool_in_use(p), ==, 0);
	g_assert_cmpuint(bufpool_kept(p), >, 0);
	g_assert_cmpuint(bufpool_kept(p), <=, 64 << 20);
	/* One piece of 2 MiB fits again where many small ones were. */
	sum = bufpool_kept(p);
	held[0] = bufpool_get_data(p, 2 << 20);
	g_assert_cmpuint(bufpool_kept(p), ==, sum - (2 << 20));
	bufpool_put(p, held[0]);
	/* What nobody has used between two looks goes back. */
	bufpool_trim(p);
	bufpool_trim(p);
	g_assert_cmpuint(bufpool_kept(p), ==, 0);
}

/* Of AddressSanitizer's allocator nothing is known. */
static bool is_in_memory(uint8_t *data)
{
	unsigned char is = 0;

#if !SANITIZED_ADDRESS
	g_assert_cmpint(mincore(data, 4096, &is), ==, 0);
#endif
	return is & 1;
}

/* One part of each slab is held, and the rest is no longer in use: nor in memory, but for what is kept. */
static void hold_parts(void *arg)
{
	enum { N = 64, EACH = 64, PART = 32 << 10 };
	struct bufpool *p = reactor_pool(arg);
	struct buf **all = g_new(struct buf *, N * EACH);
	unsigned there = 0;

	for (unsigned i = 0; i < N * EACH; i++) {
		all[i] = bufpool_get_data(p, PART);
		memset(all[i]->data, 1, PART);
	}
	for (unsigned i = 0; i < N * EACH; i++) {
		uint8_t *data = all[i]->data;

		if (i % EACH == EACH / 2)
			continue;
		bufpool_put(p, all[i]);
		there += is_in_memory(data);
	}
	g_assert_cmpuint(there, <=, (32 << 20) / PART);
	for (unsigned i = EACH / 2; i < N * EACH; i += EACH) {
		for (unsigned at = 0; at < PART; at++)
			g_assert_cmpuint(all[i]->data[at], ==, 1);
		bufpool_put(p, all[i]);
	}
	bufpool_trim(p);
	bufpool_trim(p);
	g_assert_cmpuint(bufpool_kept(p), ==, 0);
	g_free(all);
}

static void test_bufpool(void)
{
	reactor_call(engine->reactors[1], hold_parts, engine->reactors[1]);
	reactor_call(engine->reactors[1], use_pool, engine->reactors[1]);
	reactor_call(engine->reactors[1], use_slabs, engine->reactors[1]);
}

static void test_log_quote(void)
{
	char buf[16];

	g_assert_cmpstr(log_quote(buf, sizeof buf, "a\nb", 3), ==, "a\\x0ab");
	g_assert_cmpstr(log_quote(buf, sizeof buf, "0123456789abcdefgh", 18), ==, "0123456789ab...");
	g_assert_cmpint(log_level_parse("debug"), ==, GOTGT_LOG_DEBUG);
	g_assert_cmpint(log_level_parse("loud"), ==, -1);
}

/* ---- an engine's threads in a program that is not ours ---- */

static void keep_lines(enum gotgt_log_level level, const char *line, void *data)
{
	g_string_append_printf(data, "%d %s\n", level, line);
}

static void say(void *arg)
{
	log_info("%s", (const char *)arg);
	log_warning("%s", (const char *)arg);
}

struct said {
	struct work work;
	gint done;
};

static void say_work(struct work *w)
{
	struct said *s = container_of(w, struct said, work);

	log_warning("at work");
	g_atomic_int_set(&s->done, 1);
}

/* Lines go to the log of who made the engine, whatever thread of it has something to say. */
static void test_logs(void)
{
	g_autoptr(GString) lines_a = g_string_new(NULL), lines_b = g_string_new(NULL);
	struct log a = { keep_lines, lines_a, LOG_LEVELS(GOTGT_LOG_INFO), NULL };
	struct log b = { keep_lines, lines_b, LOG_LEVELS(GOTGT_LOG_WARNING), NULL };
	struct engine *of_a, *of_b;
	struct said said = { .work.run = say_work };

	g_assert_null(log_enter(&a));
	of_a = engine_new(1, 1, NULL);
	g_assert_true(log_enter(&b) == &a);
	of_b = engine_new(1, 1, NULL);
	log_enter(NULL);
	reactor_call(of_a->reactors[0], say, (void *)"one");
	reactor_call(of_b->reactors[0], say, (void *)"two");
	workers_push(of_b->workers, &said.work, NULL);
	engine_free(of_b);
	engine_free(of_a);
	g_assert_true(g_atomic_int_get(&said.done));
	g_assert_cmpstr(lines_a->str, ==, "2 one\n1 one\n");
	g_assert_cmpstr(lines_b->str, ==, "1 two\n1 at work\n");
}

static void look_at_mask(void *arg)
{
	pthread_sigmask(SIG_BLOCK, NULL, arg);
}

static void test_signals(void)
{
	sigset_t before, after, theirs;

	look_at_mask(&before);
	reactor_call(engine->reactors[0], look_at_mask, &theirs);
	look_at_mask(&after);
	for (int n = 1; n < 32; n++) {
		bool fault = n == SIGSEGV || n == SIGBUS || n == SIGFPE || n == SIGILL || n == SIGTRAP || n == SIGABRT ||
			     n == SIGSYS || n == SIGKILL || n == SIGSTOP;

		g_assert_cmpint(sigismember(&theirs, n), ==, !fault);
		g_assert_cmpint(sigismember(&after, n), ==, sigismember(&before, n));
	}
}

struct block {
	struct post post;
	GMutex lock;
};

static void block_run(struct post *p)
{
	struct block *b = container_of(p, struct block, post);

	g_mutex_lock(&b->lock);
	g_mutex_unlock(&b->lock);
}

/* One reactor of two that hangs is seen, and that it goes on. */
static void test_pulse(void)
{
	struct block b = { .post.run = block_run };

	g_mutex_init(&b.lock);
	g_assert_true(engine_pulse(engine));
	reactor_call(engine->reactors[0], nothing, NULL);
	reactor_call(engine->reactors[1], nothing, NULL);
	g_assert_true(engine_pulse(engine));
	reactor_call(engine->reactors[0], nothing, NULL);
	reactor_call(engine->reactors[1], nothing, NULL);
	g_mutex_lock(&b.lock);
	reactor_post(engine->reactors[1], &b.post);
	g_assert_true(engine_pulse(engine));
	reactor_call(engine->reactors[0], nothing, NULL);
	for (int i = 0; i < 3; i++)
		g_assert_false(engine_pulse(engine));
	g_mutex_unlock(&b.lock);
	reactor_call(engine->reactors[0], nothing, NULL);
	reactor_call(engine->reactors[1], nothing, NULL);
	g_assert_true(engine_pulse(engine));
	g_mutex_clear(&b.lock);
}

static void cpu_clock(void *arg)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	*(gint64 *)arg = (gint64)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* It looks only while that pays: between the two readings it slept, but for one look before. */
static void test_poll(void)
{
	struct reactor *r = engine->reactors[0];
	gint64 before, after;

	reactor_set_poll(r, 10000);
	for (int i = 0; i < 1000; i++)
		reactor_call(r, cpu_clock, &before);
	g_usleep(150000);
	reactor_call(r, cpu_clock, &after);
	g_assert_cmpint(after - before, <, 75000);
	reactor_set_poll(r, 0);
}

int main(int argc, char **argv)
{
	int rc;

	g_test_init(&argc, &argv, NULL);
	engine = engine_new(2, 4, NULL);
	g_test_add_func("/engine/workers-and-posts", test_workers_and_posts);
	g_test_add_func("/engine/narrow-gate", test_narrow_gate);
	g_test_add_func("/engine/gates", test_gates);
	g_test_add_func("/engine/posts-in-order", test_posts_in_order);
	g_test_add_func("/engine/timers", test_timers);
	g_test_add_func("/engine/unwatch-in-batch", test_unwatch_in_batch);
	g_test_add_func("/engine/bufpool", test_bufpool);
	g_test_add_func("/engine/pulse", test_pulse);
	g_test_add_func("/log/quote", test_log_quote);
	g_test_add_func("/engine/logs", test_logs);
	g_test_add_func("/engine/signals", test_signals);
	g_test_add_func("/engine/poll", test_poll);
	rc = g_test_run();
	engine_free(engine);
	return rc;
}
