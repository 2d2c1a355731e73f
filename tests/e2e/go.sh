#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a user of gotgt in Go has: its configuration, where it is looked for, its command line and its routes.
. "${srcdir:-.}/tests/tap.sh"
tap_need iscsi-ls iscsi-inq iscsi-readcapacity16 qemu-io curl
export LC_ALL=C
unset GOSTOR_CONFIG

example=${srcdir:-.}/tests/data/go-config.json
iqn=iqn.2016-09.com.gotgt.gostor:02:example-tgt-0
dir=$tap_tmp/config
json=$dir/config.json
disk=$tap_tmp/disk.img
log=$tap_tmp/log
sock=$tap_tmp/run/gotgt.sock
home=$tap_tmp/home
own_disk=
mkdir -p "$dir" "$home"
# A user's sockets and files are not of this test.
HOME=$home
export HOME
GOTGT_HOST=unix:$sock
export GOTGT_HOST

daemon_pid=
tap_cleanup()
{
	[ -z "$daemon_pid" ] || kill -KILL "$daemon_pid" 2>/dev/null
	[ -z "$own_disk" ] || rm -f "$own_disk"
}

start() # OPTION...
{
	: >"$log"
	"$gotgt" daemon "$@" 2>"$log" &
	daemon_pid=$!
	if ! tap_wait "$log" "logical units"; then
		cat "$log"
		return 1
	fi
	portal=$(sed -n 's/.*portal \(127[^ ]*\): listening.*/\1/p' "$log")
}

stop()
{
	kill -TERM "$daemon_pid"
	tap_join "$daemon_pid"
	stopped=$?
	daemon_pid=
	return $stopped
}

said()
{
	grep -qF -e "$1" "$log" || { cat "$log"; return 1; }
}

# The example with another disk, and a port that is free.
like_example()
{
	sed "s#/var/tmp/disk.img#$disk#; s#127.0.0.1:3260#127.0.0.1:0#" "$example" >"$json"
}

