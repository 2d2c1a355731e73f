#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Unmodified clients against `gotgt serve --run`, a file and an mmap LUN: what they see, what they write, what they read back.
. "${srcdir:-.}/tests/tap.sh"
tap_need iscsi-ls iscsi-inq iscsi-readcapacity16 qemu-img qemu-io
megabytes=${E2E_MEGABYTES:-256}
seconds=${E2E_SECONDS:-300}
export tap_tmp

# Before each command: the LUNs' URIs, and opts URI DIGEST for a URI as QEMU's options, which alone ask for digests.
prelude='set -e; set -- $uris; file_uri=$1 mmap_uri=$2 direct_uri=$3
opts() {
	rest=${1#iscsi://} addr=${rest%%/*} rest=${rest#*/}
	echo "driver=iscsi,transport=tcp,portal=$addr,target=${rest%/*},lun=${rest##*/},header-digest=$2"
}
there_and_back() {
	qemu-img convert -n -f raw --target-image-opts "$tap_tmp/random.img" "$(opts "$1" "$2")"
	qemu-img convert --image-opts -O raw "$(opts "$1" "$2")" "$tap_tmp/back.img"
	cmp "$tap_tmp/random.img" "$tap_tmp/back.img"
}
pattern() {
	qemu-io -f raw "$1" -c "write -P 0x5a 0 1M" -c "write -P 0xa5 7k 512" -c "write -z 64k 64k" -c flush \
		-c "read -P 0x5a 0 7k" -c "read -P 0xa5 7k 512" -c "read -P 0x5a 7680 57856" -c "read -P 0 64k 64k" \
		-c "read -P 0x5a 128k 896k" -c "discard 256k 256k" -c "read -P 0 256k 256k" >"$tap_tmp/io"
	! grep -iE "failed|error|verification" "$tap_tmp/io"
}
'
serve()
{
	timeout "$seconds" "$gotgt" serve "file:$tap_tmp/file.img" "mmap:$tap_tmp/mmap.img" ${direct:+"file:$tap_tmp/direct.img,direct=yes"} --size "${megabytes}M" \
		--portal 127.0.0.1:0 --run "$prelude$1"
}

direct=
check 'iscsi-ls finds the target through discovery' serve 'iscsi-ls iscsi://$portal | grep "$iqn"'
check 'iscsi-ls -s lists both LUNs' serve 'test "$(iscsi-ls -s iscsi://$portal | grep -ci "^ *lun:")" = 2'
check 'iscsi-inq: standard data' serve 'iscsi-inq $file_uri | grep DIRECT_ACCESS'
for page in 0 128 131 176 177 178; do
	check "iscsi-inq: VPD page $page" serve "iscsi-inq -e 1 -c $page \$file_uri"
done
check 'iscsi-readcapacity16: the size' serve "iscsi-readcapacity16 -s \$mmap_uri | grep -x $((megabytes << 20))"

# One byte is enough for the first 256.
many=$(seq -f 'null:,size=%gM' 258)
# shellcheck disable=SC2016,SC2086
check 'the URL of each of 258 LUNs is its own' timeout "$seconds" "$gotgt" serve --portal 127.0.0.1:0 $many --run '
	for uri in $uris; do
		n=$((${n:-0} + 1))
		case $n in 1 | 256 | 257 | 258) iscsi-readcapacity16 -s "$uri" | grep -x $((n << 20)) || exit 1 ;; esac
	done'

head -c "$((megabytes << 20))" /dev/urandom >"$tap_tmp/random.img"
# Past the page cache, by io_uring where there is one; where the file system can.
luns='file mmap'
if dd if=/dev/zero of="$tap_tmp/direct.img" bs=4096 count=1 oflag=direct 2>/dev/null; then
	luns="$luns direct" direct=yes
else
	tap_skip 'direct' 'no O_DIRECT here'
fi
rm -f "$tap_tmp/direct.img"
for lun in $luns; do
	check "$lun: qemu-io patterns, zeroes and discards" serve "pattern \$${lun}_uri"
	for digest in none crc32c; do
		rm -f "$tap_tmp/$lun.img"
		check "$lun, header digest $digest: an image there and back is the same" \
			serve "there_and_back \$${lun}_uri $digest"
		check "$lun, header digest $digest: the file holds it" cmp "$tap_tmp/random.img" "$tap_tmp/$lun.img"
	done
done
tap_end
