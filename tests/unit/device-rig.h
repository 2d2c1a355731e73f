/* SPDX-License-Identifier: Apache-2.0 */
/* device-rig.h - an engine, a log that is kept, and requests from the test's thread. */
#ifndef DEVICE_RIG_H
#define DEVICE_RIG_H

#include <errno.h>
#include <string.h>
#include "fake-plugin.h"

extern struct engine *engine;

/* The engine, the log; each test starts with a fresh fake.  Returns what main() does. */
struct device_test { const char *path; void (*test)(void); };
int device_rig_main(int argc, char **argv, const struct device_test *tests, size_t n);
/* All lines of this test, each with its newline. */
void assert_logged(const char *all);

struct req {
	struct device_io dio;
	struct device *dev;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned n_done;
	enum gotgt_status status;
	struct iovec iov[40];
	bool tried;
};

/* For reactor_call(): arg is a struct req. */
void req_submit(void *arg);
void req_try(void *arg);
void req_cancel(void *arg);

void req_init(struct req *q, struct device *dev, uint32_t op, uint64_t offset, void *data, size_t length);
void req_start(struct req *q);
enum gotgt_status req_wait(struct req *q);
/* Start and wait. */
enum gotgt_status do_io(struct device *dev, uint32_t op, uint32_t flags, uint64_t offset, void *data, size_t length);
enum gotgt_status do_same(struct device *dev, uint64_t offset, uint64_t length, const void *pattern, uint32_t len);

/* A device on the fake, or the test ends. */
struct device *open_fake(uint32_t flags);
/* The n-th call the fake had. */
void expect_call(unsigned n, uint32_t op, uint32_t flags, uint64_t offset, uint64_t length);
bool all_are(const uint8_t *at, size_t n, uint8_t value);

#endif
