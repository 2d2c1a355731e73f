/* SPDX-License-Identifier: Apache-2.0 */
/* counters.h - what a daemon has counted, and what of it between two answers.  [main] */
#ifndef GOTGT_COUNTERS_H
#define GOTGT_COUNTERS_H

#include <stdbool.h>
#include <json-glib/json-glib.h>
#include <stdint.h>

struct bucket {
	double upper_us;
	uint64_t count;
};

struct latency {
	uint64_t count;
	double sum_us, max_us;
	GArray *buckets;	/* struct bucket, by upper_us; those that are not empty */
};

enum { OP_READ, OP_WRITE, OP_OTHER, OPS };

struct op {
	uint64_t commands, bytes;
	struct latency latency;
};

struct counters {
	uint64_t commands, errors, queue_depth, queue_depth_max;
	struct op ops[OPS];
};

enum counted_kind { COUNTED_REACTOR, COUNTED_PORTAL, COUNTED_TARGET, COUNTED_LU, COUNTED_SESSION, COUNTED_KINDS };
extern const char *const counted_names[COUNTED_KINDS + 1];	/* "reactor"; ends with NULL */

/* What has counters of its own. */
struct counted {
	enum counted_kind kind;
	char *name, *target, *initiator;	/* NULL: it has none */
	struct counters counters;
};

/* An answer of /v1/stats.  What it does not have is 0. */
struct reading {
	double uptime_s;
	GPtrArray *of[COUNTED_KINDS];	/* struct counted */
};
struct reading *reading_new(JsonNode *answer);
void reading_free(struct reading *r);
/* Leave in it what is of a target, and logical units of that number; NULL: of all. */
void reading_narrow(struct reading *r, const char *target, const char *lun);

/* All of them in one, as if all commands were of one kind. */
void latency_all(const struct counters *c, struct latency *all);
void latency_clear(struct latency *l);
double latency_avg_us(const struct latency *l);
/* The latency that so many of 1000 commands stay within: the upper end of a bucket, and never more than the longest. */
double latency_quantile_us(const struct latency *l, unsigned permille);

/* What happened between two readings. */
struct rates {
	const struct counted *of;	/* of the later one */
	double iops, read_bytes_s, write_bytes_s, avg_us, p99_us;
	uint64_t queue_depth, errors;
};
/* A rates for each object of a kind.  before: NULL, or of a daemon that has started anew since: all there is, is new. */
GArray *rates_new(const struct reading *now, const struct reading *before, enum counted_kind kind, double seconds);
/* The seconds between them. */
double reading_seconds(const struct reading *now, const struct reading *before);
/* All of them together: p99 is that of all commands. */
struct rates rates_sum(const struct reading *now, const struct reading *before, enum counted_kind kind, double seconds);

/* "950us", "1.23ms"; "-": there was none. */
char *format_us(double us);
/* "1.5M"; digits and a unit of 1000. */
char *format_count(double n);

#endif
