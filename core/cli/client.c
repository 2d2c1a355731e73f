/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - one request, one answer, over the daemon's unix socket, or TCP. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include <gio/gunixsocketaddress.h>
#include <libsoup/soup.h>
#include "cli/client.h"
#include "config/secret.h"
#include "control/control.h"
#include "engine/vault.h"

#define TIMEOUT_S 120u	/* a change may wait for sessions to end */

struct client {
	const struct command *cmd;
	char *where;		/* for messages */
	char *base;		/* of URIs */
	char *token;		/* or NULL */
	SoupSession *session;
};

/* Of the user's own daemon when there is one, else the system's. */
static char *default_socket(void)
{
	g_autofree char *own = control_default_path();

	return g_file_test(own, G_FILE_TEST_EXISTS) ? g_steal_pointer(&own) : g_strdup("/run/gotgt/gotgt.sock");
}

/* The path of a unix socket; NULL: it is none. */
static char *socket_of(const char *host)
{
	const char *path = host;

	if (!path || !*path)
		return default_socket();
	if (g_str_has_prefix(path, "unix:"))
		path += strlen("unix:");
	if (g_str_has_prefix(path, "//"))
		path += 2;
	return *path == '/' ? g_strdup(path) : NULL;
}

/* "http://HOST:PORT"; NULL: it is no address.  Whom to trust is of use with TLS only, so that is what it asks for. */
static char *base_of(const char *host, const char *cacert)
{
	static const struct { const char *prefix; bool tls; } schemes[] = {
		{ "tcp://", false }, { "http://", false }, { "https://", true },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++)
		if (g_str_has_prefix(host, schemes[i].prefix)) {
			const char *rest = host + strlen(schemes[i].prefix);
			g_autofree char *base = g_strdup_printf("%s://%.*s", schemes[i].tls || cacert ? "https" : "http",
								(int)strcspn(rest, "/"), rest);
			g_autoptr(GUri) uri = g_uri_parse(base, G_URI_FLAGS_NONE, NULL);
			bool whole = uri && *g_uri_get_host(uri) && g_uri_get_port(uri) > 0 && !g_uri_get_userinfo(uri) &&
				     (!rest[strcspn(rest, "/")] || !rest[strcspn(rest, "/") + 1]);

			return whole ? g_steal_pointer(&base) : NULL;
		}
	return NULL;
}

gboolean client_option(const gchar *name, const gchar *value, gpointer data, GError **error)
{
	return g_setenv(g_str_has_suffix(name, "cacert") ? "GOTGT_CACERT" : "GOTGT_TOKEN_FILE", value, TRUE);
}

/* Straight there: a token is for nobody in between, such as a proxy of the environment. */
static bool begin_tcp(struct client *c, const char *cacert)
{
	const char *file = g_getenv("GOTGT_TOKEN_FILE");
	bool tls = g_str_has_prefix(c->base, "https:");
	g_autofree char *anchors = cacert ? g_canonicalize_filename(cacert, NULL) : NULL;	/* GLib takes no other */
	g_autoptr(GError) error = NULL;
	GTlsDatabase *trusted = NULL;

	if (tls && !g_tls_backend_supports_tls(g_tls_backend_get_default()))
		g_set_error(&error, SERVER_ERROR, 0, "%s: GLib has no TLS here, which is in the package glib-networking", c->base);
	else if (file && *file && !(c->token = secret_read(file, false, &error)))
		g_prefix_error(&error, "token file ");
	else if (tls && anchors && !(trusted = g_tls_file_database_new(anchors, &error)))
		g_prefix_error(&error, "%s: ", cacert);
	if (error) {
		cli_complain(c->cmd, "%s", error->message);
		return false;
	}
	c->session = soup_session_new_with_options("proxy-resolver", NULL, "timeout", TIMEOUT_S, NULL);
	if (trusted) {
		soup_session_set_tls_database(c->session, trusted);
		g_object_unref(trusted);
	}
	return true;
}

static void begin_unix(struct client *c, const char *path)
{
	GSocketAddress *addr = g_unix_socket_address_new(path);

	c->base = g_strdup("http://localhost");
	c->session = soup_session_new_with_options("remote-connectable", addr, "timeout", TIMEOUT_S, NULL);
	g_object_unref(addr);
}

