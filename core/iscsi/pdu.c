/* SPDX-License-Identifier: Apache-2.0 */
/* pdu.c - the opcodes an initiator may send, and the order they are taken in. */
#include "config.h"
#include "engine/probes.h"
#include "iscsi/cmd.h"
#include "iscsi/login.h"
#include "iscsi/logout.h"
#include "iscsi/nop.h"
#include "iscsi/pdu.h"
#include "iscsi/session.h"
#include "iscsi/text.h"
#include "iscsi/tmf.h"

static struct verdict on_snack(struct conn *c, const struct pdu *p)
{
	return VERDICT_REJECT(REJECT_SNACK, "SNACK at ErrorRecoveryLevel 0");	/* RFC 7143 7.2 */
}

static const struct pdu_row {
	const char *name;
	bool numbered;		/* carries a CmdSN; immediate or in order */
	bool discovery;		/* allowed in a discovery session: 4.3 */
	struct verdict (*handle)(struct conn *c, const struct pdu *p);
	/* Instead, for PDUs with data out. */
	struct verdict (*data)(struct conn *c, const struct pdu *p, uint32_t avail, bool digest_bad);
} rows[OPCODE_MASK + 1] = {
	[OP_NOP_OUT] = { "NOP-Out", true, false, .handle = nop_on_pdu },
	[OP_SCSI_COMMAND] = { "SCSI Command", true, false, .data = cmd_on_command },
	[OP_TMF_REQUEST] = { "Task Management Function Request", true, false, .handle = tmf_on_pdu },
	[OP_TEXT_REQUEST] = { "Text Request", true, true, .handle = text_on_pdu },
	[OP_DATA_OUT] = { "SCSI Data-Out", false, false, .data = cmd_on_data_out },
	[OP_LOGOUT_REQUEST] = { "Logout Request", true, true, .handle = logout_on_pdu },
	[OP_SNACK_REQUEST] = { "SNACK Request", false, false, .handle = on_snack },
};

bool pdu_carries_data_out(enum opcode op)
{
	return rows[op].data != NULL;
}

bool pdu_in_order(const struct conn *c, const struct pdu *p)
{
	return !rows[pdu_opcode(p)].numbered || pdu_immediate(p) || get32(p->bhs + 24) == c->session->exp_cmd_sn;
}

void pdu_reject(struct conn *c, const struct pdu *p, enum reject_reason reason)
{
	uint8_t bhs[BHS_LEN] = { OP_REJECT, FINAL_BIT, (uint8_t)reason };

	PROBE3(pdu__reject, c->peer, pdu_opcode(p), reason);
	put32(bhs + 16, TAG_NONE);
	conn_stamp(c, bhs, true);
	tx_copy(c, bhs, p->bhs, BHS_LEN, NULL);
}

/*
 * 7.3: the CmdSN of a command that is rejected counts as not received; the initiator fills the gap.  What was rejected
 * has done nothing.
 */
static void give_back(struct session *s, const struct pdu *p, struct verdict v)
{
	if (v.act == PDU_REJECT && rows[pdu_opcode(p)].numbered && !pdu_immediate(p))
		s->exp_cmd_sn--;
}

static struct verdict dispatch(struct conn *c, const struct pdu *p, uint32_t avail, bool digest_bad)
{
	const struct pdu_row *row = &rows[pdu_opcode(p)];

	if (row->data)
		return row->data(c, p, avail, digest_bad);
	if (p->ahs_len)		/* 11.2.2: of SCSI Commands alone */
		return VERDICT_REJECT(REJECT_INVALID_FIELD, "an additional header");
	return row->handle(c, p);
}

/* Those that came early and are now due, each on the connection it came on. */
static void dispatch_held(struct session *s)
{
	struct held *h;

	while (!session_ending(s) && (h = session_next_held(s))) {
		struct conn *c = h->conn;
		struct pdu p = { .bhs = h->bytes, .ahs = h->bytes + BHS_LEN, .ahs_len = h->ahs_len,
				 .data = h->bytes + BHS_LEN + h->ahs_len, .data_len = h->data_len };
		struct verdict v = dispatch(c, &p, p.data_len, false);

		give_back(s, &p, v);
		if (v.act == PDU_REJECT)
			pdu_reject(c, &p, v.reason);
		else if (v.act == PDU_DROP)
			conn_drop(c, v.why);
		g_free(h);
	}
	if (!session_ending(s))
		session_resume(s);
}

/*
 * 4.2.3.2: what acts on many tasks waits for those sent before it, which may still be on the way on other connections
 * even when it is immediate itself.
 */
static bool overtook(const struct conn *c, const struct pdu *p)
{
	return c->session->n_conns > 1 && pdu_opcode(p) == OP_TMF_REQUEST && tmf_acts_on_many(p) &&
	       sn_lt(c->session->exp_cmd_sn, get32(p->bhs + 24)) && sn_le(get32(p->bhs + 24), c->session->max_cmd_sn + 1);
}

bool pdu_stalls(struct conn *c, const uint8_t bhs[BHS_LEN])
{
	return rows[bhs[0] & OPCODE_MASK].numbered && !(bhs[0] & IMMEDIATE_BIT) && session_stalls(c, bhs);
}

struct verdict pdu_handle(struct conn *c, const struct pdu *p, uint32_t avail, bool digest_bad)
{
	const struct pdu_row *row = &rows[pdu_opcode(p)];
	struct verdict v;

	if (c->state < CONN_LOGGED_IN) {
		c->login_cmd_sn = get32(p->bhs + 24);
		return login_on_pdu(c, p);
	}
	c->acked = get32(p->bhs + 28);
	if (c->session->fenced)
		tmf_acked(c->session);
	if (pdu_opcode(p) == OP_LOGIN_REQUEST)
		return VERDICT_REJECT(REJECT_PROTOCOL_ERROR, "login in the full feature phase");
	if (!row->name)
		return VERDICT_REJECT(REJECT_NOT_SUPPORTED, "unknown opcode");
	if (!c->session->nexus && !row->discovery)
		return VERDICT_REJECT(REJECT_PROTOCOL_ERROR, "not in a discovery session");	/* 4.3 */
	/*
	 * 7.8: a PDU whose data cannot be trusted is rejected and forgotten, its CmdSN too: so it can be sent again.  Of
	 * Data-Out, the command has to end.
	 */
	if (digest_bad && pdu_opcode(p) != OP_DATA_OUT)
		return VERDICT_REJECT(REJECT_DATA_DIGEST, "data digest error");
	if (row->numbered && !pdu_immediate(p)) {
		uint32_t sn = get32(p->bhs + 24);

		/* 4.2.2.1: outside the window it is ignored, inside it waits for those before it. */
		if (sn_lt(sn, c->session->exp_cmd_sn) || sn_lt(c->session->max_cmd_sn, sn))
			return VERDICT_OK;
		if (sn != c->session->exp_cmd_sn)
			return session_hold(c, p);
		c->session->exp_cmd_sn++;
	}
	if (row->numbered && pdu_immediate(p) && overtook(c, p))
		return session_hold(c, p);
	v = dispatch(c, p, avail, digest_bad);
	give_back(c->session, p, v);
	if (session_disordered(c->session))
		dispatch_held(c->session);
	return v;
}
