/* SPDX-License-Identifier: Apache-2.0 */
/* manual-read.c - see manual-read.h */
#include "config.h"
#include <string.h>
#include "manual-read.h"

static GHashTable *set_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

char *manual_read_source(const char *dir, const char *name)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "..", dir, name, NULL);
	GError *error = NULL;
	char *text = NULL;

	g_file_get_contents(path, &text, NULL, &error);
	g_assert_no_error(error);
	return text;
}

/* One blank for each run of white space, none at the ends. */
static char *squeeze(const char *text, gssize len)
{
	g_autofree char *copy = len < 0 ? g_strdup(text) : g_strndup(text, (gsize)len);
	g_auto(GStrv) words = g_strsplit_set(copy, " \t\n", -1);
	GString *out = g_string_new(NULL);

	for (char **w = words; *w; w++)
		if (**w)
			g_string_append_printf(out, "%s%s", out->len ? " " : "", *w);
	return g_string_free(out, FALSE);
}

/* ---- headers ---- */

static void field_free(gpointer data)
{
	struct field *f = data;

	g_free(f->of);
	g_free(f->name);
	g_free(f->type);
	g_free(f->comment);
	g_free(f);
}

static void function_free(gpointer data)
{
	struct function *f = data;

	g_free(f->name);
	g_free(f->type);
	g_ptr_array_unref(f->parameters);
	g_free(f);
}

/* Of a list without nested commas, but in the parentheses of a pointer to a function. */
static GPtrArray *split_parameters(const char *text)
{
	GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
	const char *start = text;
	unsigned depth = 0;

	for (const char *p = text; ; p++) {
		depth += (*p == '(') - (*p == ')');
		if (*p && (*p != ',' || depth))
			continue;
		g_ptr_array_add(all, squeeze(start, p - start));
		if (!*p)
			return all;
		start = p + 1;
	}
}

/* "char *name[4]" -> "name", and what is before it. */
static char *last_name(const char *text, size_t *at)
{
	size_t end = strcspn(text, "["), start;

	while (end && !g_ascii_isalnum(text[end - 1]) && text[end - 1] != '_')
		end--;
	start = end;
	while (start && (g_ascii_isalnum(text[start - 1]) || text[start - 1] == '_'))
		start--;
	*at = start;
	return g_strndup(text + start, end - start);
}

static void add_field(struct header *h, const char *of, const char *decl, const char *comment)
{
	g_autofree char *text = squeeze(decl, -1);
	const char *pointer = strstr(text, "(*"), *end = pointer ? strchr(pointer, ')') : NULL;
	struct field *f = g_new0(struct field, 1);
	size_t at;

	f->of = g_strdup(of);
	f->comment = squeeze(comment, -1);
	f->function = pointer != NULL;
	if (pointer) {
		const char *list = strchr(end, '('), *close = strchr(list, ')');
		g_autofree char *inner = g_strndup(list + 1, (gsize)(close - list - 1));
		g_autoptr(GPtrArray) parameters = split_parameters(inner);

		f->name = g_strndup(pointer + 2, (gsize)(end - pointer - 2));
		f->type = squeeze(text, pointer - text);
		f->parameters = parameters->len;
	} else {
		f->name = last_name(text, &at);
		f->type = squeeze(text, (gssize)at);
	}
	g_ptr_array_add(h->fields, f);
}

/* The end of a comment that begins here. */
static const char *comment_end(const char *p)
{
	return strstr(p, "*/") + 2;
}

/* A declaration has the comments since the last one, and those behind it that begin on its line. */
static void read_struct(struct header *h, const char *of, const char *p, const char *end)
{
	GString *comment = g_string_new(NULL), *decl = g_string_new(NULL);

	g_hash_table_add(h->structs, g_strdup(of));
	while (p < end) {
		const char *line;

		if (g_str_has_prefix(p, "/*")) {
			g_string_append_len(comment, p, comment_end(p) - p);
			p = comment_end(p);
			continue;
		}
		if (*p != ';') {
			g_string_append_c(decl, *p++);
			continue;
		}
		for (line = ++p; line < end && (*line == ' ' || *line == '\t'); line++)
			;
		if (g_str_has_prefix(line, "/*")) {
			g_string_append_len(comment, line, comment_end(line) - line);
			p = comment_end(line);
		}
		add_field(h, of, decl->str, comment->str);
		g_string_truncate(decl, 0);
		g_string_truncate(comment, 0);
	}
	g_string_free(comment, TRUE);
	g_string_free(decl, TRUE);
}

static void each_match(const char *text, const char *pattern, void (*found)(struct header *h, GMatchInfo *m),
		       struct header *h)
{
	g_autoptr(GRegex) re = g_regex_new(pattern, G_REGEX_MULTILINE | G_REGEX_DOTALL, 0, NULL);
	GMatchInfo *m;

