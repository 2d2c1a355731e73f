/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json-long.c - a whole configuration from its text.  A tree of ten thousand targets takes ten times their memory, so
 * each target is cut out of the text and read on its own.
 */
#include "config.h"
#include <string.h>
#include "config/json.h"
#include "config/place.h"

static const char member[] = "targets";

/* Where an element stands in the text. */
struct part { size_t at, len; };

struct cutter {
	const char *text;
	size_t at, len;
	GArray *parts;		/* struct part */
	GString *rest;		/* the text without them */
	size_t copied;		/* what of it rest has */
	bool found;
};

/* json_text_wrong() has seen to it that every bracket and every string has its end. */
static void skip_string(struct cutter *c)
{
	for (c->at++; c->text[c->at] != '"'; c->at++)
		if (c->text[c->at] == '\\')
			c->at++;
	c->at++;
}

static void skip_space(struct cutter *c)
{
	c->at += strspn(c->text + c->at, " \t\r\n");
}

/* An object or array, to behind its end. */
static void skip_brackets(struct cutter *c)
{
	unsigned depth = 0;

	do {
		if (c->text[c->at] == '"') {
			skip_string(c);
			continue;
		}
		if (strchr("{[", c->text[c->at]))
			depth++;
		else if (strchr("}]", c->text[c->at]))
			depth--;
		c->at++;
	} while (depth);
}

static void take_rest(struct cutter *c, size_t end)
{
	g_string_append_len(c->rest, c->text + c->copied, (gssize)(end - c->copied));
	c->copied = end;
}

/* The elements of an array; false: not all of them are objects, or it is no JSON. */
static bool cut_elements(struct cutter *c)
{
	skip_space(c);
	if (c->text[c->at] == ']')
		return true;
	for (;;) {
		struct part p = { c->at, 0 };

		if (c->text[c->at] != '{')
			return false;
		skip_brackets(c);
		p.len = c->at - p.at;
		g_array_append_val(c->parts, p);
		skip_space(c);
		if (c->text[c->at] != ',')
			return c->text[c->at] == ']';
		c->at++;
		skip_space(c);
	}
}

/* Of an array that is not as it should be nothing is cut out: whoever reads it says what is wrong. */
static void cut_array(struct cutter *c)
{
	size_t begin = c->at++;

	if (cut_elements(c)) {
		take_rest(c, begin + 1);
		c->copied = c->at;
		c->found = true;
	} else {
		g_array_set_size(c->parts, 0);
		c->at = begin;
		skip_brackets(c);
	}
}

/* A member of the whole: its name, and its value if that is a list of targets. */
static void cut_member(struct cutter *c)
{
	size_t name = c->at + 1;
	bool wanted;

	skip_string(c);
	wanted = !c->found && c->at - name == sizeof member && !strncmp(c->text + name, member, sizeof member - 1);
	skip_space(c);
	if (c->text[c->at] != ':')
		return;
	c->at++;
	skip_space(c);
	if (wanted && c->text[c->at] == '[')
		cut_array(c);
}

static void cut(struct cutter *c)
{
	skip_space(c);
	if (c->text[c->at] == '{')
		c->at++;
	while (c->at < c->len)
		if (c->text[c->at] == '"')
			cut_member(c);
		else if (strchr("{[", c->text[c->at]))
			skip_brackets(c);
		else
			c->at++;
	take_rest(c, c->len);
}

/* What is wrong with an element is wrong with it there. */
static void prefix_wrongs(GPtrArray *wrongs, unsigned from, unsigned n)
{
	for (unsigned i = from; i < wrongs->len; i++) {
		struct wrong *w = wrongs->pdata[i];
		char *field = g_strdup_printf("%s[%u]%s%s", member, n, *w->field ? "." : "", w->field);

		g_free(w->field);
		w->field = field;
	}
}

static enum conf_text read_part(const struct conf_json *j, const char *text, size_t len, struct conf *conf, GHashTable *before)
{
	g_autoptr(JsonNode) node = json_read(text, len, j->wrongs);
	struct conf_json whole = {
		.mode = CONF_JSON_WHOLE, .iscsi = &conf->iscsi, .plugin_dirs = j->plugin_dirs, .wrongs = j->wrongs,
	};
	struct conf_target *t;
	const char *iqn;

	if (!node)
		return CONF_TEXT_NO_JSON;
	iqn = json_object_get_string_member_with_default(json_node_get_object(node), "iqn", NULL);
	t = conf_add_target(conf);
	return conf_from_json(&whole, CONF_TARGET, node, t, iqn ? g_hash_table_lookup(before, iqn) : NULL) ?
		CONF_TEXT_READ : CONF_TEXT_WRONG;
}

static enum conf_text read_parts(const struct conf_json *j, const struct cutter *c, struct conf *conf, GHashTable *before)
{
	enum conf_text all = CONF_TEXT_READ;

	for (unsigned i = 0; i < c->parts->len && all != CONF_TEXT_NO_JSON; i++) {
		const struct part *p = &g_array_index(c->parts, struct part, i);
		unsigned from = j->wrongs->len;
		enum conf_text one = read_part(j, c->text + p->at, p->len, conf, before);

		prefix_wrongs(j->wrongs, from, i);
		if (one != CONF_TEXT_READ)
			all = one;
	}
	return all;
}

static enum conf_text read_cut(const struct conf_json *j, const struct cutter *c, struct conf *conf, const struct conf *old,
			       bool *has_targets)
{
	g_autoptr(JsonNode) node = json_read(c->rest->str, c->rest->len, j->wrongs);
	const struct conf *from = j->mode == CONF_JSON_PATCH ? conf : old;
	g_autoptr(GHashTable) before = NULL;
	GPtrArray *was = NULL;
	enum conf_text result, parts;

	if (!node)
		return CONF_TEXT_NO_JSON;
	*has_targets = json_object_has_member(json_node_get_object(node), member);
	if (c->found) {
		before = from ? place_index(CONF_TARGET, from->targets) : g_hash_table_new(g_str_hash, g_str_equal);
		was = conf->targets;	/* NOLINT(clang-analyzer-core.NullDereference): from may be NULL, conf is not */
		conf->targets = g_ptr_array_new();
	}
	result = conf_from_json(j, CONF_TOP, node, conf, old) ? CONF_TEXT_READ : CONF_TEXT_WRONG;
	if (c->found && conf->targets->len) {
		wrong_add(j->wrongs, member, "comes twice");
		result = CONF_TEXT_WRONG;
	}
	parts = c->found ? read_parts(j, c, conf, before) : CONF_TEXT_READ;
	for (unsigned i = 0; was && i < was->len; i++)
		schema_free(CONF_TARGET, was->pdata[i]);
	if (was)
		g_ptr_array_unref(was);
	return parts == CONF_TEXT_READ ? result : parts;
}

enum conf_text conf_from_text(const struct conf_json *j, const char *text, size_t len, struct conf *conf,
			      const struct conf *old, bool *has_targets)
{
	struct cutter c = { .text = text, .len = len };
	enum conf_text result;
	size_t at;
	const char *why = json_text_wrong(text, len, &at);

	*has_targets = false;
	if (why) {
		wrong_add(j->wrongs, "", "%s", why);
		return CONF_TEXT_NO_JSON;
	}
	c.parts = g_array_new(FALSE, FALSE, sizeof(struct part));
	c.rest = g_string_new(NULL);
	cut(&c);
	result = read_cut(j, &c, conf, old, has_targets);
	g_array_unref(c.parts);
	explicit_bzero(c.rest->str, c.rest->len);	/* accounts of discovery */
	g_string_free(c.rest, TRUE);
	return result;
}
