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
struct device *server_ram(struct server *s);	/* one more device in memory */
/* How long a device may keep a command; 0, as it is at first: for ever. */
void server_io_timeout(struct server *s, unsigned seconds);
/* What every main() here does: GLib's tests and a server; then, with the tests added, run them and end it. */
void server_begin(int *argc, char ***argv);
int server_run(void);
/* The log's lines since it was asked last. */
char *server_logged(void);
/* Our end of a new connection. */
int server_connect(struct server *s);
int server_connect_tcp(struct server *s);
int server_connect_from(struct server *s, const char *source);	/* the same, from an address of 127.0.0.0/8 */

/* While held, requests stay at the device. */
void ram_hold(void);
/* Do not hear that they are to be canceled. */
void ram_deafen(bool deaf);
/* Wait until n requests are held. */
void ram_wait_held(unsigned n);
unsigned ram_held(void);
/* Let go of them all. */
void ram_release(void);

#endif
