/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: every route, good and bad, against a server in this process. */
#include "config.h"
#include <glib/gstdio.h>
#include <string.h>
#include "control-rig.h"
#include "engine/log.h"

/* ---- to look ---- */

static const struct {
	const char *method, *where, *body;
	unsigned status;
	const char *piece;
} cases[] = {
	{ "GET", "/healthz", NULL, 200, "\"ok\"" },
	{ "HEAD", "/healthz", NULL, 200, NULL },
	{ "GET", "/v1/config", NULL, 200, "\"state-dir\"" },
	{ "GET", "/v1/targets", NULL, 200, DISK },
	{ "GET", "/v1/targets/", NULL, 200, DISK },
	{ "GET", "/v1/targets/" DISK, NULL, 200, "\"luns\"" },
	{ "GET", "/v1/targets/iqn.2010-01.org.example%3Adisk", NULL, 200, "\"luns\"" },
	{ "GET", "/v1/targets/" OTHER, NULL, 404, "there is no target " OTHER },
	{ "GET", "/v1/targets/" DISK "/luns", NULL, 200, "\"1M\"" },
	{ "GET", "/v1/targets/" DISK "/luns/1", NULL, 200, "\"2M\"" },
	{ "GET", "/v1/targets/" DISK "/luns/2", NULL, 404, "there is no lun 2" },
	{ "GET", "/v1/targets/" DISK "/luns/01", NULL, 404, "there is no lun 01" },
	{ "GET", "/v1/targets/" OTHER "/luns", NULL, 404, "there is no target " OTHER },
	{ "GET", "/v1/targets/" DISK "/accounts", NULL, 200, "[]" },
	{ "GET", "/v1/targets/" DISK "/port-groups", NULL, 200, "[]" },
	{ "GET", "/v1/targets/" DISK "/iscsi", NULL, 200, "\"max-burst-length\"" },
	{ "GET", "/v1/discovery/accounts", NULL, 200, "[]" },
	{ "GET", "/v1/limits", NULL, 200, "\"max-logins\"" },
	{ "GET", "/v1/iscsi", NULL, 200, "\"time2wait\"" },
	{ "GET", "/v1/portals", NULL, 200, "127.0.0.1" },
	{ "GET", "/v1/portals/a", NULL, 200, "127.0.0.1" },
	{ "GET", "/v1/portals/b", NULL, 404, NULL },
	{ "GET", "/v1/sessions", NULL, 200, "[]" },
	{ "GET", "/v1/sessions/1", NULL, 404, "no session 1" },
	{ "GET", "/v1/sessions/x", NULL, 404, "no session x" },
	{ "DELETE", "/v1/sessions/1", NULL, 404, "no session 1" },
	{ "GET", "/v1/accounts", NULL, 200, "[]" },
	{ "GET", "/v1/plugins", NULL, 200, "\"null\"" },
	{ "GET", "/v1/status", NULL, 200, "\"online\"" },
	{ "GET", "/v1/log-level", NULL, 200, "\"info\"" },
	{ "GET", "/openapi.json", NULL, 200, "\"openapi\" : \"3.0.3\"" },
	{ "GET", "/", NULL, 404, "openapi.json" },
	{ "GET", "/v1", NULL, 404, NULL },
	{ "GET", "/v2/targets", NULL, 404, NULL },
	{ "GET", "/v1/nonsense", NULL, 404, NULL },
	{ "GET", "/v1//targets", NULL, 404, NULL },
	{ "GET", "/v1/targets/%00", NULL, 404, NULL },
	{ "GET", "/v1/targets/%ff", NULL, 404, NULL },
	{ "DELETE", "/v1/targets", NULL, 405, "GET, POST" },
	{ "POST", "/v1/targets/" DISK, "{}", 405, "GET, PUT, PATCH, DELETE" },
	{ "BREW", "/v1/config", NULL, 405, "GET, PUT, PATCH" },
	/* Bad documents; all stays as it was. */
	{ "POST", "/v1/targets", NULL, 400, "expected an object" },
	{ "POST", "/v1/targets", "{", 400, "cut off" },
	{ "POST", "/v1/targets", "[]", 400, "expected an object" },
	{ "POST", "/v1/targets", "{}", 422, "\"field\" : \"iqn\"" },
	{ "POST", "/v1/targets", "{\"iqn\":\"disk\"}", 422, "starts with iqn." },
	{ "POST", "/v1/targets", "{\"iqn\":\"" DISK "\"}", 409, "there is one already" },
	{ "POST", "/v1/targets", "{\"iqn\":\"" OTHER "\",\"colour\":1}", 422, "no such setting" },
	{ "POST", "/v1/targets", "{\"iqn\":\"" OTHER "\",\"portals\":[\"b\"]}", 422, "no portal is called" },
	{ "POST", "/v1/targets", "{\"iqn\":\"" OTHER "\",\"luns\":[{\"number\":0,\"plugin\":\"nonsense\"}]}", 422, "nonsense" },
	{ "PUT", "/v1/targets/" OTHER, "{\"iqn\":\"" DISK "\"}", 422, "is not the iqn of the path" },
	{ "PUT", "/v1/targets/disk", "{}", 422, "\"field\" : \"iqn\"" },
	{ "PATCH", "/v1/targets/" OTHER, "{}", 404, NULL },
	{ "PATCH", "/v1/targets/" DISK, "{\"iqn\":\"" OTHER "\"}", 422, "is not the iqn of the path" },
	{ "PATCH", "/v1/targets/" DISK, "{\"iscsi\":{\"first-burst-length\":\"2M\"}}", 422, "first-burst-length" },
	{ "DELETE", "/v1/targets/" OTHER, NULL, 404, NULL },
	{ "PUT", "/v1/targets/" DISK "/luns/2", "{\"plugin\":\"null\",\"settings\":{\"speed\":1}}", 422, "speed" },
	{ "PUT", "/v1/targets/" DISK "/luns/99999", "{\"plugin\":\"null\"}", 422, "\"field\" : \"number\"" },
	{ "PUT", "/v1/targets/" OTHER "/luns/0", "{\"plugin\":\"null\"}", 404, NULL },
	{ "PUT", "/v1/portals/b", "{\"address\":\"192.0.2.1\"}", 422, "192.0.2.1" },
	{ "PUT", "/v1/limits", "{\"max-logins\":0}", 422, "\"field\" : \"max-logins\"" },
	{ "PUT", "/v1/log-level", "{\"log-level\":\"loud\"}", 422, "\"field\" : \"log-level\"" },
	{ "PUT", "/v1/log-level", "{\"workers\":1}", 422, NULL },
	{ "PUT", "/v1/log-level", "{}", 422, NULL },
	{ "PUT", "/v1/log-level", "{\"log-level\":null}", 422, "\"field\" : \"log-level\"" },
	{ "PUT", "/v1/log-level", "{\"domains\":[]}", 422, "\"field\" : \"domains\"" },
	{ "PUT", "/v1/log-level", "{\"domains\":{\"disks\":\"info\"}}", 422, "\"field\" : \"domains.disks\"" },
	{ "PUT", "/v1/log-level", "{\"domains\":{\"disks\":null}}", 422, "\"field\" : \"domains.disks\"" },
	{ "PUT", "/v1/log-level", "{\"domains\":{\"scsi\":\"loud\"}}", 422, "\"field\" : \"domains.scsi\"" },
	{ "PUT", "/v1/log-level", "{\"domains\":{\"scsi\":7}}", 422, "\"field\" : \"domains.scsi\"" },
	{ "PUT", "/v1/log-levels/scsi", "{}", 422, "\"field\" : \"level\"" },
	{ "PUT", "/v1/config", "{\"targets\":[{\"iqn\":\"" DISK "\"}]}", 422, "no portals" },
	{ "PUT", "/v1/config", "nonsense", 400, NULL },
	{ "PUT", "/v1/config", "{}", 422, "targets: is missing" },
	{ "PUT", "/v1/config?dry_run=1", "{\"portals\":[]}", 422, "targets: is missing" },
	{ "POST", "/v1/config/save", "{\"name\":\"../x.conf\"}", 422, "\"field\" : \"name\"" },
	{ "POST", "/v1/config/save", "{\"name\":5}", 422, "\"field\" : \"name\"" },
	{ "POST", "/v1/config/save", "{\"name\":\"x\"}", 422, "\"field\" : \"name\"" },
};

