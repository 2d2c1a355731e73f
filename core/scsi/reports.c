/* SPDX-License-Identifier: Apache-2.0 */
/* reports.c - REPORT LUNS, REPORT SUPPORTED OPERATION CODES, REQUEST SENSE. */
#include "config.h"
#include <string.h>
#include "scsi/cdb.h"
#include "scsi/job.h"
#include "scsi/lun.h"
#include "scsi/task.h"
#include "scsi/wire.h"

/*
 * SPC-5 6.33, table 245: what each SELECT REPORT lists.  There are no administrative logical units here, and so no
 * subsidiary ones.
 */
static const struct { uint8_t select; bool ordinary, well_known, of_device; } selections[] = {
	{ .select = 0x00, .ordinary = true },
	{ .select = 0x01, .well_known = true },
	{ .select = 0x02, .ordinary = true, .well_known = true },
	{ .select = 0x10, .of_device = true },		/* administrative ones */
	{ .select = 0x11, .of_device = true, .ordinary = true },	/* those, and what is no part of a conglomerate */
	{ .select = 0x12 },				/* the addressed one's subsidiaries */
};

static void list_luns(struct task *t, bool ordinary, bool well_known)
{
	struct lun_map *map = atomic_load_explicit(&t->nexus->target->map, memory_order_acquire);
	uint32_t end = t->nexus->view ? lun_view_end(t->nexus->view) : map->n;
	size_t len = well_known ? 16 : 8, at = 8;
	uint8_t *d;

	for (uint32_t i = 0; i < end && ordinary; i++)
		len += nexus_find(t->nexus, (int)i) ? 8 : 0;
	d = task_reply(t, len);
	if (!d)
		return;
	put_be32(d, (uint32_t)(len - 8));
	for (uint32_t i = 0; i < end && ordinary; i++)
		if (nexus_find(t->nexus, (int)i)) {
			lun_format(d + at, i);
			at += 8;
		}
	if (well_known)
		lun_format_report_luns(d + at);
	task_done_data(t, d, len);
}

void report_luns_run(struct task *t)
{
	/* LUN 0 answers where there is none, too (SAM-5 4.7.4). */
	bool of_device = t->well_known || lun_parse(t->lun_addr) == 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(selections); i++)
		if (selections[i].select == t->cdb[2] && (of_device || !selections[i].of_device)) {
			/* Forget first: what changes from here on is news again. */
			nexus_clear_ua_all(t->nexus, UA_LUNS_CHANGED);
			list_luns(t, selections[i].ordinary, selections[i].well_known);
			return;
		}
	task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 2, -1);
}

/* ---- REPORT SUPPORTED OPERATION CODES, SPC-5 6.34 ---- */

enum { RSOC_ALL = 0, RSOC_OPCODE = 1, RSOC_OPCODE_SA = 2, RSOC_EITHER = 3 };
enum { RSOC_RCTD = 0x80, RSOC_CTDP = 0x02, RSOC_SERVACTV = 0x01, RSOC_ONE_CTDP = 0x80, RSOC_TIMEOUTS = 12 };
enum { SUPPORT_NO = 1, SUPPORT_STANDARD = 3 };

/* A command timeouts descriptor that names no times. */
static size_t put_timeouts(uint8_t *d)
{
	memset(d, 0, RSOC_TIMEOUTS);
	put_be16(d, RSOC_TIMEOUTS - 2);
	return RSOC_TIMEOUTS;
}

static void report_all(struct task *t, bool timeouts)
{
	size_t row = 8 + (timeouts ? RSOC_TIMEOUTS : 0), at = 4;
	const struct cdb_op *op;
	unsigned n = 0;
	uint8_t *d;

	while (cdb_nth(n))
		n++;
	d = task_reply(t, 4 + n * row);
	if (!d)
		return;
	for (unsigned i = 0; (op = cdb_nth(i)); i++) {
		if (!cdb_supported(op, t->lun))
			continue;
		d[at] = op->opcode;
		put_be16(d + at + 2, op->flags & CDB_SA ? op->sa : 0);
		d[at + 5] = (op->flags & CDB_SA ? RSOC_SERVACTV : 0) | (timeouts ? RSOC_CTDP : 0);
		put_be16(d + at + 6, op->len);
		at += 8;
		if (timeouts)
			at += put_timeouts(d + at);
	}
	put_be32(d, (uint32_t)(at - 4));
	task_done_data(t, d, at);
}

static void report_one(struct task *t, const struct cdb_op *op, bool timeouts)
{
	uint8_t *d = task_reply(t, 4 + CDB_LEN_MAX + RSOC_TIMEOUTS);
	size_t at = 4;

	d[1] = op ? SUPPORT_STANDARD : SUPPORT_NO;
	if (op) {
		put_be16(d + 2, op->len);
		cdb_usage(op, t->lun, d + at);
		at += op->len;
		if (timeouts) {
			d[1] |= RSOC_ONE_CTDP;
			at += put_timeouts(d + at);
		}
	}
	task_done_data(t, d, at);
}

void report_opcodes_run(struct task *t)
{
	uint8_t opcode = t->cdb[3], options = t->cdb[2] & 7;
	uint16_t sa = get_be16(t->cdb + 4);
	bool timeouts = t->cdb[2] & RSOC_RCTD, has_sa = cdb_has_service_actions(opcode);

	if (options > RSOC_EITHER) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 2, 2);
		return;
	}
	if (options == RSOC_ALL) {
		report_all(t, timeouts);
		return;
	}
	/* Asked for in the wrong way: table 250.  An operation code that is not there is just not supported. */
	if ((options == RSOC_OPCODE && has_sa) ||
	    (options == RSOC_OPCODE_SA && !has_sa && cdb_lookup(t->lun, opcode, 0))) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 2, 2);
		return;
	}
	if (options == RSOC_OPCODE)
		sa = 0;
	report_one(t, cdb_lookup(t->lun, opcode, sa), timeouts);
}

/* SPC-5 6.36; no timeouts are named. */
void report_functions_run(struct task *t)
{
	enum { REPD = 0x80, SHORT_LEN = 4, LONG_LEN = 16 };
	size_t len = t->cdb[2] & REPD ? LONG_LEN : SHORT_LEN;
	uint8_t *d = task_reply(t, LONG_LEN);

	put_be16(d, (uint16_t)target_functions(t->nexus->target));
	d[3] = (uint8_t)(len - SHORT_LEN);
	task_done_data(t, d, len);
}

/* ---- REQUEST SENSE, SPC-5 6.40 ---- */

void request_sense_run(struct task *t)
{
	bool descriptor = t->cdb[1] & 1;
	enum sense_code code = t->well_known ? SENSE_NONE : SENSE_LUN_NOT_SUPPORTED;
	struct sense_field field = { .valid = false };
	size_t len;

	if (t->lun) {
		code = ua_take(t->nl);
		if (code == SENSE_NONE)
			code = job_sense(t->lun, &field);
		if (code == SENSE_NONE)
			code = lun_not_ready(lun_state(t->lun));
	}
	len = sense_build(t->small, sizeof t->small, descriptor, code, &field, false, 0);
	task_done_data(t, t->small, len);
}
