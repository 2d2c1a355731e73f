/* SPDX-License-Identifier: Apache-2.0 */
/* completion.c - gotgt completion: scripts for shells, and the words that those ask for. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backstore/module.h"
#include "cli/completion.h"
#include "config/plugins.h"
#include "config/schema.h"

/* ---- words ---- */

void completion_offer(const struct completion *c, const char *word, const char *help)
{
	g_autofree char *whole = g_strconcat(c->head, word, NULL);

	if (g_str_has_prefix(whole, c->current) && !strpbrk(whole, "\t\n"))
		printf("%s%s%s\n", whole, help ? "\t" : "", help ? help : "");
}

/* It is one of these that a script has to do itself. */
static void offer_files(bool folders)
{
	puts(folders ? ":folders" : ":files");
}

static const struct cli_option *option_called(const struct completion *c, const char *word, const char **value)
{
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);

	*value = equals ? equals + 1 : NULL;
	for (unsigned i = 0; c->options && i < c->options->len; i++) {
		const struct cli_option *o = c->options->pdata[i];

		if (g_str_has_prefix(word, "--") ? strlen(o->name) == len - 2 && !strncmp(o->name, word + 2, len - 2) :
						   word[0] == '-' && word[1] && word[1] == o->letter && !word[2])
			return o;
	}
	return NULL;
}

/* The option whose value the word at i is, or NULL. */
static const struct cli_option *option_before(const struct completion *c, unsigned i)
{
	const char *value;
	const struct cli_option *o = i > c->first ? option_called(c, c->words[i - 1], &value) : NULL;

	return o && o->form && !value ? o : NULL;
}

const char *completion_given(const struct completion *c, const char *option)
{
	const char *found = NULL, *value;

	for (unsigned i = c->first; i < c->n; i++) {
		const struct cli_option *o = option_called(c, c->words[i], &value);

		if (o && g_str_equal(o->name, option))
			found = value ? value : i + 1 < c->n ? c->words[i + 1] : NULL;
	}
	return found;
}

static unsigned arguments_before(const struct completion *c)
{
	unsigned arguments = 0;

	for (unsigned i = c->first; i < c->n; i++)
		if (*c->words[i] != '-' && !option_before(c, i))
			arguments++;
	return arguments;
}

/* ---- what can come ---- */

static void offer_levels(const struct completion *c)
{
	for (const struct setting_choice *l = schema_find(CONF_TOP, "log-level")->choices; l->name; l++)
		completion_offer(c, l->name, NULL);
}

static void offer_split(const struct completion *c, const char *form)
{
	g_auto(GStrv) words = g_strsplit(form, "|", -1);

	for (char **word = words; *word; word++)
		completion_offer(c, *word, NULL);
}

void completion_plugins(const struct completion *c)
{
	g_auto(GStrv) dirs = plugins_dirs(completion_given(c, "plugin-dir"));
	g_auto(GStrv) names = module_list((const char *const *)dirs);

	for (char **name = names; *name; name++)
		completion_offer(c, *name, NULL);
}

void completion_settings(const struct completion *c, const char *plugin)
{
	g_auto(GStrv) dirs = plugins_dirs(completion_given(c, "plugin-dir"));
	const struct module *m = plugins_get((const char *const *)dirs, plugin, NULL);

	for (const struct gotgt_param *p = m ? m->ops.params : NULL; p && p->name; p++) {
		g_autofree char *word = g_strconcat(p->name, "=", NULL);

		completion_offer(c, word, p->help);
	}
}

static void offer_value(struct completion *c, const struct cli_option *o)
{
	if (strchr(o->form, '|'))
		offer_split(c, o->form);
	else if (g_str_equal(o->form, "LEVEL"))
		offer_levels(c);
	else if (o->file)
		offer_files(g_str_has_prefix(o->form, "DIR"));
	else
		completion_live(c, o);
}

static void offer_options(const struct completion *c)
{
	for (unsigned i = 0; i < c->options->len; i++) {
		const struct cli_option *o = c->options->pdata[i];
		g_autofree char *word = g_strconcat("--", o->name, NULL);

		completion_offer(c, word, o->help);
	}
	completion_offer(c, "--help", "Show help options");
}

/* A disk is a file, or what a plugin makes of a path. */
static void offer_disks(const struct completion *c)
{
	g_auto(GStrv) dirs = plugins_dirs(completion_given(c, "plugin-dir"));
	g_auto(GStrv) names = module_list((const char *const *)dirs);

	for (char **name = names; *name; name++) {
		g_autofree char *word = g_strconcat(*name, ":", NULL);

		completion_offer(c, word, NULL);
	}
	offer_files(false);
}

