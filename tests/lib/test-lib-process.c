/* SPDX-License-Identifier: Apache-2.0 */
/* What servers do to the process they are in: nothing it would notice. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "stores.h"
#include "engine/sanitized.h"

/* ---- logs ---- */

struct lines {
	pthread_mutex_t lock;
	GString *text;
	GThread *thread;	/* where all must come, or NULL */
	unsigned n;
};

static void keep(void *data, enum gotgt_log_level level, const char *line)
{
	struct lines *l = data;

	pthread_mutex_lock(&l->lock);
	g_string_append_printf(l->text, "%d %s\n", level, line);
	if (l->thread)
		g_assert_true(l->thread == g_thread_self());
	l->n++;
	pthread_mutex_unlock(&l->lock);
}

static void lines_init(struct lines *l)
{
	pthread_mutex_init(&l->lock, NULL);
	l->text = g_string_new(NULL);
	l->thread = NULL;
	l->n = 0;
}

static void lines_clear(struct lines *l)
{
	pthread_mutex_destroy(&l->lock);
	g_string_free(l->text, TRUE);
}

static void get_tsih(void *data, const struct gotgt_session *session)
{
	*(uint16_t *)data = session->tsih;
}

static void drop_all(struct gotgt_server *s)
{
	uint16_t tsih = 0;

	OK(gotgt_server_sessions(s, get_tsih, &tsih));
	OK(gotgt_session_drop(s, tsih));
}

/* Standard error while something runs, for what must not be there. */
static int stderr_to(int fd)
{
	int before = dup(STDERR_FILENO);

	g_assert_cmpint(before, >=, 0);
	g_assert_cmpint(dup2(fd, STDERR_FILENO), >=, 0);
	return before;
}

static void stderr_back(int before)
{
	g_assert_cmpint(dup2(before, STDERR_FILENO), >=, 0);
	close(before);
}

static void run_two(struct lines *l)
{
	struct memory *m[] = { memory_new(), memory_new() };
	struct gotgt_server *s[2];
	struct ini *i[2];

	for (int n = 0; n < 2; n++) {
		s[n] = disk_new(memory_store(m[n], 0));
		if (l)
			OK(gotgt_server_set_log(s[n], keep, &l[n]));
		OK(gotgt_server_start(s[n]));
		disk_reach(s[n]);
		i[n] = disk_login(1);
	}
	/* The second one's connection thread has something to say, the first one's has not. */
	drop_all(s[1]);
	EXPECT_PDU(i[1], OP_ASYNC);
	EXPECT_CLOSED(i[1]);
	ini_check(i[0]);
	for (int n = 0; n < 2; n++) {
		ini_free(i[n]);
		gotgt_server_free(s[n]);
		g_free(m[n]);
	}
}

static void test_two(void)
{
	struct lines l[2];
	int pipes[2], before;
	char c;

	lines_init(&l[0]);
	lines_init(&l[1]);
	run_two(l);
	g_assert_nonnull(strstr(l[0].text->str, "listening"));
	g_assert_nonnull(strstr(l[1].text->str, "listening"));
	g_assert_null(strstr(l[0].text->str, "dropped"));
	g_assert_nonnull(strstr(l[1].text->str, "dropped by the administrator"));
	lines_clear(&l[0]);
	lines_clear(&l[1]);
	/* And without a log, nothing is written anywhere. */
	g_assert_cmpint(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), ==, 0);
	before = stderr_to(pipes[1]);
	run_two(NULL);
	stderr_back(before);
	g_assert_cmpint(read(pipes[0], &c, 1), ==, -1);
	g_assert_cmpint(errno, ==, EAGAIN);
	close(pipes[0]);
	close(pipes[1]);
}

/* A level is a server's own too. */
static void test_levels(void)
{
	struct lines l[2];

	for (int n = 0; n < 2; n++) {
		struct gotgt_server *s = disk_new(NULL);

		lines_init(&l[n]);
		OK(gotgt_server_set(s, "log-level", n ? "info" : "error"));
		OK(gotgt_server_set_log(s, keep, &l[n]));
		OK(gotgt_server_start(s));
		OK(gotgt_server_set(s, "log-level", n ? "error" : "info"));
		OK(gotgt_server_apply(s));
		g_string_truncate(l[n].text, 0);
		OK(gotgt_target_remove(s, DISK));
		OK(gotgt_server_apply(s));
		g_assert_cmpint(strstr(l[n].text->str, "removed") != NULL, ==, !n);
		gotgt_server_free(s);
		lines_clear(&l[n]);
	}
}

/* ---- the caller's event loop ---- */

struct loop {
	struct gotgt_server *server;
	bool stopped;
};

