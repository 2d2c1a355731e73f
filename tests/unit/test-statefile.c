/* SPDX-License-Identifier: Apache-2.0 */
/* test-statefile.c - state files come back as they were written, or not at all. */
#include "config.h"
#include <errno.h>
#include <stdbool.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include "engine/statefile.h"

struct place { char *top, *dir, *path; };

static void set_up(struct place *p, gconstpointer unused)
{
	p->top = g_dir_make_tmp("gotgt-state-XXXXXX", NULL);
	g_assert_nonnull(p->top);
	p->dir = g_build_filename(p->top, "a", "b", NULL);
	p->path = g_build_filename(p->dir, "one", NULL);
}

static void tear_down(struct place *p, gconstpointer unused)
{
	g_autofree char *bad = g_strconcat(p->path, ".bad", NULL), *a = g_path_get_dirname(p->dir);

	g_unlink(p->path);
	g_unlink(bad);
	g_rmdir(p->dir);
	g_rmdir(a);
	g_assert_cmpint(g_rmdir(p->top), ==, 0);	/* and no temporary file was left behind */
	g_free(p->top);
	g_free(p->dir);
	g_free(p->path);
}

static void assert_holds(struct place *p, const char *what)
{
	uint8_t *data;
	size_t len;

	g_assert_cmpint(statefile_load(p->dir, "one", &data, &len), ==, 0);
	g_assert_cmpmem(data, len, what, strlen(what));
	g_free(data);
}

static void round_trip(struct place *p, gconstpointer unused)
{
	uint8_t *data;
	size_t len;

	g_assert_cmpint(statefile_load(p->dir, "one", &data, &len), ==, -ENOENT);
	g_assert_cmpint(statefile_remove(p->dir, "one"), ==, 0);
	g_assert_cmpint(statefile_save(p->dir, "one", "first", 5), ==, 0);
	assert_holds(p, "first");
	g_assert_cmpint(statefile_save(p->dir, "one", "", 0), ==, 0);
	assert_holds(p, "");
	g_assert_cmpint(statefile_save(p->dir, "one", "the second", 10), ==, 0);
	assert_holds(p, "the second");
	g_assert_cmpint(statefile_remove(p->dir, "one"), ==, 0);
	g_assert_cmpint(statefile_load(p->dir, "one", &data, &len), ==, -ENOENT);
}

/* Each byte changed, each length cut: never taken for what was written. */
static void damage(struct place *p, gconstpointer unused)
{
	g_autofree char *whole = NULL;
	uint8_t *data;
	gsize len;
	size_t n;

	g_assert_cmpint(statefile_save(p->dir, "one", "registration", 12), ==, 0);
	g_assert_true(g_file_get_contents(p->path, &whole, &len, NULL));
	for (gsize i = 0; i < len; i++) {
		whole[i] ^= 0x10;
		g_assert_true(g_file_set_contents(p->path, whole, (gssize)len, NULL));
		g_assert_cmpint(statefile_load(p->dir, "one", &data, &n), ==, -EBADMSG);
		whole[i] ^= 0x10;
		g_assert_true(g_file_set_contents(p->path, whole, (gssize)i, NULL));
		g_assert_cmpint(statefile_load(p->dir, "one", &data, &n), ==, -EBADMSG);
	}
	g_assert_cmpint(statefile_set_aside(p->dir, "one"), ==, 0);
	g_assert_cmpint(statefile_load(p->dir, "one", &data, &n), ==, -ENOENT);
}

/* What cannot be written leaves the old one. */
static void failure(struct place *p, gconstpointer unused)
{
	g_autofree char *in_the_way = g_build_filename(p->dir, ".one.new", NULL);

	g_assert_cmpint(statefile_save(p->dir, "one", "old", 3), ==, 0);
	g_assert_cmpint(g_mkdir(in_the_way, 0700), ==, 0);
	g_assert_cmpint(statefile_save(p->dir, "one", "new", 3), ==, -EISDIR);
	assert_holds(p, "old");
	g_assert_cmpint(g_rmdir(in_the_way), ==, 0);
	g_assert_cmpint(statefile_save("/proc/nowhere", "one", "new", 3), <, 0);
}

/* ---- what is made durable, in which order ---- */

static GString *synced;
static bool no_folder;		/* can be synced */

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	g_autofree char *self = g_strdup_printf("/proc/self/fd/%d", fd), *path = g_file_read_link(self, NULL);
	g_autofree char *name = path ? g_path_get_basename(path) : NULL;

	if (synced)
		g_string_append_printf(synced, "%s ", name ? name : "?");
	if (no_folder && path && g_file_test(path, G_FILE_TEST_IS_DIR)) {
		errno = EIO;
		return -1;
	}
	return __real_fsync(fd);
}

/* What was refused since the folder cannot be synced is not found after a restart, be it new, other or gone. */
static void unsynced(struct place *p, gconstpointer unused)
{
	uint8_t *data;
	size_t len;

	g_assert_cmpint(statefile_save(p->dir, "one", "a", 1), ==, 0);
	g_assert_cmpint(statefile_remove(p->dir, "one"), ==, 0);
	no_folder = true;
	g_assert_cmpint(statefile_save(p->dir, "one", "new", 3), ==, -EIO);
	g_assert_cmpint(statefile_load(p->dir, "one", &data, &len), ==, -ENOENT);
	no_folder = false;
	g_assert_cmpint(statefile_save(p->dir, "one", "old", 3), ==, 0);
	no_folder = true;
	g_assert_cmpint(statefile_save(p->dir, "one", "new", 3), ==, -EIO);
	assert_holds(p, "old");
	g_assert_cmpint(statefile_remove(p->dir, "one"), ==, -EIO);
	assert_holds(p, "old");
	no_folder = false;
	g_assert_cmpint(statefile_save(p->dir, "one", "new", 3), ==, 0);
	assert_holds(p, "new");
}

static void durable(struct place *p, gconstpointer unused)
{
	g_autofree char *top = g_path_get_basename(p->top), *first = g_strdup_printf("%s a .one.new b ", top);

	synced = g_string_new(NULL);
	/* Each folder that was made is in one that knows it. */
	g_assert_cmpint(statefile_save(p->dir, "one", "first", 5), ==, 0);
	g_assert_cmpstr(synced->str, ==, first);
	g_string_truncate(synced, 0);
	g_assert_cmpint(statefile_save(p->dir, "one", "second", 6), ==, 0);
	g_assert_cmpstr(synced->str, ==, ".one.new b ");
	g_string_truncate(synced, 0);
	g_assert_cmpint(statefile_remove(p->dir, "one"), ==, 0);
	g_assert_cmpstr(synced->str, ==, "b ");
	g_string_free(synced, TRUE);
	synced = NULL;
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/statefile/round-trip", struct place, NULL, set_up, round_trip, tear_down);
	g_test_add("/statefile/damage", struct place, NULL, set_up, damage, tear_down);
	g_test_add("/statefile/failure", struct place, NULL, set_up, failure, tear_down);
	g_test_add("/statefile/unsynced", struct place, NULL, set_up, unsynced, tear_down);
	g_test_add("/statefile/durable", struct place, NULL, set_up, durable, tear_down);
	return g_test_run();
}
