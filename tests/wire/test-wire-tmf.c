/* SPDX-License-Identifier: Apache-2.0 */
/* Task management: who loses what, who hears of it, and when the answer comes. */
#include "config.h"
#include "ini.h"
#include "scsi/lun.h"
#include "scsi/wire.h"

enum { ABORT_TASK = 1, ABORT_TASK_SET = 2, CLEAR_ACA = 3, CLEAR_TASK_SET = 4, LUN_RESET = 5, WARM_RESET = 6,
       COLD_RESET = 7, TASK_REASSIGN = 8 };
enum { TMF_COMPLETE = 0, TMF_NO_TASK = 1, TMF_NO_LUN = 2, TMF_NO_REASSIGN = 4, TMF_NOT_SUPPORTED = 5 };
enum { TASK_ABORTED = 0x40 };

static void test_abort_task(void)
{
	struct ini *i = ini_new_login(server, 1, "InitialR2T=Yes;ImmediateData=No;");
	uint8_t data[4096] = { 0 };
	uint32_t itt, ttt;

	ini_tmf(i, ABORT_TASK, 0, 0x7777);
	EXPECT_TMF(i, TMF_NO_TASK);

	/* At the device: no answer to the command but the abort's. */
	ram_hold();
	itt = ini_read(i, 0, 8, 4096);
	ram_wait_held(1);
	ini_tmf(i, ABORT_TASK, 0, itt);
	EXPECT_TMF(i, TMF_COMPLETE);
	ram_release();
	ini_check(i);

	/* Waiting for data, which may be on its way. */
	itt = ini_write(i, FINAL, 0, 8, 4096, NULL, 0);
	EXPECT_PDU(i, OP_R2T);
	ttt = get32(i->bhs + 20);
	ini_tmf(i, ABORT_TASK, 0, itt);
	ini_data_out(i, FINAL, itt, ttt, 0, 0, data, sizeof data);
	EXPECT_TMF(i, TMF_COMPLETE);
	ini_check(i);

	/* Answered already. */
	itt = ini_test_unit_ready(i, 0);
	EXPECT_STATUS(i, itt, 0);
	ini_tmf(i, ABORT_TASK, 0, itt);
	EXPECT_TMF(i, TMF_NO_TASK);
	ini_free(i);
}

/* Of this session and that LUN alone. */
static void test_abort_task_set(void)
{
	struct ini *i = ini_new_login(server, 1, ""), *other = ini_new_login(server, 2, "");
	uint8_t read[16] = { 0x28, 0, 0, 0, 0, 0, 0, 0, 1 }, got[512];
	uint32_t kept, theirs;

	ram_hold();
	for (unsigned n = 0; n < 10; n++)
		ini_read(i, n, 1, 512);
	kept = ini_command(i, FINAL | READ, 1, 512, read, NULL, 0);
	theirs = ini_read(other, 0, 1, 512);
	ram_wait_held(12);
	ini_tmf(i, ABORT_TASK_SET, 0, TAG_NONE);
	EXPECT_TMF(i, TMF_COMPLETE);
	ram_release();
	g_assert_cmpuint(ini_finish_read(i, kept, got, 512), ==, 512);
	g_assert_cmpuint(ini_finish_read(other, theirs, got, 512), ==, 512);
	ini_check(i);
	ini_check(other);
	ini_free(i);
	ini_free(other);
}

/* Everybody's commands there end, and everybody hears of it; the other LUN goes on. */
static void test_lun_reset(void)
{
	struct ini *i = ini_new_login(server, 1, ""), *other = ini_new_login(server, 2, "");
	struct ini *third = ini_new_login(server, 3, "");
	uint8_t read[16] = { 0x28, 0, 0, 0, 0, 0, 0, 0, 1 }, got[512];
	uint32_t kept, itt;

	ram_hold();
	ini_read(i, 0, 1, 512);
	ini_read(other, 0, 1, 512);
	ini_read(third, 0, 1, 512);
	kept = ini_command(third, FINAL | READ, 1, 512, read, NULL, 0);
	ram_wait_held(4);
	ini_tmf(i, LUN_RESET, 0, TAG_NONE);
	EXPECT_TMF(i, TMF_COMPLETE);
	ram_release();
	g_assert_cmpuint(ini_finish_read(third, kept, got, 512), ==, 512);
	itt = ini_test_unit_ready(other, 0);
	EXPECT_SENSE(other, itt, KEY_UNIT_ATTENTION, 0x29);
	ini_check(other);
	itt = ini_test_unit_ready(third, 0);
	EXPECT_SENSE(third, itt, KEY_UNIT_ATTENTION, 0x29);
	itt = ini_test_unit_ready(third, 1);
	EXPECT_STATUS(third, itt, 0);
	ini_free(i);
	ini_free(other);
	ini_free(third);
}

