/* SPDX-License-Identifier: Apache-2.0 */
/* peer.h - an initiator's end of a connection to a target in this process, for fuzzers: what it sends need not be right. */
#ifndef GOTGT_TESTS_FUZZ_PEER_H
#define GOTGT_TESTS_FUZZ_PEER_H

#include <stdbool.h>
#include <glib.h>
#include "iscsi/wire.h"

#define HANG_MS 20000

/* What peer_send() puts right in a PDU. */
enum {
	PUT_LENGTH = 1, PUT_CMD_SN = 2, PUT_R2T = 4, PUT_STAT_SN = 8, NO_AHS = 16, PUT_LUN = 32, BREAK_DIGEST = 64, PUT_TAG = 128,
};

struct peer {
	int fd;			/* -1: there is none */
	bool header_digest, data_digest, gone;
	bool deaf;		/* does not take what it is sent, unless it waits for it */
	uint32_t *cmd_sn;	/* of its session */
	uint32_t own_cmd_sn, stat_sn;
	/* What it was told last. */
	uint32_t r2t_itt, r2t_ttt, r2t_offset, r2t_len, nop_ttt;
	uint16_t tsih;
	unsigned logins;	/* Login Responses */
	uint16_t login_status;
	GByteArray *text;	/* of the last Login Response */
	GByteArray *in;		/* not yet taken apart */
};

void peer_begin(struct peer *p, int fd);
/* What there is, waiting at most so long for the first of it. */
void peer_drain(struct peer *p, int wait_ms);
void peer_send_raw(struct peer *p, const uint8_t *at, size_t len);
/* A PDU whose data begins with as much AHS as its header says; fix: PUT_... */
void peer_send(struct peer *p, uint8_t fix, uint8_t bhs[BHS_LEN], const uint8_t *data, uint32_t len);
/* Our half is closed, and it closes the other.  Or, reset, the connection is. */
void peer_end(struct peer *p, bool reset);

#endif