# Read what was put in front, write, and find that in the file.
serves() # DISK
{
	iscsi-ls -s "iscsi://$portal" | grep -qF "$iqn" || return 1
	iscsi-inq "iscsi://$portal/$iqn/0" | grep -q DIRECT_ACCESS || return 1
	iscsi-inq -e 1 -c 128 "iscsi://$portal/$iqn/0" | grep -q 'gotgt-1000' || return 1
	[ "$(iscsi-readcapacity16 -s "iscsi://$portal/$iqn/0")" = 8388608 ] || return 1
	qemu-io -f raw "iscsi://$portal/$iqn/0" -c 'read -P 0x67 0 512' -c 'write -P 0x5a 1M 64k' -c flush \
		-c 'read -P 0x5a 1M 64k' >"$tap_tmp/io" || return 1
	if grep -iE 'failed|error|verification' "$tap_tmp/io"; then
		return 1
	fi
	[ "$(dd if="$1" bs=64k skip=16 count=1 2>/dev/null | tr -d 'Z' | wc -c)" = 0 ]
}

make_disk() # FILE
{
	rm -f "$1"
	truncate -s 8M "$1"
	printf '%512s' '' | tr ' ' g | dd of="$1" conv=notrunc 2>/dev/null
}

# ask METHOD PATH STATUS [BODY]: the answer is in out.
ask()
{
	got=$(curl -s -S --max-time 20 --unix-socket "$sock" -o "$tap_tmp/out" -w '%{http_code}' -X "$1" \
		${4:+-H Content-Type:application/json -d "$4"} "http://localhost$2") || return 1
	cat "$tap_tmp/out"
	[ "$got" = "$3" ]
}

make_disk "$disk"
like_example
check 'the example serves its disk' start --config "$json"
check 'what is on it is read, what is written is there' serves "$disk"
check 'that all may log in is said' said "$iqn: open to everybody on this machine"
check 'gotgt list target' sh -c '"$1" list target | grep "^$2 *ready *0$"' sh "$gotgt" "$iqn"
check 'a save does not write over it' tap_exits 5 "$gotgt" save
check 'it is as it was' grep -qF '"storages"' "$json"
check 'a save beside it' "$gotgt" save ours.conf
check 'that is ours' "$gotgt" daemon --check --config "$dir/ours.conf"
check '/lu/{id}' ask GET /v1.0/lu/1000 200
check 'its path' grep -qF "\"file:$disk\"" "$tap_tmp/out"
check '/discovery' ask GET "/discovery/$iqn" 200
check 'an address' grep -qF "$portal,1" "$tap_tmp/out"

# The file again.
sed -i 's/"online": true/"online": false/' "$json"
reload()
{
	: >"$log"
	kill -HUP "$daemon_pid"
	tap_wait "$log" "$1"
}
check 'SIGHUP reads it again' reload "lun 0: changed"
not_ready()
{
	iscsi-inq "iscsi://$portal/$iqn/0" 2>&1 | grep 'NOT READY.*0x0403'
}
check 'a disk that is offline is not ready' not_ready
check '/target/up' ask POST /target/up 200 "{\"Name\": \"$iqn\"}"
ready_again()
{
	qemu-io -f raw "iscsi://$portal/$iqn/0" -c 'read -P 0x67 0 512' | grep -q 'read 512/512'
}
check 'it is ready' ready_again
sed -i 's/"online": false/"online": 1/' "$json"
check 'one that is wrong changes nothing' reload "everything stays as it was"
check 'and is told of with its line' said "config.json:6: storages[0].online: expected true or false"
check 'apply takes it too' tap_exits 1 "$gotgt" apply "$json"
like_example
check 'apply' "$gotgt" apply "$json"
rm "$json"
check 'one that is gone changes nothing' reload "everything stays as it was"
check 'the disk is there' serves "$disk"
check 'stop' stop

# gotgt import
like_example
check 'import' sh -c '"$1" import "$2" >"$3" 2>"$4"' sh "$gotgt" "$json" "$tap_tmp/a.conf" "$tap_tmp/err"
check 'its warnings' grep -qF 'warning: ' "$tap_tmp/err"
check 'import to a file' "$gotgt" import "$json" "$tap_tmp/b.conf"
check 'the same' cmp "$tap_tmp/a.conf" "$tap_tmp/b.conf"
check 'not over one that is there' tap_exits 1 "$gotgt" import "$json" "$tap_tmp/b.conf"
check 'but with --force' "$gotgt" import --force "$json" "$tap_tmp/b.conf"
make_disk "$disk"
check 'what is imported serves the disk' start --config "$tap_tmp/b.conf"
check 'it does' serves "$disk"
check 'and is what the JSON is' sh -c '"$1" apply --dry-run "$2" >"$3" 2>/dev/null && [ ! -s "$3" ]' sh \
	"$gotgt" "$json" "$tap_tmp/plan"
check 'stop' stop
check 'an import of what is wrong' sh -c 'echo "{" >"$2"; "$1" import "$2"; [ $? = 1 ]' sh "$gotgt" "$tap_tmp/bad.json"
check 'leaves no file' sh -c '"$1" import "$2" "$3"; [ ! -e "$3" ]' sh "$gotgt" "$tap_tmp/bad.json" "$tap_tmp/c.conf"

# Where it is looked for.
from_environment()
{
	GOSTOR_CONFIG=$dir start && serves "$disk" && said "$json: 1 targets"
}
make_disk "$disk"
check 'GOSTOR_CONFIG' from_environment
check 'stop' stop
empty()
{
	GOSTOR_CONFIG=$tap_tmp/nowhere start && said "nowhere/config.json: it is not there" && said "0 targets, 0 logical units"
}
check 'a file that is not there is an empty configuration' empty
check 'which can be added to' "$gotgt" create portal --address 127.0.0.1 --port 0
check 'a target, too' "$gotgt" create target --name "$iqn"
check 'stop' stop
if "$gotgt" daemon --check 2>&1 | grep -q "$home/.gotgt/config.json"; then
	mkdir "$home/.gotgt"
	cp "$json" "$home/.gotgt/config.json"
	make_disk "$disk"
	check 'config.json in ~/.gotgt' start
	check 'its disk' serves "$disk"
	check 'stop' stop
else
	tap_skip 'config.json in ~/.gotgt' 'there is a gotgt.conf on this machine'
fi

# Its command line.
check 'its options' start --config "$json" --log debug --driver iscsi --port 0 --block-multiple-hosts
check 'one initiator at a time' sh -c '"$1" show target "$2" --json | grep -q "\"single-initiator\" : true"' sh "$gotgt" "$iqn"
check 'stop' stop
sed -i 's/127.0.0.1:0/127.0.0.1:3999/' "$json"
check '--port' start --config "$json" --port 0
check 'is listened on, the other announced' ask GET "/discovery/$iqn" 200
check 'as the file says' grep -qF '"127.0.0.1:3999,1"' "$tap_tmp/out"
check 'stop' stop
check '--port with a file of ours' tap_exits 1 "$gotgt" daemon --check --config "$tap_tmp/b.conf" --port 3260
check '--driver' tap_exits 2 "$gotgt" daemon --driver fc
check '--port that is none' tap_exits 2 "$gotgt" daemon --port 65536
check 'version' sh -c '"$1" version | grep -q "^gotgt "' sh "$gotgt"

# To the letter.
unchanged()
{
	make_disk "$own_disk"
	cp "$example" "$json"
	start --config "$json" && serves "$own_disk"
}
if [ -e /var/tmp/disk.img ]; then
	tap_skip 'the example to the letter' '/var/tmp/disk.img is there'
elif curl -s --max-time 5 -o "$tap_tmp/out" telnet://127.0.0.1:3260 </dev/null || [ $? != 7 ]; then
	tap_skip 'the example to the letter' 'port 3260 is in use'
else
	own_disk=/var/tmp/disk.img
	check 'the example to the letter' unchanged
	check 'stop' stop
fi
tap_end
