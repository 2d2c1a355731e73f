/* SPDX-License-Identifier: Apache-2.0 */
/* ring.h - requests that wait for the medium in io_uring, and not on a thread each. */
#ifndef PLUGIN_RING_H
#define PLUGIN_RING_H

#include <stdbool.h>
#include "disk.h"

/* A device is about to use the rings, one of each thread; false: there is no io_uring, or no memory.  [main] */
bool ring_join(struct gotgt_lun *lun);
/* It has, and nothing is under way; only after ring_join(), whatever that returned.  [main] */
void ring_leave(struct gotgt_lun *lun);
/*
 * READ or WRITE.  It is answered on this thread, perhaps before this returns: with GOTGT_OK when all of it was done, with
 * GOTGT_ERR_AGAIN when it was not, for whatever reason, which who does it again, and waits, will find out.  Among others it
 * may wait for the thread's next turn before it is begun.  A WRITE past the end that a file has by then is not begun.  False: it
 * is not for here.  [io]
 */
bool ring_submit(struct disk *disk, struct gotgt_io *io);

#endif
