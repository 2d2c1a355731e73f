/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-crash PROGRAM FORGET.so PLUGIN FOLDER ROUNDS - a server that is killed again and again while it writes, each time
 * with a loss of power: of what was not yet stable any part is lost (forget.c).  After each start every block holds what
 * was acknowledged as stable, or something that was sent for it later.
 */
#include "config.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "../e2e/life.h"
#include "../wire/ini.h"
#include "scsi/copy.h"
#include "scsi/wire.h"

enum { BLOCKS_HERE = 2048, RUN_MAX = 12, BURST_MAX = 8, KILL_MAX_US = 25000, GOOD = 0x00, CHECK_CONDITION = 0x02, ZEROES = 0 };
#define SIZE ((BLOCKS_HERE + RUN_MAX) * (size_t)BLOCK)	/* nobody writes to the last */

static struct ini *ini;
static char *image, *kept;
static uint64_t next_version = 1;
static unsigned writes, flushes, losses, turned_off;

/* What a block may hold: versions since it was last stable, that one first. */
static GArray *versions[BLOCKS_HERE];
static bool writes_are_stable;		/* WCE is 0 */
static uint8_t caching[24];		/* for MODE SELECT(6): a header and the caching page */

static void fill(uint8_t *to, uint32_t lba, uint64_t version)
{
	memset(to, 0, BLOCK);
	for (unsigned at = 0; version != ZEROES && at < BLOCK; at += 16) {
		put_be64(to + at, version);
		put_be64(to + at + 8, lba);
	}
}

static void only(uint32_t lba, uint64_t version)
{
	g_array_set_size(versions[lba], 0);
	g_array_append_val(versions[lba], version);
}

/* ---- a burst of writes, all under way at one time ---- */

struct op {
	uint32_t itt, lba, n;
	uint64_t version;
	bool stable;
};

static bool overlaps(const struct op *ops, unsigned n, uint32_t lba, uint32_t blocks)
{
	for (unsigned i = 0; i < n; i++)
		if (lba < ops[i].lba + ops[i].n && ops[i].lba < lba + blocks)
			return true;
	return false;
}

static void send_write(struct op *op)
{
	uint8_t data[RUN_MAX * BLOCK], cdb[16] = { OP_WRITE_10 };

	for (uint32_t i = 0; i < op->n; i++)
		fill(data + i * BLOCK, op->lba + i, op->version);
	cdb[1] = op->stable ? 0x08 : 0;		/* FUA */
	put_be32(cdb + 2, op->lba);
	put_be16(cdb + 7, (uint16_t)op->n);
	op->itt = ini_command(ini, FINAL | WRITE, 0, op->n * BLOCK, cdb, data, op->n * BLOCK);
}

static void send_unmap(struct op *op)
{
	uint8_t list[24] = { [1] = 22, [3] = 16 }, cdb[16] = { OP_UNMAP, [8] = sizeof list };

	op->version = ZEROES;
	op->stable = false;
	put_be64(list + 8, op->lba);
	put_be32(list + 16, op->n);
	op->itt = ini_command(ini, FINAL | WRITE, 0, sizeof list, cdb, list, sizeof list);
}

/* The same block again and again: a run whose blocks differ by what fill() puts there is not; so one, or zeroes. */
static void send_same(struct op *op)
{
	uint8_t data[BLOCK], cdb[16] = { OP_WRITE_SAME_16 };

	op->stable = false;
	if (g_random_boolean())
		op->version = ZEROES;
	else
		op->n = 1;
	fill(data, op->lba, op->version);
	put_be64(cdb + 2, op->lba);
	put_be32(cdb + 10, op->n);
	op->itt = ini_command(ini, FINAL | WRITE, 0, BLOCK, cdb, data, BLOCK);
}

/* Of a block of which it is known what it holds: nothing has been sent for it since it was looked at, or it was answered. */
static void send_compare(struct op *op)
{
	const GArray *v = versions[op->lba];
	uint8_t data[2 * BLOCK], cdb[16] = { OP_COMPARE_AND_WRITE, op->stable ? 0x08 : 0, [13] = 1 };

	op->n = 1;
	fill(data, op->lba, g_array_index(v, uint64_t, v->len - 1));
	fill(data + BLOCK, op->lba, op->version);
	put_be64(cdb + 2, op->lba);
	op->itt = ini_command(ini, FINAL | WRITE, 0, sizeof data, cdb, data, sizeof data);
}

/* EXTENDED COPY of zeroes, from blocks behind all others that nobody writes to. */
static void send_copy(struct op *op)
{
	uint8_t list[COPY_HEADER + SEGMENT_LEN] = { [1] = LIST_ID_NONE << 3, [11] = SEGMENT_LEN }, *segment = list + COPY_HEADER;
	uint8_t cdb[16] = { OP_THIRD_PARTY_COPY_OUT, [13] = sizeof list };

	op->version = ZEROES;
	op->stable = false;
	segment[0] = SEGMENT_BLOCK_TO_BLOCK;
	put_be16(segment + 2, SEGMENT_LEN - 4);
	put_be16(segment + 4, CSCD_ID_THIS);
	put_be16(segment + 6, CSCD_ID_THIS);
	put_be16(segment + 10, (uint16_t)op->n);
	put_be64(segment + 12, BLOCKS_HERE);
	put_be64(segment + 20, op->lba);
	op->itt = ini_command(ini, FINAL | WRITE, 0, sizeof list, cdb, list, sizeof list);
}

