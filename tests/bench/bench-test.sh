#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The measuring tools measure: every kind of load runs against the yardstick and against us, and its row adds up.
. "${srcdir:-.}/tests/tap.sh"
bench=${G_TEST_BUILDDIR:-$PWD/tests}/bench
iqn=iqn.2026-11.org.example:bench

"$bench/limit" >"$tap_tmp/port" & limit=$!
"$gotgt" serve -n "$iqn" -p 127.0.0.1:0 null:,size=64M >"$tap_tmp/out" 2>&1 & us=$!
tap_cleanup() { kill "$limit" "$us" 2>/dev/null; wait "$limit" "$us" 2>/dev/null; }
tap_wait "$tap_tmp/out" iscsi:// || cat "$tap_tmp/out" >&2
tap_wait "$tap_tmp/port" "[0-9]"
at_limit=127.0.0.1:$(cat "$tap_tmp/port")
at_us=$(grep -o '127\.0\.0\.1:[0-9]*' "$tap_tmp/out" | head -1)

# Eleven columns, a rate, and that many bytes a second.
row() # PID ADDRESS blast-options
{
	pid=$1 at=$2
	shift 2
	"$bench/blast" -t 1 -p "$pid" "$@" "$at" "$iqn" 0 >"$tap_tmp/row" || return 1
	cat "$tap_tmp/row"
	awk -F'\t' 'NF != 11 || $6 <= 0 || $8 > $9 || $9 > $10 || $11 !~ /^[0-9.]+$/ { exit 1 }
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
check 'gotgt: reads with digests' row "$us" "$at_us" --header-digest --data-digest
check 'gotgt: writes with digests' row "$us" "$at_us" --header-digest --data-digest -w write -b 8192
check 'a LUN that is not there is an error' tap_exits 1 "$bench/blast" -t 1 "$at_us" "$iqn" 9
check 'a target that is not there is an error' tap_exits 1 "$bench/blast" -t 1 "$at_us" iqn.2026-11.org.example:none 0
check 'wrong arguments are' tap_exits 2 "$bench/blast" -q 0 "$at_us" "$iqn" 0
tap_end
