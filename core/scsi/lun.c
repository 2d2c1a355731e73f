/* SPDX-License-Identifier: Apache-2.0 */
/* lun.c - a logical unit: its sizes, its identity, its state, and when nobody uses it any more. */
#include "config.h"
#include <pthread.h>
#include <string.h>
#include "engine/log.h"
#include "engine/thread.h"
#include "scsi/copy.h"
#include "scsi/job.h"
#include "scsi/lun.h"
#include "scsi/mode.h"
#include "scsi/pr.h"
#include "scsi/watch.h"

#define LOG_DOMAIN LOGD_SCSI

/* ---- addresses ---- */

int lun_parse(const uint8_t addr[8])
{
	/* SAM-5 4.7: one level, so all but the first two bytes are zero. */
	for (unsigned i = 2; i < 8; i++)
		if (addr[i])
			return -1;
	switch (addr[0] >> 6) {
	case 0:	/* peripheral device addressing, bus 0 */
		return addr[0] ? -1 : addr[1];
	case 1:	/* flat space addressing */
		return (addr[0] & 0x3f) << 8 | addr[1];
	default:
		return -1;
	}
}

void lun_format(uint8_t addr[8], uint32_t number)
{
	memset(addr, 0, 8);
	addr[0] = (uint8_t)(number < 256 ? 0 : 0x40 | number >> 8);
	addr[1] = (uint8_t)number;
}

static const uint8_t report_luns[8] = { 0xc1, 0x01 };

bool lun_is_report_luns(const uint8_t addr[8])
{
	return memcmp(addr, report_luns, sizeof report_luns) == 0;
}

void lun_format_report_luns(uint8_t addr[8])
{
	memcpy(addr, report_luns, sizeof report_luns);
}

/* ---- state and identity ---- */

void lun_set_state(struct lun *lun, unsigned clear, unsigned set)
{
	unsigned old = atomic_load(&lun->state);

	while (!atomic_compare_exchange_weak(&lun->state, &old, (old & ~clear) | set))
		continue;
}

void lun_get_identity(struct lun *lun, struct lun_identity *id)
{
	pthread_mutex_lock(&lun->lock);
	*id = lun->identity;
	pthread_mutex_unlock(&lun->lock);
}

uint64_t lun_naa(const struct lun_identity *id)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	uint8_t digest[32];
	gsize len = sizeof digest;
	uint64_t v;

	if (id->naa)
		return id->naa;
	g_checksum_update(sum, (const guchar *)id->serial, -1);
	g_checksum_get_digest(sum, digest, &len);
	memcpy(&v, digest, sizeof v);
	return (GUINT64_FROM_BE(v) & ~(UINT64_C(0xf) << 60)) | UINT64_C(3) << 60;
}

unsigned lun_default_mode(const struct lun *lun)
{
	return lun->info->flags & GOTGT_DEV_WRITE_CACHE ? LUN_WCE : 0;
}

/* SPC-5 4.3.1: printable ASCII. */
static bool copy_text(char *to, size_t max, const char *text, const char *what, GError **error)
{
	size_t len = strlen(text);

	if (len == 0 || len > max) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_INVALID, "%s must have 1 to %zu characters", what, max);
		return false;
	}
	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e) {
			g_set_error(error, TARGET_ERROR, TARGET_ERROR_INVALID, "%s must be printable ASCII", what);
			return false;
		}
	memcpy(to, text, len + 1);
	return true;
}

static void default_serial(const struct lun *lun, char *serial)
{
	g_autofree char *unique = g_strdup_printf("%s,%u", lun->target->name, lun->number);
	g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, unique, -1);

	g_strlcpy(serial, sum, 17);
}

static bool make_identity(const struct lun *lun, const struct lun_conf *conf, struct lun_identity *id, GError **error)
{
	if (!conf->serial)
		default_serial(lun, id->serial);
	else if (!copy_text(id->serial, LUN_SERIAL_MAX, conf->serial, "serial", error))
		return false;
	id->naa = conf->naa;
	return copy_text(id->vendor, LUN_VENDOR_LEN, conf->vendor ? conf->vendor : "GOTGT", "vendor", error) &&
	       copy_text(id->product, LUN_PRODUCT_LEN, conf->product ? conf->product : "VIRTUAL-DISK", "product",
			 error);
}

/* The bits of the state that the configuration decides. */
static unsigned configured_state(const struct lun *lun, const struct lun_conf *conf)
{
	const unsigned anchors = lun->info->ops & GOTGT_OP_BIT(GOTGT_OP_ZERO) ? LUN_ANCHORS : 0;

	return (conf->read_only || lun->info->flags & GOTGT_DEV_READ_ONLY ? LUN_READ_ONLY : 0) |
	       (conf->removable ? LUN_REMOVABLE : 0) | (conf->offline ? LUN_OFFLINE : 0) |
	       (conf->thin && lun->can_unmap ? LUN_THIN | anchors : 0);
}

