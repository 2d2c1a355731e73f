/* SPDX-License-Identifier: Apache-2.0 */
/* What is rejected, with which reason, and what that does to the numbers (RFC 7143 7.3, 11.17). */
#include "config.h"
#include "ini.h"

enum { TMF_REASSIGN = 8, TMF_ABORT = 1 };

/* Each row but for what it says is a PDU that is in order; a session takes it and goes on. */
static const struct {
	const char *what;
	uint8_t opcode, flags;
	uint32_t itt, ttt;
	uint8_t ahs_words;
	enum reject_reason reason;
} rows[] = {
	{ "SNACK, data or R2T", OP_SNACK_REQUEST, FINAL, 0x70, TAG_NONE, 0, REJECT_SNACK },
	{ "SNACK, status", OP_SNACK_REQUEST, FINAL | 1, TAG_NONE, TAG_NONE, 0, REJECT_SNACK },
	{ "SNACK, DataACK", OP_SNACK_REQUEST, FINAL | 2, TAG_NONE, 5, 0, REJECT_SNACK },
	{ "SNACK, R-Data", OP_SNACK_REQUEST, FINAL | 3, 0x70, TAG_NONE, 0, REJECT_SNACK },
	{ "Login", OP_LOGIN_REQUEST, OP_TO_FULL, 0x70, 0, 0, REJECT_PROTOCOL_ERROR },
	{ "unknown opcode", 0x1c, FINAL, 0x70, TAG_NONE, 0, REJECT_NOT_SUPPORTED },
	{ "unknown opcode of targets", 0x3e, FINAL, 0x70, TAG_NONE, 0, REJECT_NOT_SUPPORTED },
	{ "NOP-In", OP_NOP_IN, FINAL, 0x70, TAG_NONE, 0, REJECT_NOT_SUPPORTED },
	{ "SCSI Response", OP_SCSI_RESPONSE, FINAL, 0x70, TAG_NONE, 0, REJECT_NOT_SUPPORTED },
	{ "R2T", OP_R2T, FINAL, 0x70, TAG_NONE, 0, REJECT_NOT_SUPPORTED },
	{ "Reject", OP_REJECT, FINAL, TAG_NONE, TAG_NONE, 0, REJECT_NOT_SUPPORTED },
	{ "NOP-Out for no NOP-In", OP_NOP_OUT, FINAL, TAG_NONE, 0x12345, 0, REJECT_INVALID_FIELD },
	{ "NOP-Out with an AHS", OP_NOP_OUT, FINAL, 0x70, TAG_NONE, 1, REJECT_INVALID_FIELD },
	{ "Text with F and C", OP_TEXT_REQUEST, FINAL | 0x40, 0x70, TAG_NONE, 0, REJECT_PROTOCOL_ERROR },
	{ "Text with the reserved ITT", OP_TEXT_REQUEST, FINAL, TAG_NONE, TAG_NONE, 0, REJECT_PROTOCOL_ERROR },
	{ "Text of no exchange", OP_TEXT_REQUEST, FINAL, 0x70, 3, 0, REJECT_PROTOCOL_ERROR },
	{ "Text with an AHS", OP_TEXT_REQUEST, FINAL, 0x70, TAG_NONE, 2, REJECT_INVALID_FIELD },
	{ "TMF with the reserved ITT", OP_TMF_REQUEST, FINAL | TMF_ABORT, TAG_NONE, 0x70, 0, REJECT_INVALID_FIELD },
	{ "TMF with an AHS", OP_TMF_REQUEST, FINAL | TMF_ABORT, 0x70, 0x71, 1, REJECT_INVALID_FIELD },
	{ "Logout for an unknown reason", OP_LOGOUT_REQUEST, FINAL | 3, 0x70, 0, 0, REJECT_INVALID_FIELD },
	{ "Logout for the last reason", OP_LOGOUT_REQUEST, FINAL | 0x7f, 0x70, 0, 0, REJECT_INVALID_FIELD },
	{ "Logout with an AHS", OP_LOGOUT_REQUEST, FINAL, 0x70, 0, 1, REJECT_INVALID_FIELD },
	{ "SCSI Command with half an AHS", OP_SCSI_COMMAND, FINAL | SIMPLE, 0x70, 0, 1, REJECT_INVALID_FIELD },
};

