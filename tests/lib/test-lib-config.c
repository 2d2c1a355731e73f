/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that a file describes, and the control socket of one in a program of somebody else. */
#include "config.h"
#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ask.h"
#include "stores.h"

#define OTHER "iqn.2016-09.com.example:other"

/* libconfig 1.5 loses the string that the end of a file cuts off. */
GOTGT_EXPORT const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

static char *dir, *file, *sock;

static const char good[] =
	"portals = ( { name = \"a\"; address = \"127.0.0.1\"; port = 0; } );\n"
	"targets = ( { iqn = \"" DISK "\"; open = true;\n"
	"  luns = ( { number = 0; plugin = \"null\"; settings: { size = \"4M\"; }; } ); } );\n";

static void write_file(const char *text)
{
	GError *error = NULL;

	g_file_set_contents(file, text, -1, &error);
	g_assert_no_error(error);
}

static struct gotgt_server *new_server(void)
{
	g_autofree char *plugins = g_test_build_filename(G_TEST_BUILT, "..", "plugins", "null", ".libs", NULL);
	struct gotgt_server *s = gotgt_server_new();

	OK(gotgt_server_set_plugin_path(s, plugins));
	return s;
}

static struct gotgt_info look(struct gotgt_server *s)
{
	struct gotgt_info info = { .size = sizeof info };

	OK(gotgt_server_info(s, &info));
	g_assert_cmpuint(info.size, ==, sizeof info);
	return info;
}

static struct gotgt_server *start_file(const char *text)
{
	struct gotgt_server *s = new_server();

	write_file(text);
	OK(gotgt_config_load(s, file, NULL));
	OK(gotgt_server_start(s));
	return s;
}

/* ---- files ---- */

static void keep_wrong(void *data, const char *line)
{
	g_ptr_array_add(data, g_strdup(line));
}

static struct gotgt_config options(GPtrArray *wrong, uint32_t flags)
{
	return (struct gotgt_config){ .size = sizeof(struct gotgt_config), .flags = flags, .wrong = keep_wrong,
				      .wrong_data = wrong };
}

static void test_load(void)
{
	struct gotgt_server *s = start_file(good);
	struct gotgt_info info = look(s);
	struct ini *i;

	g_assert_cmpuint(info.running, ==, 1);
	g_assert_cmpuint(info.portals, ==, 1);
	g_assert_cmpuint(info.targets, ==, 1);
	g_assert_cmpuint(info.luns, ==, 1);
	g_assert_cmpuint(info.luns_served, ==, 1);
	g_assert_cmpuint(info.sessions, ==, 0);
	disk_reach(s);
	i = disk_login(1);
	disk_write_and_read(i, 0, 8, 0);
	g_assert_cmpuint(look(s).sessions, ==, 1);
	ini_free(i);
	OK(gotgt_server_stop(s, 0));
	g_assert_cmpuint(look(s).running + look(s).targets + look(s).luns, ==, 0);
	/* And once more, from the same description. */
	OK(gotgt_server_start(s));
	g_assert_cmpuint(look(s).luns_served, ==, 1);
	gotgt_server_free(s);
}

