/* SPDX-License-Identifier: Apache-2.0 */
/* pr-act.c - what each service action of PERSISTENT RESERVE OUT does to the state (SPC-5 5.13.7 to 5.13.11). */
#include "config.h"
#include "scsi/pr-op.h"
#include "scsi/wire.h"

#define GOOD ((struct pr_verdict){ PR_GOOD, -1, 0 })
#define CONFLICT ((struct pr_verdict){ PR_CONFLICT, -1, 0 })
#define FAILED(why) ((struct pr_verdict){ why, -1, 0 })
#define AT(why, byte_, bit_) ((struct pr_verdict){ .end = why, .bit = bit_, .byte = byte_ })

/* ---- steps that several take ---- */

/* Of everybody who stays but one. */
static void tell_others(struct pr_state *s, const struct pr_reg *but, enum ua ua)
{
	for (guint i = 0; i < s->regs->len; i++) {
		struct pr_reg *r = pr_nth(s, i);

		if (r != but && !r->gone)
			r->ua = (uint8_t)ua;
	}
}

static void drop_reservation(struct pr_state *s)
{
	for (guint i = 0; i < s->regs->len; i++)
		pr_nth(s, i)->holder = false;
	s->kind = PR_NONE;
}

static bool anybody(const struct pr_state *s)
{
	for (guint i = 0; i < s->regs->len; i++)
		if (!pr_nth(s, i)->gone)
			return true;
	return false;
}

/* Without registrants there is no reservation (5.13.11.3). */
static void unregister(struct pr_state *s, struct pr_reg *r)
{
	const struct pr_type *type = pr_type_of(s->kind);
	bool held = pr_holds(s, r);

	r->gone = true;
	if (!held || (type->all && anybody(s)))
		return;
	if (type->registrants)
		tell_others(s, r, UA_RES_RELEASED);
	drop_reservation(s);
}

static bool has_key(const struct pr_op *op)
{
	return op->own && op->own->key == op->key;
}

/* SCOPE and TYPE as a reservation can have them; NULL: not so. */
static const struct pr_type *asked_type(const struct pr_op *op)
{
	uint8_t scope_type = op->task->cdb[2];

	return scope_type >> 4 ? NULL : pr_type_of(scope_type);
}

static bool can_keep(const struct pr_op *op, bool aptpl)
{
	return !aptpl || target_state_dir(op->task->lun->target);
}

static struct pr_verdict changed(struct pr_op *op)
{
	if (op->next->regs->len > PR_REGS_MAX)
		return FAILED(PR_NO_ROOM);
	op->next->generation++;
	return GOOD;
}

/* ---- REGISTER, REGISTER AND IGNORE EXISTING KEY: 5.13.7 ---- */

/* As if the command had come by that nexus alone. */
static void register_at(struct pr_op *op, const char *port, uint16_t rel_port, bool ignore)
{
	struct pr_reg *r = pr_find(op->next, port, rel_port);

	if (r ? !ignore && r->key != op->key : !op->action_key || (!ignore && op->key))
		return;
	if (!r)
		pr_add(op->next, port, rel_port, op->action_key);
	else if (op->action_key)
		r->key = op->action_key;
	else
		unregister(op->next, r);
}

static void register_port(struct pr_op *op, const char *port, bool ignore)
{
	const struct nexus *n = op->task->nexus;
	struct target_port ports[TARGET_PORTS_MAX];
	unsigned n_ports = op->task->out[PR_LIST_FLAGS] & PR_ALL_TG_PT ? target_get_ports(n->target, ports) : 0;

	register_at(op, port, n->rel_port, ignore);
	for (unsigned i = 0; i < n_ports; i++)
		if (ports[i].rel_port != n->rel_port)
			register_at(op, port, ports[i].rel_port, ignore);
}

/* An initiator device stands for those of its ports that are known here. */
static void known_ports(struct target *t, const char *device, GPtrArray *names)
{
	g_autofree char *prefix = g_strconcat(device, ",i,0x", NULL);

	pthread_mutex_lock(&t->lock);
	for (guint i = 0; i < t->nexuses->len; i++) {
		const struct nexus *n = t->nexuses->pdata[i];

		if (!g_ascii_strncasecmp(n->initiator_port, prefix, strlen(prefix)))
			g_ptr_array_add(names, g_strdup(n->initiator_port));
	}
	pthread_mutex_unlock(&t->lock);
}

static struct pr_verdict register_listed(struct pr_op *op)
{
	const struct task *t = op->task;
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	char name[PR_PORT_SIZE];
	bool any_port;

	for (size_t at = PR_LIST_IDS, len; at < t->out_len; at += len) {
		guint before = names->len;

		len = transportid_parse(t->out + at, t->out_len - at, name, &any_port);
		if (len && any_port)
			known_ports(t->nexus->target, name, names);
		else if (len)
			g_ptr_array_add(names, g_strdup(name));
		if (names->len == before)
			return AT(PR_BAD_LIST, (uint16_t)at, -1);
	}
	for (guint i = 0; i < names->len && op->next->regs->len <= PR_REGS_MAX; i++)
		register_port(op, names->pdata[i], false);
	return GOOD;
}

