/* SPDX-License-Identifier: Apache-2.0 */
/* Several connections in a session.  Test paths name the sections of RFC 7143. */
#include "config.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include "iscsi/wire.h"
#include "ini.h"

#define NAMES "InitiatorName=" HOST ";TargetName=" DISK ";"
#define FOUR "MaxConnections=4;"

enum { ABORT_TASK = 1, ABORT_TASK_SET = 2, LU_RESET = 5, WARM_RESET = 6 };

static struct ini *lead(void)
{
	return ini_new_login(server, 1, FOUR);
}

/* A command at this place in the order of the session. */
static uint32_t ready_at(struct ini *i, uint32_t cmd_sn, uint32_t itt)
{
	i->cmd_sn = cmd_sn;
	i->itt = itt;
	return ini_test_unit_ready(i, 0);
}

/* Nothing comes: a ping is answered first. */
static void expect_silence(struct ini *i)
{
	ini_nop(i, 0x77, NULL, 0);
	EXPECT_PDU(i, OP_NOP_IN);
	g_assert_cmphex(get32(i->bhs + 16), ==, 0x77);
}

static void end_session(struct ini *i)
{
	ini_logout(i, 0, 0);
	EXPECT_PDU(i, OP_LOGOUT_RESPONSE);
	g_assert_cmphex(i->bhs[2], ==, 0);
	EXPECT_CLOSED(i);
}

static void refused(struct ini *i, uint16_t cid, uint16_t tsih, uint8_t id, enum login_status status)
{
	struct ini *other = ini_new(server, id);

	other->tsih = tsih;
	other->cid = cid;
	ini_login_pdu(other, OP_TO_FULL, NAMES);
	EXPECT_REFUSED(other, status);
	ini_free(other);
	ini_check(i);
}

/* The connections come to both reactors in turn: some of these have to move. */
static void test_join(void)
{
	struct ini *a = lead(), *b, *c, *d;

	b = ini_new_join(a, 1, "");
	c = ini_new_join(a, 2, "HeaderDigest=CRC32C;DataDigest=CRC32C;");
	d = ini_new_join(a, 0xffff, "");
	g_assert_true(c->header_digest && !b->header_digest && !d->data_digest);
	for (int round = 0; round < 3; round++) {
		ini_check(a);
		ini_follow(b, a);
		ini_check(b);
		ini_follow(c, b);
		ini_check(c);
		ini_follow(d, c);
		ini_check(d);
		ini_follow(a, d);
	}
	refused(a, 7, a->tsih, 1, LOGIN_TOO_MANY_CONNECTIONS);
	end_session(a);
	EXPECT_CLOSED(b);
	EXPECT_CLOSED(c);
	EXPECT_CLOSED(d);
	ini_free(a);
	ini_free(b);
	ini_free(c);
	ini_free(d);
}

/* 6.3.1: ISID and TSIH must be those of one session. */
static void test_no_session(void)
{
	struct ini *a = lead(), *b = ini_new_login(server, 2, FOUR), *c;

	refused(a, 1, (uint16_t)(a->tsih + 100), 1, LOGIN_NO_SESSION);
	refused(a, 1, a->tsih, 2, LOGIN_NO_SESSION);
	refused(b, 1, a->tsih, 3, LOGIN_NO_SESSION);
	c = ini_new(server, 1);
	c->tsih = a->tsih;
	c->cid = 1;
	ini_login_pdu(c, OP_TO_FULL, "InitiatorName=iqn.2010-01.org.example:other;TargetName=" DISK ";");
	EXPECT_REFUSED(c, LOGIN_NO_SESSION);
	end_session(a);
	refused(b, 1, a->tsih, 1, LOGIN_NO_SESSION);
	ini_free(a);
	ini_free(b);
	ini_free(c);
}

