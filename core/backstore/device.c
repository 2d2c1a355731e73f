/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - open a plugin's device, check and keep what it says of itself, lend its memory. */
#include "config.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include "backstore/device-internal.h"
#include "engine/log.h"
#include "engine/thread.h"

#define LOG_DOMAIN LOGD_BACKSTORE

G_DEFINE_QUARK(gotgt-device-error, device_error)

#define BLOCK_MIN 512u
#define BLOCK_MAX 4096u
#define ALIGN_MAX 4096u
#define LINE_MAX_BYTES 512

static bool power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

/* ---- what plugins call ---- */

static struct log_fields fields(const struct device *dev)
{
	return (struct log_fields){ .target = dev->target, .has_lun = dev->target != NULL, .lun = dev->lun };
}

/* The first error of open() goes into its GError, not to the log. */
static bool keep_open_error(struct device *dev, const char *line)
{
	bool kept = false;

	pthread_mutex_lock(&dev->lock);
	if (dev->opening && !dev->open_error) {
		dev->open_error = g_strdup(line);
		kept = true;
	}
	pthread_mutex_unlock(&dev->lock);
	return kept;
}

/* The thread may be the plugin's own. */
static void plugin_line(struct device *dev, enum gotgt_log_level level, const char *line)
{
	struct log *before = log_enter(dev->engine->log);
	g_autofree char *text = g_strdup_printf("%s: %s", dev->name, line);

	log_plugin_write(dev->log_plugin, level, fields(dev), text);
	log_enter(before);
}

static void GOTGT_PRINTF(3, 4) host_log(struct gotgt_lun *lun, enum gotgt_log_level level, const char *fmt, ...)
{
	struct device *dev = device_of(lun);
	char line[LINE_MAX_BYTES];
	va_list ap;

	if (level > GOTGT_LOG_DEBUG)	/* of a plugin that is newer than we are */
		level = GOTGT_LOG_DEBUG;
	if (dev ? !log_plugin_enabled(dev->log_plugin, level) : !log_enabled(LOGD_PLUGIN, level))
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	if (!dev)
		log_write(LOGD_PLUGIN, level, NULL, LOG_NO_FIELDS, "plugin: %s", line);
	else if (level != GOTGT_LOG_ERROR || !keep_open_error(dev, line))
		plugin_line(dev, level, line);
}

static void host_resized(struct gotgt_lun *lun, uint64_t size)
{
	struct device *dev = device_of(lun);

	pthread_mutex_lock(&dev->lock);
	if (!dev->opening) {
		atomic_store(&dev->given_size, size);
		size &= ~(uint64_t)(dev->info.block_size - 1);
		if (atomic_exchange(&dev->size, size) != size && dev->resized)
			dev->resized(dev->resized_data);
	}
	pthread_mutex_unlock(&dev->lock);
}

static const void *host_extension(const char *id)
{
	return strcmp(id, GOTGT_EXT_THREADS) ? NULL : &device_threads;
}

const struct gotgt_host device_host = {
	.abi = GOTGT_ABI,
	.size = sizeof device_host,
	.io_done = request_io_done,
	.log = host_log,
	.resized = host_resized,
	.extension = host_extension,
};

void device_to_worker(struct device *dev, struct work *work)
{
	workers_push(dev->engine->workers, work, &dev->gate);
}

void device_write_to_worker(struct device *dev, struct work *work)
{
	workers_push(dev->engine->workers, work, dev->info.flags & GOTGT_DEV_ONE_WRITER ? &dev->writes : &dev->gate);
}

void device_stuck(struct device *dev)
{
	workers_lose(dev->engine->workers, &dev->gate);
	workers_lose(dev->engine->workers, &dev->writes);
}

void device_breach(struct device *dev, const char *what)
{
	struct log *before = log_enter(dev->engine->log);

	if (!atomic_exchange(&dev->broken, true))
		log_error_of(fields(dev), "%s: plugin %s %s", dev->name, dev->ops->name, what);
	log_enter(before);
}

