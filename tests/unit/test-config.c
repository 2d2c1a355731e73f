/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <gotgt/plugin.h>
#include "config/conf.h"

/* libconfig 1.5 loses the string that the end of a file cuts off. */
GOTGT_EXPORT const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

/* Read text as a file; *errors is what was said, a line each, with FILE for its name. */
static struct conf *read_text(const char *text, char **said)
{
	g_autoptr(GPtrArray) errors = conf_errors_new();
	g_autofree char *path = NULL, *all = NULL;
	g_auto(GStrv) parts = NULL;
	GError *error = NULL;
	struct conf *c;

	g_close(g_file_open_tmp("gotgt-XXXXXX.conf", &path, &error), NULL);
	g_assert_no_error(error);
	g_file_set_contents(path, text, -1, &error);
	g_assert_no_error(error);
	c = conf_read(path, errors);
	g_unlink(path);
	g_assert_cmpint(c == NULL, ==, errors->len > 0);
	g_ptr_array_add(errors, NULL);
	all = g_strjoinv("\n", (char **)errors->pdata);
	parts = g_strsplit(all, path, -1);
	*said = g_strjoinv("FILE", parts);
	return c;
}

static struct conf *read_good(const char *text)
{
	g_autofree char *said = NULL;
	struct conf *c = read_text(text, &said);

	g_assert_cmpstr(said, ==, "");
	return c;
}

static const char full[] =
	"reactors = 2; workers = 3; log-level = \"debug\";\n"
	"log-levels = ( { domain = \"iscsi\"; level = \"warn\"; }, { domain = \"plugin:file\"; level = \"info\"; } ); "
	"limits: { login-timeout = 5; queue-depth = 7; };\n"
	"portals = ( { name = \"a\"; address = \"127.0.0.1\"; port = 0; }, { address = \"::1\"; } );\n"
	"targets = ( {\n"
	"  iqn = \"iqn.2016-09.com.example:x\"; alias = \"X\"; portals = [ \"a\" ];\n"
	"  acls = ( { initiators = [ \"iqn.*\" ]; addresses = [ \"::1\" ]; luns = ( { number = 1; lun = 16383; } ); } );\n"
	"  luns = (\n"
	"    { number = 0; plugin = \"null\"; settings: { size = \"1G\"; fast = true; count = 5; }; },\n"
	"    { number = 16383; plugin = \"file\"; block-size = 4096; read-only = true; thin = false;\n"
	"      physical-block-size = \"8K\"; alignment-offset = 1; optimal-io-size = 65536; removable = true;\n"
	"      serial = \"s\"; vendor = \"v\"; product = \"p\"; } );\n"
	"  iscsi: { max-burst-length = \"2M\"; data-digest = \"required\"; };\n"
	"}, { iqn = \"eui.0123456789abcdef\"; } );\n"
	/* The default of targets, though it stands after them. */
	"iscsi: { first-burst-length = 65536; initial-r2t = true; };\n";

