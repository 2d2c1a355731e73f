#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# image.sh DIR - a kernel and an initial file system of Debian's packages: DIR/vmlinuz, DIR/initrd; and DIR/busybox.
# Nothing of it is installed, no package's script runs.  The guest's own part, guest/, is added at each run.
set -eu

dir=$1
packages=busybox-static,dash,coreutils,kmod,iproute2,util-linux,udev,open-iscsi,multipath-tools,sg3-utils,e2fsprogs
kernel=linux-image-cloud-amd64
# What an initiator needs of the kernel's modules.
modules='drivers/scsi drivers/target/target_core_mod.ko drivers/net/virtio_net.ko drivers/net/net_failover.ko
	net/core/failover.ko drivers/virtio drivers/md fs/ext4 fs/jbd2 fs/mbcache.ko lib crypto arch/x86/crypto'

mkdir -p "$dir"
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
mmdebstrap --quiet --variant=extract --include="$packages,$kernel" "${DEBIAN_SUITE:-bookworm}" "$work/root" >&2
cd "$work/root"
release=$(ls lib/modules)
mv boot/vmlinuz-"$release" "$work/vmlinuz"

mkdir -p "$work/modules"
for m in $modules; do
	[ ! -e "lib/modules/$release/kernel/$m" ] || {
		mkdir -p "$work/modules/$(dirname "$m")"
		mv "lib/modules/$release/kernel/$m" "$work/modules/$m"
	}
done
mv lib/modules/"$release"/modules.builtin* lib/modules/"$release"/modules.order "$work"
rm -rf lib/modules/"$release"/*
mv "$work/modules" lib/modules/"$release"/kernel
mv "$work"/modules.builtin* "$work"/modules.order lib/modules/"$release"/
"$PWD/bin/busybox" depmod -b . "$release"

rm -rf boot var usr/share usr/include usr/lib/x86_64-linux-gnu/perl* usr/lib/x86_64-linux-gnu/gconv usr/bin/perl* \
	lib/udev/hwdb* usr/lib/udev/hwdb* dev
mkdir -p proc sys dev run tmp var/lib var/log etc/iscsi
find . | bin/busybox cpio -o -H newc >"$work/initrd"
cp bin/busybox "$dir/busybox"
mv "$work/vmlinuz" "$dir/vmlinuz"
mv "$work/initrd" "$dir/initrd"
