/* SPDX-License-Identifier: Apache-2.0 */
/* whole.c - apply, save and log-level: what concerns a running daemon as a whole. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/client.h"
#include "cli/kind.h"
#include "config/import.h"
#include "config/json.h"
#include "config/plugins.h"

struct whole {
	char *host;
	gboolean dry_run, json;
	char **args;
	struct client *client;
};

static bool begin(const struct command *cmd, struct whole *w, const GOptionEntry *own, int argc, char **argv)
{
	const GOptionEntry common[] = {
		{ "host", 0, 0, G_OPTION_ARG_STRING, &w->host, CLIENT_HOST_HELP, "URL" },
		CLIENT_OPTIONS,
		{ "json", 'j', 0, G_OPTION_ARG_NONE, &w->json, "Print JSON", NULL },
	};
	g_autoptr(GArray) entries = g_array_new(TRUE, FALSE, sizeof(GOptionEntry));

	g_array_append_vals(entries, common, G_N_ELEMENTS(common));
	if (own)
		g_array_append_vals(entries, own, 1);
	return cli_options(cmd, (const GOptionEntry *)(void *)entries->data, argc, argv, &w->args) &&
	       (w->client = client_new(cmd, w->host));
}

static void end(struct whole *w)
{
	client_free(w->client);
	g_strfreev(w->args);
	g_free(w->host);
}

/* ---- apply ---- */

static JsonNode *read_json(const struct command *cmd, const char *path, const char *text)
{
	g_autoptr(GPtrArray) wrongs = wrongs_new();
	JsonNode *node = json_read(text, strlen(text), wrongs);

	if (!node)
		cli_complain(cmd, "%s: %s", path, ((struct wrong *)wrongs->pdata[0])->reason);
	return node;
}

static JsonNode *read_conf(const struct command *cmd, const char *path)
{
	g_autoptr(GPtrArray) errors = conf_errors_new();
	struct conf *conf = conf_read(path, errors);
	JsonNode *node = conf ? conf_to_json(CONF_TOP, conf, NULL) : NULL;

	for (unsigned i = 0; i < errors->len; i++)
		cli_complain(cmd, "%s", (char *)errors->pdata[i]);
	if (node && !conf->has_targets)		/* the daemon knows whether that would end any */
		json_object_remove_member(json_node_get_object(node), "targets");
	conf_free(conf);
	return node;
}

/* The configuration of gotgt in Go, as a document of ours. */
static JsonNode *read_go(const struct command *cmd, const char *path)
{
	g_auto(GStrv) dirs = plugins_dirs(NULL);
	const struct import_options o = { (const char *const *)dirs, -1 };
	g_autoptr(GPtrArray) errors = conf_errors_new(), warnings = conf_errors_new();
	struct conf *conf = import_read(path, &o, errors, warnings);
	JsonNode *node = conf ? conf_to_json(CONF_TOP, conf, NULL) : NULL;

	for (unsigned i = 0; i < errors->len; i++)
		cli_complain(cmd, "%s", (char *)errors->pdata[i]);
	for (unsigned i = 0; i < warnings->len; i++)
		cli_complain(cmd, "warning: %s", (char *)warnings->pdata[i]);
	conf_free(conf);
	return node;
}

/* What gotgt.conf(5) describes, a document of /v1/config, or what gotgt in Go reads. */
static JsonNode *read_any(const struct command *cmd, const char *path)
{
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	JsonNode *node;

	if (!g_file_get_contents(path, &text, NULL, &error)) {
		cli_complain(cmd, "%s", error->message);
		return NULL;
	}
	if (text[strspn(text, " \t\r\n")] != '{')
		return read_conf(cmd, path);
	node = read_json(cmd, path, text);
	if (!node || !import_is_go(node))
		return node;
	json_node_unref(node);
	return read_go(cmd, path);
}

static const char *text_of(JsonObject *o, const char *name)
{
	return json_object_get_string_member_with_default(o, name, NULL);
}

static void print_plan(JsonNode *plan)
{
	static const struct { const char *op, *sign; } signs[] = { { "add", "+" }, { "remove", "-" }, { "set", "~" } };
	JsonArray *changes = json_object_get_array_member(json_node_get_object(plan), "changes");

	for (unsigned i = 0; i < json_array_get_length(changes); i++) {
		JsonObject *o = json_array_get_object_element(changes, i);
		const char *from = text_of(o, "from"), *to = text_of(o, "to"), *sign = "";

		for (size_t j = 0; j < G_N_ELEMENTS(signs); j++)
			if (g_strcmp0(signs[j].op, text_of(o, "op")) == 0)
				sign = signs[j].sign;
		printf("%s %s", sign, text_of(o, "path"));
		if (from || to)
			printf(": %s -> %s", from ? from : "(unset)", to ? to : "(unset)");
		printf("%s\n", json_object_get_boolean_member(o, "restart") ? " (at the next start)" : "");
	}
}

