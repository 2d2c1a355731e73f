/* SPDX-License-Identifier: Apache-2.0 */
/* libgotgt as a program sees it: the shared library and its header. */
#include "config.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include "stores.h"

/* ---- what is written is read back; who is logged in ---- */

static void count_sessions(void *data, const struct gotgt_session *session)
{
	g_assert_cmpuint(session->size, >=, offsetof(struct gotgt_session, isid));
	g_assert_cmpstr(session->initiator, ==, HOST);
	g_assert_cmpstr(session->target, ==, DISK);
	g_assert_true(g_str_has_prefix(session->peer, "127.0.0.1:"));
	g_assert_cmpuint(session->connections, ==, 1);
	g_assert_cmpuint(session->commands, ==, 0);
	*(uint16_t *)data = session->tsih;
}

static void test_serve(gconstpointer flags)
{
	struct memory *m = memory_new();
	struct gotgt_server *s = disk_start(m, GPOINTER_TO_UINT(flags));
	struct ini *i = disk_login(1);
	uint16_t tsih = 0;

	disk_write_and_read(i, 0, 1, 0x11);
	disk_write_and_read(i, 100, 2048, 0x22);
	g_assert_cmphex(m->bytes[0], ==, 0x11);
	g_assert_cmphex(m->bytes[100 * BLOCK + 2048 * BLOCK - 1], ==, 0x22);
	OK(gotgt_server_sessions(s, count_sessions, &tsih));
	g_assert_cmpuint(tsih, ==, i->tsih);
	FAILS(gotgt_session_drop(s, (uint16_t)(tsih + 1)), ENOENT, "TSIH");
	OK(gotgt_session_drop(s, tsih));
	EXPECT_PDU(i, OP_ASYNC);
	EXPECT_CLOSED(i);
	ini_free(i);
	tsih = 0;
	OK(gotgt_server_sessions(s, count_sessions, &tsih));
	g_assert_cmpuint(tsih, ==, 0);
	g_assert_cmpint(m->closed, ==, 0);
	gotgt_server_free(s);
	g_assert_cmpint(m->closed, ==, 1);
	g_free(m);
}

/* A store's errno as what the initiator sees. */
static void test_answers(void)
{
	static const struct { int answer; uint8_t status, key, asc; } cases[] = {
		{ -EIO, CHECK_CONDITION, 0x03, 0x11 }, { -EINVAL, CHECK_CONDITION, 0x03, 0x11 },
		{ 5, CHECK_CONDITION, 0x03, 0x11 }, { -EBUSY, BUSY, 0, 0 }, { -ENOMEM, BUSY, 0, 0 },
		{ -ENODEV, CHECK_CONDITION, 0x02, 0x04 },
	};
	struct memory *m = memory_new();
	struct gotgt_server *s = disk_start(m, 0);
	struct ini *i = disk_login(1);

	for (size_t n = 0; n < G_N_ELEMENTS(cases); n++) {
		uint32_t itt;

		g_atomic_int_set(&m->answer, cases[n].answer);
		itt = ini_read(i, 0, 1, BLOCK);
		EXPECT_PDU(i, OP_SCSI_RESPONSE);
		g_assert_cmphex(get32(i->bhs + 16), ==, itt);
		g_assert_cmphex(i->bhs[3], ==, cases[n].status);
		if (cases[n].status != CHECK_CONDITION)
			continue;
		g_assert_cmphex(i->data[2 + 2] & 15, ==, cases[n].key);
		g_assert_cmphex(i->data[2 + 12], ==, cases[n].asc);
	}
	g_atomic_int_set(&m->answer, 0);
	ini_check(i);
	ini_free(i);
	gotgt_server_free(s);
	g_free(m);
}

/* ---- wrong calls: each says why, and changes nothing ---- */

static const struct gotgt_plugin *no_table(const struct gotgt_host *host)
{
	return NULL;
}

