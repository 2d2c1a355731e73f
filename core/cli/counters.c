/* SPDX-License-Identifier: Apache-2.0 */
/* counters.c - see counters.h */
#include "config.h"
#include <string.h>
#include "cli/counters.h"

const char *const counted_names[COUNTED_KINDS + 1] = {
	[COUNTED_REACTOR] = "reactor", [COUNTED_PORTAL] = "portal", [COUNTED_TARGET] = "target", [COUNTED_LU] = "lu",
	[COUNTED_SESSION] = "session",
};

/* ---- answers ---- */

static double number(JsonObject *o, const char *name)
{
	JsonNode *node = o ? json_object_get_member(o, name) : NULL;

	return node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_double(node) : 0;
}

static uint64_t count(JsonObject *o, const char *name)
{
	JsonNode *node = o ? json_object_get_member(o, name) : NULL;

	return node && JSON_NODE_HOLDS_VALUE(node) ? (uint64_t)MAX(json_node_get_int(node), 0) : 0;
}

static JsonObject *part(JsonObject *o, const char *name)
{
	JsonNode *node = o ? json_object_get_member(o, name) : NULL;

	return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static JsonArray *list(JsonObject *o, const char *name)
{
	JsonNode *node = o ? json_object_get_member(o, name) : NULL;

	return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

static void read_latency(JsonObject *o, struct latency *l)
{
	JsonArray *buckets = list(o, "buckets");

	l->count = count(o, "count");
	l->sum_us = number(o, "sum_us");
	l->max_us = number(o, "max_us");
	l->buckets = g_array_new(FALSE, FALSE, sizeof(struct bucket));
	for (unsigned i = 0; buckets && i < json_array_get_length(buckets); i++) {
		JsonNode *node = json_array_get_element(buckets, i);
		JsonArray *pair = JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
		struct bucket b;

		if (!pair || json_array_get_length(pair) != 2 || !JSON_NODE_HOLDS_VALUE(json_array_get_element(pair, 0)) ||
		    !JSON_NODE_HOLDS_VALUE(json_array_get_element(pair, 1)))
			continue;
		b.upper_us = json_array_get_double_element(pair, 0);
		b.count = (uint64_t)MAX(json_array_get_int_element(pair, 1), 0);
		g_array_append_val(l->buckets, b);
	}
}

static uint64_t sum_of(JsonObject *o)
{
	JsonObjectIter it;
	const char *name;
	JsonNode *value;
	uint64_t sum = 0;

	if (!o)
		return 0;
	json_object_iter_init(&it, o);
	while (json_object_iter_next(&it, &name, &value))
		sum += count(o, name);
	return sum;
}

static void read_counters(JsonObject *o, struct counters *c)
{
	static const char *const names[OPS] = { "read", "write", "other" };

	c->commands = count(o, "commands");
	c->errors = sum_of(part(o, "errors"));
	c->queue_depth = count(o, "queue_depth");
	c->queue_depth_max = count(o, "queue_depth_max");
	for (unsigned i = 0; i < OPS; i++) {
		JsonObject *op = part(o, names[i]);

		c->ops[i].commands = count(op, "commands");
		c->ops[i].bytes = count(op, "bytes");
		read_latency(part(op, "latency"), &c->ops[i].latency);
	}
}

static void counted_free(gpointer data)
{
	struct counted *c = data;

	for (unsigned i = 0; i < OPS; i++)
		latency_clear(&c->counters.ops[i].latency);
	g_free(c->name);
	g_free(c->target);
	g_free(c->initiator);
	g_free(c);
}

/* A name, or a number that is one. */
static char *text(JsonObject *o, const char *name)
{
	JsonNode *node = json_object_get_member(o, name);

	if (!node || !JSON_NODE_HOLDS_VALUE(node))
		return NULL;
	if (json_node_get_value_type(node) == G_TYPE_STRING)
		return json_node_dup_string(node);
	return g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(node));
}

static void add(struct reading *r, enum counted_kind kind, JsonObject *o, const char *target)
{
	static const char *const names[COUNTED_KINDS] = { "reactor", "address", "name", "lun", "tsih" };
	struct counted *c = g_new0(struct counted, 1);
	JsonArray *luns = list(o, "luns");

	c->kind = kind;
	c->name = text(o, names[kind]);
	c->target = target ? g_strdup(target) : text(o, kind == COUNTED_TARGET ? "name" : "target");
	c->initiator = text(o, "initiator");
	read_counters(o, &c->counters);
	g_ptr_array_add(r->of[kind], c);
	for (unsigned i = 0; luns && kind == COUNTED_TARGET && i < json_array_get_length(luns); i++)
		add(r, COUNTED_LU, json_array_get_object_element(luns, i), c->target);
}

struct reading *reading_new(JsonNode *answer)
{
	static const char *const lists[COUNTED_KINDS] = { "reactors", "portals", "targets", NULL, "sessions" };
	JsonObject *o = JSON_NODE_HOLDS_OBJECT(answer) ? json_node_get_object(answer) : NULL;
	struct reading *r = g_new0(struct reading, 1);

	r->uptime_s = number(o, "uptime_s");
	for (unsigned kind = 0; kind < COUNTED_KINDS; kind++)
		r->of[kind] = g_ptr_array_new_with_free_func(counted_free);
	for (unsigned kind = 0; kind < COUNTED_KINDS; kind++) {
		JsonArray *all = lists[kind] ? list(o, lists[kind]) : NULL;

		for (unsigned i = 0; all && i < json_array_get_length(all); i++)
			if (JSON_NODE_HOLDS_OBJECT(json_array_get_element(all, i)))
				add(r, kind, json_array_get_object_element(all, i), NULL);
	}
	return r;
}

void reading_free(struct reading *r)
{
	if (!r)
		return;
	for (unsigned kind = 0; kind < COUNTED_KINDS; kind++)
		g_ptr_array_unref(r->of[kind]);
	g_free(r);
}

void reading_narrow(struct reading *r, const char *target, const char *lun)
{
	for (unsigned kind = 0; kind < COUNTED_KINDS; kind++)
		for (unsigned i = r->of[kind]->len; i--; ) {
			const struct counted *c = r->of[kind]->pdata[i];

			if ((target && g_strcmp0(c->target, target) != 0) ||
			    (lun && (kind != COUNTED_LU || g_strcmp0(c->name, lun) != 0)))
				g_ptr_array_remove_index(r->of[kind], i);
		}
}

/* ---- latency ---- */

void latency_clear(struct latency *l)
{
	g_clear_pointer(&l->buckets, g_array_unref);
}

/* sign: 1 to add, -1 to take away; both have their buckets in order. */
static void merge(struct latency *into, const struct latency *from, int sign)
{
	GArray *sum = g_array_new(FALSE, FALSE, sizeof(struct bucket));
	unsigned a = 0, b = 0;

	while (a < into->buckets->len || b < from->buckets->len) {
		const struct bucket *x = a < into->buckets->len ? &g_array_index(into->buckets, struct bucket, a) : NULL;
		const struct bucket *y = b < from->buckets->len ? &g_array_index(from->buckets, struct bucket, b) : NULL;
		bool use_x = x && (!y || x->upper_us <= y->upper_us), use_y = y && (!x || y->upper_us <= x->upper_us);
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): one of the two is there */
		struct bucket next = { use_x ? x->upper_us : y->upper_us, use_x ? x->count : 0 };

		if (use_y)
			next.count = sign > 0 ? next.count + y->count : next.count > y->count ? next.count - y->count : 0;
		if (next.count)
			g_array_append_val(sum, next);
		a += use_x;
		b += use_y;
	}
	g_array_unref(into->buckets);
	into->buckets = sum;
	into->count = sign > 0 ? into->count + from->count : into->count > from->count ? into->count - from->count : 0;
	into->sum_us = MAX(into->sum_us + sign * from->sum_us, 0);
	into->max_us = MAX(into->max_us, sign > 0 ? from->max_us : 0);
}

