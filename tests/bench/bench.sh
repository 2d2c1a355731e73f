#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench.sh - how many commands a second, and at what cost, beside the least that any target can do (limit.c), and beside
# others where they are installed: tgtd, istgt, nbdkit.  All in turn, for several rounds; what counts is the ratio of
# the medians.  Everything listens on 127.0.0.1, and ends with this.
set -u

usage()
{
	cat <<-'END'
	bench.sh [-r ROUNDS] [-t SECONDS] [-s SIZE] [-w 'WORKLOAD...'] [-l 'LIST...'] [-o FOLDER] [-q] [-T TARGET]...
	  -r  rounds, 3 by default          -t  seconds for each measurement, 2 by default
	  -s  size of the files, 1G by default; they are made in $TMPDIR or /var/tmp
	  -w  only these workloads
	  -l  only of these lists: null mmap file digests disk sync poll scale qemu perf flames
	      (null, mmap and file take minutes each, half of them for those beside us; the others less)
	  -o  where flame graphs and report.txt go, ./bench-report by default
	  -q  no others beside us
	  -T  LABEL=ADDR:PORT,IQN,LUN,PID: a target that runs already, beside us in null, mmap and file; what its LUN
	      holds is lost
	BUILD is the build folder.
	END
	exit "$1"
}

all_lists='null mmap file digests disk sync poll scale qemu perf flames'
rounds=3 seconds=2 size=1G only='' lists=$all_lists out=bench-report others=yes options="$*"
targets='' n_daemons=0 began=$(date +%s)
while getopts r:t:s:w:l:o:T:qh o; do
	# shellcheck disable=SC2034
	case $o in
	r) rounds=$OPTARG ;; t) seconds=$OPTARG ;; s) size=$OPTARG ;; w) only=$OPTARG ;; l) lists=$OPTARG ;;
	o) out=$OPTARG ;; q) others=no ;;
	T) targets="$targets $OPTARG" ;; h) usage 0 ;; *) usage 2 ;;
	esac
done
refuse() { echo "bench.sh: $*" >&2; exit 2; }
# Before anything is measured, or an older report is gone.
case $rounds in *[!0-9]* | '' | 0) refuse "-r $rounds: not a number of rounds" ;; esac
case $seconds in *[!0-9.]* | '' | *.*.* | . ) refuse "-t $seconds: not a number of seconds" ;; esac
case $size in *[!0-9]?* | [!0-9]* | *[!0-9KMGT] | '') refuse "-s $size: not a size, as 256M" ;; esac
for l in $lists; do
	case " $all_lists " in *" $l "*) ;; *) refuse "-l $l: no such list" ;; esac
done
for t in $targets; do
	case $t in ?*=?*,?*,?*,?*) ;; *) refuse "-T $t: not LABEL=ADDR:PORT,IQN,LUN,PID" ;; esac
done
build=${BUILD:?}
here=$(cd "$(dirname "$0")" && pwd)
plugins=$build/plugins
bench=$build/tests/bench
iqn=iqn.2026-11.org.example:bench
mkdir -p "$out" || exit 1
work=$(mktemp -d "${TMPDIR:-/var/tmp}/gotgt-bench.XXXXXX") || exit 1
pids=''
ended() { case $(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) in Z | '') ;; *) return 1 ;; esac; }
# tgtd does not end when it is asked to.
stop_all()
{
	for p in $pids; do
		kill "$p" 2>/dev/null
		n=0
		until ended "$p" || [ "$n" -ge 20 ]; do n=$((n + 1)); sleep 0.1; done
		kill -9 "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	pids=''
}
trap 'stop_all; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

have() { command -v "$1" >/dev/null 2>&1; }
# Wait up to 20 s until the command succeeds, or the process has ended.
until_up() # PID COMMAND...
{
	n=0 awaited=$1
	shift
	until "$@" >/dev/null 2>&1; do
		n=$((n + 1))
		if [ "$n" -ge 200 ] || ended "$awaited"; then return 1; fi
		sleep 0.1
	done
}
answers() { "$bench/blast" -t 1 -q 1 "$1" "$iqn" "${2:-0}"; }
free_port()
{
	rm -f "$work/port"
	"$bench/limit" >"$work/port" & p=$!
	until_up "$p" test -s "$work/port"
	kill "$p"
	wait "$p" 2>/dev/null
	cat "$work/port"
}
image()
{
	rm -f "$work/$1.img"
	truncate -s "$size" "$work/$1.img"
	dd if=/dev/zero of="$work/$1.img" bs=1M conv=notrunc status=none count=$(($(stat -c %s "$work/$1.img") / 1048576))
}

