/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verifier.c - see soak.h.  Each block has a stamp: its LBA, its owner, and the generation of the write.  A write without
 * GOOD may have happened or not: such a block has two generations it may be of, until it is read.  Generation 0 is of zeroes.
 */
#include "config.h"
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include "scsi/wire.h"
#include "soak.h"

enum { SLOTS = 8, SLOT_BLOCKS = 128, ABORT_TASK = 1, PATIENCE_MS = 100, NOW_MAX = 8192 /* bytes of immediate data */ };
#define NONE UINT32_MAX

struct kind;
struct slot {
	const struct kind *kind;
	uint32_t itt, lba, blocks, generation, len;	/* len: bytes of data, in either direction */
	bool open, good, aborting;
	uint8_t data[SLOT_BLOCKS * BLOCK];
};

struct verifier {
	struct ini *ini, *before;	/* before: a connection that was left open */
	uint8_t id;
	uint32_t lun, first, blocks, generation;
	uint32_t *is, *or;		/* generations of a block; or: NONE, or a second one that it may be of */
	unsigned open, tmfs;
	bool may_lose, lost, immediate, asked;	/* asked: to log out, by the daemon */
	struct slot slots[SLOTS];
};

struct soak_counts soak;

/* ---- stamps ---- */

static void stamp(const struct verifier *v, uint8_t *block, uint32_t lba, uint32_t generation)
{
	for (uint32_t i = 0; i < BLOCK; i += 16) {
		put32(block + i, lba);
		put32(block + i + 4, v->id);
		put32(block + i + 8, generation);
		put32(block + i + 12, generation * 2654435761u + i);
	}
}

static uint32_t *is(struct verifier *v, uint32_t lba) { return &v->is[lba - v->first]; }
static uint32_t *or(struct verifier *v, uint32_t lba) { return &v->or[lba - v->first]; }

static void verify_block(struct verifier *v, const uint8_t *got, uint32_t lba)
{
	uint8_t want[BLOCK] = { 0 };
	uint32_t generation = get32(got + 8);

	if (generation == *or(v, lba))
		*is(v, lba) = generation;
	*or(v, lba) = NONE;
	if (*is(v, lba))
		stamp(v, want, lba, *is(v, lba));
	if (memcmp(got, want, BLOCK))
		g_error("session %u lun %u block %u: generation %u of block %u by %u, not %u", v->id, v->lun, lba,
			generation, get32(got), get32(got + 4), *is(v, lba));
}

/* ---- commands ---- */

static void block_of(const struct verifier *v, uint8_t *block, uint32_t lba, uint32_t generation)
{
	if (generation)
		stamp(v, block, lba, generation);
	else
		memset(block, 0, BLOCK);
}

static void fill_new(struct verifier *v, struct slot *s, uint8_t *cdb)
{
	for (uint32_t i = 0; i < s->blocks; i++)
		block_of(v, s->data + i * BLOCK, s->lba + i, s->generation);
	s->len = s->blocks * BLOCK;
}

static void fill_old(struct verifier *v, struct slot *s, uint8_t *cdb)
{
	for (uint32_t i = 0; i < s->blocks; i++)
		block_of(v, s->data + i * BLOCK, s->lba + i, *is(v, s->lba + i));
	s->len = s->blocks * BLOCK;
}

static void fill_compare(struct verifier *v, struct slot *s, uint8_t *cdb)
{
	s->blocks = 1;
	block_of(v, s->data, s->lba, *is(v, s->lba));
	block_of(v, s->data + BLOCK, s->lba, s->generation);
	s->len = 2 * BLOCK;
	put32(cdb + 10, 0);
	cdb[13] = 1;
}

static void fill_unmap(struct verifier *v, struct slot *s, uint8_t *cdb)
{
	s->len = 24;
	memset(s->data, 0, s->len);
	s->data[1] = 22;
	s->data[3] = 16;
	put32(s->data + 12, s->lba);
	put32(s->data + 16, s->blocks);
	memset(cdb + 1, 0, 15);
	cdb[8] = (uint8_t)s->len;
}

static void fill_read(struct verifier *v, struct slot *s, uint8_t *cdb)
{
	s->len = s->blocks * BLOCK;
}

static void fill_nothing(struct verifier *v, struct slot *s, uint8_t *cdb)
{
	s->len = 0;
}

