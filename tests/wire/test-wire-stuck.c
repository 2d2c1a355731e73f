/* SPDX-License-Identifier: Apache-2.0 */
/* A device that does not answer: its commands are given up in time, and nothing overtakes what it still has. */
#include "config.h"
#include <string.h>
#include "ini.h"
#include "iscsi/count.h"
#include "scsi/lun.h"
#include "scsi/tally.h"
#include "scsi/wire.h"

enum { ABORT_TASK = 1, LUN_RESET = 5, WARM_RESET = 6 };
enum { TIMEOUT_S = 1 };

static uint8_t text[4096];

static void begin(void)
{
	server_io_timeout(server, TIMEOUT_S);
	ram_deafen(true);
	ram_hold();
}

static void end(void)
{
	ram_release();
	ram_deafen(false);
	server_io_timeout(server, 0);
}

/* Until the unit is ready again; what else it says on the way is NOT READY, or that it was reset. */
static void wait_ready(struct ini *i, uint32_t lun)
{
	gint64 until = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

	do {
		ini_test_unit_ready(i, lun);
		EXPECT_PDU(i, OP_SCSI_RESPONSE);
		g_assert_cmpint(g_get_monotonic_time(), <, until);
		if (i->bhs[3] == 2 && (i->data[2 + 2] & 15) == KEY_NOT_READY)
			g_assert_cmphex(i->data[2 + 12], ==, 0x04);
	} while (i->bhs[3]);
}

static void expect_not_ready(struct ini *i)
{
	uint32_t itt = ini_test_unit_ready(i, 0);

	EXPECT_SENSE(i, itt, KEY_NOT_READY, 0x04);
	g_assert_cmphex(i->data[2 + 13], ==, 0x01);
	itt = ini_read(i, 0, 1, 512);
	EXPECT_SENSE(i, itt, KEY_NOT_READY, 0x04);
	itt = ini_write(i, FINAL, 0, 1, 512, text, 512);
	EXPECT_SENSE(i, itt, KEY_NOT_READY, 0x04);
}

/* Each once by its unit, and by its session. */
static void check_counts(unsigned timeouts)
{
	struct stats_sum *of_lun = g_new0(struct stats_sum, 1), *of_session = g_new0(struct stats_sum, 1);
	g_autoptr(GArray) all = count_sessions(server->node);

	tally_lun(target_find_lun(server->scsi, 0), of_lun);
	for (guint n = 0; n < all->len; n++)
		count_session_sum(&g_array_index(all, struct count_session, n), of_session);
	g_assert_cmpuint(of_lun->errors[SENSE_COMMAND_TIMEOUT], ==, timeouts);
	g_assert_cmpuint(of_session->errors[SENSE_COMMAND_TIMEOUT], ==, timeouts);
	g_free(of_lun);
	g_free(of_session);
}

static void test_given_up(void)
{
	struct ini *i = ini_new_login(server, 1, ""), *other = ini_new_login(server, 2, "");
	uint8_t inquiry[16] = { 0x12, 0, 0, 0, 96 }, got[512];
	uint32_t itts[3];
	char *lines;

	g_free(server_logged());
	begin();
	for (unsigned n = 0; n < 3; n++)
		itts[n] = ini_read(i, n, 1, 512);
	ram_wait_held(3);
	for (unsigned n = 0; n < 3; n++) {
		EXPECT_SENSE(i, itts[n], KEY_ABORTED_COMMAND, 0x2e);
		g_assert_cmphex(i->data[2 + 13], ==, 0x02);
	}
	expect_not_ready(i);
	expect_not_ready(other);
	check_counts(3);	/* as what came after them has been answered */
	/* What needs no medium is answered. */
	itts[0] = ini_command(i, FINAL | READ, 0, 96, inquiry, NULL, 0);
	g_assert_cmpuint(ini_finish_read(i, itts[0], got, sizeof got), >, 0);
	end();
	wait_ready(i, 0);
	wait_ready(other, 0);
	ini_check(i);
	lines = server_logged();
	g_assert_nonnull(strstr(lines, "lun 0: its device does not answer"));
	g_assert_nonnull(strstr(lines, "lun 0: its device answers again"));
	g_assert_null(strstr(strstr(lines, "does not answer") + 1, "does not answer"));
	g_free(lines);
	ini_free(i);
	ini_free(other);
}

