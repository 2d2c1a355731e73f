/* SPDX-License-Identifier: Apache-2.0 */
/* attacks.h - what the attacks have in common. */
#ifndef GOTGT_TESTS_ATTACKS_H
#define GOTGT_TESTS_ATTACKS_H

#include "hostile.h"

enum { MANY = 32, ABORT_TASK = 1, LUN_RESET = 5, TARGET_RESET = 6 };

extern uint8_t attack_junk[1 << 20];

/* The daemon has been met: it answered, or it took what was sent. */
void did(bool met);
/* Some thousand things a second: who measures is on the same processors. */
void pace(unsigned *n, unsigned each);
void close_all(int *fds, unsigned n);
/* Logged in, as it is or anew; -1: not now. */
int renew(int *fd, const char *target, uint8_t id, const char *extra);
void lose(int *fd);
void command(uint8_t bhs[BHS_LEN], uint8_t flags, uint8_t opcode, uint32_t lba, uint16_t blocks, uint32_t itt,
	     uint32_t cmd_sn);

typedef void attack_fn(unsigned n, const atomic_bool *stop);
attack_fn attack_slow_writers, attack_slow_readers, attack_never_read, attack_half_open, attack_logins, attack_reinstated,
	attack_open_and_drop, attack_text;

#endif
