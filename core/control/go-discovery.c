/* SPDX-License-Identifier: Apache-2.0 */
/*
 * go-discovery.c - what initiators are told there is, as routes of gotgt in Go name it: a portal that is made there is
 * listened on and announced.
 */
#include "config.h"
#include <string.h>
#include "config/go-json.h"
#include "config/place.h"
#include "control/control-internal.h"
#include "iscsi/node.h"

/* ---- to look ---- */

static JsonArray *addresses_of(JsonObject *target)
{
	return json_object_get_array_member(target, "TargetAddress");
}

/* Keys and values of RFC 7143 appendix C, each with a zero behind it. */
static JsonArray *targets_of(const GByteArray *text)
{
	JsonArray *list = json_array_new();
	JsonObject *last = NULL;

	for (guint at = 0; at < text->len; at += (guint)strlen((const char *)text->data + at) + 1) {
		g_auto(GStrv) pair = g_strsplit((const char *)text->data + at, "=", 2);

		if (g_str_equal(pair[0], "TargetName")) {
			last = json_object_new();
			json_set_text(last, pair[0], pair[1]);
			json_object_set_array_member(last, "TargetAddress", json_array_new());
			json_array_add_object_element(list, last);
		} else if (last) {
			json_array_add_string_element(addresses_of(last), pair[1]);
		}
	}
	return list;
}

void go_discovery_get(struct request *r)
{
	struct node *n = server_node(r->control->options.server);
	g_autoptr(GByteArray) text = g_byte_array_new();
	const char *name = go_last_step(r);
	char *after = g_strdup("");

	if (g_str_equal(name, "All"))
		node_send_all_targets(n, &after, G_MAXUINT32, NULL, NULL, text);
	else
		node_send_target(n, name, NULL, NULL, text);
	g_free(after);
	if (!text->len && !g_str_equal(name, "All"))
		answer_problem(r, SOUP_STATUS_NOT_FOUND, NULL, "there is no target %s", name);
	else
		answer_json(r, SOUP_STATUS_OK, json_of_array(targets_of(text)));
}

/* ---- to change ---- */

enum { NEW_ID, NEW_PORTAL, NEW_TARGET, NEW_TPGT, NEW_FIELDS };
static const struct go_field new_fields[] = {
	[NEW_ID] = { "id", GO_NUMBER }, [NEW_PORTAL] = { "portal", GO_TEXT, true }, [NEW_TARGET] = { "target", GO_TEXT },
	[NEW_TPGT] = { "tpgt", GO_NUMBER }, { .name = NULL },
};

static char **names_with(char **names, const char *name)
{
	GPtrArray *list = g_ptr_array_new();

	for (char **n = names; n && *n; n++)
		g_ptr_array_add(list, *n);
	g_ptr_array_add(list, g_strdup(name));
	g_ptr_array_add(list, NULL);
	g_free(names);
	return (char **)g_ptr_array_free(list, FALSE);
}

/* NULL when there is no other. */
static char **names_without(char **names, const char *name)
{
	GPtrArray *list = g_ptr_array_new();

	for (char **n = names; n && *n; n++)
		if (g_str_equal(*n, name))
			g_free(*n);
		else
			g_ptr_array_add(list, *n);
	g_free(names);
	g_ptr_array_add(list, NULL);
	if (list->len > 1)
		return (char **)g_ptr_array_free(list, FALSE);
	g_ptr_array_unref(list);
	return NULL;
}

/* Put a portal into a target port group, which is made if it is not there; what is in none is in group 1. */
static void join_group(struct conf_target *t, uint32_t tag, const char *portal)
{
	struct conf_group *g = NULL;

	if (t->portals)
		t->portals = names_with(t->portals, portal);
	for (unsigned i = 0; i < t->groups->len; i++)
		if (((struct conf_group *)t->groups->pdata[i])->tag == tag)
			g = t->groups->pdata[i];
	if (!g && tag == 1)
		return;
	if (!g) {
		g = schema_new(CONF_GROUP);
		g->tag = tag;
		g_ptr_array_add(t->groups, g);
	}
	g->portals = names_with(g->portals, portal);
}

/* "portal-0" and on, the first that is free, or of the id that is given. */
static char *new_name(const struct conf *c, const struct go_value *id)
{
	uint64_t n = 0;
	char *name;

	if (id->node)
		go_number(id->node, &n);
	while ((name = g_strdup_printf("portal-%" G_GUINT64_FORMAT, n)) && !id->node && conf_find_portal(c, name)) {
		g_free(name);
		n++;
	}
	return name;
}

