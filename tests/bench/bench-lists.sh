# SPDX-License-Identifier: Apache-2.0
# bench-lists.sh - the lists of bench.sh, which reads this: bench_NAME() for each.
# shellcheck shell=sh disable=SC2154,SC2034

# One row of blast for the table: WORKLOAD-NUMBER LABEL-NUMBER WORKLOAD LABEL blast-options.
blast_row()
{
	key="$1 $2 $3 $4"
	shift 4
	row=$("$bench/blast" -t "$seconds" -p "$pid" "$@" "$addr" "$iqn" "$lun" 2>"$work/err" | cut -f6,8,11,12)
	[ -n "$row" ] && echo "$key $row" >>"$work/rows" || echo "# $key: $(head -1 "$work/err")" >&2
}
not_started()
{
	tell '# gotgt did not start:'
	cat "$said"
	stop_all
	: >"$work/servers"
}
tell() { echo "$*" | tee -a "$out/report.txt"; }
ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'; }
rss_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

bench_null()
{
	serve limit start_limit
	serve null start_gotgt "null:,size=$size"
	[ "$others" = no ] || serve tgtd start_tgtd
	serve_given
	measure 'No storage'
}

bench_disk_plugin() # mmap or file
{
	image limit
	image "$1"
	serve limit start_limit "$work/limit.img"
	serve "$1" start_gotgt "$1:$work/$1.img"
	if [ "$others" = yes ]; then
		image tgtd
		image istgt
		serve tgtd start_tgtd "$work/tgtd.img"
		serve istgt start_istgt "$work/istgt.img"
	fi
	serve_given
	measure "A file in the page cache, by $1"
	rm -f "$work"/*.img
}

bench_digests()
{
	# What is lent and does not change, a mapping, and what goes through a copy: that is what there is to sum up.
	for disk in null mmap file; do
		if [ $disk = null ]; then
			serve none start_gotgt "null:,size=$size"
		else
			image $disk
			serve none start_gotgt "$disk:$work/$disk.img"
		fi
		[ ! -s "$work/servers" ] || echo "digests $addr $lun $pid $iqn" >>"$work/servers"
		measure "CRC32C of headers and data, beside none: $disk"
		rm -f "$work"/*.img
	done
}

# What fio gets from the same file is the limit here.
fio_row() # WORKLOAD-NUMBER NAME RW BYTES DEPTH ENGINE LABEL-NUMBER
{
	jobs="--iodepth=$5"
	[ "$6" != psync ] || jobs="--thread --numjobs=$5"
	# shellcheck disable=SC2086
	fio --name=x --filename="$work/disk.img" --direct=1 --rw="$3" --bs="$4" --ioengine="$6" $jobs --group_reporting \
		--runtime="$seconds" --time_based --output-format=terse 2>/dev/null |
		awk -F';' -v w="$1" -v n="$2" -v s="$7" -v l="fio-$6" '{ print w, s, n, l, $8 + $49, 0, "-" }' >>"$work/rows"
}

bench_disk()
{
	have fio || { tell '# disk: fio is not installed'; return; }
	image disk
	: >"$work/rows"
	r=0
	while [ "$r" -lt "$rounds" ]; do
		r=$((r + 1)) w=0
		while read -r name rw bytes depth args; do
			w=$((w + 1))
			fio_row $w "$name" "$rw" "$bytes" "$depth" psync 1
			fio_row $w "$name" "$rw" "$bytes" "$depth" libaio 2
			start_gotgt "file:$work/disk.img,direct=yes" || { not_started; return; }
			# shellcheck disable=SC2086
			echo "$w 3 $name file $("$bench/blast" $args -q "$depth" -t "$seconds" -p "$pid" "$addr" "$iqn" "$lun" |
				cut -f6,8,11,12)" >>"$work/rows"
			stop_all
		done <<-'END'
			4k-randread-qd32 randread 4k 32
			4k-randwrite-qd32 randwrite 4k 32 -w write
			128k-read-qd8 read 128k 8 -s -b 131072
			128k-write-qd8 write 128k 8 -s -w write -b 131072
		END
	done
	table "$work/rows" 'A file with O_DIRECT, beside fio (as many threads of psync; libaio as deep)'
	rm -f "$work"/*.img
}

# A mix, 70 % reads, with a SYNCHRONIZE CACHE after each 16 writes of a session, which counts as nothing.
bench_sync()
{
	have fio || { tell '# sync: fio is not installed'; return; }
	image disk
	: >"$work/rows"
	r=0
	while [ "$r" -lt "$rounds" ]; do
		r=$((r + 1)) w=0
		for many in 1 32; do
			w=$((w + 1))
			fio --name=x --filename="$work/disk.img" --rw=randrw --rwmixread=70 --bs=4k --ioengine=psync --numjobs=$many \
				--fsync=16 --group_reporting --runtime="$seconds" --time_based --output-format=terse 2>/dev/null |
				awk -F';' -v w="$w" -v n="4k-mix-qd$many" '{ print w, 1, n, "fio-psync", $8 + $49, 0, "-" }' >>"$work/rows"
			start_gotgt "file:$work/disk.img" || { not_started; return; }
			blast_row $w 2 "4k-mix-qd$many" file -w mix -q $many -y 16
			stop_all
		done
	done
	table "$work/rows" 'A file in the page cache, fsync after 16 writes, beside as many threads of fio'
	rm -f "$work"/*.img
}

# Sleeping at once, and looking first.
bench_poll()
{
	serve limit start_limit
	for us in 0 50; do
		start_daemon "poll-us = $us;" "$(null_lun 0)" || { not_started; return; }
		[ $us = 0 ] && label=sleeps || label=polls
		echo "$label $addr $lun $pid $iqn" >>"$work/servers"
	done
	all=$workloads
	workloads=$(echo "$all" | grep -E '^4k-randread-(qd1|qd32|qd1x64) ')
	measure 'Sleeping at once, and looking for up to 50 us first (poll-us)'
	workloads=$all
}

# All sessions of this blast are logged in: it waits for what they have to say.
has_begun() { find "/proc/$1/fd" -lname '*eventpoll*' | grep -q .; }

median_cpu() # LABEL [WORKLOAD]
{
	awk -v label="$1" -v of="${2:-}" '$4 == label && (of == "" || $3 == of) { print $7 }' "$work/rows" | sort -n |
		awk '{ v[NR] = $1 } END { if (NR) print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

# How much more a command takes where a thousand sessions have one each.
grown() # LABEL
{
	echo "$(median_cpu "$1" 4k-read-qd1x1000) $(median_cpu "$1" 4k-read-qd1x100)" | awk '{ if ($2) printf "%.2f", $1 / $2; else print "?" }'
}

# The cost of one command among many: logical units, sessions, reactors.
bench_scale()
{
	: >"$work/rows"
	for many in 1 100 10000; do
		i=0
		while [ $i -lt $many ]; do
			[ $i = 0 ] || echo ,
			null_lun $i
			i=$((i + 1))
		done >"$work/luns.$many"
	done
	r=0
	while [ "$r" -lt "$rounds" ]; do
		r=$((r + 1)) s=0
		for many in 1 100 10000; do
			s=$((s + 1))
			start_daemon 'reactors = 1;' "$(cat "$work/luns.$many")" || { not_started; return; }
			blast_row 1 $s 4k-read-one-of "luns-$many"
			blast_row 2 $s 4k-read-any-of "luns-$many" -L $many
			stop_all
		done
		s=0
		start_daemon 'reactors = 1;' "$(null_lun 0)" || { not_started; return; }
		for many in 1 100 1000; do
			s=$((s + 1))
			blast_row 3 $s 4k-read-one-of "sessions-$many" -i $((many - 1))
			[ $many = 1 ] || blast_row $((3 + s)) 2 "4k-read-qd1x$many" all-sessions -c $many -q 1
		done
		stop_all
		start_limit || { not_started; return; }
		for many in 100 1000; do
			blast_row $((many == 100 ? 5 : 6)) 1 "4k-read-qd1x$many" limit -c $many -q 1
		done
		stop_all
		for many in 1 2; do
			start_daemon "reactors = $many;" "$(null_lun 0)" || { not_started; return; }
			blast_row 7 $many 4k-read-qd32x4 "reactors-$many" -c 4
			stop_all
		done
	done
	table "$work/rows" 'One among many (CPU is to be within 1.1 of the first line'"'"'s)'
	tell "commands of 1,000 sessions at once cost $(grown all-sessions) times those of 100; those of the yardstick $(grown limit) times"
	# What two reactors could do where nobody takes their CPUs: two divided by the CPU time of a command.
	one=$(median_cpu reactors-1) two=$(median_cpu reactors-2)
	[ -z "$one" ] || [ -z "$two" ] || tell "two reactors: $(awk -v one="$one" -v two="$two" 'BEGIN { printf "%.2f", 2 * one / two }')" \
		'times what one can do, the client left out (aim: 1.8)'
	start_daemon 'reactors = 1;' "$(null_lun 0)" || { not_started; return; }
	"$bench/blast" -q 0 -c 50 -t 0.1 "$addr" "$iqn" 0 >/dev/null
	before=$(rss_kib "$pid")
	"$bench/blast" -q 0 -c 1000 -t 5 "$addr" "$iqn" 0 >/dev/null & load=$!
	until_up "$load" has_begun "$load"
	memory=$(($(rss_kib "$pid") - before)) began_idle=$(ticks "$pid")
	sleep 3
	tell "1000 idle sessions: $(awk -v k=$memory 'BEGIN { print k / 1000 }') KiB each (aim: 16)," \
		"$(($(ticks "$pid") - began_idle)) ticks of processor time in 3 s (aim: 0)"
	wait "$load"
	stop_all
}

# A second client for iSCSI.
perf_row() # NUMBER LABEL URL
{
	n=$(timeout -k 1 60 iscsi-perf -m 32 -b 8 -r -t "$(awk -v s="$seconds" 'BEGIN { print int(s) + 1 }')" "$3" 2>/dev/null | tr '\r' '\n' |
		sed -n 's/.*iops average \([0-9]*\).*/\1/p' | tail -1)
	[ -z "$n" ] || echo "1 $1 4k-randread-qd32 $2 $n 0 -" >>"$work/rows"
}

