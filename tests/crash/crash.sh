#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# kill -9 and a loss of power at random moments of writing: what was acknowledged as stable is there; and of SANITIZE, FORMAT
# UNIT and MODE SELECT: nothing looks done that is not.
. "${srcdir:-.}/tests/tap.sh"
here=${G_TEST_BUILDDIR:-$PWD/tests}/crash
kills=${E2E_KILLS:-200}
[ -z "${E2E_QUICK:-}" ] || kills=${E2E_KILLS:-40}
# Sanitizers want to be loaded first.
if grep -aq -e __asan_init -e __tsan_init "$gotgt"; then
	echo '1..0 # SKIP nothing is preloaded under sanitizers'
	exit 0
fi
for plugin in file mmap; do
	mkdir "$tap_tmp/$plugin"
	check "$plugin loses nothing that was stable in $kills kills" "$here/test-crash" "$gotgt" "$here/.libs/forget.so" "$plugin" \
		"$tap_tmp/$plugin" "$kills"
	sed -n '/^# /p' "$tap_tmp/.out"
done
mkdir "$tap_tmp/kept"
check "work and mode pages outlive $kills kills" "$here/test-kept" "$gotgt" "$here/.libs/forget.so" "$tap_tmp/kept" "$kills"
sed -n '/^# /p' "$tap_tmp/.out"
tap_end
