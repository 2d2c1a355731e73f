/* SPDX-License-Identifier: Apache-2.0 */
/* describe.c - portals, targets, accounts and logical units, as they are to be. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include "backstore/settings.h"
#include "config/acls.h"
#include "lib/lib.h"

/* ---- settings ---- */

static void set_names(char ***field, const char *value)
{
	char **names = value ? g_strsplit(value, ",", -1) : NULL;

	for (char **n = names; n && *n; n++)
		g_strstrip(*n);
	g_strfreev(*field);
	*field = names;
}

static void set_default(enum conf_object object, const struct setting *s, void *obj)
{
	void *fresh = schema_new(object);

	if (s->type == SETTING_NAMES) {
		set_names(setting_field(s, obj), NULL);
	} else if (s->type == SETTING_STRING) {
		char **field = setting_field(s, obj);

		g_free(*field);
		*field = g_strdup(*(char **)setting_field(s, fresh));
	} else {
		*(uint32_t *)setting_field(s, obj) = *(uint32_t *)setting_field(s, fresh);
	}
	schema_free(object, fresh);
}

int lib_set(enum conf_object object, void *obj, const char *name, const char *value)
{
	g_auto(GStrv) parts = g_strsplit(name ? name : "", ".", 2);
	const struct setting *s = parts[0] ? schema_find(object, parts[0]) : NULL;
	GError *error = NULL;

	if (s && s->type == SETTING_GROUP && parts[1])
		return lib_set(s->child, setting_field(s, obj), parts[1], value);
	if (!s || parts[1] || s->required || s->type == SETTING_GROUP || s->type == SETTING_LIST || s->type == SETTING_PLUGIN)
		return lib_fail(EINVAL, "%s: no such setting", name ? name : "(null)");
	if (!value)
		set_default(object, s, obj);
	else if (s->type == SETTING_NAMES)
		set_names(setting_field(s, obj), value);
	else if (!setting_parse(s, value, obj, &error)) {
		g_prefix_error(&error, "%s: ", name);
		return lib_fail_error(EINVAL, error);
	}
	return 0;
}

/* What an object cannot be without. */
static int set_required(enum conf_object object, void *obj, const char *name, const char *value)
{
	GError *error = NULL;

	if (value && setting_parse(schema_find(object, name), value, obj, &error))
		return 0;
	if (!error)
		return lib_fail(EINVAL, "%s %s: missing", schema_object_name(object), name);
	g_prefix_error(&error, "%s %s %s: ", schema_object_name(object), name, value);
	return lib_fail_error(EINVAL, error);
}

/* ---- portals ---- */

static int add_portal(struct conf *c, const char *name, const char *address, uint16_t port)
{
	struct conf_portal *p = schema_new(CONF_PORTAL);
	int r = set_required(CONF_PORTAL, p, "address", address);

	if (!r)
		r = lib_set(CONF_PORTAL, p, "name", name);
	p->port = port;
	for (unsigned i = 0; i < c->portals->len && !r; i++) {
		const struct conf_portal *q = c->portals->pdata[i];

		if (port && q->port == port && g_str_equal(q->address, address))
			r = lib_fail(EEXIST, "portal %s port %u: a second one", address, port);
		else if (name && g_strcmp0(q->name, name) == 0)
			r = lib_fail(EEXIST, "portal %s: a second one of that name", name);
	}
	if (r)
		schema_free(CONF_PORTAL, p);
	else
		g_ptr_array_add(c->portals, p);
	return r;
}

int gotgt_portal_add(struct gotgt_server *s, const char *name, const char *address, uint16_t port)
{
	int r = lib_describe(s);

	return r ? r : lib_leave(s, add_portal(lib_draft(s), name, address, port));
}

