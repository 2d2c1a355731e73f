/* SPDX-License-Identifier: Apache-2.0 */
/* cdb.h - the table of commands.  What is checked, decoded and reported of a CDB is here and nowhere else. */
#ifndef GOTGT_CDB_H
#define GOTGT_CDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct task;
struct lun;

/* Bytes of CDB the table describes; longer ones are not registered. */
#define CDB_LEN_MAX 16

enum cdb_dir { CDB_NONE, CDB_IN, CDB_OUT };

/* What the length field counts. */
enum cdb_unit {
	CDB_NO_LENGTH,
	CDB_BYTES,	/* allocation length or parameter list length */
	CDB_BLOCKS,	/* to transfer */
	CDB_RANGE,	/* blocks concerned but, as far as the length field says, not transferred */
};

/* Against a persistent reservation that another I_T nexus holds (SPC-4 table 51, SBC-3 table 13). */
enum cdb_pr {
	PR_WRITES,	/* conflicts with every type */
	PR_READS,	/* conflicts with Exclusive Access, in all its forms */
	PR_FREE,	/* never conflicts */
};

enum cdb_flags {
	CDB_SA = 1 << 0,		/* one of several service actions of its operation code */
	CDB_ANY_LUN = 1 << 1,		/* answered where there is no logical unit as well */
	CDB_UA_OK = 1 << 2,		/* not stopped by a unit attention (SPC-5 5.14) */
	CDB_MEDIUM = 1 << 3,		/* needs the unit ready */
	CDB_WRITE = 1 << 4,		/* changes the medium */
	CDB_LBA = 1 << 5,		/* has a logical block address */
	CDB_FUA = 1 << 6,		/* has FUA, byte 1 bit 3 */
	CDB_PLAIN = 1 << 7,		/* Data-Out goes to the medium as it is: may be lent memory */
	CDB_THIN = 1 << 8,		/* only of logical units with provisioning management */
	CDB_ZERO_IS_256 = 1 << 9,	/* READ(6), WRITE(6) */
	CDB_LOOKS = 1 << 17,		/* looks first whether the device's size has changed */
	CDB_WELL_KNOWN = 1 << 16,	/* of the REPORT LUNS well known logical unit too (SPC-5 9.3) */
	CDB_STANDBY_OK = 1 << 24,	/* allowed in the ALUA state standby (SPC-5 5.18.2.4) */
	CDB_UNAVAILABLE_OK = 1 << 25,	/* and in unavailable (5.18.2.5) */
	CDB_EXPLICIT_ALUA = 1 << 26,	/* only where initiators may set states */
	CDB_RESERVE_OK = 1 << 10,	/* not stopped by another I_T nexus's RESERVE (SPC-2 5.5.1) */
	CDB_JOB_OK = 1 << 18,		/* answered while the unit is formatted or sanitized (SBC-4 4.11.3) */
	CDB_JOB_ENDS = 1 << 19,		/* and when that has failed */
	CDB_ALONE = 1 << 20,		/* atomic: nothing else reads or writes its blocks meanwhile */
};

struct cdb_op {
	const char *name;
	uint8_t opcode;
	uint8_t sa;			/* with CDB_SA */
	uint8_t len;			/* bytes of CDB */
	uint8_t dir;			/* enum cdb_dir */
	uint8_t unit;			/* enum cdb_unit */
	uint8_t lba_at, lba_len;	/* place and width in bytes; 3: 21 bits */
	uint8_t len_at, len_len;	/* place and width in bytes */
	uint8_t pr;			/* enum cdb_pr */
	uint8_t io_error;		/* enum sense_code when the device fails; 0: by what failed */
	uint8_t thin_byte1;		/* bits of byte 1 that exist only on logical units with CDB_THIN's property */
	uint8_t when_byte, when_bits;	/* bits that exist only on logical units in a state ... */
	uint32_t when_state;		/* ... with all of these enum lun_bits */
	uint8_t free_mask, free_value;	/* with these bits of byte 4 so, no reservation is in the way; mask 0: never */
	uint32_t flags;
	/* 1: the bit means something (SPC-5 6.34.3).  Byte 0 is not compared; bytes from len on are zero here. */
	uint8_t usage[CDB_LEN_MAX];
	/* Looks at what is particular to the command, before any data comes.  False: it has ended the task. */
	bool (*check)(struct task *t);
	/* Does it; Data-Out is there. */
	void (*run)(struct task *t);
};

