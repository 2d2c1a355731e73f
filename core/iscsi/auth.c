/* SPDX-License-Identifier: Apache-2.0 */
/* auth.c - accounts, logins that have to show they are theirs, and the brake on guessing. */
#include "config.h"
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include "engine/vault.h"
#include "iscsi/auth.h"

struct auth {
	gint refs;
	uint8_t order[CHAP_ALGORITHMS];
	unsigned n_order;
	GPtrArray *accounts;
};

static void account_free(gpointer data)
{
	struct chap_account *a = data;

	vault_free(a->secret);
	vault_free(a->mutual_secret);
	g_free(a->user);
	g_free(a->mutual_user);
	g_free(a);
}

struct auth *auth_new(const uint8_t *order, unsigned n_order)
{
	struct auth *a = g_new0(struct auth, 1);

	a->refs = 1;
	a->n_order = MIN(n_order, CHAP_ALGORITHMS);
	memcpy(a->order, order, a->n_order);
	a->accounts = g_ptr_array_new_with_free_func(account_free);
	return a;
}

void auth_add(struct auth *a, const char *user, const char *secret, const char *mutual_user, const char *mutual_secret)
{
	struct chap_account *account = g_new0(struct chap_account, 1);

	account->user = g_strdup(user);
	account->secret = vault_strdup(secret);
	account->mutual_user = g_strdup(mutual_user);
	account->mutual_secret = vault_strdup(mutual_secret);
	g_ptr_array_add(a->accounts, account);
}

int auth_shared_secret(const struct auth *a)
{
	for (guint i = 0; i < a->accounts->len; i++)
		for (guint j = 0; j < a->accounts->len; j++) {
			const struct chap_account *mutual = a->accounts->pdata[i], *own = a->accounts->pdata[j];

			if (!g_strcmp0(mutual->mutual_secret, own->secret))
				return (int)i;
		}
	return -1;
}

struct auth *auth_ref(struct auth *a)
{
	if (a)
		g_atomic_int_inc(&a->refs);
	return a;
}

void auth_unref(struct auth *a)
{
	if (!a || !g_atomic_int_dec_and_test(&a->refs))
		return;
	g_ptr_array_unref(a->accounts);
	g_free(a);
}

/* ---- what logins share ---- */

struct address { uint8_t bytes[16]; };

struct failures {
	struct address from;
	unsigned count;
	uint64_t last_ms;
};

struct auth_guard {
	pthread_mutex_t lock;
	GHashTable *challenges;		/* struct auth_login, by the bytes of their challenges */
	GArray *failures;		/* struct failures, at most AUTH_ADDRESSES_MAX */
};

/* IPv4 as its mapped address; of IPv6 the network, as a host there can have any address of it. */
static bool address_of(const struct sockaddr_storage *from, struct address *a)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;

	memset(a, 0, sizeof *a);
	if (from->ss_family == AF_INET) {
		a->bytes[10] = a->bytes[11] = 0xff;
		memcpy(a->bytes + 12, &in->sin_addr, 4);
	} else if (from->ss_family == AF_INET6) {
		memcpy(a->bytes, &in6->sin6_addr, IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) ? 16 : 8);
	} else {
		return false;
	}
	return true;
}

/* Its place among the failures, or -1.  Called with the lock. */
static int place_of(const struct auth_guard *g, const struct address *a)
{
	for (guint i = 0; i < g->failures->len; i++)
		if (!memcmp(&g_array_index(g->failures, struct failures, i).from, a, sizeof *a))
			return (int)i;
	return -1;
}

static void forget_old(struct auth_guard *g, uint64_t now_ms)
{
	for (guint i = g->failures->len; i--; )
		if (now_ms - g_array_index(g->failures, struct failures, i).last_ms >= AUTH_FORGET_MS)
			g_array_remove_index_fast(g->failures, i);
}

/* Make room: the one that has been quiet for longest goes. */
static void forget_oldest(struct auth_guard *g)
{
	guint oldest = 0;

	for (guint i = 1; i < g->failures->len; i++)
		if (g_array_index(g->failures, struct failures, i).last_ms <
		    g_array_index(g->failures, struct failures, oldest).last_ms)
			oldest = i;
	g_array_remove_index_fast(g->failures, oldest);
}

void auth_failed(struct auth_guard *g, const struct sockaddr_storage *from, uint64_t now_ms)
{
	struct failures *f, fresh = { .last_ms = now_ms };
	int at;

	if (!address_of(from, &fresh.from))
		return;
	pthread_mutex_lock(&g->lock);
	forget_old(g, now_ms);
	at = place_of(g, &fresh.from);
	if (at < 0) {
		if (g->failures->len >= AUTH_ADDRESSES_MAX)
			forget_oldest(g);
		at = (int)g->failures->len;
		g_array_append_val(g->failures, fresh);
	}
	f = &g_array_index(g->failures, struct failures, at);
	f->count = MIN(f->count + 1, 16);
	f->last_ms = now_ms;
	pthread_mutex_unlock(&g->lock);
}

void auth_succeeded(struct auth_guard *g, const struct sockaddr_storage *from)
{
	struct address a;
	int at;

	if (!address_of(from, &a))
		return;
	pthread_mutex_lock(&g->lock);
	at = place_of(g, &a);
	if (at >= 0)
		g_array_remove_index_fast(g->failures, (guint)at);
	pthread_mutex_unlock(&g->lock);
}

