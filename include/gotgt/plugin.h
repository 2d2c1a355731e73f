/* SPDX-License-Identifier: MIT */
/*
 * gotgt/plugin.h - all that a backstore plugin needs, ABI 1.  See gotgt-plugin(3).
 *
 * Rules that keep old plugins working:
 *  - tables grow only at the end; a table says how long it is (.size);
 *  - a released field never changes its meaning, its type or its place;
 *  - anything bigger is an extension with a string id, "gotgt.NAME/REV";
 *  - GOTGT_ABI changes only when old binaries cannot work, and with it the
 *    name of the entry point and of the plugin directory.
 * A field that a plugin leaves out is zero, and zero is what it says here.
 *
 * Since: everything here is there since gotgt 0.1; what comes later says so.
 *
 * Threads: [main] the control thread, never concurrent for one device;
 * [io] any I/O thread, concurrent for one device unless GOTGT_PLUGIN_SERIAL;
 * [any] any thread at any time.
 *
 * Units: every offset, length and size is in bytes unless its name says blocks.
 *
 * Ownership: who makes a thing keeps it.  What the core passes in (conf, io, iov)
 * may be used as long as its comment says, and is not freed; text that a plugin
 * passes in is copied; a plugin's tables and the text they point to are constant
 * as long as it is loaded, which is until the program ends.
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
#define GOTGT_OP_BIT(op) (UINT32_C(1) << (op))	/* for gotgt_dev_info.ops */

/* What went wrong.  The core turns it into a SCSI status and sense data. */
enum gotgt_status {
	GOTGT_OK = 0,
	GOTGT_ERR_IO = 1,		/* MEDIUM ERROR */
	GOTGT_ERR_NO_SPACE = 2,		/* DATA PROTECT, SPACE ALLOCATION FAILED WRITE PROTECT */
	GOTGT_ERR_READ_ONLY = 3,	/* DATA PROTECT, WRITE PROTECTED */
	GOTGT_ERR_BUSY = 4,		/* BUSY: the initiator may try again */
	GOTGT_ERR_NOT_READY = 5,	/* NOT READY */
	GOTGT_ERR_UNSUPPORTED = 6,	/* ZERO, copy(): the core does it by other means; else ILLEGAL REQUEST */
	GOTGT_ERR_CANCELED = 7,		/* after cancel() only */
	GOTGT_ERR_AGAIN = 8,		/* only with GOTGT_IO_NOWAIT: would have blocked; the request comes again without */
	GOTGT_ERR_NO_MEMORY = 9		/* BUSY */
};

/* gotgt_io.flags */
#define GOTGT_IO_FUA       UINT32_C(1)	/* WRITE, ZERO: on stable storage before completion; only where native_fua */
/*
 * READ, WRITE: do not block.  Answered before submit() returns, with the result or GOTGT_ERR_AGAIN; of a device that says
 * GOTGT_DEV_LATER either may come later, from any thread.
 */
#define GOTGT_IO_NOWAIT    UINT32_C(2)
#define GOTGT_IO_MAY_UNMAP UINT32_C(4)	/* ZERO: may free the range */

/*
 * One request.  The core owns it; the plugin may use it, and the memory it points
 * to, from submit() until it calls gotgt_io_done(), and not after.  Nothing here is
 * changed by the plugin but *priv and, for READ, the bytes iov points to.
 */
struct gotgt_io {
	uint32_t op;		/* enum gotgt_op */
	uint32_t flags;		/* GOTGT_IO_*; ignore those you do not know */
	uint64_t offset;	/* bytes, within the device, a multiple of block_size */
	uint64_t length;	/* bytes, a multiple of block_size; the sum of iov for READ and WRITE */
	const struct iovec *iov;	/* memory, aligned to gotgt_dev_info.mem_align */
	uint32_t iovcnt;	/* elements, perhaps more than IOV_MAX; 0 for ops without data */
	uint32_t reserved0;	/* 0 */
	void *priv;		/* io_priv_size bytes of the plugin's, 8-aligned, not cleared */
	uint64_t reserved[3];	/* 0 */
};

enum gotgt_param_type {
	GOTGT_PARAM_STRING = 0,	/* const char *, NULL when unset; lives as long as the device */
	GOTGT_PARAM_BOOL = 1,	/* int, 0 or 1 */
	GOTGT_PARAM_UINT = 2,	/* uint64_t */
	GOTGT_PARAM_SIZE = 3	/* uint64_t, bytes; "64M" in the file */
};
/* gotgt_param.flags */
#define GOTGT_PARAM_REQUIRED UINT32_C(1)
#define GOTGT_PARAM_PATH     UINT32_C(2)	/* what PLUGIN:PATH on the command line sets; at most one, a STRING */
#define GOTGT_PARAM_SECRET   UINT32_C(4)	/* never shown or logged */

