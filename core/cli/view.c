/* SPDX-License-Identifier: Apache-2.0 */
/* view.c - see view.h */
#include "config.h"
#include <string.h>
#include "cli/view.h"

const char *const view_sorts[SORTS + 1] = {
	[SORT_IOPS] = "iops", [SORT_BANDWIDTH] = "bandwidth", [SORT_LATENCY] = "latency", [SORT_QUEUE] = "queue",
	[SORT_NAME] = "name",
};

enum { NAME_MIN = 16 };

/* ---- cells ---- */

static char *safe(const char *text)
{
	char *valid = g_utf8_make_valid(text, -1);

	for (char *p = valid; *p; p++)
		if (g_ascii_iscntrl(*p))
			*p = '?';
	return valid;
}

void view_cell(GString *out, const char *text, unsigned wide, bool right, bool end)
{
	g_autofree char *valid = safe(text);
	glong len = g_utf8_strlen(valid, -1), over = len - (glong)wide;

	if (right && over < 0)
		g_string_append_printf(out, "%*s", (int)-over, "");
	if (over > 0 && end) {
		g_string_append_c(out, '<');
		g_string_append(out, g_utf8_offset_to_pointer(valid, over + 1));
	} else if (over > 0) {
		g_string_append_len(out, valid, g_utf8_offset_to_pointer(valid, (glong)wide) - valid);
	} else {
		g_string_append(out, valid);
	}
	if (!right && over < 0)
		g_string_append_printf(out, "%*s", (int)-over, "");
}

static char *megabytes(double bytes)
{
	return g_strdup_printf("%.1f", bytes / 1e6);
}

static char *cell_iops(const struct rates *r)
{
	return g_strdup_printf("%.0f", r->iops);
}

static char *cell_read(const struct rates *r)
{
	return megabytes(r->read_bytes_s);
}

static char *cell_write(const struct rates *r)
{
	return megabytes(r->write_bytes_s);
}

static char *cell_avg(const struct rates *r)
{
	return format_us(r->avg_us);
}

static char *cell_p99(const struct rates *r)
{
	return format_us(r->p99_us);
}

static char *cell_queue(const struct rates *r)
{
	return g_strdup_printf("%" G_GUINT64_FORMAT, r->queue_depth);
}

static char *cell_errors(const struct rates *r)
{
	return g_strdup_printf("%" G_GUINT64_FORMAT, r->errors);
}

static const struct {
	const char *title;
	unsigned wide;
	char *(*text)(const struct rates *r);
} cells[] = {
	{ "IOPS", 9, cell_iops }, { "R MB/s", 9, cell_read }, { "W MB/s", 9, cell_write }, { "AVG", 9, cell_avg },
	{ "P99", 9, cell_p99 }, { "QUEUE", 6, cell_queue }, { "ERRORS", 7, cell_errors },
};

/* ---- order ---- */

static int by(double a, double b)
{
	return a > b ? -1 : a < b;
}

static int by_name(const struct counted *a, const struct counted *b)
{
	int order = g_strcmp0(a->target, b->target);

	if (!order)
		order = by(-g_ascii_strtod(a->name ? a->name : "", NULL), -g_ascii_strtod(b->name ? b->name : "", NULL));
	return order;
}

/* The most first; what is equal by its name, so that it does not jump about. */
static gint compare(gconstpointer a, gconstpointer b, gpointer data)
{
	const struct rates *x = a, *y = b;
	int order = 0;

	switch (((const struct view *)data)->sort) {
	case SORT_IOPS:
		order = by(x->iops, y->iops);
		break;
	case SORT_BANDWIDTH:
		order = by(x->read_bytes_s + x->write_bytes_s, y->read_bytes_s + y->write_bytes_s);
		break;
	case SORT_LATENCY:
		order = by(x->p99_us, y->p99_us);
		break;
	case SORT_QUEUE:
		order = by((double)x->queue_depth, (double)y->queue_depth);
		break;
	case SORT_NAME:
	case SORTS:
		break;
	}
	return order ? order : by_name(x->of, y->of);
}

/* ---- lines ---- */

static void end_line(const struct view *v, GString *out, gsize start)
{
	glong len = g_utf8_strlen(out->str + start, -1);

	if (v->columns && len > (glong)v->columns)
		g_string_truncate(out, (gsize)(g_utf8_offset_to_pointer(out->str + start, (glong)v->columns) - out->str));
	while (out->len > start && out->str[out->len - 1] == ' ')
		g_string_truncate(out, out->len - 1);
	g_string_append_c(out, '\n');
}

