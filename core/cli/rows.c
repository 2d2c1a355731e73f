/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c - what a daemon's answers have of a kind, row by row, and what each is called. */
#include "config.h"
#include <string.h>
#include "cli/kind.h"
#include "config/json.h"
#include "config/place.h"

/* Those within an object of the answer, with its name. */
static void add_nested(const struct kind *k, JsonArray *rows, JsonObject *outer)
{
	JsonArray *inner = json_object_get_array_member(outer, k->nested);

	for (unsigned i = 0; inner && i < json_array_get_length(inner); i++) {
		JsonObject *row = json_array_get_object_element(inner, i);

		json_object_set_string_member(row, "target", json_object_get_string_member(outer, "iqn"));
		if (!place_key_row(k->object))
			json_object_set_int_member(row, "place", i);
		json_array_add_element(rows, json_node_copy(json_array_get_element(inner, i)));
	}
}

JsonArray *kind_rows(const struct kind *k, JsonNode *answer)
{
	JsonArray *all = k->rows ? json_object_get_array_member(json_node_get_object(answer), k->rows) :
				   json_node_get_array(answer);
	JsonArray *rows = json_array_new();

	for (unsigned i = 0; i < json_array_get_length(all); i++)
		if (k->nested)
			add_nested(k, rows, json_array_get_object_element(all, i));
		else
			json_array_add_element(rows, json_node_copy(json_array_get_element(all, i)));
	return rows;
}

/* A target's and a portal's are not called as the option is. */
char *kind_row_name(const struct kind *k, JsonObject *row)
{
	const struct setting *key = k->object != CONF_TOP ? place_key_row(k->object) : NULL;
	JsonNode *node = json_object_get_member(row, key ? key->name : k->key);
	const char *address;

	if (node && json_node_get_value_type(node) == G_TYPE_STRING)
		return json_node_dup_string(node);
	if (node && json_node_get_value_type(node) == G_TYPE_INT64)
		return g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(node));
	if (k->object != CONF_PORTAL)
		return NULL;
	address = json_object_get_string_member(row, "address");
	return g_strdup_printf(strchr(address, ':') ? "[%s]:%" G_GINT64_FORMAT : "%s:%" G_GINT64_FORMAT, address,
			       json_object_get_int_member(row, "port"));
}
