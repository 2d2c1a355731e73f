/* SPDX-License-Identifier: Apache-2.0 */
/* print.c - answers as tables, as lines and as JSON. */
#include "config.h"
#include <stdio.h>
#include <string.h>
#include "cli/kind.h"

/* As gotgt in Go: a column is as wide as what is in it and this, and not less than that. */
enum { PADDING = 3, WIDTH_MIN = 20 };

static void append(GString *out, JsonNode *node);

/* As an option would have it: 1:4:read-only. */
static void append_object(GString *out, JsonObject *o)
{
	gsize start = out->len;
	JsonObjectIter it;
	const char *name;
	JsonNode *value;

	json_object_iter_init_ordered(&it, o);
	while (json_object_iter_next_ordered(&it, &name, &value)) {
		bool flag = JSON_NODE_HOLDS_VALUE(value) && json_node_get_value_type(value) == G_TYPE_BOOLEAN;

		if (flag && !json_node_get_boolean(value))
			continue;
		if (out->len > start)
			g_string_append_c(out, ':');
		if (flag)
			g_string_append(out, name);
		else
			append(out, value);
	}
}

static void append(GString *out, JsonNode *node)
{
	g_autofree char *text = NULL;

	if (!node || JSON_NODE_HOLDS_NULL(node) ||
	    (JSON_NODE_HOLDS_ARRAY(node) && !json_array_get_length(json_node_get_array(node)))) {
		g_string_append_c(out, '-');
	} else if (JSON_NODE_HOLDS_ARRAY(node)) {
		JsonArray *a = json_node_get_array(node);

		for (unsigned i = 0; i < json_array_get_length(a); i++) {
			g_string_append(out, i ? "," : "");
			append(out, json_array_get_element(a, i));
		}
	} else if (JSON_NODE_HOLDS_OBJECT(node)) {
		append_object(out, json_node_get_object(node));
	} else if (json_node_get_value_type(node) == G_TYPE_STRING) {
		g_string_append(out, json_node_get_string(node));
	} else {
		text = json_to_string(node, FALSE);
		g_string_append(out, text);
	}
}

static char *cell(JsonObject *row, const char *member)
{
	GString *text = g_string_new(NULL);

	append(text, json_object_get_member(row, member));
	return g_string_free(text, FALSE);
}

static glong width(const struct kind_column *c, JsonArray *rows)
{
	glong most = g_utf8_strlen(c->title, -1);

	for (unsigned i = 0; i < json_array_get_length(rows); i++) {
		g_autofree char *text = cell(json_array_get_object_element(rows, i), c->member);

		most = MAX(most, g_utf8_strlen(text, -1));
	}
	return MAX(most + PADDING, WIDTH_MIN);
}

static void print_cell(const char *text, glong wide)
{
	printf("%s%*s", text, (int)MAX(wide - g_utf8_strlen(text, -1), 0), "");
}

void kind_print(const struct kind *k, JsonArray *rows)
{
	unsigned n = 0;
	g_autofree glong *widths = NULL;

	while (k->columns[n].title)
		n++;
	widths = g_new0(glong, n);
	for (unsigned i = 0; i + 1 < n; i++)
		widths[i] = width(&k->columns[i], rows);
	for (unsigned i = 0; i < n; i++)
		print_cell(k->columns[i].title, widths[i]);
	putchar('\n');
	for (unsigned j = 0; j < json_array_get_length(rows); j++) {
		for (unsigned i = 0; i < n; i++) {
			g_autofree char *text = cell(json_array_get_object_element(rows, j), k->columns[i].member);

			print_cell(text, widths[i]);
		}
		putchar('\n');
	}
}

static void print_members(const char *path, JsonNode *node)
{
	g_autoptr(GString) text = g_string_new(NULL);
	JsonArray *a = JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
	JsonObjectIter it;
	const char *name;
	JsonNode *value;

	if (JSON_NODE_HOLDS_OBJECT(node)) {
		json_object_iter_init_ordered(&it, json_node_get_object(node));
		while (json_object_iter_next_ordered(&it, &name, &value)) {
			g_autofree char *at = g_strconcat(path, *path ? "." : "", name, NULL);

			print_members(at, value);
		}
	} else if (a && json_array_get_length(a) && JSON_NODE_HOLDS_OBJECT(json_array_get_element(a, 0))) {
		for (unsigned i = 0; i < json_array_get_length(a); i++) {
			g_autofree char *at = g_strdup_printf("%s[%u]", path, i);

			print_members(at, json_array_get_element(a, i));
		}
	} else if (!a || json_array_get_length(a)) {
		append(text, node);
		printf("%s: %s\n", path, text->str);
	}
}

void kind_print_one(JsonNode *node)
{
	print_members("", node);
}

/* A number that came as 8.191 is written with 17 digits, 8.1910000000000007; no more than 15 came. */
static const char *put_number(GString *out, const char *text)
{
	size_t len = strspn(text, "+-.0123456789Ee");
	char buf[G_ASCII_DTOSTR_BUF_SIZE];

	g_ascii_formatd(buf, sizeof buf, "%.15g", g_ascii_strtod(text, NULL));
	if (strcspn(text, ".") < len && strlen(buf) < len && strchr(buf, '.'))
		g_string_append(out, buf);
	else
		g_string_append_len(out, text, (gssize)len);
	return text + len;
}

static const char *put_string(GString *out, const char *text)
{
	const char *end = text + 1;

	while (*end != '"')
		end += *end == '\\' ? 2 : 1;
	g_string_append_len(out, text, end + 1 - text);
	return end + 1;
}

void kind_print_json(JsonNode *node)
{
	g_autofree char *text = json_to_string(node, TRUE);
	g_autoptr(GString) out = g_string_new(NULL);

	for (const char *p = text; *p; )
		if (*p == '"')
			p = put_string(out, p);
		else if (*p == '-' || g_ascii_isdigit(*p))
			p = put_number(out, p);
		else
			g_string_append_c(out, *p++);
	puts(out->str);
}
