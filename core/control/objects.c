/* SPDX-License-Identifier: Apache-2.0 */
/* objects.c - every list and group of the schema as resources: looked at, made, replaced, changed, removed. */
#include "config.h"
#include <string.h>
#include "config/place.h"
#include "control/control-internal.h"

static const struct conf *running(const struct request *r)
{
	return server_conf(r->control->options.server);
}

static const char *const *dirs(const struct request *r)
{
	return server_plugin_dirs(r->control->options.server);
}

/* The path behind /v1; what is there may be asked only to look when c is what runs. */
static bool find(struct request *r, const struct conf *c, struct place *p)
{
	if (place_find((struct conf *)c, (const char *const *)r->steps + 1, p))
		return true;
	answer_problem(r, SOUP_STATUS_NOT_FOUND, NULL, "there is no such %s",
		       p->key ? schema_object_name(p->object) : "object");
	return false;
}

static JsonNode *place_node(const struct place *p, const char *const *hide)
{
	return p->obj ? conf_to_json(p->object, p->obj, hide) : conf_list_to_json(p->object, p->list, hide);
}

/* As it is answered. */
static JsonNode *shown(const struct request *r, const struct place *p)
{
	JsonNode *node = place_node(p, dirs(r));

	if (r->across)
		across_mark(node, p->object, across_target(r), p->at);
	return node;
}

static char *place_etag(const struct request *r, const struct place *p)
{
	g_autoptr(JsonNode) all = p->key && !p->obj ? NULL : place_node(p, NULL);

	return all ? change_etag(r->control, all) : NULL;
}

static bool missing(struct request *r, const struct place *p)
{
	if (!p->key || p->obj)
		return false;
	answer_problem(r, SOUP_STATUS_NOT_FOUND, NULL, "there is no %s %s", schema_object_name(p->object), p->key);
	return true;
}

static void answer_place(struct request *r, unsigned status, const struct place *p)
{
	g_autofree char *etag = place_etag(r, p);

	answer_header(r, "ETag", etag);
	answer_json(r, status, shown(r, p));
}

void objects_get(struct request *r)
{
	g_autofree char *etag = NULL;
	struct place p;

	if (!find(r, running(r), &p) || missing(r, &p))
		return;
	etag = place_etag(r, &p);
	answer_header(r, "ETag", etag);
	if (change_allowed(r, etag))
		answer_json(r, SOUP_STATUS_OK, shown(r, &p));
}

/* What was there in answer to a change, found again: server_apply() has replaced all of it. */
static void answer_changed(struct request *r, unsigned status)
{
	struct place p;

	if (find(r, running(r), &p) && !missing(r, &p))
		answer_place(r, status, &p);
}

static struct conf_json reader(struct request *r, enum conf_json_mode mode, const struct conf *next)
{
	return (struct conf_json){ .mode = mode, .iscsi = &next->iscsi, .plugin_dirs = dirs(r), .wrongs = r->wrongs };
}

static void *new_element(const struct conf *next, enum conf_object object)
{
	void *obj = schema_new(object);

	if (object == CONF_TARGET)
		((struct conf_target *)obj)->iscsi = next->iscsi;
	return obj;
}

/* A target that has what all have goes on having it; save.c cannot tell either. */
static void inherit(struct conf *next, const struct params *before)
{
	const struct setting *s = NULL;

	while ((s = schema_next(CONF_ISCSI, s)))
		for (unsigned i = 0; i < next->targets->len; i++) {
			struct params *own = &((struct conf_target *)next->targets->pdata[i])->iscsi;

			if (setting_equal(s, own, before))
				setting_copy(s, &next->iscsi, own);
		}
}

/* ---- lists ---- */

static void replace(GPtrArray *list, enum conf_object object, unsigned at, void *obj)
{
	schema_free(object, list->pdata[at]);
	list->pdata[at] = obj;
}

static void drop(GPtrArray *list, enum conf_object object, unsigned at)
{
	schema_free(object, g_ptr_array_steal_index(list, at));
}

/* The key is in the path; a document need not have it, and cannot have another. */
static void name_element(JsonNode *body, const struct place *p)
{
	const struct setting *row = place_key_row(p->object);
	JsonObject *o = json_node_get_object(body);
	uint64_t n;

	if (!row || json_object_has_member(o, row->name) || (p->object == CONF_PORTAL && p->obj))
		return;
	if (row->type != SETTING_STRING && g_ascii_string_to_unsigned(p->key, 10, 0, G_MAXUINT32, &n, NULL))
		json_object_set_int_member(o, row->name, (gint64)n);
	else
		json_object_set_string_member(o, row->name, p->key);
}

