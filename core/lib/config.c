/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - a description from a file, and back to one. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_CONTROL
#include "config/import.h"
#include "control/control.h"
#endif
#include "config/save.h"
#include "lib/landlock.h"
#include "lib/lib.h"

#define KNOWN_FLAGS (GOTGT_CONFIG_APPLY | GOTGT_CONFIG_PLUGINS | GOTGT_CONFIG_MISSING | GOTGT_CONFIG_PORT | GOTGT_CONFIG_SINGLE)

/* ---- what no file has ---- */

void lib_complete(const struct gotgt_server *s, struct conf *c)
{
	if (!c->state_dir)
		c->state_dir = g_strdup(s->file_state_dir);
	if (s->file_log_level)
		c->log_level = (uint32_t)log_level_parse(s->file_log_level);
	if (s->file_addresses) {
		g_strfreev(c->control.addresses);
		c->control.addresses = g_strdupv(s->file_addresses);
	}
	if (s->file_token) {
		g_free(c->control.token_file);
		c->control.token_file = g_strdup(s->file_token);
	}
	for (unsigned i = 0; s->file_single && i < c->targets->len; i++)
		((struct conf_target *)c->targets->pdata[i])->single_initiator = true;
}

void lib_strip(const struct gotgt_server *s, struct conf *c)
{
	if (g_strcmp0(c->state_dir, s->file_state_dir) == 0)
		g_clear_pointer(&c->state_dir, g_free);
	for (unsigned i = 0; i < c->targets->len; i++) {
		GPtrArray *luns = ((struct conf_target *)c->targets->pdata[i])->luns;

		for (unsigned j = luns->len; j--; ) {
			struct conf_lun *l = luns->pdata[j];

			if (!l->context)
				continue;
			g_ptr_array_remove_index(luns, j);
			schema_free(CONF_LUN, l);
		}
	}
}

static const struct conf_target *target_of(const struct conf *c, const char *iqn)
{
	for (unsigned i = 0; i < c->targets->len; i++)
		if (g_str_equal(((const struct conf_target *)c->targets->pdata[i])->iqn, iqn))
			return c->targets->pdata[i];
	return NULL;
}

static const struct conf_lun *lun_of(const struct conf_target *t, uint32_t number)
{
	for (unsigned i = 0; t && i < t->luns->len; i++)
		if (((const struct conf_lun *)t->luns->pdata[i])->number == number)
			return t->luns->pdata[i];
	return NULL;
}

static bool has_data(const struct conf *c)
{
	for (unsigned i = 0; i < c->targets->len; i++) {
		const struct conf_target *t = c->targets->pdata[i];

		for (unsigned j = 0; j < t->luns->len; j++)
			if (((const struct conf_lun *)t->luns->pdata[j])->context)
				return true;
	}
	return false;
}

static void adopt(const struct gotgt_server *s, struct conf_lun *l, const struct conf_lun *now)
{
	if (!l->module)
		l->module = g_hash_table_lookup(s->modules, l->plugin);
	if (!l->context && now && now->context && g_str_equal(now->plugin, l->plugin)) {
		l->module = now->module;
		l->context = now->context;
	}
}

void lib_adopt(const struct gotgt_server *s, struct conf *c, const struct conf *now)
{
	bool data = now && has_data(now);

	for (unsigned i = 0; i < c->targets->len; i++) {
		const struct conf_target *t = c->targets->pdata[i], *u = data ? target_of(now, t->iqn) : NULL;

		for (unsigned j = 0; j < t->luns->len; j++) {
			struct conf_lun *l = t->luns->pdata[j];

			adopt(s, l, lun_of(u, l->number));
		}
	}
}

bool lib_is_applied(const struct gotgt_server *s)
{
	const struct conf *now = server_conf(s->running);

	if (!s->draft)
		return true;
	if (!schema_equal(CONF_TOP, s->draft, now))
		return false;
	for (unsigned i = 0; i < now->targets->len; i++) {
		const struct conf_target *t = now->targets->pdata[i], *u = s->draft->targets->pdata[i];

		for (unsigned j = 0; j < t->luns->len; j++)
			if (!server_same_device(t->luns->pdata[j], u->luns->pdata[j]))
				return false;
	}
	return true;
}

