/* SPDX-License-Identifier: Apache-2.0 */
/* pr.c - who is registered and who holds what, and what follows for each I_T nexus. */
#include "config.h"
#include <string.h>
#include "scsi/pr.h"
#include "scsi/task.h"

/* SPC-5 tables 77 and 78; the mask of REPORT CAPABILITIES is that of 6.16.4.3. */
static const struct pr_type types[] = {
	{ .kind = PR_WE, .bars = BAR_WRITES, .mask = 0x0200 },
	{ .kind = PR_EA, .bars = BAR_WRITES | BAR_READS, .mask = 0x0800 },
	{ .kind = PR_WE_RO, .bars = BAR_WRITES, .mask = 0x2000, .registrants = true },
	{ .kind = PR_EA_RO, .bars = BAR_WRITES | BAR_READS, .mask = 0x4000, .registrants = true },
	{ .kind = PR_WE_AR, .bars = BAR_WRITES, .mask = 0x8000, .registrants = true, .all = true },
	{ .kind = PR_EA_AR, .bars = BAR_WRITES | BAR_READS, .mask = 0x0001, .registrants = true, .all = true },
};

const struct pr_type *pr_type_of(unsigned kind)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
		if (types[i].kind == kind)
			return &types[i];
	return NULL;
}

const struct pr_type *pr_type_nth(unsigned n)
{
	return n < G_N_ELEMENTS(types) ? &types[n] : NULL;
}

/* ---- the state ---- */

struct pr_state *pr_state_new(void)
{
	struct pr_state *s = g_new0(struct pr_state, 1);

	s->regs = g_array_new(FALSE, TRUE, sizeof(struct pr_reg));
	return s;
}

struct pr_state *pr_state_copy(const struct pr_state *s)
{
	struct pr_state *copy = pr_state_new();
	GArray *regs = copy->regs;

	*copy = *s;
	copy->regs = regs;
	if (s->regs->len)
		g_array_append_vals(regs, s->regs->data, s->regs->len);
	return copy;
}

void pr_state_free(struct pr_state *s)
{
	if (s)
		g_array_unref(s->regs);
	g_free(s);
}

struct pr_reg *pr_find(const struct pr_state *s, const char *port, uint16_t rel_port)
{
	for (guint i = 0; i < s->regs->len; i++) {
		struct pr_reg *r = pr_nth(s, i);

		/* iSCSI names know no case (RFC 7143 4.2.7.1). */
		if (!r->gone && r->rel_port == rel_port && !g_ascii_strcasecmp(r->port, port))
			return r;
	}
	return NULL;
}

struct pr_reg *pr_find_nexus(const struct pr_state *s, const struct nexus *n)
{
	return pr_find(s, n->initiator_port, n->rel_port);
}

struct pr_reg *pr_add(struct pr_state *s, const char *port, uint16_t rel_port, uint64_t key)
{
	struct pr_reg r = { .key = key, .rel_port = rel_port };

	g_strlcpy(r.port, port, sizeof r.port);
	g_array_append_val(s->regs, r);
	return pr_nth(s, s->regs->len - 1);
}

bool pr_holds(const struct pr_state *s, const struct pr_reg *r)
{
	const struct pr_type *type = pr_type_of(s->kind);

	return type && !r->gone && (type->all || r->holder);
}

/* ---- what follows for a nexus ---- */

static unsigned bars_of(const struct pr *pr, const struct nexus *n)
{
	const struct pr_type *type = pr_type_of(pr->state->kind);
	unsigned bars = pr->reserved_by && pr->reserved_by != n ? BAR_RESERVED : 0;
	const struct pr_reg *r;

	if (!type)
		return bars;
	r = pr_find_nexus(pr->state, n);
	return r && (type->registrants || r->holder) ? bars : bars | type->bars;
}

/* NULL: it has sent no command yet, and will ask with its first. */
static struct nexus_lun *known(const struct nexus *n, uint32_t number)
{
	struct nexus_chunk *c = atomic_load(&((struct nexus *)n)->chunks[number / NEXUS_CHUNK]);

	return c ? &c->luns[number % NEXUS_CHUNK] : NULL;
}

/* Both locks held. */
static void tell(struct lun *lun, const struct nexus *n)
{
	struct nexus_lun *nl = known(n, lun->number);

	if (nl)
		atomic_store(&nl->bars, bars_of(lun->pr, n));
}

