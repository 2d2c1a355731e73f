/* SPDX-License-Identifier: Apache-2.0 */
/* What is saved in state files, over restarts: a target made again and again on the same folder. */
#include "config.h"
#include <glib/gstdio.h>
#include <pthread.h>
#include <unistd.h>
#include "engine/log.h"
#include "engine/statefile.h"
#include "fake-device.h"
#include "scsi/lun.h"
#include "scsi/task.h"
#include "scsi/wire.h"

#define NAME "iqn.2024-01.org.gotgt:saved"
#define FILE_NAME NAME ",3.mode"
#define JOB_NAME NAME ",3.job"
enum { BS = 512 };

static char *dir;
static unsigned warnings;

/* ---- a server with one LUN, and a command sent from outside its threads ---- */

static struct {
	struct engine *engine;
	struct target *target;
	struct device *dev;
	struct lun *lun;
	struct nexus *nexus, *other;
} up;

static struct send {
	struct task task;
	const uint8_t *out;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool ended;
	uint8_t status, key, asc, ascq;
	uint8_t in[256];
	uint32_t in_len;
} s = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

static void make_nexuses(void *arg)
{
	up.nexus = nexus_new(up.target, up.engine->reactors[0], "iqn.x:a,i,0x1", 1, 1);
	up.other = nexus_new(up.target, up.engine->reactors[0], "iqn.x:b,i,0x1", 1, 1);
	while (ua_take(nexus_lun(up.nexus, 3)) != SENSE_NONE || ua_take(nexus_lun(up.other, 3)) != SENSE_NONE)
		continue;
}

static void free_nexuses(void *arg)
{
	nexus_free(up.nexus);
	nexus_free(up.other);
}

static void start(bool cache)
{
	GError *error = NULL;

	up.engine = engine_new(1, 2, &error);
	g_assert_no_error(error);
	up.engine->state_dir = g_strdup(dir);
	up.target = target_new(up.engine, NAME);
	up.dev = fake_new(64 * BS, BS, cache ? GOTGT_DEV_WRITE_CACHE : 0, GOTGT_OP_BIT(GOTGT_OP_FLUSH));
	up.lun = target_add_lun(up.target, 3, up.dev, &(struct lun_conf){ .thin = false }, &error);
	g_assert_no_error(error);
	reactor_call(up.engine->reactors[0], make_nexuses, NULL);
}

static void stop(void)
{
	reactor_call(up.engine->reactors[0], free_nexuses, NULL);
	target_remove_lun(up.target, 3, NULL, NULL);
	target_free(up.target);
	engine_free(up.engine);
	fake_free(up.dev);
}

static void ended(struct task *t)
{
	pthread_mutex_lock(&s.lock);
	s.status = t->status;
	s.key = t->sense_len ? t->sense[t->sense[0] == 0x72 ? 1 : 2] & 0xf : 0;
	s.asc = t->sense_len ? t->sense[t->sense[0] == 0x72 ? 2 : 12] : 0;
	s.in_len = t->in_len;
	if (t->in_len)
		memcpy(s.in, t->iov[0].iov_base, t->in_len);
	s.ended = true;
	pthread_cond_signal(&s.cond);
	pthread_mutex_unlock(&s.lock);
}

static void begin(void *arg)
{
	if (task_begin(&s.task) == TASK_WANTS_DATA)
		task_execute_from(&s.task, s.out);
}

static void release(void *arg)
{
	task_release(&s.task);
}

static void command(const uint8_t cdb[16], const void *out, uint32_t out_len, uint32_t in_len)
{
	static const struct task_ops ops = { ended };

	memset(&s.task, 0, sizeof s.task);
	s.task = (struct task){ .ops = &ops, .nexus = up.nexus, .reactor = up.engine->reactors[0], .lun_addr = { 0, 3 },
				.cdb_len = 16, .edtl_out = out_len, .edtl_in = in_len };
	memcpy(s.task.cdb, cdb, 16);
	s.out = out;
	s.ended = false;
	reactor_call(up.engine->reactors[0], begin, NULL);
	pthread_mutex_lock(&s.lock);
	while (!s.ended)
		pthread_cond_wait(&s.cond, &s.lock);
	pthread_mutex_unlock(&s.lock);
	reactor_call(up.engine->reactors[0], release, NULL);
}

