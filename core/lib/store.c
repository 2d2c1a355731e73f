/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - a program's functions as a plugin. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include "backstore/device.h"
#include "lib/lib.h"

#define KNOWN_FLAGS (GOTGT_STORE_SERIAL | GOTGT_STORE_MEMORY | GOTGT_STORE_READ_ONLY | GOTGT_STORE_THIN)
#define BLOCK_MIN 512u
#define BLOCK_MAX 4096u
/* Of buffers; it also makes every element of a request whole blocks. */
#define ALIGNMENT 8u

struct gotgt_store {
	struct gotgt_store_ops ops;	/* our copy; what the program's lacks is zero */
	void *data;
	gint refs;
	pthread_mutex_t lock;
	uint64_t size;			/* bytes */
	struct gotgt_lun *lun;		/* NULL: not open */
};

static enum gotgt_status status_of(int r)
{
	static const struct { int err; enum gotgt_status status; } table[] = {
		{ 0, GOTGT_OK }, { ENOSPC, GOTGT_ERR_NO_SPACE }, { EDQUOT, GOTGT_ERR_NO_SPACE },
		{ EROFS, GOTGT_ERR_READ_ONLY }, { EBUSY, GOTGT_ERR_BUSY }, { EAGAIN, GOTGT_ERR_BUSY },
		{ ENODEV, GOTGT_ERR_NOT_READY }, { ENOMEM, GOTGT_ERR_NO_MEMORY },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
		if (r == -table[i].err)
			return table[i].status;
	return GOTGT_ERR_IO;
}

static int transfer(const struct gotgt_store *store, const struct gotgt_io *io)
{
	uint64_t at = io->offset;
	int r = 0;

	for (uint32_t i = 0; i < io->iovcnt && !r; at += io->iov[i++].iov_len) {
		const struct iovec *v = &io->iov[i];

		r = io->op == GOTGT_OP_READ ? store->ops.read(store->data, v->iov_base, v->iov_len, at) :
			store->ops.write(store->data, v->iov_base, v->iov_len, at);
	}
	return r;
}

static int flush(const struct gotgt_store *store, const struct gotgt_io *io)
{
	return store->ops.flush(store->data);
}

static int unmap(const struct gotgt_store *store, const struct gotgt_io *io)
{
	return store->ops.unmap(store->data, io->offset, io->length);
}

static int (*const handlers[])(const struct gotgt_store *store, const struct gotgt_io *io) = {
	[GOTGT_OP_READ] = transfer, [GOTGT_OP_WRITE] = transfer, [GOTGT_OP_FLUSH] = flush, [GOTGT_OP_UNMAP] = unmap,
};

/* The core asks for nothing that store_open() did not offer. */
static void store_submit(void *dev, struct gotgt_io *io)
{
	device_host.io_done(io, status_of(handlers[io->op](dev, io)));
}

static uint32_t device_flags(const struct gotgt_store_ops *ops)
{
	return (ops->flags & GOTGT_STORE_READ_ONLY ? GOTGT_DEV_READ_ONLY : 0) |
	       (ops->flags & GOTGT_STORE_THIN ? GOTGT_DEV_THIN : 0) | (ops->flush ? GOTGT_DEV_WRITE_CACHE : 0);
}

static int store_open(struct gotgt_lun *lun, const void *conf, struct gotgt_dev_info *info, void **dev)
{
	struct gotgt_store *store = device_context(lun);
	bool taken;

	pthread_mutex_lock(&store->lock);
	taken = store->lun != NULL;
	if (!taken)
		store->lun = lun;
	info->size = store->size;
	pthread_mutex_unlock(&store->lock);
	if (taken) {
		device_host.log(lun, GOTGT_LOG_ERROR, "the store is another logical unit's");
		return -EBUSY;
	}
	info->block_size = store->ops.block_size;
	info->mem_align = ALIGNMENT;
	info->flags = device_flags(&store->ops);
	info->ops = GOTGT_OP_BIT(GOTGT_OP_READ) | (store->ops.write ? GOTGT_OP_BIT(GOTGT_OP_WRITE) : 0) |
		    (store->ops.flush ? GOTGT_OP_BIT(GOTGT_OP_FLUSH) : 0) |
		    (store->ops.unmap ? GOTGT_OP_BIT(GOTGT_OP_UNMAP) : 0);
	*dev = store;
	return 0;
}

static void store_close(void *dev)
{
	struct gotgt_store *store = dev;

	pthread_mutex_lock(&store->lock);
	store->lun = NULL;
	pthread_mutex_unlock(&store->lock);
}

#define STORE_MODULE(what, how) { \
	.path = (char *)(what), \
	.ops = { .abi = GOTGT_ABI, .size = sizeof(struct gotgt_plugin), .name = (what), .version = GOTGT_VERSION, \
		 .description = "Functions of the program", .flags = (how), .open = store_open, .close = store_close, \
		 .submit = store_submit } }

