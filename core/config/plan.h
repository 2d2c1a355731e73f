/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - the next configuration on its way, for the files that bring it there.  [main] */
#ifndef GOTGT_PLAN_H
#define GOTGT_PLAN_H

#include "config/server-internal.h"
#include "engine/log.h"

struct plan {
	struct server *s;
	const struct conf *next;
	bool part;			/* next has one target alone, see server_apply_part() */
	GPtrArray *old;			/* struct run_target that run, and may change or go */
	GPtrArray *portals;		/* struct run_portal, as next lists them */
	GPtrArray *bound;		/* struct portal, new here */
	GHashTable *targets;		/* name -> struct run_target of next; not owned */
	GHashTable *confs;		/* name -> struct conf_target of next */
	const struct conf_target *indexed;	/* the one of next whose LUNs are in numbers */
	GHashTable *numbers;		/* number -> struct conf_lun */
	GPtrArray *made;		/* struct run_target, new here */
	GPtrArray *luns;		/* struct new_lun */
	GHashTable *auths;		/* of accounts_make() */
	GHashTable *files;		/* run_lun_file() of what luns opens */
	GArray *undo;			/* struct undo */
	unsigned changes;
};

/* A line of the log, and one change more. */
#define plan_changed(p, ...) plan_changed_of(p, LOG_NO_FIELDS, __VA_ARGS__)
void plan_changed_of(struct plan *p, struct log_fields of, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* Bind those that are new, to p->portals; what was bound is in p->bound even when it fails. */
bool portals_prepare(struct plan *p, GError **error);
/* One of p->portals, by name; plan is the struct plan.  NULL: none. */
struct portal *portals_find(const void *plan, const char *name);
/* Tell what is announced of it, where that is something else than before portals_commit(). */
void portals_advertise(struct plan *p, const struct run_portal *rp);
/* Close those that are no more; p->portals are the server's from here. */
void portals_commit(struct plan *p);

#endif
