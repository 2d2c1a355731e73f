/* SPDX-License-Identifier: Apache-2.0 */
/* kind.c - the kinds of objects, and options from the rows of the schema. */
#include "config.h"
#include "cli/kind.h"
#include "config/place.h"

/* What can be done to an object that a configuration has. */
#define ALL (KIND_LIST | KIND_SHOW | KIND_CREATE | KIND_SET | KIND_RM)
#define COLUMNS(...) (const struct kind_column[]){ __VA_ARGS__, { NULL } }

const struct kind kinds[] = {
	{ "target", ALL | KIND_FORCE, "/v1/targets", NULL, CONF_TARGET, "name",
	  "/v1/status", "targets", NULL,
	  COLUMNS({ "TARGET NAME", "iqn" }, { "STATE", "state" }, { "SESSIONS", "sessions" }) },
	{ "lu", ALL | KIND_FORCE, NULL, "luns", CONF_LUN, "number",
	  "/v1/status", "targets", "luns",
	  COLUMNS({ "TARGET NAME", "target" }, { "LUN", "number" }, { "PLUGIN", "plugin" }, { "STATE", "state" },
		  { "SIZE", "size" }) },
	{ "portal", ALL, "/v1/portals", NULL, CONF_PORTAL, "name",
	  "/v1/status", "portals", NULL,
	  COLUMNS({ "NAME", "name" }, { "ADDRESS", "address" }, { "PORT", "port" }, { "LISTENING", "listening" }) },
	{ "port-group", ALL, NULL, "port-groups", CONF_GROUP, "tag",
	  "/v1/targets", NULL, "port-groups",
	  COLUMNS({ "TARGET NAME", "target" }, { "TAG", "tag" }, { "STATE", "state" }, { "PORTALS", "portals" }) },
	{ "account", ALL, NULL, "accounts", CONF_ACCOUNT, "user",
	  "/v1/accounts", NULL, NULL,
	  COLUMNS({ "TARGET NAME", "target" }, { "USER", "user" }, { "MUTUAL USER", "mutual-user" }) },
	{ "acl", ALL, NULL, "acls", CONF_ACL, "place", "/v1/targets", NULL, "acls",
	  COLUMNS({ "TARGET NAME", "target" }, { "PLACE", "place" }, { "INITIATORS", "initiators" },
		  { "ADDRESSES", "addresses" }, { "PORTALS", "portals" }, { "READ-ONLY", "read-only" }, { "LUNS", "luns" }) },
	{ "session", KIND_LIST | KIND_SHOW | KIND_RM, "/v1/sessions", NULL, CONF_TOP, "tsih", "/v1/sessions", NULL, NULL,
	  COLUMNS({ "TSIH", "tsih" }, { "TARGET NAME", "target" }, { "INITIATOR", "initiator" }, { "PEER", "peer" },
		  { "CONNECTIONS", "connections" }, { "COMMANDS", "commands" }) },
	{ "plugin", KIND_LIST | KIND_SHOW, NULL, NULL, CONF_TOP, "name", "/v1/plugins", NULL, NULL,
	  COLUMNS({ "NAME", "name" }, { "VERSION", "version" }, { "DESCRIPTION", "description" }) },
	{ .name = NULL },
};

const struct kind *kind_find(const char *name, unsigned verb)
{
	for (const struct kind *k = kinds; k->name; k++)
		if (k->verbs & verb && g_str_equal(k->name, name))
			return k;
	return NULL;
}

char *kind_names(unsigned verb)
{
	GString *names = g_string_new(NULL);
	const char *last = NULL;

	for (const struct kind *k = kinds; k->name; k++) {
		if (!(k->verbs & verb))
			continue;
		if (last)
			g_string_append_printf(names, "%s%s", names->len ? ", " : "", last);
		last = k->name;
	}
	/* NOLINTNEXTLINE(nullPointer): every verb has kinds */
	g_string_append_printf(names, " or %s", last);
	return g_string_free(names, FALSE);
}

/* ---- options ---- */