static void test_good(void)
{
	struct conf *c = read_good(full);
	const struct conf_portal *p = c->portals->pdata[0], *q = c->portals->pdata[1];
	const struct conf_target *t = c->targets->pdata[0], *u = c->targets->pdata[1];
	const struct conf_lun *a = t->luns->pdata[0], *b = t->luns->pdata[1];
	const char *const pairs[] = { "size", "1G", "fast", "yes", "count", "5", NULL };

	g_assert_cmpuint(c->reactors, ==, 2);
	g_assert_cmpuint(c->workers, ==, 3);
	g_assert_cmpuint(c->log_level, ==, GOTGT_LOG_DEBUG);
	g_assert_cmpuint(c->log_levels->len, ==, 2);
	g_assert_cmpstr(((struct conf_log *)c->log_levels->pdata[1])->domain, ==, "plugin:file");
	g_assert_cmpuint(((struct conf_log *)c->log_levels->pdata[1])->level, ==, GOTGT_LOG_INFO);
	g_assert_cmpuint(c->limits.login_timeout_s, ==, 5);
	g_assert_cmpuint(c->limits.nop_interval_s, ==, 30);
	g_assert_cmpuint(c->limits.queue_depth, ==, 7);
	g_assert_cmpuint(c->portals->len, ==, 2);
	g_assert_cmpstr(p->name, ==, "a");
	g_assert_cmpuint(p->port, ==, 0);
	g_assert_cmpstr(q->address, ==, "::1");
	g_assert_cmpuint(q->port, ==, 3260);
	g_assert_cmpuint(q->where.line, ==, 3);
	g_assert_cmpuint(c->targets->len, ==, 2);
	g_assert_cmpstr(t->iqn, ==, "iqn.2016-09.com.example:x");
	g_assert_cmpstr(t->alias, ==, "X");
	g_assert_cmpstr(t->portals[0], ==, "a");
	g_assert_null(u->portals);
	g_assert_true(g_strv_equal((const char *const *)a->settings, pairs));
	g_assert_cmpuint(a->block_size, ==, 0);
	g_assert_cmpuint(a->thin, ==, 1);
	g_assert_cmpuint(b->number, ==, 16383);
	g_assert_cmpuint(b->block_size, ==, 4096);
	g_assert_cmpuint(b->physical_block_size, ==, 8192);
	g_assert_cmpuint(b->alignment_offset, ==, 1);
	g_assert_cmpuint(b->optimal_io_size, ==, 65536);
	g_assert_true(b->removable);
	g_assert_true(!a->physical_block_size && !a->alignment_offset && !a->optimal_io_size && !a->removable);
	g_assert_cmpuint(b->read_only, ==, 1);
	g_assert_cmpuint(b->thin, ==, 0);
	g_assert_cmpstr(b->product, ==, "p");
	g_assert_cmpuint(t->iscsi.max_burst, ==, 2 << 20);
	g_assert_cmpuint(t->iscsi.data_digest, ==, 2);
	g_assert_cmpuint(t->iscsi.first_burst, ==, 65536);
	g_assert_cmpuint(u->iscsi.initial_r2t, ==, 1);
	g_assert_cmpuint(u->iscsi.max_burst, ==, params_offered.max_burst);
	conf_free(c);
}

static void test_empty(void)
{
	struct conf *c = read_good("");

	g_assert_cmpuint(c->portals->len, ==, 0);
	g_assert_cmpuint(c->workers, ==, 8);
	g_assert_cmpint(memcmp(&c->iscsi, &params_offered, sizeof c->iscsi), ==, 0);
	conf_free(c);
}

#define PORTAL "portals = ( { address = \"::\"; } );"
#define TARGET(more) PORTAL "\ntargets = ( { iqn = \"iqn.2016-09.com.example:x\";\n" more "\n} );"
#define LUN(more) TARGET("luns = ( { number = 3; plugin = \"null\";\n" more " } );")
#define AT_X "target iqn.2016-09.com.example:x"

