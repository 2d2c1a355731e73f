/* SPDX-License-Identifier: Apache-2.0 */
/* suite-host.c - the fake host: knows each request, counts its answers, and watches what the plugin does with it. */
#include "config.h"
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "backstore/settings.h"
#include "sdk/suite-internal.h"

#define PRIV_GUARD_BYTES 64u
#define PRIV_FILL 0xee	/* of the plugin's, not cleared */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct sent *all;
static bool contained, opening, verbose;
static char last_error[512], breach[512];
static uint64_t resized_to;
static struct timespec deadline;
static struct suite_note own_note, *note = &own_note;

static void init(void)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&answered, &attr);
	pthread_condattr_destroy(&attr);
}

/* ---- names ---- */

static const char *const ops[] = {
	[GOTGT_OP_READ] = "READ", [GOTGT_OP_WRITE] = "WRITE", [GOTGT_OP_FLUSH] = "FLUSH", [GOTGT_OP_UNMAP] = "UNMAP",
	[GOTGT_OP_ZERO] = "ZERO",
};

static const char *const statuses[] = {
	[GOTGT_OK] = "GOTGT_OK", [GOTGT_ERR_IO] = "GOTGT_ERR_IO", [GOTGT_ERR_NO_SPACE] = "GOTGT_ERR_NO_SPACE",
	[GOTGT_ERR_READ_ONLY] = "GOTGT_ERR_READ_ONLY", [GOTGT_ERR_BUSY] = "GOTGT_ERR_BUSY",
	[GOTGT_ERR_NOT_READY] = "GOTGT_ERR_NOT_READY", [GOTGT_ERR_UNSUPPORTED] = "GOTGT_ERR_UNSUPPORTED",
	[GOTGT_ERR_CANCELED] = "GOTGT_ERR_CANCELED", [GOTGT_ERR_AGAIN] = "GOTGT_ERR_AGAIN",
	[GOTGT_ERR_NO_MEMORY] = "GOTGT_ERR_NO_MEMORY",
};

const char *suite_status_name(enum gotgt_status status)
{
	return (unsigned)status < G_N_ELEMENTS(statuses) ? statuses[status] : "a status that there is not";
}

/* "WRITE of 512 bytes at 0" */
static void describe(const struct sent *q, char *text, size_t size)
{
	const struct gotgt_io *io = &q->as_sent;
	const char *now = io->flags & GOTGT_IO_NOWAIT ? " with GOTGT_IO_NOWAIT" : "";

	if (io->op == GOTGT_OP_FLUSH)
		snprintf(text, size, "FLUSH");
	else
		snprintf(text, size, "%s of %" PRIu64 " bytes at %" PRIu64 "%s", ops[io->op], io->length, io->offset, now);
}

/* ---- what goes wrong ---- */

/* With the lock held. */
static void G_GNUC_PRINTF(1, 2) note_breach(const char *fmt, ...)
{
	va_list ap;

	if (breach[0])
		return;
	va_start(ap, fmt);
	vsnprintf(breach, sizeof breach, fmt, ap);
	va_end(ap);
}

const char *suite_breach(void)
{
	const char *text;

	pthread_mutex_lock(&lock);
	text = breach[0] ? breach : NULL;
	pthread_mutex_unlock(&lock);
	return text;
}

/* There is nothing to go on with: the device cannot be closed while a request is under way. */
static _Noreturn void give_up(const struct sent *q)
{
	char text[160];

	describe(q, text, sizeof text);
	if (!contained) {
		fprintf(stderr, "suite: never answered: %s\n", text);
		abort();
	}
	pthread_mutex_lock(&lock);
	note->result.verdict = SUITE_FAILED;
	if (breach[0])
		snprintf(note->result.why, sizeof note->result.why, "never answered: %s; and it %.300s", text, breach);
	else
		snprintf(note->result.why, sizeof note->result.why, "never answered: %s", text);
	note->finished = true;
	_exit(0);
}

void suite_contain(struct suite_note *shared)
{
	note = shared;
	contained = true;
}

void suite_killing(void)
{
	note->killing = true;
}

void suite_doing(const char *what)
{
	pthread_mutex_lock(&lock);
	g_strlcpy(note->doing, what, sizeof note->doing);
	pthread_mutex_unlock(&lock);
}

