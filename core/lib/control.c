/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.c - the control socket of a server in a program of somebody else: a thread that has a context of its own, and
 * the server's lock while it answers.
 */
#include "config.h"
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "lib/lib.h"
#ifdef HAVE_CONTROL
#include "control/control.h"
#include "engine/thread.h"

#define LOG_DOMAIN LOGD_CONTROL
#define CONTROL_NICE 10

struct lib_control {
	struct gotgt_server *server;
	GMainContext *context;
	GMainLoop *loop;
	pthread_t thread;
	struct control_options options;	/* until it has begun */
	struct control *control;	/* NULL: error says why */
	GError *error;
	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t changed;
	bool begun;
};

/* ---- what requests ask of the server ---- */

/* False: it, or the server, is about to stop. */
static bool enter(void *data)
{
	struct lib_control *c = data;
	struct gotgt_server *s = c->server;

	pthread_mutex_lock(&s->lock);
	if (s->state == LIB_RUNNING && s->control == c)
		return true;
	pthread_mutex_unlock(&s->lock);
	return false;
}

static void leave(void *data)
{
	pthread_mutex_unlock(&((struct lib_control *)data)->server->lock);
}

static bool prepare(struct conf *next, void *data, GError **error)
{
	struct gotgt_server *s = ((struct lib_control *)data)->server;

	if (!lib_is_applied(s)) {
		g_set_error(error, SERVER_ERROR, 0, "the program is about to change the configuration itself");
		return false;
	}
	lib_adopt(s, next, server_conf(s->running));
	return true;
}

static void applied(void *data)
{
	struct gotgt_server *s = ((struct lib_control *)data)->server;

	lib_forget_draft(s);
	lib_sweep_stores(s);
}

static void complete(struct conf *c, void *data)
{
	lib_complete(((struct lib_control *)data)->server, c);
}

static void strip(struct conf *c, void *data)
{
	lib_strip(((struct lib_control *)data)->server, c);
}

static bool may_save(const char *path, void *data, GError **error)
{
	return lib_may_save(((struct lib_control *)data)->server, path, error);
}

static void saved(const char *path, const char *sum, void *data)
{
	lib_saved(((struct lib_control *)data)->server, path, sum);
}

/* ---- its thread ---- */

static void *run(void *data)
{
	struct lib_control *c = data;
	struct control *control;

	log_enter(&c->server->log);
	/* Commands first: what is asked here may wait for a processor that they want. */
	if (setpriority(PRIO_PROCESS, (id_t)gettid(), CONTROL_NICE) < 0)
		log_debug("control: its priority stays: %s", g_strerror(errno));
	g_main_context_push_thread_default(c->context);
	control = control_new(&c->options, &c->error);
	pthread_mutex_lock(&c->lock);
	c->control = control;
	c->begun = true;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
	if (control)
		g_main_loop_run(c->loop);
	control_free(control);
	g_main_context_pop_thread_default(c->context);
	return NULL;
}

static gboolean quit(gpointer loop)
{
	g_main_loop_quit(loop);
	return G_SOURCE_REMOVE;
}

static void free_control(struct lib_control *c)
{
	pthread_join(c->thread, NULL);
	g_main_loop_unref(c->loop);
	g_main_context_unref(c->context);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	g_free(c);
}

void lib_control_end(struct lib_control *c)
{
	GSource *source;

	if (!c)
		return;
	/* From within the loop: to quit one that has not begun to run does nothing. */
	source = g_idle_source_new();
	g_source_set_callback(source, quit, c->loop, NULL);
	g_source_attach(source, c->context);
	g_source_unref(source);
	free_control(c);
}

static int wait_begun(struct lib_control *c, GError **error)
{
	pthread_mutex_lock(&c->lock);
	while (!c->begun)
		pthread_cond_wait(&c->changed, &c->lock);
	pthread_mutex_unlock(&c->lock);
	if (c->control)
		return 0;
	*error = c->error;
	free_control(c);
	return -EIO;
}

/* It has begun when this returns, or is gone with an error. */
static struct lib_control *begin(struct gotgt_server *s, const struct control_options *o, GError **error)
{
	struct lib_control *c = g_new0(struct lib_control, 1);
	int err;

