/* SPDX-License-Identifier: Apache-2.0 */
/*
 * go-json.h - what JSON of gotgt in Go has in its objects, for its file (import.c) and its routes (control/go-lu.c).
 * As its decoder does, names are taken in any case, and null is as if it were not there.  [main]
 */
#ifndef GOTGT_GO_JSON_H
#define GOTGT_GO_JSON_H

#include "config/conf.h"
#include "config/located.h"

enum go_type { GO_NUMBER, GO_TEXT, GO_BOOL, GO_ARRAY, GO_OBJECT };
struct go_field {
	const char *name;	/* NULL: the end */
	enum go_type type;
	bool required;
};
/* Of a field: node NULL: it is not there. */
struct go_value {
	JsonNode *node;
	unsigned line;		/* 0: unknown */
};

/* Of whom it is read, and who is told what is wrong: a file's errors and warnings as lines, or a document's wrongs. */
struct go_reader {
	const char *file;		/* interned */
	const struct located *located;	/* or NULL */
	GPtrArray *errors, *warnings;
	GPtrArray *wrongs;		/* with it, unknown fields are wrong too */
	const char *const *plugin_dirs;
};

void go_wrong(struct go_reader *r, unsigned line, const char *path, const char *fmt, ...) G_GNUC_PRINTF(4, 5);
void go_warn(struct go_reader *r, unsigned line, const char *path, const char *fmt, ...) G_GNUC_PRINTF(4, 5);

/*
 * An object's members into values, as many as there are fields; line: where it is itself.  False: one is wrong, which
 * has been told.
 */
bool go_fields(struct go_reader *r, const char *path, unsigned line, JsonObject *o, const struct go_field *fields,
	       struct go_value *values);
/* A whole number from 0 to 2^63-1; false: it is none. */
bool go_number(JsonNode *node, uint64_t *n);
/* "12" as such a number, of a name. */
bool go_name_number(const char *name, uint64_t *n);

/* The fields of a storage, in this order at the front of a table. */
enum go_storage_field { GO_DEVICE_ID, GO_PATH, GO_ONLINE, GO_THIN, GO_BLOCK_SHIFT, GO_STORAGE_FIELDS };
#define GO_STORAGE \
	[GO_DEVICE_ID] = { "deviceID", GO_NUMBER, true }, [GO_PATH] = { "path", GO_TEXT, true }, \
	[GO_ONLINE] = { "online", GO_BOOL }, [GO_THIN] = { "thinProvisioning", GO_BOOL }, \
	[GO_BLOCK_SHIFT] = { "blockShift", GO_NUMBER }

/* The logical unit that they describe; its number is not among them.  False: that has been told. */
bool go_storage(struct go_reader *r, const char *path, const struct go_value *values, struct conf_lun *l);
/* What a storage of that deviceID is called. */
char *go_serial(uint64_t device_id);
/* The way back: "BACKEND:PATH", for g_free(). */
char *go_path(const struct conf_lun *l, const char *const *plugin_dirs);

#endif
