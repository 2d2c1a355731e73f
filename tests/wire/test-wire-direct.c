/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many long READs and WRITEs at once to a file with O_DIRECT, and nothing behind them: each is answered, though more is done
 * at once than is answered in one turn (plugins/common/ring.c), and no further request has the rest looked at.  And a file that
 * was cut stays as short, however many come at once.
 */
#include "config.h"
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <glib/gstdio.h>
#include "ini.h"

enum { DIRECT = 3, LEN = 256 << 10, AT_ONCE = 24, BYTES = AT_ONCE * LEN, ROUNDS = 40 };

static uint8_t *want, *got;

/* False: the file system knows no O_DIRECT. */
static bool direct_add(const char *path)
{
	g_autofree char *dir = g_test_build_filename(G_TEST_BUILT, "../plugins/file/.libs", NULL);
	const char *settings[] = { "path", path, "direct", "yes", NULL };
	struct lun_conf conf = { 0 };
	g_autoptr(GError) error = NULL;
	struct module *m = module_load(dir, "file", &device_host, &error);
	struct device *dev;

	g_assert_no_error(error);
	dev = device_open(server->engine, m, "direct", settings, false, &error);
	if (!dev) {
		g_assert_nonnull(strstr(error->message, "direct is not possible"));
		return false;
	}
	target_add_lun(server->scsi, DIRECT, dev, &conf, &error);
	g_assert_no_error(error);
	return true;
}

static void random_bytes(void)
{
	for (size_t at = 0; at < BYTES; at += 4)
		put32(want + at, (uint32_t)g_test_rand_int());
}

static void receive(struct ini *i, uint8_t op)
{
	struct pollfd answer = { .fd = i->fd, .events = POLLIN };

	g_assert_cmpint(poll(&answer, 1, 20000), ==, 1);
	EXPECT_PDU(i, op);
}

/* Data-In of any of them until all have their status. */
static void read_all(struct ini *i)
{
	uint8_t cdb[16] = { 0x28 };
	uint32_t first = i->itt;

	put16(cdb + 7, LEN / BLOCK);
	for (unsigned n = 0; n < AT_ONCE; n++) {
		put32(cdb + 2, n * (LEN / BLOCK));
		ini_command(i, FINAL | READ, DIRECT, LEN, cdb, NULL, 0);
	}
	memset(got, 0, BYTES);
	for (unsigned left = AT_ONCE; left; ) {
		uint32_t of, at;

		receive(i, OP_DATA_IN);
		of = get32(i->bhs + 16) - first;
		at = get32(i->bhs + 40);
		g_assert_cmpuint(of, <, AT_ONCE);
		g_assert_cmpuint(at + i->data_len, <=, LEN);
		memcpy(got + of * LEN + at, i->data, i->data_len);
		if (i->bhs[1] & FLAG_STATUS) {
			g_assert_cmphex(i->bhs[3], ==, 0);
			left--;
		}
	}
	g_assert_cmpmem(got, BYTES, want, BYTES);
}

/* From the last to the first.  The first n_good can be done; what is behind them is not there, and fails. */
static void write_all(struct ini *i, unsigned n_good)
{
	uint8_t cdb[16] = { 0x2a };
	uint32_t first = i->itt;

	put16(cdb + 7, LEN / BLOCK);
	for (unsigned n = AT_ONCE; n-- > 0; ) {
		put32(cdb + 2, n * (LEN / BLOCK));
		ini_command(i, FINAL | WRITE, DIRECT, LEN, cdb, want + n * LEN, LEN);
	}
	for (unsigned n = 0; n < AT_ONCE; n++) {
		receive(i, OP_SCSI_RESPONSE);
		if (get32(i->bhs + 16) - first < AT_ONCE - n_good)
			g_assert_cmphex(i->bhs[3], ==, 2);
		else if (n_good == AT_ONCE)	/* else they may be told that the capacity has changed */
			g_assert_cmphex(i->bhs[3], ==, 0);
	}
}

/* Another program cuts the file: WRITEs behind its end do not make it longer again. */
static void cut_and_write(struct ini *i, const char *path)
{
	GStatBuf st;

	g_assert_cmpint(truncate(path, BYTES / 2), ==, 0);
	write_all(i, AT_ONCE / 2);
	g_assert_cmpint(g_stat(path, &st), ==, 0);
	g_assert_cmpint(st.st_size, ==, BYTES / 2);
}

static void test_direct(void)
{
	/* Beside what is built, as /tmp may be of a kind that has no O_DIRECT. */
	g_autofree char *path = g_test_build_filename(G_TEST_BUILT, "wire/direct-XXXXXX", NULL);
	g_autofree char *bytes = g_malloc0(BYTES);
	struct ini *i;
	uint32_t itt;

	close(g_mkstemp(path));
	g_assert_true(g_file_set_contents(path, bytes, BYTES, NULL));
	if (!direct_add(path)) {
		g_test_skip("O_DIRECT is not to be had");
		g_unlink(path);
		return;
	}
	want = g_malloc(BYTES);
	got = g_malloc(BYTES);
	i = ini_new_tcp(server, 1);
	ini_login(i, "ImmediateData=Yes;InitialR2T=No;FirstBurstLength=262144;MaxRecvDataSegmentLength=262144;");
	itt = ini_test_unit_ready(i, DIRECT);
	EXPECT_SENSE(i, itt, KEY_UNIT_ATTENTION, 0x29);
	for (unsigned n = 0; n < ROUNDS; n++) {
		if (n % 8 == 0) {
			random_bytes();
			write_all(i, AT_ONCE);
		}
		read_all(i);
	}
	cut_and_write(i, path);
	ini_check(i);
	ini_free(i);
	target_remove_lun(server->scsi, DIRECT, NULL, NULL);
	g_unlink(path);
	g_free(want);
	g_free(got);
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_func("/wire/direct", test_direct);
	return server_run();
}
