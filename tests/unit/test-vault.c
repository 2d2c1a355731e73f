/* SPDX-License-Identifier: Apache-2.0 */
/* Places for secrets: what is in them, what is left of it, and that core dumps leave them out. */
#include "config.h"
#include <stdbool.h>
#include <string.h>
#include <glib.h>
#include "engine/vault.h"

enum { THREADS = 4, ROUNDS = 20000 };

static const size_t lens[] = { 0, 1, 22, 23, 24, 25, 255, 256, 257, 1014, 1015, 1016, 1017, 5000, 100000 };

/* Is text in an area whose VmFlags in /proc/self/smaps have dd? */
static bool left_out(const char *text)
{
	g_autofree char *maps = NULL;
	g_auto(GStrv) lines = NULL;
	bool within = false;

	if (!g_file_get_contents("/proc/self/smaps", &maps, NULL, NULL))
		return false;
	lines = g_strsplit(maps, "\n", -1);
	for (char **line = lines; *line; line++) {
		char *end;
		guint64 from = g_ascii_strtoull(*line, &end, 16), to = *end == '-' ? g_ascii_strtoull(end + 1, NULL, 16) : 0;

		if (to)
			within = (guintptr)text >= from && (guintptr)text < to;
		else if (within && g_str_has_prefix(*line, "VmFlags:"))
			return strstr(*line, " dd") != NULL;
	}
	return false;
}

static void test_lens(void)
{
	char *all[G_N_ELEMENTS(lens)];

	for (size_t i = 0; i < G_N_ELEMENTS(lens); i++) {
		g_autofree char *text = g_strnfill(lens[i], (char)('a' + i));

		all[i] = vault_strdup(text);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(lens); i++) {
		g_autofree char *text = g_strnfill(lens[i], (char)('a' + i));

		g_assert_cmpstr(all[i], ==, text);
		g_assert_true(left_out(all[i]));
		vault_free(all[i]);
	}
	g_assert_null(vault_strdup(NULL));
	vault_free(NULL);
}

/* The next one of that size has the same place; its first bytes are a link while it is free. */
static void test_wiped(void)
{
	char *text = vault_strndup("a secret of some length and more", 24), *again;

	g_assert_cmpstr(text, ==, "a secret of some length ");
	vault_free(text);
	for (size_t i = sizeof(void *); i < 24; i++)
		g_assert_cmpint(((volatile char *)text)[i], ==, 0);
	again = vault_strdup("another of such a length");
	g_assert_true(again == text);
	vault_free(again);
}

static gpointer come_and_go(gpointer data)
{
	char *kept[8] = { NULL };

	for (unsigned i = 0; i < ROUNDS; i++) {
		char **k = &kept[i % G_N_ELEMENTS(kept)];

		g_assert_true(!*k || !strcmp(*k, data));
		vault_free(*k);
		*k = vault_strdup(data);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(kept); i++)
		vault_free(kept[i]);
	return NULL;
}

static void test_threads(void)
{
	static char texts[THREADS][16] = { "the first", "the second", "the third", "the fourth" };
	GThread *threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		threads[i] = g_thread_new(NULL, come_and_go, texts[i]);
	for (int i = 0; i < THREADS; i++)
		g_thread_join(threads[i]);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/vault/lengths", test_lens);
	g_test_add_func("/vault/wiped", test_wiped);
	g_test_add_func("/vault/threads", test_threads);
	return g_test_run();
}
