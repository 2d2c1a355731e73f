/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job-keep.c - work on a logical unit that is not done, or has failed, in a state file: so that after a restart it does
 * not look done.  One line: "sanitize", "sanitize unrestricted" (AUSE) or "format".
 */
#include "config.h"
#include <errno.h>
#include <string.h>
#include "engine/log.h"
#include "engine/statefile.h"
#include "scsi/job.h"

#define LOG_DOMAIN LOGD_SCSI

static const struct { const char *text; unsigned failed; bool ause; } lines[] = {
	{ "sanitize\n", LUN_SANITIZE_FAILED, false },
	{ "sanitize unrestricted\n", LUN_SANITIZE_FAILED, true },
	{ "format\n", LUN_FORMAT_FAILED, false },
};

static char *file_name(const struct lun *lun)
{
	return g_strdup_printf("%s,%u.job", target_name(lun->target), lun->number);
}

int job_keep(struct lun *lun, unsigned failed)
{
	bool ause = failed == LUN_SANITIZE_FAILED && atomic_load(&lun->sanitize_ause);
	g_autofree char *name = file_name(lun);
	int r = -EINVAL;

	pthread_mutex_lock(&lun->save_lock);
	for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++)
		if (lines[i].failed == failed && lines[i].ause == ause)
			r = statefile_save(target_state_dir(lun->target), name, lines[i].text, strlen(lines[i].text));
	pthread_mutex_unlock(&lun->save_lock);
	if (r)
		log_error_of(lun_fields(lun), "target %s lun %u: what is under way cannot be kept in %s: %s",
			     target_name(lun->target), lun->number, target_state_dir(lun->target), g_strerror(-r));
	return r;
}

int job_forget(struct lun *lun, unsigned busy)
{
	g_autofree char *name = file_name(lun);
	int r = 0;

	pthread_mutex_lock(&lun->save_lock);
	if ((lun_state(lun) & LUN_JOB_BUSY) == busy)	/* else the file is another's by now */
		r = statefile_remove(target_state_dir(lun->target), name);
	pthread_mutex_unlock(&lun->save_lock);
	if (r)
		log_error_of(lun_fields(lun), "target %s lun %u: what was done still counts as failed after a restart: %s",
			     target_name(lun->target), lun->number, g_strerror(-r));
	return r;
}

static int decode(struct lun *lun, const char *text, size_t len)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++)
		if (len == strlen(lines[i].text) && !memcmp(text, lines[i].text, len)) {
			atomic_store(&lun->sanitize_ause, lines[i].ause);
			lun_set_state(lun, 0, lines[i].failed);
			return 0;
		}
	return -EBADMSG;
}

/* That there is a file is what matters: whatever is wrong with it, the worst it can have said holds. */
void job_restore(struct lun *lun)
{
	const char *dir = target_state_dir(lun->target);
	g_autofree char *name = file_name(lun);
	g_autofree uint8_t *data = NULL;
	size_t len = 0;
	int r = dir ? statefile_load(dir, name, &data, &len) : -ENOENT;

	if (r == -ENOENT)
		return;
	if (r || decode(lun, (const char *)data, len))
		lun_set_state(lun, 0, LUN_SANITIZE_FAILED);
	log_warning_of(lun_fields(lun), "target %s lun %u: a SANITIZE or FORMAT UNIT was not done: it takes no reads or "
		       "writes before one is (%s/%s)", target_name(lun->target), lun->number, dir, name);
}