bench_perf()
{
	have iscsi-perf || { tell '# perf: iscsi-perf is not installed'; return; }
	image file
	: >"$work/rows"
	start_gotgt "file:$work/file.img" || { not_started; return; }
	gotgt_at=$addr tgtd_at='' istgt_at=''
	if [ "$others" = yes ]; then
		image tgtd
		image istgt
		if start_tgtd "$work/tgtd.img"; then tgtd_at=$addr; else left_out tgtd; fi
		if start_istgt "$work/istgt.img"; then istgt_at=$addr; else left_out istgt; fi
	fi
	r=0
	while [ "$r" -lt "$rounds" ]; do
		r=$((r + 1))
		perf_row 1 file "iscsi://$gotgt_at/$iqn/0"
		[ -z "$tgtd_at" ] || perf_row 2 tgtd "iscsi://$tgtd_at/$iqn/1"
		[ -z "$istgt_at" ] || perf_row 3 istgt "iscsi://$istgt_at/$iqn/0"
	done
	table "$work/rows" 'iscsi-perf, a client that takes most of the time: beside us'
	if have fio && fio --enghelp 2>/dev/null | grep -q libiscsi; then
		for row in "file $gotgt_at 0" ${tgtd_at:+"tgtd $tgtd_at 1"} ${istgt_at:+"istgt $istgt_at 0"}; do
			set -- $row
			tell "fio, libiscsi, 4k-randread-qd32, $1: $(fio --name=x --ioengine=libiscsi --filename="iscsi\\://$2/$iqn/$3" \
				--rw=randread --bs=4k --iodepth=32 --runtime="$seconds" --time_based --output-format=terse 2>/dev/null |
				cut -d';' -f8) a second"
		done
	else
		tell '# fio is not there, or has no libiscsi engine (Debian builds it without)'
	fi
	stop_all
	rm -f "$work"/*.img
}

# The same client for iSCSI and NBD.
qemu_row() # NUMBER LABEL URL
{
	c=$(awk -v s="$seconds" 'BEGIN { c = int(50000 * s); print c < 2000 ? 2000 : c }')
	s=$(timeout 60 qemu-img bench -f raw -c $c -d 32 -s 4k "$3" 2>/dev/null | sed -n 's/^Run completed in \([0-9.]*\) seconds.*/\1/p')
	[ -z "$s" ] || echo "1 $1 4k-read-qd32 $2 $(awk -v c=$c -v s="$s" 'BEGIN { print c / s }') 0 -" >>"$work/rows"
}

