/* SPDX-License-Identifier: Apache-2.0 */
/* tx.c - queue PDUs, send them in batches. */
#include "config.h"
#include <errno.h>
#include <isa-l/crc.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "iscsi/answer.h"
#include "iscsi/cmd.h"
#include "iscsi/count.h"
#include "iscsi/tx.h"

#define TX_IOV 288
#define TX_PDUS 144
#define TX_BYTES 8192
#define COPY_INLINE 512u	/* larger data that must be copied gets a buffer of its own */
#define SENSE_IOV 2u		/* more elements when a SCSI Response gets sense data: that, and what follows it */
#define FETCH 2u		/* so many commands before its end one is fetched: what was sent has been through the caches since */
#define PDU_BYTES (BHS_LEN + DIGEST_LEN + 3 + DIGEST_LEN)

/* What is to be done when the byte `end` of the block has been sent. */
struct txdone {
	uint32_t end;
	struct cmd *cmd;
	struct buf *buf;
};

struct txblk {
	struct txblk *next;
	struct buf *self;
	uint32_t n_iov, at_iov;
	uint32_t reserved;		/* elements kept free for sense data */
	uint32_t n_done, at_done;
	uint32_t used;			/* of bytes */
	uint32_t total, sent;		/* bytes of all iov */
	struct iovec iov[TX_IOV];
	struct txdone done[TX_PDUS];
	uint8_t bytes[TX_BYTES];	/* headers, digests, padding, small data; neighbours share an iovec */
};

G_STATIC_ASSERT(sizeof(struct txblk) <= 16384);	/* buffers' sizes are powers of two */

static struct txblk *block_with_room(struct conn *c, uint32_t n_iov, uint32_t bytes)
{
	struct txblk *b = c->tx_tail;
	struct buf *buf;

	if (b && b->n_iov + b->reserved + n_iov <= TX_IOV && b->n_done < TX_PDUS && b->used + bytes <= TX_BYTES)
		return b;
	buf = bufpool_get(reactor_pool(c->reactor), sizeof *b);
	if (!buf)
		return NULL;
	b = (struct txblk *)(void *)buf->data;
	memset(b, 0, offsetof(struct txblk, iov));
	b->self = buf;
	if (c->tx_tail)
		c->tx_tail->next = b;
	else
		c->tx_head = b;
	c->tx_tail = b;
	return b;
}

static void add_iov(struct txblk *b, void *base, size_t len)
{
	struct iovec *last = b->n_iov > b->at_iov ? &b->iov[b->n_iov - 1] : NULL;

	if (last && (uint8_t *)last->iov_base + last->iov_len == base)
		last->iov_len += len;
	else
		b->iov[b->n_iov++] = (struct iovec){ base, len };
	b->total += (uint32_t)len;
}

static uint8_t *add_bytes(struct txblk *b, const void *from, uint32_t len)
{
	uint8_t *to = b->bytes + b->used;

	memcpy(to, from, len);
	b->used += len;
	add_iov(b, to, len);
	return to;
}

static uint32_t crc(uint32_t seed, const void *data, size_t len)
{
	return crc32_iscsi((unsigned char *)data, (int)len, seed);
}

static uint32_t header_digest(const uint8_t bhs[BHS_LEN])
{
	return htole32(~crc(0xffffffff, bhs, BHS_LEN));
}

static void add_header(struct conn *c, struct txblk *b, const uint8_t bhs[BHS_LEN], uint32_t len)
{
	uint8_t *h = add_bytes(b, bhs, BHS_LEN);

	put24(h + 5, len);
	if (c->header_digest) {
		uint32_t digest = header_digest(h);

		add_bytes(b, &digest, DIGEST_LEN);
	}
}

/* Padding and data digest (RFC 7143 11.1, 13.1); seed has seen the data. */
static void add_tail(struct conn *c, struct txblk *b, uint32_t len, uint32_t seed)
{
	static const uint8_t zeroes[3];
	uint32_t pad = pad4(len) - len;

	if (pad)
		add_bytes(b, zeroes, pad);
	if (c->data_digest && len) {
		uint32_t digest = htole32(~crc(seed, zeroes, pad));

		add_bytes(b, &digest, DIGEST_LEN);
	}
}

static void add_done(struct conn *c, struct txblk *b, struct cmd *cmd, struct buf *buf)
{
	b->done[b->n_done++] = (struct txdone){ b->total, cmd, buf };
	c->tx_pdus++;
	reactor_defer(c->reactor, &c->flush);
}

