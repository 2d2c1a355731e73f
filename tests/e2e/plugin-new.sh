#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# gotgt plugin new: what it writes and refuses; and that what it writes builds, is tested, and is served.
. "${srcdir:-.}/tests/tap.sh"
tap_not_tsan
tap_not_quick
export LC_ALL=C
build=$(cd "${G_TEST_BUILDDIR:-$PWD/tests}/.." && pwd)

has() # FILE TEXT
{
	grep -qF -e "$2" "$1" || { cat "$1"; return 1; }
}
new()
{
	"$gotgt" plugin new --no-autoreconf "$@"
}
p=$tap_tmp/it\'s/my-disk
check "new" tap_exits 0 new my-disk --dir "$p" --author 'Ann @YEAR@ O"Brien'
check "says what is next" has "$tap_tmp/out" "	autoreconf -fi"
check "the name" has "$p/my-disk.c" '.name = "my-disk"'
check "the name in C" has "$p/my-disk.c" "static void my_disk_submit("
check "the name in make" has "$p/Makefile.am" "my_disk_la_SOURCES = my-disk.c"
check "the author, as is" has "$p/COPYING" "Copyright (c) $(date +%Y) Ann @YEAR@ O\"Brien"
check "the license" has "$p/my-disk.c" "SPDX-License-Identifier: MIT"
nothing_left()
{
	! grep -rE '@(NAME|SYMBOL|UPPER|LICENSE|AUTHOR|DATE|VERSION)@' "$p"
}
check "nothing is left to fill in" nothing_left
check "not over what is there" tap_exits 1 new my-disk --dir "$p"
check "says so" has "$tap_tmp/err" "it is there, and not empty"
mkdir "$tap_tmp/empty"
check "in an empty folder" tap_exits 0 new x --dir "$tap_tmp/empty" --license GPL-2.0-or-later
check "another license" has "$tap_tmp/empty/x.c" "SPDX-License-Identifier: GPL-2.0-or-later"
check "of which there is no text" has "$tap_tmp/empty/COPYING" "The text of this license belongs here."
for name in My-disk 9p a_b ../a a/b "" a.so "$(printf '%070d' 0 | tr 0 a)"; do
	check "not called \"$name\"" tap_exits 2 new "$name" --dir "$tap_tmp/none"
done
check "not as one that is there" tap_exits 1 new file --dir "$tap_tmp/none"
check "which is named" has "$tap_tmp/err" "there is a plugin of that name: "
check "no license" tap_exits 2 new x --dir "$tap_tmp/none" --license '*/'
check "an author of two lines" tap_exits 2 new x --dir "$tap_tmp/none" --author 'a
b'
check "not in a file" tap_exits 1 new x --dir "$p/README.md"
check "not where nothing can be written" tap_exits 1 new x --dir /dev/null/x
nothing_written()
{
	[ ! -e "$tap_tmp/none" ]
}
check "what was refused has left nothing" nothing_written
without_autoreconf()
{
	tap_exits 0 env PATH=/nowhere "$gotgt" plugin new x --dir "$tap_tmp/x" && has "$tap_tmp/err" "install autoconf" &&
		has "$tap_tmp/out" "	autoreconf -fi" && [ -e "$tap_tmp/x/configure.ac" ]
}
check "without autoreconf it says what to install" without_autoreconf
if command -v mandoc >/dev/null; then
	check "its manual page" mandoc -Tlint -Wwarning "$p/gotgt-my-disk.7"
else
	tap_skip "its manual page" "no mandoc"
fi

# ---- as its author builds it, with the header and the program of the build tree ----

missing=
for tool in autoreconf automake libtoolize pkg-config make cc; do
	command -v "$tool" >/dev/null || missing="$missing $tool"
done
if [ -n "$missing" ]; then
	tap_skip "the project builds" "no$missing"
	tap_end
fi
export PKG_CONFIG_PATH="$build/include"
# Not our make's, nor our tests'.
unset MAKEFLAGS MFLAGS MAKELEVEL TESTS GOTGT DESTDIR
project=$tap_tmp/project
in_project()
{
	(cd "$project" && "$@")
}
check "new, with autoreconf" tap_exits 0 "$gotgt" plugin new my-disk --dir "$project"
check "configure is there" test -x "$project/configure"
check "configure" in_project ./configure --prefix="$tap_tmp/inst"
check "make check" in_project make check
check "all of the suite" grep -q '^# .* passed, 0 failed, ' "$project/tests/conformance.log"
check "make install" in_project make install
there()
{
	[ -e "$tap_tmp/inst/lib/gotgt/1/my-disk.so" ] && [ ! -e "$tap_tmp/inst/lib/gotgt/1/my-disk.la" ]
}
check "where it goes" there
check "gotgt shows it" "$gotgt" plugin show --plugin-dir "$tap_tmp/inst/lib/gotgt/1" my-disk
truncate -s 16M "$tap_tmp/disk"
# shellcheck disable=SC2016
check "gotgt serves it" "$gotgt" serve -p 127.0.0.1:0 --plugin-dir "$tap_tmp/inst/lib/gotgt/1" \
	--run 'test -n "$uri"' "my-disk:$tap_tmp/disk"
check "make uninstall" in_project make uninstall
gone()
{
	[ ! -e "$tap_tmp/inst/lib/gotgt/1/my-disk.so" ]
}
check "is gone" gone
check "make distcheck" in_project make distcheck
default_place()
{
	in_project ./configure >"$tap_tmp/configure.out" 2>&1 &&
		has "$tap_tmp/configure.out" "will be installed in $(pkg-config --variable=plugindir gotgt)" &&
		has "$project/Makefile" "mandir = $(pkg-config --variable=mandir gotgt)"
}
check "without a prefix it goes where gotgt looks" default_place
tap_end
