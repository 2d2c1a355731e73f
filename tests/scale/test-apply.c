/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a new configuration leaves behind: nothing of the one before, however often, and nothing of itself when it fails
 * at its last step.  APPLY_ROUNDS says how often.
 */
#include "config.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "control-rig.h"
#include "engine/log.h"
#include "scale.h"

#define BYTES_MAX 4096u		/* that all rounds may leave */
#define LOOK 50u		/* rounds */
#define IMAGE (1u << 20)

static unsigned n_fds(void)
{
	DIR *fds = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(fds))
		n++;
	closedir(fds);
	return n;
}

static char *image(const char *name)
{
	char *at = g_build_filename(dir, name, NULL);
	g_autofree char *bytes = g_malloc(IMAGE);
	GError *error = NULL;

	memset(bytes, *name, IMAGE);
	g_file_set_contents(at, bytes, IMAGE, &error);
	g_assert_no_error(error);
	return at;
}

static struct conf *conf_of(const char *text)
{
	GError *error = NULL;

	g_file_set_contents(file, text, -1, &error);
	g_assert_no_error(error);
	return read_file();
}

/* What `gotgt apply` sends. */
static char *json_of(const char *text)
{
	struct conf *conf = conf_of(text);
	JsonNode *node = conf_to_json(CONF_TOP, conf, NULL);
	char *json = json_to_string(node, FALSE);

	json_node_unref(node);
	conf_free(conf);
	return json;
}

/* Unit attentions, of what the others did, until it is good. */
static void settle(struct ini *i, uint32_t lun)
{
	for (unsigned n = 0; n < 16; n++) {
		ini_test_unit_ready(i, lun);
		EXPECT_PDU(i, OP_SCSI_RESPONSE);
		if (!i->bhs[3])
			return;
		g_assert_cmphex(i->bhs[3], ==, 2);
		g_assert_cmphex(i->data[2 + 2] & 15, ==, KEY_UNIT_ATTENTION);
	}
	g_error("lun %u is not ready", lun);
}

/* ---- often ---- */

/* Each has what the other has not, of every list, and the file of a LUN goes from one target to another. */
static const char one_conf[] =
	"state-dir = \"%s/state\"; log-level = \"warn\"; reactors = 2;\n"
	"portals = ( { name = \"a\"; address = \"127.0.0.1\"; port = 0; },\n"
	"  { name = \"b\"; address = \"127.0.0.1\"; port = 0; advertise = \"192.0.2.1:3260\"; } );\n"
	"discovery: { accounts = ( { user = \"finder\"; secret = \"" SECRET "\"; } ); };\n"
	"targets = ( { iqn = \"" DISK "\"; open = true; alias = \"one\";\n"
	"  port-groups = ( { tag = 1; portals = [ \"a\" ]; }, { tag = 2; portals = [ \"b\" ]; } ); luns = (\n"
	"  { number = 0; plugin = \"null\"; settings: { size = \"1M\"; }; },\n"
	"  { number = 1; plugin = \"null\"; settings: { size = \"2M\"; }; },\n"
	"  { number = 2; plugin = \"file\"; settings: { path = \"%s/a.img\"; }; } ); },\n"
	"  { iqn = \"" OTHER "\"; redirect: { address = \"192.0.2.1:3260\"; }; accounts = (\n"
	"  { user = \"one\"; secret = \"" SECRET "\"; mutual-user = \"we\"; mutual-secret = \"another of a dozen\"; } ); } );\n";
static const char other_conf[] =
	"state-dir = \"%s/state\"; log-level = \"warn\"; reactors = 2; poll-us = 40;\n"
	"portals = ( { name = \"a\"; address = \"127.0.0.1\"; port = 0; } );\n"
	"targets = ( { iqn = \"" DISK "\"; alias = \"two\"; max-sessions = 3; iscsi: { max-connections = 4; };\n"
	"  acls = ( { initiators = [ \"" HOST "\" ]; portals = [ \"a\" ]; }, { addresses = [ \"192.0.2.0/24\" ]; luns = ( { number = 3; lun = 4; } ); } ); luns = (\n"
	"  { number = 0; plugin = \"null\"; settings: { size = \"1M\"; }; vendor = \"OTHER\"; },\n"
	"  { number = 1; plugin = \"null\"; settings: { size = \"3M\"; }; },\n"
	"  { number = 4; plugin = \"null\"; settings: { size = \"4M\"; }; block-size = 4096; } ); },\n"
	"  { iqn = \"" OTHER "\"; open = true; accounts = ( { user = \"two\"; secret = \"" SECRET "\"; } ); },\n"
	"  { iqn = \"" OTHER "2\"; open = true; luns = (\n"
	"  { number = 7; plugin = \"file\"; settings: { path = \"%s/a.img\"; }; } ); } );\n";

