/* SPDX-License-Identifier: Apache-2.0 */
/* attacks.c - one function a kind of misbehaviour.  Each goes on whatever the daemon answers, and as fast as pace() lets it. */
#include "config.h"
#include <errno.h>
#include <isa-l/crc.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "hostile.h"

enum { MANY = 32, ABORT_TASK = 1, LUN_RESET = 5, TARGET_RESET = 6 };

bool hostile_long;
static uint8_t junk[1 << 20];

/* Some thousand things a second: who measures is on the same processors. */
static void pace(unsigned *n, unsigned each)
{
	if (++*n % each == 0)
		g_usleep(10000);
}

static void close_all(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int renew(int *fd, const char *target, uint8_t id, const char *extra)
{
	if (*fd < 0)
		*fd = raw_login(target, id, extra);
	if (*fd < 0)
		g_usleep(10000);
	return *fd;
}

static void lose(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void command(uint8_t bhs[BHS_LEN], uint8_t flags, uint8_t opcode, uint32_t lba, uint16_t blocks, uint32_t itt,
		    uint32_t cmd_sn)
{
	memset(bhs, 0, BHS_LEN);
	bhs[0] = OP_SCSI_COMMAND;
	bhs[1] = flags | SIMPLE;
	put32(bhs + 16, itt);
	put32(bhs + 20, blocks * BLOCK);
	put32(bhs + 24, cmd_sn);
	bhs[32] = opcode;
	put32(bhs + 34, lba);
	put16(bhs + 39, blocks);
}

/* ---- slow ---- */

/* A byte at a time, of a login or of a write: what takes a second in the world takes some milliseconds here. */
static void slow_writers(unsigned n, const atomic_bool *stop)
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
			else if (send(fds[i], at < BHS_LEN ? bytes + at : junk, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
				 errno != EAGAIN)
				lose(&fds[i]);
		}
		at++;
		g_usleep(5000);
	}
	close_all(fds, MANY);
}

/* What was asked for is read a byte at a time, or (n odd) not at all. */
static void slow_readers(unsigned n, const atomic_bool *stop)
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
			send(fds[i], bhs, BHS_LEN, MSG_NOSIGNAL | MSG_DONTWAIT);
		}
	}
	while (!atomic_load(stop)) {
		for (unsigned i = 0; i < MANY && !(n % 2); i++)
			if (fds[i] >= 0 && recv(fds[i], &byte, 1, MSG_DONTWAIT) == 0)
				lose(&fds[i]);
		g_usleep(5000);
	}
	close_all(fds, MANY);
}

/* NOP-Out with as much data as goes, whose echoes nobody reads. */
static void never_read(unsigned n, const atomic_bool *stop)
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
			if (fds[i] >= 0 && send(fds[i], bhs, sizeof bhs, MSG_NOSIGNAL | MSG_DONTWAIT) < (ssize_t)sizeof bhs)
				fds[i] = fds[i];	/* full, or cut in the middle: it stays as it is */
			pace(&sent, 8);
		}
	close_all(fds, MANY);
}

/* ---- logins ---- */

static void half_open(unsigned n, const atomic_bool *stop)
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
		if (fds[i] < 0)
			fds[i] = raw_connect();
		pace(&count, 16);
	}
	close_all(fds, most);
}

static void logins(unsigned n, const atomic_bool *stop)
{
	unsigned count = 0;

	while (!atomic_load(stop)) {
		int fd = raw_login(DISK, (uint8_t)(n * 64 + count % 64), "");

		lose(&fd);
		pace(&count, 4);
	}
}

/* The same initiator port again and again, from several threads: each ends the session of the one before. */
static void reinstated(unsigned n, const atomic_bool *stop)
{
	int fds[4] = { -1, -1, -1, -1 };
	unsigned count = 0;

	while (!atomic_load(stop)) {
		lose(&fds[count % 4]);
		fds[count % 4] = raw_login(DISK, 1, "");
		pace(&count, 4);
	}
	close_all(fds, 4);
}

static void open_and_drop(unsigned n, const atomic_bool *stop)
{
	unsigned count = 0;

	while (!atomic_load(stop)) {
		int fd = raw_connect();

		lose(&fd);
		pace(&count, 16);
	}
}

