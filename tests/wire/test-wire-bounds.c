/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer may make the target keep: at each bound (core/README.md) it is refused, or no longer read from. */
#include "config.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include "ini.h"

enum { TASK_SET_FULL = 0x28, ABORT_TASK_SET = 2, TMF_COMPLETE = 0, TMF_REJECTED = 255, PING_MAX = 8192, HELD = 60000 };
#define MIB (1u << 20)

/* Limits are changed when nobody is there. */
static void set_limits(uint64_t copied, uint64_t held)
{
	struct node *n = server->node;

	pthread_mutex_lock(&n->lock);
	while (n->conns_total)
		pthread_cond_wait(&n->idle, &n->lock);
	n->max_copied = copied;
	n->max_held = held;
	pthread_mutex_unlock(&n->lock);
}

/* ---- answers that are not read ---- */

struct flood {
	uint32_t data_len;	/* of each ping */
	unsigned most;		/* pings that are taken, those that lie in sockets and the buffer included */
	bool all;		/* others have too many already */
};

/* What is queued is 1024 PDUs, or 4 MiB of copies; a socket holds less than half a MiB, in either direction. */
static const struct flood floods[] = {
	{ 0, 20000, false }, { PING_MAX, (6 * MIB) / PING_MAX, false }, { PING_MAX, (2 * MIB) / PING_MAX, true },
};

static void make_ping(struct ini *i, uint8_t *pdu, uint32_t len)
{
	memset(pdu, 0, BHS_LEN + len);
	pdu[0] = OP_NOP_OUT | IMMEDIATE;
	pdu[1] = FINAL;
	put24(pdu + 5, len);
	put32(pdu + 16, 0x50494e47);
	put32(pdu + 20, TAG_NONE);
	put32(pdu + 24, i->cmd_sn);
}

/* As much of a ping as goes, from *at on; false when nothing of it has for so long that nothing is read any more. */
static bool push(struct ini *i, const uint8_t *pdu, uint32_t len, uint32_t *at)
{
	for (unsigned tries = 0; tries < 50; tries++) {
		ssize_t n = send(i->fd, pdu + *at, len - *at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			*at += (uint32_t)n;
			return true;
		}
		g_assert_cmpint(errno, ==, EAGAIN);
		g_usleep(10000);
	}
	return false;
}

static void test_unread(gconstpointer arg)
{
	const struct flood *f = arg;
	const uint32_t len = BHS_LEN + f->data_len;
	struct ini *i;
	uint8_t pdu[BHS_LEN + PING_MAX];
	uint32_t at = 0;
	unsigned sent = 0;

	set_limits(f->all ? 0 : 256 * MIB, 64 * MIB);
	i = ini_new_login(server, 1, "MaxRecvDataSegmentLength=65536;");
	make_ping(i, pdu, f->data_len);
	while (push(i, pdu, len, &at))
		if (at == len) {
			at = 0;
			g_assert_cmpuint(++sent, <, f->most);
		}
	/* Once they are read it goes on, and each is answered. */
	for (unsigned got = 0; got < sent; got++) {
		EXPECT_PDU(i, OP_NOP_IN);
		g_assert_cmpuint(i->data_len, ==, f->data_len);
		if (at && send(i->fd, pdu + at, len - at, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)(len - at)) {
			at = 0;
			sent++;
		} else {
			g_assert_cmpuint(at ? got + 1 : got, <, sent);
		}
	}
	ini_check(i);
	ini_free(i);
}

/* ---- commands ---- */

/* Commands that come before their turn are kept, up to 1 MiB. */
static void test_out_of_order(void)
{
	struct ini *i = ini_new_login(server, 1, "MaxRecvDataSegmentLength=65536;");
	uint8_t bhs[BHS_LEN] = { OP_NOP_OUT, FINAL };
	g_autofree uint8_t *data = g_malloc0(HELD);

	put32(bhs + 20, TAG_NONE);
	for (uint32_t n = 1; n <= MIB / (BHS_LEN + HELD); n++) {
		put32(bhs + 16, n);
		put32(bhs + 24, i->cmd_sn + n);
		ini_send(i, bhs, data, HELD);
		ini_nop(i, 0x50494e47, "?", 1);
		EXPECT_PDU(i, OP_NOP_IN);
		g_assert_cmphex(get32(i->bhs + 16), ==, 0x50494e47);
	}
	put32(bhs + 16, 0x7777);
	put32(bhs + 24, i->cmd_sn + 100);
	ini_send(i, bhs, data, HELD);
	EXPECT_CLOSED(i);
	ini_free(i);
}

