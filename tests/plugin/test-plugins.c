/* SPDX-License-Identifier: Apache-2.0 */
/* The suite over every plugin, and what is particular to those on files. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <gotgt/ext-copy.h>
#include <gotgt/ext-memory.h>
#include <gotgt/ext-size.h>
#include "sdk/suite.h"

#define SIZE_BYTES (4u << 20)

static char *folder, *image;

static struct module *load(const char *name)
{
	/* "ram" is of the tests, for what no plugin has; "first" one of the first release, see tests/abi. */
	g_autofree char *dir = g_str_equal(name, "ram") ? g_strdup("mods/.libs") :
			       g_str_equal(name, "first") ? g_strdup("abi/.libs") :
							    g_strdup_printf("../plugins/%s/.libs", name);
	g_autofree char *path = g_test_build_filename(G_TEST_BUILT, dir, NULL);
	g_autoptr(GError) error = NULL;
	struct module *m = module_load(path, name, &suite_host, &error);

	g_assert_no_error(error);
	return m;
}

static void make_image(void)
{
	int fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(ftruncate(fd, SIZE_BYTES), ==, 0);
	close(fd);
}

/* ---- the suite ---- */

static const char *const no_settings[] = { NULL };
static const char *const null_settings[] = { "size", "16M", NULL };
static const char *file_settings[] = { "path", NULL, NULL };
static const char *direct_settings[] = { "path", NULL, "direct", "yes", NULL };

static const struct suite_run {
	const char *name, *plugin;
	const char *const *settings;
	bool forgets;
} runs[] = {
	{ "null", "null", null_settings, true },
	{ "file", "file", file_settings, false },
	{ "file-direct", "file", direct_settings, false },
	{ "mmap", "mmap", file_settings, false },
	{ "first", "first", file_settings, false },
	{ "ram", "ram", no_settings, false },
};

struct one { const struct suite_run *run; unsigned n; };

static void test_case(gconstpointer data)
{
	const struct one *one = data;
	struct suite_conf conf = { .module = load(one->run->plugin), .settings = one->run->settings,
				   .forgets = one->run->forgets };
	struct suite_result r;

	make_image();
	suite_run_case(&conf, one->n, &r);
	/* tmpfs of old kernels. */
	if (r.verdict == SUITE_SKIPPED || strstr(r.why, "direct is not possible"))
		g_test_skip(r.why);
	else
		g_assert_cmpstr(r.why, ==, "");
}

/* ---- opening ---- */

static void expect_refused(const char *plugin, const char *const *settings, const char *why)
{
	g_autofree char *error = NULL;
	struct suite_dev d;

	g_assert_false(suite_open(&d, load(plugin), settings, &error));
	g_test_message("%s: %s", plugin, error);
	g_assert_nonnull(strstr(error, why));
}

static void expect_size(const char *plugin, const char *const *settings, uint64_t size)
{
	g_autofree char *error = NULL;
	struct suite_dev d;
	bool opened = suite_open(&d, load(plugin), settings, &error);

	g_assert_cmpstr(error, ==, NULL);
	g_assert_true(opened);
	g_assert_cmpuint(d.info.size, ==, size);
	suite_close(&d);
}

#define SETTINGS(...) ((const char *const []){ "path", image, __VA_ARGS__, NULL })

static void test_create(gconstpointer plugin)
{
	struct stat st;

	g_unlink(image);
	expect_refused(plugin, file_settings, "No such file or directory");
	expect_refused(plugin, SETTINGS("size", "1M"), "No such file or directory");
	expect_refused(plugin, SETTINGS("create", "yes"), "takes a size above 0");
	expect_refused(plugin, SETTINGS("create", "yes", "size", "1M", "readonly", "yes"), "it is missing, and readonly");
	g_assert_cmpint(g_stat(image, &st), <, 0);
	expect_size(plugin, SETTINGS("create", "yes", "size", "1M"), 1 << 20);
	g_assert_cmpint(g_stat(image, &st), ==, 0);
	g_assert_cmpint(st.st_size, ==, 1 << 20);
	g_assert_cmpint(st.st_blocks, <, 64);	/* sparse */
	g_assert_cmpint(st.st_mode & 0777, ==, 0600);
	expect_size(plugin, SETTINGS("create", "yes", "size", "1M"), 1 << 20);
	expect_size(plugin, SETTINGS("size", "1M"), 1 << 20);
	expect_size(plugin, file_settings, 1 << 20);
	expect_refused(plugin, SETTINGS("size", "2M"), "it has 1048576 bytes, not the 2097152 of size");
	expect_size(plugin, SETTINGS("create", "yes", "size", "2M"), 2 << 20);
	expect_refused(plugin, SETTINGS("create", "yes", "size", "1M"), "it has 2097152 bytes");
	g_assert_cmpint(truncate(image, 0), ==, 0);
	expect_refused(plugin, file_settings, "empty");
	g_assert_cmpint(truncate(image, 1000), ==, 0);
	expect_size(plugin, file_settings, 512);
}

