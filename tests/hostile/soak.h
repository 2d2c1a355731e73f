/* SPDX-License-Identifier: Apache-2.0 */
/* soak.h - a session that verifies what it reads, whatever happens to it. */
#ifndef GOTGT_TESTS_SOAK_H
#define GOTGT_TESTS_SOAK_H

#include <stdatomic.h>
#include "rig.h"

struct soak_counts { atomic_uint commands, aborted, logins; };
extern struct soak_counts soak;

/* Its blocks, of LUN 0 or 1, are nobody else's.  Lives on one thread. */
struct verifier;
struct verifier *verifier_new(uint8_t id, uint32_t lun, uint32_t first_lba, uint32_t blocks);
/* It leaves, when it is still there. */
void verifier_free(struct verifier *v);
/* Log in, by another way of leaving than the last time, with other keys. */
void verifier_login(struct verifier *v);
/* Some commands at a time, of some kind, with aborts. */
void verifier_round(struct verifier *v);
/* The connection may end without being asked to: then it is lost, until the next login. */
void verifier_may_lose(struct verifier *v, bool may);
bool verifier_is_lost(const struct verifier *v);
/* All of its blocks once more. */
void verifier_check(struct verifier *v);

#endif
