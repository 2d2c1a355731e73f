/* SPDX-License-Identifier: Apache-2.0 */
/* reader.c - a libconfig file into struct conf, by the schema. */
#include "config.h"
#include <errno.h>
#include <libconfig.h>
#include <stdio.h>
#include <string.h>
#include "config/conf.h"

struct reader {
	struct conf *conf;
	const char *path;
	const char *text;	/* instead of the file's; or NULL */
	GPtrArray *errors;
	config_setting_t *root;
};

static struct conf_where where_of(const struct reader *r, const config_setting_t *cs)
{
	const char *file = config_setting_source_file(cs);

	return (struct conf_where){ g_intern_string(file ? file : r->path), config_setting_source_line(cs) };
}

static void G_GNUC_PRINTF(3, 4) fail(struct reader *r, const config_setting_t *cs, const char *fmt, ...)
{
	struct conf_where where = where_of(r, cs);
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	conf_error(r->errors, &where, "%s", text);
}

/* What conf_check() finds wrong with these is in no object of its own. */
static void note_where(struct reader *r)
{
	const struct { const char *name; struct conf_where *where; } noted[] = {
		{ "chap-algorithms", &r->conf->chap_where },
		{ "iscsi", &r->conf->iscsi_where },
		{ "targets", &r->conf->targets_where },
		{ "control", &r->conf->control_where },
		{ "confine-paths", &r->conf->confine_where },
	};

	r->conf->where.file = g_intern_string(r->path);
	r->conf->has_targets = config_setting_get_member(r->root, "targets") != NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(noted); i++) {
		const config_setting_t *cs = config_setting_get_member(r->root, noted[i].name);

		*noted[i].where = cs ? where_of(r, cs) : r->conf->where;
	}
}

static const struct {
	const char *name;
	bool scalar;
} kinds[] = {
	[CONFIG_TYPE_NONE] = { "nothing" }, [CONFIG_TYPE_GROUP] = { "a group { }" },
	[CONFIG_TYPE_INT] = { "a number", true }, [CONFIG_TYPE_INT64] = { "a number", true },
	[CONFIG_TYPE_FLOAT] = { "a fraction" }, [CONFIG_TYPE_STRING] = { "a string", true },
	[CONFIG_TYPE_BOOL] = { "a boolean", true }, [CONFIG_TYPE_ARRAY] = { "an array [ ]" },
	[CONFIG_TYPE_LIST] = { "a list ( )" },
};

#define KIND(type) (1u << (type))
#define NUMBER (KIND(CONFIG_TYPE_INT) | KIND(CONFIG_TYPE_INT64))
#define STRING KIND(CONFIG_TYPE_STRING)

/* What libconfig may have for each type of ours. */
static const struct {
	unsigned kinds;
	const char *name;
} accepts[] = {
	[SETTING_BOOL] = { KIND(CONFIG_TYPE_BOOL), "true or false" },
	[SETTING_UINT] = { NUMBER, "a number" },
	[SETTING_SIZE] = { NUMBER | STRING, "a size such as 4096 or \"64K\"" },
	[SETTING_CHOICE] = { NUMBER | STRING, "a string" },
	[SETTING_STRING] = { STRING, "a string" },
	[SETTING_NAMES] = { KIND(CONFIG_TYPE_ARRAY), "an array of strings [ ]" },
	[SETTING_PLUGIN] = { KIND(CONFIG_TYPE_GROUP), "a group { }" },
	[SETTING_GROUP] = { KIND(CONFIG_TYPE_GROUP), "a group { }" },
	[SETTING_LIST] = { KIND(CONFIG_TYPE_LIST), "a list of groups ( { }, { } )" },
};

static char *scalar_text(const config_setting_t *cs)
{
	switch (config_setting_type(cs)) {
	case CONFIG_TYPE_BOOL:
		return g_strdup(config_setting_get_bool(cs) ? "yes" : "no");
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return g_strdup_printf("%lld", config_setting_get_int64(cs));
	default:
		return g_strdup(config_setting_get_string(cs));
	}
}

