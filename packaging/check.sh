#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check.sh TARBALL - the packages of a release: built twice in different folders with the same bytes, linted, installed,
# tried and removed (as root on Debian, with CI set); and as RPMs where there is rpmbuild.  Speaks TAP.
set -u

tarball=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
name=$(basename "$tarball" .tar.xz)
version=${name#gotgt-}
n=0 bad=0

ok() # NAME COMMAND...
{
	local what=$1
	shift
	n=$((n + 1))
	if "$@" >"$tmp/out" 2>&1; then
		echo "ok $n - $what"
	else
		tail -n 40 "$tmp/out" | sed 's/^/# /'
		echo "not ok $n - $what"
		bad=1
	fi
}

skip() # NAME WHY
{
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

build_deb() # FOLDER OPTIONS
{
	mkdir -p "$1" && tar -xf "$tarball" -C "$1" && cp -r "$here/debian" "$1/$name/" && cd "$1/$name" &&
		DEB_BUILD_OPTIONS="$2" dpkg-buildpackage -b -us -uc
}

same_bytes()
{
	local deb
	for deb in "$tmp"/one/*.deb; do
		cmp "$deb" "$tmp/another/folder/$(basename "$deb")" || return 1
	done
}

hardened() # every program and library of the packages
{
	local deb file
	for deb in "$tmp"/one/*.deb; do
		case $deb in *-dbgsym_*) continue ;; esac
		dpkg-deb -x "$deb" "$tmp/root"
	done
	find "$tmp/root" -type f \( -name '*.so*' -o -path '*/bin/*' \) | while read -r file; do
		readelf -d "$file" | grep -q BIND_NOW && readelf -lW "$file" | grep -q GNU_RELRO &&
			readelf -hW "$file" | grep -q DYN || { echo "$file"; exit 1; }
	done
}

install_debs()
{
	apt-get install -y --no-install-recommends "$tmp"/one/gotgt_*.deb "$tmp"/one/gotgt-plugin-*_*.deb "$tmp"/one/libgotgt*_*.deb
}

remove_debs()
{
	apt-get purge -y gotgt 'gotgt-plugin-*' libgotgt0 libgotgt-dev && [ ! -e /usr/bin/gotgt ] && [ ! -e /etc/gotgt ]
}

try_installed() # TEST
{
	mkdir -p "$tmp/try-$1" && AUTOPKGTEST_TMP=$tmp/try-$1 PATH=/usr/bin:/bin "$here/debian/tests/$1"
}

build_rpm()
{
	rpmbuild -ba --nodeps --define "_topdir $tmp/rpm" --define "_sourcedir $(dirname "$tarball")" "$here/gotgt.spec"
}

if command -v dpkg-buildpackage >/dev/null && command -v dh >/dev/null; then
	ok "Debian packages build" build_deb "$tmp/one" "parallel=$(nproc)"
	ok "and build again elsewhere" build_deb "$tmp/another/folder" "parallel=1 nocheck"
	ok "both have the same bytes" same_bytes
	ok "programs and libraries are hardened" hardened
	if command -v lintian >/dev/null; then
		ok "lintian finds no error" lintian --allow-root --fail-on error "$tmp/one/gotgt_$version"-*.changes
	else
		skip "lintian finds no error" "no lintian"
	fi
	if [ -n "${CI-}" ] && [ "$(id -u)" -eq 0 ]; then
		ok "they install" install_debs
		ok "the installed program serves" try_installed serve
		ok "a plugin is built from what is installed" try_installed plugin
		ok "they are removed without a trace" remove_debs
	else
		skip "they install" "only as root, with CI set"
	fi
else
	skip "Debian packages build" "no dpkg-buildpackage and debhelper"
fi
if command -v rpmbuild >/dev/null; then
	ok "gotgt.spec is well-formed" rpmspec -P "$here/gotgt.spec"
	ok "RPMs build" build_rpm
else
	skip "RPMs build" "no rpmbuild"
fi
echo "1..$n"
exit $bad