/* All that is wrong, each with its line, and nothing has changed. */
static void test_wrong(void)
{
	g_autoptr(GPtrArray) wrong = g_ptr_array_new_with_free_func(g_free);
	const struct gotgt_config o = options(wrong, 0), apply = options(wrong, GOTGT_CONFIG_APPLY);
	struct gotgt_server *s = start_file(good);
	g_autofree char *first = g_strdup_printf("%s:1: workers: ", file), *third = g_strdup_printf("%s:3: ", file);
	static const char bad[] =
		"workers = 0;\n"
		"portals = ( { address = \"127.0.0.1\"; port = 0; } );\n"
		"targets = ( { iqn = \"nobody\"; } );\n";
	static const char no_plugin[] =
		"portals = ( { address = \"127.0.0.1\"; port = 0; } );\n"
		"targets = ( { iqn = \"" DISK "\"; luns = ( { number = 0; plugin = \"nonsense\"; } ); } );\n";

	write_file(bad);
	FAILS(gotgt_config_check(s, file, &o), EINVAL, first);
	g_assert_cmpuint(wrong->len, ==, 2);
	g_assert_true(g_str_has_prefix(wrong->pdata[0], first));
	g_assert_true(g_str_has_prefix(wrong->pdata[1], third));
	FAILS(gotgt_config_load(s, file, &apply), EINVAL, first);
	g_assert_cmpuint(wrong->len, ==, 4);
	FAILS(gotgt_config_load(s, file, NULL), EINVAL, first);
	OK(gotgt_server_apply(s));
	g_assert_cmpuint(look(s).luns_served, ==, 1);
	/* A plugin that is not there: of a check always; of a load when asked for. */
	write_file(no_plugin);
	FAILS(gotgt_config_check(s, file, NULL), EINVAL, "nonsense");
	OK(gotgt_config_load(s, file, NULL));
	OK(gotgt_server_revert(s));
	g_ptr_array_set_size(wrong, 0);
	FAILS(gotgt_config_load(s, file, &apply), EIO, "nonsense");
	g_assert_cmpuint(wrong->len, ==, 0);	/* the file is not wrong in itself */
	OK(gotgt_server_apply(s));
	g_assert_cmpuint(look(s).luns_served, ==, 1);
	FAILS(gotgt_config_load(s, "/proc/nonexistent/gotgt.conf", &o), EINVAL, "/proc/nonexistent/gotgt.conf: No such file");
	g_assert_cmpuint(wrong->len, ==, 1);
	gotgt_server_free(s);
}

static void test_calls(void)
{
	struct gotgt_config o = { .size = sizeof o, .text = good };
	struct gotgt_info info = { .size = 4 };
	struct gotgt_control control = { .size = sizeof control, .path = sock };
	struct gotgt_server *s = new_server();
	char buf[8];

	FAILS(gotgt_config_load(s, NULL, &o), EINVAL, "no file");
	FAILS(gotgt_config_check(s, NULL, &o), EINVAL, "no file");
	FAILS(gotgt_config_save(s, NULL), EINVAL, "no file");
	FAILS(gotgt_config_save(s, "/proc/nonexistent/gotgt.conf"), EIO, "/proc/nonexistent/gotgt.conf");
	o.flags = 1u << 31;
	FAILS(gotgt_config_load(s, file, &o), EINVAL, "later version");
	o.flags = GOTGT_CONFIG_APPLY;
	FAILS(gotgt_config_load(s, file, &o), EBUSY, "does not run");
	o.flags = 0;
	o.log_level = "loud";
	FAILS(gotgt_config_load(s, file, &o), EINVAL, "log-level");
	o.size = 8;
	FAILS(gotgt_config_load(s, file, &o), EINVAL, "size");
	FAILS(gotgt_server_info(s, &info), EINVAL, "size");
	FAILS(gotgt_server_info(s, NULL), EINVAL, "size");
	FAILS(gotgt_server_log(s, GOTGT_LOG_INFO, NULL), EINVAL, "no line");
	FAILS(gotgt_server_control(s, &control), EBUSY, "does not run");
	control.size = 8;
	FAILS(gotgt_server_control(s, &control), EINVAL, "size");
	FAILS(gotgt_server_control_path(s, buf, sizeof buf), ENOENT, "no control socket");
	OK(gotgt_server_control(s, NULL));
	gotgt_server_free(s);
}

/* All or nothing: an address that is taken. */
static void test_undone(void)
{
	struct gotgt_server *s = start_file(good), *other = start_file(good);
	struct gotgt_config o = { .size = sizeof o, .flags = GOTGT_CONFIG_APPLY };
	g_autofree char *text = NULL;
	char portal[64];

	OK(gotgt_server_portal(other, 0, portal, sizeof portal));
	text = g_strdup_printf("portals = ( { address = \"127.0.0.1\"; port = %s; } ); targets = ( { iqn = \"" OTHER "\"; } );",
			       strchr(portal, ':') + 1);
	o.text = text;
	FAILS(gotgt_config_load(s, file, &o), EIO, strchr(portal, ':') + 1);
	gotgt_server_free(other);
	/* Nothing of it is described either. */
	FAILS(gotgt_target_set(s, OTHER, "alias", "x"), ENOENT, OTHER);
	OK(gotgt_server_apply(s));
	OK(gotgt_config_load(s, file, &o));
	FAILS(gotgt_target_set(s, DISK, "alias", "x"), ENOENT, DISK);
	g_assert_cmpuint(look(s).luns, ==, 0);
	gotgt_server_free(s);
}

