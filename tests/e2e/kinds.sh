#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each verb with each kind: for people and for programs, with good and with bad input.
. "${srcdir:-.}/tests/tap.sh"
tap_not_tsan
. "${srcdir:-.}/tests/e2e/ask.sh"

one=iqn.2016-09.com.example:one
gone=iqn.2016-09.com.example:gone

# What is printed is JSON, of which EXPRESSION (python's, of d) is true.
is_json() # EXPRESSION
{
	if command -v python3 >/dev/null; then
		python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); sys.exit(not eval(sys.argv[2]))' \
			"$tap_tmp/out" "$1" || { cat "$tap_tmp/out"; return 1; }
	else
		# Without: it is an object or a list, at least.
		grep -q '^[[{]' "$tap_tmp/out"
	fi
}

prints_json() # EXPRESSION ARGUMENT...
{
	expression=$1
	shift
	run 0 "$@" --json && is_json "$expression"
}

says_no_more()
{
	run 0 "$@" && [ ! -s "$tap_tmp/out" ]
}

# --help has each option that a test names, and does nothing else.
helps() # TEXT ARGUMENT...
{
	text=$1
	shift
	run 0 "$@" --help && out_has "$text" && out_has "^  gotgt $1 $2 "
}

for verb in list show create set rm; do
	# shellcheck disable=SC2046  # words
	check "no daemon: $verb" refused 3 "$tap_tmp/run/gotgt.sock" $verb target $(
		case $verb in list) ;; create) echo $one ;; set) echo $one --alias x ;; *) echo $one ;; esac)
done
check 'no daemon: save' refused 3 gotgt.sock save
check 'no daemon: log-level' refused 3 gotgt.sock log-level
check 'a host that is none' refused 2 'expected unix:PATH' list target --host here

cat >"$conf" <<END
portals = ( { name = "a"; address = "127.0.0.1"; port = 0; }, { name = "c"; address = "127.0.0.3"; port = 0; } );
targets = ( { iqn = "$one"; luns = ( { number = 0; plugin = "null"; settings: { size = "1M"; }; },
	{ number = 4; plugin = "null"; settings: { size = "1M"; }; } );
	acls = ( { } ); } );
END
printf '%s\n' a-secret-of-ours >"$tap_tmp/secret"
check 'start' start

# ---- what a configuration has ----

# For each: heading, how one is named and made; a setting, how it is shown; one that is wrong, and why; the key's option.
in_target="--target $one"
kind_is()
{
	kind=$1 where='' key=name force=''
	case $kind in
	target)
		heading='TARGET NAME +STATE +SESSIONS' name=iqn.2016-09.com.example:new make='--alias made'
		change='--alias text' changed='^alias: text$' member="d['alias'] == 'text'"
		wrong='--max-sessions 1000001' why='--max-sessions: expected a number from 0 to 1000000' force=yes ;;
	lu)
		heading='TARGET NAME +LUN +PLUGIN +STATE +SIZE' name=9 make='--plugin null --setting size=2M' key=number
		change='--vendor ours' changed='^vendor: ours$' member="d['vendor'] == 'ours' and d['number'] == 9"
		wrong='--block-size 100' why='--block-size: expected 512 or 4096' where=$in_target force=yes ;;
	portal)
		heading='NAME +ADDRESS +PORT +LISTENING' name=b make='--address 127.0.0.1 --port 0'
		change='--address 127.0.0.2' changed='^address: 127.0.0.2$' member="d['address'] == '127.0.0.2'"
		wrong='--port 65536' why='--port: expected a number from 0 to 65535' ;;
	port-group)
		heading='TARGET NAME +TAG +STATE +PORTALS' name=7 make='--portals c' where=$in_target key=tag
		change='--state standby' changed='^state: standby$' member="d['state'] == 'standby' and d['portals'] == ['c']"
		wrong='--state best' why='--state: expected active-optimized, ' ;;
	account)
		heading='TARGET NAME +USER +MUTUAL USER' name=joe make="--secret-from $tap_tmp/secret" where=$in_target key=user
		change="--mutual-user us --mutual-secret-from -" changed='^mutual-user: us$' member="d['mutual-user'] == 'us'"
		wrong='--mutual-user=' why='--mutual-user: is empty' ;;
	acl)
		heading='TARGET NAME +PLACE +INITIATORS +ADDRESSES +PORTALS +READ-ONLY +LUNS' name=1 make='--portals a'
		where=$in_target key=place
		change='--luns 0,1:4:read-only' changed='^luns\[1\].lun: 4$' member="[l['lun'] for l in d['luns']] == [0, 4]"
		wrong='--luns 0,1:x' why='--luns: "1:x": lun: expected a number from 0 to 16383' ;;
	esac
	new=$name
	[ $kind != acl ] || new=''
}

