/* SPDX-License-Identifier: Apache-2.0 */
/* cdb.c - the table of commands and the questions it answers. */
#include "config.h"
#include <glib.h>
#include "engine/stats.h"
#include "scsi/cdb.h"
#include "scsi/lun.h"
#include "scsi/wire.h"

/* Field widths, so that a row stays a line or two. */
#define LBA_6 .lba_at = 1, .lba_len = 3
#define LBA_10 .lba_at = 2, .lba_len = 4
#define LBA_16 .lba_at = 2, .lba_len = 8
#define LEN(at, bytes) .len_at = at, .len_len = bytes
#define WHEN(at, bits, state) .when_byte = at, .when_bits = bits, .when_state = state
#define B2 0xff, 0xff
#define B3 0xff, 0xff, 0xff
#define B4 0xff, 0xff, 0xff, 0xff
#define B8 B4, B4
#define CDB_WAYS_OK (CDB_STANDBY_OK | CDB_UNAVAILABLE_OK)
#define READS (CDB_MEDIUM | CDB_LBA)
#define EVERYWHERE (CDB_JOB_OK | CDB_RESERVE_OK | CDB_ANY_LUN | CDB_UA_OK | CDB_WELL_KNOWN)
#define WRITES (CDB_MEDIUM | CDB_LBA | CDB_WRITE)

#define PR_IN(title, sa_, run_) \
	{ .name = title, .opcode = OP_PERSISTENT_RESERVE_IN, .sa = sa_, .len = 10, .dir = CDB_IN, .unit = CDB_BYTES, \
	  LEN(7, 2), .flags = CDB_SA | CDB_STANDBY_OK, .pr = PR_FREE, \
	  .usage = { 0xff, 0x1f, 0, 0, 0, 0, 0, B2 }, .run = run_ }
/* Whether they conflict depends on keys: pr-act.c.  SCOPE and TYPE are ignored where they mean nothing (6.17.1). */
#define PR_OUT(title, sa_) \
	{ .name = title, .opcode = OP_PERSISTENT_RESERVE_OUT, .sa = sa_, .len = 10, .dir = CDB_OUT, .unit = CDB_BYTES, \
	  LEN(5, 4), .flags = CDB_SA | CDB_STANDBY_OK, .pr = PR_FREE, .usage = { 0xff, 0x1f, 0xff, 0, 0, B4 }, \
	  .check = pr_out_check, .run = pr_out_run }

/*
 * SPC-5 6, SBC-4 5.  DPO and PRE-FETCH's GROUP NUMBER are taken and need nothing done; FUA of a read is
 * met by a coherent cache.  There is no non-volatile cache: SYNC_NV of SBC-2 and SBC-3 asks for less than is done.
 */
