/* SPDX-License-Identifier: Apache-2.0 */
/* count.c - counts commands and connections, and reads what was counted. */
#include "config.h"
#include <pthread.h>
#include "engine/probes.h"
#include "iscsi/cmd.h"
#include "iscsi/count.h"
#include "iscsi/portal.h"
#include "scsi/ahead.h"
#include "scsi/tally.h"

/* Who counts a command. */
enum { CMD_OF_LUN, CMD_OF_SESSION, CMD_OF_PORTAL, CMD_COUNTS };

/* ---- counting ---- */

/*
 * Of a reactor: its commands under way, and those that went one after the other and count alike.  These are added up
 * first and counted at once: of a batch that is nearly all.
 */
struct count_run {
	_Atomic uint64_t depth, depth_max;
	bool many;
	/* What they have in common, beside that they went well. */
	const struct cdb_op *op;
	const struct lun *lun;
	const struct session *session;
	uint64_t begun_ns;
	struct stats *of[CMD_COUNTS];
	uint64_t depths[CMD_COUNTS];	/* when the first of them went */
	struct stats_end end;
	char apart[64];
};

struct count_run *count_runs_new(unsigned n_reactors)
{
	return g_new0(struct count_run, n_reactors);
}

void count_runs_free(struct count_run *runs)
{
	g_free(runs);
}

static struct count_run *run_of(const struct node *n, const struct reactor *r)
{
	return &n->runs[reactor_index(r)];
}

static struct stats *of_portal(struct conn *c)
{
	struct stats_set *set = c->portal ? portal_stats(c->portal) : c->node->adopted;

	return stats_get(&set->of[reactor_index(c->reactor)]);
}

static uint64_t now(const _Atomic uint64_t *of)
{
	return atomic_load_explicit((_Atomic uint64_t *)of, memory_order_relaxed);
}

void count_begin(struct cmd *cmd)
{
	struct conn *c = cmd->conn;

	if (G_UNLIKELY(!c->counts))
		c->counts = of_portal(c);
	cmd->begun_ns = reactor_last_ns(c->reactor);
	cmd->of_portal = c->counts;
	stats_add(&c->counts->depth, 1);
	stats_add(&run_of(c->node, c->reactor)->depth, 1);
	PROBE5(command__start, cmd->session->tsih, cmd->itt, get16(cmd->task.lun_addr), cmd->task.cdb[0], cmd->edtl);
}

static void settle(struct count_run *run)
{
	unsigned bucket = stats_bucket(run->end.ns);

	if (!run->end.n)
		return;
	for (unsigned i = 0; i < CMD_COUNTS; i++)
		if (run->of[i])
			stats_end(run->of[i], &run->end, bucket, run->depths[i]);
	stats_raise(&run->depth_max, now(&run->depth));
	stats_add(&run->of[CMD_OF_PORTAL]->depth, -(uint64_t)run->end.n);
	stats_add(&run->depth, -(uint64_t)run->end.n);
	run->end.n = 0;
}

static void start_run(struct count_run *run, struct cmd *cmd)
{
	const struct task *t = &cmd->task;
	struct session *s = cmd->session;

	tally_task(t, &run->end);
	run->end.ns = reactor_last_ns(s->reactor) - cmd->begun_ns;
	run->op = t->op;
	run->lun = t->lun;
	run->session = s;
	run->begun_ns = cmd->begun_ns;
	run->of[CMD_OF_LUN] = tally_block(t);
	run->depths[CMD_OF_LUN] = tally_depth(t);
	run->of[CMD_OF_SESSION] = stats_get(&s->stats);
	run->depths[CMD_OF_SESSION] = s->n_cmds;
	run->of[CMD_OF_PORTAL] = cmd->of_portal;
	run->depths[CMD_OF_PORTAL] = now(&cmd->of_portal->depth);
}

/* Reads and writes that went well, of one batch. */
static bool continues(const struct count_run *run, const struct cmd *cmd)
{
	const struct task *t = &cmd->task;

	return run->end.n && run->begun_ns == cmd->begun_ns && run->op == t->op && run->lun == t->lun &&
	       run->session == cmd->session && run->of[CMD_OF_PORTAL] == cmd->of_portal && !run->end.error && t->op &&
	       t->status == STATUS_GOOD && !t->aborted;
}

void count_end(struct cmd *cmd)
{
	struct count_run *run = run_of(cmd->session->node, cmd->session->reactor);

	if (G_LIKELY(continues(run, cmd))) {
		run->end.n++;
		run->end.bytes += run->end.kind == STATS_READ ? cmd->task.in_len :
				  run->end.kind == STATS_WRITE ? cmd->task.out_len : 0;
	} else {
		settle(run);
		start_run(run, cmd);
	}
	PROBE5(command__done, cmd->session->tsih, cmd->itt, cmd->task.cdb[0], cmd->task.status, run->end.ns);
	if (!run->many)
		settle(run);
}

bool count_ahead_pays(const struct conn *c)
{
	return c->session && c->session->nexus && ahead_pays(c->session->nexus);
}

void count_ahead(const struct cmd *cmd)
{
	ahead_count(&cmd->task, stats_bucket(reactor_last_ns(cmd->session->reactor) - cmd->begun_ns));
}

void count_many(struct conn *c)
{
	run_of(c->node, c->reactor)->many = true;
}

void count_many_end(struct conn *c)
{
	struct count_run *run = run_of(c->node, c->reactor);

	run->many = false;
	settle(run);
}