made_twice()
{
	case $kind in
	# They have no names: there is one more.
	acl) says_no_more create $kind $where $make && says_no_more rm $kind 2 $where ;;
	*) refused 5 'there is one already' create $kind $new $where $make ;;
	esac
}

nameless()
{
	case $kind in
	portal) refused 1 'address: is required' create $kind ;;
	acl) refused 2 'unexpected argument "1"' create $kind 1 $where ;;
	*) refused 2 "--$key is missing" create $kind $where $make ;;
	esac
}

forced()
{
	if [ "$force" ]; then
		says_no_more rm $kind $name $where --force
	else
		refused 2 --force rm $kind $name $where --force && says_no_more rm $kind $name $where
	fi
}

# Lists of words: they are split where they are used.
# shellcheck disable=SC2086,SC2046
try_kind()
{
	kind_is $1
	check "list $kind" run 0 list $kind
	check "list $kind: its heading" out_has "^$heading *$"
	check "list $kind --json" prints_json 'isinstance(d, list)' list $kind
	check "list $kind: no argument" refused 2 'unexpected argument "x"' list $kind x
	check "create $kind without a name" nameless
	check "create $kind, a wrong value" refused 2 "$why" create $kind $new $where $make $wrong
	check "create $kind, no such setting" refused 2 --nonsense create $kind $new $where $make --nonsense 1
	check "show $kind before it is there" refused 4 'there is no' show $kind $name $where
	check "set $kind before it is there" refused 4 'there is no' set $kind $name $where ${change%% --mutual-s*}
	check "rm $kind before it is there" refused 4 'there is no' rm $kind $name $where
	check "create $kind" says_no_more create $kind $new $where $make
	check "create $kind again" made_twice
	check "list $kind has it" run 0 list $kind
	check "list $kind: there it is" out_has "(^| )$name +"
	check "list $kind --json has it" prints_json "'$name' in [str(v) for r in d for v in r.values()]" list $kind
	check "show $kind" run 0 show $kind $name $where
	check "show $kind by --$key" run 0 show $kind --$key $name $where
	check "show $kind by both" refused 2 'unexpected argument' show $kind $name --$key $name $where
	check "show $kind without a name" refused 2 "--$key is missing" show $kind $where
	check "set $kind" says_no_more set $kind $name $where $change <"$tap_tmp/mutual"
	check "show $kind after it" run 0 show $kind $name $where
	check "show $kind: it has changed" out_has "$changed"
	check "show $kind --json" prints_json "$member" show $kind $name $where
	check "set $kind --json" prints_json "isinstance(d, dict) and $member" set $kind $name $where $change <"$tap_tmp/mutual"
	check "set $kind, a wrong value" refused 2 "$why" set $kind $name $where $wrong
	check "set $kind, no such setting" refused 2 --nonsense set $kind $name $where --nonsense 1
	check "set $kind, nothing" refused 2 'no setting is given' set $kind $name $where
	check "set $kind without a name" refused 2 "--$key is missing" set $kind $where $change
	# A plugin's settings are its own matter.
	[ $kind = lu ] || check "set $kind --unset nonsense" refused 2 '--unset nonsense: no such setting' \
		set $kind $name $where --unset nonsense
	check "rm $kind without a name" refused 2 "--$key is missing" rm $kind $where
	check "rm $kind, two of them" refused 2 'unexpected argument "x"' rm $kind $name x $where
	check "rm $kind" forced
	check "rm $kind again" refused 4 'there is no' rm $kind $name $where
	check "create $kind --json" prints_json 'isinstance(d, dict)' create $kind $new $where $make
	check "rm $kind by --$key" says_no_more rm $kind --$key $name $where
	check "create $kind --help" helps "${make%%[ =]*}" create $kind
	check "set $kind --help" helps "${change%%[ =]*}" set $kind
	check "rm $kind --help" helps "--$key=" rm $kind
	check "show $kind --help" helps "--json" show $kind
	check "list $kind --help" helps "--host" list $kind
	[ "$where" ] || return
	for verb in show set rm create; do
		check "$verb $kind without a target" refused 2 '--target is missing' $verb $kind $(
			case $verb in create) echo $new $make ;; set) echo $name $wrong ;; *) echo $name ;; esac)
		check "$verb $kind of a target that is not there" refused 4 "there is no target $gone" $verb $kind --target $gone $(
			case $verb in create) echo $new $make ;; set) echo $name ${change%% --mutual-s*} ;; *) echo $name ;; esac)
	done
}

