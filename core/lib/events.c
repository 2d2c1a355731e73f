/* SPDX-License-Identifier: Apache-2.0 */
/* events.c - callbacks put off until the program's event loop calls for them. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "lib/lib.h"

#define LINES_MAX 1000u

struct line {
	enum gotgt_log_level level;
	char *text;
};

struct events {
	int fd;
	pthread_mutex_t lock;
	GArray *lines;		/* struct line */
	unsigned lost;		/* lines that there was no room for */
	bool stopped;
};

struct events *events_new(GError **error)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct events *e;

	if (fd < 0) {
		g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "eventfd: %s", g_strerror(errno));
		return NULL;
	}
	e = g_new0(struct events, 1);
	e->fd = fd;
	e->lines = g_array_new(FALSE, FALSE, sizeof(struct line));
	pthread_mutex_init(&e->lock, NULL);
	return e;
}

static void free_lines(GArray *lines)
{
	for (guint i = 0; i < lines->len; i++)
		g_free(g_array_index(lines, struct line, i).text);
	g_array_unref(lines);
}

void events_free(struct events *e)
{
	if (!e)
		return;
	free_lines(e->lines);
	pthread_mutex_destroy(&e->lock);
	close(e->fd);
	g_free(e);
}

int events_fd(const struct events *e)
{
	return e->fd;
}

/* The counter cannot fill, and a full one would be readable. */
static void ring(const struct events *e)
{
	static const uint64_t one = 1;

	if (write(e->fd, &one, sizeof one) < 0)
		return;
}

void events_log(struct events *e, enum gotgt_log_level level, const char *text)
{
	struct line line = { .level = level };

	pthread_mutex_lock(&e->lock);
	if (e->lines->len < LINES_MAX) {
		line.text = g_strdup(text);
		g_array_append_val(e->lines, line);
	} else {
		e->lost++;
	}
	pthread_mutex_unlock(&e->lock);
	ring(e);
}	/* NOLINT(memleak): free_lines() frees what is in the array */

void events_stopped(struct events *e)
{
	pthread_mutex_lock(&e->lock);
	e->stopped = true;
	pthread_mutex_unlock(&e->lock);
	ring(e);
}

static void tell_lost(struct gotgt_server *s, unsigned lost)
{
	g_autofree char *text = g_strdup_printf("%u lines more than could be kept", lost);

	s->log_fn(s->log_data, GOTGT_LOG_WARNING, text);
}

void events_run(struct gotgt_server *s)
{
	struct events *e = s->events;
	GArray *lines, *none = g_array_new(FALSE, FALSE, sizeof(struct line));
	bool stopped;
	unsigned lost;
	uint64_t n;

	if (read(e->fd, &n, sizeof n) < 0)
		n = 0;	/* nothing is due; a bell that rings after this is for the next call */
	pthread_mutex_lock(&e->lock);
	lines = e->lines;
	e->lines = none;
	lost = e->lost;
	e->lost = 0;
	stopped = e->stopped;
	e->stopped = false;
	pthread_mutex_unlock(&e->lock);
	for (guint i = 0; i < lines->len && s->log_fn; i++) {
		const struct line *line = &g_array_index(lines, struct line, i);

		s->log_fn(s->log_data, line->level, line->text);
	}
	free_lines(lines);
	if (lost && s->log_fn)
		tell_lost(s, lost);
	if (stopped && s->stopped)
		s->stopped(s->stopped_data);
}
