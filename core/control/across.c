/* SPDX-License-Identifier: Apache-2.0 */
/* across.c - what targets have, of all of them at once: accounts, acls, and the backstores of their logical units. */
#include "config.h"
#include <string.h>
#include "backstore/device.h"
#include "config/place.h"
#include "control/control-internal.h"
#include "scsi/lun.h"

#define DISCOVERY "discovery"	/* takes a target's place: no target can be called so */

static const struct conf *running(const struct request *r)
{
	return server_conf(r->control->options.server);
}

/* ---- lists of the schema ---- */

void across_mark(JsonNode *node, enum conf_object object, const char *iqn, unsigned at)
{
	JsonObject *o = json_node_get_object(node);

	json_set_text(o, "target", iqn);
	if (!place_key_row(object))
		json_object_set_int_member(o, "place", at);
}

static void add_all(struct request *r, JsonArray *to, const GPtrArray *list, const char *iqn)
{
	enum conf_object object = r->route->row->child;

	for (unsigned i = 0; i < list->len; i++) {
		JsonNode *node = conf_to_json(object, list->pdata[i], server_plugin_dirs(r->control->options.server));

		across_mark(node, object, iqn, i);
		json_array_add_element(to, node);
	}
}

/* Those of discovery have no target. */
void across_list(struct request *r)
{
	const struct conf *c = running(r);
	const struct setting *own = schema_find(CONF_DISCOVERY, r->route->row->name);
	JsonArray *all = json_array_new();

	for (unsigned i = 0; i < c->targets->len; i++) {
		const struct conf_target *t = c->targets->pdata[i];

		add_all(r, all, *(GPtrArray **)setting_field(r->route->row, t), t->iqn);
	}
	if (own)
		add_all(r, all, *(GPtrArray **)setting_field(own, &c->discovery), NULL);
	answer_json(r, SOUP_STATUS_OK, json_of_array(all));
}

/* "/v1/accounts/TARGET/USER" to "/v1/targets/TARGET/accounts/USER". */
void across_begin(struct request *r)
{
	GPtrArray *steps = g_ptr_array_new();
	char **old = r->steps;

	r->across = g_strdup(old[2]);
	g_ptr_array_add(steps, old[0]);
	if (g_str_equal(old[2], DISCOVERY)) {
		g_ptr_array_add(steps, old[2]);
	} else {
		g_ptr_array_add(steps, g_strdup("targets"));
		g_ptr_array_add(steps, old[2]);
	}
	g_ptr_array_add(steps, old[1]);
	g_ptr_array_add(steps, old[3]);
	g_ptr_array_add(steps, NULL);
	r->steps = (char **)g_ptr_array_free(steps, FALSE);
	g_free(old);
}

const char *across_target(const struct request *r)
{
	return g_str_equal(r->across, DISCOVERY) ? NULL : r->across;
}

/* Where it is, is in the path: a document that was answered can come back as it is, and none can say otherwise. */
bool across_body(struct request *r, JsonObject *o)
{
	const char *const *steps = (const char *const *)r->steps;
	const char *key = steps[g_strv_length(r->steps) - 1];
	g_autofree char *place = NULL;
	JsonNode *n = json_object_get_member(o, "target");

	if (n && g_strcmp0(JSON_NODE_HOLDS_VALUE(n) ? json_node_get_string(n) : NULL, across_target(r)))
		wrong_add(r->wrongs, "target", "is not the target of the path");
	json_object_remove_member(o, "target");
	n = place_key_row(r->route->row->child) ? NULL : json_object_get_member(o, "place");
	if (!n)
		return !r->wrongs->len;
	place = JSON_NODE_HOLDS_VALUE(n) && json_node_get_value_type(n) == G_TYPE_INT64 ?
		g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(n)) : NULL;
	if (g_strcmp0(place, key))
		wrong_add(r->wrongs, "place", "is not the place of the path");
	json_object_remove_member(o, "place");
	return !r->wrongs->len;
}

