/* SPDX-License-Identifier: Apache-2.0 */
/* vpd.h - the table of vital product data pages (SPC-5 7.8, SBC-4 6.6). */
#ifndef GOTGT_VPD_H
#define GOTGT_VPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lun;
struct task;

/* The longest page. */
#define VPD_MAX 1024

struct vpd_page {
	uint8_t code;
	/* Fill in what follows the four bytes of the header; how many. */
	size_t (*build)(struct task *t, uint8_t *d);
	bool thin;	/* only where there is provisioning management */
	bool well_known;	/* of the REPORT LUNS well known logical unit too */
	uint32_t room;	/* bytes it may need; 0: VPD_MAX */
};

/* The designators of the logical unit itself (SPC-5 7.8.6), as page 83h has them; up to VPD_LUN_DESIGNATORS_MAX bytes. */
#define VPD_LUN_DESIGNATORS_MAX 64
size_t vpd_lun_designators(struct lun *lun, uint8_t *d);
size_t vpd_third_party_copy(struct task *t, uint8_t *d);

const struct vpd_page *vpd_nth(unsigned n);	/* NULL past the end; rising codes */
/* As this task's logical unit has it, or NULL. */
const struct vpd_page *vpd_find(const struct task *t, uint8_t code);

#endif
