/* SPDX-License-Identifier: Apache-2.0 */
/* lib.c - servers of libgotgt: a description, and what of it runs. */
#include "config.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "backstore/device.h"
#include "engine/thread.h"
#include "lib/confine.h"
#include "lib/landlock.h"
#include "lib/lib.h"

#define LOG_DOMAIN LOGD_DAEMON

static _Thread_local char last_error[1024];

const char *gotgt_version(void)
{
	return GOTGT_VERSION;
}

const char *gotgt_last_error(void)
{
	return last_error;
}

int lib_fail(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(last_error, sizeof last_error, fmt, ap);
	va_end(ap);
	return -err;
}

int lib_fail_error(int err, GError *error)
{
	lib_fail(err, "%s", error->message);
	g_error_free(error);
	return -err;
}

int lib_put(const char *what, const char *text, char *buf, size_t size_bytes)
{
	if (!buf || strlen(text) >= size_bytes)
		return lib_fail(EINVAL, "%s needs %zu bytes", what, strlen(text) + 1);
	memcpy(buf, text, strlen(text) + 1);
	return 0;
}

/* Threads of a server, and threads in a call, have entered its log. */
int lib_enter(struct gotgt_server *s)
{
	if (log_entered())
		return lib_fail(EDEADLK, "called from a callback or a plugin, which a server waits for");
	if (!s)
		return lib_fail(EINVAL, "no server");
	pthread_mutex_lock(&s->lock);
	if (s->state == LIB_STOPPING) {
		pthread_mutex_unlock(&s->lock);
		return lib_fail(EBUSY, "the server is about to stop");
	}
	log_enter(&s->log);
	return 0;
}

int lib_describe(struct gotgt_server *s)
{
	int r = lib_enter(s);

	if (!r)
		s->checked = false;
	return r;
}

int lib_leave(struct gotgt_server *s, int r)
{
	log_enter(NULL);
	pthread_mutex_unlock(&s->lock);
	return r;
}

static void sink(enum gotgt_log_level level, const char *line, void *data)
{
	struct gotgt_server *s = data;

	if (!s->log_fn)
		return;
	if (s->events)
		events_log(s->events, level, line);
	else
		s->log_fn(s->log_data, level, line);
}

/* ---- life ---- */

static void free_module(gpointer module)
{
	module_free(module);
}

static void free_store(gpointer store)
{
	gotgt_store_free(store);
}

struct gotgt_server *gotgt_server_new(void)
{
	struct gotgt_server *s = g_new0(struct gotgt_server, 1);

	pthread_mutex_init(&s->lock, NULL);
	s->draft = conf_new();
	s->plugin_dirs = module_dirs(NULL);
	s->modules = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_module);
	s->stores = g_hash_table_new_full(NULL, NULL, free_store, NULL);
	s->log.levels = LOG_LEVELS(s->draft->log_level);
	s->log.sink = sink;
	s->log.data = s;
	return s;
}

static void join_stopper(struct gotgt_server *s)
{
	if (s->stopper_started)
		pthread_join(s->stopper, NULL);
	s->stopper_started = false;
}

void gotgt_server_free(struct gotgt_server *s)
{
	if (!s)
		return;
	if (log_entered()) {
		lib_fail(EDEADLK, "gotgt_server_free() called from a callback or a plugin");
		return;
	}
	join_stopper(s);
	lib_control_end(s->control);
	log_enter(&s->log);
	server_stop(s->running, 0);
	g_hash_table_unref(s->stores);
	g_hash_table_unref(s->modules);
	log_enter(NULL);
	log_clear(&s->log);
	conf_free(s->draft);
	g_strfreev(s->plugin_dirs);
	g_free(s->file_state_dir);
	g_free(s->file_path);
	g_free(s->file_sum);
	g_strfreev(s->file_addresses);
	g_free(s->file_token);
	g_free(s->file_log_level);
	events_free(s->events);
	pthread_mutex_destroy(&s->lock);
	g_free(s);
}

/* ---- what is set before it runs ---- */

