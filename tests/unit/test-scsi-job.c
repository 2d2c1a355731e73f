/* SPDX-License-Identifier: Apache-2.0 */
/* SANITIZE and FORMAT UNIT: work that goes on behind the commands; READ DEFECT DATA; LBA status by report type. */
#include "config.h"
#include <pthread.h>
#include "scsi/job.h"
#include "scsi-rig.h"

enum { BS = 512 };
static uint8_t list[8192];

/* ---- a body in steps: the next one comes when the last said true, after the reactor's other events ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static bool finished;
static bool (*const *steps)(void);
static struct timer timer;

static void run_step(struct timer *t)
{
	while (*steps && (*steps)())
		steps++;
	if (*steps) {
		reactor_timer_set(rig.r, t, 1);
		return;
	}
	nexus_free(rig.a);
	pthread_mutex_lock(&lock);
	finished = true;
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&lock);
}

static void begin_steps(void *arg)
{
	rig.a = rig.nexus = nexus_new(rig.target, rig.r, "iqn.x:a,i,0x1", 1, 1);
	rig_clear_ua(rig.a);
	memset(&timer, 0, sizeof timer);
	timer.expired = run_step;
	run_step(&timer);
}

static void run_on_rig(gconstpointer of)
{
	static const struct lun_conf thin = { .thin = true };
	GError *error = NULL;

	memset(&rig, 0, sizeof rig);
	memset(list, 0, sizeof list);
	rig.engine = engine_new(2, 2, &error);
	g_assert_no_error(error);
	rig.r = rig.engine->reactors[0];
	rig.target = target_new(rig.engine, RIG_NAME);
	rig.dev = fake_new(RIG_BLOCKS * 512ull * 4, 512, GOTGT_DEV_WRITE_CACHE | GOTGT_DEV_THIN, RIG_OPS);
	memset(rig.dev->ram, 0x77, rig.dev->info.size);
	rig.dev->post = true;
	rig.lun = target_add_lun(rig.target, 0, rig.dev, &thin, &error);
	g_assert_no_error(error);
	steps = of;
	finished = false;
	reactor_call(rig.r, begin_steps, NULL);
	pthread_mutex_lock(&lock);
	while (!finished)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
	/* One that still runs ends. */
	target_remove_lun(rig.target, 0, NULL, NULL);
	target_free(rig.target);
	engine_free(rig.engine);
	fake_free(rig.dev);
}

static bool all_are(uint8_t value)
{
	return rig.dev->ram[0] == value && !memcmp(rig.dev->ram, rig.dev->ram + 1, rig.dev->info.size - 1);
}

static bool idle(void)
{
	return !(lun_state(rig.lun) & LUN_JOB_BUSY);
}

static struct task waits;
static bool waits_ended;

static void waits_done(struct task *t)
{
	waits_ended = true;
}

static const struct task_ops waits_ops = { waits_done };

static void send_and_wait(const void *cdb, size_t len, uint32_t edtl_out)
{
	rig_fill(&waits, cdb, len, edtl_out, 0);
	waits.ops = &waits_ops;
	waits_ended = false;
	if (task_begin(&waits) == TASK_WANTS_DATA)
		task_execute_from(&waits, list);
}

/* ---- SANITIZE ---- */