	g_assert_nonnull(re);
	for (g_regex_match(re, text, 0, &m); g_match_info_matches(m); g_match_info_next(m, NULL))
		found(h, m);
	g_match_info_free(m);
}

static void found_struct(struct header *h, GMatchInfo *m)
{
	g_autofree char *name = g_match_info_fetch(m, 1), *body = g_match_info_fetch(m, 2);

	read_struct(h, name, body, body + strlen(body));
}

static void found_function(struct header *h, GMatchInfo *m)
{
	g_autofree char *list = g_match_info_fetch(m, 3), *type = g_match_info_fetch(m, 1);
	struct function *f = g_new0(struct function, 1);

	f->type = squeeze(type, -1);
	f->name = g_match_info_fetch(m, 2);
	f->parameters = split_parameters(list);
	g_ptr_array_add(h->functions, f);
}

static void found_typedef(struct header *h, GMatchInfo *m)
{
	g_hash_table_add(h->typedefs, g_match_info_fetch(m, 1));
}

/* Macros come before them; what guards a header is none. */
static void found_constant(struct header *h, GMatchInfo *m)
{
	g_autofree char *name = g_match_info_fetch(m, 1);

	if (!g_hash_table_contains(h->macros, name) && !g_str_has_suffix(name, "_H"))
		g_hash_table_add(h->constants, g_steal_pointer(&name));
}

static void found_macro(struct header *h, GMatchInfo *m)
{
	g_hash_table_add(h->macros, g_match_info_fetch(m, 1));
}

void header_read_structs(struct header *h, const char *text)
{
	each_match(text, "^struct (gotgt_\\w+) \\{\n(.*?)^\\};", found_struct, h);
}

void header_read(struct header *h, const char *name)
{
	g_autofree char *text = manual_read_source("include/gotgt", name), *code = NULL;
	g_autoptr(GRegex) comments = g_regex_new("/\\*.*?\\*/", G_REGEX_DOTALL, 0, NULL);

	header_read_structs(h, text);
	each_match(text, "^GOTGT_EXPORT ([^(;]*?\\W)(gotgt_\\w+)\\(((?:[^()]|\\([^()]*\\))*)\\);", found_function, h);
	each_match(text, "^static inline ([^(;]*?\\W)(gotgt_\\w+)\\(([^)]*)\\)\n\\{", found_function, h);
	each_match(text, "^typedef [^;]*?(gotgt_\\w+)\\(", found_typedef, h);
	each_match(text, "^#define (GOTGT_PLUGIN|GOTGT_PLUGIN_TABLE|GOTGT_OP_BIT|gotgt_\\w+)\\(", found_macro, h);
	code = g_regex_replace_literal(comments, text, -1, 0, "", 0, NULL);
	each_match(code, "\\b(GOTGT_(?:ABI|OK|(?:CONFIG|DEV|ERR|EXTENT|EXT|IO|LOG|MEMORY|OP|PARAM|PLUGIN|STORE)_[A-Z_]+))\\b",
		   found_constant, h);
}

struct header *header_new(void)
{
	struct header *h = g_new0(struct header, 1);

	h->fields = g_ptr_array_new_with_free_func(field_free);
	h->functions = g_ptr_array_new_with_free_func(function_free);
	h->structs = set_new();
	h->typedefs = set_new();
	h->constants = set_new();
	h->macros = set_new();
	return h;
}

void header_free(struct header *h)
{
	g_ptr_array_unref(h->fields);
	g_ptr_array_unref(h->functions);
	g_hash_table_unref(h->structs);
	g_hash_table_unref(h->typedefs);
	g_hash_table_unref(h->constants);
	g_hash_table_unref(h->macros);
	g_free(h);
}

const struct field *header_field(const struct header *h, const char *of, const char *name)
{
	for (unsigned i = 0; i < h->fields->len; i++) {
		const struct field *f = h->fields->pdata[i];

		if ((!of || g_str_equal(f->of, of)) && g_str_equal(f->name, name))
			return f;
	}
	return NULL;
}

const struct function *header_function(const struct header *h, const char *name)
{
	for (unsigned i = 0; i < h->functions->len; i++)
		if (g_str_equal(((const struct function *)h->functions->pdata[i])->name, name))
			return h->functions->pdata[i];
	return NULL;
}

/* ---- pages: mdoc(7), as much of it as these have ---- */

static GPtrArray *mdoc_words(const char *line)
{
	GPtrArray *words = g_ptr_array_new_with_free_func(g_free);

	while (*line) {
		size_t len;

		line += strspn(line, " ");
		if (*line == '"') {
			len = strcspn(++line, "\"");
			g_ptr_array_add(words, g_strndup(line, len));
			line += len + (line[len] == '"');
		} else if (*line) {
			len = strcspn(line, " ");
			g_ptr_array_add(words, g_strndup(line, len));
			line += len;
		}
	}
	return words;
}

