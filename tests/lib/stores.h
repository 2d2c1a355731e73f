/* SPDX-License-Identifier: Apache-2.0 */
/* stores.h - a store in memory for programs that embed a server, a server over it, and how to reach it. */
#ifndef GOTGT_TESTS_STORES_H
#define GOTGT_TESTS_STORES_H

#include <stdbool.h>
#include <gotgt/gotgt.h>
#include "../wire/ini.h"

#define ROOM (8u << 20)		/* bytes */
#define SIZE (4u << 20)

enum { GOOD = 0x00, CHECK_CONDITION = 0x02, BUSY = 0x08 };	/* SAM-5 5.3.1 */

struct memory {
	uint8_t bytes[ROOM];
	int answer;		/* of each call, instead of doing it; 0: do it */
	gint calls, closed;
	void (*hook)(struct memory *m);	/* within each call, or NULL */
	void *hook_data;
};

struct memory *memory_new(void);
struct gotgt_store_ops memory_ops(uint32_t flags);
struct gotgt_store *memory_store(struct memory *m, uint32_t flags);

/* A server with the target DISK on a free port of 127.0.0.1; LUN 0 is store's, which it takes over (NULL: none). */
struct gotgt_server *disk_new(struct gotgt_store *store);
/* Where connections go from here on. */
void disk_reach(struct gotgt_server *s);
/* A new connection, logged in to DISK; LUN 0's unit attention is taken when it has one. */
struct ini *disk_login(uint8_t id);
/* A started server over m. */
struct gotgt_server *disk_start(struct memory *m, uint32_t flags);

#define OK(call) do { \
	int r_ = (call); \
	if (r_) \
		g_error("%s: %d, %s", #call, r_, gotgt_last_error()); } while (0)
#define FAILS(call, err, text) do { \
	g_assert_cmpint((call), ==, -(err)); \
	if (!strstr(gotgt_last_error(), text)) \
		g_error("%s: \"%s\" has no \"%s\"", #call, gotgt_last_error(), text); } while (0)

/* What is written there is read back. */
void disk_write_and_read(struct ini *i, uint32_t lba, uint16_t blocks, uint8_t fill);

#endif
