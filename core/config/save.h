/* SPDX-License-Identifier: Apache-2.0 */
/* save.h - a configuration as the text of a file that conf_read() reads back the same.  [main] */
#ifndef GOTGT_SAVE_H
#define GOTGT_SAVE_H

#include "config/conf.h"

/* What is as by default is left out.  NULL with an error: a plugin's setting has a name no file can have. */
char *conf_text(const struct conf *c, GError **error);
/*
 * That text in place of a file, at once and durably (engine/statefile.h).  Secrets are in it, as in any such file.  A file in
 * which somebody wrote what no such text has, a comment or an include, is kept as PATH~; so is any, with keep.  With secrets in
 * it, it is no longer for everybody.  sum: its conf_fingerprint() is put there, or NULL.
 */
bool conf_save(const struct conf *c, const char *path, bool keep, char **sum, GError **error);
/* What tells one content of a regular file from another, for g_free(); -errno: it cannot be told. */
int conf_fingerprint(const char *path, char **sum);

#endif
