/* SPDX-License-Identifier: Apache-2.0 */
/* scsi-rig.h - a target with a LUN on a fake device and two nexuses, and a way to send it CDBs. */
#ifndef SCSI_RIG_H
#define SCSI_RIG_H

#include <string.h>
#include "fake-device.h"
#include "scsi/cdb.h"
#include "scsi/lun.h"
#include "scsi/task.h"
#include "scsi/wire.h"

#define RIG_BLOCKS 4096u
#define RIG_NAME "iqn.2024-01.org.gotgt:test"
#define RIG_OPS (GOTGT_OP_BIT(GOTGT_OP_FLUSH) | GOTGT_OP_BIT(GOTGT_OP_UNMAP) | GOTGT_OP_BIT(GOTGT_OP_ZERO))

/* How Data-Out reaches the task. */
enum rig_way { WAY_FROM, WAY_PLACE, WAY_LENT };

extern struct rig {
	struct engine *engine;
	struct reactor *r;
	struct target *target;
	struct device *dev;
	struct lun *lun;
	struct nexus *a, *b;
	struct nexus *nexus;	/* commands come by; a */
	enum rig_way way;
	bool no_lend;
	uint8_t addr[8];
	int cdb_len;		/* 0: 16 */
	uint32_t edtl_no_way;
} rig;

/* The last command's outcome. */
extern struct rig_result {
	uint8_t status;
	bool aborted, lent;
	unsigned dones;
	uint32_t in_len, out_len;
	uint64_t xfer_len;
	uint8_t key, asc, ascq;
	uint16_t sense_len;
	uint8_t sense[TASK_SENSE_MAX];
	uint8_t in[8u << 20];
} res;

/* One of these around each test: the body runs on reactor 0. */
void rig_add(const char *path, void (*body)(void));
/* The same with something done on the main thread around it. */
void rig_add_around(const char *path, void (*before)(void), void (*after)(void), void (*body)(void));
/* The same with a device of one's own making. */
void rig_add_dev(const char *path, struct device *(*make)(void), const struct lun_conf *conf, void (*body)(void));

/* Send a CDB, padded with zeroes; it must end before this returns. */
void rig_send(const void *cdb, size_t cdb_len, const void *out, uint32_t edtl_out, uint32_t edtl_in);
#define SEND(edtl_in, ...) \
	rig_send((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), NULL, 0, edtl_in)
#define SEND_OUT(out, edtl_out, ...) \
	rig_send((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), out, edtl_out, 0)

#define assert_good() g_assert_cmpuint(res.status, ==, STATUS_GOOD)
void rig_assert_sense(enum sense_code code, const char *where, int line);
#define assert_sense(code) rig_assert_sense(SENSE_##code, __FILE__, __LINE__)
/* ... with a field pointer. */
void rig_assert_field(enum sense_code code, bool in_cdb, unsigned byte, int bit, const char *where, int line);
#define assert_cdb_field(byte, bit) rig_assert_field(SENSE_INVALID_FIELD_IN_CDB, true, byte, bit, __FILE__, __LINE__)
#define assert_param_field(byte, bit) \
	rig_assert_field(SENSE_INVALID_FIELD_IN_PARAMETERS, false, byte, bit, __FILE__, __LINE__)

/* For tests that look at a task under way. */
void rig_fill(struct task *t, const void *cdb, size_t cdb_len, uint32_t edtl_out, uint32_t edtl_in);
void rig_clear_ua(struct nexus *n);

#endif