/* First the plan: it is what is printed, and a wrong file has been told of before anything changes. */
static int apply(const struct command *cmd, struct whole *w)
{
	JsonNode *doc = read_any(cmd, *w->args), *plan, *answer;
	int status = EXIT_FAILURE;

	if (!doc || !client_ask(w->client, "PUT", "/v1/config?dry_run=1", json_node_ref(doc), &plan, &status)) {
		g_clear_pointer(&doc, json_node_unref);
		return status;
	}
	if (w->dry_run)
		json_node_unref(doc);
	else if (client_ask(w->client, "PUT", "/v1/config", doc, &answer, &status))
		json_node_unref(answer);
	else
		g_clear_pointer(&plan, json_node_unref);
	if (!plan)
		return status;
	if (w->json)
		kind_print_json(plan);
	else
		print_plan(plan);
	json_node_unref(plan);
	return EXIT_SUCCESS;
}

int cmd_apply(const struct command *cmd, int argc, char **argv)
{
	struct whole w = { 0 };
	const GOptionEntry own[] = {
		{ "dry-run", 'n', 0, G_OPTION_ARG_NONE, &w.dry_run, "Tell what would change, and change nothing", NULL },
	};
	int status = begin(cmd, &w, own, argc, argv) ? apply(cmd, &w) : EXIT_USAGE;

	end(&w);
	return status;
}

/* ---- save ---- */

static int save(struct whole *w)
{
	JsonObject *o = *w->args ? json_object_new() : NULL;
	JsonNode *answer;
	int status;

	if (o)
		json_object_set_string_member(o, "name", *w->args);
	if (!client_ask(w->client, "POST", "/v1/config/save", o ? json_of_object(o) : NULL, &answer, &status))
		return status;
	if (w->json)
		kind_print_json(answer);
	else
		printf("%s\n", text_of(json_node_get_object(answer), "path"));
	json_node_unref(answer);
	return EXIT_SUCCESS;
}

int cmd_save(const struct command *cmd, int argc, char **argv)
{
	struct whole w = { 0 };
	int status = begin(cmd, &w, NULL, argc, argv) ? save(&w) : EXIT_USAGE;

	end(&w);
	return status;
}

/* ---- log-level ---- */

/* Arguments as the document they are: LEVEL for all, DOMAIN=LEVEL, DOMAIN=default. */
static JsonObject *levels_of(char **args)
{
	JsonObject *o = json_object_new(), *domains = json_object_new();

	for (; *args; args++) {
		const char *level = strchr(*args, '=');
		g_autofree char *domain = level ? g_strndup(*args, (size_t)(level - *args)) : NULL;

		if (!domain)
			json_object_set_string_member(o, "log-level", *args);
		else if (g_str_equal(level, "=default"))
			json_object_set_null_member(domains, domain);
		else
			json_object_set_string_member(domains, domain, level + 1);
	}
	json_object_set_object_member(o, "domains", domains);
	return o;
}

/* As arguments that make it so: what a domain does not say for itself is not there. */
static void print_levels(JsonObject *o)
{
	JsonObjectIter it;
	const char *domain;
	JsonNode *level;

	printf("%s\n", text_of(o, "log-level"));
	json_object_iter_init_ordered(&it, json_object_get_object_member(o, "domains"));
	while (json_object_iter_next_ordered(&it, &domain, &level))
		if (!JSON_NODE_HOLDS_NULL(level))
			printf("%s=%s\n", domain, json_node_get_string(level));
}

static int log_level_ask(struct whole *w)
{
	JsonObject *o = *w->args ? levels_of(w->args) : NULL;
	JsonNode *answer;
	int status;

	if (!client_ask(w->client, o ? "PUT" : "GET", "/v1/log-level", o ? json_of_object(o) : NULL, &answer,
			&status))
		return status;
	if (w->json)
		kind_print_json(answer);
	else if (!o)
		print_levels(json_node_get_object(answer));
	json_node_unref(answer);
	return EXIT_SUCCESS;
}

int cmd_log_level(const struct command *cmd, int argc, char **argv)
{
	struct whole w = { 0 };
	int status = begin(cmd, &w, NULL, argc, argv) ? log_level_ask(&w) : EXIT_USAGE;

	end(&w);
	return status;
}
