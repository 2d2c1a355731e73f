/* SPDX-License-Identifier: Apache-2.0 */
/* secret.h - secrets in files of their own: those of accounts, and the token of the control interface.  [main] */
#ifndef GOTGT_SECRET_H
#define GOTGT_SECRET_H

#include <stdbool.h>
#include <glib.h>
#include "iscsi/chap.h"

#define SECRET_MAX CHAP_SECRET_MAX	/* bytes; what is longer is read as SECRET_MAX + 1 or more */

/*
 * What a file has, without a newline at its end; for vault_free().  It has to be a file of ours or root's, with no access
 * for group and others; a credential is as the service manager made it.
 */
char *secret_read(const char *path, bool credential, GError **error);

#endif
