#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The probes for tracers, in the notes of the program and of the library.
. "${srcdir:-.}/tests/tap.sh"
build=${G_TEST_BUILDDIR:-$PWD/tests}/..
tap_need readelf
if ! grep -q '^#define HAVE_SYS_SDT_H 1' "$build/config.h"; then
	echo '1..0 # SKIP built without sys/sdt.h'
	exit 0
fi

# probe FILE NAME ARGUMENTS: each has so many, "SIZE@PLACE" with a space between.
probe()
{
	readelf -nW "$1" >"$tap_tmp/notes"
	awk -v name="$2" -v n="$3" '
		/Provider:/ { ours = $NF == "gotgt" }
		$1 == "Name:" { it = ours && $2 == name }
		$1 == "Arguments:" && it { seen++; if (gsub(/-?[1248]@/, "") != n) wrong++ }
		END { exit !seen || wrong }' "$tap_tmp/notes" || { cat "$tap_tmp/notes"; return 1; }
}

program=$gotgt
[ -e "$build/core/.libs/gotgt" ] && program=$build/core/.libs/gotgt
for file in "$program" "$build/core/.libs/libgotgt.so"; do
	while read -r name n; do
		check "$name of $(basename "$file")" probe "$file" "$name" "$n"
	done <<END
command__start 5
command__done 5
session__login 3
session__logout 3
pdu__reject 3
END
done
tap_end