static const struct module modules[] = {
	[0] = STORE_MODULE("store", GOTGT_PLUGIN_BLOCKING),
	[GOTGT_STORE_SERIAL] = STORE_MODULE("store", GOTGT_PLUGIN_BLOCKING | GOTGT_PLUGIN_SERIAL),
	[GOTGT_STORE_MEMORY] = STORE_MODULE("store", 0),
};

const struct module *store_module(const struct gotgt_store *store)
{
	return &modules[store->ops.flags & (GOTGT_STORE_SERIAL | GOTGT_STORE_MEMORY)];
}

/* ---- what programs call ---- */

static const char *ops_wrong(const struct gotgt_store_ops *ops)
{
	if (!ops->read || (!ops->write && !(ops->flags & GOTGT_STORE_READ_ONLY)))
		return "read or write is missing";
	if (ops->flags & ~KNOWN_FLAGS)
		return "flags of a later version";
	if (ops->flags & GOTGT_STORE_SERIAL && ops->flags & GOTGT_STORE_MEMORY)
		return "GOTGT_STORE_SERIAL and GOTGT_STORE_MEMORY exclude each other";
	if (ops->block_size < BLOCK_MIN || ops->block_size > BLOCK_MAX || ops->block_size & (ops->block_size - 1))
		return "block_size is not a power of two from 512 to 4096";
	return NULL;
}

static const char *size_wrong(const struct gotgt_store_ops *ops, uint64_t size)
{
	return !size || size > INT64_MAX || size % ops->block_size ? "the size is not a number of whole blocks" : NULL;
}

struct gotgt_store *gotgt_store_new(const struct gotgt_store_ops *ops, void *data, uint64_t size_bytes)
{
	struct gotgt_store_ops own = { 0 };
	struct gotgt_store *store;
	const char *wrong = "ops.size is not set";

	if (ops && ops->size >= offsetof(struct gotgt_store_ops, close) + sizeof ops->close) {
		memcpy(&own, ops, MIN(ops->size, sizeof own));
		own.block_size = own.block_size ? own.block_size : BLOCK_MIN;
		wrong = ops_wrong(&own);
	}
	if (!wrong)
		wrong = size_wrong(&own, size_bytes);
	if (wrong) {
		lib_fail(EINVAL, "store: %s", wrong);
		return NULL;
	}
	store = g_new0(struct gotgt_store, 1);
	store->ops = own;
	store->data = data;
	store->size = size_bytes;
	store->refs = 1;
	pthread_mutex_init(&store->lock, NULL);
	return store;
}

struct gotgt_store *store_ref(struct gotgt_store *store)
{
	g_atomic_int_inc(&store->refs);
	return store;
}

void gotgt_store_free(struct gotgt_store *store)
{
	if (!store || !g_atomic_int_dec_and_test(&store->refs))
		return;
	if (store->ops.close)
		store->ops.close(store->data);
	pthread_mutex_destroy(&store->lock);
	g_free(store);
}

int gotgt_store_resize(struct gotgt_store *store, uint64_t size_bytes)
{
	const char *wrong = store ? size_wrong(&store->ops, size_bytes) : "there is none";

	if (wrong)
		return lib_fail(EINVAL, "store: %s", wrong);
	/* Within the lock, so that of two at a time the last one counts in both places. */
	pthread_mutex_lock(&store->lock);
	store->size = size_bytes;
	if (store->lun)
		device_host.resized(store->lun, size_bytes);
	pthread_mutex_unlock(&store->lock);
	return 0;
}

uint64_t gotgt_store_size(const struct gotgt_store *store)
{
	struct gotgt_store *own = (struct gotgt_store *)store;
	uint64_t size;

	pthread_mutex_lock(&own->lock);
	size = own->size;
	pthread_mutex_unlock(&own->lock);
	return size;
}

void *gotgt_lun_data(struct gotgt_lun *lun)
{
	return device_context(lun);
}
