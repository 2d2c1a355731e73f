/* SPDX-License-Identifier: Apache-2.0 */
/* contain.h - the suite in processes of its own: that a plugin crashes, hangs or exits is a result too.  [main] */
#ifndef GOTGT_CONTAIN_H
#define GOTGT_CONTAIN_H

#include "sdk/suite.h"

/*
 * Load DIR/NAME.so in a child, for conf (without its module), and run the n-th case there.  This process has one
 * thread, and does not load the plugin.
 */
void contain_case(const char *dir, const char *name, const struct suite_conf *conf, unsigned n, struct suite_result *r);
/* suite_look() in the same way. */
void contain_look(const char *dir, const char *name, const struct suite_conf *conf, bool read, struct suite_result *r);

#endif
