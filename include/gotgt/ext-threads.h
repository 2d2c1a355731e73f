/* SPDX-License-Identifier: MIT */
/*
 * gotgt/ext-threads.h - "gotgt.threads/1" of the core, by gotgt_host->extension(): the threads
 * that call submit(), for devices that wait on a descriptor and not on a thread (io_uring, a
 * socket).  NULL where there are none, as in tests of a plugin alone: it must do without.
 * Since gotgt 0.1; the words of plugin.h on threads and ownership hold.
 */
#ifndef GOTGT_EXT_THREADS_H
#define GOTGT_EXT_THREADS_H

#include <gotgt/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GOTGT_EXT_THREADS "gotgt.threads/1"

typedef void gotgt_thread_fn(void *arg);

struct gotgt_threads {
	uint32_t size;		/* bytes: of the core's table */
	uint32_t reserved0;	/* 0 */
	/*
	 * Call run(arg) on each thread that may call submit() of this device with GOTGT_IO_NOWAIT, one
	 * after another, and return when all have.  They serve every initiator meanwhile: run() does not
	 * block.  Threads of another server, and of its devices, are others.  [main], within open() and close().
	 */
	void (*each)(struct gotgt_lun *lun, gotgt_thread_fn *run, void *arg);
	/*
	 * From now on ready(arg) is called on this thread whenever fd can be read, until it has been.  It does
	 * not block; what it answers is taken when it has returned.  NULL: this is no such thread, or there
	 * is no memory.  The descriptor stays the plugin's.  [io], or within run() of each().
	 */
	void *(*watch)(int fd, gotgt_thread_fn *ready, void *arg);
	/* No ready() comes after this.  [io], or within run() of each(): the thread that watches. */
	void (*unwatch)(void *watch);
};

#ifdef __cplusplus
}
#endif

#endif
