/* SPDX-License-Identifier: Apache-2.0 */
/* routes.c - the table of routes: what is here, and what the schema has lists and groups for. */
#include "config.h"
#include <string.h>
#include "config/place.h"
#include "control/control-internal.h"

static const struct fixed {
	const char *method, *pattern;
	void (*handle)(struct request *r);
	const char *summary;
	enum route_answer answer;
	bool body, change;
	const char *query, *type;
} fixed[] = {
	{ "GET", "/v1/config", objects_get_config, "The whole configuration", ANSWER_OBJECT },
	{ "PUT", "/v1/config", objects_put_config, "Apply a whole configuration, or nothing of it", ANSWER_OBJECT, true,
	  true },
	{ "PATCH", "/v1/config", objects_patch_config, "Change settings of the configuration", ANSWER_OBJECT, true,
	  true },
	{ "POST", "/v1/config/save", change_save, "Write what runs to the configuration file", ANSWER_OTHER,
	  .query = "" },
	{ "GET", "/v1/log-level", levels_get, "What is logged, of each domain", ANSWER_OTHER },
	{ "PUT", "/v1/log-level", levels_put, "Change what is logged", ANSWER_OTHER, true },
	{ "GET", "/v1/backstores", across_backstores, "What holds the data of each logical unit", ANSWER_OTHER },
	{ "GET", "/v1/backstores/{target}/{lun}", across_backstore, "What holds the data of one", ANSWER_OTHER },
	{ "GET", "/v1/plugins", views_plugins, "The plugins there are", ANSWER_OTHER },
	{ "GET", "/v1/sessions", views_sessions, "Who is logged in", ANSWER_OTHER },
	{ "GET", "/v1/sessions/{tsih}", views_session, "One session", ANSWER_OTHER },
	{ "DELETE", "/v1/sessions/{tsih}", views_session_drop, "End a session", ANSWER_NONE, .query = "" },
	{ "GET", "/v1/status", views_status, "Portals as bound, targets and logical units as they run", ANSWER_OTHER },
	{ "GET", "/v1/stats", numbers_stats, "What was counted, by reactor, portal, target, logical unit and session",
	  ANSWER_OTHER, .query = "target buckets" },
	{ "GET", "/metrics", metrics_get, "What was counted, as OpenMetrics", ANSWER_OTHER,
	  .type = "application/openmetrics-text" },
	{ "GET", "/healthz", views_health, "Whether everything configured is served", ANSWER_OTHER },
	{ "GET", "/openapi.json", openapi_get, "This interface, as OpenAPI 3", ANSWER_OTHER },
	/* Those of gotgt in Go, whose clients put a version in front. */
	{ "GET", "/target/list", go_target_list, "Targets, as gotgt in Go lists them", ANSWER_OTHER },
	{ "POST", "/target/create", go_target_create, "Create a target, as in gotgt in Go", ANSWER_OTHER, true },
	{ "POST", "/target/up", go_target_up, "Bring all logical units of a target online", ANSWER_OTHER, true },
	{ "DELETE", "/target/{name}", go_target_remove, "Remove a target, as in gotgt in Go", ANSWER_NONE },
	{ "DELETE", "/targets/{name}", go_target_remove, "Remove a target, as clients of gotgt in Go ask", ANSWER_NONE },
	{ "GET", "/lu/list", go_lu_list, "Logical units, as storages of gotgt in Go", ANSWER_OTHER },
	{ "POST", "/lu/create", go_lu_create, "Create a logical unit from a storage of gotgt in Go", ANSWER_OTHER, true },
	{ "GET", "/lu/{id}", go_lu_get, "A logical unit by its deviceID or serial", ANSWER_OTHER },
	{ "DELETE", "/lu/{id}", go_lu_remove, "Remove a logical unit by its deviceID or serial", ANSWER_NONE },
	{ "POST", "/discovery/create", go_discovery_create, "Listen on a portal more, and announce it", ANSWER_OTHER,
	  true },
	{ "GET", "/discovery/{name}", go_discovery_get, "What SendTargets answers, of a target or All", ANSWER_OTHER },
	{ "DELETE", "/discovery/{name}", go_discovery_remove, "Close a portal, and announce it no more", ANSWER_NONE },
};

static void route_free(gpointer data)
{
	struct route *r = data;

	g_free(r->pattern);
	g_free(r->summary);
	g_free(r);
}

static struct route *add(GPtrArray *routes, const char *method, const char *pattern, void (*handle)(struct request *r))
{
	struct route *r = g_new0(struct route, 1);

	r->method = method;
	r->pattern = g_strdup(pattern);
	r->handle = handle;
	g_ptr_array_add(routes, r);
	return r;
}

