/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault.h - where secrets are kept while they are needed: memory that core dumps leave out, that is not swapped out where
 * that is to be had, and that is wiped when it is given back.  [any]
 */
#ifndef GOTGT_VAULT_H
#define GOTGT_VAULT_H

#include <stddef.h>

/* Copies, for vault_free().  NULL: text was NULL.  Without memory the program ends, as with g_malloc(). */
char *vault_strdup(const char *text);
char *vault_strndup(const char *bytes, size_t len);	/* a NUL behind len bytes */
void vault_free(char *text);				/* may be NULL */

#endif
