/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - a whole target in this process: one node, one target, LUN 0 and 1 on memory. */
#ifndef GOTGT_TESTS_SERVER_H
#define GOTGT_TESTS_SERVER_H

#include "iscsi/node.h"

#define HOST "iqn.2010-01.org.example:host"
#define DISK "iqn.2010-01.org.example:disk"
#define BLOCK 512u
#define BLOCKS 16384u		/* 8 MiB */

struct server {
	struct engine *engine;
	struct node *node;
	struct target *scsi;
	struct node_target *target;
	struct portal *portal;
};

extern struct server *server;

struct server *server_new(void);
void server_free(struct server *s);
/* New logical units for the old ones; nobody is logged in. */
void server_renew(struct server *s);
/* What every main() here does: GLib's tests and a server; then, with the tests added, run them and end it. */
void server_begin(int *argc, char ***argv);
int server_run(void);
/* Log lines go to GLib's tests again. */
void server_quiet(void);
/* Our end of a new connection. */
int server_connect(struct server *s);
int server_connect_tcp(struct server *s);

/* While held, requests stay at the device. */
void ram_hold(void);
/* Wait until n requests are held. */
void ram_wait_held(unsigned n);
unsigned ram_held(void);
/* Let go of them all. */
void ram_release(void);

#endif
