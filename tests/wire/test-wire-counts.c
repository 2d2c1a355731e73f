/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted: exactly what was sent and answered, once in each place. */
#include "config.h"
#include <unistd.h>
#include "ini.h"
#include "iscsi/count.h"
#include "scsi/lun.h"
#include "scsi/tally.h"

static void nothing(struct reactor *r, void *arg)
{
}

/* What has come and been answered before this has been counted after it: the end of a batch lies between the two. */
static void settle(void)
{
	engine_each(server->engine, nothing, NULL);
	engine_each(server->engine, nothing, NULL);
}

static struct stats_sum *lun_sum(uint32_t number)
{
	struct stats_sum *sum = g_new0(struct stats_sum, 1);

	settle();
	tally_lun(target_find_lun(server->scsi, (int)number), sum);
	return sum;
}

/* NULL: it has ended. */
static struct stats_sum *session_sum(uint16_t tsih, unsigned *connections)
{
	g_autoptr(GArray) all = NULL;

	settle();
	all = count_sessions(server->node);
	for (guint i = 0; i < all->len; i++) {
		const struct count_session *s = &g_array_index(all, struct count_session, i);
		struct stats_sum *sum;

		if (s->tsih != tsih)
			continue;
		g_assert_cmpstr(s->initiator, ==, HOST);
		g_assert_cmpstr(s->target, ==, DISK);
		sum = g_new0(struct stats_sum, 1);
		count_session_sum(s, sum);
		*connections = s->connections;
		return sum;
	}
	return NULL;
}

static struct stats_sum *portal_sum(unsigned *connections)
{
	struct stats_sum *sum = g_new0(struct stats_sum, 1);

	settle();
	*connections = count_portal(server->node, server->portal, sum);
	return sum;
}

/* All reactors together. */
static struct stats_sum *reactor_sum(unsigned *connections)
{
	struct stats_sum *sum = g_new0(struct stats_sum, 1), *one = g_new(struct stats_sum, 1);

	settle();
	*connections = 0;
	for (unsigned i = 0; i < server->engine->n_reactors; i++) {
		memset(one, 0, sizeof *one);
		*connections += count_reactor(server->node, i, one);
		stats_sum_merge(sum, one);
	}
	g_free(one);
	return sum;
}

static uint64_t opcode(const struct stats_sum *sum, const char *name)
{
	for (unsigned i = 0; i < STATS_OPCODES; i++)
		if (g_strcmp0(tally_opcode(i), name) == 0)
			return sum->opcodes[i];
	g_error("no %s", name);
	return 0;
}

static uint64_t errors(const struct stats_sum *sum, const char *name)
{
	char buf[TALLY_NAME_MAX];

	for (unsigned i = 0; i < STATS_ERRORS; i++)
		if (g_strcmp0(tally_error(i, buf), name) == 0)
			return sum->errors[i];
	g_error("no %s", name);
	return 0;
}

static void read_blocks(struct ini *i, uint16_t blocks)
{
	uint32_t len = blocks * BLOCK;
	g_autofree uint8_t *buf = g_malloc(len);

	g_assert_cmpuint(ini_finish_read(i, ini_read(i, 0, blocks, len), buf, len), ==, len);
}

static void write_blocks(struct ini *i, uint16_t blocks, uint32_t immediate)
{
	uint32_t len = blocks * BLOCK;
	g_autofree uint8_t *data = g_malloc0(len);

	ini_finish_write(i, ini_write(i, FINAL, 0, blocks, len, data, immediate), data);
	g_assert_cmphex(i->bhs[3], ==, 0);
}

static void check_io(const struct stats_sum *s, unsigned reads, unsigned read_blocks, unsigned writes, unsigned written)
{
	g_assert_cmpuint(s->kinds[STATS_READ].commands, ==, reads);
	g_assert_cmpuint(opcode(s, "READ(10)"), ==, reads);
	g_assert_cmpuint(s->kinds[STATS_READ].bytes, ==, read_blocks * BLOCK);
	g_assert_cmpuint(s->kinds[STATS_WRITE].commands, ==, writes);
	g_assert_cmpuint(opcode(s, "WRITE(10)"), ==, writes);
	g_assert_cmpuint(s->kinds[STATS_WRITE].bytes, ==, written * BLOCK);
	g_assert_cmpuint(s->depth, ==, 0);
	g_assert_cmpuint(s->depth_max, >=, 1);
	g_assert_cmpuint(s->kinds[STATS_READ].max_ns, >, 0);
	g_assert_cmpuint(s->kinds[STATS_READ].sum_ns, >=, s->kinds[STATS_READ].max_ns);
}

