/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-restart PROGRAM FOLDER TIMES - the daemon is stopped, or killed, and started again under initiators that write and
 * come back: nothing that was written with GOOD is lost.  One is the tests' own, one libiscsi, which reconnects by itself.
 */
#include "config.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_LIBISCSI
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#endif
#include "soak.h"

enum { SESSIONS = 3, EACH_BLOCKS = 4096, ISCSI_FIRST = SESSIONS * EACH_BLOCKS, ISCSI_BLOCKS = 1024, ISCSI_RUN = 16 };
#define IMAGE_BYTES ((ISCSI_FIRST + ISCSI_BLOCKS) * (size_t)BLOCK)

static unsigned times;
static atomic_bool stop;
static GRWLock up;		/* held by who logs in, and by who takes the daemon away */

static gpointer verify(gpointer arg)
{
	struct verifier *v = arg;

	while (!atomic_load(&stop)) {
		g_rw_lock_reader_lock(&up);
		verifier_login(v);
		g_rw_lock_reader_unlock(&up);
		while (!verifier_is_lost(v) && !atomic_load(&stop))
			verifier_round(v);
	}
	if (verifier_is_lost(v))
		verifier_login(v);
	verifier_check(v);
	return NULL;
}

/* Stopped and killed in turn; until `done` says more than so many times, on a machine that is slow, too. */
static void restart_often(const atomic_uint *done)
{
	gint64 until;


	for (unsigned i = 0; i < times; i++) {
		g_usleep((gulong)g_random_int_range(50000, 400000));
		g_rw_lock_writer_lock(&up);
		if (i % 2)
			rig_kill();
		else
			rig_stop();
		rig_restart();
		g_rw_lock_writer_unlock(&up);
	}
	g_usleep(200000);
	for (until = g_get_monotonic_time() + 60 * G_USEC_PER_SEC; atomic_load(done) <= times && g_get_monotonic_time() < until; )
		g_usleep(10000);
	atomic_store(&stop, true);
}

static void test_own(void)
{
	struct verifier *v[SESSIONS];
	GThread *threads[SESSIONS];

	atomic_store(&stop, false);
	for (unsigned i = 0; i < SESSIONS; i++) {
		v[i] = verifier_new((uint8_t)(i + 1), i % 2, i * EACH_BLOCKS, EACH_BLOCKS);
		verifier_may_lose(v[i], true);
		threads[i] = g_thread_new("verify", verify, v[i]);
	}
	restart_often(&soak.logins);
	for (unsigned i = 0; i < SESSIONS; i++) {
		g_thread_join(threads[i]);
		verifier_free(v[i]);
	}
	g_test_message("%u commands, %u logins", atomic_load(&soak.commands), atomic_load(&soak.logins));
	g_assert_cmpuint(atomic_load(&soak.logins), >, times);
}

#ifdef HAVE_LIBISCSI
static struct iscsi_context *iscsi;
static atomic_uint written;

static void fill(uint8_t *data, uint32_t lba, uint32_t generation)
{
	for (uint32_t i = 0; i < ISCSI_RUN * BLOCK; i += 8) {
		put32(data + i, lba + i / BLOCK);
		put32(data + i + 4, generation ^ i);
	}
}

struct op {
	bool done;
	int status;
	struct scsi_task *task;
};

static void op_done(struct iscsi_context *c, int status, void *task, void *data)
{
	struct op *o = data;

	o->done = true;
	o->status = status;
	o->task = task;
}

/*
 * The library's own waiting gives up when the connection is lost for long, and leaves the command to answer the next
 * one's wait; so this one waits for each to its end.
 */
static struct scsi_task *wait_for(struct op *o)
{
	gint64 until = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

	while (!o->done) {
		struct pollfd p = { .fd = iscsi_get_fd(iscsi), .events = (short)iscsi_which_events(iscsi) };

		g_assert_cmpint(g_get_monotonic_time(), <, until);
		if (poll(&p, 1, 100) >= 0 && iscsi_service(iscsi, p.revents) < 0)
			iscsi_reconnect(iscsi);
	}
	return o->task;
}

