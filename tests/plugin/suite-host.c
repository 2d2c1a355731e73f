/* SPDX-License-Identifier: Apache-2.0 */
/* suite-host.c - the fake host: counts answers, keeps the last error line. */
#include "config.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "backstore/settings.h"
#include "suite-internal.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;
static char last_error[512];

static void host_io_done(struct gotgt_io *io, enum gotgt_status status)
{
	struct sent *s = (struct sent *)io;

	pthread_mutex_lock(&lock);
	s->n_done++;
	s->status = status;
	pthread_cond_broadcast(&answered);
	pthread_mutex_unlock(&lock);
}

static void GOTGT_PRINTF(3, 4) host_log(struct gotgt_lun *lun, enum gotgt_log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level != GOTGT_LOG_ERROR)
		return;
	pthread_mutex_lock(&lock);
	va_start(ap, fmt);
	vsnprintf(last_error, sizeof last_error, fmt, ap);
	va_end(ap);
	pthread_mutex_unlock(&lock);
}

static void host_resized(struct gotgt_lun *lun, uint64_t size)
{
}

static const void *host_extension(const char *id)
{
	return NULL;
}

const struct gotgt_host suite_host = {
	.abi = GOTGT_ABI, .size = sizeof suite_host, .io_done = host_io_done, .log = host_log,
	.resized = host_resized, .extension = host_extension,
};

void sent_init(struct sent *s, uint32_t op, uint32_t flags, uint64_t offset, uint64_t length)
{
	memset(s, 0, sizeof *s);
	s->io = (struct gotgt_io){ .op = op, .flags = flags, .offset = offset, .length = length, .priv = s->priv };
	/* Of the plugin's, not cleared. */
	memset(s->priv, 0xee, sizeof s->priv);
}

unsigned sent_answers(struct sent *s)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = s->n_done;
	pthread_mutex_unlock(&lock);
	return n;
}

enum gotgt_status sent_wait(struct sent *s)
{
	pthread_mutex_lock(&lock);
	while (!s->n_done)
		pthread_cond_wait(&answered, &lock);
	pthread_mutex_unlock(&lock);
	return s->status;
}

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
	last_error[0] = '\0';
	r = d->ops->open((struct gotgt_lun *)&lun, settings_conf(d->settings), &d->info, &d->handle);
	if (!r) {
		d->info.block_size = d->info.block_size ? d->info.block_size : 512;
		d->info.size -= d->info.size % d->info.block_size;
		return true;
	}
	settings_free(d->settings);
	*error = last_error[0] ? g_strdup(last_error) : g_strdup_printf("open() said %d and no line why", r);
	return false;
}

void suite_close(struct suite_dev *d)
{
	d->ops->close(d->handle);
	settings_free(d->settings);
}

enum gotgt_status suite_io(struct suite_dev *d, uint32_t op, uint32_t flags, uint64_t offset, void *data, uint64_t length)
{
	g_autofree struct sent *s = g_new(struct sent, 1);
	struct iovec iov = { data, (size_t)length };

	sent_init(s, op, flags, offset, length);
	if (data) {
		s->io.iov = &iov;
		s->io.iovcnt = 1;
	}
	d->ops->submit(d->handle, &s->io);
	return sent_wait(s);
}