static void test_skip_broken(void)
{
	static const char text[] =
		"portals = ( { address = \"127.0.0.1\"; port = 0; } );\n"
		"targets = ( { iqn = \"" DISK "\"; luns = ( { number = 0; plugin = \"null\"; },"
		" { number = 1; plugin = \"nonsense\"; } ); } );\n";
	struct gotgt_config o = { .size = sizeof o, .text = text };
	struct gotgt_server *s = new_server();

	OK(gotgt_config_load(s, file, &o));
	FAILS(gotgt_server_start(s), EIO, "nonsense");
	OK(gotgt_server_skip_broken(s, 1));
	OK(gotgt_server_start(s));
	FAILS(gotgt_server_skip_broken(s, 0), EBUSY, "runs");
	g_assert_cmpuint(look(s).luns, ==, 2);
	g_assert_cmpuint(look(s).luns_served, ==, 1);
	OK(gotgt_server_apply(s));
	gotgt_server_free(s);
}

/* A file that somebody wrote meanwhile is not written over, and one that was cut ends nothing. */
static void test_edited(struct gotgt_server *s, const char *loaded)
{
	const struct gotgt_config o = { .size = sizeof o, .flags = GOTGT_CONFIG_APPLY };
	g_autofree char *text = NULL, *edited = NULL, *kept = g_strconcat(loaded, "~", NULL), *now = NULL;

	OK(gotgt_config_save(s, loaded));
	OK(gotgt_config_save(s, loaded));
	g_assert_false(g_file_test(kept, G_FILE_TEST_EXISTS));
	g_assert_true(g_file_get_contents(loaded, &text, NULL, NULL));
	edited = g_strconcat(text, "// of a person\n", NULL);
	g_assert_true(g_file_set_contents(loaded, edited, -1, NULL));
	FAILS(gotgt_config_save(s, loaded), ESTALE, "was changed since it was read");
	OK(gotgt_config_load(s, loaded, &o));
	OK(gotgt_config_save(s, loaded));
	g_assert_true(g_file_get_contents(kept, &now, NULL, NULL));
	g_assert_cmpstr(now, ==, edited);
	g_unlink(kept);
	g_assert_true(g_file_set_contents(loaded, "", -1, NULL));
	FAILS(gotgt_config_load(s, loaded, &o), EINVAL, "targets: is missing, and there are 1");
	FAILS(gotgt_config_save(s, loaded), ESTALE, "was changed since it was read");
	g_assert_true(g_file_set_contents(loaded, text, -1, NULL));
	OK(gotgt_config_load(s, loaded, &o));
	g_assert_true(g_file_set_contents(loaded, "portals = ( { address = \"127.0.0.1\"; port = 0; } );\ntargets = ();", -1, NULL));
	OK(gotgt_config_load(s, loaded, &o));
	g_unlink(loaded);
	OK(gotgt_config_save(s, loaded));
	/* What is saved without targets says so, and ends those that have come since. */
	OK(gotgt_target_add(s, DISK));
	OK(gotgt_server_apply(s));
	OK(gotgt_config_load(s, loaded, &o));
}

