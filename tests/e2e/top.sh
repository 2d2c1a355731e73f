#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a daemon has counted, while somebody reads: gotgt stats and gotgt top, in batches and on a terminal.
. "${srcdir:-.}/tests/tap.sh"
tap_not_tsan
. "${srcdir:-.}/tests/e2e/ask.sh"

one=iqn.2016-09.com.example:one
two=iqn.2016-09.com.example:two

check 'stats: no daemon' refused 3 gotgt.sock stats
check 'top: no daemon' refused 3 gotgt.sock top
cat >"$conf" <<END
portals = ( { name = "a"; address = "127.0.0.1"; port = 0; } );
targets = ( { iqn = "$one"; open = true; luns = ( { number = 0; plugin = "null"; settings: { size = "64M"; }; },
	{ number = 14; plugin = "null"; } ); }, { iqn = "$two"; open = true; luns = ( { number = 14; plugin = "null"; } ); } );
END
check 'start' start

# ---- wrong usage ----

check 'stats: an argument' refused 2 'unexpected argument "x"' stats x
check 'stats: an unknown option' refused 2 --nonsense stats --nonsense
check 'stats: a number that is none' refused 2 '--lun: expected a number from 0 to 16383' stats --lun x
check 'stats: a target that is not there' refused 4 'there is no target nobody' stats --target nobody
check 'stats: a LUN that is not there' refused 4 'there is no lu 3' stats --lun 3
check 'stats: a LUN that another target has' refused 4 'there is no lu 0' stats --lun 0 --target $two
check 'top: an argument' refused 2 'unexpected argument "x"' top x
check 'top: sorted by nothing' refused 2 '--sort: expected iops, bandwidth, latency, queue or name' top --sort x
check 'top: of something else' refused 2 '--of: expected lu or session' top --of target
check 'top: too often' refused 2 '--interval: expected seconds from 0.1 to 3600' top --interval 0
check 'top: no interval' refused 2 '--interval' top --interval nan
check 'top: less than none' refused 2 '--count: expected a number from 0' top --count -1
check 'top: a target that is not there' refused 4 'there is no target nobody' top -b --target nobody
for command in stats top; do
	check "$command --help" run 0 $command --help
	check "$command --help: its options" out_has '--target=IQN'
done

# ---- a table ----

row() # KIND NAME: its COMMANDS
{
	awk -v kind="$1" -v name="$2" '$1 == kind && $3 == name { print $4 }' "$tap_tmp/out"
}

each_kind()
{
	for kind in reactor portal target lu; do
		grep -q "^$kind " "$tap_tmp/out" || { echo "no $kind"; cat "$tap_tmp/out"; return 1; }
	done
}

check 'stats' run 0 stats
check 'stats: its heading' out_has '^KIND +TARGET NAME +NAME +COMMANDS +READS +READ +WRITES +WRITTEN +AVG +P99 +MAX +QUEUE '
check 'stats: of all' each_kind
check 'stats: of one target' run 0 stats --target $two
check 'stats: it alone' not out_has "reactor|portal|$one"
check 'stats: a LUN of all' run 0 stats --lun 14
check 'stats: of two' test "$(grep -c '^lu .* 14 ' "$tap_tmp/out")" -eq 2
check 'stats: nothing else' test "$(wc -l <"$tap_tmp/out")" -eq 3

is_json() # EXPRESSION
{
	python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); sys.exit(not eval(sys.argv[2]))' "$tap_tmp/out" "$1"
}
if command -v python3 >/dev/null; then
	check 'stats --json' run 0 stats --json
	check 'stats --json: all of it' is_json "len(d['targets']) == 2 and d['reactors'] and d['portals'] and d['sessions'] == []"
	check 'stats --json: no digits that nobody counted' not out_has '[ [][0-9]+[.][0-9]{4}'
	check 'stats --json of one LUN' run 0 stats --json --target $one --lun 14
	check 'stats --json: it alone' is_json \
		"[[l['lun'] for l in t['luns']] for t in d['targets']] == [[14]] and 'reactors' not in d and 'sessions' not in d"
else
	tap_skip 'stats --json' 'no python3'
fi

# ---- what is counted while it is looked at ----

counted()
{
	echo 'write 0 8k' >&8
	tap_wait "$tap_tmp/qemu" 'wrote 8192/8192' || return 1
	run 0 stats && [ "$(row lu 0)" -gt 2 ] && awk '$1 == "lu" && $3 == 0 && $2 == one && $8 == 8192 { n++ } END { exit !n }' \
		one=$one "$tap_tmp/out" && out_has "^session +$one .* iqn\.[^ ]+$"
}
# The second table has what happened since the first, and no more.
differs()
{
	run 0 top -b -n 1 -i 0.3 --sort name && out_has "^$one +0 +0 +0\.0 +0\.0 +- +- +0 +0$" || return 1
	: >"$tap_tmp/top"
	"$gotgt" top -b -i 0.3 --sort name >"$tap_tmp/top" 2>&1 &
	watching=$!
	# Once more where an interval was so long that it came to nothing.
	tap_wait "$tap_tmp/top" "$one" && for n in $(seq 100); do
		echo 'write 0 32k' >&8 && sleep 0.6 &&
			grep -Eq "^$one +0 +[1-9][0-9]* +0\.0 +0\.[1-9] +[0-9.]+(us|ms) +[0-9.]+(us|ms) +0 +0$" "$tap_tmp/top" && break
		[ "$n" -lt 100 ]
	done
	differed=$?
	kill "$watching"
	wait "$watching"
	cat "$tap_tmp/top"
	return $differed
}
if hold $one w; then
	check 'stats: what was written, and by whom' counted
	check 'stats --json' run 0 stats --json
	check 'with latencies' out_has '"max_us" : [0-9]+[.][0-9]+'
	check 'of thousandths, and no digits that nobody counted' not out_has '[ [][0-9]+[.][0-9]{4}'
	check 'top: what happens between two tables' differs
	check 'top: sessions' run 0 top -b -n 1 -i 0.1 --of session
	check 'top: by whom' out_has "^iqn\.[^ ]+ +$one +[1-9]"
	check 'top: of a target without any' run 0 top -b -n 1 -i 0.1 --of session --target $two
	check 'top: none' not out_has '^iqn'
	let_go
else
	tap_skip 'what is counted' 'no qemu-io with iSCSI'
fi

check 'top, into a pipe' run 0 top -n 2 -i 0.1
check 'top: two tables' test "$(grep -c '^TARGET NAME' "$tap_tmp/out")" -eq 2
check 'top: nothing for terminals' not out_has "$(printf '\033')"
# Who reads no further ends it, without a word.
quiet()
{
	"$gotgt" top -i 0.1 2>"$tap_tmp/err" | sed 1q | grep -q IOPS && [ ! -s "$tap_tmp/err" ]
}
check 'top: a reader who goes' quiet

if command -v python3 >/dev/null; then
	for what in keys redraws resizes signals stops counts dumb; do
		check "top on a terminal: $what" timeout 100 python3 "$srcdir/tests/e2e/top.py" "$gotgt" $what
	done
	check 'top on a terminal: the daemon goes' timeout 100 python3 "$srcdir/tests/e2e/top.py" "$gotgt" dies "$daemon_pid"
	tap_join "$daemon_pid"
else
	tap_skip 'top on a terminal' 'no python3'
	check 'stop' stop
fi
tap_end