static unsigned n_rounds(void)
{
	const char *said = g_getenv("APPLY_ROUNDS");

	return said ? (unsigned)atoi(said) : SANITIZED || g_getenv("E2E_QUICK") ? 200 : 1000;
}

static void apply_one(const char *text, unsigned n)
{
	GError *error = NULL;

	if (n % 8) {
		server_apply(running, conf_of(text), &error);
		g_assert_no_error(error);
	} else {
		g_autofree char *json = json_of(text);

		expect("PUT", "/v1/config?force=1", json, 200, NULL);
	}
}

static void test_many(void)
{
	g_autofree char *a = image("a.img");
	char *texts[] = { g_strdup_printf(one_conf, dir, dir), g_strdup_printf(other_conf, dir, dir) };
	unsigned rounds = n_rounds(), fds = 0, n;
	size_t bytes = 0;
	struct ini *i;

	begin_with(texts[0], false);
	i = ini_new_login(NULL, 1, "");
	for (n = 1; n <= rounds; n++) {
		apply_one(texts[n % 2], n);
		if (n % LOOK == 0)
			settle(i, 0);
		if (n == rounds / 5 / 2 * 2) {	/* the same of the two as at the end */
			fds = n_fds();
			bytes = in_use();
		}
	}
	g_test_message("%u applies: %zd bytes more, %u descriptors", rounds, (ssize_t)(in_use() - bytes), fds);
	g_assert_cmpuint(n_fds(), ==, fds);
	g_assert_cmpint((ssize_t)(in_use() - bytes), <, BYTES_MAX);
	settle(i, 0);
	ini_hang_up(i);
	ini_free(i);
	end();
	unlink(a);
	g_free(texts[0]);
	g_free(texts[1]);
}

/* ---- a portal that goes ---- */

/* Of all reactors. */
static gint64 n_counted(void)
{
	struct answer a = ask("GET", "/v1/stats?buckets=0", NULL);
	JsonArray *all = json_object_get_array_member(json_node_get_object(a.json), "reactors");
	gint64 sum = 0;

	for (unsigned i = 0; i < json_array_get_length(all); i++)
		sum += json_object_get_int_member(json_array_get_object_element(all, i), "commands");
	answer_clear(&a);
	return sum;
}

/* A command counts when its last byte has left, so it may be here before. */
static void expect_counted(gint64 n)
{
	while (n_counted() < n)
		g_thread_yield();
	g_assert_cmpint(n_counted(), ==, n);
}

static unsigned n_sessions(void)
{
	GArray *all = server_sessions(running);
	unsigned n = all->len;

	g_array_unref(all);
	return n;
}

static const char one_portal[] =
	"state-dir = \"%s/state\"; reactors = 2; portals = ( { address = \"%s\"; port = 0; } );\n"
	"targets = ( { iqn = \"" DISK "\"; open = true; luns = (\n"
	"  { number = 0; plugin = \"null\"; settings: { size = \"1M\"; }; },\n"
	"  { number = 1; plugin = \"null\"; settings: { size = \"2M\"; }; } ); } );\n";

static void apply_portal(const char *address)
{
	g_autofree char *text = g_strdup_printf(one_portal, dir, address);
	GError *error = NULL;

	server_apply(running, conf_of(text), &error);
	g_assert_no_error(error);
}

/* Its session stays; and what came through it stays counted, when that has gone as well. */
static void test_portal(void)
{
	g_autofree char *text = g_strdup_printf(one_portal, dir, "127.0.0.1");
	struct ini *i;
	gint64 n = 2;

	begin_with(text, false);
	i = ini_new_login(NULL, 1, "");
	expect_counted(n);
	for (unsigned round = 0; round < 4; round++) {
		apply_portal(round % 2 ? "127.0.0.3" : "127.0.0.2");
		settle(i, 0);
		n++;
	}
	expect_counted(n);
	ini_hang_up(i);
	ini_free(i);
	while (n_sessions())
		g_thread_yield();
	for (unsigned round = 0; round < 4; round++) {
		apply_portal(round % 2 ? "127.0.0.3" : "127.0.0.2");
		g_assert_cmpint(n_counted(), ==, n);
	}
	end();
}