static void test_refused(gconstpointer plugin)
{
	g_autofree char *fifo = g_build_filename(folder, "fifo", NULL);

	expect_refused(plugin, (const char *const []){ "path", folder, NULL }, "Is a directory");
	expect_refused(plugin, (const char *const []){ "path", "/dev/null", NULL }, "neither a file nor a block device");
	g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
	expect_refused(plugin, (const char *const []){ "path", fifo, NULL }, "neither a file nor a block device");
	g_unlink(fifo);
	expect_refused(plugin, (const char *const []){ NULL }, "setting path is required");
}

static void test_lock(gconstpointer plugin)
{
	g_autofree char *error = NULL;
	struct suite_dev writer, reader, second;

	make_image();
	g_assert_true(suite_open(&writer, load(plugin), file_settings, &error));
	expect_refused("file", file_settings, "in use");
	expect_refused("mmap", SETTINGS("readonly", "yes"), "in use");
	expect_size("file", SETTINGS("lock", "no"), SIZE_BYTES);
	suite_close(&writer);
	/* Readers share. */
	g_assert_true(suite_open(&reader, load(plugin), SETTINGS("readonly", "yes"), &error));
	g_assert_true(suite_open(&second, load(plugin), SETTINGS("readonly", "yes"), &error));
	expect_refused("file", file_settings, "in use");
	suite_close(&second);
	suite_close(&reader);
	expect_size(plugin, file_settings, SIZE_BYTES);
}

/* ---- faults ---- */

static void test_truncated(gconstpointer plugin)
{
	struct module *m = load(plugin);
	const struct gotgt_copy *copy;
	g_autofree char *error = NULL;
	uint64_t copied = 1;
	static uint8_t data[4096];
	struct suite_dev d;

	make_image();
	g_assert_true(suite_open(&d, m, file_settings, &error));
	g_assert_cmpint(suite_io(&d, GOTGT_OP_READ, 0, 1 << 20, data, sizeof data), ==, GOTGT_OK);
	g_assert_cmpint(truncate(image, 1 << 20), ==, 0);
	g_assert_cmpint(suite_io(&d, GOTGT_OP_READ, 0, 1 << 20, data, sizeof data), ==, GOTGT_ERR_IO);
	g_assert_cmpint(suite_io(&d, GOTGT_OP_READ, 0, (1 << 20) - 512, data, 1024), ==, GOTGT_ERR_IO);
	g_assert_cmpint(suite_io(&d, GOTGT_OP_READ, 0, (1 << 20) - 512, data, 512), ==, GOTGT_OK);
	/* Nor does a write behind it bring back as zeroes what was lost before that. */
	g_assert_cmpint(suite_io(&d, GOTGT_OP_WRITE, 0, 2 << 20, data, sizeof data), ==, GOTGT_ERR_IO);
	g_assert_cmpint(suite_io(&d, GOTGT_OP_WRITE, GOTGT_IO_FUA, (1 << 20) - 512, data, 1024), ==, GOTGT_ERR_IO);
	g_assert_cmpint(suite_io(&d, GOTGT_OP_ZERO, 0, 2 << 20, NULL, 4096), ==, GOTGT_ERR_IO);
	g_assert_cmpint(suite_io(&d, GOTGT_OP_UNMAP, 0, 2 << 20, NULL, 4096), ==, GOTGT_ERR_IO);
	copy = m->ops.extension(GOTGT_EXT_COPY);
	g_assert_cmpint(copy->copy(d.handle, 0, d.handle, 2 << 20, 4096, &copied), ==, GOTGT_ERR_UNSUPPORTED);
	g_assert_cmpuint(copied, ==, 0);
	g_assert_cmpint(suite_io(&d, GOTGT_OP_READ, 0, 1 << 20, data, sizeof data), ==, GOTGT_ERR_IO);
	g_assert_cmpint(suite_io(&d, GOTGT_OP_WRITE, 0, (1 << 20) - 512, data, 512), ==, GOTGT_OK);
	suite_close(&d);
	expect_size(plugin, file_settings, 1 << 20);
}

