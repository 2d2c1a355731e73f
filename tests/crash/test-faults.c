/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-faults PROGRAM FAIL.so FOLDER - each system call of the data path made to fail, in each way it can (fail.c): the
 * command it was for ends with the right sense data or goes on, no other is touched, every byte is right, and the server
 * lives and ends well.
 */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "../e2e/life.h"
#include "../wire/ini.h"
#include "scsi/wire.h"

enum { SHORT = 0, ROUNDS = 24, RUN = 8, GOOD = 0x00, CHECK_CONDITION = 0x02, BUSY = 0x08, FUA = 0x08, EVERY = 3, EVERY_CUT = 40, COUNT = 4 };
#define RUN_BYTES (RUN * BLOCK)
#define FILE_BYTES (ROUNDS * 2 * (size_t)RUN_BYTES)

/* What the commands for which a call fails come to. */
enum outcome { GOES_ON, ENDS, IS_BUSY, IS_CUT, IS_LOST /* as ENDS, once, and no flush succeeds after it */ };

static const struct row {
	const char *plugin, *call;
	int error;
	enum outcome outcome;
	uint8_t key, asc, ascq;
} rows[] = {
	{ "file", "preadv2", EIO, ENDS, 3, 0x11, 0 },
	{ "file", "preadv2", EINTR, GOES_ON },
	{ "file", "preadv2", EAGAIN, GOES_ON },
	{ "file", "preadv2", ENOMEM, IS_BUSY },
	{ "file", "preadv2", SHORT, GOES_ON },
	{ "file", "pwritev2", EIO, ENDS, 3, 0x0c, 0 },
	{ "file", "pwritev2", ENOSPC, ENDS, 7, 0x27, 7 },
	{ "file", "pwritev2", EDQUOT, ENDS, 7, 0x27, 7 },
	{ "file", "pwritev2", EROFS, ENDS, 7, 0x27, 0 },
	{ "file", "pwritev2", EINTR, GOES_ON },
	{ "file", "pwritev2", EAGAIN, IS_BUSY },	/* also where nothing said that it must not wait */
	{ "file", "pwritev2", ENOMEM, IS_BUSY },
	{ "file", "pwritev2", SHORT, GOES_ON },
	{ "file", "fdatasync", EIO, IS_LOST, 3, 0x0c, 0 },
	{ "file", "fdatasync", EINTR, GOES_ON },
	{ "file", "dsync", EIO, IS_LOST, 3, 0x0c, 0 },
	{ "mmap", "dsync", EIO, IS_LOST, 3, 0x0c, 0 },
	{ "file", "fallocate", EIO, ENDS, 3, 0x0c, 0 },
	{ "file", "fallocate", ENOSPC, ENDS, 7, 0x27, 7 },
	{ "file", "fallocate", EINTR, GOES_ON },
	{ "mmap", "fdatasync", EIO, IS_LOST, 3, 0x0c, 0 },
	{ "mmap", "fallocate", EINTR, GOES_ON },
	{ "mmap", "recvmsg", SHORT, GOES_ON },
	{ "mmap", "sendmsg", SHORT, GOES_ON },
	{ "mmap", "sendmsg", EAGAIN, GOES_ON },
	{ "file", "recvmsg", EINTR, GOES_ON },
	{ "file", "recvmsg", EAGAIN, GOES_ON },
	{ "file", "recvmsg", SHORT, GOES_ON },
	{ "file", "recvmsg", ECONNRESET, IS_CUT },
	{ "file", "recvmsg", ENOMEM, IS_CUT },
	{ "file", "sendmsg", EINTR, GOES_ON },
	{ "file", "sendmsg", EAGAIN, GOES_ON },
	{ "file", "sendmsg", SHORT, GOES_ON },
	{ "file", "sendmsg", EPIPE, IS_CUT },
	{ "file", "sendmsg", ENOBUFS, IS_CUT },
	{ "file", "accept4", EMFILE, GOES_ON },
	{ "file", "accept4", ECONNABORTED, GOES_ON },
	{ "file", "accept4", EINTR, GOES_ON },
	{ "file", "epoll_wait", EINTR, GOES_ON },
};

static const struct row *row;
static struct ini *ini;
static unsigned failures;		/* of commands, as told */