static const struct cdb_op ops[] = {
	{ .name = "TEST UNIT READY", .opcode = OP_TEST_UNIT_READY, .len = 6, .flags = CDB_MEDIUM | CDB_WELL_KNOWN | CDB_LOOKS,
	  .pr = PR_FREE, .usage = { 0xff }, .run = test_unit_ready_run },
	{ .name = "REQUEST SENSE", .opcode = OP_REQUEST_SENSE, .len = 6, .dir = CDB_IN, .unit = CDB_BYTES, LEN(4, 1),
	  .flags = CDB_WAYS_OK | EVERYWHERE, .pr = PR_FREE,
	  .usage = { 0xff, 0x01, 0, 0, 0xff }, .run = request_sense_run },
	{ .name = "FORMAT UNIT", .opcode = OP_FORMAT_UNIT, .len = 6, .dir = CDB_OUT,
	  .flags = CDB_MEDIUM | CDB_WRITE | CDB_JOB_ENDS, .usage = { 0xff, 0x3f }, .check = format_check,
	  .run = format_run },
	{ .name = "READ(6)", .opcode = OP_READ_6, .len = 6, .dir = CDB_IN, .unit = CDB_BLOCKS, LBA_6, LEN(4, 1),
	  .flags = READS | CDB_ZERO_IS_256, .pr = PR_READS, .usage = { 0xff, 0x1f, B2, 0xff }, .run = read_run },
	{ .name = "WRITE(6)", .opcode = OP_WRITE_6, .len = 6, .dir = CDB_OUT, .unit = CDB_BLOCKS, LBA_6, LEN(4, 1),
	  .flags = WRITES | CDB_ZERO_IS_256 | CDB_PLAIN, .usage = { 0xff, 0x1f, B2, 0xff }, .run = write_run },
	{ .name = "INQUIRY", .opcode = OP_INQUIRY, .len = 6, .dir = CDB_IN, .unit = CDB_BYTES, LEN(3, 2),
	  .flags = CDB_WAYS_OK | EVERYWHERE, .pr = PR_FREE,
	  .usage = { 0xff, 0x01, 0xff, B2 }, .run = inquiry_run },
	{ .name = "MODE SELECT(6)", .opcode = OP_MODE_SELECT_6, .len = 6, .dir = CDB_OUT, .unit = CDB_BYTES, LEN(4, 1),
	  WHEN(1, 0x01, LUN_SAVES), .flags = CDB_STANDBY_OK,
	  .usage = { 0xff, 0x11, 0, 0, 0xff }, .check = mode_select_check, .run = mode_select_run },
	{ .name = "MODE SENSE(6)", .opcode = OP_MODE_SENSE_6, .len = 6, .dir = CDB_IN, .unit = CDB_BYTES, LEN(4, 1),
	  .flags = CDB_STANDBY_OK,
	  .usage = { 0xff, 0x08, B2, 0xff }, .run = mode_sense_run },
	{ .name = "START STOP UNIT", .opcode = OP_START_STOP_UNIT, .len = 6, .free_mask = 0xf1, .free_value = 0x01,
	  WHEN(4, 0x02, LUN_REMOVABLE),
	  .usage = { 0xff, 0x01, 0, 0, 0xf7 }, .check = start_stop_check, .run = start_stop_run },
	{ .name = "RESERVE(6)", .opcode = OP_RESERVE_6, .len = 6, .pr = PR_FREE, .usage = { 0xff }, .run = reserve_run },
	{ .name = "RELEASE(6)", .opcode = OP_RELEASE_6, .len = 6, .flags = CDB_RESERVE_OK, .pr = PR_FREE,
	  .usage = { 0xff }, .run = release_run },
	{ .name = "RECEIVE DIAGNOSTIC RESULTS", .opcode = OP_RECEIVE_DIAGNOSTIC, .len = 6, .dir = CDB_IN, .unit = CDB_BYTES,
	  LEN(3, 2), .flags = CDB_STANDBY_OK, .usage = { 0xff, 0x01, 0xff, B2 }, .run = receive_diagnostic_run },
	{ .name = "SEND DIAGNOSTIC", .opcode = OP_SEND_DIAGNOSTIC, .len = 6, .dir = CDB_OUT, .unit = CDB_BYTES,
	  LEN(3, 2), .flags = CDB_STANDBY_OK | CDB_MEDIUM, .io_error = SENSE_SELF_TEST_FAILED,
	  .usage = { 0xff, 0x17, 0, B2 },
	  .check = send_diagnostic_check, .run = send_diagnostic_run },
	{ .name = "PREVENT ALLOW MEDIUM REMOVAL", .opcode = OP_PREVENT_ALLOW, .len = 6, .free_mask = 0x03,
	  .usage = { 0xff, 0, 0, 0, 0x01 }, .run = prevent_allow_run },
	{ .name = "READ CAPACITY(10)", .opcode = OP_READ_CAPACITY_10, .len = 10, .dir = CDB_IN,
	  .flags = CDB_LOOKS,
	  .pr = PR_FREE, .usage = { 0xff }, .check = medium_check, .run = read_capacity10_run },
	{ .name = "READ(10)", .opcode = OP_READ_10, .len = 10, .dir = CDB_IN, .unit = CDB_BLOCKS, LBA_10, LEN(7, 2),
	  .flags = READS | CDB_FUA, .pr = PR_READS, .usage = { 0xff, 0x18, B4, 0, B2 }, .run = read_run },
	{ .name = "WRITE(10)", .opcode = OP_WRITE_10, .len = 10, .dir = CDB_OUT, .unit = CDB_BLOCKS, LBA_10, LEN(7, 2),
	  .flags = WRITES | CDB_FUA | CDB_PLAIN, .usage = { 0xff, 0x18, B4, 0, B2 }, .run = write_run },
	{ .name = "WRITE AND VERIFY(10)", .opcode = OP_WRITE_VERIFY_10, .len = 10, .dir = CDB_OUT, .unit = CDB_BLOCKS,
	  LBA_10, LEN(7, 2), .flags = WRITES, .usage = { 0xff, 0x12, B4, 0, B2 },
	  .check = write_verify_check, .run = write_verify_run },
	{ .name = "VERIFY(10)", .opcode = OP_VERIFY_10, .len = 10, .dir = CDB_OUT, .unit = CDB_RANGE, LBA_10, LEN(7, 2),
	  .flags = READS, .pr = PR_READS, .usage = { 0xff, 0x16, B4, 0, B2 }, .check = verify_check, .run = verify_run },
	{ .name = "PRE-FETCH(10)", .opcode = OP_PRE_FETCH_10, .len = 10, .unit = CDB_RANGE, LBA_10, LEN(7, 2),
	  .flags = READS, .pr = PR_READS, .usage = { 0xff, 0x02, B4, 0x1f, B2 }, .run = pre_fetch_run },
	{ .name = "SYNCHRONIZE CACHE(10)", .opcode = OP_SYNCHRONIZE_CACHE_10, .len = 10, .unit = CDB_RANGE, LBA_10,
	  LEN(7, 2), .flags = READS, .usage = { 0xff, 0x06, B4, 0, B2 }, .run = sync_cache_run },
	{ .name = "READ DEFECT DATA(10)", .opcode = OP_READ_DEFECT_DATA_10, .len = 10, .dir = CDB_IN,
	  .unit = CDB_BYTES, LEN(7, 2), .flags = CDB_MEDIUM, .pr = PR_READS, .usage = { 0xff, 0, 0x1f, 0, 0, 0, 0, B2 },
	  .run = read_defect_data10_run },
	{ .name = "WRITE SAME(10)", .opcode = OP_WRITE_SAME_10, .len = 10, .dir = CDB_OUT, .unit = CDB_RANGE, LBA_10,
	  LEN(7, 2), .flags = WRITES, .thin_byte1 = 0x08, WHEN(1, 0x10, LUN_ANCHORS), .usage = { 0xff, 0x18, B4, 0, B2 },
	  .check = write_same_check, .run = write_same_run },
	{ .name = "UNMAP", .opcode = OP_UNMAP, .len = 10, .dir = CDB_OUT, .unit = CDB_BYTES, LEN(7, 2),
	  .flags = CDB_MEDIUM | CDB_WRITE | CDB_THIN, WHEN(1, 0x01, LUN_ANCHORS), .usage = { 0xff, 0x01, 0, 0, 0, 0, 0, B2 },
	  .check = unmap_check, .run = unmap_run },
	{ .name = "SANITIZE OVERWRITE", .opcode = OP_SANITIZE, .sa = SA_OVERWRITE, .len = 10, .dir = CDB_OUT,
	  .unit = CDB_BYTES, LEN(7, 2), .flags = CDB_SA | CDB_MEDIUM | CDB_WRITE | CDB_JOB_ENDS,
	  .usage = { 0xff, 0xbf, 0, 0, 0, 0, 0, B2 }, .check = sanitize_overwrite_check, .run = sanitize_overwrite_run },
	{ .name = "SANITIZE BLOCK ERASE", .opcode = OP_SANITIZE, .sa = SA_BLOCK_ERASE, .len = 10,
	  .flags = CDB_SA | CDB_MEDIUM | CDB_WRITE | CDB_THIN | CDB_JOB_ENDS, .usage = { 0xff, 0xbf },
	  .check = sanitize_check, .run = sanitize_erase_run },
	{ .name = "SANITIZE EXIT FAILURE MODE", .opcode = OP_SANITIZE, .sa = SA_EXIT_FAILURE_MODE, .len = 10,
	  .flags = CDB_SA | CDB_MEDIUM | CDB_JOB_ENDS, .usage = { 0xff, 0xbf }, .run = sanitize_exit_failure_run },
	{ .name = "MODE SELECT(10)", .opcode = OP_MODE_SELECT_10, .len = 10, .dir = CDB_OUT, .unit = CDB_BYTES,
	  LEN(7, 2), WHEN(1, 0x01, LUN_SAVES), .flags = CDB_STANDBY_OK,
	  .usage = { 0xff, 0x11, 0, 0, 0, 0, 0, B2 },
	  .check = mode_select_check, .run = mode_select_run },
	{ .name = "RESERVE(10)", .opcode = OP_RESERVE_10, .len = 10, .pr = PR_FREE, .usage = { 0xff },
	  .run = reserve_run },
	{ .name = "RELEASE(10)", .opcode = OP_RELEASE_10, .len = 10, .flags = CDB_RESERVE_OK, .pr = PR_FREE,
	  .usage = { 0xff }, .run = release_run },
	{ .name = "MODE SENSE(10)", .opcode = OP_MODE_SENSE_10, .len = 10, .dir = CDB_IN, .unit = CDB_BYTES,
	  LEN(7, 2), .flags = CDB_STANDBY_OK,
	  .usage = { 0xff, 0x18, B2, 0, 0, 0, B2 }, .run = mode_sense_run },
	PR_IN("PERSISTENT RESERVE IN, READ KEYS", SA_PR_READ_KEYS, pr_read_keys_run),
	PR_IN("PERSISTENT RESERVE IN, READ RESERVATION", SA_PR_READ_RESERVATION, pr_read_reservation_run),
	PR_IN("PERSISTENT RESERVE IN, REPORT CAPABILITIES", SA_PR_REPORT_CAPABILITIES, pr_report_capabilities_run),
	PR_IN("PERSISTENT RESERVE IN, READ FULL STATUS", SA_PR_READ_FULL_STATUS, pr_read_full_status_run),
	PR_OUT("PERSISTENT RESERVE OUT, REGISTER", SA_PR_REGISTER),
	PR_OUT("PERSISTENT RESERVE OUT, RESERVE", SA_PR_RESERVE),
	PR_OUT("PERSISTENT RESERVE OUT, RELEASE", SA_PR_RELEASE),
	PR_OUT("PERSISTENT RESERVE OUT, CLEAR", SA_PR_CLEAR),
	PR_OUT("PERSISTENT RESERVE OUT, PREEMPT", SA_PR_PREEMPT),
	PR_OUT("PERSISTENT RESERVE OUT, PREEMPT AND ABORT", SA_PR_PREEMPT_AND_ABORT),
	PR_OUT("PERSISTENT RESERVE OUT, REGISTER AND IGNORE EXISTING KEY", SA_PR_REGISTER_AND_IGNORE),
	PR_OUT("PERSISTENT RESERVE OUT, REGISTER AND MOVE", SA_PR_REGISTER_AND_MOVE),
	{ .name = "EXTENDED COPY(LID1)", .opcode = OP_THIRD_PARTY_COPY_OUT, .sa = SA_EXTENDED_COPY_LID1, .len = 16,
	  .dir = CDB_OUT, .unit = CDB_BYTES, LEN(10, 4), .flags = CDB_SA,
	  .usage = { 0xff, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0, B4 }, .check = extended_copy_check, .run = extended_copy_run },
	{ .name = "RECEIVE COPY STATUS(LID1)", .opcode = OP_THIRD_PARTY_COPY_IN, .sa = SA_COPY_STATUS_LID1, .len = 16,
	  .dir = CDB_IN, .unit = CDB_BYTES, LEN(10, 4), .flags = CDB_SA,
	  .usage = { 0xff, 0x1f, 0xff, 0, 0, 0, 0, 0, 0, 0, B4 }, .run = copy_status_run },
	{ .name = "RECEIVE COPY OPERATING PARAMETERS", .opcode = OP_THIRD_PARTY_COPY_IN,
	  .sa = SA_COPY_OPERATING_PARAMETERS, .len = 16, .dir = CDB_IN, .unit = CDB_BYTES, LEN(10, 4), .flags = CDB_SA,
	  .usage = { 0xff, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0, B4 }, .run = copy_parameters_run },
	{ .name = "RECEIVE COPY FAILURE DETAILS(LID1)", .opcode = OP_THIRD_PARTY_COPY_IN,
	  .sa = SA_COPY_FAILED_SEGMENT_LID1, .len = 16, .dir = CDB_IN, .unit = CDB_BYTES, LEN(10, 4), .flags = CDB_SA,
	  .usage = { 0xff, 0x1f, 0xff, 0, 0, 0, 0, 0, 0, 0, B4 }, .run = copy_failed_segment_run },
	{ .name = "READ(16)", .opcode = OP_READ_16, .len = 16, .dir = CDB_IN, .unit = CDB_BLOCKS, LBA_16, LEN(10, 4),
	  .flags = READS | CDB_FUA, .pr = PR_READS, .usage = { 0xff, 0x18, B8, B4 }, .run = read_run },
	{ .name = "WRITE(16)", .opcode = OP_WRITE_16, .len = 16, .dir = CDB_OUT, .unit = CDB_BLOCKS, LBA_16, LEN(10, 4),
	  .flags = WRITES | CDB_FUA | CDB_PLAIN, .usage = { 0xff, 0x18, B8, B4 }, .run = write_run },
	{ .name = "COMPARE AND WRITE", .opcode = OP_COMPARE_AND_WRITE, .len = 16, .dir = CDB_OUT, .unit = CDB_BLOCKS,
	  LBA_16, LEN(13, 1), .flags = WRITES | CDB_FUA | CDB_ALONE, .usage = { 0xff, 0x18, B8, 0, 0, 0, 0xff },
	  .check = compare_and_write_check, .run = compare_and_write_run },
	{ .name = "ORWRITE(16)", .opcode = OP_ORWRITE_16, .len = 16, .dir = CDB_OUT, .unit = CDB_BLOCKS,
	  LBA_16, LEN(10, 4), .flags = WRITES | CDB_FUA | CDB_ALONE, .usage = { 0xff, 0x18, B8, B4 },
	  .run = orwrite_run },
	{ .name = "WRITE ATOMIC(16)", .opcode = OP_WRITE_ATOMIC_16, .len = 16, .dir = CDB_OUT, .unit = CDB_BLOCKS,
	  LBA_16, LEN(12, 2), .flags = WRITES | CDB_FUA | CDB_ALONE, .usage = { 0xff, 0x18, B8, B2, B2 },
	  .check = write_atomic_check, .run = write_run },
	{ .name = "WRITE AND VERIFY(16)", .opcode = OP_WRITE_VERIFY_16, .len = 16, .dir = CDB_OUT, .unit = CDB_BLOCKS,
	  LBA_16, LEN(10, 4), .flags = WRITES, .usage = { 0xff, 0x12, B8, B4 },
	  .check = write_verify_check, .run = write_verify_run },
	{ .name = "VERIFY(16)", .opcode = OP_VERIFY_16, .len = 16, .dir = CDB_OUT, .unit = CDB_RANGE, LBA_16,
	  LEN(10, 4),
	  .flags = READS, .pr = PR_READS, .usage = { 0xff, 0x16, B8, B4 }, .check = verify_check, .run = verify_run },
	{ .name = "PRE-FETCH(16)", .opcode = OP_PRE_FETCH_16, .len = 16, .unit = CDB_RANGE, LBA_16, LEN(10, 4),
	  .flags = READS, .pr = PR_READS, .usage = { 0xff, 0x02, B8, B4, 0x1f }, .run = pre_fetch_run },
	{ .name = "SYNCHRONIZE CACHE(16)", .opcode = OP_SYNCHRONIZE_CACHE_16, .len = 16, .unit = CDB_RANGE, LBA_16,
	  LEN(10, 4), .flags = READS, .usage = { 0xff, 0x06, B8, B4 }, .run = sync_cache_run },
	{ .name = "WRITE SAME(16)", .opcode = OP_WRITE_SAME_16, .len = 16, .dir = CDB_OUT, .unit = CDB_RANGE, LBA_16,
	  LEN(10, 4), .flags = WRITES, .thin_byte1 = 0x08, WHEN(1, 0x10, LUN_ANCHORS), .usage = { 0xff, 0x19, B8, B4 },
	  .check = write_same_check, .run = write_same_run },
	{ .name = "READ CAPACITY(16)", .opcode = OP_SERVICE_ACTION_IN_16, .sa = SA_READ_CAPACITY_16, .len = 16,
	  .dir = CDB_IN, .unit = CDB_BYTES, LEN(10, 4), .flags = CDB_SA | CDB_LOOKS,
	  .pr = PR_FREE, .usage = { 0xff, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0, B4 },
	  .check = medium_check, .run = read_capacity16_run },
	{ .name = "GET LBA STATUS", .opcode = OP_SERVICE_ACTION_IN_16, .sa = SA_GET_LBA_STATUS, .len = 16,
	  .dir = CDB_IN, .unit = CDB_BYTES, LBA_16, LEN(10, 4), .flags = CDB_SA | READS,
	  .pr = PR_READS, .usage = { 0xff, 0x1f, B8, B4, 0xff }, .check = get_lba_status_check,
	  .run = get_lba_status_run },
	{ .name = "REPORT LUNS", .opcode = OP_REPORT_LUNS, .len = 12, .dir = CDB_IN, .unit = CDB_BYTES, LEN(6, 4),
	  .flags = CDB_WAYS_OK | EVERYWHERE, .pr = PR_FREE,
	  .usage = { 0xff, 0, 0xff, 0, 0, 0, B4 }, .run = report_luns_run },
	{ .name = "REPORT TARGET PORT GROUPS", .opcode = OP_MAINTENANCE_IN, .sa = SA_REPORT_TARGET_PORT_GROUPS, .len = 12,
	  .dir = CDB_IN, .unit = CDB_BYTES, LEN(6, 4), .flags = CDB_SA | CDB_WAYS_OK, .pr = PR_FREE,
	  .usage = { 0xff, 0xff, 0, 0, 0, 0, B4 }, .run = report_groups_run },
	{ .name = "REPORT SUPPORTED OPERATION CODES", .opcode = OP_MAINTENANCE_IN, .sa = SA_REPORT_SUPPORTED_OPCODES,
	  .len = 12, .dir = CDB_IN, .unit = CDB_BYTES, LEN(6, 4), .flags = CDB_JOB_OK | CDB_SA,
	  .pr = PR_READS, .usage = { 0xff, 0x1f, 0x87, 0xff, B2, B4 }, .run = report_opcodes_run },
	{ .name = "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", .opcode = OP_MAINTENANCE_IN, .sa = SA_REPORT_TASK_FUNCTIONS,
	  .len = 12, .dir = CDB_IN, .unit = CDB_BYTES, LEN(6, 4), .flags = CDB_JOB_OK | CDB_SA, .pr = PR_READS,
	  .usage = { 0xff, 0x1f, 0x80, 0, 0, 0, B4 }, .run = report_functions_run },
	{ .name = "SET TARGET PORT GROUPS", .opcode = OP_MAINTENANCE_OUT, .sa = SA_SET_TARGET_PORT_GROUPS, .len = 12,
	  .dir = CDB_OUT, .unit = CDB_BYTES, LEN(6, 4), .flags = CDB_SA | CDB_WAYS_OK | CDB_EXPLICIT_ALUA,
	  .usage = { 0xff, 0x1f, 0, 0, 0, 0, B4 }, .run = set_groups_run },
	{ .name = "READ(12)", .opcode = OP_READ_12, .len = 12, .dir = CDB_IN, .unit = CDB_BLOCKS, LBA_10, LEN(6, 4),
	  .flags = READS | CDB_FUA, .pr = PR_READS, .usage = { 0xff, 0x18, B4, B4 }, .run = read_run },
	{ .name = "READ DEFECT DATA(12)", .opcode = OP_READ_DEFECT_DATA_12, .len = 12, .dir = CDB_IN,
	  .unit = CDB_BYTES, LEN(6, 4), .flags = CDB_MEDIUM, .pr = PR_READS, .usage = { 0xff, 0x1f, B4, B4 },
	  .run = read_defect_data12_run },
	{ .name = "WRITE(12)", .opcode = OP_WRITE_12, .len = 12, .dir = CDB_OUT, .unit = CDB_BLOCKS, LBA_10, LEN(6, 4),
	  .flags = WRITES | CDB_FUA | CDB_PLAIN, .usage = { 0xff, 0x18, B4, B4 }, .run = write_run },
	{ .name = "WRITE AND VERIFY(12)", .opcode = OP_WRITE_VERIFY_12, .len = 12, .dir = CDB_OUT, .unit = CDB_BLOCKS,
	  LBA_10, LEN(6, 4), .flags = WRITES, .usage = { 0xff, 0x12, B4, B4 },
	  .check = write_verify_check, .run = write_verify_run },
	{ .name = "VERIFY(12)", .opcode = OP_VERIFY_12, .len = 12, .dir = CDB_OUT, .unit = CDB_RANGE, LBA_10, LEN(6, 4),
	  .flags = READS, .pr = PR_READS, .usage = { 0xff, 0x16, B4, B4 }, .check = verify_check, .run = verify_run },
};

