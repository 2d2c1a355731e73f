/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ini.h - a tiny initiator that does what it is told, right or wrong.  EXPECT_ words receive and
 * check, IS_ words look at what was received; a silent server fails the test after a while.
 */
#ifndef GOTGT_TESTS_INI_H
#define GOTGT_TESTS_INI_H

#include "iscsi/wire.h"
#include "scsi/sense.h"
#include "server.h"

enum { IMMEDIATE = IMMEDIATE_BIT, FINAL = FINAL_BIT, READ = 0x40, WRITE = 0x20, SIMPLE = 0x01, ORDERED = 0x02, HEAD_OF_QUEUE = 0x03, ACA = 0x04 };
enum { FLAG_OVERFLOW = 0x04, FLAG_UNDERFLOW = 0x02, FLAG_STATUS = 0x01 };	/* of SCSI Response and Data-In */
enum { OP_TO_FULL = 0x87, SEC_TO_FULL = 0x83, SEC_TO_OP = 0x81 };	/* T, CSG, NSG */

struct ini {
	struct server *server;
	int fd;
	uint32_t cmd_sn, itt;		/* of the next command */
	uint32_t exp_stat_sn;
	bool stat_sn_known;
	bool header_digest, data_digest;
	uint8_t isid[6];
	uint16_t tsih, cid;
	uint32_t exp_cmd_sn, max_cmd_sn;	/* as last heard */
	uint32_t max_recv_dsl;		/* what we declared: more is an error */
	/* The PDU last received. */
	uint8_t bhs[BHS_LEN];
	uint8_t *data;
	uint32_t data_len;
};

/* A connection; id tells initiator ports (ISIDs) apart. */
struct ini *ini_new(struct server *s, uint8_t id);
struct ini *ini_new_tcp(struct server *s, uint8_t id);	/* through the portal itself */
struct ini *ini_new_on(int fd, struct server *s, uint8_t id);	/* fd is its own from here */
void ini_free(struct ini *i);

/* Bytes as they are; false when the server has closed. */
bool ini_send_raw(struct ini *i, const void *bytes, size_t len);
/* Wait until the server has taken all of it from its socket; not for ini_new_tcp(). */
void ini_wait_taken(struct ini *i);
/* A PDU: DataSegmentLength, padding and digests are put in; its bytes, or sent. */
GByteArray *ini_pdu(struct ini *i, uint8_t bhs[BHS_LEN], const void *data, uint32_t len);
void ini_send(struct ini *i, uint8_t bhs[BHS_LEN], const void *data, uint32_t len);
/* One PDU into i->bhs and i->data, its numbers checked.  False: the connection was closed. */
bool ini_recv(struct ini *i);

/* text: pairs with ';' for NUL. */
void ini_login_pdu(struct ini *i, uint8_t flags, const char *text);
/* Names and text in one round, digests switched on as agreed, the power on unit attention taken. */
void ini_login(struct ini *i, const char *text);
/* False: the connection was closed meanwhile. */
bool ini_try_login(struct ini *i, const char *text);
/* A new connection, logged in. */
struct ini *ini_new_login(struct server *s, uint8_t id, const char *text);
/* One more connection of i's session, logged in, its CmdSN and ITT as i's are now. */
struct ini *ini_new_join(struct ini *i, uint16_t cid, const char *text);
/* Several connections take CmdSNs and ITTs from one session: go on where from is. */
void ini_follow(struct ini *i, const struct ini *from);
void ini_logout(struct ini *i, uint8_t reason, uint16_t cid);	/* immediate; ITT 0x55 */
char *ini_text(const struct ini *i);	/* the data received as text, ';' for NUL */

/* Each takes the next CmdSN and gives its ITT. */
uint32_t ini_command(struct ini *i, uint8_t flags, uint32_t lun, uint32_t edtl, const uint8_t cdb[16], const void *data,
		     uint32_t len);
