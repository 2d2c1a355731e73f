/* SPDX-License-Identifier: Apache-2.0 */
/* reach.c - see reach.h.  Of the process, as the confinement is. */
#include "config.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "engine/reach.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static GPtrArray *confined;	/* NULL: to nothing */

static GPtrArray *others;	/* of reach_also() */

void reach_also(const char *path)
{
	if (!others)
		others = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(others, g_strdup(path));
}

const GPtrArray *reach_others(void)
{
	return others;
}

void reach_confine(GPtrArray *paths)
{
	pthread_mutex_lock(&lock);
	g_clear_pointer(&confined, g_ptr_array_unref);
	confined = paths;
	pthread_mutex_unlock(&lock);
}

char *reach_real(const char *path)
{
	g_autofree char *dir = g_path_get_dirname(path), *name = g_path_get_basename(path);
	char *real = realpath(path, NULL), *whole;

	if (!real && (real = realpath(dir, NULL))) {
		whole = g_build_filename(real, name, NULL);
		free(real);
		return whole;
	}
	whole = g_strdup(real);
	free(real);
	return whole;
}

static bool beneath(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return !strncmp(path, folder, len) && (!path[len] || path[len] == '/' || folder[len - 1] == '/');
}

bool reach_has(const char *path)
{
	g_autofree char *real = reach_real(path);
	bool has;

	pthread_mutex_lock(&lock);
	has = !confined;
	for (unsigned i = 0; confined && i < confined->len && !has; i++)
		has = beneath(real ? real : path, confined->pdata[i]);
	pthread_mutex_unlock(&lock);
	return has;
}
