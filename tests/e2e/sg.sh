#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sg3_utils against `gotgt serve`: each page and report is fetched and decoded, and a decoder that complains has failed.
# sg-iscsi.c takes the place of a kernel's initiator.
. "${srcdir:-.}/tests/tap.sh"
tap_need "${CC:-cc}" sg_vpd sg_inq sg_modes sg_opcodes sg_luns
export tap_tmp
if ! "${CC:-cc}" -Wall -Wextra -fPIC -shared -o "$tap_tmp/sg-iscsi.so" "${srcdir:-.}/tests/e2e/sg-iscsi.c" -liscsi -ldl \
	>"$tap_tmp/cc" 2>&1; then
	if grep -q 'iscsi/iscsi.h' "$tap_tmp/cc" || grep -q 'find -liscsi' "$tap_tmp/cc"; then
		echo '1..0 # SKIP libiscsi is not installed for development'
		exit 0
	fi
	cat "$tap_tmp/cc" >&2
	exit 1
fi

# What runs inside: one line a decoder, PASS or FAIL; three LUNs in turn.  A tool that decodes says nothing on standard
# error, ends with 0, and has no word of these in what it prints.
export script='
words="malformed|too short|truncated|unexpected|corrupt|bad |illegal|sanity|exceeds"
sg() {
	LD_PRELOAD=$tap_tmp/sg-iscsi.so "$@" >$tap_tmp/sg.out 2>$tap_tmp/sg.err
}
decode() { # LUN COMMAND...
	what=$1
	shift
	sg "$@" "$uri"
	status=$?
	if [ $status -eq 0 ] && [ -s $tap_tmp/sg.out ] && [ ! -s $tap_tmp/sg.err ] &&
		! grep -qiE "$words" $tap_tmp/sg.out; then
		echo "PASS $what: $*"
	else
		echo "FAIL $what: $* (exit $status)"
		grep -iE "$words" $tap_tmp/sg.out | head -3 | sed "s/^/# /"
		head -3 $tap_tmp/sg.err | sed "s/^/# /"
	fi
}
supported() { # OPCODE[,SERVICE-ACTION]
	sg sg_opcodes --opcode=$1 "$uri" && grep -q "Command is supported" $tap_tmp/sg.out
}
pages() {
	decode "$1" sg_inq
	decode "$1" sg_inq --descriptors
	decode "$1" sg_vpd --all
	sg sg_vpd --page=0 --hex "$uri"
	for page in $(sed -n "s/^ *00  *[0-9a-f][0-9a-f] 00 00 [0-9a-f][0-9a-f]//p; s/^ [1-9a-f]0 //p" $tap_tmp/sg.out |
		sed "s/   .*//"); do
		decode "$1" sg_vpd --page=0x$page
		decode "$1" sg_vpd --page=0x$page --long
	done
	for control in 0 1 2 3; do
		decode "$1" sg_modes --control=$control --page=0x3f,0xff
	done
	decode "$1" sg_modes --six --all
}
commands() {
	decode "$1" sg_opcodes
	decode "$1" sg_opcodes --rctd
	cp $tap_tmp/sg.out $tap_tmp/opcodes
	sed -n "s/^ \([0-9a-f][0-9a-f]\)  *\([0-9a-f]*\)  *[0-9][0-9]*  *- .*/0x\1,\2/p" $tap_tmp/opcodes | sed "s/,\$//; s/,/,0x/" \
		>$tap_tmp/list
	while read -r op; do
		decode "$1" sg_opcodes --opcode=$op
		grep -q "Command is supported" $tap_tmp/sg.out || echo "FAIL $1: $op is in the list and not supported"
	done <$tap_tmp/list
	[ "$(wc -l <$tap_tmp/list)" -gt 30 ] || echo "FAIL $1: a short list of commands"
	decode "$1" sg_opcodes --tmf
}
reports() {
	for select in 0 1 2 0x12; do
		decode "$1" sg_luns --select=$select
	done
	decode "$1" sg_readcap
	decode "$1" sg_readcap --16
	decode "$1" sg_senddiag --test
	decode "$1" sg_senddiag --list
	decode "$1" sg_get_lba_status
	! supported 0x5e,0 || for report in read-keys read-reservation report-capabilities read-full-status; do
		decode "$1" sg_persist --in --$report
	done
	! supported 0xa3,0x0a || decode "$1" sg_rtpg --decode
	! supported 0x84,0x03 || decode "$1" sg_copy_results --params
}
set -- $uris
for lun in plain removable read-only; do
	uri=$1
	pages $lun
	commands $lun
	reports $lun
	shift
done
set -- $uris
uri=${1%/0}/49409	# C101h
for select in 0 2 0x10 0x11 0x12; do
	decode well-known sg_luns --select=$select
done
for tool in sg_inq "sg_vpd --all"; do
	decode well-known $tool
done
'
timeout 300 "$gotgt" serve "file:$tap_tmp/a.img,size=64M,create=yes" \
	"file:$tap_tmp/b.img,size=64M,create=yes,removable=yes,physical-block-size=4096" \
	null:,size=64M,read-only=yes,block-size=4096 --portal 127.0.0.1:0 --portal 127.0.0.1:0 \
	--state-dir "$tap_tmp/state" --run "$script" >"$tap_tmp/out" 2>"$tap_tmp/err"
while read -r result name; do
	case $result in
	PASS) tap_ok "$name" ;;
	FAIL) tap_not_ok "$name" ;;
	*) echo "$result $name" ;;
	esac
done <"$tap_tmp/out"
check "the server lived through it" grep -q "PASS read-only" "$tap_tmp/out"
check "and had nothing to say" test ! -s "$tap_tmp/err"
tap_end
