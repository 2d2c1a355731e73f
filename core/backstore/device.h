/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device.h - an open backstore: its limits, what the core emulates for it, and the one place
 * that calls a plugin.  Knows nothing of SCSI: bytes, not blocks of a LUN.
 */
#ifndef GOTGT_DEVICE_H
#define GOTGT_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <glib.h>
#include <gotgt/ext-compare.h>
#include <gotgt/ext-copy.h>
#include <gotgt/ext-extents.h>
#include <gotgt/ext-memory.h>
#include <gotgt/ext-size.h>
#include "backstore/module.h"
#include "engine/engine.h"

#define DEVICE_ERROR (device_error_quark())
GQuark device_error_quark(void);
enum device_error { DEVICE_ERROR_OPEN, DEVICE_ERROR_INFO };

struct device;
struct device_io;

/* What plugins call: for module_load(). */
extern const struct gotgt_host device_host;

/* The core's own op, beside enum gotgt_op: fill the range with copies of pattern. */
#define DEVICE_OP_WRITE_SAME 64u
#define DEVICE_SUB_IOV 16

/* A place in the line for a plugin that takes one request at a time (GOTGT_PLUGIN_SERIAL). */
struct device_turn {
	struct device_turn *next;
	struct reactor *reactor;
	struct post *post;	/* posted to reactor when the turn has come */
};

/*
 * One request to a device; embedded in its owner (a task), from whose reactor it is submitted
 * and on whose reactor it completes.  The caller sets the first block, zeroes nothing else.
 */
struct device_io {
	struct gotgt_io io;	/* op, flags, offset, length, iov, iovcnt: the caller's; priv, reserved: ours */
	struct reactor *reactor;
	/* Exactly once, on reactor, perhaps before device_submit() returns. */
	void (*done)(struct device_io *dio, enum gotgt_status status);
	const uint8_t *pattern;	/* DEVICE_OP_WRITE_SAME: pattern_len bytes, divides length */
	uint32_t pattern_len;

	/* request.c's; see there. */
	struct device *dev;
	union { struct post post; struct work work; };
	struct device_turn turn;
	_Atomic uint32_t state;
	atomic_bool canceled;
	uint32_t op, flags;	/* of the pieces */
	uint8_t how;
	bool prepared, flush_due, tried;	/* tried: with GOTGT_IO_NOWAIT */
	enum gotgt_status status;
	struct buf *buf, *priv_buf;
	uint64_t at;		/* bytes done */
	uint64_t piece;		/* bytes of the one at the plugin */
	uint32_t fill;		/* bytes of buf in use: a whole number of patterns */
	uint32_t piece_op;
	struct gotgt_io sub;	/* the piece the plugin is working on */
	struct iovec sub_iov[DEVICE_SUB_IOV];
	uint64_t priv[16];	/* gotgt_io.priv where it fits */
};

/* What a device is, with the plugin's zeroes replaced by their meaning.  Constant but for size. */
struct device_info {
	uint64_t size;			/* bytes, whole blocks */
	uint32_t block_size, physical_block_size;
	uint32_t optimal_io_size, unmap_granularity;
	uint32_t flags;			/* GOTGT_DEV_*; READ_ONLY also when opened so */
	uint32_t ops;			/* GOTGT_OP_BIT(): what the plugin itself does */
	bool native_fua;
	bool lends;			/* has gotgt.memory/1 */
	bool lent_stays;		/* and what it lends cannot go away: GOTGT_MEMORY_STAYS */
	bool lent_constant;		/* and no byte of it changes, too: GOTGT_MEMORY_CONSTANT */
	bool extents;			/* has gotgt.extents/1 */
	bool copies;			/* has gotgt.copy/1 */
	bool compares;			/* has gotgt.compare/1 */
};

/*
 * Parse settings (a NULL-terminated array of alternating names and values, as text) by the
 * plugin's table and open.  m was loaded with device_host.  name is for log lines ("target iqn.x
 * lun 3").  read_only also sets the plugin's setting "readonly", if it has such a yes or no and
 * settings do not name it.  [main]
 */
struct device *device_open(struct engine *e, const struct module *m, const char *name,
			   const char *const *settings, bool read_only, GError **error);
/* Why a device that says this of itself cannot be used, NULL: it can.  [any] */
const char *device_info_wrong(const struct gotgt_dev_info *i);
/* The same for a logical unit of a target, which lines of the device are about. */
struct device_owner {
	const char *target;	/* copied; NULL: none */
	uint32_t lun;
	void *context;		/* of a program that embeds us, for its plugin's open() */
};
struct device *device_open_for(struct engine *e, const struct module *m, const char *name,
			       const char *const *settings, bool read_only, const struct device_owner *owner,
			       GError **error);
/* That pointer, by what plugins know as the LUN.  [any] */
void *device_context(struct gotgt_lun *lun);
/*
 * Call resized(data) on any thread when the plugin says the size changed, after device_size() gives
 * the new one.  NULL ends it: no call is under way when this returns.  Not from resized().  [main]
 */
