/* SPDX-License-Identifier: Apache-2.0 */
/* go-lu.c - logical units as storages of gotgt in Go: each is found by its deviceID, which is in its serial number. */
#include "config.h"
#include <string.h>
#include "config/go-json.h"
#include "config/place.h"
#include "control/control-internal.h"
#include "scsi/lun.h"

#define SERIAL_PREFIX "gotgt-"		/* of go_serial() */

/* ---- which one ---- */

/* As configured, or made. */
static char *serial_of(const struct server *s, const struct conf_target *t, const struct conf_lun *l)
{
	struct lun *lun = l->serial ? NULL : server_lun(s, t->iqn, l->number);
	struct lun_identity id;

	if (!lun)
		return g_strdup(l->serial);
	lun_get_identity(lun, &id);
	return g_strdup(id.serial);
}

struct found {
	unsigned n;
	unsigned target, lun;	/* places of the last one */
};

/* Those with this deviceID, or serial. */
static struct found find(const struct server *s, const char *id)
{
	const struct conf *c = server_conf(s);
	struct found f = { 0 };

	for (unsigned i = 0; i < c->targets->len; i++) {
		const struct conf_target *t = c->targets->pdata[i];

		for (unsigned j = 0; j < t->luns->len; j++) {
			g_autofree char *serial = serial_of(s, t, t->luns->pdata[j]);

			if (!serial || (g_strcmp0(serial, id) != 0 && !(g_str_has_prefix(serial, SERIAL_PREFIX) &&
									g_str_equal(serial + strlen(SERIAL_PREFIX), id))))
				continue;
			f.n++;
			f.target = i;
			f.lun = j;
		}
	}
	return f;
}

static const struct conf_target *target_at(const struct conf *c, const struct found *f)
{
	return c->targets->pdata[f->target];
}

/* False: there is none, or more than one, which has been answered. */
static bool find_one(struct request *r, struct found *f)
{
	const char *id = go_last_step(r);

	*f = find(r->control->options.server, id);
	if (!f->n)
		answer_problem(r, SOUP_STATUS_NOT_FOUND, NULL, "there is no lu %s", id);
	else if (f->n > 1)
		answer_problem(r, SOUP_STATUS_CONFLICT, NULL, "lu %s: %u logical units are called so; /v1/targets has them apart", id,
			       f->n);
	return f->n == 1;
}

/* ---- to look ---- */

static JsonObject *lu_object(const struct server *s, const struct conf_target *t, const struct conf_lun *l)
{
	g_autofree char *serial = serial_of(s, t, l), *path = go_path(l, server_plugin_dirs(s));
	struct lun *lun = server_lun(s, t->iqn, l->number);
	JsonObject *o = json_object_new();
	uint64_t id;

	if (serial && g_str_has_prefix(serial, SERIAL_PREFIX) && go_name_number(serial + strlen(SERIAL_PREFIX), &id))
		json_object_set_int_member(o, "deviceID", (gint64)id);
	else
		json_set_text(o, "deviceID", serial);
	json_set_text(o, "path", path);
	json_object_set_boolean_member(o, "online", l->online != 0);
	json_object_set_boolean_member(o, "thinProvisioning", l->thin != 0);
	json_object_set_int_member(o, "blockShift", lun ? lun->block_shift : l->block_size == 4096 ? 12 : 9);
	json_set_text(o, "target", t->iqn);
	json_object_set_int_member(o, "lun", l->number);
	json_set_text(o, "state", view_lun_state(l, lun));
	if (lun)
		json_object_set_int_member(o, "size", (gint64)view_lun_size(lun));
	return o;
}

/* Of all targets, or of ?target=IQN. */
void go_lu_list(struct request *r)
{
	const struct server *s = r->control->options.server;
	const char *only = r->query ? g_hash_table_lookup(r->query, "target") : NULL;
	const GPtrArray *targets = server_conf(s)->targets;
	JsonArray *list = json_array_new();

	for (unsigned i = 0; i < targets->len; i++) {
		const struct conf_target *t = targets->pdata[i];

		for (unsigned j = 0; (!only || g_str_equal(only, t->iqn)) && j < t->luns->len; j++)
			json_array_add_object_element(list, lu_object(s, t, t->luns->pdata[j]));
	}
	answer_json(r, SOUP_STATUS_OK, json_of_array(list));
}

