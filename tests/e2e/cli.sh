#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The command line: help, wrong usage, what is printed where, exit statuses.
. "${srcdir:-.}/tests/tap.sh"
tap_not_tsan
# Messages are compared: no translations.
export LC_ALL=C
not()
{
	! "$@"
}

lines() # FILE N
{
	[ "$(wc -l <"$tap_tmp/$1")" -eq "$2" ] || { cat "$tap_tmp/$1"; return 1; }
}

has() # FILE TEXT
{
	grep -qF -e "$2" "$tap_tmp/$1" || { cat "$tap_tmp/$1"; return 1; }
}

# One line on standard error, nothing on standard output.
complains() # STATUS TEXT COMMAND...
{
	code=$1
	text=$2
	shift 2
	tap_exits "$code" "$@" && lines out 0 && lines err 1 && has err "$text"
}

helps() # TEXT COMMAND...
{
	text=$1
	shift
	tap_exits 0 "$@" && lines err 0 && has out "$text"
}

check "help lists the commands" helps "daemon" "$gotgt" --help
for command in daemon serve "plugin list" "plugin show" "plugin new" "plugin test" completion version; do
	# shellcheck disable=SC2086
	check "$command has help" helps "gotgt $command" "$gotgt" $command --help
	check "help lists $command" helps "$command " "$gotgt" --help
	# shellcheck disable=SC2086
	check "$command: unknown option" complains 2 "--nonsense" "$gotgt" $command --nonsense
done
check "no command" complains 2 "no command" "$gotgt"
check "unknown command" complains 2 '"nonsense"' "$gotgt" nonsense
check "half a command" complains 2 '"plugin"' "$gotgt" plugin
check "and told which it can be" complains 2 'no command "plugin"; it has list, show, new, test' "$gotgt" plugin
check "or is not" complains 2 'no command "plugin bogus"; it has list' "$gotgt" plugin bogus
check "half a command has help" helps "plugin show" "$gotgt" plugin --help
check "too many arguments" complains 2 '"x"' "$gotgt" version x
check "too few arguments" complains 2 "NAME is missing" "$gotgt" plugin show
check "wrong log level" complains 2 "--log" "$gotgt" daemon --log loud
check "option without its value" complains 2 "--config" "$gotgt" daemon --config

version=$(sed -n 's/^AC_INIT(\[gotgt\], \[\(.*\)\])$/\1/p' "${srcdir:-.}/configure.ac")
check "version" helps "gotgt $version" "$gotgt" version
check "--version" helps "gotgt $version" "$gotgt" --version
# A full disk must not look like success.
if [ -c /dev/full ]; then
	check "output that cannot be written" not sh -c '"$1" version >/dev/full' sh "$gotgt"
else
	tap_skip "output that cannot be written" "no /dev/full"
fi

check "plugin list names null" helps "null " "$gotgt" plugin list
check "plugin list names file" helps "file " "$gotgt" plugin list
check "plugin list, JSON" helps '"name":"null"' "$gotgt" plugin list --json
check "plugin show" helps "settings:" "$gotgt" plugin show null
check "plugin show, JSON" helps '"settings":[{"name":"size"' "$gotgt" plugin show --json null
check "plugin show: none of that name" complains 1 "no nonsense.so" "$gotgt" plugin show nonsense
check "plugin show: no name at all" complains 1 "not a plugin name" "$gotgt" plugin show ../null
mkdir "$tap_tmp/empty"
check "no plugins" tap_exits 0 env GOTGT_PLUGIN_PATH="$tap_tmp/empty" "$gotgt" plugin list --json
if command -v python3 >/dev/null; then
	"$gotgt" plugin list --json >"$tap_tmp/list.json"
	check "JSON is JSON" python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$tap_tmp/list.json"
else
	tap_skip "JSON is JSON" "no python3"
fi
echo "not a plugin" >"$tap_tmp/empty/broken.so"
broken_list()
{
	tap_exits 0 "$gotgt" plugin list --plugin-dir "$tap_tmp/empty:$G_TEST_BUILDDIR/../plugins/null/.libs" &&
		has out "null " && lines err 1 && has err broken.so
}
check "a broken plugin does not hide the others" broken_list

