/* SPDX-License-Identifier: Apache-2.0 */
/* mode.c - MODE SENSE and MODE SELECT (SPC-5 6.13 to 6.16). */
#include "config.h"
#include <string.h>
#include "scsi/cdb.h"
#include "scsi/lun.h"
#include "scsi/mode.h"
#include "scsi/task.h"
#include "scsi/wire.h"

enum {
	PAGE_ERROR_RECOVERY = 0x01, PAGE_DISCONNECT = 0x02, PAGE_CACHING = 0x08, PAGE_CONTROL = 0x0a,
	PAGE_POWER = 0x1a, PAGE_EXCEPTIONS = 0x1c, PAGE_ALL = 0x3f,
};
enum { CONTROL_EXTENSION = 0x01, SUBPAGE_ALL = 0xff };
enum { WP = 0x80, DPOFUA = 0x10 };	/* device specific parameter, SBC-4 6.5.1 */

/* By rising code: "all pages" is in this order. */
static const struct mode_page pages[] = {
	/* Nothing is retried or corrected here, and nothing reported of it. */
	{ .len = 12, .bytes = { PAGE_ERROR_RECOVERY, 10 } },
	/* No limits: iSCSI's own are negotiated. */
	{ .len = 16, .bytes = { PAGE_DISCONNECT, 14 } },
	{ .len = 20, .bytes = { PAGE_CACHING, 18 } },
	/* A task set for each I_T nexus; GLTSD; unrestricted reordering. */
	{ .len = 12, .bytes = { PAGE_CONTROL, 10, 0x22, 0x10 } },
	/* The most sense data there is, no command priority. */
	{ .len = 32, .bytes = { PAGE_CONTROL | MODE_SPF, CONTROL_EXTENSION, 0, 28 } },
	/* No condition is ever entered by a timer. */
	{ .len = 40, .bytes = { PAGE_POWER, 38 } },
	/* Nothing is ever reported: no method. */
	{ .len = 12, .bytes = { PAGE_EXCEPTIONS, 10 } },
};

static const struct mode_bit bits[] = {
	{ .page = PAGE_CACHING, .byte = 2, .mask = 0x04, .state = LUN_WCE, .needs = LUN_CACHE },
	{ .page = PAGE_CONTROL, .byte = 2, .mask = 0x04, .state = LUN_D_SENSE },
	{ .page = PAGE_CONTROL, .byte = 4, .mask = 0x08, .state = LUN_SWP },
	{ .page = PAGE_CONTROL, .byte = 5, .mask = 0x40, .state = LUN_TAS },
};

const struct mode_page *mode_page_nth(unsigned n)
{
	return n < G_N_ELEMENTS(pages) ? &pages[n] : NULL;
}

const struct mode_bit *mode_bit_nth(unsigned n)
{
	return n < G_N_ELEMENTS(bits) ? &bits[n] : NULL;
}

bool mode_bit_changeable(const struct lun *lun, const struct mode_bit *b)
{
	return !b->needs || lun_state(lun) & b->needs;
}

static bool in_page(const struct mode_bit *b, const struct mode_page *page)
{
	return b->page == mode_page_code(page) && b->subpage == mode_subpage_code(page);
}

static unsigned state_by(const struct lun *lun, enum mode_pc pc)
{
	switch (pc) {
	case PC_DEFAULT:
		return lun_default_mode(lun);
	case PC_SAVED:
		return atomic_load(&lun->saved_mode);
	default:
		return lun_state(lun);
	}
}

size_t mode_page_build(const struct lun *lun, const struct mode_page *page, enum mode_pc pc, uint8_t *out)
{
	unsigned state = state_by(lun, pc);
	size_t header = mode_header_len(page);

	memcpy(out, page->bytes, page->len);
	if (pc == PC_CHANGEABLE)
		memset(out + header, 0, page->len - header);
	for (unsigned i = 0; i < G_N_ELEMENTS(bits); i++)
		if (in_page(&bits[i], page) &&
		    (pc == PC_CHANGEABLE ? mode_bit_changeable(lun, &bits[i]) : (state & bits[i].state) != 0))
			out[bits[i].byte] |= bits[i].mask;
	if (lun_state(lun) & LUN_SAVES)
		out[0] |= MODE_PS;
	return page->len;
}