/* One setting.  The core parses, checks and stores it; a NULL name ends. */
struct gotgt_param {
	const char *name;	/* [a-z][a-z0-9-]* */
	uint32_t type;		/* enum gotgt_param_type */
	uint32_t flags;		/* GOTGT_PARAM_*; a BOOL named "readonly" is set for a LUN that is read-only */
	size_t offset;		/* bytes, in the plugin's configuration struct */
	const char *fallback;	/* the default as text, NULL: none (0, no, NULL) */
	const char *help;	/* one line, for --help and the manual; may be NULL */
};

/* gotgt_dev_info.flags */
#define GOTGT_DEV_READ_ONLY   UINT32_C(1)	/* writes are refused before they come here */
#define GOTGT_DEV_WRITE_CACHE UINT32_C(2)	/* a completed write may need FLUSH, which it then has, to be stable */
#define GOTGT_DEV_ROTATIONAL  UINT32_C(4)	/* seeking costs time */
#define GOTGT_DEV_THIN        UINT32_C(8)	/* unmapped blocks take no space */
#define GOTGT_DEV_LATER       UINT32_C(16)	/* a request with GOTGT_IO_NOWAIT may be answered after submit() */
/*
 * Writes to it wait for each other, as those to most files do: of a plugin with GOTGT_PLUGIN_BLOCKING the core has one worker
 * at a time call the plain ones.  It is no promise: others, as with GOTGT_IO_FUA, come beside it.
 */
#define GOTGT_DEV_ONE_WRITER  UINT32_C(32)

/*
 * What a device is.  Zeroed by the core, filled in by open(), read when that
 * returns 0; constant from then on, but for the size (gotgt_host.resized).
 */
struct gotgt_dev_info {
	uint64_t size;			/* bytes, at least a block; what is over a whole block is not used */
	uint32_t block_size;		/* bytes, smallest unit of offset and length: 512 (0 means 512), to 4096, a power of two */
	uint32_t physical_block_size;	/* bytes, a power of two of at least block_size; 0: as block_size */
	uint32_t optimal_io_size;	/* bytes, 0: unknown */
	uint32_t unmap_granularity;	/* bytes, 0: any block */
	uint32_t max_io_size;		/* bytes a request of any op, 0: any; the core splits larger ones */
	/*
	 * Alignment of iov addresses in bytes, 0 or a power of two up to 4096.  With one, the length of
	 * every element is a multiple of block_size as well; without, only their sum is.
	 */
	uint32_t mem_align;
	uint32_t flags;			/* GOTGT_DEV_*; 0: writable, stable when answered, fully allocated */
	uint32_t ops;			/* GOTGT_OP_BIT() of each op it does; READ and WRITE need no mention */
	uint32_t native_fua;		/* 1: WRITE and ZERO honour GOTGT_IO_FUA; 0: the core flushes */
	uint32_t reserved0;		/* 0 */
	uint64_t reserved[4];		/* 0 */
};

struct gotgt_lun;	/* the core's side of a device, opaque; from open() until close() has returned */

enum gotgt_log_level { GOTGT_LOG_ERROR = 0, GOTGT_LOG_WARNING, GOTGT_LOG_INFO, GOTGT_LOG_DEBUG };

/*
 * What the core offers: constant, and there from the entry point until the program ends.
 * Check .size before using a field that is newer than 0.1.
 */
struct gotgt_host {
	uint32_t abi;		/* GOTGT_ABI of the core */
	uint32_t size;		/* bytes of the core's table */
	/* Exactly once for each submitted request, perhaps before submit() returns.  [any] */
	void (*io_done)(struct gotgt_io *io, enum gotgt_status status);
	/*
	 * One line, without a newline, of up to 511 bytes; lun may be NULL.  Within open() the first error
	 * is what the user is told.  [any]
	 */
	void (*log)(struct gotgt_lun *lun, enum gotgt_log_level level, const char *fmt, ...)
		GOTGT_PRINTF(3, 4);
	/* The device has a new size in bytes; initiators will hear of it.  Not within open() or close().  [any] */
	void (*resized)(struct gotgt_lun *lun, uint64_t size);
	/* A host interface by id, NULL when the core has no such thing (0.1 has none).  [any] */
	const void *(*extension)(const char *id);
};

/* gotgt_plugin.flags; a core refuses a plugin with flags it does not know. */

/*
 * submit() may block: the core calls it on a worker.  With GOTGT_PLUGIN_NOWAIT a READ or WRITE is
 * first tried on the thread that has it, with GOTGT_IO_NOWAIT.  Without this flag submit() runs on
 * the threads that serve every initiator, and must return soon.
 */
#define GOTGT_PLUGIN_BLOCKING UINT32_C(1)
/*
 * One request at a time per device: the next submit() comes when the last one was answered and
 * its submit() has returned.  Its memory is not lent, and cancel() is not called.
 */
