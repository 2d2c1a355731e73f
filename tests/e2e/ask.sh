# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# ask.sh - sourced behind tap.sh by tests of the commands that ask a daemon.
export LC_ALL=C

conf=$tap_tmp/gotgt.conf
log=$tap_tmp/log
GOTGT_HOST=unix:$tap_tmp/run/gotgt.sock
export GOTGT_HOST

# Who asks and ends need not look for leaks each time, which takes as long as all the rest.
asan_of_asker=${ASAN_OPTIONS-}${E2E_QUICK:+:detect_leaks=0}

# run STATUS ARGUMENT...: standard output in out, errors in err: one line when it fails, none else.
run()
{
	want=$1
	shift
	ASAN_OPTIONS=$asan_of_asker "$gotgt" "$@" >"$tap_tmp/out" 2>"$tap_tmp/err"
	got=$?
	cat "$tap_tmp/out" "$tap_tmp/err"
	echo "exit $got"
	[ "$got" -eq "$want" ] || return 1
	if [ "$want" -eq 0 ]; then
		[ ! -s "$tap_tmp/err" ]
	else
		[ "$(wc -l <"$tap_tmp/err")" -eq 1 ]
	fi
}

out_has()
{
	grep -qE -e "$1" "$tap_tmp/out" || { cat "$tap_tmp/out"; return 1; }
}

# Lines, each with a | behind it.
out_is()
{
	[ "$(tr '\n' '|' <"$tap_tmp/out")" = "$1" ] || { cat "$tap_tmp/out"; return 1; }
}

err_has()
{
	grep -qF -e "$1" "$tap_tmp/err" || { cat "$tap_tmp/err"; return 1; }
}

# It fails with STATUS, says TEXT in its one line, and prints nothing.
refused() # STATUS TEXT ARGUMENT...
{
	status=$1
	text=$2
	shift 2
	run "$status" "$@" && err_has "$text" && [ ! -s "$tap_tmp/out" ]
}

not()
{
	! "$@"
}

start()
{
	: >"$log"
	"$gotgt" daemon --config "$conf" 2>"$log" &
	daemon_pid=$!
	tap_wait "$log" "logical units" || { cat "$log"; return 1; }
}

stop()
{
	kill -TERM "$daemon_pid"
	tap_join "$daemon_pid"
}

# A session of target IQN's lun 0 that is there until let_go, and that may write with w; false: nothing can hold one here.
hold() # IQN [w]
{
	command -v qemu-io >/dev/null || return 1
	hold_portal=$("$gotgt" list portal | awk '$1 == "a" { print $4 }')
	mkfifo "$tap_tmp/hold"
	if [ "${2-}" = w ]; then set -- "$1"; else set -- "$1" -r; fi
	qemu-io ${2-} -f raw "iscsi://$hold_portal/$1/0" <"$tap_tmp/hold" >"$tap_tmp/qemu" 2>&1 &
	holder=$!
	exec 8>"$tap_tmp/hold"
	echo 'read 0 512' >&8
	tap_wait "$tap_tmp/qemu" 'read 512/512' && return
	cat "$tap_tmp/qemu" >&2
	let_go
	return 1
}

let_go()
{
	exec 8>&-
	tap_join "$holder"
	rm "$tap_tmp/hold"
}
