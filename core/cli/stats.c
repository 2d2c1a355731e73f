/* SPDX-License-Identifier: Apache-2.0 */
/* stats.c - gotgt stats: what a running daemon has counted since it started. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include "cli/counters.h"
#include "cli/kind.h"
#include "cli/stats.h"
#include "cli/view.h"

/* ---- asking ---- */

bool stats_of_check(const struct command *cmd, const struct stats_of *of)
{
	g_autoptr(GError) error = NULL;
	const struct setting *s = schema_find(CONF_LUN, "number");
	void *scratch = schema_new(CONF_LUN);
	bool ok = !of->lun || setting_parse(s, of->lun, scratch, &error);

	if (!ok)
		cli_usage(cmd, "--lun: %s", error->message);
	schema_free(CONF_LUN, scratch);
	return ok;
}

void stats_of_clear(struct stats_of *of)
{
	g_free(of->target);
	g_free(of->lun);
}

/* Of a target that is there, there are counters. */
static bool has_target(JsonNode *answer)
{
	JsonObject *o = JSON_NODE_HOLDS_OBJECT(answer) ? json_node_get_object(answer) : NULL;
	JsonNode *targets = o ? json_object_get_member(o, "targets") : NULL;

	return targets && JSON_NODE_HOLDS_ARRAY(targets) && json_array_get_length(json_node_get_array(targets));
}

bool stats_ask(const struct command *cmd, struct client *c, const struct stats_of *of, JsonNode **answer, int *status)
{
	g_autofree char *target = of->target ? g_uri_escape_string(of->target, ":", FALSE) : NULL;
	g_autofree char *path = g_strconcat("/v1/stats", target ? "?target=" : "", target, NULL);

	if (!client_ask(c, "GET", path, NULL, answer, status))
		return false;
	if (!of->target || has_target(*answer))
		return true;
	json_node_unref(*answer);
	cli_complain(cmd, "there is no target %s", of->target);
	*status = EXIT_NOT_FOUND;
	return false;
}

/* ---- for people ---- */

static char *cell_kind(const struct counted *c)
{
	return g_strdup(counted_names[c->kind]);
}

static char *cell_target(const struct counted *c)
{
	return g_strdup(c->target);
}

/* A target has told its name. */
static char *cell_name(const struct counted *c)
{
	return c->kind == COUNTED_TARGET ? NULL : g_strdup(c->name);
}

static char *number(uint64_t n)
{
	return g_strdup_printf("%" G_GUINT64_FORMAT, n);
}

static char *cell_commands(const struct counted *c)
{
	return number(c->counters.commands);
}

static char *cell_reads(const struct counted *c)
{
	return number(c->counters.ops[OP_READ].commands);
}

static char *cell_read(const struct counted *c)
{
	return format_count((double)c->counters.ops[OP_READ].bytes);
}

static char *cell_writes(const struct counted *c)
{
	return number(c->counters.ops[OP_WRITE].commands);
}

static char *cell_written(const struct counted *c)
{
	return format_count((double)c->counters.ops[OP_WRITE].bytes);
}

static char *of_all(const struct counted *c, double (*value)(const struct latency *l))
{
	struct latency all;
	char *text;

	latency_all(&c->counters, &all);
	text = format_us(value(&all));
	latency_clear(&all);
	return text;
}

static double p99(const struct latency *l)
{
	return latency_quantile_us(l, 990);
}

static double longest(const struct latency *l)
{
	return l->max_us;
}

static char *cell_avg(const struct counted *c)
{
	return of_all(c, latency_avg_us);
}

static char *cell_p99(const struct counted *c)
{
	return of_all(c, p99);
}

static char *cell_max(const struct counted *c)
{
	return of_all(c, longest);
}

static char *cell_queue(const struct counted *c)
{
	return number(c->counters.queue_depth);
}

static char *cell_queue_max(const struct counted *c)
{
	return number(c->counters.queue_depth_max);
}

static char *cell_errors(const struct counted *c)
{
	return number(c->counters.errors);
}

static char *cell_initiator(const struct counted *c)
{
	return g_strdup(c->initiator);
}

static const struct {
	const char *title;
	char *(*text)(const struct counted *c);
	bool left;
} cells[] = {
	{ "KIND", cell_kind, true }, { "TARGET NAME", cell_target, true }, { "NAME", cell_name, true },
	{ "COMMANDS", cell_commands }, { "READS", cell_reads }, { "READ", cell_read }, { "WRITES", cell_writes },
	{ "WRITTEN", cell_written }, { "AVG", cell_avg }, { "P99", cell_p99 }, { "MAX", cell_max }, { "QUEUE", cell_queue },
	{ "QUEUE MAX", cell_queue_max }, { "ERRORS", cell_errors }, { "INITIATOR", cell_initiator, true },
};
enum { CELLS = G_N_ELEMENTS(cells), GAP = 2 };

