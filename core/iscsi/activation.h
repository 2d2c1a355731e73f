/* SPDX-License-Identifier: Apache-2.0 */
/*
 * activation.h - listening sockets that the service manager opened for us (sd_listen_fds(3)).  The protocol is three
 * variables of the environment and descriptors from 3 on, so libsystemd is not needed.  [main]
 */
#ifndef GOTGT_ACTIVATION_H
#define GOTGT_ACTIVATION_H

#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

/*
 * Look for them, once, before there are threads; the variables are taken out of the environment.  Only programs call
 * this: what a library's host was given is its own.  False: one is no listening TCP or unix
 * socket, or the variables are wrong.
 */
bool activation_take(GError **error);
/* The socket of this name, else one bound to this numeric address and port; the caller's from here.  -1: none. */
int activation_claim(const char *name, const char *address, uint16_t port);
/* The unix socket, which can only be for control, whatever its name, and its path; the caller's from here.  -1: none. */
int activation_claim_unix(char **path);
/* False: some are left that nobody has claimed. */
bool activation_used(GError **error);
/* "ADDR:PORT" of each that is TCP; NULL: there are none. */
char **activation_portals(void);

#endif
