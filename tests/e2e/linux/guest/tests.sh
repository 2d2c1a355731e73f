# SPDX-License-Identifier: Apache-2.0
. /guest/lib.sh
echo "InitiatorName=iqn.2016-09.com.example:guest" >/etc/iscsi/initiatorname.iscsi
cat >/etc/multipath.conf <<END
defaults {
	user_friendly_names no
	find_multipaths no
	polling_interval 2
	no_path_retry queue
}
END
iscsid

# ---- discovery, login, what the kernel sees ----

discovers()
{
	iscsiadm -m discovery -t sendtargets -p $a >/tmp/found && cat /tmp/found && grep -q "$a:3260,1 $iqn" /tmp/found &&
		grep -q "$b:3260,1 $iqn" /tmp/found
}
check 'discovery finds both portals' discovers
for p in $a $b; do
	setting $p node.startup manual
	setting $p node.session.timeo.replacement_timeout 60
	setting $p 'node.conn[0].timeo.noop_out_interval' 2
	setting $p 'node.conn[0].timeo.noop_out_timeout' 2
done
check 'login' login $a
sda=$(disk $a 0) sdb=$(disk $a 1)

attribute() # DISK NAME PATTERN
{
	value=$(cat "/sys/block/${1#/dev/}/$2") || return 1
	echo "$2: $value"
	case $value in
	$3) ;;
	*) return 1 ;;
	esac
}
check 'size' attribute "$sda" size 131072
check 'vendor' attribute "$sda" device/vendor '[A-Za-z]*'
check 'SPC version' attribute "$sda" device/scsi_level '[67]'
check 'write cache' attribute "$sda" queue/write_cache 'write back'
check 'blocks can be discarded' attribute "$sda" queue/discard_max_bytes '[1-9]*'
check 'discarded by UNMAP' attribute "$sda" "device/scsi_disk/$(ls "/sys/block/${sda#/dev/}/device/scsi_disk")/provisioning_mode" unmap
check 'WRITE SAME' attribute "$sda" queue/write_zeroes_max_bytes '[1-9]*'
pages() # DISK
{
	for page in 0 80 83 b0 b1 b2; do
		[ "$(od -An -tx1 -j1 -N1 "/sys/block/${1#/dev/}/device/vpd_pg$page" | tr -d ' ' | sed 's/^0//')" = "$page" ] || {
			echo "page $page"
			return 1
		}
	done
}
check 'vital product data' pages "$sda"
check 'a world wide name' attribute "$sda" device/wwid 'naa.*'

# ---- bytes ----

check 'bytes there and back: file' round_trip "$sda" 16
check 'bytes there and back: mmap' round_trip "$sdb" 16
filesystem()
{
	mkdir -p /mnt
	mkfs.ext4 -q -F "$sda" && mount -o discard "$sda" /mnt && cp /tmp/data /mnt/file && umount /mnt &&
		e2fsck -fn "$sda" && mount "$sda" /mnt && cmp /tmp/data /mnt/file && rm /mnt/file && fstrim /mnt && umount /mnt &&
		e2fsck -fn "$sda"
}
check 'a file system' filesystem
zeroes() # DISK
{
	dd if="$1" bs=1M count=8 iflag=direct 2>/dev/null | cmp -n 8388608 - /dev/zero
}
discards()
{
	round_trip "$1" 8 && blkdiscard -o 0 -l 8388608 "$1" && zeroes "$1" && round_trip "$1" 8 &&
		blkdiscard -z -o 0 -l 8388608 "$1" && zeroes "$1"
}
check 'discard and write zeroes: file' discards "$sda"
check 'discard and write zeroes: mmap' discards "$sdb"
persist()
{
	sg_persist --out --register --param-sark=1 "$1" && sg_persist --out --reserve --param-rk=1 --prout-type=5 "$1" &&
		sg_persist --in -r "$1" && sg_persist --in --report-capabilities "$1" &&
		sg_persist --out --release --param-rk=1 --prout-type=5 "$1" &&
		sg_persist --out --register --param-rk=1 --param-sark=0 "$1"
}
check 'persistent reservations' persist "$sda"
check 'REPORT TARGET PORT GROUPS' sg_rtpg "$sda"
check 'REPORT SUPPORTED OPERATION CODES' sg_opcodes "$sda"
check 'EXTENDED COPY' sg_xcopy if="$sda" of="$sdb" count=2048 bpt=512
same() { dd if="$sda" bs=1M count=1 iflag=direct >/tmp/1; dd if="$sdb" bs=1M count=1 iflag=direct >/tmp/2; cmp /tmp/1 /tmp/2; }
check 'it has copied' same
check 'logout' logout $a

# ---- what is negotiated ----

with() # NAME=VALUE...
{
	for s; do
		setting $a "${s%%=*}" "${s#*=}" || return 1
	done
	login $a && round_trip "$(disk $a 0)" 4 && round_trip "$(disk $a 1)" 4
	status=$?
	iscsiadm -m session -P 2 | grep -E 'Digest|Immediate|InitialR2T|Burst|Segment'
	logout $a && return $status
}
header='node.conn[0].iscsi.HeaderDigest' data='node.conn[0].iscsi.DataDigest'
check 'header digest' with $header=CRC32C $data=None
check 'data digest' with $header=None $data=CRC32C
check 'both digests' with $header=CRC32C,None $data=CRC32C,None
check 'no digests' with $header=None $data=None
check 'InitialR2T, no immediate data' with node.session.iscsi.InitialR2T=Yes node.session.iscsi.ImmediateData=No
check 'InitialR2T with immediate data' with node.session.iscsi.InitialR2T=Yes node.session.iscsi.ImmediateData=Yes
check 'unsolicited data without immediate data' with node.session.iscsi.InitialR2T=No node.session.iscsi.ImmediateData=No
check 'short bursts' with node.session.iscsi.InitialR2T=No node.session.iscsi.ImmediateData=Yes \
	node.session.iscsi.FirstBurstLength=4096 node.session.iscsi.MaxBurstLength=8192 \
	'node.conn[0].iscsi.MaxRecvDataSegmentLength=4096'
check 'long bursts again' with node.session.iscsi.FirstBurstLength=262144 node.session.iscsi.MaxBurstLength=16776192 \
	'node.conn[0].iscsi.MaxRecvDataSegmentLength=262144'

# ---- while I/O goes on ----

login $a
sda=$(disk $a 0)
# The kernel resets what a device file belongs to: logical unit, target, host (the session is made anew).
resets()
{
	hammer "$sda"
	for kind in -d -t; do
		sg_reset -N $kind "$sda" && goes_on || return 1
	done
	hammer_ends "$sda"
}
check 'resets under I/O' resets
restarts() # restart|kill
{
	hammer "$sda"
	for i in 1 2; do
		ask "$1" && goes_on || return 1
	done
	hammer_ends "$sda"
}
check 'the daemon restarted under I/O' restarts restart
check 'the daemon killed under I/O' restarts kill
rescan() { iscsiadm -m session -R && udevadm settle; }
added() { ask add-lun && rescan && disk $a 2; }
check 'a logical unit comes with a reload' added
grown() { ask grow 96M && rescan && attribute "$(disk $a 0)" size 196608; }
check 'a logical unit grows' grown
name_known()
{
	wwid=$(multipathd show paths raw format '%w %d' | sed -n "s|^\([^ ]*\) ${sda#/dev/}$|\1|p")
	[ -n "$wwid" ]
}
paths_up() # NUMBER
{
	[ -b "/dev/mapper/$wwid" ] && [ "$(multipathd show paths raw format '%w %t %o' | grep -c "^$wwid active running")" = "$1" ]
}
multipath_up()
{
	multipathd && login $b && until_true 20 name_known && until_true 20 paths_up 2
	status=$?
	multipath -ll
	return $status
}
check 'two paths to one disk' multipath_up
cuts()
{
	hammer "/dev/mapper/$wwid"
	for link in 1 2; do
		ask cut $link && until_true 60 paths_up 1 && goes_on && ask join $link && until_true 60 paths_up 2 && goes_on ||
			return 1
	done
	hammer_ends "/dev/mapper/$wwid"
}
check 'links lost under I/O' cuts
multipath -F >/dev/null
multipathd shutdown >/dev/null
check 'logout of all' iscsiadm -m node -u

# ---- authentication ----

chap() # ALGORITHM [mutual]
{
	setting $a node.session.auth.authmethod CHAP && setting $a node.session.auth.username guest &&
		setting $a node.session.auth.password twelve-bytes-1 && setting $a node.session.auth.chap_algs "$1" || return 1
	if [ -n "${2:-}" ]; then
		setting $a node.session.auth.username_in disks && setting $a node.session.auth.password_in "$2" || return 1
	fi
	login $a && round_trip "$(disk $a 0)" 1 && logout $a
}
refused() { ! "$@" && ! iscsiadm -m session; }
ask accounts
setting $a node.session.initial_login_retry_max 1
check 'no login without a name' refused login $a
for algorithm in MD5 SHA1 SHA256 SHA3-256; do
	check "CHAP with $algorithm" chap $algorithm
done
for algorithm in MD5 SHA1 SHA256 SHA3-256; do
	check "CHAP both ways with $algorithm" chap $algorithm twelve-bytes-2
done
check 'a target with the wrong secret is not trusted' refused chap SHA256 twelve-bytes-3
setting $a node.session.auth.password twelve-bytes-4
check 'no login with the wrong secret' refused login $a

# Errors that nothing above asks for.
quiet() { ! dmesg | grep -E 'BUG|WARNING:|Call Trace|protocol error|bad opcode|critical .* error'; }
check 'the kernel has not complained' quiet
say "1..$n"
