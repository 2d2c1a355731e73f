/* SPDX-License-Identifier: Apache-2.0 */
/* login.c - the login phase: stages, rounds, and the status of every refusal (RFC 7143 6.3, 11.12, 11.13). */
#include "config.h"
#include <pthread.h>
#include "engine/log.h"
#include "engine/probes.h"
#include "iscsi/acl.h"
#include "iscsi/auth.h"
#include "iscsi/count.h"
#include "iscsi/login.h"
#include "iscsi/redirect.h"
#include "iscsi/session.h"

#define LOG_DOMAIN LOGD_LOGIN

/* Until the full feature phase no PDU is larger (RFC 7143 13.12: the default). */
#define LOGIN_DSL 8192u

/* RFC 7143 11.12.3 */
enum stage { STAGE_SECURITY = 0, STAGE_OPERATIONAL = 1, STAGE_FULL = 3, STAGE_COUNT };
enum { TRANSIT_BIT = 0x80 };

static const struct {
	enum key_phase phase;
	uint8_t next;		/* a bit for each stage that may follow */
} stages[STAGE_COUNT] = {
	[STAGE_SECURITY] = { PHASE_SECURITY, 1 << STAGE_OPERATIONAL | 1 << STAGE_FULL },
	[STAGE_OPERATIONAL] = { PHASE_OPERATIONAL, 1 << STAGE_FULL },
};

/* A refusal: what goes on the wire and what goes to the log. */
struct refusal {
	enum login_status status;
	const char *why;		/* NULL: none */
};
#define ACCEPTED ((struct refusal){ LOGIN_SUCCESS, NULL })
#define REFUSE(s, w) ((struct refusal){ (s), (w) })

struct login {
	struct conn *conn;
	struct negotiation keys;
	struct params offer;		/* the target's, as it was when it was found */
	struct node *node;
	struct node_target *target;	/* a reference; NULL: discovery, or not known yet */
	uint8_t isid[6];
	uint16_t tsih, cid;		/* of the first request */
	uint32_t itt, cmd_sn;
	enum stage stage, wanted;	/* wanted: where the request being answered wants to go, or stage */
	bool introduced;		/* its names are known and good */
	bool declared;			/* our MaxRecvDataSegmentLength */
	uint16_t tpgt;			/* told, with told_tag */
	bool told_tag;
	bool stays;			/* redirect_login() was asked */
	bool refused;
	GByteArray *in;			/* text until C is 0 */
	GByteArray *out;		/* answers not yet sent */
	struct auth_login *auth;	/* NULL: it need not authenticate, or its target is not known yet */
	struct refusal answer;		/* what the answer under way says, */
	bool full;			/* and whether it ends the login */
	struct timer brake;		/* that answer waits */
};

/* Bytes of the request, RFC 7143 11.12 */
static uint8_t csg(const struct pdu *p) { return p->bhs[1] >> 2 & 3; }
static uint8_t nsg(const struct pdu *p) { return p->bhs[1] & 3; }
static bool transit(const struct pdu *p) { return p->bhs[1] & TRANSIT_BIT; }
static bool more(const struct pdu *p) { return p->bhs[1] & CONTINUE_BIT; }

static void brake_expired(struct timer *t);

static struct login *login_new(struct conn *c, const struct pdu *p)
{
	struct login *l = g_new0(struct login, 1);

	l->conn = c;
	l->node = c->node;
	l->brake.expired = brake_expired;
	l->offer = params_offered;
	negotiation_init(&l->keys, &l->offer, PHASE_SECURITY);
	memcpy(l->isid, p->bhs + 8, sizeof l->isid);
	l->tsih = get16(p->bhs + 14);
	l->itt = get32(p->bhs + 16);
	l->cid = get16(p->bhs + 20);
	l->cmd_sn = get32(p->bhs + 24);
	l->stage = csg(p);
	l->in = g_byte_array_new();
	l->out = g_byte_array_new();
	return l;
}

void login_free(struct login *l)
{
	if (!l)
		return;
	if (l->target)
		node_target_unref(l->node, l->target);
	reactor_timer_cancel(l->conn->reactor, &l->brake);
	auth_login_free(l->auth);
	negotiation_clear(&l->keys);
	g_byte_array_unref(l->in);
	g_byte_array_unref(l->out);
	g_free(l);
}

bool login_under_way(const struct login *l)
{
	return l && !l->refused;
}

