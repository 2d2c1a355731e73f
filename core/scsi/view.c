/* SPDX-License-Identifier: Apache-2.0 */
/* view.c - see view.h */
#include "config.h"
#include "scsi/lun.h"
#include "scsi/view.h"

struct lun_view {
	gint refs;
	bool all, read_only;
	uint32_t end, lun_end;
	int16_t *to_lun;		/* by the initiator's number, up to end; -1: nothing */
	struct back { int16_t number; bool read_only; } *back;	/* by the target's, up to lun_end */
};

struct lun_view *lun_view_new(const struct lun_view_row *rows, unsigned n, bool read_only)
{
	struct lun_view *v = g_new0(struct lun_view, 1);

	v->refs = 1;
	v->all = n == 0;
	v->read_only = read_only;
	for (unsigned i = 0; i < n; i++) {
		v->end = MAX(v->end, rows[i].number + 1);
		v->lun_end = MAX(v->lun_end, rows[i].lun + 1);
	}
	v->to_lun = g_new(int16_t, v->end + 1);
	v->back = g_new(struct back, v->lun_end + 1);
	for (uint32_t i = 0; i < v->end; i++)
		v->to_lun[i] = -1;
	for (uint32_t i = 0; i < v->lun_end; i++)
		v->back[i] = (struct back){ -1, false };
	for (unsigned i = 0; i < n; i++) {
		v->to_lun[rows[i].number] = (int16_t)rows[i].lun;
		v->back[rows[i].lun] = (struct back){ (int16_t)rows[i].number, rows[i].read_only };
	}
	return v;
}

struct lun_view *lun_view_ref(struct lun_view *v)
{
	if (v)
		g_atomic_int_inc(&v->refs);
	return v;
}

void lun_view_unref(struct lun_view *v)
{
	if (!v || !g_atomic_int_dec_and_test(&v->refs))
		return;
	g_free(v->to_lun);
	g_free(v->back);
	g_free(v);
}

bool lun_view_equal(const struct lun_view *a, const struct lun_view *b)
{
	if (!a || !b || a == b)
		return a == b;
	if (a->all != b->all || a->read_only != b->read_only || a->end != b->end || a->lun_end != b->lun_end)
		return false;
	for (uint32_t i = 0; i < a->end; i++)
		if (a->to_lun[i] != b->to_lun[i])
			return false;
	for (uint32_t i = 0; i < a->lun_end; i++)
		if (a->back[i].read_only != b->back[i].read_only)
			return false;
	return true;
}

int lun_view_find(const struct lun_view *v, int number)
{
	if (v->all)
		return number;
	return number >= 0 && (uint32_t)number < v->end ? v->to_lun[number] : -1;
}

int lun_view_number(const struct lun_view *v, uint32_t lun)
{
	if (v->all)
		return (int)lun;
	return lun < v->lun_end ? v->back[lun].number : -1;
}

bool lun_view_read_only(const struct lun_view *v, uint32_t lun)
{
	return v->read_only || (lun < v->lun_end && v->back[lun].read_only);
}

bool lun_view_is_part(const struct lun_view *v)
{
	return v && !v->all;
}

uint32_t lun_view_end(const struct lun_view *v)
{
	return v->all ? LUN_MAX + 1 : v->end;
}
