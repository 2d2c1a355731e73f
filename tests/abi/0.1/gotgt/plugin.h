/* SPDX-License-Identifier: MIT */
/*
 * gotgt/plugin.h - all that a backstore plugin needs.  See gotgt-plugin(3).
 *
 * Rules that keep old plugins working:
 *  - tables grow only at the end; a table says how long it is (.size);
 *  - a released field never changes its meaning, its type or its place;
 *  - anything bigger is an extension with a string id, "gotgt.NAME/REV";
 *  - GOTGT_ABI changes only when old binaries cannot work, and with it the
 *    name of the entry point and of the plugin directory.
 *
 * Threads: [main] the control thread, never concurrent for one device;
 * [io] any I/O thread, concurrent for one device unless GOTGT_PLUGIN_SERIAL;
 * [any] any thread at any time.
 *
 * Bytes and blocks: every offset and length is in bytes unless its name says blocks.
 */
#ifndef GOTGT_PLUGIN_H
#define GOTGT_PLUGIN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GOTGT_ABI 1

#if defined(__GNUC__)
#define GOTGT_EXPORT __attribute__((__visibility__("default")))
#define GOTGT_HIDDEN __attribute__((__visibility__("hidden")))
#define GOTGT_PRINTF(f, a) __attribute__((__format__(__printf__, f, a)))
#else
#define GOTGT_EXPORT
#define GOTGT_HIDDEN
#define GOTGT_PRINTF(f, a)
#endif

/*
 * What a device may be asked to do.  READ and WRITE are required (WRITE not
 * of a device that says GOTGT_DEV_READ_ONLY); the rest is asked only of a
 * device that sets the bit in gotgt_dev_info.ops, and emulated or refused
 * by the core otherwise.
 */
enum gotgt_op {
	GOTGT_OP_READ = 0,	/* fill iov from the device */
	GOTGT_OP_WRITE = 1,	/* write iov to the device */
	GOTGT_OP_FLUSH = 2,	/* all completed writes to stable storage; offset, length 0 */
	GOTGT_OP_UNMAP = 3,	/* the range holds nothing of value; it must then read as zeroes */
	GOTGT_OP_ZERO = 4	/* the range reads as zeroes; with GOTGT_IO_MAY_UNMAP it may be freed */
};
#define GOTGT_OP_BIT(op) (UINT32_C(1) << (op))

/* What went wrong.  The core turns it into a SCSI status and sense data. */
enum gotgt_status {
	GOTGT_OK = 0,
	GOTGT_ERR_IO = 1,		/* MEDIUM ERROR */
	GOTGT_ERR_NO_SPACE = 2,		/* DATA PROTECT, SPACE ALLOCATION FAILED WRITE PROTECT */
	GOTGT_ERR_READ_ONLY = 3,	/* DATA PROTECT, WRITE PROTECTED */
	GOTGT_ERR_BUSY = 4,		/* BUSY: the initiator may try again */
	GOTGT_ERR_NOT_READY = 5,	/* NOT READY */
	GOTGT_ERR_UNSUPPORTED = 6,	/* the core emulates, or ILLEGAL REQUEST */
	GOTGT_ERR_CANCELED = 7,		/* after cancel() only */
	GOTGT_ERR_AGAIN = 8,		/* only with GOTGT_IO_NOWAIT: would have blocked, nothing was done */
	GOTGT_ERR_NO_MEMORY = 9		/* BUSY */
};

#define GOTGT_IO_FUA       UINT32_C(1)	/* on stable storage before completion; only where native_fua */
#define GOTGT_IO_NOWAIT    UINT32_C(2)	/* answer before submit() returns: the result, or GOTGT_ERR_AGAIN */
#define GOTGT_IO_MAY_UNMAP UINT32_C(4)	/* GOTGT_OP_ZERO may free the range */

/*
 * One request.  The core owns it; the plugin may use it from submit() until
 * it calls gotgt_io_done(), and not after.  Nothing here is changed by the
 * plugin but *priv and, for READ, the bytes iov points to.
 */
struct gotgt_io {
	uint32_t op;		/* enum gotgt_op */
	uint32_t flags;		/* GOTGT_IO_* */
	uint64_t offset;	/* bytes, within the device, a multiple of block_size */
	uint64_t length;	/* bytes, a multiple of block_size; the sum of iov for READ and WRITE */
	const struct iovec *iov;	/* memory, aligned to gotgt_dev_info.mem_align */
	uint32_t iovcnt;	/* 0 for ops without data */
	uint32_t reserved0;
	void *priv;		/* io_priv_size bytes of the plugin's, 8-aligned, not cleared */
	uint64_t reserved[3];	/* zero */
};

enum gotgt_param_type {
	GOTGT_PARAM_STRING = 0,	/* const char *, NULL when unset; lives as long as the device */
	GOTGT_PARAM_BOOL = 1,	/* int, 0 or 1 */
	GOTGT_PARAM_UINT = 2,	/* uint64_t */
	GOTGT_PARAM_SIZE = 3	/* uint64_t, bytes; "64M" in the file */
};
#define GOTGT_PARAM_REQUIRED UINT32_C(1)
#define GOTGT_PARAM_PATH     UINT32_C(2)	/* what PLUGIN:PATH on the command line sets; at most one */
#define GOTGT_PARAM_SECRET   UINT32_C(4)	/* never shown or logged */

/* One setting.  The core parses, checks and stores it; a NULL name ends. */
struct gotgt_param {
	const char *name;	/* [a-z][a-z0-9-]* */
	uint32_t type;		/* enum gotgt_param_type */
	uint32_t flags;		/* GOTGT_PARAM_* */
	size_t offset;		/* in the plugin's configuration struct */
	const char *fallback;	/* the default as text, NULL: none (0, no, NULL) */
	const char *help;	/* one line, for --help and the manual */
};

