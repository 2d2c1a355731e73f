/* SPDX-License-Identifier: Apache-2.0 */
/* Devices that say which threads call them: GOTGT_DEV_LATER, gotgt.threads/1, GOTGT_DEV_ONE_WRITER. */
#include "config.h"
#include <sys/eventfd.h>
#include <unistd.h>
#include <gotgt/ext-threads.h>
#include "device-rig.h"

/* A device that says GOTGT_DEV_LATER is not waited for, and what it could not do comes again, on a worker. */
static void test_later(void)
{
	uint8_t data[512];
	struct device *dev;
	struct req q;

	fake.info.flags |= GOTGT_DEV_LATER;
	fake.mode = FAKE_ASYNC;
	dev = open_fake(GOTGT_PLUGIN_BLOCKING | GOTGT_PLUGIN_NOWAIT);
	req_init(&q, dev, GOTGT_OP_READ, 0, data, sizeof data);
	reactor_call(q.dio.reactor, req_try, &q);
	g_assert_false(q.tried);
	g_assert_cmpuint(fake.n_calls, ==, 0);
	g_assert_cmpint(do_io(dev, GOTGT_OP_READ, 0, 0, data, sizeof data), ==, GOTGT_OK);
	g_assert_cmpuint(fake.n_calls, ==, 1);
	expect_call(0, GOTGT_OP_READ, GOTGT_IO_NOWAIT, 0, 512);
	g_assert_true(fake.calls[0].on_reactor);
	fake.miss = true;
	req_init(&q, dev, GOTGT_OP_WRITE, 512, data, sizeof data);
	req_start(&q);
	g_assert_cmpint(req_wait(&q), ==, GOTGT_OK);
	g_assert_cmpuint(fake.n_calls, ==, 3);
	expect_call(1, GOTGT_OP_WRITE, GOTGT_IO_NOWAIT, 512, 512);
	expect_call(2, GOTGT_OP_WRITE, 0, 512, 512);
	g_assert_false(fake.calls[2].on_reactor);
	fake.miss = false;
	fake.mode = FAKE_SYNC;
	device_close(dev);
}

/* GOTGT_DEV_ONE_WRITER: plain writes one at a time, and all else as ever. */
static void test_one_writer(void)
{
	static const struct { uint32_t dev_flags, op, flags; bool one; } cases[] = {
		{ GOTGT_DEV_ONE_WRITER, GOTGT_OP_WRITE, 0, true },
		{ GOTGT_DEV_ONE_WRITER, GOTGT_OP_WRITE, GOTGT_IO_FUA, false },
		{ GOTGT_DEV_ONE_WRITER, GOTGT_OP_READ, 0, false },
		{ 0, GOTGT_OP_WRITE, 0, false },
	};
	static struct req all[16];
	static uint8_t data[G_N_ELEMENTS(all)][512];

	for (size_t c = 0; c < G_N_ELEMENTS(cases); c++) {
		struct device *dev;

		fake_reset();
		fake.info.flags |= cases[c].dev_flags;
		fake.info.native_fua = 1;
		fake.takes_us = 10000;
		dev = open_fake(GOTGT_PLUGIN_BLOCKING);
		for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
			req_init(&all[i], dev, cases[c].op, i * 512, memset(data[i], (int)i, 512), 512);
			all[i].dio.io.flags = cases[c].flags;
			req_start(&all[i]);
		}
		for (unsigned i = 0; i < G_N_ELEMENTS(all); i++)
			g_assert_cmpint(req_wait(&all[i]), ==, GOTGT_OK);
		g_assert_cmpmem(data, sizeof data, fake.bytes, sizeof data);
		g_assert_true((fake.most_in_submit == 1) == cases[c].one);
		fake.takes_us = 0;
		device_close(dev);
	}
}

/* It is not closed before submit() has returned, whatever was asked. */
static void test_close_waits(void)
{
	static const uint32_t ops[] = { GOTGT_OP_WRITE, GOTGT_OP_READ };
	uint8_t data[512] = { 0 };

	for (unsigned i = 0; i < G_N_ELEMENTS(ops); i++) {
		struct device *dev;

		fake_reset();
		fake.info.flags |= GOTGT_DEV_ONE_WRITER;
		fake.stays_us = 50000;
		dev = open_fake(GOTGT_PLUGIN_BLOCKING);
		g_assert_cmpint(do_io(dev, ops[i], 0, 0, data, sizeof data), ==, GOTGT_OK);
		fake.info.flags = 0;
		device_close(dev);
		g_assert_cmpuint(fake.n_closed, ==, 1);
		fake.stays_us = 0;
	}
}

/* ---- gotgt.threads/1 ---- */

static struct watched {
	int fd;
	void *watch;
	struct reactor *reactor;
	atomic_uint n_ready;
} watched[2];
static unsigned n_watched;

static void on_ready(void *arg)
{
	struct watched *w = arg;
	uint64_t n;

	g_assert_true(reactor_self() == w->reactor);
	g_assert_cmpint(read(w->fd, &n, sizeof n), ==, sizeof n);
	atomic_fetch_add(&w->n_ready, 1);
}

static void watch_one(void *threads)
{
	struct watched *w = &watched[n_watched++];

	w->reactor = reactor_self();
	w->watch = ((const struct gotgt_threads *)threads)->watch(w->fd, on_ready, w);
	g_assert_nonnull(w->watch);
}

static void unwatch_one(void *threads)
{
	for (size_t i = 0; i < G_N_ELEMENTS(watched); i++)
		if (watched[i].reactor == reactor_self())
			((const struct gotgt_threads *)threads)->unwatch(watched[i].watch);
}

static void test_threads(void)
{
	const struct gotgt_threads *threads = device_host.extension(GOTGT_EXT_THREADS);
	struct device *dev = open_fake(0);
	struct gotgt_lun *lun = fake.lun;
	static const uint64_t one = 1;

	g_assert_null(device_host.extension("com.example.none/1"));
	g_assert_null(threads->watch(0, on_ready, NULL));
	n_watched = 0;
	for (size_t i = 0; i < G_N_ELEMENTS(watched); i++)
		watched[i] = (struct watched){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	threads->each(lun, watch_one, (void *)threads);
	g_assert_cmpuint(n_watched, ==, engine->n_reactors);
	g_assert_true(watched[0].reactor != watched[1].reactor);
	for (unsigned times = 1; times <= 3; times++)
		for (unsigned i = 0; i < n_watched; i++) {
			g_assert_cmpint(write(watched[i].fd, &one, sizeof one), ==, sizeof one);
			while (atomic_load(&watched[i].n_ready) < times)
				g_thread_yield();
		}
	threads->each(lun, unwatch_one, (void *)threads);
	for (unsigned i = 0; i < n_watched; i++) {
		g_assert_cmpint(write(watched[i].fd, &one, sizeof one), ==, sizeof one);
		g_usleep(1000);
		g_assert_cmpuint(atomic_load(&watched[i].n_ready), ==, 3);
		close(watched[i].fd);
	}
	device_close(dev);
}

int main(int argc, char **argv)
{
	static const struct device_test tests[] = {
		{ "/device-later/answer", test_later },
		{ "/device-later/threads", test_threads },
		{ "/device-later/one-writer", test_one_writer },
		{ "/device-later/close-waits", test_close_waits },
	};

	return device_rig_main(argc, argv, tests, G_N_ELEMENTS(tests));
}
