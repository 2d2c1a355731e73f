#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# abidiff (abigail-tools) over the plugin interface: the headers of today against each that was released and kept in
# tests/abi, and against those of the last tag.  What it must find is tried too.
. "${srcdir:-.}/tests/tap.sh"
tap_need abidiff cc
top=$(cd "${srcdir:-.}" && pwd)

compile() # INCLUDE OUTPUT
{
	cc -std=gnu11 -g -fPIC -shared -fvisibility=hidden -I"$1" -o "$2" "$top/tests/abi/types.c"
}
# Functions may be added.
same() # OLD NEW
{
	compile "$1" "$tap_tmp/old.so" && compile "$2" "$tap_tmp/new.so" &&
		abidiff --no-added-syms --suppressions "$top/tests/abi/abidiff.suppr" "$tap_tmp/old.so" "$tap_tmp/new.so"
}
differs()
{
	! same "$@"
}
changed() # SED-SCRIPT
{
	rm -rf "$tap_tmp/changed" && mkdir -p "$tap_tmp/changed/gotgt" && cp "$top"/include/gotgt/*.h "$tap_tmp/changed/gotgt" &&
		sed -i -e "$1" "$tap_tmp/changed/gotgt/plugin.h" && ! cmp -s "$tap_tmp/changed/gotgt/plugin.h" "$top/include/gotgt/plugin.h"
}

for old in "$top"/tests/abi/[0-9]*; do
	check "as in ${old##*/}" same "$old" "$top/include"
done
tag=$(git -C "$top" describe --tags --abbrev=0 2>/dev/null) || tag=
if [ -n "$tag" ] && [ "$(git -C "$top" rev-parse --show-prefix)" = "" ]; then
	mkdir -p "$tap_tmp/tag"
	check "the headers of $tag" sh -c 'git -C "$1" archive "$2" include | tar -xf - -C "$3"' sh "$top" "$tag" "$tap_tmp/tag"
	check "as in $tag" same "$tap_tmp/tag/include" "$top/include"
else
	tap_skip "as in the last tag" "there is none"
fi

check "a field at the end" changed 's,^	const void \*(\*extension)(const char \*id);,&\n	void (*later)(void);,'
check "is no change" same "$top/include" "$tap_tmp/changed"
check "an enumerator at the end" changed 's,^	GOTGT_ERR_NO_MEMORY = 9,&\,\n	GOTGT_ERR_LATER = 10,'
check "is none either" same "$top/include" "$tap_tmp/changed"
check "a field in between" changed 's,^	uint32_t io_priv_size;,	uint64_t between;\n&,'
check "is one" differs "$top/include" "$tap_tmp/changed"
check "a field that is gone" changed '/^	void (\*cancel)(/d'
check "is one, too" differs "$top/include" "$tap_tmp/changed"
check "another type" changed 's,^	uint64_t offset;	,	uint32_t offset;	,'
check "is one as well" differs "$top/include" "$tap_tmp/changed"
check "another number" changed 's,GOTGT_ERR_BUSY = 4,GOTGT_ERR_BUSY = 14,'
check "is one likewise" differs "$top/include" "$tap_tmp/changed"
tap_end
