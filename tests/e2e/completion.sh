#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What shells complete: the words that gotgt offers, and bash, without a terminal, that asks it.
. "${srcdir:-.}/tests/tap.sh"
tap_not_tsan
. "${srcdir:-.}/tests/e2e/ask.sh"

one=iqn.2016-09.com.example:one

# offers EXPECTED WORD...: these, and no others, come next; the last word is the current one.
offers()
{
	expected=$1
	shift
	"$gotgt" completion words -- "$@" >"$tap_tmp/out" 2>"$tap_tmp/err"
	got=$(cut -f1 "$tap_tmp/out" | tr '\n' ' ')
	[ "$got" = "${expected:+$expected }" ] || { echo "got: $got"; cat "$tap_tmp/err"; return 1; }
}

# These are among them.
offers_some()
{
	expected=$1
	shift
	"$gotgt" completion words -- "$@" | cut -f1 >"$tap_tmp/out"
	for word in $expected; do
		grep -qxF -e "$word" "$tap_tmp/out" || { echo "no $word:"; cat "$tap_tmp/out"; return 1; }
	done
}

# What bash makes of a line: COMPREPLY.
in_bash() # EXPECTED LINE [CURSOR]
{
	bash -c '. "$1"
		COMP_LINE=$2 COMP_POINT=${3:-${#2}}
		PATH=$(dirname "$0"):$PATH
		$(complete -p gotgt | sed "s/.*-F \([^ ]*\) .*/\1/")
		echo "${COMPREPLY[*]}"' "$gotgt" "$tap_tmp/bash" "$2" ${3:+"$3"} >"$tap_tmp/out" 2>"$tap_tmp/err"
	[ "$(cat "$tap_tmp/out")" = "$1" ] && [ ! -s "$tap_tmp/err" ] || { cat "$tap_tmp/out" "$tap_tmp/err"; return 1; }
}

check 'completion alone' run 2 completion
check 'completion for another shell' run 2 completion csh
check 'completion, too much' run 2 completion bash zsh
check 'completion --help' run 0 completion --help
for shell in bash zsh; do
	"$gotgt" completion $shell >"$tap_tmp/$shell"
	check "completion $shell" cmp "$tap_tmp/$shell" "$srcdir/etc/completion/gotgt.$shell"
done

# ---- from tables ----

# Each command that --help lists is offered, and nothing else.
each_command()
{
	words=$("$gotgt" --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p' | grep -v '^gotgt$' | uniq | tr '\n' ' ')
	offers "$words--help --version --host" ''
}
check 'commands' each_command
check 'a command, begun' offers list li
check 'the second word of one' offers 'list show new test' plugin ''
check 'no command' offers '' nonsense ''
check 'kinds' offers 'target lu portal port-group account acl session plugin --help' list ''
check 'kinds that can be created' offers 'target lu portal port-group account acl --help' create ''
check 'no kind' offers '' list nonsense ''

# Each option that --help lists is offered, and nothing else.
each_option()
{
	words=$("$gotgt" "$@" --help | sed -n 's/^  \(-[a-z], \)\{0,1\}\(--[a-z0-9-]*\).*/\2/p' | grep -vx -e --help | tr '\n' ' ')
	[ "$words" ] && offers "$words--help" "$@" -
}
for command in daemon serve 'plugin list' 'plugin show' 'plugin new' 'plugin test' apply save log-level stats top completion version; do
	# shellcheck disable=SC2086
	case $command in
	completion | version) check "options of $command" offers --help $command - ;;
	*) check "options of $command" each_option $command ;;
	esac
done
for verb in list show create set rm; do
	for kind in $("$gotgt" completion words -- $verb '' | grep -v '^-'); do
		check "options of $verb $kind" each_option $verb "$kind"
	done
done
check 'an option, begun' offers '--explicit-alua' set target x --exp
check 'yes and no' offers 'yes no' set target x --open ''
check 'one of them, after an equals sign' offers '--open=yes' set target x --open=y
check 'choices' offers 'active-optimized active-non-optimized' create port-group 1 --state active
check 'levels' offers 'error warn info debug' daemon --log ''
check 'levels by a letter' offers 'error' serve -l e
check 'levels as an argument' offers 'error warn info debug' log-level ''
check 'a level and one of a domain' offers 'error warn info debug' log-level info ''
check 'a file as a value' offers :files daemon --config ''
check 'a folder as a value' offers :folders daemon --plugin-dir=
check 'a file as an argument' offers :files apply ''
check 'a value that nobody knows' offers '' create target --alias ''
check 'what can be unset' offers_some 'alias iscsi-time2wait' set target x --unset ''
check 'plugins' offers 'file mmap null' plugin show ''
check 'a plugin' offers null create lu 1 --plugin n
check 'settings of a plugin' offers_some 'path= create=' create lu 1 --plugin file --setting ''
check 'settings of a plugin to test' offers 'size=' plugin test null s
check 'disks' offers 'file: mmap: null: :files' serve ''
check 'shells' offers 'bash zsh' completion ''
check 'no daemon: no names' offers '' show target ''

# ---- from a daemon ----

cat >"$conf" <<END
portals = ( { name = "a"; address = "127.0.0.1"; port = 0; }, { name = "ab"; address = "127.0.0.3"; port = 0; } );
targets = ( { iqn = "$one"; luns = ( { number = 0; plugin = "null"; settings: { size = "1M"; }; },
	{ number = 14; plugin = "null"; settings: { size = "1M"; }; } ); acls = ( { }, { } ); port-groups = ( { tag = 7; portals = [ "a" ]; } );
	accounts = ( { user = "joe doe"; secret = "a-secret-of-ours"; } ); },
	{ iqn = "iqn.2016-09.com.example:two"; open = true; luns = ( { number = 5; plugin = "null"; } ); } );
END
check 'start' start
check 'targets' offers "$one iqn.2016-09.com.example:two" show target ''
check 'targets, by an option' offers "--name=$one" rm target --name=iqn.2016-09.com.example:o
check 'no second target' offers '' rm target $one ''
check 'no new target' offers '' create target ''
check 'logical units' offers '0 14' rm lu --target $one ''
check 'logical units before the target' offers '0 14 5' rm lu ''
check 'a logical unit, by an option' offers '14' rm lu -t $one --number 1
check 'targets of logical units' offers "$one iqn.2016-09.com.example:two" list lu -t ''
check 'portals' offers 'a ab' set portal ''
check 'a list of portals' offers 'a ab' set target $one --portals ''
check 'the second of it' offers 'a,a a,ab' set target $one --portals a,
check 'port groups' offers 7 set port-group --target $one ''
check 'accounts' offers 'joe doe' show account --target $one ''
check 'discovery is a target of accounts' offers "$one iqn.2016-09.com.example:two discovery" list account --target ''
check 'ACLs by their places' offers '0 1' show acl -t $one ''
check 'no sessions' offers '' rm session ''
check 'what is counted of a LUN' offers '14' stats --target $one --lun 1
check 'orders of top' offers 'bandwidth' top --sort b
check 'plugins of the daemon' offers 'null' show plugin n
host=$GOTGT_HOST
GOTGT_HOST=unix:/nonexistent
check 'another host' offers '' show target ''
check 'the host as an option' offers_some "$one" show target --host "$host" ''
check 'the host before the command' offers_some "$one" --host "$host" show target ''
GOTGT_HOST=$host

if command -v bash >/dev/null; then
	check 'bash: a command' in_bash 'list' 'gotgt li'
	check 'bash: kinds' in_bash 'portal port-group' 'gotgt set p'
	check 'bash: nothing' in_bash '' 'gotgt nonsense x'
	check 'bash: a name with a colon' in_bash 'one two' 'gotgt show target iqn.2016-09.com.example:'
	check 'bash: a name up to its colon' in_bash "$one iqn.2016-09.com.example:two" 'gotgt show target iqn.2016'
	check 'bash: a name behind an equals sign' in_bash 'one' 'gotgt show target --name=iqn.2016-09.com.example:o'
	check 'bash: behind an option' in_bash 'yes no' 'gotgt set target x --open '
	check 'bash: behind an equals sign' in_bash 'yes no' 'gotgt set target x --open='
	check 'bash: a name with a space' in_bash 'joe\ doe' "gotgt show account --target $one j"
	mkdir "$tap_tmp/some" && touch "$tap_tmp/some.conf"
	check 'bash: files' in_bash "$tap_tmp/some $tap_tmp/some.conf" "gotgt apply $tap_tmp/so"
	check 'bash: files behind an equals sign' in_bash "$tap_tmp/some $tap_tmp/some.conf" "gotgt daemon --config=$tap_tmp/so"
	check 'bash: folders' in_bash "$tap_tmp/some" "gotgt plugin new --dir $tap_tmp/so"
	check 'bash: the cursor is in the line' in_bash 'list' 'gotgt li target' 8
else
	tap_skip 'bash' 'no bash'
fi
if command -v zsh >/dev/null; then
	check 'zsh: the syntax' zsh -n "$tap_tmp/zsh"
	check 'zsh: it is loaded' zsh -f -c 'compdef() { [[ $* == "_gotgt gotgt" ]] && print loaded; }; . "$1" | grep -qx loaded' zsh \
		"$tap_tmp/zsh"
else
	tap_skip 'zsh' 'no zsh'
fi
check 'stop' stop
tap_end
