/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bufpool.h - reused, page-aligned buffers of one reactor.  Sizes are powers of two; a page
 * fault costs more than a system call here, so buffers are kept warm while there is traffic
 * and given back to the system when there was none for a while.  [reactor]
 */
#ifndef GOTGT_BUFPOOL_H
#define GOTGT_BUFPOOL_H

#include <stdint.h>
#include <stddef.h>

struct reactor;
struct bufpool;
struct slab;

#define BUF_MIN 4096u
#define BUF_MAX (8u << 20)

struct buf {
	struct buf *next;	/* the owner's, while it holds the buffer */
	uint8_t *data;		/* aligned to 4096 */
	uint32_t size;		/* a power of two from BUF_MIN to BUF_MAX */
	struct slab *slab;	/* the pool's: what it is a part of, or NULL */
};

struct bufpool *bufpool_new(struct reactor *r);
void bufpool_free(struct bufpool *p);
/*
 * A buffer for size bytes, content unspecified.  size <= BUF_MAX; all of buf->size may be used only where that is what was
 * asked for.  NULL when memory is out.
 */
struct buf *bufpool_get(struct bufpool *p, size_t size);
/*
 * The same for data that a device reads or writes, and that fills the buffer.  From 32 KiB to 2 MiB it is a part of a huge page,
 * where the system has them: a device is given one piece then, and not one for each 4 KiB.  All of it takes memory at once.
 */
struct buf *bufpool_get_data(struct bufpool *p, size_t size);
void bufpool_put(struct bufpool *p, struct buf *b);	/* b may be NULL */
/* What a timer does every five seconds: gives back to the system what has lain idle since it was last done. */
void bufpool_trim(struct bufpool *p);
/* Bytes handed out and bytes kept, for statistics and tests. */
size_t bufpool_in_use(const struct bufpool *p);
size_t bufpool_kept(const struct bufpool *p);

#endif