/* What does not look at blocks: a CDB with its allocation length where it has it. */
static void fill_look(struct verifier *v, struct slot *s, uint8_t *cdb)
{
	static const uint8_t at[] = { [0x12] = 4, [0x1a] = 4, [0x5e] = 8, [0x9e] = 13, [0xa0] = 9 };

	s->len = 96;
	memset(cdb + 1, 0, 15);
	if (cdb[0] == 0x1a)
		cdb[2] = 0x3f;
	if (cdb[0] == 0x9e)
		cdb[1] = 0x12, put32(cdb + 6, s->lba);
	cdb[at[cdb[0]]] = (uint8_t)s->len;
}

/* READS: blocks come, and are looked at; WRITES: they are of the slot's generation then; KEEPS: neither. */
enum does { READS, WRITES, ZEROES, KEEPS };

static const struct kind {
	uint8_t opcode, flags;
	enum does does;
	bool is_out;
	void (*fill)(struct verifier *v, struct slot *s, uint8_t *cdb);
	unsigned often;
} kinds[] = {
	{ 0x28, 0x00, READS, false, fill_read, 150 }, { 0x88, 0x00, READS, false, fill_read, 50 },
	{ 0x28, 0x08, READS, false, fill_read, 3 },				/* FUA */
	{ 0x2a, 0x00, WRITES, true, fill_new, 125 }, { 0x8a, 0x00, WRITES, true, fill_new, 50 },
	{ 0x2a, 0x08, WRITES, true, fill_new, 3 }, { 0x2e, 0x00, WRITES, true, fill_new, 2 },	/* FUA; WRITE AND VERIFY */
	{ 0x89, 0x00, WRITES, true, fill_compare, 4 },				/* COMPARE AND WRITE */
	{ 0x42, 0x00, ZEROES, true, fill_unmap, 4 },				/* UNMAP */
	{ 0x93, 0x01, ZEROES, false, fill_nothing, 2 }, { 0x93, 0x09, ZEROES, false, fill_nothing, 2 },	/* WRITE SAME, NDOB */
	{ 0x2f, 0x02, KEEPS, true, fill_old, 3 },				/* VERIFY, BYTCHK 1 */
	{ 0x35, 0x00, KEEPS, false, fill_nothing, 2 }, { 0x34, 0x00, KEEPS, false, fill_nothing, 1 },	/* SYNCHRONIZE CACHE, PRE-FETCH */
	{ 0x12, 0, KEEPS, false, fill_look, 1 }, { 0x1a, 0, KEEPS, false, fill_look, 1 }, { 0x5e, 0, KEEPS, false, fill_look, 1 },
	{ 0x9e, 0, KEEPS, false, fill_look, 1 }, { 0xa0, 0, KEEPS, false, fill_look, 1 },
};

static bool is_read(const struct slot *s) { return s->kind->does == READS; }
static bool changes(const struct slot *s) { return s->kind->does == WRITES || s->kind->does == ZEROES; }

static const struct kind *any_kind(void)
{
	unsigned n, all = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
		all += kinds[i].often;
	n = (unsigned)g_random_int_range(0, (gint32)all);
	for (unsigned i = 0; ; n -= kinds[i++].often)
		if (n < kinds[i].often)
			return &kinds[i];
}

static void send_slot(struct verifier *v, struct slot *s)
{
	uint8_t cdb[16] = { s->kind->opcode, s->kind->flags };
	uint32_t now;

	if (cdb[0] >> 5 == 4) {		/* of 16 bytes */
		put32(cdb + 6, s->lba);
		put32(cdb + 10, s->blocks);
	} else {
		put32(cdb + 2, s->lba);
		put16(cdb + 7, (uint16_t)s->blocks);
	}
	s->kind->fill(v, s, cdb);
	if (is_read(s))
		memset(s->data, 0xee, s->len);
	s->open = true;
	s->good = s->aborting = false;
	v->open++;
	now = s->kind->is_out && v->immediate && s->len <= NOW_MAX && g_random_boolean() ? s->len : 0;
	s->itt = ini_command(v->ini, !s->len ? FINAL : s->kind->is_out ? FINAL | WRITE : FINAL | READ, v->lun, s->len, cdb,
			     s->data, now);
	atomic_fetch_add(&soak.commands, 1);
}

static struct slot *find(struct verifier *v, uint32_t itt)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (v->slots[i].open && v->slots[i].itt == itt)
			return &v->slots[i];
	return NULL;
}

