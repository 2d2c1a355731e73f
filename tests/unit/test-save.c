/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration written, copied, compared. */
#include "config.h"
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <gotgt/plugin.h>
#include "conf-random.h"
#include "config/diff.h"
#include "config/place.h"
#include "config/save.h"
#include "engine/statefile.h"
#include "engine/vault.h"

#define ROUNDS 300

/* libconfig 1.5 loses the string that the end of a file cuts off. */
GOTGT_EXPORT const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

static char *dir, *path;

/*
 * conf_read() checks what needs more than one setting, which random ones do not pass: what it reads is seen only when
 * there are no such errors.  So the file is made one that passes: unique keys, no portals named, no accounts.
 */
static void make_valid(struct conf *c)
{
	static const char *const algorithms[] = { "sha1", "md5", NULL };

	c->fips = 0;
	c->short_secrets = 1;
	g_clear_pointer(&c->chap_algorithms, g_strfreev);
	if (g_test_rand_bit())
		c->chap_algorithms = g_strdupv((char **)algorithms);
	c->iscsi.first_burst = MIN(c->iscsi.first_burst, c->iscsi.max_burst);
	for (unsigned i = 0; i < c->log_levels->len; i++) {
		struct conf_log *l = c->log_levels->pdata[i];

		g_free(l->domain);
		l->domain = g_strdup_printf("plugin:p%u", i);
	}
	for (unsigned i = 0; i < c->portals->len; i++) {
		struct conf_portal *p = c->portals->pdata[i];

		p->port = 1000 + i;
		g_free(p->name);
		p->name = g_strdup_printf("p%u", i);
	}
	if (!c->portals->len) {
		struct conf_portal *p = conf_add_portal(c);

		p->address = g_strdup("::");
	}
}

static void make_account_valid(struct conf_account *a, unsigned i)
{
	g_clear_pointer(&a->secret_file, g_free);
	g_clear_pointer(&a->secret_credential, g_free);
	g_clear_pointer(&a->mutual_secret_file, g_free);
	g_clear_pointer(&a->mutual_secret_credential, g_free);
	if (!a->secret)
		a->secret = vault_strdup("\"secret\\");
	if (!a->mutual_user || !a->mutual_secret) {
		g_clear_pointer(&a->mutual_user, g_free);
		g_clear_pointer(&a->mutual_secret, vault_free);
	}
	g_free(a->user);
	a->user = g_strdup_printf("user \"%u\"\t\303\244", i);
}

static void set_names(char ***names, const char *one)
{
	char *list[] = { (char *)one, NULL };

	if (!*names)
		return;
	g_strfreev(*names);
	*names = g_strdupv(list);
}

static void make_acl_valid(const struct conf_target *t, struct conf_acl *a)
{
	set_names(&a->initiators, "iqn.*:?");
	set_names(&a->addresses, "2001:db8::/32");
	set_names(&a->portals, "p0");
	while (a->luns->len > t->luns->len)
		schema_free(CONF_ACL_LUN, g_ptr_array_steal_index(a->luns, 0));
	for (unsigned i = 0; i < a->luns->len; i++) {
		struct conf_acl_lun *l = a->luns->pdata[i];

		l->number = i;
		l->lun = ((const struct conf_lun *)t->luns->pdata[i])->number;
	}
}

static void make_target_valid(struct conf_target *t, unsigned i)
{
	g_free(t->iqn);
	t->iqn = g_strdup_printf("iqn.2016-09.com.example:%u", i);
	t->iscsi.first_burst = MIN(t->iscsi.first_burst, t->iscsi.max_burst);
	g_clear_pointer(&t->portals, g_strfreev);
	t->redirect.balance = 0;
	t->redirect.permanent = t->redirect.permanent && t->redirect.address;
	for (unsigned j = 0; j < t->groups->len; j++) {
		struct conf_group *g = t->groups->pdata[j];
		char *none[] = { (char *)"p0", NULL };

		g_strfreev(g->portals);
		g->portals = g_strdupv(none);
		g->tag = j + 1;
	}
	while (t->groups->len > 1)
		schema_free(CONF_GROUP, g_ptr_array_steal_index(t->groups, 1));
	for (unsigned j = 0; j < t->luns->len; j++) {
		struct conf_lun *l = t->luns->pdata[j];

		l->number = 100 * j;
		l->physical_block_size = g_test_rand_bit() ? 8192 : 0;
		l->optimal_io_size = g_test_rand_bit() ? 65536 : 0;
	}
	t->open = !t->acls->len && g_test_rand_bit();
	for (unsigned j = 0; j < t->acls->len; j++)
		make_acl_valid(t, t->acls->pdata[j]);
	for (unsigned j = 0; j < t->accounts->len; j++)
		make_account_valid(t->accounts->pdata[j], j);
}

