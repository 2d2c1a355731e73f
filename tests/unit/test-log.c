/* SPDX-License-Identifier: Apache-2.0 */
/* Levels of domains, what a line carries beside its text, and the forms it leaves in. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <glib.h>
#include "engine/sinks.h"

#define LOG_DOMAIN LOGD_SCSI

/* ---- a sink that keeps the last line ---- */

static struct kept {
	unsigned lines;
	enum gotgt_log_level level;
	char *text, *domain, *function, *target, *initiator, *conn, *json;
	struct log_journal journal;
	bool has_lun;
	uint32_t lun;
} kept;

static void forget(void)
{
	char *const texts[] = { kept.text, kept.domain, kept.function, kept.target, kept.initiator, kept.conn, kept.json };

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		g_free(texts[i]);
	memset(&kept, 0, sizeof kept);
}

static void keep(enum gotgt_log_level level, const char *line, void *data)
{
	const struct log_entry *e = log_entry();
	unsigned lines = kept.lines;

	g_assert_true(data == &kept && e && e->text == line && e->level == level);
	forget();
	kept.lines = lines + 1;
	kept.level = level;
	kept.text = g_strdup(line);
	kept.domain = g_strdup(e->domain);
	kept.function = g_strdup(e->function);
	kept.target = g_strdup(e->of.target);
	kept.initiator = g_strdup(e->of.initiator);
	kept.conn = g_strdup(e->of.conn);
	kept.has_lun = e->of.has_lun;
	kept.lun = e->of.lun;
	kept.json = log_json(e);
}

static void begin(struct log *log)
{
	*log = (struct log){ .sink = keep, .data = &kept, .levels = LOG_LEVELS(GOTGT_LOG_INFO) };
	forget();
	log_enter(log);
}

static void end(struct log *log)
{
	log_enter(NULL);
	log_clear(log);
	g_assert_null(log->plugins);
	g_assert_null(log_entry());
	forget();
}

/* ---- domains and levels ---- */

static void test_names(void)
{
	static const char *const good[] = { "iscsi", "login", "plugin", "plugin:file", "plugin:a-2" };
	static const char *const bad[] = { "", "ISCSI", "plugin:", "plugin:2", "plugin:a b", "plugin:../x", "iscsi ", "plugin:A" };
	unsigned n = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
		g_assert_null(log_domain_wrong(good[i]));
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_nonnull(log_domain_wrong(bad[i]));
	for (; log_domain_name(n); n++) {
		g_assert_null(log_domain_wrong(log_domain_name(n)));
		g_assert_nonnull(log_domain_help(n));
		/* The words for who got it wrong name them all. */
		g_assert_nonnull(strstr(log_domain_wrong(""), log_domain_name(n)));
	}
	g_assert_cmpuint(n, ==, LOG_DOMAINS);
	g_assert_null(log_domain_help(n));
}

static int evaluated(void)
{
	static int times;

	return ++times;
}

static void test_levels(void)
{
	static const struct log_own own[] = { { "scsi", GOTGT_LOG_DEBUG }, { "engine", GOTGT_LOG_ERROR } };
	struct log log;

	begin(&log);
	log_debug("no %d", evaluated());
	g_assert_cmpuint(kept.lines, ==, 0);
	log_set_levels(GOTGT_LOG_WARNING, own, G_N_ELEMENTS(own));
	log_debug("yes %d", evaluated());
	g_assert_cmpstr(kept.text, ==, "yes 1");	/* a line that is not wanted costs no more than that */
	g_assert_cmpint(kept.level, ==, GOTGT_LOG_DEBUG);
	for (unsigned d = 0; d < LOG_DOMAINS; d++) {
		enum gotgt_log_level level = d == LOGD_SCSI ? GOTGT_LOG_DEBUG : d == LOGD_ENGINE ? GOTGT_LOG_ERROR :
					     GOTGT_LOG_WARNING;

		for (enum gotgt_log_level l = GOTGT_LOG_ERROR; l <= GOTGT_LOG_DEBUG; l++)
			g_assert_cmpint(log_enabled(d, l), ==, l <= level);
	}
	log_set_level(GOTGT_LOG_INFO);
	g_assert_true(log_enabled(LOGD_ENGINE, GOTGT_LOG_INFO));
	g_assert_false(log_enabled(LOGD_SCSI, GOTGT_LOG_DEBUG));
	end(&log);
}

