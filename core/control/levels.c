/* SPDX-License-Identifier: Apache-2.0 */
/* levels.c - what is logged: log-level and log-levels of the configuration as one small document. */
#include "config.h"
#include "config/place.h"
#include "control/control-internal.h"
#include "engine/log.h"

#define DOMAINS "domains"

static const struct setting *row(enum conf_object object, const char *name)
{
	return schema_find(object, name);
}

static struct conf_log *find(const struct conf *c, const char *domain, unsigned *at)
{
	return place_element(CONF_LOG, c->log_levels, domain, at);
}

static void add_domain(JsonObject *o, const struct conf *c, const char *domain)
{
	const struct conf_log *l = find(c, domain, NULL);

	json_set_text(o, domain, l ? log_level_name(l->level) : NULL);
}

/* Every domain, with null where it is as log-level says; what is put here is the same. */
void levels_get(struct request *r)
{
	const struct conf *c = server_conf(r->control->options.server);
	JsonObject *o = json_object_new(), *all = json_object_new();
	const char *name;

	for (unsigned i = 0; (name = log_domain_name(i)); i++)
		add_domain(all, c, name);
	for (unsigned i = 0; i < c->log_levels->len; i++)
		add_domain(all, c, ((const struct conf_log *)c->log_levels->pdata[i])->domain);
	json_set_text(o, "log-level", log_level_name(c->log_level));
	json_object_set_object_member(o, DOMAINS, all);
	answer_json(r, SOUP_STATUS_OK, json_of_object(o));
}

static bool parse(struct request *r, const char *field, const struct setting *s, const char *text, void *obj)
{
	g_autoptr(GError) error = NULL;

	if (setting_parse(s, text ? text : "", obj, &error))
		return true;
	wrong_add(r->wrongs, field, "%s", error->message);
	return false;
}

static const char *text_of(JsonNode *node)
{
	return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING ? json_node_get_string(node) : NULL;
}

static void set_domain(struct request *r, struct conf *next, const char *name, JsonNode *level)
{
	g_autofree char *field = g_strconcat(DOMAINS, ".", name, NULL);
	struct conf_log *l = schema_new(CONF_LOG);
	unsigned at;

	if (parse(r, field, row(CONF_LOG, "domain"), name, l) && find(next, name, &at))
		schema_free(CONF_LOG, g_ptr_array_steal_index(next->log_levels, at));
	if (l->domain && !JSON_NODE_HOLDS_NULL(level) && parse(r, field, row(CONF_LOG, "level"), text_of(level), l))
		g_ptr_array_add(next->log_levels, l);
	else
		schema_free(CONF_LOG, l);
}

static void set_domains(struct request *r, struct conf *next, JsonNode *node)
{
	JsonObjectIter it;
	const char *name;
	JsonNode *level;

	if (!JSON_NODE_HOLDS_OBJECT(node)) {
		wrong_add(r->wrongs, DOMAINS, "expected an object { }");
		return;
	}
	json_object_iter_init_ordered(&it, json_node_get_object(node));
	while (json_object_iter_next_ordered(&it, &name, &level))
		set_domain(r, next, name, level);
}

static void read_levels(struct request *r, struct conf *next, JsonObject *o)
{
	JsonObjectIter it;
	const char *name;
	JsonNode *value;

	json_object_iter_init_ordered(&it, o);
	while (json_object_iter_next_ordered(&it, &name, &value))
		if (g_str_equal(name, "log-level"))
			parse(r, name, row(CONF_TOP, name), text_of(value), next);
		else if (g_str_equal(name, DOMAINS))
			set_domains(r, next, value);
		else
			wrong_add(r->wrongs, name, "expected log-level or domains");
	if (!json_object_get_size(o))
		wrong_add(r->wrongs, "log-level", "expected it, or domains");
}

/* What is not named stays; a domain that is null has no level of its own any more. */
void levels_put(struct request *r)
{
	g_autoptr(JsonNode) body = request_body(r);
	struct conf *next;

	if (!body)
		return;
	next = change_begin(r, false, NULL);
	read_levels(r, next, json_node_get_object(body));
	if (r->wrongs->len) {
		answer_wrongs(r, SOUP_STATUS_UNPROCESSABLE_ENTITY);
		conf_free(next);
	} else if (change_apply(r, next, 0)) {
		levels_get(r);
	}
}