/* The list's length, and that of what is in it. */
static bool lengths_fit(const struct task *t, bool listed)
{
	if (!listed)
		return t->out_len == PR_LIST_LEN;
	return t->out_len >= PR_LIST_IDS && get_be32(t->out + PR_LIST_LEN) == t->out_len - PR_LIST_IDS;
}

static struct pr_verdict do_register(struct pr_op *op, bool ignore)
{
	const struct task *t = op->task;
	uint8_t flags = t->out[PR_LIST_FLAGS];
	bool listed = flags & PR_SPEC_I_PT;
	struct pr_verdict v = GOOD;

	if (listed && ignore)
		return AT(PR_BAD_LIST, PR_LIST_FLAGS, 3);
	if (!lengths_fit(t, listed))
		return FAILED(PR_BAD_LENGTH);
	if (!ignore && (op->own ? op->own->key : 0) != op->key)
		return CONFLICT;
	if (listed && op->own)
		return AT(PR_BAD_LIST, PR_LIST_FLAGS, 3);
	if (!can_keep(op, flags & PR_APTPL))
		return AT(PR_BAD_LIST, PR_LIST_FLAGS, 0);
	if (!op->own && !op->action_key)
		return GOOD;
	if (listed)
		v = register_listed(op);
	if (v.end != PR_GOOD)
		return v;
	register_port(op, t->nexus->initiator_port, ignore);
	op->next->aptpl = flags & PR_APTPL;
	return changed(op);
}

static struct pr_verdict act_register(struct pr_op *op)
{
	return do_register(op, false);
}

static struct pr_verdict act_register_ignore(struct pr_op *op)
{
	return do_register(op, true);
}

/* ---- RESERVE, RELEASE, CLEAR: 5.13.9, 5.13.11 ---- */

static struct pr_verdict act_reserve(struct pr_op *op)
{
	const struct pr_type *type = asked_type(op);
	struct pr_state *s = op->next;

	if (!has_key(op))
		return CONFLICT;
	if (!type)
		return AT(PR_BAD_CDB, 2, -1);
	if (s->kind)
		return pr_holds(s, op->own) && s->kind == type->kind ? GOOD : CONFLICT;
	s->kind = type->kind;
	op->own->holder = !type->all;
	return GOOD;
}

static struct pr_verdict act_release(struct pr_op *op)
{
	struct pr_state *s = op->next;

	if (!has_key(op))
		return CONFLICT;
	if (!s->kind || !pr_holds(s, op->own))
		return GOOD;
	if (op->task->cdb[2] != s->kind)
		return FAILED(PR_BAD_RELEASE);
	if (pr_type_of(s->kind)->registrants)
		tell_others(s, op->own, UA_RES_RELEASED);
	drop_reservation(s);
	return GOOD;
}

static struct pr_verdict act_clear(struct pr_op *op)
{
	struct pr_state *s = op->next;

	if (!has_key(op))
		return CONFLICT;
	tell_others(s, op->own, UA_RES_PREEMPTED);
	drop_reservation(s);
	for (guint i = 0; i < s->regs->len; i++)
		pr_nth(s, i)->gone = true;
	return changed(op);
}

/* ---- PREEMPT, PREEMPT AND ABORT: 5.13.11.2 ---- */

static void remove_by_preemption(struct pr_op *op, struct pr_reg *r)
{
	r->gone = true;
	r->ua = r == op->own ? 0 : UA_REG_PREEMPTED;
}

/* The reservation and those who had it. */
static struct pr_verdict take_over(struct pr_op *op, bool from_all)
{
	const struct pr_type *type = asked_type(op);
	struct pr_state *s = op->next;

	if (!type)
		return AT(PR_BAD_CDB, 2, -1);
	if (type->kind != s->kind)
		tell_others(s, op->own, UA_RES_RELEASED);
	for (guint i = 0; i < s->regs->len; i++) {
		struct pr_reg *r = pr_nth(s, i);

		if (r != op->own && (from_all || r->key == op->action_key))
			remove_by_preemption(op, r);
	}
	drop_reservation(s);
	s->kind = type->kind;
	op->own->holder = !type->all;
	return changed(op);
}

static struct pr_verdict remove_registrations(struct pr_op *op)
{
	struct pr_state *s = op->next;
	bool found = false;

	for (guint i = 0; i < s->regs->len; i++) {
		struct pr_reg *r = pr_nth(s, i);

		if (r->key != op->action_key)
			continue;
		remove_by_preemption(op, r);
		found = true;
	}
	if (!found)
		return CONFLICT;
	if (!anybody(s))
		drop_reservation(s);
	return changed(op);
}