void count_given_up(struct cmd *cmd, const struct task *old)
{
	struct stats_end e;

	tally_task(old, &e);
	e.ns = reactor_last_ns(old->reactor) - cmd->begun_ns;
	stats_end(tally_block(old), &e, stats_bucket(e.ns), tally_depth(old));
	cmd->task.lun = NULL;
	cmd->task.op = old->op;
	memcpy(cmd->task.cdb, old->cdb, sizeof cmd->task.cdb);
	cmd->task.sense_code = old->sense_code;
	cmd->task.aborted = cmd->aborting;
	cmd->task.given_up = false;
}

void count_r2t(struct cmd *cmd)
{
	struct stats *lun = tally_block(&cmd->task);

	stats_count(cmd->of_portal, STATS_R2TS);
	stats_count(stats_get(&cmd->session->stats), STATS_R2TS);
	if (lun)
		stats_count(lun, STATS_R2TS);
}

void count_login(struct conn *c, enum stats_count what)
{
	stats_count(of_portal(c), what);
}

static void count_digest(struct conn *c, enum stats_count what)
{
	stats_count(of_portal(c), what);
	if (c->session)
		stats_count(stats_get(&c->session->stats), what);
}

void count_header_digest(struct conn *c)
{
	count_digest(c, STATS_HEADER_DIGESTS);
}

/* Of a command that is not here yet, or of one that is: then it is its logical unit's as well. */
void count_data_digest(struct conn *c, const uint8_t bhs[BHS_LEN])
{
	struct session *s = c->session;
	struct cmd *cmd = s && s->nexus && (bhs[0] & OPCODE_MASK) == OP_DATA_OUT ? cmd_find(s, get32(bhs + 16)) : NULL;
	struct lun *lun = cmd ? cmd->task.lun : s && s->nexus && (bhs[0] & OPCODE_MASK) == OP_SCSI_COMMAND ?
			  nexus_find_lun(s->nexus, bhs + 8) : NULL;

	count_digest(c, STATS_DATA_DIGESTS);
	if (lun)
		stats_count(tally_block_of(lun, c->reactor), STATS_DATA_DIGESTS);
}

/* ---- reading ---- */

static void clear(gpointer data)
{
	struct count_session *s = data;

	g_free(s->initiator);
	g_free(s->target);
	stats_unref(s->stats);
}

GArray *count_sessions(struct node *n)
{
	GArray *found = g_array_new(FALSE, FALSE, sizeof(struct count_session));

	g_array_set_clear_func(found, clear);
	pthread_mutex_lock(&n->lock);
	for (GList *l = n->sessions; l; l = l->next) {
		struct session *s = l->data;
		struct stats *stats = atomic_load_explicit(&s->stats, memory_order_acquire);
		struct count_session out = {
			.tsih = s->tsih, .connections = atomic_load(&s->conns_now), .depth = s->n_cmds, .stats = stats ? stats_ref(stats) : NULL,
		};

		if (!s->target) {
			stats_unref(out.stats);
			continue;
		}
		out.initiator = g_strdup(s->initiator);
		out.target = g_strdup(s->target->name);
		g_array_append_val(found, out);
	}	/* NOLINT(memleak): the names are the array's */
	pthread_mutex_unlock(&n->lock);
	return found;
}

void count_session_sum(const struct count_session *s, struct stats_sum *sum)
{
	if (s->stats)
		stats_sum_add(sum, s->stats);
	sum->depth += s->depth;
	sum->depth_max = MAX(sum->depth_max, sum->depth);
}

unsigned count_portal(struct node *n, const struct portal *p, struct stats_sum *sum)
{
	unsigned connections;

	stats_sum_add_set(sum, portal_stats(p));
	pthread_mutex_lock(&n->lock);
	connections = portal_connections(p);
	pthread_mutex_unlock(&n->lock);
	return connections;
}

static void add_portals(const GPtrArray *portals, unsigned reactor, struct stats_sum *sum)
{
	for (guint i = 0; i < portals->len; i++)
		stats_sum_add_at(sum, &portal_stats(portals->pdata[i])->of[reactor]);
}

unsigned count_reactor(struct node *n, unsigned reactor, struct stats_sum *sum)
{
	unsigned connections;

	add_portals(n->portals, reactor, sum);
	add_portals(n->old_portals, reactor, sum);
	stats_sum_add_at(sum, &n->adopted->of[reactor]);
	stats_sum_merge(sum, &n->over[reactor]);
	sum->depth = now(&n->runs[reactor].depth);
	sum->depth_max = MAX(sum->depth, now(&n->runs[reactor].depth_max));
	pthread_mutex_lock(&n->lock);
	connections = n->n_conns[reactor];
	pthread_mutex_unlock(&n->lock);
	return connections;
}

struct over { struct stats_set *set; atomic_bool busy; };

/* A command can outlive its connection; it counts when its device lets go of it. */
static void look_here(struct reactor *r, void *arg)
{
	struct over *o = arg;
	const struct stats *s = atomic_load_explicit(&o->set->of[reactor_index(r)], memory_order_relaxed);

	if (s && now(&s->depth))
		atomic_store(&o->busy, true);
}

bool count_portal_over(struct node *n, const struct portal *p)
{
	struct over o = { .set = portal_stats(p) };

	engine_each(n->engine, look_here, &o);
	for (unsigned i = 0; i < o.set->n && !o.busy; i++)
		stats_sum_add_at(&n->over[i], &o.set->of[i]);
	return !o.busy;
}
