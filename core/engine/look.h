/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look.h - how long a thread looks for more before it sleeps: as long as that pays.  What comes within the most that it
 * may look is worth looking for, a little longer each time; what takes longer ends it.  So an idle thread sleeps at once.
 */
#ifndef GOTGT_LOOK_H
#define GOTGT_LOOK_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

/* Zeroed: sleep at once. */
struct look {
	atomic_uint max_us;	/* the most, microseconds; 0: none.  [any] */
	uint64_t ns;		/* at present.  Who looks */
};

static inline uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static inline uint64_t look_max_ns(const struct look *l)
{
	return atomic_load_explicit(&l->max_us, memory_order_relaxed) * UINT64_C(1000);
}

/* It came only after a sleep, and took that long, the look before included.  least_ns: the shortest look. */
static inline void look_slept(struct look *l, uint64_t took_ns, uint64_t least_ns)
{
	uint64_t max_ns = look_max_ns(l), longer = l->ns * 2 > least_ns ? l->ns * 2 : least_ns;

	if (took_ns >= max_ns)
		l->ns = 0;
	else
		l->ns = longer < max_ns ? longer : max_ns;
}

#endif
