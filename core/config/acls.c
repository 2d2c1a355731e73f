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

static void check_texts(const struct conf_target *t, const struct conf_acl *a, char **texts, const char *(*wrong)(const char *text),
			GPtrArray *errors)
{
	for (char **text = texts; text && *text; text++)
		if (wrong(*text))
			conf_error(errors, &a->where, "target %s acl: \"%s\": %s", t->iqn, *text, wrong(*text));
}

static bool has_lun(const struct conf_target *t, uint32_t number)
{
	for (unsigned i = 0; i < t->luns->len; i++)
		if (((const struct conf_lun *)t->luns->pdata[i])->number == number)
			return true;
	return false;
}

static void check_luns(const struct conf_target *t, const struct conf_acl *a, GPtrArray *errors)
{
	g_autoptr(GHashTable) numbers = g_hash_table_new(NULL, NULL), luns = g_hash_table_new(NULL, NULL);

	for (unsigned i = 0; i < a->luns->len; i++) {
		const struct conf_acl_lun *l = a->luns->pdata[i];

		if (!g_hash_table_add(numbers, GUINT_TO_POINTER(l->number)))
			conf_error(errors, &l->where, "target %s acl: a second LUN of number %u", t->iqn, l->number);
		if (!g_hash_table_add(luns, GUINT_TO_POINTER(l->lun)))
			conf_error(errors, &l->where, "target %s acl: lun %u has a number already", t->iqn, l->lun);
		if (!has_lun(t, l->lun))
			conf_error(errors, &l->where, "target %s acl: the target has no lun %u", t->iqn, l->lun);
	}
}

void acls_check(const struct conf *c, const struct conf_target *t, GPtrArray *errors)
{
	if (t->open && t->acls->len)
		conf_error(errors, &t->where, "target %s: it is open, its acls would mean nothing", t->iqn);
	for (unsigned i = 0; i < t->acls->len; i++) {
		const struct conf_acl *a = t->acls->pdata[i];

		check_texts(t, a, a->initiators, pattern_wrong, errors);
		check_texts(t, a, a->addresses, address_wrong, errors);
		for (char **name = a->portals; name && *name; name++)
			if (!conf_find_portal(c, *name))
				conf_error(errors, &a->where, "target %s acl: no portal is called \"%s\"", t->iqn, *name);
			else if (t->portals && !g_strv_contains((const char *const *)t->portals, *name))
				conf_error(errors, &a->where, "target %s acl: portal %s is none of the target's", t->iqn, *name);
		check_luns(t, a, errors);
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