static struct conf *valid(void)
{
	struct conf *c = conf_random();

	make_valid(c);
	for (unsigned i = 0; i < c->targets->len; i++)
		make_target_valid(c->targets->pdata[i], i);
	for (unsigned i = 0; i < c->discovery.accounts->len; i++)
		make_account_valid(c->discovery.accounts->pdata[i], i);
	g_free(((struct conf_portal *)c->portals->pdata[0])->name);
	((struct conf_portal *)c->portals->pdata[0])->name = g_strdup("p0");
	return c;
}

/* What conf_read() has to say of a configuration that is what save wrote is as bad as a lost setting. */
static void test_round_trip(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct conf *c = valid(), *back;
		g_autoptr(GPtrArray) errors = conf_errors_new();
		g_autofree char *text = NULL;
		GError *error = NULL;

		g_assert_true(conf_save(c, path, false, NULL, &error));
		g_assert_no_error(error);
		back = conf_read(path, errors);
		g_file_get_contents(path, &text, NULL, NULL);
		for (unsigned j = 0; j < errors->len; j++)
			g_test_message("%s\n%s", (char *)errors->pdata[j], text);
		g_assert_cmpuint(errors->len, ==, 0);
		if (!schema_equal(CONF_TOP, c, back))
			g_test_message("%s", text);
		g_assert_true(schema_equal(CONF_TOP, c, back));
		conf_free(back);
		conf_free(c);
	}
}

static void test_defaults(void)
{
	struct conf *c = conf_new();
	GError *error = NULL;
	g_autofree char *text = conf_text(c, &error);

	g_assert_no_error(error);
	g_assert_cmpstr(strchr(text, '\n'), ==, "\ntargets = ( );\n");
	conf_free(c);
}

static void test_bad_name(void)
{
	struct conf *c = conf_new();
	struct conf_lun *l = conf_add_lun(conf_add_target(c));
	char *pairs[] = { (char *)"a name;", (char *)"x", NULL };
	GError *error = NULL;

	((struct conf_target *)c->targets->pdata[0])->iqn = g_strdup("iqn.2016-09.com.example:x");
	l->plugin = g_strdup("null");
	l->settings = g_strdupv(pairs);
	g_file_set_contents(path, "old", -1, NULL);
	g_assert_false(conf_save(c, path, false, NULL, &error));
	g_assert_nonnull(strstr(error->message, "a name;"));
	g_clear_error(&error);
	{
		g_autofree char *text = NULL;

		g_file_get_contents(path, &text, NULL, NULL);
		g_assert_cmpstr(text, ==, "old");
	}
	conf_free(c);
}

static unsigned count_files(void)
{
	GDir *d = g_dir_open(dir, 0, NULL);
	unsigned n = 0;

	while (g_dir_read_name(d))
		n++;
	g_dir_close(d);
	return n;
}

