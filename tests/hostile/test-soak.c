/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-soak PROGRAM FOLDER SECONDS - sessions that verify every byte, abort, leave and come again; LUN resets; LUNs that
 * come, grow and go by the control socket; reloads; all at full speed and at once.  At the end every byte is right, neither
 * memory nor descriptors have grown since the first fifth of the time, and the log has no error of those LUNs.
 */
#include "config.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "scsi/wire.h"
#include "soak.h"

enum { SESSIONS = 6, EACH_BLOCKS = 4096, LUN_RESET = 5, EXTRA_FROM = 2, EXTRA_TO = 6,
       FLUSHES = 8 /* at once, of a LUN: each has an open file, which stays */ };
#define IMAGE_BYTES (SESSIONS * EACH_BLOCKS * (size_t)BLOCK)

static atomic_bool stop;
/* One of file, one of mmap, one of file past the page cache, where the file system can. */
static const uint32_t luns[] = { 0, 1, 6 };
static unsigned n_luns;
static atomic_uint resets, changes, reloads;

static gpointer verify(gpointer arg)
{
	struct verifier *v = arg;

	while (!atomic_load(&stop)) {
		verifier_login(v);
		for (int rounds = g_random_int_range(1, 200); rounds && !atomic_load(&stop); rounds--)
			verifier_round(v);
	}
	verifier_check(v);
	return NULL;
}

/* The answers to what others' commands met are not looked at. */
static gpointer reset(gpointer arg)
{
	int fd = raw_login(DISK, 101, "");
	uint8_t answer[BHS_LEN];

	for (uint32_t n = 0; !atomic_load(&stop); n++) {
		uint8_t bhs[BHS_LEN] = { OP_TMF_REQUEST | IMMEDIATE, FINAL | LUN_RESET };

		lun_format(bhs + 8, luns[n % n_luns]);
		put32(bhs + 16, n);
		put32(bhs + 20, TAG_NONE);
		put32(bhs + 24, 1);
		if (!raw_send(fd, bhs, NULL, 0) || !raw_recv(fd, answer) || answer[0] != OP_TMF_RESPONSE || answer[2]) {
			close(fd);
			fd = raw_login(DISK, 101, "");
		} else {
			atomic_fetch_add(&resets, 1);
		}
		g_usleep(200000);
	}
	close(fd);
	return NULL;
}

/* ---- LUNs that come and go ---- */

static char *extra_path(uint32_t lun)
{
	return g_strdup_printf("%s/extra-%u", rig_folder, lun);
}

static void change_once(void)
{
	uint32_t lun = (uint32_t)g_random_int_range(EXTRA_FROM, EXTRA_TO);
	static const struct { const char *plugin, *more; } kinds[] = {
		{ "file", "" }, { "mmap", "" }, { "file", ",\"direct\":\"yes\"" },
	};
	unsigned kind = (unsigned)g_random_int_range(0, (gint32)n_luns);
	g_autofree char *path = g_strdup_printf("/v1/targets/" DISK "/luns/%u", lun), *file = extra_path(lun), *body = NULL;

	switch (g_random_int_range(0, 5)) {
	case 0:
		body = g_strconcat(path, "?force=1", NULL);
		rig_ask("DELETE", body, NULL);
		break;
	case 1:
		body = g_strdup_printf("{\"serial\":\"%u\"}", g_random_int());
		rig_ask("PATCH", path, body);
		break;
	case 2:		/* it grows, or is cut */
		if (truncate(file, g_random_int_range(1, 64) * 65536))
			return;
		break;
	default:
		body = g_strdup_printf("{\"plugin\":\"%s\",\"settings\":{\"path\":\"%s\"%s}}", kinds[kind].plugin, file,
				       kinds[kind].more);
		rig_ask("PUT", path, body);
	}
	atomic_fetch_add(&changes, 1);
}

static gpointer change(gpointer arg)
{
	for (uint32_t lun = EXTRA_FROM; lun < EXTRA_TO; lun++) {
		g_autofree char *file = extra_path(lun);

		g_assert_true(g_file_set_contents(file, "", 0, NULL));
		g_assert_cmpint(truncate(file, 1 << 20), ==, 0);
	}
	while (!atomic_load(&stop)) {
		change_once();
		g_usleep(2000);
	}
	return NULL;
}

