/* SPDX-License-Identifier: Apache-2.0 */
/* lun.h - logical units, the LUN map and nexuses as scsi/ itself sees them; target.h is what others see. */
#ifndef GOTGT_LUN_H
#define GOTGT_LUN_H

#include <pthread.h>
#include <stdatomic.h>
#include "engine/lines.h"
#include "engine/log.h"
#include "engine/stats.h"
#include "scsi/alua.h"
#include "scsi/range.h"
#include "scsi/target.h"
#include "scsi/view.h"
#include "scsi/taskset.h"

/* What VPD B0h says, beside LUN_TRANSFER_MAX. */
#define LUN_WRITE_SAME_MAX (16u << 20)	/* of one pattern or zeroes; UNMAP has no limit */
#define LUN_UNMAP_DESCRIPTORS_MAX 256u
#define LUN_ATOMIC_MAX (1u << 20)	/* of WRITE ATOMIC */
#define LUN_COMPARE_BLOCKS_MAX 255u	/* of COMPARE AND WRITE: what its field holds */

/* What is special about a logical unit: one word that the path of READ and WRITE looks at. */
enum lun_bits {
	LUN_STOPPED = 1 << 0,		/* START STOP UNIT */
	LUN_READ_ONLY = 1 << 1,		/* configured, or the device is */
	LUN_SWP = 1 << 2,		/* control mode page */
	LUN_WCE = 1 << 3,		/* caching mode page */
	LUN_D_SENSE = 1 << 4,		/* control mode page */
	LUN_THIN = 1 << 5,		/* provisioning management */
	LUN_ANCHORS = 1 << 8,		/* thin, and the device makes zeroes that keep their space */
	LUN_CACHE = 1 << 6,		/* the device has a volatile write cache: WCE can be changed */
	LUN_TAS = 1 << 7,		/* control mode page: tasks others abort say so */
	LUN_SAVES = 1 << 11,		/* mode pages can be kept */
	LUN_REMOVABLE = 1 << 12,	/* configured */
	LUN_EJECTED = 1 << 13,		/* START STOP UNIT with LOEJ: there is no medium */
	LUN_OFFLINE = 1 << 14,		/* configured: no initiator can make it ready */
	LUN_STUCK = 1 << 15,		/* its device holds what was given up, see watch.h */
	LUN_SANITIZING = 1 << 16,	/* a job is at it, see job.h; or the last one failed */
	LUN_SANITIZE_FAILED = 1 << 17,
	LUN_FORMATTING = 1 << 18,
	LUN_FORMAT_FAILED = 1 << 19,
	LUN_RANGES = 1 << 20,		/* ranges of blocks are taken under a lock, see range.h */
};
#define LUN_NOT_READY (LUN_STOPPED | LUN_EJECTED | LUN_OFFLINE | LUN_STUCK)
#define LUN_PROTECTED (LUN_READ_ONLY | LUN_SWP)
#define LUN_MODE_BITS (LUN_SWP | LUN_WCE | LUN_D_SENSE | LUN_TAS)
#define LUN_JOB_BUSY (LUN_SANITIZING | LUN_FORMATTING)
#define LUN_JOB_FAILED (LUN_SANITIZE_FAILED | LUN_FORMAT_FAILED)
#define LUN_JOB (LUN_JOB_BUSY | LUN_JOB_FAILED)

enum { LUN_SERIAL_MAX = 36, LUN_VENDOR_LEN = 8, LUN_PRODUCT_LEN = 16 };

/* How it calls itself; the strings are padded with nothing. */
struct lun_identity {
	char serial[LUN_SERIAL_MAX + 1];
	char vendor[LUN_VENDOR_LEN + 1];
	char product[LUN_PRODUCT_LEN + 1];
	uint64_t naa;		/* 0: made from the serial */
};

/* Tasks on one reactor, the ranges they hold, those at the device; only that reactor writes. */
struct lun_count {
	atomic_uint n;
	bool draining;
	struct range *ranges;
	_Atomic(struct stats *) stats;	/* NULL: no command has come */
	struct task *watched, *last_watched;	/* watch.c's, as its timer: by the time they began */
	struct timer watch;
	struct post arm;		/* range.c's */
	char apart[128 - 8 - 4 * sizeof(void *) - sizeof(struct post) - sizeof(struct timer)];
};

/* By what others find it, see names.c: its designators one after the other, and its place under each of them. */
enum { LUN_NAMES = 2, LUN_NAMES_MAX = 64 };
struct lun_name { const uint8_t *designator; struct lun *lun; struct lun_name *next; };
struct lun_names { struct lun_name by[LUN_NAMES]; uint8_t designators[LUN_NAMES_MAX]; };

