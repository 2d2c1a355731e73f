/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - what reader.c is for files, for documents; and the way back. */
#include "config.h"
#include <string.h>
#include "config/json.h"
#include "config/place.h"
#include "config/plugins.h"

#define DEPTH_MAX 32	/* of brackets */

/* ---- what is wrong ---- */

static void wrong_free(gpointer data)
{
	struct wrong *w = data;

	g_free(w->field);
	g_free(w->reason);
	g_free(w);
}

GPtrArray *wrongs_new(void)
{
	return g_ptr_array_new_with_free_func(wrong_free);
}

void wrong_add(GPtrArray *wrongs, const char *field, const char *fmt, ...)
{
	struct wrong *w = g_new0(struct wrong, 1);
	va_list ap;

	va_start(ap, fmt);
	w->reason = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	w->field = g_strdup(field);
	g_ptr_array_add(wrongs, w);
}

/* ---- text ---- */

/* 010 and 0x10: numbers to json-glib, 8 and 16, and none to RFC 8259. */
static bool is_zero_led(const char *text, size_t at)
{
	bool alone = at < 2 || !(g_ascii_isalnum(text[at - 2]) || text[at - 2] == '.');

	if (at >= 3 && strchr("+-", text[at - 2]))
		alone = !strchr("eE", text[at - 3]);
	return at && text[at - 1] == '0' && alone;
}

/*
 * The brackets of RFC 8259's tokens, which nothing but strings can hide: json-glib knows comments and quotes of other
 * kinds, and none of their characters is one that a JSON text has outside of strings.
 */
static const char *token_error(const char *text, size_t len, size_t *at)
{
	unsigned depth = 0;
	bool string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		*at = i;
		if (string && c == '\\') {
			/* Which would end the text for whoever reads it. */
			if (len - i >= 6 && !memcmp(text + i, "\\u0000", 6))
				return "a string with a NUL";
			i++;
		} else if (c == '"')
			string = !string;
		else if (string)
			continue;
		else if (g_ascii_isalnum(c) ? is_zero_led(text, i) : !strchr(" \t\r\n{}[],:-+.", c))
			return "not JSON";	/* NOLINT(bugprone-branch-clone): in the order of the text */
		else if (strchr("{[", c) && ++depth > DEPTH_MAX)
			return "nested too deeply";
		else if (strchr("}]", c) && !depth--)
			return "not JSON";
	}
	return string || depth ? "not JSON: it is cut off" : NULL;
}

const char *json_text_wrong(const char *text, size_t len, size_t *at)
{
	const char *end;

	if (g_utf8_validate_len(text, len, &end))
		return token_error(text, len, at);
	*at = (size_t)(end - text);
	return "not UTF-8";
}

JsonNode *json_read(const char *text, size_t len, GPtrArray *wrongs)
{
	g_autoptr(JsonParser) parser = json_parser_new_immutable();
	g_autoptr(GError) error = NULL;
	size_t at;
	const char *why = json_text_wrong(text, len, &at);
	unsigned before = wrongs->len;
	JsonNode *root = NULL;

	if (why)
		wrong_add(wrongs, "", "%s", why);
	else if (!json_parser_load_from_data(parser, text, (gssize)len, &error))
		wrong_add(wrongs, "", "not JSON: %s", error->message);
	else if (!(root = json_parser_get_root(parser)) || !JSON_NODE_HOLDS_OBJECT(root))
		wrong_add(wrongs, "", "expected an object { }");
	return wrongs->len > before ? NULL : json_node_ref(root);
}

/* ---- out ---- */

JsonNode *json_of_object(JsonObject *object)
{
	JsonNode *node = json_node_new(JSON_NODE_OBJECT);

	json_node_take_object(node, object);
	return node;
}

JsonNode *json_of_array(JsonArray *array)
{
	JsonNode *node = json_node_new(JSON_NODE_ARRAY);

	json_node_take_array(node, array);
	return node;
}

void json_set_text(JsonObject *object, const char *name, const char *text)
{
	g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;

	if (valid)
		json_object_set_string_member(object, name, valid);
	else
		json_object_set_null_member(object, name);
}

static JsonNode *text_node(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);

	return json_node_init_string(json_node_alloc(), valid);
}

static JsonNode *names_node(char **names)
{
	JsonArray *array = json_array_new();

	for (char **name = names; *name; name++)
		json_array_add_element(array, text_node(*name));
	return json_of_array(array);
}

static JsonNode *plugin_node(const struct conf_lun *lun, const char *const *dirs)
{
	JsonObject *object = json_object_new();

	for (char **pair = lun->settings; *pair; pair += 2)
		if (!dirs || !plugins_secret(dirs, lun->plugin, pair[0]))
			json_object_set_member(object, pair[0], text_node(pair[1]));
	return json_of_object(object);
}

