/* SPDX-License-Identifier: MIT */
/*
 * gotgt/ext-copy.h - "gotgt.copy/1": bytes copied from device to device without
 * passing through the core, as EXTENDED COPY asks for.
 *
 * Not used with GOTGT_PLUGIN_SERIAL.  The core copies by READ and WRITE where a
 * plugin has no such thing, or says that it cannot.  Since gotgt 0.1; the words of
 * plugin.h on threads hold.
 */
#ifndef GOTGT_EXT_COPY_H
#define GOTGT_EXT_COPY_H

#include <gotgt/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GOTGT_EXT_COPY "gotgt.copy/1"

struct gotgt_copy {
	uint32_t size;		/* bytes: sizeof(struct gotgt_copy) */
	uint32_t reserved0;	/* 0 */
	/*
	 * Copy length bytes of one device to another of the same plugin, which
	 * may be the same one; the ranges do not overlap then.  *copied says how
	 * many, from the start, are there: with GOTGT_OK they may be fewer than
	 * length, never none.  With anything else the core goes on after them by
	 * READ and WRITE, whose error is what counts.  May block.  [io], on a worker.
	 */
	enum gotgt_status (*copy)(void *from, uint64_t from_offset, void *to, uint64_t to_offset,
				  uint64_t length, uint64_t *copied);
};

#ifdef __cplusplus
}
#endif

#endif
