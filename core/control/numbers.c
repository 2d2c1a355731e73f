/* SPDX-License-Identifier: Apache-2.0 */
/* numbers.c - GET /v1/stats: what was counted, as JSON.  It is text from the start: 10,000 logical units make a lot of it. */
#include "config.h"
#include <string.h>
#include "control/control-internal.h"
#include "control/numbers.h"
#include "scsi/tally.h"

/* ---- small things ---- */

void numbers_quote(GString *to, const char *text, bool json)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);

	g_string_append_c(to, '"');
	for (const char *p = valid; *p; p++) {
		if (*p == '"' || *p == '\\')
			g_string_append_c(to, '\\');
		if (*p == '\n')
			g_string_append(to, "\\n");
		else if (json && (unsigned char)*p < 0x20)
			g_string_append_printf(to, "\\u%04x", (unsigned char)*p);
		else
			g_string_append_c(to, *p);
	}
	g_string_append_c(to, '"');
}

void numbers_put_ns(GString *to, uint64_t ns, uint32_t unit_ns)
{
	uint64_t rest = ns % unit_ns;

	g_string_append_printf(to, "%" G_GUINT64_FORMAT, ns / unit_ns);
	for (uint32_t digit = unit_ns / 10; rest; digit /= 10) {
		g_string_append_printf(to, "%s%u", digit == unit_ns / 10 ? "." : "", (unsigned)(rest / digit));
		rest %= digit;
	}
}

GHashTable *numbers_sessions_of(const GArray *all)
{
	GHashTable *counts = g_hash_table_new(g_str_hash, g_str_equal);

	for (unsigned i = 0; i < all->len; i++) {
		const char *target = g_array_index(all, struct count_session, i).target;
		unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, target));

		g_hash_table_insert(counts, (gpointer)target, GUINT_TO_POINTER(n + 1));
	}
	return counts;
}

double numbers_uptime_s(const struct server *s)
{
	return (double)(g_get_monotonic_time() - server_node(s)->started_us) / G_USEC_PER_SEC;
}

/* ---- counters ---- */

/* An answer being written. */
struct writer {
	GString *text;
	const struct server *server;
	struct stats_sum *sum;		/* zero between objects */
	bool buckets;
	char *idle;			/* the counters of who has had no command */
	GArray *sessions;		/* struct count_session */
	GHashTable *sessions_of;
};

static void put_time(GString *to, const char *name, uint64_t ns)
{
	g_string_append_printf(to, ",\"%s\":", name);
	numbers_put_ns(to, ns, 1000);
}

static void put_buckets(GString *to, const struct stats_sum_kind *k)
{
	const char *comma = "";

	g_string_append(to, ",\"buckets\":[");
	for (unsigned i = 0; i < STATS_BUCKETS; i++) {
		if (!k->buckets[i])
			continue;
		g_string_append_printf(to, "%s[", comma);
		numbers_put_ns(to, stats_bucket_end_ns(i), 1000);
		g_string_append_printf(to, ",%" G_GUINT64_FORMAT "]", k->buckets[i]);
		comma = ",";
	}
	g_string_append_c(to, ']');
}

static void put_kind(const struct writer *w, const char *name, enum stats_kind kind)
{
	const struct stats_sum_kind *k = &w->sum->kinds[kind];
	GString *to = w->text;

	g_string_append_printf(to, ",\"%s\":{\"commands\":%" G_GUINT64_FORMAT, name, k->commands);
	if (kind != STATS_OTHER)
		g_string_append_printf(to, ",\"bytes\":%" G_GUINT64_FORMAT, k->bytes);
	g_string_append_printf(to, ",\"latency\":{\"count\":%" G_GUINT64_FORMAT ",\"sum_us\":%" G_GUINT64_FORMAT, k->commands,
			       k->sum_ns / 1000);
	put_time(to, "p50_us", stats_sum_percentile_ns(k, 500));
	put_time(to, "p99_us", stats_sum_percentile_ns(k, 990));
	put_time(to, "p999_us", stats_sum_percentile_ns(k, 999));
	put_time(to, "max_us", k->max_ns);
	if (w->buckets)
		put_buckets(to, k);
	g_string_append(to, "}}");
}

