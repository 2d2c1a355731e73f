/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy.c - EXTENDED COPY(LID1) (SPC-4 6.4, 5.16): from block device to block device, both logical units of ours.
 * The whole parameter list is looked at before anything is copied; then a segment after the other, chunk by chunk.
 */
#include "config.h"
#include <string.h>
#include "scsi/cdb.h"
#include "scsi/copy.h"
#include "scsi/job.h"
#include "scsi/lun.h"
#include "scsi/pr.h"
#include "scsi/task.h"
#include "scsi/watch.h"
#include "scsi/wire.h"

#define CHUNK_BYTES (16u << 20)	/* between two looks at whether the logical units stay */

/* A copy under way, in the task's second buffer. */
struct copy {
	struct device_copy dc;
	struct task *task;
	struct copy_record *record;	/* NULL: without a list identifier */
	const uint8_t *cscds, *segments;	/* in the parameter list */
	unsigned n_cscds, n_segments, segment;
	struct lun *luns[COPY_CSCDS_MAX];	/* held; NULL: not found */
	bool read_only[COPY_CSCDS_MAX];		/* to this initiator */
	/* the segment */
	struct lun *from, *to;
	uint64_t from_offset, to_offset, done, total;	/* bytes */
	/* What atomic commands are kept from while a chunk is copied; claims: how many are taken or asked for. */
	struct range ranges[2];
	unsigned claims;
};
G_STATIC_ASSERT(sizeof(struct copy) <= BUF_MIN);

/* Why a logical unit does not do its part, as if it had been asked by a command. */
struct refusal { uint8_t status; enum sense_code code; };

static struct copy *copy_of(struct task *t)
{
	return (struct copy *)(void *)t->buf2->data;
}

/* ---- the parameter list, SPC-4 6.4.2 ---- */

bool extended_copy_check(struct task *t)
{
	if (t->xfer_len <= COPY_HEADER + COPY_LIST_MAX)
		return true;
	task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
	return false;
}

/* The first 16 bytes: false, and the task has ended. */
static bool check_header(struct task *t)
{
	const uint8_t *list = t->out;
	uint32_t cscds, segments, inline_data;
	uint8_t usage;

	if (t->out_len < COPY_HEADER) {
		task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
		return false;
	}
	cscds = get_be16(list + 2);
	segments = get_be32(list + 8);
	inline_data = get_be32(list + 12);
	usage = list[1] >> 3 & 3;
	if (usage == 1)
		task_fail_param(t, 1, 4);
	else if (usage == LIST_ID_NONE && list[0])
		task_fail_param(t, 0, -1);
	else if (inline_data)
		task_fail(t, SENSE_INLINE_DATA);
	else if ((uint64_t)COPY_HEADER + cscds + segments > t->out_len)
		task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
	else if (cscds % CSCD_LEN)
		task_fail_param(t, 2, -1);
	else if (cscds / CSCD_LEN > COPY_CSCDS_MAX)
		task_fail(t, SENSE_TOO_MANY_CSCDS);
	else
		return true;
	return false;
}

static bool check_cscds(struct copy *c)
{
	for (unsigned i = 0; i < c->n_cscds; i++)
		if (c->cscds[i * CSCD_LEN] != CSCD_IDENTIFICATION) {
			task_fail(c->task, SENSE_CSCD_TYPE);
			return false;
		}
	return true;
}

static bool check_segments(struct copy *c, uint32_t len)
{
	unsigned n = 0;

	for (uint32_t at = 0; at < len; at += SEGMENT_LEN, n++) {
		const uint8_t *d = c->segments + at;

		if (n == COPY_SEGMENTS_MAX)
			task_fail(c->task, SENSE_TOO_MANY_SEGMENTS);
		else if (d[0] != SEGMENT_BLOCK_TO_BLOCK)
			task_fail(c->task, SENSE_SEGMENT_TYPE);
		else if (len - at < SEGMENT_LEN)
			task_fail(c->task, SENSE_PARAMETER_LIST_LENGTH);
		else if (get_be16(d + 2) != SEGMENT_LEN - 4)
			task_fail_param(c->task, (unsigned)(d - c->task->out) + 2, -1);
		else
			continue;
		return false;
	}
	c->n_segments = n;
	return true;
}

