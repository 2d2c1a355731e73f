/* SPDX-License-Identifier: Apache-2.0 */
/* control.c - connections, their limits, and from a request to its handler. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <glib/gstdio.h>
#include "control/control-internal.h"
#include "control/listen.h"
#include "engine/log.h"

#define LOG_DOMAIN LOGD_CONTROL

#define CROWDED_QUIET_US (5 * G_USEC_PER_SEC)	/* without that, until it is told again */

/* Ends with its stream, which libsoup has. */
struct connection {
	struct control *control;
	GSocket *socket;
	GSource *life;
};

/* ---- connections ---- */

static void connection_gone(gpointer data, GObject *stream)
{
	struct connection *conn = data;

	if (!g_queue_remove(conn->control->connections, conn))
		g_queue_remove(conn->control->ending, conn);
	g_source_destroy(conn->life);
	g_source_unref(conn->life);
	g_object_unref(conn->socket);
	g_free(conn);
}

static gboolean connection_old(gpointer data)
{
	struct connection *conn = data;

	g_socket_shutdown(conn->socket, TRUE, TRUE, NULL);
	return G_SOURCE_CONTINUE;
}

/*
 * libsoup asks for an IP address of a connection in a request of HTTP/1.0 without Host, which a unix socket has not;
 * so it is told one that is nobody's.
 */
static void take(struct control *c, GSocket *socket)
{
	GSocketConnection *stream = g_socket_connection_factory_create_connection(socket);
	struct connection *conn = g_new0(struct connection, 1);
	g_autoptr(GError) error = NULL;

	g_socket_set_timeout(socket, CONTROL_IDLE_S);
	conn->control = c;
	conn->socket = g_object_ref(socket);
	conn->life = g_timeout_source_new_seconds(CONTROL_LIFE_S);
	g_source_set_callback(conn->life, connection_old, conn, NULL);
	g_source_attach(conn->life, c->context);
	g_queue_push_tail(c->connections, conn);
	g_object_weak_ref(G_OBJECT(stream), connection_gone, conn);
	if (!soup_server_accept_iostream(c->http, G_IO_STREAM(stream), c->nowhere, c->nowhere, &error))
		log_warning("control: %s", error->message);
	g_object_unref(stream);
}

/*
 * A request is answered as soon as it is here, so the oldest connection is one that is slow to send it, or to read its
 * answer: when there is one too many, that one goes.
 */
static void make_room(struct control *c)
{
	struct connection *oldest = g_queue_pop_head(c->connections);
	gint64 now_us = g_get_monotonic_time();

	g_queue_push_tail(c->ending, oldest);
	g_socket_shutdown(oldest->socket, TRUE, TRUE, NULL);
	if (now_us - c->crowded_us > CROWDED_QUIET_US)
		log_warning("control: more than %u connections: the oldest ends", CONTROL_CONNECTIONS_MAX);
	c->crowded_us = now_us;
}

static gboolean on_connect(GSocket *listener, GIOCondition condition, gpointer data)
{
	struct control *c = data;
	GSocket *socket = g_socket_accept(listener, NULL, NULL);

	if (!socket)
		return G_SOURCE_CONTINUE;
	if (g_queue_get_length(c->connections) >= CONTROL_CONNECTIONS_MAX)
		make_room(c);
	/* libsoup has not yet let go of so many that ended. */
	if (g_queue_get_length(c->ending) < CONTROL_CONNECTIONS_MAX)
		take(c, socket);
	g_object_unref(socket);
	return G_SOURCE_CONTINUE;
}

/* ---- requests ---- */

static void too_large(SoupServerMessage *msg)
{
	static const char text[] =
		"{\"type\":\"about:blank\",\"title\":\"Request Entity Too Large\",\"status\":413,"
		"\"detail\":\"the body is larger than 32 MiB\"}\n";

	soup_message_body_set_accumulate(soup_server_message_get_request_body(msg), FALSE);
	soup_server_message_set_status(msg, SOUP_STATUS_REQUEST_ENTITY_TOO_LARGE, NULL);
	soup_server_message_set_response(msg, "application/problem+json", SOUP_MEMORY_STATIC, text, strlen(text));
}

