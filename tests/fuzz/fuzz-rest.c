/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-rest.c - what a client of the control socket sends, to a server in this process.  The first byte of an input: bit 0
 * the rest goes out as it is; bit 1 what runs in the end is saved and read again.  Else the rest is requests: a number of
 * a route, a byte of how (enum below), names for the path, and a body made of the schema, setting by setting.
 */
#include "config.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <glib/gstdio.h>
#include <gotgt/plugin.h>
#include "config/json.h"
#include "control/control-internal.h"
#include "engine/log.h"
#include "fuzz.h"

enum { RAW = 1, SAVE = 2 };
enum { DRY_RUN = 1, FORCE = 2, MATCH = 4, OTHER_METHOD = 8, CHUNKED = 16, HEADER = 32, TEXT = 64, NO_BODY = 128 };
#define REQUESTS_MAX 16
#define DEPTH_MAX 4
#define HANG_S 20
/* Not g_error(), whose signal libFuzzer does not know. */
#define BAD(...) do { g_printerr(__VA_ARGS__); g_printerr("\n"); abort(); } while (0)
#define DISK "iqn.2010-01.org.example:disk"
#define OTHER "iqn.2010-01.org.example:other"
#define SECRET "nobody is told this"

static char *dir, *path, *file, *plugin_dirs[2];
static struct server *server;
static struct control *control;
static struct conf *start;
static GPtrArray *routes;
static char etag[64];

/* libconfig 1.5 loses the string that the end of a file cuts off. */
GOTGT_EXPORT const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

/* Whatever a portal is to be, nobody else reaches it, and no two are in each other's way. */
int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	if (addr->sa_family == AF_INET)
		return (int)syscall(SYS_bind, fd, &v4, sizeof v4);
	if (addr->sa_family == AF_INET6)
		return (int)syscall(SYS_bind, fd, &v6, sizeof v6);
	return (int)syscall(SYS_bind, fd, addr, len);
}

static void quiet(enum gotgt_log_level level, const char *line, void *data)
{
}

/* ---- the server ---- */

static const char start_conf[] =
	"reactors = 1;\n"
	"portals = ( { name = \"a\"; address = \"127.0.0.1\"; port = 0; } );\n"
	"targets = ( { iqn = \"" DISK "\"; luns = (\n"
	"  { number = 0; plugin = \"null\"; settings: { size = \"1M\"; }; },\n"
	"  { number = 1; plugin = \"null\"; settings: { size = \"2M\"; }; } );\n"
	"  accounts = ( { user = \"u\"; secret = \"" SECRET "\"; } ); acls = ( { addresses = [ \"127.0.0.0/8\" ]; } ); } );\n";

static struct conf *read_file(void)
{
	g_autoptr(GPtrArray) errors = conf_errors_new();
	struct conf *c = conf_read(file, errors);

	if (!c)
		g_error("%s: %s", file, errors->len ? (const char *)errors->pdata[0] : "?");
	return c;
}

static void forget(void)
{
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", dir);

	if (system(command))
		g_warning("%s stays", dir);
}

static char *plugins(void)
{
	const char *built = g_getenv("G_TEST_BUILDDIR");

	return built ? g_build_filename(built, "..", "plugins", "null", ".libs", NULL) :
		       g_build_filename("plugins", "null", ".libs", NULL);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct control_options o = { 0 };
	GError *error = NULL;

	log_set_sink(quiet, NULL);
	dir = g_dir_make_tmp("gotgt-fuzz-XXXXXX", NULL);
	path = g_build_filename(dir, "socket", NULL);
	file = g_build_filename(dir, "gotgt.conf", NULL);
	plugin_dirs[0] = plugins();
	if (!g_file_set_contents(file, start_conf, -1, NULL))
		g_error("%s", file);
	atexit(forget);
	start = read_file();
	server = server_start(schema_dup(CONF_TOP, start), plugin_dirs, false, &error);
	if (!server)
		g_error("%s", error->message);
	o = (struct control_options){ .server = server, .path = path, .config_path = file };
	control = control_new(&o, &error);
	if (!control)
		g_error("%s", error->message);
	routes = routes_new();
	return 0;
}