void suite_begin(const struct suite_conf *conf)
{
	pthread_once(&once, init);
	pthread_mutex_lock(&lock);
	breach[0] = '\0';
	resized_to = 0;
	verbose = conf->verbose;
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += (time_t)(conf->limit_s ? conf->limit_s : SUITE_LIMIT_S);
	pthread_mutex_unlock(&lock);
}

void suite_end(void)
{
	pthread_mutex_lock(&lock);
	deadline = (struct timespec){ 0 };
	pthread_mutex_unlock(&lock);
}

uint64_t suite_resized_to(void)
{
	uint64_t size;

	pthread_mutex_lock(&lock);
	size = resized_to;
	pthread_mutex_unlock(&lock);
	return size;
}

/* ---- what plugins call ---- */

static struct sent *find(const struct gotgt_io *io)
{
	struct sent *q = all;

	while (q && &q->io != io)
		q = q->next;
	return q;
}

static bool priv_ok(const struct sent *q)
{
	for (size_t i = 0; i < PRIV_GUARD_BYTES; i++)
		if (q->priv[q->dev->ops->io_priv_size + i] != PRIV_FILL)
			return false;
	return true;
}

/* Statuses that are answers to something particular. */
static const char *status_wrong(const struct sent *q, enum gotgt_status status)
{
	if ((unsigned)status >= G_N_ELEMENTS(statuses))
		return "with a status that there is not";
	if (status == GOTGT_ERR_AGAIN && !(q->as_sent.flags & GOTGT_IO_NOWAIT))
		return "with GOTGT_ERR_AGAIN, which is for GOTGT_IO_NOWAIT only";
	if (status == GOTGT_ERR_CANCELED && !q->canceled)
		return "with GOTGT_ERR_CANCELED, and nobody canceled it";
	return NULL;
}

static void judge_answer(const struct sent *q, enum gotgt_status status)
{
	const char *wrong = status_wrong(q, status);
	char text[160];

	describe(q, text, sizeof text);
	if (q->n_done)
		note_breach("answered twice: %s", text);
	else if (wrong)
		note_breach("answered %s: %s", wrong, text);
	else if (memcmp(&q->io, &q->as_sent, sizeof q->io))
		note_breach("changed its struct gotgt_io: %s", text);
	else if (!priv_ok(q))
		note_breach("wrote beyond io_priv_size: %s", text);
}

static void host_io_done(struct gotgt_io *io, enum gotgt_status status)
{
	struct sent *q;

	pthread_mutex_lock(&lock);
	q = find(io);
	if (q) {
		judge_answer(q, status);
		if (!q->n_done++)
			q->status = status;
		pthread_cond_broadcast(&answered);
	} else {
		note_breach("answered a request that it does not have");
	}
	pthread_mutex_unlock(&lock);
}

static void GOTGT_PRINTF(3, 4) host_log(struct gotgt_lun *lun, enum gotgt_log_level level, const char *fmt, ...)
{
	static const char *const levels[] = { "error", "warning", "info", "debug" };
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&lock);
	if (level == GOTGT_LOG_ERROR)
		g_strlcpy(last_error, line, sizeof last_error);
	if (verbose)
		fprintf(stderr, "# %s: %s\n", (unsigned)level < G_N_ELEMENTS(levels) ? levels[level] : "log", line);
	pthread_mutex_unlock(&lock);
}

static void host_resized(struct gotgt_lun *lun, uint64_t size)
{
	pthread_mutex_lock(&lock);
	if (opening)
		note_breach("called resized() within open()");
	resized_to = size;
	pthread_mutex_unlock(&lock);
}

static const void *host_extension(const char *id)
{
	return NULL;
}

const struct gotgt_host suite_host = {
	.abi = GOTGT_ABI, .size = sizeof suite_host, .io_done = host_io_done, .log = host_log,
	.resized = host_resized, .extension = host_extension,
};

/* ---- requests ---- */

struct sent *sent_new(struct suite_dev *d, uint32_t op, uint32_t flags, uint64_t offset, uint64_t length)
{
	struct sent *q = g_new0(struct sent, 1);

