/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redirect.h - logins that are sent elsewhere (RFC 7143 11.13.5): always to the same address, or to the portal group of
 * the target that has the fewest sessions.
 */
#ifndef GOTGT_REDIRECT_H
#define GOTGT_REDIRECT_H

#include "iscsi/address.h"
#include "iscsi/node.h"
#include "iscsi/wire.h"

struct redirect;

/* A login, as far as it matters here. */
struct redirect_who {
	const struct portal *portal;
	const struct sockaddr_storage *from, *local;
	const char *initiator;
	const uint8_t *isid;
};

/*
 * To where a login to t goes on: out, with the status that says so; or here, LOGIN_SUCCESS.  One that comes from where
 * it was sent stays.  [any]
 */
enum login_status redirect_login(struct node *n, struct node_target *t, const struct redirect_who *who, char out[ADDRESS_MAX]);
void redirect_free(struct redirect *r);

#endif