static void read_scalar(struct reader *r, const char *path, const struct setting *s, config_setting_t *cs, void *obj)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = scalar_text(cs);
	char *own = config_setting_type(cs) == CONFIG_TYPE_STRING ? (char *)config_setting_get_string(cs) : NULL;

	if (!setting_parse(s, text, obj, &error))
		fail(r, cs, "%s%s: %s", path, s->name, error->message);
	if (!s->secret)
		return;
	explicit_bzero(text, strlen(text));
	if (own)	/* libconfig's, which it frees as it is */
		explicit_bzero(own, strlen(own));
}

static void read_names(struct reader *r, const char *path, const struct setting *s, config_setting_t *cs, void *obj)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

	for (int i = 0; i < config_setting_length(cs); i++) {
		config_setting_t *e = config_setting_get_elem(cs, (unsigned)i);

		if (config_setting_type(e) != CONFIG_TYPE_STRING) {
			fail(r, e, "%s%s: expected %s", path, s->name, accepts[s->type].name);
			return;
		}
		g_ptr_array_add(names, g_strdup(config_setting_get_string(e)));
	}
	if (!names->len) {
		fail(r, cs, "%s%s: is empty", path, s->name);
		return;
	}
	g_ptr_array_add(names, NULL);
	*(char ***)setting_field(s, obj) = (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

/* Text for the plugin's own table; the lines are kept, as names and values are looked at when it is loaded. */
static void read_plugin(struct reader *r, const char *path, const struct setting *s, config_setting_t *cs,
			struct conf_lun *lun)
{
	int n = config_setting_length(cs);

	lun->settings = g_new0(char *, 2 * (size_t)n + 1);
	lun->setting_lines = g_new0(unsigned, (size_t)n + 1);
	for (int i = 0, at = 0; i < n; i++) {
		config_setting_t *e = config_setting_get_elem(cs, (unsigned)i);

		if (!kinds[config_setting_type(e)].scalar) {
			fail(r, e, "%s%s.%s: cannot be %s", path, s->name, config_setting_name(e),
			     kinds[config_setting_type(e)].name);
			continue;
		}
		lun->setting_lines[at / 2] = config_setting_source_line(e);
		lun->settings[at++] = g_strdup(config_setting_name(e));
		lun->settings[at++] = scalar_text(e);
	}
}

static void read_object(struct reader *r, const char *path, enum conf_object object, config_setting_t *group,
			void *obj);

/* "target 2: " tells which; an iqn or a number tells better, once it is known. */
static char *element_path(const char *path, const struct setting *s, config_setting_t *e, int i)
{
	const char *iqn = NULL, *colon = strrchr(path, ':'), *space = colon ? " " : "";
	int within = colon ? (int)(colon - path) : 0, number = i + 1;

	if (s->child == CONF_TARGET && config_setting_lookup_string(e, "iqn", &iqn))
		return g_strdup_printf("target %s: ", iqn);
	if (s->child == CONF_LUN)
		config_setting_lookup_int(e, "number", &number);
	if (s->child == CONF_GROUP)
		config_setting_lookup_int(e, "tag", &number);
	return g_strdup_printf("%.*s%s%s %d: ", within, path, space, schema_object_name(s->child), number);
}

static void read_list(struct reader *r, const char *path, const struct setting *s, config_setting_t *cs, void *obj)
{
	GPtrArray *list = *(GPtrArray **)setting_field(s, obj);

	for (int i = 0; i < config_setting_length(cs); i++) {
		config_setting_t *e = config_setting_get_elem(cs, (unsigned)i);
		g_autofree char *at = NULL;
		struct conf_where *child;

		if (config_setting_type(e) != CONFIG_TYPE_GROUP) {
			fail(r, e, "%s%s: expected %s", path, s->name, accepts[s->type].name);
			continue;
		}
		/* Every object that can be in a list starts with where it stands. */
		child = schema_new(s->child);
		*child = where_of(r, e);
		if (s->child == CONF_TARGET)
			((struct conf_target *)child)->iscsi = r->conf->iscsi;
		g_ptr_array_add(list, child);
		at = element_path(path, s, e, i);
		read_object(r, at, s->child, e, child);
	}
}

static void read_setting(struct reader *r, const char *path, const struct setting *s, config_setting_t *cs, void *obj)
{
	g_autofree char *inner = NULL;

	if (!(accepts[s->type].kinds & KIND(config_setting_type(cs)))) {
		fail(r, cs, "%s%s: expected %s, not %s", path, s->name, accepts[s->type].name,
		     kinds[config_setting_type(cs)].name);
		return;
	}
	switch (s->type) {
	case SETTING_GROUP:
		inner = g_strdup_printf("%s%s.", path, s->name);
		read_object(r, inner, s->child, cs, setting_field(s, obj));
		break;
	case SETTING_LIST:
		read_list(r, path, s, cs, obj);
		break;
	case SETTING_NAMES:
		read_names(r, path, s, cs, obj);
		break;
	case SETTING_PLUGIN:
		read_plugin(r, path, s, cs, obj);
		break;
	default:
		read_scalar(r, path, s, cs, obj);
	}
}

/* Lists come last: what stands beside them (a target's iscsi group, the top one) is the default of what is in them. */
static void read_object(struct reader *r, const char *path, enum conf_object object, config_setting_t *group, void *obj)
{
	const struct setting *s = NULL;

	for (int lists = 0; lists < 2; lists++)
		for (int i = 0; i < config_setting_length(group); i++) {
			config_setting_t *cs = config_setting_get_elem(group, (unsigned)i);

			s = schema_find(object, config_setting_name(cs));
			if (!s && !lists)
				fail(r, cs, "%s%s: no such setting", path, config_setting_name(cs));
			else if (s && (s->type == SETTING_LIST) == lists)
				read_setting(r, path, s, cs, obj);
		}
	for (s = schema_next(object, NULL); s; s = schema_next(object, s))
		if (s->required && !config_setting_get_member(group, s->name))
			fail(r, group, "%s%s: is missing", path, s->name);
}

/* libconfig does not say why a file cannot be read. */
static bool parse(struct reader *r, config_t *cfg)
{
	struct conf_where where = { g_intern_string(r->path), 0 };
	g_autofree char *dir = g_path_get_dirname(r->path);
	FILE *f;
	bool ok;

	config_set_include_dir(cfg, dir);
	f = r->text ? fmemopen((char *)r->text, strlen(r->text), "r") :
	    g_file_test(r->path, G_FILE_TEST_IS_DIR) ? errno = EISDIR, NULL : fopen(r->path, "re");
	if (!f) {
		conf_error(r->errors, &where, "%s", g_strerror(errno));
		return false;
	}
	ok = config_read(cfg, f);
	fclose(f);
	if (!ok) {
		where.line = (unsigned)config_error_line(cfg);
		if (config_error_file(cfg))
			where.file = g_intern_string(config_error_file(cfg));
		conf_error(r->errors, &where, "%s", config_error_text(cfg));
	}
	return ok;
}

struct conf *conf_read(const char *path, GPtrArray *errors)
{
	return conf_read_text(path, NULL, errors);
}

struct conf *conf_read_text(const char *path, const char *text, GPtrArray *errors)
{
	struct reader r = { .conf = conf_new(), .path = path, .text = text, .errors = errors };
	unsigned before = errors->len;
	config_t cfg;

	config_init(&cfg);
	if (parse(&r, &cfg)) {
		r.root = config_root_setting(&cfg);
		note_where(&r);
		read_object(&r, "", CONF_TOP, r.root, r.conf);
		/* With errors in it, what is missing would be reported twice. */
		if (errors->len == before)
			conf_check(r.conf, errors);
	}
	config_destroy(&cfg);
	if (errors->len == before)
		return r.conf;
	conf_free(r.conf);
	return NULL;
}
