/* SPDX-License-Identifier: Apache-2.0 */
/* save.c - what reader.c reads, written by the schema. */
#include "config.h"
#include <errno.h>
#include <libconfig.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "config/save.h"
#include "config/server.h"
#include "engine/statefile.h"

struct writer {
	const struct conf *conf;
	GError **error;
};

static bool write_number(config_setting_t *group, const char *name, uint32_t n)
{
	config_setting_t *cs = config_setting_add(group, name, n > INT_MAX ? CONFIG_TYPE_INT64 : CONFIG_TYPE_INT);

	return n > INT_MAX ? config_setting_set_int64(cs, n) : config_setting_set_int(cs, (int)n);
}

static bool write_string(config_setting_t *group, const char *name, const char *text)
{
	config_setting_t *cs = config_setting_add(group, name, CONFIG_TYPE_STRING);

	return cs && config_setting_set_string(cs, text);
}

static bool write_choice(config_setting_t *group, const struct setting *s, const void *obj)
{
	g_autofree char *name = setting_format(s, obj);

	return write_string(group, s->name, name);
}

static bool write_names(config_setting_t *group, const char *name, char **names)
{
	config_setting_t *cs = config_setting_add(group, name, CONFIG_TYPE_ARRAY);

	for (; *names; names++)
		if (!write_string(cs, NULL, *names))
			return false;
	return true;
}

static bool write_plugin(struct writer *w, config_setting_t *group, const char *name, char **pairs)
{
	config_setting_t *cs = config_setting_add(group, name, CONFIG_TYPE_GROUP);

	for (; *pairs; pairs += 2)
		if (!write_string(cs, pairs[0], pairs[1])) {
			g_set_error(w->error, SERVER_ERROR, 0, "settings: \"%s\" cannot be written to a file",
				    pairs[0]);
			return false;
		}
	return true;
}

static bool write_object(struct writer *w, config_setting_t *group, enum conf_object object, const void *obj,
			 const void *defaults);

static bool write_list(struct writer *w, config_setting_t *group, const struct setting *s, const GPtrArray *list)
{
	config_setting_t *cs = config_setting_add(group, s->name, CONFIG_TYPE_LIST);
	void *defaults = schema_new(s->child);
	bool ok = true;

	if (s->child == CONF_TARGET)
		((struct conf_target *)defaults)->iscsi = w->conf->iscsi;
	for (unsigned i = 0; i < list->len && ok; i++)
		ok = write_object(w, config_setting_add(cs, NULL, CONFIG_TYPE_GROUP), s->child, list->pdata[i],
				  defaults);
	schema_free(s->child, defaults);
	return ok;
}

static bool write_setting(struct writer *w, config_setting_t *group, const struct setting *s, const void *obj,
			  const void *defaults)
{
	void *f = setting_field(s, obj);

	switch (s->type) {
	case SETTING_BOOL:
		return config_setting_set_bool(config_setting_add(group, s->name, CONFIG_TYPE_BOOL),
					       *(uint32_t *)f != 0);
	case SETTING_UINT:
	case SETTING_SIZE:
		return write_number(group, s->name, *(uint32_t *)f);
	case SETTING_CHOICE:
		return write_choice(group, s, obj);
	case SETTING_STRING:
		return write_string(group, s->name, *(char **)f);
	case SETTING_NAMES:
		return write_names(group, s->name, *(char ***)f);
	case SETTING_PLUGIN:
		return write_plugin(w, group, s->name, *(char ***)f);
	case SETTING_GROUP:
		return write_object(w, config_setting_add(group, s->name, CONFIG_TYPE_GROUP), s->child, f,
				    setting_field(s, defaults));
	case SETTING_LIST:
		return write_list(w, group, s, *(GPtrArray **)f);
	}
	return false;
}

static bool write_object(struct writer *w, config_setting_t *group, enum conf_object object, const void *obj,
			 const void *defaults)
{
	const struct setting *s = NULL;

	/* That there are no targets is said, too: who reads a file that does not takes it for a part of one. */
	while ((s = schema_next(object, s)))
		if (setting_is_set(s, obj) && (s->required || s->child == CONF_TARGET || !setting_equal(s, obj, defaults)) &&
		    !write_setting(w, group, s, obj, defaults))
			return false;
	return true;
}

