#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# gotgt daemon: --check, start, reload, stop.
. "${srcdir:-.}/tests/tap.sh"
# Messages are compared: no translations.
export LC_ALL=C
not()
{
	! "$@"
}

conf=$tap_tmp/gotgt.conf
log=$tap_tmp/log
daemon_pid=

check_conf() # STATUS
{
	"$gotgt" daemon --check --config "$conf" >"$tap_tmp/out" 2>"$tap_tmp/err"
	got=$?
	cat "$tap_tmp/out" "$tap_tmp/err"
	[ "$got" -eq "$1" ] && [ ! -s "$tap_tmp/out" ]
}

said()
{
	grep -qF -e "$1" "$log" || { cat "$log"; return 1; }
}

tap_cleanup()
{
	[ -z "${daemon_pid-}" ] || kill -KILL "$daemon_pid" 2>/dev/null
}
start()
{
	: >"$log"
	"$gotgt" daemon --foreground --config "$conf" 2>"$log" &
	daemon_pid=$!
	tap_wait "$log" "logical units" || { cat "$log"; return 1; }
}

stop()
{
	kill -TERM "$daemon_pid"
	tap_join "$daemon_pid"
	stopped=$?
	daemon_pid=
	return $stopped
}

# The log of one reload alone.
reload() # TEXT that ends it
{
	: >"$log"
	kill -HUP "$daemon_pid"
	tap_wait "$log" "$1" || { cat "$log"; return 1; }
}

write()
{
	cat >"$conf"
}

write <<'END'
workers = 2;
portals = ( { name = "a"; address = "127.0.0.1"; port = 0; } );
targets = ( {
  iqn = "iqn.2016-09.com.example:one";
  luns = ( { number = 0; plugin = "null"; settings: { size = "1M"; }; } );
} );
END
check "--check: a good file" check_conf 0

echo 'workers = 2;' >"$tap_tmp/cut.conf"
cut_warns()
{
	"$gotgt" daemon --check --config "$tap_tmp/cut.conf" 2>&1 | grep -q 'cut.conf: it says nothing of targets'
}
check "--check: a file without targets is one to be warned of" cut_warns
check "--check: the example" "$gotgt" daemon --check --config "${srcdir:-.}/etc/gotgt.conf"

sed 's/^workers.*/workers = 0;/; s/size = "1M"/size = "big"; speed = 1/; s/plugin = "null"/plugin = "null"; colour = 1/' "$conf" >"$tap_tmp/bad"
cp "$conf" "$tap_tmp/good"
cp "$tap_tmp/bad" "$conf"
three_errors()
{
	check_conf 1 && grep -q "^$conf:1: workers: " "$tap_tmp/err" && grep -q "^$conf:5: .* colour: no such setting" "$tap_tmp/err"
}
check "--check: each error with its line" three_errors
sed 's/plugin = "null"/plugin = "null"; block-size = 4096; physical-block-size = 512/' "$tap_tmp/good" >"$conf"
geometry_error()
{
	check_conf 1 && grep -q "^$conf:5: .*physical-block-size: less than block-size" "$tap_tmp/err"
}
check "--check: sizes that do not fit" geometry_error
sed 's/size = "1M"/size = "big";\nspeed = 1/' "$tap_tmp/good" >"$conf"
plugin_errors()
{
	check_conf 1 && grep -q "^$conf:5: .*\"big\"" "$tap_tmp/err" && grep -q "^$conf:6: .*speed" "$tap_tmp/err"
}
check "--check: the plugin's own table" plugin_errors
broken_start()
{
	"$gotgt" daemon --config "$conf" >"$tap_tmp/out" 2>"$tap_tmp/err"
	[ $? -eq 1 ] && ! grep -q listening "$tap_tmp/err" && grep -q "^$conf:5: " "$tap_tmp/err"
}
check "a broken file starts nothing" broken_start
sed 's/"127.0.0.1"/"192.0.2.1"/' "$tap_tmp/good" >"$conf"
check "an address of others starts nothing" not "$gotgt" daemon --config "$conf"
check "no file" not "$gotgt" daemon --config "$tap_tmp/nonexistent"

