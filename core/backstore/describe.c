/* SPDX-License-Identifier: Apache-2.0 */
/* describe.c - a plugin's table as text and as JSON. */
#include "config.h"
#include <gotgt/ext-compare.h>
#include <gotgt/ext-copy.h>
#include <gotgt/ext-extents.h>
#include <gotgt/ext-memory.h>
#include <gotgt/ext-size.h>
#include "backstore/describe.h"
#include "backstore/settings.h"
#include "engine/sinks.h"

static const struct { uint32_t flag; const char *name, *meaning; } traits[] = {
	{ GOTGT_PLUGIN_BLOCKING, "blocking", "runs on worker threads" },
	{ GOTGT_PLUGIN_SERIAL, "serial", "takes one request at a time" },
	{ GOTGT_PLUGIN_NOWAIT, "nowait", "answers at once what it can" },
};

static const char *const extensions[] = { GOTGT_EXT_MEMORY, GOTGT_EXT_EXTENTS, GOTGT_EXT_SIZE, GOTGT_EXT_COPY,
					   GOTGT_EXT_COMPARE };

static const struct { uint32_t flag; const char *name; } marks[] = {
	{ GOTGT_PARAM_REQUIRED, "required" }, { GOTGT_PARAM_PATH, "path" }, { GOTGT_PARAM_SECRET, "secret" },
};

static gboolean has_extension(const struct gotgt_plugin *p, const char *id)
{
	return p->extension && p->extension(id);
}

/* A default is shown only where it says something. */
static void text_setting(const struct gotgt_param *q, GString *out)
{
	const char *sep = " (";

	g_string_append_printf(out, "  %-12s %-10s %s", q->name, settings_type_name(q->type), q->help ? q->help : "");
	for (size_t i = 0; i < G_N_ELEMENTS(marks); i++)
		if (q->flags & marks[i].flag) {
			g_string_append_printf(out, "%s%s", sep, marks[i].name);
			sep = ", ";
		}
	if (q->fallback) {
		g_string_append_printf(out, "%sdefault %s", sep, q->fallback);
		sep = ", ";
	}
	g_string_append(out, *sep == ',' ? ")\n" : "\n");
}

void describe_text(const struct module *m, GString *out)
{
	const struct gotgt_plugin *p = &m->ops;

	g_string_append_printf(out, "%s %s: %s\n", p->name, p->version ? p->version : "",
			       p->description ? p->description : "");
	g_string_append_printf(out, "file: %s\nABI: %u\n", m->path, p->abi);
	for (size_t i = 0; i < G_N_ELEMENTS(traits); i++)
		if (p->flags & traits[i].flag)
			g_string_append_printf(out, "%s: %s\n", traits[i].name, traits[i].meaning);
	for (size_t i = 0; i < G_N_ELEMENTS(extensions); i++)
		if (has_extension(p, extensions[i]))
			g_string_append_printf(out, "extension: %s\n", extensions[i]);
	g_string_append(out, p->params && p->params->name ? "settings:\n" : "settings: none\n");
	for (const struct gotgt_param *q = p->params; q && q->name; q++)
		text_setting(q, out);
}

static void json_member(GString *out, const char *name, const char *text)
{
	if (out->str[out->len - 1] != '{')
		g_string_append_c(out, ',');
	json_append_text(out, name);
	g_string_append_c(out, ':');
	json_append_text(out, text);
}

static void json_next(GString *out)
{
	if (out->str[out->len - 1] != '[')
		g_string_append_c(out, ',');
}

static void json_setting(const struct gotgt_param *q, GString *out)
{
	static const char *const types[] = {
		[GOTGT_PARAM_STRING] = "string", [GOTGT_PARAM_BOOL] = "bool", [GOTGT_PARAM_UINT] = "uint",
		[GOTGT_PARAM_SIZE] = "size",
	};

	json_next(out);
	g_string_append_c(out, '{');
	json_member(out, "name", q->name);
	json_member(out, "type", types[q->type]);
	for (size_t i = 0; i < G_N_ELEMENTS(marks); i++)
		g_string_append_printf(out, ",\"%s\":%s", marks[i].name, q->flags & marks[i].flag ? "true" : "false");
	json_member(out, "default", q->fallback);
	json_member(out, "help", q->help);
	g_string_append_c(out, '}');
}

void describe_json(const struct module *m, GString *out)
{
	const struct gotgt_plugin *p = &m->ops;

	g_string_append_c(out, '{');
	json_member(out, "name", p->name);
	json_member(out, "version", p->version);
	json_member(out, "description", p->description);
	json_member(out, "file", m->path);
	g_string_append_printf(out, ",\"abi\":%u", p->abi);
	for (size_t i = 0; i < G_N_ELEMENTS(traits); i++)
		g_string_append_printf(out, ",\"%s\":%s", traits[i].name, p->flags & traits[i].flag ? "true" : "false");
	g_string_append(out, ",\"extensions\":[");
	for (size_t i = 0; i < G_N_ELEMENTS(extensions); i++)
		if (has_extension(p, extensions[i])) {
			json_next(out);
			json_append_text(out, extensions[i]);
		}
	g_string_append(out, "],\"settings\":[");
	for (const struct gotgt_param *q = p->params; q && q->name; q++)
		json_setting(q, out);
	g_string_append(out, "]}\n");
}