static const struct { const char *name, *text, *said; } bad[] = {
	{ "syntax", "a = 1;\nb = ;\n", "FILE:2: syntax error" },
	{ "twice", "workers = 1;\nworkers = 2;", "FILE:2: duplicate setting name" },
	{ "unknown", "x = 1;\nlimits: {\n y = 2; };", "FILE:1: x: no such setting\nFILE:3: limits.y: no such setting" },
	{ "account without a secret", TARGET("accounts = ( { user = \"u\"; } );"),
	  "FILE:3: " AT_X " account u: expected one of secret, secret-file and secret-credential" },
	{ "account with two", TARGET("accounts = ( { user = \"u\"; secret = \"123456789012\"; secret-file = \"/x\"; } );"),
	  "FILE:3: " AT_X " account u: expected one of secret, secret-file and secret-credential" },
	{ "account without a user", TARGET("accounts = ( { secret = \"123456789012\"; } );"),
	  "FILE:3: " AT_X " account 1: user: is missing" },
	{ "short secret", TARGET("accounts = ( { user = \"u\"; secret = \"12345678901\"; } );"),
	  "FILE:3: " AT_X " account u: secret: shorter than 12 bytes (RFC 7143 12.1.3); short-secrets = true in a configuration accepts it" },
	{ "two accounts of one user", TARGET("accounts = ( { user = \"u\"; secret = \"123456789012\"; },\n"
	  " { user = \"u\"; secret = \"123456789013\"; } );"), "FILE:4: " AT_X " account u: a second one of that user" },
	{ "mutual secret alone", TARGET("accounts = ( { user = \"u\"; secret = \"123456789012\";\n"
	  "mutual-secret = \"123456789013\"; } );"), "FILE:3: " AT_X " account u: a mutual secret without mutual-user" },
	{ "mutual user alone", TARGET("accounts = ( { user = \"u\"; secret = \"123456789012\";\n"
	  "mutual-user = \"x\"; } );"), "FILE:3: " AT_X " account u: mutual-user without a mutual secret" },
	{ "same secret both ways", TARGET("accounts = ( { user = \"u\"; secret = \"123456789012\"; },\n"
	  "{ user = \"v\"; secret = \"123456789013\"; mutual-user = \"x\"; mutual-secret = \"123456789012\"; } );"),
	  "FILE:4: " AT_X " account v: its mutual-secret is an initiator's secret too" },
	{ "no secret file", "discovery: {\n accounts = ( { user = \"u\"; secret-file = \"/nowhere/at/all\"; } ); };",
	  "FILE:2: discovery account u: secret: /nowhere/at/all: No such file or directory" },
	{ "a folder as secret", "discovery: { accounts = ( { user = \"u\"; secret-file = \"/\"; } ); };",
	  "FILE:1: discovery account u: secret: /: not a file" },
	{ "credential path", "discovery: { accounts = ( { user = \"u\"; secret-credential = \"a/b\"; } ); };",
	  "FILE:1: account 1: secret-credential: not a file name" },
	{ "no such algorithm", "chap-algorithms = [ \"md5\", \"md4\" ];",
	  "FILE:1: chap-algorithms: \"md4\" is none of sha3-256, sha256, sha1, md5" },
	{ "algorithm twice", "chap-algorithms = [ \"md5\", \"md5\" ];", "FILE:1: chap-algorithms: md5 comes twice" },
	{ "no algorithm left", "fips = true; chap-algorithms = [ \"md5\", \"sha1\" ];",
	  "FILE:1: chap-algorithms: none that fips = true allows" },
	{ "type", "\nworkers = \"8\";", "FILE:2: workers: expected a number, not a string" },
	{ "fraction", "workers = 8.0;", "FILE:1: workers: expected a number, not a fraction" },
	{ "low", "workers = 0;", "FILE:1: workers: expected a number from 1 to 1024" },
	{ "high", "workers = 1025;", "FILE:1: workers: expected a number from 1 to 1024" },
	{ "negative", "workers = -1;", "FILE:1: workers: expected a number from 1 to 1024" },
	{ "64-bit", "workers = 4294967297L;", "FILE:1: workers: expected a number from 1 to 1024" },
	{ "choice", "log-level = \"loud\";", "FILE:1: log-level: expected error, warn, info or debug" },
	{ "domain", "log-levels = ( { domain = \"disks\"; level = \"info\"; } );",
	  "FILE:1: log-level 1: domain: expected daemon, control, config, login, iscsi, scsi, backstore, plugin, plugin:NAME or engine" },
	{ "domain twice", "log-levels = ( { domain = \"scsi\"; level = \"info\"; },\n{ domain = \"scsi\"; level = \"warn\"; } );",
	  "FILE:2: log-level scsi: a second one of that domain" },
	{ "domain without level", "log-levels = ( { domain = \"scsi\"; } );", "FILE:1: log-level 1: level: is missing" },
	{ "group", "limits = 1;", "FILE:1: limits: expected a group { }, not a number" },
	{ "list", "portals: { };", "FILE:1: portals: expected a list of groups ( { }, { } ), not a group { }" },
	{ "list element", "portals = ( 1 );", "FILE:1: portals: expected a list of groups ( { }, { } )" },
	{ "missing", "portals = (\n{ port = 1; } );", "FILE:2: portal 1: address: is missing" },
	{ "address", "portals = ( { address = \"localhost\"; } );",
	  "FILE:1: portal 1: address: not a numeric IPv4 or IPv6 address" },
	{ "scope", "portals = ( { address = \"fe80::1\"; } );",
	  "FILE:1: portal 1: address: a link-local address wants its interface: ADDRESS%INTERFACE" },
	{ "advertise", "portals = ( { address = \"::\";\nadvertise = \"::1\"; } );",
	  "FILE:2: portal 1: advertise: not a DNS name, an IPv4 address or an IPv6 address in [ ]" },
	{ "advertised port", "portals = ( { address = \"::\";\nadvertise = \"a:0\"; } );",
	  "FILE:2: portal 1: advertise: the port is no number from 1 to 65535" },
	{ "port", "portals = ( { address = \"::\"; port = 65536; } );",
	  "FILE:1: portal 1: port: expected a number from 0 to 65535" },
	{ "size", "iscsi: { max-burst-length = \"64Q\"; };",
	  "FILE:1: iscsi.max-burst-length: expected a size from 512 to 16777215" },
	{ "range of connections", "iscsi: { max-connections = 17; };",
	  "FILE:1: iscsi.max-connections: expected a number from 1 to 16" },
	{ "boolean", "iscsi: { initial-r2t = \"yes\"; };",
	  "FILE:1: iscsi.initial-r2t: expected true or false, not a string" },
	{ "iqn", PORTAL "targets = ( { iqn = \"iqn.2016.x\"; } );",
	  "FILE:1: target iqn.2016.x: iqn: expected iqn.YYYY-MM.DOMAIN[:NAME]" },
	{ "names", TARGET("portals = [ 1, 2 ];"), "FILE:3: " AT_X ": portals: expected an array of strings [ ]" },
	{ "no names", TARGET("portals = [ ];"), "FILE:3: " AT_X ": portals: is empty" },
	{ "block size", LUN("block-size = 1024;"), "FILE:4: " AT_X " lun 3: block-size: expected 512 or 4096" },
	{ "long", LUN("vendor = \"123456789\";"), "FILE:4: " AT_X " lun 3: vendor: longer than 8 characters" },
	{ "ascii", LUN("product = \"\\xc3\\xa9\";"), "FILE:4: " AT_X " lun 3: product: not printable ASCII" },
	{ "number", TARGET("luns = ( { number = 16384; plugin = \"null\"; } );"),
	  "FILE:3: " AT_X " lun 16384: number: expected a number from 0 to 16383" },
	{ "no number", TARGET("luns = (\n{ plugin = \"null\"; } );"), "FILE:4: " AT_X " lun 1: number: is missing" },
	{ "nested settings", LUN("settings: { a: { }; };"),
	  "FILE:4: " AT_X " lun 3: settings.a: cannot be a group { }" },
	{ "several", "x = 1;\nworkers = 0;\nportals = (\n{ address = \"::\"; name = 1; } );",
	  "FILE:1: x: no such setting\nFILE:2: workers: expected a number from 1 to 1024\n"
	  "FILE:4: portal 1: name: expected a string, not a number" },

	{ "acl name", TARGET("acls = ( { initiators = [ \"iqn.x:*\", \"a b\" ]; } );"),
	  "FILE:3: " AT_X " acl 0 initiators: \"a b\": an iSCSI name has letters, digits, '-', '.' and ':' only, a pattern '*' and '?'" },
	{ "acl address", TARGET("acls = (\n{ addresses = [ \"10.0.0.1/8\", \"::/129\", \"x\" ]; } );"),
	  "FILE:4: " AT_X " acl 0 addresses: \"10.0.0.1/8\": bits are set behind the prefix\n"
	  "FILE:4: " AT_X " acl 0 addresses: \"::/129\": a prefix of 0 to 128 bits is expected\n"
	  "FILE:4: " AT_X " acl 0 addresses: \"x\": not a numeric IPv4 or IPv6 address" },
	{ "acl portal", TARGET("acls = ( { portals = [ \"b\" ]; } );"), "FILE:3: " AT_X " acl 0 portals: no portal is called \"b\"" },
	{ "acl lun", LUN("} );\nacls = ( { luns = (\n{ number = 0; lun = 3; },\n{ number = 0; lun = 3; },\n{ number = 1; lun = 4; } );"),
	  "FILE:7: " AT_X " acl 0 luns[1].number: a second one of number 0\n"
	  "FILE:7: " AT_X " acl 0 luns[1].lun: there is a number already for lun 3\n"
	  "FILE:8: " AT_X " acl 0 luns[2].lun: the target has no lun 4" },
	{ "open and acls", TARGET("open = true; acls = ( { } );"), "FILE:2: " AT_X ": it is open, its acls would mean nothing" },

	/* What no single setting shows. */
	{ "same iqn",
	  PORTAL "targets = ( { iqn = \"iqn.2016-09.com.example:x\"; },\n{ iqn = \"iqn.2016-09.com.example:x\"; } );",
	  "FILE:2: " AT_X ": a second one of that name" },
	{ "same number", TARGET("luns = ( { number = 1; plugin = \"null\"; },\n{ number = 1; plugin = \"null\"; } );"),
	  "FILE:4: " AT_X " lun 1: a second one of that number" },
	{ "permanent", TARGET("redirect: { permanent = true; };"), "FILE:2: " AT_X " redirect: permanent wants an address" },
	{ "balance", TARGET("redirect: { balance = true; };"),
	  "FILE:2: " AT_X " redirect: balance wants two port-groups or more" },
	{ "redirect twice", TARGET("redirect: { address = \"a\"; balance = true; };"),
	  "FILE:2: " AT_X " redirect: either an address or balance" },
	{ "redirect to", TARGET("redirect: { address = \"1.2.3\"; };"),
	  "FILE:3: " AT_X ": redirect.address: not a DNS name, an IPv4 address or an IPv6 address in [ ]" },
	{ "no such portal", TARGET("portals = [ \"here\", \"there\" ];"),
	  "FILE:2: " AT_X ": no portal is called \"here\"\nFILE:2: " AT_X ": no portal is called \"there\"" },
	{ "same portal", "portals = ( { address = \"::\"; },\n{ address = \"::\"; } );",
	  "FILE:2: portal :: port 3260: a second one" },
	{ "same portal name", "portals = ( { address = \"::\"; name = \"a\"; },\n{ address = \"::1\"; name = \"a\"; } );",
	  "FILE:2: portal a: a second one of that name" },
	{ "bursts", TARGET("iscsi: { max-burst-length = \"64K\"; };"),
	  "FILE:2: " AT_X ": first-burst-length is over max-burst-length" },
	{ "bursts of all",
	  "\niscsi: { max-burst-length = \"64K\"; };\n" PORTAL "targets = ( { iqn = \"iqn.2016-09.com.example:x\"; } );",
	  "FILE:2: iscsi: first-burst-length is over max-burst-length" },
	{ "no portals", "targets = ( { iqn = \"iqn.2016-09.com.example:x\"; } );",
	  "FILE:1: no portals: nobody could reach the targets" },
};

