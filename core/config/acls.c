/* SPDX-License-Identifier: Apache-2.0 */
/* acls.c - see acls.h */
#include "config.h"
#include <string.h>
#include "config/acls.h"
#include "config/server.h"
#include "engine/log.h"
#include "scsi/target.h"

#define LOG_DOMAIN LOGD_CONFIG

#define NAME_MAX_LEN 223	/* RFC 7143 4.2.7.2 */

/* Why no initiator could be called so, or NULL. */
static const char *pattern_wrong(const char *text)
{
	size_t len = strlen(text);

	if (!len || len > NAME_MAX_LEN)
		return "not a name, or a pattern for some";
	for (; *text; text++)
		if (!g_ascii_isalnum(*text) && !strchr("-.:*?", *text))
			return "an iSCSI name has letters, digits, '-', '.' and ':' only, a pattern '*' and '?'";
	return NULL;
}

static const char *address_wrong(const char *text)
{
	struct acl_prefix p;

	return acl_prefix_parse(text, &p);
}

/* An access list that is checked, by its place in those of its target. */
struct checked {
	const struct conf_target *t;
	const struct conf_acl *a;
	unsigned place;
	GPtrArray *errors;
};

static void check_texts(const struct checked *c, const char *setting, char **texts, const char *(*wrong)(const char *text))
{
	for (char **text = texts; text && *text; text++)
		if (wrong(*text))
			conf_error(c->errors, &c->a->where, "target %s acl %u %s: \"%s\": %s", c->t->iqn, c->place, setting,
				   *text, wrong(*text));
}

static bool has_lun(const struct conf_target *t, uint32_t number)
{
	for (unsigned i = 0; i < t->luns->len; i++)
		if (((const struct conf_lun *)t->luns->pdata[i])->number == number)
			return true;
	return false;
}

static void lun_error(const struct checked *c, unsigned at, const char *setting, const char *text, uint32_t n)
{
	const struct conf_acl_lun *l = c->a->luns->pdata[at];

	conf_error(c->errors, &l->where, "target %s acl %u luns[%u].%s: %s %u", c->t->iqn, c->place, at, setting, text, n);
}

static void check_luns(const struct checked *c)
{
	g_autoptr(GHashTable) numbers = g_hash_table_new(NULL, NULL), luns = g_hash_table_new(NULL, NULL);

	for (unsigned i = 0; i < c->a->luns->len; i++) {
		const struct conf_acl_lun *l = c->a->luns->pdata[i];

		if (!g_hash_table_add(numbers, GUINT_TO_POINTER(l->number)))
			lun_error(c, i, "number", "a second one of number", l->number);
		if (!g_hash_table_add(luns, GUINT_TO_POINTER(l->lun)))
			lun_error(c, i, "lun", "there is a number already for lun", l->lun);
		if (!has_lun(c->t, l->lun))
			lun_error(c, i, "lun", "the target has no lun", l->lun);
	}
}

static void check_portals(const struct conf *conf, const struct checked *c)
{
	for (char **name = c->a->portals; name && *name; name++)
		if (!conf_find_portal(conf, *name))
			conf_error(c->errors, &c->a->where, "target %s acl %u portals: no portal is called \"%s\"", c->t->iqn,
				   c->place, *name);
		else if (c->t->portals && !g_strv_contains((const char *const *)c->t->portals, *name))
			conf_error(c->errors, &c->a->where, "target %s acl %u portals: portal %s is none of the target's",
				   c->t->iqn, c->place, *name);
}

void acls_check(const struct conf *c, const struct conf_target *t, GPtrArray *errors)
{
	if (t->open && t->acls->len)
		conf_error(errors, &t->where, "target %s: it is open, its acls would mean nothing", t->iqn);
	for (unsigned i = 0; i < t->acls->len; i++) {
		const struct checked one = { t, t->acls->pdata[i], i, errors };

		check_texts(&one, "initiators", one.a->initiators, pattern_wrong);
		check_texts(&one, "addresses", one.a->addresses, address_wrong);
		check_portals(c, &one);
		check_luns(&one);
	}
}

static struct lun_view *view_of(const struct conf_acl *a)
{
	g_autofree struct lun_view_row *rows = g_new0(struct lun_view_row, a->luns->len);

	if (!a->luns->len && !a->read_only)
		return NULL;
	for (unsigned i = 0; i < a->luns->len; i++) {
		const struct conf_acl_lun *l = a->luns->pdata[i];

		rows[i] = (struct lun_view_row){ l->number, l->lun, l->read_only };
	}
	return lun_view_new(rows, a->luns->len, a->read_only);
}

bool acls_differ(const struct conf_target *a, const struct conf_target *b)
{
	static const char *const settings[] = { "accounts", "acls", "open", "single-initiator", "max-sessions" };

	for (size_t i = 0; i < G_N_ELEMENTS(settings); i++)
		if (!setting_equal(schema_find(CONF_TARGET, settings[i]), a, b))
			return true;
	return false;
}

struct acl *acls_make(const struct conf_target *t, struct portal *(*portal)(const void *of, const char *name), const void *of)
{
	struct acl *acl;

	if (!t->acls->len && (t->open || t->accounts->len))
		return NULL;
	if (!t->acls->len)
		log_warning_of(LOG_TARGET(t->iqn),
			       "target %s: nobody may log in: it has neither accounts nor acls, and is not open", t->iqn);
	acl = acl_new();
	for (unsigned i = 0; i < t->acls->len; i++) {
		const struct conf_acl *a = t->acls->pdata[i];
		unsigned n = a->addresses ? g_strv_length(a->addresses) : 0;
		g_autofree struct acl_prefix *prefixes = g_new0(struct acl_prefix, n);
		g_autoptr(GPtrArray) portals = g_ptr_array_new();

		for (unsigned j = 0; j < n; j++)
			acl_prefix_parse(a->addresses[j], &prefixes[j]);
		for (char **name = a->portals; name && *name; name++)
			g_ptr_array_add(portals, portal(of, *name));
		acl_add(acl, (const char *const *)a->initiators, prefixes, n, (struct portal *const *)portals->pdata,
			portals->len, view_of(a));
	}
	return acl;
}

bool acls_allow(struct conf_target *t, const char *who, GError **error)
{
	static const char *const kinds[] = { "iqn.", "eui.", "naa." };
	const char *const list[] = { who, NULL };
	struct conf_acl *a;
	bool name = strchr(who, '*') || strchr(who, '?');

	if (!strcmp(who, "all")) {
		t->open = true;
		return true;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		name |= g_str_has_prefix(who, kinds[i]);
	if (name ? pattern_wrong(who) : address_wrong(who)) {
		g_set_error(error, SERVER_ERROR, 0, "%s: %s", who, name ? pattern_wrong(who) :
			    "neither an initiator's name, nor an address or range of them, nor \"all\"");
		return false;
	}
	a = schema_new(CONF_ACL);
	*(name ? &a->initiators : &a->addresses) = g_strdupv((char **)list);
	g_ptr_array_add(t->acls, a);
	return true;
}
