/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reserve.c - RESERVE and RELEASE, 6 and 10 (SPC-2 7.21 to 7.24): of whole logical units, for oneself.  Beside
 * persistent reservations they do what SPC-4 5.13.3 says, which REPORT CAPABILITIES announces as CRH.
 */
#include "config.h"
#include "scsi/cdb.h"
#include "scsi/pr.h"
#include "scsi/task.h"

enum beside { BESIDE_NOTHING, BESIDE_HARMLESS, BESIDE_CONFLICT };

/* Who has what these commands ask for is told so, and nothing changes. */
static enum beside beside_persistent(const struct pr_state *s, const struct nexus *n)
{
	const struct pr_type *type = pr_type_of(s->kind);
	const struct pr_reg *r = pr_find_nexus(s, n);

	if (!s->regs->len)
		return BESIDE_NOTHING;
	return r && type && (type->registrants || r->holder) ? BESIDE_HARMLESS : BESIDE_CONFLICT;
}

static bool change(struct task *t, bool reserve)
{
	struct pr *pr = t->lun->pr;
	enum beside beside;

	pthread_mutex_lock(&pr->lock);
	beside = beside_persistent(pr->state, t->nexus);
	if (beside == BESIDE_NOTHING && (!pr->reserved_by || pr->reserved_by == t->nexus)) {
		pr->reserved_by = reserve ? t->nexus : NULL;
		pr_tell(t->lun);
	} else if (beside == BESIDE_NOTHING && reserve) {
		beside = BESIDE_CONFLICT;
	}
	pthread_mutex_unlock(&pr->lock);
	return beside != BESIDE_CONFLICT;
}

void reserve_run(struct task *t)
{
	task_status(t, change(t, true) ? STATUS_GOOD : STATUS_RESERVATION_CONFLICT);
}

/* What another reserved is not released, and that is no error. */
void release_run(struct task *t)
{
	task_status(t, change(t, false) ? STATUS_GOOD : STATUS_RESERVATION_CONFLICT);
}