static void test_replace(void)
{
	g_autofree char *link = g_build_filename(dir, "link", NULL), *text = NULL;
	struct stat st;

	g_unlink(path);
	g_assert_cmpint(statefile_replace_text(path, "new\n", false, NULL), ==, 0);
	g_assert_cmpint(stat(path, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 0777, ==, 0600);
	g_assert_cmpint(chmod(path, 0640), ==, 0);
	g_assert_cmpint(symlink("gotgt.conf", link), ==, 0);
	g_assert_cmpint(statefile_replace_text(link, "through the link\n", false, NULL), ==, 0);
	g_assert_cmpint(lstat(link, &st), ==, 0);
	g_assert_true(S_ISLNK(st.st_mode));
	g_assert_cmpint(stat(path, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 0777, ==, 0640);
	g_file_get_contents(path, &text, NULL, NULL);
	g_assert_cmpstr(text, ==, "through the link\n");
	g_assert_cmpuint(count_files(), ==, 2);
	g_unlink(link);
	g_assert_cmpint(statefile_replace_text(dir, "x", false, NULL), ==, -EINVAL);
	g_assert_cmpint(statefile_replace_text("/nonexistent/dir/x", "x", false, NULL), ==, -ENOENT);
}

static void test_dup(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct conf *c = conf_random(), *dup = schema_dup(CONF_TOP, c);

		g_assert_true(schema_equal(CONF_TOP, c, dup));
		conf_free(c);
		/* Nothing of it was the other's. */
		conf_free(dup);
	}
}

static unsigned has(const GPtrArray *changes, enum change_kind kind, const char *at)
{
	unsigned n = 0;

	for (unsigned i = 0; i < changes->len; i++) {
		const struct change *c = changes->pdata[i];

		n += c->kind == kind && g_str_equal(c->path, at);
	}
	return n;
}

static void test_diff(void)
{
	struct conf *a = valid(), *b = schema_dup(CONF_TOP, a);
	struct conf_target *t = conf_add_target(a), *u = schema_dup(CONF_TARGET, t);
	struct conf_lun *l;
	struct conf_account *acc;
	g_autoptr(GPtrArray) changes = NULL;

	t->iqn = g_strdup("iqn.2016-09.com.example:diff");
	schema_free(CONF_TARGET, u);
	u = schema_dup(CONF_TARGET, t);
	g_ptr_array_add(b->targets, u);
	changes = conf_diff(a, b);
	g_assert_cmpuint(changes->len, ==, 0);
	g_ptr_array_unref(g_steal_pointer(&changes));
	l = conf_add_lun(u);
	l->number = 3;
	u->alias = g_strdup("new");
	b->workers = a->workers % 1024 + 1;
	acc = schema_new(CONF_ACCOUNT);
	acc->user = g_strdup("x");
	acc->secret = vault_strdup("old secret");
	g_ptr_array_add(t->accounts, acc);
	acc = schema_dup(CONF_ACCOUNT, acc);
	vault_free(acc->secret);
	acc->secret = vault_strdup("new secret");
	g_ptr_array_add(u->accounts, acc);
	changes = conf_diff(a, b);
	g_assert_cmpuint(changes->len, ==, 4);
	g_assert_cmpuint(has(changes, CHANGE_ADD, "targets/iqn.2016-09.com.example:diff/luns/3"), ==, 1);
	g_assert_cmpuint(has(changes, CHANGE_SET, "targets/iqn.2016-09.com.example:diff/alias"), ==, 1);
	g_assert_cmpuint(has(changes, CHANGE_SET, "targets/iqn.2016-09.com.example:diff/accounts/x/secret"), ==, 1);
	g_assert_cmpuint(has(changes, CHANGE_SET, "workers"), ==, 1);
	for (unsigned i = 0; i < changes->len; i++) {
		const struct change *c = changes->pdata[i];

		g_assert_cmpint(c->restart, ==, g_str_equal(c->path, "workers"));
		if (g_str_has_suffix(c->path, "/secret"))
			g_assert_true(!c->from && !c->to);
	}
	conf_free(a);
	conf_free(b);
}

static void test_place(void)
{
	static const char *const lun[] = { "targets", "iqn.2016-09.com.example:x", "luns", "7", NULL };
	static const char *const none[] = { "targets", "iqn.2016-09.com.example:y", "luns", NULL };
	static const char *const group[] = { "discovery", "accounts", NULL }, *const scalar[] = { "workers", NULL };
	static const char *const portal[] = { "portals", "[::1]:3260", NULL };
	struct conf *c = conf_new();
	struct conf_target *t = conf_add_target(c);
	struct conf_lun *l = conf_add_lun(t);
	struct place p;

	t->iqn = g_strdup("iqn.2016-09.com.example:x");
	l->number = 7;
	conf_add_portal(c)->address = g_strdup("::1");
	g_assert_true(place_find(c, lun, &p));
	g_assert_true(p.obj == l && p.target == t && p.object == CONF_LUN && p.list == t->luns);
	g_assert_false(place_find(c, none, &p));
	g_assert_false(place_find(c, scalar, &p));
	g_assert_true(place_find(c, group, &p));
	g_assert_true(!p.obj && !p.key && p.list == c->discovery.accounts && p.object == CONF_ACCOUNT);
	g_assert_true(place_find(c, portal, &p));
	g_assert_true(p.obj == c->portals->pdata[0]);
	conf_free(c);
}

int main(int argc, char **argv)
{
	int rc;

	g_test_init(&argc, &argv, NULL);
	dir = g_dir_make_tmp("gotgt-XXXXXX", NULL);
	path = g_build_filename(dir, "gotgt.conf", NULL);
	g_test_add_func("/save/round-trip", test_round_trip);
	g_test_add_func("/save/defaults", test_defaults);
	g_test_add_func("/save/bad-name", test_bad_name);
	g_test_add_func("/save/replace", test_replace);
	g_test_add_func("/save/dup", test_dup);
	g_test_add_func("/save/diff", test_diff);
	g_test_add_func("/save/place", test_place);
	rc = g_test_run();
	g_unlink(path);
	g_rmdir(dir);
	g_free(path);
	g_free(dir);
	return rc;
}
