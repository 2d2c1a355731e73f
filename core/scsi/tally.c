/* SPDX-License-Identifier: Apache-2.0 */
/* tally.c - which row of the counters a command is. */
#include "config.h"
#include "scsi/cdb.h"
#include "scsi/lun.h"
#include "scsi/tally.h"

/* Rows of errors: those of sense_rows, then these. */
static const struct { uint8_t status; const char *name; } statuses[] = {
	{ STATUS_BUSY, "BUSY" }, { STATUS_RESERVATION_CONFLICT, "RESERVATION CONFLICT" },
	{ STATUS_TASK_SET_FULL, "TASK SET FULL" }, { STATUS_ACA_ACTIVE, "ACA ACTIVE" },
	{ STATUS_TASK_ABORTED, "TASK ABORTED" },
};
enum { ABORTED_ROW = SENSE_COUNT + G_N_ELEMENTS(statuses) - 1 };
G_STATIC_ASSERT(ABORTED_ROW < STATS_ERRORS);

static const char *const keys[16] = {
	[KEY_NO_SENSE] = "NO SENSE", [KEY_RECOVERED_ERROR] = "RECOVERED ERROR", [KEY_NOT_READY] = "NOT READY",
	[KEY_MEDIUM_ERROR] = "MEDIUM ERROR", [KEY_HARDWARE_ERROR] = "HARDWARE ERROR",
	[KEY_ILLEGAL_REQUEST] = "ILLEGAL REQUEST", [KEY_UNIT_ATTENTION] = "UNIT ATTENTION",
	[KEY_DATA_PROTECT] = "DATA PROTECT", [KEY_COPY_ABORTED] = "COPY ABORTED",
	[KEY_ABORTED_COMMAND] = "ABORTED COMMAND", [KEY_MISCOMPARE] = "MISCOMPARE",
};

/* Aborted ones have no status where they vanish (SAM-5 5.6); what was given up has one unless it was. */
static unsigned error_row(const struct task *t)
{
	if (t->aborted && !(t->given_up && t->status == STATUS_CHECK_CONDITION))
		return ABORTED_ROW;
	if (t->status == STATUS_CHECK_CONDITION)
		return t->sense_code;
	for (unsigned i = 0; i < G_N_ELEMENTS(statuses); i++)
		if (statuses[i].status == t->status)
			return SENSE_COUNT + i;
	return 0;
}

void tally_task(const struct task *t, struct stats_end *e)
{
	bool known, good = t->status == STATUS_GOOD && !t->aborted;
	/* What was refused before it was looked at has a name all the same. */
	const struct cdb_op *op = t->op ? t->op : cdb_find(t->cdb, &known);

	e->n = 1;
	e->opcode = op ? cdb_row(op) : TALLY_UNKNOWN;
	e->kind = tally_kind(e->opcode);
	e->error = G_LIKELY(good) ? 0 : error_row(t);
	e->bytes = !good || e->kind == STATS_OTHER ? 0 : e->kind == STATS_READ ? t->in_len : t->out_len;
}

struct stats *tally_block_of(struct lun *lun, struct reactor *r)
{
	return stats_get(&lun->count[reactor_index(r)].stats);
}

struct stats *tally_block(const struct task *t)
{
	return t->lun ? tally_block_of(t->lun, t->reactor) : NULL;
}

const char *tally_opcode(unsigned row)
{
	const struct cdb_op *op = cdb_nth(row);

	return op ? op->name : row == TALLY_UNKNOWN ? "UNKNOWN" : NULL;
}

const char *tally_error(unsigned row, char buf[TALLY_NAME_MAX])
{
	if (row >= SENSE_COUNT)
		return row - SENSE_COUNT < G_N_ELEMENTS(statuses) ? statuses[row - SENSE_COUNT].name : NULL;
	if (!row)
		return NULL;
	g_snprintf(buf, TALLY_NAME_MAX, "%s %02Xh/%02Xh", keys[sense_rows[row].key], sense_rows[row].asc,
		   sense_rows[row].ascq);
	return buf;
}

unsigned tally_depth(const struct task *t)
{
	return t->lun ? atomic_load_explicit(&t->lun->count[reactor_index(t->reactor)].n, memory_order_relaxed) : 0;
}

bool tally_lun(const struct lun *lun, struct stats_sum *sum)
{
	bool any = false;

	for (unsigned i = 0; i < lun->target->engine->n_reactors; i++) {
		struct lun_count *count = (struct lun_count *)&lun->count[i];

		any = stats_sum_add_at(sum, &count->stats) || any;
		sum->depth += atomic_load_explicit(&count->n, memory_order_relaxed);
	}
	sum->depth_max = MAX(sum->depth_max, sum->depth);
	return any;
}
