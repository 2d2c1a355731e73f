/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job.h - work on a whole logical unit that outlives the command that began it, and its nexus: SANITIZE and FORMAT
 * UNIT.  One at a time; it runs in steps on the reactor of that command, and keeps the unit from going away; a unit
 * that is to go ends it.  What is not done, or has failed, is in a state file, where there is a folder for those: a unit
 * that comes back without having been done has failed.
 */
#ifndef GOTGT_JOB_H
#define GOTGT_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include "scsi/lun.h"
#include "scsi/task.h"

struct lun;
struct task;
struct sense_field;

enum job_kind { JOB_SANITIZE, JOB_FORMAT };

#define JOB_PATTERN_MAX 4096u	/* a block */

struct job_conf {
	uint32_t kind;			/* enum job_kind */
	uint32_t op, flags;		/* of device_io, over all of the unit */
	const uint8_t *pattern;		/* DEVICE_OP_WRITE_SAME: a block */
	unsigned passes;
	bool invert;			/* each second pass, from the last one but one back, writes the inverted pattern */
	bool immed;			/* the command ends when it has begun, not with the job */
	bool ause;			/* of SANITIZE: lun->sanitize_ause from here on */
	uint32_t least_ms;		/* it is not done sooner: who looks for its progress sees some */
};

/* Begin; ends t, now or when it is done.  [reactor] */
void job_start(struct task *t, const struct job_conf *conf);
/* What a unit under work, or left by one that failed, says to a command: SENSE_NONE, or a code and its field.  [any] */
uint8_t job_sense(const struct lun *lun, struct sense_field *field);
/* With a bit of LUN_JOB set: true, and the task has ended with that.  [reactor] */
bool job_refuses(struct task *t);
/* The same, whether or not there is work. */
static inline bool job_in_the_way(struct task *t)
{
	return G_UNLIKELY(lun_state(t->lun) & LUN_JOB) && job_refuses(t);
}
/* Have it end soon.  [any] */
void job_stop(struct lun *lun);

/*
 * job-keep.c.  Write down what has failed if nothing more is heard of it, a bit of LUN_JOB_FAILED; forget it, unless
 * other work than `busy` has begun.  0 or a negative errno, which is in the log.  They block.
 */
int job_keep(struct lun *lun, unsigned failed);
int job_forget(struct lun *lun, unsigned busy);
/* What was written down and not forgotten has failed.  [main] */
void job_restore(struct lun *lun);

#endif
