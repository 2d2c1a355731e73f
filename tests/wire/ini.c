/* SPDX-License-Identifier: Apache-2.0 */
/* ini.c - see ini.h */
#include "config.h"
#include <errno.h>
#include <isa-l/crc.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ini.h"
#include "scsi/target.h"

#define SILENCE_S 60

struct ini *ini_new_on(int fd, struct server *s, uint8_t id)
{
	struct ini *i = g_new0(struct ini, 1);
	struct timeval limit = { .tv_sec = SILENCE_S };

	i->server = s;
	i->fd = fd;
	g_assert_cmpint(setsockopt(i->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), ==, 0);
	i->cmd_sn = 0xfffffff0;		/* so that it wraps soon */
	i->itt = 0x100;
	i->isid[0] = 0x80;
	i->isid[5] = id;
	i->max_recv_dsl = 8192;
	return i;
}

struct ini *ini_new(struct server *s, uint8_t id)
{
	return ini_new_on(server_connect(s), s, id);
}

struct ini *ini_new_tcp(struct server *s, uint8_t id)
{
	return ini_new_on(server_connect_tcp(s), s, id);
}

void ini_free(struct ini *i)
{
	close(i->fd);
	g_free(i->data);
	g_free(i);
}

bool ini_send_raw(struct ini *i, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		ssize_t n = send(i->fd, at, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/* As on the wire: least significant byte first (RFC 7143 13.1, 11.2.3). */
static uint32_t digest(const void *data, uint32_t len)
{
	return htole32(~crc32_iscsi((unsigned char *)data, (int)len, 0xffffffff));
}

GByteArray *ini_pdu(struct ini *i, uint8_t bhs[BHS_LEN], const void *data, uint32_t len)
{
	static const uint8_t zeroes[4];
	GByteArray *out = g_byte_array_new();
	uint32_t crc;

	put24(bhs + 5, len);
	put32(bhs + 28, i->exp_stat_sn);
	g_byte_array_append(out, bhs, BHS_LEN);
	crc = digest(out->data, out->len);
	if (i->header_digest)
		g_byte_array_append(out, (const guint8 *)&crc, sizeof crc);
	if (len) {
		guint at = out->len;

		g_byte_array_append(out, data, len);
		g_byte_array_append(out, zeroes, pad4(len) - len);
		crc = digest(out->data + at, pad4(len));
		if (i->data_digest)
			g_byte_array_append(out, (const guint8 *)&crc, sizeof crc);
	}
	return out;
}

void ini_send(struct ini *i, uint8_t bhs[BHS_LEN], const void *data, uint32_t len)
{
	GByteArray *out = ini_pdu(i, bhs, data, len);

	ini_send_raw(i, out->data, out->len);
	g_byte_array_unref(out);
}

void ini_wait_taken(struct ini *i)
{
	int left = 1;

	for (unsigned tries = 0; left; tries++) {
		g_assert_cmpuint(tries, <, SILENCE_S * 5000);
		g_usleep(tries ? 200 : 0);
		g_assert_cmpint(ioctl(i->fd, SIOCOUTQ, &left), ==, 0);
	}
}

static bool get(struct ini *i, void *buf, uint32_t len)
{
	ssize_t n = 0;

	for (uint32_t at = 0; at < len; at += (uint32_t)n) {
		do
			n = recv(i->fd, (char *)buf + at, len - at, 0);
		while (n < 0 && errno == EINTR);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			g_error("the server says nothing for %d seconds", SILENCE_S);
		if (n <= 0)
			return false;
	}
	return true;
}

/* RFC 7143 11: StatSN counts answers, and rides on these. */
static bool counts(const struct ini *i)
{
	switch (i->bhs[0] & OPCODE_MASK) {
	case OP_DATA_IN:
		return i->bhs[1] & FLAG_STATUS;
	case OP_R2T:
		return false;
	case OP_NOP_IN:
		return get32(i->bhs + 16) != TAG_NONE;
	}
	return true;
}

static void check_numbers(struct ini *i)
{
	uint32_t max = get32(i->bhs + 32);

	if (counts(i)) {
		if (i->stat_sn_known)
			g_assert_cmpuint(get32(i->bhs + 24), ==, i->exp_stat_sn);
		i->exp_stat_sn = get32(i->bhs + 24) + 1;
		i->stat_sn_known = true;
	}
	i->exp_cmd_sn = get32(i->bhs + 28);
	if (sn_lt(i->max_cmd_sn, max) || (i->bhs[0] & OPCODE_MASK) == OP_LOGIN_RESPONSE)
		i->max_cmd_sn = max;
}

bool ini_recv(struct ini *i)
{
	uint32_t crc;

	if (!get(i, i->bhs, BHS_LEN))
		return false;
	if (i->header_digest) {
		g_assert_true(get(i, &crc, sizeof crc));
		g_assert_cmphex(crc, ==, digest(i->bhs, BHS_LEN));
	}
	i->data_len = get24(i->bhs + 5);
	g_assert_cmpuint(i->data_len, <=, i->max_recv_dsl);
	i->data = g_realloc(i->data, pad4(i->data_len) + 1);
	if (i->data_len) {
		g_assert_true(get(i, i->data, pad4(i->data_len)));
		if (i->data_digest) {
			g_assert_true(get(i, &crc, sizeof crc));
			g_assert_cmphex(crc, ==, digest(i->data, pad4(i->data_len)));
		}
	}
	check_numbers(i);
	return true;
}

/* ---- login ---- */

void ini_login_pdu(struct ini *i, uint8_t flags, const char *text)
{
	g_autofree char *pairs = g_strdelimit(g_strdup(text), ";", '\0');
	uint8_t bhs[BHS_LEN] = { OP_LOGIN_REQUEST | IMMEDIATE, flags };

	memcpy(bhs + 8, i->isid, 6);
	put16(bhs + 14, i->tsih);
	put32(bhs + 16, 1);
	put16(bhs + 20, i->cid);
	put32(bhs + 24, i->cmd_sn);
	ini_send(i, bhs, pairs, (uint32_t)strlen(text));
}

char *ini_text(const struct ini *i)
{
	char *text = g_malloc(i->data_len + 1);

	for (uint32_t n = 0; n < i->data_len; n++)
		text[n] = i->data[n] ? (char)i->data[n] : ';';
	text[i->data_len] = '\0';
	return text;
}

static void note_digests(struct ini *i)
{
	g_autofree char *answer = ini_text(i);

	i->header_digest = strstr(answer, "HeaderDigest=CRC32C") != NULL;
	i->data_digest = strstr(answer, "DataDigest=CRC32C") != NULL;
}

bool ini_try_login(struct ini *i, const char *text)
{
	g_autofree char *all = g_strconcat("InitiatorName=" HOST ";TargetName=" DISK ";", text, NULL);
	const char *declared = strstr(text, "MaxRecvDataSegmentLength=");

	ini_login_pdu(i, OP_TO_FULL, all);
	if (!ini_recv(i))
		return false;
	IS_LOGIN(i, OP_TO_FULL, LOGIN_SUCCESS);
	g_assert_cmpuint(get16(i->bhs + 14), !=, 0);
	i->tsih = get16(i->bhs + 14);
	note_digests(i);
	if (declared)
		i->max_recv_dsl = (uint32_t)g_ascii_strtoull(strchr(declared, '=') + 1, NULL, 10);
	for (uint32_t lun = 0; lun < 2; lun++) {
		uint32_t itt = ini_test_unit_ready(i, lun);

		if (!ini_recv(i))
			return false;
		IS_SENSE(i, itt, KEY_UNIT_ATTENTION, 0x29);
	}
	return true;
}

void ini_login(struct ini *i, const char *text)
{
	g_assert_true(ini_try_login(i, text));
}

struct ini *ini_new_login(struct server *s, uint8_t id, const char *text)
{
	struct ini *i = ini_new(s, id);

	ini_login(i, text);
	return i;
}

void ini_follow(struct ini *i, const struct ini *from)
{
	i->cmd_sn = from->cmd_sn;
	i->itt = from->itt;
}

struct ini *ini_new_join(struct ini *i, uint16_t cid, const char *text)
{
	g_autofree char *all = g_strconcat("InitiatorName=" HOST ";TargetName=" DISK ";", text, NULL);
	struct ini *other = ini_new(i->server, 0);

	memcpy(other->isid, i->isid, sizeof other->isid);
	other->tsih = i->tsih;
	other->cid = cid;
	ini_follow(other, i);
	other->max_recv_dsl = i->max_recv_dsl;
	ini_login_pdu(other, OP_TO_FULL, all);
	EXPECT_LOGIN(other, OP_TO_FULL, LOGIN_SUCCESS);
	g_assert_cmpuint(get16(other->bhs + 14), ==, i->tsih);
	note_digests(other);
	return other;
}

void ini_logout(struct ini *i, uint8_t reason, uint16_t cid)
{
	uint8_t bhs[BHS_LEN] = { OP_LOGOUT_REQUEST | IMMEDIATE, (uint8_t)(FINAL | reason) };

	put32(bhs + 16, 0x55);
	put16(bhs + 20, cid);
	put32(bhs + 24, i->cmd_sn);
	ini_send(i, bhs, NULL, 0);
}

/* ---- requests; a CmdSN is taken by each but the immediate ---- */

uint32_t ini_command(struct ini *i, uint8_t flags, uint32_t lun, uint32_t edtl, const uint8_t cdb[16], const void *data,
		     uint32_t len)
{
	uint8_t bhs[BHS_LEN] = { OP_SCSI_COMMAND, (uint8_t)(flags & (HEAD_OF_QUEUE | ACA) ? flags : flags | SIMPLE) };

	lun_format(bhs + 8, lun);
	put32(bhs + 16, i->itt);
	put32(bhs + 20, edtl);
	put32(bhs + 24, i->cmd_sn++);
	memcpy(bhs + 32, cdb, 16);
	ini_send(i, bhs, data, len);
	return i->itt++;
}

uint32_t ini_read(struct ini *i, uint32_t lba, uint16_t blocks, uint32_t edtl)
{
	uint8_t cdb[16] = { 0x28 };

	put32(cdb + 2, lba);
	put16(cdb + 7, blocks);
	return ini_command(i, FINAL | READ, 0, edtl, cdb, NULL, 0);
}

uint32_t ini_write(struct ini *i, uint8_t flags, uint32_t lba, uint16_t blocks, uint32_t edtl, const void *data,
		   uint32_t len)
{
	uint8_t cdb[16] = { 0x2a };

	put32(cdb + 2, lba);
	put16(cdb + 7, blocks);
	return ini_command(i, flags | WRITE, 0, edtl, cdb, data, len);
}

uint32_t ini_test_unit_ready(struct ini *i, uint32_t lun)
{
	static const uint8_t cdb[16];

	return ini_command(i, FINAL, lun, 0, cdb, NULL, 0);
}

void ini_data_out(struct ini *i, uint8_t flags, uint32_t itt, uint32_t ttt, uint32_t data_sn, uint32_t offset,
		  const void *data, uint32_t len)
{
	uint8_t bhs[BHS_LEN] = { OP_DATA_OUT, flags };

	put32(bhs + 16, itt);
	put32(bhs + 20, ttt);
	put32(bhs + 36, data_sn);
	put32(bhs + 40, offset);
	ini_send(i, bhs, data, len);
}

void ini_nop(struct ini *i, uint32_t itt, const void *data, uint32_t len)
{
	uint8_t bhs[BHS_LEN] = { OP_NOP_OUT | IMMEDIATE, FINAL };

	put32(bhs + 16, itt);
	put32(bhs + 20, TAG_NONE);
	put32(bhs + 24, i->cmd_sn);
	ini_send(i, bhs, data, len);
}

void ini_tmf(struct ini *i, uint8_t function, uint32_t lun, uint32_t ref_itt)
{
	uint8_t bhs[BHS_LEN] = { OP_TMF_REQUEST | IMMEDIATE, (uint8_t)(FINAL | function) };

	lun_format(bhs + 8, lun);
	put32(bhs + 16, i->itt++);
	put32(bhs + 20, ref_itt);
	put32(bhs + 24, i->cmd_sn);
	put32(bhs + 32, i->cmd_sn - 1);
	ini_send(i, bhs, NULL, 0);
}

void ini_finish_write(struct ini *i, uint32_t itt, const uint8_t *data)
{
	for (;;) {
		uint32_t ttt, offset, len, sn = 0;

		g_assert_true(ini_recv(i));
		g_assert_cmphex(get32(i->bhs + 16), ==, itt);
		if ((i->bhs[0] & OPCODE_MASK) != OP_R2T)
			break;
		ttt = get32(i->bhs + 20);
		offset = get32(i->bhs + 40);
		len = get32(i->bhs + 44);
		for (uint32_t at = 0; at < len; sn++) {
			uint32_t n = MIN(len - at, 60000);

			ini_data_out(i, at + n == len ? FINAL : 0, itt, ttt, sn, offset + at, data + offset + at, n);
			at += n;
		}
	}
	g_assert_cmphex(i->bhs[0], ==, OP_SCSI_RESPONSE);
}

uint32_t ini_finish_read(struct ini *i, uint32_t itt, uint8_t *buf, uint32_t size)
{
	uint32_t at = 0, sn = 0;

	for (;;) {
		g_assert_true(ini_recv(i));
		g_assert_cmphex(get32(i->bhs + 16), ==, itt);
		if ((i->bhs[0] & OPCODE_MASK) == OP_SCSI_RESPONSE) {
			g_assert_cmpuint(get32(i->bhs + 36), ==, sn);
			break;
		}
		g_assert_cmphex(i->bhs[0], ==, OP_DATA_IN);
		g_assert_cmpuint(get32(i->bhs + 36), ==, sn++);
		g_assert_cmpuint(get32(i->bhs + 40), ==, at);
		g_assert_cmpuint(at + i->data_len, <=, size);
		memcpy(buf + at, i->data, i->data_len);
		at += i->data_len;
		if (i->bhs[1] & FLAG_STATUS)
			break;
	}
	return at;
}

void ini_check(struct ini *i)
{
	uint32_t itt = ini_test_unit_ready(i, 0);

	EXPECT_STATUS(i, itt, 0);
}

void ini_hang_up(struct ini *i)
{
	char rest[4096];
	ssize_t n;

	shutdown(i->fd, SHUT_WR);
	do
		n = recv(i->fd, rest, sizeof rest, 0);
	while (n > 0 || (n < 0 && errno == EINTR));
	g_assert_true(n == 0 || errno == ECONNRESET);
}
