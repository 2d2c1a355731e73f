/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task.h - one SCSI command, from its CDB to its status.  Embedded in the transport's own
 * structure; lives on one reactor.  Everything is [reactor].
 *
 *   transport                               scsi
 *   fills what is [t], task_begin() -->     checks by the CDB table
 *     TASK_GOING: ops->done() comes, or has come already
 *     TASK_WANTS_DATA: the transport gathers out_len bytes, then either
 *       task_execute_from(): they all lie in its own buffer, valid during the call, or
 *       task_place() first (a destination in iov/iovcnt), receives there, task_execute()
 *   ops->done() <-- status, sense, iov/iovcnt/in_len
 *   sends, then task_release()
 */
#ifndef GOTGT_TASK_H
#define GOTGT_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include "backstore/device.h"
#include "engine/lines.h"
#include "scsi/range.h"
#include "scsi/sense.h"
#include "scsi/taskset.h"

struct nexus;
struct lun;
struct task;
struct cdb_op;
struct nexus_lun;
struct task_loop;

enum task_attr { TASK_SIMPLE, TASK_ORDERED, TASK_HEAD_OF_QUEUE, TASK_ACA };	/* SAM-5 8.6 */

/* SAM-5 5.3.1 */
enum scsi_status {
	STATUS_GOOD = 0x00, STATUS_CHECK_CONDITION = 0x02, STATUS_CONDITION_MET = 0x04, STATUS_BUSY = 0x08,
	STATUS_RESERVATION_CONFLICT = 0x18, STATUS_TASK_SET_FULL = 0x28, STATUS_ACA_ACTIVE = 0x30,
	STATUS_TASK_ABORTED = 0x40,
};

#define TASK_CDB_MAX 32
#define TASK_SENSE_MAX 96
#define TASK_IOV_MAX 17

enum task_begun { TASK_GOING, TASK_WANTS_DATA };

struct task_ops {
	/* The command ended: status, sense and Data-In are final.  An aborted one (task->aborted) ends too, and is not answered. */
	void (*done)(struct task *t);
	/*
	 * It is given up (watch.h): status and sense are final for whoever waits for it, unless it was aborted before.  The
	 * task itself belongs to the device for now: done() comes when that lets go, when its nexus may be gone.
	 */
	void (*given_up)(struct task *t);
};

enum task_phase { TASK_IDLE, TASK_WAITING, TASK_RUNNING, TASK_ENDED };

/*
 * In the order of the lines of the cache, when it begins with one: what every READ and WRITE looks at when it ends and is
 * released, much later than it began, is in the first three; what is only written to begin with comes next; what few need, last.
 * [t]: the transport's, set before task_begin().  [a]: the answer.  The rest is scsi's own.
 */
struct task {
	/* A line. */
	const struct task_ops *ops;	/* [t] */
	struct nexus *nexus;		/* [t] */
	struct reactor *reactor;	/* [t] */
	const struct cdb_op *op;
	struct lun *lun;		/* NULL: no such LUN */
	struct nexus_lun *nl;		/* what the nexus keeps of it */
	uint8_t status;			/* [a] enum scsi_status */
	bool aborted;			/* [a] */
	uint8_t sense_code;		/* [a] enum sense_code, of CHECK CONDITION */
	bool lent;			/* [a] iov is a device's memory: system calls only */
	uint8_t attr;			/* [t] enum task_attr */
	bool no_lend;			/* [t] the transport must see the bytes (data digest): only constant ones are lent */
	uint8_t phase;			/* enum task_phase */
	bool in_device;			/* dio is at the device */
	bool in_query;			/* a device_query is, a worker has it, or it waits for something */
	bool well_known;		/* to the REPORT LUNS well known logical unit; lun is NULL */
	bool watched;			/* by watch.c */
	bool given_up;
	uint16_t sense_len;		/* [a] bytes in sense, 0: none */
	uint16_t cdb_len;		/* [t] bytes given: 16, or more with an extended CDB */

	/* A line. */
	struct task_place place;	/* in its task set */
	struct buf *buf;		/* from the reactor's pool, released by task_release() */
	struct buf *buf2;		/* a second one (compare, patterns) */
	uint64_t xfer_len;		/* [a] what the CDB asked to transfer, either direction, for the residual count */
	uint32_t iovcnt;		/* [a] */
	uint32_t out_len;		/* with TASK_WANTS_DATA: min(transfer length by the CDB, edtl_out) */
	uint32_t in_len;		/* [a] bytes in iov to send; <= edtl_in */
	uint32_t edtl_out, edtl_in;	/* [t] expected data transfer length, bytes, each direction; 0 for none */
	uint32_t edtl_no_way;		/* [t] expected to be transferred, and no direction was given */

	struct range range;		/* a line, and what is seldom looked at: the blocks it is at */

	/* From here to dio.io: written to begin with. */
	uint8_t lun_addr[8];		/* [t] SAM-5 4.7 */
	uint8_t cdb[TASK_CDB_MAX];	/* [t] */
	uint64_t lba;
	uint32_t blocks;
	uint32_t step;			/* of a command in several steps */
	uint64_t done_bytes, total_bytes;	/* progress of a command in several steps */
	bool (*leave)(struct task *t);	/* in_query: stop waiting; true: nothing comes any more.  NULL: it comes */
	struct task_loop *loop;
	void (*ending)(struct task *t);	/* a command's own, before its end is told; NULL: nothing */
	void (*parting)(struct task *t);	/* the same, when it is given up: its nexus may go, all else stays */
	const uint8_t *out;		/* Data-Out, contiguous, when it is not lent */
	void (*next)(struct task *t);	/* what follows the device's success */
	struct iovec iov[TASK_IOV_MAX];	/* [a] Data-In to send, or where Data-Out goes */
	struct device_io dio;

