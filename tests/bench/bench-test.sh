#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The measuring tools measure: every kind of load runs against the yardstick and against us, and its row adds up.
. "${srcdir:-.}/tests/tap.sh"
bench=${G_TEST_BUILDDIR:-$PWD/tests}/bench
iqn=iqn.2026-11.org.example:bench

: >"$tap_tmp/port"
: >"$tap_tmp/out"
: >"$tap_tmp/port2"
: >"$tap_tmp/out2"
"$bench/limit" >"$tap_tmp/port" & limit=$!
"$gotgt" serve -n "$iqn" -p 127.0.0.1:0 null:,size=64M null:,size=64M \
	>"$tap_tmp/out" 2>&1 & us=$!
tap_cleanup() { kill "$limit" "$us" 2>/dev/null; wait "$limit" "$us" 2>/dev/null; }
tap_wait "$tap_tmp/out" iscsi:// || cat "$tap_tmp/out" >&2
tap_wait "$tap_tmp/port" ""
at_limit=127.0.0.1:$(cat "$tap_tmp/port")
at_us=$(grep -o '127\.0\.0\.1:[0-9]*' "$tap_tmp/out" | head -1)

# Twelve columns, a rate, and that many bytes a second.
row() # PID ADDRESS blast-options
{
	pid=$1 at=$2
	shift 2
	"$bench/blast" -t 0.3 -p "$pid" "$@" "$at" "$iqn" 0 >"$tap_tmp/row" || return 1
	cat "$tap_tmp/row"
	awk -F'\t' 'NF != 12 || $6 <= 0 || $12 > 101 || $8 > $9 || $9 > $10 || $11 !~ /^[0-9.]+$/ { exit 1 }
		{ mib = $3 / 1048576; d = $6 * mib - $7; exit d > 0.1 + mib || d < -0.1 - mib }' "$tap_tmp/row"
}

for of in "limit $limit $at_limit" "gotgt $us $at_us"; do
	set -- $of
	check "$1: small reads" row "$2" "$3" -q 32
	check "$1: small writes" row "$2" "$3" -w write -q 32
	check "$1: a mix in two sessions" row "$2" "$3" -w mix -c 2 -q 4
	check "$1: large reads" row "$2" "$3" -s -b 1048576 -q 4
	check "$1: large writes, more than the first burst" row "$2" "$3" -s -w write -b 524288 -q 4
done
check 'gotgt: reads beside 20 idle sessions' row "$us" "$at_us" -i 20
check 'gotgt: reads of any of two LUNs' row "$us" "$at_us" -L 2
check 'gotgt: a mix with SYNCHRONIZE CACHE after 4 writes' row "$us" "$at_us" -w mix -y 4
check 'gotgt: reads with digests' row "$us" "$at_us" --header-digest --data-digest
check 'gotgt: writes with digests' row "$us" "$at_us" --header-digest --data-digest -w write -b 8192
check 'gotgt: writes of 1 MiB with digests' row "$us" "$at_us" --header-digest --data-digest -s -w write -b 1048576 -q 8

# Reads return what was written last; and the yardstick, which throws away what it is given, is found out.
dd if=/dev/zero of="$tap_tmp/image" bs=1M count=64 status=none
cp "$tap_tmp/image" "$tap_tmp/mapped"
cp "$tap_tmp/image" "$tap_tmp/file"
cp "$tap_tmp/image" "$tap_tmp/direct"
# Not every file system knows O_DIRECT.
direct=,direct=yes
dd if="$tap_tmp/direct" of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null || direct=
"$bench/limit" "$tap_tmp/image" >"$tap_tmp/port2" & mapped=$!
"$gotgt" serve -n "$iqn" -p 127.0.0.1:0 "file:$tap_tmp/file" "mmap:$tap_tmp/mapped" "file:$tap_tmp/direct$direct" \
	>"$tap_tmp/out2" 2>&1 & data=$!
tap_cleanup() { kill "$limit" "$us" "$mapped" "$data" 2>/dev/null; wait "$limit" "$us" "$mapped" "$data" 2>/dev/null; }
tap_wait "$tap_tmp/out2" iscsi:// || cat "$tap_tmp/out2" >&2
tap_wait "$tap_tmp/port2" ""
at_mapped=127.0.0.1:$(cat "$tap_tmp/port2")
at_data=$(grep -o '127\.0\.0\.1:[0-9]*' "$tap_tmp/out2" | head -1)
verified() # ADDRESS LUN blast-options
{
	at=$1 lun=$2
	shift 2
	"$bench/blast" -t 0.3 -v -w mix "$@" "$at" "$iqn" "$lun" >"$tap_tmp/row" || return 1
	# A slow machine has read too little to have met what it wrote.
	for longer in 3 20; do
		awk -F'\t' '$13 < 1 { exit 1 }' "$tap_tmp/row" ||
			"$bench/blast" -v -w mix "$@" -t $longer "$at" "$iqn" "$lun" >"$tap_tmp/row" || return 1
	done
	awk -F'\t' 'NF != 13 || $13 < 1 { print; exit 1 }' "$tap_tmp/row"
}
check 'limit with a file: what is read was written' verified "$at_mapped" 0 -q 32
for lun in 0 1 2; do
	check "LUN $lun: small, at once" verified "$at_data" $lun -q 32
	check "LUN $lun: large, with R2T, two sessions" verified "$at_data" $lun -q 8 -c 2 -b 524288 -t 1
	# Each block tells its address: the digest of another one's data would be wrong.
	for bytes in 4096 12288 131072 1048576; do
		check "LUN $lun: with digests, of $bytes bytes" verified "$at_data" $lun -q 16 -b $bytes --header-digest --data-digest
	done
	check "LUN $lun: 128 KiB, over and over" verified "$at_data" $lun -s -q 8 -b 131072 -t 1
	check "LUN $lun: more than a ring has room for" verified "$at_data" $lun -q 100 -c 4
