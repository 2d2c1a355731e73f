/* SPDX-License-Identifier: Apache-2.0 */
/* kind.c - the kinds of objects, and options from the rows of the schema. */
#include "config.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cli/kind.h"
#include "config/json.h"
#include "config/place.h"

#define SECRET_MAX 4096

/* What can be done to an object that a configuration has. */
#define ALL (KIND_LIST | KIND_SHOW | KIND_CREATE | KIND_SET | KIND_RM | KIND_FORCE)
#define COLUMNS(...) (const struct kind_column[]){ __VA_ARGS__, { NULL } }

const struct kind kinds[] = {
	{ "target", ALL, "/v1/targets", NULL, CONF_TARGET, "name",
	  "/v1/status", "targets", NULL,
	  COLUMNS({ "TARGET NAME", "iqn" }, { "STATE", "state" }, { "SESSIONS", "sessions" }) },
	{ "lu", ALL, NULL, "luns", CONF_LUN, "number",
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
		  { "ADDRESSES", "addresses" }, { "PORTALS", "portals" }, { "READ-ONLY", "read-only" }) },
	{ "session", KIND_LIST | KIND_SHOW | KIND_RM, "/v1/sessions", NULL, CONF_TOP, "tsih", "/v1/sessions", NULL, NULL,
	  COLUMNS({ "TSIH", "tsih" }, { "TARGET NAME", "target" }, { "INITIATOR", "initiator" }, { "PEER", "peer" },
		  { "CONNECTIONS", "connections" }, { "COMMANDS", "commands" }) },
	{ "plugin", KIND_LIST, "/v1/plugins", NULL, CONF_TOP, NULL, "/v1/plugins", NULL, NULL,
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

/* An option, and where its value goes: group.row, or row. */
struct kind_row {
	const struct setting *group, *row;	/* group NULL: of the object itself */
	char *option, *value;
	const char *help;
};

static void row_free(gpointer data)
{
	struct kind_row *r = data;

	g_free(r->option);
	g_free(r->value);
	g_free(r);
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
	e.arg_description = s->secret ? "FILE" : s->type == SETTING_BOOL ? "yes|no" :
			    s->type == SETTING_NAMES ? "NAME,..." : "VALUE";
	g_array_append_val(o->entries, e);
	g_ptr_array_add(o->rows, r);
}

static void add_rows(struct kind_options *o, const struct kind *k, const struct setting *group, enum conf_object object)
{
	const struct setting *s = NULL;

	while ((s = schema_next(object, s)))
		if (s->type == SETTING_GROUP && !group)
			add_rows(o, k, s, s->child);
		else if (s->type != SETTING_LIST && s->type != SETTING_GROUP && s->type != SETTING_PLUGIN &&
			 (group || s != place_key_row(object)))	/* the key has its own */
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

/* ---- documents ---- */

/* A file's text without the newline at its end, "-" standard input; to be wiped. */
static char *read_secret(const char *path, GError **error)
{
	char *text = NULL;
	gsize len;

	if (!g_str_equal(path, "-")) {
		if (!g_file_get_contents(path, &text, &len, error))
			return NULL;
	} else {
		text = g_malloc0(SECRET_MAX);
		if (!fgets(text, SECRET_MAX, stdin))
			*text = '\0';
	}
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static JsonNode *names_node(const char *text)
{
	g_auto(GStrv) names = g_strsplit(text, ",", -1);
	JsonArray *array = json_array_new();

	for (char **name = names; *name; name++)
		json_array_add_string_element(array, g_strstrip(*name));
	return json_of_array(array);
}

/* Parsed here too, so that a wrong one is known before anything is asked. */
static JsonNode *value_node(const struct kind_row *r, GError **error)
{
	enum conf_object object = r->row->object;
	JsonNode *node = NULL;
	void *scratch;
	uint32_t n;

	if (r->row->type == SETTING_NAMES)
		return names_node(r->value);
	scratch = schema_new(object);
	if (setting_parse(r->row, r->value, scratch, error)) {
		memcpy(&n, setting_field(r->row, scratch), sizeof n);
		node = json_node_alloc();
		if (r->row->type == SETTING_UINT)
			json_node_init_int(node, n);
		else if (r->row->type == SETTING_BOOL)
			json_node_init_boolean(node, n != 0);
		else
			json_node_init_string(node, r->value);
	}
	schema_free(object, scratch);
	return node;
}

static JsonObject *part(JsonObject *o, const char *name)
{
	if (!json_object_has_member(o, name))
		json_object_set_object_member(o, name, json_object_new());
	return json_object_get_object_member(o, name);
}

static bool add_value(const struct command *cmd, const struct kind_row *r, JsonObject *doc)
{
	JsonObject *o = r->group ? part(doc, r->group->name) : doc;
	g_autoptr(GError) error = NULL;
	JsonNode *node = NULL;
	char *secret;

	if (r->row->secret) {
		secret = read_secret(r->value, &error);
		if (secret) {
			node = json_node_init_string(json_node_alloc(), secret);
			explicit_bzero(secret, strlen(secret));
			g_free(secret);
		}
	} else {
		node = value_node(r, &error);
	}
	if (error)
		cli_usage(cmd, "--%s: %s", r->option, error->message);
	else
		json_object_set_member(o, r->row->name, node);
	return !error;
}

static bool add_pairs(const struct command *cmd, char **settings, JsonObject *doc)
{
	for (char **pair = settings; pair && *pair; pair++) {
		char *equals = strchr(*pair, '=');

		if (!equals) {
			cli_usage(cmd, "--setting %s: expected KEY=VALUE", *pair);
			return false;
		}
		*equals = '\0';
		json_object_set_string_member(part(doc, "settings"), *pair, equals + 1);
	}
	return true;
}

/* A secret is called as in the file there. */
static const struct kind_row *row_called(const struct kind_options *o, const char *name)
{
	for (unsigned i = 0; i < o->rows->len; i++) {
		const struct kind_row *r = o->rows->pdata[i];

		if (g_str_equal(r->row->secret ? r->row->name : r->option, name))
			return r;
	}
	return NULL;
}

/* By the names of options, and those of the plugin's own. */
static bool add_unset(const struct command *cmd, const struct kind *k, const struct kind_options *o, JsonObject *doc)
{
	for (char **name = o->unset; name && *name; name++) {
		const struct kind_row *found = row_called(o, *name);

		if (!found && k->object != CONF_LUN) {
			cli_usage(cmd, "--unset %s: no such setting", *name);
			return false;
		}
		if (found)
			json_object_set_null_member(found->group ? part(doc, found->group->name) : doc, found->row->name);
		else
			json_object_set_null_member(part(doc, "settings"), *name);
	}
	return true;
}

JsonNode *kind_document(const struct command *cmd, const struct kind *k, const struct kind_options *o)
{
	JsonObject *doc = json_object_new();
	bool ok = true;

	for (unsigned i = 0; i < o->rows->len && ok; i++) {
		const struct kind_row *r = o->rows->pdata[i];

		ok = !r->value || add_value(cmd, r, doc);
	}
	if (ok && add_pairs(cmd, o->settings, doc) && add_unset(cmd, k, o, doc))
		return json_of_object(doc);
	json_object_unref(doc);
	return NULL;
}
