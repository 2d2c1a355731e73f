/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.c - GET /metrics: OpenMetrics 1.0.  A family is a row of a table for each kind of object; what has had no
 * command is left out.
 */
#include "config.h"
#include <string.h>
#include <gotgt/version.h>
#include "control/control-internal.h"
#include "control/numbers.h"
#include "scsi/lun.h"
#include "scsi/tally.h"

#define OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* ---- who has something to tell ---- */

enum scope { OF_LUN, OF_SESSION, OF_PORTAL, OF_REACTOR, SCOPES };

static const struct { const char *name, *help; } scopes[SCOPES] = {
	[OF_LUN] = { "lun", "of a logical unit" }, [OF_SESSION] = { "session", "of a session" },
	[OF_PORTAL] = { "portal", "through a portal" }, [OF_REACTOR] = { "reactor", "of a reactor" },
};

struct object {
	GString *labels;	/* "target=\"iqn...\",lun=\"0\"" */
	unsigned connections;
	bool stuck;
	struct stats_sum sum;
};

static void object_free(gpointer data)
{
	struct object *o = data;

	g_string_free(o->labels, TRUE);
	g_free(o);
}

static struct object *object_new(void)
{
	struct object *o = g_new0(struct object, 1);

	o->labels = g_string_new(NULL);
	return o;
}

static void label(struct object *o, const char *name, const char *value)
{
	g_string_append_printf(o->labels, "%s%s=", o->labels->len ? "," : "", name);
	numbers_quote(o->labels, value, false);
}

static void label_number(struct object *o, const char *name, unsigned value)
{
	g_string_append_printf(o->labels, "%s%s=\"%u\"", o->labels->len ? "," : "", name, value);
}

static void find_luns(const struct server *s, GPtrArray *found)
{
	const GPtrArray *targets = server_conf(s)->targets;
	struct object *o = object_new();

	for (unsigned i = 0; i < targets->len; i++) {
		const struct conf_target *t = targets->pdata[i];

		for (unsigned j = 0; j < t->luns->len; j++) {
			const struct conf_lun *l = t->luns->pdata[j];
			const struct lun *lun = server_lun(s, t->iqn, l->number);

			if (!lun || !tally_lun(lun, &o->sum))
				continue;
			label(o, "target", t->iqn);
			label_number(o, "lun", l->number);
			o->stuck = lun_state(lun) & LUN_STUCK;
			g_ptr_array_add(found, o);
			o = object_new();
		}
	}
	object_free(o);
}

static void find_sessions(const GArray *all, GPtrArray *found)
{
	for (unsigned i = 0; i < all->len; i++) {
		const struct count_session *s = &g_array_index(all, struct count_session, i);
		struct object *o = object_new();

		label(o, "target", s->target);
		label(o, "initiator", s->initiator);
		label_number(o, "tsih", s->tsih);
		o->connections = s->connections;
		count_session_sum(s, &o->sum);
		g_ptr_array_add(found, o);
	}
}

static void find_portals(struct node *n, GPtrArray *found)
{
	for (unsigned i = 0; i < n->portals->len; i++) {
		struct object *o = object_new();

		label(o, "address", portal_name(n->portals->pdata[i]));
		o->connections = count_portal(n, n->portals->pdata[i], &o->sum);
		g_ptr_array_add(found, o);
	}
}

static void find_reactors(struct node *n, GPtrArray *found)
{
	for (unsigned i = 0; i < n->engine->n_reactors; i++) {
		struct object *o = object_new();

		label_number(o, "reactor", i);
		o->connections = count_reactor(n, i, &o->sum);
		g_ptr_array_add(found, o);
	}
}

/* ---- the table ---- */

/* A family being written. */
struct family { GString *text; const char *name; };

static void sample(const struct family *f, const struct object *o, const char *suffix, const char *more, uint64_t value)
{
	g_string_append_printf(f->text, "%s%s{%s%s} %" G_GUINT64_FORMAT "\n", f->name, suffix, o->labels->str, more, value);
}

static void commands(const struct family *f, const struct object *o)
{
	char more[TALLY_NAME_MAX + 64];

	for (unsigned i = 0; i < STATS_OPCODES; i++) {
		if (!o->sum.opcodes[i] || !tally_opcode(i))
			continue;
		g_snprintf(more, sizeof more, ",command=\"%s\"", tally_opcode(i));
		sample(f, o, "_total", more, o->sum.opcodes[i]);
	}
}

