/* SPDX-License-Identifier: Apache-2.0 */
/* plugins.c - load what a configuration names, check what it sets. */
#include "config.h"
#include "backstore/device.h"
#include "backstore/settings.h"
#include "config/plugins.h"

char **plugins_dirs(const char *dirs)
{
	return module_dirs(dirs ? dirs : g_getenv("GOTGT_PLUGIN_PATH"));
}

const struct module *plugins_get(const char *const *dirs, const char *name, GError **error)
{
	return module_find(dirs, name, &device_host, error);
}

bool plugins_secret(const char *const *dirs, const char *name, const char *setting)
{
	const struct module *m = plugins_get(dirs, name, NULL);

	for (const struct gotgt_param *q = m ? m->ops.params : NULL; q && q->name; q++)
		if (g_str_equal(q->name, setting))
			return q->flags & GOTGT_PARAM_SECRET;
	return true;
}

/* One at a time, so that each error has its line and none hides another. */
static void check_pairs(const struct module *m, const struct conf_target *t, const struct conf_lun *l,
			GPtrArray *errors)
{
	unsigned before = errors->len;
	g_autoptr(GError) error = NULL;
	struct settings *all;

	for (unsigned i = 0; l->settings && l->settings[2 * i]; i++) {
		const char *const pair[] = { l->settings[2 * i], l->settings[2 * i + 1], NULL };
		struct conf_where where = { l->where.file, l->setting_lines ? l->setting_lines[i] : l->where.line };
		g_autoptr(GError) why = NULL;
		struct settings *s = settings_parse(&m->ops, pair, &why);

		/* What is missing can only be told from all of them. */
		if (!s && !g_error_matches(why, SETTINGS_ERROR, SETTINGS_ERROR_MISSING))
			conf_error(errors, &where, "target %s lun %u: %s", t->iqn, l->number, why->message);
		settings_free(s);
	}
	if (errors->len != before)
		return;
	all = settings_parse(&m->ops, (const char *const *)l->settings, &error);
	if (!all)
		conf_error(errors, &l->where, "target %s lun %u: %s", t->iqn, l->number, error->message);
	settings_free(all);
}

void plugins_check(const char *const *dirs, const struct conf *c, bool missing_too, GPtrArray *errors)
{
	for (unsigned i = 0; i < c->targets->len; i++) {
		const struct conf_target *t = c->targets->pdata[i];

		for (unsigned j = 0; j < t->luns->len; j++) {
			const struct conf_lun *l = t->luns->pdata[j];
			g_autoptr(GError) error = NULL;
			const struct module *m = l->module ? l->module : plugins_get(dirs, l->plugin, &error);

			if (m)
				check_pairs(m, t, l, errors);
			else if (missing_too)
				conf_error(errors, &l->where, "target %s lun %u: %s", t->iqn, l->number, error->message);
		}
	}
}
