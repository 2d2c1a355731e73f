/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault.c - see vault.h.  Areas are mapped and never given back, as who has secrets will have them again; places in them
 * are of a few sizes, each with a list of free ones.  What is larger than any has a mapping of its own.
 *
 * Not MADV_WIPEONFORK: a program that embeds us may become a daemon by fork(), and needs its secrets then.
 */
#include "config.h"
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <glib.h>
#include "engine/vault.h"

enum { AREA = 64 * 1024, PLACE_MIN = 32, SIZES = 6 };	/* 32 to 1024 bytes */

/* In front of what a place holds. */
struct place {
	size_t size;			/* all of it, in bytes */
	union {
		struct place *next;	/* while it is free */
		char bytes[sizeof(struct place *)];
	};
};

static struct {
	pthread_mutex_t lock;
	struct place *unused[SIZES];
	char *at, *end;			/* what is left of the last area */
} vault = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *map(size_t size)
{
	/* NOLINTNEXTLINE(invalidFunctionArg): mmap(2) wants -1 with MAP_ANONYMOUS */
	void *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		g_error("no memory for a secret, %zu bytes", size);
	/* Kernels know the first since 3.4; how much may be locked is limited for users, and swap may be encrypted. */
	(void)madvise(area, size, MADV_DONTDUMP);
	(void)mlock(area, size);
	return area;
}

/* Which of the sizes holds so many bytes; SIZES: none. */
static unsigned size_for(size_t size)
{
	unsigned i = 0;

	while (i < SIZES && (size_t)PLACE_MIN << i < size)
		i++;
	return i;
}

static struct place *take(unsigned i)
{
	size_t size = (size_t)PLACE_MIN << i;
	struct place *p = vault.unused[i];

	if (p) {
		vault.unused[i] = p->next;
		return p;
	}
	if ((size_t)(vault.end - vault.at) < size) {
		vault.at = map(AREA);
		vault.end = vault.at + AREA;
	}
	p = (struct place *)(void *)vault.at;
	vault.at += size;
	p->size = size;
	return p;
}

char *vault_strndup(const char *bytes, size_t len)
{
	size_t size = offsetof(struct place, bytes) + len + 1;
	unsigned i = size_for(size);
	struct place *p;
	char *text;

	if (i < SIZES) {
		pthread_mutex_lock(&vault.lock);
		p = take(i);
		pthread_mutex_unlock(&vault.lock);
	} else {
		p = map(size);
		p->size = size;
	}
	text = (char *)p + offsetof(struct place, bytes);
	memcpy(text, bytes, len);
	text[len] = '\0';
	return text;
}

char *vault_strdup(const char *text)
{
	return text ? vault_strndup(text, strlen(text)) : NULL;
}

void vault_free(char *text)
{
	struct place *p = text ? (struct place *)(void *)(text - offsetof(struct place, bytes)) : NULL;
	unsigned i = p ? size_for(p->size) : 0;

	if (!p)
		return;
	explicit_bzero(text, p->size - offsetof(struct place, bytes));
	if (i == SIZES) {
		munmap(p, p->size);
		return;
	}
	pthread_mutex_lock(&vault.lock);
	p->next = vault.unused[i];
	vault.unused[i] = p;
	pthread_mutex_unlock(&vault.lock);
}