/* ---- MODE SENSE ---- */

/* SBC-4 6.5.2: short or long LBA mode parameter block descriptor. */
static size_t put_block_descriptor(const struct lun *lun, bool long_lba, uint8_t *d)
{
	uint64_t blocks = lun_state(lun) & LUN_EJECTED ? 0 : lun_blocks(lun);

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
	d[ten ? 3 : 2] = DPOFUA | (lun_state(t->lun) & LUN_PROTECTED || nexus_protects(t->nexus, t->lun) ? WP : 0);
	if (ten) {
		d[4] = long_lba;
		put_be16(d + 6, (uint16_t)*descriptor_len);
	} else {
		d[3] = (uint8_t)*descriptor_len;
	}
	return len + *descriptor_len;
}

/* SPC-5 6.15, table 198: is it among what is asked for? */
static bool selected(const struct mode_page *page, uint8_t code, uint8_t subpage)
{
	return (code == PAGE_ALL || code == mode_page_code(page)) &&
	       (subpage == SUBPAGE_ALL || subpage == mode_subpage_code(page));
}

/* There is no such page, or page and no such subpage. */
static void no_page(struct task *t, uint8_t code)
{
	bool known = code == PAGE_ALL;

	for (unsigned i = 0; i < G_N_ELEMENTS(pages); i++)
		known |= code == mode_page_code(&pages[i]);
	task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, known ? 3 : 2, known ? -1 : 5);
}

void mode_sense_run(struct task *t)
{
	enum mode_pc pc = (enum mode_pc)(t->cdb[2] >> 6);
	uint8_t code = t->cdb[2] & 0x3f, subpage = t->cdb[3], *d;
	size_t at, descriptor_len, first;

	if (pc == PC_SAVED && !(lun_state(t->lun) & LUN_SAVES)) {
		task_fail(t, SENSE_SAVING_NOT_SUPPORTED);
		return;
	}
	d = task_reply(t, 8 + 16 + G_N_ELEMENTS(pages) * MODE_PAGE_MAX);
	if (!d)
		return;
	at = first = put_header(t, d, &descriptor_len);
	for (unsigned i = 0; i < G_N_ELEMENTS(pages) && !(code == PAGE_ALL && subpage && subpage != SUBPAGE_ALL); i++)
		if (selected(&pages[i], code, subpage))
			at += mode_page_build(t->lun, &pages[i], pc, d + at);
	if (at == first) {
		no_page(t, code);
		return;
	}
	if (t->op->opcode == OP_MODE_SENSE_10)
		put_be16(d, (uint16_t)(at - 2));
	else
		d[0] = (uint8_t)(at - 1);
	task_done_data(t, d, at);
}

/* ---- MODE SELECT ---- */

enum { SP = 0x01, PF = 0x10 };

bool mode_select_check(struct task *t)
{
	if (t->cdb[1] & SP && !(lun_state(t->lun) & LUN_SAVES)) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 1, 0);
		return false;
	}
	if (t->cdb[1] & PF || !t->xfer_len)
		return true;
	task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 1, 4);	/* only pages are understood */
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

static const struct mode_page *find_page(const uint8_t *d)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(pages); i++)
		if (pages[i].bytes[0] == (d[0] & ~MODE_PS) && (!(d[0] & MODE_SPF) || pages[i].bytes[1] == d[1]))
			return &pages[i];
	return NULL;
}

