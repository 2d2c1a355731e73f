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
#include "scsi/wire.h"

enum { BLOCKS_HERE = 2048, RUN_MAX = 12, BURST_MAX = 8, KILL_MAX_US = 25000, GOOD = 0x00, CHECK_CONDITION = 0x02, ZEROES = 0 };
#define SIZE (BLOCKS_HERE * (size_t)BLOCK)

static struct ini *ini;
static char *image, *kept;
static uint64_t next_version = 1;
static unsigned writes, flushes, losses;

/* What a block may hold: versions since it was last stable, that one first. */
static GArray *versions[BLOCKS_HERE];
static bool writes_are_stable;		/* WCE is 0 */

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
		if (g_random_int_range(0, 10))
			send_write(op);
		else
			send_unmap(op);
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
static bool answers(struct op *ops, unsigned n)
{
	for (unsigned left = n; left; left--) {
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

static bool flush(void)
{
	static const uint8_t cdb[16] = { OP_SYNCHRONIZE_CACHE_10 };

	ini_command(ini, FINAL, 0, 0, cdb, NULL, 0);
	if (!ini_recv(ini))
		return false;
	g_assert_cmphex(ini->bhs[3], ==, GOOD);
	flushes++;
	for (uint32_t b = 0; b < BLOCKS_HERE; b++)
		only(b, g_array_index(versions[b], uint64_t, versions[b]->len - 1));
	return true;
}

static void traffic(void)
{
	struct op ops[BURST_MAX];
	unsigned n;

	do
		n = send_burst(ops);
	while (answers(ops, n) && (g_random_int_range(0, 4) || flush()));
}

/* ---- what is there after a loss ---- */

static bool holds(const uint8_t *block, uint32_t lba, uint64_t version)
{
	uint8_t want[BLOCK];

	fill(want, lba, version);
	return !memcmp(block, want, BLOCK);
}

/* A write that was not answered may have got through a part of a block. */
static bool torn(const uint8_t *block, uint32_t lba)
{
	const GArray *v = versions[lba];
	uint8_t last[BLOCK];
	size_t same = 0;

	if (v->len < 2)
		return false;
	fill(last, lba, g_array_index(v, uint64_t, v->len - 1));
	while (same < BLOCK && block[same] == last[same])
		same++;
	for (guint i = 0; i + 1 < v->len; i++) {
		uint8_t before[BLOCK];

		fill(before, lba, g_array_index(v, uint64_t, i));
		if (!memcmp(block + same, before + same, BLOCK - same))
			return true;
	}
	return false;
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
	g_autofree uint8_t *data = g_malloc(SIZE);

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

/* WCE 0 makes every write stable (SBC-4 6.5.6). */
static void set_write_cache(bool on)
{
	uint8_t sense[16] = { OP_MODE_SENSE_6, 0x08, 0x08, 0, 64 }, select[16] = { OP_MODE_SELECT_6, 0x10, [4] = 24 }, page[64] = { 0 };

	ini_finish_read(ini, ini_command(ini, FINAL | READ, 0, sizeof page, sense, NULL, 0), page, sizeof page);
	page[0] = page[2] = 0;
	page[4] &= 0x3f;		/* PS */
	page[6] = (uint8_t)((page[6] & ~4) | (on ? 4 : 0));
	ini_command(ini, FINAL | WRITE, 0, 24, select, page, 24);
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
	for (int i = 0; i < atoi(argv[5]); i++)
		a_life(argv[1], argv[3], env);
	printf("# %s kills, %u writes and %u flushes answered, %u blocks lost that nobody had been promised\n", argv[5], writes,
	       flushes, losses);
	return writes > (unsigned)atoi(argv[5]) && losses ? 0 : 1;
}