/* ---- a connection ---- */

static int open_socket(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	g_strlcpy(to.sun_path, path, sizeof to.sun_path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to))
		BAD("connect: %s", g_strerror(errno));
	return fd;
}

/* All that comes back until the other end closes, which it must; half: we say no more behind this. */
static GString *exchange(const char *at, size_t len, bool half)
{
	int fd = open_socket();
	time_t since = time(NULL);
	GString *answer = g_string_new(NULL);
	char buf[8192];
	ssize_t n = -1;

	while (n) {
		ssize_t sent = len ? send(fd, at, len, MSG_NOSIGNAL) : 0;

		if (sent > 0) {
			at += sent;
			len -= (size_t)sent;
		} else if (sent < 0 && errno == EPIPE) {
			len = 0;
		}
		if (!len && half) {
			shutdown(fd, SHUT_WR);
			half = false;
		}
		g_main_context_iteration(NULL, FALSE);
		n = recv(fd, buf, sizeof buf, 0);
		if (n > 0)
			g_string_append_len(answer, buf, n);
		if (n < 0 && errno == ECONNRESET)
			break;
		if (time(NULL) - since > HANG_S)
			BAD("no end of it: %s", answer->str);
	}
	close(fd);
	return answer;
}

/*
 * libsoup 3.2 loses the path of a request whose Transfer-Encoding or Content-Length it does not know.  So leaks are looked
 * for where headers are ours alone.
 */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static GString *exchange_any(const char *at, size_t len)
{
	GString *answer;

	if (__lsan_disable)
		__lsan_disable();
	answer = exchange(at, len, true);
	if (__lsan_enable)
		__lsan_enable();
	return answer;
}

/* ---- what is in it ---- */

static const char *const words[] = {
	DISK, OTHER, "a", "b", "u", "0", "1", "7", "127.0.0.1", "127.0.0.2", "::1", "127.0.0.1:0", "null", "discovery",
	"iqn.1994-05.com.example:host", "iqn.*", "127.0.0.0/8", "/dev/null", "/", "off", "x.conf", "1M", "3K", "sha256", "md5",
	"a word of more than a dozen bytes", "192.0.2.1:3260", "", "..", "\xc3\xa4",
};

static void quote(GString *to, const uint8_t *bytes, size_t len)
{
	g_string_append_c(to, '"');
	for (size_t i = 0; i < len; i++)
		if (bytes[i] == '"' || bytes[i] == '\\')
			g_string_append_printf(to, "\\%c", bytes[i]);
		else if (bytes[i] < 0x20)
			g_string_append_printf(to, "\\u%04x", bytes[i]);
		else
			g_string_append_c(to, (char)bytes[i]);
	g_string_append_c(to, '"');
}

static void put_string(struct fuzz_in *in, GString *to, bool secret)
{
	uint8_t which = fuzz_byte(in), bytes[16];

	if (which < 0xc0) {
		const char *word = secret ? SECRET : words[which % G_N_ELEMENTS(words)];

		quote(to, (const uint8_t *)word, strlen(word));
		return;
	}
	fuzz_take(in, bytes, which & 15);
	quote(to, bytes, which & 15);
}

static void put_number(struct fuzz_in *in, GString *to, const struct setting *s)
{
	uint64_t numbers[] = { 0, 1, s->min, s->max, s->max + 1, fuzz_word(in), 512, 4096, UINT32_MAX, UINT64_MAX / 2 };

	g_string_append_printf(to, "%" G_GUINT64_FORMAT, numbers[fuzz_byte(in) % G_N_ELEMENTS(numbers)]);
}

static void put_object(struct fuzz_in *in, GString *to, enum conf_object object, unsigned depth);

