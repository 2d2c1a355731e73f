/* SPDX-License-Identifier: Apache-2.0 */
/* gotgt-plugin(3) and libgotgt(3) against the headers they are about: nothing is missing, nothing is made up. */
#include "config.h"
#include <string.h>
#include "manual-read.h"

static unsigned wrong;

static void complain(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
static void complain(const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	g_test_message("%s", text);
	wrong++;
}

/* ---- comparisons ---- */

/* Every constant is on the page, and those on it exist. */
static void compare_constants(const struct header *h, const struct page *p, const struct header *others)
{
	GHashTableIter it;
	gpointer name;

	g_hash_table_iter_init(&it, h->constants);
	while (g_hash_table_iter_next(&it, &name, NULL))
		if (!page_has(p, "Dv", name))
			complain("%s: not on the page", (char *)name);
	g_hash_table_iter_init(&it, p->words);
	while (g_hash_table_iter_next(&it, &name, NULL)) {
		const char *constant = (char *)name + strlen("Dv ");

		if (g_str_has_prefix(name, "Dv GOTGT_") && !g_hash_table_contains(h->constants, constant) &&
		    !g_hash_table_contains(h->macros, constant) &&
		    !(others && g_hash_table_contains(others->constants, constant)))
			complain("%s: in no header", (char *)name);
	}
}

static bool same_parameters(const GPtrArray *list, const GPtrArray *arguments)
{
	if (!arguments || arguments->len != list->len)
		return false;
	for (unsigned i = 0; i < list->len; i++) {
		g_autoptr(GRegex) names = g_regex_new("(?<=gotgt_host \\*)\\w+", 0, 0, NULL);
		g_autofree char *text = g_regex_replace(names, list->pdata[i], -1, 0, "", 0, NULL);

		if (!g_str_equal(text, arguments->pdata[i]))
			return false;
	}
	return true;
}

/* Every function, as it is declared; and those on the page exist. */
static void compare_functions(const struct header *h, const struct page *p, const struct header *others)
{
	GHashTableIter it;
	gpointer key;

	for (unsigned i = 0; i < h->functions->len; i++) {
		const struct function *f = h->functions->pdata[i];
		const char *type = g_hash_table_lookup(p->types, f->name);

		if (!type || !g_str_equal(type, f->type))
			complain("%s: returns %s, not %s", f->name, f->type, type ? type : "(not in the synopsis)");
		if (!same_parameters(f->parameters, g_hash_table_lookup(p->arguments, f->name)))
			complain("%s: other parameters in the synopsis", f->name);
	}
	g_hash_table_iter_init(&it, h->macros);
	while (g_hash_table_iter_next(&it, &key, NULL))
		if (!page_has(p, "Fn", key) && !page_has(p, "Dv", key))
			complain("%s(): not on the page", (char *)key);
	g_hash_table_iter_init(&it, p->words);
	while (g_hash_table_iter_next(&it, &key, NULL)) {
		const char *name = (char *)key + strlen("Fn ");

		if ((g_str_has_prefix(key, "Fn gotgt_") || g_str_has_prefix(key, "Fo gotgt_")) && !header_function(h, name) &&
		    !g_hash_table_contains(h->macros, name) && !(others && header_function(others, name)))
			complain("%s(): in no header", name);
	}
}

static bool is_reserved(const struct field *f)
{
	return g_str_has_prefix(f->name, "reserved");
}

/* ---- gotgt-plugin(3) ---- */

static const char *const extensions[] = {
	"ext-compare.h", "ext-copy.h", "ext-extents.h", "ext-memory.h", "ext-size.h", "ext-threads.h",
};

static struct header *plugin_header(void)
{
	struct header *h = header_new();

	header_read(h, "plugin.h");
	for (size_t i = 0; i < G_N_ELEMENTS(extensions); i++)
		header_read(h, extensions[i]);
	return h;
}

static const struct { const char *of, *section; } sections[] = {
	{ "gotgt_plugin", "THE PLUGIN" }, { "gotgt_dev_info", "THE DEVICE" }, { "gotgt_io", "REQUESTS" },
	{ "gotgt_param", "SETTINGS" }, { "gotgt_host", "THE PROGRAM" },
};

static const char *section_of(const char *of)
{
	for (size_t i = 0; i < G_N_ELEMENTS(sections); i++)
		if (g_str_equal(sections[i].of, of))
			return sections[i].section;
	return NULL;
}

/* The core's tables have an item for each field; an extension's functions are there with as many parameters. */
static void compare_field(const struct page *p, const struct field *f)
{
	const char *section = section_of(f->of);
	const GPtrArray *arguments = g_hash_table_lookup(p->arguments, f->name);

	if (section ? page_has_item(p, section, f->name) :
	    f->function ? arguments && arguments->len == f->parameters :
	    page_has(p, "Fa", f->name))
		return;
	complain("%s.%s: not in %s", f->of, f->name, section ? section : "EXTENSIONS, with its parameters");
}

static void test_plugin(void)
{
	struct header *h = plugin_header();
	struct page *p = page_new("gotgt-plugin.3");
	GHashTableIter it;
	gpointer key;

	wrong = 0;
	g_assert_cmpuint(h->fields->len, >, 50);
	g_assert_cmpuint(g_hash_table_size(h->constants), >, 40);
	for (unsigned i = 0; i < h->fields->len; i++)
		if (!is_reserved(h->fields->pdata[i]))
			compare_field(p, h->fields->pdata[i]);
	g_hash_table_iter_init(&it, h->structs);
	while (g_hash_table_iter_next(&it, &key, NULL)) {
		g_autofree char *name = g_strconcat("struct ", key, NULL);

		if (!page_has(p, "Vt", name))
			complain("%s: not on the page", name);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(sections); i++) {
		g_autofree char *before = g_strconcat(sections[i].section, "/", NULL);

		g_hash_table_iter_init(&it, p->items);
		while (g_hash_table_iter_next(&it, &key, NULL)) {
			const char *name = (char *)key + strlen(before);

			if (g_str_has_prefix(key, before) && !g_str_has_prefix(name, "GOTGT_") &&
			    !header_field(h, sections[i].of, name))
				complain("%s: %s has no such field", (char *)key, sections[i].of);
		}
	}
	compare_constants(h, p, NULL);
	compare_functions(h, p, NULL);
	page_free(p);
	header_free(h);
	g_assert_cmpuint(wrong, ==, 0);
}

/* ---- what each field says of itself ---- */

static bool says(const struct field *f, const char *pattern)
{
	return g_regex_match_simple(pattern, f->comment, 0, 0);
}

/* Units of numbers, threads and errors of functions; of what came later, since when. */
static void check_comment(const struct field *f, const struct header *first)
{
	bool number = !f->function && g_regex_match_simple("^(u?int\\d+_t|size_t|unsigned|int)$", f->type, 0, 0);

	if (!says(f, "\\w"))
		complain("%s.%s: no comment", f->of, f->name);
	if (number && !says(f, "bytes|elements|GOTGT_|enum |\\b[01]\\b"))
		complain("%s.%s: in which unit, or what set?", f->of, f->name);
	if (f->function && !says(f, "\\[(main|io|any)\\]"))
		complain("%s.%s: on which thread?", f->of, f->name);
	if (f->function && g_regex_match_simple("^(int|enum gotgt_status)$", f->type, 0, 0) &&
	    !says(f, "errno|GOTGT_(OK|ERR_)"))
		complain("%s.%s: what does it return?", f->of, f->name);
	if (first && g_hash_table_contains(first->structs, f->of) && !header_field(first, f->of, f->name) &&
	    !is_reserved(f) && !says(f, "[Ss]ince "))
		complain("%s.%s: since when?", f->of, f->name);
}

static void test_comments(void)
{
	struct header *h = plugin_header(), *first = header_new();
	g_autofree char *text = manual_read_source("tests/abi/0.1/gotgt", "plugin.h");

	wrong = 0;
	header_read_structs(first, text);
	g_assert_cmpuint(first->fields->len, >, 30);
	for (unsigned i = 0; i < h->fields->len; i++)
		check_comment(h->fields->pdata[i], first);
	/* A whole header that came later, or is as old as the rest. */
	for (size_t i = 0; i < G_N_ELEMENTS(extensions); i++) {
		g_autofree char *ext = manual_read_source("include/gotgt", extensions[i]);

		if (!strstr(ext, "Since gotgt "))
			complain("%s: since when?", extensions[i]);
	}
	header_free(first);
	header_free(h);
	g_assert_cmpuint(wrong, ==, 0);
}

/* What must be found is found. */
static void test_found(void)
{
	static const char text[] =
		"struct gotgt_bad {\n\tuint32_t size;\t\t/* how much */\n\tuint32_t nothing;\n"
		"\t/* Does it. */\n\tint (*run)(void *dev, int n);\n\tuint64_t good;\t/* bytes,\n\t\t\t\t   of it */\n};\n";
	struct header *h = header_new();

	header_read_structs(h, text);
	g_assert_cmpuint(h->fields->len, ==, 4);
	g_assert_cmpstr(header_field(h, "gotgt_bad", "good")->comment, ==, "/* bytes, of it */");
	g_assert_cmpuint(header_field(h, "gotgt_bad", "run")->parameters, ==, 2);
	wrong = 0;
	for (unsigned i = 0; i < h->fields->len; i++)
		check_comment(h->fields->pdata[i], NULL);
	g_assert_cmpuint(wrong, ==, 5);	/* a unit; a comment and a unit; a thread and a result */
	header_free(h);
}

/* ---- libgotgt(3) ---- */

static void test_library(void)
{
	struct header *h = header_new(), *plugin = plugin_header();
	struct page *p = page_new("libgotgt.3");
	GHashTableIter it;
	gpointer key;

	header_read(h, "gotgt.h");
	wrong = 0;
	g_assert_cmpuint(h->functions->len, >, 40);
	compare_functions(h, p, plugin);
	compare_constants(h, p, plugin);
	g_hash_table_iter_init(&it, h->structs);
	while (g_hash_table_iter_next(&it, &key, NULL)) {
		g_autofree char *name = g_strconcat("struct ", key, NULL);

		if (!page_has(p, "Vt", name))
			complain("%s: not on the page", name);
	}
	g_hash_table_iter_init(&it, p->words);
	while (g_hash_table_iter_next(&it, &key, NULL))
		if (g_str_has_prefix(key, "Va ") && !header_field(h, NULL, (char *)key + strlen("Va ")))
			complain("%s: no struct has such a field", (char *)key);
	for (unsigned i = 0; i < h->fields->len; i++) {
		const struct field *f = h->fields->pdata[i];

		if (!says(f, "\\w") && !g_str_equal(f->of, "gotgt_store_ops"))
			complain("%s.%s: no comment", f->of, f->name);
	}
	page_free(p);
	header_free(plugin);
	header_free(h);
	g_assert_cmpuint(wrong, ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/manual/found", test_found);
	g_test_add_func("/manual/gotgt-plugin", test_plugin);
	g_test_add_func("/manual/plugin.h", test_comments);
	g_test_add_func("/manual/libgotgt", test_library);
	return g_test_run();
}