static void stopped(void *data)
{
	struct loop *l = data;

	gotgt_server_free(l->server);
	l->stopped = true;
}

static void turn(struct gotgt_server *s)
{
	struct pollfd p = { .fd = gotgt_server_fd(s), .events = POLLIN };

	g_assert_cmpint(poll(&p, 1, 20000), ==, 1);
	OK(gotgt_server_dispatch(s));
}

static void test_loop(void)
{
	struct memory *m = memory_new();
	struct loop loop = { .server = disk_new(memory_store(m, 0)) };
	struct pollfd p = { .events = POLLIN };
	struct lines l;
	struct ini *i;

	lines_init(&l);
	l.thread = g_thread_self();
	OK(gotgt_server_set_log(loop.server, keep, &l));
	p.fd = gotgt_server_fd(loop.server);
	g_assert_cmpint(p.fd, >=, 0);
	g_assert_cmpint(gotgt_server_fd(loop.server), ==, p.fd);
	OK(gotgt_server_start(loop.server));
	g_assert_cmpuint(l.n, ==, 0);
	turn(loop.server);
	g_assert_nonnull(strstr(l.text->str, "listening"));
	OK(gotgt_server_dispatch(loop.server));
	g_assert_cmpint(poll(&p, 1, 0), ==, 0);
	disk_reach(loop.server);
	i = disk_login(1);
	drop_all(loop.server);
	EXPECT_PDU(i, OP_ASYNC);
	EXPECT_CLOSED(i);
	ini_free(i);
	while (!strstr(l.text->str, "dropped by the administrator"))
		turn(loop.server);
	OK(gotgt_server_stop_begin(loop.server, 100, stopped, &loop));
	while (!loop.stopped) {
		g_assert_cmpint(poll(&p, 1, 20000), ==, 1);
		OK(gotgt_server_dispatch(loop.server));
	}
	g_assert_cmpint(m->closed, ==, 1);
	lines_clear(&l);
	g_free(m);
}

/* More lines than are kept. */
static void test_flood(void)
{
	struct gotgt_server *s = disk_new(NULL);
	struct lines l;

	lines_init(&l);
	OK(gotgt_server_set_log(s, keep, &l));
	g_assert_cmpint(gotgt_server_fd(s), >=, 0);
	OK(gotgt_server_start(s));
	for (int n = 0; n < 1200; n++)
		OK(gotgt_server_apply(s));	/* "nothing changed" */
	OK(gotgt_server_dispatch(s));
	g_assert_cmpuint(l.n, ==, 1001);
	g_assert_nonnull(strstr(l.text->str, " lines more than could be kept"));
	gotgt_server_free(s);
	lines_clear(&l);
}

/* Without a loop: by a thread of the server, from which nothing can be asked of it. */
struct ended {
	struct gotgt_server *server;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int asked;
	bool done;
};

static void ended(void *data)
{
	struct ended *e = data;

	pthread_mutex_lock(&e->lock);
	e->asked = gotgt_server_start(e->server);
	e->done = true;
	pthread_cond_signal(&e->cond);
	pthread_mutex_unlock(&e->lock);
}

static void test_stop_begin(void)
{
	struct memory *m = memory_new();
	struct ended e = { .server = disk_start(m, 0) };
	struct ini *i = disk_login(1);

	pthread_mutex_init(&e.lock, NULL);
	pthread_cond_init(&e.cond, NULL);
	OK(gotgt_server_stop_begin(e.server, 60000, ended, &e));
	/* It waits for us. */
	FAILS(gotgt_server_apply(e.server), EBUSY, "about to stop");
	FAILS(gotgt_server_stop(e.server, 0), EBUSY, "about to stop");
	EXPECT_PDU(i, OP_ASYNC);
	ini_logout(i, 0, 0);
	EXPECT_PDU(i, OP_LOGOUT_RESPONSE);
	EXPECT_CLOSED(i);
	ini_free(i);
	pthread_mutex_lock(&e.lock);
	while (!e.done)
		pthread_cond_wait(&e.cond, &e.lock);
	pthread_mutex_unlock(&e.lock);
	g_assert_cmpint(e.asked, ==, -EDEADLK);
	OK(gotgt_server_start(e.server));	/* again, once it has stopped */
	gotgt_server_free(e.server);
	pthread_mutex_destroy(&e.lock);
	pthread_cond_destroy(&e.cond);
	g_free(m);
}

/* ---- what is left behind ---- */

static unsigned count_entries(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	unsigned n = 0;

	g_assert_nonnull(dir);
	while (g_dir_read_name(dir))
		n++;
	g_dir_close(dir);
	return n;
}