/* Not by all of its bytes: some are between the members. */
static bool same_identity(const struct lun_identity *a, const struct lun_identity *b)
{
	return !strcmp(a->serial, b->serial) && !strcmp(a->vendor, b->vendor) && !strcmp(a->product, b->product) &&
	       a->naa == b->naa;
}

bool lun_reconfigure(struct lun *lun, const struct lun_conf *conf, GError **error)
{
	unsigned old = lun_state(lun) & (LUN_READ_ONLY | LUN_THIN | LUN_OFFLINE), now = configured_state(lun, conf);
	struct lun_identity id = { "" };
	bool renamed;

	if (conf->block_size && conf->block_size != lun->block_size) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_INVALID,
			    "the block size cannot change while the LUN is there");
		return false;
	}
	if (!make_identity(lun, conf, &id, error))
		return false;
	pthread_mutex_lock(&lun->lock);
	renamed = !same_identity(&lun->identity, &id);
	lun->identity = id;
	pthread_mutex_unlock(&lun->lock);
	atomic_store(&lun->io_timeout_s, conf->io_timeout_s);
	lun_set_state(lun, LUN_READ_ONLY | LUN_THIN | LUN_ANCHORS | LUN_OFFLINE, now);
	if (renamed)
		lun_name_change(lun);
	if (renamed || (old ^ now) & LUN_THIN)
		target_set_ua(lun->target, lun->number, UA_INQUIRY_CHANGED, NULL);
	if ((old ^ now) & LUN_READ_ONLY)	/* the WP bit of mode data */
		target_set_ua(lun->target, lun->number, UA_MODE_CHANGED, NULL);
	if (old & ~now & LUN_OFFLINE)	/* from not ready to ready */
		target_set_ua(lun->target, lun->number, UA_MEDIUM_CHANGED, NULL);
	return true;
}

struct device *lun_device(struct lun *lun)
{
	return lun->dev;
}

void lun_hold(struct lun *lun, struct reactor *r)
{
	lun_count_up(lun, reactor_index(r));
}

void lun_release(struct lun *lun, struct reactor *r)
{
	lun_count_down(lun, reactor_index(r));
}

void lun_unit_attention(struct lun *lun, enum sense_code code, const struct nexus *except)
{
	int ua = ua_of_code(code);

	g_return_if_fail(ua >= 0);
	target_set_ua(lun->target, lun->number, (enum ua)ua, except);
}

/* Copies of a logical unit before, perhaps of this number, are none of it. */
static void new_epoch(struct lun *lun)
{
	static atomic_uint epoch;

	atomic_store(&lun->copy_epoch, atomic_fetch_add(&epoch, 1) + 1);
}

void lun_reset(struct lun *lun)
{
	struct target *t = lun->target;

	/* SAM-5 6.3.3: mode parameters as saved, medium removal allowed; everybody hears of it. */
	new_epoch(lun);
	lun_set_state(lun, LUN_STOPPED | LUN_MODE_BITS, atomic_load(&lun->saved_mode));
	pr_unreserve(lun, NULL);
	pthread_mutex_lock(&t->lock);
	for (guint i = 0; i < t->nexuses->len; i++) {
		struct nexus *n = t->nexuses->pdata[i];
		struct nexus_chunk *c = atomic_load(&n->chunks[lun->number / NEXUS_CHUNK]);

		if (c)
			atomic_store(&c->luns[lun->number % NEXUS_CHUNK].prevent, false);
		nexus_set_ua(n, lun->number, UA_RESET);
	}
	pthread_mutex_unlock(&t->lock);
}

/* ---- from birth to death ---- */

struct log_fields lun_fields(const struct lun *lun)
{
	return LOG_LUN(target_name(lun->target), lun->number);
}

static void tell_of_tail(const struct lun *lun)
{
	unsigned bytes = (unsigned)(device_given_size(lun->dev) & (lun->block_size - 1));

	if (bytes)
		log_warning_of(lun_fields(lun), "target %s lun %u: the last %u bytes are less than a block, and not served",
			       target_name(lun->target), lun->number, bytes);
}

static void resized(void *data)
{
	struct lun *lun = data;
	uint64_t now = lun_blocks(lun), before = atomic_exchange(&lun->told_blocks, now);

	tell_of_tail(lun);
	if (now == before)
		return;
	/* Nobody makes a disk smaller that has data. */
	log_at(now < before ? GOTGT_LOG_WARNING : GOTGT_LOG_INFO, lun_fields(lun),
	       "target %s lun %u: it has %" G_GUINT64_FORMAT " blocks now, and had %" G_GUINT64_FORMAT, target_name(lun->target),
	       lun->number, now, before);
	target_set_ua(lun->target, lun->number, UA_CAPACITY_CHANGED, NULL);
}

