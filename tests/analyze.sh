#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make analyze: gcc -fanalyzer, clang-tidy (.clang-tidy) and cppcheck over sources; what they find is printed, and is an
# error.  An exception stands at its line, or at the one before, and says why: NOLINT(check): ..., NOLINTNEXTLINE(check): ...
#
#   analyze.sh FOLDER FLAGS SOURCE...     FOLDER for what the tools say; FLAGS: a file with those of the compiler
set -u
export LC_ALL=C out=$1 flags=$2
shift 2
limit_s=300	# for a file, by one of them
# States of a function that clang looks at; what is rarely found takes most of the time.
export nodes=${ANALYZE_NODES:-225000}
jobs=$(nproc 2>/dev/null || echo 2)
export limit_s
mkdir -p "$out"
for tool in gcc clang-tidy cppcheck; do
	command -v $tool >/dev/null || { echo "make analyze: $tool is not installed" >&2; exit 1; }
done

# each NAME COMMAND: by the shell for every source, which is $0; several at a time.
each() # NAME COMMAND
{
	name=$1 command=$2
	shift 2
	printf '%s\n' "$@" | xargs -P "$jobs" -n 1 sh -c "$command || echo \"\$0:1:1: error: $name failed, or took too long\"" \
		>"$out/$name.log" 2>&1
}

# What is left of FILE:LINE:COLUMN: SEVERITY: TEXT [CHECK] without exceptions.
left() # LOG
{
	awk '
	function excused(file, line, check,   text, before, n, marked) {
		for (n = 1; n <= line && (getline text < file) > 0; n++) {
			marked = text ~ /NOLINT\(/ || before ~ /NOLINTNEXTLINE\(/
			if (n == line)
				break
			before = text
		}
		close(file)
		return n == line && marked && check != "" && index(before "\n" text, check)
	}
	{ sub(/^.*\/\.\.\//, "../") }	# clang-tidy has it from the root on
	/^[^ :]+:[0-9]+:[0-9]+: (warning|error|portability|performance): / && !seen[$0]++ {
		split($0, at, ":")
		check = ""
		if (match($0, /\[[^]\[]+\]$/))
			check = substr($0, RSTART + 1, RLENGTH - 2)
		sub(/^-W/, "", check)
		if (!excused(at[1], at[2] + 0, check))
			print
	}' "$1"
}

each gcc 'timeout $limit_s gcc @"$flags" -O0 -g0 -fanalyzer -c -o /dev/null "$0"' "$@"
# It reads no flags from a file itself.
each clang-tidy 'eval "timeout $limit_s clang-tidy --quiet \"\$0\" -- $(cat "$flags") \
	-Xclang -analyzer-config -Xclang max-nodes=$nodes 2>/dev/null"' "$@"
# GLib's macros that its table of GLib lacks.  Flags are words.
# shellcheck disable=SC2046
timeout $((limit_s * 5)) cppcheck --quiet -j "$jobs" --std=c11 --enable=warning,performance,portability --library=gtk,posix \
	-DHAVE_CONFIG_H '-DG_DEFINE_QUARK(name, function)=GQuark function(void)' \
	$(tr ' ' '\n' <"$flags" | grep '^-I[^/]' | tr '\n' ' ') "$@" >"$out/cppcheck.log" 2>&1 ||
	echo "$1:1:1: error: cppcheck failed, or took too long" >>"$out/cppcheck.log"

status=0
for name in gcc clang-tidy cppcheck; do
	left "$out/$name.log" >"$out/$name.left"
	sed "s/^/$name: /" "$out/$name.left"
	[ ! -s "$out/$name.left" ] || status=1
done
[ $status -eq 0 ] || echo "make analyze: more of each is in $out" >&2
exit $status