/* Lent bytes that are gone: check() knows, a system call says EFAULT, and nobody dies. */
static void test_mmap_shrunk(void)
{
	struct module *m = load("mmap");
	const struct gotgt_memory *memory = m->ops.extension(GOTGT_EXT_MEMORY);
	const struct gotgt_size *look = m->ops.extension(GOTGT_EXT_SIZE);
	int fd = memfd_create("shrunk", MFD_CLOEXEC);
	g_autofree char *error = NULL;
	static uint8_t data[512];
	struct suite_dev d;
	struct iovec iov;

	make_image();
	g_assert_true(suite_open(&d, m, file_settings, &error));
	g_assert_cmpuint(memory->lend(d.handle, 2 << 20, 4096, 0, &iov, 1), ==, 1);
	g_assert_cmpint(memory->check(d.handle), ==, GOTGT_OK);
	g_assert_cmpint(truncate(image, 1 << 20), ==, 0);
	g_assert_cmpint(memory->check(d.handle), ==, GOTGT_ERR_IO);
	g_assert_cmpint(pwritev(fd, &iov, 1, 0), <, 0);
	g_assert_cmpint(errno, ==, EFAULT);
	/* From now on it is a smaller device. */
	g_assert_cmpint(memory->check(d.handle), ==, GOTGT_OK);
	g_assert_cmpuint(memory->lend(d.handle, 2 << 20, 4096, 0, &iov, 1), ==, 0);
	g_assert_cmpuint(memory->lend(d.handle, 0, 4096, 0, &iov, 1), ==, 1);
	g_assert_cmpint(suite_io(&d, GOTGT_OP_FLUSH, 0, 0, NULL, 0), ==, GOTGT_OK);
	/* What grows is not mapped, but there. */
	g_assert_cmpint(truncate(image, 2 * SIZE_BYTES), ==, 0);
	look->look(d.handle);
	g_assert_cmpuint(memory->lend(d.handle, SIZE_BYTES, 4096, 0, &iov, 1), ==, 0);
	g_assert_cmpint(suite_io(&d, GOTGT_OP_READ, 0, 2 * SIZE_BYTES - 512, data, 512), ==, GOTGT_OK);
	suite_close(&d);
	close(fd);
}

/* As who reads the file finds them. */
static void expect_bytes(uint64_t offset, int value, size_t length)
{
	int fd = open(image, O_RDONLY | O_CLOEXEC);
	g_autofree uint8_t *bytes = g_malloc(length), *want = g_malloc(length);

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(pread(fd, bytes, length, (off_t)offset), ==, (gssize)length);
	close(fd);
	memset(want, value, length);
	g_assert_cmpmem(bytes, length, want, length);
}

static bool lends_long(const struct gotgt_memory *memory, void *dev, uint64_t offset, struct iovec *iov)
{
	return memory->lend(dev, offset, 128 << 10, 1, iov, 1);
}

static long my_faults(void)
{
	struct rusage use;

	g_assert_cmpint(getrusage(RUSAGE_THREAD, &use), ==, 0);
	return use.ru_minflt;
}

/*
 * Long writes have the mapping where all of it is written over and over, as long as that is no fault for each page; short ones,
 * and reads, always.
 */
