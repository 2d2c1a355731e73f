/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bufpool.c - free lists by power of two, trimmed when traffic ends; and slabs, of a huge page each, for data of devices: their
 * driver gets a descriptor for each piece of memory that is not behind the last one.
 */
#include "config.h"
#include <stdlib.h>
#include <sys/mman.h>
#include "engine/bufpool.h"
#include "engine/reactor.h"
#include "engine/sanitized.h"

/* AddressSanitizer knows of what comes from the allocator; of what is mapped it sees neither the end nor a use after it. */
#if SANITIZED_ADDRESS
#include <sanitizer/asan_interface.h>
#endif

#define CLASSES 12			/* 4 KiB ... 8 MiB */
#define KEEP_BYTES (32u << 20)		/* free buffers kept while there is traffic */
#define TRIM_MS 5000

#define SLAB (2u << 20)			/* a huge page of most machines */
#define UNITS 64u
#define UNIT (SLAB / UNITS)
#define ALL_UNITS UINT64_MAX
#define SEARCHED 32u			/* slabs that are looked at for room */

G_STATIC_ASSERT(BUF_MIN << (CLASSES - 1) == BUF_MAX);

struct slab {
	GList link;		/* in `slabs`, while any of it is free; data is the slab */
	uint8_t *data;
	uint64_t free;		/* a bit for each unit */
	struct buf bufs[UNITS];	/* by the first unit */
};

struct bufpool {
	struct reactor *reactor;
	struct buf *free[CLASSES];
	size_t in_use, kept;	/* kept: in `free` */
	size_t low;		/* least `kept` since the timer was set: what was not needed */
	GQueue slabs;		/* those that are wholly free last */
	unsigned whole;		/* how many of them are */
	unsigned whole_low;	/* the least of that since the timer was set */
	size_t slab_free;	/* bytes free in slabs */
	struct timer trim;
};

static unsigned class_of(size_t size)
{
	return size <= BUF_MIN ? 0 : (unsigned)g_bit_storage((size - 1) / BUF_MIN);
}

#if SANITIZED_ADDRESS
static void *map(size_t size) { return aligned_alloc(BUF_MIN, size); }
static void keep(struct buf *b) { ASAN_POISON_MEMORY_REGION(b->data, b->size); }

/* Only what was asked for may be used, not what the class has above it. */
static void lend(struct buf *b, size_t size)
{
	keep(b);
	ASAN_UNPOISON_MEMORY_REGION(b->data, size);
}

static void unmap(struct buf *b)
{
	lend(b, b->size);
	free(b->data);
}
#else
static void *map(size_t size)
{
	/* NOLINTNEXTLINE(invalidFunctionArg): mmap(2) wants -1 with MAP_ANONYMOUS */
	void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return data == MAP_FAILED ? NULL : data;	/* NOLINT(memleak): it is what is returned */
}

static void lend(struct buf *b, size_t size) { }
static void keep(struct buf *b) { }
static void unmap(struct buf *b) { munmap(b->data, b->size); }
#endif

static void destroy(struct buf *b)
{
	unmap(b);
	g_free(b);
}

/* ---- slabs ---- */

