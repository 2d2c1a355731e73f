/* SPDX-License-Identifier: Apache-2.0 */
/* import.c - see import.h; the fields are those of gotgt in Go, what we make of them is in gotgt.conf(5). */
#include "config.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "config/go-json.h"
#include "config/import.h"
#include "scsi/target.h"

#define FILE_MAX (64u << 20)	/* bytes */
#define BEGINNING 4096u

struct storage {
	uint64_t id;
	unsigned line;
	char *path;		/* in the JSON */
	struct conf_lun *lun;
	char *user;		/* the path of the LUN that has it, or NULL */
};

struct portal {
	uint64_t id;
	struct conf_portal *conf;
};

struct import {
	struct go_reader r;
	const struct import_options *o;
	struct conf *conf;
	GPtrArray *storages, *portals;
	GHashTable *by_id, *by_file;	/* of storages; a file by its path */
};

enum { STORAGES, PORTALS, TARGETS, TOP_FIELDS };
static const struct go_field top_fields[] = {
	[STORAGES] = { "storages", GO_ARRAY }, [PORTALS] = { "iscsiportals", GO_ARRAY },
	[TARGETS] = { "iscsitargets", GO_OBJECT }, { .name = NULL },
};
static const struct go_field storage_fields[] = { GO_STORAGE, { .name = NULL } };
enum { PORTAL_ID, PORTAL_PORTAL, PORTAL_FIELDS };
static const struct go_field portal_fields[] = {
	[PORTAL_ID] = { "id", GO_NUMBER }, [PORTAL_PORTAL] = { "portal", GO_TEXT, true }, { .name = NULL },
};
enum { TARGET_TPGTS, TARGET_LUNS, TARGET_FIELDS };
static const struct go_field target_fields[] = {
	[TARGET_TPGTS] = { "tpgts", GO_OBJECT, true }, [TARGET_LUNS] = { "luns", GO_OBJECT }, { .name = NULL },
};

static void storage_free(gpointer data)
{
	struct storage *s = data;

	schema_free(CONF_LUN, s->lun);
	g_free(s->path);
	g_free(s->user);
	g_free(s);
}

/* ---- storages ---- */

/* One of its deviceID, or of its file: each would write there without the other's knowing. */
static void check_storage(struct import *im, struct storage *s, const struct go_value *values)
{
	const char *file = s->lun->settings ? s->lun->settings[1] : NULL;
	const struct storage *same_id = g_hash_table_lookup(im->by_id, &s->id);
	const struct storage *same_file = file ? g_hash_table_lookup(im->by_file, file) : NULL;
	g_autofree char *id = g_strconcat(s->path, ".deviceID", NULL), *path = g_strconcat(s->path, ".path", NULL);

	if (same_id)
		go_wrong(&im->r, values[GO_DEVICE_ID].line, id, "%s has %" G_GUINT64_FORMAT " already", same_id->path, s->id);
	if (same_file)
		go_wrong(&im->r, values[GO_PATH].line, path, "%s has the same", same_file->path);
	g_hash_table_insert(im->by_id, &s->id, s);
	if (file)
		g_hash_table_insert(im->by_file, (gpointer)file, s);
}

static void add_storage(struct import *im, const char *path, unsigned line, const struct go_value *values)
{
	struct storage *s = g_new0(struct storage, 1);

	s->lun = schema_new(CONF_LUN);
	s->path = g_strdup(path);
	s->line = line;
	go_number(values[GO_DEVICE_ID].node, &s->id);
	if (!go_storage(&im->r, path, values, s->lun)) {
		storage_free(s);
		return;
	}
	if (!values[GO_ONLINE].node)
		go_warn(&im->r, line, path, "online is left out: its logical unit is not ready, as in gotgt in Go");
	g_ptr_array_add(im->storages, s);
	check_storage(im, s, values);
}