G_STATIC_ASSERT(G_N_ELEMENTS(ops) < STATS_OPCODES);	/* the last one counts what is not here */

/* 1 + the row of an operation code's first command; rows of one operation code follow each other. */
static uint8_t row_of[256];

uint8_t cdb_kinds[G_N_ELEMENTS(ops)];

/* What they are counted as: those that move blocks between medium and initiator, and the others. */
static enum stats_kind kind_of(const struct cdb_op *op)
{
	const unsigned writes = CDB_WRITE | CDB_LBA;

	if (op->dir == CDB_IN && op->unit == CDB_BLOCKS)
		return STATS_READ;
	return op->dir == CDB_OUT && (op->flags & writes) == writes ? STATS_WRITE : STATS_OTHER;
}

static void __attribute__((constructor)) index_rows(void)
{
	for (unsigned i = G_N_ELEMENTS(ops); i-- > 0; ) {
		row_of[ops[i].opcode] = (uint8_t)(i + 1);
		cdb_kinds[i] = kind_of(&ops[i]);
	}
}

const struct cdb_op *cdb_find(const uint8_t *cdb, bool *known_opcode)
{
	unsigned row = row_of[cdb[0]];

	*known_opcode = row != 0;
	if (!row)
		return NULL;
	if (!(ops[row - 1].flags & CDB_SA))
		return &ops[row - 1];
	for (const struct cdb_op *op = &ops[row - 1]; op < ops + G_N_ELEMENTS(ops) && op->opcode == cdb[0]; op++)
		if (op->sa == (cdb[1] & 0x1f))
			return op;
	return NULL;
}

