/* SPDX-License-Identifier: Apache-2.0 */
/* iscsi-fixture.c - see fixture.h */
#include "config.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include "engine/log.h"
#include "iscsi/auth.h"
#include "iscsi/count.h"
#include "iscsi/redirect.h"
#include "iscsi-fixture.h"

struct seen seen;
struct node node;
struct node_target target, elsewhere;
struct portal portals[3] = { { "192.0.2.1:3260" }, { "0.0.0.0:3261" }, { "[::]:3262" } };
struct session session;
struct conn conn;
char *logged;

void conn_send(struct conn *c, uint8_t bhs[BHS_LEN], const void *data, uint32_t len)
{
	memcpy(seen.bhs, bhs, BHS_LEN);
	g_byte_array_set_size(seen.data, 0);
	g_byte_array_append(seen.data, data, len);
	seen.digests = c->header_digest || c->data_digest;
	seen.count++;
}

void conn_stamp(struct conn *c, uint8_t bhs[BHS_LEN], bool advance)
{
	put32(bhs + 24, c->stat_sn);
	c->stat_sn += advance;
	put32(bhs + 28, session.exp_cmd_sn);
	put32(bhs + 32, session.exp_cmd_sn + 31);
}

bool node_tells(struct node *n, enum gotgt_log_level level)
{
	return true;
}

bool conn_event(struct conn *c, enum conn_event e)
{
	const struct transition *t = conn_transition(c->state, e);

	g_assert_nonnull(t->number);
	c->state = t->next;
	return true;
}

void count_login(struct conn *c, enum stats_count what)
{
	g_assert_cmpint(what, ==, STATS_LOGIN_FAILURES);
	seen.failures++;
}

void conn_logged_in(struct conn *c)
{
	c->state = CONN_LOGGED_IN;
}

/* Nobody has accounts here, so that no answer waits. */
struct auth *node_auth(struct node *n, const struct node_target *t)
{
	return NULL;
}

void reactor_timer_set(struct reactor *r, struct timer *t, uint64_t delay_ms)
{
	g_assert_not_reached();
}

void reactor_timer_cancel(struct reactor *r, struct timer *t)
{
}

uint64_t reactor_now_ms(const struct reactor *r)
{
	return 0;
}

void conn_resume(struct conn *c)
{
	g_assert_not_reached();
}

void conn_finish(struct conn *c)
{
	seen.finished = true;
}

struct node_target *node_find_target(struct node *n, const char *name, const struct portal *p, bool *removed)
{
	struct node_target *t = g_hash_table_lookup(n->targets, name);

	*removed = t && t->removed;
	if (!t || t->removed)
		return NULL;
	t->refs++;
	return t;
}

void node_target_unref(struct node *n, struct node_target *t)
{
	t->refs--;
}

enum login_status redirect_login(struct node *n, struct node_target *t, const struct redirect_who *who, char out[ADDRESS_MAX])
{
	return LOGIN_SUCCESS;
}

const char *portal_advertised(const struct portal *p) { return p->advertise; }
const char *portal_name(const struct portal *p)
{
	return p->name;
}

void session_establish(struct conn *c, const struct session_open *open,
		       void (*ready)(struct conn *c, enum login_status status))
{
	seen.open = *open;
	seen.opened++;
	session.target = open->target;
	session.tsih = 7;
	session.exp_cmd_sn = open->cmd_sn;
	c->session = seen.session_status == LOGIN_SUCCESS ? &session : NULL;
	seen.ready = ready;
	c->paused = seen.session_waits;
	if (!seen.session_waits)
		ready(c, seen.session_status);
}

struct reactor *session_home(struct node *n, uint16_t tsih)
{
	return NULL;
}

struct session *session_named(struct node *n, const struct node_target *t, uint16_t tsih, const uint8_t isid[6],
			      const char *initiator)
{
	for (GList *l = t->sessions; l; l = l->next) {
		struct session *s = l->data;

		if (s->tsih == tsih && !memcmp(s->isid, isid, sizeof s->isid) && !strcmp(s->initiator, initiator))
			return s;
	}
	return NULL;
}

void conn_move(struct conn *c, struct reactor *to, const struct pdu *p)
{
	g_assert_not_reached();
}

static void keep_log(enum gotgt_log_level level, const char *line, void *data)
{
	g_free(logged);
	logged = g_strdup(line);
}

void local_is(int family, const char *addr)
{
	void *at = family == AF_INET ? (void *)&((struct sockaddr_in *)&conn.local)->sin_addr :
		   (void *)&((struct sockaddr_in6 *)&conn.local)->sin6_addr;

	memset(&conn.local, 0, sizeof conn.local);
	conn.local.ss_family = (sa_family_t)family;
	g_assert_cmpint(inet_pton(family, addr, at), ==, 1);
}

/* A connection nobody has said anything on. */
static void connect_anew(void)
{
	login_free(conn.login);
	text_free(conn.text);
	memset(&conn, 0, sizeof conn);
	conn.node = &node;
	conn.portal = &portals[0];
	conn.state = CONN_XPT_UP;
	conn.params = params_initial;
	conn.stat_sn = 100;
	g_strlcpy(conn.peer, "192.0.2.9:1234", sizeof conn.peer);
	local_is(AF_INET, "192.0.2.1");
	if (session.target)
		session.target->refs--;
	memset(&session, 0, sizeof session);
	seen.count = seen.opened = seen.failures = 0;
	seen.finished = seen.session_waits = seen.digests = false;
	seen.session_status = LOGIN_SUCCESS;
	g_list_free(target.sessions);
	target.sessions = NULL;
	target.offer = params_offered;
	target.removed = false;
	g_clear_pointer(&logged, g_free);
}