struct client *client_new(const struct command *cmd, const char *host)
{
	const char *asked = host ? host : g_getenv("GOTGT_HOST"), *trust = g_getenv("GOTGT_CACERT");
	const char *cacert = trust && *trust ? trust : NULL;
	g_autofree char *base = asked ? base_of(asked, cacert) : NULL, *path = base ? NULL : socket_of(asked);
	struct client *c;

	if (!base && !path) {
		cli_usage(cmd, "--host: expected unix:PATH, with a whole path, tcp://ADDR:PORT or https://HOST:PORT");
		return NULL;
	}
	c = g_new0(struct client, 1);
	c->cmd = cmd;
	c->where = g_strdup(base ? asked : path);
	c->base = g_steal_pointer(&base);
	if (path) {
		begin_unix(c, path);
	} else if (!begin_tcp(c, cacert)) {
		client_free(c);
		return NULL;
	}
	return c;
}

void client_hurry(struct client *c, unsigned seconds)
{
	soup_session_set_timeout(c->session, seconds);
}

void client_free(struct client *c)
{
	if (!c)
		return;
	g_clear_object(&c->session);
	vault_free(c->token);
	g_free(c->where);
	g_free(c->base);
	g_free(c);
}

static void set_body(SoupMessage *msg, JsonNode *body)
{
	char *text = json_to_string(body, FALSE);
	GBytes *bytes = g_bytes_new_take(text, strlen(text));

	soup_message_set_request_body_from_bytes(msg, "application/json", bytes);
	g_bytes_unref(bytes);
	json_node_unref(body);
}

static void set_token(SoupMessage *msg, const char *token)
{
	char *value = g_strconcat("Bearer ", token, NULL);

	soup_message_headers_replace(soup_message_get_request_headers(msg), "Authorization", value);
	chap_wipe(value);
}

static int exit_status(unsigned http)
{
	if (http == SOUP_STATUS_NOT_FOUND)
		return EXIT_NOT_FOUND;
	return http == SOUP_STATUS_CONFLICT ? EXIT_CONFLICT : EXIT_FAILURE;
}

/* The problem's detail has field and reason. */
static int complain(const struct client *c, unsigned http, JsonNode *answer)
{
	const char *detail = answer && JSON_NODE_HOLDS_OBJECT(answer) ?
		json_object_get_string_member_with_default(json_node_get_object(answer), "detail", NULL) : NULL;

	cli_complain(c->cmd, "%s", detail ? detail : soup_status_get_phrase(http));
	return exit_status(http);
}

bool client_ask(struct client *c, const char *method, const char *path, JsonNode *body, JsonNode **answer, int *status)
{
	g_autofree char *uri = g_strconcat(c->base, path, NULL);
	SoupMessage *msg = soup_message_new(method, uri);
	g_autoptr(GError) error = NULL;
	g_autoptr(JsonNode) node = NULL;
	GBytes *bytes;
	unsigned http;

	*answer = NULL;
	soup_message_add_flags(msg, SOUP_MESSAGE_NO_REDIRECT);
	if (c->token)
		set_token(msg, c->token);
	if (body)
		set_body(msg, body);
	bytes = soup_session_send_and_read(c->session, msg, NULL, &error);
	http = soup_message_get_status(msg);
	g_object_unref(msg);
	if (!bytes) {
		cli_complain(c->cmd, "%s: %s", c->where, error->message);
		*status = EXIT_NO_DAEMON;
		return false;
	}
	if (g_bytes_get_size(bytes)) {
		g_autofree char *text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));

		node = json_from_string(text, NULL);
	}
	g_bytes_unref(bytes);
	if (SOUP_STATUS_IS_SUCCESSFUL(http) && !node && http != SOUP_STATUS_NO_CONTENT) {
		cli_complain(c->cmd, "%s: the answer is not JSON", c->where);
		*status = EXIT_FAILURE;
		return false;
	}
	if (SOUP_STATUS_IS_SUCCESSFUL(http)) {
		*answer = g_steal_pointer(&node);
		return true;
	}
	*status = complain(c, http, node);
	return false;
}
