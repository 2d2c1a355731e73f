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

#endif