#define GOTGT_PLUGIN_SERIAL   UINT32_C(2)
#define GOTGT_PLUGIN_NOWAIT   UINT32_C(4)	/* READ and WRITE understand GOTGT_IO_NOWAIT */

struct gotgt_plugin {
	uint32_t abi;			/* set by GOTGT_PLUGIN */
	uint32_t size;			/* bytes, set by GOTGT_PLUGIN */
	const char *name;		/* the file name without .so: [a-z][a-z0-9-]* */
	const char *version;		/* of the plugin, as it likes; NULL: none */
	const char *description;	/* one line; NULL: none */
	uint32_t flags;			/* GOTGT_PLUGIN_* */
	uint32_t io_priv_size;		/* bytes at gotgt_io.priv, up to 4096 */
	size_t conf_size;		/* bytes of the configuration struct, up to 65536 */
	const struct gotgt_param *params;	/* NULL: no settings */

	/*
	 * Open a device: fill in *info, and *dev with what the other functions are to be given
	 * (any pointer, NULL too).  conf points to conf_size bytes that live, with the strings
	 * they point to, until close() has returned.  0, or a negative errno after a gotgt_error()
	 * line; close() is not called then.  May block.  [main]
	 */
	int (*open)(struct gotgt_lun *lun, const void *conf, struct gotgt_dev_info *info,
		    void **dev);
	/*
	 * No request is outstanding, lent memory is back.  A device with a write cache was flushed before.
	 * Nothing of the device may call the core when it has returned.  May block.  [main]
	 */
	void (*close)(void *dev);
	/*
	 * Start, or do, one request; answer with gotgt_io_done(), exactly once, whatever happens.
	 * Requests that are under way together have no order, and may be for the same blocks.  [io]
	 */
	void (*submit)(void *dev, struct gotgt_io *io);
	/*
	 * Optional, NULL: the core waits.  Hurry io up; it must still be answered, once, with GOTGT_ERR_CANCELED
	 * or whatever became of it.  Another thread may have answered it a moment ago, and its submit() may not
	 * have returned yet: look for the pointer among the requests under way, and do nothing when it is not
	 * there.  Does not block.  [io]
	 */
	void (*cancel)(void *dev, struct gotgt_io *io);
	/* Optional, NULL: no extensions.  A table by its id, or NULL; also without a device.  [any] */
	const void *(*extension)(const char *id);
};

/* The core, from the moment the plugin is loaded.  Defined by GOTGT_PLUGIN. */
extern const struct gotgt_host *gotgt_host GOTGT_HIDDEN;

/* Answer a request.  Neither it nor its memory is the plugin's any more.  [any] */
static inline void gotgt_io_done(struct gotgt_io *io, enum gotgt_status status)
{
	gotgt_host->io_done(io, status);
}
/* A line for the log, as by printf(3).  [any] */
#define gotgt_error(lun, ...) gotgt_host->log((lun), GOTGT_LOG_ERROR, __VA_ARGS__)
#define gotgt_warning(lun, ...) gotgt_host->log((lun), GOTGT_LOG_WARNING, __VA_ARGS__)
#define gotgt_info(lun, ...) gotgt_host->log((lun), GOTGT_LOG_INFO, __VA_ARGS__)
#define gotgt_debug(lun, ...) gotgt_host->log((lun), GOTGT_LOG_DEBUG, __VA_ARGS__)

#ifdef __cplusplus
#define GOTGT_ENTRY extern "C"
#else
#define GOTGT_ENTRY
#endif

/*
 * Once in each plugin: GOTGT_PLUGIN(.name = "x", .open = x_open, ...).  In C, and in C++20, which
 * wants the members in the order of the struct.
 */
#define GOTGT_PLUGIN(...)								\
	const struct gotgt_host *gotgt_host;						\
	GOTGT_ENTRY GOTGT_EXPORT const struct gotgt_plugin *gotgt_plugin_v1(const struct gotgt_host *);	\
	GOTGT_ENTRY const struct gotgt_plugin *gotgt_plugin_v1(const struct gotgt_host *host_)	\
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
/* The same for any C++: GOTGT_PLUGIN_TABLE(EXPRESSION), of type struct gotgt_plugin; abi and size are set here. */
#define GOTGT_PLUGIN_TABLE(...)								\
	const struct gotgt_host *gotgt_host;						\
	GOTGT_ENTRY GOTGT_EXPORT const struct gotgt_plugin *gotgt_plugin_v1(const struct gotgt_host *);	\
	GOTGT_ENTRY const struct gotgt_plugin *gotgt_plugin_v1(const struct gotgt_host *host_)	\
	{										\
		static struct gotgt_plugin plugin_ = __VA_ARGS__;			\
		plugin_.abi = GOTGT_ABI;						\
		plugin_.size = sizeof(struct gotgt_plugin);				\
		gotgt_host = host_;							\
		return &plugin_;							\
	}
#endif

#ifdef __cplusplus
}
#endif

#endif