static void wrong_descriptions(struct gotgt_server *s, struct gotgt_store *store)
{
	const struct gotgt_account nobody = { .size = sizeof nobody }, unsized = { .user = "x" };
	const char *const unknown[] = { "nonsense", "1", NULL };

	FAILS(gotgt_server_set(s, "nonsense", "1"), EINVAL, "nonsense: no such setting");
	FAILS(gotgt_server_set(s, NULL, "1"), EINVAL, "no such setting");
	FAILS(gotgt_server_set(s, "limits", "1"), EINVAL, "no such setting");
	FAILS(gotgt_server_set(s, "limits.nonsense", "1"), EINVAL, "no such setting");
	FAILS(gotgt_server_set(s, "reactors.x", "1"), EINVAL, "no such setting");
	FAILS(gotgt_server_set(s, "reactors", "many"), EINVAL, "reactors: expected a number");
	FAILS(gotgt_server_set(s, "limits.queue-depth", "0"), EINVAL, "expected a number");
	FAILS(gotgt_portal_add(s, NULL, "localhost", 0), EINVAL, "not a numeric");
	FAILS(gotgt_portal_add(s, NULL, NULL, 0), EINVAL, "missing");
	FAILS(gotgt_portal_remove(s, "127.0.0.1", 1), ENOENT, "there is none");
	FAILS(gotgt_target_add(s, DISK), EEXIST, "a second one");
	FAILS(gotgt_target_add(s, "disk"), EINVAL, "target iqn disk");
	FAILS(gotgt_target_add(s, NULL), EINVAL, "missing");
	FAILS(gotgt_target_set(s, HOST, "alias", "x"), ENOENT, HOST);
	FAILS(gotgt_target_set(s, DISK, "iqn", HOST), EINVAL, "no such setting");
	FAILS(gotgt_target_remove(s, HOST), ENOENT, HOST);
	FAILS(gotgt_lun_add_store(s, DISK, 0, store), EBUSY, "another logical unit");
	FAILS(gotgt_lun_add_store(s, DISK, 1, NULL), EINVAL, "no store");
	FAILS(gotgt_lun_add(s, DISK, 0, "null", NULL, NULL), EEXIST, "a second one");
	FAILS(gotgt_lun_add(s, DISK, 16384, "null", NULL, NULL), EINVAL, "16383");
	FAILS(gotgt_lun_add(s, DISK, 1, "null", unknown, NULL), EINVAL, "nonsense");
	FAILS(gotgt_lun_add(s, DISK, 1, "null", NULL, s), EINVAL, "takes no data");
	FAILS(gotgt_lun_add(s, DISK, 1, "absent", NULL, NULL), EIO, "no absent.so");
	FAILS(gotgt_lun_add(s, DISK, 1, NULL, NULL, NULL), EINVAL, "no plugin");
	FAILS(gotgt_lun_set(s, DISK, 1, "serial", "1"), ENOENT, "lun 1");
	FAILS(gotgt_lun_set(s, DISK, 0, "block-size", "513"), EINVAL, "512 or 4096");
	FAILS(gotgt_lun_set(s, DISK, 0, "settings", "x"), EINVAL, "no such setting");
	FAILS(gotgt_lun_remove(s, DISK, 1), ENOENT, "lun 1");
	FAILS(gotgt_target_allow(s, HOST, "all"), ENOENT, HOST);
	FAILS(gotgt_target_allow(s, DISK, NULL), EINVAL, "nobody");
	FAILS(gotgt_target_allow(s, DISK, "10.0.0.1/8"), EINVAL, "10.0.0.1/8");
	FAILS(gotgt_account_add(s, DISK, &nobody), EINVAL, "missing");
	FAILS(gotgt_account_add(s, DISK, &unsized), EINVAL, "size");
	FAILS(gotgt_account_add(s, HOST, &nobody), ENOENT, HOST);
	FAILS(gotgt_account_remove(s, NULL, "nobody"), ENOENT, "nobody");
	FAILS(gotgt_server_add_plugin(s, no_table), EINVAL, "refused to start");
	FAILS(gotgt_server_add_plugin(s, NULL), EINVAL, "no plugin");
}