static void add_portal(struct request *r, struct conf *next, const struct go_value *values, const char *name)
{
	const struct go_value *target = &values[NEW_TARGET];
	const char *iqn = target->node ? json_node_get_string(target->node) : NULL;
	struct conf_target *t = iqn ? place_element(CONF_TARGET, next->targets, iqn, NULL) : NULL;
	struct conf_portal *p = conf_add_portal(next);
	g_autoptr(GError) error = NULL;
	uint64_t tag = 1;

	if (values[NEW_TPGT].node)
		go_number(values[NEW_TPGT].node, &tag);
	if (!conf_portal_parse(json_node_get_string(values[NEW_PORTAL].node), p, &error))
		wrong_add(r->wrongs, "portal", "%s", error->message);
	if (iqn && !t)
		wrong_add(r->wrongs, "target", "there is no target %s", iqn);
	if (!iqn && values[NEW_TPGT].node)
		wrong_add(r->wrongs, "tpgt", "is of a target");
	if (tag < 1 || tag > G_MAXUINT16)
		wrong_add(r->wrongs, "tpgt", "expected a number from 1 to 65535");
	if (strlen(name) > 64)
		wrong_add(r->wrongs, "id", "is too long");
	p->name = g_strdup(name);
	if (t && !r->wrongs->len)
		join_group(t, (uint32_t)tag, name);
}

static void answer_portal(struct request *r, const char *name)
{
	const struct server *s = r->control->options.server;
	const GPtrArray *portals = server_conf(s)->portals;
	JsonObject *o = json_object_new();

	for (unsigned i = 0; i < portals->len; i++)
		if (g_strcmp0(((const struct conf_portal *)portals->pdata[i])->name, name) == 0)
			json_set_text(o, "portal", server_portal(s, i));
	json_set_text(o, "name", name);
	answer_json(r, SOUP_STATUS_OK, json_of_object(o));
}

void go_discovery_create(struct request *r)
{
	g_autoptr(JsonNode) body = request_body(r);
	struct go_reader reader = { .wrongs = r->wrongs };
	struct go_value values[NEW_FIELDS];
	g_autofree char *name = NULL;
	struct conf *next;

	if (!body)
		return;
	if (!go_fields(&reader, "", 0, json_node_get_object(body), new_fields, values)) {
		answer_wrongs(r, SOUP_STATUS_UNPROCESSABLE_ENTITY);
		return;
	}
	next = schema_dup(CONF_TOP, server_conf(r->control->options.server));
	name = new_name(next, &values[NEW_ID]);
	if (conf_find_portal(next, name))
		answer_problem(r, SOUP_STATUS_CONFLICT, NULL, "portal %s: there is one already", name);
	else
		add_portal(r, next, values, name);
	if (!r->answered && r->wrongs->len)
		answer_wrongs(r, SOUP_STATUS_UNPROCESSABLE_ENTITY);
	if (r->answered)
		conf_free(next);
	else if (change_apply(r, next, 0))
		answer_portal(r, name);
}

/* The target goes on by its other portals; false: it has none. */
static bool leave(struct conf_target *t, const char *portal)
{
	for (unsigned i = t->groups->len; i--; ) {
		struct conf_group *g = t->groups->pdata[i];

		g->portals = names_without(g->portals, portal);
		if (!g->portals)
			schema_free(CONF_GROUP, g_ptr_array_steal_index(t->groups, i));
	}
	if (!t->portals)
		return true;
	t->portals = names_without(t->portals, portal);
	return t->portals != NULL;
}

static bool leave_all(struct request *r, struct conf *next, const char *portal)
{
	for (unsigned i = 0; portal && i < next->targets->len; i++) {
		struct conf_target *t = next->targets->pdata[i];

		if (leave(t, portal))
			continue;
		answer_problem(r, SOUP_STATUS_CONFLICT, NULL, "portal %s is the only one of target %s", portal, t->iqn);
		return false;
	}
	return true;
}

/* By its name, the number in it, or its address and port. */
void go_discovery_remove(struct request *r)
{
	struct conf *next = schema_dup(CONF_TOP, server_conf(r->control->options.server));
	const char *text = go_last_step(r);
	g_autofree char *name = g_strconcat("portal-", text, NULL);
	struct conf_portal *p = NULL;

	for (unsigned i = 0; i < next->portals->len && !p; i++) {
		struct conf_portal *q = next->portals->pdata[i];
		g_autofree char *at = g_strdup_printf(strchr(q->address, ':') ? "[%s]:%u" : "%s:%u", q->address, q->port);

		if (g_strcmp0(q->name, text) == 0 || g_strcmp0(q->name, name) == 0 || g_str_equal(at, text))
			p = g_ptr_array_steal_index(next->portals, i);
	}
	if (!p)
		answer_problem(r, SOUP_STATUS_NOT_FOUND, NULL, "there is no portal %s", text);
	if (!p || !leave_all(r, next, p->name)) {
		schema_free(CONF_PORTAL, p);
		conf_free(next);
		return;
	}
	schema_free(CONF_PORTAL, p);
	if (change_apply(r, next, 0))
		answer_none(r);
}
