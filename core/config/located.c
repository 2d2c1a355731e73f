/* SPDX-License-Identifier: Apache-2.0 */
/*
 * located.c - json-glib's parser tells of each value when it has read it, and where it is then: that is the value's
 * line, or the last one of an object or array, of which the first is noted when it starts.
 */
#include "config.h"
#include <string.h>
#include "config/json.h"
#include "config/located.h"

struct located {
	JsonParser *parser;
	GHashTable *lines;	/* key() -> line */
	GHashTable *twice;	/* key() */
	GPtrArray *objects, *arrays;	/* kept, so that no other ever has the address of one that was replaced */
	GArray *open;		/* unsigned, lines at which containers began that are not at their end yet */
	unsigned error;		/* line */
	unsigned begun;		/* line at which the one that ended last began; 0: none since the last value */
};

/* Of a member; without a name of what is in an array. */
static char *key(const void *container, const char *name, unsigned at)
{
	return name ? g_strdup_printf("%p.%s", container, name) : g_strdup_printf("%p[%u", container, at);
}

static void note(struct located *l, char *k)
{
	unsigned line = l->begun ? l->begun : (unsigned)json_parser_get_current_line(l->parser);

	l->begun = 0;
	if (g_hash_table_contains(l->lines, k))
		g_hash_table_add(l->twice, g_strdup(k));
	g_hash_table_insert(l->lines, k, GUINT_TO_POINTER(line));
}

static void on_start(JsonParser *parser, gpointer data)
{
	struct located *l = data;
	unsigned line = (unsigned)json_parser_get_current_line(parser);

	g_array_append_val(l->open, line);
}

static void ended(struct located *l)
{
	if (!l->open->len)
		return;
	l->begun = g_array_index(l->open, unsigned, l->open->len - 1);
	g_array_set_size(l->open, l->open->len - 1);
}

static void on_object_end(JsonParser *parser, JsonObject *object, gpointer data)
{
	struct located *l = data;

	g_ptr_array_add(l->objects, json_object_ref(object));
	ended(l);
}

static void on_array_end(JsonParser *parser, JsonArray *array, gpointer data)
{
	struct located *l = data;

	g_ptr_array_add(l->arrays, json_array_ref(array));
	ended(l);
}

static void on_member(JsonParser *parser, JsonObject *object, const char *name, gpointer data)
{
	note(data, key(object, name, 0));
}

static void on_element(JsonParser *parser, JsonArray *array, int at, gpointer data)
{
	note(data, key(array, NULL, (unsigned)at));
}

static void on_error(JsonParser *parser, gpointer error, gpointer data)
{
	((struct located *)data)->error = (unsigned)json_parser_get_current_line(parser);
}

static struct located *located_new(void)
{
	const struct { const char *signal; GCallback handle; } signals[] = {
		{ "object-start", G_CALLBACK(on_start) }, { "array-start", G_CALLBACK(on_start) },
		{ "object-end", G_CALLBACK(on_object_end) }, { "array-end", G_CALLBACK(on_array_end) },
		{ "object-member", G_CALLBACK(on_member) }, { "array-element", G_CALLBACK(on_element) },
		{ "error", G_CALLBACK(on_error) },
	};
	struct located *l = g_new0(struct located, 1);

	l->parser = json_parser_new_immutable();
	l->lines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	l->twice = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	l->objects = g_ptr_array_new_with_free_func((GDestroyNotify)json_object_unref);
	l->arrays = g_ptr_array_new_with_free_func((GDestroyNotify)json_array_unref);
	l->open = g_array_new(FALSE, FALSE, sizeof(unsigned));
	for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
		g_signal_connect(l->parser, signals[i].signal, signals[i].handle, l);
	return l;
}

void located_free(struct located *l)
{
	if (!l)
		return;
	g_ptr_array_unref(l->objects);
	g_ptr_array_unref(l->arrays);
	g_hash_table_unref(l->lines);
	g_hash_table_unref(l->twice);
	g_array_unref(l->open);
	g_object_unref(l->parser);
	g_free(l);
}

/* json-glib begins with where, which we say our own way. */
static char *parse_error(const GError *error)
{
	const char *behind = strstr(error->message, "error: ");

	return g_strdup_printf("not JSON: %s", behind ? behind + strlen("error: ") : error->message);
}

struct located *located_read(const char *text, size_t len, unsigned *line, char **why)
{
	struct located *l = located_new();
	g_autoptr(GError) error = NULL;
	size_t at = 0;
	const char *wrong = json_text_wrong(text, len, &at);
	JsonNode *root;

	*why = NULL;
	*line = 0;
	if (wrong) {
		*why = g_strdup(wrong);
		*line = 1;
		for (size_t i = 0; i < at && i < len; i++)
			*line += text[i] == '\n';
	} else if (!json_parser_load_from_data(l->parser, text, (gssize)len, &error)) {
		*why = parse_error(error);
		*line = l->error;
	} else if (!(root = json_parser_get_root(l->parser)) || !JSON_NODE_HOLDS_OBJECT(root)) {
		*why = g_strdup("expected an object { }");
	}
	if (!*why)
		return l;
	located_free(l);
	return NULL;
}

JsonObject *located_root(const struct located *l)
{
	return json_node_get_object(json_parser_get_root(l->parser));
}

static unsigned line_of(const struct located *l, char *k)
{
	unsigned line = GPOINTER_TO_UINT(g_hash_table_lookup(l->lines, k));

	g_free(k);
	return line;
}

unsigned located_line(const struct located *l, JsonObject *object, const char *member)
{
	return line_of(l, key(object, member, 0));
}

unsigned located_element_line(const struct located *l, JsonArray *array, unsigned at)
{
	return line_of(l, key(array, NULL, at));
}

bool located_twice(const struct located *l, JsonObject *object, const char *member)
{
	g_autofree char *k = key(object, member, 0);

	return g_hash_table_contains(l->twice, k);
}
