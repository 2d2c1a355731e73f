/* SPDX-License-Identifier: Apache-2.0 */
/* control.c - from a request to its handler; start and stop. */
#include "config.h"
#include <string.h>
#include <unistd.h>
#include "control/control-internal.h"
#include "engine/log.h"

#define LOG_DOMAIN LOGD_CONTROL

/* ---- requests ---- */

/*
 * A connection is for one request: libsoup keeps alive only what it has accepted itself.  To be said when there is an
 * answer, as what is said before goes into "100 Continue".
 */
static void say_close(SoupServerMessage *msg)
{
	soup_message_headers_replace(soup_server_message_get_response_headers(msg), "Connection", "close");
}

static void too_large(SoupServerMessage *msg)
{
	static const char text[] =
		"{\"type\":\"about:blank\",\"title\":\"Request Entity Too Large\",\"status\":413,"
		"\"detail\":\"the body is larger than 32 MiB\"}\n";

	say_close(msg);
	soup_message_body_set_accumulate(soup_server_message_get_request_body(msg), FALSE);
	soup_server_message_set_status(msg, SOUP_STATUS_REQUEST_ENTITY_TOO_LARGE, NULL);
	soup_server_message_set_response(msg, "application/problem+json", SOUP_MEMORY_STATIC, text, strlen(text));
}

/* Said once a second: who guesses tokens must not fill the disk. */
static void log_refusal(struct door *d, SoupServerMessage *msg, const char *reason)
{
	gint64 now_us = g_get_monotonic_time();

	if (d->said_us && now_us - d->said_us < G_USEC_PER_SEC)
		return;
	d->said_us = now_us;
	log_warning("control %s: refused %s: %s", d->url, soup_server_message_get_remote_host(msg), reason);
}

/* False: it has been answered, and nothing of its body is kept. */
static bool admit(struct door *d, SoupServerMessage *msg, SoupMessageHeaders *h)
{
	struct refusal no = remote_refusal(d->control->remote, h, d->loopback);
	struct request r = { .control = d->control, .msg = msg };

	if (!no.status) {
		door_admit(d, msg);
		return true;
	}
	log_refusal(d, msg, no.reason);
	say_close(msg);
	soup_message_body_set_accumulate(soup_server_message_get_request_body(msg), FALSE);
	answer_problem(&r, no.status, NULL, "%s", no.reason);
	if (no.challenge)
		answer_header(&r, "WWW-Authenticate", no.challenge);
	return false;
}

static void on_headers(SoupServerMessage *msg, gpointer data)
{
	struct door *d = data;
	SoupMessageHeaders *h = soup_server_message_get_request_headers(msg);

	if (d->remote && !admit(d, msg, h))
		return;
	if (soup_message_headers_get_encoding(h) == SOUP_ENCODING_CONTENT_LENGTH &&
	    soup_message_headers_get_content_length(h) > (goffset)CONTROL_BODY_MAX)
		too_large(msg);
}

static void on_chunk(SoupServerMessage *msg, GBytes *chunk, gpointer data)
{
	if (soup_server_message_get_request_body(msg)->length > (goffset)CONTROL_BODY_MAX &&
	    !soup_server_message_get_status(msg))
		too_large(msg);
}

static void on_started(SoupServer *http, SoupServerMessage *msg, gpointer data)
{
	g_signal_connect(msg, "got-headers", G_CALLBACK(on_headers), data);
	g_signal_connect(msg, "got-chunk", G_CALLBACK(on_chunk), data);
}

/* Decoded; an empty last one ("/v1/targets/") is none.  NULL: it is not a path. */
static char **split(const char *path)
{
	g_auto(GStrv) raw = g_strsplit(*path == '/' ? path + 1 : path, "/", -1);
	unsigned n = g_strv_length(raw);
	char **steps = g_new0(char *, n + 1);

	for (unsigned i = 0; i < n; i++) {
		if (i + 1 == n && !*raw[i])
			break;
		steps[i] = g_uri_unescape_string(raw[i], NULL);
		if (!steps[i] || !g_utf8_validate(steps[i], -1, NULL)) {
			g_free(steps[i]);
			steps[i] = NULL;
			g_strfreev(steps);
			return NULL;
		}
	}
	return steps;
}

