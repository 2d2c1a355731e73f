/* SPDX-License-Identifier: Apache-2.0 */
/* verbs.c - list, show, create, set and rm of a running daemon's objects. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/client.h"
#include "cli/kind.h"
#include "config/json.h"
#include "config/place.h"

struct call;

struct verb {
	const char *name, *summary;
	unsigned bit;
	int (*run)(struct call *call);
};

/* A verb, a kind, and what was given with them. */
struct call {
	struct command cmd;	/* "create target", for messages */
	const struct kind *kind;
	const struct verb *verb;
	struct kind_options *options;	/* create and set, or NULL */
	char *host, *target, *key;
	gboolean json, force;
	char **args;
	struct client *client;
	char *texts[4];		/* of cmd, and of options */
};

enum { TEXT_NAME, TEXT_SUMMARY, TEXT_ARGUMENTS, TEXT_KEY };

/* ---- paths ---- */

static char *escape(const char *text)
{
	return g_uri_escape_string(text, ":", FALSE);
}

/* NULL: what it lacks has been said. */
static char *list_path(struct call *c)
{
	g_autofree char *target = c->target ? escape(c->target) : NULL;

	if (!c->kind->below)
		return g_strdup(c->kind->path);
	/* Discovery's accounts are in no target. */
	if (c->kind->object == CONF_ACCOUNT && c->target && g_str_equal(c->target, "discovery"))
		return g_strdup("/v1/discovery/accounts");
	if (target)
		return g_strdup_printf("/v1/targets/%s/%s", target, c->kind->below);
	cli_usage(&c->cmd, "--target is missing");
	return NULL;
}

/* By its option or as an argument.  NULL: that has been said. */
static const char *key_of(struct call *c)
{
	const char *name = c->key ? c->key : *c->args;

	if (name && !(c->key && *c->args))
		return name;
	if (name)
		cli_usage(&c->cmd, "unexpected argument \"%s\"", *c->args);
	else
		cli_usage(&c->cmd, "--%s is missing", c->kind->key);
	return NULL;
}

static char *element_path(struct call *c)
{
	g_autofree char *list = list_path(c), *key = NULL;
	const char *name = list ? key_of(c) : NULL;

	if (!name)
		return NULL;
	key = escape(name);
	return g_strdup_printf("%s/%s", list, key);
}

/* ---- verbs ---- */

static bool is_wanted(const struct call *c, JsonObject *row)
{
	const struct kind_column *first = c->kind->columns;
	const char *target = json_object_get_string_member_with_default(row, "target", NULL);

	if (c->target && c->kind->below && g_strcmp0(target, c->target) != 0)
		return false;
	return !c->key || g_strcmp0(json_object_get_string_member_with_default(row, first->member, NULL), c->key) == 0;
}

static JsonArray *rows_of(const struct call *c, JsonNode *answer)
{
	JsonArray *all = kind_rows(c->kind, answer), *rows = json_array_new();

	for (unsigned i = 0; i < json_array_get_length(all); i++)
		if (is_wanted(c, json_array_get_object_element(all, i)))
			json_array_add_element(rows, json_node_copy(json_array_get_element(all, i)));
	json_array_unref(all);
	return rows;
}

/* A list of what is in a target, or of one target, can be empty only where there is that.  False: that has been said. */
static bool is_there(struct call *c, int *status)
{
	bool of_one = c->kind->path && c->key;
	g_autofree char *path = of_one ? element_path(c) : c->target ? list_path(c) : NULL;
	JsonNode *answer;

	if (!path)
		return true;
	if (!client_ask(c->client, "GET", path, NULL, &answer, status))
		return false;
	json_node_unref(answer);
	return true;
}

static int run_list(struct call *c)
{
	JsonNode *answer, *all;
	int status;

	if (!client_ask(c->client, "GET", c->kind->from, NULL, &answer, &status))
		return status;
	all = json_of_array(rows_of(c, answer));
	if (!json_array_get_length(json_node_get_array(all)) && !is_there(c, &status)) {
		json_node_unref(all);
		json_node_unref(answer);
		return status;
	}
	if (c->json)
		kind_print_json(all);
	else
		kind_print(c->kind, json_node_get_array(all));
	json_node_unref(all);
	json_node_unref(answer);
	return EXIT_SUCCESS;
}

/* Of a kind whose objects have no path of their own.  NULL: there is none, which has been said. */
static JsonNode *find_listed(struct call *c, const char *name, int *status)
{
	g_autoptr(JsonNode) answer = NULL;
	JsonNode *found = NULL;
	JsonArray *rows;

	if (!client_ask(c->client, "GET", c->kind->from, NULL, &answer, status))
		return NULL;
	g_free(c->key);
	c->key = g_strdup(name);
	rows = rows_of(c, answer);
	if (json_array_get_length(rows))
		found = json_node_ref(json_array_get_element(rows, 0));
	else
		cli_complain(&c->cmd, "there is no %s %s", c->kind->name, name);
	json_array_unref(rows);
	*status = EXIT_NOT_FOUND;
	return found;
}