uint8_t login_bhs[BHS_LEN];

static void login_bhs_init(void)
{
	static const uint8_t isid[6] = { 0x80, 1, 2, 3, 4, 5 };

	memset(login_bhs, 0, sizeof login_bhs);
	login_bhs[0] = OP_LOGIN_REQUEST | IMMEDIATE_BIT;
	memcpy(login_bhs + 8, isid, sizeof isid);
	put32(login_bhs + 16, 0x1234);
	put16(login_bhs + 20, 1);
	put32(login_bhs + 24, 500);
}

struct verdict give(pdu_handler *handler, uint8_t *bhs, uint8_t flags, const char *pairs)
{
	g_autofree char *text = g_strdelimit(g_strdup(pairs), ";", '\0');
	struct pdu p = { .bhs = bhs, .data = (const uint8_t *)text, .data_len = (uint32_t)strlen(pairs) };

	bhs[1] = flags;
	return handler(&conn, &p);
}

void login(uint8_t flags, const char *pairs)
{
	struct verdict v = give(login_on_pdu, login_bhs, flags, pairs);

	g_assert_cmpint(v.act, ==, PDU_OK);
}

/* The text of the last response, ';' for NUL. */
char *said(void)
{
	char *text = g_malloc(seen.data->len + 1);

	for (guint i = 0; i < seen.data->len; i++)
		text[i] = seen.data->data[i] ? (char)seen.data->data[i] : ';';
	text[seen.data->len] = '\0';
	return text;
}

void expect(uint8_t flags, const char *text)
{
	g_autofree char *got = said();

	g_assert_cmphex(get16(seen.bhs + 36), ==, LOGIN_SUCCESS);
	g_assert_cmphex(seen.bhs[0], ==, OP_LOGIN_RESPONSE);
	g_assert_cmphex(seen.bhs[1], ==, flags);
	g_assert_cmphex(get32(seen.bhs + 16), ==, get32(login_bhs + 16));
	g_assert_cmpmem(seen.bhs + 8, 6, login_bhs + 8, 6);
	g_assert_cmpuint(get32(seen.bhs + 24), ==, 99 + seen.count);
	g_assert_cmpuint(conn.stat_sn, ==, 100 + seen.count);
	g_assert_cmpuint(get32(seen.bhs + 28), ==, 500);
	g_assert_cmpstr(got, ==, text);
	g_assert_false(seen.finished);
}

void expect_refusal(enum login_status status)
{
	g_assert_cmphex(get16(seen.bhs + 36), ==, status);
	g_assert_cmphex(seen.bhs[0], ==, OP_LOGIN_RESPONSE);
	g_assert_cmphex(seen.bhs[1] & 0x80, ==, 0);
	g_assert_cmphex(get32(seen.bhs + 16), ==, get32(login_bhs + 16));
	g_assert_cmpuint(seen.data->len, ==, 0);
	g_assert_cmpuint(get32(seen.bhs + 24), ==, 99 + seen.count);
	g_assert_true(seen.finished);
	g_assert_cmpint(conn.state, !=, CONN_LOGGED_IN);
	g_assert_nonnull(strstr(logged, "refused"));
}

void begin(void)
{
	connect_anew();
	login_bhs_init();
}

void set_up(void)
{
	static char disk[] = DISK, other[] = "iqn.elsewhere", alias[] = "a disk";

	seen.data = g_byte_array_new();
	node.targets = g_hash_table_new(g_str_hash, g_str_equal);
	node.by_name = g_sequence_new(NULL);
	node.portals = g_ptr_array_new();
	for (unsigned i = 0; i < G_N_ELEMENTS(portals); i++)
		g_ptr_array_add(node.portals, &portals[i]);
	target = (struct node_target){ .name = disk, .alias = alias, .portals = g_ptr_array_new(),
				       .offer = params_offered,
				       .tags = g_array_new(FALSE, FALSE, sizeof(struct portal_tag)) };
	elsewhere = (struct node_target){ .name = other, .portals = g_ptr_array_new(),
					  .offer = params_offered,
					  .tags = g_array_new(FALSE, FALSE, sizeof(struct portal_tag)) };
	for (unsigned i = 0; i < G_N_ELEMENTS(portals); i++) {
		struct portal_tag tag = { &portals[i], 3 };

		g_array_append_val(target.tags, tag);
	}
	g_ptr_array_add(elsewhere.portals, &portals[1]);
	g_hash_table_insert(node.targets, disk, &target);
	g_hash_table_insert(node.targets, other, &elsewhere);
	g_sequence_insert_sorted(node.by_name, &target, node_by_name, NULL);
	g_sequence_insert_sorted(node.by_name, &elsewhere, node_by_name, NULL);
	log_set_sink(keep_log, NULL);
}

void tear_down(void)
{
	connect_anew();
	g_assert_cmpint(target.refs, ==, 0);
	g_ptr_array_unref(target.portals);
	g_ptr_array_unref(elsewhere.portals);
	g_array_unref(target.tags);
	g_array_unref(elsewhere.tags);
	g_ptr_array_unref(node.portals);
	g_hash_table_unref(node.targets);
	g_sequence_free(node.by_name);
	g_byte_array_unref(seen.data);
}
