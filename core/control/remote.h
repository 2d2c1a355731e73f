/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote.h - what it takes to be asked from elsewhere: addresses, a token (RFC 6750), TLS.  Whoever may ask can do what
 * the daemon's user can, so there is no way in without a token but by a setting that says so, and no token in the clear
 * beyond this machine.  Of the thread that
 * answers, but for what is said otherwise.
 */
#ifndef GOTGT_REMOTE_H
#define GOTGT_REMOTE_H

#include <gio/gio.h>
#include <libsoup/soup.h>
#include "config/conf.h"

#define REMOTE_TOKEN_MIN 16u	/* characters */

struct remote;

/* NULL without an error: there are no addresses. */
struct remote *remote_new(const struct conf_control *cc, GError **error);
void remote_free(struct remote *m);
/* The token and the certificate as their files have them now; when one is no good, both are as before. */
bool remote_reload(struct remote *m, GError **error);	/* by any thread */

/* "ADDRESS:PORT", the n-th; NULL: there are no more. */
GInetSocketAddress *remote_address(const struct remote *m, unsigned n);
/* "https" or "tcp" */
const char *remote_scheme(const struct remote *m);
/* A connection's TLS, which is still to shake hands; NULL without an error: there is none. */
GTlsConnection *remote_tls(struct remote *m, GIOStream *stream, GError **error);

/* Why a request is refused, from its headers. */
struct refusal {
	unsigned status;		/* HTTP; 0: it is not */
	const char *reason, *challenge;	/* challenge: WWW-Authenticate, or NULL */
};
struct refusal remote_refusal(struct remote *m, SoupMessageHeaders *h, bool loopback);

#endif