/* 13: the session's keys are negotiated by its first connection; 13.21: SessionType may be said again. */
static void test_leading_keys(void)
{
	struct ini *a = ini_new_login(server, 1, FOUR "MaxBurstLength=4096;FirstBurstLength=1024;InitialR2T=No;"), *b;
	g_autofree char *text = NULL;
	uint8_t data[8192];
	uint32_t itt;

	b = ini_new_join(a, 1, "SessionType=Normal;MaxBurstLength=512;InitialR2T=Yes;MaxRecvDataSegmentLength=4096;");
	text = ini_text(b);
	g_assert_nonnull(strstr(text, "MaxBurstLength=Reject;"));
	g_assert_nonnull(strstr(text, "InitialR2T=Reject;"));
	g_assert_null(strstr(text, "SessionType"));
	b->max_recv_dsl = 4096;
	memset(data, 0x5a, sizeof data);
	itt = ini_write(b, FINAL, 64, 16, 8192, NULL, 0);
	EXPECT_PDU(b, OP_R2T);
	g_assert_cmpuint(get32(b->bhs + 44), ==, 4096);
	ini_data_out(b, FINAL, itt, get32(b->bhs + 20), 0, 0, data, 4096);
	ini_finish_write(b, itt, data);
	itt = ini_read(b, 64, 16, 8192);
	g_assert_cmpuint(ini_finish_read(b, itt, data, sizeof data), ==, 8192);
	end_session(b);
	EXPECT_CLOSED(a);
	ini_free(a);
	ini_free(b);
}

/* 4.2.2.1: one order for all connections.  Each is answered where it came. */
static void test_order(void)
{
	struct ini *a = lead(), *b = ini_new_join(a, 1, ""), *c = ini_new_join(a, 2, "");
	static const uint8_t orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	struct ini *on[3] = { a, b, c };

	for (unsigned n = 0; n < G_N_ELEMENTS(orders); n++) {
		uint32_t sn = a->cmd_sn, came = 0, due = 0;

		for (unsigned at = 0; at < 3; at++) {
			uint8_t k = orders[n][at];

			ready_at(on[k], sn + k, 0x1000u + k);
			came |= 1u << k;
			if (k != due)
				expect_silence(on[k]);
			for (; came & 1u << due; due++)
				EXPECT_STATUS(on[due], 0x1000 + due, 0);
		}
		a->cmd_sn = sn + 3;
	}
	end_session(a);
	ini_free(a);
	ini_free(b);
	ini_free(c);
}

#define PIECE 131072u		/* eight are more than is put aside */
#define PIECES 16u

/*
 * The same with data: what cannot be put aside waits in its connection, and all arrives.  On b the odd ones, before the
 * even ones on a; what has data that follows cannot be put aside at all.
 */
static void order_data(uint32_t size, bool follows)
{
	struct ini *a = ini_new_login(server, 1, FOUR "InitialR2T=No;FirstBurstLength=262144;"), *b = ini_new_join(a, 1, "");
	g_autofree uint8_t *data = g_malloc(size), *back = g_malloc(size);
	uint32_t sn = a->cmd_sn, half = size / 2;
	uint16_t blocks = (uint16_t)(size / BLOCK);

	for (uint32_t n = 0; n < size; n++)
		data[n] = (uint8_t)(n ^ n >> 9 ^ size >> 8);
	for (uint32_t n = 1; n < PIECES; n += 2) {
		b->cmd_sn = sn + n;
		b->itt = 0x2000 + n;
		ini_write(b, follows ? 0 : FINAL, blocks * n, blocks, size, data, follows ? half : size);
		if (follows)
			ini_data_out(b, FINAL, 0x2000 + n, TAG_NONE, 0, half, data + half, half);
	}
	for (uint32_t n = 0; n < PIECES; n += 2) {
		a->cmd_sn = sn + n;
		a->itt = 0x2000 + n;
		ini_finish_write(a, ini_write(a, FINAL, blocks * n, blocks, size, data, half), data);
		g_assert_cmpuint(a->bhs[3], ==, 0);
	}
	for (uint32_t n = 1; n < PIECES; n += 2)
		EXPECT_STATUS(b, 0x2000 + n, 0);
	a->cmd_sn = sn + PIECES;
	for (uint32_t n = 0; n < PIECES; n++) {
		uint32_t itt = ini_read(a, blocks * n, blocks, size);

		g_assert_cmpuint(ini_finish_read(a, itt, back, size), ==, size);
		g_assert_cmpmem(back, size, data, size);
	}
	end_session(a);
	ini_free(a);
	ini_free(b);
}

static void test_order_data(void)
{
	order_data(2048, false);
	order_data(8192, true);
	order_data(PIECE, false);
}

