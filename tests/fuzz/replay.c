/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - a fuzzer without libFuzzer: the files of its corpus, or those that are named, once each; speaks TAP. */
#include "config.h"
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <glib.h>
#include "fuzz.h"

#define SECONDS_EACH 60

static char where[512];		/* the input at work, for whom it kills */

static void tell(int sig)
{
	ssize_t n = write(STDERR_FILENO, where, strlen(where));

	(void)n;
	signal(sig, SIG_DFL);
	raise(sig);
}

static void replay(const char *path)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *bytes = NULL;
	g_autofree uint8_t *exact = NULL;
	gsize len;

	if (!g_file_get_contents(path, &bytes, &len, &error)) {
		printf("Bail out! %s\n", error->message);
		exit(1);
	}
	exact = g_malloc(len ? len : 1);	/* without the NUL behind it, so that reading over the end is seen */
	memcpy(exact, bytes, len);
	g_snprintf(where, sizeof where, "# with the input %s\n", path);
	alarm(SECONDS_EACH);
	LLVMFuzzerTestOneInput(exact, len);
	alarm(0);
}

static unsigned replay_folder(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;
	unsigned n = 0;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *file = g_build_filename(path, name, NULL);

		replay(file);
		n++;
	}
	if (dir)
		g_dir_close(dir);
	return n;
}

int main(int argc, char **argv)
{
	g_autofree char *base = g_path_get_basename(argv[0]);
	const char *name = strstr(base, "fuzz-");
	g_autofree char *folder = g_build_filename(g_getenv("G_TEST_SRCDIR") ? g_getenv("G_TEST_SRCDIR") : ".", "fuzz", "corpus",
						   name ? name + strlen("fuzz-") : base, NULL);
	unsigned n = 0;

	signal(SIGABRT, tell);
	signal(SIGSEGV, tell);
	signal(SIGALRM, tell);
	LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++, n++)
		replay(argv[i]);
	if (argc < 2)
		n = replay_folder(folder);
	printf("1..1\n%sok 1 - %s: %u inputs\n", n ? "" : "not ", base, n);
	return n ? 0 : 1;
}