# Each sets addr, pid and lun, or fails; then why says it, or else what is in $said.
start_limit()
{
	why='' said=$work/limit.out
	: >"$work/limit.port"
	"$bench/limit" ${1:+"$1"} >"$work/limit.port" 2>"$said" & pid=$!
	pids="$pids $pid" lun=0
	until_up "$pid" test -s "$work/limit.port" && addr=127.0.0.1:$(cat "$work/limit.port")
}

start_gotgt() # DISK
{
	rm -f "$work/gotgt.pid"
	why='' said=$work/gotgt.out
	"$build/core/gotgt" serve --plugin-dir "$plugins/null/.libs:$plugins/file/.libs:$plugins/mmap/.libs" -n "$iqn" \
		-p 127.0.0.1:0 --pid-file "$work/gotgt.pid" "$1" >"$said" 2>&1 & pid=$!
	pids="$pids $pid" lun=0
	until_up "$pid" test -s "$work/gotgt.pid" || return 1
	addr=$(grep -o '127\.0\.0\.1:[0-9]*' "$said" | head -1)
}

# By a configuration: more than serve has options for.
start_daemon() # SETTINGS DISKS
{
	why='' n_daemons=$((n_daemons + 1)) said=$work/daemon.$n_daemons.out	# of its own: what another has said is not its answer
	{
		echo "$1"
		echo 'portals = ( { address = "127.0.0.1"; port = 0; } );'
		printf 'targets = ( { iqn = "%s"; open = true; luns = (\n%s\n); } );\n' "$iqn" "$2"
	} >"$work/gotgt.conf"
	GOTGT_PLUGIN_PATH=$plugins/null/.libs "$build/core/gotgt" daemon --config "$work/gotgt.conf" \
		--control "unix:$work/control.$n_daemons" >"$said" 2>&1 & pid=$!
	pids="$pids $pid" lun=0
	until_up "$pid" grep -q 'logical units' "$said" || return 1
	addr=$(grep -o '127\.0\.0\.1:[0-9]*' "$said" | head -1)
}
null_lun() { echo "{ number = $1; plugin = \"null\"; settings = { size = \"$size\"; }; }"; }

start_tgtd() # FILE, or nothing for its null store
{
	why='it is not installed' said=$work/tgtd.out
	have tgtd && have tgtadm || return 1
	why='only root can start it'
	[ "$(id -u)" = 0 ] || return 1
	why='' addr=127.0.0.1:$(free_port)
	tgtd -f -C $$ --iscsi portal="$addr" >"$said" 2>&1 & pid=$!
	pids="$pids $pid" lun=1
	tgt() { tgtadm -C $$ --lld iscsi "$@"; }
	until_up "$pid" tgt --op show --mode target &&
	tgt --op new --mode target --tid 1 -T "$iqn" &&
	if [ -n "${1:-}" ]; then
		tgt --op new --mode logicalunit --tid 1 --lun 1 -b "$1"
	else
		truncate -s "$size" "$work/none" &&
		tgt --op new --mode logicalunit --tid 1 --lun 1 --bstype null -b "$work/none"
	fi &&
	tgt --op bind --mode target --tid 1 -I ALL
}

start_istgt() # FILE
{
	why='it is not installed' said=$work/istgt.out
	have istgt || return 1
	why='' port=$(free_port) lun=0
	addr=127.0.0.1:$port
	cat >"$work/istgt.conf" <<-END
		[Global]
		NodeBase "iqn.2026-11.org.example"
		PidFile $work/istgt.pid
		AuthFile $work/auth.conf
		LogFacility "local7"
		MaxSessions 70
		MaxConnections 4
		MaxOutstandingR2T 16
		FirstBurstLength 262144
		MaxBurstLength 1048576
		MaxRecvDataSegmentLength 262144
		ImmediateData Yes
		[UnitControl]
		AuthMethod None
		AuthGroup None
		Portal UC1 127.0.0.1:$(free_port)
		Netmask 127.0.0.1
		[PortalGroup1]
		Portal DA1 $addr
		[InitiatorGroup1]
		InitiatorName "ALL"
		Netmask 127.0.0.0/8
		[LogicalUnit1]
		TargetName bench
		Mapping PortalGroup1 InitiatorGroup1
		AuthMethod None
		UnitType Disk
		QueueDepth 64
		LUN0 Storage $1 Auto
	END
	: >"$work/auth.conf"
	istgt -D -c "$work/istgt.conf" >"$said" 2>&1 & pid=$!
	pids="$pids $pid"
	until_up "$pid" answers "$addr"
}

