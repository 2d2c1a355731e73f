/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - objects of a configuration as JSON and back, by the schema.  [main] */
#ifndef GOTGT_CONFIG_JSON_H
#define GOTGT_CONFIG_JSON_H

#include <json-glib/json-glib.h>
#include "config/conf.h"

/* What is wrong with a document, and where. */
struct wrong {
	char *field;	/* "luns[0].block-size"; "" of the whole */
	char *reason;
};
GPtrArray *wrongs_new(void);
void wrong_add(GPtrArray *wrongs, const char *field, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* Nodes of what is made by hand, which they take over. */
JsonNode *json_of_object(JsonObject *object);
JsonNode *json_of_array(JsonArray *array);
/* A member of text, which need not be UTF-8; NULL: null. */
void json_set_text(JsonObject *object, const char *name, const char *text);

/*
 * Text to a JSON object; NULL with a wrong when it is none.  Deeper than any document of ours is refused before it is
 * parsed: json-glib goes down by recursion.
 */
JsonNode *json_read(const char *text, size_t len, GPtrArray *wrongs);

/* The same before it is parsed: why it cannot be, and at which byte; NULL: it may be. */
const char *json_text_wrong(const char *text, size_t len, size_t *at);

/*
 * Settings that have a value, as an object.  Secrets, and what plugins say are theirs, are left out; plugin_dirs is
 * where those are.  NULL: with all secrets, null where there is none: all that conf_from_json() needs to make the same.
 */
JsonNode *conf_to_json(enum conf_object object, const void *obj, const char *const *plugin_dirs);
/* Without what is a list in it. */
JsonNode *conf_to_json_flat(enum conf_object object, const void *obj, const char *const *plugin_dirs);
/*
 * The text of conf_to_json(), in order, by any number of calls of write; obj NULL: of a list of such objects.  It costs
 * little memory beside.
 */
void conf_write_json(enum conf_object object, const void *obj, const GPtrArray *list, const char *const *plugin_dirs,
		     void (*write)(void *data, const char *text, size_t len), void *data);

/*
 * A document into an object.
 *
 * CONF_JSON_WHOLE: obj is new, what the document does not have keeps its default.  old is the object it takes the
 * place of, or NULL: secrets that the document does not name are kept from it, as no answer has told them; so in
 * lists, from the element with the same key.
 * CONF_JSON_PATCH: obj is what it was, only what the document has changes (RFC 7396: groups are merged, lists
 * replaced).
 *
 * null makes a setting its default.  iscsi: the defaults of a target, or of its group iscsi; NULL: those of all.
 */
enum conf_json_mode { CONF_JSON_WHOLE, CONF_JSON_PATCH };
struct conf_json {
	enum conf_json_mode mode;
	const struct params *iscsi;
	const char *const *plugin_dirs;
	GPtrArray *wrongs;
};
bool conf_from_json(const struct conf_json *j, enum conf_object object, JsonNode *node, void *obj, const void *old);

/* An object of one member or more, and behind them a list whose elements are made as they are written. */
struct json_long {
	JsonNode *head;
	const char *name;
	unsigned n;
	JsonNode *(*element)(const void *of, unsigned n);
	const void *of;
};
void json_write_long(const struct json_long *l, void (*write)(void *data, const char *text, size_t len), void *data);

/*
 * conf_from_json() of a whole configuration from its text, which is followed by a zero byte.  A target at a time, so that
 * it takes little more memory than what it makes.  has_targets: the document says which there are.
 */
enum conf_text { CONF_TEXT_READ, CONF_TEXT_NO_JSON, CONF_TEXT_WRONG };
enum conf_text conf_from_text(const struct conf_json *j, const char *text, size_t len, struct conf *conf,
			      const struct conf *old, bool *has_targets);

#endif
