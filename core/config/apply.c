/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply.c - from the configuration that runs to the next one, all or nothing.
 *
 * 1. prepare: bind new portals, make new targets, open the devices of new LUNs.
 * 2. switch: close LUNs whose place or file a new one needs, add new ones, change changed ones;
 *    each step leaves a note of how to undo it.
 * 3. commit, which cannot fail: publish new targets, tell the node what changed, remove the rest.
 */
#include "config.h"
#include <string.h>
#include "config/accounts.h"
#include "config/acls.h"
#include "config/plan.h"
#include "engine/log.h"
#include "scsi/alua.h"

#define LOG_DOMAIN LOGD_CONFIG

/* What an initiator may take to end its commands and log out when its target goes. */
#define REMOVE_GRACE_MS 2000u

/* A step of the switch, as its undoing needs it. */
struct undo {
	enum { ADDED, CLOSED, CHANGED } what;
	struct run_target *rt;
	const struct conf_lun *old;	/* in the configuration that runs; ADDED: what was left out there, or NULL */
	uint32_t number;
	struct file_id id;	/* CLOSED: of its file */
};

struct new_lun {
	struct run_target *rt;
	const struct conf_lun *conf;
	struct device *dev;	/* NULL: it can only be opened when another is closed */
	bool may_fail;
};

/* ---- what is the same ---- */

/* Settings that a running LUN can change; for any other its device is opened anew. */
static bool changes_in_place(const struct setting *s)
{
	static const size_t offsets[] = {
		offsetof(struct conf_lun, thin), offsetof(struct conf_lun, io_timeout_s), offsetof(struct conf_lun, serial),
		offsetof(struct conf_lun, vendor), offsetof(struct conf_lun, product),
		offsetof(struct conf_lun, online), offsetof(struct conf_lun, naa),
	};

	for (size_t i = 0; i < G_N_ELEMENTS(offsets); i++)
		if (s->offset == offsets[i])
			return true;
	return false;
}

bool server_same_device(const struct conf_lun *a, const struct conf_lun *b)
{
	const struct setting *s = NULL;

	while ((s = schema_next(CONF_LUN, s)))
		if (!changes_in_place(s) && !setting_equal(s, a, b))
			return false;
	return a->module == b->module && a->context == b->context;
}

/* Of a target of next.  All LUNs of one are asked for in turn, so the last one's index is kept. */
static const struct conf_lun *find_lun(struct plan *p, const struct conf_target *t, uint32_t number)
{
	if (p->indexed != t) {
		g_hash_table_remove_all(p->numbers);
		for (unsigned i = 0; i < t->luns->len; i++) {
			struct conf_lun *l = t->luns->pdata[i];

			g_hash_table_insert(p->numbers, GUINT_TO_POINTER(l->number), l);
		}
		p->indexed = t;
	}
	return g_hash_table_lookup(p->numbers, GUINT_TO_POINTER(number));
}

/* ---- prepare ---- */

/* Does a LUN that runs have this file open? */
static bool waits_for_another(const struct plan *p, const char *key)
{
	return key && g_hash_table_contains(p->s->files, key);
}

/* It did not open: a failure of the whole, or a LUN that is left out. */
static bool left_out(struct run_target *rt, const struct conf_lun *conf, bool may, GError *why, GError **error)
{
	if (!may) {
		g_propagate_error(error, why);
		return false;
	}
	log_error("%s", why->message);
	g_error_free(why);
	if (!run_target_lun(rt, conf->number))
		run_lun_left_out(rt, conf);
	return true;
}

/* A LUN of next that does not run as it is. */
static bool prepare_lun(struct plan *p, struct run_target *rt, const struct conf_lun *conf, bool may_fail,
			GError **error)
{
	struct new_lun *nl = g_new0(struct new_lun, 1);
	char *key = run_lun_file(p->s, conf);

	nl->rt = rt;
	nl->conf = conf;
	nl->may_fail = may_fail;
	g_ptr_array_add(p->luns, nl);
	if (!waits_for_another(p, key)) {
		g_autoptr(GError) why = NULL;

		nl->dev = run_lun_device(p->s, rt->conf, conf, &why);
		if (!nl->dev) {
			g_ptr_array_remove_index(p->luns, p->luns->len - 1);
			g_free(key);
			return left_out(rt, conf, may_fail, g_steal_pointer(&why), error);
		}
	} else if (run_lun_is_lost_when_closed(p->s, key)) {
		g_set_error(error, SERVER_ERROR, 0, "target %s lun %u: %s was deleted or replaced since it was opened: what is open would "
			    "be lost; remove the LUN that has it first", rt->conf->iqn, conf->number, strchr(key, ':') + 1);
		g_free(key);
		return false;
	}
	if (key)
		g_hash_table_add(p->files, key);
	return true;
}

