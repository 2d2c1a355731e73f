/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resident.c - what is in the page cache, by mincore(2), which is asked once in two seconds for a piece of a file and only
 * when that was wanted before, or much of it is: a look costs more than the copy of a few pages that it saves once.  An answer
 * may have become wrong meanwhile: who reads then waits for the medium, and has the right bytes.
 */
#include "config.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "resident.h"

#define PIECE ((uint64_t)256 << 10)
/*
 * What follows has to be there, too: reading ahead, which sees nothing of what is read through a mapping, is then done.
 */
#define AHEAD (2 * PIECE)
#define MUCH ((uint64_t)64 << 10)
#define SLOTS_MAX 16384u	/* pieces that are known at once: 4 GiB, 128 KiB of memory when all are used */
#define PAGES_MAX 64u		/* of a piece: pages have 4 KiB at least */

/* A word of known: which piece, when, and what about it.  0: nothing. */
enum state { WANTED = 1, ABSENT, PRESENT };
#define STATE_BITS 2
#define WHEN_BITS 22

static uint64_t word(uint64_t piece, uint64_t when, enum state state)
{
	return piece << (STATE_BITS + WHEN_BITS) | when << STATE_BITS | state;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return ((uint64_t)t.tv_sec >> 1) & ((1u << WHEN_BITS) - 1);
}

/* Opened for reading only, so that it is no mapping that could be written to: those keep a file from being sealed. */
static void *map(int fd, size_t len_bytes)
{
	char path[sizeof "/proc/self/fd/" + 3 * sizeof fd];
	void *bytes;
	int own;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	own = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return MAP_FAILED;
	bytes = mmap(NULL, len_bytes, PROT_READ, MAP_SHARED, own, 0);
	close(own);
	return bytes;
}

void resident_open(struct resident *r, int fd, size_t len_bytes)
{
	uint64_t pieces = (len_bytes + PIECE - 1) / PIECE, slots = 1;
	void *bytes;

	*r = (struct resident){ 0 };
	if (PIECE / (uint64_t)sysconf(_SC_PAGESIZE) > PAGES_MAX)
		return;
	while (slots < pieces && slots < SLOTS_MAX)
		slots *= 2;
	bytes = map(fd, len_bytes);
	if (bytes == MAP_FAILED)
		return;
	r->known = calloc(slots, sizeof *r->known);
	if (!r->known) {
		munmap(bytes, len_bytes);
		return;
	}
	r->slots = slots - 1;
	r->len_bytes = len_bytes;
	r->bytes = bytes;
}

void resident_close(struct resident *r)
{
	if (r->bytes)
		munmap(r->bytes, r->len_bytes);
	free(r->known);
	*r = (struct resident){ 0 };
}

static bool all_there(const struct resident *r, uint64_t piece)
{
	unsigned char pages[PAGES_MAX];
	uint64_t at = piece * PIECE, left = r->len_bytes - at, page = (uint64_t)sysconf(_SC_PAGESIZE);
	size_t len = (size_t)(left < PIECE ? left : PIECE);

	if (mincore(r->bytes + at, len, pages) < 0)
		return false;
	for (size_t n = 0; n < (len + page - 1) / page; n++)
		if (!(pages[n] & 1))
			return false;
	return true;
}

static bool piece_has(const struct resident *r, uint64_t piece, uint64_t when, bool much)
{
	_Atomic uint64_t *slot = &r->known[piece & r->slots];
	uint64_t known = atomic_load_explicit(slot, memory_order_relaxed);
	bool is_known = known >> STATE_BITS == word(piece, when, 0) >> STATE_BITS;
	enum state state = is_known ? known & ((1u << STATE_BITS) - 1) : WANTED;

	if (is_known && state != WANTED)
		return state == PRESENT;
	if (is_known || much)
		state = all_there(r, piece) ? PRESENT : ABSENT;
	atomic_store_explicit(slot, word(piece, when, state), memory_order_relaxed);
	return state == PRESENT;
}

bool resident_has(const struct resident *r, uint64_t offset, uint64_t length)
{
	uint64_t end = offset + length, when;
	bool all = true;

	if (!r->bytes || end > r->len_bytes)
		return false;
	end = r->len_bytes - end < AHEAD ? r->len_bytes : end + AHEAD;
	when = now();
	for (uint64_t piece = offset / PIECE; piece * PIECE < end; piece++)
		all &= piece_has(r, piece, when, length >= MUCH);
	return all;
}
