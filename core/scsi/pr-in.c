/* SPDX-License-Identifier: Apache-2.0 */
/* pr-in.c - PERSISTENT RESERVE IN (SPC-5 6.16). */
#include "config.h"
#include "scsi/cdb.h"
#include "scsi/pr.h"
#include "scsi/task.h"
#include "scsi/wire.h"

enum { READ_RESERVATION_LEN = 16, CAPABILITIES_LEN = 8, DESCRIPTOR_LEN = 24, R_HOLDER = 0x01 };

/* Fill in what follows the eight bytes of generation and length, in at most room bytes; how many there are. */
typedef size_t pr_in(const struct pr_state *s, uint8_t *d);

static size_t put_keys(const struct pr_state *s, uint8_t *d)
{
	for (guint i = 0; i < s->regs->len; i++)
		put_be64(d + 8 * i, pr_nth(s, i)->key);
	return 8 * (size_t)s->regs->len;
}

/* All registrants hold it: the key is zero. */
static size_t put_reservation(const struct pr_state *s, uint8_t *d)
{
	if (!s->kind)
		return 0;
	for (guint i = 0; i < s->regs->len; i++)
		if (pr_nth(s, i)->holder)
			put_be64(d, pr_nth(s, i)->key);
	d[13] = s->kind;
	return READ_RESERVATION_LEN;
}

static size_t put_full_status(const struct pr_state *s, uint8_t *d)
{
	size_t at = 0;

	for (guint i = 0; i < s->regs->len; i++) {
		const struct pr_reg *r = pr_nth(s, i);
		size_t id = transportid_build(d + at + DESCRIPTOR_LEN, r->port);

		put_be64(d + at, r->key);
		if (pr_holds(s, r)) {
			d[at + 12] = R_HOLDER;
			d[at + 13] = s->kind;
		}
		put_be16(d + at + 18, r->rel_port);
		put_be32(d + at + 20, (uint32_t)id);
		at += DESCRIPTOR_LEN + id;
	}
	return at;
}

/* RESERVE and PERSISTENT RESERVE do not go together (SPC-2 5.5.1). */
static void answer(struct task *t, size_t per_reg, pr_in *put)
{
	struct pr *pr = t->lun->pr;
	size_t room, len = 0;
	bool reserved;

	pthread_mutex_lock(&pr->lock);
	reserved = pr->reserved_by != NULL;
	room = 8 + READ_RESERVATION_LEN + pr->state->regs->len * per_reg;
	t->buf = reserved ? NULL : bufpool_get(reactor_pool(t->reactor), room);
	if (t->buf) {
		memset(t->buf->data, 0, room);
		len = put(pr->state, t->buf->data + 8);
		put_be32(t->buf->data, pr->state->generation);
		put_be32(t->buf->data + 4, (uint32_t)len);
	}
	pthread_mutex_unlock(&pr->lock);
	if (t->buf)
		task_done_data(t, t->buf->data, 8 + len);
	else
		task_status(t, reserved ? STATUS_RESERVATION_CONFLICT : STATUS_BUSY);
}

void pr_read_keys_run(struct task *t)
{
	answer(t, 8, put_keys);
}

void pr_read_reservation_run(struct task *t)
{
	answer(t, 0, put_reservation);
}

void pr_read_full_status_run(struct task *t)
{
	answer(t, DESCRIPTOR_LEN + PR_TRANSPORTID_MAX, put_full_status);
}

/* SPC-5 6.16.4 */
void pr_report_capabilities_run(struct task *t)
{
	enum { CRH = 0x10, SIP_C = 0x08, ATP_C = 0x04, PTPL_C = 0x01, TMV = 0x80, ALLOW_TUR = 0x10, PTPL_A = 0x01 };
	struct pr *pr = t->lun->pr;
	const struct pr_type *type;
	uint8_t *d = task_reply(t, CAPABILITIES_LEN);
	uint16_t mask = 0;
	bool aptpl, reserved;

	pthread_mutex_lock(&pr->lock);
	aptpl = pr->state->aptpl;
	reserved = pr->reserved_by != NULL;
	pthread_mutex_unlock(&pr->lock);
	if (reserved) {
		task_status(t, STATUS_RESERVATION_CONFLICT);
		return;
	}
	for (unsigned i = 0; (type = pr_type_nth(i)); i++)
		mask |= type->mask;
	put_be16(d, CAPABILITIES_LEN);
	d[2] = CRH | SIP_C | ATP_C | (target_state_dir(t->lun->target) ? PTPL_C : 0);
	d[3] = TMV | ALLOW_TUR | (aptpl ? PTPL_A : 0);
	put_be16(d + 4, mask);
	task_done_data(t, d, CAPABILITIES_LEN);
}