done
check 'data that was not written is found' tap_exits 1 "$bench/blast" -t 0.3 -v -w mix "$at_limit" "$iqn" 0
check 'and what for' grep -q 'wrong data at byte' "$tap_tmp/err"
check 'a LUN that is not there is an error' tap_exits 1 "$bench/blast" -t 1 "$at_us" "$iqn" 9
check 'nor one of several' tap_exits 1 "$bench/blast" -t 1 -L 3 "$at_us" "$iqn" 0
check 'a target that is not there is an error' tap_exits 1 "$bench/blast" -t 1 "$at_us" iqn.2026-11.org.example:none 0
check 'wrong arguments are' tap_exits 2 "$bench/blast" -q -1 "$at_us" "$iqn" 0

if [ -n "${E2E_QUICK-}" ]; then
	tap_skip 'the script' 'E2E_QUICK is set'
	tap_end
fi
# The script: each of these lists gives a row for us, with its aim, and leaves nothing behind.
mkdir "$tap_tmp/scratch"
rows() # LIST LABEL [WORKLOAD]
{
	TMPDIR=$tap_tmp/scratch BUILD=${G_TEST_BUILDDIR:-$PWD/tests}/.. sh "${srcdir:-.}/tests/bench/bench.sh" -q -r 1 -t 0.2 \
		-s 16M -l "$1" -w 4k-randread-qd32 -o "$tap_tmp/report" || return 1
	grep -Eq "^${3:-4k-randread-qd32} +$2 .*(reached|not: )" "$tap_tmp/report/report.txt" &&
		! find "$tap_tmp/scratch" -mindepth 1 | grep .
}
refused() { BUILD=${G_TEST_BUILDDIR:-$PWD/tests}/.. tap_exits 2 sh "${srcdir:-.}/tests/bench/bench.sh" -q -o "$tap_tmp/none" "$@"; }
for wrong in '-l nosuch' '-w nosuch' '-r 0' '-t abc' '-s 1x' '-T bad'; do
	check "bench.sh $wrong is wrong" refused $wrong
done
check 'and nothing was begun' [ ! -e "$tap_tmp/none/report.txt" ]
check 'the list null' rows null null
check 'the list mmap' rows mmap mmap
check 'the list digests' rows digests digests
for disk in null mmap file; do
	check "and beside none of $disk" grep -q "beside none: $disk" "$tap_tmp/report/report.txt"
done
check 'the list poll' rows poll polls
check 'and who sleeps at once is judged by its CPU' grep -Eq '^4k-randread-qd32 +sleeps .*(CPU reached|not: CPU)' \
	"$tap_tmp/report/report.txt"

# What cannot be measured is left out and named, with the reason, and the rest goes on.
mkdir -p "$tap_tmp/stubs" "$tap_tmp/halt/tests/bench"
printf '#!/bin/sh\necho 1000\n' >"$tap_tmp/stubs/id"
printf '#!/bin/sh\necho Run completed in 1.000 seconds.\n' >"$tap_tmp/stubs/qemu-img"
printf '#!/bin/sh\nexit 1\n' | tee "$tap_tmp/stubs/tgtd" "$tap_tmp/stubs/tgtadm" "$tap_tmp/stubs/nbdkit" >"$tap_tmp/halt/tests/bench/limit"
chmod +x "$tap_tmp/stubs"/* "$tap_tmp/halt/tests/bench/limit"
ln -s "$bench/blast" "$tap_tmp/halt/tests/bench/blast"
ln -s "${G_TEST_BUILDDIR:-$PWD/tests}/../core" "${G_TEST_BUILDDIR:-$PWD/tests}/../plugins" "$tap_tmp/halt"
without()
{
	PATH=$tap_tmp/stubs:$PATH TMPDIR=$tap_tmp/scratch BUILD=$tap_tmp/halt sh "${srcdir:-.}/tests/bench/bench.sh" -r 1 -t 0.2 \
		-s 16M -l qemu -o "$tap_tmp/without"
}
check 'the list qemu, where limit does not start' without
check 'says so' grep -q '^# limit: not measured: it did not start' "$tap_tmp/without/report.txt"
check 'and why tgtd is not there' grep -q '^# tgtd: not measured: only root' "$tap_tmp/without/report.txt"
check 'and nbdkit' grep -q '^# nbdkit: not measured: it did not start' "$tap_tmp/without/report.txt"
check 'goes on' grep -Eq '^4k-read-qd32 +file ' "$tap_tmp/without/report.txt"
check 'and calls nothing reached beside nothing' [ "$(grep -Ec 'reached|not: ' "$tap_tmp/without/report.txt")" = 0 ]
if command -v fio >/dev/null; then
	check 'the list sync' rows sync file 4k-mix-qd32
else
	tap_skip 'the list sync' 'fio is not installed'
fi
if command -v qemu-img >/dev/null; then
	check 'the list qemu' rows qemu file 4k-read-qd32
	check 'and what it is beside' grep -q '^4k-read-qd32 *limit' "$tap_tmp/report/report.txt"
else
	tap_skip 'the list qemu' 'qemu-img is not installed'
	tap_skip 'and what it is beside' 'qemu-img is not installed'
fi
tap_end
