/* SPDX-License-Identifier: Apache-2.0 */
/* The layout that released plugins were built against.  Lines are added, never changed. */
#include "config.h"
#include <glib.h>
#include <gotgt/ext-compare.h>
#include <gotgt/ext-copy.h>
#include <gotgt/ext-extents.h>
#include <gotgt/ext-memory.h>
#include <gotgt/ext-size.h>
#include <gotgt/ext-threads.h>

#define F(s, f, off) { #s "." #f, offsetof(struct s, f), off }
static const struct { const char *what; size_t is, must; } layout[] = {
#if GLIB_SIZEOF_VOID_P == 8
	F(gotgt_plugin, abi, 0), F(gotgt_plugin, size, 4), F(gotgt_plugin, name, 8), F(gotgt_plugin, flags, 32),
	F(gotgt_plugin, io_priv_size, 36), F(gotgt_plugin, conf_size, 40), F(gotgt_plugin, params, 48),
	F(gotgt_plugin, open, 56), F(gotgt_plugin, close, 64), F(gotgt_plugin, submit, 72),
	F(gotgt_plugin, cancel, 80), F(gotgt_plugin, extension, 88),
	F(gotgt_plugin, version, 16), F(gotgt_plugin, description, 24),
	F(gotgt_host, abi, 0), F(gotgt_host, size, 4), F(gotgt_host, io_done, 8), F(gotgt_host, log, 16), F(gotgt_host, resized, 24), F(gotgt_host, extension, 32),
	F(gotgt_io, offset, 8), F(gotgt_io, length, 16), F(gotgt_io, iov, 24), F(gotgt_io, iovcnt, 32), F(gotgt_io, priv, 40),
	F(gotgt_dev_info, block_size, 8), F(gotgt_dev_info, flags, 32), F(gotgt_dev_info, ops, 36), F(gotgt_dev_info, native_fua, 40),
	F(gotgt_io, reserved0, 36), F(gotgt_dev_info, reserved0, 44),
	F(gotgt_io, op, 0), F(gotgt_io, flags, 4), F(gotgt_io, reserved, 48),
	F(gotgt_dev_info, size, 0), F(gotgt_dev_info, physical_block_size, 12), F(gotgt_dev_info, optimal_io_size, 16),
	F(gotgt_dev_info, unmap_granularity, 20), F(gotgt_dev_info, max_io_size, 24), F(gotgt_dev_info, mem_align, 28),
	F(gotgt_dev_info, reserved, 48),
	F(gotgt_param, name, 0), F(gotgt_param, type, 8), F(gotgt_param, flags, 12), F(gotgt_param, offset, 16),
	F(gotgt_param, fallback, 24), F(gotgt_param, help, 32),
	F(gotgt_memory, size, 0), F(gotgt_memory, lend, 8), F(gotgt_memory, reclaim, 16), F(gotgt_memory, check, 24),
	F(gotgt_extents, size, 0), F(gotgt_extents, query, 8),
	F(gotgt_copy, size, 0), F(gotgt_copy, copy, 8), F(gotgt_size, size, 0), F(gotgt_size, look, 8),
	F(gotgt_compare, size, 0), F(gotgt_compare, compare_and_write, 8),
	F(gotgt_extent, length, 0), F(gotgt_extent, state, 8),
	{ "sizeof gotgt_extent", sizeof(struct gotgt_extent), 16 },
	{ "sizeof gotgt_io", sizeof(struct gotgt_io), 72 },
	{ "sizeof gotgt_dev_info", sizeof(struct gotgt_dev_info), 80 },
	{ "sizeof gotgt_param", sizeof(struct gotgt_param), 40 },
#endif
	{ NULL, 0, 0 },
};

static void test_layout(void)
{
	for (size_t i = 0; layout[i].what; i++) {
		g_test_message("%s", layout[i].what);
		g_assert_cmpuint(layout[i].is, ==, layout[i].must);
	}
}

/* Numbers in binaries that are out there. */
static void test_numbers(void)
{
	g_assert_cmpint(GOTGT_OP_READ, ==, 0);
	g_assert_cmpint(GOTGT_OP_WRITE, ==, 1);
	g_assert_cmpint(GOTGT_OP_FLUSH, ==, 2);
	g_assert_cmpint(GOTGT_OP_UNMAP, ==, 3);
	g_assert_cmpint(GOTGT_ERR_IO, ==, 1);
	g_assert_cmpint(GOTGT_ERR_CANCELED, ==, 7);
	g_assert_cmpint(GOTGT_ERR_AGAIN, ==, 8);
	g_assert_cmpint(GOTGT_LOG_DEBUG, ==, 3);
	g_assert_cmpint(GOTGT_PARAM_STRING, ==, 0);
	g_assert_cmpint(GOTGT_DEV_READ_ONLY, ==, 1);
	g_assert_cmpint(GOTGT_PLUGIN_BLOCKING, ==, 1);
	g_assert_cmpint(GOTGT_IO_FUA, ==, 1);
	g_assert_cmpint(GOTGT_ABI, ==, 1);
	g_assert_cmpint(GOTGT_OP_ZERO, ==, 4);
	g_assert_cmpint(GOTGT_ERR_NO_MEMORY, ==, 9);
	g_assert_cmpint(GOTGT_PARAM_SIZE, ==, 3);
	g_assert_cmpint(GOTGT_PARAM_SECRET, ==, 4);
	g_assert_cmpint(GOTGT_DEV_THIN, ==, 8);
	g_assert_cmpint(GOTGT_DEV_LATER, ==, 16);
	g_assert_cmpint(GOTGT_DEV_ONE_WRITER, ==, 32);
	g_assert_cmpint(GOTGT_PLUGIN_NOWAIT, ==, 4);
	g_assert_cmpint(GOTGT_IO_MAY_UNMAP, ==, 4);
	g_assert_cmpint(GOTGT_EXTENT_ZERO, ==, 2);
	g_assert_cmpstr(GOTGT_EXT_MEMORY, ==, "gotgt.memory/1");
	g_assert_cmpstr(GOTGT_EXT_EXTENTS, ==, "gotgt.extents/1");
	g_assert_cmpstr(GOTGT_EXT_THREADS, ==, "gotgt.threads/1");
	g_assert_cmpstr(GOTGT_EXT_COPY, ==, "gotgt.copy/1");
	g_assert_cmpstr(GOTGT_EXT_COMPARE, ==, "gotgt.compare/1");
	g_assert_cmpstr(GOTGT_EXT_SIZE, ==, "gotgt.size/1");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/abi/v1/layout", test_layout);
	g_test_add_func("/abi/v1/numbers", test_numbers);
	return g_test_run();
}