void go_lu_get(struct request *r)
{
	const struct server *s = r->control->options.server;
	const struct conf_target *t;
	struct found f;

	if (!find_one(r, &f))
		return;
	t = target_at(server_conf(s), &f);
	answer_json(r, SOUP_STATUS_OK, json_of_object(lu_object(s, t, t->luns->pdata[f.lun])));
}

/* ---- to change ---- */

enum { LU_TARGET = GO_STORAGE_FIELDS, LU_LUN, LU_FIELDS };
static const struct go_field lu_fields[] = {
	GO_STORAGE, [LU_TARGET] = { "target", GO_TEXT, true }, [LU_LUN] = { "lun", GO_NUMBER }, { .name = NULL },
};

/* The one that is asked for, or the lowest that is free; false: it has been answered. */
static bool take_number(struct request *r, const struct conf_target *t, const struct go_value *v, uint32_t *number)
{
	g_autoptr(GHashTable) taken = place_index(CONF_LUN, t->luns);
	uint64_t n = 0;

	if (v->node)
		go_number(v->node, &n);
	for (;; n++) {
		g_autofree char *key = g_strdup_printf("%" G_GUINT64_FORMAT, n);

		if (n > LUN_MAX || !g_hash_table_contains(taken, key))
			break;
		if (v->node) {
			answer_problem(r, SOUP_STATUS_CONFLICT, NULL, "target %s lun %s: there is one already", t->iqn, key);
			return false;
		}
	}
	*number = (uint32_t)n;
	if (n <= LUN_MAX)
		return true;
	wrong_add(r->wrongs, "lun", v->node ? "expected a number from 0 to %u" : "none up to %u is free", LUN_MAX);
	answer_wrongs(r, SOUP_STATUS_UNPROCESSABLE_ENTITY);
	return false;
}

static bool new_lun(struct request *r, struct conf *next, JsonObject *o, struct conf_target **target, struct conf_lun *l)
{
	struct go_reader reader = { .wrongs = r->wrongs, .plugin_dirs = server_plugin_dirs(r->control->options.server) };
	struct go_value values[LU_FIELDS];
	const char *iqn;

	if (!go_fields(&reader, "", 0, o, lu_fields, values) || !go_storage(&reader, "", values, l)) {
		answer_wrongs(r, SOUP_STATUS_UNPROCESSABLE_ENTITY);
		return false;
	}
	iqn = json_node_get_string(values[LU_TARGET].node);
	*target = place_element(CONF_TARGET, next->targets, iqn, NULL);
	if (!*target) {
		wrong_add(r->wrongs, "target", "there is no target %s", iqn);
		answer_wrongs(r, SOUP_STATUS_UNPROCESSABLE_ENTITY);
		return false;
	}
	if (find(r->control->options.server, l->serial).n) {
		answer_problem(r, SOUP_STATUS_CONFLICT, NULL, "deviceID %s: there is one already",
			       l->serial + strlen(SERIAL_PREFIX));
		return false;
	}
	return take_number(r, *target, &values[LU_LUN], &l->number);
}

void go_lu_create(struct request *r)
{
	g_autoptr(JsonNode) body = request_body(r);
	const struct server *s = r->control->options.server;
	g_autofree char *serial = NULL;
	struct conf_target *t;
	struct conf_lun *l;
	struct conf *next;
	struct found f;

	if (!body)
		return;
	next = schema_dup(CONF_TOP, server_conf(s));
	l = schema_new(CONF_LUN);
	if (!new_lun(r, next, json_node_get_object(body), &t, l)) {
		schema_free(CONF_LUN, l);
		conf_free(next);
		return;
	}
	serial = g_strdup(l->serial);
	g_ptr_array_add(t->luns, l);
	if (!change_apply(r, next, CHANGE_USE_CHECKED))
		return;
	f = find(s, serial);
	answer_json(r, SOUP_STATUS_OK, json_of_object(lu_object(s, target_at(server_conf(s), &f),
		    target_at(server_conf(s), &f)->luns->pdata[f.lun])));
}

void go_lu_remove(struct request *r)
{
	struct conf *next;
	struct found f;

	if (!find_one(r, &f))
		return;
	next = schema_dup(CONF_TOP, server_conf(r->control->options.server));
	schema_free(CONF_LUN, g_ptr_array_steal_index(target_at(next, &f)->luns, f.lun));
	if (change_apply(r, next, CHANGE_USE_CHECKED))
		answer_none(r);
}