/* What was given up may still be written; what is written later stays. */
static void test_not_overtaken(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	uint8_t got[512];
	uint32_t itt;

	begin();
	memset(text, 'o', 512);
	itt = ini_write(i, FINAL, 7, 1, 512, text, 512);
	ram_wait_held(1);
	EXPECT_SENSE(i, itt, KEY_ABORTED_COMMAND, 0x2e);
	memset(text, 'n', 512);
	itt = ini_write(i, FINAL, 7, 1, 512, text, 512);
	EXPECT_SENSE(i, itt, KEY_NOT_READY, 0x04);
	end();
	wait_ready(i, 0);
	itt = ini_read(i, 7, 1, 512);
	g_assert_cmpuint(ini_finish_read(i, itt, got, 512), ==, 512);
	g_assert_cmpint(got[0], ==, 'o');
	itt = ini_write(i, FINAL, 7, 1, 512, text, 512);
	EXPECT_STATUS(i, itt, 0);
	itt = ini_read(i, 7, 1, 512);
	g_assert_cmpuint(ini_finish_read(i, itt, got, 512), ==, 512);
	g_assert_cmpint(got[511], ==, 'n');
	ini_free(i);
}

/* RFC 7143 11.6: the answer comes when the tasks are gone, and they are in time. */
static void test_aborts(void)
{
	static const uint8_t functions[] = { ABORT_TASK, LUN_RESET, WARM_RESET };
	struct ini *i, *other;
	uint32_t itt;

	for (size_t n = 0; n < G_N_ELEMENTS(functions); n++) {
		gint64 began;

		i = ini_new_login(server, 1, "");
		other = ini_new_login(server, 2, "");
		begin();
		server_io_timeout(server, 3600);	/* its abort does not wait for that */
		itt = ini_read(i, 0, 1, 512);
		ini_read(functions[n] == ABORT_TASK ? i : other, 1, 1, 512);
		ram_wait_held(2);
		server_io_timeout(server, TIMEOUT_S);
		began = g_get_monotonic_time();
		ini_tmf(i, functions[n], 0, itt);
		EXPECT_TMF(i, 0);
		g_assert_cmpint(g_get_monotonic_time() - began, <, 60 * G_USEC_PER_SEC);
		end();
		ini_free(i);
		ini_free(other);
		i = ini_new_login(server, 3, "");
		wait_ready(i, 0);
		ini_free(i);
	}
}

/* The session goes, with its nexus, and comes again; the command does not notice. */
static void test_session_goes(void)
{
	struct ini *i = ini_new_login(server, 1, ""), *again;
	uint8_t ordered[16] = { 0x28, 0, 0, 0, 0, 0, 0, 0, 1 };
	unsigned still;

	begin();
	for (unsigned n = 0; n < 8; n++)
		ini_read(i, n, 1, 512);
	ini_command(i, FINAL | READ | ORDERED, 0, 512, ordered, NULL, 0);
	ram_wait_held(8);
	again = ini_new_login(server, 1, "");		/* reinstated: the old one has ended */
	EXPECT_CLOSED(i);
	ini_free(i);
	still = ram_held();
	g_assert_cmpuint(still, ==, 8);
	ini_hang_up(again);
	ini_free(again);
	end();
	i = ini_new_login(server, 1, "");
	wait_ready(i, 0);
	ini_check(i);
	ini_free(i);
}

/* What waited for its turn runs, and finds the unit not ready. */
static void test_ordered_behind(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	uint8_t read[16] = { 0x28, 0, 0, 0, 0, 0, 0, 0, 1 };
	uint32_t first, second;

	begin();
	first = ini_read(i, 0, 1, 512);
	ram_wait_held(1);
	second = ini_command(i, FINAL | READ | ORDERED, 0, 512, read, NULL, 0);
	EXPECT_SENSE(i, first, KEY_ABORTED_COMMAND, 0x2e);
	EXPECT_SENSE(i, second, KEY_NOT_READY, 0x04);
	end();
	wait_ready(i, 0);
	ini_free(i);
}

