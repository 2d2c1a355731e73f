/* SPDX-License-Identifier: Apache-2.0 */
/* redirect.c - see redirect.h */
#include "config.h"
#include <pthread.h>
#include "iscsi/acl.h"
#include "iscsi/discovery.h"
#include "iscsi/redirect.h"
#include "iscsi/session.h"
#include "scsi/alua.h"

#define SENT_MAX 64u	/* logins on their way, of which we know that they were sent; of more the oldest is forgotten */

struct redirect {
	char *address;		/* NULL: balance */
	bool permanent;
	struct sent { guint initiator; uint16_t tag; } sent[SENT_MAX];	/* tag 0: none */
	unsigned next;
};

void node_set_redirect(struct node *n, struct node_target *t, const struct node_redirect *to)
{
	struct redirect *r = NULL, *old;

	if (to && (to->address || to->balance)) {
		r = g_new0(struct redirect, 1);
		r->address = g_strdup(to->address);
		r->permanent = to->permanent;
	}
	pthread_mutex_lock(&n->lock);
	old = t->redirect;
	t->redirect = r;
	pthread_mutex_unlock(&n->lock);
	redirect_free(old);
}

void redirect_free(struct redirect *r)
{
	if (r)
		g_free(r->address);
	g_free(r);
}

/* Is this where the connection has come already?  By what we tell of the portal, by what it is, by what was reached. */
static bool is_here(const char *address, const struct redirect_who *who)
{
	char here[ADDRESS_MAX];

	if (!who->portal)
		return false;
	if (!g_ascii_strcasecmp(portal_name(who->portal), address) ||
	    (discovery_address(here, who->portal, who->local) && !g_ascii_strcasecmp(here, address)))
		return true;
	if (!address_format(here, who->local))
		return false;
	g_strlcat(here, strrchr(portal_name(who->portal), ':'), sizeof here);
	return !g_ascii_strcasecmp(here, address);
}

static unsigned sessions_of(const struct node_target *t, uint16_t tag)
{
	unsigned n = 0;

	for (const GList *e = t->sessions; e; e = e->next)
		n += ((const struct session *)e->data)->tpgt == tag;
	return n;
}

/* It replaces a session of its own here (6.3.5). */
static bool reinstates(const struct node_target *t, const struct redirect_who *who, uint16_t tag)
{
	for (const GList *e = t->sessions; e; e = e->next) {
		const struct session *s = e->data;

		if (s->tpgt == tag && !memcmp(s->isid, who->isid, sizeof s->isid) && !strcmp(s->initiator, who->initiator))
			return true;
	}
	return false;
}

static bool usable(const struct node_target *t, uint16_t tag)
{
	return port_group_state(target_group(t->scsi, tag)) < ALUA_STANDBY;
}

/* Nobody is sent from an optimized group to one that is not. */
static bool worse(const struct node_target *t, uint16_t tag, uint16_t own)
{
	return usable(t, own) && port_group_state(target_group(t->scsi, tag)) > port_group_state(target_group(t->scsi, own));
}

/* Was it sent here?  Then it stays, whoever has come here since: it would be sent to and fro. */
static bool was_sent(struct redirect *r, guint initiator, uint16_t tag)
{
	for (unsigned i = 0; i < SENT_MAX; i++)
		if (r->sent[i].tag == tag && r->sent[i].initiator == initiator) {
			r->sent[i].tag = 0;
			return true;
		}
	return false;
}

/* What only this machine, or this link, reaches. */
static bool is_near(const char *address)
{
	return g_str_has_prefix(address, "127.") || g_str_has_prefix(address, "[::1]") || g_str_has_prefix(address, "[fe80:");
}

/* An initiator that came by IPv4 may have nothing else, and one from elsewhere reaches no loopback of ours. */
static bool reachable(char out[ADDRESS_MAX], const struct portal *p, const struct sockaddr_storage *local)
{
	struct sockaddr_storage plain = *local;
	char here[ADDRESS_MAX];

	address_unmap(&plain);
	if (!discovery_address(out, p, local) || (!portal_advertised(p) && (*out == '[') != (plain.ss_family == AF_INET6)))
		return false;
	return !is_near(out) || !address_format(here, &plain) || is_near(here);	/* no address: of this machine */
}

/* A list can admit by portal: nobody is sent to where it is refused. */
static bool admitted(const struct node_target *t, const struct portal *p, const struct redirect_who *who)
{
	return acl_admits(t->acl, &(struct acl_who){ who->initiator, *who->from, p }, NULL);
}

static bool balance(struct node *n, struct node_target *t, const struct redirect_who *who, char out[ADDRESS_MAX])
{
	const GPtrArray *portals = t->portals->len ? t->portals : n->portals;
	uint16_t own = node_target_tag(t, who->portal), best = own;
	unsigned least = usable(t, own) ? sessions_of(t, own) : UINT_MAX;
	guint initiator = g_str_hash(who->initiator);

	if (was_sent(t->redirect, initiator, own) || reinstates(t, who, own))
		return false;
	for (guint i = 0; i < portals->len; i++) {
		uint16_t tag = node_target_tag(t, portals->pdata[i]);
		char address[ADDRESS_MAX];

		if (tag == best || tag == own || !usable(t, tag) || worse(t, tag, own) || sessions_of(t, tag) >= least ||
		    !reachable(address, portals->pdata[i], who->local) || !admitted(t, portals->pdata[i], who))
			continue;
		best = tag;
		least = sessions_of(t, tag);
		g_strlcpy(out, address, ADDRESS_MAX);
	}
	if (best != own)
		t->redirect->sent[t->redirect->next++ % SENT_MAX] = (struct sent){ initiator, best };
	return best != own;
}

enum login_status redirect_login(struct node *n, struct node_target *t, const struct redirect_who *who, char out[ADDRESS_MAX])
{
	enum login_status status = LOGIN_SUCCESS;

	pthread_mutex_lock(&n->lock);
	if (t->redirect && t->redirect->address) {
		address_target(out, t->redirect->address, ADDRESS_PORT);
		if (!is_here(out, who))
			status = t->redirect->permanent ? LOGIN_MOVED_PERMANENTLY : LOGIN_MOVED_TEMPORARILY;
	} else if (t->redirect && who->portal && balance(n, t, who, out)) {
		status = LOGIN_MOVED_TEMPORARILY;
	}
	pthread_mutex_unlock(&n->lock);
	return status;
}