/* What is in an array of objects, one after the other. */
static void read_array(struct import *im, const char *name, const struct go_value *v, const struct go_field *fields,
		       struct go_value *values,
		       void (*add)(struct import *im, const char *path, unsigned line, const struct go_value *values))
{
	JsonArray *array = v->node ? json_node_get_array(v->node) : NULL;

	for (unsigned i = 0; array && i < json_array_get_length(array); i++) {
		g_autofree char *at = g_strdup_printf("%s[%u]", name, i);
		unsigned line = located_element_line(im->r.located, array, i);
		JsonNode *node = json_array_get_element(array, i);

		if (!JSON_NODE_HOLDS_OBJECT(node))
			go_wrong(&im->r, line, at, "expected an object { }");
		else if (go_fields(&im->r, at, line, json_node_get_object(node), fields, values))
			add(im, at, line, values);
	}
}

static void warn_unused(struct import *im)
{
	for (unsigned i = 0; i < im->storages->len; i++) {
		const struct storage *s = im->storages->pdata[i];

		if (!s->user)
			go_warn(&im->r, s->line, s->path, "no target has it: it is left out");
	}
}

/* ---- portals ---- */

static const struct conf_portal *find_portal(const struct import *im, uint64_t id)
{
	for (unsigned i = 0; i < im->portals->len; i++) {
		const struct portal *p = im->portals->pdata[i];

		if (p->id == id)
			return p->conf;
	}
	return NULL;
}

static bool same_socket(const struct conf_portal *a, const struct conf_portal *b)
{
	return a->port && a->port == b->port && g_str_equal(a->address, b->address);
}

/* There the place in the list counted, not the id. */
static uint64_t portal_id(struct import *im, const char *path, const struct go_value *v)
{
	g_autofree char *at = g_strconcat(path, ".id", NULL);
	uint64_t place = im->portals->len, id = place;

	if (v->node)
		go_number(v->node, &id);
	if (id != place)
		go_warn(&im->r, v->line, at, "%" G_GUINT64_FORMAT " is what tpgts call it; gotgt in Go took its place, %"
			G_GUINT64_FORMAT, id, place);
	if (find_portal(im, id))
		go_wrong(&im->r, v->line, at, "a second one of %" G_GUINT64_FORMAT, id);
	return id;
}

/* Where it listens, if not where it says, which is announced then. */
static void move_portal(const struct import *im, struct conf_portal *p)
{
	if (im->o->port < 0 || p->port == (uint32_t)im->o->port)
		return;
	if (p->port && !g_str_equal(p->address, "0.0.0.0") && !g_str_equal(p->address, "::") && !strchr(p->address, '%'))
		p->advertise = g_strdup_printf(strchr(p->address, ':') ? "[%s]:%u" : "%s:%u", p->address, p->port);
	p->port = (uint32_t)im->o->port;
}

static void add_portal(struct import *im, const char *path, unsigned line, const struct go_value *values)
{
	g_autofree char *at = g_strconcat(path, ".portal", NULL);
	const struct go_value *text = &values[PORTAL_PORTAL];
	struct portal *p = g_new0(struct portal, 1);
	g_autoptr(GError) error = NULL;

	p->id = portal_id(im, path, &values[PORTAL_ID]);
	p->conf = conf_add_portal(im->conf);
	p->conf->where = (struct conf_where){ im->r.file, line };
	p->conf->name = g_strdup_printf("portal-%" G_GUINT64_FORMAT, p->id);
	if (!conf_portal_parse(json_node_get_string(text->node), p->conf, &error))
		go_wrong(&im->r, text->line, at, "%s", error->message);
	else
		move_portal(im, p->conf);
	for (unsigned i = 0; p->conf->address && i < im->portals->len; i++) {
		const struct portal *before = im->portals->pdata[i];

		if (before->conf->address && same_socket(before->conf, p->conf))
			go_wrong(&im->r, text->line, at, "%s listens there already", before->conf->name);
	}
	g_ptr_array_add(im->portals, p);
}

/* ---- targets ---- */

/* What a member of a map is, of which the names are numbers. */
struct entry {
	struct import *im;
	struct conf_target *t;
	char *path;
	unsigned line;
	uint64_t number;
	JsonNode *node;
};

