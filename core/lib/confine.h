/* SPDX-License-Identifier: Apache-2.0 */
/* confine.h - what a process gives up for good that is a target only: see gotgt.conf(5), confine.  [main] */
#ifndef GOTGT_LIB_CONFINE_H
#define GOTGT_LIB_CONFINE_H

#include <stdbool.h>
#include <glib.h>
#include "config/conf.h"

/*
 * No new privileges, and none of the system calls that a target has no use for; nothing with CONFINE_OFF.  *state is what
 * was done, for the log (g_free()); *whole: all of it, or what was asked for.  False, with CONFINE_REQUIRED: something of
 * it is not to be had.
 */
bool confine_start(enum confine confine, bool *whole, char **state, GError **error);

#endif
