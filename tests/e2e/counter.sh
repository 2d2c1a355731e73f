#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Processes with sessions on both of two reactors update one counter by COMPARE AND WRITE: no update is lost, none half seen.
. "${srcdir:-.}/tests/tap.sh"
counter=${G_TEST_BUILDDIR:-$PWD/tests}/e2e/counter
if [ ! -x "$counter" ]; then
	echo '1..0 # SKIP built without libiscsi'
	exit 0
fi
rounds=100000 more=20000	# of two, of five, who are in each other's way
[ -z "${E2E_QUICK:-}" ] || rounds=4000 more=4000
log=$tap_tmp/log
# ram compares and writes in one step itself.
mods=$(cd "${G_TEST_BUILDDIR:-$PWD/tests}/mods/.libs" && pwd)
export GOTGT_PLUGIN_PATH="$GOTGT_PLUGIN_PATH:$mods"

count() # PLUGIN PROCESSES ROUNDS
{
	settings="settings = { path = \"$tap_tmp/$1.img\"; create = true; size = \"1M\"; };"
	[ "$1" != ram ] || settings=
	cat >"$tap_tmp/conf" <<-END
		reactors = 2;
		portals = ( { name = "a"; address = "127.0.0.1"; port = 0; } );
		targets = ( {
		  iqn = "iqn.2024-01.org.gotgt:counter"; open = true;
		  luns = ( { number = 0; plugin = "$1"; $settings } );
		} );
	END
	: >"$log"
	"$gotgt" daemon --foreground --log info --config "$tap_tmp/conf" 2>"$log" &
	pid=$!
	tap_wait "$log" "logical units" || { cat "$log"; return 1; }
	portal=$(grep -o '127\.0\.0\.1:[1-9][0-9]*' "$log" | head -1)
	"$counter" "iscsi://$portal/iqn.2024-01.org.gotgt:counter/0" "$2" "$3"
	status=$?
	kill -TERM "$pid"
	tap_join "$pid" && [ "$status" -eq 0 ]
}

for plugin in ${E2E_PLUGINS:-file mmap ram}; do
	check "$plugin: two sessions, $rounds updates" count "$plugin" 2 "$rounds"
	check "$plugin: five sessions, $more updates" count "$plugin" 5 "$more"
done
tap_end
