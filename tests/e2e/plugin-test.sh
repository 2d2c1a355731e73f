#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# gotgt plugin test as plugin authors use it: what it prints, what it leaves alone, how it exits.
. "${srcdir:-.}/tests/tap.sh"
export LC_ALL=C
mods=$(cd "${G_TEST_BUILDDIR:-$PWD/tests}/mods/.libs" && pwd)
faulty=$mods/faulty.so
# It crashes on purpose.
# shellcheck disable=SC3045  # dash has it, as others do
ulimit -c 0

has() # FILE TEXT
{
	grep -qF -e "$2" "$tap_tmp/$1" || { cat "$tap_tmp/$1"; return 1; }
}
disk=$tap_tmp/disk
new_disk()
{
	rm -f "$disk" && truncate -s 8M "$disk"
}

for plugin in file mmap; do
	new_disk
	check "$plugin passes" tap_exits 0 "$gotgt" plugin test "$plugin" "path=$disk"
	check "$plugin: a plan" has out "1..$(grep -cE '^(not )?ok ' "$tap_tmp/out")"
	check "$plugin: none failed" has out " passed, 0 failed, "
done
check "null passes" tap_exits 0 "$gotgt" plugin test --forgets null size=16M
check "null keeps nothing" tap_exits 1 "$gotgt" plugin test null
check "by the file's name" tap_exits 0 "$gotgt" plugin test --forgets "$G_TEST_BUILDDIR/../plugins/null/.libs/null.so"

holds_data()
{
	new_disk
	printf 'precious' | dd of="$disk" bs=1 seek=4096 conv=notrunc 2>/dev/null
	cp "$disk" "$tap_tmp/before"
	tap_exits 1 "$gotgt" plugin test file "path=$disk" && has err "there is data at byte 4096 (--yes writes over it)" &&
		[ ! -s "$tap_tmp/out" ] && cmp "$disk" "$tap_tmp/before"
}
check "a device that holds data is left alone" holds_data
check "--yes writes over it" tap_exits 0 "$gotgt" plugin test --yes file "path=$disk"
read_only()
{
	cp "$disk" "$tap_tmp/before"
	tap_exits 0 "$gotgt" plugin test file "path=$disk" readonly=yes && cmp "$disk" "$tap_tmp/before"
}
check "a read-only one need not be empty" read_only

faulty() # FAULT TEXT OPTION...
{
	fault=$1
	text=$2
	shift 2
	new_disk
	tap_exits 1 "$gotgt" plugin test "$@" "$faulty" "path=$disk" "fault=$fault" && has out "$text"
}
check "wrong data" faulty wrong "byte 3 of 512 is" --yes
check "the others pass" has out "ok 10 - flush"
check "counted" has out " failed, "
check "a crash" faulty crash "crashes: signal 6 (Aborted) in submit(): READ of 512 bytes" --yes
check "goes on after it" has out "ok 1 - info"
check "a hang" faulty hang "hangs: after 3 seconds it was still in submit(): WRITE" --timeout 1 --case flush
check "one case has a plan of one" has out "1..1"
check "no answer" faulty never "never answered: WRITE of 512 bytes" --timeout 1 --case flush
check "two answers" faulty twice "answered twice: READ of 512 bytes" --yes --case edges
check "bails out where it crashes at once" faulty crash-open "Bail out! crashes: signal 6 (Aborted) in open()"
check "bails out where it does not open" faulty refused "Bail out! does not open: it is not the day"
check "bails out where looking fails" faulty read-error "Bail out! READ: GOTGT_ERR_IO"
check "a plugin that does not load" tap_exits 1 "$gotgt" plugin test "$mods/undefined.so"
check "says so" has out "no_such_function"
check "a file that is not there" tap_exits 1 "$gotgt" plugin test "$tap_tmp/none.so"
check "a name that is not there" tap_exits 1 "$gotgt" plugin test none
check "a wrong setting" tap_exits 1 "$gotgt" plugin test null nonsense=1
check "is named" has out "unknown setting nonsense"
check "not a setting" tap_exits 2 "$gotgt" plugin test null nonsense
check "not a plugin" tap_exits 2 "$gotgt" plugin test "$tap_tmp/disk"
check "not a case" tap_exits 2 "$gotgt" plugin test --case nonsense null
check "not a time" tap_exits 2 "$gotgt" plugin test --timeout 0 null
verbose()
{
	new_disk
	tap_exits 0 "$gotgt" plugin test --verbose file "path=$disk" && has err "# error: /dev/null/none: Not a directory"
}
check "--verbose shows the log" verbose
tap_end