static bool check_page(struct task *t, size_t at, const struct mode_page *page)
{
	const uint8_t *d = t->out + at;
	uint8_t current[MODE_PAGE_MAX], changeable[MODE_PAGE_MAX];
	size_t header = mode_header_len(page);

	for (size_t i = header == 4 ? 2 : 1; i < header; i++)	/* the page length */
		if (d[i] != page->bytes[i]) {
			task_fail_param(t, (unsigned)(at + i), -1);
			return false;
		}
	if (t->out_len - at < page->len) {
		task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
		return false;
	}
	mode_page_build(t->lun, page, PC_CURRENT, current);
	mode_page_build(t->lun, page, PC_CHANGEABLE, changeable);
	for (size_t i = header; i < page->len; i++) {
		uint8_t wrong = (d[i] ^ current[i]) & (uint8_t)~changeable[i];

		if (wrong) {
			task_fail_param(t, (unsigned)(at + i), g_bit_nth_msf(wrong, -1));
			return false;
		}
	}
	return true;
}

/* One page at `at`: its length, or 0, and the task has ended.  What it asks for goes to t->mode. */
static size_t select_page(struct task *t, size_t at)
{
	const uint8_t *d = t->out + at;
	const struct mode_page *page;

	if (t->out_len - at < (d[0] & MODE_SPF ? 4 : 2)) {
		task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
		return 0;
	}
	page = find_page(d);
	if (!page) {
		task_fail_param(t, (unsigned)at, 5);
		return 0;
	}
	if (!check_page(t, at, page))
		return 0;
	for (unsigned i = 0; i < G_N_ELEMENTS(bits); i++)
		if (in_page(&bits[i], page)) {
			t->mode.clear |= bits[i].state;
			t->mode.set &= ~bits[i].state;
			t->mode.set |= d[bits[i].byte] & bits[i].mask ? bits[i].state : 0;
		}
	return page->len;
}

/* The whole list; false: the task has ended. */
static bool select_pages(struct task *t)
{
	size_t at;

	if (t->out_len < t->xfer_len) {	/* a part of the list is no list */
		task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
		return false;
	}
	at = select_header(t);
	if (!at)
		return false;
	while (at < t->out_len) {
		size_t len = select_page(t, at);

		if (!len)
			return false;
		at += len;
	}
	return true;
}

/* The bits are as asked. */
static void select_done(struct task *t)
{
	unsigned old = t->mode.old, now = lun_state(t->lun);

	if ((old ^ now) & LUN_MODE_BITS)
		lun_unit_attention(t->lun, SENSE_UA_MODE_CHANGED, t->nexus);
	if (old & ~now & LUN_WCE) {	/* from here on nothing written is only in the cache */
		task_io(t, GOTGT_OP_FLUSH, 0, 0, 0);
		task_submit(t, task_done);
	} else {
		task_done(t);
	}
}

static void save(struct task *t)
{
	t->mode.saved = mode_save(t->lun, t->mode.clear, t->mode.set);
}

static void saved(struct task *t)
{
	if (t->mode.saved)
		select_done(t);
	else
		task_fail(t, SENSE_INTERNAL_FAILURE);
}

static bool turns_cache_off(const struct task *t)
{
	return t->mode.old & t->mode.clear & ~t->mode.set & LUN_WCE;
}

/*
 * SPC-5 6.13: no list is no error, and can be had saved like one.  A write that was submitted with WCE 1 may be answered once
 * it is 0 (SBC-4 6.4.5): the flush has to come after it.
 */
void mode_select_run(struct task *t)
{
	t->mode.clear = t->mode.set = 0;
	t->mode.old = lun_state(t->lun);
	if (t->xfer_len && !select_pages(t))
		return;
	if (turns_cache_off(t) && t->range.state == RANGE_NONE && !task_take_all(t))
		return;
	if (t->cdb[1] & SP) {
		task_offload(t, save, saved);
		return;
	}
	lun_set_state(t->lun, t->mode.clear, t->mode.set);
	select_done(t);
}