/* ---- load ---- */

/* What the caller's struct has of ours; NULL: all zero. */
static int take_options(struct gotgt_config *to, const struct gotgt_config *from)
{
	memset(to, 0, sizeof *to);
	if (!from)
		return 0;
	if (from->size < offsetof(struct gotgt_config, wrong_data) + sizeof from->wrong_data)
		return lib_fail(EINVAL, "configuration: size is not set");
	memcpy(to, from, MIN(from->size, sizeof *to));
	if (to->flags & ~KNOWN_FLAGS)
		return lib_fail(EINVAL, "configuration: flags of a later version");
	if (to->log_level && log_level_parse(to->log_level) < 0)
		return lib_fail(EINVAL, "log-level: expected error, warn, info or debug");
	return 0;
}

/* What is told about a configuration. */
struct told { GPtrArray *errors, *warnings; };

static void told_clear(struct told *t)
{
	g_ptr_array_unref(t->errors);
	g_ptr_array_unref(t->warnings);
}
typedef struct told told;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(told, told_clear)

#ifdef HAVE_CONTROL
static struct conf *read_go(struct gotgt_server *s, const char *path, const struct gotgt_config *o, struct told *t)
{
	const struct import_options io = { (const char *const *)s->plugin_dirs,
					   o->flags & GOTGT_CONFIG_PORT ? o->port : -1 };

	if (o->text)
		return import_text(path, o->text, strlen(o->text), &io, t->errors, t->warnings);
	return import_read(path, &io, t->errors, t->warnings);
}

static void check_control(const struct conf_control *cc, GPtrArray *errors)
{
	control_check(cc, errors);
}

static bool is_go(const char *path, const struct gotgt_config *o)
{
	return o->text ? g_str_has_suffix(path, ".json") : import_is_json(path);
}
#else
static struct conf *read_go(struct gotgt_server *s, const char *path, const struct gotgt_config *o, struct told *t)
{
	conf_error(t->errors, &(struct conf_where){ g_intern_string(path), 0 },
		   "this build reads no configuration of gotgt in Go");
	return NULL;
}

static void check_control(const struct conf_control *cc, GPtrArray *errors)
{
	if (cc->addresses)
		conf_error(errors, &(struct conf_where){ 0 }, "control addresses: this build has no control interface");
}

static bool is_go(const char *path, const struct gotgt_config *o)
{
	return g_str_has_suffix(path, ".json");
}
#endif

static struct conf *read_any(struct gotgt_server *s, const char *path, const struct gotgt_config *o, struct told *t)
{
	struct conf_where where = { g_intern_string(path), 0 };

	if (o->flags & GOTGT_CONFIG_MISSING && !o->text && access(path, F_OK) < 0 && errno == ENOENT) {
		conf_error(t->warnings, &where, "it is not there, so there is nothing to serve yet");
		return conf_new();
	}
	if (is_go(path, o))
		return read_go(s, path, o, t);
	if (!(o->flags & GOTGT_CONFIG_PORT)) {
		struct conf *c = conf_read_text(path, o->text, t->errors);

		if (c && !c->has_targets && !o->text && !(o->flags & GOTGT_CONFIG_APPLY))
			conf_error(t->warnings, &where, "it says nothing of targets, so there is nothing to serve yet");
		return c;
	}
	conf_error(t->errors, &where,
		   "a port is for a configuration of gotgt in Go; the portals of this file have their ports");
	return NULL;
}

/* With what the caller says instead of the file. */
static void check_remote(const struct conf *c, const char *path, const struct gotgt_config *o, GPtrArray *errors)
{
	g_autoptr(GPtrArray) wrong = conf_errors_new();
	struct conf_control cc = c->control;

	if (o->control_addresses)
		cc.addresses = (char **)o->control_addresses;
	if (o->control_token_file)
		cc.token_file = (char *)o->control_token_file;
	check_control(&cc, wrong);
	for (unsigned i = 0; i < wrong->len; i++)
		conf_error(errors, c->control_where.file && !o->control_addresses ? &c->control_where :
			   &(struct conf_where){ g_intern_string(path), 0 }, "%s", (char *)wrong->pdata[i]);
}

