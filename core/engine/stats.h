/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats.h - counters, and how long commands took.  A block of them is written by one thread, without locks, and read by
 * any: what several reactors count has a block for each, summed when it is read.  What opcodes and errors are is the
 * business of who counts.
 */
#ifndef GOTGT_STATS_H
#define GOTGT_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

enum stats_kind { STATS_READ, STATS_WRITE, STATS_OTHER, STATS_KINDS };
enum stats_count {
	STATS_HEADER_DIGESTS, STATS_DATA_DIGESTS,	/* that were wrong */
	STATS_R2TS, STATS_LOGINS, STATS_LOGIN_FAILURES, STATS_COUNTS
};

#define STATS_OPCODES 72u
#define STATS_ERRORS 68u	/* 0: none */

/*
 * A histogram, log-linear: 8 buckets for each power of two of units of 128 ns, so that a bucket is at most an eighth
 * wider than what is in it; what is below 1 us is 128 ns wide.  All above 34 s is in the last one.
 */
#define STATS_UNIT_NS 128u
#define STATS_BUCKETS 208u

struct stats_histogram {
	_Atomic uint64_t sum_ns, max_ns;
	_Atomic uint64_t buckets[STATS_BUCKETS];
};

static inline unsigned stats_bucket(uint64_t ns)
{
	uint64_t unit = ns / STATS_UNIT_NS;
	unsigned power;

	if (unit < 8)
		return (unsigned)unit;
	power = 63u - (unsigned)__builtin_clzll(unit);
	return power > 27 ? STATS_BUCKETS - 1 : (power - 2) * 8 + (unsigned)(unit >> (power - 3) & 7);
}

/* What is in a bucket took less than this, and not less than the one before. */
static inline uint64_t stats_bucket_end_ns(unsigned bucket)
{
	unsigned at = bucket + 1, power = at / 8 + 2;

	return (at < 8 ? (uint64_t)at : (uint64_t)(8 + at % 8) << (power - 3)) * STATS_UNIT_NS;
}

/* One block; memory for a kind of commands comes with the first of it. */
struct stats {
	_Atomic(struct stats_histogram *) latency[STATS_KINDS];
	_Atomic uint64_t depth, depth_max;	/* commands begun and not ended; depth is 0 where somebody else has it */
	_Atomic uint64_t bytes[STATS_KINDS];
	/* So far one line of the cache, all that a command touches but its opcode. */
	_Atomic uint64_t opcodes[STATS_OPCODES], errors[STATS_ERRORS];
	_Atomic uint64_t counts[STATS_COUNTS];
	gint refs;
};

G_STATIC_ASSERT(sizeof(void *) != 8 || offsetof(struct stats, opcodes) == 64);

/* The end of n commands that are alike; bytes are those of all. */
struct stats_end {
	enum stats_kind kind;
	unsigned opcode, error, n;
	uint64_t bytes, ns;
};

struct stats *stats_new(void);
struct stats *stats_ref(struct stats *s);	/* [any] */
void stats_unref(struct stats *s);		/* [any]; NULL does nothing */

/* Only its writer writes: no need for a locked instruction. */
static inline void stats_add(_Atomic uint64_t *to, uint64_t n)
{
	atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline void stats_raise(_Atomic uint64_t *to, uint64_t n)
{
	if (G_UNLIKELY(n > atomic_load_explicit(to, memory_order_relaxed)))
		atomic_store_explicit(to, n, memory_order_relaxed);
}

static inline void stats_count(struct stats *s, enum stats_count what)
{
	stats_add(&s->counts[what], 1);
}

/* The one that comes with the first of its kind. */
struct stats_histogram *stats_histogram_new(struct stats *s, enum stats_kind kind);

/* depth: commands there were before. */
static inline void stats_end(struct stats *s, const struct stats_end *e, unsigned bucket, uint64_t depth)
{
	struct stats_histogram *h = atomic_load_explicit(&s->latency[e->kind], memory_order_relaxed);

	if (G_UNLIKELY(!h))
		h = stats_histogram_new(s, e->kind);
	stats_raise(&s->depth_max, depth);
	stats_add(&s->bytes[e->kind], e->bytes);
	stats_add(&s->opcodes[e->opcode], e->n);
	if (G_UNLIKELY(e->error))
		stats_add(&s->errors[e->error], e->n);
	stats_add(&h->buckets[bucket], e->n);
	stats_add(&h->sum_ns, e->ns * e->n);
	stats_raise(&h->max_ns, e->ns);
}

/*
 * Hints for the caches of who is about to call stats_end(); s may be NULL.  Each looks at what the one before has asked for.
 */
static inline void stats_fetch(struct stats *s, unsigned opcode)
{
	if (s) {
		__builtin_prefetch(s, 1);
		__builtin_prefetch(&s->opcodes[opcode], 1);
	}
}

static inline void stats_fetch_histogram(struct stats *s, enum stats_kind kind)
{
	if (s)
		__builtin_prefetch(atomic_load_explicit(&s->latency[kind], memory_order_relaxed), 1);
}

static inline void stats_fetch_bucket(struct stats *s, enum stats_kind kind, unsigned bucket)
{
	const struct stats_histogram *h = s ? atomic_load_explicit(&s->latency[kind], memory_order_relaxed) : NULL;

	if (h)
		__builtin_prefetch(&h->buckets[bucket], 1);
}

/* ---- a block for each reactor ---- */

struct stats_set {
	unsigned n;
	_Atomic(struct stats *) of[];
};

struct stats_set *stats_set_new(unsigned n_reactors);
void stats_set_free(struct stats_set *set);	/* NULL does nothing */

/* One that is there from the first time on; only its writer asks for it.  [the reactor that writes it] */
static inline struct stats *stats_get(_Atomic(struct stats *) *at)
{
	struct stats *s = atomic_load_explicit(at, memory_order_relaxed);

	if (G_UNLIKELY(!s)) {
		s = stats_new();
		atomic_store_explicit(at, s, memory_order_release);
	}
	return s;
}

/* ---- reading: [any], while who has the blocks does not go ---- */

struct stats_sum {
	uint64_t depth, depth_max;
	uint64_t counts[STATS_COUNTS];
	uint64_t opcodes[STATS_OPCODES], errors[STATS_ERRORS];
	struct stats_sum_kind {
		uint64_t commands, bytes, sum_ns, max_ns;
		uint64_t buckets[STATS_BUCKETS];
	} kinds[STATS_KINDS];
};

/* Add what is in a block so far; depth_max becomes what each had at most, together. */
void stats_sum_add(struct stats_sum *sum, const struct stats *s);
/* A block that may not be there yet: false. */
bool stats_sum_add_at(struct stats_sum *sum, _Atomic(struct stats *) const *at);
bool stats_sum_add_set(struct stats_sum *sum, const struct stats_set *set);
void stats_sum_merge(struct stats_sum *sum, const struct stats_sum *from);
uint64_t stats_sum_commands(const struct stats_sum *sum);
/* What `permille` of 1000 commands were not slower than; 0: there were none. */
uint64_t stats_sum_percentile_ns(const struct stats_sum_kind *k, unsigned permille);

#endif