static void test_bad(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autofree char *said = NULL;

	g_assert_null(read_text(bad[i].text, &said));
	g_assert_cmpstr(said, ==, bad[i].said);
}

/* Every prefix of a good file, and bytes that are none, end in a configuration or in errors. */
static void test_broken_bytes(void)
{
	for (size_t len = 1; len < sizeof full; len += 7) {
		g_autofree char *said = NULL, *text = g_strndup(full, len);

		conf_free(read_text(text, &said));
		text[len / 2] = '\xff';
		g_clear_pointer(&said, g_free);
		conf_free(read_text(text, &said));
	}
}

static void test_no_file(void)
{
	static const struct { const char *path, *said; } cases[] = {
		{ "/nonexistent/gotgt.conf", "/nonexistent/gotgt.conf: No such file or directory" },
		{ "/", "/: Is a directory" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GPtrArray) errors = conf_errors_new();

		g_assert_null(conf_read(cases[i].path, errors));
		g_assert_cmpuint(errors->len, ==, 1);
		g_assert_cmpstr(errors->pdata[0], ==, cases[i].said);
	}
}

static void test_names(void)
{
	static const struct { const char *name; bool ok; } cases[] = {
		{ "iqn.2016-09.com.gotgt", true }, { "iqn.2016-09.com.gotgt:a.b-c:d", true },
		{ "eui.02004567a425678d", true }, { "naa.52004567ba64678d", true },
		{ "naa.62004567ba64678d0123456789abcdef", true },
		{ "iqn.2016-13.com.gotgt", false }, { "iqn.2016-00.com.gotgt", false }, { "iqn.2016-09.", false },
		{ "iqn.2016-09com", false }, { "iqn.", false }, { "iqn.2016-09.Com", false }, { "iqn.2016-09.com:a_b", false },
		{ "iqn.2016-09.com:a b", false }, { "eui.02004567a425678", false }, { "eui.02004567a425678g", false },
		{ "naa.52004567ba64678", false }, { "disk", false }, { "", false },
	};
	g_autofree char *fill = g_strnfill(223, 'a'), *name = g_strconcat("iqn.2016-09.com:", fill, NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_test_message("%s", cases[i].name);
		g_assert_cmpint(iscsi_name_check(cases[i].name) == NULL, ==, cases[i].ok);
	}
	g_assert_nonnull(iscsi_name_check(name));
	name[223] = '\0';
	g_assert_null(iscsi_name_check(name));
}