/* 4.2.5.1: connection allegiance. */
static void test_allegiance(void)
{
	struct ini *a = lead(), *b = ini_new_join(a, 1, "");
	uint8_t data[1024] = { 1 };
	uint32_t itt = ini_write(a, FINAL, 0, 2, sizeof data, NULL, 0), ttt;

	EXPECT_PDU(a, OP_R2T);
	ttt = get32(a->bhs + 20);
	ini_data_out(b, FINAL, itt, ttt, 0, 0, data, sizeof data);
	EXPECT_REJECT(b, REJECT_PROTOCOL_ERROR);
	ini_data_out(a, FINAL, itt, ttt, 0, 0, data, sizeof data);
	EXPECT_STATUS(a, itt, 0);
	ini_follow(b, a);
	itt = ini_test_unit_ready(b, 0);
	EXPECT_STATUS(b, itt, 0);
	end_session(b);
	ini_free(a);
	ini_free(b);
}

/* 6.3.4: the same CID again is an implicit logout of the old connection, whose tasks end first. */
static void test_connection_reinstatement(void)
{
	struct ini *a = lead(), *b = ini_new_join(a, 1, ""), *again;
	uint32_t itt;

	ram_hold();
	itt = ini_read(b, 0, 1, BLOCK);
	ram_wait_held(1);
	ini_follow(a, b);
	again = ini_new_join(a, 1, "");
	g_assert_cmpuint(ram_held(), ==, 0);
	EXPECT_CLOSED(b);
	ram_release();
	itt = ini_test_unit_ready(again, 0);
	EXPECT_STATUS(again, itt, 0);
	ini_follow(a, again);
	ini_check(a);
	end_session(a);
	ini_free(a);
	ini_free(b);
	ini_free(again);
}

/* The only connection of a session can be replaced, even where there may be no second one. */
static void test_reinstate_only(void)
{
	struct ini *a = ini_new_login(server, 1, ""), *again;

	/* One that was lost with its connection would leave a gap in CmdSN, and what comes behind it would wait. */
	ini_test_unit_ready(a, 0);
	EXPECT_PDU(a, OP_SCSI_RESPONSE);
	again = ini_new_join(a, 0, "");
	ini_check(again);
	end_session(again);
	ini_free(a);
	ini_free(again);
}

/* 6.3.5: a session reinstated has lost all of its connections. */
static void test_session_reinstatement(void)
{
	struct ini *a = lead(), *b = ini_new_join(a, 1, ""), *newer;

	newer = ini_new_login(server, 1, FOUR);
	EXPECT_CLOSED(a);
	EXPECT_CLOSED(b);
	end_session(newer);
	ini_free(a);
	ini_free(b);
	ini_free(newer);
}

static void logout(struct ini *i, uint8_t reason, uint16_t cid, uint8_t response)
{
	ini_logout(i, reason, cid);
	EXPECT_PDU(i, OP_LOGOUT_RESPONSE);
	g_assert_cmphex(i->bhs[2], ==, response);
	g_assert_cmpuint(get16(i->bhs + 40), ==, response == 1 ? 0 : 2);
	g_assert_cmpuint(get16(i->bhs + 42), ==, 0);
}

/* 11.14, 11.15 */
static void test_logout(void)
{
	struct ini *a = lead(), *b = ini_new_join(a, 1, ""), *c = ini_new_join(a, 2, "");
	uint32_t itt;

	logout(a, 2, 1, 2);
	logout(a, 1, 9, 1);
	logout(b, 1, 1, 0);		/* itself */
	EXPECT_CLOSED(b);
	ini_check(a);
	ram_hold();
	ini_follow(c, a);
	itt = ini_read(c, 0, 1, BLOCK);
	ram_wait_held(1);
	ini_follow(a, c);
	logout(a, 1, 2, 0);		/* another, with its commands */
	g_assert_cmpuint(ram_held(), ==, 0);
	EXPECT_CLOSED(c);
	ram_release();
	ini_check(a);
	logout(a, 1, 2, 1);
	ini_free(b);
	b = ini_new_join(a, 1, "");
	itt = ini_test_unit_ready(b, 0);
	EXPECT_STATUS(b, itt, 0);
	logout(a, 1, 0, 0);		/* the first one may go as well */
	EXPECT_CLOSED(a);
	ini_check(b);
	logout(b, 1, 1, 0);		/* and with the last one the session */
	EXPECT_CLOSED(b);
	ini_free(a);
	ini_free(b);
	ini_free(c);
}

