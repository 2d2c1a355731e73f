/* SPDX-License-Identifier: Apache-2.0 */
/* accounts.h - accounts of a configuration: their secrets, wherever those are, and what logins see.  [main] */
#ifndef GOTGT_ACCOUNTS_H
#define GOTGT_ACCOUNTS_H

#include "config/conf.h"
#include "iscsi/auth.h"

/* What is wrong with any account, or chap-algorithms; each secret is read for it. */
void accounts_check(const struct conf *c, GPtrArray *errors);

/* A table for accounts_make(): struct auth of each target that has accounts, by its struct conf_target; discovery's by c. */
GHashTable *accounts_table_new(void);
bool accounts_make(const struct conf *c, GHashTable *auths, GError **error);

#endif