static void bytes(const struct family *f, const struct object *o)
{
	sample(f, o, "_total", ",direction=\"read\"", o->sum.kinds[STATS_READ].bytes);
	sample(f, o, "_total", ",direction=\"write\"", o->sum.kinds[STATS_WRITE].bytes);
}

static void errors(const struct family *f, const struct object *o)
{
	char name[TALLY_NAME_MAX], more[TALLY_NAME_MAX + 64];

	for (unsigned i = 0; i < STATS_ERRORS; i++) {
		const char *error = o->sum.errors[i] ? tally_error(i, name) : NULL;

		if (!error)
			continue;
		g_snprintf(more, sizeof more, ",error=\"%s\"", error);
		sample(f, o, "_total", more, o->sum.errors[i]);
	}
}

/* Bounds are ends of buckets, so that what is below each is known: 8 us, and four times as much each time, to 8.6 s. */
enum { FIRST_BOUND_NS = STATS_UNIT_NS << 6, BOUNDS = 11 };

static void one_duration(const struct family *f, const struct object *o, const struct stats_sum_kind *k, const char *kind)
{
	uint64_t below = 0, bound_ns = FIRST_BOUND_NS;
	unsigned bucket = 0;

	for (unsigned i = 0; i < BOUNDS; i++, bound_ns *= 4) {
		while (stats_bucket_end_ns(bucket) <= bound_ns)
			below += k->buckets[bucket++];
		g_string_append_printf(f->text, "%s_bucket{%s,kind=\"%s\",le=\"", f->name, o->labels->str, kind);
		numbers_put_ns(f->text, bound_ns, 1000000000);
		g_string_append_printf(f->text, "\"} %" G_GUINT64_FORMAT "\n", below);
	}
	g_string_append_printf(f->text, "%s_bucket{%s,kind=\"%s\",le=\"+Inf\"} %" G_GUINT64_FORMAT "\n%s_sum{%s,kind=\"%s\"} ",
			       f->name, o->labels->str, kind, k->commands, f->name, o->labels->str, kind);
	numbers_put_ns(f->text, k->sum_ns, 1000000000);
	g_string_append_printf(f->text, "\n%s_count{%s,kind=\"%s\"} %" G_GUINT64_FORMAT "\n", f->name, o->labels->str, kind,
			       k->commands);
}

static void durations(const struct family *f, const struct object *o)
{
	static const char *const kinds[STATS_KINDS] = {
		[STATS_READ] = "read", [STATS_WRITE] = "write", [STATS_OTHER] = "other",
	};

	for (unsigned i = 0; i < STATS_KINDS; i++)
		one_duration(f, o, &o->sum.kinds[i], kinds[i]);
}

static void depth(const struct family *f, const struct object *o)
{
	sample(f, o, "", "", o->sum.depth);
}

static void depth_max(const struct family *f, const struct object *o)
{
	sample(f, o, "", "", o->sum.depth_max);
}

static void digests(const struct family *f, const struct object *o)
{
	sample(f, o, "_total", ",part=\"header\"", o->sum.counts[STATS_HEADER_DIGESTS]);
	sample(f, o, "_total", ",part=\"data\"", o->sum.counts[STATS_DATA_DIGESTS]);
}

static void r2ts(const struct family *f, const struct object *o)
{
	sample(f, o, "_total", "", o->sum.counts[STATS_R2TS]);
}

static void connections(const struct family *f, const struct object *o)
{
	sample(f, o, "", "", o->connections);
}

static void stuck(const struct family *f, const struct object *o)
{
	sample(f, o, "", "", o->stuck);
}

static void logins(const struct family *f, const struct object *o)
{
	sample(f, o, "_total", "", o->sum.counts[STATS_LOGINS]);
}

static void login_failures(const struct family *f, const struct object *o)
{
	sample(f, o, "_total", "", o->sum.counts[STATS_LOGIN_FAILURES]);
}

enum { ALL = 1 << OF_LUN | 1 << OF_SESSION | 1 << OF_PORTAL | 1 << OF_REACTOR };
enum { WITH_CONNECTIONS = ALL & ~(1 << OF_LUN) };