/* What is saved is loaded as the same; what no file has is left out, and stays when it is added again. */
static void test_save(void)
{
	g_autofree char *state = g_build_filename(dir, "state", NULL), *saved = g_build_filename(dir, "saved.conf", NULL);
	struct gotgt_config o = { .size = sizeof o, .text = good, .state_dir = state, .log_level = "error" };
	struct memory *m = memory_new();
	struct gotgt_store *store = memory_store(m, 0);
	struct gotgt_server *s = new_server();
	g_autofree char *text = NULL;
	struct ini *i;
	struct stat st;

	OK(gotgt_config_load(s, file, &o));
	OK(gotgt_lun_remove(s, DISK, 0));
	OK(gotgt_lun_add_store(s, DISK, 0, store));
	OK(gotgt_lun_add(s, DISK, 7, "null", (const char *const []){ "size", "1M", NULL }, NULL));
	OK(gotgt_server_start(s));
	disk_reach(s);
	i = disk_login(1);
	OK(gotgt_config_save(s, saved));
	g_assert_true(g_file_get_contents(saved, &text, NULL, NULL));
	g_assert_null(strstr(text, "store"));
	g_assert_null(strstr(text, "state-dir"));
	g_assert_nonnull(strstr(text, "1M"));
	g_assert_cmpint(stat(saved, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 0777, ==, 0600);
	/* The initiator notices nothing of a load that describes the same. */
	o.text = NULL;
	OK(gotgt_config_load(s, saved, &o));
	OK(gotgt_lun_add_store(s, DISK, 0, store));
	OK(gotgt_server_apply(s));
	disk_write_and_read(i, 0, 8, 3);
	g_assert_cmpint(m->closed, ==, 0);
	/* Without it, it goes. */
	gotgt_store_free(store);
	o.flags = GOTGT_CONFIG_APPLY;
	OK(gotgt_config_load(s, saved, &o));
	g_assert_cmpint(m->closed, ==, 1);
	test_edited(s, saved);
	ini_free(i);
	gotgt_server_free(s);
	g_free(m);
}

#ifdef HAVE_CONTROL
/* ---- the control socket ---- */

#define ASK(status_, part, ...) do { \
	struct answer a_ = ask(sock, __VA_ARGS__); \
	g_assert_cmpint(a_.status, ==, (status_)); \
	if (!strstr(a_.text, part)) \
		g_error("\"%s\" has no \"%s\"", a_.text, (part)); \
	g_free(a_.text); } while (0)

static const struct gotgt_control *control_options(void)
{
	static struct gotgt_control o = { .size = sizeof o };

	o.path = sock;
	o.config_path = file;
	return &o;
}

#define TARGETS "/v1/targets/"
#define LUNS TARGETS DISK "/luns"

/* A change from outside is part of the description; one of the program is seen outside. */
static void test_control(void)
{
	struct gotgt_server *s = start_file(good);
	char path[200];

	OK(gotgt_server_control(s, control_options()));
	FAILS(gotgt_server_control(s, control_options()), EBUSY, "there is one");
	OK(gotgt_server_control_path(s, path, sizeof path));
	g_assert_cmpstr(path, ==, sock);
	FAILS(gotgt_server_control_path(s, path, 3), EINVAL, "bytes");
	ASK(200, "\"luns-served\" : 1", "GET", "/healthz", "");
	ASK(201, "", "POST", LUNS, "{\"number\":1,\"plugin\":\"null\"}");
	g_assert_cmpuint(look(s).luns_served, ==, 2);
	ASK(200, "\"unsaved\" : true", "GET", "/v1/status", "");
	OK(gotgt_lun_set(s, DISK, 1, "serial", "of the program"));
	/* That is not applied yet. */
	ASK(409, "is about to change", "DELETE", LUNS "/1", "");
	ASK(200, "", "GET", LUNS "/1", "");
	OK(gotgt_server_apply(s));
	ASK(200, "of the program", "GET", LUNS "/1", "");
	ASK(204, "", "DELETE", LUNS "/1", "");
	FAILS(gotgt_lun_set(s, DISK, 1, "serial", "x"), ENOENT, "lun 1");
	ASK(200, "", "PATCH", LUNS "/0", "{\"serial\":\"of others\"}");
	OK(gotgt_config_save(s, file));
	ASK(200, "\"unsaved\" : false", "GET", "/v1/status", "");
	ASK(200, "", "PATCH", LUNS "/0", "{\"serial\":\"once more\"}");
	ASK(200, "gotgt.conf", "POST", "/v1/config/save", "");
	ASK(200, "\"unsaved\" : false", "GET", "/v1/status", "");
	OK(gotgt_server_control(s, NULL));
	g_assert_cmpint(access(sock, F_OK), ==, -1);
	OK(gotgt_server_control(s, control_options()));
	OK(gotgt_server_stop(s, 0));
	g_assert_cmpint(access(sock, F_OK), ==, -1);
	gotgt_server_free(s);
}

