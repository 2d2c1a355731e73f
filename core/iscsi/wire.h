/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - the numbers and offsets of RFC 7143 11. */
#ifndef GOTGT_ISCSI_WIRE_H
#define GOTGT_ISCSI_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <endian.h>

enum { BHS_LEN = 48, DIGEST_LEN = 4, AHS_MAX = 255 * 4 };

/* Reserved values of ITT and TTT (11.2.1.8, 11.7.4). */
#define TAG_NONE 0xffffffffu

/* 11.2.1.2, without the I bit */
enum opcode {
	OP_NOP_OUT = 0x00, OP_SCSI_COMMAND = 0x01, OP_TMF_REQUEST = 0x02, OP_LOGIN_REQUEST = 0x03, OP_TEXT_REQUEST = 0x04,
	OP_DATA_OUT = 0x05, OP_LOGOUT_REQUEST = 0x06, OP_SNACK_REQUEST = 0x10,
	OP_NOP_IN = 0x20, OP_SCSI_RESPONSE = 0x21, OP_TMF_RESPONSE = 0x22, OP_LOGIN_RESPONSE = 0x23, OP_TEXT_RESPONSE = 0x24,
	OP_DATA_IN = 0x25, OP_LOGOUT_RESPONSE = 0x26, OP_R2T = 0x31, OP_ASYNC = 0x32, OP_REJECT = 0x3f,
};
enum { OPCODE_MASK = 0x3f, IMMEDIATE_BIT = 0x40, FINAL_BIT = 0x80, CONTINUE_BIT = 0x40 };

/* 11.17.1 */
enum reject_reason {
	REJECT_DATA_DIGEST = 0x02, REJECT_SNACK = 0x03, REJECT_PROTOCOL_ERROR = 0x04, REJECT_NOT_SUPPORTED = 0x05,
	REJECT_IMMEDIATE = 0x06, REJECT_IN_PROGRESS = 0x07, REJECT_INVALID_DATA_ACK = 0x08, REJECT_INVALID_FIELD = 0x09,
	REJECT_LONG_RETRY = 0x0a, REJECT_RESET = 0x0b, REJECT_WAITING_FOR_LOGOUT = 0x0c,
};

/* 11.13.5: class << 8 | detail */
enum login_status {
	LOGIN_SUCCESS = 0x0000, LOGIN_MOVED_TEMPORARILY = 0x0101, LOGIN_MOVED_PERMANENTLY = 0x0102,
	LOGIN_INITIATOR_ERROR = 0x0200, LOGIN_AUTH_FAILURE = 0x0201, LOGIN_FORBIDDEN = 0x0202, LOGIN_NOT_FOUND = 0x0203,
	LOGIN_REMOVED = 0x0204, LOGIN_VERSION = 0x0205, LOGIN_TOO_MANY_CONNECTIONS = 0x0206, LOGIN_MISSING_PARAMETER = 0x0207,
	LOGIN_CANNOT_INCLUDE = 0x0208, LOGIN_SESSION_TYPE = 0x0209, LOGIN_NO_SESSION = 0x020a, LOGIN_INVALID_REQUEST = 0x020b,
	LOGIN_TARGET_ERROR = 0x0300, LOGIN_UNAVAILABLE = 0x0301, LOGIN_OUT_OF_RESOURCES = 0x0302,
};

static inline uint8_t get8(const uint8_t *p) { return *p; }
static inline uint16_t get16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return be16toh(v); }
static inline uint32_t get24(const uint8_t *p) { return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2]; }
static inline uint32_t get32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return be32toh(v); }
static inline void put16(uint8_t *p, uint16_t v) { v = htobe16(v); memcpy(p, &v, 2); }
static inline void put24(uint8_t *p, uint32_t v) { p[0] = (uint8_t)(v >> 16); p[1] = (uint8_t)(v >> 8); p[2] = (uint8_t)v; }
static inline void put32(uint8_t *p, uint32_t v) { v = htobe32(v); memcpy(p, &v, 4); }

/* RFC 1982 serial numbers, as RFC 7143 4.2.2.1 wants. */
static inline bool sn_lt(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }
static inline bool sn_le(uint32_t a, uint32_t b) { return (int32_t)(a - b) <= 0; }

static inline uint32_t pad4(uint32_t n) { return (n + 3) & ~3u; }

/* A received PDU: views into the connection's buffer, valid while the handler runs. */
struct pdu {
	const uint8_t *bhs;	/* BHS_LEN bytes */
	const uint8_t *ahs;
	uint32_t ahs_len;	/* bytes */
	const uint8_t *data;	/* the data segment, unpadded */
	uint32_t data_len;
};
static inline uint8_t pdu_opcode(const struct pdu *p) { return p->bhs[0] & OPCODE_MASK; }
static inline bool pdu_immediate(const struct pdu *p) { return p->bhs[0] & IMMEDIATE_BIT; }

/* What a handler found; conn.c acts on it. */
struct verdict {
	enum { PDU_OK, PDU_REJECT, PDU_DROP } act;
	enum reject_reason reason;	/* PDU_REJECT */
	const char *why;		/* for the log, static text */
};
#define VERDICT_OK ((struct verdict){ PDU_OK, 0, NULL })
#define VERDICT_REJECT(r, w) ((struct verdict){ PDU_REJECT, (r), (w) })
#define VERDICT_DROP(w) ((struct verdict){ PDU_DROP, 0, (w) })

#endif
