#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Peers that misbehave, each kind for HOSTILE_SECONDS (1): see test-hostile.c.
. "${srcdir:-.}/tests/tap.sh"
here=${G_TEST_BUILDDIR:-$PWD/tests}/hostile
if grep -aq -e __asan_init -e __tsan_init "$gotgt"; then
	RIG_SANITIZED=1
	ASAN_OPTIONS=quarantine_size_mb=16:${ASAN_OPTIONS:-}
	export RIG_SANITIZED ASAN_OPTIONS
fi
trap - EXIT
"$here/test-hostile" --tap "$gotgt" "$tap_tmp" "${HOSTILE_SECONDS:-1}"
status=$?
rm -rf "$tap_tmp"
exit $status
