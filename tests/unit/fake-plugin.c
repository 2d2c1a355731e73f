/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include <pthread.h>
#include <errno.h>
#include <string.h>
#include "fake-plugin.h"

struct fake fake;
static struct gotgt_io *held[64];

/* FAKE_ASYNC's thread and what it has to do. */
static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	GQueue ios;
	bool started, stopping;
} async = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

struct fake_conf {
	const char *path;
	int readonly;
};

static const struct gotgt_param params[] = {
	{ "path", GOTGT_PARAM_STRING, GOTGT_PARAM_PATH, offsetof(struct fake_conf, path), NULL, "Path" },
	{ "readonly", GOTGT_PARAM_BOOL, 0, offsetof(struct fake_conf, readonly), "no", "Refuse writes" },
	{ NULL },
};

static int fake_open(struct gotgt_lun *lun, const void *conf, struct gotgt_dev_info *info, void **dev)
{
	fake.lun = lun;
	fake.opened_read_only = ((const struct fake_conf *)conf)->readonly;
	if (fake.open_line)
		device_host.log(lun, GOTGT_LOG_ERROR, "%s", fake.open_line);
	*info = fake.info;
	*dev = &fake;
	return fake.open_result;
}

static void fake_close(void *dev)
{
	pthread_mutex_lock(&fake.lock);
	g_assert_cmpuint(fake.n_inside, ==, 0);
	pthread_mutex_unlock(&fake.lock);
	fake.n_closed++;
}

static void move_bytes(const struct gotgt_io *io)
{
	uint8_t *at = fake.bytes + io->offset;

	g_assert_cmpuint(io->offset + io->length, <=, FAKE_BYTES);
	if (io->op == GOTGT_OP_ZERO || io->op == GOTGT_OP_UNMAP)
		memset(at, 0, io->length);
	for (uint32_t i = 0; i < io->iovcnt; at += io->iov[i].iov_len, i++)
		if (io->op == GOTGT_OP_READ)
			memcpy(io->iov[i].iov_base, at, io->iov[i].iov_len);
		else
			memcpy(at, io->iov[i].iov_base, io->iov[i].iov_len);
	if (io->op <= GOTGT_OP_WRITE)
		g_assert_true(at == fake.bytes + io->offset + io->length);
}

static enum gotgt_status perform(const struct gotgt_io *io)
{
	if (fake.unsupported & GOTGT_OP_BIT(io->op))
		return GOTGT_ERR_UNSUPPORTED;
	if (io->flags & GOTGT_IO_NOWAIT && fake.miss)
		return GOTGT_ERR_AGAIN;
	if (fake.fail_with)
		return fake.fail_with;
	move_bytes(io);
	return GOTGT_OK;
}

static void *answer_thread(void *arg)
{
	pthread_mutex_lock(&async.lock);
	while (!async.stopping) {
		struct gotgt_io *io = g_queue_pop_head(&async.ios);

		if (!io) {
			pthread_cond_wait(&async.more, &async.lock);
			continue;
		}
		pthread_mutex_unlock(&async.lock);
		device_host.io_done(io, perform(io));
		pthread_mutex_lock(&async.lock);
	}
	pthread_mutex_unlock(&async.lock);
	return NULL;
}

static void answer_later(struct gotgt_io *io)
{
	pthread_mutex_lock(&async.lock);
	g_queue_push_tail(&async.ios, io);
	pthread_cond_signal(&async.more);
	pthread_mutex_unlock(&async.lock);
}

static void write_down(const struct gotgt_io *io)
{
	pthread_mutex_lock(&fake.lock);
	g_assert_cmpuint(fake.n_calls, <, FAKE_CALLS);
	fake.calls[fake.n_calls++] = (struct fake_call){
		.op = io->op, .flags = io->flags, .iovcnt = io->iovcnt, .offset = io->offset, .length = io->length,
		.on_reactor = reactor_self() != NULL,
	};
	fake.n_inside++;
	fake.in_submit++;
	fake.most_in_submit = MAX(fake.most_in_submit, fake.in_submit);
	pthread_mutex_unlock(&fake.lock);
}

