/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mode-save.c - the changeable bits of mode pages in a state file, by their place in the pages, so that a file
 * outlives other rows in the table.  One byte of format, then five a bit: page, subpage, byte, mask, value.
 */
#include "config.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include "engine/log.h"
#include "engine/statefile.h"
#include "scsi/lun.h"
#include "scsi/mode.h"

#define LOG_DOMAIN LOGD_SCSI

enum { FORMAT = 1, ENTRY = 5 };

static char *file_name(const struct lun *lun)
{
	return g_strdup_printf("%s,%u.mode", target_name(lun->target), lun->number);
}

static const struct mode_bit *find_bit(const uint8_t *entry)
{
	const struct mode_bit *b;

	for (unsigned i = 0; (b = mode_bit_nth(i)); i++)
		if (b->page == entry[0] && b->subpage == entry[1] && b->byte == entry[2] && b->mask == entry[3])
			return b;
	return NULL;
}

/* 0 or -EBADMSG. */
static int decode(const struct lun *lun, const uint8_t *data, size_t len, unsigned *state)
{
	if (len < 1 || data[0] != FORMAT || (len - 1) % ENTRY)
		return -EBADMSG;
	for (size_t at = 1; at < len; at += ENTRY) {
		const struct mode_bit *b = find_bit(data + at);

		if (data[at + 4] > 1)
			return -EBADMSG;
		if (b && mode_bit_changeable(lun, b))
			*state = data[at + 4] ? *state | b->state : *state & ~b->state;
	}
	return 0;
}

void mode_restore(struct lun *lun)
{
	const char *dir = target_state_dir(lun->target);
	g_autofree char *name = file_name(lun);
	g_autofree uint8_t *data = NULL;
	unsigned state = lun_default_mode(lun);
	size_t len = 0;
	int r = dir ? statefile_load(dir, name, &data, &len) : -ENOENT;

	if (!r)
		r = decode(lun, data, len, &state);
	if (r && r != -ENOENT)
		log_warning_of(lun_fields(lun), "target %s lun %u: saved mode pages cannot be used: %s",
			       target_name(lun->target), lun->number,
			       r == -EBADMSG ? "the file is damaged" : g_strerror(-r));
	if (r == -EBADMSG)
		statefile_set_aside(dir, name);
	atomic_store(&lun->saved_mode, r ? lun_default_mode(lun) : state);
	lun_set_state(lun, LUN_MODE_BITS, atomic_load(&lun->saved_mode));
}

/* lun->save_lock held. */
static int save(struct lun *lun, unsigned state)
{
	g_autoptr(GByteArray) all = g_byte_array_new();
	g_autofree char *name = file_name(lun);
	const struct mode_bit *b;
	uint8_t format = FORMAT;

	g_byte_array_append(all, &format, 1);
	for (unsigned i = 0; (b = mode_bit_nth(i)); i++) {
		uint8_t entry[ENTRY] = { b->page, b->subpage, b->byte, b->mask, (state & b->state) != 0 };

		g_byte_array_append(all, entry, sizeof entry);
	}
	return statefile_save(target_state_dir(lun->target), name, all->data, all->len);
}

bool mode_save(struct lun *lun, unsigned clear, unsigned set)
{
	unsigned state;
	int r;

	pthread_mutex_lock(&lun->save_lock);
	state = ((lun_state(lun) & ~clear) | set) & LUN_MODE_BITS;
	r = save(lun, state);
	if (!r) {
		lun_set_state(lun, clear, set);
		atomic_store(&lun->saved_mode, state);
	}
	pthread_mutex_unlock(&lun->save_lock);
	if (r)
		log_error_of(lun_fields(lun), "target %s lun %u: mode pages cannot be saved: %s", target_name(lun->target),
			     lun->number, g_strerror(-r));
	return !r;
}