/* ---- open ---- */

const char *device_info_wrong(const struct gotgt_dev_info *i)
{
	uint32_t block = i->block_size ? i->block_size : BLOCK_MIN;

	if (!power_of_two(block) || block < BLOCK_MIN || block > BLOCK_MAX)
		return "its block size is not a power of two from 512 to 4096";
	if (i->size < block)
		return "it is smaller than a block";
	if (i->size > INT64_MAX)
		return "it is larger than 8 EiB";
	if (i->physical_block_size && (!power_of_two(i->physical_block_size) || i->physical_block_size < block))
		return "its physical block size is not a power of two of at least a block";
	if (i->max_io_size && i->max_io_size < block)
		return "its largest request is smaller than a block";
	if (i->mem_align && (!power_of_two(i->mem_align) || i->mem_align > ALIGN_MAX))
		return "its memory alignment is not a power of two up to 4096";
	if (i->flags & GOTGT_DEV_WRITE_CACHE && !(i->ops & GOTGT_OP_BIT(GOTGT_OP_FLUSH)))
		return "it has a write cache but cannot flush it";
	return NULL;
}

static void take_info(struct device *dev, const struct gotgt_dev_info *i, bool read_only)
{
	const uint32_t writes = GOTGT_OP_BIT(GOTGT_OP_WRITE) | GOTGT_OP_BIT(GOTGT_OP_UNMAP) | GOTGT_OP_BIT(GOTGT_OP_ZERO);
	struct device_info *out = &dev->info;

	out->block_size = i->block_size ? i->block_size : BLOCK_MIN;
	out->size = i->size & ~(uint64_t)(out->block_size - 1);
	out->physical_block_size = i->physical_block_size ? i->physical_block_size : out->block_size;
	out->optimal_io_size = i->optimal_io_size;
	out->flags = i->flags | (read_only ? GOTGT_DEV_READ_ONLY : 0);
	out->ops = i->ops | GOTGT_OP_BIT(GOTGT_OP_READ) | GOTGT_OP_BIT(GOTGT_OP_WRITE);
	if (out->flags & GOTGT_DEV_READ_ONLY)
		out->ops &= ~writes;
	if (out->ops & GOTGT_OP_BIT(GOTGT_OP_UNMAP) || out->flags & GOTGT_DEV_THIN)
		out->unmap_granularity = i->unmap_granularity ? i->unmap_granularity : out->block_size;
	out->native_fua = i->native_fua != 0;
	dev->max_io_size = i->max_io_size & ~(out->block_size - 1);
	dev->mem_align = i->mem_align ? i->mem_align : 1;
	atomic_store(&dev->size, out->size);
	atomic_store(&dev->given_size, i->size);
}

/* A table of an extension: as much of it as both sides know.  NULL when it lacks what every release had. */
static bool take_extension(const struct gotgt_plugin *ops, const char *id, void *into, size_t size, size_t needed)
{
	const uint32_t *table = ops->extension ? ops->extension(id) : NULL;

	if (!table || *table < needed)
		return false;
	memcpy(into, table, MIN(*table, size));
	return true;
}

static struct lending *lending_new(unsigned n_reactors)
{
	struct lending *l = lines_new0(n_reactors * sizeof *l);

	for (unsigned i = 0; i < n_reactors; i++)
		trial_init(&l[i].trial);
	return l;
}