int gotgt_server_set(struct gotgt_server *s, const char *name, const char *value)
{
	int r = lib_describe(s);

	return r ? r : lib_leave(s, lib_set(CONF_TOP, lib_draft(s), name, value));
}

/* Enter, and only while nothing of the server runs. */
static int enter_idle(struct gotgt_server *s)
{
	int r = lib_enter(s);

	return r || !s->running ? r : lib_leave(s, lib_fail(EBUSY, "the server runs"));
}

static int confine_paths(const struct gotgt_server *s)
{
	const struct conf *c = s->draft;
	GError *error = NULL;
	bool missing;

	if (!c->confine_paths || c->confine == CONFINE_OFF)
		return 0;
	if (landlock_start(c, s->plugin_dirs, &missing, &error)) {
		log_info("confined to files in confine-paths, and where the configuration has some");
		return 0;
	}
	if (!missing || c->confine == CONFINE_REQUIRED)
		return lib_fail_error(EIO, error);
	log_warning("%s: files are opened anywhere", error->message);
	g_error_free(error);
	return 0;
}

static int server_confine(const struct gotgt_server *s)
{
	g_autofree char *state = NULL;
	GError *error = NULL;
	bool whole;

	conf_set_log(s->draft);
	if (!confine_start(s->draft->confine, &whole, &state, &error))
		return lib_fail_error(EIO, error);
	if (whole)
		log_info("%s", state);
	else
		log_warning("%s", state);
	return confine_paths(s);
}

int gotgt_server_confine(struct gotgt_server *s)
{
	int r = enter_idle(s);

	return r ? r : lib_leave(s, server_confine(s));
}

int gotgt_server_set_log(struct gotgt_server *s, gotgt_log_fn *log, void *data)
{
	int r = enter_idle(s);

	if (r)
		return r;
	s->log_fn = log;
	s->log_data = data;
	return lib_leave(s, 0);
}

int gotgt_server_set_plugin_path(struct gotgt_server *s, const char *dirs)
{
	int r = enter_idle(s);

	if (r)
		return r;
	g_strfreev(s->plugin_dirs);
	s->plugin_dirs = module_dirs(dirs);
	return lib_leave(s, 0);
}

int gotgt_server_skip_broken(struct gotgt_server *s, int yes)
{
	int r = enter_idle(s);

	if (r)
		return r;
	s->skip_broken = yes;
	return lib_leave(s, 0);
}

static int add_plugin(struct gotgt_server *s, const struct gotgt_plugin *table)
{
	GError *error = NULL;
	struct module *m = module_adopt(table, &error);
	const char *name;

	if (!m)
		return lib_fail_error(EINVAL, error);
	name = m->ops.name;
	if (g_hash_table_contains(s->modules, name)) {
		module_free(m);
		return lib_fail(EEXIST, "plugin %s: a second one of that name", name);
	}
	g_hash_table_insert(s->modules, (gpointer)name, m);
	return 0;
}

int gotgt_server_add_plugin(struct gotgt_server *s, const struct gotgt_plugin *(*entry)(const struct gotgt_host *host))
{
	int r = lib_enter(s);

	if (r)
		return r;
	return lib_leave(s, entry ? add_plugin(s, entry(&device_host)) : lib_fail(EINVAL, "no plugin"));
}

/* ---- start, change, stop ---- */

struct conf *lib_draft(struct gotgt_server *s)
{
	if (!s->draft)
		s->draft = conf_copy(server_conf(s->running));
	return s->draft;
}

void lib_forget_draft(struct gotgt_server *s)
{
	conf_free(s->draft);
	s->draft = NULL;
	s->checked = true;
}

/* Once is enough: it also warns. */
static int check(struct gotgt_server *s)
{
	g_autoptr(GPtrArray) errors = conf_errors_new();

	if (!s->checked)
		conf_check(lib_draft(s), errors);
	s->checked = !errors->len;
	return errors->len ? lib_fail(EINVAL, "%s", (char *)errors->pdata[0]) : 0;
}

int lib_failed(GError *error)
{
	return lib_fail_error(error->domain == SERVER_ERROR ? EINVAL : EIO, error);
}

