#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the program was built with, and what the daemon is confined to while it serves.
. "${srcdir:-.}/tests/tap.sh"
export LC_ALL=C

conf=$tap_tmp/gotgt.conf
log=$tap_tmp/log

# The program itself, not libtool's script around it.
binary=$(dirname "$gotgt")/.libs/$(basename "$gotgt")
[ -f "$binary" ] || binary=$gotgt

elf() # OPTION TEXT
{
	readelf -W "$1" "$binary" | grep -q -e "$2"
}

not_elf()
{
	! elf "$@"
}

if [ "${HARDENED:-yes}" != yes ] || ! command -v readelf >/dev/null 2>&1; then
	tap_skip 'how the program was linked' 'not hardened, or no readelf'
else
	check 'the program is a PIE' elf -h 'Type: *DYN'
	check 'symbols are bound at the start' elf -d 'BIND_NOW\|Flags:.*NOW'
	check 'what they are bound by is read-only then' elf -l GNU_RELRO
	check 'no code is changed for that' not_elf -d TEXTREL
	check 'stacks are not executable' elf -l 'GNU_STACK.* RW  *0x'
	check 'functions check their stack' elf -s __stack_chk_fail
fi

cat >"$conf" <<END
confine = "auto";
reactors = 2;
portals = ( { address = "127.0.0.1"; port = 0; } );
targets = ( { iqn = "iqn.2016-09.com.example:a"; open = true;
	luns = ( { number = 0; plugin = "null"; settings: { size = "1M"; }; } ); } );
END

# What the daemon's threads all have; libtool's script runs the program in its place.
threads() # NAME VALUE
{
	n=0
	for status in /proc/"$pid"/task/*/status; do
		grep -qx "$1:	$2" "$status" || { cat "$status"; return 1; }
		n=$((n + 1))
	done
	[ "$n" -gt 2 ]
}

start() # CONFINE
{
	sed -i "s/^confine.*/confine = \"$1\";/" "$conf"
	: >"$log"
	"$gotgt" daemon --config "$conf" --control off 2>"$log" &
	pid=$!
	tap_wait "$log" 'logical units' || { cat "$log"; return 1; }
}

stop()
{
	kill -TERM "$pid"
	tap_join "$pid"
}

check 'a daemon starts confined' start auto
if grep -q 'no libseccomp' "$log"; then
	tap_skip 'the filter' 'built without libseccomp'
else
	check 'it says so' grep -q 'confined: no new privileges, system calls filtered' "$log"
	check 'no thread gets new privileges' threads NoNewPrivs 1
	check 'all have the filter' threads Seccomp 2
fi
check 'it stops as ever' stop
check 'a daemon starts with confine = "off"' start off
check 'it says so, too' grep -q 'not confined' "$log"
check 'and is as it was' threads NoNewPrivs 0
check 'and stops' stop

if ! command -v systemd-analyze >/dev/null 2>&1; then
	tap_skip 'exposure of the service' 'no systemd-analyze'
else
	sed -e 's,@bindir@,/usr/bin,' -e 's,@sysconfdir@,/etc,' "${srcdir:-.}/etc/gotgt.service.in" >"$tap_tmp/gotgt.service"
	# Threshold in tenths: 1.5.
	check 'the service exposes little' systemd-analyze security --no-pager --offline=true --threshold=15 "$tap_tmp/gotgt.service"
fi
tap_end
