/* SPDX-License-Identifier: Apache-2.0 */
/* landlock.h - a process that opens files in some folders alone, for good: see gotgt.conf(5), confine-paths.  [main] */
#ifndef GOTGT_LIB_LANDLOCK_H
#define GOTGT_LIB_LANDLOCK_H

#include <stdbool.h>
#include <glib.h>
#include "config/conf.h"

/*
 * From here on this thread, and those it makes, open files beneath c->confine_paths, and where the configuration and the
 * system have some.  After no_new_privs.  *missing, with false: it is not to be had here.
 */
bool landlock_start(const struct conf *c, char *const *plugin_dirs, bool *missing, GError **error);

/* What is wrong with one of c->confine_paths, or NULL. */
const char *landlock_wrong(const char *path);

#endif
