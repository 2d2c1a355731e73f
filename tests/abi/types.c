/* SPDX-License-Identifier: Apache-2.0 */
/* Every type of the plugin interface, so that abidiff can compare two headers: abidiff.sh. */
#include <gotgt/ext-extents.h>
#include <gotgt/ext-memory.h>
#if __has_include(<gotgt/ext-copy.h>)
#include <gotgt/ext-copy.h>
GOTGT_EXPORT void copy(struct gotgt_copy *copy);
void copy(struct gotgt_copy *copy) {}
#endif
#if __has_include(<gotgt/ext-compare.h>)
#include <gotgt/ext-compare.h>
GOTGT_EXPORT void compare(struct gotgt_compare *compare);
void compare(struct gotgt_compare *compare) {}
#endif
#if __has_include(<gotgt/ext-size.h>)
#include <gotgt/ext-size.h>
GOTGT_EXPORT void size(struct gotgt_size *size);
void size(struct gotgt_size *size) {}
#endif
#if __has_include(<gotgt/ext-threads.h>)
#include <gotgt/ext-threads.h>
GOTGT_EXPORT void threads(struct gotgt_threads *threads);
void threads(struct gotgt_threads *threads) {}
#endif

GOTGT_EXPORT void base(struct gotgt_plugin *plugin, struct gotgt_host *host, struct gotgt_io *io, struct gotgt_dev_info *info,
		       struct gotgt_param *param);
void base(struct gotgt_plugin *plugin, struct gotgt_host *host, struct gotgt_io *io, struct gotgt_dev_info *info,
	  struct gotgt_param *param)
{
}

GOTGT_EXPORT void numbers(enum gotgt_op op, enum gotgt_status status, enum gotgt_param_type type, enum gotgt_log_level level,
			  enum gotgt_extent_state state);
void numbers(enum gotgt_op op, enum gotgt_status status, enum gotgt_param_type type, enum gotgt_log_level level,
	     enum gotgt_extent_state state)
{
}

GOTGT_EXPORT void extensions(struct gotgt_memory *memory, struct gotgt_extents *extents, struct gotgt_extent *extent);
void extensions(struct gotgt_memory *memory, struct gotgt_extents *extents, struct gotgt_extent *extent)
{
}
