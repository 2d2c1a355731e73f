#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# libiscsi's conformance suite, under a time limit, each suite of it by one process, and by their own those tests that do not
# pass there, over logical units of six kinds: a thin one, one with large physical blocks, a read-only one, a removable
# one, one reached by two paths, and a small fully provisioned one, which is for WRITE SAME alone.  The tool counts a test
# that skips itself as passed; here a skip must be one of those foreseen below, and every test must pass somewhere.
. "${srcdir:-.}/tests/tap.sh"
tap_need iscsi-test-cu iscsi-ls
tap_not_quick
export limit=${E2E_TEST_SECONDS:-60} tap_tmp
# Only tests whose names match, by grep: for work on some of them.
export only=${E2E_TESTS:-.}

# kind | plugin | settings of the LUN | options of serve
kinds='thin|file||
thin-mmap|mmap||
thin-direct|file|,direct=yes|
physical|file|,physical-block-size=4096|
readonly|file||--read-only
removable|file|,removable=yes|
paths|file||--portal 127.0.0.1:0
full|file|,thin=no|--size 16M'

# What may skip itself: tests | kinds | why.  Patterns of the shell, separated by spaces.
cat >"$tap_tmp/skips" <<'TABLE'
PreventAllow.* StartStopUnit.Simple|thin* physical readonly paths|it is not removable
NoMedia.*|thin* physical readonly paths|it is not removable
ReadOnly.*|thin* physical removable paths|it can be written
MultipathIO.*|thin* physical readonly removable|there is one path
*.UnmapUnaligned *.InvalidDataOutSize|thin* removable paths|its physical blocks are no larger than the logical ones
*.Unmap* Unmap.* *.InvalidDataOutSize Inquiry.BlockLimits|readonly|nothing of it can be unmapped
Sanitize.CryptoErase* Sanitize.Readonly Sanitize.Reservations|*|nothing is encrypted: there is no key to forget
WriteSame1?.ZeroBlocks|thin* physical readonly removable paths|zero blocks are none: WSNZ is 1
*.Unmap* *.InvalidDataOutSize|full|nothing of it can be unmapped
TABLE

# What cannot pass, in the same form; tests/README.md has more.
cat >"$tap_tmp/cannot" <<'TABLE'
iSCSITMF.LUNResetSimpleAsync|*|the test waits for the answer to a command that it has had aborted
GetLBAStatus.UnmapSingle|physical|the test unmaps less than a physical block, and wants it unmapped
ProutReserve.Access*|readonly|the holder of a reservation writes
WriteVerify1?.Dpo|readonly|the test writes, though it is told not to
TABLE

# What passes on no kind, in the same form.
cat >"$tap_tmp/nowhere" <<'TABLE'
iSCSITMF.LUNResetSimpleAsync|*|the test waits for the answer to a command that it has had aborted
Sanitize.CryptoErase* Sanitize.Readonly Sanitize.Reservations|*|nothing is encrypted: there is no key to forget
TABLE

# One line a test: PASS, SKIP or FAIL, its name, and why.  The tool says FAILED of commands that are to fail, too.
cat >"$tap_tmp/suite" <<'SUITE'
second=
if [ "$kind" = paths ]; then
	second=$(iscsi-ls "iscsi://$portal" | sed -n 's/.*Portal:\(.*\),[0-9]*$/\1/p' | grep -vxF "$portal" | head -1)
	[ -n "$second" ] || { echo "FAIL second-path none is found"; exit 1; }
	second=iscsi://$second/$iqn/0
fi
out=$tap_tmp/$kind.cu

run() # SECONDS TEST OPTION
{
	# Without -d the tool writes nothing: of a read-only unit only some tests are for that.
	case $kind,$2 in
	readonly,ReadOnly* | readonly,Pr[io]*) may=-d ;;
	readonly,*) may= ;;
	*) may="-d -S" ;;
	esac
	case $2 in Sanitize | Sanitize.Reset) more=90 ;; *) more=0 ;; esac	# that sleeps for a minute itself
	timeout -k 5 $(($1 + more)) iscsi-test-cu $may -f $3 -t ALL.$2 $uri $second >$out 2>&1
}

alone() # TEST
{
	run $limit $1 -n
	status=$?
	skips=$(sed -n "/\[SKIPPED\]/{s/.*\[SKIPPED\]//;s/#//g;p;q;}" $out)
	if [ $status -ne 0 ]; then
		grep FAILED $out | head -5 | sed "s/^/# /"
		echo "FAIL $1 exit $status"
	elif [ -n "$skips" ]; then
		echo "SKIP $1 $skips"
	else
		echo "PASS $1"
	fi
}