static JsonNode *ask_for_one(struct call *c, int *status)
{
	bool listed = !c->kind->path && !c->kind->below;
	g_autofree char *name = listed ? g_strdup(key_of(c)) : NULL, *path = listed ? NULL : element_path(c);
	JsonNode *answer = NULL;

	*status = EXIT_USAGE;
	if (name)
		return find_listed(c, name, status);
	if (path && client_ask(c->client, "GET", path, NULL, &answer, status))
		return answer;
	return NULL;
}

static int run_show(struct call *c)
{
	int status;
	JsonNode *answer = ask_for_one(c, &status);

	if (!answer)
		return status;
	if (c->json)
		kind_print_json(answer);
	else
		kind_print_one(answer);
	json_node_unref(answer);
	return EXIT_SUCCESS;
}

/* Of what was made or changed nothing is printed but for programs. */
static int send_call(struct call *c, const char *method, const char *path, JsonNode *body)
{
	JsonNode *answer;
	int status;

	if (!client_ask(c->client, method, path, body, &answer, &status))
		return status;
	if (c->json && answer)
		kind_print_json(answer);
	if (answer)
		json_node_unref(answer);
	return EXIT_SUCCESS;
}

/* Whatever daemon there is would say the same of it. */
static bool key_is_right(const struct call *c, const struct setting *key, const char *text)
{
	void *scratch = schema_new(c->kind->object);
	g_autoptr(GError) error = NULL;
	bool ok = setting_parse(key, text, scratch, &error);

	schema_free(c->kind->object, scratch);
	if (!ok)
		cli_usage(&c->cmd, "%s: %s", key->name, error->message);
	return ok;
}

/* A number, where the key is one. */
static void set_key(JsonNode *body, const struct setting *key, const char *text)
{
	JsonObject *o = json_node_get_object(body);
	guint64 n;

	if (key->type == SETTING_UINT && g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32, &n, NULL))
		json_object_set_int_member(o, key->name, (gint64)n);
	else
		json_object_set_string_member(o, key->name, text);
}

/* Where no option has said, ADDRESS[:PORT] as serve has it is what it is named. */
static bool portal_of_name(struct call *c, JsonNode *body)
{
	JsonObject *o = json_node_get_object(body);
	g_autoptr(GError) error = NULL;
	struct conf_portal *p;
	bool ok;

	if (c->kind->object != CONF_PORTAL || c->key || !*c->args || json_object_has_member(o, "address"))
		return true;
	p = schema_new(CONF_PORTAL);
	ok = conf_portal_parse(*c->args, p, &error);
	if (ok) {
		json_object_remove_member(o, "name");
		json_object_set_string_member(o, "address", p->address);
	}
	if (ok && !json_object_has_member(o, "port"))
		json_object_set_int_member(o, "port", p->port);
	schema_free(CONF_PORTAL, p);
	if (!ok)
		cli_usage(&c->cmd, "--address is missing, and the name is not one: %s", error->message);
	return ok;
}

static int run_create(struct call *c)
{
	const struct setting *key = place_key_row(c->kind->object);
	bool nameless = !key || (c->kind->object == CONF_PORTAL && !c->key && !*c->args);
	g_autofree char *path = list_path(c);
	const char *name = nameless || !path ? NULL : key_of(c);
	JsonNode *body = path && (name || nameless) ? kind_document(&c->cmd, c->kind, c->options) : NULL;

	if (!body)
		return EXIT_USAGE;
	if (name && !key_is_right(c, key, name)) {
		json_node_unref(body);
		return EXIT_USAGE;
	}
	if (name)
		set_key(body, key, name);
	if (portal_of_name(c, body))
		return send_call(c, "POST", path, body);
	json_node_unref(body);
	return EXIT_USAGE;
}

static int run_set(struct call *c)
{
	g_autofree char *path = element_path(c), *at = g_strconcat(path ? path : "", c->force ? "?force=1" : "", NULL);
	JsonNode *body = path ? kind_document(&c->cmd, c->kind, c->options) : NULL;

	if (!body)
		return EXIT_USAGE;
	if (json_object_get_size(json_node_get_object(body)))
		return send_call(c, "PATCH", at, body);
	json_node_unref(body);
	return cli_usage(&c->cmd, "no setting is given");
}

static int run_rm(struct call *c)
{
	g_autofree char *path = element_path(c), *at = g_strconcat(path ? path : "", c->force ? "?force=1" : "", NULL);

	return path ? send_call(c, "DELETE", at, NULL) : EXIT_USAGE;
}

static const struct verb verbs[] = {
	{ "list", "List each", KIND_LIST, run_list },
	{ "show", "Show one", KIND_SHOW, run_show },
	{ "create", "Create one", KIND_CREATE, run_create },
	{ "set", "Change settings of one", KIND_SET, run_set },
	{ "rm", "Remove one", KIND_RM, run_rm },
};