static void test_tmf_answers(void)
{
	struct ini *i = ini_new_login(server, 1, "");

	ini_tmf(i, LUN_RESET, 5, TAG_NONE);
	EXPECT_TMF(i, TMF_NO_LUN);
	ini_tmf(i, ABORT_TASK_SET, 16383, TAG_NONE);
	EXPECT_TMF(i, TMF_NO_LUN);
	ini_tmf(i, CLEAR_ACA, 0, TAG_NONE);
	EXPECT_TMF(i, TMF_NOT_SUPPORTED);
	ini_tmf(i, 0x7f, 0, TAG_NONE);
	EXPECT_TMF(i, TMF_NOT_SUPPORTED);
	ini_tmf(i, TASK_REASSIGN, 0, 1);
	EXPECT_TMF(i, TMF_NO_REASSIGN);
	ini_check(i);
	ini_free(i);
}

/* The TAS bit of LUN 0's control mode page. */
static void set_tas(struct ini *i, bool on)
{
	uint8_t select[16] = { OP_MODE_SELECT_6, 0x10, 0, 0, 16 };
	uint8_t page[16] = { 0, 0, 0, 0, 0x0a, 10, 0x22, 0x10, 0, on ? 0x40 : 0 };
	uint32_t itt = ini_command(i, FINAL | WRITE, 0, sizeof page, select, page, sizeof page);

	EXPECT_STATUS(i, itt, 0);
}

struct purge {
	struct task_purge purge;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
};

static void purged(struct task_purge *p)
{
	struct purge *u = container_of(p, struct purge, purge);

	pthread_mutex_lock(&u->lock);
	u->done = true;
	pthread_cond_signal(&u->cond);
	pthread_mutex_unlock(&u->lock);
}

static bool matches(const struct nexus *n, void *arg)
{
	return n != arg;
}

static void start_purge(void *arg)
{
	struct purge *u = arg;

	u->purge.by = u->purge.arg = server->scsi->nexuses->pdata[0];
	u->purge.match = matches;
	u->purge.done = purged;
	target_purge(server->scsi, &u->purge);
}

/* SAM-5 5.6: another's doing, as by PREEMPT AND ABORT, is told: by the status with TAS, by a unit attention without. */
static void test_purge(void)
{
	for (int tas = 1; tas >= 0; tas--) {
		struct ini *i = ini_new_login(server, 1, ""), *other = ini_new_login(server, 2, "");
		uint8_t read[16] = { 0x28, 0, 0, 0, 0, 0, 0, 0, 1 }, got[512];
		struct purge u = { .purge.lun = target_find_lun(server->scsi, 0), .lock = PTHREAD_MUTEX_INITIALIZER,
				   .cond = PTHREAD_COND_INITIALIZER };
		uint32_t own, kept, theirs, itt;

		if (tas) {
			set_tas(i, true);
			itt = ini_test_unit_ready(other, 0);
			EXPECT_SENSE(other, itt, KEY_UNIT_ATTENTION, 0x2a);	/* MODE PARAMETERS CHANGED */
		}
		ram_hold();
		own = ini_read(i, 0, 1, 512);
		theirs = ini_read(other, 0, 1, 512);
		kept = ini_command(other, FINAL | READ, 1, 512, read, NULL, 0);
		ram_wait_held(3);
		reactor_call(server->engine->reactors[0], start_purge, &u);
		if (tas)
			EXPECT_STATUS(other, theirs, TASK_ABORTED);
		pthread_mutex_lock(&u.lock);
		while (!u.done)
			pthread_cond_wait(&u.cond, &u.lock);
		pthread_mutex_unlock(&u.lock);
		ram_release();
		g_assert_cmpuint(ini_finish_read(i, own, got, 512), ==, 512);
		g_assert_cmpuint(ini_finish_read(other, kept, got, 512), ==, 512);
		if (!tas) {
			itt = ini_test_unit_ready(other, 0);
			EXPECT_SENSE(other, itt, KEY_UNIT_ATTENTION, 0x2f);
		}
		ini_check(other);
		if (tas)
			set_tas(i, false);
		ini_free(i);
		ini_free(other);
	}
}

