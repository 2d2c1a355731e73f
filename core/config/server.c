/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - the running set: engine, node, targets and their devices. */
#include "config.h"
#include <string.h>
#include <sys/stat.h>
#include "backstore/settings.h"
#include "config/server-internal.h"
#include "engine/log.h"
#include "engine/reach.h"
#include "engine/statefile.h"

#define LOG_DOMAIN LOGD_CONFIG

static void free_lun(gpointer data)
{
	struct run_lun *rl = data;

	g_free(rl->file);
	g_free(rl);
}

struct run_target *run_target_new(struct server *s, const struct conf_target *conf)
{
	struct run_target *rt = g_new0(struct run_target, 1);

	rt->conf = conf;
	rt->scsi = target_new(s->engine, conf->iqn);
	rt->portals = g_ptr_array_new();
	rt->luns = g_hash_table_new_full(NULL, NULL, NULL, free_lun);
	return rt;
}

void run_target_free(struct run_target *rt)
{
	target_free(rt->scsi);
	g_ptr_array_unref(rt->portals);
	g_hash_table_unref(rt->luns);
	g_free(rt);
}

struct run_lun *run_target_lun(const struct run_target *rt, uint32_t number)
{
	return g_hash_table_lookup(rt->luns, GUINT_TO_POINTER(number));
}

struct lun_conf run_lun_conf(const struct conf_lun *conf)
{
	return (struct lun_conf){
		.block_size = conf->block_size, .physical_block_size = conf->physical_block_size,
		.alignment_offset = conf->alignment_offset, .optimal_io_size = conf->optimal_io_size,
		.read_only = conf->read_only, .thin = conf->thin, .removable = conf->removable,
		.io_timeout_s = conf->io_timeout_s,
		.serial = conf->serial, .vendor = conf->vendor, .product = conf->product,
		.offline = !conf->online, .naa = conf->naa ? g_ascii_strtoull(conf->naa, NULL, 16) : 0,
	};
}

/* Permission was denied, and not by the file's mode. */
static void tell_outside(const struct conf_lun *conf, GError **error)
{
	for (char **pair = conf->settings; error && *error && pair && *pair; pair += 2) {
		g_autofree char *was = NULL;

		if (!g_path_is_absolute(pair[1]) || reach_has(pair[1]))
			continue;
		was = (*error)->message;
		(*error)->message = g_strdup_printf("%s; it is not in confine-paths, which a restart can change", was);
		return;
	}
}

struct device *run_lun_device(struct server *s, const struct conf_target *t, const struct conf_lun *conf,
			      GError **error)
{
	g_autofree char *name = g_strdup_printf("target %s lun %u", t->iqn, conf->number);
	const struct module *m = conf->module ? conf->module : plugins_get(s->plugin_dirs, conf->plugin, error);
	const struct device_owner owner = { .target = t->iqn, .lun = conf->number, .context = conf->context };
	struct device *dev = NULL;

	if (m)
		dev = device_open_for(s->engine, m, name, (const char *const *)conf->settings, conf->read_only,
				      &owner, error);
	if (!dev)
		tell_outside(conf, error);
	if (!dev)
		g_prefix_error(error, "%s: ", name);
	return dev;
}

char *run_lun_file(const struct server *s, const struct conf_lun *conf)
{
	const struct module *m = conf->module ? conf->module : plugins_get(s->plugin_dirs, conf->plugin, NULL);
	const char *path = m ? settings_path_name(&m->ops) : NULL;

	if (conf->context)
		return g_strdup_printf("%p", conf->context);
	for (char **pair = conf->settings; path && pair && *pair; pair += 2)
		if (g_str_equal(pair[0], path))
			return g_strdup_printf("%s:%s", conf->plugin, pair[1]);
	return NULL;
}

static struct file_id file_id(const char *file)
{
	const char *path = file ? strchr(file, ':') : NULL;
	struct stat st;

	return path && stat(path + 1, &st) == 0 ? (struct file_id){ st.st_dev, st.st_ino } : (struct file_id){ 0 };
}

bool run_lun_file_stays(const char *file, const struct file_id *id)
{
	struct file_id now = file_id(file);

	return !id->ino || (now.dev == id->dev && now.ino == id->ino);
}