/* A page of 8 + n bytes by MODE SELECT(10). */
static void select_page(bool sp, uint8_t page, unsigned byte, uint8_t value)
{
	uint8_t list[8 + 20] = { 0 }, len;

	command((uint8_t[16]){ OP_MODE_SENSE_6, 8, page, 0, 255 }, NULL, 0, 255);
	g_assert_cmpuint(s.status, ==, STATUS_GOOD);
	len = (uint8_t)(s.in_len - 4);
	memcpy(list + 8, s.in + 4, len);
	list[8 + byte] = value;
	command((uint8_t[16]){ OP_MODE_SELECT_10, (uint8_t)(0x10 | sp), 0, 0, 0, 0, 0, 0, (uint8_t)(8 + len) }, list, 8u + len,
		0);
}

static uint8_t sense_page(unsigned pc, uint8_t page, unsigned byte)
{
	command((uint8_t[16]){ OP_MODE_SENSE_6, 8, (uint8_t)(pc << 6 | page), 0, 255 }, NULL, 0, 255);
	g_assert_cmpuint(s.status, ==, STATUS_GOOD);
	return s.in[4 + byte];
}

/* ---- tests ---- */

enum { CURRENT, CHANGEABLE, DEFAULTS, SAVED, WCE = 0x04, SWP = 0x08, CONTROL_D_SENSE = 0x26 };

static void test_restart(void)
{
	start(true);
	g_assert_cmpuint(sense_page(SAVED, 0x08, 2), ==, WCE);
	g_assert_cmpuint(sense_page(CURRENT, 0x08, 0), ==, 0x88);	/* PS */
	/* Changed and not saved, it is gone. */
	select_page(false, 0x08, 2, 0);
	g_assert_cmpuint(s.status, ==, STATUS_GOOD);
	g_assert_cmpuint(sense_page(CURRENT, 0x08, 2), ==, 0);
	g_assert_cmpuint(sense_page(SAVED, 0x08, 2), ==, WCE);
	stop();
	start(true);
	g_assert_cmpuint(sense_page(CURRENT, 0x08, 2), ==, WCE);
	select_page(true, 0x08, 2, 0);
	g_assert_cmpuint(s.status, ==, STATUS_GOOD);
	g_assert_cmpint(ua_take(nexus_lun(up.other, 3)), ==, SENSE_UA_MODE_CHANGED);
	g_assert_cmpuint(up.dev->flushes, ==, 1);
	select_page(true, 0x0a, 4, SWP);
	select_page(true, 0x0a, 2, CONTROL_D_SENSE);
	g_assert_cmpuint(s.status, ==, STATUS_GOOD);
	stop();
	start(true);
	g_assert_cmpuint(sense_page(CURRENT, 0x08, 2), ==, 0);
	g_assert_cmpuint(sense_page(DEFAULTS, 0x08, 2), ==, WCE);
	g_assert_cmpuint(sense_page(SAVED, 0x0a, 2), ==, CONTROL_D_SENSE);
	g_assert_cmpuint(sense_page(CURRENT, 0x0a, 4), ==, SWP);
	command((uint8_t[16]){ OP_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1 }, (uint8_t[BS]){ 0 }, BS, 0);
	g_assert_cmpuint(s.key, ==, KEY_DATA_PROTECT);
	/* A reset brings back what was saved; SP without a list saves what is. */
	select_page(false, 0x0a, 4, 0);
	lun_reset(up.lun);
	g_assert_cmpuint(lun_state(up.lun) & LUN_MODE_BITS, ==, LUN_SWP | LUN_D_SENSE);
	while (ua_take(nexus_lun(up.nexus, 3)) != SENSE_NONE)
		continue;
	select_page(false, 0x0a, 4, 0);
	command((uint8_t[16]){ OP_MODE_SELECT_6, 0x11 }, NULL, 0, 0);
	g_assert_cmpuint(s.status, ==, STATUS_GOOD);
	stop();
	/* What the device cannot have is not restored. */
	start(false);
	g_assert_cmpuint(lun_state(up.lun) & LUN_MODE_BITS, ==, LUN_D_SENSE);
	stop();
}

