/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.h - the running server seen and changed over HTTP, on a unix socket and over TCP.  All of it is for the thread
 * whose default context answers requests (g_main_context_push_thread_default(), or the main loop's); every change is a configuration
 * that server_apply() applies.
 */
#ifndef GOTGT_CONTROL_H
#define GOTGT_CONTROL_H

#include "config/server.h"

struct control;

struct control_options {
	struct server *server;
	const char *path;		/* of the unix socket; NULL: none */
	int fd;				/* that socket, which somebody listens on already, to be copied; 0: there is none, it is made */
	const char *group;		/* who may use it beside its owner, when there is such a group; or NULL */
	const struct conf_control *remote;	/* what there is of TCP in it; NULL: nothing */
	const char *config_path;	/* what POST /v1/config/save writes; NULL: nothing can be saved */
	/* What the program adds to a configuration from outside, and takes off one that goes there; or NULL. */
	void (*complete)(struct conf *c, void *data);
	void (*strip)(struct conf *c, void *data);
	/* Around each request: the server is this thread's, or, false, about to stop; or NULL. */
	bool (*enter)(void *data);
	void (*leave)(void *data);
	/* Within these: may next be applied, and what it lacks; it has been applied.  Or NULL. */
	bool (*prepare)(struct conf *next, void *data, GError **error);
	void (*applied)(void *data);
	/* Nobody else has written path since it was read; we have, what has this conf_fingerprint().  Or NULL. */
	bool (*may_save)(const char *path, void *data, GError **error);
	void (*saved)(const char *path, const char *sum, void *data);
	void *data;
};

#define CONTROL_CONNECTIONS_MAX 64u	/* of each socket */
#define CONTROL_HANDSHAKES_MAX 8u	/* of all; GLib has each wait on one of the 10 threads it has at once */
#define CONTROL_BODY_MAX (32u << 20)	/* bytes */
#define CONTROL_IDLE_S 30u		/* no byte for so long ends a connection */
#define CONTROL_LIFE_S 600u		/* so does this, whatever it does */
#define CONTROL_STRANGER_S 15u		/* over TCP, until it has shown a token */

/* What is wrong with addresses, token or certificate, as lines "OBJECT: REASON"; their files are read for it.  [any] */
void control_check(const struct conf_control *cc, GPtrArray *errors);
/* A socket that nobody listens on is replaced, one that somebody does is an error. */
struct control *control_new(const struct control_options *o, GError **error);
/* Connections end, the socket file goes. */
void control_free(struct control *c);
/*
 * What runs is what the file says: unsaved changes are gone; token and certificate are read again.  By whoever has
 * entered.
 */
void control_reloaded(struct control *c);
/* What runs has been saved to a file, which may be ours.  Likewise. */
void control_saved(struct control *c, const char *path);
/* NULL: no unix socket. */
const char *control_path(const struct control *c);
/* Where the socket is by default: of a service, of root, of a user.  For g_free(). */
char *control_default_path(void);

#endif