/* A connection is for one request: libsoup keeps alive only what it has accepted itself. */
static void on_headers(SoupServerMessage *msg, gpointer data)
{
	SoupMessageHeaders *h = soup_server_message_get_request_headers(msg);

	soup_message_headers_replace(soup_server_message_get_response_headers(msg), "Connection", "close");
	if (soup_message_headers_get_encoding(h) == SOUP_ENCODING_CONTENT_LENGTH &&
	    soup_message_headers_get_content_length(h) > (goffset)CONTROL_BODY_MAX)
		too_large(msg);
}

static void on_chunk(SoupServerMessage *msg, GBytes *chunk, gpointer data)
{
	if (soup_server_message_get_request_body(msg)->length > (goffset)CONTROL_BODY_MAX &&
	    soup_server_message_get_status(msg) != SOUP_STATUS_REQUEST_ENTITY_TOO_LARGE)
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
	struct request r = { .control = data, .msg = msg, .query = query };

	if (soup_server_message_get_status(msg) == SOUP_STATUS_REQUEST_ENTITY_TOO_LARGE)
		return;
	trim_after(data, msg);
	r.steps = split(path);
	r.wrongs = wrongs_new();
	dispatch_entered(&r);
	if (!r.answered)
		answer_problem(&r, SOUP_STATUS_INTERNAL_SERVER_ERROR, NULL, "not answered");
	log_debug("control: %s %s: %u", soup_server_message_get_method(msg), path, soup_server_message_get_status(msg));
	g_ptr_array_unref(r.wrongs);
	g_strfreev(r.steps);
}

/* ---- start and stop ---- */

static SoupServer *http_new(struct control *c)
{
	SoupServer *http = soup_server_new("raw-paths", TRUE, NULL);

	g_signal_connect(http, "request-started", G_CALLBACK(on_started), c);
	soup_server_add_handler(http, NULL, on_request, c, NULL);
	return http;
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

	c->socket = listen_unix(o->path, o->group, error);
	if (!c->socket) {
		g_free(c);
		return NULL;
	}
	g_socket_set_blocking(c->socket, FALSE);
	if (lstat(o->path, &c->file) < 0)
		log_warning("control socket %s: %s", o->path, g_strerror(errno));
	c->options = *o;
	c->options.path = c->path = g_strdup(o->path);
	c->options.group = NULL;	/* the configuration's, which will be another */
	c->options.config_path = c->config_path = g_strdup(o->config_path);
	c->etag_key = random_key();
	c->connections = g_queue_new();
	c->ending = g_queue_new();
	c->routes = routes_new();
	c->nowhere = g_inet_socket_address_new_from_string("127.0.0.1", 0);
	c->http = http_new(c);
	c->context = g_main_context_ref_thread_default();
	c->accept = g_socket_create_source(c->socket, G_IO_IN, NULL);
	g_source_set_callback(c->accept, G_SOURCE_FUNC(on_connect), c, NULL);
	g_source_attach(c->accept, c->context);
	log_info("control socket %s: listening", c->path);
	return c;
}

/* Unless it is another's by now. */
static void remove_file(struct control *c)
{
	struct stat st;

	if (lstat(c->path, &st) == 0 && st.st_dev == c->file.st_dev && st.st_ino == c->file.st_ino)
		g_unlink(c->path);
}

void control_free(struct control *c)
{
	if (!c)
		return;
	g_source_destroy(c->accept);
	g_source_unref(c->accept);
	remove_file(c);
	g_object_unref(c->socket);
	for (GList *l = c->connections->head; l; l = l->next)
		g_socket_shutdown(((struct connection *)l->data)->socket, TRUE, TRUE, NULL);
	soup_server_disconnect(c->http);
	g_object_unref(c->http);
	/* libsoup lets go of them from the loop. */
	while (g_queue_get_length(c->connections) || g_queue_get_length(c->ending))
		g_main_context_iteration(c->context, TRUE);
	trim_stop(c);
	g_main_context_unref(c->context);
	g_queue_free(c->connections);
	g_queue_free(c->ending);
	g_ptr_array_unref(c->routes);
	g_object_unref(c->nowhere);
	g_free(c->etag_key);
	g_free(c->config_path);
	g_free(c->path);
	g_free(c);
}

void control_reloaded(struct control *c)
{
	if (!c)
		return;
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
