#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# quickstart deps: what it asks each system's package manager for, and only for what is missing.  The package managers
# are ours.
. "${srcdir:-.}/tests/tap.sh"
not()
{
	! "$@"
}

asked=$tap_tmp/asked
mkdir "$tap_tmp/bin"
tool() # NAME, its text on standard input
{
	{ echo '#!/bin/sh'; cat; } >"$tap_tmp/bin/$1"
	chmod +x "$tap_tmp/bin/$1"
}
# What is installed is in a file, a line each; sudo does what it is told.
tool dpkg-query <<END2
for p; do :; done
grep -qx "\$p" "$tap_tmp/installed" && printf installed
END2
tool rpm <<END2
for p; do :; done
grep -qx "\$p" "$tap_tmp/installed"
END2
for manager in apt-get dnf; do
	tool $manager <<END2
echo "$manager \$*" >>"$asked"
case "\$*" in *install*) [ ! -e "$tap_tmp/broken" ] ;; esac
END2
done
tool sudo <<'END2'
exec "$@"
END2
tool id <<END2
cat "$tap_tmp/uid"
END2

# run ID ID_LIKE MODE: the script on a system of this name.
run()
{
	printf 'ID=%s\nID_LIKE="%s"\n' "$1" "$2" >"$tap_tmp/os-release"
	sed "s,/etc/os-release,$tap_tmp/os-release," "${srcdir:-.}/quickstart" >"$tap_tmp/quickstart"
	: >"$asked"
	PATH=$tap_tmp/bin:$PATH CI='' sh "$tap_tmp/quickstart" "$3" >"$tap_tmp/out" 2>"$tap_tmp/err"
	got=$?
	cat "$asked" "$tap_tmp/err"
	return $got
}

asks() # TEXT that the last line has
{
	tail -n 1 "$asked" | grep -q -e "$1"
}

echo 1000 >"$tap_tmp/uid"
: >"$tap_tmp/installed"
check "Debian" run debian "" deps
check "asks apt for the libraries" asks ' install .*libglib2.0-dev .*libisal-dev '
check "and for what the tests use" asks 'sg3-utils'
check "Ubuntu" run ubuntu debian deps
check "asks apt too" asks '^apt-get .*install .*libconfig-dev'
check "Fedora" run fedora "" deps
check "asks dnf for the libraries" asks '^dnf .*install .*glib2-devel .*isa-l-devel '
check "and for what the tests use there" asks 'sg3_utils'
check "what is like Fedora" run rocky "rhel centos fedora" deps
check "asks dnf as well" asks '^dnf '

tr ' ' '\n' <"$asked" | grep -vx -e dnf -e -q -e install -e -y -e qemu-img >"$tap_tmp/installed"
check "all but one" run fedora "" deps
check "asks for that one" asks ' -y qemu-img *$'
echo qemu-img >>"$tap_tmp/installed"
check "all" run fedora "" deps
check "asks for nothing" not test -s "$asked"

: >"$tap_tmp/installed"
: >"$tap_tmp/broken"
# The commands that serving prints are to be there.
check "dnf that fails ends it" not run fedora "" serve
check "having been asked for the clients" asks 'libiscsi-utils .*qemu-img .*qemu-block-iscsi'
check "but not for the tests" not asks 'sg3_utils'
check "apt that fails ends it" not run debian "" serve
check "having been asked for the clients" asks 'libiscsi-bin .*qemu-utils .*qemu-block-extra'
: >"$tap_tmp/config.status"
rm "$tap_tmp/broken"
check "a build in its own folder ends it" not run debian "" serve
check "and it says what to do" grep -q '"make distclean" first' "$tap_tmp/err"
rm "$tap_tmp/config.status"
check "too many words" not run debian "" nonsense
tap_end