/* 11.14: what a connection that is closed had sent and was not due is forgotten; the hole can be filled elsewhere. */
static void test_logout_forgets(void)
{
	struct ini *a = lead(), *b = ini_new_join(a, 1, "");
	uint32_t sn = a->cmd_sn;

	ready_at(b, sn + 1, 0x1001);
	expect_silence(b);
	a->cmd_sn = sn;
	logout(a, 1, 1, 0);
	EXPECT_CLOSED(b);
	ready_at(a, sn, 0x1000);
	EXPECT_STATUS(a, 0x1000, 0);
	expect_silence(a);
	ready_at(a, sn + 1, 0x1001);
	EXPECT_STATUS(a, 0x1001, 0);
	end_session(a);
	ini_free(a);
	ini_free(b);
}

/* 7.1.5: at level 0 a connection that fails takes its session along; 11.9.1: the others hear of it. */
static void test_failure(void)
{
	struct ini *a = lead(), *b = ini_new_join(a, 1, ""), *beside = ini_new_login(server, 2, "");
	uint16_t tsih = a->tsih;

	ram_hold();
	ini_read(b, 0, 1, BLOCK);
	ram_wait_held(1);
	ini_follow(a, b);
	ini_read(a, 0, 1, BLOCK);
	ram_wait_held(2);
	ini_hang_up(b);
	EXPECT_PDU(a, OP_ASYNC);
	g_assert_cmphex(a->bhs[36], ==, 3);
	g_assert_cmpuint(get16(a->bhs + 40), ==, 2);
	g_assert_cmpuint(get16(a->bhs + 42), ==, 0);
	EXPECT_CLOSED(a);
	while (ram_held())
		g_usleep(1000);
	ram_release();
	refused(beside, 1, tsih, 1, LOGIN_NO_SESSION);
	ini_free(a);
	ini_free(b);
	ini_free(beside);
}

/* 4.2.3.2: a task management function acts on tasks of all connections, and is answered where it came. */
static void test_tmf(void)
{
	struct ini *a = lead(), *b = ini_new_join(a, 1, "");
	uint32_t itt;

	ram_hold();
	itt = ini_read(b, 0, 1, BLOCK);
	ram_wait_held(1);
	ini_follow(a, b);
	ini_tmf(a, ABORT_TASK, 0, itt);
	EXPECT_TMF(a, 0);
	g_assert_cmpuint(ram_held(), ==, 0);
	ini_follow(b, a);
	ini_read(b, 0, 1, BLOCK);
	ini_follow(a, b);
	ini_read(a, 0, 1, BLOCK);
	ram_wait_held(2);
	ini_tmf(a, ABORT_TASK_SET, 0, TAG_NONE);
	EXPECT_TMF(a, 0);
	g_assert_cmpuint(ram_held(), ==, 0);
	ram_release();
	expect_silence(b);
	ini_check(a);
	end_session(a);
	ini_free(a);
	ini_free(b);
}

/* The same: it waits for commands sent before it that are still on their way elsewhere. */
static void test_tmf_overtakes(void)
{
	static const uint8_t functions[] = { ABORT_TASK_SET, LU_RESET };
	struct ini *a = lead(), *b = ini_new_join(a, 1, "");

	for (unsigned n = 0; n < G_N_ELEMENTS(functions); n++) {
		uint32_t sn = a->cmd_sn;

		ram_hold();
		b->cmd_sn = sn + 1;
		b->itt = 0x3000;
		ini_tmf(b, functions[n], 0, TAG_NONE);
		expect_silence(b);
		ini_read(a, 0, 1, BLOCK);
		EXPECT_TMF(b, 0);
		g_assert_cmpuint(ram_held(), ==, 0);
		ram_release();
		expect_silence(a);
	}
	end_session(a);
	ini_free(a);
	ini_free(b);
}

/* 4.2.2.3.2: what was sent on other connections has been acknowledged before the function is answered. */
static void test_fence(void)
{
	static const uint8_t functions[] = { ABORT_TASK_SET, LU_RESET, WARM_RESET };
	struct ini *a = lead(), *b = ini_new_join(a, 1, "");

	for (unsigned n = 0; n < G_N_ELEMENTS(functions); n++) {
		uint32_t ttt;

		expect_silence(b);	/* its answer is not acknowledged */
		ini_tmf(a, functions[n], 0, TAG_NONE);
		EXPECT_PDU(b, OP_NOP_IN);
		ttt = get32(b->bhs + 20);
		g_assert_cmphex(ttt, !=, TAG_NONE);
		expect_silence(a);
		{
			uint8_t bhs[BHS_LEN] = { OP_NOP_OUT | IMMEDIATE, FINAL };

			put32(bhs + 16, TAG_NONE);
			put32(bhs + 20, ttt);
			put32(bhs + 24, a->cmd_sn);
			ini_send(b, bhs, NULL, 0);
		}
		EXPECT_TMF(a, 0);
	}
	ini_logout(a, 0, 0);
	EXPECT_PDU(a, OP_LOGOUT_RESPONSE);
	ini_free(a);
	ini_free(b);
}

