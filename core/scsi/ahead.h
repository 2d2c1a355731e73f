/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ahead.h - what is kept of the logical units of the next commands is fetched into the processor's caches, for all of them
 * at once: otherwise, where there are many logical units, each command waits for its own several times.
 */
#ifndef GOTGT_AHEAD_H
#define GOTGT_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

struct nexus;
struct task;

#define AHEAD_MAX 32u
struct ahead { const uint8_t *lun_addr, *cdb; };	/* SAM-5 4.7: 8 bytes; 16 bytes */

/* Its target has LUNs up to so high a number that this is worth its time.  [reactor of the nexus] */
bool ahead_pays(const struct nexus *n);
/* The next commands, up to AHEAD_MAX, of which the first is about to begin.  [reactor of the nexus] */
void ahead_fetch(struct nexus *n, const struct ahead *next, unsigned count);
/* One that is about to be counted, in this bucket (stats_bucket()).  [its reactor] */
void ahead_count(const struct task *t, unsigned bucket);

#endif