static void take_extensions(struct device *dev)
{
	const struct gotgt_plugin *ops = dev->ops;

	dev->info.lends = take_extension(ops, GOTGT_EXT_MEMORY, &dev->memory, sizeof dev->memory,
					 offsetof(struct gotgt_memory, check)) &&
			  dev->memory.lend && !(ops->flags & GOTGT_PLUGIN_SERIAL);
	dev->info.lent_stays = dev->info.lends && dev->memory.flags & GOTGT_MEMORY_STAYS;
	dev->info.lent_constant = dev->info.lent_stays && dev->memory.flags & GOTGT_MEMORY_CONSTANT;
	dev->info.extents = take_extension(ops, GOTGT_EXT_EXTENTS, &dev->extents, sizeof dev->extents,
					   sizeof dev->extents) && dev->extents.query;
	dev->info.copies = !(ops->flags & GOTGT_PLUGIN_SERIAL) &&
			   take_extension(ops, GOTGT_EXT_COPY, &dev->copy, sizeof dev->copy, sizeof dev->copy) &&
			   dev->copy.copy;
	dev->info.compares = !(ops->flags & GOTGT_PLUGIN_SERIAL) &&
			     take_extension(ops, GOTGT_EXT_COMPARE, &dev->compare, sizeof dev->compare,
					    sizeof dev->compare) && dev->compare.compare_and_write;
	if (!take_extension(ops, GOTGT_EXT_SIZE, &dev->look, sizeof dev->look, sizeof dev->look))
		dev->look.look = NULL;
	/* Memory that cannot go is the plugin's own, and no mapping of a file: it always pays. */
	if (dev->info.lends && (dev->memory.check || !dev->info.lent_stays))
		dev->lending = lending_new(dev->engine->n_reactors);
}

/* The settings given, and readonly=yes for a device opened so. */
static struct settings *parse(const struct gotgt_plugin *ops, const char *const *pairs, bool read_only, GError **error)
{
	const struct gotgt_param *q = settings_find(ops, "readonly");
	g_autoptr(GPtrArray) all = g_ptr_array_new();

	for (; pairs && pairs[0]; pairs++) {
		if (g_str_equal(pairs[0], "readonly") && !(all->len % 2))
			q = NULL;
		g_ptr_array_add(all, (void *)pairs[0]);
	}
	if (read_only && q && q->type == GOTGT_PARAM_BOOL) {
		g_ptr_array_add(all, (void *)"readonly");
		g_ptr_array_add(all, (void *)"yes");
	}
	g_ptr_array_add(all, NULL);
	return settings_parse(ops, (const char *const *)all->pdata, error);
}

static void discard(struct device *dev)
{
	settings_free(dev->settings);
	log_plugin_put(dev->engine->log, dev->log_plugin);
	g_free(dev->open_error);
	g_free(dev->target);
	free(dev->lending);
	g_free(dev->name);
	pthread_mutex_destroy(&dev->lock);
	free(dev);
}

/* It did not open: r is its answer. */
static void open_failed(const struct device *dev, int r, GError **error)
{
	struct rlimit files;
	int err = r < 0 ? -r : EINVAL;

	g_set_error(error, DEVICE_ERROR, DEVICE_ERROR_OPEN, "plugin %s: %s", dev->ops->name,
		    dev->open_error ? dev->open_error : g_strerror(err));
	if (error && err == EMFILE && !getrlimit(RLIMIT_NOFILE, &files)) {
		g_autofree char *why = g_steal_pointer(&(*error)->message);

		(*error)->message = g_strdup_printf("%s: this process may have %" G_GUINT64_FORMAT
						    " (RLIMIT_NOFILE; LimitNOFILE of a systemd unit)", why,
						    (uint64_t)files.rlim_cur);
	}
}

static bool open_plugin(struct device *dev, bool read_only, GError **error)
{
	struct gotgt_dev_info info = { 0 };
	const char *wrong;
	int r;

	dev->opening = true;
	r = dev->ops->open((struct gotgt_lun *)dev, settings_conf(dev->settings), &info, &dev->handle);
	pthread_mutex_lock(&dev->lock);
	dev->opening = false;
	pthread_mutex_unlock(&dev->lock);
	if (r) {
		open_failed(dev, r, error);
		return false;
	}
	if (dev->open_error)
		log_error_of(fields(dev), "%s: %s", dev->name, dev->open_error);
	wrong = device_info_wrong(&info);
	if (wrong) {
		dev->ops->close(dev->handle);
		g_set_error(error, DEVICE_ERROR, DEVICE_ERROR_INFO, "plugin %s: cannot use the device: %s",
			    dev->ops->name, wrong);
		return false;
	}
	take_info(dev, &info, read_only);
	take_extensions(dev);
	return true;
}

