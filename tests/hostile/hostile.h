/* SPDX-License-Identifier: Apache-2.0 */
/* hostile.h - what peers do to the daemon while another session is measured. */
#ifndef GOTGT_TESTS_HOSTILE_H
#define GOTGT_TESTS_HOSTILE_H

#include <stdatomic.h>
#include "rig.h"

struct attack {
	const char *name;
	/* Until *stop; each of its threads has another n. */
	void (*run)(unsigned n, const atomic_bool *stop);
	unsigned threads;
	unsigned mib;	/* what the daemon's memory may grow by meanwhile */
	unsigned deeds;	/* a second, at least, on a machine that does nothing else; or it was no attack */
};

extern const struct attack attacks[];	/* the last has no name */
extern atomic_uint hostile_deeds;	/* how often an attack has met the daemon */
extern bool hostile_long;		/* take as much as the machine gives: 10,000 connections */

#endif
