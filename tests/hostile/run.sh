# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154
# Read by the scripts beside it: start NAME ARGUMENT... runs the program test-NAME, and ends as it does.
. "${srcdir:-.}/tests/tap.sh"
if grep -aq -e __asan_init -e __tsan_init "$gotgt"; then
	RIG_SANITIZED=1
	ASAN_OPTIONS=quarantine_size_mb=16:${ASAN_OPTIONS:-}
	export RIG_SANITIZED ASAN_OPTIONS
fi
start() # NAME ARGUMENT...
{
	program=${G_TEST_BUILDDIR:-$PWD/tests}/hostile/test-$1
	shift
	trap - EXIT
	"$program" --tap "$gotgt" "$tap_tmp" "$@"
	status=$?
	rm -rf "$tap_tmp"
	exit $status
}
