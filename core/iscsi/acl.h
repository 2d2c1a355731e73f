/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acl.h - which initiators a target admits, by name, address and portal, and what each sees of it.  A list does not change
 * once logins can see it; references are counted.  [any]
 */
#ifndef GOTGT_ACL_H
#define GOTGT_ACL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "scsi/view.h"

struct portal;

/* A range of addresses, IPv4 or IPv6. */
struct acl_prefix {
	sa_family_t family;
	uint8_t len;		/* bits */
	uint8_t bytes[16];	/* network order */
};
/* "10.0.0.0/8", "::1"; why it is none, or NULL. */
const char *acl_prefix_parse(const char *text, struct acl_prefix *p);

/* Who comes. */
struct acl_who {
	const char *initiator;			/* iSCSI name */
	struct sockaddr_storage from;		/* other families match no prefix */
	const struct portal *portal;
};

struct acl;
/* Without a rule it admits nobody. */
struct acl *acl_new(void);
/*
 * A rule after those there are; the first that matches counts.  Names: patterns with * and ?, in any case; NULL: any.
 * No prefix: any address; no portal: any.  view: a reference that is taken over, or NULL.
 */
void acl_add(struct acl *a, const char *const *names, const struct acl_prefix *prefixes, unsigned n_prefixes,
	     struct portal *const *portals, unsigned n_portals, struct lun_view *view);
struct acl *acl_ref(struct acl *a);	/* NULL stays NULL */
void acl_unref(struct acl *a);
/* Is there a way in for him?  *view (may be NULL) is then a new reference, or NULL.  a NULL: it is open to all. */
bool acl_admits(const struct acl *a, const struct acl_who *who, struct lun_view **view);

#endif