static void test_cases(void)
{
	struct conf *before;

	begin();
	before = schema_dup(CONF_TOP, server_conf(running));
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		expect(cases[i].method, cases[i].where, cases[i].body, cases[i].status, cases[i].piece);
		g_assert_true(schema_equal(CONF_TOP, before, server_conf(running)));
	}
	conf_free(before);
	expect("GET", "/v1/status", NULL, 200, "\"unsaved\" : false");
	end();
}

static void test_methods(void)
{
	struct answer a;

	begin();
	a = ask("OPTIONS", "/v1/targets", NULL);
	g_assert_cmpuint(a.status, ==, 204);
	g_assert_cmpstr(a.allow, ==, "GET, POST");
	answer_clear(&a);
	end();
}

/* ---- to change ---- */

static void test_target(void)
{
	struct answer a;

	begin();
	a = ask("POST", "/v1/targets", "{\"iqn\":\"" OTHER "\",\"alias\":\"two\",\"luns\":[{\"number\":5,\"plugin\":\"null\"}]}");
	g_assert_cmpuint(a.status, ==, 201);
	g_assert_cmpstr(a.location, ==, "/v1/targets/" OTHER);
	g_assert_nonnull(a.etag);
	answer_clear(&a);
	g_assert_cmpuint(server_luns(running), ==, 3);
	g_assert_nonnull(server_lun(running, OTHER, 5));
	expect("PATCH", "/v1/targets/" OTHER, "{\"alias\":\"zwei\"}", 200, "zwei");
	g_assert_cmpuint(target(OTHER)->luns->len, ==, 1);
	/* All that is not said is as by default. */
	expect("PUT", "/v1/targets/" OTHER, "{}", 200, OTHER);
	g_assert_null(target(OTHER)->alias);
	g_assert_cmpuint(target(OTHER)->luns->len, ==, 0);
	/* Once more is no change. */
	expect("PUT", "/v1/targets/" OTHER, "{}", 200, OTHER);
	expect("DELETE", "/v1/targets/" OTHER, NULL, 204, NULL);
	expect("DELETE", "/v1/targets/" OTHER, NULL, 404, NULL);
	expect("PUT", "/v1/targets/" OTHER, "{}", 201, OTHER);
	expect("GET", "/v1/status", NULL, 200, "\"unsaved\" : true");
	end();
}

