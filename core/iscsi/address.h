/* SPDX-License-Identifier: Apache-2.0 */
/* address.h - internet addresses as text: where we listen, and what RFC 7143 13.8 lets a TargetAddress say.  [any] */
#ifndef GOTGT_ADDRESS_H
#define GOTGT_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_MAX 264		/* "HOST:PORT", whatever the host: a DNS name has up to 253 bytes */
#define ADDRESS_PORT 3260	/* of a TargetAddress without one (13.8) */

/* Where to listen: a numeric address; "fe80::1%eth0" with the interface, where it is link-local.  Why not, or NULL. */
const char *address_bind_wrong(const char *text);
/* "HOST" or "HOST:PORT", the host a DNS name, an IPv4 address or an IPv6 address in brackets.  Why not, or NULL. */
const char *address_target_wrong(const char *text);
/* The same text, which is right, with its port; that is `port` where it has none. */
void address_target(char out[ADDRESS_MAX], const char *text, uint16_t port);
/*
 * A socket's address without its port, in brackets when it is IPv6.  An IPv4 address mapped into IPv6 is what it stands
 * for; the scope of a link-local one, which means something on this machine alone, is left out.  False: no address.
 */
bool address_format(char out[ADDRESS_MAX], const struct sockaddr_storage *a);
/* Who is connected to `local` from there is on this machine: a loopback address, or the same one.  False when in doubt. */
bool address_is_here(const struct sockaddr_storage *from, const struct sockaddr_storage *local);
/* An IPv4 address mapped into IPv6 becomes what it stands for. */
void address_unmap(struct sockaddr_storage *a);

#endif