/* Elements a piece of len bytes takes. */
static uint32_t pieces(const struct tx_cursor *at, uint32_t len)
{
	size_t have = len ? at->iov->iov_len - at->offset : 0;
	uint32_t n = len ? 1 : 0;

	for (const struct iovec *v = at->iov; have < len; n++)
		have += (++v)->iov_len;
	return n;
}

void tx_pdu(struct conn *c, const uint8_t bhs[BHS_LEN], struct tx_cursor *data, uint32_t len, struct cmd *last_of)
{
	uint32_t reserve = last_of && task_lent_may_go(&last_of->task) ? SENSE_IOV : 0, seed = 0xffffffff;
	struct txblk *b = block_with_room(c, 3 + (len ? pieces(data, len) : 0) + reserve, PDU_BYTES);

	if (!b) {
		if (last_of)
			cmd_sent(last_of);
		conn_drop(c, "out of memory");
		return;
	}
	b->reserved += reserve;
	add_header(c, b, bhs, len);
	for (uint32_t left = len; left; ) {
		size_t n = MIN(left, data->iov->iov_len - data->offset);
		uint8_t *base = (uint8_t *)data->iov->iov_base + data->offset;

		add_iov(b, base, n);
		if (c->data_digest)
			seed = crc(seed, base, n);
		left -= (uint32_t)n;
		data->offset += n;
		if (data->offset == data->iov->iov_len) {
			data->iov++;
			data->offset = 0;
		}
	}
	add_tail(c, b, len, seed);
	add_done(c, b, last_of, NULL);
}

void tx_copy(struct conn *c, const uint8_t bhs[BHS_LEN], const void *data, uint32_t len, struct cmd *last_of)
{
	bool small = len <= COPY_INLINE;
	struct buf *buf = small ? NULL : bufpool_get(reactor_pool(c->reactor), len);
	struct txblk *b = small || buf ? block_with_room(c, 4, PDU_BYTES + (small ? len : 0)) : NULL;

	if (!b) {
		bufpool_put(reactor_pool(c->reactor), buf);
		if (last_of)
			cmd_sent(last_of);
		conn_drop(c, "out of memory");
		return;
	}
	add_header(c, b, bhs, len);
	if (buf) {
		c->tx_copied += buf->size;
		c->node->memory[reactor_index(c->reactor)].copied += buf->size;
		memcpy(buf->data, data, len);
		add_iov(b, buf->data, len);
	} else if (len) {
		add_bytes(b, data, len);
	}
	add_tail(c, b, len, len && c->data_digest ? crc(0xffffffff, data, len) : 0xffffffff);
	add_done(c, b, last_of, buf);
}

static void finish(struct conn *c, struct txdone *d)
{
	c->tx_pdus--;
	if (d->buf) {
		c->tx_copied -= d->buf->size;
		c->node->memory[reactor_index(c->reactor)].copied -= d->buf->size;
	}
	bufpool_put(reactor_pool(c->reactor), d->buf);
	if (d->cmd)
		cmd_sent(d->cmd);
}

static void drop_head(struct conn *c)
{
	struct txblk *b = c->tx_head;

	c->tx_head = b->next;
	if (!c->tx_head)
		c->tx_tail = NULL;
	bufpool_put(reactor_pool(c->reactor), b->self);
}

static void advance(struct conn *c, struct txblk *b, size_t n)
{
	b->sent += (uint32_t)n;
	while (b->at_iov < b->n_iov && n >= b->iov[b->at_iov].iov_len)
		n -= b->iov[b->at_iov++].iov_len;
	if (n) {
		b->iov[b->at_iov].iov_base = (uint8_t *)b->iov[b->at_iov].iov_base + n;
		b->iov[b->at_iov].iov_len -= n;
	}
	if (b->n_done - b->at_done > 1 && count_ahead_pays(c))
		for (uint32_t i = b->at_done; i < b->n_done && b->done[i].end <= b->sent; i++)
			if (b->done[i].cmd)
				count_ahead(b->done[i].cmd);
	count_many(c);
	while (b->at_done < b->n_done && b->done[b->at_done].end <= b->sent) {
		if (b->at_done + FETCH < b->n_done && b->done[b->at_done + FETCH].cmd)
			cmd_fetch(b->done[b->at_done + FETCH].cmd);
		finish(c, &b->done[b->at_done++]);
	}
	count_many_end(c);
}

