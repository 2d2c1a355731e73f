/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tx.h - a connection's transmit queue: PDUs as iovecs, gathered over a batch and sent with one
 * system call.  Memory comes from the reactor's pool while something is queued.  [reactor]
 */
#ifndef GOTGT_TX_H
#define GOTGT_TX_H

#include "iscsi/conn.h"

struct cmd;

/* Walks data in pieces of a PDU each. */
struct tx_cursor {
	const struct iovec *iov;
	size_t offset;		/* into *iov */
};

/* A PDU whose data (len bytes from cursor, not copied) stays valid until it is sent; bhs: all but DataSegmentLength. */
void tx_pdu(struct conn *c, const uint8_t bhs[BHS_LEN], struct tx_cursor *data, uint32_t len, struct cmd *last_of);
/* The same with data copied. */
void tx_copy(struct conn *c, const uint8_t bhs[BHS_LEN], const void *data, uint32_t len, struct cmd *last_of);

enum tx_result { TX_EMPTY, TX_FULL, TX_ERROR };
/*
 * Send what the socket takes: TX_FULL when it took less than all; errno with TX_ERROR.  A READ whose lent memory is
 * gone by now ends with a medium error.
 */
enum tx_result tx_flush(struct conn *c);
/* Throw away what is queued. */
void tx_clear(struct conn *c);

#endif
