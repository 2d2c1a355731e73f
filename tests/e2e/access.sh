#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Who is admitted, with a real client: by the configuration, by a reload, by gotgt serve.
. "${srcdir:-.}/tests/tap.sh"
tap_need iscsi-inq iscsi-ls
export LC_ALL=C
me=iqn.2010-01.org.example:me
iqn=iqn.2016-09.com.example:access
daemon_pid=
tap_cleanup()
{
	[ -z "$daemon_pid" ] || kill -KILL "$daemon_pid" 2>/dev/null
}

write() # SETTINGS of the target
{
	cat >"$tap_tmp/conf" <<END
portals = ( { name = "a"; address = "127.0.0.1"; port = 0; } );
targets = ( { iqn = "$iqn"; $1
	luns = ( { number = 0; plugin = "null"; settings: { size = "1M"; }; }, { number = 1; plugin = "null"; settings: { size = "2M"; }; } ); } );
END
}

reload() # SETTINGS
{
	write "$1"
	: >"$tap_tmp/log"
	kill -HUP "$daemon_pid"
	tap_wait "$tap_tmp/log" ": changed"
}

inq() # LUN
{
	iscsi-inq -i "$me" "iscsi://$portal/$iqn/$1"
}

not()
{
	! "$@"
}

listed()
{
	iscsi-ls -i "$me" "iscsi://$portal/" | grep -q "$iqn"
}

write ""
: >"$tap_tmp/log"	# tap_wait wants it there
"$gotgt" daemon --config "$tap_tmp/conf" 2>"$tap_tmp/log" &
daemon_pid=$!
tap_wait "$tap_tmp/log" '1 targets'
portal=$(sed -n 's/.*portal \(127[.0-9]*:[0-9]*\): listening.*/\1/p' "$tap_tmp/log")
check "it says that nobody may log in" grep -q "nobody may log in" "$tap_tmp/log"
check "without a word of whom it is for, nobody" not inq 0
check "and nobody is told of it" not listed
check "open" reload "open = true;"
check "admits" inq 0
check "and is told of" listed
check "by name" reload 'acls = ( { initiators = [ "iqn.2010-01.org.example:*" ]; luns = ( { number = 0; lun = 1; } ); } );'
check "admits who is named" inq 0
check "to what it may see" not inq 1
check "of another name" reload 'acls = ( { initiators = [ "iqn.2011-*" ]; } );'
check "does not admit others" not inq 0
check "by address" reload 'acls = ( { addresses = [ "127.0.0.0/8" ]; } );'
check "admits from there" inq 1
check "of other addresses" reload 'acls = ( { addresses = [ "10.0.0.0/8", "::/0" ]; } );'
check "does not admit from elsewhere" not inq 0
kill -TERM "$daemon_pid"
check "it ends" tap_join "$daemon_pid"
daemon_pid=

# shellcheck disable=SC2016
serve_inq() # OPTION...
{
	"$gotgt" serve -p 127.0.0.1:0 "$@" --run 'iscsi-inq -i iqn.2010-01.org.example:me $uri' null:
}
check "gotgt serve --allow: the address" serve_inq --allow 127.0.0.1
check "gotgt serve --allow: one of two" serve_inq --allow 10.0.0.0/8 --allow "$me"
check "gotgt serve --allow: others" not serve_inq --allow 'iqn.2011-*'
check "gotgt serve on loopback is open" serve_inq
tap_end
