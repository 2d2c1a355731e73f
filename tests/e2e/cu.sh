#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# libiscsi's conformance suite, each test alone under a time limit, in each configuration below; and each test must pass
# in one of them.
. "${srcdir:-.}/tests/tap.sh"
tap_need iscsi-test-cu iscsi-ls
if [ -n "${E2E_QUICK:-}" ]; then
	echo '1..0 # SKIP E2E_QUICK is set'
	exit 0
fi
export limit=${E2E_TEST_SECONDS:-60}
export tap_tmp

# Tests no target can pass; the reasons are in tests/README.md.
export cannot=" iSCSITMF.LUNResetSimpleAsync "
# Tests that skip a step, or all, over every LUN; likewise.
skipped=" Sanitize.CryptoErase Sanitize.CryptoEraseReserved Sanitize.Readonly Sanitize.Reservations WriteSame10.ZeroBlocks
 WriteSame16.ZeroBlocks "

# One line a test: PASS, SKIP or FAIL and its name.  The tool says FAILED of commands that are to fail, too.
# Without -d the tool writes nothing, and reserves nothing: on a read-only unit only some may try.
export suite='
set -- "$uri"
if [ "$config" = multipath ]; then
	other=$(iscsi-ls iscsi://$portal | sed -n "s/^Target:.*Portal:\([^,]*\),.*/\1/p" | grep -vxF "$portal" | head -1)
	set -- "$uri" "iscsi://$other/$iqn/0"
fi
for t in $(iscsi-test-cu -l 2>/dev/null | sed -n "s/^ALL\.\([^.]*\.[^.]*\)$/\1/p"); do
	case $cannot in *" $t "*) continue ;; esac
	case $config,$t in
	read-only,ProutReserve.Access*|read-only,WriteVerify1[026].Dpo|512e,GetLBAStatus.UnmapSingle)
		echo "SKIP $t cannot pass with this LUN: see tests/README.md"
		continue ;;
	read-only,ReadOnly*|read-only,Pr[io]*) may=-d ;;
	read-only,*) may= ;;
	*) may="-d -S" ;;
	esac
	# It sleeps for a minute itself.
	case $t in Sanitize.Reset) more=90 ;; *) more=0 ;; esac
	timeout -k 5 $((limit + more)) iscsi-test-cu $may -f -n -t ALL.$t "$@" >$tap_tmp/cu.out 2>&1
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

# CONFIG LUN-ARGUMENTS [OPTION...]
run()
{
	config=$1 lun=$2
	export config
	shift 2
	truncate -s 100M "$tap_tmp/$config.img"
	timeout 3600 "$gotgt" serve "${lun%%,*}:$tap_tmp/$config.img,${lun#*,}" --portal 127.0.0.1:0 "$@" --run "$suite" \
		>"$tap_tmp/$config.out" 2>"$tap_tmp/$config.err"
	while read -r result name why; do
		case $result in
		PASS)
			tap_ok "$config $name"
			echo "$name" >>"$tap_tmp/passed"
			;;
		SKIP) tap_skip "$config $name" "${why:-not for this LUN}" ;;
		FAIL) tap_not_ok "$config $name ($why)" ;;
		*) echo "# $name $why" ;;
		esac
	done <"$tap_tmp/$config.out"
	check "$config: the server lived through it" grep -q PASS "$tap_tmp/$config.out"
	rm -f "$tap_tmp/$config.img"
}

for config in ${E2E_CONFIGS:-thin 512e read-only removable multipath mmap}; do
	case $config in
	thin) run thin file,physical-block-size=512 ;;
	512e) run 512e file,physical-block-size=4096 ;;
	read-only) run read-only file,read-only=yes ;;
	removable) run removable file,removable=yes ;;
	multipath) run multipath file,thin=yes --portal 127.0.0.1:0 ;;
	mmap) run mmap mmap,thin=yes ;;
	esac
done

# The tool's list, less what passed somewhere.
sort -u "$tap_tmp/passed" >"$tap_tmp/all-passed"
for t in $([ -n "${E2E_CONFIGS:-}" ] || iscsi-test-cu -l 2>/dev/null | sed -n "s/^ALL\.\([^.]*\.[^.]*\)$/\1/p"); do
	case $cannot$(echo $skipped " ") in *" $t "*) continue ;; esac
	check "$t passes in one of the configurations" grep -qx "$t" "$tap_tmp/all-passed"
done
tap_end