static void log_in(void)
{
	ini = ini_new_tcp(NULL, 1);
	ini->max_recv_dsl = 262144;
	ini_login(ini, "MaxRecvDataSegmentLength=262144;");
}

/* GOOD, or what the row says of a failure. */
static bool was_good(void)
{
	uint8_t status = ini->bhs[3];

	if (status == GOOD)
		return true;
	failures++;
	g_assert_cmphex(status, ==, row->outcome == IS_BUSY ? BUSY : row->outcome == ENDS || row->outcome == IS_LOST ? CHECK_CONDITION : 0xff);
	if (status == CHECK_CONDITION) {
		g_assert_cmphex(ini->data[2 + 2] & 15, ==, row->key);
		g_assert_cmphex(ini->data[2 + 12], ==, row->asc);
		g_assert_cmphex(ini->data[2 + 13], ==, row->ascq);
	}
	return false;
}

/* Send it until it is good; a connection that is cut is made anew. */
static void insist(void (*send)(uint32_t lba, const uint8_t *data), uint32_t lba, const uint8_t *data)
{
	for (unsigned tries = 0; tries < 20; tries++) {
		send(lba, data);
		if (ini_recv(ini)) {
			if (was_good())
				return;
			continue;
		}
		g_assert_cmpint(row->outcome, ==, IS_CUT);
		failures++;
		ini_free(ini);
		log_in();
	}
	g_error("it goes on failing");
}

static void send_write_with(uint8_t flags, uint32_t lba, const uint8_t *data)
{
	uint8_t cdb[16] = { OP_WRITE_10, flags, [8] = RUN };

	put_be32(cdb + 2, lba);
	ini_command(ini, FINAL | WRITE, 0, RUN_BYTES, cdb, data, RUN_BYTES);
}

static void send_write(uint32_t lba, const uint8_t *data)
{
	send_write_with(strcmp(row->call, "dsync") ? 0 : FUA, lba, data);
}

static void send_stable_write(uint32_t lba, const uint8_t *data)
{
	send_write_with(FUA, lba, data);
}

static void send_flush(uint32_t lba, const uint8_t *data)
{
	static const uint8_t cdb[16] = { OP_SYNCHRONIZE_CACHE_10 };

	ini_command(ini, FINAL, 0, 0, cdb, NULL, 0);
}

static void send_unmap(uint32_t lba, const uint8_t *data)
{
	uint8_t list[24] = { [1] = 22, [3] = 16 }, cdb[16] = { OP_UNMAP, [8] = sizeof list };

	put_be64(list + 8, lba);
	put_be32(list + 16, RUN);
	ini_command(ini, FINAL | WRITE, 0, sizeof list, cdb, list, sizeof list);
}

/* A failure is never followed by one that succeeds: what was not written before may be lost. */
static void flush(void)
{
	unsigned before = failures;

	if (row->outcome != IS_LOST) {
		insist(send_flush, 0, NULL);
		return;
	}
	send_flush(0, NULL);
	g_assert_true(ini_recv(ini));
	g_assert_true(!was_good() || !before);
}

static bool receive_read(uint8_t *to, uint32_t itt)
{
	uint32_t got = 0;

	do {
		if (!ini_recv(ini))
			return false;
		if ((ini->bhs[0] & OPCODE_MASK) == OP_DATA_IN) {
			g_assert_cmpuint(get32(ini->bhs + 40) + ini->data_len, <=, RUN_BYTES);
			memcpy(to + get32(ini->bhs + 40), ini->data, ini->data_len);
			got += ini->data_len;
		}
	} while ((ini->bhs[0] & OPCODE_MASK) == OP_DATA_IN && !(ini->bhs[1] & FLAG_STATUS));
	g_assert_cmpuint(get32(ini->bhs + 16), ==, itt);
	g_assert_true(ini->bhs[3] != GOOD || got == RUN_BYTES);
	return true;
}

static void insist_read(uint32_t lba, const uint8_t *want)
{
	uint8_t data[RUN_BYTES];

	for (unsigned tries = 0; tries < 20; tries++) {
		if (!receive_read(data, ini_read(ini, lba, RUN, RUN_BYTES))) {
			g_assert_cmpint(row->outcome, ==, IS_CUT);
			failures++;
			ini_free(ini);
			log_in();
		} else if (was_good()) {
			g_assert_cmpmem(data, RUN_BYTES, want, RUN_BYTES);
			return;
		}
	}
	g_error("it goes on failing");
}

