/* SPDX-License-Identifier: Apache-2.0 */
/* diff.c - two configurations side by side, by the schema. */
#include "config.h"
#include "config/diff.h"
#include "config/place.h"

static void change_free(gpointer data)
{
	struct change *c = data;

	g_free(c->path);
	g_free(c->from);
	g_free(c->to);
	g_free(c);
}

const char *change_kind_name(enum change_kind kind)
{
	static const char *const names[] = { [CHANGE_ADD] = "add", [CHANGE_REMOVE] = "remove", [CHANGE_SET] = "set" };

	return names[kind];
}

static struct change *add(GPtrArray *changes, enum change_kind kind, char *path, bool restart)
{
	struct change *c = g_new0(struct change, 1);

	c->kind = kind;
	c->path = path;
	c->restart = restart;
	g_ptr_array_add(changes, c);
	return c;
}

static char *join(const char *path, const char *name)
{
	return g_strconcat(path, *path ? "/" : "", name, NULL);
}

/* A plugin's settings are not shown: some may be secrets. */
static char *value(const struct setting *s, const void *obj)
{
	char **names = s->type == SETTING_NAMES ? *(char ***)setting_field(s, obj) : NULL;

	if (names)
		return g_strjoinv(", ", names);
	return setting_is_set(s, obj) ? setting_format(s, obj) : NULL;
}

static void diff_object(GPtrArray *changes, const char *path, enum conf_object object, const void *a, const void *b,
			bool restart);

/* What only one of them has, or both. */
static void diff_list(GPtrArray *changes, const char *path, const struct setting *s, const GPtrArray *a,
		      const GPtrArray *b)
{
	g_autoptr(GHashTable) before = place_index(s->child, a), after = place_index(s->child, b);

	for (unsigned i = 0; i < a->len; i++) {
		g_autofree char *key = place_key(s->child, a->pdata[i]);

		if (!g_hash_table_contains(after, key))
			add(changes, CHANGE_REMOVE, join(path, key), s->restart);
	}
	for (unsigned i = 0; i < b->len; i++) {
		g_autofree char *key = place_key(s->child, b->pdata[i]), *at = join(path, key);
		const void *old = g_hash_table_lookup(before, key);

		if (old)
			diff_object(changes, at, s->child, old, b->pdata[i], s->restart);
		else
			add(changes, CHANGE_ADD, g_steal_pointer(&at), s->restart);
	}
}

static void diff_object(GPtrArray *changes, const char *path, enum conf_object object, const void *a, const void *b,
			bool restart)
{
	const struct setting *s = NULL;

	while ((s = schema_next(object, s))) {
		g_autofree char *at = join(path, s->name);
		void *fa = setting_field(s, a), *fb = setting_field(s, b);
		struct change *c;

		if (setting_equal(s, a, b))
			continue;
		if (s->type == SETTING_GROUP) {
			diff_object(changes, at, s->child, fa, fb, restart || s->restart);
		} else if (s->type == SETTING_LIST) {
			diff_list(changes, at, s, *(GPtrArray **)fa, *(GPtrArray **)fb);
		} else {
			c = add(changes, CHANGE_SET, g_steal_pointer(&at), restart || s->restart);
			c->from = value(s, a);
			c->to = value(s, b);
		}
	}
}

GPtrArray *conf_diff(const struct conf *from, const struct conf *to)
{
	GPtrArray *changes = g_ptr_array_new_with_free_func(change_free);

	diff_object(changes, "", CONF_TOP, from, to, false);
	return changes;
}
