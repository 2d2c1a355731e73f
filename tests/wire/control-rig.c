/* SPDX-License-Identifier: Apache-2.0 */
/* control-rig.c - a daemon's server and its control socket in this process, and a client of it. */
#include "config.h"
#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <gio/gunixsocketaddress.h>
#include <gotgt/plugin.h>
#include <libsoup/soup.h>
#include "config/json.h"
#include "control/control.h"
#include "engine/log.h"
#include "control-rig.h"


/* libconfig 1.5 loses the string that the end of a file cuts off. */
GOTGT_EXPORT const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

char *dir, *path, *file;
static char **plugin_dirs;
struct server *running;
struct control *control;
static SoupSession *client;

/* What ini.c asks of a server. */
int server_connect(struct server *s)
{
	return server_connect_tcp(s);
}

int server_connect_tcp(struct server *s)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_port = htons((uint16_t)atoi(strrchr(server_portal(running, 0), ':') + 1));
	g_assert_cmpint(connect(fd, (struct sockaddr *)&to, sizeof to), ==, 0);
	return fd;
}

/* ---- a server and its client ---- */

static const char start_conf[] =
	"state-dir = \"%s/state\";\n"
	"portals = ( { name = \"a\"; address = \"127.0.0.1\"; port = 0; } );\n"
	"targets = ( { iqn = \"" DISK "\"; open = true; luns = (\n"
	"  { number = 0; plugin = \"null\"; settings: { size = \"1M\"; }; },\n"
	"  { number = 1; plugin = \"null\"; settings: { size = \"2M\"; }; } ); } );\n";

struct conf *read_file(void)
{
	g_autoptr(GPtrArray) errors = conf_errors_new();
	struct conf *c = conf_read(file, errors);

	for (unsigned i = 0; i < errors->len; i++)
		g_test_message("%s", (char *)errors->pdata[i]);
	g_assert_nonnull(c);
	return c;
}

static void keep_quiet(enum gotgt_log_level level, const char *line, void *data)
{
	g_test_message("%s", line);
}

void begin(void)
{
	g_autofree char *text = g_strdup_printf(start_conf, dir);

	begin_with(text, false);
}

void begin_with(const char *text, bool skip_broken)
{
	struct control_options o = { .path = path, .config_path = file };
	GSocketAddress *addr = g_unix_socket_address_new(path);
	GError *error = NULL;

	g_file_set_contents(file, text, -1, &error);
	g_assert_no_error(error);
	running = server_start(read_file(), plugin_dirs, skip_broken, &error);
	g_assert_no_error(error);
	o.server = running;
	control = control_new(&o, &error);
	g_assert_no_error(error);
	client = soup_session_new_with_options("remote-connectable", addr, NULL);
	g_object_unref(addr);
}

void end(void)
{
	soup_session_abort(client);
	g_object_unref(client);
	control_free(control);
	server_stop(running, 0);
	g_assert_cmpint(access(path, F_OK), ==, -1);
}

static void on_answer(GObject *session, GAsyncResult *result, gpointer data)
{
	struct answer *a = data;
	GError *error = NULL;
	GBytes *bytes = soup_session_send_and_read_finish(SOUP_SESSION(session), result, &error);
	gsize len = 0;
	const char *text = bytes ? g_bytes_get_data(bytes, &len) : NULL;

	g_assert_no_error(error);
	a->text = g_strndup(text ? text : "", len);
	g_bytes_unref(bytes);
	a->done = true;
}

struct answer ask_with(const char *method, const char *where, const char *body, const char *header)
{
	g_autofree char *uri = g_strconcat("http://localhost", where, NULL);
	SoupMessage *msg = soup_message_new(method, uri);
	SoupMessageHeaders *h;
	struct answer a = { 0 };

	if (body) {
		GBytes *bytes = g_bytes_new(body, strlen(body));

		soup_message_set_request_body_from_bytes(msg, "application/json", bytes);
		g_bytes_unref(bytes);
	}
	if (header) {
		g_auto(GStrv) parts = g_strsplit(header, ": ", 2);

		soup_message_headers_replace(soup_message_get_request_headers(msg), parts[0], parts[1]);
	}
	soup_session_send_and_read_async(client, msg, G_PRIORITY_DEFAULT, NULL, on_answer, &a);
	while (!a.done)
		g_main_context_iteration(NULL, TRUE);
	h = soup_message_get_response_headers(msg);
	a.status = soup_message_get_status(msg);
	a.etag = g_strdup(soup_message_headers_get_one(h, "ETag"));
	a.type = g_strdup(soup_message_headers_get_one(h, "Content-Type"));
	a.location = g_strdup(soup_message_headers_get_one(h, "Location"));
	a.allow = g_strdup(soup_message_headers_get_one(h, "Allow"));
	a.json = *a.text ? json_from_string(a.text, NULL) : NULL;
	g_test_message("%s %s: %u %.300s", method, where, a.status, a.text);
	if (a.status >= 400) {
		JsonObject *o = json_node_get_object(a.json);

		/* Each has its form. */
		g_assert_cmpstr(a.type, ==, "application/problem+json");
		g_assert_cmpint(json_object_get_int_member(o, "status"), ==, a.status);
		g_assert_true(json_object_has_member(o, "title") && json_object_has_member(o, "detail"));
	}
	g_object_unref(msg);
	return a;
}

struct answer ask(const char *method, const char *where, const char *body)
{
	return ask_with(method, where, body, NULL);
}

void answer_clear(struct answer *a)
{
	g_free(a->text);
	g_free(a->etag);
	g_free(a->type);
	g_free(a->location);
	g_free(a->allow);
	if (a->json)
		json_node_unref(a->json);
}

void expect(const char *method, const char *where, const char *body, unsigned status, const char *piece)
{
	struct answer a = ask(method, where, body);

	g_assert_cmpuint(a.status, ==, status);
	if (piece && !strstr(a.text, piece))
		g_error("%s %s: no %s in %s", method, where, piece, a.text);
	answer_clear(&a);
}

const struct conf_target *target(const char *iqn)
{
	const struct conf *c = server_conf(running);

	for (unsigned i = 0; i < c->targets->len; i++)
		if (g_str_equal(((const struct conf_target *)c->targets->pdata[i])->iqn, iqn))
			return c->targets->pdata[i];
	return NULL;
}

void rig_begin(int *argc, char ***argv)
{
	g_autofree char *plugins = NULL;

	g_test_init(argc, argv, NULL);
	log_set_sink(keep_quiet, NULL);
	plugins = g_test_build_filename(G_TEST_BUILT, "..", "plugins", NULL);
	plugin_dirs = g_new0(char *, 4);
	plugin_dirs[0] = g_build_filename(plugins, "null", ".libs", NULL);
	plugin_dirs[1] = g_build_filename(plugins, "file", ".libs", NULL);
	dir = g_dir_make_tmp("gotgt-XXXXXX", NULL);
	path = g_build_filename(dir, "socket", NULL);
	file = g_build_filename(dir, "gotgt.conf", NULL);
}

void rig_plugins(const char *folder)
{
	plugin_dirs[2] = g_test_build_filename(G_TEST_BUILT, folder, ".libs", NULL);
}

int rig_run(void)
{
	int rc = g_test_run();

	g_unlink(file);
	g_rmdir(dir);
	g_strfreev(plugin_dirs);
	g_free(dir);
	g_free(path);
	g_free(file);
	return rc;
}