static void once(struct memory *m, bool with_session)
{
	struct gotgt_server *s = disk_start(m, 0);
	uint8_t block[BLOCK];

	if (with_session) {
		struct ini *i = disk_login(1);

		g_assert_cmpuint(ini_finish_read(i, ini_read(i, 0, 1, BLOCK), block, BLOCK), ==, BLOCK);
		ini_free(i);
	}
	gotgt_server_free(s);
}

/*
 * Bytes; 0 where it cannot be told: of a sanitizer's allocator the C library knows nothing, and its quarantine grows
 * anyway; it finds leaks itself.
 */
static size_t in_use(void)
{
#if defined(HAVE_MALLINFO2) && !SANITIZED
	return mallinfo2().uordblks;
#else
	return 0;
#endif
}

static void test_hundred(void)
{
	struct memory *m = memory_new();
	unsigned fds, threads;
	size_t bytes;

	/* What the C library and GLib keep for threads yet to come they have by then. */
	for (int n = 0; n < 50; n++)
		once(m, n % 2);
	fds = count_entries("/proc/self/fd");
	threads = count_entries("/proc/self/task");
	bytes = in_use();
	for (int n = 0; n < 100; n++)
		once(m, n % 2);
	g_assert_cmpuint(count_entries("/proc/self/fd"), ==, fds);
	/* A joined thread's entry in /proc can outlive the join by a moment. */
	while (count_entries("/proc/self/task") != threads)
		g_thread_yield();
	g_assert_cmpint(m->closed, ==, 150);
	g_test_message("%zu bytes in use before, %zu after", bytes, in_use());
	g_assert_cmpuint(in_use(), <=, bytes + 16384);
	g_free(m);
}

static void *start_and_stop(void *data)
{
	const char *const settings[] = { "size", "1M", NULL };
	struct memory *m = memory_new();

	for (int n = 0; n < 20; n++) {
		struct gotgt_server *s = disk_new(memory_store(m, 0));
		char portal[64];

		OK(gotgt_server_set_plugin_path(s, data));
		OK(gotgt_lun_add(s, DISK, 1, "null", settings, NULL));
		OK(gotgt_server_start(s));
		OK(gotgt_server_portal(s, 0, portal, sizeof portal));
		OK(gotgt_lun_remove(s, DISK, 0));
		OK(gotgt_server_apply(s));
		gotgt_server_free(s);
	}
	g_assert_cmpint(m->closed, ==, 20);
	g_free(m);
	return NULL;
}

/* Servers of several threads have nothing to wait for each other for. */
static void test_threads(void)
{
	g_autofree char *path = g_test_build_filename(G_TEST_BUILT, "..", "plugins", "null", ".libs", NULL);
	pthread_t threads[4];

	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		g_assert_cmpint(pthread_create(&threads[i], NULL, start_and_stop, path), ==, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		g_assert_cmpint(pthread_join(threads[i], NULL), ==, 0);
}

/* Signals, umask, locale, working directory, environment. */
static char *process_state(void)
{
	GString *text = g_string_new(NULL);
	g_autofree char *cwd = g_get_current_dir();
	g_auto(GStrv) env = g_listenv();
	struct sigaction action;
	mode_t mask = umask(0);
	sigset_t set;

	umask(mask);
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	g_string_append_printf(text, "%o %s %s %u", mask, setlocale(LC_ALL, NULL), cwd, g_strv_length(env));
	for (int n = 1; n < 32; n++) {
		g_assert_cmpint(sigaction(n, NULL, &action), ==, 0);
		g_string_append_printf(text, " %d:%d%p", n, sigismember(&set, n), (void *)(uintptr_t)action.sa_handler);
	}
	return g_string_free(text, FALSE);
}

static void test_state(void)
{
	struct memory *m = memory_new();
	g_autofree char *before = process_state(), *during = NULL, *after = NULL;
	struct gotgt_server *s = disk_start(m, 0);
	struct ini *i = disk_login(1);

	during = process_state();
	ini_free(i);
	gotgt_server_free(s);
	after = process_state();
	g_assert_cmpstr(during, ==, before);
	g_assert_cmpstr(after, ==, before);
	g_free(m);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/process/two-servers", test_two);
	g_test_add_func("/process/levels", test_levels);
	g_test_add_func("/process/loop", test_loop);
	g_test_add_func("/process/flood", test_flood);
	g_test_add_func("/process/stop-begin", test_stop_begin);
	g_test_add_func("/process/a-hundred-times", test_hundred);
	g_test_add_func("/process/threads", test_threads);
	g_test_add_func("/process/state", test_state);
	return g_test_run();
}