/* Of what a daemon that starts with it would be confined to. */
static void check_confine(const struct conf *c, GPtrArray *errors)
{
	for (char *const *path = c->confine == CONFINE_OFF ? NULL : c->confine_paths; path && *path; path++) {
		const char *wrong = landlock_wrong(*path);

		if (wrong)
			conf_error(errors, &c->confine_where, "confine-paths: %s: %s", *path, wrong);
	}
}

/* NULL: lib_fail() has been called, and t->errors has all. */
static struct conf *read_conf(struct gotgt_server *s, const char *path, const struct gotgt_config *o, struct told *t)
{
	struct conf *c = read_any(s, path, o, t);
	GPtrArray *errors = t->errors;

	if (c) {
		lib_adopt(s, c, NULL);
		plugins_check((const char *const *)s->plugin_dirs, c, o->flags & GOTGT_CONFIG_PLUGINS, errors);
		check_remote(c, path, o, errors);
		if (o->flags & GOTGT_CONFIG_PLUGINS)	/* it is to be told now what a start would tell */
			check_confine(c, errors);
	}
	if (!errors->len)
		return c;
	conf_free(c);
	lib_fail(EINVAL, "%s", (char *)errors->pdata[0]);
	return NULL;
}

/* What is to be added to a configuration, from here on. */
static void set_text(char **field, const char *text)
{
	g_free(*field);
	*field = g_strdup(text);
}

static void keep_options(struct gotgt_server *s, const struct gotgt_config *o)
{
	set_text(&s->file_state_dir, o->state_dir);
	set_text(&s->file_log_level, o->log_level);
	set_text(&s->file_token, o->control_token_file);
	g_strfreev(s->file_addresses);
	s->file_addresses = g_strdupv((char **)o->control_addresses);
	s->file_single = o->flags & GOTGT_CONFIG_SINGLE;
}

/* A file that was cut, or emptied, is not one that says that all is to end. */
static bool ends_all(const struct gotgt_server *s, const struct conf *c, const struct gotgt_config *o, struct told *t)
{
	unsigned n = s->running ? server_conf(s->running)->targets->len : 0;

	if (o->text || !(o->flags & GOTGT_CONFIG_APPLY) || !n || c->has_targets)
		return false;
	conf_error(t->errors, &c->where, "targets: is missing, and there are %u; to end all, write targets = ();", n);
	lib_fail(EINVAL, "%s", (char *)t->errors->pdata[0]);
	return true;
}

static void note_file(struct gotgt_server *s, const char *path, const char *sum)
{
	g_free(s->file_path);
	s->file_path = g_canonicalize_filename(path, NULL);
	set_text(&s->file_sum, sum);
}

/* A copy of what an option was, for when it does not come to anything. */
static int load(struct gotgt_server *s, const char *path, const struct gotgt_config *o, struct told *t)
{
	g_autofree char *state_dir = g_strdup(s->file_state_dir), *level = g_strdup(s->file_log_level);
	g_autofree char *token = g_strdup(s->file_token);
	g_auto(GStrv) addresses = g_strdupv(s->file_addresses);
	const struct gotgt_config was = { .state_dir = state_dir, .log_level = level,
					  .control_addresses = (const char *const *)addresses, .control_token_file = token,
					  .flags = s->file_single ? GOTGT_CONFIG_SINGLE : 0 };
	/* Before it is read: who writes it meanwhile has written it since. */
	g_autofree char *sum = NULL;
	int known = o->text ? -EINVAL : conf_fingerprint(path, &sum);
	struct conf *c = read_conf(s, path, o, t), *before = s->draft;
	bool was_checked = s->checked;
	int r = 0;

	if (c && ends_all(s, c, o, t))
		g_clear_pointer(&c, conf_free);
	if (!c)
		return -EINVAL;
	keep_options(s, o);
	lib_complete(s, c);
	s->draft = c;
	s->checked = true;
	if (o->flags & GOTGT_CONFIG_APPLY)
		r = lib_apply(s);
	if (r) {
		keep_options(s, &was);
		s->draft = before;
		s->checked = was_checked;
		conf_free(c);
		return r;
	}
	conf_free(before);
	/* A pipe is not there to be saved to. */
	if (!known || known == -ENOENT)
		note_file(s, path, sum);
	lib_sweep_stores(s);
	if (o->flags & GOTGT_CONFIG_APPLY)
		lib_control_reloaded(s->control);
	else if (!s->running)
		conf_set_log(c);
	return 0;
}