static struct pr_verdict act_preempt(struct pr_op *op)
{
	struct pr_state *s = op->next;
	const struct pr_type *type = pr_type_of(s->kind);

	if (!has_key(op))
		return CONFLICT;
	if (!op->action_key)
		return type && type->all ? take_over(op, true) : AT(PR_BAD_LIST, 8, -1);
	for (guint i = 0; type && i < s->regs->len; i++)
		if (pr_nth(s, i)->holder && pr_nth(s, i)->key == op->action_key)
			return take_over(op, false);
	return remove_registrations(op);
}

static struct pr_verdict act_preempt_abort(struct pr_op *op)
{
	struct pr_verdict v = act_preempt(op);

	if (v.end == PR_GOOD)
		op->removed = g_array_new(FALSE, FALSE, sizeof(struct pr_reg));
	return v;
}

/* ---- REGISTER AND MOVE: 5.13.8 ---- */

static bool has_port(struct target *t, uint16_t rel_port)
{
	struct target_port ports[TARGET_PORTS_MAX];
	unsigned n = target_get_ports(t, ports);

	for (unsigned i = 0; i < n; i++)
		if (ports[i].rel_port == rel_port)
			return true;
	return false;
}

/* Whom it goes to. */
static struct pr_verdict move_target(const struct pr_op *op, char name[PR_PORT_SIZE], uint16_t *rel_port)
{
	const struct task *t = op->task;
	uint32_t id_len = t->out_len - PR_MOVE_ID;
	bool any_port;

	*rel_port = get_be16(t->out + PR_MOVE_PORT);
	if (*rel_port != t->nexus->rel_port && !has_port(t->nexus->target, *rel_port))
		return AT(PR_BAD_LIST, PR_MOVE_PORT, -1);
	if (transportid_parse(t->out + PR_MOVE_ID, id_len, name, &any_port) != id_len ||
	    any_port || pr_find(op->next, name, *rel_port) == op->own)
		return AT(PR_BAD_LIST, PR_MOVE_ID, -1);
	return GOOD;
}

static void move(struct pr_op *op, const char *name, uint16_t rel_port)
{
	struct pr_reg *to = pr_find(op->next, name, rel_port);

	op->own->holder = false;
	op->own->gone = op->task->out[PR_MOVE_FLAGS] & PR_UNREG;
	if (to)
		to->key = op->action_key;
	else
		to = pr_add(op->next, name, rel_port, op->action_key);	/* own is no place any more */
	to->holder = true;
	op->next->aptpl = op->task->out[PR_MOVE_FLAGS] & PR_APTPL;
}

static struct pr_verdict act_register_move(struct pr_op *op)
{
	const struct task *t = op->task;
	const struct pr_type *type = pr_type_of(op->next->kind);
	char name[PR_PORT_SIZE];
	uint16_t rel_port;
	struct pr_verdict v;

	if (get_be32(t->out + PR_MOVE_ID_LEN) != t->out_len - PR_MOVE_ID)
		return FAILED(PR_BAD_LENGTH);
	if (!has_key(op))
		return CONFLICT;
	if (!type)
		return AT(PR_BAD_CDB, 1, 4);
	if (type->all || !op->own->holder)
		return CONFLICT;
	if (!can_keep(op, t->out[PR_MOVE_FLAGS] & PR_APTPL))
		return AT(PR_BAD_LIST, PR_MOVE_FLAGS, 0);
	if (!op->action_key)
		return AT(PR_BAD_LIST, 8, -1);
	v = move_target(op, name, &rel_port);
	if (v.end != PR_GOOD)
		return v;
	move(op, name, rel_port);
	return changed(op);
}

/* ---- which is which ---- */

static struct pr_verdict (*const actions[])(struct pr_op *op) = {
	[SA_PR_REGISTER] = act_register,
	[SA_PR_RESERVE] = act_reserve,
	[SA_PR_RELEASE] = act_release,
	[SA_PR_CLEAR] = act_clear,
	[SA_PR_PREEMPT] = act_preempt,
	[SA_PR_PREEMPT_AND_ABORT] = act_preempt_abort,
	[SA_PR_REGISTER_AND_IGNORE] = act_register_ignore,
	[SA_PR_REGISTER_AND_MOVE] = act_register_move,
};

struct pr_verdict pr_act(struct pr_op *op)
{
	const struct task *t = op->task;

	op->key = get_be64(t->out);
	op->action_key = get_be64(t->out + 8);
	op->own = pr_find_nexus(op->next, t->nexus);
	/* Only those that register look at TransportIDs. */
	if (t->op->sa != SA_PR_REGISTER_AND_MOVE && t->op->sa != SA_PR_REGISTER &&
	    t->out[PR_LIST_FLAGS] & PR_SPEC_I_PT)
		return AT(PR_BAD_LIST, PR_LIST_FLAGS, 3);
	return actions[t->op->sa](op);
}
