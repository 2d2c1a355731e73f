/* SPDX-License-Identifier: Apache-2.0 */
/* completion-live.c - kinds, and what a running daemon has of them; none is as well. */
#include "config.h"
#include <string.h>
#include "cli/client.h"
#include "cli/completion.h"
#include "cli/kind.h"

enum { HURRY_S = 2 };	/* somebody waits with a finger on the key */

/* Options whose value is what one of a kind is called. */
static const struct {
	const char *option, *kind;
} named[] = { { "target", "target" }, { "portals", "portal" }, { "lun", "lu" } };

static bool creates(const struct completion *c)
{
	return verb_bit(c->cmd->name) == KIND_CREATE;
}

void completion_kinds(const struct completion *c)
{
	for (const struct kind *k = kinds; k->name; k++)
		if (k->verbs & verb_bit(c->cmd->name))
			completion_offer(c, k->name, NULL);
	completion_offer(c, "--help", "Show help options");
}

const struct kind *completion_kind(const struct completion *c, const char *name)
{
	return kind_find(name, verb_bit(c->cmd->name));
}

bool completion_named(const struct completion *c)
{
	return c->kind && c->kind->key && verb_bit(c->cmd->name) != KIND_LIST && !creates(c) &&
	       !completion_given(c, c->kind->key);
}

static void offer_row(const struct completion *c, const struct kind *k, JsonObject *row)
{
	const char *target = completion_given(c, "target");
	g_autofree char *name = kind_row_name(k, row);
	const char *of = json_object_get_string_member_with_default(row, "target", NULL);

	if (name && (!k->below || !target || g_strcmp0(of ? of : "discovery", target) == 0))
		completion_offer(c, name, k->below ? of : NULL);
}

static void offer_rows(const struct completion *c, const struct kind *k)
{
	struct client *client = client_new(c->own, completion_given(c, "host"));
	JsonNode *answer;
	JsonArray *rows;
	int status;

	if (!client)
		return;
	client_hurry(client, HURRY_S);
	if (client_ask(client, "GET", k->from, NULL, &answer, &status)) {
		rows = kind_rows(k, answer);
		for (unsigned i = 0; i < json_array_get_length(rows); i++)
			offer_row(c, k, json_array_get_object_element(rows, i));
		json_array_unref(rows);
		json_node_unref(answer);
	}
	client_free(client);
}

/* Of a list with commas the last name is typed; those before it stay. */
static void offer_names(const struct completion *c, const struct kind *k, bool list)
{
	const char *comma = list ? strrchr(c->current, ',') : NULL;
	g_autofree char *head = comma ? g_strndup(c->current, (gsize)(comma + 1 - c->current)) : NULL;
	struct completion last = *c;

	if (head)
		last.head = head;
	offer_rows(&last, k);
}

static void offer_unset(const struct completion *c)
{
	struct kind_options *o = kind_options_new(c->kind);

	for (unsigned i = 0; i < o->rows->len; i++) {
		const struct kind_row *r = o->rows->pdata[i];

		completion_offer(c, r->row->secret ? r->row->name : r->option, r->row->help);
	}
	kind_options_free(o);
}

/* By an option, or as an argument when it is NULL. */
void completion_live(const struct completion *c, const struct cli_option *o)
{
	const struct kind *k = c->kind;

	if (!o || (k && g_strcmp0(o->name, k->key) == 0)) {
		if (!creates(c))
			offer_names(c, k, false);
		return;
	}
	if (k && g_str_equal(o->name, "plugin"))
		completion_plugins(c);
	else if (k && g_str_equal(o->name, "setting") && completion_given(c, "plugin"))
		completion_settings(c, completion_given(c, "plugin"));
	else if (k && g_str_equal(o->name, "unset"))
		offer_unset(c);
	for (size_t i = 0; i < G_N_ELEMENTS(named); i++)
		if (g_str_equal(named[i].option, o->name) && (!k || !g_str_equal(k->name, named[i].kind)))
			offer_names(c, kind_find(named[i].kind, KIND_LIST), strchr(o->form, ',') != NULL);
	if (k && k->object == CONF_ACCOUNT && g_str_equal(o->name, "target"))
		completion_offer(c, "discovery", "Who may ask what targets there are");
}