/* Outside of calls, as the callbacks may make some. */
static void tell(struct gotgt_server *s, const struct gotgt_config *o, const struct told *t)
{
	for (unsigned i = 0; o->wrong && i < t->errors->len; i++)
		o->wrong(o->wrong_data, t->errors->pdata[i]);
	for (unsigned i = 0; i < t->warnings->len; i++)
		if (o->warning)
			o->warning(o->wrong_data, t->warnings->pdata[i]);
		else
			gotgt_server_log(s, GOTGT_LOG_WARNING, t->warnings->pdata[i]);
}

int gotgt_config_load(struct gotgt_server *s, const char *path, const struct gotgt_config *options)
{
	g_auto(told) t = { conf_errors_new(), conf_errors_new() };
	struct gotgt_config o;
	int r = lib_enter(s);

	if (r)
		return r;
	r = path ? take_options(&o, options) : lib_fail(EINVAL, "no file");
	if (r)
		return lib_leave(s, r);
	r = lib_leave(s, load(s, path, &o, &t));
	tell(s, &o, &t);
	return r;
}

int gotgt_config_check(struct gotgt_server *s, const char *path, const struct gotgt_config *options)
{
	g_auto(told) t = { conf_errors_new(), conf_errors_new() };
	struct gotgt_config o;
	struct conf *c;
	int r = lib_enter(s);

	if (r)
		return r;
	r = path ? take_options(&o, options) : lib_fail(EINVAL, "no file");
	if (r)
		return lib_leave(s, r);
	o.flags |= GOTGT_CONFIG_PLUGINS;
	c = read_conf(s, path, &o, &t);
	conf_free(c);
	lib_leave(s, 0);
	tell(s, &o, &t);
	return c ? 0 : -EINVAL;
}

/* ---- save ---- */

/* By whatever name. */
static bool is_file(const struct gotgt_server *s, const char *path)
{
	g_autofree char *full = g_canonicalize_filename(path, NULL);
	char *real = realpath(path, NULL), *ours = s->file_path ? realpath(s->file_path, NULL) : NULL;
	bool same = s->file_path && (g_str_equal(full, s->file_path) || (real && ours && g_str_equal(real, ours)));

	free(real);
	free(ours);
	return same;
}

bool lib_may_save(const struct gotgt_server *s, const char *path, GError **error)
{
	g_autofree char *sum = NULL;
	int r = is_file(s, path) ? conf_fingerprint(path, &sum) : -ENOENT;

	if (r == -ENOENT || (!r && g_strcmp0(sum, s->file_sum) == 0))
		return true;
	if (r)
		g_set_error(error, SERVER_ERROR, 0, "%s: whether it was changed since it was read cannot be told: %s", path,
			    g_strerror(-r));
	else
		g_set_error(error, SERVER_ERROR, 0, "%s was changed since it was read: reload it, save to another file, or "
			    "move it away", path);
	return false;
}

void lib_saved(struct gotgt_server *s, const char *path, const char *sum)
{
	if (is_file(s, path))
		set_text(&s->file_sum, sum);
}

static int save(struct gotgt_server *s, const char *path)
{
	g_autofree char *sum = NULL;
	GError *error = NULL;
	struct conf *copy;
	bool ok;

	if (!lib_may_save(s, path, &error))
		return lib_fail_error(ESTALE, error);
	copy = conf_copy(s->draft ? s->draft : server_conf(s->running));
	lib_strip(s, copy);
	ok = conf_save(copy, path, false, &sum, &error);
	conf_free(copy);
	if (!ok)
		return lib_fail_error(EIO, error);
	lib_saved(s, path, sum);
	if (s->running && lib_is_applied(s))
		lib_control_saved(s->control, path);
	return 0;
}

int gotgt_config_save(struct gotgt_server *s, const char *path)
{
	int r = lib_enter(s);

	return r ? r : lib_leave(s, path ? save(s, path) : lib_fail(EINVAL, "no file"));
}
