/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suite.h - what every plugin must do, asked through the ABI alone: the host is the suite's own.
 * It writes over the device it is given.
 */
#ifndef SUITE_H
#define SUITE_H

#include <stdbool.h>
#include "backstore/module.h"

/* To load the plugin with. */
extern const struct gotgt_host suite_host;

struct suite_conf {
	const struct module *module;
	const char *const *settings;	/* names and values, NULL-terminated; opens the same device each time */
	bool forgets;			/* what is written is not kept: reads give zeroes */
};

/* What a case returns instead of a reason when it does not apply. */
extern const char suite_skipped[];

/* The n-th case's name, NULL past the end. */
const char *suite_case(unsigned n);
/* NULL: passed; suite_skipped; or the reason, valid until the next call. */
const char *suite_run_case(const struct suite_conf *conf, unsigned n);
/* All of them; report (may be NULL) hears of each.  The number that failed. */
unsigned suite_run(const struct suite_conf *conf, void (*report)(void *data, const char *name, const char *why), void *data);

/* A device opened by hand, for tests of one plugin's own. */
struct suite_dev {
	const struct gotgt_plugin *ops;
	struct settings *settings;
	struct gotgt_dev_info info;
	void *handle;
};
/* False: *error is what the plugin, or the settings, said. */
bool suite_open(struct suite_dev *d, const struct module *m, const char *const *settings, char **error);
void suite_close(struct suite_dev *d);
/* One request of one element, waited for. */
enum gotgt_status suite_io(struct suite_dev *d, uint32_t op, uint32_t flags, uint64_t offset, void *data, uint64_t length);

#endif
