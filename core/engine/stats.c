/* SPDX-License-Identifier: Apache-2.0 */
/* stats.c - blocks of counters come, are summed, and go. */
#include "config.h"
#include "engine/lines.h"
#include "engine/stats.h"

struct stats *stats_new(void)
{
	struct stats *s = lines_new0(sizeof *s);

	s->refs = 1;
	return s;
}

struct stats *stats_ref(struct stats *s)
{
	g_atomic_int_inc(&s->refs);
	return s;
}

void stats_unref(struct stats *s)
{
	if (!s || !g_atomic_int_dec_and_test(&s->refs))
		return;
	for (unsigned kind = 0; kind < STATS_KINDS; kind++)
		free(atomic_load_explicit(&s->latency[kind], memory_order_relaxed));
	free(s);
}

struct stats_histogram *stats_histogram_new(struct stats *s, enum stats_kind kind)
{
	struct stats_histogram *h = lines_new0(sizeof *h);

	atomic_store_explicit(&s->latency[kind], h, memory_order_release);
	return h;
}

struct stats_set *stats_set_new(unsigned n_reactors)
{
	struct stats_set *set = g_malloc0(sizeof *set + n_reactors * sizeof set->of[0]);

	set->n = n_reactors;
	return set;
}

void stats_set_free(struct stats_set *set)
{
	for (unsigned i = 0; set && i < set->n; i++)
		stats_unref(atomic_load_explicit(&set->of[i], memory_order_relaxed));
	g_free(set);
}

/* ---- reading ---- */

static uint64_t now(const _Atomic uint64_t *from)
{
	return atomic_load_explicit((_Atomic uint64_t *)from, memory_order_relaxed);
}

static void add_all(uint64_t *to, const _Atomic uint64_t *from, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		to[i] += now(&from[i]);
}

static void add_kind(struct stats_sum_kind *to, const struct stats *s, enum stats_kind kind)
{
	const struct stats_histogram *h = atomic_load_explicit(&((struct stats *)s)->latency[kind], memory_order_acquire);

	to->bytes += now(&s->bytes[kind]);
	if (!h)
		return;
	to->sum_ns += now(&h->sum_ns);
	to->max_ns = MAX(to->max_ns, now(&h->max_ns));
	for (unsigned i = 0; i < STATS_BUCKETS; i++) {
		uint64_t n = now(&h->buckets[i]);

		to->buckets[i] += n;
		to->commands += n;
	}
}

void stats_sum_add(struct stats_sum *sum, const struct stats *s)
{
	sum->depth += now(&s->depth);
	sum->depth_max += MAX(now(&s->depth), now(&s->depth_max));
	add_all(sum->counts, s->counts, STATS_COUNTS);
	add_all(sum->opcodes, s->opcodes, STATS_OPCODES);
	add_all(sum->errors, s->errors, STATS_ERRORS);
	for (unsigned kind = 0; kind < STATS_KINDS; kind++)
		add_kind(&sum->kinds[kind], s, kind);
}

bool stats_sum_add_at(struct stats_sum *sum, _Atomic(struct stats *) const *at)
{
	const struct stats *s = atomic_load_explicit((_Atomic(struct stats *) *)at, memory_order_acquire);

	if (s)
		stats_sum_add(sum, s);
	return s;
}

bool stats_sum_add_set(struct stats_sum *sum, const struct stats_set *set)
{
	bool any = false;

	for (unsigned i = 0; i < set->n; i++)
		any = stats_sum_add_at(sum, &set->of[i]) || any;
	return any;
}

static void merge_all(uint64_t *to, const uint64_t *from, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		to[i] += from[i];
}

void stats_sum_merge(struct stats_sum *sum, const struct stats_sum *from)
{
	sum->depth += from->depth;
	sum->depth_max += from->depth_max;
	merge_all(sum->counts, from->counts, STATS_COUNTS);
	merge_all(sum->opcodes, from->opcodes, STATS_OPCODES);
	merge_all(sum->errors, from->errors, STATS_ERRORS);
	for (unsigned kind = 0; kind < STATS_KINDS; kind++) {
		struct stats_sum_kind *to = &sum->kinds[kind];
		const struct stats_sum_kind *k = &from->kinds[kind];

		to->commands += k->commands;
		to->bytes += k->bytes;
		to->sum_ns += k->sum_ns;
		to->max_ns = MAX(to->max_ns, k->max_ns);
		merge_all(to->buckets, k->buckets, STATS_BUCKETS);
	}
}

uint64_t stats_sum_commands(const struct stats_sum *sum)
{
	uint64_t n = 0;

	for (unsigned kind = 0; kind < STATS_KINDS; kind++)
		n += sum->kinds[kind].commands;
	return n;
}

/* The end of the bucket that has it, and no more than the slowest. */
uint64_t stats_sum_percentile_ns(const struct stats_sum_kind *k, unsigned permille)
{
	uint64_t rank = k->commands / 1000 * permille + (k->commands % 1000 * permille + 999) / 1000, n = 0;

	if (!k->commands)
		return 0;
	for (unsigned i = 0; i < STATS_BUCKETS - 1; i++) {
		n += k->buckets[i];
		if (n && n >= rank)
			return MIN(stats_bucket_end_ns(i), MAX(k->max_ns, 1));
	}
	return k->max_ns;
}
