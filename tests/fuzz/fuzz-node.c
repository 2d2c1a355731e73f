/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-node.c - several initiators at a node with two targets, and its administrator, each doing something in turn.  An
 * input is steps; the low bits of a step's first byte are what is done (enum step), the others by which connection, or
 * which act of the administrator's; what follows is said where each is done.  Each input has a node of its own.
 */
#include "config.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "engine/log.h"
#include "iscsi/chap.h"
#include "scsi/lun.h"
#include "scsi/wire.h"
#include "fuzz.h"
#include "fuzz-node.h"

enum step { STEP_PDU, STEP_CONNECT, STEP_LOGIN, STEP_END, STEP_LOGOUT, STEP_ACT, STEP_COMMAND, STEP_TASK, STEPS };
#define STEPS_MAX 96u
#define ANSWER_MS 20		/* a Login Response may have to wait for a session to end: then it is not waited for */
#define TAGS 0x7fffffffu	/* of commands: their CmdSN, so */

static struct server *holder;	/* its engine, and devices in memory */

struct run run;
struct mapped mapped;

static void quiet(enum gotgt_log_level level, const char *line, void *data)
{
}

static void remove_file(void)
{
	unlink(mapped.path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *built = g_getenv("G_TEST_BUILDDIR");
	g_autofree char *dir = built ? g_build_filename(built, "..", "plugins", "mmap", ".libs", NULL) :
				       g_build_filename("plugins", "mmap", ".libs", NULL);

	holder = server_new();
	log_set_sink(quiet, NULL);
	mapped.module = module_load(dir, "mmap", &device_host, NULL);
	mapped.file = g_file_open_tmp("gotgt-fuzz-XXXXXX", &mapped.path, NULL);
	if (!mapped.module || mapped.file < 0) {
		fprintf(stderr, "fuzz-node: %s has no plugin mmap: run it in the build folder\n", dir);
		exit(2);
	}
	atexit(remove_file);
	return 0;
}

/* ---- initiators ---- */

static int connect_tcp(const struct portal *p)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	g_autofree char *address = g_strdup(portal_name(p));
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char *port = strrchr(address, ':');

	*port++ = 0;
	inet_pton(AF_INET, address, &to.sin_addr);
	to.sin_port = htons((uint16_t)atoi(port));
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
		abort();
	return fd;
}