static void test_plugins(void)
{
	static const struct log_own one[] = { { "plugin:one", GOTGT_LOG_DEBUG } };
	static const struct log_own all[] = { { "plugin", GOTGT_LOG_ERROR }, { "plugin:one", GOTGT_LOG_INFO } };
	struct log_plugin *a, *b, *again;
	struct log log;

	begin(&log);
	/* Before it has a device open, and while it has. */
	log_set_levels(GOTGT_LOG_WARNING, one, G_N_ELEMENTS(one));
	a = log_plugin_get(&log, "one");
	b = log_plugin_get(&log, "two");
	g_assert_true(log_plugin_enabled(a, GOTGT_LOG_DEBUG));
	g_assert_false(log_plugin_enabled(b, GOTGT_LOG_INFO));
	log_set_levels(GOTGT_LOG_WARNING, all, G_N_ELEMENTS(all));
	g_assert_false(log_plugin_enabled(a, GOTGT_LOG_DEBUG));
	g_assert_true(log_plugin_enabled(a, GOTGT_LOG_INFO));
	g_assert_false(log_plugin_enabled(b, GOTGT_LOG_WARNING));
	g_assert_false(log_enabled(LOGD_PLUGIN, GOTGT_LOG_WARNING));
	again = log_plugin_get(&log, "one");
	g_assert_true(again == a);
	log_plugin_write(a, GOTGT_LOG_INFO, LOG_LUN("iqn.x", 3), "lun 3: hello");
	g_assert_cmpstr(kept.domain, ==, "plugin:one");
	g_assert_cmpstr(kept.text, ==, "lun 3: hello");
	g_assert_cmpstr(kept.target, ==, "iqn.x");
	g_assert_cmpuint(kept.lun, ==, 3);
	log_set_level(GOTGT_LOG_INFO);
	g_assert_true(log_plugin_enabled(b, GOTGT_LOG_INFO));
	log_plugin_put(&log, again);
	log_plugin_put(&log, a);
	g_assert_nonnull(log.plugins);
	log_plugin_put(&log, b);
	g_assert_null(log.plugins);
	log_set_levels(GOTGT_LOG_INFO, one, G_N_ELEMENTS(one));
	end(&log);
}

/* ---- what a line is about ---- */

static void test_fields(void)
{
	struct log log;

	begin(&log);
	log_info("nothing");
	g_assert_cmpstr(kept.domain, ==, "scsi");
	g_assert_cmpstr(kept.function, ==, "test_fields");
	g_assert_true(!kept.target && !kept.initiator && !kept.conn && !kept.has_lun);
	log_warning_of(LOG_TARGET("iqn.t"), "a target");
	g_assert_cmpstr(kept.target, ==, "iqn.t");
	g_assert_false(kept.has_lun);
	log_error_of(LOG_LUN("iqn.t", 0), "a logical unit");
	g_assert_true(kept.has_lun);
	g_assert_cmpuint(kept.lun, ==, 0);
	log_error_of(((struct log_fields){ .initiator = "iqn.\n<3>x\\", .conn = "\x7f" }), "two\nlines\r of \033[1m \xc3\xa9");
	g_assert_cmpstr(kept.initiator, ==, "iqn.\\x0a<3>x\\x5c");
	g_assert_cmpstr(kept.conn, ==, "\\x7f");
	g_assert_cmpstr(kept.text, ==, "two\\x0alines\\x0d of \\x1b[1m \xc3\xa9");
	end(&log);
}

