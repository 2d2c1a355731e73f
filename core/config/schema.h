/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.h - every setting there is, once: the reader, the checks, the comparison of a reload and
 * the manual's tables all come from this table.  [main]
 */
#ifndef GOTGT_SCHEMA_H
#define GOTGT_SCHEMA_H

#include <stdbool.h>
#include <glib.h>
#include <stdint.h>

enum conf_object { CONF_TOP, CONF_LIMITS, CONF_PORTAL, CONF_TARGET, CONF_GROUP, CONF_LUN, CONF_ISCSI, CONF_ACCOUNT,
	CONF_DISCOVERY, CONF_ACL, CONF_ACL_LUN, CONF_CONTROL, CONF_REDIRECT, CONF_LOG, CONF_OBJECTS };

enum setting_type {
	SETTING_BOOL,		/* uint32_t, 0 or 1 */
	SETTING_UINT,		/* uint32_t */
	SETTING_SIZE,		/* uint32_t, bytes; a number, or text such as "256K" */
	SETTING_CHOICE,		/* uint32_t, one of choices */
	SETTING_STRING,		/* char *, NULL when unset */
	SETTING_NAMES,		/* char **, NULL when unset */
	SETTING_PLUGIN,		/* char **, names and values in turn, checked by the plugin's own table */
	SETTING_GROUP,		/* a child object in place */
	SETTING_LIST,		/* GPtrArray * of child objects */
};

struct setting_choice {
	const char *name;
	uint32_t value;
};

struct setting {
	enum conf_object object;
	enum setting_type type;
	const char *name;
	const char *fallback;	/* the default as text; NULL: unset, or required, or `otherwise` says */
	const char *otherwise;	/* what an unset one means, for the manual */
	const char *unit;	/* for the manual */
	uint64_t min, max;	/* of a number; of a string's length */
	const struct setting_choice *choices;	/* ends with a NULL name */
	const char *(*check)(const char *text);	/* why this text will not do, or NULL */
	size_t offset;
	enum conf_object child;
	bool required;
	bool restart;		/* a reload cannot change it */
	bool secret;		/* a string that is never shown, and wiped */
	const char *help;	/* one line */
};

extern const struct setting schema[];	/* ends with a NULL name */

/* The settings of an object in turn: NULL starts, NULL is the end. */
const struct setting *schema_next(enum conf_object object, const struct setting *after);
const struct setting *schema_find(enum conf_object object, const char *name);
const char *schema_object_name(enum conf_object object);

/* Fill a zeroed object with the defaults; an object's groups are filled too. */
void schema_defaults(enum conf_object object, void *obj);
void schema_clear(enum conf_object object, void *obj);
/* An object on the heap: zeroed, with defaults. */
void *schema_new(enum conf_object object);
void schema_free(enum conf_object object, void *obj);
/* All of it, lists and groups included, on the heap; what is no setting is copied as it is. */
void *schema_copy(enum conf_object object, const void *obj);
/* The same of an object that can be in a list, or of the top one; where it stands in a file is forgotten. */
void *schema_dup(enum conf_object object, const void *obj);
/* True when every setting of both, lists and groups included, is the same. */
bool schema_equal(enum conf_object object, const void *a, const void *b);
bool setting_equal(const struct setting *s, const void *a, const void *b);

/* Where an object keeps it. */
static inline void *setting_field(const struct setting *s, const void *obj)
{
	return (char *)obj + s->offset;
}

/* Has it a value?  A number outside its limits says that it has none. */
bool setting_is_set(const struct setting *s, const void *obj);
/* Make it what it is in another object of the kind; not of GROUP or LIST. */
void setting_copy(const struct setting *s, const void *from, void *to);
/* Parse text into the setting's field; not of GROUP, LIST, NAMES or PLUGIN.  The error says what would do. */
bool setting_parse(const struct setting *s, const char *text, void *obj, GError **error);
/* The value as the file would have it. */
char *setting_format(const struct setting *s, const void *obj);

/* The manual's tables of one object, mdoc. */
char *schema_manual(enum conf_object object);

#endif
