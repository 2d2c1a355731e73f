/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-import.c - a configuration of gotgt in Go: errors or a configuration, which our own text of it makes again. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <glib.h>
#include "config/import.h"
#include "config/save.h"
#include "fuzz.h"

/* libconfig 1.5 forgets the string it was in the middle of when it finds an error. */
const char *__lsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig_yylex\nleak:libconfig_yyparse\nleak:strbuf_append\nleak:libconfig.so\n";
}

static char *dirs[4];

/* The plugins of the build tree: make check says where that is, make fuzz is there. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const names[] = { "file", "mmap", "null" };
	const char *tests = g_getenv("G_TEST_BUILDDIR");
	g_autofree char *build = tests ? g_build_filename(tests, "..", NULL) : g_get_current_dir();

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		dirs[i] = g_build_filename(build, "plugins", names[i], ".libs", NULL);
	return 0;
}

static void check_text(const struct conf *c)
{
	g_autoptr(GPtrArray) errors = conf_errors_new();
	g_autofree char *text = conf_text(c, NULL);
	struct conf *back;
	char path[32];
	int fd;

	if (!text)
		abort();
	fd = memfd_create("conf", MFD_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	back = conf_read(path, errors);
	if (!back || !schema_equal(CONF_TOP, c, back))
		abort();
	conf_free(back);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct import_options o = { (const char *const *)dirs, size % 2 ? -1 : 3260 };
	g_autoptr(GPtrArray) errors = conf_errors_new(), warnings = conf_errors_new();
	struct conf *c = import_text("fuzz.json", (const char *)data, size, &o, errors, warnings);

	if (!c == !errors->len)
		abort();
	if (c)
		check_text(c);
	conf_free(c);
	return 0;
}
