/* SPDX-License-Identifier: Apache-2.0 */
/*
 * taskset.h - the task set of one I_T nexus and one logical unit (control mode page: TST 001b), and what SIMPLE,
 * ORDERED and HEAD OF QUEUE mean in it (SAM-5 8.6).  A nexus lives on one reactor, and so does its task set.  All
 * [reactor].
 */
#ifndef GOTGT_TASKSET_H
#define GOTGT_TASKSET_H

#include <stdbool.h>
#include <stdint.h>

struct task;

/* In struct nexus_lun, zeroed. */
struct task_set {
	struct task *head, *tail;	/* dormant, in the order they came */
	uint32_t active;		/* enabled, not ended */
	uint32_t ordered, urgent;	/* of these: ORDERED, HEAD OF QUEUE */
	bool special;			/* not only SIMPLE tasks are here */
	bool waking;
	bool due;			/* nexus->wake will wake it */
};

/* In struct task. */
struct task_place {
	struct task *next;
	uint8_t state;		/* enum place_state */
	bool ready;		/* has its data, waits to be enabled */
};
enum place_state { PLACE_NONE, PLACE_ENABLED, PLACE_DORMANT };

/* A task that passed its checks takes its place. */
void task_set_join(struct task *t);
/* True: it may run.  False: it is dormant, and will be run when its turn comes. */
bool task_set_ready(struct task *t);
/* It ends: true when task_set_wake() is due once that has been told. */
bool task_set_leave(struct task *t);
void task_set_wake(struct task_set *s);

#endif
