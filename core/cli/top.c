/* SPDX-License-Identifier: Apache-2.0 */
/* top.c - gotgt top: what a running daemon does, again and again. */
#include "config.h"
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/counters.h"
#include "cli/screen.h"
#include "cli/stats.h"
#include "cli/view.h"

enum { FIRST_MS = 500, ANSWER_S = 10, KEY_SUSPEND = 'Z' - '@' };
#define INTERVAL_MIN_S 0.1
#define INTERVAL_MAX_S 3600.0

struct top {
	const struct command *cmd;
	struct cli_loop loop;
	struct client *client;
	struct stats_of of;
	struct view view;
	struct reading *now, *before;
	double interval_s;
	int count;		/* 0: for ever */
	int shown, status;
	bool screen;
	guint timer, keys, resize;
};

/* ---- showing ---- */

static void draw(struct top *t)
{
	unsigned columns, lines, heading;
	GString *text;
	bool ok;

	if (t->screen) {
		screen_size(&columns, &lines);
		/* Nothing in the last column: there terminals differ. */
		t->view.columns = MAX(columns, 2) - 1;
		t->view.lines = lines;
	}
	text = view_text(&t->view, t->now, t->before, &heading);
	if (t->screen)
		ok = screen_draw(text->str, heading);
	else
		ok = printf("%s%s", t->shown ? "\n" : "", text->str) >= 0 && fflush(stdout) == 0;
	g_string_free(text, TRUE);
	if (!ok) {
		t->status = EXIT_FAILURE;
		cli_quit(&t->loop);
	}
}

/* False: what is wrong has been said, on the usual screen. */
static bool take_reading(struct top *t)
{
	JsonNode *answer;

	if (!stats_ask(t->cmd, t->client, &t->of, &answer, &t->status)) {
		cli_quit(&t->loop);
		return false;
	}
	reading_free(t->before);
	t->before = t->now;
	t->now = reading_new(answer);
	json_node_unref(answer);
	reading_narrow(t->now, t->of.target, NULL);
	return true;
}

static gboolean on_timer(gpointer data);

static void start_timer(struct top *t, double seconds)
{
	t->timer = g_timeout_add((guint)(seconds * 1000 + 0.5), on_timer, t);
}

static gboolean on_timer(gpointer data)
{
	struct top *t = data;

	t->timer = 0;
	if (!take_reading(t))
		return G_SOURCE_REMOVE;
	draw(t);
	t->shown++;
	if (t->count && t->shown >= t->count)
		cli_quit(&t->loop);
	else
		start_timer(t, t->interval_s);
	return G_SOURCE_REMOVE;
}

/* ---- keys ---- */

static void suspend(struct top *t)
{
	screen_end();
	raise(SIGTSTP);
	if (!screen_begin())
		cli_quit(&t->loop);
}

static void press(struct top *t, char key)
{
	switch (key) {
	case 'q':
		cli_quit(&t->loop);
		return;
	case 's':
		t->view.sort = (t->view.sort + 1) % SORTS;
		break;
	case 'l':
		t->view.kind = COUNTED_LU;
		break;
	case 't':
		t->view.kind = COUNTED_SESSION;
		break;
	case KEY_SUSPEND:
		suspend(t);
		break;
	default:
		return;
	}
	draw(t);
}

/* A key with a name sends several bytes (ECMA-48 5.4), which are none of ours: where they end. */
static ssize_t skip_sequence(const char *bytes, ssize_t n, ssize_t at)
{
	if (at + 1 < n && (bytes[at + 1] == '[' || bytes[at + 1] == 'O'))
		for (at += 2; at < n && (bytes[at] < 0x40 || bytes[at] > 0x7e); )
			at++;
	return at;
}

static gboolean on_keys(gint fd, GIOCondition condition, gpointer data)
{
	struct top *t = data;
	char pressed[32];
	ssize_t n = read(fd, pressed, sizeof pressed);

	if (n <= 0) {
		/* The terminal is gone. */
		t->keys = 0;
		cli_quit(&t->loop);
		return G_SOURCE_REMOVE;
	}
	for (ssize_t i = 0; i < n; i++)
		if (pressed[i] == '\033')
			i = skip_sequence(pressed, n, i);
		else
			press(t, pressed[i]);
	return G_SOURCE_CONTINUE;
}

