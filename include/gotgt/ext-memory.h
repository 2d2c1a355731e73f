/* SPDX-License-Identifier: MIT */
/*
 * gotgt/ext-memory.h - "gotgt.memory/1": a device whose bytes are in memory.
 *
 * The core sends from, and receives into, the device's own memory with system
 * calls and never touches it itself, unless it is GOTGT_MEMORY_CONSTANT, so
 * memory that turns out not to be there (a mapped file that shrank, a full disk
 * under a hole) costs an EFAULT, not a SIGBUS.  READ and WRITE of submit() must
 * work as well: the core uses them whenever the bytes have to pass through its
 * hands.  Not used with GOTGT_PLUGIN_SERIAL.  Since gotgt 0.1; the words of
 * plugin.h on threads hold.
 */
#ifndef GOTGT_EXT_MEMORY_H
#define GOTGT_EXT_MEMORY_H

#include <gotgt/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GOTGT_EXT_MEMORY "gotgt.memory/1"

/*
 * What is lent cannot go away before reclaim(), as a mapping of a file can: the status of a READ
 * goes out with the last of its data, in one PDU less.  A system call that cannot read it all
 * the same costs the initiator its connection.
 */
#define GOTGT_MEMORY_STAYS UINT32_C(1)
/*
 * What is lent for reading has the same bytes until reclaim(), whoever writes to the device
 * meanwhile: a data digest of it is right when it is sent, so initiators with digests need no copy.
 * With GOTGT_MEMORY_STAYS only, as the core itself reads it for that.  Cores before that was
 * defined ignore it.
 */
#define GOTGT_MEMORY_CONSTANT UINT32_C(2)

struct gotgt_memory {
	uint32_t size;		/* bytes: sizeof(struct gotgt_memory) */
	uint32_t flags;		/* GOTGT_MEMORY_*; others are 0, and ignored */
	/*
	 * Lend [offset, offset + length), bytes, for reading by the core (write 0) or
	 * for writing (write 1).  Fills up to iovmax elements and returns how
	 * many, in all length bytes; 0: not lent this time, use submit().
	 * The memory stays the plugin's and where it is until reclaim(); several
	 * may have borrowed it at once.  Never blocks.  [io]
	 * Without GOTGT_MEMORY_STAYS what was lent for reading may be reclaimed
	 * unused, and submit() asked: the core tries which of them costs less.
	 */
	uint32_t (*lend)(void *dev, uint64_t offset, uint64_t length, int write,
			 struct iovec *iov, uint32_t iovmax);
	/* What lend() gave is no longer used; NULL: nothing to do.  [io], the same thread. */
	void (*reclaim)(void *dev, const struct iovec *iov, uint32_t iovcnt);
	/*
	 * Is all of the memory still there?  Asked once per batch of requests,
	 * so it may cost a system call; NULL: always.  Anything but GOTGT_OK
	 * ends the commands of the batch with that error.  [io]
	 */
	enum gotgt_status (*check)(void *dev);
};

#ifdef __cplusplus
}
#endif

#endif
