/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-faults PROGRAM FAIL.so FOLDER - each system call of the data path made to fail, in each way it can (fail.c): the
 * command it was for ends with the right sense data or goes on, no other is touched, of the same session or another's, every
 * byte is right, no file stays open, and the server lives and ends well.
 */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef HAVE_LIBURING
#include <linux/io_uring.h>
#endif
#include "../e2e/life.h"
#include "../wire/ini.h"
#include "engine/sanitized.h"
#include "scsi/copy.h"
#include "scsi/wire.h"

enum { SHORT = 0, ROUNDS = 24, RUN = 8, GOOD = 0x00, CHECK_CONDITION = 0x02, BUSY = 0x08, FUA = 0x08, EVERY = 3, EVERY_CUT = 40, COUNT = 4, SOURCE = 0xa5, LONG = 256 /* blocks */,
       FILES_OF_FLUSHES = 1 /* as one comes after the other */ };
#define RUN_BYTES (RUN * BLOCK)
#define SOURCE_LBA (ROUNDS * 3 * RUN)	/* what is copied to each third run before it */
#define FILE_BYTES ((ROUNDS * 3 + 1) * (size_t)RUN_BYTES)

/* What the commands for which a call fails come to. */
enum outcome { GOES_ON, ENDS, IS_BUSY, IS_CUT, IS_LOST /* as ENDS, once, and no flush succeeds after it */ };

static const struct row {
	const char *plugin, *call;
	int error;
	enum outcome outcome;
	uint8_t key, asc, ascq;
	unsigned first;	/* such a call is rare: the first ones fail, and not each third */
	const char *settings;	/* of the plugin */
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
	{ "file", "fdatasync", ENOSPC, IS_LOST, 7, 0x27, 7 },
	{ "file", "fdatasync", EDQUOT, IS_LOST, 7, 0x27, 7 },
	{ "file", "fdatasync", EINTR, GOES_ON },
	{ "file", "dsync", EIO, IS_LOST, 3, 0x0c, 0 },
	{ "mmap", "dsync", EIO, IS_LOST, 3, 0x0c, 0 },
	{ "file", "dsync", ENOMEM, IS_BUSY },
	{ "mmap", "dsync", ENOMEM, IS_BUSY },
	{ "file", "fallocate", EIO, ENDS, 3, 0x0c, 0 },
	{ "file", "fallocate", ENOSPC, ENDS, 7, 0x27, 7 },
	{ "file", "fallocate", EOPNOTSUPP, ENDS, 5, 0x20, 0 },
	{ "file", "fallocate", EINTR, GOES_ON },
	{ "file", "copy_file_range", EIO, GOES_ON },	/* it is read and written, and that fails where it must */
	{ "file", "copy_file_range", EXDEV, GOES_ON },
	{ "file", "copy_file_range", EINTR, GOES_ON },
	{ "file", "copy_file_range", SHORT, GOES_ON },
	{ "mmap", "copy_file_range", EIO, GOES_ON },
	{ "file", "statx", EIO, GOES_ON },
	{ "mmap", "statx", EIO, GOES_ON },
	{ "file", "lseek", EIO, GOES_ON },
	{ "mmap", "lseek", EINVAL, GOES_ON },
	{ "file", "mincore", EAGAIN, GOES_ON, .first = 2 },
	{ "file", "open", EMFILE, GOES_ON, .first = 4 },
	{ "file", "open", ENFILE, GOES_ON, .first = 4 },
	{ "mmap", "open", EMFILE, GOES_ON, .first = 4 },
	{ "file", "pthread_create", EAGAIN, GOES_ON, .first = 4 },
	{ "mmap", "pthread_create", EAGAIN, GOES_ON, .first = 4 },
	{ "file", "mmap", ENOMEM, IS_BUSY, .first = 4 },
	{ "mmap", "mmap", ENOMEM, IS_BUSY, .first = 4 },
#ifdef HAVE_LIBURING
	{ "file", "uring", EAGAIN, GOES_ON, .settings = ",direct=yes" },
	{ "file", "uring", ENOMEM, GOES_ON, .settings = ",direct=yes" },
	{ "file", "uring", EINTR, GOES_ON, .settings = ",direct=yes" },
	{ "file", "uring-io", EBADF, GOES_ON, .settings = ",direct=yes" },
#endif
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
	{ "file", "accept4", ENFILE, GOES_ON },
	{ "file", "accept4", ENOBUFS, GOES_ON },
	{ "file", "accept4", ENOMEM, GOES_ON },
	{ "file", "accept4", ECONNABORTED, GOES_ON },
	{ "file", "accept4", EINTR, GOES_ON },
	{ "file", "watch-conn", ENOMEM, IS_CUT },
	{ "file", "watch-portal", ENOMEM, GOES_ON },
	{ "file", "epoll_wait", EINTR, GOES_ON },
	{ "file", "wake", EINTR, GOES_ON, .first = 4 },
	{ "file", "wake", ENOMEM, GOES_ON, .first = 4 },
};

static const struct row *row;
static struct ini *ini, *other;		/* the other's session has nothing to do with the medium */
static unsigned failures;		/* of commands, as told */