/* 5 reads, 3 writes, 1 of them by R2T: in each place. */
static void test_exact(void)
{
	struct ini *i;
	unsigned conns;
	struct stats_sum *(*const places[])(unsigned *) = { portal_sum, reactor_sum };
	struct stats_sum *s, *before[2];

	server_renew(server);
	for (unsigned p = 0; p < 2; p++)
		before[p] = places[p](&conns);
	i = ini_new_login(server, 1, "InitialR2T=Yes;ImmediateData=Yes;FirstBurstLength=4096;MaxBurstLength=4096;MaxOutstandingR2T=1;");
	for (unsigned n = 1; n <= 5; n++)
		read_blocks(i, (uint16_t)n);
	write_blocks(i, 1, BLOCK);
	write_blocks(i, 2, 2 * BLOCK);
	write_blocks(i, 24, BLOCK);	/* 23 blocks asked for, 8 at a time */
	s = lun_sum(0);
	check_io(s, 5, 15, 3, 27);
	g_assert_cmpuint(s->counts[STATS_R2TS], ==, 3);
	g_free(s);
	s = session_sum(i->tsih, &conns);
	check_io(s, 5, 15, 3, 27);
	g_assert_cmpuint(s->counts[STATS_R2TS], ==, 3);
	g_assert_cmpuint(conns, ==, 1);
	g_free(s);
	for (unsigned p = 0; p < 2; p++) {
		s = places[p](&conns);
		g_assert_cmpuint(conns, ==, 1);
		g_assert_cmpuint(s->kinds[STATS_READ].commands, ==, before[p]->kinds[STATS_READ].commands + 5);
		g_assert_cmpuint(s->kinds[STATS_READ].bytes, ==, before[p]->kinds[STATS_READ].bytes + 15 * BLOCK);
		g_assert_cmpuint(s->kinds[STATS_WRITE].bytes, ==, before[p]->kinds[STATS_WRITE].bytes + 27 * BLOCK);
		g_assert_cmpuint(s->counts[STATS_R2TS], ==, before[p]->counts[STATS_R2TS] + 3);
		g_assert_cmpuint(s->counts[STATS_LOGINS], ==, before[p]->counts[STATS_LOGINS] + 1);
		g_free(s);
		g_free(before[p]);
	}
	/* The other logical unit has what its unit attention took, and no more. */
	s = lun_sum(1);
	g_assert_cmpuint(s->kinds[STATS_READ].commands + s->kinds[STATS_WRITE].commands, ==, 0);
	g_free(s);
	ini_free(i);
}

/* A logical unit keeps its numbers, a session takes its own with it. */
static void test_sessions_go(void)
{
	enum { SESSIONS = 4, READS = 3 };
	struct stats_sum *s;
	unsigned conns;

	server_renew(server);
	for (uint8_t n = 1; n <= SESSIONS; n++) {
		struct ini *i = ini_new_login(server, n, "");
		uint16_t tsih = i->tsih;

		for (unsigned k = 0; k < READS; k++)
			read_blocks(i, 1);
		s = session_sum(tsih, &conns);
		g_assert_cmpuint(s->kinds[STATS_READ].commands, ==, READS);
		g_free(s);
		ini_hang_up(i);
		ini_free(i);
		while ((s = session_sum(tsih, &conns)))		/* it ends a moment later */
			g_free(s);
		s = lun_sum(0);
		g_assert_cmpuint(s->kinds[STATS_READ].commands, ==, n * READS);
		g_assert_cmpuint(s->kinds[STATS_READ].bytes, ==, n * READS * BLOCK);
		g_free(s);
	}
	s = portal_sum(&conns);
	g_assert_cmpuint(s->depth, ==, 0);
	g_assert_cmpuint(conns, ==, 0);
	g_free(s);
}

static void test_errors(void)
{
	static const uint8_t unknown[16] = { 0xbb };
	struct stats_sum *s, *of_session;
	struct ini *i;
	unsigned conns;
	uint32_t itt;

	server_renew(server);
	i = ini_new_login(server, 1, "");
	itt = ini_read(i, BLOCKS, 1, BLOCK);
	EXPECT_SENSE(i, itt, KEY_ILLEGAL_REQUEST, 0x21);
	itt = ini_command(i, FINAL | SIMPLE, 0, 0, unknown, NULL, 0);
	EXPECT_SENSE(i, itt, KEY_ILLEGAL_REQUEST, 0x20);
	itt = ini_test_unit_ready(i, 77);
	EXPECT_SENSE(i, itt, KEY_ILLEGAL_REQUEST, 0x25);
	s = lun_sum(0);
	of_session = session_sum(i->tsih, &conns);
	g_assert_cmpuint(errors(s, "ILLEGAL REQUEST 21h/00h"), ==, 1);
	g_assert_cmpuint(errors(s, "ILLEGAL REQUEST 20h/00h"), ==, 1);
	g_assert_cmpuint(errors(s, "ILLEGAL REQUEST 25h/00h"), ==, 0);
	g_assert_cmpuint(errors(of_session, "ILLEGAL REQUEST 25h/00h"), ==, 1);
	g_assert_cmpuint(errors(of_session, "UNIT ATTENTION 29h/00h"), >=, 1);
	g_assert_cmpuint(opcode(s, "UNKNOWN"), ==, 1);
	g_assert_cmpuint(s->kinds[STATS_READ].commands, ==, 1);
	g_assert_cmpuint(s->kinds[STATS_READ].bytes, ==, 0);
	g_free(s);
	g_free(of_session);
	ini_free(i);
}

