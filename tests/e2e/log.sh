#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Lines of a daemon as JSON: what they are about, and levels changed while it runs.
. "${srcdir:-.}/tests/tap.sh"
tap_need jq
export LC_ALL=C

conf=$tap_tmp/gotgt.conf
log=$tap_tmp/log
disk=iqn.2016-09.com.example:disk
host=iqn.2010-01.org.example:host
GOTGT_HOST=unix:$tap_tmp/run/gotgt.sock
export GOTGT_HOST
tap_cleanup() { [ -z "$daemon_pid" ] || kill "$daemon_pid" 2>/dev/null; }

# The log has a line for which this holds.
line() # JQ-CONDITION
{
	[ "$(jq -s "map(select($1)) | length" "$log")" -ge 1 ] || { cat "$log"; return 1; }
}

not()
{
	! "$@"
}

write_conf() # SIZE
{
	cat >"$conf" <<END
control: { socket = "$tap_tmp/run/gotgt.sock"; };
log-levels = ( { domain = "engine"; level = "error"; } );
portals = ( { address = "127.0.0.1"; port = 0; } );
targets = ( { iqn = "$disk"; open = true; luns = ( { number = 3; plugin = "null"; settings: { size = "$1"; }; } ); } );
END
}

start()
{
	: >"$log"
	"$gotgt" daemon --config "$conf" --log-format json 2>>"$log" &
	daemon_pid=$!
	tap_wait "$log" "logical units"
}

write_conf 1M
check 'start' start
check 'each line is an object with time, level, domain and message' \
	jq -e -s 'length > 0 and all(.[]; (.time | fromdate? // (sub("\\.[0-9]+"; "") | fromdate)) and .level and .domain and .message)' "$log"
check 'a logical unit is added' line ".domain == \"config\" and .target == \"$disk\" and .lun == 3 and .level == \"info\""
check 'the daemon is up' line '.domain == "daemon" and (has("target") | not)'
check 'log-level tells what the file says' sh -c '"$0" log-level | tr "\n" " " | grep -qx "info engine=error "' "$gotgt"

port=$(jq -r -s 'map(select(.message | test("listening$")) | .message | capture(":(?<p>[0-9]+): listening").p)[0]' "$log")
url=iscsi://127.0.0.1:$port/$disk/3
if command -v iscsi-inq >/dev/null 2>&1; then
	login()
	{
		iscsi-inq -i $host "$url"
	}
	check 'a client' login
	check 'its login' line ".domain == \"login\" and .target == \"$disk\" and .initiator == \"$host\" and (.conn | test(\"^127.0.0.1:\"))"
	check 'no line of the connection itself' not line '.domain == "iscsi"'
	check 'log-level login=error iscsi=debug' "$gotgt" log-level login=error iscsi=debug
	: >"$log"
	check 'the client again' login
	"$gotgt" log-level error	# its line has been written, and those before it
	check 'its login is no line' not line '.domain == "login"'
	check 'its connection has some' line ".domain == \"iscsi\" and .initiator == \"$host\" and .level == \"debug\""
	: >"$log"
	check 'log-level info login=default iscsi=default' "$gotgt" log-level info login=default iscsi=default
	no_target()
	{
		! iscsi-inq -i $host "iscsi://127.0.0.1:$port/iqn.2016-09.com.example:none/0"
	}
	check 'to a target that is not there' no_target
	check 'is refused' line ".domain == \"login\" and .level == \"warn\" and .target == \"iqn.2016-09.com.example:none\""
else
	tap_skip 'a client' 'iscsi-inq is not installed'
fi

: >"$log"
reload_bad()
{
	echo 'log-levels = ( { domain = "disks"; level = "info"; } );' >"$conf"
	kill -HUP "$daemon_pid"
	tap_wait "$log" "not applied"
}
check 'a file that is wrong' reload_bad
check 'says so in JSON' line '.level == "error" and (.message | test("log-level 1: domain: expected"))'
: >"$log"
reload_good()
{
	write_conf 2M
	kill -HUP "$daemon_pid"
	tap_wait "$log" "lun 3"
}
check 'a reload' reload_good
check 'takes levels from the file' sh -c '"$0" log-level | tr "\n" " " | grep -qx "info engine=error "' "$gotgt"
stop()
{
	kill -TERM "$daemon_pid"
	tap_join "$daemon_pid"
}
check 'stop' stop
daemon_pid=
check 'all lines are JSON' jq -e . "$log"
tap_exits_usage()
{
	tap_exits 2 "$gotgt" daemon --log-format xml --config "$conf" && grep -q 'expected auto, text or json' "$tap_tmp/err"
}
check 'a format that is none' tap_exits_usage
serve_json()
{
	"$gotgt" serve --log info --log-format json --portal 127.0.0.1:0 --run true --size 1M null: 2>"$log" && jq -e . "$log" &&
		line '.domain == "config" and .lun == 0'
}
check 'serve --log-format json' serve_json
serve_text()
{
	"$gotgt" serve --log info --log-format text --portal 127.0.0.1:0 --run true --size 1M null: 2>"$log" &&
		grep -q '^gotgt: info: target .* lun 0: added$' "$log"
}
check 'serve --log-format text' serve_text
tap_end
