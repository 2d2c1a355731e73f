/* SPDX-License-Identifier: Apache-2.0 */
/* copy-results.c - what is kept of third-party copies, RECEIVE COPY RESULTS (SPC-4 6.24 to 6.26), VPD page 8Fh. */
#include "config.h"
#include <string.h>
#include "scsi/cdb.h"
#include "scsi/copy.h"
#include "scsi/lun.h"
#include "scsi/task.h"
#include "scsi/vpd.h"
#include "scsi/wire.h"

/* ---- records; all of a nexus is on its reactor ---- */

struct copy_records {
	uint64_t age;
	struct copy_record all[COPY_RECORDS_MAX];
};

static bool is_of(const struct copy_record *r, const struct lun *lun)
{
	return r->used && r->lun == lun->number && r->epoch == atomic_load(&((struct lun *)lun)->copy_epoch);
}

static struct copy_record *find(struct nexus *n, const struct lun *lun, uint8_t list_id)
{
	for (unsigned i = 0; n->copies && i < COPY_RECORDS_MAX; i++)
		if (is_of(&n->copies->all[i], lun) && n->copies->all[i].list_id == list_id)
			return &n->copies->all[i];
	return NULL;
}

/* A free one, or else the oldest that has ended. */
static struct copy_record *find_room(struct copy_records *c)
{
	struct copy_record *oldest = NULL;

	for (unsigned i = 0; i < COPY_RECORDS_MAX; i++) {
		struct copy_record *r = &c->all[i];

		if (!r->used)
			return r;
		if (!r->running && (!oldest || r->age < oldest->age))
			oldest = r;
	}
	return oldest;
}

struct copy_record *copy_record_begin(struct nexus *n, const struct lun *lun, uint8_t list_id, bool hold,
				      enum sense_code *code)
{
	struct copy_record *r = find(n, lun, list_id);

	*code = SENSE_NONE;
	if (r && r->running) {
		*code = SENSE_OPERATION_IN_PROGRESS;
		return NULL;
	}
	if (!n->copies)
		n->copies = g_try_new0(struct copy_records, 1);
	if (!r && n->copies)
		r = find_room(n->copies);
	if (r)
		*r = (struct copy_record){ .used = true, .running = true, .hold = hold, .list_id = list_id,
					   .lun = lun->number, .epoch = atomic_load(&((struct lun *)lun)->copy_epoch),
					   .age = ++n->copies->age };
	return r;
}

void copy_record_end(struct copy_record *r, const struct task *t)
{
	r->running = false;
	r->status = t->status;
	r->sense_len = MIN(t->sense_len, (uint16_t)sizeof r->sense);
	memcpy(r->sense, t->sense, r->sense_len);
	if (t->aborted || (!r->hold && t->status == STATUS_GOOD))
		r->used = false;
}

/* ---- RECEIVE COPY RESULTS ---- */

/* SPC-4 6.24 */
void copy_status_run(struct task *t)
{
	enum { LEN = 12, COMPLETED = 1, FAILED = 2, KIB = 1 };
	const struct copy_record *r = find(t->nexus, t->lun, t->cdb[2]);
	uint64_t count;
	uint8_t *d;

	if (!r) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 2, -1);
		return;
	}
	d = task_reply(t, LEN);
	put_be32(d, LEN - 4);
	if (!r->running)
		d[4] = r->status == STATUS_GOOD ? COMPLETED : FAILED;
	put_be16(d + 5, r->segments);
	count = r->bytes;
	if (count > UINT32_MAX) {
		d[7] = KIB;
		count = MIN(count >> 10, UINT32_MAX);
	}
	put_be32(d + 8, (uint32_t)count);
	task_done_data(t, d, LEN);
}

