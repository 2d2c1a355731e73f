#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each block of commands in README, plugins/README.md and the EXAMPLES of the manual, as a reader would run it: in a
# folder of its own and a network of its own, in which 192.0.2.1 is this machine.
#
# A block is lines that begin with one tab, behind an empty one; ```sh; in the manual .Bd -literal, or .Dl.  The words before
# it say what it is: "root" or "PowerShell" are not run, as root's blocks would change this system, but parsed; "In C" is built.
# A server stays while the block goes on, and is asked whether it has a disk.  What is replaced: IQN, /etc/gotgt, /run/gotgt,
# /var/lib/gotgt, /tmp and /dev/sdx, which are in the folder instead.  "gotgt top" ends by itself.
if [ -z "${README_NETWORK-}" ] && unshare -rn true 2>/dev/null && command -v ip >/dev/null; then
	README_NETWORK=1 exec unshare -rn sh "$0" "$@"
fi
. "${srcdir:-.}/tests/tap.sh"
tap_not_tsan
tap_not_quick
if [ -z "${README_NETWORK-}" ]; then
	echo "1..0 # SKIP no network namespaces, or no ip"
	exit 0
fi
tap_need cc pkg-config qemu-img awk
export LC_ALL=C
top=$(cd "${srcdir:-.}" && pwd)
build=$(cd "${G_TEST_BUILDDIR:-$PWD/tests}/.." && pwd)
box=$tap_tmp/box
served=$tap_tmp/served
ip link set lo up && ip addr add 192.0.2.1/24 dev lo
mkdir -p "$tap_tmp/bin" "$tap_tmp/run" "$served"
# What "gotgt serve disk.img" calls its target there.
mkdir "$box"
iqn=$("$gotgt" serve -p 127.0.0.1:0 --size 1M --run "echo \"\$iqn\"" "$box/disk.img")
fresh()
{
	rm -rf "$box"
	mkdir -p "$box/etc" "$box/var" "$box/tmp"
	printf 'twelve bytes and more' | head -c 16 >"$box/host.secret"
	printf 'another one of these' | head -c 16 >"$box/disk.secret"
	chmod 600 "$box"/*.secret
	truncate -s 64M "$box/disk-of-its-own" "$box/archive.img"
}

stop_served()
{
	ended=0
	for pid in "$served"/*.pid; do
		[ -e "$pid" ] || continue
		kill -TERM "$(cat "$pid")" 2>/dev/null
		timeout 30 tail --pid="$(cat "$pid")" -f /dev/null
		# A subshell writes it a moment later.
		until [ -s "${pid%.pid}.status" ]; do :; done
		[ "$(cat "${pid%.pid}.status")" -eq 0 ] || { echo "its server: status $(cat "${pid%.pid}.status")"; ended=1; }
		rm -f "$pid"
	done
	return $ended
}
tap_cleanup()
{
	stop_served
}

# ---- what the reader has: the program and its libraries installed, tools of others ----

cat >"$tap_tmp/bin/gotgt" <<END
#!/bin/sh
# Servers go on behind the command line, once they serve.
stays=no config=
case " \$* " in
*" serve "*" --run "*) ;;
*" serve "*) stays='iscsi://' ;;
*" daemon --check"*) config=yes ;;
*" top "*) set -- "\$@" --count 1 ;;
*" daemon "*) stays='logical units' config=yes ;;
esac
case " \$* " in *" --config "*) config= ;; esac
[ -z "\$config" ] || set -- "\$@" --config "$box/etc/gotgt.conf"
[ "\$stays" != no ] || exec "$build/core/gotgt" "\$@"
n=$served/\$\$
: >"\$n.out"
( "$build/core/gotgt" "\$@" & echo \$! >"\$n.pid"; wait \$!; echo \$? >"\$n.status" ) >"\$n.out" 2>&1 &
timeout 20 tail -f -n +1 "\$n.out" | grep -qF -m 1 -e "\$stays" || { cat "\$n.out"; exit 1; }
cat "\$n.out"
[ "\$stays" = iscsi:// ] || exit 0
url=\$(grep -o -m 1 'iscsi://.*' "\$n.out")
case " \$* " in *" 0.0.0.0:"*) url=iscsi://192.0.2.1:\${url#iscsi://*:} ;; esac
portal=\${url#iscsi://} portal=\${portal%%/*} target=\${url#iscsi://*/} target=\${target%/*}
case " \$* " in
*" --user host "*)
	qemu-img info --object secret,id=s,file=host.secret --image-opts \\
		"driver=iscsi,transport=tcp,portal=\$portal,target=\$target,lun=0,user=host,password-secret=s,initiator-name=iqn.2016-09.com.example:reader" ;;
*) qemu-img info -f raw "\$url" ;;
esac
END
# A machine without a screen, for as long as it takes to see that it has its disk.
cat >"$tap_tmp/bin/qemu-system-x86_64" <<'END'
#!/bin/sh
PATH=${PATH#*:}
command -v qemu-system-x86_64 >/dev/null || { echo "qemu-system-x86_64 is not installed"; exit 0; }
timeout 5 qemu-system-x86_64 -display none "$@"
[ $? -eq 124 ]
END
for tool in iscsi-ls iscsi-readcapacity16 curl; do
	cat >"$tap_tmp/bin/$tool" <<END
#!/bin/sh
PATH=\${PATH#*:}
command -v $tool >/dev/null || { echo "$tool is not installed"; exit 0; }
exec $tool "\$@"
END
done
chmod +x "$tap_tmp"/bin/*
export PKG_CONFIG_PATH="$build/include" LD_LIBRARY_PATH="$build/core/.libs" DESTDIR="$tap_tmp/dest" XDG_RUNTIME_DIR=
unset MAKEFLAGS MFLAGS MAKELEVEL srcdir top_srcdir builddir TESTS

# ---- blocks ----

# blocks FILE: N.sh and N.what, the words before it, in a folder.
blocks()
{
	rm -rf "$tap_tmp/blocks" && mkdir "$tap_tmp/blocks"
	case $1 in
	*.[1-9])
		awk -v dir="$tap_tmp/blocks" '
			function end() { if (on) close(file); on = 0 }
			/^\.Sh / { examples = $2 == "EXAMPLES" }
			!examples { next }
			/^\.Bd -literal/ || /^\.Dl / { file = sprintf("%s/%02d.sh", dir, ++n); print what >(dir "/" sprintf("%02d.what", n)) }
			/^\.Dl / { gsub(/\\e/, "\\"); print substr($0, 5) >file; next }
			/^\.Bd -literal/ { on = 1; next }
			/^\.Ed/ { end(); next }
			on { gsub(/\\e/, "\\"); print >file; next }
			/^\.Pp/ { what = ""; next }
			{ sub(/^\.[A-Z][a-z] /, ""); what = what " " $0 }' "$1" ;;
	*.md)
		awk -v dir="$tap_tmp/blocks" '
			/^```sh/ { on = 1; file = sprintf("%s/%02d.sh", dir, ++n); print what >(dir "/" sprintf("%02d.what", n)); next }
			/^```/ { if (on) close(file); on = 0; what = ""; next }
			on { print >file; next }
			{ what = $0 }' "$1" ;;
	*)
		awk -v dir="$tap_tmp/blocks" '
			/^\t/ && !on && empty { on = 1; empty = 0; file = sprintf("%s/%02d.sh", dir, ++n)
				print what >(dir "/" sprintf("%02d.what", n)) }
			/^\t/ && on { if (empty) print "" >file; print substr($0, 2) >file; empty = 0; next }
			on && $0 != "" { close(file); on = 0; what = "" }
			{ empty = $0 == "" }
			empty { last = 1; next }
			{ what = (last ? "" : what " ") $0; last = 0 }' "$1" ;;
	esac
}

replaced()
{
	sed -e "s,/tmp/,$box/tmp/,g; s,/etc/gotgt,$box/etc,g; s,/run/gotgt,$RUNTIME_DIRECTORY,g; s,/var/lib/gotgt,$box/var,g" \
		-e "s,/dev/sd[a-z],$box/disk-of-its-own,g; s,\\<IQN\\>,$iqn,g" "$1"
}

# What the reader has at hand before a block.
before()
{
	case $(cat "$1.sh") in
	*engine.c*) [ -e "$box/engine.c" ] ;;
	*ram.c*) sed -n '/^```c$/,/^```$/{/^```/d;p;}' "$top/plugins/README.md" >"$box/ram.c" ;;
	*memory.c*) sed -n '/^\.Bd -literal$/,/^\.Ed/{/^\.[BE]d/d;s/\\e/\\/g;p;}' "$top/man/libgotgt.3" >"$box/memory.c" ;;
	*config.json*)
		mkdir -p "$box/.gotgt" && truncate -s 16M "$box/go.img" &&
			sed "s,/var/tmp/disk.img,$box/go.img," "$top/tests/data/go-config.json" >"$box/.gotgt/config.json" ;;
	*"gotgt create"* | *"gotgt top"* | *"gotgt list"* | *curl*)
		cat >"$box/etc/gotgt.conf" <<END2 &&
state-dir = "$box/state";
portals = ( { name = "a"; address = "127.0.0.1"; port = 0; } );
targets = ( { iqn = "$iqn"; open = true; } );
END2
			truncate -s 16M "$box/var/b.img" "$box/var/new.img" && (cd "$box" && PATH=$tap_tmp/bin:$PATH gotgt daemon --log info) ;;
	*"daemon --check"*) cp "$top/etc/gotgt.conf" "$box/etc/gotgt.conf" ;;
	esac
}

run_block() # NAME
{
	before "$1" || return 1
	replaced "$1.sh" >"$1.run"
	(cd "$box" && HOME=$box PATH=$tap_tmp/bin:$PATH timeout 300 sh -e "$1.run")
	status=$?
	stop_served || return 1
	return $status
}

# The piece of a program, in one; it is built by the block after it, and must run.
build_c()
{
	cat >"$box/engine.c" <<END
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <gotgt/gotgt.h>
static char bytes[1 << 20];
static int my_read(void *data, void *buf, size_t length, uint64_t offset) { memcpy(buf, (char *)data + offset, length); return 0; }
static int my_write(void *data, const void *buf, size_t length, uint64_t offset) { memcpy((char *)data + offset, buf, length); return 0; }
static int my_flush(void *data) { return 0; }
static void complain(const char *why) { fprintf(stderr, "%s\n", why); exit(1); }
int main(void)
{
	void *my_engine = bytes;
	uint64_t size_bytes = sizeof bytes;

END
	sed 's/^/	/' "$1.sh" >>"$box/engine.c"
	cat >>"$box/engine.c" <<END
	system("qemu-img info -f raw iscsi://192.0.2.1:3260/iqn.2010-01.org.example:engine/0");
	gotgt_server_free(server);
	gotgt_store_free(disk);
	return 0;
}
END
	cc -fsyntax-only -Wall -Werror -I"$top/include" -I"$build/include" "$box/engine.c"
}

# As strict as can be without its own parser: brackets and quotes close, and a line goes on where it says so.
parse_powershell()
{
	awk '{ n = gsub(/`$/, ""); all = all $0; if (!n) { if (open) bad = 0; open = 0 } else open = 1 }
		END { o = gsub(/\(/, "", all); c = gsub(/\)/, "", all); q = gsub(/"/, "", all); exit open || o != c || q % 2 }' "$1" &&
		grep -qE '^[A-Z][a-z]+-[A-Z][A-Za-z]+' "$1"
}

# A sanitizer wants to be in the program itself.
run_engine()
{
	if nm -D "$build/core/.libs/libgotgt.so" 2>/dev/null | grep -q '__[a-z]*san_'; then
		tap_skip "what was built serves" "a build with a sanitizer"
	else
		check "what was built serves" "$box/engine"
	fi
}

a_configuration()
{
	cp "$1.sh" "$box/etc/gotgt.conf" && "$build/core/gotgt" daemon --check --config "$box/etc/gotgt.conf"
}

in_ci()
{
	[ ! -d "$top/.ci" ] || grep -qF "./quickstart" "$top/.ci/run"
}

document() # FILE
{
	file=$1
	short=${file#"$top"/}
	blocks "$file"
	fresh
	ran=0 parsed=0
	for sh in "$tap_tmp"/blocks/*.sh; do
		[ -e "$sh" ] || continue
		block=${sh%.sh}
		title="$short: $(head -n 1 "$sh")"
		case $(cat "$block.what" "$sh") in
		*./quickstart*)
			echo "# not run here, but by .ci/run: $title"
			parsed=$((parsed + 1))
			check "$title (in .ci/run)" in_ci ;;
		*[Rr]oot*)
			echo "# not run, root's: $title"
			parsed=$((parsed + 1))
			check "$title (parses)" sh -n "$sh" ;;
		*PowerShell*)
			echo "# not run, for Windows: $title"
			parsed=$((parsed + 1))
			check "$title (parses)" parse_powershell "$sh" ;;
		*"In C,"*)
			check "$title (builds)" build_c "$block" ;;
		*)
			case $(cat "$sh") in
			"portals = ("*)
				check "$title (is checked)" a_configuration "$block" ;;
			"#include"*)
				echo "# not run here, but by libgotgt.sh: $title"
				parsed=$((parsed + 1)) ;;
			*)
				echo "# run: $title"
				ran=$((ran + 1))
				check "$title" run_block "$block"
				[ ! -e "$box/engine" ] || run_engine
				rm -f "$box/engine" ;;
			esac ;;
		esac
	done
	echo "# $short: $ran blocks run, $parsed not"
}

if ! command -v autoreconf >/dev/null || ! command -v libtoolize >/dev/null; then
	tap_skip "README" "no autoreconf or libtoolize: a plugin's project is not built"
	tap_end
fi
document "$top/README"
readme=$ran
document "$top/plugins/README.md"
document "$top/man/gotgt.1"
for page in "$top"/man/*.[1-9] "$top"/plugins/*/*.7; do
	[ "$page" = "$top/man/gotgt.1" ] || document "$page"
done
check "most of README is run" [ "$readme" -ge 9 ]
tap_end
