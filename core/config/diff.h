/* SPDX-License-Identifier: Apache-2.0 */
/* diff.h - what makes one configuration another, in words.  [main] */
#ifndef GOTGT_DIFF_H
#define GOTGT_DIFF_H

#include "config/conf.h"

struct change {
	enum change_kind { CHANGE_ADD, CHANGE_REMOVE, CHANGE_SET } kind;
	char *path;		/* as struct place's: "targets/IQN/luns/0", or a setting below */
	char *from, *to;	/* of CHANGE_SET; NULL: unset, or not to be shown */
	bool restart;		/* it takes effect at the next start */
};

/* struct change, none: they are the same but for the order of lists. */
GPtrArray *conf_diff(const struct conf *from, const struct conf *to);
const char *change_kind_name(enum change_kind kind);

#endif
