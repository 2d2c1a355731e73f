/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-conf.c - a configuration file. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "config/conf.h"
#include "fuzz.h"

/* libconfig 1.5 forgets the string it was in the middle of when it finds an error. */
const char *__lsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig_yylex\nleak:libconfig_yyparse\nleak:strbuf_append\nleak:libconfig.so\n";
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GPtrArray) errors = conf_errors_new();
	char path[32];
	struct conf *c;
	int fd;

	if (memmem(data, size, "@include", 8))	/* any file of this machine */
		return 0;
	fd = memfd_create("conf", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	c = conf_read(path, errors);
	if (!c == !errors->len)		/* an error, or a configuration */
		abort();
	conf_free(c);
	close(fd);
	return 0;
}
