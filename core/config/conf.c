/* SPDX-License-Identifier: Apache-2.0 */
/* conf.c - objects of a configuration, and the checks that need more than one of them. */
#include "config.h"
#include <string.h>
#include "config/accounts.h"
#include "config/acls.h"
#include "config/conf.h"
#include "engine/log.h"
#include "iscsi/address.h"
#include "scsi/alua.h"

struct conf *conf_new(void)
{
	return schema_new(CONF_TOP);
}

void conf_free(struct conf *c)
{
	schema_free(CONF_TOP, c);
}

struct conf *conf_copy(const struct conf *c)
{
	return schema_copy(CONF_TOP, c);
}

struct conf_portal *conf_add_portal(struct conf *c)
{
	struct conf_portal *p = schema_new(CONF_PORTAL);

	g_ptr_array_add(c->portals, p);
	return p;
}

struct conf_target *conf_add_target(struct conf *c)
{
	struct conf_target *t = schema_new(CONF_TARGET);

	t->iscsi = c->iscsi;
	g_ptr_array_add(c->targets, t);
	return t;
}

struct conf_lun *conf_add_lun(struct conf_target *t)
{
	struct conf_lun *l = schema_new(CONF_LUN);

	g_ptr_array_add(t->luns, l);
	return l;
}

struct conf_portal *conf_find_portal(const struct conf *c, const char *name)
{
	for (unsigned i = 0; i < c->portals->len; i++) {
		struct conf_portal *p = c->portals->pdata[i];

		if (g_strcmp0(p->name, name) == 0)
			return p;
	}
	return NULL;
}

/* The port stands after the last colon, but an IPv6 address without brackets has only colons of its own. */
bool conf_portal_parse(const char *text, struct conf_portal *portal, GError **error)
{
	const struct setting *address = schema_find(CONF_PORTAL, "address"), *port = schema_find(CONF_PORTAL, "port");
	g_autofree char *addr = g_strdup(text);
	const char *port_text = NULL;
	char *colon = strrchr(addr, ':'), *end = strchr(addr, ']');

	if (colon && address_bind_wrong(addr) && (!end || end + 1 == colon)) {
		*colon = '\0';
		port_text = colon + 1;
	}
	if (*addr == '[' && end && !end[1]) {
		*end = '\0';
		memmove(addr, addr + 1, strlen(addr));
	}
	if (!setting_parse(address, addr, portal, error) || (port_text && !setting_parse(port, port_text, portal, error))) {
		g_prefix_error(error, "%s: ", text);
		return false;
	}
	return true;
}

GPtrArray *conf_errors_new(void)
{
	return g_ptr_array_new_with_free_func(g_free);
}

void conf_error(GPtrArray *errors, const struct conf_where *where, const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	if (where->file && where->line)
		g_ptr_array_add(errors, g_strdup_printf("%s:%u: %s", where->file, where->line, text));
	else if (where->file)
		g_ptr_array_add(errors, g_strdup_printf("%s: %s", where->file, text));
	else
		g_ptr_array_add(errors, g_steal_pointer(&text));
}

/* iqn.YYYY-MM.DOMAIN[:anything], RFC 7143 4.2.7.4 */
static const char *iqn_check(const char *rest)
{
	static const char form[] = "0000-00.";
	static const char why[] = "expected iqn.YYYY-MM.DOMAIN[:NAME]";
	int month;

	for (size_t i = 0; form[i]; i++)
		if (form[i] == '0' ? !g_ascii_isdigit(rest[i]) : rest[i] != form[i])
			return why;
	month = (rest[5] - '0') * 10 + rest[6] - '0';
	if (month < 1 || month > 12 || !g_ascii_isalnum(rest[8]))
		return why;
	return NULL;
}

/* What an initiator may be called, and stricter: nothing that somebody would have to normalize (RFC 7143 4.2.7.1). */
const char *iscsi_name_check(const char *name)
{
	const char *why = keys_name_wrong(name);

	for (const char *c = name; *c && !why; c++)
		if (g_ascii_isupper(*c))
			why = "iSCSI names are in lower case";
		else if (!g_ascii_isalnum(*c) && !strchr("-.:", *c))
			why = "an iSCSI name has letters, digits, '-', '.' and ':' only";
	return !why && g_str_has_prefix(name, "iqn.") ? iqn_check(name + 4) : why;
}

static void check_portals(const struct conf *c, GPtrArray *errors)
{
	for (unsigned i = 0; i < c->portals->len; i++)
		for (unsigned j = 0; j < i; j++) {
			const struct conf_portal *p = c->portals->pdata[i], *q = c->portals->pdata[j];

			if (p->port && p->port == q->port && g_strcmp0(p->address, q->address) == 0)
				conf_error(errors, &p->where, "portal %s port %u: a second one", p->address, p->port);
			if (p->name && g_strcmp0(p->name, q->name) == 0)
				conf_error(errors, &p->where, "portal %s: a second one of that name", p->name);
		}
}

