/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - requests to a running daemon.  [main] */
#ifndef GOTGT_CLIENT_H
#define GOTGT_CLIENT_H

#include <json-glib/json-glib.h>
#include "cli/cli.h"

/* Beyond EXIT_FAILURE and EXIT_USAGE; gotgt(1) has them. */
enum { EXIT_NO_DAEMON = 3, EXIT_NOT_FOUND = 4, EXIT_CONFLICT = 5 };

struct client;

/* host: "unix:PATH", or a path; NULL: $GOTGT_HOST, or where a daemon listens by default.  NULL: that has been said. */
struct client *client_new(const struct command *cmd, const char *host);
void client_free(struct client *c);

/* Wait for no answer longer than that. */
void client_hurry(struct client *c, unsigned seconds);

/*
 * body: taken over, or NULL.  True: *answer is what came (NULL when that is nothing; the caller's).  False: one line
 * has been said, and *status is the exit status.
 */
bool client_ask(struct client *c, const char *method, const char *path, JsonNode *body, JsonNode **answer, int *status);

#endif
