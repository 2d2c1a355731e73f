/* SPDX-License-Identifier: Apache-2.0 */
/* device-internal.h - what device.c and request.c share. */
#ifndef GOTGT_DEVICE_INTERNAL_H
#define GOTGT_DEVICE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <gotgt/ext-threads.h>
#include "backstore/device.h"
#include "backstore/settings.h"
#include "backstore/trial.h"
#include "engine/lines.h"

struct device {
	struct engine *engine;
	const struct gotgt_plugin *ops;
	void *handle;			/* the plugin's */
	struct device_info info;
	/* So far one line of the cache, and here is the next: what a READ or WRITE looks at. */
	_Atomic uint64_t size;
	struct gotgt_memory memory;	/* copies, zero what the plugin lacks */
	struct lending *lending;	/* one a reactor; NULL where nothing is to be known */
	atomic_bool lent_fault, broken;	/* broken: a breach of the contract has been logged */
	uint32_t max_io_size;		/* whole blocks, 0: any */
	uint32_t mem_align;		/* 1: any */

	_Atomic uint64_t given_size;	/* with what is over a block, which is not used */
	struct gotgt_extents extents;
	struct gotgt_copy copy;
	struct gotgt_compare compare;
	struct gotgt_size look;
	char *name;
	char *target;			/* or NULL */
	uint32_t lun;
	struct log_plugin *log_plugin;
	struct settings *settings;
	void *context;
	struct workers_gate gate;	/* to the workers; work that device_close() has to outlive */
	struct workers_gate writes;	/* the same for writes of GOTGT_DEV_ONE_WRITER: one at a time */

	pthread_mutex_t lock;		/* the rest */
	bool opening;
	char *open_error;
	void (*resized)(void *data);
	void *resized_data;
	bool serial_busy;
	struct device_turn *serial_head, **serial_tail;
};

/* What the plugin knows as its LUN is our device. */
static inline struct device *device_of(struct gotgt_lun *lun)
{
	return (struct device *)lun;
}

/* What a reactor knows of it; in lines of the cache of its own. */
struct lending {
	uint64_t batch;			/* in which gotgt_memory.check() gave this status */
	enum gotgt_status status;
	struct trial trial;		/* of memory that may go */
} __attribute__((__aligned__(LINE_BYTES)));

/* gotgt_host.io_done.  [any] */
void request_io_done(struct gotgt_io *io, enum gotgt_status status);
/* threads.c */
extern const struct gotgt_threads device_threads;
/* A function of a plugin, on a reactor: what it answers is not gone on with before it has returned. */
void request_call(void (*fn)(void *arg), void *arg);
/* Its device is closed: who answers it once more is not listened to. */
void request_io_gone(struct device_io *dio);
/* Have a worker run it, with others of this device.  [any] */
void device_to_worker(struct device *dev, struct work *work);
/* The same for a plain write: one of them at a time where the device says GOTGT_DEV_ONE_WRITER.  [any] */
void device_write_to_worker(struct device *dev, struct work *work);
/* The plugin broke its contract: say so, once a device.  [any] */
void device_breach(struct device *dev, const char *what);

/* GOTGT_PLUGIN_SERIAL: true: it is our turn now; false: t->post is posted when it is.  [any] */
bool device_serial_take(struct device *dev, struct device_turn *t);
/* The same without queueing. */
bool device_serial_try(struct device *dev);
void device_serial_give(struct device *dev);
/* Out of the line again; false: its turn has come already. */
bool device_serial_leave(struct device *dev, struct device_turn *t);

#endif
