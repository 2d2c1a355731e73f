/* SPDX-License-Identifier: Apache-2.0 */
/* stores.c - see stores.h */
#include "config.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "stores.h"

static uint16_t port;

/* ---- bytes ---- */

static int begin(struct memory *m)
{
	g_atomic_int_inc(&m->calls);
	if (m->hook)
		m->hook(m);
	return g_atomic_int_get(&m->answer);
}

static int memory_read(void *data, void *buf, size_t length, uint64_t offset)
{
	struct memory *m = data;
	int r = begin(m);

	g_assert_cmpuint(length % 512, ==, 0);
	if (!r)
		memcpy(buf, m->bytes + offset, length);
	return r;
}

static int memory_write(void *data, const void *buf, size_t length, uint64_t offset)
{
	struct memory *m = data;
	int r = begin(m);

	if (!r)
		memcpy(m->bytes + offset, buf, length);
	return r;
}

static int memory_flush(void *data)
{
	return begin(data);
}

static int memory_unmap(void *data, uint64_t offset, uint64_t length)
{
	struct memory *m = data;
	int r = begin(m);

	if (!r)
		memset(m->bytes + offset, 0, length);
	return r;
}

static void memory_close(void *data)
{
	struct memory *m = data;

	g_atomic_int_inc(&m->closed);
}

struct memory *memory_new(void)
{
	return g_new0(struct memory, 1);
}

struct gotgt_store_ops memory_ops(uint32_t flags)
{
	return (struct gotgt_store_ops){
		.size = sizeof(struct gotgt_store_ops), .flags = flags, .read = memory_read, .write = memory_write,
		.flush = memory_flush, .unmap = memory_unmap, .close = memory_close,
	};
}

struct gotgt_store *memory_store(struct memory *m, uint32_t flags)
{
	struct gotgt_store_ops ops = memory_ops(flags);
	struct gotgt_store *store = gotgt_store_new(&ops, m, SIZE);

	g_assert_nonnull(store);
	return store;
}

/* ---- a server ---- */

struct gotgt_server *disk_new(struct gotgt_store *store)
{
	struct gotgt_server *s = gotgt_server_new();

	OK(gotgt_server_set(s, "reactors", "2"));
	OK(gotgt_portal_add(s, NULL, "127.0.0.1", 0));
	OK(gotgt_target_add(s, DISK));
	OK(gotgt_target_allow(s, DISK, "all"));
	if (store)
		OK(gotgt_lun_add_store(s, DISK, 0, store));
	gotgt_store_free(store);
	return s;
}

void disk_reach(struct gotgt_server *s)
{
	char portal[64];

	OK(gotgt_server_portal(s, 0, portal, sizeof portal));
	port = (uint16_t)atoi(strrchr(portal, ':') + 1);
}

struct ini *disk_login(uint8_t id)
{
	struct ini *i = ini_new(NULL, id);

	ini_login_pdu(i, OP_TO_FULL, "InitiatorName=" HOST ";TargetName=" DISK ";");
	EXPECT_LOGIN(i, OP_TO_FULL, 0);
	i->tsih = get16(i->bhs + 14);
	ini_test_unit_ready(i, 0);
	EXPECT_PDU(i, OP_SCSI_RESPONSE);
	return i;
}

struct gotgt_server *disk_start(struct memory *m, uint32_t flags)
{
	struct gotgt_server *s = disk_new(memory_store(m, flags));

	OK(gotgt_server_start(s));
	disk_reach(s);
	return s;
}

/* What ini.c asks of a server. */
int server_connect(struct server *s)
{
	return server_connect_tcp(s);
}

int server_connect_tcp(struct server *s)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_assert_cmpint(connect(fd, (struct sockaddr *)&to, sizeof to), ==, 0);
	return fd;
}

void disk_write_and_read(struct ini *i, uint32_t lba, uint16_t blocks, uint8_t fill)
{
	uint32_t len = blocks * BLOCK, itt;
	g_autofree uint8_t *out = g_malloc(len), *in = g_malloc(len);

	memset(out, fill, len);
	itt = ini_write(i, FINAL, lba, blocks, len, NULL, 0);
	ini_finish_write(i, itt, out);
	g_assert_cmphex(i->bhs[3], ==, GOOD);
	g_assert_cmpuint(ini_finish_read(i, ini_read(i, lba, blocks, len), in, len), ==, len);
	g_assert_cmpmem(in, len, out, len);
}