/* What can be told without the device. */
static void check_geometry(const struct conf_target *t, const struct conf_lun *l, GPtrArray *errors)
{
	uint32_t physical = l->physical_block_size, block = l->block_size ? l->block_size : 512;
	const char *wrong = physical & (physical - 1) ? "physical-block-size: not a power of two" :
			    physical && physical < block ? "physical-block-size: less than block-size" :
			    l->optimal_io_size % block ? "optimal-io-size: not a multiple of block-size" : NULL;

	if (wrong)
		conf_error(errors, &l->where, "target %s lun %u: %s", t->iqn, l->number, wrong);
}

static void check_luns(const struct conf_target *t, GPtrArray *errors)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

	for (unsigned i = 0; i < t->luns->len; i++) {
		const struct conf_lun *l = t->luns->pdata[i];

		if (!g_hash_table_add(seen, GUINT_TO_POINTER(l->number)))
			conf_error(errors, &l->where, "target %s lun %u: a second one of that number", t->iqn, l->number);
		check_geometry(t, l, errors);
	}
}

static bool is_among(char **names, const char *name)
{
	return !names || g_strv_contains((const char *const *)names, name);
}

static void check_group(const struct conf *c, const struct conf_target *t, unsigned i, GPtrArray *errors)
{
	const struct conf_group *g = t->groups->pdata[i];

	for (char **name = g->portals; name && *name; name++)
		if (!conf_find_portal(c, *name))
			conf_error(errors, &g->where, "target %s port-group %u: no portal is called \"%s\"", t->iqn, g->tag,
				   *name);
		else if (!is_among(t->portals, *name))
			conf_error(errors, &g->where, "target %s port-group %u: portal %s is none of the target's", t->iqn,
				   g->tag, *name);
	for (unsigned j = 0; j < i; j++) {
		const struct conf_group *before = t->groups->pdata[j];

		if (before->tag == g->tag)
			conf_error(errors, &g->where, "target %s port-group %u: a second one of that tag", t->iqn, g->tag);
		for (char **name = g->portals; name && *name; name++)
			if (before->portals && is_among(before->portals, *name))
				conf_error(errors, &g->where, "target %s port-group %u: portal %s is in group %u already",
					   t->iqn, g->tag, *name, before->tag);
	}
}

static void check_groups(const struct conf *c, const struct conf_target *t, GPtrArray *errors)
{
	if (t->groups->len > ALUA_GROUPS_MAX)
		conf_error(errors, &t->where, "target %s: more than %u port-groups", t->iqn, ALUA_GROUPS_MAX);
	for (unsigned i = 0; i < t->groups->len; i++)
		check_group(c, t, i, errors);
}

static void check_redirect(const struct conf_target *t, GPtrArray *errors)
{
	const struct conf_redirect *r = &t->redirect;
	const char *wrong = r->permanent && !r->address ? "permanent wants an address" :
			    r->balance && r->address ? "either an address or balance" :
			    r->balance && t->groups->len < 2 ? "balance wants two port-groups or more" : NULL;

	if (wrong)
		conf_error(errors, &t->where, "target %s redirect: %s", t->iqn, wrong);
}

static void check_target(const struct conf *c, const struct conf_target *t, GPtrArray *errors)
{
	for (char **name = t->portals; name && *name; name++)
		if (!conf_find_portal(c, *name))
			conf_error(errors, &t->where, "target %s: no portal is called \"%s\"", t->iqn, *name);
	/* RFC 7143 13.14; the top level's has been told of. */
	if (t->iscsi.first_burst > t->iscsi.max_burst &&
	    (t->iscsi.first_burst != c->iscsi.first_burst || t->iscsi.max_burst != c->iscsi.max_burst))
		conf_error(errors, &t->where, "target %s: first-burst-length is over max-burst-length", t->iqn);
	check_groups(c, t, errors);
	check_redirect(t, errors);
	check_luns(t, errors);
	acls_check(c, t, errors);
}

static void check_log(const struct conf *c, GPtrArray *errors)
{
	for (unsigned i = 0; i < c->log_levels->len; i++)
		for (unsigned j = 0; j < i; j++) {
			const struct conf_log *l = c->log_levels->pdata[i], *other = c->log_levels->pdata[j];

			if (g_str_equal(l->domain, other->domain))
				conf_error(errors, &l->where, "log-level %s: a second one of that domain", l->domain);
		}
}

void conf_set_log(const struct conf *c)
{
	g_autofree struct log_own *own = g_new(struct log_own, c->log_levels->len);

	for (unsigned i = 0; i < c->log_levels->len; i++) {
		const struct conf_log *l = c->log_levels->pdata[i];

		own[i] = (struct log_own){ l->domain, l->level };
	}
	log_set_levels(c->log_level, own, c->log_levels->len);
}

void conf_check(const struct conf *c, GPtrArray *errors)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

	check_log(c, errors);
	check_portals(c, errors);
	if (c->iscsi.first_burst > c->iscsi.max_burst)
		conf_error(errors, &c->iscsi_where, "iscsi: first-burst-length is over max-burst-length");
	for (unsigned i = 0; i < c->targets->len; i++) {
		const struct conf_target *t = c->targets->pdata[i];

		if (!g_hash_table_add(seen, t->iqn))
			conf_error(errors, &t->where, "target %s: a second one of that name", t->iqn);
		check_target(c, t, errors);
	}
	accounts_check(c, errors);
	if (c->targets->len && !c->portals->len)
		conf_error(errors, &c->targets_where, "no portals: nobody could reach the targets");
}
