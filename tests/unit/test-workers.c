/* SPDX-License-Identifier: Apache-2.0 */
/* Workers that look for more before they sleep.  Gates, and threads that cannot be had: test-engine.c. */
#include "config.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>
#include "engine/reactor.h"
#include "engine/workers.h"

#define LOOK_US 10000u

struct piece {
	struct work work;
	unsigned in, out;		/* not atomic: what a thread is handed it has to see, and its answer has to be seen */
	atomic_uint *done;
};

static void run_piece(struct work *w)
{
	struct piece *p = container_of(w, struct piece, work);

	p->out = p->in + 1;
	atomic_fetch_add_explicit(p->done, 1, memory_order_release);
}

static void push(struct workers *w, struct piece *p, atomic_uint *done, unsigned in)
{
	*p = (struct piece){ .work.run = run_piece, .in = in, .done = done };
	workers_push(w, &p->work, NULL);
}

/* Without sleeping: who waits here is not to be counted among those who sleep. */
static void until(atomic_uint *done, unsigned n)
{
	while (atomic_load_explicit(done, memory_order_acquire) < n)
		sched_yield();
}

static void spin_us(gint64 us)
{
	for (gint64 end = g_get_monotonic_time() + us; g_get_monotonic_time() < end;)
		sched_yield();
}

/* How often a thread of this process slept. */
static long n_sleeps(void)
{
	struct rusage u;

	g_assert_cmpint(getrusage(RUSAGE_SELF, &u), ==, 0);
	return u.ru_nvcsw;
}

static gint64 cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (gint64)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void one_by_one(struct workers *w, unsigned n)
{
	atomic_uint done = 0;

	for (unsigned i = 0; i < n; i++) {
		struct piece p;

		push(w, &p, &done, i);
		until(&done, i + 1);
		g_assert_cmpuint(p.out, ==, i + 1);
		spin_us(20);
	}
}

/* What comes soon is looked for, and nobody needs to be woken for it; when nothing comes they sleep. */
static void test_looks(void)
{
	enum { N = 500 };
	struct workers *w = workers_new(4);
	long before, asleep, looking;
	gint64 cpu;

	one_by_one(w, N);		/* the threads there may be are there */
	before = n_sleeps();
	one_by_one(w, N);
	asleep = n_sleeps() - before;
	workers_set_look(w, LOOK_US);
	one_by_one(w, N);
	before = n_sleeps();
	one_by_one(w, N);
	looking = n_sleeps() - before;
	g_test_message("asleep %ld times in %d, %ld when they look", asleep, N, looking);
	g_assert_cmpint(asleep, >, N / 2);
	g_assert_cmpint(looking, <, asleep / 2);

	/* One look is due, and no other. */
	cpu = cpu_us();
	g_usleep(15 * LOOK_US);
	g_assert_cmpint(cpu_us() - cpu, <, 15 * LOOK_US / 2);
	/* What comes after a long sleep does not begin a look. */
	one_by_one(w, 1);
	g_usleep(5 * LOOK_US);
	cpu = cpu_us();
	one_by_one(w, 1);
	g_usleep(LOOK_US * 5);
	g_assert_cmpint(cpu_us() - cpu, <, LOOK_US / 2);

	workers_set_look(w, 0);
	one_by_one(w, N);
	before = n_sleeps();
	one_by_one(w, N);
	g_assert_cmpint(n_sleeps() - before, >, N / 2);
	workers_free(w);
}

struct side {
	pthread_t thread;
	struct workers *workers;
	GRand *rand;
	unsigned sum;
};

/* Some at once, and then none for a while: sometimes as long as they look, and a little more or less. */
static void *bursts(void *arg)
{
	struct side *s = arg;

	for (unsigned round = 0; round < 600; round++) {
		struct piece pieces[16];
		unsigned n = (unsigned)g_rand_int_range(s->rand, 1, G_N_ELEMENTS(pieces) + 1);
		atomic_uint done = 0;

		for (unsigned i = 0; i < n; i++)
			push(s->workers, &pieces[i], &done, round + i);
		until(&done, n);
		for (unsigned i = 0; i < n; i++)
			s->sum += pieces[i].out != round + i + 1;
		spin_us(g_rand_int_range(s->rand, 0, 60));
	}
	return NULL;
}

/* Whatever the distance, all is done, without anything behind it that would wake somebody. */
static void test_bursts(void)
{
	static const unsigned look_us[] = { 1, 5, 20, 50, LOOK_US };

	for (unsigned l = 0; l < G_N_ELEMENTS(look_us); l++)
		for (unsigned n = 1; n <= 3; n += 2) {
			struct side sides[3] = { { .workers = NULL } };
			struct workers *w = workers_new(2);

			workers_set_look(w, look_us[l]);
			for (unsigned i = 0; i < n; i++) {
				sides[i].workers = w;
				sides[i].rand = g_rand_new_with_seed(g_test_rand_int());
				g_assert_cmpint(pthread_create(&sides[i].thread, NULL, bursts, &sides[i]), ==, 0);
			}
			for (unsigned i = 0; i < n; i++) {
				pthread_join(sides[i].thread, NULL);
				g_rand_free(sides[i].rand);
				g_assert_cmpuint(sides[i].sum, ==, 0);
			}
			workers_free(w);
		}
}

/* At the end what is queued is run, whoever looks at that time. */
static void test_end(void)
{
	for (unsigned round = 0; round < 300; round++) {
		struct workers *w = workers_new(1);
		struct piece pieces[8];
		atomic_uint done = 0;

		workers_set_look(w, LOOK_US);
		one_by_one(w, 3);
		for (unsigned i = 0; i < round % (G_N_ELEMENTS(pieces) + 1); i++)
			push(w, &pieces[i], &done, i);
		workers_free(w);
		g_assert_cmpuint(atomic_load(&done), ==, round % (G_N_ELEMENTS(pieces) + 1));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/workers/looks", test_looks);
	g_test_add_func("/workers/bursts", test_bursts);
	g_test_add_func("/workers/end", test_end);
	return g_test_run();
}