# Servers of a table: "LABEL ADDR LUN PID IQN" lines in $work/servers.
serve() # LABEL START [ARG]
{
	label=$1 start=$2
	shift 2
	if "$start" "$@" && until_up "$pid" answers "$addr" "$lun"; then
		echo "$label $addr $lun $pid $iqn" >>"$work/servers"
	else
		left_out "$label"
	fi
}
left_out() # LABEL, which was started last
{
	[ -n "$why" ] || why=$(tail -n 1 "$said" 2>/dev/null)
	tell "# $1: not measured: ${why:-it did not start}"
}

# Those of -T.
serve_given()
{
	for target in $targets; do
		echo "${target%%=*} $(echo "${target#*=}" | awk -F, '{ print $1, $3, $4, $2 }')" >>"$work/servers"
	done
}

all_workloads="4k-randread-qd1 -q 1
4k-randread-qd32 -q 32
4k-randread-qd32x4 -q 32 -c 4
4k-randwrite-qd32 -w write -q 32
4k-mix-qd32 -w mix -q 32
128k-seqread-qd8 -s -b 131072 -q 8
128k-seqwrite-qd8 -s -w write -b 131072 -q 8
1m-seqread-qd8 -s -b 1048576 -q 8
1m-seqwrite-qd8 -s -w write -b 1048576 -q 8
4k-randread-qd1x64 -q 1 -c 64"
workloads=$all_workloads
for name in $only; do
	echo "$all_workloads" | grep -q "^$name " || refuse "-w $name: no such workload"
done

# Rows "WORKLOAD LABEL IOPS P50 CPU" become the medians, and the ratios to the first label of the workload.
table()
{
	sort -s -k1,1n -k2,2n "$1" | awk -v title="$2" '
	function median(list, n, v, i, j, t) {
		n = split(list, v, " ")
		for (i = 1; i <= n; i++)
			for (j = i + 1; j <= n; j++)
				if (v[j] + 0 < v[i] + 0) { t = v[i]; v[i] = v[j]; v[j] = t }
		return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
	}
	# What is aimed at: commands a second of the first line (the best of fio), for one at a time the median latency of it.
	function aim_of(name, label) {
		if (label == "digests") return .7
		if (title ~ /O_DIRECT|fsync/) return .9
		if (name ~ /qd1x64/) return 1.5
		return name ~ /randwrite/ ? .85 : name ~ /^(128k|1m)/ ? .95 : .9
	}
	# All pay 1.5 times the first line'"'"'s CPU at most.  But a thread that looks before it sleeps has nothing else to do with
	# one command at a time: its time without sleep is what is paid for the latency.
	function dear(name, label, c) {
		return c && cbase && label != "digests" && (name !~ /qd1$/ || label == "sleeps") && c > 1.5 * cbase
	}
	function verdict(name, label, m, p, c, busy, most) {
		if (title ~ /among/) {
			if (!c || !cbase || label ~ /^(reactors|limit)/) return ""
			if (name ~ /qd1x/) return c > 1.5 * cbase ? "not: CPU above 1.5" : "reached"
			return c > 1.1 * cbase ? "not: CPU above 1.1" : "reached"
		}
		if (label !~ /^(null|mmap|file|digests|sleeps|polls)$/ || first !~ /^(limit|none|fio-.*)$/) return ""
		if ((name ~ /mix|x4$/ && title !~ /fsync/) || (label == "sleeps" && name !~ /qd1$/)) {
			if (!c || !cbase || label == "digests") return ""
			return dear(name, label, c) ? "not: CPU above 1.5" : "CPU reached"
		}
		if (name ~ /qd1$/ && title !~ /fsync/) {
			most = label == "polls" ? 1 : 1.1
			if (p > most * pbase || (most == 1 && p == pbase)) return "not: p50 " (most == 1 ? "not below 1.0" : "above 1.1")
		} else if (m < aim_of(name, label) * best) {
			return "not: below " aim_of(name, label) (name ~ /x64$/ && busy >= 95 ? ", but the client has no time left" : "")
		}
		return dear(name, label, c) ? "not: CPU above 1.5" : "reached"
	}
	# Of who measures up to us, the best.
	function beside(name, label, m) {
		if (label !~ /^(null|mmap|file)$/ || !(name in peer)) return ""
		return sprintf("%.1f times %s", m / peer[name], who[name])
	}
	{ key = $3 SUBSEP $4; if (!(key in iops)) order[++count] = key
	  iops[key] = iops[key] " " $5; p50[key] = p50[key] " " $6
	  if ($7 != "-") cpu[key] = cpu[key] " " $7
	  if ($8 != "") client[key] = client[key] " " $8 }
	END {
		for (i = 1; i <= count; i++) {
			split(order[i], k, SUBSEP)
			if (k[2] !~ /^(limit|none|null|mmap|file|digests|fio-.*)$/ && (m = median(iops[order[i]])) > peer[k[1]] + 0) {
				peer[k[1]] = m
				who[k[1]] = k[2]
			}
		}
		printf "\n%s\n%-20s %-10s %10s %7s %9s %9s %7s %7s  %s\n", title, "workload", "of", "a second", "ratio", "p50 us", "cpu us", "ratio", "client", "aim"
		for (i = 1; i <= count; i++) {
			split(order[i], k, SUBSEP)
			m = median(iops[order[i]]); c = order[i] in cpu ? median(cpu[order[i]]) : 0
			p = median(p50[order[i]])
			if (k[1] != now) { now = k[1]; first = k[2]; base = best = m; cbase = c; pbase = p }
			if (k[2] ~ /^fio-/ && m > best) best = m
			printf "%-20s %-10s %10.0f %7.2f %9s", k[1], k[2], m, base ? m / base : 0, p ? sprintf("%.1f", p) : "-"
			if (c && cbase) printf " %9.2f %7.2f", c, c / cbase
			else printf " %9s       -", c ? sprintf("%.2f", c) : "-"
			busy = order[i] in client ? median(client[order[i]]) : ""
			printf " %7s", busy == "" ? "-" : sprintf("%.0f%%", busy)
			reached = verdict(k[1], k[2], m, p, c, busy); others = beside(k[1], k[2], m)
			print "  " reached (reached != "" && others != "" ? ", " : "") others
		}
	}' | tee -a "$out/report.txt"
}

measure() # TITLE [blast options for all]
{
	title=$1
	shift
	: >"$work/rows"
	r=0
	while [ "$r" -lt "$rounds" ]; do
		r=$((r + 1)) w=0
		echo "$workloads" | while read -r name args; do
			w=$((w + 1)) s=0
			case " ${only:-$name} " in *" $name "*) ;; *) continue ;; esac
			while read -r label addr lun pid name_of_it; do
				s=$((s + 1))
				# shellcheck disable=SC2086,SC2046
				row=$("$bench/blast" $args $(extra "$label") -t "$seconds" -p "$pid" "$addr" "$name_of_it" "$lun" 2>"$work/err" |
					cut -f6,8,11,12)
				[ -n "$row" ] || { tell "# $label, $name: $(head -1 "$work/err")"; continue; }
				echo "$w $s $name $label $row" >>"$work/rows"
			done <"$work/servers"
		done
	done
	table "$work/rows" "$title"
	stop_all
	: >"$work/servers"
}
extra() { [ "$1" != digests ] || echo '--header-digest --data-digest'; }

# shellcheck source=tests/bench/bench-lists.sh
. "$here/bench-lists.sh"

: >"$work/servers"
{
	echo "$("$build/core/gotgt" --version 2>/dev/null | head -1), $(uname -sr), $(nproc) CPUs"
	echo "$(date -u '+%F %H:%M') UTC; bench.sh $options"
} >"$out/report.txt"
for l in $lists; do
	case $l in
	null | digests | disk | sync | poll | scale | qemu | perf | flames) "bench_$l" ;;
	mmap | file) bench_disk_plugin "$l" ;;
	esac
done
echo "report: $out/report.txt, after $(($(date +%s) - began)) s"