/* While commands are at the device they are its depth; what is aborted counts once. */
static void test_depth(void)
{
	struct stats_sum *s;
	struct ini *i;
	uint32_t itt;
	unsigned conns;

	server_renew(server);
	i = ini_new_login(server, 1, "");
	ram_hold();
	itt = ini_read(i, 0, 1, BLOCK);
	for (unsigned n = 1; n < 4; n++)
		ini_read(i, n, 1, BLOCK);
	ram_wait_held(4);
	s = lun_sum(0);
	g_assert_cmpuint(s->depth, ==, 4);
	g_assert_cmpuint(s->depth_max, ==, 4);
	g_free(s);
	s = reactor_sum(&conns);
	g_assert_cmpuint(s->depth, ==, 4);
	g_free(s);
	ini_tmf(i, 1, 0, itt);		/* ABORT TASK */
	EXPECT_TMF(i, 0);
	ram_release();
	for (unsigned n = 1; n < 4; n++) {
		EXPECT_PDU(i, OP_DATA_IN);
		while (!(i->bhs[1] & FLAG_STATUS))
			EXPECT_PDU(i, OP_DATA_IN);
	}
	s = session_sum(i->tsih, &conns);
	g_assert_cmpuint(s->depth, ==, 0);
	g_assert_cmpuint(s->depth_max, ==, 4);
	g_assert_cmpuint(errors(s, "TASK ABORTED"), ==, 1);
	g_assert_cmpuint(s->kinds[STATS_READ].commands, ==, 4);
	g_assert_cmpuint(s->kinds[STATS_READ].bytes, ==, 3 * BLOCK);
	g_free(s);
	ini_free(i);
}

/* The last digest of what is sent is wrong. */
static void send_broken(struct ini *i, uint8_t bhs[BHS_LEN], const void *data, uint32_t len)
{
	uint8_t pdu[BHS_LEN + BLOCK + 2 * DIGEST_LEN] = { 0 };
	size_t size = BHS_LEN;

	g_assert_cmpuint(len, <=, BLOCK);
	put24(bhs + 5, len);
	memcpy(pdu, bhs, BHS_LEN);
	if (len)
		memcpy(pdu + size, data, len);
	size += len + DIGEST_LEN;
	g_assert_true(ini_send_raw(i, pdu, size));
}

static void test_digests(void)
{
	uint8_t bhs[BHS_LEN] = { OP_SCSI_COMMAND, FINAL | WRITE | SIMPLE }, data[BLOCK];
	struct stats_sum *s, *before, *after;
	unsigned conns;
	struct ini *i;

	server_renew(server);
	memset(data, 0x5a, sizeof data);
	before = portal_sum(&conns);
	i = ini_new_login(server, 1, "DataDigest=CRC32C;");
	put32(bhs + 16, 0x1234);
	put32(bhs + 20, BLOCK);
	put32(bhs + 24, i->cmd_sn);
	bhs[32] = 0x2a;
	bhs[40] = 1;
	send_broken(i, bhs, data, BLOCK);
	EXPECT_REJECT(i, 0x02);
	s = lun_sum(0);
	g_assert_cmpuint(s->counts[STATS_DATA_DIGESTS], ==, 1);
	g_assert_cmpuint(s->kinds[STATS_WRITE].commands, ==, 0);
	g_free(s);
	s = session_sum(i->tsih, &conns);
	g_assert_cmpuint(s->counts[STATS_DATA_DIGESTS], ==, 1);
	g_assert_cmpuint(s->counts[STATS_HEADER_DIGESTS], ==, 0);
	g_free(s);
	ini_free(i);
	i = ini_new_login(server, 2, "HeaderDigest=CRC32C;");
	memset(bhs, 0, sizeof bhs);
	bhs[0] = OP_NOP_OUT | IMMEDIATE;
	bhs[1] = FINAL;
	send_broken(i, bhs, NULL, 0);
	EXPECT_CLOSED(i);
	ini_free(i);
	after = portal_sum(&conns);
	g_assert_cmpuint(after->counts[STATS_DATA_DIGESTS], ==, before->counts[STATS_DATA_DIGESTS] + 1);
	g_assert_cmpuint(after->counts[STATS_HEADER_DIGESTS], ==, before->counts[STATS_HEADER_DIGESTS] + 1);
	g_free(before);
	g_free(after);
}

