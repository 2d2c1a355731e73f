/* SPDX-License-Identifier: Apache-2.0 */
/* job.c - SANITIZE (SBC-4 5.30) and FORMAT UNIT (5.4) once they run: step by step over a logical unit. */
#include "config.h"
#include <string.h>
#include "scsi/cdb.h"
#include "scsi/job.h"
#include "scsi/lun.h"
#include "scsi/task.h"
#include "scsi/watch.h"

#define STEP_WRITE (4u << 20)
#define STEP_RANGE (64u << 20)	/* of what moves no data */
#define PACE_MS 50u		/* the longest it sleeps at once */
#define PROGRESS_WHOLE 65536u	/* SPC-5 4.4.2.4.4 */

struct job {
	struct lun *lun;
	struct reactor *reactor;
	struct task *task;		/* ends with it; NULL: none, or aborted */
	const struct kind *kind;
	struct range range;
	struct device_io dio;
	struct timer timer, watch;
	union { struct post post; struct work work; };
	int kept;			/* 0 or a negative errno */
	uint32_t op, flags, step;
	unsigned pass, passes;
	bool invert, flushing, immed, ause, stuck;
	unsigned failed_before;		/* bits of LUN_JOB_FAILED, for give_up() */
	bool ause_before;
	uint64_t size, at;		/* bytes: of a pass, done of this one */
	uint64_t began_ms;
	uint32_t least_ms;
	uint8_t pattern[JOB_PATTERN_MAX];
};

static const struct kind {
	unsigned busy, failed;		/* enum lun_bits */
	uint8_t busy_code, failed_code;	/* enum sense_code */
} kinds[] = {
	[JOB_SANITIZE] = { LUN_SANITIZING, LUN_SANITIZE_FAILED, SENSE_SANITIZE_IN_PROGRESS, SENSE_SANITIZE_FAILED },
	[JOB_FORMAT] = { LUN_FORMATTING, LUN_FORMAT_FAILED, SENSE_FORMAT_IN_PROGRESS, SENSE_FORMAT_FAILED },
};

uint8_t job_sense(const struct lun *lun, struct sense_field *field)
{
	unsigned state = lun_state(lun);

	*field = (struct sense_field){ .valid = false };
	for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (state & kinds[i].busy) {
			field->valid = true;
			field->byte = (uint16_t)atomic_load(&((struct lun *)lun)->job_progress);
			return kinds[i].busy_code;
		}
	for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (state & kinds[i].failed)
			return kinds[i].failed_code;
	return SENSE_NONE;
}

bool job_refuses(struct task *t)
{
	unsigned state = lun_state(t->lun), flags = t->op->flags;
	struct sense_field field;

	if (state & LUN_JOB_BUSY ? flags & CDB_JOB_OK : !(flags & CDB_MEDIUM) || flags & CDB_JOB_ENDS)
		return false;
	task_fail_at(t, job_sense(t->lun, &field), &field);
	return true;
}

void job_stop(struct lun *lun)
{
	atomic_store(&lun->job_stop, true);
}

/* ---- steps ---- */

enum outcome { DONE, FAILED, STOPPED };

static void end_task(struct job *j, enum outcome outcome)
{
	struct task *t = j->task;

	if (!t || !task_back(t))
		return;
	if (outcome == DONE)
		task_done(t);
	else if (outcome == FAILED)
		task_fail(t, j->kind->failed_code);
	else
		task_status(t, STATUS_TASK_ABORTED);
}

static void end(struct job *j, enum outcome outcome)
{
	struct lun *lun = j->lun;
	struct reactor *reactor = j->reactor;

	lun->job = NULL;
	lun_set_state(lun, j->kind->busy, outcome == FAILED ? j->kind->failed : 0);
	end_task(j, outcome);
	g_free(j);
	lun_release(lun, reactor);
}

/* ---- the state file; a worker has the job, and brings it home ---- */

static bool has_file(const struct job *j)
{
	return target_state_dir(j->lun->target);
}

static void go_home(struct job *j, void (*run)(struct post *p))
{
	j->post = (struct post){ .run = run };
	reactor_post(j->reactor, &j->post);
}

static void to_worker(struct job *j, void (*run)(struct work *w))
{
	j->work = (struct work){ .run = run };
	workers_push(j->lun->target->engine->workers, &j->work, NULL);
}

