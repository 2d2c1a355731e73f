#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Plugins that hang, in a daemon that has others to serve: see test-stuck.c.
. "${srcdir:-.}/tests/tap.sh"
here=${G_TEST_BUILDDIR:-$PWD/tests}/hostile
if grep -aq -e __asan_init -e __tsan_init "$gotgt"; then
	RIG_SANITIZED=1
	ASAN_OPTIONS=quarantine_size_mb=16:${ASAN_OPTIONS:-}
	export RIG_SANITIZED ASAN_OPTIONS
fi
GOTGT_PLUGIN_PATH=$GOTGT_PLUGIN_PATH:${G_TEST_BUILDDIR:-$PWD/tests}/mods/.libs
trap - EXIT
"$here/test-stuck" --tap "$gotgt" "$tap_tmp"
status=$?
rm -rf "$tap_tmp"
exit $status