static void test_lun(void)
{
	begin();
	expect("PUT", "/v1/targets/" DISK "/luns/7", "{\"plugin\":\"null\",\"settings\":{\"size\":\"3M\"}}", 201, "\"3M\"");
	g_assert_nonnull(server_lun(running, DISK, 7));
	expect("PATCH", "/v1/targets/" DISK "/luns/7", "{\"settings\":{\"size\":\"4M\"},\"serial\":\"x\"}", 200, "\"4M\"");
	expect("PATCH", "/v1/targets/" DISK "/luns/7", "{\"serial\":null}", 200, "\"4M\"");
	g_assert_null(((struct conf_lun *)target(DISK)->luns->pdata[2])->serial);
	expect("POST", "/v1/targets/" DISK "/luns", "{\"number\":7,\"plugin\":\"null\"}", 409, "lun 7");
	expect("POST", "/v1/targets/" DISK "/luns", "{\"number\":8,\"plugin\":\"null\"}", 201, NULL);
	expect("DELETE", "/v1/targets/" DISK "/luns/7", NULL, 204, NULL);
	g_assert_null(server_lun(running, DISK, 7));
	g_assert_cmpuint(server_luns(running), ==, 3);
	end();
}

static void test_portals(void)
{
	begin();
	expect("PUT", "/v1/portals/b", "{\"address\":\"127.0.0.1\",\"port\":0}", 201, "\"b\"");
	g_assert_nonnull(server_portal(running, 1));
	expect("PUT", "/v1/targets/" DISK "/port-groups/3", "{\"portals\":[\"b\"],\"state\":\"standby\"}", 201, "standby");
	expect("DELETE", "/v1/portals/b", NULL, 422, "no portal is called");
	expect("DELETE", "/v1/targets/" DISK "/port-groups/3", NULL, 204, NULL);
	expect("DELETE", "/v1/portals/b", NULL, 204, NULL);
	g_assert_null(server_portal(running, 1));
	/* One without a name. */
	expect("POST", "/v1/portals", "{\"address\":\"127.0.0.2\",\"port\":0}", 201, "127.0.0.2");
	expect("PATCH", "/v1/portals/127.0.0.2:0", "{\"name\":\"c\"}", 404, NULL);
	expect("GET", "/v1/portals/c", NULL, 200, "127.0.0.2");
	expect("DELETE", "/v1/portals/c", NULL, 204, NULL);
	end();
}