/* The other end of a pair, or TCP, through either portal. */
static void begin_peer(struct peer *p, uint8_t how)
{
	struct portal *portal = how & 1 && run.second ? run.second : run.at.portal;
	int pair[2];

	run.connected = true;
	if (p->fd >= 0)
		peer_end(p, true);
	if (how & 2) {
		peer_begin(p, connect_tcp(portal));
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	node_adopt(run.at.node, portal, pair[1]);
	peer_begin(p, pair[0]);
}

static void add_pair(GByteArray *text, const char *name, const char *value)
{
	g_byte_array_append(text, (const guint8 *)name, (guint)strlen(name));
	g_byte_array_append(text, (const guint8 *)"=", 1);
	g_byte_array_append(text, (const guint8 *)value, (guint)strlen(value) + 1);
}

static const char *value_of(const GByteArray *text, const char *key)
{
	size_t len = strlen(key);

	if (!text->len || text->data[text->len - 1])
		return NULL;
	for (const char *at = (const char *)text->data, *end = at + text->len; at < end; at += strlen(at) + 1)
		if (!strncmp(at, key, len) && at[len] == '=')
			return at + len + 1;
	return NULL;
}

/* A Login Request; true when it was answered, and not refused. */
static bool login_pdu(struct peer *p, uint8_t flags, const uint8_t who[2], uint16_t tsih, const GByteArray *text)
{
	uint8_t bhs[BHS_LEN] = { OP_LOGIN_REQUEST | IMMEDIATE_BIT, flags, [8] = 0x80, [12] = who[0] >> 2 & 3 };
	unsigned before = p->logins;

	put16(bhs + 14, tsih);
	put32(bhs + 16, 1);
	put16(bhs + 20, who[1] & 3);
	peer_send(p, PUT_LENGTH | PUT_CMD_SN | PUT_STAT_SN | NO_AHS, bhs, text->data, text->len);
	for (unsigned i = 0; p->logins == before && !p->gone && i < ANSWER_MS; i++)
		peer_drain(p, 1);
	return p->logins != before && !p->login_status && !p->gone;
}

/* RFC 7143 12.1.3 */
static bool prove(struct peer *p, const uint8_t who[2], uint16_t tsih, bool right, bool mutual)
{
	g_autoptr(GByteArray) a = g_byte_array_new(), r = g_byte_array_new();
	uint8_t challenge[CHAP_CHALLENGE_MAX], digest[CHAP_DIGEST_MAX];
	g_autoptr(GString) hex = g_string_new("0x");
	const char *algorithm, *i, *c;
	size_t len;

	add_pair(a, "CHAP_A", who[1] & 128 ? "7,6,5" : "5");
	if (!login_pdu(p, 0, who, tsih, a))
		return false;
	algorithm = value_of(p->text, "CHAP_A");
	i = value_of(p->text, "CHAP_I");
	c = value_of(p->text, "CHAP_C");
	if (!algorithm || !i || !c || !chap_decode(c, challenge, sizeof challenge, &len))
		return false;
	len = chap_digest((unsigned)atoi(algorithm), (uint8_t)strtoul(i, NULL, 0), right ? SECRET : "not the secret", challenge,
			  len, digest);
	for (size_t k = 0; k < len; k++)
		g_string_append_printf(hex, "%02x", digest[k]);
	add_pair(r, "CHAP_N", USER);
	add_pair(r, "CHAP_R", hex->str);
	if (mutual) {
		add_pair(r, "CHAP_I", "7");
		add_pair(r, "CHAP_C", "0x000102030405060708090a0b0c0d0e0f");
	}
	return login_pdu(p, 0x81, who, tsih, r);
}

/*
 * Two bytes of who: bits 0, 1 of the first the name, 2, 3 the ISID, 4 into the last session, 5 with CHAP, 6 for discovery,
 * 7 more text follows; of the second 0, 1 the CID, 2, 3 digests, 4 the other target, 5 a wrong secret, 6 he is to prove who
 * he is too, 7 the stages one by one.
 */
static void step_login(struct peer *p, struct fuzz_in *in)
{
	static const char *const names[] = { HOST, "iqn.2010-01.org.example:else", "eui.0123456789abcdef", "not a name" };
	g_autoptr(GByteArray) text = g_byte_array_new();
	uint8_t who[2];
	uint16_t tsih;
	bool more = true;

	fuzz_take(in, who, sizeof who);
	tsih = who[0] & 16 ? run.tsih : 0;
	if (p->fd < 0)
		begin_peer(p, who[1]);
	p->deaf = false;
	for (unsigned i = 0; tsih && i < PEERS; i++)	/* they count together */
		if (run.peers[i].fd >= 0 && run.peers[i].tsih == tsih && &run.peers[i] != p)
			p->cmd_sn = &run.peers[i].own_cmd_sn;
	add_pair(text, "InitiatorName", names[who[0] & 3]);
	if (who[0] & 64)
		add_pair(text, "SessionType", "Discovery");
	else
		add_pair(text, "TargetName", who[1] & 16 ? OTHER : DISK);
	if (who[0] & 128) {
		uint16_t len = fuzz_word(in);
		g_autofree uint8_t *bytes = g_malloc(len + 1);

		fuzz_take(in, bytes, len);
		g_byte_array_append(text, bytes, len);
	}
	if (who[0] & 32) {
		add_pair(text, "AuthMethod", "CHAP,None");
		more = login_pdu(p, 0, who, tsih, text) && prove(p, who, tsih, !(who[1] & 32), who[1] & 64);
		g_byte_array_set_size(text, 0);
	} else if (who[1] & 128) {
		more = login_pdu(p, 0x81, who, tsih, text);
		g_byte_array_set_size(text, 0);
	}
	if (who[1] & 4)
		add_pair(text, "HeaderDigest", "CRC32C");
	if (who[1] & 8)
		add_pair(text, "DataDigest", "CRC32C,None");
	if (!more || !login_pdu(p, 0x87, who, tsih, text))
		return;
	p->header_digest = who[1] & 4;
	p->data_digest = who[1] & 8;
	run.tsih = p->tsih;
}

/* As in fuzz-pdu.c: what to put right, basic header segment, length of data, data. */
static void step_pdu(struct peer *p, struct fuzz_in *in)
{
	uint8_t fix = fuzz_byte(in), bhs[BHS_LEN];
	g_autofree uint8_t *bytes = NULL;
	uint32_t len;

	fuzz_take(in, bhs, sizeof bhs);
	len = fuzz_word(in);
	bytes = g_malloc(len + 1);
	fuzz_take(in, bytes, len);
	peer_send(p, fix, bhs, bytes, len);
}

/* Reason, CID. */
static void step_logout(struct peer *p, struct fuzz_in *in)
{
	uint8_t bhs[BHS_LEN] = { OP_LOGOUT_REQUEST | IMMEDIATE_BIT, 0x80 | (fuzz_byte(in) & 3) };

	put16(bhs + 20, fuzz_byte(in) & 3);
	put32(bhs + 16, 0x55);
	peer_send(p, PUT_CMD_SN | PUT_STAT_SN | PUT_LENGTH, bhs, NULL, 0);
	peer_drain(p, 2);
}

/*
 * Flags as in the PDU, bit 3 of them the LUN (2 with an attribute there is not), 4 that an R2T is answered; ten bytes of CDB; the Expected Data Transfer Length
 * and that of immediate data, both in units of 512.
 */
static void step_command(struct peer *p, struct fuzz_in *in)
{
	static uint8_t data[256 * 512];
	uint8_t flags = fuzz_byte(in), bhs[BHS_LEN] = { OP_SCSI_COMMAND, (uint8_t)(flags & 0xe7) };
	uint32_t expected, sent;

	bhs[9] = flags >> 3 & 1;
	if ((flags & 7) > 4) {
		bhs[1] = (uint8_t)((flags & 0xe0) | 1);
		bhs[9] = 2;
	}
	fuzz_take(in, bhs + 32, 10);
	expected = fuzz_byte(in) * 512u;
	sent = fuzz_byte(in) * 512u;
	put32(bhs + 16, *p->cmd_sn & TAGS);
	put32(bhs + 20, expected);
	peer_send(p, PUT_CMD_SN | PUT_STAT_SN | PUT_LENGTH, bhs, data, sent);
	if (!(flags & 16))
		return;
	p->r2t_len = 0;
	for (unsigned i = 0; i < 5 && !p->r2t_len; i++)
		peer_drain(p, 1);
	if (p->r2t_len && p->r2t_len <= sizeof data) {
		uint8_t out[BHS_LEN] = { OP_DATA_OUT, 0x80 };

		put32(out + 16, p->r2t_itt);
		put32(out + 20, p->r2t_ttt);
		put32(out + 40, p->r2t_offset);
		peer_send(p, PUT_STAT_SN | PUT_LENGTH | NO_AHS, out, data, p->r2t_len);
	}
}

/* Function (16: a ping is answered; 32: nothing is received from here on, or again), what it is about. */
static void step_task(struct peer *p, struct fuzz_in *in)
{
	uint8_t function = fuzz_byte(in), about = fuzz_byte(in);
	uint8_t bhs[BHS_LEN] = { OP_TMF_REQUEST | IMMEDIATE_BIT, 0x80 | (function & 15) };

	if (function & 32) {
		p->deaf = !p->deaf;
		return;
	}
	bhs[9] = about >> 7;
	put32(bhs + 16, 0x1000u + about);
	put32(bhs + 20, (*p->cmd_sn - 1 - (about & 7)) & TAGS);
	put32(bhs + 32, *p->cmd_sn - 1 - (about & 7));
	if (function & 16) {
		bhs[0] = OP_NOP_OUT | IMMEDIATE_BIT;
		bhs[1] = 0x80;
		put32(bhs + 16, TAG_NONE);
		put32(bhs + 20, p->nop_ttt);
	}
	peer_send(p, PUT_CMD_SN | PUT_STAT_SN | PUT_LENGTH, bhs, NULL, 0);
	peer_drain(p, 1);
}

/* ---- an input ---- */

static void step(struct fuzz_in *in)
{
	uint8_t what = fuzz_byte(in), n = what >> 3;
	struct peer *p = &run.peers[n % PEERS];

	if (what % STEPS == STEP_ACT)
		admin_act(n, fuzz_byte(in));
	else if (what % STEPS == STEP_CONNECT)
		begin_peer(p, fuzz_byte(in));
	else if (what % STEPS == STEP_LOGIN)
		step_login(p, in);
	else if (p->fd < 0)
		return;
	else if (what % STEPS == STEP_END)
		peer_end(p, true);
	else if (what % STEPS == STEP_PDU)
		step_pdu(p, in);
	else if (what % STEPS == STEP_LOGOUT)
		step_logout(p, in);
	else if (what % STEPS == STEP_COMMAND)
		step_command(p, in);
	else
		step_task(p, in);
}

static void open_node(void)
{
	struct params offer = params_offered;

	memset(&run, 0, sizeof run);
	for (unsigned i = 0; i < PEERS; i++)
		run.peers[i].fd = -1;
	run.at.engine = holder->engine;
	run.at.node = node_new(run.at.engine);
	run.at.portal = node_add_portal(run.at.node, "127.0.0.1", 0, NULL);
	if (!run.at.portal)
		abort();
	run.at.scsi = target_new(run.at.engine, DISK);
	admin_add_lun(run.at.scsi, 0);
	admin_add_lun(run.at.scsi, 1);
	admin_add_mapped();
	offer.max_connections = 4;
	run.at.target = node_add_target(run.at.node, DISK, "a disk", run.at.scsi, &offer, NULL, 0);
	admin_add_other();
}

static void close_node(void)
{
	ram_deafen(false);
	ram_release();
	for (unsigned i = 0; i < PEERS; i++)
		if (run.peers[i].fd >= 0)
			peer_end(&run.peers[i], i & 1);
	node_shutdown(run.at.node, 0);
	admin_remove_other();
	node_remove_target(run.at.node, run.at.target, 0);
	target_remove_lun(run.at.scsi, 0, NULL, NULL);
	target_remove_lun(run.at.scsi, 1, NULL, NULL);
	target_remove_lun(run.at.scsi, 2, NULL, NULL);
	target_free(run.at.scsi);
	node_free(run.at.node);
	target_free_left(run.at.engine);
}

static void pool_is_whole(struct reactor *r, void *arg)
{
	if (bufpool_in_use(reactor_pool(r)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };

	open_node();
	for (unsigned n = 0; n < STEPS_MAX && in.left; n++)
		step(&in);
	close_node();
	engine_each(holder->engine, pool_is_whole, NULL);
	return 0;
}