/* What can be done with a list, an element of one, or a group. */
static const struct verb {
	enum verb_of { OF_LIST, OF_ELEMENT, OF_GROUP } of;
	const char *method;
	void (*handle)(struct request *r);
	const char *summary;
	enum route_answer answer;
	bool body, change;
} verbs[] = {
	{ OF_LIST, "GET", objects_get, "List of: ", ANSWER_LIST },
	{ OF_LIST, "POST", objects_create, "Create a ", ANSWER_OBJECT, true, true },
	{ OF_ELEMENT, "GET", objects_get, "One ", ANSWER_OBJECT },
	{ OF_ELEMENT, "PUT", objects_put, "Create or replace a ", ANSWER_OBJECT, true, true },
	{ OF_ELEMENT, "PATCH", objects_patch, "Change settings of a ", ANSWER_OBJECT, true, true },
	{ OF_ELEMENT, "DELETE", objects_delete, "Remove a ", ANSWER_NONE, false, true },
	{ OF_GROUP, "GET", objects_get, "Settings of: ", ANSWER_OBJECT },
	{ OF_GROUP, "PUT", objects_put, "Replace all settings of: ", ANSWER_OBJECT, true, true },
	{ OF_GROUP, "PATCH", objects_patch, "Change settings of: ", ANSWER_OBJECT, true, true },
};

static void add_verbs(GPtrArray *routes, const struct setting *row, enum verb_of of, const char *pattern)
{
	for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++) {
		struct route *r = verbs[i].of == of ? add(routes, verbs[i].method, pattern, verbs[i].handle) : NULL;

		if (!r)
			continue;
		r->summary = g_strconcat(verbs[i].summary, schema_object_name(row->child), NULL);
		r->row = row;
		r->element = of == OF_ELEMENT;
		r->answer = verbs[i].answer;
		r->body = verbs[i].body;
		r->change = verbs[i].change;
	}
}

static void add_schema(GPtrArray *routes, enum conf_object object, const char *prefix)
{
	const struct setting *s = NULL, *key;

	while ((s = schema_next(object, s))) {
		g_autofree char *at = g_strdup_printf("%s/%s", prefix, s->name), *element = NULL;

		if (s->type == SETTING_GROUP) {
			add_verbs(routes, s, OF_GROUP, at);
			add_schema(routes, s->child, at);
		} else if (s->type == SETTING_LIST) {
			key = place_key_row(s->child);
			element = g_strdup_printf("%s/{%s}", at, key ? key->name : "place");
			add_verbs(routes, s, OF_LIST, at);
			add_verbs(routes, s, OF_ELEMENT, element);
			add_schema(routes, s->child, element);
		}
	}
}

/* What targets have, of all of them; a new one is made in its target. */
static void add_across(GPtrArray *routes)
{
	static const char *const names[] = { "accounts", "acls" };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		const struct setting *row = schema_find(CONF_TARGET, names[i]), *key = place_key_row(row->child);
		g_autofree char *list = g_strdup_printf("/v1/%s", row->name);
		g_autofree char *element = g_strdup_printf("%s/{target}/{%s}", list, key ? key->name : "place");
		unsigned first = routes->len;
		struct route *all = add(routes, "GET", list, across_list);

		all->summary = g_strconcat("Of all targets: ", row->name, NULL);
		all->answer = ANSWER_LIST;
		all->row = row;
		add_verbs(routes, row, OF_ELEMENT, element);
		for (unsigned j = first; j < routes->len; j++)
			((struct route *)routes->pdata[j])->across = true;
	}
}

GPtrArray *routes_new(void)
{
	GPtrArray *routes = g_ptr_array_new_with_free_func(route_free);

	for (size_t i = 0; i < G_N_ELEMENTS(fixed); i++) {
		struct route *r = add(routes, fixed[i].method, fixed[i].pattern, fixed[i].handle);

		r->summary = g_strdup(fixed[i].summary);
		r->answer = fixed[i].answer;
		r->body = fixed[i].body;
		r->change = fixed[i].change;
		r->query = fixed[i].query;
		r->type = fixed[i].type;
	}
	add_across(routes);
	add_schema(routes, CONF_TOP, "/v1");
	return routes;
}

static bool matches(const char *pattern, const char *const *steps)
{
	while (*pattern == '/' && *steps) {
		size_t len = strcspn(pattern + 1, "/");

		if (pattern[1] != '{' && (strlen(*steps) != len || strncmp(pattern + 1, *steps, len)))
			return false;
		if (!**steps)
			return false;
		pattern += 1 + len;
		steps++;
	}
	return !*pattern && !*steps;
}

/* Those of gotgt in Go. */
static bool is_go(const char *step)
{
	static const char *const first[] = { "target", "targets", "lu", "discovery", NULL };

	return step && g_strv_contains(first, step);
}

static bool is_version(const char *step)
{
	return *step == 'v' && step[1] && !step[1 + strspn(step + 1, "0123456789.")];
}

static const struct route *find(const GPtrArray *routes, const char *method, const char *const *steps, GString *allow)
{
	for (unsigned i = 0; i < routes->len; i++) {
		const struct route *r = routes->pdata[i];

		if (!matches(r->pattern, steps))
			continue;
		if (g_str_equal(r->method, method))
			return r;
		g_string_append_printf(allow, "%s%s", allow->len ? ", " : "", r->method);
	}
	return NULL;
}

const struct route *routes_find(const GPtrArray *routes, const char *method, const char *const *steps, char **allow)
{
	GString *methods = g_string_new(NULL);
	const struct route *r = find(routes, method, steps, methods);

	if (!r && !methods->len && *steps && is_version(*steps) && is_go(steps[1]))
		r = find(routes, method, steps + 1, methods);
	*allow = g_string_free(methods, !methods->len);
	return r;
}
