/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "ask.h"

int ask_dial(const char *sock)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_assert_cmpuint(strlen(sock), <, sizeof to.sun_path);
	memcpy(to.sun_path, sock, strlen(sock));
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	close(fd);
	return -1;
}

bool ask_send(int fd, const char *method, const char *where, const char *body)
{
	g_autofree char *text = g_strdup_printf("%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s", method,
						where, strlen(body), body);

	return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

struct answer ask_take(int fd)
{
	GString *text = g_string_new(NULL);
	struct answer a = { 0 };
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof buf)) > 0)
		g_string_append_len(text, buf, n);
	close(fd);
	a.text = g_string_free(text, FALSE);
	if (g_str_has_prefix(a.text, "HTTP/1.1 "))
		a.status = atoi(a.text + strlen("HTTP/1.1 "));

	return a;
}

struct answer ask(const char *sock, const char *method, const char *where, const char *body)
{
	int fd = ask_dial(sock);

	g_assert_cmpint(fd, >=, 0);
	g_assert_true(ask_send(fd, method, where, body));
	return ask_take(fd);
}
