/* SPDX-License-Identifier: Apache-2.0 */
/* attacks.c - one function a kind of misbehaviour.  Each goes on whatever the daemon answers, and as fast as pace() lets it. */
#include "config.h"
#include <errno.h>
#include <isa-l/crc.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "attacks.h"

bool hostile_long;
atomic_uint hostile_deeds;
uint8_t attack_junk[1 << 20];

void did(bool met)
{
	if (met)
		atomic_fetch_add_explicit(&hostile_deeds, 1, memory_order_relaxed);
}

void pace(unsigned *n, unsigned each)
{
	if (++*n % each == 0)
		g_usleep(10000);
}

void close_all(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int renew(int *fd, const char *target, uint8_t id, const char *extra)
{
	if (*fd < 0)
		*fd = raw_login(target, id, extra);
	if (*fd < 0)
		g_usleep(10000);
	return *fd;
}

void lose(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void command(uint8_t bhs[BHS_LEN], uint8_t flags, uint8_t opcode, uint32_t lba, uint16_t blocks, uint32_t itt,
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

/* TEST UNIT READY, which takes the unit attention of a new session: the next CmdSN is 2. */
static int awake(int fd)
{
	uint8_t bhs[BHS_LEN];

	command(bhs, FINAL, 0, 0, 0, 1, 1);
	if (fd >= 0 && (!raw_send(fd, bhs, NULL, 0) || !raw_recv(fd, bhs)))
		lose(&fd);
	return fd;
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
		did(fd >= 0 && raw_drain(fd));
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
		did(fd >= 0);	/* what lies outside the window has no answer */
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
		if (send(fd, bhs, sizeof bhs, MSG_NOSIGNAL) < 0 || (header && !raw_recv(fd, bhs))) {
			did(header);
			lose(&fd);
		}
		did(fd >= 0 && raw_drain(fd));
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
		did(fd >= 0 && raw_drain(fd));
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
	while (!atomic_load(stop)) {
		for (unsigned i = 0; i < MANY; i++)
			did(fds[i] >= 0 && raw_drain(fds[i]));	/* the R2Ts, once */
		g_usleep(10000);
	}
	close_all(fds, MANY);
}

/* Data-Out that nobody asked for, or from elsewhere. */
static void wrong_data(unsigned n, const atomic_bool *stop)
{
	unsigned count = 0;
	int fd = -1;

	while (!atomic_load(stop)) {
		uint8_t bhs[BHS_LEN];

		fd = awake(renew(&fd, DISK, (uint8_t)n, "InitialR2T=Yes;ImmediateData=No;"));
		if (fd < 0)
			continue;
		command(bhs, WRITE | FINAL, 0x2a, 0x1000, 64, 9, 2);
		if (raw_send(fd, bhs, NULL, 0) && raw_recv(fd, bhs)) {
			uint32_t ttt = get32(bhs + 20), wrong = count % 4;

			did((bhs[0] & OPCODE_MASK) == OP_R2T);
			memset(bhs, 0, BHS_LEN);
			bhs[0] = OP_DATA_OUT;
			bhs[1] = wrong == 3 ? 0 : FINAL;
			put32(bhs + 16, wrong == 2 ? 0x1234 : 9);
			put32(bhs + 20, wrong == 0 ? ttt + 77 : ttt);
			put32(bhs + 40, wrong == 1 ? 0xfffffe00 : 512);
			for (unsigned i = 0; i < 8 && raw_send(fd, bhs, attack_junk, 4096); i++)
				;
			raw_drain(fd);
		}
		lose(&fd);
		pace(&count, 4);
	}
}

/* What an R2T asks for in pieces, one of them wrong, or the last; the task is aborted between, or the connection goes. */
static void half_data(unsigned n, const atomic_bool *stop)
{
	enum { PIECE = 1024, PIECES = 8, GOES = 0, IS_ABORTED, OVERLAPS, IS_BEYOND, IS_SKIPPED, IS_FINAL, KINDS };
	unsigned count = 0;
	uint32_t sn = 2;
	int fd = -1;

	while (!atomic_load(stop)) {
		uint8_t bhs[BHS_LEN], abort_task[BHS_LEN] = { OP_TMF_REQUEST | IMMEDIATE, FINAL | ABORT_TASK };
		unsigned kind = count % KINDS, at = count / KINDS % PIECES;
		uint32_t ttt;

		if (fd < 0) {
			sn = 2;
			fd = awake(renew(&fd, DISK, (uint8_t)n, "InitialR2T=Yes;ImmediateData=No;MaxBurstLength=8192;MaxOutstandingR2T=4;"));
		}
		if (fd < 0)
			continue;
		command(bhs, WRITE | FINAL, 0x2a, 0x1000, 64, sn, sn);
		if (!raw_send(fd, bhs, NULL, 0) || !raw_recv(fd, bhs) || (bhs[0] & OPCODE_MASK) != OP_R2T)
			lose(&fd);
		ttt = get32(bhs + 20);
		for (unsigned i = 0; i < PIECES && fd >= 0; i++) {
			bool wrong = i == at;

			memset(bhs, 0, BHS_LEN);
			bhs[0] = OP_DATA_OUT;
			bhs[1] = i == PIECES - 1 || (wrong && kind == IS_FINAL) ? FINAL : 0;
			put32(bhs + 16, sn);
			put32(bhs + 20, ttt);
			put32(bhs + 36, wrong && kind == IS_SKIPPED ? i + 1 : i);
			put32(bhs + 40, !wrong ? i * PIECE : kind == OVERLAPS ? i * PIECE / 2 : kind == IS_BEYOND ? 8192 : i * PIECE);
			put32(abort_task + 16, 0x80000000 + count);
			put32(abort_task + 20, sn);
			put32(abort_task + 24, sn + 1);
			put32(abort_task + 32, sn);
			if (wrong && kind == IS_ABORTED)
				raw_send(fd, abort_task, NULL, 0);
			if (wrong && kind == GOES) {
				put24(bhs + 5, PIECE);
				send(fd, bhs, BHS_LEN, MSG_NOSIGNAL);
				send(fd, attack_junk, count % PIECE, MSG_NOSIGNAL);
			}
			if ((wrong && kind == GOES) || !raw_send(fd, bhs, attack_junk, PIECE))
				lose(&fd);
		}
		did(fd >= 0 && raw_drain(fd));
		sn++;
		pace(&count, 1);
	}
	lose(&fd);
}

/* SANITIZE and FORMAT UNIT, at once and not, of who leaves, comes again as the same, resets, and reads meanwhile. */
static void work(unsigned n, const atomic_bool *stop)
{
	enum { SANITIZE = 0x48, OVERWRITE = 1, ERASE = 2, IMMED = 0x80, FORMAT = 0x04 };
	static uint8_t list[5] = { 1, 0, 0, 1, 0x5a };
	unsigned count = 0;
	int fd = -1;

	while (!atomic_load(stop)) {
		uint8_t bhs[BHS_LEN];

		if (fd < 0)
			fd = awake(renew(&fd, OTHER, (uint8_t)(n / 2), ""));
		for (uint32_t sn = 2; sn < 16 && fd >= 0; sn++) {
			uint8_t reset[BHS_LEN] = { OP_TMF_REQUEST | IMMEDIATE, FINAL | LUN_RESET };
			bool overwrites = sn % 4 == 1 && n == 0 && count % 256 == 255;	/* which takes seconds */

			command(bhs, overwrites ? WRITE | FINAL : FINAL, sn % 4 == 3 ? FORMAT : SANITIZE, 0, 0, sn, sn);
			memset(bhs + 33, 0, 15);
			put32(bhs + 20, overwrites ? sizeof list : 0);
			bhs[33] = sn % 4 == 3 ? 0 : (uint8_t)((count & 1 ? IMMED : 0) | (overwrites ? OVERWRITE : ERASE));
			bhs[40] = overwrites ? sizeof list : 0;
			if (sn % 4 == 0)
				command(bhs, READ | FINAL, 0x28, 0, 8, sn, sn);
			put32(reset + 16, 0x80000000 + sn);
			put32(reset + 20, TAG_NONE);
			put32(reset + 24, sn + 1);
			if (!raw_send(fd, bhs, list, overwrites ? sizeof list : 0) || (n == 3 && !raw_send(fd, reset, NULL, 0)))
				lose(&fd);
			else
				did(raw_drain(fd));
		}
		if (count % 2 && fd >= 0)	/* or it goes at once, with what is under way */
			raw_recv(fd, bhs);
		lose(&fd);
		pace(&count, 1);
	}
	lose(&fd);
}

/* A logical unit that comes and goes under 64 sessions that read it, and write the beginning of what they announce. */
static void comes_and_goes(unsigned n, const atomic_bool *stop)
{
	static const char lun[] = "{\"number\": 7, \"plugin\": \"null\", \"settings\": {\"size\": \"16M\"}}";
	static const uint8_t data[4096];
	int fds[MANY];
	uint32_t sn[MANY];
	unsigned count = 0;

	for (unsigned i = 0; i < MANY; i++)
		fds[i] = -1;
	while (!atomic_load(stop) && n == 0) {
		rig_ask("POST", "/v1/targets/" OTHER "/luns", lun);
		g_usleep(3000);
		rig_ask("DELETE", "/v1/targets/" OTHER "/luns/7?force=1", NULL);
	}
	while (!atomic_load(stop)) {
		unsigned i = count % MANY;
		uint8_t bhs[BHS_LEN];

		if (fds[i] < 0)
			sn[i] = 1;
		if (renew(&fds[i], OTHER, (uint8_t)(n * MANY + i), "InitialR2T=Yes;ImmediateData=Yes;") >= 0) {
			command(bhs, sn[i] % 2 ? READ | FINAL : WRITE | FINAL, sn[i] % 2 ? 0x28 : 0x2a, 0, 64, sn[i], sn[i]);
			bhs[9] = 7;
			if (!raw_send(fds[i], bhs, data, sn[i] % 2 ? 0 : sizeof data) || sn[i] > 100)
				lose(&fds[i]);
			else
				did(raw_drain(fds[i]));
			sn[i]++;
		}
		pace(&count, 32);
	}
	close_all(fds, MANY);
	rig_ask("DELETE", "/v1/targets/" OTHER "/luns/7?force=1", NULL);
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
			did(raw_send(fd, bhs, NULL, 0));
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

			did(once >= 0);
			lose(&once);
		} else if (*fd < 0) {
			*fd = rig_control();
			did(*fd >= 0 && send(*fd, part, sizeof part - 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0);
		} else if (send(*fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
			lose(fd);
		}
		pace(&count, 8);
	}
	close_all(fds, G_N_ELEMENTS(fds));
}

const struct attack attacks[] = {
	{ "slow-writers", attack_slow_writers, 2, 64, 1000 },
	{ "slow-readers", attack_slow_readers, 2, 320, 300 },
	{ "never-read", attack_never_read, 1, 320, 30 },
	{ "half-open", attack_half_open, 1, 96, 200 },
	{ "logins", attack_logins, 4, 64, 100 },
	{ "reinstated", attack_reinstated, 2, 64, 50 },
	{ "open-and-drop", attack_open_and_drop, 2, 64, 200 },
	{ "text", attack_text, 2, 96, 200 },
	{ "pings", pings, 2, 64, 50 },
	{ "far-numbers", far_numbers, 2, 64, 400 },
	{ "digests", digests, 2, 64, 80 },
	{ "aborts", aborts, 4, 64, 25 },
	{ "no-data", no_data, 2, 320, 5 },
	{ "wrong-data", wrong_data, 2, 64, 30 },
	{ "half-data", half_data, 4, 64, 25 },
	{ "comes-and-goes", comes_and_goes, 3, 128, 300 },
	{ "long-commands", long_commands, 2, 64, 16 },
	{ "control", control, 2, 64, 80 },
	{ "work", work, 4, 64, 7 },
	{ NULL },
};
