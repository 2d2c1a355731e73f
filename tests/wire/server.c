/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - a plugin in memory, and what it takes to serve it. */
#include "config.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "engine/log.h"
#include "iscsi/cmd.h"
#include "scsi/lun.h"
#include "server.h"

/* ---- a device in memory; a request can be held there, to be aborted or let go ---- */

struct ram { uint8_t *bytes; };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool holding, deaf;
	GPtrArray *ios, *devs;	/* held; the n-th of one belongs to the n-th of the other */
} held = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static int ram_open(struct gotgt_lun *lun, const void *conf, struct gotgt_dev_info *info, void **dev)
{
	struct ram *r = g_new0(struct ram, 1);

	r->bytes = g_malloc0(BLOCKS * BLOCK);
	*info = (struct gotgt_dev_info){ .size = BLOCKS * BLOCK, .block_size = BLOCK, .flags = GOTGT_DEV_THIN,
		.ops = GOTGT_OP_BIT(GOTGT_OP_READ) | GOTGT_OP_BIT(GOTGT_OP_WRITE) | GOTGT_OP_BIT(GOTGT_OP_UNMAP) };
	*dev = r;
	return 0;
}

static void ram_close(void *dev)
{
	struct ram *r = dev;

	g_free(r->bytes);
	g_free(r);
}

/* Initiators may be at the same blocks at a time. */
static void transfer(struct ram *r, const struct gotgt_io *io)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	uint8_t *at = r->bytes + io->offset;

	pthread_mutex_lock(&lock);
	if (io->op == GOTGT_OP_UNMAP)
		memset(at, 0, io->length);
	for (uint32_t i = 0; i < io->iovcnt; at += io->iov[i++].iov_len) {
		if (io->op == GOTGT_OP_READ)
			memcpy(io->iov[i].iov_base, at, io->iov[i].iov_len);
		else
			memcpy(at, io->iov[i].iov_base, io->iov[i].iov_len);
	}
	pthread_mutex_unlock(&lock);
}

static void ram_submit(void *dev, struct gotgt_io *io)
{
	pthread_mutex_lock(&held.lock);
	if (held.holding) {
		g_ptr_array_add(held.ios, io);
		g_ptr_array_add(held.devs, dev);
		pthread_cond_broadcast(&held.changed);
		pthread_mutex_unlock(&held.lock);
		return;
	}
	pthread_mutex_unlock(&held.lock);
	transfer(dev, io);
	device_host.io_done(io, GOTGT_OK);
}

static void ram_cancel(void *dev, struct gotgt_io *io)
{
	guint at;
	bool found;

	pthread_mutex_lock(&held.lock);
	found = !held.deaf && g_ptr_array_find(held.ios, io, &at);
	if (found) {
		g_ptr_array_remove_index(held.ios, at);
		g_ptr_array_remove_index(held.devs, at);
	}
	pthread_mutex_unlock(&held.lock);
	if (found)
		device_host.io_done(io, GOTGT_ERR_CANCELED);
}

static const struct module ram = {
	.path = (char *)"ram",
	.ops = { .abi = GOTGT_ABI, .size = sizeof(struct gotgt_plugin), .name = "ram", .version = "1",
		 .description = "memory", .open = ram_open, .close = ram_close, .submit = ram_submit, .cancel = ram_cancel },
};

void ram_hold(void)
{
	pthread_mutex_lock(&held.lock);
	held.holding = true;
	pthread_mutex_unlock(&held.lock);
}

void ram_deafen(bool deaf)
{
	pthread_mutex_lock(&held.lock);
	held.deaf = deaf;
	pthread_mutex_unlock(&held.lock);
}

void ram_wait_held(unsigned n)
{
	pthread_mutex_lock(&held.lock);
	while (held.ios->len < n)
		pthread_cond_wait(&held.changed, &held.lock);
	pthread_mutex_unlock(&held.lock);
}

unsigned ram_held(void)
{
	unsigned n;

	pthread_mutex_lock(&held.lock);
	n = held.ios->len;
	pthread_mutex_unlock(&held.lock);
	return n;
}

void ram_release(void)
{
	pthread_mutex_lock(&held.lock);
	held.holding = false;
	while (held.ios->len) {
		struct gotgt_io *io = g_ptr_array_steal_index(held.ios, 0);
		void *dev = g_ptr_array_steal_index(held.devs, 0);

		pthread_mutex_unlock(&held.lock);
		transfer(dev, io);
		device_host.io_done(io, GOTGT_OK);
		pthread_mutex_lock(&held.lock);
	}
	pthread_mutex_unlock(&held.lock);
}

