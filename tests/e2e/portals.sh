#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Portals as clients find them: every address, another one than bound, redirection, sockets of a service manager.
. "${srcdir:-.}/tests/tap.sh"
tap_need iscsi-ls iscsi-inq python3
export LC_ALL=C
iqn=iqn.2016-09.com.example:x
conf=$tap_tmp/gotgt.conf
log=$tap_tmp/log
PORTS=$tap_tmp/ports
export PORTS
daemon_pid=
activate="python3 ${srcdir:-.}/tests/e2e/activate.py"
tap_cleanup()
{
	[ -z "$daemon_pid" ] || kill -KILL "$daemon_pid"
}

# Portals, and what is in the target.
write()
{
	cat >"$conf" <<END
control: { socket = "off"; };
workers = 2;
state-dir = "$tap_tmp";
portals = ( $1 );
targets = ( { iqn = "$iqn"; open = true; $2
  luns = ( { number = 0; plugin = "null"; settings: { size = "1M"; }; } ); } );
END
}

run() # COMMAND in front of the daemon
{
	: >"$log"
	"$@" "$gotgt" daemon --config "$conf" 2>"$log" &
	daemon_pid=$!
	tap_wait "$log" "logical units" || { cat "$log"; return 1; }
}

stop()
{
	kill -TERM "$daemon_pid"
	tap_join "$daemon_pid"
	set -- $?
	daemon_pid=
	return "$1"
}

reload() # TEXT
{
	: >"$log"
	kill -HUP "$daemon_pid"
	tap_wait "$log" "$1" || { cat "$log"; return 1; }
}

port_of() # N-th that listens
{
	sed -n 's/.*portal .*:\([0-9]*\): listening.*/\1/p' "$log" | sed -n "$1p"
}

lists() # ADDRESS:PORT asked, text
{
	iscsi-ls "iscsi://$1" >"$tap_tmp/ls" 2>&1
	cat "$tap_tmp/ls"
	grep -qF -e "$2" "$tap_tmp/ls"
}

inquires()
{
	iscsi-inq "iscsi://$1/$iqn/0"
}

write '{ name = "a"; address = "0.0.0.0"; port = 0; }, { name = "b"; address = "::"; port = 0; }'
check "start: every address of both families" run env
a=$(port_of 1) b=$(port_of 2)
check "the address that was reached" lists "127.0.0.3:$a" "Portal:127.0.0.3:$a,1"
check "another one" lists "127.0.0.1:$a" "Portal:127.0.0.1:$a,1"
if python3 -c 'import socket; socket.socket(socket.AF_INET6).bind(("::1", 0))' 2>/dev/null; then
	check "IPv6" lists "[::1]:$b" "Portal:[::1]:$b,1"
else
	tap_skip "IPv6" "there is none here"
fi
write '{ name = "a"; address = "0.0.0.0"; port = 0; advertise = "203.0.113.5"; }, { name = "b"; address = "::"; port = 0; }'
check "reload: advertise" reload "advertised as 203.0.113.5"
check "what is advertised" lists "127.0.0.1:$a" "Portal:203.0.113.5:$a,1"
write '{ name = "a"; address = "0.0.0.0"; port = 0; }, { name = "b"; address = "::"; port = 0; }'
check "reload: as bound again" reload "advertised as bound"
check "the address that was reached, again" lists "127.0.0.1:$a" "Portal:127.0.0.1:$a,1"

two='{ name = "a"; address = "127.0.0.1"; port = 0; }, { name = "b"; address = "127.0.0.2"; port = 0; }'
write "$two"
check "reload: other portals" reload "portal 0.0.0.0:$a: closed"
a=$(port_of 1) b=$(port_of 2)
check "logs in before" inquires "127.0.0.1:$a"
write "$two" "redirect: { address = \"127.0.0.2:$b\"; };"
check "reload: redirect" reload "target $iqn: changed"
check "an initiator follows" inquires "127.0.0.1:$a"
check "it was sent" grep -qF "is sent to 127.0.0.2:$b (0101)" "$log"
check "it stays where it was sent" inquires "127.0.0.2:$b"
if command -v qemu-img >/dev/null && qemu-img --version >/dev/null; then
	check "QEMU follows" qemu-img info -f raw "iscsi://127.0.0.1:$a/$iqn/0"
else
	tap_skip "QEMU follows" "no qemu-img"
