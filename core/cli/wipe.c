/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wipe.c - free() and realloc() of the program, for all that is linked to it: what is given back is wiped first.
 *
 * A secret passes libraries that make copies of it and know nothing of secrets: libconfig reads a file, libsoup a body,
 * json-glib its strings.  Those copies live for a moment; here they do not outlive it.  The path of a command frees
 * nothing.  Not in libgotgt: a program's free() is its own.
 *
 * Only with glibc, which has its own functions by other names as well, and not with sanitizers, which have theirs.
 */
#include "config.h"
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(SANITIZED)

/* More than this has a mapping of its own (M_MMAP_THRESHOLD), which free() unmaps; it may never have been touched. */
#define WIPE_MAX ((size_t)32 << 20)
#define EXPORT __attribute__((visibility("default")))

/* NOLINTBEGIN(bugprone-reserved-identifier): glibc's names */
extern void __libc_free(void *old);
extern void *__libc_realloc(void *old, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

EXPORT void free(void *old)
{
	size_t have = old ? malloc_usable_size(old) : 0;

	if (have && have <= WIPE_MAX)
		explicit_bzero(old, have);
	__libc_free(old);
}

/* glibc's own gives back what it has moved from, unseen. */
EXPORT void *realloc(void *old, size_t size)
{
	size_t have = old ? malloc_usable_size(old) : 0;
	void *moved;

	if (!old || !size || have > WIPE_MAX)
		return __libc_realloc(old, size);
	if (size <= have && size >= have / 2)
		return old;
	moved = malloc(size);
	if (!moved)
		return NULL;
	memcpy(moved, old, have < size ? have : size);
	free(old);
	return moved;
}
#endif