static void test_control_reload(void)
{
	struct gotgt_config o = { .size = sizeof o, .flags = GOTGT_CONFIG_APPLY };
	struct gotgt_server *s = start_file(good);

	OK(gotgt_server_control(s, control_options()));
	ASK(201, "", "POST", LUNS, "{\"number\":1,\"plugin\":\"null\"}");
	OK(gotgt_config_load(s, file, &o));
	ASK(404, "", "GET", LUNS "/1", "");
	ASK(200, "\"unsaved\" : false", "GET", "/v1/status", "");
	/* What is described and not applied goes with a load that applies. */
	OK(gotgt_target_add(s, OTHER));
	OK(gotgt_config_load(s, file, &o));
	ASK(201, "", "POST", LUNS, "{\"number\":1,\"plugin\":\"null\"}");
	gotgt_server_free(s);
	g_assert_cmpint(access(sock, F_OK), ==, -1);
}

/* A store can be looked at, set and removed, but not made from outside. */
static void test_control_store(void)
{
	struct memory *m = memory_new();
	struct gotgt_server *s = disk_start(m, 0);
	struct ini *i;

	OK(gotgt_server_control(s, control_options()));
	ASK(200, "store", "GET", LUNS "/0", "");
	ASK(422, "", "POST", LUNS, "{\"number\":1,\"plugin\":\"store\"}");
	ASK(200, "", "PUT", LUNS "/0", "{\"number\":0,\"plugin\":\"store\",\"serial\":\"0815\"}");
	ASK(200, "0815", "GET", LUNS "/0", "");
	g_assert_cmpint(m->closed, ==, 0);
	i = disk_login(1);
	disk_write_and_read(i, 0, 8, 7);
	ini_free(i);
	ASK(204, "", "DELETE", LUNS "/0?force=1", "");
	g_assert_cmpint(m->closed, ==, 1);
	gotgt_server_free(s);
	g_free(m);
}

/* A path that cannot be: an error of who asked for it, nothing of the server. */
static void test_control_errors(void)
{
	struct gotgt_control o = { .size = sizeof o, .path = file };	/* which is no socket */
	struct gotgt_server *s = start_file(good);

	FAILS(gotgt_server_control(s, &o), EIO, file);
	o.path = "off";
	OK(gotgt_server_control(s, &o));
	FAILS(gotgt_server_control_path(s, (char []){ 0 }, 1), ENOENT, "no control socket");
	OK(gotgt_server_set(s, "control.socket", sock));
	OK(gotgt_server_apply(s));
	o.path = NULL;
	OK(gotgt_server_control(s, &o));
	ASK(200, "", "GET", "/healthz", "");
	ASK(409, "no configuration file", "POST", "/v1/config/save", "");
	gotgt_server_free(s);
}

struct asking {
	gint end, answered, refused;
};

/* Whatever the server does meanwhile: an answer, or a connection that ends. */
static gpointer keep_asking(gpointer data)
{
	struct asking *all = data;

	while (!g_atomic_int_get(&all->end)) {
		int fd = ask_dial(sock);
		struct answer a;

		if (fd < 0) {
			g_atomic_int_inc(&all->refused);
			g_usleep(100);
			continue;
		}
		if (!ask_send(fd, "PATCH", LUNS "/0", "{\"serial\":\"asked\"}"))
			g_atomic_int_inc(&all->refused);
		a = ask_take(fd);
		if (a.status == 200)
			g_atomic_int_inc(&all->answered);
		else
			g_assert_true(a.status == 0 || a.status == 409 || a.status == 503);
		g_free(a.text);
	}
	return NULL;
}

static void stopped(void *data)
{
	g_atomic_int_set((gint *)data, 1);
}