struct lun {
	struct target *target;
	bool flushing;			/* it was left with its last flush at the device */
	uint32_t number;
	struct device *dev;
	const struct device_info *info;
	uint32_t block_size;
	uint8_t block_shift;
	uint8_t physical_exponent;	/* logical blocks in a physical one, as a power of two */
	uint16_t lowest_aligned;	/* LBA */
	uint32_t optimal_io_size;	/* bytes */
	bool can_unmap;
	atomic_uint state;		/* enum lun_bits */
	atomic_uint saved_mode;		/* LUN_MODE_BITS after a reset */
	pthread_mutex_t save_lock;	/* one writer of the files */
	struct pr *pr;			/* reservations */
	struct ranges ranges;
	struct job *job;		/* changes under lock while a bit of LUN_JOB_BUSY is set, on its reactor */
	atomic_uint job_progress;	/* of 65536 */
	atomic_bool job_stop;		/* the unit is to go */
	atomic_bool sanitize_ause;	/* of the last one */

	atomic_uint copy_epoch;		/* another one after each reset: copies known before are forgotten */
	struct lun_names names;		/* names.c's, under its lock */

	pthread_mutex_t lock;
	struct lun_identity identity;	/* under lock */
	pthread_cond_t drained;			/* with lock: left became as few as are stuck */
	uint64_t left;
	uint32_t n_stuck;			/* given up, and still at the device */
	uint64_t stuck_ms;			/* since when there are such */
	atomic_uint io_timeout_s;		/* 0: none */
	_Atomic uint64_t told_blocks;		/* as many as the log was last told of */
	_Alignas(LINE_BYTES) struct lun_count count[];	/* by reactor */
};

/* Published whole; indexed by LUN. */
struct lun_map {
	uint32_t n;
	struct lun *luns[];
};

struct target {
	struct engine *engine;
	char *name;
	_Atomic(struct lun_map *) map;
	pthread_mutex_t lock;			/* nexuses, and the order of what is told to them */
	void (*purge)(void *arg, struct task_purge *p);
	void *purge_arg;
	GPtrArray *nexuses;
	GPtrArray *groups;			/* struct port_group, under lock */
	atomic_bool explicit_alua;		/* SET TARGET PORT GROUPS is allowed */
	unsigned functions;			/* bits of enum task_function */
	unsigned n_ports;			/* under lock */
	struct target_port ports[TARGET_PORTS_MAX];
};

/* Unit attention conditions, the first to be reported first (SAM-5 5.14, table 44). */
enum ua { UA_POWER_ON, UA_RESET, UA_NEXUS_LOSS, UA_COMMANDS_CLEARED, UA_MEDIUM_CHANGED, UA_RES_PREEMPTED,
	  UA_RES_RELEASED, UA_REG_PREEMPTED, UA_MODE_CHANGED, UA_CAPACITY_CHANGED, UA_ACCESS_CHANGED,
	  UA_INQUIRY_CHANGED, UA_LUNS_CHANGED, UA_COUNT };
extern const uint8_t ua_codes[UA_COUNT];	/* enum sense_code */

/* What reservations bar a nexus from, a bit 1 << enum cdb_pr for each kind of command, and two more. */
enum nexus_bars {
	BAR_WRITES = 1 << 0, BAR_READS = 1 << 1,
	BAR_RESERVED = 1 << 4,	/* what lacks CDB_RESERVE_OK */
	BARS_UNKNOWN = 1 << 5,	/* nobody has looked yet */
};

/* What one nexus and one LUN share. */
struct nexus_lun {
	atomic_uint ua;		/* bits of enum ua, set by anyone, taken by the nexus's reactor */
	atomic_uint bars;	/* enum nexus_bars, set by whoever changes reservations */
	atomic_bool prevent;	/* PREVENT ALLOW MEDIUM REMOVAL */
	struct task_set set;	/* [reactor of the nexus] */
};

#define NEXUS_CHUNK 64u
#define NEXUS_CHUNKS ((LUN_MAX + 1) / NEXUS_CHUNK)

struct nexus_chunk { struct nexus_lun luns[NEXUS_CHUNK]; };

/*
 * A chunk that is not there yet stands for 64 LUNs with POWER ON pending, which is reported in
 * place of whatever else happened before (SAM-5 5.14): nothing need be kept until a first command.
 */
struct nexus {
	struct target *target;
	struct reactor *reactor;
	char *initiator_port;
	uint16_t rel_port;
	struct port_group *group;		/* the target port group of its port */
	struct lun_view *view;			/* changes on its reactor, under target->lock; NULL: the target as it is */
	struct copy_records *copies;	/* copy-results.c's; NULL: none yet */
	struct defer wake;		/* task sets that are due */
	_Atomic(struct nexus_chunk *) chunks[NEXUS_CHUNKS];
};

static inline unsigned lun_state(const struct lun *lun)
{
	return atomic_load_explicit(&((struct lun *)lun)->state, memory_order_acquire);
}