static void summary(const struct view *v, GString *out, const struct reading *now, const struct reading *before,
		    double seconds)
{
	struct rates all = rates_sum(now, before, COUNTED_TARGET, seconds);
	g_autofree char *avg = format_us(all.avg_us), *p99 = format_us(all.p99_us);
	unsigned up = (unsigned)now->uptime_s;
	gsize start = out->len;

	g_string_append_printf(out, "up %u:%02u:%02u, in %.1f s: %.0f IOPS, read %.1f MB/s, write %.1f MB/s, avg %s, p99 %s, "
			       "queue %" G_GUINT64_FORMAT, up / 3600, up / 60 % 60, up % 60, seconds, all.iops,
			       all.read_bytes_s / 1e6, all.write_bytes_s / 1e6, avg, p99, all.queue_depth);
	end_line(v, out, start);
	if (!v->keys)
		return;
	start = out->len;
	g_string_append_printf(out, "%s by %s  (l LUNs, t sessions, s sort, q quit)",
			       v->kind == COUNTED_LU ? "LUNs" : "sessions", view_sorts[v->sort]);
	end_line(v, out, start);
}

static unsigned longest_name(const GArray *rows)
{
	glong most = NAME_MIN;

	for (unsigned i = 0; i < rows->len; i++) {
		const struct counted *c = g_array_index(rows, struct rates, i).of;

		most = MAX(most, c->target ? g_utf8_strlen(c->target, -1) : 0);
		most = MAX(most, c->initiator ? g_utf8_strlen(c->initiator, -1) : 0);
	}
	return (unsigned)most;
}

/* What the rest leaves to names: a column, or two that share it. */
static unsigned name_width(const struct view *v, const GArray *rows, unsigned names)
{
	unsigned fixed = 7;	/* LUN, TSIH */

	if (!v->columns)
		return longest_name(rows);
	for (size_t i = 0; i < G_N_ELEMENTS(cells); i++)
		fixed += cells[i].wide;
	return MAX((MAX(v->columns, fixed) - fixed) / names, NAME_MIN) - 1;
}

static void add_name(GString *out, const char *text, unsigned wide)
{
	view_cell(out, text ? text : "-", wide, false, true);
	g_string_append_c(out, ' ');
}

static void heading_line(const struct view *v, GString *out, unsigned wide)
{
	gsize start = out->len;

	if (v->kind == COUNTED_SESSION)
		add_name(out, "INITIATOR", wide);
	add_name(out, "TARGET NAME", wide);
	view_cell(out, v->kind == COUNTED_LU ? "LUN" : "TSIH", 7, true, false);
	for (size_t i = 0; i < G_N_ELEMENTS(cells); i++)
		view_cell(out, cells[i].title, cells[i].wide, true, false);
	end_line(v, out, start);
}

static void row_line(const struct view *v, GString *out, const struct rates *r, unsigned wide)
{
	gsize start = out->len;

	if (v->kind == COUNTED_SESSION)
		add_name(out, r->of->initiator, wide);
	add_name(out, r->of->target, wide);
	view_cell(out, r->of->name ? r->of->name : "-", 7, true, false);
	for (size_t i = 0; i < G_N_ELEMENTS(cells); i++) {
		g_autofree char *text = cells[i].text(r);

		view_cell(out, text, cells[i].wide, true, false);
	}
	end_line(v, out, start);
}

/* A window can be lower than what is above the table. */
static void cut_lines(GString *out, unsigned lines)
{
	const char *end = lines ? out->str : NULL;

	while (end && lines--) {
		end = strchr(end, '\n');
		end = end ? end + 1 : NULL;
	}
	if (end)
		g_string_truncate(out, (gsize)(end - out->str));
}

GString *view_text(const struct view *v, const struct reading *now, const struct reading *before, unsigned *heading)
{
	double seconds = reading_seconds(now, before);
	g_autoptr(GArray) rows = rates_new(now, before, v->kind, seconds);
	unsigned wide = name_width(v, rows, v->kind == COUNTED_SESSION ? 2 : 1);
	unsigned above = v->keys ? 3 : 2;	/* lines, with the heading */
	unsigned room = v->lines ? MAX(v->lines, above) - above : G_MAXUINT;
	GString *out = g_string_new(NULL);

	g_array_sort_with_data(rows, compare, (gpointer)v);
	summary(v, out, now, before, seconds);
	*heading = above - 1;
	heading_line(v, out, wide);
	for (unsigned i = 0; i < MIN(rows->len, room); i++)
		row_line(v, out, &g_array_index(rows, struct rates, i), wide);
	cut_lines(out, v->lines);
	return out;
}
