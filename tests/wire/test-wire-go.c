/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of gotgt in Go, each good and bad, against a server in this process. */
#include "config.h"
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "control-rig.h"
#include "iscsi/node.h"
#include "scsi/lun.h"
#include "scsi/wire.h"

static const struct {
	const char *method, *where, *body;
	unsigned status;
	const char *piece;
} cases[] = {
	{ "GET", "/target/list", NULL, 200, "\"tpg\"" },
	{ "GET", "/v0.2/target/list", NULL, 200, "\"itnexus\"" },
	{ "POST", "/target/list", "{}", 405, "GET" },
	{ "POST", "/target/create", NULL, 400, NULL },
	{ "POST", "/target/create", "{}", 422, "\"field\" : \"Name\"" },
	{ "POST", "/target/create", "{\"Name\":1}", 422, "\"field\" : \"Name\"" },
	{ "POST", "/target/create", "{\"Name\":\"disk\"}", 422, "\"field\" : \"Name\"" },
	{ "POST", "/target/create", "{\"Name\":\"" DISK "\"}", 409, "there is one already" },
	{ "POST", "/target/up", "{}", 422, "\"field\" : \"Name\"" },
	{ "POST", "/target/up", "{\"Name\":[1]}", 422, "\"field\" : \"Name\"" },
	{ "POST", "/target/up", "{\"Name\":\"" OTHER "\"}", 404, "no target " OTHER },
	{ "POST", "/target/up", "{\"Name\":\"" DISK "\"}", 200, "\"name\" : \"" DISK "\"" },
	{ "DELETE", "/target/" OTHER, NULL, 404, "no target " OTHER },
	{ "DELETE", "/targets/" OTHER, NULL, 404, "no target " OTHER },
	{ "GET", "/lu/list", NULL, 200, "\"null:\"" },
	{ "GET", "/v1.24/lu/list?target=" DISK, NULL, 200, "\"blockShift\" : 9" },
	{ "GET", "/lu/list?target=" OTHER, NULL, 200, "[]" },
	{ "GET", "/lu/1000", NULL, 404, "no lu 1000" },
	{ "DELETE", "/lu/1000", NULL, 404, "no lu 1000" },
	{ "DELETE", "/lu", NULL, 404, "openapi" },
	{ "POST", "/lu/create", NULL, 400, NULL },
	{ "POST", "/lu/create", "{}", 422, "\"field\" : \"deviceID\"" },
	{ "POST", "/lu/create", "{\"deviceID\":1,\"target\":\"" DISK "\"}", 422, "\"field\" : \"path\"" },
	{ "POST", "/lu/create", "{\"deviceID\":1,\"path\":\"null:\"}", 422, "\"field\" : \"target\"" },
	{ "POST", "/lu/create", "{\"deviceID\":-1,\"path\":\"null:\",\"target\":\"" DISK "\"}", 422, "\"field\" : \"deviceID\"" },
	{ "POST", "/lu/create", "{\"deviceID\":1,\"path\":\"RemBs:x\",\"target\":\"" DISK "\"}", 422, "backend \\\"RemBs\\\"" },
	{ "POST", "/lu/create", "{\"deviceID\":1,\"path\":\"null:\",\"target\":\"" OTHER "\"}", 422, "\"field\" : \"target\"" },
	{ "POST", "/lu/create", "{\"deviceID\":1,\"path\":\"null:\",\"target\":\"" DISK "\",\"blockShift\":8}", 422,
	  "\"field\" : \"blockShift\"" },
	{ "POST", "/lu/create", "{\"deviceID\":1,\"path\":\"null:\",\"target\":\"" DISK "\",\"lun\":1}", 409, "lun 1" },
	{ "POST", "/lu/create", "{\"deviceID\":1,\"path\":\"null:\",\"target\":\"" DISK "\",\"lun\":16384}", 422, "\"field\" : \"lun\"" },
	{ "POST", "/lu/create", "{\"deviceID\":1,\"path\":\"null:\",\"target\":\"" DISK "\",\"colour\":1}", 422, "\"field\" : \"colour\"" },
	{ "POST", "/lu/create", "{\"deviceID\":1,\"path\":\"file:/nonexistent/x\",\"target\":\"" DISK "\"}", 422, "No such file" },
	{ "POST", "/lu/1000", "{}", 405, "GET, DELETE" },
	{ "GET", "/discovery/All", NULL, 200, DISK },
	{ "GET", "/v2/discovery/" DISK, NULL, 200, "\"TargetAddress\"" },
	{ "GET", "/discovery/" OTHER, NULL, 404, "no target " OTHER },
	{ "POST", "/discovery/create", NULL, 400, NULL },
	{ "POST", "/discovery/create", "{}", 422, "\"field\" : \"portal\"" },
	{ "POST", "/discovery/create", "{\"portal\":\"here\"}", 422, "\"field\" : \"portal\"" },
	{ "POST", "/discovery/create", "{\"portal\":\"192.0.2.1:0\"}", 422, "192.0.2.1" },
	{ "POST", "/discovery/create", "{\"portal\":\"127.0.0.1:0\",\"target\":\"" OTHER "\"}", 422, "\"field\" : \"target\"" },
	{ "POST", "/discovery/create", "{\"portal\":\"127.0.0.1:0\",\"tpgt\":2}", 422, "\"field\" : \"tpgt\"" },
	{ "POST", "/discovery/create", "{\"portal\":\"127.0.0.1:0\",\"tpgt\":65536,\"target\":\"" DISK "\"}", 422, "\"field\" : \"tpgt\"" },
	{ "POST", "/discovery/create", "{\"portal\":\"127.0.0.1:0\",\"id\":\"x\"}", 422, "\"field\" : \"id\"" },
	{ "DELETE", "/discovery/portal-0", NULL, 404, "no portal portal-0" },
	{ "DELETE", "/discovery/a", NULL, 422, "no portals" },
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

static void test_target(void)
{
	struct answer a;

	begin();
	a = ask("POST", "/target/create", "{\"Name\":\"" OTHER "\"}");
	g_assert_cmpuint(a.status, ==, 200);
	/* Its client wants the target, and not a list. */
	g_assert_cmpstr(json_object_get_string_member(json_node_get_object(a.json), "name"), ==, OTHER);
	g_assert_cmpint(json_object_get_int_member(json_node_get_object(a.json), "tid"), ==, 2);
	answer_clear(&a);
	g_assert_true(target(OTHER)->open);
	expect("DELETE", "/v1.0/target/" OTHER, NULL, 204, NULL);
	g_assert_null(target(OTHER));
	expect("POST", "/v1.0/target/create", "{\"Name\":\"" OTHER "\"}", 200, OTHER);
	expect("DELETE", "/targets/" OTHER "?force=1", NULL, 204, NULL);
	g_assert_null(target(OTHER));
	end();
}

static void make_image(const char *image)
{
	g_assert_true(g_file_set_contents(image, "", 0, NULL));
	g_assert_cmpint(truncate(image, 1 << 20), ==, 0);
}

static void test_up(void)
{
	begin();
	expect("PATCH", "/v1/targets/" DISK "/luns/1", "{\"online\":false}", 200, NULL);
	expect("GET", "/v1/status", NULL, 200, "\"offline\"");
	g_assert_cmpuint(lun_state(server_lun(running, DISK, 1)) & LUN_OFFLINE, !=, 0);
	expect("POST", "/target/up", "{\"Name\":\"" DISK "\"}", 200, DISK);
	g_assert_cmpuint(lun_state(server_lun(running, DISK, 1)) & LUN_OFFLINE, ==, 0);
	expect("GET", "/v1/targets/" DISK "/luns/1", NULL, 200, "\"online\" : true");
	end();
}

/* One that did not open at the start is tried again. */
static void test_up_failed(void)
{
	g_autofree char *image = g_build_filename(dir, "late.img", NULL);
	g_autofree char *text = g_strdup_printf("state-dir = \"%s/state\";\nportals = ( { address = \"127.0.0.1\"; port = 0; } );\n"
						"targets = ( { iqn = \"" DISK "\"; luns = ( { number = 4; plugin = \"file\"; "
						"settings: { path = \"%s\"; }; } ); } );\n", dir, image);

	begin_with(text, true);
	expect("GET", "/healthz", NULL, 200, "degraded");
	expect("POST", "/target/up", "{\"Name\":\"" DISK "\"}", 503, "lun 4 did not open");
	make_image(image);
	expect("POST", "/target/up", "{\"Name\":\"" DISK "\"}", 200, DISK);
	g_assert_nonnull(server_lun(running, DISK, 4));
	expect("GET", "/healthz", NULL, 200, "ok");
	end();
	g_unlink(image);
}

static void test_lu(void)
{
	g_autofree char *image = g_build_filename(dir, "lu.img", NULL), *body = NULL, *made = NULL;
	struct lun_identity id;
	struct answer a;

	begin();
	make_image(image);
	body = g_strdup_printf("{\"deviceID\":1000,\"path\":\"file:%s\",\"online\":true,\"thinProvisioning\":true,\"blockShift\":12,"
			       "\"target\":\"" DISK "\"}", image);
	expect("POST", "/lu/create", body, 200, "\"lun\" : 2");		/* 0 and 1 are there */
	lun_get_identity(server_lun(running, DISK, 2), &id);
	g_assert_cmpstr(id.serial, ==, "gotgt-1000");
	g_assert_cmphex(lun_naa(&id), ==, UINT64_C(0x30000000000003e8));
	g_assert_cmpuint(server_lun(running, DISK, 2)->block_size, ==, 4096);
	for (unsigned i = 0; i < 2; i++) {
		a = ask("GET", i ? "/v3/lu/gotgt-1000" : "/lu/1000", NULL);
		g_assert_cmpuint(a.status, ==, 200);
		g_assert_cmpint(json_object_get_int_member(json_node_get_object(a.json), "deviceID"), ==, 1000);
		g_assert_cmpint(json_object_get_int_member(json_node_get_object(a.json), "blockShift"), ==, 12);
		g_assert_cmpint(json_object_get_int_member(json_node_get_object(a.json), "size"), ==, 1 << 20);
		g_assert_true(json_object_get_boolean_member(json_node_get_object(a.json), "online"));
		g_assert_true(json_object_get_boolean_member(json_node_get_object(a.json), "thinProvisioning"));
		g_assert_true(g_str_has_suffix(json_object_get_string_member(json_node_get_object(a.json), "path"), image));
		answer_clear(&a);
	}
	expect("POST", "/lu/create", "{\"deviceID\":1000,\"path\":\"null:\",\"target\":\"" DISK "\"}", 409, "1000: there is one");
	/* As there, what is not said to be online is not. */
	expect("POST", "/v0.1/lu/create", "{\"deviceID\":5,\"path\":\"null:\",\"target\":\"" DISK "\",\"lun\":9}", 200, "offline");
	expect("DELETE", "/lu/5", NULL, 204, NULL);
	g_assert_null(server_lun(running, DISK, 9));
	/* One that was not made here, by its serial number. */
	lun_get_identity(server_lun(running, DISK, 1), &id);
	made = g_strconcat("/lu/", id.serial, NULL);
	expect("GET", made, NULL, 200, id.serial);
	expect("PATCH", "/v1/targets/" DISK "/luns/1", "{\"serial\":\"gotgt-1000\"}", 200, NULL);
	expect("GET", "/lu/1000", NULL, 409, "2 logical units");
	expect("DELETE", "/lu/1000", NULL, 409, "2 logical units");
	expect("PATCH", "/v1/targets/" DISK "/luns/1", "{\"serial\":null}", 200, NULL);
	expect("DELETE", "/v1.1/lu/1000", NULL, 204, NULL);
	g_assert_null(server_lun(running, DISK, 2));
	end();
	g_unlink(image);
}

static void test_in_use(void)
{
	struct ini *i;

	begin();
	expect("PATCH", "/v1/targets/" DISK "/luns/1", "{\"serial\":\"gotgt-7\"}", 200, NULL);
	i = ini_new_login(NULL, 1, "");
	expect("GET", "/target/list", NULL, 200, "\"state\" : 1");
	expect("DELETE", "/lu/7", NULL, 409, "in use by");
	expect("PATCH", "/v1/targets/" DISK "/luns/1", "{\"online\":false}", 409, "in use by");
	expect("PATCH", "/v1/targets/" DISK "/luns/1?force=1", "{\"online\":false}", 200, NULL);
	expect("POST", "/target/up", "{\"Name\":\"" DISK "\"}", 200, "\"state\" : 1");
	expect("DELETE", "/lu/7?force=1", NULL, 204, NULL);
	g_assert_null(server_lun(running, DISK, 1));
	expect("DELETE", "/target/" DISK, NULL, 409, "in use by");
	ini_free(i);
	end();
}

/* How many addresses a target is announced at. */
static unsigned addresses(void)
{
	struct answer a = ask("GET", "/discovery/" DISK, NULL);
	JsonObject *o = json_array_get_object_element(json_node_get_array(a.json), 0);
	JsonArray *list = json_object_get_array_member(o, "TargetAddress");
	unsigned n = json_array_get_length(list);

	g_assert_cmpuint(a.status, ==, 200);
	g_assert_cmpstr(json_object_get_string_member(o, "TargetName"), ==, DISK);
	for (unsigned i = 0; i < n; i++)
		g_assert_true(g_str_has_prefix(json_array_get_string_element(list, i), "127.0.0."));
	answer_clear(&a);
	return n;
}

static void test_discovery(void)
{
	begin();
	g_assert_cmpuint(addresses(), ==, 1);
	expect("POST", "/discovery/create", "{\"portal\":\"127.0.0.2:0\"}", 200, "\"portal-0\"");
	g_assert_cmpuint(addresses(), ==, 2);
	expect("POST", "/discovery/create", "{\"portal\":\"127.0.0.3:0\",\"id\":0}", 409, "portal-0: there is one");
	expect("POST", "/v9/discovery/create", "{\"portal\":\"127.0.0.3:0\",\"id\":7,\"target\":\"" DISK "\",\"tpgt\":5}", 200, "portal-7");
	g_assert_cmpuint(target(DISK)->groups->len, ==, 1);
	expect("GET", "/discovery/" DISK, NULL, 200, ",5\"");
	g_assert_cmpuint(addresses(), ==, 3);
	/* The number, the name, the address and port. */
	expect("DELETE", "/discovery/7", NULL, 204, NULL);
	g_assert_cmpuint(target(DISK)->groups->len, ==, 0);
	expect("DELETE", "/v1.0/discovery/127.0.0.2:0", NULL, 204, NULL);
	g_assert_cmpuint(addresses(), ==, 1);
	/* The only one of a target. */
	expect("POST", "/discovery/create", "{\"portal\":\"127.0.0.2:0\"}", 200, "\"portal-0\"");
	expect("PATCH", "/v1/targets/" DISK, "{\"portals\":[\"portal-0\"]}", 200, NULL);
	expect("DELETE", "/discovery/portal-0", NULL, 409, "the only one of target " DISK);
	expect("POST", "/discovery/create", "{\"portal\":\"127.0.0.4:0\",\"target\":\"" DISK "\"}", 200, "\"portal-1\"");
	g_assert_cmpuint(addresses(), ==, 2);
	expect("DELETE", "/discovery/portal-0", NULL, 204, NULL);
	g_assert_cmpuint(addresses(), ==, 1);
	end();
}

/* Whoever may not log in is in no answer of SendTargets; who asks here sees all. */
static void test_discovery_acl(void)
{
	begin();
	expect("PATCH", "/v1/targets/" DISK, "{\"open\":false,\"acls\":[{\"initiators\":[\"iqn.none\"]}]}", 200, NULL);
	expect("GET", "/discovery/All", NULL, 200, DISK);
	end();
}

/* Whichever view shows the size looks for it, and who is logged in hears of it: a read asks for no size. */
static void test_grown(void)
{
	static const struct {
		const char *where, *piece;
		unsigned megabytes;
	} views[] = {
		{ "/v1/status", "\"size\" : 2097152", 2 },
		{ "/v1/backstores", "\"size\" : 3145728", 3 },
		{ "/v1/backstores/" DISK "/0", "\"size\" : 4194304", 4 },
		{ "/lu/list", "\"size\" : 5242880", 5 },
	};
	g_autofree char *image = g_build_filename(dir, "grown.img", NULL), *text = NULL;
	FILE *f = fopen(image, "w");
	uint8_t block[512];
	struct ini *i;
	uint32_t itt;

	g_assert_nonnull(f);
	g_assert_cmpint(ftruncate(fileno(f), 1 << 20), ==, 0);
	text = g_strdup_printf("state-dir = \"%s/state\"; portals = ( { name = \"a\"; address = \"127.0.0.1\"; port = 0; } );\n"
			       "targets = ( { iqn = \"" DISK "\"; open = true; luns = ( { number = 0; plugin = \"file\";\n"
			       "settings: { path = \"%s\"; }; }, { number = 1; plugin = \"null\"; } ); } );\n", dir, image);
	begin_with(text, false);
	i = ini_new_login(NULL, 1, "");
	expect("GET", "/v1/status", NULL, 200, "\"size\" : 1048576");
	for (unsigned n = 0; n < G_N_ELEMENTS(views); n++) {
		itt = ini_read(i, 0, 1, sizeof block);
		g_assert_cmpuint(ini_finish_read(i, itt, block, sizeof block), ==, sizeof block);
		g_assert_cmpint(ftruncate(fileno(f), (off_t)views[n].megabytes << 20), ==, 0);
		expect("GET", views[n].where, NULL, 200, views[n].piece);
		itt = ini_read(i, 0, 1, sizeof block);
		EXPECT_SENSE(i, itt, KEY_UNIT_ATTENTION, 0x2a);
		g_assert_cmphex(i->data[2 + 13], ==, 0x09);
	}
	ini_free(i);
	end();
	fclose(f);
	g_unlink(image);
}

/* Its file is not ours to write over. */
static void test_save(void)
{
	g_autofree char *beside = g_build_filename(dir, "ours.conf", NULL), *text = NULL;
	static const char json[] = "{ \"storages\": [] }";

	begin();
	g_assert_true(g_file_set_contents(file, json, -1, NULL));
	expect("POST", "/v1/config/save", NULL, 409, "is not written over");
	expect("POST", "/v1/config/save", "{\"name\":\"gotgt.conf\"}", 409, "--config");
	g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
	g_assert_cmpstr(text, ==, json);
	expect("POST", "/v1/config/save", "{\"name\":\"ours.conf\"}", 200, beside);
	g_assert_true(g_file_test(beside, G_FILE_TEST_EXISTS));
	g_unlink(beside);
	end();
}

int main(int argc, char **argv)
{
	rig_begin(&argc, &argv);
	g_test_add_func("/go/cases", test_cases);
	g_test_add_func("/go/target", test_target);
	g_test_add_func("/go/up", test_up);
	g_test_add_func("/go/up/failed", test_up_failed);
	g_test_add_func("/go/lu", test_lu);
	g_test_add_func("/go/lu/grown", test_grown);
	g_test_add_func("/go/in-use", test_in_use);
	g_test_add_func("/go/save", test_save);
	g_test_add_func("/go/discovery", test_discovery);
	g_test_add_func("/go/discovery/acl", test_discovery_acl);
	return rig_run();
}
