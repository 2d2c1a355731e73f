/* SPDX-License-Identifier: Apache-2.0 */
/* logins.c - see logins.h */
#include "config.h"
#include <netinet/in.h>
#include <string.h>
#include "iscsi/conn.h"
#include "iscsi/logins.h"

struct logging_in { uint8_t from[16]; unsigned n; };

/* An IPv6 address stands for its /64, which one machine can have the whole of.  False: no address. */
static bool login_key(const struct sockaddr_storage *from, uint8_t key[16])
{
	memset(key, 0, 16);
	if (from->ss_family == AF_INET)
		memcpy(key + 12, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
	else if (from->ss_family == AF_INET6)
		memcpy(key, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 8);
	return from->ss_family == AF_INET || from->ss_family == AF_INET6;
}

/* There are no more of these than logins.  NULL: from there nobody logs in. */
static struct logging_in *find(struct node *n, const uint8_t key[16])
{
	for (guint i = 0; i < n->logging_in->len; i++) {
		struct logging_in *l = &g_array_index(n->logging_in, struct logging_in, i);

		if (!memcmp(l->from, key, 16))
			return l;
	}
	return NULL;
}

static const struct logging_in *heaviest(struct node *n)
{
	const struct logging_in *most = NULL;

	for (guint i = 0; i < n->logging_in->len; i++) {
		const struct logging_in *l = &g_array_index(n->logging_in, struct logging_in, i);

		if (!most || l->n > most->n)
			most = l;
	}
	return most;
}

GArray *logins_new(void)
{
	return g_array_new(FALSE, FALSE, sizeof(struct logging_in));
}

/* Its reactor drops it; it no longer counts.  False: there is none. */
static bool evict_oldest(struct node *n, const uint8_t key[16])
{
	for (struct conn *c = n->oldest_login; c; c = c->logins.next) {
		uint8_t its[16];

		if (!login_key(&c->from, its) || memcmp(its, key, 16))
			continue;
		logins_over(n, c);
		c->evicting = true;
		reactor_post(c->reactor, &c->evict);
		return true;
	}
	return false;
}

bool logins_begin(struct node *n, const struct sockaddr_storage *from)
{
	struct logging_in *l, first = { .n = 1 };
	bool known = login_key(from, first.from);

	if (n->conns_total >= n->max_conns)
		return false;
	l = known ? find(n, first.from) : NULL;
	if (l && l->n >= n->max_logins_per_address && !evict_oldest(n, first.from))
		return false;
	if (n->logins >= n->max_logins) {
		const struct logging_in *most = heaviest(n);

		if (!most || !evict_oldest(n, most->from))
			return false;
	}
	n->logins++;
	if (!known)
		return true;
	l = find(n, first.from);	/* who went may have been the last from there */
	if (l)
		l->n++;
	else
		g_array_append_val(n->logging_in, first);
	return true;
}

void logins_add(struct node *n, struct conn *c)
{
	c->logins.counted = true;
	c->logins.next = NULL;
	c->logins.prev = n->newest_login;
	if (n->newest_login)
		n->newest_login->logins.next = c;
	else
		n->oldest_login = c;
	n->newest_login = c;
}

void logins_over(struct node *n, struct conn *c)
{
	struct logging_in *l;
	uint8_t key[16];

	if (!c->logins.counted)
		return;
	c->logins.counted = false;
	if (c->logins.prev)
		c->logins.prev->logins.next = c->logins.next;
	else
		n->oldest_login = c->logins.next;
	if (c->logins.next)
		c->logins.next->logins.prev = c->logins.prev;
	else
		n->newest_login = c->logins.prev;
	n->logins--;
	l = login_key(&c->from, key) ? find(n, key) : NULL;
	if (l && !--l->n)
		g_array_remove_index_fast(n->logging_in, (guint)(l - (struct logging_in *)(void *)n->logging_in->data));
}