static void row_free(gpointer data)
{
	struct kind_row *r = data;

	g_free(r->option);
	g_free(r->value);
	g_free(r->form);
	g_free(r);
}

/* "NUMBER:LUN[:read-only],...": those that must be, then what can be said with one word. */
static char *list_form(enum conf_object object)
{
	g_autoptr(GString) form = g_string_new(NULL);
	const struct setting *s = NULL;

	while ((s = schema_next(object, s))) {
		g_autofree char *name = g_ascii_strup(s->name, -1);

		if (s->required)
			g_string_append_printf(form, "%s%s", form->len ? ":" : "", name);
		else if (s->type == SETTING_BOOL)
			g_string_append_printf(form, "[:%s]", s->name);
	}
	return g_strdup_printf("%s,...", form->str);
}

static char *choices_form(const struct setting_choice *choices)
{
	GString *form = g_string_new(NULL);

	for (const struct setting_choice *c = choices; c->name; c++)
		g_string_append_printf(form, "%s%s", form->len ? "|" : "", c->name);
	return g_string_free(form, FALSE);
}

static char *row_form(const struct setting *s)
{
	if (s->type == SETTING_LIST)
		return list_form(s->child);
	if (s->type == SETTING_CHOICE)
		return choices_form(s->choices);
	return g_strdup(s->secret ? "FILE" : s->type == SETTING_BOOL ? "yes|no" : s->type == SETTING_NAMES ? "NAME,..." :
			"VALUE");
}

/* A secret is not for a command line that others can see. */
static void add_row(struct kind_options *o, const struct setting *group, const struct setting *s)
{
	struct kind_row *r = g_new0(struct kind_row, 1);
	GOptionEntry e = { 0 };

	r->group = group;
	r->row = s;
	r->option = g_strconcat(group ? group->name : "", group ? "-" : "", s->name, s->secret ? "-from" : "", NULL);
	e.long_name = r->option;
	e.arg = s->secret ? G_OPTION_ARG_FILENAME : G_OPTION_ARG_STRING;
	e.arg_data = &r->value;
	e.description = s->help;
	e.arg_description = r->form = row_form(s);
	g_array_append_val(o->entries, e);
	g_ptr_array_add(o->rows, r);
}

/* A list of what is no kind of its own is an option of what it is in. */
static bool is_kind(enum conf_object object)
{
	for (const struct kind *k = kinds; k->name; k++)
		if (k->object == object)
			return true;
	return false;
}

static bool is_option(const struct kind *k, const struct setting *group, const struct setting *s)
{
	if (s->type == SETTING_GROUP || s->type == SETTING_PLUGIN || (s->type == SETTING_LIST && is_kind(s->child)))
		return false;
	return group || s != place_key_row(k->object);	/* the key has its own */
}

static void add_rows(struct kind_options *o, const struct kind *k, const struct setting *group, enum conf_object object)
{
	const struct setting *s = NULL;

	while ((s = schema_next(object, s)))
		if (s->type == SETTING_GROUP && !group)
			add_rows(o, k, s, s->child);
		else if (is_option(k, group, s))
			add_row(o, group, s);
}

struct kind_options *kind_options_new(const struct kind *k)
{
	struct kind_options *o = g_new0(struct kind_options, 1);
	const GOptionEntry settings = {
		"setting", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o->settings, "Setting of the plugin", "KEY=VALUE",
	};
	const GOptionEntry unset = {
		"unset", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o->unset, "Make a setting its default", "NAME",
	};

	o->entries = g_array_new(FALSE, FALSE, sizeof(GOptionEntry));
	o->rows = g_ptr_array_new_with_free_func(row_free);
	add_rows(o, k, NULL, k->object);
	if (k->object == CONF_LUN)
		g_array_append_val(o->entries, settings);
	g_array_append_val(o->entries, unset);
	return o;
}

void kind_options_free(struct kind_options *o)
{
	if (!o)
		return;
	g_array_unref(o->entries);
	g_ptr_array_unref(o->rows);
	g_strfreev(o->settings);
	g_strfreev(o->unset);
	g_free(o);
}