static int remove_portal(struct conf *c, const char *address, uint16_t port)
{
	for (unsigned i = 0; i < c->portals->len; i++) {
		struct conf_portal *p = c->portals->pdata[i];

		if (p->port == port && g_strcmp0(p->address, address) == 0) {
			g_ptr_array_remove_index(c->portals, i);
			schema_free(CONF_PORTAL, p);
			return 0;
		}
	}
	return lib_fail(ENOENT, "portal %s port %u: there is none", address ? address : "(null)", port);
}

int gotgt_portal_remove(struct gotgt_server *s, const char *address, uint16_t port)
{
	int r = lib_describe(s);

	return r ? r : lib_leave(s, remove_portal(lib_draft(s), address, port));
}

/* ---- targets ---- */

/* NULL: lib_fail() has been called. */
static struct conf_target *find_target(const struct conf *c, const char *iqn)
{
	for (unsigned i = 0; iqn && i < c->targets->len; i++) {
		struct conf_target *t = c->targets->pdata[i];

		if (g_str_equal(t->iqn, iqn))
			return t;
	}
	lib_fail(ENOENT, "target %s: there is none", iqn ? iqn : "(null)");
	return NULL;
}

static int add_target(struct conf *c, const char *iqn)
{
	struct conf_target *t;
	int r;

	if (iqn && find_target(c, iqn))
		return lib_fail(EEXIST, "target %s: a second one of that name", iqn);
	t = conf_add_target(c);
	r = set_required(CONF_TARGET, t, "iqn", iqn);
	if (r) {
		g_ptr_array_remove_index(c->targets, c->targets->len - 1);
		schema_free(CONF_TARGET, t);
	}
	return r;
}

int gotgt_target_add(struct gotgt_server *s, const char *iqn)
{
	int r = lib_describe(s);

	return r ? r : lib_leave(s, add_target(lib_draft(s), iqn));
}

int gotgt_target_set(struct gotgt_server *s, const char *iqn, const char *name, const char *value)
{
	struct conf_target *t;
	int r = lib_describe(s);

	if (r)
		return r;
	t = find_target(lib_draft(s), iqn);
	return lib_leave(s, t ? lib_set(CONF_TARGET, t, name, value) : -ENOENT);
}

int gotgt_target_remove(struct gotgt_server *s, const char *iqn)
{
	struct conf_target *t;
	int r = lib_describe(s);

	if (r)
		return r;
	t = find_target(lib_draft(s), iqn);
	if (!t)
		return lib_leave(s, -ENOENT);
	g_ptr_array_remove(lib_draft(s)->targets, t);
	schema_free(CONF_TARGET, t);
	lib_sweep_stores(s);
	return lib_leave(s, 0);
}

static int allow(struct conf_target *t, const char *who)
{
	g_autoptr(GError) error = NULL;

	if (!who)
		return lib_fail(EINVAL, "target %s: nobody is named", t->iqn);
	return acls_allow(t, who, &error) ? 0 : lib_fail(EINVAL, "%s", error->message);
}

int gotgt_target_allow(struct gotgt_server *s, const char *iqn, const char *who)
{
	struct conf_target *t;
	int r = lib_describe(s);

	if (r)
		return r;
	t = find_target(lib_draft(s), iqn);
	return lib_leave(s, t ? allow(t, who) : -ENOENT);
}

/* ---- accounts ---- */

/* NULL iqn: those of discovery; NULL: lib_fail() has been called. */
static GPtrArray *accounts_of(struct conf *c, const char *iqn)
{
	struct conf_target *t = iqn ? find_target(c, iqn) : NULL;

	return t ? t->accounts : iqn ? NULL : c->discovery.accounts;
}

static struct conf_account *find_account(const GPtrArray *list, const char *user)
{
	for (unsigned i = 0; i < list->len; i++)
		if (g_strcmp0(((struct conf_account *)list->pdata[i])->user, user) == 0)
			return list->pdata[i];
	return NULL;
}

