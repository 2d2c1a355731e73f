/* SPDX-License-Identifier: Apache-2.0 */
/* request.c - what is read of a request, and written as its answer. */
#include "config.h"
#include <string.h>
#include "control/control-internal.h"

bool request_flag(const struct request *r, const char *name)
{
	const char *value = r->query ? g_hash_table_lookup(r->query, name) : NULL;

	return value && (!*value || g_str_equal(value, "1") || g_str_equal(value, "true"));
}

bool request_query_check(struct request *r)
{
	static const char *const values[] = { "", "0", "1", "false", "true", NULL };
	g_auto(GStrv) names = g_strsplit(r->route->query ? r->route->query : "dry_run force", " ", -1);
	GHashTableIter iter;
	gpointer name, value;

	if (!r->query || g_str_equal(r->route->method, "GET"))
		return true;
	g_hash_table_iter_init(&iter, r->query);
	while (g_hash_table_iter_next(&iter, &name, &value)) {
		if (!g_strv_contains((const char *const *)names, name))
			answer_problem(r, SOUP_STATUS_BAD_REQUEST, NULL, "?%s: not known here", (const char *)name);
		else if (!g_strv_contains(values, value))
			answer_problem(r, SOUP_STATUS_BAD_REQUEST, NULL, "?%s: expected 1 or 0", (const char *)name);
		else
			continue;
		return false;
	}
	return true;
}

bool request_has_body(const struct request *r)
{
	return soup_server_message_get_request_body(r->msg)->length > 0;
}

const char *request_header(const struct request *r, const char *name)
{
	return soup_message_headers_get_list(soup_server_message_get_request_headers(r->msg), name);
}

/* "application/json", or another that ends with +json; none at all is taken for one. */
static bool is_json(const char *type)
{
	g_autofree char *name = type ? g_ascii_strdown(type, (gssize)strcspn(type, "; \t")) : NULL;

	return !name || g_str_equal(name, "application/json") ||
	       (g_str_has_prefix(name, "application/") && g_str_has_suffix(name, "+json"));
}

bool request_takes_body(struct request *r)
{
	if (is_json(request_header(r, "Content-Type")))
		return true;
	answer_header(r, "Accept", "application/json");		/* RFC 9110 15.5.16 */
	answer_problem(r, SOUP_STATUS_UNSUPPORTED_MEDIA_TYPE, NULL, "Content-Type: expected application/json");
	return false;
}

JsonNode *request_body(struct request *r)
{
	SoupMessageBody *body = soup_server_message_get_request_body(r->msg);
	GBytes *bytes;
	size_t len;
	const char *text;
	JsonNode *node;

	if (!request_takes_body(r))
		return NULL;
	bytes = soup_message_body_flatten(body);
	text = g_bytes_get_data(bytes, &len);
	node = json_read(text ? text : "", len, r->wrongs);
	g_bytes_unref(bytes);
	if (!node)
		answer_wrongs(r, SOUP_STATUS_BAD_REQUEST);
	if (node && r->across && !across_body(r, json_node_get_object(node))) {
		answer_wrongs(r, SOUP_STATUS_UNPROCESSABLE_ENTITY);
		g_clear_pointer(&node, json_node_unref);
	}
	return node;
}

void answer_header(struct request *r, const char *name, const char *value)
{
	soup_message_headers_replace(soup_server_message_get_response_headers(r->msg), name, value);
}

/* text is taken over. */
static void answer(struct request *r, unsigned status, const char *type, char *text)
{
	g_return_if_fail(!r->answered);
	r->answered = true;
	soup_server_message_set_status(r->msg, status, NULL);
	if (text)
		soup_server_message_set_response(r->msg, type, SOUP_MEMORY_TAKE, text, strlen(text));
	answer_header(r, "Cache-Control", "no-store");
}

static void answer_node(struct request *r, unsigned status, const char *type, JsonNode *node)
{
	g_autofree char *text = json_to_string(node, TRUE);

	json_node_unref(node);
	answer(r, status, type, g_strconcat(text, "\n", NULL));
}

static void append(void *text, const char *more, size_t len)
{
	g_string_append_len(text, more, (gssize)len);
}

void answer_conf(struct request *r, unsigned status, enum conf_object object, const void *obj, const GPtrArray *list)
{
	GString *text = g_string_new(NULL);

	conf_write_json(object, obj, list, server_plugin_dirs(r->control->options.server), append, text);
	g_string_append_c(text, '\n');
	answer(r, status, "application/json", g_string_free(text, FALSE));
}

void answer_long(struct request *r, struct json_long *l)
{
	GString *text = g_string_new(NULL);

	json_write_long(l, append, text);
	g_string_append_c(text, '\n');
	json_node_unref(l->head);
	answer(r, SOUP_STATUS_OK, "application/json", g_string_free(text, FALSE));
}

void answer_json(struct request *r, unsigned status, JsonNode *node)
{
	answer_node(r, status, "application/json", node);
}

void answer_text(struct request *r, const char *type, const char *text)
{
	answer(r, SOUP_STATUS_OK, type, g_strdup(text));
}

void answer_none(struct request *r)
{
	answer(r, SOUP_STATUS_NO_CONTENT, NULL, NULL);
}

void answer_problem(struct request *r, unsigned status, JsonObject *more, const char *fmt, ...)
{
	JsonObject *o = more ? more : json_object_new();
	g_autofree char *detail = NULL;
	va_list ap;

	va_start(ap, fmt);
	detail = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	json_object_set_string_member(o, "type", "about:blank");
	json_object_set_string_member(o, "title", soup_status_get_phrase(status));
	json_object_set_int_member(o, "status", status);
	json_set_text(o, "detail", detail);
	answer_node(r, status, "application/problem+json", json_of_object(o));
}

void answer_wrongs(struct request *r, unsigned status)
{
	const struct wrong *first = r->wrongs->pdata[0];
	JsonObject *o = json_object_new();
	JsonArray *errors = json_array_new();

	for (unsigned i = 0; i < r->wrongs->len; i++) {
		const struct wrong *w = r->wrongs->pdata[i];
		JsonObject *e = json_object_new();

		json_set_text(e, "field", w->field);
		json_set_text(e, "reason", w->reason);
		json_array_add_object_element(errors, e);
	}
	json_object_set_array_member(o, "errors", errors);
	answer_problem(r, status, o, "%s%s%s", first->field, *first->field ? ": " : "", first->reason);
}