static void test_damaged(void)
{
	static const uint8_t bad[][6] = { { 2 }, { 1, 0x0a, 0, 4, 8, 2 }, { 1, 0x0a } };
	static const size_t lens[] = { 1, 6, 2 };
	/* A bit of another release: nothing to us. */
	static const uint8_t later[] = { 1, 0x33, 0x22, 4, 1, 1, 0x0a, 0, 4, 8, 1 };
	g_autofree char *path = g_build_filename(dir, FILE_NAME, NULL);
	g_autofree char *aside = g_strconcat(path, ".bad", NULL);

	for (unsigned i = 0; i <= G_N_ELEMENTS(bad); i++) {
		if (i < G_N_ELEMENTS(bad))
			g_assert_cmpint(statefile_save(dir, FILE_NAME, bad[i], lens[i]), ==, 0);
		else
			g_assert_true(g_file_set_contents(path, "rubbish\n", -1, NULL));
		g_unlink(aside);
		warnings = 0;
		start(true);
		g_assert_cmpuint(lun_state(up.lun) & LUN_MODE_BITS, ==, LUN_WCE);
		g_assert_cmpuint(warnings, ==, 1);
		g_assert_cmpint(g_access(aside, R_OK), ==, 0);
		stop();
	}
	g_assert_cmpint(statefile_save(dir, FILE_NAME, later, sizeof later), ==, 0);
	warnings = 0;
	start(true);
	g_assert_cmpuint(lun_state(up.lun) & LUN_MODE_BITS, ==, LUN_WCE | LUN_SWP);
	g_assert_cmpuint(warnings, ==, 0);
	stop();
}

/* No way to write: nothing has changed. */
static void test_cannot_save(void)
{
	start(true);
	g_free(up.engine->state_dir);
	up.engine->state_dir = g_strdup("/dev/null/nowhere");
	warnings = 0;
	select_page(true, 0x0a, 2, CONTROL_D_SENSE);
	g_assert_cmpuint(s.status, ==, STATUS_CHECK_CONDITION);
	g_assert_cmpuint(s.key, ==, KEY_HARDWARE_ERROR);
	g_assert_cmpuint(warnings, ==, 1);
	g_assert_false(lun_state(up.lun) & LUN_D_SENSE);
	g_assert_cmpint(ua_take(nexus_lun(up.other, 3)), ==, SENSE_NONE);
	stop();
}

/* ---- SANITIZE and FORMAT UNIT that were not done ---- */

enum { ASC_FAILED = 0x31, AUSE = 0x20, IMMED = 0x80 };

static bool job_file(void)
{
	g_autofree char *path = g_build_filename(dir, JOB_NAME, NULL);

	return g_access(path, R_OK) == 0;
}

static void expect_ready(void)
{
	command((uint8_t[16]){ OP_TEST_UNIT_READY }, NULL, 0, 0);
	g_assert_cmpuint(s.status, ==, STATUS_GOOD);
	g_assert_false(job_file());
}

static void expect_failed(uint8_t key)
{
	g_assert_true(job_file());
	command((uint8_t[16]){ OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1 }, NULL, 0, BS);
	g_assert_cmpuint(s.status, ==, STATUS_CHECK_CONDITION);
	g_assert_cmpuint(s.key, ==, key);
	g_assert_cmpuint(s.asc, ==, ASC_FAILED);
}

static void start_thin(void)
{
	start(true);
	lun_set_state(up.lun, LUN_SWP, LUN_THIN);	/* there is BLOCK ERASE */
}

static void again(void)
{
	stop();
	start_thin();
}

/* The server ends while it runs, with a command that was answered long ago. */
static void test_not_sanitized(void)
{
	start_thin();
	command((uint8_t[16]){ OP_SANITIZE, IMMED | SA_OVERWRITE, 0, 0, 0, 0, 0, 0, 5 }, (uint8_t[5]){ 2, 0, 0, 1, 0x55 }, 5, 0);
	g_assert_cmpuint(s.status, ==, STATUS_GOOD);
	g_assert_true(job_file());
	warnings = 0;
	again();
	g_assert_cmpuint(warnings, ==, 1);
	expect_failed(KEY_MEDIUM_ERROR);
	command((uint8_t[16]){ OP_SANITIZE, SA_EXIT_FAILURE_MODE }, NULL, 0, 0);
	g_assert_cmpuint(s.key, ==, KEY_ILLEGAL_REQUEST);
	again();
	expect_failed(KEY_MEDIUM_ERROR);
	command((uint8_t[16]){ OP_SANITIZE, SA_BLOCK_ERASE }, NULL, 0, 0);
	g_assert_cmpuint(s.status, ==, STATUS_GOOD);
	expect_ready();
	again();
	expect_ready();
	stop();
}