static void wrong_times(struct gotgt_server *s)
{
	char portal[64];

	FAILS(gotgt_server_apply(s), EBUSY, "does not run");
	FAILS(gotgt_server_revert(s), EBUSY, "does not run");
	FAILS(gotgt_server_stop_begin(s, 0, NULL, NULL), EBUSY, "does not run");
	FAILS(gotgt_server_portal(s, 0, portal, sizeof portal), ENOENT, "no portal 0");
	FAILS(gotgt_server_dispatch(s), EINVAL, "gotgt_server_fd");
	FAILS(gotgt_session_drop(s, 1), ENOENT, "TSIH 1");
	OK(gotgt_server_stop(s, 0));
	OK(gotgt_server_start(s));
	FAILS(gotgt_server_start(s), EBUSY, "the server runs");
	FAILS(gotgt_server_set_log(s, NULL, NULL), EBUSY, "the server runs");
	FAILS(gotgt_server_set_plugin_path(s, ""), EBUSY, "the server runs");
	FAILS(gotgt_server_fd(s), EBUSY, "the server runs");
	FAILS(gotgt_server_portal(s, 1, portal, sizeof portal), ENOENT, "no portal 1");
	FAILS(gotgt_server_portal(s, 0, portal, 5), EINVAL, "bytes");
}

static char *plugin_path(void)
{
	g_autofree char *null = g_test_build_filename(G_TEST_BUILT, "..", "plugins", "null", ".libs", NULL);
	g_autofree char *file = g_test_build_filename(G_TEST_BUILT, "..", "plugins", "file", ".libs", NULL);

	return g_strconcat(null, ":", file, NULL);
}

static void test_wrong(void)
{
	struct memory *m = memory_new();
	struct gotgt_store *store = memory_store(m, 0);
	struct gotgt_server *s = disk_new(store);	/* which keeps it */
	g_autofree char *path = plugin_path();

	g_assert_cmpstr(gotgt_version(), ==, GOTGT_VERSION);
	FAILS(gotgt_server_start(NULL), EINVAL, "no server");
	OK(gotgt_server_set_plugin_path(s, path));
	wrong_descriptions(s, store);
	wrong_times(s);
	disk_reach(s);
	ini_free(disk_login(1));
	gotgt_server_free(s);
	gotgt_server_free(NULL);
	gotgt_store_free(NULL);
	g_assert_cmpint(m->closed, ==, 1);
	g_free(m);
}

static void test_wrong_stores(void)
{
	static const struct { struct gotgt_store_ops change; uint64_t size; const char *text; } cases[] = {
		{ { .size = 8 }, SIZE, "size is not set" }, { { .block_size = 513 }, SIZE, "power of two" },
		{ { .block_size = 8192 }, SIZE, "power of two" }, { { .flags = 1u << 31 }, SIZE, "later version" },
		{ { .flags = GOTGT_STORE_SERIAL | GOTGT_STORE_MEMORY }, SIZE, "exclude" }, { { .size = 0 }, 0, "whole blocks" },
		{ { .block_size = 4096 }, 512, "whole blocks" }, { { .size = 0 }, UINT64_MAX - 511, "whole blocks" },
	};

	g_assert_null(gotgt_store_new(NULL, NULL, SIZE));
	for (size_t n = 0; n < G_N_ELEMENTS(cases); n++) {
		struct gotgt_store_ops ops = memory_ops(cases[n].change.flags);

		ops.block_size = cases[n].change.block_size;
		ops.size = cases[n].change.size ? cases[n].change.size : ops.size;
		g_assert_null(gotgt_store_new(&ops, NULL, cases[n].size));
		if (!strstr(gotgt_last_error(), cases[n].text))
			g_error("\"%s\" has no \"%s\"", gotgt_last_error(), cases[n].text);
	}
}

