#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each system call of the data path fails in each way: the right answers, the right bytes, and the server lives.
. "${srcdir:-.}/tests/tap.sh"
here=${G_TEST_BUILDDIR:-$PWD/tests}/crash
preload=$here/.libs/fail.so
# Sanitizers want to be loaded first: AddressSanitizer, where it is a library, is, and tells what a failure leaks.
if grep -aq -e __asan_init -e __tsan_init "$gotgt"; then
	binary=$(dirname "$gotgt")/.libs/$(basename "$gotgt")
	[ -f "$binary" ] || binary=$gotgt
	asan=$(ldd "$binary" | awk '/libasan/ { print $3 }')
	if [ -z "$asan" ]; then
		echo '1..0 # SKIP nothing is preloaded under this sanitizer'
		exit 0
	fi
	preload=$asan:$preload
	ASAN_OPTIONS=detect_leaks=1:${ASAN_OPTIONS:-}
	export ASAN_OPTIONS
fi
trap - EXIT
G_DEBUG=fatal-warnings "$here/test-faults" --tap "$gotgt" "$preload" "$tap_tmp"
status=$?
rm -rf "$tap_tmp"
exit $status
