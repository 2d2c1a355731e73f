#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each system call of the data path fails in each way: the right answers, the right bytes, and the server lives.
. "${srcdir:-.}/tests/tap.sh"
here=${G_TEST_BUILDDIR:-$PWD/tests}/crash
# Sanitizers want to be loaded first.
if grep -aq -e __asan_init -e __tsan_init "$gotgt"; then
	echo '1..0 # SKIP nothing is preloaded under sanitizers'
	exit 0
fi
trap - EXIT
G_DEBUG=fatal-warnings "$here/test-faults" --tap "$gotgt" "$here/.libs/fail.so" "$tap_tmp"
status=$?
rm -rf "$tap_tmp"
exit $status
