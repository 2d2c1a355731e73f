/* SPDX-License-Identifier: Apache-2.0 */
/* discovery.c - what SendTargets answers (RFC 7143 appendix C). */
#include "config.h"
#include <pthread.h>
#include <string.h>
#include "iscsi/acl.h"
#include "iscsi/discovery.h"
#include "iscsi/keys.h"

/* Wildcards as portal_name() writes them. */
static const struct {
	const char *name;
	sa_family_t family;
} wildcards[] = { { "0.0.0.0:", AF_INET }, { "[::]:", AF_INET6 } };

bool discovery_address(char out[ADDRESS_MAX], const struct portal *p, const struct sockaddr_storage *local)
{
	const char *name = portal_name(p), *scope = strchr(name, '%');

	if (portal_advertised(p))
		return g_strlcpy(out, portal_advertised(p), ADDRESS_MAX) < ADDRESS_MAX;
	for (size_t i = 0; local && i < G_N_ELEMENTS(wildcards); i++) {
		if (!g_str_has_prefix(name, wildcards[i].name))
			continue;
		if (local->ss_family != wildcards[i].family || !address_format(out, local))
			return false;
		g_strlcat(out, strrchr(name, ':'), ADDRESS_MAX);
		return true;
	}
	/* An interface's name means nothing to others, and 13.8 has no place for it. */
	g_snprintf(out, ADDRESS_MAX, "%.*s%s", (int)(scope ? (size_t)(scope - name) : strlen(name)), name,
		   scope ? strchr(scope, ']') : "");
	return true;
}

/* A target is told of to whom may log in to it: through portals of its own, if it has some, and by its list. */
static bool visible(const struct node_target *t, const struct acl_who *who)
{
	if (t->removed || !who)
		return !t->removed;
	return (!t->portals->len || !who->portal || g_ptr_array_find(t->portals, who->portal, NULL)) &&
	       acl_admits(t->acl, who, NULL);
}

static void append_target(GByteArray *out, const struct node *n, const struct node_target *t,
			  const struct sockaddr_storage *local)
{
	const GPtrArray *portals = t->portals->len ? t->portals : n->portals;

	keys_append(out, "TargetName", t->name);
	for (guint i = 0; i < portals->len; i++) {
		char addr[ADDRESS_MAX], value[ADDRESS_MAX + 8];

		if (!discovery_address(addr, portals->pdata[i], local))
			continue;
		g_snprintf(value, sizeof value, "%s,%u", addr, node_target_tag(t, portals->pdata[i]));
		keys_append(out, "TargetAddress", value);
	}
}

gint node_by_name(gconstpointer a, gconstpointer b, gpointer unused)
{
	return strcmp(((const struct node_target *)a)->name, ((const struct node_target *)b)->name);
}

void node_send_all_targets(struct node *n, char **after, uint32_t len, const struct acl_who *who,
			   const struct sockaddr_storage *local, GByteArray *out)
{
	struct node_target from = { .name = *after };
	const char *last = NULL;
	GSequenceIter *it;

	pthread_mutex_lock(&n->lock);
	/* Behind all that are not behind it. */
	it = g_sequence_search(n->by_name, &from, node_by_name, NULL);
	while (!g_sequence_iter_is_end(it) && out->len < len) {
		const struct node_target *t = g_sequence_get(it);

		it = g_sequence_iter_next(it);
		last = g_sequence_iter_is_end(it) ? NULL : t->name;
		if (visible(t, who))
			append_target(out, n, t, local);
	}
	g_free(*after);
	*after = g_strdup(last);
	pthread_mutex_unlock(&n->lock);
}

void node_send_target(struct node *n, const char *name, const struct acl_who *who, const struct sockaddr_storage *local,
		      GByteArray *out)
{
	const struct node_target *t;

	pthread_mutex_lock(&n->lock);
	t = g_hash_table_lookup(n->targets, name);
	if (t && visible(t, who))
		append_target(out, n, t, local);
	pthread_mutex_unlock(&n->lock);
}