start_nbdkit() # FILE
{
	why='it is not installed' said=$work/nbdkit.out
	have nbdkit || return 1
	why=''
	nbdkit -f -U "$work/nbd" file "$1" >"$said" 2>&1 & pid=$!
	pids="$pids $pid"
	until_up "$pid" test -S "$work/nbd"
}

bench_qemu()
{
	have qemu-img || { tell '# qemu: qemu-img is not installed'; return; }
	image limit
	image file
	: >"$work/rows"
	limit_at='' gotgt_at='' tgtd_at=''
	if start_limit "$work/limit.img"; then limit_at=$addr; else left_out limit; fi
	if start_gotgt "file:$work/file.img"; then gotgt_at=$addr; else left_out file; fi
	if [ "$others" = yes ]; then
		image nbdkit
		image tgtd
		if start_nbdkit "$work/nbdkit.img"; then :; else left_out nbdkit; fi
		if start_tgtd "$work/tgtd.img"; then tgtd_at=$addr; else left_out tgtd; fi
	fi
	r=0
	while [ "$r" -lt "$rounds" ]; do
		r=$((r + 1))
		[ -z "$limit_at" ] || qemu_row 1 limit "iscsi://$limit_at/$iqn/0"
		[ -z "$gotgt_at" ] || qemu_row 2 file "iscsi://$gotgt_at/$iqn/0"
		[ ! -S "$work/nbd" ] || qemu_row 3 nbdkit "nbd+unix:///?socket=$work/nbd"
		[ -z "$tgtd_at" ] || qemu_row 4 tgtd "iscsi://$tgtd_at/$iqn/1"
	done
	table "$work/rows" 'qemu-img bench'
	stop_all
	rm -f "$work"/*.img
}

bench_flames()
{
	have perf && have python3 || { tell '# flames: perf and python3 are not both installed'; return; }
	image file
	echo "$workloads" | while read -r name args; do
		case $name in 4k-randread-qd32 | 4k-randwrite-qd32 | 128k-seqread-qd8 | 128k-seqwrite-qd8) ;; *) continue ;; esac
		start_gotgt "file:$work/file.img" || { not_started; return; }
		# shellcheck disable=SC2086
		"$bench/blast" $args -t "$(awk -v s="$seconds" 'BEGIN { print s + 1 }')" "$addr" "$iqn" "$lun" >/dev/null & load=$!
		perf record -q -e cpu-clock -F 999 -g -o "$work/perf.data" -p "$pid" -- sleep "$seconds" >/dev/null 2>&1
		wait "$load"
		stop_all
		perf script -i "$work/perf.data" 2>/dev/null | python3 "$here/flame.py" "$name" "$out/$name.svg" | tee -a "$out/report.txt"
	done
	rm -f "$work"/*.img
}
