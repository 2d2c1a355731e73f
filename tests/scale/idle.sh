#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A thousand idle sessions of a daemon: see test-idle.c.
. "${srcdir:-.}/tests/tap.sh"
here=${G_TEST_BUILDDIR:-$PWD/tests}/scale
if grep -aq -e __asan_init -e __tsan_init "$gotgt"; then
	RIG_SANITIZED=1
	export RIG_SANITIZED
fi
trap - EXIT
"$here/test-idle" --tap "$gotgt" "$tap_tmp"
status=$?
rm -rf "$tap_tmp"
exit $status
