/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of core/ is a layer: it includes its own headers and those of the layers below. */
#include "config.h"
#include <stdbool.h>
#include <string.h>
#include <glib.h>

/* From the bottom up. */
static const char *const layers[] = { "engine", "backstore", "sdk", "scsi", "iscsi", "config", "control", "lib", "cli" };

static int rank(const char *name, size_t len)
{
	for (size_t i = 0; i < G_N_ELEMENTS(layers); i++)
		if (strlen(layers[i]) == len && !strncmp(layers[i], name, len))
			return (int)i;
	return -1;
}

/* Why a line of a file in that layer breaks the rule, or NULL. */
static const char *judge(int layer, const char *line)
{
	static const char word[] = "#include \"";
	const char *name = line + strlen(word), *slash;
	int other;

	if (!g_str_has_prefix(line, word) || g_str_has_prefix(name, "config.h\""))
		return NULL;
	slash = strchr(name, '/');
	other = slash ? rank(name, (size_t)(slash - name)) : -1;
	if (other < 0)
		return "does not name a layer";
	return other > layer ? "points upwards" : NULL;
}

static unsigned check_file(int layer, const char *path, unsigned *includes)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	GError *error = NULL;
	unsigned bad = 0;

	g_file_get_contents(path, &text, NULL, &error);
	g_assert_no_error(error);
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		const char *why = judge(layer, *line);

		*includes += g_str_has_prefix(*line, "#include \"");
		if (why)
			g_test_message("%s: %s: %s", path, *line, why);
		bad += why != NULL;
	}
	return bad;
}

static void test_layer(gconstpointer data)
{
	int layer = GPOINTER_TO_INT(data);
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "..", "core", layers[layer], NULL);
	GError *error = NULL;
	GDir *dir = g_dir_open(path, 0, &error);
	unsigned bad = 0, includes = 0;
	const char *name;

	g_assert_no_error(error);
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *file = g_build_filename(path, name, NULL);

		if (g_str_has_suffix(name, ".c") || g_str_has_suffix(name, ".h"))
			bad += check_file(layer, file, &includes);
	}
	g_dir_close(dir);
	g_assert_cmpuint(includes, >, 0);
	g_assert_cmpuint(bad, ==, 0);
}

static void test_judge(void)
{
	static const struct { const char *layer, *line; bool ok; } cases[] = {
		{ "scsi", "#include \"backstore/device.h\"", true },
		{ "scsi", "#include \"scsi/task.h\"", true },
		{ "scsi", "#include \"config.h\"", true },
		{ "scsi", "#include <string.h>", true },
		{ "scsi", "#include \"iscsi/conn.h\"", false },
		{ "engine", "#include \"cli/cli.h\"", false },
		{ "scsi", "#include \"task.h\"", false },
		{ "scsi", "#include \"elsewhere/x.h\"", false },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		int layer = rank(cases[i].layer, strlen(cases[i].layer));

		g_test_message("%s: %s", cases[i].layer, cases[i].line);
		g_assert_cmpint(judge(layer, cases[i].line) == NULL, ==, cases[i].ok);
	}
}

/* A folder that is no layer of the table would go unchecked. */
static void test_folders(void)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "..", "core", NULL);
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	g_assert_nonnull(dir);
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *sub = g_build_filename(path, name, NULL);

		if (g_file_test(sub, G_FILE_TEST_IS_DIR) && *name != '.')
			g_assert_cmpint(rank(name, strlen(name)), >=, 0);
	}
	g_dir_close(dir);
}

/* What a program that embeds a server can have, its own layer, and what belongs to a process: no parts of a server. */
static void test_program(gconstpointer data)
{
	static const char *const allowed[] = { "cli/", "engine/", "config.h", "iscsi/activation.h" };
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "..", "core", "cli", data, NULL);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	unsigned public = 0;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		bool ok = !g_str_has_prefix(*line, "#include \"");

		for (size_t i = 0; i < G_N_ELEMENTS(allowed) && !ok; i++)
			ok = g_str_has_prefix(*line + strlen("#include \""), allowed[i]);
		if (!ok)
			g_error("%s: %s", path, *line);
		public += g_str_equal(*line, "#include <gotgt/gotgt.h>");
	}
	g_assert_cmpuint(public, ==, 1);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/layers/judge", test_judge);
	g_test_add_func("/layers/folders", test_folders);
	g_test_add_data_func("/layers/program/daemon", "daemon.c", test_program);
	for (int i = 0; i < (int)G_N_ELEMENTS(layers); i++) {
		g_autofree char *name = g_strdup_printf("/layers/%s", layers[i]);

		g_test_add_data_func(name, GINT_TO_POINTER(i), test_layer);
	}
	return g_test_run();
}
