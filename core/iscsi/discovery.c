/* SPDX-License-Identifier: Apache-2.0 */
/* discovery.c - what SendTargets answers (RFC 7143 appendix C). */
#include "config.h"
#include <pthread.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include "iscsi/acl.h"
#include "iscsi/discovery.h"
#include "iscsi/keys.h"

/* Wildcards as portal_name() writes them. */
static const struct {
	const char *name;
	bool v6;
} wildcards[] = { { "0.0.0.0:", false }, { "[::]:", true } };

/* The address alone, in brackets when it is IPv6.  False: it is of another family, or none of the internet. */
static bool format_local(char out[DISCOVERY_ADDR_MAX], const struct sockaddr_storage *local, bool v6)
{
	const void *addr = v6 ? (const void *)&((const struct sockaddr_in6 *)local)->sin6_addr :
			   (const void *)&((const struct sockaddr_in *)local)->sin_addr;
	char text[INET6_ADDRSTRLEN];

	if (local->ss_family != (v6 ? AF_INET6 : AF_INET) || !inet_ntop(local->ss_family, addr, text, sizeof text))
		return false;
	g_snprintf(out, DISCOVERY_ADDR_MAX, v6 ? "[%s]" : "%s", text);
	return true;
}

bool discovery_address(char out[DISCOVERY_ADDR_MAX], const struct portal *p, const struct sockaddr_storage *local)
{
	const char *name = portal_name(p);

	for (size_t i = 0; i < G_N_ELEMENTS(wildcards); i++) {
		if (!g_str_has_prefix(name, wildcards[i].name))
			continue;
		if (!format_local(out, local, wildcards[i].v6))
			return false;
		g_strlcat(out, strrchr(name, ':'), DISCOVERY_ADDR_MAX);
		return true;
	}
	return g_strlcpy(out, name, DISCOVERY_ADDR_MAX) < DISCOVERY_ADDR_MAX;
}

/* A target is told of to whom may log in to it: through portals of its own, if it has some, and by its list. */
static bool visible(const struct node_target *t, const struct acl_who *who)
{
	return !t->removed && (!t->portals->len || !who->portal || g_ptr_array_find(t->portals, who->portal, NULL)) &&
	       acl_admits(t->acl, who, NULL);
}

static void append_target(GByteArray *out, const struct node *n, const struct node_target *t,
			  const struct sockaddr_storage *local)
{
	const GPtrArray *portals = t->portals->len ? t->portals : n->portals;

	keys_append(out, "TargetName", t->name);
	for (guint i = 0; i < portals->len; i++) {
		char addr[DISCOVERY_ADDR_MAX], value[DISCOVERY_ADDR_MAX + 8];

		if (!discovery_address(addr, portals->pdata[i], local))
			continue;
		g_snprintf(value, sizeof value, "%s,%u", addr, node_target_tag(t, portals->pdata[i]));
		keys_append(out, "TargetAddress", value);
	}
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(a, b);
}

GByteArray *node_send_targets(struct node *n, const char *name, const struct acl_who *who,
			      const struct sockaddr_storage *local)
{
	GByteArray *out = g_byte_array_new();
	GList *names;

	pthread_mutex_lock(&n->lock);
	names = g_list_sort(g_hash_table_get_keys(n->targets), by_name);
	for (GList *at = names; at; at = at->next) {
		const struct node_target *t = g_hash_table_lookup(n->targets, at->data);

		if (visible(t, who) && (!name || !strcmp(name, t->name)))
			append_target(out, n, t, local);
	}
	g_list_free(names);
	pthread_mutex_unlock(&n->lock);
	return out;
}
