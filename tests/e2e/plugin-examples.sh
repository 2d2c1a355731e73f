#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The examples of plugins/examples built as their readers would, against the build tree; the plugin of the first
# release (tests/abi): all through the suite, and served.
. "${srcdir:-.}/tests/tap.sh"
tap_not_tsan
export LC_ALL=C
build=$(cd "${G_TEST_BUILDDIR:-$PWD/tests}/.." && pwd)
examples=$(cd "${srcdir:-.}/plugins/examples" && pwd)
export PKG_CONFIG_PATH="$build/include"

# What a client writes is what the next one reads.
# The shell that --run starts expands these.
# shellcheck disable=SC2016
io='! qemu-io -f raw "$uri" -c "write -P 0x5a 0 1M" -c "write -P 0xa5 8k 4k" -c "write -z 64k 64k" -c flush \
	-c "read -P 0x5a 0 8k" -c "read -P 0xa5 8k 4k" -c "read -P 0 64k 64k" -c "read -P 0x5a 128k 896k" \
	-c "discard 256k 256k" -c "read -P 0 256k 256k" 2>&1 | grep -iE "failed|error|verification"'
serves() # NAME WHAT
{
	# QEMU 7.2 stops at an assertion over blocks of 4096 bytes.
	if [ "$1" = sparse ]; then
		check "$1 is served" "$gotgt" serve -p 127.0.0.1:0 --plugin-dir "$tap_tmp" --run true "$2"
	elif command -v qemu-io >/dev/null && qemu-io -f raw iscsi://x 2>&1 | grep -qv "Unknown protocol"; then
		check "$1 is served" timeout 60 "$gotgt" serve -p 127.0.0.1:0 --plugin-dir "$tap_tmp:$build/tests/abi/.libs" --run "$io" "$2"
	else
		check "$1 is served" "$gotgt" serve -p 127.0.0.1:0 --plugin-dir "$tap_tmp:$build/tests/abi/.libs" --run true "$2"
		tap_skip "$1 holds data" "no qemu-io with iSCSI"
	fi
}
example() # NAME COMPILER FLAGS...
{
	name=$1
	shift
	if command -v pkg-config >/dev/null && command -v "$1" >/dev/null; then
		# shellcheck disable=SC2046
		check "$name builds" "$@" -Wall -Wextra -Werror -pedantic -Wno-unused-parameter -fPIC -shared -Wl,-z,defs \
			$(pkg-config --cflags gotgt) -o "$tap_tmp/$name.so" "$source"
		check "$name passes" "$gotgt" plugin test --volatile "$tap_tmp/$name.so" size=64M
		serves "$name" "$name:,size=64M"
	else
		tap_skip "$name builds" "no pkg-config, or no $1"
	fi
}
source=$examples/later.c
example later cc -std=gnu99 -Wno-missing-field-initializers
source=$examples/sparse.cc
example sparse c++ -std=c++11

truncate -s 64M "$tap_tmp/disk"
check "the first release's plugin passes" "$gotgt" plugin test "$build/tests/abi/.libs/first.so" "path=$tap_tmp/disk"
serves first "first:$tap_tmp/disk,physical=512,size=64M"
check "its settings are seen" "$gotgt" plugin show --plugin-dir "$build/tests/abi/.libs" first
tap_end
