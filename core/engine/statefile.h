/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statefile.h - small files of state that outlive a crash: after a power loss or kill -9 at any moment a file is as
 * the last statefile_save() that returned 0 left it, or as the one under way would have.  Everything here blocks:
 * [main] or a worker, and one caller at a time for one file.
 */
#ifndef GOTGT_STATEFILE_H
#define GOTGT_STATEFILE_H

#include <stddef.h>
#include <stdint.h>

#define STATEFILE_MAX (16u << 20)	/* bytes of data */

/* Something can be saved in DIR, which is made where it is missing: 0, or a negative errno. */
int statefile_ready(const char *dir);
/* Write DIR/NAME, mode 0600; makes DIR (0700) where it is missing.  0, or a negative errno and the old file is there. */
int statefile_save(const char *dir, const char *name, const void *data, size_t len);
/*
 * The same of any file, with nothing in front: where there is one, the new one has its mode and, when this can be, its
 * owner, and a symbolic link stays one.  One that is new has mode 0600.  keep: what was there stays, with this added to its
 * name, in place of what had that name; or NULL.  secret: not for everybody, whatever mode there was.
 */
int statefile_replace_text(const char *path, const char *text, bool secret, const char *keep);
/* 0 and *data (for g_free(), a zero behind it), -ENOENT, -EBADMSG (not as it was written), or what open() says. */
int statefile_load(const char *dir, const char *name, uint8_t **data, size_t *len);
/* Durably; 0 also when there is none.  A negative errno: it was put back. */
int statefile_remove(const char *dir, const char *name);
/* Put a file that is no good out of the way, as NAME.bad. */
int statefile_set_aside(const char *dir, const char *name);

#endif
