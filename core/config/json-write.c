/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json-write.c - objects of a configuration as the text of a document.  A tree of ten thousand targets would take more
 * memory than they do, so what is in a list is made, written and forgotten one after the other.
 */
#include "config.h"
#include <string.h>
#include "config/json.h"

struct writer {
	void (*write)(void *data, const char *text, size_t len);
	void *data;
	const char *const *plugin_dirs;
};

static void put(const struct writer *w, const char *text, size_t len)
{
	w->write(w->data, text, len);
}

static void new_line(const struct writer *w, unsigned depth)
{
	static const char spaces[] = "\n                ";

	put(w, spaces, 1 + MIN(2 * (size_t)depth, sizeof spaces - 2));
}

/* Lines of a node but for the last `without` bytes of it. */
static void put_lines(const struct writer *w, JsonNode *node, unsigned depth, size_t without)
{
	char *text = json_to_string(node, TRUE);
	size_t len = strlen(text);
	const char *at = text, *end = text + len - without;

	while (at < end) {
		const char *line = memchr(at, '\n', (size_t)(end - at));

		put(w, at, (size_t)((line ? line : end) - at));
		if (line)
			new_line(w, depth);
		at = line ? line + 1 : end;
	}
	explicit_bzero(text, len);	/* it may have secrets */
	g_free(text);
}

/* An object with members, up to where more of them can follow. */
static void put_open(const struct writer *w, JsonNode *node, unsigned depth)
{
	put_lines(w, node, depth, strlen("\n}"));
}

static void put_name(const struct writer *w, const char *name, unsigned depth)
{
	new_line(w, depth);
	put(w, "\"", 1);
	put(w, name, strlen(name));
	put(w, "\" : ", 4);
}

static void write_object(const struct writer *w, enum conf_object object, const void *obj, unsigned depth);

static void write_list(const struct writer *w, enum conf_object object, const GPtrArray *list, unsigned depth)
{
	put(w, "[", 1);
	for (unsigned i = 0; i < list->len; i++) {
		if (i)
			put(w, ",", 1);
		new_line(w, depth + 1);
		write_object(w, object, list->pdata[i], depth + 1);
	}
	if (list->len)
		new_line(w, depth);
	put(w, "]", 1);
}

static void write_object(const struct writer *w, enum conf_object object, const void *obj, unsigned depth)
{
	JsonNode *flat = conf_to_json_flat(object, obj, w->plugin_dirs);
	bool empty = !json_object_get_size(json_node_get_object(flat));
	const struct setting *s = NULL;

	if (empty)
		put(w, "{", 1);
	else
		put_open(w, flat, depth);
	json_node_unref(flat);
	while ((s = schema_next(object, s))) {
		if (s->type != SETTING_LIST)
			continue;
		if (!empty)
			put(w, ",", 1);
		empty = false;
		put_name(w, s->name, depth + 1);
		write_list(w, s->child, *(GPtrArray **)setting_field(s, obj), depth + 1);
	}
	if (!empty)
		new_line(w, depth);
	put(w, "}", 1);
}

void conf_write_json(enum conf_object object, const void *obj, const GPtrArray *list, const char *const *plugin_dirs,
		     void (*write)(void *data, const char *text, size_t len), void *data)
{
	const struct writer w = { write, data, plugin_dirs };

	if (obj)
		write_object(&w, object, obj, 0);
	else
		write_list(&w, object, list, 0);
}

void json_write_long(const struct json_long *l, void (*write)(void *data, const char *text, size_t len), void *data)
{
	const struct writer w = { write, data, NULL };

	put_open(&w, l->head, 0);
	put(&w, ",", 1);
	put_name(&w, l->name, 1);
	put(&w, "[", 1);
	for (unsigned i = 0; i < l->n; i++) {
		JsonNode *node = l->element(l->of, i);

		if (i)
			put(&w, ",", 1);
		new_line(&w, 2);
		put_lines(&w, node, 2, 0);
		json_node_unref(node);
	}
	if (l->n)
		new_line(&w, 1);
	put(&w, "]\n}", 3);
}
