/* SPDX-License-Identifier: Apache-2.0 */
/* Persistent reservations that outlive the server (APTPL), and files that do not say anything of use. */
#include "config.h"
#include <errno.h>
#include <glib/gstdio.h>
#include <pthread.h>
#include <unistd.h>
#include "engine/log.h"
#include "engine/statefile.h"
#include "pr-rig.h"

enum { APTPL = 1 };
static char *dir;
static unsigned errors;

static void count_errors(enum gotgt_log_level level, const char *line, void *data)
{
	errors += level == GOTGT_LOG_ERROR;
}

static bool exists(const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void restart(void)
{
	pr_stop();
	pr_start(dir);
}

static void test_keep(void)
{
	static const uint8_t kinds[] = { PR_WE, PR_EA, PR_WE_RO, PR_EA_RO, PR_WE_AR, PR_EA_AR };

	for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
		bool all = kinds[k] >= PR_WE_AR;

		pr_start(dir);
		ASSERT_GOOD(pr_out(A, SA_PR_REGISTER, 0, 0, 1, APTPL));
		ASSERT_GOOD(pr_out(B, SA_PR_REGISTER, 0, 0, 2, APTPL));
		ASSERT_GOOD(pr_out(B, SA_PR_RESERVE, kinds[k], 2, 0, 0));
		restart();
		ASSERT_KEYS(1, 2);
		ASSERT_HELD(kinds[k], all ? 0 : 2);
		pr_in(SA_PR_REPORT_CAPABILITIES, 8);
		g_assert_cmphex(pr_rig.in[2] & 1, ==, 1);
		g_assert_cmphex(pr_rig.in[3] & 1, ==, 1);
		pr_in(SA_PR_READ_KEYS, 8);
		g_assert_cmpuint(get_be32(pr_rig.in), ==, 0);	/* the generation starts anew */
		PR_CDB(C, 0, OP_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 0);
		ASSERT_CONFLICT(pr_rig.status);
		ASSERT_GOOD(pr_out(B, SA_PR_RELEASE, kinds[k], 2, 0, 0));
		restart();
		ASSERT_KEYS(1, 2);
		ASSERT_HELD(PR_NONE, 0);
		ASSERT_GOOD(pr_out(A, SA_PR_PREEMPT, 0, 1, 2, 0));
		restart();
		ASSERT_KEYS(1);
		ASSERT_GOOD(pr_out(A, SA_PR_CLEAR, 0, 1, 0, 0));
		g_assert_false(exists(PR_FILE));
		restart();
		ASSERT_NO_KEYS();
		pr_stop();
	}
}

/* The last registration says whether it is kept (SPC-5 5.13.5). */
static void test_no_longer(void)
{
	pr_start(dir);
	ASSERT_GOOD(pr_out(A, SA_PR_REGISTER, 0, 0, 1, APTPL));
	g_assert_true(exists(PR_FILE));
	ASSERT_GOOD(pr_out(A, SA_PR_REGISTER, 0, 1, 5, 0));
	g_assert_false(exists(PR_FILE));
	ASSERT_KEYS(5);
	pr_in(SA_PR_REPORT_CAPABILITIES, 8);
	g_assert_cmphex(pr_rig.in[3] & 1, ==, 0);
	restart();
	ASSERT_NO_KEYS();
	pr_stop();
}

/* What cannot be written is not said to be there. */
static void test_full(void)
{
	g_autofree char *file = g_build_filename(dir, "a-file", NULL), *inside = g_build_filename(file, "state", NULL);

	pr_start(inside);
	g_file_set_contents(file, "", 0, NULL);
	errors = 0;
	ASSERT_CHECK(pr_out(A, SA_PR_REGISTER, 0, 0, 1, APTPL));
	assert_pr_sense(INTERNAL_FAILURE);
	g_assert_cmpuint(errors, ==, 1);
	ASSERT_NO_KEYS();
	g_unlink(file);
	ASSERT_GOOD(pr_out(A, SA_PR_REGISTER, 0, 0, 1, APTPL));
	ASSERT_KEYS(1);
	ASSERT_GOOD(pr_out(A, SA_PR_CLEAR, 0, 1, 0, 0));
	pr_stop();
	g_rmdir(inside);
	g_rmdir(file);
}