check "serve without a LUN" complains 2 "is missing" "$gotgt" serve
check "serve a missing file" complains 1 "no such file (--size SIZE makes one)" "$gotgt" serve -p 127.0.0.1:0 "$tap_tmp/none.img"
check "serve by no plugin" complains 1 "no nonsense.so" "$gotgt" serve -p 127.0.0.1:0 nonsense:x
check "serve a path where none goes" complains 2 "takes no path" "$gotgt" serve -p 127.0.0.1:0 null:x
check "serve with an unknown setting" complains 2 "unknown setting nonsense" "$gotgt" serve -p 127.0.0.1:0 null:,nonsense=1
check "serve with a setting of no value" complains 2 "KEY=VALUE" "$gotgt" serve -p 127.0.0.1:0 null:,size
check "serve with a wrong value" complains 2 "size" "$gotgt" serve -p 127.0.0.1:0 null:,size=big
check "serve with a wrong block size" complains 2 "expected 512 or 4096" "$gotgt" serve -p 127.0.0.1:0 null:,block-size=1
check "serve with a wrong size" complains 2 "size" "$gotgt" serve -p 127.0.0.1:0 --size big null:
check "serve at a name" complains 2 "numeric" "$gotgt" serve -p localhost:0 null:
check "serve at no port" complains 2 "from 0 to 65535" "$gotgt" serve -p 127.0.0.1:70000 null:
check "serve under no iSCSI name" complains 2 "--iqn" "$gotgt" serve --iqn disk null:
check "serve twice at one address" complains 2 "second one" "$gotgt" serve -p 127.0.0.1:1 -p 127.0.0.1:1 null:
check "serve others without saying whom" complains 2 "--allow" "$gotgt" serve -p 0.0.0.0:0 null:
check "--allow: neither a name nor an address" complains 2 "all" "$gotgt" serve --allow disk null:
check "serve an address of others" complains 1 "192.0.2.1" "$gotgt" serve -p 192.0.2.1:0 --allow all null:

check "--run: its status" tap_exits 7 "$gotgt" serve -p 127.0.0.1:0 --run 'exit 7' null:
check "--run: its signal" tap_exits 137 "$gotgt" serve -p 127.0.0.1:0 --run 'kill -9 $$' null:
check "--run: its input" sh -c 'echo hello | "$1" serve -p 127.0.0.1:0 --run "read x; test \$x = hello" null:' sh \
	"$gotgt"
# The shell that --run starts expands these.
# shellcheck disable=SC2016
run_env='test "$uri" = "iscsi://$portal/$iqn/0" && test "$uris" = "$uri iscsi://$portal/$iqn/1" &&
	test "$iqn" = iqn.2016-09.com.example:run && case $portal in 127.0.0.1:[1-9]*) ;; *) false ;; esac'
check "--run: its environment" tap_exits 0 "$gotgt" serve -p 127.0.0.1:0 --iqn iqn.2016-09.com.example:run --run "$run_env" \
	null:,size=1M null:,block-size=4096,read-only=yes
# shellcheck disable=SC2016
check "--run: an address in place of all" tap_exits 0 "$gotgt" serve -p 0.0.0.0:0 --allow 127.0.0.0/8 --run 'case $uri in iscsi://127.0.0.1:*) ;; *) false ;; esac' null:
check "a port in use" complains 1 "in use" "$gotgt" serve -p 127.0.0.1:0 --run "\"$gotgt\" serve -p \$portal null:" null:

check "a state folder that cannot be is told of" complains 0 "state-dir /proc/nope/state: No such file or directory" \
	"$gotgt" serve -p 127.0.0.1:0 --state-dir /proc/nope/state --run true null:
check "serve an account without a secret" complains 2 "--user wants --secret-file" "$gotgt" serve -p 127.0.0.1:0 --user joe null:
check "serve with an unknown setting says where they are" complains 2 "gotgt plugin show null" "$gotgt" serve null:,nonsense=1
check "a size below a block" complains 1 "a size below a block" "$gotgt" serve -p 127.0.0.1:0 --size 100 --run true "$tap_tmp/tiny.img"
check "leaves no file behind" not test -e "$tap_tmp/tiny.img"
check "a size of nothing" complains 1 "takes a size above 0" "$gotgt" serve -p 127.0.0.1:0 --size 0 --run true "$tap_tmp/tiny.img"
check "--size makes a file" tap_exits 0 "$gotgt" serve -p 127.0.0.1:0 --size 3M --run true "$tap_tmp/new,,file.img"
size_is()
{
	[ "$(wc -c <"$1")" -eq "$2" ]
}
check "bytes that are less than a block are told of" complains 0 "the last 272 bytes are less than a block" \
	"$gotgt" serve -p 127.0.0.1:0 --size 10000 --run true "$tap_tmp/odd.img"
