/* SPDX-License-Identifier: Apache-2.0 */
/* tally.h - what engine/stats.h counts, for SCSI commands: which row they are, and what rows are called. */
#ifndef GOTGT_TALLY_H
#define GOTGT_TALLY_H

#include "engine/stats.h"
#include "scsi/cdb.h"
#include "scsi/task.h"

#define TALLY_UNKNOWN (STATS_OPCODES - 1)	/* operation codes, or service actions, that are not here */
#define TALLY_NAME_MAX 40

/* What kind of commands a row is.  [any] */
static inline enum stats_kind tally_kind(unsigned row)
{
	return row == TALLY_UNKNOWN ? STATS_OTHER : cdb_kinds[row];
}
/* How an ended task counts, but for the time it took.  [reactor] */
void tally_task(const struct task *t, struct stats_end *e);
/* Its logical unit's block on its reactor; NULL: it has none.  [reactor] */
struct stats *tally_block(const struct task *t);
/* Commands of its logical unit on its reactor.  [reactor] */
unsigned tally_depth(const struct task *t);
struct stats *tally_block_of(struct lun *lun, struct reactor *r);

/* The name of a row, NULL: nothing counts there.  [any] */
const char *tally_opcode(unsigned row);
/* "MEDIUM ERROR 11h/00h", "BUSY". */
const char *tally_error(unsigned row, char buf[TALLY_NAME_MAX]);
/* Add what a logical unit has counted; false: it never had a command.  [main] */
bool tally_lun(const struct lun *lun, struct stats_sum *sum);

#endif