static void read_map(struct import *im, struct conf_target *t, const char *path, const struct go_value *v,
		     uint64_t min, uint64_t max, void (*add)(const struct entry *e))
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	JsonObject *map = v->node ? json_node_get_object(v->node) : NULL;
	JsonObjectIter it;
	const char *name;
	JsonNode *node;

	if (!map)
		return;
	json_object_iter_init_ordered(&it, map);
	while (json_object_iter_next_ordered(&it, &name, &node)) {
		g_autofree char *at = g_strdup_printf("%s.%s", path, name);
		struct entry e = { im, t, at, located_line(im->r.located, map, name), 0, node };

		if (!go_name_number(name, &e.number) || e.number < min || e.number > max)
			go_wrong(&im->r, e.line, at, "expected a number from %u to %u for a name", (unsigned)min, (unsigned)max);
		else if (located_twice(im->r.located, map, name) ||
			 !g_hash_table_add(seen, GUINT_TO_POINTER((unsigned)e.number)))
			go_wrong(&im->r, e.line, at, "is there twice");
		else
			add(&e);
	}
}

static bool among(const GPtrArray *names, const char *name)
{
	return g_ptr_array_find_with_equal_func((GPtrArray *)names, name, g_str_equal, NULL);
}

static bool in_a_group(const struct conf_target *t, const char *portal)
{
	for (unsigned i = 0; i < t->groups->len; i++)
		if (g_strv_contains((const char *const *)((const struct conf_group *)t->groups->pdata[i])->portals, portal))
			return true;
	return false;
}

/* The portal that an element of a group names; NULL: it is none that can be in it, which has been told. */
static const char *group_portal(const struct entry *e, JsonArray *array, unsigned i, const GPtrArray *names)
{
	g_autofree char *at = g_strdup_printf("%s[%u]", e->path, i);
	unsigned line = located_element_line(e->im->r.located, array, i);
	const struct conf_portal *p;
	uint64_t id;

	if (!go_number(json_array_get_element(array, i), &id)) {
		go_wrong(&e->im->r, line, at, "expected the id of a portal");
		return NULL;
	}
	p = find_portal(e->im, id);
	if (!p)
		go_wrong(&e->im->r, line, at, "no portal has the id %" G_GUINT64_FORMAT, id);
	else if (among(names, p->name) || in_a_group(e->t, p->name))
		go_wrong(&e->im->r, line, at, "portal %" G_GUINT64_FORMAT " is in a group of the target already", id);
	else
		return p->name;
	return NULL;
}

static void add_group(const struct entry *e)
{
	JsonArray *array = JSON_NODE_HOLDS_ARRAY(e->node) ? json_node_get_array(e->node) : NULL;
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	struct conf_group *g;

	if (!array) {
		go_wrong(&e->im->r, e->line, e->path, "expected an array of ids of portals");
		return;
	}
	for (unsigned i = 0; i < json_array_get_length(array); i++) {
		const char *name = group_portal(e, array, i, names);

		if (name)
			g_ptr_array_add(names, g_strdup(name));
	}
	if (!json_array_get_length(array))
		go_warn(&e->im->r, e->line, e->path, "has no portal: it is left out");
	if (!names->len)
		return;
	g_ptr_array_add(names, NULL);
	g = schema_new(CONF_GROUP);
	g->where = (struct conf_where){ e->im->r.file, e->line };
	g->tag = (uint32_t)e->number;
	g->portals = g_strdupv((char **)names->pdata);
	g_ptr_array_add(e->t->groups, g);
}

static void add_lun(const struct entry *e)
{
	struct storage *s;
	struct conf_lun *l;
	uint64_t id;

	if (!go_number(e->node, &id)) {
		go_wrong(&e->im->r, e->line, e->path, "expected the deviceID of a storage");
		return;
	}
	s = g_hash_table_lookup(e->im->by_id, &id);
	if (!s) {
		go_wrong(&e->im->r, e->line, e->path, "no storage has the deviceID %" G_GUINT64_FORMAT, id);
	} else if (s->user) {
		go_wrong(&e->im->r, e->line, e->path, "deviceID %" G_GUINT64_FORMAT " is %s already: reservations of one would "
			 "not hold for the other; give one target several portals", id, s->user);
	} else {
		s->user = g_strdup(e->path);
		l = schema_copy(CONF_LUN, s->lun);
		l->number = (uint32_t)e->number;
		l->where = (struct conf_where){ e->im->r.file, e->line };
		g_ptr_array_add(e->t->luns, l);
	}
}

