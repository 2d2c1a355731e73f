/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - one row a type: how its text is read, stored and called. */
#include "config.h"
#include <string.h>
#include "backstore/settings.h"

G_DEFINE_QUARK(gotgt-settings-error, settings_error)

struct settings {
	void *conf;
	size_t conf_size;
	GPtrArray *strings;
};

static void wipe_string(void *text)
{
	explicit_bzero(text, strlen(text));
	g_free(text);
}

/* ---- text to values ---- */

static bool parse_digits(const char *text, uint64_t *number, const char **end)
{
	uint64_t n = 0;
	const char *c;

	for (c = text; g_ascii_isdigit(*c); c++)
		if (!g_uint64_checked_mul(&n, n, 10) || !g_uint64_checked_add(&n, n, (uint64_t)(*c - '0')))
			return false;
	*number = n;
	*end = c;
	return c != text;
}

bool settings_parse_uint(const char *text, uint64_t *number)
{
	const char *end;

	return parse_digits(text, number, &end) && !*end;
}

bool settings_parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGTP";
	const char *end, *unit;
	unsigned shift;
	uint64_t n;

	if (!parse_digits(text, &n, &end))
		return false;
	shift = 0;
	unit = *end ? strchr(units, g_ascii_toupper(*end)) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		end++;
		if (g_str_equal(end, "iB"))
			end += 2;
	}
	/* Offsets are off_t's. */
	if (*end || n > (uint64_t)INT64_MAX >> shift)
		return false;
	*bytes = n << shift;
	return true;
}

bool settings_parse_bool(const char *text, bool *value)
{
	static const struct { const char *text; bool value; } words[] = {
		{ "yes", true }, { "no", false }, { "true", true }, { "false", false },
		{ "on", true }, { "off", false }, { "1", true }, { "0", false },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (!g_ascii_strcasecmp(text, words[i].text)) {
			*value = words[i].value;
			return true;
		}
	return false;
}

/* ---- values to the struct ---- */

static bool store_string(struct settings *s, const char *text, void *at)
{
	char *copy = g_strdup(text);

	g_ptr_array_add(s->strings, copy);
	memcpy(at, &copy, sizeof copy);
	return true;
}

static bool store_bool(struct settings *s, const char *text, void *at)
{
	bool value;
	int number;

	if (!settings_parse_bool(text, &value))
		return false;
	number = value;
	memcpy(at, &number, sizeof number);
	return true;
}

static bool store_uint(struct settings *s, const char *text, void *at)
{
	uint64_t number;

	if (!settings_parse_uint(text, &number))
		return false;
	memcpy(at, &number, sizeof number);
	return true;
}

static bool store_size(struct settings *s, const char *text, void *at)
{
	uint64_t bytes;

	if (!settings_parse_size(text, &bytes))
		return false;
	memcpy(at, &bytes, sizeof bytes);
	return true;
}

static const struct {
	const char *name, *expected;
	bool (*store)(struct settings *s, const char *text, void *at);
} types[] = {
	[GOTGT_PARAM_STRING] = { "string", "text", store_string },
	[GOTGT_PARAM_BOOL] = { "yes or no", "yes or no", store_bool },
	[GOTGT_PARAM_UINT] = { "number", "a whole number", store_uint },
	[GOTGT_PARAM_SIZE] = { "size", "a size: a number of bytes, or one with K, M, G or T", store_size },
};

const char *settings_type_name(uint32_t type)
{
	return types[type].name;
}

const struct gotgt_param *settings_find(const struct gotgt_plugin *p, const char *name)
{
	for (const struct gotgt_param *q = p->params; q && q->name; q++)
		if (g_str_equal(q->name, name))
			return q;
	return NULL;
}

const char *settings_path_name(const struct gotgt_plugin *p)
{
	for (const struct gotgt_param *q = p->params; q && q->name; q++)
		if (q->flags & GOTGT_PARAM_PATH)
			return q->name;
	return NULL;
}

static bool store(struct settings *s, const struct gotgt_plugin *p, const struct gotgt_param *q, const char *text,
		  GError **error)
{
	if (q->flags & GOTGT_PARAM_REQUIRED && !*text) {
		g_set_error(error, SETTINGS_ERROR, SETTINGS_ERROR_VALUE, "plugin %s: setting %s must not be empty",
			    p->name, q->name);
		return false;
	}
	if (types[q->type].store(s, text, (char *)s->conf + q->offset))
		return true;
	g_set_error(error, SETTINGS_ERROR, SETTINGS_ERROR_VALUE, "plugin %s: setting %s: \"%s\" is not %s", p->name,
		    q->name, q->flags & GOTGT_PARAM_SECRET ? "***" : text, types[q->type].expected);
	return false;
}

static void fail_unknown(const struct gotgt_plugin *p, const char *name, const char *value, GError **error)
{
	g_autoptr(GString) known = g_string_new(NULL);

	for (const struct gotgt_param *q = p->params; q && q->name; q++)
		g_string_append_printf(known, "%s%s", known->len ? ", " : "", q->name);
	g_set_error(error, SETTINGS_ERROR, SETTINGS_ERROR_UNKNOWN, "plugin %s: unknown setting %s (\"%s\"); it has %s",
		    p->name, name, value, known->len ? known->str : "no settings");
}

static const char *value_of(const char *const *pairs, const char *name)
{
	for (; pairs && pairs[0] && pairs[1]; pairs += 2)
		if (g_str_equal(pairs[0], name))
			return pairs[1];
	return NULL;
}

static bool names_ok(const struct gotgt_plugin *p, const char *const *pairs, GError **error)
{
	for (; pairs && pairs[0]; pairs += 2) {
		if (!pairs[1]) {
			g_set_error(error, SETTINGS_ERROR, SETTINGS_ERROR_VALUE, "plugin %s: setting %s has no value",
				    p->name, pairs[0]);
			return false;
		}
		if (!settings_find(p, pairs[0])) {
			fail_unknown(p, pairs[0], pairs[1], error);
			return false;
		}
		if (value_of(pairs + 2, pairs[0])) {
			g_set_error(error, SETTINGS_ERROR, SETTINGS_ERROR_VALUE, "plugin %s: setting %s is given twice",
				    p->name, pairs[0]);
			return false;
		}
	}
	return true;
}

static bool fill(struct settings *s, const struct gotgt_plugin *p, const char *const *pairs, GError **error)
{
	if (!names_ok(p, pairs, error))
		return false;
	for (const struct gotgt_param *q = p->params; q && q->name; q++) {
		const char *text = value_of(pairs, q->name) ?: q->fallback;

		if (!text && q->flags & GOTGT_PARAM_REQUIRED) {
			g_set_error(error, SETTINGS_ERROR, SETTINGS_ERROR_MISSING, "plugin %s: setting %s is required",
				    p->name, q->name);
			return false;
		}
		if (text && !store(s, p, q, text, error))
			return false;
	}
	return true;
}

struct settings *settings_parse(const struct gotgt_plugin *p, const char *const *pairs, GError **error)
{
	struct settings *s = g_new0(struct settings, 1);

	s->conf_size = p->conf_size;
	s->conf = g_malloc0(MAX(p->conf_size, 1));
	s->strings = g_ptr_array_new_with_free_func(wipe_string);
	if (fill(s, p, pairs, error))
		return s;
	settings_free(s);
	return NULL;
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	g_ptr_array_unref(s->strings);
	explicit_bzero(s->conf, s->conf_size);
	g_free(s->conf);
	g_free(s);
}

const void *settings_conf(const struct settings *s)
{
	return s->conf;
}