/* SPC-4 6.26 */
void copy_failed_segment_run(struct task *t)
{
	enum { SENSE_AT = 60 };
	struct copy_record *r = find(t->nexus, t->lun, t->cdb[2]);
	uint8_t *d = task_reply(t, SENSE_AT + sizeof r->sense);
	size_t len = 4;

	if (!d)
		return;
	if (r && !r->running && r->status != STATUS_GOOD) {
		len = SENSE_AT + r->sense_len;
		d[56] = r->status;
		put_be16(d + 58, r->sense_len);
		memcpy(d + SENSE_AT, r->sense, r->sense_len);
		put_be32(d, (uint32_t)len - 4);
		/* Told in full, or not wanted at all: forgotten. */
		if (MIN(t->xfer_len, t->edtl_in) >= len || !t->xfer_len)
			r->used = false;
	}
	task_done_data(t, d, len);
}

/* What is implemented, in rising order (SPC-4 6.25). */
static const uint8_t descriptor_types[] = { SEGMENT_BLOCK_TO_BLOCK, CSCD_IDENTIFICATION };

void copy_parameters_run(struct task *t)
{
	enum { LIST_AT = 44, SNLID = 0x01 };
	size_t len = LIST_AT + sizeof descriptor_types;
	uint8_t *d = task_reply(t, len);

	put_be32(d, (uint32_t)len - 4);
	d[4] = SNLID;
	put_be16(d + 8, COPY_CSCDS_MAX);
	put_be16(d + 10, COPY_SEGMENTS_MAX);
	put_be32(d + 12, COPY_LIST_MAX);	/* segments are as long as their field can say; no inline or held data */
	put_be16(d + 34, COPY_RECORDS_MAX);
	d[36] = COPY_RECORDS_MAX;
	d[37] = t->lun->block_shift;
	d[43] = sizeof descriptor_types;
	memcpy(d + LIST_AT, descriptor_types, sizeof descriptor_types);
	task_done_data(t, d, len);
}

/* ---- VPD page 8Fh, SPC-4 7.8.17 ---- */

enum { TPC_COMMANDS = 0x0001, TPC_PARAMETERS = 0x0004, TPC_DESCRIPTORS = 0x0008, TPC_CSCD_IDS = 0x000c,
       TPC_GENERAL = 0x8001 };

/* The header in front of len bytes, padded to four; bytes in all. */
static size_t put_header(uint8_t *d, uint16_t type, size_t len)
{
	len = (len + 3) & ~(size_t)3;
	put_be16(d, type);
	put_be16(d + 2, (uint16_t)len);
	return 4 + len;
}

/* From the table of commands, where service actions of an operation code follow each other. */
static size_t put_commands(uint8_t *d)
{
	uint8_t *list = d + 5, *entry = NULL;
	const struct cdb_op *op;
	size_t at = 0;

	for (unsigned i = 0; (op = cdb_nth(i)); i++) {
		if (op->opcode != OP_THIRD_PARTY_COPY_OUT && op->opcode != OP_THIRD_PARTY_COPY_IN)
			continue;
		if (!entry || entry[0] != op->opcode) {
			entry = list + at;
			entry[0] = op->opcode;
			entry[1] = 0;
			at += 2;
		}
		list[at++] = op->sa;
		entry[1]++;
	}
	d[4] = (uint8_t)at;
	return put_header(d, TPC_COMMANDS, 1 + at);
}

size_t vpd_third_party_copy(struct task *t, uint8_t *d)
{
	size_t at = put_commands(d);

	put_be16(d + at + 8, COPY_CSCDS_MAX);
	put_be16(d + at + 10, COPY_SEGMENTS_MAX);
	put_be32(d + at + 12, COPY_LIST_MAX);
	at += put_header(d + at, TPC_PARAMETERS, 0x1c);
	d[at + 4] = sizeof descriptor_types;
	memcpy(d + at + 5, descriptor_types, sizeof descriptor_types);
	at += put_header(d + at, TPC_DESCRIPTORS, 1 + sizeof descriptor_types);
	put_be16(d + at + 4, 2);
	put_be16(d + at + 6, CSCD_ID_THIS);
	at += put_header(d + at, TPC_CSCD_IDS, 4);
	put_be32(d + at + 4, COPY_RECORDS_MAX);
	put_be32(d + at + 8, COPY_RECORDS_MAX);
	d[at + 16] = t->lun->block_shift;
	return at + put_header(d + at, TPC_GENERAL, 0x20);
}