/* A family for each scope: gotgt_SCOPE_NAME. */
static const struct metric {
	const char *name, *type, *unit, *help;
	unsigned scopes;
	void (*put)(const struct family *f, const struct object *o);
} metrics[] = {
	{ "commands", "counter", NULL, "Commands that ended, by their name", ALL, commands },
	{ "transferred_bytes", "counter", "bytes", "Bytes read and written by commands that succeeded", ALL, bytes },
	{ "errors", "counter", NULL, "Commands that did not succeed, by sense or status", ALL, errors },
	{ "command_duration_seconds", "histogram", "seconds", "Time from a command's arrival until its answer was sent", ALL,
	  durations },
	{ "queue_depth", "gauge", NULL, "Commands under way", ALL, depth },
	{ "queue_depth_max", "gauge", NULL, "Most commands that were under way together", ALL, depth_max },
	{ "digest_errors", "counter", NULL, "Digests of PDUs received that were wrong", ALL, digests },
	{ "r2ts", "counter", NULL, "R2T PDUs sent", ALL, r2ts },
	{ "connections", "gauge", NULL, "Connections now", WITH_CONNECTIONS, connections },
	{ "stuck", "gauge", NULL, "1 while the device does not answer", 1 << OF_LUN, stuck },
	{ "logins", "counter", NULL, "Logins that succeeded", 1 << OF_PORTAL, logins },
	{ "login_failures", "counter", NULL, "Logins that were refused, or not gone through with", 1 << OF_PORTAL,
	  login_failures },
};

/* ---- the document ---- */

static void head(GString *text, const char *name, const char *type, const char *unit, const char *help, const char *of)
{
	g_string_append_printf(text, "# TYPE %s %s\n", name, type);
	if (unit)
		g_string_append_printf(text, "# UNIT %s %s\n", name, unit);
	g_string_append_printf(text, "# HELP %s %s%s%s.\n", name, help, of ? ", " : "", of ? of : "");
}

static void put_family(GString *text, const struct metric *m, enum scope scope, const GPtrArray *objects)
{
	g_autofree char *name = g_strdup_printf("gotgt_%s_%s", scopes[scope].name, m->name);
	const struct family f = { text, name };

	head(text, name, m->type, m->unit, m->help, scopes[scope].help);
	for (unsigned i = 0; i < objects->len; i++)
		m->put(&f, objects->pdata[i]);
}

static void put_server(GString *text, const struct server *s, const GArray *sessions)
{
	g_autoptr(GHashTable) of = numbers_sessions_of(sessions);
	const GPtrArray *targets = server_conf(s)->targets;

	head(text, "gotgt_build", "info", NULL, "The program", NULL);
	g_string_append_printf(text, "gotgt_build_info{version=\"%s\"} 1\n", GOTGT_VERSION);
	head(text, "gotgt_uptime_seconds", "gauge", "seconds", "Time since the server was started", NULL);
	g_string_append_printf(text, "gotgt_uptime_seconds %.1f\n", numbers_uptime_s(s));
	head(text, "gotgt_target_sessions", "gauge", NULL, "Sessions now", "of a target");
	for (unsigned i = 0; i < targets->len; i++) {
		const char *iqn = ((const struct conf_target *)targets->pdata[i])->iqn;

		g_string_append(text, "gotgt_target_sessions{target=");
		numbers_quote(text, iqn, false);
		g_string_append_printf(text, "} %u\n", GPOINTER_TO_UINT(g_hash_table_lookup(of, iqn)));
	}
}

void metrics_get(struct request *r)
{
	const struct server *s = r->control->options.server;
	g_autoptr(GArray) sessions = count_sessions(server_node(s));
	GString *text = g_string_new(NULL);
	GPtrArray *objects[SCOPES];

	for (unsigned i = 0; i < SCOPES; i++)
		objects[i] = g_ptr_array_new_with_free_func(object_free);
	find_luns(s, objects[OF_LUN]);
	find_sessions(sessions, objects[OF_SESSION]);
	find_portals(server_node(s), objects[OF_PORTAL]);
	find_reactors(server_node(s), objects[OF_REACTOR]);
	put_server(text, s, sessions);
	for (unsigned i = 0; i < G_N_ELEMENTS(metrics); i++)
		for (unsigned scope = 0; scope < SCOPES; scope++)
			if (metrics[i].scopes & 1u << scope)
				put_family(text, &metrics[i], scope, objects[scope]);
	g_string_append(text, "# EOF\n");
	answer_text(r, OPENMETRICS, text->str);
	g_string_free(text, TRUE);
	for (unsigned i = 0; i < SCOPES; i++)
		g_ptr_array_unref(objects[i]);
}
