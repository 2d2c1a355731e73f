#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# kill -9 and a loss of power at random moments of writing: what was acknowledged as stable is there.
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
tap_end