/* Removed while it is stuck: that ends, and all is freed when the device has let go. */
static void test_removed(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	const struct lun_conf conf = { .thin = true };
	gint64 began;
	uint32_t itt;

	begin();
	itt = ini_read(i, 0, 1, 512);
	ram_wait_held(1);
	EXPECT_SENSE(i, itt, KEY_ABORTED_COMMAND, 0x2e);
	began = g_get_monotonic_time();
	target_remove_lun(server->scsi, 0, NULL, NULL);
	g_assert_cmpint(g_get_monotonic_time() - began, <, 60 * G_USEC_PER_SEC);
	g_assert_cmpuint(server->engine->n_left, ==, 1);
	target_free_left(server->engine);
	g_assert_cmpuint(server->engine->n_left, ==, 1);
	ram_release();
	for (gint64 until = began + 120 * G_USEC_PER_SEC; server->engine->n_left; target_free_left(server->engine))
		g_assert_cmpint(g_get_monotonic_time(), <, until);
	g_assert_nonnull(target_add_lun(server->scsi, 0, server_ram(server), &conf, NULL));
	end();
	wait_ready(i, 0);
	ini_free(i);
}

/* A job's command is not kept waiting; the job goes on when the device does. */
static void test_job(void)
{
	static const uint8_t cdb[16] = { OP_SANITIZE, SA_BLOCK_ERASE };
	struct ini *i = ini_new_login(server, 1, ""), *other = ini_new_login(server, 2, "");
	const struct lun *lun = target_find_lun(server->scsi, 0);
	uint8_t got[512], zeroes[512] = { 0 };
	uint32_t itt;
	char *lines;

	memset(text, 'j', 512);
	itt = ini_write(i, FINAL, 3, 1, 512, text, 512);
	EXPECT_STATUS(i, itt, 0);
	g_free(server_logged());
	begin();
	itt = ini_command(i, FINAL, 0, 0, cdb, NULL, 0);
	ram_wait_held(1);
	EXPECT_SENSE(i, itt, KEY_ABORTED_COMMAND, 0x2e);
	g_assert_true(lun_state(lun) & LUN_STUCK);
	itt = ini_test_unit_ready(other, 0);
	EXPECT_SENSE(other, itt, KEY_NOT_READY, 0x04);
	g_assert_cmphex(other->data[2 + 13], ==, 0x1b);
	end();
	wait_ready(i, 0);
	wait_ready(other, 0);
	g_assert_false(lun_state(lun) & LUN_STUCK);
	g_assert_cmpuint(ini_finish_read(i, ini_read(i, 3, 1, 512), got, 512), ==, 512);
	g_assert_cmpmem(got, 512, zeroes, 512);
	lines = server_logged();
	g_assert_nonnull(strstr(lines, "lun 0: its device does not answer"));
	g_assert_nonnull(strstr(lines, "lun 0: its device answers again"));
	g_free(lines);
	ini_free(i);
	ini_free(other);
}

/* Never, when nothing is set: as long as it takes. */
static void test_no_limit(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	uint8_t got[512];
	uint32_t itt;

	begin();
	server_io_timeout(server, 0);
	itt = ini_read(i, 0, 1, 512);
	ram_wait_held(1);
	ini_nop(i, 0x4444, NULL, 0);
	EXPECT_PDU(i, OP_NOP_IN);
	end();
	g_assert_cmpuint(ini_finish_read(i, itt, got, 512), ==, 512);
	ini_free(i);
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_func("/wire/stuck/given-up", test_given_up);
	g_test_add_func("/wire/stuck/not-overtaken", test_not_overtaken);
	g_test_add_func("/wire/stuck/aborts", test_aborts);
	g_test_add_func("/wire/stuck/session-goes", test_session_goes);
	g_test_add_func("/wire/stuck/ordered-behind", test_ordered_behind);
	g_test_add_func("/wire/stuck/removed", test_removed);
	g_test_add_func("/wire/stuck/job", test_job);
	g_test_add_func("/wire/stuck/no-limit", test_no_limit);
	return server_run();
}
