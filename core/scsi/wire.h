/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - big-endian fields (SPC-5 3.5.4) and operation codes. */
#ifndef GOTGT_SCSI_WIRE_H
#define GOTGT_SCSI_WIRE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t get_be16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return be16toh(v); }
static inline uint32_t get_be24(const uint8_t *p) { return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2]; }
static inline uint32_t get_be32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return be32toh(v); }
static inline uint64_t get_be64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return be64toh(v); }
static inline void put_be16(uint8_t *p, uint16_t v) { v = htobe16(v); memcpy(p, &v, 2); }
static inline void put_be32(uint8_t *p, uint32_t v) { v = htobe32(v); memcpy(p, &v, 4); }
static inline void put_be64(uint8_t *p, uint64_t v) { v = htobe64(v); memcpy(p, &v, 8); }

static inline void put_be24(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 16);
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)v;
}

enum scsi_op {
	OP_TEST_UNIT_READY = 0x00, OP_REQUEST_SENSE = 0x03, OP_FORMAT_UNIT = 0x04, OP_READ_6 = 0x08, OP_WRITE_6 = 0x0a,
	OP_INQUIRY = 0x12, OP_MODE_SELECT_6 = 0x15, OP_MODE_SENSE_6 = 0x1a, OP_START_STOP_UNIT = 0x1b,
	OP_RECEIVE_DIAGNOSTIC = 0x1c, OP_SEND_DIAGNOSTIC = 0x1d, OP_PREVENT_ALLOW = 0x1e,
	OP_READ_CAPACITY_10 = 0x25, OP_READ_10 = 0x28, OP_WRITE_10 = 0x2a, OP_WRITE_VERIFY_10 = 0x2e,
	OP_VERIFY_10 = 0x2f, OP_PRE_FETCH_10 = 0x34, OP_SYNCHRONIZE_CACHE_10 = 0x35, OP_WRITE_SAME_10 = 0x41,
	OP_UNMAP = 0x42, OP_RESERVE_6 = 0x16, OP_RELEASE_6 = 0x17, OP_RESERVE_10 = 0x56, OP_RELEASE_10 = 0x57,
	OP_PERSISTENT_RESERVE_IN = 0x5e, OP_PERSISTENT_RESERVE_OUT = 0x5f,
	OP_MODE_SELECT_10 = 0x55, OP_MODE_SENSE_10 = 0x5a, OP_READ_16 = 0x88, OP_WRITE_16 = 0x8a,
	OP_WRITE_VERIFY_16 = 0x8e, OP_VERIFY_16 = 0x8f, OP_PRE_FETCH_16 = 0x90, OP_SYNCHRONIZE_CACHE_16 = 0x91,
	OP_WRITE_SAME_16 = 0x93, OP_SERVICE_ACTION_IN_16 = 0x9e, OP_REPORT_LUNS = 0xa0, OP_MAINTENANCE_IN = 0xa3,
	OP_MAINTENANCE_OUT = 0xa4,
	OP_READ_DEFECT_DATA_10 = 0x37, OP_SANITIZE = 0x48, OP_COMPARE_AND_WRITE = 0x89, OP_ORWRITE_16 = 0x8b,
	OP_WRITE_ATOMIC_16 = 0x9c, OP_READ_DEFECT_DATA_12 = 0xb7,
	OP_READ_12 = 0xa8, OP_WRITE_12 = 0xaa, OP_WRITE_VERIFY_12 = 0xae, OP_VERIFY_12 = 0xaf,
};

enum { SA_READ_CAPACITY_16 = 0x10, SA_GET_LBA_STATUS = 0x12 };	/* of SERVICE ACTION IN(16) */
enum { SA_OVERWRITE = 0x01, SA_BLOCK_ERASE = 0x02, SA_EXIT_FAILURE_MODE = 0x1f };	/* of SANITIZE */
/* of MAINTENANCE IN */
enum { SA_REPORT_TARGET_PORT_GROUPS = 0x0a, SA_REPORT_SUPPORTED_OPCODES = 0x0c, SA_REPORT_TASK_FUNCTIONS = 0x0d };
enum { SA_SET_TARGET_PORT_GROUPS = 0x0a };	/* of MAINTENANCE OUT */
/* of PERSISTENT RESERVE IN and OUT */
enum { SA_PR_READ_KEYS = 0, SA_PR_READ_RESERVATION = 1, SA_PR_REPORT_CAPABILITIES = 2, SA_PR_READ_FULL_STATUS = 3 };
enum {
	SA_PR_REGISTER = 0, SA_PR_RESERVE = 1, SA_PR_RELEASE = 2, SA_PR_CLEAR = 3, SA_PR_PREEMPT = 4,
	SA_PR_PREEMPT_AND_ABORT = 5, SA_PR_REGISTER_AND_IGNORE = 6, SA_PR_REGISTER_AND_MOVE = 7,
};

#endif