/* NULL: none such; *known_opcode then says whether the operation code exists with other service actions. */
const struct cdb_op *cdb_find(const uint8_t *cdb, bool *known_opcode);
/* By operation code and service action, as registered for a logical unit (NULL: any). */
const struct cdb_op *cdb_lookup(const struct lun *lun, uint8_t opcode, uint16_t sa);
bool cdb_has_service_actions(uint8_t opcode);
/* The n-th row in the order of the table, NULL past the end. */
const struct cdb_op *cdb_nth(unsigned n);
unsigned cdb_row(const struct cdb_op *op);	/* which one it is */
extern uint8_t cdb_kinds[];		/* by row: enum stats_kind */
bool cdb_supported(const struct cdb_op *op, const struct lun *lun);
/* The usage data of a command, op->len bytes, as REPORT SUPPORTED OPERATION CODES prints it. */
void cdb_usage(const struct cdb_op *op, const struct lun *lun, uint8_t *out);
/* The first bit set where the table has none: true, and its place. */
bool cdb_reserved_bit(const struct cdb_op *op, const uint8_t *cdb, unsigned *byte, int *bit);

/* The word of a nexus is not zero: is the task in conflict with a reservation? */
bool pr_conflict(struct task *t, unsigned bars);

/* Handlers, by file. */
void inquiry_run(struct task *t);
void mode_sense_run(struct task *t);
bool mode_select_check(struct task *t);
void mode_select_run(struct task *t);
void report_luns_run(struct task *t);
void report_opcodes_run(struct task *t);
void report_functions_run(struct task *t);
bool send_diagnostic_check(struct task *t);
void send_diagnostic_run(struct task *t);
void receive_diagnostic_run(struct task *t);
void request_sense_run(struct task *t);
void test_unit_ready_run(struct task *t);
void read_capacity10_run(struct task *t);
void read_capacity16_run(struct task *t);
bool medium_check(struct task *t);
bool start_stop_check(struct task *t);
void start_stop_run(struct task *t);
void prevent_allow_run(struct task *t);
void report_groups_run(struct task *t);
void set_groups_run(struct task *t);
void sync_cache_run(struct task *t);
bool get_lba_status_check(struct task *t);
void get_lba_status_run(struct task *t);
void read_run(struct task *t);
void write_run(struct task *t);
bool write_verify_check(struct task *t);
void write_verify_run(struct task *t);
bool verify_check(struct task *t);
void verify_run(struct task *t);
/* Where two differ; len: nowhere. */
size_t first_difference(const uint8_t *a, const uint8_t *b, size_t len);
/* Read, and compare, total_bytes from the LBA on; then the task is done. */
void verify_blocks(struct task *t);
void pre_fetch_run(struct task *t);
bool write_same_check(struct task *t);
bool unmap_check(struct task *t);
void write_same_run(struct task *t);
void unmap_run(struct task *t);
bool extended_copy_check(struct task *t);
void extended_copy_run(struct task *t);
void copy_status_run(struct task *t);
void copy_parameters_run(struct task *t);
void copy_failed_segment_run(struct task *t);
void pr_read_keys_run(struct task *t);
void pr_read_reservation_run(struct task *t);
void pr_report_capabilities_run(struct task *t);
void pr_read_full_status_run(struct task *t);
bool pr_out_check(struct task *t);
void pr_out_run(struct task *t);
void reserve_run(struct task *t);
void release_run(struct task *t);
bool compare_and_write_check(struct task *t);
void compare_and_write_run(struct task *t);
void orwrite_run(struct task *t);
bool write_atomic_check(struct task *t);
bool sanitize_check(struct task *t);
bool sanitize_overwrite_check(struct task *t);
void sanitize_overwrite_run(struct task *t);
void sanitize_erase_run(struct task *t);
void sanitize_exit_failure_run(struct task *t);
bool format_check(struct task *t);
void format_run(struct task *t);
void read_defect_data10_run(struct task *t);
void read_defect_data12_run(struct task *t);

#endif