static void (*const others[])(struct op *op) = { send_unmap, send_same, send_compare, send_copy };

static unsigned send_burst(struct op *ops)
{
	unsigned n = (unsigned)g_random_int_range(1, BURST_MAX + 1);

	for (unsigned i = 0; i < n; i++) {
		struct op *op = &ops[i];

		*op = (struct op){ .stable = g_random_int_range(0, 3) == 0, .version = next_version++ };
		do {
			op->n = (uint32_t)g_random_int_range(1, RUN_MAX + 1);
			op->lba = (uint32_t)g_random_int_range(0, BLOCKS_HERE - RUN_MAX);
		} while (overlaps(ops, i, op->lba, op->n));
		if (g_random_int_range(0, 4))
			send_write(op);
		else
			others[g_random_int_range(0, G_N_ELEMENTS(others))](op);
		for (uint32_t b = 0; b < op->n; b++)	/* from here on it may be there */
			g_array_append_val(versions[op->lba + b], op->version);
	}
	return n;
}

static void acknowledged(const struct op *op)
{
	writes++;
	if (op->stable || writes_are_stable)
		for (uint32_t b = 0; b < op->n; b++)
			only(op->lba + b, op->version);
}

/* False: there is no answer any more. */
static bool answers(struct op *ops, unsigned n, unsigned others_sent)
{
	for (unsigned left = n + others_sent; left; left--) {
		if (!ini_recv(ini))
			return false;
		g_assert_cmphex(ini->bhs[0] & OPCODE_MASK, ==, OP_SCSI_RESPONSE);
		g_assert_cmphex(ini->bhs[3], ==, GOOD);
		for (unsigned i = 0; i < n; i++)
			if (ops[i].itt == get32(ini->bhs + 16))
				acknowledged(&ops[i]);
	}
	return true;
}

static void all_is_stable(void)
{
	for (uint32_t b = 0; b < BLOCKS_HERE; b++)
		only(b, g_array_index(versions[b], uint64_t, versions[b]->len - 1));
}

static bool flush(void)
{
	static const uint8_t cdb[16] = { OP_SYNCHRONIZE_CACHE_10 };

	ini_command(ini, FINAL, 0, 0, cdb, NULL, 0);
	if (!ini_recv(ini))
		return false;
	g_assert_cmphex(ini->bhs[3], ==, GOOD);
	flushes++;
	all_is_stable();
	return true;
}

/* WCE 0 makes every write stable (SBC-4 6.5.6); those that were answered before too, once it is. */
static void send_write_cache(bool on)
{
	uint8_t cdb[16] = { OP_MODE_SELECT_6, 0x10, [4] = sizeof caching };

	caching[6] = (uint8_t)((caching[6] & ~4) | (on ? 4 : 0));
	ini_command(ini, FINAL | WRITE, 0, sizeof caching, cdb, caching, sizeof caching);
	if (on)
		writes_are_stable = false;
}

/* Now and then the cache is turned on or off while a burst is under way. */
static void traffic(void)
{
	struct op ops[BURST_MAX];
	bool turns, goes_on;
	unsigned n;

	do {
		bool on = writes_are_stable;

		n = send_burst(ops);
		turns = g_random_int_range(0, 8) == 0;
		if (turns)
			send_write_cache(on);
		goes_on = answers(ops, n, turns);
		if (goes_on && turns && !on) {
			writes_are_stable = true;
			all_is_stable();
			turned_off++;
		}
	} while (goes_on && (g_random_int_range(0, 4) || flush()));
}

/* ---- what is there after a loss ---- */

static bool holds(const uint8_t *block, uint32_t lba, uint64_t version)
{
	uint8_t want[BLOCK];

	fill(want, lba, version);
	return !memcmp(block, want, BLOCK);
}

/* A write that was not answered may have got through a part of a block, and memcpy() has an order of its own. */
static bool torn(const uint8_t *block, uint32_t lba)
{
	const GArray *v = versions[lba];
	bool of_one[BLOCK] = { 0 };

	for (guint i = 0; i < v->len; i++) {
		uint8_t one[BLOCK];

		fill(one, lba, g_array_index(v, uint64_t, i));
		for (size_t at = 0; at < BLOCK; at++)
			of_one[at] |= block[at] == one[at];
	}
	return !memchr(of_one, false, BLOCK);
}

static void check_block(const uint8_t *block, uint32_t lba)
{
	const GArray *v = versions[lba];

	for (guint i = 0; i < v->len; i++) {
		uint64_t version = g_array_index(v, uint64_t, i);

		if (holds(block, lba, version)) {
			only(lba, version);
			return;
		}
	}
	if (torn(block, lba)) {		/* no version is like it: write it anew before it is looked at again */
		g_array_set_size(versions[lba], 0);
		return;
	}
	g_error("block %u has version %" G_GUINT64_FORMAT ", which is none of the %u since %" G_GUINT64_FORMAT " was stable", lba,
		get_be64(block), v->len, g_array_index(v, uint64_t, 0));
}