/* Whatever it is told; only that it is told something. */
static gpointer disturb(gpointer arg)
{
	uint8_t bhs[BHS_LEN], answer[BHS_LEN], data[4096] = { 0 };
	uint32_t sn = 1;
	int fd = raw_login(DISK, 102, "");

	while (!atomic_load(&stop)) {
		bool write = g_random_boolean(), gone;

		memset(bhs, 0, sizeof bhs);
		bhs[0] = OP_SCSI_COMMAND;
		bhs[1] = (uint8_t)(FINAL | SIMPLE | (write ? WRITE : READ));
		lun_format(bhs + 8, (uint32_t)g_random_int_range(EXTRA_FROM, EXTRA_TO));
		put32(bhs + 16, sn);
		put32(bhs + 20, sizeof data);
		put32(bhs + 24, sn++);
		bhs[32] = write ? 0x2a : 0x28;
		put32(bhs + 34, (uint32_t)g_random_int_range(0, 4096));
		put16(bhs + 39, sizeof data / BLOCK);
		gone = !raw_send(fd, bhs, data, write ? sizeof data : 0);
		while (!gone && (gone = !raw_recv(fd, answer), !gone) && answer[0] != OP_SCSI_RESPONSE &&
		       !(answer[0] == OP_DATA_IN && answer[1] & FLAG_STATUS))
			;
		if (gone) {
			if (fd >= 0)
				close(fd);
			fd = raw_login(DISK, 102, "");
			sn = 1;
		}
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

static gpointer reload(gpointer arg)
{
	while (!atomic_load(&stop)) {
		rig_reload();
		atomic_fetch_add(&reloads, 1);
		g_usleep(30000);
	}
	return NULL;
}

/* ---- the whole ---- */

static const char conf[] =
	"log-level = \"warn\";\n"
	"targets = ( { iqn = \"" DISK "\"; open = true; luns = (\n"
	"    { number = 0; plugin = \"file\"; settings: { path = \"%s/0\"; }; },\n"
	"    { number = 1; plugin = \"mmap\"; settings: { path = \"%s/1\"; }; }%s ); } );\n";
static const char conf_direct[] = ",\n    { number = 6; plugin = \"file\"; settings: { path = \"%s/6\"; direct = \"yes\"; }; }";

static double seconds;

static size_t most_memory(double for_s)
{
	gint64 until = g_get_monotonic_time() + (gint64)(for_s * G_USEC_PER_SEC);
	size_t most = 0;

	while (g_get_monotonic_time() < until) {
		most = MAX(most, rig_rss_kib());
		rig_check_alive();
		g_usleep(50000);
	}
	return most;
}

static void wait_fds(unsigned fds)
{
	gint64 until = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

	while (rig_fds() > fds) {
		g_assert_cmpint(g_get_monotonic_time(), <, until);
		g_usleep(20000);
	}
}

static void test_soak(void)
{
	static GThreadFunc const others[] = { reset, change, disturb, reload };
	GThread *threads[SESSIONS + G_N_ELEMENTS(others)];
	struct verifier *v[SESSIONS];
	unsigned n = 0, fds = rig_fds() + EXTRA_TO - EXTRA_FROM + n_luns * FLUSHES;
	size_t early, late, slack = rig_sanitized ? 96 << 10 : 24 << 10;

	for (; n < SESSIONS; n++) {
		v[n] = verifier_new((uint8_t)(n + 1), luns[n % n_luns], n / n_luns * EACH_BLOCKS, EACH_BLOCKS);
		threads[n] = g_thread_new("verify", verify, v[n]);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
		threads[n++] = g_thread_new("other", others[i], NULL);
	/* There is something to measure. */
	for (gint64 until = g_get_monotonic_time() + 120 * G_USEC_PER_SEC; !atomic_load(&soak.aborted) || !atomic_load(&resets); ) {
		most_memory(0.1);
		g_assert_cmpint(g_get_monotonic_time(), <, until);
	}
	early = most_memory(seconds / 5);
	late = most_memory(seconds * 3 / 5);
	late = most_memory(seconds / 5);
	g_test_message("%u commands, %u aborted, %u logins, %u resets, %u changes, %u reloads; memory %zu KiB, then %zu",
		       atomic_load(&soak.commands), atomic_load(&soak.aborted), atomic_load(&soak.logins), atomic_load(&resets),
		       atomic_load(&changes), atomic_load(&reloads), early, late);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < n; i++)
		g_thread_join(threads[i]);
	for (unsigned i = 0; i < SESSIONS; i++)
		verifier_free(v[i]);
	g_assert_cmpuint(atomic_load(&soak.aborted), >, 0);
	g_assert_cmpuint(atomic_load(&resets), >, 0);
	g_assert_cmpuint(late, <=, early + early / 4 + slack);
	g_assert_cmpuint(rig_ask("GET", "/healthz", NULL), ==, 200);
	wait_fds(fds);
	g_assert_false(rig_said("gotgt: error: target " DISK " lun 0"));
	g_assert_false(rig_said("gotgt: error: target " DISK " lun 1"));
}

/* The file system has O_DIRECT. */
static bool can_direct(void)
{
	g_autofree char *path = g_build_filename(rig_folder, "6", NULL);
	int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int main(int argc, char **argv)
{
	g_autofree char *text = NULL, *more = NULL;
	int r;

	g_test_init(&argc, &argv, NULL);
	if (argc != 4)
		return 2;
	rig_program = argv[1];
	rig_folder = argv[2];
	seconds = g_ascii_strtod(argv[3], NULL);
	rig_sanitized = g_getenv("RIG_SANITIZED") != NULL;
	signal(SIGPIPE, SIG_IGN);
	rig_image("0", IMAGE_BYTES);
	rig_image("1", IMAGE_BYTES);
	rig_image("6", IMAGE_BYTES);
	n_luns = can_direct() ? 3 : 2;
	more = n_luns == 3 ? g_strdup_printf(conf_direct, rig_folder) : g_strdup("");
	text = g_strdup_printf(conf, rig_folder, rig_folder, more);
	rig_start(text);
	g_test_add_func("/soak", test_soak);
	r = g_test_run();
	rig_stop();
	return r;
}
