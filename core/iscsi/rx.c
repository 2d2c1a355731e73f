/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rx.c - receive: one recvmsg takes in as many PDUs as the socket holds and they are handled in
 * place.  A large data segment that has not all come yet is received straight to where its
 * command wants it, and then headers are read alone, so that no data passes through our buffer.
 */
#include "config.h"
#include <errno.h>
#include <isa-l/crc.h>
#include <sys/socket.h>
#include "iscsi/cmd.h"
#include "iscsi/count.h"
#include "iscsi/pdu.h"
#include "iscsi/rx.h"
#include "iscsi/session.h"
#include "scsi/ahead.h"

#define LOG_DOMAIN LOGD_ISCSI

#define RX_SIZE (128u << 10)
#define PLACE_MIN (16u << 10)	/* smaller data segments are waited for in the buffer */
#define RECEIVES 4		/* system calls for one readiness, so that other connections get their turn */
#define TX_LIMIT 1024u		/* PDUs queued at which a peer is no longer read from, until it reads */
#define TX_COPIED (4u << 20)	/* bytes of copies at which it is not */
#define TX_COPIED_FEW (64u << 10)	/* the same, when all together have too many */
#define TURN 128		/* SCSI Commands and Data-Outs of one turn, so that the others get theirs */
#define DEAR 8			/* of these, what any other PDU counts for: it has no window to keep to */
#define LOGIN_MAX_DSL 8192u	/* RFC 7143 13.12: until login has said otherwise */

static uint32_t crc(uint32_t seed, const void *data, size_t len)
{
	return crc32_iscsi((unsigned char *)data, (int)len, seed);
}

static uint32_t unparsed(const struct conn *c)
{
	return c->rx_len - c->rx_at;
}

bool rx_is_empty(const struct conn *c)
{
	return !unparsed(c);
}

void rx_free(struct conn *c)
{
	bufpool_put(reactor_pool(c->reactor), c->rx);
	c->rx = NULL;
	c->rx_at = c->rx_len = 0;
}

/* Room for a PDU of `total` bytes from rx_at on. */
static bool make_room(struct conn *c, uint32_t total)
{
	struct buf *b = c->rx;

	if (b && c->rx_at + total <= b->size)
		return true;
	if (!b || total > b->size) {
		b = bufpool_get(reactor_pool(c->reactor), total <= RX_SIZE ? RX_SIZE : (size_t)1 << g_bit_storage(total - 1));
		if (!b)
			return false;
	}
	if (c->rx)
		memmove(b->data, c->rx->data + c->rx_at, unparsed(c));
	if (b != c->rx)
		bufpool_put(reactor_pool(c->reactor), c->rx);
	c->rx_len -= c->rx_at;
	c->rx_at = 0;
	c->rx = b;
	return true;
}

static uint32_t header_len(const struct conn *c, const uint8_t *bhs)
{
	return BHS_LEN + bhs[4] * 4u + (c->header_digest ? DIGEST_LEN : 0);
}

/* How much of the PDU at rx_at to wait for: its basic header first, then all of it. */
static uint32_t wanted(const struct conn *c)
{
	const uint8_t *bhs = c->rx ? c->rx->data + c->rx_at : NULL;
	uint32_t dsl;

	if (!bhs || unparsed(c) < BHS_LEN)
		return BHS_LEN + (c->header_digest ? DIGEST_LEN : 0);
	if (unparsed(c) < header_len(c, bhs))
		return header_len(c, bhs);
	dsl = get24(bhs + 5);
	return header_len(c, bhs) + pad4(dsl) + (c->data_digest && dsl ? DIGEST_LEN : 0);
}

static void act(struct conn *c, const struct pdu *p, struct verdict v)
{
	if (v.act == PDU_DROP)
		conn_drop(c, v.why);
	else if (v.act == PDU_REJECT && c->state != CONN_CLOSING) {
		log_debug_of(conn_fields(c), "%s: reject 0x%02x of opcode 0x%02x: %s", c->peer, v.reason, pdu_opcode(p), v.why);
		pdu_reject(c, p, v.reason);
	}
}

static bool header_digest_ok(const uint8_t *bhs, uint32_t len)
{
	uint32_t want;

	memcpy(&want, bhs + len - DIGEST_LEN, DIGEST_LEN);
	return le32toh(want) == ~crc(0xffffffff, bhs, len - DIGEST_LEN);
}

static bool data_digest_ok(const uint8_t *data, uint32_t padded)
{
	uint32_t want;

	memcpy(&want, data + padded, DIGEST_LEN);
	return le32toh(want) == ~crc(0xffffffff, data, padded);
}

/* What forbids even looking at the data segment, or NULL. */
static const char *header_wrong(struct conn *c, const uint8_t *bhs, uint32_t hlen)
{
	uint32_t max = conn_is_full(c) ? c->params.max_recv_dsl : LOGIN_MAX_DSL;

	if (c->header_digest && !header_digest_ok(bhs, hlen)) {
		count_header_digest(c);
		return "header digest error";	/* 7.7: at level 0 the connection ends */
	}
	if (get24(bhs + 5) > max)
		return "data segment beyond MaxRecvDataSegmentLength";
	return NULL;
}