/* They have no name: each is where it is in its list. */
static void test_acls(void)
{
	struct answer a;

	begin();
	expect("PUT", "/v1/targets/" OTHER, "{\"luns\":[{\"number\":5,\"plugin\":\"null\"}]}", 201, NULL);
	expect("PUT", "/v1/targets/" OTHER "/acls/1", "{}", 422, "expected a place up to 0");
	expect("PUT", "/v1/targets/" OTHER "/acls/0", "{\"initiators\":[\"" HOST "\"]}", 201, HOST);
	a = ask("POST", "/v1/targets/" OTHER "/acls", "{\"addresses\":[\"127.0.0.0/8\"]}");
	g_assert_cmpuint(a.status, ==, 201);
	g_assert_cmpstr(a.location, ==, "/v1/targets/" OTHER "/acls/1");
	answer_clear(&a);
	expect("PATCH", "/v1/targets/" OTHER "/acls/1", "{\"luns\":[{\"number\":0,\"lun\":5}]}", 200, "127.0.0.0/8");
	expect("GET", "/v1/targets/" OTHER "/acls/1/luns/0", NULL, 200, "\"lun\" : 5");
	expect("PATCH", "/v1/targets/" OTHER "/acls/0?dry_run=1", "{\"read-only\":true}", 200, "/acls/0/read-only");
	expect("DELETE", "/v1/targets/" OTHER "/acls/0", NULL, 204, NULL);
	expect("GET", "/v1/targets/" OTHER "/acls/0", NULL, 200, "127.0.0.0/8");
	expect("GET", "/v1/targets/" OTHER "/acls/1", NULL, 404, NULL);
	end();
}

static void test_groups(void)
{
	begin();
	expect("PATCH", "/v1/iscsi", "{\"time2wait\":7}", 200, "\"time2wait\" : 7");
	/* Targets that had no value of their own follow. */
	g_assert_cmpuint(target(DISK)->iscsi.time2wait, ==, 7);
	expect("PATCH", "/v1/targets/" DISK "/iscsi", "{\"time2wait\":9}", 200, "\"time2wait\" : 9");
	expect("PUT", "/v1/iscsi", "{}", 200, "\"time2wait\" : 2");
	g_assert_cmpuint(target(DISK)->iscsi.time2wait, ==, 9);
	expect("PATCH", "/v1/iscsi", "{\"time2wait\":5}", 200, NULL);
	expect("PUT", "/v1/targets/" DISK "/iscsi", "{}", 200, "\"time2wait\" : 5");
	expect("PUT", "/v1/limits?dry_run=1", "{\"max-logins\":5}", 200, "\"restart\" : true");
	expect("PUT", "/v1/log-level", "{\"log-level\":\"debug\"}", 200, "debug");
	g_assert_true(log_enabled(LOGD_ISCSI, GOTGT_LOG_DEBUG));
	end();
	log_set_level(GOTGT_LOG_INFO);
}

static void test_log_levels(void)
{
	begin();
	expect("GET", "/v1/log-level", NULL, 200, "\"iscsi\" : null");
	expect("PUT", "/v1/log-level", "{\"domains\":{\"iscsi\":\"debug\",\"plugin:file\":\"error\"}}", 200,
	       "\"plugin:file\" : \"error\"");
	g_assert_true(log_enabled(LOGD_ISCSI, GOTGT_LOG_DEBUG));
	g_assert_false(log_enabled(LOGD_SCSI, GOTGT_LOG_DEBUG));
	expect("GET", "/v1/config", NULL, 200, "\"domain\" : \"iscsi\",\n      \"level\" : \"debug\"");
	expect("GET", "/v1/log-levels/plugin:file", NULL, 200, "\"error\"");
	/* What is not named stays. */
	expect("PUT", "/v1/log-level", "{\"log-level\":\"warn\",\"domains\":{\"plugin:file\":null}}", 200, "\"iscsi\" : \"debug\"");
	expect("GET", "/v1/log-levels/plugin:file", NULL, 404, NULL);
	g_assert_true(log_enabled(LOGD_ISCSI, GOTGT_LOG_DEBUG));
	g_assert_false(log_enabled(LOGD_SCSI, GOTGT_LOG_INFO));
	expect("PUT", "/v1/log-level?dry_run=1", "{\"domains\":{\"scsi\":\"debug\"}}", 200, "log-levels/scsi");
	g_assert_false(log_enabled(LOGD_SCSI, GOTGT_LOG_DEBUG));
	/* As a list like others. */
	expect("PUT", "/v1/log-levels/login", "{\"level\":\"error\"}", 201, "\"login\"");
	g_assert_false(log_enabled(LOGD_LOGIN, GOTGT_LOG_WARNING));
	expect("POST", "/v1/log-levels", "{\"domain\":\"login\",\"level\":\"info\"}", 409, NULL);
	expect("DELETE", "/v1/log-levels/login", NULL, 204, NULL);
	expect("PUT", "/v1/log-level", "{\"domains\":{\"iscsi\":null},\"log-level\":\"info\"}", 200, "\"iscsi\" : null");
	g_assert_false(log_enabled(LOGD_ISCSI, GOTGT_LOG_DEBUG));
	g_assert_true(log_enabled(LOGD_LOGIN, GOTGT_LOG_INFO));
	g_assert_cmpuint(server_conf(running)->log_levels->len, ==, 0);
	end();
}