/* Group 1 alone is what there is without groups. */
static void take_portals(struct conf_target *t)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	const struct conf_group *first = t->groups->len ? t->groups->pdata[0] : NULL;

	for (unsigned i = 0; i < t->groups->len; i++)
		for (char **name = ((const struct conf_group *)t->groups->pdata[i])->portals; *name; name++)
			g_ptr_array_add(names, *name);
	g_ptr_array_add(names, NULL);
	t->portals = g_strdupv((char **)names->pdata);
	if (first && t->groups->len == 1 && first->tag == 1)
		schema_free(CONF_GROUP, g_ptr_array_steal_index(t->groups, 0));
}

static bool is_loopback(const struct conf_portal *p)
{
	struct in_addr v4;

	return g_strcmp0(p->address, "::1") == 0 ||
	       (inet_pton(AF_INET, p->address, &v4) == 1 && ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET);
}

/* There, whoever reached a target was admitted.  What is not said there cannot be refused here; it can be told. */
static void open_target(struct import *im, struct conf_target *t, const char *path)
{
	bool local = true;

	for (char **name = t->portals; *name; name++) {
		const struct conf_portal *p = conf_find_portal(im->conf, *name);

		local &= p->address && is_loopback(p);
	}
	t->open = true;
	go_warn(&im->r, t->where.line, path, "open to everybody %s, as in gotgt in Go (to close it: gotgt import, and acls or "
		"accounts in the place of open)",
		local ? "on this machine" : "who reaches its portals");
}

static void add_target(struct import *im, const char *name, const char *path, unsigned line, JsonObject *o)
{
	g_autofree char *tpgts = g_strconcat(path, ".tpgts", NULL), *luns = g_strconcat(path, ".luns", NULL);
	struct conf_target *t = conf_add_target(im->conf);
	struct go_value values[TARGET_FIELDS];
	g_autoptr(GError) error = NULL;

	t->where = (struct conf_where){ im->r.file, line };
	if (!setting_parse(schema_find(CONF_TARGET, "iqn"), name, t, &error))
		go_wrong(&im->r, line, path, "%s", error->message);
	if (!go_fields(&im->r, path, line, o, target_fields, values))
		return;
	read_map(im, t, tpgts, &values[TARGET_TPGTS], 1, G_MAXUINT16, add_group);
	read_map(im, t, luns, &values[TARGET_LUNS], 0, LUN_MAX, add_lun);
	if (im->r.errors->len)
		return;
	if (!t->groups->len) {
		go_wrong(&im->r, values[TARGET_TPGTS].line, tpgts, "no portal is in it: nobody could reach the target");
		return;
	}
	take_portals(t);
	open_target(im, t, path);
}

static void read_targets(struct import *im, const struct go_value *v)
{
	JsonObject *map = v->node ? json_node_get_object(v->node) : NULL;
	JsonObjectIter it;
	const char *name;
	JsonNode *node;

	if (!map)
		return;
	json_object_iter_init_ordered(&it, map);
	while (json_object_iter_next_ordered(&it, &name, &node)) {
		g_autofree char *at = g_strconcat("iscsitargets.", name, NULL);
		unsigned line = located_line(im->r.located, map, name);

		if (located_twice(im->r.located, map, name))
			go_wrong(&im->r, line, at, "is there twice");
		else if (!JSON_NODE_HOLDS_OBJECT(node))
			go_wrong(&im->r, line, at, "expected an object { }");
		else
			add_target(im, name, at, line, json_node_get_object(node));
	}
}

/* ---- the whole ---- */

static bool is_go(JsonObject *o)
{
	JsonObjectIter it;
	const char *name;
	JsonNode *node;

	json_object_iter_init(&it, o);
	while (json_object_iter_next(&it, &name, &node))
		for (const struct go_field *f = top_fields; f->name; f++)
			if (g_ascii_strcasecmp(f->name, name) == 0)
				return true;
	return false;
}

bool import_is_go(JsonNode *document)
{
	return JSON_NODE_HOLDS_OBJECT(document) && is_go(json_node_get_object(document));
}