static int start(struct gotgt_server *s)
{
	GError *error = NULL;
	int r = check(s);

	if (r)
		return r;
	conf_set_log(s->draft);
	s->running = server_start(conf_copy(s->draft), s->plugin_dirs, s->skip_broken, &error);
	if (!s->running)
		return lib_failed(error);
	lib_forget_draft(s);
	s->state = LIB_RUNNING;
	return 0;
}

int gotgt_server_start(struct gotgt_server *s)
{
	int r = enter_idle(s);

	if (r)
		return r;
	join_stopper(s);
	return lib_leave(s, start(s));
}

int lib_apply(struct gotgt_server *s)
{
	GError *error = NULL;
	int r = s->running ? check(s) : lib_fail(EBUSY, "the server does not run");

	if (r)
		return r;
	if (!server_apply(s->running, conf_copy(lib_draft(s)), &error))
		return lib_failed(error);
	lib_forget_draft(s);
	lib_sweep_stores(s);
	return 0;
}

int gotgt_server_apply(struct gotgt_server *s)
{
	int r = lib_enter(s);

	return r ? r : lib_leave(s, lib_apply(s));
}

static int revert(struct gotgt_server *s)
{
	if (!s->running)
		return lib_fail(EBUSY, "the server does not run");
	lib_forget_draft(s);
	lib_sweep_stores(s);
	return 0;
}

int gotgt_server_revert(struct gotgt_server *s)
{
	int r = lib_enter(s);

	return r ? r : lib_leave(s, revert(s));
}

static void stop(struct gotgt_server *s, struct server *running, unsigned grace_ms)
{
	if (running)
		lib_draft(s);
	server_stop(running, grace_ms);
	s->state = LIB_IDLE;
	s->running = NULL;
	lib_sweep_stores(s);
}

/* Requests want the lock.  Until they have ended, other calls are told that it stops. */
static void end_control(struct gotgt_server *s)
{
	struct lib_control *control = s->control;

	s->control = NULL;
	s->state = LIB_STOPPING;
	lib_leave(s, 0);
	lib_control_end(control);
	pthread_mutex_lock(&s->lock);
	log_enter(&s->log);
}

int gotgt_server_stop(struct gotgt_server *s, unsigned grace_ms)
{
	int r = lib_enter(s);

	if (r)
		return r;
	if (s->control)
		end_control(s);
	stop(s, s->running, grace_ms);
	return lib_leave(s, 0);
}

static void *stopper(void *data)
{
	struct gotgt_server *s = data;

	log_enter(&s->log);
	lib_control_end(s->control);
	s->control = NULL;
	server_stop(s->running, s->grace_ms);
	pthread_mutex_lock(&s->lock);
	stop(s, NULL, 0);
	pthread_mutex_unlock(&s->lock);
	if (s->events)
		events_stopped(s->events);
	else if (s->stopped)
		s->stopped(s->stopped_data);
	return NULL;
}

static int stop_begin(struct gotgt_server *s, unsigned grace_ms, gotgt_stopped_fn *stopped, void *data)
{
	int err;

	if (!s->running)
		return lib_fail(EBUSY, "the server does not run");
	s->grace_ms = grace_ms;
	s->stopped = stopped;
	s->stopped_data = data;
	s->state = LIB_STOPPING;
	lib_draft(s);
	err = thread_start(&s->stopper, stopper, s);
	s->stopper_started = !err;
	if (!err)
		return 0;
	s->state = LIB_RUNNING;
	return lib_fail(err, "cannot start a thread: %s", g_strerror(err));
}

int gotgt_server_stop_begin(struct gotgt_server *s, unsigned grace_ms, gotgt_stopped_fn *stopped, void *data)
{
	int r = lib_enter(s);

	return r ? r : lib_leave(s, stop_begin(s, grace_ms, stopped, data));
}

/* ---- the caller's event loop ---- */