static void offer_argument(const struct completion *c, unsigned before)
{
	switch (before < MAX(c->cmd->max_args, 1) ? c->cmd->argument : CLI_ARG_NONE) {
	case CLI_ARG_FILE:
		offer_files(false);
		break;
	case CLI_ARG_PLUGIN:
		completion_plugins(c);
		break;
	case CLI_ARG_MODULE:
		if (before)
			completion_settings(c, c->words[c->first]);
		else
			completion_plugins(c);
		if (!before)
			offer_files(false);
		break;
	case CLI_ARG_DISK:
		offer_disks(c);
		break;
	case CLI_ARG_LEVEL:
		offer_levels(c);
		break;
	case CLI_ARG_SHELL:
		if (!before)
			offer_split(c, c->cmd->arguments);
		break;
	case CLI_ARG_KIND:
		if (!before && completion_named(c))
			completion_live(c, NULL);
		break;
	case CLI_ARG_NONE:
		break;
	}
}

/* The n-th words of the commands that begin as was typed. */
static void offer_commands(const struct completion *c)
{
	g_autofree char *last = NULL;

	/* Those with a common first word stand together. */
	for (const struct command *cmd = commands; cmd->name; cmd++) {
		g_auto(GStrv) words = g_strsplit(cmd->name, " ", -1);
		bool fits = g_strv_length(words) > c->n;

		for (unsigned i = 0; fits && i < c->n; i++)
			fits = g_str_equal(words[i], c->words[i]);
		if (!fits || g_strcmp0(words[c->n], last) == 0)
			continue;
		completion_offer(c, words[c->n], words[c->n + 1] ? NULL : cmd->summary);
		g_free(last);
		last = g_strdup(words[c->n]);
	}
	if (!c->n) {
		completion_offer(c, "--help", NULL);
		completion_offer(c, "--version", NULL);
		completion_offer(c, "--host", CLIENT_HOST_HELP);
	}
}

/* ---- from words to what is typed ---- */

static void find_options(struct completion *c)
{
	char *argv[] = { (char *)c->cmd->name, c->kind ? c->words[c->first - 1] : NULL, NULL };

	c->options = cli_options_of(c->cmd, c->kind ? 2 : 1, argv);
}

static void complete_command(struct completion *c)
{
	const struct cli_option *o = option_before(c, c->n);
	const char *value;
	g_autofree char *head = NULL;

	if (!o && g_str_has_prefix(c->current, "--") && strchr(c->current, '=')) {
		o = option_called(c, c->current, &value);
		if (!o || !o->form)
			return;
		head = g_strndup(c->current, (gsize)(value - c->current));
		c->head = head;
	}
	if (o)
		offer_value(c, o);
	else if (*c->current == '-')
		offer_options(c);
	else
		offer_argument(c, arguments_before(c));
}

static void complete(struct completion *c)
{
	int words = 0, taken = cli_take_options((int)c->n, c->words);

	c->words += taken;
	c->n -= (unsigned)taken;
	c->cmd = command_find((int)c->n, c->words, &words);
	c->first = (unsigned)words;
	if (!c->cmd) {
		offer_commands(c);
		return;
	}
	if (c->cmd->argument == CLI_ARG_KIND) {
		if (c->n == c->first) {
			completion_kinds(c);
			return;
		}
		c->kind = completion_kind(c, c->words[c->first]);
		c->first++;
		if (!c->kind)
			return;
	}
	find_options(c);
	complete_command(c);
	g_ptr_array_unref(c->options);
}

int cmd_completion(const struct command *cmd, int argc, char **argv)
{
	static const GOptionEntry entries[] = { { NULL } };
	struct completion c = { .own = cmd, .head = "" };
	g_auto(GStrv) args = NULL;

	if (!cli_options(cmd, entries, argc, argv, &args))
		return EXIT_USAGE;
	if (g_str_equal(*args, "words") && args[1]) {
		c.words = args + 1;
		c.n = g_strv_length(c.words) - 1;
		c.current = c.words[c.n];
		complete(&c);
		return EXIT_SUCCESS;
	}
	for (const struct completion_script *s = completion_scripts; s->shell; s++)
		if (g_str_equal(s->shell, *args) && !args[1]) {
			fputs(s->text, stdout);
			return EXIT_SUCCESS;
		}
	return args[1] ? cli_usage(cmd, "unexpected argument \"%s\"", args[1]) : cli_usage(cmd, "expected bash or zsh");
}