/* Who says to be there, and to want what. */
static struct log_fields fields(const struct conn *c, const struct login *l)
{
	return (struct log_fields){ .target = l->keys.said[SAID_TARGET_NAME],
				    .initiator = l->keys.said[SAID_INITIATOR_NAME], .conn = c->peer };
}

static const char *quoted(char buf[LOG_QUOTED], const char *text)
{
	return text ? log_quote(buf, LOG_QUOTED, text, strlen(text)) : "(no name)";
}

/* The one this request adds its connection to, as long as it is there. */
static const struct session *session_of(const struct login *l)
{
	return l->tsih && l->target ? session_named(l->node, l->target, l->tsih, l->isid, l->keys.said[SAID_INITIATOR_NAME]) :
	       NULL;
}

/* Fields every Login Response has; StatSN is the connection's, CmdSNs those of the session if there is one. */
static void response_init(struct conn *c, const struct login *l, uint8_t bhs[BHS_LEN])
{
	const struct session *s = session_of(l);

	memset(bhs, 0, BHS_LEN);
	bhs[0] = OP_LOGIN_RESPONSE;
	memcpy(bhs + 8, l->isid, sizeof l->isid);
	put16(bhs + 14, l->tsih);
	put32(bhs + 16, l->itt);
	put32(bhs + 24, c->stat_sn);
	put32(bhs + 28, s ? s->exp_cmd_sn : l->cmd_sn);
	put32(bhs + 32, s ? s->max_cmd_sn : l->cmd_sn);
}

static void refuse(struct conn *c, struct login *l, struct refusal r)
{
	char who[LOG_QUOTED], to[LOG_QUOTED], user[LOG_QUOTED];
	const char *name = auth_login_user(l->auth);
	const char *target = l->keys.said[SAID_TARGET_NAME];
	uint8_t bhs[BHS_LEN];

	if (node_tells(c->node, GOTGT_LOG_WARNING))
		log_warning_of(fields(c, l), "%s: login of %s%s%s%s%s refused: %s (%04x)", c->peer,
			       quoted(who, l->keys.said[SAID_INITIATOR_NAME]), target ? " to " : "",
			       target ? quoted(to, target) : "", name ? " as " : "", name ? quoted(user, name) : "", r.why, r.status);
	l->refused = true;
	count_login(c, STATS_LOGIN_FAILURES);
	response_init(c, l, bhs);
	put16(bhs + 36, r.status);
	c->stat_sn++;
	conn_send(c, bhs, NULL, 0);
	conn_finish(c);
}

/* 13.12: what the initiator declared holds for its login too, when it is less. */
static uint32_t response_max(const struct login *l)
{
	return MIN(LOGIN_DSL, l->keys.agreed.peer_max_recv_dsl);
}

/* Send what fits of the answers; moves to the next stage when all are out and the initiator wants to. */
static void respond(struct conn *c, struct login *l)
{
	uint32_t len = MIN(l->out->len, response_max(l));
	bool rest = len < l->out->len;
	uint8_t bhs[BHS_LEN];

	response_init(c, l, bhs);
	bhs[1] = (uint8_t)(l->stage << 2 | (rest ? CONTINUE_BIT : 0));
	if (!rest && l->wanted != l->stage) {
		bhs[1] |= (uint8_t)(TRANSIT_BIT | l->wanted);
		l->stage = l->wanted;
	}
	c->stat_sn++;
	conn_send(c, bhs, l->out->data, len);
	g_byte_array_remove_range(l->out, 0, len);
}

/* The one response the session's numbers ride on; digests are for what is queued after it. */
static void respond_last(struct conn *c, struct login *l)
{
	uint8_t bhs[BHS_LEN];

	response_init(c, l, bhs);
	bhs[1] = (uint8_t)(TRANSIT_BIT | l->stage << 2 | STAGE_FULL);
	put16(bhs + 14, c->session->tsih);
	conn_stamp(c, bhs, true);
	conn_send(c, bhs, l->out->data, l->out->len);
	c->params = l->keys.agreed;
	if (!l->tsih)
		c->session->params = c->params;
	c->told_dsl = c->params.max_recv_dsl;
	c->header_digest = c->params.header_digest == DIGEST_CRC32C;
	c->data_digest = c->params.data_digest == DIGEST_CRC32C;
	conn_logged_in(c);
}

