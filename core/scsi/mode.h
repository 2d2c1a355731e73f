/* SPDX-License-Identifier: Apache-2.0 */
/* mode.h - the table of mode pages (SPC-5 7.5, SBC-4 6.5), for mode.c and the test that walks it. */
#ifndef GOTGT_MODE_H
#define GOTGT_MODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lun;

#define MODE_PAGE_MAX 40

struct mode_page {
	uint8_t len;			/* bytes with the header: two, or four of a subpage (SPF, bit 6 of byte 0) */
	uint8_t bytes[MODE_PAGE_MAX];	/* as they are but for the bits below */
};

enum { MODE_SPF = 0x40, MODE_PS = 0x80 };

static inline uint8_t mode_page_code(const struct mode_page *p) { return p->bytes[0] & 0x3f; }
static inline uint8_t mode_subpage_code(const struct mode_page *p) { return p->bytes[0] & MODE_SPF ? p->bytes[1] : 0; }
static inline size_t mode_header_len(const struct mode_page *p) { return p->bytes[0] & MODE_SPF ? 4 : 2; }

/* A bit of a page that follows, and may change, the state of the logical unit. */
struct mode_bit { uint8_t page, subpage, byte, mask, needs; unsigned state; };

enum mode_pc { PC_CURRENT, PC_CHANGEABLE, PC_DEFAULT, PC_SAVED };

/* NULL past the end. */
const struct mode_page *mode_page_nth(unsigned n);
const struct mode_bit *mode_bit_nth(unsigned n);
/* A page's bytes under a page control; how many. */
size_t mode_page_build(const struct lun *lun, const struct mode_page *page, enum mode_pc pc, uint8_t *out);
bool mode_bit_changeable(const struct lun *lun, const struct mode_bit *b);

/* The state a logical unit starts with: what was saved, or the defaults.  [main] */
void mode_restore(struct lun *lun);
/* Save the bits as they will be, then change them.  Blocks.  False: it was logged, and nothing has changed. */
bool mode_save(struct lun *lun, unsigned clear, unsigned set);

#endif
