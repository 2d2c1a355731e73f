/*
			      SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include <pthread.h>
#include "pr-rig.h"

const char *const pr_ports[NEXUSES] = {
	"iqn.x:a,i,0x000000000001", "iqn.x:b,i,0x000000000002",
	"iqn.x:c,i,0x000000000003", "iqn.x:a,i,0x000000000001",
};
struct pr_rig pr_rig;

/* ---- the target ---- */

static struct reactor *home(int who)
{
	return pr_rig.engine->reactors[who % 2];
}

static void on_login(void *arg)
{
	int who = GPOINTER_TO_INT(arg);

	pr_rig.n[who] = nexus_new(pr_rig.target, home(who), pr_ports[who], who == A2 ? 2 : 1, 1);
	while (ua_take(nexus_lun(pr_rig.n[who], PR_LUN)) != SENSE_NONE)
		continue;
}

static void on_logout(void *arg)
{
	nexus_free(arg);
}

void pr_login(int who)
{
	reactor_call(home(who), on_login, GINT_TO_POINTER(who));
}

void pr_logout(int who)
{
	reactor_call(home(who), on_logout, pr_rig.n[who]);
	pr_rig.n[who] = NULL;
}

/* The transport of this rig has no other tasks. */
static void purge(void *arg, struct task_purge *p)
{
	pr_rig.purges++;
	for (int i = 0; i < NEXUSES; i++)
		if (pr_rig.n[i] && (!p->match || p->match(pr_rig.n[i], p->arg)))
			pr_rig.purged |= 1u << i;
	g_assert_true(p->lun == pr_rig.lun && p->except && p->by);
	reactor_post(p->home, &p->post);
}

void pr_start(const char *state_dir)
{
	static const struct target_port ports[] = { { 1, 1 }, { 2, 1 } };
	GError *error = NULL;

	memset(&pr_rig, 0, sizeof pr_rig);
	pr_rig.engine = engine_new(2, 2, &error);
	g_assert_no_error(error);
	pr_rig.engine->state_dir = g_strdup(state_dir);
	pr_rig.target = target_new(pr_rig.engine, PR_NAME);
	target_set_ports(pr_rig.target, ports, G_N_ELEMENTS(ports));
	target_set_purge(pr_rig.target, purge, NULL);
	pr_rig.dev = fake_new(64 * 512, 512, GOTGT_DEV_WRITE_CACHE | GOTGT_DEV_THIN,
			      GOTGT_OP_BIT(GOTGT_OP_FLUSH) | GOTGT_OP_BIT(GOTGT_OP_UNMAP) |
			      GOTGT_OP_BIT(GOTGT_OP_ZERO));
	pr_rig.lun = target_add_lun(pr_rig.target, PR_LUN, pr_rig.dev, &(struct lun_conf){ .thin = true }, &error);
	g_assert_no_error(error);
	for (int i = 0; i < NEXUSES; i++)
		pr_login(i);
}

void pr_stop(void)
{
	for (int i = 0; i < NEXUSES; i++)
		if (pr_rig.n[i])
			pr_logout(i);
	target_remove_lun(pr_rig.target, PR_LUN, NULL, NULL);
	target_free(pr_rig.target);
	engine_free(pr_rig.engine);
	fake_free(pr_rig.dev);
}

/* ---- a command ---- */

static struct sent {
	struct task task;
	const uint8_t *out;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool ended;
} sent = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

static void ended(struct task *t)
{
	bool d = t->sense_len && t->sense[0] == 0x72;

	pthread_mutex_lock(&sent.lock);
	pr_rig.status = t->status;
	pr_rig.key = t->sense_len ? t->sense[d ? 1 : 2] & 0xf : 0;
	pr_rig.asc = t->sense_len ? t->sense[d ? 2 : 12] : 0;
	pr_rig.ascq = t->sense_len ? t->sense[d ? 3 : 13] : 0;
	memcpy(pr_rig.sense, t->sense, t->sense_len);
	pr_rig.in_len = t->in_len;
	if (t->in_len)
		memcpy(pr_rig.in, t->iov[0].iov_base, t->in_len);
	sent.ended = true;
	pthread_cond_signal(&sent.cond);
	pthread_mutex_unlock(&sent.lock);
}

static void begin(void *arg)
{
	if (task_begin(&sent.task) == TASK_WANTS_DATA)
		task_execute_from(&sent.task, sent.out);
}

static void release(void *arg)
{
	task_release(&sent.task);
}

