#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# kill -9 at random moments of PERSISTENT RESERVE OUT traffic with APTPL: nothing that was answered is lost.
. "${srcdir:-.}/tests/tap.sh"
kills=${E2E_KILLS:-500}
[ -z "${E2E_QUICK:-}" ] || kills=${E2E_KILLS:-80}
check "reservations outlive $kills kills" "${G_TEST_BUILDDIR:-$PWD/tests}/e2e/test-pr-kill" "$gotgt" "$tap_tmp/state" "$kills"
sed -n '/^# /p' "$tap_tmp/.out"
tap_end
