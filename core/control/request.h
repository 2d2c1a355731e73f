/* SPDX-License-Identifier: Apache-2.0 */
/* request.h - one request, and the ways to answer it.  Each is answered once.  [main] */
#ifndef GOTGT_REQUEST_H
#define GOTGT_REQUEST_H

#include <libsoup/soup.h>
#include "config/json.h"
#include "control/control.h"

struct route;

struct request {
	struct control *control;
	SoupServerMessage *msg;
	const struct route *route;
	char **steps;		/* of the path, decoded, behind the version */
	char *across;		/* the target in the path of a list across targets, see across.c; or NULL */
	GHashTable *query;
	GPtrArray *wrongs;
	bool part;		/* see change_begin() */
	const char *iqn;	/* then: of the target */
	bool answered;
};

/* ?NAME, ?NAME=1, ?NAME=true */
bool request_flag(const struct request *r, const char *name);
/*
 * What stands behind '?' of a change is what its route takes: a dry run that is misspelt must not be the real one.
 * False: it is not, and that has been answered.
 */
bool request_query_check(struct request *r);
/* False: it says that it is no JSON, and that has been answered. */
bool request_takes_body(struct request *r);
/* The body as a JSON object; NULL: that has been answered. */
JsonNode *request_body(struct request *r);
bool request_has_body(const struct request *r);
const char *request_header(const struct request *r, const char *name);

/* node is taken over. */
void answer_json(struct request *r, unsigned status, JsonNode *node);
/* An object, or (obj NULL) a list of them; see conf_write_json(). */
void answer_conf(struct request *r, unsigned status, enum conf_object object, const void *obj, const GPtrArray *list);
/* What it has is taken over. */
void answer_long(struct request *r, struct json_long *l);
void answer_text(struct request *r, const char *type, const char *text);
void answer_none(struct request *r);
void answer_header(struct request *r, const char *name, const char *value);
/* RFC 9457, application/problem+json; more: members to add, taken over, or NULL. */
void answer_problem(struct request *r, unsigned status, JsonObject *more, const char *fmt, ...) G_GNUC_PRINTF(4, 5);
/* r->wrongs, each with its field and reason. */
void answer_wrongs(struct request *r, unsigned status);

#endif
