#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the service manager is told (sd_notify(3)), and the control socket it listens on for us (sd_listen_fds(3)).
. "${srcdir:-.}/tests/tap.sh"
tap_need python3
export LC_ALL=C

conf=$tap_tmp/gotgt.conf
log=$tap_tmp/log
heard=$tap_tmp/heard
here=${srcdir:-.}/tests/e2e

write() # LUN-NUMBER
{
	cat >"$conf" <<-END
	reactors = 2;
	portals = ( { address = "127.0.0.1"; port = 0; } );
	targets = ( { iqn = "iqn.2016-09.com.example:one"; open = true; luns = ( { number = $1; plugin = "null"; } ); } );
	END
}

start() # COMMAND...
{
	: >"$log" && : >"$heard"
	"$@" 2>"$log" &
	pid=$!
	tap_wait "$log" "logical units" || { cat "$log"; return 1; }
}

stop()
{
	kill -TERM "$pid"
	tap_join "$pid"
}

write 0
begin()
{
	WATCHDOG=0.4 start python3 "$here/notify.py" "$heard" "$gotgt" daemon --config "$conf" && tap_wait "$heard" READY=1
}
check 'READY=1' begin
check 'WATCHDOG=1' tap_wait "$heard" WATCHDOG=1
now_us()
{
	python3 -c 'import time; print(time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)'
}
reload() # TEXT
{
	: >"$heard"
	before=$(now_us)
	kill -HUP "$pid"
	tap_wait "$log" "$1" && tap_wait "$heard" READY=1 && after=$(now_us)
}
write 1
check 'a reload' reload 'lun 1: added'
# The time is of CLOCK_MONOTONIC, after the request and before the end; then it is ready, in this order.
reloading()
{
	cat "$heard"
	began=$(sed -n 's/^RELOADING=1 MONOTONIC_USEC=\([0-9]*\)$/\1/p' "$heard")
	[ "$began" -ge "$before" ] && [ "$began" -le "$after" ] &&
		[ "$(grep -v WATCHDOG "$heard" | sed 's/ .*//' | tr '\n' ' ')" = "RELOADING=1 READY=1 " ]
}
check 'RELOADING=1 with its time, then READY=1' reloading
echo nonsense >"$conf"
check 'a reload that fails' reload 'not applied'
check 'is told of in the same way' reloading
check 'stop' stop
stopping()
{
	cat "$heard"
	[ "$(tail -n 1 "$heard")" = STOPPING=1 ]
}
check 'STOPPING=1, and nothing behind it' stopping

# A socket of the service manager, with its own mode.
write 0
sock=$tap_tmp/systemd.sock
PORTS=$tap_tmp/ports
export PORTS
check 'a control socket that is there' start python3 "$here/activate.py" "control=$sock" -- "$gotgt" daemon --config "$conf"
check 'is answered on' "$gotgt" list target --host "unix://$sock"
check 'and no other is made' test ! -e "$tap_tmp/run/gotgt.sock"
mode()
{
	[ "$(stat -c %a "$sock")" = 640 ]
}
check 'has its mode' mode
check 'stop' stop
check 'and stays' test -S "$sock"
rm -f "$sock"
both()
{
	sed 's/address = /name = "a"; &/' "$conf" >"$conf.named"
	start python3 "$here/activate.py" a=127.0.0.1:0 "control=$sock" -- "$gotgt" daemon --config "$conf.named" &&
		GOTGT_HOST="unix:$sock" "$gotgt" show target iqn.2016-09.com.example:one && grep -q "portal 127.0.0.1:$(cat "$PORTS"): " "$log"
}
check 'beside a portal' both
check 'stop' stop
rm -f "$sock"
refused() # TEXT OPTION...
{
	text=$1
	shift
	! python3 "$here/activate.py" "control=$sock" -- "$gotgt" "$@" 2>"$log" || return 1
	rm -f "$sock"
	cat "$log"
	grep -qF -e "$text" "$log"
}
check 'nobody wants it' refused "nothing here is asked on the unix socket $sock of descriptor 3" daemon --config "$conf" --control off
check 'serve has none' refused "nothing here is asked on the unix socket" serve -p 127.0.0.1:0 --run true null:
tap_end