void pr_cdb(int who, const uint8_t *cdb, size_t cdb_len, const void *out, uint32_t out_len, uint32_t in_len)
{
	static const struct task_ops ops = { ended };

	memset(&sent.task, 0, sizeof sent.task);
	sent.task = (struct task){ .ops = &ops, .nexus = pr_rig.n[who], .reactor = home(who), .lun_addr = { 0, PR_LUN },
				   .cdb_len = 16, .edtl_out = out_len, .edtl_in = in_len };
	memcpy(sent.task.cdb, cdb, cdb_len);
	sent.out = out;
	sent.ended = false;
	reactor_call(home(who), begin, NULL);
	pthread_mutex_lock(&sent.lock);
	while (!sent.ended)
		pthread_cond_wait(&sent.cond, &sent.lock);
	pthread_mutex_unlock(&sent.lock);
	reactor_call(home(who), release, NULL);
}

uint8_t pr_out_list(int who, uint8_t sa, uint8_t type, const uint8_t *list, uint32_t len)
{
	uint8_t cdb[10] = { OP_PERSISTENT_RESERVE_OUT, sa, type };

	put_be32(cdb + 5, len);
	pr_cdb(who, cdb, sizeof cdb, list, len, 0);
	return pr_rig.status;
}

uint8_t pr_out(int who, uint8_t sa, uint8_t type, uint64_t key, uint64_t action_key, uint8_t flags)
{
	uint8_t list[24] = { 0 };

	put_be64(list, key);
	put_be64(list + 8, action_key);
	list[20] = flags;
	return pr_out_list(who, sa, type, list, sizeof list);
}

uint8_t pr_register(int who, uint64_t key)
{
	return pr_out(who, SA_PR_REGISTER_AND_IGNORE, 0, 0, key, 0);
}

void pr_in(uint8_t sa, uint16_t len)
{
	PR_CDB(A2, len, OP_PERSISTENT_RESERVE_IN, sa, 0, 0, 0, 0, 0, (uint8_t)(len >> 8), (uint8_t)len);
	g_assert_cmphex(pr_rig.status, ==, STATUS_GOOD);
}

/* ---- what it said ---- */

void pr_assert_sense(enum sense_code code, const char *where, int line)
{
	const struct sense_row *row = &sense_rows[code];

	if (pr_rig.status != STATUS_CHECK_CONDITION || pr_rig.key != row->key || pr_rig.asc != row->asc ||
	    pr_rig.ascq != row->ascq)
		g_error("%s:%d: wanted %s, got status %02x sense %x/%02x/%02x", where, line, row->name, pr_rig.status,
			pr_rig.key, pr_rig.asc, pr_rig.ascq);
}

void pr_assert_param(unsigned byte, int bit, const char *where, int line)
{
	uint8_t sks = (uint8_t)(0x80 | (bit >= 0 ? 8 | bit : 0));

	pr_assert_sense(SENSE_INVALID_FIELD_IN_PARAMETERS, where, line);
	if (pr_rig.sense[15] != sks || get_be16(pr_rig.sense + 16) != byte)
		g_error("%s:%d: field pointer %02x at %u, wanted %02x at %u", where, line, pr_rig.sense[15],
			get_be16(pr_rig.sense + 16), sks, byte);
}

static void take_ua(void *arg)
{
	int *who = arg;

	*who = (int)ua_take(nexus_lun(pr_rig.n[*who], PR_LUN));
}

enum sense_code pr_ua(int who)
{
	int at = who;

	reactor_call(home(who), take_ua, &at);
	return (enum sense_code)at;
}

void pr_assert_keys(const uint64_t *keys, unsigned n, const char *where, int line)
{
	pr_in(SA_PR_READ_KEYS, 4096);
	if (get_be32(pr_rig.in + 4) != 8 * n || pr_rig.in_len != 8 + 8 * n)
		g_error("%s:%d: %u bytes of keys, wanted %u keys", where, line, get_be32(pr_rig.in + 4), n);
	for (unsigned i = 0; i < n; i++)
		if (get_be64(pr_rig.in + 8 + 8 * i) != keys[i])
			g_error("%s:%d: key %u is %" G_GINT64_MODIFIER "x", where, line, i,
				get_be64(pr_rig.in + 8 + 8 * i));
}

void pr_assert_held(uint8_t type, uint64_t key, const char *where, int line)
{
	pr_in(SA_PR_READ_RESERVATION, 255);
	if (type == PR_NONE ? pr_rig.in_len != 8 : pr_rig.in_len != 24 || pr_rig.in[21] != type ||
	    get_be64(pr_rig.in + 8) != key)
		g_error("%s:%d: %u bytes, type %u", where, line, pr_rig.in_len, pr_rig.in[21]);
}