/* Where connections are cut, that may be during a login. */
static struct ini *new_login(uint8_t id)
{
	struct ini *i;

	for (unsigned tries = 0; tries < 20; tries++) {
		i = ini_new_tcp(NULL, id);
		i->max_recv_dsl = 262144;
		if (ini_try_login(i, "MaxRecvDataSegmentLength=262144;"))
			return i;
		g_assert_cmpint(row->outcome, ==, IS_CUT);
		failures++;
		ini_free(i);
	}
	g_error("it goes on failing");
}

static void log_in(void)
{
	ini = new_login(1);
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
		/* The flushes after the one that failed say what has come of it. */
		bool after = row->outcome == IS_LOST && failures > 1;

		g_assert_cmphex(ini->data[2 + 2] & 15, ==, after ? 3 : row->key);
		g_assert_cmphex(ini->data[2 + 12], ==, after ? 0x0c : row->asc);
		g_assert_cmphex(ini->data[2 + 13], ==, after ? 0 : row->ascq);
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

/* EXTENDED COPY to lba, of what nobody writes to. */
static void send_copy(uint32_t lba, const uint8_t *data)
{
	uint8_t list[COPY_HEADER + SEGMENT_LEN] = { [1] = LIST_ID_NONE << 3, [11] = SEGMENT_LEN }, *segment = list + COPY_HEADER;
	uint8_t cdb[16] = { OP_THIRD_PARTY_COPY_OUT, [13] = sizeof list };

	segment[0] = SEGMENT_BLOCK_TO_BLOCK;
	put_be16(segment + 2, SEGMENT_LEN - 4);
	put_be16(segment + 4, CSCD_ID_THIS);
	put_be16(segment + 6, CSCD_ID_THIS);
	put_be16(segment + 10, RUN);
	put_be64(segment + 12, SOURCE_LBA);
	put_be64(segment + 20, lba);
	ini_command(ini, FINAL | WRITE, 0, sizeof list, cdb, list, sizeof list);
}

/* GET LBA STATUS: what has been written is never called deallocated. */
static void ask_state(uint32_t lba)
{
	uint8_t cdb[16] = { OP_SERVICE_ACTION_IN_16, SA_GET_LBA_STATUS, [13] = 24 }, data[24];
	uint32_t itt;

	put_be64(cdb + 2, lba);
	itt = ini_command(ini, FINAL | READ, 0, sizeof data, cdb, NULL, 0);
	g_assert_cmpuint(ini_finish_read(ini, itt, data, sizeof data), ==, sizeof data);
	g_assert_cmpuint(get_be64(data + 8), ==, lba);
	g_assert_cmpuint(get_be32(data + 16), >, 0);
	g_assert_cmphex(data[20] & 15, ==, 0);
}

/* What the other session wants is not for the medium: whatever fails there, it has it. */
static void ask_beside(void)
{
	static const uint8_t zeroes[RUN_BYTES];
	uint8_t cdb[16] = { OP_READ_10, [8] = RUN }, data[RUN_BYTES] = { 1 };
	uint32_t itt = ini_command(other, FINAL | READ, 1, sizeof data, cdb, NULL, 0);

	g_assert_cmpuint(ini_finish_read(other, itt, data, sizeof data), ==, sizeof data);
	g_assert_cmpmem(data, sizeof data, zeroes, sizeof zeroes);
	ini_check(other);
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

/* Enough for what is in memory to be sent from there, as soon as that has been found to be so. */
static void insist_long_read(int image)
{
	static uint8_t data[LONG * BLOCK], want[LONG * BLOCK];

	g_assert_cmpint(pread(image, want, sizeof want, 0), ==, sizeof want);
	for (unsigned good = 0, tries = 0; good < 3; tries++) {
		g_assert_cmpuint(tries, <, 20);
		ini_finish_read(ini, ini_read(ini, 0, LONG, sizeof data), data, sizeof data);
		if (was_good()) {
			g_assert_cmpmem(data, sizeof data, want, sizeof want);
			good++;
		}
	}
}

/* Each kind of command that the call may be for; all bytes are looked at again through a connection without faults. */
static void work(int image)
{
	static uint8_t data[ROUNDS][RUN_BYTES];
	static const uint8_t zeroes[RUN_BYTES];
	uint8_t source[RUN_BYTES];

	memset(source, SOURCE, sizeof source);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t lba = i * 3 * RUN;

		for (unsigned j = 0; j < RUN_BYTES; j++)
			data[i][j] = (uint8_t)g_random_int();
		insist(send_write, lba, data[i]);
		insist(send_write, lba + RUN, data[i]);
		insist_read(lba, data[i]);
		insist(send_unmap, lba + RUN, NULL);
		insist(send_copy, lba + 2 * RUN, NULL);
		if (row->outcome != IS_CUT) {
			ask_state(lba);
			insist_long_read(image);
		}
		flush();
		if (other)
			ask_beside();
	}
	ini_free(ini);
	log_in();
	for (uint32_t i = 0; i < ROUNDS; i++) {
		insist_read(i * 3 * RUN, data[i]);
		insist_read(i * 3 * RUN + RUN, zeroes);
		insist_read(i * 3 * RUN + 2 * RUN, source);
	}
}

static const char *program, *preload, *folder;

static bool is_at_start(void)
{
	return !strcmp(row->call, "watch-portal");
}

/* A server of a file of zeroes and the source of copies, with the folder `state`, in which the call of the row is to fail once `when` is there. */
static struct life *serve(unsigned every, unsigned count, const char *slow_ms, const char *when)
{
	g_autofree char *image = g_build_filename(folder, "image", NULL), *lun = g_strdup_printf("%s:%s%s", row->plugin, image, row->settings ? row->settings : "");
	g_autofree char *what = g_strdup_printf("%s %d %u %u", row->call, row->error, every, count);
	g_autofree char *state = g_build_filename(folder, "state", NULL);
	const char *argv[] = { program, "serve", "--iqn", DISK, "--portal", "127.0.0.1:0", "--state-dir", state,
			       lun, "null:", NULL };
	const char *const more[][2] = { { "LD_PRELOAD", preload }, { "FAIL", what }, { "FAIL_WHEN", when }, { "FAIL_SLOW", slow_ms } };
	int fd = open(image, O_RDWR | O_CREAT | O_TRUNC, 0600);
	uint8_t source[RUN_BYTES];
	char **env = g_get_environ();
	struct life *l;

	memset(source, SOURCE, sizeof source);
	g_assert_cmpint(ftruncate(fd, (off_t)FILE_BYTES), ==, 0);
	g_assert_cmpint(pwrite(fd, source, sizeof source, SOURCE_LBA * (off_t)BLOCK), ==, sizeof source);
	close(fd);
	unlink(when);
	if (is_at_start())
		g_assert_true(g_file_set_contents(when, "", 0, NULL));
	for (unsigned i = 0; i < G_N_ELEMENTS(more); i++)
		env = g_environ_setenv(env, more[i][0], more[i][1], TRUE);
	failures = 0;
	l = life_begin(argv, env);
	g_strfreev(env);
	return l;
}

static bool is_of(const char *const *calls)
{
	return g_strv_contains(calls, row->call);
}

/* Connections that have ended are closed some time after. */
static void expect_files(const struct life *l, unsigned max)
{
	for (unsigned tries = 0; life_files(l) > max; tries++) {
		g_assert_cmpuint(tries, <, 6000);
		g_usleep(10000);
	}
}

/* O_DIRECT, and io_uring where the row is of that. */
static bool can_be_had(void)
{
	g_autofree char *path = g_build_filename(folder, "image", NULL);
	int fd = open(path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600), ring = 0;

	if (fd < 0)
		return false;
	close(fd);
#ifdef HAVE_LIBURING
	if (g_str_has_prefix(row->call, "uring")) {
		struct io_uring_params params = { 0 };

		ring = (int)syscall(SYS_io_uring_setup, 1, &params);
		if (ring >= 0)
			close(ring);
	}
#endif
	return ring >= 0;
}

static void test(gconstpointer arg)
{
	static const char *const of_logins[] = { "accept4", "watch-conn", "watch-portal", NULL };
	static const char *const of_all[] = { "recvmsg", "sendmsg", "accept4", "watch-conn", "watch-portal", "mmap", NULL };
	g_autofree char *when = g_build_filename(folder, "when", NULL), *path = g_build_filename(folder, "image", NULL);
	unsigned every = EVERY, count = COUNT, files;
	bool is_of_login;
	int image;
	struct life *l;

	row = arg;
	if (SANITIZED_ADDRESS && !strcmp(row->call, "mmap")) {
		g_test_skip("buffers are the sanitizer's");
		return;
	}
	if (row->settings && !can_be_had()) {
		g_test_skip("no O_DIRECT, or no io_uring");
		return;
	}
	is_of_login = is_of(of_logins);
	if (is_of_login)
		every = 1, count = 2;
	else if (row->outcome == IS_CUT)
		every = EVERY_CUT;
	else if (row->first)
		every = 1, count = row->first;
	if (row->outcome == IS_LOST)
		count = 1;
	l = serve(every, count, "0", when);
	other = is_of(of_all) ? NULL : new_login(2);
	if (!is_of_login)
		log_in();
	image = open(path, O_RDONLY | O_CLOEXEC);
	files = life_files(l);
	g_assert_true(is_at_start() || g_file_set_contents(when, "", 0, NULL));
	if (is_of_login)
		log_in();
	work(image);
	close(image);
	g_assert_false(g_file_test(when, G_FILE_TEST_EXISTS));	/* it has failed as often as it should */
	g_assert_true(row->outcome == GOES_ON ? failures == 0 : failures > 0);
	expect_files(l, files + FILES_OF_FLUSHES + is_of_login);
	if (other)
		ini_free(other);
	other = NULL;
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
	l = serve(FLUSHES, 1, "30000", when);	/* the last to begin fails, and is the first to end */
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
		g_autofree char *path = g_strdup_printf("/faults/%s%s/%s/%s", rows[i].plugin, rows[i].settings ? "-direct" : "",
								  rows[i].call, how);

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