static bool invalid(GError **error, const char *what, uint32_t value, const char *why)
{
	g_set_error(error, TARGET_ERROR, TARGET_ERROR_INVALID, "%s %u %s", what, value, why);
	return false;
}

/* The physical block, how it lies, and the size of a good transfer (SBC-4 4.6). */
static bool take_geometry(struct lun *lun, const struct lun_conf *conf, GError **error)
{
	uint32_t physical = conf->physical_block_size;

	if (physical & (physical - 1) || physical > LUN_PHYSICAL_BLOCK_MAX)
		return invalid(error, "physical block size", physical, "is not a power of two up to 1M");
	if (physical && physical < lun->block_size)
		return invalid(error, "physical block size", physical, "is less than the block size");
	if (!physical)
		physical = CLAMP(lun->info->physical_block_size, lun->block_size, LUN_PHYSICAL_BLOCK_MAX);
	lun->physical_exponent = (uint8_t)(g_bit_storage(physical >> lun->block_shift) - 1);
	if (conf->alignment_offset >> lun->physical_exponent || conf->alignment_offset > LUN_ALIGNED_MAX)
		return invalid(error, "alignment offset", conf->alignment_offset, "is not within a physical block");
	lun->lowest_aligned = (uint16_t)conf->alignment_offset;
	if (conf->optimal_io_size & (lun->block_size - 1) || conf->optimal_io_size > LUN_TRANSFER_MAX)
		return invalid(error, "optimal I/O size", conf->optimal_io_size, "is not a number of blocks up to 4M");
	lun->optimal_io_size = conf->optimal_io_size ? conf->optimal_io_size : lun->info->optimal_io_size;
	return true;
}

static bool take_sizes(struct lun *lun, const struct lun_conf *conf, GError **error)
{
	uint32_t dev_bs = MAX(lun->info->block_size, 1u), bs = conf->block_size ? conf->block_size : MAX(dev_bs, 512u);

	if (bs != 512 && bs != 4096) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_INVALID, "block size %u is neither 512 nor 4096", bs);
		return false;
	}
	if (bs % dev_bs) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_INVALID,
			    "block size %u does not fit the device's blocks of %u bytes", bs, dev_bs);
		return false;
	}
	if (device_size(lun->dev) < bs) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_INVALID, "the device is smaller than a block");
		return false;
	}
	lun->block_size = bs;
	lun->block_shift = bs == 512 ? 9 : 12;
	atomic_init(&lun->told_blocks, lun_blocks(lun));
	tell_of_tail(lun);
	return take_geometry(lun, conf, error);
}

struct lun *lun_new(struct target *t, uint32_t number, struct device *dev, const struct lun_conf *conf, GError **error)
{
	struct lun *lun = lines_new0(sizeof *lun + t->engine->n_reactors * sizeof lun->count[0]);

	new_epoch(lun);
	lun->target = t;
	lun->number = number;
	lun->dev = dev;
	lun->info = device_info(dev);
	/* A read-only one is no less thin for that: UNMAP is refused as every write is. */
	lun->can_unmap = lun->info->ops & GOTGT_OP_BIT(GOTGT_OP_UNMAP) ||
			 (lun->info->flags & GOTGT_DEV_READ_ONLY && lun->info->flags & GOTGT_DEV_THIN);
	pthread_mutex_init(&lun->lock, NULL);
	pthread_mutex_init(&lun->save_lock, NULL);
	thread_cond_init(&lun->drained);
	atomic_init(&lun->io_timeout_s, conf->io_timeout_s);
	ranges_init(&lun->ranges);
	if (!take_sizes(lun, conf, error) || !make_identity(lun, conf, &lun->identity, error) ||
	    !(lun->pr = pr_new(lun, error))) {
		lun->dev = NULL;
		lun_free(lun);
		return NULL;
	}
	lun_set_state(lun, 0, configured_state(lun, conf) | (target_state_dir(t) ? LUN_SAVES : 0) |
		      (lun->info->flags & GOTGT_DEV_WRITE_CACHE ? LUN_CACHE : 0));
	mode_restore(lun);
	job_restore(lun);
	device_on_resized(dev, resized, lun);
	return lun;
}

static void discard(struct lun *lun)
{
	pr_free(lun->pr);
	ranges_clear(&lun->ranges);
	for (unsigned i = 0; i < lun->target->engine->n_reactors; i++)
		stats_unref(atomic_load(&lun->count[i].stats));
	pthread_cond_destroy(&lun->drained);
	pthread_mutex_destroy(&lun->save_lock);
	pthread_mutex_destroy(&lun->lock);
	free(lun);
}

