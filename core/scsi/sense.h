/* SPDX-License-Identifier: Apache-2.0 */
/* sense.h - sense keys and additional sense codes (SPC-5 4.4, annex F), one row each. */
#ifndef GOTGT_SENSE_H
#define GOTGT_SENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sense_key {
	KEY_NO_SENSE = 0, KEY_RECOVERED_ERROR = 1, KEY_NOT_READY = 2, KEY_MEDIUM_ERROR = 3, KEY_HARDWARE_ERROR = 4,
	KEY_ILLEGAL_REQUEST = 5, KEY_UNIT_ATTENTION = 6, KEY_DATA_PROTECT = 7,
	KEY_COPY_ABORTED = 0xa, KEY_ABORTED_COMMAND = 0xb, KEY_MISCOMPARE = 0xe,
};

/* name, sense key, ASC, ASCQ, text */
#define SENSE_CODES(X) \
	X(NONE, NO_SENSE, 0x00, 0x00, "no additional sense information") \
	X(NOT_READY_MANUAL, NOT_READY, 0x04, 0x02, "logical unit not ready, initializing command required") \
	X(NOT_READY, NOT_READY, 0x04, 0x00, "logical unit not ready, cause not reportable") \
	X(BECOMING_READY, NOT_READY, 0x04, 0x01, "logical unit is in process of becoming ready") \
	X(NOT_READY_OFFLINE, NOT_READY, 0x04, 0x03, "logical unit not ready, manual intervention required") \
	X(FORMAT_IN_PROGRESS, NOT_READY, 0x04, 0x04, "logical unit not ready, format in progress") \
	X(STANDBY, NOT_READY, 0x04, 0x0b, "logical unit not accessible, target port in standby state") \
	X(UNAVAILABLE, NOT_READY, 0x04, 0x0c, "logical unit not accessible, target port in unavailable state") \
	X(SANITIZE_IN_PROGRESS, NOT_READY, 0x04, 0x1b, "logical unit not ready, sanitize in progress") \
	X(WRITE_ERROR, MEDIUM_ERROR, 0x0c, 0x00, "write error") \
	X(READ_ERROR, MEDIUM_ERROR, 0x11, 0x00, "unrecovered read error") \
	X(DEFECT_LIST_NOT_FOUND, RECOVERED_ERROR, 0x1c, 0x00, "defect list not found") \
	X(FORMAT_FAILED, MEDIUM_ERROR, 0x31, 0x01, "format command failed") \
	X(SANITIZE_FAILED, MEDIUM_ERROR, 0x31, 0x03, "sanitize command failed") \
	X(MISCOMPARE, MISCOMPARE, 0x1d, 0x00, "miscompare during verify operation") \
	X(INVALID_FIELD_IN_IU, ILLEGAL_REQUEST, 0x0e, 0x03, "invalid field in command information unit") \
	X(PARAMETER_LIST_LENGTH, ILLEGAL_REQUEST, 0x1a, 0x00, "parameter list length error") \
	X(INVALID_OPCODE, ILLEGAL_REQUEST, 0x20, 0x00, "invalid command operation code") \
	X(LBA_OUT_OF_RANGE, ILLEGAL_REQUEST, 0x21, 0x00, "logical block address out of range") \
	X(INVALID_FIELD_IN_CDB, ILLEGAL_REQUEST, 0x24, 0x00, "invalid field in CDB") \
	X(LUN_NOT_SUPPORTED, ILLEGAL_REQUEST, 0x25, 0x00, "logical unit not supported") \
	X(INVALID_FIELD_IN_PARAMETERS, ILLEGAL_REQUEST, 0x26, 0x00, "invalid field in parameter list") \
	X(INVALID_RELEASE, ILLEGAL_REQUEST, 0x26, 0x04, "invalid release of persistent reservation") \
	X(WRITE_PROTECTED, DATA_PROTECT, 0x27, 0x00, "write protected") \
	X(SPACE_ALLOCATION_FAILED, DATA_PROTECT, 0x27, 0x07, "space allocation failed write protect") \
	X(MEDIUM_NOT_PRESENT, NOT_READY, 0x3a, 0x02, "medium not present - tray open") \
	X(SAVING_NOT_SUPPORTED, ILLEGAL_REQUEST, 0x39, 0x00, "saving parameters not supported") \
	X(MEDIUM_REMOVAL_PREVENTED, ILLEGAL_REQUEST, 0x53, 0x02, "medium removal prevented") \
	X(NO_REGISTRATION_RESOURCES, ILLEGAL_REQUEST, 0x55, 0x04, "insufficient registration resources") \
	X(SELF_TEST_FAILED, HARDWARE_ERROR, 0x3e, 0x03, "logical unit failed self-test") \
	X(INTERNAL_FAILURE, HARDWARE_ERROR, 0x44, 0x00, "internal target failure") \
	X(OPERATION_IN_PROGRESS, ILLEGAL_REQUEST, 0x00, 0x16, "operation in progress") \
	X(TOO_MANY_CSCDS, ILLEGAL_REQUEST, 0x26, 0x06, "too many target descriptors") \
	X(CSCD_TYPE, ILLEGAL_REQUEST, 0x26, 0x07, "unsupported target descriptor type code") \
	X(TOO_MANY_SEGMENTS, ILLEGAL_REQUEST, 0x26, 0x08, "too many segment descriptors") \
	X(SEGMENT_TYPE, ILLEGAL_REQUEST, 0x26, 0x09, "unsupported segment descriptor type code") \
	X(INLINE_DATA, ILLEGAL_REQUEST, 0x26, 0x0b, "inline data length exceeded") \
	X(COPY_ABORTED, COPY_ABORTED, 0x00, 0x00, "copy aborted") \
	X(COPY_UNREACHABLE, COPY_ABORTED, 0x08, 0x04, "unreachable copy target") \
	X(COPY_DEVICE_FAILURE, COPY_ABORTED, 0x0d, 0x01, "third party device failure") \
	X(COPY_DEVICE_NOT_REACHABLE, COPY_ABORTED, 0x0d, 0x02, "copy target device not reachable") \
	X(COPY_DEVICE_TYPE, COPY_ABORTED, 0x0d, 0x03, "incorrect copy target device type") \
	X(COPY_INEXACT_SEGMENT, COPY_ABORTED, 0x26, 0x0a, "unexpected inexact segment") \
	X(UA_MEDIUM_CHANGED, UNIT_ATTENTION, 0x28, 0x00, "not ready to ready change, medium may have changed") \
	X(UA_POWER_ON, UNIT_ATTENTION, 0x29, 0x00, "power on, reset, or bus device reset occurred") \
	X(UA_RESET, UNIT_ATTENTION, 0x29, 0x03, "bus device reset function occurred") \
	X(UA_NEXUS_LOSS, UNIT_ATTENTION, 0x29, 0x07, "I_T nexus loss occurred") \
	X(UA_MODE_CHANGED, UNIT_ATTENTION, 0x2a, 0x01, "mode parameters changed") \
	X(UA_RES_PREEMPTED, UNIT_ATTENTION, 0x2a, 0x03, "reservations preempted") \
	X(UA_RES_RELEASED, UNIT_ATTENTION, 0x2a, 0x04, "reservations released") \
	X(UA_REG_PREEMPTED, UNIT_ATTENTION, 0x2a, 0x05, "registrations preempted") \
	X(UA_CAPACITY_CHANGED, UNIT_ATTENTION, 0x2a, 0x09, "capacity data has changed") \
	X(UA_ACCESS_CHANGED, UNIT_ATTENTION, 0x2a, 0x06, "asymmetric access state changed") \
	X(UA_COMMANDS_CLEARED, UNIT_ATTENTION, 0x2f, 0x00, "commands cleared by another initiator") \
	X(UA_INQUIRY_CHANGED, UNIT_ATTENTION, 0x3f, 0x03, "inquiry data has changed") \
	X(UA_LUNS_CHANGED, UNIT_ATTENTION, 0x3f, 0x0e, "reported LUNs data has changed") \
	X(TOO_MUCH_WRITE_DATA, ABORTED_COMMAND, 0x26, 0x00, "too much write data") \
	X(UNEXPECTED_UNSOLICITED_DATA, ABORTED_COMMAND, 0x0c, 0x0c, "unexpected unsolicited data") \
	X(NOT_ENOUGH_UNSOLICITED_DATA, ABORTED_COMMAND, 0x0c, 0x0d, "not enough unsolicited data") \
	X(INVALID_MESSAGE, ILLEGAL_REQUEST, 0x49, 0x00, "invalid message error") \
	X(COMMAND_TIMEOUT, ABORTED_COMMAND, 0x2e, 0x02, "command timeout during processing") \
	X(PROTOCOL_CRC, ABORTED_COMMAND, 0x47, 0x05, "protocol service CRC error") \

enum sense_code {
#define X(name, key, asc, ascq, text) SENSE_##name,
	SENSE_CODES(X)
#undef X
	SENSE_COUNT
};

struct sense_row { uint8_t key, asc, ascq; const char *name, *text; };
extern const struct sense_row sense_rows[SENSE_COUNT];

/*
 * Where a field pointer (SPC-5 4.4.2.4) points; zeroed: nowhere.  Of NOT READY, byte alone: a progress indication
 * (4.4.2.4.4).  in_segment: into a segment descriptor, with COPY ABORTED (SPC-4 4.5.2.4.5).
 */
struct sense_field { bool valid, in_cdb, in_segment, bit_valid; uint8_t bit; uint16_t byte; };

/* Build fixed (SPC-5 4.4.3) or descriptor (4.4.2) sense; info is the INFORMATION field when info_valid.  Bytes written, <= size. */
size_t sense_build(uint8_t *out, size_t size, bool descriptor, enum sense_code code,
		   const struct sense_field *field, bool info_valid, uint64_t info);

#endif
