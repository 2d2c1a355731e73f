#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Many requests with O_DIRECT at once, which io_uring does not take, or takes in part, or does not do, or of which nobody is
# told: each is done all the same, and what is read is what was written.
. "${srcdir:-.}/tests/tap.sh"
build=${G_TEST_BUILDDIR:-$PWD/tests}
iqn=iqn.2026-11.org.example:ring
. "${srcdir:-.}/tests/crash/preload.sh"
if ! "$build/crash/has-uring"; then
	echo '1..0 # SKIP io_uring is not to be had'
	exit 0
fi
dd if=/dev/zero of="$tap_tmp/image" bs=1M count=16 status=none
if ! dd if="$tap_tmp/image" of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null; then
	echo '1..0 # SKIP the file system knows no O_DIRECT'
	exit 0
fi
us=
tap_cleanup() { [ -z "$us" ] || kill "$us" 2>/dev/null; }

# As long as it takes to have failed as often as it should.
load() # blast-options
{
	tries=0
	while [ -e "$tap_tmp/when" ]; do
		tries=$((tries + 1))
		[ $tries -le 40 ] || { echo '# it has not failed that often'; return 1; }
		"$build/bench/blast" -t 0.5 -v -w mix "$@" "$at" "$iqn" 0 >"$tap_tmp/row" || return 1
		cat "$tap_tmp/row"
	done
	awk -F'\t' 'NF != 13 || $13 < 1 { exit 1 }' "$tap_tmp/row"
}
verified() # FAIL blast-options
{
	what=$1
	shift
	: >"$tap_tmp/when"
	: >"$tap_tmp/out"
	LD_PRELOAD=$preload FAIL=$what FAIL_WHEN=$tap_tmp/when "$gotgt" serve -n "$iqn" -p 127.0.0.1:0 \
		"file:$tap_tmp/image,direct=yes" >"$tap_tmp/out" 2>&1 & us=$!
	tap_wait "$tap_tmp/out" iscsi:// || cat "$tap_tmp/out" >&2
	at=$(grep -o '127\.0\.0\.1:[0-9]*' "$tap_tmp/out" | head -1)
	load "$@"
	said=$?
	kill "$us"
	wait "$us" || said=$?
	us=
	cat "$tap_tmp/out"
	return $said
}
# The last one: more than the ring has room for is refused without a pause, and the next is asked for all the same.
for fail in 'uring 11 3 100' 'uring 12 1 50' 'uring 0 2 50' 'uring-io 9 5 100' 'uring-io 0 5 100' 'wake 12 2 20' 'uring 11 1 600'; do
	check "$fail: 32 at once" verified "$fail" -q 32
	check "$fail: in four sessions, of 16 KiB" verified "$fail" -q 16 -c 4 -b 16384
	check "$fail: more than is answered in a turn" verified "$fail" -q 32 -b 131072
done
tap_end