/* ---- all or nothing ---- */

#define LUNS 20u

static const char before[] =
	"state-dir = \"%s/state\"; reactors = 2;\n"
	"portals = ( { name = \"a\"; address = \"127.0.0.1\"; port = 0; } );\n"
	"targets = ( { iqn = \"" DISK "\"; open = true; luns = (\n"
	"  { number = 0; plugin = \"file\"; settings: { path = \"%s/a.img\"; }; },\n"
	"  { number = 1; plugin = \"null\"; settings: { size = \"2M\"; }; },\n"
	"  { number = 2; plugin = \"faulty\"; settings: { path = \"%s/b.img\"; }; } ); },\n"
	"  { iqn = \"" OTHER "\"; accounts = ( { user = \"one\"; secret = \"" SECRET "\"; } ); luns = (\n"
	"  { number = 0; plugin = \"null\"; settings: { size = \"1M\"; }; } ); } );\n";

/* What else changes, up to the last portal or the last LUN. */
static char *after(unsigned free_port, unsigned last_port, const char *last)
{
	GString *text = g_string_new(NULL);

	g_string_printf(text, "state-dir = \"%s/state\"; reactors = 2; poll-us = 40; log-level = \"debug\";\n"
			"portals = ( { name = \"a\"; address = \"127.0.0.1\"; port = 0; advertise = \"192.0.2.1:3260\"; },\n"
			"  { name = \"b\"; address = \"127.0.0.1\"; port = %u; }", dir, free_port);
	if (last_port)
		g_string_append_printf(text, ", { name = \"c\"; address = \"127.0.0.1\"; port = %u; }", last_port);
	g_string_append_printf(text, " );\ntargets = ( { iqn = \"" DISK "\"; alias = \"new\"; max-sessions = 1;\n"
			       "  acls = ( { initiators = [ \"iqn.2010-01.org.example:else\" ]; } ); luns = (\n"
			       "  { number = 0; plugin = \"file\"; settings: { path = \"%s/a.img\"; }; vendor = \"OTHER\"; online = false; },\n"
			       "  { number = 1; plugin = \"null\"; settings: { size = \"3M\"; }; } ); },\n"
			       "  { iqn = \"" OTHER "2\"; open = true; luns = (\n", dir);
	for (unsigned n = 0; n < LUNS; n++)
		g_string_append_printf(text, "  { number = %u; plugin = \"null\"; settings: { size = \"1M\"; }; },\n", n);
	g_string_append_printf(text, "  { number = %u; %s } ); } );\n", LUNS, last);
	return g_string_free(text, FALSE);
}