static struct latency nothing(void)
{
	return (struct latency){ .buckets = g_array_new(FALSE, FALSE, sizeof(struct bucket)) };
}

void latency_all(const struct counters *c, struct latency *all)
{
	*all = nothing();
	for (unsigned i = 0; i < OPS; i++)
		merge(all, &c->ops[i].latency, 1);
}

double latency_avg_us(const struct latency *l)
{
	return l->count ? l->sum_us / (double)l->count : 0;
}

double latency_quantile_us(const struct latency *l, unsigned permille)
{
	uint64_t total = 0, seen = 0, rank;

	for (unsigned i = 0; i < l->buckets->len; i++)
		total += g_array_index(l->buckets, struct bucket, i).count;
	rank = (total * permille + 999) / 1000;
	for (unsigned i = 0; i < l->buckets->len; i++) {
		const struct bucket *b = &g_array_index(l->buckets, struct bucket, i);

		seen += b->count;
		if (seen >= rank)
			return l->max_us > 0 ? MIN(b->upper_us, l->max_us) : b->upper_us;
	}
	return 0;
}

/* ---- between two ---- */

static char *identity(const struct counted *c)
{
	return g_strdup_printf("%s\n%s\n%s", c->name ? c->name : "", c->target ? c->target : "",
			       c->initiator ? c->initiator : "");
}

