/* SPDX-License-Identifier: Apache-2.0 */
/* target.c - a SCSI target device and its LUN map. */
#include "config.h"
#include <pthread.h>
#include <string.h>
#include "scsi/copy.h"
#include "scsi/lun.h"

G_DEFINE_QUARK(target-error-quark, target_error)

static struct lun_map *map_new(uint32_t n)
{
	struct lun_map *map = g_malloc0(sizeof *map + n * sizeof map->luns[0]);

	map->n = n;
	return map;
}

struct target *target_new(struct engine *e, const char *name)
{
	struct target *t = g_new0(struct target, 1);

	t->engine = e;
	t->name = g_strdup(name);
	atomic_init(&t->map, map_new(0));
	pthread_mutex_init(&t->lock, NULL);
	t->nexuses = g_ptr_array_new();
	t->groups = g_ptr_array_new_with_free_func(g_free);
	t->n_ports = 1;
	t->ports[0] = (struct target_port){ 1, 1 };
	return t;
}

void target_free(struct target *t)
{
	struct lun_map *map = atomic_load(&t->map);

	g_assert(t->nexuses->len == 0);
	for (uint32_t i = 0; i < map->n; i++)
		g_assert(!map->luns[i]);
	g_ptr_array_free(t->nexuses, TRUE);
	g_ptr_array_free(t->groups, TRUE);
	pthread_mutex_destroy(&t->lock);
	g_free(map);
	g_free(t->name);
	g_free(t);
}

const char *target_name(const struct target *t)
{
	return t->name;
}

const char *target_state_dir(const struct target *t)
{
	return t->engine->state_dir;
}

void target_set_ports(struct target *t, const struct target_port *ports, unsigned n)
{
	pthread_mutex_lock(&t->lock);
	t->n_ports = MIN(n, TARGET_PORTS_MAX);
	if (n)		/* else ports may be NULL */
		memcpy(t->ports, ports, t->n_ports * sizeof *ports);
	pthread_mutex_unlock(&t->lock);
}

unsigned target_get_ports(struct target *t, struct target_port ports[TARGET_PORTS_MAX])
{
	unsigned n;

	pthread_mutex_lock(&t->lock);
	n = t->n_ports;
	memcpy(ports, t->ports, n * sizeof *ports);
	pthread_mutex_unlock(&t->lock);
	return n;
}

char *target_port_name(const struct target *t, uint16_t group)
{
	return g_strdup_printf("%s,t,0x%04x", t->name, group);
}

void target_set_functions(struct target *t, unsigned functions)
{
	t->functions = functions;
}

unsigned target_functions(const struct target *t)
{
	return t->functions;
}

void target_set_purge(struct target *t, void (*purge)(void *arg, struct task_purge *p), void *arg)
{
	t->purge_arg = arg;
	t->purge = purge;
}

static void purged(struct post *post)
{
	struct task_purge *p = container_of(post, struct task_purge, post);

	p->done(p);
}

void target_purge(struct target *t, struct task_purge *p)
{
	p->home = reactor_self();
	p->post.run = purged;
	if (t->purge)
		t->purge(t->purge_arg, p);
	else
		reactor_post(p->home, &p->post);
}

static void nothing(struct reactor *r, void *arg)
{
}

/* Publish a map with one entry changed; the old one is freed when no reactor can be looking at it. */
static void publish(struct target *t, uint32_t number, struct lun *lun)
{
	struct lun_map *old = atomic_load(&t->map), *map;
	uint32_t n = MAX(old->n, number + 1);

	if (!lun)
		for (n = old->n; n > 0 && (n - 1 == number || !old->luns[n - 1]); )
			n--;
	map = map_new(n);
	memcpy(map->luns, old->luns, MIN(n, old->n) * sizeof map->luns[0]);
	if (number < n)
		map->luns[number] = lun;
	atomic_store(&t->map, map);
	engine_each(t->engine, nothing, NULL);
	g_free(old);
}

/* Nexuses start a LUN of this number afresh. */
static void forget_lun(struct target *t, uint32_t number)
{
	pthread_mutex_lock(&t->lock);
	for (guint i = 0; i < t->nexuses->len; i++)
		nexus_forget_lun(t->nexuses->pdata[i], number);
	pthread_mutex_unlock(&t->lock);
}

struct lun *target_add_lun(struct target *t, uint32_t number, struct device *dev, const struct lun_conf *conf,
			   GError **error)
{
	struct lun *lun;

	if (number > LUN_MAX) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_INVALID, "LUN %u is beyond %u", number, LUN_MAX);
		return NULL;
	}
	if (target_find_lun(t, (int)number)) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_EXISTS, "LUN %u is there already", number);
		return NULL;
	}
	lun = lun_new(t, number, dev, conf, error);
	if (!lun)
		return NULL;
	forget_lun(t, number);
	publish(t, number, lun);
	lun_name_add(lun);
	target_set_ua_all(t, UA_LUNS_CHANGED, NULL);
	return lun;
}

void target_remove_lun(struct target *t, uint32_t number, void (*quiesce)(struct lun *lun, void *arg), void *arg)
{
	struct lun *lun = target_find_lun(t, (int)number);

	if (!lun)
		return;
	lun_name_remove(lun);
	publish(t, number, NULL);
	target_set_ua_all(t, UA_LUNS_CHANGED, NULL);
	if (quiesce)
		quiesce(lun, arg);
	if (lun_drain(lun))
		lun_free(lun);
	else
		lun_leave(lun);
}

void target_free_left(struct engine *e)
{
	lun_free_left(e);
}

void target_reset(struct target *t)
{
	struct lun_map *map = atomic_load_explicit(&t->map, memory_order_acquire);

	for (uint32_t i = 0; i < map->n; i++)
		if (map->luns[i])
			lun_reset(map->luns[i]);
}