/* A connection that goes away while it joins, byte by byte of its login: the session does not mind. */
static void test_cut_login(void)
{
	static const char names[] = NAMES;
	struct ini *a = lead();
	g_autofree char *text = g_strdelimit(g_strdup(names), ";", '\0');
	uint8_t pdu[BHS_LEN + 256] = { OP_LOGIN_REQUEST | IMMEDIATE, OP_TO_FULL };
	uint32_t len = (uint32_t)strlen(names);

	put24(pdu + 5, len);
	memcpy(pdu + 8, a->isid, 6);
	put16(pdu + 14, a->tsih);
	put16(pdu + 20, 5);
	put32(pdu + 24, a->cmd_sn);
	memcpy(pdu + BHS_LEN, text, len);
	for (uint32_t cut = 0; cut < BHS_LEN + pad4(len); cut++) {
		struct ini *b = ini_new(server, 1);

		ini_send_raw(b, pdu, cut);
		ini_hang_up(b);
		ini_free(b);
	}
	ini_check(a);
	end_session(a);
	ini_free(a);
}

/* A socket of the server's, in this process: the one that listens, or the other end of fd. */
static int of_server(int fd)
{
	struct sockaddr_in mine = { .sin_family = AF_INET }, theirs;
	socklen_t len = sizeof mine;

	g_assert_true(fd < 0 || getsockname(fd, (struct sockaddr *)&mine, &len) == 0);
	for (int other = 3; other < 256; other++) {
		int listens = 0;

		len = sizeof listens;
		if (fd < 0 && getsockopt(other, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens)
			return other;
		len = sizeof theirs;
		if (fd >= 0 && getpeername(other, (struct sockaddr *)&theirs, &len) == 0 && theirs.sin_family == AF_INET &&
		    theirs.sin_port == mine.sin_port)
			return other;
	}
	g_assert_not_reached();
}

/* Nothing is paced within the machine, whatever the algorithm would be. */
static void test_here(void)
{
	char name[16] = "";
	socklen_t len = sizeof name;
	struct ini *i;

	if (setsockopt(of_server(-1), IPPROTO_TCP, TCP_CONGESTION, "cubic", 5)) {
		g_test_skip("there is one algorithm alone");
		return;
	}
	i = ini_new_tcp(server, 1);
	ini_login(i, "");
	g_assert_cmpint(getsockopt(of_server(i->fd), IPPROTO_TCP, TCP_CONGESTION, name, &len), ==, 0);
	g_assert_cmpstr(name, ==, "reno");
	ini_free(i);
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_func("/wire/conns/6.3.1-join", test_join);
	g_test_add_func("/wire/conns/6.3.1-no-session", test_no_session);
	g_test_add_func("/wire/conns/13-leading-keys", test_leading_keys);
	g_test_add_func("/wire/conns/4.2.2.1-order", test_order);
	g_test_add_func("/wire/conns/4.2.2.1-order-data", test_order_data);
	g_test_add_func("/wire/conns/4.2.5.1-allegiance", test_allegiance);
	g_test_add_func("/wire/conns/6.3.4-reinstatement", test_connection_reinstatement);
	g_test_add_func("/wire/conns/6.3.4-the-only-one", test_reinstate_only);
	g_test_add_func("/wire/conns/6.3.5-session-reinstatement", test_session_reinstatement);
	g_test_add_func("/wire/conns/11.14-logout", test_logout);
	g_test_add_func("/wire/conns/11.14-logout-forgets", test_logout_forgets);
	g_test_add_func("/wire/conns/7.1.5-failure", test_failure);
	g_test_add_func("/wire/conns/4.2.3.2-tmf", test_tmf);
	g_test_add_func("/wire/conns/4.2.3.2-tmf-overtakes", test_tmf_overtakes);
	g_test_add_func("/wire/conns/4.2.2.3.2-fence", test_fence);
	g_test_add_func("/wire/conns/6.3.1-cut-login", test_cut_login);
	g_test_add_func("/wire/conns/here", test_here);
	return server_run();
}