/* Each kind of command that the call may be for; all bytes are looked at again through a connection without faults. */
static void work(void)
{
	static uint8_t data[ROUNDS][RUN_BYTES];
	static const uint8_t zeroes[RUN_BYTES];

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t lba = i * 2 * RUN;

		for (unsigned j = 0; j < RUN_BYTES; j++)
			data[i][j] = (uint8_t)g_random_int();
		insist(send_write, lba, data[i]);
		insist(send_write, lba + RUN, data[i]);
		insist_read(lba, data[i]);
		insist(send_unmap, lba + RUN, NULL);
		flush();
	}
	ini_free(ini);
	log_in();
	for (uint32_t i = 0; i < ROUNDS; i++) {
		insist_read(i * 2 * RUN, data[i]);
		insist_read(i * 2 * RUN + RUN, zeroes);
	}
}

static const char *program, *preload, *folder;

/* A server of a file of zeroes, with the folder `state`, in which the call of the row is to fail once `when` is there. */
static struct life *serve(unsigned every, unsigned count, const char *slow_ms, const char *when)
{
	g_autofree char *image = g_build_filename(folder, "image", NULL), *lun = g_strdup_printf("%s:%s", row->plugin, image);
	g_autofree char *what = g_strdup_printf("%s %d %u %u", row->call, row->error, every, count);
	g_autofree char *state = g_build_filename(folder, "state", NULL);
	const char *argv[] = { program, "serve", "--iqn", DISK, "--portal", "127.0.0.1:0", "--state-dir", state,
			       lun, "null:", NULL };
	const char *const more[][2] = { { "LD_PRELOAD", preload }, { "FAIL", what }, { "FAIL_WHEN", when }, { "FAIL_SLOW", slow_ms } };
	int fd = open(image, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char **env = g_get_environ();
	struct life *l;

	g_assert_cmpint(ftruncate(fd, (off_t)FILE_BYTES), ==, 0);
	close(fd);
	unlink(when);
	for (unsigned i = 0; i < G_N_ELEMENTS(more); i++)
		env = g_environ_setenv(env, more[i][0], more[i][1], TRUE);
	failures = 0;
	l = life_begin(argv, env);
	g_strfreev(env);
	return l;
}

static void test(gconstpointer arg)
{
	g_autofree char *when = g_build_filename(folder, "when", NULL);
	bool accepts;
	struct life *l;

	row = arg;
	accepts = !strcmp(row->call, "accept4");
	l = serve(accepts ? 1 : row->outcome == IS_CUT ? EVERY_CUT : EVERY, accepts ? 2 : row->outcome == IS_LOST ? 1 : COUNT,
		  "0", when);
	if (!accepts)
		log_in();
	g_assert_true(g_file_set_contents(when, "", 0, NULL));
	if (accepts)
		log_in();
	work();
	g_assert_false(g_file_test(when, G_FILE_TEST_EXISTS));	/* it has failed as often as it should */
	g_assert_true(row->outcome == GOES_ON ? failures == 0 : failures > 0);
	ini_free(ini);
	life_stop(l);
}

/* Flushes under way when another fails cover what that may have lost: none of them is GOOD, though for each all went well. */
static void test_overlap(gconstpointer plugin)
{
	const struct row fails = { plugin, "fdatasync", EIO, IS_LOST, 3, 0x0c, 0 };
	g_autofree char *when = g_build_filename(folder, "when", NULL);
	static const uint8_t data[RUN_BYTES] = { 1 };
	enum { FLUSHES = 4 };
	struct life *l;

	row = &fails;
	l = serve(FLUSHES, 1, "700", when);	/* the last to begin fails, and is the first to end */
	log_in();
	send_write(0, data);
	g_assert_true(ini_recv(ini) && was_good());
	send_flush(0, NULL);
	g_assert_true(ini_recv(ini) && was_good());
	send_write(RUN, data);
	g_assert_true(ini_recv(ini) && was_good());
	g_assert_true(g_file_set_contents(when, "", 0, NULL));
	for (unsigned i = 0; i < FLUSHES; i++)
		send_flush(0, NULL);
	for (unsigned i = 0; i < FLUSHES; i++)
		g_assert_true(ini_recv(ini) && !was_good());
	g_assert_false(g_file_test(when, G_FILE_TEST_EXISTS));
	send_flush(0, NULL);
	g_assert_true(ini_recv(ini) && !was_good());
	ini_free(ini);
	life_stop(l);
	row = NULL;
}

/*
 * Another program has been told of what was lost, by syncing the file: whatever is asked first, a flush or a write with
 * FUA, which opens files, no flush is GOOD.
 */
static void test_seen(const char *plugin, void (*first)(uint32_t lba, const uint8_t *data))
{
	const struct row fails = { plugin, "seen", EIO, IS_LOST, 3, 0x0c, 0 };
	g_autofree char *when = g_build_filename(folder, "when", NULL);
	static const uint8_t data[RUN_BYTES] = { 1 };
	struct life *l;

	row = &fails;
	l = serve(1, 100, "0", when);
	log_in();
	send_write(0, data);
	g_assert_true(ini_recv(ini) && was_good());
	g_assert_true(g_file_set_contents(when, "", 0, NULL));
	first(RUN, data);
	g_assert_true(ini_recv(ini) && !was_good());
	for (unsigned i = 0; i < 2; i++) {
		send_flush(0, NULL);
		g_assert_true(ini_recv(ini) && !was_good());
	}
	ini_free(ini);
	life_stop(l);
	row = NULL;
}

static void test_seen_flush(gconstpointer plugin)
{
	test_seen(plugin, send_flush);
}

static void test_seen_write(gconstpointer plugin)
{
	test_seen(plugin, send_stable_write);
}

/*
 * SANITIZE is refused when what it keeps may not be: the file is there (fsync 1), its folder is not stable (fsync 2).  The
 * unit is as it was, after a restart too.
 */
static void test_kept(void)
{
	const struct row fails = { "file", "fsync", EIO, ENDS, 4, 0x44, 0 };
	g_autofree char *when = g_build_filename(folder, "when", NULL), *state = g_build_filename(folder, "state", NULL);
	static const uint8_t cdb[16] = { OP_SANITIZE, SA_BLOCK_ERASE }, zeroes[RUN_BYTES];
	struct life *l;

	row = &fails;
	g_assert_cmpint(g_mkdir_with_parents(state, 0700), ==, 0);
	l = serve(2, 1, "0", when);
	log_in();
	g_assert_true(g_file_set_contents(when, "", 0, NULL));
	ini_command(ini, FINAL, 0, 0, cdb, NULL, 0);
	g_assert_true(ini_recv(ini) && !was_good());
	g_assert_false(g_file_test(when, G_FILE_TEST_EXISTS));
	insist_read(0, zeroes);
	ini_free(ini);
	life_stop(l);
	l = serve(1, 0, "0", when);
	log_in();
	insist_read(0, zeroes);
	g_assert_cmpuint(failures, ==, 0);
	ini_free(ini);
	life_stop(l);
	row = NULL;
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	if (argc != 4)
		return 2;
	program = argv[1];
	preload = argv[2];
	folder = argv[3];
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *how = g_strdelimit(g_strdup(rows[i].error ? g_strerror(rows[i].error) : "a part"), " /", '-');
		g_autofree char *path = g_strdup_printf("/faults/%s/%s/%s", rows[i].plugin, rows[i].call, how);

		g_test_add_data_func(path, &rows[i], test);
	}
	g_test_add_data_func("/faults/file/fdatasync/overlap", "file", test_overlap);
	g_test_add_data_func("/faults/mmap/fdatasync/overlap", "mmap", test_overlap);
	g_test_add_data_func("/faults/file/fdatasync/seen/flush", "file", test_seen_flush);
	g_test_add_data_func("/faults/file/fdatasync/seen/write", "file", test_seen_write);
	g_test_add_data_func("/faults/mmap/fdatasync/seen/flush", "mmap", test_seen_flush);
	g_test_add_func("/faults/file/fsync/kept", test_kept);
	return g_test_run();
}