static void put_rows(GString *to, const uint64_t *rows, unsigned n, const char *(*name)(unsigned row, char *buf))
{
	char buf[TALLY_NAME_MAX];
	const char *comma = "";

	for (unsigned i = 0; i < n; i++) {
		const char *text = rows[i] ? name(i, buf) : NULL;

		if (!text)
			continue;
		g_string_append_printf(to, "%s\"%s\":%" G_GUINT64_FORMAT, comma, text, rows[i]);
		comma = ",";
	}
}

static const char *opcode_name(unsigned row, char *buf)
{
	return tally_opcode(row);
}

/* The members of w->sum, which is zero again after it. */
static void put_counters(const struct writer *w)
{
	struct stats_sum *s = w->sum;
	GString *to = w->text;

	g_string_append_printf(to, "\"commands\":%" G_GUINT64_FORMAT ",\"queue_depth\":%" G_GUINT64_FORMAT
			       ",\"queue_depth_max\":%" G_GUINT64_FORMAT, stats_sum_commands(s), s->depth, s->depth_max);
	put_kind(w, "read", STATS_READ);
	put_kind(w, "write", STATS_WRITE);
	put_kind(w, "other", STATS_OTHER);
	g_string_append(to, ",\"opcodes\":{");
	put_rows(to, s->opcodes, STATS_OPCODES, opcode_name);
	g_string_append(to, "},\"errors\":{");
	put_rows(to, s->errors, STATS_ERRORS, tally_error);
	g_string_append_printf(to, "},\"digest_errors\":{\"header\":%" G_GUINT64_FORMAT ",\"data\":%" G_GUINT64_FORMAT
			       "},\"r2ts\":%" G_GUINT64_FORMAT, s->counts[STATS_HEADER_DIGESTS],
			       s->counts[STATS_DATA_DIGESTS], s->counts[STATS_R2TS]);
	memset(s, 0, sizeof *s);
}

/* ---- who has them ---- */

static void put_reactors(const struct writer *w)
{
	struct node *n = server_node(w->server);

	for (unsigned i = 0; i < n->engine->n_reactors; i++) {
		unsigned connections = count_reactor(n, i, w->sum);

		g_string_append_printf(w->text, "%s{\"reactor\":%u,\"connections\":%u,", i ? "," : "", i, connections);
		put_counters(w);
		g_string_append_c(w->text, '}');
	}
}

static void put_portals(const struct writer *w)
{
	struct node *n = server_node(w->server);

	for (unsigned i = 0; i < n->portals->len; i++) {
		const struct portal *p = n->portals->pdata[i];
		unsigned connections = count_portal(n, p, w->sum);

		g_string_append_printf(w->text, "%s{\"address\":", i ? "," : "");
		numbers_quote(w->text, portal_name(p), true);
		g_string_append_printf(w->text, ",\"connections\":%u,\"logins\":%" G_GUINT64_FORMAT ",\"login_failures\":%"
				       G_GUINT64_FORMAT ",", connections, w->sum->counts[STATS_LOGINS],
				       w->sum->counts[STATS_LOGIN_FAILURES]);
		put_counters(w);
		g_string_append_c(w->text, '}');
	}
}

/* Its logical units into luns, what they have together into all; false: none has had a command. */
static bool put_luns(const struct writer *w, const struct conf_target *t, struct stats_sum *all, GString *luns)
{
	struct writer of_luns = *w;
	bool any = false;

	of_luns.text = luns;
	for (unsigned i = 0; i < t->luns->len; i++) {
		const struct conf_lun *l = t->luns->pdata[i];
		const struct lun *lun = server_lun(w->server, t->iqn, l->number);

		if (!lun)	/* it did not open */
			continue;
		g_string_append_printf(luns, "%s{\"lun\":%u,", luns->len ? "," : "", (unsigned)l->number);
		if (tally_lun(lun, w->sum)) {
			any = true;
			stats_sum_merge(all, w->sum);
			put_counters(&of_luns);
		} else {
			g_string_append(luns, w->idle);
		}
		g_string_append_c(luns, '}');
	}
	return any;
}

