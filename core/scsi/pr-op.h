/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pr-op.h - one PERSISTENT RESERVE OUT under way: pr-out.c brings it from the task to its end, pr-act.c says what it
 * does.
 */
#ifndef GOTGT_PR_OP_H
#define GOTGT_PR_OP_H

#include "scsi/pr.h"
#include "scsi/task.h"

/* Places in the parameter list (SPC-5 6.17.3 and 6.17.4). */
enum pr_list {
	PR_LIST_LEN = 24, PR_LIST_FLAGS = 20, PR_LIST_IDS = 28,
	PR_SPEC_I_PT = 0x08, PR_ALL_TG_PT = 0x04, PR_APTPL = 0x01,
	PR_MOVE_FLAGS = 17, PR_MOVE_PORT = 18, PR_MOVE_ID_LEN = 20, PR_MOVE_ID = 24, PR_UNREG = 0x02,
};

/* How it ends. */
enum pr_end {
	PR_GOOD, PR_CONFLICT, PR_BAD_CDB, PR_BAD_LIST, PR_BAD_LENGTH, PR_BAD_RELEASE, PR_NO_ROOM, PR_NOT_KEPT,
	PR_END_COUNT
};
struct pr_verdict {
	uint8_t end;		/* enum pr_end */
	int8_t bit;		/* with a byte at fault; -1: none */
	uint16_t byte;
};

struct pr_op {
	struct task *task;
	struct pr_state *next;		/* what it makes of the state */
	struct pr_reg *own;		/* the registration of its nexus in there, or NULL */
	uint64_t key, action_key;	/* RESERVATION KEY, SERVICE ACTION RESERVATION KEY */
	struct pr_verdict verdict;
	int saved;			/* 0 or a negative errno */
	GArray *removed;		/* struct pr_reg whose tasks are to be aborted; NULL: none are */
	struct work work;
	struct post post;
	struct task_purge purge;
};

/* Change op->next as the service action asks; the state is untouched when the end is not PR_GOOD. */
struct pr_verdict pr_act(struct pr_op *op);

#endif