/* Whatever is asked, no answer has a secret, and none is lost. */
static void test_secrets(void)
{
	static const char *const places[] = {
		"/v1/config", "/v1/targets", "/v1/targets/" DISK, "/v1/targets/" DISK "/accounts", "/v1/accounts",
		"/v1/targets/" DISK "/accounts/u", "/v1/status", "/target/list",
	};
	struct answer a;
	struct conf_account *account;
	g_autofree char *etag = NULL;

	begin();
	expect("PUT", "/v1/targets/" DISK "/accounts/u", "{\"secret\":\"short\"}", 422, "shorter than");
	expect("PUT", "/v1/targets/" DISK "/accounts/u", "{\"secret\":\"" SECRET "\"}", 201, "\"u\"");
	for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
		a = ask("GET", places[i], NULL);
		g_assert_cmpuint(a.status, ==, 200);
		g_assert_null(strstr(a.text, SECRET));
		answer_clear(&a);
	}
	/* What was answered, put back. */
	a = ask("GET", "/v1/config", NULL);
	etag = g_strdup(a.etag);
	expect("PUT", "/v1/config", a.text, 200, NULL);
	answer_clear(&a);
	account = target(DISK)->accounts->pdata[0];
	g_assert_cmpstr(account->secret, ==, SECRET);
	a = ask("GET", "/v1/config", NULL);
	g_assert_cmpstr(a.etag, ==, etag);
	answer_clear(&a);
	/* Another secret is another tag. */
	expect("PATCH", "/v1/targets/" DISK "/accounts/u?dry_run=1", "{\"secret\":\"" SECRET "2\"}", 200, "/accounts/u/secret");
	expect("PATCH", "/v1/targets/" DISK "/accounts/u", "{\"secret\":\"" SECRET "2\"}", 200, NULL);
	a = ask("GET", "/v1/config", NULL);
	g_assert_cmpstr(a.etag, !=, etag);
	answer_clear(&a);
	end();
}

static void test_etags(void)
{
	struct answer a, b;
	g_autofree char *match = NULL, *none = NULL;

	begin();
	a = ask("GET", "/v1/targets/" DISK, NULL);
	match = g_strdup_printf("If-Match: %s", a.etag);
	none = g_strdup_printf("If-None-Match: %s", a.etag);
	b = ask_with("GET", "/v1/targets/" DISK, NULL, none);
	g_assert_cmpuint(b.status, ==, 304);
	answer_clear(&b);
	b = ask_with("PATCH", "/v1/targets/" DISK, "{\"alias\":\"x\"}", match);
	g_assert_cmpuint(b.status, ==, 200);
	g_assert_cmpstr(a.etag, !=, b.etag);
	answer_clear(&b);
	b = ask_with("PATCH", "/v1/targets/" DISK, "{\"alias\":\"y\"}", match);
	g_assert_cmpuint(b.status, ==, 412);
	answer_clear(&b);
	b = ask_with("DELETE", "/v1/targets/" DISK, NULL, match);
	g_assert_cmpuint(b.status, ==, 412);
	answer_clear(&b);
	b = ask_with("PUT", "/v1/config", "{}", match);
	g_assert_cmpuint(b.status, ==, 412);
	answer_clear(&b);
	b = ask_with("PUT", "/v1/targets/" DISK, "{}", "If-None-Match: *");
	g_assert_cmpuint(b.status, ==, 412);
	answer_clear(&b);
	b = ask_with("PUT", "/v1/targets/" OTHER, "{}", "If-Match: *");
	g_assert_cmpuint(b.status, ==, 412);
	answer_clear(&b);
	b = ask_with("PUT", "/v1/targets/" OTHER, "{}", "If-None-Match: *");
	g_assert_cmpuint(b.status, ==, 201);
	answer_clear(&b);
	g_assert_cmpstr(target(DISK)->alias, ==, "x");
	answer_clear(&a);
	end();
}