#define SELF "lun 3 " PR_NAME "\n"
#define REG(key, holder, name) "registration " key " 1 " holder " " name "\n"

static void test_damaged(void)
{
	static const char *const bad[] = {
		"", "nothing\n", SELF, "lun 4 " PR_NAME "\nreservation 0\n", "lun 3 iqn.x:other\nreservation 0\n",
		SELF "reservation 2\n" REG("0000000000000001", "1", "a"), SELF "reservation 1\n",
		SELF "reservation 1\n" REG("0000000000000001", "0", "a"),
		SELF "reservation 7\n" REG("0000000000000001", "1", "a"),
		SELF "reservation 1\n" REG("1", "1", "a") REG("2", "1", "b"),
		SELF "reservation 0\n" REG("1", "0", "a") REG("2", "0", "a"),
		SELF "reservation 0\n" REG("0", "0", "a"), SELF "reservation 0\n" REG("1", "0", ""),
		SELF "reservation 0\n" REG("g", "0", "a"), SELF "reservation 0\nregistration 1 70000 0 a\n",
		SELF "reservation 0\n" "registration 1 1 0 a", SELF "reservation 256\n",
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_test_message("%s", bad[i]);
		g_assert_cmpint(statefile_save(dir, PR_FILE, bad[i], strlen(bad[i])), ==, 0);
		errors = 0;
		pr_start(dir);
		g_assert_cmpuint(errors, ==, 1);
		ASSERT_NO_KEYS();
		g_assert_false(exists(PR_FILE));
		g_assert_true(exists(PR_FILE ".bad"));
		pr_stop();
	}
	/* Each byte of a good one. */
	pr_start(dir);
	ASSERT_GOOD(pr_out(A, SA_PR_REGISTER, 0, 0, 1, APTPL));
	pr_stop();
	g_autofree char *path = g_build_filename(dir, PR_FILE, NULL), *text = NULL;
	gsize len;

	g_assert_true(g_file_get_contents(path, &text, &len, NULL));
	for (gsize at = 0; at < len; at += 7) {
		text[at] ^= 0x20;
		g_assert_true(g_file_set_contents(path, text, (gssize)len, NULL));
		text[at] ^= 0x20;
		errors = 0;
		pr_start(dir);
		g_assert_cmpuint(errors, ==, 1);
		pr_stop();
	}
}

/* What cannot be read nor put aside keeps the logical unit down: who knows who has reserved it. */
static void test_unreadable(void)
{
	g_autofree char *path = g_build_filename(dir, PR_FILE, NULL);
	g_autofree char *aside = g_build_filename(dir, PR_FILE ".bad", "x", NULL);
	g_autofree char *aside_dir = g_path_get_dirname(aside);
	GError *error = NULL;
	struct engine *e = engine_new(1, 1, NULL);
	struct target *t;
	struct device *dev = fake_new(64 * 512, 512, 0, 0);

	g_unlink(aside_dir);
	g_assert_cmpint(g_mkdir_with_parents(aside, 0700), ==, 0);	/* nothing can take its name */
	g_assert_true(g_file_set_contents(path, "damaged", -1, NULL));
	e->state_dir = g_strdup(dir);
	t = target_new(e, PR_NAME);
	g_assert_null(target_add_lun(t, PR_LUN, dev, &(struct lun_conf){ .thin = false }, &error));
	g_assert_error(error, TARGET_ERROR, TARGET_ERROR_INVALID);
	g_clear_error(&error);
	target_free(t);
	engine_free(e);
	fake_free(dev);
	g_assert_true(exists(PR_FILE));
	g_unlink(path);
	g_rmdir(aside);
	g_rmdir(aside_dir);
}

/* ---- several at once ---- */

static struct several {
	struct task task[NEXUSES];
	uint8_t list[24];
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned left;
} several = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

