/* SPDX-License-Identifier: Apache-2.0 */
/* disk.h - a file or block device and what the system can do with it; part of file and of mmap. */
#ifndef PLUGIN_DISK_H
#define PLUGIN_DISK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <gotgt/ext-copy.h>
#include <gotgt/ext-extents.h>
#include <gotgt/ext-size.h>
#include <gotgt/plugin.h>

/* The settings both have, first in the configuration struct of each. */
struct disk_conf {
	const char *path;
	uint64_t size;
	int create, readonly, lock;
};

#define DISK_PARAMS									\
	{ "path", GOTGT_PARAM_STRING, GOTGT_PARAM_REQUIRED | GOTGT_PARAM_PATH,		\
	  offsetof(struct disk_conf, path), NULL, "File or block device" },		\
	{ "size", GOTGT_PARAM_SIZE, 0, offsetof(struct disk_conf, size), NULL,		\
	  "Size it must have; with create, size it is made or grown to" },		\
	{ "create", GOTGT_PARAM_BOOL, 0, offsetof(struct disk_conf, create), "no",	\
	  "Make a missing file, sparse; needs size" },					\
	{ "readonly", GOTGT_PARAM_BOOL, 0, offsetof(struct disk_conf, readonly), "no",	\
	  "Open it for reading, refuse writes" },					\
	{ "lock", GOTGT_PARAM_BOOL, 0, offsetof(struct disk_conf, lock), "yes",		\
	  "Refuse a file that another program has locked" }

/*
 * Linux tells of a write that failed behind the page cache once for each open file, and then forgets it (errseq_t): a flush
 * that comes next succeeds, and what was lost stays lost.  So flushes and RWF_DSYNC writes that are under way at a time
 * have each an open file of their own, and no flush succeeds after a failure until the device is opened anew.  Those for
 * which there is no file share one: a failure is theirs together.  One that is opened later knows nothing of a failure that
 * another program has been told of: the device's first, which does, is asked once for each.
 */
#define DISK_SYNC_FILES 8
struct disk_sync { struct disk_sync *next; uint64_t number, failures; int fd; bool own, retire; };
struct disk_syncs {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	struct disk_sync *first, **last;	/* that share a file, under way, in the order they began */
	uint64_t begun, failures;
	int files[DISK_SYNC_FILES];		/* that nobody uses: n_unused of n_files */
	unsigned n_unused, n_files;
};

struct disk {
	int fd;
	bool block_device, readonly;
	_Atomic uint64_t size;		/* bytes, as last seen */
	atomic_bool named;		/* it had a name when last seen */
	const char *path;		/* the configuration's */
	struct gotgt_lun *lun;
	_Atomic int64_t quiet_until_s;	/* one line an interval about failing I/O */
	struct disk_syncs syncs;
	atomic_bool no_nowait[2];	/* READ, WRITE: the file system does not know RWF_NOWAIT */
};

/* glibc keeps the text for each thread. */
static inline const char *disk_strerror(int err)
{
	return strerror(err);	/* NOLINT(concurrency-mt-unsafe): see above */
}

/* Open and lock; fill info.  open_flags: O_DIRECT or 0.  0 or -errno after a line. */
int disk_open(struct disk *d, struct gotgt_lun *lun, const struct disk_conf *conf, int open_flags,
	      struct gotgt_dev_info *info);
void disk_close(struct disk *d);

void disk_syncs_init(struct disk_syncs *s);
void disk_syncs_end(struct disk_syncs *s);

/* READ or WRITE, all of it.  rwf: RWF_*. */
enum gotgt_status disk_rw(struct disk *d, const struct gotgt_io *io, int rwf);
/* Where the file ends now: a write past it would make it longer.  UINT64_MAX: a block device, or it cannot be known. */
uint64_t disk_end(struct disk *d);
/* A range that goes past it. */
bool disk_lies_beyond(struct disk *d, uint64_t offset, uint64_t length);
/* With GOTGT_IO_NOWAIT: what the page cache has, or takes; GOTGT_ERR_AGAIN for the rest. */
enum gotgt_status disk_rw_now(struct disk *d, const struct gotgt_io *io);
enum gotgt_status disk_flush(struct disk *d, const struct gotgt_io *io);
enum gotgt_status disk_unmap(struct disk *d, const struct gotgt_io *io);
enum gotgt_status disk_zero(struct disk *d, const struct gotgt_io *io);
/* Look how large it is now, and tell when that changed: struct gotgt_size.look, of a struct disk at the beginning. */
void disk_look(void *dev);
/*
 * struct gotgt_memory.check, of the same: what was in flight when it shrank fails; what comes later is for the new size.
 */
enum gotgt_status disk_check(void *dev);
/* The status for an errno, after a line about what the operator should know. */
enum gotgt_status disk_failed(struct disk *d, const char *what, int err);

/* struct gotgt_copy.copy. */
enum gotgt_status disk_copy(struct disk *from, uint64_t from_offset, struct disk *to, uint64_t to_offset, uint64_t length,
			    uint64_t *copied);

/* struct gotgt_extents.query. */
enum gotgt_status disk_extents(struct disk *d, uint64_t offset, uint64_t length, struct gotgt_extent *extents,
			       uint32_t max, uint32_t *count);

#endif