/* What is wrong with a secret is told at the start, or when it is applied: it depends on "short-secrets". */
static int fill_account(struct conf_account *to, const struct gotgt_account *a)
{
	const struct { const char *name, *value; } rows[] = {
		{ "secret", a->secret }, { "secret-file", a->secret_file }, { "mutual-user", a->mutual_user },
		{ "mutual-secret", a->mutual_secret }, { "mutual-secret-file", a->mutual_secret_file },
	};
	int r = set_required(CONF_ACCOUNT, to, "user", a->user);

	for (size_t i = 0; i < G_N_ELEMENTS(rows) && !r; i++)
		if (rows[i].value)
			r = lib_set(CONF_ACCOUNT, to, rows[i].name, rows[i].value);
	return r;
}

static int add_account(GPtrArray *list, const struct gotgt_account *from)
{
	struct gotgt_account a = { 0 };
	struct conf_account *to;
	int r;

	if (!from || from->size < offsetof(struct gotgt_account, mutual_secret_file) + sizeof from->mutual_secret_file)
		return lib_fail(EINVAL, "account: size is not set");
	memcpy(&a, from, MIN(from->size, sizeof a));
	if (find_account(list, a.user))
		return lib_fail(EEXIST, "account %s: a second one of that user", a.user);
	to = schema_new(CONF_ACCOUNT);
	r = fill_account(to, &a);
	if (r)
		schema_free(CONF_ACCOUNT, to);
	else
		g_ptr_array_add(list, to);
	return r;
}

int gotgt_account_add(struct gotgt_server *s, const char *iqn, const struct gotgt_account *account)
{
	GPtrArray *list;
	int r = lib_describe(s);

	if (r)
		return r;
	list = accounts_of(lib_draft(s), iqn);
	return lib_leave(s, list ? add_account(list, account) : -ENOENT);
}

int gotgt_account_remove(struct gotgt_server *s, const char *iqn, const char *user)
{
	struct conf_account *a;
	GPtrArray *list;
	int r = lib_describe(s);

	if (r)
		return r;
	list = accounts_of(lib_draft(s), iqn);
	if (!list)
		return lib_leave(s, -ENOENT);
	a = find_account(list, user);
	if (!a)
		return lib_leave(s, lib_fail(ENOENT, "account %s: there is none", user ? user : "(null)"));
	g_ptr_array_remove(list, a);
	schema_free(CONF_ACCOUNT, a);
	return lib_leave(s, 0);
}

/* ---- logical units ---- */

/* NULL: lib_fail() has been called. */
static struct conf_lun *find_lun(const struct conf_target *t, uint32_t number)
{
	for (unsigned i = 0; i < t->luns->len; i++) {
		struct conf_lun *l = t->luns->pdata[i];

		if (l->number == number)
			return l;
	}
	lib_fail(ENOENT, "target %s lun %u: there is none", t->iqn, number);
	return NULL;
}

/* Its number is a good one, and free. */
static int add_lun(struct conf_target *t, uint32_t number, const struct conf_lun *from)
{
	const struct setting *s = schema_find(CONF_LUN, "number");
	struct conf_lun *l;

	if (number > s->max)
		return lib_fail(EINVAL, "lun %u: expected a number up to %u", number, (unsigned)s->max);
	if (find_lun(t, number))
		return lib_fail(EEXIST, "target %s lun %u: a second one of that number", t->iqn, number);
	l = conf_add_lun(t);
	l->number = number;
	l->plugin = g_strdup(from->plugin);
	l->settings = g_strdupv(from->settings);
	l->module = from->module;
	l->context = from->context;
	return 0;
}

static int check_settings(const struct module *m, const struct conf_lun *l)
{
	GError *error = NULL;
	struct settings *parsed = settings_parse(&m->ops, (const char *const *)l->settings, &error);

	if (!parsed)
		return lib_fail_error(EINVAL, error);
	settings_free(parsed);
	return 0;
}

