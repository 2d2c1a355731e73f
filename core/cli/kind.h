/* SPDX-License-Identifier: Apache-2.0 */
/* kind.h - what list, show, create, set and rm can be said of.  [main] */
#ifndef GOTGT_KIND_H
#define GOTGT_KIND_H

#include <json-glib/json-glib.h>
#include "cli/cli.h"
#include "config/schema.h"

enum kind_verbs { KIND_LIST = 1, KIND_SHOW = 2, KIND_CREATE = 4, KIND_SET = 8, KIND_RM = 16, KIND_FORCE = 32 };

struct kind_column {
	const char *title, *member;
};

struct kind {
	const char *name;		/* "target" */
	unsigned verbs;
	const char *path;		/* of the list: "/v1/targets" */
	const char *below;		/* of a list in each target: "luns"; path is unused then */
	enum conf_object object;	/* whose settings are options; with KIND_CREATE or KIND_SET */
	const char *key;		/* the option that names one, or an argument does */
	const char *from;		/* where list has its rows: a path */
	const char *rows;		/* the member of that answer that has them, or NULL: it is them */
	const char *nested;		/* the member of each row that has them, to which "target" is added; or NULL */
	const struct kind_column *columns;	/* ends with a NULL title */
};

/* Of "list" and its kin. */
unsigned verb_bit(const char *name);
extern const struct kind kinds[];	/* ends with a NULL name */
const struct kind *kind_find(const char *name, unsigned verb);
/* "target, lu or session" of those that a verb can be said of. */
char *kind_names(unsigned verb);

/* An option, and where its value goes: group.row, or row. */
struct kind_row {
	const struct setting *group, *row;	/* group NULL: of the object itself */
	char *option, *value, *form;
};

/* The options that an object's settings make: each is text, and what was given. */
struct kind_options {
	GArray *entries;	/* GOptionEntry, without an end */
	GPtrArray *rows;	/* struct kind_row */
	char **settings, **unset;
};
struct kind_options *kind_options_new(const struct kind *k);
void kind_options_free(struct kind_options *o);
/* A document of what was given.  NULL: one is wrong, which has been said. */
JsonNode *kind_document(const struct command *cmd, const struct kind *k, const struct kind_options *o);

/* The rows of an answer of `from`: objects, those within others with their target, or also their place. */
JsonArray *kind_rows(const struct kind *k, JsonNode *answer);
/* What one of them is called by. */
char *kind_row_name(const struct kind *k, JsonObject *row);
/* A table of rows (objects), or the same as JSON. */
void kind_print(const struct kind *k, JsonArray *rows);
/* One object, a line a member. */
void kind_print_one(JsonNode *node);
void kind_print_json(JsonNode *node);

#endif
