/* SPDX-License-Identifier: Apache-2.0 */
/* order.c - a session's commands in the order of their CmdSN, from all of its connections (RFC 7143 4.2.2.1). */
#include "config.h"
#include "iscsi/session.h"

#define HELD_MAX (1u << 20)	/* bytes of PDUs kept out of order */
#define HELD_FEW (64u << 10)	/* the same, when all sessions together have too many */

/* ---- what came early ---- */

static void count_held(struct session *s, size_t more, size_t less)
{
	s->held_bytes += more - less;
	s->node->memory[reactor_index(s->reactor)].held += more - less;
}

static bool may_hold(const struct session *s, size_t more)
{
	const struct node *n = s->node;

	if (s->held_bytes + more > HELD_MAX)
		return false;
	return s->held_bytes + more <= HELD_FEW ||
	       n->memory[reactor_index(s->reactor)].held + more <= n->max_held / n->engine->n_reactors;
}

static void free_held(struct session *s, struct held *h)
{
	count_held(s, 0, BHS_LEN + h->ahs_len + h->data_len);
	g_free(h);
}

/* An immediate one goes before that which takes its CmdSN. */
struct verdict session_hold(struct conn *c, const struct pdu *p)
{
	struct session *s = c->session;
	size_t len = BHS_LEN + p->ahs_len + p->data_len;
	uint32_t sn = get32(p->bhs + 24);
	struct held **at = &s->held;
	struct held *h;

	while (*at && (sn_lt((*at)->cmd_sn, sn) || ((*at)->cmd_sn == sn && (*at)->immediate)))
		at = &(*at)->next;
	if (*at && (*at)->cmd_sn == sn && !pdu_immediate(p))
		return VERDICT_OK;	/* a retry of one we have */
	if (!may_hold(s, len))
		return VERDICT_DROP("too many commands out of order");
	h = g_malloc(sizeof *h + len);
	*h = (struct held){ .next = *at, .conn = c, .cmd_sn = sn, .ahs_len = p->ahs_len, .data_len = p->data_len,
			    .immediate = pdu_immediate(p) };
	memcpy(h->bytes, p->bhs, BHS_LEN);
	memcpy(h->bytes + BHS_LEN, p->ahs, p->ahs_len);
	memcpy(h->bytes + BHS_LEN + p->ahs_len, p->data, p->data_len);
	*at = h;
	count_held(s, len, 0);
	return VERDICT_OK;
}

bool session_skip(struct session *s, uint32_t cmd_sn, uint32_t itt)
{
	struct held **at = &s->held;
	struct held *h;

	if (sn_lt(cmd_sn, s->exp_cmd_sn) || sn_lt(s->max_cmd_sn, cmd_sn))
		return false;
	while (*at && (sn_lt((*at)->cmd_sn, cmd_sn) || ((*at)->cmd_sn == cmd_sn && (*at)->immediate)))
		at = &(*at)->next;
	if (!*at || (*at)->cmd_sn != cmd_sn) {
		h = g_malloc0(sizeof *h + BHS_LEN);
		h->next = *at;
		h->cmd_sn = cmd_sn;
		*at = h;
		count_held(s, BHS_LEN, 0);
	} else if (get32((*at)->bytes + 16) != itt) {
		return false;
	}
	(*at)->skip = true;
	return true;
}

struct held *session_next_held(struct session *s)
{
	while (s->held && sn_le(s->held->cmd_sn, s->exp_cmd_sn)) {
		struct held *h = s->held;

		s->exp_cmd_sn += !h->immediate;
		s->held = h->next;
		if (!h->skip) {
			count_held(s, 0, BHS_LEN + h->ahs_len + h->data_len);
			return h;
		}
		free_held(s, h);
	}
	return NULL;
}

void session_drop_held(struct session *s, const struct conn *c)
{
	struct held **at = &s->held;

	while (*at) {
		struct held *h = *at;

		if (c && h->conn != c) {
			at = &h->next;
			continue;
		}
		*at = h->next;
		free_held(s, h);
	}
}

/* ---- connections that wait for the CmdSNs of others ---- */

/*
 * A command whose data follows in PDUs of its own cannot be put aside alone, and there is a limit to what can be.  With
 * one connection the missing CmdSN could only be behind it.
 */
bool session_stalls(struct conn *c, const uint8_t bhs[BHS_LEN])
{
	struct session *s = c->session;
	uint32_t sn = get32(bhs + 24);
	bool data_follows = (bhs[0] & OPCODE_MASK) == OP_SCSI_COMMAND && !(bhs[1] & FINAL_BIT);

	if (sn_le(sn, s->exp_cmd_sn) || sn_lt(s->max_cmd_sn, sn))
		return false;
	if (!data_follows && may_hold(s, BHS_LEN + AHS_MAX + get24(bhs + 5)))
		return false;
	c->stalled = c->paused = true;
	c->stalled_sn = sn;
	s->n_stalled++;
	return true;
}

void session_unstall(struct conn *c)
{
	if (c->stalled)
		c->session->n_stalled--;
	c->stalled = false;
}

static struct conn *stalled_and_due(const struct session *s)
{
	struct conn *c = s->conns;

	while (c && !(c->stalled && sn_le(c->stalled_sn, s->exp_cmd_sn)))
		c = c->mate;
	return c;
}

static void resume(struct defer *d)
{
	struct session *s = container_of(d, struct session, resume);
	struct conn *c;

	while (!session_ending(s) && (c = stalled_and_due(s))) {
		session_unstall(c);
		conn_resume(c);
	}
}

void session_resume(struct session *s)
{
	if (s->n_stalled)
		reactor_defer(s->reactor, &s->resume);
}

void session_order_init(struct session *s)
{
	s->resume.run = resume;
}