bool run_lun_is_lost_when_closed(const struct server *s, const char *file)
{
	GHashTableIter targets, luns;
	gpointer rt, rl;
	bool lost = false;

	g_hash_table_iter_init(&targets, s->targets);
	while (g_hash_table_iter_next(&targets, NULL, &rt)) {
		g_hash_table_iter_init(&luns, ((struct run_target *)rt)->luns);
		while (g_hash_table_iter_next(&luns, NULL, &rl)) {
			const struct run_lun *open = rl;

			lost |= open->lun && open->file && g_strcmp0(open->file, file) == 0 && !run_lun_file_stays(file, &open->id);
		}
	}
	return lost;
}

/* One LUN more, or one less, has it open. */
static void count_file(struct server *s, const char *file, int by)
{
	int n = file ? GPOINTER_TO_INT(g_hash_table_lookup(s->files, file)) + by : 0;

	if (n)
		g_hash_table_insert(s->files, g_strdup(file), GINT_TO_POINTER(n));
	else if (file)
		g_hash_table_remove(s->files, file);
}

static struct run_lun *insert_lun(struct run_target *rt, const struct conf_lun *conf, struct lun *lun)
{
	struct run_lun *rl = g_new0(struct run_lun, 1);

	rl->conf = conf;
	rl->lun = lun;
	g_hash_table_insert(rt->luns, GUINT_TO_POINTER(conf->number), rl);
	return rl;
}

bool run_lun_open(struct server *s, struct run_target *rt, const struct conf_lun *conf, struct device *dev,
		  GError **error)
{
	struct lun_conf lc = run_lun_conf(conf);
	struct run_lun *rl;
	struct lun *lun;

	if (!dev)
		dev = run_lun_device(s, rt->conf, conf, error);
	if (!dev)
		return false;
	lun = target_add_lun(rt->scsi, conf->number, dev, &lc, error);
	if (!lun) {
		device_close(dev);
		g_prefix_error(error, "target %s lun %u: ", rt->conf->iqn, conf->number);
		return false;
	}
	rl = insert_lun(rt, conf, lun);
	rl->file = run_lun_file(s, conf);
	rl->id = file_id(rl->file);
	count_file(s, rl->file, 1);
	return true;
}

void run_lun_left_out(struct run_target *rt, const struct conf_lun *conf)
{
	insert_lun(rt, conf, NULL);
}

void run_lun_close(struct server *s, struct run_target *rt, uint32_t number)
{
	struct run_lun *rl = run_target_lun(rt, number);

	if (rl->lun)
		target_remove_lun(rt->scsi, number, rt->node ? node_quiesce_lun : NULL, rt->node);
	count_file(s, rl->file, -1);
	g_hash_table_remove(rt->luns, GUINT_TO_POINTER(number));
}

static void free_target(gpointer data)
{
	run_target_free(data);
}

/* Targets can be served without; whoever relies on it is to know now, and not when power was lost. */
static void check_state_dir(const char *dir)
{
	int r = dir ? statefile_ready(dir) : 0;

	if (r < 0)
		log_warning("state-dir %s: %s; persistent reservations and saved mode pages cannot be kept there", dir, g_strerror(-r));
}

static bool start_threads(struct server *s, const struct conf *conf, GError **error)
{
	const struct conf_limits *l = &conf->limits;

	s->engine = engine_new(conf->reactors, conf->workers, error);
	if (!s->engine)
		return false;
	s->engine->state_dir = g_strdup(conf->state_dir);
	check_state_dir(conf->state_dir);
	s->node = node_new(s->engine);
	s->node->max_conns = l->max_connections;
	s->node->max_logins = l->max_logins;
	s->node->max_logins_per_address = l->max_logins_per_address;
	s->node->login_timeout_s = l->login_timeout_s;
	s->node->nop_interval_s = l->nop_interval_s;
	s->node->nop_timeout_s = l->nop_timeout_s;
	s->node->tcp_user_timeout_s = l->tcp_user_timeout_s;
	s->node->queue_depth = l->queue_depth;
	s->node->max_memory = (uint64_t)l->max_command_memory_mib << 20;
	return true;
}

