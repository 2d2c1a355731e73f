/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.h - commands at a device that does not answer.  Everything is [reactor] of the task.
 *
 * A command that its device keeps for longer than the unit's io-timeout, or after an abort for longer than
 * WATCH_ABORT_MS, is given up: whoever waits for it is answered, its session and nexus forget it, and it stays the
 * device's, with its memory and its blocks, until that answers.  Until then it may still write, so the unit carries
 * out nothing else (LUN_STUCK): NOT READY.  So what comes later is never overtaken by what was given up.
 */
#ifndef GOTGT_WATCH_H
#define GOTGT_WATCH_H

#include "scsi/task.h"

#define WATCH_LONG 2u		/* times the timeout, of what is not one read or write */
#define WATCH_CLOSE 4u		/* of the flush before closing */
#define WATCH_ABORT_MS 5000u	/* or the timeout, where that is less: initiators wait 15 seconds */

/* t is at the device of lun, or waits for who is, until task_back(); for `times` the timeout. */
void watch_begin(struct task *t, struct lun *lun, unsigned times);
void watch_end(struct task *t);
/* It was aborted. */
void watch_hurry(struct task *t);
/* One that was given up has ended. */
void watch_came_back(struct task *t);

/* The same of what is no command, a step of a job: it is overdue; it has come back. */
void watch_stuck(struct lun *lun, struct reactor *r);
void watch_answers(struct lun *lun, struct reactor *r);
/* So many timeouts, 0: it is never overdue. */
uint64_t watch_ms(const struct lun *lun, unsigned times);

#endif