/* Listening, so that it is taken; or, closed again, likely free. */
static int some_port(unsigned *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof at;

	g_assert_cmpint(bind(fd, (struct sockaddr *)&at, sizeof at), ==, 0);
	g_assert_cmpint(listen(fd, 1), ==, 0);
	g_assert_cmpint(getsockname(fd, (struct sockaddr *)&at, &len), ==, 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static bool listens(unsigned port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes = connect(fd, (struct sockaddr *)&at, sizeof at) == 0;

	close(fd);
	return yes;
}

struct picture {
	char *texts[3];
	unsigned fds;
	bool debug;	/* what is logged */
};

static struct picture picture(void)
{
	static const char *const where[] = { "/v1/config", "/v1/status", "/v1/sessions" };
	struct picture p = { .debug = log_enabled(LOGD_DAEMON, GOTGT_LOG_DEBUG) };

	for (unsigned n = 0; n < G_N_ELEMENTS(where); n++) {
		struct answer a = ask("GET", where[n], NULL);

		g_assert_cmpuint(a.status, ==, 200);
		p.texts[n] = g_steal_pointer(&a.text);
		answer_clear(&a);
	}
	p.fds = n_fds();
	return p;
}

static void expect_same(struct picture *was)
{
	struct picture is = picture();

	for (unsigned n = 0; n < G_N_ELEMENTS(is.texts); n++) {
		g_assert_cmpstr(is.texts[n], ==, was->texts[n]);
		g_free(is.texts[n]);
		g_free(was->texts[n]);
	}
	g_assert_cmpuint(is.fds, ==, was->fds);
	g_assert_true(is.debug == was->debug);
}

/* The session that was there goes on; it may have heard of LUNs only where one had to be closed for a while. */
static void expect_undisturbed(struct ini *i, bool heard)
{
	g_autofree char *session = g_strdup_printf("/v1/sessions/%u", i->tsih);
	uint8_t got[4096];

	for (uint32_t lun = 0; lun < 3 && heard; lun++)
		settle(i, lun);
	g_assert_cmpuint(ini_finish_read(i, ini_read(i, 8, 8, sizeof got), got, sizeof got), ==, sizeof got);
	g_assert_cmphex(i->bhs[3], ==, 0);
	for (unsigned n = 0; n < sizeof got; n++)
		g_assert_cmphex(got[n], ==, 'a');
	for (uint32_t lun = 0; lun < 3; lun++) {
		uint32_t itt = ini_test_unit_ready(i, lun);

		EXPECT_STATUS(i, itt, 0);
	}
	expect("GET", session, NULL, 200, HOST);
}

/* In both ways: by the program, as a reload does, and by a request. */
static void fails(struct ini *i, const char *text, unsigned free_port, bool heard)
{
	g_autofree char *json = json_of(text);
	GError *error = NULL;
	struct picture was = picture();

	g_assert_false(server_apply(running, conf_of(text), &error));
	g_test_message("%s", error->message);
	g_clear_error(&error);
	expect_same(&was);
	g_assert_false(listens(free_port));
	expect_undisturbed(i, heard);
	was = picture();
	expect("PUT", "/v1/config?force=1", json, 422, NULL);
	expect_same(&was);
	g_assert_false(listens(free_port));
	expect_undisturbed(i, heard);
}

static void test_atomic(void)
{
	static const char good[] = "plugin = \"null\"; settings: { size = \"1M\"; };";
	g_autofree char *a = image("a.img"), *b = image("b.img"), *start = g_strdup_printf(before, dir, dir, dir);
	g_autofree char *missing = g_strdup_printf("plugin = \"file\"; settings: { path = \"%s/none.img\"; };", dir);
	g_autofree char *refused = g_strdup_printf("plugin = \"faulty\"; settings: { path = \"%s/c.img\"; fault = \"refused\"; };", dir);
	/* One that runs has this file, so it is opened when that has been closed: among the last. */
	g_autofree char *late = g_strdup_printf("plugin = \"faulty\"; settings: { path = \"%s/b.img\"; fault = \"refused\"; };", dir);
	const struct { const char *last; bool taken, heard; } cases[] = {
		{ missing, false, false }, { good, true, false }, { refused, false, false }, { late, false, true },
	};
	unsigned port, taken;
	g_autofree char *whole = NULL;
	GError *error = NULL;
	struct ini *i;
	int fd;

	close(some_port(&port));
	fd = some_port(&taken);
	begin_with(start, false);
	i = ini_new_login(NULL, 1, "");
	settle(i, 2);
	for (unsigned n = 0; n < G_N_ELEMENTS(cases); n++) {
		g_autofree char *text = after(port, cases[n].taken ? taken : 0, cases[n].last);

		fails(i, text, port, cases[n].heard);
	}
	/* All of it but that step can be done. */
	whole = after(port, 0, good);
	server_apply(running, conf_of(whole), &error);
	g_assert_no_error(error);
	g_assert_true(listens(port));
	expect("GET", "/v1/status", NULL, 200, OTHER "2");
	ini_free(i);
	end();
	close(fd);
	unlink(a);
	unlink(b);
}

/* Chunks that a thread keeps for itself count as in use: without them, what is left is what was not freed. */
static void without_caches(char **argv)
{
	if (SANITIZED || g_getenv("GLIBC_TUNABLES"))
		return;
	g_setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", TRUE);
	execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
	without_caches(argv);
	rig_begin(&argc, &argv);
	rig_plugins("mods");
	g_test_add_func("/apply/many", test_many);
	g_test_add_func("/apply/portal", test_portal);
	g_test_add_func("/apply/atomic", test_atomic);
	return rig_run();
}
