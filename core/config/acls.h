/* SPDX-License-Identifier: Apache-2.0 */
/* acls.h - lists of initiators: from the configuration to what logins look at.  [main] */
#ifndef GOTGT_ACLS_H
#define GOTGT_ACLS_H

#include "config/conf.h"
#include "iscsi/acl.h"

/* Patterns, prefixes, names of portals, numbers of LUNs. */
void acls_check(const struct conf *c, const struct conf_target *t, GPtrArray *errors);

/* A target's, which acls_check() has seen; portal() finds one by name.  NULL: it is open to all. */
struct acl *acls_make(const struct conf_target *t, struct portal *(*portal)(const void *of, const char *name), const void *of);

/* Who may log in, or how many, is another matter in the one than in the other. */
bool acls_differ(const struct conf_target *a, const struct conf_target *b);

/*
 * Admit a name or pattern, an address or range, or "all" (gotgt serve --allow).  False: it is none of these.
 */
bool acls_allow(struct conf_target *t, const char *who, GError **error);

#endif
