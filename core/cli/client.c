/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - one request, one answer, over the daemon's socket. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include <gio/gunixsocketaddress.h>
#include <libsoup/soup.h>
#include "cli/client.h"
#include "control/control.h"

#define TIMEOUT_S 120u	/* a change may wait for sessions to end */

struct client {
	const struct command *cmd;
	char *path;
	SoupSession *session;
};

/* Of the user's own daemon when there is one, else the system's. */
static char *default_socket(void)
{
	g_autofree char *own = control_default_path();

	return g_file_test(own, G_FILE_TEST_EXISTS) ? g_steal_pointer(&own) : g_strdup("/run/gotgt/gotgt.sock");
}

static char *socket_of(const char *host)
{
	const char *path = host ? host : g_getenv("GOTGT_HOST");

	if (!path || !*path)
		return default_socket();
	if (g_str_has_prefix(path, "unix:"))
		path += strlen("unix:");
	if (g_str_has_prefix(path, "//"))
		path += 2;
	return *path == '/' ? g_strdup(path) : NULL;
}

struct client *client_new(const struct command *cmd, const char *host)
{
	g_autofree char *path = socket_of(host);
	GSocketAddress *addr;
	struct client *c;

	if (!path) {
		cli_usage(cmd, "--host: expected unix:PATH, with a whole path");
		return NULL;
	}
	c = g_new0(struct client, 1);
	c->cmd = cmd;
	c->path = g_steal_pointer(&path);
	addr = g_unix_socket_address_new(c->path);
	c->session = soup_session_new_with_options("remote-connectable", addr, "timeout", TIMEOUT_S, NULL);
	g_object_unref(addr);
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
	g_object_unref(c->session);
	g_free(c->path);
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
	g_autofree char *uri = g_strconcat("http://localhost", path, NULL);
	SoupMessage *msg = soup_message_new(method, uri);
	g_autoptr(GError) error = NULL;
	g_autoptr(JsonNode) node = NULL;
	GBytes *bytes;
	unsigned http;

	*answer = NULL;
	if (body)
		set_body(msg, body);
	bytes = soup_session_send_and_read(c->session, msg, NULL, &error);
	http = soup_message_get_status(msg);
	g_object_unref(msg);
	if (!bytes) {
		cli_complain(c->cmd, "%s: %s", c->path, error->message);
		*status = EXIT_NO_DAEMON;
		return false;
	}
	if (g_bytes_get_size(bytes)) {
		g_autofree char *text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));

		node = json_from_string(text, NULL);
	}
	g_bytes_unref(bytes);
	if (SOUP_STATUS_IS_SUCCESSFUL(http) && !node && http != SOUP_STATUS_NO_CONTENT) {
		cli_complain(c->cmd, "%s: the answer is not JSON", c->path);
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