static bool prepare_luns(struct plan *p, struct run_target *rt, const struct conf_target *t, GError **error)
{
	for (unsigned i = 0; i < t->luns->len; i++) {
		const struct conf_lun *l = t->luns->pdata[i];
		struct run_lun *rl = run_target_lun(rt, l->number);
		bool same = rl && server_same_device(rl->conf, l);
		bool may_fail = p->s->started ? same && !rl->lun : p->s->skip_broken;

		if (!(same && rl->lun) && !prepare_lun(p, rt, l, may_fail, error))
			return false;
	}
	return true;
}

static bool prepare_targets(struct plan *p, GError **error)
{
	for (unsigned i = 0; i < p->next->targets->len; i++) {
		const struct conf_target *t = p->next->targets->pdata[i];
		struct run_target *rt = g_hash_table_lookup(p->s->targets, t->iqn);

		if (!rt) {
			rt = run_target_new(p->s, t);
			g_ptr_array_add(p->made, rt);
		}
		g_hash_table_insert(p->targets, t->iqn, rt);
		g_hash_table_insert(p->confs, t->iqn, (gpointer)t);
		if (!prepare_luns(p, rt, t, error))
			return false;
	}
	return true;
}

/* ---- switch ---- */

static const struct conf_target *next_target(const struct plan *p, const struct run_target *rt)
{
	return g_hash_table_lookup(p->confs, rt->conf->iqn);
}

static const struct conf_lun *next_lun(struct plan *p, const struct run_target *rt, const struct run_lun *rl)
{
	const struct conf_target *t = next_target(p, rt);

	return t ? find_lun(p, t, rl->conf->number) : NULL;
}

/* Its number, or its file, is needed by a new one. */
static bool in_the_way(struct plan *p, const struct run_target *rt, const struct run_lun *rl)
{
	const struct conf_lun *l = next_lun(p, rt, rl);

	if (!rl->lun)
		return false;
	if (l)
		return !server_same_device(rl->conf, l);
	return rl->file && g_hash_table_contains(p->files, rl->file);
}

static void note(struct plan *p, int what, struct run_target *rt, const struct conf_lun *old, uint32_t number)
{
	struct undo u = { .what = what, .rt = rt, .old = old, .number = number };

	g_array_append_val(p->undo, u);
}

static void close_old(struct plan *p, struct run_target *rt)
{
	g_autoptr(GList) luns = g_hash_table_get_values(rt->luns);

	for (GList *e = luns; e; e = e->next) {
		struct run_lun *rl = e->data;
		const struct conf_lun *old = rl->conf;

		if (!in_the_way(p, rt, rl))
			continue;
		note(p, CLOSED, rt, old, old->number);
		g_array_index(p->undo, struct undo, p->undo->len - 1).id = rl->id;
		run_lun_close(p->s, rt, old->number);
	}
}

static bool open_new(struct plan *p, struct new_lun *nl, GError **error)
{
	const struct run_lun *before = run_target_lun(nl->rt, nl->conf->number);
	const struct conf_lun *old = before ? before->conf : NULL;
	GError *why = NULL;

	if (run_lun_open(p->s, nl->rt, nl->conf, g_steal_pointer(&nl->dev), &why)) {
		note(p, ADDED, nl->rt, old, nl->conf->number);
		return true;
	}
	return left_out(nl->rt, nl->conf, nl->may_fail, why, error);
}

static bool change_kept(struct plan *p, struct run_target *rt, GError **error)
{
	GHashTableIter it;
	gpointer value;

	g_hash_table_iter_init(&it, rt->luns);
	while (g_hash_table_iter_next(&it, NULL, &value)) {
		struct run_lun *rl = value;
		const struct conf_lun *l = next_lun(p, rt, rl);
		struct lun_conf lc;

		if (!l || !rl->lun || l == rl->conf || schema_equal(CONF_LUN, l, rl->conf))
			continue;
		lc = run_lun_conf(l);
		if (!lun_reconfigure(rl->lun, &lc, error)) {
			g_prefix_error(error, "target %s lun %u: ", rt->conf->iqn, l->number);
			return false;
		}
		note(p, CHANGED, rt, rl->conf, l->number);
	}
	return true;
}

