/* SPDX-License-Identifier: Apache-2.0 */
/* place.c - from a path to the objects it names, by the schema. */
#include "config.h"
#include <string.h>
#include "config/place.h"

const struct setting *place_key_row(enum conf_object object)
{
	const struct setting *first = schema_next(object, NULL);

	return first->type == SETTING_STRING || first->type == SETTING_UINT ? first : NULL;
}

static char *portal_key(const struct conf_portal *p)
{
	if (p->name)
		return g_strdup(p->name);
	return strchr(p->address, ':') ? g_strdup_printf("[%s]:%u", p->address, p->port) :
					 g_strdup_printf("%s:%u", p->address, p->port);
}

char *place_key(enum conf_object object, const void *obj, unsigned at)
{
	if (!place_key_row(object))
		return g_strdup_printf("%u", at);
	return object == CONF_PORTAL ? portal_key(obj) : setting_format(place_key_row(object), obj);
}

/* place_key() without making one, as lists can be long. */
static bool has_key(enum conf_object object, const void *obj, unsigned at, const char *key)
{
	const struct setting *row = place_key_row(object);
	g_autofree char *other = NULL;

	if (row && row->type == SETTING_STRING && object != CONF_PORTAL)
		return g_strcmp0(*(char *const *)setting_field(row, obj), key) == 0;
	other = place_key(object, obj, at);
	return g_strcmp0(other, key) == 0;
}

void *place_element(enum conf_object object, const GPtrArray *list, const char *key, unsigned *at)
{
	for (unsigned i = 0; i < list->len; i++) {
		if (has_key(object, list->pdata[i], i, key)) {
			if (at)
				*at = i;
			return list->pdata[i];
		}
	}
	return NULL;
}

GHashTable *place_index(enum conf_object object, const GPtrArray *list)
{
	GHashTable *index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (unsigned i = list->len; i--; )
		g_hash_table_insert(index, place_key(object, list->pdata[i], i), list->pdata[i]);
	return index;
}

static bool step_into(struct place *p, const char *step)
{
	const struct setting *row;

	if (p->list && !p->key) {
		p->key = step;
		p->obj = place_element(p->object, p->list, step, &p->at);
		if (p->object == CONF_TARGET)
			p->target = p->obj;
		return true;
	}
	row = p->obj ? schema_find(p->object, step) : NULL;
	if (!row || (row->type != SETTING_GROUP && row->type != SETTING_LIST))
		return false;
	p->row = row;
	p->key = NULL;
	p->list = row->type == SETTING_LIST ? *(GPtrArray **)setting_field(row, p->obj) : NULL;
	p->obj = p->list ? NULL : setting_field(row, p->obj);
	p->object = row->child;
	return true;
}

static bool walk(struct place *p, const char *const *steps)
{
	for (; *steps; steps++)
		if (!step_into(p, *steps))
			return false;
	return true;
}

bool place_find(struct conf *c, const char *const *steps, struct place *p)
{
	*p = (struct place){ .object = CONF_TOP, .obj = c };
	return walk(p, steps);
}

bool place_find_in(const struct conf *c, const struct conf_target *t, const char *const *steps, struct place *p)
{
	*p = (struct place){
		.row = schema_find(CONF_TOP, "targets"), .object = CONF_TARGET, .list = c->targets, .key = t->iqn,
		.obj = (struct conf_target *)t, .target = t,
	};
	return walk(p, steps);
}
