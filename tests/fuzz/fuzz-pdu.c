/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-pdu.c - what an initiator sends, to a whole target in this process.  The first byte of an input: bit 0 a session
 * is logged in first, with the digests of bits 1 and 2; bit 3 the rest goes out as it is.  Else the rest is PDUs: a byte
 * of what to put right (peer.h), the basic header segment, the length of the data, the data.
 */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include "../wire/server.h"
#include "engine/log.h"
#include "fuzz.h"
#include "peer.h"

enum { LOGGED_IN = 1, HEADER_DIGEST = 2, DATA_DIGEST = 4, RAW = 8, SMALL_BURSTS = 16 };
#define DATA_MAX 65536u
#define PDUS_MAX 64

static void quiet(enum gotgt_log_level level, const char *line, void *data)
{
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	server = server_new();
	log_set_sink(quiet, NULL);
	return 0;
}

static void log_in(struct peer *p, uint8_t mode)
{
	static const char names[] = "InitiatorName=" HOST "\0TargetName=" DISK "\0MaxRecvDataSegmentLength=65536\0MaxOutstandingR2T=8";
	uint8_t bhs[BHS_LEN] = { OP_LOGIN_REQUEST | IMMEDIATE_BIT, 0x87, [8] = 0x80, [13] = 1 };
	g_autoptr(GByteArray) text = g_byte_array_new();

	g_byte_array_append(text, (const guint8 *)names, sizeof names);
#define ADD(pair) g_byte_array_append(text, (const guint8 *)pair, sizeof pair)
	if (mode & HEADER_DIGEST)
		ADD("HeaderDigest=CRC32C");
	if (mode & DATA_DIGEST)
		ADD("DataDigest=CRC32C");
	if (mode & SMALL_BURSTS)
		ADD("InitialR2T=Yes\0ImmediateData=No\0MaxBurstLength=1024\0FirstBurstLength=512");
	put32(bhs + 16, 1);
	put32(bhs + 24, *p->cmd_sn);
	peer_send(p, PUT_LENGTH, bhs, text->data, text->len);
	for (unsigned i = 0; !p->stat_sn && !p->gone && i < 100; i++)
		peer_drain(p, 100);
	if (!p->stat_sn)
		abort();
	p->header_digest = mode & HEADER_DIGEST;
	p->data_digest = mode & DATA_DIGEST;
}

/* Nothing of us is left there. */
static void wait_alone(void)
{
	struct node *n = server->node;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += HANG_MS / 1000;
	pthread_mutex_lock(&n->lock);
	while (n->conns_total || n->sessions)
		if (pthread_cond_timedwait(&n->idle, &n->lock, &until) == ETIMEDOUT)
			abort();
	pthread_mutex_unlock(&n->lock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	uint8_t mode = fuzz_byte(&in);
	struct peer p;

	peer_begin(&p, server_connect(server));
	if (mode & LOGGED_IN)
		log_in(&p, mode);
	if (mode & RAW)
		peer_send_raw(&p, in.at, in.left);
	for (unsigned n = 0; !(mode & RAW) && n < PDUS_MAX && in.left && !p.gone; n++) {
		uint8_t fix = fuzz_byte(&in), bhs[BHS_LEN];
		g_autofree uint8_t *bytes = NULL;
		uint32_t len;

		fuzz_take(&in, bhs, sizeof bhs);
		len = fuzz_word(&in);
		bytes = g_malloc(len + 1);
		fuzz_take(&in, bytes, len);
		peer_send(&p, fix, bhs, bytes, len);
	}
	peer_end(&p, false);
	wait_alone();
	server_renew(server);
	return 0;
}
