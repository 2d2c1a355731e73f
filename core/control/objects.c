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

/* The one that the path is about, or in; NULL: none. */
static const struct conf_target *target_of(const struct request *r)
{
	char **steps = r->steps + 1;

	return *steps && g_str_equal(*steps, "targets") && steps[1] ?
		server_target(r->control->options.server, steps[1]) : NULL;
}

/* See change_begin(): of a target, or of all. */
static struct conf *begin(struct request *r)
{
	char **steps = r->steps + 1;
	bool part = *steps && g_str_equal(*steps, "targets");

	return change_begin(r, part, part ? steps[1] : NULL);
}

/* The path behind /v1; what is there may be asked only to look when c is what runs. */
static bool find(struct request *r, const struct conf *c, struct place *p)
{
	const char *const *steps = (const char *const *)r->steps + 1;
	const struct conf_target *t = c == running(r) ? target_of(r) : NULL;

	if (t ? place_find_in(c, t, steps + 2, p) : place_find((struct conf *)c, steps, p))
		return true;
	if (p->key)
		answer_problem(r, SOUP_STATUS_NOT_FOUND, NULL, "there is no %s %s", schema_object_name(p->object), p->key);
	else
		answer_problem(r, SOUP_STATUS_NOT_FOUND, NULL, "there is no such object");
	return false;
}

/* As it is; by a path across targets with where that is. */
static void answer_shown(struct request *r, unsigned status, const struct place *p)
{
	JsonNode *node = r->across ? conf_to_json(p->object, p->obj, dirs(r)) : NULL;

	if (!node) {
		answer_conf(r, status, p->object, p->obj, p->list);
		return;
	}
	across_mark(node, p->object, across_target(r), p->at);
	answer_json(r, status, node);
}

static char *place_etag(const struct request *r, const struct place *p)
{
	return p->key && !p->obj ? NULL : change_etag(r->control, p->object, p->obj, p->list);
}

/* What If-Match and If-None-Match are about; that of a whole configuration takes a while. */
static char *asked_etag(const struct request *r, const struct place *p)
{
	return request_header(r, "If-Match") || request_header(r, "If-None-Match") ? place_etag(r, p) : NULL;
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
	answer_shown(r, status, p);
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
		answer_shown(r, SOUP_STATUS_OK, &p);
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

/* What a list has under a key; of targets, of which next has but one, what runs. */
static void *element(const struct request *r, const struct place *p, const char *key, unsigned *at)
{
	if (p->object == CONF_TARGET)
		return (void *)server_target(r->control->options.server, key);
	return place_element(p->object, p->list, key, at);
}

void objects_create(struct request *r)
{
	struct conf *next = begin(r);
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
	else if (element(r, &p, (key = place_key(p.object, obj, p.list->len)), NULL))
		answer_problem(r, SOUP_STATUS_CONFLICT, NULL, "%s %s: there is one already",
			       schema_object_name(p.object), key);
	if (r->answered) {
		schema_free(p.object, obj);
		conf_free(next);
		return;
	}
	g_ptr_array_add(p.list, obj);
	if (p.object == CONF_TARGET)
		r->iqn = key;
	if (!change_apply(r, next, CHANGE_USE_CHECKED) || !find(r, running(r), &p))
		return;
	p.key = key;
	p.obj = element(r, &p, key, &p.at);
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
	struct conf *next = begin(r);
	g_autoptr(JsonNode) body = NULL;
	g_autofree char *etag = NULL;
	struct params before = next->iscsi;
	struct place p;
	bool ok = find(r, next, &p) && (put || !missing(r, &p)), created;

	if (ok) {
		etag = asked_etag(r, &p);
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
	struct conf *next = begin(r);
	g_autofree char *etag = NULL;
	struct place p;

	if (!find(r, next, &p) || missing(r, &p)) {
		conf_free(next);
		return;
	}
	etag = asked_etag(r, &p);
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
		answer_conf(r, SOUP_STATUS_OK, p.object, p.obj, p.list);
}

static bool read_config(struct request *r, struct conf *next, enum conf_json_mode mode, bool *has_targets)
{
	g_autoptr(GBytes) body = soup_message_body_flatten(soup_server_message_get_request_body(r->msg));
	struct conf_json j = reader(r, mode, next);
	size_t len;
	const char *text = g_bytes_get_data(body, &len);

	/* libsoup has put a zero behind it. */
	switch (conf_from_text(&j, len ? text : "", len, next, mode == CONF_JSON_WHOLE ? running(r) : NULL, has_targets)) {
	case CONF_TEXT_NO_JSON:
		answer_wrongs(r, SOUP_STATUS_BAD_REQUEST);
		return false;
	case CONF_TEXT_WRONG:
		answer_wrongs(r, SOUP_STATUS_UNPROCESSABLE_ENTITY);
		return false;
	case CONF_TEXT_READ:
		break;
	}
	return true;
}

/* What was cut, or is empty, is no wish that all is to end: lib/config.c says the same of a file. */
static bool ends_all(struct request *r, bool has_targets)
{
	unsigned n = running(r)->targets->len;

	if (has_targets || !n)
		return false;
	answer_problem(r, SOUP_STATUS_UNPROCESSABLE_ENTITY, NULL, "targets: is missing, and there are %u; to end all, give an "
		       "empty list of them", n);
	return true;
}

/* As a reload: who applies a whole configuration has decided what ends. */
static void change_config(struct request *r, struct conf *next, enum conf_json_mode mode)
{
	struct place p = top(r);
	g_autofree char *etag = asked_etag(r, &p);
	struct params before = next->iscsi;
	bool has_targets;

	if (!change_allowed(r, etag) || !request_takes_body(r) || !read_config(r, next, mode, &has_targets) ||
	    (mode == CONF_JSON_WHOLE && ends_all(r, has_targets))) {
		conf_free(next);
		return;
	}
	if (mode == CONF_JSON_PATCH && !has_targets)
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
	change_config(r, change_begin(r, false, NULL), CONF_JSON_PATCH);
}
