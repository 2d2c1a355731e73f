/* SPDX-License-Identifier: Apache-2.0 */
/* mode.c - MODE SENSE and MODE SELECT (SPC-5 6.13 to 6.16). */
#include "config.h"
#include <string.h>
#include "scsi/cdb.h"
#include "scsi/lun.h"
#include "scsi/mode.h"
#include "scsi/task.h"
#include "scsi/wire.h"

enum { PAGE_CACHING = 0x08, PAGE_CONTROL = 0x0a, PAGE_EXCEPTIONS = 0x1c, PAGE_ALL = 0x3f, SUBPAGE_ALL = 0xff };
enum { WP = 0x80, DPOFUA = 0x10 };	/* device specific parameter, SBC-4 6.5.1 */

static const struct mode_page pages[] = {
	{ .len = 20, .bytes = { PAGE_CACHING, 18 } },
	/* GLTSD; unrestricted reordering. */
	{ .len = 12, .bytes = { PAGE_CONTROL, 10, 0x02, 0x10 } },
	/* Nothing is ever reported: no method. */
	{ .len = 12, .bytes = { PAGE_EXCEPTIONS, 10 } },
};

static const struct mode_bit bits[] = {
	{ .page = PAGE_CACHING, .byte = 2, .mask = 0x04, .state = LUN_WCE, .needs = LUN_CACHE },
	{ .page = PAGE_CONTROL, .byte = 2, .mask = 0x04, .state = LUN_D_SENSE },
	{ .page = PAGE_CONTROL, .byte = 4, .mask = 0x08, .state = LUN_SWP },
};

const struct mode_page *mode_page_nth(unsigned n)
{
	return n < G_N_ELEMENTS(pages) ? &pages[n] : NULL;
}

const struct mode_bit *mode_bit_nth(unsigned n)
{
	return n < G_N_ELEMENTS(bits) ? &bits[n] : NULL;
}

static bool can_change(const struct lun *lun, const struct mode_bit *b)
{
	return !b->needs || lun_state(lun) & b->needs;
}

size_t mode_page_build(const struct lun *lun, const struct mode_page *page, enum mode_pc pc, uint8_t *out)
{
	unsigned state = pc == PC_DEFAULT ? lun_default_mode(lun) : lun_state(lun);

	memcpy(out, page->bytes, page->len);
	if (pc == PC_CHANGEABLE)
		memset(out + 2, 0, page->len - 2u);
	for (unsigned i = 0; i < G_N_ELEMENTS(bits); i++)
		if (bits[i].page == page->bytes[0] &&
		    (pc == PC_CHANGEABLE ? can_change(lun, &bits[i]) : (state & bits[i].state) != 0))
			out[bits[i].byte] |= bits[i].mask;
	return page->len;
}

/* ---- MODE SENSE ---- */

/* SBC-4 6.5.2: short or long LBA mode parameter block descriptor. */
static size_t put_block_descriptor(const struct lun *lun, bool long_lba, uint8_t *d)
{
	uint64_t blocks = lun_blocks(lun);

	if (long_lba) {
		put_be64(d, blocks);
		put_be32(d + 12, lun->block_size);
		return 16;
	}
	put_be32(d, (uint32_t)MIN(blocks, UINT32_MAX));
	put_be24(d + 5, lun->block_size);
	return 8;
}

static size_t put_header(struct task *t, uint8_t *d, size_t *descriptor_len)
{
	bool ten = t->op->opcode == OP_MODE_SENSE_10;
	bool long_lba = ten && t->cdb[1] & 0x10, no_descriptor = t->cdb[1] & 0x08;
	size_t len = ten ? 8 : 4;

	*descriptor_len = no_descriptor ? 0 : put_block_descriptor(t->lun, long_lba, d + len);
	d[ten ? 3 : 2] = DPOFUA | (lun_state(t->lun) & LUN_PROTECTED ? WP : 0);
	if (ten) {
		d[4] = long_lba;
		put_be16(d + 6, (uint16_t)*descriptor_len);
	} else {
		d[3] = (uint8_t)*descriptor_len;
	}
	return len + *descriptor_len;
}

void mode_sense_run(struct task *t)
{
	enum mode_pc pc = (enum mode_pc)(t->cdb[2] >> 6);
	uint8_t code = t->cdb[2] & 0x3f, subpage = t->cdb[3], *d;
	size_t at, descriptor_len, first;

	if (pc == PC_SAVED) {
		task_fail(t, SENSE_SAVING_NOT_SUPPORTED);
		return;
	}
	if (subpage != 0 && subpage != SUBPAGE_ALL) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 3, -1);
		return;
	}
	d = task_reply(t, 8 + 16 + G_N_ELEMENTS(pages) * MODE_PAGE_MAX);
	if (!d)
		return;
	at = first = put_header(t, d, &descriptor_len);
	for (unsigned i = 0; i < G_N_ELEMENTS(pages); i++)
		if (code == PAGE_ALL || code == pages[i].bytes[0])
			at += mode_page_build(t->lun, &pages[i], pc, d + at);
	if (at == first) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 2, 5);
		return;
	}
	if (t->op->opcode == OP_MODE_SENSE_10)
		put_be16(d, (uint16_t)(at - 2));
	else
		d[0] = (uint8_t)(at - 1);
	task_done_data(t, d, at);
}