/* ---- lent memory that cannot be read ---- */

/* The command that the next byte belongs to: its PDUs follow each other, and its response is the last. */
static struct cmd *being_sent(const struct txblk *b)
{
	for (uint32_t i = b->at_done; b; b = b->next, i = 0)
		for (; i < b->n_done; i++)
			if (b->done[i].cmd)
				return b->done[i].cmd;
	return NULL;
}

/* Headers promise data: zeroes, where lent memory was to be sent before the byte `end` of the block. */
static void blank(struct txblk *b, uint32_t end)
{
	static uint8_t zeroes[BUF_MAX];		/* never written: no memory is behind it */
	uint32_t at = b->sent;

	for (struct iovec *v = b->iov + b->at_iov; at < end; at += (uint32_t)v++->iov_len)
		if ((uint8_t *)v->iov_base < b->bytes || (uint8_t *)v->iov_base >= b->bytes + TX_BYTES)
			v->iov_base = zeroes;
}

/* The SCSI Response that done[n] is the end of gets its command's status and sense data, as they are now. */
static bool change_response(struct conn *c, struct txblk *b, uint32_t n, struct cmd *cmd)
{
	uint32_t end = b->done[n].end, at = b->sent, digest, len;
	struct iovec *v = b->iov + b->at_iov, rest;
	uint8_t *header;

	g_return_val_if_fail(b->n_iov + SENSE_IOV <= TX_IOV, false);
	for (; at + v->iov_len < end; v++)
		at += (uint32_t)v->iov_len;
	rest = (struct iovec){ (uint8_t *)v->iov_base + (end - at), v->iov_len - (end - at) };
	header = (uint8_t *)rest.iov_base - (c->header_digest ? DIGEST_LEN : 0) - BHS_LEN;
	len = answer_change(cmd, header);
	digest = header_digest(header);
	if (c->header_digest)
		memcpy(header + BHS_LEN, &digest, DIGEST_LEN);
	memmove(v + 1 + SENSE_IOV, v + 1, (size_t)(b->iov + b->n_iov - (v + 1)) * sizeof *v);
	v[0].iov_len = end - at;
	v[1] = (struct iovec){ cmd->sense, len };
	v[2] = rest;
	b->n_iov += SENSE_IOV;
	b->reserved -= SENSE_IOV;
	b->total += len;
	for (; n < b->n_done; n++)
		b->done[n].end += len;
	return true;
}

/*
 * The kernel cannot read the next element: the READ whose lent memory it is ends with a medium error instead of GOOD.
 * That is why its status is never in the header of a Data-In PDU, which may have left already (answer.c).
 */
static bool fail_unread(struct conn *c)
{
	struct cmd *cmd = being_sent(c->tx_head);
	uint32_t n;

	if (!cmd || !task_unread(&cmd->task))
		return false;
	for (struct txblk *b = c->tx_head; b; b = b->next) {
		for (n = b->at_done; n < b->n_done && b->done[n].cmd != cmd; )
			n++;
		blank(b, n < b->n_done ? b->done[n].end : b->total);
		if (n < b->n_done)
			return change_response(c, b, n, cmd);
	}
	return false;
}

enum tx_result tx_flush(struct conn *c)
{
	bool singly = false;	/* to learn which element it is that cannot be read */
	struct txblk *b;

	while ((b = c->tx_head)) {
		uint32_t left = b->n_iov - b->at_iov, n_iov = singly ? 1 : left;
		struct msghdr m = { .msg_iov = b->iov + b->at_iov, .msg_iovlen = n_iov };
		bool more = b->next || n_iov < left;
		ssize_t n = sendmsg(c->watch.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return TX_FULL;
		if (n < 0 && errno == EFAULT && (!singly || fail_unread(c))) {
			singly = true;
			continue;
		}
		if (n < 0)
			return TX_ERROR;
		if (b->at_done < b->n_done)
			reactor_read_ns(c->reactor);	/* when the answers had left */
		advance(c, b, (size_t)n);
		if (b->sent == b->total)
			drop_head(c);
	}
	return TX_EMPTY;
}

void tx_clear(struct conn *c)
{
	while (c->tx_head) {
		struct txblk *b = c->tx_head;

		while (b->at_done < b->n_done)
			finish(c, &b->done[b->at_done++]);
		drop_head(c);
	}
}
