/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-node-admin.c - what an administrator does to the node of fuzz-node.c; most acts have a byte that says how. */
#include "config.h"
#include <stdlib.h>
#include <unistd.h>
#include "iscsi/acl.h"
#include "iscsi/auth.h"
#include "iscsi/chap.h"
#include "iscsi/count.h"
#include "scsi/lun.h"
#include "fuzz-node.h"

#define SLEEP_MS 1150		/* longer than the timeouts of a second that can be set here */

void admin_add_lun(struct target *t, uint32_t number)
{
	const struct lun_conf conf = { .thin = true };

	if (!target_add_lun(t, number, server_ram(&run.at), &conf, NULL))
		abort();
}

/* One that lends its memory, which goes away when the file is truncated. */
void admin_add_mapped(void)
{
	const char *const settings[] = { "path", mapped.path, NULL };
	const struct lun_conf conf = { .thin = true };
	struct device *dev;

	if (ftruncate(mapped.file, FILE_BYTES) < 0)
		abort();
	dev = device_open(run.at.engine, mapped.module, "mapped", settings, false, NULL);
	if (!dev || !target_add_lun(run.at.scsi, 2, dev, &conf, NULL))
		abort();
}

static struct auth *new_auth(uint8_t arg)
{
	static const uint8_t order[] = { CHAP_SHA256, CHAP_SHA1, CHAP_MD5 };
	struct auth *a;

	if (!(arg & 1))
		return NULL;
	a = auth_new(order, arg & 2 ? 1 : G_N_ELEMENTS(order));
	auth_add(a, USER, SECRET, arg & 4 ? "me" : NULL, arg & 4 ? MUTUAL : NULL);
	return a;
}

static struct acl *new_acl(uint8_t arg)
{
	static const char *const hosts[] = { "iqn.2010-01.org.example:h*", "iqn.*", "eui.*", NULL };
	const struct lun_view_row row = { .number = 1, .lun = 0, .read_only = true };
	struct acl_prefix prefix;
	struct acl *a;

	if (!(arg & 8))
		return NULL;
	if (acl_prefix_parse(arg & 16 ? "127.0.0.0/8" : "::/0", &prefix))
		abort();
	a = acl_new();
	acl_add(a, arg & 32 ? hosts : NULL, &prefix, arg & 64 ? 1 : 0, &run.at.portal, arg & 64 ? 1 : 0,
		arg & 16 ? lun_view_new(&row, 1, false) : NULL);
	if (arg & 128)
		acl_add(a, NULL, NULL, 0, NULL, 0, lun_view_new(NULL, 0, true));
	return a;
}

static void act_access(uint8_t arg)
{
	const struct node_access access = { .auth = new_auth(arg), .acl = new_acl(arg), .single_initiator = arg & 1 && arg & 8,
		.max_sessions = arg & 2 ? 1 : 0 };

	node_set_access(run.at.node, run.at.target, &access);
}

static void act_auth(uint8_t arg)
{
	node_set_auth(run.at.node, arg & 8 ? NULL : run.other, new_auth(arg));
	auth_unref(node_auth(run.at.node, arg & 8 ? NULL : run.other));
}

static void act_redirect(uint8_t arg)
{
	static const char *const addresses[] = { NULL, "127.0.0.1:3260", "other.example", "[::1]:3260" };
	const struct node_redirect to = { .address = addresses[arg & 3], .permanent = arg & 4, .balance = !(arg & 3) };

	node_set_redirect(run.at.node, arg & 8 ? run.other : run.at.target, arg & 16 ? NULL : &to);
}

static void act_tags(uint8_t arg)
{
	const struct portal_tag tags[] = { { run.at.portal, 1 + (arg & 1) }, { run.second, 1 + (arg >> 1 & 3) } };

	node_set_tags(run.at.node, run.at.target, tags, arg & 8 ? 0 : run.second ? 2 : 1);
}

static void act_drop_session(uint8_t arg)
{
	node_drop_session(run.at.node, arg & 1 ? arg : run.tsih);
}

static void act_look(uint8_t arg)
{
	g_autoptr(GArray) counts = count_sessions(run.at.node);
	g_autofree struct stats_sum *sum = g_new0(struct stats_sum, 1);
	g_autoptr(GByteArray) all = g_byte_array_new();
	g_autofree char *after = g_strdup("");

	for (guint i = 0; i < counts->len; i++)
		count_session_sum(&g_array_index(counts, struct count_session, i), sum);
	g_array_unref(node_sessions(run.at.node));
	count_portal(run.at.node, run.at.portal, sum);
	count_reactor(run.at.node, arg & 1, sum);
	node_send_all_targets(run.at.node, &after, 8192, NULL, NULL, all);
}