static void test_config(void)
{
	struct answer a;
	unsigned level;

	begin();
	a = ask("GET", "/v1/config", NULL);
	expect("PUT", "/v1/config?dry_run=1", a.text, 200, "\"changes\" : []");
	expect("PUT", "/v1/config?dry_run=1", "{\"portals\":[{\"name\":\"a\",\"address\":\"127.0.0.1\",\"port\":0}],\"targets\":[]}", 200,
	       "\"op\" : \"remove\",\n      \"path\" : \"targets/" DISK "\"");
	g_assert_nonnull(target(DISK));
	/* The last step fails: all stays. */
	expect("PUT", "/v1/config", "{\"portals\":[{\"address\":\"127.0.0.1\",\"port\":0}],\"log-level\":\"error\",\"targets\":["
	       "{\"iqn\":\"" OTHER "\",\"luns\":[{\"number\":0,\"plugin\":\"file\",\"settings\":{\"path\":\"/nonexistent/x\"}}]}]}",
	       422, OTHER " lun 0");
	g_assert_nonnull(target(DISK));
	g_assert_null(target(OTHER));
	level = server_conf(running)->log_level;
	g_assert_cmpuint(level, ==, GOTGT_LOG_INFO);
	expect("PATCH", "/v1/config", "{\"fips\":true}", 200, "\"fips\" : true");
	g_assert_cmpuint(target(DISK)->luns->len, ==, 2);
	expect("PUT", "/v1/config", a.text, 200, "\"fips\" : false");
	answer_clear(&a);
	end();
}

static void test_save(void)
{
	g_autofree char *other = g_build_filename(dir, "other.conf", NULL);
	struct conf *c;

	begin();
	expect("PUT", "/v1/targets/" OTHER, "{\"alias\":\"kept\"}", 201, NULL);
	expect("POST", "/v1/config/save", "{\"name\":\"other.conf\"}", 200, "other.conf");
	expect("GET", "/v1/status", NULL, 200, "\"unsaved\" : true");
	expect("POST", "/v1/config/save", NULL, 200, file);
	expect("GET", "/v1/status", NULL, 200, "\"unsaved\" : false");
	c = read_file();
	g_assert_true(schema_equal(CONF_TOP, c, server_conf(running)));
	conf_free(c);
	g_assert_cmpint(g_unlink(other), ==, 0);
	/* Unsaved ones go with a reload. */
	expect("DELETE", "/v1/targets/" OTHER, NULL, 204, NULL);
	g_assert_true(server_apply(running, read_file(), NULL));
	control_reloaded(control);
	expect("GET", "/v1/targets/" OTHER, NULL, 200, "kept");
	expect("GET", "/v1/status", NULL, 200, "\"unsaved\" : false");
	end();
}

/* Again and again: what leaks shows in a build that looks for it. */
static void test_many(void)
{
	static const char other[] = "{\"portals\":[{\"name\":\"a\",\"address\":\"127.0.0.1\",\"port\":0},{\"name\":\"b\","
		"\"address\":\"127.0.0.2\",\"port\":0}],\"targets\":[{\"iqn\":\"" OTHER "\",\"portals\":[\"b\"],\"port-groups\":["
		"{\"tag\":4,\"portals\":[\"b\"]}],\"accounts\":[{\"user\":\"u\",\"secret\":\"" SECRET "\"}],\"luns\":["
		"{\"number\":0,\"plugin\":\"null\",\"serial\":\"1\"}]},{\"iqn\":\"" DISK "\",\"luns\":[{\"number\":1,"
		"\"plugin\":\"null\",\"settings\":{\"size\":\"5M\"}}]}]}";
	struct answer a;

	begin();
	a = ask("GET", "/v1/config", NULL);
	for (unsigned i = 0; i < 100; i++) {
		expect("PUT", "/v1/config", i % 2 ? a.text : other, 200, NULL);
		g_assert_cmpint(target(OTHER) == NULL, ==, i % 2);
		g_assert_cmpuint(server_luns(running), ==, 2);
	}
	answer_clear(&a);
	end();
}

/* ---- in use ---- */

