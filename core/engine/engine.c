/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c - start and stop the threads of one server. */
#include "config.h"
#include <sched.h>
#include "engine/engine.h"
#include "engine/log.h"

#define LOG_DOMAIN LOGD_ENGINE

#define WORKERS_DEFAULT 8

static unsigned usable_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

struct engine *engine_new(unsigned n_reactors, unsigned n_workers, GError **error)
{
	struct engine *e = g_new0(struct engine, 1);

	e->log = log_entered();
	if (!n_reactors)
		n_reactors = usable_cpus();
	n_reactors = CLAMP(n_reactors, 1, ENGINE_REACTORS_MAX);
	e->workers = workers_new(n_workers ? n_workers : WORKERS_DEFAULT);
	for (unsigned i = 0; i < n_reactors; i++) {
		struct reactor *r = reactor_new(i, error);

		if (r)
			e->reactors[e->n_reactors++] = r;
		if (!r || !reactor_start(r, error)) {
			engine_free(e);
			return NULL;
		}
	}
	return e;
}

void engine_free(struct engine *e)
{
	for (unsigned i = 0; i < e->n_reactors; i++)
		reactor_stop(e->reactors[i]);
	if (e->n_left) {
		log_error("%u devices do not answer: their threads are left behind", e->n_left);
		return;
	}
	workers_free(e->workers);
	for (unsigned i = 0; i < e->n_reactors; i++)
		reactor_free(e->reactors[i]);
	g_free(e->state_dir);
	g_free(e);
}

struct each {
	void (*fn)(struct reactor *r, void *arg);
	void *arg;
	struct reactor *reactor;
};

static void each_run(void *arg)
{
	struct each *each = arg;

	each->fn(each->reactor, each->arg);
}

void engine_each(struct engine *e, void (*fn)(struct reactor *r, void *arg), void *arg)
{
	for (unsigned i = 0; i < e->n_reactors; i++) {
		struct each each = { fn, arg, e->reactors[i] };

		reactor_call(e->reactors[i], each_run, &each);
	}
}