/* What programs were built against.  Lines are added, never changed. */
static void test_layout(void)
{
#define F(s, f, off) { #s "." #f, offsetof(struct s, f), off }
	static const struct { const char *what; size_t is, must; } layout[] = {
#if GLIB_SIZEOF_VOID_P == 8
		F(gotgt_account, size, 0), F(gotgt_account, user, 8), F(gotgt_account, secret, 16),
		F(gotgt_account, secret_file, 24), F(gotgt_account, mutual_user, 32), F(gotgt_account, mutual_secret, 40),
		F(gotgt_account, mutual_secret_file, 48),
		F(gotgt_config, size, 0), F(gotgt_config, flags, 8), F(gotgt_config, text, 16), F(gotgt_config, state_dir, 24),
		F(gotgt_config, log_level, 32), F(gotgt_config, wrong, 40), F(gotgt_config, wrong_data, 48),
		F(gotgt_config, warning, 56), F(gotgt_config, port, 64), F(gotgt_config, control_addresses, 72),
		F(gotgt_config, control_token_file, 80), F(gotgt_control, size, 0), F(gotgt_control, path, 8),
		F(gotgt_control, group, 16), F(gotgt_control, config_path, 24), F(gotgt_control, fd, 32),
		F(gotgt_info, size, 0), F(gotgt_info, running, 8), F(gotgt_info, portals, 12), F(gotgt_info, targets, 16),
		F(gotgt_info, luns, 20), F(gotgt_info, luns_served, 24), F(gotgt_info, sessions, 28),
		F(gotgt_info, stuck, 32),
		F(gotgt_session, size, 0), F(gotgt_session, initiator, 8), F(gotgt_session, target, 16),
		F(gotgt_session, peer, 24), F(gotgt_session, connections, 32), F(gotgt_session, commands, 36),
		F(gotgt_session, tsih, 40), F(gotgt_session, isid, 42),
		F(gotgt_stats, size, 0), F(gotgt_stats, errors, 8), F(gotgt_stats, queue_depth, 16),
		F(gotgt_stats, queue_depth_max, 24), F(gotgt_stats, read, 32), F(gotgt_stats, write, 40),
		F(gotgt_stats, other, 48), F(gotgt_stats_kind, size, 0), F(gotgt_stats_kind, commands, 8),
		F(gotgt_stats_kind, bytes, 16), F(gotgt_stats_kind, total_ns, 24), F(gotgt_stats_kind, p50_ns, 32),
		F(gotgt_stats_kind, p99_ns, 40), F(gotgt_stats_kind, max_ns, 48),
		F(gotgt_store_ops, size, 0), F(gotgt_store_ops, flags, 8), F(gotgt_store_ops, block_size, 12),
		F(gotgt_store_ops, read, 16), F(gotgt_store_ops, write, 24), F(gotgt_store_ops, flush, 32),
		F(gotgt_store_ops, unmap, 40), F(gotgt_store_ops, close, 48),
#endif
		{ NULL, 0, 0 },
	};
	struct { struct gotgt_store_ops ops; uint8_t later[64]; } longer = { .ops = memory_ops(0) };
	struct memory *m = memory_new();
	struct gotgt_store *store;

	for (size_t i = 0; layout[i].what; i++) {
		g_test_message("%s", layout[i].what);
		g_assert_cmpuint(layout[i].is, ==, layout[i].must);
	}
	/* Of a later version. */
	longer.ops.size = sizeof longer;
	store = gotgt_store_new(&longer.ops, m, SIZE);
	g_assert_nonnull(store);
	gotgt_store_free(store);
	g_assert_cmpint(m->closed, ==, 1);
	g_free(m);
}

/* ---- changes of a server that runs ---- */

static const struct gotgt_account host = { .size = sizeof host, .user = "host", .secret = "twelve bytes and more" };

/* What is told to whom is logged in when LUNs come and go (SPC-5: REPORTED LUNS DATA HAS CHANGED). */
static void expect_lun(struct ini *i, uint32_t number, bool there)
{
	uint32_t itt;

	do {
		itt = ini_test_unit_ready(i, number);
		EXPECT_PDU(i, OP_SCSI_RESPONSE);
		g_assert_cmphex(get32(i->bhs + 16), ==, itt);
	} while (i->bhs[3] == CHECK_CONDITION && (i->data[2 + 2] & 15) == 6);
	g_assert_cmphex(i->bhs[3], ==, there ? GOOD : CHECK_CONDITION);
	if (!there)
		g_assert_cmphex(i->data[2 + 12], ==, 0x25);
}

