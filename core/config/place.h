/* SPDX-License-Identifier: Apache-2.0 */
/* place.h - a part of a configuration by its path: "targets/IQN/luns/0", "limits".  [main] */
#ifndef GOTGT_PLACE_H
#define GOTGT_PLACE_H

#include "config/conf.h"

/*
 * A group, a list, or an element of a list.  The first setting of an object in a list tells it from the others, its
 * key; a portal without a name has "ADDRESS:PORT" instead.
 */
struct place {
	const struct setting *row;	/* GROUP or LIST; NULL: the whole configuration */
	enum conf_object object;	/* of obj, or of what the list has */
	GPtrArray *list;		/* NULL: a group */
	const char *key;		/* an element's; NULL: the list itself, or a group */
	void *obj;			/* NULL: the list itself, or it has no such element */
	unsigned at;			/* where in the list */
	const struct conf_target *target;	/* that it is in, or is; or NULL */
};

/* False: the schema has no such path, or what the last step belongs to is not there.  Steps are not copied. */
bool place_find(struct conf *c, const char *const *steps, struct place *p);
/* For g_free(). */
char *place_key(enum conf_object object, const void *obj);
const struct setting *place_key_row(enum conf_object object);
/* The element of a list with this key, or NULL; at may be NULL. */
void *place_element(enum conf_object object, const GPtrArray *list, const char *key, unsigned *at);
/* All of a list by their keys; a key that comes twice is its first one's.  For g_hash_table_unref(). */
GHashTable *place_index(enum conf_object object, const GPtrArray *list);

#endif
