/* SPDX-License-Identifier: Apache-2.0 */
/* bufpool.c - free lists by power of two, trimmed when traffic ends. */
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

G_STATIC_ASSERT(BUF_MIN << (CLASSES - 1) == BUF_MAX);

struct bufpool {
	struct reactor *reactor;
	struct buf *free[CLASSES];
	size_t in_use, kept;
	size_t low;		/* least `kept` since the timer was set: what was not needed */
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

/* Free what lay idle since the last look; look again while something is kept. */
static void trim(struct timer *t)
{
	struct bufpool *p = container_of(t, struct bufpool, trim);
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
	if (p->kept)
		reactor_timer_set(p->reactor, t, TRIM_MS);
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
	if (p->kept + b->size > KEEP_BYTES) {
		destroy(b);
		return;
	}
	c = class_of(b->size);
	b->next = p->free[c];
	p->free[c] = b;
	keep(b);
	p->kept += b->size;
	if (!p->trim.slot) {
		p->low = 0;
		reactor_timer_set(p->reactor, &p->trim, TRIM_MS);
	}
}

size_t bufpool_in_use(const struct bufpool *p) { return p->in_use; }
size_t bufpool_kept(const struct bufpool *p) { return p->kept; }
