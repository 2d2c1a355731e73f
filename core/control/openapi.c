/* SPDX-License-Identifier: Apache-2.0 */
/* openapi.c - the routes and the schema as an OpenAPI 3.0 document. */
#include "config.h"
#include <string.h>
#include <gotgt/version.h>
#include "config/place.h"
#include "control/control-internal.h"

/* ---- small things ---- */

static JsonObject *child(JsonObject *o, const char *name)
{
	JsonObject *c = json_object_has_member(o, name) ? json_object_get_object_member(o, name) : json_object_new();

	if (!json_object_has_member(o, name))
		json_object_set_object_member(o, name, c);
	return c;
}

static JsonObject *typed(const char *type)
{
	JsonObject *o = json_object_new();

	json_object_set_string_member(o, "type", type);
	return o;
}

static JsonObject *reference(const char *kind, const char *name)
{
	g_autofree char *to = g_strdup_printf("#/components/%s/%s", kind, name);
	JsonObject *o = json_object_new();

	json_object_set_string_member(o, "$ref", to);
	return o;
}

static JsonObject *list_of(JsonObject *items)
{
	JsonObject *o = typed("array");

	json_object_set_object_member(o, "items", items);
	return o;
}

static char *schema_id(enum conf_object object)
{
	return g_strdelimit(g_strdup(schema_object_name(object)), " ", '-');
}

static JsonObject *schema_reference(enum conf_object object)
{
	g_autofree char *id = schema_id(object);

	return reference("schemas", id);
}

/* ---- components: the schema ---- */

static void choices(JsonObject *o, const struct setting *s)
{
	JsonArray *names = json_array_new();

	for (const struct setting_choice *c = s->choices; c->name; c++)
		json_array_add_string_element(names, c->name);
	json_object_set_array_member(o, "enum", names);
}

static void limits(JsonObject *o, const char *min, const char *max, const struct setting *s)
{
	json_object_set_int_member(o, min, (gint64)s->min);
	if (s->max)
		json_object_set_int_member(o, max, (gint64)s->max);
}

static JsonObject *setting_schema(const struct setting *s)
{
	JsonObject *o;

	switch (s->type) {
	case SETTING_BOOL:
		return typed("boolean");
	case SETTING_UINT:
	case SETTING_SIZE:
		o = typed("integer");
		limits(o, "minimum", "maximum", s);
		return o;
	case SETTING_CHOICE:
		o = typed("string");
		choices(o, s);
		return o;
	case SETTING_STRING:
		o = typed("string");
		limits(o, "minLength", "maxLength", s);
		if (s->secret)
			json_object_set_boolean_member(o, "writeOnly", TRUE);
		return o;
	case SETTING_NAMES:
		return list_of(typed("string"));
	case SETTING_PLUGIN:
		o = typed("object");
		json_object_set_object_member(o, "additionalProperties", typed("string"));
		return o;
	case SETTING_GROUP:
		/* What stands beside a reference does not count: so the help has a place. */
		o = json_object_new();
		json_object_set_array_member(o, "allOf", json_array_new());
		json_array_add_object_element(json_object_get_array_member(o, "allOf"), schema_reference(s->child));
		return o;
	case SETTING_LIST:
		return list_of(schema_reference(s->child));
	}
	return NULL;
}

static JsonObject *object_schema(enum conf_object object)
{
	JsonObject *o = typed("object"), *properties = child(o, "properties");
	JsonArray *required = json_array_new();
	const struct setting *s = NULL;

	while ((s = schema_next(object, s))) {
		JsonObject *p = setting_schema(s);

		json_object_set_string_member(p, "description", s->help);
		json_object_set_object_member(properties, s->name, p);
		if (s->required)
			json_array_add_string_element(required, s->name);
	}
	if (json_array_get_length(required))
		json_object_set_array_member(o, "required", required);
	else
		json_array_unref(required);
	json_object_set_boolean_member(o, "additionalProperties", FALSE);
	return o;
}

/* One that says where it is, see across.c. */
static JsonObject *document_schema(const struct route *r)
{
	enum conf_object object = r->row ? r->row->child : CONF_TOP;
	JsonObject *o, *target;

	if (!r->across)
		return schema_reference(object);
	o = object_schema(object);
	target = typed("string");
	json_object_set_boolean_member(target, "nullable", TRUE);
	json_object_set_string_member(target, "description", "Whose it is; null is discovery's.");
	json_object_set_object_member(json_object_get_object_member(o, "properties"), "target", target);
	if (!place_key_row(object))
		json_object_set_object_member(json_object_get_object_member(o, "properties"), "place", typed("integer"));
	return o;
}

static JsonObject *problem_schema(void)
{
	static const struct { const char *name, *type; } members[] = {
		{ "type", "string" }, { "title", "string" }, { "status", "integer" }, { "detail", "string" },
	};
	JsonObject *o = typed("object"), *properties = child(o, "properties"), *wrong = typed("object");

	for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
		json_object_set_object_member(properties, members[i].name, typed(members[i].type));
	json_object_set_object_member(child(wrong, "properties"), "field", typed("string"));
	json_object_set_object_member(child(wrong, "properties"), "reason", typed("string"));
	json_object_set_object_member(properties, "errors", list_of(wrong));
	json_object_set_object_member(properties, "users", list_of(typed("object")));
	return o;
}

/* ---- answers and bodies ---- */

static void content(JsonObject *of, const char *type, JsonObject *body)
{
	json_object_set_object_member(child(child(of, "content"), type), "schema", body);
}

