#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# libiscsi's conformance suite, each test alone under a time limit, over a file and an mmap LUN.  A test of a command that is
# not there skips itself.
. "${srcdir:-.}/tests/tap.sh"
tap_need iscsi-test-cu
export limit=${E2E_TEST_SECONDS:-60}

# Tests no target can pass; the reasons are in tests/README.md.
export cannot=" iSCSITMF.LUNResetSimpleAsync "

# One line a test: PASS, SKIP or FAIL and its name.
export suite='
for t in $(iscsi-test-cu -l 2>/dev/null | sed -n "s/^ALL\.\([^.]*\.[^.]*\)$/\1/p"); do
	case $cannot in *" $t "*) continue ;; esac
	family=ALL
	timeout -k 5 $limit iscsi-test-cu -d -f -n -t "$family.$t" $uri >$tap_tmp/cu.out 2>&1
	status=$?
	if [ $status -eq 0 ] && grep -q "\[SKIPPED\]" $tap_tmp/cu.out; then
		echo "SKIP $t $(grep "\[SKIPPED\]" $tap_tmp/cu.out | head -1 | tr -d "#")"
	elif [ $status -eq 0 ] && ! grep -q "\[FAILED\]" $tap_tmp/cu.out; then
		echo "PASS $t"
	else
		echo "FAIL $t exit $status"
		grep -E "FAILED|failed" $tap_tmp/cu.out | head -5 | sed "s/^/# /"
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
		*) echo "$result $name $why" ;;
		esac
	done <"$tap_tmp/$plugin.out"
	check "$plugin: the server lived through it" grep -q PASS "$tap_tmp/$plugin.out"
done
tap_end