static void test_changes(void)
{
	struct memory *m = memory_new(), *other = memory_new();
	struct gotgt_server *s = disk_start(m, GOTGT_STORE_SERIAL);
	struct gotgt_store *store = memory_store(other, GOTGT_STORE_MEMORY);
	struct ini *i = disk_login(1);

	OK(gotgt_lun_add_store(s, DISK, 7, store));
	OK(gotgt_lun_set(s, DISK, 7, "vendor", "EXAMPLE"));
	expect_lun(i, 7, false);	/* described only */
	OK(gotgt_server_apply(s));
	expect_lun(i, 7, true);
	/* A setting that wants the device opened anew, of the same store. */
	OK(gotgt_lun_set(s, DISK, 7, "read-only", "yes"));
	OK(gotgt_server_apply(s));
	expect_lun(i, 7, true);
	gotgt_store_free(store);
	OK(gotgt_lun_remove(s, DISK, 7));
	g_assert_cmpint(other->closed, ==, 0);
	expect_lun(i, 7, true);
	OK(gotgt_server_apply(s));
	g_assert_cmpint(other->closed, ==, 1);
	expect_lun(i, 7, false);
	expect_lun(i, 0, true);
	OK(gotgt_target_remove(s, DISK));
	OK(gotgt_server_revert(s));
	OK(gotgt_server_apply(s));
	expect_lun(i, 0, true);
	ini_free(i);
	g_assert_cmpint(m->closed, ==, 0);
	OK(gotgt_server_stop(s, 0));
	g_assert_cmpint(m->closed, ==, 0);	/* it is described, and can be started again */
	OK(gotgt_server_start(s));
	disk_reach(s);
	i = disk_login(1);
	disk_write_and_read(i, 0, 1, 0x33);
	ini_free(i);
	gotgt_server_free(s);
	g_assert_cmpint(m->closed, ==, 1);
	g_free(m);
	g_free(other);
}

/* What cannot be applied is not, and stays described. */
static void test_undone(void)
{
	struct memory *m = memory_new(), *other = memory_new();
	struct gotgt_server *s = disk_start(m, 0);
	struct ini *i = disk_login(1);
	struct gotgt_account weak = { .size = sizeof weak, .user = "host", .secret = "short" };
	struct gotgt_store *store = memory_store(other, 0);

	OK(gotgt_account_add(s, DISK, &weak));
	OK(gotgt_lun_add_store(s, DISK, 1, store));
	gotgt_store_free(store);
	FAILS(gotgt_server_apply(s), EINVAL, "account host: secret: shorter");
	g_assert_null(strstr(gotgt_last_error(), "secret: short "));
	expect_lun(i, 1, false);
	g_assert_cmpint(other->closed, ==, 0);
	OK(gotgt_account_remove(s, DISK, "host"));
	OK(gotgt_account_add(s, DISK, &host));
	/* An address that is not this machine's. */
	OK(gotgt_portal_add(s, "far", "192.0.2.1", 0));
	FAILS(gotgt_server_apply(s), EIO, "portal 192.0.2.1");
	expect_lun(i, 1, false);
	OK(gotgt_server_revert(s));
	g_assert_cmpint(other->closed, ==, 1);
	OK(gotgt_account_add(s, DISK, &host));
	OK(gotgt_server_apply(s));
	expect_lun(i, 0, true);
	ini_free(i);
	i = ini_new(NULL, 2);
	ini_login_pdu(i, OP_TO_FULL, "InitiatorName=" HOST ";TargetName=" DISK ";");
	EXPECT_REFUSED(i, 0x0201);
	ini_free(i);
	gotgt_server_free(s);
	g_free(m);
	g_free(other);
}

/* ---- size ---- */

static void resize_here(struct memory *m)
{
	OK(gotgt_store_resize(m->hook_data, 2 * SIZE));
}

static uint64_t capacity(struct ini *i)
{
	static const uint8_t cdb[16] = { 0x25 };
	uint8_t data[8];

	g_assert_cmpuint(ini_finish_read(i, ini_command(i, FINAL | READ, 0, 8, cdb, NULL, 0), data, 8), ==, 8);
	return ((uint64_t)get32(data) + 1) * get32(data + 4);
}

static void test_resize(void)
{
	struct memory *m = memory_new();
	struct gotgt_store *store = memory_store(m, 0);
	struct gotgt_server *s = disk_new(NULL);
	uint8_t block[BLOCK];
	struct ini *i;
	uint32_t itt;

	OK(gotgt_lun_add_store(s, DISK, 0, store));
	OK(gotgt_server_start(s));
	disk_reach(s);
	i = disk_login(1);
	g_assert_cmpuint(capacity(i), ==, SIZE);
	OK(gotgt_store_resize(store, SIZE / 2));
	itt = ini_test_unit_ready(i, 0);
	EXPECT_SENSE(i, itt, 0x06, 0x2a);
	g_assert_cmpuint(capacity(i), ==, SIZE / 2);
	itt = ini_read(i, SIZE / 2 / BLOCK, 1, BLOCK);
	EXPECT_SENSE(i, itt, 0x05, 0x21);
	FAILS(gotgt_store_resize(store, 0), EINVAL, "whole blocks");
	FAILS(gotgt_store_resize(store, 513), EINVAL, "whole blocks");
	g_assert_cmpuint(gotgt_store_size(store), ==, SIZE / 2);
	/* From within the store's own function. */
	m->hook_data = store;
	m->hook = resize_here;
	g_assert_cmpuint(ini_finish_read(i, ini_read(i, 0, 1, BLOCK), block, BLOCK), ==, BLOCK);
	m->hook = NULL;
	itt = ini_test_unit_ready(i, 0);
	EXPECT_SENSE(i, itt, 0x06, 0x2a);
	g_assert_cmpuint(capacity(i), ==, 2 * SIZE);
	ini_free(i);
	gotgt_server_free(s);
	g_assert_cmpint(m->closed, ==, 0);
	gotgt_store_free(store);
	g_assert_cmpint(m->closed, ==, 1);
	g_free(m);
}

