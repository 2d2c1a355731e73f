/* SPDX-License-Identifier: Apache-2.0 */
/* views.c - what runs, beside the configuration: sessions, plugins, state. */
#include "config.h"
#include <string.h>
#include "backstore/describe.h"
#include "config/place.h"
#include "control/control-internal.h"
#include "iscsi/node.h"
#include "scsi/lun.h"

/* ---- sessions ---- */

static JsonObject *session_object(const struct session_info *s)
{
	JsonObject *o = json_object_new();
	char isid[13];

	for (unsigned i = 0; i < 6; i++)
		g_snprintf(isid + 2 * i, 3, "%02x", s->isid[i]);
	json_object_set_int_member(o, "tsih", s->tsih);
	json_set_text(o, "target", s->target);
	json_set_text(o, "initiator", s->initiator);
	json_object_set_string_member(o, "isid", isid);
	json_object_set_string_member(o, "peer", s->peer);
	json_object_set_int_member(o, "connections", s->connections);
	json_object_set_int_member(o, "commands", s->commands);
	return o;
}

static GArray *sessions(const struct request *r)
{
	return node_sessions(server_node(r->control->options.server));
}

void views_sessions(struct request *r)
{
	g_autoptr(GArray) all = sessions(r);
	JsonArray *list = json_array_new();

	for (unsigned i = 0; i < all->len; i++)
		json_array_add_object_element(list, session_object(&g_array_index(all, struct session_info, i)));
	answer_json(r, SOUP_STATUS_OK, json_of_array(list));
}

/* False: there is none, which has been answered. */
static bool session_of(struct request *r, const GArray *all, struct session_info *found)
{
	const char *text = r->steps[2];
	uint64_t tsih;

	if (g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT16, &tsih, NULL))
		for (unsigned i = 0; i < all->len; i++) {
			*found = g_array_index(all, struct session_info, i);
			if (found->tsih == tsih)
				return true;
		}
	answer_problem(r, SOUP_STATUS_NOT_FOUND, NULL, "there is no session %s", text);
	return false;
}

void views_session(struct request *r)
{
	g_autoptr(GArray) all = sessions(r);
	struct session_info s;

	if (session_of(r, all, &s))
		answer_json(r, SOUP_STATUS_OK, json_of_object(session_object(&s)));
}

void views_session_drop(struct request *r)
{
	g_autoptr(GArray) all = sessions(r);
	struct session_info s;

	if (!session_of(r, all, &s))
		return;
	if (node_drop_session(server_node(r->control->options.server), s.tsih))
		answer_none(r);
	else
		answer_problem(r, SOUP_STATUS_NOT_FOUND, NULL, "session %u has ended", s.tsih);
}

/* ---- plugins ---- */

static JsonNode *plugin_node(const char *const *dirs, const char *name)
{
	g_autoptr(GError) error = NULL;
	const struct module *m = plugins_get(dirs, name, &error);
	g_autoptr(GString) text = g_string_new(NULL);
	JsonObject *o;

	if (m) {
		describe_json(m, text);
		return json_from_string(text->str, NULL);
	}
	o = json_object_new();
	json_set_text(o, "name", name);
	json_set_text(o, "error", error->message);
	return json_of_object(o);
}

void views_plugins(struct request *r)
{
	const char *const *dirs = server_plugin_dirs(r->control->options.server);
	g_auto(GStrv) names = module_list(dirs);
	JsonArray *list = json_array_new();

	for (char **name = names; *name; name++)
		json_array_add_element(list, plugin_node(dirs, *name));
	answer_json(r, SOUP_STATUS_OK, json_of_array(list));
}

/* ---- state ---- */

const char *view_lun_state(const struct conf_lun *l, const struct lun *lun)
{
	return !lun ? "failed" : !l->online ? "offline" : lun_state(lun) & LUN_STUCK ? "stuck" : "online";
}

uint64_t view_lun_size(struct lun *lun)
{
	struct device *dev = lun_device(lun);

	if (!(lun_state(lun) & LUN_STUCK))
		device_look(dev);
	return device_size(dev);
}

