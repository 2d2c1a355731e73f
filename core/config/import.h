/* SPDX-License-Identifier: Apache-2.0 */
/* import.h - the configuration file of gotgt in Go, JSON, as one of ours.  [main] */
#ifndef GOTGT_IMPORT_H
#define GOTGT_IMPORT_H

#include "config/conf.h"

struct _JsonNode;	/* json-glib's */

struct import_options {
	const char *const *plugin_dirs;
	int port;	/* to listen on in place of the portals' own, which are announced; -1: none */
};

/* Has this file JSON, by its name, or a regular one by what it begins with? */
bool import_is_json(const char *path);
/* Has this document what a configuration of gotgt in Go has, and ours has not? */
bool import_is_go(struct _JsonNode *document);

/*
 * Read it.  Every error is added to errors, "FILE:LINE: PATH.IN.JSON: REASON"; NULL when there was one.  What is done
 * otherwise than there, or left out, is added to warnings.
 */
struct conf *import_read(const char *path, const struct import_options *o, GPtrArray *errors, GPtrArray *warnings);
/* The same of a text; path is for what is told. */
struct conf *import_text(const char *path, const char *text, size_t len, const struct import_options *o,
			 GPtrArray *errors, GPtrArray *warnings);

#endif