struct resizer {
	struct gotgt_store *store;
	gint stop;
	unsigned rounds;
};

static void *resize_on(void *data)
{
	struct resizer *r = data;

	for (; !g_atomic_int_get(&r->stop); r->rounds++)
		OK(gotgt_store_resize(r->store, r->rounds % 2 ? SIZE : 2 * SIZE));
	return NULL;
}

/* Within what both sizes have, nothing but the unit attention is noticed. */
static void test_resize_under_load(void)
{
	struct memory *m = memory_new();
	struct resizer r = { .store = memory_store(m, 0) };
	struct gotgt_server *s = disk_new(NULL);
	uint8_t block[BLOCK];
	unsigned done = 0, told = 0;
	GThread *thread;
	struct ini *i;

	OK(gotgt_lun_add_store(s, DISK, 0, r.store));
	OK(gotgt_server_start(s));
	disk_reach(s);
	i = disk_login(1);
	thread = g_thread_new("resize", resize_on, &r);
	while (done < 200 || !told) {
		uint32_t itt = ini_read(i, done % 1000, 1, BLOCK);

		g_assert_true(ini_recv(i));
		g_assert_cmphex(get32(i->bhs + 16), ==, itt);
		if (i->bhs[0] == OP_SCSI_RESPONSE) {
			g_assert_cmphex(i->data[2 + 2] & 15, ==, 6);
			g_assert_cmphex(i->data[2 + 12], ==, 0x2a);
			told++;
		} else {
			g_assert_cmphex(i->bhs[1] & FLAG_STATUS, ==, FLAG_STATUS);
			memcpy(block, i->data, i->data_len);
			done++;
		}
	}
	g_atomic_int_set(&r.stop, 1);
	g_thread_join(thread);
	g_test_message("%u sizes, %u told", r.rounds, told);
	ini_free(i);
	gotgt_server_free(s);
	gotgt_store_free(r.store);
	g_free(m);
}

/* ---- callbacks ---- */

struct asked {
	struct gotgt_server *server;
	int stop, apply, resize;
};

static void ask_here(struct memory *m)
{
	struct asked *a = m->hook_data;

	a->stop = gotgt_server_stop(a->server, 0);
	a->apply = gotgt_server_apply(a->server);
}

/* What would wait for itself is refused. */
static void test_from_callbacks(gconstpointer flags)
{
	struct memory *m = memory_new();
	struct gotgt_server *s = disk_start(m, GPOINTER_TO_UINT(flags));
	struct ini *i = disk_login(1);
	struct asked a = { .server = s };
	uint8_t block[BLOCK];

	m->hook_data = &a;
	m->hook = ask_here;
	g_assert_cmpuint(ini_finish_read(i, ini_read(i, 0, 1, BLOCK), block, BLOCK), ==, BLOCK);
	m->hook = NULL;
	g_assert_cmpint(a.stop, ==, -EDEADLK);
	g_assert_cmpint(a.apply, ==, -EDEADLK);
	ini_check(i);
	ini_free(i);
	gotgt_server_free(s);
	g_free(m);
}

/* ---- a plugin that is part of the program ---- */

static const struct gotgt_host *own_host;

static int own_open(struct gotgt_lun *lun, const void *conf, struct gotgt_dev_info *info, void **dev)
{
	info->size = *(const uint64_t *)conf;
	*dev = gotgt_lun_data(lun);
	own_host->log(lun, GOTGT_LOG_WARNING, "opened");
	return 0;
}

