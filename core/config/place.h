/* SPDX-License-Identifier: Apache-2.0 */
/* place.h - a part of a configuration by its path: "targets/IQN/luns/0", "limits".  [main] */
#ifndef GOTGT_PLACE_H
#define GOTGT_PLACE_H

#include "config/conf.h"

/*
 * A group, a list, or an element of a list.  The first setting of an object in a list tells it from the others, its
 * key, when it is one value; else its place in the list does, from 0.  A portal without a name has "ADDRESS:PORT".
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
/* The same from one of its targets on; where that is in the list is not looked for.  steps are those behind it. */
bool place_find_in(const struct conf *c, const struct conf_target *t, const char *const *steps, struct place *p);
/* For g_free(); at: where it is in its list. */
char *place_key(enum conf_object object, const void *obj, unsigned at);
/* NULL: its place in the list is its key. */
const struct setting *place_key_row(enum conf_object object);
/* The element of a list with this key, or NULL; at may be NULL. */
void *place_element(enum conf_object object, const GPtrArray *list, const char *key, unsigned *at);
/* All of a list by their keys; a key that comes twice is its first one's.  For g_hash_table_unref(). */
GHashTable *place_index(enum conf_object object, const GPtrArray *list);

#endif