static bool marks_names(const char *word)
{
	static const char *const macros[] = { "Dv", "Fa", "Fn", "Fo", "Vt", "Va", "Ft" };

	for (size_t i = 0; i < G_N_ELEMENTS(macros); i++)
		if (g_str_equal(word, macros[i]))
			return true;
	return false;
}

static char *plain(const char *name)
{
	static const char *const befores[] = { "(*", "io->", "*" };

	for (size_t i = 0; i < G_N_ELEMENTS(befores); i++)
		if (g_str_has_prefix(name, befores[i]))
			name += strlen(befores[i]);
	return g_strndup(name, strcspn(name, ")"));
}

static void keep_arguments(struct page *p, const GPtrArray *words, unsigned from)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(g_free);

	for (unsigned i = from + 2; i < words->len && strcspn(words->pdata[i], ";,.:") > 0; i++)
		g_ptr_array_add(list, g_strdup(words->pdata[i]));
	if (list->len)
		g_hash_table_insert(p->arguments, plain(words->pdata[from + 1]), list);
	else
		g_ptr_array_unref(list);
}

/* The names a line marks up, and, in an .It, as items of the section. */
static void read_macros(struct page *p, const char *section, const GPtrArray *words)
{
	bool item = g_str_equal(words->pdata[0], "It");	/* until another kind of name comes */
	const char *macro = NULL;

	for (unsigned i = 0; i < words->len; i++) {
		const char *word = words->pdata[i];

		if (marks_names(word)) {
			item = item && !macro;
			macro = word;
			if (g_str_equal(word, "Fn") && i + 1 < words->len)
				keep_arguments(p, words, i);
		} else if (strlen(word) == 2 && g_ascii_isupper(word[0]) && g_ascii_islower(word[1])) {
			macro = i ? "" : NULL;
		} else if (macro && *macro && strspn(word, ",.;:|()") != strlen(word)) {
			char *name = plain(word);

			if (item)
				g_hash_table_add(p->items, g_strconcat(section, "/", name, NULL));
			g_hash_table_add(p->words, g_strconcat(macro, " ", name, NULL));
			g_free(name);
			if (*macro == 'F' && macro[1] == 'n')
				macro = "";	/* the others are arguments */
		}
	}
}

struct page *page_new(const char *name)
{
	g_autofree char *text = manual_read_source("man", name), *section = g_strdup(""), *type = NULL, *open = NULL;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	struct page *p = g_new0(struct page, 1);

	p->words = set_new();
	p->items = set_new();
	p->arguments = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
	p->types = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	for (char **line = lines; *line; line++) {
		g_autoptr(GPtrArray) words = **line == '.' ? mdoc_words(*line + 1) : NULL;
		const char *macro = words && words->len ? words->pdata[0] : "";

		if (g_str_equal(macro, "Sh")) {
			g_free(section);
			section = g_strdup(strchr(*line, ' ') + 1);
			continue;
		}
		if (g_str_equal(macro, "Ft") && words->len > 1) {
			g_free(type);
			type = g_strdup(words->pdata[1]);
		} else if (g_str_equal(section, "SYNOPSIS") && type && (g_str_equal(macro, "Fn") || g_str_equal(macro, "Fo"))) {
			g_hash_table_insert(p->types, plain(words->pdata[1]), g_steal_pointer(&type));
		}
		if (g_str_equal(macro, "Fo")) {
			open = plain(words->pdata[1]);
			g_hash_table_insert(p->arguments, open, g_ptr_array_new_with_free_func(g_free));
		} else if (open && g_str_equal(macro, "Fa")) {
			g_ptr_array_add(g_hash_table_lookup(p->arguments, open), g_strdup(words->pdata[1]));
			continue;
		} else if (g_str_equal(macro, "Fc")) {
			open = NULL;
		}
		if (*macro)
			read_macros(p, section, words);
	}
	return p;
}

void page_free(struct page *p)
{
	g_hash_table_unref(p->words);
	g_hash_table_unref(p->items);
	g_hash_table_unref(p->arguments);
	g_hash_table_unref(p->types);
	g_free(p);
}

bool page_has(const struct page *p, const char *macro, const char *name)
{
	g_autofree char *key = g_strconcat(macro, " ", name, NULL);

	return g_hash_table_contains(p->words, key);
}

bool page_has_item(const struct page *p, const char *section, const char *name)
{
	g_autofree char *key = g_strconcat(section, "/", name, NULL);

	return g_hash_table_contains(p->items, key);
}