/* ---- backstores ---- */

static void add_device(JsonObject *o, const struct device *dev, uint64_t size)
{
	const struct device_info *i = device_info(dev);
	const struct { const char *name; uint64_t value; } numbers[] = {
		{ "size", size }, { "block-size", i->block_size }, { "physical-block-size", i->physical_block_size },
		{ "optimal-io-size", i->optimal_io_size }, { "unmap-granularity", i->unmap_granularity },
	};
	const struct { const char *name; uint32_t bit; } flags[] = {
		{ "read-only", GOTGT_DEV_READ_ONLY }, { "write-cache", GOTGT_DEV_WRITE_CACHE },
		{ "rotational", GOTGT_DEV_ROTATIONAL }, { "thin", GOTGT_DEV_THIN },
	};
	const struct { const char *name; bool has; } abilities[] = {
		{ "flush", i->ops & GOTGT_OP_BIT(GOTGT_OP_FLUSH) }, { "unmap", i->ops & GOTGT_OP_BIT(GOTGT_OP_UNMAP) },
		{ "zero", i->ops & GOTGT_OP_BIT(GOTGT_OP_ZERO) }, { "fua", i->native_fua }, { "memory", i->lends },
		{ "extents", i->extents }, { "copy", i->copies }, { "compare", i->compares },
	};
	JsonArray *list = json_array_new();

	for (size_t n = 0; n < G_N_ELEMENTS(numbers); n++)
		json_object_set_int_member(o, numbers[n].name, (gint64)numbers[n].value);
	for (size_t n = 0; n < G_N_ELEMENTS(flags); n++)
		json_object_set_boolean_member(o, flags[n].name, (i->flags & flags[n].bit) != 0);
	for (size_t n = 0; n < G_N_ELEMENTS(abilities); n++)
		if (abilities[n].has)
			json_array_add_string_element(list, abilities[n].name);
	json_object_set_array_member(o, "capabilities", list);
}

static JsonObject *backstore_object(const struct request *r, const struct conf_target *t, const struct conf_lun *l)
{
	const struct server *s = r->control->options.server;
	g_autoptr(JsonNode) all = conf_to_json(CONF_LUN, l, server_plugin_dirs(s));
	JsonNode *settings = json_object_get_member(json_node_get_object(all), "settings");
	struct lun *lun = server_lun(s, t->iqn, l->number);
	JsonObject *o = json_object_new();

	json_set_text(o, "target", t->iqn);
	json_object_set_int_member(o, "lun", l->number);
	json_set_text(o, "plugin", l->plugin);
	if (settings)
		json_object_set_member(o, "settings", json_node_copy(settings));
	json_set_text(o, "state", view_lun_state(l, lun));
	if (lun)
		add_device(o, lun_device(lun), view_lun_size(lun));
	return o;
}

void across_backstores(struct request *r)
{
	const struct conf *c = running(r);
	JsonArray *all = json_array_new();

	for (unsigned i = 0; i < c->targets->len; i++) {
		const struct conf_target *t = c->targets->pdata[i];

		for (unsigned j = 0; j < t->luns->len; j++)
			json_array_add_object_element(all, backstore_object(r, t, t->luns->pdata[j]));
	}
	answer_json(r, SOUP_STATUS_OK, json_of_array(all));
}

void across_backstore(struct request *r)
{
	const struct conf_target *t = place_element(CONF_TARGET, running(r)->targets, r->steps[2], NULL);
	const struct conf_lun *l = t ? place_element(CONF_LUN, t->luns, r->steps[3], NULL) : NULL;

	if (l)
		answer_json(r, SOUP_STATUS_OK, json_of_object(backstore_object(r, t, l)));
	else
		answer_problem(r, SOUP_STATUS_NOT_FOUND, NULL, "there is no %s %s", t ? "lun" : "target", r->steps[t ? 3 : 2]);
}
