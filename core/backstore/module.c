/* SPDX-License-Identifier: Apache-2.0 */
/* module.c - find a plugin, check it, keep it. */
#include "config.h"
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <ltdl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "backstore/module.h"

G_DEFINE_QUARK(gotgt-module-error, module_error)

/* Everything up to and including submit() was in the first release. */
#define SIZE_V1 (offsetof(struct gotgt_plugin, submit) + sizeof(void *))
#define KNOWN_FLAGS (GOTGT_PLUGIN_BLOCKING | GOTGT_PLUGIN_SERIAL | GOTGT_PLUGIN_NOWAIT)
#define CONF_MAX 65536
#define PRIV_MAX 4096

static gboolean fail(GError **error, enum module_error code, const char *path, const char *why)
{
	g_set_error(error, MODULE_ERROR, code, "%s: %s", path, why);
	return FALSE;
}

bool module_name_ok(const char *name)
{
	if (!name || !g_ascii_islower(*name))
		return false;
	for (; *name; name++)
		if (!g_ascii_islower(*name) && !g_ascii_isdigit(*name) && *name != '-')
			return false;
	return true;
}

/* Rows that fit the struct, with names of the right form, at most one of them the path. */
static gboolean params_ok(const struct gotgt_plugin *p)
{
	static const size_t width[] = { sizeof(char *), sizeof(int), sizeof(uint64_t), sizeof(uint64_t) };

	unsigned n_paths = 0;

	for (const struct gotgt_param *q = p->params; q && q->name; q++) {
		if (!module_name_ok(q->name) || q->type >= G_N_ELEMENTS(width) || q->offset > p->conf_size ||
		    p->conf_size - q->offset < width[q->type])
			return FALSE;
		n_paths += !!(q->flags & GOTGT_PARAM_PATH);
	}
	return n_paths <= 1;
}

/* Copy what the plugin has into our, perhaps longer, table and check it. */
static gboolean adopt(struct module *m, const struct gotgt_plugin *p, const char *name, GError **error)
{
	if (!p)
		return fail(error, MODULE_ERROR_INVALID, m->path, "refused to start");
	if (p->abi != GOTGT_ABI)
		return fail(error, MODULE_ERROR_ABI, m->path, "built for another plugin ABI");
	if (p->size < SIZE_V1)
		return fail(error, MODULE_ERROR_ABI, m->path, "plugin table too short");
	memcpy(&m->ops, p, MIN(p->size, sizeof m->ops));
	m->ops.size = sizeof m->ops;

	if (!m->ops.name || !g_str_equal(m->ops.name, name))
		return fail(error, MODULE_ERROR_INVALID, m->path, "name is not the file's name");
	if (!m->ops.open || !m->ops.close || !m->ops.submit)
		return fail(error, MODULE_ERROR_INVALID, m->path, "open, close or submit is missing");
	if (m->ops.flags & ~KNOWN_FLAGS)
		return fail(error, MODULE_ERROR_ABI, m->path, "wants something this version lacks");
	if (m->ops.conf_size > CONF_MAX || m->ops.io_priv_size > PRIV_MAX || !params_ok(&m->ops))
		return fail(error, MODULE_ERROR_INVALID, m->path, "bad settings table");
	return TRUE;
}

/*
 * libltdl says "file not found" whatever went wrong, so when it fails ask the
 * system's loader for the real reason.
 */
static const char *why_not(const char *path)
{
	const char *why;

	/* NOLINTNEXTLINE(leakNoVarFunctionCall): libltdl could not load it and this can, so it is there for good */
	if (dlopen(path, RTLD_NOW | RTLD_LOCAL))
		return lt_dlerror();
	why = dlerror();	/* NOLINT(concurrency-mt-unsafe): its error is the thread's */
	return why ? why : "unknown error";
}

/*
 * A file that is being copied, or was not to its end, is mapped by the system's loader as if it were all there, and the
 * first byte that is not kills the process.  What is no ELF of this machine it refuses by itself.
 */
static bool is_cut(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ElfW(Ehdr) e;
	ElfW(Phdr) p;
	struct stat st;
	bool cut = false;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && pread(fd, &e, sizeof e, 0) == sizeof e && !memcmp(e.e_ident, ELFMAG, SELFMAG) &&
	    e.e_ident[EI_CLASS] == (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) && e.e_phentsize == sizeof p)
		for (unsigned i = 0; i < e.e_phnum && !cut; i++)
			cut = pread(fd, &p, sizeof p, (off_t)(e.e_phoff + i * sizeof p)) != sizeof p ||
			      (p.p_type == PT_LOAD &&
			       (p.p_offset > (uint64_t)st.st_size || p.p_filesz > (uint64_t)st.st_size - p.p_offset));
	close(fd);
	return cut;
}

static lt_dlhandle open_private(const char *path)
{
	lt_dladvise advise;
	lt_dlhandle h = NULL;

	if (lt_dlinit() || lt_dladvise_init(&advise))
		return NULL;
	if (!lt_dladvise_local(&advise) && !lt_dladvise_resident(&advise))
		h = lt_dlopenadvise(path, advise);
	lt_dladvise_destroy(&advise);
	return h;
}