/* ---- who they are ---- */

static const uint8_t *cscd(const struct copy *c, unsigned id)
{
	return c->cscds + (size_t)id * CSCD_LEN;
}

static bool is_block_device(const uint8_t *cscd_)
{
	return (cscd_[1] & 0x1f) == 0;
}

/* One that is not found matters when a segment names it.  False: the task has ended. */
static bool find_luns(struct copy *c)
{
	struct task *t = c->task;

	for (unsigned i = 0; i < c->n_cscds; i++) {
		const uint8_t *d = cscd(c, i);

		c->luns[i] = lun_find_named(t->nexus, t->lun, d + 4, 24, t->reactor, &c->read_only[i]);
		if (c->luns[i] && is_block_device(d) && get_be24(d + 29) != c->luns[i]->block_size) {
			task_fail_param(t, (unsigned)(d - t->out) + 29, -1);
			return false;
		}
	}
	return true;
}

/* Not yet on its way out. */
static bool stays(const struct copy *c, const struct lun *lun)
{
	return !lun->count[reactor_index(c->task->reactor)].draining;
}

/* May the nexus read, or write, this logical unit now?  As the checks of READ and WRITE would say. */
static struct refusal copy_may_access(struct lun *lun, struct nexus *n, bool write, bool read_only)
{
	unsigned state = lun_state(lun);
	struct sense_field field;

	if (pr_bars(lun, n, write ? PR_WRITES : PR_READS))
		return (struct refusal){ STATUS_RESERVATION_CONFLICT, SENSE_NONE };
	if (state & LUN_JOB)
		return (struct refusal){ STATUS_CHECK_CONDITION, job_sense(lun, &field) };
	if (state & LUN_NOT_READY)
		return (struct refusal){ STATUS_CHECK_CONDITION, lun_not_ready(state) };
	if (write && (state & LUN_PROTECTED || read_only))
		return (struct refusal){ STATUS_CHECK_CONDITION, SENSE_WRITE_PROTECTED };
	return (struct refusal){ STATUS_GOOD, SENSE_NONE };
}

/* ---- the end ---- */

static const uint8_t *segment(const struct copy *c)
{
	return c->segments + (size_t)c->segment * SEGMENT_LEN;
}

enum { OF_SOURCE, OF_DESTINATION, OF_COPY };

/* SPC-4 4.5.2.3: the segment, and where the sense data of a device begins. */
static void put_command_specific(const struct copy *c, uint8_t *d, int whose, uint8_t at)
{
	if (whose != OF_COPY)
		d[whose] = at;
	put_be16(d + 2, (uint16_t)c->segment);
}

static size_t add_fixed(const struct copy *c, uint8_t *sense, size_t len, int whose, const struct refusal *why)
{
	put_command_specific(c, sense + 8, whose, (uint8_t)len);
	if (whose != OF_COPY) {
		sense[len++] = why->status;
		if (why->status == STATUS_CHECK_CONDITION)
			len += sense_build(sense + len, TASK_SENSE_MAX - len, false, why->code, NULL, false, 0);
	}
	sense[7] = (uint8_t)(len - 8);
	return len;
}

/* A command specific information (SPC-4 4.5.2.3) and a forwarded sense data descriptor (4.5.2.8). */
static size_t add_descriptors(const struct copy *c, uint8_t *sense, size_t len, int whose, const struct refusal *why)
{
	enum { COMMAND_SPECIFIC = 0x01, FORWARDED = 0x0c, FROM_SOURCE = 1 };
	uint8_t *d = sense + len;

	d[0] = COMMAND_SPECIFIC;
	d[1] = 0x0a;
	put_command_specific(c, d + 4, OF_COPY, 0);
	d += 12;
	if (whose != OF_COPY) {
		size_t n = 0;

		if (why->status == STATUS_CHECK_CONDITION)
			n = sense_build(d + 4, (size_t)(sense + TASK_SENSE_MAX - d) - 4, true, why->code, NULL, false, 0);
		d[0] = FORWARDED;
		d[1] = (uint8_t)(2 + n);
		d[2] = (uint8_t)(FROM_SOURCE + whose);
		d[3] = why->status;
		d += 4 + n;
	}
	sense[7] = (uint8_t)(d - sense - 8);
	return (size_t)(d - sense);
}

