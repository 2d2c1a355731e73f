/* SPDX-License-Identifier: Apache-2.0 */
/* change.c - from a configuration somebody wants to the one that runs, and to the file. */
#include "config.h"
#include <string.h>
#include "config/diff.h"
#include "config/import.h"
#include "config/save.h"
#include "control/control-internal.h"
#include "iscsi/node.h"

enum { USERS_TOLD = 4 };

/* ---- entity tags ---- */

static void add_to_mac(void *mac, const char *text, size_t len)
{
	g_hmac_update(mac, (const guchar *)text, (gssize)len);
}

char *change_etag(const struct control *c, enum conf_object object, const void *obj, const GPtrArray *list)
{
	GHmac *mac = g_hmac_new(G_CHECKSUM_SHA256, (const guchar *)c->etag_key, strlen(c->etag_key));
	char *etag;

	conf_write_json(object, obj, list, NULL, add_to_mac, mac);
	etag = g_strdup_printf("\"%.32s\"", g_hmac_get_string(mac));
	g_hmac_unref(mac);
	return etag;
}

/* RFC 9110 8.8.3.  Weak ones are equal to none of ours where it matters (13.1.1). */
static bool among(const char *header, const char *etag)
{
	g_auto(GStrv) tags = g_strsplit(header, ",", -1);

	for (char **tag = tags; *tag; tag++)
		if (g_str_equal(g_strstrip(*tag), "*") ? etag != NULL : g_strcmp0(*tag, etag) == 0)
			return true;
	return false;
}

bool change_allowed(struct request *r, const char *etag)
{
	const char *match = request_header(r, "If-Match"), *none = request_header(r, "If-None-Match");
	const char *method = soup_server_message_get_method(r->msg);

	if (match && !among(match, etag)) {
		answer_problem(r, SOUP_STATUS_PRECONDITION_FAILED, NULL,
			       etag ? "it has changed since: its ETag is another" : "there is none");
		return false;
	}
	if (!none || !among(none, etag))
		return true;
	if (g_str_equal(method, "GET") || g_str_equal(method, "HEAD")) {
		r->answered = true;
		soup_server_message_set_status(r->msg, SOUP_STATUS_NOT_MODIFIED, NULL);
	} else {
		answer_problem(r, SOUP_STATUS_PRECONDITION_FAILED, NULL, "it is there already");
	}
	return false;
}

/* ---- who would notice ---- */

static const struct conf_target *find_target(const struct conf *c, const char *iqn)
{
	for (unsigned i = 0; i < c->targets->len; i++) {
		const struct conf_target *t = c->targets->pdata[i];

		if (g_str_equal(t->iqn, iqn))
			return t;
	}
	return NULL;
}

/* The LUN of a target that ends, is opened anew, or goes offline; NULL: none. */
static const struct conf_lun *disturbed(const struct conf_target *t, const struct conf_target *next)
{
	g_autoptr(GHashTable) numbers = g_hash_table_new(NULL, NULL);

	for (unsigned i = 0; i < next->luns->len; i++) {
		const struct conf_lun *m = next->luns->pdata[i];

		g_hash_table_insert(numbers, GUINT_TO_POINTER(m->number), (gpointer)m);
	}
	for (unsigned i = 0; i < t->luns->len; i++) {
		const struct conf_lun *l = t->luns->pdata[i];
		const struct conf_lun *m = g_hash_table_lookup(numbers, GUINT_TO_POINTER(l->number));

		if (!m || !server_same_device(l, m) || m->online < l->online)
			return l;
	}
	return NULL;
}

static void add_user(JsonArray *users, const struct session_info *s)
{
	JsonObject *o = json_object_new();

	json_object_set_string_member(o, "target", s->target);
	json_object_set_string_member(o, "initiator", s->initiator);
	json_object_set_string_member(o, "peer", s->peer);
	json_object_set_int_member(o, "tsih", s->tsih);
	json_array_add_object_element(users, o);
}