static void put_right(struct fuzz_in *in, GString *to, const struct setting *s, unsigned depth)
{
	unsigned n = 0, choices = 0;

	switch (s->type) {
	case SETTING_BOOL:
		g_string_append(to, fuzz_byte(in) & 1 ? "true" : "false");
		return;
	case SETTING_UINT:
	case SETTING_SIZE:
		put_number(in, to, s);
		return;
	case SETTING_CHOICE:
		while (s->choices[choices].name)
			choices++;
		g_string_append_printf(to, "\"%s\"", s->choices[fuzz_byte(in) % choices].name);
		return;
	case SETTING_STRING:
		put_string(in, to, s->secret);
		return;
	case SETTING_PLUGIN:
		g_string_append(to, "{\"size\":");
		put_string(in, to, false);
		g_string_append_c(to, '}');
		return;
	case SETTING_GROUP:
		put_object(in, to, s->child, depth + 1);
		return;
	case SETTING_NAMES:
	case SETTING_LIST:
		n = fuzz_byte(in) & 3;
		g_string_append_c(to, '[');
		for (unsigned i = 0; i < n; i++) {
			g_string_append(to, i ? "," : "");
			if (s->type == SETTING_NAMES)
				put_string(in, to, false);
			else
				put_object(in, to, s->child, depth + 1);
		}
		g_string_append_c(to, ']');
	}
}

static void put_value(struct fuzz_in *in, GString *to, const struct setting *s, unsigned depth)
{
	static const char *const wrong[] = {
		"null", "true", "-1", "1.5", "1e99", "18446744073709551616", "\"\"", "[]", "{}", "[[[[[[[[]]]]]]]]", "{\"a\":1,\"a\":2}",
		"[null]", "\"\\u0000\"", "\"\\ud800\"", "nul", "", "\"open", "[1,]", "\xff", "/**/1",
	};
	uint8_t how = fuzz_byte(in);

	if (how < 0xd0)
		put_right(in, to, s, depth);
	else
		g_string_append(to, wrong[how % G_N_ELEMENTS(wrong)]);
}

static void put_object(struct fuzz_in *in, GString *to, enum conf_object object, unsigned depth)
{
	const struct setting *s = NULL;
	bool first = true;

	g_string_append_c(to, '{');
	while (depth < DEPTH_MAX && (s = schema_next(object, s))) {
		uint8_t with = fuzz_byte(in);

		if (!(s->required ? with < 0xf0 : with & 1))
			continue;
		g_string_append_printf(to, "%s\"%s\":", first ? "" : ",", s->name);
		put_value(in, to, s, depth);
		first = false;
	}
	g_string_append_c(to, '}');
}

static void put_body(struct fuzz_in *in, GString *to, const struct route *r, uint8_t how)
{
	static const char *const texts[] = { "{\"Name\":", "{\"name\":", "{\"log-level\":", "{\"target\":", "{\"x\":", "[" };
	uint8_t which, bytes[64];

	if (how & NO_BODY)
		return;
	if (!(how & TEXT) && r->body && (r->row || r->answer == ANSWER_OBJECT)) {
		put_object(in, to, r->row ? r->row->child : CONF_TOP, 0);
		return;
	}
	which = fuzz_byte(in);
	if (which < 0xc0) {
		g_string_append(to, texts[which % G_N_ELEMENTS(texts)]);
		put_string(in, to, false);
		g_string_append(to, *texts[which % G_N_ELEMENTS(texts)] == '[' ? "]" : "}");
	} else {
		fuzz_take(in, bytes, which & 63);
		g_string_append_len(to, (const char *)bytes, which & 63);
	}
}