static void test_mmap_lends(void)
{
	struct module *m = load("mmap");
	const struct gotgt_memory *memory = m->ops.extension(GOTGT_EXT_MEMORY);
	const uint64_t longs = 128 << 10;
	g_autofree char *error = NULL;
	unsigned n = 0, lent = 0;
	struct suite_dev d;
	struct iovec iov;
	long before;

	make_image();
	g_assert_true(suite_open(&d, m, file_settings, &error));
	g_assert_cmpuint(memory->lend(d.handle, 0, 4096, 1, &iov, 1), ==, 1);
	g_assert_cmpuint(memory->lend(d.handle, 0, longs, 0, &iov, 1), ==, 1);
	while (!lends_long(memory, d.handle, 0, &iov))
		g_assert_cmpuint(n++, <, 8);
	g_assert_cmpuint(n, >=, 4);
	g_assert_cmpuint(iov.iov_len, ==, longs);
	/* From then on, for more than faults are counted for; and they are the file's bytes. */
	memset(iov.iov_base, 1, longs);
	expect_bytes(0, 1, longs);
	expect_bytes(longs, 0, longs);
	for (unsigned i = 0; i < 100; i++)
		g_assert_true(lends_long(memory, d.handle, 0, &iov));
	n = 0;
	while (!lends_long(memory, d.handle, 3 * longs, &iov))
		g_assert_cmpuint(n++, <, 8);
	memset(iov.iov_base, 3, longs);
	expect_bytes(2 * longs, 0, longs);
	expect_bytes(3 * longs, 3, longs);
	expect_bytes(4 * longs, 0, longs);
	/* What is half beside it is not, nor what is elsewhere. */
	g_assert_false(lends_long(memory, d.handle, longs / 2, &iov));
	g_assert_false(lends_long(memory, d.handle, SIZE_BYTES - longs, &iov));

	/* Pages that do not stay dirty: a hundred writes in which each is a fault are too many. */
	before = my_faults();
	for (unsigned i = 0; i < 100; i++)
		if (lends_long(memory, d.handle, 0, &iov)) {
			memset(iov.iov_base, (int)i, longs);
			g_assert_cmpint(msync(iov.iov_base, longs, MS_SYNC), ==, 0);
			lent++;
		}
	if (my_faults() - before < (long)lent * 16)
		g_test_message("this file system cleans no pages");
	else
		g_assert_cmpuint(lent, <, 80);
	/* It is tried again, however often it was written meanwhile. */
	for (n = 0; !lends_long(memory, d.handle, 0, &iov); n++)
		g_assert_cmpuint(n, <, 1100);
	suite_close(&d);
}

/* Wanted for the second time, within two seconds, and perhaps not in the same two: lent, or never. */
static bool lent(const struct gotgt_memory *m, void *dev, uint64_t offset, uint64_t length, struct iovec *iov)
{
	for (unsigned n = 0; n < 5; n++)
		if (m->lend(dev, offset, length, 0, iov, 1))
			return true;
	return false;
}

/* What file lends is what the page cache has, with what comes behind it, and of the size it has now. */
static void test_file_lends(void)
{
	struct module *m = load("file");
	const struct gotgt_memory *memory = m->ops.extension(GOTGT_EXT_MEMORY);
	const uint64_t hole = 2 << 20, piece = 256 << 10;
	static uint8_t data[4096], got[4096];
	int fd = memfd_create("got", MFD_CLOEXEC);
	g_autofree char *error = NULL;
	struct suite_dev d;
	struct iovec iov;

	make_image();
	g_assert_true(suite_open(&d, m, file_settings, &error));
	for (uint64_t at = 0; at < SIZE_BYTES; at += sizeof data) {
		memset(data, (int)(at / sizeof data % 251 + 1), sizeof data);
		if (at < hole || at >= hole + piece)
			g_assert_cmpint(suite_io(&d, GOTGT_OP_WRITE, 0, at, data, sizeof data), ==, GOTGT_OK);
	}
	if (!lent(memory, d.handle, 8192, 4096, &iov)) {
		g_test_skip("what was just written is not in the page cache");
		goto out;
	}
	g_assert_cmpuint(iov.iov_len, ==, 4096);
	g_assert_cmpint(pwritev(fd, &iov, 1, 0), ==, 4096);
	memset(data, 3, sizeof data);
	g_assert_cmpint(pread(fd, got, sizeof got, 0), ==, sizeof got);
	g_assert_cmpmem(got, sizeof got, data, sizeof data);
	/* It is the file itself. */
	memset(data, 0xee, sizeof data);
	g_assert_cmpint(suite_io(&d, GOTGT_OP_WRITE, 0, 8192, data, sizeof data), ==, GOTGT_OK);
	g_assert_cmpint(pwritev(fd, &iov, 1, 0), ==, 4096);
	g_assert_cmpint(pread(fd, got, sizeof got, 0), ==, sizeof got);
	g_assert_cmpmem(got, sizeof got, data, sizeof data);

	/* What is long is at the first wish. */
	g_assert_cmpuint(memory->lend(d.handle, 3 << 20, 1 << 20, 0, &iov, 1), ==, 1);
	g_assert_true(lent(memory, d.handle, 0, 1 << 20, &iov));
	g_assert_cmpuint(iov.iov_len, ==, 1 << 20);
	g_assert_true(lent(memory, d.handle, SIZE_BYTES - 4096, 4096, &iov));
	/* Not to be written to, no hole, nothing before one, nothing small, nothing beyond the end. */
	g_assert_cmpuint(memory->lend(d.handle, 8192, 4096, 1, &iov, 1), ==, 0);
	g_assert_false(lent(memory, d.handle, hole, 4096, &iov));
	g_assert_false(lent(memory, d.handle, hole - 4096, 8192, &iov));
	g_assert_false(lent(memory, d.handle, hole - piece, 4096, &iov));
	g_assert_false(lent(memory, d.handle, 0, 512, &iov));
	g_assert_false(lent(memory, d.handle, SIZE_BYTES, 4096, &iov));
	g_assert_cmpint(memory->check(d.handle), ==, GOTGT_OK);
	g_assert_cmpint(truncate(image, 1 << 20), ==, 0);
	g_assert_cmpint(memory->check(d.handle), ==, GOTGT_ERR_IO);
	g_assert_false(lent(memory, d.handle, (1 << 20) - 2048, 4096, &iov));
out:
	suite_close(&d);
	close(fd);
	make_image();
	g_assert_true(suite_open(&d, m, direct_settings, &error));
	g_assert_false(lent(memory, d.handle, 0, 4096, &iov));
	suite_close(&d);
}