/* Each nexus has a task set of its own (TST 001b). */
static void test_clear_task_set(void)
{
	struct ini *i = ini_new_login(server, 1, ""), *other = ini_new_login(server, 2, "");
	uint32_t theirs;
	uint8_t got[512];

	ram_hold();
	ini_read(i, 0, 1, 512);
	theirs = ini_read(other, 0, 1, 512);
	ram_wait_held(2);
	ini_tmf(i, CLEAR_TASK_SET, 0, TAG_NONE);
	EXPECT_TMF(i, TMF_COMPLETE);
	ram_release();
	g_assert_cmpuint(ini_finish_read(other, theirs, got, 512), ==, 512);
	ini_check(i);
	ini_check(other);
	ini_free(i);
	ini_free(other);
}

static uint32_t read_with(struct ini *i, uint8_t attribute, uint32_t lun)
{
	uint8_t read[16] = { 0x28, 0, 0, 0, 0, 0, 0, 0, 1 };

	return ini_command(i, (uint8_t)(FINAL | READ | attribute), lun, 512, read, NULL, 0);
}

static void expect_read(struct ini *i, uint32_t itt)
{
	uint8_t got[512];

	g_assert_cmpuint(ini_finish_read(i, itt, got, 512), ==, 512);
}

/* SAM-5 8.6 */
static void test_attributes(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	uint32_t simple, ordered, second, later, urgent, elsewhere;

	ram_hold();
	simple = read_with(i, SIMPLE, 0);
	ordered = read_with(i, ORDERED, 0);
	second = read_with(i, ORDERED, 0);
	later = read_with(i, SIMPLE, 0);
	elsewhere = read_with(i, SIMPLE, 1);
	urgent = read_with(i, HEAD_OF_QUEUE, 0);
	ram_wait_held(3);	/* the first, the one of another LUN, the urgent one */
	g_assert_cmpuint(ram_held(), ==, 3);
	/* The last is on its way there still, and done first if let go now; behind a NOP it is not. */
	ini_nop(i, 0x99, NULL, 0);
	EXPECT_PDU(i, OP_NOP_IN);
	ram_release();
	expect_read(i, simple);
	expect_read(i, elsewhere);
	expect_read(i, urgent);
	expect_read(i, ordered);
	expect_read(i, second);
	expect_read(i, later);
	ini_check(i);
	ini_free(i);
}

/* Dormant ones are aborted like all others, and no longer in anybody's way. */
static void test_abort_dormant(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	uint8_t data[512] = { 0 };
	uint32_t simple, ordered, later, write;

	ram_hold();
	simple = read_with(i, SIMPLE, 0);
	ordered = read_with(i, ORDERED, 0);
	write = ini_write(i, FINAL | ORDERED, 8, 1, 512, data, sizeof data);
	later = read_with(i, SIMPLE, 0);
	ini_tmf(i, ABORT_TASK, 0, ordered);
	EXPECT_TMF(i, TMF_COMPLETE);
	ini_tmf(i, ABORT_TASK, 0, write);
	EXPECT_TMF(i, TMF_COMPLETE);
	ram_wait_held(2);
	ram_release();
	expect_read(i, simple);
	expect_read(i, later);
	/* And all of them at once. */
	ram_hold();
	for (unsigned n = 0; n < 20; n++)
		read_with(i, n % 3 ? SIMPLE : ORDERED, 0);
	ram_wait_held(1);
	ini_tmf(i, ABORT_TASK_SET, 0, TAG_NONE);
	EXPECT_TMF(i, TMF_COMPLETE);
	ram_release();
	expect_read(i, read_with(i, ORDERED, 0));
	ini_check(i);
	ini_free(i);
}

/* A long line of ORDERED commands, reads and writes with data to be asked for. */
static void test_many_ordered(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	uint32_t itts[60];

	for (unsigned n = 0; n < G_N_ELEMENTS(itts); n++)
		itts[n] = read_with(i, n % 7 ? ORDERED : SIMPLE, 0);
	for (unsigned n = 0; n < G_N_ELEMENTS(itts); n++)
		expect_read(i, itts[n]);
	ini_check(i);
	ini_free(i);
}

