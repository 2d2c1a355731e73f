#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# libiscsi's conformance suite, each test alone under a time limit, over a file and an mmap LUN.  A test of a command that is
# not there skips itself.
. "${srcdir:-.}/tests/tap.sh"
tap_need iscsi-test-cu
if [ -n "${E2E_QUICK:-}" ]; then
	echo '1..0 # SKIP E2E_QUICK is set'
	exit 0
fi
export limit=${E2E_TEST_SECONDS:-60}

# Tests no target can pass; the reasons are in tests/README.md.
export cannot=" iSCSITMF.LUNResetSimpleAsync "

# One line a test: PASS, SKIP or FAIL and its name.  The tool says FAILED of commands that are to fail, too.
export suite='
for t in $(iscsi-test-cu -l 2>/dev/null | sed -n "s/^ALL\.\([^.]*\.[^.]*\)$/\1/p"); do
	case $cannot in *" $t "*) continue ;; esac
	# It sleeps for a minute itself.
	case $t in Sanitize.Reset) more=90 ;; *) more=0 ;; esac
	timeout -k 5 $((limit + more)) iscsi-test-cu -d -S -f -n -t ALL.$t $uri >$tap_tmp/cu.out 2>&1
	status=$?
	skips=$(grep "\[SKIPPED\]" $tap_tmp/cu.out | head -1 | tr -d "#")
	if [ $status -ne 0 ]; then
		grep FAILED $tap_tmp/cu.out | head -5 | sed "s/^/# /"
		echo "FAIL $t exit $status"
	elif [ -n "$skips" ]; then
		echo "SKIP $t ${skips#*]}"
	else
		echo "PASS $t"
	fi
done'
export tap_tmp

for plugin in ${E2E_PLUGINS:-file mmap}; do
	"$gotgt" serve "$plugin:$tap_tmp/$plugin.img" --size 100M --portal 127.0.0.1:0 --run "$suite" \
		>"$tap_tmp/$plugin.out" 2>"$tap_tmp/$plugin.err"
	while read -r result name why; do
		case $result in
		PASS) tap_ok "$plugin $name" ;;
		SKIP) tap_skip "$plugin $name" "${why:-not for this LUN}" ;;
		FAIL) tap_not_ok "$plugin $name ($why)" ;;
		*) echo "# $name $why" ;;
		esac
	done <"$tap_tmp/$plugin.out"
	check "$plugin: the server lived through it" grep -q PASS "$tap_tmp/$plugin.out"
done
tap_end