static void test_in_use(void)
{
	struct ini *i;
	g_autofree char *session = NULL;

	begin();
	i = ini_new_login(NULL, 1, "");
	session = g_strdup_printf("/v1/sessions/%u", i->tsih);
	expect("GET", "/v1/sessions", NULL, 200, HOST);
	expect("GET", session, NULL, 200, DISK);
	expect("GET", "/target/list", NULL, 200, "\"Tag\" : \"" HOST "\"");
	expect("GET", "/v1/status", NULL, 200, "\"sessions\" : 1");
	expect("DELETE", "/v1/targets/" DISK, NULL, 409, "in use by " HOST);
	expect("DELETE", "/target/" DISK, NULL, 409, "\"users\"");
	expect("DELETE", "/v1/targets/" DISK "/luns/1", NULL, 409, "lun 1: in use by " HOST);
	expect("PATCH", "/v1/targets/" DISK "/luns/1", "{\"settings\":{\"size\":\"8M\"}}", 409, "lun 1: in use by");
	expect("PUT", "/v1/targets/" DISK, "{}", 409, "in use by");
	/* In words that are right for ?force=1 and for --force. */
	expect("DELETE", "/v1/targets/" DISK "/luns/1", NULL, 409, "); force ends that\"");
	ini_check(i);
	/* What disturbs nobody is done. */
	expect("PATCH", "/v1/targets/" DISK, "{\"alias\":\"busy\"}", 200, NULL);
	expect("PUT", "/v1/targets/" OTHER, "{}", 201, NULL);
	expect("DELETE", "/v1/targets/" OTHER, NULL, 204, NULL);
	expect("DELETE", "/v1/targets/" DISK "/luns/1?force=1", NULL, 204, NULL);
	ini_free(i);
	end();
}

static void test_drop(void)
{
	struct ini *i;
	g_autofree char *session = NULL;

	begin();
	i = ini_new_login(NULL, 1, "");
	session = g_strdup_printf("/v1/sessions/%u", i->tsih);
	expect("DELETE", session, NULL, 204, NULL);
	while (ini_recv(i))	/* told, then closed */
		;
	while (true) {
		struct answer a = ask("GET", session, NULL);
		bool gone = a.status == 404;

		answer_clear(&a);
		if (gone)
			break;
	}
	ini_free(i);
	i = ini_new_login(NULL, 1, "");
	expect("DELETE", "/v1/targets/" DISK "?dry_run=yes", NULL, 400, "?dry_run: expected 1 or 0");
	expect("DELETE", "/v1/targets/" DISK "?force=1&dryrun=1", NULL, 400, "?dryrun: not known here");
	expect("DELETE", "/v1/sessions/1?dry_run=1", NULL, 400, "?dry_run: not known here");
	expect("POST", "/v1/config/save?dry_run=1", NULL, 400, "?dry_run: not known here");
	expect("DELETE", "/v1/targets/" DISK "?force=1", NULL, 204, NULL);
	g_assert_null(target(DISK));
	ini_free(i);
	end();
}

/* The same by a path that begins with what it is. */
static void test_across(void)
{
	static const char place[] = "/v1/targets/" DISK "/accounts/u", across[] = "/v1/accounts/" DISK "/u";
	g_autofree char *match = NULL;
	struct answer a, b;

	begin();
	expect("PUT", across, "{\"user\":\"u\",\"target\":\"" DISK "\",\"secret\":\"" SECRET "\"}", 201, "\"target\" : \"" DISK "\"");
	expect("PUT", "/v1/accounts/discovery/u", "{\"target\":null,\"secret\":\"" SECRET "\"}", 201, "\"target\" : null");
	expect("GET", "/v1/discovery/accounts/u", NULL, 200, "\"u\"");
	a = ask("GET", across, NULL);
	b = ask("GET", place, NULL);
	g_assert_cmpstr(a.etag, ==, b.etag);
	g_assert_null(strstr(b.text, "target"));
	match = g_strdup_printf("If-Match: %s", a.etag);
	answer_clear(&b);
	/* What was answered, put back. */
	expect("PUT", across, a.text, 200, NULL);
	answer_clear(&a);
	a = ask("GET", "/v1/accounts", NULL);
	g_assert_cmpuint(json_array_get_length(json_node_get_array(a.json)), ==, 2);
	g_assert_null(strstr(a.text, SECRET));
	answer_clear(&a);
	expect("PUT", across, "{\"target\":\"" OTHER "\"}", 422, "\"field\" : \"target\"");
	expect("PATCH", across, "{\"user\":\"v\"}", 422, "is not the user of the path");
	expect("PATCH", across, "{\"secret\":\"" SECRET "2\"}", 200, NULL);
	a = ask_with("DELETE", across, NULL, match);
	g_assert_cmpuint(a.status, ==, 412);
	answer_clear(&a);
	expect("POST", "/v1/accounts", "{}", 405, "expected GET");
	expect("POST", across, "{}", 405, "GET, PUT, PATCH, DELETE");
	expect("GET", "/v1/accounts/" OTHER "/u", NULL, 404, "no target " OTHER);
	expect("GET", "/v1/accounts/" DISK "/v", NULL, 404, "no account v");
	expect("DELETE", across, NULL, 204, NULL);
	expect("DELETE", across, NULL, 404, NULL);
	expect("DELETE", "/v1/accounts/discovery/u", NULL, 204, NULL);
	/* Those that have no name. */
	expect("PUT", "/v1/acls/" DISK "/0", "{\"initiators\":[\"" HOST "\"],\"place\":1}", 422, "\"field\" : \"place\"");
	expect("PATCH", "/v1/targets/" DISK, "{\"open\":false}", 200, NULL);
	expect("PUT", "/v1/acls/" DISK "/0", "{\"initiators\":[\"" HOST "\"],\"place\":0}", 201, "\"place\" : 0");
	expect("GET", "/v1/acls", NULL, 200, "\"target\" : \"" DISK "\"");
	expect("PATCH", "/v1/acls/" DISK "/0", "{\"read-only\":true}", 200, HOST);
	expect("GET", "/v1/acls/discovery/0", NULL, 404, NULL);
	expect("DELETE", "/v1/acls/" DISK "/0", NULL, 204, NULL);
	expect("GET", "/v1/acls", NULL, 200, "[]");
	end();
}

