/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "engine/log.h"
#include "device-rig.h"

struct engine *engine;

/* ---- the log, kept ---- */

static pthread_mutex_t log_lock;
static GString *logged;

static void keep_line(enum gotgt_log_level level, const char *line, void *data)
{
	pthread_mutex_lock(&log_lock);
	g_string_append_printf(logged, "%s\n", line);
	pthread_mutex_unlock(&log_lock);
}

void assert_logged(const char *all)
{
	pthread_mutex_lock(&log_lock);
	g_assert_cmpstr(logged->str, ==, all);
	pthread_mutex_unlock(&log_lock);
}

/* ---- one request, from this thread ---- */

static void req_done(struct device_io *dio, enum gotgt_status status)
{
	struct req *q = container_of(dio, struct req, dio);

	g_assert_true(reactor_self() == dio->reactor);
	pthread_mutex_lock(&q->lock);
	q->n_done++;
	q->status = status;
	pthread_cond_signal(&q->cond);
	pthread_mutex_unlock(&q->lock);
}

void req_submit(void *arg)
{
	struct req *q = arg;

	device_submit(q->dev, &q->dio);
}

void req_try(void *arg)
{
	struct req *q = arg;

	q->tried = device_try(q->dev, &q->dio);
}

void req_cancel(void *arg)
{
	struct req *q = arg;

	device_cancel(q->dev, &q->dio);
	g_assert_cmpuint(q->n_done, ==, 0);
}

void req_init(struct req *q, struct device *dev, uint32_t op, uint64_t offset, void *data, size_t length)
{
	memset(q, 0x5a, sizeof *q);	/* nothing but the first block has to be set */
	memset(&q->lock, 0, sizeof q->lock);
	memset(&q->cond, 0, sizeof q->cond);
	q->n_done = 0;
	q->dev = dev;
	q->iov[0] = (struct iovec){ data, length };
	memset(&q->dio.io, 0, sizeof q->dio.io);
	q->dio.io.op = op;
	q->dio.io.offset = offset;
	q->dio.io.length = length;
	q->dio.io.iov = q->iov;
	q->dio.io.iovcnt = data ? 1 : 0;
	q->dio.reactor = engine->reactors[0];
	q->dio.done = req_done;
}

void req_start(struct req *q)
{
	reactor_call(q->dio.reactor, req_submit, q);
}

enum gotgt_status req_wait(struct req *q)
{
	pthread_mutex_lock(&q->lock);
	while (!q->n_done)
		pthread_cond_wait(&q->cond, &q->lock);
	pthread_mutex_unlock(&q->lock);
	g_assert_cmpuint(q->n_done, ==, 1);
	return q->status;
}

enum gotgt_status do_io(struct device *dev, uint32_t op, uint32_t flags, uint64_t offset, void *data, size_t length)
{
	struct req q;

	req_init(&q, dev, op, offset, data, length);
	q.dio.io.flags = flags;
	req_start(&q);
	return req_wait(&q);
}

enum gotgt_status do_same(struct device *dev, uint64_t offset, uint64_t length, const void *pattern, uint32_t len)
{
	struct req q;

	req_init(&q, dev, DEVICE_OP_WRITE_SAME, offset, NULL, length);
	q.dio.pattern = pattern;
	q.dio.pattern_len = len;
	req_start(&q);
	return req_wait(&q);
}

struct device *open_fake(uint32_t flags)
{
	g_autoptr(GError) error = NULL;
	struct device *dev = device_open(engine, fake_module(flags, 64), "lun 0", NULL, false, &error);

	g_assert_no_error(error);
	return dev;
}

void expect_call(unsigned n, uint32_t op, uint32_t flags, uint64_t offset, uint64_t length)
{
	g_assert_cmpuint(n, <, fake.n_calls);
	g_assert_cmpuint(fake.calls[n].op, ==, op);
	g_assert_cmpuint(fake.calls[n].flags, ==, flags);
	g_assert_cmpuint(fake.calls[n].offset, ==, offset);
	g_assert_cmpuint(fake.calls[n].length, ==, length);
}

bool all_are(const uint8_t *at, size_t n, uint8_t value)
{
	while (n--)
		if (*at++ != value)
			return false;
	return true;
}

/* ---- main ---- */

static void run_fresh(gconstpointer data)
{
	const struct device_test *t = data;

	fake_reset();
	g_string_truncate(logged, 0);
	t->test();
}

int device_rig_main(int argc, char **argv, const struct device_test *tests, size_t n)
{
	int rc;

	g_test_init(&argc, &argv, NULL);
	logged = g_string_new(NULL);
	log_set_sink(keep_line, NULL);
	engine = engine_new(2, 4, NULL);
	for (size_t i = 0; i < n; i++)
		g_test_add_data_func(tests[i].path, &tests[i], run_fresh);
	rc = g_test_run();
	engine_free(engine);
	fake_stop();
	g_string_free(logged, TRUE);
	return rc;
}
