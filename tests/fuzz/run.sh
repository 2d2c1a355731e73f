#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh CORPUS NEW-CORPUS SECONDS FUZZER... - each for SECONDS, from what CORPUS has of it; what it finds new is kept in
# NEW-CORPUS/NAME, an input that breaks something in ./crash-* and the like.  Fails when there was one.
set -u

corpus=$1 new=$2 seconds=$3
shift 3
bad=0
for fuzzer; do
	name=${fuzzer##*/fuzz-}
	mkdir -p "$new/$name"
	dict=
	[ ! -e "$corpus/../$name.dict" ] || dict=-dict=$corpus/../$name.dict
	echo "== $name, $seconds s"
	if ! "$fuzzer" -max_total_time="$seconds" -timeout=30 -rss_limit_mb=3000 -max_len=65536 -print_final_stats=1 \
		-artifact_prefix="$name-" $dict "$new/$name" "$corpus/$name" >"$new/$name.log" 2>&1; then
		bad=1
		echo "$name: found something:"
		grep -aE 'ERROR|SUMMARY|Test unit written|runtime error' "$new/$name.log"
	fi
	grep -aE '^stat::|cov:' "$new/$name.log" | tail -n 8
done
exit $bad