/* Requests, calls, the end of the socket and of the server, all at once. */
static void test_control_threads(void)
{
	struct gotgt_server *s = start_file(good);
	struct asking all = { 0 };
	GThread *threads[3];
	gint ended = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("asking", keep_asking, &all);
	for (unsigned n = 0; n < 20; n++) {
		gint seen = g_atomic_int_get(&all.answered);

		OK(gotgt_server_control(s, control_options()));
		/* The first answer may be long in coming: it is not the clock that ends this. */
		while (n % 4 == 0 && g_atomic_int_get(&all.answered) == seen)
			OK(gotgt_server_apply(s));
		OK(gotgt_lun_set(s, DISK, 0, "product", n % 2 ? "one" : "two"));
		OK(gotgt_server_apply(s));
		if (n % 3) {
			OK(gotgt_server_control(s, NULL));
			continue;
		}
		OK(gotgt_server_stop(s, 0));
		OK(gotgt_server_start(s));
	}
	OK(gotgt_server_control(s, control_options()));
	OK(gotgt_server_stop_begin(s, 0, stopped, &ended));
	while (!g_atomic_int_get(&ended))
		g_usleep(100);
	g_atomic_int_set(&all.end, 1);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	gotgt_server_free(s);
}

/* The thread of the socket says nothing by itself where the program has a loop of its own. */
static void keep_line(void *data, enum gotgt_log_level level, const char *line)
{
	g_string_append_printf(data, "%s\n", line);
}

static void test_control_loop(void)
{
	g_autoptr(GString) lines = g_string_new(NULL);
	struct gotgt_server *s = new_server();
	struct pollfd p = { .events = POLLIN };

	write_file(good);
	OK(gotgt_server_set_log(s, keep_line, lines));
	p.fd = gotgt_server_fd(s);
	OK(gotgt_config_load(s, file, NULL));
	OK(gotgt_server_start(s));
	OK(gotgt_server_control(s, control_options()));
	ASK(201, "", "POST", LUNS, "{\"number\":1,\"plugin\":\"null\"}");
	OK(gotgt_server_log(s, GOTGT_LOG_INFO, "of the program"));
	OK(gotgt_server_log(s, GOTGT_LOG_DEBUG, "too much"));
	g_assert_cmpuint(lines->len, ==, 0);
	g_assert_cmpint(poll(&p, 1, -1), ==, 1);
	OK(gotgt_server_dispatch(s));
	g_assert_nonnull(strstr(lines->str, "lun 1: added\n"));
	g_assert_nonnull(strstr(lines->str, "of the program\n"));
	g_assert_null(strstr(lines->str, "too much"));
	gotgt_server_free(s);
}
#endif

static void rm(char *path)
{
	g_unlink(path);
	g_free(path);
}

static void rm_dir(char *path)
{
	g_rmdir(path);
	g_free(path);
}

int main(int argc, char **argv)
{
	int status;

	g_test_init(&argc, &argv, NULL);
	dir = g_dir_make_tmp("gotgt-lib-XXXXXX", NULL);
	file = g_build_filename(dir, "gotgt.conf", NULL);
	sock = g_build_filename(dir, "control", "sock", NULL);
	g_test_add_func("/config/load", test_load);
	g_test_add_func("/config/wrong", test_wrong);
	g_test_add_func("/config/calls", test_calls);
	g_test_add_func("/config/undone", test_undone);
	g_test_add_func("/config/skip-broken", test_skip_broken);
	g_test_add_func("/config/save", test_save);
#ifdef HAVE_CONTROL
	g_test_add_func("/control/changes", test_control);
	g_test_add_func("/control/reload", test_control_reload);
	g_test_add_func("/control/store", test_control_store);
	g_test_add_func("/control/errors", test_control_errors);
	g_test_add_func("/control/threads", test_control_threads);
	g_test_add_func("/control/loop", test_control_loop);
#endif
	status = g_test_run();
	rm(g_build_filename(dir, "saved.conf", NULL));
	rm_dir(g_build_filename(dir, "control", NULL));
	rm(file);
	g_rmdir(dir);
	g_free(sock);
	g_free(dir);
	return status;
}
