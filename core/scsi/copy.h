/* SPDX-License-Identifier: Apache-2.0 */
/* copy.h - third-party copy (SPC-4 5.16): its limits, what is kept of each, and whom a descriptor names. */
#ifndef GOTGT_SCSI_COPY_H
#define GOTGT_SCSI_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "scsi/sense.h"

struct lun;
struct nexus;
struct reactor;
struct task;
struct copy_records;

enum {
	COPY_CSCDS_MAX = 16, COPY_SEGMENTS_MAX = 256, COPY_RECORDS_MAX = 16,
	COPY_HEADER = 16, CSCD_LEN = 32, SEGMENT_LEN = 28,
	COPY_LIST_MAX = COPY_CSCDS_MAX * CSCD_LEN + COPY_SEGMENTS_MAX * SEGMENT_LEN,	/* bytes of descriptors */
	CSCD_IDENTIFICATION = 0xe4,		/* SPC-4 6.4.5.2 */
	SEGMENT_BLOCK_TO_BLOCK = 0x02,		/* SPC-4 6.4.6.5 */
	CSCD_ID_THIS = 0xffff,			/* the logical unit that has the command (SPC-4 table 126) */
};
/* LIST ID USAGE, SPC-4 table 107; 01b is reserved. */
enum list_id_usage { LIST_ID_HOLD = 0, LIST_ID_DISCARD = 2, LIST_ID_NONE = 3 };

/* One copy by its list identifier, as RECEIVE COPY RESULTS tells of it. */
struct copy_record {
	bool used, running, hold;
	uint8_t list_id;
	uint8_t status;			/* enum scsi_status, once it has ended */
	uint16_t segments;		/* done */
	uint16_t sense_len;
	uint32_t lun;			/* the number */
	unsigned epoch;			/* of the logical unit: after a reset nothing is known */
	uint64_t age;
	uint64_t bytes;
	uint8_t sense[96];
};

/*
 * A record for a copy that begins; what was kept of an earlier one with that list identifier is forgotten.  NULL and
 * *code: one is running (OPERATION IN PROGRESS), or there is no room (NONE: BUSY).  [reactor of n]
 */
struct copy_record *copy_record_begin(struct nexus *n, const struct lun *lun, uint8_t list_id, bool hold,
				      enum sense_code *code);
/* It has ended as the task says. */
void copy_record_end(struct copy_record *r, const struct task *t);

/*
 * ---- logical units by name ----
 *
 * Those of every target of an engine, by the designators of their device identification page.
 */
void lun_name_add(struct lun *lun);	/* as it is called now; once, when initiators can find it.  [main] */
void lun_name_change(struct lun *lun);	/* its identity has changed.  [main] */
void lun_name_remove(struct lun *lun);	/* nobody finds it any more.  [main] */
/*
 * The one a designation descriptor (SPC-4 7.8.6.1) names, `first` if it is among them, with a hold by r.
 * NULL: none.  [reactor r]
 */
struct lun *lun_find_named(const struct nexus *n, struct lun *first, const uint8_t *designator, size_t room, struct reactor *r,
			   bool *read_only);

#endif
