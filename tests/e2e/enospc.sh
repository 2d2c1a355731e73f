#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A sparse file on a file system that fills up: writes that find no space say so, reads and writes elsewhere go on, and
# unmapping makes room again.
. "${srcdir:-.}/tests/tap.sh"
tap_need qemu-io unshare mount
# A mount of our own, as root or in a user namespace.
as=
unshare -m true 2>/dev/null || as=-r
if ! unshare $as -m mount -t tmpfs -o size=1m tmpfs "$tap_tmp" 2>/dev/null; then
	echo '1..0 # SKIP tmpfs cannot be mounted here'
	exit 0
fi
export tap_tmp gotgt

# 4 MiB fit, 24 more do not.
export io='
q() { qemu-io -f raw "$uri" "$@" >"$tap_tmp/io" 2>&1; cat "$tap_tmp/io"; ! grep -iE "failed|error|No space" "$tap_tmp/io" >/dev/null; }
set -e
q -c "write -P 1 0 4M"
! q -c "write -P 2 4M 12M" -c "write -P 2 16M 12M"
grep -q "No space left" "$tap_tmp/io"
q -c "read -P 1 0 4M"
q -c "discard 4M 24M"
q -c "write -P 3 8M 4M"
q -c "read -P 3 8M 4M" -c "read -P 1 0 4M" -c "read -P 0 40M 1M"
'
full()
{
	plugin=$1 timeout 60 unshare $as -m sh -c 'mkdir -p "$tap_tmp/fs"; mount -t tmpfs -o size=10m tmpfs "$tap_tmp/fs" &&
		"$gotgt" serve "$plugin:$tap_tmp/fs/disk.img" --size 64M --portal 127.0.0.1:0 --run "$io"'
}
for plugin in file mmap; do
	check "$plugin: no space: SPACE ALLOCATION FAILED, and only for the write that needs it" full $plugin
done
tap_end