static void rewrite(uint32_t lba)
{
	struct op op = { .lba = lba, .n = 1, .version = next_version++, .stable = true };

	send_write(&op);
	g_assert_true(ini_recv(ini));
	g_assert_cmphex(ini->bhs[3], ==, GOOD);
	only(lba, op.version);
}

static void check_all(void)
{
	g_autofree uint8_t *data = g_malloc(BLOCKS_HERE * BLOCK);

	for (uint32_t at = 0; at < BLOCKS_HERE; at += 256) {
		uint32_t itt = ini_read(ini, at, 256, 256 * BLOCK);

		g_assert_cmpuint(ini_finish_read(ini, itt, data + at * BLOCK, 256 * BLOCK), ==, 256 * BLOCK);
	}
	for (uint32_t b = 0; b < BLOCKS_HERE; b++)
		check_block(data + b * BLOCK, b);
	for (uint32_t b = 0; b < BLOCKS_HERE; b++)
		if (!versions[b]->len)
			rewrite(b);
}

/* The power is back: of each block what was stable, or what the page cache had. */
static void lose(void)
{
	int now = open(image, O_RDWR), stable = open(kept, O_RDWR), part = g_random_int_range(0, 3);
	g_autofree uint8_t *a = g_malloc(SIZE), *b = g_malloc(SIZE);

	g_assert_cmpint(pread(now, a, SIZE, 0), ==, SIZE);
	g_assert_cmpint(pread(stable, b, SIZE, 0), ==, SIZE);
	for (size_t at = 0; at < SIZE; at += BLOCK)
		if (memcmp(a + at, b + at, BLOCK) && (part == 0 || (part == 1 && g_random_boolean()))) {
			memcpy(a + at, b + at, BLOCK);
			losses++;
		}
	g_assert_cmpint(pwrite(now, a, SIZE, 0), ==, SIZE);
	g_assert_cmpint(pwrite(stable, a, SIZE, 0), ==, SIZE);
	close(now);
	close(stable);
}

static void set_write_cache(bool on)
{
	uint8_t sense[16] = { OP_MODE_SENSE_6, 0x08, 0x08, 0, 64 }, page[64] = { 0 };

	ini_finish_read(ini, ini_command(ini, FINAL | READ, 0, sizeof page, sense, NULL, 0), page, sizeof page);
	memcpy(caching, page, sizeof caching);
	caching[0] = caching[2] = 0;
	caching[4] &= 0x3f;		/* PS */
	send_write_cache(on);
	g_assert_true(ini_recv(ini));
	g_assert_cmphex(ini->bhs[3], ==, GOOD);
	writes_are_stable = !on;
}

static void a_life(const char *program, const char *plugin, char **env)
{
	g_autofree char *lun = g_strdup_printf("%s:%s", plugin, image);
	const char *argv[] = { program, "serve", "--iqn", DISK, "--portal", "127.0.0.1:0", lun, "null:", NULL };
	struct life *l = life_begin(argv, env);

	ini = ini_new_tcp(NULL, 1);
	ini->max_recv_dsl = 262144;
	ini_login(ini, "MaxRecvDataSegmentLength=262144;");
	check_all();
	set_write_cache(g_random_boolean());
	life_kill_after(l, (unsigned)g_random_int_range(0, KILL_MAX_US));
	traffic();
	life_end(l);
	ini_free(ini);
	lose();
}

static void make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	g_assert_cmpint(ftruncate(fd, SIZE), ==, 0);
	close(fd);
}

int main(int argc, char **argv)
{
	guint32 seed = g_random_int();
	unsigned kills, n_lives = 0;
	char **env = g_get_environ();

	if (argc != 6)
		return 2;
	g_random_set_seed(seed);
	printf("# seed %u\n", seed);
	image = g_build_filename(argv[4], "image", NULL);
	kept = g_build_filename(argv[4], "stable", NULL);
	make_file(image);
	make_file(kept);
	env = g_environ_setenv(env, "LD_PRELOAD", argv[2], TRUE);
	env = g_environ_setenv(env, "FORGET_FILE", image, TRUE);
	env = g_environ_setenv(env, "FORGET_STABLE", kept, TRUE);
	for (uint32_t b = 0; b < BLOCKS_HERE; b++) {
		versions[b] = g_array_new(FALSE, FALSE, sizeof(uint64_t));
		only(b, ZEROES);
	}
	/* On a slow machine a life sees little: then there are more of them. */
	kills = (unsigned)atoi(argv[5]);
	while (n_lives < kills || (n_lives < 10 * kills && !(writes > n_lives && losses && turned_off))) {
		a_life(argv[1], argv[3], env);
		n_lives++;
	}
	printf("# %u kills, %u writes and %u flushes answered, the cache turned off %u times meanwhile, %u blocks lost that nobody "
	       "had been promised\n", n_lives, writes, flushes, turned_off, losses);
	return writes > kills && losses && turned_off ? 0 : 1;
}