/* A session uses all of its target.  The line names some; the document's users are all. */
static bool refused_in_use(struct request *r, const struct conf *now, const struct conf *next)
{
	GArray *sessions = node_sessions(server_node(r->control->options.server));
	JsonArray *users = json_array_new();
	g_autoptr(GString) what = g_string_new(NULL);
	unsigned told = 0;
	JsonObject *o;

	for (unsigned i = 0; i < sessions->len; i++) {
		const struct session_info *s = &g_array_index(sessions, struct session_info, i);
		const struct conf_target *t = s->target ? find_target(now, s->target) : NULL;
		const struct conf_target *u = t ? find_target(next, s->target) : NULL;
		const struct conf_lun *l = u ? disturbed(t, u) : NULL;

		if (!t || (u && !l))
			continue;
		if (!what->len && l)
			g_string_printf(what, "target %s lun %u: in use by ", t->iqn, l->number);
		else if (!what->len)
			g_string_printf(what, "target %s: in use by ", t->iqn);
		if (told++ < USERS_TOLD)
			g_string_append_printf(what, "%s%s (%s)", told > 1 ? ", " : "", s->initiator, s->peer);
		add_user(users, s);
	}
	g_array_unref(sessions);
	if (!what->len) {
		json_array_unref(users);
		return false;
	}
	if (told > USERS_TOLD)
		g_string_append_printf(what, " and %u more", told - USERS_TOLD);
	o = json_object_new();
	json_object_set_array_member(o, "users", users);
	answer_problem(r, SOUP_STATUS_CONFLICT, o, "%s; force ends that", what->str);
	return true;
}

/* ---- apply ---- */

/* "OBJECT: REASON" of conf_check() and its kin. */
static void add_error(GPtrArray *wrongs, const char *text)
{
	const char *colon = g_strrstr(text, ": ");
	g_autofree char *field = colon ? g_strndup(text, (gsize)(colon - text)) : g_strdup("");

	wrong_add(wrongs, field, "%s", colon ? colon + 2 : text);
}

static bool checked(struct request *r, const struct conf *next)
{
	g_autoptr(GPtrArray) errors = conf_errors_new();

	conf_check(next, errors);
	if (!schema_equal(CONF_CONTROL, &next->control, &server_conf(r->control->options.server)->control))
		control_check(&next->control, errors);
	/* One whose plugin is gone may stay; a new one does not open. */
	plugins_check(server_plugin_dirs(r->control->options.server), next, false, errors);
	for (unsigned i = 0; i < errors->len; i++)
		add_error(r->wrongs, errors->pdata[i]);
	if (r->wrongs->len)
		answer_wrongs(r, SOUP_STATUS_UNPROCESSABLE_ENTITY);
	return !r->wrongs->len;
}

static bool prepared(struct request *r, struct conf *next)
{
	const struct control_options *o = &r->control->options;
	g_autoptr(GError) error = NULL;

	if (!o->prepare || o->prepare(next, o->data, &error))
		return true;
	answer_problem(r, SOUP_STATUS_CONFLICT, NULL, "%s", error->message);
	return false;
}

static void answer_plan(struct request *r, const struct conf *now, const struct conf *next)
{
	g_autoptr(GPtrArray) changes = conf_diff(now, next);
	JsonObject *plan = json_object_new();
	JsonArray *list = json_array_new();

	for (unsigned i = 0; i < changes->len; i++) {
		const struct change *c = changes->pdata[i];
		JsonObject *o = json_object_new();

		json_set_text(o, "op", change_kind_name(c->kind));
		json_set_text(o, "path", c->path);
		if (c->from)
			json_set_text(o, "from", c->from);
		if (c->to)
			json_set_text(o, "to", c->to);
		json_object_set_boolean_member(o, "restart", c->restart);
		json_array_add_object_element(list, o);
	}
	json_object_set_array_member(plan, "changes", list);
	answer_json(r, SOUP_STATUS_OK, json_of_object(plan));
}

struct conf *change_begin(struct request *r, bool part, const char *iqn)
{
	struct server *s = r->control->options.server;

	r->part = part;
	r->iqn = iqn;
	return part ? server_conf_part(s, iqn) : schema_dup(CONF_TOP, server_conf(s));
}