/*
 * What is loaded stays, for every server of this process: libltdl would hand out the same code twice with two tables
 * over it.  It is not for several threads either.
 */
static GHashTable *loaded;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct module *load(const char *path, const char *name, const struct gotgt_host *host, GError **error)
{
	const struct gotgt_plugin *(*entry)(const struct gotgt_host *);
	g_autofree struct module *m = g_new0(struct module, 1);
	g_autofree char *own_path = g_strdup(path);
	lt_dlhandle h;

	m->path = own_path;
	if (is_cut(path)) {
		fail(error, MODULE_ERROR_LOAD, path, "it is not whole: a part of the file is missing");
		return NULL;
	}
	h = open_private(path);
	if (!h) {
		fail(error, MODULE_ERROR_LOAD, path, why_not(path));
		return NULL;
	}
	*(void **)&entry = lt_dlsym(h, "gotgt_plugin_v1");
	if (!entry) {
		fail(error, MODULE_ERROR_ABI, path, "no gotgt_plugin_v1: not a plugin, or for another ABI");
		return NULL;
	}
	if (!adopt(m, entry(host), name, error))
		return NULL;
	m->path = g_steal_pointer(&own_path);
	return g_steal_pointer(&m);
}

struct module *module_load(const char *dir, const char *name, const struct gotgt_host *host, GError **error)
{
	g_autofree char *file = g_strdup_printf("%s/%s.so", dir, name);
	g_autofree char *path = g_canonicalize_filename(file, NULL);
	struct module *m;

	if (!module_name_ok(name)) {
		fail(error, MODULE_ERROR_INVALID, name, "not a plugin name");
		return NULL;
	}
	pthread_mutex_lock(&lock);
	if (!loaded)
		loaded = g_hash_table_new(g_str_hash, g_str_equal);
	m = g_hash_table_lookup(loaded, path);
	if (!m && (m = load(path, name, host, error)))
		g_hash_table_insert(loaded, m->path, m);
	pthread_mutex_unlock(&lock);
	return m;
}

struct module *module_adopt(const struct gotgt_plugin *table, GError **error)
{
	const char *name = table && table->abi == GOTGT_ABI && table->size >= SIZE_V1 ? table->name : NULL;
	struct module *m = g_new0(struct module, 1);

	m->path = g_strdup_printf("plugin %s", name ? name : "without a name");
	if (name && !module_name_ok(name))
		fail(error, MODULE_ERROR_INVALID, m->path, "not a plugin name");
	else if (adopt(m, table, name ? name : "", error))
		return m;
	module_free(m);
	return NULL;
}

void module_free(struct module *m)
{
	if (m)
		g_free(m->path);
	g_free(m);
}

char **module_dirs(const char *path)
{
	g_auto(GStrv) given = g_strsplit(path ? path : "", ":", -1);
	GPtrArray *dirs = g_ptr_array_new();

	for (char **d = given; *d; d++)
		if (**d)
			g_ptr_array_add(dirs, g_canonicalize_filename(*d, NULL));
	g_ptr_array_add(dirs, g_strdup(PLUGINDIR));
	g_ptr_array_add(dirs, NULL);
	return (char **)g_ptr_array_free(dirs, FALSE);
}

char *module_where(const char *const *dirs, const char *name, GError **error)
{
	g_autofree char *all = g_strjoinv(", ", (char **)dirs);

	if (!module_name_ok(name)) {
		fail(error, MODULE_ERROR_INVALID, name, "not a plugin name");
		return NULL;
	}
	for (; *dirs; dirs++) {
		g_autofree char *path = g_strdup_printf("%s/%s.so", *dirs, name);

		if (g_file_test(path, G_FILE_TEST_EXISTS))
			return g_strdup(*dirs);
	}
	g_set_error(error, MODULE_ERROR, MODULE_ERROR_LOAD, "plugin %s: no %s.so in %s", name, name, all);
	return NULL;
}

struct module *module_find(const char *const *dirs, const char *name, const struct gotgt_host *host, GError **error)
{
	g_autofree char *dir = module_where(dirs, name, error);

	return dir ? module_load(dir, name, host, error) : NULL;
}

static void list_dir(const char *path, GHashTable *names)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *file;

	while (dir && (file = g_dir_read_name(dir)))
		if (g_str_has_suffix(file, ".so")) {
			g_autofree char *name = g_strndup(file, strlen(file) - strlen(".so"));

			if (module_name_ok(name))
				g_hash_table_add(names, g_steal_pointer(&name));
		}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **module_list(const char *const *dirs)
{
	g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
	char **list;
	unsigned n;

	for (; *dirs; dirs++)
		list_dir(*dirs, names);
	list = (char **)g_hash_table_get_keys_as_array(names, &n);
	qsort(list, n, sizeof *list, by_name);
	return list;
}