uint32_t auth_delay_ms(struct auth_guard *g, const struct sockaddr_storage *from, uint64_t now_ms)
{
	struct address a;
	uint32_t delay = 0;
	int at;

	if (!address_of(from, &a))
		return 0;
	pthread_mutex_lock(&g->lock);
	forget_old(g, now_ms);
	at = place_of(g, &a);
	if (at >= 0)
		delay = AUTH_DELAY_FIRST_MS << (g_array_index(g->failures, struct failures, at).count - 1);
	pthread_mutex_unlock(&g->lock);
	return MIN(delay, AUTH_DELAY_MAX_MS);
}

/* ---- one login ---- */

struct auth_login {
	struct auth_guard *guard;
	struct auth *auth;
	struct chap chap;
	bool began;		/* AuthMethod is CHAP */
	bool told;		/* the challenge is in the guard's table */
	bool tried;
};

static guint challenge_hash(gconstpointer key)
{
	guint hash;

	memcpy(&hash, key, sizeof hash);
	return hash;
}

static gboolean challenge_equal(gconstpointer a, gconstpointer b)
{
	return !memcmp(a, b, CHAP_CHALLENGE_LEN);
}

struct auth_guard *auth_guard_new(void)
{
	struct auth_guard *g = g_new0(struct auth_guard, 1);

	pthread_mutex_init(&g->lock, NULL);
	g->challenges = g_hash_table_new(challenge_hash, challenge_equal);
	g->failures = g_array_new(FALSE, FALSE, sizeof(struct failures));
	return g;
}

void auth_guard_free(struct auth_guard *g)
{
	g_hash_table_unref(g->challenges);
	g_array_unref(g->failures);
	pthread_mutex_destroy(&g->lock);
	g_free(g);
}

static bool is_ours(const void *arg, const uint8_t *challenge, size_t len)
{
	struct auth_guard *g = ((const struct auth_login *)arg)->guard;
	bool found;

	if (len != CHAP_CHALLENGE_LEN)
		return false;
	pthread_mutex_lock(&g->lock);
	found = g_hash_table_contains(g->challenges, challenge);
	pthread_mutex_unlock(&g->lock);
	return found;
}

struct auth_login *auth_login_new(struct auth_guard *g, struct auth *a)
{
	struct auth_login *l = a ? g_new0(struct auth_login, 1) : NULL;

	if (l)
		*l = (struct auth_login){ .guard = g, .auth = a };
	return l;
}

void auth_login_free(struct auth_login *l)
{
	if (!l)
		return;
	if (l->told) {
		pthread_mutex_lock(&l->guard->lock);
		g_hash_table_remove(l->guard->challenges, l->chap.challenge);
		pthread_mutex_unlock(&l->guard->lock);
	}
	chap_clear(&l->chap);
	auth_unref(l->auth);
	g_free(l);
}

const char *auth_login_user(const struct auth_login *l)
{
	return l ? l->chap.user : NULL;
}

bool auth_login_tried(struct auth_login *l)
{
	bool tried = l && l->tried;

	if (tried)
		l->tried = false;
	return tried;
}

static struct chap_verdict step(struct auth_login *l, const struct chap_keys *in, GByteArray *out)
{
	const struct chap_rules rules = {
		.order = l->auth->order, .n_order = l->auth->n_order, .accounts = l->auth->accounts,
		.is_ours = is_ours, .arg = l,
	};
	struct chap_verdict v;

	l->tried = l->chap.step == CHAP_WANTS_R;
	v = chap_step(&l->chap, &rules, in, out);
	if (!v.why && l->chap.step == CHAP_WANTS_R && !l->told) {
		pthread_mutex_lock(&l->guard->lock);
		g_hash_table_add(l->guard->challenges, l->chap.challenge);
		pthread_mutex_unlock(&l->guard->lock);
		l->told = true;
	}
	return v;
}

struct chap_verdict auth_on_text(struct auth_login *l, struct negotiation *n, GByteArray *out)
{
	const struct chap_keys in = {
		.a = n->said[SAID_CHAP_A], .i = n->said[SAID_CHAP_I], .c = n->said[SAID_CHAP_C],
		.n = n->said[SAID_CHAP_N], .r = n->said[SAID_CHAP_R],
	};
	bool some = in.a || in.i || in.c || in.n || in.r;
	struct chap_verdict v = { LOGIN_SUCCESS, NULL };

	if (l && l->began && n->phase == PHASE_SECURITY)
		v = step(l, &in, out);
	else if (some)
		v = (struct chap_verdict){ LOGIN_INITIATOR_ERROR, "CHAP keys before CHAP was agreed on" };
	if (l && n->auth_method == AUTH_CHAP)
		l->began = true;
	for (unsigned i = SAID_CHAP_A; i <= SAID_CHAP_R; i++) {
		chap_wipe(n->said[i]);
		n->said[i] = NULL;
	}
	return v;
}

struct chap_verdict auth_gate(const struct auth_login *l, bool security, bool leaving, bool *wait)
{
	*wait = false;
	if (!l || l->chap.step == CHAP_DONE || (security && !leaving))
		return (struct chap_verdict){ LOGIN_SUCCESS, NULL };
	if (!security || !l->began)
		return (struct chap_verdict){ LOGIN_AUTH_FAILURE, "it does not authenticate" };
	*wait = true;
	return (struct chap_verdict){ LOGIN_SUCCESS, NULL };
}
