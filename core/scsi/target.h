/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.h - a SCSI target device: its LUN map, its logical units and its I_T nexuses.
 * The map is published whole: commands read it without a lock, changes replace it.
 */
#ifndef GOTGT_TARGET_H
#define GOTGT_TARGET_H

#include <glib.h>
#include "backstore/device.h"
#include "engine/reactor.h"
#include "scsi/sense.h"

#define LUN_MAX 16383u		/* flat space addressing, SAM-5 4.7.7.3 */
#define LUN_TRANSFER_MAX (4u << 20)	/* bytes: the most one command moves through memory */
#define LUN_PHYSICAL_BLOCK_MAX (1u << 20)
#define LUN_ALIGNED_MAX 0x3fffu		/* READ CAPACITY(16) has 14 bits, SBC-4 5.16.2 */

#define TARGET_ERROR (target_error_quark())
GQuark target_error_quark(void);
enum target_error { TARGET_ERROR_INVALID, TARGET_ERROR_EXISTS };

struct target;
struct task;
struct lun;
struct nexus;

/* How a LUN presents itself.  Strings are copied; NULL or 0: the default. */
struct lun_conf {
	uint32_t block_size;	/* 512 or 4096; 0: the device's, at least 512 */
	uint32_t physical_block_size;	/* a power of two, up to LUN_PHYSICAL_BLOCK_MAX; 0: the device's */
	uint32_t alignment_offset;	/* lowest aligned LBA, less than a physical block */
	uint32_t optimal_io_size;	/* bytes, whole blocks; 0: the device's */
	bool read_only;
	bool thin;		/* report LBPME when the device can unmap */
	bool removable;
	uint32_t io_timeout_s;	/* until a command at the device is given up (watch.h); 0: never */
	bool offline;		/* NOT READY until it is not */
	const char *serial;	/* up to 36 characters; default: made from target name and LUN */
	const char *vendor;	/* up to 8, default "GOTGT" */
	const char *product;	/* up to 16, default "VIRTUAL-DISK" */
	uint64_t naa;		/* its NAA designator of 8 bytes; 0: made from the serial */
};

/* name: an iSCSI name, the SCSI device name of VPD 83.  [main] */
struct target *target_new(struct engine *e, const char *name);
/* No nexus and no LUN left.  [main] */
void target_free(struct target *t);
const char *target_name(const struct target *t);
/* Where state files of its logical units go (engine/statefile.h); NULL: nothing can be kept.  [any] */
const char *target_state_dir(const struct target *t);

/* A port initiators reach it by: relative target port identifier and port group. */
#define TARGET_PORTS_MAX 240u	/* as many as VPD page 88h can name */
struct target_port { uint16_t rel_port, group; };
/* What there is now, in rising order; those beyond TARGET_PORTS_MAX are not named anywhere.  [any] */
void target_set_ports(struct target *t, const struct target_port *ports, unsigned n);
unsigned target_get_ports(struct target *t, struct target_port ports[TARGET_PORTS_MAX]);	/* how many.  [any] */
/* "NAME,t,0xTTTT" (SPC-5 7.6.4.6), for g_free(). */
char *target_port_name(const struct target *t, uint16_t group);

/* Task management functions (SAM-5 7), each its bit in REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS (SPC-5 6.36). */
enum task_function {
	FUNCTION_ABORT_TASK = 0x8000, FUNCTION_ABORT_TASK_SET = 0x4000, FUNCTION_CLEAR_ACA = 0x2000,
	FUNCTION_CLEAR_TASK_SET = 0x1000, FUNCTION_LU_RESET = 0x0800, FUNCTION_QUERY_TASK = 0x0400,
	FUNCTION_TARGET_RESET = 0x0200, FUNCTION_QUERY_ASYNC_EVENT = 0x0004, FUNCTION_QUERY_TASK_SET = 0x0002,
	FUNCTION_I_T_NEXUS_RESET = 0x0001,
};
/* The transport says which of them it does; none at first.  [main] before anybody logs in. */
void target_set_functions(struct target *t, unsigned functions);
unsigned target_functions(const struct target *t);	/* [any] */

/*
 * Add a logical unit on an open device, which it owns from here (closed by target_remove_lun).  Fails when the
 * number is taken, or sizes do not fit the device.  Every nexus gets REPORTED LUNS DATA HAS CHANGED.  [main]
 */
