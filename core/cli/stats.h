/* SPDX-License-Identifier: Apache-2.0 */
/* stats.h - asking for what has been counted.  [main] */
#ifndef GOTGT_CLI_STATS_H
#define GOTGT_CLI_STATS_H

#include "cli/client.h"

/* What of it is wanted; NULL: all. */
struct stats_of {
	char *target, *lun;
};
bool stats_of_check(const struct command *cmd, const struct stats_of *of);
void stats_of_clear(struct stats_of *of);
/* As client_ask().  A target that is not there is said, too. */
bool stats_ask(const struct command *cmd, struct client *c, const struct stats_of *of, JsonNode **answer, int *status);

#endif