static void put_target(const struct writer *w, const struct conf_target *t, struct stats_sum *all, GString *luns)
{
	bool any = put_luns(w, t, all, luns);

	g_string_append(w->text, "{\"name\":");
	numbers_quote(w->text, t->iqn, true);
	g_string_append_printf(w->text, ",\"sessions\":%u,", GPOINTER_TO_UINT(g_hash_table_lookup(w->sessions_of, t->iqn)));
	if (any) {
		memcpy(w->sum, all, sizeof *all);
		memset(all, 0, sizeof *all);
		put_counters(w);
	} else {
		g_string_append(w->text, w->idle);
	}
	g_string_append_printf(w->text, ",\"luns\":[%s]}", luns->str);
	g_string_truncate(luns, 0);
}

/* only: one of them, or NULL.  False: it is not there. */
static bool put_targets(const struct writer *w, const char *only)
{
	const GPtrArray *targets = server_conf(w->server)->targets;
	g_autofree struct stats_sum *all = g_new0(struct stats_sum, 1);
	GString *luns = g_string_new(NULL);
	bool any = false;

	for (unsigned i = 0; i < targets->len; i++) {
		const struct conf_target *t = targets->pdata[i];

		if (only && !g_str_equal(only, t->iqn))
			continue;
		if (any)
			g_string_append_c(w->text, ',');
		put_target(w, t, all, luns);
		any = true;
	}
	g_string_free(luns, TRUE);
	return any || !only;
}

static void put_sessions(const struct writer *w)
{
	for (unsigned i = 0; i < w->sessions->len; i++) {
		const struct count_session *s = &g_array_index(w->sessions, struct count_session, i);

		g_string_append_printf(w->text, "%s{\"tsih\":%u,\"initiator\":", i ? "," : "", s->tsih);
		numbers_quote(w->text, s->initiator, true);
		g_string_append(w->text, ",\"target\":");
		numbers_quote(w->text, s->target, true);
		g_string_append_printf(w->text, ",\"connections\":%u,", s->connections);
		count_session_sum(s, w->sum);
		put_counters(w);
		g_string_append_c(w->text, '}');
	}
}

/* ---- the document ---- */

static bool wants_buckets(const struct request *r)
{
	const char *value = r->query ? g_hash_table_lookup(r->query, "buckets") : NULL;

	return !value || !(g_str_equal(value, "0") || g_str_equal(value, "false"));
}

static struct writer begin(struct request *r)
{
	struct writer w = { .text = g_string_new(NULL), .server = r->control->options.server,
			    .sum = g_new0(struct stats_sum, 1), .buckets = wants_buckets(r) };

	w.sessions = count_sessions(server_node(w.server));
	w.sessions_of = numbers_sessions_of(w.sessions);
	put_counters(&w);
	w.idle = g_strdup(w.text->str);
	g_string_truncate(w.text, 0);
	return w;
}

static void end(struct writer *w)
{
	g_string_free(w->text, TRUE);
	g_free(w->idle);
	g_free(w->sum);
	g_hash_table_unref(w->sessions_of);
	g_array_unref(w->sessions);
}

void numbers_stats(struct request *r)
{
	const char *only = r->query ? g_hash_table_lookup(r->query, "target") : NULL;
	struct writer w = begin(r);

	g_string_append_printf(w.text, "{\"uptime_s\":%.1f,\n\"reactors\":[", numbers_uptime_s(w.server));
	put_reactors(&w);
	g_string_append(w.text, "],\n\"portals\":[");
	put_portals(&w);
	g_string_append(w.text, "],\n\"targets\":[");
	if (put_targets(&w, only)) {
		g_string_append(w.text, "],\n\"sessions\":[");
		put_sessions(&w);
		g_string_append(w.text, "]}\n");
		answer_text(r, "application/json", w.text->str);
	} else {
		answer_problem(r, SOUP_STATUS_NOT_FOUND, NULL, "there is no target %s", only);
	}
	end(&w);
}