static void ended(struct verifier *v, struct slot *s, uint8_t status)
{
	s->open = false;
	s->good = status == 0;
	v->open--;
	if (status == 2) {
		uint8_t key = v->ini->data[2 + 2] & 15;

		if (key != KEY_UNIT_ATTENTION)
			g_error("session %u: sense %x %02x %02x", v->id, key, v->ini->data[2 + 12], v->ini->data[2 + 13]);
	} else if (status && status != 0x40 && status != 0x08 && status != 0x28) {
		g_error("session %u: status %02x", v->id, status);
	}
}

static void answer_r2t(struct verifier *v, const struct slot *s)
{
	uint32_t ttt = get32(v->ini->bhs + 20), offset = get32(v->ini->bhs + 40), len = get32(v->ini->bhs + 44), sn = 0;

	g_assert_cmpuint(offset + len, <=, s->len);
	for (uint32_t at = 0; at < len; sn++) {
		uint32_t n = MIN(len - at, 16384);

		ini_data_out(v->ini, at + n == len ? FINAL : 0, s->itt, ttt, sn, offset + at, s->data + offset + at, n);
		at += n;
	}
}

/* An R2T, or Data-In, may have been on its way when its command was aborted. */
static void take(struct verifier *v)
{
	const struct ini *i = v->ini;
	struct slot *s = find(v, get32(i->bhs + 16));
	uint8_t op = i->bhs[0] & OPCODE_MASK;

	if (op == OP_TMF_RESPONSE) {
		v->tmfs--;
		for (unsigned n = 0; n < SLOTS && !v->tmfs; n++)
			if (v->slots[n].open && v->slots[n].aborting) {
				v->slots[n].open = false;
				v->open--;
				atomic_fetch_add(&soak.aborted, 1);
			}
	} else if (op == OP_R2T) {
		if (s)
			answer_r2t(v, s);
	} else if (op == OP_DATA_IN) {
		g_assert_nonnull(s);
		g_assert_cmpuint(get32(i->bhs + 40) + i->data_len, <=, s->len);
		memcpy(s->data + get32(i->bhs + 40), i->data, i->data_len);
		if (i->bhs[1] & FLAG_STATUS)
			ended(v, s, i->bhs[3]);
	} else if (op == OP_SCSI_RESPONSE) {
		g_assert_nonnull(s);
		ended(v, s, i->bhs[3]);
	} else if (op == OP_REJECT) {		/* no new commands then, RFC 7143 11.9.1 */
		g_assert_true(v->asked);
		s = find(v, get32(i->data + 16));
		g_assert_nonnull(s);
		s->open = false;
		v->open--;
	} else if (op == OP_ASYNC) {
		g_assert_true(v->may_lose);
		v->asked = true;
	} else {
		g_assert_cmphex(op, ==, OP_NOP_IN);
	}
}

static void drop(struct verifier *v)
{
	g_clear_pointer(&v->ini, ini_free);
	g_clear_pointer(&v->before, ini_free);
	v->open = v->tmfs = 0;
}

static void abort_slot(struct verifier *v, struct slot *s)
{
	s->aborting = true;
	v->tmfs++;
	ini_tmf(v->ini, ABORT_TASK, v->lun, s->itt);
}

/* Commands that another session's LUN reset ended are never answered (RFC 7143 11.6): as initiators do, ask for their end. */
static void wait_a_while(struct verifier *v)
{
	struct pollfd p = { .fd = v->ini->fd, .events = POLLIN };

	if (v->tmfs || poll(&p, 1, PATIENCE_MS))
		return;
	for (unsigned n = 0; n < SLOTS; n++)
		if (v->slots[n].open)
			abort_slot(v, &v->slots[n]);
}

/* False: the connection is gone. */
static bool finish(struct verifier *v)
{
	while (v->open || v->tmfs) {
		wait_a_while(v);
		if (ini_recv(v->ini)) {
			take(v);
			continue;
		}
		if (!v->may_lose)
			g_error("session %u: the connection ended", v->id);
		for (unsigned n = 0; n < SLOTS; n++)
			v->slots[n].open = false;
		drop(v);
		v->lost = true;
		return false;
	}
	return true;
}

