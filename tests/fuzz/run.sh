#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh CORPUS NEW-CORPUS SECONDS FUZZER... - each for SECONDS, from what CORPUS has of it ("": from nothing); what it finds
# new is kept in NEW-CORPUS/NAME, an input that breaks something in ./NAME-crash-* and the like.  Fails when there was one.
set -u

here=$(dirname "$0")
corpus=$1 new=$2 seconds=$3
shift 3
bad=0
for fuzzer; do
	name=${fuzzer##*/fuzz-}
	mkdir -p "$new/$name"
	dict=
	[ ! -e "$here/$name.dict" ] || dict=-dict=$here/$name.dict
	seeds=
	[ ! -d "$corpus/$name" ] || seeds=$corpus/$name
	echo "== $name, $seconds s"
	if ! "$fuzzer" -max_total_time="$seconds" -timeout=30 -rss_limit_mb=3000 -max_len=65536 -print_final_stats=1 \
		-entropic_scale_per_exec_time=1 -artifact_prefix="$name-" $dict "$new/$name" $seeds >"$new/$name.log" 2>&1; then
		bad=1
		echo "$name: found something:"
		grep -aE 'ERROR|SUMMARY|Test unit written|runtime error' "$new/$name.log"
	fi
	grep -aE '^stat::|cov:' "$new/$name.log" | tail -n 8
done
exit $bad