static JsonNode *number_node(const struct setting *s, const void *obj)
{
	return json_node_init_int(json_node_alloc(), *(const uint32_t *)setting_field(s, obj));
}

static JsonNode *list_node(enum conf_object object, const GPtrArray *list, const char *const *dirs)
{
	JsonArray *array = json_array_sized_new(list->len);

	for (unsigned i = 0; i < list->len; i++)
		json_array_add_element(array, conf_to_json(object, list->pdata[i], dirs));
	return json_of_array(array);
}

static JsonNode *setting_node(const struct setting *s, const void *obj, const char *const *dirs)
{
	g_autofree char *text = NULL;
	void *f = setting_field(s, obj);

	switch (s->type) {
	case SETTING_BOOL:
		return json_node_init_boolean(json_node_alloc(), *(uint32_t *)f != 0);
	case SETTING_UINT:
	case SETTING_SIZE:
		return number_node(s, obj);
	case SETTING_CHOICE:
		text = setting_format(s, obj);
		return text_node(text);
	case SETTING_STRING:
		return text_node(*(char **)f);
	case SETTING_NAMES:
		return names_node(*(char ***)f);
	case SETTING_PLUGIN:
		return plugin_node(obj, dirs);
	case SETTING_GROUP:
		return conf_to_json(s->child, f, dirs);
	case SETTING_LIST:
		return list_node(s->child, *(GPtrArray **)f, dirs);
	}
	return NULL;
}

static JsonNode *object_node(enum conf_object object, const void *obj, const char *const *dirs, bool lists)
{
	JsonObject *json = json_object_new();
	const struct setting *s = NULL;

	while ((s = schema_next(object, s)))
		if (s->type == SETTING_LIST && !lists)
			continue;
		else if (setting_is_set(s, obj) && !(s->secret && dirs))
			json_object_set_member(json, s->name, setting_node(s, obj, dirs));
		else if (s->secret && !dirs)
			json_object_set_null_member(json, s->name);
	return json_of_object(json);
}

JsonNode *conf_to_json(enum conf_object object, const void *obj, const char *const *plugin_dirs)
{
	return object_node(object, obj, plugin_dirs, true);
}

JsonNode *conf_to_json_flat(enum conf_object object, const void *obj, const char *const *plugin_dirs)
{
	return object_node(object, obj, plugin_dirs, false);
}

/* ---- in ---- */

static const char *const expected[] = {
	[SETTING_BOOL] = "true or false", [SETTING_UINT] = "a number", [SETTING_SIZE] = "a size such as 4096 or \"64K\"",
	[SETTING_CHOICE] = "a string", [SETTING_STRING] = "a string", [SETTING_NAMES] = "an array of strings",
	[SETTING_PLUGIN] = "an object", [SETTING_GROUP] = "an object", [SETTING_LIST] = "an array of objects",
};

/* The text of a scalar as a file would have it, NULL: it is none. */
static char *scalar_text(JsonNode *node)
{
	GType type = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_INVALID;

	if (type == G_TYPE_STRING)
		return json_node_dup_string(node);
	if (type == G_TYPE_INT64)
		return g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(node));
	if (type == G_TYPE_BOOLEAN)
		return g_strdup(json_node_get_boolean(node) ? "yes" : "no");
	return NULL;
}

static bool kind_ok(const struct setting *s, JsonNode *node)
{
	GType type = json_node_get_value_type(node);

	if (s->type == SETTING_BOOL)
		return type == G_TYPE_BOOLEAN;
	return (type == G_TYPE_STRING && s->type != SETTING_UINT) || (type == G_TYPE_INT64 && s->type != SETTING_STRING);
}

static void unexpected(const struct conf_json *j, const char *path, const struct setting *s)
{
	wrong_add(j->wrongs, path, "expected %s", expected[s->type]);
}

static void read_scalar(const struct conf_json *j, const char *path, const struct setting *s, JsonNode *node,
			void *obj)
{
	char *text = scalar_text(node);
	g_autoptr(GError) error = NULL;

	if (!text || !kind_ok(s, node))
		unexpected(j, path, s);
	else if (!setting_parse(s, text, obj, &error))
		wrong_add(j->wrongs, path, "%s", error->message);
	if (text && s->secret)
		explicit_bzero(text, strlen(text));
	g_free(text);
}

