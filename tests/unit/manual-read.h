/* SPDX-License-Identifier: Apache-2.0 */
/* manual-read.h - C headers and mdoc(7) pages as tables, as much of both languages as ours have. */
#ifndef GOTGT_TESTS_MANUAL_READ_H
#define GOTGT_TESTS_MANUAL_READ_H

#include <stdbool.h>
#include <glib.h>

struct field {
	char *of, *name;	/* "gotgt_io", "offset" */
	char *type;		/* as declared, up to the name */
	char *comment;		/* before it and behind it */
	unsigned parameters;
	bool function;
};

struct function {
	char *name, *type;
	GPtrArray *parameters;	/* char *: "const char *name" */
};

struct header {
	GPtrArray *fields;	/* struct field */
	GPtrArray *functions;	/* struct function: those that are exported, or inline */
	GHashTable *structs, *typedefs, *constants, *macros;	/* sets of names */
};

struct page {
	GHashTable *words;	/* "Dv GOTGT_X": of each macro that marks a name up, its names */
	GHashTable *items;	/* "SECTION/field" */
	GHashTable *arguments;	/* NAME of .Fn with arguments -> GPtrArray of them */
	GHashTable *types;	/* NAME of a synopsis' .Fn or .Fo -> its .Ft */
};

char *manual_read_source(const char *dir, const char *name);

struct header *header_new(void);
void header_free(struct header *h);
/* Add what is in include/gotgt/NAME. */
void header_read(struct header *h, const char *name);
/* Add the structs in a text alone. */
void header_read_structs(struct header *h, const char *text);
/* of NULL: of any struct. */
const struct field *header_field(const struct header *h, const char *of, const char *name);
const struct function *header_function(const struct header *h, const char *name);

struct page *page_new(const char *name);
void page_free(struct page *p);
/* Is the name marked up by that macro anywhere? */
bool page_has(const struct page *p, const char *macro, const char *name);
bool page_has_item(const struct page *p, const char *section, const char *name);

#endif
