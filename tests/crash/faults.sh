#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each system call of the data path fails in each way: the right answers, the right bytes, and the server lives.
. "${srcdir:-.}/tests/tap.sh"
here=${G_TEST_BUILDDIR:-$PWD/tests}/crash
. "${srcdir:-.}/tests/crash/preload.sh"
trap - EXIT
G_DEBUG=fatal-warnings "$here/test-faults" --tap "$gotgt" "$preload" "$tap_tmp"
status=$?
rm -rf "$tap_tmp"
exit $status
