/* SPDX-License-Identifier: Apache-2.0 */
/* The suite's judgement: a plugin that does one thing wrong fails the case about it, and nothing worse happens. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "sdk/contain.h"

#define SIZE_BYTES (4u << 20)

static char *mods, *image;

static const struct wrong {
	const char *fault, *in, *why;
} wrongs[] = {
	{ "block", "info", "block size" },
	{ "ops", "info", "bits of no op" },
	{ "reserved", "info", "reserved" },
	{ "resized-open", "info", "resized() within open()" },
	{ "refused", "info", "does not open: it is not the day" },
	{ "positive", "info", "does not open: it is too late" },
	{ "silent", "info", "does not open: open() returned -5" },
	{ "crash-open", "info", "crashes: signal 6 (" },
	{ "crash-open", "info", "in open()" },
	{ "hang-close", "info", "hangs: after 3 seconds it was still in close()" },
	{ "no-line", "refuse", "did not say why" },
	{ "crash", "read-back", "in submit(): READ of 512 bytes at " },
	{ "exit", "read-back", "ends the process with status 3 in submit(): WRITE" },
	{ "hang", "read-back", "hangs: after 3 seconds it was still in submit(): WRITE of 512 bytes" },
	{ "never", "read-back", "never answered: WRITE of 512 bytes" },
	{ "wrong", "read-back", "byte 3 of 512 is" },
	{ "lost", "read-back", "byte " },
	{ "over", "read-back", "bytes beyond the memory it was given" },
	{ "changes", "read-back", "changed the memory it was given" },
	{ "twice", "read-back", "answered twice: READ of 512 bytes at " },
	{ "late", "read-back", "answered twice: READ" },
	{ "stranger", "read-back", "a request that it does not have" },
	{ "status", "read-back", "a status that there is not" },
	{ "again", "read-back", "GOTGT_ERR_AGAIN" },
	{ "canceled", "read-back", "GOTGT_ERR_CANCELED" },
	{ "read-error", "read-back", "READ: GOTGT_ERR_IO" },
	{ "priv", "read-back", "io_priv_size" },
	{ "field", "read-back", "changed its struct gotgt_io" },
	{ "low", "edges", "WRITE at 4193792 changed what is at 2096640" },
	{ "neighbour", "neighbours", "three blocks" },
	{ "order", "vectors", "several elements: byte " },
	{ "rounds", "odd-vectors", "GOTGT_ERR_IO" },
	{ "unmap", "random", "many requests" },
	{ "unmap", "unmap", "cleared: byte 0 of" },
	{ "zero", "zero", "cleared: byte 0 of" },
	{ "zero", "zero-free", "cleared: byte 0 of" },
	{ "clears", "zero", "a range within was cleared: byte " },
	{ "clears", "unmap", "a range within was cleared: byte " },
	{ "clears", "fua", "a range within was cleared: byte " },
	{ "nowait", "nowait", "never answered: READ of 65536 bytes at 0 with GOTGT_IO_NOWAIT" },
	{ "lost", "in-flight", "64 requests at once: byte " },
	{ "cancel", "cancel", "answered twice: READ" },
	{ "leak", "close", "files more are open" },
	{ "lost", "close", "written before it was closed" },
	{ "cache", "killed", "flushed, and the process killed: byte 0 of" },
	{ "lend", "lend", "written and lent: byte " },
	{ "lend-short", "lend", "bytes and not" },
	{ "lend-many", "lend", "where there was room for 64" },
	{ "lend-constant", "lend", "a write has changed what was lent" },
	{ "lend-goes", "lend", "says nothing without GOTGT_MEMORY_STAYS" },
	{ "extents", "extents", "extent 0 has" },
	{ "extents-none", "extents", "no extent at all" },
	{ "extents-state", "extents", "the state 7" },
	{ "extents-hole", "extents", "is not allocated" },
	{ "copy", "copy", "copied: byte " },
	{ "copy-nothing", "copy", "called it a success" },
	{ "copy-much", "copy", "1 bytes more than it was asked to" },
	{ "compare", "compare", "bytes are as expected, and it says 0" },
	{ "compare-always", "compare", "bytes are as expected, and it says 1024" },
	{ "look", "size", "a size of 2097152" },
	{ "readonly", "read-only", "GOTGT_DEV_READ_ONLY" },
};

static void make_image(void)
{
	int fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(ftruncate(fd, SIZE_BYTES), ==, 0);
	close(fd);
}

static unsigned number_of(const char *name)
{
	unsigned n = 0;

	while (suite_case(n) && !g_str_equal(suite_case(n), name))
		n++;
	g_assert_nonnull(suite_case(n));
	return n;
}

static void run(const char *fault, unsigned n, unsigned limit_s, struct suite_result *r)
{
	const char *const settings[] = { "path", image, "fault", fault, NULL };
	const struct suite_conf conf = { .settings = settings, .limit_s = limit_s };

	make_image();
	contain_case(mods, "faulty", &conf, n, r);
	g_test_message("%s: %s", suite_case(n), r->why);
}

static void test_wrong(gconstpointer data)
{
	const struct wrong *w = data;
	struct suite_result r;

	/* One that should come to an end by itself has all the time that a slow build takes. */
	run(w->fault, number_of(w->in), strstr(w->why, "hangs") || strstr(w->why, "never") ? 1 : 0, &r);
	g_assert_cmpint(r.verdict, ==, SUITE_FAILED);
	g_assert_nonnull(strstr(r.why, w->why));
}