static void dispatch(struct request *r)
{
	const char *method = soup_server_message_get_method(r->msg);
	g_autofree char *allow = NULL;

	r->route = r->steps ? routes_find(r->control->routes, g_str_equal(method, "HEAD") ? "GET" : method,
					  (const char *const *)r->steps, &allow) : NULL;
	if (r->route) {
		if (r->route->across && r->route->element)
			across_begin(r);
		if (request_query_check(r))
			r->route->handle(r);
	} else if (allow) {
		answer_header(r, "Allow", allow);
		if (g_str_equal(method, "OPTIONS"))
			answer_none(r);
		else
			answer_problem(r, SOUP_STATUS_METHOD_NOT_ALLOWED, NULL, "%s: expected %s", method, allow);
	} else {
		answer_problem(r, SOUP_STATUS_NOT_FOUND, NULL, "no such path; /openapi.json has all of them");
	}
}

static void dispatch_entered(struct request *r)
{
	const struct control_options *o = &r->control->options;

	if (o->enter && !o->enter(o->data)) {
		answer_problem(r, SOUP_STATUS_SERVICE_UNAVAILABLE, NULL, "the server is about to stop");
		return;
	}
	dispatch(r);
	if (o->leave)
		o->leave(o->data);
}

static void on_request(SoupServer *http, SoupServerMessage *msg, const char *path, GHashTable *query, gpointer data)
{
	const struct door *d = data;
	struct request r = { .control = d->control, .msg = msg, .query = query };

	if (soup_server_message_get_status(msg))	/* refused by its headers, or too large */
		return;
	say_close(msg);
	trim_after(d->control, msg);
	r.steps = split(path);
	r.wrongs = wrongs_new();
	dispatch_entered(&r);
	if (!r.answered)
		answer_problem(&r, SOUP_STATUS_INTERNAL_SERVER_ERROR, NULL, "not answered");
	log_debug("control: %s %s: %u", soup_server_message_get_method(msg), path, soup_server_message_get_status(msg));
	g_ptr_array_unref(r.wrongs);
	g_strfreev(r.steps);
	g_free(r.across);
}

/* ---- start and stop ---- */

static void listen_to(struct door *d)
{
	g_signal_connect(d->http, "request-started", G_CALLBACK(on_started), d);
	soup_server_add_handler(d->http, NULL, on_request, d, NULL);
}

/* For tags that tell a change of a secret and nothing about it. */
static char *random_key(void)
{
	GString *key = g_string_new(NULL);

	for (unsigned i = 0; i < 8; i++)
		g_string_append_printf(key, "%08x", g_random_int());
	return g_string_free(key, FALSE);
}

struct control *control_new(const struct control_options *o, GError **error)
{
	struct control *c = g_new0(struct control, 1);

	c->options = *o;
	c->options.path = c->path = g_strdup(o->path);
	c->options.group = NULL;	/* the configuration's, which will be another */
	c->options.remote = NULL;
	c->options.config_path = c->config_path = g_strdup(o->config_path);
	c->etag_key = random_key();
	c->doors = g_ptr_array_new();
	c->context = g_main_context_ref_thread_default();
	c->routes = routes_new();
	c->nowhere = g_inet_socket_address_new_from_string("127.0.0.1", 0);
	if (!doors_open(c, o, error)) {
		control_free(c);
		return NULL;
	}
	for (unsigned i = 0; i < c->doors->len; i++)
		listen_to(c->doors->pdata[i]);
	return c;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	doors_close(c);
	trim_stop(c);
	g_main_context_unref(c->context);
	g_ptr_array_unref(c->routes);
	g_object_unref(c->nowhere);
	g_free(c->etag_key);
	g_free(c->config_path);
	g_free(c->path);
	g_free(c);
}

void control_reloaded(struct control *c)
{
	g_autoptr(GError) error = NULL;

	if (!c)
		return;
	if (c->remote && !remote_reload(c->remote, &error))
		log_error("%s; it stays as it was", error->message);
	if (c->unsaved)
		log_warning("control: changes that were not saved are gone, the file says otherwise");
	c->unsaved = false;
}

void control_saved(struct control *c, const char *path)
{
	if (c && g_strcmp0(path, c->config_path) == 0)
		c->unsaved = false;
}

const char *control_path(const struct control *c)
{
	return c->path;
}

char *control_default_path(void)
{
	const char *runtime = g_getenv("RUNTIME_DIRECTORY");	/* systemd.exec(5) */
	const char *user = g_getenv("XDG_RUNTIME_DIR");

	if (runtime && *runtime == '/')
		return g_strdup_printf("%.*s/gotgt.sock", (int)strcspn(runtime, ":"), runtime);
	if (geteuid() == 0)
		return g_strdup("/run/gotgt/gotgt.sock");
	if (user && *user == '/')
		return g_build_filename(user, "gotgt", "gotgt.sock", NULL);
	return g_build_filename(g_get_home_dir(), ".gotgt", "gotgt.sock", NULL);
}