/* Keys without end: in one PDU, in a login that goes on and on (the C bit), and in a text negotiation. */
static void text(unsigned n, const atomic_bool *stop)
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
			if (!raw_recv(fd, (uint8_t[BHS_LEN]){ 0 }))
				break;
		lose(&fd);
		fd = raw_connect();
		if (fd >= 0)
			raw_send(fd, login, junk, 1 << 20);
		lose(&fd);
		if (renew(&full, DISK, (uint8_t)n, "") >= 0) {
			put32(request + 16, count);
			put32(request + 20, TAG_NONE);
			put32(request + 24, 1);
			if (!raw_send(full, request, many, len) || !raw_recv(full, (uint8_t[BHS_LEN]){ 0 }))
				lose(&full);
		}
		pace(&count, 2);
	}
	lose(&full);
}

/* ---- floods in a session ---- */

static void pings(unsigned n, const atomic_bool *stop)
{
	unsigned count = 0;
	int fd = -1;

	while (!atomic_load(stop)) {
		uint8_t bhs[BHS_LEN] = { count % 2 ? OP_NOP_OUT | IMMEDIATE : OP_SNACK_REQUEST, FINAL };

		put32(bhs + 16, count);
		put32(bhs + 20, TAG_NONE);
		put32(bhs + 24, 1);
		if (renew(&fd, DISK, (uint8_t)n, "") >= 0 && !raw_send(fd, bhs, NULL, 0))
			lose(&fd);
		if (fd >= 0)
			raw_drain(fd);
		pace(&count, 32);
	}
	lose(&fd);
}

static void far_numbers(unsigned n, const atomic_bool *stop)
{
	unsigned count = 0;
	int fd = -1;

	while (!atomic_load(stop)) {
		static const uint32_t far[] = { 0x40000000, 0x7fffffff, 0x80000000, 0xffffffff, 200, 100, 129, 0 };
		uint8_t bhs[BHS_LEN];

		command(bhs, READ | FINAL, 0x28, 0, 1, count, far[count % G_N_ELEMENTS(far)]);
		if (renew(&fd, DISK, (uint8_t)n, "") >= 0 && !raw_send(fd, bhs, NULL, 0))
			lose(&fd);
		if (fd >= 0)
			raw_drain(fd);
		pace(&count, 32);
	}
	lose(&fd);
}

/* Header digests end the connection, data digests do not. */
static void digests(unsigned n, const atomic_bool *stop)
{
	unsigned count = 0;
	int fd = -1;

	while (!atomic_load(stop)) {
		bool header = n % 2;
		uint8_t bhs[BHS_LEN + 516] = { 0 };

		command(bhs, WRITE | FINAL, 0x2a, 0x1000, 1, count, count + 1);
		put24(bhs + 5, 512);
		memset(bhs + BHS_LEN, 0x5a, 516);
		if (renew(&fd, DISK, (uint8_t)n, header ? "HeaderDigest=CRC32C;" : "DataDigest=CRC32C;") < 0)
			continue;
		if (send(fd, bhs, sizeof bhs, MSG_NOSIGNAL) < 0 || (header && !raw_recv(fd, bhs)))
			lose(&fd);
		if (fd >= 0)
			raw_drain(fd);
		pace(&count, 16);
	}
	lose(&fd);
}

/* A read and its end; LUN and target resets are on a target of their own: they are everybody's who is there. */
static void aborts(unsigned n, const atomic_bool *stop)
{
	static const uint8_t functions[] = { ABORT_TASK, ABORT_TASK, LUN_RESET, TARGET_RESET };
	const uint8_t function = functions[n % 4];
	unsigned count = 0;
	uint32_t sn = 1;
	int fd = -1;

	while (!atomic_load(stop)) {
		uint8_t read[BHS_LEN], bhs[BHS_LEN] = { OP_TMF_REQUEST | IMMEDIATE, FINAL | function };

		if (fd < 0)
			sn = 1;
		if (renew(&fd, function == ABORT_TASK ? DISK : OTHER, (uint8_t)n, "") < 0)
			continue;
		command(read, READ | FINAL, 0x28, 0, 8, sn, sn);
		put32(bhs + 16, 0x80000000 + count);
		put32(bhs + 20, function == ABORT_TASK ? sn : TAG_NONE);
		put32(bhs + 24, sn + 1);
		put32(bhs + 32, sn);
		if (!raw_send(fd, read, NULL, 0) || !raw_send(fd, bhs, NULL, 0))
			lose(&fd);
		if (fd >= 0)
			raw_drain(fd);
		sn++;
		pace(&count, 16);
	}
	lose(&fd);
}

/* ---- data ---- */

