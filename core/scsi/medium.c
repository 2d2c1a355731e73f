/* SPDX-License-Identifier: Apache-2.0 */
/* medium.c - whether there is a medium and it can be used: START STOP UNIT, PREVENT ALLOW MEDIUM REMOVAL. */
#include "config.h"
#include <pthread.h>
#include "scsi/cdb.h"
#include "scsi/lun.h"
#include "scsi/task.h"

enum { START = 0x01, LOEJ = 0x02, NO_FLUSH = 0x04, POWER_CONDITION = 0xf0 };

enum sense_code lun_not_ready(unsigned state)
{
	return state & LUN_OFFLINE ? SENSE_NOT_READY_OFFLINE :
	       state & LUN_EJECTED ? SENSE_MEDIUM_NOT_PRESENT :
	       state & LUN_STOPPED ? SENSE_NOT_READY_MANUAL :
	       state & LUN_STUCK ? SENSE_BECOMING_READY : SENSE_NONE;
}

/* For what asks about the medium, not for data on it: a unit that was stopped answers. */
bool medium_check(struct task *t)
{
	unsigned state = lun_state(t->lun);

	if (!(state & (LUN_EJECTED | LUN_OFFLINE)))
		return true;
	task_fail(t, lun_not_ready(state));
	return false;
}

/* SPC-5 6.18: one nexus is enough.  target->lock held. */
static bool prevented(const struct lun *lun)
{
	const struct target *t = lun->target;

	for (guint i = 0; i < t->nexuses->len; i++) {
		struct nexus *n = t->nexuses->pdata[i];
		struct nexus_chunk *c = atomic_load(&n->chunks[lun->number / NEXUS_CHUNK]);

		if (c && atomic_load(&c->luns[lun->number % NEXUS_CHUNK].prevent))
			return true;
	}
	return false;
}

/* False: it may not move.  *was is the state before. */
static bool move_medium(struct lun *lun, unsigned clear, unsigned set, unsigned *was)
{
	bool may;

	pthread_mutex_lock(&lun->target->lock);
	*was = lun_state(lun);
	may = !prevented(lun);
	if (may)
		lun_set_state(lun, clear, set);
	pthread_mutex_unlock(&lun->target->lock);
	return may;
}

static void flush(struct task *t)
{
	if (t->cdb[4] & NO_FLUSH) {
		task_done(t);
		return;
	}
	task_io(t, GOTGT_OP_FLUSH, 0, 0, 0);
	task_submit(t, task_done);
}

static void load(struct task *t)
{
	unsigned was;

	if (!move_medium(t->lun, LUN_EJECTED | LUN_STOPPED, 0, &was)) {
		task_fail(t, SENSE_MEDIUM_REMOVAL_PREVENTED);
		return;
	}
	if (was & LUN_EJECTED)	/* who loaded it knows */
		lun_unit_attention(t->lun, SENSE_UA_MEDIUM_CHANGED, t->nexus);
	task_done(t);
}

/* From here on no command starts on it; what runs ends. */
static void eject(struct task *t)
{
	unsigned was;

	if (!move_medium(t->lun, 0, LUN_EJECTED, &was))
		task_fail(t, SENSE_MEDIUM_REMOVAL_PREVENTED);
	else if (was & LUN_EJECTED)
		task_done(t);
	else
		flush(t);
}

bool start_stop_check(struct task *t)
{
	if (!(t->cdb[4] & LOEJ) || lun_state(t->lun) & LUN_REMOVABLE)
		return true;
	task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 4, 1);
	return false;
}

/*
 * SBC-4 5.29.  There is nothing that could use less power: each power condition is as good as active, and with
 * one LOEJ and START are ignored.  A removable medium that was stopped and not ejected starts by itself when
 * it is used, as those with a motor do: initiators take a unit that is not ready for one without a medium.
 */
void start_stop_run(struct task *t)
{
	bool start = t->cdb[4] & (START | POWER_CONDITION);

	if (t->cdb[4] & LOEJ && !(t->cdb[4] & POWER_CONDITION)) {
		(start ? load : eject)(t);
	} else if (!start) {
		if (!(lun_state(t->lun) & LUN_REMOVABLE))
			lun_set_state(t->lun, 0, LUN_STOPPED);
		flush(t);
	} else if (medium_check(t)) {
		lun_set_state(t->lun, LUN_STOPPED, 0);
		task_done(t);
	}
}

/* SPC-5 6.18 */
void prevent_allow_run(struct task *t)
{
	pthread_mutex_lock(&t->lun->target->lock);
	atomic_store(&t->nl->prevent, t->cdb[4] & 1);
	pthread_mutex_unlock(&t->lun->target->lock);
	task_done(t);
}
