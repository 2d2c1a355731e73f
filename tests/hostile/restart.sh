#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The daemon is stopped and killed RESTARTS (6) times under initiators that come back: see test-restart.c.
. "${srcdir:-.}/tests/tap.sh"
here=${G_TEST_BUILDDIR:-$PWD/tests}/hostile
if grep -aq -e __asan_init -e __tsan_init "$gotgt"; then
	RIG_SANITIZED=1
	ASAN_OPTIONS=quarantine_size_mb=16:${ASAN_OPTIONS:-}
	export RIG_SANITIZED ASAN_OPTIONS
fi
trap - EXIT
"$here/test-restart" --tap "$gotgt" "$tap_tmp" "${RESTARTS:-6}"
status=$?
rm -rf "$tap_tmp"
exit $status
