# SPDX-License-Identifier: Apache-2.0
# preload.sh - sourced after tap.sh: $preload is what makes system calls fail, for LD_PRELOAD; or the test is skipped.
# Sanitizers want to be loaded first: AddressSanitizer, where it is a library, is, and tells what a failure leaks.
# shellcheck shell=sh
preload=${G_TEST_BUILDDIR:-$PWD/tests}/crash/.libs/fail.so
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
