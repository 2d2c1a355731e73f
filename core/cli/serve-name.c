/* SPDX-License-Identifier: Apache-2.0 */
/* serve-name.c - the name of a target of gotgt serve that nobody named. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "backstore/settings.h"
#include "cli/cli.h"
#include "config/server.h"

#define HOST_MAX 180u
#define DIGITS 12u

/* Each part with its end, so that no two lists of parts are one text. */
static void add(GChecksum *sum, const char *text)
{
	g_checksum_update(sum, (const guchar *)text, (gssize)strlen(text) + 1);
}

/* Host names are given twice more often than one would think (machine-id(5): only ever hashed). */
static void add_machine(GChecksum *sum)
{
	g_autofree char *id = NULL;

	if (g_file_get_contents("/etc/machine-id", &id, NULL, NULL))
		add(sum, id);
}

/*
 * A file by the name that it has after all links.  Of what may not be there yet, and of a device, by the folder: the link to a
 * device has the name that is its own, as in /dev/disk/by-id, and /dev/sda is another one's after a start of the machine.
 */
static char *real_path(const char *path)
{
	g_autofree char *dir = g_path_get_dirname(path), *base = g_path_get_basename(path);
	struct stat st;
	char *real = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? realpath(path, NULL) : NULL, *real_dir = NULL;

	if (!real && (real_dir = realpath(dir, NULL)))
		real = g_build_filename(real_dir, base, NULL);
	free(real_dir);
	return real ? real : g_canonicalize_filename(path, NULL);
}

/* False: it has no path. */
static bool add_path(GChecksum *sum, const struct conf_lun *l, const char *const *plugin_dirs)
{
	const struct module *m = plugins_get(plugin_dirs, l->plugin, NULL);
	const char *name = m ? settings_path_name(&m->ops) : NULL;
	bool found = false;

	for (char **pair = l->settings; name && pair && pair[0] && !found; pair += 2)
		if (g_str_equal(pair[0], name)) {
			g_autofree char *real = real_path(pair[1]);

			add(sum, real);
			found = true;
		}
	return found;
}

/* What has no path is told from others by how it was asked for, and by where it is reached. */
static void add_rest(GChecksum *sum, const struct conf_lun *l, const char *const *portals)
{
	for (char **word = l->settings; word && *word; word++)
		add(sum, *word);
	for (; portals && *portals; portals++) {
		g_autofree char *fleeting = g_str_has_suffix(*portals, ":0") ? g_uuid_string_random() : NULL;

		add(sum, fleeting ? fleeting : *portals);
	}
}

char *serve_name(const GPtrArray *luns, const char *const *portals, const char *const *plugin_dirs)
{
	g_autofree char *host = g_ascii_strdown(g_get_host_name(), -1);
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);

	g_strcanon(host, "abcdefghijklmnopqrstuvwxyz0123456789.-", '-');
	add_machine(sum);
	for (unsigned i = 0; i < luns->len; i++) {
		const struct conf_lun *l = luns->pdata[i];

		/* By whichever plugin, a path is the same disk. */
		if (add_path(sum, l, plugin_dirs))
			continue;
		add(sum, l->plugin);
		add_rest(sum, l, portals);
	}
	return g_strdup_printf("iqn.2016-09.com.gotgt:%.*s:%.*s", (int)HOST_MAX, host, (int)DIGITS, g_checksum_get_string(sum));
}
