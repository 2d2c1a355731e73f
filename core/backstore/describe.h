/* SPDX-License-Identifier: Apache-2.0 */
/* describe.h - a plugin in words: what `gotgt plugin show` prints. */
#ifndef GOTGT_DESCRIBE_H
#define GOTGT_DESCRIBE_H

#include <glib.h>
#include "backstore/module.h"

/* Name, version, file, ABI, how it works, extensions and settings. */
void describe_text(const struct module *m, GString *out);
/* The same as one JSON object, with a newline at its end. */
void describe_json(const struct module *m, GString *out);

#endif