fi
accounts='accounts = ( { user = "joe"; secret = "twelve-bytes-1"; } );'
write "$two" "$accounts redirect: { address = \"127.0.0.2:$b\"; };"
check "reload: with accounts" reload "target $iqn: changed"
check "who has one follows" iscsi-inq "iscsi://joe%twelve-bytes-1@127.0.0.1:$a/$iqn/0"
check "was sent" grep -qF "is sent to 127.0.0.2:$b (0101)" "$log"
not()
{
	! "$@"
}
check "and has to show it where he is sent" not iscsi-inq "iscsi://joe%another-secret@127.0.0.1:$a/$iqn/0"
write "$two" "redirect: { address = \"127.0.0.2:$b\"; permanent = true; };"
check "reload: for good" reload "target $iqn: changed"
moved()		# which this client does not follow
{
	iscsi-inq "iscsi://127.0.0.1:$a/$iqn/0" >"$tap_tmp/moved" 2>&1
	cat "$tap_tmp/moved" "$log"
	grep -qF "is sent to 127.0.0.2:$b (0102)" "$log" && grep -q "moved permanently" "$tap_tmp/moved"
}
check "it has moved permanently" moved
write "$two" "port-groups = ( { tag = 1; portals = [ \"a\" ]; }, { tag = 2; portals = [ \"b\" ]; } ); redirect: { balance = true; };"
check "reload: to the least loaded group" reload "target $iqn: changed"
balances() # the second session, while the first one is there, is sent to the other group
{
	mkfifo "$tap_tmp/go"
	qemu-io -f raw "iscsi://127.0.0.1:$a/$iqn/0" <"$tap_tmp/go" >"$tap_tmp/io" 2>&1 &
	io=$!
	exec 7>"$tap_tmp/go"
	echo 'read 0 512' >&7
	tap_wait "$tap_tmp/io" "read 512/512" || { cat "$tap_tmp/io"; return 1; }
	inquires "127.0.0.1:$a"
	got=$?
	exec 7>&-
	wait "$io"
	cat "$log"
	[ "$got" -eq 0 ] && [ "$(grep -cF "is sent to 127.0.0.2:$b (0101)" "$log")" -eq 1 ]
}
if command -v qemu-io >/dev/null; then
	check "the second of two sessions is sent to the other group" balances
else
	tap_skip "the second of two sessions is sent to the other group" "no qemu-io"
fi
check "stop" stop

same_port() # a free one, for both families
{
	python3 -c 'import socket
s = socket.socket(socket.AF_INET6); s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(("::", 0)); print(s.getsockname()[1])' 2>/dev/null
}
if port=$(same_port); then
	write "{ address = \"0.0.0.0\"; port = $port; }, { address = \"::\"; port = $port; }"
	check "one port on 0.0.0.0 and ::" run env
	check "by IPv4" lists "127.0.0.1:$port" "Portal:127.0.0.1:$port,1"
	check "by IPv6" lists "[::1]:$port" "Portal:[::1]:$port,1"
	check "stop" stop
else
	tap_skip "one port on 0.0.0.0 and ::" "there is no IPv6 here"
fi

write '{ name = "a"; address = "127.0.0.1"; port = 0; }'
check "sockets: by name" run $activate a=127.0.0.1:0 --
port=$(cat "$PORTS")
check "it is served" inquires "127.0.0.1:$port"
check "stop" stop
run_by_address()
{
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	write "{ address = \"127.0.0.1\"; port = $port; }"
	run $activate "x.socket=127.0.0.1:$port" --
}
check "sockets: by address" run_by_address
check "it is served" inquires "127.0.0.1:$port"
check "stop" stop

refused() # TEXT, sockets...
{
	text=$1
	shift
	! $activate "$@" -- "$gotgt" daemon --config "$conf" 2>"$log" || return 1
	cat "$log"
	grep -qF -e "$text" "$log"
}
write '{ name = "a"; address = "127.0.0.1"; port = 0; }'
check "sockets: one too many" refused "no portal has the name c or the address 127.0.0." a=127.0.0.1:0 c=127.0.0.2:0
check "sockets: not TCP" refused "descriptor 3 (a) is no listening TCP or unix socket" a=udp
check "sockets: of another kind" refused "descriptor 4 (b) is no listening TCP or unix socket" a=127.0.0.1:0 b=pair
serve_activated()
{
	$activate x=127.0.0.1:0 -- "$gotgt" serve --run "iscsi-inq \$uri" -s 1M null:
}
check "sockets: serve" serve_activated
both_families()
{
	$activate "x=[::]:0" -- "$gotgt" serve --allow 127.0.0.0/8 --run 'iscsi-ls "iscsi://127.0.0.1:${portal##*:}"' -s 1M null: \
		>"$tap_tmp/ls" 2>&1
	cat "$tap_tmp/ls"
	grep -q "Portal:127.0.0.1:[0-9]*,1" "$tap_tmp/ls"
}
check "sockets: IPv4 through one of both families" both_families
tap_end