/* ---- the server ---- */

struct server *server;

#define LOGGED_MAX 65536u

static struct {
	pthread_mutex_t lock;
	GString *lines;
} logged = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void keep_quiet(enum gotgt_log_level level, const char *line, void *data)
{
	g_test_message("%s", line);
	pthread_mutex_lock(&logged.lock);
	if (!logged.lines || logged.lines->len > LOGGED_MAX) {
		if (logged.lines)
			g_string_free(logged.lines, TRUE);
		logged.lines = g_string_new(NULL);
	}
	g_string_append_printf(logged.lines, "%s\n", line);
	pthread_mutex_unlock(&logged.lock);
}

char *server_logged(void)
{
	char *lines;

	pthread_mutex_lock(&logged.lock);
	lines = logged.lines ? g_string_free(logged.lines, FALSE) : g_strdup("");
	logged.lines = NULL;
	pthread_mutex_unlock(&logged.lock);
	return lines;
}

struct device *server_ram(struct server *s)
{
	const char *const settings[] = { NULL };
	GError *error = NULL;
	struct device *dev = device_open(s->engine, &ram, "ram", settings, false, &error);

	g_assert_no_error(error);
	return dev;
}

static void add_lun(struct server *s, uint32_t number)
{
	struct lun_conf conf = { .thin = true };
	GError *error = NULL;

	target_add_lun(s->scsi, number, server_ram(s), &conf, &error);
	g_assert_no_error(error);
}

struct server *server_new(void)
{
	struct server *s = g_new0(struct server, 1);
	struct params offer = params_offered;
	GError *error = NULL;

	log_set_sink(keep_quiet, NULL);
	held.ios = g_ptr_array_new();
	held.devs = g_ptr_array_new();
	s->engine = engine_new(2, 2, &error);
	g_assert_no_error(error);
	s->node = node_new(s->engine);
	s->portal = node_add_portal(s->node, "127.0.0.1", 0, &error);
	g_assert_no_error(error);
	s->scsi = target_new(s->engine, DISK);
	add_lun(s, 0);
	add_lun(s, 1);
	offer.max_connections = 4;
	offer.max_outstanding_r2t = R2T_MAX;
	s->target = node_add_target(s->node, DISK, "a disk", s->scsi, &offer, NULL, 0);
	return s;
}

void server_free(struct server *s)
{
	node_shutdown(s->node, 0);
	node_remove_target(s->node, s->target, 0);
	target_remove_lun(s->scsi, 0, NULL, NULL);
	target_remove_lun(s->scsi, 1, NULL, NULL);
	target_free(s->scsi);
	node_free(s->node);
	engine_free(s->engine);
	g_ptr_array_unref(held.ios);
	g_ptr_array_unref(held.devs);
	g_free(server_logged());
	g_free(s);
}

void server_renew(struct server *s)
{
	for (uint32_t lun = 0; lun < 2; lun++) {
		target_remove_lun(s->scsi, lun, NULL, NULL);
		add_lun(s, lun);
	}
}

void server_io_timeout(struct server *s, unsigned seconds)
{
	const struct lun_conf conf = { .thin = true, .io_timeout_s = seconds };
	GError *error = NULL;

	for (int lun = 0; lun < 2; lun++)
		g_assert_true(lun_reconfigure(target_find_lun(s->scsi, lun), &conf, &error));
}

void server_begin(int *argc, char ***argv)
{
	g_test_init(argc, argv, NULL);
	server = server_new();
}

int server_run(void)
{
	int rc = g_test_run();

	server_free(server);
	return rc;
}

int server_connect(struct server *s)
{
	int pair[2];

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
	node_adopt(s->node, s->portal, pair[1]);
	return pair[0];
}

int server_connect_from(struct server *s, const char *source)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), room = 65536;

	/* Little, so that what is not received waits at the server. */
	g_assert_cmpint(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), ==, 0);
	g_assert_cmpint(inet_pton(AF_INET, source, &from.sin_addr), ==, 1);
	g_assert_cmpint(bind(fd, (struct sockaddr *)&from, sizeof from), ==, 0);
	to.sin_port = htons((uint16_t)atoi(strrchr(portal_name(s->portal), ':') + 1));
	g_assert_cmpint(connect(fd, (struct sockaddr *)&to, sizeof to), ==, 0);
	return fd;
}

int server_connect_tcp(struct server *s)
{
	return server_connect_from(s, "127.0.0.1");
}