/* Until it is GOOD: after a restart a unit attention says that there was one. */
static void insist(bool write, uint32_t lba, uint8_t *data)
{
	const uint32_t len = ISCSI_RUN * BLOCK;
	gint64 until = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
	bool good = false;

	while (!good) {
		struct op o = { .done = false };
		struct scsi_task *t = write ?
			iscsi_write10_task(iscsi, 0, lba, data, len, BLOCK, 0, 0, 0, 0, 0, op_done, &o) :
			iscsi_read10_task(iscsi, 0, lba, len, BLOCK, 0, 0, 0, 0, 0, op_done, &o);

		g_assert_cmpint(g_get_monotonic_time(), <, until);
		g_assert_nonnull(t);
		t = wait_for(&o);
		good = o.status == SCSI_STATUS_GOOD;
		if (good && !write) {
			g_assert_cmpint(t->datain.size, ==, (int)len);
			memcpy(data, t->datain.data, len);
		}
		if (o.status == SCSI_STATUS_CHECK_CONDITION)
			g_assert_cmpint(t->sense.key, ==, SCSI_SENSE_UNIT_ATTENTION);
		scsi_free_scsi_task(t);
	}
}

static void check_run(uint32_t lba, uint32_t generation, uint8_t *got)
{
	uint8_t want[ISCSI_RUN * BLOCK];

	fill(want, lba, generation);
	insist(false, lba, got);
	if (memcmp(got, want, sizeof want)) {
		uint8_t file[ISCSI_RUN * BLOCK], again[ISCSI_RUN * BLOCK];
		g_autofree char *image = g_build_filename(rig_folder, "0", NULL);
		int fd = open(image, O_RDONLY | O_CLOEXEC);
		ssize_t n = pread(fd, file, sizeof file, (off_t)lba * BLOCK);

		insist(false, lba, again);
		g_error("block %u: generation %u of block %u, not %u; in the file it is %s, read again %s", lba, get32(got + 4),
			get32(got), generation, n == (ssize_t)sizeof file && !memcmp(file, want, sizeof file) ? "right" : "wrong",
			memcmp(again, want, sizeof again) ? "wrong" : "right");
	}
}

static gpointer libiscsi(gpointer arg)
{
	static uint32_t generations[ISCSI_BLOCKS / ISCSI_RUN];
	uint8_t data[ISCSI_RUN * BLOCK], got[ISCSI_RUN * BLOCK];

	for (uint32_t n = 0; !atomic_load(&stop); n++) {
		uint32_t run = n % G_N_ELEMENTS(generations), lba = ISCSI_FIRST + run * ISCSI_RUN;

		if (generations[run])
			check_run(lba, generations[run], got);
		generations[run] = n + 1;
		fill(data, lba, generations[run]);
		insist(true, lba, data);
		written++;
	}
	for (uint32_t run = 0; run < G_N_ELEMENTS(generations) && generations[run]; run++)
		check_run(ISCSI_FIRST + run * ISCSI_RUN, generations[run], got);
	return NULL;
}

static void test_libiscsi(void)
{
	g_autofree char *portal = rig_portal();
	GThread *thread;

	iscsi = iscsi_create_context(HOST);
	iscsi_set_targetname(iscsi, DISK);
	iscsi_set_session_type(iscsi, ISCSI_SESSION_NORMAL);
	iscsi_set_reconnect_max_retries(iscsi, -1);
	g_assert_cmpint(iscsi_full_connect_sync(iscsi, portal, 0), ==, 0);
	atomic_store(&stop, false);
	thread = g_thread_new("libiscsi", libiscsi, NULL);
	restart_often(&written);
	g_thread_join(thread);
	g_test_message("%u writes", written);
	g_assert_cmpuint(written, >, times);
	iscsi_logout_sync(iscsi);
	iscsi_destroy_context(iscsi);
}
#endif

static const char conf[] = "targets = ( { iqn = \"" DISK "\"; open = true; luns = (\n"
			   "    { number = 0; plugin = \"file\"; settings: { path = \"%s/0\"; }; },\n"
			   "    { number = 1; plugin = \"mmap\"; settings: { path = \"%s/1\"; }; } ); } );\n";

int main(int argc, char **argv)
{
	g_autofree char *text = NULL;
	int r;

	g_test_init(&argc, &argv, NULL);
	if (argc != 4)
		return 2;
	rig_program = argv[1];
	rig_folder = argv[2];
	times = (unsigned)atoi(argv[3]);
	rig_sanitized = g_getenv("RIG_SANITIZED") != NULL;
	signal(SIGPIPE, SIG_IGN);
	rig_image("0", IMAGE_BYTES);
	rig_image("1", IMAGE_BYTES);
	text = g_strdup_printf(conf, rig_folder, rig_folder);
	rig_start(text);
	g_test_add_func("/restart/own", test_own);
#ifdef HAVE_LIBISCSI
	g_test_add_func("/restart/libiscsi", test_libiscsi);
#endif
	r = g_test_run();
	rig_stop();
	return r;
}