/* Whatever its length, no line is cut off within what it is about, and none runs over. */
static void test_length(void)
{
	g_autofree char *longer = g_strnfill(5000, '\n'), *text = g_strnfill(5000, 'x');
	struct log log;

	begin(&log);
	log_info_of(LOG_TARGET(longer), "%s", longer);
	g_assert_cmpuint(strlen(kept.text), <, 1024);
	g_assert_true(g_str_has_suffix(kept.text, "\\x0a"));
	g_assert_cmpuint(strlen(kept.target), <, LOG_QUOTED);
	g_assert_true(g_str_has_suffix(kept.target, "..."));
	log_info("%s", text);
	g_assert_cmpuint(strlen(kept.text), <, 1024);
	g_assert_cmpuint(strlen(kept.text), >, 1000);
	end(&log);
}

/* ---- forms ---- */

/* Behind the time. */
static const char *without_time(const char *json)
{
	GDateTime *then;
	g_autofree char *time = NULL;

	g_assert_true(g_str_has_prefix(json, "{\"time\":\""));
	json += strlen("{\"time\":\"");
	time = g_strndup(json, strcspn(json, "\""));
	then = g_date_time_new_from_iso8601(time, NULL);
	g_assert_nonnull(then);
	g_date_time_unref(then);
	return json + strlen(time) + 1;
}

static void test_json(void)
{
	struct log log;

	begin(&log);
	log_info("a \"word\" and a \\, \xff");
	g_assert_cmpstr(without_time(kept.json), ==, ",\"level\":\"info\",\"domain\":\"scsi\","
			"\"message\":\"a \\\"word\\\" and a \\\\, \xef\xbf\xbd\",\"function\":\"test_json\"}");
	log_error_of(((struct log_fields){ "iqn.t", "iqn.i", "[::1]:9", true, 256 }), "x");
	g_assert_cmpstr(without_time(kept.json), ==, ",\"level\":\"error\",\"domain\":\"scsi\",\"message\":\"x\","
			"\"target\":\"iqn.t\",\"lun\":256,\"initiator\":\"iqn.i\",\"conn\":\"[::1]:9\","
			"\"function\":\"test_json\"}");
	end(&log);
}

static const char *field(const struct log_journal *j, const char *key)
{
	for (gsize i = 0; i < j->n; i++)
		if (g_str_equal(j->fields[i].key, key)) {
			g_assert_cmpint(j->fields[i].length, ==, -1);
			return j->fields[i].value;
		}
	return NULL;
}

static void test_journal_fields(void)
{
	const struct log_entry bare = { .level = GOTGT_LOG_ERROR, .domain = "daemon", .text = "bare" };
	const struct log_entry full = {
		.level = GOTGT_LOG_DEBUG, .domain = "plugin:file", .function = "f", .text = "full",
		.of = { .target = "iqn.t", .initiator = "iqn.i", .conn = "127.0.0.1:5", .has_lun = true, .lun = 0 },
	};
	static const struct { const char *key, *value; } expected[] = {
		{ "MESSAGE", "full" }, { "PRIORITY", "7" }, { "SYSLOG_IDENTIFIER", "gotgt" },
		{ "GLIB_DOMAIN", "gotgt-plugin:file" }, { "CODE_FUNC", "f" }, { "TARGET", "iqn.t" }, { "LUN", "0" },
		{ "INITIATOR", "iqn.i" }, { "CONN", "127.0.0.1:5" },
	};
	struct log_journal j;

	log_journal_fields(&j, &bare);
	g_assert_cmpuint(j.n, ==, 4);
	g_assert_cmpstr(field(&j, "PRIORITY"), ==, "3");
	g_assert_cmpstr(field(&j, "GLIB_DOMAIN"), ==, "gotgt-daemon");
	log_journal_fields(&j, &full);
	g_assert_cmpuint(j.n, ==, G_N_ELEMENTS(expected));
	for (size_t i = 0; i < G_N_ELEMENTS(expected); i++)
		g_assert_cmpstr(field(&j, expected[i].key), ==, expected[i].value);
}

/* ---- standard error ---- */

static void say(log_sink *sink)
{
	log_set_sink(sink, NULL);
	log_warning_of(LOG_LUN("iqn.t", 7), "target iqn.t lun 7: it is late");
}