static JsonObject *answer_schema(const struct route *r)
{
	switch (r->answer) {
	case ANSWER_OBJECT:
		return document_schema(r);
	case ANSWER_LIST:
		return list_of(document_schema(r));
	case ANSWER_OTHER:
		return json_object_new();
	case ANSWER_NONE:
		return NULL;
	}
	return NULL;
}

static void add_answer(JsonObject *answers, const char *status, const char *description, const char *type,
		       JsonObject *body)
{
	JsonObject *o = child(answers, status);

	json_object_set_string_member(o, "description", description);
	if (body)
		content(o, type ? type : "application/json", body);
}

static JsonObject *answers(const struct route *r)
{
	JsonObject *o = json_object_new();
	bool creates = r->row && (g_str_equal(r->method, "POST") || (g_str_equal(r->method, "PUT") && r->element));

	if (r->answer == ANSWER_NONE)
		add_answer(o, "204", "Done", NULL, NULL);
	else if (!creates || r->element || r->change)
		add_answer(o, "200", r->change ? "As it is now, or what would change" : "As it is", r->type,
			   answer_schema(r));
	if (creates)
		add_answer(o, "201", "Created", r->type, answer_schema(r));
	json_object_set_object_member(o, "default", reference("responses", "problem"));
	return o;
}

/* A change of a part has the names of the whole, and none that it must have. */
static JsonObject *body_schema(const struct route *r)
{
	if (g_str_equal(r->method, "PATCH") || (!r->row && r->answer != ANSWER_OBJECT))
		return typed("object");
	return document_schema(r);
}

/* ---- parameters ---- */

static void add_parameter(JsonArray *list, const char *name, const char *in, const char *type)
{
	JsonObject *o = json_object_new();

	json_object_set_string_member(o, "name", name);
	json_object_set_string_member(o, "in", in);
	json_object_set_boolean_member(o, "required", g_str_equal(in, "path"));
	json_object_set_object_member(o, "schema", typed(type));
	json_array_add_object_element(list, o);
}

static JsonArray *parameters(const struct route *r)
{
	JsonArray *list = json_array_new();

	for (const char *p = r->pattern; (p = strchr(p, '{')); p++) {
		g_autofree char *name = g_strndup(p + 1, strcspn(p + 1, "}"));

		add_parameter(list, name, "path", "string");
	}
	if (r->query) {
		g_auto(GStrv) names = g_strsplit(r->query, " ", -1);

		for (char **name = names; *name; name++)
			add_parameter(list, *name, "query", "string");
	}
	if (r->change) {
		add_parameter(list, "dry_run", "query", "boolean");
		if (r->row)
			add_parameter(list, "force", "query", "boolean");
		add_parameter(list, "If-Match", "header", "string");
	}
	return list;
}

/* ---- the document ---- */

/* "getV1TargetsIqn" */
static char *operation_id(const struct route *r)
{
	g_autofree char *method = g_ascii_strdown(r->method, -1);
	GString *id = g_string_new(method);
	bool start = true;

	for (const char *p = r->pattern; *p; p++) {
		if (g_ascii_isalnum(*p))
			g_string_append_c(id, start ? g_ascii_toupper(*p) : *p);
		start = !g_ascii_isalnum(*p);
	}
	return g_string_free(id, FALSE);
}

static JsonObject *operation(const struct route *r)
{
	g_autofree char *id = operation_id(r);
	JsonObject *o = json_object_new(), *body;

	json_object_set_string_member(o, "operationId", id);
	json_object_set_string_member(o, "summary", r->summary);
	json_object_set_array_member(o, "parameters", parameters(r));
	if (r->body) {
		body = child(o, "requestBody");
		json_object_set_boolean_member(body, "required", TRUE);
		content(body, "application/json", body_schema(r));
	}
	json_object_set_object_member(o, "responses", answers(r));
	return o;
}

static void add_info(JsonObject *doc)
{
	JsonObject *info = child(doc, "info"), *license = child(info, "license"), *server = json_object_new();
	JsonArray *servers = json_array_new();

	json_object_set_string_member(doc, "openapi", "3.0.3");
	json_object_set_string_member(info, "title", "gotgt");
	json_object_set_string_member(info, "description", "The control interface of gotgt, an iSCSI target.");
	json_object_set_string_member(info, "version", GOTGT_VERSION);
	json_object_set_string_member(license, "name", "Apache-2.0");
	json_object_set_string_member(license, "url", "https://www.apache.org/licenses/LICENSE-2.0");
	json_object_set_string_member(server, "url", "/");
	json_array_add_object_element(servers, server);
	json_object_set_array_member(doc, "servers", servers);
}

static void add_components(JsonObject *doc)
{
	JsonObject *components = child(doc, "components"), *schemas = child(components, "schemas");
	JsonObject *problem = child(child(components, "responses"), "problem");

	for (enum conf_object object = 0; object < CONF_OBJECTS; object++) {
		g_autofree char *id = schema_id(object);

		json_object_set_object_member(schemas, id, object_schema(object));
	}
	json_object_set_object_member(schemas, "problem", problem_schema());
	json_object_set_string_member(problem, "description", "What is wrong, RFC 9457");
	content(problem, "application/problem+json", reference("schemas", "problem"));
}

void openapi_get(struct request *r)
{
	JsonObject *doc = json_object_new(), *paths;
	const GPtrArray *routes = r->control->routes;

	add_info(doc);
	paths = child(doc, "paths");
	for (unsigned i = 0; i < routes->len; i++) {
		const struct route *route = routes->pdata[i];
		g_autofree char *method = g_ascii_strdown(route->method, -1);

		json_object_set_object_member(child(paths, route->pattern), method, operation(route));
	}
	add_components(doc);
	answer_json(r, SOUP_STATUS_OK, json_of_object(doc));
}