/* Without a fault nothing is found, and what is skipped is what it does not have. */
static void test_right(void)
{
	static const char *const lacks[] = { "lend", "extents", "copy", "compare", "size", NULL };

	for (unsigned n = 0; suite_case(n); n++) {
		struct suite_result r;

		run("none", n, 0, &r);
		if (g_strv_contains(lacks, suite_case(n)))
			g_assert_cmpint(r.verdict, ==, SUITE_SKIPPED);
		else
			g_assert_cmpstr(r.why, ==, "");
	}
}

static void look(const char *fault, bool read, enum suite_verdict verdict, const char *why)
{
	const char *const settings[] = { "path", image, "fault", fault, NULL };
	const struct suite_conf conf = { .settings = settings };
	struct suite_result r;

	contain_look(mods, "faulty", &conf, read, &r);
	g_test_message("%s", r.why);
	g_assert_cmpint(r.verdict, ==, verdict);
	g_assert_nonnull(strstr(r.why, why));
}

/* Data anywhere that would be written over is seen, and only looked at. */
static void test_look(void)
{
	static const off_t written[] = { 0, 1048575, SIZE_BYTES / 2 - 524288, SIZE_BYTES / 2 + 524287, SIZE_BYTES - 1048576,
					 SIZE_BYTES - 1 };

	make_image();
	look("none", true, SUITE_PASSED, "");
	for (size_t i = 0; i < G_N_ELEMENTS(written); i++) {
		g_autofree char *text = g_strdup_printf("data at byte %lld", (long long)written[i]);
		int fd;

		make_image();
		fd = open(image, O_RDWR | O_CLOEXEC);
		g_assert_cmpint(pwrite(fd, "x", 1, written[i]), ==, 1);
		look("none", true, SUITE_SKIPPED, text);
		look("none", false, SUITE_PASSED, "");
		close(fd);
	}
	look("crash", true, SUITE_FAILED, "READ");
	look("crash", false, SUITE_PASSED, "");
	look("refused", false, SUITE_FAILED, "it is not the day");
	look("crash-open", false, SUITE_FAILED, "in open()");
}

/* The suite writes nowhere but where it looks. */
static void test_elsewhere(void)
{
	static char text[] = "here is something";
	const off_t at[] = { 1048576, SIZE_BYTES / 2 - 524288 - (off_t)sizeof text, SIZE_BYTES / 2 + 524288,
			     SIZE_BYTES - 1048576 - (off_t)sizeof text };
	const char *const settings[] = { "path", image, NULL };
	const struct suite_conf conf = { .settings = settings };
	int fd;

	make_image();
	fd = open(image, O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < G_N_ELEMENTS(at); i++)
		g_assert_cmpint(pwrite(fd, text, sizeof text, at[i]), ==, sizeof text);
	for (unsigned n = 0; suite_case(n); n++) {
		struct suite_result r;

		contain_case(mods, "faulty", &conf, n, &r);
		g_assert_cmpint(r.verdict, !=, SUITE_FAILED);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(at); i++) {
		char is[sizeof text];

		g_assert_cmpint(pread(fd, is, sizeof is, at[i]), ==, sizeof is);
		g_assert_cmpstr(is, ==, text);
	}
	close(fd);
}

static void test_missing(void)
{
	const char *const settings[] = { NULL };
	const struct suite_conf conf = { .settings = settings };
	struct suite_result r;

	contain_look(mods, "missing", &conf, true, &r);
	g_assert_cmpint(r.verdict, ==, SUITE_FAILED);
	g_assert_nonnull(strstr(r.why, "does not load"));
	contain_look(mods, "faulty", &conf, true, &r);
	g_assert_nonnull(strstr(r.why, "setting path is required"));
}

int main(int argc, char **argv)
{
	g_autofree char *folder = NULL;
	int rc;

	g_test_init(&argc, &argv, NULL);
	/* They crash on purpose. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	mods = g_test_build_filename(G_TEST_BUILT, "mods", ".libs", NULL);
	folder = g_strdup_printf("%s/suite-XXXXXX", g_test_get_dir(G_TEST_BUILT));
	g_assert_nonnull(g_mkdtemp(folder));
	image = g_build_filename(folder, "disk", NULL);
	g_test_add_func("/suite/right", test_right);
	g_test_add_func("/suite/look", test_look);
	g_test_add_func("/suite/elsewhere", test_elsewhere);
	g_test_add_func("/suite/missing", test_missing);
	for (size_t i = 0; i < G_N_ELEMENTS(wrongs); i++) {
		g_autofree char *name = g_strdup_printf("/suite/wrong/%s/%s/%zu", wrongs[i].fault, wrongs[i].in, i);

		g_test_add_data_func(name, &wrongs[i], test_wrong);
	}
	rc = g_test_run();
	g_unlink(image);
	g_rmdir(folder);
	g_free(image);
	g_free(mods);
	return rc;
}