static void test_backstores(void)
{
	struct answer a;
	JsonObject *o;

	begin();
	a = ask("GET", "/v1/backstores", NULL);
	g_assert_cmpuint(json_array_get_length(json_node_get_array(a.json)), ==, 2);
	answer_clear(&a);
	a = ask("GET", "/v1/backstores/" DISK "/1", NULL);
	o = json_node_get_object(a.json);
	g_assert_cmpstr(json_object_get_string_member(o, "target"), ==, DISK);
	g_assert_cmpint(json_object_get_int_member(o, "lun"), ==, 1);
	g_assert_cmpint(json_object_get_int_member(o, "size"), ==, 2 << 20);
	g_assert_cmpstr(json_object_get_string_member(json_object_get_object_member(o, "settings"), "size"), ==, "2M");
	g_assert_true(json_object_has_member(o, "capabilities") && json_object_has_member(o, "block-size"));
	answer_clear(&a);
	expect("GET", "/v1/backstores/" DISK "/2", NULL, 404, "no lun 2");
	expect("GET", "/v1/backstores/" OTHER "/0", NULL, 404, "no target " OTHER);
	expect("DELETE", "/v1/backstores/" DISK "/1", NULL, 405, "expected GET");
	end();
}

/* Each route of the document answers, and with what it says. */
static void test_openapi(void)
{
	struct answer a;
	JsonObject *paths;
	JsonObjectIter it;
	const char *at;
	JsonNode *node;
	unsigned gets = 0;

	begin();
	a = ask("GET", "/openapi.json", NULL);
	paths = json_object_get_object_member(json_node_get_object(a.json), "paths");
	json_object_iter_init(&it, paths);
	while (json_object_iter_next(&it, &at, &node)) {
		if (!json_object_has_member(json_node_get_object(node), "get") || strchr(at, '{'))
			continue;
		expect("GET", at, NULL, 200, NULL);
		gets++;
	}
	g_assert_cmpuint(gets, >, 10);
	for (const struct setting *s = schema; s->name; s++) {
		g_autofree char *quoted = g_strdup_printf("\"%s\"", s->name);

		g_assert_nonnull(strstr(a.text, quoted));
	}
	answer_clear(&a);
	end();
}

int main(int argc, char **argv)
{
	rig_begin(&argc, &argv);
	g_test_add_func("/control/cases", test_cases);
	g_test_add_func("/control/methods", test_methods);
	g_test_add_func("/control/target", test_target);
	g_test_add_func("/control/lun", test_lun);
	g_test_add_func("/control/portals", test_portals);
	g_test_add_func("/control/acls", test_acls);
	g_test_add_func("/control/groups", test_groups);
	g_test_add_func("/control/log-levels", test_log_levels);
	g_test_add_func("/control/secrets", test_secrets);
	g_test_add_func("/control/etags", test_etags);
	g_test_add_func("/control/config", test_config);
	g_test_add_func("/control/save", test_save);
	g_test_add_func("/control/many", test_many);
	g_test_add_func("/control/in-use", test_in_use);
	g_test_add_func("/control/drop", test_drop);
	g_test_add_func("/control/across", test_across);
	g_test_add_func("/control/backstores", test_backstores);
	g_test_add_func("/control/openapi", test_openapi);
	return rig_run();
}