/* A reload tells by this what changed: every setting must count. */
static void test_equal(void)
{
	static const struct { const char *from, *to; } changes[] = {
		{ "workers = 3", "workers = 4" }, { "queue-depth = 7", "queue-depth = 8" }, { "port = 0", "port = 1" },
		{ "\"X\"", "\"Y\"" }, { "[ \"a\" ]", "[ \"a\", \"a\" ]" }, { "count = 5", "count = 6" },
		{ "count = 5;", "" }, { "thin = false", "thin = true" }, { "serial = \"s\"", "serial = \"t\"" },
		{ "\"2M\"", "\"3M\"" },
		{ "iqn.*", "iqn.?" }, { "number = 1; lun", "number = 2; lun" }, { "[ \"::1\" ]", "[ \"::2\" ]" }, { ", { iqn = \"eui.0123456789abcdef\"; }", "" },
	};
	struct conf *a = read_good(full), *b = read_good(full);

	g_assert_true(schema_equal(CONF_TOP, a, b));
	conf_free(b);
	for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
		g_auto(GStrv) parts = g_strsplit(full, changes[i].from, 2);
		g_autofree char *text = g_strjoinv(changes[i].to, parts);

		g_test_message("%s", changes[i].from);
		g_assert_cmpuint(g_strv_length(parts), ==, 2);
		b = read_good(text);
		g_assert_false(schema_equal(CONF_TOP, a, b));
		conf_free(b);
	}
	conf_free(a);
}