static void test_aca(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	uint8_t naca[16] = { 0x00, 0, 0, 0, 0, 0x04 };
	uint32_t itt = ini_command(i, FINAL | ACA, 0, 0, (uint8_t [16]){ 0 }, NULL, 0);

	EXPECT_SENSE(i, itt, KEY_ILLEGAL_REQUEST, 0x49);
	itt = ini_command(i, FINAL, 0, 0, naca, NULL, 0);
	EXPECT_SENSE(i, itt, KEY_ILLEGAL_REQUEST, 0x24);
	ini_check(i);
	ini_free(i);
}

/* Every LUN of the target, everybody hears of it; a cold one ends the sessions too. */
static void test_target_reset(void)
{
	for (uint8_t function = WARM_RESET; function <= COLD_RESET; function++) {
		struct ini *i = ini_new_login(server, 1, ""), *other = ini_new_login(server, 2, "");
		uint8_t read[16] = { 0x28, 0, 0, 0, 0, 0, 0, 0, 1 };
		uint32_t itt;

		ram_hold();
		ini_read(i, 0, 1, 512);
		ini_command(other, FINAL | READ, 1, 512, read, NULL, 0);
		ram_wait_held(2);
		ini_tmf(i, function, 0, TAG_NONE);
		EXPECT_TMF(i, TMF_COMPLETE);
		ram_release();
		if (function == COLD_RESET) {
			EXPECT_CLOSED(i);
			EXPECT_CLOSED(other);
		} else {
			for (uint32_t lun = 0; lun < 2; lun++) {
				itt = ini_test_unit_ready(i, lun);
				EXPECT_SENSE(i, itt, KEY_UNIT_ATTENTION, 0x29);
				itt = ini_test_unit_ready(other, lun);
				EXPECT_SENSE(other, itt, KEY_UNIT_ATTENTION, 0x29);
			}
			ini_check(i);
			ini_check(other);
		}
		ini_free(i);
		ini_free(other);
	}
}

/* RFC 7143 11.6.1: its CmdSN counts as received, the command is ignored when it comes. */
static void test_abort_task_to_come(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	uint32_t missing = i->cmd_sn, itt = i->itt + 1, next;

	for (int held = 0; held <= 1; held++) {
		uint8_t bhs[BHS_LEN] = { OP_TMF_REQUEST | IMMEDIATE, FINAL | ABORT_TASK };

		missing = i->cmd_sn + (uint32_t)held;
		if (held) {	/* it waits for the one before it */
			i->cmd_sn++;
			itt = ini_test_unit_ready(i, 0);
			missing = i->cmd_sn - 1;
		} else {
			i->cmd_sn++;
			itt = 0x4444;
		}
		put32(bhs + 16, 0x5555);
		put32(bhs + 20, itt);
		put32(bhs + 24, i->cmd_sn);
		put32(bhs + 32, missing);
		ini_send(i, bhs, NULL, 0);
		EXPECT_TMF(i, TMF_COMPLETE);
		if (held) {	/* now the one before it */
			uint32_t after = i->cmd_sn;

			i->cmd_sn = missing - 1;
			next = ini_test_unit_ready(i, 0);
			EXPECT_STATUS(i, next, 0);
			i->cmd_sn = after;
		}
		next = ini_test_unit_ready(i, 0);
		EXPECT_STATUS(i, next, 0);
	}
	/* Not one that could come still. */
	ini_tmf(i, ABORT_TASK, 0, 0x4444);
	EXPECT_TMF(i, TMF_NO_TASK);
	ini_check(i);
	ini_free(i);
}

/* PERSISTENT RESERVE OUT, 24 bytes of list. */
static uint32_t reserve_out(struct ini *i, uint8_t action, uint8_t key, uint8_t action_key)
{
	uint8_t list[24] = { [7] = key, [15] = action_key };
	uint8_t cdb[16] = { 0x5f, action, 1, 0, 0, 0, 0, 0, sizeof list };

	return ini_command(i, FINAL | WRITE, 0, sizeof list, cdb, list, sizeof list);
}

