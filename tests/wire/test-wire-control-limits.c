/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: bytes of any kind, too many of them, and what may be in its place. */
#include "config.h"
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "control-rig.h"

static int connect_raw(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_strlcpy(to.sun_path, path, sizeof to.sun_path);
	g_assert_cmpint(connect(fd, (struct sockaddr *)&to, sizeof to), ==, 0);
	return fd;
}

/* All that comes until the server closes, or the first piece that has TEXT. */
static char *receive_raw(int fd, const char *text)
{
	GString *all = g_string_new(NULL);
	char buf[4096];
	ssize_t n = 0;

	do {
		if (n > 0)
			g_string_append_len(all, buf, n);
		g_main_context_iteration(NULL, FALSE);
		n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
	} while ((n > 0 || (n < 0 && errno == EAGAIN)) && !(text && strstr(all->str, text)));
	return g_string_free(all, FALSE);
}

static void send_raw(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		g_main_context_iteration(NULL, FALSE);
		if (n < 0 && errno != EAGAIN)
			return;
		text += MAX(n, 0);
		len -= (size_t)MAX(n, 0);
	}
}

static void test_raw(void)
{
	static const struct { const char *text, *answer; } requests[] = {
		{ "GET /healthz HTTP/1.0\r\n\r\n", "200 OK" },
		{ "GET /healthz HTTP/1.1\r\n\r\n", "400 Bad Request" },
		{ "GET http://[::1/ HTTP/1.1\r\nHost: x\r\n\r\n", "400 Bad Request" },
		{ "nonsense\r\n\r\n", "400 Bad Request" },
		{ "\0\0\0\0", "" },
	};

	begin();
	for (size_t i = 0; i < G_N_ELEMENTS(requests); i++) {
		int fd = connect_raw();
		g_autofree char *got = NULL;

		send_raw(fd, requests[i].text, strlen(requests[i].text));
		shutdown(fd, SHUT_WR);
		got = receive_raw(fd, *requests[i].answer ? requests[i].answer : NULL);
		g_test_message("%s: %s", requests[i].text, got);
		g_assert_nonnull(strstr(got, requests[i].answer));
		close(fd);
	}
	expect("GET", "/healthz", NULL, 200, "ok");
	end();
}

static void test_large(void)
{
	static const char *const heads[] = {
		"PUT /v1/config HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\n",
		"PUT /v1/config HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
	};
	size_t len = CONTROL_BODY_MAX + (1 << 20);
	g_autofree char *chunk = g_strdup_printf("%zx\r\n", len), *body = g_strnfill(len, ' ');

	begin();
	for (size_t i = 0; i < G_N_ELEMENTS(heads); i++) {
		int fd = connect_raw();
		g_autofree char *got = NULL;

		send_raw(fd, heads[i], strlen(heads[i]));
		if (i) {
			send_raw(fd, chunk, strlen(chunk));
			send_raw(fd, body, len);
			send_raw(fd, "\r\n0\r\n\r\n", 7);
		} else {
			send_raw(fd, body, 1 << 20);
			shutdown(fd, SHUT_WR);
		}
		got = receive_raw(fd, " 413 ");
		/* Either it says so, or it has hung up on a body that never ended. */
		g_assert_true(strstr(got, " 413 ") || (i == 0 && !*got));
		close(fd);
	}
	expect("GET", "/healthz", NULL, 200, "ok");
	end();
}

static void test_connections(void)
{
	static const char start[] = "GET /healthz HTTP/1.1\r\n", rest[] = "Host: x\r\n\r\n";
	int fds[CONTROL_CONNECTIONS_MAX], extra;
	g_autofree char *got = NULL;

	begin();
	for (unsigned i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		fds[i] = connect_raw();
		send_raw(fds[i], start, strlen(start));
	}
	/* One more is answered; the one that has been slow for the longest time has to go. */
	extra = connect_raw();
	send_raw(extra, start, strlen(start));
	send_raw(extra, rest, strlen(rest));
	got = receive_raw(extra, NULL);
	g_assert_nonnull(strstr(got, "200 OK"));
	close(extra);
	g_free(got);
	got = receive_raw(fds[0], NULL);
	g_assert_cmpstr(got, ==, "");
	close(fds[0]);
	for (unsigned i = 1; i < CONTROL_CONNECTIONS_MAX; i++) {
		g_autofree char *answer = NULL;

		send_raw(fds[i], rest, strlen(rest));
		answer = receive_raw(fds[i], NULL);
		g_assert_nonnull(strstr(answer, "200 OK"));
		g_assert_nonnull(strstr(answer, "Connection: close"));
		close(fds[i]);
	}
	expect("GET", "/healthz", NULL, 200, "ok");
	end();
}

/* ---- the socket ---- */

static void test_socket(void)
{
	struct control_options o = { .path = path };
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	GError *error = NULL;
	struct stat st;
	int fd;

	begin();
	g_assert_cmpint(stat(path, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 0777, ==, 0660);
	/* A live one. */
	o.server = running;
	g_assert_null(control_new(&o, &error));
	g_assert_nonnull(strstr(error->message, path));
	g_clear_error(&error);
	expect("GET", "/healthz", NULL, 200, "ok");
	end();
	/* A dead one's. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_strlcpy(to.sun_path, path, sizeof to.sun_path);
	g_assert_cmpint(bind(fd, (struct sockaddr *)&to, sizeof to), ==, 0);
	close(fd);
	begin();
	expect("GET", "/healthz", NULL, 200, "ok");
	end();
	/* Something else is left alone. */
	g_assert_true(g_file_set_contents(path, "precious", -1, NULL));
	g_assert_null(control_new(&o, &error));
	g_clear_error(&error);
	g_assert_cmpint(stat(path, &st), ==, 0);
	g_assert_true(S_ISREG(st.st_mode));
	g_unlink(path);
	o.path = "/a/path/that/is/longer/than/a/unix/socket/may/have/it/which/is/one/hundred/and/eight/bytes/with/its/zero/behind";
	g_assert_null(control_new(&o, &error));
	g_clear_error(&error);
}

int main(int argc, char **argv)
{
	rig_begin(&argc, &argv);
	g_test_add_func("/control/raw", test_raw);
	g_test_add_func("/control/large", test_large);
	g_test_add_func("/control/connections", test_connections);
	g_test_add_func("/control/socket", test_socket);
	return rig_run();
}
