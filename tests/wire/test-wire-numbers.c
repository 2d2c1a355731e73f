/* SPDX-License-Identifier: Apache-2.0 */
/* CmdSN, retries, pings, and what a session costs that does nothing (RFC 7143 4.2.2, 7.2.1, 11.18, 11.19). */
#include "config.h"
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#include "ini.h"

static void ping(struct ini *i)
{
	ini_nop(i, 0x4242, NULL, 0);
	EXPECT_PDU(i, OP_NOP_IN);
	g_assert_cmphex(get32(i->bhs + 16), ==, 0x4242);
}

/* 4.2.2.1: where the window ends, and the other half of the circle.  Around the wrap of the numbers. */
static void test_window(void)
{
	static const struct { int64_t offset; bool from_max, taken; } rows[] = {
		{ -1, false, false }, { -2, false, false }, { INT32_MIN, false, false }, { INT32_MAX, false, false },
		{ 1, true, false }, { 2, true, false }, { 1000, true, false }, { 0, true, true }, { -1, true, true },
		{ 1, false, true },
	};

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++) {
		struct ini *i = ini_new(server, 1);
		uint32_t exp, at, depth = server->node->queue_depth;

		i->cmd_sn = 0u - depth / 2;	/* the window lies over 0 */
		ini_login(i, "");
		exp = i->cmd_sn;
		at = (rows[n].from_max ? exp + depth - 1 : exp) + (uint32_t)rows[n].offset;
		g_test_message("%" G_GINT64_FORMAT " from %s", rows[n].offset, rows[n].from_max ? "MaxCmdSN" : "ExpCmdSN");
		i->cmd_sn = at;
		i->itt = 0x8000;
		ini_test_unit_ready(i, 0);
		i->cmd_sn = exp;
		ping(i);
		g_assert_cmpuint(i->exp_cmd_sn, ==, exp);
		g_assert_cmpuint(i->max_cmd_sn, ==, exp + depth - 1);
		for (i->itt = 0x1000; i->cmd_sn != at && i->itt < 0x1000 + 2 * depth; ) {
			uint32_t itt = ini_test_unit_ready(i, 0);

			EXPECT_STATUS(i, itt, 0);
		}
		if (rows[n].taken) {		/* it waited for those, and follows them */
			EXPECT_STATUS(i, 0x8000, 0);
			i->cmd_sn++;
		}
		ping(i);
		ini_free(i);
	}
}

/* MaxCmdSN never goes back, and never below ExpCmdSN - 1 (4.2.2.1), whatever is open. */
static void test_max_cmd_sn(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	uint32_t depth = server->node->queue_depth, max = 0;

	ping(i);
	max = get32(i->bhs + 32);
	ram_hold();
	for (uint32_t n = 0; n < depth; n++) {
		ini_read(i, 0, 1, BLOCK);
		ping(i);
		g_assert_false(sn_lt(get32(i->bhs + 32), max));
		g_assert_false(sn_lt(get32(i->bhs + 32), get32(i->bhs + 28) - 1));
		max = get32(i->bhs + 32);
	}
	ram_wait_held(depth);
	ram_release();
	for (uint32_t n = 0; n < depth; n++)
		EXPECT_PDU(i, OP_DATA_IN);
	ini_check(i);
	ini_free(i);
}

/* 7.2.1: a command that is sent again on its connection, while it runs and after, runs once. */
static void test_retry(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	uint32_t sn = i->cmd_sn, itt;

	ram_hold();
	for (unsigned n = 0; n < 3; n++) {
		i->cmd_sn = sn;
		i->itt = 0x500;
		itt = ini_read(i, 0, 1, BLOCK);
		ping(i);
	}
	ram_wait_held(1);
	g_assert_cmpuint(ram_held(), ==, 1);
	ram_release();
	EXPECT_PDU(i, OP_DATA_IN);
	g_assert_cmphex(get32(i->bhs + 16), ==, itt);
	i->cmd_sn = sn;
	i->itt = 0x500;
	ini_read(i, 0, 1, BLOCK);
	ping(i);
	/* The same of one that has not been due yet. */
	for (unsigned n = 0; n < 3; n++) {
		i->cmd_sn = sn + 2;
		i->itt = 0x502;
		ini_test_unit_ready(i, 0);
	}
	i->cmd_sn = sn + 1;
	i->itt = 0x501;
	ini_test_unit_ready(i, 0);
	EXPECT_STATUS(i, 0x501, 0);
	EXPECT_STATUS(i, 0x502, 0);
	ping(i);
	i->cmd_sn = sn + 3;
	ini_check(i);
	ini_free(i);
}

/* ---- 11.18, 11.19, and who does not answer ---- */

