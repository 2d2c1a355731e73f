/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logins.h - connections that have not logged in: how many there may be, and which has to go.  When there is one too many,
 * the oldest goes, of that address which has the most of them: a login that goes on does not take long, and one that is
 * only begun keeps nobody out.  All with node->lock.  [any]
 */
#ifndef GOTGT_LOGINS_H
#define GOTGT_LOGINS_H

#include "iscsi/node.h"

struct conn;

/* For a new node's logging_in, empty. */
GArray *logins_new(void);
/* One more from there.  False: there is no room for it. */
bool logins_begin(struct node *n, const struct sockaddr_storage *from);
/* It is this one. */
void logins_add(struct node *n, struct conn *c);
/* It is logged in, or gone; twice is once. */
void logins_over(struct node *n, struct conn *c);

#endif