struct device *device_open(struct engine *e, const struct module *m, const char *name,
			   const char *const *settings, bool read_only, GError **error)
{
	return device_open_for(e, m, name, settings, read_only, NULL, error);
}

struct device *device_open_for(struct engine *e, const struct module *m, const char *name,
			       const char *const *settings, bool read_only, const struct device_owner *owner,
			       GError **error)
{
	struct device *dev = lines_new0(sizeof *dev);

	pthread_mutex_init(&dev->lock, NULL);
	dev->engine = e;
	dev->writes.max = 1;
	dev->ops = &m->ops;
	dev->name = g_strdup(name);
	dev->log_plugin = log_plugin_get(e->log, m->ops.name);
	if (owner) {
		dev->context = owner->context;
		dev->target = g_strdup(owner->target);
		dev->lun = owner->lun;
	}
	dev->serial_tail = &dev->serial_head;
	dev->info.block_size = BLOCK_MIN;
	dev->settings = parse(dev->ops, settings, read_only, error);
	if (dev->settings && open_plugin(dev, read_only, error))
		return dev;
	discard(dev);
	return NULL;
}

void *device_context(struct gotgt_lun *lun)
{
	return device_of(lun)->context;
}

/* ---- close ---- */

/* Of its own memory: it may be left to a plugin that does not answer. */
struct last_flush {
	struct device_io dio;
	struct device *dev;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
	enum gotgt_status status;
};

static void last_flush_done(struct device_io *dio, enum gotgt_status status)
{
	struct last_flush *f = container_of(dio, struct last_flush, dio);

	pthread_mutex_lock(&f->lock);
	f->status = status;
	f->done = true;
	pthread_cond_signal(&f->cond);
	pthread_mutex_unlock(&f->lock);
}

static void last_flush_submit(void *arg)
{
	struct last_flush *f = arg;

	device_submit(f->dev, &f->dio);
}

static struct last_flush *last_flush_new(struct device *dev)
{
	struct last_flush *f = g_new0(struct last_flush, 1);

	f->dio.io.op = GOTGT_OP_FLUSH;
	f->dio.reactor = dev->engine->reactors[0];
	f->dio.done = last_flush_done;
	f->dev = dev;
	pthread_mutex_init(&f->lock, NULL);
	thread_cond_init(&f->cond);
	return f;
}

/*
 * Their memory is kept a while, as a plugin that answers twice may do so when the device is gone: the last that have gone,
 * of all devices.
 */
#define GONE_MAX 16u
static struct {
	pthread_mutex_t lock;
	struct last_flush *last[GONE_MAX];
	unsigned next;
} gone = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void last_flush_free(struct last_flush *f)
{
	struct last_flush *older;

	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->cond);
	request_io_gone(&f->dio);
	pthread_mutex_lock(&gone.lock);
	older = gone.last[gone.next];
	gone.last[gone.next] = f;
	gone.next = (gone.next + 1) % GONE_MAX;
	pthread_mutex_unlock(&gone.lock);
	g_free(older);
}

/* A request like any other, so that it does not matter how the plugin works.  False: no answer in time. */
static bool last_flush(struct device *dev, unsigned seconds)
{
	struct last_flush *f = last_flush_new(dev);
	struct timespec until = thread_until(seconds * 1000u);
	enum gotgt_status status;
	bool done;

	reactor_call(f->dio.reactor, last_flush_submit, f);
	pthread_mutex_lock(&f->lock);
	while (!f->done && thread_cond_wait(&f->cond, &f->lock, seconds ? &until : NULL))
		;
	done = f->done;
	status = f->status;
	pthread_mutex_unlock(&f->lock);
	if (!done)
		return false;
	last_flush_free(f);
	if (status != GOTGT_OK)
		log_error_of(fields(dev), "%s: could not flush before closing: data written last may be lost", dev->name);
	return true;
}

