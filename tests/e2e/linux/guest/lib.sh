# SPDX-License-Identifier: Apache-2.0
# lib.sh - what tests.sh is written in.
iqn=iqn.2016-09.com.example:linux
a=10.77.1.1 b=10.77.2.1
n=0
exec 3<>/dev/ttyS1
stty -F /dev/ttyS1 raw -echo

say() { echo "$*" >/dev/console; }

# The command's output is shown when it fails.
check()
{
	tap_what=$1
	shift
	n=$((n + 1))
	if "$@" >/tmp/out 2>&1; then
		say "ok $n - $tap_what"
	else
		say "# exit $? from: $*"
		tail -15 /tmp/out | sed 's/^/# /' >/dev/console
		say "not ok $n - $tap_what"
	fi
}

skip() # WHAT WHY
{
	n=$((n + 1))
	say "ok $n - $1 # SKIP $2"
}

# Have the host do something to the target.
ask()
{
	echo "$*" >&3
	read -r answer <&3
	[ "$answer" = "done" ]
}

# Until a command succeeds, as many seconds at most.
until_true() # SECONDS COMMAND...
{
	left=$(($1 * 5))
	shift
	until "$@"; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || return 1
		sleep 0.2
	done
}

node() { iscsiadm -m node -T $iqn -p "$@"; }

setting() # PORTAL NAME VALUE
{
	node "$1" -o update -n "$2" -v "$3"
}

# The disk of a LUN as a portal's session has it: /dev/sdX.
disk() # PORTAL LUN
{
	for s in /sys/class/iscsi_session/session*; do
		id=${s##*session}
		[ "$(cat "/sys/class/iscsi_connection/connection$id:0/persistent_address" 2>/dev/null)" = "$1" ] || continue
		for d in "$s"/device/target*/*:*:*:"$2"/block/*; do
			[ -e "$d" ] && echo "/dev/${d##*/}" && return 0
		done
	done
	return 1
}

login() # PORTAL
{
	node "$1" -l && until_true 20 disk "$1" 0 && until_true 20 disk "$1" 1 && udevadm settle
}

logout() { node "$1" -u; }

# Random bytes through the page cache's back: written, and read again.
round_trip() # DEVICE MEGABYTES
{
	dd if=/dev/urandom of=/tmp/data bs=1M count="$2" 2>/dev/null
	dd if=/tmp/data of="$1" bs=1M oflag=direct && dd if="$1" of=/tmp/back bs=256k count=$(($2 * 4)) iflag=direct &&
		cmp /tmp/data /tmp/back
}

# ---- I/O that goes on while something happens ----

hammer_one() # DEVICE NUMBER
{
	rounds=0
	while [ ! -e /tmp/stop ]; do
		dd if=/dev/urandom of="/tmp/h$2" bs=64k count=16 2>/dev/null
		if ! dd if="/tmp/h$2" of="$1" bs=64k seek=$((16 * $2)) oflag=direct 2>"/tmp/h$2.err" ||
		   ! dd if="$1" of="/tmp/h$2.back" bs=128k skip=$((8 * $2)) count=8 iflag=direct 2>"/tmp/h$2.err" ||
		   ! cmp "/tmp/h$2" "/tmp/h$2.back" >"/tmp/h$2.err" 2>&1; then
			cp "/tmp/h$2.err" "/tmp/failed.$2"
			return
		fi
		rounds=$((rounds + 1))
		echo "$rounds" >"/tmp/h$2.rounds"
	done
}

hammer() # DEVICE
{
	touch /tmp/stop		# those of a check that failed
	wait
	rm -f /tmp/stop /tmp/failed.* /tmp/h[0-9]*
	for i in 0 1 2 3; do
		hammer_one "$1" $i &
	done
	until_true 20 [ -s /tmp/h3.rounds ]
}

# It still goes forward.
goes_on()
{
	before=$(cat /tmp/h0.rounds)
	until_true "${1:-60}" sh -c '[ "$(cat /tmp/h0.rounds)" -gt '"$((before + 1))"' ] || [ -e /tmp/failed.0 ]' &&
		! ls /tmp/failed.*
}

hammer_ends() # DEVICE
{
	touch /tmp/stop
	wait
	cat /tmp/failed.* 2>/dev/null
	ls /tmp/failed.* >/dev/null 2>&1 && return 1
	for i in 0 1 2 3; do
		dd if="$1" of=/tmp/last bs=128k skip=$((8 * i)) count=8 iflag=direct && cmp /tmp/last /tmp/h$i || return 1
	done
}
