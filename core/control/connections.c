/* SPDX-License-Identifier: Apache-2.0 */
/* connections.c - the sockets we are asked on, connections to them, and their limits. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <glib/gstdio.h>
#include "control/control-internal.h"
#include "control/listen.h"
#include "engine/log.h"

#define LOG_DOMAIN LOGD_CONTROL

#define RETRY_MS 500		/* out of descriptors */
#define CROWDED_QUIET_US (5 * G_USEC_PER_SEC)	/* without that, until it is told again */

/* Ends with its stream, which libsoup has. */
struct connection {
	struct door *door;
	GSocket *socket;
	GSocketAddress *peer;
	GSource *life;
};

/* ---- connections ---- */

static gboolean connection_end(gpointer data)
{
	struct connection *conn = data;

	if (!g_queue_remove(conn->door->connections, conn))
		g_queue_remove(conn->door->ending, conn);
	g_queue_remove(&conn->door->control->handshakes, conn);
	g_source_destroy(conn->life);
	g_source_unref(conn->life);
	g_object_unref(conn->socket);
	g_object_unref(conn->peer);
	g_free(conn);
	return G_SOURCE_REMOVE;
}

/* Whoever had it last may be a thread of GLib's, of a TLS handshake: all here is the control thread's. */
static void connection_gone(gpointer data, GObject *stream)
{
	struct connection *conn = data;

	g_main_context_invoke_full(conn->door->control->context, G_PRIORITY_DEFAULT, connection_end, conn, NULL);
}

static gboolean connection_old(gpointer data)
{
	struct connection *conn = data;

	g_socket_shutdown(conn->socket, TRUE, TRUE, NULL);
	return G_SOURCE_CONTINUE;
}

static void live(struct connection *conn, unsigned seconds)
{
	if (conn->life) {
		g_source_destroy(conn->life);
		g_source_unref(conn->life);
	}
	conn->life = g_timeout_source_new_seconds(seconds);
	g_source_set_callback(conn->life, connection_old, conn, NULL);
	g_source_attach(conn->life, conn->door->control->context);
}

static void serve(struct door *d, GIOStream *stream, GSocketAddress *peer)
{
	g_autoptr(GError) error = NULL;

	if (!soup_server_accept_iostream(d->http, stream, d->control->nowhere, peer, &error))
		log_warning("control: %s", error->message);
}

/* The connection is there: its stream is in the one of TLS. */
static void on_handshake(GObject *tls, GAsyncResult *result, gpointer data)
{
	struct connection *conn = data;
	g_autoptr(GError) error = NULL;

	g_queue_remove(&conn->door->control->handshakes, conn);
	if (g_tls_connection_handshake_finish(G_TLS_CONNECTION(tls), result, &error))
		serve(conn->door, G_IO_STREAM(tls), conn->peer);
	else
		log_debug("control %s: %s", conn->door->url, error->message);
	g_object_unref(tls);
}

/*
 * One that is slow holds its thread, and there are few: whoever comes then would wait for it.  It takes a moment, so with
 * one too many the oldest goes.
 */
static void shake_hands(struct connection *conn, GTlsConnection *tls)
{
	GQueue *all = &conn->door->control->handshakes;

	if (g_queue_get_length(all) >= CONTROL_HANDSHAKES_MAX)
		g_socket_shutdown(((struct connection *)g_queue_pop_head(all))->socket, TRUE, TRUE, NULL);
	g_queue_push_tail(all, conn);
	g_tls_connection_handshake_async(tls, G_PRIORITY_DEFAULT, NULL, on_handshake, conn);
}

/*
 * libsoup asks for an IP address of a connection in a request of HTTP/1.0 without Host, which a unix socket has not;
 * so it is told one that is nobody's.
 */
static void take(struct door *d, GSocket *socket)
{
	GSocketConnection *stream = g_socket_connection_factory_create_connection(socket);
	struct connection *conn = g_new0(struct connection, 1);
	g_autoptr(GError) error = NULL;
	GTlsConnection *tls = NULL;

	g_socket_set_timeout(socket, CONTROL_IDLE_S);
	conn->door = d;
	conn->socket = g_object_ref(socket);
	conn->peer = d->remote ? g_socket_get_remote_address(socket, NULL) : NULL;
	if (!conn->peer)
		conn->peer = g_object_ref(d->control->nowhere);
	live(conn, d->remote ? CONTROL_STRANGER_S : CONTROL_LIFE_S);
	g_queue_push_tail(d->connections, conn);
	g_object_weak_ref(G_OBJECT(stream), connection_gone, conn);
	if (d->remote)
		tls = remote_tls(d->control->remote, G_IO_STREAM(stream), &error);
	if (tls)
		shake_hands(conn, tls);
	else if (error)
		log_warning("control %s: %s", d->url, error->message);
	else
		serve(d, G_IO_STREAM(stream), conn->peer);
	g_object_unref(stream);
}

/*
 * A request is answered as soon as it is here, so the oldest connection is one that is slow to send it, or to read its
 * answer: when there is one too many, that one goes.
 */
static void make_room(struct door *d)
{
	struct connection *oldest = g_queue_pop_head(d->connections);
	gint64 now_us = g_get_monotonic_time();

	g_queue_push_tail(d->ending, oldest);
	g_socket_shutdown(oldest->socket, TRUE, TRUE, NULL);
	if (now_us - d->crowded_us > CROWDED_QUIET_US)
		log_warning("control %s: more than %u connections: the oldest ends", d->url, CONTROL_CONNECTIONS_MAX);
	d->crowded_us = now_us;
}