static gboolean on_resize(gpointer data)
{
	draw(data);
	return G_SOURCE_CONTINUE;
}

/* ---- the command ---- */

/* First there are the rates since the daemon started, then those of a moment, so that there is something to see. */
static void run(struct top *t)
{
	cli_loop_start(&t->loop);
	if (!take_reading(t)) {
		cli_loop_end(&t->loop);
		return;
	}
	if (t->screen) {
		cli_on_complaint(screen_end);
		t->screen = screen_begin();
		draw(t);
		t->keys = g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, on_keys, t);
		t->resize = g_unix_signal_add(SIGWINCH, on_resize, t);
	} else {
		/* Who reads the first lines alone is no failure. */
		signal(SIGPIPE, SIG_DFL);
	}
	start_timer(t, t->screen ? MIN(t->interval_s, FIRST_MS / 1000.0) : t->interval_s);
	cli_loop_run(&t->loop);
	screen_end();
	if (t->timer)
		g_source_remove(t->timer);
	if (t->keys)
		g_source_remove(t->keys);
	if (t->resize)
		g_source_remove(t->resize);
	cli_loop_end(&t->loop);
}

/* The place of a word in a list that ends with NULL; -1: it is not in it. */
static int index_of(const char *const *words, const char *word)
{
	for (int i = 0; words[i]; i++)
		if (g_str_equal(words[i], word))
			return i;
	return -1;
}

static bool check(struct top *t, const char *sort, const char *of)
{
	int by = sort ? index_of(view_sorts, sort) : SORT_IOPS, kind = of ? index_of(counted_names, of) : COUNTED_LU;

	if (by < 0) {
		cli_usage(t->cmd, "--sort: expected iops, bandwidth, latency, queue or name");
		return false;
	}
	if (kind != COUNTED_LU && kind != COUNTED_SESSION) {
		cli_usage(t->cmd, "--of: expected lu or session");
		return false;
	}
	if (!(t->interval_s >= INTERVAL_MIN_S && t->interval_s <= INTERVAL_MAX_S)) {
		cli_usage(t->cmd, "--interval: expected seconds from %g to %g", INTERVAL_MIN_S, INTERVAL_MAX_S);
		return false;
	}
	if (t->count < 0) {
		cli_usage(t->cmd, "--count: expected a number from 0");
		return false;
	}
	t->view.sort = (enum view_sort)by;
	t->view.kind = (enum counted_kind)kind;
	return true;
}

int cmd_top(const struct command *cmd, int argc, char **argv)
{
	struct top t = { .cmd = cmd, .interval_s = 2, .status = EXIT_USAGE };
	g_autofree char *host = NULL, *sort = NULL, *of = NULL;
	gboolean batch = FALSE;
	const GOptionEntry entries[] = {
		{ "host", 0, 0, G_OPTION_ARG_STRING, &host, CLIENT_HOST_HELP, "URL" },
		CLIENT_OPTIONS,
		{ "interval", 'i', 0, G_OPTION_ARG_DOUBLE, &t.interval_s, "Time between two readings (2)", "SECONDS" },
		{ "batch", 'b', 0, G_OPTION_ARG_NONE, &batch, "Print one table after the other, as without a terminal", NULL },
		{ "count", 'n', 0, G_OPTION_ARG_INT, &t.count, "End after so many tables", "COUNT" },
		{ "sort", 's', 0, G_OPTION_ARG_STRING, &sort, "What comes first", "iops|bandwidth|latency|queue|name" },
		{ "of", 0, 0, G_OPTION_ARG_STRING, &of, "Logical units, or sessions", "lu|session" },
		{ "target", 't', 0, G_OPTION_ARG_STRING, &t.of.target, "Only this one's", "IQN" },
		{ NULL },
	};
	g_auto(GStrv) args = NULL;

	if (cli_options(cmd, entries, argc, argv, &args) && check(&t, sort, of))
		t.client = client_new(cmd, host);
	if (t.client) {
		client_hurry(t.client, ANSWER_S);
		t.screen = !batch && screen_there();
		t.view.keys = t.screen;
		t.status = EXIT_SUCCESS;
		run(&t);
	}
	reading_free(t.now);
	reading_free(t.before);
	client_free(t.client);
	stats_of_clear(&t.of);
	return t.status;
}