static const struct verb *verb_find(const char *name)
{
	const struct verb *v = verbs;

	while (!g_str_equal(v->name, name))
		v++;
	return v;
}

unsigned verb_bit(const char *name)
{
	return verb_find(name)->bit;
}

/* ---- options ---- */

static void add(GArray *entries, bool wanted, GOptionEntry e)
{
	if (wanted)
		g_array_append_val(entries, e);
}

static bool parse(struct call *c, int argc, char **argv)
{
	const struct kind *k = c->kind;
	unsigned bit = c->verb->bit;
	const GOptionEntry host = { "host", 0, 0, G_OPTION_ARG_STRING, &c->host, CLIENT_HOST_HELP, "URL" };
	const GOptionEntry remote[] = { CLIENT_OPTIONS };
	const GOptionEntry json = { "json", 'j', 0, G_OPTION_ARG_NONE, &c->json, "Print JSON", NULL };
	const GOptionEntry key = { k->key, 0, 0, G_OPTION_ARG_STRING, &c->key, "Which one", c->texts[TEXT_KEY] };
	const GOptionEntry target = { "target", 't', 0, G_OPTION_ARG_STRING, &c->target, "Of which target", "IQN" };
	const GOptionEntry force = {
		"force", 'f', 0, G_OPTION_ARG_NONE, &c->force, "Also when it is in use: that is ended", NULL,
	};
	g_autoptr(GArray) entries = g_array_new(TRUE, FALSE, sizeof(GOptionEntry));

	add(entries, true, host);
	g_array_append_vals(entries, remote, G_N_ELEMENTS(remote));
	add(entries, true, json);
	add(entries, k->key && (bit != KIND_LIST || k->object == CONF_TARGET) &&
	    (bit != KIND_CREATE || place_key_row(k->object)), key);
	add(entries, k->below, target);
	add(entries, k->verbs & KIND_FORCE && bit & (KIND_RM | KIND_SET), force);
	if (bit & (KIND_CREATE | KIND_SET)) {
		c->options = kind_options_new(k);
		g_array_append_vals(entries, c->options->entries->data, c->options->entries->len);
	}
	return cli_options(&c->cmd, (const GOptionEntry *)(void *)entries->data, argc, argv, &c->args);
}

/* "gotgt list": what it can be said of. */
static int without_kind(const struct command *cmd, const struct verb *v, int argc, char **argv)
{
	g_autofree char *names = kind_names(v->bit);
	struct command general = *cmd;
	g_autofree char *summary = g_strdup_printf("%s: KIND is %s.  gotgt %s KIND --help says more.", cmd->summary,
						   names, cmd->name);
	const GOptionEntry none[] = { { NULL } };
	g_auto(GStrv) args = NULL;

	general.summary = summary;
	if (argc > 1 && *argv[1] == '-' && !cli_options(&general, none, argc, argv, &args))
		return EXIT_USAGE;
	if (argc < 2)
		return cli_usage(cmd, "expected %s", names);
	if (kind_find(argv[1], ~0u))
		return cli_usage(cmd, "not for %s, only for %s", argv[1], names);
	return cli_usage(cmd, "no kind \"%s\": expected %s", argv[1], names);
}

/* Its name is an argument, too, where it can have one. */
static void describe(struct call *c, const struct verb *v)
{
	const struct kind *k = c->kind;
	bool named = k->key && v->bit != KIND_LIST && (v->bit != KIND_CREATE || place_key_row(k->object));

	c->verb = v;
	c->texts[TEXT_NAME] = g_strdup_printf("%s %s", v->name, k->name);
	c->texts[TEXT_SUMMARY] = g_strdup_printf("%s of a running daemon: %s", v->summary, k->name);
	c->texts[TEXT_KEY] = k->key ? g_ascii_strup(k->key, -1) : NULL;
	c->texts[TEXT_ARGUMENTS] = named ? g_strdup_printf("[%s]", c->texts[TEXT_KEY]) : NULL;
	c->cmd = (struct command){ .name = c->texts[TEXT_NAME], .arguments = c->texts[TEXT_ARGUMENTS],
				   .summary = c->texts[TEXT_SUMMARY], .max_args = named };
}

int cmd_verb(const struct command *cmd, int argc, char **argv)
{
	const struct verb *v = verb_find(cmd->name);
	struct call c = { 0 };
	int status = EXIT_USAGE;

	c.kind = argc > 1 ? kind_find(argv[1], v->bit) : NULL;
	if (!c.kind)
		return without_kind(cmd, v, argc, argv);
	describe(&c, v);
	if (parse(&c, argc - 1, argv + 1) && (c.client = client_new(&c.cmd, c.host)))
		status = v->run(&c);
	client_free(c.client);
	kind_options_free(c.options);
	g_strfreev(c.args);
	g_free(c.host);
	g_free(c.target);
	g_free(c.key);
	for (size_t i = 0; i < G_N_ELEMENTS(c.texts); i++)
		g_free(c.texts[i]);
	return status;
}
