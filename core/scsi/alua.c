/* SPDX-License-Identifier: Apache-2.0 */
/* alua.c - asymmetric access states, REPORT and SET TARGET PORT GROUPS (SPC-5 6.35, 6.45). */
#include "config.h"
#include <string.h>
#include "scsi/alua.h"
#include "scsi/cdb.h"
#include "scsi/lun.h"
#include "scsi/task.h"
#include "scsi/wire.h"

/* Table 253 */
enum { NO_STATUS = 0, BY_SET = 1, BY_IMPLICIT = 2 };

/* What commands that a state does not allow are told, SPC-5 5.18.2. */
static const struct { uint8_t allows, sense; } states[] = {
	[ALUA_OPTIMIZED] = { 0 },
	[ALUA_NON_OPTIMIZED] = { 0 },
	[ALUA_STANDBY] = { 1, SENSE_STANDBY },
	[ALUA_UNAVAILABLE] = { 2, SENSE_UNAVAILABLE },
};
static const uint32_t allowed_by[] = { 0, CDB_STANDBY_OK, CDB_UNAVAILABLE_OK };

bool alua_refuses(struct task *t)
{
	unsigned state = port_group_state(t->nexus->group);

	if (!states[state].allows || (t->op && t->op->flags & allowed_by[states[state].allows]))
		return false;
	task_fail(t, (enum sense_code)states[state].sense);
	return true;
}

/* ---- groups ---- */

/* Under the lock. */
static struct port_group *find(struct target *t, uint16_t tag)
{
	for (unsigned i = 0; i < t->groups->len; i++) {
		struct port_group *g = t->groups->pdata[i];

		if (g->conf.tag == tag)
			return g;
	}
	return NULL;
}

static struct port_group *find_or_add(struct target *t, uint16_t tag)
{
	struct port_group *g = find(t, tag);

	if (!g) {
		g = g_new0(struct port_group, 1);
		g->conf.tag = tag;
		g_ptr_array_add(t->groups, g);
	}
	return g;
}

struct port_group *target_group(struct target *t, uint16_t tag)
{
	struct port_group *g;

	pthread_mutex_lock(&t->lock);
	g = find_or_add(t, tag);
	pthread_mutex_unlock(&t->lock);
	return g;
}

/* Under the lock. */
static bool change(struct port_group *g, unsigned state, uint8_t status)
{
	if (atomic_load(&g->state) == state)
		return false;
	atomic_store(&g->state, state);
	g->status = status;
	return true;
}

static bool configure(struct port_group *g, const struct alua_group *conf)
{
	bool is_new = !g->there, moved = g->conf.state != conf->state;

	g->conf.state = conf->state;	/* the tag is read without the lock */
	g->conf.preferred = conf->preferred;
	g->there = true;
	return (is_new || moved) && change(g, conf->state, is_new ? NO_STATUS : BY_IMPLICIT);
}

void target_set_groups(struct target *t, const struct alua_group *groups, unsigned n, bool explicit)
{
	bool changed = false;

	pthread_mutex_lock(&t->lock);
	for (unsigned i = 0; i < n; i++)
		changed |= configure(find_or_add(t, groups[i].tag), &groups[i]);
	for (unsigned i = 0; i < t->groups->len; i++) {
		struct port_group *g = t->groups->pdata[i];
		bool there = false;

		for (unsigned k = 0; k < n; k++)
			there |= groups[k].tag == g->conf.tag;
		if (!there) {	/* sessions that came through it go on as through any other */
			g->there = false;
			g->conf.state = ALUA_OPTIMIZED;
			changed |= change(g, ALUA_OPTIMIZED, BY_IMPLICIT);
		}
	}
	pthread_mutex_unlock(&t->lock);
	atomic_store(&t->explicit_alua, explicit);
	if (changed)
		target_set_ua_all(t, UA_ACCESS_CHANGED, NULL);
}

/* ---- REPORT TARGET PORT GROUPS ---- */

enum { EXTENDED_FORMAT = 1 };
enum { PREF = 0x80, SUPPORTED = 0x0f /* U_SUP, S_SUP, AN_SUP, AO_SUP */ };

static size_t put_group(struct port_group *g, const struct target_port *ports, unsigned n, uint8_t *d)
{
	size_t at = 8;

	d[0] = (uint8_t)((g->conf.preferred ? PREF : 0) | atomic_load(&g->state));
	d[1] = SUPPORTED;
	put_be16(d + 2, g->conf.tag);
	d[5] = g->status;
	for (unsigned i = 0; i < n; i++)
		if (ports[i].group == g->conf.tag) {
			put_be16(d + at + 2, ports[i].rel_port);
			at += 4;
		}
	d[7] = (uint8_t)((at - 8) / 4);
	return at;
}

static bool has_ports(const struct port_group *g, const struct target_port *ports, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (ports[i].group == g->conf.tag)
			return true;
	return false;
}

void report_groups_run(struct task *t)
{
	struct target *target = t->nexus->target;
	unsigned format = t->cdb[1] >> 5;
	struct target_port ports[TARGET_PORTS_MAX];
	unsigned n = target_get_ports(target, ports);
	size_t first = format == EXTENDED_FORMAT ? 8 : 4, at = first;
	uint8_t *d;

	if (format > EXTENDED_FORMAT) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 1, 7);
		return;
	}
	d = task_reply(t, first + 8 * (TARGET_PORTS_MAX + 1) + 4 * TARGET_PORTS_MAX);
	if (!d)
		return;
	pthread_mutex_lock(&target->lock);
	for (unsigned i = 0; i < target->groups->len; i++) {
		struct port_group *g = target->groups->pdata[i];

		if (g == t->nexus->group || has_ports(g, ports, n))
			at += put_group(g, ports, n, d + at);
	}
	pthread_mutex_unlock(&target->lock);
	put_be32(d, (uint32_t)(at - 4));
	if (format == EXTENDED_FORMAT)
		d[4] = 0x10;	/* and no time that implicit transitions take */
	task_done_data(t, d, at);
}

/* ---- SET TARGET PORT GROUPS ---- */

/* The place and bit of the first thing wrong in the descriptors, table 291; 0: nothing is.  Under the lock. */
static uint32_t find_fault(struct task *t, int *bit)
{
	struct target *target = t->nexus->target;

	for (uint32_t at = 4; at < t->out_len; at += 4) {
		const struct port_group *g = find(target, get_be16(t->out + at + 2));

		*bit = t->out[at] & 0xf0 ? 7 : 3;
		if (t->out[at] > ALUA_UNAVAILABLE)
			return at;
		*bit = -1;
		if (!g || !(g->there || g == t->nexus->group))
			return at + 2;
	}
	return 0;
}

void set_groups_run(struct task *t)
{
	struct target *target = t->nexus->target;
	bool changed = false;
	uint32_t fault;
	int bit;

	if (t->out_len < t->xfer_len || t->out_len % 4) {
		task_fail(t, SENSE_PARAMETER_LIST_LENGTH);
		return;
	}
	pthread_mutex_lock(&target->lock);
	fault = find_fault(t, &bit);
	for (uint32_t at = 4; !fault && at < t->out_len; at += 4)
		changed |= change(find(target, get_be16(t->out + at + 2)), t->out[at], BY_SET);
	pthread_mutex_unlock(&target->lock);
	if (fault) {
		task_fail_param(t, fault, bit);
		return;
	}
	if (changed)
		target_set_ua_all(target, UA_ACCESS_CHANGED, t->nexus);
	task_done(t);
}
