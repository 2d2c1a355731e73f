/* SPDX-License-Identifier: Apache-2.0 */
/* numbers.c - what a server, or a logical unit of it, has counted. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include "iscsi/count.h"
#include "lib/lib.h"
#include "scsi/tally.h"

static void put_kind(struct gotgt_stats_kind *to, const struct stats_sum_kind *k)
{
	*to = (struct gotgt_stats_kind){
		.commands = k->commands, .bytes = k->bytes, .total_ns = k->sum_ns,
		.p50_ns = stats_sum_percentile_ns(k, 500), .p99_ns = stats_sum_percentile_ns(k, 990), .max_ns = k->max_ns,
	};
}

/* As much of it as the caller knows. */
static void give(struct gotgt_stats *to, const struct stats_sum *sum)
{
	struct gotgt_stats all = { .queue_depth = sum->depth, .queue_depth_max = sum->depth_max };

	for (unsigned i = 0; i < STATS_ERRORS; i++)
		all.errors += sum->errors[i];
	put_kind(&all.read, &sum->kinds[STATS_READ]);
	put_kind(&all.write, &sum->kinds[STATS_WRITE]);
	put_kind(&all.other, &sum->kinds[STATS_OTHER]);
	all.size = MIN(to->size, sizeof all);
	memcpy(to, &all, all.size);
}

static int check(const struct gotgt_server *s, const struct gotgt_stats *stats)
{
	if (!stats || stats->size < sizeof stats->size)
		return lib_fail(EINVAL, "the size of struct gotgt_stats is not set");
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