static void read_names(const struct conf_json *j, const char *path, const struct setting *s, JsonNode *node,
		       void *obj)
{
	JsonArray *array = JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
	unsigned n = array ? json_array_get_length(array) : 0;
	char ***f = setting_field(s, obj);
	g_auto(GStrv) names = g_new0(char *, n + 1);

	for (unsigned i = 0; i < n; i++) {
		JsonNode *e = json_array_get_element(array, i);

		if (json_node_get_value_type(e) != G_TYPE_STRING) {
			unexpected(j, path, s);
			return;
		}
		names[i] = json_node_dup_string(e);
	}
	if (!array) {
		unexpected(j, path, s);
	} else if (!n) {
		wrong_add(j->wrongs, path, "is empty");
	} else {
		g_strfreev(*f);
		*f = g_steal_pointer(&names);
	}
}

static void keep_pair(GPtrArray *pairs, const char *name, const char *value)
{
	g_ptr_array_add(pairs, g_strdup(name));
	g_ptr_array_add(pairs, g_strdup(value));
}

/* Those of before that stay: in a patch all that it does not name, else what no answer has told. */
static void keep_pairs(const struct conf_json *j, JsonObject *json, const struct conf_lun *before, const char *plugin,
		       GPtrArray *pairs)
{
	for (char **pair = before->settings; pair && *pair; pair += 2)
		if (!json_object_has_member(json, pair[0]) &&
		    (j->mode == CONF_JSON_PATCH || (j->plugin_dirs && g_strcmp0(plugin, before->plugin) == 0 &&
						    plugins_secret(j->plugin_dirs, plugin, pair[0]))))
			keep_pair(pairs, pair[0], pair[1]);
}

static void read_plugin(const struct conf_json *j, const char *path, const struct setting *s, JsonNode *node,
			struct conf_lun *lun, const struct conf_lun *old)
{
	const struct conf_lun *before = j->mode == CONF_JSON_PATCH ? lun : old;
	g_autoptr(GPtrArray) pairs = g_ptr_array_new_with_free_func(g_free);
	JsonObjectIter it;
	const char *name;
	JsonNode *value;

	if (!JSON_NODE_HOLDS_OBJECT(node)) {
		unexpected(j, path, s);
		return;
	}
	if (before)
		keep_pairs(j, json_node_get_object(node), before, lun->plugin, pairs);
	json_object_iter_init_ordered(&it, json_node_get_object(node));
	while (json_object_iter_next_ordered(&it, &name, &value)) {
		g_autofree char *text = scalar_text(value), *field = g_strdup_printf("%s.%s", path, name);

		if (text)
			keep_pair(pairs, name, text);
		else if (!JSON_NODE_HOLDS_NULL(value))
			wrong_add(j->wrongs, field, "expected a string, a whole number, true or false");
	}
	g_ptr_array_add(pairs, NULL);
	g_strfreev(lun->settings);	/* NOLINT(clang-analyzer-core.NullDereference): before may be NULL, lun is not */
	lun->settings = (char **)g_ptr_array_free(g_steal_pointer(&pairs), FALSE);
}

static void read_object(const struct conf_json *j, const char *path, enum conf_object object, JsonNode *node, void *obj,
			const void *old, const void *defaults);

static void *element_new(const struct conf_json *j, enum conf_object object)
{
	void *obj = schema_new(object);

	if (object == CONF_TARGET && j->iscsi)
		((struct conf_target *)obj)->iscsi = *j->iscsi;
	if (object == CONF_ISCSI && j->iscsi)
		*(struct params *)obj = *j->iscsi;
	return obj;
}

static void read_element(const struct conf_json *j, const char *path, const struct setting *s, JsonNode *node,
			 GPtrArray *list, GHashTable *before)
{
	struct conf_json whole = *j;
	void *obj = element_new(j, s->child), *defaults = element_new(j, s->child), *old = NULL;
	const struct setting *key = place_key_row(s->child);
	JsonObject *json = json_node_get_object(node);
	g_autofree char *text = key && json_object_has_member(json, key->name) ?
		scalar_text(json_object_get_member(json, key->name)) : NULL;

	if (before && text)
		old = g_hash_table_lookup(before, text);
	whole.mode = CONF_JSON_WHOLE;
	read_object(&whole, path, s->child, node, obj, old, defaults);
	schema_free(s->child, defaults);
	g_ptr_array_add(list, obj);
}

