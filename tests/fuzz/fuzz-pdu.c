/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-pdu.c - what an initiator sends, to a whole target in this process.  The first byte of an input: bit 0 a session
 * is logged in first, with the digests of bits 1 and 2; bit 3 the rest goes out as it is.  Else the rest is PDUs: a byte
 * of what to put right (enum below), the basic header segment, the length of the data, the data.
 */
#include "config.h"
#include <errno.h>
#include <isa-l/crc.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "../wire/server.h"
#include "engine/log.h"
#include "iscsi/wire.h"
#include "fuzz.h"

enum { LOGGED_IN = 1, HEADER_DIGEST = 2, DATA_DIGEST = 4, RAW = 8, SMALL_BURSTS = 16 };
enum {
	PUT_LENGTH = 1, PUT_CMD_SN = 2, PUT_R2T = 4, PUT_STAT_SN = 8, NO_AHS = 16, PUT_LUN = 32, BREAK_DIGEST = 64, PUT_TAG = 128,
};
#define DATA_MAX 65536u
#define PDUS_MAX 64
#define HANG_MS 20000

struct peer {
	int fd;
	bool header_digest, data_digest, gone;
	uint32_t cmd_sn, stat_sn;
	uint32_t r2t_itt, r2t_ttt;
	GByteArray *in;		/* not yet taken apart */
};

static void quiet(enum gotgt_log_level level, const char *line, void *data)
{
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	server = server_new();
	log_set_sink(quiet, NULL);
	return 0;
}

/* Whole PDUs of what came: numbers to go on with. */
static void take_apart(struct peer *p)
{
	while (p->in->len >= BHS_LEN) {
		const uint8_t *b = p->in->data;
		uint32_t data = get24(b + 5), len = BHS_LEN + (p->header_digest ? 4 : 0) + pad4(data) + (data && p->data_digest ? 4 : 0);

		if (p->in->len < len)
			return;
		p->stat_sn = get32(b + 24) + 1;
		if ((b[0] & OPCODE_MASK) == OP_R2T) {
			p->r2t_itt = get32(b + 16);
			p->r2t_ttt = get32(b + 20);
		}
		g_byte_array_remove_range(p->in, 0, len);
	}
}

/* What there is, waiting at most so long for the first of it. */
static void drain(struct peer *p, int wait_ms)
{
	struct pollfd pfd = { p->fd, POLLIN, 0 };
	uint8_t buf[8192];

	while (!p->gone && poll(&pfd, 1, wait_ms) > 0) {
		ssize_t n = recv(p->fd, buf, sizeof buf, MSG_DONTWAIT);

		if (n > 0)
			g_byte_array_append(p->in, buf, (guint)n);
		else if (!n || (errno != EINTR && errno != EAGAIN))
			p->gone = true;
		wait_ms = 0;
	}
	take_apart(p);
}

static void send_all(struct peer *p, const uint8_t *at, size_t len)
{
	time_t since = time(NULL);

	while (len && !p->gone) {
		ssize_t n = send(p->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			at += n;
			len -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			struct pollfd pfd = { p->fd, POLLIN | POLLOUT, 0 };

			poll(&pfd, 1, 1000);
			drain(p, 0);
			if (time(NULL) - since > HANG_MS / 1000)
				abort();	/* it reads nothing more, and does not close */
		} else if (errno != EINTR) {
			p->gone = true;
		}
	}
}

static uint32_t digest(const uint8_t *data, size_t len)
{
	return htole32(~crc32_iscsi((unsigned char *)data, (int)len, 0xffffffff));
}

static void append_digest(GByteArray *out, size_t from, uint8_t fix)
{
	uint32_t crc = digest(out->data + from, out->len - from) ^ (fix & BREAK_DIGEST ? 1 : 0);

	g_byte_array_append(out, (const guint8 *)&crc, sizeof crc);
}

static void send_pdu(struct peer *p, uint8_t fix, uint8_t bhs[BHS_LEN], const uint8_t *data, uint32_t len)
{
	static const uint8_t zeroes[4];
	g_autoptr(GByteArray) out = g_byte_array_new();
	bool ahs = !(fix & NO_AHS) && bhs[4] && bhs[4] * 4u <= len;
	uint32_t ahs_len = ahs ? bhs[4] * 4u : 0;

	if (!ahs && fix & PUT_LENGTH)
		bhs[4] = 0;
	if (fix & PUT_LENGTH)
		put24(bhs + 5, len - ahs_len);
	if (fix & PUT_CMD_SN)
		put32(bhs + 24, bhs[0] & IMMEDIATE_BIT ? p->cmd_sn : p->cmd_sn++);
	if (fix & PUT_STAT_SN)
		put32(bhs + 28, p->stat_sn);
	if (fix & PUT_LUN) {
		memset(bhs + 8, 0, 8);
		bhs[9] = len & 1;
	}
	if (fix & PUT_TAG && get32(bhs + 16) == TAG_NONE)
		put32(bhs + 16, p->cmd_sn);
	if (fix & PUT_R2T) {
		drain(p, 5);
		put32(bhs + 16, p->r2t_itt);
		put32(bhs + 20, p->r2t_ttt);
	}
	g_byte_array_append(out, bhs, BHS_LEN);
	g_byte_array_append(out, data, ahs_len);
	if (p->header_digest)
		append_digest(out, 0, fix);
	if (len > ahs_len) {
		size_t from = out->len;

		g_byte_array_append(out, data + ahs_len, len - ahs_len);
		g_byte_array_append(out, zeroes, pad4(len - ahs_len) - (len - ahs_len));
		if (p->data_digest)
			append_digest(out, from, fix);
	}
	send_all(p, out->data, out->len);
	drain(p, 0);
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
	put32(bhs + 24, p->cmd_sn);
	send_pdu(p, PUT_LENGTH, bhs, text->data, text->len);
	for (unsigned i = 0; !p->stat_sn && !p->gone && i < 100; i++)
		drain(p, 100);
	if (!p->stat_sn)
		abort();
	p->header_digest = mode & HEADER_DIGEST;
	p->data_digest = mode & DATA_DIGEST;
}

/* Our half is closed: it closes the other, and nothing is left of us there. */
static void leave(struct peer *p)
{
	struct node *n = server->node;
	struct timespec until;

	shutdown(p->fd, SHUT_WR);
	for (unsigned ms = 0; !p->gone; ms += 100) {
		drain(p, 100);
		if (ms > HANG_MS)
			abort();
	}
	close(p->fd);
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
	struct peer p = { .fd = server_connect(server), .cmd_sn = 0xfffffffe, .in = g_byte_array_new() };

	if (mode & LOGGED_IN)
		log_in(&p, mode);
	if (mode & RAW)
		send_all(&p, in.at, in.left);
	for (unsigned n = 0; !(mode & RAW) && n < PDUS_MAX && in.left && !p.gone; n++) {
		uint8_t fix = fuzz_byte(&in), bhs[BHS_LEN];
		g_autofree uint8_t *bytes = NULL;
		uint32_t len;

		fuzz_take(&in, bhs, sizeof bhs);
		len = fuzz_word(&in);
		bytes = g_malloc(len + 1);
		fuzz_take(&in, bytes, len);
		send_pdu(&p, fix, bhs, bytes, len);
	}
	leave(&p);
	g_byte_array_unref(p.in);
	server_renew(server);
	return 0;
}