/* Equal, of memory of its own, and with what is no setting. */
static void test_copy(void)
{
	struct conf *a = read_good(full), *b;
	struct conf_lun *lun = ((struct conf_target *)a->targets->pdata[0])->luns->pdata[0], *copy;

	lun->context = &lun;
	b = conf_copy(a);
	copy = ((struct conf_target *)b->targets->pdata[0])->luns->pdata[0];
	g_assert_true(schema_equal(CONF_TOP, a, b));
	g_assert_true(copy->context == &lun);
	g_assert_cmpstr(copy->where.file, ==, lun->where.file);
	g_assert_cmpuint(copy->where.line, ==, lun->where.line);
	g_assert_nonnull(lun->setting_lines);
	for (unsigned i = 0; lun->settings[2 * i]; i++)
		g_assert_cmpuint(copy->setting_lines[i], ==, lun->setting_lines[i]);
	g_strlcpy(lun->plugin, "x", 2);
	g_assert_false(schema_equal(CONF_TOP, a, b));
	conf_free(a);
	g_assert_cmpstr(copy->settings[0], !=, NULL);
	conf_free(b);
}

/* The table itself: names, defaults that parse, help that is a sentence. */
static void test_schema(void)
{
	for (const struct setting *s = schema; s->name; s++) {
		void *obj = schema_new(s->object);

		g_test_message("%s %s", schema_object_name(s->object), s->name);
		g_assert_true(schema_find(s->object, s->name) == s);
		g_assert_true(g_ascii_islower(*s->name));
		g_assert_true(s->help && g_str_has_suffix(s->help, "."));
		g_assert_cmpuint(s->min, <=, s->max);
		g_assert_cmpint(s->type == SETTING_CHOICE, ==, s->choices != NULL);
		/* One way to say what an unset one means. */
		g_assert_cmpint((s->fallback != NULL) + (s->otherwise != NULL) + s->required, <=, 1);
		if (s->fallback) {
			g_autofree char *text = setting_format(s, obj);

			g_assert_cmpstr(text, ==, s->fallback);
		}
		schema_free(s->object, obj);
	}
}