/* session_establish() has an answer. */
static void established(struct conn *c, enum login_status status)
{
	struct login *l = c->login;
	char who[LOG_QUOTED], to[LOG_QUOTED];

	static const struct refusal reasons[] = {
		{ LOGIN_UNAVAILABLE, "another initiator has the target" }, { LOGIN_OUT_OF_RESOURCES, "too many sessions" },
		{ LOGIN_FORBIDDEN, "it is not among those admitted" },
	};
	const char *why = "no session for it";

	for (unsigned i = 0; i < G_N_ELEMENTS(reasons); i++)
		if (reasons[i].status == status)
			why = reasons[i].why;
	if (status != LOGIN_SUCCESS) {
		refuse(c, l, REFUSE(status, why));
		return;
	}
	respond_last(c, l);
	PROBE3(session__login, c->session->tsih, c->session->initiator, l->keys.said[SAID_TARGET_NAME]);
	if (!node_tells(c->node, GOTGT_LOG_INFO))
		;
	else if (l->keys.discovery)
		log_info_of(fields(c, l), "%s: %s is in a discovery session", c->peer,
			    quoted(who, l->keys.said[SAID_INITIATOR_NAME]));
	else
		log_info_of(fields(c, l), "%s: %s is logged in to %s", c->peer,
			    quoted(who, l->keys.said[SAID_INITIATOR_NAME]), quoted(to, l->keys.said[SAID_TARGET_NAME]));
	c->login = NULL;
	login_free(l);
}

/* May end the login, and l with it. */
static void establish(struct conn *c, struct login *l)
{
	struct session_open open = {
		.initiator = l->keys.said[SAID_INITIATOR_NAME], .initiator_alias = l->keys.said[SAID_INITIATOR_ALIAS],
		.tsih = l->tsih, .cid = l->cid, .cmd_sn = l->cmd_sn, .tpgt = l->tpgt,
		.target = g_steal_pointer(&l->target),
	};

	memcpy(open.isid, l->isid, sizeof open.isid);
	c->cid = l->cid;
	session_establish(c, &open, established);
}

/* The session this request adds its connection to (RFC 7143 6.3.1: TSIH not 0).  What it agreed on holds here too. */
static struct refusal join(struct login *l)
{
	struct negotiation *n = &l->keys;
	const struct session *s = session_of(l);

	if (!s)
		return REFUSE(LOGIN_NO_SESSION, "there is no session of its TSIH");
	n->leading = false;
	n->agreed = s->params;
	n->agreed.header_digest = params_initial.header_digest;
	n->agreed.data_digest = params_initial.data_digest;
	n->agreed.peer_max_recv_dsl = params_initial.peer_max_recv_dsl;
	n->agreed.max_recv_dsl = l->offer.max_recv_dsl;
	return ACCEPTED;
}

static struct refusal find_target(struct conn *c, struct login *l)
{
	bool removed = false, admitted;

	l->target = node_find_target(c->node, l->keys.said[SAID_TARGET_NAME], c->portal, &removed);
	if (!l->target)
		return removed ? REFUSE(LOGIN_REMOVED, "the target was removed") :
		       REFUSE(LOGIN_NOT_FOUND, "no such target here");
	pthread_mutex_lock(&c->node->lock);	/* node_update_target(), node_set_access() */
	l->offer = l->target->offer;
	admitted = acl_admits(l->target->acl, &(struct acl_who){ l->keys.said[SAID_INITIATOR_NAME], c->from, c->portal }, NULL);
	pthread_mutex_unlock(&c->node->lock);
	if (!admitted)
		return REFUSE(LOGIN_FORBIDDEN, "it is not among those admitted");
	l->keys.agreed.max_recv_dsl = l->offer.max_recv_dsl;
	return ACCEPTED;
}

/* Who is it, and to where?  The first request says so, RFC 7143 6.3. */
static struct refusal introduce(struct conn *c, struct login *l)
{
	struct negotiation *n = &l->keys;
	const char *type;

	keys_introduce(n, (const char *)l->in->data, l->in->len);
	type = n->said[SAID_SESSION_TYPE];
	if (!n->said[SAID_INITIATOR_NAME])
		return REFUSE(LOGIN_MISSING_PARAMETER, "no InitiatorName");
	if (keys_name_wrong(n->said[SAID_INITIATOR_NAME]))
		return REFUSE(LOGIN_INITIATOR_ERROR, "InitiatorName is not an iSCSI name");
	if (type && !n->discovery && strcmp(type, "Normal"))
		return REFUSE(LOGIN_SESSION_TYPE, "SessionType is neither Normal nor Discovery");
	if (!n->discovery) {
		struct refusal r;

		if (!n->said[SAID_TARGET_NAME])
			return REFUSE(LOGIN_MISSING_PARAMETER, "no TargetName");
		r = find_target(c, l);
		if (r.why)
			return r;
	}
	if (l->tsih) {
		struct refusal r = join(l);

		if (r.why)
			return r;
	}
	l->auth = auth_login_new(c->node->guard, node_auth(c->node, n->discovery ? NULL : l->target));
	n->auth_required = l->auth != NULL;
	l->introduced = true;
	return ACCEPTED;
}