cp "$tap_tmp/good" "$conf"
check "start" start
check "it says where it listens" said "portal 127.0.0.1:"
check "reload of the same file changes nothing" reload "nothing changed"
cp "$tap_tmp/bad" "$conf"
check "reload of a broken file" reload "everything stays as it was"
check "says what is wrong with it" said "$conf:1: workers"
write <<'END'
workers = 2;
portals = ( { name = "a"; address = "127.0.0.1"; port = 0; } );
targets = ( {
  iqn = "iqn.2016-09.com.example:one";
  luns = ( { number = 0; plugin = "null"; settings: { size = "2M"; }; serial = "7"; },
           { number = 1; plugin = "null"; } );
}, {
  iqn = "iqn.2016-09.com.example:two";
} );
END
check "reload of a changed file" reload "example:two: added"
check "adds a LUN" said "example:one lun 1: added"
check "replaces a LUN" said "example:one lun 0: closed"
sed -i 's/serial = "7"/serial = "8"/; s/^workers.*/workers = 3;/' "$conf"
check "reload of a serial number" reload "example:one lun 0: changed"
check "what needs a restart is said" said "workers: the change takes effect at the next start"
sed -i 's/plugin = "null"; }/plugin = "nonsense"; }/' "$conf"
check "reload with a plugin that is not there" reload "everything stays as it was"
cp "$tap_tmp/good" "$conf"
check "reload that removes" reload "example:two: removed"
check "removes a LUN" said "example:one lun 1: removed"
check "stop" stop

# A LUN that does not open is left out, and the others work.
sed 's/luns = (/luns = ( { number = 5; plugin = "nonsense"; },/' "$tap_tmp/good" >"$conf"
check "--check: a plugin that is not there" not "$gotgt" daemon --check --config "$conf"
check "start without one of the LUNs" start
check "says which" said "lun 5: plugin nonsense: no nonsense.so"
check "serves the other" said "1 targets, 1 logical units"
check "reload tries it again and changes nothing" reload "nothing changed"
sed -i 's/nonsense/null/' "$conf"
check "reload when it is there" reload "lun 5: added"
check "stop again" stop

truncate -s 1M "$tap_tmp/disk.img"
sed "s,plugin = \"null\"; settings: .*; }; },plugin = \"file\"; settings: { path = \"$tap_tmp/disk.img\"; }; }," \
	"$tap_tmp/good" >"$conf"
check "start with a file" start
truncate -s 3M "$tap_tmp/disk.img"
check "reload sees that the file has grown" reload "example:one lun 0: it has 6144 blocks now, and had 2048"
truncate -s 2M "$tap_tmp/disk.img"
check "and that it was cut, which is a warning" reload "gotgt: warn: target iqn.2016-09.com.example:one lun 0: it has 4096 blocks now, and had 6144"
check "stop once more" stop

mkfifo "$tap_tmp/fifo"
from_pipe() # of which nothing is read but by who reads all
{
	cat "$tap_tmp/good" >"$tap_tmp/fifo" &
	: >"$log"
	"$gotgt" daemon --foreground --config "$tap_tmp/fifo" 2>"$log" &
	daemon_pid=$!
	tap_wait "$log" "1 targets" || { cat "$log"; return 1; }
	stop
}
check "a file that is a pipe" from_pipe

if command -v systemd-analyze >/dev/null && systemd-analyze --version | grep -qE '^systemd (2[5-9]|[3-9])'; then
	sed "s,^Exec.*=.*gotgt daemon.*,ExecStart=/bin/true," "$G_TEST_BUILDDIR/../etc/gotgt.service" >"$tap_tmp/gotgt.service"
	quiet_verify() {
		SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "$tap_tmp/gotgt.service" 2>&1 | grep -F gotgt.service: >"$tap_tmp/verify"
		cat "$tap_tmp/verify"
		[ ! -s "$tap_tmp/verify" ]
	}
	check "the unit is one" quiet_verify
else
	tap_skip "the unit is one" "no systemd-analyze"
fi
tap_end
