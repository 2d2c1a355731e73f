/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit - the least that any target can do, as a yardstick.
 *
 * It is no target: it agrees to any login, knows one size and as little else as clients want to know first, and for READ(10)
 * and WRITE(10) sends, or takes in, the right number of bytes, with no lookup, no task, no LUN and no check of any kind.  What
 * is read comes from one hot buffer, what is written is thrown away; with FILE, both are the addresses asked for of the mapping
 * of that file, which cost their memory traffic to anybody.  One thread, epoll, one receive and one gathered send for each batch.
 *
 *	limit [FILE]		listens on a free port of 127.0.0.1, prints it, and serves until it is killed
 */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <glib.h>
#include "iscsi/wire.h"

enum { RX_BYTES = 512 * 1024, IOV_MOST = 1024, SEGMENT = 262144, BLOCK = 512, WINDOW = 1024, TAGS = 4096 };

static uint64_t blocks = 1 << 20;
static uint8_t *hot, *map;

struct conn {
	int fd;
	uint32_t stat_sn, cmd_sn;
	size_t rx_len, skip;
	uint8_t *into;			/* where the data passed over goes, with FILE */
	uint64_t byte_of_tag[TAGS];
	uint8_t page[8];
	int n_iov;
	struct iovec iov[IOV_MOST];
	uint8_t headers[IOV_MOST][BHS_LEN];
	uint8_t rx[RX_BYTES];
};

static bool flush(struct conn *c)
{
	struct iovec *v = c->iov;

	while (c->n_iov) {
		struct msghdr m = { .msg_iov = v, .msg_iovlen = (size_t)c->n_iov };
		ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL);	/* blocks */

		if (n < 0)
			return false;
		for (; c->n_iov && (size_t)n >= v->iov_len; v++, c->n_iov--)
			n -= (ssize_t)v->iov_len;
		if (c->n_iov) {
			v->iov_base = (uint8_t *)v->iov_base + n;
			v->iov_len -= (size_t)n;
		}
	}
	return true;
}

static uint8_t *reply(struct conn *c, uint8_t opcode, uint8_t flags, const uint8_t *to, const void *data, uint32_t len)
{
	uint8_t *h;

	if (c->n_iov + 2 > IOV_MOST)
		flush(c);
	h = c->headers[c->n_iov];
	memset(h, 0, BHS_LEN);
	h[0] = opcode;
	h[1] = flags;
	put24(h + 5, len);
	memcpy(h + 16, to + 16, 4);
	put32(h + 24, c->stat_sn);
	put32(h + 28, c->cmd_sn);
	put32(h + 32, c->cmd_sn + WINDOW);
	c->iov[c->n_iov++] = (struct iovec){ h, BHS_LEN };
	if (len)
		c->iov[c->n_iov++] = (struct iovec){ (void *)data, pad4(len) };
	return h;
}

static void on_read(struct conn *c, const uint8_t *p, uint32_t len, uint64_t byte)
{
	for (uint32_t at = 0, sn = 0, n; at < len; at += n, sn++) {
		bool last;
		uint8_t *h;

		n = MIN(len - at, SEGMENT);
		last = at + n == len;
		h = reply(c, OP_DATA_IN, last ? FINAL_BIT | 1 : 0, p, map ? map + byte + at : hot, n);
		put32(h + 20, TAG_NONE);
		put32(h + 36, sn);
		put32(h + 40, at);
		c->stat_sn += last;
	}
}

static void on_write(struct conn *c, const uint8_t *p, uint32_t len, uint64_t byte)
{
	uint8_t *h;

	c->byte_of_tag[get32(p + 16) % TAGS] = byte;
	c->into = map ? map + byte : NULL;
	if (len <= SEGMENT) {
		reply(c, OP_SCSI_RESPONSE, FINAL_BIT, p, NULL, 0);
		c->stat_sn++;
		return;
	}
	/* What is beyond the first burst, with one R2T. */
	h = reply(c, OP_R2T, FINAL_BIT, p, NULL, 0);
	memcpy(h + 8, p + 8, 8);
	put32(h + 20, 1);
	put32(h + 40, SEGMENT);
	put32(h + 44, len - SEGMENT);
}

/* What clients want to know before they read; n is a multiple of four. */
static void on_question(struct conn *c, const uint8_t *p, uint32_t len, const void *data, uint32_t n)
{
	uint8_t *h;

	n = MIN(n, len);
	h = reply(c, OP_DATA_IN, FINAL_BIT | (n < len ? 2 : 0) | 1, p, data, n);
	put32(h + 20, TAG_NONE);
	put32(h + 44, len - n);
	c->stat_sn++;
}

static void on_inquiry(struct conn *c, const uint8_t *p, uint32_t len)
{
	static const uint8_t disk[36] = { 0, 0, 6, 2, 31, 0, 0, 2, 'g', 'o', 't', 'g', 't', ' ', ' ', ' ', 'l', 'i', 'm', 'i', 't' };
	uint8_t *page = c->page;

	if (!(p[33] & 1)) {
		on_question(c, p, len, disk, sizeof disk);
		return;
	}
	/* Any page is there, and empty; but for the list of them. */
	memset(page, 0, sizeof c->page);
	page[1] = p[34];
	page[3] = p[34] ? 0 : 1;
	on_question(c, p, len, page, sizeof c->page);
}

