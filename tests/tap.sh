# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# tap.sh - sourced by the shell tests: TAP on standard output, notes on standard error.
#
#   . "$(dirname "$0")/../tap.sh"
#   tap_need CMD...          skip the whole test where one is absent
#   tap_not_tsan             skip it in a build with ThreadSanitizer
#   tap_not_quick            skip it with E2E_QUICK: it takes long, and the other builds have nothing to add
#   check 'what must hold' command args...
#   tap_exits STATUS command args...
#   tap_skip 'what' 'why'
#   tap_wait FILE TEXT       for what runs in the background
#   tap_join PID             until it has ended
#   tap_end

tap_n=0 tap_failed=0
tap_tmp=$(mktemp -d)
tap_cleanup() { :; }
trap 'tap_status=$?; tap_cleanup; rm -rf "$tap_tmp"; exit $tap_status' EXIT
trap 'exit 130' INT TERM

tap_need()
{
	for cmd; do
		if ! command -v "$cmd" >/dev/null 2>&1; then
			echo "1..0 # SKIP $cmd is not installed"
			exit 0
		fi
	done
}

# What has no threads to speak of need not take several times as long.
tap_not_tsan()
{
	if grep -aq __tsan_init "$gotgt"; then
		echo "1..0 # SKIP nothing for ThreadSanitizer"
		exit 0
	fi
}

tap_not_quick()
{
	if [ -n "${E2E_QUICK-}" ]; then
		echo '1..0 # SKIP E2E_QUICK is set'
		exit 0
	fi
}

tap_ok()
{
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1"
}

tap_not_ok()
{
	tap_n=$((tap_n + 1))
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_n - $1"
}

tap_skip()
{
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1 # SKIP $2"
}

# The command's output is shown only when it fails.
check()
{
	tap_what=$1
	shift
	if "$@" >"$tap_tmp/.out" 2>&1; then
		tap_ok "$tap_what"
	else
		echo "# exit $? from: $*"
		sed 's/^/# /' "$tap_tmp/.out" | tail -20
		tap_not_ok "$tap_what"
	fi
}

# It exits with STATUS; what it printed is in $tap_tmp/out and $tap_tmp/err.
tap_exits() # STATUS COMMAND...
{
	tap_expected=$1
	shift
	"$@" >"$tap_tmp/out" 2>"$tap_tmp/err"
	tap_got=$?
	[ "$tap_got" -eq "$tap_expected" ] && return
	echo "status $tap_got, not $tap_expected"
	cat "$tap_tmp/out" "$tap_tmp/err"
	return 1
}

# Wait for a line with TEXT in a file another process writes; false when it does not come within 20 seconds.
tap_wait()
{
	timeout 60 tail -f -n +1 "$1" | grep -qF -m 1 -e "$2"
}

# Wait for a child to end, which is killed when it does not within two minutes; its status.
tap_join()
{
	timeout 120 tail --pid="$1" -f /dev/null || kill -KILL "$1"
	wait "$1"
}

tap_end()
{
	echo "1..$tap_n"
	[ "$tap_failed" -eq 0 ] || exit 1
	exit 0
}

# A daemon's control socket, where it is not told another.
RUNTIME_DIRECTORY=$tap_tmp/run
export RUNTIME_DIRECTORY

# The program under test and its plugins, in the build tree unless GOTGT says otherwise.
gotgt=${GOTGT:-${G_TEST_BUILDDIR:-$PWD/tests}/../core/gotgt}
if [ -z "${GOTGT:-}" ]; then
	plugins=$(cd "${G_TEST_BUILDDIR:-$PWD/tests}/../plugins" && pwd)
	GOTGT_PLUGIN_PATH=$plugins/null/.libs:$plugins/file/.libs:$plugins/mmap/.libs
	export GOTGT_PLUGIN_PATH
fi
