/* SPDX-License-Identifier: Apache-2.0 */
/* listen.h - a unix socket in the file system, and a TCP socket.  [main] */
#ifndef GOTGT_LISTEN_H
#define GOTGT_LISTEN_H

#include <gio/gio.h>

/*
 * Listen at path, mode 0660, of a group when it exists (NULL: the process's); its folder is made, 0755, where it is
 * missing.  A socket of somebody who is gone is replaced; anything else there is an error.
 */
GSocket *listen_unix(const char *path, const char *group, GError **error);
/* One that listens already. */
GSocket *listen_copy(int fd, GError **error);
/* IPv6 alone where it is IPv6.  *port is the one that is bound. */
GSocket *listen_tcp(GInetSocketAddress *a, unsigned *port, GError **error);

#endif