/* PREEMPT AND ABORT is answered when the tasks of who was preempted have let go of the device (SPC-5 5.13.11.2.6). */
static void test_preempt_abort(void)
{
	enum { CLEAR = 3, PREEMPT_AND_ABORT = 5, REGISTER_AND_IGNORE = 6 };
	struct ini *i = ini_new_login(server, 1, ""), *other = ini_new_login(server, 2, "");
	uint32_t itt, mine;
	uint8_t got[512];

	itt = reserve_out(i, REGISTER_AND_IGNORE, 0, 1);
	EXPECT_STATUS(i, itt, 0);
	itt = reserve_out(other, REGISTER_AND_IGNORE, 0, 2);
	EXPECT_STATUS(other, itt, 0);
	ram_hold();
	mine = ini_read(i, 0, 1, 512);
	ini_read(other, 0, 1, 512);
	ram_wait_held(2);
	itt = reserve_out(i, PREEMPT_AND_ABORT, 1, 2);
	EXPECT_STATUS(i, itt, 0);
	ram_release();
	g_assert_cmpuint(ini_finish_read(i, mine, got, 512), ==, 512);
	/* Its task vanished: the next answer is the next command's. */
	itt = ini_test_unit_ready(other, 0);
	EXPECT_SENSE(other, itt, KEY_UNIT_ATTENTION, 0x2f);
	itt = ini_test_unit_ready(other, 0);
	EXPECT_SENSE(other, itt, KEY_UNIT_ATTENTION, 0x2a);
	itt = reserve_out(i, CLEAR, 1, 0);
	EXPECT_STATUS(i, itt, 0);
	ini_check(i);
	ini_check(other);
	ini_free(i);
	ini_free(other);
}

/*
 * What is aborted may still reach the medium as long as the device has it: no answer before (RFC 7143 4.2.3.2), or what the
 * initiator writes next would be overtaken.  Another's command is waited for by a reset.
 */
static void test_answer_waits(void)
{
	static const uint8_t functions[] = { ABORT_TASK, ABORT_TASK_SET, CLEAR_TASK_SET, LUN_RESET, WARM_RESET };

	for (unsigned n = 0; n < G_N_ELEMENTS(functions); n++) {
		struct ini *i = ini_new_login(server, 1, ""), *other = ini_new_login(server, 2, "");
		bool resets = functions[n] == LUN_RESET || functions[n] == WARM_RESET;
		struct ini *whose = resets ? other : i;
		uint8_t data[BLOCK], got[BLOCK];
		uint32_t itt;

		memset(data, 0xaa, sizeof data);
		ram_deafen(true);
		ram_hold();
		itt = ini_write(whose, FINAL, 200, 1, BLOCK, data, BLOCK);
		ram_wait_held(1);
		ini_tmf(i, functions[n], 0, functions[n] == ABORT_TASK ? itt : TAG_NONE);
		g_usleep(50000);	/* a reset goes around the reactors */
		ini_nop(i, 0x4e4f, "?", 1);
		EXPECT_PDU(i, OP_NOP_IN);
		ram_release();
		EXPECT_TMF(i, TMF_COMPLETE);
		ram_deafen(false);
		if (resets) {	/* SAM-5 6.3.3: everybody hears of it */
			itt = ini_test_unit_ready(i, 0);
			EXPECT_SENSE(i, itt, KEY_UNIT_ATTENTION, 0x29);
		}
		memset(data, (int)n, sizeof data);
		itt = ini_write(i, FINAL, 200, 1, BLOCK, data, BLOCK);
		EXPECT_STATUS(i, itt, 0);
		g_assert_cmpuint(ini_finish_read(i, ini_read(i, 200, 1, BLOCK), got, BLOCK), ==, BLOCK);
		g_assert_cmpmem(got, BLOCK, data, BLOCK);
		ini_free(i);
		ini_free(other);
	}
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_func("/wire/tmf/abort-task", test_abort_task);
	g_test_add_func("/wire/tmf/abort-task-to-come", test_abort_task_to_come);
	g_test_add_func("/wire/tmf/abort-task-set", test_abort_task_set);
	g_test_add_func("/wire/tmf/clear-task-set", test_clear_task_set);
	g_test_add_func("/wire/tmf/purge", test_purge);
	g_test_add_func("/wire/tmf/preempt-abort", test_preempt_abort);
	g_test_add_func("/wire/tmf/attributes", test_attributes);
	g_test_add_func("/wire/tmf/abort-dormant", test_abort_dormant);
	g_test_add_func("/wire/tmf/many-ordered", test_many_ordered);
	g_test_add_func("/wire/tmf/aca", test_aca);
	g_test_add_func("/wire/tmf/lun-reset", test_lun_reset);
	g_test_add_func("/wire/tmf/target-reset", test_target_reset);
	g_test_add_func("/wire/tmf/answer-waits", test_answer_waits);
	g_test_add_func("/wire/tmf/answers", test_tmf_answers);
	return server_run();
}