/* Mapped to a boundary of its size, or it would not be one page. */
static uint8_t *map_slab(void)
{
	/* NOLINTNEXTLINE(invalidFunctionArg): mmap(2) wants -1 with MAP_ANONYMOUS */
	uint8_t *at = mmap(NULL, 2 * SLAB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *data;
	size_t before;

	if (at == MAP_FAILED)
		return NULL;
	before = (SLAB - (uintptr_t)at % SLAB) % SLAB;
	data = at + before;
	/* A system without huge pages says no; then it is as good as other memory. */
	madvise(data, SLAB, MADV_HUGEPAGE);
	munmap(data + SLAB, SLAB - before);
	if (before)
		munmap(at, before);
	return data;
}

static struct slab *slab_new(struct bufpool *p)
{
	struct slab *s = g_try_new0(struct slab, 1);

	if (!s)
		return NULL;
	s->data = map_slab();
	if (!s->data) {
		g_free(s);
		return NULL;
	}
	s->link.data = s;
	s->free = ALL_UNITS;
	g_queue_push_tail_link(&p->slabs, &s->link);
	p->whole++;
	p->slab_free += SLAB;
	return s;
}

static void slab_free(struct bufpool *p, struct slab *s)
{
	g_queue_unlink(&p->slabs, &s->link);
	p->whole--;
	p->slab_free -= SLAB;
	munmap(s->data, SLAB);
	g_free(s);
}

/* The first of n units, a power of two, that are free together, at a multiple of n; UNITS: there are none. */
static unsigned find(uint64_t free, unsigned n)
{
	uint64_t starts = free;

	for (unsigned have = 1; have < n; have *= 2)
		starts &= starts >> have;
	if (n < UNITS)
		starts &= ALL_UNITS / ((UINT64_C(1) << n) - 1);
	else
		starts &= 1;
	return starts ? (unsigned)__builtin_ctzll(starts) : UNITS;
}

static uint64_t units(unsigned at, unsigned n)
{
	return n == UNITS ? ALL_UNITS : ((UINT64_C(1) << n) - 1) << at;
}

static struct buf *take(struct bufpool *p, struct slab *s, unsigned at, unsigned n)
{
	struct buf *b = &s->bufs[at];

	g_queue_unlink(&p->slabs, &s->link);
	if (s->free == ALL_UNITS && --p->whole < p->whole_low)
		p->whole_low = p->whole;
	s->free &= ~units(at, n);
	if (s->free)
		g_queue_push_head_link(&p->slabs, &s->link);
	*b = (struct buf){ .data = s->data + (size_t)at * UNIT, .size = n * UNIT, .slab = s };
	p->slab_free -= b->size;
	p->in_use += b->size;
	return b;
}

struct buf *bufpool_get_data(struct bufpool *p, size_t size)
{
	unsigned n = 1, at, looked = 0;
	struct slab *s;

	if (SANITIZED_ADDRESS || size <= UNIT / 2 || size > SLAB)
		return bufpool_get(p, size);
	while ((size_t)n * UNIT < size)
		n *= 2;
	for (GList *l = p->slabs.head; l && looked++ < SEARCHED; l = l->next) {
		s = l->data;
		at = find(s->free, n);
		if (at < UNITS)
			return take(p, s, at, n);
	}
	s = p->whole ? g_queue_peek_tail(&p->slabs) : slab_new(p);
	/* Less than a slab may still be had. */
	return s ? take(p, s, 0, n) : bufpool_get(p, size);
}

static void give(struct bufpool *p, struct buf *b)
{
	struct slab *s = b->slab;

	if (s->free)
		g_queue_unlink(&p->slabs, &s->link);
	s->free |= units((unsigned)(b - s->bufs), b->size / UNIT);
	p->slab_free += b->size;
	if (s->free != ALL_UNITS) {
		g_queue_push_head_link(&p->slabs, &s->link);
		/* A few that are held must not keep all that lies around them. */
		if (p->slab_free - (size_t)p->whole * SLAB > KEEP_BYTES)
			madvise(b->data, b->size, MADV_DONTNEED);
		return;
	}
	g_queue_push_tail_link(&p->slabs, &s->link);
	p->whole++;
	if ((size_t)p->whole * SLAB > KEEP_BYTES)
		slab_free(p, s);
}

/* ---- the pool ---- */

static void look_later(struct bufpool *p)
{
	if (!p->trim.slot && (p->kept || p->whole))
		reactor_timer_set(p->reactor, &p->trim, TRIM_MS);
}

void bufpool_trim(struct bufpool *p)
{
	size_t excess = p->low;

	for (unsigned c = CLASSES; c-- > 0 && excess; )
		while (p->free[c] && excess >= p->free[c]->size) {
			struct buf *b = p->free[c];

			p->free[c] = b->next;
			excess -= b->size;
			p->kept -= b->size;
			destroy(b);
		}
	p->low = p->kept;
	for (; p->whole_low; p->whole_low--)
		slab_free(p, g_queue_peek_tail(&p->slabs));
	p->whole_low = p->whole;
}

static void trim(struct timer *t)
{
	struct bufpool *p = container_of(t, struct bufpool, trim);

	bufpool_trim(p);
	look_later(p);
}

struct bufpool *bufpool_new(struct reactor *r)
{
	struct bufpool *p = g_new0(struct bufpool, 1);

	p->reactor = r;
	p->trim.expired = trim;
	return p;
}

void bufpool_free(struct bufpool *p)
{
	for (unsigned c = 0; c < CLASSES; c++)
		for (struct buf *b; (b = p->free[c]); ) {
			p->free[c] = b->next;
			destroy(b);
		}
	/* Those that somebody still has, as a device that does not answer, stay. */
	while (p->whole)
		slab_free(p, g_queue_peek_tail(&p->slabs));
	g_free(p);
}

struct buf *bufpool_get(struct bufpool *p, size_t size)
{
	unsigned c = class_of(size);
	struct buf *b;

	g_assert(size <= BUF_MAX);
	b = p->free[c];
	if (b) {
		p->free[c] = b->next;
		p->kept -= b->size;
		if (p->kept < p->low)
			p->low = p->kept;
	} else {
		void *data = map((size_t)BUF_MIN << c);

		if (!data)
			return NULL;
		b = g_new(struct buf, 1);
		b->data = data;
		b->size = BUF_MIN << c;
		b->slab = NULL;
	}
	lend(b, size);
	b->next = NULL;
	p->in_use += b->size;
	return b;
}

void bufpool_put(struct bufpool *p, struct buf *b)
{
	unsigned c;

	if (!b)
		return;
	p->in_use -= b->size;
	if (b->slab) {
		give(p, b);
	} else if (p->kept + b->size > KEEP_BYTES) {
		destroy(b);
	} else {
		c = class_of(b->size);
		b->next = p->free[c];
		p->free[c] = b;
		keep(b);
		p->kept += b->size;
	}
	look_later(p);
}

size_t bufpool_in_use(const struct bufpool *p) { return p->in_use; }
size_t bufpool_kept(const struct bufpool *p) { return p->kept + p->slab_free; }
