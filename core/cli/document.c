/* SPDX-License-Identifier: Apache-2.0 */
/* document.c - what the options of a kind were given, as a document for the daemon. */
#include "config.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cli/kind.h"
#include "config/json.h"

#define SECRET_MAX 4096

/* A file's text without the newline at its end, "-" standard input; to be wiped. */
static char *read_secret(const char *path, GError **error)
{
	char *text = NULL;
	gsize len;

	if (!g_str_equal(path, "-")) {
		if (!g_file_get_contents(path, &text, &len, error))
			return NULL;
	} else {
		text = g_malloc0(SECRET_MAX);
		if (!fgets(text, SECRET_MAX, stdin))
			*text = '\0';
	}
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static JsonNode *names_node(const char *text)
{
	g_auto(GStrv) names = g_strsplit(text, ",", -1);
	JsonArray *array = json_array_new();

	for (char **name = names; *name; name++)
		json_array_add_string_element(array, g_strstrip(*name));
	return json_of_array(array);
}

/* Parsed here too, so that a wrong one is known before anything is asked. */
static JsonNode *scalar_node(const struct setting *s, const char *text, GError **error)
{
	void *scratch = schema_new(s->object);
	JsonNode *node = NULL;
	uint32_t n;

	if (setting_parse(s, text, scratch, error)) {
		memcpy(&n, setting_field(s, scratch), sizeof n);
		node = json_node_alloc();
		if (s->type == SETTING_UINT)
			json_node_init_int(node, n);
		else if (s->type == SETTING_BOOL)
			json_node_init_boolean(node, n != 0);
		else
			json_node_init_string(node, text);
	}
	schema_free(s->object, scratch);
	return node;
}

/* The setting that stands at a place among those of an object, or NULL. */
static const struct setting *setting_at(enum conf_object object, unsigned at)
{
	const struct setting *s = schema_next(object, NULL);

	while (s && at--)
		s = schema_next(object, s);
	return s;
}

/* NAME=VALUE, the name of what is yes or no, or the value of the next setting in the schema's order. */
static bool add_word(JsonObject *element, enum conf_object object, unsigned *at, const char *word, GError **error)
{
	const char *equals = strchr(word, '='), *value = equals ? equals + 1 : "yes";
	g_autofree char *name = equals ? g_strndup(word, (gsize)(equals - word)) : g_strdup(word);
	const struct setting *s = schema_find(object, name);
	JsonNode *node;

	if (!equals && (!s || s->type != SETTING_BOOL)) {
		s = setting_at(object, (*at)++);
		value = word;
	}
	if (!s || s->type > SETTING_STRING) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "unexpected \"%s\"", word);
		return false;
	}
	node = scalar_node(s, value, error);
	if (node)
		json_object_set_member(element, s->name, node);
	else
		g_prefix_error(error, "%s: ", s->name);
	return node != NULL;
}

/* One word where there must be two is both. */
static bool complete(JsonObject *element, enum conf_object object, GError **error)
{
	const struct setting *s = NULL;
	JsonNode *before = NULL;

	while ((s = schema_next(object, s))) {
		if (s->required && !json_object_has_member(element, s->name)) {
			if (!before) {
				g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s is missing", s->name);
				return false;
			}
			json_object_set_member(element, s->name, json_node_copy(before));
		}
		if (s->required)
			before = json_object_get_member(element, s->name);
	}
	return true;
}

static JsonObject *element_object(enum conf_object object, const char *text, GError **error)
{
	g_auto(GStrv) words = g_strsplit(text, ":", -1);
	JsonObject *element = json_object_new();
	unsigned at = 0;
	bool ok = true;

	for (char **word = words; *word && ok; word++)
		ok = add_word(element, object, &at, g_strstrip(*word), error);
	if (ok && complete(element, object, error))
		return element;
	g_prefix_error(error, "\"%s\": ", text);
	json_object_unref(element);
	return NULL;
}

/* Elements with commas between them; no text is a list of none. */
static JsonNode *list_node(enum conf_object object, const char *text, GError **error)
{
	g_auto(GStrv) texts = g_strsplit(text, ",", -1);
	JsonArray *array = json_array_new();

	for (char **t = texts; *t; t++) {
		JsonObject *element = element_object(object, *t, error);

		if (!element) {
			json_array_unref(array);
			return NULL;
		}
		json_array_add_object_element(array, element);
	}
	return json_of_array(array);
}

static JsonNode *value_node(const struct kind_row *r, GError **error)
{
	if (r->row->type == SETTING_NAMES)
		return names_node(r->value);
	if (r->row->type == SETTING_LIST)
		return list_node(r->row->child, r->value, error);
	return scalar_node(r->row, r->value, error);
}

static JsonObject *part(JsonObject *o, const char *name)
{
	if (!json_object_has_member(o, name))
		json_object_set_object_member(o, name, json_object_new());
	return json_object_get_object_member(o, name);
}

static bool add_value(const struct command *cmd, const struct kind_row *r, JsonObject *doc)
{
	JsonObject *o = r->group ? part(doc, r->group->name) : doc;
	g_autoptr(GError) error = NULL;
	JsonNode *node = NULL;
	char *secret;

	if (r->row->secret) {
		secret = read_secret(r->value, &error);
		if (secret) {
			node = json_node_init_string(json_node_alloc(), secret);
			explicit_bzero(secret, strlen(secret));
			g_free(secret);
		}
	} else {
		node = value_node(r, &error);
	}
	if (error)
		cli_usage(cmd, "--%s: %s", r->option, error->message);
	else
		json_object_set_member(o, r->row->name, node);
	return !error;
}

static bool add_pairs(const struct command *cmd, char **settings, JsonObject *doc)
{
	for (char **pair = settings; pair && *pair; pair++) {
		char *equals = strchr(*pair, '=');

		if (!equals) {
			cli_usage(cmd, "--setting %s: expected KEY=VALUE", *pair);
			return false;
		}
		*equals = '\0';
		json_object_set_string_member(part(doc, "settings"), *pair, equals + 1);
	}
	return true;
}

/* A secret is called as in the file there. */
static const struct kind_row *row_called(const struct kind_options *o, const char *name)
{
	for (unsigned i = 0; i < o->rows->len; i++) {
		const struct kind_row *r = o->rows->pdata[i];

		if (g_str_equal(r->row->secret ? r->row->name : r->option, name))
			return r;
	}
	return NULL;
}

/* By the names of options, and those of the plugin's own. */
static bool add_unset(const struct command *cmd, const struct kind *k, const struct kind_options *o, JsonObject *doc)
{
	for (char **name = o->unset; name && *name; name++) {
		const struct kind_row *found = row_called(o, *name);

		if (!found && k->object != CONF_LUN) {
			cli_usage(cmd, "--unset %s: no such setting", *name);
			return false;
		}
		if (found)
			json_object_set_null_member(found->group ? part(doc, found->group->name) : doc, found->row->name);
		else
			json_object_set_null_member(part(doc, "settings"), *name);
	}
	return true;
}

JsonNode *kind_document(const struct command *cmd, const struct kind *k, const struct kind_options *o)
{
	JsonObject *doc = json_object_new();
	bool ok = true;

	for (unsigned i = 0; i < o->rows->len && ok; i++) {
		const struct kind_row *r = o->rows->pdata[i];

		ok = !r->value || add_value(cmd, r, doc);
	}
	if (ok && add_pairs(cmd, o->settings, doc) && add_unset(cmd, k, o, doc))
		return json_of_object(doc);
	json_object_unref(doc);
	return NULL;
}