/* What failed has failed after a restart, until it is left. */
static void test_failed(void)
{
	start_thin();
	up.dev->fail = GOTGT_ERR_IO;
	up.dev->fail_op = GOTGT_OP_ZERO;
	command((uint8_t[16]){ OP_SANITIZE, AUSE | SA_BLOCK_ERASE }, NULL, 0, 0);
	g_assert_cmpuint(s.asc, ==, ASC_FAILED);
	again();
	expect_failed(KEY_MEDIUM_ERROR);
	command((uint8_t[16]){ OP_SANITIZE, SA_EXIT_FAILURE_MODE }, NULL, 0, 0);
	g_assert_cmpuint(s.status, ==, STATUS_GOOD);
	expect_ready();
	again();
	expect_ready();
	up.dev->fail = GOTGT_ERR_IO;
	up.dev->fail_op = GOTGT_OP_ZERO;
	command((uint8_t[16]){ OP_FORMAT_UNIT }, NULL, 0, 0);
	g_assert_cmpuint(s.asc, ==, ASC_FAILED);
	again();
	expect_failed(KEY_MEDIUM_ERROR);
	command((uint8_t[16]){ OP_FORMAT_UNIT }, NULL, 0, 0);
	g_assert_cmpuint(s.status, ==, STATUS_GOOD);
	expect_ready();
	stop();
	/* A damaged file says that there was something. */
	g_assert_cmpint(statefile_save(dir, JOB_NAME, "x", 1), ==, 0);
	start_thin();
	expect_failed(KEY_MEDIUM_ERROR);
	command((uint8_t[16]){ OP_SANITIZE, SA_BLOCK_ERASE }, NULL, 0, 0);
	expect_ready();
	stop();
}

/* Not begun where it cannot be written down. */
static void test_cannot_begin(void)
{
	start_thin();
	memset(up.dev->ram, 0x77, BS);
	g_free(up.engine->state_dir);
	up.engine->state_dir = g_strdup("/dev/null/nowhere");
	command((uint8_t[16]){ OP_SANITIZE, IMMED | SA_BLOCK_ERASE }, NULL, 0, 0);
	g_assert_cmpuint(s.status, ==, STATUS_CHECK_CONDITION);
	g_assert_cmpuint(s.key, ==, KEY_HARDWARE_ERROR);
	command((uint8_t[16]){ OP_TEST_UNIT_READY }, NULL, 0, 0);
	g_assert_cmpuint(s.status, ==, STATUS_GOOD);
	g_assert_cmpuint(up.dev->ram[0], ==, 0x77);
	stop();
}

static void sink(enum gotgt_log_level level, const char *line, void *data)
{
	warnings += level <= GOTGT_LOG_WARNING;
}

int main(int argc, char **argv)
{
	int status;

	g_test_init(&argc, &argv, NULL);
	log_set_sink(sink, NULL);
	dir = g_dir_make_tmp("gotgt-saved-XXXXXX", NULL);
	g_test_add_func("/scsi/saved/restart", test_restart);
	g_test_add_func("/scsi/saved/damaged", test_damaged);
	g_test_add_func("/scsi/saved/cannot", test_cannot_save);
	g_test_add_func("/scsi/saved/job/not-done", test_not_sanitized);
	g_test_add_func("/scsi/saved/job/failed", test_failed);
	g_test_add_func("/scsi/saved/job/cannot", test_cannot_begin);
	status = g_test_run();
	for (unsigned i = 0; i < 2; i++) {
		g_autofree char *path = g_strconcat(dir, "/", FILE_NAME, i ? ".bad" : "", NULL);

		g_unlink(path);
	}
	g_rmdir(dir);
	g_free(dir);
	return status;
}
