/* SPDX-License-Identifier: Apache-2.0 */
/* plugins.h - what a configuration asks of plugins.  [main] */
#ifndef GOTGT_PLUGINS_H
#define GOTGT_PLUGINS_H

#include "backstore/module.h"
#include "config/conf.h"

/* dirs: folders separated by colons; NULL: $GOTGT_PLUGIN_PATH.  As module_dirs(). */
char **plugins_dirs(const char *dirs);
const struct module *plugins_get(const char *const *dirs, const char *name, GError **error);

/* Is it a setting that is never shown?  Of a plugin that does not load, and of what it does not know, nothing is. */
bool plugins_secret(const char *const *dirs, const char *name, const char *setting);

/*
 * Check each LUN's settings by its plugin's table.  A plugin that cannot be loaded is an error
 * only when missing_too: other LUNs can work without it.
 */
void plugins_check(const char *const *dirs, const struct conf *c, bool missing_too, GPtrArray *errors);

#endif