static bool switch_luns(struct plan *p, GError **error)
{
	for (unsigned i = 0; i < p->old->len; i++)
		close_old(p, p->old->pdata[i]);
	for (unsigned i = 0; i < p->luns->len; i++)
		if (!open_new(p, p->luns->pdata[i], error))
			return false;
	for (unsigned i = 0; i < p->old->len; i++)
		if (!change_kept(p, p->old->pdata[i], error))
			return false;
	return true;
}

/* Nothing else in its place: a setting to make the file would make an empty one. */
static bool open_again(struct plan *p, const struct undo *u, GError **error)
{
	g_autofree char *file = run_lun_file(p->s, u->old);

	if (run_lun_file_stays(file, &u->id))
		return run_lun_open(p->s, u->rt, u->old, NULL, error);
	g_set_error(error, SERVER_ERROR, 0, "target %s lun %u: %s was deleted or replaced", u->rt->conf->iqn, u->number,
		    strchr(file, ':') + 1);
	return false;
}

static void undo_step(struct plan *p, const struct undo *u)
{
	g_autoptr(GError) error = NULL;
	struct lun_conf lc;
	bool ok = true;

	switch (u->what) {
	case ADDED:
		run_lun_close(p->s, u->rt, u->number);
		if (u->old)
			run_lun_left_out(u->rt, u->old);
		break;
	case CLOSED:
		ok = open_again(p, u, &error);
		if (!ok)
			run_lun_left_out(u->rt, u->old);
		break;
	case CHANGED:
		lc = run_lun_conf(u->old);
		ok = lun_reconfigure(run_target_lun(u->rt, u->number)->lun, &lc, &error);
		break;
	}
	if (!ok)
		log_error("%s: cannot be brought back", error->message);
}

static void undo_all(struct plan *p)
{
	while (p->undo->len) {
		undo_step(p, &g_array_index(p->undo, struct undo, p->undo->len - 1));
		g_array_set_size(p->undo, p->undo->len - 1);
	}
	for (unsigned i = 0; i < p->luns->len; i++) {
		struct new_lun *nl = p->luns->pdata[i];

		if (nl->dev)
			device_close(nl->dev);
	}
	for (unsigned i = 0; i < p->made->len; i++)
		run_target_free(p->made->pdata[i]);
	for (unsigned i = 0; i < p->bound->len; i++)
		node_remove_portal(p->s->node, p->bound->pdata[i]);
	node_forget_portals(p->s->node);
}

/* ---- commit ---- */

void plan_changed_of(struct plan *p, struct log_fields of, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (log_enabled(LOG_DOMAIN, GOTGT_LOG_INFO))
		log_vwrite(LOG_DOMAIN, GOTGT_LOG_INFO, __func__, of, fmt, ap);
	va_end(ap);
	p->changes++;
}

static void lun_changed(struct plan *p, const struct conf_target *t, uint32_t number, const char *how)
{
	plan_changed_of(p, LOG_LUN(t->iqn, number), "target %s lun %u: %s", t->iqn, number, how);
}

static bool same_pointers(const GPtrArray *a, const GPtrArray *b)
{
	return a->len == b->len && (!a->len || memcmp(a->pdata, b->pdata, a->len * sizeof *a->pdata) == 0);
}

static void publish_groups(struct plan *p, struct run_target *rt, const struct conf_target *t)
{
	g_autoptr(GArray) tags = g_array_new(FALSE, FALSE, sizeof(struct portal_tag));
	struct alua_group groups[ALUA_GROUPS_MAX];

	for (unsigned i = 0; i < t->groups->len; i++) {
		const struct conf_group *g = t->groups->pdata[i];

		groups[i] = (struct alua_group){ (uint16_t)g->tag, (uint8_t)g->state, g->preferred };
		for (char **name = g->portals; name && *name; name++) {
			struct portal_tag tag = { portals_find(p, *name), (uint16_t)g->tag };

			g_array_append_val(tags, tag);
		}
	}
	node_set_tags(p->s->node, rt->node, (const struct portal_tag *)(void *)tags->data, tags->len);
	target_set_groups(rt->scsi, groups, t->groups->len, t->explicit_alua);
}

