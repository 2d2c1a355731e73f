#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A daemon that is killed again and again while it writes its configuration: the file is the old one or the new one, and
# what a save that did not end has left is taken over by the next.
. "${srcdir:-.}/tests/tap.sh"
tap_need curl od
export LC_ALL=C

etc=$tap_tmp/etc
conf=$etc/gotgt.conf
log=$tap_tmp/log
sock=$tap_tmp/run/gotgt.sock
kills=200 per_ms=8
if grep -aq -e __asan_init -e __tsan_init "$gotgt"; then
	kills=30 per_ms=1
elif [ -n "${E2E_QUICK-}" ]; then
	kills=30
fi
mkdir "$etc"

start()
{
	: >"$log"
	"$gotgt" daemon --config "$conf" 2>"$log" &
	daemon_pid=$!
	tap_wait "$log" "logical units" || { cat "$log"; return 1; }
}
tap_cleanup()
{
	if [ -n "${daemon_pid-}" ]; then
		kill -KILL "$daemon_pid" 2>/dev/null
	fi
}

# Large enough that a write takes a while.
{
	echo 'portals = ( { address = "127.0.0.1"; port = 0; } ); targets = ('
	for n in $(seq 300); do
		[ "$n" = 1 ] || echo ,
		echo "{ iqn = \"iqn.2016-09.com.example:$n\"; open = true; luns = ("
		echo '{ number = 0; plugin = "null"; settings: { size = "1M"; }; } ); }'
	done
	echo ');'
} >"$conf"

# Requests for curl: a change, and it saved so many times.
change() # POLL-US
{
	cat <<END
silent
show-error
fail
unix-socket = "$sock"
max-time = 20
request = PATCH
header = "Content-Type: application/json"
data = "{\"poll-us\": $1}"
output = "$tap_tmp/patched"
url = "http://localhost/v1/config"
END
}
saves() # TIMES
{
	for n in $(seq "$1"); do
		cat <<END
next
silent
show-error
fail
unix-socket = "$sock"
max-time = 20
request = POST
output = "$tap_tmp/saved"
url = "http://localhost/v1/config/save"
END
	done
}
change 40 >"$tap_tmp/old.curl"
change 41 >"$tap_tmp/new.curl"
saves 1 >"$tap_tmp/once.curl"
saves 100 >"$tap_tmp/on-and-on.curl"

save() # NAME: what the file is then
{
	curl -K "$tap_tmp/$1.curl" && curl -K "$tap_tmp/once.curl" && cp "$conf" "$tap_tmp/$1"
}
check 'start' start
check 'one text' save old
check 'and another' save new
differ()
{
	! cmp "$tap_tmp/old" "$tap_tmp/new"
}
check 'are two' differ
loads()
{
	cp "$tap_tmp/$1" "$tap_tmp/copy.conf" && "$gotgt" daemon --check --config "$tap_tmp/copy.conf"
}
check 'the one loads' loads old
check 'the other loads' loads new

# At any moment of many saves, of another text than the file has now: 0 to 31 ms after they began (a sanitizer's:
# 255).
kill_it()
{
	curl -K "$tap_tmp/$next.curl" || return 1
	curl -K "$tap_tmp/on-and-on.curl" 2>/dev/null &
	curl_pid=$!
	sleep "0.$(printf %03d $(($(od -An -N1 -tu1 /dev/urandom) / per_ms)))"
	kill -KILL "$daemon_pid"
	wait "$daemon_pid" 2>/dev/null
	kill "$curl_pid" 2>/dev/null
	wait "$curl_pid" 2>/dev/null
	daemon_pid=
}

whole()
{
	if cmp -s "$conf" "$tap_tmp/old"; then
		old=$((old + 1)) next=new
	elif cmp -s "$conf" "$tap_tmp/new"; then
		new=$((new + 1)) next=old
	else
		echo "kill $n: neither of the two:"
		cat "$conf"
		return 1
	fi
}

# The file, and the one that a save had begun.
tidy()
{
	for name in "$etc"/* "$etc"/.[!.]*; do
		case $name in
		"$conf" | "$etc/*" | "$etc/.[!.]*") ;;
		"$etc/.${conf##*/}.new") left=$((left + 1)) ;;
		*) echo "kill $n: $name"; return 1 ;;
		esac
	done
}

old=0 new=0 left=0 next=old
again_and_again()
{
	n=0
	# A machine that is slow now has not come to the second text by then: it gets more tries.
	while [ $n -lt "$kills" ] || { [ $n -lt $((kills * 10)) ] && { [ $old -eq 0 ] || [ $new -eq 0 ]; }; }; do
		n=$((n + 1))
		kill_it && whole && tidy && start || return 1
	done
}
check "killed $kills times: the old file or the new one, and it starts" again_and_again
echo "# $old times the one, $new times the other; $left times a save had begun a file"
both()
{
	[ "$old" -gt 0 ] && [ "$new" -gt 0 ]
}
check 'each was seen' both
check 'the next save' save old
alone()
{
	[ "$(ls -A "$etc")" = gotgt.conf ]
}
check 'leaves one file' alone
stop()
{
	kill -TERM "$daemon_pid"
	tap_join "$daemon_pid"
}
check 'stop' stop
daemon_pid=
tap_end
