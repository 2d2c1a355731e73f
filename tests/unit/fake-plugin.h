/* SPDX-License-Identifier: Apache-2.0 */
/* fake-plugin.h - a device in memory that does as it is told and writes down what it was asked. */
#ifndef FAKE_PLUGIN_H
#define FAKE_PLUGIN_H

#include <pthread.h>
#include <pthread.h>
#include "backstore/device.h"

#define FAKE_BYTES (4u << 20)
#define FAKE_CALLS 4096

enum fake_mode {
	FAKE_SYNC,	/* answers in submit() */
	FAKE_ASYNC,	/* answers from a thread of its own */
	FAKE_HOLD,	/* answers when fake_release() or cancel() says so */
	FAKE_TWICE,	/* answers twice in submit() */
	FAKE_SPOILS,	/* changes what it may not, of the request */
};

struct fake_call {
	uint32_t op, flags, iovcnt;
	uint64_t offset, length;
	bool on_reactor;
};

struct fake {
	enum fake_mode mode;
	unsigned takes_us;		/* in submit(), of FAKE_SYNC */
	unsigned stays_us;		/* there, when it has answered */
	bool miss;			/* GOTGT_IO_NOWAIT is answered with GOTGT_ERR_AGAIN */
	uint32_t unsupported;		/* ops answered so, as bits */
	enum gotgt_status fail_with;	/* of everything */
	struct gotgt_dev_info info;	/* what open() says */
	int open_result;
	const char *open_line;
	enum gotgt_status check_status;
	unsigned n_checks, n_reclaimed, n_canceled, n_closed;
	bool opened_read_only;
	uint64_t copy_max;		/* bytes a call of copy() does; 0: it cannot */
	unsigned copy_left, n_copied;	/* calls until it cannot any more; calls */
	bool no_compare;		/* compare_and_write() cannot */
	uint64_t lies_same;		/* what it says is the same; 0: the truth */
	unsigned n_compared;
	uint64_t size_seen;		/* by look(); 0: as it was */
	struct gotgt_lun *lun;
	bool keeps;
	struct gotgt_io *kept;		/* the last request, when it keeps that */

	pthread_mutex_t lock;
	struct fake_call calls[FAKE_CALLS];
	unsigned n_calls, n_inside, in_submit, most_in_submit, n_held;
	uint8_t *bytes;
};

extern struct fake fake;

/* A module over the fake, valid until the next call; flags: GOTGT_PLUGIN_*. */
struct module *fake_module(uint32_t flags, uint32_t io_priv_size);
/* Forget all of the last test. */
void fake_reset(void);
/* In FAKE_HOLD: how many are held; answer all of them. */
unsigned fake_held(void);
void fake_release(void);
/* End the thread of FAKE_ASYNC. */
void fake_stop(void);

#endif