uint32_t ini_read(struct ini *i, uint32_t lba, uint16_t blocks, uint32_t edtl);
/* Immediate data of len bytes; flags FINAL when nothing follows unsolicited. */
uint32_t ini_write(struct ini *i, uint8_t flags, uint32_t lba, uint16_t blocks, uint32_t edtl, const void *data,
		   uint32_t len);
uint32_t ini_test_unit_ready(struct ini *i, uint32_t lun);
void ini_data_out(struct ini *i, uint8_t flags, uint32_t itt, uint32_t ttt, uint32_t data_sn, uint32_t offset,
		  const void *data, uint32_t len);
void ini_nop(struct ini *i, uint32_t itt, const void *data, uint32_t len);
void ini_tmf(struct ini *i, uint8_t function, uint32_t lun, uint32_t ref_itt);

/* Answer R2Ts from data until the response, which is left in i->bhs. */
void ini_finish_write(struct ini *i, uint32_t itt, const uint8_t *data);
/* Gather Data-In until the status; how much came.  What had the status is left in i->bhs. */
uint32_t ini_finish_read(struct ini *i, uint32_t itt, uint8_t *buf, uint32_t size);

/* The session still works. */
void ini_check(struct ini *i);
/* Shut down our side and wait for the server's. */
void ini_hang_up(struct ini *i);

#define IS_PDU(i, op) g_assert_cmphex((i)->bhs[0] & OPCODE_MASK, ==, op)
#define EXPECT_PDU(i, op) do { \
	g_assert_true(ini_recv(i)); \
	IS_PDU(i, op); } while (0)
#define EXPECT_CLOSED(i) g_assert_false(ini_recv(i))
#define IS_LOGIN(i, flags, status) do { \
	IS_PDU(i, OP_LOGIN_RESPONSE); \
	g_assert_cmphex(get16((i)->bhs + 36), ==, status); \
	g_assert_cmphex((i)->bhs[1], ==, flags); } while (0)
#define EXPECT_LOGIN(i, flags, status) do { \
	g_assert_true(ini_recv(i)); \
	IS_LOGIN(i, flags, status); } while (0)
#define EXPECT_REFUSED(i, status) do { \
	EXPECT_PDU(i, OP_LOGIN_RESPONSE); \
	g_assert_cmphex(get16((i)->bhs + 36), ==, status); \
	EXPECT_CLOSED(i); } while (0)

#define IS_STATUS(i, itt, status) do { \
	IS_PDU(i, OP_SCSI_RESPONSE); \
	g_assert_cmphex(get32((i)->bhs + 16), ==, itt); \
	g_assert_cmphex((i)->bhs[2], ==, 0); \
	g_assert_cmphex((i)->bhs[3], ==, status); } while (0)
#define EXPECT_STATUS(i, itt, status) do { \
	g_assert_true(ini_recv(i)); \
	IS_STATUS(i, itt, status); } while (0)
#define IS_SENSE(i, itt, key, asc) do { \
	IS_STATUS(i, itt, 2); \
	g_assert_cmpuint((i)->data_len, >=, 2 + 18); \
	g_assert_cmphex((i)->data[2 + 2] & 15, ==, key); \
	g_assert_cmphex((i)->data[2 + 12], ==, asc); } while (0)
#define EXPECT_SENSE(i, itt, key, asc) do { \
	g_assert_true(ini_recv(i)); \
	IS_SENSE(i, itt, key, asc); } while (0)
#define EXPECT_RESIDUAL(i, flag, count) do { \
	g_assert_cmphex((i)->bhs[1] & (FLAG_OVERFLOW | FLAG_UNDERFLOW), ==, flag); \
	g_assert_cmpuint(get32((i)->bhs + 44), ==, count); } while (0)
#define EXPECT_REJECT(i, reason) do { \
	EXPECT_PDU(i, OP_REJECT); \
	g_assert_cmphex((i)->bhs[2], ==, reason); \
	g_assert_cmpuint((i)->data_len, ==, BHS_LEN); } while (0)
#define EXPECT_TMF(i, response) do { \
	EXPECT_PDU(i, OP_TMF_RESPONSE); \
	g_assert_cmphex((i)->bhs[2], ==, response); } while (0)

#endif