printf '%s\n' another-one-of-ours >"$tap_tmp/mutual"
for k in target lu portal port-group account acl; do
	try_kind $k
done

# ---- lists within an object ----

luns_are() # LIST
{
	run 0 list acl && out_has "^$one +0 .* $1$"
}
check 'an ACL shows all' luns_are -
check 'LUNs of an ACL' says_no_more set acl 0 --target $one --luns '0, 1:4:read-only'
check 'are shown as they are said' luns_are 0:0,1:4:read-only
check 'by the names of settings' says_no_more set acl 0 --target $one --luns lun=4:number=2:read-only=no,0
check 'as well' luns_are 2:4,0:0
check 'a wrong word of one' refused 2 '--luns: "0:0:x": read-only: expected yes or no' set acl 0 --target $one --luns 0:0:x
check 'a word too many' refused 2 '--luns: "0:0:no:1": unexpected "1"' set acl 0 --target $one --luns 0:0:no:1
check 'no such setting of one' refused 2 '--luns: "0:colour=1": unexpected "colour=1"' set acl 0 --target $one --luns 0:colour=1
check 'a number that is missing' refused 2 '--luns: "lun=4": number is missing' set acl 0 --target $one --luns lun=4
check 'an empty one' refused 2 '--luns: "": number is missing' set acl 0 --target $one --luns 0,
check 'a LUN that is not there' refused 1 "acl 0 luns[1].lun: the target has no lun 7" set acl 0 --target $one --luns 0,1:7
check 'a number twice' refused 1 "acl 0 luns[1].number: a second one" set acl 0 --target $one --luns 0,0:4
check 'a LUN twice' refused 1 "acl 0 luns[1].lun: there is a number already" set acl 0 --target $one --luns 0,1:0
check 'nothing of that is done' luns_are 2:4,0:0
check 'none is all' says_no_more set acl 0 --target $one --luns ''
check 'and shown so' luns_are -
check 'or by --unset' says_no_more set acl 0 --target $one --luns 4
check 'as it was' luns_are 4:4
check 'not any more' says_no_more set acl 0 --target $one --unset luns
check 'is all' luns_are -
check 'a name that is none' refused 1 'acl 0 initiators: "a b": ' set acl 0 --target $one --initiators 'a b'
check 'no names at all' refused 1 'initiators: is empty' set acl 0 --target $one --initiators ''

# ---- what runs ----

for kind in session plugin; do
	for verb in create set rm; do
		[ "$verb $kind" != 'rm session' ] || continue
		check "$verb $kind" refused 2 "not for $kind, only for target, " $verb $kind x
	done
done
for verb in list show create set rm; do
	check "$verb nothing" refused 2 "expected target, lu, " $verb
	check "$verb nonsense" refused 2 'no kind "nonsense": expected target, lu, ' $verb nonsense
	check "$verb --help" run 0 $verb --help
	check "$verb --help: its kinds" out_has "KIND is target, lu, "
