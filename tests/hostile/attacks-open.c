/* SPDX-License-Identifier: Apache-2.0 */
/* attacks-open.c - who is slow, and who logs in, or half so, again and again. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "attacks.h"

/* ---- slow ---- */

/* A byte at a time, of a login or of a write: what takes a second in the world takes some milliseconds here. */
void attack_slow_writers(unsigned n, const atomic_bool *stop)
{
	int fds[MANY];
	uint8_t login[BHS_LEN] = { OP_LOGIN_REQUEST | IMMEDIATE, OP_TO_FULL }, write[BHS_LEN];
	unsigned at = 0;

	put24(login + 5, 4096);
	command(write, WRITE | FINAL, 0x2a, 0x1000, 64, 7, 1);
	put24(write + 5, 32768);
	for (unsigned i = 0; i < MANY; i++)
		fds[i] = i % 2 ? raw_connect() : raw_login(DISK, (uint8_t)i, "");
	while (!atomic_load(stop)) {
		for (unsigned i = 0; i < MANY; i++) {
			const uint8_t *bytes = i % 2 ? login : write;

			if (fds[i] < 0)
				fds[i] = i % 2 ? raw_connect() : -1;
			else if (send(fds[i], at < BHS_LEN ? bytes + at : attack_junk, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1)
				did(true);
			else if (errno != EAGAIN)
				lose(&fds[i]);
		}
		at++;
		g_usleep(5000);
	}
	close_all(fds, MANY);
}

/* What was asked for is read a byte at a time, or (n odd) not at all. */
void attack_slow_readers(unsigned n, const atomic_bool *stop)
{
	int fds[MANY], room = 4096;
	uint8_t bhs[BHS_LEN], byte;

	for (unsigned i = 0; i < MANY; i++) {
		fds[i] = raw_login(DISK, (uint8_t)(n * MANY + i), "MaxRecvDataSegmentLength=262144;");
		if (fds[i] < 0)
			continue;
		setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
		for (uint32_t k = 0; k < 64; k++) {
			command(bhs, READ | FINAL, 0x28, 0, 512, k, k + 1);
			did(send(fds[i], bhs, BHS_LEN, MSG_NOSIGNAL | MSG_DONTWAIT) == BHS_LEN);
		}
	}
	while (!atomic_load(stop)) {
		for (unsigned i = 0; i < MANY && !(n % 2); i++)
			switch (fds[i] < 0 ? -1 : (int)recv(fds[i], &byte, 1, MSG_DONTWAIT)) {
			case 0:
				lose(&fds[i]);
				break;
			case 1:
				did(true);
			}
		g_usleep(5000);
	}
	close_all(fds, MANY);
}

/* NOP-Out with as much data as goes, whose echoes nobody reads. */
void attack_never_read(unsigned n, const atomic_bool *stop)
{
	int fds[MANY];
	unsigned sent = 0;

	for (unsigned i = 0; i < MANY; i++)
		fds[i] = raw_login(DISK, (uint8_t)i, "MaxRecvDataSegmentLength=262144;");
	while (!atomic_load(stop))
		for (unsigned i = 0; i < MANY; i++) {
			uint8_t bhs[BHS_LEN + 65536] = { OP_NOP_OUT | IMMEDIATE, FINAL };

			put24(bhs + 5, 65536);
			put32(bhs + 16, sent);
			put32(bhs + 20, TAG_NONE);
			put32(bhs + 24, 1);
			/* Full, or cut in the middle: it stays as it is. */
			did(fds[i] >= 0 && send(fds[i], bhs, sizeof bhs, MSG_NOSIGNAL | MSG_DONTWAIT) > 0);
			pace(&sent, 8);
		}
	close_all(fds, MANY);
}

/* ---- logins ---- */

void attack_half_open(unsigned n, const atomic_bool *stop)
{
	struct rlimit r;
	unsigned most = hostile_long ? 10000 : 1000, count = 0;
	g_autofree int *fds = NULL;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	most = (unsigned)MIN(most, r.rlim_cur / 2);
	fds = g_new(int, most);
	memset(fds, -1, most * sizeof *fds);
	/* Those that were refused are tried again, as long as it lasts. */
	while (!atomic_load(stop)) {
		unsigned i = count % most;
		char byte;

		if (fds[i] >= 0 && recv(fds[i], &byte, 1, MSG_DONTWAIT) == 0)
			lose(&fds[i]);
		if (fds[i] < 0) {
			fds[i] = raw_connect();
			did(fds[i] >= 0);
		}
		pace(&count, hostile_long ? 64 : 16);
	}
	close_all(fds, most);
}

void attack_logins(unsigned n, const atomic_bool *stop)
{
	unsigned count = 0;

	while (!atomic_load(stop)) {
		int fd = raw_login(DISK, (uint8_t)(n * 64 + count % 64), "");

		did(fd >= 0);
		lose(&fd);
		pace(&count, 4);
	}
}

/* The same initiator port again and again, from several threads: each ends the session of the one before. */
void attack_reinstated(unsigned n, const atomic_bool *stop)
{
	int fds[4] = { -1, -1, -1, -1 };
	unsigned count = 0;

	while (!atomic_load(stop)) {
		lose(&fds[count % 4]);
		fds[count % 4] = raw_login(DISK, 1, "");
		did(fds[count % 4] >= 0);
		pace(&count, 4);
	}
	close_all(fds, 4);
}

void attack_open_and_drop(unsigned n, const atomic_bool *stop)
{
	unsigned count = 0;

	while (!atomic_load(stop)) {
		int fd = raw_connect();

		did(fd >= 0);
		lose(&fd);
		pace(&count, 16);
	}
}

/* Keys without end: in one PDU, in a login that goes on and on (the C bit), and in a text negotiation. */
void attack_text(unsigned n, const atomic_bool *stop)
{
	enum { C_BIT = 0x40 };
	char many[8192];
	uint32_t len = 0;
	unsigned count = 0;
	int full = -1;

	while (len < 7900)
		len += (uint32_t)g_snprintf(many + len, sizeof many - len, "X-k%u=%0*d", len, (int)(len % 200), 1) + 1;
	while (!atomic_load(stop)) {
		uint8_t login[BHS_LEN] = { OP_LOGIN_REQUEST | IMMEDIATE, C_BIT | 4, [8] = 0x80 };
		uint8_t request[BHS_LEN] = { OP_TEXT_REQUEST | IMMEDIATE, C_BIT };
		int fd = raw_connect();

		for (unsigned i = 0; i < 64 && fd >= 0 && raw_send(fd, login, many, len); i++)
			if (raw_recv(fd, (uint8_t[BHS_LEN]){ 0 }))
				did(true);
			else
				break;
		lose(&fd);
		fd = raw_connect();
		if (fd >= 0)
			raw_send(fd, login, attack_junk, 1 << 20);
		lose(&fd);
		if (renew(&full, DISK, (uint8_t)n, "") >= 0) {
			put32(request + 16, count);
			put32(request + 20, TAG_NONE);
			put32(request + 24, 1);
			if (!raw_send(full, request, many, len) || !raw_recv(full, (uint8_t[BHS_LEN]){ 0 }))
				lose(&full);
			did(full >= 0);
		}
		pace(&count, 2);
	}
	lose(&full);
}
