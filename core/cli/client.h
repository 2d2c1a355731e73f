/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - requests to a running daemon.  [main] */
#ifndef GOTGT_CLIENT_H
#define GOTGT_CLIENT_H

#include <json-glib/json-glib.h>
#include "cli/cli.h"

/* Beyond EXIT_FAILURE and EXIT_USAGE; gotgt(1) has them. */
enum { EXIT_NO_DAEMON = 3, EXIT_NOT_FOUND = 4, EXIT_CONFLICT = 5 };

struct client;

/*
 * host: "unix:PATH", a path, "tcp://ADDR:PORT" or "https://HOST:PORT"; NULL: $GOTGT_HOST, or where a daemon listens by
 * default.  A token, and whom to trust for a certificate, are $GOTGT_TOKEN_FILE and $GOTGT_CACERT, which CLIENT_OPTIONS
 * set.  NULL: that has been said.
 */
struct client *client_new(const struct command *cmd, const char *host);
/* For GOption: the variable that an option is. */
gboolean client_option(const gchar *name, const gchar *value, gpointer data, GError **error);
#define CLIENT_OPTIONS \
	{ "token-file", 0, G_OPTION_FLAG_FILENAME, G_OPTION_ARG_CALLBACK, (gpointer)client_option, \
	  "File with the daemon's token, of mode 600, for tcp:// and https://", "FILE" }, \
	{ "cacert", 0, G_OPTION_FLAG_FILENAME, G_OPTION_ARG_CALLBACK, (gpointer)client_option, \
	  "File with the certificate of who signs the daemon's, for https://", "FILE" }
void client_free(struct client *c);

/* Wait for no answer longer than that. */
void client_hurry(struct client *c, unsigned seconds);

/*
 * body: taken over, or NULL.  True: *answer is what came (NULL when that is nothing; the caller's).  False: one line
 * has been said, and *status is the exit status.
 */
bool client_ask(struct client *c, const char *method, const char *path, JsonNode *body, JsonNode **answer, int *status);

#endif
