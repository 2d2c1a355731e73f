/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-kept PROGRAM FORGET.so FOLDER ROUNDS - a server that is killed in SANITIZE, FORMAT UNIT and MODE SELECT with SP, each
 * time with a loss of power: all that was not yet stable is lost (forget.c).  After each start saved mode pages are as
 * answered, or as the one that was not answered asked for; and what is readable is whole: as it was before the work, or, once
 * that was answered, as it left it.  Anything between counts as failed until it is done anew.
 */
#include "config.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "../e2e/life.h"
#include "../wire/ini.h"
#include "scsi/wire.h"

enum { BLOCKS_HERE = 512, SIZE = BLOCKS_HERE * BLOCK, KILL_MAX_US = 25000, GOOD = 0x00, CHECK_CONDITION = 0x02 };
enum { FAILED_ASC = 0x31, SP_PF = 0x11, WCE = 0x04 };

static struct ini *ini;
static char *image, *kept, *state;
static uint8_t before, after;		/* each byte of the medium: as it was, as work that was not answered leaves it */
static bool begun;			/* work that was not answered */
static bool wce, wce_asked;		/* as saved, as asked for and not answered */
static unsigned works, selects, failed, undone, done;

/* ---- what is sent ---- */

static bool perform(uint8_t flags, const uint8_t cdb[16], const uint8_t *data, uint32_t len)
{
	ini_command(ini, FINAL | flags, 0, len, cdb, data, len);
	if (!ini_recv(ini))
		return false;
	g_assert_cmphex(ini->bhs[3], ==, GOOD);
	return true;
}

static bool send_erase(void)
{
	static const uint8_t cdb[16] = { OP_SANITIZE, SA_BLOCK_ERASE };

	after = 0;
	return perform(0, cdb, NULL, 0);
}

/* Paced, so that it is always under way. */
static bool send_overwrite(void)
{
	static const uint8_t list[5] = { 1, 0, 0, 1, 0x77 }, cdb[16] = { OP_SANITIZE, SA_OVERWRITE, [8] = sizeof list };

	after = list[4];
	return perform(WRITE, cdb, list, sizeof list);
}

/* With an initialization pattern of one byte. */
static bool send_format(void)
{
	static const uint8_t list[9] = { [1] = 0x88, [5] = 1, [7] = 1, [8] = 0x55 }, cdb[16] = { OP_FORMAT_UNIT, 0x10 };

	after = list[8];
	return perform(WRITE, cdb, list, sizeof list);
}

static bool send_select(void)
{
	static const uint8_t cdb[16] = { OP_MODE_SELECT_6, SP_PF, [4] = 24 };
	uint8_t list[24] = { [4] = 0x08, [5] = 18 };

	wce_asked = !wce;
	list[6] = wce_asked ? WCE : 0;
	if (!perform(WRITE, cdb, list, sizeof list))
		return false;
	wce = wce_asked;
	selects++;
	return true;
}

static bool fill(uint8_t byte)
{
	static uint8_t data[BLOCKS_HERE / 4 * BLOCK];
	static const uint8_t flush[16] = { OP_SYNCHRONIZE_CACHE_10 };
	bool answered = true;

	memset(data, byte, sizeof data);
	for (uint32_t lba = 0; answered && lba < BLOCKS_HERE; lba += BLOCKS_HERE / 4) {
		uint32_t itt = ini_write(ini, FINAL, lba, BLOCKS_HERE / 4, sizeof data, data, 8192);

		ini_finish_write(ini, itt, data);
	}
	return answered && perform(0, flush, NULL, 0);
}

/* ---- what is there after a start ---- */

static bool saved_wce(void)
{
	uint8_t cdb[16] = { OP_MODE_SENSE_6, 0x08, 0xc8, 0, 24 }, page[24] = { 0 };

	ini_finish_read(ini, ini_command(ini, FINAL | READ, 0, sizeof page, cdb, NULL, 0), page, sizeof page);
	g_assert_cmphex(ini->bhs[3], ==, GOOD);
	return page[6] & WCE;
}