static bool erase_begins(void)
{
	SEND(0, OP_SANITIZE, 0x80 | SA_BLOCK_ERASE);
	assert_good();
	/* SBC-4 4.11.3 */
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(SANITIZE_IN_PROGRESS);
	g_assert_cmpuint(res.sense[15], ==, 0x80);
	SEND(BS, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_sense(SANITIZE_IN_PROGRESS);
	SEND(0, OP_START_STOP_UNIT, 1, 0, 0, 1);
	assert_sense(SANITIZE_IN_PROGRESS);
	SEND(0, OP_SANITIZE, 0x80 | SA_BLOCK_ERASE);
	assert_sense(SANITIZE_IN_PROGRESS);
	SEND(255, OP_INQUIRY, 0, 0, 0, 255);
	assert_good();
	SEND(255, OP_REPORT_LUNS, 0, 0, 0, 0, 0, 0, 0, 0, 255);
	assert_good();
	SEND(255, OP_REQUEST_SENSE, 0, 0, 0, 255);
	assert_good();
	g_assert_cmpuint(res.in[2], ==, KEY_NOT_READY);
	g_assert_cmpuint(get_be16(res.in + 12), ==, 0x041b);
	g_assert_cmpuint(res.in[15], ==, 0x80);
	return true;
}

static bool erased(void)
{
	if (!idle())
		return false;
	g_assert_true(all_are(0));
	g_assert_cmpuint(rig.dev->flushes, ==, 1);
	SEND(0, OP_TEST_UNIT_READY);
	assert_good();
	return true;
}

static bool (*const erase_steps[])(void) = { erase_begins, erased, NULL };

/* All there is at the end, be it less or more than there was; nothing beyond it is asked of the device, which would abort. */
static bool shrinks(void)
{
	SEND(0, OP_SANITIZE, 0x80 | SA_BLOCK_ERASE);
	assert_good();
	fake_resize(rig.dev, 3 * BS);
	return true;
}

/* The same while a step is at the device. */
static bool shrinks_under_it(void)
{
	rig_clear_ua(rig.a);
	rig.dev->shrinks = rig.dev->hold = true;
	SEND(0, OP_SANITIZE, 0x80 | SA_BLOCK_ERASE);
	assert_good();
	return true;
}

static bool shrinks_now(void)
{
	if (!rig.dev->held)
		return false;
	fake_resize(rig.dev, 2 * BS);
	fake_let_go(rig.dev, GOTGT_OK);
	return true;
}

static bool sanitized_well(void)
{
	if (!idle())
		return false;
	rig_clear_ua(rig.a);
	SEND(0, OP_TEST_UNIT_READY);
	assert_good();
	rig.dev->shrinks = false;
	return true;
}

static bool grows(void)
{
	rig_clear_ua(rig.a);
	SEND(0, OP_SANITIZE, 0x80 | SA_BLOCK_ERASE);
	assert_good();
	fake_resize(rig.dev, RIG_BLOCKS * 512ull * 4);
	return true;
}

static bool erased_again(void)
{
	if (!idle())
		return false;
	g_assert_true(all_are(0));
	return true;
}

static bool (*const resize_steps[])(void) = { shrinks, erased_again, shrinks_under_it, shrinks_now, sanitized_well, grows,
	erased_again, NULL };

static bool overwrite_begins(void)
{
	list[0] = 0x80 | 2;	/* INVERT, twice */
	list[3] = 3;
	memcpy(list + 4, "\x0f\x0f\x0f", 3);
	send_and_wait((const uint8_t[10]){ OP_SANITIZE, SA_OVERWRITE, 0, 0, 0, 0, 0, 0, 7 }, 10, 7);
	g_assert_false(waits_ended);
	return true;
}

static bool overwritten(void)
{
	if (!waits_ended)
		return false;
	g_assert_cmpuint(waits.status, ==, STATUS_GOOD);
	task_release(&waits);
	g_assert_true(all_are(0x0f));	/* the last pass is the pattern's own, whatever their number (SBC-4 5.30.2.2) */
	return true;
}

static bool aborted_goes_on(void)
{
	list[0] = 1;
	send_and_wait((const uint8_t[10]){ OP_SANITIZE, SA_OVERWRITE, 0, 0, 0, 0, 0, 0, 7 }, 10, 7);
	task_abort(&waits);
	g_assert_true(waits_ended && waits.aborted);
	task_release(&waits);
	lun_reset(rig.lun);
	rig_clear_ua(rig.a);
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(SANITIZE_IN_PROGRESS);
	return true;
}

static bool progresses(void)
{
	static uint16_t last;

	SEND(255, OP_REQUEST_SENSE, 0, 0, 0, 255);
	if (get_be16(res.in + 16) == last || !last) {
		last = get_be16(res.in + 16);
		return false;
	}
	g_assert_cmpuint(get_be16(res.in + 16), >, last);
	return true;	/* and the unit is removed while it runs */
}

static bool (*const overwrite_steps[])(void) = { overwrite_begins, overwritten, aborted_goes_on, progresses, NULL };

/* Who is at the medium is waited for; who comes to it after that is told. */
static struct task late;

static bool busy_begins(void)
{
	rig.dev->hold = true;
	send_and_wait((const uint8_t[10]){ OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1 }, 10, 0);
	rig_fill(&late, (const uint8_t[10]){ OP_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1 }, 10, BS, 0);
	late.ops = &waits_ops;
	g_assert_cmpint(task_begin(&late), ==, TASK_WANTS_DATA);
	SEND(0, OP_SANITIZE, 0x80 | SA_BLOCK_ERASE);
	assert_good();
	return true;
}

static bool busy_waits(void)
{
	static unsigned turns;

	g_assert_false(idle());
	if (turns++ < 20)
		return false;
	g_assert_true(all_are(0x77));
	fake_let_go(rig.dev, GOTGT_OK);
	task_release(&waits);
	memset(list, 0x55, BS);
	task_execute_from(&late, list);
	g_assert_cmpuint(late.status, ==, STATUS_CHECK_CONDITION);
	g_assert_cmpuint(late.sense[2], ==, KEY_NOT_READY);
	task_release(&late);
	return true;
}

static bool (*const busy_steps[])(void) = { busy_begins, busy_waits, erased, NULL };

/* WCE 1 to 0: a write that is at the device is waited for before the flush. */
static bool cache_begins(void)
{
	rig_fill(&late, (const uint8_t[10]){ OP_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1 }, 10, BS, 0);
	late.ops = &waits_ops;
	g_assert_cmpint(task_begin(&late), ==, TASK_WANTS_DATA);
	rig.dev->no_try = rig.dev->hold = true;
	task_execute_from(&late, list);
	g_assert_nonnull(rig.dev->held);
	SEND(24, OP_MODE_SENSE_6, 0x08, 0x08, 0, 24);
	memcpy(list, res.in, 24);
	memset(list, 0, 4);
	list[4] &= 0x3f;
	list[6] = 0;
	send_and_wait((const uint8_t[6]){ OP_MODE_SELECT_6, 0x10, 0, 0, 24 }, 6, 24);
	return true;
}

static bool cache_waits(void)
{
	static unsigned turns;

	g_assert_cmpint(waits.phase, !=, TASK_ENDED);
	g_assert_true(lun_state(rig.lun) & LUN_WCE);
	g_assert_cmpuint(rig.dev->flushes, ==, 0);
	if (turns++ < 20)
		return false;
	fake_let_go(rig.dev, GOTGT_OK);
	g_assert_cmpint(late.phase, ==, TASK_ENDED);
	g_assert_cmpint(waits.phase, !=, TASK_ENDED);
	task_release(&late);
	return true;
}

static bool cache_off(void)
{
	if (waits.phase != TASK_ENDED)
		return false;
	g_assert_cmpuint(waits.status, ==, STATUS_GOOD);
	task_release(&waits);
	g_assert_false(lun_state(rig.lun) & LUN_WCE);
	g_assert_cmpuint(rig.dev->flushes, ==, 1);
	return true;
}

static bool (*const cache_steps[])(void) = { cache_begins, cache_waits, cache_off, NULL };

static bool failure_begins(void)
{
	rig.dev->fail = GOTGT_ERR_IO;
	rig.dev->fail_op = GOTGT_OP_ZERO;
	send_and_wait((const uint8_t[10]){ OP_SANITIZE, SA_BLOCK_ERASE }, 10, 0);
	return true;
}

static bool failed(void)
{
	if (!waits_ended)
		return false;
	g_assert_cmpuint(waits.status, ==, STATUS_CHECK_CONDITION);
	g_assert_cmpuint(waits.sense[2], ==, KEY_MEDIUM_ERROR);
	task_release(&waits);
	SEND(BS, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_sense(SANITIZE_FAILED);
	SEND(0, OP_FORMAT_UNIT);
	assert_sense(SANITIZE_FAILED);
	SEND(255, OP_INQUIRY, 0, 0, 0, 255);
	assert_good();
	/* AUSE was zero: no way out but one that works, without AUSE too (SBC-4 4.11.4). */
	SEND(0, OP_SANITIZE, SA_EXIT_FAILURE_MODE);
	assert_cdb_field(1, 4);
	SEND(0, OP_SANITIZE, 0x20 | SA_BLOCK_ERASE);
	assert_cdb_field(1, 5);
	rig.dev->fail = GOTGT_OK;
	send_and_wait((const uint8_t[10]){ OP_SANITIZE, SA_BLOCK_ERASE }, 10, 0);
	return true;
}

static bool works_again(void)
{
	if (!waits_ended)
		return false;
	g_assert_cmpuint(waits.status, ==, STATUS_GOOD);
	task_release(&waits);
	SEND(0, OP_TEST_UNIT_READY);
	assert_good();
	SEND(0, OP_SANITIZE, SA_EXIT_FAILURE_MODE);	/* of what has not failed */
	assert_good();
	rig.dev->fail = GOTGT_ERR_IO;
	SEND(0, OP_SANITIZE, 0x80 | 0x20 | SA_BLOCK_ERASE);
	assert_good();
	return true;
}

static bool leaves_failure(void)
{
	if (!idle())
		return false;
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(SANITIZE_FAILED);
	SEND(0, OP_SANITIZE, SA_EXIT_FAILURE_MODE);
	assert_good();
	SEND(0, OP_TEST_UNIT_READY);
	assert_good();
	return true;
}

static bool (*const failure_steps[])(void) = { failure_begins, failed, works_again, leaves_failure, NULL };

static void test_sanitize_refused(void)
{
	static const struct { uint8_t head[4]; uint16_t len; } wrong[] = {
		{ { 0x00, 0, 0, 4 }, 8 },	/* no passes */
		{ { 0x01, 0, 0, 0 }, 8 },	/* no pattern */
		{ { 0x01, 0, 0, 5 }, 8 },	/* longer than what came */
		{ { 0x21, 0, 0, 4 }, 8 },	/* TEST */
		{ { 0x01, 0, 0, 4 }, 4 },
		{ { 0x01, 0, 0, 4 }, BS + 5 },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
		memcpy(list, wrong[i].head, 4);
		SEND_OUT(list, wrong[i].len, OP_SANITIZE, SA_OVERWRITE, 0, 0, 0, 0, 0, wrong[i].len >> 8, wrong[i].len & 0xff);
		assert_sense(INVALID_FIELD_IN_CDB);
		g_assert_true(idle());
	}
	SEND_OUT(list, 7, OP_SANITIZE, SA_OVERWRITE, 0, 0, 0, 0, 0, 0, 8);
	assert_sense(INVALID_FIELD_IN_IU);
	SEND_OUT(list, 8, OP_SANITIZE, SA_BLOCK_ERASE, 0, 0, 0, 0, 0, 0, 8);
	assert_cdb_field(8, 3);
	SEND(0, OP_SANITIZE, 0x03);	/* CRYPTOGRAPHIC ERASE */
	assert_cdb_field(1, 4);
	lun_set_state(rig.lun, 0, LUN_SWP);
	SEND(0, OP_SANITIZE, SA_BLOCK_ERASE);
	assert_sense(WRITE_PROTECTED);
	lun_set_state(rig.lun, LUN_THIN | LUN_SWP, 0);
	SEND(0, OP_SANITIZE, SA_BLOCK_ERASE);
	assert_cdb_field(1, 4);
	SEND(255, OP_INQUIRY, 1, 0xb1, 0, 255);
	g_assert_cmpuint(res.in[7], ==, 0);
	lun_set_state(rig.lun, 0, LUN_THIN);
	SEND(255, OP_INQUIRY, 1, 0xb1, 0, 255);
	g_assert_cmpuint(res.in[7], ==, 0x40);
}

/* ---- FORMAT UNIT ---- */

static bool format_begins(void)
{
	send_and_wait((const uint8_t[6]){ OP_FORMAT_UNIT }, 6, 0);
	g_assert_false(waits_ended);
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(FORMAT_IN_PROGRESS);
	return true;
}

static bool formatted(void)
{
	if (!waits_ended)
		return false;
	g_assert_cmpuint(waits.status, ==, STATUS_GOOD);
	task_release(&waits);
	g_assert_true(all_are(0));
	/* IMMED, an initialization pattern. */
	memcpy(list, "\0\x8a\0\0\0\1\0\2\xab\xab", 10);
	SEND_OUT(list, 10, OP_FORMAT_UNIT, 0x10);
	assert_good();
	SEND(0, OP_TEST_UNIT_READY);
	assert_sense(FORMAT_IN_PROGRESS);
	return true;
}

static bool formatted_so(void)
{
	if (!idle())
		return false;
	g_assert_true(all_are(0xab));
	rig.dev->fail = GOTGT_ERR_IO;
	rig.dev->fail_op = GOTGT_OP_ZERO;
	memcpy(list, "\0\x02\0\0\0\0\0\0", 8);
	SEND_OUT(list, 8, OP_FORMAT_UNIT, 0x30);	/* a long list */
	assert_good();
	return true;
}

static bool format_failed(void)
{
	if (!idle())
		return false;
	SEND(BS, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_sense(FORMAT_FAILED);
	rig.dev->fail = GOTGT_OK;
	SEND_OUT(list, 8, OP_FORMAT_UNIT, 0x30);
	assert_good();
	return true;
}

static bool format_works(void)
{
	if (!idle())
		return false;
	SEND(0, OP_TEST_UNIT_READY);
	assert_good();
	return true;
}

static bool (*const format_steps[])(void) = { format_begins, formatted, formatted_so, format_failed, format_works,
					      NULL };

static void test_format_refused(void)
{
	static const struct { uint8_t bytes[12], len, byte1, at; } wrong[] = {
		{ { 1, 0x80 }, 4, 0x10, 0 },		/* PROTECTION FIELD USAGE */
		{ { 0, 0x40 }, 4, 0x10, 1 },		/* DPRY without FOV */
		{ { 0, 0x80, 0, 8 }, 4, 0x10, 2 },	/* a list of defects */
		{ { 0, 0x80, 0, 0, 0, 0, 0, 8 }, 8, 0x30, 4 },
		{ { 0, 0x88, 0, 0, 0, 1, 0, 0 }, 8, 0x10, 6 },	/* a pattern of nothing */
		{ { 0, 0x88, 0, 0, 0, 2, 0, 0 }, 8, 0x10, 5 },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
		memcpy(list, wrong[i].bytes, 12);
		SEND_OUT(list, wrong[i].len, OP_FORMAT_UNIT, wrong[i].byte1);
		assert_sense(INVALID_FIELD_IN_PARAMETERS);
		g_assert_cmpuint(get_be16(res.sense + 16), ==, wrong[i].at);
		g_assert_true(idle());
	}
	SEND_OUT(list, 3, OP_FORMAT_UNIT, 0x10);
	assert_sense(PARAMETER_LIST_LENGTH);
	SEND(0, OP_FORMAT_UNIT, 0x08);	/* CMPLST without a list */
	assert_cdb_field(1, -1);
	SEND(0, OP_FORMAT_UNIT, 0x40);	/* protection information */
	assert_cdb_field(1, 6);
}

/* ---- READ DEFECT DATA ---- */

static void test_defects(void)
{
	SEND(32, OP_READ_DEFECT_DATA_10, 0, 0x1d, 0, 0, 0, 0, 0, 32);
	assert_good();
	g_assert_cmpmem(res.in, res.in_len, ((uint8_t[]){ 0, 0x1d, 0, 0 }), 4);
	SEND(32, OP_READ_DEFECT_DATA_12, 0x0b, 0, 0, 0, 0, 0, 0, 0, 32);
	assert_good();
	g_assert_cmpmem(res.in, res.in_len, ((uint8_t[]){ 0, 0x0b, 0, 0, 0, 0, 0, 0 }), 8);
	SEND(32, OP_READ_DEFECT_DATA_10, 0, 0x07, 0, 0, 0, 0, 0, 32);
	assert_sense(DEFECT_LIST_NOT_FOUND);
	SEND(2, OP_READ_DEFECT_DATA_10, 0, 0, 0, 0, 0, 0, 0, 2);
	assert_good();
	g_assert_cmpuint(res.in_len, ==, 2);
}

/* ---- GET LBA STATUS ---- */

static void status_of(uint8_t report, uint8_t room)
{
	SEND(255, OP_SERVICE_ACTION_IN_16, SA_GET_LBA_STATUS, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, room, report);
}

static void test_report_types(void)
{
	rig.dev->info.extents = true;
	rig.dev->n_extents = 3;
	rig.dev->extents[0] = (struct gotgt_extent){ .length = 16 * BS };
	rig.dev->extents[1] = (struct gotgt_extent){ .length = 16 * BS, .state = GOTGT_EXTENT_HOLE };
	rig.dev->extents[2] = (struct gotgt_extent){ .length = (RIG_BLOCKS - 32) * BS };
	status_of(0, 255);
	assert_good();
	g_assert_cmpuint(res.in_len, ==, 8 + 3 * 16);
	g_assert_cmpuint(res.in[7], ==, 0x07);	/* processed; the end of the medium */
	status_of(2, 255);
	g_assert_cmpuint(res.in_len, ==, 8 + 2 * 16);
	g_assert_cmpuint(get_be64(res.in + 24), ==, 32);
	g_assert_cmpuint(get_be32(res.in + 32), ==, RIG_BLOCKS - 32);
	status_of(2, 24);
	g_assert_cmpuint(res.in_len, ==, 24);
	g_assert_cmpuint(res.in[7], ==, 0x03);	/* no more room */
	status_of(3, 255);
	g_assert_cmpuint(res.in_len, ==, 24);
	g_assert_cmpuint(get_be64(res.in + 8), ==, 16);
	g_assert_cmpuint(get_be32(res.in + 16), ==, 16);
	g_assert_cmpuint(res.in[20], ==, 1);
	status_of(4, 255);
	g_assert_cmpuint(res.in_len, ==, 8);
	status_of(5, 255);
	assert_cdb_field(14, -1);
	lun_set_state(rig.lun, LUN_THIN, 0);
	status_of(3, 255);
	g_assert_cmpuint(res.in_len, ==, 8);
	status_of(2, 255);
	g_assert_cmpuint(get_be32(res.in + 16), ==, RIG_BLOCKS);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/scsi/job/sanitize/erase", erase_steps, run_on_rig);
	g_test_add_data_func("/scsi/job/sanitize/resize", resize_steps, run_on_rig);
	g_test_add_data_func("/scsi/job/sanitize/overwrite", overwrite_steps, run_on_rig);
	g_test_add_data_func("/scsi/job/sanitize/busy", busy_steps, run_on_rig);
	g_test_add_data_func("/scsi/job/cache-off", cache_steps, run_on_rig);
	g_test_add_data_func("/scsi/job/sanitize/failure", failure_steps, run_on_rig);
	rig_add("/scsi/job/sanitize/refused", test_sanitize_refused);
	g_test_add_data_func("/scsi/job/format", format_steps, run_on_rig);
	rig_add("/scsi/job/format/refused", test_format_refused);
	rig_add("/scsi/job/defects", test_defects);
	rig_add("/scsi/job/lba-status", test_report_types);
	return g_test_run();
}