static void one_ended(struct task *t)
{
	pthread_mutex_lock(&several.lock);
	several.left--;
	pthread_cond_signal(&several.cond);
	pthread_mutex_unlock(&several.lock);
}

static void wait_for_all(void)
{
	pthread_mutex_lock(&several.lock);
	while (several.left)
		pthread_cond_wait(&several.cond, &several.lock);
	pthread_mutex_unlock(&several.lock);
}

/* REGISTER AND IGNORE EXISTING KEY with APTPL; on the reactor of the nexus. */
static void begin_one(int who, uint8_t key)
{
	static const struct task_ops ops = { one_ended };
	struct task *t = &several.task[who];

	pthread_mutex_lock(&several.lock);
	several.left++;
	pthread_mutex_unlock(&several.lock);
	*t = (struct task){ .ops = &ops, .nexus = pr_rig.n[who], .reactor = pr_rig.engine->reactors[who % 2],
			    .lun_addr = { 0, PR_LUN }, .cdb_len = 16, .edtl_out = 24,
			    .cdb = { OP_PERSISTENT_RESERVE_OUT, SA_PR_REGISTER_AND_IGNORE, 0, 0, 0, 0, 0, 0, 24 } };
	several.list[15] = key;
	several.list[20] = APTPL;
	g_assert_cmpint(task_begin(t), ==, TASK_WANTS_DATA);
	task_execute_from(t, several.list);
}

static void begin_a_and_c(void *arg)
{
	begin_one(A, 1);	/* with a worker until this has returned ... */
	begin_one(C, 3);	/* ... so that this one waits */
	g_assert_cmpuint(several.left, ==, 2);
	task_abort(&several.task[C]);
	g_assert_cmpuint(several.left, ==, 2);
}

static void begin_b(void *arg)
{
	begin_one(B, 2);
}

static void begin_and_abort(void *arg)
{
	begin_one(A, 9);
	task_abort(&several.task[A]);
}

static void release_on(void *arg)
{
	task_release(arg);
}

static void release_one(int who)
{
	reactor_call(pr_rig.engine->reactors[who % 2], release_on, &several.task[who]);
}

/* One after the other, from two reactors; aborted before its turn nothing is done, aborted during it all. */
static void test_queue(void)
{
	pr_start(dir);
	reactor_call(pr_rig.engine->reactors[0], begin_a_and_c, NULL);
	reactor_call(pr_rig.engine->reactors[1], begin_b, NULL);
	wait_for_all();
	ASSERT_KEYS(1, 2);
	g_assert_false(several.task[A].aborted || several.task[B].aborted);
	g_assert_true(several.task[C].aborted);
	release_one(A);
	release_one(B);
	release_one(C);
	reactor_call(pr_rig.engine->reactors[0], begin_and_abort, NULL);
	wait_for_all();
	g_assert_true(several.task[A].aborted);
	release_one(A);
	ASSERT_KEYS(9, 2);
	restart();
	ASSERT_KEYS(9, 2);
	ASSERT_GOOD(pr_out(A, SA_PR_CLEAR, 0, 9, 0, 0));
	pr_stop();
}

int main(int argc, char **argv)
{
	g_autofree char *bad = NULL;
	int status;

	g_test_init(&argc, &argv, NULL);
	log_set_sink(count_errors, NULL);
	dir = g_dir_make_tmp("gotgt-pr-XXXXXX", NULL);
	g_test_add_func("/pr/keep", test_keep);
	g_test_add_func("/pr/keep/no-longer", test_no_longer);
	g_test_add_func("/pr/keep/queue", test_queue);
	g_test_add_func("/pr/keep/full", test_full);
	g_test_add_func("/pr/keep/damaged", test_damaged);
	g_test_add_func("/pr/keep/unreadable", test_unreadable);
	status = g_test_run();
	bad = g_build_filename(dir, PR_FILE ".bad", NULL);
	g_unlink(bad);
	g_assert_cmpint(g_rmdir(dir), ==, 0);
	g_free(dir);
	return status;
}
