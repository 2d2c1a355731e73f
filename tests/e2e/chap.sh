#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Accounts, and unmodified clients that have them or do not.
. "${srcdir:-.}/tests/tap.sh"
tap_need iscsi-ls iscsi-inq qemu-img
umask 077
echo a-secret-of-ours >"$tap_tmp/secret"
echo another-one-of-ours >"$tap_tmp/mutual"
export tap_tmp

# with OPTIONS... -- COMMAND: the latter with $place, what is behind the user in a URI.
serve()
{
	options=
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	# shellcheck disable=SC2086,SC2154
	timeout 100 "$gotgt" serve "file:$tap_tmp/disk.img" --size 16M --portal 127.0.0.1:0 --user joe \
		--secret-file "$tap_tmp/secret" $options --run "set -e; place=\${uri#iscsi://}; $2" 2>"$tap_tmp/log"
}
mutual="--mutual-user disk --mutual-secret-file $tap_tmp/mutual"
good='joe%a-secret-of-ours@'
both='?target_user=disk&target_password=another-one-of-ours'

check 'a user with his secret' serve -- "iscsi-inq 'iscsi://$good'\$place"
check 'not without it' serve -- '! iscsi-inq "iscsi://$place"'
check 'not with another' serve -- '! iscsi-inq "iscsi://joe%a-secret-of-others@$place"'
check 'one line tells' sh -c 'test "$(grep -c "as joe refused: the wrong CHAP response" "$tap_tmp/log")" = 1'
check 'which has no secret' sh -c '! grep -e a-secret "$tap_tmp/log"'
check 'not as somebody else' serve -- '! iscsi-inq "iscsi://jim%a-secret-of-ours@$place"'
check 'discovery with the secret' serve -- "iscsi-ls 'iscsi://$good'\$portal | grep \"\$iqn\""
check 'no discovery without it' serve -- '! iscsi-ls "iscsi://$portal"'
# shellcheck disable=SC2086
check 'both ways' serve $mutual -- "iscsi-inq 'iscsi://$good'\$place'$both'"
# shellcheck disable=SC2086
check 'both ways, if it asks' serve $mutual -- "iscsi-inq 'iscsi://$good'\$place"
# shellcheck disable=SC2086
check 'a client that expects another secret leaves' serve $mutual -- \
	"! iscsi-inq 'iscsi://$good'\$place'?target_user=disk&target_password=some-other-secret'"
check 'no target secret for a client that asks' serve -- "! iscsi-inq 'iscsi://$good'\$place'$both'"

head -c 16777216 /dev/urandom >"$tap_tmp/random.img"
check 'qemu-img there and back' serve -- "qemu-img convert -n -f raw -O raw \"\$tap_tmp/random.img\" 'iscsi://$good'\$place
	qemu-img convert -f raw -O raw 'iscsi://$good'\$place \"\$tap_tmp/back.img\"
	cmp \"\$tap_tmp/random.img\" \"\$tap_tmp/back.img\""

chmod 644 "$tap_tmp/secret"
check 'a secret that others can read is refused' sh -c '! "$1" serve null: --portal 127.0.0.1:0 --user joe \
	--secret-file "$tap_tmp/secret" --run true 2>"$tap_tmp/log" && grep "group or others" "$tap_tmp/log"' sh "$gotgt"

# A reload reads secrets again.
chmod 600 "$tap_tmp/secret"
iqn=iqn.2016-09.com.example:chap
cat >"$tap_tmp/conf" <<EOF
portals = ( { address = "127.0.0.1"; port = 0; } );
targets = ( { iqn = "$iqn"; luns = ( { number = 0; plugin = "null"; settings: { size = "1M"; }; } );
	accounts = ( { user = "joe"; secret-file = "$tap_tmp/secret"; } ); } );
EOF
: >"$tap_tmp/daemon"	# tap_wait wants it there
"$gotgt" daemon --config "$tap_tmp/conf" 2>"$tap_tmp/daemon" &
pid=$!
tap_cleanup() { kill "$pid" 2>/dev/null; }
tap_wait "$tap_tmp/daemon" '1 targets'
place=$(sed -n 's/.*portal \(127[.0-9]*:[0-9]*\): listening.*/\1/p' "$tap_tmp/daemon")/$iqn/0
check 'the daemon takes the secret of the file' iscsi-inq "iscsi://joe%a-secret-of-ours@$place"
echo a-later-secret >"$tap_tmp/secret"
kill -HUP "$pid"
tap_wait "$tap_tmp/daemon" 'nothing changed'
check 'after a reload the later one' iscsi-inq "iscsi://joe%a-later-secret@$place"
check 'and no longer the first' sh -c '! iscsi-inq "$1"' sh "iscsi://joe%a-secret-of-ours@$place"
tap_end
