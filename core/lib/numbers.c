/* SPDX-License-Identifier: Apache-2.0 */
/* numbers.c - what a server, or a logical unit of it, has counted. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include "iscsi/count.h"
#include "lib/lib.h"
#include "scsi/tally.h"

/* The kinds a caller may ask for, and where: one that its struct is too short for is not asked for. */
static const struct { size_t at; enum stats_kind kind; } kinds[] = {
	{ offsetof(struct gotgt_stats, read), STATS_READ },
	{ offsetof(struct gotgt_stats, write), STATS_WRITE },
	{ offsetof(struct gotgt_stats, other), STATS_OTHER },
};

static struct gotgt_stats_kind *asked(const struct gotgt_stats *stats, size_t at)
{
	struct gotgt_stats_kind *kind = NULL;

	if (stats->size >= at + sizeof kind)
		memcpy(&kind, (const char *)stats + at, sizeof kind);
	return kind;
}

static void give_kind(struct gotgt_stats_kind *to, const struct stats_sum_kind *k)
{
	const struct gotgt_stats_kind all = {
		.size = MIN(to->size, sizeof all), .commands = k->commands, .bytes = k->bytes, .total_ns = k->sum_ns,
		.p50_ns = stats_sum_percentile_ns(k, 500), .p99_ns = stats_sum_percentile_ns(k, 990), .max_ns = k->max_ns,
	};

	memcpy(to, &all, all.size);
}

/* As much of it as the caller knows. */
static void give(struct gotgt_stats *to, const struct stats_sum *sum)
{
	struct gotgt_stats all = { .queue_depth = sum->depth, .queue_depth_max = sum->depth_max };
	struct gotgt_stats_kind *kind;

	for (unsigned i = 0; i < STATS_ERRORS; i++)
		all.errors += sum->errors[i];
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		kind = asked(to, kinds[i].at);
		if (kind)
			give_kind(kind, &sum->kinds[kinds[i].kind]);
		memcpy((char *)&all + kinds[i].at, &kind, sizeof kind);
	}
	all.size = MIN(to->size, sizeof all);
	memcpy(to, &all, all.size);
}

static int check(const struct gotgt_server *s, const struct gotgt_stats *stats)
{
	const struct gotgt_stats_kind *kind;

	if (!stats || stats->size < sizeof stats->size)
		return lib_fail(EINVAL, "the size of struct gotgt_stats is not set");
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		kind = asked(stats, kinds[i].at);
		if (kind && kind->size < sizeof kind->size)
			return lib_fail(EINVAL, "the size of struct gotgt_stats_kind is not set");
	}
	return s->running ? 0 : lib_fail(EBUSY, "the server does not run");
}

int gotgt_server_stats(struct gotgt_server *s, struct gotgt_stats *stats)
{
	g_autofree struct stats_sum *sum = g_new0(struct stats_sum, 1), *one = g_new(struct stats_sum, 1);
	struct node *n;
	int r = lib_enter(s);

	if (r)
		return r;
	r = check(s, stats);
	if (r)
		return lib_leave(s, r);
	n = server_node(s->running);
	for (unsigned i = 0; i < n->engine->n_reactors; i++) {
		memset(one, 0, sizeof *one);
		count_reactor(n, i, one);
		stats_sum_merge(sum, one);
	}
	give(stats, sum);
	return lib_leave(s, 0);
}

int gotgt_lun_stats(struct gotgt_server *s, const char *iqn, uint32_t number, struct gotgt_stats *stats)
{
	g_autofree struct stats_sum *sum = g_new0(struct stats_sum, 1);
	const struct lun *lun;
	int r = lib_enter(s);

	if (r)
		return r;
	r = check(s, stats);
	lun = !r && iqn ? server_lun(s->running, iqn, number) : NULL;
	if (!r && !lun)
		r = lib_fail(ENOENT, "target %s has no lun %u that runs", iqn ? iqn : "(none)", number);
	if (r)
		return lib_leave(s, r);
	tally_lun(lun, sum);
	give(stats, sum);
	return lib_leave(s, 0);
}
