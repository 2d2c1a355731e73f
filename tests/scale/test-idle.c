/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-idle PROGRAM FOLDER - what sessions cost that do nothing: memory of the daemon for each of a thousand, before and
 * after its first command, and processor time while nobody asks for anything.
 */
#include "config.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "../hostile/rig.h"

#define WARM 50u			/* sessions before the first look */
#define SESSIONS 1000u
#define FRESH_KIB_MAX 8.0		/* of a session without a command; core/README.md says so */
#define KIB_MAX 16.0			/* of any */
#define TICKS_MAX 2u			/* of processor time, in a second */
#define TRIES 5u

static struct ini *sessions[WARM + SESSIONS];

/* Its name tells it from others: ini.c's number of a port has eight bits. */
static struct ini *log_in(unsigned n)
{
	g_autofree char *text = g_strdup_printf("InitiatorName=" HOST "-%u;TargetName=" DISK ";", n);
	struct ini *i = ini_new(NULL, 1);

	ini_login_pdu(i, OP_TO_FULL, text);
	EXPECT_LOGIN(i, OP_TO_FULL, 0);
	return i;
}

/* The first is told of the power on. */
static void read_one(struct ini *i)
{
	uint32_t itt = ini_test_unit_ready(i, 0);
	uint8_t got[4096];

	EXPECT_SENSE(i, itt, KEY_UNIT_ATTENTION, 0x29);
	g_assert_cmpuint(ini_finish_read(i, ini_read(i, 0, 8, sizeof got), got, sizeof got), ==, sizeof got);
}

/* User and system time of all its threads: proc(5), behind the name in brackets. */
static unsigned long ticks(void)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", rig_pid), *text = NULL;
	g_auto(GStrv) fields = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	fields = g_strsplit(strrchr(text, ')') + 2, " ", -1);
	g_assert_cmpuint(g_strv_length(fields), >, 12);
	return strtoul(fields[11], NULL, 10) + strtoul(fields[12], NULL, 10);
}

/* What is measured is a second in which nothing happens.  The least of several: a NOP-In may be due in one. */
static void expect_idle(const char *what)
{
	unsigned long least = ULONG_MAX;

	for (unsigned try = 0; try < TRIES && least > TICKS_MAX; try++) {
		unsigned long from = ticks();

		g_usleep(G_USEC_PER_SEC);
		least = MIN(least, ticks() - from);
	}
	g_test_message("%s: %lu clock ticks of processor time in a second", what, least);
	g_assert_cmpuint(least, <=, TICKS_MAX);
}

static void expect_small(const char *what, size_t from_kib, double most)
{
	double each = ((double)rig_rss_kib() - (double)from_kib) / SESSIONS;

	g_test_message("%s: %.1f KiB of a session", what, each);
	if (!rig_sanitized)
		g_assert_cmpfloat(each, <=, most);
}

/* As the daemon does for itself. */
static bool can_have_files(void)
{
	struct rlimit files;

	g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &files), ==, 0);
	files.rlim_cur = files.rlim_max;
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &files), ==, 0);
	return files.rlim_cur > WARM + SESSIONS + 64;
}

static void test_idle(void)
{
	size_t kib;
	unsigned fds;

	if (!can_have_files()) {
		g_test_skip("not so many files can be open");
		return;
	}
	rig_start("targets = ( { iqn = \"" DISK "\"; open = true; luns = (\n"
		  "  { number = 0; plugin = \"null\"; settings: { size = \"1M\"; }; } ); } );\n");
	for (unsigned n = 0; n < WARM; n++) {
		sessions[n] = log_in(n);
		read_one(sessions[n]);
	}
	kib = rig_rss_kib();
	fds = rig_fds();
	for (unsigned n = WARM; n < WARM + SESSIONS; n++)
		sessions[n] = log_in(n);
	g_assert_cmpuint(rig_fds(), ==, fds + SESSIONS);
	expect_small("logged in", kib, FRESH_KIB_MAX);
	expect_idle("logged in");
	for (unsigned n = WARM; n < WARM + SESSIONS; n++)
		read_one(sessions[n]);
	expect_small("after a read", kib, KIB_MAX);
	expect_idle("after a read");
	/* None of them was forgotten. */
	for (unsigned n = 0; n < WARM + SESSIONS; n++) {
		ini_check(sessions[n]);
		ini_free(sessions[n]);
	}
	rig_stop();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	if (argc != 3)
		return 2;
	rig_program = argv[1];
	rig_folder = argv[2];
	rig_sanitized = g_getenv("RIG_SANITIZED") != NULL;
	signal(SIGPIPE, SIG_IGN);
	g_test_add_func("/idle/sessions", test_idle);
	return g_test_run();
}
