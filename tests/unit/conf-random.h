/* SPDX-License-Identifier: Apache-2.0 */
/* conf-random.h - configurations of any kind, by the schema. */
#ifndef GOTGT_TESTS_CONF_RANDOM_H
#define GOTGT_TESTS_CONF_RANDOM_H

#include "config/conf.h"

/* Each setting has a value that its row allows, or none where it may; what only conf_check() asks for does not hold. */
struct conf *conf_random(void);

#endif
