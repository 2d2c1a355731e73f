#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# valgrind.sh TEST... - each under valgrind: memory that is not there, values that nobody set, leaks.  What measures memory
# is left out, which would be valgrind's.
set -u
. "${srcdir:-.}/tests/tap.sh"
tap_need valgrind nm
# The allocator's own business is valgrind's here.
unset MALLOC_PERTURB_
GLIBC_TUNABLES=glibc.malloc.tcache_count=0
export GLIBC_TUNABLES

for test; do
	if nm -D "$test" | grep -q '__[a-z]*san_'; then
		tap_skip "${test##*/}" 'a build with a sanitizer'
		continue
	fi
	check "${test##*/}" timeout "${VALGRIND_SECONDS:-900}" valgrind --quiet --leak-check=full \
		--errors-for-leak-kinds=definite,indirect --error-exitcode=9 --num-callers=20 "$test" --tap \
		-s /wire/numbers/idle
done
tap_end