/* A PDU that is here as far as it is waited for.  avail: bytes of its data segment. */
static void handle(struct conn *c, uint8_t *bhs, uint32_t hlen, uint32_t avail, bool whole)
{
	struct pdu p = { .bhs = bhs, .ahs = bhs + BHS_LEN, .ahs_len = bhs[4] * 4u, .data = bhs + hlen,
			 .data_len = get24(bhs + 5) };
	bool bad = false;

	if (whole) {
		c->rx_at += hlen + pad4(p.data_len);
		if (c->data_digest && p.data_len) {
			bad = !data_digest_ok(p.data, pad4(p.data_len));
			c->rx_at += DIGEST_LEN;
		}
		if (bad)
			count_data_digest(c, bhs);
	} else {
		c->rx_at = c->rx_len;
	}
	c->large = !whole;
	act(c, &p, pdu_handle(c, &p, whole ? p.data_len : avail, bad));
	if (c->into.active && c->data_digest)
		c->into.crc = crc(0xffffffff, p.data, avail);
}

/* So much is queued that more would be without limit. */
static bool tx_is_long(const struct conn *c)
{
	const struct node *n = c->node;

	if (c->tx_pdus >= TX_LIMIT || c->tx_copied >= TX_COPIED)
		return true;
	return c->tx_copied >= TX_COPIED_FEW && n->memory[reactor_index(c->reactor)].copied > n->max_copied / n->engine->n_reactors;
}

/* What the next PDU takes of a turn. */
static int cost(const struct conn *c)
{
	return !conn_is_full(c) || pdu_carries_data_out(c->rx->data[c->rx_at] & OPCODE_MASK) ? 1 : DEAR;
}

/* False when more bytes are needed. */
static bool parse_one(struct conn *c)
{
	uint8_t *bhs;
	struct pdu p;
	uint32_t hlen, avail;
	const char *wrong;

	if (unparsed(c) < BHS_LEN)
		return false;
	bhs = c->rx->data + c->rx_at;
	hlen = header_len(c, bhs);
	if (unparsed(c) < hlen)
		return false;
	wrong = header_wrong(c, bhs, hlen);
	if (wrong) {
		conn_drop(c, wrong);
		return false;
	}
	if (c->session && c->session->n_conns > 1 && pdu_stalls(c, bhs))
		return false;
	if (unparsed(c) >= wanted(c)) {
		handle(c, bhs, hlen, 0, true);
		return true;
	}
	avail = unparsed(c) - hlen;
	p = (struct pdu){ .bhs = bhs, .data_len = get24(bhs + 5) };
	if (!conn_is_full(c) || !pdu_carries_data_out(pdu_opcode(&p)) || !pdu_in_order(c, &p) ||
	    (c->data_digest && pdu_opcode(&p) != OP_DATA_OUT) ||	/* no command before its digest is known: 7.8 */
	    avail >= p.data_len || (p.data_len < PLACE_MIN && !c->lent_open))
		return false;
	handle(c, bhs, hlen, avail, false);
	return true;
}

/*
 * More than one command is here, for a target with many LUNs.  Nothing of these bytes has been checked, not even a digest:
 * nothing but hints may be made of them.
 */
static void look_ahead(const struct conn *c)
{
	struct ahead next[AHEAD_MAX];
	unsigned n = 0;

	if (unparsed(c) < 2 * BHS_LEN || !conn_is_full(c) || !c->session->nexus || !ahead_pays(c->session->nexus))
		return;
	for (uint32_t at = c->rx_at; n < AHEAD_MAX && at < c->rx_len && c->rx_len - at >= BHS_LEN; ) {
		const uint8_t *bhs = c->rx->data + at;

		if ((bhs[0] & OPCODE_MASK) == OP_SCSI_COMMAND)
			next[n++] = (struct ahead){ bhs + 8, bhs + 32 };
		at += header_len(c, bhs) + pad4(get24(bhs + 5)) + (c->data_digest && get24(bhs + 5) ? DIGEST_LEN : 0);
	}
	if (n > 1)
		ahead_fetch(c->session->nexus, next, n);
}

void rx_parse(struct conn *c)
{
	unsigned handled = 0;

	for (int left = TURN; c->state != CONN_CLOSING && !c->paused && !c->close_when_sent && !c->into.active; ) {
		int takes = unparsed(c) ? cost(c) : 0;

		if (left <= 0 || tx_is_long(c)) {
			if (unparsed(c))
				reactor_again(c->reactor, &c->go_on);
			break;
		}
		if (handled++ % AHEAD_MAX == 0)
			look_ahead(c);
		if (!parse_one(c))
			break;
		left -= takes;
	}
	if (c->state != CONN_CLOSING && rx_is_empty(c) && !c->into.active)
		rx_free(c);
}

static ssize_t receive(struct conn *c, struct iovec *iov, uint32_t n)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };

	return recvmsg(c->watch.fd, &m, MSG_DONTWAIT);
}

