/* SPDX-License-Identifier: Apache-2.0 */
/* fake-device.h - device.h's functions over memory, doing what a test tells them to. */
#ifndef FAKE_DEVICE_H
#define FAKE_DEVICE_H

#include <pthread.h>
#include "backstore/device.h"

struct device {
	pthread_mutex_t lock;		/* what was done, when several reactors do it */
	struct device_info info;
	uint8_t *ram;
	void (*resized)(void *data);
	void *resized_data;
	bool closed;
	uint64_t size_seen;		/* what device_look() finds; 0: no other */

	/* What to do. */
	enum gotgt_status fail;		/* of requests with fail_op, after fail_after more of them */
	uint32_t fail_op, fail_after;
	enum gotgt_status lend_fail, query_fail;
	bool no_try;			/* device_try() declines */
	bool hold;			/* requests wait for fake_let_go(), as queries always do */
	bool post;			/* requests complete from the reactor's loop */
	unsigned lend_pieces;		/* 0: one */
	bool shrinks;			/* under requests: those beyond its end fail */
	struct gotgt_extent extents[8];
	uint32_t n_extents;

	/* What was done. */
	unsigned submits, tries, lends, reclaims, faults, cancels, flushes, unmaps, stuck;
	uint32_t last_op, last_flags;
	uint64_t last_offset, last_length;
	struct device_io *held;
	struct device_query *held_query;
	struct device_compare *held_compare;	/* until fake_compare_on() */
};

/* The one copy under way, until it is told to go on. */
extern struct device_copy *fake_copy;
void fake_copy_on(void);

/* The one comparison under way ends: so, or (OK) as the bytes are. */
void fake_compare_on(struct device *dev, enum gotgt_status status);

struct device *fake_new(uint64_t size, uint32_t block_size, uint32_t flags, uint32_t ops);
void fake_free(struct device *dev);
void fake_let_go(struct device *dev, enum gotgt_status status);
void fake_resize(struct device *dev, uint64_t size);

#endif