int gotgt_server_fd(struct gotgt_server *s)
{
	GError *error = NULL;
	int r = lib_enter(s);

	if (r)
		return r;
	if (!s->events && s->running)
		return lib_leave(s, lib_fail(EBUSY, "the server runs"));
	if (!s->events && !(s->events = events_new(&error)))
		return lib_leave(s, lib_fail_error(EMFILE, error));
	return lib_leave(s, events_fd(s->events));
}

/* Without the lock: callbacks may call what they like, and free it all in the last one. */
int gotgt_server_dispatch(struct gotgt_server *s)
{
	if (log_entered())
		return lib_fail(EDEADLK, "called from a callback or a plugin, which a server waits for");
	if (!s || !s->events)
		return lib_fail(EINVAL, "no gotgt_server_fd()");
	events_run(s);
	return 0;
}

/* ---- what runs ---- */

int gotgt_server_portal(struct gotgt_server *s, unsigned n, char *buf, size_t size_bytes)
{
	const char *name;
	int r = lib_enter(s);

	if (r)
		return r;
	name = s->running ? server_portal(s->running, n) : NULL;
	return lib_leave(s, name ? lib_put("a portal's name", name, buf, size_bytes) : lib_fail(ENOENT, "no portal %u", n));
}

static void look(struct gotgt_server *s, struct gotgt_info *info)
{
	const struct conf *c = server_conf(s->running);
	g_autoptr(GArray) sessions = server_sessions(s->running);

	info->running = 1;
	while (server_portal(s->running, info->portals))
		info->portals++;
	info->targets = c->targets->len;
	for (unsigned i = 0; i < c->targets->len; i++)
		info->luns += ((const struct conf_target *)c->targets->pdata[i])->luns->len;
	info->luns_served = server_luns(s->running);
	info->sessions = sessions->len;
	info->stuck = !server_pulse(s->running);
}

int gotgt_server_info(struct gotgt_server *s, struct gotgt_info *info)
{
	struct gotgt_info all = { 0 };
	int r = lib_enter(s);

	if (r)
		return r;
	if (!info || info->size < offsetof(struct gotgt_info, sessions) + sizeof info->sessions)
		return lib_leave(s, lib_fail(EINVAL, "info: size is not set"));
	all.size = MIN(info->size, sizeof all);
	if (s->running)
		look(s, &all);
	memcpy(info, &all, all.size);
	return lib_leave(s, 0);
}

int gotgt_server_log(struct gotgt_server *s, enum gotgt_log_level level, const char *line)
{
	int r = lib_enter(s);

	if (r)
		return r;
	if (!line || (int)level < GOTGT_LOG_ERROR || level > GOTGT_LOG_DEBUG)
		return lib_leave(s, lib_fail(EINVAL, "no line, or no level"));
	if (log_enabled(LOGD_DAEMON, level))
		log_write(LOGD_DAEMON, level, NULL, LOG_NO_FIELDS, "%s", line);
	return lib_leave(s, 0);
}

static void tell(const GArray *found, gotgt_session_fn *each, void *data)
{
	for (guint i = 0; i < found->len; i++) {
		const struct session_info *info = &g_array_index(found, struct session_info, i);
		struct gotgt_session out = {
			.size = sizeof out, .initiator = info->initiator, .target = info->target, .peer = info->peer,
			.connections = info->connections, .commands = info->commands, .tsih = info->tsih,
		};

		memcpy(out.isid, info->isid, sizeof out.isid);
		each(data, &out);
	}
}

int gotgt_server_sessions(struct gotgt_server *s, gotgt_session_fn *each, void *data)
{
	GArray *found;
	int r = lib_enter(s);

	if (r)
		return r;
	found = s->running ? server_sessions(s->running) : NULL;
	lib_leave(s, 0);
	if (!found)
		return 0;
	tell(found, each, data);
	g_array_unref(found);
	return 0;
}

int gotgt_session_drop(struct gotgt_server *s, uint16_t tsih)
{
	int r = lib_enter(s);

	if (r)
		return r;
	if (!s->running || !server_drop_session(s->running, tsih))
		r = lib_fail(ENOENT, "no session has TSIH %u", tsih);
	return lib_leave(s, r);
}