static const char header[] = "# gotgt.conf - written by gotgt, see gotgt.conf(5).\n";

static char *print(const config_t *cfg, GError **error)
{
	char *text = NULL, *all = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f) {
		fputs(header, f);
		config_write(cfg, f);
		if (fclose(f) == 0)
			all = g_strdup(text);
		free(text);
	}
	if (!all)
		g_set_error(error, SERVER_ERROR, 0, "out of memory");
	return all;
}

char *conf_text(const struct conf *c, GError **error)
{
	struct writer w = { c, error };
	struct conf *defaults = conf_new();
	char *text = NULL;
	config_t cfg;

	config_init(&cfg);
	if (write_object(&w, config_root_setting(&cfg), CONF_TOP, c, defaults))
		text = print(&cfg, error);
	config_destroy(&cfg);
	conf_free(defaults);
	return text;
}

/* What a person writes, who would miss it, and nothing here does: comments and includes, outside of strings. */
static bool is_written_by_hand(const char *text, gsize len)
{
	static const char *const marks[] = { "#", "//", "/*", "@include" };
	bool in_string = false;

	/* Nothing that has a NUL is ours. */
	if (strlen(text) != len)
		return true;
	for (const char *at = g_str_has_prefix(text, header) ? text + strlen(header) : text; *at; at++) {
		if (in_string && *at == '\\' && at[1])
			at++;
		else if (*at == '"')
			in_string = !in_string;
		else
			for (size_t i = 0; i < G_N_ELEMENTS(marks) && !in_string; i++)
				if (g_str_has_prefix(at, marks[i]))
					return true;
	}
	return false;
}

static char *fingerprint(const char *text, gsize len)
{
	return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)text, len);
}

/* Of a regular file alone: what is read of a pipe is gone.  For wipe(); NULL: *err is a negative errno. */
static char *read_file(const char *path, gsize *len, int *err)
{
	g_autoptr(GError) error = NULL;
	char *text = NULL;
	struct stat st;

	errno = EIO;
	if (stat(path, &st) == 0) {
		errno = EINVAL;
		if (S_ISREG(st.st_mode))
			g_file_get_contents(path, &text, len, &error);
	}
	*err = text ? 0 : errno ? -errno : -EIO;
	return text;
}

static void wipe(char *text, gsize len)
{
	explicit_bzero(text, len);
	g_free(text);
}

int conf_fingerprint(const char *path, char **sum)
{
	gsize len = 0;
	int r;
	char *text = read_file(path, &len, &r);

	if (!text)
		return r;
	*sum = fingerprint(text, len);
	wipe(text, len);
	return 0;
}

static bool has_secrets(const GPtrArray *accounts)
{
	bool has = false;

	for (unsigned i = 0; i < accounts->len; i++) {
		const struct conf_account *a = accounts->pdata[i];

		has |= a->secret || a->mutual_secret;
	}
	return has;
}

static bool is_secret(const struct conf *c)
{
	bool is = has_secrets(c->discovery.accounts);

	for (unsigned i = 0; i < c->targets->len; i++)
		is |= has_secrets(((const struct conf_target *)c->targets->pdata[i])->accounts);
	return is;
}

bool conf_save(const struct conf *c, const char *path, bool keep, char **sum, GError **error)
{
	char *text = conf_text(c, error), *old;
	gsize old_len = 0;
	int r;

	if (!text)
		return false;
	old = read_file(path, &old_len, &r);
	if (old) {
		keep |= is_written_by_hand(old, old_len);
		wipe(old, old_len);
	}
	if (old || r == -ENOENT)
		r = statefile_replace_text(path, text, is_secret(c), keep ? "~" : NULL);
	if (!r && sum)
		*sum = fingerprint(text, strlen(text));
	wipe(text, strlen(text));
	if (r)
		g_set_error(error, SERVER_ERROR, 0, "%s%s: %s", path, keep ? ", or keeping what was there with a ~" : "",
			    g_strerror(-r));
	return !r;
}