check "of that size, and of that name" size_is "$tap_tmp/new,file.img" 3145728

# The name of a target that nobody named: other disks have others, since their serial numbers are made from it.
name_of() # PORTAL ARGUMENT...
{
	# shellcheck disable=SC2016
	portal=$1 && shift && "$gotgt" serve -p "$portal" --run 'echo "$iqn"' "$@"
}
same() # FIRST SECOND
{
	[ -n "$1" ] && [ "$1" = "$2" ]
}
different() # NAME...
{
	[ "$(printf '%s\n' "$@" | sort | uniq -d)" = "" ]
}
mkdir "$tap_tmp/one" "$tap_tmp/two"
ln -s "$tap_tmp/one" "$tap_tmp/link"
first=$(name_of 127.0.0.1:0 --size 1M "$tap_tmp/one/disk.img")
check "the name stays with the disk" same "$first" "$(name_of 127.0.0.2:0 "mmap:$tap_tmp/link/disk.img,read-only=yes")"
check "others have others" different "$first" "$(name_of 127.0.0.1:0 --size 1M "$tap_tmp/two/disk.img")" \
	"$(name_of 127.0.0.1:0 "$tap_tmp/one/disk.img" null:)" "$(name_of 127.0.0.1:0 null:)" "$(name_of 127.0.0.1:0 null:)" \
	"$(name_of 127.77.3.1:3261 null:)" "$(name_of 127.77.3.1:3262 null:)" "$(name_of 127.77.3.1:3261 null:,size=2M)"
check "without a path, it stays with how it was asked for" same "$(name_of 127.77.3.1:3261 null:)" "$(name_of 127.77.3.1:3261 null:)"

# Start it, wait for its URL, stop it.
start_stop() # SIGNAL
{
	: >"$tap_tmp/out"
	"$gotgt" serve -p 127.0.0.1:0 --pid-file "$tap_tmp/pid" null: null: >"$tap_tmp/out" 2>"$tap_tmp/err" &
	job=$!
	tap_wait "$tap_tmp/out" /1 || { cat "$tap_tmp/out" "$tap_tmp/err"; kill "$job"; wait "$job"; return 1; }
	[ "$(cat "$tap_tmp/pid")" -eq "$job" ] || return
	kill "-$1" "$job"
	tap_join "$job" || return
	lines err 0 && [ ! -e "$tap_tmp/pid" ] && sed 1q "$tap_tmp/out" | grep -qE '^iscsi://127\.0\.0\.1:[0-9]+/iqn\.[^/]*/0$'
}
run_stops()
{
	: >"$tap_tmp/out"
	"$gotgt" serve -p 127.0.0.1:0 --run "sleep 300 & echo \$! >'$tap_tmp/child'; echo up; wait" null: >"$tap_tmp/out" 2>&1 </dev/null &
	job=$!
	tap_wait "$tap_tmp/out" up && kill -TERM "$job"
	tap_join "$job"
	[ $? -eq 143 ] && tap_gone "$(cat "$tap_tmp/child")"
}
tap_gone() # PID
{
	timeout 20 tail --pid="$1" -f /dev/null
}
check "--run: what it has started stops with it" run_stops
others_pid_file()
{
	"$gotgt" serve -p 127.0.0.1:0 --pid-file "$tap_tmp/pid" --run "echo 1 >'$tap_tmp/pid'" null: && [ -e "$tap_tmp/pid" ]
}
check "--pid-file: not another's" others_pid_file
rm -f "$tap_tmp/pid"
echo precious >"$tap_tmp/precious"
check "--pid-file: not in place of something else" complains 1 "has something else than a process ID" \
	"$gotgt" serve -p 127.0.0.1:0 --pid-file "$tap_tmp/precious" --run true null:
check "which stays" grep -qx precious "$tap_tmp/precious"
for signal in TERM INT; do
	check "serve prints URLs and stops at SIG$signal" start_stop "$signal"
done
tap_end
