#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# valgrind.sh TEST... - each under valgrind, as many at a time as there are processors: memory that is not there, values that
# nobody set, leaks.  What measures memory is left out, which would be valgrind's.
set -u
. "${srcdir:-.}/tests/tap.sh"
tap_need valgrind nm xargs
# The allocator's own business is valgrind's here.
unset MALLOC_PERTURB_
GLIBC_TUNABLES=glibc.malloc.tcache_count=0
export GLIBC_TUNABLES

if nm -D "$1" | grep -q '__[a-z]*san_'; then
	echo '1..0 # SKIP a build with a sanitizer'
	exit 0
fi

# shellcheck disable=SC2016
printf '%s\n' "$@" | xargs -P "$(nproc)" -I TEST sh -c 'timeout "${VALGRIND_SECONDS:-900}" valgrind --quiet --leak-check=full \
	--errors-for-leak-kinds=definite,indirect --error-exitcode=9 --num-callers=20 TEST --tap -s /wire/numbers/idle \
	>"$0/$(basename TEST)" 2>&1 && touch "$0/$(basename TEST).well"' "$tap_tmp"

well() # TEST
{
	[ -e "$tap_tmp/$1.well" ] || { grep -vE '^(ok|# )' "$tap_tmp/$1"; return 1; }
}

for test; do
	check "${test##*/}" well "${test##*/}"
done
tap_end