static void fake_submit(void *dev, struct gotgt_io *io)
{
	enum gotgt_status status;

	write_down(io);
	if (fake.keeps)
		fake.kept = io;
	switch (fake.mode) {
	case FAKE_ASYNC:
		answer_later(io);
		break;
	case FAKE_HOLD:
		pthread_mutex_lock(&fake.lock);
		held[fake.n_held++] = io;
		pthread_mutex_unlock(&fake.lock);
		break;
	default:
		g_usleep(fake.takes_us);
		status = perform(io);
		/* As big as asked for, and ours. */
		memset(io->priv, 0xa5, 64);
		pthread_mutex_lock(&fake.lock);
		fake.in_submit--;
		pthread_mutex_unlock(&fake.lock);
		if (fake.mode == FAKE_SPOILS) {
			io->op = 77;
			io->flags = ~0u;
			io->length = io->iovcnt = 0;
			io->iov = NULL;
		}
		device_host.io_done(io, status);
		if (fake.mode == FAKE_TWICE)
			device_host.io_done(io, GOTGT_ERR_IO);
		g_usleep(fake.stays_us);
	}
	pthread_mutex_lock(&fake.lock);
	fake.n_inside--;
	pthread_mutex_unlock(&fake.lock);
}

static void fake_cancel(void *dev, struct gotgt_io *io)
{
	bool found = false;

	pthread_mutex_lock(&fake.lock);
	for (unsigned i = 0; i < fake.n_held && !found; i++)
		if (held[i] == io) {
			held[i] = held[--fake.n_held];
			fake.n_canceled++;
			found = true;
		}
	pthread_mutex_unlock(&fake.lock);
	if (found)
		device_host.io_done(io, GOTGT_ERR_CANCELED);
}

static uint32_t fake_lend(void *dev, uint64_t offset, uint64_t length, int write, struct iovec *iov, uint32_t iovmax)
{
	iov[0] = (struct iovec){ fake.bytes + offset, length };
	return 1;
}

static void fake_reclaim(void *dev, const struct iovec *iov, uint32_t iovcnt)
{
	fake.n_reclaimed += iovcnt;
}

static enum gotgt_status fake_check(void *dev)
{
	fake.n_checks++;
	return fake.check_status;
}

/* The first half is allocated; the third extent asked for never comes. */
static enum gotgt_status fake_extents(void *dev, uint64_t offset, uint64_t length, struct gotgt_extent *extents,
				      uint32_t max, uint32_t *count)
{
	extents[0] = (struct gotgt_extent){ .length = length / 2, .state = GOTGT_EXTENT_ALLOCATED };
	extents[1] = (struct gotgt_extent){ .length = length / 2, .state = GOTGT_EXTENT_HOLE };
	*count = MIN(max, 2);
	return fake.fail_with;
}

static void fake_look(void *dev)
{
	if (fake.size_seen)
		device_host.resized(fake.lun, fake.size_seen);
}

static enum gotgt_status fake_copy(void *from, uint64_t from_offset, void *to, uint64_t to_offset, uint64_t length,
				   uint64_t *copied)
{
	g_assert_null(reactor_self());
	fake.n_copied++;
	if (!fake.copy_max || !fake.copy_left)
		return GOTGT_ERR_UNSUPPORTED;
	fake.copy_left--;
	*copied = MIN(length, fake.copy_max);
	memcpy(fake.bytes + to_offset, fake.bytes + from_offset, *copied);
	return GOTGT_OK;
}