static JsonObject *lun_object(const struct server *s, const struct conf_target *t, const struct conf_lun *l)
{
	struct lun *lun = server_lun(s, t->iqn, l->number);
	JsonObject *o = json_object_new();

	json_object_set_int_member(o, "number", l->number);
	json_set_text(o, "plugin", l->plugin);
	json_set_text(o, "state", view_lun_state(l, lun));
	if (lun)
		json_object_set_int_member(o, "size", (gint64)view_lun_size(lun));
	return o;
}

static JsonObject *target_object(const struct server *s, const struct conf_target *t, unsigned logged_in)
{
	JsonArray *luns = json_array_new();
	JsonObject *o = json_object_new();

	json_set_text(o, "iqn", t->iqn);
	json_set_text(o, "state", logged_in ? "online" : "ready");
	json_object_set_int_member(o, "sessions", logged_in);
	for (unsigned i = 0; i < t->luns->len; i++)
		json_array_add_object_element(luns, lun_object(s, t, t->luns->pdata[i]));
	json_object_set_array_member(o, "luns", luns);
	return o;
}

static JsonArray *portals_array(const struct server *s)
{
	const GPtrArray *portals = server_conf(s)->portals;
	JsonArray *list = json_array_new();

	for (unsigned i = 0; i < portals->len; i++) {
		const struct conf_portal *p = portals->pdata[i];
		JsonObject *o = json_object_new();

		json_set_text(o, "name", p->name);
		json_set_text(o, "address", p->address);
		json_object_set_int_member(o, "port", p->port);
		json_set_text(o, "listening", server_portal(s, i));
		json_array_add_object_element(list, o);
	}
	return list;
}

/* How many of each target. */
static GHashTable *count_sessions(const GArray *all)
{
	GHashTable *counts = g_hash_table_new(g_str_hash, g_str_equal);

	for (unsigned i = 0; i < all->len; i++) {
		const char *target = g_array_index(all, struct session_info, i).target;

		if (target)
			g_hash_table_insert(counts, (gpointer)target,
					    GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(counts, target)) + 1));
	}
	return counts;
}

struct status { const struct server *server; GHashTable *sessions; };

static JsonNode *nth_target(const void *of, unsigned n)
{
	const struct status *status = of;
	const struct conf_target *t = server_conf(status->server)->targets->pdata[n];

	return json_of_object(target_object(status->server, t,
					    GPOINTER_TO_UINT(g_hash_table_lookup(status->sessions, t->iqn))));
}

void views_status(struct request *r)
{
	const struct server *s = r->control->options.server;
	g_autoptr(GArray) all = sessions(r);
	g_autoptr(GHashTable) counts = count_sessions(all);
	const struct status status = { s, counts };
	struct json_long answer = { .name = "targets", .n = server_conf(s)->targets->len, .element = nth_target, .of = &status };
	JsonArray *control = json_array_new();
	JsonObject *o = json_object_new();

	for (unsigned i = 0; i < r->control->doors->len; i++)
		json_array_add_string_element(control, ((const struct door *)r->control->doors->pdata[i])->url);
	json_object_set_boolean_member(o, "unsaved", r->control->unsaved);
	json_object_set_array_member(o, "control", control);
	json_object_set_array_member(o, "portals", portals_array(s));
	answer.head = json_of_object(o);
	answer_long(r, &answer);
}

/* 200 in any case: to start a daemon anew for one logical unit would end the sessions of all. */
void views_health(struct request *r)
{
	const struct server *s = r->control->options.server;
	const GPtrArray *targets = server_conf(s)->targets;
	JsonObject *o = json_object_new();
	unsigned luns = 0, stuck = 0, served = server_luns(s);

	for (unsigned i = 0; i < targets->len; i++) {
		const struct conf_target *t = targets->pdata[i];

		luns += t->luns->len;
		for (unsigned j = 0; j < t->luns->len; j++) {
			const struct conf_lun *l = t->luns->pdata[j];
			const struct lun *lun = server_lun(s, t->iqn, l->number);

			stuck += lun && lun_state(lun) & LUN_STUCK ? 1 : 0;
		}
	}
	json_set_text(o, "status", served == luns && !stuck ? "ok" : "degraded");
	json_object_set_int_member(o, "targets", targets->len);
	json_object_set_int_member(o, "luns", luns);
	json_object_set_int_member(o, "luns-served", served);
	json_object_set_int_member(o, "luns-stuck", stuck);
	answer_json(r, SOUP_STATUS_OK, json_of_object(o));
}
