#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A Linux initiator (Debian's kernel, open-iscsi, multipath) in a virtual machine against the daemon, over two networks of
# their own.  The guest runs guest/tests.sh and prints TAP on its console; what the target shall do meanwhile (restart,
# lose a link, grow a file) it asks for on a second serial line, see host_does().
. "${srcdir:-.}/tests/tap.sh"
here=$(cd "${srcdir:-.}/tests/e2e/linux" && pwd)
if [ -z "${E2E_LINUX:-}" ]; then
	echo '1..0 # SKIP it takes minutes: make check-linux'
	exit 0
fi
tap_need qemu-system-x86_64 mmdebstrap unshare ip mkfifo
# ---- the virtual machine's file system, kept from run to run ----

cache=${XDG_CACHE_HOME:-$HOME/.cache}/gotgt-linux/$(cksum <"$here/image.sh" | cut -d ' ' -f 1)
if [ ! -e "$cache/initrd" ] && ! sh "$here/image.sh" "$cache" >"$tap_tmp/image" 2>&1; then
	sed 's/^/# /' "$tap_tmp/image" | tail -5
	echo "1..0 # SKIP Debian's packages cannot be had"
	exit 0
fi
if [ -z "${LINUX_IN_NAMESPACE:-}" ]; then
	if ! unshare -n ip tuntap add gotgt0 mode tap 2>/dev/null; then
		echo '1..0 # SKIP no network devices can be made here'
		exit 0
	fi
	rm -rf "$tap_tmp"
	LINUX_IN_NAMESPACE=1 exec unshare -n "$0" "$@"
fi

mkdir -p "$tap_tmp/add"
cp -r "$here/guest" "$tap_tmp/add/"
install -m 755 "$here/guest/init" "$tap_tmp/add/init"
(cd "$tap_tmp/add" && find . | "$cache/busybox" cpio -o -H newc 2>/dev/null) >"$tap_tmp/add.cpio"
cat "$cache/initrd" "$tap_tmp/add.cpio" >"$tap_tmp/initrd"

# ---- the target ----

conf=$tap_tmp/gotgt.conf
log=$tap_tmp/log
daemon_pid='' qemu_pid=''
tap_cleanup()
{
	for pid in $qemu_pid $daemon_pid; do
		kill -KILL "$pid" 2>/dev/null
	done
}

truncate -s 64M "$tap_tmp/a.img" "$tap_tmp/b.img"
luns='{ number = 0; plugin = "file"; settings: { path = "'$tap_tmp'/a.img"; }; },
	{ number = 1; plugin = "mmap"; settings: { path = "'$tap_tmp'/b.img"; }; }'
accounts= # of the target
write_conf()
{
	cat >"$conf" <<END
state-dir = "$tap_tmp";
portals = ( { name = "a"; address = "10.77.1.1"; }, { name = "b"; address = "10.77.2.1"; } );
targets = ( { iqn = "iqn.2016-09.com.example:linux"; acls = ( { addresses = [ "10.77.0.0/16" ]; } ); $accounts luns = ( $luns ); } );
END
}

start()
{
	: >"$log.part"
	"$gotgt" daemon --foreground --config "$conf" 2>"$log.part" &
	daemon_pid=$!
	tap_wait "$log.part" "logical units" || { cat "$log.part"; return 1; }
}

stop() # SIGNAL
{
	kill -"$1" "$daemon_pid"
	tap_join "$daemon_pid" 2>/dev/null
	cat "$log.part" >>"$log"
	daemon_pid=
}

reload() # TEXT that the log has at its end
{
	write_conf
	lines=$(wc -l <"$log.part")
	kill -HUP "$daemon_pid"
	for _ in $(seq 100); do
		tail -n "+$((lines + 1))" "$log.part" | grep -qF "$1" && return 0
		sleep 0.1
	done
	return 1
}

# What the guest may ask for; the answer is "done" or "failed".
host_does()
{
	case $1 in
	restart) stop TERM; start ;;
	kill) stop KILL; start ;;
	cut) ip link set "gotgt$2" down ;;
	join) ip link set "gotgt$2" up ;;
	add-lun) luns="$luns, { number = 2; plugin = \"null\"; settings: { size = \"32M\"; }; }"; reload 'lun 2: added' ;;
	accounts)
		accounts='accounts = ( { user = "guest"; secret = "twelve-bytes-1"; mutual-user = "disks";
			mutual-secret = "twelve-bytes-2"; } );'
		stop TERM && write_conf && start
		;;
	grow) truncate -s "$2" "$tap_tmp/a.img" ;;
	*) echo "asked for $*"; false ;;
	esac
}

for n in 1 2; do
	ip tuntap add "gotgt$n" mode tap
	ip addr add "10.77.$n.1/24" dev "gotgt$n"
	ip link set "gotgt$n" up
done
ip link set lo up
write_conf
start >&2 || exit 1

# ---- the run ----

# Not KVM by itself: where it is nested it may be there and fail.
accel=${LINUX_ACCEL:-tcg,thread=multi}

mkfifo "$tap_tmp/ask.in" "$tap_tmp/ask.out"
qemu-system-x86_64 -accel "$accel" -cpu max -smp 2 -m 1024 -nodefaults -no-reboot -display none \
	-kernel "$cache/vmlinuz" -initrd "$tap_tmp/initrd" -append "console=ttyS0 loglevel=4 panic=-1 rdinit=/init" \
	-serial "file:$tap_tmp/console" -chardev "pipe,id=ask,path=$tap_tmp/ask" -serial chardev:ask \
	-netdev tap,id=n1,ifname=gotgt1,script=no,downscript=no -device virtio-net-pci,romfile=,netdev=n1 \
	-netdev tap,id=n2,ifname=gotgt2,script=no,downscript=no -device virtio-net-pci,romfile=,netdev=n2 \
	</dev/null >"$tap_tmp/qemu" 2>&1 &
qemu_pid=$!
# It cannot run for ever.
(sleep "${LINUX_SECONDS:-600}"; kill -KILL "$qemu_pid") >/dev/null 2>&1 &
watchdog=$!
exec 8>"$tap_tmp/ask.in"
while read -r line; do
	line=$(printf '%s' "$line" | tr -d '\r')
	# shellcheck disable=SC2086
	if host_does $line >"$tap_tmp/does" 2>&1; then
		echo 'done' >&8
	else
		sed 's/^/# /' "$tap_tmp/does"
		echo failed >&8
	fi
done <"$tap_tmp/ask.out"
wait "$qemu_pid"
qemu_pid=
kill "$watchdog" 2>/dev/null
tr -d '\r' <"$tap_tmp/console" | grep -aE '^(ok [0-9]|not ok [0-9]|1\.\.|#|Bail out)'
if ! grep -aq '^1\.\.' "$tap_tmp/console"; then
	cat "$tap_tmp/console" "$tap_tmp/qemu" | tail -n 30 | sed 's/^/# /'
	echo 'Bail out! the guest did not get to its end'
	exit 1
fi
stop TERM
if grep -a '^not ok' "$tap_tmp/console" >/dev/null; then
	tail -n 40 "$log" | sed 's/^/# /'
	exit 1
fi
exit 0
