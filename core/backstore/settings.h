/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h - text to a plugin's configuration struct, by the plugin's own table. */
#ifndef GOTGT_SETTINGS_H
#define GOTGT_SETTINGS_H

#include <stdbool.h>
#include <glib.h>
#include <gotgt/plugin.h>

#define SETTINGS_ERROR (settings_error_quark())
GQuark settings_error_quark(void);
enum settings_error { SETTINGS_ERROR_UNKNOWN, SETTINGS_ERROR_VALUE, SETTINGS_ERROR_MISSING };

struct settings;

/*
 * pairs: alternating names and values, ended by NULL; NULL: none.  An error names the plugin, the
 * setting, the value (not a secret one) and the reason.  [main]
 */
struct settings *settings_parse(const struct gotgt_plugin *p, const char *const *pairs, GError **error);
void settings_free(struct settings *s);			/* s may be NULL; secrets are wiped */
const void *settings_conf(const struct settings *s);	/* conf_size bytes, with the strings it points to */

/* The table's row of that name, NULL: none. */
const struct gotgt_param *settings_find(const struct gotgt_plugin *p, const char *name);
/* The setting that PLUGIN:PATH sets, NULL: none. */
const char *settings_path_name(const struct gotgt_plugin *p);
/* "string", "yes or no", "number", "size". */
const char *settings_type_name(uint32_t type);

/* Whole decimal numbers; a size may end in K, M, G, T, P (powers of 1024, either case, "KiB" as well). */
bool settings_parse_size(const char *text, uint64_t *bytes);
bool settings_parse_uint(const char *text, uint64_t *number);
bool settings_parse_bool(const char *text, bool *value);

#endif
