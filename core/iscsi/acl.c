/* SPDX-License-Identifier: Apache-2.0 */
/* acl.c - see acl.h */
#include "config.h"
#include <arpa/inet.h>
#include <glib.h>
#include <netinet/in.h>
#include <string.h>
#include "iscsi/acl.h"

struct rule {
	char **names;		/* in lower case; NULL: any */
	struct acl_prefix *prefixes;
	unsigned n_prefixes, n_portals;
	const struct portal **portals;
	struct lun_view *view;
};

struct acl {
	gint refs;
	GPtrArray *rules;
};

static const uint8_t v4mapped[12] = { [10] = 0xff, [11] = 0xff };	/* RFC 4291 2.5.5.2 */

const char *acl_prefix_parse(const char *text, struct acl_prefix *p)
{
	const char *slash = strchr(text, '/');
	g_autofree char *address = slash ? g_strndup(text, (size_t)(slash - text)) : g_strdup(text);
	guint64 len;
	unsigned most;

	memset(p, 0, sizeof *p);
	p->family = strchr(address, ':') ? AF_INET6 : AF_INET;
	most = p->family == AF_INET6 ? 128 : 32;
	len = most;
	if (inet_pton(p->family, address, p->bytes) != 1)
		return "not a numeric IPv4 or IPv6 address";
	if (slash && !g_ascii_string_to_unsigned(slash + 1, 10, 0, most, &len, NULL))
		return p->family == AF_INET6 ? "a prefix of 0 to 128 bits is expected" : "a prefix of 0 to 32 bits is expected";
	p->len = (uint8_t)len;
	for (unsigned bit = p->len; bit < most; bit++)
		if (p->bytes[bit / 8] & 0x80 >> bit % 8)
			return "bits are set behind the prefix";
	if (p->family == AF_INET6 && p->len >= 96 && !memcmp(p->bytes, v4mapped, sizeof v4mapped)) {
		memmove(p->bytes, p->bytes + 12, 4);	/* as address_of() */
		p->family = AF_INET;
		p->len = (uint8_t)(p->len - 96);
	}
	return NULL;
}

static bool in_prefix(const struct acl_prefix *p, sa_family_t family, const uint8_t *bytes)
{
	unsigned whole = p->len / 8, rest = p->len % 8;

	return p->family == family && !memcmp(p->bytes, bytes, whole) &&
	       (!rest || !((p->bytes[whole] ^ bytes[whole]) & (uint8_t)(0xff00 >> rest)));
}

/* An IPv4 address within IPv6 (RFC 4291 2.5.5.2) is that IPv4 address. */
static const uint8_t *address_of(const struct sockaddr_storage *from, sa_family_t *family)
{
	const struct sockaddr_in6 *six = (const void *)from;

	*family = from->ss_family;
	if (*family == AF_INET)
		return (const uint8_t *)&((const struct sockaddr_in *)(const void *)from)->sin_addr;
	if (*family != AF_INET6)
		return NULL;
	if (!IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
		return six->sin6_addr.s6_addr;
	*family = AF_INET;
	return six->sin6_addr.s6_addr + 12;
}

static void rule_free(gpointer rule)
{
	struct rule *r = rule;

	g_strfreev(r->names);
	g_free(r->prefixes);
	g_free(r->portals);
	lun_view_unref(r->view);
	g_free(r);
}

struct acl *acl_new(void)
{
	struct acl *a = g_new0(struct acl, 1);

	a->refs = 1;
	a->rules = g_ptr_array_new_with_free_func(rule_free);
	return a;
}

void acl_add(struct acl *a, const char *const *names, const struct acl_prefix *prefixes, unsigned n_prefixes,
	     struct portal *const *portals, unsigned n_portals, struct lun_view *view)
{
	struct rule *r = g_new0(struct rule, 1);

	if (names) {
		r->names = g_strdupv((char **)names);
		for (char **name = r->names; *name; name++) {
			char *lower = g_ascii_strdown(*name, -1);

			g_free(*name);
			*name = lower;
		}
	}
	r->n_prefixes = n_prefixes;
	r->prefixes = g_new(struct acl_prefix, n_prefixes);
	if (n_prefixes)
		memcpy(r->prefixes, prefixes, n_prefixes * sizeof *prefixes);
	r->n_portals = n_portals;
	r->portals = g_new(const struct portal *, n_portals);
	for (unsigned i = 0; i < n_portals; i++)
		r->portals[i] = portals[i];
	r->view = view;
	g_ptr_array_add(a->rules, r);
}

struct acl *acl_ref(struct acl *a)
{
	if (a)
		g_atomic_int_inc(&a->refs);
	return a;
}

void acl_unref(struct acl *a)
{
	if (!a || !g_atomic_int_dec_and_test(&a->refs))
		return;
	g_ptr_array_unref(a->rules);
	g_free(a);
}

/* RFC 7143 4.2.7.1: names are compared in lower case. */
static bool name_matches(const struct rule *r, const char *name)
{
	g_autofree char *lower = g_ascii_strdown(name, -1);
	bool found = !r->names;

	for (char **p = r->names; p && *p && !found; p++)
		found = g_pattern_match_simple(*p, lower);
	return found;
}

static bool matches(const struct rule *r, const struct acl_who *who)
{
	bool address = !r->n_prefixes, portal = !r->n_portals;
	sa_family_t family;
	const uint8_t *bytes = address_of(&who->from, &family);

	for (unsigned i = 0; i < r->n_prefixes && bytes && !address; i++)
		address = in_prefix(&r->prefixes[i], family, bytes);
	for (unsigned i = 0; i < r->n_portals && !portal; i++)
		portal = r->portals[i] == who->portal;
	return address && portal && name_matches(r, who->initiator);
}

bool acl_admits(const struct acl *a, const struct acl_who *who, struct lun_view **view)
{
	if (view)
		*view = NULL;
	if (!a)
		return true;
	for (guint i = 0; i < a->rules->len; i++) {
		const struct rule *r = a->rules->pdata[i];

		if (!matches(r, who))
			continue;
		if (view)
			*view = lun_view_ref(r->view);
		return true;
	}
	return false;
}