/* Has it begun anew since?  Then all it has is new. */
static bool goes_on(const struct counters *now, const struct counters *before)
{
	for (unsigned i = 0; i < OPS; i++)
		if (now->ops[i].commands < before->ops[i].commands || now->ops[i].bytes < before->ops[i].bytes)
			return false;
	return now->commands >= before->commands;
}

static double since(uint64_t now, uint64_t before)
{
	return now > before ? (double)(now - before) : 0;
}

/* The rates but those of latency, which goes into all. */
static struct rates rates_of(const struct counted *c, const struct counted *before, double seconds, struct latency *all)
{
	static const struct counters zero;
	const struct counters *now = &c->counters, *was = before ? &before->counters : &zero;
	struct rates r = { .of = c, .queue_depth = now->queue_depth };
	struct latency old;

	if (!goes_on(now, was))
		before = NULL;
	if (!before)
		was = &zero;
	r.iops = since(now->commands, was->commands) / seconds;
	r.read_bytes_s = since(now->ops[OP_READ].bytes, was->ops[OP_READ].bytes) / seconds;
	r.write_bytes_s = since(now->ops[OP_WRITE].bytes, was->ops[OP_WRITE].bytes) / seconds;
	r.errors = (uint64_t)since(now->errors, was->errors);
	latency_all(now, all);
	if (before) {
		latency_all(was, &old);
		merge(all, &old, -1);
		latency_clear(&old);
	}
	return r;
}

static GHashTable *index_of(const struct reading *r, enum counted_kind kind)
{
	GHashTable *by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (unsigned i = 0; r && i < r->of[kind]->len; i++)
		g_hash_table_insert(by_name, identity(r->of[kind]->pdata[i]), r->of[kind]->pdata[i]);
	return by_name;
}

double reading_seconds(const struct reading *now, const struct reading *before)
{
	double seconds = before ? now->uptime_s - before->uptime_s : now->uptime_s;

	return seconds > 0 ? seconds : MAX(now->uptime_s, 0.001);
}

/* A daemon that is younger than it was is another one. */
static const struct reading *same_daemon(const struct reading *now, const struct reading *before)
{
	return before && now->uptime_s >= before->uptime_s ? before : NULL;
}

/* each, when it is not NULL, gets one of each object; the sum of all is returned. */
static struct rates walk(const struct reading *now, const struct reading *before, enum counted_kind kind, double seconds,
			 GArray *each)
{
	g_autoptr(GHashTable) was = index_of(same_daemon(now, before), kind);
	struct latency total = nothing();
	struct rates sum = { 0 };

	for (unsigned i = 0; i < now->of[kind]->len; i++) {
		const struct counted *c = now->of[kind]->pdata[i];
		g_autofree char *name = identity(c);
		struct latency all;
		struct rates r = rates_of(c, g_hash_table_lookup(was, name), seconds, &all);

		r.avg_us = latency_avg_us(&all);
		r.p99_us = latency_quantile_us(&all, 990);
		if (each)
			g_array_append_val(each, r);
		else
			merge(&total, &all, 1);
		latency_clear(&all);
		sum.iops += r.iops;
		sum.read_bytes_s += r.read_bytes_s;
		sum.write_bytes_s += r.write_bytes_s;
		sum.queue_depth += r.queue_depth;
		sum.errors += r.errors;
	}
	sum.avg_us = latency_avg_us(&total);
	sum.p99_us = latency_quantile_us(&total, 990);
	latency_clear(&total);
	return sum;
}

GArray *rates_new(const struct reading *now, const struct reading *before, enum counted_kind kind, double seconds)
{
	GArray *each = g_array_new(FALSE, FALSE, sizeof(struct rates));

	walk(now, before, kind, seconds, each);
	return each;
}

struct rates rates_sum(const struct reading *now, const struct reading *before, enum counted_kind kind, double seconds)
{
	return walk(now, before, kind, seconds, NULL);
}

/* ---- text ---- */

char *format_us(double us)
{
	if (us <= 0)
		return g_strdup("-");
	if (us < 1000)
		return g_strdup_printf("%.0fus", MAX(us, 1));
	return us < 1e6 ? g_strdup_printf("%.2fms", us / 1e3) : g_strdup_printf("%.2fs", us / 1e6);
}

char *format_count(double n)
{
	static const char units[] = " kMGTPE";
	unsigned unit = 0;

	for (; n >= 9999.5 && units[unit + 1]; unit++)
		n /= 1000;
	if (!unit)
		return g_strdup_printf("%.0f", n);
	return g_strdup_printf(n < 99.95 ? "%.1f%c" : "%.0f%c", n, units[unit]);
}
