/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - Text Requests in the full feature phase, and answers longer than a PDU (RFC 7143 11.10, 11.11). */
#include "config.h"
#include <pthread.h>
#include "iscsi/acl.h"
#include "iscsi/session.h"
#include "iscsi/text.h"

/* Any value but TAG_NONE: a connection has one exchange at a time, so all that matters is that the next differs. */
#define TTT_MASK 0x7fffffffu

struct text {
	struct negotiation keys;
	uint32_t itt, ttt;
	GByteArray *in;		/* until C is 0 */
	GByteArray *out;
	uint32_t out_at;	/* sent of it */
};

static struct text *text_new(struct conn *c, const struct pdu *p, uint32_t ttt)
{
	struct text *t = g_new0(struct text, 1);
	const struct params *offer = &params_offered;

	negotiation_init(&t->keys, offer, PHASE_FULL);
	t->keys.agreed = c->params;
	t->keys.started = true;
	t->keys.discovery = !c->session->target;
	t->itt = get32(p->bhs + 16);
	t->ttt = ttt & TTT_MASK;
	t->in = g_byte_array_new();
	t->out = g_byte_array_new();
	return t;
}

void text_free(struct text *t)
{
	if (!t)
		return;
	negotiation_clear(&t->keys);
	g_byte_array_unref(t->in);
	g_byte_array_unref(t->out);
	g_free(t);
}

static struct verdict give_up(struct conn *c, enum reject_reason reason, const char *why)
{
	text_free(c->text);
	c->text = NULL;
	return VERDICT_REJECT(reason, why);
}

/* RFC 7143 appendix C: who may ask for what. */
static void answer_send_targets(struct conn *c, struct text *t)
{
	const char *asked = t->keys.said[SAID_SEND_TARGETS], *name = asked;
	bool all = !strcmp(asked, "All");
	g_autoptr(GByteArray) found = NULL;

	if (c->session->target) {	/* a normal session hears of its own target alone */
		if (!*asked)
			name = c->session->target->name;
		if (strcmp(name, c->session->target->name))
			name = NULL;
	} else if (!*asked) {
		name = NULL;
	}
	if (!name) {
		keys_append(t->out, "SendTargets", "Reject");
		return;
	}
	found = node_send_targets(c->node, all ? NULL : name, &(struct acl_who){ c->session->initiator, c->from, c->portal }, &c->local);
	g_byte_array_append(t->out, found->data, found->len);
}

/*
 * What this target takes in a PDU may have changed since it was told (11.9.1, event 4).  More is taken at once; less
 * is what the initiator sends as soon as it has read this, and what it sends before is taken as ever.
 */
static void tell_changes(struct conn *c, struct text *t)
{
	struct node_target *target = c->session->target;
	uint32_t now;

	if (!target)
		return;
	pthread_mutex_lock(&c->node->lock);
	now = target->offer.max_recv_dsl;
	pthread_mutex_unlock(&c->node->lock);
	if (now == c->told_dsl)
		return;
	keys_append_number(t->out, "MaxRecvDataSegmentLength", now);
	c->told_dsl = now;
	c->params.max_recv_dsl = MAX(c->params.max_recv_dsl, now);
}

/* All of a text is there.  NULL or what is wrong with it. */
static const char *negotiate(struct conn *c, struct text *t)
{
	const char *why = keys_negotiate(&t->keys, (const char *)t->in->data, t->in->len, t->out);

	if (why)
		return why;
	g_byte_array_set_size(t->in, 0);
	if (t->keys.said[SAID_SEND_TARGETS]) {
		answer_send_targets(c, t);
		g_clear_pointer(&t->keys.said[SAID_SEND_TARGETS], g_free);
	}
	tell_changes(c, t);
	return NULL;
}

/*
 * Send what fits; the exchange ends with the last of it when the initiator is through as well.  What was agreed holds
 * from then on (6.4), so that an exchange that is reset has changed nothing; but no PDU is longer than what was declared.
 */
static void respond(struct conn *c, struct text *t, bool final)
{
	uint32_t most = MIN(c->params.peer_max_recv_dsl, t->keys.agreed.peer_max_recv_dsl);
	uint32_t len = MIN(t->out->len - t->out_at, most);
	bool rest = t->out_at + len < t->out->len;
	uint8_t bhs[BHS_LEN] = { OP_TEXT_RESPONSE };

	final &= !rest;
	bhs[1] = final ? FINAL_BIT : rest ? CONTINUE_BIT : 0;
	put32(bhs + 16, t->itt);
	t->ttt = (t->ttt + 1) & TTT_MASK;
	put32(bhs + 20, final ? TAG_NONE : t->ttt);
	conn_stamp(c, bhs, true);
	conn_send(c, bhs, t->out->data ? t->out->data + t->out_at : NULL, len);
	t->out_at += len;
	if (!rest) {
		g_byte_array_set_size(t->out, 0);
		t->out_at = 0;
	}
	if (final) {
		c->params.peer_max_recv_dsl = t->keys.agreed.peer_max_recv_dsl;
		text_free(t);
		c->text = NULL;
	}
}

/* The exchange this request belongs to: a new one, or the one under way.  NULL: neither. */
static struct text *exchange_of(struct conn *c, const struct pdu *p)
{
	uint32_t ttt = get32(p->bhs + 20), last = c->text ? c->text->ttt : 0;

	if (ttt == TAG_NONE) {		/* a reset, if there was one */
		text_free(c->text);
		c->text = text_new(c, p, last);
	} else if (c->text && (ttt != c->text->ttt || get32(p->bhs + 16) != c->text->itt)) {
		return NULL;
	}
	return c->text;
}

struct verdict text_on_pdu(struct conn *c, const struct pdu *p)
{
	bool final = p->bhs[1] & FINAL_BIT, more = p->bhs[1] & CONTINUE_BIT;
	struct text *t;

	if (get32(p->bhs + 16) == TAG_NONE)
		return VERDICT_REJECT(REJECT_PROTOCOL_ERROR, "a Text Request with the reserved ITT");
	if (final && more)
		return give_up(c, REJECT_PROTOCOL_ERROR, "a Text Request with both F and C");
	t = exchange_of(c, p);
	if (!t)
		return give_up(c, REJECT_PROTOCOL_ERROR, "a Text Request of no exchange under way");
	if (t->out_at < t->out->len) {
		if (p->data_len || more)
			return give_up(c, REJECT_PROTOCOL_ERROR, "text while an answer is under way");
	} else if (t->in->len + p->data_len > KEYS_TEXT_MAX) {
		return give_up(c, REJECT_PROTOCOL_ERROR, "too much text");
	} else {
		const char *why = NULL;

		g_byte_array_append(t->in, p->data, p->data_len);
		if (!more)
			why = negotiate(c, t);
		if (why)
			return give_up(c, REJECT_PROTOCOL_ERROR, why);
	}
	respond(c, t, final);
	return VERDICT_OK;
}
