/* SPDX-License-Identifier: Apache-2.0 */
/*
 * go.c - targets as the routes of gotgt in Go have them, for its clients.  Most of these answered there without doing
 * anything; here they do what their names say.
 */
#include "config.h"
#include <string.h>
#include "config/place.h"
#include "control/control-internal.h"
#include "engine/log.h"
#include "iscsi/node.h"

#define LOG_DOMAIN LOGD_CONTROL

enum { GO_ONLINE = 1, GO_READY = 2 };	/* its numbers of a target's state */

static JsonObject *port_object(unsigned number, const char *name)
{
	JsonObject *o = json_object_new();

	json_object_set_int_member(o, "RelativeTargetPortID", number);
	json_object_set_string_member(o, "TargetPortName", name);
	return o;
}

static JsonObject *group_object(const struct server *s, unsigned tag, char **portals)
{
	const GPtrArray *all = server_conf(s)->portals;
	JsonObject *o = json_object_new();
	JsonArray *ports = json_array_new();

	for (unsigned i = 0; i < all->len; i++) {
		const struct conf_portal *p = all->pdata[i];

		if (!portals || (p->name && g_strv_contains((const char *const *)portals, p->name)))
			json_array_add_object_element(ports, port_object(i + 1, server_portal(s, i)));
	}
	json_object_set_int_member(o, "GroupID", tag);
	json_object_set_array_member(o, "targetportgroup", ports);
	return o;
}

static JsonObject *target_object(const struct server *s, const struct conf_target *t, unsigned tid,
				 const GArray *sessions)
{
	JsonObject *o = json_object_new(), *nexuses = json_object_new();
	JsonArray *groups = json_array_new();

	for (unsigned i = 0; i < t->groups->len; i++) {
		const struct conf_group *g = t->groups->pdata[i];

		json_array_add_object_element(groups, group_object(s, g->tag, g->portals));
	}
	if (!t->groups->len)
		json_array_add_object_element(groups, group_object(s, 1, t->portals));
	for (unsigned i = 0; i < sessions->len; i++) {
		const struct session_info *info = &g_array_index(sessions, struct session_info, i);
		g_autofree char *id = g_strdup_printf("%u", info->tsih);
		JsonObject *nexus;

		if (g_strcmp0(info->target, t->iqn) != 0)
			continue;
		nexus = json_object_new();
		json_object_set_string_member(nexus, "id", id);
		json_object_set_string_member(nexus, "Tag", info->initiator);
		json_object_set_object_member(nexuses, id, nexus);
	}
	json_object_set_string_member(o, "name", t->iqn);
	json_object_set_int_member(o, "tid", tid);
	json_object_set_int_member(o, "lid", 0);
	json_object_set_int_member(o, "state", json_object_get_size(nexuses) ? GO_ONLINE : GO_READY);
	json_object_set_array_member(o, "tpg", groups);
	json_object_set_object_member(o, "itnexus", nexuses);
	return o;
}

void go_target_list(struct request *r)
{
	const struct server *s = r->control->options.server;
	const GPtrArray *targets = server_conf(s)->targets;
	GArray *sessions = node_sessions(server_node(s));
	JsonArray *list = json_array_new();

	for (unsigned i = 0; i < targets->len; i++)
		json_array_add_object_element(list, target_object(s, targets->pdata[i], i + 1, sessions));
	g_array_unref(sessions);
	answer_json(r, SOUP_STATUS_OK, json_of_array(list));
}

const char *go_last_step(const struct request *r)
{
	return r->steps[g_strv_length(r->steps) - 1];
}

/* One target, as its clients expect of a change. */
static void answer_target(struct request *r, const char *name)
{
	const struct server *s = r->control->options.server;
	GArray *sessions = node_sessions(server_node(s));
	unsigned at;
	const struct conf_target *t = place_element(CONF_TARGET, server_conf(s)->targets, name, &at);

	answer_json(r, SOUP_STATUS_OK, json_of_object(target_object(s, t, at + 1, sessions)));
	g_array_unref(sessions);
}

static const char *name_of(JsonNode *body)
{
	JsonNode *name = json_object_get_member(json_node_get_object(body), "Name");

	return name && json_node_get_value_type(name) == G_TYPE_STRING ? json_node_get_string(name) : NULL;
}

/* Its logical units are ready; those that did not open are tried once more, as each change does. */
void go_target_up(struct request *r)
{
	g_autoptr(JsonNode) body = request_body(r);
	const char *name = body ? name_of(body) : NULL;
	struct server *s = r->control->options.server;
	struct conf_target *t;
	struct conf *next;

	if (!body)
		return;
	if (!name) {
		wrong_add(r->wrongs, "Name", "is required");
		answer_wrongs(r, SOUP_STATUS_UNPROCESSABLE_ENTITY);
		return;
	}
	next = schema_dup(CONF_TOP, server_conf(s));
	t = place_element(CONF_TARGET, next->targets, name, NULL);
	if (!t) {
		answer_problem(r, SOUP_STATUS_NOT_FOUND, NULL, "there is no target %s", name);
		conf_free(next);
		return;
	}
	for (unsigned i = 0; i < t->luns->len; i++)
		((struct conf_lun *)t->luns->pdata[i])->online = true;
	if (!change_apply(r, next, 0))
		return;
	t = place_element(CONF_TARGET, server_conf(s)->targets, name, NULL);
	for (unsigned i = 0; i < t->luns->len; i++) {
		uint32_t number = ((const struct conf_lun *)t->luns->pdata[i])->number;

		if (!server_lun(s, name, number)) {
			answer_problem(r, SOUP_STATUS_SERVICE_UNAVAILABLE, NULL, "target %s lun %u did not open; the log says why",
				       name, number);
			return;
		}
	}
	answer_target(r, name);
}

/* {"Name": IQN} is {"iqn": IQN} of POST /v1/targets. */
void go_target_create(struct request *r)
{
	g_autoptr(JsonNode) body = request_body(r);
	const char *name = body ? name_of(body) : NULL;
	struct server *s = r->control->options.server;
	g_autoptr(GError) error = NULL;
	struct conf_target *t;
	struct conf *next;

	if (!body)
		return;
	next = change_begin(r, true, name);
	t = conf_add_target(next);
	t->open = true;		/* as all targets were there */
	if (!name)
		wrong_add(r->wrongs, "Name", "is required");
	else if (!setting_parse(schema_find(CONF_TARGET, "iqn"), name, t, &error))
		wrong_add(r->wrongs, "Name", "%s", error->message);
	if (r->wrongs->len)
		answer_wrongs(r, SOUP_STATUS_UNPROCESSABLE_ENTITY);
	else if (server_target(s, name))
		answer_problem(r, SOUP_STATUS_CONFLICT, NULL, "target %s: there is one already", name);
	if (r->answered) {
		conf_free(next);
	} else if (change_apply(r, next, CHANGE_USE_CHECKED)) {
		log_warning_of(LOG_TARGET(name), "target %s: open to everybody who reaches it, as in gotgt in Go", name);
		answer_target(r, name);
	}
}

void go_target_remove(struct request *r)
{
	const char *name = go_last_step(r);
	struct conf *next;

	if (!server_target(r->control->options.server, name)) {
		answer_problem(r, SOUP_STATUS_NOT_FOUND, NULL, "there is no target %s", name);
		return;
	}
	next = change_begin(r, true, name);
	schema_free(CONF_TARGET, g_ptr_array_steal_index(next->targets, 0));
	if (change_apply(r, next, CHANGE_USE_CHECKED))
		answer_none(r);
}