static void forgotten(struct post *p)
{
	end(container_of(p, struct job, post), DONE);
}

static void forget(struct work *w)
{
	struct job *j = container_of(w, struct job, work);

	job_forget(j->lun, j->kind->busy);
	go_home(j, forgotten);
}

static double fraction(const struct job *j)
{
	return ((double)j->pass + (double)MIN(j->at, j->size) / (double)MAX(j->size, 1)) / (double)j->passes;
}

static void turn_over(struct job *j)
{
	for (uint32_t i = 0; i < sizeof j->pattern; i++)
		j->pattern[i] = (uint8_t)~j->pattern[i];
}

/* ---- a device that does not answer ---- */

/*
 * Its command is not kept waiting; the job itself stays the device's, which may still write, and goes on when that has
 * answered.
 */
static void overdue(struct timer *timer)
{
	struct job *j = container_of(timer, struct job, watch);
	struct task *t = j->task;

	j->stuck = true;
	watch_stuck(j->lun, j->reactor);
	j->task = NULL;
	if (t && task_back(t))
		task_fail(t, SENSE_COMMAND_TIMEOUT);
}

static void watch(struct job *j)
{
	uint64_t ms = watch_ms(j->lun, WATCH_LONG);

	j->watch.expired = overdue;
	if (ms)
		reactor_timer_set(j->reactor, &j->watch, ms);
}

static void watch_no_more(struct job *j)
{
	reactor_timer_cancel(j->reactor, &j->watch);
	if (j->stuck)
		watch_answers(j->lun, j->reactor);
	j->stuck = false;
}

/* ---- steps over it ---- */

static void step(struct job *j);

static void step_posted(struct post *p)
{
	step(container_of(p, struct job, post));
}

/* Never deeper on the stack, and other events of the reactor first. */
static void step_soon(struct job *j)
{
	go_home(j, step_posted);
}

/* All is written, and stable. */
static void whole(struct job *j)
{
	if (has_file(j))
		to_worker(j, forget);
	else
		end(j, DONE);
}

/* The unit may have become smaller, or larger, since it began. */
static uint64_t size_now(const struct lun *lun)
{
	return lun_blocks(lun) << lun->block_shift;
}

static void end_pass(struct job *j)
{
	j->size = size_now(j->lun);
	if (j->at < j->size)
		return;
	j->at = 0;
	j->pass++;
	if (j->invert)
		turn_over(j);
}

static void step_done(struct device_io *dio, enum gotgt_status status)
{
	struct job *j = container_of(dio, struct job, dio);

	watch_no_more(j);
	if (status != GOTGT_OK && !j->flushing && dio->io.offset + dio->io.length > size_now(j->lun)) {
		end_pass(j);	/* it shrank meanwhile: the step again, as far as there is something */
		step_soon(j);
		return;
	}
	if (status != GOTGT_OK) {
		end(j, FAILED);
		return;
	}
	if (j->flushing) {
		whole(j);
		return;
	}
	j->at += dio->io.length;
	end_pass(j);
	atomic_store(&j->lun->job_progress, (unsigned)MIN(fraction(j) * PROGRESS_WHOLE, PROGRESS_WHOLE - 1));
	step_soon(j);
}

static void paced(struct timer *timer)
{
	step(container_of(timer, struct job, timer));
}

/* Too early for the next step: true, and it comes later. */
static bool pace(struct job *j)
{
	uint64_t due_ms = j->began_ms + (uint64_t)(fraction(j) * j->least_ms), now_ms = reactor_now_ms(j->reactor);

	if (due_ms <= now_ms)
		return false;
	j->timer.expired = paced;
	reactor_timer_set(j->reactor, &j->timer, MIN(due_ms - now_ms, PACE_MS));
	return true;
}

