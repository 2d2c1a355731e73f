#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# list, show, create, set, rm, apply, save and log-level against a running daemon.
. "${srcdir:-.}/tests/tap.sh"
tap_not_tsan
. "${srcdir:-.}/tests/e2e/ask.sh"

one=iqn.2016-09.com.example:one
two=iqn.2016-09.com.example:two

check 'no daemon' run 3 list target
cat >"$conf" <<END
portals = ( { name = "a"; address = "127.0.0.1"; port = 0; } );
targets = ( { iqn = "$one"; open = true; luns = ( { number = 0; plugin = "null"; settings: { size = "1M"; }; } ); } );
END
check 'start' start

check 'list target' run 0 list target
check 'has the columns of gotgt in Go' out_has "^TARGET NAME {16,}STATE {15}SESSIONS$"
check 'and the target' out_has "^$one +ready +0$"
check 'create target' run 0 create target --name $two --alias second
check 'create target without a name' run 2 create target
check 'create it again' run 5 create target --name $two
check 'says why' err_has "there is one already"
check 'list one of two' run 0 list target --name $two
check 'is the one' not out_has $one
check 'list one that is not there' refused 4 'there is no target' list target --name $one.x
check 'list as JSON' run 0 list target --json
check 'is JSON' out_has '"iqn" : "iqn.2016-09.com.example:two"'
check 'show target' run 0 show target $two
check 'has its alias' out_has '^alias: second$'
check 'set target' run 0 set target $two --unset alias --iscsi-time2wait 9 --explicit-alua yes
check 'show it as JSON' run 0 show target --name $two --json
check 'has what was set' out_has '"time2wait" : 9'
check 'and not what was unset' not out_has second
check 'a wrong value' run 2 set target $two --explicit-alua perhaps
check 'a wrong name' run 2 create target disk
check 'names the field' err_has 'iqn: an iSCSI name starts with'

check 'create lu under no number' run 2 create lu x --target $two --plugin null
check 'create lu' run 0 create lu 3 --target $two --plugin null --setting size=2M --read-only yes --block-size 4096
check 'list lu' run 0 list lu
check 'shows its size' out_has "^$two +3 +null +online +2097152$"
check 'of one target' run 0 list lu --target $one
check 'without the other' not out_has $two
for kind in lu account acl port-group; do
	check "list $kind of a target that is not there" refused 4 "there is no target $one.x" list $kind --target $one.x
	check "as JSON" refused 4 "there is no target $one.x" list $kind --target $one.x --json
done
check 'list what a target has none of' run 0 list port-group --target $one
check 'is the heading' test "$(wc -l <"$tap_tmp/out")" -eq 1
check 'of discovery' run 0 list account --target discovery
check 'set lu' run 0 set lu 3 --target $two --setting size=3M
check 'show lu' run 0 show lu --target $two --number 3
check 'has the new size' out_has '^settings.size: 3M$'
check 'and what was not changed' out_has '^block-size: 4096$'
check 'a setting the plugin does not have' run 1 set lu 3 --target $two --setting speed=1
check 'a target is needed' run 2 rm lu 3
check 'rm lu' run 0 rm lu 3 --target $two
check 'rm it again' run 4 rm lu 3 --target $two

check 'create portal' run 0 create portal b --address 127.0.0.1 --port 0
check 'list portal' run 0 list portal
check 'has both' out_has '^b +127.0.0.1 +0 +127.0.0.1:[1-9]'
check 'create portal without an address' refused 2 '--address is missing' create portal d
check 'create portal ADDRESS:PORT' run 0 create portal 127.0.0.4:0
check 'list portal' run 0 list portal
check 'has that address' out_has '^- +127.0.0.4 +0 +127.0.0.4:[1-9]'
check 'create portal ADDRESS, with a port' run 0 create portal 127.0.0.5 --port 0
check 'list portal' run 0 list portal
check 'has that, too' out_has '^- +127.0.0.5 +0 +127.0.0.5:[1-9]'
check 'create port-group' run 0 create port-group 7 --target $two --portals b --state standby
check 'list port-group' run 0 list port-group
check 'has it' out_has "^$two +7 +standby +b$"
check 'a portal that is needed' run 1 rm portal b
check 'rm port-group' run 0 rm port-group 7 --target $two
check 'set portal' run 0 set portal b --address 127.0.0.2
check 'show portal' run 0 show portal b
check 'has the new address' out_has '^address: 127.0.0.2$'
check 'rm portal' run 0 rm portal b

echo a-secret-of-ours >"$tap_tmp/secret"
check 'create account' run 0 create account joe --target $two --secret-from "$tap_tmp/secret"
secret_in()
{
	echo another-of-ours | "$gotgt" set account joe --target $two --secret-from -
}
check 'set account, the secret from standard input' secret_in
check 'list account' run 0 list account
check 'has him' out_has "^$two +joe +-$"
check 'show account' run 0 show account joe --target $two
check 'without his secret' not out_has ours
check 'a secret is no argument' run 2 set account joe --target $two --secret xxxxxxxxxxxxxxxx

