/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include <string.h>
#include "conf-random.h"

/* What a check takes that random letters would not pass. */
static const struct { const char *name; const char *values[3]; } known[] = {
	{ "iqn", { "iqn.2016-09.com.example:a", "eui.0123456789abcdef", "iqn.2016-09.com.example" } },
	{ "domain", { "iscsi", "plugin", "plugin:a-2" } },
	{ "socket", { "off", "/run/x", "/tmp/a \"b\"" } },
	{ "naa", { "30000000000003e8", "2fffffffffffffff", "5000c50012345678" } },
	{ "advertise", { "203.0.113.5", "[2001:db8::1]:860", "san.example.org" } },
	{ "address", { "127.0.0.1", "::1", "192.0.2.1" } },
};

static char *text(const struct setting *s)
{
	static const char letters[] = "abc XYZ09-.:\"\\{}()[];=#/\t\n%$";
	size_t len = s->min + (size_t)g_test_rand_int_range(0, (int)MIN(s->max - s->min, 40) + 1);
	char *out = g_malloc0(len + 1);

	for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
		if (g_str_equal(known[i].name, s->name)) {
			g_free(out);
			return g_strdup(known[i].values[g_test_rand_int_range(0, 3)]);
		}
	for (size_t i = 0; i < len; i++)
		out[i] = letters[g_test_rand_int_range(0, sizeof letters - 1)];
	return out;
}

static char **names(unsigned n, bool pairs)
{
	char **out = g_new0(char *, n + 1);

	for (unsigned i = 0; i < n; i++)
		out[i] = pairs && i % 2 == 0 ? g_strdup_printf("name-%u", i) : g_strdup_printf("v \"%d\"", g_test_rand_int());
	return out;
}

static void fill_string(const struct setting *s, void *obj)
{
	g_autofree char *t = text(s);

	/* A text its check does not take is none: then another. */
	for (unsigned tries = 0; !setting_parse(s, t, obj, NULL); tries++) {
		g_assert_cmpuint(tries, <, 1000);
		g_free(t);
		t = text(s);
	}
}

static void fill_object(enum conf_object object, void *obj);

static void fill(const struct setting *s, void *obj)
{
	void *f = setting_field(s, obj);
	unsigned n = 0;

	switch (s->type) {
	case SETTING_BOOL:
		*(uint32_t *)f = g_test_rand_bit();
		break;
	case SETTING_UINT:
	case SETTING_SIZE:
		*(uint32_t *)f = (uint32_t)(s->min + (uint64_t)(g_test_rand_double() * (double)(s->max - s->min)));
		break;
	case SETTING_CHOICE:
		while (s->choices[n].name)
			n++;
		*(uint32_t *)f = s->choices[g_test_rand_int_range(0, (int)n)].value;
		break;
	case SETTING_STRING:
		fill_string(s, obj);
		break;
	case SETTING_NAMES:
		*(char ***)f = names((unsigned)g_test_rand_int_range(1, 4), false);
		break;
	case SETTING_PLUGIN:
		*(char ***)f = names(2 * (unsigned)g_test_rand_int_range(0, 4), true);
		break;
	case SETTING_GROUP:
		fill_object(s->child, f);
		break;
	case SETTING_LIST:
		for (n = (unsigned)g_test_rand_int_range(0, 4); n--; ) {
			void *child = schema_new(s->child);

			fill_object(s->child, child);
			g_ptr_array_add(*(GPtrArray **)f, child);
		}
		break;
	}
}

static void fill_object(enum conf_object object, void *obj)
{
	const struct setting *s = NULL;

	while ((s = schema_next(object, s)))
		if (s->required || g_test_rand_bit())
			fill(s, obj);
}

struct conf *conf_random(void)
{
	struct conf *c = conf_new();

	fill_object(CONF_TOP, c);
	return c;
}