/* What we say of ourselves, once each. */
static void declare(const struct conn *c, struct login *l)
{
	if (!l->told_tag && l->target) {	/* RFC 7143 13.9: in the first response */
		char *alias;

		pthread_mutex_lock(&l->node->lock);
		alias = g_strdup(l->target->alias);
		l->tpgt = node_target_tag(l->target, c->portal);
		pthread_mutex_unlock(&l->node->lock);
		keys_append_number(l->out, "TargetPortalGroupTag", l->tpgt);
		if (alias && *alias)
			keys_append(l->out, "TargetAlias", alias);
		g_free(alias);
	}
	l->told_tag = true;
	if (!l->declared && (l->stage == STAGE_OPERATIONAL || l->wanted == STAGE_FULL)) {
		keys_append_number(l->out, "MaxRecvDataSegmentLength", l->offer.max_recv_dsl);
		l->declared = true;
	}
}

/* All of a text is there: answer it. */
static struct refusal negotiate(struct conn *c, struct login *l)
{
	struct chap_verdict auth;
	const char *why;

	if (!l->introduced) {
		struct refusal r = introduce(c, l);

		if (r.why)
			return r;
	}
	l->keys.phase = stages[l->stage].phase;
	why = keys_negotiate(&l->keys, (const char *)l->in->data, l->in->len, l->out);
	if (why)
		return REFUSE(LOGIN_INITIATOR_ERROR, why);
	if (l->keys.auth_failed)
		return REFUSE(LOGIN_AUTH_FAILURE, "no authentication method in common");
	auth = auth_on_text(l->auth, &l->keys, l->out);
	if (auth.why)
		return REFUSE(auth.status, auth.why);
	declare(c, l);
	g_byte_array_set_size(l->in, 0);
	why = l->wanted == STAGE_FULL ? keys_check(&l->keys) : NULL;
	return why ? REFUSE(LOGIN_INITIATOR_ERROR, why) : ACCEPTED;
}

/* Is this request one of this login, and in order? */
static struct refusal check(const struct login *l, const struct pdu *p)
{
	if (p->bhs[3] != 0)	/* Version-min; there is no version but 0 */
		return REFUSE(LOGIN_VERSION, "it speaks no version we do");
	if (p->ahs_len)
		return REFUSE(LOGIN_INVALID_REQUEST, "an additional header in a login");
	if (get32(p->bhs + 16) != l->itt || get16(p->bhs + 20) != l->cid || get16(p->bhs + 14) != l->tsih ||
	    memcmp(p->bhs + 8, l->isid, sizeof l->isid))
		return REFUSE(LOGIN_INVALID_REQUEST, "ITT, CID, ISID or TSIH changed");
	if (csg(p) != l->stage || l->stage >= STAGE_COUNT || !stages[l->stage].next)
		return REFUSE(LOGIN_INVALID_REQUEST, "the wrong current stage");
	if (transit(p) && (more(p) || !(stages[l->stage].next & 1 << nsg(p))))
		return REFUSE(LOGIN_INVALID_REQUEST, "a transition that there is not");
	if (l->out->len && (p->data_len || more(p)))
		return REFUSE(LOGIN_INVALID_REQUEST, "text while answers are under way");
	if (l->in->len + p->data_len > KEYS_TEXT_MAX)
		return REFUSE(LOGIN_OUT_OF_RESOURCES, "too much text");
	return ACCEPTED;
}

/* Only who has authenticated leaves the security stage. */
static struct refusal may_go(struct login *l)
{
	bool wait;
	struct chap_verdict v = auth_gate(l->auth, l->stage == STAGE_SECURITY, l->wanted != l->stage, &wait);

	if (wait)	/* T is an offer, and 0 the answer: RFC 7143 11.12.1 */
		l->wanted = l->stage;
	return v.why ? REFUSE(v.status, v.why) : ACCEPTED;
}