/* A list is replaced whole; its elements find those of the same key there for what they do not tell. */
static void read_list(const struct conf_json *j, const char *path, const struct setting *s, JsonNode *node, void *obj,
		      const void *old)
{
	GPtrArray **f = setting_field(s, obj), *was = *f;
	const GPtrArray *before = j->mode == CONF_JSON_PATCH ? was : old ? *(GPtrArray **)setting_field(s, old) : NULL;
	JsonArray *array = JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
	g_autoptr(GHashTable) by_key = before ? place_index(s->child, before) : NULL;

	if (!array) {
		unexpected(j, path, s);
		return;
	}
	*f = g_ptr_array_new();
	for (unsigned i = 0; i < json_array_get_length(array); i++) {
		g_autofree char *at = g_strdup_printf("%s[%u]", path, i);
		JsonNode *e = json_array_get_element(array, i);

		if (JSON_NODE_HOLDS_OBJECT(e))
			read_element(j, at, s, e, *f, by_key);
		else
			wrong_add(j->wrongs, at, "expected an object");
	}
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): before may be NULL, a list of the object's is not */
	for (unsigned i = 0; i < was->len; i++)
		schema_free(s->child, was->pdata[i]);
	g_ptr_array_unref(was);
}

/* null, or what is not there where all is said. */
static void make_default(const struct conf_json *j, const char *path, const struct setting *s, void *obj,
			 const void *defaults)
{
	g_autoptr(JsonNode) none = json_of_array(json_array_new());
	const struct setting *c = NULL;

	if (s->required)
		wrong_add(j->wrongs, path, "is required");
	else if (s->type == SETTING_LIST)
		read_list(j, path, s, none, obj, NULL);
	else if (s->type != SETTING_GROUP)
		setting_copy(s, defaults, obj);
	else
		while ((c = schema_next(s->child, c)))
			make_default(j, path, c, setting_field(s, obj), setting_field(s, defaults));
}

static void read_setting(const struct conf_json *j, const char *path, const struct setting *s, JsonNode *node,
			 void *obj, const void *old, const void *defaults)
{
	if (JSON_NODE_HOLDS_NULL(node)) {
		make_default(j, path, s, obj, defaults);
		return;
	}
	switch (s->type) {
	case SETTING_GROUP:
		if (JSON_NODE_HOLDS_OBJECT(node))
			read_object(j, path, s->child, node, setting_field(s, obj), old ? setting_field(s, old) : NULL,
				    setting_field(s, defaults));
		else
			unexpected(j, path, s);
		break;
	case SETTING_LIST:
		read_list(j, path, s, node, obj, old);
		break;
	case SETTING_NAMES:
		read_names(j, path, s, node, obj);
		break;
	case SETTING_PLUGIN:
		read_plugin(j, path, s, node, obj, old);
		break;
	default:
		read_scalar(j, path, s, node, obj);
	}
}

static void check_names(const struct conf_json *j, const char *path, enum conf_object object, JsonObject *json)
{
	JsonObjectIter it;
	const char *name;
	JsonNode *value;

	json_object_iter_init_ordered(&it, json);
	while (json_object_iter_next_ordered(&it, &name, &value)) {
		g_autofree char *field = g_strconcat(path, *path ? "." : "", name, NULL);

		if (!schema_find(object, name))
			wrong_add(j->wrongs, field, "no such setting");
	}
}

/* Lists come last, and the plugin is known before its settings: as the schema's rows stand, and as in reader.c. */
static void read_object(const struct conf_json *j, const char *path, enum conf_object object, JsonNode *node, void *obj,
			const void *old, const void *defaults)
{
	JsonObject *json = json_node_get_object(node);
	struct conf_json inner = *j;
	const struct setting *s = NULL;

	check_names(j, path, object, json);
	for (int lists = 0; lists < 2; lists++)
		while ((s = schema_next(object, s))) {
			g_autofree char *field = g_strconcat(path, *path ? "." : "", s->name, NULL);
			JsonNode *value = json_object_get_member(json, s->name);

			if ((s->type == SETTING_LIST) != lists)
				continue;
			if (object == CONF_TOP)
				inner.iscsi = &((struct conf *)obj)->iscsi;
			if (value)
				read_setting(&inner, field, s, value, obj, old, defaults);
			else if (j->mode == CONF_JSON_WHOLE && s->secret && old)
				setting_copy(s, old, obj);
			else if (j->mode == CONF_JSON_WHOLE && s->required)
				wrong_add(j->wrongs, field, "is required");
		}
}

bool conf_from_json(const struct conf_json *j, enum conf_object object, JsonNode *node, void *obj, const void *old)
{
	unsigned before = j->wrongs->len;
	void *defaults = element_new(j, object);

	if (JSON_NODE_HOLDS_OBJECT(node))
		read_object(j, "", object, node, obj, old, defaults);
	else
		wrong_add(j->wrongs, "", "expected an object { }");
	schema_free(object, defaults);
	return j->wrongs->len == before;
}
