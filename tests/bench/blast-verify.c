/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blast-verify.c - whether what is read is what was written last, with -v.
 *
 * Each slot of as many bytes as a command has is filled with a pattern of its address and of its generation, so that
 * neither data of another address, nor older data, nor bytes moved within a command can pass.  A slot under way is left
 * alone by all sessions: what a read has to return is always known.  What was not written yet is not checked.
 */
#include "config.h"
#include <inttypes.h>
#include <string.h>
#include "blast.h"

enum { SLOTS_LEAST = 1024, GENERATION_MASK = 0x7fffffff };
static const uint32_t BUSY = 0x80000000;

static uint32_t *generations;
static uint64_t n_slots;
uint64_t n_verified;

struct verify {
	uint64_t slot[DEPTH_MAX];
	bool write[DEPTH_MAX];
	uint8_t *data;			/* io_bytes for each task tag */
};

static uint64_t word_of(uint64_t byte, uint32_t generation)
{
	uint64_t x = (byte / 8 + 1) * UINT64_C(0x9e3779b97f4a7c15) + generation * UINT64_C(0xc2b2ae3d27d4eb4f);

	return x ^ x >> 29;
}

void verify_open(struct session *s)
{
	uint64_t under_way = (uint64_t)o.depth * (uint64_t)o.sessions;

	if (!generations) {
		n_slots = MIN(blocks / ((uint32_t)o.io_bytes / block_size), MAX((uint64_t)SLOTS_LEAST, under_way * 4));
		if (n_slots <= under_way)
			die("a LUN of %" PRIu64 " blocks is too small to verify so many commands", blocks);
		generations = g_new0(uint32_t, n_slots);
	}
	s->verify = g_new0(struct verify, 1);
	s->verify->data = g_malloc((gsize)o.io_bytes * (gsize)o.depth);
}

void verify_close(struct session *s)
{
	if (s->verify)
		g_free(s->verify->data);
	g_free(s->verify);
}

uint8_t *verify_data(const struct session *s, uint32_t itt)
{
	return s->verify->data + (size_t)itt * (size_t)o.io_bytes;
}

uint64_t verify_begin(struct session *s, uint16_t itt, bool write, uint64_t wanted)
{
	uint64_t slot = wanted % n_slots, byte;
	uint8_t *to = verify_data(s, itt);

	while (generations[slot] & BUSY)
		slot = (slot + 1) % n_slots;
	if (write)
		generations[slot] = (generations[slot] + 1) & GENERATION_MASK;
	s->verify->slot[itt] = slot;
	s->verify->write[itt] = write;
	byte = slot * (uint64_t)o.io_bytes;
	for (int i = 0; write && i < o.io_bytes; i += 8) {
		uint64_t w = word_of(byte + (uint64_t)i, generations[slot]);

		memcpy(to + i, &w, sizeof w);
	}
	if (!write)
		memset(to, 0, (size_t)o.io_bytes);	/* what a read before this one left is no answer */
	generations[slot] |= BUSY;
	return slot;
}

void verify_end(struct session *s, uint32_t itt)
{
	uint64_t slot = s->verify->slot[itt], byte = slot * (uint64_t)o.io_bytes, got, want;
	uint32_t generation = generations[slot] &= GENERATION_MASK;

	if (s->verify->write[itt] || !generation)
		return;
	for (int i = 0; i < o.io_bytes; i += 8) {
		memcpy(&got, verify_data(s, itt) + i, sizeof got);
		want = word_of(byte + (uint64_t)i, generation);
		if (got != want)
			die("wrong data at byte %" PRIu64 ", generation %u: %016" PRIx64 ", not %016" PRIx64, byte + (uint64_t)i,
			    generation, got, want);
	}
	n_verified++;
}
