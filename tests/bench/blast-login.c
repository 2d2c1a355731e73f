/* SPDX-License-Identifier: Apache-2.0 */
/* blast-login.c - before the load: one PDU after the other. */
#include "config.h"
#include <errno.h>
#include <inttypes.h>
#include <isa-l/crc.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "blast.h"

uint64_t blocks;
uint32_t block_size;

#define PATIENCE_S 10	/* with who logs in; then the time is up when it is */

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("blast: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

uint32_t digest(const uint8_t *data, size_t len)
{
	return htole32(~crc32_iscsi((unsigned char *)data, (int)len, 0xffffffff));
}

static void write_all(int fd, const void *from, size_t len)
{
	for (const uint8_t *p = from; len; ) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			die("write: %s", g_strerror(errno));
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
}

static void read_all(int fd, void *to, size_t len)
{
	for (uint8_t *p = to; len; ) {
		ssize_t n = read(fd, p, len);

		if (n == 0)
			die("the target closed the connection");
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			die("the target has said nothing for %d seconds", PATIENCE_S);
		if (n < 0 && errno != EINTR)
			die("read: %s", g_strerror(errno));
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
}

/* Its data, for g_free(), with a NUL behind it. */
static uint8_t *read_pdu(const struct session *s, uint8_t bhs[BHS_LEN], uint32_t *len)
{
	uint8_t digests[DIGEST_LEN], *data;
	size_t ahs;

	read_all(s->fd, bhs, BHS_LEN);
	*len = get24(bhs + 5);
	ahs = bhs[4] * 4u;
	data = g_malloc0(MAX(pad4(*len), ahs) + 1);
	read_all(s->fd, data, ahs);
	if (s->header_digest)
		read_all(s->fd, digests, DIGEST_LEN);
	read_all(s->fd, data, pad4(*len));
	if (s->data_digest && *len)
		read_all(s->fd, digests, DIGEST_LEN);
	data[*len] = 0;
	return data;
}

static void learn(struct session *s, const char *text, uint32_t len)
{
	for (const char *k = text, *v; k < text + len; k += strlen(k) + 1) {
		v = strchr(k, '=');
		if (!v++)
			continue;
		if (g_str_has_prefix(k, "MaxRecvDataSegmentLength="))
			s->max_dsl = (uint32_t)strtoul(v, NULL, 0);
		else if (g_str_has_prefix(k, "FirstBurstLength="))
			s->first_burst = (uint32_t)strtoul(v, NULL, 0);
		else if (g_str_has_prefix(k, "ImmediateData="))
			s->immediate = g_str_equal(v, "Yes");
		else if (g_str_has_prefix(k, "InitialR2T="))
			s->initial_r2t = !g_str_equal(v, "No");
		else if (g_str_has_prefix(k, "HeaderDigest="))
			s->header_digest = g_str_equal(v, "CRC32C");
		else if (g_str_has_prefix(k, "DataDigest="))
			s->data_digest = g_str_equal(v, "CRC32C");
	}
}

static void add_key(GByteArray *text, const char *key, const char *value)
{
	g_autofree char *pair = g_strdup_printf("%s=%s", key, value);

	g_byte_array_append(text, (const uint8_t *)pair, (guint)strlen(pair) + 1);
}

/* What is said in the stage of security negotiation, and in that of operational parameters (RFC 7143 6.3). */
static GByteArray *login_text(int stage, unsigned id)
{
	static const char *const operational[][2] = {
		{ "MaxConnections", "1" }, { "InitialR2T", "No" }, { "ImmediateData", "Yes" },
		{ "MaxRecvDataSegmentLength", "262144" }, { "MaxBurstLength", "1048576" },
		{ "FirstBurstLength", "262144" }, { "MaxOutstandingR2T", "8" }, { "DefaultTime2Wait", "2" },
		{ "DefaultTime2Retain", "0" }, { "ErrorRecoveryLevel", "0" },
	};
	GByteArray *text = g_byte_array_new();
	g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example.blast:%u", id);

	if (stage == 0) {
		add_key(text, "InitiatorName", name);
		add_key(text, "TargetName", o.iqn);
		add_key(text, "SessionType", "Normal");
		add_key(text, "AuthMethod", "None");
		return text;
	}
	add_key(text, "HeaderDigest", o.header_digest ? "CRC32C" : "None");
	add_key(text, "DataDigest", o.data_digest ? "CRC32C" : "None");
	for (size_t i = 0; i < G_N_ELEMENTS(operational); i++)
		add_key(text, operational[i][0], operational[i][1]);
	return text;
}

/* One stage, as many rounds as the target wants. */
static void login_stage(struct session *s, int stage, unsigned id, struct session *agreed)
{
	g_autoptr(GByteArray) text = login_text(stage, id);
	uint8_t bhs[BHS_LEN], *data;
	uint32_t len;

	do {
		memset(bhs, 0, BHS_LEN);
		bhs[0] = IMMEDIATE_BIT | OP_LOGIN_REQUEST;
		bhs[1] = stage == 0 ? 0x81 : 0x87;
		put24(bhs + 5, text->len);
		bhs[8] = 0x80;
		put16(bhs + 9, (uint16_t)(id + 1));
		put16(bhs + 11, (uint16_t)getpid());
		put32(bhs + 16, 1);
		put32(bhs + 24, s->cmd_sn);
		put32(bhs + 28, s->exp_stat_sn);
		write_all(s->fd, bhs, BHS_LEN);
		len = text->len;
		g_byte_array_set_size(text, pad4(len));
		memset(text->data + len, 0, pad4(len) - len);
		write_all(s->fd, text->data, text->len);
		g_byte_array_set_size(text, 0);		/* in further rounds there is nothing to add */
		data = read_pdu(s, bhs, &len);
		if ((bhs[0] & OPCODE_MASK) != OP_LOGIN_RESPONSE)
			die("login: answered with opcode 0x%02x", bhs[0]);
		if (bhs[36] || bhs[37])
			die("login refused: status %02x%02x", bhs[36], bhs[37]);
		s->exp_stat_sn = get32(bhs + 24) + 1;
		s->max_cmd_sn = get32(bhs + 32);
		learn(agreed, (char *)data, len);
		g_free(data);
	} while (!(bhs[1] & FINAL_BIT));
}

static void add_digest(struct session *s, const uint8_t *bhs)
{
	uint32_t d = digest(bhs, BHS_LEN);

	if (s->header_digest)
		write_all(s->fd, &d, sizeof d);
}

void put_lun(uint8_t *p, unsigned lun)
{
	memset(p, 0, 8);
	p[0] = lun > 255 ? (uint8_t)(0x40 | lun >> 8) : 0;
	p[1] = (uint8_t)lun;
}

/* Returns how much came in; the SCSI status is status. */
static uint32_t one_command(struct session *s, unsigned lun, const uint8_t cdb[16], uint8_t *in, uint32_t in_len,
			    uint8_t *status)
{
	uint8_t bhs[BHS_LEN] = { OP_SCSI_COMMAND, (uint8_t)((in_len ? 0x40 : 0) | 0x81) }, *data;
	uint32_t got = 0, len;

	put_lun(bhs + 8, lun);
	put32(bhs + 16, DEPTH_MAX);
	put32(bhs + 20, in_len);
	put32(bhs + 24, s->cmd_sn++);
	put32(bhs + 28, s->exp_stat_sn);
	memcpy(bhs + 32, cdb, 16);
	write_all(s->fd, bhs, BHS_LEN);
	add_digest(s, bhs);
	do {
		data = read_pdu(s, bhs, &len);
		s->max_cmd_sn = get32(bhs + 32);
		if ((bhs[0] & OPCODE_MASK) == OP_DATA_IN) {
			got = MIN(len, in_len);
			memcpy(in, data, got);
		}
		g_free(data);
	} while ((bhs[0] & OPCODE_MASK) != OP_SCSI_RESPONSE && !((bhs[0] & OPCODE_MASK) == OP_DATA_IN && bhs[1] & 1));
	s->exp_stat_sn = get32(bhs + 24) + 1;
	*status = bhs[3];
	return got;
}

static int dial(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *ai;
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	int r = getaddrinfo(o.host, o.port, &hints, &ai), fd, one = 1;

	if (r)
		die("%s: %s", o.host, gai_strerror(r));
	fd = socket(ai->ai_family, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, ai->ai_addr, ai->ai_addrlen))
		die("connect: %s", g_strerror(errno));
	freeaddrinfo(ai);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return fd;
}

void session_open(struct session *s, unsigned id)
{
	/* RFC 7143 13: what holds where nothing else is agreed. */
	struct session agreed = { .max_dsl = 8192, .first_burst = 65536, .immediate = true, .initial_r2t = true };
	static const uint8_t test_unit_ready[16], capacity[16] = { 0x9e, 0x10, [13] = 32 };
	uint8_t status = 1, in[32] = { 0 };
	unsigned first = (unsigned)o.lun;

	s->fd = dial();
	s->cmd_sn = 1;
	s->random = UINT64_C(88172645463325252) + id * UINT64_C(7919);
	login_stage(s, 0, id, &agreed);
	login_stage(s, 1, id, &agreed);
	s->max_dsl = agreed.max_dsl;
	s->first_burst = agreed.first_burst;
	s->immediate = agreed.immediate;
	s->initial_r2t = agreed.initial_r2t;
	s->header_digest = agreed.header_digest;
	s->data_digest = agreed.data_digest;
	for (unsigned lun = first; lun < first + (unsigned)o.luns; lun++) {
		status = 1;
		for (int i = 0; status && i < 8; i++)		/* unit attentions */
			one_command(s, lun, test_unit_ready, NULL, 0, &status);
	}
	if (one_command(s, first, capacity, in, sizeof in, &status) < 12 || status)
		die("READ CAPACITY(16) failed");
	blocks = ((uint64_t)get32(in) << 32 | get32(in + 4)) + 1;
	block_size = get32(in + 8);
	if (!block_size || (uint32_t)o.io_bytes % block_size || blocks < (uint32_t)o.io_bytes / block_size)
		die("a LUN of %" PRIu64 " blocks of %u bytes is none for %d bytes a command", blocks, block_size, o.io_bytes);
	blocks = MIN(blocks, UINT32_MAX);
	while (s->n_free < (uint32_t)o.depth) {
		s->free_itt[s->n_free] = (uint16_t)s->n_free;
		s->n_free++;
	}
	s->next = blocks / ((uint32_t)o.io_bytes / block_size) / (uint32_t)o.sessions * id;
}