/* 64 KiB, when all sessions together keep too much. */
static void test_out_of_order_in_all(void)
{
	uint8_t bhs[BHS_LEN] = { OP_NOP_OUT, FINAL };
	g_autofree uint8_t *data = g_malloc0(HELD);
	struct ini *i;

	set_limits(256 * MIB, 0);
	i = ini_new_login(server, 1, "MaxRecvDataSegmentLength=65536;");
	put32(bhs + 20, TAG_NONE);
	put32(bhs + 16, 1);
	put32(bhs + 24, i->cmd_sn + 1);
	ini_send(i, bhs, data, HELD);
	ini_nop(i, 0x50494e47, "?", 1);
	EXPECT_PDU(i, OP_NOP_IN);
	put32(bhs + 24, i->cmd_sn + 2);
	ini_send(i, bhs, data, HELD);
	EXPECT_CLOSED(i);
	ini_free(i);
	set_limits(256 * MIB, 64 * MIB);
}

/* Writes of 1 MiB whose data does not come: how many there may be. */
static unsigned writes_taken(struct ini *i)
{
	for (unsigned n = 0; n < 100; n++) {
		uint32_t itt = ini_write(i, FINAL, 0, MIB / BLOCK, MIB, NULL, 0);

		g_assert_true(ini_recv(i));
		g_assert_cmphex(get32(i->bhs + 16), ==, itt);
		if ((i->bhs[0] & OPCODE_MASK) == OP_R2T)
			continue;
		g_assert_cmphex(i->bhs[0] & OPCODE_MASK, ==, OP_SCSI_RESPONSE);
		g_assert_cmphex(i->bhs[3], ==, TASK_SET_FULL);
		return n;
	}
	return UINT_MAX;
}

static void test_buffers(void)
{
	struct ini *i = ini_new_login(server, 1, "InitialR2T=Yes;ImmediateData=No;");
	const uint64_t max = server->node->max_memory;

	g_assert_cmpuint(writes_taken(i), ==, 64 + 1);
	ini_free(i);
	/* Of all sessions on a reactor; this one is alone there. */
	server->node->max_memory = (uint64_t)server->engine->n_reactors * 8 * MIB;
	i = ini_new_login(server, 2, "InitialR2T=Yes;ImmediateData=No;");
	g_assert_cmpuint(writes_taken(i), ==, 8 + 1);
	ini_tmf(i, ABORT_TASK_SET, 0, TAG_NONE);
	EXPECT_TMF(i, TMF_COMPLETE);
	g_assert_cmpuint(writes_taken(i), ==, 8 + 1);	/* it has been given back */
	ini_free(i);
	server->node->max_memory = max;
}

/* Task management that waits. */
static void test_task_management(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	uint8_t data[BLOCK] = { 0 };

	ram_deafen(true);
	ram_hold();
	ini_write(i, FINAL, 0, 1, BLOCK, data, BLOCK);
	ram_wait_held(1);
	for (unsigned n = 0; n < server->node->queue_depth; n++)
		ini_tmf(i, ABORT_TASK_SET, 0, TAG_NONE);
	ini_tmf(i, ABORT_TASK_SET, 0, TAG_NONE);
	EXPECT_TMF(i, TMF_REJECTED);
	ram_release();
	for (unsigned n = 0; n < server->node->queue_depth; n++)
		EXPECT_TMF(i, TMF_COMPLETE);
	ram_deafen(false);
	ini_check(i);
	ini_free(i);
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_data_func("/wire/bounds/unread/pdus", &floods[0], test_unread);
	g_test_add_data_func("/wire/bounds/unread/bytes", &floods[1], test_unread);
	g_test_add_data_func("/wire/bounds/unread/in-all", &floods[2], test_unread);
	g_test_add_func("/wire/bounds/out-of-order", test_out_of_order);
	g_test_add_func("/wire/bounds/out-of-order/in-all", test_out_of_order_in_all);
	g_test_add_func("/wire/bounds/buffers", test_buffers);
	g_test_add_func("/wire/bounds/task-management", test_task_management);
	return server_run();
}