/* What a line about it is about.  [any] */
struct log_fields lun_fields(const struct lun *lun);
static inline uint64_t lun_blocks(const struct lun *lun)
{
	return device_size(lun->dev) >> lun->block_shift;
}

/* Why commands for the medium are refused in a state, or SENSE_NONE. */
enum sense_code lun_not_ready(unsigned state);
/* Blocks: what WRITE ATOMIC takes a multiple of.  Less than a physical block would be read and written back. */
static inline uint32_t lun_atomic_unit(const struct lun *lun)
{
	return MAX(lun->info->physical_block_size >> lun->block_shift, 1u);
}

void lun_set_state(struct lun *lun, unsigned clear, unsigned set);	/* [any] */
void lun_get_identity(struct lun *lun, struct lun_identity *id);	/* [any] */
/* As configured, else NAA locally assigned (SPC-5 7.8.6.5), made from the serial. */
uint64_t lun_naa(const struct lun_identity *id);

/* The mode bits a logical unit has when nothing was saved. */
unsigned lun_default_mode(const struct lun *lun);

struct lun *lun_new(struct target *t, uint32_t number, struct device *dev, const struct lun_conf *conf, GError **error);
void lun_free(struct lun *lun);			/* and its device.  [main] */
/* Wait until no task counts.  False: its device does not let go of some in time, lun_leave() it then.  [main] */
bool lun_drain(struct lun *lun);
/* Forget it for now; lun_free_left() frees what is free by then, and lets the engine know what is not.  [main] */
void lun_leave(struct lun *lun);
void lun_free_left(struct engine *e);
void lun_count_down_draining(struct lun *lun);	/* [reactor] */

static inline void lun_count_up(struct lun *lun, unsigned reactor)
{
	atomic_uint *n = &lun->count[reactor].n;

	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
}

static inline void lun_count_down(struct lun *lun, unsigned reactor)
{
	atomic_uint *n = &lun->count[reactor].n;

	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) - 1, memory_order_relaxed);
	if (G_UNLIKELY(lun->count[reactor].draining))
		lun_count_down_draining(lun);
}

/* Take [lba, end) if LUN_RANGES is not set: false otherwise.  [reactor] */
static inline bool range_try(struct range *r, struct lun *lun, unsigned reactor, uint64_t lba, uint64_t end)
{
	if (G_UNLIKELY(lun_state(lun) & LUN_RANGES))
		return false;
	range_link_local(r, &lun->count[reactor].ranges, lba, end);
	return true;
}

static inline struct lun *target_find_lun(struct target *t, int number)
{
	struct lun_map *map = atomic_load_explicit(&t->map, memory_order_acquire);

	return number >= 0 && (uint32_t)number < map->n ? map->luns[number] : NULL;
}

/* What a nexus calls so.  [reactor of the nexus] */
static inline struct lun *nexus_find(const struct nexus *n, int number)
{
	if (G_UNLIKELY(n->view))
		number = lun_view_find(n->view, number);
	return target_find_lun(n->target, number);
}

/* It may not write there, whoever else may.  [reactor of the nexus] */
static inline bool nexus_protects(const struct nexus *n, const struct lun *lun)
{
	return G_UNLIKELY(n->view) && lun_view_read_only(n->view, lun->number);
}

/* The state of a nexus with a LUN; NULL when memory is out.  [reactor] */
struct nexus_lun *nexus_lun(struct nexus *n, uint32_t number);
/* task_set_wake(), when what is going on is over.  s is one of n's.  [reactor of the nexus] */
void nexus_wake_later(struct nexus *n, struct task_set *s);
/* Add a condition on a LUN, or on all.  target->lock held.  [any] */
void nexus_set_ua(struct nexus *n, uint32_t number, enum ua ua);
void nexus_set_ua_all(struct nexus *n, enum ua ua);
/* A LUN of that number is new: POWER ON, and nothing prevented.  target->lock held. */
void nexus_forget_lun(struct nexus *n, uint32_t number);
/* Forget a condition on all LUNs.  [reactor] */
void nexus_clear_ua_all(struct nexus *n, enum ua ua);

/* End what RESERVE took, of one nexus or (NULL) of any; no lock held.  [any] */
void pr_unreserve(struct lun *lun, const struct nexus *of);
/* It is about to go.  [reactor] */
void pr_nexus_gone(const struct nexus *n);

/* -1: the sense code is not a unit attention. */
int ua_of_code(enum sense_code code);
/* Take the first condition pending: its code, or SENSE_NONE. */
enum sense_code ua_take(struct nexus_lun *nl);
/* Tell every nexus but one about a LUN. */
void target_set_ua(struct target *t, uint32_t number, enum ua ua, const struct nexus *except);
void target_set_ua_all(struct target *t, enum ua ua, const struct nexus *except);

#endif
