/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-stuck PROGRAM FOLDER - plugins that hang, never answer, or answer twice, in a daemon that has others to serve, and
 * one without descriptors: what they were given is answered in time, the other logical unit and the control socket go on, and the daemon ends.
 */
#include "config.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "rig.h"

enum { COMMANDS = 64, ABORT_TASK = 1, LUN_RESET = 5, GATE_BYTES = 4 << 20, END_S = 60 };

static char *gate;

static void start(const char *fault)
{
	static const char conf[] =
		"workers = 4;\n"
		"targets = ( { iqn = \"" DISK "\"; open = true; luns = (\n"
		"    { number = 0; plugin = \"file\"; settings: { path = \"%s/0\"; }; },\n"
		"    { number = 1; plugin = \"faulty\"; io-timeout = 3; settings: { path = \"%s/1\"; fault = \"%s\"; }; } ); } );\n";
	g_autofree char *text = g_strdup_printf(conf, rig_folder, rig_folder, fault);

	unlink(gate);
	rig_image("0", GATE_BYTES);
	rig_image("1", GATE_BYTES);
	rig_start(text);
}

static void close_gate(void)
{
	g_assert_true(g_file_set_contents(gate, "", 0, NULL));
}

static uint32_t command(struct ini *i, bool write, uint32_t lba)
{
	static uint8_t data[BLOCK];
	uint8_t cdb[16] = { write ? 0x2a : 0x28, [8] = 1 };

	put32(cdb + 2, lba);
	return ini_command(i, write ? FINAL | WRITE : FINAL | READ, 1, BLOCK, cdb, data, write ? BLOCK : 0);
}

/* LUN 0 works, and through workers: what is not in the page cache, and flushes. */
static void others_go_on(struct ini *i)
{
	static const uint8_t flush[16] = { 0x35 };
	uint8_t data[BLOCK], got[BLOCK];

	for (uint32_t n = 0; n < 20; n++) {
		uint32_t itt;

		memset(data, (int)n, sizeof data);
		itt = ini_write(i, FINAL, n, 1, BLOCK, data, BLOCK);
		EXPECT_STATUS(i, itt, 0);
		itt = ini_command(i, FINAL, 0, 0, flush, NULL, 0);
		EXPECT_STATUS(i, itt, 0);
		itt = ini_read(i, n, 1, BLOCK);
		g_assert_cmpuint(ini_finish_read(i, itt, got, BLOCK), ==, BLOCK);
		g_assert_cmpmem(got, BLOCK, data, BLOCK);
	}
	g_assert_cmpuint(rig_ask("GET", "/healthz", NULL), ==, 200);
}

static void ends_in_time(void)
{
	gint64 began = g_get_monotonic_time();

	rig_stop();
	g_assert_cmpint(g_get_monotonic_time() - began, <, END_S * G_USEC_PER_SEC);
	g_assert_true(rig_said("does not answer"));
}

static void expect_timeouts(struct ini *i, unsigned n)
{
	while (n--) {
		EXPECT_PDU(i, OP_SCSI_RESPONSE);
		g_assert_cmphex(i->bhs[3], ==, 2);
		/* Those that were not at the device yet when it was found to be stuck are told that. */
		if ((i->data[2 + 2] & 15) == KEY_NOT_READY)
			continue;
		g_assert_cmphex(i->data[2 + 2] & 15, ==, KEY_ABORTED_COMMAND);
		g_assert_cmphex(i->data[2 + 12], ==, 0x2e);
		g_assert_cmphex(i->data[2 + 13], ==, 0x02);
	}
}

static void test_hangs(void)
{
	struct ini *i, *other;
	gint64 began, until;
	uint32_t itt;

	start("gate");
	i = ini_new_login(NULL, 1, "");
	other = ini_new_login(NULL, 2, "");
	itt = command(i, true, 0);
	EXPECT_STATUS(i, itt, 0);
	close_gate();
	began = g_get_monotonic_time();
	for (unsigned n = 0; n < COMMANDS; n++)
		itt = command(i, n % 2, n);
	others_go_on(other);
	expect_timeouts(i, COMMANDS);
	g_assert_cmpint(g_get_monotonic_time() - began, <, 60 * G_USEC_PER_SEC);
	ini_tmf(i, ABORT_TASK, 1, itt);
	EXPECT_TMF(i, 1);
	ini_tmf(i, LUN_RESET, 1, TAG_NONE);
	EXPECT_TMF(i, 0);
	others_go_on(other);
	/* It answers again. */
	unlink(gate);
	until = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
	do {
		itt = ini_test_unit_ready(i, 1);
		EXPECT_PDU(i, OP_SCSI_RESPONSE);
		g_assert_cmpint(g_get_monotonic_time(), <, until);
	} while (i->bhs[3]);
	itt = command(i, true, 0);
	EXPECT_STATUS(i, itt, 0);
	g_assert_true(rig_said("answers again"));
	/* And not. */
	close_gate();
	itt = command(i, true, 0);
	EXPECT_SENSE(i, itt, KEY_ABORTED_COMMAND, 0x2e);
	ends_in_time();
	ini_free(i);
	ini_free(other);
}