static void listen_after(struct door *d, unsigned ms);

static gboolean on_connect(GSocket *listener, GIOCondition condition, gpointer data)
{
	struct door *d = data;
	g_autoptr(GError) error = NULL;
	GSocket *socket = g_socket_accept(listener, NULL, &error);

	/* Who cannot be accepted stays there to be, and would be seen again at once. */
	if (!socket && !g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)) {
		log_error("control %s: %s", d->url, error->message);
		listen_after(d, RETRY_MS);
		return G_SOURCE_REMOVE;
	}
	if (!socket)
		return G_SOURCE_CONTINUE;
	if (g_queue_get_length(d->connections) >= CONTROL_CONNECTIONS_MAX)
		make_room(d);
	/* libsoup has not yet let go of so many that ended. */
	if (g_queue_get_length(d->ending) < CONTROL_CONNECTIONS_MAX)
		take(d, socket);
	g_object_unref(socket);
	return G_SOURCE_CONTINUE;
}

static gboolean listen_again(gpointer data)
{
	listen_after(data, 0);
	return G_SOURCE_REMOVE;
}

static void listen_after(struct door *d, unsigned ms)
{
	if (d->accept) {
		g_source_destroy(d->accept);
		g_source_unref(d->accept);
	}
	d->accept = ms ? g_timeout_source_new(ms) : g_socket_create_source(d->socket, G_IO_IN, NULL);
	g_source_set_callback(d->accept, ms ? listen_again : G_SOURCE_FUNC(on_connect), d, NULL);
	g_source_attach(d->accept, d->control->context);
}

/* Each connection has an object of its own for its peer's address. */
void door_admit(struct door *d, SoupServerMessage *msg)
{
	for (GList *l = d->connections->head; l; l = l->next)
		if (((struct connection *)l->data)->peer == soup_server_message_get_remote_address(msg))
			live(l->data, CONTROL_LIFE_S);
}

/* ---- doors ---- */

static struct door *door_new(struct control *c, GSocket *socket, const char *url)
{
	struct door *d = g_new0(struct door, 1);

	d->control = c;
	d->socket = socket;
	d->url = g_strdup(url);
	d->connections = g_queue_new();
	d->ending = g_queue_new();
	g_socket_set_blocking(socket, FALSE);
	d->http = soup_server_new("raw-paths", TRUE, NULL);
	listen_after(d, 0);
	g_ptr_array_add(c->doors, d);
	log_info("control %s: listening", url);
	return d;
}

static bool open_unix(struct control *c, const struct control_options *o, GError **error)
{
	g_autofree char *url = g_strconcat("unix:", o->path, NULL);
	GSocket *s = o->fd > 0 ? listen_copy(o->fd, error) : listen_unix(o->path, o->group, error);

	if (!s)
		return false;
	/* What the service manager has made is its own. */
	if (o->fd <= 0 && lstat(o->path, &c->file) < 0)
		log_warning("control socket %s: %s", o->path, g_strerror(errno));
	door_new(c, s, url);
	return true;
}

static bool open_tcp(struct control *c, GInetSocketAddress *a, GError **error)
{
	g_autofree char *host = NULL, *url = NULL;
	struct door *d;
	unsigned port;
	GSocket *s = listen_tcp(a, &port, error);

	if (!s)
		return false;
	host = g_inet_address_to_string(g_inet_socket_address_get_address(a));
	url = g_strdup_printf(strchr(host, ':') ? "%s://[%s]:%u" : "%s://%s:%u", remote_scheme(c->remote), host, port);
	d = door_new(c, s, url);
	d->remote = true;
	d->loopback = g_inet_address_get_is_loopback(g_inet_socket_address_get_address(a));
	return true;
}

bool doors_open(struct control *c, const struct control_options *o, GError **error)
{
	g_autoptr(GError) why = NULL;

	if (o->path && !open_unix(c, o, error))
		return false;
	c->remote = o->remote ? remote_new(o->remote, &why) : NULL;
	if (why) {
		g_propagate_error(error, g_steal_pointer(&why));
		return false;
	}
	for (unsigned i = 0; c->remote && remote_address(c->remote, i); i++)
		if (!open_tcp(c, remote_address(c->remote, i), error))
			return false;
	return true;
}

/* Unless it is another's by now. */
static void remove_file(struct control *c)
{
	struct stat st;

	if (c->file.st_ino && lstat(c->path, &st) == 0 && st.st_dev == c->file.st_dev && st.st_ino == c->file.st_ino)
		g_unlink(c->path);
}

static void door_close(struct door *d)
{
	g_source_destroy(d->accept);
	g_source_unref(d->accept);
	g_object_unref(d->socket);
	for (GList *l = d->connections->head; l; l = l->next)
		g_socket_shutdown(((struct connection *)l->data)->socket, TRUE, TRUE, NULL);
	soup_server_disconnect(d->http);
	g_object_unref(d->http);
	/* libsoup lets go of them from the loop. */
	while (g_queue_get_length(d->connections) || g_queue_get_length(d->ending))
		g_main_context_iteration(d->control->context, TRUE);
	g_queue_free(d->connections);
	g_queue_free(d->ending);
	g_free(d->url);
	g_free(d);
}

void doors_close(struct control *c)
{
	if (c->path)
		remove_file(c);
	for (unsigned i = 0; i < c->doors->len; i++)
		door_close(c->doors->pdata[i]);
	g_ptr_array_unref(c->doors);
	remote_free(c->remote);
}
