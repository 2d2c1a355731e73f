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
export q='
q() { qemu-io -f raw "$uri" "$@" >"$tap_tmp/io" 2>"$tap_tmp/wrong"; cat "$tap_tmp/wrong" >>"$tap_tmp/io"; cat "$tap_tmp/io"; ! grep -iE "failed|error|No space" "$tap_tmp/io" >/dev/null; }
'
export io="$q"'
set -e
q -c "write -P 1 0 4M"
! q -c "write -P 2 4M 12M" -c "write -P 2 16M 12M"
grep -q "No space left" "$tap_tmp/io"
q -c "read -P 1 0 4M"
q -c "discard 4M 24M"
q -c "write -P 3 8M 4M"
q -c "read -P 3 8M 4M" -c "read -P 1 0 4M" -c "read -P 0 40M 1M"
'
# The same by 32 KiB, which mmap receives straight into the file's pages, while there are such.
export small="$q"'
set -e
q -c "write -P 1 0 4M"
set --
for i in $(seq 128 383); do set -- "$@" -c "write -P 2 $((i * 32))k 32k"; done
! q "$@"
grep -q "No space left" "$tap_tmp/io"
written=$(sed -n "s/^wrote 32768.32768 bytes at offset //p" "$tap_tmp/io")
[ "$(echo "$written" | wc -l)" -ge 32 ]
set --
for at in $written; do set -- "$@" -c "read -P 2 $at 32k"; done
q "$@"
q -c "read -P 1 0 4M"
q -c "discard 4M 8M"
q -c "write -P 3 8M 32k"
q -c "read -P 3 8M 32k" -c "read -P 1 0 4M" -c "read -P 0 12M 1M"
'
full() # PLUGIN COMMANDS
{
	io=$2 plugin=$1 timeout 60 unshare $as -m sh -c 'mkdir -p "$tap_tmp/fs"; mount -t tmpfs -o size=10m tmpfs "$tap_tmp/fs" &&
		"$gotgt" serve "$plugin:$tap_tmp/fs/disk.img" --size 64M --portal 127.0.0.1:0 --run "$io"'
}
for plugin in file mmap; do
	check "$plugin: no space: SPACE ALLOCATION FAILED, and only for the write that needs it" full $plugin "$io"
	check "$plugin: the same of small writes" full $plugin "$small"
done
tap_end