	c->server = s;
	c->options = *o;
	c->options.data = c;
	c->context = g_main_context_new();
	c->loop = g_main_loop_new(c->context, FALSE);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	err = thread_start(&c->thread, run, c);
	if (!err)
		return wait_begun(c, error) ? NULL : c;
	g_set_error(error, SERVER_ERROR, 0, "cannot start a thread: %s", g_strerror(err));
	g_main_loop_unref(c->loop);
	g_main_context_unref(c->context);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	g_free(c);
	return NULL;
}

void lib_control_reloaded(struct lib_control *c)
{
	if (c)
		control_reloaded(c->control);
}

void lib_control_saved(struct lib_control *c, const char *path)
{
	g_autofree char *file = c ? g_canonicalize_filename(path, NULL) : NULL;

	if (c)
		control_saved(c->control, file);
}

/* ---- what programs call ---- */

static int listen_on(struct gotgt_server *s, const struct gotgt_control *o)
{
	const struct conf *conf = server_conf(s->running);
	const char *asked = o->path ? o->path : conf->control.socket;
	g_autofree char *path = asked ? g_strdup(asked) : control_default_path();
	g_autofree char *file = o->config_path ? g_canonicalize_filename(o->config_path, NULL) : NULL;
	bool off = g_str_equal(path, "off");
	const struct control_options options = {
		.server = s->running, .path = off ? NULL : path, .fd = o->fd, .remote = &conf->control,
		.group = o->group ? o->group : conf->control.group, .config_path = file,
		.complete = complete, .strip = strip, .enter = enter, .leave = leave, .prepare = prepare, .applied = applied,
		.may_save = may_save, .saved = saved,
	};
	GError *error = NULL;

	if (off && !conf->control.addresses)
		return 0;
	s->control = begin(s, &options, &error);
	if (s->control)
		return 0;
	if (asked || conf->control.addresses)
		return lib_fail_error(EIO, error);
	log_warning("%s; going on without", error->message);
	g_error_free(error);
	return 0;
}

static int start(struct gotgt_server *s, const struct gotgt_control *from)
{
	struct gotgt_control o = { 0 };

	if (from->size < offsetof(struct gotgt_control, config_path) + sizeof from->config_path)
		return lib_fail(EINVAL, "control: size is not set");
	memcpy(&o, from, MIN(from->size, sizeof o));
	if (!s->running)
		return lib_fail(EBUSY, "the server does not run");
	if (s->control)
		return lib_fail(EBUSY, "control socket %s: there is one already",
				control_path(s->control->control) ? control_path(s->control->control) : "off");
	return listen_on(s, &o);
}

int gotgt_server_control(struct gotgt_server *s, const struct gotgt_control *control)
{
	struct lib_control *old;
	int r = lib_enter(s);

	if (r)
		return r;
	if (control)
		return lib_leave(s, start(s, control));
	old = s->control;
	s->control = NULL;
	lib_leave(s, 0);
	lib_control_end(old);
	return 0;
}

int gotgt_server_control_path(struct gotgt_server *s, char *buf, size_t size_bytes)
{
	int r = lib_enter(s);

	if (r)
		return r;
	if (!s->control || !control_path(s->control->control))
		return lib_leave(s, lib_fail(ENOENT, "no control socket"));
	return lib_leave(s, lib_put("the path", control_path(s->control->control), buf, size_bytes));
}
#else

/* Without it there is none to end; whoever asks for one is told so, and who asks for none has it. */
int gotgt_server_control(struct gotgt_server *s, const struct gotgt_control *control)
{
	const char *path = NULL;
	int r = lib_enter(s);

	if (r || !control)
		return r ? r : lib_leave(s, 0);
	if (control->size < offsetof(struct gotgt_control, config_path) + sizeof control->config_path)
		return lib_leave(s, lib_fail(EINVAL, "control: size is not set"));
	if (!s->running)
		return lib_leave(s, lib_fail(EBUSY, "the server does not run"));
	path = control->path ? control->path : server_conf(s->running)->control.socket;
	if (!path || g_str_equal(path, "off"))
		return lib_leave(s, 0);
	return lib_leave(s, lib_fail(ENOSYS, "control socket %s: this build has none", path));
}

int gotgt_server_control_path(struct gotgt_server *s, char *buf, size_t size_bytes)
{
	int r = lib_enter(s);

	return r ? r : lib_leave(s, lib_fail(ENOENT, "no control socket"));
}

void lib_control_end(struct lib_control *c)
{
}

void lib_control_reloaded(struct lib_control *c)
{
}

void lib_control_saved(struct lib_control *c, const char *path)
{
}
#endif