static void test_stderr(void)
{
	if (g_test_subprocess()) {
		g_unsetenv("JOURNAL_STREAM");
		say(log_to_stderr);
		say(log_to_journal);
		say(log_to_json);
		return;
	}
	g_test_trap_subprocess(NULL, 0, 0);
	g_test_trap_assert_passed();
	g_test_trap_assert_stderr("*gotgt: warn: target iqn.t lun 7: it is late\ngotgt: warn: target iqn.t lun 7: it is late\n"
				  "{\"time\":*\"target\":\"iqn.t\",\"lun\":7,*}\n*");
}

/* ---- the journal's sockets, in a namespace of our own ---- */

enum { NO_NAMESPACE = 77 };

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool own_run(void)
{
	g_autofree char *uids = g_strdup_printf("0 %u 1", (unsigned)geteuid());

	if (geteuid() ? unshare(CLONE_NEWUSER | CLONE_NEWNS) : unshare(CLONE_NEWNS))
		return false;
	if (geteuid() && !write_file("/proc/self/uid_map", uids))
		return false;
	return !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) && !mount("none", "/run", "tmpfs", 0, NULL) &&
	       !mkdir("/run/systemd", 0755) && !mkdir("/run/systemd/journal", 0755);
}

static int unix_socket(int type, const char *path, int (*how)(int fd, const struct sockaddr *to, socklen_t len))
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	g_assert_cmpint(fd, >=, 0);
	g_strlcpy(at.sun_path, path, sizeof at.sun_path);
	g_assert_cmpint(how(fd, (const struct sockaddr *)&at, sizeof at), ==, 0);
	return fd;
}

static int bind_to(int fd, const struct sockaddr *to, socklen_t len)
{
	return bind(fd, to, len);
}

static int connect_to(int fd, const struct sockaddr *to, socklen_t len)
{
	return connect(fd, to, len);
}

/* As a service: standard error is a stream to the journal, and fields go by datagram. */
static void inside(void)
{
	int datagrams, listening, stream;
	char got[4096];
	ssize_t len;

	if (!own_run())
		_exit(NO_NAMESPACE);
	datagrams = unix_socket(SOCK_DGRAM, "/run/systemd/journal/socket", bind_to);
	listening = unix_socket(SOCK_STREAM, "/run/systemd/journal/stdout", bind_to);
	g_assert_cmpint(listen(listening, 1), ==, 0);
	stream = unix_socket(SOCK_STREAM, "/run/systemd/journal/stdout", connect_to);
	g_setenv("JOURNAL_STREAM", "1:1", TRUE);
	dup2(stream, STDERR_FILENO);
	say(log_to_journal);
	len = recv(datagrams, got, sizeof got - 1, MSG_DONTWAIT);
	if (len <= 0)
		_exit(1);
	got[len] = '\0';
	_exit(strstr(got, "MESSAGE=target iqn.t lun 7: it is late\n") && strstr(got, "PRIORITY=4\n") &&
	      strstr(got, "TARGET=iqn.t\n") && strstr(got, "LUN=7\n") && strstr(got, "GLIB_DOMAIN=gotgt-scsi\n") ? 0 : 2);
}

static void test_journal(void)
{
	GError *error = NULL;
	const char *const argv[] = { "/proc/self/exe", "--inside", NULL };
	int status;

	g_spawn_sync(NULL, (char **)argv, NULL, 0, NULL, NULL, NULL, NULL, &status, &error);
	g_assert_no_error(error);
	g_assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NO_NAMESPACE)
		g_test_skip("no namespaces");
	else
		g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--inside"))
		inside();
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/log/names", test_names);
	g_test_add_func("/log/levels", test_levels);
	g_test_add_func("/log/plugins", test_plugins);
	g_test_add_func("/log/fields", test_fields);
	g_test_add_func("/log/length", test_length);
	g_test_add_func("/log/json", test_json);
	g_test_add_func("/log/journal-fields", test_journal_fields);
	g_test_add_func("/log/stderr", test_stderr);
	g_test_add_func("/log/journal", test_journal);
	return g_test_run();
}
