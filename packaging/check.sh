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
n=0 skipped=0 failed=0

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
		failed=$((failed + 1))
	fi
}

skip() # NAME WHY
{
	n=$((n + 1)) skipped=$((skipped + 1))
	echo "ok $n - $1 # SKIP $2"
}

build_deb() # FOLDER OPTIONS WRAPPER...
{
	mkdir -p "$1" && tar -xf "$tarball" -C "$1" && cp -r "$here/debian" "$1/$name/" && cd "$1/$name" &&
		DEB_BUILD_OPTIONS="$2" "${@:3}" dpkg-buildpackage -b -us -uc
}

same_bytes()
{
	local deb
	for deb in "$tmp"/one/*.deb; do
		cmp "$deb" "$tmp/another/folder/$(basename "$deb")" || return 1
	done
}

hardened() # every program and library of the packages: RELRO, bound at start, PIE, stack protector, fortified
{
	local deb file
	for deb in "$tmp"/one/*.deb; do
		case $deb in *-dbgsym_*) continue ;; esac
		dpkg-deb -x "$deb" "$tmp/root" || return 1
	done
	find "$tmp/root" -type f \( -name '*.so' -o -name '*.so.*' -o -path '*/bin/*' \) >"$tmp/binaries"
	[ "$(wc -l <"$tmp/binaries")" -ge 5 ] || return 1
	while read -r file; do
		readelf -dW "$file" | grep -q BIND_NOW && readelf -lW "$file" | grep -q GNU_RELRO &&
			readelf -hW "$file" | grep -q 'Type:.*DYN' || { echo "$file"; return 1; }
	done <"$tmp/binaries"
	for file in "$tmp"/root/usr/bin/gotgt "$tmp"/root/usr/lib/*/libgotgt.so.0; do
		readelf --dyn-syms -W "$file" | grep -q ' __stack_chk_fail' &&
			readelf --dyn-syms -W "$file" | grep -q ' __[a-z]*_chk@' || { echo "$file"; return 1; }
	done
}

installed() # all packages of this system, sorted
{
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort -u
}

# Never over what somebody uses here.
ours_to_install()
{
	[ -n "${CI-}" ] && [ "$(id -u)" -eq 0 ] && [ ! -e /etc/gotgt ] && [ ! -e /var/lib/gotgt ] && [ ! -e /usr/bin/gotgt ] &&
		! getent passwd gotgt >/dev/null && ! installed | grep -q gotgt
}

install_debs()
{
	local deb debs=()
	for deb in "$tmp"/one/*.deb; do
		case $deb in *-dbgsym_*) ;; *) debs+=("$deb") ;; esac
	done
	installed >"$tmp/before"
	chmod 755 "$tmp" "$tmp/one"
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${debs[@]}"
}

set_up() # as an administrator finds it: a user, a configuration that is right, no service that runs unasked
{
	getent passwd gotgt && gotgt daemon --check && grep -q /etc/gotgt/gotgt.conf /var/lib/dpkg/info/gotgt.conffiles &&
		[ ! -e /etc/systemd/system/multi-user.target.wants/gotgt.service ]
}

# What they depend on goes too; a user stays after a purge, as Debian has it, but not here.
remove_debs()
{
	local new
	installed >"$tmp/after"
	mapfile -t new < <(comm -13 "$tmp/before" "$tmp/after")
	[ ${#new[@]} -gt 0 ] && DEBIAN_FRONTEND=noninteractive apt-get purge -y "${new[@]}" && [ ! -e /usr/bin/gotgt ] &&
		[ ! -e /etc/gotgt ] && [ ! -e /usr/include/gotgt ] && userdel gotgt && installed | cmp - "$tmp/before"
}

try_installed() # TEST
{
	mkdir -p "$tmp/try-$1" && AUTOPKGTEST_TMP=$tmp/try-$1 PATH=/usr/bin:/bin "$here/debian/tests/$1"
}

# "make installcheck" as a stranger has it: the source is read for its examples only.
try_interfaces()
{
	CC=gcc SRCDIR=$tmp/one/$name DESTDIR='' BINDIR=/usr/bin SYSCONFDIR=/etc \
		PKGCONFIGDIR=/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)/pkgconfig sh "$tmp/one/$name/tests/thirdparty.sh"
}

build_rpm()
{
	rpmbuild -ba --nodeps --define "_topdir $tmp/rpm" --define "_sourcedir $(dirname "$tarball")" "$here/gotgt.spec"
}

if command -v dpkg-buildpackage >/dev/null && command -v dh >/dev/null; then
	ok "Debian packages build" build_deb "$tmp/one" "parallel=$(nproc)"
	# Where one can be without it; nocheck, as tests may use the loopback.
	apart=(env)
	unshare -n true 2>/dev/null && apart=(unshare -n)
	ok "and build again elsewhere, without a network" build_deb "$tmp/another/folder" "parallel=$(nproc) nocheck" "${apart[@]}"
	ok "both have the same bytes" same_bytes
	ok "programs and libraries are hardened" hardened
	if command -v lintian >/dev/null; then
		# There is no bug of Debian to close.
		ok "lintian finds nothing" lintian --allow-root --suppress-tags initial-upload-closes-no-bugs --fail-on error,warning "$tmp/one/gotgt_$version"-*.changes
	else
		skip "lintian finds nothing" "no lintian"
	fi
	if ours_to_install; then
		ok "they install" install_debs
		ok "with a user, a configuration and no service started" set_up
		ok "the installed program serves" try_installed serve
		ok "a plugin is built from what is installed" try_installed plugin
		ok "so are plugins and programs of all kinds" try_interfaces
		ok "they are removed without a trace" remove_debs
	else
		skip "they install" "only as root, with CI set, where there is no gotgt"
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
# As automake counts, for .ci/run.
echo "# PASS: $((n - skipped - failed))"
echo "# SKIP: $skipped"
echo "# FAIL: $failed"
[ "$failed" -eq 0 ]