static bool numbered(uint8_t opcode)
{
	return opcode == OP_NOP_OUT || opcode == OP_TEXT_REQUEST || opcode == OP_TMF_REQUEST || opcode == OP_LOGOUT_REQUEST ||
	       opcode == OP_SCSI_COMMAND;
}

/* 11.17: the reason, the header of what was rejected, ITT reserved; 7.3: its CmdSN is still due. */
static void test_reasons(void)
{
	struct ini *i = ini_new_login(server, 1, "");

	for (unsigned n = 0; n < 2 * G_N_ELEMENTS(rows); n++) {
		unsigned r = n / 2;
		uint8_t pdu[BHS_LEN + 8] = { (uint8_t)(rows[r].opcode | (n % 2 ? IMMEDIATE : 0)), rows[r].flags };
		uint32_t due = i->cmd_sn;

		g_test_message("%s%s", rows[r].what, n % 2 ? ", immediate" : "");
		pdu[4] = rows[r].ahs_words;
		put32(pdu + 16, rows[r].itt);
		put32(pdu + 20, rows[r].ttt);
		put32(pdu + 24, due);
		put32(pdu + 28, i->exp_stat_sn);
		ini_send_raw(i, pdu, BHS_LEN + rows[r].ahs_words * 4u);
		EXPECT_REJECT(i, rows[r].reason);
		g_assert_cmphex(i->bhs[1], ==, FINAL);
		g_assert_cmphex(get32(i->bhs + 16), ==, TAG_NONE);
		g_assert_cmpmem(i->data, i->data_len, pdu, BHS_LEN);
		g_assert_cmpuint(i->exp_cmd_sn, ==, due);
		if (numbered(rows[r].opcode) && !(n % 2)) {	/* what fills the gap is carried out */
			ini_nop(i, 0x71, NULL, 0);
			EXPECT_PDU(i, OP_NOP_IN);
		}
		ini_check(i);
		g_assert_cmpuint(i->exp_cmd_sn, ==, i->cmd_sn);
	}
	ini_free(i);
}

/* 7.3 with commands behind it: they wait until the gap is filled, by a retry or by aborting what was rejected. */
static void test_gap(void)
{
	for (unsigned aborted = 0; aborted < 2; aborted++) {
		struct ini *i = ini_new_login(server, 1, "");
		uint8_t pdu[BHS_LEN + 4] = { OP_SCSI_COMMAND, FINAL | SIMPLE, [4] = 1 };
		uint32_t sn = i->cmd_sn;

		put32(pdu + 16, 0x70);
		put32(pdu + 24, sn);
		ini_send_raw(i, pdu, sizeof pdu);
		i->cmd_sn = sn + 1;
		i->itt = 0x80;
		ini_test_unit_ready(i, 0);
		EXPECT_REJECT(i, REJECT_INVALID_FIELD);
		ini_nop(i, 0x71, NULL, 0);
		EXPECT_PDU(i, OP_NOP_IN);
		g_assert_cmpuint(i->exp_cmd_sn, ==, sn);
		if (aborted) {
			uint8_t bhs[BHS_LEN] = { OP_TMF_REQUEST | IMMEDIATE, FINAL | TMF_ABORT };

			put32(bhs + 16, 0x90);
			put32(bhs + 20, 0x70);
			put32(bhs + 24, sn + 2);
			put32(bhs + 32, sn);
			ini_send(i, bhs, NULL, 0);
			EXPECT_TMF(i, 0);
		} else {
			i->cmd_sn = sn;
			i->itt = 0x70;
			ini_test_unit_ready(i, 0);
			EXPECT_STATUS(i, 0x70, 0);
		}
		if (aborted) {	/* the skipped number is passed with the next PDU that is due */
			ini_nop(i, 0x72, NULL, 0);
			g_assert_true(ini_recv(i));
			if (i->bhs[0] == OP_NOP_IN)
				g_assert_true(ini_recv(i));
			else
				EXPECT_PDU(i, OP_NOP_IN);
		} else {
			EXPECT_STATUS(i, 0x80, 0);
		}
		i->cmd_sn = sn + 2;
		i->itt = 0x100;
		ini_check(i);
		ini_free(i);
	}
}

