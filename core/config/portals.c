/* SPDX-License-Identifier: Apache-2.0 */
/* portals.c - the portals of the next configuration: bound before anything is switched, the old ones closed after. */
#include "config.h"
#include "config/plan.h"
#include "iscsi/activation.h"

static struct run_portal *running_portal(struct plan *p, const struct conf_portal *c)
{
	for (unsigned i = 0; i < p->s->portals->len; i++) {
		struct run_portal *rp = p->s->portals->pdata[i];
		bool taken = false;

		for (unsigned j = 0; j < p->portals->len; j++)
			taken |= ((struct run_portal *)p->portals->pdata[j])->portal == rp->portal;
		if (!taken && rp->conf->port == c->port && g_str_equal(rp->conf->address, c->address))
			return rp;
	}
	return NULL;
}

/* A socket that the service manager opened for it, or one of our own. */
static struct portal *open_portal(struct plan *p, const struct conf_portal *c, GError **error)
{
	int fd = activation_claim(c->name, c->address, (uint16_t)c->port);

	return fd < 0 ? node_add_portal(p->s->node, c->address, (uint16_t)c->port, error) : node_add_portal_on(p->s->node, fd);
}

bool portals_prepare(struct plan *p, GError **error)
{
	for (unsigned i = 0; i < p->next->portals->len; i++) {
		const struct conf_portal *c = p->next->portals->pdata[i];
		struct run_portal *old = running_portal(p, c), *rp;
		struct portal *portal = old ? old->portal : open_portal(p, c, error);

		if (!portal)
			return false;
		if (!old)
			g_ptr_array_add(p->bound, portal);
		rp = g_new0(struct run_portal, 1);
		rp->conf = c;
		rp->portal = portal;
		g_ptr_array_add(p->portals, rp);
	}
	return true;
}

struct portal *portals_find(const void *plan, const char *name)
{
	const struct plan *p = plan;

	for (unsigned i = 0; i < p->portals->len; i++) {
		const struct run_portal *rp = p->portals->pdata[i];

		if (g_strcmp0(rp->conf->name, name) == 0)
			return rp->portal;
	}
	return NULL;
}

/* p->s->conf, which a portal that stays has its settings in, is there until the end of commit(). */
void portals_advertise(struct plan *p, const struct run_portal *rp)
{
	const char *before = NULL;

	for (unsigned i = 0; i < p->s->portals->len; i++) {
		const struct run_portal *old = p->s->portals->pdata[i];

		if (old->portal == rp->portal)
			before = old->conf->advertise;
	}
	if (g_strcmp0(before, rp->conf->advertise) == 0)
		return;
	portal_advertise(rp->portal, rp->conf->advertise);
	plan_changed(p, "portal %s: advertised as %s", portal_name(rp->portal), rp->conf->advertise ? rp->conf->advertise : "bound");
}

void portals_commit(struct plan *p)
{
	for (unsigned i = 0; i < p->s->portals->len; i++) {
		struct run_portal *old = p->s->portals->pdata[i];
		bool kept = false;

		for (unsigned j = 0; j < p->portals->len; j++)
			kept |= ((struct run_portal *)p->portals->pdata[j])->portal == old->portal;
		if (kept)
			continue;
		plan_changed(p, "portal %s: closed", portal_name(old->portal));
		node_remove_portal(p->s->node, old->portal);
	}
	for (unsigned i = 0; i < p->bound->len; i++)
		plan_changed(p, "portal %s: listening", portal_name(p->bound->pdata[i]));
	node_forget_portals(p->s->node);
	g_ptr_array_unref(p->s->portals);
	p->s->portals = g_steal_pointer(&p->portals);
}