static void step(struct job *j)
{
	if (atomic_load(&j->lun->job_stop)) {
		end(j, STOPPED);
		return;
	}
	if (pace(j))
		return;
	if (j->pass < j->passes)	/* it may be at its end, if the unit has shrunk */
		end_pass(j);
	j->dio.reactor = j->reactor;
	j->dio.done = step_done;
	j->dio.io = (struct gotgt_io){ .op = GOTGT_OP_FLUSH };
	j->flushing = j->pass == j->passes;
	if (!j->flushing) {
		j->dio.io.op = j->op;
		j->dio.io.flags = j->flags;
		j->dio.io.offset = j->at;
		j->dio.io.length = MIN(j->size - j->at, j->step);
		j->dio.pattern = j->pattern;
		j->dio.pattern_len = j->lun->block_size;
	}
	watch(j);
	device_submit(j->lun->dev, &j->dio);
}

/* ---- beginning ---- */

/* Whatever was at the medium has ended; what comes now sees the state.  Nobody need be kept out any more. */
static void alone(struct range *r)
{
	struct job *j = container_of(r, struct job, range);

	range_give(r);
	j->began_ms = reactor_now_ms(j->reactor);
	step_soon(j);
}

static bool leave(struct task *t)
{
	t->lun->job->task = NULL;
	return true;
}

/* One at a time: false, and t has ended. */
static bool claim(struct task *t, struct job *j)
{
	struct lun *lun = t->lun;
	bool free_now;

	pthread_mutex_lock(&lun->lock);
	free_now = !(lun_state(lun) & LUN_JOB_BUSY) && !atomic_load(&lun->job_stop);
	if (free_now) {
		atomic_store(&lun->job_progress, 0);
		j->failed_before = lun_state(lun) & LUN_JOB_FAILED;
		j->ause_before = atomic_exchange(&lun->sanitize_ause, j->ause);
		lun_set_state(lun, LUN_JOB_FAILED, j->kind->busy);
		lun->job = j;
	}
	pthread_mutex_unlock(&lun->lock);
	if (!free_now)
		task_status(t, STATUS_BUSY);
	return free_now;
}

static struct job *job_new(struct task *t, const struct job_conf *conf)
{
	struct job *j = g_try_new0(struct job, 1);

	if (!j) {
		task_status(t, STATUS_BUSY);
		return NULL;
	}
	j->lun = t->lun;
	j->reactor = t->reactor;
	j->kind = &kinds[conf->kind];
	j->op = conf->op;
	j->flags = conf->flags;
	j->step = conf->pattern ? STEP_WRITE : STEP_RANGE;
	j->passes = conf->passes;
	j->invert = conf->invert;
	j->immed = conf->immed;
	j->ause = conf->ause;
	j->least_ms = conf->least_ms;
	j->size = size_now(t->lun);
	if (conf->pattern)
		memcpy(j->pattern, conf->pattern, t->lun->block_size);
	if (j->invert && j->passes % 2 == 0)	/* so that the last pass is the pattern's */
		turn_over(j);
	return j;
}

/* The unit is as it was. */
static void give_up(struct job *j)
{
	struct task *t = j->task;
	struct lun *lun = j->lun;
	struct reactor *reactor = j->reactor;

	lun->job = NULL;
	atomic_store(&lun->sanitize_ause, j->ause_before);
	lun_set_state(lun, j->kind->busy, j->failed_before);
	g_free(j);
	if (t && task_back(t))
		task_fail(t, SENSE_INTERNAL_FAILURE);
	lun_release(lun, reactor);
}

static void begin(struct job *j)
{
	struct task *t = j->task;

	if (t && j->immed) {
		j->task = NULL;
		if (task_back(t))
			task_done(t);
	}
	j->range.granted = alone;
	if (range_take(&j->range, j->lun, j->reactor, 0, UINT64_MAX, true))
		alone(&j->range);
}

static void kept(struct post *p)
{
	struct job *j = container_of(p, struct job, post);

	if (j->kept < 0)
		give_up(j);
	else
		begin(j);
}

static void keep(struct work *w)
{
	struct job *j = container_of(w, struct job, work);

	j->kept = job_keep(j->lun, j->kind->failed);
	go_home(j, kept);
}

void job_start(struct task *t, const struct job_conf *conf)
{
	struct job *j = job_new(t, conf);

	if (!j)
		return;
	if (!claim(t, j)) {
		g_free(j);
		return;
	}
	lun_hold(j->lun, j->reactor);
	j->task = t;
	t->in_query = true;
	t->leave = leave;
	if (has_file(j))
		to_worker(j, keep);
	else
		begin(j);
}