/* To start is to apply a configuration to a server that has nothing. */
struct server *server_start(struct conf *conf, char **plugin_dirs, bool skip_broken, GError **error)
{
	struct server *s = g_new0(struct server, 1);

	s->plugin_dirs = (const char *const *)plugin_dirs;
	s->skip_broken = skip_broken;
	s->portals = g_ptr_array_new_with_free_func(g_free);
	s->targets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_target);
	s->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	s->conf = conf_new();
	if (!start_threads(s, conf, error)) {
		conf_free(conf);
	} else if (server_apply(s, conf, error)) {
		s->started = true;
		return s;
	}
	server_stop(s, 0);
	return NULL;
}

static void close_luns(struct server *s, struct run_target *rt)
{
	g_autoptr(GList) numbers = g_hash_table_get_keys(rt->luns);

	for (GList *n = numbers; n; n = n->next)
		run_lun_close(s, rt, GPOINTER_TO_UINT(n->data));
}

/* After node_shutdown() nobody is logged in: LUNs go without asking the node. */
static void close_targets(struct server *s)
{
	GHashTableIter it;
	gpointer value;

	g_hash_table_iter_init(&it, s->targets);
	while (g_hash_table_iter_next(&it, NULL, &value)) {
		struct run_target *rt = value;

		if (rt->node)
			node_remove_target(s->node, rt->node, 0);
		rt->node = NULL;
		close_luns(s, rt);
		g_hash_table_iter_remove(&it);
	}
}

void server_stop(struct server *s, unsigned grace_ms)
{
	if (!s)
		return;
	if (s->node) {
		node_shutdown(s->node, grace_ms);
		close_targets(s);
		node_free(s->node);
	}
	if (s->engine) {
		target_free_left(s->engine);
		engine_free(s->engine);
	}
	g_hash_table_unref(s->targets);
	g_hash_table_unref(s->files);
	g_ptr_array_unref(s->portals);
	conf_free(s->conf);
	g_free(s);
}

const struct conf *server_conf(const struct server *s)
{
	return s->conf;
}

struct node *server_node(const struct server *s)
{
	return s->node;
}

const char *const *server_plugin_dirs(const struct server *s)
{
	return s->plugin_dirs;
}

const struct conf_target *server_target(const struct server *s, const char *iqn)
{
	const struct run_target *rt = g_hash_table_lookup(s->targets, iqn);

	return rt ? rt->conf : NULL;
}

/* All but the targets, and of these one. */
struct conf *server_conf_part(const struct server *s, const char *iqn)
{
	const struct conf_target *t = iqn ? server_target(s, iqn) : NULL;
	GPtrArray *one = g_ptr_array_new();
	struct conf part = *s->conf;
	struct conf *copy;

	if (t)
		g_ptr_array_add(one, (gpointer)t);
	part.targets = one;
	copy = schema_dup(CONF_TOP, &part);
	g_ptr_array_unref(one);
	return copy;
}

struct lun *server_lun(const struct server *s, const char *iqn, uint32_t number)
{
	const struct run_target *rt = g_hash_table_lookup(s->targets, iqn);
	const struct run_lun *rl = rt ? run_target_lun(rt, number) : NULL;

	return rl ? rl->lun : NULL;
}

const char *server_portal(const struct server *s, unsigned n)
{
	struct run_portal *rp = n < s->portals->len ? s->portals->pdata[n] : NULL;

	return rp ? portal_name(rp->portal) : NULL;
}

GArray *server_sessions(struct server *s)
{
	return node_sessions(s->node);
}

bool server_drop_session(struct server *s, uint16_t tsih)
{
	return node_drop_session(s->node, tsih);
}

bool server_pulse(struct server *s)
{
	return engine_pulse(s->engine);
}

unsigned server_luns(const struct server *s)
{
	GHashTableIter it, luns;
	gpointer rt, rl;
	unsigned n = 0;

	g_hash_table_iter_init(&it, s->targets);
	while (g_hash_table_iter_next(&it, NULL, &rt)) {
		g_hash_table_iter_init(&luns, ((struct run_target *)rt)->luns);
		while (g_hash_table_iter_next(&luns, NULL, &rl))
			n += ((struct run_lun *)rl)->lun != NULL;
	}
	return n;
}
