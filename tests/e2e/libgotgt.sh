#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The example of libgotgt(3), unmodified, under unmodified clients; the symbols of the library.
. "${srcdir:-.}/tests/tap.sh"
build=${G_TEST_BUILDDIR:-$PWD/tests}/..
library=$build/core/.libs/libgotgt.so
header=${srcdir:-.}/include/gotgt/gotgt.h
pid=
tap_cleanup()
{
	[ -z "$pid" ] || kill "$pid" 2>/dev/null
}

# ---- what it exports ----

exports_what_it_declares()
{
	# In a build with a sanitizer the compiler exports a few for it.
	nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | grep -v '^__[a-z]*san_' |
		sort >"$tap_tmp/exported"
	sed -n 's/^GOTGT_EXPORT [^(]*\(gotgt_[a-z_]*\)(.*/\1/p' "$header" | sort >"$tap_tmp/declared"
	[ -s "$tap_tmp/declared" ] && diff "$tap_tmp/declared" "$tap_tmp/exported"
}

has_soname()
{
	readelf -d "$library" | grep -F 'Library soname: [libgotgt.so.0]'
}

if command -v nm >/dev/null && command -v readelf >/dev/null; then
	check "it exports what its header declares, and no more" exports_what_it_declares
	check "its soname" has_soname
else
	tap_skip "its symbols" "no binutils"
fi

# ---- the example ----

# start WRAPPER...: the example in the background, its standard input at descriptor 3, its URL in $url.
start()
{
	rm -f "$tap_tmp/in"
	mkfifo "$tap_tmp/in"
	: >"$tap_tmp/url"
	"$@" <"$tap_tmp/in" >"$tap_tmp/url" 2>"$tap_tmp/err" &
	pid=$!
	exec 3>"$tap_tmp/in"
	tap_wait "$tap_tmp/url" iscsi:// || { cat "$tap_tmp/err"; return 1; }
	url=$(cat "$tap_tmp/url")
}

# The end of its input ends it; its status.
end()
{
	exec 3>&-
	tap_join "$pid"
	status=$?
	pid=
	[ "$status" -eq 0 ] || { echo "status $status"; cat "$tap_tmp/err"; return 1; }
}

there_and_back()
{
	qemu-img convert -n -f raw -O raw "$tap_tmp/random.img" "$url" &&
		qemu-img convert -f raw -O raw "$url" "$tap_tmp/back.img" &&
		cmp -n "$(wc -c <"$tap_tmp/random.img")" "$tap_tmp/random.img" "$tap_tmp/back.img"
}

has_size() # MEBIBYTES
{
	[ "$(qemu-img info --output=json -f raw "$url" | sed -n 's/^ *"virtual-size": \([0-9]*\).*/\1/p' | head -1)" -eq \
		$(($1 << 20)) ]
}

# It grows, over and over, while data goes there and comes back: what a client has been told is there stays there.
resized_under_load()
{
	there_and_back >"$tap_tmp/load" 2>&1 &
	load=$!
	n=0
	while kill -0 "$load" 2>/dev/null; do
		echo $((100 + (n < 99 ? n : 99))) >&3
		n=$((n + 1))
		# As long as a client that was told takes to ask again: a loop without pauses would tell it of nothing else.
		qemu-img info -f raw "$url" >"$tap_tmp/info" || break
	done
	wait "$load" || { cat "$tap_tmp/load"; return 1; }
	[ "$n" -gt 1 ] || { echo "resized $n times only"; return 1; }
	echo 128 >&3
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		has_size 128 && return
	done
	qemu-img info -f raw "$url"
	return 1
}

refused()
{
	echo 1000 >&3
	exec 3>&-
	tap_join "$pid"
	status=$?
	pid=
	[ "$status" -eq 1 ]
}

# all WHAT COMMAND...: the example in full.
all()
{
	what=$1
	shift
	check "$what: it starts" start "$@"
	check "$what: its size" has_size 64
	check "$what: data goes there and comes back" there_and_back
	check "$what: resized under load" resized_under_load
	check "$what: it stops" end
}

if ! command -v qemu-img >/dev/null; then
	tap_skip "example" "qemu-img is not installed"
	tap_end
fi
# A pipe without a reader must be a failure of its writer, not the end of the test.
trap '' PIPE
head -c $((${E2E_MEGABYTES:-64} > 64 ? 64 << 20 : ${E2E_MEGABYTES:-64} << 20)) /dev/urandom >"$tap_tmp/random.img"
all "example" "$build/tests/lib/memory"
check "example: starts once more" start "$build/tests/lib/memory"
check "example: a size too large ends it" refused

if ! command -v valgrind >/dev/null; then
	tap_skip "valgrind" "not installed"
elif nm -D "$library" | grep -q '__[a-z]*san_'; then
	tap_skip "valgrind" "a build with a sanitizer"
elif "$build/libtool" --mode=execute valgrind "$build/tests/lib/memory" </dev/null 2>&1 | grep -q 'debuginfo reader'; then
	tap_skip "valgrind" "it cannot read the debugging information of this compiler"
else
	head -c 4194304 /dev/urandom >"$tap_tmp/random.img"
	all "valgrind" "$build/libtool" --mode=execute valgrind --error-exitcode=9 --leak-check=full \
		--errors-for-leak-kinds=definite,possible --track-fds=yes "$build/tests/lib/memory"
	check "valgrind: no errors" grep -F "ERROR SUMMARY: 0 errors" "$tap_tmp/err"
	check "valgrind: nothing lost" sh -c '! grep -E "(definitely|indirectly|possibly) lost: [1-9]" "$1"' sh "$tap_tmp/err"
fi
tap_end