/* Neither a time limit that was reached nor an abort: what the daemon meets when it is to end. */
static void test_hangs_at_the_end(void)
{
	struct ini *i;

	start("gate");
	i = ini_new_login(NULL, 1, "");
	close_gate();
	for (unsigned n = 0; n < COMMANDS; n++)
		command(i, n % 2, n);
	others_go_on(i);
	ends_in_time();
	ini_free(i);
}

static void test_never(void)
{
	struct ini *i, *other;
	uint32_t itt;

	start("never");
	i = ini_new_login(NULL, 1, "");
	other = ini_new_login(NULL, 2, "");
	for (unsigned n = 0; n < COMMANDS; n++)
		command(i, true, n);
	expect_timeouts(i, COMMANDS);
	others_go_on(other);
	itt = command(other, false, 0);
	EXPECT_SENSE(other, itt, KEY_NOT_READY, 0x04);
	/* Its LUN can be removed all the same. */
	g_assert_cmpuint(rig_ask("DELETE", "/v1/targets/" DISK "/luns/1?force=1", NULL), ==, 204);
	itt = ini_test_unit_ready(other, 0);
	EXPECT_SENSE(other, itt, KEY_UNIT_ATTENTION, 0x3f);
	others_go_on(other);
	ends_in_time();
	ini_free(i);
	ini_free(other);
}

static void test_twice(void)
{
	struct ini *i, *other;
	uint8_t got[BLOCK];

	start("twice");
	i = ini_new_login(NULL, 1, "");
	other = ini_new_login(NULL, 2, "");
	for (unsigned n = 0; n < COMMANDS; n++)
		g_assert_cmpuint(ini_finish_read(i, command(i, false, n), got, BLOCK), ==, BLOCK);
	others_go_on(other);
	g_assert_true(rig_said("answered a request twice"));
	rig_stop();
	ini_free(i);
	ini_free(other);
}

/* ---- descriptors ---- */

static void leave_files(unsigned n)
{
	struct rlimit r;

	g_assert_cmpint(prlimit(rig_pid, RLIMIT_NOFILE, NULL, &r), ==, 0);
	r.rlim_cur = MIN(n, r.rlim_max);
	g_assert_cmpint(prlimit(rig_pid, RLIMIT_NOFILE, &r, NULL), ==, 0);
}

static double cpu_s(void)
{
	struct timespec t;
	clockid_t clock;

	g_assert_cmpint(clock_getcpuclockid(rig_pid, &clock), ==, 0);
	g_assert_cmpint(clock_gettime(clock, &t), ==, 0);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void wait_said(const char *what)
{
	for (gint64 until = g_get_monotonic_time() + 60 * G_USEC_PER_SEC; !rig_said(what); g_usleep(10000))
		g_assert_cmpint(g_get_monotonic_time(), <, until);
}

/* Connections leave some to the control socket; when it has none either it neither spins nor stays away afterwards. */
static void test_few_files(void)
{
	int fds[128], waiting;
	gint64 until;
	struct ini *i;
	double used_s;

	start("none");
	i = ini_new_login(NULL, 1, "");
	leave_files(96);
	for (unsigned n = 0; n < G_N_ELEMENTS(fds); n++)
		fds[n] = raw_connect();
	others_go_on(i);
	g_assert_cmpuint(rig_ask("PUT", "/v1/targets/" OTHER, "{\"open\":true,\"luns\":[{\"number\":0,\"plugin\":\"null\"}]}"),
			 ==, 201);
	wait_said("open files");
	leave_files(3);
	waiting = rig_control();
	used_s = cpu_s();
	g_usleep(G_USEC_PER_SEC / 2);
	g_assert_cmpfloat(cpu_s() - used_s, <, 0.2);
	wait_said("Too many open files");
	leave_files(1024);
	for (unsigned n = 0; n < G_N_ELEMENTS(fds); n++)
		if (fds[n] >= 0)
			close(fds[n]);
	until = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
	while (rig_ask("GET", "/healthz", NULL) != 200)
		g_assert_cmpint(g_get_monotonic_time(), <, until);
	ini_free(i);
	i = ini_new_login(NULL, 2, "");
	others_go_on(i);
	close(waiting);
	ini_free(i);
	rig_stop();
}

int main(int argc, char **argv)
{
	int r;

	g_test_init(&argc, &argv, NULL);
	if (argc != 3)
		return 2;
	rig_program = argv[1];
	rig_folder = argv[2];
	rig_sanitized = g_getenv("RIG_SANITIZED") != NULL;
	signal(SIGPIPE, SIG_IGN);
	gate = g_build_filename(rig_folder, "1.gate", NULL);
	g_test_add_func("/stuck/hangs", test_hangs);
	g_test_add_func("/stuck/hangs-at-the-end", test_hangs_at_the_end);
	g_test_add_func("/stuck/never", test_never);
	g_test_add_func("/stuck/twice", test_twice);
	g_test_add_func("/stuck/few-files", test_few_files);
	r = g_test_run();
	g_free(gate);
	return r;
}