static void put_path(struct fuzz_in *in, GString *to, const struct route *r, uint8_t how)
{
	for (const char *p = r->pattern; *p; p++) {
		uint8_t which, bytes[8];

		if (*p != '{') {
			g_string_append_c(to, *p);
			continue;
		}
		p = strchr(p, '}');
		which = fuzz_byte(in);
		if (which < 0xe0) {
			g_string_append_uri_escaped(to, words[which % G_N_ELEMENTS(words)], ":", TRUE);
			continue;
		}
		fuzz_take(in, bytes, which & 7);
		for (unsigned i = 0; i < (which & 7u); i++)
			g_string_append_printf(to, "%%%02x", bytes[i]);
	}
	if (how & (DRY_RUN | FORCE))
		g_string_append_printf(to, "?%s%s", how & DRY_RUN ? "dry_run=1&" : "", how & FORCE ? "force=1" : "");
}

static void put_headers(struct fuzz_in *in, GString *to, uint8_t how, size_t len)
{
	static const char *const headers[] = {
		"If-Match: *", "If-None-Match: *", "If-Match: \"x\", W/\"y\"", "Content-Type: text/plain", "Expect: 100-continue",
		"Content-Length: 3", "Transfer-Encoding: chunked", "Connection: keep-alive", "Content-Type: application/merge-patch+json",
		"Content-Encoding: gzip", "Host: other", "X: \x01\xff", "Accept-Encoding: br", "Range: bytes=0-1", "Upgrade: websocket",
	};

	g_string_append(to, "Host: localhost\r\n");
	if (how & MATCH && *etag)
		g_string_append_printf(to, "%s: %s\r\n", fuzz_byte(in) & 1 ? "If-Match" : "If-None-Match", etag);
	if (how & HEADER)
		g_string_append_printf(to, "%s\r\n", headers[fuzz_byte(in) % G_N_ELEMENTS(headers)]);
	else if (len)
		g_string_append(to, "Content-Type: application/json\r\n");
	if (how & CHUNKED)
		g_string_append(to, "Transfer-Encoding: chunked\r\n");
	else if (len)
		g_string_append_printf(to, "Content-Length: %zu\r\n", len);
	g_string_append(to, "\r\n");
}

/* ---- what comes back ---- */

static void keep_etag(const char *head)
{
	const char *at = strstr(head, "ETag: ");

	if (at)
		g_strlcpy(etag, at + strlen("ETag: "), MIN(sizeof etag, strcspn(at, "\r\n") - strlen("ETag: ") + 1));
}

/* One answer, of one status, whose document is one, and has no secret; none is an error of ours. */
static void judge(const GString *answer, bool head_only, bool whole)
{
	static const char interim[] = "HTTP/1.1 100 Continue\r\n";
	const char *over = g_str_has_prefix(answer->str, interim) ? strstr(answer->str, "\r\n\r\n") : NULL;
	const char *text = over ? over + 4 : answer->str;
	const char *end = strstr(text, "\r\n\r\n");
	unsigned status = g_str_has_prefix(text, "HTTP/1.") ? (unsigned)atoi(text + strlen("HTTP/1.1 ")) : 0;
	g_autoptr(JsonNode) node = NULL;

	if (!end && !whole)
		return;
	/* What libsoup says of what it does not know. */
	if (!whole && (status == SOUP_STATUS_NOT_IMPLEMENTED || status == SOUP_STATUS_HTTP_VERSION_NOT_SUPPORTED))
		return;
	if (!end || status < 200 || status >= 500)
		BAD("answer: %s", answer->str);
	if (over && g_strstr_len(answer->str, over - answer->str, "Connection"))
		BAD("not of an answer yet: %s", answer->str);
	if (strstr(answer->str, SECRET))
		BAD("a secret: %s", answer->str);
	keep_etag(answer->str);
	if (head_only || status == SOUP_STATUS_PARTIAL_CONTENT || !end[4] || !g_strstr_len(text, end - text, "json"))
		return;
	node = json_from_string(end + 4, NULL);
	if (!node)
		BAD("no JSON: %s", answer->str);
	if (status >= 400 && json_object_get_int_member(json_node_get_object(node), "status") != status)
		BAD("another status: %s", answer->str);
}