/* A file that does not take writes says so. */
static void test_sealed(gconstpointer plugin)
{
	int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
	const char *const settings[] = { "path", path, NULL };
	g_autofree char *error = NULL;
	static uint8_t data[512];
	struct suite_dev d;

	g_assert_cmpint(ftruncate(fd, 1 << 20), ==, 0);
	g_assert_true(suite_open(&d, load(plugin), settings, &error));
	g_assert_cmpint(suite_io(&d, GOTGT_OP_WRITE, 0, 0, data, sizeof data), ==, GOTGT_OK);
	g_assert_cmpint(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), ==, 0);
	g_assert_cmpint(suite_io(&d, GOTGT_OP_WRITE, 0, 0, data, sizeof data), ==, GOTGT_ERR_READ_ONLY);
	g_assert_cmpint(suite_io(&d, GOTGT_OP_READ, 0, 0, data, sizeof data), ==, GOTGT_OK);
	suite_close(&d);
	close(fd);
}

/* Its manual has every setting. */
static void test_manual(gconstpointer plugin)
{
	g_autofree char *name = g_strdup_printf("gotgt-%s.7", (const char *)plugin);
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "..", "plugins", plugin, name, NULL);
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;

	g_file_get_contents(path, &text, NULL, &error);
	g_assert_no_error(error);
	for (const struct gotgt_param *q = load(plugin)->ops.params; q->name; q++) {
		g_autofree char *word = g_strdup_printf("Cm %s", q->name);

		g_test_message("%s", q->name);
		g_assert_nonnull(strstr(text, word));
	}
}

int main(int argc, char **argv)
{
	static struct one all[G_N_ELEMENTS(runs)][32];
	static const char *const on_files[] = { "file", "mmap" };
	static const struct { const char *name; void (*test)(gconstpointer plugin); } tests[] = {
		{ "create", test_create }, { "refused", test_refused }, { "lock", test_lock }, { "truncated", test_truncated },
		{ "manual", test_manual },
	};
	int rc;

	g_test_init(&argc, &argv, NULL);
	/* Not in TMPDIR, which may be of a kind that lacks O_DIRECT. */
	folder = g_strdup_printf("%s/image-XXXXXX", g_test_get_dir(G_TEST_BUILT));
	g_assert_nonnull(g_mkdtemp(folder));
	image = g_build_filename(folder, "disk", NULL);
	file_settings[1] = direct_settings[1] = image;
	for (size_t r = 0; r < G_N_ELEMENTS(runs); r++)
		for (unsigned n = 0; suite_case(n); n++) {
			g_autofree char *name = g_strdup_printf("/plugin/%s/%s", runs[r].name, suite_case(n));

			all[r][n] = (struct one){ &runs[r], n };
			g_test_add_data_func(name, &all[r][n], test_case);
		}
	for (size_t p = 0; p < G_N_ELEMENTS(on_files); p++)
		for (size_t n = 0; n < G_N_ELEMENTS(tests); n++) {
			g_autofree char *name = g_strdup_printf("/plugin/%s/%s", on_files[p], tests[n].name);

			g_test_add_data_func(name, on_files[p], tests[n].test);
		}
	g_test_add_data_func("/plugin/null/manual", "null", test_manual);
	g_test_add_data_func("/plugin/file/sealed", "file", test_sealed);
	g_test_add_func("/plugin/mmap/shrunk", test_mmap_shrunk);
	g_test_add_func("/plugin/file/lends", test_file_lends);
	g_test_add_func("/plugin/mmap/lends", test_mmap_lends);
	rc = g_test_run();
	g_unlink(image);
	g_rmdir(folder);
	g_free(image);
	g_free(folder);
	return rc;
}