static void check_medium(void)
{
	g_autofree uint8_t *data = g_malloc(SIZE);
	uint32_t itt = ini_read(ini, 0, BLOCKS_HERE, SIZE);

	g_assert_true(ini_recv(ini));
	if (ini->bhs[3] == CHECK_CONDITION && (ini->bhs[0] & OPCODE_MASK) == OP_SCSI_RESPONSE) {
		g_assert_cmphex(ini->data[2 + 12], ==, FAILED_ASC);
		g_assert_true(begun);
		failed++;
		begun = false;
		before = 0;
		g_assert_true(send_erase());
		itt = ini_read(ini, 0, BLOCKS_HERE, SIZE);
		g_assert_true(ini_recv(ini));
	}
	for (uint32_t at = 0, n = 0; at < SIZE; n++) {
		if (n)
			g_assert_true(ini_recv(ini));
		g_assert_cmphex(ini->bhs[0] & OPCODE_MASK, ==, OP_DATA_IN);
		g_assert_cmpuint(get32(ini->bhs + 16), ==, itt);
		memcpy(data + at, ini->data, ini->data_len);
		at += ini->data_len;
	}
	if (!(ini->bhs[1] & FLAG_STATUS))
		EXPECT_STATUS(ini, itt, GOOD);
	g_assert_true(data[0] == before || data[0] == after);
	g_assert_true(!memcmp(data, data + 1, SIZE - 1));
	if (begun)
		(*(data[0] == after ? &done : &undone))++;
	before = after = data[0];
	begun = false;
}

/* ---- a server's life ---- */

static void lose(void)
{
	g_autofree char *stable = NULL;
	gsize len;
	int fd = open(image, O_WRONLY);

	g_assert_true(g_file_get_contents(kept, &stable, &len, NULL) && len == SIZE);
	g_assert_cmpint(pwrite(fd, stable, SIZE, 0), ==, SIZE);
	close(fd);
}

static void traffic(void)
{
	static bool (*const all[])(void) = { send_erase, send_format, send_overwrite, send_select, send_select };
	bool (*next)(void);

	do {
		next = all[g_random_int_range(0, G_N_ELEMENTS(all))];
		begun = next != send_select;
		works += begun;
	} while (next() && (before = after, true));
}

static void a_life(const char *program, char **env)
{
	g_autofree char *lun = g_strdup_printf("file:%s", image);
	const char *argv[] = { program, "serve", "--iqn", DISK, "--portal", "127.0.0.1:0", "--state-dir", state, lun, "null:", NULL };
	struct life *l = life_begin(argv, env);
	bool now;

	ini = ini_new_tcp(NULL, 1);
	ini->max_recv_dsl = 262144;
	ini_login(ini, "MaxRecvDataSegmentLength=262144;");
	now = saved_wce();
	g_assert_true(now == wce || now == wce_asked);
	wce = wce_asked = now;
	check_medium();
	before = after = (uint8_t)g_random_int_range(1, 0x50);
	g_assert_true(fill(before));
	life_kill_after(l, (unsigned)g_random_int_range(0, KILL_MAX_US));
	traffic();
	life_end(l);
	ini_free(ini);
	lose();
}

int main(int argc, char **argv)
{
	guint32 seed = g_random_int();
	char **env = g_get_environ();

	if (argc != 5)
		return 2;
	g_random_set_seed(seed);
	printf("# seed %u\n", seed);
	image = g_build_filename(argv[3], "image", NULL);
	kept = g_build_filename(argv[3], "stable", NULL);
	state = g_build_filename(argv[3], "state", NULL);
	for (unsigned i = 0; i < 2; i++) {
		int fd = open(i ? kept : image, O_RDWR | O_CREAT | O_TRUNC, 0600);

		g_assert_cmpint(ftruncate(fd, SIZE), ==, 0);
		close(fd);
	}
	env = g_environ_setenv(env, "LD_PRELOAD", argv[2], TRUE);
	env = g_environ_setenv(env, "FORGET_FILE", image, TRUE);
	env = g_environ_setenv(env, "FORGET_STABLE", kept, TRUE);
	wce = wce_asked = true;		/* the default */
	for (int i = 0; i < atoi(argv[4]); i++)
		a_life(argv[1], env);
	printf("# %s kills, %u works begun, %u mode pages saved; of works without an answer %u failed, %u were not begun, %u done\n",
	       argv[4], works, selects, failed, undone, done);
	return works && selects && failed ? 0 : 1;
}