const struct cdb_op *cdb_lookup(const struct lun *lun, uint8_t opcode, uint16_t sa)
{
	uint8_t cdb[2] = { opcode, sa & 0x1f };
	const struct cdb_op *op;
	bool known;

	if (sa > 0x1f)
		return NULL;
	op = cdb_find(cdb, &known);
	return op && (!sa || op->flags & CDB_SA) && cdb_supported(op, lun) ? op : NULL;
}

bool cdb_has_service_actions(uint8_t opcode)
{
	return row_of[opcode] && ops[row_of[opcode] - 1].flags & CDB_SA;
}

const struct cdb_op *cdb_nth(unsigned n)
{
	return n < G_N_ELEMENTS(ops) ? &ops[n] : NULL;
}

unsigned cdb_row(const struct cdb_op *op)
{
	return (unsigned)(op - ops);
}

bool cdb_supported(const struct cdb_op *op, const struct lun *lun)
{
	return !lun || ((!(op->flags & CDB_THIN) || lun_state(lun) & LUN_THIN) &&
			(!(op->flags & CDB_EXPLICIT_ALUA) || atomic_load(&lun->target->explicit_alua)));
}

void cdb_usage(const struct cdb_op *op, const struct lun *lun, uint8_t *out)
{
	memcpy(out, op->usage, op->len);
	out[0] = op->opcode;
	if (op->flags & CDB_SA)
		out[1] = (uint8_t)((out[1] & ~0x1f) | op->sa);
	if (lun && !(lun_state(lun) & LUN_THIN))
		out[1] &= (uint8_t)~op->thin_byte1;
	if (lun && ~lun_state(lun) & op->when_state)
		out[op->when_byte] &= (uint8_t)~op->when_bits;
}

/* Eight bytes at once: those with a bit that no field has are not 0. */
static uint64_t unused_bits(const struct cdb_op *op, const uint8_t *cdb, unsigned at)
{
	uint64_t used, given;

	memcpy(&used, op->usage + at, sizeof used);
	memcpy(&given, cdb + at, sizeof given);
	return given & ~used;
}

/* Of a CDB of 10, 12 or 16 bytes, the first and the last eight of it. */
static bool is_clean(const struct cdb_op *op, const uint8_t *cdb)
{
	return op->len >= 9 && op->len <= 16 && !unused_bits(op, cdb, 1) && !unused_bits(op, cdb, op->len - 8);
}

bool cdb_reserved_bit(const struct cdb_op *op, const uint8_t *cdb, unsigned *byte, int *bit)
{
	if (G_LIKELY(is_clean(op, cdb)))
		return false;
	for (unsigned i = 1; i < op->len; i++) {
		uint8_t wrong = cdb[i] & (uint8_t)~op->usage[i];

		if (wrong) {
			*byte = i;
			*bit = g_bit_nth_msf(wrong, -1);
			return true;
		}
	}
	return false;
}