done
check 'list plugin' run 0 list plugin
check 'list plugin: its heading' out_has '^NAME +VERSION +DESCRIPTION$'
check 'list plugin --json' prints_json "'null' in [p['name'] for p in d]" list plugin
check 'show plugin' run 0 show plugin null
check 'show plugin: its settings' out_has '^settings\[0\].name: size$'
check 'show plugin --json' prints_json "d['name'] == 'null' and d['settings'][0]['name'] == 'size'" show plugin --name null
check 'show plugin without a name' refused 2 '--name is missing' show plugin
check 'show a plugin that is not there' refused 4 'there is no plugin nul' show plugin nul
check 'list session' run 0 list session
check 'list session: its heading' out_has '^TSIH +TARGET NAME +INITIATOR +PEER +CONNECTIONS +COMMANDS$'
check 'list session --json' prints_json 'd == []' list session
check 'show session without a name' refused 2 '--tsih is missing' show session
check 'show a session that is not there' refused 4 'there is no session 9' show session 9
check 'show a session that cannot be' refused 4 'there is no session x' show session x
check 'rm session without a name' refused 2 '--tsih is missing' rm session
check 'rm a session that is not there' refused 4 'there is no session 9' rm session 9

# Refused, when somebody is logged in, is what would end it, with who it is; not what would not.
in_use()
{
	check 'list session has it' prints_json "len(d) == 1 and d[0]['target'] == '$one'" list session
	tsih=$("$gotgt" list session | awk 'NR == 2 { print $1 }')
	who=$("$gotgt" list session | awk 'NR == 2 { print $3 }')
	check 'show session' run 0 show session "$tsih"
	check 'show session: who it is' out_has "^initiator: $who$"
	check 'show session --json' prints_json "d['tsih'] == $tsih" show session --tsih "$tsih"
	check 'list target counts it' run 0 list target
	check 'in the columns of gotgt in Go' out_has "^$one +online +1$"
	check 'rm target in use' refused 5 "target $one: in use by $who (127.0.0.1:" rm target --name $one
	check 'says what ends that' err_has '); force ends that'
	check 'rm lu in use' refused 5 "target $one lun 0: in use by $who (" rm lu 0 --target $one
	check 'set lu in use, another device' refused 5 "target $one lun 4: in use by $who (" set lu 4 --target $one --setting size=3M
	check 'set lu in use, the same one' says_no_more set lu 4 --target $one --alignment-offset 0
	check 'set target in use' says_no_more set target $one --alias used
	check 'create lu in use' says_no_more create lu 5 --target $one --plugin null
	check 'nothing has ended' run 0 show session "$tsih"
	check 'rm lu in use --force' says_no_more rm lu 5 --target $one --force
	check 'rm session' says_no_more rm session "$tsih"
	check 'show it again' refused 4 "there is no session $tsih" show session "$tsih"
}
if hold $one; then
	in_use
	let_go
else
	tap_skip 'what is in use' 'no qemu-io with iSCSI'
fi

# ---- of the whole ----

check 'log-level --json' prints_json "d['log-level'] == 'info' and not any(d['domains'].values())" log-level
check 'log-level, a wrong one' refused 1 'log-level: expected error, warn, info or debug' log-level loud
check 'log-level, a domain that is none' refused 1 'expected daemon, control, ' log-level disks=info
check 'save --json' prints_json "d['path'].endswith('/kept.conf')" save kept.conf
check 'save elsewhere' refused 1 'name: expected the name of a file' save ../kept.conf
check 'apply without a file' refused 2 'FILE is missing' apply
check 'apply a file that is not there' refused 1 "$tap_tmp/none" apply "$tap_tmp/none"
check 'apply --json' prints_json "[c['op'] for c in d['changes']] == []" apply --json --dry-run "$tap_tmp/kept.conf"
for command in apply save log-level; do
	check "$command --help" run 0 $command --help
	check "$command --help: its options" out_has '--json'
	check "$command, an unknown option" refused 2 --nonsense $command --nonsense
done
check 'stop' stop
tap_end