/* By its place: one of those that are there, or the one behind them. */
static bool in_reach(struct request *r, const struct place *p)
{
	g_autofree char *next = g_strdup_printf("%u", p->list->len);

	if (p->obj || g_str_equal(p->key, next))
		return true;
	wrong_add(r->wrongs, "", "expected a place up to %s in the path", next);
	return false;
}

/* An address and a port are a key only as long as there is no name. */
static bool same_key(struct request *r, const struct place *p, const void *obj)
{
	g_autofree char *key = NULL;

	if (!place_key_row(p->object))
		return in_reach(r, p);
	key = place_key(p->object, obj, 0);
	if (g_strcmp0(key, p->key) == 0 || (p->object == CONF_PORTAL && strchr(p->key, ':')))
		return true;
	wrong_add(r->wrongs, place_key_row(p->object)->name, "is not the %s of the path",
		  place_key_row(p->object)->name);
	return false;
}

static void location(struct request *r, const struct place *p)
{
	const char *path = g_uri_get_path(soup_server_message_get_uri(r->msg));
	g_autofree char *key = place_key(p->object, p->obj, p->at), *escaped = g_uri_escape_string(key, ":", FALSE);
	g_autofree char *at = NULL;
	size_t len = strlen(path);

	while (len && path[len - 1] == '/')
		len--;
	at = g_strdup_printf("%.*s/%s", (int)len, path, escaped);
	answer_header(r, "Location", at);
}

void objects_create(struct request *r)
{
	struct conf *next = schema_dup(CONF_TOP, running(r));
	g_autoptr(JsonNode) body = NULL;
	g_autofree char *key = NULL;
	struct conf_json j;
	struct place p;
	void *obj;

	if (!find(r, next, &p) || !(body = request_body(r))) {
		conf_free(next);
		return;
	}
	j = reader(r, CONF_JSON_WHOLE, next);
	obj = new_element(next, p.object);
	if (!conf_from_json(&j, p.object, body, obj, NULL))
		answer_wrongs(r, SOUP_STATUS_UNPROCESSABLE_ENTITY);
	else if (place_element(p.object, p.list, (key = place_key(p.object, obj, p.list->len)), NULL))
		answer_problem(r, SOUP_STATUS_CONFLICT, NULL, "%s %s: there is one already",
			       schema_object_name(p.object), key);
	if (r->answered) {
		schema_free(p.object, obj);
		conf_free(next);
		return;
	}
	g_ptr_array_add(p.list, obj);
	if (!change_apply(r, next, CHANGE_USE_CHECKED) || !find(r, running(r), &p))
		return;
	p.key = key;
	p.obj = place_element(p.object, p.list, key, &p.at);
	location(r, &p);
	answer_place(r, SOUP_STATUS_CREATED, &p);
}

static bool put_element(struct request *r, struct conf *next, const struct place *p, JsonNode *body)
{
	struct conf_json j = reader(r, CONF_JSON_WHOLE, next);
	void *obj = new_element(next, p->object);

	name_element(body, p);
	if (!conf_from_json(&j, p->object, body, obj, p->obj) || !same_key(r, p, obj)) {
		schema_free(p->object, obj);
		return false;
	}
	if (p->obj)
		replace(p->list, p->object, p->at, obj);
	else
		g_ptr_array_add(p->list, obj);
	return true;
}

/* A group is part of what it is in: what the document does not have is null. */
static bool put_group(struct request *r, struct conf *next, const struct place *p, JsonNode *body)
{
	struct conf_json j = reader(r, CONF_JSON_PATCH, next);
	const struct setting *s = NULL;

	if (p->obj == &next->iscsi)
		j.iscsi = NULL;
	while ((s = schema_next(p->object, s)))
		if (!json_object_has_member(json_node_get_object(body), s->name))
			json_object_set_null_member(json_node_get_object(body), s->name);
	return conf_from_json(&j, p->object, body, p->obj, NULL);
}

static bool patch(struct request *r, struct conf *next, const struct place *p, JsonNode *body)
{
	struct conf_json j = reader(r, CONF_JSON_PATCH, next);

	if (p->obj == &next->iscsi)
		j.iscsi = NULL;
	return conf_from_json(&j, p->object, body, p->obj, NULL) && (!p->key || same_key(r, p, p->obj));
}

