/* SPDX-License-Identifier: Apache-2.0 */
/* setting.c - one value of the schema: text to field, field to text, and its lines in the manual. */
#include "config.h"
#include <string.h>
#include "backstore/settings.h"
#include "config/schema.h"
#include "engine/vault.h"

#define SETTING_ERROR g_quark_from_static_string("gotgt-setting-error")

static char *size_format(uint64_t bytes)
{
	static const char units[] = "KMGT";
	int unit = -1;

	while (bytes && bytes % 1024 == 0 && unit < 3) {
		bytes /= 1024;
		unit++;
	}
	return unit < 0 ? g_strdup_printf("%" G_GUINT64_FORMAT, bytes) :
		g_strdup_printf("%" G_GUINT64_FORMAT "%c", bytes, units[unit]);
}

static char *number_format(const struct setting *s, uint64_t n)
{
	return s->type == SETTING_SIZE ? size_format(n) : g_strdup_printf("%" G_GUINT64_FORMAT, n);
}

static char *choices_format(const struct setting *s)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (const struct setting_choice *c = s->choices; c->name; c++)
		g_string_append_printf(text, "%s%s", c == s->choices ? "" : c[1].name ? ", " : " or ", c->name);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static bool parse_number(const struct setting *s, const char *text, uint32_t *out, GError **error)
{
	g_autofree char *min = number_format(s, s->min), *max = number_format(s, s->max);
	uint64_t n;
	bool ok;

	ok = s->type == SETTING_SIZE ? settings_parse_size(text, &n) : settings_parse_uint(text, &n);
	if (ok && n >= s->min && n <= s->max) {
		*out = (uint32_t)n;
		return true;
	}
	if (s->min == s->max)
		g_set_error(error, SETTING_ERROR, 0, "can only be %s", min);
	else
		g_set_error(error, SETTING_ERROR, 0, "expected a %s from %s to %s",
			    s->type == SETTING_SIZE ? "size" : "number", min, max);
	return false;
}

static bool parse_choice(const struct setting *s, const char *text, uint32_t *out, GError **error)
{
	g_autofree char *choices = choices_format(s);

	for (const struct setting_choice *c = s->choices; c->name; c++)
		if (g_str_equal(c->name, text)) {
			*out = c->value;
			return true;
		}
	g_set_error(error, SETTING_ERROR, 0, "expected %s", choices);
	return false;
}

static bool parse_bool(const struct setting *s, const char *text, uint32_t *out, GError **error)
{
	bool value;

	if (!settings_parse_bool(text, &value)) {
		g_set_error(error, SETTING_ERROR, 0, "expected yes or no");
		return false;
	}
	*out = value;
	return true;
}

static bool parse_string(const struct setting *s, const char *text, char **out, GError **error)
{
	const char *why = NULL;
	size_t len = strlen(text);

	if (len < s->min) {
		g_set_error(error, SETTING_ERROR, 0, "is empty");
		return false;
	}
	if (len > s->max) {
		g_set_error(error, SETTING_ERROR, 0, "longer than %u characters", (unsigned)s->max);
		return false;
	}
	if (s->check)
		why = s->check(text);
	if (why) {
		g_set_error(error, SETTING_ERROR, 0, "%s", why);
		return false;
	}
	if (s->secret)
		vault_free(*out);
	else
		g_free(*out);
	*out = s->secret ? vault_strdup(text) : g_strdup(text);
	return true;
}

bool setting_parse(const struct setting *s, const char *text, void *obj, GError **error)
{
	switch (s->type) {
	case SETTING_BOOL:
		return parse_bool(s, text, setting_field(s, obj), error);
	case SETTING_UINT:
	case SETTING_SIZE:
		return parse_number(s, text, setting_field(s, obj), error);
	case SETTING_CHOICE:
		return parse_choice(s, text, setting_field(s, obj), error);
	case SETTING_STRING:
		return parse_string(s, text, setting_field(s, obj), error);
	default:
		g_set_error(error, SETTING_ERROR, 0, "is not a single value");
		return false;
	}
}

