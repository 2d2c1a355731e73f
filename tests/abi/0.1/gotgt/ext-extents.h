/* SPDX-License-Identifier: MIT */
/* gotgt/ext-extents.h - "gotgt.extents/1": which parts of a device take space. */
#ifndef GOTGT_EXT_EXTENTS_H
#define GOTGT_EXT_EXTENTS_H

#include <gotgt/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GOTGT_EXT_EXTENTS "gotgt.extents/1"

enum gotgt_extent_state {
	GOTGT_EXTENT_ALLOCATED = 0,
	GOTGT_EXTENT_HOLE = 1,		/* takes no space, reads as zeroes */
	GOTGT_EXTENT_ZERO = 2		/* takes space, reads as zeroes */
};

struct gotgt_extent {
	uint64_t length;	/* bytes */
	uint32_t state;		/* enum gotgt_extent_state */
	uint32_t reserved0;
};

struct gotgt_extents {
	uint32_t size;		/* sizeof(struct gotgt_extents) */
	uint32_t reserved0;
	/*
	 * Describe [offset, offset + length), in order and without gaps, in up
	 * to max extents; *count says how many.  They may cover less than
	 * length, never nothing.  May block.  [io], on a worker.
	 */
	enum gotgt_status (*query)(void *dev, uint64_t offset, uint64_t length,
				   struct gotgt_extent *extents, uint32_t max, uint32_t *count);
};

#ifdef __cplusplus
}
#endif

#endif