/* ---- into the buffer ---- */

/* Receive up to what is asked for; *more: all of that came. */
static ssize_t to_buffer(struct conn *c, bool *more)
{
	uint32_t want = wanted(c);
	struct iovec v;
	ssize_t n;

	if (!make_room(c, want)) {
		errno = ENOMEM;
		return -1;
	}
	v.iov_base = c->rx->data + c->rx_len;
	v.iov_len = c->large || c->lent_open ? want - unparsed(c) : c->rx->size - c->rx_len;
	n = receive(c, &v, 1);
	if (n > 0)
		c->rx_len += (uint32_t)n;
	*more = n == (ssize_t)v.iov_len;
	return n;
}

/* ---- into place ---- */

static void into_finish(struct conn *c)
{
	struct pdu p = { .bhs = c->into.bhs, .data_len = c->into.len };
	uint32_t pad = pad4(c->into.len) - c->into.len, want;
	bool bad = false;

	if (c->data_digest) {
		memcpy(&want, c->into.tail + pad, DIGEST_LEN);
		bad = le32toh(want) != ~crc(c->into.crc, c->into.tail, pad);
	}
	if (bad)
		count_data_digest(c, c->into.bhs);
	act(c, &p, cmd_into_done(c, bad));
}

/* n bytes came: to the elements of iov that are data, then the tail, then the next header. */
static void into_account(struct conn *c, const struct iovec *iov, uint32_t n_data, size_t n)
{
	uint32_t tail;

	for (uint32_t i = 0; i < n_data && n; i++) {
		uint32_t len = (uint32_t)MIN(n, iov[i].iov_len);

		if (c->data_digest)
			c->into.crc = crc(c->into.crc, iov[i].iov_base, len);
		c->into.offset += len;
		c->into.left -= len;
		n -= len;
	}
	tail = (uint32_t)MIN(n, c->into.tail_len - c->into.tail_got);
	c->into.tail_got += tail;
	c->rx_len += (uint32_t)(n - tail);
	if (!c->into.left && c->into.tail_got == c->into.tail_len)
		into_finish(c);
}

static ssize_t to_place(struct conn *c, bool *more)
{
	struct iovec iov[TASK_IOV_MAX + 3];
	uint32_t n_data = 0, n;
	size_t total = 0;
	ssize_t got;

	/* Nothing is left of the buffer by now: what comes behind the data begins it, however long it is. */
	c->rx_at = c->rx_len = 0;
	if (!make_room(c, RX_SIZE)) {
		errno = ENOMEM;
		return -1;
	}
	if (c->into.left && !c->into.discard)
		n_data = cmd_into_iov(c, iov, TASK_IOV_MAX);
	if (c->into.left && !n_data)	/* nobody wants it */
		iov[n_data++] = (struct iovec){ c->rx->data, MIN(c->into.left, c->rx->size) };
	for (uint32_t i = 0; i < n_data; i++)
		total += iov[i].iov_len;
	n = n_data;
	if (total == c->into.left && (!total || iov[0].iov_base != c->rx->data)) {
		uint32_t tail = c->into.tail_len - c->into.tail_got;

		if (tail)
			iov[n++] = (struct iovec){ c->into.tail + c->into.tail_got, tail };
		iov[n++] = (struct iovec){ c->rx->data, BHS_LEN + (c->header_digest ? DIGEST_LEN : 0) };
		total += tail + iov[n - 1].iov_len;
	} else if (total == c->into.left && c->into.tail_len) {
		iov[n++] = (struct iovec){ c->into.tail, c->into.tail_len };
		total += c->into.tail_len;
	}
	got = receive(c, iov, n);
	if (got < 0 && errno == EFAULT && !c->into.discard) {
		cmd_into_fault(c);
		errno = EINTR;
	}
	if (got > 0)
		into_account(c, iov, n_data, (size_t)got);
	*more = got == (ssize_t)total;
	return got;
}

void rx_ready(struct conn *c)
{
	bool more = true;

	c->heard_ms = reactor_now_ms(c->reactor);
	for (int i = 0; i < RECEIVES && more && c->state != CONN_CLOSING && !c->paused && !c->close_when_sent &&
	     !c->go_on.queued; i++) {
		ssize_t n = c->into.active ? to_place(c, &more) : to_buffer(c, &more);

		if (n > 0) {
			rx_parse(c);
			more = more && !tx_is_long(c);
		} else if (n == 0) {
			conn_drop(c, NULL);
		} else if (errno == EINTR) {
			more = true;
		} else {
			if (errno != EAGAIN && errno != EWOULDBLOCK)
				conn_drop(c, errno == ECONNRESET ? NULL : g_strerror(errno));
			break;
		}
	}
	if (c->state != CONN_CLOSING && rx_is_empty(c) && !c->into.active)
		rx_free(c);
}

bool rx_blocked(const struct conn *c)
{
	return c->paused || c->close_when_sent || (c->tx_full && tx_is_long(c));
}
