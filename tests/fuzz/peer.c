/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include <errno.h>
#include <isa-l/crc.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "peer.h"

void peer_begin(struct peer *p, int fd)
{
	*p = (struct peer){ .fd = fd, .own_cmd_sn = 0xfffffffe, .in = g_byte_array_new(), .text = g_byte_array_new() };
	p->cmd_sn = &p->own_cmd_sn;
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
		switch (b[0] & OPCODE_MASK) {
		case OP_R2T:
			p->r2t_itt = get32(b + 16);
			p->r2t_ttt = get32(b + 20);
			p->r2t_offset = get32(b + 40);
			p->r2t_len = get32(b + 44);
			break;
		case OP_NOP_IN:
			p->nop_ttt = get32(b + 20);
			break;
		case OP_LOGIN_RESPONSE:
			p->tsih = get16(b + 14);
			p->login_status = get16(b + 36);
			p->logins++;
			g_byte_array_set_size(p->text, 0);
			g_byte_array_append(p->text, b + BHS_LEN, data);
			break;
		default:
			break;
		}
		g_byte_array_remove_range(p->in, 0, len);
	}
}

void peer_drain(struct peer *p, int wait_ms)
{
	struct pollfd pfd = { p->fd, POLLIN, 0 };
	uint8_t buf[8192];

	if (p->deaf && !wait_ms)
		return;
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

void peer_send_raw(struct peer *p, const uint8_t *at, size_t len)
{
	time_t since = time(NULL);

	while (len && !p->gone) {
		ssize_t n = send(p->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			at += n;
			len -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			struct pollfd pfd = { p->fd, POLLIN | POLLOUT, 0 };

			p->deaf = false;	/* it may want to be heard first */
			poll(&pfd, 1, 1000);
			peer_drain(p, 0);
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

void peer_send(struct peer *p, uint8_t fix, uint8_t bhs[BHS_LEN], const uint8_t *data, uint32_t len)
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
		put32(bhs + 24, bhs[0] & IMMEDIATE_BIT ? *p->cmd_sn : (*p->cmd_sn)++);
	if (fix & PUT_STAT_SN)
		put32(bhs + 28, p->stat_sn);
	if (fix & PUT_LUN) {
		memset(bhs + 8, 0, 8);
		bhs[9] = len & 1;
	}
	if (fix & PUT_TAG && get32(bhs + 16) == TAG_NONE)
		put32(bhs + 16, *p->cmd_sn);
	if (fix & PUT_R2T) {
		peer_drain(p, 5);
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
	peer_send_raw(p, out->data, out->len);
	peer_drain(p, 0);
}

void peer_end(struct peer *p, bool reset)
{
	const struct linger at_once = { .l_onoff = 1 };

	if (reset)
		setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	else
		shutdown(p->fd, SHUT_WR);
	for (unsigned ms = 0; !reset && !p->gone; ms += 100) {
		peer_drain(p, 100);
		if (ms > HANG_MS)
			abort();	/* nothing of us is left there, and it does not close */
	}
	close(p->fd);
	g_byte_array_unref(p->in);
	g_byte_array_unref(p->text);
	p->fd = -1;
}