void device_on_resized(struct device *dev, void (*resized)(void *data), void *data);
/* Flushes a device with a write cache, then closes it.  No request is outstanding; the reactors run.  [main] */
void device_close(struct device *dev);
/* False: the flush had no answer in so many seconds (0: it is waited for); then the device is as it was.  [main] */
bool device_close_within(struct device *dev, unsigned seconds);
/* Its plugin does not answer: workers that are with it are not waited for by others.  [any] */
void device_stuck(struct device *dev);

const struct device_info *device_info(const struct device *dev);
uint64_t device_size(const struct device *dev);
/* With what is over a block of the device, which is not used. */
uint64_t device_given_size(const struct device *dev);	/* bytes, now.  [any] */
/* Have the plugin look whether that is still so (gotgt.size/1); resized() comes within this call.  [any] */
void device_look(struct device *dev);

/*
 * Do dio->io.  FUA, ZERO, WRITE_SAME, splitting by the plugin's largest request, and alignment
 * of memory are emulated where the plugin lacks them; UNMAP of a device without it and writes to
 * a read-only device are refused (UNSUPPORTED, READ_ONLY).  [reactor dio->reactor]
 */
void device_submit(struct device *dev, struct device_io *dio);
/*
 * The same, when memory is valid only until this returns: true, and done() has been called, if
 * the device could do it at once; false, and nothing was done or will be, if not.
 */
bool device_try(struct device *dev, struct device_io *dio);
/* Ask for an early end of a submitted request; done() still comes, not within this call.  [reactor dio->reactor] */
void device_cancel(struct device *dev, struct device_io *dio);

/*
 * Borrow the device's memory (gotgt.memory/1).  Elements used, 0: use device_submit().  *status
 * is the error when the device's check found memory gone (then 0 is returned too), else GOTGT_OK.
 * Touch it with system calls only.  [reactor]
 */
uint32_t device_lend(struct device *dev, struct reactor *r, uint64_t offset, uint64_t length, bool write,
		     struct iovec *iov, uint32_t iovmax, enum gotgt_status *status);
/* It is about to be used: have the processor fetch what is looked at for each request.  [any] */
void device_fetch(const struct device *dev);
void device_reclaim(struct device *dev, const struct iovec *iov, uint32_t iovcnt);
/* A system call on lent memory said EFAULT: log it and lend no more.  [any] */
void device_lent_fault(struct device *dev);

/* An extents query, on a worker; embed it, done() comes on reactor. */
struct device_query {
	struct reactor *reactor;
	uint64_t offset, length;
	struct gotgt_extent *extents;
	uint32_t max, count;	/* count: out */
	enum gotgt_status status;	/* out; UNSUPPORTED without gotgt.extents/1 */
	void (*done)(struct device_query *q);
	struct device *dev;
	union { struct post post; struct work work; };
	struct device_turn turn;
};
/* done() comes after this returned.  [reactor q->reactor] */
void device_query(struct device *dev, struct device_query *q);

/*
 * A write, if the bytes there are as expected, in one step of the plugin (gotgt.compare/1), on a worker; embed it,
 * done() comes on reactor.
 */
struct device_compare {
	struct reactor *reactor;
	uint64_t offset, length;	/* bytes, whole blocks */
	const uint8_t *expected, *data;
	uint64_t same;			/* out, with GOTGT_OK: bytes that are as expected; all: it is written */
	enum gotgt_status status;	/* out; UNSUPPORTED: the plugin cannot, and nothing is written */
	void (*done)(struct device_compare *c);
	struct device *dev;
	union { struct post post; struct work work; };
};
/* done() comes after this returned.  [reactor c->reactor] */
void device_compare(struct device *dev, struct device_compare *c);

/*
 * A copy of a range to another device or within one; embed it, done() comes on reactor.  Ranges of one device may
 * overlap: what is there afterwards is what was to be read before.  The caller sets the first block.
 */
struct device_copy {
	struct reactor *reactor;
	struct device *from, *to;
	uint64_t from_offset, to_offset, length;	/* bytes, whole blocks of both devices */
	bool flush;		/* stable at the end */
	void (*done)(struct device_copy *c, enum gotgt_status status);

	uint64_t copied;	/* out */
	bool reading_failed;	/* out: the error is of from */
	/* copy.c's */
	atomic_bool canceled;
	bool by_plugin;
	uint64_t piece;
	struct buf *buf;
	struct iovec iov;
	struct device *at_device;	/* where dio is */
	struct device_io dio;
	struct work work;
	struct post post;
};
/* done() comes after this returned.  [reactor c->reactor] */
void device_copy(struct device_copy *c);
/* Ask for an early end; done() still comes, not within this call.  [reactor c->reactor] */
void device_copy_cancel(struct device_copy *c);

#endif