static void publish(struct plan *p, const struct conf_target *t)
{
	struct run_target *rt = g_hash_table_lookup(p->targets, t->iqn);
	GPtrArray *portals = g_ptr_array_new();
	const struct node_redirect to = { t->redirect.address, t->redirect.permanent, t->redirect.balance };
	struct node_access access = { .single_initiator = t->single_initiator, .max_sessions = t->max_sessions };

	for (char **name = t->portals; name && *name; name++)
		g_ptr_array_add(portals, portals_find(p, *name));
	access.auth = auth_ref(g_hash_table_lookup(p->auths, t));
	access.acl = acls_make(t, portals_find, p);
	if (rt->node)	/* before it can be reached by other ways */
		node_set_access(p->s->node, rt->node, &access);
	if (!rt->node) {
		rt->node = node_add_target_access(p->s->node, t->iqn, t->alias, rt->scsi, &t->iscsi,
						  (struct portal *const *)portals->pdata, portals->len, &access);
		g_hash_table_insert(p->s->targets, g_strdup(t->iqn), rt);
		plan_changed_of(p, LOG_TARGET(t->iqn), "target %s: added", t->iqn);
	} else if (!same_pointers(rt->portals, portals) || g_strcmp0(rt->conf->alias, t->alias) ||
		   rt->conf->explicit_alua != t->explicit_alua ||
		   !setting_equal(schema_find(CONF_TARGET, "port-groups"), rt->conf, t) ||
		   acls_differ(rt->conf, t) || !schema_equal(CONF_REDIRECT, &rt->conf->redirect, &t->redirect) ||
		   !schema_equal(CONF_ISCSI, &rt->conf->iscsi, &t->iscsi)) {
		node_update_target(p->s->node, rt->node, t->alias, &t->iscsi,
				   (struct portal *const *)portals->pdata, portals->len);
		plan_changed_of(p, LOG_TARGET(t->iqn), "target %s: changed", t->iqn);
	}
	node_set_redirect(p->s->node, rt->node, &to);
	g_ptr_array_unref(rt->portals);
	rt->portals = portals;
	publish_groups(p, rt, t);
}

/* LUNs and whole targets that next does not have. */
static void remove_rest(struct plan *p, struct run_target *rt)
{
	g_autoptr(GList) luns = g_hash_table_get_values(rt->luns);
	const struct conf_target *t = next_target(p, rt);

	if (!t) {
		plan_changed_of(p, LOG_TARGET(rt->conf->iqn), "target %s: removed", rt->conf->iqn);
		node_remove_target(p->s->node, rt->node, REMOVE_GRACE_MS);
		rt->node = NULL;
	}
	for (GList *e = luns; e; e = e->next) {
		struct run_lun *rl = e->data;
		const struct conf_lun *l = t ? find_lun(p, t, rl->conf->number) : NULL;

		if (l) {
			rl->conf = l;
			continue;
		}
		if (t)
			lun_changed(p, rt->conf, rl->conf->number, "removed");
		run_lun_close(p->s, rt, rl->conf->number);
	}
	if (t)
		rt->conf = t;
	else
		g_hash_table_remove(p->s->targets, rt->conf->iqn);
}

static void commit_targets(struct plan *p)
{
	for (unsigned i = 0; i < p->undo->len; i++) {
		static const char *const words[] = { [ADDED] = "added", [CLOSED] = "closed", [CHANGED] = "changed" };
		const struct undo *u = &g_array_index(p->undo, struct undo, i);

		lun_changed(p, u->rt->conf, u->number, words[u->what]);
	}
	for (unsigned i = 0; i < p->next->targets->len; i++)
		publish(p, p->next->targets->pdata[i]);
	for (unsigned i = 0; i < p->old->len; i++)
		remove_rest(p, p->old->pdata[i]);
}

/* A reload is when an operator expects us to see what he did to the files. */
static void look_at_sizes(struct plan *p)
{
	GHashTableIter it, luns;
	gpointer rt, rl;

	g_hash_table_iter_init(&it, p->targets);
	while (g_hash_table_iter_next(&it, NULL, &rt)) {
		g_hash_table_iter_init(&luns, ((struct run_target *)rt)->luns);
		while (g_hash_table_iter_next(&luns, NULL, &rl))
			if (((struct run_lun *)rl)->lun)
				device_look(lun_device(((struct run_lun *)rl)->lun));
	}
}