static void pong(struct ini *i, uint32_t itt, uint32_t ttt)
{
	uint8_t bhs[BHS_LEN] = { OP_NOP_OUT | IMMEDIATE, FINAL };

	put32(bhs + 16, itt);
	put32(bhs + 20, ttt);
	put32(bhs + 24, i->cmd_sn);
	ini_send(i, bhs, NULL, 0);
}

static uint32_t expect_ping(struct ini *i)
{
	EXPECT_PDU(i, OP_NOP_IN);
	g_assert_cmphex(i->bhs[1], ==, FINAL);
	g_assert_cmphex(get32(i->bhs + 16), ==, TAG_NONE);
	g_assert_cmphex(get32(i->bhs + 20), !=, TAG_NONE);
	g_assert_cmpuint(get32(i->bhs + 24), ==, i->exp_stat_sn);	/* not advanced */
	g_assert_cmpuint(i->data_len, ==, 0);
	return get32(i->bhs + 20);
}

static void nothing(struct reactor *r, void *arg)
{
}

/* A peer that says nothing is asked; one that answers stays, one that does not is gone, and its session. */
static void test_dead_peer(void)
{
	uint32_t interval_s = server->node->nop_interval_s, timeout_s = server->node->nop_timeout_s;
	struct ini *alive, *dead;

	server->node->nop_interval_s = server->node->nop_timeout_s = 1;
	alive = ini_new_login(server, 1, "");
	dead = ini_new_login(server, 2, "MaxConnections=4;");
	for (unsigned n = 0; n < 2; n++) {
		uint32_t ttt = expect_ping(alive);

		pong(alive, n ? 0x33 : TAG_NONE, ttt);
		if (n) {	/* an answer that is a question as well */
			EXPECT_PDU(alive, OP_NOP_IN);
			g_assert_cmphex(get32(alive->bhs + 16), ==, 0x33);
			g_assert_cmphex(get32(alive->bhs + 20), ==, TAG_NONE);
		}
	}
	expect_ping(dead);
	EXPECT_CLOSED(dead);
	ini_check(alive);
	ini_free(alive);
	ini_free(dead);
	/* In the batch of the first, at the latest, reactors see that they have gone; the second comes after that batch. */
	engine_each(server->engine, nothing, NULL);
	engine_each(server->engine, nothing, NULL);
	server->node->nop_interval_s = interval_s;
	server->node->nop_timeout_s = timeout_s;
}

/* ---- what idleness costs ---- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHADOWED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SHADOWED 1
#endif
#endif

#define IDLE 400u
#define IDLE_MAX 16384u		/* bytes */

#ifndef SHADOWED
static uint64_t resident(void)
{
	unsigned long pages = 0, in_memory = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f)
		return 0;
	if (fscanf(f, "%lu %lu", &pages, &in_memory) != 2)
		in_memory = 0;
	fclose(f);
	return (uint64_t)in_memory * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* A session that has read and now does nothing; ours is the initiator's side as well. */
static struct ini *idle(uint8_t id, unsigned n)
{
	struct ini *i = ini_new(server, id);
	uint8_t data[8 * BLOCK];
	uint32_t itt;

	put16(i->isid + 1, (uint16_t)n);
	ini_login(i, "HeaderDigest=CRC32C;DataDigest=CRC32C;");
	itt = ini_read(i, 0, 8, sizeof data);
	g_assert_cmpuint(ini_finish_read(i, itt, data, sizeof data), ==, sizeof data);
	return i;
}
#endif

static void test_idle(void)
{
#ifdef SHADOWED
	g_test_skip("a sanitizer's memory is counted too");
#else
	struct rlimit files;
	struct ini *i[IDLE];
	uint64_t before;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = MIN(files.rlim_max, 4096);
	setrlimit(RLIMIT_NOFILE, &files);
	if (!resident() || files.rlim_cur < 2 * IDLE + 64) {
		g_test_skip("no /proc/self/statm, or too few descriptors");
		return;
	}
	for (unsigned n = 0; n < 16; n++)	/* what is there once */
		i[n] = idle(1, n);
	before = resident();
	for (unsigned n = 16; n < IDLE; n++)
		i[n] = idle(2, n);
	g_test_message("%u bytes a session", (unsigned)((resident() - before) / (IDLE - 16)));
	g_assert_cmpuint((resident() - before) / (IDLE - 16), <=, IDLE_MAX);
	for (unsigned n = 0; n < IDLE; n++)
		ini_free(i[n]);
#endif
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_func("/wire/numbers/rfc7143-4.2.2.1-window", test_window);
	g_test_add_func("/wire/numbers/rfc7143-4.2.2.1-max-cmd-sn", test_max_cmd_sn);
	g_test_add_func("/wire/numbers/rfc7143-7.2.1-retry", test_retry);
	g_test_add_func("/wire/numbers/rfc7143-11.19-dead-peer", test_dead_peer);
	g_test_add_func("/wire/numbers/idle", test_idle);
	return server_run();
}