/* Units of the segment's count not copied. */
static uint64_t residue(const struct copy *c)
{
	const struct lun *unit = segment(c)[1] & 0x02 ? c->to : c->from;

	return c->total ? (c->total - c->done) >> unit->block_shift : get_be16(segment(c) + 10);
}

/* CHECK CONDITION, COPY ABORTED; byte: of the segment descriptor, or -1. */
static void abort_copy(struct copy *c, enum sense_code code, int byte, int whose, const struct refusal *why)
{
	struct task *t = c->task;
	struct sense_field field = { .valid = byte >= 0, .in_segment = true, .byte = (uint16_t)byte };
	bool descriptor = lun_state(t->lun) & LUN_D_SENSE;
	size_t len;

	memset(t->sense, 0, sizeof t->sense);
	len = sense_build(t->sense, sizeof t->sense, descriptor, code, &field, true, residue(c));
	len = (descriptor ? add_descriptors : add_fixed)(c, t->sense, len, whose, why);
	t->sense_code = (uint8_t)code;
	t->sense_len = (uint16_t)len;
	task_status(t, STATUS_CHECK_CONDITION);
}

static void device_refused(struct copy *c, int whose, struct refusal why)
{
	abort_copy(c, SENSE_COPY_DEVICE_FAILURE, -1, whose, &why);
}

static void give_ranges(struct copy *c)
{
	range_give(&c->ranges[0]);
	range_give(&c->ranges[1]);
	c->claims = 0;
}

/* However the task ends: aborted, failed or done. */
static void copy_ended(struct task *t)
{
	struct copy *c = copy_of(t);

	give_ranges(c);
	for (unsigned i = 0; i < c->n_cscds; i++)
		if (c->luns[i])
			lun_release(c->luns[i], t->reactor);
	if (c->record)
		copy_record_end(c->record, t);
}

/* The record is its nexus's. */
static void copy_parts(struct task *t)
{
	struct copy *c = copy_of(t);

	if (c->record)
		copy_record_end(c->record, t);
	c->record = NULL;
}

/* ---- a segment, SPC-4 6.4.6.5 ---- */

/* False: the task has ended. */
static bool resolve(struct copy *c, unsigned at, struct lun **lun)
{
	unsigned id = get_be16(segment(c) + at);

	if (id == CSCD_ID_THIS) {
		*lun = c->task->lun;
		return true;
	}
	if (id >= c->n_cscds)
		abort_copy(c, SENSE_COPY_UNREACHABLE, (int)at, OF_COPY, NULL);
	else if (!c->luns[id] || !stays(c, c->luns[id]))
		abort_copy(c, SENSE_COPY_DEVICE_NOT_REACHABLE, (int)at, OF_COPY, NULL);
	else if (!is_block_device(cscd(c, id)))
		abort_copy(c, SENSE_COPY_DEVICE_TYPE, (int)at, OF_COPY, NULL);
	else
		return *lun = c->luns[id], true;
	return false;
}

static bool in_range(const struct lun *lun, uint64_t lba, uint64_t bytes)
{
	uint64_t blocks = lun_blocks(lun);

	return lba <= blocks && bytes >> lun->block_shift <= blocks - lba;
}

/* By what the initiator may write, where it is not the logical unit that says so. */
static bool protected_from(const struct copy *c)
{
	for (unsigned i = 0; i < c->n_cscds; i++)
		if (c->luns[i] == c->to)
			return c->read_only[i];
	return nexus_protects(c->task->nexus, c->to);
}

