/* SPDX-License-Identifier: Apache-2.0 */
/* arg.c - the arguments of gotgt serve: LUNs and portals. */
#include "config.h"
#include <string.h>
#include "backstore/settings.h"
#include "cli/cli.h"
#include "config/server.h"

/* Split at commas; two of them are one that does not split. */
static GPtrArray *split(const char *text)
{
	GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
	GString *word = g_string_new(NULL);

	for (; *text; text++) {
		if (*text == ',' && text[1] != ',') {
			g_ptr_array_add(words, g_string_free(word, FALSE));
			word = g_string_new(NULL);
			continue;
		}
		text += *text == ',';
		g_string_append_c(word, *text);
	}
	g_ptr_array_add(words, g_string_free(word, FALSE));
	return words;
}

/* The part before the colon when it could be a plugin's name; else all of it is a path for the plugin "file". */
static const char *split_plugin(const char *word, char **plugin)
{
	size_t len = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (!g_ascii_islower(*word) || word[len] != ':') {
		*plugin = g_strdup("file");
		return word;
	}
	*plugin = g_strndup(word, len);
	return word + len + 1;
}

static const char *pair_value(const GPtrArray *pairs, const char *name)
{
	for (unsigned i = 0; i + 1 < pairs->len; i += 2)
		if (g_str_equal(pairs->pdata[i], name))
			return pairs->pdata[i + 1];
	return NULL;
}

static void add_pair(GPtrArray *pairs, const char *name, const char *value)
{
	g_ptr_array_add(pairs, g_strdup(name));
	g_ptr_array_add(pairs, g_strdup(value));
}

/* KEY=VALUE is the plugin's setting, or the LUN's. */
static bool add_word(const struct module *m, const char *word, GPtrArray *pairs, struct conf_lun *lun, GError **error)
{
	const char *equals = strchr(word, '=');
	g_autofree char *key = g_strndup(word, equals ? (size_t)(equals - word) : strlen(word));
	const struct setting *s = schema_find(CONF_LUN, key);

	if (!equals) {
		g_set_error(error, SERVER_ERROR, 0, "\"%s\" is not KEY=VALUE", word);
		return false;
	}
	if (settings_find(&m->ops, key)) {
		add_pair(pairs, key, equals + 1);
		return true;
	}
	if (!s || s->required || s->type == SETTING_PLUGIN) {
		g_set_error(error, SERVER_ERROR, 0, "plugin %s: unknown setting %s (gotgt plugin show %s lists them)", m->ops.name, key,
			    m->ops.name);
		return false;
	}
	if (!setting_parse(s, equals + 1, lun, error)) {
		g_prefix_error(error, "%s: ", key);
		return false;
	}
	return true;
}

static bool add_path(const struct module *m, const char *path, GPtrArray *pairs, GError **error)
{
	const char *name = settings_path_name(&m->ops);

	if (*path && !name) {
		g_set_error(error, SERVER_ERROR, 0, "plugin %s takes no path", m->ops.name);
		return false;
	}
	if (*path)
		add_pair(pairs, name, path);
	return true;
}

/* A plugin that can make its file does so when it is told how large. */
static bool add_size(const struct module *m, const char *size, GPtrArray *pairs, GError **error)
{
	const char *name = settings_path_name(&m->ops);
	const char *path = name ? pair_value(pairs, name) : NULL;
	bool creates = settings_find(&m->ops, "create") != NULL;

	if (size && !settings_find(&m->ops, "size")) {
		g_set_error(error, SERVER_ERROR, 0, "plugin %s has no setting size", m->ops.name);
		return false;
	}
	if (size && !pair_value(pairs, "size"))
		add_pair(pairs, "size", size);
	if (!creates || !path || pair_value(pairs, "create") || g_file_test(path, G_FILE_TEST_EXISTS))
		return true;
	if (!pair_value(pairs, "size")) {
		g_set_error(error, MODULE_ERROR, MODULE_ERROR_INVALID, "%s: no such file (--size SIZE makes one)", path);
		return false;
	}
	add_pair(pairs, "create", "yes");
	return true;
}

static bool check_settings(const struct module *m, char **pairs, GError **error)
{
	struct settings *s = settings_parse(&m->ops, (const char *const *)pairs, error);

	settings_free(s);
	return s != NULL;
}

bool lun_arg_parse(const char *text, const struct lun_arg *common, const char *const *plugin_dirs,
		   struct conf_lun *lun, GError **error)
{
	g_autoptr(GPtrArray) words = split(text), pairs = g_ptr_array_new_with_free_func(g_free);
	const char *path = split_plugin(words->pdata[0], &lun->plugin);
	const struct module *m = plugins_get(plugin_dirs, lun->plugin, error);

	if (!m || !add_path(m, path, pairs, error))
		return false;
	lun->read_only = common->read_only;
	for (unsigned i = 1; i < words->len; i++)
		if (!add_word(m, words->pdata[i], pairs, lun, error))
			return false;
	if (!add_size(m, common->size, pairs, error))
		return false;
	g_ptr_array_add(pairs, NULL);
	lun->settings = (char **)g_ptr_array_free(g_steal_pointer(&pairs), FALSE);
	return check_settings(m, lun->settings, error);
}