void pr_tell(struct lun *lun)
{
	struct target *t = lun->target;

	pthread_mutex_lock(&t->lock);
	for (guint i = 0; i < t->nexuses->len; i++)
		tell(lun, t->nexuses->pdata[i]);
	pthread_mutex_unlock(&t->lock);
}

static struct pr_reg *find_changed(const struct pr_state *s, const struct nexus *n)
{
	for (guint i = 0; i < s->regs->len; i++) {
		struct pr_reg *r = pr_nth(s, i);

		if (r->rel_port == n->rel_port && !g_ascii_strcasecmp(r->port, n->initiator_port))
			return r;
	}
	return NULL;
}

static void tell_change(struct lun *lun, const struct pr_state *s, bool allow_removal)
{
	struct target *t = lun->target;

	pthread_mutex_lock(&t->lock);
	for (guint i = 0; i < t->nexuses->len; i++) {
		struct nexus *n = t->nexuses->pdata[i];
		struct nexus_lun *nl = known(n, lun->number);
		const struct pr_reg *r = find_changed(s, n);

		tell(lun, n);
		if (r && r->ua)
			nexus_set_ua(n, lun->number, (enum ua)r->ua);
		if (r && r->gone && r->ua && nl && allow_removal)
			atomic_store(&nl->prevent, false);
	}
	pthread_mutex_unlock(&t->lock);
}

void pr_publish(struct lun *lun, struct pr_state *next, GArray *removed)
{
	struct pr *pr = lun->pr;

	pthread_mutex_lock(&pr->lock);
	pr_state_free(pr->state);
	pr->state = next;
	tell_change(lun, next, removed != NULL);
	for (guint i = next->regs->len; i-- > 0; ) {
		struct pr_reg *r = pr_nth(next, i);

		if (r->gone && r->ua && removed)
			g_array_append_vals(removed, r, 1);
		r->ua = 0;
		if (r->gone)
			g_array_remove_index(next->regs, i);
	}
	pthread_mutex_unlock(&pr->lock);
}

/* The first command of a nexus to a logical unit. */
static unsigned learn(struct lun *lun, const struct nexus *n, struct nexus_lun *nl)
{
	unsigned bars;

	pthread_mutex_lock(&lun->pr->lock);
	bars = bars_of(lun->pr, n);
	atomic_store(&nl->bars, bars);
	pthread_mutex_unlock(&lun->pr->lock);
	return bars;
}

bool pr_conflict(struct task *t, unsigned bars)
{
	const struct cdb_op *op = t->op;

	if (bars & BARS_UNKNOWN)
		bars = learn(t->lun, t->nexus, t->nl);
	if (op->free_mask && (t->cdb[4] & op->free_mask) == op->free_value)
		return false;
	return bars & (1u << op->pr) || (bars & BAR_RESERVED && !(op->flags & CDB_RESERVE_OK));
}

/* ---- life ---- */

struct pr *pr_new(const struct lun *lun, GError **error)
{
	struct pr *pr = g_new0(struct pr, 1);
	GError *failed = NULL;

	pthread_mutex_init(&pr->lock, NULL);
	g_queue_init(&pr->waiting);
	pr->state = pr_load(lun, &failed);
	if (failed) {
		g_propagate_error(error, failed);
		pr_free(pr);
		return NULL;
	}
	pr->stored = pr->state != NULL;
	if (!pr->state)
		pr->state = pr_state_new();
	return pr;
}

void pr_free(struct pr *pr)
{
	if (!pr)
		return;
	pr_state_free(pr->state);
	pthread_mutex_destroy(&pr->lock);
	g_free(pr);
}

/* SPC-2 5.5.1: what RESERVE took ends with a reset and with the loss of its nexus. */
void pr_unreserve(struct lun *lun, const struct nexus *of)
{
	struct pr *pr = lun->pr;

	pthread_mutex_lock(&pr->lock);
	if (pr->reserved_by && (!of || pr->reserved_by == of)) {
		pr->reserved_by = NULL;
		pr_tell(lun);
	}
	pthread_mutex_unlock(&pr->lock);
}

void pr_nexus_gone(const struct nexus *n)
{
	struct lun_map *map = atomic_load_explicit(&n->target->map, memory_order_acquire);

	for (uint32_t i = 0; i < map->n; i++)
		if (map->luns[i])
			pr_unreserve(map->luns[i], n);
}