static void settle(struct verifier *v, struct slot *s)
{
	for (uint32_t i = 0; i < s->blocks; i++) {
		uint32_t lba = s->lba + i;

		if (changes(s) && s->good)
			*is(v, lba) = s->generation, *or(v, lba) = NONE;
		else if (changes(s))
			*or(v, lba) = s->generation;
		else if (is_read(s) && s->good)
			verify_block(v, s->data + i * BLOCK, lba);
	}
}

/* Of blocks that may be of two generations nothing is said, and there is no write, before they have been read. */
static bool unsure(struct verifier *v, const struct slot *s)
{
	for (uint32_t i = 0; i < s->blocks; i++)
		if (*or(v, s->lba + i) != NONE)
			return true;
	return false;
}

void verifier_round(struct verifier *v)
{
	uint32_t each = v->blocks / SLOTS;
	bool abort = g_random_int_range(0, 8) == 0;

	if (v->lost)
		return;
	for (unsigned n = 0; n < SLOTS; n++) {
		struct slot *s = &v->slots[n];

		s->blocks = (uint32_t)g_random_int_range(1, g_random_int_range(0, 4) ? 17 : SLOT_BLOCKS + 1);
		s->lba = v->first + n * each + (uint32_t)g_random_int_range(0, (gint32)(each - s->blocks + 1));
		s->kind = unsure(v, s) ? &kinds[0] : any_kind();
		s->generation = s->kind->does == WRITES ? ++v->generation : 0;
		send_slot(v, s);
	}
	for (unsigned n = 0; abort && n < SLOTS; n += 3)
		abort_slot(v, &v->slots[n]);
	finish(v);
	for (unsigned n = 0; n < SLOTS; n++)
		settle(v, &v->slots[n]);
	if (v->asked && !v->lost) {
		drop(v);
		v->lost = true;
	}
}

void verifier_check(struct verifier *v)
{
	struct slot *s = &v->slots[0];

	for (uint32_t lba = v->first; lba < v->first + v->blocks; ) {
		s->kind = &kinds[0];
		s->lba = lba;
		s->blocks = MIN(SLOT_BLOCKS, v->first + v->blocks - lba);
		send_slot(v, s);
		g_assert_true(finish(v));
		settle(v, s);
		if (s->good)
			lba += s->blocks;
	}
}

/* ---- coming and going ---- */

void verifier_login(struct verifier *v)
{
	static const char *const texts[] = {
		"", "HeaderDigest=CRC32C;", "DataDigest=CRC32C;", "HeaderDigest=CRC32C;DataDigest=CRC32C;",
		"InitialR2T=No;ImmediateData=Yes;", "InitialR2T=Yes;ImmediateData=No;", "MaxOutstandingR2T=4;MaxBurstLength=16384;",
	};
	struct ini *old = v->ini;
	g_autofree char *text = g_strconcat(texts[g_random_int_range(0, G_N_ELEMENTS(texts))],
					    "MaxRecvDataSegmentLength=65536;", NULL);

	switch (old ? g_random_int_range(0, 3) : 0) {
	case 1:			/* properly */
		ini_logout(old, 0, 0);
		while (ini_recv(old) && (old->bhs[0] & OPCODE_MASK) != OP_LOGOUT_RESPONSE)
			;
		/* fall through */
	case 2:			/* it is not there any more */
		ini_free(old);
		old = NULL;
	}
	v->ini = ini_new(NULL, v->id);
	v->ini->max_recv_dsl = 65536;
	v->immediate = !strstr(text, "ImmediateData=No");
	ini_login(v->ini, text);
	if (old)		/* reinstated */
		ini_free(old);
	v->lost = v->asked = false;
	atomic_fetch_add(&soak.logins, 1);
}

void verifier_may_lose(struct verifier *v, bool may)
{
	v->may_lose = may;
}

bool verifier_is_lost(const struct verifier *v)
{
	return v->lost;
}

struct verifier *verifier_new(uint8_t id, uint32_t lun, uint32_t first_lba, uint32_t blocks)
{
	struct verifier *v = g_new0(struct verifier, 1);

	v->id = id;
	v->lun = lun;
	v->first = first_lba;
	v->blocks = blocks;
	v->is = g_new0(uint32_t, blocks);
	v->or = g_new(uint32_t, blocks);
	for (uint32_t i = 0; i < blocks; i++)
		v->or[i] = NONE;
	return v;
}

void verifier_free(struct verifier *v)
{
	drop(v);
	g_free(v->is);
	g_free(v->or);
	g_free(v);
}