	struct { unsigned clear, set, old; bool saved; } mode;	/* MODE SELECT's, of enum lun_bits */
	bool forgotten;			/* SANITIZE's */
	struct { struct task *next, *prev; struct lun *lun; uint64_t due_ms; } watch;	/* watch.c's */
	void (*offload)(struct task *t);	/* task_offload()'s */
	union { struct work work; struct post post; } offloaded;
	enum gotgt_status dio_status;
	uint8_t small[64];		/* short Data-In without a buffer */
	uint8_t sense[TASK_SENSE_MAX];	/* [a] */
};

G_STATIC_ASSERT(sizeof(void *) != 8 || offsetof(struct task, place) == LINE_BYTES);
G_STATIC_ASSERT(sizeof(void *) != 8 || offsetof(struct task, range) == 2 * LINE_BYTES);

/* It ends soon, and has not been looked at for long: a hint. */
static inline void task_fetch(const struct task *t)
{
	__builtin_prefetch(t, 1);
	__builtin_prefetch(&t->place, 1);
	__builtin_prefetch(&t->range, 1);
}

enum task_begun task_begin(struct task *t);
/* Choose where Data-Out goes: lent memory (if may_lend) or a buffer.  False: out of memory, and the task has ended with BUSY. */
bool task_place(struct task *t, bool may_lend);
/* All of out_len is where task_place() said. */
void task_execute(struct task *t);
/* All of out_len is at data, which is valid only during this call. */
void task_execute_from(struct task *t, const uint8_t *data);
/* The transport ends a command itself: instead of task_begin(), or of task_execute() once the data has passed. */
void task_refuse(struct task *t, enum scsi_status status, enum sense_code code);
/* A system call on the lent memory of this task said EFAULT: its device lends no more. */
void task_lent_fault(struct task *t);
/* What it has borrowed may turn out to be gone. */
bool task_lent_may_go(const struct task *t);
/*
 * The same while Data-In was being sent: its GOOD becomes a medium error.  False: nothing was lent for it, or what was
 * could not go, and its GOOD may have left.
 */
bool task_unread(struct task *t);
/* Stop it: done() comes with aborted set, at once or when the device lets go.  Before or after task_execute(). */
void task_abort(struct task *t);
/* Give back buffers, lent memory and the LUN.  After done(), when Data-In has been sent. */
void task_release(struct task *t);

/* For watch.c. */
void task_finish(struct task *t);
void task_set_sense(struct task *t, enum sense_code code);
/* check.c: may it go on?  False: it has ended. */
bool task_check(struct task *t, bool known_opcode);
/* For taskset.c: its turn has come. */
void task_run(struct task *t);

/* For command handlers: each command ends once, in one of these. */
void task_done(struct task *t);					/* GOOD */
/* GOOD with Data-In, cut to the allocation length (xfer_len) and edtl_in. */
void task_done_data(struct task *t, const void *data, size_t len);
void task_fail(struct task *t, enum sense_code code);		/* CHECK CONDITION */
/* With a field pointer into the CDB; bit -1: none. */
void task_fail_field(struct task *t, enum sense_code code, unsigned byte, int bit);
void task_status(struct task *t, enum scsi_status status);	/* without sense */
/* INVALID FIELD IN PARAMETER LIST, with a field pointer into Data-Out. */
void task_fail_param(struct task *t, unsigned byte, int bit);
void task_fail_at(struct task *t, enum sense_code code, const struct sense_field *field);	/* NULL: as task_fail() */
void task_fail_info(struct task *t, enum sense_code code, uint64_t info);	/* with an INFORMATION field */
void task_fail_device(struct task *t, enum gotgt_status status);	/* what a device's error means */
/* The same as a status, and with CHECK CONDITION a code. */
enum scsi_status task_device_error(enum gotgt_status status, bool reading, enum sense_code *code);
/* A zeroed place for len bytes of Data-In, for task_done_data().  NULL: out of memory, and the task has ended. */
uint8_t *task_reply(struct task *t, size_t len);
/* A buffer of the reactor's in t->buf or t->buf2.  False: out of memory, and the task has ended. */
bool task_get_buf(struct task *t, struct buf **buf, size_t len);
/*
 * Have the device do t->dio.io, whose op, flags, offset, length and iov are set, then call next(), unless the
 * task was aborted or the device failed: then it ends here.  Steps may follow each other without end: the
 * stack stays flat.
 */
void task_submit(struct task *t, void (*next)(struct task *t));
/* Fill dio.io, without an iov. */
void task_io(struct task *t, uint32_t op, uint32_t flags, uint64_t offset, uint64_t length);
void task_reclaim(struct task *t);	/* give lent memory back early */
/* GOTGT_IO_FUA when a write of this command must be stable at its end. */
uint32_t task_fua(const struct task *t);
/*
 * Have a worker call work(t), then next(t) here, unless the task was aborted meanwhile: then it ends when work() has
 * returned.  The last thing a step does.
 */
void task_offload(struct task *t, void (*work)(struct task *t), void (*next)(struct task *t));
/*
 * Hold [lba, end) until the task ends, or lent memory is given back.  True: it does.  False: the handler returns and
 * its run() is called again when it does.
 */
bool task_take_range(struct task *t, uint64_t lba, uint64_t end);
/* The same of the whole unit, alone: whatever was at the medium has ended, and what comes waits. */
bool task_take_all(struct task *t);
/* Something other than dio came back (a query): false when the task was aborted, and has ended. */
bool task_back(struct task *t);

#endif