/* R2Ts are asked for and never answered. */
static void no_data(unsigned n, const atomic_bool *stop)
{
	int fds[MANY];

	for (unsigned i = 0; i < MANY; i++) {
		fds[i] = raw_login(DISK, (uint8_t)i, "InitialR2T=Yes;ImmediateData=No;");
		for (uint32_t k = 0; k < 128 && fds[i] >= 0; k++) {
			uint8_t bhs[BHS_LEN];

			command(bhs, WRITE | FINAL, 0x2a, 0x1000, 2048, k, k + 1);
			raw_send(fds[i], bhs, NULL, 0);
		}
	}
	while (!atomic_load(stop))
		g_usleep(10000);
	close_all(fds, MANY);
}

/* Data-Out that nobody asked for, or from elsewhere. */
static void wrong_data(unsigned n, const atomic_bool *stop)
{
	unsigned count = 0;
	int fd = -1;

	while (!atomic_load(stop)) {
		uint8_t bhs[BHS_LEN];

		if (renew(&fd, DISK, (uint8_t)n, "InitialR2T=Yes;ImmediateData=No;") < 0)
			continue;
		command(bhs, WRITE | FINAL, 0x2a, 0x1000, 64, 9, 1);
		if (raw_send(fd, bhs, NULL, 0) && raw_recv(fd, bhs)) {
			uint32_t ttt = get32(bhs + 20), wrong = count % 4;

			memset(bhs, 0, BHS_LEN);
			bhs[0] = OP_DATA_OUT;
			bhs[1] = wrong == 3 ? 0 : FINAL;
			put32(bhs + 16, wrong == 2 ? 0x1234 : 9);
			put32(bhs + 20, wrong == 0 ? ttt + 77 : ttt);
			put32(bhs + 40, wrong == 1 ? 0xfffffe00 : 512);
			for (unsigned i = 0; i < 8 && raw_send(fd, bhs, junk, 4096); i++)
				;
			raw_drain(fd);
		}
		lose(&fd);
		pace(&count, 4);
	}
}

/* Each a terabyte of what a device answers at once; the session goes, and others come with the same. */
static void long_commands(unsigned n, const atomic_bool *stop)
{
	enum { VERIFY_16 = 0x8f };
	unsigned count = 0;
	int fd = -1;

	while (!atomic_load(stop)) {
		if (renew(&fd, OTHER, (uint8_t)n, "") < 0)
			continue;
		for (uint32_t k = 1; k <= 16 && fd >= 0; k++) {
			uint8_t bhs[BHS_LEN] = { OP_SCSI_COMMAND, FINAL | SIMPLE, [9] = 1, [32] = VERIFY_16 };

			put32(bhs + 16, k);
			put32(bhs + 24, k);
			put32(bhs + 32 + 10, 0x7fffffff);
			if (!raw_send(fd, bhs, NULL, 0))
				lose(&fd);
		}
		g_usleep(200000);
		lose(&fd);
		pace(&count, 4);
	}
}

/* ---- the control socket ---- */

static void control(unsigned n, const atomic_bool *stop)
{
	static const char part[] = "GET /v1/status HTTP/1.1\r\nHost: x\r\nX-Slow: ";
	int fds[MANY * 4];
	unsigned count = 0;

	memset(fds, -1, sizeof fds);
	while (!atomic_load(stop)) {
		int *fd = &fds[count % G_N_ELEMENTS(fds)];

		if (n % 2) {		/* at once and gone */
			int once = rig_control();

			lose(&once);
		} else if (*fd < 0) {
			*fd = rig_control();
			if (*fd >= 0)
				send(*fd, part, sizeof part - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		} else if (send(*fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
			lose(fd);
		}
		pace(&count, 8);
	}
	close_all(fds, G_N_ELEMENTS(fds));
}

const struct attack attacks[] = {
	{ "slow-writers", slow_writers, 2, 64 },
	{ "slow-readers", slow_readers, 2, 320 },
	{ "never-read", never_read, 1, 320 },
	{ "half-open", half_open, 1, 96 },
	{ "logins", logins, 4, 64 },
	{ "reinstated", reinstated, 2, 64 },
	{ "open-and-drop", open_and_drop, 2, 64 },
	{ "text", text, 2, 96 },
	{ "pings", pings, 2, 64 },
	{ "far-numbers", far_numbers, 2, 64 },
	{ "digests", digests, 2, 64 },
	{ "aborts", aborts, 4, 64 },
	{ "no-data", no_data, 2, 320 },
	{ "wrong-data", wrong_data, 2, 64 },
	{ "long-commands", long_commands, 2, 64 },
	{ "control", control, 2, 64 },
	{ NULL },
};