#define GOTGT_DEV_READ_ONLY   UINT32_C(1)
#define GOTGT_DEV_WRITE_CACHE UINT32_C(2)	/* a completed write may need FLUSH to be stable */
#define GOTGT_DEV_ROTATIONAL  UINT32_C(4)
#define GOTGT_DEV_THIN        UINT32_C(8)	/* unmapped blocks take no space */

/* What a device is.  Zeroed by the core, filled in by open(). */
struct gotgt_dev_info {
	uint64_t size;			/* bytes; what is over a whole block is not used */
	uint32_t block_size;		/* smallest unit of offset and length: 512 (0 means 512) to 4096 */
	uint32_t physical_block_size;	/* 0: as block_size */
	uint32_t optimal_io_size;	/* bytes, 0 unknown */
	uint32_t unmap_granularity;	/* bytes, 0: any block */
	uint32_t max_io_size;		/* bytes a request, 0: any; the core splits larger ones */
	uint32_t mem_align;		/* alignment of iov addresses, 0 or a power of two up to 4096 */
	uint32_t flags;			/* GOTGT_DEV_* */
	uint32_t ops;			/* GOTGT_OP_BIT() of each op it does */
	uint32_t native_fua;		/* 1: WRITE and ZERO honour GOTGT_IO_FUA; 0: the core flushes */
	uint32_t reserved0;
	uint64_t reserved[4];
};

struct gotgt_lun;			/* the core's side of a device, opaque */

enum gotgt_log_level { GOTGT_LOG_ERROR = 0, GOTGT_LOG_WARNING, GOTGT_LOG_INFO, GOTGT_LOG_DEBUG };

/* What the core offers.  Check .size before using a field after version 1. */
struct gotgt_host {
	uint32_t abi;
	uint32_t size;
	/* Exactly once for each submitted request, perhaps before submit() returns.  [any] */
	void (*io_done)(struct gotgt_io *io, enum gotgt_status status);
	/* One line, without a newline; lun may be NULL.  [any] */
	void (*log)(struct gotgt_lun *lun, enum gotgt_log_level level, const char *fmt, ...)
		GOTGT_PRINTF(3, 4);
	/* The device has a new size in bytes; initiators will hear of it.  [any] */
	void (*resized)(struct gotgt_lun *lun, uint64_t size);
	/* A host interface by id, NULL when the core has no such thing.  [any] */
	const void *(*extension)(const char *id);
};

#define GOTGT_PLUGIN_BLOCKING UINT32_C(1)	/* submit() may block: the core calls it on a worker */
#define GOTGT_PLUGIN_SERIAL   UINT32_C(2)	/* one submit() at a time per device */
#define GOTGT_PLUGIN_NOWAIT   UINT32_C(4)	/* READ and WRITE understand GOTGT_IO_NOWAIT */

struct gotgt_plugin {
	uint32_t abi;			/* set by GOTGT_PLUGIN */
	uint32_t size;			/* set by GOTGT_PLUGIN */
	const char *name;		/* the file name without .so: [a-z][a-z0-9-]* */
	const char *version;
	const char *description;	/* one line */
	uint32_t flags;			/* GOTGT_PLUGIN_* */
	uint32_t io_priv_size;		/* bytes at gotgt_io.priv, up to 4096 */
	size_t conf_size;		/* bytes of the configuration struct, up to 65536 */
	const struct gotgt_param *params;	/* NULL: no settings */

	/*
	 * Open a device.  conf points to conf_size bytes that live until
	 * close().  0, or a negative errno after a gotgt_error() line.  [main]
	 */
	int (*open)(struct gotgt_lun *lun, const void *conf, struct gotgt_dev_info *info,
		    void **dev);
	/* No request is outstanding.  Flushed before.  [main] */
	void (*close)(void *dev);
	/* Start, or do, one request; answer with gotgt_io_done().  [io] */
	void (*submit)(void *dev, struct gotgt_io *io);
	/* Optional: hurry io up; it must still be answered.  [io] */
	void (*cancel)(void *dev, struct gotgt_io *io);
	/* Optional: an interface by id, or NULL.  [any] */
	const void *(*extension)(const char *id);
};

/* The core, from the moment the plugin is loaded.  Defined by GOTGT_PLUGIN. */
extern const struct gotgt_host *gotgt_host GOTGT_HIDDEN;

static inline void gotgt_io_done(struct gotgt_io *io, enum gotgt_status status)
{
	gotgt_host->io_done(io, status);
}
#define gotgt_error(lun, ...) gotgt_host->log((lun), GOTGT_LOG_ERROR, __VA_ARGS__)
#define gotgt_warning(lun, ...) gotgt_host->log((lun), GOTGT_LOG_WARNING, __VA_ARGS__)
#define gotgt_debug(lun, ...) gotgt_host->log((lun), GOTGT_LOG_DEBUG, __VA_ARGS__)

/* Once in each plugin, in C: GOTGT_PLUGIN(.name = "x", .open = x_open, ...) */
#define GOTGT_PLUGIN(...)								\
	const struct gotgt_host *gotgt_host;						\
	GOTGT_EXPORT const struct gotgt_plugin *gotgt_plugin_v1(const struct gotgt_host *);	\
	const struct gotgt_plugin *gotgt_plugin_v1(const struct gotgt_host *host_)	\
	{										\
		static const struct gotgt_plugin plugin_ = {				\
			.abi = GOTGT_ABI,						\
			.size = sizeof(struct gotgt_plugin),				\
			__VA_ARGS__							\
		};									\
		gotgt_host = host_;							\
		return &plugin_;							\
	}

#ifdef __cplusplus
}
#endif

#endif
