/* SPDX-License-Identifier: Apache-2.0 */
/* portal.h - a listening socket.  Its reactor is the first one; connections go to the least loaded. */
#ifndef GOTGT_PORTAL_H
#define GOTGT_PORTAL_H

#include "iscsi/node.h"

/* Bind and listen, accept nothing yet.  [main] */
struct portal *portal_new(struct node *n, const char *addr, uint16_t port, uint16_t tag, GError **error);
/* On a socket that listens already and does not block; it is ours from here.  [main] */
struct portal *portal_new_on(struct node *n, int fd, uint16_t tag);
/* Accept from now on; stop.  [main] */
void portal_open(struct portal *p);
void portal_close(struct portal *p);
void portal_free(struct portal *p);

/* What came through it, by reactor.  [any] */
struct stats_set *portal_stats(const struct portal *p);
/* Connections it has.  With node->lock.  [any] */
unsigned portal_connections(const struct portal *p);
/* One of them is gone; NULL does nothing.  With node->lock.  [any] */
void portal_conn_over(struct portal *p);

#endif
