/* SPDX-License-Identifier: Apache-2.0 */
/* go-json.c - fields of JSON objects of gotgt in Go, and its storages. */
#include "config.h"
#include <string.h>
#include "backstore/settings.h"
#include "config/go-json.h"
#include "config/json.h"
#include "config/plugins.h"

/* Its NAA is the deviceID as Locally Assigned, SPC-5 7.8.6.5: 60 bits. */
#define NAA_LOCAL UINT64_C(0x3000000000000000)

/* ---- what is wrong ---- */

static void G_GNUC_PRINTF(5, 0) say(struct go_reader *r, GPtrArray *lines, unsigned line, const char *path,
				     const char *fmt, va_list ap)
{
	struct conf_where where = { r->file, line };
	g_autofree char *text = g_strdup_vprintf(fmt, ap);

	conf_error(lines, &where, "%s%s%s", path, *path ? ": " : "", text);
}

void go_wrong(struct go_reader *r, unsigned line, const char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (r->wrongs) {
		g_autofree char *text = g_strdup_vprintf(fmt, ap);

		wrong_add(r->wrongs, path, "%s", text);
	} else {
		say(r, r->errors, line, path, fmt, ap);
	}
	va_end(ap);
}

void go_warn(struct go_reader *r, unsigned line, const char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (r->warnings)
		say(r, r->warnings, line, path, fmt, ap);
	va_end(ap);
}

/* ---- fields ---- */

static const char *const expected[] = {
	[GO_NUMBER] = "a whole number from 0 to 9223372036854775807", [GO_TEXT] = "a string", [GO_BOOL] = "true or false",
	[GO_ARRAY] = "an array [ ]", [GO_OBJECT] = "an object { }",
};

bool go_number(JsonNode *node, uint64_t *n)
{
	if (json_node_get_value_type(node) != G_TYPE_INT64 || json_node_get_int(node) < 0)
		return false;
	*n = (uint64_t)json_node_get_int(node);
	return true;
}

bool go_name_number(const char *name, uint64_t *n)
{
	return settings_parse_uint(name, n) && *n <= G_MAXINT64;
}

static bool is_of(enum go_type type, JsonNode *node)
{
	uint64_t n;

	switch (type) {
	case GO_NUMBER:
		return go_number(node, &n);
	case GO_TEXT:
		return json_node_get_value_type(node) == G_TYPE_STRING;
	case GO_BOOL:
		return json_node_get_value_type(node) == G_TYPE_BOOLEAN;
	case GO_ARRAY:
		return JSON_NODE_HOLDS_ARRAY(node);
	case GO_OBJECT:
		return JSON_NODE_HOLDS_OBJECT(node);
	}
	return false;
}

static int field_of(const struct go_field *fields, const char *name)
{
	for (int i = 0; fields[i].name; i++)
		if (g_ascii_strcasecmp(fields[i].name, name) == 0)
			return i;
	return -1;
}

static void take(struct go_reader *r, const char *path, JsonObject *o, const char *name, JsonNode *node,
		 const struct go_field *fields, struct go_value *values)
{
	g_autofree char *at = g_strconcat(path, *path ? "." : "", name, NULL);
	unsigned line = r->located ? located_line(r->located, o, name) : 0;
	int i = field_of(fields, name);

	if (i < 0 && r->wrongs)
		go_wrong(r, line, at, "no such field");
	else if (i < 0)
		go_warn(r, line, at, "unknown, ignored");
	else if (values[i].node || (r->located && located_twice(r->located, o, name)))
		go_wrong(r, line, at, "is there twice");
	else if (JSON_NODE_HOLDS_NULL(node))
		return;
	else if (!is_of(fields[i].type, node))
		go_wrong(r, line, at, "expected %s", expected[fields[i].type]);
	else
		values[i] = (struct go_value){ node, line };
}

/* What had a wrong value is not missing too. */
static bool is_there(JsonObject *o, const struct go_field *f)
{
	JsonObjectIter it;
	const char *name;
	JsonNode *node;

	json_object_iter_init(&it, o);
	while (json_object_iter_next(&it, &name, &node))
		if (g_ascii_strcasecmp(f->name, name) == 0 && !JSON_NODE_HOLDS_NULL(node))
			return true;
	return false;
}

static unsigned told(const struct go_reader *r)
{
	return r->wrongs ? r->wrongs->len : r->errors->len;
}

bool go_fields(struct go_reader *r, const char *path, unsigned line, JsonObject *o, const struct go_field *fields,
	       struct go_value *values)
{
	unsigned before = told(r);
	JsonObjectIter it;
	const char *name;
	JsonNode *node;

