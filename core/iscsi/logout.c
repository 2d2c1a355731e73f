/* SPDX-License-Identifier: Apache-2.0 */
/* logout.c - a connection or its session ends in good order. */
#include "config.h"
#include "iscsi/async.h"
#include "iscsi/logout.h"
#include "iscsi/session.h"
#include "iscsi/tx.h"

/* RFC 7143 11.14.1, 11.15.1 and 11.9.1 */
enum { CLOSE_SESSION = 0, CLOSE_CONNECTION = 1, REMOVE_FOR_RECOVERY = 2 };
enum { CLOSED = 0, CID_NOT_FOUND = 1, RECOVERY_NOT_SUPPORTED = 2 };

/* One whose answer waits for the commands concerned to be gone. */
struct logout {
	struct abort_job job;
	struct session *session;
	uint32_t asking, leaving;	/* allegiances; leaving 0: all connections */
	uint32_t itt;
};

/* At level 0 nothing is retained (13.16): the state of what is closed is gone when the answer comes. */
static void answer(struct conn *c, uint32_t itt, uint8_t response)
{
	uint8_t bhs[BHS_LEN] = { OP_LOGOUT_RESPONSE, FINAL_BIT, response };

	put32(bhs + 16, itt);
	conn_stamp(c, bhs, true);
	if (response != CID_NOT_FOUND)
		put16(bhs + 40, (uint16_t)c->params.time2wait);
	tx_pdu(c, bhs, NULL, 0, NULL);
}

/* The connections that leave, one at a time; NULL: none is left.  The one that asked is the last. */
static struct conn *next_to_close(const struct logout *l)
{
	if (l->leaving)
		return l->leaving == l->asking ? NULL : session_conn(l->session, l->leaving);
	for (struct conn *c = l->session->conns; c; c = c->mate)
		if (c->allegiance != l->asking)
			return c;
	return NULL;
}

static void finish(struct abort_job *job)
{
	struct logout *l = container_of(job, struct logout, job);
	struct session *s = l->session;
	struct conn *asking = session_conn(s, l->asking), *other;

	while ((other = next_to_close(l)))
		conn_drop(other, NULL);
	if (asking)
		answer(asking, l->itt, CLOSED);
	if (asking && asking->logged_out)
		conn_finish(asking);
	g_free(l);
}

/* 11.14: what it has sent and is not due yet is forgotten, and nothing more is taken from it. */
static void begin(struct session *s, struct conn *c)
{
	if (c->logged_out)	/* it is leaving already */
		return;
	conn_event(c, CONN_LOGOUT_REQUEST);
	c->logged_out = true;
	session_drop_held(s, c);
	session_unstall(c);
	conn_pause(c);
}

struct verdict logout_on_pdu(struct conn *c, const struct pdu *p)
{
	struct session *s = c->session;
	uint8_t reason = p->bhs[1] & 0x7f;
	uint32_t itt = get32(p->bhs + 16);
	struct conn *leaving = reason == CLOSE_SESSION ? c : session_conn_by_cid(s, get16(p->bhs + 20));
	struct logout *l;

	if (reason > REMOVE_FOR_RECOVERY)
		return VERDICT_REJECT(REJECT_INVALID_FIELD, "unknown logout reason");
	if (reason == REMOVE_FOR_RECOVERY || !leaving || leaving->logged_out) {
		answer(c, itt, leaving && !leaving->logged_out ? RECOVERY_NOT_SUPPORTED : CID_NOT_FOUND);
		return VERDICT_OK;
	}
	l = g_new0(struct logout, 1);
	*l = (struct logout){ .session = s, .asking = c->allegiance, .itt = itt, .job.itt = TAG_NONE, .job.gone = finish };
	if (reason == CLOSE_SESSION) {
		for (struct conn *at = s->conns; at; at = at->mate)
			begin(s, at);
	} else {
		l->leaving = l->job.allegiance = leaving->allegiance;
		begin(s, leaving);
	}
	session_abort(s, &l->job);
	return VERDICT_OK;
}

void logout_ask(struct conn *c, uint16_t seconds)
{
	if (conn_event(c, CONN_ASKS_LOGOUT))
		async_send(c, ASYNC_LOGOUT, 0, 0, seconds);
}

void logout_tell_dropped(struct conn *c)
{
	async_send(c, ASYNC_SESSION_DROPPED, 0, (uint16_t)c->params.time2wait, 0);
}