/* Is next to be what runs?  False: it has been answered. */
static bool wanted(struct request *r, const struct conf *now, struct conf *next, unsigned flags)
{
	if (!prepared(r, next) || !checked(r, next))
		return false;
	if (flags & CHANGE_USE_CHECKED && now->targets->len && !request_flag(r, "force") && refused_in_use(r, now, next))
		return false;
	if (!request_flag(r, "dry_run"))
		return true;
	answer_plan(r, now, next);
	return false;
}

bool change_apply(struct request *r, struct conf *next, unsigned flags)
{
	struct server *s = r->control->options.server;
	struct conf *part = r->part ? server_conf_part(s, r->iqn) : NULL;
	const struct conf *now = part ? part : server_conf(s);
	bool ok = wanted(r, now, next, flags), same = ok && schema_equal(CONF_TOP, now, next);
	g_autoptr(GError) error = NULL;

	conf_free(part);
	if (!ok) {
		conf_free(next);
		return false;
	}
	if (!(r->part ? server_apply_part(s, next, r->iqn, &error) : server_apply(s, next, &error))) {
		add_error(r->wrongs, error->message);
		answer_wrongs(r, SOUP_STATUS_UNPROCESSABLE_ENTITY);
		return false;
	}
	if (r->control->options.applied)
		r->control->options.applied(r->control->options.data);
	r->control->unsaved |= !same;
	return true;
}

/* ---- save ---- */

/* The file itself, or one beside it: who may use the socket is not to write anywhere. */
static char *save_path(struct request *r)
{
	const char *own = r->control->config_path, *name = NULL;
	g_autoptr(JsonNode) body = request_has_body(r) ? request_body(r) : NULL;
	g_autofree char *dir = NULL;

	if (r->answered)
		return NULL;
	if (!own) {
		answer_problem(r, SOUP_STATUS_CONFLICT, NULL, "there is no configuration file");
		return NULL;
	}
	if (body)
		name = json_object_get_string_member_with_default(json_node_get_object(body), "name", NULL);
	if (body && (!name || strchr(name, '/') || !g_str_has_suffix(name, ".conf") || *name == '.')) {
		wrong_add(r->wrongs, "name", "expected the name of a file, NAME.conf without a folder");
		answer_wrongs(r, SOUP_STATUS_UNPROCESSABLE_ENTITY);
		return NULL;
	}
	dir = g_path_get_dirname(own);
	return name ? g_build_filename(dir, name, NULL) : g_strdup(own);
}

/* JSON of gotgt in Go has no place for what runs here, and is another's to write. */
static bool refused_json(struct request *r, const char *path)
{
	g_autofree char *dir = g_path_get_dirname(r->control->config_path);

	if (!import_is_json(path))
		return false;
	answer_problem(r, SOUP_STATUS_CONFLICT, NULL, "%s is a configuration of gotgt in Go, which is not written over; save to a "
		       "new file beside it, NAME.conf, and start with --config %s/NAME.conf", path, dir);
	return true;
}

void change_save(struct request *r)
{
	struct control *c = r->control;
	g_autofree char *path = save_path(r), *sum = NULL;
	g_autoptr(GError) error = NULL;
	struct conf *copy;
	JsonObject *o;
	bool ok;

	if (!path || refused_json(r, path))
		return;
	if (c->options.may_save && !c->options.may_save(path, c->options.data, &error)) {
		answer_problem(r, SOUP_STATUS_CONFLICT, NULL, "%s", error->message);
		return;
	}
	copy = schema_dup(CONF_TOP, server_conf(c->options.server));
	if (c->options.strip)
		c->options.strip(copy, c->options.data);
	ok = conf_save(copy, path, !g_str_equal(path, c->config_path), &sum, &error);
	conf_free(copy);
	if (!ok) {
		answer_problem(r, SOUP_STATUS_INTERNAL_SERVER_ERROR, NULL, "%s", error->message);
		return;
	}
	if (c->options.saved)
		c->options.saved(path, sum, c->options.data);
	if (g_str_equal(path, c->config_path))
		c->unsaved = false;
	o = json_object_new();
	json_object_set_string_member(o, "path", path);
	answer_json(r, SOUP_STATUS_OK, json_of_object(o));
}