static enum gotgt_status fake_compare(void *dev, uint64_t offset, uint64_t length, const void *expected,
				      const void *data, uint64_t *same)
{
	uint8_t *at = fake.bytes + offset;

	g_assert_null(reactor_self());
	fake.n_compared++;
	if (fake.no_compare || fake.fail_with)
		return fake.no_compare ? GOTGT_ERR_UNSUPPORTED : fake.fail_with;
	while (*same < length && at[*same] == ((const uint8_t *)expected)[*same])
		++*same;
	if (*same == length)
		memcpy(at, data, length);
	if (fake.lies_same)
		*same = fake.lies_same;
	return GOTGT_OK;
}

static const void *fake_extension(const char *id)
{
	static const struct gotgt_memory memory = { .size = sizeof memory, .lend = fake_lend, .reclaim = fake_reclaim,
						    .check = fake_check };
	static const struct gotgt_extents extents = { .size = sizeof extents, .query = fake_extents };

	static const struct gotgt_copy copy = { .size = sizeof copy, .copy = fake_copy };
	static const struct gotgt_compare compare = { .size = sizeof compare, .compare_and_write = fake_compare };
	static const struct gotgt_size size = { .size = sizeof size, .look = fake_look };

	if (g_str_equal(id, GOTGT_EXT_MEMORY))
		return &memory;
	if (g_str_equal(id, GOTGT_EXT_SIZE))
		return &size;
	if (g_str_equal(id, GOTGT_EXT_COMPARE))
		return &compare;
	if (g_str_equal(id, GOTGT_EXT_COPY))
		return &copy;
	return g_str_equal(id, GOTGT_EXT_EXTENTS) ? &extents : NULL;
}

struct module *fake_module(uint32_t flags, uint32_t io_priv_size)
{
	static struct module m;

	m = (struct module){ .path = (char *)"/fake.so", .ops = {
		.abi = GOTGT_ABI, .size = sizeof m.ops, .name = "fake", .version = "1", .description = "For tests",
		.flags = flags, .io_priv_size = io_priv_size, .conf_size = sizeof(struct fake_conf), .params = params,
		.open = fake_open, .close = fake_close, .submit = fake_submit, .cancel = fake_cancel,
		.extension = fake_extension,
	} };
	return &m;
}

void fake_reset(void)
{
	if (!async.started)
		g_assert_cmpint(pthread_create(&async.thread, NULL, answer_thread, NULL), ==, 0);
	async.started = true;
	g_free(fake.bytes);
	memset(&fake, 0, sizeof fake);
	fake.bytes = g_malloc(FAKE_BYTES);
	for (unsigned i = 0; i < FAKE_BYTES; i++)
		fake.bytes[i] = (uint8_t)(i * 7 + i / 4096);
	fake.info = (struct gotgt_dev_info){
		.size = FAKE_BYTES, .block_size = 512, .flags = GOTGT_DEV_WRITE_CACHE,
		.ops = GOTGT_OP_BIT(GOTGT_OP_READ) | GOTGT_OP_BIT(GOTGT_OP_WRITE) | GOTGT_OP_BIT(GOTGT_OP_FLUSH),
	};
}

unsigned fake_held(void)
{
	unsigned n;

	pthread_mutex_lock(&fake.lock);
	n = fake.n_held;
	pthread_mutex_unlock(&fake.lock);
	return n;
}

void fake_release(void)
{
	struct gotgt_io *all[64];
	unsigned n;

	pthread_mutex_lock(&fake.lock);
	n = fake.n_held;
	memcpy(all, held, n * sizeof *all);
	fake.n_held = 0;
	pthread_mutex_unlock(&fake.lock);
	for (unsigned i = 0; i < n; i++)
		device_host.io_done(all[i], perform(all[i]));
}

void fake_stop(void)
{
	pthread_mutex_lock(&async.lock);
	async.stopping = true;
	pthread_cond_signal(&async.more);
	pthread_mutex_unlock(&async.lock);
	if (async.started)
		pthread_join(async.thread, NULL);
	g_free(fake.bytes);
}
