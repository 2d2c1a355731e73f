/* SPDX-License-Identifier: Apache-2.0 */
/* pr-rig.h - a target with a LUN and four nexuses, made again and again; commands are sent from outside its threads. */
#ifndef PR_RIG_H
#define PR_RIG_H

#include "fake-device.h"
#include "scsi/pr.h"
#include "scsi/task.h"
#include "scsi/wire.h"

#define PR_NAME "iqn.2024-01.org.gotgt:pr"
#define PR_FILE PR_NAME ",3.pr"
#define PR_LUN 3u
enum { A, B, C, A2, NEXUSES };	/* A2: the initiator port of A, by the other target port */
extern const char *const pr_ports[NEXUSES];

extern struct pr_rig {
	const char *state_dir;		/* NULL: none */
	struct engine *engine;
	struct target *target;
	struct device *dev;
	struct lun *lun;
	struct nexus *n[NEXUSES];
	unsigned purges, purged;	/* calls of target_purge(), bit mask of the nexuses concerned */
	/* The last answer. */
	uint8_t status, key, asc, ascq, sense[TASK_SENSE_MAX];
	uint32_t in_len;
	uint8_t in[65536];
} pr_rig;

void pr_start(const char *state_dir);	/* NULL: none */
void pr_stop(void);
void pr_login(int who);			/* the nexus, anew */
void pr_logout(int who);
void pr_cdb(int who, const uint8_t *cdb, size_t cdb_len, const void *out, uint32_t out_len, uint32_t in_len);
#define PR_CDB(who, in_len, ...) \
	pr_cdb(who, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), NULL, 0, in_len)
/* PERSISTENT RESERVE OUT with a list of len bytes; the status. */
uint8_t pr_out_list(int who, uint8_t sa, uint8_t type, const uint8_t *list, uint32_t len);
/* ... of 24 bytes. */
uint8_t pr_out(int who, uint8_t sa, uint8_t type, uint64_t key, uint64_t action_key, uint8_t flags);
uint8_t pr_register(int who, uint64_t key);	/* ignoring the one before */
void pr_in(uint8_t sa, uint16_t len);
void pr_assert_sense(enum sense_code code, const char *where, int line);
#define assert_pr_sense(code) pr_assert_sense(SENSE_##code, __FILE__, __LINE__)
void pr_assert_param(unsigned byte, int bit, const char *where, int line);
#define assert_pr_param(byte, bit) pr_assert_param(byte, bit, __FILE__, __LINE__)
/* The next unit attention of a nexus, taken. */
enum sense_code pr_ua(int who);
/* Keys in order of registration, the type and the holder's key, as PERSISTENT RESERVE IN says. */
void pr_assert_keys(const uint64_t *keys, unsigned n, const char *where, int line);
#define ASSERT_KEYS(...) \
	pr_assert_keys((const uint64_t[]){ __VA_ARGS__ }, sizeof((const uint64_t[]){ __VA_ARGS__ }) / 8, __FILE__, \
		       __LINE__)
#define ASSERT_NO_KEYS() pr_assert_keys(NULL, 0, __FILE__, __LINE__)
void pr_assert_held(uint8_t type, uint64_t key, const char *where, int line);
#define ASSERT_HELD(type, key) pr_assert_held(type, key, __FILE__, __LINE__)
#define ASSERT_GOOD(expr) g_assert_cmphex(expr, ==, STATUS_GOOD)
#define ASSERT_CONFLICT(expr) g_assert_cmphex(expr, ==, STATUS_RESERVATION_CONFLICT)
#define ASSERT_CHECK(expr) g_assert_cmphex(expr, ==, STATUS_CHECK_CONDITION)

#endif