/* What is not of targets. */
static void commit_rest(struct plan *p, struct conf *next)
{
	const struct setting *s = NULL;

	while ((s = schema_next(CONF_TOP, s)))
		if (s->restart && p->s->started && !setting_equal(s, p->s->conf, next))
			log_warning("%s: the change takes effect at the next start", s->name);
	node_set_auth(p->s->node, NULL, auth_ref(g_hash_table_lookup(p->auths, next)));
	portals_commit(p);
	conf_set_log(next);
	for (unsigned i = 0; i < p->s->engine->n_reactors; i++)
		reactor_set_poll(p->s->engine->reactors[i], next->poll_us);
	workers_set_look(p->s->engine->workers, next->poll_us);
	conf_free(p->s->conf);
	p->s->conf = next;
}

/* The one target of next has its place among those that run. */
static void commit_one(struct plan *p, struct conf *next, struct conf_target *before)
{
	struct conf_target *t = next->targets->len ? g_ptr_array_steal_index(next->targets, 0) : NULL;
	GPtrArray *all = p->s->conf->targets;
	guint at;

	if (before && g_ptr_array_find(all, before, &at)) {
		if (t)
			all->pdata[at] = t;
		else
			g_ptr_array_remove_index(all, at);
		schema_free(CONF_TARGET, before);
	} else if (t) {
		g_ptr_array_add(all, t);
	}
	conf_free(next);
}

static void commit(struct plan *p, struct conf *next)
{
	const struct run_target *rt = p->part && p->old->len ? p->old->pdata[0] : NULL;
	struct conf_target *before = rt ? (struct conf_target *)rt->conf : NULL;

	for (unsigned i = 0; i < p->portals->len && !p->part; i++)
		portals_advertise(p, p->portals->pdata[i]);
	commit_targets(p);
	look_at_sizes(p);
	if (p->part)
		commit_one(p, next, before);
	else
		commit_rest(p, next);
	if (p->s->started && !p->changes)
		log_info("configuration: nothing changed");
}

static bool prepare_all(struct plan *p, GError **error)
{
	GHashTableIter it;
	gpointer rt;

	g_hash_table_iter_init(&it, p->s->targets);
	while (g_hash_table_iter_next(&it, NULL, &rt))
		g_ptr_array_add(p->old, rt);
	return portals_prepare(p, error);
}

static void prepare_one(struct plan *p, const char *iqn)
{
	struct run_target *rt = g_hash_table_lookup(p->s->targets, iqn);

	p->part = true;
	if (rt)
		g_ptr_array_add(p->old, rt);
	g_ptr_array_unref(p->portals);
	p->portals = g_ptr_array_ref(p->s->portals);
}

static void plan_free(struct plan *p)
{
	if (p->portals)
		g_ptr_array_unref(p->portals);
	g_ptr_array_unref(p->bound);
	g_ptr_array_unref(p->old);
	g_hash_table_unref(p->targets);
	g_hash_table_unref(p->confs);
	g_hash_table_unref(p->numbers);
	g_ptr_array_unref(p->made);
	g_ptr_array_unref(p->luns);
	g_hash_table_unref(p->files);
	g_hash_table_unref(p->auths);
	g_array_unref(p->undo);
}

/* iqn NULL: all of it. */
static bool apply(struct server *s, struct conf *conf, const char *iqn, GError **error)
{
	struct plan p = {
		.s = s, .next = conf, .old = g_ptr_array_new(),
		.portals = g_ptr_array_new_with_free_func(g_free), .bound = g_ptr_array_new(),
		.targets = g_hash_table_new(g_str_hash, g_str_equal), .made = g_ptr_array_new(),
		.confs = g_hash_table_new(g_str_hash, g_str_equal), .numbers = g_hash_table_new(NULL, NULL),
		.luns = g_ptr_array_new_with_free_func(g_free),
		.files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
		.auths = accounts_table_new(),
		.undo = g_array_new(FALSE, FALSE, sizeof(struct undo)),
	};
	bool ok = true;

	target_free_left(s->engine);	/* what it has open may be wanted */

	if (iqn)
		prepare_one(&p, iqn);
	else
		ok = prepare_all(&p, error);
	ok = ok && accounts_make(p.next, p.auths, error) && prepare_targets(&p, error) && switch_luns(&p, error);
	if (ok) {
		commit(&p, conf);
	} else {
		undo_all(&p);
		conf_free(conf);
	}
	plan_free(&p);
	return ok;
}

bool server_apply(struct server *s, struct conf *conf, GError **error)
{
	return apply(s, conf, NULL, error);
}

bool server_apply_part(struct server *s, struct conf *part, const char *iqn, GError **error)
{
	return apply(s, part, iqn, error);
}
