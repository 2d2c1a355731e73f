/* SPDX-License-Identifier: Apache-2.0 */
/*
 * landlock.c - see landlock.h.  A kernel is asked for what it knows: its ABI's version says which rights there are.
 *
 * Rights that are not named are not taken: to run programs is the filter's, and ioctl() of devices is what block devices
 * are used with.  Folders are what is given, not files, since both what we save and what others write anew takes the
 * place of a file.
 */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#if __has_include(<linux/landlock.h>)
#include <linux/landlock.h>
#endif
#include "config/server.h"
#ifdef HAVE_CONTROL
#include "control/control.h"
#endif
#include "engine/reach.h"
#include "lib/landlock.h"

#define FAIL(...) g_set_error(error, SERVER_ERROR, 0, __VA_ARGS__)

const char *landlock_wrong(const char *path)
{
	g_autofree char *real = g_path_is_absolute(path) ? reach_real(path) : NULL;

	if (!real)
		return "expected a whole path";
	return access(real, F_OK) ? "there is no such folder" : NULL;
}

#if defined(LANDLOCK_CREATE_RULESET_VERSION) && defined(__NR_landlock_create_ruleset)

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define OF_FILES (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)
#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE (READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_REFER | \
	       LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
	       LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR)
#define TAKEN (WRITE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | \
	       LANDLOCK_ACCESS_FS_MAKE_SYM)

struct rules {
	int fd;
	uint64_t taken;			/* of TAKEN what the kernel knows */
	GPtrArray *paths;
};

/* What is not there is nothing to be reached. */
static bool add(struct rules *r, const char *path, uint64_t access, GError **error)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access & r->taken };
	int failed = 0;
	struct stat st;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return true;
	if (fstat(rule.parent_fd, &st) < 0)
		failed = errno;
	else if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= OF_FILES;
	if (!failed && syscall(__NR_landlock_add_rule, r->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		failed = errno;
	close(rule.parent_fd);
	if (failed)
		FAIL("%s: %s", path, g_strerror(failed));
	else
		g_ptr_array_add(r->paths, g_strdup(path));
	return !failed;
}

/* The folder a file is in; a folder or a device by itself. */
static bool add_of(struct rules *r, const char *path, uint64_t access, GError **error)
{
	g_autofree char *real = path ? reach_real(path) : NULL, *dir = real ? g_path_get_dirname(real) : NULL;
	struct stat st;

	if (!real)
		return true;
	return add(r, stat(real, &st) || S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode) ? dir : real, access, error);
}

/* What is not in the configuration, and any process needs. */
static bool add_system(struct rules *r, char *const *plugin_dirs, GError **error)
{
	static const struct { const char *path; uint64_t access; } system[] = {
		{ "/usr", READ }, { "/lib", READ }, { "/lib64", READ }, { "/etc", READ }, { "/proc", READ }, { "/sys", READ },
		{ "/dev/null", OF_FILES }, { "/dev/urandom", READ }, { "/dev/random", READ }, { "/run/systemd/resolve", READ },
	};
	const GPtrArray *others = reach_others();
	bool ok = add_of(r, g_getenv("CREDENTIALS_DIRECTORY"), READ, error);

	for (size_t i = 0; i < G_N_ELEMENTS(system) && ok; i++)
		ok = add(r, system[i].path, system[i].access, error);
	for (; plugin_dirs && *plugin_dirs && ok; plugin_dirs++)
		ok = add(r, *plugin_dirs, READ, error);
	for (unsigned i = 0; others && i < others->len && ok; i++)
		ok = add_of(r, others->pdata[i], WRITE, error);
	return ok;
}

static bool add_accounts(struct rules *r, const GPtrArray *accounts, GError **error)
{
	bool ok = true;

	for (unsigned i = 0; i < accounts->len && ok; i++) {
		const struct conf_account *a = accounts->pdata[i];

		ok = add_of(r, a->secret_file, READ, error) && add_of(r, a->mutual_secret_file, READ, error);
	}
	return ok;
}

/* A plugin's settings that are whole paths. */
static bool add_luns(struct rules *r, const struct conf_target *t, GError **error)
{
	bool ok = true;

	for (unsigned i = 0; i < t->luns->len; i++) {
		const struct conf_lun *lun = t->luns->pdata[i];

		for (char **pair = lun->settings; pair && *pair && ok; pair += 2)
			if (g_path_is_absolute(pair[1]))
				ok = add_of(r, pair[1], WRITE, error);
	}
	return ok;
}

