#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fifty applies, and some that fail, under valgrind: see test-apply.c.
. "${srcdir:-.}/tests/tap.sh"
tap_need valgrind nm
test=${G_TEST_BUILDDIR:-$PWD/tests}/scale/test-apply
# These are the allocator's and GLib's own business, and valgrind's to fill.
unset MALLOC_PERTURB_
GLIBC_TUNABLES=glibc.malloc.tcache_count=0 APPLY_ROUNDS=50
export GLIBC_TUNABLES APPLY_ROUNDS

under_valgrind()
{
	timeout 300 valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite,indirect --error-exitcode=9 \
		--num-callers=20 "$test" "$@"
}

if nm -D "$test" | grep -q '__[a-z]*san_'; then
	tap_skip 'valgrind' 'a build with a sanitizer'
elif under_valgrind -l 2>&1 | grep -q 'debuginfo reader'; then
	tap_skip 'valgrind' 'it cannot read the debugging information of this compiler'
else
	check 'applies that go well' under_valgrind -p /apply/many
	check 'applies that fail' under_valgrind -p /apply/atomic
	check 'a portal that goes' under_valgrind -p /apply/portal
fi
tap_end