/*
 * Is it sent elsewhere?  As soon as it has said who it is and where it wants to go: the RFC leaves open whether it
 * authenticates first (11.13.5), initiators follow then (libiscsi is at a loss later), and who is sent here has to
 * authenticate there.  A discovery session names no target that could have moved, and a connection that joins a session (TSIH) has
 * to come to where that is.
 */
static bool redirected(struct conn *c, struct login *l)
{
	const struct redirect_who who = { c->portal, &c->from, &c->local, l->keys.said[SAID_INITIATOR_NAME], l->isid };
	char address[ADDRESS_MAX], name[LOG_QUOTED], to[LOG_QUOTED];
	g_autoptr(GByteArray) text = NULL;
	enum login_status status;
	uint8_t bhs[BHS_LEN];

	if (l->stays || l->tsih || !l->introduced || !l->target)
		return false;
	l->stays = true;
	status = redirect_login(c->node, l->target, &who, address);
	if (status == LOGIN_SUCCESS)
		return false;
	log_info_of(fields(c, l), "%s: login of %s to %s is sent to %s (%04x)", c->peer, quoted(name, who.initiator),
		    quoted(to, l->keys.said[SAID_TARGET_NAME]), address, status);
	l->refused = true;
	text = g_byte_array_new();
	keys_append(text, "TargetAddress", address);	/* 13.8: without a portal group tag */
	response_init(c, l, bhs);
	put16(bhs + 36, status);
	c->stat_sn++;
	conn_send(c, bhs, text->data, text->len);
	conn_finish(c);
	return true;
}

static void answer(struct conn *c, struct login *l)
{
	if (l->answer.why)
		refuse(c, l, l->answer);
	else if (redirected(c, l))
		return;
	else if (l->full)
		establish(c, l);
	else
		respond(c, l);
}

static void brake_expired(struct timer *t)
{
	struct conn *c = container_of(t, struct login, brake)->conn;

	if (c->state == CONN_CLOSING)
		return;
	c->paused = false;
	answer(c, c->login);
	if (!c->paused)		/* by session_establish() */
		conn_resume(c);
}

/* What a response was worth is told at once to whom has not failed, later to who has: the answer waits. */
static bool brake(struct conn *c, struct login *l)
{
	struct sockaddr_storage from = { 0 };
	socklen_t len = sizeof from;
	uint64_t now_ms = reactor_now_ms(c->reactor);
	uint32_t ms;

	if (!auth_login_tried(l->auth) || getpeername(c->watch.fd, (struct sockaddr *)&from, &len) < 0)
		return false;
	ms = auth_delay_ms(c->node->guard, &from, now_ms);
	if (l->answer.why)
		auth_failed(c->node->guard, &from, now_ms);
	else
		auth_succeeded(c->node->guard, &from);
	if (!ms)
		return false;
	c->paused = true;
	reactor_timer_set(c->reactor, &l->brake, ms);
	return true;
}

/* A login to a session goes on where that is: it and its connections have one reactor. */
static bool moves(struct conn *c, const struct pdu *p)
{
	uint16_t tsih = get16(p->bhs + 14);
	struct reactor *home = tsih ? session_home(c->node, tsih) : NULL;

	if (!home || home == c->reactor)
		return false;
	conn_move(c, home, p);
	return true;
}

struct verdict login_on_pdu(struct conn *c, const struct pdu *p)
{
	struct login *l = c->login;
	bool sending = l && l->out->len;
	struct refusal r;

	if (pdu_opcode(p) != OP_LOGIN_REQUEST)
		return VERDICT_DROP("a PDU that is no login before the login");
	if (!l && moves(c, p))
		return VERDICT_OK;
	if (!l)
		l = c->login = login_new(c, p);
	if (l->refused)
		return VERDICT_DROP("a login after it was refused");
	if (!conn_event(c, CONN_LOGIN_REQUEST))
		return VERDICT_OK;
	r = check(l, p);
	if (!r.why && !sending) {
		g_byte_array_append(l->in, p->data, p->data_len);
		l->wanted = transit(p) ? nsg(p) : l->stage;
		if (!more(p))
			r = negotiate(c, l);
	} else if (!r.why) {
		l->wanted = transit(p) ? nsg(p) : l->stage;
		if (l->wanted == STAGE_FULL && keys_check(&l->keys))
			r = REFUSE(LOGIN_INITIATOR_ERROR, keys_check(&l->keys));
	}
	l->answer = r.why ? r : may_go(l);
	l->full = l->wanted == STAGE_FULL && !more(p) && l->out->len <= response_max(l);
	if (!brake(c, l))
		answer(c, l);
	return VERDICT_OK;
}
