/* SPDX-License-Identifier: Apache-2.0 */
/* ask.h - requests to a control socket, and what it answers. */
#ifndef LIB_ASK_H
#define LIB_ASK_H

#include <glib.h>
#include <stdbool.h>

struct answer {
	int status;	/* of HTTP; 0: the connection ended before it */
	char *text;	/* with its header, for g_free() */
};

int ask_dial(const char *sock);		/* -1: nobody listens */
/* False: the connection has ended. */
bool ask_send(int fd, const char *method, const char *where, const char *body);
struct answer ask_take(int fd);		/* closes it */
struct answer ask(const char *sock, const char *method, const char *where, const char *body);

#endif