struct lun *target_add_lun(struct target *t, uint32_t number, struct device *dev, const struct lun_conf *conf,
			   GError **error);
/*
 * Publish a map without it, have the transport abort what it has there (quiesce, may be NULL), wait until no
 * task uses it, flush and close the device.  One whose device does not answer is left until it does: see watch.h.  [main]
 */
void target_remove_lun(struct target *t, uint32_t number, void (*quiesce)(struct lun *lun, void *arg), void *arg);
/* Free what target_remove_lun() had to leave of an engine and can be freed now.  [main] */
void target_free_left(struct engine *e);
/*
 * Change what can change while it runs (serial, vendor, product, naa, read_only, thin, offline,
 * io_timeout_s), with its unit attention.  [main]
 */
bool lun_reconfigure(struct lun *lun, const struct lun_conf *conf, GError **error);
struct device *lun_device(struct lun *lun);
/* Keep it from going away, as a task does; each hold is released on the same reactor.  [reactor] */
void lun_hold(struct lun *lun, struct reactor *r);
void lun_release(struct lun *lun, struct reactor *r);
/* SAM-5 4.7: a LUN field to a number, -1 when the format is not one of ours. */
int lun_parse(const uint8_t addr[8]);
void lun_format(uint8_t addr[8], uint32_t number);	/* peripheral up to 255, flat above */
/* The REPORT LUNS well known logical unit, C101h (SAM-5 4.7.7.5.1). */
bool lun_is_report_luns(const uint8_t addr[8]);
void lun_format_report_luns(uint8_t addr[8]);

/*
 * Abort tasks of any I_T nexus, and learn when the last of them has let go of its data.  The owner embeds it and
 * fills the first block.
 */
struct task_purge {
	struct lun *lun;		/* NULL: every */
	bool (*match)(const struct nexus *n, void *arg);	/* whose; NULL: everybody's.  Called on each reactor */
	void *arg;
	const struct task *except;	/* not this one */
	/*
	 * Whose doing it is: tasks of others end with TASK ABORTED where the LUN's TAS bit says so, else these hear
	 * COMMANDS CLEARED BY ANOTHER INITIATOR (SAM-5 5.6).  NULL: they vanish, what happened tells everybody.
	 */
	const struct nexus *by;
	void (*done)(struct task_purge *p);	/* on the reactor that began it, not before target_purge() returned */

	/* the transport's */
	struct reactor *home;
	struct post post;
	gint waiting;
};
void target_purge(struct target *t, struct task_purge *p);	/* [reactor] */
/* The transport says how; NULL: it has no tasks any more.  [main] */
void target_set_purge(struct target *t, void (*purge)(void *arg, struct task_purge *p), void *arg);

/*
 * An I_T nexus.  initiator_port is the name of the initiator port ("NAME,i,0xISID", SPC-5 7.6.4);
 * rel_port the relative target port identifier it came in through; tpgt its port group.
 * Starts with a POWER ON unit attention on each LUN.  [reactor]
 */
struct nexus *nexus_new(struct target *t, struct reactor *r, const char *initiator_port, uint16_t rel_port,
			uint16_t tpgt);
/* No task of it is left.  [reactor] */
void nexus_free(struct nexus *n);

/* Establish a unit attention for every nexus but `except` (may be NULL) on a LUN.  [any] */
void lun_unit_attention(struct lun *lun, enum sense_code code, const struct nexus *except);
/* The state of a logical unit reset (SAM-5 6.3.3), tasks already aborted by the transport; all nexuses are told.  [any] */
void lun_reset(struct lun *lun);
void target_reset(struct target *t);	/* each of its logical units.  [reactor] */
/*
 * A task is aborted by another I_T nexus (SAM-5 5.6).  True: it is to end with TASK ABORTED; false: it vanishes, and
 * its nexus hears of it by a unit attention.  lun NULL: there is none.  [reactor of n]
 */
bool nexus_task_cleared(struct nexus *n, struct lun *lun);
/* The LUN behind an address on a nexus's target, for task management; NULL: none.  Valid on this reactor until it returns to its loop. */
struct lun *nexus_find_lun(struct nexus *n, const uint8_t addr[8]);

#endif