static void on_command(struct conn *c, const uint8_t *p)
{
	static const uint8_t mode[4] = { 3 };
	static uint8_t capacity[32];
	uint32_t len = get32(p + 20);
	uint64_t byte = (uint64_t)get32(p + 34) * BLOCK;

	if (!(p[0] & IMMEDIATE_BIT))
		c->cmd_sn = get32(p + 24) + 1;
	switch (p[32]) {
	case 0x28:
		on_read(c, p, len, byte);
		break;
	case 0x2a:
		on_write(c, p, len, byte);
		break;
	case 0x9e:
		put32(capacity, (uint32_t)((blocks - 1) >> 32));
		put32(capacity + 4, (uint32_t)(blocks - 1));
		put32(capacity + 8, BLOCK);
		on_question(c, p, len, capacity, sizeof capacity);
		break;
	case 0x12:
		on_inquiry(c, p, len);
		break;
	case 0x1a:
		on_question(c, p, len, mode, sizeof mode);
		break;
	default:
		reply(c, OP_SCSI_RESPONSE, FINAL_BIT, p, NULL, 0);
		c->stat_sn++;
	}
}

#define KEYS "MaxRecvDataSegmentLength=262144\0ImmediateData=Yes\0InitialR2T=No\0" \
	"FirstBurstLength=262144\0MaxBurstLength=1048576\0HeaderDigest=None\0DataDigest=None"

static void on_login(struct conn *c, const uint8_t *p)
{
	/* Room for padding, as all that is replied with. */
	static const char keys[256] = KEYS;
	bool last = (p[1] & 3) == 3;
	uint8_t *h;

	c->cmd_sn = get32(p + 24);
	h = reply(c, OP_LOGIN_RESPONSE, p[1], p, last ? keys : "AuthMethod=None", last ? sizeof KEYS : 16);
	memcpy(h + 8, p + 8, 6);
	h[15] = 1;
	c->stat_sn++;
}

static void on_data_out(struct conn *c, const uint8_t *p)
{
	if (map)
		c->into = map + c->byte_of_tag[get32(p + 16) % TAGS] + get32(p + 40);
	if (p[1] & FINAL_BIT && get32(p + 20) != TAG_NONE) {
		reply(c, OP_SCSI_RESPONSE, FINAL_BIT, p, NULL, 0);
		c->stat_sn++;
	}
}

static size_t pass_over(struct conn *c, size_t at)
{
	size_t n = MIN(c->rx_len - at, c->skip);

	if (c->into && n) {
		memcpy(c->into, c->rx + at, n);
		c->into += n;
	}
	c->skip -= n;
	return at + n;
}

static bool parse(struct conn *c)
{
	size_t at = 0;

	for (;;) {
		const uint8_t *p;
		uint32_t len;

		at = pass_over(c, at);
		p = c->rx + at;
		if (c->skip || c->rx_len - at < BHS_LEN)
			break;
		len = pad4(get24(p + 5));
		if ((p[0] & OPCODE_MASK) == OP_LOGIN_REQUEST && c->rx_len - at < BHS_LEN + len)
			break;
		at += BHS_LEN;
		c->skip = len;
		c->into = NULL;
		switch (p[0] & OPCODE_MASK) {
		case OP_LOGIN_REQUEST:
			on_login(c, p);
			break;
		case OP_SCSI_COMMAND:
			on_command(c, p);
			break;
		case OP_DATA_OUT:
			on_data_out(c, p);
			break;
		case OP_LOGOUT_REQUEST:
			reply(c, OP_LOGOUT_RESPONSE, FINAL_BIT, p, NULL, 0);
			c->stat_sn++;
			break;
		default:
			break;
		}
	}
	memmove(c->rx, c->rx + at, c->rx_len - at);
	c->rx_len -= at;
	return flush(c);
}

static void map_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		perror(path);
		exit(1);
	}
	map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	blocks = (uint64_t)st.st_size / BLOCK;
}

static void add(int ep, int fd, struct conn *c)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

static int listen_here(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 64) || getsockname(fd, (struct sockaddr *)&a, &len)) {
		perror("limit");
		exit(1);
	}
	printf("%u\n", ntohs(a.sin_port));
	fflush(stdout);
	return fd;
}

static void welcome(int ep, int listener)
{
	struct conn *c = g_new0(struct conn, 1);
	int one = 1;

	c->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	add(ep, c->fd, c);
}

int main(int argc, char **argv)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), listener;

	if (argc > 1)
		map_file(argv[1]);
	hot = g_malloc(SEGMENT);
	memset(hot, 0x5a, SEGMENT);
	listener = listen_here();
	add(ep, listener, NULL);
	for (;;) {
		struct epoll_event ev[64];
		int n = epoll_wait(ep, ev, G_N_ELEMENTS(ev), -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = ev[i].data.ptr;
			ssize_t got;

			if (!c) {
				welcome(ep, listener);
				continue;
			}
			got = recv(c->fd, c->rx + c->rx_len, RX_BYTES - c->rx_len, MSG_DONTWAIT);
			if (got < 0 && errno == EAGAIN)
				continue;
			c->rx_len += got > 0 ? (size_t)got : 0;
			if (got <= 0 || !parse(c)) {
				close(c->fd);
				g_free(c);
			}
		}
	}
}