	q->dev = d;
	q->priv = g_malloc(d->ops->io_priv_size + PRIV_GUARD_BYTES);
	memset(q->priv, PRIV_FILL, d->ops->io_priv_size + PRIV_GUARD_BYTES);
	q->io = (struct gotgt_io){ .op = op, .flags = flags, .offset = offset, .length = length, .priv = q->priv };
	pthread_once(&once, init);
	pthread_mutex_lock(&lock);
	q->next = all;
	all = q;
	pthread_mutex_unlock(&lock);
	return q;
}

void sent_data(struct sent *q, void *data)
{
	q->iov = (struct iovec){ data, (size_t)q->io.length };
	q->io.iov = &q->iov;
	q->io.iovcnt = 1;
}

static void say(const struct sent *q, const char *call)
{
	char text[160], line[192];

	describe(q, text, sizeof text);
	snprintf(line, sizeof line, "%s: %s", call, text);
	suite_doing(line);
}

void sent_submit(struct sent *q)
{
	pthread_mutex_lock(&lock);
	q->as_sent = q->io;
	q->submitted = true;
	pthread_mutex_unlock(&lock);
	say(q, "submit()");
	q->dev->ops->submit(q->dev->handle, &q->io);
}

void sent_cancel(struct sent *q)
{
	bool submitted;

	pthread_mutex_lock(&lock);
	q->canceled = submitted = q->submitted;
	pthread_mutex_unlock(&lock);
	if (!submitted)
		return;
	say(q, "cancel()");
	q->dev->ops->cancel(q->dev->handle, &q->io);
}

unsigned sent_answers(const struct sent *q)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = q->n_done;
	pthread_mutex_unlock(&lock);
	return n;
}

enum gotgt_status sent_wait(struct sent *q)
{
	enum gotgt_status status;
	bool done;
	int r = 0;

	pthread_mutex_lock(&lock);
	while (!q->n_done && r != ETIMEDOUT)
		r = deadline.tv_sec ? pthread_cond_timedwait(&answered, &lock, &deadline) :
				      pthread_cond_wait(&answered, &lock);
	done = q->n_done;
	status = q->status;
	pthread_mutex_unlock(&lock);
	if (!done)
		give_up(q);
	return status;
}

/* Those of a device that is closed: exactly one answer each. */
static void forget(const struct suite_dev *d)
{
	pthread_mutex_lock(&lock);
	for (struct sent **at = &all; *at; ) {
		struct sent *q = *at;

		if (q->dev != d) {
			at = &q->next;
			continue;
		}
		*at = q->next;
		g_free(q->priv);
		g_free(q);
	}
	pthread_mutex_unlock(&lock);
}

/* ---- devices ---- */

bool suite_open(struct suite_dev *d, const struct module *m, const char *const *settings, char **error)
{
	g_autoptr(GError) wrong = NULL;
	/* Opaque, and not NULL. */
	static char lun;
	int r;

	*d = (struct suite_dev){ .ops = &m->ops };
	*error = NULL;
	d->settings = settings_parse(d->ops, settings, &wrong);
	if (!d->settings) {
		*error = g_strdup(wrong->message);
		return false;
	}
	suite_doing("open()");
	pthread_mutex_lock(&lock);
	last_error[0] = '\0';
	opening = true;
	pthread_mutex_unlock(&lock);
	r = d->ops->open((struct gotgt_lun *)&lun, settings_conf(d->settings), &d->info, &d->handle);
	pthread_mutex_lock(&lock);
	opening = false;
	if (r > 0)
		note_breach("open() returned %d, which is no negative errno value", r);
	else if (r && !last_error[0])
		note_breach("open() returned %d and did not say why with gotgt_error()", r);
	if (r)
		*error = last_error[0] ? g_strdup(last_error) : g_strdup_printf("open() returned %d", r);
	pthread_mutex_unlock(&lock);
	if (r) {
		settings_free(d->settings);
		return false;
	}
	d->info.block_size = d->info.block_size ? d->info.block_size : 512;
	d->info.size -= d->info.size % d->info.block_size;
	return true;
}

void suite_close(struct suite_dev *d)
{
	suite_doing("close()");
	d->ops->close(d->handle);
	forget(d);
	settings_free(d->settings);
}

enum gotgt_status suite_io(struct suite_dev *d, uint32_t op, uint32_t flags, uint64_t offset, void *data,
			   uint64_t length)
{
	struct sent *q = sent_new(d, op, flags, offset, length);

	if (data)
		sent_data(q, data);
	sent_submit(q);
	return sent_wait(q);
}
