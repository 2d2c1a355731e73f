/* SPDX-License-Identifier: Apache-2.0 */
/* threads.c - "gotgt.threads/1": the reactors, for plugins that wait on descriptors. */
#include "config.h"
#include <gotgt/ext-threads.h>
#include "backstore/device-internal.h"

struct run { gotgt_thread_fn *run; void *arg; };
struct plugin_watch { struct watch watch; struct run ready; };

static void run_one(struct reactor *r, void *arg)
{
	const struct run *run = arg;

	request_call(run->run, run->arg);
}

static void each(struct gotgt_lun *lun, gotgt_thread_fn *run, void *arg)
{
	engine_each(device_of(lun)->engine, run_one, &(struct run){ run, arg });
}

static void is_ready(struct watch *w, uint32_t events)
{
	struct plugin_watch *p = container_of(w, struct plugin_watch, watch);

	request_call(p->ready.run, p->ready.arg);
}

static void *watch(int fd, gotgt_thread_fn *ready, void *arg)
{
	struct reactor *r = reactor_self();
	struct plugin_watch *p = r ? g_new(struct plugin_watch, 1) : NULL;

	if (!p)
		return NULL;
	*p = (struct plugin_watch){ .watch = { fd, is_ready }, .ready = { ready, arg } };
	if (reactor_watch(r, &p->watch, EPOLLIN) == 0)
		return p;
	g_free(p);
	return NULL;
}

static void unwatch(void *watch)
{
	struct plugin_watch *p = watch;

	reactor_unwatch(reactor_self(), &p->watch);
	g_free(p);
}

const struct gotgt_threads device_threads = {
	.size = sizeof device_threads, .each = each, .watch = watch, .unwatch = unwatch,
};