static void change(struct request *r, bool put)
{
	struct conf *next = schema_dup(CONF_TOP, running(r));
	g_autoptr(JsonNode) body = NULL;
	g_autofree char *etag = NULL;
	struct params before = next->iscsi;
	struct place p;
	bool ok = find(r, next, &p) && (put || !missing(r, &p)), created;

	if (ok) {
		etag = place_etag(r, &p);
		ok = change_allowed(r, etag) && (body = request_body(r));
	}
	if (!ok) {
		conf_free(next);
		return;
	}
	created = p.key && !p.obj;
	ok = put ? (p.key ? put_element(r, next, &p, body) : put_group(r, next, &p, body)) : patch(r, next, &p, body);
	if (!ok) {
		answer_wrongs(r, SOUP_STATUS_UNPROCESSABLE_ENTITY);
		conf_free(next);
		return;
	}
	if (p.obj == &next->iscsi)
		inherit(next, &before);
	if (change_apply(r, next, CHANGE_USE_CHECKED))
		answer_changed(r, created ? SOUP_STATUS_CREATED : SOUP_STATUS_OK);
}

void objects_put(struct request *r)
{
	change(r, true);
}

void objects_patch(struct request *r)
{
	change(r, false);
}

void objects_delete(struct request *r)
{
	struct conf *next = schema_dup(CONF_TOP, running(r));
	g_autofree char *etag = NULL;
	struct place p;

	if (!find(r, next, &p) || missing(r, &p)) {
		conf_free(next);
		return;
	}
	etag = place_etag(r, &p);
	if (!change_allowed(r, etag)) {
		conf_free(next);
		return;
	}
	drop(p.list, p.object, p.at);
	if (change_apply(r, next, CHANGE_USE_CHECKED))
		answer_none(r);
}

/* ---- the whole ---- */

static struct place top(const struct request *r)
{
	return (struct place){ .object = CONF_TOP, .obj = (struct conf *)running(r) };
}

void objects_get_config(struct request *r)
{
	struct place p = top(r);
	g_autofree char *etag = place_etag(r, &p);

	answer_header(r, "ETag", etag);
	if (change_allowed(r, etag))
		answer_json(r, SOUP_STATUS_OK, place_node(&p, dirs(r)));
}

/* As a reload: who applies a whole configuration has decided what ends. */
static void change_config(struct request *r, struct conf *next, enum conf_json_mode mode)
{
	struct place p = top(r);
	g_autofree char *etag = place_etag(r, &p);
	g_autoptr(JsonNode) body = change_allowed(r, etag) ? request_body(r) : NULL;
	struct conf_json j = reader(r, mode, next);
	struct params before = next->iscsi;

	if (!body) {
		conf_free(next);
		return;
	}
	if (!conf_from_json(&j, CONF_TOP, body, next, mode == CONF_JSON_WHOLE ? running(r) : NULL)) {
		answer_wrongs(r, SOUP_STATUS_UNPROCESSABLE_ENTITY);
		conf_free(next);
		return;
	}
	if (mode == CONF_JSON_PATCH && !json_object_has_member(json_node_get_object(body), "targets"))
		inherit(next, &before);
	if (r->control->options.complete)
		r->control->options.complete(next, r->control->options.data);
	if (!change_apply(r, next, 0))
		return;
	p = top(r);
	answer_place(r, SOUP_STATUS_OK, &p);
}

void objects_put_config(struct request *r)
{
	change_config(r, conf_new(), CONF_JSON_WHOLE);
}

void objects_patch_config(struct request *r)
{
	change_config(r, schema_dup(CONF_TOP, running(r)), CONF_JSON_PATCH);
}

/* ---- one setting of it ---- */

void objects_get_log_level(struct request *r)
{
	const struct setting *s = schema_find(CONF_TOP, "log-level");
	g_autofree char *level = setting_format(s, running(r));
	JsonObject *o = json_object_new();

	json_object_set_string_member(o, s->name, level);
	answer_json(r, SOUP_STATUS_OK, json_of_object(o));
}

void objects_put_log_level(struct request *r)
{
	g_autoptr(JsonNode) body = request_body(r);
	JsonObject *o = body ? json_node_get_object(body) : NULL;
	struct conf *next;
	struct conf_json j;

	if (!body)
		return;
	if (json_object_get_size(o) != 1 || !json_object_has_member(o, "log-level")) {
		wrong_add(r->wrongs, "log-level", "expected it, and nothing else");
		answer_wrongs(r, SOUP_STATUS_UNPROCESSABLE_ENTITY);
		return;
	}
	next = schema_dup(CONF_TOP, running(r));
	j = reader(r, CONF_JSON_PATCH, next);
	if (!conf_from_json(&j, CONF_TOP, body, next, NULL)) {
		answer_wrongs(r, SOUP_STATUS_UNPROCESSABLE_ENTITY);
		conf_free(next);
	} else if (change_apply(r, next, 0)) {
		objects_get_log_level(r);
	}
}