char *setting_format(const struct setting *s, const void *obj)
{
	const uint32_t *n = setting_field(s, obj);

	switch (s->type) {
	case SETTING_BOOL:
		return g_strdup(*n ? "true" : "false");
	case SETTING_UINT:
	case SETTING_SIZE:
		return number_format(s, *n);
	case SETTING_CHOICE:
		for (const struct setting_choice *c = s->choices; c->name; c++)
			if (c->value == *n)
				return g_strdup(c->name);
		return NULL;
	case SETTING_STRING:
		return s->secret ? NULL : g_strdup(*(char *const *)setting_field(s, obj));
	default:
		return NULL;
	}
}

bool setting_is_set(const struct setting *s, const void *obj)
{
	const void *f = setting_field(s, obj);
	g_autofree char *name = NULL;

	switch (s->type) {
	case SETTING_UINT:
	case SETTING_SIZE:
		return *(const uint32_t *)f >= s->min && *(const uint32_t *)f <= s->max;
	case SETTING_CHOICE:
		name = setting_format(s, obj);
		return name != NULL;
	case SETTING_STRING:
	case SETTING_NAMES:
	case SETTING_PLUGIN:
		return *(void *const *)f != NULL;
	default:
		return true;
	}
}

void setting_copy(const struct setting *s, const void *from, void *to)
{
	const void *f = setting_field(s, from);
	void *t = setting_field(s, to);
	char *text;

	switch (s->type) {
	case SETTING_STRING:
		text = s->secret ? vault_strdup(*(char *const *)f) : g_strdup(*(char *const *)f);
		if (s->secret)
			vault_free(*(char **)t);
		else
			g_free(*(char **)t);
		*(char **)t = text;
		break;
	case SETTING_NAMES:
	case SETTING_PLUGIN:
		g_strfreev(*(char ***)t);
		*(char ***)t = g_strdupv(*(char **const *)f);
		break;
	default:
		*(uint32_t *)t = *(const uint32_t *)f;
	}
}

/* What a value may be, in words. */
static char *domain(const struct setting *s)
{
	g_autofree char *min = number_format(s, s->min), *max = number_format(s, s->max), *choices = NULL;
	const char *unit = s->unit ? s->unit : "", *space = s->unit ? " " : "";

	switch (s->type) {
	case SETTING_BOOL:
		return g_strdup("A boolean");
	case SETTING_UINT:
		return g_strdup_printf("A number from %s to %s%s%s", min, max, space, unit);
	case SETTING_SIZE:
		return g_strdup_printf("A size from %s to %s%s%s", min, max, space, unit);
	case SETTING_CHOICE:
		choices = choices_format(s);
		return g_strdup_printf("One of %s%s%s", choices, space, unit);
	case SETTING_STRING:
		return g_strdup_printf("A string of up to %s characters", max);
	case SETTING_NAMES:
		return g_strdup("An array of strings");
	case SETTING_PLUGIN:
	case SETTING_GROUP:
		return g_strdup("A group");
	case SETTING_LIST:
		return g_strdup("A list of groups");
	}
	return NULL;
}

char *schema_manual(enum conf_object object)
{
	g_autoptr(GString) text = g_string_new(".Bl -tag -width Ds\n");
	const struct setting *s = NULL;
	void *defaults = schema_new(object);

	while ((s = schema_next(object, s))) {
		g_autofree char *what = domain(s), *value = s->otherwise || s->required ? NULL : setting_format(s, defaults);

		g_string_append_printf(text, ".It Ic %s\n%s\n%s", s->name, s->help, what);
		if (s->required)
			g_string_append(text, "; required");
		else if (s->otherwise || value)
			g_string_append_printf(text, "; default: %s", s->otherwise ? s->otherwise : value);
		g_string_append(text, ".\n");
		if (s->restart)
			g_string_append(text, "A change takes effect at the next start.\n");
	}
	g_string_append(text, ".El\n");
	schema_free(object, defaults);
	return g_string_free(g_steal_pointer(&text), FALSE);
}
