/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h - the text keys of RFC 7143 13 as one table, and the one function that negotiates them. */
#ifndef GOTGT_KEYS_H
#define GOTGT_KEYS_H

#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

enum { DIGEST_NONE = 0, DIGEST_CRC32C = 1 };

/*
 * Values of the operational keys: what we offer (from the configuration, per target) and what
 * was agreed (per connection).  Bytes, seconds and counts as the RFC's.
 */
struct params {
	uint32_t max_connections;
	uint32_t max_recv_dsl;		/* ours, declared */
	uint32_t peer_max_recv_dsl;	/* the initiator's, declared; 8192 until it says */
	uint32_t max_burst, first_burst;
	uint32_t time2wait, time2retain;
	uint32_t max_outstanding_r2t;
	uint32_t error_recovery_level;
	uint32_t header_digest, data_digest;	/* agreed: DIGEST_*; offered: 0 None only, 1 either (initiator's order), 2 CRC32C only */
	uint32_t initial_r2t, immediate_data, data_pdu_in_order, data_sequence_in_order;	/* 0 or 1 */
};

/* The defaults we offer (DESIGN.md 4), and the RFC's values before any negotiation. */
extern const struct params params_offered, params_initial;

#endif
