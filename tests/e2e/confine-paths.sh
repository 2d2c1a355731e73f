#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A daemon that opens files in confine-paths alone: what it still does, what it says of others, by curl.
. "${srcdir:-.}/tests/tap.sh"
tap_need curl
export LC_ALL=C

conf=$tap_tmp/etc/gotgt.conf
log=$tap_tmp/log
sock=$tap_tmp/run/gotgt.sock
iqn=iqn.2016-09.com.example:a
mkdir -p "$tap_tmp/etc" "$tap_tmp/disks" "$tap_tmp/first" "$tap_tmp/else"
truncate -s 1M "$tap_tmp/first/disk" "$tap_tmp/else/disk"
ln -s "$tap_tmp/else/disk" "$tap_tmp/disks/link"

write() # CONFINE FOLDER
{
	cat >"$conf" <<-END
	confine = "$1";
	confine-paths = [ "$2" ];
	state-dir = "$tap_tmp/state";
	control: { socket = "$sock"; };
	portals = ( { address = "127.0.0.1"; port = 0; } );
	targets = ( { iqn = "$iqn"; open = true;
		luns = ( { number = 0; plugin = "file"; settings: { path = "$tap_tmp/first/disk"; }; } ); } );
	END
}

start() # LUNS
{
	: >"$log"
	"$gotgt" daemon --config "$conf" 2>"$log" &
	pid=$!
	tap_cleanup() { kill "$pid" 2>/dev/null; }
	tap_wait "$log" "$1 logical units" || { cat "$log"; return 1; }
}

stop()
{
	kill -TERM "$pid"
	tap_join "$pid"
}

# lun NUMBER PATH STATUS [TEXT]: one more, of that file; the answer's status and what it says.
lun()
{
	status=$(curl -s -S -o "$tap_tmp/answer" -w '%{http_code}' --max-time 60 --unix-socket "$sock" -X PUT \
		-H 'Content-Type: application/json' -d "{ \"number\": $1, \"plugin\": \"file\", \"settings\": { \"path\": \"$2\", \"size\": \"1M\", \"create\": \"yes\" } }" \
		"http://localhost/v1/targets/$iqn/luns/$1")
	cat "$tap_tmp/answer"
	[ "$status" = "$3" ] && grep -q -e "${4:-.}" "$tap_tmp/answer"
}

write required "$tap_tmp/disks"
check 'a configuration with confine-paths is good' "$gotgt" daemon --check --config "$conf"
if ! start 1 >/dev/null 2>&1; then
	check 'without Landlock, which is required, it does not' grep 'confine = "required".*\(no Landlock\|libseccomp\)\|confine-paths.*no Landlock' "$log"
	tap_end
fi
check 'it says that it is confined' grep 'confined to files in confine-paths' "$log"
check 'a logical unit in there, of a new file' lun 1 "$tap_tmp/disks/new" 201
check 'one beside a file it had at the start' lun 2 "$tap_tmp/first/other" 201
outside='not in confine-paths, which a restart can change'
check 'none elsewhere, and it says why' lun 3 "$tap_tmp/else/disk" 422 "$outside"
check 'nor by a link' lun 3 "$tap_tmp/disks/link" 422 "$outside"
check 'a folder is none for another reason' lun 3 "$tap_tmp/disks" 422
check 'which is what it says' sh -c '! grep confine-paths "$1"' sh "$tap_tmp/answer"
check 'what runs is saved' curl -s -S -f --max-time 60 --unix-socket "$sock" -X POST http://localhost/v1/config/save
check 'in the file' grep "$tap_tmp/disks/new" "$conf"
kill -HUP "$pid"
check 'it is read again' tap_wait "$log" 'nothing changed'
check 'and it stops as ever' stop
check 'what was saved starts again' start 3
check 'and stops' stop

write auto "$tap_tmp/none"
check 'a folder that is not there is told' tap_exits 1 "$gotgt" daemon --config "$conf"
check 'with its name' grep "confine-paths: $tap_tmp/none: there is no such folder" "$tap_tmp/err"
check 'and before a start' tap_exits 1 "$gotgt" daemon --check --config "$conf"
check 'with its line' grep "$conf:[1-9][0-9]*: confine-paths: $tap_tmp/none: there is no such folder" "$tap_tmp/err"
write auto none
check 'and one that is not a whole path' tap_exits 1 "$gotgt" daemon --config "$conf"
check 'in words' grep 'confine-paths: none: expected a whole path' "$tap_tmp/err"
write off "$tap_tmp/disks"
check 'with confine = "off" nothing is enforced' start 1
check 'so that files anywhere are opened' lun 3 "$tap_tmp/else/disk" 201
check 'until it stops' stop
tap_end