	for (unsigned i = 0; fields[i].name; i++)
		values[i] = (struct go_value){ .node = NULL };	/* NOLINT(legacyUninitvar): a member's name, no variable */
	json_object_iter_init_ordered(&it, o);
	while (json_object_iter_next_ordered(&it, &name, &node))
		take(r, path, o, name, node, fields, values);
	for (const struct go_field *f = fields; f->name; f++) {
		g_autofree char *at = g_strconcat(path, *path ? "." : "", f->name, NULL);

		if (f->required && !is_there(o, f))
			go_wrong(r, line, at, "is missing");
	}
	return told(r) == before;
}

/* ---- storages ---- */

/* Those whose plugin is called otherwise; any other is the plugin of its name. */
static const struct { const char *backend, *plugin; } renamed[] = { { "ceph-rbd", "rbd" } };

static const char *plugin_of(const char *backend)
{
	for (size_t i = 0; i < G_N_ELEMENTS(renamed); i++)
		if (g_str_equal(renamed[i].backend, backend))
			return renamed[i].plugin;
	return backend;
}

static const struct module *backend(struct go_reader *r, unsigned line, const char *at, const char *name)
{
	const char *plugin = plugin_of(name);
	g_autoptr(GError) error = NULL;
	const struct module *m = module_name_ok(plugin) ? plugins_get(r->plugin_dirs, plugin, &error) : NULL;

	if (!m)
		go_wrong(r, line, at, "unknown backend \"%s\"%s%s", name, error ? ": " : "", error ? error->message : "");
	return m;
}

static bool read_path(struct go_reader *r, const char *at, const struct go_value *v, struct conf_lun *l)
{
	const char *text = json_node_get_string(v->node), *colon = strchr(text, ':'), *setting;
	g_autofree char *name = colon ? g_strndup(text, (gsize)(colon - text)) : NULL;
	const struct module *m = name ? backend(r, v->line, at, name) : NULL;

	if (!name)
		go_wrong(r, v->line, at, "expected BACKEND:PATH");
	if (!m)
		return false;
	setting = settings_path_name(&m->ops);
	if (setting && !colon[1]) {
		go_wrong(r, v->line, at, "has no path behind \"%s:\"", name);
		return false;
	}
	if (!setting && colon[1])
		go_warn(r, v->line, at, "plugin %s takes no path: \"%s\" is ignored", m->ops.name, colon + 1);
	l->plugin = g_strdup(m->ops.name);
	if (setting) {
		char *pair[] = { (char *)setting, (char *)colon + 1, NULL };

		l->settings = g_strdupv(pair);
	}
	return true;
}

static bool read_shift(struct go_reader *r, const char *path, const struct go_value *v, struct conf_lun *l)
{
	g_autofree char *at = g_strconcat(path, *path ? "." : "", "blockShift", NULL);
	uint64_t shift = 0;

	if (v->node)
		go_number(v->node, &shift);
	if (shift && shift != 9 && shift != 12) {
		go_wrong(r, v->line, at, "expected 9 or 12 (blocks of 512 or 4096 bytes)");
		return false;
	}
	l->block_size = shift == 12 ? 4096 : 512;
	return true;
}

char *go_serial(uint64_t device_id)
{
	return g_strdup_printf("gotgt-%" G_GUINT64_FORMAT, device_id);
}

bool go_storage(struct go_reader *r, const char *path, const struct go_value *values, struct conf_lun *l)
{
	g_autofree char *at = g_strconcat(path, *path ? "." : "", "path", NULL);
	const struct go_value *online = &values[GO_ONLINE], *thin = &values[GO_THIN];
	bool ok = read_path(r, at, &values[GO_PATH], l);
	uint64_t id = 0;

	ok &= read_shift(r, path, &values[GO_BLOCK_SHIFT], l);
	go_number(values[GO_DEVICE_ID].node, &id);
	l->online = online->node && json_node_get_boolean(online->node);
	l->thin = thin->node && json_node_get_boolean(thin->node);
	l->serial = go_serial(id);
	if (id < UINT64_C(1) << 60)
		l->naa = g_strdup_printf("%016" G_GINT64_MODIFIER "x", NAA_LOCAL | id);
	l->where = (struct conf_where){ r->file, values[GO_DEVICE_ID].line };
	return ok;
}

char *go_path(const struct conf_lun *l, const char *const *plugin_dirs)
{
	const struct module *m = l->module ? l->module : plugins_get(plugin_dirs, l->plugin, NULL);
	const char *setting = m ? settings_path_name(&m->ops) : NULL, *name = l->plugin, *path = "";

	for (char **pair = l->settings; setting && pair && *pair; pair += 2)
		if (g_str_equal(pair[0], setting))
			path = pair[1];
	for (size_t i = 0; i < G_N_ELEMENTS(renamed); i++)
		if (g_str_equal(renamed[i].plugin, name))
			name = renamed[i].backend;
	return g_strdup_printf("%s:%s", name, path);
}
