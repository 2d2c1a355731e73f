/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-settings.c - settings of a plugin, a line NAME=VALUE each. */
#include "config.h"
#include <stdlib.h>
#include "backstore/settings.h"
#include "fuzz.h"

struct conf {
	const char *path, *secret;
	int sync;
	uint64_t count, size;
};

static const struct gotgt_param params[] = {
	{ "path", GOTGT_PARAM_STRING, GOTGT_PARAM_PATH, offsetof(struct conf, path), NULL, "A path" },
	{ "secret", GOTGT_PARAM_STRING, GOTGT_PARAM_SECRET, offsetof(struct conf, secret), "none", "Not shown" },
	{ "sync", GOTGT_PARAM_BOOL, 0, offsetof(struct conf, sync), "yes", "Whether" },
	{ "count", GOTGT_PARAM_UINT, 0, offsetof(struct conf, count), "7", "How many" },
	{ "size", GOTGT_PARAM_SIZE, 0, offsetof(struct conf, size), "1M", "How large" },
	{ NULL },
};

static const struct gotgt_plugin plugin = {
	.abi = GOTGT_ABI, .size = sizeof plugin, .name = "p", .version = "3", .description = "Fuzzing",
	.conf_size = sizeof(struct conf), .params = params,
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	g_auto(GStrv) lines = g_strsplit(text, "\n", 64);
	g_autoptr(GPtrArray) pairs = g_ptr_array_new();
	g_autoptr(GError) error = NULL;
	struct settings *s;

	for (char **l = lines; *l; l++) {
		char *value = strchr(*l, '=');

		if (!value)
			break;
		*value++ = '\0';
		g_ptr_array_add(pairs, *l);
		g_ptr_array_add(pairs, value);
	}
	g_ptr_array_add(pairs, NULL);
	s = settings_parse(&plugin, (const char *const *)pairs->pdata, &error);
	if (!s == !error)
		abort();
	if (s) {
		const struct conf *c = settings_conf(s);

		if (!c->secret || c->sync < 0 || c->sync > 1)
			abort();
	}
	settings_free(s);
	return 0;
}