/* By a number that means the same when there are more routes. */
static const struct route *pick(uint16_t number)
{
	const struct route *best = NULL;
	uint16_t best_far = 0;

	for (unsigned i = 0; i < routes->len; i++) {
		const struct route *r = routes->pdata[i];
		g_autofree char *name = g_strconcat(r->method, r->pattern, NULL);
		uint16_t far = (uint16_t)(g_str_hash(name) - number);

		if (!best || far < best_far) {
			best = r;
			best_far = far;
		}
	}
	return best;
}

static void request(struct fuzz_in *in)
{
	static const char *const methods[] = { "GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE" };
	const struct route *r = pick(fuzz_word(in));
	uint8_t how = fuzz_byte(in);
	const char *method = how & OTHER_METHOD ? methods[fuzz_byte(in) % G_N_ELEMENTS(methods)] : r->method;
	g_autoptr(GString) text = g_string_new(method), body = g_string_new(NULL);
	GString *answer;

	g_string_append_c(text, ' ');
	put_path(in, text, r, how);
	g_string_append(text, " HTTP/1.1\r\n");
	put_body(in, body, r, how);
	put_headers(in, text, how, body->len);
	if (how & CHUNKED)
		g_string_append_printf(text, "%zx\r\n", body->len);
	g_string_append_len(text, body->str, (gssize)body->len);
	if (how & CHUNKED)
		g_string_append(text, body->len ? "\r\n0\r\n\r\n" : "\r\n");
	/* A header of ours may have made another request of it. */
	answer = how & HEADER ? exchange_any(text->str, text->len) : exchange(text->str, text->len, false);
	judge(answer, g_str_equal(method, "HEAD"), !(how & HEADER));
	g_string_free(answer, TRUE);
}

static void must(const char *text, const char *status)
{
	GString *answer = exchange(text, strlen(text), false);

	if (!strstr(answer->str, status))
		BAD("%s\n%s", text, answer->str);
	g_string_free(answer, TRUE);
}

/* What is answered is what can be applied, and is no change; what is saved is what is read. */
static void check_state(bool save)
{
	static const char get[] = "GET /v1/config HTTP/1.1\r\nHost: x\r\n\r\n";
	static const char post[] = "POST /v1/config/save HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
	struct conf *before = schema_dup(CONF_TOP, server_conf(server)), *saved;
	GString *answer = exchange(get, strlen(get), false);
	const char *end = strstr(answer->str, "\r\n\r\n");
	g_autofree char *put = g_strdup_printf("PUT /v1/config HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
					       strlen(end + 4), end + 4);

	must(put, " 200 ");
	if (!schema_equal(CONF_TOP, before, server_conf(server)))
		BAD("not the same: %s", answer->str);
	if (save) {
		must(post, " 200 ");
		saved = read_file();
		if (!schema_equal(CONF_TOP, before, saved))
			BAD("not as saved: %s", answer->str);
		conf_free(saved);
	}
	g_string_free(answer, TRUE);
	conf_free(before);
}

static void clean(void)
{
	GDir *d = g_dir_open(dir, 0, NULL);
	const char *name;

	while (d && (name = g_dir_read_name(d))) {
		g_autofree char *at = g_build_filename(dir, name, NULL);

		if (!g_str_equal(name, "socket"))
			g_unlink(at);
	}
	if (d)
		g_dir_close(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	uint8_t mode = fuzz_byte(&in);

	*etag = '\0';
	if (mode & RAW) {
		GString *answer = exchange_any((const char *)in.at, in.left);

		judge(answer, true, false);
		g_string_free(answer, TRUE);
	}
	for (unsigned n = 0; !(mode & RAW) && n < REQUESTS_MAX && in.left; n++)
		request(&in);
	if (!schema_equal(CONF_TOP, start, server_conf(server))) {
		check_state(mode & SAVE);
		if (!server_apply(server, schema_dup(CONF_TOP, start), NULL))
			abort();
	}
	clean();
	return 0;
}