static bool accessible(struct copy *c)
{
	struct refusal why = copy_may_access(c->from, c->task->nexus, false, false);

	if (why.status != STATUS_GOOD) {
		device_refused(c, OF_SOURCE, why);
		return false;
	}
	why = copy_may_access(c->to, c->task->nexus, true, protected_from(c));
	if (why.status != STATUS_GOOD)
		device_refused(c, OF_DESTINATION, why);
	return why.status == STATUS_GOOD;
}

/* Find out what is to be copied; false: the task has ended. */
static bool begin_segment(struct copy *c)
{
	enum { DC = 0x02, COUNT_AT = 10, SOURCE_AT = 12, DESTINATION_AT = 20 };
	const uint8_t *d = segment(c);
	uint64_t from = get_be64(d + SOURCE_AT), to = get_be64(d + DESTINATION_AT);

	c->from = c->to = NULL;
	c->done = c->total = 0;
	if (!resolve(c, 4, &c->from) || !resolve(c, 6, &c->to))
		return false;
	c->total = (uint64_t)get_be16(d + COUNT_AT) << (d[1] & DC ? c->to : c->from)->block_shift;
	/* Whole blocks of both; what is left over is neither padded (PAD) nor kept for the next one (CAT). */
	if (c->total & (c->from->block_size - 1) || c->total & (c->to->block_size - 1)) {
		abort_copy(c, SENSE_COPY_INEXACT_SEGMENT, COUNT_AT, OF_COPY, NULL);
		return false;
	}
	if (!in_range(c->from, from, c->total) || !in_range(c->to, to, c->total)) {
		abort_copy(c, SENSE_COPY_ABORTED, in_range(c->from, from, c->total) ? DESTINATION_AT : SOURCE_AT,
			   OF_COPY, NULL);
		return false;
	}
	c->from_offset = from << c->from->block_shift;
	c->to_offset = to << c->to->block_shift;
	return accessible(c);
}

static void next_chunk(struct copy *c);

static void chunk_done(struct device_copy *dc, enum gotgt_status status)
{
	struct copy *c = container_of(dc, struct copy, dc);

	if (!task_back(c->task))
		return;
	give_ranges(c);
	if (status == GOTGT_OK) {
		c->done += dc->length;
		if (c->record)
			c->record->bytes += dc->length;
		next_chunk(c);
	} else {
		struct refusal why;

		why.status = (uint8_t)task_device_error(status, dc->reading_failed, &why.code);
		device_refused(c, dc->reading_failed ? OF_SOURCE : OF_DESTINATION, why);
	}
}

/* Nothing is left of it once the chunk has come back. */
static bool leave(struct task *t)
{
	device_copy_cancel(&copy_of(t)->dc);
	return false;
}

/* Overlapping towards the end: the last chunk first, as device_copy() does within one. */
static uint64_t chunk_at(const struct copy *c, uint64_t len)
{
	bool backwards = c->from == c->to && c->to_offset > c->from_offset && c->to_offset - c->from_offset < c->total;

	return backwards ? c->total - c->done - len : c->done;
}

static void submit_chunk(struct copy *c)
{
	uint64_t len = MIN(c->total - c->done, CHUNK_BYTES), at = chunk_at(c, len);
	bool through = (lun_state(c->to) & (LUN_CACHE | LUN_WCE)) == LUN_CACHE;

	c->dc.reactor = c->task->reactor;
	c->dc.from = c->from->dev;
	c->dc.to = c->to->dev;
	c->dc.from_offset = c->from_offset + at;
	c->dc.to_offset = c->to_offset + at;
	c->dc.length = len;
	c->dc.flush = through && c->done + len == c->total;
	c->dc.done = chunk_done;
	c->task->in_query = true;
	c->task->leave = leave;
	watch_begin(c->task, c->to, WATCH_LONG);
	device_copy(&c->dc);
}

/* ---- the blocks it is at ---- */

static void claim(struct copy *c);

static void claimed(struct range *r, struct copy *c)
{
	if (task_back(c->task))
		claim(c);
}

static void claimed_first(struct range *r)
{
	claimed(r, container_of(r, struct copy, ranges[0]));
}