# Of those a suite has, if all of it is wanted, by one process.  AGAIN: it did not pass.  False: it did not come to its end.
together() # SUITE COUNT
{
	[ $2 = "$(grep -c "^$1\." $tap_tmp/all)" ] || return
	run $((2 * limit)) $1 -v
	awk -v suite=$1 -v count=$2 -v status=$? '
		function tell() {
			if (!test) return
			failed += !passed
			lines = lines (!passed ? "AGAIN " : why == "" ? "PASS " : "SKIP ") suite "." test (passed ? why : "") "\n"
		}
		/^  Test: / { tell(); test = $2; why = ""; passed = 0; n++ }
		/^passed|[.][.][.]passed/ { passed = 1 }
		/\[SKIPPED\]/ && why == "" { why = $0; sub(/.*\[SKIPPED\]/, "", why); gsub(/#/, "", why); why = why == "" ? " no reason" : why }
		/^Run Summary/ { whole = 1; tell(); test = "" }
		END { if (!whole || n != count || (status == 0) != (failed == 0)) exit 1; printf "%s", lines }' $out
}

cut -d. -f1 $tap_tmp/$kind.tests | uniq -c | while read -r count suite; do
	lines=$tap_tmp/$kind.lines
	if ! together $suite $count >$lines; then
		echo "# $kind $suite: each alone"
		sed -n "s/^\($suite\.\)/AGAIN \1/p" $tap_tmp/$kind.tests >$lines
	fi
	grep -v ^AGAIN $lines
	for t in $(sed -n "s/^AGAIN //p" $lines); do
		alone $t
	done
done
SUITE

iscsi-test-cu -l 2>/dev/null | sed -n 's/^ALL\.\([^.]*\.[^.]*\)$/\1/p' >"$tap_tmp/all"
grep "$only" "$tap_tmp/all" >"$tap_tmp/tests"

# The tests of a kind.
of_kind()
{
	case $1 in full) grep '^WriteSame' "$tap_tmp/tests" ;; *) cat "$tap_tmp/tests" ;; esac
}

# Does one of the patterns fit?
matches()
(
	set -f
	for pattern in $2; do
		# shellcheck disable=SC2254
		case $1 in $pattern) return 0 ;; esac
	done
	return 1
)

# The reason a table gives for a test on a kind, or nothing.
reason()
{
	while IFS='|' read -r tests kinds why; do
		if matches "$2" "$tests" && matches "$3" "$kinds"; then
			echo "$why"
			return
		fi
	done <"$tap_tmp/$1"
}

run_kind()
{
	IFS='|' read -r kind plugin settings options <<-ROW
	$1
	ROW
	export kind
	of_kind "$kind" >"$tap_tmp/$kind.tests"
	[ "$kind" = full ] || truncate -s 100M "$tap_tmp/$kind.img"
	# shellcheck disable=SC2086
	"$gotgt" serve "$plugin:$tap_tmp/$kind.img$settings" --size 100M --portal 127.0.0.1:0 $options \
		--run '. "$tap_tmp/suite"' >"$tap_tmp/$kind.out" 2>"$tap_tmp/$kind.err"
}

tell()
{
	if [ ! -s "$tap_tmp/$1.out" ] && grep -q 'direct is not possible' "$tap_tmp/$1.err"; then
		tap_skip "$1" "the file system knows no O_DIRECT"
		return
	fi
	while read -r result name why; do
		foreseen=
		case $result in
		SKIP)
			foreseen=$(reason skips "$name" "$1")
			case $1,$why in readonly,*dataloss* | readonly,*sanitize*) foreseen="it writes" ;; esac
			;;
		FAIL) foreseen=$(reason cannot "$name" "$1") ;;
		esac
		case $result$foreseen in
		PASS) tap_ok "$1 $name" ;;
		SKIP | FAIL) tap_not_ok "$1 $name ($result: $why)" ;;
		SKIP* | FAIL*) tap_skip "$1 $name" "$foreseen" ;;
		*) echo "# $name $why" ;;
		esac
	done <"$tap_tmp/$1.out"
	check "$1: the server lived through it" test "$(grep -c '^[PSF]' "$tap_tmp/$1.out")" = "$(wc -l <"$tap_tmp/$1.tests")"
}

# All at once: they wait more than they work, one of the tests for a minute.
rows=$kinds
while [ -n "$rows" ]; do
	row=${rows%%"
"*}
	rows=${rows#"$row"}
	rows=${rows#"
"}
	run_kind "$row" &
done
wait
for kind in $(echo "$kinds" | cut -d'|' -f1); do
	tell "$kind"
done
while read -r name; do
	why=$(reason nowhere "$name" all)
	if [ -n "$why" ]; then
		tap_skip "$name passes somewhere" "$why"
	else
		check "$name passes somewhere" grep -hqx "PASS $name" "$tap_tmp"/*.out
	fi
done <"$tap_tmp/tests"
tap_end