/* Its folder is made now: where that is nothing is to be reached. */
static bool add_socket(struct rules *r, const char *socket, GError **error)
{
#ifdef HAVE_CONTROL
	g_autofree char *path = socket ? g_strdup(socket) : control_default_path(), *dir = g_path_get_dirname(path);

	if (!g_path_is_absolute(path))
		return true;
	g_mkdir_with_parents(dir, 0755);
	return add_of(r, path, WRITE, error);
#else
	return true;
#endif
}

static bool add_conf(struct rules *r, const struct conf *c, GError **error)
{
	const struct conf_control *cc = &c->control;
	const char *const files[] = { cc->token_file, cc->tls_certificate, cc->tls_key, cc->tls_client_ca };
	bool ok = add_of(r, c->where.file, WRITE, error) && add_socket(r, cc->socket, error) &&
		  add_accounts(r, c->discovery.accounts, error);

	for (size_t i = 0; i < G_N_ELEMENTS(files) && ok; i++)
		ok = add_of(r, files[i], READ, error);
	if (ok && c->state_dir) {
		g_mkdir_with_parents(c->state_dir, 0700);	/* where it cannot be, who saves there says so */
		ok = add(r, c->state_dir, WRITE, error);
	}
	for (unsigned i = 0; i < c->targets->len && ok; i++) {
		const struct conf_target *t = c->targets->pdata[i];

		ok = add_of(r, t->where.file, READ, error) && add_accounts(r, t->accounts, error) && add_luns(r, t, error);
	}
	return ok;
}

static bool add_wanted(struct rules *r, char *const *paths, GError **error)
{
	for (; *paths; paths++) {
		g_autofree char *real = reach_real(*paths);
		const char *wrong = landlock_wrong(*paths);

		if (wrong) {
			FAIL("confine-paths: %s: %s", *paths, wrong);
			return false;
		}
		if (!add(r, real, WRITE, error))
			return false;
	}
	return true;
}

/* Threads that are there already would stay as they are. */
static bool alone(void)
{
	GDir *dir = g_dir_open("/proc/self/task", 0, NULL);
	unsigned n = 0;

	while (dir && g_dir_read_name(dir))
		n++;
	if (dir)
		g_dir_close(dir);
	return n == 1;
}

static bool enforce(struct rules *r, const struct conf *c, char *const *plugin_dirs, GError **error)
{
	if (!add_wanted(r, c->confine_paths, error) || !add_system(r, plugin_dirs, error) || !add_conf(r, c, error))
		return false;
	if (syscall(__NR_landlock_restrict_self, r->fd, 0) < 0) {
		FAIL("confine-paths: %s", g_strerror(errno));
		return false;
	}
	reach_confine(g_ptr_array_ref(r->paths));
	return true;
}

bool landlock_start(const struct conf *c, char *const *plugin_dirs, bool *missing, GError **error)
{
	long abi = syscall(__NR_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct rules r = { .taken = TAKEN };
	struct landlock_ruleset_attr attr = { 0 };
	bool ok;

	*missing = abi < 1 || !alone();
	if (*missing) {
		FAIL("confine-paths: %s", abi < 1 ? "this kernel has no Landlock, or does not use it" : "there are threads already");
		return false;
	}
	if (abi < 2)
		r.taken &= ~LANDLOCK_ACCESS_FS_REFER;
	if (abi < 3)
		r.taken &= ~LANDLOCK_ACCESS_FS_TRUNCATE;
	attr.handled_access_fs = r.taken;
	r.fd = (int)syscall(__NR_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (r.fd < 0) {
		FAIL("confine-paths: %s", g_strerror(errno));
		return false;
	}
	r.paths = g_ptr_array_new_with_free_func(g_free);
	ok = enforce(&r, c, plugin_dirs, error);
	g_ptr_array_unref(r.paths);
	close(r.fd);
	return ok;
}
#else
bool landlock_start(const struct conf *c, char *const *plugin_dirs, bool *missing, GError **error)
{
	*missing = true;
	FAIL("confine-paths: this build knows no Landlock");
	return false;
}
#endif
