/* SPDX-License-Identifier: Apache-2.0 */
/* blast.h - the sessions of blast, and how each begins. */
#ifndef BLAST_H
#define BLAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>
#include "iscsi/wire.h"

enum { DEPTH_MAX = 1024, RX_BYTES = 512 * 1024, BUCKETS = 64 * 32 };

struct options {
	int io_bytes, depth, sessions, pid, lun;
	int idle, luns, sync_after;
	double seconds;
	gboolean sequential, verify, header_digest, data_digest;
	char *workload, *label, *host, *port;
	const char *iqn;
	int write_percent;
};
extern struct options o;

struct session {
	int fd;
	uint32_t cmd_sn, max_cmd_sn, exp_stat_sn;
	uint32_t max_dsl, first_burst;
	bool immediate, initial_r2t, header_digest, data_digest;
	uint32_t outstanding, n_free;
	uint16_t free_itt[DEPTH_MAX];
	uint64_t started_ns[DEPTH_MAX];
	uint16_t lun[DEPTH_MAX];	/* of each command */
	bool is_sync[DEPTH_MAX];
	int unsynced;			/* writes since the last SYNCHRONIZE CACHE */
	uint64_t next, random;
	/* With -v: what comes before data, and the data, of the PDU that comes in; a Data-In with status waits for it. */
	struct verify *verify;
	size_t before, into_len;
	uint8_t *into, held[BHS_LEN];
	bool is_held;
	const uint8_t *summed;		/* where that data began, and how much there was, to compare its digest with */
	size_t summed_len;
	uint8_t header_sum[DIGEST_LEN], data_sum[DIGEST_LEN], header_sum_len, data_sum_len;	/* as they come */
	size_t rx_len, skip, tx_len, tx_sent, tx_size;
	uint8_t *tx;
	uint8_t rx[RX_BYTES];
};

extern uint64_t blocks;
extern uint32_t block_size;

void die(const char *fmt, ...) G_GNUC_NORETURN G_GNUC_PRINTF(1, 2);
/* CRC32C as it goes over the wire. */
uint32_t digest(const uint8_t *data, size_t len);
/* At the 8 bytes of p. */
void put_lun(uint8_t *p, unsigned lun);
/* Connect, log in, learn the size of the LUN, hear the unit attentions of all of them. */
void session_open(struct session *s, unsigned id);

/* With -v: make room; which slot of io_bytes a command is for, its data laid out if it writes; look at what was read. */
extern uint64_t n_verified;
void verify_open(struct session *s);
void verify_close(struct session *s);
uint64_t verify_begin(struct session *s, uint16_t itt, bool write, uint64_t wanted);
uint8_t *verify_data(const struct session *s, uint32_t itt);
void verify_end(struct session *s, uint32_t itt);

#endif