/* Where a secret file is, its bytes and mode, and what is said of it. */
static void test_secret_file(void)
{
	static const struct { const char *bytes; mode_t mode; const char *said; } rows[] = {
		{ "123456789012", 0600, "" }, { "123456789012\n", 0400, "" },
		{ "12345678901\n", 0600, "shorter than 12 bytes (RFC 7143 12.1.3); short-secrets = true in a configuration accepts it" },
		{ "", 0600, "expected 1 to 255 bytes" }, { "\n", 0600, "expected 1 to 255 bytes" },
		{ "123456789012", 0640, "group or others have access to it, mode 0640; chmod 600 it" },
		{ "123456789012", 0604, "group or others have access to it, mode 0604; chmod 600 it" },
	};
	g_autofree char *dir = g_dir_make_tmp("gotgt-XXXXXX", NULL), *path = g_build_filename(dir, "s", NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		for (unsigned credential = 0; credential < 2; credential++) {
			g_autofree char *said = NULL, *want = NULL, *text = g_strdup_printf(
				"discovery: { accounts = ( { user = \"u\"; secret-%s = \"%s\"; } ); };",
				credential ? "credential" : "file", credential ? "s" : path);
			bool may = credential && strstr(rows[i].said, "group");

			g_assert_true(g_file_set_contents(path, rows[i].bytes, -1, NULL));
			g_assert_cmpint(g_chmod(path, rows[i].mode), ==, 0);
			g_setenv("CREDENTIALS_DIRECTORY", dir, TRUE);
			conf_free(read_text(text, &said));
			want = !*rows[i].said || may ? g_strdup("") :
			       g_strdup_printf("FILE:1: discovery account u: secret: %s%s%s",
					       strstr(rows[i].said, "group") ? path : "",
					       strstr(rows[i].said, "group") ? ": " : "", rows[i].said);
			g_assert_cmpstr(said, ==, want);
			g_unlink(path);
		}
	g_unsetenv("CREDENTIALS_DIRECTORY");
	g_rmdir(dir);
}

/* It is compared, and never formatted. */
static void test_secret(void)
{
	static const char text[] = "discovery: { accounts = ( { user = \"u\"; secret = \"12345678901%c\"; } ); };";
	g_autofree char *a = g_strdup_printf(text, '2'), *b = g_strdup_printf(text, '3');
	struct conf *x = read_good(a), *y = read_good(a), *z = read_good(b);

	g_assert_true(schema_equal(CONF_TOP, x, y));
	g_assert_false(schema_equal(CONF_TOP, x, z));
	g_assert_null(setting_format(schema_find(CONF_ACCOUNT, "secret"), x->discovery.accounts->pdata[0]));
	conf_free(x);
	conf_free(y);
	conf_free(z);
}

/* The manual's tables are this program's output: see update-manual in man/Makefile.inc. */
static void test_manual(void)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "..", "man", "gotgt.conf.5", NULL), *manual = NULL;
	GError *error = NULL;

	g_file_get_contents(path, &manual, NULL, &error);
	g_assert_no_error(error);
	for (int o = 0; o < CONF_OBJECTS; o++) {
		g_autofree char *table = schema_manual(o);

		g_test_message("%s", schema_object_name(o));
		g_assert_nonnull(strstr(manual, table));
	}
}

/* The example, as it is and with every setting that is commented out. */
static void test_example(void)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "..", "etc", "gotgt.conf", NULL), *text = NULL;
	GString *open = g_string_new(NULL);
	g_auto(GStrv) lines = NULL;
	GError *error = NULL;
	struct conf *c;

	g_file_get_contents(path, &text, NULL, &error);
	g_assert_no_error(error);
	conf_free(read_good(text));
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		/* "#x = 1;" is a setting, "# text" is text. */
		const char *at = *line + strspn(*line, "\t ");

		g_string_append_printf(open, "%s\n", *at == '#' && at[1] != ' ' ? at + 1 : *line);
	}
	c = read_good(open->str);
	g_assert_cmpuint(c->targets->len, >, 0);
	g_assert_cmpuint(c->portals->len, >, 1);
	for (const struct setting *s = schema; s->name; s++)
		if (!strstr(open->str, s->name))
			g_error("etc/gotgt.conf does not show %s", s->name);
	conf_free(c);
	g_string_free(open, TRUE);
}

static int print_manual(void)
{
	for (int o = 0; o < CONF_OBJECTS; o++) {
		g_autofree char *table = schema_manual(o);

		printf(".\\\" BEGIN %s\n%s.\\\" END\n", schema_object_name(o), table);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--manual"))
		return print_manual();
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/config/good", test_good);
	g_test_add_func("/config/empty", test_empty);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *name = g_strdup_printf("/config/bad/%s", bad[i].name);

		g_test_add_data_func(g_strdelimit(name, " ", '-'), GSIZE_TO_POINTER(i), test_bad);
	}
	g_test_add_func("/config/broken-bytes", test_broken_bytes);
	g_test_add_func("/config/no-file", test_no_file);
	g_test_add_func("/config/iscsi-names", test_names);
	g_test_add_func("/config/equal", test_equal);
	g_test_add_func("/config/copy", test_copy);
	g_test_add_func("/config/schema", test_schema);
	g_test_add_func("/config/secret-file", test_secret_file);
	g_test_add_func("/config/secret", test_secret);
	g_test_add_func("/config/manual", test_manual);
	g_test_add_func("/config/example", test_example);
	return g_test_run();
}