void lun_free(struct lun *lun)
{
	if (lun->dev)
		device_on_resized(lun->dev, NULL, NULL);
	if (!lun->dev || device_close_within(lun->dev, atomic_load(&lun->io_timeout_s) * WATCH_CLOSE)) {
		discard(lun);
	} else {
		lun->flushing = true;
		lun_leave(lun);
	}
}

static void start_draining(struct reactor *r, void *arg)
{
	struct lun *lun = arg;
	struct lun_count *count = &lun->count[reactor_index(r)];

	pthread_mutex_lock(&lun->lock);
	count->draining = true;
	lun->left += count->n;
	pthread_mutex_unlock(&lun->lock);
}

void lun_count_down_draining(struct lun *lun)
{
	pthread_mutex_lock(&lun->lock);
	if (--lun->left <= lun->n_stuck)
		pthread_cond_signal(&lun->drained);
	pthread_mutex_unlock(&lun->lock);
}

static void end_watch(struct reactor *r, void *arg)
{
	struct lun *lun = arg;

	reactor_timer_cancel(r, &lun->count[reactor_index(r)].watch);
}

/*
 * Wait for the last of them.  When all that is left has been given up, it has had its time-out to come back: one that was
 * just aborted may only be slow.  Under the lock; false: the time is up.
 */
static bool wait_for_them(struct lun *lun, unsigned timeout_s, const struct timespec *until)
{
	uint64_t stuck_until_ms = lun->stuck_ms + timeout_s * UINT64_C(1000);
	const struct timespec stuck_until = { .tv_sec = (time_t)(stuck_until_ms / 1000),
					      .tv_nsec = (long)(stuck_until_ms % 1000) * 1000000 };

	if (!timeout_s)
		return thread_cond_wait(&lun->drained, &lun->lock, NULL);
	return thread_cond_wait(&lun->drained, &lun->lock, lun->left <= lun->n_stuck ? &stuck_until : until);
}

bool lun_drain(struct lun *lun)
{
	unsigned timeout_s = atomic_load(&lun->io_timeout_s);
	struct timespec until = thread_until(timeout_s * WATCH_LONG * 1000u + WATCH_ABORT_MS);
	bool all;

	job_stop(lun);
	/* Each reactor adds what it has before any of that can be taken off again. */
	engine_each(lun->target->engine, start_draining, lun);
	pthread_mutex_lock(&lun->lock);
	while (lun->left && wait_for_them(lun, timeout_s, &until))
		;
	all = !lun->left;
	pthread_mutex_unlock(&lun->lock);
	/* What the last of them posted about the unit has run then. */
	engine_each(lun->target->engine, end_watch, lun);
	return all;
}

/* ---- left with a device that does not answer ---- */

/* Of any engine; [main] of each of them. */
static struct {
	pthread_mutex_t lock;
	GSList *luns;
} left = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Its target may go: it gets one of its own, of the same name. */
void lun_leave(struct lun *lun)
{
	struct engine *e = lun->target->engine;
	struct target *alone = target_new(e, target_name(lun->target));

	log_error("target %s lun %u: its device does not answer: it is left until that does, or the program ends",
		  target_name(alone), lun->number);
	device_on_resized(lun->dev, NULL, NULL);
	pthread_mutex_lock(&lun->lock);
	lun->target = alone;
	pthread_mutex_unlock(&lun->lock);
	engine_each(e, end_watch, lun);		/* and nobody looks at the other any more */
	pthread_mutex_lock(&left.lock);
	left.luns = g_slist_prepend(left.luns, lun);
	e->n_left++;
	pthread_mutex_unlock(&left.lock);
}

static bool let_go(struct lun *lun)
{
	bool all;

	pthread_mutex_lock(&lun->lock);
	all = !lun->left;
	pthread_mutex_unlock(&lun->lock);
	return all;
}

void lun_free_left(struct engine *e)
{
	struct target *alone;
	GSList *next;

	pthread_mutex_lock(&left.lock);
	for (GSList *l = left.luns; l; l = next) {
		struct lun *lun = l->data;

		next = l->next;
		if (lun->target->engine != e || lun->flushing || !let_go(lun))
			continue;
		/* What it gave back it posted before. */
		engine_each(e, end_watch, lun);
		lun->flushing = !device_close_within(lun->dev, atomic_load(&lun->io_timeout_s));
		if (lun->flushing)
			continue;
		left.luns = g_slist_delete_link(left.luns, l);
		e->n_left--;
		alone = lun->target;
		discard(lun);
		target_free(alone);
	}
	pthread_mutex_unlock(&left.lock);
}