static void test_logins(void)
{
	struct stats_sum *before, *after;
	unsigned conns;
	struct ini *i;

	before = portal_sum(&conns);
	i = ini_new(server, 1);
	ini_login_pdu(i, OP_TO_FULL, "InitiatorName=" HOST ";TargetName=iqn.2010-01.org.example:none;");
	EXPECT_REFUSED(i, LOGIN_NOT_FOUND);
	ini_free(i);
	/* It goes in the middle. */
	i = ini_new(server, 1);
	ini_login_pdu(i, SEC_TO_OP, "InitiatorName=" HOST ";TargetName=" DISK ";AuthMethod=None;");
	EXPECT_LOGIN(i, SEC_TO_OP, LOGIN_SUCCESS);
	ini_hang_up(i);
	ini_free(i);
	/* This one never began. */
	i = ini_new(server, 1);
	ini_hang_up(i);
	ini_free(i);
	i = ini_new_login(server, 1, "");
	after = portal_sum(&conns);
	g_assert_cmpuint(after->counts[STATS_LOGINS], ==, before->counts[STATS_LOGINS] + 1);
	g_assert_cmpuint(after->counts[STATS_LOGIN_FAILURES], ==, before->counts[STATS_LOGIN_FAILURES] + 2);
	g_free(before);
	g_free(after);
	ini_free(i);
}

/* Two connections of a session, over sessions on both reactors: LUN 0 has them all. */
static void test_connections(void)
{
	struct ini *a, *b, *other;
	struct stats_sum *s;
	unsigned conns;

	server_renew(server);
	a = ini_new_login(server, 1, "MaxConnections=2;");
	other = ini_new_login(server, 2, "");
	b = ini_new_join(a, 2, "MaxConnections=2;");
	read_blocks(b, 2);
	ini_follow(a, b);
	read_blocks(a, 3);
	read_blocks(other, 4);
	s = session_sum(a->tsih, &conns);
	g_assert_cmpuint(conns, ==, 2);
	g_assert_cmpuint(s->kinds[STATS_READ].bytes, ==, 5 * BLOCK);
	g_free(s);
	s = lun_sum(0);
	g_assert_cmpuint(s->kinds[STATS_READ].bytes, ==, 9 * BLOCK);
	g_assert_cmpuint(s->kinds[STATS_READ].commands, ==, 3);
	g_free(s);
	ini_free(b);
	ini_free(a);
	ini_free(other);
}

/* Reading goes on while commands run. */
struct reading { gint stop; unsigned rounds; };

static void *reader(void *arg)
{
	struct reading *r = arg;
	unsigned conns;

	while (!g_atomic_int_get(&r->stop)) {
		g_autoptr(GArray) all = count_sessions(server->node);
		struct stats_sum *s = g_new0(struct stats_sum, 1);

		for (guint i = 0; i < all->len; i++)
			count_session_sum(&g_array_index(all, struct count_session, i), s);
		tally_lun(target_find_lun(server->scsi, 0), s);
		count_portal(server->node, server->portal, s);
		conns = count_reactor(server->node, 0, s);
		g_assert_cmpuint(conns, <, 100);
		g_free(s);
		r->rounds++;
	}
	return NULL;
}

static void test_while_reading(void)
{
	struct reading r = { 0 };
	GThread *thread;
	struct stats_sum *s;

	server_renew(server);
	thread = g_thread_new("reader", reader, &r);
	for (uint8_t n = 1; n <= 8; n++) {
		struct ini *i = ini_new_login(server, n, "");

		for (unsigned k = 0; k < 50; k++) {
			read_blocks(i, 1);
			write_blocks(i, 1, BLOCK);
		}
		ini_free(i);
	}
	g_atomic_int_set(&r.stop, 1);
	g_thread_join(thread);
	s = lun_sum(0);
	check_io(s, 400, 400, 400, 400);
	g_free(s);
	g_test_message("read %u times", r.rounds);
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_func("/counts/exact", test_exact);
	g_test_add_func("/counts/sessions-go", test_sessions_go);
	g_test_add_func("/counts/errors", test_errors);
	g_test_add_func("/counts/depth", test_depth);
	g_test_add_func("/counts/digests", test_digests);
	g_test_add_func("/counts/logins", test_logins);
	g_test_add_func("/counts/connections", test_connections);
	g_test_add_func("/counts/while-reading", test_while_reading);
	return server_run();
}