/* 11.6: TASK REASSIGN is for connections that failed at level 2. */
static void test_reassign(void)
{
	struct ini *i = ini_new_login(server, 1, "");

	ini_tmf(i, TMF_REASSIGN, 0, 0x70);
	EXPECT_TMF(i, 4);
	ini_check(i);
	ini_free(i);
}

/* 4.3: what a discovery session may send, and what it may not. */
static void test_discovery(void)
{
	static const uint8_t refused[] = { OP_NOP_OUT, OP_SCSI_COMMAND, OP_TMF_REQUEST };
	struct ini *i = ini_new(server, 1);
	uint8_t text[BHS_LEN] = { OP_TEXT_REQUEST, FINAL };

	ini_login_pdu(i, OP_TO_FULL, "InitiatorName=" HOST ";SessionType=Discovery;");
	EXPECT_LOGIN(i, OP_TO_FULL, LOGIN_SUCCESS);
	for (unsigned n = 0; n < G_N_ELEMENTS(refused); n++) {
		uint8_t bhs[BHS_LEN] = { refused[n], FINAL };

		put32(bhs + 16, 0x70);
		put32(bhs + 20, TAG_NONE);
		put32(bhs + 24, i->cmd_sn);
		ini_send(i, bhs, NULL, 0);
		EXPECT_REJECT(i, REJECT_PROTOCOL_ERROR);
		g_assert_cmpuint(i->exp_cmd_sn, ==, i->cmd_sn);
	}
	put32(text + 16, 0x71);
	put32(text + 20, TAG_NONE);
	put32(text + 24, i->cmd_sn++);
	ini_send(i, text, "SendTargets=All", 16);
	EXPECT_PDU(i, OP_TEXT_RESPONSE);
	g_assert_cmpuint(i->exp_cmd_sn, ==, i->cmd_sn);
	ini_logout(i, 0, 0);
	EXPECT_PDU(i, OP_LOGOUT_RESPONSE);
	EXPECT_CLOSED(i);
	ini_free(i);
}

/* 11.17.1 "Immediate command": more than any initiator needs; 4.2.2.1: one of each kind is always taken. */
static void test_immediate(void)
{
	struct ini *i = ini_new_login(server, 1, "");
	uint32_t most = 2 * server->node->queue_depth, first = i->itt;
	uint8_t bhs[BHS_LEN] = { OP_SCSI_COMMAND | IMMEDIATE, FINAL | READ | SIMPLE };

	ram_hold();
	put32(bhs + 20, BLOCK);
	put32(bhs + 24, i->cmd_sn);
	bhs[32] = 0x28;
	bhs[32 + 8] = 1;
	for (uint32_t n = 0; n <= most; n++) {
		put32(bhs + 16, first + n);
		ini_send(i, bhs, NULL, 0);
	}
	EXPECT_REJECT(i, REJECT_IMMEDIATE);
	g_assert_cmphex(get32(i->data + 16), ==, first + most);
	i->itt = first + most + 1;
	ini_nop(i, 0x71, NULL, 0);
	EXPECT_PDU(i, OP_NOP_IN);
	ini_tmf(i, TMF_ABORT, 0, first);
	EXPECT_TMF(i, 0);
	ram_wait_held(most - 1);
	ram_release();
	for (uint32_t n = 1; n < most; n++)
		EXPECT_PDU(i, OP_DATA_IN);
	ini_check(i);
	ini_free(i);
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_func("/wire/reject/rfc7143-11.17.1-reasons", test_reasons);
	g_test_add_func("/wire/reject/rfc7143-7.3-gap", test_gap);
	g_test_add_func("/wire/reject/rfc7143-11.5.1-reassign", test_reassign);
	g_test_add_func("/wire/reject/rfc7143-4.3-discovery", test_discovery);
	g_test_add_func("/wire/reject/rfc7143-11.17.1-immediate", test_immediate);
	return server_run();
}
