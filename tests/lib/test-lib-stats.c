/* SPDX-License-Identifier: Apache-2.0 */
/* What a program is told of what its server has counted. */
#include "config.h"
#include <errno.h>
#include "stores.h"

static void test_stats(void)
{
	struct { struct gotgt_stats stats; uint64_t later; } longer = { .stats.size = sizeof longer, .later = 5 };
	struct { struct gotgt_stats_kind kind; uint64_t later; } longer_kind = { .kind.size = sizeof longer_kind, .later = 5 };
	struct gotgt_stats_kind read = { .size = sizeof read }, write = read, all_read = read, all_write = read,
				short_kind = { .size = offsetof(struct gotgt_stats_kind, bytes), .bytes = 7 },
				unsized_kind = { .size = 0 };
	struct gotgt_stats all = { .size = sizeof all, .read = &all_read, .write = &all_write },
			   lun = { .size = sizeof lun, .read = &read, .write = &write },
			   small = { .size = offsetof(struct gotgt_stats, read), .read = &unsized_kind },
			   partly = { .size = sizeof partly, .read = &short_kind, .write = &longer_kind.kind },
			   wrong = { .size = sizeof wrong, .other = &unsized_kind }, unsized = { .size = 0 };
	struct memory *m = memory_new();
	struct gotgt_server *s = disk_start(m, 0);
	struct ini *i = disk_login(1);
	uint32_t itt;

	disk_write_and_read(i, 0, 1, 0x11);
	disk_write_and_read(i, 8, 16, 0x22);
	itt = ini_read(i, SIZE / BLOCK, 1, BLOCK);
	EXPECT_SENSE(i, itt, 5, 0x21);
	ini_free(i);
	do {	/* what was answered is counted a moment later */
		OK(gotgt_lun_stats(s, DISK, 0, &lun));
	} while (read.commands < 3 || lun.errors < 2);	/* a unit attention, and that */
	g_assert_cmpuint(lun.size, ==, sizeof lun);
	g_assert_cmpuint(read.bytes, ==, 17 * BLOCK);
	g_assert_cmpuint(write.commands, ==, 2);
	g_assert_cmpuint(write.bytes, ==, 17 * BLOCK);
	g_assert_cmpuint(lun.errors, ==, 2);
	g_assert_cmpuint(lun.queue_depth_max, >=, 1);
	g_assert_cmpuint(read.max_ns, >, 0);
	g_assert_cmpuint(read.p50_ns, <=, read.p99_ns);
	g_assert_cmpuint(read.p99_ns, <=, read.max_ns);
	g_assert_cmpuint(read.max_ns, <=, read.total_ns);
	do
		OK(gotgt_server_stats(s, &all));
	while (all_read.commands < 3);
	g_assert_cmpuint(all_write.bytes, ==, 17 * BLOCK);
	/* Of an earlier version, and of a later one. */
	OK(gotgt_lun_stats(s, DISK, 0, &small));
	g_assert_cmpuint(small.size, ==, offsetof(struct gotgt_stats, read));
	g_assert_cmpuint(small.errors, ==, lun.errors);
	g_assert_cmpuint(unsized_kind.commands, ==, 0);
	OK(gotgt_lun_stats(s, DISK, 0, &longer.stats));
	g_assert_cmpuint(longer.stats.size, ==, sizeof longer.stats);
	g_assert_cmpuint(longer.later, ==, 5);
	OK(gotgt_lun_stats(s, DISK, 0, &partly));
	g_assert_true(partly.read == &short_kind && partly.write == &longer_kind.kind && !partly.other);
	g_assert_cmpuint(short_kind.size, ==, offsetof(struct gotgt_stats_kind, bytes));
	g_assert_cmpuint(short_kind.commands, ==, read.commands);
	g_assert_cmpuint(short_kind.bytes, ==, 7);
	g_assert_cmpuint(longer_kind.kind.size, ==, sizeof longer_kind.kind);
	g_assert_cmpuint(longer_kind.kind.bytes, ==, 17 * BLOCK);
	g_assert_cmpuint(longer_kind.later, ==, 5);
	FAILS(gotgt_server_stats(s, &wrong), EINVAL, "gotgt_stats_kind");
	FAILS(gotgt_server_stats(s, &unsized), EINVAL, "size");
	FAILS(gotgt_server_stats(s, NULL), EINVAL, "size");
	FAILS(gotgt_lun_stats(s, DISK, 1, &lun), ENOENT, "no lun 1");
	FAILS(gotgt_lun_stats(s, HOST, 0, &lun), ENOENT, HOST);
	FAILS(gotgt_lun_stats(s, NULL, 0, &lun), ENOENT, "none");
	OK(gotgt_server_stop(s, 0));
	FAILS(gotgt_lun_stats(s, DISK, 0, &lun), EBUSY, "does not run");
	gotgt_server_free(s);
	g_free(m);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/lib/stats", test_stats);
	return g_test_run();
}
