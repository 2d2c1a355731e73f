/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pr-file.c - what APTPL keeps (SPC-5 5.13.5): a file for each logical unit, named and marked with its place.  Lines:
 *
 *	lun NUMBER TARGET
 *	reservation TYPE
 *	registration KEY RELATIVE-PORT HOLDER INITIATOR-PORT
 */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "engine/log.h"
#include "engine/statefile.h"
#include "scsi/pr.h"

#define LOG_DOMAIN LOGD_SCSI

static char *file_name(const struct lun *lun)
{
	return g_strdup_printf("%s,%u.pr", target_name(lun->target), lun->number);
}

int pr_save(const struct lun *lun, const struct pr_state *s)
{
	g_autofree char *name = file_name(lun);
	g_autoptr(GString) text = g_string_new(NULL);

	g_string_append_printf(text, "lun %u %s\nreservation %u\n", lun->number, target_name(lun->target), s->kind);
	for (guint i = 0; i < s->regs->len; i++) {
		const struct pr_reg *r = pr_nth(s, i);

		if (!r->gone)
			g_string_append_printf(text, "registration %016" G_GINT64_MODIFIER "x %u %u %s\n", r->key,
					       r->rel_port, r->holder, r->port);
	}
	return statefile_save(target_state_dir(lun->target), name, text->str, text->len);
}

int pr_forget(const struct lun *lun)
{
	g_autofree char *name = file_name(lun);

	return statefile_remove(target_state_dir(lun->target), name);
}

/* ---- reading ---- */

static bool parse_registration(struct pr_state *s, const char *line)
{
	g_auto(GStrv) field = g_strsplit(line, " ", 5);
	guint64 key, rel_port, holder;

	if (g_strv_length(field) != 5 || strcmp(field[0], "registration") || !*field[4] ||
	    strlen(field[4]) >= PR_PORT_SIZE || s->regs->len >= PR_REGS_MAX ||
	    !g_ascii_string_to_unsigned(field[1], 16, 1, G_MAXUINT64, &key, NULL) ||
	    !g_ascii_string_to_unsigned(field[2], 10, 0, UINT16_MAX, &rel_port, NULL) ||
	    !g_ascii_string_to_unsigned(field[3], 10, 0, 1, &holder, NULL) ||
	    pr_find(s, field[4], (uint16_t)rel_port))
		return false;
	pr_add(s, field[4], (uint16_t)rel_port, key)->holder = holder;
	return true;
}

/* A reservation with one holder has it, others have none marked. */
static bool is_sound(const struct pr_state *s)
{
	const struct pr_type *type = pr_type_of(s->kind);
	unsigned holders = 0;

	for (guint i = 0; i < s->regs->len; i++)
		holders += pr_nth(s, i)->holder;
	if (s->kind && (!type || !s->regs->len))
		return false;
	return holders == (type && !type->all ? 1 : 0);
}

static struct pr_state *parse(const struct lun *lun, const char *text)
{
	g_autofree char *self = g_strdup_printf("lun %u %s", lun->number, target_name(lun->target));
	g_auto(GStrv) line = g_strsplit(text, "\n", -1);
	guint n = g_strv_length(line);
	struct pr_state *s = pr_state_new();
	bool good = n >= 3 && !strcmp(line[0], self) && g_str_has_prefix(line[1], "reservation ") && !*line[n - 1];
	guint64 kind = 0;

	good = good && g_ascii_string_to_unsigned(line[1] + strlen("reservation "), 10, 0, UINT8_MAX, &kind, NULL);
	s->kind = (uint8_t)kind;
	s->aptpl = true;
	for (guint i = 2; good && i < n - 1; i++)
		good = parse_registration(s, line[i]);
	if (good && is_sound(s))
		return s;
	pr_state_free(s);
	return NULL;
}

static void refuse(const struct lun *lun, int r, GError **error)
{
	g_set_error(error, TARGET_ERROR, TARGET_ERROR_INVALID, "lun %u: persistent reservations cannot be read: %s",
		    lun->number, g_strerror(-r));
}

/*
 * Damaged, it says nothing that could be believed: it is put aside for a person to look at, and the logical unit starts
 * without reservations.  Where it cannot even be moved, the logical unit does not come up.
 */
static void set_aside(const struct lun *lun, const char *name, GError **error)
{
	int r = statefile_set_aside(target_state_dir(lun->target), name);

	if (r)
		refuse(lun, r, error);
	else
		log_error_of(lun_fields(lun), "target %s lun %u: persistent reservations are lost: %s/%s was damaged, and is %s.bad now",
			     target_name(lun->target), lun->number, target_state_dir(lun->target), name, name);
}

struct pr_state *pr_load(const struct lun *lun, GError **error)
{
	const char *dir = target_state_dir(lun->target);
	g_autofree char *name = file_name(lun);
	g_autofree uint8_t *data = NULL;
	struct pr_state *s = NULL;
	size_t len = 0;
	int r = dir ? statefile_load(dir, name, &data, &len) : -ENOENT;

	if (!r && strlen((const char *)data) == len)
		s = parse(lun, (const char *)data);
	if (r == -EBADMSG || (!r && !s))
		set_aside(lun, name, error);
	else if (r && r != -ENOENT)
		refuse(lun, r, error);
	return s;
}
