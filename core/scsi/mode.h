/* SPDX-License-Identifier: Apache-2.0 */
/* mode.h - the table of mode pages (SPC-5 7.5, SBC-4 6.5), for mode.c and the test that walks it. */
#ifndef GOTGT_MODE_H
#define GOTGT_MODE_H

#include <stddef.h>
#include <stdint.h>

struct lun;

#define MODE_PAGE_MAX 20

struct mode_page {
	uint8_t len;			/* bytes with the two of the header */
	uint8_t bytes[MODE_PAGE_MAX];	/* as they are but for the bits below */
};

/* A bit of a page that follows, and may change, the state of the logical unit. */
struct mode_bit { uint8_t page, byte, mask, needs; unsigned state; };

enum mode_pc { PC_CURRENT, PC_CHANGEABLE, PC_DEFAULT, PC_SAVED };

/* NULL past the end. */
const struct mode_page *mode_page_nth(unsigned n);
const struct mode_bit *mode_bit_nth(unsigned n);
/* A page's bytes under a page control; how many. */
size_t mode_page_build(const struct lun *lun, const struct mode_page *page, enum mode_pc pc, uint8_t *out);

#endif
