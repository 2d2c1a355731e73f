/* SPDX-License-Identifier: MIT */
/*
 * gotgt/ext-compare.h - "gotgt.compare/1": a write that happens only if the bytes
 * there are as expected, as COMPARE AND WRITE asks for.
 *
 * For storage that others write to as well.  Among the commands of one core it is
 * atomic in any case: the core reads, compares and writes where a plugin has no
 * such thing, or says that it cannot.  Not used with GOTGT_PLUGIN_SERIAL.
 * Since gotgt 0.1; the words of plugin.h on threads and ownership hold.
 */
#ifndef GOTGT_EXT_COMPARE_H
#define GOTGT_EXT_COMPARE_H

#include <gotgt/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GOTGT_EXT_COMPARE "gotgt.compare/1"

struct gotgt_compare {
	uint32_t size;		/* bytes: sizeof(struct gotgt_compare) */
	uint32_t reserved0;	/* 0 */
	/*
	 * Are the length bytes at offset those at expected?  If so, write those
	 * at data there, before anything else is written to them.  With GOTGT_OK
	 * *same says how many bytes from the start are as expected: all of them,
	 * and it is written; or fewer, and nothing is.  GOTGT_ERR_UNSUPPORTED:
	 * not this time, and nothing is written.  offset and length are multiples
	 * of block_size, no larger than max_io_size, and memory lies anywhere.
	 * The write need not be stable: FLUSH follows.  May block.  [io], on a worker.
	 */
	enum gotgt_status (*compare_and_write)(void *dev, uint64_t offset, uint64_t length,
					       const void *expected, const void *data, uint64_t *same);
};

#ifdef __cplusplus
}
#endif

#endif