bool device_close_within(struct device *dev, unsigned seconds)
{
	if (dev->info.flags & GOTGT_DEV_WRITE_CACHE && !(dev->info.flags & GOTGT_DEV_READ_ONLY) &&
	    !last_flush(dev, seconds)) {
		log_error_of(fields(dev), "%s: plugin %s does not answer to a flush: not closed, data written last may be lost",
			     dev->name, dev->ops->name);
		return false;
	}
	workers_drain(dev->engine->workers, &dev->gate);
	workers_drain(dev->engine->workers, &dev->writes);
	dev->ops->close(dev->handle);
	discard(dev);
	return true;
}

void device_close(struct device *dev)
{
	if (dev)
		device_close_within(dev, 0);
}

/* ---- what it is ---- */

const struct device_info *device_info(const struct device *dev)
{
	return &dev->info;
}

uint64_t device_size(const struct device *dev)
{
	return atomic_load_explicit(&dev->size, memory_order_relaxed);
}

uint64_t device_given_size(const struct device *dev)
{
	return atomic_load_explicit(&dev->given_size, memory_order_relaxed);
}

void device_look(struct device *dev)
{
	if (dev->look.look)
		dev->look.look(dev->handle);
}

void device_on_resized(struct device *dev, void (*resized)(void *data), void *data)
{
	pthread_mutex_lock(&dev->lock);
	dev->resized = resized;
	dev->resized_data = data;
	pthread_mutex_unlock(&dev->lock);
}

/* ---- lent memory ---- */

static enum gotgt_status check_once_a_batch(struct device *dev, struct reactor *r)
{
	struct lending *l = &dev->lending[reactor_index(r)];

	if (l->batch != reactor_batch(r)) {
		l->batch = reactor_batch(r);
		l->status = dev->memory.check(dev->handle);
	}
	return l->status;
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint32_t device_lend(struct device *dev, struct reactor *r, uint64_t offset, uint64_t length, bool write,
		     struct iovec *iov, uint32_t iovmax, enum gotgt_status *status)
{
	uint32_t n;

	*status = GOTGT_OK;
	if (!dev->info.lends || atomic_load_explicit(&dev->lent_fault, memory_order_relaxed))
		return 0;
	if (write && dev->info.flags & GOTGT_DEV_READ_ONLY)
		*status = GOTGT_ERR_READ_ONLY;
	else if (dev->memory.check)
		*status = check_once_a_batch(dev, r);
	if (*status != GOTGT_OK)
		return 0;
	n = dev->memory.lend(dev->handle, offset, length, write, iov, iovmax);
	if (G_UNLIKELY(n > iovmax)) {
		device_breach(dev, "lent more than there was room for");
		return 0;
	}
	if (n && !write && !dev->info.lent_stays && !trial_lends(&dev->lending[reactor_index(r)].trial, length, cpu_ns)) {
		device_reclaim(dev, iov, n);
		return 0;
	}
	return n;
}

G_STATIC_ASSERT(sizeof(void *) != 8 || offsetof(struct device, size) == LINE_BYTES);

void device_fetch(const struct device *dev)
{
	__builtin_prefetch(dev);
	__builtin_prefetch(&dev->size);
}

void device_reclaim(struct device *dev, const struct iovec *iov, uint32_t iovcnt)
{
	if (dev->memory.reclaim)
		dev->memory.reclaim(dev->handle, iov, iovcnt);
}

void device_lent_fault(struct device *dev)
{
	if (!atomic_exchange(&dev->lent_fault, true))
		log_error_of(fields(dev), "%s: memory lent by plugin %s is gone: it is not used any more", dev->name,
			     dev->ops->name);
}