static void own_close(void *dev)
{
	((struct memory *)dev)->closed++;
}

static void own_submit(void *dev, struct gotgt_io *io)
{
	uint8_t *at = ((struct memory *)dev)->bytes + io->offset;

	for (uint32_t i = 0; i < io->iovcnt; at += io->iov[i++].iov_len) {
		if (io->op == GOTGT_OP_READ)
			memcpy(io->iov[i].iov_base, at, io->iov[i].iov_len);
		else
			memcpy(at, io->iov[i].iov_base, io->iov[i].iov_len);
	}
	own_host->io_done(io, GOTGT_OK);
}

static const struct gotgt_plugin *own_entry(const struct gotgt_host *h)
{
	static const struct gotgt_param params[] = {
		{ .name = "size", .type = GOTGT_PARAM_SIZE, .flags = GOTGT_PARAM_REQUIRED, .help = "Bytes" }, { .name = NULL },
	};
	static const struct gotgt_plugin table = {
		.abi = GOTGT_ABI, .size = sizeof table, .name = "null", .version = "1", .description = "Memory",
		.conf_size = sizeof(uint64_t), .params = params, .open = own_open, .close = own_close, .submit = own_submit,
	};

	own_host = h;
	return &table;
}

static void test_plugin(void)
{
	const char *const settings[] = { "size", "2M", NULL };
	struct gotgt_server *s = disk_new(NULL);
	struct memory *m = memory_new();
	struct ini *i;

	OK(gotgt_server_add_plugin(s, own_entry));
	FAILS(gotgt_server_add_plugin(s, own_entry), EEXIST, "a second one");
	FAILS(gotgt_lun_add(s, DISK, 0, "null", NULL, m), EINVAL, "size");
	OK(gotgt_lun_add(s, DISK, 0, "null", settings, m));
	OK(gotgt_server_start(s));
	disk_reach(s);
	i = disk_login(1);
	g_assert_cmpuint(capacity(i), ==, 2 << 20);
	disk_write_and_read(i, 1, 3, 0x44);
	g_assert_cmphex(m->bytes[BLOCK], ==, 0x44);
	ini_free(i);
	OK(gotgt_server_stop(s, 0));
	g_assert_cmpint(m->closed, ==, 1);
	gotgt_server_free(s);
	g_free(m);
}

/* One that is loaded. */
static void test_loaded(void)
{
	const char *const settings[] = { "size", "1M", NULL };
	g_autofree char *path = plugin_path();
	struct gotgt_server *s = disk_new(NULL);
	struct ini *i;

	OK(gotgt_server_set_plugin_path(s, path));
	OK(gotgt_lun_add(s, DISK, 0, "null", settings, NULL));
	OK(gotgt_server_start(s));
	disk_reach(s);
	i = disk_login(1);
	g_assert_cmpuint(capacity(i), ==, 1 << 20);
	ini_free(i);
	gotgt_server_free(s);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/lib/serve/workers", GUINT_TO_POINTER(0), test_serve);
	g_test_add_data_func("/lib/serve/serial", GUINT_TO_POINTER(GOTGT_STORE_SERIAL), test_serve);
	g_test_add_data_func("/lib/serve/memory", GUINT_TO_POINTER(GOTGT_STORE_MEMORY), test_serve);
	g_test_add_func("/lib/answers", test_answers);
	g_test_add_func("/lib/wrong/calls", test_wrong);
	g_test_add_func("/lib/wrong/stores", test_wrong_stores);
	g_test_add_func("/lib/layout", test_layout);
	g_test_add_func("/lib/changes", test_changes);
	g_test_add_func("/lib/undone", test_undone);
	g_test_add_func("/lib/resize/told", test_resize);
	g_test_add_func("/lib/resize/under-load", test_resize_under_load);
	g_test_add_data_func("/lib/callbacks/worker", GUINT_TO_POINTER(0), test_from_callbacks);
	g_test_add_data_func("/lib/callbacks/reactor", GUINT_TO_POINTER(GOTGT_STORE_MEMORY), test_from_callbacks);
	g_test_add_func("/lib/plugin/own", test_plugin);
	g_test_add_func("/lib/plugin/loaded", test_loaded);
	return g_test_run();
}
