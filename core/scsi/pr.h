/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pr.h - reservations of a logical unit: persistent ones (SPC-5 5.13) and those of RESERVE (SPC-2 5.5.1).
 *
 * What is reserved is kept in one place under a lock; what follows from it for an I_T nexus is published as one word
 * in its struct nexus_lun, so that a command looks at a single atomic and a change is seen whole or not at all.
 */
#ifndef GOTGT_PR_H
#define GOTGT_PR_H

#include <pthread.h>
#include "scsi/cdb.h"
#include "scsi/lun.h"

#define PR_REGS_MAX 1024u	/* registrations of one logical unit */
#define PR_PORT_SIZE 248u	/* "NAME,i,0xISID" of 223 + 5 + 12 characters, and a zero */

/* SPC-5 table 77; the others are obsolete or reserved. */
enum pr_kind { PR_NONE = 0, PR_WE = 1, PR_EA = 3, PR_WE_RO = 5, PR_EA_RO = 6, PR_WE_AR = 7, PR_EA_AR = 8 };

struct pr_type {
	uint8_t kind;		/* enum pr_kind */
	bool registrants;	/* who is registered may do as the holder */
	bool all;		/* who is registered is a holder */
	uint8_t bars;		/* what the others may not do, enum nexus_bars */
	uint16_t mask;		/* in REPORT CAPABILITIES */
};

/* An I_T nexus's registration: it outlives the nexus. */
struct pr_reg {
	uint64_t key;
	uint16_t rel_port;
	bool holder;		/* of a reservation that has one holder */
	bool gone;		/* removed by the change under way */
	uint8_t ua;		/* enum ua that the change under way establishes; 0: none */
	char port[PR_PORT_SIZE];	/* the initiator port's name */
};

struct pr_state {
	uint32_t generation;
	uint8_t kind;		/* enum pr_kind */
	bool aptpl;		/* kept over power loss */
	GArray *regs;		/* struct pr_reg */
};

struct pr {
	pthread_mutex_t lock;
	struct pr_state *state;			/* replaced by the one change under way */
	const struct nexus *reserved_by;	/* RESERVE; NULL: nobody */
	bool busy;				/* a change is under way */
	GQueue waiting;				/* those that follow it */
	bool stored;				/* there is a state file; the change under way's */
};

/* NULL when what was kept cannot be used nor be put aside.  [main] */
struct pr *pr_new(const struct lun *lun, GError **error);
void pr_free(struct pr *pr);

const struct pr_type *pr_type_of(unsigned kind);	/* NULL: none such */
const struct pr_type *pr_type_nth(unsigned n);		/* NULL past the end */
struct pr_state *pr_state_new(void);
struct pr_state *pr_state_copy(const struct pr_state *s);
void pr_state_free(struct pr_state *s);
/* Those gone are not found. */
struct pr_reg *pr_find(const struct pr_state *s, const char *port, uint16_t rel_port);
struct pr_reg *pr_find_nexus(const struct pr_state *s, const struct nexus *n);
struct pr_reg *pr_add(struct pr_state *s, const char *port, uint16_t rel_port, uint64_t key);
bool pr_holds(const struct pr_state *s, const struct pr_reg *r);
static inline struct pr_reg *pr_nth(const struct pr_state *s, guint n)
{
	return &g_array_index(s->regs, struct pr_reg, n);
}

/*
 * The next state is the state from here on: every nexus's word and unit attentions follow.  Those gone are taken out;
 * removed, when it is not NULL, gets a copy of them, and their nexuses no longer prevent medium removal.  [any]
 */
void pr_publish(struct lun *lun, struct pr_state *next, GArray *removed);
/* Tell every nexus anew; pr->lock held. */
void pr_tell(struct lun *lun);

/* pr-file.c: the state file.  0 or a negative errno; they block. */
int pr_save(const struct lun *lun, const struct pr_state *s);
int pr_forget(const struct lun *lun);
/* NULL and no error: nothing was kept.  [main] */
struct pr_state *pr_load(const struct lun *lun, GError **error);

/* transportid.c, SPC-5 7.6.4.6.  The size of what is made of a port's name, at most PR_TRANSPORTID_MAX. */
#define PR_TRANSPORTID_MAX (4u + PR_PORT_SIZE)
size_t transportid_build(uint8_t *d, const char *port);
/*
 * The size of the first TransportID in len bytes, 0 when it is none of iSCSI.  name: of the initiator port as
 * add_nexus() spells it, or with *any_port of an initiator device, whose ports are all meant.
 */
size_t transportid_parse(const uint8_t *d, size_t len, char name[PR_PORT_SIZE], bool *any_port);

#endif