static void act_update(uint8_t arg)
{
	struct params offer = params_offered;

	offer.max_connections = 1 + (arg & 3);
	offer.max_outstanding_r2t = 1 + (arg >> 2 & 7);
	offer.initial_r2t = arg & 32;
	offer.immediate_data = arg & 64;
	node_update_target(run.at.node, run.at.target, arg & 128 ? "another alias" : NULL, &offer, &run.at.portal, arg & 1);
}

void admin_add_other(void)
{
	struct params offer = params_offered;

	run.other_scsi = target_new(run.at.engine, OTHER);
	admin_add_lun(run.other_scsi, 0);
	run.other = node_add_target(run.at.node, OTHER, NULL, run.other_scsi, &offer, NULL, 0);
}

void admin_remove_other(void)
{
	node_remove_target(run.at.node, run.other, 0);
	target_remove_lun(run.other_scsi, 0, NULL, NULL);
	target_free(run.other_scsi);
}

static void act_replace_target(uint8_t arg)
{
	ram_release();
	admin_remove_other();
	admin_add_other();
}

static void act_portal(uint8_t arg)
{
	if (!run.second) {
		run.second = node_add_portal(run.at.node, arg & 1 ? "127.0.0.1" : "127.0.0.2", 0, NULL);
		return;
	}
	node_set_tags(run.at.node, run.at.target, NULL, 0);
	node_remove_portal(run.at.node, run.second);
	run.second = NULL;
	if (arg & 2)
		node_forget_portals(run.at.node);
}

static void act_advertise(uint8_t arg)
{
	static const char *const names[] = { NULL, "there.example", "there.example:3261", "[2001:db8::1]" };

	portal_advertise(run.at.portal, names[arg & 3]);
}

static void act_replace_lun(uint8_t arg)
{
	ram_release();
	target_remove_lun(run.at.scsi, 1, node_quiesce_lun, run.at.target);
	admin_add_lun(run.at.scsi, 1);
}

static void act_hold(uint8_t arg)
{
	ram_deafen(arg & 1);
	ram_hold();
}

static void act_release(uint8_t arg)
{
	ram_deafen(false);
	ram_release();
}

static void act_reconfigure(uint8_t arg)
{
	const struct lun_conf conf = { .thin = true, .read_only = arg & 1, .offline = arg & 2, .io_timeout_s = arg & 4 ? 1 : 0,
		.serial = arg & 8 ? "serial" : NULL };

	lun_reconfigure(target_find_lun(run.at.scsi, arg >> 4 & 1), &conf, NULL);
}

/* Before anybody has come. */
static void act_limits(uint8_t arg)
{
	struct node *n = run.at.node;

	if (run.connected)
		return;
	n->max_conns = arg & 1 ? 2 : 4096;
	n->max_logins = arg & 2 ? 1 : 256;
	n->max_logins_per_address = arg & 4 ? 1 : 128;
	n->queue_depth = arg & 8 ? 2 : 128;
	n->max_memory = arg & 16 ? 65536 : 1 << 30;
	n->nop_interval_s = arg & 32 ? 1 : 30;
	n->nop_timeout_s = n->login_timeout_s = arg & 64 ? 1 : 30;
}

/* Once in an input, and not often: what waits a second is due. */
static void act_sleep(uint8_t arg)
{
	if (arg == 0x5a && !run.slept)
		g_usleep(SLEEP_MS * 1000);
	run.slept |= arg == 0x5a;
}

/* The file of LUN 2, when what was asked of it is on its way. */
static void act_resize(uint8_t arg)
{
	g_usleep(1000);
	if (ftruncate(mapped.file, arg & 128 ? FILE_BYTES : (arg & 127) * 4096) < 0)
		abort();
}

static void act_reset(uint8_t arg)
{
	lun_reset(target_find_lun(run.at.scsi, arg & 1));
}

static void (*const acts[])(uint8_t arg) = {
	act_access, act_auth, act_redirect, act_tags, act_drop_session, act_look, act_update, act_replace_target, act_portal,
	act_advertise, act_replace_lun, act_hold, act_release, act_reconfigure, act_limits, act_sleep, act_reset,
	act_resize,
};

void admin_act(unsigned n, uint8_t arg)
{
	acts[n % G_N_ELEMENTS(acts)](arg);
}
