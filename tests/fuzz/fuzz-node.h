/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-node.h - the node of an input of fuzz-node.c, its initiators, and what its administrator does. */
#ifndef GOTGT_TESTS_FUZZ_NODE_H
#define GOTGT_TESTS_FUZZ_NODE_H

#include "../wire/server.h"
#include "peer.h"

#define PEERS 6u
#define OTHER "iqn.2010-01.org.example:other"
#define USER "joe"
#define SECRET "twelve bytes and more"
#define MUTUAL "another secret, ours"
#define FILE_BYTES (1 << 20)

extern struct run {
	struct server at;
	struct portal *second;
	struct target *other_scsi;
	struct node_target *other;
	struct peer peers[PEERS];
	uint16_t tsih;		/* of the last session */
	bool connected, slept;
} run;

/* What LUN 2 is made of. */
extern struct mapped { struct module *module; char *path; int file; } mapped;

void admin_add_lun(struct target *t, uint32_t number);
void admin_add_mapped(void);
void admin_add_other(void);
void admin_remove_other(void);
/* One of its acts. */
void admin_act(unsigned n, uint8_t arg);

#endif
