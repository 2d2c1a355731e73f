/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a new configuration leaves behind: nothing of the one before, however often: APPLY_ROUNDS says how often.
 */
#include "config.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "control-rig.h"
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
	g_test_add_func("/apply/many", test_many);
	g_test_add_func("/apply/portal", test_portal);
	return rig_run();
}