static void claimed_second(struct range *r)
{
	claimed(r, container_of(r, struct copy, ranges[1]));
}

static bool leave_claim(struct task *t)
{
	struct copy *c = copy_of(t);

	return range_leave(&c->ranges[c->claims - 1]);
}

/* False: granted() comes later. */
static bool take(struct copy *c, struct lun *lun, uint64_t first_offset, uint64_t last_offset, uint64_t len)
{
	struct range *r = &c->ranges[c->claims];

	r->granted = c->claims++ ? claimed_second : claimed_first;
	if (range_take(r, lun, c->task->reactor, first_offset >> lun->block_shift,
		       (last_offset + len) >> lun->block_shift, false))
		return true;
	c->task->in_query = true;
	c->task->leave = leave_claim;
	return false;
}

/*
 * Claim what the next chunk is about, then copy it.  Within a logical unit that is one range with what lies between; of
 * two, always the same one comes first: so nobody who holds one waits for who waits for that.
 */
static void claim(struct copy *c)
{
	uint64_t len = MIN(c->total - c->done, CHUNK_BYTES), at = chunk_at(c, len);
	uint64_t from = c->from_offset + at, to = c->to_offset + at;
	bool from_first = (uintptr_t)c->from < (uintptr_t)c->to;

	if (c->from == c->to) {
		if (!c->claims && !take(c, c->from, MIN(from, to), MAX(from, to), len))
			return;
	} else {
		if (!c->claims && !take(c, from_first ? c->from : c->to, from_first ? from : to, from_first ? from : to, len))
			return;
		if (c->claims == 1 && !take(c, from_first ? c->to : c->from, from_first ? to : from,
					    from_first ? to : from, len))
			return;
	}
	/* What waits for those at the medium to end looked after setting the state: look again. */
	if (accessible(c))
		submit_chunk(c);
}

/* Go on with this segment, or those that follow; the task ends with the last. */
static void next_chunk(struct copy *c)
{
	if (c->done < c->total && !(stays(c, c->from) && stays(c, c->to))) {
		abort_copy(c, SENSE_COPY_DEVICE_NOT_REACHABLE, -1, OF_COPY, NULL);
		return;
	}
	while (c->done == c->total) {
		c->segment++;
		if (c->record)
			c->record->segments = (uint16_t)c->segment;
		if (c->segment == c->n_segments) {
			task_done(c->task);
			return;
		}
		if (!begin_segment(c))
			return;
	}
	claim(c);
}

/* ---- the command ---- */

/* False: the task has ended. */
static bool take_record(struct copy *c)
{
	const uint8_t *list = c->task->out;
	uint8_t usage = list[1] >> 3 & 3;
	enum sense_code code;

	if (usage == LIST_ID_NONE)
		return true;
	c->record = copy_record_begin(c->task->nexus, c->task->lun, list[0], usage == LIST_ID_HOLD, &code);
	if (c->record)
		return true;
	if (code == SENSE_NONE)
		task_status(c->task, STATUS_BUSY);
	else
		task_fail(c->task, code);
	return false;
}

/* STR is for streams, and PRIORITY has nothing to be compared with: copies share the workers with all else. */
void extended_copy_run(struct task *t)
{
	struct copy *c;

	if (!t->xfer_len) {	/* not an error */
		task_done(t);
		return;
	}
	if (!check_header(t) || !task_get_buf(t, &t->buf2, sizeof *c))
		return;
	c = copy_of(t);
	memset(c, 0, sizeof *c);
	c->task = t;
	c->cscds = t->out + COPY_HEADER;
	c->n_cscds = get_be16(t->out + 2) / CSCD_LEN;
	c->segments = c->cscds + (size_t)c->n_cscds * CSCD_LEN;
	t->ending = copy_ended;
	t->parting = copy_parts;
	if (!check_cscds(c) || !check_segments(c, get_be32(t->out + 8)) || !find_luns(c) || !take_record(c))
		return;
	if (!c->n_segments)
		task_done(t);
	else if (begin_segment(c))
		next_chunk(c);
}
