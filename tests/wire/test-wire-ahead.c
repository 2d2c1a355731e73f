/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many commands in one go to many logical units, for which the state of all of them is fetched ahead (scsi/ahead.h): each
 * meets its own unit and its own data, whatever is between them and wherever the bytes are cut.
 */
#include "config.h"
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ini.h"

enum { LUNS = 100, NO_LUN = 150, MOST = 1 << 18 };

static uint8_t bytes[MOST];

/* What i sends goes here instead of to the server. */
static int pen_begin(struct ini *i, int pen[2])
{
	int fd = i->fd, room = MOST;

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pen), ==, 0);
	g_assert_cmpint(setsockopt(pen[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), ==, 0);
	i->fd = pen[0];
	return fd;
}

static size_t pen_end(struct ini *i, int fd, const int pen[2])
{
	size_t len = 0;
	ssize_t n;

	close(i->fd);
	i->fd = fd;
	while ((n = read(pen[1], bytes + len, MOST - len)) > 0)
		len += (size_t)n;
	g_assert_cmpint(n, ==, 0);
	close(pen[1]);
	return len;
}

static void fill(uint8_t block[BLOCK], uint32_t lun, uint8_t generation)
{
	for (unsigned at = 0; at < BLOCK; at += 4)
		put32(block + at, lun << 16 | (uint32_t)generation << 8 | at / 4);
}

static uint32_t command(struct ini *i, uint8_t opcode, uint8_t flags, uint32_t lun, uint32_t lba, const uint8_t *data)
{
	uint8_t cdb[16] = { opcode };

	put32(cdb + 2, lba);
	put16(cdb + 7, 1);
	return ini_command(i, flags | FINAL, lun, BLOCK, cdb, data, data ? BLOCK : 0);
}

/* The unit attention of each. */
static void meet_all(struct ini *i)
{
	for (uint32_t lun = 1; lun < LUNS; lun++) {
		ini_test_unit_ready(i, lun);
		EXPECT_PDU(i, OP_SCSI_RESPONSE);
	}
}

static void test_each_its_own(gconstpointer text)
{
	struct ini *i = ini_new_login(server, 1, text);
	uint8_t block[BLOCK], got[BLOCK], generation = i->data_digest ? 2 : 1;
	uint32_t first = 0;
	int pen[2], fd;

	meet_all(i);
	fd = pen_begin(i, pen);
	for (uint32_t lun = 0; lun < LUNS; lun++) {
		uint32_t itt;

		fill(block, lun, generation);
		itt = command(i, 0x2a, WRITE, lun, lun, block);
		first = lun ? first : itt;
	}
	ini_send_raw(i, bytes, pen_end(i, fd, pen));
	for (uint32_t lun = 0; lun < LUNS; lun++)
		EXPECT_STATUS(i, first + lun, 0);

	fd = pen_begin(i, pen);
	for (uint32_t n = 0; n < LUNS; n++) {
		uint32_t lun = n * 37 % LUNS, itt = command(i, 0x28, READ, lun, lun, NULL);

		first = n ? first : itt;
	}
	ini_send_raw(i, bytes, pen_end(i, fd, pen));
	for (uint32_t n = 0; n < LUNS; n++) {
		fill(block, n * 37 % LUNS, generation);
		g_assert_cmpuint(ini_finish_read(i, first + n, got, BLOCK), ==, BLOCK);
		g_assert_cmpmem(got, BLOCK, block, BLOCK);
	}
	ini_free(i);
}

/* What is not a command, and commands for what is not there, are between them; the bytes come in two pieces. */
static void test_cut_anywhere(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	uint8_t block[BLOCK], got[BLOCK];
	size_t len = 1;

	meet_all(i);
	for (size_t cut = 0; cut < len; cut += cut < 256 ? 1 : 61) {
		uint32_t write, read, none, nop = (uint32_t)(0x10000 + cut), ready, back;
		int pen[2], fd = pen_begin(i, pen);

		fill(block, 7, (uint8_t)cut);
		write = command(i, 0x2a, WRITE, 7, 9, block);
		read = command(i, 0x28, READ, 8, 9, NULL);
		none = command(i, 0x28, READ, NO_LUN, 9, NULL);
		ini_nop(i, nop, "four", 4);
		ready = ini_test_unit_ready(i, 99);
		back = command(i, 0x28, READ, 7, 9, NULL);
		len = pen_end(i, fd, pen);
		ini_send_raw(i, bytes, cut);
		if (cut % 2)
			g_usleep(500);	/* the first piece is looked at by itself */
		ini_send_raw(i, bytes + cut, len - cut);
		EXPECT_STATUS(i, write, 0);
		g_assert_cmpuint(ini_finish_read(i, read, got, BLOCK), ==, BLOCK);
		g_assert_true(got[0] == 0 && !memcmp(got, got + 1, BLOCK - 1));
		EXPECT_SENSE(i, none, KEY_ILLEGAL_REQUEST, 0x25);
		EXPECT_PDU(i, OP_NOP_IN);
		g_assert_cmphex(get32(i->bhs + 16), ==, nop);
		EXPECT_STATUS(i, ready, 0);
		g_assert_cmpuint(ini_finish_read(i, back, got, BLOCK), ==, BLOCK);
		g_assert_cmpmem(got, BLOCK, block, BLOCK);
	}
	ini_free(i);
}

/* All units but the last go, which leaves holes, and commands for them, in one go again, are told so. */
static void test_gone(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	uint32_t first = 0;
	int pen[2], fd;

	for (uint32_t lun = 2; lun < LUNS - 1; lun++)
		target_remove_lun(server->scsi, lun, NULL, NULL);
	fd = pen_begin(i, pen);
	for (uint32_t lun = 2; lun < LUNS - 1; lun++) {
		uint32_t itt = command(i, 0x28, READ, lun, 0, NULL);

		first = lun > 2 ? first : itt;
	}
	ini_send_raw(i, bytes, pen_end(i, fd, pen));
	for (uint32_t lun = 2; lun < LUNS - 1; lun++)
		EXPECT_SENSE(i, first + lun - 2, KEY_ILLEGAL_REQUEST, 0x25);
	ini_free(i);
	target_remove_lun(server->scsi, LUNS - 1, NULL, NULL);
}

int main(int argc, char **argv)
{
	struct lun_conf conf = { .thin = true };

	server_begin(&argc, &argv);
	for (uint32_t lun = 2; lun < LUNS; lun++)
		g_assert_nonnull(target_add_lun(server->scsi, lun, server_ram(server), &conf, NULL));
	g_test_add_data_func("/wire/ahead/each-its-own", "", test_each_its_own);
	g_test_add_data_func("/wire/ahead/with-digests", "HeaderDigest=CRC32C;DataDigest=CRC32C;", test_each_its_own);
	g_test_add_func("/wire/ahead/cut-anywhere", test_cut_anywhere);
	g_test_add_func("/wire/ahead/gone", test_gone);
	return server_run();
}
