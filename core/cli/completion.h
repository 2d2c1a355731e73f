/* SPDX-License-Identifier: Apache-2.0 */
/* completion.h - what can come next on a command line.  [main] */
#ifndef GOTGT_COMPLETION_H
#define GOTGT_COMPLETION_H

#include "cli/cli.h"

struct completion_script {
	const char *shell, *text;
};
extern const struct completion_script completion_scripts[];	/* etc/completion; ends with a NULL shell */

struct kind;

/* A command line up to the word that is being typed. */
struct completion {
	const struct command *own;	/* gotgt completion, for messages */
	const struct command *cmd;	/* what is being typed, or NULL */
	const struct kind *kind;	/* and of what, or NULL */
	GPtrArray *options;		/* struct cli_option, that can be given with it */
	char **words;			/* behind "gotgt", all but the current one */
	unsigned n, first;		/* how many, and the first behind the command and kind */
	const char *current;
	const char *head;		/* what of the current word stands before a value: "--target=" */
};

/* A word that can stand behind head, printed if it begins as the current one does; help: what it is, or NULL. */
void completion_offer(const struct completion *c, const char *word, const char *help);
/* The value that an option was given in the words before, or NULL. */
const char *completion_given(const struct completion *c, const char *option);
void completion_plugins(const struct completion *c);
/* KEY= of a plugin's settings. */
void completion_settings(const struct completion *c, const char *plugin);

/* What a running daemon has, and kinds; nothing without control. */
#ifdef HAVE_CONTROL
void completion_kinds(const struct completion *c);
const struct kind *completion_kind(const struct completion *c, const char *name);
bool completion_named(const struct completion *c);	/* an argument names one of the kind */
void completion_live(const struct completion *c, const struct cli_option *o);
#else
static inline void completion_kinds(const struct completion *c)
{
}

static inline const struct kind *completion_kind(const struct completion *c, const char *name)
{
	return NULL;
}

static inline bool completion_named(const struct completion *c)
{
	return false;
}

static inline void completion_live(const struct completion *c, const struct cli_option *o)
{
}
#endif

#endif