static int add_plugin_lun(struct gotgt_server *s, const char *iqn, uint32_t number, struct conf_lun *l)
{
	struct conf_target *t = find_target(lib_draft(s), iqn);
	const struct module *m;
	GError *error = NULL;
	int r;

	if (!t)
		return -ENOENT;
	if (!l->plugin)
		return lib_fail(EINVAL, "target %s lun %u: no plugin", t->iqn, number);
	l->module = g_hash_table_lookup(s->modules, l->plugin);
	if (l->context && !l->module)
		return lib_fail(EINVAL, "plugin %s: is not part of the program, so it takes no data", l->plugin);
	m = l->module ? l->module : plugins_get((const char *const *)s->plugin_dirs, l->plugin, &error);
	if (!m)
		return lib_fail_error(EIO, error);
	r = check_settings(m, l);
	return r ? r : add_lun(t, number, l);
}

int gotgt_lun_add(struct gotgt_server *s, const char *iqn, uint32_t number, const char *plugin,
		  const char *const *settings, void *data)
{
	struct conf_lun lun = { .plugin = (char *)plugin, .settings = (char **)settings, .context = data };
	int r = lib_describe(s);

	return r ? r : lib_leave(s, add_plugin_lun(s, iqn, number, &lun));
}

static int add_store_lun(struct gotgt_server *s, const char *iqn, uint32_t number, struct gotgt_store *store)
{
	struct conf_target *t = find_target(lib_draft(s), iqn);
	struct conf_lun lun = { .plugin = (char *)"store", .context = store };
	int r;

	if (!t)
		return -ENOENT;
	if (!store)
		return lib_fail(EINVAL, "target %s lun %u: no store", t->iqn, number);
	if (lib_uses_store(lib_draft(s), store))
		return lib_fail(EBUSY, "target %s lun %u: the store is another logical unit's", t->iqn, number);
	lun.module = store_module(store);
	r = add_lun(t, number, &lun);
	if (!r && !g_hash_table_contains(s->stores, store))
		g_hash_table_add(s->stores, store_ref(store));
	return r;
}

int gotgt_lun_add_store(struct gotgt_server *s, const char *iqn, uint32_t number, struct gotgt_store *store)
{
	int r = lib_describe(s);

	return r ? r : lib_leave(s, add_store_lun(s, iqn, number, store));
}

int gotgt_lun_set(struct gotgt_server *s, const char *iqn, uint32_t number, const char *name, const char *value)
{
	struct conf_target *t;
	struct conf_lun *l;
	int r = lib_describe(s);

	if (r)
		return r;
	t = find_target(lib_draft(s), iqn);
	l = t ? find_lun(t, number) : NULL;
	return lib_leave(s, l ? lib_set(CONF_LUN, l, name, value) : -ENOENT);
}

int gotgt_lun_remove(struct gotgt_server *s, const char *iqn, uint32_t number)
{
	struct conf_target *t;
	struct conf_lun *l;
	int r = lib_describe(s);

	if (r)
		return r;
	t = find_target(lib_draft(s), iqn);
	l = t ? find_lun(t, number) : NULL;
	if (!l)
		return lib_leave(s, -ENOENT);
	g_ptr_array_remove(t->luns, l);
	schema_free(CONF_LUN, l);
	lib_sweep_stores(s);
	return lib_leave(s, 0);
}

/* ---- stores that are somebody's ---- */

bool lib_uses_store(const struct conf *c, const struct gotgt_store *store)
{
	for (unsigned i = 0; i < c->targets->len; i++) {
		const struct conf_target *t = c->targets->pdata[i];

		for (unsigned j = 0; j < t->luns->len; j++)
			if (((const struct conf_lun *)t->luns->pdata[j])->context == store)
				return true;
	}
	return false;
}

void lib_sweep_stores(struct gotgt_server *s)
{
	GHashTableIter it;
	gpointer store;

	g_hash_table_iter_init(&it, s->stores);
	while (g_hash_table_iter_next(&it, &store, NULL))
		if (!(s->draft && lib_uses_store(s->draft, store)) &&
		    !(s->running && lib_uses_store(server_conf(s->running), store)))
			g_hash_table_iter_remove(&it);
}