check 'create acl' run 0 create acl --target $two --initiators 'iqn.2016-09.com.example:*,eui.?' --read-only yes
check 'list acl' run 0 list acl
check 'has it' out_has "^$two +0 +iqn.2016-09.com.example:\*,eui.\? +- +- +true +-$"
check 'set acl' run 0 set acl 0 --target $two --addresses 127.0.0.0/8
check 'show acl' run 0 show acl 0 --target $two
check 'has the addresses' out_has '^addresses: 127.0.0.0/8$'
check 'rm acl' run 0 rm acl 0 --target $two
check 'rm it again' run 4 rm acl 0 --target $two

check 'list plugin' run 0 list plugin
check 'has null' out_has '^null '
check 'list session' run 0 list session
check 'rm a session that is not there' run 4 rm session 1
check 'log-level' run 0 log-level
check 'is info' out_has '^info$'
check 'log-level debug' run 0 log-level debug
check 'a level that is none' run 1 log-level loud
check 'log-level info' run 0 --host "$GOTGT_HOST" log-level info
check 'log-level of domains' run 0 log-level warn iscsi=debug plugin:file=error
check 'log-level' run 0 log-level
check 'tells what all have, and those of their own' out_is 'warn|iscsi=debug|plugin:file=error|'
check 'log-level --json' run 0 log-level --json
check 'tells all domains' out_has '"engine" : null'
check 'a domain that is none' run 1 log-level disks=info
check 'says which there are' err_has 'expected daemon, control, '
check 'a level that is none for a domain' run 1 log-level scsi=loud
check 'log-level info iscsi=default plugin:file=default' run 0 log-level info iscsi=default plugin:file=default
check 'log-level' run 0 log-level
check 'is info alone' out_is 'info|'

check 'save to another file' run 0 save other.conf
other_is_good()
{
	"$gotgt" daemon --check --config "$tap_tmp/other.conf" && grep -q another-of-ours "$tap_tmp/other.conf" &&
		[ "$(stat -c %a "$tap_tmp/other.conf")" = 600 ]
}
check 'which is a configuration of mode 600' other_is_good
check 'save elsewhere is refused' run 1 save ../other.conf
check 'apply what runs' run 0 apply "$tap_tmp/other.conf"
check 'changes nothing' test ! -s "$tap_tmp/out"
check 'apply --dry-run' run 0 apply --dry-run "$conf"
check 'tells what would go' out_has "^- targets/$two$"
check 'and changes nothing' run 0 show target $two
check 'apply' run 0 apply "$conf"
check 'which removes it' run 4 show target $two
check 'an account is back with its secret' run 0 apply "$tap_tmp/other.conf"
cat >"$tap_tmp/bad.conf" <<END
portals = ( { name = "a"; address = "127.0.0.1"; port = 0; } );
targets = ( { iqn = "$one"; luns = ( { number = 0; plugin = "file"; settings: { path = "/nonexistent/x"; }; } ); } );
END
check 'apply what does not open' run 1 apply "$tap_tmp/bad.conf"
check 'says which' err_has "$one lun 0"
check 'changes nothing' run 0 show target $two
: >"$tap_tmp/empty.conf"
check 'apply an empty file' run 1 apply "$tap_tmp/empty.conf"
check 'says what is missing' err_has 'targets: is missing, and there are'
check 'nor is that a plan' run 1 apply --dry-run "$tap_tmp/empty.conf"
check 'and ends nothing' run 0 show target $two
echo '{"portals": [' >"$tap_tmp/bad.json"
check 'apply JSON that is cut off' run 1 apply "$tap_tmp/bad.json"
cat >"$tap_tmp/good.json" <<END
{ "portals": [ { "name": "a", "address": "127.0.0.1", "port": 0 } ], "targets": [ { "iqn": "$two" } ] }
END
check 'apply JSON' run 0 apply "$tap_tmp/good.json"
check 'removes the other' run 4 show target $one
check 'rm target' run 0 rm target --name $two
check 'list without targets' run 0 list target
check 'has the heading' test "$(wc -l <"$tap_tmp/out")" -eq 1

# In use: a client that waits until it has been tried.
check 'apply a target' run 0 apply "$conf"
if hold $one; then
	check 'a session is listed' run 0 list session
	check 'with its target' out_has "$one"
	check 'rm target in use' run 5 rm target --name $one
	check 'says by whom' err_has 'in use by iqn.'
	check 'rm lu in use' run 5 rm lu 0 --target $one
	check 'rm target --force' run 0 rm target --name $one --force
	let_go
else
	tap_skip 'a target in use' 'no qemu-io with iSCSI'
fi

# Killed at any moment of a save, the file is the old or the new one.
check 'stop' stop
cp "$tap_tmp/other.conf" "$conf"
killed()
{
	round=0
	while [ $round -lt 12 ]; do
		start || return 1
		"$gotgt" create target iqn.2016-09.com.example:round$round || return 1
		"$gotgt" save 2>/dev/null &
		saving=$!
		# The later the round, the more of the save there has been.
		i=0
		while [ $i -lt $((round * 400)) ]; do i=$((i + 1)); done
		kill -KILL "$daemon_pid"
		wait "$daemon_pid"
		wait "$saving"
		"$gotgt" daemon --check --config "$conf" && grep -q "$two" "$conf" || { cat "$conf"; return 1; }
		round=$((round + 1))
	done
}
check 'killed while it saves' killed
check 'start after that' start

for verb in list show create set rm; do
	check "$verb --help" run 0 $verb --help
	check "$verb alone" run 2 $verb
	check "$verb nonsense" run 2 $verb nonsense
done
check 'stop' stop
tap_end