static void read_top(struct import *im)
{
	struct go_value values[TOP_FIELDS], storage[GO_STORAGE_FIELDS], portal[PORTAL_FIELDS];
	JsonObject *root = located_root(im->r.located);

	if (json_object_get_size(root) && !is_go(root)) {
		go_wrong(&im->r, 0, "", "has neither storages, iscsiportals nor iscsitargets: not a configuration of gotgt in Go");
		return;
	}
	if (!go_fields(&im->r, "", 1, root, top_fields, values))
		return;
	read_array(im, "storages", &values[STORAGES], storage_fields, storage, add_storage);
	read_array(im, "iscsiportals", &values[PORTALS], portal_fields, portal, add_portal);
	/* With errors in these, what refers to them would be reported too. */
	if (im->r.errors->len)
		return;
	read_targets(im, &values[TARGETS]);
	warn_unused(im);
}

struct conf *import_text(const char *path, const char *text, size_t len, const struct import_options *o,
			 GPtrArray *errors, GPtrArray *warnings)
{
	g_autoptr(GPtrArray) own = conf_errors_new();
	struct import im = { .o = o, .conf = conf_new(), .r = { .plugin_dirs = o->plugin_dirs } };
	g_autofree char *why = NULL;
	struct located *located;
	unsigned line;

	im.r.file = g_intern_string(path);
	im.r.errors = own;
	im.r.warnings = warnings;
	im.conf->has_targets = true;	/* JSON that was cut is none */
	im.conf->where.file = im.conf->chap_where.file = im.conf->iscsi_where.file = im.conf->targets_where.file = im.r.file;
	im.storages = g_ptr_array_new_with_free_func(storage_free);
	im.by_id = g_hash_table_new(g_int64_hash, g_int64_equal);
	im.by_file = g_hash_table_new(g_str_hash, g_str_equal);
	im.portals = g_ptr_array_new_with_free_func(g_free);
	im.r.located = located = located_read(text, len, &line, &why);
	if (located)
		read_top(&im);
	else
		go_wrong(&im.r, line, "", "%s", why);
	if (!own->len)
		conf_check(im.conf, own);
	located_free(located);
	g_hash_table_unref(im.by_id);
	g_hash_table_unref(im.by_file);
	g_ptr_array_unref(im.storages);
	g_ptr_array_unref(im.portals);
	if (own->len)
		g_clear_pointer(&im.conf, conf_free);
	while (own->len)
		g_ptr_array_add(errors, g_ptr_array_steal_index(own, 0));
	return im.conf;
}

/* ---- files ---- */

/* Up to max bytes; false: error says why. */
static bool read_file(const char *path, size_t max, GString *text, GError **error)
{
	char buf[4096];
	FILE *f = fopen(path, "re");
	size_t n;
	bool ok;

	errno = f ? 0 : errno;
	while (f && text->len <= max && (n = fread(buf, 1, MIN(sizeof buf, max + 1 - text->len), f)) > 0)
		g_string_append_len(text, buf, (gssize)n);
	ok = f && !ferror(f);
	if (!ok)
		g_set_error_literal(error, G_FILE_ERROR, g_file_error_from_errno(errno), g_strerror(errno));
	if (f)
		fclose(f);
	explicit_bzero(buf, sizeof buf);	/* it may have secrets */
	return ok;
}

bool import_is_json(const char *path)
{
	g_autoptr(GString) text = g_string_new(NULL);

	if (g_str_has_suffix(path, ".json"))
		return true;
	/* What is read of a pipe is gone: who reads it next would take the rest for the whole. */
	return g_file_test(path, G_FILE_TEST_IS_REGULAR) &&
	       read_file(path, BEGINNING, text, NULL) && text->str[strspn(text->str, " \t\r\n")] == '{';
}

struct conf *import_read(const char *path, const struct import_options *o, GPtrArray *errors, GPtrArray *warnings)
{
	struct conf_where where = { g_intern_string(path), 0 };
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GError) error = NULL;

	if (!read_file(path, FILE_MAX, text, &error))
		conf_error(errors, &where, "%s", error->message);
	else if (text->len > FILE_MAX)
		conf_error(errors, &where, "larger than %u MiB", FILE_MAX >> 20);
	else
		return import_text(path, text->str, text->len, o, errors, warnings);
	return NULL;
}