/* Rows of texts, each as wide as what is in it. */
static void print_table(const GPtrArray *rows)
{
	g_autoptr(GString) out = g_string_new(NULL);
	unsigned widths[CELLS] = { 0 };

	for (unsigned i = 0; i < rows->len; i++)
		for (unsigned j = 0; j < CELLS; j++)
			widths[j] = MAX(widths[j], (unsigned)g_utf8_strlen(((char **)rows->pdata[i])[j], -1));
	for (unsigned i = 0; i < rows->len; i++) {
		for (unsigned j = 0; j < CELLS; j++) {
			view_cell(out, ((char **)rows->pdata[i])[j], widths[j], !cells[j].left, false);
			g_string_append_printf(out, "%*s", j + 1 < CELLS ? GAP : 0, "");
		}
		while (out->len && out->str[out->len - 1] == ' ')
			g_string_truncate(out, out->len - 1);
		g_string_append_c(out, '\n');
	}
	fputs(out->str, stdout);
}

static void print_reading(const struct reading *r)
{
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	char **row = g_new0(char *, CELLS + 1);

	for (unsigned j = 0; j < CELLS; j++)
		row[j] = g_strdup(cells[j].title);
	g_ptr_array_add(rows, row);
	for (unsigned kind = 0; kind < COUNTED_KINDS; kind++)
		for (unsigned i = 0; i < r->of[kind]->len; i++) {
			row = g_new0(char *, CELLS + 1);
			for (unsigned j = 0; j < CELLS; j++) {
				row[j] = cells[j].text(r->of[kind]->pdata[i]);
				if (!row[j])
					row[j] = g_strdup("-");
			}
			g_ptr_array_add(rows, row);
		}
	print_table(rows);
}

/* ---- for programs ---- */

static void keep(JsonObject *o, const char *list, const char *member, const char *value)
{
	JsonNode *node = json_object_get_member(o, list);
	JsonArray *array = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;

	for (unsigned i = array ? json_array_get_length(array) : 0; i--; ) {
		JsonNode *found = json_object_get_member(json_array_get_object_element(array, i), member);
		g_autofree char *text = found ? json_to_string(found, FALSE) : NULL;

		if (g_strcmp0(text, value) != 0)
			json_array_remove_element(array, i);
	}
}

/* As reading_narrow(), but within its document. */
static void narrow(JsonObject *o, const struct stats_of *of)
{
	g_autofree char *target = of->target ? g_strdup_printf("\"%s\"", of->target) : NULL;
	JsonNode *targets = json_object_get_member(o, "targets");

	if (of->target || of->lun) {
		json_object_remove_member(o, "reactors");
		json_object_remove_member(o, "portals");
	}
	if (of->lun)
		json_object_remove_member(o, "sessions");
	else if (target)
		keep(o, "sessions", "target", target);
	for (unsigned i = 0; of->lun && targets && i < json_array_get_length(json_node_get_array(targets)); i++)
		keep(json_array_get_object_element(json_node_get_array(targets), i), "luns", "lun", of->lun);
}

/* ---- the command ---- */

static bool has_any(const struct reading *r)
{
	for (unsigned kind = 0; kind < COUNTED_KINDS; kind++)
		if (r->of[kind]->len)
			return true;
	return false;
}

static int print_stats(const struct command *cmd, JsonNode *answer, const struct stats_of *of, bool json)
{
	struct reading *r = reading_new(answer);
	bool any;

	reading_narrow(r, of->target, of->lun);
	any = has_any(r);
	if (any && json) {
		narrow(json_node_get_object(answer), of);
		kind_print_json(answer);
	} else if (any) {
		print_reading(r);
	} else if (of->lun) {
		cli_complain(cmd, "there is no lu %s", of->lun);
	} else {
		cli_complain(cmd, "nothing is counted");
	}
	reading_free(r);
	return any ? EXIT_SUCCESS : EXIT_NOT_FOUND;
}

int cmd_stats(const struct command *cmd, int argc, char **argv)
{
	struct stats_of of = { 0 };
	g_autofree char *host = NULL;
	gboolean json = FALSE;
	const GOptionEntry entries[] = {
		{ "host", 0, 0, G_OPTION_ARG_STRING, &host, CLIENT_HOST_HELP, "URL" },
		CLIENT_OPTIONS,
		{ "json", 'j', 0, G_OPTION_ARG_NONE, &json, "Print JSON, with all that is counted", NULL },
		{ "target", 't', 0, G_OPTION_ARG_STRING, &of.target, "Only this one, its logical units and sessions", "IQN" },
		{ "lun", 0, 0, G_OPTION_ARG_STRING, &of.lun, "Only logical units of this number", "NUMBER" },
		{ NULL },
	};
	g_auto(GStrv) args = NULL;
	struct client *client = NULL;
	int status = EXIT_USAGE;
	JsonNode *answer;

	if (cli_options(cmd, entries, argc, argv, &args) && stats_of_check(cmd, &of))
		client = client_new(cmd, host);
	if (client && stats_ask(cmd, client, &of, &answer, &status)) {
		status = print_stats(cmd, answer, &of, json);
		json_node_unref(answer);
	}
	client_free(client);
	stats_of_clear(&of);
	return status;
}
