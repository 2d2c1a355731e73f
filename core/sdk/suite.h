/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suite.h - what every plugin must do, asked through the ABI alone: the host is the suite's own.
 * It writes over the first, the middle and the last SUITE_AREA_BYTES of the device it is given.  [main]
 */
#ifndef GOTGT_SUITE_H
#define GOTGT_SUITE_H

#include <stdbool.h>
#include "backstore/module.h"

#define SUITE_AREA_BYTES (1u << 20)
#define SUITE_LIMIT_S 60u

/* To load the plugin with. */
extern const struct gotgt_host suite_host;

struct suite_conf {
	const struct module *module;
	const char *const *settings;	/* names and values, NULL-terminated; opens the same device each time */
	bool forgets;			/* what is written is not kept: reads give zeroes */
	bool loses;			/* closing the device loses what was written */
	bool verbose;			/* the plugin's log lines go to standard error */
	unsigned limit_s;		/* seconds that a case may take, 0: SUITE_LIMIT_S */
};

enum suite_verdict { SUITE_PASSED, SUITE_SKIPPED, SUITE_FAILED };
struct suite_result {
	enum suite_verdict verdict;
	char why[512];			/* unless passed */
};

/* The n-th case's name, NULL past the end. */
const char *suite_case(unsigned n);
/*
 * In this process: a plugin that crashes or hangs takes it along, and one that never answers ends it
 * as below.  contain.h has the same in a process of its own.
 */
void suite_run_case(const struct suite_conf *conf, unsigned n, struct suite_result *r);
/*
 * Open the device, and with read see whether there is anything but zeroes where the suite writes:
 * passed, it opens and there is not; skipped, there is; failed, it does not open or cannot be read.
 */
void suite_look(const struct suite_conf *conf, bool read, struct suite_result *r);
/*
 * A case that takes two processes: the first half ends its own with SIGKILL when it has written, or says what
 * prevented it; the second looks at what is there.  suite_run_case() skips it.
 */
bool suite_has_halves(unsigned n);
void suite_run_half(const struct suite_conf *conf, unsigned n, bool second, struct suite_result *r);

/* What is going on, in memory that outlives the process when contain.c has put it there. */
struct suite_note {
	char doing[192];		/* the last call into the plugin */
	bool killing;			/* the process ends itself, on purpose */
	bool finished;			/* result is there */
	struct suite_result result;
};
/* From now on note is used, and a request that is never answered ends the process with a result in it; else abort(). */
void suite_contain(struct suite_note *note);
/* The process is about to end itself, on purpose. */
void suite_killing(void);
/* What is being done with the plugin.  [any] */
void suite_doing(const char *what);

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
enum gotgt_status suite_io(struct suite_dev *d, uint32_t op, uint32_t flags, uint64_t offset, void *data,
			   uint64_t length);

#endif