/* ---- MODE SELECT ---- */

bool mode_select_check(struct task *t)
{
	if (t->cdb[1] & 0x10 || !t->xfer_len)
		return true;
	task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 1, 4);	/* PF: only pages are understood */
	return false;
}

/* The header and block descriptor: where pages start, or 0, and the task has ended. */
static size_t select_header(struct task *t)
{
	bool ten = t->op->opcode == OP_MODE_SELECT_10, long_lba;
	size_t len = ten ? 8 : 4, descriptor_len;
	const uint8_t *d = t->out;
	uint8_t now[16] = { 0 };

	if (t->out_len < len) {
		task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
		return 0;
	}
	long_lba = ten && d[4] & 1;
	descriptor_len = ten ? get_be16(d + 6) : d[3];
	if (d[ten ? 2 : 1] != 0) {	/* medium type */
		task_fail_param(t, ten ? 2 : 1, -1);
		return 0;
	}
	if (descriptor_len && descriptor_len != (long_lba ? 16u : 8u)) {
		task_fail_param(t, ten ? 6 : 3, -1);
		return 0;
	}
	if (t->out_len < len + descriptor_len) {
		task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
		return 0;
	}
	if (descriptor_len) {
		size_t count_len = long_lba ? 8 : 4;
		bool keep = true;

		/* The sizes cannot be changed; no blocks means as they are (SBC-4 6.5.2.2). */
		put_block_descriptor(t->lun, long_lba, now);
		for (size_t i = 0; i < count_len; i++)
			keep &= d[len + i] == 0;
		if ((!keep && memcmp(d + len, now, count_len)) ||
		    memcmp(d + len + descriptor_len - 3, now + descriptor_len - 3, 3)) {
			task_fail_param(t, (unsigned)len, -1);
			return 0;
		}
	}
	return len + descriptor_len;
}

static const struct mode_page *find_page(uint8_t code)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(pages); i++)
		if (pages[i].bytes[0] == code)
			return &pages[i];
	return NULL;
}

/* One page at `at`: its length, or 0, and the task has ended.  What it asks for goes to *state. */
static size_t select_page(struct task *t, size_t at, unsigned *state)
{
	const uint8_t *d = t->out + at;
	const struct mode_page *page = find_page(d[0] & 0x3f);
	uint8_t current[MODE_PAGE_MAX], changeable[MODE_PAGE_MAX];

	if (d[0] & 0x40 || !page) {	/* SPF: there are no subpages */
		task_fail_param(t, (unsigned)at, 5);
		return 0;
	}
	if (t->out_len - at < 2) {
		task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
		return 0;
	}
	if (d[1] != page->len - 2) {
		task_fail_param(t, (unsigned)at + 1, -1);
		return 0;
	}
	if (t->out_len - at < page->len) {
		task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
		return 0;
	}
	mode_page_build(t->lun, page, PC_CURRENT, current);
	mode_page_build(t->lun, page, PC_CHANGEABLE, changeable);
	for (unsigned i = 2; i < page->len; i++) {
		uint8_t wrong = (d[i] ^ current[i]) & (uint8_t)~changeable[i];

		if (wrong) {
			task_fail_param(t, (unsigned)at + i, g_bit_nth_msf(wrong, -1));
			return 0;
		}
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(bits); i++)
		if (bits[i].page == page->bytes[0])
			*state = d[bits[i].byte] & bits[i].mask ? *state | bits[i].state : *state & ~bits[i].state;
	return page->len;
}

void mode_select_run(struct task *t)
{
	unsigned old = lun_state(t->lun) & LUN_MODE_BITS, state = old;
	size_t at;

	if (!t->xfer_len) {	/* SPC-5 6.13: not an error */
		task_done(t);
		return;
	}
	if (t->out_len < t->xfer_len) {	/* a part of the list is no list */
		task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
		return;
	}
	at = select_header(t);
	if (!at)
		return;
	while (at < t->out_len) {
		size_t len = select_page(t, at, &state);

		if (!len)
			return;
		at += len;
	}
	if (state != old) {
		lun_set_state(t->lun, LUN_MODE_BITS, state);
		lun_unit_attention(t->lun, SENSE_UA_MODE_CHANGED, t->nexus);
	}
	if (old & ~state & LUN_WCE) {	/* from here on nothing written is only in the cache */
		task_io(t, GOTGT_OP_FLUSH, 0, 0, 0);
		task_submit(t, task_done);
	} else {
		task_done(t);
	}
}
