/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resident.h - a mapping of a file, for reading only, and which of it is in the page cache.  It is never touched here:
 * what is not there (any more) would be a SIGBUS.
 */
#ifndef PLUGIN_RESIDENT_H
#define PLUGIN_RESIDENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct resident {
	uint8_t *bytes;			/* NULL: not mapped, nothing is lent */
	size_t len_bytes;
	uint64_t slots;			/* a power of two, less one */
	_Atomic uint64_t *known;	/* see resident.c */
};

/* Map the file; without, as where there is no memory for it, resident_has() says no. */
void resident_open(struct resident *r, int fd, size_t len_bytes);
void resident_close(struct resident *r);
/* [offset, offset + length) was all in the page cache a moment ago.  Never blocks.  [any] */
bool resident_has(const struct resident *r, uint64_t offset, uint64_t length);

#endif
